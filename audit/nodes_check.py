"""
Re-derive the stored tree nodes (`log_node`) while the leaves of a log pass by.

Nodes are kept so that proofs cost the same at any length. A wrong one can't make anything false be
believed, but proofs and tiles built from it fail, and the next checkpoint can't be signed.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select

from audit.database import log_node
from audit.findings import Finding
from audit.merkle import root_of
from audit.tiles import LEVEL_HEIGHT, TILE_WIDTH

__all__ = ["NodesCheck"]


class NodesCheck:
    """
    Give it every leaf in order with `add`, say `begin` where a shard begins, then ask for the `rest`.

    A leaf whose bytes and stored hash differ is named elsewhere; a node is right when it follows from
    either, so that one edited leaf is not reported three times.
    """

    def __init__(self, conn: Connection, government: str) -> None:
        rows = conn.execute(select(log_node).where(log_node.c.government == government))
        self._rows = {(row.origin, row.level, row.idx): bytes(row.hash) for row in rows}
        self._origin = ""
        self._stored: list[bytes] = []
        self._computed: list[bytes] = []
        self._levels: list[list[bytes]] = []  # nodes of each level from 1 on, not yet 256
        self._done: list[int] = []
        self._absent: list[list[int]] = []
        self._lost = False

    def begin(self, origin: str) -> None:
        """The leaves that follow are those of another tree."""
        self._drop_lost()
        self._origin, self._lost = origin, False
        self._stored, self._computed = [], []
        self._levels, self._done, self._absent = [], [], []

    def leaves_missing(self) -> None:
        """What follows stands at other places than it did: its nodes can't be re-derived."""
        self._lost = True

    def add(self, stored: bytes, computed: bytes) -> Iterator[Finding]:
        """The next leaf: its hash as it is stored, and as its bytes give it."""
        self._stored.append(stored)
        self._computed.append(computed)
        if len(self._stored) == TILE_WIDTH:
            given = {root_of(self._stored)}
            if self._stored != self._computed:
                given.add(root_of(self._computed))
            self._stored, self._computed = [], []
            if not self._lost:
                yield from self._node(1, given)

    def rest(self) -> Iterator[Finding]:
        """Nodes that stand for no leaves."""
        self._drop_lost()
        for origin, level, idx in sorted(self._rows):
            yield Finding(
                "log_node_unknown",
                f"node {idx} of level {level} of {origin} stands for leaves that are not there",
                "log_node",
                f"{origin} {level} {idx}",
            )

    def _node(self, level: int, given: set[bytes]) -> Iterator[Finding]:
        if len(self._done) < level:
            self._done.append(0)
            self._levels.append([])
            self._absent.append([])
        idx = self._done[level - 1]
        self._done[level - 1] += 1
        have = self._rows.pop((self._origin, level, idx), None)
        if have is None:
            # Nodes are stored when the log is sealed; only those before one that is stored are due.
            self._absent[level - 1].append(idx)
        else:
            for absent in self._absent[level - 1]:
                yield self._finding("log_node_missing", level, absent, "is missing", "")
            self._absent[level - 1] = []
            if have not in given:
                what = f"is {have.hex()}, its leaves give {min(given).hex()}"
                yield self._finding("log_node_changed", level, idx, what, "hash")
        row = self._levels[level - 1]
        row.append(have if have is not None and have in given else min(given))
        if len(row) == TILE_WIDTH:
            self._levels[level - 1] = []
            yield from self._node(level + 1, {root_of(row)})

    def _finding(self, code: str, level: int, idx: int, what: str, column: str) -> Finding:
        span = 1 << (LEVEL_HEIGHT * level)
        return Finding(
            code,
            f"node {idx} of level {level} (entries {idx * span} to {(idx + 1) * span - 1} of"
            f" {self._origin}) {what}",
            "log_node",
            f"{self._origin} {level} {idx}",
            column,
        )

    def _drop_lost(self) -> None:
        if self._lost:
            self._rows = {key: node for key, node in self._rows.items() if key[0] != self._origin}
