"""What the routes that write have in common: the errors they give, revisions, raw bodies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Request
from sqlalchemy import select

from api.errors import BodyMissingError
from ledger import tables as t
from ledger.answers import Idempotency
from ledger.errors import LedgerError
from ledger.session import Answer, Command, Session, Wants
from ledger.settings import Settings

__all__ = [
    "BYTES",
    "IfMatch",
    "RawBody",
    "RevisionChangedError",
    "etag",
    "kinds_below",
    "matched",
    "raw_body_doc",
]


class RevisionChangedError(LedgerError):
    """The document has moved on since it was read (If-Match)."""

    def __init__(self, *, document: str, etag: str) -> None:
        super().__init__(f"document {document} is at {etag} by now", document=document, etag=etag)


def kinds_below(*families: type[Exception]) -> tuple[type[Exception], ...]:
    """All classes of errors below these families, themselves left out where they have children."""
    found: list[type[Exception]] = []
    for family in families:
        children = family.__subclasses__()
        found.extend(kinds_below(*children) if children else [family])
    return tuple(found)


def etag(state_n: int, revision: str) -> str:
    """The version of a document: how often it moved, and what it says."""
    return f'"{state_n}-{revision[:16]}"'


IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match", description="ETag of the document as it was read; refused when it moved"
    ),
]


@dataclass(slots=True)
class _Matched:
    """A move of a document that was read at a version; another version is refused."""

    inner: Command
    document: str
    expected: str

    @property
    def by(self) -> str:
        return self.inner.by

    @property
    def idempotency(self) -> Idempotency | None:
        return self.inner.idempotency

    def wants(self, settings: Settings) -> Wants:
        return self.inner.wants(settings)

    def apply(self, session: Session) -> Answer:
        column = t.document.c
        row = session.conn.execute(
            select(column.state_n, column.revision).where(
                column.government == session.government, column.id == self.document
            )
        ).first()
        if row is not None and (now := etag(row.state_n, row.revision)) != self.expected:
            raise RevisionChangedError(document=self.document, etag=now)
        return self.inner.apply(session)


def matched(command: Command, document: str, if_match: str | None) -> Command:
    """The command, bound to the version that the caller has read."""
    if if_match is None or if_match.strip() == "*":
        return command
    return _Matched(command, document, if_match.strip())


async def _raw(request: Request) -> bytes:
    data = await request.body()
    if not data:
        raise BodyMissingError
    return data


#: The body's bytes as they are.
RawBody = Annotated[bytes, Depends(_raw)]


def raw_body_doc(media_type: str, schema: dict[str, Any], example: object) -> dict[str, Any]:
    """OpenAPI of a body that the framework does not read."""
    return {
        "requestBody": {
            "required": True,
            "content": {
                media_type: {"schema": schema, "examples": {"example": {"value": example}}}
            },
        }
    }


BYTES: Final[dict[str, Any]] = {"type": "string", "format": "binary"}
