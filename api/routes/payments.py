"""Payments and what the bank says of them; receipts and bank fees."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field, JsonValue
from starlette.responses import Response

from api.deps import Asker, Books, Key, RuntimeDep, once, submit
from api.problems import responses
from api.routes.documents import MOVING, texts_for, with_money
from api.routes.journals import ASKING, POSTING
from api.routes.strict import StrictRoute
from api.schemas import Day
from api.schemas import Request as Body
from ledger.documents import bank_outcomes, dispatch_queries, payment_store, queries, receipts
from ledger.documents.errors import UnknownPaymentError
from ledger.documents.settling import SettlePayment
from ledger.proposals import Propose

router = APIRouter(
    prefix="/v1/governments/{government}", tags=["payments and receipts"], route_class=StrictRoute
)


def _example(**values: JsonValue) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [values]})


class OutcomeBody(Body):
    """What the bank did with a payment, on which day, and the digest of what says so."""

    outcome: str
    on_day: Day
    evidence_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    reason: str = ""
    effective_on: str = ""

    model_config = _example(outcome="paid", on_day="2026-03-05", evidence_sha256="0" * 64)


class SettleBody(OutcomeBody):
    """What became of a payment that may be with the bank; the reason is always asked for."""

    reason: str

    model_config = _example(
        outcome="rejected",
        on_day="2026-03-05",
        evidence_sha256="0" * 64,
        reason="Surat bank 12/2026: tidak dijalankan",
    )


class ResendBody(Body):
    """Why; and the payee's data where they were wrong: all three or none."""

    reason: str
    name: str = ""
    bank_code: str = ""
    account: str = ""

    model_config = _example(reason="Nomor rekening diperbaiki")


class ReceiptLineBody(Body):
    """A part of a receipt in both books."""

    lo_account: str
    lra_account: str
    amount: str
    fund_source: str = ""


class ReceiptBody(Body):
    """Money that reached the RKUD: tax, transfer, interest or unidentified."""

    reference: str
    kind: str
    effective_on: Day
    lines: Annotated[list[ReceiptLineBody], Field(min_length=1, max_length=1_000)]
    skpd: str = ""
    bank_account: str = ""
    document_no: str = ""
    bank_reference: str = ""
    description: str = ""
    payer_name: str = ""

    model_config = _example(
        reference="JG/2026/03",
        kind="interest",
        effective_on="2026-03-31",
        lines=[
            {
                "lo_account": "7.1.04.03.01.0001",
                "lra_account": "4.1.04.03.01.0001",
                "amount": "125000.00",
            }
        ],
    )


class FeeBody(Body):
    """What the bank took by itself."""

    reference: str
    effective_on: Day
    amount: str
    bank_account: str = ""
    budget_line: str = ""
    expense_account: str = ""
    bank_reference: str = ""
    description: str = ""

    model_config = _example(reference="FEE/2026/03", effective_on="2026-03-31", amount="5000.00")


_ACT: Final[dict[str, Any]] = {"status_code": 201, "responses": responses(*MOVING)}


@router.post("/payments/{reference}:record", **_ACT, summary="Record what the bank did")
async def record(
    runtime: RuntimeDep, key: Key, caller: Asker, reference: str, body: OutcomeBody
) -> Response:
    """
    Role `reconciler`. A fact: booked whatever the room. What nobody knows, or left by the bank's
    interface, takes two (`:settle`).
    """
    command = bank_outcomes.RecordPayment(
        caller.person,
        reference,
        body.outcome,
        body.on_day,
        body.evidence_sha256,
        body.reason,
        body.effective_on,
        once(key, f"payments/{reference}:record", body),
    )
    return await submit(runtime, caller.government, command)


@router.post(
    "/payments/{reference}:settle", **_ACT, summary="Propose what became of an unclear payment"
)
async def settle(
    runtime: RuntimeDep, key: Key, caller: Asker, reference: str, body: SettleBody
) -> Response:
    """
    Role `reconciler`; another reconciler confirms (`proposals/{proposal}:confirm`). Where the bank
    contradicts what is settled, the same state again says that it stands.
    """
    act = SettlePayment(
        payment=reference,
        to=body.outcome,
        on_day=body.on_day,
        evidence_sha256=body.evidence_sha256,
        reason=body.reason,
        effective_on=body.effective_on,
    )
    command = Propose(caller.person, act, once(key, f"payments/{reference}:settle", body))
    return await submit(runtime, caller.government, command)


