"""
Append leaves to a government's log, inside the caller's transaction.

`open_batch` takes the one lock (the government's `log_edge` row; on SQLite the write lock of
`BEGIN IMMEDIATE` already stands) and every act of the transaction follows it, so acts have one
order and never deadlock. `Batch.close` writes leaves, private values, the batch row and the new
edge. If the process dies before the caller's COMMIT, none of it ever was: the index of a leaf comes
from the locked row, never from a sequence, so no gap is left either.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from audit import bulk
from audit.canonical import JsonInput, canonical_fast
from audit.database import batch as batch_table
from audit.database import log_edge, log_leaf, log_shard, private_value
from audit.errors import AuditError, OversizedEntryError
from audit.events import KINDS
from audit.merkle import Frontier

__all__ = [
    "Batch",
    "BookMissingError",
    "instant_text",
    "open_batch",
    "start_log",
]

#: An entry of a tlog-tiles bundle is preceded by its length in 16 bits (C2SP tlog-tiles).
MAX_ENTRY_BYTES: Final = 65_535
_SALTS_DRAWN: Final = 64

# The planner of a young database picks sequential scans and hash joins for tables that will be
# large by noon; the plans are cached. These statements all go by key.
_PG_LOCK: Final = (
    "SELECT origin, base, size, edge, batch_seq, journal_count, recorded_at, config_rev,"
    " set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),"
    " set_config('enable_mergejoin', 'off', true)"
    " FROM log_edge WHERE government = %s FOR UPDATE"
)
_LITE_LOCK: Final = (
    "SELECT origin, base, size, edge, batch_seq, journal_count, recorded_at, config_rev"
    " FROM log_edge WHERE government = ?"
)
_PG_ADVANCE: Final = (
    "UPDATE log_edge SET size = %s, edge = %s, batch_seq = %s, journal_count = %s,"
    " recorded_at = %s, config_rev = %s WHERE government = %s"
)


class BookMissingError(AuditError):
    """No book is kept for this government in this database."""

    def __init__(self, *, government: str) -> None:
        super().__init__(f"no book is kept for government {government!r} in this database")
        self.government = government


def instant_text(now: datetime) -> str:
    """UTC text with six decimals: it sorts as time does. *now* must be aware."""
    if now.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(slots=True)
class Batch:
    """An open group of acts of one government. Owned by one thread, lives for one transaction."""

    conn: Connection
    government: str
    origin: str
    seq: int
    recorded_at: str
    clock_clamped: bool
    journal_count: int
    config_rev: int
    base: int
    _frontier: Frontier
    _first: int
    _leaves: list[tuple[str, int, int, str, bytes, bytes]] = field(default_factory=list)
    _private: list[bulk.Row] = field(default_factory=list)
    _salts: list[str] = field(default_factory=list)
    _sent: int = 0
    _closed: bool = False

    @property
    def next_index(self) -> int:
        """Index (0-based) that the next leaf will get."""
        return self._first + self._sent + len(self._leaves)

    def leaf(self, kind: str, by: str, data: Mapping[str, JsonInput]) -> int:
        """
        Append one act and return its index in the log.

        *data* holds ASCII keys and only text, small integers, booleans, lists and objects of these;
        amounts are text. Personal data goes in as commitments (`commit`), never in the clear.
        """
        entry: dict[str, JsonInput] = {
            "act": kind,
            "at": self.recorded_at,
            "batch": self.seq,
            "by": by,
            "data": data,
            "government": self.government,
            "v": KINDS[kind],
        }
        if self.clock_clamped:
            entry["clock_clamped"] = True
        body = canonical_fast(entry)
        if len(body) > MAX_ENTRY_BYTES:
            raise OversizedEntryError(len(body))
        index = self.next_index
        digest = hashlib.sha256(b"\x00" + body).digest()
        self._leaves.append((self.government, index, self.seq, kind, body, digest))
        return index

    def adopt(self, kind: str, body: bytes) -> int:
        """Append a leaf that was recorded and signed before, byte for byte (recovery only)."""
        index = self.next_index
        digest = hashlib.sha256(b"\x00" + body).digest()
        self._leaves.append((self.government, index, self.seq, kind, body, digest))
        return index

    def commit(self, field_name: str, value: str, *, subject: str) -> str:
        """
        Keep a private value and return its commitment (64 hex digits) for rows and leaves.

        *subject* groups the values that are erased together, a payee for instance.
        """
        salt = self.salt()
        commitment = commitment_of(salt, field_name, value)
        self.disclose(commitment, subject=subject, field_name=field_name, salt=salt, value=value)
        return commitment

    def salt(self) -> str:
        """A fresh salt: 64 hex digits from the system's randomness, fetched for many at once."""
        if not self._salts:
            drawn = secrets.token_hex(32 * _SALTS_DRAWN)
            self._salts = [drawn[n : n + 64] for n in range(0, len(drawn), 64)]
        return self._salts.pop()

    def disclose(
        self, commitment: str, *, subject: str, field_name: str, salt: str, value: str
    ) -> None:
        """Keep a private value whose commitment was computed already."""
        self._private.append((self.government, commitment, subject, field_name, salt, value))

    def pending_private(self) -> list[bulk.Row]:
        """Private values of this batch that are not written yet, as rows of `private_value`."""
        return self._private

    def config_changed(self) -> None:
        """Tell every process that persons, grants, policies, seals or the chart have changed."""
        self.config_rev += 1

    def mark(self) -> tuple[int, int, int, int]:
        """A point to `rewind` to, for a linked group of which a later member is refused."""
        return len(self._leaves), len(self._private), self.journal_count, self.config_rev

    def rewind(self, mark: tuple[int, int, int, int]) -> None:
        """Forget everything since *mark*; nothing of it has reached the database."""
        leaves, private, self.journal_count, self.config_rev = mark
        del self._leaves[leaves:]
        del self._private[private:]

    def send(self) -> None:
        """Write the leaves and private values so far; they can't be rewound any more."""
        bulk.insert_rows(self.conn, private_value, _PRIVATE_COLUMNS, self._private)
        bulk.insert_rows(self.conn, log_leaf, _LEAF_COLUMNS, self._leaves)
        self._frontier = self._frontier.extend(digest for *_, digest in self._leaves)
        self._sent += len(self._leaves)
        self._leaves.clear()
        self._private.clear()

    def close(self) -> None:
        """Write leaves, private values, the batch and the new edge. The caller commits."""
        if self._closed:
            raise RuntimeError("batch is closed")
        self._closed = True
        self.send()
        if not self._sent:
            return  # refusals alone leave no act; the batch number is not used up
        conn, edge = self.conn, self._frontier
        bulk.insert_rows(
            conn,
            batch_table,
            _BATCH_COLUMNS,
            [
                (
                    self.government,
                    self.seq,
                    self.recorded_at,
                    self._first,
                    self.next_index,
                    int(self.clock_clamped),
                )
            ],
        )
        sql = _PG_ADVANCE if bulk.is_postgresql(conn) else _PG_ADVANCE.replace("%s", "?")
        bulk.write(
            conn,
            sql,
            (
                edge.size,
                edge.to_bytes(),
                self.seq,
                self.journal_count,
                self.recorded_at,
                self.config_rev,
                self.government,
            ),
        )


