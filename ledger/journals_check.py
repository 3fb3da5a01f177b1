"""
Re-derive journals and balances: every column of a posted row from its leaf, every sum from the lines.

Journals and leaves are walked side by side in the caller's snapshot, in one pass with flat memory;
sums are compared by the database, which names only what differs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, select, text

from audit.canonical import canonical_fast
from audit.database import log_edge, log_leaf
from ledger import tables as t
from ledger.findings import Finding
from ledger.journals import Line, line_form

__all__ = ["check_balances", "check_journals"]

_STREAM = {"yield_per": 2_000}

# Columns of `journal` and the member of its leaf's data that holds the same.
_SAME = {
    "reference": "reference",
    "kind": "kind",
    "source": "source",
    "fiscal_year": "fiscal_year",
    "period": "period",
    "effective_on": "effective_on",
    "document_id": "document_id",
    "document_no": "document_no",
    "batch_no": "batch_no",
    "reverses": "reverses",
    "maker": "maker",
    "description_c": "description",
    "payee_name_c": "payee_name",
    "line_count": "line_count",
}


def check_journals(conn: Connection, government: str) -> Iterator[Finding]:
    """Journals and their lines against their leaves, both ways; ids gapless; each one balanced."""
    leaves = _leaves(conn, government)
    lines = _lines(conn, government)
    group = next(lines, None)
    leaf = next(leaves, None)
    jumps = _jumps(conn, government)
    expected = 1
    for row in _journals(conn, government):
        while group is not None and group[0] < row.id:
            yield _orphan(group[0])
            group = next(lines, None)
        expected = jumps.get(expected, expected)
        if row.id != expected:
            yield Finding(
                "journal_missing", f"journal {expected} is missing", "journal", str(expected)
            )
        expected = row.id + 1
        while leaf is not None and leaf[0] < row.id:
            yield _lost(leaf)
            leaf = next(leaves, None)
        own = group[1] if group is not None and group[0] == row.id else []
        if own:
            group = next(lines, None)
        if leaf is None or leaf[0] != row.id:
            yield Finding(
                "journal_without_leaf",
                f"journal {row.id} ({row.reference}) is in no leaf of the log",
                "journal",
                str(row.id),
            )
            continue
        yield from _compare(row, own, leaf)
        leaf = next(leaves, None)
    while leaf is not None:
        yield _lost(leaf)
        leaf = next(leaves, None)
    while group is not None:
        yield _orphan(group[0])
        group = next(lines, None)
    yield from _check_count(conn, government, jumps.get(expected, expected) - 1)


def _jumps(conn: Connection, government: str) -> dict[int, int]:
    """Numbers that were skipped when the log went on as a new shard: first one left out -> next one."""
    found = conn.execute(
        select(log_leaf.c.body).where(
            log_leaf.c.government == government, log_leaf.c.kind == "book.recovered"
        )
    )
    jumps: dict[int, int] = {}
    for (body,) in found:
        try:
            first, then = json.loads(bytes(body))["data"]["journals"]
            jumps[int(first)] = int(then)
        except (ValueError, KeyError, TypeError):
            continue  # check_log names a leaf that can't be read
    return jumps


def _check_count(conn: Connection, government: str, last: int) -> Iterator[Finding]:
    """The edge counts the journals."""
    count = conn.execute(
        select(log_edge.c.journal_count).where(log_edge.c.government == government)
    ).scalar()
    if count is not None and count != last:
        yield Finding(
            "edge_changed",
            f"the edge counts {count} journals, the last one is {last}",
            "log_edge",
            government,
            "journal_count",
        )


_Leaf = tuple[int, int, Mapping[str, Any]]


def _leaves(conn: Connection, government: str) -> Iterator[_Leaf]:
    """(journal id, leaf index, the act) of each posted journal in the log."""
    rows = conn.execute(
        select(log_leaf.c.idx, log_leaf.c.body)
        .where(log_leaf.c.government == government, log_leaf.c.kind == "journal.posted")
        .order_by(log_leaf.c.idx),
        execution_options=_STREAM,
    )
    for row in rows:
        try:
            act = json.loads(bytes(row.body))
            yield int(act["data"]["journal"]), row.idx, act
        except (ValueError, KeyError, TypeError):
            continue  # check_log names a leaf that can't be read; its journal is then without one


def _journals(conn: Connection, government: str) -> Iterator[Any]:
    return iter(
        conn.execute(
            select(t.journal).where(t.journal.c.government == government).order_by(t.journal.c.id),
            execution_options=_STREAM,
        )
    )


def _lines(conn: Connection, government: str) -> Iterator[tuple[int, list[Any]]]:
    line = t.journal_line.c
    rows = conn.execute(
        select(t.journal_line)
        .where(line.government == government)
        .order_by(line.journal_id, line.n),
        execution_options=_STREAM,
    )
    for journal_id, own in groupby(rows, key=attrgetter("journal_id")):
        yield journal_id, list(own)


def _compare(row: Any, lines: list[Any], leaf: _Leaf) -> Iterator[Finding]:
    _, index, act = leaf
    data = act["data"]
    named = f"journal {row.id} ({row.reference})"
    said: dict[str, object] = {column: data.get(member) for column, member in _SAME.items()}
    said |= {"poster": act.get("by"), "batch_seq": act.get("batch"), "leaf_index": index}
    for column, want in said.items():
        have = getattr(row, column)
        if want != have:
            yield Finding(
                "journal_changed",
                f"{named} has {column} {have!r}, leaf {index} says {want!r}",
                "journal",
                str(row.id),
                column,
            )
    forms = [
        line_form(
            Line(
                line.entity,
                line.book,
                line.account,
                line.amount_sen,
                line.bank_account,
                line.counterpart,
                line.fund_source,
                line.budget_line,
                line.payment_reference,
            )
        )
        for line in lines
    ]
    yield from _check_numbers(named, row, lines, data.get("line_count"), index)
    if "lines" in data:
        yield from _compare_forms(named, row, lines, forms, data["lines"], index)
    elif hashlib.sha256(canonical_fast(forms)).hexdigest() != data.get("lines_sha256"):
        yield Finding(
            "line_changed",
            f"the lines of {named} do not hash to what leaf {index} says",
            "journal_line",
            str(row.id),
        )
    for line in lines:
        for column, want in (
            ("fiscal_year", data.get("fiscal_year")),
            ("period", data.get("period")),
            ("effective_on", data.get("effective_on")),
            ("batch_seq", act.get("batch")),
        ):
            if getattr(line, column) != want:
                yield Finding(
                    "line_changed",
                    f"line {line.n} of {named} has {column} {getattr(line, column)!r}, leaf"
                    f" {index} says {want!r}",
                    "journal_line",
                    f"{row.id}/{line.n}",
                    column,
                )
    yield from _balanced(named, row, lines)


_LINE_COLUMNS = (
    "entity",
    "book",
    "account",
    "amount_sen",
    "bank_account",
    "counterpart",
    "fund_source",
    "budget_line",
    "payment_reference",
)


def _check_numbers(
    named: str, row: Any, lines: list[Any], count: object, index: int
) -> Iterator[Finding]:
    """Lines are numbered from 1 to as many as the leaf says."""
    have = {line.n for line in lines}
    want = set(range(1, count + 1)) if isinstance(count, int) else have
    for n in sorted(have ^ want):
        lost = n in want
        yield Finding(
            "line_missing" if lost else "line_unknown",
            f"line {n} of {named} is {'missing' if lost else 'none'} of the {count} that leaf"
            f" {index} says",
            "journal_line",
            f"{row.id}/{n}",
            "n",
        )


def _compare_forms(
    named: str, row: Any, lines: list[Any], have: list[list[str]], want: list[list[str]], index: int
) -> Iterator[Finding]:
    width = len(_LINE_COLUMNS)
    for line, mine in zip(lines, have, strict=True):
        said = want[line.n - 1] if 0 < line.n <= len(want) else mine
        if mine == said:
            continue
        padded = [*mine, *[""] * (width - len(mine))], [*said, *[""] * (width - len(said))]
        for column, one, other in zip(_LINE_COLUMNS, *padded, strict=False):
            if one != other:
                yield Finding(
                    "line_changed",
                    f"line {line.n} of {named} has {column} {one}, leaf {index} says {other}",
                    "journal_line",
                    f"{row.id}/{line.n}",
                    column,
                )


def _balanced(named: str, row: Any, lines: list[Any]) -> Iterator[Finding]:
    sums: dict[tuple[str, str], int] = {}
    for line in lines:
        key = (line.entity, line.book)
        sums[key] = sums.get(key, 0) + line.amount_sen
    for (entity, book), rest in sums.items():
        if rest:
            yield Finding(
                "unbalanced_journal",
                f"{named} leaves {rest} sen in entity {entity}, book {book}",
                "journal_line",
                str(row.id),
                "amount_sen",
            )


def _lost(leaf: _Leaf) -> Finding:
    return Finding(
        "journal_missing",
        f"journal {leaf[0]} of leaf {leaf[1]} ({leaf[2]['data'].get('reference')}) is not in the books",
        "journal",
        str(leaf[0]),
    )


def _orphan(journal_id: int) -> Finding:
    return Finding(
        "line_without_journal",
        f"lines stand under journal {journal_id}, which does not exist",
        "journal_line",
        str(journal_id),
    )


# Stored sums against the lines: rows that differ, either way, and rows that lines should have made
# even where they come to nothing. (Cash that nothing moved on balance has none.) Portable SQL.
_BALANCE_KEYS = "entity, book, account, bank_account, counterpart, fund_source"
_BALANCES = f"""
WITH line_sums AS (
  SELECT f.chart_version, l.entity, l.book, l.account, l.bank_account,
    CASE WHEN l.bank_account <> '' THEN '' ELSE l.counterpart END AS counterpart,
    CASE WHEN l.bank_account <> '' THEN '' ELSE l.fund_source END AS fund_source,
    sum(l.amount_sen) AS sen
  FROM journal_line l JOIN fiscal_year f ON f.government = l.government AND f.year = l.fiscal_year
  WHERE l.government = :government GROUP BY 1, 2, 3, 4, 5, 6, 7),
