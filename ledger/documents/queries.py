"""
Shell, read only: documents, their moves and payments, what waits, and what an officer has to sign.

Lists are pages in order of the documents' ids, which is the order they were taken in; `after` is the
last id of the page before. Personal texts come only where a function is asked for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from audit.database import log_edge
from ledger import tables as t
from ledger.documents import store
from ledger.documents.advice_list import advice_to_sign
from ledger.documents.content import AdviceContent, Content, read_advice, read_content
from ledger.documents.errors import UnknownDocumentError
from ledger.documents.moves import MOVES, allowed_moves
from ledger.documents.payment_store import StoredPayment, of_document
from ledger.documents.payments import bank_status
from ledger.documents.signing import ToSign

__all__ = [
    "DocumentMove",
    "DocumentSummary",
    "DocumentView",
    "OutstandingSp2d",
    "get_document",
    "list_documents",
    "list_payments",
    "outstanding_sp2d",
    "payment_moves",
    "private_texts",
    "to_sign",
]

PAGE_MAX: Final = 500


class DocumentSummary(NamedTuple):
    """A document in a list. Amounts in sen; `bank_status` is empty but for an issued SP2D."""

    id: str
    kind: str
    number: str
    external_number: str
    origin: str
    fiscal_year: int
    skpd: str
    payment_kind: str
    bank_account: str
    parent_id: str
    dated_on: str
    issued_on: str
    gross_sen: int
    deduction_sen: int
    net_sen: int
    revision: str
    state: str
    state_n: int
    bank_status: str


class DocumentMove(NamedTuple):
    """A move of a document. `checks` is what the rules found, `reason` a commitment."""

    n: int
    move: str
    state_from: str
    state_to: str
    person: str
    role: str
    hand: str
    on_day: str
    reason: str
    checks: Any
    signed: bool
    journal_id: int | None
    leaf_index: int


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document with everything that belongs to it."""

    summary: DocumentSummary
    content: Content | AdviceContent
    moves: Sequence[DocumentMove]
    payments: Sequence[StoredPayment]
    allowed: Sequence[str]


class OutstandingSp2d(NamedTuple):
    """A payment that was ordered and is not done: issued, not paid (domain reference, report 11)."""

    document: str
    number: str
    issued_on: str
    skpd: str
    payment: str
    advice_list: str
    bank_account: str
    amount_sen: int
    state: str


_SUMMARY: Final = (
    t.document.c.id,
    t.document.c.kind,
    t.document.c.number,
    t.document.c.external_number,
    t.document.c.origin,
    t.document.c.fiscal_year,
    t.document.c.skpd,
    t.document.c.payment_kind,
    t.document.c.bank_account,
    t.document.c.parent_id,
    t.document.c.dated_on,
    t.document.c.issued_on,
    t.document.c.gross_sen,
    t.document.c.deduction_sen,
    t.document.c.net_sen,
    t.document.c.revision,
    t.document.c.state,
    t.document.c.state_n,
)


def get_document(conn: Connection, government: str, document: str) -> DocumentView:
    """One document of any kind. Raises UnknownDocumentError."""
    d = t.document.c
    row = conn.execute(
        select(*_SUMMARY, d.content).where(d.government == government, d.id == document)
    ).first()
    if row is None:
        raise UnknownDocumentError(document=document[:80], kind="document")
    columns, data = tuple(row)[:-1], bytes(row[-1])
    payments = of_document(conn, government, document)
    summary = _summary(columns, _status(payments) if payments else "")
    read = read_advice if summary.kind == "advice_list" else read_content
    return DocumentView(
        summary=summary,
        content=read(data),
        moves=_moves(conn, government, document),
        payments=payments,
        allowed=allowed_moves(summary.kind, summary.state, summary.origin),
    )


def list_documents(
    conn: Connection,
    government: str,
    *,
    kind: str = "",
    state: str = "",
    skpd: str = "",
    parent: str = "",
    after: str = "",
    limit: int = 100,
) -> list[DocumentSummary]:
    """A page of at most 500 documents after the id *after*; empty filters let everything through."""
    d = t.document.c
    query = select(*_SUMMARY).where(d.government == government)
    for column, value in (
        (d.kind, kind),
        (d.state, state),
        (d.skpd, skpd),
        (d.parent_id, parent),
    ):
        if value:
            query = query.where(column == value)
    if after:
        query = query.where(d.id > after)
    rows = list(conn.execute(query.order_by(d.id).limit(min(max(limit, 1), PAGE_MAX))))
    statuses = _statuses(conn, government, [row.id for row in rows if row.kind == "sp2d"])
    return [_summary(tuple(row), statuses.get(row.id, "")) for row in rows]


