"""
Tiles (C2SP tlog-tiles): a log as files that never change.

    tile/<L>/<N>[.p/<W>]          256 (or W) hashes of level L: roots of 256**L leaves each
    tile/entries/<N>[.p/<W>]      256 (or W) entries, each behind a big-endian uint16 length

N is written in groups of three digits, all but the last with an x: 1234067 is x001/x234/067.
A partial tile (W of 1 to 255) is never hashed into the level above; a width of 0 is no file.
"""

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice

from audit.errors import MalformedTileError, OversizedEntryError
from audit.merkle import HASH_BYTES, node_hash, tree_root
from audit.strict import COUNT_MAX

TILE_WIDTH = 256
LEVEL_HEIGHT = 8  # a tile spans 8 heights of the tree
LEVEL_MAX = 63
ENTRY_BYTES_MAX = 65_535
ENTRIES = -1  # the level that stands for entry bundles
_PATH = re.compile(
    r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?"
)


@dataclass(frozen=True, order=True, slots=True)
class Tile:
    """One tile: level 0..63 (or `ENTRIES`), index N, width 1..256."""

    level: int
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        if not ENTRIES <= self.level <= LEVEL_MAX:
            raise MalformedTileError(f"level {self.level} is not 0 to 63")
        if not 0 <= self.index <= COUNT_MAX:
            raise MalformedTileError("the index is out of range")
        if not 1 <= self.width <= TILE_WIDTH:
            raise MalformedTileError(f"width {self.width} is not 1 to 256")

    @property
    def path(self) -> str:
        """The file's path, relative to the log's root."""
        rest, last = divmod(self.index, 1000)
        groups = f"{last:03d}"
        while rest:
            rest, group = divmod(rest, 1000)
            groups = f"x{group:03d}/{groups}"
        level = "entries" if self.level == ENTRIES else str(self.level)
        part = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{level}/{groups}{part}"

    @property
    def whole(self) -> "Tile":
        """The full tile that this one grows into."""
        return Tile(self.level, self.index)


def parse_tile_path(path: str) -> Tile:
    """Read the one spelling of a tile's path. MalformedTileError otherwise."""
    match = _PATH.fullmatch(path)
    if not match:
        raise MalformedTileError("not a tile path")
    level, groups, width = match.groups()
    tile = Tile(
        ENTRIES if level == "entries" else int(level),
        int(groups.replace("x", "").replace("/", "")),
        int(width) if width else TILE_WIDTH,
    )
    if tile.path != path:  # a leading x000 group, .p/256
        raise MalformedTileError("not the shortest path of this tile")
    return tile


def level_tiles(level: int, size: int, *, start: int = 0) -> Iterator[Tile]:
    """The tiles of one level (or `ENTRIES`) of a log of *size*, from index *start*, in order."""
    full, partial = divmod(size >> (LEVEL_HEIGHT * max(level, 0)), TILE_WIDTH)
    for index in range(start, full):
        yield Tile(level, index)
    if partial and start <= full:
        yield Tile(level, full, partial)


def hash_tiles_of(size: int) -> Iterator[Tile]:
    """Every hash tile that a log of *size* has, level by level."""
    level = 0
    while size >> (LEVEL_HEIGHT * level):
        yield from level_tiles(level, size)
        level += 1


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """
    An entry bundle of 1 to 256 entries.

    Raises OversizedEntryError for an entry above 65,535 bytes.
    """
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise ValueError(f"a bundle has 1 to 256 entries, not {len(entries)}")
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > ENTRY_BYTES_MAX:
            raise OversizedEntryError(len(entry))
        parts += (len(entry).to_bytes(2, "big"), entry)
    return b"".join(parts)


def decode_bundle(data: bytes, width: int) -> list[bytes]:
    """The *width* entries of a bundle; MalformedTileError when there are more, fewer or half."""
    entries = []
    position = 0
    while position < len(data):
        end = position + 2 + int.from_bytes(data[position : position + 2], "big")
        if end > len(data):  # also where half a length stands
            raise MalformedTileError("the bundle ends inside an entry")
        entries.append(data[position + 2 : end])
        position = end
    if len(entries) != width:
        raise MalformedTileError(f"the bundle has {len(entries)} entries, not {width}")
    return entries


def decode_hash_tile(data: bytes, width: int) -> list[bytes]:
    """The *width* hashes of a tile; MalformedTileError when the length is another."""
    if len(data) != HASH_BYTES * width:
        raise MalformedTileError(f"the tile has {len(data)} bytes, not {HASH_BYTES * width}")
    return [data[i : i + HASH_BYTES] for i in range(0, len(data), HASH_BYTES)]


