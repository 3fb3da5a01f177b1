"""
Recover a database that is behind its signer (D11).

A restored backup lacks acts that were signed and published. Two ways back, nothing in between:

- the missing leaves are in an export: they are written again, byte for byte, and the log goes on as
  if nothing had happened (`read_missing`; the floor above writes the rows they stand for);
- they are not, or can't be replayed: the log ends, and goes on as a new shard whose first leaf says
  what was signed, what is left and why (`open_shard`). The old shard's checkpoints stay for ever.

The shell of the floor above calls both inside one write transaction of the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select, update

from audit import bulk
from audit.canonical import JsonInput, parse_canonical
from audit.checkpoint import open_checkpoint, parse_checkpoint
from audit.checkpoints import check_not_behind
from audit.database import checkpoint, log_edge, log_shard
from audit.directory import NOTE_MAX, LogDirectory
from audit.errors import (
    AuditError,
    DatabaseBehindSignerError,
    LogDamagedError,
    RecoveryError,
    WrongOriginError,
)
from audit.events import is_read
from audit.log import Batch, instant_text, open_batch
from audit.merkle import leaf_hash, tree_root
from audit.note import Verifier, parse_note
from audit.signer import MonotonicSigner, SignerState
from audit.tiles import TileReader
from audit.tiles_shell import Tree, read_shards, read_tree, tile_reader

__all__ = [
    "Missing",
    "MissingBatch",
    "Shard",
    "check_recovered",
    "find_missing",
    "next_origin",
    "open_shard",
]

_COLUMNS: Final = tuple(checkpoint.c.keys())


@dataclass(frozen=True, slots=True)
class MissingBatch:
    """Leaves that were recorded together: (kind, by, data, exact bytes) in order."""

    seq: int
    at: str
    clock_clamped: bool
    leaves: Sequence[tuple[str, str, dict[str, Any], bytes]]


@dataclass(frozen=True, slots=True)
class Missing:
    """What an export has and the database has not; `kinds` are the acts among it."""

    first: int
    count: int
    kinds: tuple[str, ...]
    log: LogDirectory
    size: int

    def batches(self) -> Iterator[MissingBatch]:
        """The missing leaves, batch by batch."""
        tiles = TileReader(self.log.read, self.size)
        held: list[tuple[str, str, dict[str, Any], bytes]] = []
        head: tuple[int, str, bool] | None = None
        for index in range(self.first, self.first + self.count):
            body, leaf = _read(tiles, index)
            now = (leaf["batch"], leaf["at"], bool(leaf.get("clock_clamped", False)))
            if head is not None and now != head:
                yield MissingBatch(*head, held)
                held = []
            head = now
            held.append((leaf["act"], leaf["by"], leaf["data"], body))
        if head is not None:
            yield MissingBatch(*head, held)


def find_missing(
    conn: Connection,
    government: str,
    log: LogDirectory,
    keys: Sequence[Verifier],
    state: SignerState,
) -> Missing:
    """
    Compare the database with an export, and see that the export has everything that was signed.

    *keys* are the log's own; *state* is what its signer remembers.

    Raises:
        RecoveryError: The database is not behind, the export is older than what was signed, or the
            two are not one log.
        AuditError: The export is damaged.
    """
    tree = _behind(conn, government, state)
    note = log.read("checkpoint", NOTE_MAX)
    top = open_checkpoint(note, keys, extensions=True).checkpoint
    if top.origin != tree.origin:
        raise WrongOriginError(expected=tree.origin, actual=top.origin)
    if top.size < state.size:
        raise RecoveryError(
            f"the export ends at {top.size} acts, {state.size} were signed: a later one is needed"
        )
    tiles = TileReader(log.read, top.size)
    try:
        roots = [tree_root(size, tiles.subtree) for size in (tree.size, state.size, top.size)]
    except (OSError, IndexError) as error:
        raise RecoveryError("the export lacks tiles") from error
    if roots[1:] != [state.root, top.root]:
        raise RecoveryError("the export's tiles do not lead to what was signed")
    if roots[0] != tree.frontier.root():
        raise RecoveryError("the database is not an earlier state of the exported log")
    kinds: set[str] = set()
    for index in range(tree.size, top.size):
        kinds.add(str(_read(tiles, index)[1]["act"]))
    return Missing(tree.size, top.size - tree.size, tuple(sorted(kinds)), log, top.size)


def check_recovered(conn: Connection, government: str, state: SignerState) -> None:
    """After a replay, still inside the transaction: the database continues what was signed."""
    check_not_behind(conn, government, state)


# --- a new shard -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shard:
    """The shard that was opened: its origin, where it begins, and how many acts were lost."""

    origin: str
    base: int
    lost: int
    leaf_index: int


def next_origin(conn: Connection, government: str) -> str:
    """The origin of the shard that would follow: `<first origin>/<n>`. BookMissingError."""
    shards = read_shards(conn, government)
    return f"{shards[0].origin}/{len(shards) + 1}"


def open_shard(
    conn: Connection,
    government: str,
    *,
    old: MonotonicSigner,
    new: MonotonicSigner,
    successor: str,
    incident: str,
    by: str,
    now: datetime,
    jump: Callable[[Batch, int], dict[str, JsonInput]],
) -> tuple[Shard, Batch]:
    """
    End the log and go on as a new shard. The caller adds what follows, closes the batch, commits.

    *new* is the new shard's signer, which has signed nothing, and *successor* its vkey: the old key
    signs it in the log's last checkpoint. *jump* moves number series past whatever the lost acts may
    have used (it is given the batch and the number of lost acts) and says how, for the first leaf.

    The old log is frozen before the transaction ends. Dying in between leaves a frozen log and the
    old database: the same call again goes on from there.

    Raises:
        RecoveryError: The database is not behind, or the new signer is not fresh.
        WrongOriginError: A signer of another log.
        SignerError: The old signer was frozen for another successor.
    """
    tree = _behind(conn, government, old.last())
    origin = next_origin(conn, government)
    for have, want in ((old.origin, tree.origin), (new.origin, origin)):
        if have != want:
            raise WrongOriginError(expected=want, actual=have)
    if new.last().size:
        raise RecoveryError(f"the signer of {origin} has signed already")
    state = old.last()
    # From here on the old log can't grow, whatever becomes of this transaction.
    frozen = old.freeze(successor)
    _keep_checkpoint(conn, government, frozen, now)
    lost = max(state.size - tree.size, 0)
    base = tree.base + max(state.size, tree.size)
    shards = len(read_shards(conn, government))
    bulk.insert_rows(
        conn,
        log_shard,
        tuple(log_shard.c.keys()),
        [(government, shards + 1, origin, base)],
    )
    conn.execute(
        update(log_edge)
        .where(log_edge.c.government == government)
        .values(origin=origin, base=base, size=0, edge=b"")
    )
    batch = open_batch(conn, government, now=now)
    first_journal = batch.journal_count + 1
    batch.journal_count += lost  # each lost act may have been a journal
    moved = jump(batch, lost)
    index = batch.leaf(
        "book.recovered",
        by,
        {
            "origin": tree.origin,
            "signed_size": state.size,
            "signed_root": state.root.hex(),
            "checkpoint": frozen.decode(),
            "kept_size": tree.size,
            "kept_root": tree.frontier.root().hex(),
            "base": base,
            "incident": batch.commit("incident", incident, subject=f"recovery:{origin}"),
            "journals": [first_journal, batch.journal_count + 1],
            **moved,
        },
    )
    return Shard(origin, base, lost, index), batch


def _behind(conn: Connection, government: str, state: SignerState) -> Tree:
    """The tree, if its database is behind the signer; otherwise there is nothing to recover."""
    tree = read_tree(conn, government)
    if tree.origin != state.origin:
        raise WrongOriginError(expected=tree.origin, actual=state.origin)
    try:
        check_not_behind(conn, government, state)
    except DatabaseBehindSignerError:
        # What is left must at least be whole: kept leaves are to be vouched for.
        if tree_root(tree.size, tile_reader(conn, tree).subtree) != tree.frontier.root():
            raise LogDamagedError(
                government=government, reason="the stored edge does not follow from the leaf hashes"
            ) from None
        return tree
    raise RecoveryError("the database continues what was signed: nothing is to be recovered")


def _keep_checkpoint(conn: Connection, government: str, note: bytes, now: datetime) -> None:
    """The last checkpoint of the old log, where the restored database has none of that size."""
    tree = parse_checkpoint(parse_note(note).text, extensions=True)
    known = conn.execute(
        select(checkpoint.c.size).where(
            checkpoint.c.government == government,
            checkpoint.c.origin == tree.origin,
            checkpoint.c.size == tree.size,
        )
    ).first()
    if known is None:
        row = (government, tree.origin, tree.size, tree.root, note.decode(), instant_text(now))
        bulk.insert_rows(conn, checkpoint, _COLUMNS, [row])


def _read(tiles: TileReader, index: int) -> tuple[bytes, dict[str, Any]]:
    """A leaf of the export, as the tree has it."""
    try:
        body = tiles.entry(index)
        leaf = parse_canonical(body)
    except (AuditError, OSError) as error:
        raise RecoveryError(f"leaf {index} of the export can't be read: {error}") from error
    if leaf_hash(body) != tiles.subtree(0, index):
        raise RecoveryError(f"leaf {index} of the export is not the one that was signed")
    if not isinstance(leaf, dict) or not is_read(leaf.get("act"), leaf.get("v")):
        raise RecoveryError(f"leaf {index} of the export is of a kind that is not known here")
    return body, leaf
