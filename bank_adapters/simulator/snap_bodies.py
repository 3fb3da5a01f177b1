"""
The services of the simulated bank and the fields of their bodies, as tables; bodies read by them.

From ASPI's parameter tables (bank notes 1.1, 1.5): name, longest text, whether it must be there.
Where the table prints `amount` of SKN as optional it is taken as mandatory: nothing is paid without.
Pure.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from bank_adapters.simulator.errors import RequestRefusedError
from ledger.money import parse_sen

__all__ = ["SERVICES", "TRANSFERS", "Field", "Order", "Service", "order_of", "read_body"]

Kind = Literal["text", "amount", "time", "list", "object"]

#: String(16,2), read as 16 digits before the point, so that a province's balance fits.
_AMOUNT: Final = re.compile(r"(?:0|[1-9][0-9]{0,15})\.[0-9]{2}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter of a body. characters_max: of a text."""

    name: str
    characters_max: int = 0
    mandatory: bool = False
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Service:
    """One service: its two digits, its path behind base path and version, its body's fields."""

    code: str
    path: str
    fields: tuple[Field, ...]


def _fields(*names: str) -> tuple[Field, ...]:
    """`name:30` an optional text, `name!30` a mandatory one; `@` before a kind: `amount!@amount`."""
    made = []
    for each in names:
        name, mark, rest = re.split(r"([:!])", each, maxsplit=1)
        kind = rest.removeprefix("@") if rest.startswith("@") else "text"
        characters_max = 0 if rest.startswith("@") else int(rest)
        made.append(Field(name, characters_max, mark == "!", kind))  # type: ignore[arg-type]
    return tuple(made)


_PAYMENT: Final = _fields(
    "partnerReferenceNo!64",
    "amount!@amount",
    "beneficiaryAccountNo!34",
    "sourceAccountNo!19",
    "transactionDate!@time",
    "beneficiaryEmail:50",
    "currency:3",
    "customerReference:30",
    "feeType:25",
    "originatorInfos:@list",
    "additionalInfo:@object",
)
_ELSEWHERE: Final = _fields(
    "beneficiaryAccountName!100",
    "beneficiaryBankCode!11",
    "beneficiaryAddress:100",
    "beneficiaryBankName:50",
)
_CLEARED: Final = _fields(
    "beneficiaryCustomerResidence!1",
    "beneficiaryCustomerType!1",
    "kodepos:10",
    "receiverPhone:20",
    "remark:50",
    "senderCustomerResidence:1",
    "senderCustomerType:1",
    "senderPhone:20",
)

_ALL: Final = (
    Service("73", "/access-token/b2b", _fields("grantType!18", "additionalInfo:@object")),
    Service(
        "11",
        "/balance-inquiry",
        _fields(
            "accountNo!16",
            "partnerReferenceNo:64",
            "bankCardToken:128",
            "balanceTypes:@list",
            "additionalInfo:@object",
        ),
    ),
    Service(
        "14",
        "/bank-statement",
        _fields(
            "accountNo!16",
            "partnerReferenceNo:64",
            "bankCardToken:128",
            "fromDateTime:@time",
            "toDateTime:@time",
            "additionalInfo:@object",
        ),
    ),
    Service(
        "15",
        "/account-inquiry-internal",
        _fields("beneficiaryAccountNo!34", "partnerReferenceNo:64", "additionalInfo:@object"),
    ),
    Service(
        "16",
        "/account-inquiry-external",
        _fields(
            "beneficiaryBankCode!11",
            "beneficiaryAccountNo!34",
            "partnerReferenceNo:64",
            "additionalInfo:@object",
        ),
    ),
    Service("17", "/transfer-intrabank", (*_PAYMENT, *_fields("remark:50"))),
    Service("18", "/transfer-interbank", (*_PAYMENT, *_ELSEWHERE)),
    Service("22", "/transfer-rtgs", (*_PAYMENT, *_ELSEWHERE, *_CLEARED)),
    Service("23", "/transfer-skn", (*_PAYMENT, *_ELSEWHERE, *_CLEARED)),
    Service(
        "36",
        "/transfer/status",
        _fields(
            "serviceCode!2",
            "originalPartnerReferenceNo:64",
            "originalReferenceNo:64",
            "originalExternalId:32",
            "transactionDate:@time",
            "amount:@amount",
            "additionalInfo:@object",
        ),
    ),
)

