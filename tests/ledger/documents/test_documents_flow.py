"""The whole way of an order, under both recognition policies and on both engines."""

from __future__ import annotations

import hashlib
import json

import pytest
from sqlalchemy import text

from api.engine import reading
from audit.canonical import parse_canonical
from ledger.documents import queries
from ledger.documents.advice_list import DraftAdviceList, SendAdviceList, advice_list_file
from ledger.documents.bank_outcomes import RecordPayment
from ledger.documents.bodies import ClaimBody, SpendingLineBody
from ledger.documents.sp2d import ImportSp2d, LinkSp2d
from ledger.documents.spm import AcceptSpm, RefuseSpm, ReturnSpm, SignSpm
from ledger.opening import ADMIN_1, ADMIN_2, RECONCILER
from ledger.policies import SetPolicy
from ledger.proposals import BothHands
from tests.builders import BANK, CASH, RK_PPKD, RK_SKPD, SAL, SKPD, TODAY
from tests.ledger.documents.office import (
    EVIDENCE,
    EXPENSE,
    EXPENSE_2,
    GRANT_EXPENSE,
    LINE,
    LINE_2,
    LINE_PPKD,
    PPH,
    PPN,
    Office,
)

OPENING = 100_000_000_000


def journal_lines(office: Office, journal: int) -> list[tuple[object, ...]]:
    """entity, book, account, sen, counterpart, budget line, payment reference, in order."""
    with reading(office.engine) as conn:
        return [
            tuple(row)
            for row in conn.execute(
                text(
                    "SELECT entity, book, account, amount_sen, counterpart, budget_line,"
                    " payment_reference FROM journal_line"
                    " WHERE government = :g AND journal_id = :j ORDER BY n"
                ),
                {"g": office.government, "j": journal},
            )
        ]


def test_spm_accepted_reserves_room_on_line_and_release(office: Office) -> None:
    """Acceptance takes the gross from the room of each budget line and of their release."""
    office.accept(office.with_tax())

    assert (1_000_000_00, 70_000_00, 0) == office.line(LINE)
    assert (1_000_000_00, 30_000_00, 0) == office.line(LINE_2)
    assert (800_000_00, 100_000_00, 0) == office.bucket()
    assert (OPENING, 0) == office.cash()
    assert [] == office.findings()


def test_spm_signed_and_accepted_separately_stands_the_same(on_issue: Office) -> None:
    """The budget user may sign first, and the treasury accept later."""
    spm = on_issue.register(by="pa")
    on_issue.do(SignSpm("pa", spm, on_issue.sign("pa", spm, "spm.sign")))
    answer = on_issue.do(AcceptSpm("maker", spm))

    assert ("accepted", 3) == (answer["state"], answer["n"])
    assert [] == on_issue.findings()


def test_spm_refused_or_returned_keeps_no_room(on_issue: Office) -> None:
    """A refusal reserved nothing; returning an accepted SPM frees what it reserved."""
    refused = on_issue.register()
    on_issue.do(RefuseSpm("verifier", refused, ["Lampiran tidak lengkap", "NPWP salah"]))
    returned = on_issue.accept()
    assert (1_000_000_00, 100_000_00, 0) == on_issue.line()
    on_issue.do(ReturnSpm("kuasa", returned, "Permintaan SKPD"))

    assert (1_000_000_00, 0, 0) == on_issue.line()
    assert (800_000_00, 0, 0) == on_issue.bucket()
    assert [] == on_issue.findings()


def test_sp2d_signed_on_issue_books_row_10_in_both_books(on_issue: Office) -> None:
    """Under on_issue the signature books gross, net and withholdings, one cash line per payee."""
    issued = on_issue.issue(on_issue.with_tax())

    assert [
        ("PPKD", "FIN", RK_SKPD, 100_000_00, SKPD, "", ""),
        ("PPKD", "FIN", CASH, -88_740_00, "", "", "P26-00000001"),
        ("PPKD", "FIN", PPN, -9_909_00, "", "", ""),
        ("PPKD", "FIN", PPH, -1_351_00, "", "", ""),
        (SKPD, "FIN", EXPENSE, 70_000_00, "", "", ""),
        (SKPD, "FIN", EXPENSE_2, 30_000_00, "", "", ""),
        (SKPD, "FIN", RK_PPKD, -100_000_00, "PPKD", "", ""),
        (SKPD, "BUD", "5.1.02.01.01.0024", 70_000_00, "", LINE, ""),
        (SKPD, "BUD", "5.1.02.01.01.0025", 30_000_00, "", LINE_2, ""),
        (SKPD, "BUD", SAL, -100_000_00, "", "", ""),
    ] == journal_lines(on_issue, issued["journal"])
    assert (1_000_000_00, 0, 70_000_00) == on_issue.line(LINE)
    assert (800_000_00, 0, 100_000_00) == on_issue.bucket()
    assert (OPENING - 88_740_00, 0) == on_issue.cash()
    assert [("P26-00000001", "held")] == on_issue.payments()
    assert [] == on_issue.findings()


