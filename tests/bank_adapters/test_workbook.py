"""XLSX: cells to texts, numbers and days, and a sheet read like the CSV of the same layout."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bank_adapters import StatementFile, read_statement_file
from bank_adapters.errors import (
    AmbiguousFormatError,
    DoctypeForbiddenError,
    HeaderNotFoundError,
    MalformedXmlError,
    StatementFileError,
    UnknownFormatError,
    UnreadableAmountError,
    UnreadableEntryError,
    UnsafeArchiveError,
    UnsupportedFormatError,
)
from bank_adapters.statements import workbook as workbook_module
from bank_adapters.statements.archive import read_members
from bank_adapters.statements.workbook import Cell, read_workbook
from ledger.money import sen_text
from tests.bank_adapters.helpers import codes
from tests.bank_adapters.workbooks import MAIN, Typed, archive, members, sheet, workbook

HEADER = [
    *("Post Date", "Effective Date", "Account", "Name", "Description"),
    *("Currency", "Debit", "Credit", "Balance", "Reference No"),
]
DAY = date(2026, 3, 2)


def row(
    debit: Typed = None,
    credit: Typed = None,
    balance: Typed = None,
    *,
    on: Typed = DAY,
    text: Typed = "X",
    account: Typed = "0011234567",
) -> list[Typed]:
    """A row of Bank Jatim's layout."""
    return [on, on, account, "RKUD", text, "IDR", debit, credit, balance, "1"]


def cells(*xml: str, **parts: object) -> list[Cell]:
    """The first row's cells of a sheet with these `c` elements."""
    text = f"<worksheet><sheetData><row>{''.join(xml)}</row></sheetData></worksheet>"
    files = read_members(archive(members(text, **parts)))  # type: ignore[arg-type]  # its options
    return read_workbook(files)[0].rows[0].cells


# --- cells ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("xml", "value"),
    [
        ("<c t='inlineStr'><is><t>a &amp; b</t></is></c>", "a & b"),
        ("<c t='inlineStr'><is><r><t>a</t></r><r><rPr/><t> b</t></r></is></c>", "a b"),
        ("<c t='s'><v>1</v></c>", "second"),
        ("<c t='s'><v>2</v></c>", "rich text"),
        ("<c t='str'><f>A1</f><v>of a formula</v></c>", "of a formula"),
        ("<c t='b'><v>1</v></c>", "1"),
        ("<c t='e'><v>#N/A</v></c>", "#N/A"),
        ("<c><v>3888604.03</v></c>", Decimal("3888604.03")),
        ("<c t='n'><f>SUM(A1)</f><v>12</v></c>", Decimal(12)),
        ("<c><v>-0.1</v></c>", Decimal("-0.10")),
        ("<c><v>0.30000000000000004</v></c>", Decimal("0.30")),
        ("<c><v>1.4974347365308801E12</v></c>", Decimal("1497434736530.88")),
        ("<c><v>1.5E+15</v></c>", Decimal(1500000000000000)),
        ("<c><v>1.005</v></c>", Decimal("1.005")),
        ("<c s='1'><v>46083</v></c>", datetime(2026, 3, 2)),  # noqa: DTZ001  # a sheet's day
        ("<c s='2'><v>46083.5</v></c>", datetime(2026, 3, 2, 12)),  # noqa: DTZ001  # as above
    ],
)
def test_cell_is_what_the_file_stores(xml: str, value: Cell) -> None:
    """Texts wherever they stand, numbers without a double's error, days by their format."""
    strings = ["<t>first</t>", "<t>second</t>", "<r><t>rich</t></r><r><t> text</t></r>"]

    assert [value] == cells(xml, strings=strings)


