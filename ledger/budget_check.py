"""
Re-derive the budget from its loads: what each line is for, its ceiling, the funds released.

A load's leaf holds the digest of its entries; the entries are rows, and the last one that names a
line or a release gives its figure. What is reserved follows from documents (`documents_check`), what
is spent from the journals (`journals_check`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from ledger import tables as t
from ledger.budget import Entry, entries_sha256
from ledger.findings import Finding
from ledger.rederive import Leaf, read_leaves
from ledger.row_check import check_rows

__all__ = ["check_budget"]

_LINE = (
    "fiscal_year",
    "skpd",
    "sub_kegiatan",
    "account",
    "fund_source",
    "bucket_id",
    "ceiling_sen",
)
_BUCKET = ("fiscal_year", "level", "released_sen")


def check_budget(conn: Connection, government: str) -> Iterator[Finding]:
    """Loads and their entries against the leaves, then lines and releases against the entries."""
    loads: dict[tuple[Any, ...], dict[str, Any]] = {}
    lines: dict[tuple[Any, ...], dict[str, Any]] = {}
    buckets: dict[tuple[Any, ...], dict[str, Any]] = {}
    changed: set[int] = set()
    latest: dict[tuple[str, str], int] = {}
    for leaf in read_leaves(conn, government, ["budget.loaded"]):
        if isinstance(leaf, Finding):
            yield leaf
            continue
        n = leaf.data["load"]
        loads[n,] = _load_row(leaf)
        entries = _entries(conn, government, n)
        if (len(entries), entries_sha256(entries)) != (
            leaf.data["entries"],
            leaf.data["entries_sha256"],
        ):
            changed.add(n)
            yield Finding(
                "entries_changed",
                f"the entries of budget load {n} are not those of leaf {leaf.index}",
                "budget_load_entry",
                str(n),
            )
        latest |= {(entry.target, entry.id): n for entry in entries}
        try:
            _apply(leaf, entries, lines, buckets)
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            yield Finding(
                "entry_unreadable",
                f"an entry of budget load {n} can't be read ({type(error).__name__})",
                "budget_load_entry",
                str(n),
                "content",
            )
    yield from check_rows(conn, government, t.budget_load, ("n",), loads)
    e = t.budget_load_entry.c
    for row in conn.execute(
        select(e.load_n).distinct().where(e.government == government).order_by(e.load_n)
    ):
        if (row[0],) not in loads:
            yield Finding(
                "row_without_leaf",
                f"entries of budget load {row[0]} follow from no leaf",
                "budget_load_entry",
                str(row[0]),
            )
    found = [
        *check_rows(conn, government, t.budget_line, ("id",), lines, columns=_LINE),
        *check_rows(conn, government, t.release_bucket, ("id",), buckets, columns=_BUCKET),
    ]
    yield from _told_by_entries(found, changed, latest) if changed else found


_TARGETS = {"budget_line": "line", "release_bucket": "release"}


def _told_by_entries(
    found: list[Finding], changed: set[int], latest: Mapping[tuple[str, str], int]
) -> Iterator[Finding]:
    """
    A line or release that differs from entries which are themselves not those that were loaded: it
    is the entry that was edited. One that is gone may have been of any later load that lost its
    digest.
    """
    for finding in found:
        target = _TARGETS[finding.table]
        of = latest.get((target, finding.key))
        loads = [of] if of in changed else sorted(n for n in changed if of is None or n > of)
        for n in loads:
            yield Finding(
                "entry_changed",
                f"entry {target} {finding.key} of budget load {n} is not what the books took from"
                f" it: {finding.message}",
                "budget_load_entry",
                f"{n}/{target}/{finding.key}",
                _ENTRY_COLUMN.get(finding.column, "content" if finding.column else ""),
            )
        if not loads:
            yield finding


_ENTRY_COLUMN = {"ceiling_sen": "amount_sen", "released_sen": "amount_sen"}


def _load_row(leaf: Leaf) -> dict[str, Any]:
    data = leaf.data
    return {
        "fiscal_year": data["fiscal_year"],
        "file_sha256": data["file_sha256"],
        "entries": data["entries"],
        "entries_sha256": data["entries_sha256"],
        "loaded_by": leaf.by,
        "loaded_at": leaf.at,
        "leaf_index": leaf.index,
    }


def _entries(conn: Connection, government: str, n: int) -> list[Entry]:
    e = t.budget_load_entry.c
    found = conn.execute(
        select(e.target, e.id, e.content, e.amount_sen).where(
            e.government == government, e.load_n == n
        )
    )
    return sorted((Entry(*row) for row in found), key=lambda entry: (entry.target, entry.id))


def _apply(
    leaf: Leaf,
    entries: list[Entry],
    lines: dict[tuple[Any, ...], dict[str, Any]],
    buckets: dict[tuple[Any, ...], dict[str, Any]],
) -> None:
    """A later figure replaces an earlier one; a release starts at nothing with its first line."""
    year, level = leaf.data["fiscal_year"], leaf.data["release_level"]
    for entry in entries:  # lines come before releases
        if entry.target == "line":
            said = msgspec.json.decode(entry.content)
            bucket = said.pop("bucket")
            lines[entry.id,] = {
                **said,
                "fiscal_year": year,
                "bucket_id": bucket,
                "ceiling_sen": entry.amount_sen,
            }
            buckets.setdefault((bucket,), {"fiscal_year": year, "level": level, "released_sen": 0})
        else:
            buckets[entry.id,]["released_sen"] = entry.amount_sen
