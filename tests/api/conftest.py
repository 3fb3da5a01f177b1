"""A served book, once on each engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api import logs
from api.private_postgres import PrivatePostgres
from tests.api.commands import Book
from tests.api.support import Served, open_books, served_opened
from tests.conftest import postgres_copy, postgres_filled, sqlite_filled
from tests.databases import Database, chosen_engines, sqlite_copy


@pytest.fixture(autouse=True)
def _logging() -> None:
    """The product's own logging, so that what a test captures is what an operator sees."""
    logs.configure(once=False)


@pytest.fixture(scope="session")
def _sqlite_served(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sqlite_filled(_sqlite_template, tmp_path_factory.mktemp("sqlite-served"), open_books)


@pytest.fixture(scope="session")
def _postgres_served(
    postgres: PrivatePostgres, _postgres_copies: Callable[[], Database]
) -> Callable[[], Database]:
    return postgres_filled(postgres, "served", open_books)


@pytest.fixture(params=chosen_engines())
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A fresh migrated database, once on each engine; a test that takes `api` has its book in it."""
    if "api" not in request.fixturenames:
        yield request.getfixturevalue(
            {"sqlite": "sqlite_database", "postgresql": "postgres_database"}[request.param]
        )
    elif request.param == "sqlite":
        yield sqlite_copy(request.getfixturevalue("_sqlite_served"), tmp_path)
    else:
        yield from postgres_copy(request, "_postgres_served")


@pytest.fixture
def api(database: Database, tmp_path: Path) -> Iterator[Served]:
    """A fresh book of government 36 behind the HTTP application."""
    with served_opened(database, tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a book that `rkud init` made: to be copied."""
    made = Book(tmp_path_factory.mktemp("initialised") / "data")
    made.init()
    return made.home


@pytest.fixture
def book(initialised: Path, tmp_path: Path) -> Book:
    """A fresh book for commands."""
    return Book.copy(initialised, tmp_path / "data")
