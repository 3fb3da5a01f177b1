"""What every reader returns: frozen values, the same for each format.

Amounts are signed whole minor units of the statement's currency (`*_units`; for IDR that is
sen), positive for money into the account, with every digit the bank printed. `to_json` gives the
shapes that `rkud statement parse --json` prints.
"""

from dataclasses import dataclass
from datetime import date, time
from typing import Literal, NamedTuple, TypedDict

from bank_adapters.errors import TooManyStatementsError
from bank_adapters.statements.amounts import units_text

#: A statement takes a hundred times the memory of the few bytes that begin one.
STATEMENTS_MAX = 200_000

#: Makes a named tuple of the tuple of its values: half the time of a call with sixteen arguments.
new_tuple = tuple.__new__

Kind = Literal["end_of_day", "intraday", "advice"]
Status = Literal["booked", "pending", "info"]


class BalanceJSON(TypedDict):
    amount: str
    on: str | None


class LineJSON(TypedDict):
    position: int
    booked_on: str | None
    value_on: str | None
    entry_on: str | None
    booked_time: str | None
    amount: str
    balance_after: str | None
    reversal: bool
    status: Status
    bank_reference: str | None
    reference: str | None
    counterparty: str | None
    narrative: str
    transaction_code: str | None
    sub_entries: list["LineJSON"]
    raw: str


class StatementJSON(TypedDict):
    bank: str | None
    account: str | None
    currency: str | None
    statement_no: str | None
    page: int | None
    kind: Kind
    opening: BalanceJSON | None
    closing: BalanceJSON | None
    adds_up: bool | None
    lines: list[LineJSON]


class WarningJSON(TypedDict):
    code: str
    position: int | None
    message: str


class StatementFileJSON(TypedDict):
    file_sha256: str
    format: str
    statements: list[StatementJSON]
    warnings: list[WarningJSON]


@dataclass(frozen=True, slots=True)
class Warning_:  # noqa: N801 - `Warning` is a builtin, and every longer name says less
    """Something read as it stands that a person should know. `code` is stable."""

    code: str
    position: int | None
    message: str

    def to_json(self) -> WarningJSON:
        return {"code": self.code, "position": self.position, "message": self.message}


@dataclass(frozen=True, slots=True)
class Balance:
    """A balance as the bank states it, at the close (opening: before the start) of day `on`.

    `is_intermediate` marks the carry between pages (`:60M:`, `:62M:`), which is not the
    statement's own first or last figure. `position` is None where a CSV layout prints no opening
    and it was taken from the first row's running balance.
    """

    units: int
    on: date | None
    position: int | None = None
    is_intermediate: bool = False


class StatementLine(NamedTuple):
    """One entry of the file. A tuple, because a million of them are made in a row.

    `position` is the 1-based line of the file; `raw` its lines as they stand. `value_on` and
    `entry_on` are the bank's dates (None: not given, or a day that does not exist); `booked_on`
    is the day the entry counts for. `narrative` is for matching: line breaks are taken out
    without putting a space, so that a number cut at the line's end is whole again.
    """

    position: int
    booked_on: date | None
    value_on: date | None
    entry_on: date | None
    booked_time: time | None
    amount_units: int
    balance_after_units: int | None
    reversal: bool
    status: Status
    bank_reference: str | None
    reference: str | None
    counterparty: str | None
    narrative: str
    transaction_code: str | None
    sub_entries: tuple["StatementLine", ...]
    raw: str

    def to_json(self, decimals: int) -> LineJSON:
        """The line as the contract prints it; *decimals* are the statement's."""
        balance = self.balance_after_units
        return {
            "position": self.position,
            "booked_on": _day(self.booked_on),
            "value_on": _day(self.value_on),
            "entry_on": _day(self.entry_on),
            "booked_time": None if self.booked_time is None else self.booked_time.isoformat(),
            "amount": units_text(self.amount_units, decimals),
            "balance_after": None if balance is None else units_text(balance, decimals),
            "reversal": self.reversal,
            "status": self.status,
            "bank_reference": self.bank_reference,
            "reference": self.reference,
            "counterparty": self.counterparty,
            "narrative": self.narrative,
            "transaction_code": self.transaction_code,
            "sub_entries": [entry.to_json(decimals) for entry in self.sub_entries],
            "raw": self.raw,
        }


