"""camt.052, .053 and .054: what each element means, and what is refused."""

from __future__ import annotations

from datetime import date, time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bank_adapters import Statement, StatementLine, read_statement_file
from bank_adapters.errors import (
    CurrencyMismatchError,
    DoctypeForbiddenError,
    EmptyFileError,
    MalformedXmlError,
    StatementFileError,
    StatementNotFoundError,
    UndecodableTextError,
    UnreadableElementError,
    UnsupportedFormatError,
    UnsupportedMessageError,
)
from bank_adapters.statements.camt import stream_camt
from bank_adapters.statements.camt_xml import CHUNK_BYTES
from tests.bank_adapters.camt_messages import balance, camt, details, entry, statement, whole
from tests.bank_adapters.helpers import codes, sample


def read_one(*entries: str, closing: str = "100.00") -> StatementLine:
    """The first line of a statement around *entries*."""
    file = read_statement_file(camt(whole(*entries, closing=closing)))
    return file.statements[0].lines[0]


# --- the samples ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "opening", "closing", "entries", "total", "adds_up"),
    [
        ("camt053-nordea.xml", "end_of_day", "200.50", "8800.50", 6, 860000, True),
        ("camt053-ing.xml", "end_of_day", "1000.00", "1605.00", 9, 60500, True),
        (
            *("camt053-business-sample-v4.xml", "end_of_day", "500000.00", "435678.50"),
            *(3, -6432150, True),
        ),
        ("camt054-business-sample-v4.xml", "advice", None, None, 1, 10567850, None),
    ],
)
def test_sample_read_gives_the_figures_of_its_readme(
    name: str,
    kind: str,
    opening: str | None,
    closing: str | None,
    entries: int,
    total: int,
    adds_up: bool | None,
) -> None:
    """Entries, opening, closing, sum and whether they agree are those written beside the file."""
    file = read_statement_file(sample(name))
    (one,) = file.statements
    printed = one.to_json()

    assert ("camt", kind, entries) == (file.format, one.kind, len(one.lines))
    assert opening == (printed["opening"] and printed["opening"]["amount"])
    assert closing == (printed["closing"] and printed["closing"]["amount"])
    assert total == sum(line.amount_units for line in one.lines)
    assert one.adds_up is adds_up


def test_sample_of_another_message_is_refused_by_its_name() -> None:
    """A pain.002 is no statement."""
    with pytest.raises(UnsupportedMessageError, match=r"pain\.002"):
        read_statement_file(sample("pain002-nordea-txn-reject.xml"), format="camt")


# --- an entry ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mark", "reversal", "units"),
    [
        ("CRDT", "", 100),
        ("DBIT", "", -100),
        # The direction is told already; a reversal does not turn it again.
        ("CRDT", "<RvslInd>true</RvslInd>", 100),
        ("DBIT", "<RvslInd>1</RvslInd>", -100),
        ("DBIT", "<RvslInd>false</RvslInd>", -100),
    ],
)
def test_direction_is_what_the_mark_says(mark: str, reversal: str, units: int) -> None:
    """CRDT is money in, DBIT money out, RvslInd only a remark."""
    line = read_one(entry("1.00", mark, inner=reversal))

    assert units == line.amount_units
    assert line.reversal is (">true" in reversal or ">1" in reversal)


@pytest.mark.parametrize("form", ["<Sts>{}</Sts>", "<Sts><Cd>{}</Cd></Sts>"])
@pytest.mark.parametrize(
    ("code", "status"),
    [("BOOK", "booked"), ("PDNG", "pending"), ("FUTR", "pending"), ("INFO", "info")],
)
def test_only_booked_entries_move_money(form: str, code: str, status: str) -> None:
    """Text up to version 07, a choice from 08 on; what is not booked is a line, and not summed."""
    closing = "101.00" if status == "booked" else "100.00"
    file = read_statement_file(
        camt(whole(entry("1.00", status=form.format(code)), closing=closing))
    )

    assert status == file.statements[0].lines[0].status
    assert file.statements[0].adds_up


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("1", 100),
        ("1.5", 150),
        ("1.50", 150),
        ("1.50000", 150),
        ("000000000000149.87", 14987),
        (".5", 50),
        ("7.", 700),
        ("12345678901234567890.12", 1234567890123456789012),
        (" 3.00\n", 300),
    ],
)
def test_amount_keeps_every_digit(text: str, units: int) -> None:
    """XML's decimals, however long, never through a float."""
    assert units == read_one(entry(text)).amount_units


