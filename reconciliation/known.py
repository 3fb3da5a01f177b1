"""
What an account is known to have: the tail of its chain, one place of it, the lines told of so far.

Shell, read only. Lines come as `KnownLine`, the value that deliveries are compared with.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, exists, select

from audit.database import private_value
from ledger.session import Session
from reconciliation import tables as t
from reconciliation.admission import ChainEnd, Content, Known, KnownLine, text_of
from reconciliation.errors import NotSupersedableError
from reconciliation.lasting import Place

__all__ = [
    "chain_end",
    "is_gone",
    "is_superseded",
    "known_tail",
    "place_of",
    "provisional_between",
    "unbooked_between",
    "unclaimed_between",
]

_NEXT: Final = t.statement.alias("next_statement")


def is_superseded(statement: Any = t.statement) -> ColumnElement[bool]:
    """Whether the statement of the row has given its place to another."""
    reissue = t.reissue.c
    return exists().where(
        reissue.government == statement.c.government, reissue.supersedes == statement.c.id
    )


def is_gone(line: Any = t.bank_line) -> ColumnElement[bool]:
    """Whether a reissued statement no longer has the bank line of the row."""
    gone = t.bank_line_gone.c
    return exists().where(gone.government == line.c.government, gone.line_id == line.c.id)


def chain_end(session: Session, bank_account: str) -> ChainEnd | None:
    """The last place of the chain. Whatever supersedes has the greater id."""
    column = t.statement.c
    row = session.conn.execute(
        select(column.chain_n, column.closing_sen, column.closing_on)
        .where(
            column.government == session.government,
            column.bank_account == bank_account,
            column.chain_n > 0,
        )
        .order_by(column.chain_n.desc(), column.id.desc())
        .limit(1)
    ).first()
    return None if row is None else ChainEnd(row.chain_n, row.closing_sen, row.closing_on)


def known_tail(
    session: Session, bank_account: str, end: ChainEnd | None, since: str, opening_sen: int
) -> Known:
    """The tail of the chain from the statement that closed on *since* or later."""
    nothing = Known(end.closing_sen if end else 0, (), frozenset())
    if end is None or (since > end.closing_on and opening_sen == end.closing_sen):
        return nothing
    column = t.statement.c
    first = session.conn.execute(
        select(column.chain_n, column.previous_sen)
        .where(
            column.government == session.government,
            column.bank_account == bank_account,
            column.chain_n > 0,
            column.closing_on >= since,
        )
        .order_by(column.chain_n, column.id.desc())
        .limit(1)
    ).first()
    if first is None:
        return nothing
    rows = session.conn.execute(
        _lines(column.chain_n)
        .where(
            t.bank_line.c.government == session.government,
            t.bank_line.c.bank_account == bank_account,
            column.chain_n >= first.chain_n,
            ~is_gone(),
        )
        .order_by(column.chain_n, t.bank_line.c.id)
    ).all()
    starts: set[int] = set()
    before = 0
    for place, row in enumerate(rows):
        if row.chain_n != before:
            starts.add(place)
            before = row.chain_n
    return Known(first.previous_sen, _known_lines(session, rows), frozenset(starts))


def place_of(session: Session, bank_account: str, statement: int, *, next_too: bool) -> Place:
    """
    The place that *statement* has in the chain. Raises NotSupersedableError where it has none.

    next_too: the statement after it is superseded in the same act.
    """
    column, following = t.statement.c, _NEXT.c
    row = session.conn.execute(
        select(column.chain_n, column.previous_sen, column.closing_on, following.previous_sen)
        .select_from(t.statement)
        .outerjoin(
            _NEXT,
            and_(
                following.government == column.government,
                following.bank_account == column.bank_account,
                following.chain_n == column.chain_n + 1,
                ~is_superseded(_NEXT),
            ),
        )
        .where(
            column.government == session.government,
            column.id == statement,
            column.bank_account == bank_account,
            column.chain_n > 0,
            ~is_superseded(),
        )
    ).first()
    if row is None:
        raise NotSupersedableError(statement=statement)
    chain_n, previous_sen, closing_on, next_sen = row
    rows = session.conn.execute(
        _lines(column.chain_n)
        .where(
            column.government == session.government,
            column.bank_account == bank_account,
            column.chain_n == chain_n,
            ~is_gone(),
        )
        .order_by(t.bank_line.c.id)
    ).all()
    lines = _known_lines(session, rows)
    return Place(
        statement, chain_n, previous_sen, closing_on, lines, None if next_too else next_sen
    )


# --- lines told of before the end of the day ---------------------------------------------------


def provisional_between(
    session: Session, bank_account: str, first: str, last: str
) -> list[KnownLine]:
    """The provisional lines booked from one day through another, confirmed or not."""
    return _known_lines(
        session, session.conn.execute(_provisional(session, bank_account, first, last))
    )


def unbooked_between(session: Session, bank_account: str, first: str, last: str) -> list[KnownLine]:
    """Those of them that no line of a standing statement confirms."""
    booked, line = t.provisional_booked.c, t.provisional_line.c
    gone = t.bank_line_gone.c
    live = exists().where(
        booked.government == line.government,
        booked.provisional_id == line.id,
        ~exists().where(gone.government == booked.government, gone.line_id == booked.line_id),
    )
    query = _provisional(session, bank_account, first, last).where(~live)
    return _known_lines(session, session.conn.execute(query))


def unclaimed_between(
    session: Session, bank_account: str, first: str, last: str
) -> list[KnownLine]:
    """The bank lines that stand, of those days, and confirm no provisional line."""
    line, booked = t.bank_line.c, t.provisional_booked.c
    rows = session.conn.execute(
        _lines()
        .where(
            line.government == session.government,
            line.bank_account == bank_account,
            line.booked_on.between(first, last),
            ~exists().where(booked.government == line.government, booked.line_id == line.id),
            ~is_gone(),
        )
        .order_by(line.id)
    )
    return _known_lines(session, rows)


def _provisional(session: Session, bank_account: str, first: str, last: str) -> Select[Any]:
    line = t.provisional_line.c
    return (
        select(
            line.id,
            line.booked_on,
            line.amount_sen,
            line.bank_reference,
            line.reference,
            line.narrative_c,
            private_value.c.value,
        )
        .outerjoin(
            private_value,
            and_(
                private_value.c.government == line.government,
                private_value.c.commitment == line.narrative_c,
            ),
        )
        .where(
            line.government == session.government,
            line.bank_account == bank_account,
            line.booked_on.between(first, last),
        )
        .order_by(line.booked_on, line.occurrence)
    )


def _lines(*more: Any) -> Select[Any]:
    line, statement = t.bank_line.c, t.statement.c
    return (
        select(
            line.id,
            line.booked_on,
            line.amount_sen,
            line.bank_reference,
            line.reference,
            line.narrative_c,
            private_value.c.value,
            *more,
        )
        .select_from(t.bank_line)
        .join(
            t.statement,
            and_(statement.government == line.government, statement.id == line.statement_id),
        )
        .outerjoin(
            private_value,
            and_(
                private_value.c.government == line.government,
                private_value.c.commitment == line.narrative_c,
            ),
        )
    )


def _known_lines(session: Session, rows: Iterable[Any]) -> list[KnownLine]:
    pending = {row[1]: str(row[5]) for row in session.batch.pending_private()}
    lines: list[KnownLine] = []
    for row in rows:
        text: str | None = ""
        if not row.bank_reference:
            narrative = row.value if row.value is not None else pending.get(row.narrative_c)
            is_erased = bool(row.narrative_c) and narrative is None
            text = None if is_erased else text_of(row.reference, narrative or "")
        content = Content(row.booked_on, row.amount_sen, row.bank_reference, text)
        lines.append(KnownLine(row.id, content))
    return lines
