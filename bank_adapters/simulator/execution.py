"""
What becomes of an order that was taken in: executed at most once, failed, or returned, now or later.

Shell: functions of an open SQLite connection within the caller's transaction.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from bank_adapters.simulator import books
from bank_adapters.simulator.accounts import CLEARING, SUSPENSE
from bank_adapters.simulator.callbacks import announce
from bank_adapters.simulator.desk import Desk, members_of, refusal
from bank_adapters.simulator.snap_bodies import Order
from bank_adapters.simulator.snap_codes import Reply, code_of, reply

__all__ = ["do_due", "execute", "execute_late", "later"]

_RAILS: Final = {"17": "PB", "18": "TRF", "22": "RTGS", "23": "SKN"}
_NARRATIVE_MAX: Final = 130


def execute(
    conn: sqlite3.Connection, desk: Desk, row: Any, when: books.Moment, now: datetime
) -> None:
    """Book the order; from here on it is done. *row*: of `transfer`, its hold let go already."""
    reference = row["reference"]
    books.book(
        conn,
        when,
        row["source"],
        row["account"] if row["bank"] == desk.bank_code else CLEARING,
        row["sen"],
        reason="transfer",
        remark=_narrative(row),
        reference=reference,
    )
    _move(conn, reference, "done", executed_at=when.at.isoformat())
    others = desk.script.fate(reference).others
    if "returned" in others:
        books.count_fault(conn, reference, "returned")
        later(conn, desk, now, "return", reference)
    # A bank that errs still doesn't take what isn't there.
    if "twin" in others and _available(conn, desk, row["source"]) >= row["sen"]:
        books.count_fault(conn, reference, "twin")
        _err(conn, when, row["source"], row["sen"], "twin", _narrative(row), reference)
    amount = _error_sen(desk.script.seed, reference)
    if "bank_error" in others and _available(conn, desk, row["source"]) >= amount:
        books.count_fault(conn, reference, "bank_error")
        remark = f"PB OTOMATIS {int(sha256(reference.encode()).hexdigest()[:8], 16):010d}"
        _err(conn, when, row["source"], amount, "error", remark, None)


def _err(
    conn: sqlite3.Connection,
    when: books.Moment,
    source: str,
    sen: int,
    reason: str,
    remark: str,
    reference: str | None,
) -> None:
    made = books.book(
        conn, when, source, SUSPENSE, sen, reason=reason, remark=remark, reference=reference
    )
    conn.execute("INSERT INTO correction (booking) VALUES (?)", (made,))


def _error_sen(seed: int, reference: str) -> int:
    digest = sha256(f"{seed}/error/{reference}".encode()).digest()
    return (int.from_bytes(digest[:4]) % 90_000 + 1) * 1_000_00


def _available(conn: sqlite3.Connection, desk: Desk, number: str) -> int:
    found = books.account(conn, desk.bank_code, number)
    return 0 if found is None else found.available_sen


def execute_late(
    conn: sqlite3.Connection, desk: Desk, row: sqlite3.Row, now: datetime
) -> Reply | None:
    """Execute what was left lying; None where it can't be paid any more."""
    order = Order(
        row["reference"],
        row["service"],
        row["external_id"],
        row["source"],
        "" if row["service"] == "17" else row["bank"],
        row["account"],
        row["name"],
        row["sen"],
        row["remark"],
        row["customer_reference"],
        row["transaction_date"],
        row["rail"],
        row["parameters"],
    )
    case = refusal(conn, desk, order, now)
    if case is not None:
        _move(conn, order.reference, "failed", response_code=code_of(order.service, case))
        return None
    code = code_of(order.service, "successful")
    execute(conn, desk, row, books.moment(conn, now, desk.today), now)
    conn.execute(
        "UPDATE transfer SET response_code = ? WHERE reference = ?", (code, order.reference)
    )
    announce(conn, desk, order.reference, now)
    done = conn.execute("SELECT * FROM transfer WHERE reference = ?", (order.reference,)).fetchone()
    return reply(order.service, "successful", members_of(done))


def do_due(conn: sqlite3.Connection, desk: Desk, now: datetime) -> int:
    """Do what was left for later and is due; how many."""
    due = conn.execute(
        "SELECT id, action, reference FROM later WHERE due_at <= ? ORDER BY due_at, id LIMIT 500",
        (now.timestamp(),),
    ).fetchall()
    for each in due:
        row = conn.execute(
            "SELECT * FROM transfer WHERE reference = ?", (each["reference"],)
        ).fetchone()
        when = books.moment(conn, now, desk.today)
        match each["action"], row["status"]:
            case "execute_late", "late":
                execute_late(conn, desk, row, now)
            case "execute", "pending":
                books.hold(conn, row["source"], -row["sen"])
                execute(conn, desk, row, when, now)
                announce(conn, desk, row["reference"], now)
            case "fail", "pending":
                books.hold(conn, row["source"], -row["sen"])
                _move(conn, row["reference"], "failed")
                announce(conn, desk, row["reference"], now)
            case "return", "done":
                _return(conn, desk, row, when)
                announce(conn, desk, row["reference"], now)
        conn.execute("DELETE FROM later WHERE id = ?", (each["id"],))
    return len(due)


def _return(conn: sqlite3.Connection, desk: Desk, row: sqlite3.Row, when: books.Moment) -> None:
    books.book(
        conn,
        when,
        row["account"] if row["bank"] == desk.bank_code else CLEARING,
        row["source"],
        row["sen"],
        reason="return",
        remark=f"RETUR {_narrative(row)}"[:_NARRATIVE_MAX].rstrip(),
        reference=row["reference"],
    )
    _move(conn, row["reference"], "returned", returned_at=when.at.isoformat())


def _move(conn: sqlite3.Connection, reference: str, status: str, **columns: str) -> None:
    names = "".join(f", {name} = ?" for name in columns)
    conn.execute(
        f"UPDATE transfer SET status = ?{names} WHERE reference = ?",
        (status, *columns.values(), reference),
    )


def later(conn: sqlite3.Connection, desk: Desk, now: datetime, action: str, reference: str) -> None:
    due_at = (now + timedelta(milliseconds=desk.script.delay_ms)).timestamp()
    conn.execute(
        "INSERT INTO later (due_at, action, reference) VALUES (?, ?, ?)",
        (due_at, action, reference),
    )


def _narrative(row: Any) -> str:
    """The bank's own line: rail, reference, remark, payee, as ASCII and cut as banks cut."""
    rail = {"1": "ONLINE", "2": "BIFAST"}.get(row["rail"], _RAILS[row["service"]])
    text = f"{rail} {row['reference']} {row['remark']} {row['name']}"
    plain = "".join(each if " " <= each <= "~" else "?" for each in text)
    return " ".join(plain.split())[:_NARRATIVE_MAX].rstrip()
