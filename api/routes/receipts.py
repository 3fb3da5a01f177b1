"""Receipts (STS) and what the bank took by itself: facts, booked in both books."""

from __future__ import annotations

from typing import ClassVar, Final

from fastapi import APIRouter
from pydantic import ConfigDict
from starlette.responses import Response

from api.deps import Asker, Key, RuntimeDep, once, submit
from api.problems import responses
from api.routes.journals import WRITING
from api.schemas import Amount, Day, JournalPosted
from api.schemas import Request as Body
from ledger import errors as le
from ledger.documents import receipts

router = APIRouter(prefix="/v1/governments/{government}", tags=["receipts"])

_BOOKING: Final = (
    *WRITING,
    le.UnknownAccountError,
    le.AccountNotPostableError,
    le.UnknownBankAccountError,
    le.UnknownBudgetLineError,
    le.FutureEffectiveDateError,
    le.FiscalYearNotOpenError,
    le.PeriodSealedError,
    le.ReferenceReusedError,
)


class ReceiptLineBody(Body):
    """A part of a receipt: its account in the financial book (7.x) and in the budget book (4.x)."""

    amount: Amount
    lo_account: str = ""
    lra_account: str = ""
    fund_source: str = ""


class ReceiptBody(Body):
    """Money that reached the RKUD. kind: tax, transfer, interest or unidentified."""

    reference: str
    kind: str
    effective_on: Day
    lines: list[ReceiptLineBody]
    skpd: str = ""
    bank_account: str = ""
    document_no: str = ""
    bank_reference: str = ""
    description: str = ""
    evidence_sha256: str = ""
    payer_name: str = ""

    model_config: ClassVar[ConfigDict] = {
        "json_schema_extra": {
            "examples": [
                {
                    "reference": "STS/RKUD/00123",
                    "kind": "tax",
                    "effective_on": "2026-03-05",
                    "skpd": "5.02.0.00.0.00.30.0000",
                    "document_no": "STS/RKUD/00123",
                    "lines": [
                        {
                            "lo_account": "7.1.01.01.03.0001",
                            "lra_account": "4.1.01.01.03.0001",
                            "amount": "1250000.00",
                        }
                    ],
                }
            ]
        }
    }


class BankFeeBody(Body):
    """What the bank took. Without a budget line and an expense account it is a claim on the bank."""

    reference: str
    effective_on: Day
    amount: Amount
    bank_account: str = ""
    budget_line: str = ""
    expense_account: str = ""
    bank_reference: str = ""
    description: str = ""
    evidence_sha256: str = ""


@router.post(
    "/receipts",
    status_code=201,
    response_model=JournalPosted,
    responses=responses(*_BOOKING, le.UnknownEntityError),
    summary="Book a receipt",
)
async def book_receipt(body: ReceiptBody, runtime: RuntimeDep, key: Key, caller: Asker) -> Response:
    """By the receipts officer. `bank_reference` is how the statement names the credit."""
    values = body.model_dump()
    values["lines"] = [receipts.ReceiptLine(**line.model_dump()) for line in body.lines]
    command = receipts.BookReceipt(caller.person, **values, idempotency=once(key, "receipts", body))
    return await submit(runtime, caller.government, command)


@router.post(
    "/bank-fees",
    status_code=201,
    response_model=JournalPosted,
    responses=responses(*_BOOKING),
    summary="Book what the bank took",
)
async def book_bank_fee(
    body: BankFeeBody, runtime: RuntimeDep, key: Key, caller: Asker
) -> Response:
    """By the receipts officer."""
    command = receipts.BookBankFee(
        caller.person, **body.model_dump(), idempotency=once(key, "bank-fees", body)
    )
    return await submit(runtime, caller.government, command)
