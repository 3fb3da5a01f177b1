"""Every shipped layout reads a file of its own, to the sen: one month, told in each bank's way."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from typing import NamedTuple

import pytest

from bank_adapters import read_statement_file
from bank_adapters.errors import (
    InvalidProfileError,
    MarkupContentError,
    UnknownFormatError,
    UnreadableDateError,
    UnreadableRowError,
)
from bank_adapters.statements import all_profiles, parse_profile, profile_named
from tests.bank_adapters.helpers import codes, fixture
from tests.bank_adapters.workbooks import Typed, workbook

STS = "STS/RKUD/0007 SETORAN PAJAK DAERAH"
SP2D = "SP2D 000123/LS/1.02.0.00.0.00.01.0000"
FEE = "BIAYA ADM"
DAYS = [date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 16)]
UNITS = [25_000_000_050, -7_550_000_025, -650_000]
BALANCES = [125_000_000_050, 117_450_000_025, 117_449_350_025]
OPENING = 100_000_000_000


class Layout(NamedTuple):
    """A fixture and what is particular about it."""

    name: str
    bank: str
    account: str | None
    references: tuple[str | None, ...] = (None, None, None)
    bank_references: tuple[str | None, ...] = (None, None, None)
    transaction_codes: tuple[str | None, ...] = (None, None, None)
    times: tuple[time | None, ...] = (None, None, None)
    has_balances: bool = True


CLOCKS = (time(9, 15), time(10, 20, 31), time(23, 10))
LAYOUTS = [
    Layout(
        "mandiri-posting",
        "008",
        "0700012345678",
        references=("FT26061001", "FT26062002", None),
        times=(time(9, 15), time(10, 20, 31), time(23, 59, 59)),
    ),
    Layout(
        "mandiri-transactions",
        "008",
        "0700012345678",
        transaction_codes=("SETORAN", "PINDAH BUKU", "BIAYA"),
    ),
    Layout("bca-personal", "014", "0123456789"),
    Layout("bni-simple", "009", "0098765432"),
    Layout(
        "bri-statement",
        "002",
        "000101000999888",
        times=(time(8, 10, 47), time(11, 2, 3), time(23)),
    ),
    Layout(
        "bca-syariah",
        "536",
        None,
        references=("REF1", "REF2", None),
        transaction_codes=("101", "201", "105"),
        times=CLOCKS,
    ),
    Layout(
        "bsi", "451", "7012345678", bank_references=("FT0001", "FT0002", "FT0003"), times=CLOCKS
    ),
    Layout(
        "permata",
        "013",
        "0701234567",
        references=("R1", "R2", None),
        transaction_codes=("101", "201", "105"),
        has_balances=False,
    ),
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize("is_named", [True, False], ids=["named", "found out"])
def test_layout_of_a_bank_gives_the_month_to_the_sen(layout: Layout, is_named: bool) -> None:
    """Days, times, signs, references, balances and the account; the layout is found out, too."""
    data = fixture(f"csv-{layout.name}.csv")
    file = read_statement_file(data, profile=layout.name if is_named else None)
    (statement,) = file.statements
    lines = [line for line in statement.lines if line.status == "booked"]

    assert layout.name == file.profile
    assert (layout.bank, layout.account, True) == (
        *(statement.bank, statement.account),
        statement.adds_up,
    )
    assert list(zip(DAYS, UNITS, strict=True)) == [(e.booked_on, e.amount_units) for e in lines]
    assert (OPENING, BALANCES[-1]) == (statement.opening.units, statement.closing.units)
    balances = BALANCES if layout.has_balances else [None] * 3
    assert balances == [line.balance_after_units for line in lines]
    assert [STS, SP2D, FEE] == [line.narrative.replace("LS 1.", "LS/1.") for line in lines]
    assert layout.references == tuple(line.reference for line in lines)
    assert layout.bank_references == tuple(line.bank_reference for line in lines)
    assert layout.transaction_codes == tuple(line.transaction_code for line in lines)
    assert layout.times == tuple(line.booked_time for line in lines)
    assert ([] if layout.account else ["account_missing"]) == codes(file)


def money(units: int) -> Decimal:
    """A sheet's number."""
    return Decimal(units) / 100


