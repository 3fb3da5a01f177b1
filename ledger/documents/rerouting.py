"""
Shell: orders that are called back before they left, and ordered anew, perhaps from another RKUD bank.

A government that has lost confidence in the bank of its RKUD pays what is still in its own hands from
another one. Each payment is recalled and a new attempt held in its place, under a new reference, so
the history shows both; the new one leaves by an advice list that two other persons sign.

What it books, where `recalled` alone books nothing (`cancelling` takes either back):

    recognition / basis      the old attempt                     the new attempt
    on_issue / order, retur  Dr KD (old) / Cr Utang Retur        owed: booked when its list is signed
    on_cair / order          uncommit at the old account         commit at the new account
    on_cair / retur          uncommit at the old account         committed when its list is signed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.answers import Idempotency
from ledger.documents import dispatch_store, payment_store, store
from ledger.documents.attempts import add_attempt, check_last
from ledger.documents.errors import PaymentMoveNotAllowedError
from ledger.documents.journals import retur_lines
from ledger.documents.outcome_booking import committed_in
from ledger.documents.payment_store import StoredPayment
from ledger.documents.store import StoredDocument
from ledger.errors import InvalidFieldError, UnknownBankAccountError
from ledger.journals import Draft, check_text
from ledger.session import Answer, Session, Wants
from ledger.settings import Settings

__all__ = ["REROUTED_MAX", "RecallPayment", "ReroutePayments"]

REROUTED_MAX = 1_000
#: States in which a payment has certainly not left.
UNSENT: Final = ("held", "queued", "recalled")


@dataclass(frozen=True, slots=True)
class RecallPayment:
    """
    Call a queued order back before it left (role deputy_treasurer).

    Afterwards its SP2D may be cancelled, or the payment rerouted. What has left is called back by
    asking the bank, whose answer is recorded.
    """

    by: str
    payment_reference: str
    reason: str
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        session.settings.require(self.by, "deputy_treasurer", session.today)
        check_text("reason", self.reason, least=1, most=1_000)
        payment = payment_store.get(session.conn, session.government, self.payment_reference)
        _check_unsent(payment, "recalled", ("queued",))
        dispatch_store.check_not_by_file(session.conn, session.government, payment)
        leaf = _recall(session, payment, by=self.by, reason=self.reason)
        return {
            "payment": payment.id,
            "document": payment.document_id,
            "state": "recalled",
            "leaf_index": leaf,
            "batch": session.batch.seq,
            "recorded_at": session.batch.recorded_at,
        }


@dataclass(frozen=True, slots=True)
class ReroutePayments:
    """
    Order anew, from *bank_account*, what has not left another one (role sp2d_maker).

    Whoever does it made these payments, and signs no list that they leave by (SOD-7).

    *payments* are references of payments that are held, queued or recalled; at most 1,000.
    """

    by: str
    payments: Sequence[str]
    bank_account: str
    reason: str
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        session.settings.require(self.by, "sp2d_maker", session.today)
        check_text("reason", self.reason, least=1, most=1_000)
        asked = list(dict.fromkeys(self.payments))
        if not 1 <= len(asked) <= REROUTED_MAX:
            raise InvalidFieldError("payments", f"are 1 to {REROUTED_MAX}", len(asked))
        if self.bank_account not in session.settings.bank_accounts:
            raise UnknownBankAccountError(bank_account=self.bank_account[:80])
        payments = [
            payment_store.get(session.conn, session.government, reference) for reference in asked
        ]
        documents = [self._document(session, payment) for payment in payments]
        rerouted: list[Answer] = []
        for payment, document in zip(payments, documents, strict=True):
            if payment.state != "recalled":
                _recall(session, payment, by=self.by, reason=self.reason)
            rerouted.append(self._again(session, payment, document))
        return {
            "bank_account": self.bank_account,
            "rerouted": rerouted,
            "batch": session.batch.seq,
            "recorded_at": session.batch.recorded_at,
        }

    def _document(self, session: Session, payment: StoredPayment) -> StoredDocument:
        """The payment's SP2D, where it may be ordered anew."""
        _check_unsent(payment, "rerouted", UNSENT)
        dispatch_store.check_not_by_file(session.conn, session.government, payment)
        document = store.get_document(
            session.conn, session.government, payment.document_id, "sp2d", content=False
        )
        check_last(session, payment, document, move="reroute", outcome="rerouted", states=UNSENT)
        return document

    def _again(self, session: Session, before: StoredPayment, document: StoredDocument) -> Answer:
        """The new attempt, held; what the old one had booked or committed is taken back."""
        journal = None
        if before.recognition == "on_issue":
            # An attempt at a retur that was still held is owed already: nothing was booked for it.
            if before.basis == "order" or before.advice_list_id:
                journal = self._take_back(session, before, document)
            basis = "retur"
        else:
            self._move_commitment(session, before, document)
            basis = before.basis
        reason_c = session.private("reason", self.reason, subject=f"payment:{before.id}")
        changed = before._replace(bank_account=self.bank_account, basis=basis)
        payment, leaf = add_attempt(
            session,
            before,
            changed,
            kind="payment.rerouted",
            by=self.by,
            reason_c=reason_c,
            journal=journal,
        )
        return {"payment": payment.id, "instead_of": before.id, "leaf_index": leaf}

    def _take_back(self, session: Session, before: StoredPayment, document: StoredDocument) -> int:
        """The book had let the money go; it stays in the account it was to leave."""
        number = document.number or document.external_number
        return session.post(
            Draft(
                reference=f"{before.id}/recalled",
                effective_on=session.today,
                kind="payment.recalled",
                description=f"Payment {before.id} of SP2D {number} recalled",
                lines=retur_lines(
                    before.amount_sen,
                    into_cash=True,
                    cash_account=session.settings.bank_accounts[before.bank_account],
                    bank_account=before.bank_account,
                    reference=before.partner_reference,
                ),
                maker=self.by,
                poster=self.by,
                source="document",
                document_id=document.id,
                document_no=number,
            )
        ).journal_id

    def _move_commitment(
        self, session: Session, before: StoredPayment, document: StoredDocument
    ) -> None:
        """Raises OverCashError where the new account does not hold it."""
        position, sen = session.position, before.amount_sen
        if before.basis == "retur":
            if before.advice_list_id:
                listed = committed_in(session, before)
                position.commit_cash(
                    payment_store.cash_key(session, before.bank_account, listed), -sen
                )
            return
        for bank_account, signed in ((before.bank_account, -sen), (self.bank_account, sen)):
            key = payment_store.cash_key(session, bank_account, document.fiscal_year)
            position.commit_cash(key, signed)


def _check_unsent(payment: StoredPayment, outcome: str, states: tuple[str, ...]) -> None:
    """Raises PaymentMoveNotAllowedError for what the bank may have been told of."""
    if payment.state not in states:
        raise PaymentMoveNotAllowedError(
            payment=payment.id, state=payment.state, outcome=outcome, allowed=[]
        )


def _recall(session: Session, payment: StoredPayment, *, by: str, reason: str) -> int:
    reason_c = session.private("reason", reason, subject=f"payment:{payment.id}")
    leaf = session.batch.leaf(
        "payment.moved",
        by,
        {
            "payment": payment.id,
            "n": payment.state_n + 1,
            "from": payment.state,
            "to": "recalled",
            "on_day": session.today,
            "evidence_sha256": "",
            "reason": reason_c,
            "journal": None,
        },
    )
    payment_store.step_all(
        session, [payment], "recalled", by=by, leaf_index=leaf, reason_c=reason_c
    )
    return leaf
