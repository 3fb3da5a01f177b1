"""What a status report means: every level, every contradiction, and nothing paid too early."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bank_adapters.errors import (
    BankAdapterError,
    DoctypeForbiddenError,
    EmptyFileError,
    MalformedXmlError,
    OversizedFileError,
    UndecodableTextError,
    UnreadableElementError,
)
from bank_adapters.payments import pain002_xml
from bank_adapters.payments.errors import ForeignReportError, StatusReportNotFoundError
from bank_adapters.payments.pain001 import SentBlock, SentMessage
from bank_adapters.payments.pain002 import OrderAnswer, answers_of
from bank_adapters.payments.pain002_xml import read_pain002
from ledger.money import Money
from tests.bank_adapters.helpers import sample

#: Three orders in two blocks: 100.00 + 200.00, and 300.00.
SENT = SentMessage(
    "MSG-1",
    (
        SentBlock("PMT-A", {"R1": Money(100_00), "R2": Money(200_00)}),
        SentBlock("PMT-B", {"R3": Money(300_00)}),
    ),
)


def tx(
    reference: str = "R1",
    status: str = "",
    *,
    amount: str = "",
    currency: str = "IDR",
    extra: str = "",
    instruction: str = "",
) -> str:
    """One TxInfAndSts."""
    parts = [
        f"<OrgnlInstrId>{instruction}</OrgnlInstrId>" if instruction else "",
        f"<OrgnlEndToEndId>{reference}</OrgnlEndToEndId>" if reference else "",
        f"<TxSts>{status}</TxSts>" if status else "",
        extra,
        f'<OrgnlTxRef><Amt><InstdAmt Ccy="{currency}">{amount}</InstdAmt></Amt></OrgnlTxRef>'
        if amount
        else "",
    ]
    return f"<TxInfAndSts>{''.join(parts)}</TxInfAndSts>"


def pmt(name: str, status: str = "", *transactions: str, extra: str = "") -> str:
    """One OrgnlPmtInfAndSts."""
    said = f"<PmtInfSts>{status}</PmtInfSts>" if status else ""
    return (
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{name}</OrgnlPmtInfId>{extra}{said}"
        f"{''.join(transactions)}</OrgnlPmtInfAndSts>"
    )


def report(*payments: str, group: str = "", extra: str = "", message: str = "MSG-1") -> str:
    """A whole pain.002.001.10."""
    said = f"<GrpSts>{group}</GrpSts>" if group else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>'
        "<GrpHdr><MsgId>BANK-9</MsgId><CreDtTm>2026-03-05T10:00:00</CreDtTm></GrpHdr>"
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>{message}</OrgnlMsgId>"
        f"<OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>{extra}{said}</OrgnlGrpInfAndSts>"
        f"{''.join(payments)}</CstmrPmtStsRpt></Document>"
    )


def read(text: str, sent: SentMessage | None = SENT) -> tuple[list[OrderAnswer], list[str]]:
    """The answers, and the codes of the warnings."""
    answers, warnings = answers_of(read_pain002([text.encode()]), sent)
    return answers, [each.code for each in warnings]


def meanings(answers: Sequence[OrderAnswer]) -> dict[str, str]:
    """Meaning by reference; the last of several."""
    return {each.reference: each.answer.meaning for each in answers}


@pytest.mark.parametrize(
    ("status", "meaning", "warned"),
    [
        ("ACSC", "done", []),
        ("ACCC", "done", []),
        ("RCVD", "pending", []),
        ("ACTC", "pending", []),
        ("ACCP", "pending", []),
        ("ACSP", "pending", []),
        ("ACWC", "pending", []),
        ("PDNG", "pending", []),
        ("RJCT", "refused", []),
        ("PART", "unknown", ["unknown_status"]),
        ("ACPT", "unknown", ["unknown_status"]),
        ("acsc", "unknown", ["unknown_status"]),
    ],
)
@pytest.mark.parametrize("level", ["group", "payment", "transaction"])
def test_status_means_the_same_at_every_level(
    status: str, meaning: str, warned: list[str], level: str
) -> None:
    """Only ACSC and ACCC are done; a code that isn't the standard's is never guessed."""
    text = {
        "group": report(group=status),
        "payment": report(pmt("PMT-A", status), pmt("PMT-B", status)),
        "transaction": report(
            pmt("PMT-A", "", tx("R1", status), tx("R2", status)), pmt("PMT-B", "", tx("R3", status))
        ),
    }[level]

    answers, codes = read(text)

    if status == "PART" and level != "transaction":
        assert ([], ["not_answered"]) == (answers, codes)
        return
    assert dict.fromkeys(["R1", "R2", "R3"], meaning) == meanings(answers)
    assert {level} == {each.level for each in answers}
    assert {status} == {each.answer.code for each in answers}
    assert set(warned) == set(codes)


def test_group_rejected_without_transactions_rejects_every_order_of_the_message() -> None:
    """The reason, the words and the bytes of the group stand with each order."""
    reason = (
        "<StsRsnInf><Rsn><Cd>AM05</Cd></Rsn><AddtlInf>duplicate</AddtlInf>"
        "<AddtlInf>file</AddtlInf></StsRsnInf><StsRsnInf><Rsn><Prtry>X9</Prtry></Rsn></StsRsnInf>"
    )

    answers, codes = read(report(group="RJCT", extra="").replace("</GrpSts>", "</GrpSts>" + reason))

    assert [("R1", "refused"), ("R2", "refused"), ("R3", "refused")] == [
        (each.reference, each.answer.meaning) for each in answers
    ]
    assert {("AM05", "X9")} == {each.reasons for each in answers}
    assert {("duplicate file", 1)} == {(each.answer.message, each.position) for each in answers}
    assert all(each.answer.body.startswith(b"<OrgnlGrpInfAndSts><OrgnlMsgId>") for each in answers)
    assert all(each.answer.body.endswith(b"</OrgnlGrpInfAndSts>") for each in answers)
    assert [] == codes


def test_payment_rejected_rejects_its_own_orders_alone() -> None:
    """The other block is not spoken of, and that is told."""
    answers, codes = read(report(pmt("PMT-A", "RJCT"), group="PART"))

    assert {"R1": "refused", "R2": "refused"} == meanings(answers)
    assert ["not_answered"] == codes


def test_transaction_has_its_reason_reference_place_and_bytes() -> None:
    """The bank's reference, codes and words come with the order they stand at."""
    extra = (
        "<StsRsnInf><Rsn><Cd>AC01</Cd></Rsn><AddtlInf>account &amp; name</AddtlInf></StsRsnInf>"
        "<AcctSvcrRef>BNK77</AcctSvcrRef>"
    )
    text = report(pmt("PMT-A", "PART", tx("R2", "ACSC"), tx("R1", "RJCT", extra=extra)))

    answers, codes = read(text)
    first, second = answers

    assert ("R2", "done", (), 1) == (
        first.reference,
        first.answer.meaning,
        first.reasons,
        first.position,
    )
    assert ("R1", "refused", ("AC01",), 2) == (
        second.reference,
        second.answer.meaning,
        second.reasons,
        second.position,
    )
    assert ("RJCT", "account & name", "BNK77") == (
        second.answer.code,
        second.answer.message,
        second.answer.bank_reference,
    )
    assert tx("R1", "RJCT", extra=extra).encode() == second.answer.body
    assert ["not_answered"] == codes


