"""Signatures of SNAP BI: known answers, and what a changed byte does to them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from bank_adapters.snap import signatures as s

# (secret, token, method, path, body, time, digest of the body, signature)
ANSWERS = [
    (
        "myclientsecret",
        "myaccesstoken",
        "/v1.0/qr/qr-mpm-generate",
        '{"partnerReferenceNo":"2020102900000000000001","amount":{"value":"12345678.00","currency":"IDR"},'
        '"feeAmount":{"value":"12345678.00","currency":"IDR"},"merchantId":"00007100010926",'
        '"terminalId":"213141251124","validityPeriod":"2009-07-03T12:08:56-07:00"}',
        "2024-03-05T10:37:16.196Z",
        "01463f60dbb6ca538581579dd95b31c8ba9fc6600eca750e4d8460ca4e402111",
        "wmzT7yjg1SxxCsxNsFgCR9SYXiZGGbceF6fV8xe97sAMHxZ+7OEBMIBmvb6Sj6GcksGp3iv77DiomgSbcST3XQ==",
    ),
    (
        "rahasia-uji-123",
        "TOKEN.uji",
        "/snap/v1.0/balance-inquiry",
        '{"partnerReferenceNo":"RKUD260305000001","accountNo":"0010012345678"}',
        "2026-03-05T10:15:30+07:00",
        "0244d7ecd715509def1bd848ea8b8d8d6feaf76b6223b916018663c3e9ca2901",
        "ENEI7gQYd8ZRJOE4Yc2VRVbYNSNa65RqErAZUdBq1Ehcn3zelbNfD1bGRtiHfMFNMsrot+o2BsUkpUoJW6sxWQ==",
    ),
    (
        "rahasia-uji-123",
        "TOKEN.uji",
        "/snap/v1.0/transfer-intrabank",
        '{"partnerReferenceNo":"SP2D26-000123-1","amount":{"value":"1250000000.00","currency":"IDR"},'
        '"beneficiaryAccountNo":"0019988776655","remark":"SP2D 000123/LS é",'
        '"sourceAccountNo":"0010012345678","transactionDate":"2026-03-05T10:15:30+07:00"}',
        "2026-03-05T10:15:30+07:00",
        "061a0e81cd53737e639dfb3e169a9dd0634e002d3bd9e01875ddb00e59028785",
        "0yCPB8Yvgy0aoRwbO51cnUpD65aVp4VvJ2gjnKZEeTDn7FwWE83rGE8gMfJigRRyJ1Z/zzbjAe9jbHZWLPZeAw==",
    ),
    (
        "rahasia-uji-123",
        "TOKEN.uji",
        "/snap/v1.0/ping",
        "",
        "2026-03-05T10:15:30+07:00",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "g8V803Ea/XsscoEV/e/j4j3sjflj0Es+b74T6+jo5NXMPsvPB8kMnLmiHmjWu1sD8vFJeGS+I/UBUoIivRmIGw==",
    ),
]
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize(
    ("secret", "token", "path", "body", "when", "digest", "signature"), ANSWERS
)
def test_hmac_of_a_known_answer_is_reproduced(
    secret: str, token: str, path: str, body: str, when: str, digest: str, signature: str
) -> None:
    """Text, digest and signature agree with implementations that are not ours."""
    text = s.symmetric_text("POST", path, token, body.encode(), when)
    assert f"POST:{path}:{token}:{digest}:{when}" == text.decode()
    assert signature == s.sign_hmac(text, secret)
    assert s.verify_hmac(text, secret, signature)
    assert not s.verify_hmac(text + b" ", secret, signature)


def test_indented_body_is_signed_as_its_minified_form() -> None:
    """White space between tokens is not signed, inside strings it is."""
    secret, token, path, body, when, _, signature = ANSWERS[2]
    indented = json.dumps(json.loads(body), indent=2, ensure_ascii=False).encode()
    assert signature == s.sign_hmac(s.symmetric_text("POST", path, token, indented, when), secret)


_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_VALUES, st.booleans(), st.sampled_from([None, 0, 1, "\t", " \r\n "]))
def test_minify_of_any_json_is_its_compact_form(
    value: object, ascii_only: bool, indent: int | str | None
) -> None:
    """However it was spaced, the minified form is one."""
    compact = json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only).encode()
    spaced = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    assert compact == s.minify(spaced)
    assert compact == s.minify(compact)


@pytest.mark.parametrize("encoding", ["base64", "hex"])
def test_rsa_signature_of_a_changed_text_is_refused(encoding: s.Encoding) -> None:
    """One byte of text, signature or key decides."""
    text = s.token_text("G1", "2026-03-05T10:15:30+07:00")
    signature = s.sign_rsa(text, KEY, encoding)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert s.verify_rsa(text, KEY.public_key(), signature, encoding)
    assert not s.verify_rsa(text + b"x", KEY.public_key(), signature, encoding)
    assert not s.verify_rsa(text, other.public_key(), signature, encoding)
    for wrong in ("", "!!", "é", signature[:-4], signature + "00"):
        assert not s.verify_rsa(text, KEY.public_key(), wrong, encoding)
        assert not s.verify_hmac(text, "secret", wrong, encoding)


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        (timezone(timedelta(hours=7)), "2026-03-05T10:15:30+07:00"),
        (UTC, "2026-03-05T10:15:30+00:00"),
    ],
)
def test_timestamp_has_seconds_and_a_zone(zone: timezone, expected: str) -> None:
    """25 characters; the standard has no fractions of a second."""
    assert expected == s.timestamp(datetime(2026, 3, 5, 10, 15, 30, 123456, tzinfo=zone))
