"""The worker within the server: kept alive, seen when it dies, ended without losing an answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from api.checkpoints import CheckpointJob
from api.dispatch.running import Running
from api.dispatch.serving import ServedWorker, WorkerOptions, options_from_environment, pass_on
from bank_adapters.payments.order import BankAnswer, PaymentOrder
from tests.api.dispatch.ledger_bank import Died, LedgerBank
from tests.api.dispatch.test_worker import Desk
from tests.ledger.documents.office import Office


@dataclass
class SlowBank(LedgerBank):
    """Answers when it is let go."""

    called: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    def send(self, order: PaymentOrder, external_id: str) -> BankAnswer:
        """Wait, then pay."""
        self.called.set()
        self.let_go.wait(30)
        return super().send(order, external_id)


def until(is_so: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def served(desk: Desk, *deaths: BaseException) -> ServedWorker:
    """A worker of the desk in a thread, whose first ones die."""
    left = list(deaths)

    def make() -> Running:
        running = Running(desk.worker(), cast("CheckpointJob", None), own=False)
        if left:
            running.worker = cast("Any", Dying(left.pop(0)))
        return running

    return ServedWorker(make, desk.office.government, pause=0.05)


@dataclass
class Dying:
    """A worker that dies at once."""

    error: BaseException

    def run(self, _stopping: threading.Event) -> None:
        """Die."""
        raise self.error

    def close(self) -> None:
        """Die again."""
        raise self.error


def test_worker_that_is_stopped_hears_and_records_the_call_under_way(on_cair: Office) -> None:
    """Stopping waits for the bank's answer; the payment is paid, in the books too."""
    bank = SlowBank()
    desk = Desk(on_cair, bank)
    desk.orders()
    worker = served(desk)
    worker.start()
    assert bank.called.wait(20)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    stopping.join(0.3)
    waited = stopping.is_alive()
    bank.let_go.set()
    stopping.join(20)

    assert (True, False, ["paid"]) == (waited, stopping.is_alive(), desk.states())


def test_worker_that_dies_is_told_and_another_takes_its_place(on_cair: Office) -> None:
    """Whatever it died of; while none runs, the reason is shown."""
    desk = Desk(on_cair)
    desk.orders()
    worker = served(desk, ValueError("x"), Died())
    before = worker.trouble()
    seen = set()
    worker.start()

    def paid() -> bool:
        seen.add(worker.trouble())
        return desk.states() == ["paid"]

    until(paid)
    after = worker.trouble()
    worker.stop()

    assert ("stopped", "") == (before, after)
    assert seen & {"ValueError", "Died"}


def test_options_reach_the_processes_of_the_server() -> None:
    """By the environment, which they share; a server without a worker hands on none."""
    options = WorkerOptions("36", "svc-dispatch", 4)
    pass_on(options)
    told = options_from_environment()
    pass_on(None)

    assert (options, None) == (told, options_from_environment())
