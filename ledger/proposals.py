"""
Two-person acts: proposed by one person, confirmed (or not) by another.

    Propose -> proposal, leaf `proposal.made`
    Confirm -> the act itself, its own leaf naming both hands, proposal_end
    Withdraw -> leaf `proposal.withdrawn`, proposal_end

A proposal's content is the canonical JSON of its act over commitments. It goes into the leaf of the
first half, by hash where it is long; the second half refuses a proposal that is not what its leaf
says, so that nobody confirms what nobody proposed. The database refuses one person for both halves.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select, text

from audit import bulk
from audit.canonical import JsonInput, canonical, parse_canonical
from audit.database import log_leaf
from audit.errors import NotCanonicalError
from ledger.acts import Act, Ask, Done, Hands, insert_row
from ledger.allowances import SetAllowance
from ledger.answers import Idempotency
from ledger.errors import LedgerError, NotGrantedError, OwnApprovalError
from ledger.journals import JournalBody
from ledger.manual import AskManualJournal, AskReversal, ManualJournal, ReverseByTwo
from ledger.officer_keys import EnrollOfficerKey, RevokeOfficerKey
from ledger.persons_shell import AddPerson, EndGrant, GiveGrant
from ledger.policies import AddBankAccount, AddEntity, OpenFiscalYear, SetPolicy
from ledger.privacy import Erase
from ledger.session import Answer, Session, Wants
from ledger.settings import Settings

__all__ = [
    "ACTS",
    "BothHands",
    "Confirm",
    "DraftManualJournal",
    "DraftReversal",
    "NotForOperatorError",
    "PostManualJournal",
    "Proposal",
    "ProposalAlteredError",
    "ProposalEndedError",
    "Propose",
    "UnknownProposalError",
    "Withdraw",
    "list_proposals",
    "read_proposal",
]

#: Every act of two persons, by the name its proposals carry.
ACTS: Final[dict[str, type[Act]]] = {
    kind.act: kind
    for kind in (
        AddPerson,
        GiveGrant,
        EndGrant,
        EnrollOfficerKey,
        RevokeOfficerKey,
        SetPolicy,
        AddEntity,
        AddBankAccount,
        OpenFiscalYear,
        ManualJournal,
        ReverseByTwo,
        Erase,
        SetAllowance,
    )
}
#: Acts that post a journal and are confirmed by an accountant.
JOURNAL_ACTS: Final = ("journal.manual", "journal.reverse")

#: Content up to this many bytes stands in the leaf; longer content goes in by SHA-256.
INLINE_CONTENT_MAX: Final = 48_000


class UnknownProposalError(LedgerError):
    """No such proposal, or not of the act that was asked for."""

    def __init__(self, *, proposal: str) -> None:
        super().__init__(f"proposal {proposal} does not exist", proposal=proposal)


class ProposalEndedError(LedgerError):
    """A proposal is decided once."""

    def __init__(self, *, proposal: str, outcome: str, decided_by: str) -> None:
        super().__init__(
            f"proposal {proposal} was {outcome} by {decided_by}",
            proposal=proposal,
            outcome=outcome,
            decided_by=decided_by,
        )


class ProposalAlteredError(LedgerError):
    """The stored proposal is not the one in the log: somebody changed it behind the ledger's back."""

    def __init__(self, *, proposal: str, leaf_index: int) -> None:
        super().__init__(
            f"proposal {proposal} is not what leaf {leaf_index} says",
            proposal=proposal,
            leaf_index=leaf_index,
        )


class NotForOperatorError(LedgerError):
    """The hands of acts on money are persons with tokens of their own."""

    final = True

    def __init__(self, *, act: str) -> None:
        super().__init__(f"the operator may not do both halves of {act}", act=act)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal as it stands; *outcome* is empty while it is open."""

    id: str
    act: str
    content: bytes
    proposed_by: str
    proposed_at: str
    leaf_index: int
    outcome: str
    decided_by: str
    decided_at: str


# --- commands ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Propose:
    """The first half of *act*. Answers the proposal's id."""

    by: str
    act: Ask
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises NotGrantedError and whatever the act is refused for."""
        hands = Hands(_new_id(), self.by)
        act = _first_half(session, self.act, hands)
        act.check(session, hands)
        content = canonical(act.content())
        leaf = _leaf_made(session, act, content, hands)
        _write_proposal(session, act, content, hands, leaf)
        return {
            "proposal": hands.proposal,
            "act": act.act,
            "leaf_index": leaf,
            "recorded_at": session.batch.recorded_at,
        }


@dataclass(frozen=True, slots=True)
class Confirm:
    """The second half: the act happens. *among* narrows the acts (empty: any)."""

    by: str
    proposal: str
    idempotency: Idempotency | None = None
    among: Sequence[str] = ()

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing: what the proposal says is read later."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """
        Raises:
            UnknownProposalError, ProposalEndedError, OwnApprovalError, NotGrantedError,
            ProposalAlteredError, and whatever the act is refused for by now
        """
        found = _open_proposal(session, self.proposal, self.among)
        if self.by == found.proposed_by:
            raise OwnApprovalError(person=self.by, first="proposer", second="confirmer")
        act = _act_of(session, found)
        _require_one(session, self.by, act.second)
        hands = Hands(found.id, found.proposed_by, self.by)
        act.check(session, hands)
        done = act.perform(session, hands)
        _write_end(session, hands, "confirmed", self.by, done.leaf_index)
        return _answer(session, act, hands, done)


@dataclass(frozen=True, slots=True)
class Withdraw:
    """End a proposal without its act: by its proposer, or by one who might have confirmed it."""

    by: str
    proposal: str
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises UnknownProposalError, ProposalEndedError, NotGrantedError."""
        found = _open_proposal(session, self.proposal, ())
        if self.by != found.proposed_by:
            kind = ACTS[found.act]
            _require_one(session, self.by, kind.first | kind.second)
        hands = Hands(found.id, found.proposed_by)
        leaf = session.batch.leaf(
            "proposal.withdrawn",
            self.by,
            {"proposal": found.id, "act": found.act, "proposed_by": found.proposed_by},
        )
        _write_end(session, hands, "withdrawn", self.by, leaf)
        return {"proposal": found.id, "act": found.act, "leaf_index": leaf}


