"""Bare hashing: entries in memory, each hashed as a leaf, the tree level by level. Nothing is checked."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

__all__ = ["root_of"]


def root_of(entries: Sequence[bytes]) -> bytes:
    """The RFC 6962 root over *entries*, of which there is at least one."""
    row = [sha256(b"\x00" + entry).digest() for entry in entries]
    while len(row) > 1:
        pairs = iter(row)
        above = [sha256(b"\x01" + a + b).digest() for a, b in zip(pairs, pairs, strict=False)]
        if len(row) & 1:
            above.append(row[-1])
        row = above
    return row[0]
