"""
Everything the audit floor refuses, by name.

    AuditError
    ├── NotCanonicalError            bytes or a value outside the JSON subset we hash
    ├── InvalidProofError            a Merkle proof that does not prove what it says
    ├── OversizedEntryError          a log entry that no entry bundle can hold
    ├── MalformedError               bytes that a format does not allow
    │   ├── MalformedNoteError           C2SP signed note
    │   ├── MalformedCheckpointError     C2SP tlog-checkpoint
    │   ├── MalformedTileError           C2SP tlog-tiles: path, hash tile or entry bundle
    │   ├── MalformedProofError          C2SP tlog-proof file
    │   ├── MalformedDisclosureError     our disclosure file
    │   ├── MalformedEnvelopeError       DSSE envelope
    │   ├── MalformedStatementError      an officer's signed statement
    │   └── MalformedKeyError            key text, PEM or raw key
    ├── SignatureError               well-formed, but not signed by whom it should be
    │   ├── InvalidSignatureError        a known key's signature does not verify
    │   └── UntrustedNoteError           no signature of any known key
    ├── WrongOriginError             a checkpoint of another log
    ├── CommitmentMismatchError      a disclosed value that is not what was committed
    ├── WeakKeyError                 a public key under which anybody can forge
    ├── UnsafeKeyFileError           a secret that others can read, or a file in the way
    ├── LogDamagedError              a database whose leaf hashes do not lead to its own edge
    ├── DatabaseBehindSignerError    a database that does not continue what was signed
    ├── UnsealedActsError            an export of acts that no checkpoint covers yet
    ├── ExportDirectoryError         a directory that an export may not be written to
    ├── RecoveryError                a recovery that would not be what it says
    └── SignerError                  the monotonic signer will not sign
        ├── SmallerCheckpointError       a size below the last one signed
        ├── ForkedCheckpointError        another root, or no valid proof from the last one signed
        ├── FrozenLogError               the log was closed by a last checkpoint
        └── SignerStateError             the state file is missing, damaged or another log's

Messages say what is wrong; offending values are attributes. No message holds a disclosed value.
"""

import re
from typing import ClassVar


class AuditError(Exception):
    """Base of the audit floor's refusals. `code` is the class name in snake_case, without Error."""

    code: ClassVar[str] = "audit"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.code = re.sub(
            r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__.removesuffix("Error")
        ).lower()


class NotCanonicalError(AuditError):
    """A value or bytes outside the canonical JSON that we hash and sign (RFC 8785, our subset)."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"not canonical JSON: {reason}")
        self.reason = reason


class InvalidProofError(AuditError):
    """An inclusion or consistency proof that does not lead to the root it is given for."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the proof does not hold: {reason}")
        self.reason = reason


class OversizedEntryError(AuditError):
    """An entry above 65,535 bytes: the bundle's uint16 length ends there (C2SP tlog-tiles)."""

    def __init__(self, length: int) -> None:
        super().__init__(f"the entry has {length} bytes, a log entry holds at most 65535")
        self.length = length


class MalformedError(AuditError):
    """Bytes that their format does not allow, or leaves to the reader. Never repaired."""

    noun: ClassVar[str] = "input"

    def __init__(self, reason: str, *, line: int | None = None) -> None:
        where = "" if line is None else f", line {line}"
        super().__init__(f"malformed {self.noun}{where}: {reason}")
        self.reason = reason
        self.line = line


class MalformedNoteError(MalformedError):
    """Not a signed note as C2SP signed-note writes it."""

    noun = "signed note"


class MalformedCheckpointError(MalformedError):
    """Not a checkpoint as C2SP tlog-checkpoint writes it."""

    noun = "checkpoint"


class MalformedTileError(MalformedError):
    """Not a tile path, hash tile or entry bundle as C2SP tlog-tiles writes it."""

    noun = "tile"


class MalformedProofError(MalformedError):
    """Not a proof file as C2SP tlog-proof writes it."""

    noun = "proof file"


class MalformedDisclosureError(MalformedError):
    """Not a line of a disclosure file."""

    noun = "disclosure"


class MalformedEnvelopeError(MalformedError):
    """Not a DSSE envelope of ours."""

    noun = "envelope"


class MalformedStatementError(MalformedError):
    """Not an officer's statement of ours."""

    noun = "statement"