@pytest.mark.parametrize(
    "text",
    ["-1.00", "+1.00", "1,00", "1.000,00", "1e3", "NaN", "INF", "0x10", "1.005", "\u0661", "."],
)
def test_amount_that_is_no_plain_decimal_is_refused(text: str) -> None:
    """Signs, exponents, commas, foreign digits, and a third decimal that says something."""
    with pytest.raises(UnreadableElementError) as refused:
        read_one(entry(), entry(text))

    assert (refused.value.element, refused.value.position, refused.value.name) == (
        "entry",
        2,
        "Amt",
    )
    assert "entry 2: Amt" in refused.value.message


@pytest.mark.parametrize(
    ("dates", "booked_on", "value_on", "booked_time", "warned"),
    [
        (
            "<BookgDt><DtTm>2026-02-09T13:15:00.123+07:00</DtTm></BookgDt>",
            *(date(2026, 2, 9), None, time(13, 15), []),
        ),
        (
            "<BookgDt><Dt>2026-02-09+07:00</Dt></BookgDt>",
            *(date(2026, 2, 9), None, None, []),
        ),
        (
            "<BookgDt><DtTm>2026-02-09T20:15:00Z</DtTm></BookgDt>",
            *(date(2026, 2, 9), None, time(20, 15), ["date_in_utc"]),
        ),
        (
            "<ValDt><Dt>2026-02-08</Dt></ValDt>",
            *(date(2026, 2, 8), date(2026, 2, 8), None, ["booking_date_missing"]),
        ),
        (
            "<BookgDt><Dt>2026-02-30</Dt></BookgDt>",
            *(None, None, None, ["impossible_date"]),
        ),
        ("", None, None, None, []),
    ],
)
def test_date_is_the_day_that_is_printed(
    dates: str,
    booked_on: date | None,
    value_on: date | None,
    booked_time: time | None,
    warned: list[str],
) -> None:
    """In the bank's own zone; what could mean another day is warned of."""
    file = read_statement_file(camt(whole(entry(dates=dates), closing="101.00")))
    line = file.statements[0].lines[0]

    assert (booked_on, value_on, booked_time) == (line.booked_on, line.value_on, line.booked_time)
    assert warned == codes(file)


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        (entry(mark="C"), "CdtDbtInd"),
        (entry(status="<Sts>DONE</Sts>"), "Sts"),
        (entry(inner="<RvslInd>yes</RvslInd>"), "RvslInd"),
        (entry(dates="<BookgDt><Dt>09-02-2026</Dt></BookgDt>"), "BookgDt"),
        (entry(dates="<BookgDt><DtTm>2026-02-09</DtTm><Dt>x</Dt></BookgDt>"), "BookgDt"),
        (entry(inner="<Sts>BOOK</Sts>"), "Sts"),
        (entry(inner="<Amt Ccy='IDR'>2.00</Amt>"), "Amt"),
        ("<Ntry><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts></Ntry>", "Amt"),
        ("<Ntry><Amt Ccy='IDR'>1.00</Amt><Sts>BOOK</Sts></Ntry>", "CdtDbtInd"),
        (entry(inner=details("<CdtDbtInd>X</CdtDbtInd>")), "TxDtls/CdtDbtInd"),
    ],
)
def test_entry_that_could_be_read_in_two_ways_is_refused(bad: str, name: str) -> None:
    """Named with its place, the element and what stood there."""
    with pytest.raises(UnreadableElementError) as refused:
        read_one(entry(), bad)

    assert (name, 2) == (refused.value.name, refused.value.position)


def test_status_missing_is_booked_in_a_statement_and_refused_in_a_report() -> None:
    """A statement's entries are booked by its definition; a report's need to say so."""
    file = read_statement_file(camt(whole(entry(status=""), closing="101.00")))
    assert ("booked", ["status_missing"]) == (file.statements[0].lines[0].status, codes(file))

    with pytest.raises(UnreadableElementError, match="Sts: missing"):
        read_statement_file(camt(statement(entry(status=""), message="052"), message="052"))


