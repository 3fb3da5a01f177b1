"""
When to look again: pure arithmetic of waits, in seconds.

A bank is asked soon after a call without a clear answer, then less and less often; an order that it
did nothing of is sent again after what it asked for, or a growing pause.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from audit.log import instant_text

__all__ = ["Timing", "later"]


@dataclass(frozen=True, slots=True)
class Timing:
    """
    lease: how long a call may be without answer before anybody doubts it; longer than `call_most`,
    the longest that one call takes. first_ask, ask_most: from the call to the first question, and the
    longest pause between two. retry, retry_most: the same for sending again.
    """

    lease: int = 180
    call_most: int = 60
    first_ask: int = 60
    ask_most: int = 3_600
    retry: int = 5
    retry_most: int = 600

    def __post_init__(self) -> None:
        if self.lease <= self.call_most:
            raise ValueError(f"a lease of {self.lease} s ends before a call of {self.call_most} s")

    def ask_in(self, tries: int) -> int:
        """Seconds to the next question, after *tries* of them."""
        return int(min(self.first_ask * 2 ** min(tries, 16), self.ask_most))

    def retry_in(self, calls: int, asked_for: int = 0) -> int:
        """Seconds to the next call, after *calls* of which the bank did nothing."""
        return max(
            asked_for, int(min(self.retry * 2 ** min(max(calls - 1, 0), 16), self.retry_most))
        )


def later(now: datetime, seconds: int) -> str:
    """The instant *seconds* after *now*, as the outbox keeps it."""
    return instant_text(now + timedelta(seconds=seconds))
