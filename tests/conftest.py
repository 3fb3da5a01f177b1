"""
Fixtures shared by all tests: a private PostgreSQL a run, and a fresh migrated database a test.

A database test takes `database` and runs once on each engine. Migrating takes a second, so it is
done once a session into a template, and each test gets a copy: of the file, or by
CREATE DATABASE ... TEMPLATE. A copy on PostgreSQL is hundreds of files that live for a second, so
temporary files stand in memory where there is room for them.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy import make_url

from api.private_postgres import (
    PostgresBinariesMissingError,
    PrivatePostgres,
    find_binaries,
)
from tests.compiled import share_compiled_statements
from tests.databases import Database, chosen_engines, narrowed_notice, sqlite_copy

# Here once, because each conftest that names a fixture makes one of its own.
from tests.ledger.documents.offices import (  # noqa: F401  # fixtures
    _postgres_offices,
    _sqlite_offices,
    office,
    office_database,
    office_engine,
    offices,
    on_cair,
    on_issue,
)

# A busy machine is no failure: examples are bounded in number, tests in time. And one run is like
# the other: new cases are looked for on purpose (make explore).
hypothesis.settings.register_profile("steady", deadline=None, print_blob=True, derandomize=True)
hypothesis.settings.register_profile("explore", deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("RKUD_TEST_PROFILE", "steady"))

_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made below it has a private folder of its own
_MEMORY_BYTES_MIN = 2 * 1024**3
_TEMPLATE = "rkud_template"


def _temporary_files_to_memory() -> None:
    """Unless a folder was named (TMPDIR), or memory has no room (a container's 64 MB)."""
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK):
        return
    if shutil.disk_usage(_MEMORY).free >= _MEMORY_BYTES_MIN:
        os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)  # for the programs we start, too


# Before anything asks for a temporary folder. Workers of a parallel run inherit it.
_temporary_files_to_memory()
share_compiled_statements()


def pytest_configure(config: pytest.Config) -> None:
    """Let programs that tests start keep their compiled modules: for the run, not in the sources."""
    if hasattr(config, "workerinput") or not os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        return
    kept = tempfile.TemporaryDirectory(prefix="rkud-compiled-", ignore_cleanup_errors=True)
    os.environ["PYTHONPYCACHEPREFIX"] = kept.name
    config.add_cleanup(kept.cleanup)


def pytest_report_header() -> list[str]:
    """Name the PostgreSQL in use, where temporary files go, and an engine that is left out."""
    try:
        found = find_binaries()
        lines = [f"PostgreSQL: {found.version} in {found.folder}"]
    except PostgresBinariesMissingError as error:
        lines = [f"PostgreSQL: {error}"]
    lines.append(f"temporary files: {tempfile.gettempdir()}")
    notice = narrowed_notice()
    return [*lines, notice] if notice else lines


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it again at the end, where a quiet run shows it too."""
    if notice := narrowed_notice():
        terminalreporter.write_line(notice, yellow=True)


def _migrate(owner_url: str) -> None:
    # Here, so that the tests of the lower floors run without loading the top one.
    from api import migrations_runner  # noqa: PLC0415

    migrations_runner.upgrade(owner_url)


def _postgres_copier(server: PrivatePostgres, template: str, prefix: str) -> Callable[[], Database]:
    """What makes copies of a template database, each under a name of its own."""
    numbers = itertools.count(1)

    def copy() -> Database:
        urls = server.create_database(f"{prefix}_{next(numbers)}", template=template)
        return Database("postgresql", url=urls.app, owner_url=urls.owner, reader_url=urls.reader)

    return copy


def postgres_copy(request: pytest.FixtureRequest, copies: str) -> Iterator[Database]:
    """One copy for one test; dropped, with whoever is connected, after it."""
    if "postgresql" not in chosen_engines():
        pytest.skip(narrowed_notice() or "")
    # Asked for by name, so that a run on SQLite alone starts no server.
    server: PrivatePostgres = request.getfixturevalue("postgres")
    copy: Callable[[], Database] = request.getfixturevalue(copies)
    database = copy()
    yield database
    server.drop_database(make_url(database.url).database or "")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    """One private cluster for the run, or for each worker of a parallel run; not durable."""
    # Its log is of no use to anybody, and may stand in memory: little of it is kept.
    little = {"min_wal_size": "32MB", "max_wal_size": "256MB"}
    with PrivatePostgres(
        durable=False, shared_buffers="64MB", max_connections=100, settings=little
    ) as server:
        yield server


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite-template") / "rkud.db"
    _migrate(f"sqlite:///{path}")
    # What still stands in the write-ahead log would be missing from a copy of the file alone.
    with sqlite3.connect(path) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.close()
    return path


@pytest.fixture(scope="session")
def _postgres_copies(postgres: PrivatePostgres) -> Callable[[], Database]:
    _migrate(postgres.create_database(_TEMPLATE).owner)
    return _postgres_copier(postgres, _TEMPLATE, "book")


@pytest.fixture
def sqlite_database(_sqlite_template: Path, tmp_path: Path) -> Database:
    """A fresh migrated SQLite file (0600) in a directory of its own (0700)."""
    return sqlite_copy(_sqlite_template, tmp_path)


@pytest.fixture
def postgres_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A fresh migrated PostgreSQL database; dropped, with whoever is connected, after the test."""
    yield from postgres_copy(request, "_postgres_copies")


