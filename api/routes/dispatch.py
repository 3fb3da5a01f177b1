"""Orders on their way to a bank: held, paused, recalled, ordered anew; and what banks call us with."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from pydantic import ConfigDict, Field, JsonValue
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.clock import local_day
from api.deps import Asker, Books, Government, Key, RuntimeDep, once, submit
from api.dispatch.banks import BanksFileMissingError
from api.dispatch.running import DispatcherUnknownError, dispatcher_of
from api.errors import NotFoundError
from api.problems import responses
from api.routes.acts import BYTES, RawBody, raw_body_doc
from api.routes.documents import MOVING
from api.routes.feed import settled
from api.routes.journals import ASKING, WRITING
from api.routes.strict import StrictRoute
from api.runtime import Runtime
from api.schemas import Request as Body
from bank_adapters.payments.order import PaymentOrder
from bank_adapters.snap.callbacks import Callback, read_callback, reply_to_callback
from bank_adapters.snap.errors import CallbackRefusedError, InvalidConnectionError
from ledger.answers import Idempotency
from ledger.documents import dispatch_queries, payment_store
from ledger.documents.dispatching import AnswerPayments, PaymentAnswer
from ledger.documents.errors import NoCallError, UnknownPaymentError
from ledger.documents.holding import HoldPayment, PauseDispatch
from ledger.documents.rerouting import REROUTED_MAX, RecallPayment, ReroutePayments
from ledger.money import Money

router = APIRouter(
    prefix="/v1/governments/{government}", tags=["dispatch"], route_class=StrictRoute
)

#: What follows a bank's name and version in the paths it calls -> SNAP's service.
_SERVICES: Final = {
    "transfer-interbank-bulk": "21",
    "transfer-skn": "75",
    "transfer-rtgs": "76",
}
_VERSION: Final = re.compile(r"v[0-9]+(?:\.[0-9]+)?")
_ACT: Final[dict[str, Any]] = {"status_code": 201, "responses": responses(*MOVING)}


def _example(**values: JsonValue) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [values]})


class ReasonBody(Body):
    """Why; it is kept with the act."""

    reason: str

    model_config = _example(reason="Rekening penerima diragukan")


class RerouteBody(Body):
    """Payments that have not left, and the RKUD account that they leave from instead."""

    payments: Annotated[list[str], Field(min_length=1, max_length=REROUTED_MAX)]
    bank_account: str
    reason: str

    model_config = _example(
        payments=["P26-00000001"], bank_account="110:0020099887766", reason="Bank tidak melayani"
    )


@router.post("/payments/{reference}:hold", **_ACT, summary="Keep a signed order back")
async def hold(
    runtime: RuntimeDep, key: Key, caller: Asker, reference: str, body: ReasonBody
) -> Response:
    """Roles `deputy_treasurer`, `sp2d_verifier`, `reconciler`, `dispatcher`."""
    path = f"payments/{reference}:hold"
    return await _switch(runtime, key, caller, HoldPayment, reference, body, path, on=True)


@router.post("/payments/{reference}:release", **_ACT, summary="Let a held order go")
async def release(
    runtime: RuntimeDep, key: Key, caller: Asker, reference: str, body: ReasonBody
) -> Response:
    """Role `deputy_treasurer`."""
    path = f"payments/{reference}:release"
    return await _switch(runtime, key, caller, HoldPayment, reference, body, path, on=False)


async def _switch(
    runtime: Runtime,
    key: str,
    caller: Any,
    kind: type[HoldPayment | PauseDispatch],
    of: str,
    body: ReasonBody,
    path: str,
    *,
    on: bool,
) -> Response:
    """Keep one order, or a bank account's orders, back (*on*) or let them go."""
    command = kind(caller.person, of, on, body.reason, once(key, path, body))
    return await submit(runtime, caller.government, command)


@router.post("/payments/{reference}:recall", **_ACT, summary="Call an order back before it leaves")
async def recall(
    runtime: RuntimeDep, key: Key, caller: Asker, reference: str, body: ReasonBody
) -> Response:
    """Role `deputy_treasurer`. What has left is called back by asking the bank."""
    command = RecallPayment(
        caller.person, reference, body.reason, once(key, f"payments/{reference}:recall", body)
    )
    return await submit(runtime, caller.government, command)


@router.post("/payments:reroute", **_ACT, summary="Order anew from another bank account")
async def reroute(runtime: RuntimeDep, key: Key, caller: Asker, body: RerouteBody) -> Response:
    """Role `sp2d_maker`, of payments that have not left; new ones are held in their place."""
    command = ReroutePayments(
        caller.person,
        body.payments,
        body.bank_account,
        body.reason,
        once(key, "payments:reroute", body),
    )
    return await submit(runtime, caller.government, command)


