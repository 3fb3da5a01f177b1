"""SPM, SP2D and advice lists: taken in, moved on by the hands that may, read with what is to be signed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field, JsonValue
from starlette.responses import Response

from api.deps import READ_ROLES, Asker, Books, Key, RuntimeDep, has_any, once, require_any, submit
from api.payment_files import FILE_ERRORS, list_files
from api.problems import responses
from api.routes.acts import (
    IfMatch,
    RawBody,
    RevisionChangedError,
    etag,
    kinds_below,
    matched,
    raw_body_doc,
)
from api.routes.journals import ASKING, POSTING
from api.routes.strict import StrictRoute
from api.runtime import Reader
from api.schemas import Day
from api.schemas import Request as Body
from ledger import errors as le
from ledger.answers import Idempotency
from ledger.documents import advice_list as al
from ledger.documents import queries, spm
from ledger.documents import sp2d as sp
from ledger.documents.bodies import ClaimBody, SpmBody, parse_spm
from ledger.documents.errors import DocumentError, UnknownDocumentError
from ledger.money import sen_text
from ledger.session import Command

router = APIRouter(
    prefix="/v1/governments/{government}", tags=["documents"], route_class=StrictRoute
)

MOVING: Final = tuple(
    dict.fromkeys(
        (*POSTING, *kinds_below(DocumentError), le.OwnApprovalError, RevisionChangedError)
    )
)
_MOVE: Final[dict[str, Any]] = {"status_code": 201, "responses": responses(*MOVING)}


def _example(**values: JsonValue) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [values]})


class EnvelopeBody(Body):
    """The officer's signature: the DSSE envelope that `rkud sign` writes, as text."""

    envelope: Annotated[str, Field(max_length=1_000_000)]

    model_config = _example(envelope='{"payload":"...","payloadType":"...","signatures":[]}')


class ReasonBody(Body):
    """Why; kept as personal text."""

    reason: str

    model_config = _example(reason="Rekening penerima keliru")


class AcceptBody(Body):
    """Empty for a signed SPM; *signer* and *envelope* sign and accept in one go."""

    signer: str = ""
    envelope: Annotated[str, Field(max_length=1_000_000)] = ""

    model_config = _example()


class RefuseBody(Body):
    """Every reason, for the letter of refusal."""

    reasons: Annotated[list[str], Field(min_length=1, max_length=50)]

    model_config = _example(reasons=["Lampiran tidak lengkap"])


class DraftBody(Body):
    """The accepted SPM, and the bank account when there are several."""

    spm: str
    bank_account: str = ""

    model_config = _example(spm="spm-2026-1")


class ImportBody(Body):
    """An SP2D that was signed in SIPD, with the hands as they claim."""

    spm: str
    number: str
    issued_on: Day
    evidence_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    claims: list[dict[str, str]]
    bank_account: str = ""

    model_config = _example(
        spm="spm-2026-1",
        number="000123/LS/1.02/2026",
        issued_on="2026-03-05",
        evidence_sha256="0" * 64,
        claims=[{"role": "kuasa_bud", "name": "Budi Santoso", "nip": "198001012005011001"}],
    )


class LinkBody(Body):
    """The number that SIPD gave later."""

    external_number: str

    model_config = _example(external_number="000123/LS/1.02/2026")


class AdviceBody(Body):
    """Which payments; none: all that wait. *transfer_on*: today if empty."""

    bank_account: str = ""
    payments: Annotated[list[str], Field(max_length=10_000, default_factory=list)]
    transfer_on: str = ""

    model_config = _example()


class SendBody(Body):
    """The digest of the file that went to the bank."""

    file_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

    model_config = _example(file_sha256="0" * 64)


async def _do(
    runtime: RuntimeDep, caller: Asker, command: Command, document: str, if_match: str | None
) -> Response:
    return await submit(runtime, caller.government, matched(command, document, if_match))


def _once(key: str, kind: str, document: str, move: str, body: Body | None) -> Idempotency:
    return once(key, f"{kind}/{document}:{move}", body)


# --- SPM -----------------------------------------------------------------------------------------

