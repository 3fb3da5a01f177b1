"""
Whose hands: grants that may not meet, acts that are not what was proposed, tokens of one issuer.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select, text

from audit.canonical import canonical_fast, parse_canonical
from audit.database import log_leaf
from audit.errors import AuditError, NotCanonicalError
from audit.keys import verify_possession
from audit.log import instant_text
from ledger import tables as t
from ledger.findings import Finding
from ledger.officer_keys import possession_challenge
from ledger.persons import SERVICE_ROLES, exclusive_conflict
from ledger.rederive import Leaf, Row
from ledger.settings import Grant
from ledger.tokens import LIFETIME_MAX_MINUTES

__all__ = [
    "HandMoved",
    "TokenIssued",
    "check_grants",
    "check_proposals",
    "check_token_issuers",
    "shared_issuers",
]

#: The leaf that each act writes when it is confirmed.
_LEAF_OF: Final = {
    "person.add": "person.added",
    "grant.give": "grant.given",
    "grant.end": "grant.ended",
    "officer_key.enroll": "officer_key.enrolled",
    "officer_key.revoke": "officer_key.revoked",
    "policy.set": "policy.set",
    "entity.add": "entity.added",
    "bank_account.add": "bank_account.added",
    "fiscal_year.open": "fiscal_year.opened",
    "journal.manual": "proposal.confirmed",
    "journal.reverse": "proposal.confirmed",
    "payee.erase": "payee.erased",
    "allowance.set": "allowance.set",
    "payment.settled": "payment.settled",
}


# --- grants ----------------------------------------------------------------------------------------


def check_grants(
    persons: Iterable[Row], given: Iterable[Row], ended: Iterable[Row]
) -> Iterator[Finding]:
    """No roles that exclude each other in the same days, no service as officer, two hands each."""
    kinds = {row["id"]: row["kind"] for row in persons}
    ends = {row["grant_id"]: row["ended_on"] for row in ended}
    held: dict[str, list[Grant]] = {}
    for row in given:
        if row["given_by"] == row["confirmed_by"]:
            yield _grant_finding(row, "hands_same", f"{row['given_by']} was both hands")
        if kinds.get(row["person_id"]) == "service" and row["role"] not in SERVICE_ROLES:
            yield _grant_finding(row, "service_role", f"service {row['person_id']} is no officer")
        valid_to = row["valid_to"]
        if row["id"] in ends and ends[row["id"]] <= valid_to:
            valid_to = (date.fromisoformat(ends[row["id"]]) - timedelta(days=1)).isoformat()
        if valid_to < row["valid_from"]:
            continue
        grant = Grant(
            row["id"], row["role"], row["skpd"], row["mandate"], row["valid_from"], valid_to
        )
        others = held.setdefault(row["person_id"], [])
        conflict = exclusive_conflict(grant, others)
        if conflict is not None:
            yield _grant_finding(
                row,
                "exclusive_roles",
                f"{row['person_id']} holds {row['role']} and, by grant {conflict.id},"
                f" {conflict.role}",
            )
        others.append(grant)


def _grant_finding(row: Row, code: str, what: str) -> Finding:
    return Finding(code, f"grant {row['id']}: {what}", "grant_given", str(row["id"]), "role")


# --- proposals -------------------------------------------------------------------------------------


def check_proposals(conn: Connection, government: str, acts: Sequence[Leaf]) -> Iterator[Finding]:
    """What was done is what was proposed, by another person; keys were held by their officers."""
    proposed: dict[str, Leaf] = {}
    for leaf in acts:
        if leaf.kind == "proposal.made":
            proposed[leaf.data["proposal"]] = leaf
            continue
        if leaf.kind == "officer_key.enrolled":
            yield from _check_possession(leaf)
        proposal = leaf.data.get("proposal")
        if proposal is None:
            continue
        first = proposed.get(proposal)
        if first is None or first.by != leaf.data.get("proposed_by"):
            yield _differs(leaf, "was not proposed so")
        elif leaf.kind != "proposal.withdrawn":
            yield from _check_done(conn, government, first, leaf)


def _check_done(conn: Connection, government: str, first: Leaf, leaf: Leaf) -> Iterator[Finding]:
    if leaf.by == first.by or leaf.by != leaf.data.get("confirmed_by"):
        yield Finding(
            "hands_same",
            f"leaf {leaf.index}: {leaf.by} may not confirm what {first.by} proposed",
            "proposal_end",
            str(leaf.data["proposal"]),
            "decided_by",
        )
    # An act of another floor writes a leaf of its own form: what both name must be the same there.
    wanted = _LEAF_OF.get(str(first.data.get("act")))
    if wanted != leaf.kind and (wanted is not None or leaf.kind in _LEAF_OF.values()):
        yield _differs(leaf, f"proposed was {first.data.get('act')}")
        return
    content = _content(conn, government, first)
    if content is None:
        return  # the row of the proposal is named by its own comparison
    if leaf.kind == "proposal.confirmed":
        yield from _check_journal(conn, government, first, leaf, content)
        return
    data = dict(leaf.data)
    if "commitments_sha256" in data:
        packed = hashlib.sha256(canonical_fast(content.get("commitments"))).hexdigest()
        if packed == data["commitments_sha256"]:
            data["commitments"] = content.get("commitments")
    for name, value in content.items():
        if data.get(name) != value and (wanted is not None or name in data):
            yield _differs(leaf, f"{name} is not what was proposed")


def _check_journal(
    conn: Connection, government: str, first: Leaf, leaf: Leaf, content: Mapping[str, Any]
) -> Iterator[Finding]:
    body = conn.execute(
        select(log_leaf.c.body).where(
            log_leaf.c.government == government,
            log_leaf.c.idx == leaf.data.get("journal_leaf"),
        )
    ).scalar()
    try:
        posted: Any = parse_canonical(bytes(body)) if body is not None else None
        journal: Mapping[str, Any] = posted["data"]
        wanted: dict[str, Any] = {
            "journal": leaf.data["journal"],
            "maker": first.by,
            "source": journal["source"],
        }
        if first.data["act"] == "journal.reverse":
            wanted |= {
                "reverses": content["journal"],
                "reference": content["reference"],
                "effective_on": content["effective_on"],
            }
        else:
            same = ("reference", "effective_on", "kind", "period", "document_no", "batch_no")
            wanted |= {name: content[name] for name in same}
            wanted["source"] = "manual"
            if "lines" in journal:
                wanted["lines"] = content["lines"]
            else:
                packed = canonical_fast(content["lines"])
                wanted["lines_sha256"] = hashlib.sha256(packed).hexdigest()
        differing = [name for name, value in wanted.items() if journal.get(name) != value]
        if posted["act"] != "journal.posted" or posted["by"] != leaf.by:
            differing.append("poster")
    except (NotCanonicalError, KeyError, TypeError):
        differing = ["journal"]
    for name in differing:
        yield _differs(leaf, f"{name} of the journal is not what was drafted")


def _content(conn: Connection, government: str, first: Leaf) -> Mapping[str, Any] | None:
    if "content" in first.data:
        content = first.data["content"]
        return content if isinstance(content, dict) else {}
    stored = conn.execute(
        select(t.proposal.c.content).where(
            t.proposal.c.government == government, t.proposal.c.id == first.data["proposal"]
        )
    ).scalar()
    if stored is None or hashlib.sha256(bytes(stored)).hexdigest() != first.data["content_sha256"]:
        return None
    try:
        said = parse_canonical(bytes(stored))
    except NotCanonicalError:
        return None
    return said if isinstance(said, dict) else None


def _check_possession(leaf: Leaf) -> Iterator[Finding]:
    data = leaf.data
    try:
        verify_possession(
            bytes.fromhex(data["public_key"]),
            possession_challenge(data["origin"], data["person"]),
            bytes.fromhex(data["possession"]),
        )
    except (AuditError, KeyError, ValueError) as error:
        yield Finding(
            "possession_not_proven",
            f"leaf {leaf.index}: the key of {data.get('person')} was not shown to be held"
            f" ({type(error).__name__})",
            "officer_key",
            str(data.get("key_id")),
            "possession",
        )


def _differs(leaf: Leaf, what: str) -> Finding:
    return Finding(
        "act_differs_from_proposal",
        f"leaf {leaf.index} ({leaf.kind}): {what}",
        "proposal_end",
        str(leaf.data.get("proposal")),
        "leaf_index",
    )


# --- tokens ----------------------------------------------------------------------------------------


class TokenIssued(NamedTuple):
    """A token by its leaf, its issuer and when it expires."""

    leaf_index: int
    issued_by: str
    expires_at: str


class HandMoved(NamedTuple):
    """One hand of a payment: who, in which leaf, when."""

    payment: str
    person: str
    leaf_index: int
    at: str


# The hands of a payment: maker, verifier and approver of its SP2D, and who signed the SPM below it.
_HANDS: Final = """
SELECT CASE WHEN d.kind = 'spm' THEN d.id ELSE d.parent_id END AS payment, m.person_id, m.leaf_index, b.recorded_at
  FROM document_move m
  JOIN document d ON d.government = m.government AND d.id = m.document_id
  JOIN log_leaf l ON l.government = m.government AND l.idx = m.leaf_index
  JOIN batch b ON b.government = l.government AND b.seq = l.batch_seq
  WHERE m.government = :government AND m.hand <> ''
  ORDER BY 1, m.leaf_index"""


def check_token_issuers(conn: Connection, government: str) -> Iterator[Finding]:
    """
    Note who issued the tokens of two hands of one payment, or was one hand and issued another's:
    that person could have acted as both. One note an issuer, with the number of payments.
    """
    tokens: dict[str, list[TokenIssued]] = {}
    column = t.token.c
    for person, *token in conn.execute(
        select(column.person_id, column.leaf_index, column.issued_by, column.expires_at)
        .where(column.government == government)
        .order_by(column.leaf_index)
    ):
        tokens.setdefault(person, []).append(TokenIssued(*token))
    if not tokens:
        return
    rows = conn.execute(
        text(_HANDS), {"government": government}, execution_options={"yield_per": 2_000}
    )
    shared = shared_issuers(tokens, (HandMoved(*row) for row in rows))
    for issuer, (number, example) in sorted(shared.items()):
        yield Finding(
            "one_issuer",
            f"{issuer} could act as more than one hand of {number} payments by tokens issued to"
            f" others, first of {example}",
            "token",
            issuer,
            "issued_by",
            severity="note",
        )


def shared_issuers(
    tokens: Mapping[str, Sequence[TokenIssued]], hands: Iterable[HandMoved]
) -> dict[str, tuple[int, str]]:
    """
    By person who reached more than one hand of a payment: how many payments, and the first.

    *tokens* by their person, in order of leaves; *hands* in order of payments.
    """
    found: dict[str, tuple[int, str]] = {}
    for payment, moves in groupby(hands, key=lambda move: move.payment):
        reach: dict[str, set[str]] = {}
        for move in moves:
            reach.setdefault(move.person, set()).add(move.person)
            for issuer in _issuers(tokens.get(move.person, ()), move):
                reach.setdefault(issuer, set()).add(move.person)
        for person, reached in reach.items():
            if len(reached) > 1:
                number, first = found.get(person, (0, payment))
                found[person] = (number + 1, first)
    return found


def _issuers(tokens: Sequence[TokenIssued], move: HandMoved) -> set[str]:
    """Who issued the tokens that were valid for the person when the hand moved."""
    # No token lives longer: whatever was issued before one that expired a lifetime ago has expired.
    longest = timedelta(minutes=LIFETIME_MAX_MINUTES)
    past = instant_text(datetime.fromisoformat(move.at) - longest)
    found = set()
    before = bisect_left(tokens, move.leaf_index, key=lambda token: token.leaf_index)
    for token in reversed(tokens[:before]):
        if token.expires_at > move.at:
            found.add(token.issued_by)
        elif token.expires_at <= past:
            break
    return found
