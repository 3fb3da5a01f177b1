"""The MT940 writer: what it writes reads back, and what it cannot carry it refuses."""

import datetime as d

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bank_adapters import OutgoingEntry, read_statement_file, write_mt940
from bank_adapters.errors import UnwritableStatementError
from ledger.money import Money

DAY = d.date(2026, 2, 9)

PLAIN = "".join(chr(number) for number in range(33, 127))
REFERENCES = st.text(PLAIN, min_size=1, max_size=16).filter(
    lambda text: "//" not in text and text[0] != "/" and text[-1] != "/" and text != "NONREF"
)
# A German code at the front makes the text structured; that form has tests of its own.
NARRATIVES = st.text(f"{PLAIN} ", max_size=380).filter(
    lambda text: text == text.strip() and text[3:4] != "?"
)


@st.composite
def entries(draw):
    value_on = draw(st.dates(d.date(2025, 6, 1), d.date(2026, 6, 1)))
    near = st.integers(-120, 120).map(lambda days: value_on + d.timedelta(days=days))
    return OutgoingEntry(
        value_on=value_on,
        amount=Money(draw(st.integers(-(10**15), 10**15))),
        narrative=draw(NARRATIVES),
        reference=draw(st.none() | REFERENCES),
        bank_reference=draw(st.none() | REFERENCES),
        transaction_code=draw(st.sampled_from(["NTRF", "NMSC", "S103", "F033", "NCHG"])),
        entry_on=draw(st.none() | near),
        reversal=draw(st.booleans()),
    )


@settings(max_examples=120, deadline=None)
@given(st.lists(entries(), max_size=6), st.integers(-(10**17), 10**17), st.integers(0, 99999))
def test_statement_written_and_read_is_the_same(lines, opening, number):
    """Every amount, date, reference and text comes back, and the statement adds up."""
    try:
        data = write_mt940("0010012345678", "IDR", number, Money(opening), DAY, DAY, lines)
    except UnwritableStatementError as refused:
        assert refused.field == "narrative"
        return
    (statement,) = read_statement_file(data, format="mt940").statements

    assert statement.adds_up is True
    assert (opening, DAY, number) == (
        *(statement.opening.units, statement.opening.on),
        int(statement.statement_no),
    )
    assert [
        (line.value_on, line.amount.sen, line.reference, line.bank_reference, line.narrative)
        for line in lines
    ] == [
        (line.value_on, line.amount_units, line.reference, line.bank_reference, line.narrative)
        for line in statement.lines
    ]
    assert [(line.entry_on, line.transaction_code, line.reversal) for line in lines] == [
        (line.entry_on, line.transaction_code, line.reversal) for line in statement.lines
    ]


def test_statement_written_is_this_text():
    """The exact bytes of a statement with a reversal, a cut text and a wide amount."""
    number = "SP2D 04.03/04.0/000123/LS/1.02.0.00.0.00.01.0000/P.01/3/2026"
    data = write_mt940(
        "0010012345678",
        "IDR",
        27,
        Money.parse("2150000000000.00"),
        d.date(2026, 2, 6),
        DAY,
        [
            OutgoingEntry(DAY, Money(-125000000000), f"BELANJA {number}", "SP2D000123", "BNK1"),
            OutgoingEntry(DAY, Money(100), entry_on=DAY, reversal=True),
        ],
    )

    assert data == (
        b":20:26020900027\r\n"
        b":25:0010012345678\r\n"
        b":28C:00027/001\r\n"
        b":60F:C260206IDR2150000000000,00\r\n"
        b":61:260209D1250000000,00NTRFSP2D000123//BNK1\r\n"
        b":86:BELANJA SP2D 04.03/04.0/000123/LS/1.02.0.00.0.00.01.0000/P.01/3/2\r\n"
        b"026\r\n"
        b":61:2602090209RD1,00NTRFNONREF\r\n"
        b":62F:C260209IDR2148750000001,00\r\n"
        b"-\r\n"
    )


def an_entry(**changes):
    return OutgoingEntry(**{"value_on": DAY, "amount": Money(1), **changes})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reference": "A" * 17}, "reference"),
        ({"reference": "A//B"}, "reference"),
        ({"reference": "/A"}, "reference"),
        ({"reference": "NONREF"}, "reference"),
        ({"reference": ""}, "reference"),
        ({"bank_reference": "É"}, "bank_reference"),
        ({"transaction_code": "XTRF"}, "transaction_code"),
        ({"transaction_code": "Ntrf"}, "transaction_code"),
        ({"narrative": "A\nB"}, "narrative"),
        ({"narrative": "É"}, "narrative"),
        ({"narrative": " A"}, "narrative"),
        ({"narrative": "A" * 391}, "narrative"),
        ({"narrative": "A" + ":" * 80}, "narrative"),
        ({"value_on": d.date(1979, 12, 31)}, "value_on"),
    ],
)
def test_entry_that_the_format_cannot_carry_is_refused(changes, field):
    """Nothing is cut, replaced or escaped: the field and the value are named."""
    with pytest.raises(UnwritableStatementError) as refused:
        write_mt940("1", "IDR", 1, Money(0), DAY, DAY, [an_entry(**changes)])

    assert field == refused.value.field


@pytest.mark.parametrize(
    ("account", "currency", "number", "field"),
    [
        ("", "IDR", 1, "account"),
        ("A" * 36, "IDR", 1, "account"),
        ("1\n2", "IDR", 1, "account"),
        ("1", "idr", 1, "currency"),
        ("1", "RP", 1, "currency"),
        ("1", "IDR", 100000, "statement_no"),
        ("1", "IDR", -1, "statement_no"),
    ],
)
def test_header_that_the_format_cannot_carry_is_refused(account, currency, number, field):
    """Account, currency and number keep to their fields."""
    with pytest.raises(UnwritableStatementError) as refused:
        write_mt940(account, currency, number, Money(0), DAY, DAY, [])

    assert field == refused.value.field