def test_sp2d_signed_on_cair_commits_and_books_when_paid(on_cair: Office) -> None:
    """Under on_cair the signature commits the net; the journal comes with the bank's payment."""
    issued = on_cair.issue(on_cair.with_tax())
    assert issued["journal"] is None
    assert (OPENING, 88_740_00) == on_cair.cash()
    assert (1_000_000_00, 70_000_00, 0) == on_cair.line(LINE)

    on_cair.list_payments()
    paid = on_cair.outcome(issued["payments"][0], "paid")

    assert ("PPKD", "FIN", CASH, -88_740_00, "", "", "P26-00000001") in journal_lines(
        on_cair, paid["journal"]
    )
    assert (OPENING - 88_740_00, 0) == on_cair.cash()
    assert (1_000_000_00, 0, 70_000_00) == on_cair.line(LINE)
    assert [] == on_cair.findings()


def test_sp2d_paid_leaves_the_same_balances_under_either_policy(office: Office) -> None:
    """Booked at signing or at payment: the same books in the end, to the sen."""
    issued = office.issue(office.with_tax())
    office.list_payments()
    office.outcome(issued["payments"][0], "paid")

    assert (OPENING - 88_740_00, 0) == office.cash()
    assert 100_000_00 == office.balance(RK_SKPD)
    assert -100_000_00 == office.balance(RK_PPKD, entity=SKPD)
    assert -9_909_00 == office.balance(PPN)
    assert -1_351_00 == office.balance(PPH)
    assert 70_000_00 == office.balance(EXPENSE, entity=SKPD)
    assert 30_000_00 == office.balance(EXPENSE_2, entity=SKPD)
    assert -100_000_00 == office.balance(SAL, entity=SKPD, book="BUD")
    assert 0 == office.balance("2.1.01.05.03.0001")  # for information only
    assert [] == office.findings()


def test_sp2d_of_the_ppkd_books_row_14_without_reciprocals(office: Office) -> None:
    """A grant of the PPKD itself stands in one entity, expense against cash."""
    body = office.spm_body(
        skpd="PPKD",
        payment_kind="LS_PPKD",
        lines=[SpendingLineBody(LINE_PPKD, GRANT_EXPENSE, "100000.00")],
    )
    issued = office.issue(body, signer="pa-ppkd")
    office.list_payments()
    office.outcome(issued["payments"][0], "paid")

    assert 100_000_00 == office.balance(GRANT_EXPENSE)
    assert 0 == office.balance(RK_SKPD)
    assert -100_000_00 == office.balance(SAL, book="BUD")
    assert (1_000_000_00, 0, 100_000_00) == office.line(LINE_PPKD)
    assert [] == office.findings()


def test_sp2d_numbers_are_gapless_and_carry_their_parts(on_issue: Office) -> None:
    """Numbers count per government and year, whatever was discarded in between."""
    numbers = [on_issue.issue(amount="1000.00")["number"] for _ in range(3)]

    assert [
        f"{on_issue.government}/04.0/{n:06d}/LS/{SKPD}/P.01/11/2026" for n in (1, 2, 3)
    ] == numbers
    assert [] == on_issue.findings()


def test_sp2d_number_follows_the_policy_of_its_day(on_issue: Office) -> None:
    """A pattern that two administrators set today is printed from today on; the count goes on."""
    before = on_issue.issue(amount="1000.00")["number"]
    on_issue.run(
        BothHands(ADMIN_1, ADMIN_2, SetPolicy("sp2d_number", "SP2D-{serial}/{skpd}/{year}", TODAY))
    )

    after = on_issue.issue(amount="1000.00")["number"]

    assert f"{on_issue.government}/04.0/000001/LS/{SKPD}/P.01/11/2026" == before
    assert f"SP2D-000002/{SKPD}/2026" == after
    assert [] == on_issue.findings()


