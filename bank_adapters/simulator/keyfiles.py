"""
Key files of the served bank: made for the owner alone, read back by their names.

The bank's RSA key signs callbacks; the customer's, which a real bank would never see, lies there to be
handed over. Shell.
"""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from bank_adapters.simulator.errors import MalformedInputError

__all__ = [
    "CERTIFICATE",
    "bank_private_key",
    "customer_public_key",
    "tls_context",
    "write_certificate",
    "write_file",
    "write_key_pair",
]

CERTIFICATE: Final = "tls_certificate.pem"
_CERTIFICATE_KEY: Final = "tls_key.pem"
_CERTIFICATE_LIFE: Final = timedelta(days=3650)
_KEY_BITS: Final = 2048
_BANK_KEY: Final = "bank_private_key.pem"
_CUSTOMER_PUBLIC_KEY: Final = "customer_public_key.pem"


def bank_private_key(directory: Path) -> rsa.RSAPrivateKey:
    """The bank's key, which signs its callbacks."""
    key = serialization.load_pem_private_key((directory / _BANK_KEY).read_bytes(), None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise MalformedInputError(_BANK_KEY, "it is no RSA key")
    return key


def customer_public_key(directory: Path) -> rsa.RSAPublicKey:
    """The key that the customer's calls are checked with."""
    key = serialization.load_pem_public_key((directory / _CUSTOMER_PUBLIC_KEY).read_bytes())
    if not isinstance(key, rsa.RSAPublicKey):
        raise MalformedInputError(_CUSTOMER_PUBLIC_KEY, "it is no RSA key")
    return key


def tls_context(directory: Path) -> ssl.SSLContext:
    """The bank's end of TLS: 1.3 alone, as the standard has wanted it since July 2026."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(directory / CERTIFICATE, directory / _CERTIFICATE_KEY)
    return context


def write_certificate(directory: Path) -> None:
    """A certificate for 127.0.0.1 that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simulated bank")])
    address = x509.IPAddress(IPv4Address("127.0.0.1"))
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _CERTIFICATE_LIFE)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_file(directory / CERTIFICATE, certificate.public_bytes(serialization.Encoding.PEM))
    write_file(directory / _CERTIFICATE_KEY, private)


def write_key_pair(directory: Path, owner: str) -> None:
    """`OWNER_private_key.pem` and `OWNER_public_key.pem`."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    write_file(directory / f"{owner}_private_key.pem", private)
    write_file(directory / f"{owner}_public_key.pem", public)


def write_file(path: Path, content: bytes) -> None:
    """Write beside and rename into place, for the owner alone."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
    beside.replace(path)
