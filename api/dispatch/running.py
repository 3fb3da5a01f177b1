"""Make a worker from settings and files, and run it until it is told to stop."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from sqlalchemy import Engine

from api.checkpoints import CheckpointJob
from api.clock import Clock, local_day, system_clock
from api.dispatch.banks import Router, clients_of, connections_of
from api.dispatch.pulling import Puller, make_puller
from api.dispatch.timing import Timing
from api.dispatch.worker import Worker
from api.errors import ApiError
from api.operating import book_of
from api.settings import Settings
from ledger.settings import Settings as BookSettings

__all__ = ["DispatcherUnknownError", "Running", "dispatcher_of", "make_worker"]


class DispatcherUnknownError(ApiError):
    """A worker acts in the name of a person who holds the role dispatcher."""

    def __init__(self, *, found: list[str]) -> None:
        super().__init__(
            f"{len(found)} persons hold the role dispatcher today ({', '.join(found) or 'nobody'}):"
            " name one",
            found=found,
        )


@dataclass(slots=True)
class Running:
    """A worker with what seals its acts (*own*: nobody else uses that), and what pulls beside it."""

    worker: Worker
    checkpoints: CheckpointJob
    own: bool = True
    puller: Puller | None = None

    def run(self, stopping: threading.Event) -> None:
        """Until told to stop; then what is under way ends, and is sealed."""
        pulling = self.puller if not stopping.is_set() else None
        if pulling is not None:
            pulling.start()
        try:
            self.worker.run(stopping)
        finally:
            if pulling is not None:
                pulling.stop()
            if self.own:
                self.checkpoints.stop()


def make_worker(
    engine: Engine,
    settings: Settings,
    government: str,
    *,
    person: str = "",
    width: int = 0,
    timing: Timing | None = None,
    clock: Clock = system_clock,
    checkpoints: CheckpointJob | None = None,
) -> Running:
    """
    A worker of a government, ready to run.

    *person* is who it acts for (default: the only dispatcher); *width* how many calls are under way
    at once (default: what the connections allow); *checkpoints* seals its acts and is the caller's
    (default: one of its own).

    Raises: BanksFileMissingError, InvalidConnectionError, NoChannelError, DispatcherUnknownError.
    """
    book = book_of(engine, government)
    today = local_day(clock(), book.zone)
    connections = connections_of(settings.banks())
    clients = clients_of(book, connections, clock, today)
    said = [each.settings for each in connections]
    rails = {
        account: next(
            s.rails
            for s in said
            if s.bank_code == account.partition(":")[0] and account.partition(":")[2] in s.accounts
        )
        for account in clients
    }
    call_most = int(max(s.total_seconds for s in said)) + 5
    sealing = checkpoints or CheckpointJob(
        engine, settings.keys(), clock=clock, pause=settings.checkpoint_seconds
    )
    worker = Worker(
        engine,
        government,
        book.zone,
        person or dispatcher_of(book, today),
        clients,
        Router.from_folder(settings.banks(), rails),
        clock,
        timing
        or Timing(
            lease=3 * call_most,
            call_most=call_most,
            first_ask=max(s.first_inquiry_seconds for s in said),
        ),
        width or max(s.calls_at_once for s in said),
        committed=sealing.committed,
        refuses=sealing.refuses,
    )
    book.require(worker.person, "dispatcher", today)
    minutes = {
        f"{each.bank_code}:{number}": each.pull_minutes for each in said for number in each.accounts
    }
    served = {account: minutes.get(account, 0) for account in book.bank_accounts}
    puller = make_puller(engine, settings, government, served, clock)
    return Running(worker, sealing, own=checkpoints is None, puller=puller)


def dispatcher_of(book: BookSettings, today: str) -> str:
    """The only person who holds the role dispatcher. Raises DispatcherUnknownError."""
    found = [each for each in book.persons if book.grant(each, "dispatcher", today)]
    if len(found) != 1:
        raise DispatcherUnknownError(found=sorted(found))
    return found[0]
