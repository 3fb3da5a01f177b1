"""Offline verification of sealed periods: the digest of a seal follows from the journals before it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api.engine import make_engine, reading
from audit.canonical import canonical
from audit.export import export
from audit.tiles import ENTRIES, decode_bundle, level_tiles
from audit.verify import verify
from ledger.book_export import BookExport
from ledger.periods import SealPeriod
from tests.audit.logs import VKEY, new_signer, sealed
from tests.audit.test_verify import Log
from tests.builders import CASH, EXPENSE, GOVERNMENT, answer, journal, line, post, run
from tests.databases import Database
from tests.ledger.people import appoint, one


def exported(database: Database, folder: Path) -> Log:
    """Two sealed months with journals, an empty one, an open one with a journal."""
    engine = make_engine(database.url)
    appoint(engine, "acc-1", "accountant")
    feeds = [
        journal("J-1", effective_on="2026-01-05"),
        journal("J-2", effective_on="2026-01-31"),
        journal(
            "J-3",
            effective_on="2026-01-31",
            lines=[
                line(EXPENSE, debit="7.00", fund_source="1.1.01"),
                line(EXPENSE, debit="0.05", fund_source="é"),
                line(CASH, credit="7.05"),
            ],
        ),
        journal("J-4", effective_on="2026-02-01"),
        journal("J-5", effective_on="2026-11-01"),
    ]
    for result in run(engine, *post(*feeds)):
        answer(result)
    for period in (1, 2, 3):
        answer(one(engine, SealPeriod("acc-1", 2026, period)))
    size = sealed(engine, new_signer(folder / "keys")).size
    with reading(engine) as conn:
        export(conn, folder / "out", GOVERNMENT, vkeys=[VKEY], books=BookExport())
    engine.dispose()
    entries: list[bytes] = []
    for tile in level_tiles(ENTRIES, size):
        entries += decode_bundle((folder / "out" / tile.path).read_bytes(), tile.width)
    return Log(folder / "out", entries)


def leaf_of(log: Log, act: str, **members: Any) -> int:
    """Index of the first leaf of this act with these members."""
    for index, entry in enumerate(log.entries):
        leaf = json.loads(entry)
        if leaf["act"] == act and all(leaf["data"].get(n) == v for n, v in members.items()):
            return index
    raise LookupError(act, members)


def test_verify_of_sealed_periods_derives_their_digests_from_the_journals(
    opened: Database, tmp_path: Path
) -> None:
    """Rows, digest and totals of each seal come out of the leaves alone, on both engines."""
    log = exported(opened, tmp_path)
    verdict = verify(log.directory, [VKEY])

    assert [] == verdict.failures
    assert (
        "3 sealed periods hold the sums of the journals before the seal, and no journal came after it"
        in verdict.proven
    )


@pytest.mark.parametrize(
    ("member", "value"),
    [("rows", 9), ("sha256", "0" * 64), ("debit", "1.00"), ("credit", "1.00")],
)
def test_verify_of_a_seal_that_says_something_else_names_its_leaf(
    opened_sqlite: Database, tmp_path: Path, member: str, value: object
) -> None:
    """A forged seal, signed with the log's own key, is held against the journals before it."""
    log = exported(opened_sqlite, tmp_path)
    index = leaf_of(log, "period.sealed", period=1)
    log.change(index, **{member: value})
    log.rewrite()
    verdict = verify(log.directory, [VKEY])

    assert [("seal_differs", index)] == [(f.code, f.leaf) for f in verdict.failures]
    assert f"period 1 of 2026 was sealed with {member} {value}" in verdict.failures[0].message


def test_verify_of_a_journal_changed_under_its_seal_names_the_seal(
    opened_sqlite: Database, tmp_path: Path
) -> None:
    """A journal and the claims changed alike would pass but for the seal."""
    log = exported(opened_sqlite, tmp_path)
    index = leaf_of(log, "journal.posted", reference="J-2")
    log.entries[index] = log.entries[index].replace(b"1000.00", b"1900.00")
    log.rewrite()
    (log.directory / "books/balances.jsonl").unlink()
    verdict = verify(log.directory, [VKEY])
    seal = leaf_of(log, "period.sealed", period=1)

    assert [("seal_differs", seal)] == [(f.code, f.leaf) for f in verdict.failures]


def test_verify_of_a_journal_behind_its_seal_names_the_journal(
    opened_sqlite: Database, tmp_path: Path
) -> None:
    """What is posted to a period that was sealed before is wrong, quick form or not."""
    log = exported(opened_sqlite, tmp_path)
    last = json.loads(log.entries[-1])
    for number in range(1, 6):
        leaf = json.loads(log.entries[leaf_of(log, "journal.posted", reference="J-1")])
        leaf |= {"at": last["at"], "batch": last["batch"]}
        leaf["data"] |= {"journal": 6 + number, "reference": f"LATE-{number}"}
        log.entries.append(canonical(leaf))
    log.rewrite()
    verdict = verify(log.directory, [VKEY])
    late = [f.journal for f in verdict.failures if f.code == "period_sealed"]

    assert [7, 8, 9, 10, 11] == late


def test_verify_of_a_seal_over_a_journal_that_cannot_be_read_accuses_nobody(
    opened_sqlite: Database, tmp_path: Path
) -> None:
    """A digest can't be derived from what is not there: it is listed as not judged."""
    log = exported(opened_sqlite, tmp_path)
    index = leaf_of(log, "journal.posted", reference="J-2")
    (path,) = [p for p in (log.directory / "tile/entries").rglob("*") if p.is_file()]
    path.write_bytes(path.read_bytes().replace(b'"J-2"', b'"J-9"'))
    verdict = verify(log.directory, [VKEY])

    assert [("entry_changed", index)] == [(f.code, f.leaf) for f in verdict.failures]
    assert any("seal_differs: period 1" in text for text in verdict.not_checked)
