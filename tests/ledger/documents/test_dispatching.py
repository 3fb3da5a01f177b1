"""The way to the bank: what may be called for, what answers do, and what the database refuses."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.engine import begin, make_engine, reading
from ledger.documents import dispatch_store
from ledger.documents.advice_list import SendAdviceList, advice_list_file
from ledger.documents.calls import (
    MEANINGS,
    OPEN_STATES,
    channel_of,
    contradicts,
    may_call,
    steps_of,
)
from ledger.documents.dispatching import AnswerPayments, CallPayments, PaymentAnswer
from ledger.documents.errors import NotByFileError
from ledger.documents.holding import HoldPayment, PauseDispatch
from ledger.documents.journals import RETUR_ACCOUNT
from ledger.documents.payments import STATES, STEPS
from ledger.documents.rerouting import RecallPayment, ReroutePayments
from ledger.documents.sp2d import CancelSp2d, RequestCancelSp2d
from ledger.opening import ADMIN_1, ADMIN_2
from ledger.policies import AddBankAccount, SetPolicy
from ledger.proposals import BothHands
from tests.builders import BANK, CASH, TODAY
from tests.databases import Database
from tests.ledger.documents.office import EVIDENCE, Office

AMOUNT = 100_000_00
OPENING = 100_000_000_000
OTHER_BANK = "110:0020099887766"
NOW = "2026-11-21T03:15:30.123456Z"
LATER = "2026-11-22T00:00:00.000000Z"


# --- pure ------------------------------------------------------------------------------------------


def test_steps_of_an_answer_are_steps_that_a_payment_may_take() -> None:
    """Whatever is answered in whatever state, the steps follow each other in the table of states."""
    for state, meaning in itertools.product(STATES, MEANINGS):
        at = state
        for target in steps_of(state, meaning):
            assert target in STEPS[at]
            at = target


def test_answer_that_is_not_clear_never_settles_a_payment() -> None:
    """Only done, refused and returned lead out of the states in which the bank may still act."""
    for state, meaning in itertools.product(OPEN_STATES, MEANINGS):
        settles = any(target not in OPEN_STATES for target in steps_of(state, meaning))
        assert not settles or meaning in ("done", "refused", "returned")


@pytest.mark.parametrize(
    ("state", "answers", "expected"),
    [
        ("queued", [], True),
        ("sent", [["retry"]], True),
        ("sent", [["retry"], ["retry"]], True),
        ("sent", [[]], False),
        ("sent", [["retry"], []], False),
        ("sent", [["retry", "done"]], False),
        ("sent", [["unknown"]], False),
        ("sent", [["retry"], ["duplicate"]], False),
        ("unknown", [["retry"]], False),
        ("queued", [["retry"]], False),
        ("held", [], False),
        ("paid", [["done"]], False),
    ],
)
def test_bank_is_called_again_only_when_it_did_nothing_of_each_call_before(
    state: str, answers: list[list[str]], expected: bool
) -> None:
    """An open call, or any answer but retry, forbids another one."""
    assert expected is may_call(state, answers)


def test_contradiction_is_an_answer_that_disagrees_with_what_is_settled() -> None:
    """Late and repeated answers agree; another outcome than the booked one does not."""
    assert contradicts("paid", "refused")
    assert contradicts("rejected", "done")
    assert contradicts("rejected", "returned")
    assert contradicts("sent", "conflict")
    assert not contradicts("paid", "done")
    assert not contradicts("paid", "returned")
    assert not contradicts("sent", "refused")


def test_channel_of_an_account_is_its_last_policy_by_that_day() -> None:
    """Other accounts' policies and later ones do not count; without one orders leave by file."""
    policies = [
        ("recognition", "2026-01-01", "on_cair"),
        ("channel", "2026-02-01", "114:0000001 snap"),
        ("channel", "2026-03-01", "114:0000002 snap"),
        ("channel", "2026-04-01", "114:0000001 file"),
    ]
    asked = ("2026-01-31", "2026-02-01", "2026-04-01")
    assert ["file", "snap", "file"] == [channel_of(policies, "114:0000001", day) for day in asked]


# --- in the books ----------------------------------------------------------------------------------


def by_snap(office: Office) -> None:
    """From today on orders leave through the bank's interface."""
    office.do(BothHands(ADMIN_1, ADMIN_2, SetPolicy("channel", f"{BANK} snap", TODAY)))