@router.post("/payments/{reference}:resend", **_ACT, summary="Another attempt")
async def resend(
    runtime: RuntimeDep, key: Key, caller: Asker, reference: str, body: ResendBody
) -> Response:
    """Role `sp2d_maker`, after a rejection or a retur; under a new reference."""
    command = bank_outcomes.ResendPayment(
        caller.person,
        reference,
        body.reason,
        body.name,
        body.bank_code,
        body.account,
        once(key, f"payments/{reference}:resend", body),
    )
    return await submit(runtime, caller.government, command)


@router.get("/payments", responses=responses(*ASKING), summary="List payments")
def get_payments(
    books: Books,
    caller: Asker,
    document: Annotated[str, Query(max_length=128)] = "",
    advice_list: Annotated[str, Query(max_length=128)] = "",
    state: Annotated[str, Query(max_length=40)] = "",
    after: Annotated[str, Query(max_length=128)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """In order of their references, from the one after `after`."""
    found = queries.list_payments(
        books.conn,
        books.government,
        document=document,
        advice_list=advice_list,
        state=state,
        after=after,
        limit=limit,
    )
    commitments = [c for each in found for c in (each.name_c, each.account_c)]
    return {
        "payments": [with_money(each._asdict()) for each in found],
        "texts": texts_for(books, caller, commitments),
        "next": found[-1].id if len(found) == limit else None,
    }


@router.get("/payments/outstanding", responses=responses(*ASKING), summary="Ordered and not paid")
def get_outstanding(
    books: Books,
    _caller: Asker,
    bank_account: Annotated[str, Query(max_length=40)] = "",
    after: Annotated[str, Query(max_length=128)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """Outstanding SP2Ds, by payment."""
    found = queries.outstanding_sp2d(
        books.conn, books.government, bank_account=bank_account, after=after, limit=limit
    )
    return {
        "payments": [with_money(each._asdict()) for each in found],
        "next": found[-1].payment if len(found) == limit else None,
    }


@router.get(
    "/payments/{reference}",
    responses=responses(*ASKING, UnknownPaymentError),
    summary="Read a payment",
)
def get_payment(books: Books, caller: Asker, reference: str) -> dict[str, Any]:
    """With its steps, the calls of the bank for it and what came of them."""
    found = payment_store.get(books.conn, books.government, reference)
    return {
        **with_money(found._asdict()),
        "texts": texts_for(books, caller, [found.name_c, found.account_c]),
        "moves": queries.payment_moves(books.conn, books.government, found.id),
        "calls": dispatch_queries.calls_of(books.conn, books.government, found.id),
        "answers": dispatch_queries.answers_of(books.conn, books.government, found.id),
    }


@router.post("/receipts", status_code=201, responses=responses(*POSTING), summary="Book a receipt")
async def book_receipt(runtime: RuntimeDep, key: Key, caller: Asker, body: ReceiptBody) -> Response:
    """Role `receipts_officer`, in both books."""
    values = body.model_dump(exclude={"lines"})
    lines = [receipts.ReceiptLine(**line.model_dump()) for line in body.lines]
    command = receipts.BookReceipt(
        by=caller.person, lines=lines, idempotency=once(key, "receipts", body), **values
    )
    return await submit(runtime, caller.government, command)


@router.post(
    "/bank-fees", status_code=201, responses=responses(*POSTING), summary="Book what the bank took"
)
async def book_fee(runtime: RuntimeDep, key: Key, caller: Asker, body: FeeBody) -> Response:
    """Role `receipts_officer`. Budgeted with a budget line, else a claim on the bank."""
    command = receipts.BookBankFee(
        by=caller.person, idempotency=once(key, "bank-fees", body), **body.model_dump()
    )
    return await submit(runtime, caller.government, command)
