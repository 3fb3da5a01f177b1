"""
The served bank's books: bookings that take from one account what they give to another.

Shell: functions of an open SQLite connection within the caller's transaction. All balances together
are always zero; a booking that touches a customer's account leaves a line on its statement.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import Final

from bank_adapters.simulator.accounts import CLEARING, FEES, SUSPENSE, VAULT
from bank_adapters.simulator.transfer_rules import Account

__all__ = [
    "INNER",
    "WIB",
    "Moment",
    "account",
    "add_account",
    "book",
    "booking_reference",
    "business_day",
    "correct_errors",
    "count_fault",
    "get",
    "hold",
    "moment",
    "put",
]

#: Western Indonesian Time: SNAP's day, and this bank's.
WIB: Final = timezone(timedelta(hours=7))
#: The bank's own accounts, by number.
INNER: Final = (VAULT, CLEARING, FEES, SUSPENSE)


@dataclass(frozen=True, slots=True)
class Moment:
    """When something is booked: the bank's business day, and a local time on it, to the second."""

    day: date
    at: datetime


def get(conn: sqlite3.Connection, key: str) -> str:
    """A value of the bank's own, "" where there is none."""
    row = conn.execute("SELECT value FROM bank WHERE key = ?", (key,)).fetchone()
    return "" if row is None else str(row[0])


def put(conn: sqlite3.Connection, key: str, value: str) -> None:
    """Keep a value of the bank's own."""
    conn.execute("INSERT OR REPLACE INTO bank (key, value) VALUES (?, ?)", (key, value))


def business_day(conn: sqlite3.Connection, today: date) -> date:
    """The day on which the bank books: *today*, or the day after the last one that was closed."""
    closed = date.fromisoformat(get(conn, "closed_day"))
    return max(today, closed + timedelta(days=1))


def moment(conn: sqlite3.Connection, now: datetime, today: date | None = None) -> Moment:
    """
    The moment of a booking made *now*; *today* stands in for the calendar's day.

    Never before the last booking, so that a statement's lines are in their order.
    """
    local = now.astimezone(WIB).replace(microsecond=0)
    day = business_day(conn, today or local.date())
    at = datetime.combine(day, time(local.hour, local.minute, local.second), WIB)
    last = get(conn, "last_at")
    if last:
        at = max(at, datetime.fromisoformat(last))
    return Moment(at.date(), at)


def account(conn: sqlite3.Connection, bank: str, number: str) -> Account | None:
    """The account, None where the bank knows none."""
    row = conn.execute(
        "SELECT name, kind, status, balance_sen - held_sen AS available FROM account"
        " WHERE bank = ? AND number = ?",
        (bank, number),
    ).fetchone()
    if row is None:
        return None
    return Account(bank, number, row["name"], row["status"], row["kind"], row["available"])


def booking_reference(bank: str, booking: int) -> str:
    """The bank's reference of a booking, the same over SNAP and in every file."""
    return f"{bank}{booking:012d}"


def add_account(
    conn: sqlite3.Connection,
    bank: str,
    number: str,
    name: str,
    kind: str,
    status: str = "active",
) -> None:
    """Know an account; its balance begins at zero."""
    conn.execute(
        "INSERT INTO account (bank, number, name, kind, status) VALUES (?, ?, ?, ?, ?)",
        (bank, number, name, kind, status),
    )


def hold(conn: sqlite3.Connection, number: str, sen: int) -> None:
    """Set *sen* of a customer's balance aside; negative: let it go."""
    conn.execute(
        "UPDATE account SET held_sen = held_sen + ? WHERE bank = ? AND number = ?",
        (sen, get(conn, "bank_code"), number),
    )


def book(
    conn: sqlite3.Connection,
    when: Moment,
    debit: str,
    credit: str,
    sen: int,
    *,
    reason: str,
    remark: str,
    reference: str | None = None,
) -> int:
    """
    Move *sen* from account *debit* to account *credit*, both of this bank; the booking's number.

    reason: transfer, return, twin, error, correction, deposit, opening. One reference is booked
    for one reason once.
    """
    bank = get(conn, "bank_code")
    cursor = conn.execute(
        "INSERT INTO booking (day, at, debit, credit, sen, reason, reference)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (when.day.isoformat(), when.at.isoformat(), debit, credit, sen, reason, reference),
    )
    booking = int(cursor.lastrowid or 0)
    for number, signed in ((debit, -sen), (credit, sen)):
        row = conn.execute(
            "UPDATE account SET balance_sen = balance_sen + ? WHERE bank = ? AND number = ?"
            " RETURNING kind, balance_sen",
            (signed, bank, number),
        ).fetchone()
        if row["kind"] == "customer":
            conn.execute(
                "INSERT INTO line (account, day, at, sen, after_sen, booking, reason, reference,"
                " remark) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    number,
                    when.day.isoformat(),
                    when.at.isoformat(),
                    signed,
                    row["balance_sen"],
                    booking,
                    reason,
                    reference,
                    remark,
                ),
            )
    put(conn, "last_at", when.at.isoformat())
    return booking


def correct_errors(conn: sqlite3.Connection, when: Moment) -> int:
    """Take back, on a later day, every debit that was the bank's mistake; how many."""
    rows = conn.execute(
        "SELECT booking.*, line.remark FROM correction JOIN booking ON booking.id = correction.booking"
        " JOIN line ON line.booking = booking.id AND line.account = booking.debit"
        " WHERE corrected_by IS NULL AND booking.day < ? ORDER BY booking.id",
        (when.day.isoformat(),),
    ).fetchall()
    for row in rows:
        made = book(
            conn,
            when,
            row["credit"],
            row["debit"],
            row["sen"],
            reason="correction",
            remark=f"KOREKSI {row['remark']}"[:130].rstrip(),
            reference=row["reference"],
        )
        conn.execute("UPDATE correction SET corrected_by = ? WHERE booking = ?", (made, row["id"]))
    return len(rows)


def count_fault(conn: sqlite3.Connection, subject: str, name: str) -> None:
    """Write down that a fault was given."""
    conn.execute(
        "INSERT INTO fault (subject, name, given) VALUES (?, ?, 1)"
        " ON CONFLICT (subject, name) DO UPDATE SET given = given + 1",
        (subject, name),
    )
