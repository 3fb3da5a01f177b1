"""
Acts of the operator's commands: put to the books as any other, then sealed.

Another process may serve the same book at the same time: the database's lock orders the two, and
the signer's own lock the checkpoints.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
from sqlalchemy import Engine, select

from api.checkpoints import CheckpointJob
from api.clock import Clock, local_day, system_clock
from api.committer import Committer
from api.engine import begin, reading
from api.settings import Settings
from audit.database import log_edge
from ledger.posting import Accepted, Refused, post_batch
from ledger.session import Command
from ledger.settings import Settings as BookSettings
from ledger.settings_shell import settings_of

__all__ = ["book_of", "put", "try_out"]


def book_of(engine: Engine, government: str) -> BookSettings:
    """The settings of a government's book as they stand."""
    with reading(engine) as conn:
        rev = conn.execute(
            select(log_edge.c.config_rev).where(log_edge.c.government == government)
        ).scalar_one()
        return settings_of(conn, government, rev)


def put(
    engine: Engine,
    settings: Settings,
    government: str,
    command: Command,
    *,
    clock: Clock = system_clock,
) -> dict[str, Any]:
    """
    Do one act and seal it; what it answers.

    Raises:
        LedgerError, AuditError, ApiError: It was refused, or could not be done. A checkpoint that
        can't be signed is logged and left to the next one: the act stands.
    """
    checkpoints = CheckpointJob(engine, settings.keys(), clock=clock)
    committer = Committer(engine, government, clock=clock, refuses=checkpoints.refuses)
    outcome = committer.post([command])[0]
    if isinstance(outcome, Accepted):
        checkpoints.seal_now(government)
        answer: dict[str, Any] = msgspec.json.decode(outcome.answer)
        return answer
    raise outcome.error


class _TakenBackError(Exception):
    """Takes back what a transaction did."""


def try_out(
    engine: Engine, government: str, zone: str, command: Command, *, clock: Clock = system_clock
) -> dict[str, Any]:
    """What an act would answer; nothing of it is kept. Raises what it would be refused with."""
    now = clock()
    results: list[Accepted | Refused] = []
    with suppress(_TakenBackError), begin(engine) as conn:
        results += post_batch(conn, government, [command], now=now, today=local_day(now, zone))
        raise _TakenBackError
    (result,) = results
    if isinstance(result, Refused):
        raise result.error
    answer: dict[str, Any] = msgspec.json.decode(result.answer)
    return answer
