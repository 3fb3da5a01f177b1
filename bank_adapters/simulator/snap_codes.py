"""
What the simulated bank answers: SNAP's response codes by name, and a reply as a value.

A code is HTTP status, service and case in 7 digits (ASPI, "Response Code"; bank notes 1.6). Pure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

__all__ = ["CASES", "Cut", "Reply", "code_of", "refused", "reply"]

#: Where the connection is broken: before anything is taken in (with a reset), before the first
#: byte of the answer, within its headers, within its body.
Cut = Literal["reset", "silent", "headers", "body"]


class Case(NamedTuple):
    """HTTP status, the two digits of the case, the standard's message."""

    http: int
    digits: str
    message: str


CASES: Final[dict[str, Case]] = {
    "successful": Case(200, "00", "Successful"),
    "in_progress": Case(202, "00", "Request In Progress"),
    "bad_request": Case(400, "00", "Bad Request"),
    "invalid_format": Case(400, "01", "Invalid Field Format"),
    "missing_field": Case(400, "02", "Invalid Mandatory Field"),
    "unauthorized": Case(401, "00", "Unauthorized."),
    "invalid_token": Case(401, "01", "Invalid Token (B2B)"),
    "amount_limit": Case(403, "02", "Exceeds Transaction Amount Limit"),
    "do_not_honor": Case(403, "05", "Do Not Honor"),
    "cut_off": Case(403, "06", "Feature Not Allowed At This Time."),
    "dormant": Case(403, "09", "Dormant Account"),
    "insufficient_funds": Case(403, "14", "Insufficient Funds"),
    "not_permitted": Case(403, "15", "Transaction Not Permitted."),
    "inactive": Case(403, "18", "Inactive Card/Account/Customer"),
    "transaction_not_found": Case(404, "01", "Transaction Not Found"),
    "bank_not_supported": Case(404, "03", "Bank Not Supported By Switch"),
    "invalid_account": Case(404, "11", "Invalid Card/Account/Customer"),
    "invalid_amount": Case(404, "13", "Invalid Amount"),
    "inconsistent": Case(404, "18", "Inconsistent Request"),
    "not_supported": Case(405, "00", "Requested Function Is Not Supported"),
    "conflict": Case(409, "00", "Conflict"),
    "duplicate": Case(409, "01", "Duplicate partnerReferenceNo"),
    "too_many": Case(429, "00", "Too Many Requests"),
    "internal": Case(500, "01", "Internal Server Error"),
    "timeout": Case(504, "00", "Timeout"),
}

_MESSAGE_MAX: Final = 150


@dataclass(frozen=True, slots=True)
class Reply:
    """
    One answer. raw: bytes to send instead of the JSON of *body*. cut: where to break off, if at all.

    hold_seconds: how long to say nothing first.
    """

    http: int
    body: dict[str, Any] = field(default_factory=dict)
    raw: bytes | None = None
    cut: Cut | None = None
    hold_seconds: float = 0.0

    @property
    def code(self) -> str:
        """The response code, "" where there is none."""
        return str(self.body.get("responseCode", ""))

    def encoded(self) -> bytes:
        """The bytes of the body."""
        if self.raw is not None:
            return self.raw
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


def code_of(service: str, name: str) -> str:
    """`("17", "duplicate")` is `4091701`."""
    case = CASES[name]
    return f"{case.http}{service}{case.digits}"


def reply(service: str, name: str, members: dict[str, Any] | None = None) -> Reply:
    """An answer with the members that the service adds."""
    case = CASES[name]
    head = {"responseCode": code_of(service, name), "responseMessage": case.message}
    return Reply(case.http, {**head, **(members or {})})


def refused(service: str, name: str, detail: str = "") -> Reply:
    """A refusal; *detail* names the field or the reason."""
    case = CASES[name]
    message = f"{case.message} {detail}".strip()[:_MESSAGE_MAX]
    return Reply(case.http, {"responseCode": code_of(service, name), "responseMessage": message})
