"""
Shell: payments as rows. Create them, step them, read them.

A payment's row exists before anything is sent to the bank (D15). Every step is a `payment_move` row
that names the leaf it came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple, TypeVar

from sqlalchemy import Connection, select, update

from audit import bulk
from ledger import tables as t
from ledger.documents.calls import stage_of
from ledger.documents.errors import UnknownPaymentError
from ledger.documents.journals import PPKD
from ledger.documents.payments import check_step
from ledger.position import BalanceKey
from ledger.session import Session

__all__ = [
    "StoredPayment",
    "cash_key",
    "chunks",
    "create",
    "find",
    "get",
    "of_document",
    "step_all",
]

T = TypeVar("T")

#: SQLite takes 32,766 parameters a statement, PostgreSQL 65,535; far below both.
CHUNK: Final = 500

_PAYMENT_COLUMNS: Final = tuple(t.payment.c.keys())
_MOVE_COLUMNS: Final = tuple(t.payment_move.c.keys())


class StoredPayment(NamedTuple):
    """A payment's row, in the order of its columns after the government."""

    id: str
    document_id: str
    payee_n: int
    attempt: int
    advice_list_id: str
    partner_reference: str
    bank_account: str
    name_c: str
    bank_code: str
    account_c: str
    amount_sen: int
    recognition: str
    basis: str
    state: str
    state_n: int


def cash_key(session: Session, bank_account: str, fiscal_year: int) -> BalanceKey:
    """The cash row of a bank account in a fiscal year's chart."""
    account = session.settings.bank_accounts[bank_account]
    return (session.settings.years[fiscal_year], PPKD, "FIN", account, bank_account, "", "")


def get(conn: Connection, government: str, reference: str) -> StoredPayment:
    """Raises UnknownPaymentError."""
    row = conn.execute(
        select(*list(t.payment.c)[1:]).where(
            t.payment.c.partner_reference == reference, t.payment.c.government == government
        )
    ).first()
    if row is None:
        raise UnknownPaymentError(payment=reference[:40])
    return StoredPayment(*row)


def find(conn: Connection, government: str, references: Sequence[str]) -> dict[str, StoredPayment]:
    """Payments by their references; unknown ones are missing."""
    p = t.payment.c
    found: dict[str, StoredPayment] = {}
    for some in chunks(list(dict.fromkeys(references)), CHUNK):
        for row in conn.execute(
            select(*list(p)[1:]).where(p.id.in_(some), p.government == government)
        ):
            found[row[0]] = StoredPayment(*row)
    return found


def of_document(conn: Connection, government: str, document: str) -> list[StoredPayment]:
    """All payments of an SP2D, by payee and attempt."""
    p = t.payment.c
    return [
        StoredPayment(*row)
        for row in conn.execute(
            select(*list(p)[1:])
            .where(p.document_id == document, p.government == government)
            .order_by(p.payee_n, p.attempt)
        )
    ]


def create(
    session: Session,
    payments: Sequence[StoredPayment],
    *,
    by: str,
    leaf_index: int,
    reason_c: str = "",
    journals: Mapping[str, int] | None = None,
) -> None:
    """Insert new payments and hold them."""
    bulk.insert_rows(
        session.conn,
        t.payment,
        _PAYMENT_COLUMNS,
        [(session.government, *payment) for payment in payments],
    )
    step_all(
        session,
        payments,
        "held",
        by=by,
        leaf_index=leaf_index,
        reason_c=reason_c,
        journals=journals,
    )


def step_all(
    session: Session,
    payments: Sequence[StoredPayment],
    target: str,
    *,
    by: str,
    leaf_index: int | Mapping[str, int],
    on_day: str = "",
    evidence_sha256: str | Mapping[str, str] = "",
    reason_c: str = "",
    journals: Mapping[str, int] | None = None,
    advice_list: str = "",
) -> None:
    """
    Move payments on, all in one way. Raises PaymentMoveNotAllowedError before anything is written.

    *leaf_index* and *evidence_sha256* are the act's, or one for each payment; *journals* names the
    journal of a payment, where its step booked one; *advice_list* is the list that takes them. Rows of
    the outbox follow (`stage_of`).
    """
    for payment in payments:
        check_step(payment.id, payment.state, target)
    by_id = journals or {}
    bulk.insert_rows(
        session.conn,
        t.payment_move,
        _MOVE_COLUMNS,
        [
            (
                session.government,
                payment.id,
                payment.state_n + 1,
                payment.state,
                target,
                by,
                on_day or session.today,
                evidence_sha256
                if isinstance(evidence_sha256, str)
                else evidence_sha256[payment.id],
                reason_c,
                by_id.get(payment.id),
                leaf_index if isinstance(leaf_index, int) else leaf_index[payment.id],
            )
            for payment in payments
        ],
    )
    p = t.payment.c
    values: dict[str, object] = {"state": target, "state_n": p.state_n + 1}
    if advice_list:
        values["advice_list_id"] = advice_list
    for some in chunks([payment.id for payment in payments], CHUNK):
        session.conn.execute(
            update(t.payment)
            .where(p.government == session.government, p.id.in_(some))
            .values(values)
        )
        if target not in ("", "held", "queued"):
            o = t.dispatch.c
            session.conn.execute(
                update(t.dispatch)
                .where(
                    o.government == session.government,
                    o.payment_id.in_(some),
                    o.stage != stage_of(target),
                )
                .values(stage=stage_of(target))
            )


def chunks(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """*items* in order, at most *size* at a time."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
