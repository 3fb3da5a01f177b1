"""Journals: feed one or a list, reverse one, read them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from pydantic import ConfigDict
from sqlalchemy import select
from starlette.responses import Response

from api import errors as e
from api.deps import (
    READ_ROLES,
    Asker,
    Books,
    Government,
    Key,
    RuntimeDep,
    cursor_of,
    cursor_text,
    has_any,
    once,
    submit,
)
from api.problems import problem, responses
from api.routes.feed import feed_journal, settled
from api.routes.strict import StrictRoute
from api.runtime import Reader
from api.schemas import (
    BatchOut,
    Day,
    Id,
    JournalList,
    JournalOut,
    JournalPosted,
    LineOut,
)
from api.schemas import Request as Body
from api.writer import GROUP_MAX, Failed
from audit.database import private_value
from audit.errors import DatabaseBehindSignerError
from ledger import errors as le
from ledger.answers import Idempotency
from ledger.commands import PostJournal, ReverseJournal, request_fields
from ledger.journals import JournalBody
from ledger.json_text import read_json_as
from ledger.money import sen_text
from ledger.posting import Accepted, Group
from ledger.queries import JournalFilter, JournalRow, get_journal, list_journals
from ledger.session import Answer, Command, Session, Wants
from ledger.settings import Settings

router = APIRouter(
    prefix="/v1/governments/{government}", tags=["journals"], route_class=StrictRoute
)

ASKING: Final = (
    e.TokenRequiredError,
    e.InvalidTokenError,
    e.TokenOfAnotherGovernmentError,
    e.UnknownGovernmentError,
    e.InvalidRequestError,
    e.InternalError,
    e.DatabaseUnavailableError,
)
WRITING: Final = (
    *ASKING,
    le.MalformedJsonError,
    le.DuplicateKeyError,
    e.BodyMissingError,
    e.BodyTooLargeError,
    e.IdempotencyKeyRequiredError,
    e.InvalidIdempotencyKeyError,
    le.IdempotencyKeyReusedError,
    le.UnknownPersonError,
    le.NotGrantedError,
    le.InvalidFieldError,
    e.QueueFullError,
    e.StoppingError,
    e.OutcomeUnknownError,
    DatabaseBehindSignerError,
    e.DatabaseRefusedError,
)
POSTING: Final = (
    *WRITING,
    le.UnbalancedJournalError,
    le.UnknownAccountError,
    le.AccountNotPostableError,
    le.UnknownEntityError,
    le.UnknownBankAccountError,
    le.BankAccountRequiredError,
    le.CounterpartRequiredError,
    le.ReciprocalMismatchError,
    le.UnknownBudgetLineError,
    le.TooLargeError,
    le.FutureEffectiveDateError,
    le.PeriodMismatchError,
    le.FiscalYearNotOpenError,
    le.PeriodSealedError,
    le.ReferenceReusedError,
    le.OverCashError,
    le.OverCeilingError,
    le.OverReleaseError,
    le.FeedKindNotAllowedError,
    le.ReservedKindError,
)

_EXAMPLE: Final = {
    "reference": "STS/2026/000123",
    "effective_on": "2026-03-05",
    "kind": "receipt",
    "description": "Pajak hotel, setoran harian",
    "document_no": "STS-000123",
    "lines": [
        {"account": "1.1.01.01.01.0001", "debit": "1250000.00"},
        {"account": "4.1.01.06.01.0001", "credit": "1250000.00"},
    ],
}
_SCHEMAS, _COMPONENTS = msgspec.json.schema_components(
    [JournalBody], ref_template="#/components/schemas/{name}"
)
#: Schemas of bodies that pydantic does not read; `api.app` puts them into the document.
COMPONENTS: Final[dict[str, Any]] = _COMPONENTS
BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": _SCHEMAS[0],
                "examples": {"receipt": {"summary": "A receipt", "value": _EXAMPLE}},
            }
        },
    }
}


class _List(msgspec.Struct, forbid_unknown_fields=True):
    """Journals as a list; *linked* ones are accepted together or not at all."""

    journals: list[JournalBody]
    linked: bool = False


LIST_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["journals"],
                    "properties": {
                        "linked": {"type": "boolean", "default": False},
                        "journals": {
                            "type": "array",
                            "items": _SCHEMAS[0],
                            "minItems": 1,
                            "maxItems": GROUP_MAX,
                        },
                    },
                },
                "examples": {
                    "receipts": {
                        "summary": "Two receipts, both or none",
                        "value": {
                            "linked": True,
                            "journals": [_EXAMPLE, {**_EXAMPLE, "reference": "STS/2026/000124"}],
                        },
                    }
                },
            }
        },
    }
}


@router.post(
    "/journals",
    status_code=201,
    response_model=JournalPosted,
    responses=responses(*POSTING),
    openapi_extra=BODY,
    summary="Post a journal that another system feeds",
)
async def post_journal(
    government: Government,
    request: Request,
    runtime: RuntimeDep,
    key: Key,
    _caller: Asker,
) -> Response:
    """
    Needs the role `feed`, and a kind that the government lets other systems feed.

    Repeat with the same key to be sure: the answer is the same, byte for byte. The same `reference`
    with the same content gives the first journal, marked `replayed`.
    """
    header = request.headers.get("authorization", "")
    status, headers, body = await feed_journal(
        runtime, government, header.encode("latin-1"), key.encode(), await request.body()
    )
    extra = {name.decode(): value.decode() for name, value in headers}
    return Response(body, status, extra, "application/json")


@dataclass(slots=True)
class _Member:
    """A journal of a linked list, that names its place when it is refused."""

    inner: PostJournal
    n: int

    @property
    def by(self) -> str:
        return self.inner.by

    @property
    def idempotency(self) -> Idempotency | None:
        return self.inner.idempotency

    def wants(self, settings: Settings) -> Wants:
        return self.inner.wants(settings)

    def apply(self, session: Session) -> Answer:
        try:
            return self.inner.apply(session)
        except le.LedgerError as refusal:
            refusal.values["member"] = self.n
            raise


@router.post(
    "/journals:batch",
    status_code=200,
    response_model=BatchOut,
    responses=responses(*POSTING),
    openapi_extra=LIST_BODY,
    summary="Post a list of journals",
)
async def post_journals(request: Request, runtime: RuntimeDep, key: Key, caller: Asker) -> Response:
    """
    Up to 10,000 journals. Each is answered for itself; with `linked` they are accepted together, or
    the first refusal is the answer, its `member` the 0-based place of the journal.
    """
    asked = _list_of(await request.body())
    count = len(asked.journals)
    commands = [
        PostJournal(
            caller.person,
            body,
            Idempotency(
                f"{key}#{n}",
                "journals:batch",
                [("members", b"%d %d" % (count, asked.linked)), *request_fields(body)],
                201,
            ),
        )
        for n, body in enumerate(asked.journals)
    ]
    writer = runtime.writers.of(caller.government)
    if asked.linked:
        members: list[Command] = [_Member(command, n) for n, command in enumerate(commands)]
        answers = msgspec.json.decode(
            settled(await writer.post(Group(members))).answer, type=list[msgspec.Raw]
        )
        results = [{"status": 201, "answer": answer} for answer in answers]
    else:
        outcomes = await asyncio.gather(*writer.submit(commands))
        results = [_result(outcome) for outcome in outcomes]
    return Response(msgspec.json.encode({"results": results}), 200, None, "application/json")


def _list_of(data: bytes) -> _List:
    asked = read_json_as(_List, data)
    if not 1 <= len(asked.journals) <= GROUP_MAX:
        raise e.InvalidRequestError(field="journals", rule=f"are 1 to {GROUP_MAX}")
    return asked


def _result(outcome: object) -> dict[str, object]:
    if isinstance(outcome, Accepted):
        return {"status": outcome.status, "answer": msgspec.Raw(outcome.answer)}
    refusal = outcome.error if isinstance(outcome, Failed) else getattr(outcome, "error", None)
    members = problem(refusal if isinstance(refusal, Exception) else e.InternalError())
    return {"status": members["status"], "problem": members}


class ReverseBody(Body):
    """Undo a journal by its mirror image."""

    reference: str
    effective_on: Day
    reason: str

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "reference": "STS/2026/000123/R",
                    "effective_on": "2026-03-06",
                    "reason": "Setoran tercatat dua kali",
                }
            ]
        }
    )


@router.post(
    "/journals/{journal_id}:reverse",
    status_code=201,
    response_model=JournalPosted,
    responses=responses(
        *POSTING,
        le.UnknownJournalError,
        le.JournalAlreadyReversedError,
        le.JournalBelongsToDocumentError,
    ),
    summary="Reverse a journal",
)
async def reverse_journal(
    journal_id: Id, body: ReverseBody, runtime: RuntimeDep, key: Key, caller: Asker
) -> Response:
    """Posts the mirror image, linked to the first. A document's journal is undone by its own move."""
    return await submit(
        runtime,
        caller.government,
        ReverseJournal(
            caller.person,
            journal_id,
            body.reference,
            body.effective_on,
            body.reason,
            once(key, f"journals/{journal_id}:reverse", body),
        ),
    )


