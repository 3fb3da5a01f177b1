"""
What the served bank goes by, and what several of its desks need of an order.

Shell: `refusal` reads the books within the caller's transaction.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from bank_adapters.simulator import books
from bank_adapters.simulator.callbacks import STATUS_CODES
from bank_adapters.simulator.faults import NO_FAULTS, Script
from bank_adapters.simulator.snap_bodies import Order
from bank_adapters.simulator.transfer_rules import LIMITS, Limits, refusal_of
from ledger.money import sen_text

__all__ = ["SETTLED_LATER", "Desk", "amount_of", "members_of", "refusal"]

#: RTGS and SKN are taken in and settled later, with a callback.
SETTLED_LATER: Final = frozenset({"22", "23"})


@dataclass(frozen=True, slots=True)
class Desk:
    """
    What the bank goes by beside its books.

    today: stands in for the calendar's day. callbacks: whether somebody takes them. banks: whose
    accounts can be reached. page_rows: lines a page. transaction_ids: whether lines carry one.
    """

    bank_code: str
    banks: frozenset[str] = frozenset()
    limits: Limits = LIMITS
    script: Script = NO_FAULTS
    today: date | None = None
    callbacks: bool = False
    page_rows: int = 500
    transaction_ids: bool = True


def refusal(conn: sqlite3.Connection, desk: Desk, order: Order, now: datetime) -> str | None:
    """The case with which the bank refuses *order* now, None where it carries it out."""
    own = order.bank in ("", desk.bank_code)
    return refusal_of(
        order,
        books.account(conn, desk.bank_code, order.source),
        books.account(conn, desk.bank_code if own else order.bank, order.account),
        desk.limits,
        banks=desk.banks,
        at=now.astimezone(books.WIB).time(),
    )


def amount_of(sen: int) -> dict[str, str]:
    """SNAP's amount."""
    return {"value": sen_text(sen), "currency": "IDR"}


def members_of(row: Any) -> dict[str, Any]:
    """What an accepted transfer's answer carries, by service (bank notes 1.5)."""
    members = {
        "referenceNo": row["reference_no"],
        "partnerReferenceNo": row["reference"],
        "amount": amount_of(row["sen"]),
        "beneficiaryAccountNo": row["account"],
        "sourceAccountNo": row["source"],
    }
    if row["service"] != "17":
        members["beneficiaryBankCode"] = row["bank"]
        members["traceNo"] = row["reference_no"][-16:]
    if row["service"] != "18":
        members["transactionDate"] = row["transaction_date"]
        if row["customer_reference"]:
            members["customerReference"] = row["customer_reference"]
    if row["service"] in SETTLED_LATER:
        members["beneficiaryAccountName"] = row["name"]
        status, words = STATUS_CODES[row["status"]]
        members["transactionStatus"] = status
        members["transactionStatusDesc"] = words
    return members
