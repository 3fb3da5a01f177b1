"""Offline proof files."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit.checkpoint import Checkpoint, sign_checkpoint
from audit.errors import (
    AuditError,
    InvalidProofError,
    MalformedNoteError,
    MalformedProofError,
    UntrustedNoteError,
    WrongOriginError,
)
from audit.merkle import inclusion_proof, leaf_hash, root_of, subtrees_of
from audit.note import Ed25519Signer
from audit.proof import Proof, parse_proof, verify_proof

ORIGIN = "rkud.example/36"
ENTRIES = [f"entry {i}".encode() for i in range(70)]
LEAVES = [leaf_hash(e) for e in ENTRIES]
LOG = Ed25519Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
CHECKPOINT = sign_checkpoint(Checkpoint(ORIGIN, 70, root_of(LEAVES)), [LOG])


def proof_of(index: int, extra: bytes | None = None) -> Proof:
    """The proof of one entry of the log of 70."""
    hashes = inclusion_proof(index, 70, subtrees_of(LEAVES))
    return Proof(index, tuple(hashes), CHECKPOINT, extra)


def test_proof_file_is_its_known_bytes() -> None:
    """The form is the specification's, byte for byte."""
    proof = Proof(5, (bytes(32), b"\xff" * 32), b"o\n1\nx\n\nsig\n", b"hi")
    expected = (
        b"c2sp.org/tlog-proof@v1\nextra aGk=\nindex 5\n"
        b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
        b"//////////////////////////////////////////8=\n"
        b"\no\n1\nx\n\nsig\n"
    )

    assert expected == proof.to_bytes()
    assert proof == parse_proof(expected)


@given(st.integers(0, 69), st.none() | st.binary())
def test_proof_written_is_read_back_and_holds(index: int, extra: bytes | None) -> None:
    """Each entry of a log is proven by its file, the key and its bytes alone."""
    proof = parse_proof(proof_of(index, extra).to_bytes())

    assert extra == proof.extra
    assert 70 == verify_proof(proof, ENTRIES[index], [LOG.verifier]).checkpoint.size


def test_proof_of_a_tree_of_one_has_no_hashes() -> None:
    """The only leaf is the root."""
    note = sign_checkpoint(Checkpoint(ORIGIN, 1, LEAVES[0]), [LOG])
    proof = parse_proof(Proof(0, (), note).to_bytes())

    assert () == proof.hashes
    verify_proof(proof, ENTRIES[0], [LOG.verifier])


HASH = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
SMALL = f"c2sp.org/tlog-proof@v1\nextra aGk=\nindex 5\n{HASH}\n\ncheckpoint"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("@v1", "@v2"),
        ("c2sp", "C2SP"),
        ("@v1\n", "@v1 \n"),
        ("@v1\n", "@v1\r\n"),
        ("@v1\n", "@v1\n\n"),
        ("extra aGk=", "extra aGk"),
        ("extra aGk=", "extra aGl="),
        ("extra aGk=", "extra  aGk="),
        ("extra aGk=", "Extra aGk="),
        ("extra aGk=", "extra aGk=\nextra aGk="),
        ("extra aGk=\nindex 5", "index 5\nextra aGk="),
        ("index 5", "index 05"),
        ("index 5", "index +5"),
        ("index 5", "index 5 "),
        ("index 5", "index  5"),
        ("index 5", "index -5"),
        ("index 5", "index 1_0"),
        ("index 5", "index ٥"),
        ("index 5", "index"),
        ("index 5", "index 9223372036854775808"),
        ("index 5\n", ""),
        ("index 5\n", "index 5\nindex 5\n"),
        ("index 5\n", "index 5\r\n"),
        ("index 5\n", "index 5\u2028"),
        (HASH, HASH[:-1]),
        (HASH, HASH[:-2] + "B="),
        (HASH, "AAAA"),
        (HASH, HASH + " "),
        (HASH, "\n".join([HASH] * 64)),
        ("\n\ncheckpoint", "\ncheckpoint"),
        ("\n\ncheckpoint", "\n\n"),
        ("\n\ncheckpoint", ""),
        (SMALL, ""),
    ],
)
def test_proof_in_another_spelling_is_refused(old: str, new: str) -> None:
    """Lines have one order and one spelling each."""
    assert old in SMALL
    with pytest.raises(MalformedProofError):
        parse_proof(SMALL.replace(old, new, 1).encode())


def test_proof_above_two_million_bytes_is_refused() -> None:
    """A hostile file is refused before it is split."""
    with pytest.raises(MalformedProofError, match="2000000"):
        parse_proof(SMALL.encode() + bytes(2_000_000))


@given(st.binary(max_size=80))
def test_any_bytes_are_read_back_or_refused_by_name(data: bytes) -> None:
    """No input does anything but give a proof of the same bytes, or the named refusal."""
    for candidate in (data, SMALL.encode() + data, data + SMALL.encode()):
        try:
            proof = parse_proof(candidate)
        except MalformedProofError:
            continue
        assert candidate == proof.to_bytes()


def test_proof_of_another_entry_index_or_path_does_not_hold() -> None:
    """Index, hashes and entry belong together."""
    good = proof_of(6)
    entry = ENTRIES[6]
    for proof, data in [
        (good, ENTRIES[7]),
        (good, entry + b" "),
        (Proof(7, good.hashes, CHECKPOINT), entry),
        (Proof(70, good.hashes, CHECKPOINT), entry),
        (Proof(6, good.hashes[:-1], CHECKPOINT), entry),
        (Proof(6, (*good.hashes, bytes(32)), CHECKPOINT), entry),
        (Proof(6, good.hashes[::-1], CHECKPOINT), entry),
    ]:
        with pytest.raises(InvalidProofError):
            verify_proof(proof, data, [LOG.verifier])


def test_proof_under_another_key_or_log_is_refused() -> None:
    """The verifier's own key decides, not what the file says."""
    other = Ed25519Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32))
    neighbour = Ed25519Signer("rkud.example/37", Ed25519PrivateKey.from_private_bytes(bytes(32)))

    with pytest.raises(UntrustedNoteError):
        verify_proof(proof_of(6), ENTRIES[6], [other.verifier])
    with pytest.raises(WrongOriginError):
        verify_proof(proof_of(6), ENTRIES[6], [neighbour.verifier])
    with pytest.raises(MalformedNoteError):
        verify_proof(Proof(6, proof_of(6).hashes, b"x"), ENTRIES[6], [LOG.verifier])


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_proof_file_with_any_bit_changed_is_refused(at: int, bit: int) -> None:
    """Every bit of a file without extra data counts; only a foreign signature line would not."""
    data = bytearray(proof_of(6).to_bytes())
    data[at % len(data)] ^= 1 << bit

    with pytest.raises(AuditError):
        verify_proof(parse_proof(bytes(data)), ENTRIES[6], [LOG.verifier])
