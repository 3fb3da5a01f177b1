"""A served book, once on each engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api import logs
from tests.api.commands import Book
from tests.api.support import Served, served
from tests.databases import Database


@pytest.fixture(autouse=True)
def _logging() -> None:
    """The product's own logging, so that what a test captures is what an operator sees."""
    logs.configure(once=False)


@pytest.fixture
def api(database: Database, tmp_path: Path) -> Iterator[Served]:
    """A fresh book of government 36 behind the HTTP application."""
    with served(database, tmp_path) as running:
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