@pytest.mark.parametrize(
    ("xml", "error"),
    [
        ("<c><v>90071992547410.25</v></c>", UnreadableAmountError),
        ("<c><v>1E18</v></c>", UnreadableAmountError),
        ("<c><v>1,5</v></c>", UnreadableEntryError),
        ("<c><v>NaN</v></c>", UnreadableEntryError),
        ("<c><v>0x10</v></c>", UnreadableEntryError),
        ("<c t='s'><v>7</v></c>", UnreadableEntryError),
        ("<c t='s'><v>-1</v></c>", UnreadableEntryError),
        ("<c t='s'><v>²</v></c>", UnreadableEntryError),
        (f"<c t='s'><v>{'9' * 5000}</v></c>", UnreadableEntryError),
        ("<c s='1'><v>5</v></c>", UnreadableEntryError),
        ("<c s='1'><v>1E9</v></c>", UnreadableEntryError),
        ("<c r='B1'><v>1</v></c><c r='A1'><v>2</v></c>", UnreadableEntryError),
        ("<c r='ZZZ1'><v>1</v></c>", UnreadableEntryError),
        ("<c t='odd'><v>1</v></c>", UnreadableEntryError),
    ],
)
def test_cell_that_could_be_read_in_two_ways_is_refused(
    xml: str, error: type[StatementFileError]
) -> None:
    """With its row: a number that lost its decimals, a string that is not there, a day before days."""
    with pytest.raises(error) as refused:
        cells(xml, strings=["<t>x</t>"])

    assert 1 == refused.value.position


@pytest.mark.parametrize("number", ["0", "2", "1", "", "x", "-3", "²", "99999999"])
def test_rows_whose_numbers_do_not_rise_are_refused(number: str) -> None:
    """A position of a line names one row of the file."""
    rows = "<row r='2'><c><v>1</v></c></row><row r='{0}'><c><v>2</v></c></row>"
    xml = f"<worksheet xmlns='{MAIN}'><sheetData>{rows.format(number)}</sheetData></worksheet>"
    with pytest.raises(UnreadableEntryError) as refused:
        read_workbook(read_members(archive(members(xml))))

    assert 2 == refused.value.position


def test_row_without_a_number_is_the_next_one() -> None:
    """Some programs number no row, or only those behind a gap."""
    rows = "".join(f"<row{n}><c><v>1</v></c></row>" for n in ("", "", " r='7'", ""))
    xml = f"<worksheet xmlns='{MAIN}'><sheetData>{rows}</sheetData></worksheet>"
    (read,) = read_workbook(read_members(archive(members(xml))))

    assert [1, 2, 7, 8] == [row.number for row in read.rows]


@pytest.mark.parametrize(
    ("code", "is_day"),
    [
        ("yyyy-mm-dd", True),
        ("dd/mm/yy;@", True),
        ("[$-421]dd mmmm yyyy", True),
        ("[h]:mm", True),
        ("General", False),
        ("#,##0.00", False),
        ("[Red]#,##0", False),
        ('"dibayar" 0', False),
        ("0.00E+00", False),
        ("\\d0", False),
        ("_(* #,##0_)", False),
    ],
)
def test_format_tells_a_day_from_a_number(code: str, is_day: bool) -> None:
    """Letters of a day count, not those in quotes, colours and escapes."""
    (cell,) = cells("<c s='1'><v>46083</v></c>", formats=[code])

    assert is_day is isinstance(cell, datetime)


def test_days_of_1904_are_four_years_later() -> None:
    """Workbooks of old Macs count from another day."""
    (cell,) = cells("<c s='1'><v>44621</v></c>", properties="date1904='1'")

    assert datetime(2026, 3, 2) == cell  # noqa: DTZ001  # a sheet's day


@pytest.mark.parametrize("value", ["2957004", "2958465", "2957003.9999999"])
def test_day_behind_the_year_9999_is_refused(value: str) -> None:
    """The last day of the calendar from 1900 is none of the one from 1904."""
    with pytest.raises(UnreadableEntryError, match="not a day of a sheet"):
        cells(f"<c s='1'><v>{value}</v></c>", properties="date1904='1'")


