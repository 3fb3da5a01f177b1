"""What the bank's statements say of orders: the only way out of unknown besides the bank's answer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Engine

from api.clock import local_day
from api.engine import reading
from ledger.documents import dispatch_store
from ledger.documents.dispatch_store import Due
from ledger.documents.dispatching import PaymentAnswer
from reconciliation.payments_on_statements import (
    covered_through,
    find_lines,
    newest_statement,
    returned_keys,
)

__all__ = ["StatementWord", "meaning_of"]


class StatementWord:
    """Reads statements once each, as they come in."""

    def __init__(self, engine: Engine, government: str, zone: str) -> None:
        self._engine = engine
        self._government = government
        self._zone = zone
        self._read: dict[str, int] = {}

    def news(self, bank_accounts: Iterable[str], now: datetime) -> list[PaymentAnswer]:
        """What statements that came in since say of orders that wait for the bank's word."""
        today = local_day(now, self._zone)
        return [answer for account in bank_accounts for answer in self._of(account, today)]

    def _of(self, bank_account: str, today: str) -> list[PaymentAnswer]:
        government = self._government
        with reading(self._engine) as conn:
            newest = newest_statement(conn, government, bank_account)
            if newest == self._read.get(bank_account, 0):
                return []
            waiting = dispatch_store.find_open(conn, government, bank_account)
            back = returned_keys(conn, government, bank_account)
            amounts = waiting | dispatch_store.amounts_of(conn, government, back)
            days = dispatch_store.sent_days(conn, government, list(amounts))
            lines = find_lines(
                conn,
                government,
                bank_account,
                {name: (sen, days[name][0]) for name, sen in amounts.items() if name in days},
            )
        self._read[bank_account] = newest
        return [
            PaymentAnswer(
                name,
                "statement",
                meaning,
                evidence_sha256=seen.file_sha256,
                on_day=min(seen.booked_on, today),  # a bank may be a day ahead of us
            )
            for name, seen in lines.items()
            if (meaning := meaning_of(seen.debits, seen.credits, name in waiting))
        ]

    def absence(self, due: Due) -> PaymentAnswer | None:
        """
        Of an order that the bank doesn't know: that its statements beyond the day it was sent don't
        show it either. Then, and only then, it was not paid.
        """
        with reading(self._engine) as conn:
            days = dispatch_store.sent_days(conn, self._government, [due.payment])
            if due.payment not in days:
                return None
            first, last = days[due.payment]
            through, sha256 = covered_through(conn, self._government, due.bank_account)
            if through <= local_day(datetime.fromisoformat(last), self._zone):
                return None
            lines = find_lines(
                conn, self._government, due.bank_account, {due.payment: (due.amount_sen, first)}
            )
        if due.payment in lines:
            return None
        return PaymentAnswer(due.payment, "statement", "refused", evidence_sha256=sha256)


def meaning_of(debits: int, back: int, waits: bool) -> str:
    """What a payment's lines say of it; "" where a person has to read them."""
    if debits == 1 and back == 0 and waits:
        return "done"
    if debits == 1 and back == 1:
        return "returned"
    # Two debits and one credit: the bank has corrected a mistake of its own.
    if debits > 1 and debits - back == 1 and waits:
        return "done"
    return ""