sides AS (
  SELECT chart_version, {_BALANCE_KEYS}, sen AS lines, NULL AS stored FROM line_sums
  UNION ALL SELECT chart_version, {_BALANCE_KEYS}, NULL, balance_sen FROM account_balance WHERE government = :government)
SELECT chart_version, {_BALANCE_KEYS}, coalesce(sum(lines), 0) AS lines, coalesce(sum(stored), 0) AS stored FROM sides
GROUP BY chart_version, {_BALANCE_KEYS}
HAVING coalesce(sum(lines), 0) <> coalesce(sum(stored), 0) OR (count(lines) > 0 AND count(stored) = 0 AND bank_account = '')
ORDER BY 2, 3, 4, 5, 6, 7"""

_DAYS = f"""
WITH sides AS (
  SELECT {_BALANCE_KEYS}, fiscal_year, period, effective_on AS day,
    CASE WHEN amount_sen > 0 THEN amount_sen ELSE 0 END AS debit,
    CASE WHEN amount_sen < 0 THEN -amount_sen ELSE 0 END AS credit, 0 AS stored_debit, 0 AS stored_credit
  FROM journal_line WHERE government = :government
  UNION ALL SELECT {_BALANCE_KEYS}, fiscal_year, period, day, 0, 0, debit_sen, credit_sen
  FROM account_day WHERE government = :government)
