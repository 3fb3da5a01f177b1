"""
Shell: a person's word on a payment that nobody knows of, by two reconcilers.

    Propose(by, SettlePayment(...)) -> Confirm(by another)      leaf `payment.settled`

Whoever says that such a payment was not made lets it be paid again, so one person's word is not enough
(`payments.needs_two`). The bank's own word, by its interface or a statement, needs no second person.

They also end a contradiction: a payment stands as it is (the same state again, nothing is booked), or the
bank has paid it after all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final

from ledger.acts import Act, Done, Hands, act_leaf, insert_row
from ledger.documents import attempts, bank_outcomes, disputes, payment_store
from ledger.documents.outcome_booking import OutcomeBooking
from ledger.documents.payments import reopens
from ledger.journals import check_text
from ledger.proposals import ACTS
from ledger.session import Session

__all__ = ["SettlePayment"]

_RECONCILERS: Final = frozenset({"reconciler"})


@dataclass(frozen=True, slots=True)
class SettlePayment(Act):
    """
    What the bank did with a payment, by two reconcilers on a bank file or letter.

    to: the outcome (`payments.OUTCOMES`); on_day: the bank's day; evidence_sha256: digest of the file
    or letter that says so; effective_on: the day it is booked, `on_day` if empty. reason: a text as
    asked for, a commitment once proposed.
    """

    act: ClassVar[str] = "payment.settled"
    first: ClassVar[frozenset[str]] = _RECONCILERS
    second: ClassVar[frozenset[str]] = _RECONCILERS
    of_operator: ClassVar[bool] = False

    payment: str
    to: str
    on_day: str
    evidence_sha256: str
    reason: str
    effective_on: str = ""

    def keep(self, session: Session, hands: Hands) -> Act:  # noqa: ARG002  # the base's
        """Raises InvalidFieldError, UnknownPaymentError."""
        check_text("reason", self.reason, least=1, most=1_000)
        payment = payment_store.get(session.conn, session.government, self.payment)
        reason = session.private("reason", self.reason, subject=f"payment:{payment.id}")
        return replace(self, reason=reason)

    def check(self, session: Session, hands: Hands) -> None:
        """
        Raises:
            UnknownPaymentError, InvalidFieldError, FutureEffectiveDateError,
            PaymentMoveNotAllowedError, SettlementOutOfDateError
        """
        bank_outcomes.check_outcome(session, self.to, self.on_day, self.evidence_sha256)
        payment = bank_outcomes.payment_before(session, self.payment, self.to, stands=True)
        if payment.state == self.to:
            disputes.check_disputed(session, payment)
        elif reopens(payment.state, self.to):
            attempts.check_not_repeated(session, payment, outcome=self.to)
        if hands.confirmed_by:
            disputes.check_no_news(session, payment, hands.proposal)

    def perform(self, session: Session, hands: Hands) -> Done:
        """Leaf `payment.settled`, the settlement, the step and what it books."""
        payment = payment_store.get(session.conn, session.government, self.payment)
        document = bank_outcomes.order_of_payment(session, payment)
        effective_on = self.effective_on or self.on_day
        journal_id = OutcomeBooking(
            session, payment, document, self.to, hands.confirmed_by, effective_on
        ).book()
        leaf = act_leaf(
            session,
            self.act,
            {
                **self.content(),
                "n": payment.state_n + 1,
                "from": payment.state,
                "journal": journal_id,
            },
            hands,
        )
        insert_row(
            session,
            "payment_settlement",
            payment_id=payment.id,
            n=payment.state_n + 1,
            proposal_id=hands.proposal,
            proposed_by=hands.proposed_by,
            confirmed_by=hands.confirmed_by,
            evidence_sha256=self.evidence_sha256,
            leaf_index=leaf,
        )
        payment_store.step_all(
            session,
            [payment],
            self.to,
            by=hands.confirmed_by,
            leaf_index=leaf,
            on_day=self.on_day,
            evidence_sha256=self.evidence_sha256,
            reason_c=self.reason,
            journals={payment.id: journal_id} if journal_id else None,
        )
        return Done(
            leaf,
            {
                "payment": payment.id,
                "document": payment.document_id,
                "state": self.to,
                "journal": journal_id,
            },
        )


# Proposed and confirmed by name, like the acts that `proposals` lists itself.
ACTS[SettlePayment.act] = SettlePayment
