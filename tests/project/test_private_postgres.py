"""The private PostgreSQL: roles with few rights, nothing left behind, and the time it used."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from api.private_postgres import (
    DatabaseUrls,
    PostgresBinaries,
    PostgresBinariesMissingError,
    PostgresStartError,
    PrivatePostgres,
    find_binaries,
)

ROOT = Path(__file__).parents[2]
NAMES = itertools.count(1)

# Starts a server, says where, and waits to be ended from outside.
STARTER = """
import signal
import sys
from sqlalchemy import make_url
from api.private_postgres import PrivatePostgres
# A shell's background job, and with it a test run in one, is born deaf to SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)
server = PrivatePostgres(durable=False)
server.start()
folder = make_url(server.superuser_url()).query["host"]
print(server.server_pid(), folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def urls(postgres: PrivatePostgres) -> Iterator[DatabaseUrls]:
    name = f"private_{next(NAMES)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    parts = make_url(url)
    return psycopg.connect(
        host=parts.host or str(parts.query["host"]),
        port=parts.port or int(str(parts.query["port"])),
        user=parts.username,
        password=str(parts.password) if parts.password else None,
        dbname=parts.database,
        autocommit=True,
    )


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(pid: int, folder: Path) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if not is_running(pid) and not folder.exists():
            return True
        time.sleep(0.05)
    return False


def test_private_postgres_roles_are_neither_superuser_nor_creator(
    postgres: PrivatePostgres, urls: DatabaseUrls
) -> None:
    """No role that the product uses may create roles or databases, or pass by the checks."""
    with connect(postgres.superuser_url()) as conn:
        rights = conn.execute(
            "SELECT rolname, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication"
            " OR rolbypassrls FROM pg_roles WHERE rolname LIKE 'rkud%' ORDER BY 1"
        ).fetchall()

    assert [("rkud_app", False), ("rkud_owner", False), ("rkud_reader", False)] == rights


@pytest.mark.parametrize("role", ["app", "reader"])
def test_private_postgres_role_without_grants_can_do_nothing(urls: DatabaseUrls, role: str) -> None:
    """Application and reader see no table that the owner made, and can't make one."""
    with connect(urls.owner) as owner:
        owner.execute("CREATE TABLE kept (n int)")

    with connect(getattr(urls, role)) as conn:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("SELECT n FROM kept")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("CREATE TABLE own (n int)")


def test_private_postgres_granted_right_is_the_only_one(urls: DatabaseUrls) -> None:
    """What the owner grants works, and nothing beside it."""
    with connect(urls.owner) as owner:
        owner.execute("CREATE TABLE kept (n int)")
        owner.execute("GRANT INSERT, SELECT ON kept TO rkud_app")
        owner.execute("GRANT SELECT ON kept TO rkud_reader")

    with connect(urls.app) as app:
        app.execute("INSERT INTO kept VALUES (1)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("DELETE FROM kept")
    with connect(urls.reader) as reader:
        assert [(1,)] == reader.execute("SELECT n FROM kept").fetchall()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("INSERT INTO kept VALUES (2)")


def test_private_postgres_copy_of_a_template_has_its_tables_rights_and_closed_door(
    postgres: PrivatePostgres,
) -> None:
    """A copy carries tables and grants, is closed to PUBLIC, and is separate from its template."""
    template = postgres.create_database("copied_from")
    with connect(template.owner) as owner:
        owner.execute("CREATE TABLE kept (n int)")
        owner.execute("GRANT INSERT, SELECT ON kept TO rkud_app")
    copy = postgres.create_database("copied_to", template="copied_from")

    with connect(copy.app) as app:
        app.execute("INSERT INTO kept VALUES (1)")
    with connect(template.app) as app:
        rows_of_template = app.execute("SELECT n FROM kept").fetchall()
    with connect(postgres.superuser_url("copied_to")) as conn:
        public = conn.execute(
            "SELECT count(*) FROM pg_database d, aclexplode(d.datacl) a"
            " WHERE d.datname = 'copied_to' AND a.grantee = 0"
        ).fetchone()
    for name in ("copied_to", "copied_from"):
        postgres.drop_database(name)

    assert [] == rows_of_template
    assert (0,) == public


@pytest.mark.parametrize(("durable", "expected"), [(True, "on"), (False, "off")])
def test_private_postgres_durability_is_as_asked(durable: bool, expected: str) -> None:
    """Durable is the default of production: all three switches on; a test may turn them off."""
    with (
        PrivatePostgres(durable=durable, shared_buffers="16MB", max_connections=11) as server,
        connect(server.superuser_url()) as conn,
    ):
        rows = conn.execute(
            "SELECT name, setting FROM pg_settings WHERE name IN ('fsync',"
            " 'synchronous_commit', 'full_page_writes', 'max_connections',"
            " 'shared_buffers', 'listen_addresses')"
        ).fetchall()

    assert {str(name): str(setting) for name, setting in rows} == {
        "fsync": expected,
        "synchronous_commit": expected,
        "full_page_writes": expected,
        "max_connections": "11",
        "shared_buffers": "2048",
        "listen_addresses": "",
    }


def test_private_postgres_over_tcp_wants_the_role_s_password() -> None:
    """On the loopback address a role gets in by its own password and by no other."""
    with PrivatePostgres(durable=False, tcp=True) as server:
        urls = server.create_database("book")
        app = make_url(urls.app)
        with connect(urls.app) as conn:
            who = conn.execute("SELECT current_user").fetchone()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(app.set(password="another").render_as_string(hide_password=False))

    assert ("rkud_app",) == who
    assert "127.0.0.1" == app.host


def test_private_postgres_settings_with_quotes_arrive_unchanged() -> None:
    """A value with spaces, quotes and backslashes reaches the server as it was given."""
    value = "it's a 'name' \\ here"
    with (
        PrivatePostgres(durable=False, settings={"rkud.note": value}) as server,
        connect(server.superuser_url()) as conn,
    ):
        assert (value,) == conn.execute("SHOW rkud.note").fetchone()


def test_private_postgres_cpu_seconds_count_ended_sessions_and_never_fall(
    postgres: PrivatePostgres,
) -> None:
    """Work of a session counts while it runs and after it has ended."""
    before = postgres.cpu_seconds()
    with connect(postgres.superuser_url()) as conn:
        conn.execute("SELECT sum(sqrt(n)) FROM generate_series(1, 1000000) n")
        during = postgres.cpu_seconds()
    readings = [during, *(postgres.cpu_seconds() for _ in range(20))]

    assert during - before >= 0.02
    assert sorted(readings) == readings


def test_private_postgres_stopped_leaves_nothing() -> None:
    """After stop the process and its files are gone; stopping again does nothing."""
    server = PrivatePostgres(durable=False)
    server.start()
    pid, folder = server.server_pid(), Path(str(make_url(server.superuser_url()).query["host"]))
    assert is_running(pid)
    assert 0o700 == folder.stat().st_mode & 0o777

    server.stop()
    server.stop()

    assert not is_running(pid)
    assert not folder.exists()
    with pytest.raises(PostgresStartError):
        server.server_pid()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT, None])
