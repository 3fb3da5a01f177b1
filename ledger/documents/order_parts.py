"""
Shell: what booking the outcomes of many payments needs of their orders, read for all of them at once.

An order's payees share its lines and deductions; a payee's part depends on the payees before it
(`withholdings`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sqlalchemy import func, select

from audit import bulk
from ledger import tables as t
from ledger.documents.content import SpendingLine
from ledger.documents.errors import UnknownDocumentError
from ledger.documents.payment_store import CHUNK, StoredPayment, chunks
from ledger.documents.store import StoredDocument
from ledger.documents.withholdings import Part, part_of
from ledger.money import sen_text
from ledger.session import Session

__all__ = ["OrderPart", "Orders", "read_orders"]

_DOCUMENT: Final = tuple(name for name in t.document.c.keys()[2:] if name != "content")
_CONTENT_AT: Final = StoredDocument._fields.index("content")


class OrderPart(NamedTuple):
    """The lines of a payment's order, its reducing deductions' accounts, and the payee's part of both."""

    lines: list[SpendingLine]
    deduction_accounts: list[str]
    part: Part


@dataclass(slots=True)
class Orders:
    """
    Of some payments: their SP2D (by its id, without content), whose data their texts are (subject of
    the payee, by payment), and the part of the order that some of them carry (by payment).
    """

    documents: dict[str, StoredDocument] = field(default_factory=dict)
    subjects: dict[str, str] = field(default_factory=dict)
    parts: dict[str, OrderPart] = field(default_factory=dict)


def read_orders(
    session: Session, payments: Collection[StoredPayment], with_part: Collection[StoredPayment]
) -> Orders:
    """Those of *payments*; the parts of *with_part*, some of them."""
    government = session.government
    documents = sorted({each.document_id for each in payments})
    carried = sorted({each.document_id for each in with_part})
    payees = sorted({(each.document_id, each.payee_n) for each in payments})
    key = ("government", "document_id")
    rows = bulk.read_all(
        session.conn,
        [
            bulk.Ask(
                t.document, ("government", "id"), _DOCUMENT, [(government, d) for d in documents]
            ),
            bulk.Ask(
                t.payee,
                (*key, "n"),
                ("subject", "gross_sen", "deduction_sen"),
                [(government, *each) for each in payees],
            ),
            bulk.Ask(
                t.document_line,
                key,
                ("n", "budget_line", "expense_account", "amount_sen"),
                [(government, d) for d in carried],
            ),
            bulk.Ask(
                t.document_deduction,
                key,
                ("n", "account", "amount_sen", "reduces_payment"),
                [(government, d) for d in carried],
            ),
        ],
    )
    found = Orders()
    for row in rows[0]:
        values = [*row[1 : _CONTENT_AT + 1], b"", *row[_CONTENT_AT + 1 :]]
        stored = StoredDocument._make(values)
        if stored.kind == "sp2d":
            found.documents[stored.id] = stored
    for payment in payments:
        if payment.document_id not in found.documents:
            raise UnknownDocumentError(document=payment.document_id[:80], kind="sp2d")
    own = {(row[1], row[2]): row[3:] for row in rows[1]}
    for payment in payments:
        found.subjects[payment.id] = str(own[payment.document_id, payment.payee_n][0])
    lines = _grouped(rows[2])
    deductions = _grouped(row for row in rows[3] if row[5])
    before = _sums_before(session, {(p.document_id, p.payee_n) for p in with_part})
    for payment in with_part:
        document, at = payment.document_id, (payment.document_id, payment.payee_n)
        spending = [
            SpendingLine(line, account, sen_text(sen)) for line, account, sen in lines[document]
        ]
        reducing = deductions.get(document, [])
        _, gross, deducted = own[at]
        gross_before, deducted_before = before.get(at, (0, 0))
        part = part_of(
            [line.amount_sen for line in spending],
            [sen for _, sen, _ in reducing],
            gross=(gross_before, int(gross or 0)),
            deducted=(deducted_before, int(deducted or 0)),
        )
        accounts = [account for account, _, _ in reducing]
        found.parts[payment.id] = OrderPart(spending, accounts, part)
    return found


def _grouped(rows: Iterable[bulk.Row]) -> dict[str, list[Any]]:
    """Values behind the number, by document, in the order of the numbers."""
    found: dict[str, list[Any]] = {}
    for row in sorted(rows, key=lambda each: (str(each[1]), int(each[2] or 0))):
        found.setdefault(str(row[1]), []).append(row[3:])
    return found


def _sums_before(
    session: Session, wanted: set[tuple[str, int]]
) -> dict[tuple[str, int], tuple[int, int]]:
    """Gross and deductions of the payees before each (document, payee); the first has none."""
    y = t.payee.c
    later = {each for each in wanted if each[1] > 1}
    found = {}
    for some in chunks(sorted({document for document, _ in later}), CHUNK):
        among = set(some)
        numbers = [n for document, n in later if document in among]
        running = (
            select(
                y.document_id,
                y.n,
                (
                    func.sum(y.gross_sen).over(partition_by=y.document_id, order_by=y.n)
                    - y.gross_sen
                ).label("gross"),
                (
                    func.sum(y.deduction_sen).over(partition_by=y.document_id, order_by=y.n)
                    - y.deduction_sen
                ).label("deducted"),
            )
            .where(
                y.government == session.government,
                y.document_id.in_(some),
                y.n <= max(numbers),
            )
            .subquery()
        )
        for document, n, gross, deducted in session.conn.execute(
            select(running).where(running.c.n >= min(numbers))
        ):
            if (document, n) in later:
                found[document, n] = (int(gross), int(deducted))
    return found
