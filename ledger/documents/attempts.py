"""Shell: another attempt at a payment. When there may be one, and the leaf and rows that make it."""

from __future__ import annotations

from sqlalchemy import select

from audit.canonical import JsonInput
from ledger import tables as t
from ledger.documents import disputes, payment_store, store
from ledger.documents.errors import DocumentMoveNotAllowedError, PaymentMoveNotAllowedError
from ledger.documents.numbers import PAYMENT_SERIES, payment_reference
from ledger.documents.payment_store import StoredPayment
from ledger.documents.payments import RESENDABLE
from ledger.documents.store import StoredDocument
from ledger.session import Session

__all__ = ["add_attempt", "check_last", "check_not_repeated"]


def check_last(
    session: Session,
    before: StoredPayment,
    document: StoredDocument,
    *,
    move: str,
    outcome: str,
    states: tuple[str, ...],
) -> None:
    """
    The SP2D stands, *before* is in one of *states* and its payee's last attempt.

    Raises DocumentMoveNotAllowedError, PaymentMoveNotAllowedError (naming *move* and *outcome*).
    """
    if document.state != "signed":
        raise DocumentMoveNotAllowedError(
            document=document.id, move=move, state=document.state, allowed=[]
        )
    later = _later(session, before)
    state = f"{before.state}, resent as {later}" if later else before.state
    # Whoever paid it again on the bank's first word would pay it twice if the second is true.
    if state in RESENDABLE and (why := disputes.reason(session, before)):
        state = f"{state}, {why}"
    if state not in states:
        raise PaymentMoveNotAllowedError(
            payment=before.id,
            state=state,
            outcome=outcome,
            allowed=[],
        )


def check_not_repeated(session: Session, payment: StoredPayment, *, outcome: str) -> None:
    """It is its payee's last attempt. Raises PaymentMoveNotAllowedError."""
    if later := _later(session, payment):
        raise PaymentMoveNotAllowedError(
            payment=payment.id,
            state=f"{payment.state}, resent as {later}",
            outcome=outcome,
            allowed=[],
        )


def _later(session: Session, payment: StoredPayment) -> str:
    """The attempt after this one, "" where there is none."""
    p = t.payment.c
    found = session.conn.execute(
        select(p.id)
        .where(
            p.document_id == payment.document_id,
            p.payee_n == payment.payee_n,
            p.attempt > payment.attempt,
            p.government == session.government,
        )
        .order_by(p.attempt)
    ).scalar()
    return str(found or "")


def add_attempt(
    session: Session,
    before: StoredPayment,
    changed: StoredPayment,
    *,
    kind: str,
    by: str,
    reason_c: str,
    journal: int | None = None,
) -> tuple[StoredPayment, int]:
    """
    The next attempt after *before*, held under a new reference, and the leaf of *kind* that made it.

    *changed* is *before* with what is another now: payee's data, bank account or basis.
    """
    year = int(session.today[:4])
    serial = store.last_serial(session, year, PAYMENT_SERIES) + 1
    reference = payment_reference(year, serial)
    payment = changed._replace(
        id=reference,
        partner_reference=reference,
        attempt=before.attempt + 1,
        advice_list_id="",
        state="",
        state_n=0,
    )
    is_rerouted = kind == "payment.rerouted"
    rerouted: dict[str, JsonInput] = {"bank_account": payment.bank_account} if is_rerouted else {}
    leaf = session.batch.leaf(
        kind,
        by,
        {
            "payment": payment.id,
            "n": 1,
            "from": "",
            "to": "held",
            "on_day": session.today,
            "evidence_sha256": "",
            "reason": reason_c,
            "journal": journal,
            "resends": before.id,
            "attempt": payment.attempt,
            "year": year,
            "serial": serial,
            "name": payment.name_c,
            "bank_code": payment.bank_code,
            "account": payment.account_c,
            "basis": payment.basis,
            **rerouted,
        },
    )
    store.use_serials(session, year, PAYMENT_SERIES, 1)
    payment_store.create(
        session,
        [payment],
        by=by,
        leaf_index=leaf,
        reason_c=reason_c,
        journals={payment.id: journal} if journal else None,
    )
    return payment, leaf
