"""Budget, SPM and SP2D: one route for each move of each document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from api.deps import (
    READ_ROLES,
    Asker,
    Books,
    Key,
    RuntimeDep,
    once,
    require_any,
    submit,
)
from api.errors import PrivateGrantRequiredError
from api.problems import responses
from api.routes.journals import ASKING, WRITING
from api.schemas import Answer
from api.schemas import Request as Body
from audit.canonical import canonical
from ledger import budget
from ledger import errors as le
from ledger.budget_shell import LoadBudget
from ledger.commands import request_fields
from ledger.documents import errors, queries, sp2d, spm
from ledger.documents.bodies import SpmBody, parse_spm
from ledger.posting import Command, Idempotency

router = APIRouter(prefix="/v1/governments/{government}", tags=["documents"])

MOVING: Final = (
    *WRITING,
    le.InvalidFieldError,
    le.OwnApprovalError,
    errors.UnknownDocumentError,
    errors.DocumentMoveNotAllowedError,
)
SIGNING: Final = (
    *MOVING,
    errors.EnvelopeRequiredError,
    errors.SignatureRefusedError,
    errors.StatementMismatchError,
    errors.NonceUsedError,
)
_ROOM: Final = (
    le.OverCeilingError,
    le.OverReleaseError,
    le.OverCashError,
    le.UnknownBudgetLineError,
    errors.TotalsMismatchError,
    errors.SpmUsedError,
    errors.SpmOutOfDateError,
)
_KINDS: Final = {"spm": "spm", "sp2d": "sp2d", "advice-lists": "advice_list"}
_SPM_SCHEMAS, _COMPONENTS = msgspec.json.schema_components(
    [SpmBody], ref_template="#/components/schemas/{name}"
)
#: Schemas of bodies that pydantic does not read; `api.app` puts them into the document.
COMPONENTS: Final[dict[str, Any]] = _COMPONENTS
_SPM_EXAMPLE: Final = {
    "number": "00001/SPM/DINKES/III/2026",
    "dated_on": "2026-03-05",
    "skpd": "1.02.0.00.0.00.02.0000",
    "payment_kind": "LS_GOODS",
    "purpose": "Pengadaan alat tulis kantor",
    "lines": [
        {
            "budget_line": "1.02.0.00.0.00.02.0000/1.02.01.1.06.02/5.1.02.01.01.0024",
            "expense_account": "8.1.02.01.01.0024",
            "amount": "11100000.00",
        }
    ],
    "deductions": [
        {"account": "2.1.01.06.01.0001", "amount": "1100000.00", "billing_id": "123456789012345"}
    ],
    "payees": [
        {
            "name": "CV Sinar Banten Abadi",
            "bank_code": "137",
            "account": "1234567890",
            "gross": "11100000.00",
            "deduction": "1100000.00",
            "npwp": "1234567890123456",
        }
    ],
}
_SPM_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": _SPM_SCHEMAS[0],
                "examples": {"goods": {"summary": "An invoice", "value": _SPM_EXAMPLE}},
            }
        },
    }
}
_BUDGET_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/jsonl": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}},
        },
    }
}


class _Signature(Body):
    keyid: str
    sig: str


class Envelope(Body):
    """A DSSE envelope with one signature, made with the officer's own key."""

    payload: str
    payloadType: str  # noqa: N815  # DSSE's name
    signatures: Annotated[list[_Signature], Field(min_length=1, max_length=1)]

    def to_bytes(self) -> bytes:
        """Its canonical form."""
        return canonical(self.model_dump())


class SignedBody(Body):
    """A move that the officer signs."""

    envelope: Envelope


class AcceptBody(Body):
    """Empty, or with the signature of the budget user who has not yet signed in the system."""

    signer: str = ""
    envelope: Envelope | None = None


class ReasonBody(Body):
    """Why."""

    reason: str


class ReasonsBody(Body):
    """Why, point by point."""

    reasons: list[str]


class Sp2dBody(Body):
    """Of which SPM, from which bank account (the only one, where it is empty)."""

    spm: str
    bank_account: str = ""


