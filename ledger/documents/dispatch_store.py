"""
Shell: the outbox as rows, the calls of the bank and their answers, and where sending is stopped.

A row of the outbox is made in the transaction that signs its advice list. What a worker may read to
choose its next work stands here too; what it then does is decided again under the lock (`dispatching`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, and_, case, func, select, update

from audit import bulk
from ledger import tables as t
from ledger.documents.calls import CONTRADICTIONS, FILE, stage_of
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
    "backlog",
    "calls_of",
    "channel_of_list",
    "channel_of_payment",
    "check_not_by_file",
    "contradicted",
    "find_due",
    "find_open",
    "is_paused",
    "orders_of",
    "paused_accounts",
    "payee_subjects",
    "schedule_all",
    "sent_days",
    "take_due",
]

_ORDER: Final = tuple(t.dispatch.c.keys())
_CALL: Final = tuple(t.payment_call.c.keys())
_ANSWER: Final = tuple(t.payment_answer.c.keys())


class Call(NamedTuple):
    """A call of the bank; *meanings* are those of its answers so far, in order."""

    n: int
    external_id: str
    rail: str
    worker: str
    due_at: str
    meanings: tuple[str, ...]


class Due(NamedTuple):
    """A row of the outbox that a worker may look at. Amounts in sen."""

    payment: str
    advice_list: str
    bank_account: str
    transfer_on: str
    tries: int
    state: str
    document: str
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
        session.conn, t.payment_call, _CALL, [(session.government, *row) for row in rows]
    )


def add_answers(session: Session, rows: Sequence[AnswerRow]) -> None:
    """What was answered, with the leaves that say so."""
    bulk.insert_rows(
        session.conn, t.payment_answer, _ANSWER, [(session.government, *row) for row in rows]
    )


def calls_of(conn: Connection, government: str, payments: Sequence[str]) -> dict[str, list[Call]]:
    """The calls of each payment, in order; payments without one are missing."""
    c, a = t.payment_call.c, t.payment_answer.c
    answers: dict[tuple[str, int], list[str]] = {}
    calls: dict[str, list[Call]] = {}
    for some in chunks(payments, CHUNK):
        for row in conn.execute(
            select(a.payment_id, a.call_n, a.meaning)
            .where(a.payment_id.in_(some), a.government == government)
            .order_by(a.payment_id, a.n)
        ):
            answers.setdefault((row[0], row[1]), []).append(row[2])
        for payment, n, external_id, rail, worker, due_at in conn.execute(
            select(c.payment_id, c.n, c.external_id, c.rail, c.worker, c.due_at)
            .where(c.payment_id.in_(some), c.government == government)
            .order_by(c.payment_id, c.n)
        ):
            meanings = tuple(answers.get((payment, n), ()))
            calls.setdefault(payment, []).append(
                Call(n, external_id, rail, worker, due_at, meanings)
            )
    return calls


def orders_of(conn: Connection, government: str, payments: Sequence[str]) -> dict[str, Order]:
    """Rows of the outbox by payment; those without one are missing."""
    o = t.dispatch.c
    found: dict[str, Order] = {}
    for some in chunks(payments, CHUNK):
        for row in conn.execute(
            select(o.payment_id, o.channel, o.held, o.transfer_on).where(
                o.payment_id.in_(some), o.government == government
            )
        ):
            found[row[0]] = Order(row[0], row[1], bool(row[2]), row[3])
    return found


def check_not_by_file(conn: Connection, government: str, payment: StoredPayment) -> None:
    """Raises MayBeWithBankError for a signed order that is no worker's to send."""
    if payment.state == "queued":
        order = orders_of(conn, government, [payment.id]).get(payment.id)
        if order is None or order.channel == FILE:
            raise MayBeWithBankError(payment=payment.id)


def contradicted(conn: Connection, government: str, payments: Sequence[str]) -> set[str]:
    """Those of *rejected* payments that the bank has said something else of since."""
    a, m = t.payment_answer.c, t.payment_move.c
    found: set[str] = set()
    for some in chunks(payments, CHUNK):
        settled = (
            select(m.payment_id, func.max(m.leaf_index).label("leaf_index"))
            .where(m.payment_id.in_(some), m.government == government)
            .group_by(m.payment_id)
            .subquery()
        )
        found |= set(
            conn.execute(
                select(a.payment_id).where(
                    a.payment_id == settled.c.payment_id,
                    a.government == government,
                    a.leaf_index > settled.c.leaf_index,
                    a.meaning.in_(CONTRADICTIONS),
                )
            ).scalars()
        )
    return found


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


def payee_subjects(conn: Connection, government: str, payments: Sequence[str]) -> dict[str, str]:
    """Whose personal data a payment's texts are: the subject of its payee."""
    p, y = t.payment.c, t.payee.c
    found: dict[str, str] = {}
    for some in chunks(payments, CHUNK):
        for row in conn.execute(
            select(p.id, y.subject)
            .select_from(
                t.payment.join(
                    t.payee,
                    and_(
                        y.government == p.government,
                        y.document_id == p.document_id,
                        y.n == p.payee_n,
                    ),
                )
            )
            .where(p.id.in_(some), p.government == government)
        ):
            found[row[0]] = row[1]
    return found


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


def is_paused(conn: Connection, government: str, bank_account: str) -> bool:
    """Whether nothing is sent through this bank account now."""
    return paused_accounts(conn, government).get(bank_account, (0, False))[1]


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
    o, p, d = t.dispatch.c, t.payment.c, t.document.c
    accounts = list(bank_accounts)
    if "queued" in states:
        paused = paused_accounts(conn, government)
        accounts = [each for each in accounts if not paused.get(each, (0, False))[1]]
    query = (
        select(
            p.id,
            o.advice_list_id,
            o.bank_account,
            o.transfer_on,
            o.tries,
            p.state,
            p.document_id,
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
            o.government == government,
            o.stage.in_({stage_of(state) for state in states}),
            o.next_at <= now,
            o.channel != "file",
            o.bank_account.in_(accounts),
            p.state.in_(states),
        )
        .order_by(o.next_at, o.payment_id)
        .limit(limit)
    )
    if "queued" in states:
        query = query.where(o.held == 0, o.transfer_on <= today)
    return [Due._make(row) for row in conn.execute(query)]


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
    o = t.dispatch.c
    by_instant: dict[str, list[str]] = {}
    for payment, instant in at.items():
        by_instant.setdefault(instant, []).append(payment)
    for instant, payments in by_instant.items():
        for some in chunks(payments, CHUNK):
            conn.execute(
                update(t.dispatch)
                .where(o.government == government, o.payment_id.in_(some))
                .values(next_at=instant, tries=o.tries + int(count))
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
                o.channel != "file",
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
