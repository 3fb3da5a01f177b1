"""
The product in a process of its own, on loopback, its clock set to the demo's day.

`python -m api.demo.server OFFSET_SECONDS` serves the book that RKUD_DATA_DIR names, with a clock
that goes OFFSET_SECONDS before or after the machine's. It refuses every book that is not a demo's:
nobody else's acts may be dated by anything but the clock.
"""

from __future__ import annotations

import os
import select as io_select
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Final

from api.clock import Clock
from api.demo.errors import NotADemoBookError, ServerStoppedError

__all__ = ["DemoServer", "shifted_clock"]

_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 30


def shifted_clock(offset: timedelta) -> Clock:
    """The machine's clock, moved by *offset*."""

    def now() -> datetime:
        return datetime.now(UTC) + offset

    return now


class DemoServer:
    """The child process. Use as a context; `url` is where it listens."""

    def __init__(self, data_dir: Path, log: Path, *, offset: timedelta, port: int = 0) -> None:
        self._log = log
        self._output: IO[bytes] = log.open("ab")
        self._process = subprocess.Popen(  # noqa: S603  # our own module, no shell
            [sys.executable, "-m", "api.demo.server", str(offset.total_seconds()), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._output,
            env={**os.environ, "RKUD_DATA_DIR": str(data_dir), "RKUD_ACCESS_LOG": "false"},
        )
        try:
            self.url = self._wait()
            self._wait_for_answer()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> DemoServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self) -> None:
        """Until it ends by itself."""
        self._process.wait()

    def stop(self) -> None:
        """Let it finish what it has, then end it."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._output.close()

    def _wait(self) -> str:
        """The address it prints once it listens. Raises ServerStoppedError."""
        stream = self._process.stdout
        if stream is None:
            raise ServerStoppedError(log=str(self._log))
        deadline = time.monotonic() + _START_SECONDS
        said = b""
        while b"\n" not in said:
            left = deadline - time.monotonic()
            ready, _, _ = io_select.select([stream], [], [], max(left, 0))
            piece = os.read(stream.fileno(), 4096) if ready else b""
            if not piece:  # it ended, or it never spoke
                raise ServerStoppedError(log=str(self._log))
            said += piece
        return said.split(b"\n", 1)[0].decode().rpartition(" ")[2]

    def _wait_for_answer(self) -> None:
        """It says where before it listens. Raises ServerStoppedError."""
        deadline = time.monotonic() + _START_SECONDS
        host, _, port = self.url.rpartition("/")[2].rpartition(":")
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise ServerStoppedError(log=str(self._log))


def _serve(offset: timedelta, port: int) -> None:
    import uvicorn  # noqa: PLC0415  # only in the child

    from api.app import create_app  # noqa: PLC0415
    from api.logs import configure  # noqa: PLC0415
    from api.serving import ServeOptions, check_serving  # noqa: PLC0415
    from api.settings import Settings  # noqa: PLC0415

    settings = Settings()
    check_serving(settings, ServeOptions())
    _check_demo(settings.url(), settings.data_dir)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    configure(settings.log_level)
    config = uvicorn.Config(
        create_app(settings, clock=shifted_clock(offset)),
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS - 5,
    )
    listener = config.bind_socket()
    host, bound = listener.getsockname()[:2]
    sys.stdout.write(f"serving on http://{host}:{bound}\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[listener])


def _end_with_parent() -> None:
    """Whoever started this process holds its standard input open for as long as it lives."""
    while sys.stdin.buffer.read(1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _check_demo(url: str, data_dir: Path) -> None:
    """Raises NotADemoBookError."""
    from sqlalchemy import select  # noqa: PLC0415

    from api.engine import make_engine, reading  # noqa: PLC0415
    from ledger import tables as t  # noqa: PLC0415

    engine = make_engine(url)
    try:
        with reading(engine) as conn:
            marks = list(conn.execute(select(t.government.c.is_demo)).scalars())
    finally:
        engine.dispose()
    if not marks or not all(marks):
        raise NotADemoBookError(path=str(data_dir), reason="holds a book that is not a demo's")


if __name__ == "__main__":
    os.umask(0o077)
    # Ctrl-C on the terminal reaches the whole group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _serve(timedelta(seconds=float(sys.argv[1])), int(sys.argv[2]))
