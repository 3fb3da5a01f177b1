"""
Merkle trees over SHA-256 (RFC 6962 section 2.1, RFC 9162 section 2.1, C2SP tlog-tiles).

    empty root = SHA-256("")     leaf = SHA-256(00 || entry)     node = SHA-256(01 || left || right)

A list of n > 1 splits at the largest power of two below n; a lone right node moves up unchanged and
is never paired with itself. Bytes in, bytes out: the caller says where hashes come from.

Proofs are built from a `SubtreeReader`: `read(height, index)` gives the hash of the complete
subtree over leaves [index * 2**height, (index + 1) * 2**height). It is only asked for complete
subtrees, so it can be served from a list, from tiles or from a database.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

from audit.errors import InvalidProofError

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()

SubtreeReader: TypeAlias = Callable[[int, int], bytes]


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(00 || entry), 32 bytes."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(01 || left || right), 32 bytes."""
    return sha256(b"\x01" + left + right).digest()


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    """The root over a list of leaf hashes."""
    return Frontier().extend(leaf_hashes).root()


@dataclass(frozen=True, slots=True)
class Frontier:
    """
    The right edge of a tree: all that is needed to append and to compute the root.

    `hashes` are the roots of the complete subtrees that `size` is made of, left to right (largest
    first), one for each 1 bit of the size. As bytes: the hashes one after another; the size is kept
    beside them.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise ValueError(f"size {self.size} does not have {len(self.hashes)} edge hashes")
        if any(len(h) != HASH_BYTES for h in self.hashes):
            raise ValueError("an edge hash is not 32 bytes")

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> "Frontier":
        """Read what `to_bytes` wrote. Raises ValueError when the length does not fit the size."""
        if len(data) % HASH_BYTES:
            raise ValueError(f"{len(data)} bytes are not whole hashes")
        return cls(size, tuple(data[i : i + HASH_BYTES] for i in range(0, len(data), HASH_BYTES)))

    def to_bytes(self) -> bytes:
        """32 * popcount(size) bytes."""
        return b"".join(self.hashes)

    def root(self) -> bytes:
        """The root of the tree at this size."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in self.hashes[-2::-1]:
            root = node_hash(left, root)
        return root

    def extend(self, leaf_hashes: Iterable[bytes]) -> "Frontier":
        """The frontier after appending *leaf_hashes*, in order. Below 1 us a leaf in long lists."""
        return self.grow(leaf_hashes).frontier

    def grow(self, leaf_hashes: Iterable[bytes]) -> "Growth":
        """Append *leaf_hashes* and keep every subtree hash that became complete by it."""
        hashes = list(self.hashes)
        edge: list[bytes] = []  # the new part of the edge, right to left
        levels: list[tuple[int, list[bytes]]] = []
        fresh = list(leaf_hashes)
        if any(len(h) != HASH_BYTES for h in fresh):
            raise ValueError("a leaf hash is not 32 bytes")
        size = self.size + len(fresh)
        position = self.size  # index, at this height, of the first fresh subtree
        while fresh:
            levels.append((position, fresh))
            row = [hashes.pop(), *fresh] if position & 1 else fresh
            if len(row) & 1:
                edge.append(row[-1])
            pairs = iter(row)
            # zip drops the odd last one: it is on the edge now.
            fresh = [sha256(b"\x01" + a + b).digest() for a, b in zip(pairs, pairs, strict=False)]
            position >>= 1
        return Growth(Frontier(size, (*hashes, *reversed(edge))), tuple(levels))


@dataclass(frozen=True, slots=True)
class Growth:
    """
    What an append added to a tree.

    `levels[height]` is (index of the first, hashes) of the subtrees of 2**height leaves that became
    complete; height 0 are the leaves themselves. Hash tiles hold heights 0, 8, 16...
    """

    frontier: Frontier
    levels: tuple[tuple[int, Sequence[bytes]], ...]


def subtrees_of(leaf_hashes: Sequence[bytes]) -> SubtreeReader:
    """A reader of subtree hashes over a plain list of leaf hashes."""
    levels = Frontier().grow(leaf_hashes).levels

    def read(height: int, index: int) -> bytes:
        return levels[height][1][index]

    return read


def subtree_root(read: SubtreeReader, start: int, end: int) -> bytes:
    """
    The root over leaves [start, end), as a tree of its own.

    *start* must be a multiple of the largest power of two <= end - start, as every range that
    occurs in a proof is; anything else is a mistake of ours (ValueError).
    """
    count = end - start
    if count == 0:
        return EMPTY_ROOT
    if count < 0 or start % (1 << (count.bit_length() - 1)):
        raise ValueError(f"[{start}, {end}) is not a subtree")
    # Complete subtrees from right to left: the lowest bit of the count is the rightmost one.
    root = b""
    while count:
        height = (count & -count).bit_length() - 1
        part = read(height, (start + count - 1) >> height)
        root = node_hash(part, root) if root else part
        count &= count - 1
    return root


