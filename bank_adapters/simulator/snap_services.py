"""
The services of the served bank that only look, and the token: 73, 11, 14, 15, 16, 36.

Shell: functions of an open SQLite connection within the caller's transaction, from a checked body
to a reply. Transfers are in `orders.py`.
"""

from __future__ import annotations

import secrets
import sqlite3
from datetime import datetime
from typing import Any, Final

from bank_adapters.simulator import books
from bank_adapters.simulator.callbacks import STATUS_CODES
from bank_adapters.simulator.desk import Desk, amount_of
from bank_adapters.simulator.snap_bodies import TRANSFERS
from bank_adapters.simulator.snap_codes import Reply, refused, reply

__all__ = ["account_inquiry", "balance_inquiry", "bank_statement", "issue_token", "status_inquiry"]

#: balance-inquiry's status, by ours.
_STATUSES: Final = {"active": "0001", "closed": "0002", "frozen": "0007", "dormant": "0009"}
_REPEATED_ROWS: Final = 3


def issue_token(
    conn: sqlite3.Connection, body: dict[str, Any], now: datetime, life_seconds: int
) -> Reply:
    """73: a token that lives *life_seconds*; kept, so that a restart doesn't end it."""
    if body.get("grantType") != "client_credentials":
        return refused("73", "invalid_format", "grantType")
    token = secrets.token_urlsafe(32)
    conn.execute("DELETE FROM token WHERE until <= ?", (now.timestamp(),))
    conn.execute("INSERT INTO token VALUES (?, ?)", (token, now.timestamp() + life_seconds))
    members = {
        "accessToken": token,
        "tokenType": "BearerToken",
        "expiresIn": str(life_seconds),
    }
    return reply("73", "successful", members)


def balance_inquiry(conn: sqlite3.Connection, desk: Desk, body: dict[str, Any]) -> Reply:
    """11: the customer's account: what is booked, what is held for orders under way."""
    number = body["accountNo"]
    row = conn.execute(
        "SELECT * FROM account WHERE bank = ? AND number = ? AND kind = 'customer'",
        (desk.bank_code, number),
    ).fetchone()
    if row is None:
        return refused("11", "invalid_account")
    opening = conn.execute(
        "SELECT closing_sen FROM statement WHERE account = ? ORDER BY no DESC LIMIT 1", (number,)
    ).fetchone()
    info = {
        "balanceType": "Cash",
        "amount": amount_of(row["balance_sen"]),
        "floatAmount": amount_of(0),
        "holdAmount": amount_of(row["held_sen"]),
        "availableBalance": amount_of(row["balance_sen"] - row["held_sen"]),
        "ledgerBalance": amount_of(opening["closing_sen"]),
        "currentMultilateralLimit": amount_of(0),
        "registrationStatusCode": "0001",
        "status": _STATUSES[row["status"]],
    }
    members = {"accountNo": number, "name": row["name"], "accountInfos": [info]}
    return reply("11", "successful", _referred(body, members))


def account_inquiry(
    conn: sqlite3.Connection, desk: Desk, service: str, body: dict[str, Any]
) -> Reply:
    """15 and 16: whose account it is, at this bank or at another."""
    bank = body.get("beneficiaryBankCode") or desk.bank_code
    if bank not in desk.banks:
        return refused(service, "bank_not_supported")
    number = body["beneficiaryAccountNo"]
    found = books.account(conn, bank, number)
    if found is None or found.kind == "inner":
        return refused(service, "invalid_account")
    members = {
        "beneficiaryAccountName": found.name,
        "beneficiaryAccountNo": number,
        "currency": "IDR",
    }
    if service == "15":
        members["beneficiaryAccountStatus"] = found.status
        members["beneficiaryAccountType"] = "D"
    else:
        members["beneficiaryBankCode"] = bank
    return reply(service, "successful", _referred(body, members))


def status_inquiry(conn: sqlite3.Connection, desk: Desk, body: dict[str, Any]) -> Reply:
    """36: how an order stands. One that is hidden is denied, as status 07 and as 404 by turns."""
    row = _asked_for(conn, body)
    if row is None or row["status"] == "late" or row["service"] != body["serviceCode"]:
        return refused("36", "transaction_not_found")
    reference = row["reference"]
    hidden = "status_hidden" in desk.script.fate(reference).others
    if hidden and row["asks"] < desk.script.status_asks:
        conn.execute("UPDATE transfer SET asks = asks + 1 WHERE reference = ?", (reference,))
        books.count_fault(conn, reference, "status_hidden")
        if row["asks"] % 2 == 0:
            return refused("36", "transaction_not_found")
        given = {name: value for name, value in body.items() if name.startswith("original")}
        unfound = {
            **given,
            "serviceCode": row["service"],
            "latestTransactionStatus": "07",
            "transactionStatusDesc": "not found",
        }
        return reply("36", "successful", unfound)
    status, words = STATUS_CODES[row["status"]]
    members = {
        "originalReferenceNo": row["reference_no"],
        "originalPartnerReferenceNo": reference,
        "originalExternalId": row["external_id"],
        "serviceCode": row["service"],
        "transactionDate": row["transaction_date"],
        "amount": amount_of(row["sen"]),
        "beneficiaryAccountNo": row["account"],
        "beneficiaryBankCode": row["bank"],
        "previousResponseCode": row["response_code"],
        "referenceNumber": row["reference_no"],
        "sourceAccountNo": row["source"],
        "latestTransactionStatus": status,
        "transactionStatusDesc": words,
    }
    return reply("36", "successful", members)


