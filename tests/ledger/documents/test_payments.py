"""What the bank answers, what it books under each policy, and the next attempt."""

from __future__ import annotations

import pytest

from ledger.documents import queries
from ledger.documents.bank_outcomes import RecordPayment, ResendPayment
from ledger.documents.journals import RETUR_ACCOUNT
from ledger.documents.payments import STATES, STEPS, bank_status, check_step, next_basis
from ledger.documents.sp2d import (
    CancelSp2d,
    DiscardSp2d,
    DraftSp2d,
    RequestCancelSp2d,
    WithdrawCancelSp2d,
)
from ledger.errors import LedgerError
from ledger.opening import ADMIN_1, ADMIN_2, RECONCILER
from ledger.persons_shell import GiveGrant
from ledger.proposals import BothHands
from tests.builders import SKPD, TODAY
from tests.ledger.documents.office import EVIDENCE, EXPENSE, Office

OPENING = 100_000_000_000
AMOUNT = 100_000_00


# --- pure ----------------------------------------------------------------------------------------


def test_payment_states_are_all_reached_and_known() -> None:
    """Every state of the table is one of the ten, and each but held is entered from another."""
    entered = {target for targets in STEPS.values() for target in targets}

    assert set(STATES) == entered
    assert {"", *STATES} == set(STEPS)


@pytest.mark.parametrize("state", ["paid", "rejected", "returned", "cancelled", "recalled"])
def test_payment_that_was_answered_is_never_sent_again(state: str) -> None:
    """No way leads from a clear answer back to the bank."""
    for target in ("queued", "sent", "accepted", "unknown"):
        with pytest.raises(LedgerError):
            check_step("P26-00000001", state, target)


@pytest.mark.parametrize(
    ("payments", "status"),
    [
        ([], "none"),
        ([(1, 1, "held")], "none"),
        ([(1, 1, "unknown"), (2, 1, "sent")], "none"),
        ([(1, 1, "paid"), (2, 1, "sent")], "partly_paid"),
        ([(1, 1, "paid"), (2, 1, "paid")], "paid"),
        ([(1, 1, "returned"), (2, 1, "paid")], "partly_returned"),
        ([(1, 1, "returned"), (2, 1, "returned")], "returned"),
        ([(1, 2, "paid"), (1, 1, "returned")], "paid"),
        ([(1, 1, "rejected"), (1, 2, "held"), (2, 1, "paid")], "partly_paid"),
    ],
)
def test_bank_status_is_derived_from_the_last_attempts(
    payments: list[tuple[int, int, str]], status: str
) -> None:
    """The last attempt speaks for its payee, whatever order the rows come in."""
    assert status == bank_status(payments)


@pytest.mark.parametrize(
    ("state", "basis", "recognition", "expected"),
    [
        ("rejected", "order", "on_issue", "retur"),
        ("returned", "order", "on_issue", "retur"),
        ("rejected", "order", "on_cair", "order"),
        ("returned", "order", "on_cair", "retur"),
        ("rejected", "retur", "on_cair", "retur"),
    ],
)
def test_next_attempt_is_booked_against_what_is_owed(
    state: str, basis: str, recognition: str, expected: str
) -> None:
    """Only a payment that the books never let go stays an order."""
    assert expected == next_basis(state, basis, recognition)


# --- in the books --------------------------------------------------------------------------------


def test_returned_payment_is_owed_and_paid_again_to_the_corrected_account(office: Office) -> None:
    """A retur brings cash and a liability; the reissue takes both back; no budget moves."""
    payment = office.issue()["payments"][0]
    office.list_payments()
    office.outcome(payment, "paid")
    office.outcome(payment, "returned", reason="Rekening tutup")
    assert (OPENING, 0) == office.cash()
    assert -AMOUNT == office.balance(RETUR_ACCOUNT)
    assert "returned" == _status(office)

    again = office.do(
        ResendPayment(
            "maker-2",
            payment,
            "Surat ralat",
            name="CV Maju Jaya",
            bank_code="014",
            account="7654321",
        )
    )["payment"]
    assert "P26-00000002" == again
    office.list_payments()
    office.outcome(again, "paid")

    assert (OPENING - AMOUNT, 0) == office.cash()
    assert 0 == office.balance(RETUR_ACCOUNT)
    assert AMOUNT == office.balance(EXPENSE, entity=SKPD)
    assert (1_000_000_00, 0, AMOUNT) == office.line()
    assert [(payment, "returned"), (again, "paid")] == office.payments()
    assert "paid" == _status(office)
    assert 1 == office.scalar(
        "SELECT count(*) FROM journal_line WHERE government = :government"
        " AND payment_reference = 'P26-00000001R' AND amount_sen = :sen",
        sen=AMOUNT,
    )
    assert [] == office.findings()


