"""
Shell, read only: a signed list that leaves by file, as the one who writes or answers it needs it.

The list says what the officers signed; `states` say where its payments stand now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from audit.database import batch, log_leaf
from ledger import tables as t
from ledger.documents import dispatch_store, payment_store, store
from ledger.documents.calls import FILE
from ledger.documents.content import AdviceContent, read_advice
from ledger.documents.errors import (
    DocumentMoveNotAllowedError,
    NotByFileError,
    PaymentAnsweredError,
    TextErasedError,
)

__all__ = ["OrderedList", "check_unanswered", "list_id", "ordered_list", "payee_texts"]

_NUMBER: Final = "DP/"
#: States in which a file may be handed over, perhaps again: nobody knows of an answer.
_ASKED_FOR: Final = ("queued", "sent")


@dataclass(frozen=True, slots=True)
class OrderedList:
    """A signed list. signed_at: the instant of the Kuasa BUD's signature. states: by payment."""

    document: str
    number: str
    content: AdviceContent
    signed_at: datetime
    states: Mapping[str, str]


def list_id(conn: Connection, government: str, given: str) -> str:
    """The register number of a list that is named by it or by its own number."""
    if not given.startswith(_NUMBER):
        return given
    d = t.document.c
    found = conn.execute(
        select(d.id).where(d.government == government, d.kind == "advice_list", d.number == given)
    ).scalar()
    return str(found or given)


def ordered_list(conn: Connection, government: str, document: str) -> OrderedList:
    """
    Raises:
        UnknownDocumentError, DocumentMoveNotAllowedError: No such list, or it is not signed.
        NotByFileError: Its orders leave by the bank's interface.
    """
    stored = store.get_document(conn, government, document, "advice_list")
    if stored.state not in ("signed", "sent"):
        raise DocumentMoveNotAllowedError(
            document=stored.id, move="render", state=stored.state, allowed=[]
        )
    channel = dispatch_store.channel_of_list(conn, government, stored.id)
    if channel not in ("", FILE):
        raise NotByFileError(document=stored.id, bank_account=stored.bank_account, channel=channel)
    content = read_advice(stored.content)
    m = t.document_move.c
    signed_at = conn.execute(
        select(batch.c.recorded_at)
        .select_from(
            t.document_move.join(
                log_leaf,
                (log_leaf.c.government == m.government) & (log_leaf.c.idx == m.leaf_index),
            ).join(
                batch,
                (batch.c.government == m.government) & (batch.c.seq == log_leaf.c.batch_seq),
            )
        )
        .where(m.government == government, m.document_id == stored.id, m.move == "sign")
    ).scalar_one()
    payments = payment_store.find(conn, government, [row.payment for row in content.rows])
    return OrderedList(
        stored.id,
        stored.number,
        content,
        datetime.fromisoformat(signed_at),
        {payment.id: payment.state for payment in payments.values()},
    )


def payee_texts(conn: Connection, government: str, content: AdviceContent) -> dict[str, str]:
    """Names and accounts of a list's payees, by commitment. Raises TextErasedError."""
    wanted = [c for row in content.rows for c in (row.name, row.account)]
    texts = store.stored_texts(conn, government, wanted)
    for commitment in wanted:
        if commitment not in texts:
            raise TextErasedError(field="payee", commitment=commitment)
    return texts


def check_unanswered(ordered: OrderedList, payments: Iterable[str]) -> None:
    """A file asks for all its payments: the bank may not have spoken of any, nor any be called back.

    Raises PaymentAnsweredError.
    """
    for payment in payments:
        state = ordered.states[payment]
        if state not in _ASKED_FOR:
            raise PaymentAnsweredError(payment=payment, state=state)
