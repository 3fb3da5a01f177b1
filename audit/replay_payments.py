"""
Replay payments: the steps of each, its calls of the bank, who settled it, and what is set aside for it.

Standard library only. No path of steps leads to paying twice; a person's word on what may be with the
bank, or on what the bank contradicts, is two persons'.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from audit.verdict import Verdict

__all__ = ["Payments"]

Fail = Callable[..., None]


@dataclass(slots=True)
class _Payment:
    """One instruction to the bank, as the leaves leave it."""

    document: str
    amount: int
    bank_account: str
    on_cair: bool
    basis: str = "order"
    state: str = "held"
    listed: bool = False
    #: the last leaf that spoke of it
    heard: int = 0
    #: whether the bank has said something else since it was settled
    contradicted: bool = False
    #: whether another attempt followed
    repeated: bool = False
    #: whether its order leaves through the bank's interface
    by_interface: bool = False
    #: meanings of the answers to each call of the bank
    calls: list[list[str]] = field(default_factory=list)


#: state of a payment -> the states that may follow: no path leads to being executed twice
_STEPS: Final[dict[str, tuple[str, ...]]] = {
    "held": ("queued", "recalled", "cancelled"),
    "queued": ("sent", "accepted", "paid", "rejected", "recalled", "unknown"),
    "sent": ("accepted", "paid", "rejected", "recalled", "unknown"),
    "accepted": ("paid", "rejected", "recalled", "unknown"),
    "unknown": ("accepted", "paid", "rejected", "recalled"),
    "paid": ("returned", "paid"),
    "returned": ("returned", "paid"),
    "recalled": ("cancelled",),
    "rejected": ("cancelled", "paid", "rejected"),
}

#: state of a payment -> what the bank may say of it so that a person has to look
_CONTRADICTIONS: Final = {
    "paid": ("refused", "conflict"),
    "rejected": ("done", "returned", "conflict"),
    "returned": ("done", "refused", "conflict"),
}
#: what came back was done once: `done` disputes it only where the bank has denied it, too
_DENIALS: Final = ("refused", "conflict")


class Payments:
    """
    Every payment as its steps so far made it.

    *claim* takes a journal that no step has claimed yet; False where there is none. *proposed_at* is
    the leaf of a proposal, where it is known.
    """

    def __init__(
        self,
        fail: Fail,
        claim: Callable[[int], bool],
        proposed_at: Callable[[str], int | None],
    ) -> None:
        #: bank account -> sen set aside for orders that are signed and not yet booked
        self.committed: dict[str, int] = {}
        #: (first day, bank account, how its orders leave), as set
        self.channels: list[tuple[str, str, str]] = []
        #: whether acts were lost in this batch
        self.recovering = False
        self._fail = fail
        self._claim = claim
        self._proposed_at = proposed_at
        self._payments: dict[str, _Payment] = {}
        self._of: dict[str, list[str]] = {}
        self._by_two = False
        self._settled_alone = 0

    # --- by documents --------------------------------------------------------------------------

    def ordered(
        self, index: int, name: str, document: str, sen: int, bank: str, *, on_cair: bool
    ) -> None:
        """A signed order's payment to one payee."""
        if name in self._payments:
            self._fail("number_twice", f"payment {name} was made before", index)
        self._payments[name] = _Payment(document, sen, bank, on_cair, heard=index)
        self._of.setdefault(document, []).append(name)
        if on_cair:
            self.committed[bank] = self.committed.get(bank, 0) + sen

    def cancelled(self, index: int, document: str, *, on_cair: bool) -> None:
        """An order is cancelled with its payments."""
        for name in self._of.get(document, ()):
            self._step(index, name, "cancelled")
            made = self._payments[name]
            if made.contradicted and self._by_two:
                self._fail("wrong_move", f"{name} was rejected, and contradicted", index)
            if on_cair and not made.repeated:
                self.committed[made.bank_account] -= made.amount

    def listed(self, index: int, name: str, document: str, sen: int, on: str) -> None:
        """A signed list takes a payment of *sen* on a day."""
        self._step(index, name, "queued")
        payment = self._payments.get(name)
        if payment is None:
            return
        payment.listed = True
        payment.by_interface = self._is_by_interface(payment.bank_account, on)
        if (payment.document, payment.amount) != (document, sen):
            self._fail("wrong_move", f"the list pays another {name}", index)
        if payment.on_cair and payment.basis == "retur":
            bank = payment.bank_account
            self.committed[bank] = self.committed.get(bank, 0) + payment.amount

    def sent(self, index: int, names: Sequence[str], count: int) -> None:
        """A list is recorded as sent: those that the bank has not answered before, *count* in all."""
        known = [self._payments.get(name) for name in names]
        queued = [each for each in known if each is not None and each.state == "queued"]
        if len(queued) != count:
            self._fail("wrong_move", f"{len(queued)} payments of the list wait", index)
        for each in queued:
            each.state, each.heard = "sent", index

    def _is_by_interface(self, bank_account: str, on: str) -> bool:
        chosen = [
            (valid_from, n, channel)
            for n, (valid_from, account, channel) in enumerate(self.channels)
            if account == bank_account and valid_from <= on
        ]
        return bool(chosen) and max(chosen)[2] != "file"

    def recovered(self) -> None:
        """Acts were lost, in this batch: they may have gone on with what had failed."""
        self.recovering = True
        for payment in self._payments.values():
            if payment.state in ("rejected", "returned"):
                payment.contradicted = True

    # --- by acts -------------------------------------------------------------------------------

    def called(self, index: int, by: str, act: str, data: dict[str, Any]) -> None:
        """The bank is about to be asked to pay: never again for what it may have done before."""
        name = data["payment"]
        payment = self._payments.get(name)
        if payment is None:
            self._fail("wrong_move", f"there is no payment {name}", index)
            return
        calls = payment.calls
        is_first = not calls
        if data["call"] != len(calls) + 1 or (
            payment.state != ("queued" if is_first else "sent")
            or any(meanings != ["retry"] for meanings in calls)
        ):
            self._fail("paid_twice", f"the bank is called for {name} again", index)
        calls.append([])
        payment.heard = index
        if data["to"]:
            self.moved(index, by, act, data)

    def answered(self, index: int, by: str, act: str, data: dict[str, Any]) -> None:
        """What came of a call, and the step that it leads to."""
        name = data["payment"]
        payment = self._payments.get(name)
        if payment is None or not payment.calls or data["call"] != len(payment.calls):
            self._fail("wrong_move", f"{name}: an answer to no call", index)
            return
        was_denied = any(said in _DENIALS for call in payment.calls for said in call)
        payment.calls[-1].append(data["meaning"])
        payment.heard = index
        is_old_word = (payment.state, data["meaning"]) == ("returned", "done") and not was_denied
        if data["meaning"] in _CONTRADICTIONS.get(payment.state, ()) and not is_old_word:
            payment.contradicted = True
        if data["to"]:
            self.moved(index, by, act, data)

    def recorded(self, index: int, by: str, data: dict[str, Any], version: int) -> None:
        """One person's act on a payment: version 2 and what follows it settles nothing by itself."""
        self._by_two = self._by_two or version > 1
        payment = self._payments.get(data["payment"])
        if payment is not None and "resends" not in data and data["to"] != "unknown":
            asked = payment.state in ("sent", "accepted", "paid") or (
                payment.state == "queued" and data["to"] != "recalled"
            )
            if payment.state == "unknown" or (asked and payment.by_interface):
                self._settled_alone += not self._by_two
                if self._by_two:
                    self._fail(
                        "settled_alone",
                        f"{data['payment']}, which may be with the bank, was settled by {by} alone",
                        index,
                    )
        self.moved(index, by, "payment.moved", data)

    def moved(self, index: int, _by: str, act: str, data: dict[str, Any]) -> None:
        """What the bank said of a payment, or a new attempt at it."""
        name, journal = data["payment"], data.get("journal")
        if isinstance(journal, int) and not self._claim(journal):
            self._fail("wrong_journal", f"{name}: journal {journal} is not its own", index, journal)
        if "resends" in data:
            self._again(index, name, act == "payment.rerouted", data)
            return
        payment, target = self._payments.get(name), data["to"]
        before = payment.state if payment is not None else ""
        if payment is not None and (
            target == before or (before in ("rejected", "returned") and target == "paid")
        ):
            self._check_reopened(index, name, payment, act, target)
        if payment is not None and act == "payment.settled":
            made = self._proposed_at(data["proposal"])
            if made is not None and made < payment.heard:
                self._fail("wrong_move", f"{name} had news after it was proposed", index)
        self._step(index, name, target, data["from"])
        if payment is None:
            return
        payment.contradicted = False
        is_retur = payment.basis == "retur"
        ended = before == "returned" or (is_retur and before == "rejected")
        if not payment.on_cair or target == before or ended:
            return
        if target == "paid" or (target == "rejected" and is_retur):
            bank = payment.bank_account
            self.committed[bank] = self.committed.get(bank, 0) - payment.amount

    def _check_reopened(
        self, index: int, name: str, payment: _Payment, act: str, target: str
    ) -> None:
        """What is settled stands, or was paid after all, by two persons' word alone."""
        if act != "payment.settled":
            self._fail("settled_alone", f"{name} was {payment.state}, and is {target}", index)
        if target == payment.state and not payment.contradicted:
            self._fail("wrong_move", f"{name} was {payment.state} undisputed", index)
        if target != payment.state and payment.repeated:
            self._fail("paid_twice", f"{name} is paid, and another attempt was made", index)

    def _again(self, index: int, name: str, is_rerouted: bool, data: dict[str, Any]) -> None:
        """A new attempt at what failed, or, from another bank account, at what was recalled."""
        before = self._payments.get(data["resends"])
        failed = ("recalled",) if is_rerouted else ("rejected", "returned")
        if before is None or before.state not in failed or (before.contradicted and self._by_two):
            self._fail("paid_twice", f"{name} repeats {data['resends']}, which stands", index)
            return
        if name in self._payments:
            self._fail("number_twice", f"payment {name} was made before", index)
        again = self._payments[name] = replace(
            before,
            basis=data["basis"],
            state="held",
            calls=[],
            heard=index,
            listed=False,
            by_interface=False,
            contradicted=False,
        )
        before.repeated = True
        if is_rerouted:
            again.bank_account = data["bank_account"]
            self._move_commitment(before, again)
        self._of.setdefault(again.document, []).append(name)

    def _move_commitment(self, before: _Payment, again: _Payment) -> None:
        """What the old attempt had set aside is free; an order's own is set aside anew."""
        if not before.on_cair or (before.basis == "retur" and not before.listed):
            return
        self.committed[before.bank_account] -= before.amount
        if before.basis == "order":
            bank = again.bank_account
            self.committed[bank] = self.committed.get(bank, 0) + again.amount

    def _step(self, index: int, name: str, target: str, source: str | None = None) -> None:
        """One step of a payment: from where it stands, to a state that may follow."""
        payment = self._payments.get(name)
        if payment is None:
            self._fail("wrong_move", f"there is no payment {name}", index)
            return
        # What was lost may have moved it: after a recovery nobody knows, until the bank has said.
        follows = (*_STEPS.get(payment.state, ()), *(("unknown",) if self.recovering else ()))
        if target not in follows or source not in (None, payment.state):
            self._fail(
                "wrong_move", f"payment {name} is {payment.state}, not {source or target}", index
            )
        payment.state, payment.heard = target, index

    # --- the end -------------------------------------------------------------------------------

    def finish(self, verdict: Verdict) -> None:
        """Say how many there are, and who settled some alone before two were asked for."""
        verdict.figures["payments"] = len(self._payments)
        if self._settled_alone:
            verdict.not_checked.append(
                f"{self._settled_alone} payments that may have been with the bank were settled by one"
                " person's word, before two were asked for"
            )
