"""
Engines: how a process talks to the database, and the settings that durability depends on.

SQLite: write-ahead log with `synchronous=FULL` (a commit survives power loss), foreign keys on,
`recursive_triggers` on (INSERT OR REPLACE then fires the triggers that refuse it), and transactions
that begin when we say so. PostgreSQL: psycopg with its own defaults, and a socket buffer that takes
a batch while the server is still busy with what came before.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import time
from collections.abc import Iterator
from typing import Final

from psycopg import Connection as PsycopgConnection
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, QueuePool

__all__ = ["begin", "commit", "make_engine", "prepare_sqlite", "reading", "rollback"]

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA recursive_triggers=ON",
    "PRAGMA busy_timeout=30000",
    # Erased personal data must not linger in free pages.
    "PRAGMA secure_delete=ON",
    "PRAGMA cache_size=-65536",
    "PRAGMA temp_store=MEMORY",
)


def prepare_sqlite(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    """Set the pragmas and take the transaction control away from the driver."""
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


#: A batch of a thousand journals is about two megabytes; the system may grant less.
_SEND_BUFFER_BYTES: Final = 4 * 1024 * 1024


def prepare_psycopg(
    connection: PsycopgConnection[tuple[object, ...]], _entry: ConnectionPoolEntry
) -> None:
    """Let a local socket hold what is sent ahead; TCP finds a size by itself."""
    with socket.socket(fileno=os.dup(connection.pgconn.socket)) as shared:
        if shared.family == socket.AF_UNIX:
            shared.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)


#: A connection that rested this long is asked whether it lives before it is used. One that was used
#: a moment ago is not: the writer would pay a round trip a batch, and finds out by itself.
_PING_AFTER_SECONDS: Final = 1.0
_RESTED_SINCE: Final = "rkud_rested_since"


def _rest(_: object, entry: ConnectionPoolEntry) -> None:
    entry.info[_RESTED_SINCE] = time.monotonic()


def _wake(engine: Engine, connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    since = entry.info.get(_RESTED_SINCE)
    if since is None or time.monotonic() - since < _PING_AFTER_SECONDS:
        return
    try:
        alive = engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error:
        alive = False
    if not alive:
        # Whatever ended this one has ended its neighbours: the pool makes new ones.
        raise InvalidatePoolError


def make_engine(url: str, *, pool_size: int = 4) -> Engine:
    """
    An engine for *url*. Connections are made on first use, so an idle government costs none.

    Parameters never appear in errors or logs (`hide_parameters`).
    """
    if url.startswith("sqlite"):
        engine = create_engine(
            url,
            hide_parameters=True,
            poolclass=QueuePool if ":memory:" not in url else NullPool,
            pool_size=pool_size,
            max_overflow=4,
        )
        event.listen(engine, "connect", prepare_sqlite)
        return engine
    engine = create_engine(url, hide_parameters=True, pool_size=pool_size, max_overflow=4)
    event.listen(engine, "connect", prepare_psycopg)
    event.listen(engine, "checkin", _rest)
    event.listen(engine, "checkout", lambda each, entry, _: _wake(engine, each, entry))
    return engine


@contextlib.contextmanager
def begin(engine: Engine) -> Iterator[Connection]:
    """A write transaction: committed at the end of the block, rolled back when it raises."""
    with engine.connect() as conn:
        if conn.dialect.name == "sqlite":
            # The write lock now, so that reading first and writing later can't deadlock.
            conn.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield conn
        except BaseException:
            rollback(conn)
            raise
        commit(conn)


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One snapshot to read from: everything in the block sees the same state."""
    with engine.connect() as conn:
        if conn.dialect.name == "sqlite":
            conn.exec_driver_sql("BEGIN")
        else:
            conn.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        try:
            yield conn
        finally:
            rollback(conn)


def commit(conn: Connection) -> None:
    """Commit what `begin` or a BEGIN of our own opened."""
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql("COMMIT")
    conn.commit()


def rollback(conn: Connection) -> None:
    """Take back whatever is open on *conn*."""
    if conn.dialect.name == "sqlite":
        driver = conn.connection.driver_connection
        if isinstance(driver, sqlite3.Connection) and driver.in_transaction:
            conn.exec_driver_sql("ROLLBACK")
    conn.rollback()
