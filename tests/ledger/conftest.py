"""An engine on the opened book."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from api.engine import make_engine
from tests.databases import Database


@pytest.fixture
def engine(opened: Database) -> Iterator[Engine]:
    """The application's engine on a fresh book; once on SQLite, once on PostgreSQL."""
    made = make_engine(opened.url)
    yield made
    made.dispose()
