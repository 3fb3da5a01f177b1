"""An SP2D is cancelled while nothing of it has left anywhere; whatever was booked or committed goes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.engine import begin, make_engine
from ledger.documents import disputes
from ledger.documents.bank_outcomes import ResendPayment
from ledger.documents.journals import RETUR_ACCOUNT
from ledger.documents.receipts import BookReceipt, ReceiptLine
from ledger.documents.rerouting import RecallPayment, ReroutePayments
from ledger.documents.sp2d import CancelSp2d, RequestCancelSp2d
from tests.builders import BANK, SKPD, TODAY
from tests.databases import Database
from tests.ledger.documents.office import LINE, Office
from tests.ledger.documents.test_dispatching import (
    OPENING,
    OTHER_BANK,
    call,
    of_account,
    queued,
    say,
    with_other_bank,
)

Story = Callable[[Office, str], None]


def _reroute(office: Office, payment: str, bank_account: str = BANK) -> str:
    made = office.do(ReroutePayments("maker", [payment], bank_account, "Diulang"))
    return str(made["rerouted"][0]["payment"])


def _listed(office: Office, payment: str) -> str:
    office.list_payments(payment, bank_account=BANK)
    return payment


def _recalled(office: Office, payment: str) -> None:
    office.do(RecallPayment("kuasa", payment, "Tarik"))


def _rerouted(office: Office, payment: str) -> None:
    _reroute(office, payment)


def _rerouted_twice(office: Office, payment: str) -> None:
    _reroute(office, _reroute(office, payment))


def _rerouted_signed_recalled(office: Office, payment: str) -> None:
    _recalled(office, _listed(office, _reroute(office, payment)))


def _rerouted_signed_rerouted(office: Office, payment: str) -> None:
    _reroute(office, _listed(office, _reroute(office, payment)))


def _rejected(office: Office, payment: str) -> None:
    call(office, payment)
    say(office, payment, "refused")


def _rejected_resent(office: Office, payment: str) -> None:
    _rejected(office, payment)
    office.do(ResendPayment("maker-2", payment, "Ralat"))


def _rejected_resent_rejected(office: Office, payment: str) -> None:
    _rejected(office, payment)
    again = office.do(ResendPayment("maker-2", payment, "Ralat"))["payment"]
    _rejected(office, _listed(office, again))


def _rejected_resent_rerouted(office: Office, payment: str) -> None:
    _rejected(office, payment)
    again = office.do(ResendPayment("maker-2", payment, "Ralat"))["payment"]
    _reroute(office, _listed(office, again))


@pytest.mark.parametrize(
    "story",
    [
        _recalled,
        _rerouted,
        _rerouted_twice,
        _rerouted_signed_recalled,
        _rerouted_signed_rerouted,
        _rejected,
        _rejected_resent,
        _rejected_resent_rejected,
        _rejected_resent_rerouted,
    ],
)
def test_sp2d_of_which_nothing_left_is_cancelled_to_nothing(office: Office, story: Story) -> None:
    """However its payments were recalled, rejected and ordered anew: books and room are as before."""
    one, two = queued(office, among=2)
    story(office, one)
    _recalled(office, two)
    document = office.scalar("SELECT document_id FROM payment WHERE government = :government")
    office.do(RequestCancelSp2d("maker", document, "Salah"))
    office.do(CancelSp2d("kuasa-2", document, "Setuju"))

    assert (OPENING, 0) == office.cash()
    assert (1_000_000_00, 0, 0) == office.line(LINE)
    assert 0 == office.balance(RETUR_ACCOUNT)
    assert {"cancelled"} == {state for _, state in office.payments()}
    assert [] == office.findings()


def _doubted(office: Office, payment: str) -> None:
    call(office, payment)
    say(office, payment, "unknown", http_status=504)


def _returned(office: Office, payment: str) -> None:
    call(office, payment)
    say(office, payment, "returned")


def _contradicted(office: Office, payment: str) -> None:
    _rejected(office, payment)
    say(office, payment, "done", source="status")


def _paid_elsewhere(office: Office, payment: str) -> None:
    again = _listed(office, _reroute(office, payment))
    call(office, again)
    say(office, again, "done")


def _signed_elsewhere(office: Office, payment: str) -> None:
    _listed(office, _reroute(office, payment))


@pytest.mark.parametrize(
    "story", [_doubted, _returned, _contradicted, _paid_elsewhere, _signed_elsewhere]
)
def test_sp2d_of_which_something_may_have_left_is_not_cancelled(
    office: Office, story: Story
) -> None:
    """One attempt in doubt, paid, returned, or said both yes and no of, is enough."""
    one, two = queued(office, among=2)
    story(office, one)
    _recalled(office, two)
    document = office.scalar("SELECT document_id FROM payment WHERE government = :government")
    office.do(RequestCancelSp2d("maker", document, "Salah"))

    assert "document_move_not_allowed" == office.refused(CancelSp2d("kuasa-2", document, "x"))[0]
    assert [] == office.findings()


def test_sp2d_rerouted_to_another_bank_frees_each_account_when_it_is_cancelled(
    office: Office,
) -> None:
    """What the new account had paid or set aside is there again, and so is what the old one had."""
    one, two = queued(office, among=2)
    with_other_bank(office)
    income = [ReceiptLine("7.1.01.01.01.0001", "4.1.01.01.01.0001", "150000.00")]
    office.do(
        BookReceipt("penerimaan", "STS/1", "tax", TODAY, income, skpd=SKPD, bank_account=OTHER_BANK)
    )
    moved = office.do(ReroutePayments("maker", [one, two], OTHER_BANK, "Bank tutup"))["rerouted"]
    signed = moved[0]["payment"]
    office.list_payments(signed, bank_account=OTHER_BANK)
    office.outcome(signed, "sent")
    office.outcome(signed, "rejected")
    document = office.scalar("SELECT max(document_id) FROM payment WHERE government = :government")
    office.do(RequestCancelSp2d("maker", document, "Salah"))
    office.do(CancelSp2d("kuasa-2", document, "Setuju"))

    assert (OPENING, 0) == of_account(office, BANK)
    assert (150_000_00, 0) == of_account(office, OTHER_BANK)
    assert 0 == office.balance(RETUR_ACCOUNT)
    assert (1_000_000_00, 0, 0) == office.line(LINE)
    assert [] == office.findings()


def test_rejection_that_the_bank_contradicts_is_not_paid_again(office: Office) -> None:
    """Who resent it on the bank's first word would pay twice if the second one is true."""
    (payment,) = queued(office)
    _contradicted(office, payment)
    code, values = office.refused(ResendPayment("maker-2", payment, "Ralat"))

    assert ("payment_move_not_allowed", "rejected, contradicted by the bank") == (
        code,
        values["state"],
    )