def queued(office: Office, among: int = 1) -> list[str]:
    """Payments of a signed list that leaves through the bank's interface."""
    by_snap(office)
    office.issue(among=among)
    payments = [name for name, _ in office.payments()]
    office.list_payments(*payments)
    return payments


def call(office: Office, *payments: str) -> Any:
    """The answer of calling the bank for payments."""
    return office.do(CallPayments("worker", [(each, "bifast") for each in payments], "w1", 60))


def say(office: Office, payment: str, meaning: str, **changes: Any) -> Any:
    """The answer of recording one answer of the bank."""
    values: dict[str, Any] = {
        "source": "reply",
        "http_status": 200,
        "code": "2001800",
        "bank_reference": "BR-1",
        "body": b'{"responseCode":"2001800"}',
    }
    answer = PaymentAnswer(payment, meaning=meaning, **(values | changes))
    return office.do(AnswerPayments("worker", [answer]))["recorded"][0]


def rows(office: Office, sql: str) -> Sequence[Sequence[Any]]:
    """Rows of this government (`:g` is bound)."""
    with reading(office.engine) as conn:
        return [tuple(row) for row in conn.execute(text(sql), {"g": office.government})]


def test_order_is_in_the_outbox_with_its_lists_signature_and_leaves_once(office: Office) -> None:
    """Signed, called, answered, paid: each is a row with its leaf, and the books know the rest."""
    (payment,) = queued(office)
    assert [("snap", 0, "waiting")] == rows(
        office, "SELECT channel, held, stage FROM dispatch WHERE government = :g"
    )
    called = call(office, payment)
    again = call(office, payment)
    assert [payment] == [each["payment"] for each in called["called"]]
    assert [{"payment": payment, "reason": "called_before_sent"}] == again["skipped"]

    assert {"payment": payment, "state": "paid", "recorded": True} == say(office, payment, "done")
    assert {"payment": payment, "state": "paid", "recorded": False} == say(office, payment, "done")
    assert [(payment, "paid")] == office.payments()
    assert (OPENING - AMOUNT, 0) == office.cash()
    assert [("reply", "done", 200, "2001800", "BR-1")] == rows(
        office,
        "SELECT source, meaning, http_status, code, bank_reference FROM payment_answer"
        " WHERE government = :g",
    )
    assert [("closed",)] == rows(office, "SELECT stage FROM dispatch WHERE government = :g")
    assert [] == office.findings()


def test_external_ids_of_calls_never_repeat(on_cair: Office) -> None:
    """Each call has a number of its own, of digits alone, at most 32 of them."""
    payments = queued(on_cair, among=3)
    made = call(on_cair, *payments)["called"]
    say(on_cair, payments[0], "retry")
    made += call(on_cair, payments[0])["called"]
    ids = [each["external_id"] for each in made]
    assert 4 == len(set(ids))
    assert all(each.isdigit() and len(each) <= 32 for each in ids)
    assert [1, 1, 1, 2] == [each["call"] for each in made]
    assert [] == on_cair.findings()


@pytest.mark.parametrize(
    ("answers", "state", "cash", "retur"),
    [
        (["done"], "paid", (OPENING - AMOUNT, 0), 0),
        (["pending", "done"], "paid", (OPENING - AMOUNT, 0), 0),
        (["unknown", "pending", "done"], "paid", (OPENING - AMOUNT, 0), 0),
        (["unknown", "refused"], "rejected", (OPENING, AMOUNT), 0),
        (["refused"], "rejected", (OPENING, AMOUNT), 0),
        (["returned"], "returned", (OPENING, 0), -AMOUNT),
        (["done", "returned"], "returned", (OPENING, 0), -AMOUNT),
        (["duplicate", "done"], "paid", (OPENING - AMOUNT, 0), 0),
        (["conflict"], "unknown", (OPENING, AMOUNT), 0),
        (["not_found"], "unknown", (OPENING, AMOUNT), 0),
        (["done", "refused"], "paid", (OPENING - AMOUNT, 0), 0),
        (["refused", "done"], "rejected", (OPENING, AMOUNT), 0),
    ],
)
def test_answers_book_what_the_bank_has_done_on_cair(
    on_cair: Office, answers: list[str], state: str, cash: tuple[int, int], retur: int
) -> None:
    """The books follow the clear answers; a contradiction after them changes nothing."""
    (payment,) = queued(on_cair)
    call(on_cair, payment)
    for n, meaning in enumerate(answers):
        say(on_cair, payment, meaning, source="status" if n else "reply")
    assert [(payment, state)] == on_cair.payments()
    assert (cash, retur) == (on_cair.cash(), on_cair.balance(RETUR_ACCOUNT))
    assert [] == on_cair.findings()