@dataclass(frozen=True, slots=True)
class BothHands:
    """
    Both halves at once, by the operator's own command, in the names of two administrators.

    For setting up: the leaf of the first half says that the operator claimed both hands.
    """

    by: str
    confirmed_by: str
    act: Ask
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises what Propose and Confirm raise, and NotForOperatorError."""
        if not self.act.of_operator:
            raise NotForOperatorError(act=self.act.act)
        if self.by == self.confirmed_by:
            raise OwnApprovalError(person=self.by, first="proposer", second="confirmer")
        _require_one(session, self.by, frozenset({"admin"}))
        _require_one(session, self.confirmed_by, self.act.second)
        hands = Hands(_new_id(), self.by, self.confirmed_by)
        act = _first_half(session, self.act, hands)
        act.check(session, hands)
        content = canonical(act.content())
        made = _leaf_made(session, act, content, hands, by_operator=True)
        done = act.perform(session, hands)
        _write_proposal(session, act, content, hands, made)
        _write_end(session, hands, "confirmed", self.confirmed_by, done.leaf_index)
        return _answer(session, act, hands, done)


# Names of their own for the journal's two halves, which callers read more easily.


def DraftManualJournal(  # noqa: N802  # a command, built as one
    by: str, body: JournalBody, idempotency: Idempotency | None = None
) -> Propose:
    """Draft a manual journal (role `accountant`)."""
    return Propose(by, AskManualJournal(body), idempotency)


def DraftReversal(  # noqa: N802  # as above
    by: str,
    journal_id: int,
    reference: str,
    effective_on: str,
    reason: str,
    idempotency: Idempotency | None = None,
) -> Propose:
    """Draft the reversal of a journal that was posted by hand or is the bank's fact."""
    return Propose(by, AskReversal(journal_id, reference, effective_on, reason), idempotency)


def PostManualJournal(  # noqa: N802  # as above
    by: str, proposal: str, idempotency: Idempotency | None = None
) -> Confirm:
    """Post what another accountant drafted, a journal or a reversal."""
    return Confirm(by, proposal, idempotency, JOURNAL_ACTS)


# --- reading -------------------------------------------------------------------------------------


def read_proposal(conn: Connection, government: str, proposal: str) -> Proposal:
    """One proposal. Raises UnknownProposalError."""
    found = _proposals(conn, government, "AND p.id = :id", {"id": proposal})
    if not found:
        raise UnknownProposalError(proposal=proposal[:80])
    return found[0]


def list_proposals(
    conn: Connection,
    government: str,
    *,
    is_open: bool | None = None,
    act: str = "",
    after: int = -1,
    limit: int = 100,
) -> list[Proposal]:
    """Proposals in order of the log, from the one after leaf *after*."""
    where, values = "AND p.leaf_index > :after", {"after": after, "limit": limit, "act": act}
    if is_open is not None:
        where += f" AND e.proposal_id IS {'' if is_open else 'NOT '}NULL"
    if act:
        where += " AND p.act = :act"
    else:
        del values["act"]
    return _proposals(conn, government, f"{where} ORDER BY p.leaf_index LIMIT :limit", values)


def _proposals(
    conn: Connection, government: str, where: str, values: dict[str, Any]
) -> list[Proposal]:
    rows = conn.execute(
        text(
            "SELECT p.id, p.act, p.content, p.proposed_by, p.proposed_at, p.leaf_index,"
            " coalesce(e.outcome, ''), coalesce(e.decided_by, ''), coalesce(e.decided_at, '')"
            " FROM proposal p LEFT JOIN proposal_end e"
            " ON e.government = p.government AND e.proposal_id = p.id"
            f" WHERE p.government = :government {where}"
        ),
        {"government": government, **values},
    )
    return [
        Proposal(
            id=row[0],
            act=row[1],
            content=bytes(row[2]),
            proposed_by=row[3],
            proposed_at=row[4],
            leaf_index=row[5],
            outcome=row[6],
            decided_by=row[7],
            decided_at=row[8],
        )
        for row in rows
    ]


