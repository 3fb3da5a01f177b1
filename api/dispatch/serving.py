"""
The worker that a server runs beside its requests (`rkud serve --worker`).

One thread of its own, and a supervisor in it: a worker that dies is logged, shown (`/readyz`,
`/metrics`) and started again, after a pause that grows while it keeps dying. Whatever it was about to
do is in the books, as for a worker that was killed.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import msgspec

from api import metrics
from api.dispatch.running import Running
from api.logs import log

__all__ = ["ServedWorker", "WorkerOptions", "options_from_environment", "pass_on"]

_PAUSE_SECONDS: Final = 1.0
_PAUSE_MOST_SECONDS: Final = 60.0
#: A worker that lived this long begins anew with the shortest pause.
_STEADY_SECONDS: Final = 60.0
_VARIABLE: Final = "RKUD_SERVED_WORKER"


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """Whose worker, in whose name ("": the only dispatcher), how many calls at once (0: as banks.toml)."""

    government: str
    person: str = ""
    width: int = 0


def pass_on(options: WorkerOptions | None) -> None:
    """Tell the processes of this server, this one included."""
    if options is None:
        os.environ.pop(_VARIABLE, None)
    else:
        os.environ[_VARIABLE] = msgspec.json.encode(options).decode()


def options_from_environment() -> WorkerOptions | None:
    """What `pass_on` told."""
    told = os.environ.get(_VARIABLE)
    return None if told is None else msgspec.json.decode(told, type=WorkerOptions)


class ServedWorker:
    """A worker that is kept alive until it is told to stop. *make* makes one, ready to run."""

    def __init__(
        self, make: Callable[[], Running], government: str, *, pause: float = _PAUSE_SECONDS
    ) -> None:
        self._make = make
        self._government = government
        self._pause = pause
        self._stopping = threading.Event()
        self._trouble = ""
        self._thread = threading.Thread(target=self._keep_alive, name="worker", daemon=True)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Let the calls under way end and be recorded, then end."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def trouble(self) -> str:
        """The error that the worker died of, while none has taken its place; "" while one runs."""
        if self._thread.is_alive() or self._stopping.is_set():
            return self._trouble
        return self._trouble or "stopped"

    def _keep_alive(self) -> None:
        pause = self._pause
        while not self._stopping.is_set():
            began = time.monotonic()
            running = None
            try:
                running = self._make()
                self._is_up()
                running.run(self._stopping)
            except BaseException as error:  # whatever it is, payments wait for a worker
                self._died(error)
                if running is not None:
                    with suppress(BaseException):
                        # Answers of calls that were under way are heard where that can still be.
                        running.worker.close()
            if time.monotonic() - began >= _STEADY_SECONDS:
                pause = self._pause
            if self._stopping.wait(pause):
                break
            pause = min(2 * pause, _PAUSE_MOST_SECONDS)
        metrics.WORKER_UP.labels(self._government).set(0)
        log.info("worker.ended", government=self._government)

    def _is_up(self) -> None:
        self._trouble = ""
        metrics.WORKER_UP.labels(self._government).set(1)
        log.info("worker.started", government=self._government)

    def _died(self, error: BaseException) -> None:
        self._trouble = str(getattr(error, "code", type(error).__name__))
        metrics.WORKER_UP.labels(self._government).set(0)
        metrics.WORKER_DEATHS.labels(self._government, self._trouble).inc()
        log.error("worker.died", government=self._government, error=self._trouble)