# --- references, parties, texts ------------------------------------------------------------------


def transaction(**parts: str) -> str:
    """The inside of a TxDtls in the order of the standard."""
    return "".join(parts.values())


@pytest.mark.parametrize(
    ("references", "reference"),
    [
        ("<InstrId>I</InstrId><EndToEndId>E</EndToEndId>", "E"),
        ("<InstrId>I</InstrId><EndToEndId>NOTPROVIDED</EndToEndId>", "I"),
        ("<PmtInfId>P</PmtInfId><EndToEndId>NOTPROVIDED</EndToEndId>", "P"),
        ("<MsgId>M</MsgId>", None),
    ],
)
def test_reference_is_the_payers_own(references: str, reference: str | None) -> None:
    """End-to-end, else instruction, else payment information; a placeholder is none."""
    line = read_one(entry(inner=details(f"<Refs>{references}</Refs>")))

    assert reference == line.reference


def test_reference_of_a_batch_is_the_batchs() -> None:
    """An entry without transactions is known by the file it came from."""
    batch = "<NtryDtls><Btch><MsgId>M-5</MsgId><PmtInfId>AL-12</PmtInfId></Btch></NtryDtls>"

    assert "AL-12" == read_one(entry(inner=batch)).reference


@pytest.mark.parametrize("form", ["<Nm>{}</Nm>", "<Pty><Nm>{}</Nm></Pty>"])
@pytest.mark.parametrize(
    ("mark", "reversal", "name"),
    [
        ("CRDT", "", "Payer"),
        ("DBIT", "", "Payee"),
        # A reversal names the parties of the payment it reverses.
        ("CRDT", "<RvslInd>true</RvslInd>", "Payee"),
        ("DBIT", "<RvslInd>true</RvslInd>", "Payer"),
    ],
)
def test_counterparty_is_the_other_side(form: str, mark: str, reversal: str, name: str) -> None:
    """Up to version 07 the name stands below the party, from 08 on below Pty."""
    parties = (
        f"<RltdPties><Dbtr>{form.format('Payer')}</Dbtr><Cdtr>{form.format('Payee')}</Cdtr>"
        "</RltdPties>"
    )
    line = read_one(entry(mark=mark, inner=reversal + details(parties)))

    assert name == line.counterparty


def test_narrative_joins_what_was_cut_and_separates_what_was_not() -> None:
    """A remark that fills its 140 characters goes on in the next; texts that repeat stand once."""
    full = "SP2D " * 27 + "00003"
    assert 140 == len(full)
    remittance = f"<RmtInf><Ustrd>{full}</Ustrd><Ustrd>1/LS</Ustrd><Ustrd>gaji</Ustrd></RmtInf>"
    inner = details(f"{remittance}<AddtlTxInf>gaji guru</AddtlTxInf>")
    line = read_one(entry(inner=f"{inner}<AddtlNtryInf>gaji guru</AddtlNtryInf>"))

    assert f"{full}1/LS gaji gaji guru" == line.narrative


def test_return_tells_its_reason() -> None:
    """Code and text of RtrInf are part of the narrative."""
    inner = details(
        "<RtrInf><Rsn><Cd>AC04</Cd></Rsn><AddtlInf>rekening</AddtlInf><AddtlInf>tutup</AddtlInf>"
        "</RtrInf>"
    )

    assert "AC04 rekening tutup" == read_one(entry(inner=inner)).narrative


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        (
            "<Domn><Cd>PMNT</Cd><Fmly><Cd>ICDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn>",
            "PMNT-ICDT-ESCT",
        ),
        ("<Prtry><Cd>NTRF</Cd></Prtry>", "NTRF"),
        ("", None),
    ],
)
def test_transaction_code_is_the_standards_else_the_banks(code: str, shown: str | None) -> None:
    """Domain, family and sub-family; a proprietary code where there is no domain."""
    assert shown == read_one(entry(inner=f"<BkTxCd>{code}</BkTxCd>")).transaction_code


# --- batches and charges ---------------------------------------------------------------------------


def paid(amount: str, name: str, mark: str = "<CdtDbtInd>DBIT</CdtDbtInd>") -> str:
    """A transaction of version 04 and later."""
    return f"<Amt Ccy='IDR'>{amount}</Amt>{mark}<Refs><EndToEndId>{name}</EndToEndId></Refs>"


