"""One damaged file: it is named, with what could not be proven for want of it, and nothing else is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from api.engine import make_engine, reading
from audit.export import export
from audit.merkle import leaf_hash
from audit.tiles import decode_bundle, encode_bundle
from audit.verdict import Failure, Verdict
from audit.verify import verify
from ledger.book_export import BookExport
from tests.audit.logs import VKEY, new_signer, post_journals, sealed
from tests.builders import GOVERNMENT

Change = Callable[[Path], None]
CHART = "books/attachments/8d9abd36e089c850c359aa6eae48b98e6f9603b94e4bce78d7a91fa686bf0f6e"


@pytest.fixture(scope="module")
def pristine(_sqlite_opened: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of 300 entries with five checkpoints, three of them inside the last bundle."""
    folder = tmp_path_factory.mktemp("damage")
    path = folder / "rkud.db"
    shutil.copyfile(_sqlite_opened, path)
    engine = make_engine(f"sqlite:///{path}")
    signer = new_signer(folder / "keys")
    posted = 0
    for size in (18, 100, 266, 280, 300):
        post_journals(engine, posted + 1, size - 18 - posted)
        posted = size - 18
        sealed(engine, signer)
    with reading(engine) as conn:
        export(conn, folder / "out", GOVERNMENT, vkeys=[VKEY], books=BookExport())
    engine.dispose()
    return folder / "out"


