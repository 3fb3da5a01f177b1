"""
Read what a batch touches of cash, budget lines and released funds, and write what it changed.

An *ask* says what to read, so that several can share a round trip; *take* puts the answer into the
`ledger.position.Position`. Counters are written as net changes, set-based, once a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Connection

from audit import bulk
from ledger import tables as t
from ledger.position import BalanceKey, Bucket, BudgetLine, Cash, Position

__all__ = ["ask_cash", "ask_lines", "open_position", "take_cash", "take_lines", "write_position"]

_BALANCE_KEY: Final = tuple(t.account_balance.c.keys()[:8])
_CASH_COUNTERS: Final = ("balance_sen", "committed_sen", "floor_sen")
_DAY_KEY: Final = tuple(t.account_day.c.keys()[:10])
_LINE_FACTS: Final = (
    "bucket_id",
    "skpd",
    "account",
    "fund_source",
    "fiscal_year",
    "ceiling_sen",
    "reserved_sen",
    "spent_sen",
    "allowance_sen",
)


def open_position(conn: Connection, government: str) -> Position:
    """A position that knows nothing yet and reads what it is asked for."""

    def load_cash(keys: Iterable[BalanceKey]) -> None:
        ask = ask_cash(government, position, keys)
        take_cash(position, ask, bulk.read_all(conn, [ask])[0])

    def load_lines(ids: Iterable[str]) -> None:
        ask = ask_lines(government, position, ids)
        take_lines(conn, position, ask, bulk.read_all(conn, [ask])[0])

    position = Position(load_cash, load_lines)
    return position


def ask_cash(government: str, position: Position, keys: Iterable[BalanceKey]) -> bulk.Ask:
    wanted = [key for key in dict.fromkeys(keys) if key not in position.cash]
    rows: list[bulk.Row] = [(government, *key) for key in wanted]
    return bulk.Ask(t.account_balance, _BALANCE_KEY, _CASH_COUNTERS, rows)


def take_cash(position: Position, ask: bulk.Ask, found: Iterable[bulk.Row]) -> None:
    for row in ask.keys:
        position.cash[row[1:]] = Cash()  # type: ignore[index]  # seven texts
    for row in found:
        balance, committed, floor = (int(value or 0) for value in row[8:])
        position.cash[row[1:8]] = Cash(balance, committed, floor, stored=True)  # type: ignore[index]  # seven texts


def ask_lines(government: str, position: Position, ids: Iterable[str]) -> bulk.Ask:
    wanted = [line_id for line_id in dict.fromkeys(ids) if line_id not in position.lines]
    rows: list[bulk.Row] = [(government, line_id) for line_id in wanted]
    return bulk.Ask(t.budget_line, ("government", "id"), _LINE_FACTS, rows)


def take_lines(
    conn: Connection, position: Position, ask: bulk.Ask, found: Sequence[bulk.Row]
) -> None:
    fresh = {(row[0], row[2]) for row in found if str(row[2]) not in position.buckets}
    buckets = bulk.read_rows(
        conn,
        t.release_bucket,
        ("government", "id"),
        ("released_sen", "reserved_sen", "spent_sen", "allowance_sen"),
        sorted(fresh),
    )
    for row in buckets:
        released, reserved, spent, allowance = (int(value or 0) for value in row[2:])
        position.buckets[str(row[1])] = Bucket(str(row[1]), released, reserved, spent, allowance)
    for _, line_id in ask.keys:
        position.lines[str(line_id)] = None
    for row in found:
        _, line_id, bucket, skpd, account, fund_source = (str(value) for value in row[:6])
        year, ceiling, reserved, spent, allowance = (int(value or 0) for value in row[6:])
        position.lines[line_id] = BudgetLine(
            line_id,
            year,
            skpd,
            account,
            fund_source,
            position.buckets[bucket],
            ceiling,
            reserved,
            spent,
            allowance,
        )


def write_position(conn: Connection, government: str, position: Position) -> None:
    """Write what moved, in the caller's transaction."""
    fresh: list[bulk.Row] = []
    moved: list[bulk.Row] = []
    for key, cash in position.cash.items():
        change = (cash.moved_balance, cash.moved_committed, cash.moved_floor)
        if any(change):
            (moved if cash.stored else fresh).append((government, *key, *change))
    bulk.insert_rows(conn, t.account_balance, (*_BALANCE_KEY, *_CASH_COUNTERS), fresh)
    bulk.add_to_rows(conn, t.account_balance, _BALANCE_KEY, _CASH_COUNTERS, moved)
    bulk.upsert_rows(
        conn,
        t.account_balance,
        _BALANCE_KEY,
        ("balance_sen",),
        # In the order of the key: neighbours share a page of table and index.
        sorted((government, *key, sen) for key, sen in position.balances.items()),
    )
    bulk.upsert_rows(
        conn,
        t.account_day,
        _DAY_KEY,
        ("debit_sen", "credit_sen"),
        sorted((government, *key, *sums) for key, sums in position.days.items() if any(sums)),
    )
    _write_budget(conn, government, position)


def _write_budget(conn: Connection, government: str, position: Position) -> None:
    counters = ("reserved_sen", "spent_sen", "allowance_sen")
    for table, known in (
        (t.release_bucket, position.buckets.values()),
        (t.budget_line, [line for line in position.lines.values() if line is not None]),
    ):
        rows: list[bulk.Row] = [
            (government, c.id, c.moved_reserved, c.moved_spent, c.moved_allowance)
            for c in known
            if c.moved_reserved or c.moved_spent or c.moved_allowance
        ]
        bulk.add_to_rows(conn, table, ("government", "id"), counters, rows)
    bulk.upsert_rows(
        conn,
        t.budget_day,
        ("government", "budget_line", "kind", "day"),
        ("spent_sen",),
        [(government, *key, sen) for key, sen in position.budget_days.items()],
    )