@pytest.mark.parametrize(
    ("total", "charges", "transactions", "subs", "warned"),
    [
        # a batch that adds up
        ("3.00", "", [paid("1.00", "A"), paid("2.00", "B")], [-100, -200], []),
        # a charge within the entry, for one transaction and for several
        (
            "1526.00",
            "<Chrgs><Rcrd><Amt Ccy='IDR'>20.00</Amt></Rcrd><Rcrd><Amt Ccy='IDR'>6</Amt></Rcrd></Chrgs>",
            *([paid("1500.00", "A")], [-150000, -2600], []),
        ),
        (
            "3.50",
            "<Chrgs><TtlChrgsAndTaxAmt Ccy='IDR'>0.50</TtlChrgsAndTaxAmt></Chrgs>",
            *([paid("1.00", "A"), paid("2.00", "B")], [-100, -200, -50], []),
        ),
        # a returned payment within a batch
        (
            "1.00",
            "",
            [paid("3.00", "A"), paid("2.00", "B", "<CdtDbtInd>CRDT</CdtDbtInd>")],
            *([-300, 200], []),
        ),
        # what does not explain the entry is left out, and said
        ("4.00", "", [paid("1.00", "A"), paid("2.00", "B")], [], ["details_do_not_add_up"]),
        ("4.00", "", [paid("1.00", "A")], [], ["details_do_not_add_up"]),
        # one transaction that says the same again is no batch
        ("1.00", "", [paid("1.00", "A")], [], []),
    ],
)
def test_batch_is_split_where_its_details_explain_it(
    total: str, charges: str, transactions: list[str], subs: list[int], warned: list[str]
) -> None:
    """The entry's amount is the ledger's; its transactions are details."""
    bad = entry(total, "DBIT", inner=charges + details(*transactions))
    file = read_statement_file(camt(statement(bad)))
    (line,) = file.statements[0].lines

    assert -round(float(total) * 100) == line.amount_units
    assert subs == [each.amount_units for each in line.sub_entries]
    assert warned == [code for code in codes(file) if not code.endswith("_missing")]


def test_amount_of_a_transaction_in_version_02_stands_below_amtdtls() -> None:
    """And takes the entry's direction."""
    inner = details(
        "<AmtDtls><TxAmt><Amt Ccy='IDR'>1.00</Amt></TxAmt></AmtDtls>",
        "<AmtDtls><TxAmt><Amt Ccy='IDR'>2.00</Amt></TxAmt></AmtDtls>",
    )
    line = read_one(entry("3.00", "DBIT", inner=inner))

    assert [-100, -200] == [each.amount_units for each in line.sub_entries]


def test_transaction_in_another_currency_is_no_detail_of_the_amount() -> None:
    """The counter-value abroad says nothing about the rupiah."""
    inner = details("<Amt Ccy='USD'>0.06</Amt><CdtDbtInd>CRDT</CdtDbtInd>")
    file = read_statement_file(camt(whole(entry("1000.00", inner=inner), closing="1100.00")))

    assert [] == codes(file)
    assert () == file.statements[0].lines[0].sub_entries


# --- balances, pages, several statements ---------------------------------------------------------


@pytest.mark.parametrize(
    ("balances", "opening", "closing", "warned"),
    [
        (balance("OPBD", "100") + balance("CLBD", "101"), 10000, 10100, []),
        (balance("PRCD", "100", "2026-02-08") + balance("CLBD", "101"), 10000, 10100, []),
        (
            balance("PRCD", "100") + balance("OPBD", "100") + balance("CLBD", "101"),
            *(10000, 10100, []),
        ),
        (
            balance("PRCD", "99") + balance("OPBD", "100") + balance("CLBD", "101"),
            *(10000, 10100, ["previous_differs"]),
        ),
        (
            balance("OPBD", "2", mark="DBIT") + balance("CLBD", "1", mark="DBIT"),
            *(-200, -100, []),
        ),
        (
            balance("OPBD", "100") + balance("CLBD", "101") + balance("CLAV", "1") * 2,
            *(10000, 10100, []),
        ),
        (balance("OPBD", "100") + balance("CLBD", "102"), 10000, 10200, ["does_not_add_up"]),
        (balance("CLBD", "101"), None, 10100, ["opening_missing"]),
        ("", None, None, ["opening_missing", "closing_missing"]),
    ],
)
def test_balances_are_chosen_by_their_code(
    balances: str, opening: int | None, closing: int | None, warned: list[str]
) -> None:
    """OPBD, else PRCD, and CLBD; available balances are not the books'."""
    file = read_statement_file(camt(statement(balances, entry("1.00"))))
    (one,) = file.statements

    assert opening == (one.opening and one.opening.units)
    assert closing == (one.closing and one.closing.units)
    assert warned == codes(file)
    assert one.adds_up is (None if None in (opening, closing) else "does_not_add_up" not in warned)


