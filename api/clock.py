"""The clock of the process, and the local date of a government. Tests give their own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

__all__ = ["Clock", "local_day", "system_clock"]

#: Gives the present instant, aware.
Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The present instant, UTC."""
    return datetime.now(UTC)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def local_day(now: datetime, zone: str) -> str:
    """The date `YYYY-MM-DD` in *zone* (an IANA name) at *now*."""
    return now.astimezone(_zone(zone)).date().isoformat()
