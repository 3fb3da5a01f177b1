"""
Shell: issue an SP2D. Its journal or commitment, its number's payments: what signing (or importing)
does in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit.canonical import JsonInput
from ledger.documents import payment_store, store
from ledger.documents.content import Content, line_totals
from ledger.documents.journals import BudgetCode, order_lines
from ledger.documents.numbers import PAYMENT_SERIES, payment_reference
from ledger.documents.store import StoredDocument
from ledger.documents.withholdings import whole
from ledger.journals import Draft, Line
from ledger.session import Session

__all__ = ["Issued", "budget_codes", "issue", "order_of"]


@dataclass(frozen=True, slots=True)
class Issued:
    """What signing decided, before its rows are written."""

    recognition: str
    journal_id: int | None
    payments_year: int
    first: int
    count: int

    def leaf_data(self) -> dict[str, JsonInput]:
        """Payments are numbered in the order of the payees, so first and count say them all."""
        return {
            "recognition": self.recognition,
            "payments": {
                "year": self.payments_year,
                "first": self.first,
                "count": self.count,
            },
        }

    def references(self) -> list[str]:
        """One per payee."""
        return [
            payment_reference(self.payments_year, n)
            for n in range(self.first, self.first + self.count)
        ]

    def answer(self) -> dict[str, JsonInput]:
        """What the caller learns."""
        return {"journal": self.journal_id, "payments": self.references()}

    def write(
        self,
        session: Session,
        stored: StoredDocument,
        content: Content,
        leaf_index: int,
        *,
        by: str,
    ) -> None:
        """The payments, one per payee, held until a list takes them."""
        store.use_serials(session, self.payments_year, PAYMENT_SERIES, self.count)
        rows: list[payment_store.StoredPayment] = []
        for n, (reference, payee) in enumerate(
            zip(self.references(), content.payees, strict=True), start=1
        ):
            rows.append(
                payment_store.StoredPayment(
                    id=reference,
                    document_id=stored.id,
                    payee_n=n,
                    attempt=1,
                    advice_list_id="",
                    partner_reference=reference,
                    bank_account=stored.bank_account,
                    name_c=payee.name,
                    bank_code=payee.bank_code,
                    account_c=payee.account,
                    amount_sen=payee.net_sen,
                    recognition=self.recognition,
                    basis="order",
                    state="",
                    state_n=0,
                )
            )
        payment_store.create(session, rows, by=by, leaf_index=leaf_index)


def issue(
    session: Session,
    stored: StoredDocument,
    content: Content,
    *,
    by: str,
    maker: str,
    number: str,
    issued_on: str,
) -> Issued:
    """Journal or commit. The last thing that can be refused."""
    recognition = session.settings.policy("recognition", issued_on)
    year = int(session.today[:4])
    first = store.last_serial(session, year, PAYMENT_SERIES) + 1
    count = len(content.payees)
    issued = Issued(recognition, None, year, first, count)
    if recognition == "on_cair":
        session.position.commit_cash(
            payment_store.cash_key(session, stored.bank_account, stored.fiscal_year),
            stored.net_sen,
        )
        return issued
    posted = session.post(
        Draft(
            reference=f"{stored.id}/issue",
            effective_on=issued_on,
            kind="sp2d.issue",
            description=f"SP2D {number}",
            lines=order_of(session, stored, content, issued.references()),
            maker=maker,
            poster=by,
            source="document",
            document_id=stored.id,
            document_no=number,
        ),
        budget_kind=stored.payment_kind,
        releases=line_totals(content.lines),
    )
    return Issued(recognition, posted.journal_id, year, first, count)


def order_of(
    session: Session, stored: StoredDocument, content: Content, references: Sequence[str]
) -> list[Line]:
    """The lines of the whole order, one cash line per payee."""
    reducing = [d for d in content.deductions if d.reduces_payment]
    return order_lines(
        skpd=stored.skpd,
        lines=content.lines,
        deduction_accounts=[d.account for d in reducing],
        part=whole([x.amount_sen for x in content.lines], [d.amount_sen for d in reducing]),
        cash=[
            (reference, payee.net_sen)
            for reference, payee in zip(references, content.payees, strict=True)
        ],
        cash_account=session.settings.bank_accounts[stored.bank_account],
        bank_account=stored.bank_account,
        budget=budget_codes(session, line_totals(content.lines), stored.fiscal_year),
    )


def budget_codes(
    session: Session, line_ids: Mapping[str, int], fiscal_year: int
) -> dict[str, BudgetCode]:
    """Account and fund source of budget lines. Raises UnknownBudgetLineError."""
    session.position.load_lines(line_ids)
    found = {}
    for line_id in line_ids:
        line = session.position.budget_line(line_id, fiscal_year)
        found[line_id] = BudgetCode(line.account, line.fund_source)
    return found
