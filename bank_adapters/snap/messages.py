"""
Request bodies, each serialised once to the bytes that are signed and sent (bank notes 1.5).

Pure. An order gives the same bytes whenever it is asked for: what is sent a second time under one
reference differs in nothing, so a bank finds no inconsistent request. A value that is too long is
refused by name and never cut; only the remark has a rule of its own (`remark_of`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

import msgspec

from bank_adapters.payments.order import PaymentOrder
from bank_adapters.snap.connection import BankSettings
from bank_adapters.snap.errors import AccountNotServedError, UnsendableOrderError
from bank_adapters.snap.services import TRANSFER_OF_RAIL, Service
from bank_adapters.snap.signatures import timestamp
from ledger.money import Money

__all__ = [
    "TOKEN_BODY",
    "account_inquiry_body",
    "balance_body",
    "check_external_id",
    "remark_of",
    "statement_body",
    "status_body",
    "transfer_body",
]

#: Service 73.
TOKEN_BODY: Final = b'{"grantType":"client_credentials","additionalInfo":{}}'

_REFERENCE_MAX: Final = 30
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9]+")
_REFERENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9./-]*")
_BANK: Final = re.compile(r"[0-9]{3}")
#: X-EXTERNAL-ID is numeric; the status inquiry takes 32 of its 36 characters back.
_EXTERNAL_ID: Final = re.compile(r"[0-9]{1,32}")

_encode: Final = msgspec.json.Encoder().encode


def transfer_body(said: BankSettings, order: PaymentOrder) -> tuple[Service, bytes]:
    """
    The service that carries *order* (17, 18, 22, 23) and its body.

    Raises AccountNotServedError, and UnsendableOrderError with the field, its value and the rule.
    """
    _check_order(said, order)
    service = TRANSFER_OF_RAIL[order.rail]
    body: dict[str, object] = {
        "partnerReferenceNo": order.reference,
        "amount": _amount(order.amount),
    }
    if service != "17":
        body["beneficiaryAccountName"] = order.beneficiary_name
    body["beneficiaryAccountNo"] = order.beneficiary_account
    if service != "17":
        body["beneficiaryBankCode"] = _bank_code(said, order)
    if service in {"22", "23"}:
        body["beneficiaryCustomerResidence"] = said.beneficiary_residence
        body["beneficiaryCustomerType"] = said.beneficiary_type
    body["customerReference"] = order.reference
    if service != "18":  # the standard has no remark there
        body["remark"] = remark_of(order, said.remark_characters)
    if service in {"22", "23"}:
        body["senderCustomerResidence"] = said.sender_residence
        body["senderCustomerType"] = said.sender_type
    body["sourceAccountNo"] = order.source_account
    body["transactionDate"] = _transaction_date(order.transfer_on)
    if extra := _additional(said, order):
        body["additionalInfo"] = extra
    return service, _encode(body)


def remark_of(order: PaymentOrder, characters_max: int) -> str:
    """
    What the payee and the statement show: our reference, a space, and the order's remark, cut.

    The reference is what a statement line is matched by, so it stands first and is never cut; the
    words behind it are for people, and are cut where the bank has no room for them.
    """
    said = order.remark.strip()
    if not said.startswith(order.reference):
        said = f"{order.reference} {said}"
    return said[: max(characters_max, len(order.reference))].rstrip()


def status_body(
    said: BankSettings, order: PaymentOrder, *, sent_external_id: str = "", bank_reference: str = ""
) -> bytes:
    """
    Service 36: what became of *order*. *bank_reference* where the bank gave one.

    The external id goes along only where the bank asks for it: an order has one for each attempt,
    and a bank that looks for another attempt's would not find it.
    """
    body: dict[str, object] = {"originalPartnerReferenceNo": order.reference}
    if bank_reference:
        body["originalReferenceNo"] = bank_reference
    if said.inquiry_external_id and sent_external_id:
        body["originalExternalId"] = sent_external_id
    body["serviceCode"] = TRANSFER_OF_RAIL[order.rail]
    body["transactionDate"] = _transaction_date(order.transfer_on)
    body["amount"] = _amount(order.amount)
    return _encode(body)


def account_inquiry_body(
    said: BankSettings, bank_code: str, account: str, reference: str = ""
) -> tuple[Service, bytes]:
    """Service 15 for an account of the same bank, 16 for another's. Raises UnsendableOrderError."""
    _check(reference, "beneficiary_account", account, _ACCOUNT, 34)
    _check(reference, "beneficiary_bank", bank_code, _BANK, 3)
    ours = bank_code == said.bank_code
    body = {} if ours else {"beneficiaryBankCode": _code_of(said, bank_code, reference)}
    body["beneficiaryAccountNo"] = account
    if reference:
        _check(reference, "reference", reference, _REFERENCE, 64)
        body["partnerReferenceNo"] = reference
    return ("15" if ours else "16"), _encode(body)