def list_payments(
    conn: Connection,
    government: str,
    *,
    document: str = "",
    advice_list: str = "",
    state: str = "",
    after: str = "",
    limit: int = 100,
) -> list[StoredPayment]:
    """A page of payments in order of their references."""
    p = t.payment.c
    query = select(*list(p)[1:]).where(p.government == government)
    for column, value in (
        (p.document_id, document),
        (p.advice_list_id, advice_list),
        (p.state, state),
    ):
        if value:
            query = query.where(column == value)
    if after:
        query = query.where(p.id > after)
    found = conn.execute(query.order_by(p.id).limit(min(max(limit, 1), PAGE_MAX)))
    return [StoredPayment(*row) for row in found]


def payment_moves(conn: Connection, government: str, payment: str) -> list[dict[str, object]]:
    """The steps of a payment, in order, as rows of `payment_move`."""
    m = t.payment_move.c
    return [
        dict(row._mapping)
        for row in conn.execute(
            select(t.payment_move)
            .where(m.government == government, m.payment_id == payment)
            .order_by(m.n)
        )
    ]


def outstanding_sp2d(
    conn: Connection, government: str, *, bank_account: str = "", after: str = "", limit: int = 500
) -> list[OutstandingSp2d]:
    """
    Payments of standing SP2Ds that the bank has not made, by reference: a page after *after*.

    A rejected or returned payment stands in it until it is sent again, then the new one does.
    """
    p, d = t.payment.c, t.document.c
    later = t.payment.alias("later")
    resent = (
        select(later.c.id)
        .where(
            later.c.government == p.government,
            later.c.document_id == p.document_id,
            later.c.payee_n == p.payee_n,
            later.c.attempt > p.attempt,
        )
        .exists()
    )
    query = (
        select(
            d.id,
            d.number,
            d.external_number,
            d.issued_on,
            d.skpd,
            p.id,
            p.advice_list_id,
            p.bank_account,
            p.amount_sen,
            p.state,
        )
        .select_from(
            t.payment.join(t.document, (d.government == p.government) & (d.id == p.document_id))
        )
        .where(p.government == government, p.state.not_in(("paid", "cancelled")), ~resent)
    )
    if bank_account:
        query = query.where(p.bank_account == bank_account)
    if after:
        query = query.where(p.id > after)
    return [
        OutstandingSp2d._make((row[0], row[1] or row[2], *tuple(row)[3:]))
        for row in conn.execute(query.order_by(p.id).limit(limit))
    ]


def to_sign(conn: Connection, government: str, document: str, act: str) -> ToSign:
    """
    What an officer's statement must say for *act* (`spm.sign`, `sp2d.verify`, `sp2d.sign`,
    `advice_list.verify`, `advice_list.sign`).

    Raises:
        UnknownDocumentError: No such document of the kind that the act names.
    """
    kind, _, _ = act.partition(".")
    role = next((m.roles[0] for m in MOVES if m.act == act and m.signs), "")
    if not role:
        raise UnknownDocumentError(document=document[:80], kind=act[:40])
    stored = store.get_document(conn, government, document, kind)
    origin = conn.execute(
        select(log_edge.c.origin).where(log_edge.c.government == government)
    ).scalar_one()
    if kind == "advice_list":
        return advice_to_sign(
            read_advice(stored.content),
            origin=origin,
            act=act,
            document=stored.id,
            revision=stored.revision,
            role=role,
        )
    return store.to_sign(
        origin=origin,
        act=act,
        document=stored.id,
        revision=stored.revision,
        role=role,
        content=store.content_of(stored),
    )


def private_texts(conn: Connection, government: str, commitments: Sequence[str]) -> dict[str, str]:
    """Texts behind commitments, for who may see them; erased ones are missing."""
    return store.stored_texts(conn, government, commitments)


def _summary(columns: tuple[object, ...], status: str) -> DocumentSummary:
    return DocumentSummary._make((*columns, status))


def _moves(conn: Connection, government: str, document: str) -> list[DocumentMove]:
    m = t.document_move.c
    return [
        DocumentMove(
            row.n,
            row.move,
            row.state_from,
            row.state_to,
            row.person_id,
            row.role,
            row.hand,
            row.on_day,
            row.reason_c,
            msgspec.json.decode(bytes(row.checks)) if row.checks else [],
            bool(row.envelope),
            row.journal_id,
            row.leaf_index,
        )
        for row in conn.execute(
            select(t.document_move)
            .where(m.government == government, m.document_id == document)
            .order_by(m.n)
        )
    ]


def _status(payments: Sequence[StoredPayment]) -> str:
    return bank_status((p.payee_n, p.attempt, p.state) for p in payments)


def _statuses(conn: Connection, government: str, documents: Sequence[str]) -> dict[str, str]:
    """Bank status of issued SP2Ds, in one read."""
    p = t.payment.c
    by_document: dict[str, list[tuple[int, int, str]]] = {}
    if documents:
        for row in conn.execute(
            select(p.document_id, p.payee_n, p.attempt, p.state).where(
                p.document_id.in_(documents), p.government == government
            )
        ):
            by_document.setdefault(row[0], []).append((row[1], row[2], row[3]))
    return {document: bank_status(found) for document, found in by_document.items()}
