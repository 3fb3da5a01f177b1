"""
Who calls the simulated bank, and whether the call is what that caller signed. Pure.

In the order in which a bank refuses: headers there and well formed, a known client, a time within
the window, a token that lives, and last the signature over the bytes that came.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from bank_adapters.simulator.errors import RequestRefusedError
from bank_adapters.snap.signatures import (
    Encoding,
    asymmetric_text,
    symmetric_text,
    token_text,
    verify_hmac,
    verify_rsa,
)

__all__ = ["Call", "Customer", "check_token_request", "check_transaction"]

#: X-TIMESTAMP has 25 characters and no fraction of a second (bank notes 1.2).
_TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", re.ASCII)
_EXTERNAL_ID: Final = re.compile(r"[0-9]{1,36}")
_CHANNEL_ID: Final = re.compile(r"[0-9A-Za-z]{5}")


@dataclass(frozen=True, slots=True)
class Call:
    """One request. target: path with query, as sent. headers: names in small letters."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Customer:
    """What the bank knows of its one client. kind: which signature its transactions carry."""

    client_id: str
    client_secret: str
    partner_id: str
    channel_id: str
    public_key: RSAPublicKey
    encoding: Encoding = "base64"
    kind: Literal["symmetric", "asymmetric"] = "symmetric"
    window_seconds: int = 300


def check_token_request(call: Call, customer: Customer, now: datetime) -> None:
    """
    Whether *call* may have a token: X-CLIENT-KEY, and an RSA signature over client and time.

    Raises:
        RequestRefusedError
    """
    _check_content_type(call)
    stamp = _check_timestamp(call)
    client = _header(call, "X-CLIENT-KEY")
    signature = _header(call, "X-SIGNATURE")
    if client != customer.client_id:
        raise RequestRefusedError("unauthorized", "[Unknown Client]")
    _check_window(stamp, now, customer.window_seconds)
    text = token_text(client, stamp)
    if not verify_rsa(text, customer.public_key, signature, customer.encoding):
        raise RequestRefusedError("unauthorized", "[Signature]")


def check_transaction(
    call: Call, customer: Customer, tokens: Mapping[str, float], now: datetime
) -> str:
    """
    Whether *call* is the customer's; its X-EXTERNAL-ID. *tokens*: until when each lives (POSIX).

    Raises:
        RequestRefusedError
    """
    _check_content_type(call)
    stamp = _check_timestamp(call)
    signature = _header(call, "X-SIGNATURE")
    partner = _header(call, "X-PARTNER-ID")
    if len(partner) > 36:
        raise RequestRefusedError("invalid_format", "X-PARTNER-ID")
    external_id = _header(call, "X-EXTERNAL-ID")
    if _EXTERNAL_ID.fullmatch(external_id) is None:
        raise RequestRefusedError("invalid_format", "X-EXTERNAL-ID")
    channel = _header(call, "CHANNEL-ID")
    if _CHANNEL_ID.fullmatch(channel) is None:
        raise RequestRefusedError("invalid_format", "CHANNEL-ID")
    if partner != customer.partner_id or channel != customer.channel_id:
        raise RequestRefusedError("unauthorized", "[Unknown Client]")
    _check_window(stamp, now, customer.window_seconds)
    if customer.kind == "asymmetric":
        text = asymmetric_text(call.method, call.target, call.body, stamp)
        good = verify_rsa(text, customer.public_key, signature, customer.encoding)
    else:
        token = _live_token(call, tokens, now)
        text = symmetric_text(call.method, call.target, token, call.body, stamp)
        good = verify_hmac(text, customer.client_secret, signature, customer.encoding)
    if not good:
        raise RequestRefusedError("unauthorized", "[Signature]")
    return external_id


def _header(call: Call, name: str) -> str:
    value = call.headers.get(name.lower(), "")
    if not value:
        raise RequestRefusedError("missing_field", name)
    return value


def _check_content_type(call: Call) -> None:
    given = _header(call, "Content-Type").lower().replace(" ", "")
    if given not in ("application/json", "application/json;charset=utf-8"):
        raise RequestRefusedError("invalid_format", "Content-Type")


def _check_timestamp(call: Call) -> str:
    stamp = _header(call, "X-TIMESTAMP")
    if _TIMESTAMP.fullmatch(stamp) is None:
        raise RequestRefusedError("invalid_format", "X-TIMESTAMP")
    return stamp


def _check_window(stamp: str, now: datetime, window_seconds: int) -> None:
    try:
        apart = abs((now - datetime.fromisoformat(stamp)).total_seconds())
    except ValueError:
        raise RequestRefusedError("invalid_format", "X-TIMESTAMP") from None
    if apart > window_seconds:
        raise RequestRefusedError("unauthorized", "[X-TIMESTAMP]")


def _live_token(call: Call, tokens: Mapping[str, float], now: datetime) -> str:
    kind, _, token = _header(call, "Authorization").partition(" ")
    if kind.lower() != "bearer" or tokens.get(token, 0.0) <= now.timestamp():
        raise RequestRefusedError("invalid_token")
    return token
