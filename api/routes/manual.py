"""Manual journals by two accountants, reversals by two, and the seal of a period."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from pydantic import ConfigDict
from starlette.responses import Response

from api.deps import Asker, Key, RuntimeDep, once, submit
from api.problems import responses
from api.routes.acts import RawBody, kinds_below
from api.routes.journals import BODY, POSTING, WRITING, ReverseBody
from api.routes.people import PROPOSING, Proposed
from api.routes.strict import StrictRoute
from api.schemas import Id, Int
from api.schemas import Request as Body
from ledger import errors as le
from ledger import periods
from ledger.answers import Idempotency
from ledger.commands import request_fields
from ledger.journals import parse_body
from ledger.proposals import DraftManualJournal, DraftReversal, PostManualJournal

router = APIRouter(
    prefix="/v1/governments/{government}", tags=["manual journals"], route_class=StrictRoute
)

_ERRORS: Final = tuple(
    dict.fromkeys(
        (
            *POSTING,
            *PROPOSING,
            le.ManualJournalOnReservedAccountError,
            le.UnknownJournalError,
            le.JournalAlreadyReversedError,
            le.JournalBelongsToDocumentError,
        )
    )
)
_PERIOD_ERRORS: Final = (
    *WRITING,
    le.FiscalYearNotOpenError,
    le.PeriodSealedError,
    *(kind for kind in kinds_below(le.LedgerError) if kind.__module__ == periods.__name__),
)


@router.post(
    "/manual-journals",
    status_code=201,
    response_model=Proposed,
    responses=responses(*_ERRORS),
    openapi_extra=BODY,
    summary="Draft a manual journal",
)
async def draft_journal(runtime: RuntimeDep, key: Key, caller: Asker, data: RawBody) -> Response:
    """Role `accountant`. Nothing is posted before another accountant does so."""
    body = parse_body(data)
    asked = Idempotency(key, "manual-journals", request_fields(body), 201)
    return await submit(runtime, caller.government, DraftManualJournal(caller.person, body, asked))


@router.post(
    "/manual-journals/{proposal}:post",
    status_code=201,
    responses=responses(*_ERRORS),
    summary="Post a drafted journal or reversal",
)
async def post_draft(runtime: RuntimeDep, key: Key, caller: Asker, proposal: str) -> Response:
    """Role `accountant`, another than the one who drafted it."""
    asked = once(key, f"manual-journals/{proposal}:post", None)
    return await submit(
        runtime, caller.government, PostManualJournal(caller.person, proposal, asked)
    )


@router.post(
    "/journals/{journal_id}:draft-reversal",
    status_code=201,
    response_model=Proposed,
    responses=responses(*_ERRORS),
    summary="Draft the reversal of a manual journal or a bank fact",
)
async def draft_reversal(
    runtime: RuntimeDep, key: Key, caller: Asker, journal_id: Id, body: ReverseBody
) -> Response:
    """Role `accountant`; posted by another (`manual-journals/{proposal}:post`)."""
    asked = once(key, f"journals/{journal_id}:draft-reversal", body)
    command = DraftReversal(
        caller.person, journal_id, body.reference, body.effective_on, body.reason, asked
    )
    return await submit(runtime, caller.government, command)


class PeriodBody(Body):
    """Which period: 1 to 12, 13 adjustments, 14 audited."""

    fiscal_year: Int
    period: Int

    model_config = ConfigDict(json_schema_extra={"examples": [{"fiscal_year": 2026, "period": 1}]})


@router.post(
    "/periods:seal",
    status_code=201,
    responses=responses(*_PERIOD_ERRORS),
    summary="Seal a period",
)
async def seal_period(runtime: RuntimeDep, key: Key, caller: Asker, body: PeriodBody) -> Response:
    """Role `accountant`. In order, each when it is over; later postings to it are refused."""
    command = periods.SealPeriod(
        caller.person, body.fiscal_year, body.period, once(key, "periods:seal", body)
    )
    return await submit(runtime, caller.government, command)
