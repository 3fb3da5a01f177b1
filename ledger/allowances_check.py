"""
Allowances against the acts that set them (D8).

A budget line's or a release's allowance is what the last `allowance.set` said, widened since by facts
of the bank on it. Where no fact stands on a line, its allowance must be exactly what was set. Cash
floors that are not zero are listed by `check_balances`; the opening is a fact on every account.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from ledger.findings import Finding
from ledger.money import parse_sen
from ledger.rederive import read_leaves

__all__ = ["check_allowances"]

# Lines and releases with the facts that stand on them. A fact's journal has the source `bank`.
_LINES = """
SELECT b.id, b.bucket_id, b.allowance_sen, (SELECT count(*) FROM journal_line l
    JOIN journal j ON j.government = l.government AND j.id = l.journal_id
    WHERE l.government = b.government AND l.budget_line = b.id AND j.source = 'bank') AS facts
FROM budget_line b WHERE b.government = :government AND (b.allowance_sen <> 0 OR b.id IN
  (SELECT budget_line FROM journal_line WHERE government = :government AND budget_line <> '')) ORDER BY b.id"""
_BUCKETS = "SELECT id, allowance_sen FROM release_bucket WHERE government = :government ORDER BY id"


def check_allowances(conn: Connection, government: str) -> Iterator[Finding]:
    """Every allowance follows from acts, or a fact explains it."""
    due: dict[tuple[str, str], int] = {}
    for leaf in read_leaves(conn, government, ("allowance.set",)):
        if isinstance(leaf, Finding):
            yield leaf
            continue
        due[leaf.data["target"], leaf.data["id"]] = parse_sen(leaf.data["amount"])
    values = {"government": government}
    with_facts: set[str] = set()
    for row in conn.execute(text(_LINES), values):
        if row.facts:
            with_facts.add(row.bucket_id)
        yield from _compare("budget_line", row, due, has_facts=bool(row.facts))
    for row in conn.execute(text(_BUCKETS), values):
        yield from _compare("release_bucket", row, due, has_facts=row.id in with_facts)


def _compare(
    table: str, row: object, due: dict[tuple[str, str], int], *, has_facts: bool
) -> Iterator[Finding]:
    have, key = row.allowance_sen, row.id  # type: ignore[attr-defined]  # a row
    want = due.get((table, key), 0)
    if have == want or (has_facts and have > want):
        return
    yield Finding(
        "allowance_differs",
        f"{table} {key} carries an allowance of {have} sen, the acts set {want}",
        table,
        key,
        "allowance_sen",
    )
