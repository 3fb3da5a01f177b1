"""Signed notes: published examples, every spelling refused, and several keys on one note."""

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import (
    InvalidSignatureError,
    MalformedKeyError,
    MalformedNoteError,
    UntrustedNoteError,
    WeakKeyError,
)
from audit.note import (
    CosignatureVerifier,
    Ed25519Signer,
    Ed25519Verifier,
    Note,
    Signature,
    cosign,
    cosigned_at,
    parse_note,
    parse_private_text,
    parse_vkey,
    sign_note,
    verify_note,
)

# The example of the Go packages that began the format.
PETER_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETER_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngot"
    "pRZb6KE6RyyBwJnAM=\n"
).encode()
ENOCH_VKEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"  # a zero seed
COSIGNER_VKEY = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"

TEXT = "a\n"


def signer(seed: int, name: str = "log.example/36") -> Ed25519Signer:
    """A key that is the same in each run."""
    return Ed25519Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


ONE, TWO = signer(1), signer(2)


def test_published_note_is_verified_and_signed_again() -> None:
    """The Go example verifies, and its private key signs the same bytes."""
    note = parse_note(PETER_NOTE)
    peter = parse_vkey(PETER_VKEY)

    assert (peter,) == verify_note(note, [parse_vkey(ENOCH_VKEY), peter])
    assert PETER_NOTE == note.to_bytes()
    assert PETER_NOTE == sign_note(note.text, [parse_private_text(PETER_PRIVATE)])


def test_published_keys_are_read_and_written_back() -> None:
    """Key text survives reading, and the zero seed has its published vkey."""
    zero = Ed25519Signer("EnochRoot", Ed25519PrivateKey.from_private_bytes(bytes(32)))
    cosigner = parse_vkey(COSIGNER_VKEY)

    assert PETER_VKEY == parse_vkey(PETER_VKEY).vkey
    assert PETER_PRIVATE == parse_private_text(PETER_PRIVATE).private_text()
    assert PETER_VKEY == parse_private_text(PETER_PRIVATE).verifier.vkey
    assert ENOCH_VKEY == zero.verifier.vkey
    assert isinstance(cosigner, CosignatureVerifier)
    assert COSIGNER_VKEY == cosigner.vkey


def test_signer_printed_does_not_show_its_secret() -> None:
    """A signer in a log line or traceback shows the public half only."""
    secret = PETER_PRIVATE.rsplit("+", 1)[1]

    assert secret not in repr(parse_private_text(PETER_PRIVATE))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        PETER_VKEY.replace("c74f", "C74F"),
        PETER_VKEY.replace("c74f", "c74e"),
        PETER_VKEY.replace("c74f", "74f"),
        PETER_VKEY.replace("c74f", " c74f"),
        PETER_VKEY.replace("PeterNeumann", "PeterNeuman"),
        PETER_VKEY.replace("PeterNeumann", ""),
        PETER_VKEY.replace("PeterNeumann", "Peter Neumann"),
        PETER_VKEY.replace("PeterNeumann", "Peter\u2028Neumann"),
        PETER_VKEY.replace("PeterNeumann", "Peter\u00a0Neumann"),
        PETER_VKEY + "\n",
        PETER_VKEY + "=",
        PETER_VKEY[:-1],
        PETER_VKEY.replace("+AR", "+AR\n"),
        PETER_VKEY.replace("/", "_"),
        "PeterNeumann+c74f20a3+",
        "rekor.example+12345678+AwEB",
        # The right key id over a type that is not ours, and over a short key.
        "PeterNeumann+63f9a6c5+AhpZ2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10Q=",
    ],
)
def test_vkey_of_another_shape_is_refused(text: str) -> None:
    """A vkey has one spelling and the key id of its key."""
    with pytest.raises(MalformedKeyError):
        parse_vkey(text)


def test_vkey_of_a_weak_key_is_refused() -> None:
    """A key of low order is no verifier, although its vkey is well-formed."""
    with pytest.raises(WeakKeyError):
        Ed25519Verifier("log.example", bytes([1]) + bytes(31))


@pytest.mark.parametrize(
    "text",
    [
        PETER_PRIVATE.removeprefix("PRIVATE+KEY+"),
        PETER_PRIVATE.replace("c74f", "c74e"),
        PETER_PRIVATE.replace("+AY", "+BI"),
        PETER_PRIVATE[:-4],
        PETER_PRIVATE + "\n",
        PETER_PRIVATE.lower(),
    ],
)
def test_private_text_of_another_shape_is_refused(text: str) -> None:
    """Private key text has one spelling and the key id of its key."""
    with pytest.raises(MalformedKeyError):
        parse_private_text(text)


