"""Advice lists, and what the bank does with the payments in them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from api.deps import Asker, Books, Key, RuntimeDep, once, require_any, submit
from api.errors import PrivateGrantRequiredError
from api.problems import responses
from api.routes.documents import MOVING, SIGNING, ReasonBody, SignedBody
from api.routes.journals import ASKING, WRITING
from api.schemas import Answer, Day
from api.schemas import Request as Body
from ledger import errors as le
from ledger.documents import advice_list, bank_outcomes, errors, queries
from ledger.money import sen_text

router = APIRouter(prefix="/v1/governments/{government}", tags=["payments"])


class AdviceBody(Body):
    """Which payments (all that wait, where there are none), to be paid on which day."""

    bank_account: str = ""
    payments: list[str] = Field([])
    transfer_on: str = ""


class SentBody(Body):
    """The digest of the file that was handed over."""

    file_sha256: str


class OutcomeBody(Body):
    """What the bank did, on which day, and the digest of what says so."""

    outcome: str
    on_day: Day
    evidence_sha256: str
    reason: str = ""
    effective_on: str = ""


class ResendBody(Body):
    """Why it is sent again, and the payee's corrected data: all three or none."""

    reason: str
    name: str = ""
    bank_code: str = ""
    account: str = ""


class PaymentOut(Answer):
    """One instruction to the bank."""

    payment: str
    document: str
    payee: int
    attempt: int
    advice_list: str
    bank_account: str
    amount: str
    state: str


class PaymentList(Answer):
    """A page of payments by reference."""

    payments: list[PaymentOut]
    next: str | None


class OutstandingOut(Answer):
    """A payment that was ordered and is not done."""

    document: str
    number: str
    issued_on: str
    skpd: str
    payment: str
    advice_list: str
    bank_account: str
    amount: str
    state: str


class OutstandingList(Answer):
    """A page of them by reference."""

    outstanding: list[OutstandingOut]
    next: str | None


@router.post(
    "/advice-lists",
    status_code=201,
    responses=responses(
        *MOVING,
        errors.NothingToPayError,
        errors.PaymentNotHeldError,
        errors.UnknownPaymentError,
        le.UnknownBankAccountError,
    ),
    summary="Draft an advice list (daftar penguji)",
)
async def draft_advice_list(
    body: AdviceBody, runtime: RuntimeDep, key: Key, caller: Asker
) -> Response:
    """Fixes which payments go, and the exact bytes that the bank will get."""
    command = advice_list.DraftAdviceList(
        caller.person,
        body.bank_account,
        tuple(body.payments),
        body.transfer_on,
        once(key, "advice-lists", body),
    )
    return await submit(runtime, caller.government, command)


@router.post(
    "/advice-lists/{document}:verify",
    status_code=201,
    responses=responses(*SIGNING, errors.PaymentNotHeldError),
    summary="Verify an advice list",
)
async def verify_advice_list(
    document: str, body: SignedBody, runtime: RuntimeDep, key: Key, caller: Asker
) -> Response:
    """The first signature."""
    command = advice_list.VerifyAdviceList(
        caller.person,
        document,
        body.envelope.to_bytes(),
        once(key, f"advice-lists/{document}:verify", body),
    )
    return await submit(runtime, caller.government, command)


@router.post(
    "/advice-lists/{document}:sign",
    status_code=201,
    responses=responses(*SIGNING, errors.PaymentNotHeldError, le.OverCashError),
    summary="Sign an advice list",
)
async def sign_advice_list(
    document: str, body: SignedBody, runtime: RuntimeDep, key: Key, caller: Asker
) -> Response:
    """The Kuasa BUD's signature queues every payment in it."""
    command = advice_list.SignAdviceList(
        caller.person,
        document,
        body.envelope.to_bytes(),
        once(key, f"advice-lists/{document}:sign", body),
    )
    return await submit(runtime, caller.government, command)


@router.post(
    "/advice-lists/{document}:send",
    status_code=201,
    responses=responses(*MOVING),
    summary="Record that an advice list went to the bank",
)
async def send_advice_list(
    document: str, body: SentBody, runtime: RuntimeDep, key: Key, caller: Asker
) -> Response:
    """With the digest of what was handed over."""
    command = advice_list.SendAdviceList(
        caller.person, document, body.file_sha256, once(key, f"advice-lists/{document}:send", body)
    )
    return await submit(runtime, caller.government, command)


@router.post(
    "/advice-lists/{document}:discard",
    status_code=201,
    responses=responses(*MOVING),
    summary="Discard an advice list",
)
async def discard_advice_list(
    document: str, body: ReasonBody, runtime: RuntimeDep, key: Key, caller: Asker
) -> Response:
    """Before it was signed."""
    command = advice_list.DiscardAdviceList(
        caller.person, document, body.reason, once(key, f"advice-lists/{document}:discard", body)
    )
    return await submit(runtime, caller.government, command)


