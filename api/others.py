"""
Whether others write in the same book: another process, or another writer of this one.

A book's batches are numbered without gaps, so numbers between our own are theirs.
"""

from __future__ import annotations

import time
from typing import Final

__all__ = ["Others"]

#: They are taken to be writing for so long after their last batch was noticed.
_REMEMBERED_SECONDS: Final = 0.25


class Others:
    """What one writer of a book notices of the others. Heard by one thread, asked by any."""

    def __init__(self) -> None:
        self._last_seq = 0
        self._until = float("-inf")

    def heard(self, batch_seq: int) -> None:
        """A batch of ours has this number (again, where the one before came to nothing)."""
        if self._last_seq and batch_seq > self._last_seq + 1:
            self._until = time.monotonic() + _REMEMBERED_SECONDS
        self._last_seq = batch_seq

    @property
    def are_writing(self) -> bool:
        """Whether others were lately noticed writing."""
        return time.monotonic() < self._until