_SPM_SCHEMAS, COMPONENTS = msgspec.json.schema_components(
    [SpmBody], ref_template="#/components/schemas/{name}"
)
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


@router.post(
    "/spms",
    **_MOVE,
    openapi_extra=raw_body_doc("application/json", _SPM_SCHEMAS[0], _SPM_EXAMPLE),
    summary="Take in an SPM",
)
async def register_spm(runtime: RuntimeDep, key: Key, caller: Asker, data: RawBody) -> Response:
    """Roles `budget_user` of its SKPD, `sp2d_maker`. Nothing is reserved yet."""
    body = parse_spm(data)
    fields = [(n, msgspec.json.encode(getattr(body, n))) for n in body.__struct_fields__]
    command = spm.RegisterSpm(caller.person, body, Idempotency(key, "spms", fields, 201))
    return await submit(runtime, caller.government, command)


@router.post("/spms/{document}:sign", **_MOVE, summary="Sign an SPM")
async def sign_spm(
    runtime: RuntimeDep,
    key: Key,
    caller: Asker,
    document: str,
    body: EnvelopeBody,
    if_match: IfMatch = None,
) -> Response:
    """Role `budget_user` of its SKPD, with the own key."""
    asked = _once(key, "spms", document, "sign", body)
    command = spm.SignSpm(caller.person, document, body.envelope.encode(), asked)
    return await _do(runtime, caller, command, document, if_match)


@router.post("/spms/{document}:accept", **_MOVE, summary="Accept an SPM")
async def accept_spm(
    runtime: RuntimeDep,
    key: Key,
    caller: Asker,
    document: str,
    body: AcceptBody,
    if_match: IfMatch = None,
) -> Response:
    """Role `sp2d_maker`. Room is reserved on every budget line and release, or it is refused."""
    asked = _once(key, "spms", document, "accept", body)
    command = spm.AcceptSpm(caller.person, document, body.signer, body.envelope.encode(), asked)
    return await _do(runtime, caller, command, document, if_match)


@router.post("/spms/{document}:refuse", **_MOVE, summary="Refuse an SPM")
async def refuse_spm(
    runtime: RuntimeDep,
    key: Key,
    caller: Asker,
    document: str,
    body: RefuseBody,
    if_match: IfMatch = None,
) -> Response:
    """Roles `sp2d_verifier`, `deputy_treasurer`."""
    asked = _once(key, "spms", document, "refuse", body)
    command = spm.RefuseSpm(caller.person, document, body.reasons, asked)
    return await _do(runtime, caller, command, document, if_match)


@router.post("/spms/{document}:return", **_MOVE, summary="Give an accepted SPM back")
async def return_spm(
    runtime: RuntimeDep,
    key: Key,
    caller: Asker,
    document: str,
    body: ReasonBody,
    if_match: IfMatch = None,
) -> Response:
    """Role `deputy_treasurer`. Its room is freed."""
    asked = _once(key, "spms", document, "return", body)
    command = spm.ReturnSpm(caller.person, document, body.reason, asked)
    return await _do(runtime, caller, command, document, if_match)


# --- SP2D ----------------------------------------------------------------------------------------


@router.post("/sp2ds", **_MOVE, summary="Prepare an SP2D")
async def draft_sp2d(runtime: RuntimeDep, key: Key, caller: Asker, body: DraftBody) -> Response:
    """Role `sp2d_maker`, on an accepted SPM."""
    command = sp.DraftSp2d(caller.person, body.spm, body.bank_account, once(key, "sp2ds", body))
    return await submit(runtime, caller.government, command)


@router.post("/sp2ds:import", **_MOVE, summary="Take over an SP2D that was signed in SIPD")
async def import_sp2d(runtime: RuntimeDep, key: Key, caller: Asker, body: ImportBody) -> Response:
    """Role `sp2d_maker`. Its money leaves only through an advice list that two others sign."""
    try:
        claims = msgspec.convert(body.claims, list[ClaimBody])
    except msgspec.ValidationError as error:
        raise le.InvalidFieldError("claims", str(error)[:200], "") from None
    command = sp.ImportSp2d(
        caller.person,
        body.spm,
        body.number,
        body.issued_on,
        body.evidence_sha256,
        claims,
        body.bank_account,
        once(key, "sp2ds:import", body),
    )
    return await submit(runtime, caller.government, command)


