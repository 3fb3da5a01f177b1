"""The book that tests of this folder work on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.engine import make_engine
from api.private_postgres import PrivatePostgres
from tests.conftest import postgres_copy, postgres_filled, sqlite_filled
from tests.databases import Database, chosen_engines, sqlite_copy
from tests.reconciliation.books import Book, book_of


def _open(database: Database) -> None:
    with book_of(database):
        pass


@pytest.fixture(scope="session")
def _sqlite_book(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sqlite_filled(_sqlite_template, tmp_path_factory.mktemp("sqlite-book"), _open)


@pytest.fixture(scope="session")
def _postgres_book(
    postgres: PrivatePostgres, _postgres_copies: Callable[[], Database]
) -> Callable[[], Database]:
    return postgres_filled(postgres, "bookkept", _open)


@pytest.fixture(params=chosen_engines())
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A fresh migrated database, once on each engine; `book` stands in it where a test takes that."""
    if "book" not in request.fixturenames:
        yield request.getfixturevalue(
            {"sqlite": "sqlite_database", "postgresql": "postgres_database"}[request.param]
        )
    elif request.param == "sqlite":
        yield sqlite_copy(request.getfixturevalue("_sqlite_book"), tmp_path)
    else:
        yield from postgres_copy(request, "_postgres_book")


@pytest.fixture
def book(database: Database) -> Iterator[Book]:
    """A fresh book with one bank account, once on each engine."""
    opened = Book(make_engine(database.url))
    yield opened
    opened.engine.dispose()
