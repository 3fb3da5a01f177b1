"""
Put acts to the books: one transaction, and what to make of it when the database does not play along.

- the database refuses the batch: the halves are tried again, so that an act which the code let pass
  and the database does not fails alone;
- the database can't be reached before COMMIT: tried once more, then 503, nothing done;
- COMMIT gave no answer: the acts are put to the database again on a new connection. The first
  transaction held the edge row, so by the time the second one has it, the first is over: a key or a
  reference that was kept gives its stored answer, one that was not is decided now. Only when the
  database stays away is the answer 503 `outcome_unknown`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from api import metrics
from api.clock import Clock, local_day
from api.engine import commit, rollback
from api.errors import (
    ApiError,
    DatabaseRefusedError,
    DatabaseUnavailableError,
    InternalError,
    OutcomeUnknownError,
    UnknownGovernmentError,
)
from api.logs import log
from audit.errors import AuditError
from audit.log import BookMissingError
from ledger import tables as t
from ledger.commands import PostJournal, ReverseJournal
from ledger.posting import Accepted, Group, Refused, post_batch
from ledger.session import Command

__all__ = ["Committer", "Failed", "Outcome"]

#: Pauses between the attempts to learn what became of a COMMIT, in seconds.
_SETTLE_PAUSES: Final = (0.0, 0.2, 0.5, 1.0, 2.0)

# SQLSTATE classes: connection, resources, operator's intervention, transaction rolled back, locks.
_PASSING_STATES: Final = ("08", "53", "57", "40", "55", "25006")
# SQLite's primary result codes: BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN.
_PASSING_CODES: Final = frozenset({5, 6, 7, 8, 10, 13, 14})
_RULE: Final = re.compile(r"rkud:([a-z_]+)")


@dataclass(frozen=True, slots=True)
class Failed:
    """The act could not be put to the books, or nobody knows whether it was."""

    error: ApiError | AuditError


Outcome = Accepted | Refused | Failed


class _CommitLostError(Exception):
    """COMMIT was sent and its answer did not come."""


class _RefusedAtError(Exception):
    """An act of a batch that was to be accepted as a whole was refused."""

    def __init__(self, n: int, result: Outcome) -> None:
        super().__init__(n)
        self.n = n
        self.result = result


class Committer:
    """
    Puts batches of one government to the books. Used by one thread.

    *refuses* may say why nothing is to be written at all; *pause* waits between attempts to learn
    what became of a COMMIT. *meanwhile* is given a batch's number while the database writes it, and
    again when the batch is put again (`ledger.posting.post_batch`).
    """

    def __init__(
        self,
        engine: Engine,
        government: str,
        *,
        clock: Clock,
        refuses: Callable[[str], ApiError | AuditError | None] = lambda _: None,
        pause: Callable[[float], None] = time.sleep,
        meanwhile: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._engine = engine
        self._government = government
        self._clock = clock
        self._refuses = refuses
        self._pause = pause
        self._meanwhile = meanwhile
        self._zone = ""
        self._whole = False

    def post_until_refused(self, commands: Sequence[Command | Group]) -> list[Outcome]:
        """The outcomes up to the first refusal; nothing behind it was posted."""
        self._whole = True
        try:
            outcomes = self.post(commands)
        finally:
            self._whole = False
        first = next((n for n, each in enumerate(outcomes) if not isinstance(each, Accepted)), None)
        return outcomes if first is None else outcomes[: first + 1]

    def post(self, commands: Sequence[Command | Group], *, lost: bool = False) -> list[Outcome]:
        """
        One outcome each; never raises for what the database does.

        *lost* says that a COMMIT of these very acts gave no answer before: then "unavailable" would
        be a lie, they may have been kept.
        """
        if (refusal := self._refuses(self._government)) is not None:
            return [Failed(OutcomeUnknownError() if lost else refusal)] * len(commands)
        fault: Exception
        for attempt in (1, 2):
            try:
                return self._transaction(commands)
            except _CommitLostError:
                log.warning("writer.commit_lost", government=self._government, acts=len(commands))
                metrics.COMMITS_LOST.inc()
                return (
                    [Failed(OutcomeUnknownError())] * len(commands)
                    if lost
                    else self._settle(commands)
                )
            except _RefusedAtError as stopped:
                # Nothing of the batch stands: what came before the refusal is put again.
                before = self.post(commands[: stopped.n], lost=lost) if stopped.n else []
                return [*before, stopped.result]
            except BookMissingError:
                return [Failed(UnknownGovernmentError(government=self._government))] * len(commands)
            except Exception as error:  # sorted out below
                fault = error
                if not _is_passing(error):
                    break
                log.warning(
                    "writer.database_unavailable", government=self._government, **_named(error)
                )
                if attempt == 2:
                    return [
                        Failed(OutcomeUnknownError() if lost else DatabaseUnavailableError())
                    ] * len(commands)
        if len(commands) == 1:
            log.error("writer.act_refused", government=self._government, **_named(fault))
            return [Failed(_refusal_of(fault))]
        # A poisoned batch: nothing of it stands. The halves find the one that did it.
        log.warning("writer.batch_halved", government=self._government, acts=len(commands))
        metrics.BATCHES_HALVED.inc()
        half = len(commands) // 2
        first = self.post(commands[:half], lost=lost)
        if self._whole and not all(isinstance(each, Accepted) for each in first):
            return first
        return first + self.post(commands[half:], lost=lost)

    def _settle(self, commands: Sequence[Command | Group]) -> list[Outcome]:
        """Learn what became of acts whose COMMIT gave no answer, by putting them again."""
        outcomes: list[Outcome] = [Failed(OutcomeUnknownError())] * len(commands)
        safe = [n for n, command in enumerate(commands) if _is_repeatable(command)]
        for pause in _SETTLE_PAUSES:
            if not safe:
                break
            if pause:
                self._pause(pause)
            again = self.post([commands[n] for n in safe], lost=True)
            for n, outcome in zip(safe, again, strict=not self._whole):
                outcomes[n] = outcome
            safe = [n for n in safe if _is_unknown(outcomes[n])]
        return outcomes

    def _transaction(self, commands: Sequence[Command | Group]) -> list[Outcome]:
        started = time.perf_counter()
        zone = self._zone or self._learn_zone()
        with self._engine.connect() as conn:
            if conn.dialect.name == "sqlite":
                conn.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                now = self._clock()
                results = post_batch(
                    conn,
                    self._government,
                    commands,
                    now=now,
                    today=local_day(now, zone),
                    meanwhile=self._meanwhile,
                )
            except BaseException:
                # Nothing was committed, whether or not the rollback still reaches the database.
                try:
                    rollback(conn)
                except DBAPIError:
                    conn.invalidate()
                raise
            if self._whole and (n := _first_refused(results)) is not None:
                rollback(conn)
                raise _RefusedAtError(n, results[n])
            try:
                # Die before here: nothing of the batch was ever true, nobody was answered.
                commit(conn)
                # Die here: all of it is true; who repeats with the same key learns so.
            except Exception as error:
                if _is_definite(error):
                    rollback(conn)
                    raise
                conn.invalidate()
                raise _CommitLostError from error
        metrics.COMMIT_SECONDS.observe(time.perf_counter() - started)
        return [*results]

    def _learn_zone(self) -> str:
        """The government's time zone; it never changes. Raises BookMissingError."""
        with self._engine.connect() as conn:
            zone = conn.execute(
                select(t.government.c.zone).where(t.government.c.code == self._government)
            ).scalar()
        if not zone:
            raise BookMissingError(government=self._government)
        self._zone = str(zone)
        return self._zone


