"""
Shell: what the bank says of a payment, and the next attempt after a no.

An outcome is a fact (D8): it is booked whatever the room, by who reconciles, on the evidence it
names. What each step books is the table in `payments`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from ledger import tables as t
from ledger.answers import Idempotency
from ledger.documents import dispatch_store, payment_store, store
from ledger.documents.attempts import add_attempt, check_last
from ledger.documents.bodies import check_payee_form, check_sha256
from ledger.documents.errors import SettlingNeedsTwoPersonsError
from ledger.documents.outcome_booking import OutcomeBooking
from ledger.documents.payment_store import StoredPayment
from ledger.documents.payments import OUTCOMES, RESENDABLE, check_step, needs_two, next_basis
from ledger.documents.store import StoredDocument
from ledger.errors import FutureEffectiveDateError, InvalidFieldError
from ledger.journals import check_day, check_text
from ledger.session import Answer, Session, Wants
from ledger.settings import Settings

__all__ = [
    "RecordPayment",
    "ResendPayment",
    "check_outcome",
    "order_of_payment",
    "payment_before",
]


@dataclass(frozen=True, slots=True)
class RecordPayment:
    """
    Record what the bank did with a payment (role reconciler).

    *outcome* is sent, accepted, paid, rejected, returned, recalled or unknown; *on_day* the bank's
    day; *evidence_sha256* the digest of what says so (statement file, advice, answer of the bank).
    *effective_on* is the day it is booked, *on_day* if empty: another one where that period is
    sealed. What nobody knows, or left by the bank's interface, takes two (`settling`); one person may
    always doubt it.
    """

    by: str
    payment_reference: str
    outcome: str
    on_day: str
    evidence_sha256: str
    reason: str = ""
    effective_on: str = ""
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing that could be known before the payment is read."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        session.settings.require(self.by, "reconciler", session.today)
        check_text("reason", self.reason, most=1_000)
        check_outcome(session, self.outcome, self.on_day, self.evidence_sha256)
        payment = payment_before(session, self.payment_reference, self.outcome, stands=False)
        channel = dispatch_store.channel_of_payment(session.conn, session.government, payment.id)
        if needs_two(payment.state, self.outcome, channel):
            raise SettlingNeedsTwoPersonsError(payment=payment.id, state=payment.state)
        document = order_of_payment(session, payment)
        journal_id = OutcomeBooking(
            session, payment, document, self.outcome, self.by, self.effective_on or self.on_day
        ).book()
        reason_c = (
            session.private("reason", self.reason, subject=f"payment:{payment.id}")
            if self.reason
            else ""
        )
        leaf = session.batch.leaf(
            "payment.moved",
            self.by,
            {
                "payment": payment.id,
                "n": payment.state_n + 1,
                "from": payment.state,
                "to": self.outcome,
                "on_day": self.on_day,
                "evidence_sha256": self.evidence_sha256,
                "reason": reason_c,
                "journal": journal_id,
            },
        )
        payment_store.step_all(
            session,
            [payment],
            self.outcome,
            by=self.by,
            leaf_index=leaf,
            on_day=self.on_day,
            evidence_sha256=self.evidence_sha256,
            reason_c=reason_c,
            journals={payment.id: journal_id} if journal_id else None,
        )
        return {
            "payment": payment.id,
            "document": payment.document_id,
            "state": self.outcome,
            "journal": journal_id,
            "leaf_index": leaf,
            "batch": session.batch.seq,
            "recorded_at": session.batch.recorded_at,
        }


@dataclass(frozen=True, slots=True)
class ResendPayment:
    """
    Another attempt after a rejection or a retur (role sp2d_maker), under a new reference.

    *name*, *bank_code* and *account* correct the payee's data; all three or none. The new payment is
    held: it leaves through an advice list that two other persons sign.
    """

    by: str
    payment_reference: str
    reason: str
    name: str = ""
    bank_code: str = ""
    account: str = ""
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        session.settings.require(self.by, "sp2d_maker", session.today)
        check_text("reason", self.reason, least=1, most=1_000)
        if self.name or self.bank_code or self.account:
            check_payee_form("payee", self.name, self.bank_code, self.account)
        before = payment_store.get(session.conn, session.government, self.payment_reference)
        check_last(
            session,
            before,
            order_of_payment(session, before),
            move="resend",
            outcome="resent",
            states=RESENDABLE,
        )
        y = t.payee.c
        subject = session.conn.execute(
            select(y.subject).where(
                y.government == session.government,
                y.document_id == before.document_id,
                y.n == before.payee_n,
            )
        ).scalar_one()
        name_c, bank_code, account_c = before.name_c, before.bank_code, before.account_c
        if self.name:
            name_c = session.private("payee_name", self.name, subject=subject)
            account_c = session.private("payee_account", self.account, subject=subject)
            bank_code = self.bank_code
        reason_c = session.private("reason", self.reason, subject=f"payment:{before.id}")
        changed = before._replace(
            name_c=name_c,
            bank_code=bank_code,
            account_c=account_c,
            basis=next_basis(before.state, before.basis, before.recognition),
        )
        payment, leaf = add_attempt(
            session, before, changed, kind="payment.moved", by=self.by, reason_c=reason_c
        )
        return {
            "payment": payment.id,
            "document": payment.document_id,
            "state": "held",
            "attempt": payment.attempt,
            "leaf_index": leaf,
            "batch": session.batch.seq,
            "recorded_at": session.batch.recorded_at,
        }


def check_outcome(session: Session, outcome: str, on_day: str, evidence_sha256: str) -> None:
    """The form of a person's word on a payment. Raises InvalidFieldError, FutureEffectiveDateError."""
    check_day("on_day", on_day)
    if on_day > session.today:
        raise FutureEffectiveDateError(effective_on=on_day, today=session.today)
    check_sha256("evidence_sha256", evidence_sha256)
    if outcome not in OUTCOMES:
        raise InvalidFieldError("outcome", f"is one of {', '.join(OUTCOMES)}", outcome)


def payment_before(
    session: Session, reference: str, outcome: str, *, stands: bool
) -> StoredPayment:
    """
    The payment, where it may come to *outcome* (*stands*: or be so already).

    Raises UnknownPaymentError, PaymentMoveNotAllowedError.
    """
    payment = payment_store.get(session.conn, session.government, reference)
    check_step(payment.id, payment.state, outcome, stands=stands)
    return payment


def order_of_payment(session: Session, payment: StoredPayment) -> StoredDocument:
    """The SP2D that it is of."""
    return store.get_document(
        session.conn, session.government, payment.document_id, "sp2d", content=False
    )