SELECT {_BALANCE_KEYS}, fiscal_year, period, day, sum(debit) AS debit, sum(credit) AS credit,
  sum(stored_debit) AS stored_debit, sum(stored_credit) AS stored_credit FROM sides
GROUP BY {_BALANCE_KEYS}, fiscal_year, period, day
HAVING sum(debit) <> sum(stored_debit) OR sum(credit) <> sum(stored_credit) ORDER BY 1, 2, 3, 4, 5, 6, 9"""

_RECIPROCAL = """
SELECT skpd, sum(sen) AS rest FROM (
  SELECT CASE WHEN account LIKE '1.1.13.%' THEN counterpart ELSE entity END AS skpd, balance_sen AS sen
  FROM account_balance WHERE government = :government AND (account LIKE '1.1.13.%' OR account LIKE '3.1.03.%')) r
GROUP BY skpd HAVING sum(sen) <> 0 ORDER BY skpd"""

_SPENT = """
WITH sides AS (
  SELECT budget_line AS id, amount_sen AS lines, 0 AS stored FROM journal_line
    WHERE government = :government AND budget_line <> ''
  UNION ALL SELECT id, 0, spent_sen FROM budget_line WHERE government = :government)
SELECT id, sum(lines) AS lines, sum(stored) AS stored FROM sides GROUP BY id HAVING sum(lines) <> sum(stored) ORDER BY id"""

_BUCKET_SPENT = """
WITH sides AS (
  SELECT bucket_id AS id, spent_sen AS lines, reserved_sen AS reserved, 0 AS stored, 0 AS stored_reserved
    FROM budget_line WHERE government = :government
  UNION ALL SELECT id, 0, 0, spent_sen, reserved_sen FROM release_bucket WHERE government = :government)
