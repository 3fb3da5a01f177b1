"""
The rail of a payment: what its amount, the payee's bank and the hour allow, by the table of rails.

Pure. Rails are tried in the table's order and the first that is open is taken. Where none is open the
answer is when and on which rail it can go; where none will do it is refused with the reason of each
rail. A payment is never split to fit a rail: that needs a decision of officers, not of a program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import Final

from bank_adapters.payments.banks import Bank
from bank_adapters.payments.errors import NoRailError
from bank_adapters.payments.order import Rail
from bank_adapters.payments.rail_table import RailTable
from ledger.money import Money

__all__ = ["DAYS_AHEAD", "WIB", "Routed", "WaitUntil", "choose_rail"]

#: Western Indonesian time, in which banks and Bank Indonesia state their hours; no summer time.
WIB: Final = timezone(timedelta(hours=7), "WIB")
#: How far a window is looked for: longer than any row of holidays.
DAYS_AHEAD: Final = 31


@dataclass(frozen=True, slots=True)
class Routed:
    """What the choice depends on. Banks are three-digit codes; not_before: the earliest day."""

    amount: Money
    source_bank: str
    beneficiary_bank: str
    not_before: date | None = None


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """No rail takes it now; *rail* will from `opens_at` (WIB) on."""

    rail: Rail
    opens_at: datetime


def choose_rail(
    payment: Routed,
    banks: Mapping[str, Bank],
    now: datetime,
    is_working_day: Callable[[date], bool],
    table: RailTable,
) -> Rail | WaitUntil:
    """The rail to take at *now*, or when one opens.

    now: aware, of any zone. is_working_day: the calendar; asked day by day and only as far as needed,
    so one that ends with the year may raise beyond. Raises NoRailError.
    """
    if now.tzinfo is None:
        raise ValueError("now must carry its zone")
    local = now.astimezone(WIB)
    start = local
    if payment.not_before is not None and payment.not_before > local.date():
        start = _at(payment.not_before, 0)
    for ahead in range(DAYS_AHEAD + 1):
        day = start.date() + timedelta(days=ahead)
        found: WaitUntil | None = None
        for rail in table.order:
            if _why_not(payment, rail, banks, table, day):
                continue
            for window in table.windows_on(rail, day, is_working_day):
                if _at(day, window.closes) <= start:
                    continue
                opens_at = max(_at(day, window.opens), start)
                if opens_at == local:
                    return rail
                # Strictly earlier: at the same moment the rail that is tried first wins.
                if found is None or opens_at < found.opens_at:
                    found = WaitUntil(rail, opens_at)
                break
        if found is not None:
            return found
    raise NoRailError(
        str(payment.amount),
        [
            (
                rail,
                _why_not(payment, rail, banks, table, start.date())
                or f"opens on none of the {DAYS_AHEAD} days from {start.date()}",
            )
            for rail in table.order
        ],
    )


def _why_not(
    payment: Routed, rail: Rail, banks: Mapping[str, Bank], table: RailTable, day: date
) -> str:
    """Why *rail* can't carry the payment on *day*, whatever the hour; "" where it can."""
    entry = table.entry_on(rail, day)
    if entry is None:
        return f"has no entry that holds on {day}"
    is_same_bank = payment.source_bank == payment.beneficiary_bank
    if rail == "intrabank" and not is_same_bank:
        return f"the payee's bank {payment.beneficiary_bank} is not {payment.source_bank}"
    if rail != "intrabank":
        if is_same_bank:
            return "the payee's bank is the paying bank"
        bank = banks.get(payment.beneficiary_bank)
        if bank is None:
            return f"bank {payment.beneficiary_bank} is not in the bank list"
        if rail == "bifast" and bank.bifast != "yes":
            told = "is not" if bank.bifast == "no" else "is not known to be"
            return f"bank {bank.code} {told} on BI-FAST"
    if payment.amount < entry.amount_min:
        return f"below its least, {entry.amount_min}"
    if entry.amount_max is not None and payment.amount > entry.amount_max:
        return f"above its most, {entry.amount_max}"
    return ""


def _at(day: date, minutes: int) -> datetime:
    return datetime.combine(day, time(), WIB) + timedelta(minutes=minutes)
