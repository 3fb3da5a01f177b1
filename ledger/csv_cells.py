"""
Cells of the tables that we write, so that no spreadsheet takes a text for a formula.

A payee's name or a bank's narrative may begin with `=`, and a sheet that opens the file would run it
(CWE-1236). Such a text gets an apostrophe in front, as spreadsheets themselves mark text; a plain
number is left as it is, its minus too.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["inert"]

_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?", re.ASCII)


def inert(text: str) -> str:
    """*text* as a cell that no spreadsheet computes."""
    # Leading blanks are skipped by some programs before they look for a formula.
    if text.lstrip(" ").startswith(_STARTS) and _NUMBER.fullmatch(text) is None:
        return f"'{text}"
    return text
