"""
Calls of the bank: when it may be called for a payment, what an answer does to it, how orders leave.

Pure. A call is one request to pay. Nobody may be paid twice, so a second call needs that the bank
said of the first one, plainly, that nothing was done and that it may be sent again (`retry`).
Whatever isn't a clear answer leaves the payment `unknown`; it leaves that state by the bank's word,
by the statement, or by two reconcilers (`settling`), never by a clock.

    meaning       sent         accepted     unknown      paid
    done          paid         paid         paid         -
    pending       accepted     -            accepted     (contradiction)
    refused       rejected     rejected     rejected     (contradiction)
    returned      paid, back   paid, back   paid, back   returned
    retry         -            -            -            -
    the others    unknown      -            -            -
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = [
    "CHANNELS",
    "CHANNEL_POLICY",
    "CONTRADICTIONS",
    "DENIALS",
    "FILE",
    "MEANINGS",
    "OPEN_STATES",
    "SOURCES",
    "channel_of",
    "contradicts",
    "disputes",
    "may_call",
    "stage_of",
    "steps_of",
]

#: Name of the dated policy that says how the orders of a bank account leave: `114:0010012345678 snap`.
CHANNEL_POLICY: Final = "channel"
#: By a file that an officer hands over; what holds where no policy says otherwise.
FILE: Final = "file"
CHANNELS: Final = (FILE, "snap")

#: States in which the bank may still act on a payment of a signed list.
OPEN_STATES: Final = ("queued", "sent", "accepted", "unknown")

#: Where an order stands in the outbox, by its payment's state; in any other state it is closed.
_STAGES: Final = {"queued": "waiting", "sent": "asked", "accepted": "asked", "unknown": "asked"}

SOURCES: Final = ("reply", "silence", "status", "callback", "statement")
MEANINGS: Final = (
    "done",
    "pending",
    "refused",
    "returned",
    "retry",
    "duplicate",
    "not_found",
    "unknown",
    "conflict",
)

_STEPS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "done": {"sent": ("paid",), "accepted": ("paid",), "unknown": ("paid",)},
    "pending": {"sent": ("accepted",), "unknown": ("accepted",)},
    "refused": {"sent": ("rejected",), "accepted": ("rejected",), "unknown": ("rejected",)},
    "returned": {
        "sent": ("paid", "returned"),
        "accepted": ("paid", "returned"),
        "unknown": ("paid", "returned"),
        "paid": ("returned",),
    },
    "retry": {},
}
_IN_DOUBT: Final[dict[str, tuple[str, ...]]] = {"sent": ("unknown",)}

#: What a later answer may say of a settled payment without disagreeing with it.
_AGREES: Final[dict[str, tuple[str, ...]]] = {
    "paid": ("done", "pending", "duplicate", "retry", "unknown", "not_found"),
    "returned": ("done", "returned", "pending", "duplicate", "retry", "unknown", "not_found"),
    "rejected": ("refused", "pending", "retry", "unknown", "not_found"),
}


#: What a bank may say of a payment in these states so that a person has to look.
CONTRADICTIONS: Final = {
    "paid": ("refused", "conflict"),
    "rejected": ("done", "returned", "conflict"),
    "returned": ("done", "refused", "conflict"),
}
#: What came back was done once; it is only disputed by `done` where the bank has denied it, too.
DENIALS: Final = ("refused", "conflict")


def channel_of(policies: Iterable[tuple[str, str, str]], bank_account: str, on: str) -> str:
    """How this account's orders leave on a day; *policies* are (name, valid_from, value), by day."""
    channel = FILE
    for name, valid_from, value in policies:
        if name == CHANNEL_POLICY and valid_from <= on:
            account, _, chosen = value.partition(" ")
            if account == bank_account:
                channel = chosen
    return channel


def stage_of(state: str) -> str:
    """Where an order in the outbox stands: waiting, asked or closed."""
    return _STAGES.get(state, "closed")


def may_call(state: str, answers: Iterable[Iterable[str]]) -> bool:
    """
    Whether the bank may be called for a payment in *state* now.

    *answers* are the meanings of the answers to each call so far, one iterable a call.
    """
    so_far = [tuple(meanings) for meanings in answers]
    if not so_far:
        return state == "queued"
    return state == "sent" and all(meanings == ("retry",) for meanings in so_far)


def steps_of(state: str, meaning: str) -> tuple[str, ...]:
    """The states that an answer leads through, in order; empty where it changes nothing."""
    return _STEPS.get(meaning, _IN_DOUBT).get(state, ())


def disputes(state: str, meaning: str, said: Iterable[str]) -> bool:
    """Whether an answer to a payment that is settled waits for people; *said*: the meanings before it."""
    if state == "returned" and meaning == "done":
        return any(each in DENIALS for each in said)
    return meaning in CONTRADICTIONS.get(state, ())


def contradicts(state: str, meaning: str, said: Iterable[str] = ()) -> bool:
    """Whether an answer disagrees with what is settled; *said*: the meanings before it."""
    agrees = _AGREES.get(state)
    return (
        meaning == "conflict"
        or disputes(state, meaning, said)
        or (agrees is not None and meaning not in agrees + ("returned",) * (state == "paid"))
    )
