"""What is refused on the way from orders to a bank, by name.

PaymentError
├── UnwritablePaymentError     a value that the format can't carry unchanged
├── RepeatedOrderError         one reference twice in what leaves together
├── MixedDebitUnitError        one debit of the bank over two accounts or two days
├── UngroupedOrderError        no SP2D is named for an order that is debited by SP2D
├── NoRailError                no rail takes the payment, now or within the days looked at
├── ForeignReportError         a status report read against a message that it doesn't answer
├── UnknownMessageError        a status report that answers no file of ours
├── ContradictoryReportError   a status report that contradicts itself or what was sent
├── UnknownFileFormatError     no file format of that name is set up for the bank account
├── SeveralFilesError          a list that leaves in several files, and none was chosen
├── InvalidTemplateError       a layout of payment files contradicts itself
├── UnknownTemplateError       no layout of that name
└── InvalidPaymentSettingsError    settings of a format, the rail table, or the bank list

A status report that can't be read is a `StatementFileError` like every unreadable file; the one
name added is StatusReportNotFoundError.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bank_adapters.errors import BankAdapterError, StatementFileError, shown

__all__ = [
    "ContradictoryReportError",
    "ForeignReportError",
    "InvalidPaymentSettingsError",
    "InvalidTemplateError",
    "MixedDebitUnitError",
    "NoRailError",
    "PaymentError",
    "RepeatedOrderError",
    "SeveralFilesError",
    "StatusReportNotFoundError",
    "UngroupedOrderError",
    "UnknownFileFormatError",
    "UnknownMessageError",
    "UnknownTemplateError",
    "UnwritablePaymentError",
]

#: How many findings a refusal names.
_TOLD_MAX: Final = 5


class PaymentError(BankAdapterError):
    """Base of what payments on their way out are refused for."""


class UnwritablePaymentError(PaymentError):
    """A value of an order or of its file that the format cannot carry without changing it."""

    def __init__(self, field: str, value: str, reason: str, *, reference: str = "") -> None:
        order = f"order {shown(reference)}: " if reference else ""
        super().__init__(f"{order}{field} {shown(value)} {reason}")
        self.field = field
        self.value = value
        self.reason = reason
        self.reference = reference


class RepeatedOrderError(PaymentError):
    """A reference names one transfer for ever; it stands twice in what leaves together."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"reference {shown(reference)} stands twice among the orders")
        self.reference = reference


class MixedDebitUnitError(PaymentError):
    """A bank debits one account on one day in one line; these orders can't be one debit."""

    def __init__(self, reference: str, field: str, values: Sequence[str]) -> None:
        super().__init__(
            f"{shown(reference)} can't be one debit: {field} is {', '.join(map(shown, values))}"
        )
        self.reference = reference
        self.field = field
        self.values = tuple(values)


class UngroupedOrderError(PaymentError):
    """The bank debits by SP2D, and no SP2D is named for this order."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"no SP2D is named for order {shown(reference)}")
        self.reference = reference


class NoRailError(PaymentError):
    """No rail takes this payment; a payment is never split to fit one."""

    def __init__(
        self,
        amount: str,
        reasons: Sequence[tuple[str, str]],
        *,
        reference: str = "",
        bank: str = "",
    ) -> None:
        told = "; ".join(f"{rail}: {why}" for rail, why in reasons) or "the table has no rails"
        order = f"order {shown(reference)} to bank {bank}: " if reference else ""
        super().__init__(f"{order}no rail takes {amount}: {told}")
        self.amount = amount
        self.reasons = tuple(reasons)
        self.reference = reference
        self.bank = bank


class ForeignReportError(PaymentError):
    """A status report answers another message than the one that it is read against."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(f"the report answers message {shown(found)}, not {shown(expected)}")
        self.found = found
        self.expected = expected


class UnknownMessageError(PaymentError):
    """A status report answers a message that is no file of an advice list of ours."""

    def __init__(self, message_id: str, reason: str) -> None:
        super().__init__(f"the report answers message {shown(message_id)}: {reason}")
        self.message_id = message_id
        self.reason = reason


class ContradictoryReportError(PaymentError):
    """A status report contradicts itself or what was sent; nothing of it is recorded."""

    def __init__(self, message_id: str, told: Sequence[str]) -> None:
        some = "; ".join(told[:_TOLD_MAX]) + ("; ..." if len(told) > _TOLD_MAX else "")
        super().__init__(f"the report on message {shown(message_id)} is not recorded: {some}")
        self.message_id = message_id
        self.told = tuple(told[:_TOLD_MAX])


class UnknownFileFormatError(PaymentError):
    """files.toml sets up no payment file of that name for the bank account, or several and none is named."""

    def __init__(self, name: str, bank_account: str, known: Sequence[str]) -> None:
        which = f"no file format {shown(name)}" if name else "not one file format"
        told = ", ".join(known) or "none"
        super().__init__(f"{which} for {bank_account} in files.toml; there are: {told}")
        self.name = name
        self.bank_account = bank_account
        self.known = tuple(known)


class SeveralFilesError(PaymentError):
    """A list leaves in several files, and one of them has to be named."""

    def __init__(self, number: str, part: int, parts: int) -> None:
        asked = f"part {part} is none of them" if part else "name one"
        super().__init__(f"list {number} leaves in {parts} files, parts 1 to {parts}: {asked}")
        self.number = number
        self.part = part
        self.parts = parts


class InvalidTemplateError(PaymentError):
    """A layout of payment files lacks something or contradicts itself: which field, which rule."""

    def __init__(self, name: str, field: str, rule: str) -> None:
        super().__init__(f"template {shown(name)}: {field}: {rule}")
        self.name = name
        self.field = field
        self.rule = rule


class UnknownTemplateError(PaymentError):
    """No layout of payment files has that name."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no template is named {shown(name)}; there are {', '.join(known)}")
        self.name = name
        self.known = known


class InvalidPaymentSettingsError(PaymentError):
    """The settings of a payment format, the rail table or the bank list break a rule of theirs."""

    def __init__(self, what: str, field: str, rule: str) -> None:
        super().__init__(f"{what}: {field}: {rule}")
        self.what = what
        self.field = field
        self.rule = rule


class StatusReportNotFoundError(StatementFileError):
    """The XML holds no pain.002 report of payments' statuses."""

    def __init__(self, found: str) -> None:
        super().__init__(f"the XML holds no pain.002 status report; its first element is {found}")
        self.found = found
