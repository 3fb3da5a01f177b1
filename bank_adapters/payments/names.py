"""
Whether the holder of an account is who a payment names.

Pure. Banks cut names and write them in capitals, without points, with or without the legal form; so
what is compared is letters and digits, and the shorter name may be the beginning of the longer one.
Anything else is left to a person: a wrong account is the commonest fraud there is.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["same_holder"]

#: Legal forms and forms of address that stand before or behind a name, or don't.
_DROPPED: Final = frozenset(
    [
        "PT",
        "CV",
        "UD",
        "PD",
        "TBK",
        "PERSERO",
        "KOPERASI",
        "YAYASAN",
        "BPK",
        "IBU",
        "SDR",
        "SDRI",
        "H",
        "HJ",
        "DR",
        "DRS",
        "DRA",
        "IR",
        "PROF",
    ]
)
_WORD: Final = re.compile(r"[A-Z0-9]+")
#: A cut name says at least this much.
_LEAST: Final = 5


def same_holder(ours: str, banks: str) -> bool:
    """Whether the bank's name of the holder can be that of our payee."""
    mine, theirs = _plain(ours), _plain(banks)
    if not mine or not theirs:
        return False
    short, long = sorted((mine, theirs), key=len)
    return short == long or (len(short) >= _LEAST and long.startswith(short))


def _plain(name: str) -> str:
    folded = unicodedata.normalize("NFKD", name.replace(".", "").replace("'", "")).upper()
    words = _WORD.findall("".join(c for c in folded if not unicodedata.combining(c)))
    return "".join(word for word in words if word not in _DROPPED)
