"""A bank that keeps its own account of what it was asked, and fails where a test says so."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

from bank_adapters.payments.order import BankAnswer, Meaning, PaymentOrder
from bank_adapters.snap.errors import BankRefusedError, BankUnreachableError

__all__ = ["Died", "LedgerBank"]


class Died(BaseException):
    """The process ends here: nothing after it runs, nothing is tidied up."""


@dataclass
class LedgerBank:
    """
    Pays a reference at most once, as a bank does, and counts how often it was asked.

    *faults*: by reference, what goes wrong in its calls, one after the other: `lost` (paid, no
    answer), `unheard` (not paid, no answer), `busy` (not paid, and says so), `refused`, `pending`
    (paid later, by `settle`), `other_amount`.
    """

    faults: dict[str, list[str]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    paid: Counter[str] = field(default_factory=Counter)
    refused: set[str] = field(default_factory=set)
    pending: set[str] = field(default_factory=set)
    external_ids: list[str] = field(default_factory=list)
    #: account -> holder; None: the bank doesn't answer. Without any, names are not asked for.
    holders: dict[str, str | None] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def checks_names(self) -> bool:
        """Whether a test gave it holders."""
        return bool(self.holders)

    def inquire_account(self, bank_code: str, account: str) -> str:
        """The holder."""
        name = self.holders.get(account, "")
        if name is None:
            raise BankUnreachableError("bank.example", "no answer", sent=True)
        if not name:
            raise BankRefusedError("16", 404, "4041611", "Invalid Account")
        return name

    def send(self, order: PaymentOrder, external_id: str) -> BankAnswer:
        """Ask it to pay."""
        reference = order.reference
        with self.lock:
            self.asked[reference] += 1
            self.external_ids.append(external_id)
            faults = self.faults.get(reference, [])
            fault = faults.pop(0) if faults else ""
            if reference in self.paid:
                return BankAnswer("duplicate", 409, "4091801")
            if fault == "busy":
                return BankAnswer("retry", 429, "4291800", retry_after=0)
            if fault == "unheard":
                return BankAnswer("unknown")
            if fault == "refused":
                self.refused.add(reference)
                return BankAnswer("refused", 403, "4031814", "Insufficient Funds")
            if fault == "pending":
                self.pending.add(reference)
                return BankAnswer("pending", 202, "2021800")
            self.paid[reference] += 1
            if fault == "lost":
                return BankAnswer("unknown", 504, "5041800")
            if fault == "other_amount":
                return BankAnswer("conflict", 200, "2001800", "says another amount")
            return BankAnswer("done", 200, "2001800", "", f"B-{reference}", b"{}")

    def status(
        self,
        order: PaymentOrder,
        sent_external_id: str,
        external_id: str,
        *,
        bank_reference: str = "",
    ) -> BankAnswer:
        """Ask what became of it."""
        with self.lock:
            if order.reference in self.paid:
                meaning: Meaning = "done"
            elif order.reference in self.refused:
                meaning = "refused"
            elif order.reference in self.pending:
                meaning = "pending"
            else:
                meaning = "not_found"
            return BankAnswer(meaning, 200, "2003600", "", f"B-{order.reference}", b"{}")

    def settle(self) -> None:
        """Pay what was taken in."""
        with self.lock:
            for reference in self.pending:
                self.paid[reference] += 1
            self.pending.clear()