SIGNED = sign_note(TEXT, [ONE]).decode()
LINE = SIGNED.removeprefix("a\n\n")
BLOB = LINE.rstrip("\n").rsplit(" ", 1)[1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\n",
        "a\n\n",
        "\n",
        "\n\n",
        LINE,
        "a" + LINE,
        "a\n" + LINE,
        "a\n\n" + LINE.rstrip("\n"),
        SIGNED + "\n",
        SIGNED + "x\n",
        SIGNED.replace("\n", "\r\n"),
        SIGNED.replace("a\n", "a\r\n"),
        SIGNED.replace("a\n", "a\x00\n"),
        SIGNED.replace("a\n", "a\t\n"),
        SIGNED.replace("— ", "- "),
        SIGNED.replace("— ", "—"),
        SIGNED.replace("— ", "—  "),
        SIGNED.replace("— ", " — "),
        SIGNED.replace("— ", "—\u00a0"),
        SIGNED.replace("log.example/36 ", "log.example/36  "),
        SIGNED.replace("log.example/36 ", ""),
        SIGNED.replace("log.example/36", "log+example"),
        SIGNED.replace("log.example/36", "log\u2028example"),
        SIGNED.replace(BLOB, BLOB + " "),
        SIGNED.replace(BLOB, BLOB + "="),
        SIGNED.replace(BLOB, BLOB[:-1]),
        SIGNED.replace(BLOB, BLOB[:20] + "\u00b5" + BLOB[21:]),
        SIGNED.replace(BLOB, BLOB[:20] + "-" + BLOB[21:]),
        SIGNED.replace(BLOB, "AAAAAA=="),  # a key id and nothing behind it
        SIGNED.replace(BLOB, "AAAAAAB="),  # loose trailing bits
        SIGNED + LINE * 100,
    ],
)
def test_note_of_another_spelling_is_refused(text: str) -> None:
    """What the specification forbids, and what it leaves open, is not read."""
    with pytest.raises(MalformedNoteError):
        parse_note(text.encode())


@pytest.mark.parametrize("data", [b"\xff" + SIGNED.encode(), SIGNED.encode() + b"\xed\xa0\x80\n"])
def test_note_outside_utf8_is_refused(data: bytes) -> None:
    """Notes are UTF-8."""
    with pytest.raises(MalformedNoteError, match="UTF-8"):
        parse_note(data)


def test_note_above_a_million_bytes_is_refused() -> None:
    """A hostile note is refused before it is split."""
    with pytest.raises(MalformedNoteError, match="1000000"):
        parse_note(b"a\n" * 500_001)


def test_note_refusal_names_the_line() -> None:
    """The line number counts from the first line of the whole note."""
    with pytest.raises(MalformedNoteError) as refused:
        parse_note((SIGNED + "nonsense\n").encode())

    assert 4 == refused.value.line


def test_note_text_with_empty_lines_is_split_at_the_last() -> None:
    """Empty lines belong to the text, up to the last one."""
    text = "a\n\n— b AAAAAAA=\n\nc\n\u2028\n\n"

    note = parse_note(sign_note(text, [ONE]))

    assert text == note.text
    assert (ONE.verifier,) == verify_note(note, [ONE.verifier])


def test_note_with_two_keys_verifies_under_either_and_both() -> None:
    """During a rotation both keys sign; a verifier that knows one of them is content."""
    note = parse_note(sign_note(TEXT, [ONE, TWO]))

    assert (ONE.verifier,) == verify_note(note, [ONE.verifier])
    assert (TWO.verifier,) == verify_note(note, [TWO.verifier])
    assert (ONE.verifier, TWO.verifier) == verify_note(note, [TWO.verifier, ONE.verifier])


def test_note_with_a_hundred_signatures_is_read() -> None:
    """At least 16 are asked for; 100 are taken."""
    signers = [signer(i) for i in range(100)]

    note = parse_note(sign_note(TEXT, signers))

    assert 100 == len(verify_note(note, [s.verifier for s in signers]))


def test_note_of_unknown_keys_only_is_not_trusted() -> None:
    """A signature of a known name by another key does not count; the refusal names who signed."""
    with pytest.raises(UntrustedNoteError) as refused:
        verify_note(parse_note(SIGNED.encode()), [TWO.verifier])

    assert (f"log.example/36+{ONE.key_id.hex()}",) == refused.value.signers


def test_note_with_a_spoilt_signature_of_an_unknown_key_holds() -> None:
    """Unknown lines are ignored, whatever they hold, twice too."""
    other = Signature("log.example/36", b"abcd", b"x")

    note = parse_note((SIGNED + other.to_line() * 2).encode())

    assert (ONE.verifier,) == verify_note(note, [ONE.verifier])


@pytest.mark.parametrize("length", [1, 63, 64, 65, 72])
def test_note_with_an_invalid_signature_of_a_known_key_is_refused(length: int) -> None:
    """One bad signature of a known key spoils the note, whatever other valid ones it has."""
    bad = Signature(TWO.name, TWO.key_id, bytes(length))

    note = parse_note(sign_note(TEXT, [ONE], others=[bad]))

    assert (ONE.verifier,) == verify_note(note, [ONE.verifier])
    with pytest.raises(InvalidSignatureError):
        verify_note(note, [ONE.verifier, TWO.verifier])


