"""The chart the product carries: complete for every journal the law asks for, and strictly read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chart import (
    CHART_VERSION,
    ChartAccount,
    InvalidChartError,
    is_account_code,
    load_chart,
    parent_code,
    read_chart,
)

# Accounts that a regional treasury's journals name (PP 71/2010; Permendagri 77/2020).
NAMED_BY_JOURNALS = {
    "cash": ["1.1.01.01.01.0001", "1.1.01.02.01.0001", "1.1.01.03.01.0001", "1.1.01.08"],
    "cash outside RKUD": ["1.1.01.04", "1.1.01.05", "1.1.01.06"],
    "reciprocal": ["1.1.13.01.01", "3.1.03.01.01.0001"],
    "budget equity": ["3.1.02.01", "3.1.02.02", "3.1.02.03", "3.1.02.04", "3.1.02.05", "3.1.02.06"],
    "equity": ["3.1.01.01", "3.1.01.02"],
    "receivables, stock, assets": ["1.1.03", "1.1.07", "1.1.12", "1.2.02.01", "1.3.06", "1.4.01"],
    "restricted cash": ["1.5.04"],
    "liabilities": ["2.1.04", "2.1.06", "2.2"],
    "revenue, LRA": ["4.1.01", "4.1.02", "4.1.04.05.01.0001", "4.1.04.07", "4.2.01"],
    "late penalty": ["4.1.04.11", "7.1.04.11"],
    "prior-year return": ["4.1.04.15", "7.1.04.15"],
    "expenditure": ["5.1.01", "5.1.02.02", "5.1.04", "5.1.05", "5.1.06", "5.2", "5.3.01"],
    "transfers": ["5.4.01", "5.4.02", "8.3.01", "8.3.02"],
    "financing": ["6.1.01", "6.1.02", "6.1.04", "6.2.01", "6.2.02", "6.2.03", "6.2.04"],
    "revenue, LO": ["7.1.01", "7.1.02", "7.1.04.05", "7.2.01"],
    "expense": ["8.1.01", "8.1.02.02", "8.1.04", "8.1.05", "8.1.06", "8.1.07", "8.2", "8.4.01"],
    "suspense": ["1.1.09.99", "2.1.07.98", "2.1.07.99"],
    "taxes withheld": [
        "2.1.01.05.01",
        "2.1.01.05.02",
        "2.1.01.05.03",
        "2.1.01.05.05",
        "2.1.01.06.01",
    ],
    "other withholdings": [
        "2.1.01.01.01",
        "2.1.01.02.01",
        "2.1.01.03.01",
        "2.1.01.04.01",
        "2.1.01.07.01",
        "2.1.01.08.01",
        "2.1.01.09",
    ],
}

HEADER = "code,name_id,name_en,level,normal_side,statement,source"
AKUN = "1,Aset,Assets,1,D,NERACA,permendagri-90-2019"
KELOMPOK = "1.1,Aset Lancar,,2,D,NERACA,permendagri-90-2019"


def chart_text(*rows: str) -> str:
    return "\n".join((HEADER, *rows)) + "\n"


@pytest.mark.parametrize("prefix", [code for codes in NAMED_BY_JOURNALS.values() for code in codes])
def test_chart_account_named_by_a_journal_can_be_posted_to(prefix: str) -> None:
    """Every account that a journal of the treasury names has a level-6 row to post to."""
    chart = load_chart()

    postable = [
        code for code, account in chart.items() if account.is_postable and within(code, prefix)
    ]

    assert prefix in chart
    assert [] != postable


def within(code: str, prefix: str) -> bool:
    return code == prefix or code.startswith(prefix + ".")


def test_chart_level_six_alone_is_postable() -> None:
    """Exactly the 13,216 rows of level 6 are postable, of 15,760 in all."""
    chart = load_chart()

    assert 15_760 == len(chart)
    assert 13_216 == sum(account.is_postable for account in chart.values())
    assert {6} == {account.level for account in chart.values() if account.is_postable}


def test_chart_version_is_the_newest_decree_among_its_rows() -> None:
    """The version names the newest decree that any row comes from."""
    decrees = {account.source for account in load_chart().values() if account.official}

    assert {"permendagri-90-2019", "kepmendagri-050-3708-2020"} == decrees
    assert CHART_VERSION == max(decrees, key=lambda name: int(name.rpartition("-")[2]))


def test_chart_unofficial_rows_are_exactly_the_marked_extensions() -> None:
    """Fourteen rows have no decree: four suspense accounts and final income tax."""
    roots = ("1.1.09.99", "2.1.01.05.05", "2.1.01.09", "2.1.07.98", "2.1.07.99")

    unofficial = [account.code for account in load_chart().values() if not account.official]

    assert 14 == len(unofficial)
    assert all(any(within(code, root) for root in roots) for code in unofficial)
    assert all(
        {False} == {a.official for a in load_chart().values() if within(a.code, root)}
        for root in roots
    )


def test_chart_every_prefix_of_a_code_is_an_account() -> None:
    """Sums by prefix have a name at every level."""
    chart = load_chart()

    assert {a.parent_code for a in chart.values()} - {None} <= chart.keys()
    assert list(map(str, range(1, 9))) == [a.code for a in chart.values() if a.level == 1]


@pytest.mark.parametrize(
    ("code", "side", "statement"),
    [
        ("1.1.01.01.01.0001", "D", "NERACA"),
        ("2.1.01.06.01.0001", "C", "NERACA"),
        ("3.1.02.03.01.0001", "C", "LRA"),
        ("5.1.02.01.01.0024", "D", "LRA"),
        ("7.1.04.11.01.0001", "C", "LO"),
        ("8.1.01.01.01.0001", "D", "LO"),
    ],
)
def test_chart_account_has_its_side_and_statement(code: str, side: str, statement: str) -> None:
    """An account says which side grows it and where it is reported."""
    account = load_chart()[code]

    assert (side, statement) == (account.normal_side, account.statement)


def test_chart_account_is_named_in_both_languages_where_known() -> None:
    """Each row has its Indonesian name; English is a label, and None where nobody has made one."""
    chart = load_chart()
    cash = chart["1.1.01.01.01.0001"]

    assert cash.name_id == "Kas di Kas Daerah"
    assert cash.name_en == "Cash in the regional treasury (RKUD)"
    assert all(account.name_id for account in chart.values())
    assert None in {account.name_en for account in chart.values()}
    assert "" not in {account.name_en for account in chart.values()}


def test_chart_shared_by_all_cannot_be_changed() -> None:
    """The one chart of the process has no way to set an account."""
    chart = load_chart()

    assert chart is load_chart()
    assert not hasattr(chart, "__setitem__")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", True),
        ("1.1", True),
        ("1.1.01", True),
        ("1.1.01.01", True),
        ("1.1.01.01.01", True),
        ("1.1.01.01.01.0001", True),
        ("", False),
        ("1.", False),
        ("1.1.1", False),
        ("1.1.01.1", False),
        ("1.1.01.01.01.001", False),
        ("1.1.01.01.01.0001.1", False),
        ("1.1.01.01.01.0001\n", False),
        (" 1.1", False),
        ("1,1", False),
        ("10.1", False),
        ("١.١", False),
    ],
)
def test_account_code_form_is_judged_strictly(text: str, expected: bool) -> None:
    """Widths, dots and ASCII digits are as the decree has them; nothing is normalised."""
    assert expected == is_account_code(text)


@given(st.from_regex(r"\A[0-9]\.[0-9]\.[0-9]{2}\.[0-9]{2}\.[0-9]{2}\.[0-9]{4}\Z"))
def test_account_code_ancestors_are_codes_up_to_the_akun(code: str) -> None:
    """Going up from any level-6 code gives five more codes, each a prefix, and then none."""
    seen = []
    at: str | None = code
    while at is not None:
        assert is_account_code(at)
        assert code.startswith(at)
        seen.append(at)
        at = parent_code(at)

    assert 6 == len(seen)
    assert re.fullmatch("[0-9]", seen[-1])


def test_read_chart_good_rows_become_accounts() -> None:
    """Rows become accounts by code; an empty English name is None."""
    chart = read_chart(chart_text(AKUN, KELOMPOK))

    expected = ChartAccount("1.1", "Aset Lancar", None, "D", "NERACA", "permendagri-90-2019")
    assert ["1", "1.1"] == list(chart)
    assert expected == chart["1.1"]


@pytest.mark.parametrize(
    ("rows", "row", "reason"),
    [
        ([], 1, "it holds no accounts"),
        ([AKUN, AKUN], 3, "1 repeats or does not follow 1"),
        ([AKUN, KELOMPOK, AKUN], 4, "1 repeats or does not follow 1.1"),
        ([KELOMPOK], 2, "1.1 has no parent 1"),
        (["1.1.1,Aset,,3,D,NERACA,x"], 2, "'1.1.1' is not an account code"),
        (["1,Aset,,2,D,NERACA,x"], 2, "1 is not of level '2'"),
        (["1,Aset,,1,K,NERACA,x"], 2, "1 has the normal side 'K'"),
        (["1,Aset,,1,D,LAK,x"], 2, "1 is in the statement 'LAK'"),
        (["1,,,1,D,LRA,x"], 2, "1 has no name or no source"),
        (["1,Aset,,1,D,LRA,"], 2, "1 has no name or no source"),
        (["1,Aset,,1,D,LRA"], 2, "6 columns, not 7"),
    ],
)
def test_read_chart_bad_row_is_refused_by_number(rows: list[str], row: int, reason: str) -> None:
    """A chart that can't be read without guessing is refused, naming the row and what is wrong."""
    with pytest.raises(InvalidChartError) as refused:
        read_chart(chart_text(*rows))

    assert (row, reason) == (refused.value.row, refused.value.reason)


def test_read_chart_other_columns_are_refused() -> None:
    """A file whose columns differ is refused at its header."""
    with pytest.raises(InvalidChartError) as refused:
        read_chart("code;name\n1;Aset\n")

    assert 1 == refused.value.row