def test_balance_of_one_kind_that_stands_twice_is_refused_where_it_differs() -> None:
    """The same twice is a repetition; two figures are two statements of one thing."""
    same = balance("OPBD", "100") * 2 + balance("CLBD", "100")
    assert read_statement_file(camt(statement(same))).statements[0].adds_up

    with pytest.raises(UnreadableElementError, match="stands twice and differs"):
        read_statement_file(camt(statement(balance("CLBD", "100"), balance("CLBD", "101"))))


@pytest.mark.parametrize(
    ("pages", "balances", "between"),
    [
        ("<PgNb>1</PgNb><LastPgInd>false</LastPgInd>", ("OPBD", "ITBD"), (False, True)),
        ("<PgNb>2</PgNb><LastPgInd>false</LastPgInd>", ("ITBD", "ITBD"), (True, True)),
        ("<PgNb>3</PgNb><LastPgInd>true</LastPgInd>", ("ITBD", "CLBD"), (True, False)),
    ],
)
def test_page_says_that_it_is_one(
    pages: str, balances: tuple[str, str], between: tuple[bool, bool]
) -> None:
    """Figures between pages are marked, so that a part is never taken for a day."""
    first, last = balance(balances[0], "100"), balance(balances[1], "101")
    body = statement(f"<StmtPgntn>{pages}</StmtPgntn>", first, last, entry("1.00"))
    (one,) = read_statement_file(camt(body)).statements

    assert one.opening is not None
    assert one.closing is not None
    assert between == (one.opening.is_intermediate, one.closing.is_intermediate)
    assert one.adds_up


def test_statements_of_several_accounts_stay_apart() -> None:
    """Each line belongs to the account it stands under, and is counted through the file."""
    other = "<Acct><Id><IBAN>NL08INGB0000001234</IBAN></Id><Ccy>EUR</Ccy></Acct>"
    eur = entry("5.00", currency="EUR")
    file = read_statement_file(
        camt(
            whole(entry("1.00"), entry("2.00"), closing="103.00"),
            statement(account=other, number="8"),
            statement(eur, account=other, number="9"),
        )
    )

    assert [("0010012345678", "IDR", "7"), (*("NL08INGB0000001234", "EUR"), "8")] == [
        (each.account, each.currency, each.statement_no) for each in file.statements[:2]
    ]
    assert [[1, 2], [], [3]] == [[line.position for line in s.lines] for s in file.statements]


@pytest.mark.parametrize(
    "body",
    [
        statement(balance("OPBD", "1").replace("IDR", "USD")),
        statement(entry(currency="USD")),
        statement(entry(), entry(currency="USD"), account="<Acct/>"),
    ],
)
def test_second_currency_is_refused(body: str) -> None:
    """One account is kept in one currency; two can't be added."""
    with pytest.raises(CurrencyMismatchError):
        read_statement_file(camt(body))


def test_banks_own_counts_and_sums_are_checked() -> None:
    """Fewer entries than the summary says are a finding."""
    summary = (
        "<TxsSummry><TtlNtries><NbOfNtries>{}</NbOfNtries></TtlNtries>"
        "<TtlCdtNtries><NbOfNtries>01</NbOfNtries><Sum>{}</Sum></TtlCdtNtries>"
        "<TtlDbtNtries><NbOfNtries>0</NbOfNtries></TtlDbtNtries></TxsSummry>"
    )
    balances = balance("OPBD", "100") + balance("CLBD", "101")
    good = camt(statement(balances, summary.format("1", "1.0"), entry("1.00")))
    bad = camt(statement(balances, summary.format("2", "2.00"), entry("1.00")))

    assert [] == codes(read_statement_file(good))
    assert ["summary_differs"] * 2 == codes(read_statement_file(bad))


