"""
Write decisions down: the rows of a match, their digest, and what is undone.

Shell. The automatic stages and the match by hand write the same rows; the undo of a match opens its
items again and is remembered, so that no later run repeats a decision that a person took back.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from sqlalchemy import and_, func, select

from audit import bulk
from audit.canonical import JsonInput, canonical_fast
from ledger.money import sen_text
from ledger.session import Session
from reconciliation import tables as t
from reconciliation.open_items import OpenItem, Side, add_open, remove_open

__all__ = [
    "Decision",
    "Member",
    "Undone",
    "match_form",
    "matches_sha256",
    "next_match_id",
    "read_undone",
    "reopen",
    "write_decisions",
]

_MATCH: Final = tuple(t.reconciliation_match.c.keys())
_MEMBER: Final = tuple(t.match_member.c.keys())

#: A bank line (`bank`) or a book entry (`book`) by id.
Member = tuple[Side, int, int]


@dataclass(frozen=True, slots=True)
class Decision:
    """One match to be written. *members* are (side, item, amount in sen), the bank's first."""

    stage: str
    status: str
    members: Sequence[Member]
    evidence: Mapping[str, JsonInput]
    runner_up: int


@dataclass(frozen=True, slots=True)
class Undone:
    """Matches that were undone: how often each item was in one, and which items were together."""

    rounds: Counter[tuple[str, int]]
    together: frozenset[frozenset[tuple[str, int]]]

    def holds(self, first: tuple[str, int], second: tuple[str, int]) -> bool:
        """Whether a person has taken apart these two before."""
        return frozenset((first, second)) in self.together


def read_undone(session: Session, bank_account: str) -> Undone:
    """What persons have undone on this account."""
    member, undo, match = t.match_member.c, t.match_undo.c, t.reconciliation_match.c
    rows = session.conn.execute(
        select(undo.match_id, member.side, member.item)
        .join(
            t.match_member,
            and_(member.government == undo.government, member.match_id == undo.match_id),
        )
        .join(
            t.reconciliation_match,
            and_(match.government == undo.government, match.id == undo.match_id),
        )
        .where(undo.government == session.government, match.bank_account == bank_account)
    )
    groups: dict[int, list[tuple[str, int]]] = {}
    for match_id, side, item in rows:
        groups.setdefault(match_id, []).append((side, item))
    rounds = Counter(member for group in groups.values() for member in group)
    together = frozenset(
        frozenset(pair) for group in groups.values() for pair in combinations(group, 2)
    )
    return Undone(rounds, together)


def next_match_id(session: Session) -> int:
    """The id that the next match will get."""
    last = session.conn.execute(
        select(func.max(t.reconciliation_match.c.id)).where(
            t.reconciliation_match.c.government == session.government
        )
    ).scalar()
    return int(last or 0) + 1


def write_decisions(
    session: Session,
    bank_account: str,
    decisions: Sequence[Decision],
    *,
    run_id: int,
    rule_version: str,
    leaf_index: int,
    undone: Undone,
) -> list[tuple[bulk.Row, list[bulk.Row]]]:
    """
    Write matches with their members and close their items. Returns the rows, match by match.

    The members go first: the match that completes them is checked by the database against them.
    """
    government, seq = session.government, session.batch.seq
    written: list[tuple[bulk.Row, list[bulk.Row]]] = []
    closed: dict[Side, list[int]] = {"bank": [], "book": []}
    for match_id, each in enumerate(decisions, start=next_match_id(session)):
        members: list[bulk.Row] = []
        for n, (side, item, sen) in enumerate(each.members, start=1):
            members.append((government, match_id, n, side, item, undone.rounds[side, item], sen))
            closed[side].append(item)
        row: bulk.Row = (
            government,
            match_id,
            bank_account,
            run_id,
            each.status,
            each.stage,
            rule_version,
            canonical_fast(each.evidence).decode(),
            each.runner_up,
            sum(sen for side, _, sen in each.members if side == "bank"),
            len(members),
            seq,
            leaf_index,
        )
        written.append((row, members))
    conn = session.conn
    bulk.insert_rows(
        conn, t.match_member, _MEMBER, [member for _, own in written for member in own]
    )
    bulk.insert_rows(conn, t.reconciliation_match, _MATCH, [row for row, _ in written])
    for side, items in closed.items():
        remove_open(session, side, items)
    return written


def match_form(row: Sequence[bulk.Value], members: Iterable[Sequence[bulk.Value]]) -> JsonInput:
    """Version 1 of a match in a digest or leaf: its row and its members, by position."""
    form: list[JsonInput] = [_text(value, name) for name, value in zip(_MATCH, row, strict=True)]
    own: list[JsonInput] = [
        [_text(value, name) for name, value in zip(_MEMBER, member, strict=True)][2:]
        for member in members
    ]
    return [*form[1:11], own]


def _text(value: bulk.Value, column: str) -> JsonInput:
    if column == "amount_sen" and isinstance(value, int):
        return sen_text(value)
    return value if isinstance(value, int | str) else None


def matches_sha256(
    matches: Iterable[tuple[Sequence[bulk.Value], Iterable[Sequence[bulk.Value]]]],
) -> str:
    """Digest of matches in order of id; "" when there are none."""
    digest = hashlib.sha256()
    is_empty = True
    for row, members in matches:
        is_empty = False
        digest.update(canonical_fast(match_form(row, members)) + b"\n")
    return "" if is_empty else digest.hexdigest()


def reopen(session: Session, bank_account: str, match_id: int) -> None:
    """Put the items of an undone match back into the working set."""
    member = t.match_member.c
    rows = session.conn.execute(
        select(member.side, member.item).where(
            member.government == session.government, member.match_id == match_id
        )
    ).all()
    sides: tuple[Side, ...] = ("bank", "book")
    for side in sides:
        wanted: list[bulk.Row] = [(session.government, r.item) for r in rows if r.side == side]
        table, day = (
            (t.bank_line, "booked_on") if side == "bank" else (t.book_entry, "effective_on")
        )
        found = bulk.read_rows(
            session.conn, table, ("government", "id"), (day, "amount_sen", "found_keys"), wanted
        )
        items = [
            OpenItem(int(str(row[1])), str(row[2]), int(str(row[3])), str(row[4])) for row in found
        ]
        add_open(session, bank_account, side, items)
