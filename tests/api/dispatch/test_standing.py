"""What the books can say of a balance that the bank tells while orders are under way."""

from __future__ import annotations

import pytest

from api.engine import reading
from reconciliation.standing import Standing, UnderWay, standing_of
from tests.api.dispatch.test_worker import AMOUNT, Desk
from tests.builders import BANK
from tests.ledger.documents.office import POLICIES, Office


def standing(office: Office) -> Standing:
    """Of the treasury's account."""
    with reading(office.engine) as conn:
        return standing_of(conn, office.government, BANK)


def test_orders_explain_what_the_books_let_go_and_may_have_been_executed(office: Office) -> None:
    """Signed, asked without an answer, paid: under either policy the bank's balance is explained."""
    desk = Desk(office)
    bank_sen = standing(office).book_sen
    (payment,) = desk.orders()
    signed = standing(office)
    desk.bank.faults[payment] = ["unheard"]
    worker = desk.worker()
    desk.work(worker)
    asked = standing(office)

    is_booked = office.government == POLICIES["on_issue"]
    expected = (UnderWay("queued", 1, AMOUNT),) if is_booked else ()
    assert (expected, "agreed", 0) == (signed.under_way, signed.verdict(bank_sen), signed.doubts)
    assert ("agreed", 1, AMOUNT) == (asked.verdict(bank_sen), asked.doubts, asked.doubt_sen)
    # The bank did execute it, and has not said so.
    assert "in_doubt" == asked.verdict(bank_sen - AMOUNT)
    assert "differs" == asked.verdict(bank_sen - AMOUNT - 1) == asked.verdict(bank_sen + 1)


@pytest.mark.parametrize(
    ("bank_sen", "left", "verdict"),
    [
        (130, 0, "agreed"),
        (129, -1, "in_doubt"),
        (110, -20, "in_doubt"),
        (109, -21, "differs"),
        (131, 1, "differs"),
    ],
)
def test_verdict_is_by_what_is_left_and_what_is_in_doubt(
    bank_sen: int, left: int, verdict: str
) -> None:
    """Book 100, 30 let go and not paid, 20 of them asked for."""
    way = (UnderWay("queued", 1, 10), UnderWay("sent", 1, 20))
    found = Standing("137:1", 100, way, 20, 1, None, "", 0, 0, 0, 0)
    assert (left, verdict) == (found.left_sen(bank_sen), found.verdict(bank_sen))
