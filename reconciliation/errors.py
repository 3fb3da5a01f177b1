"""
What reconciliation refuses, by name. Nothing changes on a refusal.

ReconciliationError
├── StatementRefusedError             a statement that is not admitted; names file, line and rule
│   ├── ForeignAccountError           it is of another account than the one asked for
│   ├── ForeignCurrencyError          it is not in rupiah
│   ├── NotEndOfDayError              intraday and advice figures close no day, nor supersede one that does
│   ├── IncompleteStatementError      a balance, a date or a page is missing
│   ├── StatementDoesNotAddUpError    opening and entries miss the closing
│   ├── BalancesDoNotFollowError      balances beside its lines do not follow from one another
│   ├── FutureStatementError          it reports days that have not come
│   ├── ChainBrokenError              it does not open where the account stood
│   ├── DeliveryDiffersError          it delivers known days otherwise than before
│   ├── ClosedDayChangedError         it adds lines to a day that was closed
│   ├── ReissueMisplacedError         it does not fit the place of the statement it supersedes
│   └── AwaitingDecisionError         kept aside until two persons decide whether it supersedes
├── NotKeptAsideError                 only a statement that was kept aside can supersede
├── NotSupersedableError              only a statement that stands in the chain is superseded
├── StatementBytesErasedError         the bank's bytes are no longer kept
├── NoStatementError                  the account has no admitted statement to reconcile with
├── UnevenMatchError, ItemNotOpenError, UnknownItemError
└── UnknownMatchError, MatchAlreadyUndoneError
"""

from __future__ import annotations

from ledger.errors import LedgerError
from ledger.money import sen_text

__all__ = [
    "AwaitingDecisionError",
    "BalancesDoNotFollowError",
    "ChainBrokenError",
    "ClosedDayChangedError",
    "DeliveryDiffersError",
    "ForeignAccountError",
    "ForeignCurrencyError",
    "FutureStatementError",
    "IncompleteStatementError",
    "ItemNotOpenError",
    "MatchAlreadyUndoneError",
    "NoStatementError",
    "NotEndOfDayError",
    "NotKeptAsideError",
    "NotSupersedableError",
    "ReconciliationError",
    "ReissueMisplacedError",
    "StatementBytesErasedError",
    "StatementDoesNotAddUpError",
    "StatementRefusedError",
    "UnevenMatchError",
    "UnknownItemError",
    "UnknownMatchError",
]


class ReconciliationError(LedgerError):
    """Base of this folder's refusals."""


class StatementRefusedError(ReconciliationError):
    """
    A statement that is not admitted.

    `position` is the line of the file it is seen at (None: the file as a whole), `file` the file's
    name as given. Both are set by the intake, which knows them.
    """

    def __init__(self, message: str, *, position: int | None = None, **values: object) -> None:
        super().__init__(message, position=position, **values)
        self.position = position
        self.file = ""

    def in_file(self, name: str, sha256: str, ordinal: int) -> StatementRefusedError:
        """Add where it happened to what is told."""
        self.file = name or sha256
        self.values |= {"file": self.file, "statement": ordinal, "rule": self.code}
        where = f"{self.file}, statement {ordinal}"
        if self.position is not None:
            where += f", line {self.position}"
        self.message = f"{where}: {self.message}"
        self.args = (self.message,)
        return self


class ForeignAccountError(StatementRefusedError):
    """The statement is of another account than the one asked for."""

    def __init__(self, *, account: str | None, asked: str, position: int | None) -> None:
        shown = "no account" if account is None else f"account {account[:64]}"
        super().__init__(
            f"the statement is of {shown}, not of {asked}",
            position=position,
            account=None if account is None else account[:64],
            asked=asked,
        )


class ForeignCurrencyError(StatementRefusedError):
    """The regional treasury account is kept in rupiah."""

    def __init__(self, *, currency: str | None, position: int | None) -> None:
        super().__init__(
            f"the statement is in {currency or 'no named currency'}, the account in IDR",
            position=position,
            currency=currency,
        )


class NotEndOfDayError(StatementRefusedError):
    """Only an end-of-day statement closes a day."""

    def __init__(self, *, kind: str, position: int | None) -> None:
        super().__init__(
            f"the statement is {kind}; only an end-of-day statement closes a day",
            position=position,
            kind=kind,
        )


class IncompleteStatementError(StatementRefusedError):
    """Something without which nothing can be proven is missing."""

    def __init__(self, *, missing: str, position: int | None) -> None:
        super().__init__(f"{missing} is missing", position=position, missing=missing)


class StatementDoesNotAddUpError(StatementRefusedError):
    """Opening and entries do not come to the closing."""

    def __init__(self, *, expected_sen: int, closing_sen: int, position: int | None) -> None:
        super().__init__(
            f"opening and entries come to {sen_text(expected_sen)}, the closing is"
            f" {sen_text(closing_sen)}: {sen_text(closing_sen - expected_sen)} apart",
            position=position,
            expected=sen_text(expected_sen),
            closing=sen_text(closing_sen),
            difference=sen_text(closing_sen - expected_sen),
        )


class BalancesDoNotFollowError(StatementRefusedError):
    """The balances that a report prints between its lines do not follow: a line is missing or wrong."""

    def __init__(self, *, position: int | None) -> None:
        super().__init__(
            "the balances beside its lines do not follow from one another: a line is missing, or wrong",
            position=position,
        )


