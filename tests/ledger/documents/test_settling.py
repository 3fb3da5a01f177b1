"""A person's word on a payment that may be with the bank is two persons'."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.engine import begin, make_engine, reading
from ledger.documents import attempts, bank_outcomes, dispatch_queries, disputes
from ledger.documents.bank_outcomes import RecordPayment, ResendPayment
from ledger.documents.journals import RETUR_ACCOUNT
from ledger.documents.payments import STATES, needs_two
from ledger.documents.settling import SettlePayment
from ledger.documents.sp2d import CancelSp2d, RequestCancelSp2d
from ledger.opening import ADMIN_1, RECONCILER
from ledger.persons_shell import GiveGrant
from ledger.proposals import BothHands, Confirm, Propose
from ledger.session import Command
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

    asked = {(state, "snap") for state in ("queued", "sent", "accepted")}
    ways = ("", "file", "snap")
    always = {(s, way) for s in ("unknown", "paid", "rejected", "returned") for way in ways}
    assert always | asked == two
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
            _BY_TWO.format("'rekonsiliasi'", EVIDENCE, "grant.give") + " AND o.id = (SELECT id FROM"
            " proposal WHERE act = 'grant.give' AND government = p.government ORDER BY leaf_index DESC LIMIT 1)",
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
    on_cair.do(Propose(ADMIN_1, GiveGrant("worker", "accountant", TODAY)))
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


# --- a bank that contradicts itself ----------------------------------------------------------------


def rejected(office: Office) -> str:
    """A payment that the bank has refused."""
    (payment,) = queued(office)
    call(office, payment)
    say(office, payment, "refused", code="4001814")
    return payment


def waiting(office: Office) -> list[tuple[str, str]]:
    """What waits for people: payments and reasons."""
    with reading(office.engine) as conn:
        found = dispatch_queries.list_attention(conn, office.government)
    return [(each.payment, each.reason) for each in found]


def again(office: Office) -> str:
    """A payment that came back, was made again, and was refused by the bank."""
    (first,) = queued(office)
    call(office, first)
    say(office, first, "done")
    say(office, first, "returned", source="status")
    payment = str(office.do(ResendPayment("maker-2", first, "Ralat"))["payment"])
    office.list_payments(payment)
    call(office, payment)
    say(office, payment, "refused", code="4001814")
    return payment


@pytest.mark.parametrize("make", [rejected, again])
def test_bank_that_paid_what_it_had_rejected(office: Office, make: Callable[[Office], str]) -> None:
    """Two reconcilers book it as paid: the money is gone, nothing is owed, nothing stays committed."""
    payment = make(office)
    say(office, payment, "done", source="status", code="2003600")
    assert [(payment, "contradiction")] == waiting(office)
    alone = RecordPayment(RECONCILER, payment, "paid", TODAY, EVIDENCE)
    assert "settling_needs_two_persons" == office.refused(alone)[0]
    office.settle(payment, "paid")

    assert (payment, "paid") == office.payments()[-1]
    assert (OPENING - AMOUNT, 0) == office.cash()
    assert 0 == office.balance(RETUR_ACCOUNT)
    assert [] == waiting(office)
    assert [] == office.findings()


def test_rejection_that_stands_may_be_paid_again(office: Office) -> None:
    """Until two reconcilers have said so, nobody lets it be paid a second time."""
    payment = rejected(office)
    cash = office.cash()
    say(office, payment, "done", source="status", code="2003600")
    resend = ResendPayment("maker-2", payment, "Ralat")
    assert "payment_move_not_allowed" == office.refused(resend)[0]
    office.settle(payment, "rejected")

    assert ([], cash) == (waiting(office), office.cash())
    office.do(resend)
    assert ["rejected", "held"] == [state for _, state in office.payments()]
    assert [] == office.findings()


def test_payment_that_stands_though_the_bank_denied_it(office: Office) -> None:
    """A callback about another amount changes nothing, and a person has looked at it."""
    (payment,) = queued(office)
    call(office, payment)
    say(office, payment, "done")
    say(office, payment, "conflict", source="callback")
    assert [(payment, "contradiction")] == waiting(office)
    office.settle(payment, "paid")

    assert ([], (OPENING - AMOUNT, 0)) == (waiting(office), office.cash())
    assert [(payment, "paid")] == office.payments()
    say(office, payment, "refused", source="status")
    assert [(payment, "contradiction")] == waiting(office)
    assert [] == office.findings()


def test_payment_that_was_never_made_though_the_bank_said_so_is_owed_again(office: Office) -> None:
    """Denied after it was paid: back in the book's cash, to be paid again."""
    (payment,) = queued(office)
    call(office, payment)
    say(office, payment, "done")
    say(office, payment, "refused", source="status")
    office.settle(payment, "returned")

    assert ([], (OPENING, 0)) == (waiting(office), office.cash())
    assert -AMOUNT == office.balance(RETUR_ACCOUNT)
    assert [] == office.findings()


