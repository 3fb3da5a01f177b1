"""
SNAP BI signatures: which bytes are signed, and with what (ASPI, "Keamanan"; bank notes 1.3).

Pure. Three texts are signed:

    token        client_id|timestamp                                             RSA-SHA256
    symmetric    METHOD:path:token:lowerhex(SHA256(minified body)):timestamp      HMAC-SHA512
    asymmetric   METHOD:path:lowerhex(SHA256(minified body)):timestamp            RSA-SHA256

A body is serialised once; those bytes are signed and those bytes are sent. The standard doesn't say
how a signature is written: base64 and hex both occur, so each bank's settings name one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime
from typing import Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

__all__ = [
    "Encoding",
    "asymmetric_text",
    "minify",
    "sign_hmac",
    "sign_rsa",
    "symmetric_text",
    "timestamp",
    "token_text",
    "verify_hmac",
    "verify_rsa",
]

Encoding = Literal["base64", "hex"]

#: What JSON allows between its tokens (RFC 8259, section 2).
_SPACE: Final = b" \t\n\r"


def timestamp(when: datetime) -> str:
    """`X-TIMESTAMP`: `yyyy-MM-ddTHH:mm:ss+07:00`, 25 characters; *when* has a zone."""
    return when.replace(microsecond=0).isoformat()


def minify(body: bytes) -> bytes:
    """*body* without white space outside strings; order of keys and text of numbers stay."""
    out = bytearray()
    start, at, size = 0, 0, len(body)
    inside = False
    while at < size:
        byte = body[at]
        if inside:
            if byte == 0x5C:  # a backslash takes the next byte with it
                at += 1
            elif byte == 0x22:
                inside = False
        elif byte == 0x22:
            inside = True
        elif byte in _SPACE:
            out += body[start:at]
            start = at + 1
        at += 1
    out += body[start:]
    return bytes(out)


def token_text(client_id: str, when: str) -> bytes:
    """What is signed to ask for a token (service 73)."""
    return f"{client_id}|{when}".encode()


def symmetric_text(method: str, path: str, token: str, body: bytes, when: str) -> bytes:
    """What a transaction signs; *path* is relative, with its query; *token* without `Bearer `."""
    return f"{method}:{path}:{token}:{_digest(body)}:{when}".encode()


def asymmetric_text(method: str, path: str, body: bytes, when: str) -> bytes:
    """What is signed where no token takes part: callbacks, and some banks' transactions."""
    return f"{method}:{path}:{_digest(body)}:{when}".encode()


def sign_hmac(text: bytes, secret: str, encoding: Encoding = "base64") -> str:
    """HMAC-SHA512; the key is the secret's text as UTF-8, never decoded from base64."""
    return _write(hmac.digest(secret.encode(), text, "sha512"), encoding)


def verify_hmac(text: bytes, secret: str, signature: str, encoding: Encoding = "base64") -> bool:
    """Whether *signature* is that of *text*, in constant time."""
    expected = hmac.digest(secret.encode(), text, "sha512")
    return hmac.compare_digest(expected, _read(signature, encoding))


def sign_rsa(text: bytes, key: RSAPrivateKey, encoding: Encoding = "base64") -> str:
    """RSA PKCS#1 v1.5 with SHA-256."""
    return _write(key.sign(text, PKCS1v15(), hashes.SHA256()), encoding)


def verify_rsa(
    text: bytes, key: RSAPublicKey, signature: str, encoding: Encoding = "base64"
) -> bool:
    """Whether *key*'s owner signed *text*."""
    try:
        key.verify(_read(signature, encoding), text, PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _digest(body: bytes) -> str:
    return hashlib.sha256(minify(body)).hexdigest()


def _write(raw: bytes, encoding: Encoding) -> str:
    return raw.hex() if encoding == "hex" else base64.b64encode(raw).decode()


def _read(signature: str, encoding: Encoding) -> bytes:
    """The signature's bytes; nothing at all where it can't be read: no signature is empty."""
    try:
        if encoding == "hex":
            return bytes.fromhex(signature)
        return base64.b64decode(signature, validate=True)
    except (ValueError, binascii.Error):
        return b""
