"""What routes depend on: the runtime, the caller, the key, a snapshot to read from."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends, Header, Path, Request
from fastapi.security import HTTPBearer
from pydantic import BaseModel
from starlette.responses import Response

from api.errors import InvalidRequestError, PrivateGrantRequiredError
from api.routes.feed import idempotency_key, settled
from api.runtime import Reader, Runtime
from api.schemas import INT_MAX
from api.security import Caller
from api.writer import Outcome
from ledger.answers import Idempotency
from ledger.roles import READ_ROLES
from ledger.session import Command

__all__ = [
    "READ_ROLES",
    "Asker",
    "Books",
    "Government",
    "Key",
    "RuntimeDep",
    "answered",
    "cursor_of",
    "cursor_text",
    "fields_of",
    "require_any",
    "runtime_of",
    "submit",
]

_bearer: Final = HTTPBearer(auto_error=False, description="A token issued by `rkud token issue`")

Government = Annotated[
    str,
    Path(
        pattern=r"^[1-9][0-9](\.[0-9]{2})?$",
        description="Region code of the government, such as 36 or 36.72",
        examples=["36"],
    ),
]


def runtime_of(request: Request) -> Runtime:
    """The runtime of this process."""
    runtime = request.app.state.runtime
    if not isinstance(runtime, Runtime):
        raise TypeError(type(runtime).__name__)
    return runtime


RuntimeDep = Annotated[Runtime, Depends(runtime_of)]


async def _caller(
    request: Request,
    government: Government,
    runtime: RuntimeDep,
    _scheme: Annotated[object, Depends(_bearer)],
) -> Caller:
    header = request.headers.get("authorization")
    return await runtime.tokens.caller(
        header.encode("latin-1") if header is not None else None, government
    )


Asker = Annotated[Caller, Depends(_caller)]


def _key(
    idempotency_key_header: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="Chosen by the caller, new for each act; the same again gives the same answer",
            examples=["2026-03-05-000123"],
        ),
    ] = None,
) -> str:
    header = idempotency_key_header
    return idempotency_key(None if header is None else header.encode("latin-1", "replace"))


Key = Annotated[str, Depends(_key)]


async def _read_slot(runtime: RuntimeDep) -> AsyncIterator[None]:
    """
    A place among the readers, waited for on the event loop.

    Without it callers who wait for a connection would fill the threads that those who have one need.
    """
    async with runtime.read_slots:
        yield


def _books(
    caller: Asker,
    runtime: RuntimeDep,
    _slot: Annotated[None, Depends(_read_slot, scope="function")],
) -> Iterator[Reader]:
    with runtime.reader(caller.government) as reader:
        yield reader


#: A snapshot of the caller's government.
Books = Annotated[Reader, Depends(_books, scope="function")]


def require_any(books: Reader, caller: Caller, roles: tuple[str, ...] = READ_ROLES) -> None:
    """Raises PrivateGrantRequiredError unless the caller holds one of *roles* today."""
    if not has_any(books, caller, roles):
        raise PrivateGrantRequiredError(person=caller.person, roles=list(roles))


def has_any(books: Reader, caller: Caller, roles: tuple[str, ...] = READ_ROLES) -> bool:
    """Whether the caller holds one of *roles* today."""
    return any(books.settings.grant(caller.person, role, books.today) for role in roles)


def fields_of(body: BaseModel | None) -> list[tuple[str, bytes]]:
    """The members of a request with their bytes, for `Idempotency.fields`."""
    if body is None:
        return []
    encode = msgspec.json.encode
    return [(name, encode(value)) for name, value in body.model_dump(mode="json").items()]


def once(key: str, route: str, body: BaseModel | None, *, status: int = 201) -> Idempotency:
    """The key of a request. *route* names the act and its object, so that a key fits one only."""
    return Idempotency(key, route, fields_of(body), status)


async def submit(runtime: Runtime, government: str, command: Command) -> Response:
    """Put one act to the books and give its answer. Raises what it was refused for."""
    outcome = await runtime.writers.of(government).post(command)
    return answered(outcome)


def answered(outcome: Outcome) -> Response:
    """The stored bytes of an acceptance. Raises what it was refused for."""
    accepted = settled(outcome)
    headers = {"Idempotent-Replayed": "true"} if accepted.replayed else None
    return Response(accepted.answer, accepted.status, headers, "application/json")


def cursor_text(place: tuple[object, ...]) -> str:
    """A place in a list as text that callers hand back and don't read."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _fits(value: object, kind: type) -> bool:
    if type(value) is int:
        return kind is int and abs(value) <= INT_MAX
    return type(value) is kind and (not isinstance(value, str) or value.isprintable())


def cursor_of(text: str, kinds: tuple[type, ...]) -> tuple[Any, ...]:
    """The place in a cursor. Raises InvalidRequestError."""
    try:
        place = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (msgspec.DecodeError, binascii.Error, ValueError):
        place = None
    if (
        not isinstance(place, list)
        or len(place) != len(kinds)
        or not all(_fits(value, kind) for value, kind in zip(place, kinds, strict=True))
    ):
        raise InvalidRequestError(field="cursor", rule="is one that this server gave")
    return tuple(place)
