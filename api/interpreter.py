"""
CPython's own settings, for processes that post.

The cyclic garbage collector: a batch holds a hundred thousand small objects at once and none of them
in a cycle; they go when the batch goes. With the default thresholds the collector walks them, and
the chart of accounts behind them, again and again: a third of the CPU time of posting.

The switch interval: whoever waits for the database gives the interpreter up, and gets it back only
when another thread has had it for this long. A batch waits eight times.
"""

from __future__ import annotations

import gc
import sys
from typing import Final

__all__ = ["tune"]

#: Containers made and not yet gone before the youngest are looked at (default 700), and how many
#: such looks come before one at the next older ones (default 10 and 10).
_THRESHOLDS: Final = (100_000, 20, 50)
#: Default 0.005.
_SWITCH_SECONDS: Final = 0.0005


def tune() -> None:
    """Leave alone what the process has loaded so far, look at the rest less often, share sooner."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    sys.setswitchinterval(_SWITCH_SECONDS)