@pytest.mark.parametrize("number", ["²", "9" * 5000, "", "x"])
def test_format_of_no_number_shows_no_day(number: str) -> None:
    """A format that the workbook doesn't have leaves the cell a number."""
    files = members(sheet([["<c r='A1' s='1'><v>46083</v></c>"]]))
    styles = str(files["xl/styles.xml"]).replace(
        "<xf numFmtId='200'/>", f"<xf numFmtId='{number}'/>"
    )
    read = read_workbook(read_members(archive(files | {"xl/styles.xml": styles})))

    assert [Decimal(46083)] == read[0].rows[0].cells


def test_format_code_longer_than_any_is_not_looked_through() -> None:
    """Brackets that open and never close would be searched from each of them to the end."""
    (cell,) = cells("<c s='1'><v>46083</v></c>", formats=["[" * 200_000 + "yyyy"])

    assert Decimal(46083) == cell


def test_cells_stand_in_the_column_that_they_name() -> None:
    """A blank cell is left out of the file, and its column stays."""
    assert [None, None, Decimal(1), None, "x"] == cells(
        "<c r='C1'><v>1</v></c><c r='E1' t='str'><v>x</v></c>"
    )


# --- sheets as tables -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows",
    [
        [row("3,888,604.03", None, "1,000.00", on="02/03/2026")],
        [row(Decimal("3888604.03"), None, Decimal(1000))],
        [row("3888604.03", "", "1000", on=datetime(2026, 3, 2))],  # noqa: DTZ001  # a sheet's day
    ],
    ids=["texts", "numbers", "mixed"],
)
def test_row_is_the_same_however_its_cells_are_stored(rows: list[list[Typed]]) -> None:
    """Texts in the bank's notation, numbers and days: one entry."""
    file = read_statement_file(workbook([HEADER, *rows]))
    (one,) = file.statements
    (line,) = one.lines

    assert ("xlsx", "bank-jatim", "0011234567") == (file.format, file.profile, one.account)
    assert (DAY, -388860403, 100000) == (
        *(line.booked_on, line.amount_units),
        line.balance_after_units,
    )
    assert (2, True, []) == (line.position, one.adds_up, codes(file))


def test_account_stored_as_a_number_keeps_its_digits() -> None:
    """No decimals, no exponent; leading zeros are what the bank lost."""
    file = read_statement_file(workbook([HEADER, row(None, 1, 1, account=11234567890123)]))

    assert "11234567890123" == file.statements[0].account


def test_time_of_a_day_is_kept_where_the_layout_has_one() -> None:
    """And a line break within a text is a space."""
    header = ["TGL_TRAN", "NOREK", "DESK_TRAN", "SALDO_AWAL_MUTASI"]
    header += ["MUTASI_DEBET", "MUTASI_KREDIT", "SALDO_AKHIR_MUTASI"]
    at = datetime(2026, 3, 2, 23, 44, 44)  # noqa: DTZ001  # a sheet's day
    rows = [header, [at, "1", "SP2D\n0001", 0, 0, Decimal("7.50"), Decimal("7.50")]]
    (line,) = read_statement_file(workbook(rows), profile="bri-cms").statements[0].lines

    assert (DAY, time(23, 44, 44), "SP2D 0001") == (
        *(line.booked_on, line.booked_time),
        line.narrative,
    )


def test_sheet_without_the_header_is_left_out_and_said() -> None:
    """A cover sheet is no statement; an empty one is nothing."""
    cover: list[list[Typed]] = [["Laporan mutasi rekening"]]
    file = read_statement_file(workbook(cover, [HEADER, row(None, 1, 1)], []))

    assert (1, ["sheet_left_out"]) == (len(file.statements), codes(file))


def test_workbook_of_no_known_layout_is_refused() -> None:
    """By all layouts, by the one that was named, and by another format."""
    data = workbook([["a", "b"], [1, 2]])
    with pytest.raises(UnknownFormatError, match="xlsx with profile bank-jatim"):
        read_statement_file(data)
    with pytest.raises(HeaderNotFoundError, match="post date"):
        read_statement_file(data, profile="bank-jatim")
    with pytest.raises(UnsafeArchiveError, match="no ZIP archive"):
        read_statement_file(b"Post Date", format="xlsx")
    with pytest.raises(UnsupportedFormatError):
        read_statement_file(data, format="xls")