def test_rejected_payment_leaves_the_book_equal_to_the_bank(office: Office) -> None:
    """A rejection moved no cash: none is missing from the book, and no budget is freed."""
    payment = office.issue()["payments"][0]
    office.list_payments()
    office.outcome(payment, "rejected", reason="Nama tidak sesuai")
    balance, committed = office.cash()
    owed = -office.balance(RETUR_ACCOUNT)
    assert OPENING == balance
    assert AMOUNT == committed + owed
    ceiling, reserved, spent = office.line()
    assert (1_000_000_00, AMOUNT) == (ceiling, reserved + spent)

    again = office.do(ResendPayment("maker-2", payment, "Coba lagi"))["payment"]
    office.list_payments()
    office.outcome(again, "paid")

    assert (OPENING - AMOUNT, 0) == office.cash()
    assert 0 == office.balance(RETUR_ACCOUNT)
    assert (1_000_000_00, 0, AMOUNT) == office.line()
    assert [] == office.findings()


def test_payment_returned_twice_and_rejected_between_ends_right(office: Office) -> None:
    """However often the bank says no, the money is owed once and leaves once."""
    payment = office.issue()["payments"][0]
    office.list_payments()
    office.outcome(payment, "paid")
    office.outcome(payment, "returned")
    second = office.do(ResendPayment("maker-2", payment, "1"))["payment"]
    office.list_payments()
    office.outcome(second, "rejected")
    assert (OPENING, 0) == office.cash()
    assert -AMOUNT == office.balance(RETUR_ACCOUNT)
    third = office.do(ResendPayment("maker-2", second, "2"))["payment"]
    office.list_payments()
    office.outcome(third, "unknown")
    office.settle(third, "paid")
    office.outcome(third, "returned")

    assert (OPENING, 0) == office.cash()
    assert -AMOUNT == office.balance(RETUR_ACCOUNT)
    assert (1_000_000_00, 0, AMOUNT) == office.line()
    assert [] == office.findings()


def test_payment_paid_before_today_is_booked_on_the_banks_day(on_cair: Office) -> None:
    """A fact carries the bank's day, unless its booking is asked for on another."""
    first = on_cair.issue(amount="1000.00")["payments"][0]
    second = on_cair.issue(amount="2000.00")["payments"][0]
    on_cair.list_payments()
    on_cair.do(RecordPayment(RECONCILER, first, "paid", "2026-11-20", EVIDENCE))
    on_cair.do(
        RecordPayment(RECONCILER, second, "paid", "2026-11-20", EVIDENCE, effective_on=TODAY)
    )

    for payment, day in ((first, "2026-11-20"), (second, TODAY)):
        assert day == on_cair.scalar(
            "SELECT effective_on FROM journal WHERE government = :government"
            " AND reference = :reference",
            reference=f"{payment}/paid",
        )


def test_payment_is_not_resent_by_a_hand_of_its_list(on_issue: Office) -> None:
    """Who sent a payment to another account may not sign the list that it leaves in (SOD-7)."""
    on_issue.do(BothHands(ADMIN_1, ADMIN_2, GiveGrant("verifier", "sp2d_maker", TODAY)))
    payment = on_issue.issue()["payments"][0]
    on_issue.list_payments()
    on_issue.outcome(payment, "rejected")
    on_issue.do(
        ResendPayment("verifier", payment, "x", name="Lain", bank_code="014", account="9999999")
    )
    with pytest.raises(LedgerError) as refused:
        on_issue.list_payments()

    assert ("own_approval", "payment resent") == (
        refused.value.code,
        refused.value.values["first"],
    )


