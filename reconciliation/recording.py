"""
Write a statement or a delivery down: the bank's bytes, the lines, their digests, the leaf.

Shell. Set-based: lines, then the row that completes them, then the working set. What is decided
about them is decided before (`admission`, `lasting`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from sqlalchemy import Table, func, select

from audit import bulk
from audit.canonical import JsonInput, canonical_fast
from bank_adapters.statements import Statement, StatementFile, StatementLine
from ledger.money import sen_text
from ledger.session import Session
from reconciliation import tables as t
from reconciliation.admission import content_of, covers_from
from reconciliation.errors import StatementRefusedError
from reconciliation.keys import LineKeys, line_keys
from reconciliation.known import unbooked_between
from reconciliation.lasting import pair_off
from reconciliation.open_items import OpenItem, add_open

__all__ = [
    "Placing",
    "Source",
    "booked",
    "booked_sha256",
    "day_text",
    "deliveries_sha256",
    "keep_file",
    "keys_of",
    "line_form",
    "lines_sha256",
    "next_id",
    "occurrences",
    "private_text",
    "provisional_sha256",
    "write_booked",
    "write_statement",
]

_LINE_COLUMNS: Final = tuple(t.bank_line.c.keys())
_AMOUNTS: Final = frozenset({"amount_sen", "balance_after_sen"})
#: Columns of a line that its digest covers, and whether each is an amount.
_FORM: Final = tuple((name, name in _AMOUNTS) for name in _LINE_COLUMNS[1:])
_PROVISIONAL_FORM: Final = tuple(
    (name, name in _AMOUNTS) for name in tuple(t.provisional_line.c.keys())[1:]
)


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it was read for one account, and for whom."""

    by: str
    bank_account: str
    data: bytes = field(repr=False)
    file: StatementFile = field(repr=False)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Placing:
    """
    Where a statement goes: its place in the chain (0: none) and what the account stood at before.

    new: places of its booked lines that are new. confirmed: (place, line id) of the others.
    refusal: why it is kept aside instead.
    """

    status: str
    chain_n: int = 0
    previous_sen: int | None = None
    new: Sequence[int] = ()
    confirmed: Sequence[tuple[int, int]] = ()
    refusal: StatementRefusedError | None = None


# --- digests -----------------------------------------------------------------------------------


def line_form(row: Sequence[bulk.Value]) -> list[JsonInput]:
    """Version 1 of a row of `bank_line` (all columns but the government) in its statement's digest."""
    return _form(row, _FORM)


def lines_sha256(rows: Iterable[Sequence[bulk.Value]]) -> str:
    """Digest of rows of `bank_line` in order of id; "" when there are none."""
    return _digest(line_form(row) for row in rows)


def provisional_sha256(rows: Iterable[Sequence[bulk.Value]]) -> str:
    """Digest of rows of `provisional_line` in order of id; "" when there are none."""
    return _digest(_form(row, _PROVISIONAL_FORM) for row in rows)


def deliveries_sha256(rows: Iterable[Sequence[bulk.Value]]) -> str:
    """Digest of rows of `(provisional|bank)_line_delivery` in order of position; "" for none."""
    return _digest(list(row[2:]) for row in rows)


def booked_sha256(pairs: Iterable[tuple[int, int]]) -> str:
    """Digest of (provisional line, bank line) in order of the first; "" when there are none."""
    return _digest([provisional, line] for provisional, line in pairs)


def _form(row: Sequence[bulk.Value], columns: Sequence[tuple[str, bool]]) -> list[JsonInput]:
    return [
        sen_text(value) if is_amount and isinstance(value, int) else value
        for (_, is_amount), value in zip(columns, row[1:], strict=True)
    ]


def _digest(forms: Iterable[JsonInput]) -> str:
    digest = hashlib.sha256()
    count = 0
    for count, form in enumerate(forms, start=1):  # noqa: B007  # the count is what is wanted
        digest.update(canonical_fast(form) + b"\n")
    return digest.hexdigest() if count else ""


# --- statements --------------------------------------------------------------------------------


def booked(statement: Statement) -> list[StatementLine]:
    """The lines that moved money."""
    return [line for line in statement.lines if line.status == "booked"]