@dataclass(frozen=True, slots=True)
class Statement:
    """One account's statement; pages of one statement are already joined.

    `decimals` says what a unit is (2: hundredths). `page` is the first page held, None where
    pages are not numbered. `adds_up` is None when a balance is missing. `information` is text
    about the statement as a whole (`:86:` behind a balance). `position` is its first line.
    `opening_is_start` says that the opening's date is the day that begins with it (sheets), not the
    day that ended with it. `covers` are the first and the last day of a pull, which holds all that
    the bank tells of them.
    """

    bank: str | None
    account: str | None
    currency: str | None
    decimals: int
    statement_no: str | None
    page: int | None
    kind: Kind
    opening: Balance | None
    closing: Balance | None
    adds_up: bool | None
    lines: tuple[StatementLine, ...]
    information: str = ""
    position: int | None = None
    opening_is_start: bool = False
    covers: tuple[date, date] | None = None

    def to_json(self) -> StatementJSON:
        return {
            "bank": self.bank,
            "account": self.account,
            "currency": self.currency,
            "statement_no": self.statement_no,
            "page": self.page,
            "kind": self.kind,
            "opening": self._balance(self.opening),
            "closing": self._balance(self.closing),
            "adds_up": self.adds_up,
            "lines": [line.to_json(self.decimals) for line in self.lines],
        }

    def _balance(self, balance: Balance | None) -> BalanceJSON | None:
        if balance is None:
            return None
        return {"amount": units_text(balance.units, self.decimals), "on": _day(balance.on)}


@dataclass(frozen=True, slots=True)
class StatementFile:
    """All that one file holds. `profile` is the layout used, None for formats without one.

    `profile_text` is that layout's TOML where it is no shipped one, so that it can be kept with what
    it read.
    """

    file_sha256: str
    format: str
    statements: tuple[Statement, ...]
    warnings: tuple[Warning_, ...]
    profile: str | None = None
    name: str | None = None
    profile_text: str | None = None

    def to_json(self) -> StatementFileJSON:
        """The object that `rkud statement parse --json` prints."""
        return {
            "file_sha256": self.file_sha256,
            "format": self.format,
            "statements": [statement.to_json() for statement in self.statements],
            "warnings": [warning.to_json() for warning in self.warnings],
        }


def check_count(count: int) -> None:
    """Refuse a file of more statements (or pages of them). Raises TooManyStatementsError."""
    if count > STATEMENTS_MAX:
        raise TooManyStatementsError(count, STATEMENTS_MAX)


def booked_units(lines: tuple[StatementLine, ...] | list[StatementLine]) -> int:
    """Sum of the lines that moved money; pending and informational lines did not."""
    return sum(line.amount_units for line in lines if line.status == "booked")


def check_sum(
    opening: Balance | None,
    total_units: int,
    closing: Balance | None,
    decimals: int,
    warnings: list[Warning_],
) -> bool | None:
    """Whether *opening* and the booked *total_units* give *closing*; None where one is missing.

    A difference is a finding at the closing, with its figures.
    """
    if opening is None or closing is None:
        return None
    difference = closing.units - opening.units - total_units
    if difference:
        opened, moved, closed, missing = (
            units_text(units, decimals)
            for units in (opening.units, total_units, closing.units, difference)
        )
        message = f"opening {opened} and entries {moved} miss closing {closed} by {missing}"
        warnings.append(Warning_("does_not_add_up", closing.position, message))
    return not difference


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