@dataclass(slots=True)
class TileBuilder:
    """
    Makes every hash tile of a log from its leaf hashes as they pass; keeps at most 256 a level.

    `add` gives the tiles that became full; `partials` the unfinished ones at the present size.
    """

    size: int = 0
    _rows: list[list[bytes]] = field(default_factory=list)  # unfinished tile of each level
    _done: list[int] = field(default_factory=list)  # full tiles of each level

    def add(self, leaf_hashes: Iterable[bytes]) -> list[tuple[Tile, bytes]]:
        """Append leaf hashes; the tiles that became full by it, lower levels first."""
        source = iter(leaf_hashes)
        full: list[tuple[Tile, bytes]] = []
        while chunk := list(islice(source, TILE_WIDTH - self.size % TILE_WIDTH)):
            if any(len(h) != HASH_BYTES for h in chunk):
                raise ValueError("a leaf hash is not 32 bytes")
            self.size += len(chunk)
            self._push(0, chunk, full)
        return full

    def _push(self, level: int, hashes: list[bytes], full: list[tuple[Tile, bytes]]) -> None:
        if level == len(self._rows):
            self._rows.append([])
            self._done.append(0)
        row = self._rows[level]
        row += hashes
        if len(row) == TILE_WIDTH:
            full.append((Tile(level, self._done[level]), b"".join(row)))
            self._done[level] += 1
            self._rows[level] = []
            self._push(level + 1, [_root_of_full(row)], full)

    def partials(self) -> Iterator[tuple[Tile, bytes]]:
        """The partial tiles of the present size, lowest level first."""
        for level, row in enumerate(self._rows):
            if row:
                yield Tile(level, self._done[level], len(row)), b"".join(row)

    def root(self) -> bytes:
        """The root of the tree at the present size."""
        return tree_root(self.size, self._subtree)

    def _subtree(self, height: int, index: int) -> bytes:
        # The right edge only: each complete subtree of the size lies inside one unfinished tile.
        level, inner = divmod(height, LEVEL_HEIGHT)
        start = (index << inner) % TILE_WIDTH
        return _root_of_full(self._rows[level][start : start + (1 << inner)])


def hash_tiles(leaf_hashes: Iterable[bytes]) -> Generator[tuple[Tile, bytes], None, bytes]:
    """Every hash tile, full and partial, of a log given as its leaf hashes; returns the root."""
    builder = TileBuilder()
    source = iter(leaf_hashes)
    while chunk := list(islice(source, TILE_WIDTH)):
        yield from builder.add(chunk)
    yield from builder.partials()
    return builder.root()


def entry_bundles(entries: Iterable[bytes]) -> Iterator[tuple[Tile, bytes]]:
    """Every entry bundle of a log given as its entries."""
    source = iter(entries)
    index = 0
    while chunk := list(islice(source, TILE_WIDTH)):
        yield Tile(ENTRIES, index, len(chunk)), encode_bundle(chunk)
        index += 1


class TileReader:
    """
    Serves subtree hashes and entries of a log of *size* from its tiles, for proofs.

    *read* gives a path's bytes and raises KeyError or FileNotFoundError where there is none; a
    partial tile that was dropped is cut from the full one. Nothing is authenticated here: a proof
    built from tiles is worth what it verifies to.

    Raises (when asked):
        MalformedTileError: A tile of another length than its width.
    """

    _KEPT = 64  # tiles in memory: 512 kB, enough for the path of one proof to be read once

    def __init__(self, read: Callable[[str], bytes], size: int) -> None:
        self.size = size
        self._read = read
        self._kept: dict[Tile, list[bytes]] = {}

    def subtree(self, height: int, index: int) -> bytes:
        """A `merkle.SubtreeReader`."""
        if (index + 1) << height > self.size or index < 0:
            raise ValueError(f"no complete subtree {height}, {index} in a log of {self.size}")
        level, inner = divmod(height, LEVEL_HEIGHT)
        number, start = divmod(index << inner, TILE_WIDTH)
        return _root_of_full(self._items(level, number)[start : start + (1 << inner)])

    def entry(self, index: int) -> bytes:
        """The bytes of one entry."""
        if not 0 <= index < self.size:
            raise ValueError(f"no entry {index} in a log of {self.size}")
        number, at = divmod(index, TILE_WIDTH)
        return self._items(ENTRIES, number)[at]

    def root(self) -> bytes:
        """The root at this size, as the tiles give it."""
        return tree_root(self.size, self.subtree)

    def _items(self, level: int, number: int) -> list[bytes]:
        count = self.size >> (LEVEL_HEIGHT * max(level, 0))
        tile = Tile(level, number, min(TILE_WIDTH, count - number * TILE_WIDTH))
        if tile in self._kept:
            return self._kept[tile]
        decode = decode_bundle if level == ENTRIES else decode_hash_tile
        try:
            items = decode(self._read(tile.path), tile.width)
        except (KeyError, FileNotFoundError):
            if tile == tile.whole:
                raise
            items = decode(self._read(tile.whole.path), TILE_WIDTH)[: tile.width]
        if len(self._kept) == self._KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[tile] = items
        return items


def _root_of_full(hashes: list[bytes]) -> bytes:
    """The root over a power of two of hashes."""
    while len(hashes) > 2:
        pairs = iter(hashes)
        hashes = [sha256(b"\x01" + a + b).digest() for a, b in zip(pairs, pairs, strict=True)]
    return node_hash(*hashes) if len(hashes) == 2 else hashes[0]
