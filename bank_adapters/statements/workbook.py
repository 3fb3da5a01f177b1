"""XLSX workbooks (ECMA-376) to rows of cells: text, number or day, as the file stores them.

A number keeps the decimal text of the file, rounded to nothing but the error of a binary double; a
number that a double can't hold to the sen is refused. Only what a bank's export needs is read: shared
and inline strings, numbers, and days by the format of their cell. Formulas count by their stored
value. XML with a DOCTYPE is refused.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET  # a DOCTYPE, and with it every entity, is refused before
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from bank_adapters.errors import (
    DoctypeForbiddenError,
    MalformedXmlError,
    UnreadableAmountError,
    UnreadableEntryError,
    UnsafeArchiveError,
)

__all__ = ["FORMAT", "Cell", "Sheet", "is_workbook", "read_workbook"]

FORMAT: Final = "xlsx"
_WORKBOOK: Final = "xl/workbook.xml"
_DECLARED: Final = re.compile(rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)[\"']")
_COLUMNS_MAX: Final = 1_000
#: Cells, with the empty ones before a filled one: a row of thirty bytes may claim a thousand.
_CELLS_MAX: Final = 25_000_000
#: Built-in formats of days and times (ECMA-376 part 1, 18.8.30).
_DAY_FORMATS: Final = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
#: What of a format's code is no letter of a day: quoted text, escapes, colours, conditions.
_NOT_CODE: Final = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
#: Excel's own limit.
_CODE_CHARACTERS_MAX: Final = 255
_DAY_LETTER: Final = re.compile(r"[dmyhs]", re.IGNORECASE)
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_CELL: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7})", re.ASCII)
#: Day 0 of both calendars. Excel's 1900 was a leap year; no bank statement is that old.
_DAY_0: Final = datetime(1899, 12, 30)  # noqa: DTZ001  # a sheet's days have no zone
_DAY_0_1904: Final = datetime(1904, 1, 1)  # noqa: DTZ001  # as above
_DAYS: Final = (61, 2_958_465)
_SEN: Final = Decimal("0.01")
#: Every multiple of 0.01 below this has a double of its own.
_EXACT_BELOW: Final = Decimal(2**53) / 100

Cell = str | Decimal | datetime | None
"""Text, number, day (with its time), or nothing."""


class SheetRow(NamedTuple):
    """A row by its number (from 1)."""

    number: int
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet's name and its rows that hold anything."""

    name: str
    rows: list[SheetRow]


def is_workbook(members: Mapping[str, bytes]) -> bool:
    """Whether an archive of these files is a workbook."""
    return _WORKBOOK in members


def read_workbook(members: Mapping[str, bytes]) -> list[Sheet]:
    """The sheets in their order, from the files of the archive.

    Raises MalformedXmlError, DoctypeForbiddenError, UnreadableAmountError, UnreadableEntryError,
    UnsafeArchiveError.
    """
    book = _parse(members, _WORKBOOK)
    targets = {
        each.get("Id"): (each.get("Target") or "").removeprefix("/")
        for each in _parse(members, "xl/_rels/workbook.xml.rels")
    }
    strings = _strings(members)
    days = _day_styles(members)
    properties = next((each for each in book if _local(each) == "workbookPr"), None)
    is_1904 = properties is not None and properties.get("date1904") in {"1", "true"}
    sheets: list[Sheet] = []
    paths: set[str] = set()
    left = _CELLS_MAX
    for each in book.iter():
        if _local(each) != "sheet":
            continue
        key = next((value for name, value in each.items() if _plain(name) == "id"), None)
        target = targets.get(key, "")
        path = target if target in members else f"xl/{target}"
        if path not in members:
            raise MalformedXmlError(
                f"the workbook names a sheet that is not there ({target[:80]!r})"
            )
        if path in paths:
            raise MalformedXmlError(f"the workbook names {path[:80]!r} as two of its sheets")
        paths.add(path)
        reader = _SheetReader(strings, days, _DAY_0_1904 if is_1904 else _DAY_0)
        rows = []
        for row in reader.rows(members[path]):
            rows.append(row)
            left -= len(row.cells)
            if left < 0:
                raise UnsafeArchiveError(f"its sheets hold more than {_CELLS_MAX} cells")
        sheets.append(Sheet(each.get("name") or "", rows))
    return sheets


