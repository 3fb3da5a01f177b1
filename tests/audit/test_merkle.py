"""Merkle trees against the definition in RFC 6962, known roots, and proofs bent in every way."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import InvalidProofError
from audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_from_inclusion,
    root_of,
    subtree_root,
    subtrees_of,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

# The entries and roots of the reference tests of RFC 6962 (sizes 0 to 8).
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SIZE_MAX = 300
LEAVES = [leaf_hash(str(i).encode()) for i in range(SIZE_MAX)]
READ = subtrees_of(LEAVES)
SIZE_ROOTS = [root_of(LEAVES[:size]) for size in range(SIZE_MAX + 1)]


def mth(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """RFC 6962 section 2.1.2, word for word."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def test_leaf_and_node_hash_have_separate_domains() -> None:
    """A leaf is hashed behind 00 and a node behind 01, so neither can pass for the other."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")

    assert sha256(b"\x00a").digest() == left
    assert sha256(b"\x01" + left + right).digest() == node_hash(left, right)
    assert leaf_hash(b"\x01" + left + right) != node_hash(left, right)


@pytest.mark.parametrize("size", range(9))
def test_root_of_the_reference_entries_is_the_known_one(size: int) -> None:
    """The roots over 0 to 8 reference entries are those every RFC 6962 implementation has."""
    assert ROOTS[size] == root_of(map(leaf_hash, ENTRIES[:size])).hex()


def test_root_of_every_size_to_300_is_the_definition() -> None:
    """Extending, reading subtrees and the recursive definition agree on each size."""
    for size in range(SIZE_MAX + 1):
        expected = mth(LEAVES[:size])

        assert expected == SIZE_ROOTS[size]
        assert expected == tree_root(size, READ)


def test_root_with_a_lone_right_node_is_not_the_root_with_it_doubled() -> None:
    """A lone node moves up unpaired: doubling the last leaf gives another root."""
    for size in (1, 3, 5, 6, 7):
        assert SIZE_ROOTS[size] != root_of([*LEAVES[:size], LEAVES[size - 1]])


@given(st.lists(st.integers(0, 40), max_size=8))
def test_frontier_grown_in_steps_is_the_frontier_grown_at_once(steps: list[int]) -> None:
    """How the leaves are cut into appends changes neither edge nor root, nor does storing it."""
    size, frontier = 0, Frontier()
    for step in steps:
        fresh = (LEAVES * 2)[size : size + step]
        frontier = Frontier.from_bytes(size, frontier.to_bytes()).extend(fresh)
        size += step

    assert Frontier().extend((LEAVES * 2)[:size]) == frontier
    assert 32 * size.bit_count() == len(frontier.to_bytes())


@given(st.integers(0, 200), st.integers(0, 100))
def test_growth_levels_are_exactly_the_subtrees_that_became_complete(old: int, add: int) -> None:
    """Each height lists the complete subtrees of the new size that the old size did not have."""
    growth = Frontier().extend(LEAVES[:old]).grow(LEAVES[old : old + add])
    actual = {
        (height, first + i): value
        for height, (first, hashes) in enumerate(growth.levels)
        for i, value in enumerate(hashes)
    }
    expected = {
        (height, index): READ(height, index)
        for height in range(9)
        for index in range(old >> height, (old + add) >> height)
    }

    assert expected == actual


@pytest.mark.parametrize(
    ("size", "data"),
    [(1, b""), (0, bytes(32)), (3, bytes(32)), (1, bytes(31)), (1, bytes(33)), (-1, b"")],
)
def test_frontier_of_another_length_than_its_size_is_refused(size: int, data: bytes) -> None:
    """An edge has one hash for each 1 bit of the size, or it does not exist."""
    with pytest.raises(ValueError, match="hash"):
        Frontier.from_bytes(size, data)


def test_frontier_given_a_short_leaf_hash_is_refused() -> None:
    """A leaf hash of 31 bytes never enters a tree."""
    with pytest.raises(ValueError, match="32 bytes"):
        Frontier().extend([LEAVES[0], LEAVES[1][:31]])


def test_subtree_root_of_an_unaligned_range_is_refused() -> None:
    """A range that no tree has as a subtree is a caller's mistake."""
    with pytest.raises(ValueError, match="not a subtree"):
        subtree_root(READ, 1, 3)


def test_inclusion_proof_of_every_leaf_is_the_definition_and_verifies() -> None:
    """Each leaf of each size to 65, and of 255 to 257 and 300, has its RFC proof, and it holds."""
    for size in [*range(1, 66), 255, 256, 257, 300]:
        for index in range(size):
            proof = inclusion_proof(index, size, READ)

            assert path(index, LEAVES[:size]) == proof
            verify_inclusion(LEAVES[index], index, size, proof, SIZE_ROOTS[size])


def test_consistency_proof_of_every_pair_is_the_definition_and_verifies() -> None:
    """Each pair of sizes up to 65 and some to 300 has its RFC proof, and it holds."""
    pairs = [(old, new) for new in range(66) for old in range(new + 1)]
    pairs += [(old, new) for new in (255, 256, 257, 300) for old in range(0, new + 1, 7)]
    for old, new in pairs:
        proof = consistency_proof(old, new, READ)

        assert (subproof(old, LEAVES[:new], True) if old else []) == proof
        verify_consistency(old, SIZE_ROOTS[old], new, SIZE_ROOTS[new], proof)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 1), (300, 300)])
def test_inclusion_outside_the_tree_is_refused_both_ways(index: int, size: int) -> None:
    """There is no proof of a leaf at or behind the size, and none is accepted."""
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof(index, size, READ)
    with pytest.raises(InvalidProofError, match="no leaf"):
        verify_inclusion(LEAVES[0], index, size, [], LEAVES[0])


