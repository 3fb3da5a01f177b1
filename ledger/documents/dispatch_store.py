"""
Shell: the outbox as rows, the calls of the bank and their answers, and where sending is stopped.

A row of the outbox is made in the transaction that signs its advice list. What a worker may read to
choose its next work stands here too; what it then does is decided again under the lock (`dispatching`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    Connection,
    Select,
    and_,
    bindparam,
    case,
    func,
    select,
    update,
)

from audit import bulk
from ledger import tables as t
from ledger.documents.calls import FILE, stage_of
from ledger.documents.errors import MayBeWithBankError
from ledger.documents.payment_store import CHUNK, StoredPayment, chunks
from ledger.session import Session

__all__ = [
    "AnswerRow",
    "Call",
    "CallRow",
    "Due",
    "Order",
    "add_answers",
    "add_calls",
    "add_orders",
    "amounts_of",
    "ask_calls",
    "ask_orders",
    "backlog",
    "calls_of",
    "channel_of_list",
    "channel_of_payment",
    "check_not_by_file",
    "find_due",
    "find_open",
    "orders_of",
    "paused_accounts",
    "schedule_all",
    "sent_days",
    "take_calls",
    "take_due",
    "take_orders",
]

_ORDER: Final = tuple(t.dispatch.c.keys())
_CALL: Final = tuple(t.payment_call.c.keys())
_ANSWER: Final = tuple(t.payment_answer.c.keys())


class Call(NamedTuple):
    """A call of the bank; *meanings* are those of its answers so far, in order."""

    n: int
    external_id: str
    rail: str
    meanings: tuple[str, ...]


class Due(NamedTuple):
    """A row of the outbox that a worker may look at. Amounts in sen."""

    payment: str
    bank_account: str
    transfer_on: str
    tries: int
    state: str
    name_c: str
    bank_code: str
    account_c: str
    amount_sen: int
    number: str


class Order(NamedTuple):
    """A row of the outbox as it decides whether the bank may be called."""

    payment: str
    channel: str
    held: bool
    transfer_on: str


class CallRow(NamedTuple):
    """A row of `payment_call` without its government."""

    payment: str
    n: int
    external_id: str
    rail: str
    worker: str
    due_at: str
    leaf_index: int


class AnswerRow(NamedTuple):
    """A row of `payment_answer` without its government."""

    payment: str
    n: int
    call_n: int
    source: str
    meaning: str
    http_status: int
    code: str
    bank_reference: str
    answer_c: str
    evidence_sha256: str
    leaf_index: int


def add_orders(
    session: Session,
    payments: Sequence[StoredPayment],
    *,
    advice_list: str,
    channel: str,
    transfer_on: str,
    leaf_index: int,
) -> None:
    """Put the payments of a list into the outbox, in the transaction that signs it."""
    bulk.insert_rows(
        session.conn,
        t.dispatch,
        _ORDER,
        [
            (
                session.government,
                payment.id,
                advice_list,
                payment.bank_account,
                channel,
                transfer_on,
                leaf_index,
                0,
                "waiting",
                0,
                "",
            )
            for payment in payments
        ],
    )


def add_calls(session: Session, rows: Sequence[CallRow]) -> None:
    """Who is about to call the bank for what."""
    bulk.insert_rows(
        session.ahead, t.payment_call, _CALL, [(session.government, *row) for row in rows]
    )


def add_answers(session: Session, rows: Sequence[AnswerRow]) -> None:
    """What was answered, with the leaves that say so."""
    bulk.insert_rows(
        session.ahead, t.payment_answer, _ANSWER, [(session.government, *row) for row in rows]
    )


def ask_calls(government: str, payments: Iterable[str]) -> tuple[bulk.Ask, bulk.Ask]:
    """The calls of payments and their answers, for `take_calls`."""
    keys: list[bulk.Row] = [(government, each) for each in dict.fromkeys(payments)]
    key = ("government", "payment_id")
    return (
        bulk.Ask(t.payment_call, key, ("n", "external_id", "rail"), keys),
        bulk.Ask(t.payment_answer, key, ("n", "call_n", "meaning"), keys),
    )


def take_calls(calls: Iterable[bulk.Row], answers: Iterable[bulk.Row]) -> dict[str, list[Call]]:
    """The calls of each payment, in order; payments without one are missing."""
    meanings: dict[tuple[bulk.Value, bulk.Value], list[str]] = {}
    for _, payment, _, call_n, meaning in sorted(answers, key=_in_order):
        meanings.setdefault((payment, call_n), []).append(str(meaning))
    found: dict[str, list[Call]] = {}
    for _, payment, n, external_id, rail in sorted(calls, key=_in_order):
        said = tuple(meanings.get((payment, n), ()))
        found.setdefault(str(payment), []).append(
            Call(int(n or 0), str(external_id), str(rail), said)
        )
    return found


def calls_of(conn: Connection, government: str, payments: Sequence[str]) -> dict[str, list[Call]]:
    """The calls of each payment, in order; payments without one are missing."""
    return take_calls(*bulk.read_all(conn, ask_calls(government, payments)))


def ask_orders(government: str, payments: Iterable[str]) -> bulk.Ask:
    """Rows of the outbox, for `take_orders`."""
    keys: list[bulk.Row] = [(government, each) for each in dict.fromkeys(payments)]
    return bulk.Ask(
        t.dispatch, ("government", "payment_id"), ("channel", "held", "transfer_on"), keys
    )


def take_orders(rows: Iterable[bulk.Row]) -> dict[str, Order]:
    """Rows of the outbox by payment; those without one are missing."""
    return {
        str(payment): Order(str(payment), str(channel), bool(held), str(transfer_on))
        for _, payment, channel, held, transfer_on in rows
    }


def orders_of(conn: Connection, government: str, payments: Sequence[str]) -> dict[str, Order]:
    """Rows of the outbox by payment; those without one are missing."""
    return take_orders(bulk.read_all(conn, [ask_orders(government, payments)])[0])


def _in_order(row: bulk.Row) -> tuple[str, int]:
    """(payment, number) of a call or an answer."""
    return str(row[1]), int(row[2] or 0)


def check_not_by_file(conn: Connection, government: str, payment: StoredPayment) -> None:
    """Raises MayBeWithBankError for a signed order that is no worker's to send."""
    if payment.state == "queued":
        order = orders_of(conn, government, [payment.id]).get(payment.id)
        if order is None or order.channel == FILE:
            raise MayBeWithBankError(payment=payment.id)


