"""A real server in a process of its own, and what it refuses to do."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from api.engine import make_engine, reading
from api.errors import ApiError, DataDirMissingError
from api.opening import make_book, make_keys
from api.private_postgres import PrivatePostgres
from api.serving import ServeOptions, check_serving
from api.settings import Settings
from ledger import tables as t
from tests.api.support import GOVERNMENT, book, issue_token, open_books, receipt
from tests.databases import Database

COMMAND = [sys.executable, "-c", "from api.cli import main; main()"]


@pytest.fixture
def home(tmp_path: Path, database: Database) -> Path:
    """A data directory beside a book, with keys."""
    directory = tmp_path / "home"
    (directory / "keys").mkdir(mode=0o700, parents=True)
    directory.chmod(0o700)
    open_books(database)
    make_keys(directory / "keys", GOVERNMENT, f"rkud.example/{GOVERNMENT}")
    return directory


@contextmanager
def server(database: Database, home: Path, *options: str) -> Iterator[tuple[str, Any]]:
    """`rkud serve` on a free port: its address and process."""
    log = home.parent / "server.log"
    with log.open("wb") as errors:  # a pipe that nobody reads would fill and stop the server
        process = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0", *options],
            env={**os.environ, "RKUD_DATA_DIR": str(home), "RKUD_DATABASE_URL": database.url},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    try:
        assert line.startswith("serving on "), (line, log.read_text())
        yield line.rpartition(" ")[2].strip(), process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_until_ready(url: str) -> None:
    """Up to 20 s."""
    for _ in range(200):
        try:
            if httpx2.get(f"{url}/readyz", timeout=30).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise AssertionError("not ready")


def journal_count(database: Database) -> int:
    """Journals in the book, without the opening."""
    engine = make_engine(database.url)
    with reading(engine) as conn:
        found = len(conn.execute(t.journal.select()).all()) - 1
    engine.dispose()
    return found


def test_server_told_to_stop_answers_what_it_took_and_seals_it(
    database: Database, home: Path
) -> None:
    """SIGTERM under load: every 201 is in the book, the public checkpoint covered earlier acts."""
    token = issue_token(database, "svc-feed")
    accepted: list[str] = []
    with server(database, home) as (url, process):
        wait_until_ready(url)

        def load(name: int) -> None:
            with httpx2.Client(
                base_url=url, timeout=30, headers={"Authorization": f"Bearer {token}"}
            ) as http:
                for n in range(1_000):
                    reference = f"{name}-{n}"
                    try:
                        answer = http.post(
                            f"/v1/governments/{GOVERNMENT}/journals",
                            json=receipt(reference),
                            headers={"Idempotency-Key": reference},
                        )
                    except httpx2.TransportError:
                        return
                    if answer.status_code == 201:
                        accepted.append(reference)

        threads = [threading.Thread(target=load, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(2.0)
        checkpoint = httpx2.get(f"{url}/log/{GOVERNMENT}/checkpoint", timeout=30)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        for thread in threads:
            thread.join()

    assert 200 == checkpoint.status_code
    assert checkpoint.text.startswith(f"rkud.example/{GOVERNMENT}\n")
    assert len(accepted) > 0
    # Answers under way when it stopped may have been lost on the wire; acts never.
    assert len(accepted) <= journal_count(database) <= len(accepted) + 4


def test_server_refuses_what_the_application_may_not(
    postgres_database: Database, postgres: PrivatePostgres, home: Path
) -> None:
    """As owner or superuser `serve` ends with 2 and names the role, unless embedded."""
    name = postgres_database.url.rpartition("?")[0].rpartition("/")[2]
    for url, code in (
        (postgres_database.owner_url, "rkud_owner"),
        (postgres.superuser_url(name), "postgres"),
    ):
        settings = Settings(data_dir=home, database_url=SecretStr(url))
        with pytest.raises(ApiError) as refused:
            check_serving(settings, ServeOptions())
        assert ("owner_role", code) == (refused.value.code, refused.value.values["role"])
        # Embedded the role is not what stops it; the book may be kept elsewhere.
        with contextlib.suppress(DataDirMissingError):
            check_serving(settings, ServeOptions(embedded=True))


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (ServeOptions(workers=2), "workers_need_postgres"),
        (ServeOptions(host="0.0.0.0"), "unprotected_host"),  # noqa: S104  # refused
        (ServeOptions(host="::"), "unprotected_host"),
        (ServeOptions(host="example.org"), "unprotected_host"),
        (ServeOptions(host="0.0.0.0", tls_cert=Path("x")), "unprotected_host"),  # noqa: S104
        (ServeOptions(host="0.0.0.0", behind_proxy="nonsense"), "unprotected_host"),  # noqa: S104
    ],
)
def test_server_refuses_to_listen_where_it_would_not_be_safe(
    tmp_path: Path, options: ServeOptions, code: str
) -> None:
    """Beyond loopback only behind TLS or a proxy; SQLite has one worker."""
    settings = Settings(data_dir=tmp_path / "data")
    make_book(settings, book())

    with pytest.raises(ApiError) as refused:
        check_serving(settings, options)

    assert code == refused.value.code


@pytest.mark.parametrize(
    "options",
    [
        ServeOptions(host="127.0.0.1"),
        ServeOptions(host="::1"),
        ServeOptions(host="0.0.0.0", behind_proxy="10.0.0.0/8"),  # noqa: S104
    ],
)
def test_server_listens_where_it_is_safe(tmp_path: Path, options: ServeOptions) -> None:
    """Loopback, or behind a proxy that was named."""
    settings = Settings(data_dir=tmp_path / "data")
    make_book(settings, book())

    check_serving(settings, options)


@pytest.mark.parametrize("what", ["directory", "database", "key"])
def test_server_refuses_a_book_that_is_open_to_others(tmp_path: Path, what: str) -> None:
    """A mode wider than 0700 or 0600 is refused by path, not repaired."""
    settings = Settings(data_dir=tmp_path / "data")
    make_book(settings, book())
    path = {
        "directory": settings.data_dir,
        "database": settings.data_dir / "rkud.db",
        "key": settings.keys() / f"log-{GOVERNMENT}.key",
    }[what]
    path.chmod(0o755 if path.is_dir() else 0o644)

    with pytest.raises(ApiError) as refused:
        check_serving(settings, ServeOptions())

    assert ("unsafe_data_dir", str(path)) == (refused.value.code, refused.value.values["path"])


def test_server_with_two_workers_serves_one_book(
    postgres_database: Database, tmp_path: Path
) -> None:
    """On PostgreSQL several processes post into one book and share their figures."""
    home = tmp_path / "home"
    (home / "keys").mkdir(mode=0o700, parents=True)
    home.chmod(0o700)
    open_books(postgres_database)
    make_keys(home / "keys", GOVERNMENT, f"rkud.example/{GOVERNMENT}")
    token = issue_token(postgres_database, "svc-feed")
    with server(postgres_database, home, "--workers", "2") as (url, process):
        wait_until_ready(url)
        statuses = []
        for n in range(20):
            # A connection each, so that both processes get some.
            answer = httpx2.post(
                f"{url}/v1/governments/{GOVERNMENT}/journals",
                json=receipt(f"W-{n}"),
                headers={"Authorization": f"Bearer {token}", "Idempotency-Key": f"w-{n}"},
            )
            statuses.append(answer.status_code)
        figures = httpx2.get(f"{url}/metrics", timeout=30).text
        process.send_signal(signal.SIGTERM)
        process.wait(40)

    counted = sum(
        float(line.rpartition(" ")[2])
        for line in figures.splitlines()
        if line.startswith("rkud_http_requests_total") and 'status="201"' in line
    )
    assert {201} == set(statuses)
    assert 20 == counted
    assert 20 == journal_count(postgres_database)


def test_command_without_a_book_is_refused_naming_the_path(tmp_path: Path) -> None:
    """Only init and demo make a book; every other command says where it looked."""
    for arguments in (["fsck"], ["serve"], ["audit", "checkpoint"], ["journals", "import", "x"]):
        done = subprocess.run(
            [*COMMAND, *arguments],
            env={**os.environ, "RKUD_DATA_DIR": str(tmp_path / "none")},
            capture_output=True,
            text=True,
            check=False,
        )

        assert 2 == done.returncode
        assert "data_dir_missing" in done.stderr
        assert str(tmp_path / "none") in done.stderr


def test_settings_are_listed_without_their_secrets(tmp_path: Path) -> None:
    """A password in a URL is masked."""
    done = subprocess.run(
        [*COMMAND, "settings", "--json"],
        env={**os.environ, "RKUD_DATABASE_URL": "postgresql+psycopg://app:hunter2@db/rkud"},
        capture_output=True,
        text=True,
        check=False,
    )

    listed = {each["name"]: each["value"] for each in json.loads(done.stdout)}
    assert "hunter2" not in done.stdout
    assert "postgresql+psycopg://app:***@db/rkud" == listed["RKUD_DATABASE_URL"]