def balance_body(said: BankSettings, account: str) -> bytes:
    """Service 11. Raises AccountNotServedError."""
    return _encode({"accountNo": _served(said, account)})


def statement_body(said: BankSettings, account: str, start: datetime, end: datetime) -> bytes:
    """Service 14: one page of what was booked from *start* to *end*, both with a zone."""
    body: Mapping[str, str] = {
        "accountNo": _served(said, account),
        "fromDateTime": timestamp(start),
        "toDateTime": timestamp(end),
    }
    return _encode(body)


def check_external_id(external_id: str) -> str:
    """X-EXTERNAL-ID as it is. Raises UnsendableOrderError where it is not 1-32 digits."""
    if _EXTERNAL_ID.fullmatch(external_id) is None:
        raise UnsendableOrderError("", "external_id", external_id, "is not 1-32 digits")
    return external_id


def _check_order(said: BankSettings, order: PaymentOrder) -> None:
    reference = order.reference
    _check(reference, "reference", reference, _REFERENCE, _REFERENCE_MAX)
    _served(said, order.source_account)
    _check(reference, "beneficiary_account", order.beneficiary_account, _ACCOUNT, 34)
    _check(reference, "beneficiary_bank", order.beneficiary_bank, _BANK, 3)
    _check_text(reference, "beneficiary_name", order.beneficiary_name, 100)
    _check_text(reference, "remark", order.remark, 50, may_be_empty=True)
    if order.rail not in said.rails:
        raise UnsendableOrderError(reference, "rail", order.rail, f"is not offered by {said.name}")
    if (order.rail == "intrabank") != (order.beneficiary_bank == said.bank_code):
        rule = f"does not go from bank {said.bank_code} by rail {order.rail}"
        raise UnsendableOrderError(reference, "beneficiary_bank", order.beneficiary_bank, rule)
    if order.amount.sen <= 0:
        raise UnsendableOrderError(reference, "amount", str(order.amount), "is not positive")
    if order.amount.sen >= 10 ** (said.amount_digits_max + 2):
        rule = f"has more than {said.amount_digits_max} digits before the point"
        raise UnsendableOrderError(reference, "amount", str(order.amount), rule)


def _check(reference: str, field: str, value: str, shape: re.Pattern[str], most: int) -> None:
    if len(value) > most or shape.fullmatch(value) is None:
        rule = f"is not 1-{most} characters of {shape.pattern}"
        raise UnsendableOrderError(reference, field, value, rule)


def _check_text(
    reference: str, field: str, value: str, most: int, *, may_be_empty: bool = False
) -> None:
    if len(value) > most:
        raise UnsendableOrderError(reference, field, value, f"has more than {most} characters")
    if not value.isprintable() or value != value.strip() or not (value or may_be_empty):
        raise UnsendableOrderError(reference, field, value, "is not plain text on one line")


def _served(said: BankSettings, account: str) -> str:
    if account not in said.accounts:
        raise AccountNotServedError(said.name, account, said.accounts)
    return account


def _bank_code(said: BankSettings, order: PaymentOrder) -> str:
    return _code_of(said, order.beneficiary_bank, order.reference)


def _code_of(said: BankSettings, bank_code: str, reference: str) -> str:
    """The beneficiary's bank as this bank wants it named."""
    if said.beneficiary_code == "code":
        return bank_code
    found = said.bics.get(bank_code)
    if found is None:
        rule = f"has no BIC in the entry of {said.name}"
        raise UnsendableOrderError(reference, "beneficiary_bank", bank_code, rule)
    return found


def _additional(said: BankSettings, order: PaymentOrder) -> dict[str, str]:
    """How one service tells its rails apart, where the bank does it so."""
    if order.rail not in {"bifast", "online"}:
        return {}
    extra: dict[str, str] = {}
    kind = said.transfer_types.get("bifast" if order.rail == "bifast" else "online")
    if kind is not None:
        extra["transferType"] = kind
    if order.rail == "bifast" and said.purpose_code:
        extra["purposeCode"] = said.purpose_code
    return extra


def _amount(amount: Money) -> dict[str, str]:
    return {"value": str(amount), "currency": "IDR"}


def _transaction_date(on: date) -> str:
    """The day's beginning in Jakarta (WIB), 25 characters: the same however often it is sent."""
    return f"{on.isoformat()}T00:00:00+07:00"