# --- messages, versions, envelopes ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "kind"), [("053", "end_of_day"), ("052", "intraday"), ("054", "advice")]
)
@pytest.mark.parametrize("version", ["02", "04", "08", "14"])
def test_message_tells_the_kind_in_every_version(message: str, kind: str, version: str) -> None:
    """Statement, report or advice; versions are not listed anywhere."""
    data = camt(statement(entry(), message=message), message=message, version=version)
    (one,) = read_statement_file(data).statements

    assert (kind, 1) == (one.kind, len(one.lines))


@pytest.mark.parametrize(
    "data",
    [
        camt(whole(entry(), closing="101")).replace(b"<", b"<c:").replace(b"<c:/", b"</c:")
        .replace(b"<c:?xml", b"<?xml").replace(b"xmlns=", b"xmlns:c="),
        camt(whole(entry(), closing="101"), root="a='camt.053'"),
        camt(whole(entry(), closing="101")).replace(
            b"<Document", b"<Envelope><AppHdr><Ntry/></AppHdr><Document"
        ) + b"</Envelope>",
        b"\xef\xbb\xbf" + camt(whole(entry(), closing="101")),
        camt(whole(entry(), closing="101")).decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        camt(whole(entry(), closing="101"), version="01").replace(
            b"BkToCstmrStmt>", b"BkToCstmrStmtV01>"
        ),
    ],
    ids=["prefix", "no namespace", "envelope", "byte order mark", "UTF-16", "version 01"],
)  # fmt: skip
def test_wrapping_does_not_matter(data: bytes) -> None:
    """Prefixes, envelopes, encodings: the same statement."""
    (one,) = read_statement_file(data).statements

    assert ([100], True) == ([line.amount_units for line in one.lines], one.adds_up)


def test_raw_is_the_entry_as_it_stands_in_the_file() -> None:
    """In the file's own encoding, byte for byte."""
    text = entry(inner=details("<AddtlTxInf>Ren\u00e9 &amp; anak</AddtlTxInf>"))
    data = camt(whole(entry(), text, closing="102")).decode().replace("UTF-8", "ISO-8859-1")
    line = read_statement_file(data.encode("latin-1")).statements[0].lines[1]

    assert text == line.raw
    assert "Ren\u00e9 & anak" == line.narrative


def test_contract_prints_every_field() -> None:
    """The golden line."""
    inner = (
        "<AcctSvcrRef>BNK-1</AcctSvcrRef><BkTxCd><Prtry><Cd>NTRF</Cd></Prtry></BkTxCd>"
        + details("<Refs><EndToEndId>SP2D26000123</EndToEndId></Refs>")
    )
    one = entry("1250.5", "DBIT", inner=inner)
    file = read_statement_file(camt(whole(one, opening="2000", closing="749.50")), name="a.xml")

    assert {
        "bank": None,
        "account": "0010012345678",
        "currency": "IDR",
        "statement_no": "7",
        "page": None,
        "kind": "end_of_day",
        "opening": {"amount": "2000.00", "on": "2026-02-09"},
        "closing": {"amount": "749.50", "on": "2026-02-09"},
        "adds_up": True,
        "lines": [
            {
                "position": 1,
                "booked_on": "2026-02-09",
                "value_on": "2026-02-09",
                "entry_on": "2026-02-09",
                "booked_time": None,
                "amount": "-1250.50",
                "balance_after": None,
                "reversal": False,
                "status": "booked",
                "bank_reference": "BNK-1",
                "reference": "SP2D26000123",
                "counterparty": None,
                "narrative": "",
                "transaction_code": "NTRF",
                "sub_entries": [],
                "raw": one,
            }
        ],
    } == file.to_json()["statements"][0]


# --- what is refused -------------------------------------------------------------------------------

XXE = "<!DOCTYPE Document [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
BOMB = (
    "<!DOCTYPE Document [<!ENTITY a 'aaaaaaaaaa'>"
    + "".join(
        f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]>"
)


