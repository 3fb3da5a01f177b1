"""
A statement that the bank issued anew takes the place of an earlier one, by two reconcilers.

    ImportStatement(reissue=True)                     kept aside, nothing of it reaches the account
    Propose(by, SupersedeStatement(...)) -> Confirm(by another)
        leaf `match.superseded`      each match that has a line which is gone
        leaf `statement.superseded`  which statements, what is gone, why, and both hands
        leaf `statement.imported`    each statement in its new place

Lines that recur stay the lines they were, with their matches. Nothing of the earlier statement is
changed: what stands is the statement that no other supersedes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from sqlalchemy import and_, select

from audit import bulk
from audit.canonical import JsonInput, canonical_fast
from bank_adapters.statements import Statement, profile_of_record
from ledger.acts import Act, Done, Hands, act_leaf
from ledger.errors import InvalidFieldError
from ledger.journals import check_text
from ledger.proposals import ACTS
from ledger.session import Session
from reconciliation import tables as t
from reconciliation.admission import check_form, content_of
from reconciliation.decisions import reopen
from reconciliation.errors import (
    NotKeptAsideError,
    NotSupersedableError,
    StatementBytesErasedError,
    StatementRefusedError,
)
from reconciliation.intake import ImportStatement, read_import
from reconciliation.known import is_superseded, place_of
from reconciliation.lasting import Place, Reissued, reissued
from reconciliation.open_items import remove_open
from reconciliation.recording import Placing, booked, next_id, write_statement

__all__ = ["STATEMENTS_MAX", "SupersedeStatement", "gone_sha256"]

#: Statements that one act puts in the places of as many.
STATEMENTS_MAX: Final = 31

_RECONCILERS: Final = frozenset({"reconciler"})


@dataclass(frozen=True, slots=True)
class _Move:
    """One statement and the place it takes. *previous_sen* is what the account stood at before."""

    command: ImportStatement
    ordinal: int
    statement: Statement
    place: Place
    previous_sen: int
    closing_sen: int
    found: Reissued


@dataclass(frozen=True, slots=True)
class SupersedeStatement(Act):
    """
    Put statements that were kept aside in the places of those that stand there.

    statements: ids of statements kept aside, in order of their days. supersedes: the id of the first
    that loses its place; the places after it follow, one for each statement. reason: a text as asked
    for, a commitment once proposed.
    """

    act: ClassVar[str] = "statement.superseded"
    first: ClassVar[frozenset[str]] = _RECONCILERS
    second: ClassVar[frozenset[str]] = _RECONCILERS
    of_operator: ClassVar[bool] = False

    statements: tuple[int, ...]
    supersedes: tuple[int, ...]
    reason: str

    def keep(self, session: Session, hands: Hands) -> Act:
        """Raises InvalidFieldError, NotSupersedableError."""
        check_text("reason", self.reason, least=1, most=1_000)
        count = len(self.statements)
        if not 1 <= count <= STATEMENTS_MAX or len(set(self.statements)) != count:
            raise InvalidFieldError("statements", f"are 1 to {STATEMENTS_MAX}, each once", count)
        if len(self.supersedes) != 1:
            raise InvalidFieldError("supersedes", "is the first statement", len(self.supersedes))
        reason = session.private("reason", self.reason, subject=f"supersede:{hands.proposal}")
        places = _places_from(session, self.supersedes[0], count)
        return replace(self, supersedes=places, reason=reason)

    def check(self, session: Session, hands: Hands) -> None:
        """
        Raises:
            NotKeptAsideError, NotSupersedableError, StatementBytesErasedError,
            StatementRefusedError
        """
        self._moves(session, hands)

    def perform(self, session: Session, hands: Hands) -> Done:
        """Undo what falls, write who decided what, then each statement in its place."""
        moves = self._moves(session, hands)
        gone = [line for move in moves for line in move.found.gone]
        undone = self._undo(session, hands, gone)
        remove_open(session, "bank", gone)
        first_id = next_id(session, t.statement)
        said: list[JsonInput] = [
            {
                "statement": first_id + n,
                "gone": len(move.found.gone),
                "gone_sha256": gone_sha256(move.found.gone),
            }
            for n, move in enumerate(moves)
        ]
        leaf = act_leaf(session, self.act, self.content(), hands, reissued=said)
        self._write_places(session, hands, moves, first_id, leaf)
        placed: list[JsonInput] = []
        for move in moves:
            placing = Placing(
                "admitted",
                chain_n=move.place.chain_n,
                previous_sen=move.previous_sen,
                new=move.found.new,
                confirmed=move.found.confirmed,
            )
            keys = move.command.keys[move.ordinal - 1]
            row, _ = write_statement(
                session, move.command.source, move.ordinal, move.statement, placing, keys
            )
            placed.append(
                {
                    "statement": int(str(row["id"])),
                    "supersedes": move.place.statement,
                    "new": len(move.found.new),
                    "confirmed": len(move.found.confirmed),
                    "gone": len(move.found.gone),
                }
            )
        return Done(leaf, {"statements": placed, "undone": list(undone)})

    # --- what it comes to ---------------------------------------------------------------------

    def _moves(self, session: Session, hands: Hands) -> list[_Move]:
        if len(self.statements) != len(self.supersedes):
            raise InvalidFieldError("supersedes", "is one for each statement", len(self.supersedes))
        by = hands.confirmed_by or hands.proposed_by
        moves: list[_Move] = []
        for n, (aside, old) in enumerate(zip(self.statements, self.supersedes, strict=True)):
            command, ordinal = _kept_aside(session, by, aside)
            is_last = n == len(self.statements) - 1
            place = place_of(session, command.bank_account, old, next_too=not is_last)
            if moves:
                before = moves[-1]
                if place.chain_n != before.place.chain_n + 1:
                    raise NotSupersedableError(statement=old)
                place = replace(place, previous_sen=before.closing_sen)
            statement = command.file.statements[ordinal - 1]
            try:
                moves.append(_move(session, command, ordinal, statement, place))
            except StatementRefusedError as refusal:
                raise refusal.in_file("", command.file.file_sha256, ordinal) from None
        return moves

    # --- rows ---------------------------------------------------------------------------------

    def _undo(self, session: Session, hands: Hands, gone: Sequence[int]) -> list[int]:
        """Take the matches of lines that are gone apart, each by an act of its own."""
        matches = _live_matches(session, gone)
        rows: list[bulk.Row] = []
        for match in matches:
            leaf = session.batch.leaf(
                "match.superseded",
                hands.confirmed_by,
                {
                    "match": match,
                    "reason": self.reason,
                    "supersedes": list(self.supersedes),
                    "proposed_by": hands.proposed_by,
                    "confirmed_by": hands.confirmed_by,
                },
            )
            rows.append(
                (
                    session.government,
                    match,
                    hands.confirmed_by,
                    self.reason,
                    session.batch.seq,
                    leaf,
                )
            )
        bulk.insert_rows(session.conn, t.match_undo, tuple(t.match_undo.c.keys()), rows)
        for match, bank_account in matches.items():
            reopen(session, bank_account, match)
        return list(matches)

    def _write_places(
        self, session: Session, hands: Hands, moves: Sequence[_Move], first_id: int, leaf: int
    ) -> None:
        """Who takes whose place, and the lines that are gone: the statements are checked against both."""
        government, seq = session.government, session.batch.seq
        rows: list[bulk.Row] = []
        lines: list[bulk.Row] = []
        for n, (move, aside) in enumerate(zip(moves, self.statements, strict=True)):
            statement_id, gone = first_id + n, move.found.gone
            rows.append(
                (
                    *(government, statement_id, move.place.statement, aside),
                    *(hands.proposed_by, hands.confirmed_by, self.reason),
                    *(len(gone), gone_sha256(gone), seq, leaf),
                )
            )
            lines += [(government, line, statement_id, seq) for line in gone]
        bulk.insert_rows(session.conn, t.reissue, tuple(t.reissue.c.keys()), rows)
        bulk.insert_rows(session.conn, t.bank_line_gone, tuple(t.bank_line_gone.c.keys()), lines)


def gone_sha256(lines: Sequence[int]) -> str:
    """Digest of the ids of lines that are gone, in order; "" when there are none."""
    if not lines:
        return ""
    return hashlib.sha256(canonical_fast(sorted(lines)) + b"\n").hexdigest()


def _move(
    session: Session, command: ImportStatement, ordinal: int, statement: Statement, place: Place
) -> _Move:
    opening, closing = check_form(
        statement,
        bank_account=command.bank_account,
        others=session.settings.bank_accounts,
        today=session.today,
    )
    contents = [content_of(line) for line in booked(statement)]
    found = reissued(place, contents, opening=opening, closing=closing)
    return _Move(command, ordinal, statement, place, opening.units, closing.units, found)


def _places_from(session: Session, statement: int, count: int) -> tuple[int, ...]:
    """The standing statements of *count* places, from that of *statement*. Raises NotSupersedableError."""
    column, first = t.statement.c, t.statement.alias("first")
    found = tuple(
        session.conn.execute(
            select(column.id)
            .join(
                first,
                and_(
                    first.c.government == column.government,
                    first.c.bank_account == column.bank_account,
                    column.chain_n >= first.c.chain_n,
                    column.chain_n < first.c.chain_n + count,
                ),
            )
            .where(
                column.government == session.government,
                first.c.id == statement,
                first.c.chain_n > 0,
                ~is_superseded(),
            )
            .order_by(column.chain_n)
        ).scalars()
    )
    if len(found) != count or found[0] != statement:
        raise NotSupersedableError(statement=statement)
    return found


def _kept_aside(session: Session, by: str, aside: int) -> tuple[ImportStatement, int]:
    """The file of a statement kept aside, read again, and its ordinal there."""
    column, file, content = t.statement.c, t.statement_file.c, t.statement_file_content.c
    taken = t.statement.alias("taken")
    row = session.conn.execute(
        select(column.bank_account, column.file_sha256, column.ordinal, file.format, file.profile)
        .join(
            t.statement_file,
            and_(file.government == column.government, file.sha256 == column.file_sha256),
        )
        .outerjoin(
            taken,
            and_(
                taken.c.government == column.government,
                taken.c.file_sha256 == column.file_sha256,
                taken.c.ordinal == column.ordinal,
                taken.c.bank_account == column.bank_account,
                taken.c.status != "quarantined",
            ),
        )
        .where(
            column.government == session.government,
            column.id == aside,
            column.status == "quarantined",
            taken.c.id.is_(None),
        )
    ).first()
    if row is None:
        raise NotKeptAsideError(statement=aside)
    data = session.conn.execute(
        select(content.content).where(
            content.government == session.government, content.sha256 == row.file_sha256
        )
    ).scalar()
    # What two persons decide about is what the bank sent: bytes that were exchanged are not it.
    if data is None or hashlib.sha256(bytes(data)).hexdigest() != row.file_sha256:
        raise StatementBytesErasedError(file_sha256=row.file_sha256)
    command = read_import(
        by,
        row.bank_account,
        bytes(data),
        format=row.format,
        profile=profile_of_record(row.profile) if row.profile else None,
    )
    return command, row.ordinal


def _live_matches(session: Session, lines: Sequence[int]) -> dict[int, str]:
    """Live matches that have one of these bank lines, with their account, in order."""
    member, undo, match = t.match_member.c, t.match_undo.c, t.reconciliation_match.c
    found: dict[int, str] = {}
    for start in range(0, len(lines), 500):
        rows = session.conn.execute(
            select(match.id, match.bank_account)
            .join(
                t.match_member,
                and_(member.government == match.government, member.match_id == match.id),
            )
            .outerjoin(
                t.match_undo,
                and_(undo.government == match.government, undo.match_id == match.id),
            )
            .where(
                match.government == session.government,
                member.side == "bank",
                member.item.in_(lines[start : start + 500]),
                undo.match_id.is_(None),
            )
        )
        found |= {row.id: row.bank_account for row in rows}
    return dict(sorted(found.items()))


# Proposed and confirmed one floor below, by name, like the other acts of this folder.
ACTS[SupersedeStatement.act] = SupersedeStatement
