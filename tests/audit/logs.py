"""Logs with acts and a signer, for tests of what is signed, exported and verified."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from api.engine import begin
from audit.checkpoints import Sealed, seal
from audit.note import Ed25519Signer
from audit.signer import MonotonicSigner
from tests.builders import GOVERNMENT, NOW, journal, post, run
from tests.databases import Database

ORIGIN = "rkud/36"


def log_key(origin: str = ORIGIN, seed: int = 7) -> Ed25519Signer:
    """A log key that is the same in each run."""
    return Ed25519Signer(origin, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


VKEY = log_key().verifier.vkey


def new_signer(folder: Path, origin: str = ORIGIN, seed: int = 7) -> MonotonicSigner:
    """A signer that has signed nothing, its state in *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    signer = MonotonicSigner(folder / f"signer-{seed}", [log_key(origin, seed)])
    signer.begin()
    return signer


def sealed(
    engine: Engine,
    signer: MonotonicSigner,
    *,
    seconds: int = 0,
    government: str = GOVERNMENT,
) -> Sealed:
    """Seal everything that is committed."""
    with begin(engine) as conn:
        return seal(conn, government, signer, now=NOW + timedelta(seconds=seconds))


def post_journals(engine: Engine, start: int, count: int) -> None:
    """Feed *count* journals `J-<start>` and on, in one batch."""
    results = run(engine, *post(*(journal(f"J-{n}") for n in range(start, start + count))))
    for result in results:
        assert not hasattr(result, "error"), result


@contextmanager
def raw_sqlite(database: Database) -> Iterator[sqlite3.Connection]:
    """A plain connection with every trigger dropped: what somebody with the file can do."""
    conn = sqlite3.connect(database.url.removeprefix("sqlite:///"))
    for (name,) in conn.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        conn.execute(f"DROP TRIGGER {name}")
    yield conn
    conn.commit()
    conn.close()
