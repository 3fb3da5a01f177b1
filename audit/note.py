"""
C2SP signed notes, v1.0.0: a text and signatures over it by named keys.

    text, ending in LF
    (an empty line)
    — <key name> <base64 of key id (4 bytes) and signature>        one line or more

The signed bytes are the text with its last LF. Parsing takes one spelling: what the specification
leaves to the reader (a missing last LF, loose base64, a known key signing twice) is refused.
Signatures of unknown keys are ignored, so keys can be added and dropped by an overlap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit.curve import load_public_key
from audit.errors import (
    InvalidSignatureError,
    MalformedKeyError,
    MalformedNoteError,
    UntrustedNoteError,
)
from audit.strict import decode_base64, encode_base64

SIGNATURES_MAX = 100  # the specification asks for at least 16; 100 as in golang.org/x/mod
NOTE_BYTES_MAX = 1_000_000
ALG_ED25519 = 0x01
ALG_COSIGNATURE = 0x04  # timestamped Ed25519, C2SP tlog-cosignature
KEY_ID_BYTES = 4

_DASH = "— "  # U+2014 and a space
_PRIVATE = "PRIVATE+KEY+"
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: key name, key id (4 bytes), and the bytes after it."""

    name: str
    key_id: bytes
    blob: bytes

    def to_line(self) -> str:
        """The line with its LF."""
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.blob)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note. Nothing is verified yet."""

    text: str
    signatures: tuple[Signature, ...]

    def to_bytes(self) -> bytes:
        """The bytes it was parsed from."""
        return (self.text + "\n" + "".join(s.to_line() for s in self.signatures)).encode()


class Verifier(Protocol):
    """A key that somebody trusts, by name and key id."""

    @property
    def name(self) -> str: ...
    @property
    def key_id(self) -> bytes: ...
    def is_valid(self, text: bytes, blob: bytes) -> bool:
        """Whether *blob* is this key's signature over *text*."""
        ...


class Signer(Protocol):
    """A key that can sign notes; the list of signers may mix algorithms."""

    @property
    def name(self) -> str: ...
    @property
    def key_id(self) -> bytes: ...
    def sign(self, text: bytes) -> bytes:
        """The signature bytes over *text*, without the key id."""
        ...


@dataclass(frozen=True, slots=True)
class Ed25519Verifier:
    """A log key, type 0x01. Make it with `parse_vkey` or `Ed25519Signer.verifier`."""

    name: str
    raw: bytes

    def __post_init__(self) -> None:
        check_key_name(self.name)
        load_public_key(self.raw)

    @property
    def key_id(self) -> bytes:
        return key_id(self.name, ALG_ED25519, self.raw)

    @property
    def vkey(self) -> str:
        """`name+hex key id+base64(type || public key)`."""
        return _vkey(self.name, ALG_ED25519, self.raw)

    def is_valid(self, text: bytes, blob: bytes) -> bool:
        return _is_valid(load_public_key(self.raw), blob, text)


@dataclass(frozen=True, slots=True)
class CosignatureVerifier:
    """A witness key, type 0x04: 8 bytes of POSIX seconds, then Ed25519 over time and text."""

    name: str
    raw: bytes

    def __post_init__(self) -> None:
        check_key_name(self.name)
        load_public_key(self.raw)

    @property
    def key_id(self) -> bytes:
        return key_id(self.name, ALG_COSIGNATURE, self.raw)

    @property
    def vkey(self) -> str:
        """`name+hex key id+base64(type || public key)`."""
        return _vkey(self.name, ALG_COSIGNATURE, self.raw)

    def is_valid(self, text: bytes, blob: bytes) -> bool:
        if len(blob) != 8 + 64:
            return False
        message = _cosigned_message(text, int.from_bytes(blob[:8], "big"))
        return _is_valid(load_public_key(self.raw), blob[8:], message)


