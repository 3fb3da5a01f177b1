"""Checkpoints: the published example, strict reading, and whose signature counts."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit.checkpoint import (
    Checkpoint,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from audit.errors import (
    InvalidSignatureError,
    MalformedCheckpointError,
    MalformedNoteError,
    UntrustedNoteError,
    WrongOriginError,
)
from audit.merkle import EMPTY_ROOT
from audit.note import CosignatureVerifier, Ed25519Signer, cosign, sign_note
from audit.strict import COUNT_MAX

ORIGIN = "rkud.example/36"
ROOT = bytes(range(32))
# The example of C2SP tlog-checkpoint.
SOFA = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


def signer(seed: int, name: str = ORIGIN) -> Ed25519Signer:
    """A key that is the same in each run."""
    return Ed25519Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


LOG = signer(1)
# Key id and signature were made with sha256sum and openssl.
GOLDEN = (
    "rkud.example/36\n1000\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n"
    "— rkud.example/36 CzBUu7HQwwouBSL5L7MIYOyJs2og5FqC8ygQCS3PCdOR42771KfFMI0ccbng"
    "OUaM5EEq94h0QFv0Y+ftlhed1jqFMQk=\n"
)


def test_published_example_is_read_and_written_back() -> None:
    """The specification's example has these values and only this spelling."""
    checkpoint = parse_checkpoint(SOFA)

    assert "example.com/behind-the-sofa" == checkpoint.origin
    assert 20_852_163 == checkpoint.size
    assert (
        "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62" == checkpoint.root.hex()
    )
    assert SOFA == checkpoint.to_text()


def test_signed_checkpoint_is_its_known_bytes() -> None:
    """The form of a checkpoint, its key id and its signature never change."""
    assert GOLDEN.encode() == sign_checkpoint(Checkpoint(ORIGIN, 1000, ROOT), [LOG])


@given(st.integers(1, COUNT_MAX), st.binary(min_size=32, max_size=32))
def test_any_checkpoint_signed_is_opened(size: int, root: bytes) -> None:
    """Signing and opening are inverse."""
    checkpoint = Checkpoint(ORIGIN, size, root)

    signed = open_checkpoint(sign_checkpoint(checkpoint, [LOG]), [LOG.verifier])

    assert checkpoint == signed.checkpoint
    assert (LOG.verifier,) == signed.log_keys
    assert () == signed.witnesses


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("20852163", "020852163"),
        ("20852163", "+20852163"),
        ("20852163", "-1"),
        ("20852163", " 20852163"),
        ("20852163", "20852163 "),
        ("20852163", "20_852_163"),
        ("20852163", "20852163.0"),
        ("20852163", "٢٠"),
        ("20852163", "２０"),
        ("20852163", ""),
        ("20852163", "9223372036854775808"),
        ("20852163", "0"),
        ("20852163\n", "20852163\r\n"),
        ("20852163\n", "20852163\u2028"),
        ("q2I=", "q2J="),
        ("q2I=", "q2I"),
        ("q2I=", "q2I= "),
        ("q2I=", "q2I=\r"),
        ("q2I=", ""),
        ("m/X", "m_X"),
        ("CsUY", "CsUYAAAA"),
        ("CsUY", ""),
        ("example.com/behind-the-sofa", ""),
        ("example.com/behind-the-sofa", "go.sum database tree"),
        ("example.com/behind-the-sofa", "example.com+sofa"),
        ("example.com/behind-the-sofa", "example.com\u00a0sofa"),
        ("example.com/behind-the-sofa", "example.com\u2028sofa"),
        ("example.com/behind-the-sofa", "\texample.com"),
        ("q2I=\n", "q2I="),
        ("q2I=\n", "q2I=\n\n"),
        ("q2I=\n", "q2I=\nextension\n"),
        ("q2I=\n", "q2I=\u2028x\n"),
        ("\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=", ""),
    ],
)
def test_checkpoint_in_another_spelling_is_refused(old: str, new: str) -> None:
    """Sizes, roots and lines have one spelling; an extension line is refused unless asked for."""
    assert old in SOFA
    with pytest.raises(MalformedCheckpointError):
        parse_checkpoint(SOFA.replace(old, new, 1))