class ToSignOut(Answer):
    """
    The members of the statement that the ledger decides. The officer checks them, adds officer,
    key_id, nonce and claimed_at, and signs.
    """

    origin: str
    act: str
    object: str
    revision: str
    line_totals: dict[str, str]
    payees: list[str]
    amount: str
    role: str
    decision: str


@router.post(
    "/budget",
    status_code=201,
    responses=responses(
        *WRITING,
        budget.BudgetFileError,
        budget.BudgetFileLoadedError,
        budget.BudgetLineChangedError,
        budget.CeilingBelowUseError,
        budget.ReleaseBelowUseError,
        budget.UnknownReleaseError,
        le.FiscalYearNotOpenError,
        le.UnknownAccountError,
        le.AccountNotPostableError,
    ),
    openapi_extra=_BUDGET_BODY,
    summary="Load budget lines (DPA) and releases (SPD)",
)
async def load_budget(
    request: Request,
    runtime: RuntimeDep,
    key: Key,
    caller: Asker,
    fiscal_year: Annotated[int, Query(ge=1945, le=9998)],
) -> Response:
    """A file of JSON lines, or CSV (`Content-Type: text/csv`). It sets the figures that it names."""
    data = await request.body()
    is_csv = request.headers.get("content-type", "").startswith("text/csv")
    file = budget.parse_budget_csv(data) if is_csv else budget.parse_budget_jsonl(data)
    fields = [("file", file.file_sha256.encode()), ("year", str(fiscal_year).encode())]
    command = LoadBudget(
        caller.person,
        fiscal_year,
        file.file_sha256,
        file.rows,
        Idempotency(key, "budget", fields, 201),
    )
    return await submit(runtime, caller.government, command)


# --- SPM -------------------------------------------------------------------------------------


@router.post(
    "/spm",
    status_code=201,
    responses=responses(
        *WRITING,
        errors.PaymentKindNotSupportedError,
        errors.ExternalNumberTakenError,
        errors.SpmOutOfDateError,
        errors.TotalsMismatchError,
        le.UnknownBudgetLineError,
        le.UnknownAccountError,
        le.AccountNotPostableError,
    ),
    openapi_extra=_SPM_BODY,
    summary="Register an SPM",
)
async def register_spm(request: Request, runtime: RuntimeDep, key: Key, caller: Asker) -> Response:
    """Nothing is reserved yet. The answer holds what its budget user signs."""
    body = parse_spm(await request.body())
    command = spm.RegisterSpm(
        caller.person, body, Idempotency(key, "spm", request_fields(body), 201)
    )
    return await submit(runtime, caller.government, command)


@router.post(
    "/spm/{document}:sign", status_code=201, responses=responses(*SIGNING), summary="Sign an SPM"
)
async def sign_spm(
    document: str, body: SignedBody, runtime: RuntimeDep, key: Key, caller: Asker
) -> Response:
    """By the budget user (PA or KPA) of its SKPD."""
    command = spm.SignSpm(
        caller.person, document, body.envelope.to_bytes(), once(key, f"spm/{document}:sign", body)
    )
    return await submit(runtime, caller.government, command)


@router.post(
    "/spm/{document}:accept",
    status_code=201,
    responses=responses(*SIGNING, *_ROOM),
    summary="Accept an SPM",
)
async def accept_spm(
    document: str, body: AcceptBody, runtime: RuntimeDep, key: Key, caller: Asker
) -> Response:
    """Every check runs, and room is reserved on budget line and release."""
    command = spm.AcceptSpm(
        caller.person,
        document,
        body.signer,
        body.envelope.to_bytes() if body.envelope else b"",
        once(key, f"spm/{document}:accept", body),
    )
    return await submit(runtime, caller.government, command)


@router.post(
    "/spm/{document}:refuse",
    status_code=201,
    responses=responses(*MOVING),
    summary="Refuse an SPM",
)
async def refuse_spm(
    document: str, body: ReasonsBody, runtime: RuntimeDep, key: Key, caller: Asker
) -> Response:
    """Before it was accepted, in writing, with reasons."""
    command = spm.RefuseSpm(
        caller.person, document, body.reasons, once(key, f"spm/{document}:refuse", body)
    )
    return await submit(runtime, caller.government, command)