def _asked_for(conn: sqlite3.Connection, body: dict[str, Any]) -> sqlite3.Row | None:
    """The order that the inquiry names, by the first name that it gives."""
    if body["serviceCode"] not in TRANSFERS:
        return None
    for member, column in (
        ("originalPartnerReferenceNo", "reference"),
        ("originalReferenceNo", "reference_no"),
        ("originalExternalId", "external_id"),
    ):
        if body.get(member):
            found: sqlite3.Row | None = conn.execute(
                f"SELECT * FROM transfer WHERE {column} = ?", (body[member],)
            ).fetchone()
            return found
    return None


def bank_statement(conn: sqlite3.Connection, desk: Desk, body: dict[str, Any]) -> Reply:
    """
    14: the account's lines from one time through another, oldest first, in pages.

    Both ends are included. A page ends with the second of its last row, `lastRecordDateTime`; who
    asks again from there is given the rows of that second again. Balances and totals are the page's.
    """
    number = body["accountNo"]
    if _kind(conn, desk, number) != "customer":
        return refused("14", "invalid_account")
    since = _local(body.get("fromDateTime")) or ""
    through = _local(body.get("toDateTime")) or "9999"
    rows = conn.execute(
        "SELECT * FROM line WHERE account = ? AND at >= ? AND at <= ? ORDER BY id LIMIT ?",
        (number, since, through, desk.page_rows + 1),
    ).fetchall()
    more = len(rows) > desk.page_rows
    if more:
        rows, more = _page(conn, number, rows, through)
    goes_on = bool(rows) and rows[0]["at"] == since
    if goes_on and desk.script.repeats_page(number, since):
        books.count_fault(conn, f"{number}/{since}", "paging_repeats")
        before = conn.execute(
            "SELECT * FROM line WHERE account = ? AND id < ? ORDER BY id DESC LIMIT ?",
            (number, rows[0]["id"], _REPEATED_ROWS),
        ).fetchall()
        rows = [*reversed(before), *rows]
    members = {
        "balance": [_balance(conn, number, rows, since)],
        "totalCreditEntries": _totals([row["sen"] for row in rows if row["sen"] > 0]),
        "totalDebitEntries": _totals([-row["sen"] for row in rows if row["sen"] < 0]),
        "hasMore": "Y" if more else "N",
        "detailData": [_detail(desk, row) for row in rows],
    }
    if rows:
        members["lastRecordDateTime"] = rows[-1]["at"]
    return reply("14", "successful", _referred(body, members))


def _page(
    conn: sqlite3.Connection, number: str, rows: list[sqlite3.Row], through: str
) -> tuple[list[sqlite3.Row], bool]:
    """The page, whole to the end of a second later than its first one; whether more is left."""
    last = rows[-2]["at"]
    if last == rows[0]["at"]:
        later = conn.execute(
            "SELECT min(at) FROM line WHERE account = ? AND at > ? AND at <= ?",
            (number, last, through),
        ).fetchone()[0]
        last = later or last
    whole = conn.execute(
        "SELECT * FROM line WHERE account = ? AND at >= ? AND at <= ? ORDER BY id",
        (number, rows[0]["at"], last),
    ).fetchall()
    left = conn.execute(
        "SELECT 1 FROM line WHERE account = ? AND at > ? AND at <= ? LIMIT 1",
        (number, last, through),
    ).fetchone()
    return whole, left is not None


def _kind(conn: sqlite3.Connection, desk: Desk, number: str) -> str:
    found = books.account(conn, desk.bank_code, number)
    return "" if found is None else found.kind


def _local(text: str | None) -> str | None:
    """A time as the lines have it: WIB, to the second."""
    return datetime.fromisoformat(text).astimezone(books.WIB).isoformat() if text else None


def _balance(
    conn: sqlite3.Connection, number: str, rows: list[sqlite3.Row], since: str
) -> dict[str, Any]:
    if rows:
        starting = rows[0]["after_sen"] - rows[0]["sen"]
        ending, first, last = rows[-1]["after_sen"], rows[0]["at"], rows[-1]["at"]
    else:
        row = conn.execute(
            "SELECT after_sen, at FROM line WHERE account = ? AND (? = '' OR at < ?)"
            " ORDER BY id DESC LIMIT 1",
            (number, since, since),
        ).fetchone()
        starting = ending = row["after_sen"] if row else 0
        first = last = since or (row["at"] if row else "")
    return {
        "amount": {**amount_of(ending), "dateTime": last},
        "startingBalance": {**amount_of(starting), "dateTime": first},
        "endingBalance": {**amount_of(ending), "dateTime": last},
    }


def _totals(amounts: list[int]) -> dict[str, Any]:
    return {"numberOfEntries": str(len(amounts)), "amount": amount_of(sum(amounts))}


def _detail(desk: Desk, row: sqlite3.Row) -> dict[str, Any]:
    detail = {
        "detailBalance": {
            "startAmount": [{"amount": amount_of(row["after_sen"] - row["sen"])}],
            "endAmount": [{"amount": amount_of(row["after_sen"])}],
        },
        "amount": amount_of(abs(row["sen"])),
        "originAmount": amount_of(abs(row["sen"])),
        "transactionDate": row["at"],
        "remark": row["remark"],
        "type": "CREDIT" if row["sen"] > 0 else "DEBIT",
        # Spelt as the standard spells it.
        "transactionDetailStatus": (
            "ERROR CORECTION" if row["reason"] == "correction" else "SUCCESS"
        ),
        "detailInfo": {"referenceNo": row["reference"] or ""},
    }
    if desk.transaction_ids:
        detail["transactionId"] = books.booking_reference(desk.bank_code, row["booking"])
    return detail


def _referred(body: dict[str, Any], members: dict[str, Any]) -> dict[str, Any]:
    given = body.get("partnerReferenceNo")
    return {**({"partnerReferenceNo": given} if given else {}), **members}
