"""
Who asks: a bearer token names a person of one government, nothing more (D13).

What the person may do is decided by the grants that are read inside the posting transaction. A
token that was looked up is believed for a few seconds, by its hash, so that the posting route costs
no query; an act that may touch tokens in this process makes it forget them at once, one in another
process within those seconds.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Engine, select
from starlette.concurrency import run_in_threadpool

from api.clock import Clock
from api.engine import reading
from api.errors import InvalidTokenError, TokenOfAnotherGovernmentError, TokenRequiredError
from audit.log import instant_text
from ledger import tables as t

__all__ = ["Caller", "Tokens", "bearer_of"]

_CACHED_MAX: Final = 10_000
_TOKEN_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Caller:
    """The person who asks, in the government that the token belongs to."""

    person: str
    government: str
    token_id: str
    expires_at: str


def bearer_of(header: bytes | None) -> bytes:
    """The token of an Authorization header. Raises TokenRequiredError, InvalidTokenError."""
    if header is None or header[:7].lower() != b"bearer ":
        raise TokenRequiredError
    token = header[7:].strip()
    if not token or len(token) > _TOKEN_MAX:
        raise InvalidTokenError
    return token


class Tokens:
    """Tokens that were looked up a moment ago. Used on the event loop alone."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        *,
        seconds: float = 5.0,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._seconds = seconds
        self._ticks = ticks
        self._kept: dict[tuple[bytes, str], tuple[Caller, float]] = {}

    def forget(self) -> None:
        """Look every token up again: one may have been revoked."""
        self._kept.clear()

    def kept(self, token: bytes, government: str) -> Caller | None:
        """The caller, if the token was looked up in the last seconds."""
        found = self._kept.get((hashlib.sha256(token).digest(), government))
        return found[0] if found is not None and self._ticks() < found[1] else None

    async def caller(self, header: bytes | None, government: str) -> Caller:
        """
        Who sent this Authorization header, when the token opens *government*.

        Raises:
            TokenRequiredError, InvalidTokenError: None, unknown, expired or revoked.
            TokenOfAnotherGovernmentError: It opens another book.
        """
        token = bearer_of(header)
        digest = hashlib.sha256(token).digest()
        kept = self._kept.get((digest, government))
        if kept is not None and self._ticks() < kept[1]:
            return kept[0]
        caller, seconds = await run_in_threadpool(self._find, digest.hex(), government)
        if len(self._kept) >= _CACHED_MAX:
            self._kept.clear()
        self._kept[digest, government] = (
            caller,
            self._ticks() + min(self._seconds, max(seconds, 0.0)),
        )
        return caller

    def _find(self, token_sha256: str, government: str) -> tuple[Caller, float]:
        now = self._clock()
        token, end = t.token.c, t.token_end.c
        query = (
            select(token.government, token.id, token.person_id, token.expires_at)
            .outerjoin(
                t.token_end, (end.government == token.government) & (end.token_id == token.id)
            )
            .where(
                token.token_sha256 == token_sha256,
                token.expires_at > instant_text(now),
                end.token_id.is_(None),
            )
        )
        with reading(self._engine) as conn:
            rows = conn.execute(query).all()
        if not rows:
            raise InvalidTokenError
        for row in rows:
            if row.government == government:
                left = _seconds_between(instant_text(now), row.expires_at)
                return Caller(row.person_id, government, row.id, row.expires_at), left
        raise TokenOfAnotherGovernmentError(government=government)


def _seconds_between(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