@router.get(
    "/advice-lists/{document}/package",
    responses=responses(
        *ASKING,
        PrivateGrantRequiredError,
        errors.UnknownDocumentError,
        errors.DocumentMoveNotAllowedError,
        errors.TextErasedError,
    ),
    summary="What the bank gets",
)
def get_advice_package(books: Books, caller: Asker, document: str) -> Response:
    """The signed file with both signatures. It shows names and accounts in the clear."""
    require_any(books, caller, ("sp2d_maker", "deputy_treasurer"))
    made = advice_list.advice_list_file(books.conn, books.government, document)
    return Response(
        made.package, 200, {"X-File-SHA256": made.sha256}, media_type="application/json"
    )


# --- payments --------------------------------------------------------------------------------


@router.post(
    "/payments/{payment}:record",
    status_code=201,
    responses=responses(
        *WRITING,
        errors.UnknownPaymentError,
        errors.PaymentMoveNotAllowedError,
        le.FutureEffectiveDateError,
        le.PeriodSealedError,
    ),
    summary="Record what the bank did with a payment",
)
async def record_payment(
    payment: str, body: OutcomeBody, runtime: RuntimeDep, key: Key, caller: Asker
) -> Response:
    """A fact: booked whatever the room, on the evidence it names."""
    command = bank_outcomes.RecordPayment(
        caller.person,
        payment,
        body.outcome,
        body.on_day,
        body.evidence_sha256,
        body.reason,
        body.effective_on,
        once(key, f"payments/{payment}:record", body),
    )
    return await submit(runtime, caller.government, command)


@router.post(
    "/payments/{payment}:resend",
    status_code=201,
    responses=responses(
        *WRITING,
        errors.UnknownPaymentError,
        errors.PaymentMoveNotAllowedError,
        errors.DocumentMoveNotAllowedError,
    ),
    summary="Pay again after a rejection or a retur",
)
async def resend_payment(
    payment: str, body: ResendBody, runtime: RuntimeDep, key: Key, caller: Asker
) -> Response:
    """Under a new reference; it leaves through an advice list that two others sign."""
    command = bank_outcomes.ResendPayment(
        caller.person,
        payment,
        body.reason,
        body.name,
        body.bank_code,
        body.account,
        once(key, f"payments/{payment}:resend", body),
    )
    return await submit(runtime, caller.government, command)


@router.get("/payments", responses=responses(*ASKING), summary="List payments")
def get_payments(
    books: Books,
    _caller: Asker,
    document: Annotated[str, Query(max_length=80)] = "",
    in_advice_list: Annotated[str, Query(max_length=80)] = "",
    state: Annotated[str, Query(max_length=20)] = "",
    after: Annotated[str, Query(max_length=40)] = "",
    limit: Annotated[int, Query(ge=1, le=queries.PAGE_MAX)] = 100,
) -> PaymentList:
    """By reference; `after` is the last one of the page before."""
    found = queries.list_payments(
        books.conn,
        books.government,
        document=document,
        advice_list=in_advice_list,
        state=state,
        after=after,
        limit=limit,
    )
    return PaymentList(
        payments=[
            PaymentOut(
                payment=each.id,
                document=each.document_id,
                payee=each.payee_n,
                attempt=each.attempt,
                advice_list=each.advice_list_id,
                bank_account=each.bank_account,
                amount=sen_text(each.amount_sen),
                state=each.state,
            )
            for each in found
        ],
        next=found[-1].id if len(found) == limit else None,
    )


@router.get(
    "/payments/outstanding", responses=responses(*ASKING), summary="Ordered and not yet paid"
)
def get_outstanding(
    books: Books,
    _caller: Asker,
    bank_account: Annotated[str, Query(max_length=40)] = "",
    after: Annotated[str, Query(max_length=40)] = "",
    limit: Annotated[int, Query(ge=1, le=queries.PAGE_MAX)] = 100,
) -> OutstandingList:
    """The register of outstanding SP2Ds, payment by payment."""
    found = queries.outstanding_sp2d(
        books.conn, books.government, bank_account=bank_account, after=after, limit=limit
    )
    return OutstandingList(
        outstanding=[
            OutstandingOut(
                document=each.document,
                number=each.number,
                issued_on=each.issued_on,
                skpd=each.skpd,
                payment=each.payment,
                advice_list=each.advice_list,
                bank_account=each.bank_account,
                amount=sen_text(each.amount_sen),
                state=each.state,
            )
            for each in found
        ],
        next=found[-1].payment if len(found) == limit else None,
    )
