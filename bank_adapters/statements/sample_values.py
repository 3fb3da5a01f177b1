"""Notations of a whole column: how its days and its amounts are written, or why that stays open.

A cell is never decided by itself. What fits every cell in one way only is found; what fits in two
ways is a question, with both readings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import pairwise
from typing import Final

from bank_adapters.errors import StatementFileError, shown
from bank_adapters.statements.amounts import DateReader, NumberReader, clean
from bank_adapters.statements.sample_columns import CREDIT_WORDS, DEBIT_WORDS

__all__ = ["Dates", "Numbers", "find_dates", "find_numbers", "find_period", "is_day", "sign_word"]

#: Orders of day, month and year, as spellings without their separators.
_ORDERS: Final = {
    "day first": ("%d", "%m", "%Y"),
    "month first": ("%m", "%d", "%Y"),
    "year first": ("%Y", "%m", "%d"),
    "day first, short year": ("%d", "%m", "%y"),
    "month first, short year": ("%m", "%d", "%y"),
    "year first, short": ("%y", "%m", "%d"),
}
_CLOCKS: Final = ("", " %H:%M:%S", " %H:%M", " %H.%M.%S", " %H.%M", "T%H:%M:%S", "T%H:%M")
_YEARS: Final = range(2010, 2100)
#: Order among rows says something from this many different days on.
_DAYS_MIN: Final = 3
_DAY: Final = re.compile(
    r"[0-9]{1,4}[-/. ][0-9A-Za-z]{1,9}[-/. ][0-9]{1,4}(?![0-9]).*|[0-9]{8}(?![0-9]).*"
    r"|[A-Za-z]{3,9} [0-9]{1,2},? [0-9]{4}.*",
    re.ASCII,
)
#: The first of equal readings is written.
_NOTATIONS: Final = ((".", ","), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'"))


@dataclass(frozen=True, slots=True)
class Dates:
    """Spellings of a column, and why these; or a question, with the spellings to choose from."""

    formats: tuple[str, ...]
    reason: str = ""
    question: str = ""
    choices: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Numbers:
    """Decimal and grouping sign of the amounts, and why these; or a question."""

    decimal: str
    grouping: str
    reason: str = ""
    question: str = ""


def is_day(text: str) -> bool:
    """Whether a text looks like a day in any spelling."""
    return _DAY.fullmatch(clean(text)) is not None


def find_dates(cells: Sequence[str | datetime], period: str) -> Dates:
    """Spellings that read all texts of *cells* (in the order of the rows) as one day each.

    *period* is the text of the period line, or empty.
    """
    texts = [clean(cell) for cell in cells if isinstance(cell, str)]
    if not texts:
        return Dates(
            ("%Y-%m-%d",), "all days are stored as days; a text is read as YYYY-MM-DD only"
        )
    by_order = {}
    for order in ("month by name", *_ORDERS):
        if formats := _formats(order, texts):
            by_order[order] = formats
    if not by_order:
        return Dates((), question=f"days such as {shown(texts[0])} are in no spelling known here")
    days = {order: [_day(cell, formats) for cell in cells] for order, formats in by_order.items()}
    distinct = {
        order: row for order, row in days.items() if all(d and d.year in _YEARS for d in row)
    }
    if not distinct:
        return Dates((), question=f"days such as {shown(texts[0])} lie before 2010 or after 2099")
    orders = _unlike(distinct)
    if len(orders) == 1:
        return Dates(by_order[orders[0]], f"{orders[0]}: no other order reads every row")
    inside = [order for order in orders if _is_inside(distinct[order], by_order[order], period)]
    if len(inside) == 1:
        return Dates(
            by_order[inside[0]], f"{inside[0]}: only so all rows lie in the printed period"
        )
    in_order = [order for order in orders if _is_in_order(distinct[order])]
    if len(in_order) == 1 and len(set(distinct[in_order[0]])) >= _DAYS_MIN:
        return Dates(by_order[in_order[0]], f"{in_order[0]}: only so the rows are in order")
    readings = "; ".join(
        f"{order}: {min(_known(distinct[order]))} to {max(_known(distinct[order]))}"
        for order in orders
    )
    return Dates(
        (),
        question=f"days such as {shown(texts[0])} can be read in {len(orders)} ways ({readings})",
        choices=tuple(by_order[order] for order in orders),
    )


def find_period(text: str, formats: tuple[str, ...]) -> tuple[str, ...]:
    """Spellings of the two days of the period line, those of the rows first; () where none fits."""
    spellings = [(each,) for each in formats]
    for order in (*_ORDERS, "month by name"):
        spellings += [(each,) for each in _candidates(order) if "%H" not in each]
    for spelling in spellings:
        if (found := _period(text, spelling)) and found[0] <= found[1]:
            return spelling
    return ()


def find_numbers(cells: Iterable[str]) -> Numbers:
    """The notation that reads all of *cells* (texts of amounts; blanks say nothing)."""
    texts = [text for cell in cells if (text := clean(cell)) and text != "-"]
    cores = [_core(text) for text in texts]
    if not any("." in core or "," in core or " " in core or "'" in core for core in cores):
        return Numbers(
            ".", "", "no amount has a decimal sign: whole rupiah; grouped amounts are refused"
        )
    read = {
        notation: units for notation in _NOTATIONS if (units := _units(texts, notation)) is not None
    }
    if not read:
        return Numbers("", "", question=_odd_amounts(texts))
    sample = next(
        (t for t, c in zip(texts, cores, strict=True) if _says_grouping_or_decimal(c)), None
    )
    if sample is None:
        text = next(t for t, c in zip(texts, cores, strict=True) if "." in c or "," in c)
        return Numbers(
            "",
            "",
            question=(
                f"amounts such as {shown(text)} have one sign and three digits behind it, and no"
                " amount has two decimals: thousands, or decimals?"
            ),
        )
    if len(set(map(tuple, read.values()))) > 1:
        return Numbers("", "", question=f"amounts such as {shown(sample)} can be read in two ways")
    decimal, grouping = next(iter(read))
    name = {" ": "a blank"}.get(grouping, f"'{grouping}'")
    return Numbers(decimal, grouping, f"decimal '{decimal}', thousands {name}, as in {sample}")


def sign_word(text: str) -> str:
    """The debit or credit word behind an amount, as it is written there, or ""."""
    last = clean(text).lstrip("0123456789., -'").rpartition(" ")[2]
    return last if last.upper() in (*DEBIT_WORDS, *CREDIT_WORDS) else ""


# --- days -------------------------------------------------------------------------------------------


def _candidates(order: str) -> list[str]:
    if order == "month by name":
        bases = [f"%d{s}%b{s}{y}" for s in ("-", " ", "/", ".") for y in ("%Y", "%y")]
        bases += ["%b %d, %Y", "%b %d %Y", "%d-%b %Y"]
    else:
        parts = _ORDERS[order]
        bases = [s.join(parts) for s in ("/", "-", ".", " ")]
        if "%Y" in parts:
            bases.append("".join(parts))
    return [base + clock for base in bases for clock in _CLOCKS]


def _formats(order: str, texts: Sequence[str]) -> tuple[str, ...]:
    """Spellings of *order* that read all texts between them, or ()."""
    # Months by name and years in front have one reading; they may stand among the others.
    orders = dict.fromkeys((order, "month by name", "year first"))
    candidates = [spelling for each in orders for spelling in _candidates(each)]
    used: list[str] = []
    for text in dict.fromkeys(texts):
        if any(_reads(each, text) for each in used):
            continue
        spelling = next((each for each in candidates if _reads(each, text)), None)
        if spelling is None:
            return ()
        used.append(spelling)
    own = set(_candidates(order))
    if not own & set(used):
        return ()  # nothing in it is of this order
    return tuple(used)


def _reads(spelling: str, text: str) -> bool:
    return _day(text, (spelling,)) is not None


def _day(cell: str | datetime, formats: tuple[str, ...]) -> date | None:
    if isinstance(cell, datetime):
        return cell.date()
    try:
        return _reader(formats).read(cell, position=0)[0]
    except StatementFileError:
        return None


@lru_cache(maxsize=256)
def _reader(formats: tuple[str, ...]) -> DateReader:
    return DateReader("sample", formats)


def _unlike(days: dict[str, list[date | None]]) -> list[str]:
    """Orders whose readings differ; of equal ones the first."""
    first: dict[tuple[date | None, ...], str] = {}
    for order, row in days.items():
        first.setdefault(tuple(row), order)
    return list(first.values())


def _period(text: str, formats: tuple[str, ...]) -> tuple[date, date] | None:
    try:
        found = DateReader("sample", formats).find_all(text, position=0)
    except StatementFileError:
        return None
    return (found[0], found[1]) if len(found) == 2 else None


def _is_inside(days: list[date | None], formats: tuple[str, ...], text: str) -> bool:
    spelling = find_period(text, formats) if text else ()
    period = _period(text, spelling) if spelling else None
    return period is not None and all(period[0] <= day <= period[1] for day in _known(days))


def _is_in_order(days: list[date | None]) -> bool:
    known = _known(days)
    upwards = all(a <= b for a, b in pairwise(known))
    return upwards or all(a >= b for a, b in pairwise(known))


def _known(days: list[date | None]) -> list[date]:
    return [day for day in days if day is not None]


# --- amounts ----------------------------------------------------------------------------------------


def _core(text: str) -> str:
    """The digits and the signs between them."""
    found = re.search(r"[0-9.,][0-9., ']*", re.sub(r"(?i)^[-( ]*(?:rp\.?|idr)", "", text))
    return found[0].strip(" '") if found else ""


def _units(texts: list[str], notation: tuple[str, str]) -> list[int] | None:
    reader = NumberReader(
        decimal=notation[0],
        grouping=notation[1],
        debit_words=DEBIT_WORDS,
        credit_words=CREDIT_WORDS,
    )
    try:
        return [reader.units(text, 2, position=0) or 0 for text in texts]
    except StatementFileError:
        return None


def _says_grouping_or_decimal(core: str) -> bool:
    """Whether the text has two groups, both signs, or one or two decimals."""
    signs = [c for c in core if c in ".,"]
    if len(signs) > 1 or (signs and (" " in core or "'" in core)):
        return True
    if not signs:
        return " " in core or "'" in core
    return len(core.rpartition(signs[0])[2]) in {1, 2} or core.startswith(signs[0])


def _odd_amounts(texts: list[str]) -> str:
    for notation in _NOTATIONS[:2]:
        fitting = [text for text in texts if _units([text], notation) is not None]
        others = [text for text in texts if _units([text], notation) is None]
        if fitting and others:
            return f"amounts are not of one notation: {shown(fitting[0])} and {shown(others[0])}"
    return f"amounts such as {shown(texts[0])} are in no notation known here"
