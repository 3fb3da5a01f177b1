"""Tiles: paths, bundles, every tile of a size, and proofs served from them."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.errors import MalformedTileError, OversizedEntryError
from audit.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    subtrees_of,
    verify_consistency,
    verify_inclusion,
)
from audit.strict import COUNT_MAX
from audit.tiles import (
    ENTRIES,
    Tile,
    TileBuilder,
    TileReader,
    decode_bundle,
    decode_hash_tile,
    encode_bundle,
    entry_bundles,
    hash_tiles,
    hash_tiles_of,
    level_tiles,
    parse_tile_path,
)

SIZE_MAX = 70_000
LEAVES = [leaf_hash(i.to_bytes(4, "big")) for i in range(SIZE_MAX)]
READ = subtrees_of(LEAVES)


def tiles(size: int) -> dict[str, bytes]:
    """The hash tiles of the first *size* leaves by path."""
    return {tile.path: data for tile, data in hash_tiles(LEAVES[:size])}


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 0, 1), "tile/0/000.p/1"),
        (Tile(1, 999, 255), "tile/1/999.p/255"),
        (Tile(0, 1000), "tile/0/x001/000"),
        (Tile(0, 1_234_067), "tile/0/x001/x234/067"),
        (Tile(63, 273, 112), "tile/63/273.p/112"),
        (Tile(ENTRIES, 273, 112), "tile/entries/273.p/112"),
        (Tile(ENTRIES, COUNT_MAX), "tile/entries/x009/x223/x372/x036/x854/x775/807"),
    ],
)
def test_tile_path_is_the_specified_one(tile: Tile, path: str) -> None:
    """Each tile has one path, which is read back."""
    assert path == tile.path
    assert tile == parse_tile_path(path)


@given(st.builds(Tile, st.integers(ENTRIES, 63), st.integers(0, COUNT_MAX), st.integers(1, 256)))
def test_tile_path_written_is_read_back(tile: Tile) -> None:
    """Paths and tiles are one to one."""
    assert tile == parse_tile_path(tile.path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/000\n",
        "tile/00/000",
        "tile/01/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/data/000",
        "tile/8/0/000",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/x000/001",
        "tile/0/X001/000",
        "tile/0/x001/x000",
        "tile/0/x01/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/+1",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000.P/1",
        "tile/0/٠٠٠",
        "tile/٠/000",
        "tile/0/000.p/١",
        "tile/0/../000",
        "tile/0/000?x",
        "tile/0/x009/x223/x372/x036/x854/x775/808",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/0/x001/x000/x000/x000/x000/x000/x000/000",
        "entries/000",
    ],
)
def test_tile_path_in_another_spelling_is_refused(path: str) -> None:
    """Leading zeros, other digits, other layouts and walks upwards are no tile paths."""
    with pytest.raises(MalformedTileError):
        parse_tile_path(path)


@pytest.mark.parametrize(
    ("level", "index", "width"),
    [(-2, 0, 1), (64, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257), (0, COUNT_MAX + 1, 1)],
)
def test_tile_out_of_range_is_refused(level: int, index: int, width: int) -> None:
    """A tile that has no path does not exist."""
    with pytest.raises(MalformedTileError):
        Tile(level, index, width)


def test_tiles_of_70000_are_those_of_the_specification() -> None:
    """273 full and a partial of 112, a full one and a partial of 17, and a partial of 1."""
    expected = [Tile(0, i) for i in range(273)]
    expected += [Tile(0, 273, 112), Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)]

    assert expected == list(hash_tiles_of(70_000))
    assert {t.path for t in expected} == set(tiles(70_000))


@pytest.mark.parametrize(
    ("size", "paths"),
    [
        (0, []),
        (1, ["tile/0/000.p/1"]),
        (255, ["tile/0/000.p/255"]),
        (256, ["tile/0/000", "tile/1/000.p/1"]),
        (257, ["tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"]),
        (511, ["tile/0/000", "tile/0/001.p/255", "tile/1/000.p/1"]),
        (512, ["tile/0/000", "tile/0/001", "tile/1/000.p/2"]),
    ],
)
def test_tiles_of_a_size_at_a_border_are_exactly_these(size: int, paths: list[str]) -> None:
    """No empty tile, and no partial beside the full one."""
    assert paths == [tile.path for tile in hash_tiles_of(size)]
    assert sorted(paths) == sorted(tiles(size))


def test_level_tiles_from_a_start_are_the_later_ones() -> None:
    """An export that goes on asks for what it has not."""
    assert [Tile(0, 2), Tile(0, 3, 5)] == list(level_tiles(0, 773, start=2))
    assert [Tile(0, 3, 5)] == list(level_tiles(0, 773, start=3))
    assert [] == list(level_tiles(0, 773, start=4))
    assert [Tile(ENTRIES, 0), Tile(ENTRIES, 1, 1)] == list(level_tiles(ENTRIES, 257))


@settings(max_examples=30)
@given(st.integers(0, SIZE_MAX))
def test_tile_hashes_are_the_subtree_roots(size: int) -> None:
    """Hash i of tile (L, n) is the root over 256**L leaves, and the root returned is the tree's."""
    generator, found = hash_tiles(iter(LEAVES[:size])), {}
    while True:
        try:
            tile, data = next(generator)
        except StopIteration as stop:
            root = stop.value
            break
        found[tile] = data

    assert set(hash_tiles_of(size)) == set(found)
    assert root_of(LEAVES[:size]) == root
    for tile, data in found.items():
        expected = [READ(8 * tile.level, tile.index * 256 + i) for i in range(tile.width)]
        assert expected == decode_hash_tile(data, tile.width)


