"""
Whether the simulated bank carries an order out: its own rules, in the order in which it asks. Pure.

Limits and hours are the rails' as of the bank notes' section 5; each bank's settings may say others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Final

from bank_adapters.simulator.snap_bodies import Order
from ledger.money import Money

__all__ = ["LIMITS", "RETRYABLE", "Account", "Limits", "refusal_of"]

#: Nothing of these is kept: the same reference may come again.
RETRYABLE: Final = frozenset({"cut_off"})


@dataclass(frozen=True, slots=True)
class Account:
    """What the rules ask of an account. kind: customer, payee, outside (at another bank) or inner."""

    bank: str
    number: str
    name: str
    status: str
    kind: str
    available_sen: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds in sen; hours: by service, from and to in WIB; a service without hours is always open."""

    bifast_max: int
    online_max: int
    skn_max: int
    rtgs_above: int
    hours: Mapping[str, tuple[time, time]]


LIMITS: Final = Limits(
    bifast_max=Money.parse("250000000.00").sen,
    online_max=Money.parse("50000000.00").sen,
    skn_max=Money.parse("1000000000.00").sen,
    rtgs_above=Money.parse("100000000.00").sen,
    hours={},
)

_STATUS_REFUSALS: Final = {"closed": "inactive", "dormant": "dormant", "frozen": "do_not_honor"}


def refusal_of(
    order: Order,
    source: Account | None,
    payee: Account | None,
    limits: Limits,
    *,
    banks: frozenset[str],
    at: time,
) -> str | None:
    """
    The case with which *order* is refused, None where it is carried out.

    payee: as known at the bank that the order names. banks: that can be reached.
    """
    opened = limits.hours.get(order.service)
    if opened is not None and not opened[0] <= at <= opened[1]:
        return "cut_off"
    if source is None or source.kind != "customer":
        return "not_permitted"
    if source.status != "active":
        return _STATUS_REFUSALS[source.status]
    if order.bank and order.bank not in banks:
        return "bank_not_supported"
    if payee is None:
        return "invalid_account"
    if payee.status != "active":
        return _STATUS_REFUSALS[payee.status]
    if (payee.bank, payee.number) == (source.bank, source.number):
        return "not_permitted"
    return _amount_refusal(order, source, limits)


def _amount_refusal(order: Order, source: Account, limits: Limits) -> str | None:
    if order.sen <= 0 or (order.service == "22" and order.sen <= limits.rtgs_above):
        return "invalid_amount"
    most = {"18": limits.bifast_max, "23": limits.skn_max}.get(order.service)
    if order.service == "18" and order.rail == "1":
        most = limits.online_max
    if most is not None and order.sen > most:
        return "amount_limit"
    if order.sen > source.available_sen:
        return "insufficient_funds"
    return None
