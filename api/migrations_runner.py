"""Bring a database to the newest schema, or say which schema it has."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event
from sqlalchemy.pool import NullPool

from api.engine import prepare_sqlite

__all__ = ["current", "head", "upgrade"]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "api:migrations")
    return config


def upgrade(
    owner_url: str,
    app_role: str | None = "rkud_app",
    reader_role: str | None = "rkud_reader",
    *,
    revision: str = "head",
) -> None:
    """
    Run all migrations that are missing, in one transaction; up to *revision*.

    *owner_url* is the schema owner's on PostgreSQL, where *app_role* receives just the rights the
    application needs and *reader_role* may read (None: no such role). SQLite knows no roles.
    """
    engine = create_engine(owner_url, poolclass=NullPool, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", prepare_sqlite)
    config = _config()
    with engine.connect() as conn:
        if engine.dialect.name == "sqlite":
            conn.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes.update(connection=conn, app_role=app_role, reader_role=reader_role)
        command.upgrade(config, revision)
        conn.commit()
    engine.dispose()


def current(url: str) -> str | None:
    """Revision of the database, None when it holds no schema."""
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    with engine.connect() as conn:
        revision = MigrationContext.configure(conn).get_current_revision()
    engine.dispose()
    return revision


def head() -> str:
    """Revision that this release needs."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        raise RuntimeError("no migrations are installed")
    return revision