@pytest.mark.parametrize(
    ("text", "expected", "warned"),
    [
        # the innermost level that speaks of the transaction counts; the others get what is left
        (
            report(pmt("PMT-A", "ACSP", tx("R1", "RJCT")), group="ACTC"),
            {"R1": "refused", "R2": "pending", "R3": "pending"},
            [],
        ),
        (
            report(pmt("PMT-A", "", tx("R1")), group="ACSP"),
            {"R1": "pending", "R2": "pending", "R3": "pending"},
            [],
        ),
        (report(pmt("PMT-A", "PART", tx("R1", "RJCT"))), {"R1": "refused"}, ["not_answered"]),
        (report(pmt("PMT-A", "", tx("R1"))), {}, ["status_missing", "not_answered"]),
        # what one level rejects another can't have executed
        (
            report(pmt("PMT-A", "", tx("R1", "ACSC")), group="RJCT"),
            {"R1": "conflict", "R2": "conflict", "R3": "conflict"},
            ["levels_disagree", "levels_disagree"],
        ),
        (
            report(pmt("PMT-A", "RJCT", tx("R1", "ACSP"), tx("R2", "RJCT"))),
            {"R1": "conflict", "R2": "refused"},
            ["levels_disagree", "not_answered"],
        ),
        (
            report(pmt("PMT-A", "ACSP"), group="RJCT"),
            {"R1": "conflict", "R2": "conflict", "R3": "conflict"},
            ["levels_disagree", "levels_disagree"],
        ),
        # nor is `all done` true beside a rejected one
        (
            report(pmt("PMT-A", "ACSC", tx("R1", "RJCT"))),
            {"R1": "conflict", "R2": "conflict"},
            ["levels_disagree", "levels_disagree", "not_answered"],
        ),
        (
            report(pmt("PMT-A", "ACSC", tx("R1", "ACSP"))),
            {"R1": "pending", "R2": "conflict"},
            ["levels_disagree", "not_answered"],
        ),
        # the same order twice
        (
            report(pmt("PMT-A", "", tx("R1", "ACSC"), tx("R1", "RJCT"), tx("R2", "ACSC"))),
            {"R1": "conflict", "R2": "done"},
            ["said_twice", "not_answered"],
        ),
        (
            report(pmt("PMT-A", "", tx("R1", "ACSP"), tx("R1", "RJCT"), tx("R2", "RJCT"))),
            {"R1": "conflict", "R2": "refused"},
            ["said_twice", "not_answered"],
        ),
        (
            report(pmt("PMT-A", "", tx("R1", "ACSP"), tx("R1", "ACSC"), tx("R2", "ACSC"))),
            {"R1": "done", "R2": "done"},
            ["not_answered"],
        ),
        # a block that stands twice: what either says of all binds the transactions of both
        (
            report(pmt("PMT-A", "RJCT"), pmt("PMT-A", "", tx("R1", "ACSC"))),
            {"R1": "conflict", "R2": "conflict"},
            ["levels_disagree", "levels_disagree", "not_answered"],
        ),
        (
            report(pmt("PMT-A", "ACSP"), pmt("PMT-A", "", tx("R1", "ACSC"))),
            {"R1": "done", "R2": "pending"},
            ["not_answered"],
        ),
        (
            report(pmt("PMT-A", "RJCT"), pmt("PMT-A", "ACSC")),
            {"R1": "conflict", "R2": "conflict"},
            ["said_twice", "said_twice", "not_answered"],
        ),
        # another order or another amount than was sent
        (
            report(pmt("PMT-A", "", tx("R9", "ACSC"))),
            {"R9": "conflict"},
            ["unknown_reference", "not_answered"],
        ),
        (
            report(pmt("PMT-A", "", tx("R1", "ACSC", amount="100.01"))),
            {"R1": "conflict"},
            ["amount_differs", "not_answered"],
        ),
        (
            report(pmt("PMT-A", "", tx("R1", "ACSC", amount="100", currency="USD"))),
            {"R1": "conflict"},
            ["amount_differs", "not_answered"],
        ),
        (
            report(pmt("PMT-A", "", tx("R1", "ACSC", amount="100.001"))),
            {"R1": "conflict"},
            ["amount_differs", "not_answered"],
        ),
        (
            report(pmt("PMT-A", "", tx("R1", "ACSC", amount="1e2"))),
            {"R1": "conflict"},
            ["amount_differs", "not_answered"],
        ),
        (
            report(pmt("PMT-A", "", tx("R1", "ACSC", amount="000100.00000"))),
            {"R1": "done"},
            ["not_answered"],
        ),
        (
            report(pmt("PMT-B", "", tx("R1", "ACSC"))),
            {"R1": "conflict"},
            ["other_payment", "not_answered"],
        ),
        (
            report(pmt("PMT-A", "", tx("R1", "ACSC", instruction="R2"))),
            {"R1": "conflict"},
            ["two_orders", "not_answered"],
        ),
        (report(pmt("PMT-Z", "RJCT")), {}, ["unknown_payment", "not_answered"]),
        # references that stand otherwise, or not at all
        (
            report(pmt("PMT-A", "", tx("", "RJCT", instruction="R1"))),
            {"R1": "refused"},
            ["not_answered"],
        ),
        (
            report(pmt("PMT-A", "", tx("NOTPROVIDED", "RJCT", instruction="R1"))),
            {"R1": "refused"},
            ["not_answered"],
        ),
        (
            report(pmt("PMT-A", "", tx("NOTPROVIDED", "RJCT"))),
            {},
            ["reference_missing", "not_answered"],
        ),
        # count and sum of what the bank read
        (
            report(group="RJCT", extra="<OrgnlNbOfTxs>2</OrgnlNbOfTxs>"),
            {"R1": "conflict", "R2": "conflict", "R3": "conflict"},
            ["count_differs"],
        ),
        (
            report(group="ACSC", extra="<OrgnlCtrlSum>600.01</OrgnlCtrlSum>"),
            {"R1": "conflict", "R2": "conflict", "R3": "conflict"},
            ["sum_differs"],
        ),
        (
            report(
                group="ACSC",
                extra="<OrgnlNbOfTxs>003</OrgnlNbOfTxs><OrgnlCtrlSum>600.0000</OrgnlCtrlSum>",
            ),
            {"R1": "done", "R2": "done", "R3": "done"},
            [],
        ),
        (
            report(
                pmt("PMT-B", "ACSC", extra="<OrgnlCtrlSum>30000</OrgnlCtrlSum>"),
                group="PART",
            ),
            {"R3": "conflict"},
            ["sum_differs", "not_answered"],
        ),
        (
            report(group="ACSP", extra="<OrgnlNbOfTxs>2</OrgnlNbOfTxs>"),
            {"R1": "pending", "R2": "pending", "R3": "pending"},
            ["count_differs"],
        ),
    ],
)
def test_report_means_what_agrees_with_itself_and_with_what_was_sent(
    text: str, expected: dict[str, str], warned: list[str]
) -> None:
    """Orders get the word nearest to them; contradictions are left to a person, and all is told."""
    answers, codes = read(text)

    assert expected == meanings(answers)
    assert sorted(warned) == sorted(codes)


