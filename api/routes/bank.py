"""Bank statements and their reconciliation: taken in, matched, proven, listed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final, TypedDict

from fastapi import APIRouter, Depends, Query
from pydantic import ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.deps import Asker, Books, Key, RuntimeDep, once, submit
from api.errors import InvalidRequestError
from api.problems import responses
from api.profiles import profile_named
from api.routes.acts import BYTES, RawBody, kinds_below, raw_body_doc
from api.routes.documents import texts_for, with_money
from api.routes.journals import ASKING, WRITING
from api.routes.people import PROPOSING, Proposed
from api.routes.strict import StrictRoute
from api.runtime import Reader
from api.schemas import Id, Int, OptionalPlace, Place
from api.schemas import Request as Body
from bank_adapters.errors import BankAdapterError
from ledger import errors as le
from ledger.answers import Idempotency
from ledger.proposals import Propose
from reconciliation import queries
from reconciliation.by_hand import MatchByHand, UndoMatch
from reconciliation.errors import NoStatementError, ReconciliationError
from reconciliation.exceptional_lines import back_dated_lines, provisional_lines
from reconciliation.exceptions import prove
from reconciliation.intake import read_import
from reconciliation.position import Proof
from reconciliation.reissues import STATEMENTS_MAX, SupersedeStatement
from reconciliation.runs import Reconcile

router = APIRouter(prefix="/v1/governments/{government}", tags=["bank"], route_class=StrictRoute)

_ERRORS: Final = tuple(
    dict.fromkeys(
        (
            *WRITING,
            le.UnknownBankAccountError,
            le.FutureEffectiveDateError,
            *kinds_below(ReconciliationError),
        )
    )
)
AccountQuery = Annotated[
    str,
    Query(max_length=40, description="`BANKCODE:NO`; the only one if left out", examples=["137:1"]),
]
Limit = Annotated[int, Query(ge=1, le=500)]


def bank_account_of(books: Reader, given: str) -> str:
    """The full id of an account, the only one if none is given. Raises InvalidRequestError."""
    known = books.settings.bank_accounts
    if given in known:
        return given
    fitting = [each for each in known if not given or each.endswith(f":{given}")]
    if len(fitting) != 1:
        raise InvalidRequestError(field="account", rule=f"is one of {', '.join(sorted(known))}")
    return fitting[0]


async def _account(runtime: RuntimeDep, caller: Asker, given: str) -> str:
    def look() -> str:
        with runtime.reader(caller.government) as books:
            return bank_account_of(books, given)

    return await run_in_threadpool(look)


@router.post(
    "/statements",
    status_code=201,
    responses=responses(*_ERRORS, *kinds_below(BankAdapterError)),
    openapi_extra=raw_body_doc("application/octet-stream", BYTES, "(the bank's file)"),
    summary="Take in a bank statement",
)
async def import_statement(
    runtime: RuntimeDep,
    key: Key,
    caller: Asker,
    data: RawBody,
    account: AccountQuery = "",
    name: Annotated[str, Query(max_length=200, description="The file's name")] = "",
    file_format: Annotated[str, Query(alias="format", max_length=40)] = "",
    profile: Annotated[
        str, Query(max_length=80, description="A layout that ships, or one of this server's own")
    ] = "",
    quarantine: bool = False,
    reissue: bool = False,
) -> Response:
    """
    Role `reconciler`. The body is the bank's file as it is.

    What does not add up or breaks the chain is refused, or with `quarantine` kept aside by name. An
    intraday report or an advice gives provisional lines. With `reissue` the statements are kept aside
    for two persons to decide whether they supersede others.
    """
    bank_account = await _account(runtime, caller, account)
    fields = [("file", data), ("name", name.encode()), ("quarantine", b"%d" % quarantine)]
    if reissue:
        fields.append(("reissue", b"1"))
    asked = Idempotency(key, f"statements/{bank_account}", fields, 201)
    # Parsed before it waits for the books, off the event loop.
    command = await run_in_threadpool(
        lambda: read_import(
            caller.person,
            bank_account,
            data,
            format=file_format or None,
            profile=profile_named(profile, runtime.settings.data_dir) if profile else None,
            name=name,
            quarantine=quarantine,
            reissue=reissue,
            idempotency=asked,
        )
    )
    return await submit(runtime, caller.government, command)


class SupersedeBody(Body):
    """Statements kept aside, in order of their days; the first takes the place named in the path."""

    statements: Annotated[list[Int], Field(max_length=STATEMENTS_MAX)]
    reason: str

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"statements": [12], "reason": "Ralat dari bank"}]}
    )


@router.post(
    "/statements/{statement}:supersede",
    status_code=201,
    response_model=Proposed,
    responses=responses(*PROPOSING, *kinds_below(ReconciliationError)),
    summary="Propose that a reissued statement supersedes one",
)
async def propose_supersede(
    runtime: RuntimeDep, key: Key, caller: Asker, statement: Id, body: SupersedeBody
) -> Response:
    """Role `reconciler`, both halves. Lines that recur keep their matches; gone ones lose theirs."""
    act = SupersedeStatement(tuple(body.statements), (statement,), body.reason)
    command = Propose(caller.person, act, once(key, f"statements/{statement}:supersede", body))
    return await submit(runtime, caller.government, command)


class RunBody(Body):
    """Which account, through which day (default: the last the bank has reported)."""

    account: str = ""
    through: str = ""
    dry_run: bool = False

    model_config = ConfigDict(json_schema_extra={"examples": [{"through": "2026-03-05"}]})


@router.post(
    "/reconciliations",
    status_code=201,
    responses=responses(*_ERRORS),
    summary="Reconcile an account",
)
async def reconcile(runtime: RuntimeDep, key: Key, caller: Asker, body: RunBody) -> Response:
    """Role `reconciler`. Decides what is exact, states the proof, lists nothing: see open items."""
    bank_account = await _account(runtime, caller, body.account)
    # A dry run keeps nothing, so no answer is kept for its key either.
    asked = None if body.dry_run else once(key, "reconciliations", body)
    command = Reconcile(caller.person, bank_account, body.through, body.dry_run, idempotency=asked)
    return await submit(runtime, caller.government, command)


class MatchBody(Body):
    """Bank lines and book entries (ids) that belong together, and why."""

    account: str = ""
    lines: Annotated[list[Int], Field(max_length=1_000)]
    entries: Annotated[list[Int], Field(max_length=1_000)]
    reason: str

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"lines": [7], "entries": [12], "reason": "Nomor keliru"}]}
    )


class UndoBody(Body):
    """Why the match is taken apart."""

    reason: str

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Pasangan keliru"}]})


@router.post(
    "/matches",
    status_code=201,
    response_model=Proposed,
    responses=responses(*PROPOSING, *kinds_below(ReconciliationError)),
    summary="Propose a match by hand",
)
async def propose_match(runtime: RuntimeDep, key: Key, caller: Asker, body: MatchBody) -> Response:
    """Role `reconciler`, both halves. It comes out even to the sen; a difference is booked."""
    bank_account = await _account(runtime, caller, body.account)
    act = MatchByHand(bank_account, tuple(body.lines), tuple(body.entries), body.reason)
    command = Propose(caller.person, act, once(key, "matches", body))
    return await submit(runtime, caller.government, command)


@router.post(
    "/matches/{match}:undo",
    status_code=201,
    response_model=Proposed,
    responses=responses(*PROPOSING, *kinds_below(ReconciliationError)),
    summary="Propose to take a match apart",
)
async def propose_undo(
    runtime: RuntimeDep, key: Key, caller: Asker, match: Id, body: UndoBody
) -> Response:
    """Role `reconciler`, both halves. Its items are open again."""
    act = UndoMatch(match, body.reason)
    command = Propose(caller.person, act, once(key, f"matches/{match}:undo", body))
    return await submit(runtime, caller.government, command)


# --- reading -----------------------------------------------------------------------------------


def proof_json(proof: Proof) -> dict[str, Any]:
    """A proof with its items, amounts as text."""
    return {
        "bank_account": proof.bank_account,
        "through": proof.through,
        "known_at": proof.known_at,
        "statement": proof.statement,
        "statement_no": proof.statement_no,
        "closing_on": proof.closing_on,
        "proven": proof.is_proven,
        **with_money(
            {
                "bank_sen": proof.bank_sen,
                "book_sen": proof.book_sen,
                "adjusted_bank_sen": proof.adjusted_bank_sen,
                "adjusted_book_sen": proof.adjusted_book_sen,
                "difference_sen": proof.difference_sen,
            }
        ),
        # Where the two begin apart, they end apart: the one difference that no item can explain.
        "opening": with_money(
            {**asdict(proof.opening), "difference_sen": proof.opening.difference_sen}
        ),
        "rows": [with_money(row._asdict()) for row in proof.rows()],
        "items": [with_money(asdict(item)) for item in proof.items],
    }


@router.get(
    "/open-items",
    responses=responses(*ASKING, NoStatementError),
    summary="What is open on an account, and the proof",
)
def get_open_items(
    books: Books,
    _caller: Asker,
    account: AccountQuery = "",
    through: Annotated[str, Query(max_length=10)] = "",
    known_at: OptionalPlace = None,
) -> dict[str, Any]:
    """As of the close of a day (default: today), as known after a batch (default: now)."""
    bank_account = bank_account_of(books, account)
    return proof_json(
        prove(books.conn, books.government, bank_account, through or books.today, known_at=known_at)
    )


class _Narrow(TypedDict):
    bank_account: str
    after: int
    limit: int


@dataclass(frozen=True)
class _Page:
    """Which part of a list: of one account or ("") of all, from the row after id `after`."""

    account: Annotated[str, Query(max_length=40)] = ""
    after: Place = 0
    limit: Limit = 100

    def narrow(self) -> _Narrow:
        """The same as the readers of lists take it."""
        return {"bank_account": self.account, "after": self.after, "limit": self.limit}

    def of(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """The answer: the rows, and where the next page begins."""
        return {
            "rows": [with_money(row) for row in rows],
            "next": rows[-1]["id"] if len(rows) == self.limit else None,
        }


Page = Annotated[_Page, Depends()]


@router.get("/statements", responses=responses(*ASKING), summary="List statements")
def get_statements(
    books: Books,
    _caller: Asker,
    asked: Page,
    status: Annotated[str, Query(max_length=40)] = "",
) -> dict[str, Any]:
    """In the order they were taken in, with what supersedes what."""
    rows = queries.list_statements(books.conn, books.government, status=status, **asked.narrow())
    return asked.of(rows)


@router.get("/deliveries", responses=responses(*ASKING), summary="List reports and advices")
def get_deliveries(books: Books, _caller: Asker, asked: Page) -> dict[str, Any]:
    """Intraday reports and advices in the order they were taken in."""
    return asked.of(queries.list_deliveries(books.conn, books.government, **asked.narrow()))


@router.get("/provisional-lines", responses=responses(*ASKING), summary="List provisional lines")
def get_provisional_lines(
    books: Books,
    caller: Asker,
    asked: Page,
    confirmed: bool | None = None,
) -> dict[str, Any]:
    """
    What reports and advices told of, by id: `awaiting` the end-of-day statement, `confirmed` by a
    line of it, or an exception (`amount_differs`, `day_differs`, `text_differs`, `not_booked`).
    """
    found = provisional_lines(
        books.conn,
        books.government,
        is_confirmed=confirmed,
        **asked.narrow(),
    )
    page = asked.of([each._asdict() for each in found])
    commitments = [each.narrative_c for each in found]
    return {**page, "texts": texts_for(books, caller, commitments)}


@router.get("/back-dated-lines", responses=responses(*ASKING), summary="List back-dated lines")
def get_back_dated_lines(books: Books, _caller: Asker, asked: Page) -> dict[str, Any]:
    """Lines booked on a day that an earlier statement had closed, by id."""
    found = back_dated_lines(books.conn, books.government, **asked.narrow())
    return asked.of([{"id": each.line, **each._asdict()} for each in found])


@router.get("/bank-lines", responses=responses(*ASKING), summary="List bank lines")
def get_lines(
    books: Books,
    caller: Asker,
    asked: Page,
    booked_from: Annotated[str, Query(max_length=10)] = "",
    booked_to: Annotated[str, Query(max_length=10)] = "",
    is_open: Annotated[bool | None, Query(alias="open")] = None,
) -> dict[str, Any]:
    """By id; narratives go to those who may see private values."""
    narrow = queries.LineFilter(booked_from=booked_from, booked_to=booked_to, is_open=is_open)
    rows = queries.list_lines(books.conn, books.government, narrow=narrow, **asked.narrow())
    page = asked.of(rows)
    commitments = [str(v) for row in rows for k, v in row.items() if k.endswith("_c") and v]
    return {**page, "texts": texts_for(books, caller, commitments)}


@router.get("/reconciliations", responses=responses(*ASKING), summary="List runs")
def get_runs(books: Books, _caller: Asker, asked: Page) -> dict[str, Any]:
    """In order."""
    return asked.of(queries.list_runs(books.conn, books.government, **asked.narrow()))


@router.get("/matches", responses=responses(*ASKING), summary="List matches")
def get_matches(
    books: Books,
    _caller: Asker,
    asked: Page,
    run: OptionalPlace = None,
) -> dict[str, Any]:
    """With their members."""
    rows = queries.list_matches(books.conn, books.government, run=run, **asked.narrow())
    for row in rows:
        row["members"] = [with_money(dict(member)) for member in row["members"]]
    return asked.of(rows)


@router.get(
    "/payments-seen", responses=responses(*ASKING), summary="Payments that the bank has made"
)
def get_payments_seen(books: Books, _caller: Asker, account: AccountQuery = "") -> dict[str, Any]:
    """Open bank lines that name a payment of ours, with its amount, not recorded as paid yet."""
    found = queries.payments_seen(books.conn, books.government, bank_account_of(books, account))
    return {"payments": [with_money(each._asdict()) for each in found]}


@router.get("/cash-position", responses=responses(*ASKING), summary="The day's cash of an account")
def get_cash_position(
    books: Books,
    _caller: Asker,
    account: AccountQuery = "",
    day: Annotated[str, Query(max_length=10)] = "",
) -> dict[str, Any]:
    """Yesterday's balance, in, out, and the bank's own figure."""
    found = queries.cash_position(
        books.conn, books.government, bank_account_of(books, account), day or books.today
    )
    values = found._asdict() if hasattr(found, "_asdict") else asdict(found)
    if values.get("bank_sen") is None:
        values.pop("bank_sen")
        values["bank"] = None
    return with_money(values)
