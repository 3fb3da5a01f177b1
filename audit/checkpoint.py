"""
Checkpoints (C2SP tlog-checkpoint, v1.0.0): what a log commits to at one size.

    <origin>                       the log's name; our key names equal it
    <size>                         decimal
    <root>                         base64 of 32 bytes
    <extension lines>              none in our logs, but in the last checkpoint of a frozen one

The whole is the text of a signed note. A log never signs two checkpoints of which one does not
continue the other; `signer` holds that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from audit.errors import (
    AuditError,
    MalformedCheckpointError,
    UntrustedNoteError,
    WrongOriginError,
)
from audit.merkle import EMPTY_ROOT, HASH_BYTES
from audit.note import Note, Signer, Verifier, check_key_name, parse_note, sign_note, verify_note
from audit.strict import COUNT_MAX, decode_base64, encode_base64, parse_decimal

FROZEN = "Log frozen -- "  # the habit of public logs that end by shards


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """
    One checkpoint body: `size` leaves hash to `root` (32 bytes).

    Raises MalformedCheckpointError on construction when it could not be written: a bad origin, a
    size out of range, a root of another length, size 0 without the empty root.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        try:
            check_key_name(self.origin)
        except AuditError as error:
            raise MalformedCheckpointError("the origin has a space or plus, or is empty") from error
        if not 0 <= self.size <= COUNT_MAX:
            raise MalformedCheckpointError("the size is out of range")
        if len(self.root) != HASH_BYTES:
            raise MalformedCheckpointError("the root is not 32 bytes")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise MalformedCheckpointError("size 0 does not carry the empty root")
        if any(not line or "\n" in line for line in self.extensions):
            raise MalformedCheckpointError("an extension line is empty or is two")

    @property
    def frozen(self) -> bool:
        """Whether this is a log's last checkpoint."""
        return any(line.startswith(FROZEN) for line in self.extensions)

    def to_text(self) -> str:
        """The text that is signed."""
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint whose signatures were verified, and by which keys."""

    checkpoint: Checkpoint
    note: Note
    log_keys: tuple[Verifier, ...]
    witnesses: tuple[Verifier, ...]


def parse_checkpoint(text: str, *, extensions: bool = False) -> Checkpoint:
    """
    Read a checkpoint body, strictly.

    *extensions* allows extension lines. They can't be audited; ours has none until it is frozen.

    Raises:
        MalformedCheckpointError: With the 1-based line where there is one.
    """
    if not text.endswith("\n"):
        raise MalformedCheckpointError("the last line does not end in LF")
    # Not splitlines(): it also splits at U+2028, U+0085 and others.
    lines = text[:-1].split("\n")
    if len(lines) < 3:
        raise MalformedCheckpointError("fewer than three lines")
    if len(lines) > 3 and not extensions:
        raise MalformedCheckpointError("an extension line", line=4)
    try:
        size = parse_decimal(lines[1])
    except ValueError as error:
        raise MalformedCheckpointError("the size is not decimal", line=2) from error
    try:
        root = decode_base64(lines[2])
    except ValueError as error:
        raise MalformedCheckpointError("the root is not canonical base64", line=3) from error
    return Checkpoint(lines[0], size, root, tuple(lines[3:]))


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[Signer]) -> bytes:
    """
    The signed note of *checkpoint*, a line from each signer.

    Knows nothing of earlier checkpoints: only `signer.MonotonicSigner` may call it for a real log.
    Raises WrongOriginError when a key's name is not the origin.
    """
    for signer in signers:
        if signer.name != checkpoint.origin:
            raise WrongOriginError(expected=checkpoint.origin, actual=signer.name)
    return sign_note(checkpoint.to_text(), signers)


def open_checkpoint(
    data: bytes,
    log_keys: Sequence[Verifier],
    *,
    witnesses: Sequence[Verifier] = (),
    extensions: bool = False,
) -> SignedCheckpoint:
    """
    Read and verify a signed checkpoint of the log that *log_keys* belong to.

    The keys come from outside what is verified: printed, or from a signed policy. Their name is the
    origin. One valid log key is enough; every known signature must be valid.

    Raises:
        MalformedNoteError, MalformedCheckpointError: The bytes.
        WrongOriginError: Another log's checkpoint.
        InvalidSignatureError, UntrustedNoteError: The signatures.
    """
    if not log_keys or len({key.name for key in log_keys}) > 1:
        raise ValueError("log keys are one or more, of one name")
    note = parse_note(data)
    checkpoint = parse_checkpoint(note.text, extensions=extensions)
    if checkpoint.origin != log_keys[0].name:
        raise WrongOriginError(expected=log_keys[0].name, actual=checkpoint.origin)
    signed = verify_note(note, [*log_keys, *witnesses])
    by_log = tuple(key for key in signed if key in log_keys)
    if not by_log:  # witnesses alone do not make a checkpoint
        raise UntrustedNoteError(tuple(f"{s.name}+{s.key_id.hex()}" for s in note.signatures))
    by_witness = tuple(key for key in signed if key not in log_keys)
    return SignedCheckpoint(checkpoint, note, by_log, by_witness)
