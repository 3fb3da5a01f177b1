"""
Where a bench keeps its databases: a private PostgreSQL, or the server that RKUD_BENCH_URL names.

The private cluster is durable as in production and gone afterwards. On a named server the bench
makes databases and one role of its own, and drops them at the end; that URL's role must be allowed
both (CREATEDB and CREATEROLE).
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

from api.bench import machine
from api.private_postgres import APP_ROLE, READER_ROLE, PrivatePostgres

__all__ = ["BENCH_URL", "BenchServerError", "Cluster", "Urls", "open_cluster"]

BENCH_URL: Final = "RKUD_BENCH_URL"
#: Memory from which on a gibibyte of it is PostgreSQL's.
_PLENTY_MIB: Final = 4096
_DURABLE: Final = ("fsync", "synchronous_commit", "full_page_writes")


class BenchServerError(Exception):
    """The server that was named can't be measured; the message says why."""

    code = "bench_server"


@dataclass(frozen=True, slots=True)
class Urls:
    """One database as its owner and as the application."""

    owner: str
    app: str


class Cluster(Protocol):
    """What a bench needs of a server."""

    #: Roles that migrations grant to; None where there is none.
    app_role: str
    reader_role: str | None
    version: str

    def create(self, name: str, template: str | None = None) -> Urls:
        """A database of this name, empty or copied; one that stands there is dropped first."""

    def drop(self, name: str) -> None:
        """Drop a database of ours."""

    def cpu_seconds(self) -> float | None:
        """CPU seconds of the whole server; None where it can't be seen from here."""


@contextlib.contextmanager
def open_cluster(environ: Mapping[str, str] = os.environ) -> Iterator[Cluster]:
    """
    The server to measure on, for the length of the block.

    Raises:
        BenchServerError: RKUD_BENCH_URL names no PostgreSQL, or one that is not durable.
        PrivatePostgresError: A private one can't be had.
    """
    if named := environ.get(BENCH_URL):
        server = _NamedServer(named)
        try:
            yield server
        finally:
            server.close()
        return
    buffers = "1GB" if machine.available_mib() >= _PLENTY_MIB else "256MB"
    with PrivatePostgres(shared_buffers=buffers) as private:
        yield _PrivateServer(private)


class _PrivateServer:
    """A cluster of our own."""

    def __init__(self, server: PrivatePostgres) -> None:
        self._server = server
        self.app_role = APP_ROLE
        self.reader_role: str | None = READER_ROLE
        self.version = server.binaries.version

    def create(self, name: str, template: str | None = None) -> Urls:
        self._server.drop_database(name)
        urls = self._server.create_database(name, template)
        return Urls(owner=urls.owner, app=urls.app)

    def drop(self, name: str) -> None:
        self._server.drop_database(name)

    def cpu_seconds(self) -> float | None:
        return self._server.cpu_seconds()


class _NamedServer:
    """A server that is there already. Everything made on it carries one random prefix."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        if self._url.get_backend_name() != "postgresql":
            raise BenchServerError(f"{BENCH_URL} does not name a PostgreSQL database")
        self._prefix = f"rkud_bench_{secrets.token_hex(4)}"
        self.app_role = f"{self._prefix}_app"
        self.reader_role: str | None = None
        self._password = secrets.token_urlsafe(24)
        self._made: set[str] = set()
        with self._connect() as conn:
            shown = [str(_scalar(conn, f"SHOW {name}")) for name in _DURABLE]
            if shown != ["on"] * len(_DURABLE):
                raise BenchServerError(
                    f"{', '.join(_DURABLE)} must be on; they are {', '.join(shown)}"
                )
            self.version = str(_scalar(conn, "SHOW server_version"))
            self._postmaster = _postmaster_of(int(str(_scalar(conn, "SELECT pg_backend_pid()"))))
            conn.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                    sql.Identifier(self.app_role), sql.Literal(self._password)
                )
            )

    def create(self, name: str, template: str | None = None) -> Urls:
        self.drop(name)
        full = f"{self._prefix}_{name}"
        source = f"{self._prefix}_{template}" if template else "template1"
        with self._connect() as conn:
            conn.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(full), sql.Identifier(source)
                )
            )
        self._made.add(full)
        owner = self._url.set(database=full, drivername="postgresql+psycopg")
        app = owner.set(username=self.app_role, password=self._password)
        return Urls(owner=_text(owner), app=_text(app))

    def drop(self, name: str) -> None:
        full = f"{self._prefix}_{name}"
        with self._connect() as conn:
            conn.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(full))
            )
        self._made.discard(full)

    def cpu_seconds(self) -> float | None:
        if self._postmaster is None:
            return None
        family = [self._postmaster, *_children_of(self._postmaster)]
        total = 0.0
        for pid in family:
            with contextlib.suppress(OSError, IndexError):
                total += machine.cpu_seconds_of(pid)
        return total

    def close(self) -> None:
        """Drop whatever is left of ours."""
        prefix = f"{self._prefix}_"
        for name in list(self._made):
            self.drop(name.removeprefix(prefix))
        with self._connect() as conn:
            conn.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(self.app_role)))

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        plain = _text(self._url.set(drivername="postgresql"))
        return psycopg.connect(plain, autocommit=True)


def _scalar(conn: psycopg.Connection[tuple[object, ...]], query: str) -> object:
    row = conn.execute(query.encode()).fetchone()
    return row[0] if row else None


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def _postmaster_of(backend: int) -> int | None:
    """The backend's parent, when the server runs on this machine and in our view of it."""
    try:
        if "postgres" not in Path(f"/proc/{backend}/comm").read_text():
            return None
        return int(Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def _children_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry.name))
    return found
