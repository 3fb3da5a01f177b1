"""
The working set: which bank lines and book entries are in no live match, and the keys they have.

Shell. Matching then costs what is open, whatever the history. Everything here can be rebuilt from
`bank_line`, `book_entry` and the matches; the check of the books does so and compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from sqlalchemy import Table

from audit import bulk
from ledger.session import Session
from reconciliation import tables as t
from reconciliation.keys import split_keys

__all__ = ["OpenItem", "Side", "add_open", "key_rows", "remove_open"]

Side = Literal["bank", "book"]


class OpenItem(NamedTuple):
    """A bank line (by id) or a book entry (by id), its day, amount and `keys` column."""

    item: int
    day: str
    amount_sen: int
    keys: str


def add_open(session: Session, bank_account: str, side: Side, items: Sequence[OpenItem]) -> None:
    """Put items into the working set."""
    government = session.government
    bulk.insert_rows(
        session.conn,
        t.open_item,
        tuple(t.open_item.c.keys()),
        [(government, side, each.item, bank_account, each.day, each.amount_sen) for each in items],
    )
    bulk.insert_rows(
        session.conn,
        t.open_key,
        tuple(t.open_key.c.keys()),
        list(key_rows(government, bank_account, side, items)),
    )


def key_rows(
    government: str, bank_account: str, side: Side, items: Iterable[OpenItem]
) -> Iterable[bulk.Row]:
    """Rows of `open_key` for items."""
    for each in items:
        for key, cut in split_keys(each.keys):
            yield (government, bank_account, key, each.amount_sen, side, each.item, cut)


def remove_open(session: Session, side: Side, items: Sequence[int]) -> None:
    """Take items that were matched out of the working set."""
    if not items:
        return
    for table in (t.open_key, t.open_item):
        _delete(session, table, side, items)


def _delete(session: Session, table: Table, side: Side, items: Sequence[int]) -> None:
    conn, government = session.conn, session.government
    if bulk.is_postgresql(conn):
        # By row address, found one item after the other: joined in the usual way a young table is
        # scanned once for every item.
        conn.exec_driver_sql(
            f"DELETE FROM {table.name} WHERE ctid = ANY (ARRAY(SELECT s.ctid"
            " FROM unnest(%s::bigint[]) u(item) CROSS JOIN LATERAL (SELECT t.ctid"
            f" FROM {table.name} t WHERE t.item = u.item AND t.side = %s AND t.government = %s"
            " OFFSET 0) s))",
            ("{" + ",".join(map(str, items)) + "}", side, government),
        )
    else:
        conn.exec_driver_sql(
            f"DELETE FROM {table.name} WHERE government = ? AND side = ? AND item = ?",
            [(government, side, item) for item in items],
        )
