"""
Shell: what cancelling an SP2D asks of its payments, and what it takes back.

An SP2D may be cancelled while nothing of it has left anywhere: every attempt at every payment is
certainly unpaid, that is held, recalled, or rejected and not contradicted by the bank since. What was
returned has left and come back; it is owed, and is not cancelled.

Under `on_issue` the order's journal is reversed, and so is whatever stands alone of an attempt: its
taking-back (recalled or rejected) of an order's first attempt, or the reissue of a later one; a later
attempt's reissue and taking-back undo each other. Under `on_cair` the commitment of each payee's last
attempt ends, at the bank account that it was to leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ledger.documents import disputes, payment_store
from ledger.documents.content import Content, line_totals
from ledger.documents.errors import DocumentMoveNotAllowedError
from ledger.documents.issuing import order_of
from ledger.documents.journals import retur_lines
from ledger.documents.payment_store import StoredPayment
from ledger.documents.store import Hand, StoredDocument
from ledger.journals import Draft, Line
from ledger.session import Session

__all__ = ["check_unpaid", "take_back"]

_UNPAID: Final = ("held", "recalled", "rejected")
#: What an attempt at a payment may have booked, beside the order's own journal: (name, into cash).
_OWN_JOURNALS: Final = (("reissue", False), ("recalled", True), ("rejected", True))


def check_unpaid(
    session: Session, document: StoredDocument, payments: Sequence[StoredPayment]
) -> None:
    """Raises DocumentMoveNotAllowedError naming the first attempt that may have left."""
    rejected = [payment.id for payment in payments if payment.state == "rejected"]
    conn, government = session.conn, session.government
    contradicted = disputes.contradicted(conn, government, rejected)
    contradicted |= disputes.before_recovery(conn, government, rejected)
    for payment in payments:
        if payment.state in _UNPAID and payment.id not in contradicted:
            continue
        state = f"{payment.state}, disputed" if payment.id in contradicted else payment.state
        raise DocumentMoveNotAllowedError(
            document=document.id,
            move="cancel",
            state=f"{document.state}, payment {payment.id} {state}",
            allowed=[],
        )


def take_back(
    session: Session,
    document: StoredDocument,
    content: Content,
    hands: Sequence[Hand],
    payments: Sequence[StoredPayment],
    *,
    by: str,
) -> int | None:
    """Free what the order reserved or spent; the journal that reverses the order's, if it had one."""
    if payments[0].recognition == "on_cair":
        _uncommit(session, document, content, payments)
        return None
    issued = next(hand for hand in hands if hand.move in ("sign", "import"))
    first = [payment.id for payment in payments if payment.attempt == 1]
    if issued.journal_id is None:
        raise RuntimeError(f"{document.id} was issued without its journal")
    journal = _reverse(
        session,
        document,
        reference=f"{document.id}/cancel",
        lines=order_of(session, document, content, first),
        reverses=issued.journal_id,
        by=by,
        budget_kind=document.payment_kind,
    )
    _take_attempts_back(session, document, payments, by=by)
    return journal


def _uncommit(
    session: Session,
    document: StoredDocument,
    content: Content,
    payments: Sequence[StoredPayment],
) -> None:
    totals = line_totals(content.lines)
    session.position.load_lines(totals)
    session.position.reserve(document.fiscal_year, {k: -sen for k, sen in totals.items()})
    last = {payment.payee_n: payment for payment in sorted(payments, key=lambda p: p.attempt)}
    by_account: dict[str, int] = {}
    for payment in last.values():
        account = payment.bank_account
        by_account[account] = by_account.get(account, 0) + payment.amount_sen
    for bank_account, sen in by_account.items():
        key = payment_store.cash_key(session, bank_account, document.fiscal_year)
        session.position.commit_cash(key, -sen)


def _take_attempts_back(
    session: Session, document: StoredDocument, payments: Sequence[StoredPayment], *, by: str
) -> None:
    # One that was held or recalled, the only one at its payee, has booked nothing of its own.
    last = {payment.payee_n: payment.attempt for payment in payments}
    told = [
        p
        for p in payments
        if p.state == "rejected"
        or p.attempt < last[p.payee_n]
        or (p.basis == "retur" and p.advice_list_id)
    ]
    references = [f"{p.id}/{name}" for p in told for name, _ in _OWN_JOURNALS]
    session.look_up(references)
    for payment in told:
        booked = [
            (posted, into_cash)
            for name, into_cash in _OWN_JOURNALS
            if (posted := session.posted(f"{payment.id}/{name}")) is not None
        ]
        if len(booked) != 1:
            continue
        ((posted, into_cash),) = booked
        _reverse(
            session,
            document,
            reference=f"{posted.reference}/cancel",
            lines=retur_lines(
                payment.amount_sen,
                into_cash=into_cash,
                cash_account=session.settings.bank_accounts[payment.bank_account],
                bank_account=payment.bank_account,
                reference=payment.partner_reference,
            ),
            reverses=posted.journal_id,
            by=by,
        )


def _reverse(
    session: Session,
    document: StoredDocument,
    *,
    reference: str,
    lines: Sequence[Line],
    reverses: int,
    by: str,
    budget_kind: str = "",
) -> int:
    number = document.number or document.external_number
    return session.post(
        Draft(
            reference=reference,
            effective_on=session.today,
            kind="reversal",
            description=f"Cancellation of {number}",
            lines=[line._replace(amount_sen=-line.amount_sen) for line in lines],
            maker=by,
            poster=by,
            source="document",
            document_id=document.id,
            document_no=number,
            reverses=reverses,
        ),
        budget_kind=budget_kind,
    ).journal_id
