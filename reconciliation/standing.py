"""
What the books can say of a balance that the bank tells in the middle of a day.

Shell, read only. It is no proof: the end-of-day statement and `exceptions.prove` are. What the books
have let go for payments that the bank has not made yet is exact, from the posted lines; which orders
the bank may have executed without having said so is told as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import Connection, and_, exists, func, or_, select

from ledger import tables as lt
from ledger.queries import AccountKey, balance
from reconciliation import tables as t
from reconciliation.exceptions import last_closing_on

__all__ = ["Standing", "UnderWay", "standing_of"]

#: States in which the bank has not told of an execution, nor of a refusal.
_OPEN: Final = ("held", "queued", "sent", "accepted", "unknown", "recalled")
#: Those in which it may have executed the order. A queued one too, where a person hands over a file.
_ASKED: Final = ("sent", "accepted", "unknown")


@dataclass(frozen=True, slots=True)
class UnderWay:
    """Payments in one state: how many, and by how much they lowered the book's balance."""

    state: str
    payments: int
    booked_sen: int


@dataclass(frozen=True, slots=True)
class Standing:
    """
    An account by its books, in sen, and what the bank has told of it by statements and reports.

    doubt_sen, doubts: orders that the bank may have executed. statement_sen, closing_on: the newest
    end-of-day statement (None, "": none). told_sen, told: lines after it, by reports and pulls.
    open_sen, open_lines: lines of statements that no entry is matched with, as of the last run.
    """

    bank_account: str
    book_sen: int
    under_way: tuple[UnderWay, ...]
    doubt_sen: int
    doubts: int
    statement_sen: int | None
    closing_on: str
    told_sen: int
    told: int
    open_sen: int
    open_lines: int

    @property
    def explained_sen(self) -> int:
        """What the books have let go and the bank has not paid."""
        return sum(each.booked_sen for each in self.under_way)

    def left_sen(self, bank_sen: int) -> int:
        """What of the difference, bank less book, the payments under way do not explain."""
        return bank_sen - self.book_sen - self.explained_sen

    def verdict(self, bank_sen: int) -> Literal["agreed", "in_doubt", "differs"]:
        """in_doubt: the bank is short by no more than the orders that it may have executed."""
        left = self.left_sen(bank_sen)
        if left == 0:
            return "agreed"
        return "in_doubt" if -self.doubt_sen <= left < 0 else "differs"


def standing_of(conn: Connection, government: str, bank_account: str) -> Standing:
    """As the books stand in the caller's snapshot."""
    account = conn.execute(
        select(lt.bank_account.c.account).where(
            lt.bank_account.c.government == government, lt.bank_account.c.id == bank_account
        )
    ).scalar_one()
    key = AccountKey(account, None, "FIN", bank_account, None, None)
    doubts, doubt_sen = _doubts(conn, government, bank_account)
    told, told_sen = _told(conn, government, bank_account)
    open_lines, open_sen = _open_lines(conn, government, bank_account)
    statement = conn.execute(
        select(t.statement.c.closing_sen, t.statement.c.closing_on)
        .where(
            t.statement.c.government == government,
            t.statement.c.bank_account == bank_account,
            t.statement.c.chain_n > 0,
        )
        .order_by(t.statement.c.chain_n.desc(), t.statement.c.id.desc())
        .limit(1)
    ).first()
    return Standing(
        bank_account=bank_account,
        book_sen=balance(conn, government, key),
        under_way=_under_way(conn, government, bank_account),
        doubt_sen=doubt_sen,
        doubts=doubts,
        statement_sen=None if statement is None else statement.closing_sen,
        closing_on="" if statement is None else statement.closing_on,
        told_sen=told_sen,
        told=told,
        open_sen=open_sen,
        open_lines=open_lines,
    )


def _under_way(conn: Connection, government: str, bank_account: str) -> tuple[UnderWay, ...]:
    """From the lines that were posted for them, whatever the policy of recognition."""
    line, payment = lt.journal_line.c, lt.payment.c
    rows = conn.execute(
        select(
            payment.state,
            func.count(payment.id.distinct()),
            func.sum(-line.amount_sen),
        )
        .select_from(
            lt.journal_line.join(
                lt.payment,
                and_(
                    payment.government == line.government,
                    payment.partner_reference == line.payment_reference,
                ),
            )
        )
        .where(
            line.government == government,
            line.bank_account == bank_account,
            line.payment_reference != "",
            payment.bank_account == bank_account,
            payment.state.in_(_OPEN),
        )
        .group_by(payment.state)
        .order_by(payment.state)
    )
    return tuple(UnderWay(str(s), int(n), int(sen)) for s, n, sen in rows if sen)


def _doubts(conn: Connection, government: str, bank_account: str) -> tuple[int, int]:
    payment, order = lt.payment.c, lt.dispatch.c
    by_file = exists().where(
        order.government == payment.government,
        order.payment_id == payment.id,
        order.channel == "file",
    )
    count, sen = conn.execute(
        select(func.count(), func.coalesce(func.sum(payment.amount_sen), 0)).where(
            payment.government == government,
            payment.bank_account == bank_account,
            or_(payment.state.in_(_ASKED), and_(payment.state == "queued", by_file)),
        )
    ).one()
    return int(count), int(sen)


def _told(conn: Connection, government: str, bank_account: str) -> tuple[int, int]:
    """Provisional lines of days that no statement has closed."""
    line, booked = t.provisional_line.c, t.provisional_booked.c
    closed_on = last_closing_on(conn, government, bank_account)
    count, sen = conn.execute(
        select(func.count(), func.coalesce(func.sum(line.amount_sen), 0)).where(
            line.government == government,
            line.bank_account == bank_account,
            line.booked_on > closed_on,
            ~exists().where(booked.government == line.government, booked.provisional_id == line.id),
        )
    ).one()
    return int(count), int(sen)


def _open_lines(conn: Connection, government: str, bank_account: str) -> tuple[int, int]:
    item = t.open_item.c
    count, sen = conn.execute(
        select(func.count(), func.coalesce(func.sum(item.amount_sen), 0)).where(
            item.government == government,
            item.bank_account == bank_account,
            item.side == "bank",
        )
    ).one()
    return int(count), int(sen)
