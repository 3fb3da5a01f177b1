"""A workbook's sheets as tables that a profile reads.

Cells are printed in the profile's own notation first: a number with its decimal sign, a day in its
first spelling. So a sheet goes the same way as a CSV file, whether the bank stored a text, a number
or a day, and mixes them or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, time
from decimal import Decimal

from bank_adapters.errors import AmbiguousFormatError, HeaderNotFoundError, UnknownFormatError
from bank_adapters.statements.amounts import day_text
from bank_adapters.statements.csv_profiles import Row, Source, find_header, read_table
from bank_adapters.statements.profile import Profile
from bank_adapters.statements.statement import Statement, Warning_
from bank_adapters.statements.workbook import FORMAT, Cell, Sheet, read_workbook

__all__ = ["FORMAT", "read_sheets", "sheet_source"]


def read_sheets(
    members: Mapping[str, bytes], profiles: tuple[Profile, ...], *, account: str | None = None
) -> tuple[list[Statement], list[Warning_], Profile]:
    """Read every sheet of the workbook's files that has the header of the one layout among *profiles* that fits.

    Sheets without it are left out with a warning. Raises UnknownFormatError, AmbiguousFormatError,
    and what the readers of workbooks and tables raise.
    """
    sheets = [sheet_source(sheet) for sheet in read_workbook(members)]
    fitting = [
        (profile, places)
        for profile in profiles
        if (places := {n for n, sheet in enumerate(sheets) if _fits(sheet, profile)})
    ]
    if not fitting:
        if len(profiles) == 1:
            find_header(sheet_source(Sheet("", [])), profiles[0])
        raise UnknownFormatError(tuple(f"{FORMAT} with profile {each.name}" for each in profiles))
    if len(fitting) > 1:
        raise AmbiguousFormatError(tuple(f"{FORMAT} with profile {e.name}" for e, _ in fitting))
    ((profile, places),) = fitting
    statements: list[Statement] = []
    warnings: list[Warning_] = []
    for n, sheet in enumerate(sheets):
        if n in places:
            read, said = read_table(sheet, profile, account=account)
            statements += read
            warnings += said
        elif sheet.last:
            message = f"sheet {n + 1} has no header of profile {profile.name} and was left out"
            warnings.append(Warning_("sheet_left_out", None, message))
    return statements, warnings, profile


def sheet_source(sheet: Sheet) -> Source:
    """The rows of a sheet, as wide as its widest."""
    width = max((len(row.cells) for row in sheet.rows), default=0)

    def rows(profile: Profile) -> Iterator[Row]:
        for number, cells in sheet.rows:
            texts = [_text(cell, profile) for cell in cells]
            texts += [""] * (width - len(texts))
            days = frozenset(n for n, cell in enumerate(cells) if isinstance(cell, datetime))
            yield Row(number, texts, "\t".join(texts).rstrip("\t"), days)

    return Source(rows, sheet.rows[-1].number if sheet.rows else 0)


def _fits(sheet: Source, profile: Profile) -> bool:
    try:
        find_header(sheet, profile)
    except HeaderNotFoundError:
        return False
    return True


def _text(cell: Cell, profile: Profile) -> str:
    if cell is None:
        return ""
    if isinstance(cell, Decimal):
        text = f"{cell:f}"
        if "." in text:
            text = text.rstrip("0").removesuffix(".")
        return text.replace(".", profile.decimal)
    if isinstance(cell, datetime):
        return _day_text(cell, profile)
    # A line break within a cell is a space: a record is one line.
    return " ".join(cell.splitlines()) if "\n" in cell or "\r" in cell else cell


def _day_text(moment: datetime, profile: Profile) -> str:
    """In the first spelling that says the time too, where there is one to say."""
    spellings = profile.date_formats
    with_time = [each for each in spellings if "%H" in each]
    without = [each for each in spellings if "%H" not in each]
    wanted = with_time + without if moment.time() != time() else without + with_time
    return day_text(moment, wanted[0])