def test_report_of_another_message_is_refused() -> None:
    """A rejection of another message must not free these orders to be sent again."""
    with pytest.raises(ForeignReportError, match="'MSG-2', not 'MSG-1'"):
        read(report(group="RJCT", message="MSG-2"))


def test_report_without_its_message_gives_what_is_listed_and_says_so() -> None:
    """Without what was sent nothing is handed to orders that aren't named."""
    answers, codes = read(report(pmt("P", "RJCT", tx("X", "RJCT"), tx("Y"))), None)

    assert {"X": "refused", "Y": "refused"} == meanings(answers)
    assert ["not_fanned_out"] == codes


def test_report_of_the_old_version_has_transactions_below_no_block() -> None:
    """pain.002.001.02 lists transactions right below its root."""
    text = report(tx("R1", "RJCT"), tx("R3", "ACSC")).replace("CstmrPmtStsRpt", "pain.002.001.02")

    answers, codes = read(text)

    assert {"R1": "refused", "R3": "done"} == meanings(answers)
    assert ["not_answered"] == codes


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_report_reads_the_same_in_every_encoding_and_any_pieces(encoding: str, size: int) -> None:
    """Letters, positions and cut bytes do not depend on how the file came."""
    extra = "<StsRsnInf><AddtlInf>ditolak \u00e9</AddtlInf></StsRsnInf>"
    one = tx("R1", "RJCT", extra=extra)
    text = report(pmt("PMT-A", "PART", one, tx("R2", "ACSC")))
    text = text.replace('"UTF-8"', f'"{encoding.removesuffix("-sig")}"')
    data = text.encode(encoding)

    found = read_pain002(data[n : n + size] for n in range(0, len(data), size))
    answers, _ = answers_of(found, SENT)

    raw = "utf-8" if encoding != "iso-8859-1" else encoding
    assert ("R1", "ditolak \u00e9", one.encode(raw)) == (
        answers[0].reference,
        answers[0].answer.message,
        answers[0].answer.body,
    )
    assert {"R1": "refused", "R2": "done"} == meanings(answers)


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", EmptyFileError),
        ("RJCT", MalformedXmlError),
        (report(group="RJCT")[:-20], MalformedXmlError),
        (report(group="RJCT") + "x", MalformedXmlError),
        (report().replace("?>", "?>" + BOMB, 1), DoctypeForbiddenError),
        (report(group="&b;").replace("?>", "?>" + BOMB, 1), DoctypeForbiddenError),
        (report().replace("UTF-8", "utf-7"), UndecodableTextError),
        (report().replace("<GrpHdr>", "<a>" * 80 + "</a>" * 80 + "<GrpHdr>"), MalformedXmlError),
        (report().replace("CstmrPmtStsRpt", "CstmrCdtTrfInitn"), StatusReportNotFoundError),
        ("<html/>", StatusReportNotFoundError),
        (report(group="RJCT", extra="<GrpSts>ACSC</GrpSts>"), UnreadableElementError),
        (report(pmt("A", "RJCT", extra="<PmtInfSts>ACSC</PmtInfSts>")), UnreadableElementError),
        (
            report(pmt("A", "", tx("R1", "RJCT", extra="<TxSts>ACSC</TxSts>"))),
            UnreadableElementError,
        ),
        (
            report(pmt("A", "", tx("R1", "RJCT", extra="<OrgnlEndToEndId>R2</OrgnlEndToEndId>"))),
            UnreadableElementError,
        ),
        (
            report().replace("</OrgnlGrpInfAndSts>", "</OrgnlGrpInfAndSts><OrgnlGrpInfAndSts/>"),
            UnreadableElementError,
        ),
        ("<Document><CstmrPmtStsRpt/></Document>", UnreadableElementError),
    ],
)
def test_file_that_cannot_be_trusted_is_refused_by_name(text: str, error: type[Exception]) -> None:
    """Cut, hostile, of another kind, or saying a thing twice: refused, nothing read from it."""
    with pytest.raises(error):
        read_pain002([text.encode()])