def test_payment_correction_names_all_of_name_bank_and_account(on_issue: Office) -> None:
    """A half correction is refused; so is a second attempt beside a living one."""
    payment = on_issue.issue()["payments"][0]
    on_issue.list_payments()
    on_issue.outcome(payment, "rejected")
    code, values = on_issue.refused(ResendPayment("maker", payment, "x", account="9999999"))
    assert ("invalid_field", "payee.name") == (code, values["field"])
    on_issue.do(ResendPayment("maker", payment, "x"))

    assert "payment_move_not_allowed" == on_issue.refused(ResendPayment("maker", payment, "x"))[0]


# --- cancelling ----------------------------------------------------------------------------------


def test_sp2d_cancelled_before_sending_frees_room_and_keeps_its_number(office: Office) -> None:
    """Two persons cancel: journal reversed or commitment ended, room freed, number kept."""
    issued = office.issue(office.with_tax())
    document = issued["document"]
    office.do(RequestCancelSp2d("maker", document, "Salah rekening"))
    office.do(CancelSp2d("kuasa", document, "Setuju"))

    assert (OPENING, 0) == office.cash()
    assert (1_000_000_00, 0, 0) == office.line()
    assert (800_000_00, 0, 0) == office.bucket()
    assert [(issued["payments"][0], "cancelled")] == office.payments()
    assert issued["number"] == office.scalar(
        "SELECT number FROM document WHERE government = :government AND id = :id", id=document
    )
    assert "/000002/" in office.issue(amount="1000.00")["number"]
    assert [] == office.findings()


def test_sp2d_signed_and_cancelled_in_one_batch_ends_where_it_began(office: Office) -> None:
    """The moves of one batch see each other before anything reached the database's journals."""
    from ledger.documents.sp2d import SignSp2d  # noqa: PLC0415

    sp2d = office.verify(office.with_tax())
    envelope = office.sign("kuasa", sp2d, "sp2d.sign")
    results = office.run(
        SignSp2d("kuasa", sp2d, envelope),
        RequestCancelSp2d("maker", sp2d, "Salah"),
        CancelSp2d("kuasa", sp2d, "Setuju"),
    )

    assert [201, 201, 201] == [getattr(result, "status", 0) for result in results]
    assert (OPENING, 0) == office.cash()
    assert (1_000_000_00, 0, 0) == office.line()
    assert [] == office.findings()


def test_sp2d_is_not_cancelled_by_who_asked_for_it(office: Office) -> None:
    """The second approver is another person; a request can be taken back."""
    document = office.issue()["document"]
    office.do(RequestCancelSp2d("kuasa", document, "Salah"))
    code, values = office.refused(CancelSp2d("kuasa", document, "Setuju"))
    assert ("own_approval", "kuasa") == (code, values["person"])
    office.do(WithdrawCancelSp2d("verifier", document, "Tidak jadi"))

    assert "document_move_not_allowed" == office.refused(CancelSp2d("kuasa-2", document, "x"))[0]
    assert [] == office.findings()


def test_sp2d_in_a_list_is_not_cancelled_until_the_bank_recalled_it(office: Office) -> None:
    """After sending, the bank's confirmation comes first."""
    issued = office.issue()
    document, payment = issued["document"], issued["payments"][0]
    office.list_payments()
    office.do(RequestCancelSp2d("maker", document, "Salah"))
    assert "document_move_not_allowed" == office.refused(CancelSp2d("kuasa", document, "Setuju"))[0]
    office.outcome(payment, "sent")
    office.outcome(payment, "recalled")
    office.do(CancelSp2d("kuasa", document, "Setuju"))

    assert (OPENING, 0) == office.cash()
    assert (1_000_000_00, 0, 0) == office.line()
    assert [(payment, "cancelled")] == office.payments()
    assert [] == office.findings()


def test_sp2d_discarded_before_signing_lets_its_spm_have_another(on_issue: Office) -> None:
    """Nothing was booked and no number given; room stays reserved for the next draft."""
    spm = on_issue.accept()
    first = on_issue.do(DraftSp2d("maker", spm))["document"]
    on_issue.do(DiscardSp2d("verifier", first, "Salah ketik"))
    second = on_issue.do(DraftSp2d("maker-2", spm))["document"]

    assert first != second
    assert (1_000_000_00, AMOUNT, 0) == on_issue.line()
    assert [] == on_issue.findings()


def _status(office: Office) -> str:
    from api.engine import reading  # noqa: PLC0415

    with reading(office.engine) as conn:
        (row,) = queries.list_documents(conn, office.government, kind="sp2d")
    return row.bank_status
