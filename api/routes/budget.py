"""The budget: load a file of ceilings and releases, read the lines with their counters."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.deps import Asker, Books, Key, RuntimeDep, submit
from api.problems import responses
from api.routes.acts import BYTES, RawBody, kinds_below, raw_body_doc
from api.routes.documents import with_money
from api.routes.journals import ASKING, WRITING
from ledger import budget, queries
from ledger import errors as le
from ledger.answers import Idempotency
from ledger.budget_shell import LoadBudget

router = APIRouter(prefix="/v1/governments/{government}", tags=["budget"])

_ERRORS: Final = (
    *WRITING,
    le.UnknownEntityError,
    le.UnknownAccountError,
    le.AccountNotPostableError,
    le.FiscalYearNotOpenError,
    *(kind for kind in kinds_below(le.LedgerError) if kind.__module__ == budget.__name__),
)


@router.post(
    "/budget-loads",
    status_code=201,
    responses=responses(*_ERRORS),
    openapi_extra=raw_body_doc("application/octet-stream", BYTES, "(a CSV or JSON Lines file)"),
    summary="Load a budget or release file",
)
async def load_budget(
    runtime: RuntimeDep,
    key: Key,
    caller: Asker,
    data: RawBody,
    fiscal_year: Annotated[int, Query(ge=1945, le=9998)],
    file_format: Annotated[str, Query(alias="format", pattern="^(csv|jsonl)$")] = "csv",
) -> Response:
    """Role `budget_officer`. Figures are whole ceilings and releases, not changes."""
    read = budget.parse_budget_csv if file_format == "csv" else budget.parse_budget_jsonl
    file = read(data)
    asked = Idempotency(
        key,
        "budget-loads",
        [("fiscal_year", b"%d" % fiscal_year), ("file", file.file_sha256.encode())],
        201,
    )
    command = LoadBudget(caller.person, fiscal_year, file.file_sha256, file.rows, asked)
    return await submit(runtime, caller.government, command)


@router.get(
    "/budget-lines", responses=responses(*ASKING), summary="Budget lines with their counters"
)
def get_budget_lines(
    books: Books,
    _caller: Asker,
    fiscal_year: Annotated[int, Query(ge=1945, le=9998)],
    skpd: Annotated[str, Query(max_length=64)] = "",
    after: Annotated[str, Query(max_length=128)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """By id, from the one after `after`."""
    found = queries.budget_lines(
        books.conn, books.government, fiscal_year=fiscal_year, skpd=skpd, after=after, limit=limit
    )
    return {
        "budget_lines": [
            {**with_money(asdict(row)), **with_money({"remaining_sen": row.remaining_sen})}
            for row in found
        ],
        "next": found[-1].id if len(found) == limit else None,
    }