def test_checkpoint_of_size_zero_carries_the_empty_root() -> None:
    """An empty log has its one root."""
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)

    assert empty == parse_checkpoint(empty.to_text())
    with pytest.raises(MalformedCheckpointError, match="empty root"):
        Checkpoint(ORIGIN, 0, ROOT)


@pytest.mark.parametrize("extension", ["", "a\nb"])
def test_checkpoint_with_an_extension_that_is_no_line_is_refused(extension: str) -> None:
    """What would read back otherwise is not written."""
    with pytest.raises(MalformedCheckpointError):
        Checkpoint(ORIGIN, 1, ROOT, (extension,))


def test_checkpoint_of_a_frozen_log_is_read_when_asked() -> None:
    """The last checkpoint says so in an extension line, which is signed and read on request only."""
    last = Checkpoint(ORIGIN, 5, ROOT, (f"Log frozen -- continued by {ORIGIN}/2",))
    data = sign_checkpoint(last, [LOG])

    assert last.frozen
    assert not Checkpoint(ORIGIN, 5, ROOT).frozen
    assert last == open_checkpoint(data, [LOG.verifier], extensions=True).checkpoint
    with pytest.raises(MalformedCheckpointError, match="extension"):
        open_checkpoint(data, [LOG.verifier])


def test_checkpoint_signed_under_another_name_is_refused() -> None:
    """A key signs for the log of its name, and its checkpoint is opened for that log."""
    with pytest.raises(WrongOriginError):
        sign_checkpoint(Checkpoint("rkud.example/37", 1, ROOT), [LOG])
    data = sign_note(Checkpoint("rkud.example/37", 1, ROOT).to_text(), [LOG])
    with pytest.raises(WrongOriginError) as refused:
        open_checkpoint(data, [LOG.verifier])

    assert (ORIGIN, "rkud.example/37") == (refused.value.expected, refused.value.actual)


def test_checkpoint_with_old_and_new_key_opens_under_either() -> None:
    """A rotation overlaps: holders of either vkey go on verifying."""
    new = signer(2)
    data = sign_checkpoint(Checkpoint(ORIGIN, 5, ROOT), [LOG, new])

    for keys in ([LOG.verifier], [new.verifier], [LOG.verifier, new.verifier]):
        assert tuple(keys) == open_checkpoint(data, keys).log_keys


def test_checkpoint_of_an_unknown_key_is_refused() -> None:
    """The origin's name alone is no signature."""
    data = sign_checkpoint(Checkpoint(ORIGIN, 5, ROOT), [signer(2)])

    with pytest.raises(UntrustedNoteError):
        open_checkpoint(data, [LOG.verifier])


@pytest.mark.parametrize("at", range(GOLDEN.index("\n\n")))
def test_checkpoint_with_one_bit_changed_is_refused(at: int) -> None:
    """Wherever in the text a bit is turned, it is another checkpoint, and unsigned."""
    data = bytearray(GOLDEN.encode())
    data[at] ^= 1

    with pytest.raises(
        (InvalidSignatureError, MalformedNoteError, MalformedCheckpointError, WrongOriginError)
    ):
        open_checkpoint(bytes(data), [LOG.verifier])


def test_checkpoint_witnessed_needs_the_log_as_well() -> None:
    """Witnesses are told apart from log keys, and do not replace them."""
    private = Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32)
    witness = CosignatureVerifier("witness.example", private.public_key().public_bytes_raw())
    text = Checkpoint(ORIGIN, 5, ROOT).to_text()
    line = cosign(text, "witness.example", private, at=1_700_000_000)

    signed = open_checkpoint(
        sign_note(text, [LOG], others=[line]), [LOG.verifier], witnesses=[witness]
    )

    assert ((LOG.verifier,), (witness,)) == (signed.log_keys, signed.witnesses)
    with pytest.raises(UntrustedNoteError):
        open_checkpoint(sign_note(text, [], others=[line]), [LOG.verifier], witnesses=[witness])


@pytest.mark.parametrize("keys", [[], [LOG.verifier, signer(1, "rkud.example/37").verifier]])
def test_opening_without_one_log_in_mind_is_a_mistake(keys: list[CosignatureVerifier]) -> None:
    """The keys say which log is meant."""
    with pytest.raises(ValueError, match="one name"):
        open_checkpoint(GOLDEN.encode(), keys)
