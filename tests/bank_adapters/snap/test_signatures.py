"""Signatures of SNAP BI: known answers, and what a changed byte does to them."""

from __future__ import annotations

import hmac
import json
from base64 import b64decode
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key
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


# The example of Midtrans' public SNAP-BI-Signature-Demo (sample-code/asymmetricSignature, Node): a key
# that was published with its signature, for this and for nothing else. DER in base64.
DEMO_KEY = (
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCVZu2WHd4z5tbefkAWPjbB10Lgvu1CpsuIIVtO"
    "/wrrvKeD2LArmYSf5QxeJGG8HYlVYVp8I8/EVqayJUbcyOd4aMLQFiCambDipecCfI7ecJ0K4+2ZneWOEq9JM91Z"
    "nGtwuLVdr1X/4/NvyGuNvmLAyfpJkU14yZliAUqJJ656jpM+WfY+hOpcLOzUe2wzx5RV7wYCyMl7/d1iX33afJc6"
    "kbbUaA27yjlPdY6m0+DoZ0NNaRNZS7jzfJFtVXLTg/PgvwMNlMO/5ZywBWIOfWsD+MHUC6P9QYrHai8ZwEf9r+Gi"
    "vlNsAFs4NTpw9MdPngrexJm29k1Xh4UMHV//jB1/AgMBAAECggEADcXGyitns/4oOauGyeYjUxw+eIxxP88zfRGi"
    "IralMZUbFi7wEpzc2oaZbMZK0jYg1mOanU4J1a4tQMfp7+l/WRzDNL6Nc+MOKN6lXJfR7dSQzZO0cBBbvIyhZwym"
    "b5/ZUbNdWM0UjvnbE6d0rsTpwp77+TMxYpynDJ9U2S70ySxefGi7x4rK02/8xmj1fY/Ls+uoYhF4IbGJIkFvrlAd"
    "WyFvv6sCGBYxl5sPuitgQxPvYc7dS7HE+6nZ+wWgoIXjC4CfxHBa9u3dfu3XAnPY3xpnVsbxCAH9OOIrZPY0C/Pq"
    "gj+EElCBChUzDiedV3XipKUweDA+64sNm5NjqlqU8QKBgQDFf5a9vHVf9r2CTOgmz5wTrK7aTwKwCNC4zpZUxDR8"
    "k7AV2gTelabpPWqUMZyRMUPs2hyBvhEWVNKxx3qs7BAVpmcttuS5/dLNVdhNPUC2IgZqf3jWH2aS3lkci8DATQCp"
    "hrEXZ3jrNaIRtrSCkflE+yY8YP8b7ObktgvHz39JMQKBgQDBqCsMmOsQAveIQk5FGAMxsFU9G7OIBFHoxpwkKUCj"
    "oqGxM+YQqDvcVeXNd/HdLnmR05//eoONemuDyYy8XRoud4tpaRKU/FK706WdljztB5rn2+cdUbmcU0fZiRQk+WuX"
    "sopZn3GUNvA/fQOW9qs7B5Rm5W71FeGkZgsvlAUlrwKBgQCUgFFaLWCcXa01UpqkxCp5aLi5EfvVXWuD6mKDLlzA"
    "51PZums66o/shO+kqoEtczu91mrk64NxpSof3vxRFdcqUEr4xrLJXx+oocnYmhwUVxU38s1rQ4UfHe0nV7YBYmUD"
    "E3IJRRZY1aUdaKHmI9iok6e2csCfwMwEYRYOkekFoQKBgCyyOa1gpfA+Hw+N7i64ShRv1FyURi2Agb8uB9+4vbiG"
    "0rbpeZIioh5KnQ19P4+DKH/lzinTBwXiWWpDXH4lJuPOp5ierbFBQ38ibDkg8dLrTG9zK7ZypFpWRmEI6GNYReLv"
    "TEs/J6HDxFOC8Q8ow4COUUwmbCOY90lQXAiRK1b1AoGAScK1db9X5Ct+JtnjYyziGYLwyPhHCQIVmEDfuvbMs74w"
    "oQsrBm3dBB3b2vf9pqcSZB4WAbTQ3wCdxCJKg6MN6eXBO1M1lcIpZjCDyiXXi7PozNmkasRDUyDFwxlnyDLdRHL3"
    "FD+dh6do32FwGLBQu256RIyMB13qIuqrc91Z0hM="
)
DEMO_SIGNATURE = (
    "WzW49tYIgKIBmBi/gVBHGLAkhEaZlXM11zcZxAiyHji6TLPjPbwLu3Z45it25AIeG0XDItcdTSkds47zFEMh6IP0"
    "PXPIP1+Ey4RmX/o2fuYRF/xBHvfvKnMmANMTS1axsXBSW3EHqYpbVrkCcqNnB3u+wu63us9WIhRZaWgxgQ2PJLai"
    "VHIwgu9u7jxkWX7Bg4rerZH3RKdQfIJAAJsSN13efR7VdSAyzU7QaKjgislxrLqmesYNJkbD03XLjHdo6YWuzAVV"
    "7xdZRpLiGkIAkW7luXTBZYBO+4oENZAPQYzrLeN1qRY1Sr7BgLONCA2QA26BB6SYW4R7qofS9+RyOQ=="
)


def test_rsa_of_a_known_answer_is_reproduced() -> None:
    """The token's text, signed with a published key, gives the published signature."""
    key = load_der_private_key(b64decode(DEMO_KEY), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    text = s.token_text("G1234325-SNAP", "2024-03-01T08:27:49.024Z")
    assert b"G1234325-SNAP|2024-03-01T08:27:49.024Z" == text
    assert DEMO_SIGNATURE == s.sign_rsa(text, key)
    assert s.verify_rsa(text, key.public_key(), DEMO_SIGNATURE)
    assert b64decode(DEMO_SIGNATURE).hex() == s.sign_rsa(text, key, "hex")


def test_symmetric_text_is_the_one_that_bca_published_before_snap() -> None:
    """
    BCA's older API signed the same shape of text, with SHA-256 and in hex; its text is ours.

    Its page takes the spaces inside values out as well, which SNAP keeps: "TransferTest".
    """
    secret, when = "22a2d25e-765d-41e1-8d29-da68dcb5698b", "2016-02-03T10:00:00.000+07:00"
    token = "lIWOt2p29grUo59bedBUrBY3pnzqQX544LzYPohcGHOuwn8AUEdUKS"
    body = {
        "CorporateID": "BCAAPI2016",
        "SourceAccountNumber": "0201245680",
        "TransactionID": "00000001",
        "TransactionDate": "2016-01-30",
        "ReferenceID": "12345/PO/2016",
        "CurrencyCode": "IDR",
        "Amount": "100000.00",
        "BeneficiaryAccountNumber": "0201245681",
        "Remark1": "TransferTest",
        "Remark2": "OnlineTransfer",
    }
    raw = json.dumps(body, indent=4).encode()
    text = s.symmetric_text("POST", "/banking/corporates/transfers", token, raw, when)
    assert (
        f"POST:/banking/corporates/transfers:{token}:"
        "e3cf5797ac4ac02f7dad89ed2c5f5615c9884b2d802a504e4aebb76f45b8bdfb:"
        "2016-02-03T10:00:00.000+07:00"
    ) == text.decode()
    signed = hmac.new(secret.encode(), text, "sha256").hexdigest()
    assert "69ad66589ade078a30922a0848725cf153aecfcca82eba94e3270285b4a9c604" == signed


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
