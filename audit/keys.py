"""
Keys of logs and officers: made, kept in files of one reader, named, and shown to be held.

A log key lives in note key text (`PRIVATE+KEY+...`), an officer's in PEM (PKCS#8), with a password
if the officer likes. The server keeps log keys and never sees an officer's private key. Secret
files have mode 0600 and one owner; anything wider is refused, not repaired: it has been readable.
"""

import os
import stat
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from audit.curve import load_public_key
from audit.errors import InvalidSignatureError, MalformedKeyError, UnsafeKeyFileError
from audit.note import Ed25519Signer, parse_private_text

CHALLENGE_BYTES_MIN = 16
SECRET_BYTES_MAX = 1_000_000
# Begins nothing else that is signed here: notes begin with an origin, envelopes with DSSEv1.
_POSSESSION = b"rkud key possession v1\n"


def generate_log_key(origin: str) -> Ed25519Signer:
    """A new log key; its name is the log's origin."""
    return Ed25519Signer(origin, Ed25519PrivateKey.generate())


def generate_officer_key() -> Ed25519PrivateKey:
    """A new officer key. It stays with the officer."""
    return Ed25519PrivateKey.generate()


def officer_key_id(public: bytes) -> str:
    """
    `ed25519:` and 16 hex digits of SHA-256 over the raw public key.

    Names the algorithm, so that other kinds of key fit beside it. A name, not a proof: whose key it
    is says the enrolment in the log.
    """
    return f"ed25519:{sha256(public).hexdigest()[:16]}"


def prove_possession(private: Ed25519PrivateKey, challenge: bytes) -> bytes:
    """The signature that shows, at enrolment, that somebody holds the private half."""
    public = private.public_key().public_bytes_raw()
    return private.sign(_possession_message(public, challenge))


def verify_possession(public: bytes, challenge: bytes, signature: bytes) -> None:
    """
    Check a key that asks to be enrolled: acceptable, and held by whoever answered *challenge*.

    The challenge is chosen by the side that enrols, is new each time, and names log and officer.

    Raises:
        MalformedKeyError, WeakKeyError: The key.
        InvalidSignatureError: The answer.
    """
    key = load_public_key(public)
    try:
        key.verify(signature, _possession_message(public, challenge))
    except InvalidSignature as error:
        raise InvalidSignatureError(officer_key_id(public)) from error


def _possession_message(public: bytes, challenge: bytes) -> bytes:
    if len(challenge) < CHALLENGE_BYTES_MIN:
        raise ValueError(f"a challenge has at least {CHALLENGE_BYTES_MIN} bytes")
    return _POSSESSION + public + challenge


def save_log_key(path: Path, signer: Ed25519Signer) -> None:
    """Write a log key to a new file. UnsafeKeyFileError when something stands there."""
    create_secret(path, f"{signer.private_text()}\n".encode())


def load_log_key(path: Path) -> Ed25519Signer:
    """Read a log key. UnsafeKeyFileError, MalformedKeyError, FileNotFoundError."""
    data = read_secret(path)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedKeyError("not UTF-8") from error
    if not text.endswith("\n"):
        raise MalformedKeyError("the line does not end in LF")
    return parse_private_text(text[:-1])


def save_officer_key(
    path: Path, private: Ed25519PrivateKey, *, password: bytes | None = None
) -> None:
    """Write an officer's key to a new PEM file, encrypted if there is a password."""
    encryption: KeySerializationEncryption = (
        BestAvailableEncryption(password) if password else NoEncryption()
    )
    create_secret(path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))


def load_officer_key(path: Path, *, password: bytes | None = None) -> Ed25519PrivateKey:
    """Read an officer's key. UnsafeKeyFileError, MalformedKeyError (also for a wrong password)."""
    data = read_secret(path)
    try:
        key = load_pem_private_key(data, password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise MalformedKeyError("not a PEM private key, or another password") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise MalformedKeyError("not an Ed25519 key")
    return key


def create_secret(path: Path, data: bytes, *, fsync: Callable[[int], None] = os.fsync) -> None:
    """Write *data* durably to a new file of mode 0600. Never writes over anything."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError as error:
        raise UnsafeKeyFileError(str(path), "something stands there already") from error
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o600)  # whatever the umask says
            file.write(data)
            file.flush()
            fsync(handle)
        fsync_directory(path.parent, fsync=fsync)
    except BaseException:
        path.unlink(missing_ok=True)  # ours, by O_EXCL: half a key is worse than none
        raise


def read_secret(path: Path) -> bytes:
    """
    Read a secret file, when only its owner can.

    Raises:
        UnsafeKeyFileError: A link, not a plain file, another's, or readable or writable by others.
        FileNotFoundError: No file.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnsafeKeyFileError(str(path), "it is a link, or cannot be opened") from error
    try:
        # Of the open file, not of the path: nothing can be put in its place between the two.
        status = os.fstat(handle)
        mode = stat.S_IMODE(status.st_mode)
        if not stat.S_ISREG(status.st_mode):
            raise UnsafeKeyFileError(str(path), "it is not a plain file")
        if mode & 0o077:
            raise UnsafeKeyFileError(str(path), f"its mode is {mode:04o}, 0600 is the widest")
        if status.st_uid not in (os.geteuid(), 0):
            raise UnsafeKeyFileError(str(path), "it belongs to another user")
        if status.st_size > SECRET_BYTES_MAX:
            raise UnsafeKeyFileError(str(path), "it is too large")
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(handle)


def fsync_directory(path: Path, *, fsync: Callable[[int], None] = os.fsync) -> None:
    """Make the names in a directory durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fsync(handle)
    finally:
        os.close(handle)
