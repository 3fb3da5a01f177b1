"""
What the bank debits in one line of its statement: each payment, all of an SP2D, or a whole list.

Pure. Which of them is the bank's habit and stands in its file profile (`unit`). The writer groups by
it, and whoever matches the statement later looks for the same references and sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from bank_adapters.payments.errors import (
    MixedDebitUnitError,
    RepeatedOrderError,
    UngroupedOrderError,
    UnwritablePaymentError,
)
from bank_adapters.payments.order import PaymentOrder
from ledger.money import Money

__all__ = ["FILE_UNITS", "DebitUnit", "FileUnit", "debit_units"]

FileUnit = Literal["payment", "sp2d", "list"]
FILE_UNITS: Final[tuple[FileUnit, ...]] = ("payment", "sp2d", "list")


@dataclass(frozen=True, slots=True)
class DebitUnit:
    """One expected line of the statement. `amount` is what leaves, positive, fees not included."""

    reference: str
    amount: Money
    source_account: str
    transfer_on: date
    orders: tuple[PaymentOrder, ...]


def debit_units(
    orders: Sequence[PaymentOrder],
    unit: FileUnit,
    *,
    list_reference: str = "",
    sp2d_of: Mapping[str, str] | None = None,
) -> tuple[DebitUnit, ...]:
    """The bank's debits for *orders*, in the order of their first payment.

    list_reference: names the debit where *unit* is `list`. sp2d_of: an order's reference to that of
    its SP2D, where *unit* is `sp2d`. Raises RepeatedOrderError, UngroupedOrderError,
    MixedDebitUnitError, UnwritablePaymentError (a list without a reference).
    """
    groups: dict[str, list[PaymentOrder]] = {}
    seen: set[str] = set()
    if unit == "list" and orders and not list_reference:
        raise UnwritablePaymentError("list_reference", "", "is empty, and the bank debits by list")
    for order in orders:
        if order.reference in seen:
            raise RepeatedOrderError(order.reference)
        seen.add(order.reference)
        groups.setdefault(_key(order, unit, list_reference, sp2d_of or {}), []).append(order)
    return tuple(_unit(reference, group) for reference, group in groups.items())


def _key(
    order: PaymentOrder, unit: FileUnit, list_reference: str, sp2d_of: Mapping[str, str]
) -> str:
    if unit == "payment":
        return order.reference
    if unit == "list":
        return list_reference
    if not (sp2d := sp2d_of.get(order.reference, "")):
        raise UngroupedOrderError(order.reference)
    return sp2d


def _unit(reference: str, orders: Sequence[PaymentOrder]) -> DebitUnit:
    accounts = sorted({order.source_account for order in orders})
    days = sorted({order.transfer_on for order in orders})
    if len(accounts) > 1:
        raise MixedDebitUnitError(reference, "source_account", accounts)
    if len(days) > 1:
        raise MixedDebitUnitError(reference, "transfer_on", [day.isoformat() for day in days])
    total = Money.total(order.amount for order in orders)
    return DebitUnit(reference, total, accounts[0], days[0], tuple(orders))
