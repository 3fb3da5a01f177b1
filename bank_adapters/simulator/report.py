"""
What the served bank really did, for tests: the truth against which a client's books are held.

Shell, read only. Executions are counted from the bookings, not from what the bank believes.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from ledger.money import sen_text

__all__ = ["report"]


def report(conn: sqlite3.Connection) -> dict[str, Any]:
    """
    Orders by reference, balances, faults given, callbacks.

    An order: service, status, amount, executions (0 or 1), returned, twins (debits that were the
    bank's mistake), corrected (how many of them were taken back). `zero_sum`: whether all balances
    together are zero; `balances_agree`: whether they are the sums of the bookings.
    """
    conn.execute("BEGIN")
    try:
        return {
            "orders": _orders(conn),
            "balances": {
                f"{row['bank']}:{row['number']}": {
                    "balance": sen_text(row["balance_sen"]),
                    "held": sen_text(row["held_sen"]),
                }
                for row in conn.execute("SELECT * FROM account WHERE kind <> 'outside'")
            },
            "zero_sum": conn.execute("SELECT sum(balance_sen) FROM account").fetchone()[0] == 0,
            "balances_agree": not _disagreeing(conn),
            "faults": dict(
                conn.execute("SELECT name, sum(given) FROM fault GROUP BY name").fetchall()
            ),
            "waiting": conn.execute("SELECT count(*) FROM later").fetchone()[0],
            "callbacks": _callbacks(conn),
            "statements": [
                {
                    "account": row["account"],
                    "no": row["no"],
                    "day": row["day"],
                    "opening": sen_text(row["opening_sen"]),
                    "closing": sen_text(row["closing_sen"]),
                }
                for row in conn.execute("SELECT * FROM statement WHERE no > 0 ORDER BY account, no")
            ],
        }
    finally:
        conn.execute("ROLLBACK")


def _orders(conn: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    counted: dict[tuple[str, str], int] = {
        (row["reference"], row["reason"]): row["times"]
        for row in conn.execute(
            "SELECT reference, reason, count(*) AS times FROM booking"
            " WHERE reference IS NOT NULL GROUP BY reference, reason"
        )
    }
    return {
        row["reference"]: {
            "service": row["service"],
            "status": row["status"],
            "amount": sen_text(row["sen"]),
            "response_code": row["response_code"],
            "executions": counted.get((row["reference"], "transfer"), 0),
            "returned": counted.get((row["reference"], "return"), 0),
            "twins": counted.get((row["reference"], "twin"), 0),
            "corrected": counted.get((row["reference"], "correction"), 0),
        }
        for row in conn.execute("SELECT * FROM transfer ORDER BY reference")
    }


def _disagreeing(conn: sqlite3.Connection) -> list[str]:
    bank = conn.execute("SELECT value FROM bank WHERE key = 'bank_code'").fetchone()[0]
    rows = conn.execute(
        "WITH moved AS (SELECT number, sum(sen) AS booked FROM (SELECT credit AS number, sen"
        " FROM booking UNION ALL SELECT debit, -sen FROM booking) GROUP BY number)"
        " SELECT number, balance_sen, coalesce(booked, 0) AS booked"
        " FROM account LEFT JOIN moved USING (number) WHERE bank = ?",
        (bank,),
    ).fetchall()
    return [row["number"] for row in rows if row["balance_sen"] != row["booked"]]


def _callbacks(conn: sqlite3.Connection) -> dict[str, int]:
    row = conn.execute(
        "SELECT count(*) AS queued, coalesce(sum(tries), 0) AS tries,"
        " count(*) FILTER (WHERE answered = 200) AS taken,"
        " count(*) FILTER (WHERE answered IS NULL) AS waiting FROM callback"
    ).fetchone()
    return {name: row[name] for name in row.keys()}  # noqa: SIM118 - a Row yields values
