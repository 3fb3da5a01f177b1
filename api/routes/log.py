"""The public log (C2SP tlog-tiles), and what an inspector asks of it."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from fastapi import Request as HttpRequest
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api import errors as e
from api.checkpoints import seal_book
from api.deps import Asker, Books, Government, Key, RuntimeDep, require_any
from api.engine import reading
from api.problems import responses
from api.routes.journals import ASKING
from api.schemas import Id
from audit import checkpoints, tiles_shell
from audit.errors import DatabaseBehindSignerError, InvalidProofError, SignerStateError
from audit.proving import Proven, prove_entry
from audit.tiles_shell import NotPublishedError

router = APIRouter(tags=["log"])

#: Who reads entries where the government does not publish them.
ENTRY_ROLES: Final = ("inspector",)
_PUBLIC: Final = (e.InvalidRequestError, e.UnknownGovernmentError, NotPublishedError)


async def _serve(runtime: RuntimeDep, request: HttpRequest, government: str, path: str) -> Response:
    def read() -> tiles_shell.Served:
        with reading(runtime.engine) as conn:
            return tiles_shell.serve(conn, government, path)

    if path.startswith("tile/entries/"):
        await _check_entries(runtime, request, government)
    served = await run_in_threadpool(read)
    cache = "no-cache"
    if served.immutable:
        cache = f"{'private' if served.is_entries else 'public'}, max-age=31536000, immutable"
    return Response(served.body, media_type=served.content_type, headers={"Cache-Control": cache})


async def _check_entries(runtime: RuntimeDep, request: HttpRequest, government: str) -> None:
    """Entries need an inspector's grant, or the decision to publish them (D22)."""

    def is_published() -> bool:
        with runtime.reader(government) as books:
            return books.settings.policy("publish_entries", books.today) == "yes"

    if await run_in_threadpool(is_published):
        return
    header = request.headers.get("authorization")
    caller = await runtime.tokens.caller(
        header.encode("latin-1") if header is not None else None, government
    )

    def check() -> None:
        with runtime.reader(government) as books:
            require_any(books, caller, ENTRY_ROLES)

    await run_in_threadpool(check)


@router.get(
    "/log/{government}/checkpoint", responses=responses(*_PUBLIC), summary="Last checkpoint"
)
async def get_checkpoint(
    government: Government, runtime: RuntimeDep, request: HttpRequest
) -> Response:
    """The signed note. Public."""
    return await _serve(runtime, request, government, "checkpoint")


@router.get(
    "/log/{government}/tile/{path:path}",
    responses=responses(
        *_PUBLIC, e.TokenRequiredError, e.InvalidTokenError, e.PrivateGrantRequiredError
    ),
    summary="A hash tile or an entry bundle",
)
async def get_tile(
    government: Government,
    path: Annotated[str, Path(max_length=100)],
    runtime: RuntimeDep,
    request: HttpRequest,
) -> Response:
    """Hash tiles are public; entry bundles need the role `inspector` unless entries are published."""
    return await _serve(runtime, request, government, f"tile/{path}")


@router.post(
    "/v1/governments/{government}/audit/checkpoint",
    status_code=201,
    responses=responses(
        *ASKING,
        DatabaseBehindSignerError,
        SignerStateError,
        e.LogKeyMissingError,
        e.IdempotencyKeyRequiredError,
        e.InvalidIdempotencyKeyError,
    ),
    summary="Seal the log now",
)
async def seal_now(runtime: RuntimeDep, caller: Asker, _key: Key) -> dict[str, Any]:
    """Any person with a token: it covers what is there, and decides nothing."""

    sealed = await run_in_threadpool(
        lambda: seal_book(
            runtime.engine, runtime.settings.keys(), caller.government, now=runtime.clock()
        )
    )
    return {
        "origin": sealed.origin,
        "size": sealed.size,
        "root": base64.b64encode(sealed.root).decode(),
        "note": sealed.note.decode(),
        "signed_at": sealed.signed_at,
        "fresh": sealed.fresh,
    }


_LEAF: Final = (*ASKING, NotPublishedError, InvalidProofError, e.PrivateGrantRequiredError)


@router.get(
    "/v1/governments/{government}/audit/leaves/{index}/proof",
    responses=responses(*_LEAF),
    summary="Proof of an entry (C2SP tlog-proof)",
)
def get_proof(books: Books, _caller: Asker, index: Id) -> Response:
    """Under the last published checkpoint."""
    proven = _proven(books.conn, books.government, index)
    return Response(proven.proof.to_bytes(), media_type="text/plain; charset=utf-8")


@router.get(
    "/v1/governments/{government}/audit/leaves/{index}",
    responses=responses(*_LEAF),
    summary="An entry's bytes",
)
def get_leaf(books: Books, caller: Asker, index: Id) -> Response:
    """Exactly what is hashed. Role `inspector`, unless entries are published."""
    if books.settings.policy("publish_entries", books.today) != "yes":
        require_any(books, caller, ENTRY_ROLES)
    proven = _proven(books.conn, books.government, index)
    return Response(proven.entry, media_type="application/json")


def _proven(conn: Connection, government: str, index: int) -> Proven:
    """An entry under the last published checkpoint. Raises NotPublishedError, InvalidProofError."""
    last = checkpoints.latest(conn, government)
    size = 0 if last is None else last.size
    if last is None or not 0 <= index < size:
        raise NotPublishedError(f"entry {index}")
    tiles = tiles_shell.tile_reader(conn, tiles_shell.read_tree(conn, government), size)
    return prove_entry(tiles, last.note, index)