def _first_refused(results: Sequence[Outcome]) -> int | None:
    return next((n for n, each in enumerate(results) if isinstance(each, Refused)), None)


def _is_repeatable(command: Command | Group) -> bool:
    """Whether an act can be put twice without being done twice: by its key or its reference."""
    members = command.members if isinstance(command, Group) else (command,)
    return all(
        member.idempotency is not None or isinstance(member, PostJournal | ReverseJournal)
        for member in members
    )


def _is_unknown(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed) and isinstance(outcome.error, OutcomeUnknownError)


def _is_passing(error: Exception) -> bool:
    """Whether the trouble lies with the connection or the server, not with what was asked."""
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated or isinstance(error, InterfaceError):
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_PASSING_STATES)
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return (int(code) & 0xFF) in _PASSING_CODES
    return isinstance(error, OperationalError)


def _is_definite(error: Exception) -> bool:
    """Whether the database has said that the COMMIT did not happen."""
    if not isinstance(error, DBAPIError) or error.connection_invalidated:
        return False
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        # 08 connection, 57 shutdown: said while the outcome was open. 40003 says so itself.
        return not str(state).startswith(("08", "57", "40003"))
    return isinstance(error, IntegrityError)


def _refusal_of(error: Exception) -> ApiError:
    if isinstance(error, DBAPIError):
        rule = _RULE.search(str(error.orig))
        return DatabaseRefusedError(rule=rule[1] if rule else type(error.orig).__name__)
    return InternalError()


def _named(error: Exception) -> dict[str, str]:
    """What may be logged of a database's error: its type and code, never its text."""
    if isinstance(error, DBAPIError):
        code = getattr(error.orig, "sqlstate", None) or getattr(
            error.orig, "sqlite_errorname", None
        )
        return {"error": type(error.orig).__name__, "error_code": str(code or "")}
    return {"error": type(error).__name__}
