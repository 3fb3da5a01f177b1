"""Key files of one reader, officer key names, and proof of possession."""

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from audit.errors import (
    InvalidSignatureError,
    MalformedKeyError,
    UnsafeKeyFileError,
    WeakKeyError,
)
from audit.keys import (
    create_secret,
    generate_log_key,
    generate_officer_key,
    load_log_key,
    load_officer_key,
    officer_key_id,
    prove_possession,
    read_secret,
    save_log_key,
    save_officer_key,
    verify_possession,
)

CHALLENGE = b"log.example/36 officer 7 " + bytes(16)


def raw_of(private: Ed25519PrivateKey) -> bytes:
    """The public half."""
    return private.public_key().public_bytes_raw()


def test_log_key_saved_is_loaded_and_private(tmp_path: Path) -> None:
    """A log key survives its file, which only its owner can read."""
    signer = generate_log_key("log.example/36")
    old = os.umask(0)
    try:
        save_log_key(tmp_path / "key", signer)
    finally:
        os.umask(old)

    assert signer.private_text() == load_log_key(tmp_path / "key").private_text()
    assert 0o600 == (tmp_path / "key").stat().st_mode & 0o777


@pytest.mark.parametrize("password", [None, b"secret"])
def test_officer_key_saved_is_loaded(tmp_path: Path, password: bytes | None) -> None:
    """An officer's key survives its PEM file, with and without a password."""
    private = generate_officer_key()
    save_officer_key(tmp_path / "key", private, password=password)

    assert raw_of(private) == raw_of(load_officer_key(tmp_path / "key", password=password))
    assert 0o600 == (tmp_path / "key").stat().st_mode & 0o777


@pytest.mark.parametrize(("saved", "given"), [(b"a", b"b"), (b"a", None), (None, b"a")])
def test_officer_key_with_another_password_is_refused(
    tmp_path: Path, saved: bytes | None, given: bytes | None
) -> None:
    """A wrong, missing or needless password is the named refusal."""
    save_officer_key(tmp_path / "key", generate_officer_key(), password=saved)

    with pytest.raises(MalformedKeyError):
        load_officer_key(tmp_path / "key", password=given)


def test_officer_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    """A P-256 key in the file is not taken for Ed25519."""
    other = ec.generate_private_key(ec.SECP256R1())
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    create_secret(tmp_path / "key", pem)

    with pytest.raises(MalformedKeyError, match="Ed25519"):
        load_officer_key(tmp_path / "key")


@pytest.mark.parametrize("data", [b"", b"PRIVATE+KEY+a+00000000+AA==\n", b"\xff\n", b"x"])
def test_log_key_file_of_another_shape_is_refused(tmp_path: Path, data: bytes) -> None:
    """A damaged key file is the named refusal."""
    create_secret(tmp_path / "key", data)

    with pytest.raises(MalformedKeyError):
        load_log_key(tmp_path / "key")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o644, 0o777])
def test_secret_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """A wider mode is refused, not repaired: the secret may be known already."""
    create_secret(tmp_path / "key", b"x")
    (tmp_path / "key").chmod(mode)

    with pytest.raises(UnsafeKeyFileError, match=f"{mode:04o}"):
        read_secret(tmp_path / "key")
    assert mode == (tmp_path / "key").stat().st_mode & 0o777


@pytest.mark.parametrize("kind", ["link", "directory", "pipe", "large"])
def test_secret_that_is_no_plain_file_is_refused(tmp_path: Path, kind: str) -> None:
    """Links, directories, pipes and huge files are not keys, and none of them hangs the reader."""
    path = tmp_path / "key"
    if kind == "link":
        create_secret(tmp_path / "real", b"x")
        path.symlink_to(tmp_path / "real")
    elif kind == "directory":
        path.mkdir(mode=0o700)
    elif kind == "pipe":
        os.mkfifo(path, 0o600)
    else:
        create_secret(path, bytes(1_000_001))

    with pytest.raises(UnsafeKeyFileError):
        read_secret(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file to another user needs root")
def test_secret_of_another_user_is_refused(tmp_path: Path) -> None:
    """Whoever owns the file can change it, so it has to be ours."""
    create_secret(tmp_path / "key", b"x")
    os.chown(tmp_path / "key", 12345, 12345)

    with pytest.raises(UnsafeKeyFileError, match="another user"):
        read_secret(tmp_path / "key")


def test_secret_missing_is_not_found(tmp_path: Path) -> None:
    """No file is its own case: there may be a key to make."""
    with pytest.raises(FileNotFoundError):
        read_secret(tmp_path / "key")


def test_secret_is_never_written_over(tmp_path: Path) -> None:
    """An existing key, or a dangling link in its place, stands."""
    create_secret(tmp_path / "key", b"first")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("key", "link"):
        with pytest.raises(UnsafeKeyFileError, match="already"):
            create_secret(tmp_path / name, b"second")

    assert b"first" == read_secret(tmp_path / "key")
    assert not (tmp_path / "elsewhere").exists()


def test_secret_that_could_not_be_made_durable_leaves_no_file(tmp_path: Path) -> None:
    """Half a key is worse than none."""

    def fail(_: int) -> None:
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        create_secret(tmp_path / "key", b"x", fsync=fail)
    assert [] == list(tmp_path.iterdir())


def test_officer_key_id_names_algorithm_and_key() -> None:
    """The name of RFC 8032's first test key never changes."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")

    assert public == raw_of(Ed25519PrivateKey.from_private_bytes(seed))
    assert "ed25519:21fe31dfa154a261" == officer_key_id(public)


def test_possession_is_proven_by_the_holder_only() -> None:
    """The right key over the right challenge passes; anything else does not."""
    mine, other = generate_officer_key(), generate_officer_key()
    proof = prove_possession(mine, CHALLENGE)
    verify_possession(raw_of(mine), CHALLENGE, proof)

    for public, challenge, answer in [
        (raw_of(other), CHALLENGE, proof),
        (raw_of(mine), CHALLENGE + b"x", proof),
        (raw_of(mine), CHALLENGE, prove_possession(other, CHALLENGE)),
        (raw_of(mine), CHALLENGE, mine.sign(CHALLENGE)),
        (raw_of(mine), CHALLENGE, proof[:63]),
        (raw_of(mine), CHALLENGE, b""),
    ]:
        with pytest.raises(InvalidSignatureError):
            verify_possession(public, challenge, answer)


def test_possession_of_a_weak_key_is_refused() -> None:
    """A key under which everything verifies is not enrolled although its proof verifies."""
    weak = bytes([1]) + bytes(31)

    with pytest.raises(WeakKeyError):
        verify_possession(weak, CHALLENGE, weak + bytes(32))


def test_possession_of_a_short_challenge_is_a_mistake() -> None:
    """A guessable challenge proves nothing."""
    with pytest.raises(ValueError, match="at least 16"):
        prove_possession(generate_officer_key(), b"short")
