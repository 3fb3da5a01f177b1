"""What a worker reads of the books and puts to them. Used by one thread."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine

from api.clock import Clock, local_day
from api.committer import Committer, Outcome
from api.dispatch.timing import later
from api.engine import begin
from api.logs import log
from audit.log import instant_text
from ledger.answers import Idempotency
from ledger.documents import dispatch_store, queries
from ledger.documents.dispatch_store import Due
from ledger.documents.dispatching import BATCH_MAX, AnswerPayments, CallPayments, PaymentAnswer
from ledger.documents.holding import HoldPayment
from ledger.posting import Accepted, Refused
from ledger.session import Command

__all__ = ["Books"]


class Books:
    """
    The books of one government as a worker of it has them.

    What a bank said is kept here until the database has taken it: each answer under the key that it
    was first put with, so that it is recorded once whatever becomes of a COMMIT.
    """

    def __init__(
        self,
        engine: Engine,
        government: str,
        zone: str,
        person: str,
        clock: Clock,
        *,
        committed: Callable[[str], None],
        refuses: Callable[[str], Any],
    ) -> None:
        self.engine = engine
        self.government = government
        self.zone = zone
        self._person = person
        self._committed = committed
        self._committer = Committer(engine, government, clock=clock, refuses=refuses)
        self._answers: list[tuple[str, Sequence[PaymentAnswer]]] = []

    # --- reading -------------------------------------------------------------------------------

    def due(
        self,
        conn: Connection,
        bank_accounts: Iterable[str],
        now: datetime,
        states: Sequence[str],
        limit: int,
    ) -> list[Due]:
        """Orders in *states* that are due, the oldest first."""
        return dispatch_store.find_due(
            conn,
            self.government,
            bank_accounts=bank_accounts,
            now=instant_text(now),
            today=local_day(now, self.zone),
            states=states,
            limit=limit,
        )

    def payees(self, conn: Connection, orders: Iterable[Due]) -> dict[str, str]:
        """Names and accounts by their commitments; erased ones are missing."""
        return queries.private_texts(
            conn, self.government, [c for due in orders for c in (due.name_c, due.account_c)]
        )

    # --- when to look again -------------------------------------------------------------------------

    def schedule(self, at: Mapping[str, str], *, count: bool = False) -> None:
        """When to look at orders again (payment -> UTC instant); *count* it as a try."""
        if at:
            with begin(self.engine) as conn:
                dispatch_store.schedule_all(conn, self.government, at, count=count)

    def take(self, payments: Iterable[str], now: datetime, seconds: int) -> set[str]:
        """Take the next question about each for so long; those that no other worker has taken."""
        until = later(now, seconds)
        # COMMIT of the questions. Die after it: nobody asks until the time is over, nothing else.
        with begin(self.engine) as conn:
            return {
                payment
                for payment in payments
                if dispatch_store.take_due(
                    conn, self.government, payment, now=instant_text(now), until=until
                )
            }

    # --- acts ----------------------------------------------------------------------------------

    @property
    def is_waiting(self) -> bool:
        """Whether answers wait to be recorded."""
        return bool(self._answers)

    def keep(self, answers: Sequence[PaymentAnswer]) -> None:
        """Answers to be recorded by the next `commit`."""
        for at in range(0, len(answers), BATCH_MAX):
            self._answers.append((secrets.token_hex(16), answers[at : at + BATCH_MAX]))

    def commit(self, call: CallPayments | None = None) -> tuple[int, dict[str, Any] | None]:
        """
        Record what was kept and take new calls, in one transaction.

        Returns how many answers were recorded, and the answer to *call* (None: it was not taken).
        What the database could not take is kept for the next time.
        """
        waiting, self._answers = self._answers, []
        commands: list[Command] = [
            AnswerPayments(self._person, answers, idempotency=_key(key)) for key, answers in waiting
        ]
        if call is not None:
            commands.append(call)
        if not commands:
            return 0, None
        # COMMIT of the last answers and of the next calls.
        # Die before it: the answered calls stand without answer, become unknown when their lease is
        # over, and the bank is asked; the orders to be called for are queued as they were.
        # Die after it: what was answered is settled. What is called is sent, though nothing may have
        # left; when the lease is over it becomes unknown, the bank is asked, and nobody calls again.
        outcomes = self._post(commands)
        done = 0
        for (key, answers), outcome in zip(waiting, outcomes, strict=False):
            if isinstance(outcome, Accepted):
                done += len(answers)
                continue
            if isinstance(outcome, Refused):
                self._complain("worker.answer_refused", outcome)
                if len(answers) > 1:  # one of them was refused: the others must not wait for it
                    self._answers += [(secrets.token_hex(16), [each]) for each in answers]
                continue
            self._complain("worker.answer_kept", outcome)
            self._answers.append((key, answers))
        if call is None:
            return done, None
        last = outcomes[-1]
        if not isinstance(last, Accepted):
            self._complain("worker.call_refused", last)
            return done, None
        told: dict[str, Any] = msgspec.json.decode(last.answer)
        return done, told

    def new_call(
        self, orders: Sequence[tuple[str, str]], worker: str, lease_seconds: int
    ) -> CallPayments:
        """To call for (payment, rail)s."""
        return CallPayments(
            self._person, orders, worker, lease_seconds, _key(secrets.token_hex(16))
        )

    def hold(self, payment: str, reason: str) -> None:
        """Hold an order for a person. Die before its COMMIT: the holder is asked for again."""
        outcome = self._post([HoldPayment(self._person, payment, True, reason)])[0]
        if not isinstance(outcome, Accepted):
            self._complain("worker.hold_refused", outcome)

    def _post(self, commands: Sequence[Command]) -> list[Outcome]:
        outcomes = self._committer.post(commands)
        if any(isinstance(each, Accepted) for each in outcomes):
            self._committed(self.government)
        return outcomes

    def _complain(self, event: str, outcome: Outcome) -> None:
        error = getattr(outcome, "error", None)
        log.error(event, government=self.government, code=str(getattr(error, "code", "")))


def _key(key: str) -> Idempotency:
    """A key of the worker's own: an act whose COMMIT gave no answer is then settled by it."""
    return Idempotency(key, "dispatch", [])
