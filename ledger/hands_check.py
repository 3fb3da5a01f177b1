"""
Whose hands: grants that may not meet, acts that are not what was proposed, tokens of one issuer.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
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

__all__ = ["check_grants", "check_proposals", "check_token_issuers"]

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
    if leaf.kind != _LEAF_OF.get(str(first.data.get("act"))):
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
        if data.get(name) != value:
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


class _Token(NamedTuple):
    leaf_index: int
    issued_by: str
    expires_at: str


# The hands of a payment: maker, verifier and approver of its SP2D, and who signed the SPM below it.
_HANDS = """
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
    tokens: dict[str, list[_Token]] = {}
    column = t.token.c
    for row in conn.execute(
        select(column.person_id, column.leaf_index, column.issued_by, column.expires_at)
        .where(column.government == government)
        .order_by(column.leaf_index)
    ):
        tokens.setdefault(row.person_id, []).append(
            _Token(row.leaf_index, row.issued_by, row.expires_at)
        )
    if not tokens:
        return
    payments: dict[str, tuple[int, str]] = {}
    current, reach = "", dict[str, set[str]]()
    rows = conn.execute(
        text(_HANDS), {"government": government}, execution_options={"yield_per": 2_000}
    )
    for row in rows:
        if row.payment != current:
            _count(payments, current, reach)
            current, reach = row.payment, {}
        reach.setdefault(row.person_id, set()).add(row.person_id)
        for issuer in _issuers(tokens.get(row.person_id, []), row.leaf_index, row.recorded_at):
            reach.setdefault(issuer, set()).add(row.person_id)
    _count(payments, current, reach)
    for issuer, (number, example) in sorted(payments.items()):
        yield Finding(
            "one_issuer",
            f"{issuer} issued tokens under which more than one hand acted in {number} payments,"
            f" first {example}",
            "token",
            issuer,
            "issued_by",
            severity="note",
        )


def _issuers(tokens: list[_Token], leaf_index: int, at: str) -> set[str]:
    """Who issued the tokens that were valid for the person when leaf *leaf_index* was written."""
    # No token lives longer: whoever was issued before one that expired a lifetime ago has expired.
    longest = timedelta(minutes=LIFETIME_MAX_MINUTES)
    past = instant_text(datetime.fromisoformat(at) - longest)
    found = set()
    for token in reversed(
        tokens[: bisect_left(tokens, leaf_index, key=lambda token: token.leaf_index)]
    ):
        if token.expires_at > at:
            found.add(token.issued_by)
        elif token.expires_at <= past:
            break
    return found


def _count(payments: dict[str, tuple[int, str]], payment: str, reach: dict[str, set[str]]) -> None:
    for person, hands in reach.items():
        if len(hands) > 1:
            number, example = payments.get(person, (0, payment))
            payments[person] = (number + 1, example)
