"""Lists that leave by a bank's file: what would be handed over, and the bank's answers."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from api.deps import Asker, Books, Key, RuntimeDep, require_any
from api.payment_files import FILE_ERRORS, ReadAnswer, list_files, read_list_answer
from api.problems import responses
from api.routes.acts import BYTES, RawBody, kinds_below, raw_body_doc
from api.routes.documents import MOVING
from api.routes.feed import settled
from api.routes.journals import ASKING
from api.routes.strict import StrictRoute
from bank_adapters.errors import StatementFileError
from ledger.documents.errors import DocumentError

router = APIRouter(
    prefix="/v1/governments/{government}", tags=["documents"], route_class=StrictRoute
)

_NO_STORE: Final = {"Cache-Control": "no-store"}
FormatQuery = Annotated[
    str,
    Query(
        alias="format",
        max_length=80,
        description="A format of files.toml; the account's only one if left out",
        examples=["pain001.09"],
    ),
]


@router.get(
    "/advice-lists/{document}/files",
    responses=responses(*ASKING, *kinds_below(DocumentError), *FILE_ERRORS),
    summary="What the bank's files of a list would be",
)
def get_list_files(
    runtime: RuntimeDep, books: Books, caller: Asker, document: str, file_format: FormatQuery = ""
) -> dict[str, Any]:
    """Of a signed list that leaves by file: each file's digest, count, total, rails and debits."""
    require_any(books, caller)
    folder = runtime.settings.banks()
    found = list_files(books.conn, books.government, document, folder, name=file_format)
    return found.to_json()


@router.post(
    "/advice-lists:answer",
    status_code=201,
    responses=responses(*MOVING, *FILE_ERRORS, *kinds_below(StatementFileError)),
    openapi_extra=raw_body_doc("application/octet-stream", BYTES, "(the bank's pain.002)"),
    summary="Record what the bank answered to a list's file",
)
async def answer_list(
    runtime: RuntimeDep,
    key: Key,
    caller: Asker,
    data: RawBody,
    dry_run: bool = False,
    file_format: FormatQuery = "",
    on_day: Annotated[
        str, Query(max_length=10, description="The bank's day; the report's if left out")
    ] = "",
    effective_on: Annotated[
        str, Query(max_length=10, description="Day it is booked; the bank's day if left out")
    ] = "",
) -> Response:
    """
    Role `reconciler`. The body is the status report as it is; the list is found by its MsgId.

    A report that contradicts itself, the list or what is recorded is refused by name, and nothing of
    it is recorded. The same report again changes nothing.
    """
    government = caller.government

    def look() -> ReadAnswer:
        with runtime.reader(government) as books:
            require_any(books, caller, ("reconciler",))
            folder = runtime.settings.banks()
            return read_list_answer(books.conn, government, data, folder, name=file_format)

    read = await run_in_threadpool(look)
    if dry_run:
        # Nothing is kept, so no answer is kept for its key either.
        return JSONResponse(read.planned(on_day), 201, _NO_STORE)
    answers = []
    for command in read.commands(caller.person, on_day, effective_on, key):
        accepted = settled(await runtime.writers.of(government).post(command))
        answers.append(msgspec.json.decode(accepted.answer))
    return JSONResponse(read.joined(answers), 201, _NO_STORE)