# --- halves --------------------------------------------------------------------------------------


def _new_id() -> str:
    return f"p-{secrets.token_hex(8)}"


def _require_one(session: Session, person: str, roles: frozenset[str]) -> None:
    """Raises UnknownPersonError, NotGrantedError when the person holds none of *roles* today."""
    if any(session.settings.grant(person, role, session.today) for role in roles):
        return
    named = " or ".join(sorted(roles))
    if len(roles) == 1 or person not in session.settings.persons:
        session.settings.require(person, named, session.today)
    raise NotGrantedError(person=person, role=named, on=session.today)


def _first_half(session: Session, ask: Ask, hands: Hands) -> Act:
    person = hands.proposed_by
    if not (ask.may_propose(person) and person in session.settings.persons):
        _require_one(session, person, ask.first)
    return ask.keep(session, hands)


def _open_proposal(session: Session, proposal: str, among: Sequence[str]) -> Proposal:
    found = read_proposal(session.conn, session.government, proposal)
    if found.act not in ACTS or (among and found.act not in among):
        raise UnknownProposalError(proposal=proposal[:80])
    if found.outcome:
        raise ProposalEndedError(
            proposal=found.id, outcome=found.outcome, decided_by=found.decided_by
        )
    return found


def _act_of(session: Session, found: Proposal) -> Act:
    """The act that was proposed, compared with the log. Raises ProposalAlteredError."""
    body = session.conn.execute(
        select(log_leaf.c.body).where(
            log_leaf.c.government == session.government, log_leaf.c.idx == found.leaf_index
        )
    ).scalar()
    try:
        content = parse_canonical(found.content)
        # Nobody knows a proposal's id before its batch is written: its leaf is there, or never was.
        said = parse_canonical(bytes(body)) if body is not None else None
    except NotCanonicalError:
        raise ProposalAlteredError(proposal=found.id, leaf_index=found.leaf_index) from None
    if not isinstance(content, dict) or not _leaf_says(said, found, content):
        raise ProposalAlteredError(proposal=found.id, leaf_index=found.leaf_index)
    try:
        return ACTS[found.act].of(content)
    except msgspec.ValidationError:
        raise ProposalAlteredError(proposal=found.id, leaf_index=found.leaf_index) from None


def _leaf_says(leaf: object, found: Proposal, content: JsonInput) -> bool:
    if not isinstance(leaf, dict) or not isinstance(leaf.get("data"), dict):
        return False
    data = leaf["data"]
    same = (leaf.get("act"), leaf.get("by"), data.get("proposal"), data.get("act")) == (
        "proposal.made",
        found.proposed_by,
        found.id,
        found.act,
    )
    if "content" in data:
        return same and data["content"] == content
    return same and data.get("content_sha256") == hashlib.sha256(found.content).hexdigest()


def _leaf_made(
    session: Session, act: Act, content: bytes, hands: Hands, *, by_operator: bool = False
) -> int:
    data: dict[str, JsonInput] = {
        "proposal": hands.proposal,
        "act": act.act,
        "by_operator": by_operator,
    }
    if len(content) <= INLINE_CONTENT_MAX:
        data["content"] = act.content()
    else:
        data["content_sha256"] = hashlib.sha256(content).hexdigest()
    return session.batch.leaf("proposal.made", hands.proposed_by, data)


def _write_proposal(session: Session, act: Act, content: bytes, hands: Hands, leaf: int) -> None:
    insert_row(
        session,
        "proposal",
        id=hands.proposal,
        act=act.act,
        content=content,
        proposed_by=hands.proposed_by,
        proposed_at=session.batch.recorded_at,
        leaf_index=leaf,
    )


def _write_end(session: Session, hands: Hands, outcome: str, by: str, leaf: int) -> None:
    # `proposed_by` stands here again, tied to the proposal by a foreign key, so that a CHECK can
    # see both hands.
    row: dict[str, bulk.Value] = {
        "government": session.government,
        "proposal_id": hands.proposal,
        "proposed_by": hands.proposed_by,
        "outcome": outcome,
        "decided_by": by,
        "decided_at": session.batch.recorded_at,
        "leaf_index": leaf,
    }
    session.conn.execute(
        text(
            f"INSERT INTO proposal_end ({', '.join(row)}) VALUES ({', '.join(f':{c}' for c in row)})"
        ),
        row,
    )


def _answer(session: Session, act: Act, hands: Hands, done: Done) -> Answer:
    return {
        **done.answer,
        "proposal": hands.proposal,
        "act": act.act,
        "proposed_by": hands.proposed_by,
        "leaf_index": done.answer.get("leaf_index", done.leaf_index),
        "recorded_at": session.batch.recorded_at,
    }
