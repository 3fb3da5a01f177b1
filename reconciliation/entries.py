"""
The books' side of a bank account: its cash lines with the keys they can be found by.

Shell. Entries are derived from posted rows alone, so nothing private is needed to rebuild them. Each
run adds the journals since the last one; `pending_entries` shows them to a reader in between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from audit import bulk
from audit.canonical import JsonInput, canonical_fast
from ledger import tables as lt
from ledger.money import sen_text
from ledger.session import Session
from reconciliation import tables as t
from reconciliation.keys import entry_keys
from reconciliation.open_items import OpenItem, add_open

__all__ = [
    "BookEntry",
    "Filled",
    "entries_sha256",
    "fill_entries",
    "journal_watermark",
    "pending_entries",
]

_COLUMNS: Final = tuple(t.book_entry.c.keys())


class BookEntry(NamedTuple):
    """A row of `book_entry` without its government."""

    id: int
    bank_account: str
    journal_id: int
    n: int
    effective_on: str
    amount_sen: int
    is_opening: int
    reverses: int
    pay_key: str
    doc_key: str
    found_keys: str
    batch_seq: int


class Filled(NamedTuple):
    """What a run added: how many entries, their digest, and the last journal looked at."""

    entries: int
    sha256: str
    journal_through: int


def journal_watermark(conn: Connection, government: str, bank_account: str) -> int:
    """The last journal that a run of this account has looked at."""
    run = t.reconciliation_run.c
    last = conn.execute(
        select(func.max(run.journal_through)).where(
            run.government == government, run.bank_account == bank_account
        )
    ).scalar()
    return int(last or 0)


def pending_entries(
    conn: Connection,
    government: str,
    bank_account: str,
    *,
    after: int,
    through: int | None = None,
) -> list[BookEntry]:
    """Entries of the journals after journal *after* (up to *through*), derived from posted rows."""
    line, journal = lt.journal_line.c, lt.journal.c
    query = (
        select(
            line.journal_id,
            line.n,
            line.effective_on,
            line.amount_sen,
            line.payment_reference,
            line.batch_seq,
            journal.reference,
            journal.kind,
            journal.document_no,
            journal.batch_no,
            journal.reverses,
        )
        .join(
            lt.journal,
            (journal.government == line.government) & (journal.id == line.journal_id),
        )
        .where(
            line.government == government,
            line.bank_account == bank_account,
            line.journal_id > after,
        )
        .order_by(line.journal_id, line.n)
    )
    if through is not None:
        query = query.where(line.journal_id <= through)
    entries = []
    for row in conn.execute(query).all():
        keys = entry_keys(
            payment_reference=row.payment_reference,
            document_no=row.document_no,
            reference=row.reference,
            batch_no=row.batch_no,
        )
        entries.append(
            BookEntry(
                row.journal_id * t.ENTRY_STRIDE + row.n,
                bank_account,
                row.journal_id,
                row.n,
                row.effective_on,
                row.amount_sen,
                int(row.kind == "opening"),
                row.reverses or 0,
                *keys,
                row.batch_seq,
            )
        )
    return entries


def fill_entries(session: Session, bank_account: str) -> Filled:
    """Add the entries of the journals since the last run, and open them."""
    conn, government = session.conn, session.government
    last = conn.execute(
        select(func.max(lt.journal.c.id)).where(lt.journal.c.government == government)
    ).scalar()
    through = int(last or 0)
    entries = pending_entries(
        conn,
        government,
        bank_account,
        after=journal_watermark(conn, government, bank_account),
        through=through,
    )
    bulk.insert_rows(conn, t.book_entry, _COLUMNS, [(government, *entry) for entry in entries])
    add_open(
        session,
        bank_account,
        "book",
        [OpenItem(e.id, e.effective_on, e.amount_sen, e.found_keys) for e in entries],
    )
    return Filled(len(entries), entries_sha256(entries), through)


def entries_sha256(entries: Iterable[BookEntry] | Sequence[BookEntry]) -> str:
    """Digest of entries in order of id; "" when there are none."""
    digest = hashlib.sha256()
    is_empty = True
    for entry in entries:
        is_empty = False
        form: list[JsonInput] = [*entry[:5], sen_text(entry.amount_sen), *entry[6:]]
        digest.update(canonical_fast(form) + b"\n")
    return "" if is_empty else digest.hexdigest()
