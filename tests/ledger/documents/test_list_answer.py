"""What a bank answered to a list's file, on both engines: each payment's outcome, once, or a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from api.engine import reading
from ledger.documents.advice_list import DraftAdviceList, SendAdviceList
from ledger.documents.calls import OPEN_STATES, contradicts, steps_of
from ledger.documents.errors import PaymentAnsweredError
from ledger.documents.file_answers import ListOutcome, file_outcome
from ledger.documents.list_answer import SLICE_MAX, AnswerAdviceList
from ledger.documents.list_orders import check_unanswered, list_id, ordered_list
from ledger.documents.payments import STATES
from ledger.opening import ADMIN_1, ADMIN_2, RECONCILER
from ledger.policies import SetPolicy
from ledger.proposals import BothHands
from tests.builders import BANK, NOW, TODAY
from tests.ledger.documents.office import Office

FILE = "f" * 64


def said(payment: str, meaning: str, status: str, *reasons: str) -> ListOutcome:
    """One payment's answer."""
    return ListOutcome(payment, meaning, status, reasons, "kata bank" if reasons else "")


def answer(document: str, *outcomes: ListOutcome, **changes: Any) -> AnswerAdviceList:
    """The act of the reconciler."""
    values: dict[str, Any] = {"by": RECONCILER, "on_day": TODAY, "file_sha256": FILE}
    return AnswerAdviceList(document=document, said=outcomes, **(values | changes))


def listed(office: Office, among: int) -> tuple[str, list[str]]:
    """A signed list of so many payments."""
    made = list(office.issue(among=among)["payments"])
    return office.list_payments(*made), made


def test_answer_on_a_payment_that_nobody_knows_of_waits_for_two_persons(office: Office) -> None:
    """It is told, and the others are recorded."""
    document, (one, two) = listed(office, 2)
    office.outcome(one, "unknown")

    told = office.do(answer(document, said(one, "done", "ACSC"), said(two, "done", "ACSC")))

    assert [("", "paid"), ("paid", "")] == [(row["to"], row["settles"]) for row in told["payments"]]
    assert [(one, "unknown"), (two, "paid")] == office.payments()
    office.settle(one, "paid")
    assert 0 == office.do(answer(document, said(one, "done", "ACSC")))["recorded"]


def test_answer_is_recorded_once_for_each_payment_on_the_file_s_digest(office: Office) -> None:
    """Paid, accepted, rejected with its reason; what is no word on the payment changes nothing."""
    document, (one, two, three, four, five) = listed(office, 5)
    act = answer(
        document,
        said(one, "done", "ACSC"),
        said(two, "pending", "ACSP"),
        said(three, "refused", "RJCT", "AC04"),
        said(four, "duplicate", "RJCT", "AM05"),
        said(five, "unknown", "XXXX"),
    )

    told = office.do(act)
    before = office.contents()
    again = office.do(act)

    expected = ["paid", "accepted", "rejected", "queued", "queued"]
    assert expected == [state for _, state in office.payments()]
    assert ["paid", "accepted", "rejected", "", ""] == [row["to"] for row in told["payments"]]
    assert (3, False, 0, True) == (
        told["recorded"], told["replayed"], again["recorded"], again["replayed"],
    )  # fmt: skip
    assert before == office.contents()
    assert [(FILE,)] * 3 == office.pairs(
        "SELECT evidence_sha256 FROM payment_move WHERE government = :government"
        " AND state_to IN ('paid', 'accepted', 'rejected')"
    )
    assert "pain.002 RJCT AC04 kata bank" == office.scalar(
        "SELECT v.value FROM payment_move m JOIN private_value v ON v.government = m.government"
        " AND v.commitment = m.reason_c WHERE m.government = :government"
        " AND m.state_to = 'rejected'"
    )
    assert [] == office.findings()


