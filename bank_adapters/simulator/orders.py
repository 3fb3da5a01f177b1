"""
Orders at the served bank: taken in once, decided, written down, and answered as the script says.

Shell: functions of an open SQLite connection within the caller's transaction. An order's reference is
its own for ever: the same order again is a duplicate, another one under it inconsistent.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from bank_adapters.simulator import books
from bank_adapters.simulator.desk import SETTLED_LATER, Desk, amount_of, members_of, refusal
from bank_adapters.simulator.execution import execute, execute_late, later
from bank_adapters.simulator.faults import BEFORE
from bank_adapters.simulator.snap_bodies import Order
from bank_adapters.simulator.snap_codes import Cut, Reply, code_of, refused, reply
from bank_adapters.simulator.transfer_rules import RETRYABLE

__all__ = ["take_in", "use_external_id"]

_CUTS: Final[dict[str, Cut]] = {
    "broken_unread": "reset",
    "broken_before": "silent",
    "broken_after": "silent",
    "broken_headers": "headers",
    "broken_body": "body",
}
#: Faults that an order which is refused anyway isn't given.
_OF_ACCEPTED: Final = frozenset({"progress_success", "progress_failure", "other_amount"})


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
        return execute_late(conn, desk, known, now) or refused(order.service, "do_not_honor")
    answer = Reply(0) if fault in BEFORE else _decided(conn, desk, order, fault, now)
    if fault and (answer.http < 300 or fault not in _OF_ACCEPTED):
        books.count_fault(conn, order.reference, fault)
    return _mangled(answer, order, fault)


def _decided(
    conn: sqlite3.Connection, desk: Desk, order: Order, fault: str, now: datetime
) -> Reply:
    case = refusal(conn, desk, order, now) or ("do_not_honor" if fault == "rejected" else None)
    when = books.moment(conn, now, desk.today)
    if case in RETRYABLE:
        return refused(order.service, str(case))
    if case is not None:
        _keep(conn, desk, order, "failed", code_of(order.service, case), now)
        return refused(order.service, case)
    if fault == "timeout_late":
        _keep(conn, desk, order, "late", code_of(order.service, "timeout"), now)
        later(conn, desk, now, "execute_late", order.reference)
        return refused(order.service, "timeout")
    if order.service in SETTLED_LATER or fault in ("progress_success", "progress_failure"):
        row = _keep(conn, desk, order, "pending", code_of(order.service, "in_progress"), now)
        books.hold(conn, order.source, order.sen)
        action = "fail" if fault == "progress_failure" else "execute"
        later(conn, desk, now, action, order.reference)
        return reply(order.service, "in_progress", members_of(row))
    row = _keep(conn, desk, order, "pending", code_of(order.service, "successful"), now)
    execute(conn, desk, row, when, now)
    return reply(order.service, "successful", members_of(row))


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
            return replace(answer, body={**answer.body, "amount": amount_of(order.sen + 100)})
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
