"""Day and month swapped on the way: found by the period and the neighbours, never turned back."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bank_adapters import StatementFile, read_statement_file
from bank_adapters.errors import DayMonthSwappedError
from bank_adapters.statements import parse_profile, profile_named
from bank_adapters.statements.day_checks import turned
from tests.bank_adapters.helpers import codes
from tests.bank_adapters.workbooks import Typed, workbook

HEADER: list[Typed] = ["Tanggal", "Uraian", "Debet", "Kredit", "Saldo"]
PROFILE = profile_named("generic-bpd")
WARNING = parse_profile(PROFILE.text.replace("[dates]\n", '[dates]\nswapped = "warn"\n'))


def table(days: list[Typed], *, period: str = "") -> bytes:
    """A sheet of a rupiah in a day, oldest first, with its balances."""
    rows = [[day, "X", None, 1, n] for n, day in enumerate(days, start=1)]
    return workbook([*([["Periode", period]] if period else []), HEADER, *rows])


def read(days: list[Typed], *, period: str = "", warn: bool = False) -> StatementFile:
    """The sheet, read by the layout of our own."""
    return read_statement_file(
        table(days, period=period), profile=WARNING if warn else PROFILE, account="1"
    )


def march(day: int) -> date:
    """A day of March 2026."""
    return date(2026, 3, day)


def imported(day: date) -> Typed:
    """What a sheet with the months first makes of `dd/mm/yyyy`."""
    return day.strftime("%d/%m/%Y") if day.day > 12 else date(day.year, day.day, day.month)


SWAPPED: list[tuple[str, list[Typed], str, int]] = [
    ("the period", [date(2026, 2, 3)], "01/03/2026 - 31/03/2026", 3),
    ("the period", [march(1), date(2026, 12, 3), "13/03/2026"], "01/03/2026 - 31/03/2026", 4),
    ("rows around", ["03/03/2026", date(2026, 4, 3), "15/03/2026"], "", 3),
    ("the text behind", [date(2026, 5, 3), date(2026, 6, 3), "13/03/2026"], "", 2),
    ("the text before", ["28/02/2026", date(2026, 2, 3)], "", 3),
    ("a day behind", [date(2026, 12, 3), march(13)], "", 2),
]


@pytest.mark.parametrize(
    ("days", "period", "position"),
    [each[1:] for each in SWAPPED],
    ids=[each[0] for each in SWAPPED],
)
def test_day_of_a_sheet_that_fits_only_the_other_way_round_refuses_the_file(
    days: list[Typed], period: str, position: int
) -> None:
    """With its row, what it says and how to go on; with `swapped = "warn"` it is a warning."""
    with pytest.raises(DayMonthSwappedError, match='swapped = "warn"') as refused:
        read(days, period=period)
    assert position == refused.value.position

    file = read(days, period=period, warn=True)
    assert position == next(e.position for e in file.warnings if e.code == "day_month_suspect")
    assert [day for day in days if isinstance(day, date)] == [
        line.booked_on
        for line, day in zip(file.statements[0].lines, days, strict=True)
        if isinstance(day, date)
    ]


@pytest.mark.parametrize(
    "days",
    [
        [march(2), march(5), march(12), "13/03/2026"],
        ["01/03/2026", march(2), "03/03/2026", march(4)],
        [date(2026, 2, 27), march(2), march(12), march(13)],
        ["13/03/2026", date(2026, 1, 5), "20/03/2026"],
        [march(20), march(5), march(21)],
        [march(3)],
        [date(2026, 5, 3), date(2026, 6, 3)],
    ],
    ids=["in order", "mixed", "two months", "odd", "back-dated", "one row", "two rows"],
)
def test_day_of_a_sheet_that_nothing_contradicts_is_read(days: list[Typed]) -> None:
    """Days in order, and days that would not fit the other way round either, are as stored."""
    file = read(days)

    assert [] == codes(file)[1:]
    assert ["footer_missing"] == codes(file)


def test_day_of_every_month_alike_is_suspect_where_nothing_else_speaks() -> None:
    """4 to 8 March, swapped, is the 3rd of April to August; so is a real half year."""
    days: list[Typed] = [imported(march(day)) for day in range(4, 9)]

    assert "day_month_suspect" in codes(read(days))
    (warning,) = [e for e in read(days).warnings if e.code == "day_month_suspect"]
    assert 2 == warning.position


def test_day_as_text_is_a_warning_because_banks_book_back_dated() -> None:
    """In the layout's own spelling: read as it stands, with the line."""
    rows = "12/02/2026;A;;1,00;1,00\n13/02/2026;B;;1,00;2,00\n03/02/2026;C;;1,00;3,00\n"
    data = f"Tanggal;Uraian;Debet;Kredit;Saldo\n{rows}".encode()
    file = read_statement_file(data, profile=PROFILE, account="1")

    assert [4] == [e.position for e in file.warnings if e.code == "day_month_suspect"]
    assert date(2026, 2, 3) == file.statements[0].lines[2].booked_on


@pytest.mark.parametrize("cell", ["03/15/2026", "3/15/2026", "03-15-2026"])
def test_day_as_text_with_a_month_above_twelve_says_that_months_stand_first(cell: str) -> None:
    """The file is of another spelling, so its other days would be read wrongly."""
    data = f"Tanggal;Uraian;Debet;Kredit;Saldo\n{cell};A;;1,00;1,00\n".encode()
    with pytest.raises(DayMonthSwappedError, match="month stands first") as refused:
        read_statement_file(data, profile=PROFILE, account="1")

    assert 2 == refused.value.position


def test_value_day_far_from_its_booking_is_suspect() -> None:
    """A value day of 2 December for a booking of 12 February; the booking day is what counts."""
    header: list[Typed] = ["Tanggal", "Tanggal Valuta", "Uraian", "Debet", "Kredit", "Saldo"]
    rows: list[list[Typed]] = [header, ["13/02/2026", date(2026, 12, 2), "X", None, 1, 1]]
    file = read_statement_file(workbook(rows), profile=PROFILE, account="1")

    assert "day_month_suspect" in codes(file)
    assert date(2026, 12, 2) == file.statements[0].lines[0].value_on


@settings(max_examples=60, deadline=None)
@given(
    st.dates(date(2025, 1, 1), date(2026, 12, 1)),
    st.lists(st.integers(0, 2), min_size=1, max_size=40),
)
def test_month_that_a_sheet_has_swapped_is_never_read_in_silence(
    start: date, steps: list[int]
) -> None:
    """With the printed period: refused wherever a day is another one now, read right otherwise."""
    start = start.replace(day=1)
    end = (start + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    days, day = [], start
    for step in steps:
        day = min(end, day + timedelta(days=step))
        days.append(day)
    period = f"{start:%d/%m/%Y} - {end:%d/%m/%Y}"
    cells = [imported(each) for each in days]

    if any(turned(each) for each in days):
        with pytest.raises(DayMonthSwappedError):
            read(cells, period=period)
    else:
        file = read(cells, period=period)
        assert days == [line.booked_on for line in file.statements[0].lines]
    assert days == [line.booked_on for line in read(list(days), period=period).statements[0].lines]


def test_many_days_that_could_be_swapped_are_looked_at_in_one_pass() -> None:
    """Forty thousand rows of the 3rd take no longer than their reading."""
    row = "02/03/2026;X;;1,00;{}\n"
    body = "".join(row.format(f"{n},00") for n in range(1, 40_001))
    data = f"Tanggal;Uraian;Debet;Kredit;Saldo\n{body}".encode()

    assert 40_000 == len(read_statement_file(data, profile=PROFILE).statements[0].lines)
