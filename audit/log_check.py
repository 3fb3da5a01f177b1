"""
Re-derive the log of a database: leaf hashes, the edge, batches, checkpoints, private values.

One streaming pass over the leaves in the caller's snapshot. What a leaf says of other tables is
checked by the floor that owns them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, select

from audit.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from audit.database import (
    batch,
    checkpoint,
    log_edge,
    log_leaf,
    log_shard,
    private_value,
)
from audit.errors import AuditError
from audit.findings import Finding
from audit.log import commitment_of
from audit.merkle import Frontier, leaf_hash
from audit.nodes_check import NodesCheck
from audit.note import Ed25519Verifier, parse_note, parse_vkey

__all__ = ["UNPROTECTED", "check_log", "check_private_values"]

#: Columns that nothing re-derives, and why that is safe.
UNPROTECTED = {
    "log_edge.config_rev": "a counter that tells processes to read settings again; holds no fact",
    "checkpoint.signed_at": "when the server stored the note; a C2SP checkpoint carries no time",
    "private_value.subject": "groups values for erasure; not disclosed and not in the log",
    "dispatch.next_at": "when a worker looks at an order again; whether it may call is decided anew",
    "dispatch.tries": "how often a worker has asked; spreads its questions out, decides nothing",
    "idempotency.key": "chosen by the caller",
    "idempotency.route": "an answer kept for repeats; the act itself is in the log",
    "idempotency.request": "salted digests, to name differences; those of a journal are checked",
    "idempotency.request_c": "names the salt of those digests; that of a journal is checked",
    "idempotency.status": "of an act that is no journal; a journal's is checked",
    "idempotency.answer": "of an act that is no journal; a journal's is checked",
    "idempotency.person_id": "of a refusal, whose key it is; that of a journal is checked",
    "idempotency.batch_seq": "of a refusal or a repetition; that of an act is checked",
    "idempotency.recorded_at": "of a refusal or a repetition; that of an act is checked",
}

_STREAM = {"yield_per": 2_000}


def check_log(conn: Connection, government: str, vkeys: Sequence[str] = ()) -> Iterator[Finding]:
    """
    Every leaf's bytes hash to its leaf hash, indices have no gap, the edge, the stored nodes of the
    tree and every published checkpoint follow from the leaves, and batches say what their leaves say.

    With the log's *vkeys* the signature of every published checkpoint is verified too.
    """
    edge = conn.execute(select(log_edge).where(log_edge.c.government == government)).first()
    if edge is None:
        yield Finding("log_missing", "no log is kept for this government", "log_edge", government)
        return
    shards = conn.execute(
        select(log_shard).where(log_shard.c.government == government).order_by(log_shard.c.n)
    ).all()
    yield from _check_shards(shards, edge)
    published = _Checkpoints(conn, government, {shard.origin for shard in shards}, vkeys)
    batches = _Batches(conn, government)
    walk = _Walk(shards)
    nodes = NodesCheck(conn, government)
    nodes.begin(walk.origin)
    at, seq = "", 0
    yield from published.at(walk.origin, walk.frontier)
    for leaf in conn.execute(
        select(log_leaf).where(log_leaf.c.government == government).order_by(log_leaf.c.idx),
        execution_options=_STREAM,
    ):
        key = str(leaf.idx)
        shard = walk.origin
        missing = walk.move_to(leaf.idx)
        if walk.origin != shard:
            nodes.begin(walk.origin)
        if missing is not None:
            nodes.leaves_missing()
            yield Finding(
                "leaf_missing", f"leaf {missing} is missing before {leaf.idx}", "log_leaf", key
            )
        body = bytes(leaf.body)
        digest, stored = leaf_hash(body), bytes(leaf.leaf_hash)
        if digest != stored:
            yield Finding(
                "leaf_changed",
                f"the bytes of leaf {leaf.idx} ({leaf.kind}) do not hash to its leaf hash",
                "log_leaf",
                key,
                "body",
            )
        walk.frontier = walk.frontier.extend([digest])
        yield from nodes.add(stored, digest)
        yield from _check_envelope(leaf, body, government, batches)
        if leaf.batch_seq < seq:
            yield Finding("leaf_order", f"leaf {leaf.idx} goes back in batches", "log_leaf", key)
        seq = max(seq, leaf.batch_seq)
        at = batches.at(leaf.batch_seq) or at
        yield from published.at(walk.origin, walk.frontier)
    yield from nodes.rest()
    yield from published.rest(edge.origin)
    yield from batches.rest()
    for column, want, have in (
        ("size", walk.frontier.size, edge.size),
        ("edge", walk.frontier.to_bytes().hex(), bytes(edge.edge).hex()),
        ("batch_seq", seq, edge.batch_seq),
        ("recorded_at", at, edge.recorded_at),
    ):
        if want != have:
            yield Finding(
                "edge_changed",
                f"the edge says {column} {have}, the leaves say {want}",
                "log_edge",
                government,
                column,
            )


class _Walk:
    """Where the pass over the leaves is: which shard, which index comes next, the tree so far."""

    def __init__(self, shards: Sequence[Any]) -> None:
        self._shards = list(shards)
        self.frontier = Frontier()
        self.origin = shards[0].origin if shards else ""
        self._next = shards[0].base if shards else 0
        self._later = self._shards[1:]

    def move_to(self, index: int) -> int | None:
        """Step to a leaf; the index that was expected instead, if leaves are missing before it."""
        while self._later and index >= self._later[0].base:
            shard = self._later.pop(0)
            self.origin, self.frontier, self._next = shard.origin, Frontier(), shard.base
        missing = self._next if index != self._next else None
        self._next = index + 1
        return missing


def _check_shards(shards: Sequence[Any], edge: Any) -> Iterator[Finding]:
    first = shards[0].origin if shards else ""
    for n, shard in enumerate(shards, start=1):
        wanted = {"n": n, "origin": first if n == 1 else f"{first}/{n}"}
        if n == 1:
            wanted["base"] = 0
        for column, want in wanted.items():
            if getattr(shard, column) != want:
                yield Finding(
                    "shard_changed",
                    f"shard {shard.n} has {column} {getattr(shard, column)}, {want} was expected",
                    "log_shard",
                    str(shard.n),
                    column,
                )
    last = shards[-1] if shards else None
    if last is None or (last.origin, last.base) != (edge.origin, edge.base):
        yield Finding(
            "edge_changed",
            f"the edge is of {edge.origin} from leaf {edge.base}, no last shard says so",
            "log_edge",
            edge.government,
            "origin",
        )


class _Checkpoints:
    """Published checkpoints, each looked at when the pass reaches its size."""

    def __init__(
        self, conn: Connection, government: str, origins: set[str], vkeys: Sequence[str]
    ) -> None:
        rows = conn.execute(select(checkpoint).where(checkpoint.c.government == government))
        self._rows = {(row.origin, row.size): row for row in rows}
        self._origins = origins
        verifiers = [parse_vkey(vkey) for vkey in vkeys]
        self._keys = [key for key in verifiers if isinstance(key, Ed25519Verifier)]

    def at(self, origin: str, frontier: Frontier) -> Iterator[Finding]:
        row = self._rows.pop((origin, frontier.size), None)
        if row is not None:
            yield from self._check(row, frontier)

    def rest(self, current: str) -> Iterator[Finding]:
        for (origin, size), row in sorted(self._rows.items()):
            known = origin in self._origins
            # A shard ends because acts were lost that had been signed; its checkpoints stay.
            ended = known and origin != current
            if known:
                yield from self._read(row)[1]
            yield Finding(
                "checkpoint_beyond_log" if known else "checkpoint_of_unknown_log",
                f"checkpoint of {origin} at size {size} was published,"
                + (" the log does not reach it" if known else " no such log is kept"),
                "checkpoint",
                str(row.size),
                "size" if known else "origin",
                "note" if ended else "error",
            )

    def _check(self, row: Any, frontier: Frontier) -> Iterator[Finding]:
        said, findings = self._read(row)
        yield from findings
        if said is not None and frontier.root() != said.root:
            yield Finding(
                "root_differs",
                f"the first {said.size} leaves do not have the root that was signed and published",
                "checkpoint",
                str(row.size),
                "root",
            )

    def _read(self, row: Any) -> tuple[Checkpoint | None, list[Finding]]:
        """What the note of a row says, and where note, signature and row do not agree."""
        key = str(row.size)
        try:
            note = parse_note(row.note.encode())
            said = parse_checkpoint(note.text, extensions=True)
            mine = [k for k in self._keys if k.name == said.origin]
            if mine:
                open_checkpoint(row.note.encode(), mine, extensions=True)
        except (AuditError, ValueError) as error:
            text = f"checkpoint {key}: {error}"
            return None, [Finding("checkpoint_unreadable", text, "checkpoint", key, "note")]
        return said, [
            Finding(
                "checkpoint_changed",
                f"checkpoint {key} has {column} {have}, its note says {want}",
                "checkpoint",
                key,
                column,
            )
            for column, want, have in (
                ("origin", said.origin, row.origin),
                ("size", said.size, row.size),
                ("root", said.root.hex(), bytes(row.root).hex()),
            )
            if want != have
        ]


def _check_envelope(leaf: object, body: bytes, government: str, batches: _Batches) -> list[Finding]:
    index, kind, batch_seq = leaf.idx, leaf.kind, leaf.batch_seq  # type: ignore[attr-defined]  # a row
    try:
        said = json.loads(body)
        told = (said["act"], said["government"], said["batch"], said["at"])
        clamped = bool(said.get("clock_clamped", False))
    except (ValueError, KeyError, TypeError, AttributeError):
        return [Finding("leaf_unreadable", f"leaf {index} is not an act", "log_leaf", str(index))]
    findings = []
    for column, want, have in (
        ("kind", told[0], kind),
        ("government", told[1], government),
        ("batch_seq", told[2], batch_seq),
    ):
        if want != have:
            findings.append(
                Finding(
                    "leaf_column_changed",
                    f"leaf {index} says {column} {want}, its row {have}",
                    "log_leaf",
                    str(index),
                    column,
                )
            )
    findings.extend(batches.check(index, told[2], told[3], clamped))
    return findings


class _Batches:
    """Rows of `batch`, checked while the leaves pass by."""

    def __init__(self, conn: Connection, government: str) -> None:
        rows = conn.execute(
            select(batch).where(batch.c.government == government).order_by(batch.c.seq)
        )
        self._rows = {row.seq: row for row in rows}
        self._told: set[int] = set()
        self._named: dict[int, int] = {}

    def at(self, seq: int) -> str:
        row = self._rows.get(seq)
        return row.recorded_at if row is not None else ""

    def check(self, index: int, seq: int, at: str, clamped: bool) -> Iterator[Finding]:
        row = self._rows.get(seq)
        self._named[seq] = self._named.get(seq, 0) + 1
        if row is None:
            if seq not in self._told:
                self._told.add(seq)
                yield Finding(
                    "batch_missing", f"batch {seq} of leaf {index} is missing", "batch", str(seq)
                )
            return
        if not row.leaf_from <= index < row.leaf_to:
            yield Finding(
                "batch_changed",
                f"batch {seq} says leaves {row.leaf_from} to {row.leaf_to}, leaf {index} names it",
                "batch",
                str(seq),
                "leaf_from" if index < row.leaf_from else "leaf_to",
            )
        if row.recorded_at != at:
            yield from self._once(seq, "recorded_at", at, row.recorded_at)
        if row.clock_clamped != int(clamped):
            yield from self._once(seq, "clock_clamped", int(clamped), row.clock_clamped)

    def rest(self) -> Iterator[Finding]:
        """Each batch must be named by exactly as many leaves as it says."""
        for seq, row in self._rows.items():
            if self._named.get(seq, 0) != row.leaf_to - row.leaf_from:
                yield Finding(
                    "batch_changed",
                    f"batch {seq} says {row.leaf_to - row.leaf_from} leaves,"
                    f" {self._named.get(seq, 0)} name it",
                    "batch",
                    str(seq),
                    "leaf_to",
                )

    def _once(self, seq: int, column: str, want: object, have: object) -> Iterator[Finding]:
        if seq not in self._told:
            self._told.add(seq)
            yield Finding(
                "batch_changed",
                f"batch {seq} has {column} {have}, its leaves say {want}",
                "batch",
                str(seq),
                column,
            )


def check_private_values(conn: Connection, government: str) -> Iterator[Finding]:
    """Every private value hashes to its commitment."""
    rows = conn.execute(
        select(private_value).where(private_value.c.government == government),
        execution_options=_STREAM,
    )
    for row in rows:
        if commitment_of(row.salt, row.field, row.value) != row.commitment:
            yield Finding(
                "private_value_changed",
                f"a private value of field {row.field!r} does not hash to its commitment",
                "private_value",
                row.commitment,
                "value",
            )
