"""One entry with its proof, from a government's database."""

from __future__ import annotations

import re

from sqlalchemy import Connection, select

from audit.checkpoints import latest
from audit.database import private_value
from audit.disclosure import Disclosure
from audit.errors import UnsealedActsError
from audit.proving import Proven, prove_entry
from audit.tiles_shell import read_tree, tile_reader

__all__ = ["prove_leaf"]

_COMMITMENT = re.compile(rb'"([0-9a-f]{64})"')


def prove_leaf(
    conn: Connection, government: str, index: int, *, disclosures: bool = False
) -> Proven:
    """
    Entry *index* of the present log under its last published checkpoint.

    With *disclosures* the private values that the entry commits to come along, as far as they were
    not erased. *index* counts in the present shard.

    Raises:
        BookMissingError: No book is kept for *government*.
        UnsealedActsError: Nothing was published yet.
        InvalidProofError: No such entry under the checkpoint, or a damaged database.
    """
    tree = read_tree(conn, government)
    last = latest(conn, government, tree.origin)
    if last is None:
        raise UnsealedActsError(sealed_size=0, size=tree.size)
    proven = prove_entry(tile_reader(conn, tree, last.size), last.note, index)
    if not disclosures:
        return proven
    wanted = {match.decode() for match in _COMMITMENT.findall(proven.entry)}
    rows = conn.execute(
        select(private_value)
        .where(private_value.c.government == government, private_value.c.commitment.in_(wanted))
        .order_by(private_value.c.commitment)
    )
    found = [Disclosure(row.commitment, row.field, row.salt, row.value) for row in rows]
    return Proven(proven.proof, proven.entry, found)