def test_note_signed_twice_by_a_known_key_is_refused() -> None:
    """The specification is silent on it, so it is refused."""
    with pytest.raises(InvalidSignatureError):
        verify_note(parse_note((SIGNED + LINE).encode()), [ONE.verifier])


def test_note_with_changed_text_is_refused() -> None:
    """The text is what was signed."""
    with pytest.raises(InvalidSignatureError):
        verify_note(parse_note(SIGNED.replace("a\n", "b\n", 1).encode()), [ONE.verifier])


def test_verifying_with_one_key_twice_is_a_mistake() -> None:
    """Two verifiers of one name and key id cannot be told apart."""
    with pytest.raises(ValueError, match="one name"):
        verify_note(parse_note(SIGNED.encode()), [ONE.verifier, ONE.verifier])


@pytest.mark.parametrize("text", ["", "a", "a\r\n", "a\x1f\n", "\ud800\n"])
def test_signing_a_text_that_no_note_can_hold_is_refused(text: str) -> None:
    """Nothing is signed that would not be read back."""
    with pytest.raises(MalformedNoteError):
        sign_note(text, [ONE])


@pytest.mark.parametrize("signers", [[], [ONE, ONE]])
def test_signing_with_no_key_or_one_twice_is_a_mistake(signers: list[Ed25519Signer]) -> None:
    """A note has signatures, one of each key."""
    with pytest.raises(ValueError, match="one of each"):
        sign_note(TEXT, signers)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n")))
def test_any_text_signed_is_read_back(text: str) -> None:
    """Signing and reading are inverse on every text that ends in LF."""
    data = sign_note(text + "\n", [ONE])
    note = parse_note(data)

    assert text + "\n" == note.text
    assert data == note.to_bytes()
    verify_note(note, [ONE.verifier])


@given(st.binary(max_size=60))
def test_any_bytes_are_read_back_or_refused_by_name(data: bytes) -> None:
    """No input does anything but give a note of the same bytes, or the named refusal."""
    for candidate in (data, SIGNED.encode() + data, data + SIGNED.encode()):
        try:
            note = parse_note(candidate)
        except MalformedNoteError:
            continue
        assert candidate == note.to_bytes()


def test_cosignature_verifies_and_tells_its_time() -> None:
    """A witness's line holds over the text and names its time; the log's own line stays valid."""
    private = Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32)
    witness = CosignatureVerifier("witness.example", private.public_key().public_bytes_raw())
    line = cosign(TEXT, "witness.example", private, at=1_700_000_000)

    note = parse_note(sign_note(TEXT, [ONE], others=[line]))

    assert (ONE.verifier, witness) == verify_note(note, [ONE.verifier, witness])
    assert 1_700_000_000 == cosigned_at(note.signatures[1])
    private.public_key().verify(line.blob[8:], b"cosignature/v1\ntime 1700000000\na\n")


def test_published_cosignature_time_is_read() -> None:
    """The timestamp of a public witness's line is the published one."""
    blob = (
        "ZGhGuQAAAABm/qTPeyKXD+R2rzyQsxPiP8mXum7qq/iF0u4vanlqJyocWODBt97w9uL+8qT7S5gxEHWWOworDcFiE"
        "BYJXORmnFBOBA=="
    )
    note = parse_note(f"a\n\n— witness {blob}\n".encode())

    assert 1_727_964_367 == cosigned_at(note.signatures[0])


@pytest.mark.parametrize("change", ["time", "length", "text"])
def test_cosignature_with_anything_changed_is_refused(change: str) -> None:
    """Time and text are signed."""
    private = Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32)
    witness = CosignatureVerifier("witness.example", private.public_key().public_bytes_raw())
    line = cosign(TEXT, "witness.example", private, at=1_700_000_000)
    text = "b\n" if change == "text" else TEXT
    if change == "time":
        line = Signature(line.name, line.key_id, bytes(8) + line.blob[8:])
    if change == "length":
        line = Signature(line.name, line.key_id, line.blob[8:])

    with pytest.raises(InvalidSignatureError):
        verify_note(Note(text, (line,)), [witness])


def test_cosigned_at_of_a_plain_signature_is_refused() -> None:
    """A log signature has no time."""
    with pytest.raises(MalformedNoteError):
        cosigned_at(parse_note(SIGNED.encode()).signatures[0])


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not on the PATH")
def test_note_signature_is_valid_to_openssl(tmp_path: Path) -> None:
    """A tool that is not ours verifies the text's signature, and refuses another text's."""
    note = parse_note(sign_note(TEXT, [ONE]))
    private = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
    (tmp_path / "key.pem").write_bytes(
        private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    (tmp_path / "sig").write_bytes(note.signatures[0].blob)
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin"]
    command += ["-sigfile", "sig", "-in", "text"]

    codes = []
    for text in (note.text, "b\n"):
        (tmp_path / "text").write_text(text)
        codes.append(
            subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode
        )

    assert [0, 1] == codes