@router.post("/sp2ds/{document}:verify", **_MOVE, summary="Verify an SP2D")
async def verify_sp2d(
    runtime: RuntimeDep,
    key: Key,
    caller: Asker,
    document: str,
    body: EnvelopeBody,
    if_match: IfMatch = None,
) -> Response:
    """Role `sp2d_verifier`, with the own key."""
    asked = _once(key, "sp2ds", document, "verify", body)
    command = sp.VerifySp2d(caller.person, document, body.envelope.encode(), asked)
    return await _do(runtime, caller, command, document, if_match)


@router.post("/sp2ds/{document}:sign", **_MOVE, summary="Sign an SP2D")
async def sign_sp2d(
    runtime: RuntimeDep,
    key: Key,
    caller: Asker,
    document: str,
    body: EnvelopeBody,
    if_match: IfMatch = None,
) -> Response:
    """Role `deputy_treasurer`, with the own key: numbered, journalled or committed, payments held."""
    asked = _once(key, "sp2ds", document, "sign", body)
    command = sp.SignSp2d(caller.person, document, body.envelope.encode(), asked)
    return await _do(runtime, caller, command, document, if_match)


_REASONED: Final[dict[str, Callable[[str, str, str, Idempotency], Command]]] = {
    "discard": sp.DiscardSp2d,
    "request-cancel": sp.RequestCancelSp2d,
    "withdraw-cancel": sp.WithdrawCancelSp2d,
    "cancel": sp.CancelSp2d,
}


async def _reasoned(
    move: str,
    runtime: RuntimeDep,
    key: str,
    caller: Asker,
    document: str,
    body: ReasonBody,
    if_match: str | None,
) -> Response:
    asked = _once(key, "sp2ds", document, move, body)
    command = _REASONED[move](caller.person, document, body.reason, asked)
    return await _do(runtime, caller, command, document, if_match)


@router.post("/sp2ds/{document}:discard", **_MOVE, summary="Drop an SP2D that was not signed")
async def discard_sp2d(
    runtime: RuntimeDep,
    key: Key,
    caller: Asker,
    document: str,
    body: ReasonBody,
    if_match: IfMatch = None,
) -> Response:
    """Any hand of the treasury; the SPM may get another."""
    return await _reasoned("discard", runtime, key, caller, document, body, if_match)


@router.post("/sp2ds/{document}:request-cancel", **_MOVE, summary="Ask to cancel a signed SP2D")
async def request_cancel(
    runtime: RuntimeDep,
    key: Key,
    caller: Asker,
    document: str,
    body: ReasonBody,
    if_match: IfMatch = None,
) -> Response:
    """The first half: its payments can't be listed from now on."""
    return await _reasoned("request-cancel", runtime, key, caller, document, body, if_match)


@router.post("/sp2ds/{document}:withdraw-cancel", **_MOVE, summary="Take the request back")
async def withdraw_cancel(
    runtime: RuntimeDep,
    key: Key,
    caller: Asker,
    document: str,
    body: ReasonBody,
    if_match: IfMatch = None,
) -> Response:
    """The SP2D stands as signed."""
    return await _reasoned("withdraw-cancel", runtime, key, caller, document, body, if_match)


@router.post(
    "/sp2ds/{document}:cancel", **_MOVE, summary="Cancel a signed SP2D of which nothing has left"
)
async def cancel_sp2d(
    runtime: RuntimeDep,
    key: Key,
    caller: Asker,
    document: str,
    body: ReasonBody,
    if_match: IfMatch = None,
) -> Response:
    """Role `deputy_treasurer`, another than who asked. Room is freed; the number is kept for ever."""
    return await _reasoned("cancel", runtime, key, caller, document, body, if_match)


