"""What the bank debits in one line: each order once, every sum whole."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank_adapters.payments.debit_units import FILE_UNITS, FileUnit, debit_units
from bank_adapters.payments.errors import (
    MixedDebitUnitError,
    RepeatedOrderError,
    UngroupedOrderError,
    UnwritablePaymentError,
)
from ledger.money import Money
from tests.bank_adapters.payments.support import ACCOUNT, DAY, order, orders


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("payment", [("SP2D26-000001", 1), ("SP2D26-000002", 1), ("SP2D26-000003", 1)]),
        ("sp2d", [("SP2D-A", 2), ("SP2D-B", 1)]),
        ("list", [("DP-7", 3)]),
    ],
)
def test_debit_units_of_each_kind_are_named_as_the_statement_will_name_them(
    unit: FileUnit, expected: list[tuple[str, int]]
) -> None:
    """A payment by its reference, an SP2D by its own, a list by the list's."""
    of = {"SP2D26-000001": "SP2D-A", "SP2D26-000002": "SP2D-B", "SP2D26-000003": "SP2D-A"}

    units = debit_units([order(1), order(2), order(3)], unit, list_reference="DP-7", sp2d_of=of)

    assert expected == [(each.reference, len(each.orders)) for each in units]
    assert {(ACCOUNT, DAY)} == {(each.source_account, each.transfer_on) for each in units}


@given(orders(most=8), st.sampled_from(FILE_UNITS), st.lists(st.sampled_from("ABC"), min_size=8))
def test_debit_units_hold_every_order_once_and_every_sen(
    batch: list, unit: FileUnit, names: list[str]
) -> None:
    """Orders of all units are the orders, and the sums add up to theirs."""
    of = {each.reference: name for each, name in zip(batch, names, strict=False)}

    units = debit_units(batch, unit, list_reference="DP-7", sp2d_of=of)

    placed = [each for one in units for each in one.orders]
    assert sorted(each.reference for each in batch) == sorted(each.reference for each in placed)
    assert Money.total(each.amount for each in batch) == Money.total(one.amount for one in units)
    assert all(one.amount == Money.total(each.amount for each in one.orders) for one in units)
    assert len(units) == len({one.reference for one in units})


@pytest.mark.parametrize(
    ("changes", "unit", "of", "error", "told"),
    [
        ({"reference": "SP2D26-000001"}, "payment", {}, RepeatedOrderError, "SP2D26-000001"),
        ({}, "sp2d", {"SP2D26-000001": "A"}, UngroupedOrderError, "SP2D26-000002"),
        ({"source_account": "0019"}, "list", {}, MixedDebitUnitError, "'0010012345678', '0019'"),
        ({"transfer_on": date(2026, 3, 6)}, "list", {}, MixedDebitUnitError, "2026-03-06"),
        (
            {"transfer_on": date(2026, 3, 6)},
            "sp2d",
            {"SP2D26-000001": "A", "SP2D26-000002": "A"},
            MixedDebitUnitError,
            "'A' can't be one debit: transfer_on",
        ),
    ],
)
def test_debit_units_that_no_bank_debits_in_one_line_are_refused(
    changes: dict, unit: FileUnit, of: dict, error: type[Exception], told: str
) -> None:
    """A repeated reference, a missing SP2D, two accounts or two days are named."""
    with pytest.raises(error, match=told):
        debit_units([order(1), order(2, **changes)], unit, list_reference="DP-7", sp2d_of=of)


def test_debit_units_of_a_list_without_a_reference_are_refused() -> None:
    """A debit without a name could not be found in the statement."""
    with pytest.raises(UnwritablePaymentError, match="list_reference"):
        debit_units([order()], "list")
