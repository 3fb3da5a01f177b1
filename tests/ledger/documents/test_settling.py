"""A person's word on a payment that may be with the bank is two persons'."""

from __future__ import annotations

import itertools

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.engine import begin, make_engine
from ledger.documents import bank_outcomes
from ledger.documents.bank_outcomes import RecordPayment, ResendPayment
from ledger.documents.payments import STATES, needs_two
from ledger.documents.settling import SettlePayment
from ledger.opening import ADMIN_1, RECONCILER
from ledger.proposals import BothHands, Confirm, Propose
from tests.builders import TODAY
from tests.databases import Database
from tests.ledger.documents.office import EVIDENCE, RECONCILER_2, Office
from tests.ledger.documents.test_dispatching import AMOUNT, OPENING, call, queued, say


def test_needs_two_is_true_of_what_may_be_with_the_bank_alone() -> None:
    """Unknown on any channel, and any state after signing on an interface; never to doubt."""
    two = {
        (state, channel)
        for state, channel in itertools.product(STATES, ("", "file", "snap"))
        if needs_two(state, "paid", channel)
    }

    asked = {(state, "snap") for state in ("queued", "sent", "accepted", "paid")}
    assert {("unknown", "file"), ("unknown", ""), ("unknown", "snap")} | asked == two
    assert not any(needs_two(state, "unknown", "snap") for state in STATES)


@pytest.mark.parametrize("outcome", ["accepted", "paid", "rejected", "recalled"])
def test_unknown_payment_is_not_settled_by_one_person(office: Office, outcome: str) -> None:
    """Whatever left by file or by interface: nobody alone lets it be paid again, or calls it paid."""
    (payment,) = queued(office)
    call(office, payment)
    say(office, payment, "unknown", http_status=504)
    code, values = office.refused(RecordPayment(RECONCILER, payment, outcome, TODAY, EVIDENCE))

    assert ("settling_needs_two_persons", "unknown") == (code, values["state"])


def test_unknown_payment_settled_by_two_is_booked_once(office: Office) -> None:
    """The second reconciler's confirmation is the step; both hands and the evidence stand with it."""
    (payment,) = queued(office)
    call(office, payment)
    say(office, payment, "unknown", http_status=504)
    answer = office.settle(payment, "paid")

    assert ("paid", RECONCILER) == (answer["state"], answer["proposed_by"])
    assert [(payment, "paid")] == office.payments()
    assert (OPENING - AMOUNT, 0) == office.cash()
    assert [(payment, 5, RECONCILER, RECONCILER_2, EVIDENCE)] == office.pairs(
        "SELECT payment_id, n, proposed_by, confirmed_by, evidence_sha256"
        " FROM payment_settlement WHERE government = :government"
    )
    assert [] == office.findings()


def test_sent_and_accepted_orders_of_an_interface_take_two_as_well(on_issue: Office) -> None:
    """One may doubt them, and a doubt stops what would follow."""
    one, two = queued(on_issue, among=2)
    for payment in (one, two):
        call(on_issue, payment)
    say(on_issue, two, "pending")
    for payment in (one, two):
        alone = RecordPayment(RECONCILER, payment, "rejected", TODAY, EVIDENCE)
        assert "settling_needs_two_persons" == on_issue.refused(alone)[0]
    on_issue.outcome(one, "unknown")
    on_issue.settle(two, "rejected")
    on_issue.settle(one, "rejected")
    on_issue.do(ResendPayment("maker-2", one, "Ralat"))

    assert ["rejected", "rejected", "held"] == [state for _, state in on_issue.payments()]
    assert [] == on_issue.findings()


def test_order_that_left_by_file_is_recorded_by_one_until_it_is_doubted(on_issue: Office) -> None:
    """The bank's letter is enough where the bank was handed a file; a doubt takes two to end."""
    payment = on_issue.issue()["payments"][0]
    on_issue.list_payments()
    on_issue.outcome(payment, "sent")
    on_issue.outcome(payment, "unknown")
    alone = RecordPayment(RECONCILER, payment, "rejected", TODAY, EVIDENCE)
    assert "settling_needs_two_persons" == on_issue.refused(alone)[0]
    on_issue.settle(payment, "rejected")

    assert [(payment, "rejected")] == on_issue.payments()
    assert [] == on_issue.findings()


