"""
`post_batch`, the only way anything is ever posted.

It locks the government's edge row (the one lock: one order of acts, no deadlocks), then reads what
the batch touches in later statements (so that it sees what the last holder committed), applies the
commands one after another in memory, each accepted or refused by itself, and writes all effects
set-based. The caller owns the transaction: nothing is true before the caller's COMMIT, and a crash
before it leaves no trace.

An HTTP request, an import of a million journals, a move of a document and a year-end job all come
through here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from audit import bulk
from audit.canonical import canonical_fast
from ledger.answers import (
    AnswerKey,
    Idempotency,
    StoredAnswer,
    ask_answers,
    differing,
    digests,
    take_answers,
)
from ledger.errors import IdempotencyKeyReusedError, LedgerError
from ledger.position_shell import ask_cash, ask_lines, take_cash, take_lines
from ledger.session import Command, Session, open_session

__all__ = ["Accepted", "Group", "Refused", "post_batch"]


@dataclass(frozen=True, slots=True)
class Group:
    """Commands that are accepted together or not at all. Never cut by a batch's size."""

    members: Sequence[Command]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The act stands (or stood already: `replayed`)."""

    answer: bytes
    status: int = 201
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The act was refused and changed nothing."""

    error: LedgerError


Result = Accepted | Refused


def post_batch(
    conn: Connection,
    government: str,
    commands: Sequence[Command | Group],
    *,
    now: datetime,
    today: str,
    meanwhile: Callable[[int], None] = lambda _: None,
) -> list[Result]:
    """
    Apply *commands* in order inside the caller's transaction; one result each, in the same order.

    A linked group has one result: Accepted with a JSON array of its members' answers, or the first
    refusal. *today* is the government's local date at *now*. *meanwhile* is given the batch's number once
    all is decided, while the database still writes; it must not touch the database.

    Raises:
        BookMissingError: No book is kept for *government*.
        sqlalchemy.exc.DBAPIError: The database refused what the code let pass, or went away.
    """
    session = open_session(conn, government, now=now, today=today)
    members = [m for c in commands for m in (c.members if isinstance(c, Group) else (c,))]
    answers = _read_ahead(session, members)
    results: list[Result] = []
    with bulk.pipelined(conn):
        for command in commands:
            if isinstance(command, Group):
                results.append(_apply_group(session, command, answers))
            else:
                results.append(_apply(session, command, answers))
            session.send_some()
        session.flush()
        meanwhile(session.batch.seq)
    return results


def _read_ahead(session: Session, members: Sequence[Command]) -> dict[AnswerKey, StoredAnswer]:
    """Read what *members* want in one round trip; returns what their keys were answered."""
    wants = [member.wants(session.settings) for member in members]
    government, position = session.government, session.position
    references = session.ask_references(r for want in wants for r in want.references)
    cash = ask_cash(government, position, (key for want in wants for key in want.cash))
    lines = ask_lines(government, position, (i for want in wants for i in want.budget_lines))
    answers = ask_answers(
        government, [(m.by, m.idempotency.key) for m in members if m.idempotency is not None]
    )
    found = bulk.read_all(session.conn, [references, cash, lines, answers])
    session.take_references(found[0])
    take_cash(position, cash, found[1])
    take_lines(session.conn, position, lines, found[2])
    return take_answers(found[3])


def _apply(session: Session, command: Command, answers: dict[AnswerKey, StoredAnswer]) -> Result:
    asked = command.idempotency
    stored = answers.get((command.by, asked.key)) if asked is not None else None
    if asked is not None and stored is not None:
        try:
            _check_same_request(session, asked, stored)
        except IdempotencyKeyReusedError as reused:
            return Refused(reused)
        if stored.status:
            return Accepted(stored.answer, stored.status, replayed=True)
        # A final refusal: the same request is refused again, with its values, by deciding anew.
    mark = session.mark(command)
    session.begin_command(command)
    try:
        answer = canonical_fast(command.apply(session))
    except LedgerError as refusal:
        session.rewind(mark)
        if asked is not None and stored is None and refusal.final:
            session.begin_command(command)
            answers[command.by, asked.key] = session.keep_answer(command.by, asked, b"", 0)
        return Refused(refusal)
    session.release(mark)
    session.refresh()
    if asked is None:
        return Accepted(answer)
    if stored is None:
        answers[command.by, asked.key] = session.keep_answer(
            command.by, asked, answer, asked.status
        )
    return Accepted(answer, asked.status)


def _check_same_request(session: Session, asked: Idempotency, stored: StoredAnswer) -> None:
    """Raises IdempotencyKeyReusedError, naming the fields that differ."""
    salt = session.salt_of(stored.request_c)
    now = digests(salt, asked.fields) if salt is not None else ""
    if stored.route != asked.route:
        raise IdempotencyKeyReusedError(key=asked.key, differs=["route"])
    if now != stored.request:
        raise IdempotencyKeyReusedError(key=asked.key, differs=differing(stored.request, now))


def _apply_group(session: Session, group: Group, answers: dict[AnswerKey, StoredAnswer]) -> Result:
    mark = session.mark(None)
    known = dict(answers)
    outcomes: list[bytes] = []
    for member in group.members:
        result = _apply(session, member, answers)
        if isinstance(result, Refused):
            session.rewind(mark)
            session.refresh()
            answers.clear()
            answers.update(known)
            return result
        outcomes.append(result.answer)
    session.release(mark)
    return Accepted(b"[" + b",".join(outcomes) + b"]")
