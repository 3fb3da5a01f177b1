"""
Persons, grants, officers' keys, settings of the government: proposed by one, confirmed by another.

A token is issued by an administrator to somebody else and shown once.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field, JsonValue
from sqlalchemy import select
from starlette.responses import Response

from api.deps import Asker, Books, Key, RuntimeDep, has_any, once, require_any, submit
from api.problems import responses
from api.routes.acts import kinds_below
from api.routes.feed import settled
from api.routes.journals import ASKING, WRITING
from api.routes.strict import StrictRoute
from api.schemas import INT_MAX, Answer, Day, Int
from api.schemas import Request as Body
from audit.database import private_value
from ledger import errors as le
from ledger import tables as t
from ledger import tokens as tk
from ledger.acts import Ask
from ledger.allowances import SetAllowance
from ledger.officer_keys import EnrollOfficerKey, RevokeOfficerKey
from ledger.persons_shell import AddPerson, EndGrant, GiveGrant
from ledger.policies import AddBankAccount, AddEntity, OpenFiscalYear, SetPolicy
from ledger.privacy import ErasePayee
from ledger.proposals import (
    ACTS,
    Confirm,
    Proposal,
    Propose,
    Withdraw,
    list_proposals,
    read_proposal,
)
from ledger.roles import ROLES
from ledger.settings import FOREVER

router = APIRouter(prefix="/v1/governments/{government}", tags=["people"], route_class=StrictRoute)

_MODULES: Final = (
    "ledger.persons",
    "ledger.officer_keys",
    "ledger.policies",
    "ledger.privacy",
    "ledger.proposals",
    "ledger.allowances",
    "ledger.manual",
    "ledger.acts",
)
PROPOSING: Final = (
    *WRITING,
    le.OwnApprovalError,
    le.UnknownEntityError,
    *(kind for kind in kinds_below(le.LedgerError) if kind.__module__ in _MODULES),
)


class Proposed(Answer):
    """The first half of an act. It happens when another person confirms it."""

    proposal: str
    act: str
    leaf_index: int
    recorded_at: str


def _example(**values: JsonValue) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [values]})


class PersonBody(Body):
    """A person. The id is public for ever: an office or a role, not a name."""

    person: str
    name: str
    nip: str = ""
    kind: str = "officer"

    model_config = _example(person="kasi-belanja", name="Budi Santoso", nip="198001012005011001")


class GrantBody(Body):
    """A role from day to day, for one SKPD or all."""

    person: str
    role: str
    valid_from: Day
    valid_to: Day = FOREVER
    skpd: str = ""
    mandate: str = "definitive"
    mandate_document: str = ""

    model_config = _example(person="kasi-belanja", role="sp2d_maker", valid_from="2026-01-02")


class EndGrantBody(Body):
    """The first day on which the grant no longer counts."""

    ended_on: Day

    model_config = _example(ended_on="2026-12-01")


class OfficerKeyBody(Body):
    """An officer's public key (hex) with the signature (hex) that shows it is held."""

    person: str
    public_key: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    possession: Annotated[str, Field(pattern="^[0-9a-f]{128}$")]

    model_config = _example(person="kasi-belanja", public_key="0" * 64, possession="0" * 128)


class RevokeKeyBody(Body):
    """Whose key it is."""

    person: str

    model_config = _example(person="kasi-belanja")


class PolicyBody(Body):
    """A dated setting of the government."""

    name: str
    value: str
    valid_from: Day

    model_config = _example(name="feed", value="receipt", valid_from="2026-01-01")


class EntityBody(Body):
    """An SKPD."""

    code: str
    name: str

    model_config = _example(code="1.02.0.00.0.00.01.0000", name="Dinas Kesehatan")


class BankAccountBody(Body):
    """Another RKUD account: `BANKCODE:NO`, on a cash account of the chart."""

    id: str
    name: str
    account: str
    opened_on: Day

    model_config = _example(
        id="137:0000000001",
        name="RKUD kedua",
        account="1.1.01.01.01.0001",
        opened_on="2026-01-02",
    )


class FiscalYearBody(Body):
    """A fiscal year on a version of the chart."""

    year: Int
    chart_version: str

    model_config = _example(year=2027, chart_version="2026-1")


class AllowanceBody(Body):
    """How far a ceiling, a release or the cash floor may be passed from now on."""

    target: str
    id: str
    fiscal_year: Int
    amount: str
    reason: str

    model_config = _example(
        target="budget_line",
        id="B-1",
        fiscal_year=2026,
        amount="1000000.00",
        reason="Perubahan APBD",
    )