def test_sp2d_of_200_payees_makes_200_payments_that_add_up(office: Office) -> None:
    """Each payee is one payment, and their parts are the whole, line by line."""
    body = office.spm_body(
        "100000.01",
        among=200,
        lines=[
            SpendingLineBody(LINE, EXPENSE, "33333.34"),
            SpendingLineBody(LINE_2, EXPENSE_2, "66666.67"),
        ],
    )
    issued = office.issue(body)
    office.list_payments()
    office.run(
        *(
            RecordPayment(RECONCILER, payment, "paid", TODAY, EVIDENCE)
            for payment in reversed(issued["payments"])
        )
    )

    assert 200 == len(issued["payments"])
    assert {("paid")} == {state for _, state in office.payments()}
    assert (OPENING - 100_000_01, 0) == office.cash()
    assert 33_333_34 == office.balance(EXPENSE, entity=SKPD)
    assert 66_666_67 == office.balance(EXPENSE_2, entity=SKPD)
    assert (1_000_000_00, 0, 33_333_34) == office.line(LINE)
    assert [] == office.findings()


def test_checks_of_a_signature_are_kept_with_their_values(on_issue: Office) -> None:
    """The move keeps which rules ran and the figures they saw."""
    issued = on_issue.issue(on_issue.with_tax())
    with reading(on_issue.engine) as conn:
        view = queries.get_document(conn, on_issue.government, issued["document"])
    checks = {check["rule"]: check for check in view.moves[-1].checks}

    assert ["C14", "C01", "C13", "C06", "C02", "C03", "C05", "C12"] == list(checks)
    assert "warn" == checks["C12"]["outcome"]
    assert {"without_billing": [PPH, "2.1.01.05.03.0001"]} == checks["C12"]["values"]
    assert "70000.00" == checks["C02"]["values"]["lines"][LINE]["asked"]
    assert [["SPM signer", "pa"], ["SP2D maker", "maker"], ["SP2D verifier", "verifier"]] == (
        checks["C14"]["values"]["hands"]
    )


def test_leaf_of_a_signature_holds_what_its_rows_say(on_issue: Office) -> None:
    """The leaf names document, revision, number, journal, payments, envelope and nonce."""
    issued = on_issue.issue()
    body = on_issue.scalar(
        "SELECT body FROM log_leaf WHERE government = :government AND idx = :idx",
        idx=issued["leaf_index"],
    )
    act = parse_canonical(bytes(body))
    assert isinstance(act, dict)
    data = act["data"]
    assert isinstance(data, dict)

    assert ("document.moved", 1, "kuasa") == (act["act"], act["v"], act["by"])
    assert (issued["document"], "sign", "verified", "signed") == (
        data["document"],
        data["move"],
        data["from"],
        data["to"],
    )
    assert {"count": 1, "first": 1, "year": 2026} == data["payments"]
    assert (issued["number"], issued["journal"], TODAY) == (
        data["number"],
        data["journal"],
        data["issued_on"],
    )
    assert (64, 32) == (len(str(data["envelope"])), len(str(data["nonce"])))


def test_no_leaf_and_no_posted_row_shows_a_personal_text(on_issue: Office) -> None:
    """Names, accounts, tax numbers and purposes stand in the private table alone."""
    on_issue.issue(on_issue.with_tax())
    on_issue.list_payments()
    tables = on_issue.contents()
    del tables["private_value"]
    shown = repr(tables)

    for text_ in ("CV Maju", "1000001", "0" * 15, "1" * 15, "Belanja alat tulis kantor"):
        assert text_ not in shown


def test_advice_list_file_is_what_two_officers_signed(office: Office) -> None:
    """The file shows each payment in the clear; its digest and the revision prove the signatures."""
    issued = office.issue(office.with_tax())
    made = office.list_payments()
    with reading(office.engine) as conn:
        file = advice_list_file(conn, office.government, made)
    package = json.loads(file.package)
    rows = json.loads(file.file)["rows"]

    assert f"DP/{office.government}/000001/2026" == file.number
    assert [
        (1, "137", "1000001", "CV Maju", "100000.00", "11260.00", "88740.00", "P26-00000001")
    ] == [
        (
            row["no"],
            row["payee_bank_code"],
            row["payee_account"],
            row["payee_name"],
            row["gross"],
            row["deduction"],
            row["net"],
            row["payment_reference"],
        )
        for row in rows
    ]
    assert issued["number"] == rows[0]["sp2d_number"]
    assert hashlib.sha256(file.file).hexdigest() == package["content"]["file_sha256"]
    assert 2 == len(package["envelopes"]) == len(package["keys"])
    assert [("P26-00000001", "queued")] == office.payments()
    assert [] == office.findings()


