"""
Replies, read strictly: JSON without twins, amounts from text to the sen (bank notes 1.5).

Pure. `1250000` and `1250000.00` are amounts; grouping, exponents, a single decimal and JSON numbers
are refused. What questions bring back (a name, a balance, a token) is read here; what an answer to a
payment means is in `answers`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bank_adapters.errors import shown
from bank_adapters.snap.errors import BankRefusedError, UnreadableAnswerError
from ledger.errors import LedgerError
from ledger.json_text import read_json
from ledger.money import InvalidAmountError, Money, parse_sen

__all__ = [
    "AccountBalance",
    "MisfitError",
    "Reply",
    "Token",
    "code_of",
    "message_of",
    "read_amount",
    "read_balance",
    "read_name",
    "read_object",
    "read_token",
    "successful",
    "text_of",
]

Reply = Mapping[str, object]

_CODE: Final = re.compile(r"[0-9]{7}")
_TOKEN: Final = re.compile(r"[!-~]{1,4096}")
_SECONDS: Final = re.compile(r"[0-9]{1,6}")
_MESSAGE_CHARACTERS_MAX: Final = 200

#: accountInfos.status (service 11).
_STATUSES: Final = {
    "0001": "active",
    "0002": "closed",
    "0004": "new",
    "0006": "restricted",
    "0007": "frozen",
    "0009": "dormant",
}


class MisfitError(ValueError):
    """Why a reply isn't what the standard says; the reader that has its place names that too."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and the seconds that it lives. Prints without the token."""

    text: str = field(repr=False)
    seconds: int


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """
    What service 11 says of an account; None where the bank says nothing.

    `ledger` is the balance at the beginning of the day, `available` what may be spent now.
    """

    account: str
    name: str
    amount: Money | None
    available: Money | None
    hold: Money | None
    ledger: Money | None
    status: str

    @property
    def booked(self) -> Money | None:
        """What is booked: said so, or what may be spent and what is held together."""
        if self.amount is not None or self.available is None:
            return self.amount
        return Money(self.available.sen + (self.hold.sen if self.hold is not None else 0))


def read_object(body: bytes) -> Reply:
    """The reply as an object. Raises MisfitError with the reason: no JSON, twins, no object."""
    try:
        value = read_json(body)
    except LedgerError as error:
        raise MisfitError(str(error)) from None
    if not isinstance(value, dict):
        raise MisfitError("is no JSON object")
    return value


def text_of(reply: Reply, name: str) -> str:
    """A member's text; "" where it is absent or null. Raises MisfitError for anything else."""
    value = reply.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MisfitError(f"{name} is not text")
    return value


def code_of(reply: Reply) -> str:
    """`responseCode`, seven digits; "" where it is none."""
    value = reply.get("responseCode")
    return value if isinstance(value, str) and _CODE.fullmatch(value) else ""


def message_of(reply: Reply) -> str:
    """`responseMessage` for a person: one line, shortened; the body itself is the evidence."""
    value = reply.get("responseMessage")
    text = " ".join(value.split()) if isinstance(value, str) else ""
    text = "".join(each for each in text if each.isprintable())
    return text if len(text) <= _MESSAGE_CHARACTERS_MAX else f"{text[:_MESSAGE_CHARACTERS_MAX]}..."


def read_amount(value: object) -> Money | None:
    """`{"value": "10000.00", "currency": "IDR"}`; None where it is absent. Raises MisfitError."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise MisfitError("the amount is no object")
    if value.get("currency") != "IDR":
        raise MisfitError(f"the currency is {shown(str(value.get('currency')))}, not IDR")
    text = value.get("value")
    if not isinstance(text, str):
        raise MisfitError("the amount's value is not text")
    try:
        return Money(parse_sen(text))
    except InvalidAmountError as error:
        raise MisfitError(str(error)) from None


def successful(service: str, http_status: int, body: bytes) -> Reply:
    """
    The reply to a question, when the bank answered it (HTTP 200, 200xx00).

    Raises BankRefusedError where it said no, and UnreadableAnswerError.
    """
    try:
        reply = read_object(body)
    except MisfitError as error:
        if http_status != 200:
            raise BankRefusedError(service, http_status, "", f"({error})") from None
        raise UnreadableAnswerError(service, "", str(error)) from None
    code = code_of(reply)
    if http_status != 200 or not (code[:3] == "200" and code[5:] == "00"):
        raise BankRefusedError(service, http_status, code, message_of(reply))
    return reply


def read_token(body: bytes) -> Token:
    """Service 73, when HTTP said 200. Raises UnreadableAnswerError, without the token in it."""
    try:
        return _token(read_object(body))
    except MisfitError as error:
        raise UnreadableAnswerError("73", "", str(error)) from None


def read_name(service: str, http_status: int, body: bytes, account: str) -> str:
    """The account's holder, of service 15 or 16. Raises BankRefusedError, UnreadableAnswerError."""
    reply = successful(service, http_status, body)
    try:
        name = text_of(reply, "beneficiaryAccountName").strip()
        said = text_of(reply, "beneficiaryAccountNo")
    except MisfitError as error:
        raise UnreadableAnswerError(service, "", str(error)) from None
    if not name or not name.isprintable():
        raise UnreadableAnswerError(service, "beneficiaryAccountName", "is missing or no name")
    if said and said != account:
        reason = f"is {shown(said)}, asked was {shown(account)}"
        raise UnreadableAnswerError(service, "beneficiaryAccountNo", reason)
    return name


def read_balance(http_status: int, body: bytes, account: str) -> AccountBalance:
    """Service 11. Raises BankRefusedError, UnreadableAnswerError."""
    reply = successful("11", http_status, body)
    field = "accountNo"
    amounts: dict[str, Money | None] = {}
    try:
        said = text_of(reply, field)
        name = text_of(reply, "name")
        field = "accountInfos"
        info = _cash(reply.get(field))
        status = text_of(info, "status")
        for field in ("amount", "availableBalance", "holdAmount", "ledgerBalance"):
            amounts[field] = read_amount(info.get(field))
    except MisfitError as error:
        raise UnreadableAnswerError("11", field, str(error)) from None
    if said and said != account:
        reason = f"is {shown(said)}, asked was {shown(account)}"
        raise UnreadableAnswerError("11", "accountNo", reason)
    return AccountBalance(
        account=account,
        name=name,
        amount=amounts["amount"],
        available=amounts["availableBalance"],
        hold=amounts["holdAmount"],
        ledger=amounts["ledgerBalance"],
        status=_STATUSES.get(status, status),
    )


def _token(reply: Reply) -> Token:
    text, seconds = reply.get("accessToken"), reply.get("expiresIn")
    if not isinstance(text, str) or _TOKEN.fullmatch(text) is None:
        raise MisfitError("accessToken is missing or holds what no header can")
    if isinstance(seconds, int) and not isinstance(seconds, bool):
        seconds = str(seconds)
    if not isinstance(seconds, str) or _SECONDS.fullmatch(seconds) is None:
        raise MisfitError("expiresIn is no number of seconds")
    return Token(text, int(seconds))


def _cash(infos: object) -> Reply:
    """The balance that is money in the account; of several, the one that says so."""
    found = [each for each in infos if isinstance(each, dict)] if isinstance(infos, list) else []
    cash = [each for each in found if each.get("balanceType") == "Cash"]
    chosen = cash if len(found) > 1 else found
    if len(chosen) != 1:
        raise MisfitError(f"names {len(chosen)} balances where one is expected")
    return chosen[0]
