"""The `:61:` entry and its `:86:` text: the hot path of the MT940 reader."""

import re
from datetime import date
from typing import NamedTuple

from bank_adapters.errors import UnreadableEntryError
from bank_adapters.statements.amounts import swift_date, swift_units
from bank_adapters.statements.mt940_fields import Fields
from bank_adapters.statements.narratives import read_narrative
from bank_adapters.statements.statement import StatementLine, Status, Warning_, new_tuple

# 6!n[4!n]2a[1!a]15d1!a3!c16x[//16x] (SWIFT MT940, field 61), with what banks make of it: a blank
# entry date, lower-case marks, spaces before the amount, any number of digits, references of any
# length. `RC` is a reversal, while `CR` is C with the funds code R
# (the third letter of IDR and EUR). Whatever stands between the amount and the type code - a
# point, a second comma, a space among digits - fails the match and with it the file.
_ENTRY = re.compile(
    r"""
    :61:\ ?
    ([0-9]{6}) ([0-9]{4}|\ {4})?
    ([CD]|[RE][CD]|[cd]|[re][cd]) [A-Za-z]?
    \ * ([0-9]++(?:,[0-9]*+)?|,[0-9]++)
    \ * ([A-Za-z][A-Za-z0-9]{3})
    (.*)
    """,
    re.VERBOSE,
)

# To say what is wrong with an entry: as above, up to a point in the amount, and up to an end
# inside amount or type code.
_ENTRY_START = r":61: ?[0-9]{6}(?:[0-9]{4}| {4})?[RE]?[CD][A-Z]? *"
_ENTRY_WITH_POINT = re.compile(rf"{_ENTRY_START}[0-9]+\.", re.IGNORECASE)
_ENTRY_CUT = re.compile(rf"{_ENTRY_START}[0-9,]*[A-Z0-9]{{0,3}}$", re.IGNORECASE)

_SIGNS = {"C": 1, "D": -1, "RC": -1, "RD": 1, "EC": 1, "ED": -1}
_TEXT_TAGS = frozenset({"86", "NS"})
_NO_REFERENCE = frozenset({"", "NONREF"})


class _Dates(NamedTuple):
    value_on: date | None
    entry_on: date | None
    booked_on: date | None


def read_entries(
    lines: list[str],
    fields: Fields,
    entries: list[int],
    *,
    decimals: int,
    opened_on: date | None,
    closed_on: date | None,
    warnings: list[Warning_],
) -> list[StatementLine]:
    """Read the entries of one page, given as numbers of fields; what is odd goes to *warnings*.

    *opened_on* and *closed_on* are the dates of the balances around them, which decide the year
    of an entry date. Raises UnreadableEntryError, UnreadableAmountError.
    """
    read: list[StatementLine] = []
    seen_dates: dict[tuple[str, str | None], _Dates] = {}
    match_entry = _ENTRY.match
    tags, starts = fields
    for number in entries:
        start, end = starts[number], starts[number + 1]
        position = start + 1
        matched = match_entry(lines[start])
        if matched is None:
            raise UnreadableEntryError(lines[start], _why_not(lines[start]), position=position)
        value, entry, mark, amount, code, rest = matched.groups()
        mark = mark.upper()

        dates = seen_dates.get((value, entry))
        if dates is None:
            dates = _dates(value, entry, opened_on=opened_on, closed_on=closed_on)
            seen_dates[value, entry] = dates
        if dates.value_on is None or dates.booked_on is None:
            message = f"{value} {entry or ''} holds a day that does not exist"
            warnings.append(Warning_("impossible_date", position, message))
        if "," not in amount:
            message = f"amount {amount} has no decimal comma; read as whole units"
            warnings.append(Warning_("amount_without_comma", position, message))
        units = _SIGNS[mark] * swift_units(amount, decimals, position=position)

        # The first `//` divides; banks without one put everything into our reference.
        reference, _, bank_reference = rest.partition("//")
        reference = reference.strip()
        bank_reference = bank_reference.strip()

        # The :86: fields, then what stands on the lines of the :61: itself. They are separate
        # remarks, so a space goes between them.
        remarks = []
        counterparty = None
        supplement = "".join(lines[start + 1 : end]).strip() if end - start > 1 else ""
        following = number + 1
        while tags[following] in _TEXT_TAGS:
            text_start, end = starts[following], starts[following + 1]
            if tags[following] == "86":
                text = lines[text_start][4:]
                if end - text_start > 1:
                    text += "".join(lines[text_start + 1 : end])
                text, name = read_narrative(text)
                remarks.append(text)
                counterparty = counterparty or name
            following += 1
        if supplement:
            remarks.append(supplement)

        status: Status = "pending" if mark[0] == "E" else "booked"
        read.append(
            new_tuple(
                StatementLine,
                (
                    position,
                    dates.booked_on,
                    dates.value_on,
                    dates.entry_on,
                    None,
                    units,
                    None,
                    mark[0] == "R",
                    status,
                    None if bank_reference in _NO_REFERENCE else bank_reference,
                    None if reference in _NO_REFERENCE else reference,
                    counterparty,
                    " ".join(remarks).strip() if len(remarks) != 1 else remarks[0],
                    code.upper(),
                    (),
                    "\n".join(lines[start:end]).rstrip("\n"),
                ),
            )
        )
    return read


def _dates(
    value: str, entry: str | None, *, opened_on: date | None, closed_on: date | None
) -> _Dates:
    value_on = swift_date(value)
    if entry is None or not entry.strip():
        # SWIFT: without an entry date the entry is booked on its value date.
        return _Dates(value_on, None, value_on)
    # A value date on 30 February still tells month and year, which is enough to find a year.
    anchor = value_on or swift_date(f"{value[:4]}01")
    entry_on = _entry_date(entry, anchor, opened_on=opened_on, closed_on=closed_on)
    return _Dates(value_on, entry_on, entry_on)


def _entry_date(
    text: str, anchor: date | None, *, opened_on: date | None, closed_on: date | None
) -> date | None:
    """Give `MMDD` its year, which the format leaves out.

    An entry is booked after the opening and not after the closing balance: if just one year
    puts it there, that is the year, however old the value date is. Otherwise the year that
    brings it nearest to the value date (or to the closing, where that is all there is).
    """
    near = anchor or closed_on or opened_on
    if near is None:
        return None
    around = {day.year for day in (near, opened_on, closed_on) if day is not None}
    days = []
    for year in range(min(around) - 1, max(around) + 2):
        try:
            days.append(date(year, int(text[:2]), int(text[2:])))
        except ValueError:
            continue  # 29 February of another year, or no day of any year
    if opened_on is not None and closed_on is not None:
        inside = [day for day in days if opened_on <= day <= closed_on]
        if len(inside) == 1:
            return inside[0]
    return min(days, key=lambda day: abs(day - near), default=None)


def _why_not(line: str) -> str:
    if _ENTRY_WITH_POINT.match(line):
        return "a point in the amount may group thousands or mark decimals"
    if _ENTRY_CUT.match(line):
        return "the entry ends before its type code"
    return "not an entry (date, mark, amount with decimal comma, type code, reference)"