@router.post(
    "/sp2ds/{document}:link", **_MOVE, summary="Give SIPD's number to an SP2D of continuity"
)
async def link_sp2d(
    runtime: RuntimeDep,
    key: Key,
    caller: Asker,
    document: str,
    body: LinkBody,
    if_match: IfMatch = None,
) -> Response:
    """Role `sp2d_maker`."""
    asked = _once(key, "sp2ds", document, "link", body)
    command = sp.LinkSp2d(caller.person, document, body.external_number, asked)
    return await _do(runtime, caller, command, document, if_match)


# --- advice lists ----------------------------------------------------------------------------------


@router.post("/advice-lists", **_MOVE, summary="Draft an advice list")
async def draft_list(runtime: RuntimeDep, key: Key, caller: Asker, body: AdviceBody) -> Response:
    """Roles `sp2d_maker`, `sp2d_verifier`. Fixes which payments go, and the bank's exact bytes."""
    command = al.DraftAdviceList(
        caller.person,
        body.bank_account,
        tuple(body.payments),
        body.transfer_on,
        once(key, "advice-lists", body),
    )
    return await submit(runtime, caller.government, command)


@router.post("/advice-lists/{document}:verify", **_MOVE, summary="Verify an advice list")
async def verify_list(
    runtime: RuntimeDep,
    key: Key,
    caller: Asker,
    document: str,
    body: EnvelopeBody,
    if_match: IfMatch = None,
) -> Response:
    """Role `sp2d_verifier`, with the own key."""
    asked = _once(key, "advice-lists", document, "verify", body)
    command = al.VerifyAdviceList(caller.person, document, body.envelope.encode(), asked)
    return await _do(runtime, caller, command, document, if_match)


@router.post("/advice-lists/{document}:sign", **_MOVE, summary="Sign an advice list")
async def sign_list(
    runtime: RuntimeDep,
    key: Key,
    caller: Asker,
    document: str,
    body: EnvelopeBody,
    if_match: IfMatch = None,
) -> Response:
    """Role `deputy_treasurer`, with the own key: every payment in it is queued."""
    asked = _once(key, "advice-lists", document, "sign", body)
    command = al.SignAdviceList(caller.person, document, body.envelope.encode(), asked)
    return await _do(runtime, caller, command, document, if_match)


@router.post(
    "/advice-lists/{document}:send", **_MOVE, summary="Record that a list went to the bank"
)
async def send_list(
    runtime: RuntimeDep,
    key: Key,
    caller: Asker,
    document: str,
    body: SendBody,
    if_match: IfMatch = None,
) -> Response:
    """Roles `sp2d_maker`, `deputy_treasurer`. It must be the file that was signed."""
    asked = _once(key, "advice-lists", document, "send", body)
    command = al.SendAdviceList(caller.person, document, body.file_sha256, asked)
    return await _do(runtime, caller, command, document, if_match)


@router.post("/advice-lists/{document}:discard", **_MOVE, summary="Drop a list that was not signed")
async def discard_list(
    runtime: RuntimeDep,
    key: Key,
    caller: Asker,
    document: str,
    body: ReasonBody,
    if_match: IfMatch = None,
) -> Response:
    """Its payments stay held, its number stays used."""
    asked = _once(key, "advice-lists", document, "discard", body)
    command = al.DiscardAdviceList(caller.person, document, body.reason, asked)
    return await _do(runtime, caller, command, document, if_match)


_READING: Final = (*ASKING, UnknownDocumentError)


@router.get(
    "/advice-lists/{document}/file",
    responses=responses(*_READING, *kinds_below(DocumentError), *FILE_ERRORS),
    summary="The exact bytes for the bank",
)
def get_list_file(
    runtime: RuntimeDep,
    books: Books,
    caller: Asker,
    document: str,
    file_format: Annotated[
        str,
        Query(
            alias="format",
            max_length=80,
            description="A bank's file, by its name in files.toml; the list itself if left out",
            examples=["pain001.09"],
        ),
    ] = "",
    part: Annotated[
        int, Query(ge=0, le=100_000, description="Which file, where the list has several")
    ] = 0,
) -> Response:
    """Of a signed list; names and accounts stand in it, so it needs a grant."""
    require_any(books, caller)
    headers = dict(_NO_STORE)
    if not file_format:
        data = al.advice_list_file(books.conn, books.government, document).file
    else:
        folder = runtime.settings.banks()
        files = list_files(books.conn, books.government, document, folder, name=file_format)
        file = files.file(part)
        data = file.data
        headers["Content-Disposition"] = f'attachment; filename="{file.name}"'
        headers["ETag"] = f'"{file.sha256}"'
    return Response(data, media_type="application/octet-stream", headers=headers)


