"""Between the books' words and a bank's: the order as it is sent, the answer as it is recorded. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from bank_adapters.payments.order import BankAnswer, PaymentOrder, Rail
from ledger.documents.dispatch_store import Call, Due
from ledger.documents.dispatching import PaymentAnswer
from ledger.money import Money

__all__ = ["Task", "answer_of", "is_news", "order_of", "printable"]

_NEXT_SECONDS_MAX: Final = 7 * 86_400
_TEXT_MAX: Final = 128
_NARRATIVE_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class Task:
    """
    One exchange with the bank under way: to pay, or to ask about a payment.

    *call* is the call of the books that it is made under or asks about, *started* when it was taken
    (monotonic).
    """

    due: Due
    order: PaymentOrder
    call: Call
    pays: bool
    started: float


def order_of(due: Due, rail: Rail, name: str, account: str) -> PaymentOrder:
    """The order as the bank is asked for it: the same bytes each time, whenever that is."""
    return PaymentOrder(
        due.payment,
        Money(due.amount_sen),
        due.bank_account.partition(":")[2],
        due.bank_code,
        account,
        name,
        f"{due.payment} {due.number}"[:_NARRATIVE_MAX],
        rail,
        date.fromisoformat(due.transfer_on),
    )


def answer_of(task: Task, answer: BankAnswer, pause: int) -> PaymentAnswer:
    """What a bank answered, to be recorded; *pause*: seconds until it is looked at again."""
    return PaymentAnswer(
        task.due.payment,
        "reply" if task.pays else "status",
        answer.meaning,
        answer.http_status,
        printable(answer.code),
        printable(answer.bank_reference),
        answer.body,
        next_seconds=min(pause, _NEXT_SECONDS_MAX),
    )


def is_news(state: str, meaning: str) -> bool:
    """Whether the answer to a question is worth a record, for a payment in *state*."""
    return meaning in ("done", "refused", "returned", "conflict") or (
        meaning == "pending" and state == "unknown"
    )


def printable(text: str) -> str:
    """What a bank writes, as far as it can stand in a row."""
    return "".join(c if c.isprintable() else "?" for c in text)[:_TEXT_MAX]