class EraseBody(Body):
    """Whose personal data goes, and why."""

    subject: str
    reason: str

    model_config = _example(subject="journal:STS/2026/000123", reason="Permintaan subjek data")


async def _propose(
    runtime: RuntimeDep, caller: Asker, key: str, route: str, body: Body, act: Ask
) -> Response:
    return await submit(
        runtime, caller.government, Propose(caller.person, act, once(key, route, body))
    )


_PROPOSAL: Final[dict[str, Any]] = {
    "status_code": 201,
    "response_model": Proposed,
    "responses": responses(*PROPOSING),
}


@router.post("/persons", **_PROPOSAL, summary="Propose a person")
async def add_person(runtime: RuntimeDep, key: Key, caller: Asker, body: PersonBody) -> Response:
    """Role `admin`, both halves."""
    act = AddPerson(body.person, body.name, body.nip, body.kind)
    return await _propose(runtime, caller, key, "persons", body, act)


@router.post("/grants", **_PROPOSAL, summary="Propose a grant")
async def give_grant(runtime: RuntimeDep, key: Key, caller: Asker, body: GrantBody) -> Response:
    """Role `admin`, both halves; neither is the person who is given the role."""
    act = GiveGrant(
        body.person,
        body.role,
        body.valid_from,
        body.valid_to,
        body.skpd,
        body.mandate,
        body.mandate_document,
    )
    return await _propose(runtime, caller, key, "grants", body, act)


@router.post("/grants/{grant}:end", **_PROPOSAL, summary="Propose the end of a grant")
async def end_grant(
    runtime: RuntimeDep, key: Key, caller: Asker, grant: str, body: EndGrantBody
) -> Response:
    """Role `admin`, both halves."""
    act = EndGrant(grant, body.ended_on)
    return await _propose(runtime, caller, key, f"grants/{grant}:end", body, act)


@router.post("/officer-keys", **_PROPOSAL, summary="Propose an officer's key")
async def enroll_key(
    runtime: RuntimeDep, key: Key, caller: Asker, body: OfficerKeyBody
) -> Response:
    """The officer, or an administrator; confirmed by an administrator who is another."""
    act = EnrollOfficerKey(body.person, body.public_key, body.possession)
    return await _propose(runtime, caller, key, "officer-keys", body, act)


@router.post(
    "/officer-keys/{key_id}:revoke", **_PROPOSAL, summary="Propose the end of an officer's key"
)
async def revoke_key(
    runtime: RuntimeDep, key: Key, caller: Asker, key_id: str, body: RevokeKeyBody
) -> Response:
    """Nothing that is logged afterwards counts as signed by it."""
    act = RevokeOfficerKey(key_id, body.person)
    return await _propose(runtime, caller, key, f"officer-keys/{key_id}:revoke", body, act)


@router.post("/policies", **_PROPOSAL, summary="Propose a policy")
async def set_policy(runtime: RuntimeDep, key: Key, caller: Asker, body: PolicyBody) -> Response:
    """Role `admin`, both halves."""
    act = SetPolicy(body.name, body.value, body.valid_from)
    return await _propose(runtime, caller, key, "policies", body, act)


@router.post("/entities", **_PROPOSAL, summary="Propose an SKPD")
async def add_entity(runtime: RuntimeDep, key: Key, caller: Asker, body: EntityBody) -> Response:
    """Role `admin`, both halves."""
    act = AddEntity(body.code, body.name)
    return await _propose(runtime, caller, key, "entities", body, act)


@router.post("/bank-accounts", **_PROPOSAL, summary="Propose a bank account")
async def add_bank_account(
    runtime: RuntimeDep, key: Key, caller: Asker, body: BankAccountBody
) -> Response:
    """Role `admin`, both halves."""
    act = AddBankAccount(body.id, body.name, body.account, body.opened_on)
    return await _propose(runtime, caller, key, "bank-accounts", body, act)


@router.post("/fiscal-years", **_PROPOSAL, summary="Propose a fiscal year")
async def open_year(runtime: RuntimeDep, key: Key, caller: Asker, body: FiscalYearBody) -> Response:
    """Role `admin`, both halves."""
    act = OpenFiscalYear(body.year, body.chart_version)
    return await _propose(runtime, caller, key, "fiscal-years", body, act)


@router.post("/allowances", **_PROPOSAL, summary="Propose an allowance")
async def set_allowance(
    runtime: RuntimeDep, key: Key, caller: Asker, body: AllowanceBody
) -> Response:
    """Proposed by `budget_officer` or `deputy_treasurer`, confirmed by a `deputy_treasurer`."""
    act = SetAllowance(body.target, body.id, body.fiscal_year, body.amount, body.reason)
    return await _propose(runtime, caller, key, "allowances", body, act)