def test_what_nobody_disputes_is_not_confirmed_and_what_was_made_again_is_not_paid(
    on_issue: Office,
) -> None:
    """There is nothing to say of it; and whoever was paid by the next attempt would be paid twice."""
    payment = rejected(on_issue)

    def asks(outcome: str) -> dict[str, object]:
        act = SettlePayment(payment, outcome, TODAY, EVIDENCE, "Surat bank")
        code, values = on_issue.refused(Propose(RECONCILER, act))
        assert "payment_move_not_allowed" == code
        return values

    assert "rejected, not contradicted by the bank" == asks("rejected")["state"]
    later = on_issue.do(ResendPayment("maker-2", payment, "Ralat"))["payment"]
    assert f"rejected, resent as {later}" == asks("paid")["state"]


@pytest.mark.parametrize(
    ("state", "dispute", "resent", "hands", "rule"),
    [
        ("rejected", "done", False, False, "payment_move_paid_after_all"),
        ("rejected", "", True, True, "payment_move_paid_after_all"),
        ("rejected", "done", False, False, "payment_move_stands"),
        ("paid", "", False, True, "payment_move_stands"),
        ("rejected", "", False, True, "payment_move_stands"),
    ],
)
def test_database_refuses_to_reopen_by_one_hand_or_twice(
    on_cair: Office,
    office_database: Database,
    state: str,
    dispute: str,
    resent: bool,
    hands: bool,
    rule: str,
) -> None:
    """Raw SQL of the owner: no two persons, a later attempt, or nothing in dispute."""
    (payment,) = queued(on_cair)
    call(on_cair, payment)
    say(on_cair, payment, "done" if state == "paid" else "refused")
    target = "paid" if rule == "payment_move_paid_after_all" else state
    # A proposal of two hands that the database may find: a doubted payment's.
    second = on_cair.issue()["payments"][0]
    on_cair.list_payments(second)
    call(on_cair, second)
    say(on_cair, second, "unknown", http_status=504)
    if dispute:
        say(on_cair, payment, dispute, source="status")
    if resent:
        on_cair.do(ResendPayment("maker-2", payment, "Ralat"))
    doubted = SettlePayment(second, "paid", TODAY, EVIDENCE, "Surat bank")
    on_cair.do(Propose(RECONCILER, doubted))
    owner = make_engine(office_database.owner_url)
    statements = [_BY_TWO.format("'rekonsiliasi'", EVIDENCE, "payment.settled")] if hands else []
    try:
        with pytest.raises(DBAPIError) as refused, begin(owner) as conn:
            for sql in (*statements, _STEP.replace("'rejected'", f"'{target}'")):
                conn.execute(text(sql), {"p": payment})
        assert rule in str(refused.value.orig).lower()
    finally:
        owner.dispose()


@pytest.mark.parametrize(
    ("first", "asked", "news"),
    [
        (["unknown"], "rejected", ["refused", "done"]),  # of a doubt, and it is a contradiction now
        (["unknown"], "paid", ["refused"]),  # against a newer clear word of the bank
        (["refused", "conflict"], "rejected", ["done"]),  # a second dispute
    ],
)
def test_settlement_proposed_before_the_last_news_is_not_confirmed(
    office: Office, first: list[str], asked: str, news: list[str]
) -> None:
    """Two persons speak of what both have seen; withdrawn, and proposed anew, it is done."""
    (payment,) = queued(office)
    call(office, payment)
    for meaning in first:
        say(office, payment, meaning, source="callback")
    act = SettlePayment(payment, asked, TODAY, EVIDENCE, "Surat bank")
    proposal = office.do(Propose(RECONCILER, act))["proposal"]
    for meaning in news:
        say(office, payment, meaning, source="status")
    code, values = office.refused(Confirm(RECONCILER_2, proposal))
    assert ("settlement_out_of_date", proposal) == (code, values["proposal"])
    office.settle(payment, asked)

    assert [(payment, asked)] == office.payments()
    assert [] == office.findings()


def test_payment_that_never_left_is_not_made_again_once_the_bank_has_paid_it(
    office: Office,
) -> None:
    """Denied, owed again, and then the bank says that it has paid: nobody pays it a second time."""
    (payment,) = queued(office)
    call(office, payment)
    say(office, payment, "done")
    say(office, payment, "refused", source="status")
    office.settle(payment, "returned")
    say(office, payment, "done", source="callback")
    assert [(payment, "contradiction")] == waiting(office)
    resend = ResendPayment("maker-2", payment, "Ralat")
    code, values = office.refused(resend)
    assert "returned, contradicted by the bank" == values["state"], code
    office.settle(payment, "paid")

    assert ([], (OPENING - AMOUNT, 0)) == (waiting(office), office.cash())
    assert 0 == office.balance(RETUR_ACCOUNT)
    say(office, payment, "returned", source="status")
    assert (OPENING, -AMOUNT) == (office.cash()[0], office.balance(RETUR_ACCOUNT))
    office.do(resend)
    assert [] == office.findings()


