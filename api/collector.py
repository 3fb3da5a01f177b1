"""
Python's cyclic garbage collector, set for processes that post.

A batch holds a hundred thousand small objects at once and none of them in a cycle: they go when the
batch goes. With the default thresholds the collector walks them, and the chart of accounts behind
them, again and again: a third of the CPU time of posting.
"""

from __future__ import annotations

import gc
from typing import Final

__all__ = ["relax"]

#: Containers made and not yet gone before the youngest are looked at (default 700), and how many
#: such looks come before one at the next older ones (default 10 and 10).
_THRESHOLDS: Final = (100_000, 20, 50)


def relax() -> None:
    """Leave alone what the process has loaded so far, and look at the rest less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
