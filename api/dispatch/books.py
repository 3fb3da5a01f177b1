"""
What a worker reads of the books and puts to them. Used by one thread.

Whoever else writes in the book, mostly people who wait for an answer, comes first: while others
write, an act is short and the worker rests after it twice as long as it took (ADR 9).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Engine

from api.clock import Clock, local_day
from api.committer import Committer, Outcome
from api.dispatch.timing import later
from api.engine import begin
from api.errors import DatabaseRefusedError, InternalError
from api.logs import log
from api.others import Others
from audit.log import instant_text
from ledger.answers import Idempotency
from ledger.documents import dispatch_store, queries
from ledger.documents.dispatch_store import Due
from ledger.documents.dispatching import BATCH_MAX, AnswerPayments, CallPayments, PaymentAnswer
from ledger.documents.holding import HoldPayment
from ledger.posting import Accepted, Refused
from ledger.session import Command

__all__ = ["Books"]

#: While others write in the book: orders of one act, and the rest after it, in times of what it took.
_SHORT_ACT: Final = 16
_REST: Final = 2
_REST_SECONDS_MAX: Final = 0.5
#: Recording goes on for so long before the answers that came meanwhile are looked at.
_RECORD_SECONDS: Final = 2.0
#: The database has refused the act itself, or nobody knows how to: another try won't change that.
_FINAL: Final = (DatabaseRefusedError, InternalError)


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
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.engine = engine
        self.government = government
        self.zone = zone
        self._person = person
        self._committed = committed
        self._pause = pause
        self._others = Others()
        self._rested_at = float("-inf")
        self._committer = Committer(
            engine,
            government,
            clock=clock,
            refuses=refuses,
            meanwhile=self._others.heard,
        )
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
    def act_most(self) -> int:
        """How many orders an act should have now."""
        return _SHORT_ACT if self._others.are_writing else BATCH_MAX

    @property
    def waiting(self) -> set[str]:
        """Payments of which an answer waits to be recorded."""
        return {each.payment for _, answers in self._answers for each in answers}

    @property
    def is_waiting(self) -> bool:
        """Whether answers wait to be recorded."""
        return bool(self._answers)

    def keep(self, answers: Sequence[PaymentAnswer]) -> None:
        """Answers to be recorded next."""
        most = self.act_most
        for at in range(0, len(answers), most):
            self._answers.append((secrets.token_hex(16), answers[at : at + most]))

    def record(self) -> int:
        """Record what was kept; how much of it. What the database could not take is kept on."""
        waiting, self._answers = self._answers, []
        done, ends = 0, time.monotonic() + _RECORD_SECONDS
        for n, (key, answers) in enumerate(waiting):
            if n and time.monotonic() > ends:  # calls under way wait to be heard, too
                self._answers += waiting[n:]
                break
            # COMMIT of the answers. Die before it: the calls stand without answer, become unknown
            # when their lease is over, and the bank is asked. Die after it: they are settled.
            outcome = self._post(AnswerPayments(self._person, answers, idempotency=_key(key)))
            if isinstance(outcome, Accepted):
                done += len(answers)
            elif isinstance(outcome, Refused) or isinstance(outcome.error, _FINAL):
                self._complain("worker.answer_refused", outcome)
                if len(answers) > 1:  # one of them was refused: the others must not wait for it
                    self._answers += [(secrets.token_hex(16), [each]) for each in answers]
            else:
                self._complain("worker.answer_kept", outcome)
                self._answers.append((key, answers))
        return done

    def call(
        self, orders: Sequence[tuple[str, str]], worker: str, lease_seconds: int
    ) -> dict[str, Any]:
        """Take (payment, rail)s to call the bank for; what they answered, nothing where they refused."""
        key = _key(secrets.token_hex(16))
        # COMMIT of the calls. Die before it: nothing happened, the orders are queued. Die after it:
        # the orders are sent, nothing may have left; when the lease is over they become unknown,
        # the bank is asked, and nobody calls for them again.
        outcome = self._post(CallPayments(self._person, orders, worker, lease_seconds, key))
        if not isinstance(outcome, Accepted):
            self._complain("worker.call_refused", outcome)
            return {"called": [], "skipped": []}
        told: dict[str, Any] = msgspec.json.decode(outcome.answer)
        return told

    def hold(self, payment: str, reason: str) -> None:
        """Hold an order for a person. Die before its COMMIT: the holder is asked for again."""
        outcome = self._post(HoldPayment(self._person, payment, True, reason))
        if not isinstance(outcome, Accepted):
            self._complain("worker.hold_refused", outcome)

    def _post(self, command: Command) -> Outcome:
        """One act, one COMMIT: whoever else writes in this book waits for one of them at most."""
        started = time.monotonic()
        if self._others.are_writing and (rest := self._rested_at - started) > 0:
            self._pause(rest)
            started = time.monotonic()
        outcome = self._committer.post([command])[0]
        ended = time.monotonic()
        self._rested_at = ended + min(_REST * (ended - started), _REST_SECONDS_MAX)
        if isinstance(outcome, Accepted):
            self._committed(self.government)
        return outcome

    def _complain(self, event: str, outcome: Outcome) -> None:
        error = getattr(outcome, "error", None)
        log.error(event, government=self.government, code=str(getattr(error, "code", "")))


def _key(key: str) -> Idempotency:
    """A key of the worker's own: an act whose COMMIT gave no answer is then settled by it."""
    return Idempotency(key, "dispatch", [])