def sqlite_filled(template: Path, folder: Path, fill: Callable[[Database], None]) -> Path:
    """A copy of the migrated file with what *fill* puts into it: to be copied again."""
    path = folder / "rkud.db"
    shutil.copyfile(template, path)
    url = f"sqlite:///{path}"
    fill(Database("sqlite", url=url, owner_url=url, reader_url=url))
    with sqlite3.connect(path) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.close()
    return path


def postgres_filled(
    server: PrivatePostgres, name: str, fill: Callable[[Database], None]
) -> Callable[[], Database]:
    """The same on PostgreSQL, once the template is migrated: what makes the copies."""
    urls = server.create_database(f"rkud_{name}", template=_TEMPLATE)
    fill(Database("postgresql", url=urls.app, owner_url=urls.owner, reader_url=urls.reader))
    return _postgres_copier(server, f"rkud_{name}", name)


def _open(database: Database) -> None:
    from api.engine import begin, make_engine  # noqa: PLC0415  # as above
    from ledger.opening import open_book  # noqa: PLC0415
    from tests.builders import NOW, TODAY, new_book  # noqa: PLC0415

    engine = make_engine(database.url)
    with begin(engine) as conn:
        open_book(conn, new_book(), now=NOW, today=TODAY)
    engine.dispose()


@pytest.fixture(scope="session")
def _sqlite_opened(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sqlite_filled(_sqlite_template, tmp_path_factory.mktemp("sqlite-opened"), _open)


@pytest.fixture(scope="session")
def _postgres_opened(
    postgres: PrivatePostgres, _postgres_copies: Callable[[], Database]
) -> Callable[[], Database]:
    return postgres_filled(postgres, "opened", _open)


@pytest.fixture
def opened_sqlite(_sqlite_opened: Path, tmp_path: Path) -> Database:
    """A fresh SQLite file with the book of `tests.builders.new_book`."""
    return sqlite_copy(_sqlite_opened, tmp_path)


@pytest.fixture
def opened_postgres(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A fresh PostgreSQL database with the same book."""
    yield from postgres_copy(request, "_postgres_opened")


@pytest.fixture(params=chosen_engines())
def opened(request: pytest.FixtureRequest) -> Database:
    """A fresh database with the book of `tests.builders.new_book`, once on each engine."""
    name = {"sqlite": "opened_sqlite", "postgresql": "opened_postgres"}[request.param]
    value: Database = request.getfixturevalue(name)
    return value


@pytest.fixture(params=chosen_engines())
def database(request: pytest.FixtureRequest) -> Database:
    """A fresh migrated database, once on each engine."""
    name = {"sqlite": "sqlite_database", "postgresql": "postgres_database"}[request.param]
    value: Database = request.getfixturevalue(name)
    return value
