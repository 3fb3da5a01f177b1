"""The camt.053 writer: what it writes reads back, and what it cannot carry it refuses."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bank_adapters import OutgoingEntry, read_statement_file, write_camt053
from bank_adapters.errors import UnwritableStatementError
from ledger.money import Money

DAY = date(2026, 2, 9)
NOW = datetime(2026, 2, 9, 18, 30, tzinfo=UTC)
REFERENCES = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=1, max_size=35)


@st.composite
def entries(draw: st.DrawFn) -> OutgoingEntry:
    """Any entry: dates on either side, marks and letters that XML escapes."""
    value_on = draw(st.dates(date(1900, 1, 1), date(2200, 1, 1)))
    near = st.integers(-120, 120).map(lambda days: value_on + timedelta(days=days))
    return OutgoingEntry(
        value_on=value_on,
        amount=Money(draw(st.integers(-(10**17), 10**17))),
        narrative=draw(st.text(max_size=400)),
        reference=draw(st.none() | REFERENCES),
        bank_reference=draw(st.none() | REFERENCES),
        entry_on=draw(st.none() | near),
        reversal=draw(st.booleans()),
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(entries(), max_size=5), st.integers(-(10**17), 10**17), st.integers(0, 10**17))
def test_statement_written_and_read_is_the_same(
    lines: list[OutgoingEntry], opening: int, number: int
) -> None:
    """Every amount, date, reference and text comes back, and the statement adds up."""
    try:
        data = write_camt053(
            "0010012345678", "IDR", number, Money(opening), DAY, DAY, lines, created_at=NOW
        )
    except UnwritableStatementError as refused:
        assert refused.field in {"narrative", "reference", "bank_reference"}
        return
    file = read_statement_file(data)
    (one,) = file.statements

    assert () == file.warnings
    assert one.adds_up
    assert one.opening is not None
    assert (opening, DAY, str(number)) == (one.opening.units, one.opening.on, one.statement_no)
    assert [
        (x.value_on, x.entry_on or x.value_on, x.amount.sen, x.reversal, x.narrative) for x in lines
    ] == [(x.value_on, x.booked_on, x.amount_units, x.reversal, x.narrative) for x in one.lines]
    assert [(x.reference, x.bank_reference) for x in lines] == [
        (x.reference, x.bank_reference) for x in one.lines
    ]


def test_statement_written_is_this_text() -> None:
    """The exact text of a statement with a reversal, a long remark and a wide amount."""
    long = "SP2D 04.03/04.0/000123/LS/1.02.0.00.0.00.01.0000/P.01/3/2026 " + "a" * 90 + "<&>"
    data = write_camt053(
        "0010012345678",
        "IDR",
        27,
        Money.parse("2150000000000.00"),
        date(2026, 2, 6),
        DAY,
        [
            OutgoingEntry(DAY, Money(-125000000000), long, "SP2D000123", "BNK1"),
            OutgoingEntry(DAY, Money(100), entry_on=date(2026, 2, 10), reversal=True),
        ],
        created_at=NOW,
    )

    assert [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>',
        "<GrpHdr><MsgId>20260209-27</MsgId><CreDtTm>2026-02-09T18:30:00+00:00</CreDtTm></GrpHdr>",
        "<Stmt><Id>20260209-27</Id><ElctrncSeqNb>27</ElctrncSeqNb>"
        "<CreDtTm>2026-02-09T18:30:00+00:00</CreDtTm>",
        "<Acct><Id><Othr><Id>0010012345678</Id></Othr></Id><Ccy>IDR</Ccy></Acct>",
        "<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp>"
        '<Amt Ccy="IDR">2150000000000.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>'
        "<Dt><Dt>2026-02-06</Dt></Dt></Bal>",
        "<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp>"
        '<Amt Ccy="IDR">2148750000001.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>'
        "<Dt><Dt>2026-02-09</Dt></Dt></Bal>",
        '<Ntry><Amt Ccy="IDR">1250000000.00</Amt><CdtDbtInd>DBIT</CdtDbtInd>'
        "<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-02-09</Dt></BookgDt>"
        "<ValDt><Dt>2026-02-09</Dt></ValDt><AcctSvcrRef>BNK1</AcctSvcrRef><BkTxCd><Domn>"
        "<Cd>PMNT</Cd><Fmly><Cd>ICDT</Cd><SubFmlyCd>OTHR</SubFmlyCd></Fmly></Domn>"
        "<Prtry><Cd>NTRF</Cd></Prtry></BkTxCd><NtryDtls><TxDtls>"
        "<Refs><EndToEndId>SP2D000123</EndToEndId></Refs><RmtInf>"
        f"<Ustrd>{long[:140]}</Ustrd><Ustrd>{'a' * 11}&lt;&amp;&gt;</Ustrd></RmtInf>"
        "</TxDtls></NtryDtls></Ntry>",
        '<Ntry><Amt Ccy="IDR">1.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><RvslInd>true</RvslInd>'
        "<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-02-10</Dt></BookgDt>"
        "<ValDt><Dt>2026-02-09</Dt></ValDt><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd>"
        "<SubFmlyCd>OTHR</SubFmlyCd></Fmly></Domn><Prtry><Cd>NTRF</Cd></Prtry></BkTxCd></Ntry>",
        "</Stmt></BkToCstmrStmt></Document>",
        "",
    ] == data.decode().split("\n")


@pytest.mark.parametrize(
    ("field", "entry"),
    [
        ("reference", OutgoingEntry(DAY, Money(1), reference="R" * 36)),
        ("reference", OutgoingEntry(DAY, Money(1), reference="")),
        ("reference", OutgoingEntry(DAY, Money(1), reference="NOTPROVIDED")),
        ("bank_reference", OutgoingEntry(DAY, Money(1), bank_reference=" B")),
        ("narrative", OutgoingEntry(DAY, Money(1), "a\nb")),
        ("narrative", OutgoingEntry(DAY, Money(1), "a\x00b")),
        ("narrative", OutgoingEntry(DAY, Money(1), "a\ud800")),
        ("narrative", OutgoingEntry(DAY, Money(1), "a" * 139 + " b")),
        ("transaction_code", OutgoingEntry(DAY, Money(1), transaction_code="TOOLONG")),
    ],
)
def test_text_that_would_not_come_back_is_refused(field: str, entry: OutgoingEntry) -> None:
    """Named by its field, with the value."""
    with pytest.raises(UnwritableStatementError) as refused:
        write_camt053("1", "IDR", 1, Money(0), DAY, DAY, [entry], created_at=NOW)

    assert field == refused.value.field


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("account", {"account": "9" * 35}),
        ("currency", {"currency": "idr"}),
        ("statement_no", {"statement_no": 10**18}),
        ("created_at", {"created_at": datetime(2026, 2, 9)}),  # noqa: DTZ001  # what is refused
    ],
)
def test_head_that_would_not_come_back_is_refused(field: str, changes: dict[str, object]) -> None:
    """The account, the currency, the number and the instant have forms of their own."""
    given_: dict[str, object] = {
        "account": "1",
        "currency": "IDR",
        "statement_no": 1,
        "opening": Money(0),
        "opening_on": DAY,
        "closing_on": DAY,
        "lines": [],
        "created_at": NOW,
    }
    with pytest.raises(UnwritableStatementError) as refused:
        write_camt053(**{**given_, **changes})  # type: ignore[arg-type]  # the table's values

    assert field == refused.value.field