_ANOTHER = (
    "INSERT INTO payment SELECT government, 'P26-00000099', document_id, payee_n, 2, '', 'P26-00000099',"
    " bank_account, name_c, bank_code, account_c, amount_sen, recognition, basis, '', 0"
    " FROM payment WHERE id = :p AND government = :g"
)
_CANCEL = (
    "INSERT INTO document_move SELECT government, document_id, n + 1, 'cancel', state_to, 'cancelled',"
    " 'kuasa-2', 'deputy_treasurer', '', on_day, reason_c, checks, envelope, nonce, NULL, leaf_index"
    " FROM document_move m WHERE government = :g AND move = 'request_cancel'"
)


@pytest.mark.parametrize(
    ("story", "sql", "rule"),
    [
        (_contradicted, _ANOTHER, "payment_again"),
        (_doubted, _ANOTHER, "payment_again"),
        (_contradicted, _CANCEL, "document_move_cancel_unpaid"),
        (_returned, _CANCEL, "document_move_cancel_unpaid"),
    ],
)
def test_database_refuses_to_pay_again_or_cancel_what_may_have_left(
    on_cair: Office, office_database: Database, story: Story, sql: str, rule: str
) -> None:
    """Raw SQL of the owner meets the same rules as the code."""
    (payment,) = queued(on_cair)
    story(on_cair, payment)
    document = on_cair.scalar("SELECT document_id FROM payment WHERE government = :government")
    on_cair.do(RequestCancelSp2d("maker", document, "Salah"))
    owner = make_engine(office_database.owner_url)
    try:
        with pytest.raises(DBAPIError) as refused, begin(owner) as conn:
            conn.execute(text(sql), {"p": payment, "g": on_cair.government})
        assert f"rkud:{rule} " in str(refused.value.orig)
    finally:
        owner.dispose()


def test_fsck_names_an_attempt_at_what_the_bank_contradicted(
    on_issue: Office, office_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where neither code nor database refused it, the log still tells."""
    (payment,) = queued(on_issue)
    _contradicted(on_issue, payment)
    owner = make_engine(office_database.owner_url)
    of_table = " ON payment" if owner.dialect.name == "postgresql" else ""
    with begin(owner) as conn:
        conn.execute(text(f"DROP TRIGGER payment_again{of_table}"))
    owner.dispose()
    monkeypatch.setattr(disputes, "contradicted", lambda *_: set())
    on_issue.do(ResendPayment("maker-2", payment, "Ralat"))

    assert ["step_not_allowed"] == [finding.code for finding in on_issue.findings()]