@pytest.mark.parametrize(
    "prolog", [XXE, BOMB, "<!DOCTYPE Document>", "<!DOCTYPE Document SYSTEM 'http://127.0.0.1/x'>"]
)
def test_doctype_is_refused_before_anything_behind_it_is_read(prolog: str) -> None:
    """No entity of any sort is ever defined."""
    with pytest.raises(DoctypeForbiddenError):
        read_statement_file(camt(whole(entry(inner="&x;&i;"), closing="101"), prolog=prolog))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", EmptyFileError),
        (b"<", MalformedXmlError),
        (b"<Document/>", StatementNotFoundError),
        (b"<html><body>camt.053</body></html>", StatementNotFoundError),
        (camt(), StatementNotFoundError),
        (camt(whole(closing="100")) + b"<more/>", MalformedXmlError),
        (b"<a>" * 100_000, MalformedXmlError),
        (b"<?xml version='1.0' encoding='UTF-9'?><Document/>", UndecodableTextError),
        (b"<?xml version='1.0' encoding='big5'?><Document/>", UndecodableTextError),
        (b"\x00\x01\x02" * 100, MalformedXmlError),
        (camt(whole(entry(inner="&unknown;"), closing="101")), MalformedXmlError),
        (
            camt(whole(entry(), closing="101")).replace(b"</Ntry>", b"</Ntry\xff>"),
            MalformedXmlError,
        ),
    ],
)
def test_file_that_is_no_statement_is_refused_by_name(
    data: bytes, error: type[StatementFileError]
) -> None:
    """Each with its own name, none with a crash."""
    with pytest.raises(error):
        read_statement_file(data, format="camt")


def test_layout_of_a_sheet_does_not_go_with_xml() -> None:
    """A profile is for sheets."""
    with pytest.raises(UnsupportedFormatError):
        read_statement_file(camt(whole(closing="100")), format="camt", profile="bri-cms")


GOOD = camt(whole(entry("1.00"), entry("2.00", "DBIT"), closing="99.00"))


def test_file_that_was_cut_is_refused_wherever_it_was_cut() -> None:
    """No prefix of a message is a message."""
    for end in range(1, len(GOOD)):
        with pytest.raises(StatementFileError):
            read_statement_file(GOOD[:end], format="camt")


@pytest.mark.parametrize("after", [b"", b"-", b"<", b"</Stmt>", b"<Ntry>"])
def test_entry_that_is_one_empty_tag_is_refused_wherever_the_file_ends(after: bytes) -> None:
    """It begins and ends in the same place."""
    data = b'<Document xmlns="urn:x"><BkToCstmrStmt><Stmt><Ntry/>' + after

    with pytest.raises(UnreadableElementError, match="entry 1: CdtDbtInd: missing"):
        read_statement_file(data, format="camt")


def test_pieces_it_comes_in_do_not_matter() -> None:
    """A stream gives what the whole file gives: cut once anywhere, and byte by byte."""
    (one,) = read_statement_file(GOOD).statements
    cuts = [[n] for n in range(1, len(GOOD))]
    for places in [*cuts, list(range(1, len(GOOD)))]:
        pieces = [GOOD[a:b] for a, b in pairwise([0, *places, len(GOOD)])]
        parts = list(stream_camt(pieces, []))

        assert list(one.lines) == [part for part in parts if isinstance(part, StatementLine)]
        assert [one.closing] == [part.closing for part in parts if isinstance(part, Statement)]


def test_wide_text_is_the_same_in_any_pieces_and_refused_when_it_is_cut() -> None:
    """UTF-16 byte by byte is the statement; half a character at the end is a refusal by name."""
    wide = GOOD.decode().replace("UTF-8", "UTF-16").encode("utf-16")
    (one,) = read_statement_file(GOOD).statements
    parts = list(stream_camt((wide[n : n + 1] for n in range(len(wide))), []))

    assert list(one.lines) == [part for part in parts if isinstance(part, StatementLine)]
    for bad in (wide[:-1], wide[:100] + b"\x00\xd8" + wide[102:]):
        with pytest.raises(UndecodableTextError):
            read_statement_file(bad, format="camt")


def test_file_of_many_chunks_is_read_whole() -> None:
    """Each entry's own bytes, wherever the reader's chunks end."""
    filler = "x" * 997
    entries = [
        entry("0.01", inner=f"<AddtlNtryInf>{n}{filler}</AddtlNtryInf>") for n in range(2500)
    ]
    data = camt(whole(*entries, opening="0", closing="25"))
    assert len(data) > 2 * CHUNK_BYTES
    (one,) = read_statement_file(data).statements

    assert one.adds_up
    assert entries == [line.raw for line in one.lines]


