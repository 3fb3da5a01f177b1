"""
Take in an intraday report or an advice: its booked lines become provisional lines.

Shell. Such a delivery closes no day, so it proves nothing and is in no chain: its lines are shown as
awaiting the end-of-day statement, no run matches them and no proof counts them. Reports of one day
overlap as they like; a line is told of once for each time that one report has it (`lasting`). A
report that comes after the day's statement is confirmed by it at once. A pull of whole days says what
it no longer has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select

from audit import bulk
from audit.canonical import JsonInput
from bank_adapters.statements import Statement, StatementLine
from ledger.money import sen_text
from ledger.session import Session
from reconciliation import tables as t
from reconciliation.admission import Content, KnownLine, check_interim, content_of
from reconciliation.known import provisional_between, unclaimed_between
from reconciliation.lasting import became, pair_off
from reconciliation.recording import (
    Source,
    booked,
    booked_sha256,
    day_text,
    deliveries_sha256,
    keep_file,
    next_id,
    occurrences,
    private_text,
    provisional_sha256,
    write_booked,
)

__all__ = ["delivered_again", "delivery_answer", "held_deliveries", "take_delivery"]

#: Lines that an answer lists; all are counted.
_LISTED_MAX: Final = 100
_LINE: Final = tuple(t.provisional_line.c.keys())
_AGAIN: Final = tuple(t.provisional_line_delivery.c.keys())


def held_deliveries(
    session: Session, sha256: str, bank_account: str
) -> dict[int, dict[str, JsonInput]]:
    """The deliveries that this file gave before, by ordinal."""
    column = t.delivery.c
    rows = session.conn.execute(
        select(t.delivery).where(
            column.government == session.government,
            column.file_sha256 == sha256,
            column.bank_account == bank_account,
        )
    )
    return {row.ordinal: delivery_answer(dict(row._mapping)) for row in rows}


def delivery_answer(row: Mapping[str, Any]) -> dict[str, JsonInput]:
    """A delivery as the import answers it."""
    return {
        "delivery": row["id"],
        "ordinal": row["ordinal"],
        "statement_no": row["statement_no"],
        "kind": row["kind"],
        "status": "provisional",
        "new": row["new_count"],
        "confirmed": row["confirmed_count"],
        "skipped": row["skipped_count"],
        "provisional_booked": row["booked_count"],
        "leaf_index": row["leaf_index"],
    }


def take_delivery(
    session: Session, source: Source, ordinal: int, statement: Statement
) -> dict[str, JsonInput]:
    """Take in one report or advice (leaf `delivery.imported`). Raises StatementRefusedError."""
    check_interim(
        statement,
        bank_account=source.bank_account,
        others=session.settings.bank_accounts,
        today=session.today,
    )
    government, bank_account = session.government, source.bank_account
    delivery_id = next_id(session, t.delivery)
    lines = booked(statement)
    contents = [content_of(line) for line in lines]
    span = _span(statement, contents)
    known = provisional_between(session, bank_account, *span) if span else []
    again = pair_off(known, contents)
    taken = {place for place, _ in again}
    new = [place for place in range(len(lines)) if place not in taken]
    rows = _line_rows(session, bank_account, delivery_id, lines, new)
    deliveries: list[bulk.Row] = [
        (government, delivery_id, lines[place].position, line_id) for place, line_id in again
    ]
    standing: list[KnownLine] = []
    if span and (new or statement.covers):
        standing = unclaimed_between(session, bank_account, *span)
    pairs = _booked_already(standing, [contents[place] for place in new], rows)
    told = _missing(
        statement,
        provisional=_without(known, again),
        standing=_without(standing, pairs),
        new=[(lines[place].position, contents[place]) for place in new],
    )
    row: dict[str, bulk.Value] = {
        "id": delivery_id,
        "bank_account": bank_account,
        "file_sha256": source.file.file_sha256,
        "ordinal": ordinal,
        "kind": statement.kind,
        "statement_no": (statement.statement_no or "")[:64],
        "page": statement.page,
        "line_count": len(statement.lines),
        "new_count": len(rows),
        "confirmed_count": len(deliveries),
        "skipped_count": len(statement.lines) - len(rows) - len(deliveries),
        "booked_count": len(pairs),
        "lines_sha256": provisional_sha256(rows),
        "deliveries_sha256": deliveries_sha256(deliveries),
        "booked_sha256": booked_sha256(pairs),
    }
    leaf = session.batch.leaf(
        "delivery.imported",
        source.by,
        {
            **row,
            "file_size": len(source.data),
            "format": source.file.format,
            "profile": source.file.profile_text or source.file.profile or "",
        },
    )
    row |= {"imported_by": source.by, "batch_seq": session.batch.seq, "leaf_index": leaf}
    keep_file(session, source, leaf)
    conn = session.conn
    bulk.insert_rows(conn, t.provisional_line, _LINE, rows)
    bulk.insert_rows(conn, t.delivery, ("government", *row), [(government, *row.values())])
    bulk.insert_rows(conn, t.provisional_line_delivery, _AGAIN, deliveries)
    write_booked(session, pairs, leaf)
    return {**delivery_answer(row), **told}


def delivered_again(
    session: Session, bank_account: str, statement: Statement
) -> dict[str, JsonInput]:
    """What a delivery that is known to the byte lacks of the lines that were told of since."""
    contents = [content_of(line) for line in booked(statement)]
    span = _span(statement, contents)
    if statement.covers is None or span is None:
        return {}
    known = provisional_between(session, bank_account, *span)
    return _missing(
        statement,
        provisional=_without(known, pair_off(known, contents)),
        standing=unclaimed_between(session, bank_account, *span),
        new=(),
    )


def _span(statement: Statement, contents: Sequence[Content]) -> tuple[str, str] | None:
    """The days that a delivery speaks of; None for none."""
    days = [content.booked_on for content in contents]
    days += [day.isoformat() for day in statement.covers or ()]
    return (min(days), max(days)) if days else None


def _without(known: Sequence[KnownLine], found: Sequence[tuple[int, int]]) -> list[KnownLine]:
    taken = {line for _, line in found}
    return [line for line in known if line.id not in taken]


def _missing(
    statement: Statement,
    *,
    provisional: Sequence[KnownLine],
    standing: Sequence[KnownLine],
    new: Sequence[tuple[int, Content]],
) -> dict[str, JsonInput]:
    """
    The lines of the days that a pull covers, known before and not in it: a bank that took one away or
    changed it. They stay as they were told; the day's statement decides.
    """
    if statement.covers is None:
        return {}
    listed: list[JsonInput] = []
    for kind, lines in (("provisional", provisional), ("line", standing)):
        for line, position in became(lines, new):
            day, amount_sen, bank_reference, _ = line.content
            listed.append(
                {
                    kind: line.id,
                    "booked_on": day,
                    "amount": sen_text(amount_sen),
                    "bank_reference": bank_reference,
                    "became": position,
                }
            )
    return {"missing_count": len(listed), "missing": listed[:_LISTED_MAX]}


def _line_rows(
    session: Session,
    bank_account: str,
    delivery_id: int,
    lines: Sequence[StatementLine],
    new: Sequence[int],
) -> list[bulk.Row]:
    """Rows of `provisional_line` for the new lines, with their private texts put away."""
    if not new:
        return []
    since = min(day_text(lines[place].booked_on) for place in new)
    counts = occurrences(session, t.provisional_line, bank_account, since)
    rows: list[bulk.Row] = []
    for line_id, place in enumerate(new, start=next_id(session, t.provisional_line)):
        line = lines[place]
        day = day_text(line.booked_on)
        counts[day] = counts.get(day, 0) + 1
        subject = f"provisional_line:{bank_account}:{line_id}"
        rows.append(
            (
                session.government,
                line_id,
                bank_account,
                delivery_id,
                line.position,
                day,
                counts[day],
                day_text(line.value_on),
                day_text(line.entry_on),
                "" if line.booked_time is None else line.booked_time.isoformat(),
                line.amount_units,
                int(line.reversal),
                line.bank_reference or "",
                line.reference or "",
                line.transaction_code or "",
                private_text(session, "narrative", line.narrative, subject),
                private_text(session, "counterparty", line.counterparty, subject),
                session.batch.seq,
            )
        )
    return rows


def _booked_already(
    standing: Sequence[KnownLine], contents: Sequence[Content], rows: Sequence[bulk.Row]
) -> list[tuple[int, int]]:
    """(provisional line, bank line) for those of a late report that the statement had before."""
    return [(int(str(rows[n][1])), line) for n, line in pair_off(standing, contents)]
