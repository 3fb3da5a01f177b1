"""The database fixtures: both engines, at the newest revision, in the application's role."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from api import migrations_runner
from tests.databases import ENGINES, Database, chosen_engines, narrowed_notice


def test_database_is_at_the_newest_revision_on_each_engine(database: Database) -> None:
    """A copy of the template is a fully migrated database."""
    engine = create_engine(database.url, poolclass=NullPool)

    assert database.dialect == engine.dialect.name
    assert migrations_runner.head() == migrations_runner.current(database.owner_url)
    assert "journal_line" in inspect(engine).get_table_names()


def test_postgres_database_is_used_in_a_role_that_owns_nothing(
    postgres_database: Database,
) -> None:
    """The tests run as the application does: no table of its own, and no right to make one."""
    engine = create_engine(postgres_database.url, poolclass=NullPool)
    with engine.connect() as conn:
        owned = conn.execute(text("SELECT count(*) FROM pg_tables WHERE tableowner = current_user"))
        count = owned.scalar_one()
    with engine.connect() as conn, pytest.raises(ProgrammingError, match="permission denied"):
        conn.execute(text("CREATE TABLE own (n int)"))

    assert 0 == count


@pytest.mark.parametrize(
    ("environ", "engines", "notice"),
    [
        ({}, ENGINES, None),
        ({"RKUD_TEST_ENGINES": "postgresql,sqlite"}, ("postgresql", "sqlite"), None),
        (
            {"RKUD_TEST_ENGINES": "sqlite"},
            ("sqlite",),
            "NOT TESTED on postgresql: RKUD_TEST_ENGINES leaves it out",
        ),
    ],
)
def test_engines_left_out_are_announced(
    environ: dict[str, str], engines: tuple[str, ...], notice: str | None
) -> None:
    """A run on fewer engines than both says which it leaves out."""
    assert engines == chosen_engines(environ)
    assert notice == narrowed_notice(environ)


@pytest.mark.parametrize("value", ["", " , ", "mysql", "sqlite,mysql"])
def test_engines_that_are_unknown_or_none_are_refused(value: str) -> None:
    """A misspelt engine stops the run instead of testing nothing."""
    with pytest.raises(pytest.UsageError):
        chosen_engines({"RKUD_TEST_ENGINES": value})
