"""
Replay the outbox, the calls and the answers from their leaves, and hold the tables against that.

The rule that counts is told of every leaf that breaks it: the bank is called again for a payment only
where each call before was answered with `retry` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from ledger import tables as t
from ledger.documents.calls import CHANNEL_POLICY, channel_of, may_call, stage_of
from ledger.documents.content import AdviceContent
from ledger.documents.payment_store import StoredPayment
from ledger.findings import Finding
from ledger.rederive import Leaf
from ledger.row_check import check_rows

__all__ = ["DispatchReplay", "check_dispatch"]

Rows = dict[tuple[Any, ...], dict[str, Any]]

#: Columns of `dispatch` that follow from leaves; the others say when a worker looks again.
_DERIVED = (
    "advice_list_id",
    "bank_account",
    "channel",
    "transfer_on",
    "leaf_index",
    "held",
    "stage",
)


@dataclass(slots=True)
class DispatchReplay:
    """What the tables of the outbox must hold."""

    orders: Rows = field(default_factory=dict)
    calls: Rows = field(default_factory=dict)
    answers: Rows = field(default_factory=dict)
    pauses: Rows = field(default_factory=dict)
    _policies: list[tuple[str, str, str]] = field(default_factory=list)
    #: payment -> meanings of the answers to each of its calls
    _meanings: dict[str, list[list[str]]] = field(default_factory=dict)

    def policy_set(self, leaf: Leaf) -> None:
        """How orders leave, from a day on."""
        data = leaf.data
        if data["name"] == CHANNEL_POLICY:
            self._policies.append((data["name"], data["valid_from"], data["value"]))
            self._policies.sort(key=lambda each: each[1])

    def listed(self, leaf: Leaf, document: str, content: AdviceContent) -> None:
        """A list is signed: its payments stand in the outbox."""
        on = leaf.data["on_day"]
        for row in content.rows:
            self.orders[row.payment,] = {
                "advice_list_id": document,
                "bank_account": content.bank_account,
                "channel": channel_of(self._policies, content.bank_account, on),
                "transfer_on": content.transfer_on,
                "leaf_index": leaf.index,
                "held": 0,
                "stage": "waiting",
            }

    def held(self, leaf: Leaf) -> None:
        """One order is kept back, or let go."""
        self.orders[leaf.data["payment"],]["held"] = int(leaf.data["held"])

    def paused(self, leaf: Leaf) -> Iterator[Finding]:
        """A bank account is paused, or goes on."""
        data = leaf.data
        before = [key for key in self.pauses if key[0] == data["bank_account"]]
        if data["n"] != len(before) + 1:
            yield _of(leaf, "number_gap", f"pause {data['n']} of {data['bank_account']}")
        self.pauses[data["bank_account"], data["n"]] = {
            "paused": int(data["paused"]),
            "person_id": leaf.by,
            "reason_c": data["reason"],
            "leaf_index": leaf.index,
        }

    def called(self, leaf: Leaf, state: str) -> Iterator[Finding]:
        """The bank is about to be asked to pay. *state*: the payment's, before."""
        data = leaf.data
        payment = data["payment"]
        before = self._meanings.setdefault(payment, [])
        order = self.orders.get((payment,))
        if data["call"] != len(before) + 1 or not may_call(state, before):
            yield _of(leaf, "paid_twice", f"{payment} is called for again ({state})")
        if order is None or order["held"]:
            yield _of(leaf, "step_not_allowed", f"{payment} is held, or in no signed list")
        before.append([])
        self.calls[payment, data["call"]] = {
            "external_id": data["external_id"],
            "rail": data["rail"],
            "worker": data["worker"],
            "due_at": data["due_at"],
            "leaf_index": leaf.index,
        }

    def said(self, payment: str) -> list[str]:
        """The meanings of all answers so far."""
        return [meaning for call in self._meanings.get(payment, ()) for meaning in call]

    def answered(self, leaf: Leaf) -> Iterator[Finding]:
        """What came of a call."""
        data = leaf.data
        payment = data["payment"]
        meanings = self._meanings.get(payment, [])
        if data["call"] != len(meanings) or data["answer"] != 1 + sum(map(len, meanings)):
            yield _of(leaf, "step_not_allowed", f"{payment}: an answer to no call")
            return
        if data["meaning"] == "retry" and meanings[-1]:
            yield _of(leaf, "step_not_allowed", f"{payment}: retry after another answer")
        meanings[-1].append(data["meaning"])
        self.answers[payment, data["answer"]] = {
            "call_n": data["call"],
            "source": data["source"],
            "meaning": data["meaning"],
            "http_status": data["http_status"],
            "code": data["code"],
            "bank_reference": data["bank_reference"],
            "answer_c": data["answer_text"],
            "evidence_sha256": data["evidence_sha256"],
            "leaf_index": leaf.index,
        }


def check_dispatch(
    conn: Connection,
    government: str,
    replay: DispatchReplay,
    payments: Mapping[str, StoredPayment],
) -> Iterator[Finding]:
    """The rows of the outbox, the calls, the answers and the pauses."""
    for (payment,), row in replay.orders.items():
        known = payments.get(payment)
        row["stage"] = stage_of(known.state if known is not None else "")
    yield from check_rows(
        conn, government, t.dispatch, ("payment_id",), replay.orders, columns=_DERIVED
    )
    yield from check_rows(conn, government, t.payment_call, ("payment_id", "n"), replay.calls)
    yield from check_rows(conn, government, t.payment_answer, ("payment_id", "n"), replay.answers)
    yield from check_rows(conn, government, t.dispatch_pause, ("bank_account", "n"), replay.pauses)


def _of(leaf: Leaf, code: str, message: str) -> Finding:
    return Finding(code, f"leaf {leaf.index}: {message}", "log_leaf", str(leaf.index), "body")