MANDIRI: list[list[Typed]] = [
    ["Periode", "01/03/2026 - 31/03/2026"],
    ["Tgl.", "Tgl. Val.", "Rincian Transaksi", "No. Referensi", "Debit", "Kredit", "Saldo"],
    ["02/03/2026", DAYS[0], STS, "R1", 0, money(UNITS[0]), money(BALANCES[0]), "07000"],
    [DAYS[1], DAYS[1], SP2D, "R2", money(-UNITS[1]), 0, "1,174,500,000.25", "07000"],
    ["16/03/2026", DAYS[2], FEE, "R3", "6,500.00", "", money(BALANCES[2]), "07000"],
]
MANDIRI[1].append("Branch Code")
BNI: list[list[Typed]] = [
    ["No.", "Tanggal Kirim / Posting Date", "Effective Date", "Cabang / Branch", "Journal No."],
    [1, DAYS[2], DAYS[2], "JAKARTA", "J3", FEE, money(-UNITS[2]), "D", money(BALANCES[2])],
    [2, "03/03/2026 10.20.31", DAYS[1], "SERANG", "J2", SP2D, money(-UNITS[1]), "D"],
    [3, "02/03/2026 09.15.00", DAYS[0], "SERANG", "J1", STS, money(UNITS[0]), "C"],
]
BNI[0] += ["Deskripsi", "Amount", "Db/Cr (D/C)", "Balance"]
BNI[2].append(money(BALANCES[1]))
BNI[3].append(money(BALANCES[0]))


@pytest.mark.parametrize(
    ("rows", "profile", "bank"),
    [(MANDIRI, "mandiri-statement", "008"), (BNI, "bni-statement", "009")],
    ids=["mandiri", "bni"],
)
def test_layout_of_a_sheet_gives_the_month_to_the_sen(
    rows: list[list[Typed]], profile: str, bank: str
) -> None:
    """Numbers, texts and days mixed; BNI newest first with a flag."""
    file = read_statement_file(workbook(rows), account="1")
    (statement,) = file.statements

    assert ("xlsx", profile, bank, []) == (file.format, file.profile, statement.bank, codes(file))
    assert list(zip(DAYS, UNITS, [STS, SP2D, FEE], strict=True)) == [
        (line.booked_on, line.amount_units, line.narrative) for line in statement.lines
    ]
    assert (OPENING, BALANCES[-1], True) == (
        *(statement.opening.units, statement.closing.units),
        statement.adds_up,
    )
    assert {"mandiri-statement": ["R1", "R2", "R3"], "bni-statement": ["J1", "J2", "J3"]}[
        profile
    ] == [line.reference or line.bank_reference for line in statement.lines]


def test_layout_of_every_bank_says_where_it_was_seen() -> None:
    """A profile names its evidence and its bank; the one of our own names no bank."""
    without_bank = [profile.name for profile in all_profiles() if profile.bank is None]

    assert ["generic-bpd"] == without_bank
    assert [] == [profile.name for profile in all_profiles() if not profile.evidence]


def test_layout_of_bca_refuses_a_word_in_the_unnamed_column_that_is_no_sign() -> None:
    """The fifth column has no name; what stands there is DB or CR, or the file is refused."""
    data = fixture("csv-bca-personal.csv")
    with pytest.raises(UnreadableRowError, match="neither debit nor credit") as refused:
        read_statement_file(data.replace(b"75500000.25,DB", b"75500000.25,XX"))

    assert 7 == refused.value.position


def test_layout_of_a_column_by_number_needs_it_without_a_name() -> None:
    """Where the bank named the column, or put another there, it is not this layout any more."""
    data = fixture("csv-bca-personal.csv").replace(b"Amount,,Balance", b"Amount,Type,Balance")

    with pytest.raises(UnknownFormatError):
        read_statement_file(data)


def test_layout_needs_its_other_columns_too() -> None:
    """A table with the five columns of many banks is not BRI's for want of the teller."""
    data = fixture("csv-bri-statement.csv").replace(b"Teller/User ID", b"Kode")

    with pytest.raises(UnknownFormatError):
        read_statement_file(data)


def test_layout_of_mandiri_refuses_a_kind_that_it_does_not_know() -> None:
    """An amount whose sign no word gives is never taken for a credit."""
    data = fixture("csv-mandiri-transactions.csv").replace(b"Kredit", b"SETOR")
    with pytest.raises(UnreadableRowError, match="'SETOR' is neither debit nor credit"):
        read_statement_file(data)


SIGNED = """
name = "signed"
title = "Amounts with their own sign"
delimiter = ";"
[numbers]
decimal = ","
grouping = "."
[dates]
formats = ["%d/%m/%Y"]
[columns]
booked_on = ["Tgl"]
booked_time = ["Jam"]
narrative = ["Ket"]
amount = ["Mutasi"]
balance = ["Saldo"]
[sign]
rule = "signed"
"""


