"""
Ends days of the served bank and writes what a customer is given: a statement in every format.

Shell. A day is ended by one commit; the files are written after it, from the books, and may be
written again at any time.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from bank_adapters.simulator import books
from bank_adapters.simulator.errors import DayClosedError
from bank_adapters.statements.camt_writer import write_camt053
from bank_adapters.statements.mt940_writer import write_mt940
from bank_adapters.statements.outgoing import OutgoingEntry
from ledger.money import Money

__all__ = ["Ended", "end_days", "write_statements"]

#: What the formats write where there is none.
_NO_REFERENCES = frozenset({"", "NONREF", "NOTPROVIDED"})
_CODES = {"return": "NRTI", "correction": "NMSC", "error": "NMSC"}


@dataclass(frozen=True, slots=True)
class Ended:
    """A statement of one account. opening_day: the last day before it that had one."""

    account: str
    no: int
    day: date
    opening_day: date
    opening: Money
    closing: Money


def end_days(
    conn: sqlite3.Connection, through: date | None, now: datetime, today: date | None = None
) -> list[Ended]:
    """
    End every day through *through* (default: the bank's present day) that has lines, and that one.

    Each account's statements are numbered on. Debits that were the bank's mistake are taken back
    on the day after. Safe beside a bank that is being served. Raises DayClosedError.
    """
    conn.execute("BEGIN IMMEDIATE")
    try:
        last = date.fromisoformat(books.get(conn, "closed_day"))
        day = through or books.business_day(conn, today or now.astimezone(books.WIB).date())
        _check_open(day, last)
        days = {
            date.fromisoformat(row["day"])
            for row in conn.execute(
                "SELECT DISTINCT day FROM line WHERE day > ? AND day <= ?",
                (last.isoformat(), day.isoformat()),
            )
        }
        ended = [made for each in sorted(days | {day}) for made in _end(conn, each)]
        books.put(conn, "closed_day", day.isoformat())
        books.correct_errors(conn, books.moment(conn, now, day + timedelta(days=1)))
    except BaseException:
        conn.execute("ROLLBACK")
        raise
    # If we die before this line no day was ended; after it, all were, and files can be written again.
    conn.execute("COMMIT")
    return ended


def _check_open(day: date, last: date) -> None:
    if day <= last:
        raise DayClosedError(day.isoformat(), last.isoformat())


def _end(conn: sqlite3.Connection, day: date) -> list[Ended]:
    made = []
    for (number,) in conn.execute(
        "SELECT number FROM account WHERE kind = 'customer' ORDER BY number"
    ).fetchall():
        last = conn.execute(
            "SELECT * FROM statement WHERE account = ? ORDER BY no DESC LIMIT 1", (number,)
        ).fetchone()
        moved = conn.execute(
            "SELECT coalesce(sum(sen), 0) FROM line WHERE account = ? AND day > ? AND day <= ?",
            (number, last["day"], day.isoformat()),
        ).fetchone()[0]
        opening = Money(last["closing_sen"])
        ended = Ended(
            number,
            last["no"] + 1,
            day,
            date.fromisoformat(last["day"]),
            opening,
            opening + Money(moved),
        )
        conn.execute(
            "INSERT INTO statement VALUES (?, ?, ?, ?, ?, ?)",
            (
                number,
                ended.no,
                day.isoformat(),
                last["day"],
                ended.opening.sen,
                ended.closing.sen,
            ),
        )
        made.append(ended)
    return made


def write_statements(
    conn: sqlite3.Connection, ended: Ended, directory: Path, now: datetime
) -> list[Path]:
    """Write one statement as MT940 and as camt.053; the paths."""
    bank = books.get(conn, "bank_code")
    entries = [
        _entry(row, bank)
        for row in conn.execute(
            "SELECT * FROM line WHERE account = ? AND day > ? AND day <= ? ORDER BY id",
            (ended.account, ended.opening_day.isoformat(), ended.day.isoformat()),
        )
    ]
    common = (ended.account, "IDR", ended.no, ended.opening, ended.opening_day, ended.day)
    directory.mkdir(parents=True, exist_ok=True)
    name = f"{ended.account}-{ended.day:%Y%m%d}"
    written = []
    for suffix, content in (
        (".sta", write_mt940(*common, [_cut(each, 16) for each in entries])),
        (
            ".xml",
            write_camt053(
                *common, [_cut(each, 35) for each in entries], created_at=now.replace(microsecond=0)
            ),
        ),
    ):
        path = directory / f"{name}{suffix}"
        path.write_bytes(content)
        written.append(path)
    return written


def _entry(row: sqlite3.Row, bank: str) -> OutgoingEntry:
    day = date.fromisoformat(row["day"])
    return OutgoingEntry(
        value_on=day,
        entry_on=day,
        amount=Money(row["sen"]),
        narrative=row["remark"],
        reference=row["reference"],
        bank_reference=books.booking_reference(bank, row["booking"]),
        transaction_code=_CODES.get(row["reason"], "NTRF"),
        reversal=row["reason"] == "correction",
    )


def _cut(entry: OutgoingEntry, characters_max: int) -> OutgoingEntry:
    """The reference as far as the format's field goes; banks cut, and don't say so."""
    reference = entry.reference or ""
    plain = "".join(each if "!" <= each <= "~" else "?" for each in reference)
    cut = plain.replace("//", "/").strip("/")[:characters_max].strip("/")
    return OutgoingEntry(
        entry.value_on,
        entry.amount,
        entry.narrative,
        None if cut in _NO_REFERENCES else cut,
        entry.bank_reference,
        entry.transaction_code,
        entry.entry_on,
        entry.reversal,
    )
