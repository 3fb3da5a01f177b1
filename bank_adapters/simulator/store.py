"""
The served bank's database: one SQLite file, one thread that writes, commits shared by many calls.

Whoever asks hands over a function of the connection; the thread takes what waits (at most 256), runs
each within a savepoint of its own, commits once, and only then answers. If the process dies before
the commit, nobody was answered and nothing happened; if it dies after it, everything happened and
some were not told, which is what a client of a bank must live with.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

__all__ = ["SCHEMA", "Writer", "connect"]

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]

_BATCH_MAX: Final = 256

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS bank (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- kind: customer (has statements), payee (an account here), outside (at another bank), inner.
CREATE TABLE IF NOT EXISTS account (
    bank TEXT NOT NULL, number TEXT NOT NULL, name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('customer', 'payee', 'outside', 'inner')),
    status TEXT NOT NULL DEFAULT 'active'
        CHECK (status IN ('active', 'closed', 'dormant', 'frozen')),
    balance_sen INTEGER NOT NULL DEFAULT 0,
    held_sen INTEGER NOT NULL DEFAULT 0 CHECK (held_sen >= 0),
    PRIMARY KEY (bank, number),
    CHECK (kind <> 'customer' OR balance_sen >= held_sen)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS booking (
    id INTEGER PRIMARY KEY, day TEXT NOT NULL, at TEXT NOT NULL,
    debit TEXT NOT NULL, credit TEXT NOT NULL CHECK (credit <> debit),
    sen INTEGER NOT NULL CHECK (sen > 0),
    reason TEXT NOT NULL, reference TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS booking_reference ON booking (reference);
-- Whatever happens, an order leaves the customer's account once and comes back once.
CREATE UNIQUE INDEX IF NOT EXISTS booking_once ON booking (reference, reason)
    WHERE reference IS NOT NULL;

CREATE TABLE IF NOT EXISTS line (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, day TEXT NOT NULL, at TEXT NOT NULL,
    sen INTEGER NOT NULL CHECK (sen <> 0), after_sen INTEGER NOT NULL,
    booking INTEGER NOT NULL REFERENCES booking (id),
    reason TEXT NOT NULL, reference TEXT, remark TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS line_at ON line (account, at, id);
CREATE INDEX IF NOT EXISTS line_day ON line (account, day, id);

CREATE TABLE IF NOT EXISTS statement (
    account TEXT NOT NULL, no INTEGER NOT NULL, day TEXT NOT NULL,
    opening_day TEXT NOT NULL, opening_sen INTEGER NOT NULL, closing_sen INTEGER NOT NULL,
    PRIMARY KEY (account, no), UNIQUE (account, day)
) STRICT, WITHOUT ROWID;

-- status: late (executed later, unknown until then), pending, done, failed, returned.
CREATE TABLE IF NOT EXISTS transfer (
    reference TEXT PRIMARY KEY, service TEXT NOT NULL, external_id TEXT NOT NULL,
    reference_no TEXT NOT NULL UNIQUE, source TEXT NOT NULL, bank TEXT NOT NULL,
    account TEXT NOT NULL, name TEXT NOT NULL, sen INTEGER NOT NULL, remark TEXT NOT NULL,
    customer_reference TEXT NOT NULL, transaction_date TEXT NOT NULL, rail TEXT NOT NULL,
    parameters TEXT NOT NULL, response_code TEXT NOT NULL,
    status TEXT NOT NULL
        CHECK (status IN ('late', 'pending', 'done', 'failed', 'returned')),
    received_at TEXT NOT NULL, executed_at TEXT, returned_at TEXT,
    asks INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS transfer_external_id ON transfer (external_id);

CREATE TABLE IF NOT EXISTS external_id (
    day TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (day, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS token (token TEXT PRIMARY KEY, until REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fault (
    subject TEXT NOT NULL, name TEXT NOT NULL, given INTEGER NOT NULL,
    PRIMARY KEY (subject, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS later (
    id INTEGER PRIMARY KEY, due_at REAL NOT NULL, action TEXT NOT NULL, reference TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS later_due ON later (due_at);
CREATE TABLE IF NOT EXISTS correction (
    booking INTEGER PRIMARY KEY REFERENCES booking (id), corrected_by INTEGER
) STRICT;
-- copy_of: sent byte for byte as that one was.
CREATE TABLE IF NOT EXISTS callback (
    id INTEGER PRIMARY KEY, reference TEXT NOT NULL, path TEXT NOT NULL, body BLOB NOT NULL,
    due_at REAL NOT NULL, copy_of INTEGER, headers TEXT, tries INTEGER NOT NULL DEFAULT 0,
    answered INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS callback_due ON callback (due_at) WHERE answered IS NULL;
"""


def connect(path: Path | str, synchronous: str = "FULL") -> sqlite3.Connection:
    """Open the database and see to its tables; *synchronous*: FULL, or NORMAL, which is faster."""
    conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    conn.row_factory = sqlite3.Row
    conn.execute("PRAGMA journal_mode = WAL")
    conn.execute(f"PRAGMA synchronous = {synchronous}")
    conn.execute("PRAGMA foreign_keys = ON")
    conn.executescript(SCHEMA)
    return conn


class Writer:
    """The one thread that touches the connection while the bank is served."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        self._waiting: SimpleQueue[tuple[Work, asyncio.Future[Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="bank-writer", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what waits, and close the database."""
        self._waiting.put(None)
        self._thread.join()
        self._conn.close()

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What *work* returns, once it is committed. Its exception leaves nothing behind."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.put((work, done))
        return await done

    def _run(self) -> None:
        while True:
            batch = [self._waiting.get()]
            try:
                while len(batch) < _BATCH_MAX and batch[-1] is not None:
                    batch.append(self._waiting.get_nowait())
            except Empty:
                pass
            jobs = [each for each in batch if each is not None]
            if jobs:
                self._commit(jobs)
            if batch[-1] is None:
                return

    def _commit(self, jobs: list[tuple[Work, asyncio.Future[Any]]]) -> None:
        results: list[tuple[Any, Exception | None]] = []
        try:
            self._conn.execute("BEGIN IMMEDIATE")
            results = [self._one(work) for work, _ in jobs]
            self._conn.execute("COMMIT")
        except sqlite3.Error as error:
            if self._conn.in_transaction:
                self._conn.execute("ROLLBACK")
            results = [(None, error)] * len(jobs)
        loop = jobs[0][1].get_loop()
        done = [future for _, future in jobs]
        loop.call_soon_threadsafe(_answer, done, results)

    def _one(self, work: Work) -> tuple[Any, Exception | None]:
        self._conn.execute("SAVEPOINT one")
        try:
            result = work(self._conn)
        except Exception as error:  # handed to whoever asked
            self._conn.execute("ROLLBACK TO one")
            self._conn.execute("RELEASE one")
            return None, error
        self._conn.execute("RELEASE one")
        return result, None


def _answer(
    futures: list[asyncio.Future[Any]], results: list[tuple[Any, Exception | None]]
) -> None:
    for future, (result, error) in zip(futures, results, strict=True):
        if future.cancelled():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
