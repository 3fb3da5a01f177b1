"""
A signed advice list as a bank's files: which file each order goes in, and the bytes of each.

Pure, and the same bytes for the same list and settings: nothing of a file depends on when it is
written. Its ids come from the list's number and the digest that two officers signed; it is dated by the
signature; each order's rail and day are those that were open at that instant, or open first from the
day of transfer on. No payment is split, and what no rail carries is refused with the whole list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import sha256
from typing import Final

from bank_adapters.payments.banks import Bank
from bank_adapters.payments.debit_units import DebitUnit, debit_units
from bank_adapters.payments.errors import (
    NoRailError,
    SeveralFilesError,
    UnwritablePaymentError,
)
from bank_adapters.payments.file_settings import FileSettings
from bank_adapters.payments.order import PaymentOrder, Rail
from bank_adapters.payments.pain001 import SentBlock, SentMessage, sent_message, write_pain001
from bank_adapters.payments.rail_table import RailTable
from bank_adapters.payments.routing import WIB, Routed, WaitUntil, choose_rail
from bank_adapters.payments.template_writer import FileFacts, write_by_template
from ledger.money import Money

__all__ = [
    "ListFile",
    "ListOrder",
    "ListPart",
    "MessageName",
    "SignedList",
    "chosen_part",
    "message_name",
    "parts_of",
    "sent_of",
    "write_parts",
]

#: Of remittance information, in pain.001.
_REMARK_MAX: Final = 140
#: Of the file's digest, in the ids of its messages: no other list of that number has it.
_DIGITS: Final = 8
_MESSAGE: Final = re.compile(
    r"(DP-[1-9][0-9](?:\.[0-9]{2})?-[0-9]{6,}-[0-9]{4})-([0-9a-f]{8})(?:-([1-9][0-9]{0,4}))?"
)


@dataclass(frozen=True, slots=True)
class ListOrder:
    """
    One payment of a list. sp2d, sp2d_number: the register number of its SP2D, and the printed one.

    The beneficiary's texts may be "" where an answer is read.
    """

    reference: str
    amount: Money
    beneficiary_bank: str
    beneficiary_account: str
    beneficiary_name: str
    sp2d: str
    sp2d_number: str


@dataclass(frozen=True, slots=True)
class SignedList:
    """
    What two officers signed. bank_account: BANKCODE:NO. serial: its place in the year's series.

    transfer_on: the day from which the bank may pay. signed_at: aware. file_sha256: of the list as it
    was signed.
    """

    number: str
    serial: int
    bank_account: str
    transfer_on: date
    signed_at: datetime
    file_sha256: str
    orders: tuple[ListOrder, ...]


@dataclass(frozen=True, slots=True)
class ListPart:
    """The orders of one file. `part` counts from 1. debits: the lines that the bank's statement will have."""

    part: int
    message_id: str
    payment_id: str
    orders: tuple[PaymentOrder, ...]
    sp2d_of: Mapping[str, str]
    debits: tuple[DebitUnit, ...]


@dataclass(frozen=True, slots=True)
class ListFile:
    """One file as it is handed to the bank."""

    name: str
    data: bytes
    part: ListPart

    @property
    def sha256(self) -> str:
        """Of the bytes, 64 hex digits."""
        return sha256(self.data).hexdigest()

    @property
    def total(self) -> Money:
        """What the file asks for in all."""
        return Money.total(order.amount for order in self.part.orders)


@dataclass(frozen=True, slots=True)
class MessageName:
    """What an id of a message of ours says: the list's number, its digest's beginning, the part."""

    number: str
    digest: str
    part: int

    def is_of(self, listed: SignedList) -> bool:
        """Whether the message was made of this very list."""
        return (self.number, self.digest) == (listed.number, listed.file_sha256[:_DIGITS])


def message_name(message_id: str) -> MessageName | None:
    """The id of a message taken apart, None where it is none of ours."""
    matched = _MESSAGE.fullmatch(message_id)
    if matched is None:
        return None
    return MessageName(matched[1].replace("-", "/"), matched[2], int(matched[3] or 1))


def parts_of(
    listed: SignedList,
    settings: FileSettings,
    banks: Mapping[str, Bank],
    table: RailTable,
    is_working_day: Callable[[date], bool],
) -> tuple[ListPart, ...]:
    """The files of a list, in the order of their first payment.

    One debit of the bank has one account and one day, so a file whose unit is not the payment has
    one day; a template's file of unit `sp2d` has one SP2D. Raises NoRailError.
    """
    offered = replace(table, order=tuple(r for r in table.order if r in settings.rails))
    sp2d_of = {each.reference: each.sp2d for each in listed.orders}
    groups: dict[tuple[str, ...], list[PaymentOrder]] = {}
    for each in listed.orders:
        order = _routed(listed, each, banks, offered, is_working_day, _room(settings, each))
        groups.setdefault(_group(order, settings, sp2d_of), []).append(order)
    dashed = listed.number.replace("/", "-")
    parts = []
    for part, orders in enumerate(groups.values(), 1):
        suffix = f"-{part}" if len(groups) > 1 else ""
        # A payment that is ordered anew under the same SP2D is another debit: the list's serial tells.
        debited = {
            order.reference: f"{sp2d_of[order.reference]}-{listed.serial:06d}{suffix}"
            for order in orders
        }
        payment_id = f"{dashed}{suffix}"
        debits = debit_units(orders, settings.unit, list_reference=payment_id, sp2d_of=debited)
        parts.append(
            ListPart(
                part,
                f"{dashed}-{listed.file_sha256[:_DIGITS]}{suffix}",
                payment_id,
                tuple(orders),
                debited,
                debits,
            )
        )
    return tuple(parts)


