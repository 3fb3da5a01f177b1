"""Officers' envelopes and statements."""

import dataclasses
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit import dsse
from audit.canonical import canonical, parse_canonical
from audit.curve import load_public_key
from audit.dsse import Envelope, pae, parse_envelope
from audit.errors import InvalidSignatureError, MalformedEnvelopeError, MalformedStatementError
from audit.keys import officer_key_id
from audit.statement import Statement, parse_statement

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes([3]) * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(bytes([4]) * 32)
KEY = load_public_key(PRIVATE.public_key().public_bytes_raw())
STATEMENT = Statement(
    origin="rkud.example/36",
    act="sp2d.verify",
    object="sp2d_01",
    revision="ab" * 32,
    line_totals={"5.1.02.01": "1250000.00"},
    payees=("cd" * 32, "ef" * 32),
    amount="1250000.00",
    decision="approve",
    role="kuasa_bud",
    officer="person_7",
    key_id=officer_key_id(KEY.public_bytes_raw()),
    nonce="0123456789abcdef" * 2,
    claimed_at="2026-03-05T03:15:30.123456Z",
)
GOLDEN = (
    '{"act":"sp2d.verify","amount":"1250000.00","claimed_at":"2026-03-05T03:15:30.123456Z",'
    '"currency":"IDR","decision":"approve","key_id":"ed25519:b62e867fa2f33afe",'
    '"line_totals":{"5.1.02.01":"1250000.00"},"nonce":"0123456789abcdef0123456789abcdef",'
    f'"object":"sp2d_01","officer":"person_7","origin":"rkud.example/36","payees":["{"cd" * 32}",'
    f'"{"ef" * 32}"],"revision":"{"ab" * 32}","role":"kuasa_bud","version":1}}'
)


def test_pae_is_that_of_the_specification() -> None:
    """The example of the DSSE protocol, and lengths counted in bytes."""
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"

    assert expected == pae("http://example.com/HelloWorld", b"hello world")
    assert b"DSSEv1 2 \xc3\xa9 2 \xc3\xa9" == pae("é", "é".encode())
    assert b"DSSEv1 0  0 " == pae("", b"")


def test_statement_is_its_known_bytes() -> None:
    """Version 1 never changes."""
    assert GOLDEN.encode() == STATEMENT.to_payload()
    assert STATEMENT == parse_statement(GOLDEN.encode())


def test_envelope_is_its_known_bytes() -> None:
    """What is stored with an approval never changes; key name and signature are openssl's."""
    data = dsse.sign(b"{}", PRIVATE).to_bytes()

    assert (
        b'{"payload":"e30=","payloadType":"application/vnd.rkud.act+json",'
        b'"signatures":[{"keyid":"ed25519:b62e867fa2f33afe","sig":"7/hgmoEP0ZMot8w0m4LYUHIHHa/eOa'
        b'7ORhiEDnrV54UAcL8tmHB/hZSfHuvI+a/bVilj1z3adH8pKsKCgHNfBQ=="}]}'
    ) == data


def test_envelope_signed_is_verified_and_gives_the_statement() -> None:
    """The enrolled key opens the envelope, and inside is the statement."""
    envelope = parse_envelope(dsse.sign(STATEMENT.to_payload(), PRIVATE).to_bytes())

    assert STATEMENT == parse_statement(dsse.verify(envelope, KEY))
    assert STATEMENT.key_id == envelope.keyid


@given(st.binary())
def test_any_payload_survives_its_envelope(payload: bytes) -> None:
    """Envelopes carry exact bytes."""
    envelope = dsse.sign(payload, PRIVATE)

    assert envelope == parse_envelope(envelope.to_bytes())
    assert payload == dsse.verify(envelope, KEY)


def test_envelope_under_another_key_is_refused() -> None:
    """Neither another officer's key nor his name on it makes an envelope his."""
    mine = dsse.sign(b"{}", PRIVATE)
    theirs = dsse.sign(b"{}", OTHER)
    plain = Envelope(b"{}", mine.keyid, PRIVATE.sign(b"{}"))
    for envelope in [
        theirs,
        dataclasses.replace(theirs, keyid=mine.keyid),
        dataclasses.replace(mine, keyid=theirs.keyid),
        dataclasses.replace(mine, payload=b"{ }"),
        dataclasses.replace(mine, signature=bytes(64)),
        dataclasses.replace(mine, signature=mine.signature[:63]),
        plain,  # signed without the pre-authentication encoding
    ]:
        with pytest.raises(InvalidSignatureError):
            dsse.verify(envelope, KEY)


ENVELOPE = dsse.sign(b"{}", PRIVATE).to_bytes()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"payload":', b'"payload": '),
        (b'"payload":', b'"payloae":'),
        (b"e30=", b"e30"),
        (b"e30=", b"e31="),
        (b'"e30="', b"1"),
        (b"vnd.rkud", b"vnd.other"),
        (b'"payloadType":"application/vnd.rkud.act+json",', b""),
        (b'"signatures":[', b'"signatures":[1,'),
        (b'"keyid"', b'"a":1,"keyid"'),
        (b"]}", b'],"x":1}'),
        (b"]}", b"]}\n"),
        (b'"sig":"', b'"sig":"AAAA'),
        (
            b"{",
            b"[{",
        ),
    ],
)
def test_envelope_in_another_form_is_refused(old: bytes, new: bytes) -> None:
    """One approval has one form in the log."""
    assert old in ENVELOPE
    with pytest.raises(MalformedEnvelopeError):
        parse_envelope(ENVELOPE.replace(old, new, 1))