@dataclass(slots=True)
class _SheetReader:
    strings: list[str]
    days: set[int]
    day_0: datetime

    def rows(self, data: bytes) -> Iterator[SheetRow]:
        _refuse_doctype(data)
        number = 0
        try:
            # No DOCTYPE, so no entities.
            for _, element in ET.iterparse(io.BytesIO(data), events=("end",)):  # noqa: S314  # so
                if _local(element) != "row":
                    continue
                number = _row_number(element.get("r"), number)
                cells = self._row(element, number)
                if any(cell is not None for cell in cells):
                    yield SheetRow(number, cells)
                element.clear()
        except (ET.ParseError, LookupError, ValueError) as error:
            raise MalformedXmlError(str(error)) from None

    def _row(self, row: ET.Element, number: int) -> list[Cell]:
        cells: list[Cell] = []
        for element in row:
            if _local(element) != "c":
                continue
            at = _CELL.fullmatch(element.get("r") or "")
            column = _column(at[1]) if at else len(cells)
            if column >= _COLUMNS_MAX or column < len(cells):
                reason = f"cells out of order, or more than {_COLUMNS_MAX}"
                raise UnreadableEntryError(element.get("r") or "", reason, position=number)
            cells += [None] * (column - len(cells))
            cells.append(self._cell(element, number))
        return cells

    def _cell(self, element: ET.Element, number: int) -> Cell:
        kind = element.get("t", "n")
        if kind == "inlineStr":
            return _texts(element) or None
        value = next((each.text for each in element if _local(each) == "v"), None)
        if value is None or not value.strip():
            return None
        if kind == "s":
            index = _whole(value)
            if index is None or index >= len(self.strings):
                raise UnreadableEntryError(value, "no shared string", position=number)
            return self.strings[index] or None
        if kind in {"str", "b", "e", "d"}:
            return value
        if kind != "n" or _NUMBER.fullmatch(value.strip()) is None:
            raise UnreadableEntryError(value, f"no value of a cell of type {kind}", position=number)
        amount = Decimal(value.strip())
        if _whole(element.get("s", "0")) in self.days:
            return self._day(amount, number)
        return _exact(amount, value, number)

    def _day(self, amount: Decimal, number: int) -> datetime | str:
        if 0 <= amount < 1:  # a time of day without a day
            return (self.day_0 + timedelta(seconds=round(amount * 86_400))).strftime("%H:%M:%S")
        if not _DAYS[0] <= amount <= _DAYS[1]:
            raise UnreadableEntryError(str(amount), "not a day of a sheet", position=number)
        try:
            return self.day_0 + timedelta(days=int(amount), seconds=round(amount % 1 * 86_400))
        except OverflowError:  # behind the year 9999: days from 1904, or a time rounded up
            reason = "not a day of a sheet"
            raise UnreadableEntryError(str(amount), reason, position=number) from None


def _row_number(text: str | None, before: int) -> int:
    """A row without a number is the next one; numbers rise (ECMA-376-1, 18.3.1.73)."""
    if text is None:
        return before + 1
    number = _whole(text)
    if number is None or number <= before:
        raise UnreadableEntryError(text[:40], f"no row behind row {before}", position=before)
    return number


def _exact(amount: Decimal, text: str, number: int) -> Decimal:
    """The amount that was typed: a double of it differs in the sixteenth digit at most."""
    if abs(amount) >= 10**18:
        raise UnreadableAmountError(text, "more digits than a bank's amount", position=number)
    near = amount.quantize(_SEN)
    if near == amount:
        pass
    elif abs(near - amount) > abs(amount) * Decimal("1e-14"):
        return amount  # more decimals than two were typed; the layout's rules decide
    if abs(near) >= _EXACT_BELOW and near != near.to_integral_value():
        reason = "a sheet's number this large does not hold its decimals"
        raise UnreadableAmountError(text, reason, position=number)
    return near


def _whole(text: str) -> int | None:
    """A count or an index of the file; None for what is none (or is in no digits of ours)."""
    return int(text) if len(text) < 8 and text.isascii() and text.isdigit() else None


def _column(letters: str) -> int:
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1


def _strings(members: Mapping[str, bytes]) -> list[str]:
    if "xl/sharedStrings.xml" not in members:
        return []
    return [_texts(each) for each in _parse(members, "xl/sharedStrings.xml")]


def _texts(element: ET.Element) -> str:
    """The text of a string item: its `t`, or those of its runs; never phonetic hints."""
    parts = []
    for each in element:
        name = _local(each)
        if name == "t":
            parts.append(each.text or "")
        elif name in {"r", "is"}:
            parts.append(_texts(each))
    return "".join(parts)


def _day_styles(members: Mapping[str, bytes]) -> set[int]:
    """Numbers of the cell styles that show a number as a day."""
    if "xl/styles.xml" not in members:
        return set()
    styles = _parse(members, "xl/styles.xml")
    codes: dict[str, str] = {}
    formats: list[str] = []
    for part in styles:
        if _local(part) == "numFmts":
            codes = {each.get("numFmtId", ""): each.get("formatCode", "") for each in part}
        elif _local(part) == "cellXfs":
            formats = [each.get("numFmtId", "0") for each in part]
    return {n for n, key in enumerate(formats) if _is_day(key, codes.get(key))}


def _is_day(key: str, code: str | None) -> bool:
    if code is None:
        return _whole(key) in _DAY_FORMATS
    if len(code) > _CODE_CHARACTERS_MAX:
        return False
    first = _NOT_CODE.sub("", code).split(";")[0]
    return _DAY_LETTER.search(first) is not None and "general" not in first.casefold()


def _parse(members: Mapping[str, bytes], path: str) -> ET.Element:
    if path not in members:
        raise MalformedXmlError(f"the workbook lacks {path}")
    _refuse_doctype(members[path])
    try:
        return ET.fromstring(members[path])  # noqa: S314  # no DOCTYPE, so no entities
    except (ET.ParseError, LookupError, ValueError) as error:
        raise MalformedXmlError(f"{path}: {error}") from None


def _refuse_doctype(data: bytes) -> None:
    # The parts of a workbook are UTF-8; in another encoding a DOCTYPE would not be seen here.
    declared = _DECLARED.match(data)
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\x00" in data[:64]:
        raise MalformedXmlError("a part of the workbook is not in UTF-8")
    if declared is not None and declared[1].lower() != b"utf-8":
        raise MalformedXmlError("a part of the workbook is not in UTF-8")
    if (at := data.find(b"<!DOCTYPE")) >= 0:
        raise DoctypeForbiddenError(position=data.count(b"\n", 0, at) + 1)


def _local(element: ET.Element) -> str:
    return _plain(element.tag)


def _plain(name: str) -> str:
    return name.rpartition("}")[2]
