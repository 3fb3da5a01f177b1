"""
Seal the log: have the signer sign what is committed, and publish it.

Signing comes after the commit and reads committed state, so no signed tree can ever be rolled back.
One signer works at a time for a government: a database lock orders processes, and the signer's own
file lock orders whatever else has its state. Each step can be the last before a crash:

    read, prove     nothing happened
    sign            the signer remembers a note that nobody has; the next seal publishes it first
    insert, commit  published, for ever

A database that does not continue what was signed (restored, cut, rewritten) is named, and nothing
may be written to it until `audit.recovery` has been used (D11).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection, select

from audit import bulk
from audit.checkpoint import parse_checkpoint
from audit.database import checkpoint as checkpoint_table
from audit.errors import (
    AuditError,
    DatabaseBehindSignerError,
    ForkedCheckpointError,
    LogDamagedError,
    SmallerCheckpointError,
    WrongOriginError,
)
from audit.log import instant_text
from audit.merkle import consistency_proof, tree_root
from audit.note import parse_note
from audit.signer import MonotonicSigner, SignerState
from audit.tiles_shell import Tree, fill_nodes, read_tree, tile_reader

__all__ = ["Sealed", "check_not_behind", "latest", "seal"]

_COLUMNS: Final = tuple(checkpoint_table.c.keys())


@dataclass(frozen=True, slots=True)
class Sealed:
    """A published checkpoint: the tree, and the signed note's bytes. `fresh`: signed just now."""

    origin: str
    size: int
    root: bytes
    note: bytes
    signed_at: str
    fresh: bool = False


def seal(
    conn: Connection,
    government: str,
    signer: MonotonicSigner,
    *,
    now: datetime,
    size: int | None = None,
) -> Sealed:
    """
    Sign and store the checkpoint of all committed acts, or of the first *size*.

    *conn* is a write transaction of its own, in which nothing was done before; the caller commits,
    and only then hands out the note. Nothing new to cover: the last checkpoint is given again.

    Raises:
        BookMissingError: No book is kept for *government*.
        DatabaseBehindSignerError: The database does not continue what was signed. Stop writing.
        LogDamagedError: The stored hashes do not lead to the stored edge.
        SmallerCheckpointError: *size* is below what was signed already.
        WrongOriginError, SignerError: The signer is another log's, or can't sign.
    """
    _lock(conn, government)
    tree = read_tree(conn, government)
    if tree.origin != signer.origin:
        raise WrongOriginError(expected=tree.origin, actual=signer.origin)
    state = signer.last()
    _check_size(tree, state)
    fill_nodes(conn, tree)
    check_not_behind(conn, government, state)
    wanted = tree.size if size is None else size
    if wanted > tree.size:
        raise ValueError(f"size {wanted} of a log of {tree.size}")
    signed_at = instant_text(now)
    if state.note is not None:
        # It may have died between signing and publishing.
        published = _publish(conn, government, state.note, signed_at)
        if wanted == state.size:
            return published
    read = tile_reader(conn, tree).subtree
    root = tree_root(wanted, read)
    proof = consistency_proof(state.size, wanted, read) if wanted >= state.size else []
    try:
        note = signer.sign(wanted, root, proof)
    except ForkedCheckpointError as error:
        raise _behind(tree, state, error.reason) from error
    except SmallerCheckpointError as error:
        if wanted < state.size:
            raise
        # Another database had the same signer sign in between.
        raise _behind(tree, signer.last(), "it was signed from another database") from error
    return _publish(conn, government, note, signed_at, fresh=True)


def check_not_behind(conn: Connection, government: str, state: SignerState) -> None:
    """
    Show that the database continues what the signer remembers: for the writer, before it starts.

    Reads some hundred hashes, however long the log is, once its nodes are filled.

    Raises:
        BookMissingError: No book is kept for *government*.
        DatabaseBehindSignerError: It was restored, cut or rewritten.
        LogDamagedError: The stored hashes do not lead to the stored edge.
    """
    tree = read_tree(conn, government)
    if tree.origin != state.origin:
        raise WrongOriginError(expected=tree.origin, actual=state.origin)
    _check_size(tree, state)
    read = tile_reader(conn, tree).subtree
    try:
        old, new = tree_root(state.size, read), tree_root(tree.size, read)
    except (AuditError, IndexError) as error:
        raise LogDamagedError(government=government, reason="leaves are missing") from error
    if old != state.root:
        raise _behind(tree, state, "the leaves that were signed are not those in the database")
    if new != tree.frontier.root():
        raise LogDamagedError(
            government=government, reason="the stored edge does not follow from the leaf hashes"
        )


def latest(conn: Connection, government: str, origin: str | None = None) -> Sealed | None:
    """The last published checkpoint of a log (default: the one acts are appended to)."""
    if origin is None:
        origin = read_tree(conn, government).origin
    row = conn.execute(
        select(checkpoint_table)
        .where(checkpoint_table.c.government == government, checkpoint_table.c.origin == origin)
        .order_by(checkpoint_table.c.size.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    return Sealed(row.origin, row.size, bytes(row.root), row.note.encode(), row.signed_at)


def _check_size(tree: Tree, state: SignerState) -> None:
    if tree.size < state.size:
        raise _behind(tree, state, "acts that were signed are missing")


def _behind(tree: Tree, state: SignerState, reason: str) -> DatabaseBehindSignerError:
    return DatabaseBehindSignerError(
        government=tree.government, signed_size=state.size, database_size=tree.size, reason=reason
    )


def _publish(
    conn: Connection, government: str, note: bytes, signed_at: str, *, fresh: bool = False
) -> Sealed:
    """Store a note, unless this tree's is stored already."""
    tree = parse_checkpoint(parse_note(note).text, extensions=True)
    known = conn.execute(
        select(checkpoint_table).where(
            checkpoint_table.c.government == government,
            checkpoint_table.c.origin == tree.origin,
            checkpoint_table.c.size == tree.size,
        )
    ).first()
    if known is not None:
        return Sealed(
            known.origin, known.size, bytes(known.root), known.note.encode(), known.signed_at
        )
    row = (government, tree.origin, tree.size, tree.root, note.decode(), signed_at)
    bulk.insert_rows(conn, checkpoint_table, _COLUMNS, [row])
    return Sealed(tree.origin, tree.size, tree.root, note, signed_at, fresh)


def _lock(conn: Connection, government: str) -> None:
    """One seal of a government at a time, until the caller's transaction ends."""
    if not bulk.is_postgresql(conn):
        # A write statement takes SQLite's write lock, whatever the transaction began as.
        conn.exec_driver_sql("UPDATE log_edge SET size = size WHERE 0")
        return
    if conn.exec_driver_sql("SELECT pg_current_xact_id_if_assigned()").scalar() is not None:
        raise RuntimeError("seal reads committed state: give it a transaction of its own")
    key = int.from_bytes(sha256(f"rkud seal {government}".encode()).digest()[:8], signed=True)
    conn.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (key,))