@pytest.mark.parametrize("count", [0, 2])
def test_envelope_without_exactly_one_signature_is_refused(count: int) -> None:
    """A second signature could be added by anybody."""
    value = parse_canonical(ENVELOPE)
    assert isinstance(value, dict)
    assert isinstance(value["signatures"], list)
    value["signatures"] = value["signatures"] * count

    with pytest.raises(MalformedEnvelopeError):
        parse_envelope(canonical(value))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("origin", ""),
        ("origin", "a\nb"),
        ("origin", "a" * 201),
        ("object", "\u202e"),
        ("object", "\ud800"),
        ("officer", ""),
        ("act", ""),
        ("act", "SP2D"),
        ("act", "sp2d."),
        ("act", "sp2d verify"),
        ("act", "sp2d.verify\n"),
        ("revision", "ab" * 31),
        ("revision", "AB" * 32),
        ("revision", "ab" * 32 + "\n"),
        ("amount", "1250000"),
        ("amount", "1250000.0"),
        ("amount", "1.250.000,00"),
        ("amount", "01.00"),
        ("amount", "+1.00"),
        ("amount", "-0.00"),
        ("amount", ".00"),
        ("amount", "١.٠٠"),
        ("amount", "1e2.00"),
        ("decision", "Approve"),
        ("decision", ""),
        ("role", "Kuasa BUD"),
        ("key_id", "ed25519"),
        ("key_id", "ed25519:0123"),
        ("key_id", "ed25519:0123456789ABCDEF"),
        ("nonce", "ab" * 15),
        ("nonce", "ab" * 33),
        ("nonce", "AB" * 16),
        ("claimed_at", "2026-03-05T03:15:30Z"),
        ("claimed_at", "2026-03-05T03:15:30.123456+07:00"),
        ("claimed_at", "2026-02-30T03:15:30.123456Z"),
        ("claimed_at", "2026-03-05 03:15:30.123456Z"),
        ("line_totals", {"": "1.00"}),
        ("line_totals", {"5.1": "1"}),
        ("line_totals", {"5.1\n": "1.00"}),
        ("payees", ("CV Maju",)),
        ("payees", ("ab" * 32, "ab" * 32)),
    ],
)
def test_statement_with_a_member_of_another_shape_is_refused(name: str, value: object) -> None:
    """Each member has its shape, when it is made and when it is read."""
    with pytest.raises(MalformedStatementError):
        dataclasses.replace(STATEMENT, **{name: value})  # type: ignore[arg-type]  # on purpose

    members = parse_canonical(STATEMENT.to_payload())
    assert isinstance(members, dict)
    if value != "\ud800":  # which no payload can hold
        members[name] = list(value) if isinstance(value, tuple) else value  # type: ignore[assignment]  # on purpose
        with pytest.raises(MalformedStatementError):
            parse_statement(canonical(members))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"version":1', '"version":2'),
        ('"version":1', '"version":true'),
        ('"version":1', '"version":"1"'),
        ('"IDR"', '"USD"'),
        ('"act":"sp2d.verify",', ""),
        ('"currency":"IDR",', ""),
        ('"version":1', '"version":1,"zeal":1'),
        ('"amount":"1250000.00"', '"amount":125000000'),
        ('"amount":"1250000.00"', '"amount":1250000.00'),
        ('"role":"kuasa_bud"', '"role":null'),
        ('{"5.1.02.01":"1250000.00"}', "[]"),
        ('{"5.1.02.01":"1250000.00"}', '{"5.1.02.01":1}'),
        ('"payees":[', '"payees":[1,'),
        (f'["{"cd" * 32}","{"ef" * 32}"]', "{}"),
        ('"act"', ' "act"'),
        (GOLDEN, "[]"),
        (GOLDEN, ""),
    ],
)
def test_statement_payload_in_another_form_is_refused(old: str, new: str) -> None:
    """A member more, less, doubled or of another type is another statement, of no version we know."""
    assert old in GOLDEN
    with pytest.raises(MalformedStatementError):
        parse_statement(GOLDEN.replace(old, new, 1).encode())


def test_statement_binds_every_member() -> None:
    """Changing any one member gives other bytes, so a signature covers them all."""
    others = {
        "origin": "rkud.example/37",
        "act": "sp2d.approve",
        "object": "sp2d_02",
        "revision": "ac" * 32,
        "line_totals": {"5.1.02.01": "1250000.01"},
        "payees": ("cd" * 32,),
        "amount": "1250000.01",
        "decision": "refuse",
        "role": "bud",
        "officer": "person_8",
        "key_id": "ed25519:0000000000000000",
        "nonce": "1" * 32,
        "claimed_at": "2026-03-05T03:15:30.123457Z",
    }
    payloads = {
        sha256(dataclasses.replace(STATEMENT, **{k: v}).to_payload()).digest()  # type: ignore[arg-type]  # each of its own type
        for k, v in others.items()
    }

    assert {f.name for f in dataclasses.fields(Statement)} == set(others)
    assert len(others) == len(payloads - {sha256(STATEMENT.to_payload()).digest()})
