"""The shared samples read to the figures of their README."""

import pytest

from bank_adapters import read_statement_file
from bank_adapters.errors import UnknownFormatError, UnsupportedMessageError
from tests.bank_adapters.helpers import codes, sample

FIGURES = [
    # name, statements, entries, opening, closing, sum, adds up
    ("mt940-danskebank-dk.sta", 14, 89, "2478926.70", "3851379.47", 137245277, True),
    ("mt940-danskebank-fi.sta", 1, 6, "54484.04", "53126.94", -135710, True),
    ("mt940-sparkasse-buxtehude.sta", 1, 3, "13564.13", "13523.09", -14104, False),
    (
        *("mt940-rkud-idr-sample.sta", 1, 2, "2150000000000.00", "2148837500000.00"),
        *(-116250000000, True),
    ),
    ("bri-cms-sample.csv", 1, 8, "2500000000.00", "9538279204.81", 703827920481, True),
    (
        *("bank-jatim-sample.xlsx", 1, 8, "1500000000000.00", "1497434736530.88"),
        *(-256526346912, True),
    ),
    ("generic-bpd-sample.csv", 1, 8, "750000000.00", "5472267092.67", 472226709267, True),
]


@pytest.mark.parametrize(
    ("name", "statements", "entries", "opening", "closing", "total", "adds_up"), FIGURES
)
def test_sample_read_gives_the_figures_of_its_readme(
    name, statements, entries, opening, closing, total, adds_up
):
    """Entries, opening, closing, sum and whether they agree are those written beside the file."""
    file = read_statement_file(sample(name))
    printed = file.to_json()["statements"]
    lines = [line for statement in file.statements for line in statement.lines]

    assert statements == len(file.statements)
    assert entries == len(lines)
    assert opening == printed[0]["opening"]["amount"]
    assert closing == printed[-1]["closing"]["amount"]
    assert total == sum(line.amount_units for line in lines)
    assert {adds_up} == {statement.adds_up for statement in file.statements}


def test_sample_danske_pages_are_chained_and_its_preamble_is_noted():
    """Pages 12/1 and 12/2 are one statement, and each statement opens where the last closed."""
    file = read_statement_file(sample("mt940-danskebank-dk.sta"))

    assert codes(file) == ["text_outside"]
    for earlier, later in zip(file.statements, file.statements[1:], strict=False):
        assert earlier.closing.units == later.opening.units
    twelfth = file.statements[11]
    assert (twelfth.statement_no, twelfth.page) == ("00012", 1)
    assert not twelfth.opening.is_intermediate
    assert not twelfth.closing.is_intermediate


def test_sample_sparkasse_missing_money_is_a_warning_with_the_difference():
    """An anonymised file that does not add up is read, and the difference is named."""
    file = read_statement_file(sample("mt940-sparkasse-buxtehude.sta"))

    (warning,) = file.warnings
    assert (warning.code, warning.position) == ("does_not_add_up", 22)
    assert "100.00" in warning.message


def test_sample_rkud_entry_prints_as_the_contract_says():
    """All fields of the first entry are those of the contract, cut text whole, raw kept."""
    file = read_statement_file(sample("mt940-rkud-idr-sample.sta"))
    statement = file.to_json()["statements"][0]

    assert statement["lines"][0] == {
        "position": 5,
        "booked_on": "2026-02-09",
        "value_on": "2026-02-09",
        "entry_on": "2026-02-09",
        "booked_time": None,
        "amount": "-1250000000.00",
        "balance_after": None,
        "reversal": False,
        "status": "booked",
        "bank_reference": "BNK260209001",
        "reference": "SP2D000031",
        "counterparty": None,
        "narrative": (
            "SP2D 00031/04.0/000031/LS/1.02.0.00.0.00.01.0000/P.01/2/2026PT CONTOH KARYA"
        ),
        "transaction_code": "NTRF",
        "sub_entries": [],
        "raw": (
            ":61:2602090209D1250000000,00NTRFSP2D000031//BNK260209001\n"
            ":86:SP2D 00031/04.0/000031/LS/1.02.0.00.0.00.01.0000/P.01/2/2026\n"
            "PT CONTOH KARYA"
        ),
    }
    assert statement["opening"] == {"amount": "2150000000000.00", "on": "2026-02-06"}
    assert statement["statement_no"] == "27"
    assert statement["lines"][1]["reference"] is None


def test_sample_bri_row_keeps_time_running_balance_and_line():
    """A BRI row carries its time of day, the balance behind it and its line in the file."""
    file = read_statement_file(sample("bri-cms-sample.csv"), profile="bri-cms")
    line = file.to_json()["statements"][0]["lines"][1]

    assert (file.statements[0].bank, file.statements[0].account) == ("002", "000101000999888")
    assert line["position"] == 3
    assert (line["booked_on"], line["booked_time"]) == ("2026-03-02", "10:11:12")
    assert (line["amount"], line["balance_after"]) == ("-5604376.98", "9916430973.02")
    assert line["raw"].startswith('"000001","000101000999888"')


def test_sample_generic_without_an_account_takes_the_callers():
    """A layout that names no account says so, or uses the account that the caller gives."""
    data = sample("generic-bpd-sample.csv")

    unnamed = read_statement_file(data)
    named = read_statement_file(data, account="0010012345678")

    assert codes(unnamed) == ["account_missing"]
    assert unnamed.statements[0].account is None
    assert codes(named) == []
    assert named.statements[0].account == "0010012345678"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("pain002-nordea-txn-reject.xml", UnsupportedMessageError),
        ("README.md", UnknownFormatError),
    ],
)
def test_sample_of_another_kind_is_refused_by_name(name, error):
    """Another message and prose are not statements that these readers know."""
    with pytest.raises(error):
        read_statement_file(sample(name))
