"""
Compare the rows of a table, streamed, with rows that were derived from leaves and contents.

Beside `rederive.compare`, for tables whose rows name no leaf of their own: what they must be follows
from several leaves, or from a content that a leaf names by hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, select

from ledger.findings import Finding

__all__ = ["check_rows", "sha256_or_empty"]

Key = tuple[Any, ...]


def check_rows(
    conn: Connection,
    government: str,
    table: Table,
    key: Sequence[str],
    wanted: Mapping[Key, Mapping[str, Any]],
    *,
    columns: Sequence[str] = (),
    seen: Mapping[str, Callable[[Any], Any]] | None = None,
) -> Iterator[Finding]:
    """
    Name each row that differs from *wanted*, is missing, or follows from nothing.

    *columns* are those compared (default: all but the government and the key); *seen* is what is
    compared of a stored value, a hash for instance.
    """
    compared = tuple(columns) or tuple(c for c in table.c.keys()[1:] if c not in key)
    looks = seen or {}
    left = dict(wanted)
    names = (*key, *compared)
    rows = conn.execute(
        select(*(table.c[name] for name in names)).where(table.c.government == government),
        execution_options={"yield_per": 2_000},
    )
    for row in rows:
        at = tuple(row[: len(key)])
        shown = "/".join(str(part) for part in at)
        said = left.pop(at, None)
        if said is None:
            yield Finding(
                "row_without_leaf",
                f"{table.name} {shown} follows from no leaf",
                table.name,
                shown,
            )
            continue
        for name, value in zip(compared, row[len(key) :], strict=True):
            look = looks.get(name)
            have = look(value) if look is not None else value
            if have != said[name]:
                yield Finding(
                    "row_changed",
                    f"{table.name} {shown} has {name} {have!r}, the log says {said[name]!r}",
                    table.name,
                    shown,
                    name,
                )
    for at in left:
        shown = "/".join(str(part) for part in at)
        yield Finding(
            "row_missing", f"{table.name} {shown} of the log is not there", table.name, shown
        )


def sha256_or_empty(data: bytes) -> str:
    """Digest of bytes, empty for none: how a leaf names an envelope or a list of checks."""
    return hashlib.sha256(bytes(data)).hexdigest() if data else ""