@pytest.mark.parametrize(
    ("cell", "units"),
    [("-5,00", -500), ("5,00-", -500), ("(5,00)", -500), ("5,00", 500), ("Rp 1.000", 100000)],
)
def test_layout_of_signed_amounts_takes_the_sign_of_the_cell(cell: str, units: int) -> None:
    """Minus, trailing minus and parentheses are money out; nothing is money in."""
    data = f"Tgl;Jam;Ket;Mutasi;Saldo\n13/03/2026;08.10;X;{cell};9.000,00\n".encode()
    (line,) = (
        read_statement_file(data, profile=parse_profile(SIGNED), account="1").statements[0].lines
    )

    assert (units, time(8, 10)) == (line.amount_units, line.booked_time)


@pytest.mark.parametrize("clock", ["25:00", "8", "08:61", "pagi", "08:10.30"])
def test_layout_with_a_time_that_is_none_is_refused(clock: str) -> None:
    """With its line."""
    data = f"Tgl;Jam;Ket;Mutasi;Saldo\n13/03/2026;{clock};X;5,00;9,00\n".encode()
    with pytest.raises(UnreadableDateError) as refused:
        read_statement_file(data, profile=parse_profile(SIGNED), account="1")

    assert 2 == refused.value.position


def test_layout_of_a_sheet_reads_a_time_stored_as_a_part_of_a_day() -> None:
    """08:10 is 0.340277... of a day."""
    rows: list[list[Typed]] = [
        ["Tgl", "Jam", "Ket", "Mutasi", "Saldo"],
        ["13/03/2026", "<c r='B2' s='1'><v>0.34027777777777779</v></c>", "X", 5, 9],
    ]
    data = workbook(rows)
    (line,) = (
        read_statement_file(data, profile=parse_profile(SIGNED), account="1").statements[0].lines
    )

    assert time(8, 10) == line.booked_time


@pytest.mark.parametrize(
    "formats",
    [
        '["%d/%m/%Y", "%m/%d/%Y"]',
        '["%d/%m/%y", "%y/%m/%d"]',
        '["%d/%m/%Y", "%d-%b-%Y", "%m/%d/%Y"]',
    ],
)
def test_layout_whose_dates_read_one_text_as_two_days_is_refused(formats: str) -> None:
    """Which of them is meant would be decided cell by cell."""
    with pytest.raises(InvalidProfileError, match="read one text as two days"):
        parse_profile(SIGNED.replace('["%d/%m/%Y"]', formats))


@pytest.mark.parametrize("name", ["", "Bank Jatim", "../x", "a/b", "-x", "x" * 65])
def test_layout_with_a_name_that_is_no_file_name_is_refused(name: str) -> None:
    """A name is typed on command lines and stands in the log."""
    with pytest.raises(InvalidProfileError, match="small letters"):
        parse_profile(SIGNED.replace('"signed"', f'"{name}"', 1))


def test_layout_longer_than_a_layout_is_refused() -> None:
    """It is kept with every file that it reads."""
    with pytest.raises(InvalidProfileError, match="longer than"):
        parse_profile(SIGNED + "#" * 40_000)


def test_layout_keeps_its_own_text() -> None:
    """What it was read from can be kept beside what it read."""
    assert SIGNED == parse_profile(SIGNED).text
    assert profile_named("bsi") == parse_profile(profile_named("bsi").text)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"<html><body><table><tr><td>Tanggal</td></tr></table>", "a web page"),
        (b"\xef\xbb\xbf\r\n<!DOCTYPE html>\n<table>", "a web page"),
        ("<TABLE border=1><tr>".encode("utf-16"), "a web page"),
        (b'<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>\n<Workbook>', "Excel"),
    ],
)
def test_sheet_that_is_markup_is_refused_by_name(data: bytes, kind: str) -> None:
    """What banks name .xls is often a web page; the message says what to ask for."""
    for options in ({}, {"profile": "bank-jatim"}, {"format": "csv"}):
        with pytest.raises(MarkupContentError, match=kind):
            read_statement_file(data, **options)  # type: ignore[arg-type]  # options of a test


@pytest.mark.parametrize("profile", [profile.name for profile in all_profiles()])
def test_layout_with_a_header_and_nothing_below_is_an_empty_month(
    profile: str,
) -> None:
    """No lines, and nothing claimed about balances."""
    one = profile_named(profile)
    header = [names[0] for names in one.columns.values() if not names[0].startswith("#")]
    header += sorted(one.other_columns)
    header.insert(4, "")
    data = (one.delimiter.join(header) + "\n").encode()
    (statement,) = read_statement_file(data, profile=profile).statements

    assert ((), None, None) == (statement.lines, statement.opening, statement.adds_up)
