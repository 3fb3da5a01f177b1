"""The whole way of an order, under both recognition policies and on both engines."""

from __future__ import annotations

from tests.ledger.documents.office import Office


def test_sp2d_from_order_to_bank_ends_in_the_same_books(office: Office) -> None:
    """Whether booked at signing or at payment, a paid SP2D leaves the same balances, to the sen."""
    issued = office.issue(office.with_tax())
    office.list_payments()
    office.outcome(issued["payments"][0], "paid")

    assert [] == office.findings()
