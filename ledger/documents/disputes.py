"""
Shell, read only: settled payments that may not be what they stand as, and what two persons saw of one.

The bank has disagreed since the last step (`calls.disputes`), or acts were lost that may have gone on
from there. Two reconcilers look (`settling`) before anybody pays it again.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select, true

from audit.database import log_shard
from ledger import tables as t
from ledger.documents.calls import CONTRADICTIONS, DENIALS
from ledger.documents.errors import PaymentMoveNotAllowedError, SettlementOutOfDateError
from ledger.documents.payment_store import CHUNK, StoredPayment, chunks
from ledger.documents.payments import RESENDABLE
from ledger.session import Session

__all__ = [
    "before_recovery",
    "check_disputed",
    "check_no_news",
    "contradicted",
    "is_contradicted",
    "reason",
]


def is_contradicted() -> ColumnElement[bool]:
    """Whether the bank has disputed a row of `payment` since its last step: `calls.disputes` as SQL."""
    p, m = t.payment.c, t.payment_move.c
    settled = (
        select(m.leaf_index)
        .where(m.government == p.government, m.payment_id == p.id, m.n == p.state_n)
        .correlate(t.payment)
        .scalar_subquery()
    )

    def said(meanings: Sequence[str], *since: ColumnElement[bool]) -> ColumnElement[bool]:
        a = t.payment_answer.c
        return (
            exists()
            .where(
                a.government == p.government, a.payment_id == p.id, a.meaning.in_(meanings), *since
            )
            .correlate(t.payment)
        )

    return or_(
        *(
            and_(
                p.state == state,
                said(meanings, t.payment_answer.c.leaf_index > settled),
                said(DENIALS) if state == "returned" else true(),
            )
            for state, meanings in CONTRADICTIONS.items()
        )
    )


def contradicted(conn: Connection, government: str, payments: Sequence[str]) -> set[str]:
    """Those of *payments* that the bank has disputed since they were settled."""
    p = t.payment.c
    found: set[str] = set()
    for some in chunks(payments, CHUNK):
        query = select(p.id).where(p.government == government, p.id.in_(some), is_contradicted())
        found |= set(conn.execute(query).scalars())
    return found


def before_recovery(conn: Connection, government: str, payments: Sequence[str]) -> set[str]:
    """Those whose last step is older than the shard of the log: lost acts may have gone on with them."""
    begun = conn.execute(
        select(func.max(log_shard.c.base)).where(
            log_shard.c.government == government, log_shard.c.n > 1
        )
    ).scalar()
    if begun is None:
        return set()
    m = t.payment_move.c
    found: set[str] = set()
    for some in chunks(payments, CHUNK):
        found |= set(
            conn.execute(
                select(m.payment_id)
                .where(m.payment_id.in_(some), m.government == government)
                .group_by(m.payment_id)
                .having(func.max(m.leaf_index) < begun)
            ).scalars()
        )
    return found


def reason(session: Session, payment: StoredPayment) -> str:
    """Why a settled payment may not be what it stands as; "" where it surely is."""
    conn, government, only = session.conn, session.government, [payment.id]
    if contradicted(conn, government, only):
        return "contradicted by the bank"
    if payment.state in RESENDABLE and before_recovery(conn, government, only):
        return "settled before acts were lost"
    return ""


def check_disputed(session: Session, payment: StoredPayment) -> None:
    """Raises PaymentMoveNotAllowedError: there is nothing to confirm."""
    if not reason(session, payment):
        raise PaymentMoveNotAllowedError(
            payment=payment.id,
            state=f"{payment.state}, not contradicted by the bank",
            outcome=payment.state,
            allowed=[],
        )


def check_no_news(session: Session, payment: StoredPayment, proposal: str) -> None:
    """Nothing was heard of a payment since its settlement was proposed. Raises SettlementOutOfDateError."""
    conn, government = session.conn, session.government
    made = conn.execute(
        select(t.proposal.c.leaf_index).where(
            t.proposal.c.government == government, t.proposal.c.id == proposal
        )
    ).scalar_one()
    for table in (t.payment_move, t.payment_answer, t.payment_call):
        last = conn.execute(
            select(func.max(table.c.leaf_index)).where(
                table.c.government == government, table.c.payment_id == payment.id
            )
        ).scalar()
        if last is not None and last > made:
            raise SettlementOutOfDateError(
                payment=payment.id, state=payment.state, proposal=proposal, leaf_index=last
            )
