"""
Re-derive the log of a database: leaf hashes, the edge, batches, checkpoints, private values.

One streaming pass over the leaves in the caller's snapshot. What a leaf says of other tables is
checked by the floor that owns them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from sqlalchemy import Connection, select

from audit.checkpoint import parse_checkpoint
from audit.database import batch, checkpoint, log_edge, log_leaf, private_value
from audit.errors import AuditError
from audit.findings import Finding
from audit.log import commitment_of
from audit.merkle import Frontier, leaf_hash
from audit.note import parse_note

__all__ = ["UNPROTECTED", "check_log", "check_private_values"]

#: Columns that nothing re-derives, and why that is safe.
UNPROTECTED = {
    "log_edge.config_rev": "a counter that tells processes to read settings again; holds no fact",
    "checkpoint.signed_at": "when the server stored the note; a C2SP checkpoint carries no time",
    "private_value.subject": "groups values for erasure; not disclosed and not in the log",
    "idempotency.route": "an answer kept for repeats; the act itself is in the log",
    "idempotency.request": "salted digests of a request, kept to name differences",
    "idempotency.request_c": "names the salt of those digests",
    "idempotency.status": "an answer kept for repeats; the act itself is in the log",
    "idempotency.answer": "an answer kept for repeats; the act itself is in the log",
    "idempotency.key": "chosen by the caller",
    "idempotency.person_id": "whose key it is",
    "idempotency.batch_seq": "when the answer was kept",
    "idempotency.recorded_at": "when the answer was kept",
    "government.opened_at": "checked against the first leaf",
}

_STREAM = {"yield_per": 2_000}


def check_log(conn: Connection, government: str) -> Iterator[Finding]:
    """
    Every leaf's bytes hash to its leaf hash, indices have no gap, the edge and every published
    checkpoint follow from the leaves, and batches say what their leaves say.
    """
    edge = conn.execute(select(log_edge).where(log_edge.c.government == government)).first()
    if edge is None:
        yield Finding("log_missing", "no log is kept for this government", "log_edge", government)
        return
    published = {
        row.size: row
        for row in conn.execute(
            select(checkpoint)
            .where(checkpoint.c.government == government, checkpoint.c.origin == edge.origin)
            .order_by(checkpoint.c.size)
        )
    }
    batches = _Batches(conn, government)
    frontier, at, seq = Frontier(), "", 0
    leaves = conn.execute(
        select(log_leaf).where(log_leaf.c.government == government).order_by(log_leaf.c.idx),
        execution_options=_STREAM,
    )
    if 0 in published:
        yield from _check_checkpoint(published.pop(0), frontier)
    expected = 0
    for leaf in leaves:
        key = str(leaf.idx)
        if leaf.idx != expected:
            yield Finding(
                "leaf_missing", f"leaf {expected} is missing before {leaf.idx}", "log_leaf", key
            )
            expected = leaf.idx
        expected += 1
        body = bytes(leaf.body)
        digest = leaf_hash(body)
        if digest != bytes(leaf.leaf_hash):
            yield Finding(
                "leaf_changed",
                f"the bytes of leaf {leaf.idx} ({leaf.kind}) do not hash to its leaf hash",
                "log_leaf",
                key,
                "body",
            )
        # The stored hash goes into the tree: whichever of the two was edited, a checkpoint or the
        # edge disagrees with one of them.
        frontier = frontier.extend([digest])
        yield from _check_envelope(leaf, body, government, batches)
        if leaf.batch_seq < seq:
            yield Finding("leaf_order", f"leaf {leaf.idx} goes back in batches", "log_leaf", key)
        seq = max(seq, leaf.batch_seq)
        at = batches.at(leaf.batch_seq) or at
        if (row := published.pop(frontier.size, None)) is not None:
            yield from _check_checkpoint(row, frontier)
    for row in published.values():
        yield Finding(
            "checkpoint_beyond_log",
            f"checkpoint of size {row.size} was published, the log holds {frontier.size} leaves",
            "checkpoint",
            str(row.size),
        )
    yield from batches.rest(frontier.size)
    for column, want, have in (
        ("size", frontier.size, edge.size),
        ("edge", frontier.to_bytes().hex(), bytes(edge.edge).hex()),
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

    def at(self, seq: int) -> str:
        row = self._rows.get(seq)
        return row.recorded_at if row is not None else ""

    def check(self, index: int, seq: int, at: str, clamped: bool) -> Iterator[Finding]:
        row = self._rows.get(seq)
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
        if bool(row.clock_clamped) != clamped:
            yield from self._once(seq, "clock_clamped", clamped, bool(row.clock_clamped))

    def rest(self, size: int) -> Iterator[Finding]:
        """Batches must cover the leaves from the first to the last without gap or overlap."""
        at = 0
        for seq, row in self._rows.items():
            if row.leaf_from != at:
                yield Finding(
                    "batch_changed",
                    f"batch {seq} begins at leaf {row.leaf_from}, {at} was expected",
                    "batch",
                    str(seq),
                    "leaf_from",
                )
            at = row.leaf_to
        if at != size:
            yield Finding(
                "batch_changed",
                f"batches end at leaf {at}, the log at {size}",
                "batch",
                "",
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


def _check_checkpoint(row: object, frontier: Frontier) -> Iterator[Finding]:
    size, root, note, origin = row.size, bytes(row.root), row.note, row.origin  # type: ignore[attr-defined]  # a row
    try:
        said = parse_checkpoint(parse_note(note.encode()).text, extensions=True)
    except AuditError as error:
        yield Finding(
            "checkpoint_unreadable", f"checkpoint {size}: {error}", "checkpoint", str(size), "note"
        )
        return
    for column, want, have in (
        ("origin", said.origin, origin),
        ("size", said.size, size),
        ("root", said.root.hex(), root.hex()),
    ):
        if want != have:
            yield Finding(
                "checkpoint_changed",
                f"checkpoint {size} has {column} {have}, its note says {want}",
                "checkpoint",
                str(size),
                column,
            )
    if frontier.root() != said.root:
        yield Finding(
            "root_differs",
            f"the first {said.size} leaves do not have the root that was signed and published",
            "checkpoint",
            str(size),
            "root",
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
