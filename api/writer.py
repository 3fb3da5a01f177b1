"""
Group commit: one thread a government writes what many callers ask for, in few transactions.

A bounded queue feeds the writer. It takes what waits (at most 256 acts, a linked group never cut),
puts it to the books in one transaction (`api.committer`) and answers after COMMIT. While one
transaction is under way the next batch gathers by itself, so nobody waits for company: under light
load a batch is one act.

When more waits already, the answers of a batch are held back until the next one is on its way to the
database (ADR 7), so that answering and reading requests fall into the time the database works. Not so
while others write in the same book: the next batch then waits for theirs.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Engine

from api import metrics
from api.clock import Clock
from api.committer import Committer, Failed, Outcome
from api.errors import ApiError, OutcomeUnknownError, QueueFullError, StoppingError
from api.logs import log
from api.others import Others
from audit.errors import AuditError
from ledger.posting import Group
from ledger.session import Command

__all__ = ["GROUP_MAX", "Failed", "Outcome", "Writer", "Writers"]

#: A linked group may be this long; longer than a batch, it is a batch of its own (D6).
GROUP_MAX: Final = 10_000
#: An answer waits at most this long for the next batch to be on its way.
_HELD_SECONDS_MAX: Final = 0.05


class _Pending:
    __slots__ = ("alone", "command", "future", "loop", "weight")

    def __init__(
        self,
        command: Command | Group,
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[Outcome],
    ) -> None:
        self.command = command
        self.weight = len(command.members) if isinstance(command, Group) else 1
        self.alone = bool(getattr(command, "alone", False))
        self.loop = loop
        self.future = future


class Writer:
    """
    The one writer of a government in this process.

    `_queue`, `_waiting` and `_stopping` belong to `_lock` (the thread may peek whether the queue is
    empty); all else belongs to the thread.
    """

    def __init__(
        self,
        engine: Engine,
        government: str,
        *,
        clock: Clock,
        batch_max: int = 256,
        queue_max: int = 4096,
        committed: Callable[[str], None] = lambda _: None,
        refuses: Callable[[str], ApiError | AuditError | None] = lambda _: None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._government = government
        self._committer = Committer(
            engine,
            government,
            clock=clock,
            refuses=refuses,
            pause=pause,
            meanwhile=self._on_its_way,
        )
        self._others = Others()
        self._held: dict[asyncio.AbstractEventLoop, _Answers] = {}
        self._batch_max = batch_max
        self._queue_max = queue_max
        self._committed = committed
        self._queue: deque[_Pending] = deque()
        self._waiting = 0
        self._stopping = False
        self._idle = False
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._gauge = metrics.QUEUE_WAITING.labels(government)
        self._thread = threading.Thread(target=self._run, name=f"writer-{government}", daemon=True)
        self._thread.start()

    # --- for callers on an event loop ----------------------------------------------------------

    def submit(self, commands: Sequence[Command | Group]) -> list[asyncio.Future[Outcome]]:
        """
        Put acts into the queue, all or none; one future each.

        Raises:
            QueueFullError, StoppingError: Nothing was queued.
        """
        loop = asyncio.get_running_loop()
        fresh = [_Pending(command, loop, loop.create_future()) for command in commands]
        weight = sum(each.weight for each in fresh)
        with self._lock:
            if self._stopping:
                raise StoppingError
            # A long group or list is taken when there is room at all: it could never fit otherwise.
            if self._waiting >= self._queue_max:
                metrics.QUEUE_REFUSED.inc()
                raise QueueFullError(waiting=self._waiting)
            self._waiting += weight
            self._queue.extend(fresh)
            if self._idle:
                self._work.notify()
        return [each.future for each in fresh]

    async def post(self, command: Command | Group) -> Outcome:
        """Put one act into the queue and wait for what became of it."""
        return await self.submit((command,))[0]

    # --- for whoever starts and stops the process ------------------------------------------------

    def stop(self, seconds: float = 30.0) -> None:
        """Take nothing new, write what waits, end the thread."""
        with self._lock:
            self._stopping = True
            self._work.notify()
        self._thread.join(seconds)

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    # --- the thread --------------------------------------------------------------------------------

    def _run(self) -> None:
        while batch := self._take():
            try:
                outcomes = self._committer.post([each.command for each in batch])
            except Exception as error:  # whatever it is, callers wait for an answer
                log.error("writer.failed", government=self._government, error=type(error).__name__)
                outcomes = [Failed(OutcomeUnknownError())] * len(batch)
            self._answer()
            self._held = _by_loop(batch, outcomes)
            if self._queue and not self._others.are_writing:
                self._answer_soon()
            else:
                self._answer()
            self._committed(self._government)

    def _take(self) -> list[_Pending]:
        """What waits, up to a batch; empty only when the writer stops and nothing waits."""
        with self._lock:
            while not self._queue:
                if self._stopping:
                    return []
                self._idle = True
                self._work.wait()
                self._idle = False
            queue = self._queue
            batch = [queue.popleft()]
            weight = batch[0].weight
            while queue and weight + queue[0].weight <= self._batch_max:
                if batch[0].alone or queue[0].alone:
                    break
                batch.append(queue.popleft())
                weight += batch[-1].weight
            self._waiting -= weight
            self._gauge.set(self._waiting)
        metrics.BATCH_ACTS.observe(weight)
        return batch

    def _on_its_way(self, batch_seq: int) -> None:
        self._others.heard(batch_seq)
        self._answer()

    def _answer(self) -> None:
        """Answer what is held. Also called while the database writes the next batch."""
        held, self._held = self._held, {}
        for loop, answers in held.items():
            self._call(loop, _deliver, answers)

    def _answer_soon(self) -> None:
        """However long the next batch takes to get on its way, nobody waits much longer for it."""
        for loop, answers in self._held.items():
            self._call(loop, _deliver_later, loop, answers)

    def _call(self, loop: asyncio.AbstractEventLoop, *call: Any) -> None:
        try:
            loop.call_soon_threadsafe(*call)
        except RuntimeError:  # the loop has ended: its callers are gone
            log.warning("writer.caller_gone", government=self._government)


_Answers = list[tuple[asyncio.Future[Outcome], Outcome]]


def _by_loop(
    batch: list[_Pending], outcomes: list[Outcome]
) -> dict[asyncio.AbstractEventLoop, _Answers]:
    answers: dict[asyncio.AbstractEventLoop, _Answers] = {}
    for pending, outcome in zip(batch, outcomes, strict=True):
        answers.setdefault(pending.loop, []).append((pending.future, outcome))
    return answers


def _deliver(answers: _Answers) -> None:
    for future, outcome in answers:
        if not future.done():  # answered before, or a caller who hung up
            future.set_result(outcome)


def _deliver_later(loop: asyncio.AbstractEventLoop, answers: _Answers) -> None:
    loop.call_later(_HELD_SECONDS_MAX, _deliver, answers)


class Writers:
    """The writers of a process, each started when its government is first written to."""

    def __init__(self, make: Callable[[str], Writer]) -> None:
        self._make = make
        self._writers: dict[str, Writer] = {}
        self._lock = threading.Lock()
        self._stopped = False

    def of(self, government: str) -> Writer:
        """The writer of a government. Raises StoppingError."""
        writer = self._writers.get(government)
        if writer is not None:
            return writer
        with self._lock:
            if self._stopped:
                raise StoppingError
            if government not in self._writers:
                self._writers[government] = self._make(government)
            return self._writers[government]

    def started(self) -> list[Writer]:
        """Those that run."""
        return list(self._writers.values())

    def stop(self) -> None:
        """Write what waits everywhere, then end."""
        with self._lock:
            self._stopped = True
        for writer in self.started():
            writer.stop()