def test_file_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit holds while the file comes in, not after it."""
    monkeypatch.setattr(pain002_xml, "SIZE_BYTES_MAX", 1000)

    with pytest.raises(OversizedFileError):
        read_pain002(b" " * 300 for _ in range(10**9))


def test_levels_within_supplementary_data_are_not_the_report_s() -> None:
    """A status that the bank wraps in data of its own is no status of ours."""
    inner = f"<SplmtryData><Envlp>{tx('R2', 'ACSC')}{pmt('PMT-B', 'ACSC')}</Envlp></SplmtryData>"

    answers, codes = read(report(pmt("PMT-A", "", tx("R1", "RJCT", extra=inner)), inner))

    assert {"R1": "refused"} == meanings(answers)
    assert ["not_answered"] == codes


STATUSES = st.sampled_from(["", "ACSC", "ACCC", "ACSP", "ACTC", "RJCT", "PART", "XXXX"])


@settings(max_examples=300, deadline=None)
@given(
    STATUSES,
    st.lists(STATUSES, min_size=2, max_size=2),
    st.lists(st.none() | STATUSES, min_size=3, max_size=3),
)
def test_report_of_any_statuses_never_pays_or_frees_against_another_word(
    group: str, blocks: list[str], transactions: list[str | None]
) -> None:
    """Done needs ACSC or ACCC somewhere over the order and no RJCT; refused the reverse."""
    lines = [
        tx(f"R{n}", status) if status is not None else ""
        for n, status in enumerate(transactions, 1)
    ]
    text = report(
        pmt("PMT-A", blocks[0], *lines[:2]), pmt("PMT-B", blocks[1], lines[2]), group=group
    )

    answers, _ = read(text)

    assert len(answers) == len(meanings(answers))
    for each in answers:
        n = int(each.reference[1:]) - 1
        over = {group, blocks[0 if n < 2 else 1], transactions[n] or ""}
        if each.answer.meaning == "done":
            assert over & {"ACSC", "ACCC"}
            assert "RJCT" not in over
        if each.answer.meaning == "refused":
            assert "RJCT" in over
            assert not over & {"ACSC", "ACCC"}
    spoken = {
        f"R{n}" for n, status in enumerate(transactions, 1) if status not in {None, "", "PART"}
    }
    assert spoken <= set(meanings(answers))


def test_sample_of_rejected_transactions_reads_to_its_content() -> None:
    """Two transfers rejected with a narrative reason, each with its own reference."""
    found = read_pain002([sample("pain002-nordea-txn-reject.xml")])
    answers, warnings = answers_of(found, None)

    assert ("XML990920150728124014189", "MSGID-950-TEST2-2807-01") == (
        found.message_id,
        found.original_message_id,
    )
    words = "CAP Invalid code or combinations in CategoryPurpose or ServiceLevel"
    assert [
        ("ENDTOENDID-950-TEST2-2807-02", "refused", "RJCT", ("NARR",), words, 1),
        ("ENDTOENDID-950-TEST2-2807-01", "refused", "RJCT", ("NARR",), words, 2),
    ] == [
        (
            each.reference,
            each.answer.meaning,
            each.answer.code,
            each.reasons,
            each.answer.message,
            each.position,
        )
        for each in answers
    ]
    assert ["not_fanned_out"] == [each.code for each in warnings]


def test_sample_against_its_message_leaves_the_order_that_it_rejects_by_block() -> None:
    """The block is rejected as well, so an order of it that isn't listed is rejected too."""
    amounts = {f"ENDTOENDID-950-TEST2-2807-0{n}": Money(n) for n in (1, 2, 3)}
    sent = SentMessage(
        "MSGID-950-TEST2-2807-01", (SentBlock("PMTINFID-950-TEST2-2807-01", amounts),)
    )

    answers, warnings = answers_of(read_pain002([sample("pain002-nordea-txn-reject.xml")]), sent)

    assert dict.fromkeys(amounts, "refused") == meanings(answers)
    assert ["transaction", "transaction", "payment"] == [each.level for each in answers]
    assert [] == warnings