def test_consistency_from_a_larger_size_is_refused_both_ways() -> None:
    """A tree never continues a larger one."""
    with pytest.raises(ValueError, match="no proof"):
        consistency_proof(4, 3, READ)
    with pytest.raises(InvalidProofError, match="cannot continue"):
        verify_consistency(4, SIZE_ROOTS[4], 3, SIZE_ROOTS[3], [])


def flip(value: bytes, bit: int) -> bytes:
    """*value* with one bit turned."""
    return (int.from_bytes(value, "big") ^ (1 << bit)).to_bytes(len(value), "big")


@given(st.integers(1, SIZE_MAX), st.data())
def test_inclusion_with_anything_changed_is_refused(size: int, data: st.DataObject) -> None:
    """A turned bit, a lost, doubled or foreign hash, another leaf or another index never pass."""
    index = data.draw(st.integers(0, size - 1))
    proof, root = inclusion_proof(index, size, READ), SIZE_ROOTS[size]
    bit = data.draw(st.integers(0, 255))
    other = data.draw(st.integers(0, size - 1).filter(lambda i: i != index)) if size > 1 else None
    cases = [
        (flip(LEAVES[index], bit), index, proof, root),
        (LEAVES[index], index, proof, flip(root, bit)),
        (LEAVES[index], index, [*proof, root], root),
        (LEAVES[index], index, [*proof, proof[-1] if proof else root], root),
        (LEAVES[index], index, [LEAVES[index], *proof], root),
        (LEAVES[index], index + size, proof, root),
        (LEAVES[index], index, proof, root[:31]),
        (LEAVES[index] + b"\x00", index, proof, root),
    ]
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        changed = [*proof[:at], flip(proof[at], bit), *proof[at + 1 :]]
        cases += [
            (LEAVES[index], index, changed, root),
            (LEAVES[index], index, proof[:-1], root),
            (LEAVES[index], index, proof[1:], root),
            (LEAVES[index], index, [*proof[:at], proof[at][:31], *proof[at + 1 :]], root),
        ]
    if other is not None:
        cases += [(LEAVES[index], other, proof, root), (LEAVES[other], index, proof, root)]
    for leaf, at_index, hashes, at_root in cases:
        with pytest.raises(InvalidProofError):
            verify_inclusion(leaf, at_index, size, hashes, at_root)


@given(st.integers(1, SIZE_MAX - 1), st.data())
def test_consistency_with_anything_changed_is_refused(old: int, data: st.DataObject) -> None:
    """A turned bit, a lost or doubled hash, another root or another size never pass."""
    new = data.draw(st.integers(old + 1, SIZE_MAX))
    proof = consistency_proof(old, new, READ)
    bit = data.draw(st.integers(0, 255))
    at = data.draw(st.integers(0, len(proof) - 1))
    changed = [*proof[:at], flip(proof[at], bit), *proof[at + 1 :]]
    a, b = SIZE_ROOTS[old], SIZE_ROOTS[new]
    cases = [
        (old, flip(a, bit), new, b, proof),
        (old, a, new, flip(b, bit), proof),
        (old, a, new, b, changed),
        (old, a, new, b, []),
        (old, a, new, b, proof[:-1]),
        (old, a, new, b, proof[1:]),
        (old, a, new, b, [*proof, proof[-1]]),
        (old, a, new, b, [proof[0], *proof]),
        (old, b, new, a, proof),
        (new, a, old, b, proof),
        (old, a, old, b, []),
        (0, a, new, b, []),
        (0, EMPTY_ROOT, new, b, proof),
        (old, a[:31], new, b, proof),
    ]
    for case in cases:
        with pytest.raises(InvalidProofError):
            verify_consistency(*case)


@pytest.mark.parametrize(
    ("old_root", "new_size", "new_root"),
    [
        (LEAVES[0], 0, LEAVES[0]),
        (EMPTY_ROOT, 0, LEAVES[0]),
        (LEAVES[0], 5, SIZE_ROOTS[5]),
    ],
)
def test_consistency_from_size_zero_with_a_root_is_refused(
    old_root: bytes, new_size: int, new_root: bytes
) -> None:
    """Only the empty root stands at size 0."""
    with pytest.raises(InvalidProofError):
        verify_consistency(0, old_root, new_size, new_root, [])


def test_consistency_from_the_empty_tree_holds_for_every_tree() -> None:
    """Every tree continues the empty one, without a proof."""
    for new in (0, 1, 2, 300):
        verify_consistency(0, EMPTY_ROOT, new, SIZE_ROOTS[new], [])


def test_proofs_that_stop_below_the_root_are_refused() -> None:
    """The root of a subtree is not passed off as the root of a larger size, either way."""
    with pytest.raises(InvalidProofError, match="too few"):
        verify_inclusion(LEAVES[0], 0, 4, [LEAVES[1]], SIZE_ROOTS[2])
    with pytest.raises(InvalidProofError, match="too few"):
        verify_consistency(1, LEAVES[0], 4, SIZE_ROOTS[2], [LEAVES[1]])
    with pytest.raises(InvalidProofError, match="too few"):
        verify_consistency(3, SIZE_ROOTS[3], 8, SIZE_ROOTS[4], consistency_proof(3, 4, READ))


def test_root_from_inclusion_is_the_root() -> None:
    """The proof of a leaf gives the tree's root, so that a caller may compare it himself."""
    assert SIZE_ROOTS[7] == root_from_inclusion(LEAVES[6], 6, 7, inclusion_proof(6, 7, READ))