def chosen_part(listed: SignedList, parts: Sequence[ListPart], part: int) -> ListPart:
    """The part of that number, the only one for 0. Raises SeveralFilesError."""
    if part == 0 and len(parts) == 1:
        return parts[0]
    if not 1 <= part <= len(parts):
        raise SeveralFilesError(listed.number, part, len(parts))
    return parts[part - 1]


def write_parts(
    listed: SignedList,
    parts: Sequence[ListPart],
    settings: FileSettings,
    banks: Mapping[str, Bank],
) -> tuple[ListFile, ...]:
    """The bytes of every file. Raises UnwritablePaymentError and what the format refuses."""
    files = tuple(_written(listed, part, settings, banks) for part in parts)
    names = [each.name for each in files]
    for name in names:
        if names.count(name) > 1:
            raise UnwritablePaymentError(
                "file_name",
                name,
                "is that of several files of the list; {message_id} tells them apart",
            )
    return files


def _written(
    listed: SignedList, part: ListPart, settings: FileSettings, banks: Mapping[str, Bank]
) -> ListFile:
    signed_at = listed.signed_at.astimezone(WIB)
    if settings.pain001 is not None:
        data, _ = write_pain001(
            part.orders,
            settings.pain001,
            banks,
            message_id=part.message_id,
            payment_id=part.payment_id,
            created_at=signed_at,
            sp2d_of=part.sp2d_of,
        )
        return ListFile(f"{part.message_id}.xml", data, part)
    if settings.template is None:
        raise UnwritablePaymentError("format", settings.format, "has no layout")
    facts = FileFacts(part.message_id, signed_at.date(), listed.serial, settings.template_settings)
    written = write_by_template(settings.template, part.orders, banks, facts)
    return ListFile(written.name, written.data, part)


def sent_of(part: ListPart, settings: FileSettings) -> SentMessage:
    """What the file said, for reading the bank's answer against; a template's file is one block."""
    if settings.pain001 is None:
        amounts = {order.reference: order.amount for order in part.orders}
        return SentMessage(part.message_id, (SentBlock(part.payment_id, amounts),))
    return sent_message(
        part.orders,
        settings.pain001,
        message_id=part.message_id,
        payment_id=part.payment_id,
        sp2d_of=part.sp2d_of,
    )


def _routed(
    listed: SignedList,
    order: ListOrder,
    banks: Mapping[str, Bank],
    table: RailTable,
    is_working_day: Callable[[date], bool],
    room: int,
) -> PaymentOrder:
    source_bank, _, source_account = listed.bank_account.partition(":")
    routed = Routed(order.amount, source_bank, order.beneficiary_bank, listed.transfer_on)
    try:
        chosen = choose_rail(routed, banks, listed.signed_at, is_working_day, table)
    except NoRailError as error:
        raise NoRailError(
            error.amount, error.reasons, reference=order.reference, bank=order.beneficiary_bank
        ) from None
    rail: Rail
    if isinstance(chosen, WaitUntil):
        rail, day = chosen.rail, chosen.opens_at.date()
    else:
        rail, day = chosen, listed.signed_at.astimezone(WIB).date()
    return PaymentOrder(
        order.reference,
        order.amount,
        source_account,
        order.beneficiary_bank,
        order.beneficiary_account,
        order.beneficiary_name,
        order.sp2d_number if len(order.sp2d_number) <= room else order.sp2d,
        rail,
        day,
    )


def _room(settings: FileSettings, order: ListOrder) -> int:
    """Characters that the format has for what the payee reads: the whole number, or the short one."""
    room = _REMARK_MAX
    for column in settings.template.detail if settings.template is not None else ():
        size = column.width or column.size_max or _REMARK_MAX
        if column.field == "remark":
            room = min(room, size)
        elif column.field == "reference_remark":
            room = min(room, size - len(order.reference) - 1)
    return room


def _group(
    order: PaymentOrder, settings: FileSettings, sp2d_of: Mapping[str, str]
) -> tuple[str, ...]:
    """What the orders of one file share."""
    template = settings.template
    has_day = settings.unit != "payment" or (
        template is not None
        and (
            any(each.field == "transfer_on" for each in (*template.header, *template.footer))
            or "{transfer_on" in template.file_name
        )
    )
    return (
        order.transfer_on.isoformat() if has_day else "",
        order.rail if settings.per_rail else "",
        sp2d_of[order.reference] if template is not None and settings.unit == "sp2d" else "",
    )