WHOLE = report(
    pmt("PMT-A", "PART", tx("R1", "RJCT", amount="100.00"), tx("R2", "ACSC")), group="PART"
).encode()


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(WHOLE) - 1), st.binary(max_size=3), st.integers(0, 40)),
        min_size=1,
        max_size=4,
    )
)
def test_file_damaged_anywhere_is_read_or_refused_by_name(
    damages: list[tuple[int, bytes, int]],
) -> None:
    """No damage is an error of ours; what is read still pays nothing that wasn't said to be paid."""
    data = WHOLE
    for at, put, cut in damages:
        data = data[:at] + put + data[at + cut :]
    try:
        found = read_pain002([data])
        answers, _ = answers_of(found, SENT)
    except BankAdapterError:
        return

    for each in answers:
        if each.answer.meaning == "done":
            assert each.answer.code in {"ACSC", "ACCC"}
            assert each.reference in SENT.amounts


@pytest.mark.parametrize("each_block", [5000, 1])
def test_report_of_many_orders_costs_each_of_them_the_same(each_block: int) -> None:
    """Five thousand orders, in one block or in as many, are answered in seconds."""
    names = [f"R{n}" for n in range(1, 5001)]
    groups = [names[n : n + each_block] for n in range(0, len(names), each_block)]
    sent = SentMessage(
        "MSG-1",
        tuple(SentBlock(f"P-{group[0]}", dict.fromkeys(group, Money(1))) for group in groups),
    )
    blocks = [pmt(f"P-{each[0]}", "PART", *(tx(name, "ACSC") for name in each)) for each in groups]

    began = perf_counter()
    answers, codes = read(report(*blocks), sent)

    assert (dict.fromkeys(names, "done"), []) == (meanings(answers), codes)
    assert perf_counter() - began < 3


@pytest.mark.parametrize(
    ("status", "key"),
    [
        ("<TxSts>RJ<b/>CT</TxSts>", "TxSts"),
        ("<TxSts><b/>ACSC</TxSts>", "TxSts"),
        ("<TxSts>ACSC<b/></TxSts>", "TxSts"),
        ("<OrgnlTxRef><Amt><InstdAmt>1<b/>00.00</InstdAmt></Amt></OrgnlTxRef>", "InstdAmt"),
    ],
)
def test_element_within_a_wanted_text_is_refused(status: str, key: str) -> None:
    """A status or an amount cut by an element is neither of its halves."""
    with pytest.raises(UnreadableElementError, match=f"{key} .*text and elements"):
        read_pain002([report(pmt("PMT-A", "", tx("R1", extra=status))).encode()])
