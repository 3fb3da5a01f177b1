"""MT942, the interim report: entries of a day that is not over, counted but not balanced."""

from __future__ import annotations

from datetime import date

import pytest

from bank_adapters import StatementFile, read_statement_file
from bank_adapters.errors import CurrencyMismatchError, UnreadableBalanceError
from tests.bank_adapters.helpers import codes

ENTRIES = (
    ":61:2602090209C1500,00NTRFSETORAN//BNK-1\n:86:STS 000045\n"
    ":61:2602090209D500,00NTRFSP2D26000123//BNK-2\n"
    ":61:2602090209RC250,00NTRFSALAH//BNK-3\n"
)


def report(
    entries: str = ENTRIES,
    *,
    totals: str = ":90D:2IDR750,00\n:90C:1IDR1500,00\n",
    page: str = "5/1",
    head: str = ":34F:IDRD0,\n:34F:IDRC0,\n:13D:2602091430+0700\n",
) -> str:
    """One report of the RKUD."""
    return f":20:IR-1\n:25:0010012345678\n:28C:{page}\n{head}{entries}{totals}-\n"


def read(text: str) -> StatementFile:
    """The file that *text* is."""
    return read_statement_file(text.encode())


def test_report_is_intraday_and_has_no_balances() -> None:
    """Currency from its totals, day from its entries; nothing to add up."""
    file = read(report())
    (one,) = file.statements

    assert ("mt942", []) == (file.format, codes(file))
    assert ("intraday", "IDR", "5", None, None, None) == (
        *(one.kind, one.currency, one.statement_no),
        *(one.opening, one.closing, one.adds_up),
    )
    assert [150000, -50000, -25000] == [line.amount_units for line in one.lines]
    assert [date(2026, 2, 9)] * 3 == [line.booked_on for line in one.lines]


def test_expected_entries_are_lines_that_moved_nothing() -> None:
    """EC and ED announce; totals may count them or not."""
    expected = ENTRIES + ":61:2602090209EC9,00NTRFNANTI\n"
    for count, total in ((1, "1500,00"), (2, "1509,00")):
        file = read(report(expected, totals=f":90D:2IDR750,00\n:90C:{count}IDR{total}\n"))
        assert [] == codes(file)
        assert "pending" == file.statements[0].lines[3].status
    file = read(report(expected, totals=":90C:3IDR1509,00\n"))
    assert ["summary_differs"] == codes(file)


@pytest.mark.parametrize(
    "totals", [":90D:3IDR750,00\n", ":90D:2IDR750,01\n", ":90C:0IDR0,\n", ":90C:2IDR1500,00\n"]
)
def test_totals_that_the_entries_do_not_give_are_a_finding(totals: str) -> None:
    """A lost line shows here, the only place where a report can show it."""
    assert ["summary_differs"] == codes(read(report(totals=totals)))


@pytest.mark.parametrize(
    ("totals", "error"),
    [
        (":90D:2IDR750.00\n", UnreadableBalanceError),
        (":90D:IDR750,00\n", UnreadableBalanceError),
        (":90D:2IDR750,00\n:90C:1USD1500,00\n", CurrencyMismatchError),
    ],
)
def test_total_that_can_not_be_read_is_refused(totals: str, error: type[Exception]) -> None:
    """With its line."""
    with pytest.raises(error) as refused:
        read(report(totals=totals))

    assert refused.value.position in (11, 12)  # type: ignore[attr-defined]  # both have one


def test_pages_of_a_report_are_one_and_counted_together() -> None:
    """Totals stand on the last page."""
    first = report(":61:2602090209C1,00NTRFA\n", totals="", page="5/1")
    second = report(":61:2602090209C2,00NTRFB\n", totals=":90C:2IDR3,00\n", page="5/2")
    next_one = report(":61:2602090209C4,00NTRFC\n", totals=":90C:1IDR4,00\n", page="6/1")
    file = read(first + second + next_one)

    assert [] == codes(file)
    assert [[100, 200], [400]] == [[x.amount_units for x in s.lines] for s in file.statements]


def test_report_is_known_by_its_header_block_alone() -> None:
    """Without floor limit and totals, block 2 says what it is."""
    text = report(totals="", head="").removesuffix("-\n")
    file = read(f"{{1:F01BANKIDJAAXXX0000000000}}{{2:I942BANKIDJAXXXXN}}{{4:\n{text}-}}\n")

    assert ["intraday"] == [each.kind for each in file.statements]
    assert ["currency_missing"] == codes(file)


def test_statement_and_report_in_one_file_keep_their_kinds() -> None:
    """A file of both is a statement's file."""
    statement = (
        ":20:S\n:25:0010012345678\n:28C:4/1\n:60F:C260208IDR1,00\n:61:2602090209C1,00NTRFX\n"
        ":62F:C260209IDR2,00\n-\n"
    )
    file = read(statement + report())

    assert ("mt940", ["end_of_day", "intraday"]) == (
        file.format,
        [each.kind for each in file.statements],
    )
    assert [] == codes(file)
