"""
The way out to one bank: one host, checked addresses, nothing followed, nothing guessed. A shell.

A call goes to the host of the bank's entry and nowhere else: there is no redirect to follow, no
proxy, no environment variable that says otherwise. A name is looked up once for each connection, and
the connection is made to the very address that was checked; the certificate is checked against the
name. Every call has one deadline over all its steps, and an answer one greatest length. Nothing is
ever sent twice here: the pool below tries no request again.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import httpcore2

from bank_adapters.snap.addresses import Reach
from bank_adapters.snap.connection import Connection
from bank_adapters.snap.errors import AddressRefusedError, BankUnreachableError
from bank_adapters.snap.sockets import CURRENT, Call, CheckedBackend, Resolver, look_up

__all__ = ["Answer", "Outbound", "Transport", "tls_context"]

_IDLE_SECONDS: Final = 20.0
_REASON_CHARACTERS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What a bank sent back. Header names are in small letters; of a repeated one, the last."""

    http_status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """What the client sends through."""

    def post(self, path: str, headers: Mapping[str, str], body: bytes, *, bytes_max: int) -> Answer:
        """One POST, its answer of at most *bytes_max*. Raises AddressRefusedError, or BankUnreachableError saying whether it went out."""

    def close(self) -> None:
        """Close what is open."""


class Outbound:
    """The transport of one connection; safe for many threads."""

    def __init__(self, connection: Connection, *, resolve: Resolver | None = None) -> None:
        said = connection.settings
        parts = urlsplit(said.base_url)
        self._host = parts.hostname or ""
        self._scheme = parts.scheme
        self._port = parts.port
        self._host_header = parts.netloc
        self._said = said
        reach: Reach = "private" if said.private_addresses else "public"
        self._pool = httpcore2.ConnectionPool(
            ssl_context=tls_context(connection.ca_pem),
            max_connections=said.calls_at_once,
            max_keepalive_connections=said.calls_at_once,
            keepalive_expiry=_IDLE_SECONDS,
            http1=True,
            http2=False,
            retries=0,
            network_backend=CheckedBackend(
                "loopback" if said.simulator else reach, resolve or look_up
            ),
        )

    def post(self, path: str, headers: Mapping[str, str], body: bytes, *, bytes_max: int) -> Answer:
        """See `Transport`."""
        if not path.startswith("/") or path.startswith("//"):
            raise ValueError(f"{path!r} is no path")
        call = Call(time.monotonic() + self._said.total_seconds)
        CURRENT.call = call
        request = httpcore2.Request(
            b"POST",
            httpcore2.URL(
                scheme=self._scheme.encode(),
                host=self._host.encode(),
                port=self._port,
                target=path.encode(),
            ),
            headers=[
                (b"Host", self._host_header.encode()),
                (b"Content-Length", str(len(body)).encode()),
                (b"Accept-Encoding", b"identity"),
                *((name.encode(), value.encode()) for name, value in headers.items()),
            ],
            content=body,
            extensions={
                "timeout": {
                    "connect": self._said.connect_seconds,
                    "read": self._said.answer_seconds,
                    "write": self._said.answer_seconds,
                    "pool": self._said.total_seconds,
                }
            },
        )
        try:
            return self._exchange(request, bytes_max)
        except AddressRefusedError:
            raise
        except _AnswerTooLongError:
            reason = f"its answer has more than {bytes_max} bytes"
            raise BankUnreachableError(self._host, reason, sent=True) from None
        # Whatever it was: once a byte is out, nobody knows what the bank made of it.
        except Exception as error:
            raise BankUnreachableError(self._host, _reason(error), sent=call.sent) from None
        finally:
            CURRENT.call = None

    def close(self) -> None:
        """See `Transport`."""
        self._pool.close()

    def _exchange(self, request: httpcore2.Request, bytes_max: int) -> Answer:
        response = self._pool.handle_request(request)
        try:
            parts: list[bytes] = []
            size = 0
            for part in response.iter_stream():
                size += len(part)
                if size > bytes_max:
                    raise _AnswerTooLongError
                parts.append(part)
        finally:
            response.close()
        headers = {
            name.decode("ascii", "replace").lower(): value.decode("latin-1")
            for name, value in response.headers
        }
        return Answer(response.status, headers, b"".join(parts))


def tls_context(ca_pem: str | None) -> ssl.SSLContext:
    """TLS 1.3 and nothing older, the host's name checked; *ca_pem*: trust these and no others."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_pem is not None:
        context.load_verify_locations(cadata=ca_pem)
    else:
        # By their compiled-in place: OpenSSL itself would let environment variables say another.
        paths = ssl.get_default_verify_paths()
        file = paths.openssl_cafile if Path(paths.openssl_cafile).is_file() else None
        folder = paths.openssl_capath if Path(paths.openssl_capath).is_dir() else None
        if file or folder:
            context.load_verify_locations(file, folder)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


class _AnswerTooLongError(Exception):
    """More bytes than an answer may have."""


def _reason(error: Exception) -> str:
    """A sentence without any text of the request: h11 quotes headers in its own."""
    if isinstance(error, (httpcore2.LocalProtocolError, UnicodeError, ValueError)):
        return "the request could not be written"
    text = str(error).strip()[:_REASON_CHARACTERS_MAX]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