_LEAF_COLUMNS: Final = ("government", "idx", "batch_seq", "kind", "body", "leaf_hash")
_PRIVATE_COLUMNS: Final = ("government", "commitment", "subject", "field", "salt", "value")
_BATCH_COLUMNS: Final = (
    "government",
    "seq",
    "recorded_at",
    "leaf_from",
    "leaf_to",
    "clock_clamped",
)


def commitment_of(salt: str, field_name: str, value: str) -> str:
    """D14's commitment over text already known to be free of lone surrogates."""
    return hashlib.sha256(canonical_fast([salt, field_name, value])).hexdigest()


def open_batch(conn: Connection, government: str, *, now: datetime) -> Batch:
    """
    Lock the government's edge and open the next batch. Blocks while another act holds the lock.

    A clock that runs behind the last act is clamped to it and the batch is marked (D19): nothing
    stops because a clock is wrong, and nothing is recorded before what was recorded already.

    Raises:
        BookMissingError: No book is kept for *government*.
    """
    sql = _PG_LOCK if bulk.is_postgresql(conn) else _LITE_LOCK
    row = conn.exec_driver_sql(sql, (government,)).first()
    if row is None:
        raise BookMissingError(government=government)
    origin, base, size, edge, batch_seq, journal_count, last, config_rev = tuple(row)[:8]
    at = instant_text(now)
    return Batch(
        conn=conn,
        government=government,
        origin=origin,
        seq=batch_seq + 1,
        recorded_at=max(at, last),
        clock_clamped=at < last,
        journal_count=journal_count,
        config_rev=config_rev,
        base=base,
        _frontier=Frontier.from_bytes(size, bytes(edge)),
        _first=base + size,
    )


def start_log(conn: Connection, government: str, *, origin: str, now: datetime) -> None:
    """Create the empty log of a government. Its first leaf must follow in the same transaction."""
    bulk.insert_rows(
        conn,
        log_edge,
        tuple(log_edge.c.keys()),
        [(government, origin, 0, 0, b"", 0, 0, instant_text(now), 0)],
    )
    bulk.insert_rows(conn, log_shard, tuple(log_shard.c.keys()), [(government, 1, origin, 0)])
