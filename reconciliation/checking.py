"""
What every check of this folder needs: acts by kind, rows in order, and a row against its leaf.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Table, select

from audit.database import log_leaf
from ledger.findings import Finding
from ledger.money import sen_text

__all__ = ["STREAM", "ActFound", "acts_of", "against_leaf", "changed", "compare", "gone", "rows_of"]

#: The index of a leaf and its members.
ActFound = tuple[int, Mapping[str, Any]]
STREAM: Final = {"yield_per": 2_000}


def acts_of(conn: Connection, government: str, kind: str) -> Iterator[ActFound]:
    """Acts of one kind in order, with their index."""
    rows = conn.execute(
        select(log_leaf.c.idx, log_leaf.c.body)
        .where(log_leaf.c.government == government, log_leaf.c.kind == kind)
        .order_by(log_leaf.c.idx),
        execution_options=STREAM,
    )
    for row in rows:
        try:
            act = json.loads(bytes(row.body))
            act["data"]  # a leaf without it is no act of ours
            yield row.idx, act
        except (ValueError, KeyError, TypeError):
            continue  # the check of the log names a leaf that can't be read


def rows_of(conn: Connection, table: Table, government: str, *, order: str = "id") -> Iterator[Any]:
    return iter(
        conn.execute(
            select(table).where(table.c.government == government).order_by(table.c[order])
        ).all()
    )


def against_leaf(
    table: str, row: Any, found: ActFound | None, more: Mapping[str, str], *, key: str
) -> Iterator[Finding]:
    """A row whose leaf has a member of every column's name, amounts as text."""
    if found is None:
        yield Finding(f"{table}_without_leaf", f"{table} {key} is in no leaf", table, key)
        return
    idx, act = found
    want: dict[str, object] = {"batch_seq": act.get("batch"), "leaf_index": idx}
    want |= {column: act.get(member) for column, member in more.items()}
    data = act["data"]
    for column in row._fields:
        if column == "government" or column in want:
            continue
        value = getattr(row, column)
        as_said = sen_text(value) if column.endswith("_sen") and value is not None else value
        if as_said != data.get(column):
            yield changed(table, key, column, as_said, data.get(column))
    yield from compare(table, row, want, key)


def compare(table: str, row: Any, want: Mapping[str, object], key: str) -> Iterator[Finding]:
    for column, value in want.items():
        have = getattr(row, column)
        if have != value:
            yield changed(table, key, column, have, value)


def changed(table: str, key: str, column: str, have: object = None, want: object = None) -> Finding:
    both = "" if have is want else f": it is {have!r}, it should be {want!r}"
    return Finding(
        f"{table}_changed", f"{table} {key} has another {column}{both}", table, key, column
    )


def gone(table: str, key: str) -> Finding:
    return Finding(f"{table}_missing", f"{table} {key} is missing", table, key)