@router.post("/erasures", **_PROPOSAL, summary="Propose to erase personal data")
async def erase(runtime: RuntimeDep, key: Key, caller: Asker, body: EraseBody) -> Response:
    """Role `admin`, both halves. Books, log and hashes stay; what was said can't be shown again."""
    act = ErasePayee(body.subject, body.reason)
    return await _propose(runtime, caller, key, "erasures", body, act)


# --- proposals ---------------------------------------------------------------------------------


class ProposalOut(Answer):
    """A proposal. `content` is what is confirmed; `texts` what its commitments stand for."""

    proposal: str
    act: str
    proposed_by: str
    proposed_at: str
    leaf_index: int
    outcome: str
    decided_by: str
    decided_at: str
    content: dict[str, Any]
    texts: dict[str, str] | None


class ProposalList(Answer):
    """A page of proposals in the order of the log."""

    proposals: list[ProposalOut]
    next: int | None = Field(description="`after` of the next page; null at the end")


@router.get("/proposals", responses=responses(*ASKING), summary="List proposals")
def get_proposals(
    books: Books,
    caller: Asker,
    is_open: Annotated[bool | None, Query(alias="open")] = None,
    act: Annotated[str, Query(max_length=64)] = "",
    after: Annotated[int, Query(ge=-1, le=INT_MAX)] = -1,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> ProposalList:
    """Open ones, ended ones or all, from the one after leaf `after`."""
    found = list_proposals(
        books.conn, books.government, is_open=is_open, act=act, after=after, limit=limit + 1
    )
    shown = found[:limit]
    return ProposalList(
        proposals=[_proposal(books, caller, each) for each in shown],
        next=shown[-1].leaf_index if len(found) > limit else None,
    )


@router.get(
    "/proposals/{proposal}",
    responses=responses(*ASKING, *kinds_below(le.LedgerError)[:0]),
    summary="Read a proposal",
)
def get_proposal(books: Books, caller: Asker, proposal: str) -> ProposalOut:
    """Texts are shown to those who may decide about it."""
    return _proposal(books, caller, read_proposal(books.conn, books.government, proposal))


@router.post(
    "/proposals/{proposal}:confirm",
    status_code=201,
    responses=responses(*PROPOSING),
    summary="Confirm a proposal",
)
async def confirm(runtime: RuntimeDep, key: Key, caller: Asker, proposal: str) -> Response:
    """The second half, by another person: the act happens."""
    command = Confirm(caller.person, proposal, once(key, f"proposals/{proposal}:confirm", None))
    answer = await submit(runtime, caller.government, command)
    runtime.tokens.forget()
    return answer


@router.post(
    "/proposals/{proposal}:withdraw",
    status_code=201,
    responses=responses(*PROPOSING),
    summary="Withdraw a proposal",
)
async def withdraw(runtime: RuntimeDep, key: Key, caller: Asker, proposal: str) -> Response:
    """By its proposer, or by one who might have confirmed it."""
    command = Withdraw(caller.person, proposal, once(key, f"proposals/{proposal}:withdraw", None))
    return await submit(runtime, caller.government, command)


_COMMITMENT: Final = re.compile(r"[0-9a-f]{64}")


def _proposal(books: Books, caller: Asker, found: Proposal) -> ProposalOut:
    content: dict[str, Any] = msgspec.json.decode(found.content)
    kind = ACTS.get(found.act)
    roles = tuple(sorted(kind.first | kind.second)) if kind is not None else ()
    texts = None
    if has_any(books, caller, roles):
        wanted = [v for v in content.values() if isinstance(v, str) and _COMMITMENT.fullmatch(v)]
        column = private_value.c
        rows = books.conn.execute(
            select(column.commitment, column.value).where(
                column.government == books.government, column.commitment.in_(wanted)
            )
        )
        values = {row.commitment: row.value for row in rows}
        texts = {
            name: values[v] for name, v in content.items() if isinstance(v, str) and v in values
        }
    return ProposalOut(
        proposal=found.id,
        act=found.act,
        proposed_by=found.proposed_by,
        proposed_at=found.proposed_at,
        leaf_index=found.leaf_index,
        outcome=found.outcome,
        decided_by=found.decided_by,
        decided_at=found.decided_at,
        content=content,
        texts=texts,
    )


# --- persons and tokens --------------------------------------------------------------------------


class GrantOut(Answer):
    """A grant as it counts today."""

    grant: str
    role: str
    skpd: str
    mandate: str
    valid_from: str
    valid_to: str


class PersonOut(Answer):
    """A person with the grants that were given; names go to administrators and inspectors."""

    person: str
    kind: str
    name: str | None
    grants: list[GrantOut]


class PersonList(Answer):
    """Persons by id."""

    persons: list[PersonOut]


class SearchBody(Body):
    """What to look for: an id, or part of a name."""

    person: str = ""
    name: Annotated[str, Field(max_length=200)] = ""

    model_config = _example(person="kasi-belanja")


@router.post(
    "/persons:search",
    responses=responses(
        *ASKING, le.UnknownPersonError, le.MalformedJsonError, le.DuplicateKeyError
    ),
    summary="Find persons",
)
def search_persons(books: Books, caller: Asker, body: SearchBody) -> PersonList:
    """POST, so that names stand in no address. Searching by name needs `admin` or `inspector`."""
    sees_names = has_any(books, caller, ("admin", "inspector"))
    if body.name:
        require_any(books, caller, ("admin", "inspector"))
    names = _names(books) if sees_names else {}
    wanted = body.name.casefold()
    return PersonList(
        persons=[
            PersonOut(
                person=person,
                kind=kind,
                name=names.get(person),
                grants=[
                    GrantOut(
                        grant=held.id,
                        role=held.role,
                        skpd=held.skpd,
                        mandate=held.mandate,
                        valid_from=held.valid_from,
                        valid_to=held.valid_to,
                    )
                    for held in books.settings.grants.get(person, ())
                ],
            )
            for person, kind in sorted(books.settings.persons.items())
            if (not body.person or person == body.person)
            and (not wanted or wanted in names.get(person, "").casefold())
        ]
    )


def _names(books: Books) -> dict[str, str]:
    person, value = t.person.c, private_value.c
    rows = books.conn.execute(
        select(person.id, value.value).where(
            person.government == books.government,
            value.government == person.government,
            value.commitment == person.name_c,
        )
    )
    return {row.id: row.value for row in rows}


@router.get("/roles", responses=responses(*ASKING), summary="Roles that may be granted")
def get_roles(_books: Books, _caller: Asker) -> dict[str, str]:
    """By identifier, with what they may do."""
    return dict(ROLES)


class TokenBody(Body):
    """To whom, for how long. *token_sha256* when the caller made the token itself."""

    person: str
    minutes: Int = tk.LIFETIME_DEFAULT_MINUTES
    token_sha256: str = ""

    model_config = _example(person="kasi-belanja", minutes=480)


class TokenOut(Answer):
    """`token` is shown once: not again when the request is repeated."""

    token_id: str
    person: str
    expires_at: str
    leaf_index: int
    token: str | None = None


_TOKEN_ERRORS: Final = (
    *WRITING,
    le.OwnApprovalError,
    tk.UnknownTokenError,
    tk.TokenEndedError,
)


@router.post(
    "/tokens",
    status_code=201,
    response_model=TokenOut,
    responses=responses(*_TOKEN_ERRORS),
    summary="Issue a token",
)
async def issue_token(runtime: RuntimeDep, key: Key, caller: Asker, body: TokenBody) -> Response:
    """Role `admin`, to somebody else. Only the token's SHA-256 is kept."""
    token = "" if body.token_sha256 else tk.new_token()
    command = tk.IssueToken(
        caller.person,
        body.person,
        body.token_sha256 or tk.token_sha256(token),
        body.minutes,
        idempotency=once(key, "tokens", body),
    )
    accepted = settled(await runtime.writers.of(caller.government).post(command))
    answer = msgspec.json.decode(accepted.answer)
    if token and not accepted.replayed:
        answer["token"] = token
    headers = {"Cache-Control": "no-store"}
    if accepted.replayed:
        headers["Idempotent-Replayed"] = "true"
    return Response(msgspec.json.encode(answer), accepted.status, headers, "application/json")


@router.post(
    "/tokens/{token_id}:revoke",
    status_code=201,
    responses=responses(*_TOKEN_ERRORS),
    summary="Revoke a token",
)
async def revoke_token(runtime: RuntimeDep, key: Key, caller: Asker, token_id: str) -> Response:
    """By an administrator, or by the person who holds it. Counts here at once, elsewhere in 5 s."""
    command = tk.RevokeToken(caller.person, token_id, once(key, f"tokens/{token_id}:revoke", None))
    answer = await submit(runtime, caller.government, command)
    runtime.tokens.forget()
    return answer
