"""
Tiles and entries of a government's log, read from its database (C2SP tlog-tiles).

Level 0 and the entry bundles come from `log_leaf`, higher levels from `log_node`, which each
checkpoint fills. What is not filled yet is computed from the level below. Nothing here is trusted:
a proof built from it is checked against a signed root by whoever uses it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from sqlalchemy import Connection, func, select

from audit import bulk
from audit.database import checkpoint, log_edge, log_leaf, log_node, log_shard
from audit.errors import AuditError, MalformedTileError
from audit.log import BookMissingError
from audit.merkle import Frontier, root_of
from audit.tiles import (
    ENTRIES,
    LEVEL_HEIGHT,
    TILE_WIDTH,
    Tile,
    TileReader,
    encode_bundle,
    parse_tile_path,
)

__all__ = [
    "NotPublishedError",
    "Served",
    "Tree",
    "entries",
    "fill_nodes",
    "read_shards",
    "read_tile",
    "read_tree",
    "serve",
    "tile_reader",
]

_CHUNK: Final = 256 * TILE_WIDTH  # leaf hashes at once: 2 MB


class NotPublishedError(AuditError):
    """No published checkpoint covers this path of the public log, or there is no such path."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path[:120]!r} is not published")
        self.path = path[:120]


@dataclass(frozen=True, slots=True)
class Tree:
    """
    One tree (shard) of a government's log as the database has it.

    Leaf i of the tree is row `base + i` of `log_leaf`. `frontier` is what the edge row says.
    """

    government: str
    origin: str
    base: int
    size: int
    frontier: Frontier


def read_tree(conn: Connection, government: str) -> Tree:
    """The tree that acts are appended to. Raises BookMissingError."""
    row = conn.execute(select(log_edge).where(log_edge.c.government == government)).first()
    if row is None:
        raise BookMissingError(government=government)
    frontier = Frontier.from_bytes(row.size, bytes(row.edge))
    return Tree(government, row.origin, row.base, row.size, frontier)


def read_shards(conn: Connection, government: str) -> list[Tree]:
    """Every tree of a government, oldest first; all but the last have ended. BookMissingError."""
    last = read_tree(conn, government)
    rows = conn.execute(
        select(log_shard).where(log_shard.c.government == government).order_by(log_shard.c.n)
    ).all()
    ended = []
    for row, following in pairwise(rows):
        size: int = conn.execute(
            select(func.count()).where(
                log_leaf.c.government == government,
                log_leaf.c.idx >= row.base,
                log_leaf.c.idx < following.base,
            )
        ).scalar_one()
        tree = Tree(government, row.origin, row.base, size, Frontier())
        frontier = Frontier()
        for chunk in _leaf_hashes(conn, tree, 0, size):
            frontier = frontier.extend(chunk)
        ended.append(Tree(government, row.origin, row.base, size, frontier))
    return [*ended, last]


def tile_reader(conn: Connection, tree: Tree, size: int | None = None) -> TileReader:
    """Subtree hashes and entries of the first *size* leaves, for proofs."""
    return TileReader(
        lambda path: read_tile(conn, tree, parse_tile_path(path)),
        tree.size if size is None else size,
    )


def read_tile(conn: Connection, tree: Tree, tile: Tile) -> bytes:
    """
    The bytes of one tile or entry bundle, of whatever the tree holds.

    Raises:
        NotPublishedError: The tree is shorter.
    """
    first = tile.index * TILE_WIDTH
    end = first + tile.width
    if end > tree.size >> (LEVEL_HEIGHT * max(tile.level, 0)):
        raise NotPublishedError(tile.path)
    if tile.level == ENTRIES:
        return encode_bundle([body for _, _, body, _ in entries(conn, tree, first, end)])
    if tile.level == 0:
        return b"".join(h for chunk in _leaf_hashes(conn, tree, first, end) for h in chunk)
    return b"".join(_nodes(conn, tree, tile.level, first, end))


def entries(
    conn: Connection, tree: Tree, start: int, end: int
) -> Iterator[tuple[int, str, bytes, bytes]]:
    """(index in the tree, kind, body, stored leaf hash) of leaves [start, end), in order."""
    rows = conn.execute(
        select(log_leaf.c.idx, log_leaf.c.kind, log_leaf.c.body, log_leaf.c.leaf_hash)
        .where(
            log_leaf.c.government == tree.government,
            log_leaf.c.idx >= tree.base + start,
            log_leaf.c.idx < tree.base + end,
        )
        .order_by(log_leaf.c.idx)
    )
    for index, kind, body, digest in rows:
        yield index - tree.base, kind, bytes(body), bytes(digest)