def test_refused_order_of_an_issued_sp2d_is_owed(on_issue: Office) -> None:
    """The book had let the money go: it comes back as Utang Retur."""
    (payment,) = queued(on_issue)
    call(on_issue, payment)
    say(on_issue, payment, "refused", code="4031814")
    assert (OPENING, 0) == on_issue.cash()
    assert -AMOUNT == on_issue.balance(RETUR_ACCOUNT)
    assert [] == on_issue.findings()


def test_silence_leaves_a_call_in_doubt_and_status_ends_it(office: Office) -> None:
    """No answer is unknown, no second call follows, and the bank's word settles it."""
    (payment,) = queued(office)
    call(office, payment)
    say(office, payment, "unknown", source="silence", http_status=0, code="", body=b"")
    assert "unknown" == office.payments()[0][1]
    assert "called_before_unknown" == call(office, payment)["skipped"][0]["reason"]
    say(office, payment, "done", source="status", code="2003600")
    assert "paid" == office.payments()[0][1]
    assert [] == office.findings()


def test_retry_allows_one_more_call_and_a_late_retry_none(office: Office) -> None:
    """Nothing was done: sent again under the same reference; after a doubt retry is too late."""
    (payment,) = queued(office)
    call(office, payment)
    say(office, payment, "retry", code="4291800", next_seconds=30)
    assert 2 == call(office, payment)["called"][0]["call"]
    say(office, payment, "unknown", http_status=504)
    assert not say(office, payment, "retry", source="status")["recorded"]
    assert "called_before_unknown" == call(office, payment)["skipped"][0]["reason"]
    assert [] == office.findings()


def test_held_paused_later_and_file_orders_are_not_called_for(office: Office) -> None:
    """Each is told with its reason, and goes on when it is let go."""
    one, two = queued(office, among=2)
    office.do(HoldPayment("verifier", one, True, "Rekening diragukan"))
    assert [(one, "held")] == [
        (each["payment"], each["reason"]) for each in call(office, one)["skipped"]
    ]
    office.do(PauseDispatch("worker", BANK, True, "Bank tidak menjawab"))
    assert "paused" == call(office, two)["skipped"][0]["reason"]
    assert ("not_granted", "deputy_treasurer") == _refused(
        office, PauseDispatch("worker", BANK, False, "Sudah baik"), "role"
    )
    assert ("already_so", BANK) == _refused(
        office, PauseDispatch("worker", BANK, True, "Lagi"), "what"
    )
    office.do(PauseDispatch("kuasa", BANK, False, "Bank menjawab lagi"))
    office.do(HoldPayment("kuasa", one, False, "Rekening benar"))
    assert 2 == len(call(office, one, two)["called"])
    assert [] == office.findings()


def _refused(office: Office, command: Any, value: str) -> tuple[str, object]:
    code, values = office.refused(command)
    return code, values[value]


def test_answer_without_a_call_or_by_a_stranger_is_refused(office: Office) -> None:
    """Only who holds the worker's grant speaks for the bank, and only of what was asked."""
    (payment,) = queued(office)
    answer = PaymentAnswer(payment, "callback", "done")
    assert ("no_call", payment) == _refused(office, AnswerPayments("worker", [answer]), "payment")
    assert ("not_granted", "dispatcher") == _refused(
        office, AnswerPayments("maker", [answer]), "role"
    )
    assert ("not_granted", "dispatcher") == _refused(
        office, CallPayments("kuasa", [(payment, "bifast")], "w", 60), "role"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "rumour"},
        {"meaning": "fine"},
        {"code": "x" * 129},
        {"code": "a\nb"},
        {"evidence_sha256": "zz"},
        {"next_seconds": -1},
    ],
)
def test_answer_of_another_form_is_refused(on_cair: Office, changes: dict[str, Any]) -> None:
    """The field is named, nothing changes."""
    (payment,) = queued(on_cair)
    call(on_cair, payment)
    answer = PaymentAnswer(**({"payment": payment, "source": "reply", "meaning": "done"} | changes))
    code, values = on_cair.refused(AnswerPayments("worker", [answer]))
    assert ("invalid_field", next(iter(changes))) == (code, values["field"])