@router.get("/payments/attention", responses=responses(*ASKING), summary="What waits for people")
def get_attention(
    books: Books,
    _caller: Asker,
    after: Annotated[str, Query(max_length=128)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """Orders that the rules leave to a person, each with the reason."""
    found = dispatch_queries.list_attention(books.conn, books.government, after=after, limit=limit)
    return {
        "payments": [each._asdict() for each in found],
        "next": found[-1].payment if len(found) == limit else None,
    }


@router.get("/dispatch", responses=responses(*ASKING), summary="How sending stands")
def get_dispatch(books: Books, _caller: Asker) -> dict[str, Any]:
    """By bank account and state, what is open; and which accounts are paused."""
    return {
        "accounts": [
            each._asdict() for each in dispatch_queries.list_state(books.conn, books.government)
        ]
    }


@router.post("/dispatch/{bank_account}:pause", **_ACT, summary="Send nothing more for now")
async def pause(
    runtime: RuntimeDep, key: Key, caller: Asker, bank_account: str, body: ReasonBody
) -> Response:
    """Roles `deputy_treasurer`, `sp2d_verifier`, `reconciler`, `dispatcher`."""
    path = f"dispatch/{bank_account}:pause"
    return await _switch(runtime, key, caller, PauseDispatch, bank_account, body, path, on=True)


@router.post("/dispatch/{bank_account}:resume", **_ACT, summary="Go on sending")
async def resume(
    runtime: RuntimeDep, key: Key, caller: Asker, bank_account: str, body: ReasonBody
) -> Response:
    """Role `deputy_treasurer`."""
    path = f"dispatch/{bank_account}:resume"
    return await _switch(runtime, key, caller, PauseDispatch, bank_account, body, path, on=False)


# --- what banks call us with -------------------------------------------------------------------------


@router.post(
    "/banks/{bank}/{version}/{what}/notify",
    responses=responses(
        *WRITING,
        CallbackRefusedError,
        NoCallError,
        UnknownPaymentError,
        NotFoundError,
        BanksFileMissingError,
        InvalidConnectionError,
        DispatcherUnknownError,
    ),
    # JSON, and taken as the bytes that the bank signed: nothing reads it before its signature.
    openapi_extra=raw_body_doc("application/octet-stream", BYTES, "(the bank's JSON)"),
    summary="A bank's result of a transfer",
)
async def notify(
    request: Request,
    runtime: RuntimeDep,
    government: Government,
    data: RawBody,
    bank: Annotated[str, Path(max_length=40)],
    version: Annotated[str, Path(max_length=10)],
    what: Annotated[str, Path(max_length=40)],
) -> Response:
    """
    Called by a bank: SNAP services 21, 75 and 76. No token: the bank's signature over the raw body.

    A repeat under one X-EXTERNAL-ID is answered as the first was; another body under it is refused.
    """
    service = _SERVICES.get(what)
    if service is None or _VERSION.fullmatch(version) is None:
        raise NotFoundError
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    headers = {name.lower(): value for name, value in request.headers.items()}

    def read() -> tuple[str, tuple[Callback, ...]]:
        connection = runtime.connections.named(bank)
        if connection is None:
            raise NotFoundError
        with runtime.reader(government) as books:

            def order_of(reference: str) -> PaymentOrder | None:
                found = payment_store.find(books.conn, government, [reference]).get(reference)
                if found is None:
                    return None
                return _known_order(found, books.today)

            callbacks = read_callback(
                connection, service, path, headers, data, now=runtime.clock(), order_of=order_of
            )
            return dispatcher_of(books.settings, books.today), callbacks

    person, callbacks = await run_in_threadpool(read)
    unknown = [each.reference for each in callbacks if not each.reference]
    if unknown or not callbacks:
        raise CallbackRefusedError("it names no order of ours")
    answers = [
        PaymentAnswer(
            each.reference,
            "callback",
            each.answer.meaning,
            each.answer.http_status,
            each.answer.code,
            each.answer.bank_reference,
            each.answer.body,
        )
        for each in callbacks
    ]
    key = Idempotency(
        f"callback:{bank}:{callbacks[0].external_id}:{local_day(runtime.clock(), 'Asia/Jakarta')}",
        f"banks/{bank}/{what}",
        [("body", data)],
        200,
    )
    command = AnswerPayments(person, answers, idempotency=key)
    settled(await runtime.writers.of(government).post(command))
    return Response(reply_to_callback(service), 200, None, "application/json")


def _known_order(payment: payment_store.StoredPayment, today: str) -> PaymentOrder:
    """What a result is held against: reference and amount. Names play no part in it."""
    return PaymentOrder(
        payment.partner_reference,
        Money(payment.amount_sen),
        payment.bank_account.partition(":")[2],
        payment.bank_code,
        "",
        "",
        "",
        "bifast",
        date.fromisoformat(today),
    )