def channel_of_payment(conn: Connection, government: str, payment: str) -> str:
    """How a payment's order leaves; empty where it has no row in the outbox."""
    order = orders_of(conn, government, [payment]).get(payment)
    return order.channel if order is not None else ""


def channel_of_list(conn: Connection, government: str, advice_list: str) -> str:
    """How a signed list's orders leave; empty where it has no rows in the outbox."""
    o = t.dispatch.c
    channel = conn.execute(
        select(o.channel)
        .select_from(
            t.dispatch.join(
                t.payment,
                and_(t.payment.c.government == o.government, t.payment.c.id == o.payment_id),
            )
        )
        .where(t.payment.c.advice_list_id == advice_list, o.government == government)
        .limit(1)
    ).scalar()
    return str(channel or "")


# --- where sending is stopped ----------------------------------------------------------------------


def paused_accounts(conn: Connection, government: str) -> dict[str, tuple[int, bool]]:
    """Bank account -> (number of its last pause or resumption, whether it is paused)."""
    z = t.dispatch_pause.c
    return {
        row[0]: (row[1], bool(row[2]))
        for row in conn.execute(
            select(z.bank_account, z.n, z.paused)
            .where(z.government == government)
            .order_by(z.bank_account, z.n)
        )
    }


# --- a worker's work -------------------------------------------------------------------------------


def find_due(
    conn: Connection,
    government: str,
    *,
    bank_accounts: Iterable[str],
    now: str,
    today: str,
    states: Sequence[str],
    limit: int,
) -> list[Due]:
    """
    Orders in *states* that are due at *now* (UTC text), the oldest first.

    Held orders, paused accounts and lists whose day has not come are left out where the work is to
    send (`queued`); a payment that is under way is looked after whatever the pause.
    """
    accounts = list(bank_accounts)
    sends = "queued" in states
    if sends:
        paused = paused_accounts(conn, government)
        accounts = [each for each in accounts if not paused.get(each, (0, False))[1]]
    asked = {
        "government": government,
        "stages": sorted({stage_of(state) for state in states}),
        "states": list(states),
        "accounts": accounts,
        "now": now,
        "most": limit,
    }
    if sends:
        asked["today"] = today
    return [Due._make(row) for row in conn.execute(_due_query(sends), asked)]


