"""A treasury on each engine, under each recognition policy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from api.engine import make_engine
from tests.databases import Database
from tests.ledger.documents.office import Office, new_office


@pytest.fixture
def empty_engine(database: Database) -> Iterator[Engine]:
    """The application's engine on a migrated database without a book."""
    made = make_engine(database.url)
    yield made
    made.dispose()


@pytest.fixture(params=("on_issue", "on_cair"))
def office(request: pytest.FixtureRequest, empty_engine: Engine) -> Office:
    """A treasury with its budget, under each recognition policy."""
    return new_office(empty_engine, request.param)


@pytest.fixture
def on_issue(empty_engine: Engine) -> Office:
    """A treasury that books when the SP2D is signed."""
    return new_office(empty_engine, "on_issue")


@pytest.fixture
def on_cair(empty_engine: Engine) -> Office:
    """A treasury that books when the bank has paid."""
    return new_office(empty_engine, "on_cair")