class MalformedKeyError(MalformedError):
    """Not key text, PEM or raw key bytes of a kind we use."""

    noun = "key"


class SignatureError(AuditError):
    """Well-formed, but not signed by whom it should be."""


class InvalidSignatureError(SignatureError):
    """A signature that names a known key and does not verify under it."""

    def __init__(self, signer: str) -> None:
        super().__init__(f"the signature of {signer!r} does not verify")
        self.signer = signer


class UntrustedNoteError(SignatureError):
    """None of the signatures belongs to a known key."""

    def __init__(self, signers: tuple[str, ...]) -> None:
        super().__init__(f"no known key has signed; signatures present: {', '.join(signers)}")
        self.signers = signers


class WrongOriginError(AuditError):
    """A checkpoint or statement of another log than the one asked about."""

    def __init__(self, *, expected: str, actual: str) -> None:
        super().__init__(f"origin is {actual!r}, expected {expected!r}")
        self.expected = expected
        self.actual = actual


class CommitmentMismatchError(AuditError):
    """A disclosed salt, field and value that do not hash to the commitment they stand beside."""

    def __init__(self, *, commitment: str, field: str, line: int | None = None) -> None:
        super().__init__(f"the disclosed {field!r} is not what {commitment} commits to")
        self.commitment = commitment
        self.field = field
        self.line = line


class WeakKeyError(AuditError):
    """A public key of low order or in a non-canonical encoding: anybody can forge under it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the public key is refused: {reason}")
        self.reason = reason


class UnsafeKeyFileError(AuditError):
    """A secret file that others than its owner can read or write, or that is not a plain file."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class LogDamagedError(AuditError):
    """The database contradicts itself: stored leaf hashes, nodes and edge do not fit together."""

    def __init__(self, *, government: str, reason: str) -> None:
        super().__init__(f"the log of government {government} is damaged: {reason}")
        self.government = government
        self.reason = reason


class DatabaseBehindSignerError(AuditError):
    """
    The database does not continue what was signed: restored from a backup, cut, or rewritten.

    Nothing may be written until the recovery has replayed what is missing or opened a new shard.
    """

    def __init__(
        self, *, government: str, signed_size: int, database_size: int, reason: str
    ) -> None:
        super().__init__(
            f"size {signed_size} of the log of government {government} is signed, the database"
            f" has {database_size} acts: {reason}"
        )
        self.government = government
        self.signed_size = signed_size
        self.database_size = database_size
        self.reason = reason


class UnsealedActsError(AuditError):
    """The snapshot holds acts that its last checkpoint does not cover. Seal its size first."""

    def __init__(self, *, sealed_size: int, size: int) -> None:
        super().__init__(f"the log has {size} acts, a checkpoint covers {sealed_size}")
        self.sealed_size = sealed_size
        self.size = size


class ExportDirectoryError(AuditError):
    """The directory holds something else than an earlier export of this very log."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class RecoveryError(AuditError):
    """The recovery that was asked for can't be done as asked. Nothing was changed."""

    def __init__(self, reason: str, *, kinds: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.kinds = kinds


class SignerError(AuditError):
    """The signer will not sign. Its state is unchanged."""


class SmallerCheckpointError(SignerError):
    """The tree offered is shorter than the last one signed: entries were lost, or restored over."""

    def __init__(self, *, signed_size: int, offered_size: int) -> None:
        super().__init__(f"size {signed_size} is signed already, size {offered_size} is refused")
        self.signed_size = signed_size
        self.offered_size = offered_size


class ForkedCheckpointError(SignerError):
    """The tree offered does not continue the last one signed."""

    def __init__(self, *, signed_size: int, offered_size: int, reason: str) -> None:
        super().__init__(
            f"size {offered_size} does not continue the signed size {signed_size}: {reason}"
        )
        self.signed_size = signed_size
        self.offered_size = offered_size
        self.reason = reason


class FrozenLogError(SignerError):
    """The log ended with a frozen checkpoint; a new shard carries on."""

    def __init__(self, *, origin: str, signed_size: int) -> None:
        super().__init__(f"log {origin} was frozen at size {signed_size}")
        self.origin = origin
        self.signed_size = signed_size


class SignerStateError(SignerError):
    """The signer's memory is missing, damaged, or another log's. A person must look."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