#: By path behind base path and version.
SERVICES: Final[dict[str, Service]] = {each.path: each for each in _ALL}
TRANSFERS: Final = frozenset({"17", "18", "22", "23"})


@dataclass(frozen=True, slots=True)
class Order:
    """
    One order to transfer, as read from a body. bank: three digits or a BIC, "" for the bank's own.

    rail: additionalInfo's transferType (`1` switcher, `2` BI-FAST), "" where none is named.
    parameters: what a repeat must have in common with the first order, as canonical JSON.
    """

    reference: str
    service: str
    external_id: str
    source: str
    bank: str
    account: str
    name: str
    sen: int
    remark: str
    customer_reference: str
    transaction_date: str
    rail: str
    parameters: str


def read_body(service: Service, raw: bytes) -> dict[str, Any]:
    """
    The body's members. Unknown ones are let through, as banks do.

    Raises:
        RequestRefusedError: bad_request (no JSON object), missing_field, invalid_format.
    """
    try:
        body = json.loads(raw.decode(), object_pairs_hook=_once)
        if b"\\u" in raw:
            json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError):  # errors of JSON and of UTF-8 are ValueErrors
        raise RequestRefusedError("bad_request", "the body is no JSON") from None
    if not isinstance(body, dict):
        raise RequestRefusedError("bad_request", "the body is no object")
    for field in service.fields:
        _check(field, body.get(field.name))
    return body


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a member stands twice")
    return made


def _check(field: Field, value: Any) -> None:
    if value is None or value == "":
        if field.mandatory:
            raise RequestRefusedError("missing_field", field.name)
        return
    match field.kind:
        case "text":
            good = isinstance(value, str) and len(value) <= field.characters_max
        case "time":
            good = isinstance(value, str) and _is_time(value)
        case "amount":
            good = _is_amount(value)
        case "list":
            good = isinstance(value, list)
        case "object":
            good = isinstance(value, dict)
    if not good:
        raise RequestRefusedError("invalid_format", field.name)


def _is_time(text: str) -> bool:
    if _TIME.fullmatch(text) is None:
        return False
    try:
        return 2000 <= datetime.fromisoformat(text).year < 2200
    except ValueError:
        return False


def _is_amount(value: Any) -> bool:
    if not isinstance(value, dict) or value.get("currency") != "IDR":
        return False
    text = value.get("value")
    return isinstance(text, str) and _AMOUNT.fullmatch(text) is not None


def order_of(service: Service, body: dict[str, Any], external_id: str) -> Order:
    """
    The order that a checked body of a transfer holds.

    Raises:
        RequestRefusedError: BI-FAST without its purpose (bank notes 1.5), or another transferType.
    """
    extra = body.get("additionalInfo") or {}
    rail = extra.get("transferType", "")
    if rail not in ("", "1", "2"):
        raise RequestRefusedError("invalid_format", "additionalInfo.transferType")
    if service.code == "18" and rail == "2" and not extra.get("purposeCode"):
        raise RequestRefusedError("missing_field", "additionalInfo.purposeCode")
    # A repeat is made at another time; everything else of it is the same, or it is another order.
    same = {name: value for name, value in body.items() if name != "transactionDate"}
    return Order(
        reference=body["partnerReferenceNo"],
        service=service.code,
        external_id=external_id,
        source=body["sourceAccountNo"],
        bank=body.get("beneficiaryBankCode") or "",
        account=body["beneficiaryAccountNo"],
        name=body.get("beneficiaryAccountName") or "",
        sen=parse_sen(body["amount"]["value"]),
        remark=body.get("remark") or "",
        customer_reference=body.get("customerReference") or "",
        transaction_date=body["transactionDate"],
        rail=rail,
        parameters=json.dumps({"service": service.code, **same}, sort_keys=True),
    )
