"""
Compare rows with what the leaves say they must be: a row without leaf, a leaf without row, a column
that differs. Each difference is named by table, key and column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, text

from audit.canonical import parse_canonical
from audit.errors import NotCanonicalError
from ledger.findings import Finding

__all__ = ["Leaf", "Rederived", "Row", "compare", "read_leaves"]

Row = Mapping[str, Any]

_STREAM: Final = {"yield_per": 2_000}


@dataclass(frozen=True, slots=True)
class Leaf:
    """One act as its leaf says it."""

    index: int
    kind: str
    by: str
    at: str
    data: Mapping[str, Any]
    version: int = 1


class Rederived(NamedTuple):
    """
    How a table follows from leaves: its key, and *seen*, by column, what is compared of a stored
    value in place of the value itself (a hash, where the leaf holds a hash).
    """

    table: str
    key: Sequence[str]
    columns: Sequence[str]
    seen: Mapping[str, Callable[[Any], Any]] = {}
    owner: str = "government"


def read_leaves(
    conn: Connection, government: str, kinds: Iterable[str]
) -> Iterator[Leaf | Finding]:
    """Leaves of these kinds in order of the log; one that can't be read comes as a finding."""
    query = text(
        "SELECT idx, body FROM log_leaf WHERE government = :government AND kind IN :kinds ORDER BY idx"
    ).bindparams(bindparam("kinds", expanding=True))
    values = {"government": government, "kinds": sorted(kinds)}
    for row in conn.execute(query, values, execution_options=_STREAM):
        try:
            act = parse_canonical(bytes(row.body))
        except NotCanonicalError:
            act = None
        if isinstance(act, dict) and isinstance(act.get("data"), dict):
            said: Mapping[str, Any] = act
            version = act.get("v")
            yield Leaf(
                index=row.idx,
                kind=str(act.get("act")),
                by=str(act.get("by")),
                at=str(act.get("at")),
                data=said["data"],
                version=version if isinstance(version, int) else 0,
            )
        else:
            yield Finding(
                "leaf_unreadable", f"leaf {row.idx} is not an act", "log_leaf", str(row.idx), "body"
            )


def compare(
    conn: Connection, government: str, how: Rederived, expected: Iterable[Row]
) -> Iterator[Finding]:
    """The government's rows of one table against the expected ones, which name every column."""
    columns = ", ".join(how.columns)
    stored = [
        dict(row._mapping)
        for row in conn.execute(
            text(f"SELECT {columns} FROM {how.table} WHERE {how.owner} = :government"),
            {"government": government},
        )
    ]
    wanted: dict[tuple[Any, ...], Row] = {}
    for row in expected:
        key = _key(how, row)
        if key in wanted:
            yield Finding(
                "leaf_repeated",
                f"leaf {row['leaf_index']} makes {how.table} {_shown(key)} a second time",
                how.table,
                _shown(key),
            )
        wanted[key] = row
    strays: list[Row] = []
    for row in stored:
        said = wanted.pop(_key(how, row), None)
        if said is None:
            strays.append(row)
        else:
            yield from _differences(how, said, row)
    # A row whose key was changed still names its leaf.
    lost = {row["leaf_index"]: row for row in wanted.values()}
    for row in strays:
        said = lost.pop(row["leaf_index"], None)
        if said is not None:
            yield from _differences(how, said, row)
        else:
            yield _named(how, row, "row_without_leaf", "follows from no leaf")
    for index, row in lost.items():
        yield _named(how, row, "row_missing", f"of leaf {index} is not there")


def _named(how: Rederived, row: Row, code: str, what: str) -> Finding:
    key = _shown(_key(how, row))
    return Finding(code, f"{how.table} {key} {what}", how.table, key)


def _differences(how: Rederived, said: Row, row: Row) -> Iterator[Finding]:
    key = _shown(_key(how, said))
    for column in how.columns:
        see = how.seen.get(column)
        have = see(row[column]) if see is not None else row[column]
        if have != said[column]:
            yield Finding(
                "row_changed",
                f"{how.table} {key} has {column} {have!r}, leaf {said['leaf_index']} says"
                f" {said[column]!r}",
                how.table,
                key,
                column,
            )


def _key(how: Rederived, row: Row) -> tuple[Any, ...]:
    return tuple(row[column] for column in how.key)


def _shown(key: tuple[Any, ...]) -> str:
    return "/".join(str(part) for part in key)
