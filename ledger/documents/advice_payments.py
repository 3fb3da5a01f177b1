"""
Shell: the payments of an advice list. Which may go into one, who made them, and what signing books
for those that an earlier attempt left owed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Select, select

from ledger import tables as t
from ledger.documents import payment_store
from ledger.documents.content import AdviceContent, AdviceRow
from ledger.documents.errors import PaymentNotHeldError
from ledger.documents.journals import retur_lines
from ledger.documents.payment_store import StoredPayment
from ledger.documents.store import StoredDocument
from ledger.journals import Draft
from ledger.money import sen_text
from ledger.session import Session

__all__ = [
    "ROWS_MAX",
    "held_payments",
    "listable",
    "pay_again",
    "payment_makers",
    "payments_of",
]

ROWS_MAX: Final = 10_000


def payment_makers(session: Session, content: AdviceContent) -> list[tuple[str, str]]:
    """Who resent a payment, perhaps to another account, or imported an SP2D, in this list (SOD-7)."""
    p, m, d = t.payment.c, t.payment_move.c, t.document_move.c
    makers: dict[tuple[str, str], None] = {}
    for some in payment_store.chunks([row.payment for row in content.rows], 500):
        found = session.conn.execute(
            select(m.person_id)
            .distinct()
            .select_from(
                t.payment_move.join(
                    t.payment, (p.government == m.government) & (p.id == m.payment_id)
                )
            )
            .where(m.government == session.government, m.payment_id.in_(some))
            .where(m.n == 1, p.attempt > 1)
        )
        makers.update(dict.fromkeys(("payment resent", row[0]) for row in found))
    for some in payment_store.chunks(list(dict.fromkeys(row.sp2d for row in content.rows)), 500):
        found = session.conn.execute(
            select(d.person_id)
            .distinct()
            .where(d.government == session.government, d.document_id.in_(some))
            .where(d.move == "import")
        )
        makers.update(dict.fromkeys(("SP2D importer", row[0]) for row in found))
    return list(makers)


class _Waiting(NamedTuple):
    payment: str
    sp2d: str
    number: str
    external_number: str
    issued_on: str
    skpd: str
    name: str
    bank_code: str
    account: str
    gross_sen: int
    deduction_sen: int
    net_sen: int


def _waiting(
    session: Session, bank_account: str
) -> Select[str, str, str, str, str, str, str, str, str, int, int, int]:
    p, d, y = t.payment.c, t.document.c, t.payee.c
    return (
        select(
            p.id,
            d.id,
            d.number,
            d.external_number,
            d.issued_on,
            d.skpd,
            p.name_c,
            p.bank_code,
            p.account_c,
            y.gross_sen,
            y.deduction_sen,
            p.amount_sen,
        )
        .select_from(
            t.payment.join(
                t.document, (d.government == p.government) & (d.id == p.document_id)
            ).join(
                t.payee,
                (y.government == p.government)
                & (y.document_id == p.document_id)
                & (y.n == p.payee_n),
            )
        )
        .where(
            p.government == session.government,
            p.bank_account == bank_account,
            p.state == "held",
            d.state == "signed",
        )
    )


def listable(
    session: Session, bank_account: str, references: Sequence[str] = ()
) -> Iterable[AdviceRow]:
    """Payments that may go into a list now, oldest first."""
    query = _waiting(session, bank_account)
    p = t.payment.c
    found: list[_Waiting] = []
    if not references:
        found.extend(
            _Waiting(*row) for row in session.conn.execute(query.order_by(p.id).limit(ROWS_MAX))
        )
    for some in payment_store.chunks(references, 500):
        found.extend(_Waiting(*row) for row in session.conn.execute(query.where(p.id.in_(some))))
    for w in found:
        yield AdviceRow(
            w.payment,
            w.sp2d,
            w.number or w.external_number,
            w.issued_on,
            w.skpd,
            w.name,
            w.bank_code,
            w.account,
            sen_text(w.gross_sen),
            sen_text(w.deduction_sen),
            sen_text(w.net_sen),
        )


def payments_of(session: Session, content: AdviceContent) -> list[StoredPayment]:
    """The list's payments, in its order."""
    found = payment_store.find(
        session.conn, session.government, [row.payment for row in content.rows]
    )
    return [found[row.payment] for row in content.rows]


def held_payments(session: Session, content: AdviceContent) -> list[StoredPayment]:
    """They must all still be held, on SP2Ds that still stand. Raises PaymentNotHeldError."""
    payments = payments_of(session, content)
    for payment in payments:
        if payment.state != "held":
            raise PaymentNotHeldError(
                payment=payment.id, state=payment.state, reason="it is in another list, or gone"
            )
    d = t.document.c
    for some in payment_store.chunks(list(dict.fromkeys(p.document_id for p in payments)), 500):
        row = session.conn.execute(
            select(d.id, d.state)
            .where(d.government == session.government, d.id.in_(some), d.state != "signed")
            .order_by(d.id)
            .limit(1)
        ).first()
        if row is not None:
            payment = next(p for p in payments if p.document_id == row[0])
            raise PaymentNotHeldError(
                payment=payment.id, state=payment.state, reason=f"{row[0]} is {row[1]}"
            )
    return payments


def pay_again(
    session: Session, stored: StoredDocument, payments: Sequence[StoredPayment], *, by: str
) -> dict[str, int]:
    """
    Book (on_issue) or commit (on_cair) what is owed from an earlier attempt; journals by payment.

    Raises:
        OverCashError: The RKUD does not hold it.
    """
    journals: dict[str, int] = {}
    year = int(session.today[:4])
    for payment in payments:
        if payment.basis != "retur":
            continue
        if payment.recognition == "on_cair":
            key = payment_store.cash_key(session, payment.bank_account, year)
            session.position.commit_cash(key, payment.amount_sen)
            continue
        journals[payment.id] = session.post(
            Draft(
                reference=f"{payment.id}/reissue",
                effective_on=session.today,
                kind="payment.reissued",
                description=f"Payment {payment.id} in {stored.number}",
                lines=retur_lines(
                    payment.amount_sen,
                    into_cash=False,
                    cash_account=session.settings.bank_accounts[payment.bank_account],
                    bank_account=payment.bank_account,
                    reference=payment.partner_reference,
                ),
                maker=by,
                poster=by,
                source="document",
                document_id=payment.document_id,
                document_no=stored.number,
            )
        ).journal_id
    return journals
