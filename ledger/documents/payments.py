"""
Payments: which states follow which, what each step books, and what they say of an SP2D together.

Pure. A payment is one instruction to the bank; the bank's answers are facts (D8, D15). `unknown` is
whatever wasn't a clear answer, and only a clear one leads out of it.

What a step books depends on the recognition its SP2D was signed under and on the payment's basis:

    step      on_issue / order        on_issue / retur       on_cair / order     on_cair / retur
    listed    - (booked at signing)   Dr Utang Retur/Cr KD   - (committed)       commit cash
    paid      -                       -                      the order's part    Dr Utang Retur/Cr KD
    rejected  Dr KD/Cr Utang Retur    Dr KD/Cr Utang Retur   -                   uncommit
    returned  Dr KD/Cr Utang Retur    (the same in all four)
    paid, of
    rejected  Dr Utang Retur/Cr KD    Dr Utang Retur/Cr KD   the order's part    Dr Utang Retur/Cr KD
    returned  Dr Utang Retur/Cr KD    (the same in all four)

Rejected under `on_issue`: the book had let the money go and the bank did not, so cash comes back
into the book under the payment's own reference (both lines then cancel out at the bank) and what is
owed stands as Utang Retur until it is paid again. Neither step frees budget: the order stands.

A bank may contradict itself. What it rejected, or was found not to have paid (returned), and has paid
after all is then paid by two reconcilers' word, while no other attempt was made; a state that they find to
stand is its own next step and books nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ledger.documents.errors import PaymentMoveNotAllowedError

__all__ = [
    "OUTCOMES",
    "RESENDABLE",
    "STATES",
    "STEPS",
    "bank_status",
    "check_step",
    "needs_two",
    "next_basis",
    "reopens",
]

STATES: Final = (
    "held",
    "queued",
    "sent",
    "accepted",
    "paid",
    "rejected",
    "returned",
    "recalled",
    "cancelled",
    "unknown",
)

#: state -> the states that may follow. A bank that answers early skips steps; none goes back but by
#: two persons (`reopens`).
STEPS: Final[dict[str, tuple[str, ...]]] = {
    "": ("held",),
    "held": ("queued", "recalled", "cancelled"),
    "queued": ("sent", "accepted", "paid", "rejected", "recalled", "unknown"),
    "sent": ("accepted", "paid", "rejected", "recalled", "unknown"),
    "accepted": ("paid", "rejected", "recalled", "unknown"),
    "unknown": ("accepted", "paid", "rejected", "recalled"),
    "paid": ("returned", "paid"),
    "recalled": ("cancelled",),
    "rejected": ("cancelled", "paid", "rejected"),
    "returned": ("returned", "paid"),
    "cancelled": (),
}

#: States after which another attempt may follow.
RESENDABLE: Final = ("rejected", "returned")

#: What a bank may be recorded to have said.
OUTCOMES: Final = ("sent", "accepted", "paid", "rejected", "returned", "recalled", "unknown")


def check_step(payment: str, state: str, target: str, *, stands: bool = True) -> None:
    """A step of the table; *stands*: it may be the state again. Raises PaymentMoveNotAllowedError."""
    allowed = [each for each in STEPS[state] if stands or each != state]
    if target not in allowed:
        raise PaymentMoveNotAllowedError(
            payment=payment, state=state, outcome=target, allowed=allowed
        )


def reopens(state: str, target: str) -> bool:
    """Whether a step is about what was settled: it stands, or the bank has paid it after all."""
    return state == target or (state in RESENDABLE and target == "paid")


def needs_two(state: str, target: str, channel: str) -> bool:
    """
    Whether a person's word on a payment takes a second person.

    It does where the payment may be with the bank and nobody but the bank can tell: it is `unknown`,
    or its order left by the bank's interface (*channel* is neither empty nor file). So does whatever
    `reopens`. To doubt it (*target* unknown) takes one: it stops whatever would follow.
    """
    if target == "unknown":
        return False
    if reopens(state, target):
        return True
    asked = state in ("queued", "sent", "accepted", "paid")
    return state == "unknown" or (asked and channel not in ("", "file"))


def next_basis(state: str, basis: str, recognition: str) -> str:
    """
    What the attempt after a *state* payment is booked against.

    Money that was booked as gone and came back is owed (`retur`); under `on_cair` a payment that
    was only ever committed is still the order's own.
    """
    if state == "returned" or recognition == "on_issue":
        return "retur"
    return basis


def bank_status(payments: Iterable[tuple[int, int, str]]) -> str:
    """
    What the bank has done of an SP2D: none, partly_paid, paid, partly_returned or returned.

    *payments* are (payee, attempt, state); the last attempt speaks for its payee. Derived, never
    stored (D15).
    """
    last: dict[int, tuple[int, str]] = {}
    for payee, attempt, state in payments:
        last[payee] = max(last.get(payee, (0, "")), (attempt, state))
    states = [state for _, state in last.values()]
    paid, returned = states.count("paid"), states.count("returned")
    if returned:
        return "returned" if returned == len(states) else "partly_returned"
    if paid:
        return "paid" if paid == len(states) else "partly_paid"
    return "none"
