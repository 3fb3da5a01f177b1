"""
What a bank's answer to a payment file does to a payment: recorded, known already, or refused.

Pure. The money rules are those of `calls`; what differs is that a file may be answered before
anybody recorded that it went out, so a queued payment counts as sent.

    meaning      queued, sent   accepted   unknown    paid     rejected   returned, recalled, cancelled
    done         paid           paid       paid       known    refused    refused (returned: known)
    pending      accepted       known      accepted   known    known      refused (returned: known)
    refused      rejected       rejected   rejected   refused  known      refused (recalled: known)

`duplicate` says that the bank holds the order already, `unknown` is a word that the standard does not
have: neither tells what became of the payment, so neither changes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from ledger.documents.calls import OPEN_STATES

__all__ = ["DUPLICATE_REASONS", "FILE_MEANINGS", "ListOutcome", "file_outcome", "is_duplicate"]

FILE_MEANINGS: Final = ("done", "pending", "refused", "unknown", "duplicate")

#: ISO's external reason codes for what the bank holds already: a file that was handed over twice is
#: rejected with one of them while its first copy is paid.
DUPLICATE_REASONS: Final = frozenset({"AM05", "DU01", "DU02", "DU03", "DU04", "DU05", "DUPL"})

_OUTCOMES: Final = {"done": "paid", "pending": "accepted", "refused": "rejected"}
#: Where an answer that leads nowhere new is no contradiction.
_KNOWN: Final[dict[str, tuple[str, ...]]] = {
    "done": ("paid", "returned"),
    "pending": ("accepted", "paid", "rejected", "returned"),
    "refused": ("rejected", "recalled"),
}


class ListOutcome(NamedTuple):
    """What the bank said of one payment. status: its own word (ACSC). reasons: codes. text: its words."""

    payment: str
    meaning: str
    status: str
    reasons: tuple[str, ...] = ()
    text: str = ""


def is_duplicate(reasons: Iterable[str]) -> bool:
    """Whether a rejection says that the bank holds the order already."""
    return any(reason in DUPLICATE_REASONS for reason in reasons)


def file_outcome(state: str, meaning: str) -> str | None:
    """The outcome to record, "" where there is nothing new, None where the answer contradicts."""
    if meaning not in _OUTCOMES or state in _KNOWN[meaning]:
        return ""
    return _OUTCOMES[meaning] if state in OPEN_STATES else None
