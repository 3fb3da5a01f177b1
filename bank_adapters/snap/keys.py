"""
Keys and secrets of a connection, from the bytes of their files.

Pure. What is no key, or one too weak, is refused without any of its text.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_pem_public_key,
)

__all__ = ["UnfitKeyError", "certificates", "private_key", "public_key", "secret_text"]

_KEY_BITS_MIN: Final = 2048


class UnfitKeyError(ValueError):
    """Why a file's bytes are not what its field must name."""


def private_key(pem: bytes) -> RSAPrivateKey:
    """Ours, RSA, without a password."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UnfitKeyError("holds no PEM key without a password") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < _KEY_BITS_MIN:
        raise UnfitKeyError(f"holds no RSA key of {_KEY_BITS_MIN} bits or more")
    return key


def public_key(pem: bytes) -> RSAPublicKey:
    """The bank's, RSA."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise UnfitKeyError("holds no public key in PEM") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < _KEY_BITS_MIN:
        raise UnfitKeyError(f"holds no RSA key of {_KEY_BITS_MIN} bits or more")
    return key


def secret_text(raw: bytes) -> str:
    """The text of a secret's file: one line; its line break is no part of it."""
    try:
        text = raw.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise UnfitKeyError("is not text in UTF-8") from None
    if not text or text != text.strip() or not text.isprintable():
        raise UnfitKeyError("is not one line of text without space around it")
    return text


def certificates(pem: bytes) -> str:
    """Certificates of authorities, as text."""
    try:
        text = pem.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise UnfitKeyError("holds no certificate in PEM")
    return text