def keys_of(line: StatementLine) -> LineKeys:
    """What a line can be found by."""
    return line_keys(
        reference=line.reference or "",
        bank_reference=line.bank_reference or "",
        narrative=line.narrative,
        transaction_code=line.transaction_code or "",
        reversal=line.reversal,
    )


def write_statement(
    session: Session,
    source: Source,
    ordinal: int,
    statement: Statement,
    placing: Placing,
    keys: Sequence[LineKeys],
) -> tuple[dict[str, bulk.Value], int]:
    """
    Its lines, its row and its leaf `statement.imported`; leaf `provisional.booked` where lines of it
    were told of before.

    Returns the row and how many provisional lines are booked by it.
    """
    conn, government, file = session.conn, session.government, source.file
    refusal = placing.refusal
    statement_id = next_id(session, t.statement)
    lines = booked(statement)
    new_rows = _line_rows(session, source, statement_id, lines, placing.new, keys)
    deliveries: list[bulk.Row] = [
        (government, statement_id, lines[place].position, line_id)
        for place, line_id in placing.confirmed
    ]
    pairs = _provisional_of(session, source.bank_account, lines, placing.new, new_rows)
    opening, closing = statement.opening, statement.closing
    # What is refused may hold figures that no column takes.
    fits = refusal is None or (
        statement.currency == "IDR"
        and all(abs(b.units) < 2**62 for b in (opening, closing) if b is not None)
    )
    detail_c = ""
    if refusal is not None:
        detail_c = session.private(
            "detail", refusal.message, subject=f"statement:{file.file_sha256}"
        )
    row: dict[str, bulk.Value] = {
        "id": statement_id,
        "bank_account": source.bank_account,
        "file_sha256": file.file_sha256,
        "ordinal": ordinal,
        "chain_n": placing.chain_n,
        "status": placing.status,
        "statement_no": (statement.statement_no or "")[:64],
        "page": statement.page,
        "kind": statement.kind,
        "currency": statement.currency or "",
        "covers_from": covers_from(statement).isoformat(),
        "opening_on": day_text(opening.on if opening else None),
        "opening_sen": opening.units if opening and fits else None,
        "closing_on": day_text(closing.on if closing else None),
        "closing_sen": closing.units if closing and fits else None,
        "previous_sen": placing.previous_sen if placing.chain_n else None,
        "line_count": len(statement.lines),
        "new_count": len(new_rows),
        "confirmed_count": len(deliveries),
        "skipped_count": len(statement.lines) - len(new_rows) - len(deliveries),
        "lines_sha256": lines_sha256(new_rows),
        "deliveries_sha256": deliveries_sha256(deliveries),
        "rule": refusal.code if refusal else "",
        "detail_c": detail_c,
    }
    said: dict[str, JsonInput] = {
        **{
            name: sen_text(value) if name.endswith("_sen") and isinstance(value, int) else value
            for name, value in row.items()
        },
        "file_size": len(source.data),
        "format": file.format,
        "profile": file.profile_text or file.profile or "",
    }
    leaf = session.batch.leaf("statement.imported", source.by, said)
    row |= {"imported_by": source.by, "batch_seq": session.batch.seq, "leaf_index": leaf}
    keep_file(session, source, leaf)
    bulk.insert_rows(conn, t.bank_line, _LINE_COLUMNS, new_rows)
    bulk.insert_rows(conn, t.statement, ("government", *row), [(government, *row.values())])
    bulk.insert_rows(conn, t.bank_line_delivery, tuple(t.bank_line_delivery.c.keys()), deliveries)
    if pairs:
        told: dict[str, JsonInput] = {
            "statement": statement_id,
            "booked_count": len(pairs),
            "booked_sha256": booked_sha256(pairs),
        }
        write_booked(session, pairs, session.batch.leaf("provisional.booked", source.by, told))
    add_open(
        session,
        source.bank_account,
        "bank",
        [
            OpenItem(int(str(r[1])), str(r[5]), int(str(r[10])), str(r[21]))
            for r in new_rows
            if r[10] != 0
        ],
    )
    return row, len(pairs)