def tree_root(size: int, read: SubtreeReader) -> bytes:
    """The root of the first *size* leaves."""
    return subtree_root(read, 0, size)


def inclusion_proof(index: int, size: int, read: SubtreeReader) -> list[bytes]:
    """
    The siblings from leaf *index* up to the root of the first *size* leaves (RFC 9162 2.1.3.1).

    Raises ValueError unless 0 <= index < size.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    siblings = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((start, middle))
            start = middle
    return [subtree_root(read, *sibling) for sibling in reversed(siblings)]


def consistency_proof(old_size: int, new_size: int, read: SubtreeReader) -> list[bytes]:
    """
    The proof that *old_size* leaves are a prefix of *new_size* leaves (RFC 9162 2.1.4.1).

    Empty when old_size is 0 or equals new_size. Raises ValueError unless 0 <= old_size <= new_size.
    """
    if not 0 <= old_size <= new_size:
        raise ValueError(f"no proof from size {old_size} to {new_size}")
    if old_size == 0:
        return []
    parts = []
    start, end = 0, new_size
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            parts.append((middle, end))
            end = middle
        else:
            parts.append((start, middle))
            start = middle
    if start > 0:  # otherwise the last part is the whole old tree, whose root the verifier has
        parts.append((start, end))
    return [subtree_root(read, *part) for part in reversed(parts)]


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """
    The root that *proof* gives to leaf hash *leaf* at *index* of *size* (RFC 9162 2.1.3.2).

    Raises:
        InvalidProofError: Index outside the tree, a hash of another length, too short or too long.
    """
    if not 0 <= index < size:
        raise InvalidProofError(f"no leaf {index} in a tree of {size}")
    _check_hashes([leaf, *proof])
    node, last, root = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise InvalidProofError("it has too many hashes")
        if node & 1 or node == last:
            root = node_hash(sibling, root)
            # A lone right node moves up until it is a right child (or the root) itself.
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            root = node_hash(root, sibling)
        node >>= 1
        last >>= 1
    if last:
        raise InvalidProofError("it has too few hashes")
    return root


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Show that leaf hash *leaf* is at *index* of tree (*size*, *root*), or InvalidProofError."""
    _check_hashes([root])
    if root_from_inclusion(leaf, index, size, proof) != root:
        raise InvalidProofError("it leads to another root")


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """
    Show that (new_size, new_root) continues (old_size, old_root), or InvalidProofError.

    RFC 9162 section 2.1.4.2. What the RFC leaves open is decided so: equal sizes take an empty
    proof and equal roots; old_size 0 takes an empty proof and the empty root (as C2SP tlog-witness
    does; some libraries refuse it), because every tree continues the empty one; a size 0 on either
    side must carry the empty root.
    """
    if not 0 <= old_size <= new_size:
        raise InvalidProofError(f"size {new_size} cannot continue size {old_size}")
    _check_hashes([old_root, new_root, *proof])
    if old_size == 0 and old_root != EMPTY_ROOT:
        raise InvalidProofError("size 0 does not carry the empty root")
    if old_size in (0, new_size):
        if proof:
            raise InvalidProofError("it should be empty")
        if old_size == new_size and old_root != new_root:
            raise InvalidProofError("two roots of one size")
        return
    if not proof:
        raise InvalidProofError("it is empty")
    hashes = list(proof)
    if old_size & (old_size - 1) == 0:
        hashes.insert(0, old_root)
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node >>= 1
        last >>= 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise InvalidProofError("it has too many hashes")
        if node & 1 or node == last:
            old = node_hash(sibling, old)
            new = node_hash(sibling, new)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            new = node_hash(new, sibling)
        node >>= 1
        last >>= 1
    if last:
        raise InvalidProofError("it has too few hashes")
    if old != old_root:
        raise InvalidProofError("it leads to another old root")
    if new != new_root:
        raise InvalidProofError("it leads to another new root")


def _split(count: int) -> int:
    """The largest power of two below *count* (count > 1)."""
    return 1 << ((count - 1).bit_length() - 1)


def _check_hashes(hashes: Iterable[bytes]) -> None:
    if any(len(h) != HASH_BYTES for h in hashes):
        raise InvalidProofError("a hash is not 32 bytes")