@dataclass(frozen=True, slots=True)
class Narrow:
    """Filters of a list of journals, as query parameters."""

    kind: Annotated[str, Query(max_length=64)] = ""
    reference: Annotated[str, Query(max_length=128)] = ""
    document_no: Annotated[str, Query(max_length=128)] = ""
    batch_no: Annotated[str, Query(max_length=64)] = ""
    effective_from: Annotated[str, Query(max_length=10)] = ""
    effective_to: Annotated[str, Query(max_length=10)] = ""
    fiscal_year: Annotated[int, Query(ge=0, le=9999)] = 0
    period: Annotated[int, Query(ge=0, le=14)] = 0


@router.get("/journals", responses=responses(*ASKING), summary="List journals")
def get_journals(
    books: Books,
    caller: Asker,
    narrow: Annotated[Narrow, Depends()],
    cursor: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> JournalList:
    """In the order they were posted, without lines. Filters narrow the list; `next` goes on."""
    after = cursor_of(cursor, (int, int)) if cursor else None
    rows = list_journals(
        books.conn,
        books.government,
        narrow=JournalFilter(
            narrow.kind,
            narrow.reference,
            narrow.document_no,
            narrow.batch_no,
            narrow.effective_from,
            narrow.effective_to,
            narrow.fiscal_year,
            narrow.period,
        ),
        after=(after[0], after[1]) if after else None,
        limit=limit + 1,
    )
    shown = rows[:limit]
    texts = _texts(books, shown) if has_any(books, caller, READ_ROLES) else {}
    more = len(rows) > limit
    return JournalList(
        journals=[_journal(row, texts) for row in shown],
        next=cursor_text((shown[-1].batch_seq, shown[-1].id)) if more else None,
    )


@router.get(
    "/journals/{journal_id}",
    responses=responses(*ASKING, le.UnknownJournalError),
    summary="Read a journal",
)
def read_journal(books: Books, caller: Asker, journal_id: Id) -> JournalOut:
    """With its lines."""
    row = get_journal(books.conn, books.government, journal_id)
    texts = _texts(books, [row]) if has_any(books, caller, READ_ROLES) else {}
    lines = [
        LineOut(
            n=line.n,
            entity=line.entity,
            book=line.book,
            account=line.account,
            debit=sen_text(line.amount_sen) if line.amount_sen > 0 else None,
            credit=sen_text(-line.amount_sen) if line.amount_sen < 0 else None,
            bank_account=line.bank_account,
            counterpart=line.counterpart,
            fund_source=line.fund_source,
            budget_line=line.budget_line,
            payment_reference=line.payment_reference,
        )
        for line in row.lines
    ]
    return _journal(replace(row, lines=()), texts).model_copy(update={"lines": lines})


def _texts(books: Reader, rows: list[JournalRow]) -> dict[str, str]:
    wanted = {c for row in rows for c in (row.description_c, row.payee_name_c) if c}
    found = books.conn.execute(
        select(private_value.c.commitment, private_value.c.value).where(
            private_value.c.government == books.government,
            private_value.c.commitment.in_(sorted(wanted)),
        )
    )
    return {row.commitment: row.value for row in found}


def _journal(row: JournalRow, texts: dict[str, str]) -> JournalOut:
    return JournalOut(
        journal=row.id,
        reference=row.reference,
        kind=row.kind,
        source=row.source,
        fiscal_year=row.fiscal_year,
        period=row.period,
        effective_on=row.effective_on,
        recorded_at=row.recorded_at,
        document_id=row.document_id,
        document_no=row.document_no,
        batch_no=row.batch_no,
        reverses=row.reverses,
        reversed_by=row.reversed_by,
        maker=row.maker,
        poster=row.poster,
        batch=row.batch_seq,
        leaf_index=row.leaf_index,
        description=texts.get(row.description_c),
        payee_name=texts.get(row.payee_name_c),
    )
