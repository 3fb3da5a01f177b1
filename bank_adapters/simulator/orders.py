"""
Orders at the served bank: taken in once, executed at most once, completed, failed or returned later.

Shell: functions of an open SQLite connection within the caller's transaction. An order's reference is
its own for ever; what the script says of it decides how the bank answers and what happens after.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from bank_adapters.simulator import books
from bank_adapters.simulator.accounts import CLEARING, SUSPENSE
from bank_adapters.simulator.callbacks import announce
from bank_adapters.simulator.faults import BEFORE, NO_FAULTS, Script
from bank_adapters.simulator.snap_bodies import Order
from bank_adapters.simulator.snap_codes import Cut, Reply, code_of, refused, reply
from bank_adapters.simulator.transfer_rules import LIMITS, RETRYABLE, Limits, refusal_of
from ledger.money import sen_text

__all__ = ["Desk", "amount_of", "do_due", "take_in", "use_external_id"]

#: RTGS and SKN are taken in and settled later, with a callback.
_SETTLED_LATER: Final = frozenset({"22", "23"})
_RAILS: Final = {"17": "PB", "18": "TRF", "22": "RTGS", "23": "SKN"}
_CUTS: Final[dict[str, Cut]] = {
    "broken_unread": "reset",
    "broken_before": "silent",
    "broken_after": "silent",
    "broken_headers": "headers",
    "broken_body": "body",
}
#: Faults that an order which is refused anyway isn't given.
_OF_ACCEPTED: Final = frozenset({"progress_success", "progress_failure", "other_amount"})
_NARRATIVE_MAX: Final = 130


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


def take_in(conn: sqlite3.Connection, desk: Desk, order: Order, now: datetime) -> Reply:
    """One call that asks for a transfer: decided, written down, and answered as the script says."""
    fate = desk.script.fate(order.reference)
    met = _count(conn, order.reference, fate.answer) if fate.answer else 0
    fault = fate.answer if met < desk.script.attempts else ""
    if fault == "broken_unread":
        books.count_fault(conn, order.reference, fault)
        return Reply(0, cut="reset")
    if not use_external_id(conn, order.external_id, now):
        return refused(order.service, "conflict")
    known = conn.execute(
        "SELECT * FROM transfer WHERE reference = ?", (order.reference,)
    ).fetchone()
    if known is not None:
        if known["parameters"] != order.parameters:
            return refused(order.service, "inconsistent")
        if known["status"] != "late":
            return refused(order.service, "duplicate")
        return _execute_late(conn, desk, known, now) or refused(order.service, "do_not_honor")
    answer = Reply(0) if fault in BEFORE else _decided(conn, desk, order, fault, now)
    if fault and (answer.http < 300 or fault not in _OF_ACCEPTED):
        books.count_fault(conn, order.reference, fault)
    return _mangled(answer, order, fault)


def _decided(
    conn: sqlite3.Connection, desk: Desk, order: Order, fault: str, now: datetime
) -> Reply:
    case = _refusal(conn, desk, order, now) or ("do_not_honor" if fault == "rejected" else None)
    when = books.moment(conn, now, desk.today)
    if case in RETRYABLE:
        return refused(order.service, str(case))
    if case is not None:
        _keep(conn, desk, order, "failed", code_of(order.service, case), now)
        return refused(order.service, case)
    if fault == "timeout_late":
        _keep(conn, desk, order, "late", code_of(order.service, "timeout"), now)
        _later(conn, desk, now, "execute_late", order.reference)
        return refused(order.service, "timeout")
    if order.service in _SETTLED_LATER or fault in ("progress_success", "progress_failure"):
        row = _keep(conn, desk, order, "pending", code_of(order.service, "in_progress"), now)
        books.hold(conn, order.source, order.sen)
        action = "fail" if fault == "progress_failure" else "execute"
        _later(conn, desk, now, action, order.reference)
        return reply(order.service, "in_progress", _members(row))
    row = _keep(conn, desk, order, "pending", code_of(order.service, "successful"), now)
    _execute(conn, desk, row, when, now)
    return reply(order.service, "successful", _members(row))


def _refusal(conn: sqlite3.Connection, desk: Desk, order: Order, now: datetime) -> str | None:
    own = order.bank in ("", desk.bank_code)
    return refusal_of(
        order,
        books.account(conn, desk.bank_code, order.source),
        books.account(conn, desk.bank_code if own else order.bank, order.account),
        desk.limits,
        banks=desk.banks,
        at=now.astimezone(books.WIB).time(),
    )


def _mangled(answer: Reply, order: Order, fault: str) -> Reply:
    """*answer* as the fault lets the caller see it."""
    match fault:
        case "timeout_before" | "timeout_after" | "timeout_late":
            return refused(order.service, "timeout")
        case "internal_before" | "internal_after":
            return refused(order.service, "internal")
        case "too_many":
            return refused(order.service, "too_many")
        case "broken_unread" | "broken_before" | "broken_after" | "broken_headers" | "broken_body":
            return replace(answer, cut=_CUTS[fault])
        case "unreadable":
            return Reply(200, raw=b"<html><body>Gateway</body></html>")
        case "foreign_service" if answer.body:
            foreign = "18" if order.service != "18" else "17"
            code = f"{answer.code[:3]}{foreign}{answer.code[5:]}"
            return replace(answer, body={**answer.body, "responseCode": code})
        case "other_amount" if "amount" in answer.body:
            other = {"value": sen_text(order.sen + 100), "currency": "IDR"}
            return replace(answer, body={**answer.body, "amount": other})
    return answer


def _keep(
    conn: sqlite3.Connection, desk: Desk, order: Order, status: str, code: str, now: datetime
) -> dict[str, Any]:
    number = int(books.get(conn, "references") or "0") + 1
    books.put(conn, "references", str(number))
    local = now.astimezone(books.WIB).replace(microsecond=0)
    row = {
        "reference": order.reference,
        "service": order.service,
        "external_id": order.external_id,
        "reference_no": f"{desk.bank_code}{local:%Y%m%d}{number:011d}",
        "source": order.source,
        "bank": order.bank or desk.bank_code,
        "account": order.account,
        "name": order.name,
        "sen": order.sen,
        "remark": order.remark,
        "customer_reference": order.customer_reference,
        "transaction_date": order.transaction_date,
        "rail": order.rail,
        "parameters": order.parameters,
        "response_code": code,
        "status": status,
        "received_at": local.isoformat(),
    }
    names = ", ".join(row)
    conn.execute(
        f"INSERT INTO transfer ({names}) VALUES ({', '.join('?' * len(row))})", tuple(row.values())
    )
    return row


def _execute(
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
        _later(conn, desk, now, "return", reference)
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


def _execute_late(
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
    case = _refusal(conn, desk, order, now)
    if case is not None:
        _move(conn, order.reference, "failed", response_code=code_of(order.service, case))
        return None
    code = code_of(order.service, "successful")
    _execute(conn, desk, row, books.moment(conn, now, desk.today), now)
    conn.execute(
        "UPDATE transfer SET response_code = ? WHERE reference = ?", (code, order.reference)
    )
    announce(conn, desk, order.reference, now)
    return reply(order.service, "successful", _members(row))


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
                _execute_late(conn, desk, row, now)
            case "execute", "pending":
                books.hold(conn, row["source"], -row["sen"])
                _execute(conn, desk, row, when, now)
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


def _later(
    conn: sqlite3.Connection, desk: Desk, now: datetime, action: str, reference: str
) -> None:
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


def amount_of(sen: int) -> dict[str, str]:
    """SNAP's amount."""
    return {"value": sen_text(sen), "currency": "IDR"}


def _members(row: Any) -> dict[str, Any]:
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
    if row["service"] in _SETTLED_LATER:
        members["beneficiaryAccountName"] = row["name"]
        members["transactionStatus"] = "03"
        members["transactionStatusDesc"] = "pending"
    return members


def use_external_id(conn: sqlite3.Connection, external_id: str, now: datetime) -> bool:
    """Use an X-EXTERNAL-ID up; False where it was used today."""
    cursor = conn.execute(
        "INSERT OR IGNORE INTO external_id (day, id) VALUES (?, ?)",
        (now.astimezone(books.WIB).date().isoformat(), external_id),
    )
    return cursor.rowcount == 1


def _count(conn: sqlite3.Connection, subject: str, name: str) -> int:
    row = conn.execute(
        "SELECT given FROM fault WHERE subject = ? AND name = ?", (subject, name)
    ).fetchone()
    return 0 if row is None else int(row[0])