class FutureStatementError(StatementRefusedError):
    """It reports a day that has not come."""

    def __init__(self, *, day: str, today: str, position: int | None) -> None:
        super().__init__(
            f"it reports {day}, and today is {today}", position=position, day=day, today=today
        )


class ChainBrokenError(StatementRefusedError):
    """It does not open where the account stood: a statement is missing, or one of them is wrong."""

    def __init__(
        self, *, opening_sen: int, expected_sen: int, closed_on: str, position: int | None
    ) -> None:
        super().__init__(
            f"it opens with {sen_text(opening_sen)}; the account stood at"
            f" {sen_text(expected_sen)} (last closed on {closed_on})",
            position=position,
            opening=sen_text(opening_sen),
            expected=sen_text(expected_sen),
            difference=sen_text(opening_sen - expected_sen),
            closed_on=closed_on,
        )


class DeliveryDiffersError(StatementRefusedError):
    """It reports days that are known already, and not with the lines that are known."""

    def __init__(
        self, *, missing: int, booked_on: str, amount_sen: int, position: int | None
    ) -> None:
        super().__init__(
            f"it lacks {missing} known line(s) of the days it reports, the first of {booked_on}"
            f" over {sen_text(amount_sen)}",
            position=position,
            missing=missing,
            booked_on=booked_on,
            amount=sen_text(amount_sen),
        )


class ClosedDayChangedError(StatementRefusedError):
    """It adds a line to a day that an earlier statement had closed and gone past."""

    def __init__(
        self, *, booked_on: str, closed_on: str, amount_sen: int, position: int | None
    ) -> None:
        super().__init__(
            f"it adds a line of {booked_on} over {sen_text(amount_sen)}, and the account is closed"
            f" through {closed_on}",
            position=position,
            booked_on=booked_on,
            closed_on=closed_on,
            amount=sen_text(amount_sen),
        )


class ReissueMisplacedError(StatementRefusedError):
    """A reissued statement opens and closes where the one that it supersedes did."""

    def __init__(
        self,
        *,
        statement: int,
        what: str,
        is_sen: int = 0,
        wanted_sen: int = 0,
        is_day: str = "",
        wanted_day: str = "",
        position: int | None,
    ) -> None:
        found = f"on {is_day}" if is_day else f"with {sen_text(is_sen)}"
        wanted = f"on {wanted_day}" if is_day else f"with {sen_text(wanted_sen)}"
        super().__init__(
            f"it {what} {found}; in the place of statement {statement} it {what} {wanted}",
            position=position,
            supersedes=statement,
            found=is_day or sen_text(is_sen),
            expected=wanted_day or sen_text(wanted_sen),
        )


class AwaitingDecisionError(StatementRefusedError):
    """Kept aside as a reissued statement; two persons decide whether it supersedes another."""

    def __init__(self, *, position: int | None) -> None:
        super().__init__(
            "it waits for two persons to decide whether it supersedes", position=position
        )


class NotKeptAsideError(ReconciliationError):
    """Only a statement that was kept aside, and was not admitted since, can supersede another."""

    def __init__(self, *, statement: int) -> None:
        super().__init__(
            f"statement {statement} is not kept aside (or stands in the chain by now)",
            statement=statement,
        )


class NotSupersedableError(ReconciliationError):
    """Only a statement that stands in the chain of its account is superseded, and once."""

    def __init__(self, *, statement: int) -> None:
        super().__init__(
            f"statement {statement} does not stand in the chain of the account",
            statement=statement,
        )


class StatementBytesErasedError(ReconciliationError):
    """The bank's bytes were erased; the file must be delivered again."""

    def __init__(self, *, file_sha256: str) -> None:
        super().__init__(
            f"the bytes of file {file_sha256} are no longer kept", file_sha256=file_sha256
        )


class NoStatementError(ReconciliationError):
    """There is no bank figure to reconcile with."""

    def __init__(self, *, bank_account: str, through: str) -> None:
        super().__init__(
            f"no statement of {bank_account} that closes on or before {through} was admitted"
            if through
            else f"no statement of {bank_account} was admitted yet: rkud statement import does that",
            bank_account=bank_account,
            through=through,
        )


class UnknownItemError(ReconciliationError):
    """No such bank line or book entry on this account."""

    def __init__(self, *, side: str, item: str, bank_account: str) -> None:
        super().__init__(
            f"{bank_account} has no {side} item {item}",
            side=side,
            item=item,
            bank_account=bank_account,
        )


class ItemNotOpenError(ReconciliationError):
    """It is in a match already."""

    def __init__(self, *, side: str, item: str, match: int) -> None:
        super().__init__(
            f"{side} item {item} is in match {match}", side=side, item=item, match=match
        )


class UnevenMatchError(ReconciliationError):
    """The two sides of a match must be equal to the sen."""

    def __init__(self, *, bank_sen: int, book_sen: int) -> None:
        super().__init__(
            f"the bank's side comes to {sen_text(bank_sen)}, the book's to {sen_text(book_sen)}",
            bank=sen_text(bank_sen),
            book=sen_text(book_sen),
            difference=sen_text(bank_sen - book_sen),
        )


class UnknownMatchError(ReconciliationError):
    """There is no such match."""

    def __init__(self, *, match: int) -> None:
        super().__init__(f"there is no match {match}", match=match)


class MatchAlreadyUndoneError(ReconciliationError):
    """A match is undone once."""

    def __init__(self, *, match: int) -> None:
        super().__init__(f"match {match} was undone already", match=match)