def test_done_of_what_came_back_is_an_old_word_unless_the_bank_denied_it(office: Office) -> None:
    """A late copy of the first callback disputes nothing."""
    (payment,) = queued(office)
    call(office, payment)
    say(office, payment, "done")
    say(office, payment, "returned", source="status")
    say(office, payment, "done", source="callback")

    assert [] == waiting(office)
    office.do(ResendPayment("maker-2", payment, "Ralat"))
    assert [] == office.findings()


def test_fsck_names_what_was_paid_after_all_though_it_was_made_again(
    on_issue: Office, office_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where neither code nor database looked for the other attempt, the log still tells."""
    payment = rejected(on_issue)
    on_issue.do(ResendPayment("maker-2", payment, "Ralat"))
    owner = make_engine(office_database.owner_url)
    of_table = " ON payment_move" if owner.dialect.name == "postgresql" else ""
    with begin(owner) as conn:
        conn.execute(text(f"DROP TRIGGER payment_move_paid_after_all{of_table}"))
    owner.dispose()
    monkeypatch.setattr(attempts, "check_not_repeated", lambda *_, **__: None)
    on_issue.settle(payment, "paid")

    assert ["paid_twice"] == [finding.code for finding in on_issue.findings()]


@pytest.mark.parametrize("rule", ["payment_settlement_news", "payment_again_disputed"])
def test_database_and_log_refuse_what_two_persons_did_not_see(
    on_cair: Office, office_database: Database, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    """Without the code's checks the trigger refuses; without the trigger, fsck names it."""
    (payment,) = queued(on_cair)
    call(on_cair, payment)
    say(on_cair, payment, "done")
    say(on_cair, payment, "refused", source="status")
    if rule == "payment_again_disputed":
        on_cair.settle(payment, "returned")
        say(on_cair, payment, "done", source="callback")
        act: Command = ResendPayment("maker-2", payment, "Ralat")
        table = "payment"
    else:
        stands = SettlePayment(payment, "paid", TODAY, EVIDENCE, "Surat bank")
        proposal = on_cair.do(Propose(RECONCILER, stands))["proposal"]
        say(on_cair, payment, "conflict", source="callback")
        act = Confirm(RECONCILER_2, proposal)
        table = "payment_settlement"
    monkeypatch.setattr(disputes, "check_no_news", lambda *_: None)
    if rule == "payment_again_disputed":
        monkeypatch.setattr(disputes, "contradicted", lambda *_: set())
    with pytest.raises(DBAPIError) as refused:
        on_cair.run(act)
    assert rule in str(refused.value.orig)
    owner = make_engine(office_database.owner_url)
    of_table = f" ON {table}" if owner.dialect.name == "postgresql" else ""
    with begin(owner) as conn:
        conn.execute(text(f"DROP TRIGGER {rule}{of_table}"))
    owner.dispose()
    on_cair.do(act)

    assert ["step_not_allowed"] == [finding.code for finding in on_cair.findings()]


@pytest.mark.parametrize("rule", ["payment_again_recovered", "document_move_cancel_recovered"])
def test_what_failed_before_acts_were_lost_is_left_until_two_have_looked(
    on_cair: Office, office_database: Database, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    """On a shard that begins behind the rejection: in code, and in the database without the code."""
    payment = rejected(on_cair)
    document = on_cair.scalar("SELECT document_id FROM payment WHERE government = :government")
    act: Command = ResendPayment("maker-2", payment, "Ralat")
    if rule == "document_move_cancel_recovered":
        on_cair.do(RequestCancelSp2d("maker-2", document, "Ralat"))
        act = CancelSp2d("kuasa", document, "Ralat")
    owner = make_engine(office_database.owner_url)
    with begin(owner) as conn:
        conn.execute(
            text(
                "INSERT INTO log_shard SELECT government, 2, origin || '/2', size FROM log_edge"
                " WHERE government = :g"
            ),
            {"g": on_cair.government},
        )
    owner.dispose()
    assert "move_not_allowed" in on_cair.refused(act)[0]
    with monkeypatch.context() as without, pytest.raises(DBAPIError) as refused:
        without.setattr(disputes, "before_recovery", lambda *_: set())
        on_cair.run(act)
    assert rule in str(refused.value.orig)
    on_cair.settle(payment, "rejected")
    on_cair.do(act)
