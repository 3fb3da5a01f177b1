"""
Shell, read only: how dispatch stands, what the bank was asked and said, and what waits for people.

The queue of what waits for people is derived, never kept: an order is in it while its state and the
answers to it say so, and leaves it by an act that changes them.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, and_, or_, select

from ledger import tables as t
from ledger.documents import dispatch_store, disputes
from ledger.documents.calls import FILE
from ledger.money import sen_text

__all__ = ["AccountState", "Attention", "answers_of", "calls_of", "list_attention", "list_state"]

PAGE_MAX = 500
#: Questions that brought no clear answer before a person is asked to look.
_TRIES = 5


class AccountState(NamedTuple):
    """What a bank account has open in the outbox, in one state."""

    bank_account: str
    paused: bool
    state: str
    payments: int


class Attention(NamedTuple):
    """
    An order that the rules leave to a person, and why.

    `reason`: contradiction (an answer disagrees with what is settled), conflict (the bank speaks of
    another amount or order), silence (asked again and again without a clear answer), no_way (nothing
    will carry it: no rail, a text that was erased), refused_again (the bank keeps doing nothing of it).
    """

    payment: str
    document: str
    bank_account: str
    amount: str
    state: str
    tries: int
    next_at: str
    reason: str


def list_state(conn: Connection, government: str) -> list[AccountState]:
    """By account and state; an account that is paused is named even where nothing waits."""
    paused = {k: v[1] for k, v in dispatch_store.paused_accounts(conn, government).items()}
    rows = [
        AccountState(account, paused.get(account, False), state, number)
        for account, state, number in dispatch_store.backlog(conn, government)
    ]
    named = {row.bank_account for row in rows}
    rows += [
        AccountState(a, True, "", 0) for a, is_so in paused.items() if is_so and a not in named
    ]
    return sorted(rows)


def list_attention(
    conn: Connection, government: str, *, after: str = "", limit: int = 100
) -> list[Attention]:
    """A page in order of references, after *after*."""
    o, p, a = t.dispatch.c, t.payment.c, t.payment_answer.c
    said = (
        select(a.payment_id)
        .where(a.government == p.government, a.payment_id == p.id)
        .correlate(t.payment)
    )
    conflict = said.where(a.meaning == "conflict").exists()
    # A conflict of an order that was settled later, by the bank's word or by two persons, has had its
    # answer.
    contradiction = disputes.is_contradicted()
    query = (
        select(
            p.id,
            p.document_id,
            p.bank_account,
            p.amount_sen,
            p.state,
            o.tries,
            o.next_at,
            conflict.label("conflict"),
            contradiction.label("contradiction"),
        )
        .select_from(
            t.dispatch.join(t.payment, and_(p.government == o.government, p.id == o.payment_id))
        )
        .where(
            o.government == government,
            o.channel != FILE,
            or_(
                contradiction,
                and_(
                    o.stage != "closed",
                    or_(
                        conflict,
                        and_(p.state.in_(("unknown", "accepted", "sent")), o.tries >= _TRIES),
                        and_(p.state == "queued", o.tries > 0),
                    ),
                ),
            ),
        )
        .order_by(p.id)
    )
    if after:
        query = query.where(p.id > after)
    found = []
    for row in conn.execute(query.limit(min(max(limit, 1), PAGE_MAX))):
        payment, document, account, sen, state, tries, next_at = tuple(row)[:7]
        found.append(
            Attention(
                payment,
                document,
                account,
                sen_text(sen),
                state,
                tries,
                next_at,
                _reason(state, bool(row.conflict), bool(row.contradiction)),
            )
        )
    return found


def _reason(state: str, conflict: bool, contradiction: bool) -> str:
    if contradiction:
        return "contradiction"
    if state == "queued":
        return "no_way"
    if conflict:
        return "conflict"
    return "refused_again" if state == "sent" else "silence"


def calls_of(conn: Connection, government: str, payment: str) -> list[dict[str, object]]:
    """The calls of the bank for a payment, in order."""
    c = t.payment_call.c
    return [
        dict(row._mapping)
        for row in conn.execute(
            select(c.n, c.external_id, c.rail, c.worker, c.due_at, c.leaf_index)
            .where(c.payment_id == payment, c.government == government)
            .order_by(c.n)
        )
    ]


def answers_of(conn: Connection, government: str, payment: str) -> list[dict[str, object]]:
    """What the bank said of them, in order; `answer_c` commits to the text that came."""
    return [
        {k: v for k, v in row._mapping.items() if k not in ("government", "payment_id")}
        for row in conn.execute(
            select(t.payment_answer)
            .where(
                t.payment_answer.c.payment_id == payment,
                t.payment_answer.c.government == government,
            )
            .order_by(t.payment_answer.c.n)
        )
    ]
