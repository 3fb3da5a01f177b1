"""A book with tokens, and journals to post into it."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from starlette.testclient import TestClient

from api.app import create_app
from api.engine import begin, make_engine
from api.front import Front
from api.opening import make_keys
from api.runtime import Runtime
from api.settings import Settings
from audit import bulk
from ledger import tables as t
from ledger.opening import NewBook, open_book
from tests.databases import Database

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
TODAY = "2026-11-20"
CASH = "1.1.01.01.01.0001"
TAX = "4.1.01.06.01.0001"
EXPENSE = "8.1.02.01.01.0024"
BANK = "137:0000000000"
GOVERNMENT = "36"
_numbers = itertools.count(1)


def fixed_clock() -> datetime:
    """It is always the same morning."""
    return NOW


def book(government: str = GOVERNMENT, **changes: Any) -> NewBook:
    """A book that takes every kind of fed journal."""
    values: dict[str, Any] = {
        "government": government,
        "name": "Provinsi Banten",
        "bank_account": BANK,
        "bank_account_name": "RKUD",
        "recognition": "on_cair",
        "fiscal_years": [2025, 2026],
        "origin": f"rkud.example/{government}",
        "feed": ["*"],
        "opening_balance_sen": 100_000_000,
        "opening_on": "2026-01-01",
    }
    return NewBook(**(values | changes))


def open_books(database: Database, *books: NewBook) -> None:
    """Open these books, or the one of government 36."""
    engine = make_engine(database.owner_url)
    with begin(engine) as conn:
        for each in books or (book(),):
            open_book(conn, each, now=NOW, today=TODAY)
    engine.dispose()


def issue_token(database: Database, person: str, government: str = GOVERNMENT) -> str:
    """A token for *person*, put into the table without ceremony."""
    token = f"test-{government}-{person}-{next(_numbers)}"
    row = (
        government,
        hashlib.sha256(token.encode()).hexdigest(),
        f"tok-{next(_numbers)}",
        person,
        "admin-1",
        "2026-11-20T00:00:00.000000Z",
        "2099-01-01T00:00:00.000000Z",
        0,
    )
    engine = make_engine(database.owner_url)
    with begin(engine) as conn:
        bulk.insert_rows(conn, t.token, tuple(t.token.c.keys()), [row])
    engine.dispose()
    return token


def give_role(database: Database, person: str, role: str, government: str = GOVERNMENT) -> None:
    """Let *person* hold *role*, without ceremony."""
    row = (
        government,
        f"grant-{next(_numbers)}",
        person,
        role,
        "",
        "definitive",
        "",
        "2026-01-01",
        "9999-12-31",
        "admin-1",
        "admin-2",
        0,
    )
    engine = make_engine(database.owner_url)
    with begin(engine) as conn:
        bulk.insert_rows(conn, t.grant_given, tuple(t.grant_given.c.keys()), [row])
    engine.dispose()


def settings_for(database: Database, directory: Path, **changes: Any) -> Settings:
    """Settings of a server on this database."""
    values: dict[str, Any] = {
        "data_dir": directory,
        "database_url": SecretStr(database.url),
        "token_cache_seconds": 0.0,
    }
    return Settings(**(values | changes))


@dataclass(frozen=True, slots=True)
class Served:
    """A running application with a client that carries a feed's token."""

    client: TestClient
    app: Front
    runtime: Runtime
    token: str
    database: Database

    def post(self, path: str, body: object, *, key: str | None = None, **kwargs: Any) -> Any:
        """POST below the government, with a new key unless one is given."""
        headers = {"Idempotency-Key": key or f"k-{next(_numbers)}", **kwargs.pop("headers", {})}
        return self.client.post(
            f"/v1/governments/{GOVERNMENT}{path}", json=body, headers=headers, **kwargs
        )

    def get(self, path: str, **kwargs: Any) -> Any:
        """GET below the government."""
        return self.client.get(f"/v1/governments/{GOVERNMENT}{path}", **kwargs)


@contextmanager
def served(database: Database, directory: Path, **changes: Any) -> Iterator[Served]:
    """Serve a fresh book of government 36."""
    open_books(database)
    with served_opened(database, directory, **changes) as running:
        yield running


@contextmanager
def served_opened(database: Database, directory: Path, **changes: Any) -> Iterator[Served]:
    """Serve a book of government 36 that `open_books` has opened."""
    keys = directory / "keys"
    keys.mkdir(mode=0o700)
    make_keys(keys, GOVERNMENT, f"rkud.example/{GOVERNMENT}")
    token = issue_token(database, "svc-feed")
    with serving(database, directory, token, **changes) as running:
        yield running


@contextmanager
def serving(database: Database, directory: Path, token: str, **changes: Any) -> Iterator[Served]:
    """Serve what is there."""
    settings = settings_for(database, directory, **changes)
    runtime = Runtime(settings, fixed_clock)
    app = create_app(settings, clock=fixed_clock, runtime=runtime)
    with TestClient(
        app, headers={"Authorization": f"Bearer {token}"}, raise_server_exceptions=False
    ) as client:
        yield Served(client, app, runtime, token, database)


def receipt(reference: str = "", amount: str = "1000.00", **changes: Any) -> dict[str, Any]:
    """A receipt's journal as it is sent."""
    return {
        "reference": reference or f"STS/{next(_numbers)}",
        "effective_on": TODAY,
        "kind": "receipt",
        "description": "Pajak hotel",
        "lines": [
            {"account": CASH, "debit": amount},
            {"account": TAX, "credit": amount},
        ],
    } | changes