def test_sheets_of_two_layouts_are_a_question() -> None:
    """Which of them is the statement only the caller knows."""
    bri = ["TGL_TRAN", "NOREK", "DESK_TRAN", "SALDO_AWAL_MUTASI"]
    bri += ["MUTASI_DEBET", "MUTASI_KREDIT", "SALDO_AKHIR_MUTASI"]
    data = workbook([HEADER, row(None, 1, 1)], [bri])
    with pytest.raises(AmbiguousFormatError):
        read_statement_file(data)

    assert 1 == len(read_statement_file(data, profile="bank-jatim").statements)


sen = st.integers(0, 9_007_199_254_740_990)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**14), st.lists(st.tuples(sen, st.booleans(), st.booleans()), max_size=8))
def test_any_sheet_that_adds_up_is_read_to_the_sen(
    opening: int, moves: list[tuple[int, bool, bool]]
) -> None:
    """Amounts as texts or as numbers by chance, up to what a double holds."""
    rows: list[list[Typed]] = []
    balance = opening
    for n, (units, is_in, is_text) in enumerate(moves):
        balance += units if is_in else -units
        amount: Typed = f"{units // 100:,}.{units % 100:02d}" if is_text else Decimal(units) / 100
        on = DAY + timedelta(days=n // 3)
        sides = (None, amount) if is_in else (amount, None)
        rows.append(row(*sides, sen_text(balance), on=on, text=f"T{n}"))
    file = read_statement_file(workbook([HEADER, *rows]), account="1")
    read = [line.amount_units for line in file.statements[0].lines]

    assert [units if is_in else -units for units, is_in, _ in moves] == read
    assert not moves or file.statements[0].adds_up


# --- what is refused --------------------------------------------------------------------------------

GOOD = members(sheet([HEADER, row(None, 1, 1)]))
XXE = "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"


def changed(**parts: bytes | str | None) -> bytes:
    """The good workbook with other parts; None takes one away."""
    names = {"book": "xl/workbook.xml", "sheet": "xl/worksheets/s1.xml", "styles": "xl/styles.xml"}
    files = dict(GOOD)
    for key, content in parts.items():
        if content is None:
            del files[names[key]]
        else:
            files[names[key]] = content
    return archive(files)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (lambda: changed(sheet=XXE + str(GOOD["xl/worksheets/s1.xml"])), DoctypeForbiddenError),
        (lambda: changed(book=XXE + str(GOOD["xl/workbook.xml"])), DoctypeForbiddenError),
        (lambda: changed(styles=XXE + "<styleSheet/>"), DoctypeForbiddenError),
        (lambda: changed(sheet=str(GOOD["xl/worksheets/s1.xml"])[:-9]), MalformedXmlError),
        (lambda: changed(sheet=str(GOOD["xl/worksheets/s1.xml"]).encode("utf-16")), MalformedXmlError),
        (
            lambda: changed(sheet="<?xml version='1.0' encoding='cp037'?><a/>"),
            MalformedXmlError,
        ),
        (lambda: changed(sheet=None), MalformedXmlError),
        (lambda: changed(book=""), MalformedXmlError),
        (lambda: archive(GOOD)[:-30], UnsafeArchiveError),
        (lambda: b"PK\x03\x04" + b"\x00\xff" * 50, UnsafeArchiveError),
    ],
)  # fmt: skip
def test_workbook_that_is_none_is_refused_by_name(
    data: Callable[[], bytes], error: type[StatementFileError]
) -> None:
    """Entities, cuts, other encodings, missing parts."""
    with pytest.raises(error):
        read_statement_file(data())


