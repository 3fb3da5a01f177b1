"""
Times in the heads of answers: the bank's clock, and how long it asks us to wait.

Pure. Nothing here raises: an answer is an answer, whatever its head says.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["retry_after", "seconds_apart", "time_of"]

_WAIT_SECONDS_MAX: Final = 86400
_ZERO: Final = timedelta(0)


def time_of(headers: Mapping[str, str]) -> datetime | None:
    """The bank's time by its Date, else its X-TIMESTAMP; None where neither says one."""
    date = headers.get("date")
    if date is not None:
        return _http_date(date)
    try:
        stamp = datetime.fromisoformat(headers.get("x-timestamp", ""))
    except ValueError:
        return None
    return stamp if stamp.tzinfo is not None else None


def seconds_apart(theirs: datetime | None, before: datetime, after: datetime) -> int | None:
    """How far *theirs*, in whole seconds and made between our two times, is from ours."""
    if theirs is None:
        return None
    early = before - timedelta(seconds=1)
    gap = min(theirs - early, _ZERO) + max(theirs - after, _ZERO)
    return round(gap.total_seconds())


def retry_after(value: str, now: datetime) -> int:
    """`Retry-After` in seconds, at most a day; 0 where there is none that can be read."""
    if value.isascii() and value.isdigit() and len(value) <= 9:
        return min(int(value), _WAIT_SECONDS_MAX)
    when = _http_date(value)
    if when is None:
        return 0
    return max(0, min(round((when - now).total_seconds()), _WAIT_SECONDS_MAX))


def _http_date(text: str) -> datetime | None:
    """A time of HTTP, which is in GMT."""
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)
