"""
Kept answers (D12) against what they tell of: the batch, the leaf, the journal, and the request's digests.

No leaf names the key of a request, nor that there was one: a row that is gone, or that was copied
under another key, leaves no trace here. What a row says must still be so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Table, select

from audit.canonical import canonical_fast
from audit.database import batch, log_leaf, private_value
from ledger import tables as t
from ledger.findings import Finding

__all__ = ["check_idempotency"]

_CHUNK: Final = 400
#: Routes that feed journals: their digests stand under the salt of the journal's own description.
_FEEDS: Final = ("journals", "journals:batch")
#: What a journal's answer says.
_MEMBERS: Final = {"journal", "reference", "leaf_index", "batch", "recorded_at", "replayed"}
#: The status of their answers.
_FED: Final = 201
#: Members of a fed journal's request that its row holds as they were sent.
_SENT: Final = ("reference", "effective_on", "kind", "document_no", "batch_no")


def check_idempotency(conn: Connection, government: str) -> Iterator[Finding]:
    """Every kept answer, chunk by chunk."""
    i = t.idempotency.c
    rows = conn.execute(
        select(t.idempotency)
        .where(i.government == government)
        .order_by(i.batch_seq, i.person_id, i.key),
        execution_options={"yield_per": 2_000},
    )
    known = set(
        conn.execute(select(t.person.c.id).where(t.person.c.government == government)).scalars()
    )
    for some in rows.partitions(_CHUNK):
        yield from _check_some(conn, government, some, known)


def _check_some(
    conn: Connection, government: str, rows: Sequence[Any], known: set[str]
) -> Iterator[Finding]:
    answers = [_read(row.answer) for row in rows]
    batches = _by(conn, government, batch, "seq", [row.batch_seq for row in rows])
    leaves = _by(
        conn, government, log_leaf, "idx", _numbers(answers, "leaf_index"), ("idx", "batch_seq")
    )
    journals = _by(conn, government, t.journal, "id", _numbers(answers, "journal"))
    salts = _by(conn, government, private_value, "commitment", [row.request_c for row in rows])
    for row, answer in zip(rows, answers, strict=True):
        for column, what in _wrong(row, answer, known, batches, leaves, journals, salts):
            yield Finding(
                "answer_changed",
                f"the answer kept for key {row.key} of {row.person_id} {what}",
                "idempotency",
                f"{row.person_id}/{row.key}",
                column,
            )


_Found = Mapping[Any, Any]


def _wrong(
    row: Any,
    answer: Mapping[str, Any] | None,
    known: set[str],
    batches: _Found,
    leaves: _Found,
    journals: _Found,
    salts: _Found,
) -> Iterator[tuple[str, str]]:
    """(column, what is wrong) of one row."""
    if row.person_id not in known:
        yield "person_id", "is of nobody who is known"
    final = row.status == 0
    kept = batches.get(row.batch_seq)
    if not final and not (answer or {}).get("replayed"):
        # A refusal and a repetition are no acts: alone in a transaction they use no batch up, and
        # the next act takes its number.
        if kept is None:
            yield "batch_seq", f"is of batch {row.batch_seq}, which is not there"
        elif kept.recorded_at != row.recorded_at:
            yield "recorded_at", f"was kept at {row.recorded_at}, its batch at {kept.recorded_at}"
    if not (final or 200 <= row.status < 300) or final != (bytes(row.answer) == b""):
        yield "status", f"has status {row.status} with {len(bytes(row.answer))} bytes"
    if final:
        return
    if answer is None:
        yield "answer", "can't be read"
        return
    yield from _told(row, answer, leaves)
    yield from _journal(row, answer, journals, salts)


def _told(row: Any, answer: Mapping[str, Any], leaves: _Found) -> Iterator[tuple[str, str]]:
    fresh = not answer.get("replayed")
    for member, want in (("batch", row.batch_seq), ("recorded_at", row.recorded_at)):
        have = answer.get(member)
        if fresh and have is not None and have != want:
            yield "answer", f"says {member} {have}, its row {want}"
    index = answer.get("leaf_index")
    if isinstance(index, int):
        leaf = leaves.get(index)
        if leaf is None or leaf.batch_seq != answer.get("batch", leaf.batch_seq):
            yield "answer", f"names leaf {index}, which is none of its batch"


def _journal(
    row: Any, answer: Mapping[str, Any], journals: _Found, salts: _Found
) -> Iterator[tuple[str, str]]:
    fed = row.route in _FEEDS
    if fed and answer.keys() != _MEMBERS:
        yield "answer", "has not the members of a journal's answer"
        return
    number = answer.get("journal")
    if not isinstance(number, int):
        if fed:
            yield "answer", "names no journal"
        return
    posted = journals.get(number)
    if posted is None:
        yield "answer", f"names journal {number}, which is not there"
        return
    if not answer.keys() >= _MEMBERS:
        return
    for member, want in (
        ("reference", posted.reference),
        ("leaf_index", posted.leaf_index),
        ("batch", posted.batch_seq),
    ):
        if answer[member] != want:
            yield "answer", f"says {member} {answer[member]}, journal {number} has {want}"
    if not fed or answer["replayed"] is True:
        return
    if bytes(row.answer) != canonical_fast(
        {
            "journal": posted.id,
            "reference": posted.reference,
            "batch": posted.batch_seq,
            "leaf_index": posted.leaf_index,
            "recorded_at": row.recorded_at,
            "replayed": False,
        }
    ):
        yield "answer", f"is not what journal {number} was answered with"
    if posted.poster != row.person_id:
        yield "person_id", f"tells of journal {number}, which {posted.poster} posted"
    if posted.description_c != row.request_c:
        yield "request_c", f"is not under the salt of journal {number}"
        return
    salt = salts.get(row.request_c)
    if row.status != _FED:
        yield "status", f"has status {row.status}, a journal is answered with {_FED}"
    if salt is not None:
        sent = {name: getattr(posted, name) for name in _SENT} | {"description": salt.value}
        yield from _digests(row, sent, salt.salt)


def _digests(row: Any, sent: Mapping[str, str], salt: str) -> Iterator[tuple[str, str]]:
    """What the journal was sent with, as far as the books hold it."""
    said = dict(part.split(":", 1) for part in row.request.split(";") if ":" in part)
    for name, value in sent.items():
        data = salt.encode() + b"\x00" + name.encode() + b"=" + msgspec.json.encode(value)
        if said.get(name) != hashlib.sha256(data).hexdigest()[:16]:
            yield "request", f"has another digest of the {name} that its journal has"


def _read(answer: bytes) -> Mapping[str, Any] | None:
    try:
        said = json.loads(bytes(answer))
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _numbers(answers: Sequence[Mapping[str, Any] | None], name: str) -> list[int]:
    found = (answer.get(name) for answer in answers if answer is not None)
    return sorted({n for n in found if isinstance(n, int) and abs(n) < 2**63})


def _by(
    conn: Connection,
    government: str,
    table: Table,
    key: str,
    wanted: Sequence[object],
    columns: Sequence[str] = (),
) -> dict[Any, Any]:
    """Rows of a table by *key*."""
    chosen = [table.c[name] for name in columns] if columns else list(table.c)
    rows = conn.execute(
        select(*chosen).where(
            table.c.government == government, table.c[key].in_(sorted(set(wanted), key=str))
        )
    )
    return {getattr(row, key): row for row in rows}
