"""Exporting a log: the files, their bytes, and which directories are refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from api.engine import begin, make_engine, reading
from audit.checkpoints import seal
from audit.database import log_leaf
from audit.disclosure import read_disclosures
from audit.errors import ExportDirectoryError, UnsealedActsError, UntrustedNoteError
from audit.export import Exported, export
from audit.merkle import leaf_hash
from audit.signer import MonotonicSigner
from audit.tiles import entry_bundles, hash_tiles
from audit.tiles_shell import read_tree
from audit.verify import verify
from ledger.book_export import BookExport
from tests.audit.logs import VKEY, log_key, new_signer, post_journals, sealed
from tests.builders import (
    CASH,
    EXPENSE,
    GOVERNMENT,
    NOW,
    answer,
    journal,
    line,
    post,
    run,
    scalar,
)
from tests.databases import Database


@pytest.fixture
def engine(opened: Database) -> Iterator[Engine]:
    """The opened book, on each engine."""
    engine = make_engine(opened.url)
    yield engine
    engine.dispose()


@pytest.fixture
def signer(tmp_path: Path) -> MonotonicSigner:
    """The log's signer, which has signed nothing."""
    return new_signer(tmp_path / "keys")


def exported(engine: Engine, directory: Path, *, disclosures: bool = False) -> Exported:
    """Export everything that is sealed."""
    with reading(engine) as conn:
        return export(
            conn,
            directory,
            GOVERNMENT,
            vkeys=[VKEY],
            books=BookExport(),
            disclosures=disclosures,
        )


def files(directory: Path) -> dict[str, bytes]:
    """Every file below a directory."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_export_is_exactly_the_tiles_bundles_and_checkpoints_of_the_log(
    engine: Engine, signer: MonotonicSigner, tmp_path: Path
) -> None:
    """Nothing is missing, nothing is more, and each byte is what C2SP tlog-tiles says."""
    notes = [sealed(engine, signer)]
    for start, count in ((0, 240), (1000, 30), (2000, 300)):
        post_journals(engine, start, count)
        notes.append(sealed(engine, signer))
    done = exported(engine, tmp_path / "out")
    have = files(tmp_path / "out")
    with reading(engine) as conn:
        rows = conn.execute(select(log_leaf.c.body).order_by(log_leaf.c.idx))
        entries = [bytes(row.body) for row in rows]
    wanted = {tile.path: data for tile, data in hash_tiles(map(leaf_hash, entries))}
    wanted |= {tile.path: data for tile, data in entry_bundles(entries)}
    # Sizes 18 and 258 had partial tiles that are full by now; 288 had one of level 1 only.
    wanted["tile/1/000.p/1"] = wanted["tile/1/000.p/2"][:32]
    wanted |= {f"checkpoint.{note.size}": note.note for note in notes}
    wanted |= {"checkpoint": notes[-1].note, "vkey": f"{VKEY}\n".encode()}
    wanted["policy"] = f"log {VKEY}\nquorum none\n".encode()

    assert wanted == {name: data for name, data in have.items() if not name.startswith("books/")}
    assert (588, 4, True) == (done.size, done.checkpoints, done.root_matches)
    assert 0o600 == (tmp_path / "out/checkpoint").stat().st_mode & 0o777
    assert 0o700 == (tmp_path / "out").stat().st_mode & 0o777


def test_export_verifies_on_its_own_and_claims_the_stored_balances(
    engine: Engine, signer: MonotonicSigner, tmp_path: Path
) -> None:
    """The verifier recomputes every balance from the leaves and finds the same."""
    post_journals(engine, 0, 3)
    sealed(engine, signer)
    done = exported(engine, tmp_path / "out")
    verdict = verify(tmp_path / "out", [VKEY])

    assert [] == verdict.failures
    assert [("137:0000000000", "999997000.00")] == verdict.balances
    assert 4 == verdict.figures["journals"]
    assert done.claims == verdict.figures["balances"] + verdict.figures["days"]


def test_export_again_brings_an_earlier_export_up_to_date(
    engine: Engine, signer: MonotonicSigner, tmp_path: Path
) -> None:
    """The second export equals one into an empty directory, also after an interrupted one."""
    post_journals(engine, 0, 200)
    sealed(engine, signer)
    exported(engine, tmp_path / "out")
    (tmp_path / "out/checkpoint").unlink()
    (tmp_path / "out/tile/0/000.p/218.tmp").write_bytes(b"half")
    post_journals(engine, 1000, 100)
    sealed(engine, signer)
    exported(engine, tmp_path / "out")
    exported(engine, tmp_path / "out")
    exported(engine, tmp_path / "fresh")

    assert files(tmp_path / "fresh") == files(tmp_path / "out")
    assert verify(tmp_path / "out", [VKEY]).ok


def test_export_of_long_journals_carries_their_lines_beside_the_log(
    engine: Engine, signer: MonotonicSigner, tmp_path: Path
) -> None:
    """Lines that did not fit the leaf are found by their hash, and the books are complete with them."""
    lines = [line(EXPENSE, debit=f"{n}.00", fund_source=f"{n:060d}") for n in range(1, 701)]
    lines.append(line(CASH, credit=f"{sum(range(1, 701))}.00"))
    answer(run(engine, *post(journal("LONG", lines=lines)))[0])
    sealed(engine, signer)
    done = exported(engine, tmp_path / "out")
    verdict = verify(tmp_path / "out", [VKEY])

    assert 2 == done.attachments  # the chart and the lines
    assert [] == verdict.failures
    assert [("137:0000000000", "999754650.00")] == verdict.balances


def test_export_discloses_private_values_only_when_asked(
    engine: Engine, signer: MonotonicSigner, tmp_path: Path
) -> None:
    """By default no private text is in any file; with disclosures each one verifies."""
    answer(run(engine, *post(journal("J-1", description="Rahasia", payee_name="Siti")))[0])
    sealed(engine, signer)
    exported(engine, tmp_path / "with", disclosures=True)
    exported(engine, tmp_path / "out", disclosures=True)
    exported(engine, tmp_path / "out")
    with (tmp_path / "with/disclosures.jsonl").open("rb") as file:
        values = {one.value for one in read_disclosures(file)}
    verdict = verify(tmp_path / "with", [VKEY])

    assert {"Rahasia", "Siti"} <= values
    assert not any(
        b"Rahasia" in data or b"Siti" in data for data in files(tmp_path / "out").values()
    )
    assert [] == verdict.failures
    assert verdict.figures["commitments"] == verdict.figures["disclosed"]
    assert any(
        "none was disclosed" in text for text in verify(tmp_path / "out", [VKEY]).not_checked
    )


def test_export_of_unsealed_acts_is_refused_until_their_size_is_sealed(
    engine: Engine, signer: MonotonicSigner, tmp_path: Path
) -> None:
    """While acts go on, the snapshot's own size is sealed from a second connection."""
    sealed(engine, signer)
    post_journals(engine, 0, 2)
    with reading(engine) as snapshot:
        size = read_tree(snapshot, GOVERNMENT).size
        with pytest.raises(UnsealedActsError) as refused:
            export(snapshot, tmp_path / "out", GOVERNMENT, vkeys=[VKEY], books=BookExport())
        post_journals(engine, 10, 3)
        with begin(engine) as conn:
            done = seal(conn, GOVERNMENT, signer, now=NOW, size=size)
        export(
            snapshot,
            tmp_path / "out",
            GOVERNMENT,
            vkeys=[VKEY],
            books=BookExport(),
            sealed=done,
        )
    verdict = verify(tmp_path / "out", [VKEY])

    assert (size - 2, size) == (refused.value.sealed_size, refused.value.size)
    assert [] == verdict.failures
    assert size == verdict.size