sen = st.integers(0, 10**15)


@settings(max_examples=100, deadline=None)
@given(sen, st.lists(st.tuples(sen, st.booleans(), st.booleans()), max_size=8))
def test_any_statement_that_adds_up_is_read_to_the_sen(
    opening: int, entries: list[tuple[int, bool, bool]]
) -> None:
    """Amounts, directions and statuses at random; the sum is that of the booked ones."""
    total = sum((1 if is_in else -1) * units for units, is_in, booked in entries if booked)
    closing = opening + total
    body = statement(
        balance("OPBD", _text(opening)),
        balance("CLBD", _text(abs(closing)), mark="CRDT" if closing >= 0 else "DBIT"),
        *(
            entry(
                _text(units),
                "CRDT" if is_in else "DBIT",
                status=f"<Sts>{'BOOK' if booked else 'PDNG'}</Sts>",
            )
            for units, is_in, booked in entries
        ),
    )
    file = read_statement_file(camt(body))

    assert file.statements[0].adds_up
    assert len(entries) == len(file.statements[0].lines)
    assert [] == codes(file)


def _text(units: int) -> str:
    return f"{units // 100}.{units % 100:02d}"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("<Ntry><Amt Ccy='IDR'>1<b/>000.00</Amt>", "Amt"),
        ("<Ntry><Amt Ccy='IDR'><b/>1000.00</Amt>", "Amt"),
        ("<Ntry><Amt Ccy='IDR'>1000.00<b/></Amt>", "Amt"),
        ("<Ntry><Sts>BOOK<Cd>PDNG</Cd></Sts>", "Sts"),
        ("<Ntry><Sts><Cd>PDNG</Cd>BOOK</Sts>", "Sts"),
    ],
)
def test_element_within_a_wanted_text_is_refused(text: str, key: str) -> None:
    """`1<b/>000.00` is neither 1000.00 nor 000.00; no digit is dropped in silence."""
    damaged = entry("1000.00", status="").replace("<Ntry><Amt Ccy='IDR'>1000.00</Amt>", text)
    if key == "Sts":
        damaged = entry("1000.00", status="").replace("<Ntry>", text)

    with pytest.raises(UnreadableElementError, match=f"entry 1: {key} .*text and elements"):
        read_statement_file(camt(whole(damaged, closing="1100.00")), format="camt")


def test_elements_in_a_status_that_is_no_text_are_read() -> None:
    """Versions from 8 have the code below the status, with white space around it."""
    file = read_statement_file(
        camt(whole(entry("5.00", status="<Sts> <Cd>BOOK</Cd>\n</Sts>"), closing="105.00"))
    )

    assert [("booked", 500)] == [
        (line.status, line.amount_units) for line in file.statements[0].lines
    ]
    assert [] == codes(file)


def test_message_within_a_statement_is_not_read_as_another() -> None:
    """Statements stand right below the message; one deeper down belongs to somebody's extension."""
    inner = camt(whole(entry("9.00"), closing="109.00")).decode().partition("?>")[2]
    for extension in (inner, f"<SplmtryData>{statement(entry('9.00'))}</SplmtryData>"):
        file = read_statement_file(
            camt(whole(entry("5.00"), extension, closing="105.00")), format="camt"
        )

        assert [[500]] == [[line.amount_units for line in each.lines] for each in file.statements]
        assert file.statements[0].adds_up is True

    beside = camt(f"<SplmtryData>{statement(entry('9.00'))}</SplmtryData>", whole(closing="100.00"))
    assert [()] == [each.lines for each in read_statement_file(beside).statements]


def test_message_of_endlessly_different_elements_is_refused() -> None:
    """Each name at each place is remembered, so their number has an end far above any message's."""
    for count, end in ((5_000, None), (10_001, MalformedXmlError)):
        data = camt(whole(*(f"<a{n:x}/>" for n in range(count)), closing="100.00"))
        if end is None:
            assert read_statement_file(data).statements[0].adds_up is True
        else:
            with pytest.raises(end, match="more than 10000 different elements"):
                read_statement_file(data)