@pytest.fixture
def directory(pristine: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    shutil.copytree(pristine, tmp_path / "out")
    return tmp_path / "out"


def flip(name: str, at: int) -> Change:
    """One bit of one byte."""

    def change(directory: Path) -> None:
        data = bytearray((directory / name).read_bytes())
        data[at] ^= 1
        (directory / name).write_bytes(bytes(data))

    return change


def cut(name: str, by: int) -> Change:
    """The end of a file."""

    def change(directory: Path) -> None:
        (directory / name).write_bytes((directory / name).read_bytes()[:-by])

    return change


def grow(name: str) -> Change:
    """A byte too many."""

    def change(directory: Path) -> None:
        (directory / name).write_bytes((directory / name).read_bytes() + b"\x00")

    return change


def drop(name: str) -> Change:
    """A file that did not come along."""
    return lambda directory: (directory / name).unlink()


LOST = "what 1 entry said: the bytes here are not those that were signed"
SHORT = "what 1 entry booked: balances, numbers and references are those of the others"


@pytest.mark.parametrize(
    ("change", "wrong", "proven", "not_checked"),
    [
        # a bundle of entries
        (
            flip("tile/entries/000", 100_000),
            ("entry_changed", 190, 174, "tile/entries/000"),
            "the other 299 of the 300 entries are exactly those that the log's key signed",
            [LOST, SHORT],
        ),
        (
            flip("tile/entries/001.p/44", -100),
            ("entry_changed", 299, 283, "tile/entries/001.p/44"),
            "the other 299 of the 300 entries",
            [LOST, SHORT],
        ),
        (
            flip("tile/entries/000", 200),
            ("entry_changed", 0, None, "tile/entries/000"),
            "the other 299 of the 300 entries",
            [LOST, "things that may follow from what could not be read: leaf 1, unknown_person"],
        ),
        (
            flip("tile/entries/000", 0),
            ("malformed_tile", None, None, "tile/entries/000"),
            "283 journals are numbered without a gap",
            [],
        ),
        (
            cut("tile/entries/000", 1000),
            ("malformed_tile", 254, None, "tile/entries/000"),
            "the other 298 of the 300 entries",
            ["what entries 254 to 255 said: the bytes are not here"],
        ),
        (
            cut("tile/entries/001.p/44", 1),
            ("malformed_tile", 299, None, "tile/entries/001.p/44"),
            "each of 282 journals that could be read balances",
            ["what entry 299 said: the bytes are not here"],
        ),
        (
            grow("tile/entries/000"),
            ("malformed_tile", None, None, "tile/entries/000"),
            "283 journals are numbered without a gap",
            [],
        ),
        (
            drop("tile/entries/000"),
            ("file_missing", None, None, "tile/entries/000"),
            "the other 44 of the 300 entries",
            ["what entries 0 to 255 said: the bytes are not here"],
        ),
        (
            drop("tile/entries/001.p/44"),
            ("file_missing", None, None, "tile/entries/001.p/44"),
            "the other 256 of the 300 entries",
            ["what entries 256 to 299 said: the bytes are not here"],
        ),
        # an earlier, shorter copy of the last bundle
        (
            flip("tile/entries/001.p/10", -100),
            ("earlier_copy_changed", 265, None, "tile/entries/001.p/10"),
            "283 journals are numbered without a gap",
            [],
        ),
        (
            cut("tile/entries/001.p/10", 10),
            ("earlier_copy_changed", None, None, "tile/entries/001.p/10"),
            "the 300 entries are exactly those",
            [],
        ),
        # a tile of hashes
        *(
            (change, (code, None, None, name), "283 journals are numbered without a gap", [])
            for name in ("tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/0/001.p/10")
            for change, code in (
                (flip(name, 3), "tile_changed"),
                (cut(name, 5), "tile_changed" if name.endswith("/10") else "malformed_tile"),
            )
        ),
        (
            drop("tile/0/000"),
            ("file_missing", None, None, "tile/0/000"),
            "the 300 entries are exactly those",
            [],
        ),
        (
            drop("tile/1/000.p/1"),
            ("file_missing", None, None, "tile/1/000.p/1"),
            "the 300 entries are exactly those",
            [],
        ),
        # the rest
        (
            drop("checkpoint"),
            ("checkpoint_missing", None, None, "checkpoint"),
            "each of 5 signed checkpoints continues the one before",
            [
                "whether the log has more than 300 entries: checkpoint.300 was taken for the last one"
            ],
        ),
        (
            flip("checkpoint", 9),
            ("invalid_signature", None, None, "checkpoint"),
            "the 300 entries are exactly those",
            ["whether the log has more than 300 entries"],
        ),
        (
            flip("checkpoint.266", 9),
            ("invalid_signature", None, None, "checkpoint.266"),
            "each of 4 signed checkpoints continues the one before",
            [],
        ),
        (
            flip("books/balances.jsonl", 400),
            ("malformed_claim", None, None, "books/balances.jsonl"),
            "283 journals are numbered without a gap",
            ["what the system claims from there on"],
        ),
        (
            drop(CHART),
            ("attachment_missing", 1, None, CHART),
            "283 journals are numbered without a gap",
            ["whether lines stand on accounts of chart"],
        ),
    ],
)
def test_verify_of_an_export_with_one_damaged_file_names_that_file_and_nothing_else(
    directory: Path,
    change: Change,
    wrong: tuple[str, int | None, int | None, str],
    proven: str,
    not_checked: list[str],
) -> None:
    """One failure, with leaf and journal; the rest stays proven, what it takes away is listed."""
    change(directory)
    verdict = verify(directory, [VKEY])

    assert [wrong] == [(f.code, f.leaf, f.journal, f.path) for f in verdict.failures]
    assert any(proven in text for text in verdict.proven), verdict.proven
    for sentence in not_checked:
        assert any(sentence in text for text in verdict.not_checked), verdict.not_checked


def test_verify_of_a_damaged_bundle_reads_well_in_eighty_columns(directory: Path) -> None:
    """What an inspector sees of one changed byte, word for word."""
    flip("tile/entries/000", 100_000)(directory)
    text = verify(directory, [VKEY]).to_text(80)
    root = text.splitlines()[1]

    assert (
        text
        == f"""\
LOG rkud/36, 300 entries
{root}

PROVEN
  - the other 299 of the 300 entries are exactly those that the log's key signed
  - each of 5 signed checkpoints continues the one before: nothing was changed,
    inserted or removed between them
  - each of 282 journals that could be read balances per entity and book

NOT CHECKED
  - what 1 entry said: the bytes here are not those that were signed
  - whether somebody else was shown another log, or a longer one: no witness has
    signed; compare with a checkpoint kept elsewhere (--checkpoint)
  - what the system claims its balances and counters are: not all that they
    follow from could be read (4 differ from what the rest gives)
  - what 1 entry booked: balances, numbers and references are those of the
    others
  - 286 private values (names, descriptions): none was disclosed; 0 of them were
    erased

WRONG
  - leaf 190, journal 174, tile/entries/000: entry 190 (journal.posted,
    reference J-173) does not hash to its place in the tree: it was changed
    after it was recorded

VERDICT: NOT TO BE RELIED ON, 1 thing is wrong
"""
    )


def test_verify_without_a_bundle_and_its_hashes_says_which_roots_it_could_not_compute(
    directory: Path,
) -> None:
    """Nothing stands in for entries of which nothing is left; what came before stays proven."""
    drop("tile/entries/001.p/44")(directory)
    drop("tile/0/001.p/44")(directory)
    verdict = verify(directory, [VKEY])

    assert ["file_missing", "file_missing"] == [f.code for f in verdict.failures]
    assert any(
        "the roots of 3 checkpoints from 266 entries on: 44 entries are here neither as bytes nor as"
        " hashes" in text
        for text in verdict.not_checked
    )
    assert not any("signed checkpoints continues" in text for text in verdict.proven)


def test_verify_of_a_bundle_and_its_hashes_changed_alike_names_the_bundle_by_the_tile_above(
    directory: Path,
) -> None:
    """Entry and hash tile agree with each other; the tile above and the root say they were changed."""
    name = directory / "tile/entries/000"
    entries = decode_bundle(name.read_bytes(), 256)
    entries[190] = entries[190].replace(b'"1000.00"', b'"1900.00"').replace(b"-1000", b"-1900")
    name.write_bytes(encode_bundle(entries))
    (directory / "tile/0/000").write_bytes(b"".join(map(leaf_hash, entries)))
    verdict = verify(directory, [VKEY])
    roots = [f for f in verdict.failures if f.code == "root_differs"]

    assert ["checkpoint.266"] == [f.path for f in roots]
    assert "one of entries 100 to 255 was changed" in roots[0].message
    assert "the roots of 2 later checkpoints: they cover what was changed" in verdict.not_checked
    assert "tile_changed" not in {f.code for f in verdict.failures}


def test_verify_of_unreadable_journals_accuses_nobody_of_the_gap_in_numbers(
    directory: Path,
) -> None:
    """Journals missing with their bundle explain the numbers that are missing, and no more."""
    cut("tile/entries/000", 60_000)(directory)
    verdict = verify(directory, [VKEY])

    assert ["malformed_tile"] == [f.code for f in verdict.failures]
    # All that is missing are journals, as their numbers show: settings and people are known.
    assert not any("may follow" in text for text in verdict.not_checked)


def test_verdict_keeps_some_failures_of_every_kind_and_counts_the_rest() -> None:
    """A flood of one kind does not hide another kind."""
    verdict = Verdict()
    for number in range(60):
        verdict.fail(Failure("journal_number", f"journal {number}", number))
    verdict.fail(Failure("root_differs", "the root differs"))
    text = verdict.to_text()

    assert (51, 61) == (len(verdict.failures), verdict.failure_count)
    assert "  - ... and 10 more of the kind journal_number\n" in text
    assert "  - the root differs\n" in text
    assert {"journal_number": 60, "root_differs": 1} == verdict.to_dict()["failures_by_code"]
