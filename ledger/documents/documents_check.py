"""
Re-derive documents, payments, numbers, reservations and commitments from the log, and verify every
officer's signature again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Any, Final

from sqlalchemy import Connection, select

from audit.database import log_shard, private_value
from ledger import tables as t
from ledger.allowances_check import check_allowances
from ledger.documents import store
from ledger.documents.advice_list import advice_to_sign
from ledger.documents.content import AdviceContent, Content, revision_of
from ledger.documents.dispatch_replay import check_dispatch
from ledger.documents.replay import Replay
from ledger.documents.signing import envelope_keyid, verify_envelope
from ledger.errors import LedgerError
from ledger.findings import Finding
from ledger.officer_keys import officer_public_key
from ledger.privacy import erased_commitments
from ledger.rederive import read_leaves
from ledger.row_check import check_rows, sha256_or_empty

__all__ = ["check_documents"]

_KINDS: Final = (
    "book.recovered",
    "dispatch.paused",
    "document.moved",
    "payment.answered",
    "payment.called",
    "payment.held",
    "payment.moved",
    "payment.rerouted",
    "payment.settled",
    "policy.set",
    "proposal.made",
)


def check_documents(conn: Connection, government: str) -> Iterator[Finding]:
    """Every row of documents and payments, the counters they move, and every signature."""
    d = t.document.c

    def read_bytes(document: str) -> bytes | None:
        data = conn.execute(
            select(d.content).where(d.government == government, d.id == document)
        ).scalar()
        return bytes(data) if data is not None else None

    j = t.journal.c
    reissued = {
        row[0].removesuffix("/reissue"): row[1]
        for row in conn.execute(
            select(j.reference, j.id).where(
                j.government == government, j.kind == "payment.reissued"
            )
        )
    }
    replay = Replay(government, read_bytes, reissued)
    for leaf in read_leaves(conn, government, _KINDS):
        if isinstance(leaf, Finding):
            yield leaf
        else:
            yield from replay.take(leaf)
    yield from _check_tables(conn, government, replay)
    yield from check_dispatch(conn, government, replay.dispatch, replay.payments)
    yield from _check_counters(conn, government, replay)
    yield from check_allowances(conn, government, replay.effects)
    yield from _check_signatures(conn, government, replay)
    yield from _check_texts(conn, government, replay)


def _check_tables(conn: Connection, government: str, replay: Replay) -> Iterator[Finding]:
    yield from check_rows(
        conn,
        government,
        t.document,
        ("id",),
        replay.document_rows(),
        seen={"content": lambda data: revision_of(bytes(data))},
    )
    wanted: dict[Any, dict[tuple[Any, ...], Any]] = {
        t.document_line: {},
        t.document_deduction: {},
        t.payee: {},
    }
    for table, key, row in replay.content_rows():
        wanted[table][key] = row
    for table, rows in wanted.items():
        yield from check_rows(conn, government, table, ("document_id", "n"), rows)
    yield from check_rows(
        conn,
        government,
        t.document_move,
        ("document_id", "n"),
        replay.document_moves,
        seen={"checks": sha256_or_empty, "envelope": sha256_or_empty},
    )
    yield from check_rows(conn, government, t.payment, ("id",), replay.payment_rows())
    yield from check_rows(
        conn, government, t.payment_move, ("payment_id", "n"), replay.payment_moves
    )
    yield from check_rows(
        conn, government, t.payment_settlement, ("payment_id", "n"), replay.settlements
    )


def _check_counters(conn: Connection, government: str, replay: Replay) -> Iterator[Finding]:
    yield from check_rows(
        conn,
        government,
        t.number_series,
        ("fiscal_year", "series"),
        {key: {"last": last} for key, last in replay.series.items()},
    )
    b = t.budget_line.c
    for row in conn.execute(
        select(b.id, b.reserved_sen).where(b.government == government).order_by(b.id)
    ):
        due = replay.reserved.get(row[0], 0)
        if row[1] != due:
            yield Finding(
                "reserved_differs",
                f"budget line {row[0]} has {row[1]} sen reserved, its documents {due}",
                "budget_line",
                row[0],
                "reserved_sen",
            )
    years = {
        row[0]: row[1]
        for row in conn.execute(
            select(t.fiscal_year.c.year, t.fiscal_year.c.chart_version).where(
                t.fiscal_year.c.government == government
            )
        )
    }
    due_by: dict[tuple[str, str], int] = {}
    for (bank_account, year), sen in replay.committed.items():
        of = (bank_account, years.get(year, ""))
        due_by[of] = due_by.get(of, 0) + sen
    c = t.account_balance.c
    for *key, committed in conn.execute(
        select(
            *(c[name] for name in c.keys()[1:8]),
            c.committed_sen,
        ).where(c.government == government)
    ):
        version, bank_account = key[0], key[4]
        due = due_by.pop((bank_account, version), 0) if bank_account else 0
        if committed != due:
            yield Finding(
                "committed_differs",
                f"{bank_account or key[3]} has {committed} sen committed, its payments {due}",
                "account_balance",
                "/".join(key),
                "committed_sen",
            )
    for (bank_account, version), due in due_by.items():
        if due:
            yield Finding(
                "committed_differs",
                f"payments commit {due} sen of {bank_account}, which has no balance of {version}",
                "account_balance",
                bank_account,
                "committed_sen",
            )


def _check_signatures(conn: Connection, government: str, replay: Replay) -> Iterator[Finding]:
    """Each envelope verifies under the key its officer held then, over this very document."""
    origin_at = _origins(conn, government)
    m = t.document_move.c
    rows = conn.execute(
        select(m.document_id, m.n, m.move, m.role, m.person_id, m.envelope, m.nonce, m.leaf_index)
        .where(m.government == government, m.nonce != "")
        .order_by(m.leaf_index),
        execution_options={"yield_per": 500},
    )
    for document_id, n, move, role, person, envelope, nonce, leaf_index in rows:
        replayed = replay.documents.get(document_id)
        if replayed is None or replayed.content is None:
            continue  # named by the comparison of its rows
        stored = replayed.stored
        said = {
            "origin": origin_at(leaf_index),
            "act": f"{stored.kind}.{move}",
            "document": stored.id,
            "revision": stored.revision,
            "role": role,
        }
        if isinstance(replayed.content, AdviceContent):
            expected = advice_to_sign(replayed.content, **said)
        else:
            expected = store.to_sign(content=replayed.content, **said)
        try:
            parsed = envelope_keyid(bytes(envelope), officer=person)
            holder, key = officer_public_key(conn, government, parsed.keyid, at=leaf_index)
            signed = verify_envelope(parsed, public_key=key, officer=person, expected=expected)
            problem = "" if (holder, signed) == (person, nonce) else "another officer's, or nonce"
        except LedgerError as refusal:
            problem = refusal.message
        if problem:
            yield Finding(
                "signature_invalid",
                f"{document_id}: the envelope of {move} does not hold: {problem}",
                "document_move",
                f"{document_id}/{n}",
                "envelope",
            )


def _origins(conn: Connection, government: str) -> Callable[[int], str]:
    """The origin of the log's shard that a leaf is in: what its signer was shown."""
    shards = conn.execute(
        select(log_shard.c.base, log_shard.c.origin)
        .where(log_shard.c.government == government)
        .order_by(log_shard.c.base)
    ).all()
    bases = [shard.base for shard in shards]

    def origin_at(leaf_index: int) -> str:
        at = bisect_right(bases, leaf_index) - 1
        return str(shards[at].origin) if at >= 0 else ""

    return origin_at


def _check_texts(conn: Connection, government: str, replay: Replay) -> Iterator[Finding]:
    """Commitments that stand in contents alone are backed by their texts, or were erased."""
    wanted: dict[str, str] = {}
    for document, replayed in replay.documents.items():
        content = replayed.content
        if isinstance(content, AdviceContent):
            wanted[content.file_salt] = document
        elif isinstance(content, Content):
            wanted[content.purpose] = document
            for claim in content.claims:
                wanted[claim.name] = document
                wanted[claim.nip] = document
    wanted.pop("", None)
    known = set(
        conn.execute(
            select(private_value.c.commitment).where(
                private_value.c.government == government,
                private_value.c.field.in_(("purpose", "officer_name", "nip", "file_salt")),
            )
        ).scalars()
    )
    missing = [commitment for commitment in wanted if commitment not in known]
    erased = set(erased_commitments(conn, government)) if missing else set()
    for commitment in missing:
        if commitment not in erased:
            yield Finding(
                "disclosure_missing",
                f"the private value of commitment {commitment} ({wanted[commitment]}) is gone, and"
                " no act erased it",
                "document",
                wanted[commitment],
                "content",
            )