def test_list_that_leaves_by_the_interface_is_not_handed_over_as_a_file(office: Office) -> None:
    """The bank would be asked twice; a list that leaves by file is handed over as ever."""
    queued(office)
    listed = office.scalar("SELECT max(advice_list_id) FROM payment WHERE government = :government")
    assert ("not_by_file", "snap") == _refused(
        office, SendAdviceList("maker-2", listed, EVIDENCE), "channel"
    )
    with reading(office.engine) as conn, pytest.raises(NotByFileError):
        advice_list_file(conn, office.government, listed)


# --- recalled, and ordered from another bank ---------------------------------------------------------


def test_recalled_order_lets_its_sp2d_be_cancelled(office: Office) -> None:
    """As if nothing had been ordered."""
    (payment,) = queued(office)
    before = office.scalar("SELECT document_id FROM payment WHERE government = :government")
    office.do(RecallPayment("kuasa", payment, "Salah bank"))
    office.do(RequestCancelSp2d("maker", before, "Salah"))
    office.do(CancelSp2d("kuasa-2", before, "Salah"))
    assert [(payment, "cancelled")] == office.payments()
    assert (OPENING, 0) == office.cash()
    assert [] == office.findings()


@pytest.mark.parametrize(
    "command",
    [
        lambda payment: RecallPayment("kuasa", payment, "Salah"),
        lambda payment: ReroutePayments("maker", [payment], BANK, "Salah"),
        lambda payment: HoldPayment("kuasa", payment, True, "Tahan"),
    ],
)
def test_order_of_a_list_that_leaves_by_file_is_not_called_back_here(
    office: Office, command: Any
) -> None:
    """The file may be with the bank, whether or not anybody has recorded that it was handed over."""
    (payment,) = office.issue()["payments"]
    office.list_payments(payment)
    assert ("may_be_with_bank", payment) == _refused(office, command(payment), "payment")


def with_other_bank(office: Office) -> None:
    """A second RKUD account, without money."""
    act = AddBankAccount(OTHER_BANK, "RKUD bank lain", CASH, "2026-01-01")
    office.do(BothHands(ADMIN_1, ADMIN_2, act))


def of_account(office: Office, bank_account: str) -> tuple[int, int]:
    """Balance and commitments of a bank account, in sen."""
    found = rows(
        office,
        "SELECT balance_sen, committed_sen FROM account_balance WHERE government = :g"
        f" AND bank_account = '{bank_account}'",
    )
    return (found[0][0], found[0][1]) if found else (0, 0)


