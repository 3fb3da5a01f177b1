"""
The proof that the books and the bank agree, or by how much they do not (D16).

Pure. The bank's closing is the bank's own figure, the book's balance the stored one; the items are
the open sets as of the cut-off. Nothing here is derived from the other side, so the difference is not
zero by construction, and it is never turned into an item.

    A  bank closing + what the books have and the bank has not  = adjusted bank balance
    B  book balance + what the bank has and the books have not  = adjusted book balance
    C  A - B = difference
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, NamedTuple

__all__ = ["AGE_BUCKETS", "OpenLine", "Opening", "Proof", "Row", "age_bucket", "age_days"]

#: Days from the item's day to the cut-off: up to and including the figure, the last open-ended.
AGE_BUCKETS: Final = (("0-1", 1), ("2-5", 5), ("6-30", 30), (">30", None))


def age_days(day: str, through: str) -> int:
    """Days from *day* to *through* (ISO dates); never negative."""
    return max((date.fromisoformat(through) - date.fromisoformat(day)).days, 0)


def age_bucket(days: int) -> str:
    """The bucket's name."""
    return next(name for name, most in AGE_BUCKETS if most is None or days <= most)


@dataclass(frozen=True, slots=True)
class OpenLine:
    """
    An open item. *amount_sen* is signed: positive is money into the account, on either side.

    side: `bank` (the bank has it, the books have not) or `book`. item: id of the bank line or entry.
    reference: the bank's, or the journal's. statement and position say where a bank line stands,
    journal_id and n where a book entry does. match: the later match that will take it, or 0.
    """

    side: Literal["bank", "book"]
    item: int
    day: str
    amount_sen: int
    age_days: int
    reason: str
    reference: str
    key: str
    statement: str = ""
    position: int = 0
    journal_id: int = 0
    n: int = 0
    match: int = 0

    @property
    def bucket(self) -> str:
        """Its age bucket."""
        return age_bucket(self.age_days)


@dataclass(frozen=True, slots=True)
class Opening:
    """
    Where the chain of statements begins, and what the books held until then.

    *book_sen* is the sum of the *entries* dated before the first reported day (and the book's own
    opening) that no bank line has taken since: the bank's opening figure must cover them.
    """

    bank_sen: int
    book_sen: int
    entries: int
    covers_from: str

    @property
    def difference_sen(self) -> int:
        """By how much the two begin apart."""
        return self.bank_sen - self.book_sen


class Row(NamedTuple):
    """A row of the printed reconciliation: section, what, figure in sen, how many items."""

    section: str
    name: str
    amount_sen: int
    items: int


@dataclass(frozen=True, slots=True)
class Proof:
    """
    One account as of the close of *through*, as known after batch *known_at* (None: now).

    statement, statement_no, closing_on: the admitted statement that gives *bank_sen*.
    """

    bank_account: str
    through: str
    known_at: int | None
    statement: int
    statement_no: str
    closing_on: str
    bank_sen: int
    book_sen: int
    opening: Opening
    items: Sequence[OpenLine]

    def of_side(self, side: str) -> list[OpenLine]:
        """The open items of one side."""
        return [item for item in self.items if item.side == side]

    @property
    def adjusted_bank_sen(self) -> int:
        """The bank's balance once it has everything that the books have."""
        return self.bank_sen + _total(self.of_side("book"))

    @property
    def adjusted_book_sen(self) -> int:
        """The books' balance once they have everything that the bank has."""
        return self.book_sen + _total(self.of_side("bank"))

    @property
    def difference_sen(self) -> int:
        """What the listed items do not explain."""
        return self.adjusted_bank_sen - self.adjusted_book_sen

    @property
    def is_proven(self) -> bool:
        """Whether the items explain everything, to the sen."""
        return self.difference_sen == 0

    def rows(self) -> list[Row]:
        """The reconciliation as it is printed: sections A, B and C."""
        book, bank = self.of_side("book"), self.of_side("bank")
        return [
            Row("A", "bank_closing", self.bank_sen, 0),
            _row("A", "deposits_in_transit", (i for i in book if i.amount_sen > 0)),
            _row("A", "outstanding_payments", (i for i in book if i.amount_sen < 0)),
            Row("A", "adjusted_bank", self.adjusted_bank_sen, len(book)),
            Row("B", "book_balance", self.book_sen, 0),
            _row("B", "bank_credits_not_booked", (i for i in bank if i.amount_sen > 0)),
            _row("B", "bank_debits_not_booked", (i for i in bank if i.amount_sen < 0)),
            Row("B", "adjusted_book", self.adjusted_book_sen, len(bank)),
            Row("C", "difference", self.difference_sen, 0),
        ]

    def ages(self) -> list[Row]:
        """Items and their sum a side and age bucket."""
        return [
            _row(side, name, (i for i in self.of_side(side) if i.bucket == name))
            for side in ("bank", "book")
            for name, _ in AGE_BUCKETS
        ]


def _total(items: Iterable[OpenLine]) -> int:
    return sum(item.amount_sen for item in items)


def _row(section: str, name: str, items: Iterable[OpenLine]) -> Row:
    listed = list(items)
    return Row(section, name, _total(listed), len(listed))
