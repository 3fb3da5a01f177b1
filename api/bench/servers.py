"""Start what is measured over HTTP, each in a process of its own, and put load on it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from api.bench import machine
from api.bench.books import GOVERNMENT
from api.bench.cluster import Cluster
from api.bench.load import Measured, Plan
from api.bench.report import Cell

__all__ = [
    "RKUD",
    "BenchRunError",
    "Process",
    "Serving",
    "free_port",
    "process",
    "put_load",
    "serving_product",
    "serving_yardstick",
]

_START_SECONDS: Final = 60.0
RKUD: Final = (sys.executable, "-c", "from api.cli import main; main()")


class BenchRunError(Exception):
    """A process of the bench failed, or answered what it must not; the message is what it said."""

    code = "bench_run"


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that listens on the loopback address, and where it takes journals."""

    pid: int
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Process:
    """A process of the bench, and where its words go."""

    _made: subprocess.Popen[bytes]
    _log: Path

    @property
    def pid(self) -> int:
        """Its id."""
        return self._made.pid

    def said(self) -> str:
        """The end of what it said."""
        return self._log.read_text(errors="replace")[-2000:]

    def check(self) -> None:
        """Raises BenchRunError where it has ended."""
        if self._made.poll() is not None:
            raise BenchRunError(f"a process ended: {self.said()}")


@contextlib.contextmanager
def serving_product(app_url: str, folder: Path) -> Iterator[Serving]:
    """`rkud serve` as an operator starts it: one worker, default settings, access log to a file."""
    environment = {"RKUD_DATA_DIR": str(folder), "RKUD_DATABASE_URL": app_url}
    port = free_port()
    command = [*RKUD, "serve", "--port", str(port)]
    with (
        tempfile.TemporaryDirectory(prefix="rkud-bench-") as logs,
        process(command, environment, Path(logs) / "log", port) as made,
    ):
        yield Serving(made.pid, port, f"/v1/governments/{GOVERNMENT}/journals")


@contextlib.contextmanager
def serving_yardstick(name: str, url: str) -> Iterator[Serving]:
    """uvicorn with `api.bench.yardsticks.<name>:app`, one worker, no access log."""
    with tempfile.TemporaryDirectory(prefix="rkud-bench-") as folder:
        port = free_port()
        command = [sys.executable, "-m", "uvicorn", f"api.bench.yardsticks.{name}:app"]
        command += ["--port", str(port), "--loop", "uvloop", "--http", "httptools"]
        command += ["--no-access-log", "--log-level", "warning", "--lifespan", "on"]
        environment = {"RKUD_YARDSTICK_URL": url}
        with process(command, environment, Path(folder) / "log", port) as made:
            yield Serving(made.pid, port, "/journals")


def put_load(plan: Plan, serving: Serving, cluster: Cluster) -> Cell:
    """
    Run the load and read the CPU clocks at both ends of its span.

    Raises:
        BenchRunError: The load failed, or an answer was not 201.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "api.bench.load"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as load:
        if load.stdin is None or load.stdout is None:
            raise AssertionError("both are pipes")
        load.stdin.write(msgspec.json.encode(plan).decode())
        load.stdin.close()
        _await_line(load.stdout.readline, "start")
        before = _clocks(serving, cluster)
        _await_line(load.stdout.readline, "end")
        after = _clocks(serving, cluster)
        measured = msgspec.json.decode(load.stdout.readline(), type=Measured)
    if measured.wrong or not measured.answered:
        raise BenchRunError(
            f"{measured.wrong} answers of {measured.answered} were not 201: {measured.first_wrong}"
        )
    values = {
        "journals/s": measured.answered / measured.seconds,
        "p50 ms": measured.p50_ms,
        "p99 ms": measured.p99_ms,
        "app ms": (after[0] - before[0]) / measured.answered * 1000,
    }
    if before[1] is not None and after[1] is not None:
        values["db ms"] = (after[1] - before[1]) / measured.answered * 1000
    return Cell(values)


def _clocks(serving: Serving, cluster: Cluster) -> tuple[float, float | None]:
    return machine.cpu_seconds_of(serving.pid), cluster.cpu_seconds()


def _await_line(readline: Callable[[], str], wanted: str) -> None:
    if (line := readline().strip()) != wanted:
        raise BenchRunError(f"the load said {line[:200]!r} instead of {wanted}")


@contextlib.contextmanager
def process(
    command: list[str], environment: dict[str, str], log: Path, port: int = 0
) -> Iterator[Process]:
    """A process until the end of the block; *port*: where it must listen first."""
    with log.open("wb") as output:
        made = subprocess.Popen(  # noqa: S603  # our own programs
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            if port:
                _await_port(Process(made, log), port)
            yield Process(made, log)
        finally:
            made.terminate()
            try:
                made.wait(timeout=30)
            except subprocess.TimeoutExpired:
                made.kill()
                made.wait()


def _await_port(started: Process, port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        started.check()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise BenchRunError(f"nothing listens: {started.said()}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
