"""
Post one journal that another system feeds: the route that has to be fast.

The body is read by msgspec into the very shape that an import reads, without a model between.
"""

from __future__ import annotations

import re
from typing import Final

from api.committer import Failed, Outcome
from api.errors import IdempotencyKeyRequiredError, InvalidIdempotencyKeyError
from api.runtime import Runtime
from ledger.answers import Idempotency
from ledger.commands import PostJournal, request_fields
from ledger.journals import parse_body
from ledger.posting import Accepted, Refused

__all__ = ["feed_journal", "idempotency_key", "settled"]

_KEY: Final = re.compile(rb"[A-Za-z0-9.:/_-]{1,128}")
_REPLAYED: Final = [(b"idempotent-replayed", b"true")]
_NOTHING: Final[list[tuple[bytes, bytes]]] = []


def idempotency_key(header: bytes | None) -> str:
    """Raises IdempotencyKeyRequiredError, InvalidIdempotencyKeyError."""
    if header is None:
        raise IdempotencyKeyRequiredError
    if _KEY.fullmatch(header) is None:
        raise InvalidIdempotencyKeyError
    return header.decode("ascii")


def settled(outcome: Outcome) -> Accepted:
    """The acceptance, or the refusal raised. Raises LedgerError, ApiError."""
    if isinstance(outcome, Accepted):
        return outcome
    if isinstance(outcome, Refused | Failed):
        raise outcome.error
    raise TypeError(type(outcome).__name__)


async def feed_journal(
    runtime: Runtime,
    government: str,
    authorization: bytes | None,
    key_header: bytes | None,
    data: bytes,
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, extra headers and body of the answer. Raises what is to be answered as a problem."""
    caller = await runtime.tokens.caller(authorization, government)
    key = idempotency_key(key_header)
    body = parse_body(data)
    command = PostJournal(
        caller.person, body, Idempotency(key, "journals", request_fields(body), 201)
    )
    accepted = settled(await runtime.writers.of(government).post(command))
    return accepted.status, _REPLAYED if accepted.replayed else _NOTHING, accepted.answer
