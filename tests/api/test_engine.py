"""Connections that the server ended while they lay in the pool."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

import api.engine
from api.committer import Committer
from api.engine import make_engine, reading
from ledger.posting import Accepted
from tests.api.support import GOVERNMENT, fixed_clock, open_books
from tests.api.test_writer import journal, references
from tests.databases import Database


@pytest.fixture
def engine(postgres_database: Database) -> Iterator[Engine]:
    """An engine on PostgreSQL with a fresh book."""
    open_books(postgres_database)
    made = make_engine(postgres_database.url)
    yield made
    made.dispose()


def end_all(engine: Engine, connections: int = 3) -> None:
    """Fill the pool, then let the server end every connection in it, as its restart does."""
    with ExitStack() as stack:
        for _ in range(connections):
            stack.enter_context(engine.connect()).execute(text("SELECT 1"))
    other = make_engine(engine.url.render_as_string(hide_password=False))
    with other.connect() as conn:
        ended = conn.execute(
            text(
                "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND usename = current_user"
                " AND pid <> pg_backend_pid()"
            )
        ).scalar()
    other.dispose()
    assert connections == ended


def test_connection_that_rested_is_asked_before_it_is_used(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody who reads learns that the server was started again."""
    end_all(engine)
    monkeypatch.setattr(api.engine, "_PING_AFTER_SECONDS", 0.0)

    with reading(engine) as conn:
        assert 1 == conn.execute(text("SELECT 1")).scalar()


def test_connection_that_was_just_used_is_not_asked(engine: Engine) -> None:
    """It costs one error, and all its neighbours are made anew."""
    end_all(engine)

    with pytest.raises(OperationalError), reading(engine):
        pass
    for _ in range(3):
        with reading(engine) as conn:
            assert 1 == conn.execute(text("SELECT 1")).scalar()


def test_writer_posts_though_every_connection_was_ended_a_moment_ago(engine: Engine) -> None:
    """The first attempt finds out, the second has a new connection: nobody gets an error."""
    committer = Committer(engine, GOVERNMENT, clock=fixed_clock)
    assert isinstance(committer.post([journal("A")])[0], Accepted)
    end_all(engine)

    assert isinstance(committer.post([journal("B")])[0], Accepted)
    assert ["A", "B"] == references(engine)
