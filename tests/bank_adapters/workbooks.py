"""XLSX workbooks and ZIP archives for tests, built from their parts."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from xml.sax.saxutils import escape

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

Typed = str | int | Decimal | date | datetime | None
"""A cell as a program would write it; a text that begins with `<` is XML as it stands."""


def archive(members: Mapping[str, bytes | str]) -> bytes:
    """A ZIP of these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return out.getvalue()


def sheet(rows: Sequence[Sequence[Typed]]) -> str:
    """The XML of a sheet."""
    body = "".join(
        f"<row r='{n}'>{''.join(_cell(cell, n, k) for k, cell in enumerate(cells))}</row>"
        for n, cells in enumerate(rows, start=1)
    )
    return f"<worksheet xmlns='{MAIN}'><sheetData>{body}</sheetData></worksheet>"


def members(
    *sheets: str,
    strings: Sequence[str] = (),
    formats: Sequence[str] = ("yyyy-mm-dd", "dd/mm/yyyy hh:mm"),
    properties: str = "",
) -> dict[str, bytes | str]:
    """The files of a workbook. Cell style 0 is General, style n shows `formats[n - 1]`."""
    names = [f"<sheet name='S{n}' sheetId='{n}' r:id='rId{n}'/>" for n in range(1, len(sheets) + 1)]
    relations = [
        f"<Relationship Id='rId{n}' Type='{RELATIONS}/worksheet' Target='worksheets/s{n}.xml'/>"
        for n in range(1, len(sheets) + 1)
    ]
    codes = [
        f"<numFmt numFmtId='{200 + n}' formatCode='{escape(code, {chr(39): '&apos;'})}'/>"
        for n, code in enumerate(formats)
    ]
    styles = [f"<xf numFmtId='{200 + n}'/>" for n in range(len(formats))]
    made: dict[str, bytes | str] = {
        "[Content_Types].xml": "<Types/>",
        "xl/workbook.xml": (
            f"<workbook xmlns='{MAIN}' xmlns:r='{RELATIONS}'><workbookPr {properties}/>"
            f"<sheets>{''.join(names)}</sheets></workbook>"
        ),
        "xl/_rels/workbook.xml.rels": f"<Relationships>{''.join(relations)}</Relationships>",
        "xl/styles.xml": (
            f"<styleSheet xmlns='{MAIN}'><numFmts>{''.join(codes)}</numFmts>"
            f"<cellXfs><xf numFmtId='0'/>{''.join(styles)}</cellXfs></styleSheet>"
        ),
    }
    made |= {f"xl/worksheets/s{n}.xml": text for n, text in enumerate(sheets, start=1)}
    if strings:
        items = "".join(f"<si>{each}</si>" for each in strings)
        made["xl/sharedStrings.xml"] = f"<sst xmlns='{MAIN}'>{items}</sst>"
    return made


def workbook(*tables: Sequence[Sequence[Typed]]) -> bytes:
    """A workbook of these tables, one a sheet."""
    return archive(members(*(sheet(table) for table in tables)))


def _cell(cell: Typed, row: int, column: int) -> str:
    place = f"r='{chr(ord('A') + column)}{row}'"
    if cell is None:
        return ""
    if isinstance(cell, str):
        if cell.startswith("<"):
            return cell
        return f"<c {place} t='inlineStr'><is><t>{escape(cell)}</t></is></c>"
    if isinstance(cell, datetime):
        days = (cell - datetime(1899, 12, 30)) / timedelta(days=1)  # noqa: DTZ001  # a sheet's day
        return f"<c {place} s='2'><v>{days!r}</v></c>"
    if isinstance(cell, date):
        return f"<c {place} s='1'><v>{(cell - date(1899, 12, 30)).days}</v></c>"
    # As programs do it: through a double.
    return f"<c {place}><v>{float(cell)!r}</v></c>"
