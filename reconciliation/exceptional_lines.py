"""
Lines that a person should look at, beside the proof: told of and not booked, or booked in the past.

Shell, read only. A provisional line awaits the end-of-day statement of its day, is confirmed by a line
of it, or is an exception: once the bank has closed the day without it, that has a name and, where the
statement has something like it, that line as evidence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import Connection, and_, exists, func, or_, select

from reconciliation import tables as t
from reconciliation.known import is_gone

__all__ = ["STATES", "BackDated", "Provisional", "State", "back_dated_lines", "provisional_lines"]

State = Literal[
    "awaiting", "confirmed", "amount_differs", "day_differs", "text_differs", "not_booked"
]

#: What a provisional line may be, and what that means.
STATES: Final[dict[str, str]] = {
    "awaiting": "the bank has not closed its day yet: awaiting the end-of-day statement",
    "confirmed": "a line of the end-of-day statement confirms it",
    "amount_differs": "its day is closed; a line has its reference with another amount",
    "day_differs": "its day is closed; a line has its reference and amount on another day",
    "text_differs": "its day is closed; a line has its amount with another reference or text",
    "not_booked": "its day is closed, and no line is like it",
}


class Provisional(NamedTuple):
    """
    A provisional line and what became of it. *line* is the bank line that confirms or contradicts it.

    delivery, position: where it was told of first.
    """

    id: int
    bank_account: str
    delivery: int
    kind: str
    position: int
    booked_on: str
    occurrence: int
    amount_sen: int
    bank_reference: str
    reference: str
    narrative_c: str
    state: State
    line: int


class BackDated(NamedTuple):
    """A line booked on a day that an earlier statement had closed already."""

    line: int
    bank_account: str
    statement: int
    position: int
    booked_on: str
    amount_sen: int
    closed_on: str


def provisional_lines(
    conn: Connection,
    government: str,
    *,
    bank_account: str = "",
    is_confirmed: bool | None = None,
    after: int = 0,
    limit: int | None = 100,
) -> list[Provisional]:
    """
    Provisional lines by id, from the one after id *after*.

    is_confirmed: only those that a booked line confirms, or only the others.
    """
    line, booked, delivery = t.provisional_line.c, t.provisional_booked.c, t.delivery.c
    gone = t.bank_line_gone.c
    query = (
        select(
            line.id,
            line.bank_account,
            line.delivery_id.label("delivery"),
            delivery.kind,
            line.position,
            line.booked_on,
            line.occurrence,
            line.amount_sen,
            line.bank_reference,
            line.reference,
            line.narrative_c,
            func.coalesce(booked.line_id, 0).label("line"),
        )
        .join(
            t.delivery,
            and_(delivery.government == line.government, delivery.id == line.delivery_id),
        )
        .outerjoin(
            t.provisional_booked,
            and_(
                booked.government == line.government,
                booked.provisional_id == line.id,
                ~exists().where(
                    gone.government == booked.government, gone.line_id == booked.line_id
                ),
            ),
        )
        .where(line.government == government, line.id > after)
        .order_by(line.id)
        .limit(limit)
    )
    if bank_account:
        query = query.where(line.bank_account == bank_account)
    if is_confirmed is not None:
        query = query.where(
            booked.line_id.is_not(None) if is_confirmed else booked.line_id.is_(None)
        )
    rows = conn.execute(query).all()
    waiting = [row for row in rows if not row.line]
    closed = _closed_days(conn, government, {row.bank_account for row in waiting})
    late = [row for row in waiting if row.booked_on <= closed.get(row.bank_account, "")]
    evidence: dict[int, tuple[State, int]] = {}
    for start in range(0, len(late), 500):
        evidence |= _evidence(conn, government, late[start : start + 500])
    found = []
    for row in rows:
        state: State = "confirmed" if row.line else "awaiting"
        state, other = evidence.get(row.id, (state, row.line))
        told = {**row._mapping, "state": state, "line": other}
        found.append(Provisional(**told))
    return found


def back_dated_lines(
    conn: Connection,
    government: str,
    *,
    bank_account: str = "",
    after: int = 0,
    limit: int | None = None,
) -> list[BackDated]:
    """
    Lines that stand, of a statement that closed later, booked on a day closed before it, by id.

    They are lines of the statement that they appear in; the past is as it was proven.
    """
    line, statement = t.bank_line.c, t.statement.c
    before = t.statement.alias("before")
    again = t.reissue.c
    query = (
        select(
            line.id,
            line.bank_account,
            line.statement_id,
            line.position,
            line.booked_on,
            line.amount_sen,
            before.c.closing_on,
        )
        .join(
            t.statement,
            and_(statement.government == line.government, statement.id == line.statement_id),
        )
        .join(
            before,
            and_(
                before.c.government == statement.government,
                before.c.bank_account == statement.bank_account,
                before.c.chain_n == statement.chain_n - 1,
                before.c.chain_n > 0,
                # All that ever had a place closed on the same day; the first one stands for them.
                ~exists().where(
                    again.government == before.c.government, again.statement_id == before.c.id
                ),
            ),
        )
        .where(
            line.government == government,
            line.booked_on <= before.c.closing_on,
            before.c.closing_on < statement.closing_on,
            ~is_gone(),
            line.id > after,
        )
        .order_by(line.id)
        .limit(limit)
    )
    if bank_account:
        query = query.where(line.bank_account == bank_account)
    return [BackDated(*row) for row in conn.execute(query)]


def _closed_days(conn: Connection, government: str, accounts: Iterable[str]) -> dict[str, str]:
    statement = t.statement.c
    rows = conn.execute(
        select(statement.bank_account, func.max(statement.closing_on))
        .where(
            statement.government == government,
            statement.bank_account.in_(sorted(accounts)),
            statement.chain_n > 0,
        )
        .group_by(statement.bank_account)
    )
    return {account: str(day) for account, day in rows}


def _evidence(
    conn: Connection, government: str, rows: Sequence[Any]
) -> dict[int, tuple[State, int]]:
    """By provisional line, why no statement has it: the line that comes nearest, of those free."""
    line, booked = t.bank_line.c, t.provisional_booked.c
    references = {row.bank_reference for row in rows if row.bank_reference}
    found = conn.execute(
        select(
            line.id,
            line.bank_account,
            line.booked_on,
            line.amount_sen,
            line.bank_reference,
            line.reference,
        )
        .where(
            line.government == government,
            line.bank_account.in_({row.bank_account for row in rows}),
            or_(
                line.booked_on.in_({row.booked_on for row in rows}),
                line.bank_reference.in_(references),
            ),
            ~exists().where(booked.government == line.government, booked.line_id == line.id),
            ~is_gone(),
        )
        .order_by(line.id)
    ).all()
    by: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for each in found:
        account, day = each.bank_account, each.booked_on
        by["amount", account, day, each.amount_sen].append(each)
        if each.reference:
            by["ours", account, day, each.reference].append(each)
        if each.bank_reference:
            by["theirs", account, each.bank_reference].append(each)
    return {row.id: _nearest(row, by) for row in rows}


def _nearest(row: Any, by: Mapping[tuple[Any, ...], list[Any]]) -> tuple[State, int]:
    account, day = row.bank_account, row.booked_on
    for each in (
        *by.get(("theirs", account, row.bank_reference), ()),
        *by.get(("ours", account, day, row.reference), ()),
    ):
        if each.amount_sen != row.amount_sen:
            return "amount_differs", each.id
        if each.booked_on != day:
            return "day_differs", each.id
    for each in by.get(("amount", account, day, row.amount_sen), ()):
        return "text_differs", each.id
    return "not_booked", 0
