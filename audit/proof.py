"""
Offline proofs (C2SP tlog-proof): one file that shows an entry to be in a log.

    c2sp.org/tlog-proof@v1
    extra <base64>                 at most once; not authenticated by anything
    index <decimal>
    <base64 hash>                  from the leaf's sibling upwards, none for a tree of one
    (an empty line)
    <the signed checkpoint>

The entry's bytes travel beside it. Files end in `.tlog-proof`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from audit.checkpoint import SignedCheckpoint, open_checkpoint
from audit.errors import MalformedProofError
from audit.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from audit.note import Verifier
from audit.strict import COUNT_MAX, decode_base64, encode_base64, parse_decimal

HEADER = "c2sp.org/tlog-proof@v1"
HASHES_MAX = 63  # the height of a tree of 2**63 leaves
PROOF_BYTES_MAX = 2_000_000


@dataclass(frozen=True, slots=True)
class Proof:
    """An entry's index, its inclusion proof, and the signed checkpoint it leads to, verbatim."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.index <= COUNT_MAX:
            raise MalformedProofError("the index is out of range")
        if len(self.hashes) > HASHES_MAX:
            raise MalformedProofError(f"more than {HASHES_MAX} hashes")
        if any(len(h) != HASH_BYTES for h in self.hashes):
            raise MalformedProofError("a hash is not 32 bytes")

    def to_bytes(self) -> bytes:
        """The file's bytes."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {encode_base64(self.extra)}")
        lines.append(f"index {self.index}")
        lines += map(encode_base64, self.hashes)
        return "\n".join(lines).encode() + b"\n\n" + self.checkpoint


def parse_proof(data: bytes) -> Proof:
    """
    Read a proof file strictly; the checkpoint is read when it is verified.

    Raises:
        MalformedProofError: With the 1-based line where there is one.
    """
    if len(data) > PROOF_BYTES_MAX:
        raise MalformedProofError(f"more than {PROOF_BYTES_MAX} bytes")
    head, gap, checkpoint = data.partition(b"\n\n")
    if not gap or not checkpoint:
        raise MalformedProofError("no checkpoint behind an empty line")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise MalformedProofError("a character outside ASCII before the checkpoint") from error
    if lines[0] != HEADER:
        raise MalformedProofError(f"the first line is not {HEADER}", line=1)
    number = 1
    extra = None
    if number < len(lines) and lines[number].startswith("extra "):
        extra = _decode(lines[number].removeprefix("extra "), number + 1)
        number += 1
    if number == len(lines) or not lines[number].startswith("index "):
        raise MalformedProofError("no index line", line=number + 1)
    try:
        index = parse_decimal(lines[number].removeprefix("index "))
    except ValueError as error:
        raise MalformedProofError("the index is not decimal", line=number + 1) from error
    first = number + 1
    hashes = tuple(_decode(line, first + i + 1) for i, line in enumerate(lines[first:]))
    return Proof(index, hashes, checkpoint, extra)


def verify_proof(
    proof: Proof,
    entry: bytes,
    log_keys: Sequence[Verifier],
    *,
    witnesses: Sequence[Verifier] = (),
    extensions: bool = False,
) -> SignedCheckpoint:
    """
    Show that *entry* is at `proof.index` of the log of *log_keys*; the checkpoint that says so.

    Shows nothing about who wrote the entry, or about `proof.extra`.

    Raises:
        InvalidProofError: The hashes do not lead from the entry to the checkpoint's root.
        What `open_checkpoint` raises.
    """
    signed = open_checkpoint(proof.checkpoint, log_keys, witnesses=witnesses, extensions=extensions)
    tree = signed.checkpoint
    verify_inclusion(leaf_hash(entry), proof.index, tree.size, proof.hashes, tree.root)
    return signed


def _decode(text: str, line: int) -> bytes:
    try:
        return decode_base64(text)
    except ValueError as error:
        raise MalformedProofError(str(error), line=line) from error
