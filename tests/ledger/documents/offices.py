"""A treasury on each engine, under each recognition policy; both stand in one database."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, make_url

from api.engine import make_engine
from api.private_postgres import PrivatePostgres
from tests.databases import Database, chosen_engines, sqlite_copy
from tests.ledger.documents.office import POLICIES, Office, new_office

Keys = dict[str, dict[str, Ed25519PrivateKey]]


def _open_offices(url: str) -> Keys:
    """A treasury for each policy, and the officers' keys."""
    engine = make_engine(url)
    keys = {policy: new_office(engine, policy).keys for policy in POLICIES}
    engine.dispose()
    return keys


@pytest.fixture(scope="session")
def _sqlite_offices(
    _sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Keys]:
    path = tmp_path_factory.mktemp("sqlite-offices") / "rkud.db"
    shutil.copyfile(_sqlite_template, path)
    keys = _open_offices(f"sqlite:///{path}")
    # What still stands in the write-ahead log would be missing from a copy of the file alone.
    with sqlite3.connect(path) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.close()
    return path, keys


@pytest.fixture(scope="session")
def _postgres_offices(
    postgres: PrivatePostgres, _postgres_copies: Callable[[], Database]
) -> tuple[Callable[[], Database], Keys]:
    # Asked for, because it migrates the template that this one is copied from.
    del _postgres_copies
    keys = _open_offices(postgres.create_database("rkud_offices", template="rkud_template").app)
    numbers = itertools.count(1)

    def copy() -> Database:
        urls = postgres.create_database(f"office_{next(numbers)}", template="rkud_offices")
        return Database("postgresql", url=urls.app, owner_url=urls.owner, reader_url=urls.reader)

    return copy, keys


@pytest.fixture(params=chosen_engines())
def offices(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Database, Keys]]:
    """A fresh database with both treasuries, once on each engine."""
    if request.param == "sqlite":
        path, keys = request.getfixturevalue("_sqlite_offices")
        yield sqlite_copy(path, tmp_path), keys
        return
    make_copy, keys = request.getfixturevalue("_postgres_offices")
    database: Database = make_copy()
    yield database, keys
    server: PrivatePostgres = request.getfixturevalue("postgres")
    server.drop_database(make_url(database.url).database or "")


@pytest.fixture
def office_database(offices: tuple[Database, Keys]) -> Database:
    """The database that the treasury of this test stands in."""
    return offices[0]


@pytest.fixture
def office_engine(office_database: Database) -> Iterator[Engine]:
    """The application's engine on it."""
    made = make_engine(office_database.url)
    yield made
    made.dispose()


def _office(engine: Engine, policy: str, keys: Keys) -> Office:
    office = Office(engine, POLICIES[policy])
    office.keys = dict(keys[policy])
    return office


@pytest.fixture(params=tuple(POLICIES))
def office(
    request: pytest.FixtureRequest, office_engine: Engine, offices: tuple[Database, Keys]
) -> Office:
    """A treasury with its budget, under each recognition policy."""
    return _office(office_engine, request.param, offices[1])


@pytest.fixture
def on_issue(office_engine: Engine, offices: tuple[Database, Keys]) -> Office:
    """A treasury that books when the SP2D is signed."""
    return _office(office_engine, "on_issue", offices[1])


@pytest.fixture
def on_cair(office_engine: Engine, offices: tuple[Database, Keys]) -> Office:
    """A treasury that books when the bank has paid."""
    return _office(office_engine, "on_cair", offices[1])