SELECT id, sum(lines) AS lines, sum(stored) AS stored, sum(reserved) AS reserved, sum(stored_reserved) AS stored_reserved
FROM sides GROUP BY id HAVING sum(lines) <> sum(stored) OR sum(reserved) <> sum(stored_reserved) ORDER BY id"""

_BUDGET_DAYS = """
WITH sides AS (
  SELECT l.budget_line AS id, CASE WHEN d.payment_kind <> '' THEN d.payment_kind ELSE j.kind END AS kind,
    l.effective_on AS day, l.amount_sen AS lines, NULL AS stored
  FROM journal_line l JOIN journal j ON j.government = l.government AND j.id = l.journal_id
  LEFT JOIN document d ON d.government = j.government AND d.id = j.document_id
  WHERE l.government = :government AND l.budget_line <> ''
  UNION ALL SELECT budget_line, kind, day, NULL, spent_sen FROM budget_day WHERE government = :government)
SELECT id, kind, day, coalesce(sum(lines), 0) AS lines, coalesce(sum(stored), 0) AS stored FROM sides GROUP BY id, kind, day
HAVING coalesce(sum(lines), 0) <> coalesce(sum(stored), 0) OR (count(lines) > 0 AND count(stored) = 0) ORDER BY id, kind, day"""

_OVER = """
SELECT 'budget_line' AS what, id, ceiling_sen + allowance_sen - reserved_sen - spent_sen AS room, allowance_sen AS allowed
  FROM budget_line WHERE government = :government AND (allowance_sen <> 0 OR reserved_sen + spent_sen > ceiling_sen + allowance_sen)
UNION ALL SELECT 'release_bucket', id, released_sen + allowance_sen - reserved_sen - spent_sen, allowance_sen
  FROM release_bucket WHERE government = :government AND (allowance_sen <> 0 OR reserved_sen + spent_sen > released_sen + allowance_sen)
UNION ALL SELECT 'account_balance', bank_account, balance_sen - committed_sen - floor_sen, -floor_sen
  FROM account_balance WHERE government = :government AND bank_account <> '' AND (floor_sen <> 0 OR balance_sen - committed_sen < floor_sen)"""


def check_balances(conn: Connection, government: str) -> Iterator[Finding]:
    """Balances, day rows, budget counters and reciprocal accounts equal the sums of the lines."""
    values = {"government": government}

    def rows(sql: str) -> Iterator[Any]:
        return iter(conn.execute(text(sql), values))

    for row in rows(_BALANCES):
        key = "/".join(str(part) for part in row[:7])
        yield _sum_finding(
            "balance_differs", "account_balance", key, "balance_sen", row.stored, row.lines
        )
    for row in rows(_DAYS):
        key = "/".join(str(part) for part in row[:9])
        for column, stored, lines in (
            ("debit_sen", row.stored_debit, row.debit),
            ("credit_sen", row.stored_credit, row.credit),
        ):
            if stored != lines:
                yield _sum_finding("day_differs", "account_day", key, column, stored, lines)
    for row in rows(_RECIPROCAL):
        yield Finding(
            "reciprocal_differs",
            f"RK SKPD and RK PPKD of {row.skpd} leave {row.rest} sen",
            "account_balance",
            row.skpd,
        )
    for row in rows(_SPENT):
        yield _sum_finding(
            "spent_differs", "budget_line", row.id, "spent_sen", row.stored, row.lines
        )
    for row in rows(_BUCKET_SPENT):
        for column, stored, lines in (
            ("spent_sen", row.stored, row.lines),
            ("reserved_sen", row.stored_reserved, row.reserved),
        ):
            if stored != lines:
                yield _sum_finding(
                    "release_differs", "release_bucket", row.id, column, stored, lines
                )
    for row in rows(_BUDGET_DAYS):
        yield _sum_finding(
            "budget_day_differs",
            "budget_day",
            f"{row.id}/{row.kind}/{row.day}",
            "spent_sen",
            row.stored,
            row.lines,
        )
    for row in rows(_OVER):
        over = row.room < 0
        yield Finding(
            f"{row.what}_over" if over else f"{row.what}_allowance",
            f"{row.what} {row.id} is {-row.room} sen over its limit"
            if over
            else f"{row.what} {row.id} carries an allowance of {row.allowed} sen",
            row.what,
            row.id,
            severity="error" if over else "note",
        )


def _sum_finding(code: str, table: str, key: str, column: str, stored: int, lines: int) -> Finding:
    return Finding(
        code,
        f"{table} {key} has {column} {stored} sen, its lines sum to {lines}",
        table,
        key,
        column,
    )