def _line_rows(
    session: Session,
    source: Source,
    statement_id: int,
    lines: Sequence[StatementLine],
    new: Sequence[int],
    keys: Sequence[LineKeys],
) -> list[bulk.Row]:
    """Rows of `bank_line` for the new lines, with their private texts put away."""
    if not new:
        return []
    government, bank_account, seq = session.government, source.bank_account, session.batch.seq
    first_id = next_id(session, t.bank_line)
    since = min(day_text(lines[place].booked_on) for place in new)
    counts = occurrences(session, t.bank_line, bank_account, since)
    rows: list[bulk.Row] = []
    for line_id, place in enumerate(new, start=first_id):
        line, found = lines[place], keys[place]
        day = day_text(line.booked_on)
        counts[day] = counts.get(day, 0) + 1
        subject = f"bank_line:{bank_account}:{line_id}"
        rows.append(
            (
                government,
                line_id,
                bank_account,
                statement_id,
                line.position,
                day,
                counts[day],
                day_text(line.value_on),
                day_text(line.entry_on),
                "" if line.booked_time is None else line.booked_time.isoformat(),
                line.amount_units,
                line.balance_after_units,
                int(line.reversal),
                line.bank_reference or "",
                line.reference or "",
                line.transaction_code or "",
                private_text(session, "narrative", line.narrative, subject),
                private_text(session, "counterparty", line.counterparty, subject),
                found.line_kind,
                found.pay_key,
                found.doc_key,
                found.keys,
                seq,
            )
        )
    return rows


def private_text(session: Session, name: str, value: str | None, subject: str) -> str:
    """The commitment of a text of a line; "" where there is none."""
    return session.private(name, value, subject=subject) if value else ""


def occurrences(session: Session, table: Table, bank_account: str, since: str) -> dict[str, int]:
    """How many lines of *table* each day has already, from *since* on."""
    column = table.c
    rows = session.conn.execute(
        select(column.booked_on, func.max(column.occurrence))
        .where(
            column.government == session.government,
            column.bank_account == bank_account,
            column.booked_on >= since,
        )
        .group_by(column.booked_on)
    )
    return {day: int(last) for day, last in rows}


# --- provisional lines that booked ones confirm -----------------------------------------------


def _provisional_of(
    session: Session,
    bank_account: str,
    lines: Sequence[StatementLine],
    new: Sequence[int],
    rows: Sequence[bulk.Row],
) -> list[tuple[int, int]]:
    """(provisional line, bank line) for the new lines that were told of before."""
    if not new:
        return []
    days = [str(row[5]) for row in rows]
    waiting = unbooked_between(session, bank_account, min(days), max(days))
    if not waiting:
        return []
    found = pair_off(waiting, [content_of(lines[place]) for place in new])
    return sorted((provisional, int(str(rows[n][1]))) for n, provisional in found)


def write_booked(session: Session, pairs: Sequence[tuple[int, int]], leaf: int) -> None:
    """Link provisional lines to the booked ones that confirm them."""
    bulk.insert_rows(
        session.conn,
        t.provisional_booked,
        tuple(t.provisional_booked.c.keys()),
        [
            (session.government, provisional, line, session.batch.seq, leaf)
            for provisional, line in pairs
        ],
    )


# --- shared ------------------------------------------------------------------------------------


def keep_file(session: Session, source: Source, leaf: int) -> None:
    """The raw bytes, once. Erased bytes come back only by an import that adds something."""
    conn, government, sha256 = session.conn, session.government, source.file.file_sha256
    file = t.statement_file.c
    if conn.execute(
        select(file.sha256).where(file.government == government, file.sha256 == sha256)
    ).first():
        return
    bulk.insert_rows(
        conn,
        t.statement_file,
        tuple(t.statement_file.c.keys()),
        [
            (
                government,
                sha256,
                len(source.data),
                source.file.format,
                source.file.profile_text or source.file.profile or "",
                session.batch.seq,
                leaf,
            )
        ],
    )
    bulk.insert_rows(
        conn,
        t.statement_file_content,
        tuple(t.statement_file_content.c.keys()),
        [(government, sha256, source.data)],
    )


def next_id(session: Session, table: Table) -> int:
    """The id that the next row of *table* gets."""
    column = table.c
    last = session.conn.execute(
        select(column.id)
        .where(column.government == session.government)
        .order_by(column.id.desc())
        .limit(1)
    ).scalar()
    return int(last or 0) + 1


def day_text(day: date | None) -> str:
    """ISO, or "" for none."""
    return "" if day is None else day.isoformat()