class Ed25519Signer:
    """A log's private key, type 0x01."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self.verifier = Ed25519Verifier(name, private.public_key().public_bytes_raw())
        self._private = private

    @property
    def name(self) -> str:
        return self.verifier.name

    @property
    def key_id(self) -> bytes:
        return self.verifier.key_id

    def sign(self, text: bytes) -> bytes:
        return self._private.sign(text)

    def private_text(self) -> str:
        """`PRIVATE+KEY+name+hex key id+base64(type || seed)`, as the Go tools read it. A secret."""
        data = bytes([ALG_ED25519]) + self._private.private_bytes_raw()
        return f"{_PRIVATE}{self.name}+{self.key_id.hex()}+{encode_base64(data)}"

    def __repr__(self) -> str:
        return f"Ed25519Signer({self.verifier.vkey!r})"  # never the private half


def key_id(name: str, algorithm: int, public: bytes) -> bytes:
    """SHA-256(name || LF || type || public key), its first 4 bytes. A hint, not an identity."""
    return sha256(name.encode() + b"\n" + bytes([algorithm]) + public).digest()[:KEY_ID_BYTES]


def check_key_name(name: str) -> None:
    """MalformedKeyError unless *name* can be a key name."""
    if not name or "+" in name or any(c.isspace() or c < " " for c in name):
        raise MalformedKeyError("a key name is not empty and has no space, plus or control sign")
    if any("\ud800" <= c <= "\udfff" for c in name):
        raise MalformedKeyError("a key name is not UTF-8")


def parse_vkey(text: str) -> Ed25519Verifier | CosignatureVerifier:
    """
    Read `name+hex8+base64`. The key id is computed again; weak keys are refused.

    Raises:
        MalformedKeyError: Another shape, another key id, or an algorithm we don't know.
        WeakKeyError: See `curve`.
    """
    name, stated, data = _split_key(text)
    verifier: Ed25519Verifier | CosignatureVerifier
    match data[0]:
        case 0x01:
            verifier = Ed25519Verifier(name, data[1:])
        case 0x04:
            verifier = CosignatureVerifier(name, data[1:])
        case other:
            raise MalformedKeyError(f"key type {other:#04x} is not known")
    if verifier.key_id != stated:
        raise MalformedKeyError("the key id is not that of the key")
    return verifier


def parse_private_text(text: str) -> Ed25519Signer:
    """Read `PRIVATE+KEY+name+hex8+base64(type || seed)`. MalformedKeyError otherwise."""
    if not text.startswith(_PRIVATE):
        raise MalformedKeyError("it does not begin with PRIVATE+KEY+")
    name, stated, data = _split_key(text.removeprefix(_PRIVATE))
    if data[0] != ALG_ED25519 or len(data) != 1 + 32:
        raise MalformedKeyError("it is not an Ed25519 seed")
    signer = Ed25519Signer(name, Ed25519PrivateKey.from_private_bytes(data[1:]))
    if signer.key_id != stated:
        raise MalformedKeyError("the key id is not that of the key")
    return signer


def parse_note(data: bytes) -> Note:
    """
    Read a note strictly; verify it with `verify_note`.

    Raises:
        MalformedNoteError: Not UTF-8, a control character but LF, no blank line, no signature,
            more than 100, no last LF, or a signature line of another shape. Lines are 1-based.
    """
    if len(data) > NOTE_BYTES_MAX:
        raise MalformedNoteError(f"more than {NOTE_BYTES_MAX} bytes")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise MalformedNoteError("not UTF-8") from error
    _check_characters(whole)
    # The last empty line separates: the text may hold empty lines, signatures may not.
    cut = whole.rfind("\n\n")
    if cut < 0:
        raise MalformedNoteError("no empty line before the signatures")
    text, rest = whole[: cut + 1], whole[cut + 2 :]
    if not rest.endswith("\n"):
        raise MalformedNoteError("no signature, or the last line does not end in LF")
    lines = rest[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise MalformedNoteError(f"more than {SIGNATURES_MAX} signatures")
    first = text.count("\n") + 2
    return Note(text, tuple(_parse_line(line, first + i) for i, line in enumerate(lines)))


def verify_note(note: Note, verifiers: Sequence[Verifier]) -> tuple[Verifier, ...]:
    """
    The verifiers that signed *note*, in the order of the signatures. Never empty.

    Raises:
        InvalidSignatureError: A known key's signature does not verify, or stands there twice.
        UntrustedNoteError: No signature of a known key.
    """
    known = {(v.name, v.key_id): v for v in verifiers}
    if len(known) != len(verifiers):
        raise ValueError("two verifiers have one name and key id")
    signed: dict[tuple[str, bytes], Verifier] = {}
    text = note.text.encode()
    for signature in note.signatures:
        key = (signature.name, signature.key_id)
        verifier = known.get(key)
        if verifier is None:
            continue
        if key in signed or not verifier.is_valid(text, signature.blob):
            raise InvalidSignatureError(signature.name)
        signed[key] = verifier
    if not signed:
        raise UntrustedNoteError(
            tuple(f"{s.name}+{s.key_id.hex()}" for s in note.signatures),
        )
    return tuple(signed.values())


def sign_note(text: str, signers: Sequence[Signer], *, others: Sequence[Signature] = ()) -> bytes:
    """
    The note of *text*: a line from each signer in order, then the lines *others*.

    Raises MalformedNoteError when the text cannot be a note's, ValueError when a key signs twice.
    """
    if not text.endswith("\n"):
        raise MalformedNoteError("the text does not end in LF")
    _check_characters(text)
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise MalformedNoteError("the text has no UTF-8") from error
    lines = [Signature(s.name, s.key_id, s.sign(data)) for s in signers]
    lines += others
    if not lines or len({(s.name, s.key_id) for s in lines}) != len(lines):
        raise ValueError("a note needs signatures, one of each key")
    if len(lines) > SIGNATURES_MAX:
        raise MalformedNoteError(f"more than {SIGNATURES_MAX} signatures")
    return Note(text, tuple(lines)).to_bytes()


def cosign(text: str, name: str, private: Ed25519PrivateKey, *, at: int) -> Signature:
    """
    A witness's line over a checkpoint text (C2SP tlog-cosignature/v1). *at* is in POSIX seconds.

    It says: the largest consistent tree of this log that I have seen as of then.
    """
    raw = private.public_key().public_bytes_raw()
    signature = private.sign(_cosigned_message(text.encode(), at))
    return Signature(name, key_id(name, ALG_COSIGNATURE, raw), at.to_bytes(8, "big") + signature)


def cosigned_at(signature: Signature) -> int:
    """The POSIX seconds that a verified cosignature names."""
    if len(signature.blob) != 8 + 64:
        raise MalformedNoteError("a cosignature has 8 bytes of time and 64 of signature")
    return int.from_bytes(signature.blob[:8], "big")


def _cosigned_message(text: bytes, at: int) -> bytes:
    return b"cosignature/v1\ntime %d\n" % at + text


def _is_valid(public: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        public.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _parse_line(line: str, number: int) -> Signature:
    parts = line.removeprefix(_DASH).split(" ")
    if not line.startswith(_DASH) or len(parts) != 2:
        raise MalformedNoteError("a signature line is dash, name, base64", line=number)
    name, encoded = parts
    try:
        check_key_name(name)
        data = decode_base64(encoded)
    except (MalformedKeyError, ValueError) as error:
        raise MalformedNoteError(str(error), line=number) from error
    if len(data) <= KEY_ID_BYTES:
        raise MalformedNoteError("no signature behind the key id", line=number)
    return Signature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


def _check_characters(text: str) -> None:
    # C2SP signed-note: UTF-8 without ASCII control characters below 0x20 other than LF.
    if any(c < " " and c != "\n" for c in text):
        raise MalformedNoteError("a control character")


def _vkey(name: str, algorithm: int, raw: bytes) -> str:
    data = encode_base64(bytes([algorithm]) + raw)
    return f"{name}+{key_id(name, algorithm, raw).hex()}+{data}"


def _split_key(text: str) -> tuple[str, bytes, bytes]:
    parts = text.split("+", 2)  # base64 itself may hold a plus
    if len(parts) != 3:
        raise MalformedKeyError("a key is name, key id and base64 joined by plus signs")
    name, stated, encoded = parts
    check_key_name(name)
    if len(stated) != 2 * KEY_ID_BYTES or not _HEX.issuperset(stated):
        raise MalformedKeyError("the key id is not 8 lower-case hex digits")
    try:
        data = decode_base64(encoded)
    except ValueError as error:
        raise MalformedKeyError(str(error)) from error
    if not data:
        raise MalformedKeyError("no key bytes")
    return name, bytes.fromhex(stated), data