@router.post(
    "/spm/{document}:return",
    status_code=201,
    responses=responses(*MOVING, errors.SpmUsedError),
    summary="Return an accepted SPM",
)
async def return_spm(
    document: str, body: ReasonBody, runtime: RuntimeDep, key: Key, caller: Asker
) -> Response:
    """Its room is freed."""
    command = spm.ReturnSpm(
        caller.person, document, body.reason, once(key, f"spm/{document}:return", body)
    )
    return await submit(runtime, caller.government, command)


# --- SP2D ------------------------------------------------------------------------------------


@router.post(
    "/sp2d", status_code=201, responses=responses(*MOVING, *_ROOM), summary="Draft an SP2D"
)
async def draft_sp2d(body: Sp2dBody, runtime: RuntimeDep, key: Key, caller: Asker) -> Response:
    """Of an accepted SPM: the first of three hands."""
    command = sp2d.DraftSp2d(caller.person, body.spm, body.bank_account, once(key, "sp2d", body))
    return await submit(runtime, caller.government, command)


@router.post(
    "/sp2d/{document}:verify",
    status_code=201,
    responses=responses(*SIGNING, *_ROOM),
    summary="Verify an SP2D",
)
async def verify_sp2d(
    document: str, body: SignedBody, runtime: RuntimeDep, key: Key, caller: Asker
) -> Response:
    """The second hand, with its signature."""
    command = sp2d.VerifySp2d(
        caller.person,
        document,
        body.envelope.to_bytes(),
        once(key, f"sp2d/{document}:verify", body),
    )
    return await submit(runtime, caller.government, command)


@router.post(
    "/sp2d/{document}:sign",
    status_code=201,
    responses=responses(*SIGNING, *_ROOM),
    summary="Sign an SP2D",
)
async def sign_sp2d(
    document: str, body: SignedBody, runtime: RuntimeDep, key: Key, caller: Asker
) -> Response:
    """The Kuasa BUD's signature issues it: number, journal or commitment, payments."""
    command = sp2d.SignSp2d(
        caller.person, document, body.envelope.to_bytes(), once(key, f"sp2d/{document}:sign", body)
    )
    return await submit(runtime, caller.government, command)


_ENDINGS: Final[dict[str, Callable[[str, str, str, Idempotency], Command]]] = {
    "discard": sp2d.DiscardSp2d,
    "request-cancel": sp2d.RequestCancelSp2d,
    "withdraw-cancel": sp2d.WithdrawCancelSp2d,
    "cancel": sp2d.CancelSp2d,
}


@router.post(
    "/sp2d/{document}:{ending}",
    status_code=201,
    responses=responses(*MOVING),
    summary="Discard or cancel an SP2D",
)
async def end_sp2d(
    document: str,
    ending: Literal["discard", "request-cancel", "withdraw-cancel", "cancel"],
    body: ReasonBody,
    runtime: RuntimeDep,
    key: Key,
    caller: Asker,
) -> Response:
    """Unsigned it is discarded; signed it is cancelled by two persons, before anything was sent."""
    command = _ENDINGS[ending](
        caller.person, document, body.reason, once(key, f"sp2d/{document}:{ending}", body)
    )
    return await submit(runtime, caller.government, command)


@router.get(
    "/{kind}/{document}/to-sign",
    responses=responses(
        *ASKING,
        PrivateGrantRequiredError,
        errors.UnknownDocumentError,
    ),
    summary="What an officer signs",
)
def get_to_sign(
    books: Books,
    caller: Asker,
    kind: Literal["spm", "sp2d", "advice-lists"],
    document: str,
    move: Annotated[str, Query(pattern="^(sign|verify)$")],
) -> ToSignOut:
    """Of the document as it stands. Whether the move is allowed is decided when it is made."""
    require_any(books, caller, READ_ROLES)
    act = f"{_KINDS[kind]}.{move}"
    return ToSignOut.model_validate(
        asdict(queries.to_sign(books.conn, books.government, document, act))
    )
