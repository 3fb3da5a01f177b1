"""
Bearer tokens: opaque, random, short-lived, and of one person in one government (D13).

The token itself never comes into the ledger: its maker hands over the SHA-256, which is all that is
stored and what a request is found by, so that neither the table nor a timing tells a token. The
leaf names the token by its id and binds the stored hash by another hash of it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select

from audit.log import instant_text
from ledger import tables as t
from ledger.acts import insert_row, must_match
from ledger.answers import Idempotency
from ledger.errors import (
    InvalidFieldError,
    LedgerError,
    OwnApprovalError,
    UnknownPersonError,
)
from ledger.session import Answer, Session, Wants
from ledger.settings import Settings

__all__ = [
    "LIFETIME_DEFAULT_MINUTES",
    "LIFETIME_MAX_MINUTES",
    "TOKEN_PREFIX",
    "IssueToken",
    "RevokeToken",
    "TokenEndedError",
    "TokenNotValidError",
    "UnknownTokenError",
    "find_person",
    "new_token",
    "token_digest",
    "token_sha256",
]

TOKEN_PREFIX: Final = "rkud_"  # noqa: S105  # how a token begins, not one
LIFETIME_DEFAULT_MINUTES: Final = 8 * 60
LIFETIME_MAX_MINUTES: Final = 24 * 60

# 32 bytes in base64url without padding.
_TOKEN = re.compile(r"rkud_[A-Za-z0-9_-]{43}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class TokenNotValidError(LedgerError):
    """Unknown, expired or revoked: which of these, only the log says."""

    def __init__(self) -> None:
        super().__init__("the token is not valid here")


class UnknownTokenError(LedgerError):
    """No token of this id."""

    def __init__(self, *, token: str) -> None:
        super().__init__(f"token {token} does not exist", token=token)


class TokenEndedError(LedgerError):
    """A token is revoked once."""

    def __init__(self, *, token: str, ended_at: str) -> None:
        super().__init__(f"token {token} was revoked at {ended_at}", token=token, ended_at=ended_at)


def new_token() -> str:
    """A token: `rkud_` and 32 random bytes. Shown once to its person, never stored."""
    return TOKEN_PREFIX + urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()


def token_sha256(token: str) -> str:
    """What is stored of a token. 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def token_digest(sha256: str) -> str:
    """What a leaf says of a stored hash: binds it without telling it."""
    return hashlib.sha256(b"rkud token v1\n" + sha256.encode()).hexdigest()


def find_person(conn: Connection, government: str, token: str, now: datetime) -> str:
    """
    The person whom a token names in this government, by one indexed read of its hash.

    Raises:
        TokenNotValidError: Malformed, unknown, of another government, expired or revoked.
    """
    if _TOKEN.fullmatch(token) is None:
        raise TokenNotValidError
    column, end = t.token.c, t.token_end.c
    person = conn.execute(
        select(column.person_id)
        .select_from(
            t.token.outerjoin(
                t.token_end, (end.government == column.government) & (end.token_id == column.id)
            )
        )
        .where(
            column.token_sha256 == token_sha256(token),
            column.government == government,
            column.expires_at > instant_text(now),
            end.token_id.is_(None),
        )
    ).scalar()
    if person is None:
        raise TokenNotValidError
    return str(person)


@dataclass(frozen=True, slots=True)
class IssueToken:
    """
    Issue a token to a person, by an administrator who is another.

    *token_sha256* comes from `token_sha256(new_token())`: the caller keeps the token and gives it to
    its person when the act stands. *operator* lets the operator's own command issue one to an
    administrator in that administrator's name, which is how the first token comes to be; the leaf
    says so.
    """

    by: str
    person: str
    token_sha256: str
    minutes: int = LIFETIME_DEFAULT_MINUTES
    operator: bool = False
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """
        Answers id, person and expiry. Leaf `token.issued`, row of `token`.

        Raises:
            NotGrantedError, OwnApprovalError, UnknownPersonError, InvalidFieldError
        """
        session.settings.require(self.by, "admin", session.today)
        if self.by == self.person and not self.operator:
            raise OwnApprovalError(person=self.by, first="issuer", second="holder of the token")
        if self.person not in session.settings.persons:
            raise UnknownPersonError(person=self.person[:80])
        if not 1 <= self.minutes <= LIFETIME_MAX_MINUTES:
            raise InvalidFieldError("minutes", f"are 1 to {LIFETIME_MAX_MINUTES}", self.minutes)
        must_match("token_sha256", self.token_sha256, _SHA256, "is 64 lower-case hex digits")
        if _is_known(session, self.token_sha256):
            raise InvalidFieldError("token_sha256", "belongs to another token", "")
        issued_at = session.batch.recorded_at
        # `recorded_at` may be clamped to a later act's; the lifetime counts from what is recorded.
        expires_at = instant_text(
            datetime.fromisoformat(issued_at) + timedelta(minutes=self.minutes)
        )
        token = f"t-{secrets.token_hex(8)}"
        leaf = session.batch.leaf(
            "token.issued",
            self.by,
            {
                "token": token,
                "person": self.person,
                "expires_at": expires_at,
                "digest": token_digest(self.token_sha256),
                "by_operator": self.operator,
            },
        )
        insert_row(
            session,
            "token",
            token_sha256=self.token_sha256,
            id=token,
            person_id=self.person,
            issued_by=self.by,
            issued_at=issued_at,
            expires_at=expires_at,
            leaf_index=leaf,
        )
        return {
            "token_id": token,
            "person": self.person,
            "expires_at": expires_at,
            "leaf_index": leaf,
        }


@dataclass(frozen=True, slots=True)
class RevokeToken:
    """Revoke a token: by an administrator, or by the person who holds it."""

    by: str
    token_id: str
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """
        Leaf `token.revoked`, row of `token_end`.

        Raises:
            UnknownTokenError, NotGrantedError, TokenEndedError
        """
        column, end = t.token.c, t.token_end.c
        row = session.conn.execute(
            select(column.person_id, end.ended_at)
            .select_from(
                t.token.outerjoin(
                    t.token_end,
                    (end.government == column.government) & (end.token_id == column.id),
                )
            )
            .where(column.government == session.government, column.id == self.token_id)
        ).first()
        if row is None or row.person_id != self.by:
            session.settings.require(self.by, "admin", session.today)
        if row is None:
            raise UnknownTokenError(token=self.token_id[:80])
        if row.ended_at is not None:
            raise TokenEndedError(token=self.token_id, ended_at=row.ended_at)
        leaf = session.batch.leaf("token.revoked", self.by, {"token": self.token_id})
        insert_row(
            session,
            "token_end",
            token_id=self.token_id,
            ended_at=session.batch.recorded_at,
            ended_by=self.by,
            leaf_index=leaf,
        )
        return {"token_id": self.token_id, "leaf_index": leaf}


def _is_known(session: Session, sha256: str) -> bool:
    return (
        session.conn.execute(
            select(t.token.c.id).where(
                t.token.c.token_sha256 == sha256, t.token.c.government == session.government
            )
        ).first()
        is not None
    )