def fill_nodes(conn: Connection, tree: Tree) -> None:
    """Store the hashes of level 1 and higher that the tree has grown since the last time."""
    rows: list[bulk.Row] = []
    level = 1
    while width := tree.size >> (LEVEL_HEIGHT * level):
        done = _stored(conn, tree, level)
        rows = [
            (tree.government, tree.origin, level, done + i, digest)
            for i, digest in enumerate(_computed(conn, tree, level, done, width))
        ]
        bulk.insert_rows(conn, log_node, tuple(log_node.c.keys()), rows)
        level += 1


def _stored(conn: Connection, tree: Tree, level: int) -> int:
    last = conn.execute(
        select(func.max(log_node.c.idx)).where(
            log_node.c.government == tree.government,
            log_node.c.origin == tree.origin,
            log_node.c.level == level,
        )
    ).scalar()
    return 0 if last is None else last + 1


def _nodes(conn: Connection, tree: Tree, level: int, start: int, end: int) -> list[bytes]:
    """Hashes [start, end) of a level >= 1: the stored ones, then computed ones."""
    found = conn.execute(
        select(log_node.c.idx, log_node.c.hash)
        .where(
            log_node.c.government == tree.government,
            log_node.c.origin == tree.origin,
            log_node.c.level == level,
            log_node.c.idx >= start,
            log_node.c.idx < end,
        )
        .order_by(log_node.c.idx)
    )
    hashes: list[bytes] = []
    for index, digest in found:
        if index != start + len(hashes):
            break  # a hole: whoever made it does not decide what is served behind it
        hashes.append(bytes(digest))
    hashes.extend(_computed(conn, tree, level, start + len(hashes), end))
    return hashes


def _computed(conn: Connection, tree: Tree, level: int, start: int, end: int) -> Iterator[bytes]:
    """Hashes [start, end) of a level >= 1 from the level below it."""
    if level == 1:
        for chunk in _leaf_hashes(conn, tree, start * TILE_WIDTH, end * TILE_WIDTH):
            for at in range(0, len(chunk), TILE_WIDTH):
                yield root_of(chunk[at : at + TILE_WIDTH])
        return
    for index in range(start, end):
        first = index * TILE_WIDTH
        yield root_of(_nodes(conn, tree, level - 1, first, first + TILE_WIDTH))


def _leaf_hashes(conn: Connection, tree: Tree, start: int, end: int) -> Iterator[list[bytes]]:
    """Stored leaf hashes [start, end) in lists of at most 65,536 (a multiple of 256 each but one)."""
    for first in range(start, end, _CHUNK):
        rows = conn.execute(
            select(log_leaf.c.leaf_hash)
            .where(
                log_leaf.c.government == tree.government,
                log_leaf.c.idx >= tree.base + first,
                log_leaf.c.idx < tree.base + min(end, first + _CHUNK),
            )
            .order_by(log_leaf.c.idx)
        )
        yield [bytes(row[0]) for row in rows]


# --- the public log ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Served:
    """
    An answer of the public log. `immutable` may be cached for ever; the checkpoint not at all.

    `is_entries` marks entry bundles, which not everybody may read (D22).
    """

    body: bytes
    content_type: str
    immutable: bool
    is_entries: bool


def serve(conn: Connection, government: str, path: str) -> Served:
    """
    What the public log answers to `checkpoint` or `tile/...`, up to the last published checkpoint.

    Raises:
        BookMissingError: No such government here.
        NotPublishedError: Everything else that has no answer, whatever the reason.
    """
    tree = read_tree(conn, government)
    last = conn.execute(
        select(checkpoint.c.size, checkpoint.c.note)
        .where(checkpoint.c.government == government, checkpoint.c.origin == tree.origin)
        .order_by(checkpoint.c.size.desc())
        .limit(1)
    ).first()
    if last is None:
        raise NotPublishedError(path)
    if path == "checkpoint":
        return Served(last.note.encode(), "text/plain; charset=utf-8", False, False)
    try:
        tile = parse_tile_path(path)
    except MalformedTileError as error:
        raise NotPublishedError(path) from error
    published = replace(tree, size=last.size)
    body = read_tile(conn, published, tile)
    return Served(body, "application/octet-stream", True, tile.level == ENTRIES)
