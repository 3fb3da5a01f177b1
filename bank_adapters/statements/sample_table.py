"""A sample file to its table: which sheet, which delimiter, which row is the header."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bank_adapters.errors import (
    OversizedFileError,
    UnreadableRowError,
    UnreadableSampleError,
    shown,
)
from bank_adapters.statements import camt, mt940
from bank_adapters.statements.archive import read_members
from bank_adapters.statements.csv_profiles import csv_rows
from bank_adapters.statements.sample_columns import fields_in
from bank_adapters.statements.text import read_text
from bank_adapters.statements.workbook import Cell, is_workbook, read_workbook

__all__ = ["SampleRow", "SampleTable", "read_sample", "text_of"]

SIZE_BYTES_MAX: Final = 32 * 1024 * 1024
DELIMITERS: Final = (",", ";", "\t", "|")
_HEADER_ROWS_MAX: Final = 100
_FIELDS_MIN: Final = 3
_MONEY: Final = {"amount", "debit", "credit"}


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A row as the file stores it; texts alone in a CSV file."""

    position: int
    cells: tuple[Cell, ...]

    def texts(self) -> list[str]:
        """The cells as texts; days and numbers of a sheet too."""
        return [text_of(cell) for cell in self.cells]

    def is_blank(self) -> bool:
        """Whether nothing stands in it."""
        return not any(text.strip() for text in self.texts())


@dataclass(frozen=True, slots=True)
class SampleTable:
    """The rows above the header, the header, and what follows it."""

    format: str
    where: str
    delimiter: str
    encoding: str
    above: tuple[SampleRow, ...]
    header: SampleRow
    rows: tuple[SampleRow, ...]


def text_of(cell: Cell) -> str:
    """A cell as text."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat(" ")
    return cell if isinstance(cell, str) else f"{cell:f}"


def read_sample(data: bytes) -> SampleTable:
    """The table of a CSV file or workbook that names most of a layout's fields.

    Raises UnreadableSampleError and what the readers of text, archives and workbooks raise.
    """
    if len(data) > SIZE_BYTES_MAX:
        raise OversizedFileError(len(data), SIZE_BYTES_MAX)
    tables = _sheets(data) if data.startswith(b"PK") else _texts(data)
    best: tuple[int, int, _Rows] | None = None
    for table in tables:
        score, place = _header(table.rows)
        if best is None or score > best[0]:
            best = score, place, table
    if best is None or best[0] < _FIELDS_MIN:
        raise UnreadableSampleError(_why_not(tables))
    _, place, table = best
    rows = [row for row in table.rows if not row.is_blank()]
    header = table.rows[place]
    after = tuple(row for row in rows if row.position > header.position)
    if not after:
        raise UnreadableSampleError("no row follows the header", position=header.position)
    return SampleTable(
        format=table.format,
        where=table.where,
        delimiter=table.delimiter,
        encoding=table.encoding,
        above=tuple(row for row in rows if row.position < header.position),
        header=header,
        rows=tuple(row for row in after if row.texts() != header.texts()),
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    format: str
    where: str
    delimiter: str
    encoding: str
    rows: list[SampleRow]


def _sheets(data: bytes) -> list[_Rows]:
    members = read_members(data)
    if not is_workbook(members):
        raise UnreadableSampleError("it is an archive; give one of its files")
    return [
        _Rows(
            "xlsx",
            f"sheet {number} ({shown(sheet.name)})",
            ",",
            "",
            [SampleRow(row.number, tuple(row.cells)) for row in sheet.rows],
        )
        for number, sheet in enumerate(read_workbook(members), start=1)
    ]


def _texts(data: bytes) -> list[_Rows]:
    if camt.claims(data):
        raise UnreadableSampleError("it is camt, which needs none")
    text = read_text(data)
    if mt940.claims(text):
        raise UnreadableSampleError("it is MT940 or MT942, which needs none")
    found = []
    refused: UnreadableRowError | None = None
    for delimiter in DELIMITERS:
        try:
            rows = [
                SampleRow(row.position, tuple(row.cells)) for row in csv_rows(text.lines, delimiter)
            ]
        except UnreadableRowError as error:
            refused = refused or error
            continue
        name = "tab" if delimiter == "\t" else f"'{delimiter}'"
        where = f"columns parted by {name}, {text.encoding}"
        found.append(_Rows("csv", where, delimiter, text.encoding, rows))
    if not found and refused is not None:
        raise refused
    return found


def _header(rows: list[SampleRow]) -> tuple[int, int]:
    """How many fields the best header row names, and its place."""
    best, place = 0, 0
    for number, row in enumerate(rows[:_HEADER_ROWS_MAX]):
        fields = fields_in(row.texts())
        score = len(fields) if fields.keys() & _MONEY else 0
        if score > best:
            best, place = score, number
    return best, place


def _why_not(tables: list[_Rows]) -> str:
    seen = [
        text
        for table in tables
        for row in table.rows[:_HEADER_ROWS_MAX]
        for text in row.texts()
        if len(table.rows[0].cells) > 1 or table.format == "xlsx"
        if text.strip() and not any(c.isdigit() for c in text)
    ]
    known = "no row names at least three columns that are known, one of them of money"
    if not seen:
        return known
    names = ", ".join(dict.fromkeys(shown(text) for text in seen[:6]))
    return f"{known}; the first texts are {names}"
