"""
Shell: what the bank's word on a payment books. The table stands in `payments`.

An outcome is a fact (D8): it is booked whatever the room.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from ledger import tables as t
from ledger.documents import payment_store
from ledger.documents.issuing import budget_codes
from ledger.documents.journals import order_lines, retur_lines
from ledger.documents.numbers import returned_reference
from ledger.documents.order_parts import OrderPart, read_orders
from ledger.documents.payment_store import StoredPayment
from ledger.documents.store import StoredDocument
from ledger.journals import Draft, Line
from ledger.session import Session

__all__ = ["OutcomeBooking", "books_part", "committed_in"]


@dataclass(frozen=True, slots=True)
class OutcomeBooking:
    """
    How one outcome of a payment is booked: *by* whom, on which day, from which *source*.

    *part* is the payee's part of the order, where it was read already. `book` gives the journal, or
    None where the step books nothing. Raises LedgerError.
    """

    session: Session
    payment: StoredPayment
    document: StoredDocument
    outcome: str
    by: str
    effective_on: str
    part: OrderPart | None = None

    def book(self) -> int | None:
        """The table of `payments`, from paid on."""
        payment, session = self.payment, self.session
        on_cair, retur = payment.recognition == "on_cair", payment.basis == "retur"
        if self.outcome == payment.state:
            return None
        if self.outcome == "returned":
            return self._retur(
                into_cash=True, reference=returned_reference(payment.partner_reference)
            )
        if self.outcome == "rejected":
            if not on_cair:
                return self._retur(into_cash=True, reference=payment.partner_reference)
            if retur:
                key = payment_store.cash_key(
                    session, payment.bank_account, committed_in(session, payment)
                )
                session.position.commit_cash(key, -payment.amount_sen)
            return None
        if self.outcome == "paid" and (
            payment.state == "returned" or (payment.state == "rejected" and not books_part(payment))
        ):
            # What the rejection or the retur gave back, or set free, goes after all.
            return self._retur(into_cash=False, reference=payment.partner_reference)
        if self.outcome != "paid" or not on_cair:
            return None
        if not books_part(payment):
            return self._retur(
                into_cash=False,
                reference=payment.partner_reference,
                uncommits=payment.amount_sen,
            )
        return self._order_part()

    def _retur(self, *, into_cash: bool, reference: str, uncommits: int = 0) -> int:
        payment = self.payment
        lines = retur_lines(
            payment.amount_sen,
            into_cash=into_cash,
            cash_account=self.session.settings.bank_accounts[payment.bank_account],
            bank_account=payment.bank_account,
            reference=reference,
        )
        return self.session.post(self._draft(lines), uncommits=uncommits).journal_id

    def _order_part(self) -> int:
        """This payee's share of the order, in both books: reserved becomes spent."""
        session, payment, document = self.session, self.payment, self.document
        lines, deductions, part = (
            self.part or read_orders(session, [payment], [payment]).parts[payment.id]
        )
        releases: dict[str, int] = {}
        for index, sen in part.lines:
            name = lines[index].budget_line
            releases[name] = releases.get(name, 0) + sen
        made = order_lines(
            skpd=document.skpd,
            lines=lines,
            deduction_accounts=deductions,
            part=part,
            cash=[(payment.partner_reference, payment.amount_sen)],
            cash_account=session.settings.bank_accounts[payment.bank_account],
            bank_account=payment.bank_account,
            budget=budget_codes(session, releases, document.fiscal_year),
        )
        return session.post(
            self._draft(made),
            budget_kind=document.payment_kind,
            releases=releases,
            uncommits=payment.amount_sen,
        ).journal_id

    def _draft(self, lines: list[Line]) -> Draft:
        payment, document = self.payment, self.document
        number = document.number or document.external_number
        reference = f"{payment.id}/{self.outcome}"
        if self.session.posted(reference):  # it comes to this state a second time
            reference = f"{reference}/{payment.state_n + 1}"
        return Draft(
            reference=reference,
            effective_on=self.effective_on,
            kind=f"payment.{self.outcome}",
            description=f"Payment {payment.id} of SP2D {number} {self.outcome}",
            lines=lines,
            maker=self.by,
            poster=self.by,
            source="bank",
            document_id=document.id,
            document_no=number,
            is_fact=True,
        )


def books_part(payment: StoredPayment) -> bool:
    """Whether paying it books the payee's part of the order."""
    return payment.recognition == "on_cair" and payment.basis != "retur"


def committed_in(session: Session, payment: StoredPayment) -> int:
    """The year in whose chart a retur payment was committed: when its list was signed."""
    m = t.payment_move.c
    day = session.conn.execute(
        select(m.on_day).where(
            m.government == session.government,
            m.payment_id == payment.id,
            m.state_to == "queued",
        )
    ).scalar_one()
    return int(day[:4])