@cache
def _due_query(sends: bool) -> Select[Any]:
    """What `find_due` asks; made once, because a worker asks it many times a second."""
    o, p, d = t.dispatch.c, t.payment.c, t.document.c
    query = (
        select(
            p.id,
            o.bank_account,
            o.transfer_on,
            o.tries,
            p.state,
            p.name_c,
            p.bank_code,
            p.account_c,
            p.amount_sen,
            case((d.number != "", d.number), else_=d.external_number),
        )
        .select_from(
            t.dispatch.join(
                t.payment, and_(p.government == o.government, p.id == o.payment_id)
            ).join(t.document, and_(d.government == p.government, d.id == p.document_id))
        )
        .where(
            o.government == bindparam("government"),
            o.stage.in_(bindparam("stages", expanding=True)),
            o.next_at <= bindparam("now"),
            o.channel != FILE,
            o.bank_account.in_(bindparam("accounts", expanding=True)),
            p.state.in_(bindparam("states", expanding=True)),
        )
        .order_by(o.next_at, o.payment_id)
        .limit(bindparam("most"))
    )
    return query.where(o.held == 0, o.transfer_on <= bindparam("today")) if sends else query


def take_due(conn: Connection, government: str, payment: str, *, now: str, until: str) -> bool:
    """
    Take an order's next question to the bank until *until*; False where another worker was quicker.

    In a transaction of its own: it says when to look again and nothing about money.
    """
    o = t.dispatch.c
    done = conn.execute(
        update(t.dispatch)
        .where(o.government == government, o.payment_id == payment, o.next_at <= now)
        .values(next_at=until, tries=o.tries + 1)
    )
    return bool(done.rowcount)


def schedule_all(
    conn: Connection, government: str, at: Mapping[str, str], *, count: bool = False
) -> None:
    """When a worker may look at orders again (payment -> UTC instant); *count* it as a try."""
    key = ("government", "payment_id")
    if count:
        rows: list[bulk.Row] = [(government, payment, 1) for payment in at]
        bulk.add_to_rows(conn, t.dispatch, key, ("tries",), rows)
    bulk.set_rows(
        conn,
        t.dispatch,
        key,
        ("next_at",),
        [(government, payment, instant) for payment, instant in at.items()],
    )


def sent_days(
    conn: Connection, government: str, payments: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """
    By payment: the local day it was first called for, and the instant its last call was due.

    Payments that the bank was never called for are missing.
    """
    m, c = t.payment_move.c, t.payment_call.c
    due: dict[str, str] = {}
    found: dict[str, tuple[str, str]] = {}
    for some in chunks(payments, CHUNK):
        for row in conn.execute(
            select(c.payment_id, func.max(c.due_at))
            .where(c.payment_id.in_(some), c.government == government)
            .group_by(c.payment_id)
        ):
            due[row[0]] = row[1]
        for row in conn.execute(
            select(m.payment_id, func.min(m.on_day))
            .where(m.payment_id.in_(some), m.government == government, m.state_to == "sent")
            .group_by(m.payment_id)
        ):
            if row[0] in due:
                found[row[0]] = (row[1], due[row[0]])
    return found


def find_open(conn: Connection, government: str, bank_account: str) -> dict[str, int]:
    """Amounts in sen of the payments of an account that wait for the bank's word."""
    o, p = t.dispatch.c, t.payment.c
    return {
        row[0]: row[1]
        for row in conn.execute(
            select(p.id, p.amount_sen)
            .select_from(
                t.dispatch.join(t.payment, and_(p.government == o.government, p.id == o.payment_id))
            )
            .where(
                o.government == government,
                o.stage == "asked",
                o.channel != FILE,
                o.bank_account == bank_account,
                p.state.in_(("sent", "accepted", "unknown")),
            )
        )
    }


def amounts_of(conn: Connection, government: str, payments: Sequence[str]) -> dict[str, int]:
    """Amounts in sen of payments that the bank was called for."""
    c, p = t.payment_call.c, t.payment.c
    found: dict[str, int] = {}
    for some in chunks(payments, CHUNK):
        for row in conn.execute(
            select(p.id, p.amount_sen)
            .distinct()
            .select_from(
                t.payment.join(
                    t.payment_call, and_(c.government == p.government, c.payment_id == p.id)
                )
            )
            .where(p.id.in_(some), p.government == government)
        ):
            found[row[0]] = row[1]
    return found


def backlog(conn: Connection, government: str) -> list[tuple[str, str, int]]:
    """(bank account, state, number) of everything that is open in the outbox."""
    o, p = t.dispatch.c, t.payment.c
    return [
        (row[0], row[1], row[2])
        for row in conn.execute(
            select(o.bank_account, p.state, func.count())
            .select_from(
                t.dispatch.join(t.payment, and_(p.government == o.government, p.id == o.payment_id))
            )
            .where(o.government == government, o.stage != "closed")
            .group_by(o.bank_account, p.state)
            .order_by(o.bank_account, p.state)
        )
    ]
