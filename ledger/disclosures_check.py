"""
Is every commitment still backed by its private value, or by an act that erased it?

Found by columns: every column of the schema that ends in `_c` holds commitments. What stands in
leaves alone (reasons, drafts) is looked up by the leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, Table, bindparam, text

from audit.database import metadata
from ledger.findings import Finding
from ledger.privacy import erased_commitments
from ledger.rederive import Leaf

__all__ = ["check_disclosures"]

#: Members of a proposal's content that are commitments; of other acts the reason is.
_COMMITTED: Final = {
    "person.add": ("name", "nip"),
    "journal.manual": ("description", "payee_name"),
    "journal.reverse": ("reason",),
    "payee.erase": ("reason",),
    "allowance.set": ("reason",),
}
_CHUNK: Final = 500


def check_disclosures(conn: Connection, government: str, acts: Sequence[Leaf]) -> Iterator[Finding]:
    """
    An error for each value that is gone without an act; one note for those that were erased.
    """
    erased = set(erased_commitments(conn, government))
    gone: set[str] = set()
    for table in metadata.sorted_tables:
        if "government" not in table.c:
            continue
        for column in (column.name for column in table.c if column.name.endswith("_c")):
            for commitment in _without_value(conn, government, table, column):
                if commitment in erased:
                    gone.add(commitment)
                else:
                    yield _missing(table.name, column, commitment)
    in_leaves = {
        leaf.data["content"].get(name)
        for leaf in acts
        if leaf.kind == "proposal.made" and isinstance(leaf.data.get("content"), dict)
        for name in _COMMITTED.get(str(leaf.data.get("act")), ("reason",))
    }
    for commitment in sorted(_unknown(conn, government, in_leaves)):
        if commitment in erased:
            gone.add(commitment)
        else:
            yield _missing("proposal", "content", commitment)
    if gone:
        yield Finding(
            "disclosure_erased",
            f"{len(gone)} values were erased by acts and can't be disclosed any more",
            "private_value",
            severity="note",
        )


def _missing(table: str, column: str, commitment: str) -> Finding:
    return Finding(
        "disclosure_missing",
        f"the private value of commitment {commitment} ({table}.{column}) is gone, and no act"
        " erased it",
        table,
        commitment,
        column,
    )


def _without_value(conn: Connection, government: str, table: Table, column: str) -> Iterator[str]:
    rows = conn.execute(
        text(
            f"SELECT DISTINCT x.{column} FROM {table.name} x WHERE x.government = :government"
            f" AND x.{column} <> '' AND NOT EXISTS (SELECT 1 FROM private_value v"
            f" WHERE v.government = x.government AND v.commitment = x.{column}) ORDER BY 1"
        ),
        {"government": government},
    )
    for row in rows:
        yield row[0]


def _unknown(conn: Connection, government: str, commitments: Iterable[object]) -> set[str]:
    wanted = sorted(c for c in commitments if isinstance(c, str) and len(c) == 64)
    query = text(
        "SELECT commitment FROM private_value"
        " WHERE government = :government AND commitment IN :wanted"
    ).bindparams(bindparam("wanted", expanding=True))
    known: set[str] = set()
    for start in range(0, len(wanted), _CHUNK):
        values = {"government": government, "wanted": wanted[start : start + _CHUNK]}
        known.update(conn.execute(query, values).scalars())
    return set(wanted) - known
