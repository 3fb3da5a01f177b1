"""
What an officer signs: one decision on one revision of one document of one log.

Every member is there against a replay: onto another log (origin), document (object), revision,
amount, lines or payees, in another role, or a second time (nonce). Members of version 1, all
required, as canonical JSON in a DSSE envelope:

    version      1
    origin       the log's origin
    act          dotted words: "sp2d.verify"
    object       the document's id
    revision     SHA-256 of the document's revision, 64 hex digits
    line_totals  {budget line: amount}
    payees       commitments, 64 hex digits each, in the document's order
    amount       "1250000.00"
    currency     "IDR"
    decision     a word: "approve"
    role         a word: "kuasa_bud"
    officer      the person's id, never a name
    key_id       the officer key, which must be the one that signs
    nonce        32 to 64 hex digits, used once
    claimed_at   the officer's clock, UTC: "2026-03-05T03:15:30.123456Z"; evidence of nothing
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from audit.canonical import Json, JsonInput, canonical, parse_canonical
from audit.errors import MalformedStatementError, NotCanonicalError

VERSION: Final = 1
CURRENCY: Final = "IDR"

_SHAPES: Final = {
    "act": re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*"),
    "revision": re.compile(r"[0-9a-f]{64}"),
    "amount": re.compile(r"(?!-0\.00)-?(0|[1-9][0-9]{0,16})\.[0-9]{2}"),
    "decision": re.compile(r"[a-z][a-z0-9_]*"),
    "role": re.compile(r"[a-z][a-z0-9_]*"),
    "key_id": re.compile(r"[a-z0-9]+:[0-9a-f]{16}"),
    "nonce": re.compile(r"[0-9a-f]{32,64}"),
    "claimed_at": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"),
}
_TEXT_MAX = 200  # characters of an id


@dataclass(frozen=True, slots=True)
class Statement:
    """
    One officer's statement. Raises MalformedStatementError when a member has another shape.

    Amounts are text with two decimals; what they must add up to, the ledger knows.
    """

    origin: str
    act: str
    object: str
    revision: str
    line_totals: Mapping[str, str]
    payees: tuple[str, ...]
    amount: str
    decision: str
    role: str
    officer: str
    key_id: str
    nonce: str
    claimed_at: str

    def __post_init__(self) -> None:
        for name in ("origin", "object", "officer"):
            _check_text(name, getattr(self, name))
        for name, shape in _SHAPES.items():
            value = getattr(self, name)
            if not isinstance(value, str) or not shape.fullmatch(value):
                raise MalformedStatementError(f"{name} has another shape")
        try:
            datetime.fromisoformat(self.claimed_at)
        except ValueError as error:
            raise MalformedStatementError("claimed_at is no instant") from error
        for line, amount in self.line_totals.items():
            _check_text("line_totals", line)
            if not isinstance(amount, str) or not _SHAPES["amount"].fullmatch(amount):
                raise MalformedStatementError("line_totals has an amount of another shape")
        for payee in self.payees:
            if not isinstance(payee, str) or not _SHAPES["revision"].fullmatch(payee):
                raise MalformedStatementError("payees has what is no commitment")
        if len(set(self.payees)) != len(self.payees):
            raise MalformedStatementError("payees names one commitment twice")

    def to_payload(self) -> bytes:
        """The canonical bytes that go into the envelope."""
        value: dict[str, JsonInput] = {f.name: getattr(self, f.name) for f in fields(self)}
        value |= {
            "version": VERSION,
            "currency": CURRENCY,
            "line_totals": dict(self.line_totals),
            "payees": list(self.payees),
        }
        return canonical(value)


_PLAIN = tuple(f.name for f in fields(Statement) if f.name not in ("line_totals", "payees"))
_MEMBERS = {"version", "currency", "line_totals", "payees", *_PLAIN}


def parse_statement(payload: bytes) -> Statement:
    """
    Read a payload strictly, version 1 only.

    Raises:
        MalformedStatementError: Not canonical, a member missing, unknown or of another shape.
    """
    try:
        value = parse_canonical(payload)
    except NotCanonicalError as error:
        raise MalformedStatementError(error.reason) from error
    if not isinstance(value, dict):
        raise MalformedStatementError("not an object")
    if value.get("version") != VERSION or value.get("version") is True:
        raise MalformedStatementError("another version")
    if value.keys() != _MEMBERS:
        raise MalformedStatementError("a member is missing or unknown")
    if value["currency"] != CURRENCY:
        raise MalformedStatementError("another currency")
    totals, payees = value["line_totals"], value["payees"]
    if not isinstance(totals, dict) or not isinstance(payees, list):
        raise MalformedStatementError("line_totals is no object, or payees no array")
    return Statement(
        line_totals={line: _text(amount) for line, amount in totals.items()},
        payees=tuple(map(_text, payees)),
        **{name: _text(value[name]) for name in _PLAIN},
    )


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise MalformedStatementError("a member is not text")
    return value


def _check_text(name: str, value: str) -> None:
    if not isinstance(value, str) or not 0 < len(value) <= _TEXT_MAX or not value.isprintable():
        raise MalformedStatementError(f"{name} is empty, too long, or has a control character")