def test_sheet_that_the_workbook_names_twice_is_refused() -> None:
    """Its entries would count twice; and a small file could name one sheet a million times."""
    files = members(sheet([HEADER, row(None, 1, 1)]))
    again = str(files["xl/workbook.xml"]).replace(
        "</sheets>", "<sheet name='S2' sheetId='2' r:id='rId1'/></sheets>"
    )

    with pytest.raises(MalformedXmlError, match="as two of its sheets"):
        read_statement_file(archive(files | {"xl/workbook.xml": again}))


def test_workbook_of_more_cells_than_memory_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty cells before a filled one count: a row of thirty bytes may claim a thousand."""
    wide = str(GOOD["xl/worksheets/s1.xml"]).replace(
        "</sheetData>", "<row><c r='ALL1'><v>1</v></c></row></sheetData>"
    )
    files = read_members(archive(GOOD | {"xl/worksheets/s1.xml": wide}))
    assert 2 * 10 + 1000 == sum(len(each.cells) for each in read_workbook(files)[0].rows)
    monkeypatch.setattr(workbook_module, "_CELLS_MAX", 1019)

    with pytest.raises(UnsafeArchiveError, match="more than 1019 cells"):
        read_workbook(files)


# --- archives of many files ---------------------------------------------------------------------


def mt940(day: int) -> str:
    """A statement of one day without entries."""
    return (
        f":20:S{day}\n:25:0010012345678\n:28C:{day}\n:60F:C2602{day:02d}IDR1,00\n"
        f":62F:C2602{day:02d}IDR1,00\n-\n"
    )


def test_archive_is_read_in_the_order_of_its_names() -> None:
    """Statements of all its files, warnings under the name of theirs; workbooks count too."""
    data = archive(
        {
            "b.sta": "preamble\n" + mt940(10),
            "a.sta": mt940(9),
            "c/mutasi.xlsx": workbook([HEADER, row(None, 1, 1)]),
        }
    )
    file = read_statement_file(data)

    assert ("zip", None) == (file.format, file.profile)
    assert ["9", "10", None] == [each.statement_no for each in file.statements]
    assert ["b.sta: text outside of any statement was left out"] == [
        each.message for each in file.warnings
    ]


def test_archive_of_one_layout_keeps_its_name() -> None:
    """So that it is read again as it was read first."""
    file: StatementFile = read_statement_file(
        archive({"a.xlsx": workbook([HEADER, row(None, 1, 1)])}), format="zip"
    )

    assert ("zip", "bank-jatim") == (file.format, file.profile)


def test_file_in_an_archive_that_can_not_be_read_refuses_it_by_name() -> None:
    """All or nothing: a part of a delivery is not a delivery."""
    bad = mt940(10).replace("C260210IDR1,00\n:62F", "C260210IDR1.00\n:62F")
    with pytest.raises(StatementFileError) as refused:
        read_statement_file(archive({"a.sta": mt940(9), "b.sta": bad}))

    assert ("unreadable_balance", 4, "b.sta") == (
        *(refused.value.code, refused.value.position),
        refused.value.member,
    )
    assert refused.value.message.startswith("'b.sta': line 4:")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (lambda: archive({}), "no file"),
        (lambda: archive({"a.zip": archive({"b.sta": mt940(9)})}), "an archive again"),
        (lambda: archive({f"{n}.sta": "x" for n in range(1_001)}), "1001 files"),
        (lambda: archive({"a.sta": b"0" * 3_000_000}), "250 times"),
        (lambda: archive({"a.sta": "x"}).replace(b"\x00\x00\x08\x00", b"\x01\x00\x08\x00"), "encrypted"),
        (lambda: archive({"a.sta": mt940(9)})[:60], "can't be unpacked"),
    ],
    ids=["empty", "nested", "many", "bomb", "encrypted", "cut"],
)  # fmt: skip
def test_archive_beyond_its_limits_is_refused(data: Callable[[], bytes], reason: str) -> None:
    """By what its directory declares, before anything is unpacked."""
    with pytest.raises(UnsafeArchiveError, match=reason):
        read_statement_file(data())
