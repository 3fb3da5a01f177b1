"""The book that tests of this folder work on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.databases import Database
from tests.reconciliation.books import Book, book_of


@pytest.fixture
def book(database: Database) -> Iterator[Book]:
    """A fresh book with one bank account, once on each engine."""
    with book_of(database) as opened:
        yield opened
