"""A real server on a private PostgreSQL (or SQLite), and a plain keep-alive client for it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from api.engine import begin, make_engine
from api.private_postgres import PrivatePostgres
from ledger.posting import Accepted, post_batch
from ledger.tokens import IssueToken, new_token, token_sha256

GOVERNMENT = "36"
BANK = "137:0012345678"
TODAY = datetime.now(ZoneInfo("Asia/Jakarta")).date().isoformat()


@dataclass(slots=True)
class Book:
    """Where a book is and how to reach it."""

    environment: dict[str, str]
    url: str
    folder: Path
    vkey: str = ""

    def rkud(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line on this book."""
        return subprocess.run(
            [sys.executable, "-c", "from api.cli import main; main()", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def token(self, person: str) -> str:
        """A token for a person, issued by an administrator."""
        token = new_token()
        engine = make_engine(self.url)
        with begin(engine) as conn:
            (result,) = post_batch(
                conn,
                GOVERNMENT,
                [IssueToken("admin-1", person, token_sha256(token), minutes=1_440)],
                now=datetime.now(UTC),
                today=TODAY,
            )
        engine.dispose()
        assert isinstance(result, Accepted), result
        return token


@contextlib.contextmanager
def new_book(engine: str, folder: Path, *, opening: str = "9000000000000.00") -> Iterator[Book]:
    """A fresh book that takes every kind of fed journal."""
    data = folder / "data"
    environment = os.environ | {"RKUD_DATA_DIR": str(data), "RKUD_ACCESS_LOG": "false"}
    environment.pop("RKUD_DATABASE_URL", None)
    with contextlib.ExitStack() as stack:
        url = f"sqlite:///{data}/rkud.db"
        if engine == "postgresql":
            server = stack.enter_context(PrivatePostgres(durable=True, max_connections=60))
            urls = server.create_database("soak")
            url = urls.app
            environment |= {"RKUD_DATABASE_URL": urls.app, "RKUD_OWNER_URL": urls.owner}
        book = Book(environment, url, data)
        if engine == "postgresql":
            _must(book.rkud("db", "upgrade"))
        year = TODAY[:4]
        said = _must(
            book.rkud(
                "init", "--government", GOVERNMENT, "--name", "Uji", "--bank-account", BANK,
                "--recognition", "on_issue", "--fiscal-year", year, "--feed", "*",
                "--opening-balance", opening, "--opening-on", f"{year}-01-01",
            )
        )  # fmt: skip
        book.vkey = next(line[5:] for line in said.splitlines() if line.startswith("vkey "))
        yield book


def _must(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


class Server:
    """`rkud serve` in its own process group."""

    def __init__(self, book: Book, *, port: int | None = None, log: Path | None = None) -> None:
        self.port = port or _free_port()
        self._log = log.open("ab") if log else subprocess.DEVNULL
        self.process = subprocess.Popen(
            [
                sys.executable, "-c", "from api.cli import main; main()",
                "serve", "--port", str(self.port),
            ],
            env=book.environment,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )  # fmt: skip

    def wait_ready(self, seconds: float = 30.0) -> None:
        """Until it answers."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise SystemExit(f"the server ended with {self.process.returncode}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                if Client(self.port, "", timeout=2).get("/healthz")[0] == 200:
                    return
            time.sleep(0.05)
        raise SystemExit("the server did not become ready")

    def kill(self) -> None:
        """End the whole group without a word: kill -9."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it politely."""
        self.process.terminate()
        self.process.wait(30)


class Client:
    """One keep-alive connection. Any trouble closes it; the next call opens another."""

    def __init__(self, port: int, token: str, *, timeout: float = 30) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        return self._call("GET", path, None, {})

    def post(self, path: str, body: Any, *, key: str) -> tuple[int, Any]:
        """Status and JSON."""
        status, data = self._call(
            "POST",
            path,
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "Idempotency-Key": key},
        )
        return status, json.loads(data)

    def _call(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        try:
            self._connection.request(method, path, body, self._headers | headers)
            response = self._connection.getresponse()
            return response.status, response.read()
        except BaseException:
            self._connection.close()
            raise


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