@router.get(
    "/advice-lists/{document}/package",
    responses=responses(*_READING, *kinds_below(DocumentError)),
    summary="The file with both signatures and the keys to check them",
)
def get_list_package(books: Books, caller: Asker, document: str) -> Response:
    """What is handed to the bank."""
    require_any(books, caller)
    found = al.advice_list_file(books.conn, books.government, document)
    return Response(found.package, media_type="application/json", headers=_NO_STORE)


_NO_STORE: Final = {"Cache-Control": "no-store"}


# --- reading ---------------------------------------------------------------------------------------


def with_money(values: dict[str, Any]) -> dict[str, Any]:
    """`*_sen` numbers become amounts as text."""
    return {
        name.removesuffix("_sen") if name.endswith("_sen") else name: (
            sen_text(value) if name.endswith("_sen") and value is not None else value
        )
        for name, value in values.items()
    }


def texts_for(books: Reader, caller: Asker, commitments: list[str]) -> dict[str, str] | None:
    if not has_any(books, caller, READ_ROLES):
        return None
    return queries.private_texts(
        books.conn, books.government, sorted({c for c in commitments if c})
    )


def _commitments(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if len(value) == 64 else []
    if isinstance(value, dict):
        return [c for each in value.values() for c in _commitments(each)]
    if isinstance(value, list | tuple):
        return [c for each in value for c in _commitments(each)]
    return []


@router.get("/documents", responses=responses(*ASKING), summary="List documents")
def get_documents(
    books: Books,
    _caller: Asker,
    kind: Annotated[str, Query(pattern="^(|spm|sp2d|advice_list)$")] = "",
    state: Annotated[str, Query(max_length=40)] = "",
    skpd: Annotated[str, Query(max_length=64)] = "",
    parent: Annotated[str, Query(max_length=128)] = "",
    after: Annotated[str, Query(max_length=128)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """By id, which is the order they were taken in, from the one after `after`."""
    found = queries.list_documents(
        books.conn,
        books.government,
        kind=kind,
        state=state,
        skpd=skpd,
        parent=parent,
        after=after,
        limit=limit,
    )
    return {
        "documents": [with_money(each._asdict()) for each in found],
        "next": found[-1].id if len(found) == limit else None,
    }


@router.get("/documents/{document}", responses=responses(*_READING), summary="Read a document")
def get_document(books: Books, caller: Asker, document: str) -> Response:
    """What it says (over commitments), its moves with their checks, payments, and allowed moves."""
    found = queries.get_document(books.conn, books.government, document)
    content = msgspec.to_builtins(found.content)
    moves = [move._asdict() for move in found.moves]
    body = {
        **with_money(found.summary._asdict()),
        "content": content,
        "moves": moves,
        "payments": [with_money(each._asdict()) for each in found.payments],
        "allowed": list(found.allowed),
        "texts": texts_for(
            books,
            caller,
            [*_commitments(content), *(move["reason"] for move in moves)],
        ),
    }
    tag = etag(found.summary.state_n, found.summary.revision)
    return Response(msgspec.json.encode(body), 200, {"ETag": tag, **_NO_STORE}, "application/json")


@router.get(
    "/documents/{document}/to-sign",
    responses=responses(*_READING, *kinds_below(DocumentError)),
    summary="What an officer's statement must say",
)
def get_to_sign(
    books: Books,
    _caller: Asker,
    document: str,
    act: Annotated[str, Query(max_length=40, examples=["sp2d.verify"])],
) -> dict[str, Any]:
    """For `rkud sign`, which adds officer, key, nonce and clock, and signs on the officer's machine."""
    return asdict(queries.to_sign(books.conn, books.government, document, act))