def test_settlement_is_refused_to_one_person_and_without_evidence(on_issue: Office) -> None:
    """Two reconcilers, a digest, a reason; checked again when it is confirmed."""
    (payment,) = queued(on_issue)
    call(on_issue, payment)
    say(on_issue, payment, "unknown", http_status=504)

    def asks(by: str = RECONCILER, **changes: str) -> str:
        values = {
            "payment": payment, "to": "rejected", "on_day": TODAY, "evidence_sha256": EVIDENCE,
            "reason": "Surat bank",
        } | changes  # fmt: skip
        return on_issue.refused(Propose(by, SettlePayment(**values)))[0]

    assert ["not_granted", "invalid_field", "invalid_field", "unknown_payment"] == [
        asks(by="kuasa"),
        asks(evidence_sha256=""),
        asks(reason=""),
        asks(payment="P26-00000077"),
    ]
    assert "payment_move_not_allowed" == asks(to="returned")
    assert "future_effective_date" == asks(on_day="2026-11-22")
    act = SettlePayment(payment, "rejected", TODAY, EVIDENCE, "Surat bank")
    assert "not_for_operator" == on_issue.refused(BothHands(ADMIN_1, RECONCILER_2, act))[0]
    proposal = on_issue.do(Propose(RECONCILER, act))["proposal"]
    assert "own_approval" == on_issue.refused(Confirm(RECONCILER, proposal))[0]
    assert "not_granted" == on_issue.refused(Confirm("kuasa", proposal))[0]
    say(on_issue, payment, "done", source="status", code="2003600")
    late = on_issue.refused(Confirm(RECONCILER_2, proposal))

    assert ("payment_move_not_allowed", "paid") == (late[0], late[1]["state"])
    assert [] == on_issue.findings()


_STEP = (
    "INSERT INTO payment_move SELECT government, id, state_n + 1, state, 'rejected', 'rekonsiliasi',"
    f" '{TODAY}', '{EVIDENCE}', '', NULL, 9 FROM payment WHERE id = :p"
)
_BY_TWO = (
    "INSERT INTO payment_settlement SELECT p.government, p.id, p.state_n + 1, o.id, o.proposed_by,"
    " {0}, '{1}', 9 FROM payment p, proposal o WHERE p.id = :p AND o.government = p.government"
    " AND o.act = '{2}'"
)


@pytest.mark.parametrize(
    ("first", "rule"),
    [
        ("", "payment_move_settled"),
        (_BY_TWO.format("'rekonsiliasi'", "f" * 64, "payment.settled"), "payment_move_settled"),
        (_BY_TWO.format("'other'", EVIDENCE, "payment.settled"), "payment_move_settled"),
        (_BY_TWO.format("o.proposed_by", EVIDENCE, "payment.settled"), "check"),
        (
            _BY_TWO.format("'rekonsiliasi'", EVIDENCE, "grant.give") + " AND o.id = (SELECT max(id)"
            " FROM proposal WHERE act = 'grant.give' AND government = p.government)",
            "payment_settlement_proposed",
        ),
        (_BY_TWO.format("'rekonsiliasi'", "", "payment.settled"), "check"),
    ],
)
def test_database_refuses_a_step_out_of_doubt_by_one_hand(
    on_cair: Office, office_database: Database, first: str, rule: str
) -> None:
    """Raw SQL of the owner needs two persons, their proposal and one evidence, like the code."""
    (payment,) = queued(on_cair)
    call(on_cair, payment)
    say(on_cair, payment, "unknown", http_status=504)
    act = SettlePayment(payment, "rejected", TODAY, EVIDENCE, "Surat bank")
    on_cair.do(Propose(RECONCILER, act))
    owner = make_engine(office_database.owner_url)
    try:
        with pytest.raises(DBAPIError) as refused, begin(owner) as conn:
            for sql in filter(None, (first, _STEP)):
                conn.execute(text(sql), {"p": payment})
        assert rule in str(refused.value.orig).lower()
    finally:
        owner.dispose()


def test_fsck_names_who_settled_a_doubted_payment_alone(
    on_issue: Office, office_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where neither code nor database asked for the second person, the log still tells."""
    (payment,) = queued(on_issue)
    call(on_issue, payment)
    say(on_issue, payment, "unknown", http_status=504)
    owner = make_engine(office_database.owner_url)
    of_table = " ON payment_move" if owner.dialect.name == "postgresql" else ""
    with begin(owner) as conn:
        conn.execute(text(f"DROP TRIGGER payment_move_settled{of_table}"))
    owner.dispose()
    monkeypatch.setattr(bank_outcomes, "needs_two", lambda *_: False)
    on_issue.outcome(payment, "rejected")

    assert ["settled_alone"] == [finding.code for finding in on_issue.findings()]