def test_export_with_another_key_is_refused_before_a_file_is_written(
    engine: Engine, signer: MonotonicSigner, tmp_path: Path
) -> None:
    """A vkey of another log, or one that never signed this one, is a mistake and said at once."""
    sealed(engine, signer)
    for other in (log_key("rkud/51"), log_key(seed=9)):
        with reading(engine) as conn, pytest.raises(UntrustedNoteError):
            export(conn, tmp_path / "out", GOVERNMENT, vkeys=[other.verifier.vkey])

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "kind", ["stranger", "other log", "longer", "fork", "file", "link", "garbage"]
)
def test_export_over_something_else_is_refused_and_leaves_it_alone(
    engine: Engine, signer: MonotonicSigner, tmp_path: Path, kind: str
) -> None:
    """Only an empty directory, or an earlier export of this very log, is written to."""
    out = tmp_path / "out"
    sealed(engine, signer)
    if kind == "file":
        out.write_text("x")
    elif kind == "link":
        (tmp_path / "real").mkdir()
        out.symlink_to(tmp_path / "real")
    else:
        exported(engine, out)
        if kind == "stranger":
            (out / "thesis.doc").write_text("x")
        elif kind == "other log":
            (out / "vkey").write_text(log_key("rkud/51").verifier.vkey + "\n")
        elif kind == "garbage":
            (out / "checkpoint").write_text("x")
        else:
            fork = new_signer(tmp_path / "fork")
            size = 1000 if kind == "longer" else 18
            (out / "checkpoint").write_bytes(fork.sign(size, bytes(32), []))
    before = files(out) if out.is_dir() else {}
    with pytest.raises(ExportDirectoryError):
        exported(engine, out)

    assert before == (files(out) if out.is_dir() else {})


def test_export_claims_are_canonical_lines_in_order(
    engine: Engine, signer: MonotonicSigner, tmp_path: Path
) -> None:
    """First line, claims, last line with their number."""
    sealed(engine, signer)
    done = exported(engine, tmp_path / "out")
    lines = [
        json.loads(text)
        for text in (tmp_path / "out/books/balances.jsonl").read_text().splitlines()
    ]
    with reading(engine) as conn:
        stored = scalar(conn, "SELECT count(*) FROM account_balance")

    assert {
        "t": "books",
        "version": 1,
        "government": "36",
        "origin": "rkud/36",
        "size": 18,
    } == lines[0]
    assert {"t": "end", "claims": len(lines) - 2} == lines[-1]
    assert done.claims == len(lines) - 2
    assert stored == sum(claim["t"] == "balance" for claim in lines)