def test_later_answer_settles_what_was_pending_and_none_goes_back(office: Office) -> None:
    """ACSP, then ACSC or RJCT; an older report that comes late changes nothing."""
    document, (one, two) = listed(office, 2)
    office.do(SendAdviceList("maker", document, _digest(office, document)))
    pending = answer(document, said(one, "pending", "ACSP"), said(two, "pending", "ACSP"))
    office.do(pending)
    office.do(answer(document, said(one, "done", "ACSC"), said(two, "refused", "RJCT")))

    late = office.do(pending)

    assert ["paid", "rejected"] == [state for _, state in office.payments()]
    assert 0 == late["recorded"]
    assert [] == office.findings()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("done", "ACSC"), ("refused", "RJCT")),
        (("refused", "RJCT"), ("done", "ACSC")),
    ],
)
def test_second_different_answer_is_refused_and_changes_nothing(
    on_cair: Office, first: tuple[str, str], second: tuple[str, str]
) -> None:
    """Also what it says of other payments is left out."""
    document, (one, two) = listed(on_cair, 2)
    on_cair.do(answer(document, said(one, *first)))

    code, values = on_cair.refused(
        answer(document, said(two, "done", "ACSC"), said(one, *second), file_sha256="a" * 64)
    )

    assert ("answer_contradicts", 1) == (code, values["number"])
    assert [one] == [each["payment"] for each in _mappings(values["payments"])]


def test_answer_that_is_not_of_this_list_or_not_by_whom_may_is_refused(on_cair: Office) -> None:
    """By name; a list that was not signed and one of another channel have no file to answer."""
    document, (one, *_) = listed(on_cair, 2)
    other = list(on_cair.issue()["payments"])
    draft = on_cair.do(DraftAdviceList("maker-2", "", payments=other))["document"]
    good = said(one, "done", "ACSC")
    for act, code in (
        (answer(document, good, said(other[0], "done", "ACSC")), "payment_not_listed"),
        (answer(document, good, good), "payment_not_listed"),
        (answer(document, good, by="maker"), "not_granted"),
        (answer(document, good, on_day="2026-11-22"), "future_effective_date"),
        (answer(document, said(one, "conflict", "ACSC")), "invalid_field"),
        (answer(document, *[good] * (SLICE_MAX + 1)), "invalid_field"),
        (answer(draft, said(other[0], "done", "ACSC")), "document_move_not_allowed"),
        (answer("advice_list-2026-00000099", good), "unknown_document"),
    ):
        assert code == on_cair.refused(act)[0]
    on_cair.do(BothHands(ADMIN_1, ADMIN_2, SetPolicy("channel", f"{BANK} snap", TODAY)))
    by_snap, (three,) = listed(on_cair, 1)
    assert "not_by_file" == on_cair.refused(answer(by_snap, said(three, "done", "ACSC")))[0]


def test_signed_list_is_read_with_its_instant_and_the_states_of_now(on_cair: Office) -> None:
    """By its register number or its own; a payment with an answer is asked for no more."""
    document, (one, two) = listed(on_cair, 2)
    on_cair.outcome(one, "recalled")
    with reading(on_cair.engine) as conn:
        found = ordered_list(conn, on_cair.government, document)
        assert document == list_id(conn, on_cair.government, found.number)
        assert "DP/0" == list_id(conn, on_cair.government, "DP/0")
    assert NOW == found.signed_at
    assert {one: "recalled", two: "queued"} == found.states
    check_unanswered(found, [two])
    with pytest.raises(PaymentAnsweredError, match=f"{one} is recalled"):
        check_unanswered(found, [two, one])


@pytest.mark.parametrize("state", [state for state in STATES if state != "held"])
@pytest.mark.parametrize("meaning", ["done", "pending", "refused"])
def test_file_s_answer_does_what_an_answer_to_a_call_does(state: str, meaning: str) -> None:
    """The rules of `calls`, where a queued payment counts as sent and a contradiction is refused."""
    called = "sent" if state == "queued" else state
    steps: Sequence[str] = steps_of(called, meaning)
    outcome = file_outcome(state, meaning)
    if state in OPEN_STATES:
        assert (steps[-1] if steps else "") == outcome
    elif state in ("paid", "rejected", "returned"):
        assert (None if contradicts(state, meaning) else "") == outcome
    else:
        assert ("" if (state, meaning) == ("recalled", "refused") else None) == outcome


def _digest(office: Office, document: str) -> str:
    with reading(office.engine) as conn:
        return ordered_list(conn, office.government, document).content.file_sha256


def _mappings(value: object) -> list[dict[str, str]]:
    assert isinstance(value, list)
    return value