def test_unsent_orders_go_to_another_bank_with_their_history(on_issue: Office) -> None:
    """What the book had let go from one account stands there again and is owed until paid."""
    payment, sent = queued(on_issue, among=2)
    with_other_bank(on_issue)
    call(on_issue, sent)
    code, values = on_issue.refused(
        ReroutePayments("maker", [payment, sent], OTHER_BANK, "Bank tidak melayani")
    )
    assert ("payment_move_not_allowed", sent, "sent") == (code, values["payment"], values["state"])
    answer = on_issue.do(ReroutePayments("maker", [payment], OTHER_BANK, "Bank tidak melayani"))
    (again,) = answer["rerouted"]
    assert payment == again["instead_of"]
    assert -AMOUNT // 2 == on_issue.balance(RETUR_ACCOUNT)
    assert (OPENING - AMOUNT // 2, 0) == of_account(on_issue, BANK)
    assert [
        (payment, "recalled"),
        (sent, "sent"),
        (again["payment"], "held"),
    ] == on_issue.payments()
    assert [(OTHER_BANK, 2, "retur")] == rows(
        on_issue,
        "SELECT bank_account, attempt, basis FROM payment WHERE government = :g AND state = 'held'",
    )
    document = on_issue.scalar(
        "SELECT max(document_id) FROM payment WHERE government = :government"
    )
    code, _ = on_issue.refused(ReroutePayments("maker", [payment], OTHER_BANK, "Lagi"))
    assert "payment_move_not_allowed" == code
    assert document
    assert [] == on_issue.findings()


def test_rerouted_order_moves_its_commitment_to_the_other_account(on_cair: Office) -> None:
    """The other account must hold it; an account without money refuses."""
    (payment,) = queued(on_cair)
    with_other_bank(on_cair)
    code, _ = on_cair.refused(ReroutePayments("maker", [payment], OTHER_BANK, "Bank tutup"))
    assert "over_cash" == code
    answer = on_cair.do(ReroutePayments("maker", [payment], BANK, "Diulang"))
    again = answer["rerouted"][0]["payment"]
    assert (OPENING, AMOUNT) == of_account(on_cair, BANK)
    on_cair.list_payments(again, bank_account=BANK)
    call(on_cair, again)
    say(on_cair, again, "done")
    assert (OPENING - AMOUNT, 0) == of_account(on_cair, BANK)
    assert [] == on_cair.findings()


# --- what a worker reads -----------------------------------------------------------------------------


def due(office: Office, *states: str, now: str = LATER, today: str = TODAY) -> list[str]:
    """Payments that a worker may look at."""
    with reading(office.engine) as conn:
        found = dispatch_store.find_due(
            conn,
            office.government,
            bank_accounts=[BANK],
            now=now,
            today=today,
            states=states,
            limit=10,
        )
    return [each.payment for each in found]


def test_due_orders_follow_hold_pause_day_and_lease(on_cair: Office) -> None:
    """What may leave is found at once; what was called is found when its lease is over."""
    one, two = queued(on_cair, among=2)
    assert [one, two] == due(on_cair, "queued", now=NOW)
    assert [] == due(on_cair, "queued", today="2026-11-20")
    on_cair.do(HoldPayment("kuasa", two, True, "Tahan"))
    assert [one] == due(on_cair, "queued")
    call(on_cair, one)
    assert [] == due(on_cair, "sent", now=NOW)
    assert [one] == due(on_cair, "sent")
    on_cair.do(PauseDispatch("kuasa", BANK, True, "Tutup"))
    on_cair.do(HoldPayment("kuasa", two, False, "Lepas"))
    assert [] == due(on_cair, "queued")
    assert [one] == due(on_cair, "sent")


def test_question_to_the_bank_is_taken_by_one_worker(on_cair: Office) -> None:
    """The second one finds it taken until the first one's time is over."""
    (payment,) = queued(on_cair)
    taken = []
    for now in (NOW, NOW, LATER):
        with begin(on_cair.engine) as conn:
            taken.append(
                dispatch_store.take_due(
                    conn, on_cair.government, payment, now=now, until="2026-11-21T04:00:00.000000Z"
                )
            )
    assert [True, False, True] == taken


# --- the database itself -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        (
            "INSERT INTO payment_call SELECT government, payment_id, 2, 'x', rail, worker, due_at,"
            " leaf_index FROM payment_call",
            "payment_call_",
        ),
        (
            "INSERT INTO payment_answer SELECT government, payment_id, 2, 1, source, 'retry',"
            " http_status, code, bank_reference, answer_c, evidence_sha256, leaf_index"
            " FROM payment_answer",
            "payment_answer_follows",
        ),
        ("UPDATE payment_call SET external_id = 'y'", "append_only"),
        ("DELETE FROM payment_answer", "append_only"),
        ("DELETE FROM dispatch", "append_only"),
        ("UPDATE dispatch SET channel = 'file'", "append_only"),
        (
            "INSERT INTO dispatch SELECT government, payment_id || 'x', advice_list_id,"
            " bank_account, channel, transfer_on, leaf_index, 0, 'waiting', 0, '' FROM dispatch",
            "dispatch_signed",
        ),
    ],
)
def test_database_refuses_what_would_pay_twice(
    on_cair: Office, office_database: Database, sql: str, rule: str
) -> None:
    """Raw SQL of the owner meets the same rules as the code."""
    (payment,) = queued(on_cair)
    call(on_cair, payment)
    say(on_cair, payment, "unknown", http_status=504)
    owner = make_engine(office_database.owner_url)
    try:
        with pytest.raises(DBAPIError) as refused, begin(owner) as conn:
            conn.execute(text(sql))
        assert f"rkud:{rule}" in str(refused.value.orig)
    finally:
        owner.dispose()


def test_database_refuses_a_first_call_of_a_held_order(on_cair: Office) -> None:
    """The hold is the database's rule too."""
    (payment,) = queued(on_cair)
    on_cair.do(HoldPayment("kuasa", payment, True, "Tahan"))
    with pytest.raises(DBAPIError) as refused, begin(on_cair.engine) as conn:
        conn.execute(
            text("INSERT INTO payment_call VALUES (:g, :p, 1, '1', 'bifast', 'w', '', 1)"),
            {"g": on_cair.government, "p": payment},
        )
    assert "rkud:payment_call_open" in str(refused.value.orig)
