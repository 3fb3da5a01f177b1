"""
What persons decide about matches: match by hand, and undo, each proposed by one and confirmed by another.

    Propose(by, MatchByHand(...)) -> Confirm(by another)      leaf `match.made`
    Propose(by, UndoMatch(...))   -> Confirm(by another)      leaf `match.undone`

A match by hand comes out even to the sen like any other; a difference is booked, never matched away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from sqlalchemy import and_, select

from audit import bulk
from ledger.acts import Act, Done, Hands, act_leaf
from ledger.errors import InvalidFieldError, UnknownBankAccountError
from ledger.journals import check_text
from ledger.money import sen_text
from ledger.proposals import ACTS
from ledger.session import Session
from reconciliation import tables as t
from reconciliation.decisions import (
    Decision,
    Member,
    match_form,
    next_match_id,
    read_undone,
    reopen,
    write_decisions,
)
from reconciliation.errors import (
    ItemNotOpenError,
    MatchAlreadyUndoneError,
    UnevenMatchError,
    UnknownItemError,
    UnknownMatchError,
)
from reconciliation.stages import MANUAL, RULE_VERSION

__all__ = ["MEMBERS_MAX", "MatchByHand", "UndoMatch"]

#: Members of a match by hand; its leaf holds them all.
MEMBERS_MAX: Final = 400

_RECONCILERS: Final = frozenset({"reconciler"})


@dataclass(frozen=True, slots=True)
class MatchByHand(Act):
    """
    Bank lines and book entries that belong together, by two reconcilers.

    lines: ids of bank lines; entries: ids of book entries, as the last run knows them. One side may
    be empty where the other cancels itself out (a double debit and its correction). reason: a text as
    asked for, a commitment once proposed.
    """

    act: ClassVar[str] = "match.made"
    first: ClassVar[frozenset[str]] = _RECONCILERS
    second: ClassVar[frozenset[str]] = _RECONCILERS
    of_operator: ClassVar[bool] = False

    bank_account: str
    lines: tuple[int, ...]
    entries: tuple[int, ...]
    reason: str

    def keep(self, session: Session, hands: Hands) -> Act:
        """Raises InvalidFieldError, UnknownBankAccountError."""
        if self.bank_account not in session.settings.bank_accounts:
            raise UnknownBankAccountError(bank_account=self.bank_account[:80])
        check_text("reason", self.reason, least=1, most=1_000)
        for name, ids in (("lines", self.lines), ("entries", self.entries)):
            if len(set(ids)) != len(ids):
                raise InvalidFieldError(name, "names each item once", len(ids))
        if not 2 <= len(self.lines) + len(self.entries) <= MEMBERS_MAX:
            raise InvalidFieldError(
                "lines and entries", f"are 2 to {MEMBERS_MAX}", len(self.lines) + len(self.entries)
            )
        reason = session.private("reason", self.reason, subject=f"match:{hands.proposal}")
        return replace(
            self,
            lines=tuple(sorted(self.lines)),
            entries=tuple(sorted(self.entries)),
            reason=reason,
        )

    def check(self, session: Session, hands: Hands) -> None:  # noqa: ARG002  # the base's
        """Raises UnknownItemError, ItemNotOpenError, UnevenMatchError."""
        self._members(session)

    def perform(self, session: Session, hands: Hands) -> Done:
        """Leaf `match.made` with the whole match; its rows."""
        members = self._members(session)
        leaf_index = session.batch.next_index
        match_id = next_match_id(session)
        undone = read_undone(session, self.bank_account)
        decision = Decision(MANUAL, "manual", members, {"reason": self.reason}, 0)
        with session.conn.begin_nested():
            ((row, rows),) = write_decisions(
                session,
                self.bank_account,
                [decision],
                run_id=0,
                rule_version=RULE_VERSION,
                leaf_index=leaf_index,
                undone=undone,
            )
        leaf = act_leaf(
            session,
            "match.made",
            {**self.content(), "match": match_id, "form": match_form(row, rows)},
            hands,
        )
        if leaf != leaf_index:
            raise RuntimeError("a leaf came between a match and its act")
        bank = sum(sen for side, _, sen in members if side == "bank")
        return Done(leaf, {"match": match_id, "members": len(members), "amount": sen_text(bank)})

    def _members(self, session: Session) -> list[Member]:
        """The items with their amounts, once all are open and come out even."""
        members: list[Member] = []
        members += (("bank", i, sen) for i, sen in _open(session, self, "bank", self.lines))
        members += (("book", i, sen) for i, sen in _open(session, self, "book", self.entries))
        bank = sum(sen for side, _, sen in members if side == "bank")
        book = sum(sen for side, _, sen in members if side == "book")
        if bank != book:
            raise UnevenMatchError(bank_sen=bank, book_sen=book)
        return members


@dataclass(frozen=True, slots=True)
class UndoMatch(Act):
    """
    Take a match apart, by two reconcilers. Its items are open again.

    No later run puts the same two items together; persons still may. reason: a text as asked for, a
    commitment once proposed.
    """

    act: ClassVar[str] = "match.undone"
    first: ClassVar[frozenset[str]] = _RECONCILERS
    second: ClassVar[frozenset[str]] = _RECONCILERS
    of_operator: ClassVar[bool] = False

    match: int
    reason: str

    def keep(self, session: Session, hands: Hands) -> Act:
        """Raises InvalidFieldError."""
        check_text("reason", self.reason, least=1, most=1_000)
        reason = session.private("reason", self.reason, subject=f"match:{hands.proposal}")
        return replace(self, reason=reason)

    def check(self, session: Session, hands: Hands) -> None:  # noqa: ARG002  # the base's
        """Raises UnknownMatchError, MatchAlreadyUndoneError."""
        self._bank_account(session)

    def perform(self, session: Session, hands: Hands) -> Done:
        """Leaf `match.undone`; the items are open again."""
        bank_account = self._bank_account(session)
        leaf = act_leaf(session, "match.undone", self.content(), hands)
        bulk.insert_rows(
            session.conn,
            t.match_undo,
            tuple(t.match_undo.c.keys()),
            [
                (
                    session.government,
                    self.match,
                    hands.confirmed_by,
                    self.reason,
                    session.batch.seq,
                    leaf,
                )
            ],
        )
        reopen(session, bank_account, self.match)
        return Done(leaf, {"match": self.match, "bank_account": bank_account})

    def _bank_account(self, session: Session) -> str:
        match, undo = t.reconciliation_match.c, t.match_undo.c
        row = session.conn.execute(
            select(match.bank_account, undo.match_id)
            .outerjoin(
                t.match_undo, and_(undo.government == match.government, undo.match_id == match.id)
            )
            .where(match.government == session.government, match.id == self.match)
        ).first()
        if row is None:
            raise UnknownMatchError(match=self.match)
        if row.match_id is not None:
            raise MatchAlreadyUndoneError(match=self.match)
        return str(row.bank_account)


def _open(
    session: Session, act: MatchByHand, side: str, ids: Sequence[int]
) -> list[tuple[int, int]]:
    """(item, amount in sen) of items that are open. Raises UnknownItemError, ItemNotOpenError."""
    rows = bulk.read_rows(
        session.conn,
        t.open_item,
        ("government", "side", "item"),
        ("bank_account", "amount_sen"),
        [(session.government, side, item) for item in ids],
    )
    found = {int(str(row[2])): int(str(row[4])) for row in rows if row[3] == act.bank_account}
    for item in ids:
        if item not in found:
            match = _match_of(session, side, item)
            if match is None:
                raise UnknownItemError(side=side, item=str(item), bank_account=act.bank_account)
            raise ItemNotOpenError(side=side, item=str(item), match=match)
    return [(item, found[item]) for item in ids]


def _match_of(session: Session, side: str, item: int) -> int | None:
    member = t.match_member.c
    return session.conn.execute(
        select(member.match_id)
        .where(member.government == session.government, member.side == side, member.item == item)
        .order_by(member.round.desc())
        .limit(1)
    ).scalar()


# Acts of two persons are proposed and confirmed one floor below, by name; these two join them.
ACTS[MatchByHand.act] = MatchByHand
ACTS[UndoMatch.act] = UndoMatch