@given(st.lists(st.integers(0, 700), max_size=6))
def test_builder_fed_in_steps_gives_each_full_tile_once(steps: list[int]) -> None:
    """How leaves arrive does not matter, and a checkpoint may be taken after each step."""
    builder, full, size = TileBuilder(), [], 0
    for step in steps:
        full += builder.add(iter(LEAVES[size : size + step]))
        size += step

        assert root_of(LEAVES[:size]) == builder.root()
        assert tiles(size) == {t.path: d for t, d in [*full, *builder.partials()]}


def test_builder_given_a_short_hash_is_refused() -> None:
    """A leaf hash of 31 bytes never enters a tile."""
    with pytest.raises(ValueError, match="32 bytes"):
        TileBuilder().add([bytes(31)])


def test_bundle_is_its_known_bytes() -> None:
    """Each entry stands behind its big-endian length."""
    assert b"\x00\x01a\x00\x00\x01\x02" + bytes(258) == encode_bundle([b"a", b"", bytes(258)])


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_bundle_written_is_read_back(entries: list[bytes]) -> None:
    """Bundles are one to one with lists of entries."""
    assert entries == decode_bundle(encode_bundle(entries), len(entries))


def test_bundle_takes_the_largest_entry_and_no_larger() -> None:
    """65,535 bytes fit, 65,536 do not."""
    assert [bytes(65_535)] == decode_bundle(encode_bundle([bytes(65_535)]), 1)
    with pytest.raises(OversizedEntryError) as refused:
        encode_bundle([b"", bytes(65_536)])

    assert 65_536 == refused.value.length


@pytest.mark.parametrize("count", [0, 257])
def test_bundle_of_another_count_is_a_mistake(count: int) -> None:
    """A bundle has 1 to 256 entries."""
    with pytest.raises(ValueError, match="256"):
        encode_bundle([b""] * count)


@pytest.mark.parametrize(
    ("data", "width"),
    [
        (b"", 1),
        (b"\x00", 1),
        (b"\x00\x02a", 1),
        (b"\x00\x01a", 2),
        (b"\x00\x01a\x00", 1),
        (b"\x00\x01a\x00\x00", 1),
        (b"\x00\x01ab", 1),
    ],
)
def test_bundle_of_another_length_is_refused(data: bytes, width: int) -> None:
    """Missing, half and surplus entries are refused."""
    with pytest.raises(MalformedTileError):
        decode_bundle(data, width)