def test_private_postgres_ends_with_the_process_that_started_it(how: signal.Signals | None) -> None:
    """However its starter ends (signal, kill -9, falling off its end), server and files go too."""
    with subprocess.Popen(
        [sys.executable, "-c", STARTER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as starter:
        assert starter.stdout is not None
        number, folder = starter.stdout.readline().split()
        assert is_running(int(number))
        if how is None:
            starter.communicate()
        else:
            starter.send_signal(how)
            starter.wait()

    assert wait_until_gone(int(number), Path(folder))


def test_private_postgres_in_a_forked_child_leaves_the_parent_s_server(
    postgres: PrivatePostgres,
) -> None:
    """A child made by fork that stops its copy stops nothing."""
    child = os.fork()
    if child == 0:
        postgres.stop()
        os._exit(0)
    os.waitpid(child, 0)

    assert is_running(postgres.server_pid())
    with connect(postgres.superuser_url()) as conn:
        assert (1,) == conn.execute("SELECT 1").fetchone()


def test_private_postgres_in_a_named_directory_keeps_its_data_there_while_it_runs() -> None:
    """The data goes to the disk that is to be measured, and is gone with the server."""
    with tempfile.TemporaryDirectory() as folder:
        # The server runs as another user where the tests run as root.
        Path(folder).chmod(0o777)
        with (
            PrivatePostgres(durable=False, directory=Path(folder)) as server,
            connect(server.superuser_url()) as conn,
        ):
            where = conn.execute("SHOW data_directory").fetchone()
        left = list(Path(folder).iterdir())

    assert where is not None
    assert str(where[0]).startswith(folder)
    assert [] == left


def test_private_postgres_that_fails_to_start_says_why_and_leaves_nothing() -> None:
    """A setting that the server refuses is in the error, and the directories are gone."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        server = PrivatePostgres(settings={"no_such_setting": "1"}, directory=Path(folder))
        with pytest.raises(PostgresStartError) as refused:
            server.start()
        left = list(Path(folder).iterdir())

    assert "the server" == refused.value.step
    assert "no_such_setting" in refused.value.output
    assert [] == left


def test_find_binaries_in_a_folder_without_them_names_folder_and_remedy(tmp_path: Path) -> None:
    """RKUD_PG_BIN is taken at its word: a wrong one is refused, with what to install."""
    with pytest.raises(PostgresBinariesMissingError) as refused:
        find_binaries({"RKUD_PG_BIN": str(tmp_path), "PATH": os.environ["PATH"]})

    assert (f"{tmp_path} (initdb or postgres is missing)",) == refused.value.tried
    assert "apt-get install postgresql" in str(refused.value)
    assert str(tmp_path) in str(refused.value)


def test_find_binaries_by_variable_gives_folder_and_version() -> None:
    """The folder named by RKUD_PG_BIN is used, and the version is the server's own."""
    found = find_binaries()

    named = find_binaries({"RKUD_PG_BIN": str(found.folder)})

    assert isinstance(named, PostgresBinaries)
    assert found == named
    assert int(named.version.split(".")[0]) >= 13
