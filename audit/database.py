"""
The one MetaData, and the tables of the log itself.

Here because every floor writes its rows beside a leaf. Columns are of three kinds only, the same on
SQLite and PostgreSQL: integers (`BIGINT`), text (collated by bytes) and bytes. Dates are ISO text
(`2026-03-05`) and instants are UTC text (`2026-03-05T03:15:30.123456Z`): the bytes in a row are then
the bytes in its leaf, and both engines order them alike. Keys, checks and triggers are written out
in `api/migrations`, which is the only place that creates anything.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, Table, Text

__all__ = [
    "BYTES",
    "INT",
    "TEXT",
    "batch",
    "checkpoint",
    "log_edge",
    "log_leaf",
    "log_node",
    "log_shard",
    "metadata",
    "private_value",
    "table",
]

metadata: Final = MetaData()

INT: Final = BigInteger
TEXT: Final = Text
BYTES: Final = LargeBinary


def table(name: str, /, **columns: type[BigInteger] | type[Text] | type[LargeBinary]) -> Table:
    """Declare a table by its columns in order; constraints live in the migrations."""
    made: list[Column[Any]] = [Column(column, kind()) for column, kind in columns.items()]
    return Table(name, metadata, *made)


#: One row a government: the lock every act takes first, and the right edge of its tree. A tree
#: begins at `base`: 0, or above every index ever signed when the log went on as a new shard.
log_edge: Final = table(
    "log_edge",
    government=TEXT,
    origin=TEXT,
    base=INT,
    size=INT,
    edge=BYTES,
    batch_seq=INT,
    journal_count=INT,
    recorded_at=TEXT,
    config_rev=INT,
)

#: Every tree of a government's log: shard n has the leaves from index `base` to the next shard's.
log_shard: Final = table("log_shard", government=TEXT, n=INT, origin=TEXT, base=INT)

#: A group of acts that became durable together; the unit of "as it was known at".
batch: Final = table(
    "batch",
    government=TEXT,
    seq=INT,
    recorded_at=TEXT,
    leaf_from=INT,
    leaf_to=INT,
    clock_clamped=INT,
)

log_leaf: Final = table(
    "log_leaf", government=TEXT, idx=INT, batch_seq=INT, kind=TEXT, body=BYTES, leaf_hash=BYTES
)

#: Roots of 256**level leaves (tlog-tiles, level >= 1), kept so that proofs and tiles cost the same
#: at any length. Re-derivable from `log_leaf`; nothing trusts them before a proof has held.
log_node: Final = table("log_node", government=TEXT, origin=TEXT, level=INT, idx=INT, hash=BYTES)

#: Every checkpoint that was ever published, for ever.
checkpoint: Final = table(
    "checkpoint", government=TEXT, origin=TEXT, size=INT, root=BYTES, note=TEXT, signed_at=TEXT
)

#: The only home of personal data; everything else holds the commitment. Rows may be erased.
private_value: Final = table(
    "private_value",
    government=TEXT,
    commitment=TEXT,
    subject=TEXT,
    field=TEXT,
    salt=TEXT,
    value=TEXT,
)