@pytest.mark.parametrize(("length", "width"), [(0, 1), (31, 1), (33, 1), (64, 1), (32, 2)])
def test_hash_tile_of_another_length_is_refused(length: int, width: int) -> None:
    """A hash tile has 32 bytes for each of its width."""
    with pytest.raises(MalformedTileError):
        decode_hash_tile(bytes(length), width)


def test_entry_bundles_of_a_log_hold_its_entries_in_order() -> None:
    """Entries stream into bundles of 256, the last one partial."""
    entries = [str(i).encode() for i in range(600)]

    bundles = list(entry_bundles(iter(entries)))

    assert [Tile(ENTRIES, 0), Tile(ENTRIES, 1), Tile(ENTRIES, 2, 88)] == [t for t, _ in bundles]
    assert entries == [e for t, data in bundles for e in decode_bundle(data, t.width)]


@settings(max_examples=20)
@given(st.integers(1, SIZE_MAX), st.data())
def test_proofs_served_from_tiles_hold(size: int, data: st.DataObject) -> None:
    """Inclusion and consistency from files are those from the list, at the last and any old size."""
    files = tiles(size)
    reader = TileReader(files.__getitem__, size)
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    root, old_root = root_of(LEAVES[:size]), root_of(LEAVES[:old])

    inclusion = inclusion_proof(index, size, reader.subtree)
    consistency = consistency_proof(old, size, reader.subtree)

    assert root == reader.root()
    assert inclusion_proof(index, size, READ) == inclusion
    verify_inclusion(LEAVES[index], index, size, inclusion, root)
    verify_consistency(old, old_root, size, root, consistency)


def test_reader_cuts_a_dropped_partial_from_the_full_tile() -> None:
    """A log may drop a partial tile once the full one exists."""
    files = tiles(512)
    reader = TileReader(files.__getitem__, 300)

    assert "tile/0/001.p/44" not in files
    assert LEAVES[299] == reader.subtree(0, 299)
    with pytest.raises(ValueError, match="no complete subtree"):
        reader.subtree(0, 300)
    with pytest.raises(ValueError, match="no complete subtree"):
        reader.subtree(1, 150)


def test_reader_without_the_tile_says_so() -> None:
    """A missing tile is not papered over."""
    files = tiles(300)
    del files["tile/0/000"]

    with pytest.raises(KeyError):
        TileReader(files.__getitem__, 300).subtree(0, 0)


def test_reader_given_a_tile_of_another_length_refuses_it() -> None:
    """A tile cut short is refused, not read up to its end."""
    files = tiles(300)
    files["tile/0/000"] = files["tile/0/000"][:-1]

    with pytest.raises(MalformedTileError):
        TileReader(files.__getitem__, 300).subtree(0, 0)


def test_reader_serves_entries_and_keeps_few_tiles() -> None:
    """Each file is read once while it is kept, and only so many are kept."""
    entries = [str(i).encode() for i in range(256 * 70)]
    files = {t.path: data for t, data in entry_bundles(entries)}
    asked: list[str] = []
    reader = TileReader(logged(files, asked), len(entries))

    for _ in range(3):
        assert b"7" == reader.entry(7)
    assert ["tile/entries/000"] == asked
    assert entries == [reader.entry(i) for i in range(len(entries))]
    assert 70 == len(asked)
    assert b"7" == reader.entry(7)  # was dropped, is read again
    assert 71 == len(asked)
    with pytest.raises(ValueError, match="no entry"):
        reader.entry(len(entries))


def logged(files: dict[str, bytes], asked: list[str]) -> Callable[[str], bytes]:
    """A reader of *files* that writes down what it was asked for."""

    def read(path: str) -> bytes:
        asked.append(path)
        return files[path]

    return read
