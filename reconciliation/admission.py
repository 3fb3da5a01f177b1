"""
Whether a statement is admitted, and which of its lines are new.

Pure. A statement is admitted when it is of the account, in rupiah, closes a day that has come, adds
up, and opens where the account stood. A statement that reports known days again confirms their lines
and adds what is new by count: two equal lines of one day are two, and a third is new (D17).
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from bank_adapters.statements import Balance, Statement, StatementLine
from ledger.journals import AMOUNT_MAX_SEN
from reconciliation.errors import (
    BalancesDoNotFollowError,
    ChainBrokenError,
    ClosedDayChangedError,
    DeliveryDiffersError,
    ForeignAccountError,
    ForeignCurrencyError,
    FutureStatementError,
    IncompleteStatementError,
    NotEndOfDayError,
    StatementDoesNotAddUpError,
)

__all__ = [
    "Admission",
    "ChainEnd",
    "Content",
    "Known",
    "KnownLine",
    "admit",
    "check_form",
    "check_interim",
    "content_of",
    "covers_from",
    "first_day",
    "is_same_account",
    "text_of",
]

_NOT_DIGIT = re.compile(r"[^0-9]")


class Content(NamedTuple):
    """
    What makes a line the same line in another delivery: day, amount, and the bank's reference.

    Only where the bank gives none, *text* (our reference and the narrative, without spaces) counts.
    It is None when the narrative was erased; the rest then decides.
    """

    booked_on: str
    amount_sen: int
    bank_reference: str
    text: str | None


class KnownLine(NamedTuple):
    """A line of the account, in chain order."""

    id: int
    content: Content


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """The last admitted statement of an account."""

    chain_n: int
    closing_sen: int
    closing_on: str


@dataclass(frozen=True, slots=True)
class Known:
    """
    The tail of an account's chain that a delivery may report again.

    *start_sen* is the balance before the first of *lines*; *starts* the places in *lines* where an
    admitted statement begins.
    """

    start_sen: int
    lines: Sequence[KnownLine]
    starts: frozenset[int]


@dataclass(frozen=True, slots=True)
class Admission:
    """Places in the delivered lines: the new ones, and (place, line id) of those confirmed."""

    new: tuple[int, ...]
    confirmed: tuple[tuple[int, int], ...]
    extends: bool


def content_of(line: StatementLine) -> Content:
    """The content of a delivered line that has a booking day."""
    if line.booked_on is None:
        raise ValueError("a booked line has a day; check_form sees to that")
    text = "" if line.bank_reference else text_of(line.reference or "", line.narrative)
    return Content(line.booked_on.isoformat(), line.amount_units, line.bank_reference or "", text)


def text_of(reference: str, narrative: str) -> str:
    """Reference and narrative for comparison: upper case, no white space."""
    return "".join(f"{reference} {narrative}".upper().split())


def is_same_account(printed: str | None, asked: str, others: Iterable[str]) -> bool:
    """
    Whether the account *printed* on a statement is *asked* (`BANKCODE:NO`).

    Leading zeros and the bank's code in front are tolerated, unless *others* (accounts of the same
    government) could be meant as well.
    """
    if printed is None or not _fits(printed, asked):
        return False
    return not any(other != asked and _fits(printed, other) for other in others)


def _fits(printed: str, account: str) -> bool:
    bank_code, number = account.split(":")
    digits = _NOT_DIGIT.sub("", printed)
    if len(re.sub(r"[ ./-]", "", printed)) != len(digits):
        return False  # letters are part of the number: another kind of account
    return digits.lstrip("0") == number.lstrip("0") or digits == bank_code + number


def check_form(
    statement: Statement, *, bank_account: str, others: Iterable[str], today: str
) -> tuple[Balance, Balance]:
    """
    Everything that the statement says of itself. Returns opening and closing.

    Raises:
        ForeignAccountError, ForeignCurrencyError, NotEndOfDayError, IncompleteStatementError,
        StatementDoesNotAddUpError, FutureStatementError
    """
    _check_whose(statement, bank_account, others)
    if statement.kind != "end_of_day":
        raise NotEndOfDayError(kind=statement.kind, position=statement.position)
    opening, closing = statement.opening, statement.closing
    for balance, name in ((opening, "the opening balance"), (closing, "the closing balance")):
        if balance is None:
            raise IncompleteStatementError(missing=name, position=statement.position)
        if balance.on is None:
            raise IncompleteStatementError(missing=f"the day of {name}", position=balance.position)
        if balance.is_intermediate:
            raise IncompleteStatementError(
                missing=f"{name} ({'earlier' if balance is opening else 'later'} pages)",
                position=balance.position,
            )
        if abs(balance.units) > AMOUNT_MAX_SEN:
            raise IncompleteStatementError(
                missing=f"{name} within {AMOUNT_MAX_SEN} sen", position=balance.position
            )
    if opening is None or closing is None or closing.on is None:
        raise AssertionError("seen above")
    total = opening.units + _check_lines(statement, today)
    if total != closing.units or statement.adds_up is False:
        raise StatementDoesNotAddUpError(
            expected_sen=total, closing_sen=closing.units, position=closing.position
        )
    if closing.on.isoformat() > today:
        raise FutureStatementError(
            day=closing.on.isoformat(), today=today, position=closing.position
        )
    return opening, closing


def check_interim(
    statement: Statement, *, bank_account: str, others: Iterable[str], today: str
) -> None:
    """
    Everything that an intraday report or an advice says of itself; it needs no balances.

    Raises:
        ForeignAccountError, ForeignCurrencyError, IncompleteStatementError,
        StatementDoesNotAddUpError, BalancesDoNotFollowError, FutureStatementError
    """
    _check_whose(statement, bank_account, others)
    total = _check_lines(statement, today)
    opening, closing = statement.opening, statement.closing
    if statement.adds_up is not False:
        return
    if opening is not None and closing is not None and opening.units + total != closing.units:
        raise StatementDoesNotAddUpError(
            expected_sen=opening.units + total,
            closing_sen=closing.units,
            position=closing.position,
        )
    raise BalancesDoNotFollowError(position=statement.position)


def _check_whose(statement: Statement, bank_account: str, others: Iterable[str]) -> None:
    position = statement.position
    if not is_same_account(statement.account, bank_account, others):
        raise ForeignAccountError(account=statement.account, asked=bank_account, position=position)
    if statement.currency != "IDR":
        raise ForeignCurrencyError(currency=statement.currency, position=position)


def _check_lines(statement: Statement, today: str) -> int:
    """The sum of the booked lines, each of a day that has come and of an amount that fits."""
    total = 0
    for line in statement.lines:
        if line.status != "booked":
            continue
        if line.booked_on is None:
            raise IncompleteStatementError(missing="the booking day", position=line.position)
        if line.booked_on.isoformat() > today:
            raise FutureStatementError(
                day=line.booked_on.isoformat(), today=today, position=line.position
            )
        if abs(line.amount_units) > AMOUNT_MAX_SEN:
            raise IncompleteStatementError(
                missing=f"an amount within {AMOUNT_MAX_SEN} sen", position=line.position
            )
        total += line.amount_units
    return total


def first_day(statement: Statement) -> date:
    """The first day with a booked line, or the closing day of a statement without lines."""
    days = [line.booked_on for line in statement.lines if line.status == "booked"]
    closing = statement.closing.on if statement.closing else None
    return min((day for day in days if day is not None), default=closing or date.min)


def covers_from(statement: Statement) -> date:
    """
    The first day whose movements the statement reports.

    The date of an opening balance is the day that begins with it in sheets (`opening_is_start`). In
    messages it is the day before's close as a rule; banks that print the statement's own day are
    recognised by an entry, or the closing, of that day.
    """
    on = statement.opening.on if statement.opening else None
    if on is None:
        return first_day(statement)
    if statement.opening_is_start or first_day(statement) <= on:
        return on
    return on + timedelta(days=1)


def admit(
    contents: Sequence[Content],
    *,
    opening: Balance,
    closing: Balance,
    end: ChainEnd | None,
    known: Known,
) -> Admission:
    """
    Place a statement (its booked lines as *contents*) in the account's chain.

    *known* must reach back to the first day delivered. The first statement of an account opens its
    chain. Raises ChainBrokenError, DeliveryDiffersError, ClosedDayChangedError.
    """
    everything = tuple(range(len(contents)))
    closes_on = closing.on.isoformat() if closing.on else ""
    if end is None:
        return Admission(everything, (), extends=True)
    if not contents and opening.units == end.closing_sen and closes_on > end.closing_on:
        return Admission((), (), extends=True)  # days on which nothing happened
    differs: DeliveryDiffersError | None = None
    # A statement without lines stands at its closing day.
    first = min((content.booked_on for content in contents), default=closes_on)
    for place in _places(known, opening.units, first):
        found = _compare(known.lines[place:], contents)
        if isinstance(found, KnownLine):
            lacking = found.content
            differs = differs or DeliveryDiffersError(
                missing=_missing(known.lines[place:], contents),
                booked_on=lacking.booked_on,
                amount_sen=lacking.amount_sen,
                position=opening.position,
            )
            continue
        taken = {index for index, _ in found}
        new = tuple(index for index in everything if index not in taken)
        _check_new(contents, new, end, closes_on, is_redelivery=bool(found))
        return Admission(new, tuple(found), extends=bool(new) or closes_on > end.closing_on)
    raise differs or ChainBrokenError(
        opening_sen=opening.units,
        expected_sen=end.closing_sen,
        closed_on=end.closing_on,
        position=opening.position,
    )


def _places(known: Known, opening_sen: int, first: str) -> list[int]:
    """
    Where in the known lines the account stood at *opening_sen* and a delivery that begins on the
    day *first* may begin.
    """
    lines = known.lines
    day_start = next(
        (n for n, line in enumerate(lines) if line.content.booked_on >= first), len(lines)
    )
    wanted = known.starts | {day_start, len(lines)}
    places, balance = [], known.start_sen
    for place in range(len(lines) + 1):
        if place in wanted and balance == opening_sen:
            places.append(place)
        if place < len(lines):
            balance += lines[place].content.amount_sen
    return places


def _compare(
    known: Sequence[KnownLine], contents: Sequence[Content]
) -> list[tuple[int, int]] | KnownLine:
    """(place, line id) of the delivered lines that are known, or the first known one that lacks."""
    waiting: dict[Content, deque[int]] = defaultdict(deque)
    for index, content in enumerate(contents):
        waiting[content].append(index)
    found: list[tuple[int, int]] = []
    erased: list[KnownLine] = []
    # A delivery of fewer lines than are known reports the first of them.
    for line in known[: len(contents)]:
        if line.content.text is None:
            erased.append(line)
        elif places := waiting.get(line.content):
            found.append((places.popleft(), line.id))
        else:
            return line
    rest = sorted(index for places in waiting.values() for index in places)
    for line in erased:
        match = next((n for n in rest if contents[n][:3] == line.content[:3]), None)
        if match is None:
            return line
        rest.remove(match)
        found.append((match, line.id))
    return sorted(found)


def _missing(known: Sequence[KnownLine], contents: Sequence[Content]) -> int:
    waiting: dict[Content, int] = defaultdict(int)
    for content in contents:
        waiting[content] += 1
    count = 0
    for line in known[: len(contents)]:
        if waiting[line.content] > 0:
            waiting[line.content] -= 1
        else:
            count += 1
    return count


def _check_new(
    contents: Sequence[Content],
    new: Sequence[int],
    end: ChainEnd,
    closes_on: str,
    *,
    is_redelivery: bool,
) -> None:
    for index in new:
        content = contents[index]
        # A statement that opens where the last one closed proves by its own figures that its lines
        # are new, however old their booking day; a delivery of known days proves no such thing.
        if closes_on < end.closing_on or (is_redelivery and content.booked_on < end.closing_on):
            raise ClosedDayChangedError(
                booked_on=content.booked_on,
                closed_on=end.closing_on,
                amount_sen=content.amount_sen,
                position=None,
            )