def test_advice_list_sent_moves_its_payments_to_sent(on_issue: Office) -> None:
    """Handing over the signed file is an act of its own, and names the file."""
    on_issue.issue()
    made = on_issue.list_payments()
    with reading(on_issue.engine) as conn:
        file = advice_list_file(conn, on_issue.government, made)
    answer = on_issue.do(SendAdviceList("kuasa", made, file.sha256))

    assert ("sent", 1) == (answer["state"], answer["sent"])
    assert [("P26-00000001", "sent")] == on_issue.payments()
    assert [] == on_issue.findings()


def test_advice_list_of_chosen_payments_leaves_the_others_held(on_issue: Office) -> None:
    """A list takes what it names."""
    first = on_issue.issue(amount="1000.00")["payments"][0]
    second = on_issue.issue(amount="2000.00")["payments"][0]
    on_issue.list_payments(second)

    assert [(first, "held"), (second, "queued")] == on_issue.payments()


def test_sipd_sp2d_is_imported_on_its_evidence_and_needs_two_own_hands(office: Office) -> None:
    """Hands of another system are claims; our own two persons sign the list, not the importer."""
    body = office.spm_body(
        origin="sipd",
        evidence_sha256=EVIDENCE,
        claims=[ClaimBody("budget_user", "Ibu Sari", "1" * 18, "2026-11-19")],
    )
    spm = office.register(body)
    office.do(AcceptSpm("maker", spm))
    imported = office.do(
        ImportSp2d(
            "maker",
            spm,
            "36.00/04.0/000777/LS/1.02/M/11/2026",
            "2026-11-20",
            EVIDENCE,
            [ClaimBody("deputy_treasurer", "Bapak Budi")],
        )
    )
    office.list_payments()
    office.outcome(imported["payments"][0], "paid")

    assert "signed" == imported["state"]
    assert 0 == office.scalar(
        "SELECT count(*) FROM number_series WHERE government = :government AND series = 'sp2d'"
    )
    assert [] == office.findings()


def test_continuity_sp2d_counts_in_its_own_series_and_is_linked_later(on_issue: Office) -> None:
    """While SIPD is down numbers come from a reserved series; its number is added afterwards."""
    own = on_issue.issue(amount="1000.00")
    issued = on_issue.issue(on_issue.spm_body("2000.00", origin="continuity"))
    on_issue.do(LinkSp2d("maker", issued["document"], "36.00/04.0/000555/LS/1.02/M/11/2026"))

    assert "/000001/" in own["number"]
    assert "/900001/" in issued["number"]
    assert [] == on_issue.findings()


def test_document_lists_page_and_filter(on_issue: Office) -> None:
    """Lists come in order of intake, page by page, with the derived bank status."""
    issued = [on_issue.issue(amount="1000.00") for _ in range(3)]
    on_issue.list_payments(issued[0]["payments"][0])
    on_issue.outcome(issued[0]["payments"][0], "paid")
    with reading(on_issue.engine) as conn:
        page = queries.list_documents(conn, on_issue.government, kind="sp2d", limit=2)
        rest = queries.list_documents(conn, on_issue.government, kind="sp2d", after=page[-1].id)
        waiting = queries.outstanding_sp2d(conn, on_issue.government, bank_account=BANK)

    assert [issued[n]["document"] for n in (0, 1)] == [row.id for row in page]
    assert [issued[2]["document"]] == [row.id for row in rest]
    assert ["paid", "none"] == [row.bank_status for row in page]
    assert [issued[n]["payments"][0] for n in (1, 2)] == [row.payment for row in waiting]


@pytest.mark.parametrize("payees", [1_000])
def test_sp2d_of_many_payees_goes_by_hash(office: Office, payees: int) -> None:
    """A content too long for a leaf is named by its hash, and fsck reads it from the row."""
    issued = office.issue(office.spm_body("100000.00", among=payees))
    office.do(DraftAdviceList("maker-2"))
    leaf = office.scalar("SELECT max(length(body)) FROM log_leaf WHERE government = :government")

    assert payees == len(issued["payments"])
    assert leaf <= 65_535
    assert [] == office.findings()
