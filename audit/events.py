"""
Everything worth a leaf: the kinds of acts and the version of each one's data.

A leaf is the canonical JSON (RFC 8785) of

    {"act": kind, "at": instant, "batch": n, "by": person, "data": {...}, "government": code, "v": version}

with `"clock_clamped": true` beside them when the clock ran behind the last act (`at` is then the last
act's), and is changed as a wire format is: a reader of version 1 must go on reading version 1 for ever, new
members come with a new version, and tests pin the bytes of every kind.
"""

from __future__ import annotations

from typing import Final

__all__ = ["KINDS", "is_read"]

#: kind -> version written today
KINDS: Final[dict[str, int]] = {
    # the book and its settings
    "book.opened": 1,
    "book.recovered": 1,
    "chart.loaded": 1,
    "entity.added": 1,
    "bank_account.added": 1,
    "fiscal_year.opened": 1,
    "policy.set": 1,
    "period.sealed": 1,
    "allowance.set": 1,
    # people
    "person.added": 1,
    "grant.given": 1,
    "grant.ended": 1,
    "officer_key.enrolled": 1,
    "officer_key.revoked": 1,
    "token.issued": 1,
    "token.revoked": 1,
    "proposal.made": 1,
    "proposal.confirmed": 1,
    "proposal.withdrawn": 1,
    # money
    "journal.posted": 1,
    "budget.loaded": 1,
    "document.moved": 1,
    "payment.moved": 2,
    "payment.settled": 1,
    "payment.rerouted": 1,
    "payment.held": 1,
    "payment.called": 1,
    "payment.answered": 1,
    "dispatch.paused": 1,
    "payee.erased": 1,
    # bank
    "statement.imported": 1,
    "statement.superseded": 1,
    "delivery.imported": 1,
    "provisional.booked": 1,
    "reconciliation.run": 1,
    "match.made": 1,
    "match.undone": 1,
    "match.superseded": 1,
    # what left the house
    "log.exported": 1,
    "log.read": 1,
}

#: Versions that are no longer written. payment.moved 1: one person could settle whatever it was; 2: what
#: nobody knows, or the bank was called for, is settled by `payment.settled` (two persons) alone.
_EARLIER: Final[dict[str, tuple[int, ...]]] = {"payment.moved": (1,)}


def is_read(kind: object, version: object) -> bool:
    """Whether leaves of this kind and version are understood."""
    if not isinstance(kind, str) or type(version) is not int:
        return False
    return version == KINDS.get(kind) or version in _EARLIER.get(kind, ())
