"""
The way out to one bank: one host, checked addresses, nothing followed, nothing guessed. A shell.

A call goes to the host of the bank's entry and nowhere else: there is no redirect to follow, no
proxy, no environment variable that says otherwise. A name is looked up once for each connection, and
the connection is made to the very address that was checked; the certificate is checked against the
name. Every call has one deadline over all its steps, and an answer one greatest length. Nothing is
ever sent twice here: the pool below tries no request again.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import httpcore2

from bank_adapters.snap.addresses import Reach, refusal_of
from bank_adapters.snap.connection import Connection
from bank_adapters.snap.errors import AddressRefusedError, BankUnreachableError

__all__ = ["Answer", "Outbound", "Resolver", "Transport", "tls_context"]

Resolver = Callable[[str, int], list[str]]

_IDLE_SECONDS: Final = 20.0
_REASON_CHARACTERS_MAX: Final = 200
_HEAD_BYTES_MAX: Final = 1 << 17
_INFORMATION: Final = re.compile(rb"HTTP/1\.[01] 1[0-9][0-9]")
_LENGTH: Final = re.compile(rb"(?im)^content-length:[ \t]*([0-9]{1,12})[ \t]*\r?$")


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
            network_backend=_CheckedBackend(
                "loopback" if said.simulator else reach, resolve or _look_up
            ),
        )

    def post(self, path: str, headers: Mapping[str, str], body: bytes, *, bytes_max: int) -> Answer:
        """See `Transport`."""
        if not path.startswith("/") or path.startswith("//"):
            raise ValueError(f"{path!r} is no path")
        call = _Call(time.monotonic() + self._said.total_seconds)
        _current.call = call
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
            _current.call = None

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


class _Call:
    """One call: when it ends at the latest, and whether a byte of it went out."""

    __slots__ = ("ends", "sent")

    def __init__(self, ends: float) -> None:
        self.ends = ends
        self.sent = False

    def left(self, at_most: float | None) -> float:
        """Seconds for the next step. Raises TimeoutError when there are none."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the call took too long")
        return left if at_most is None else min(left, at_most)


class _Current(threading.local):
    """The call that this thread is making: a call runs in one thread from beginning to end."""

    call: _Call | None = None


_current: Final = _Current()


def _left(at_most: float | None) -> float | None:
    call = _current.call
    return at_most if call is None else call.left(at_most)


class _CheckedBackend(httpcore2.NetworkBackend):
    """Connects to addresses that were looked up once and checked."""

    def __init__(self, reach: Reach, resolve: Resolver) -> None:
        self._reach = reach
        self._resolve = resolve
        self._below = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the first address that answers; one that isn't allowed refuses them all."""
        found = self._in_time(host, port, timeout)
        for address in found:
            self._check(host, address)
        last: Exception = OSError(f"{host} has no address")
        for address in found:
            try:
                stream = self._below.connect_tcp(
                    address, port, _left(timeout), local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                last = error
                continue
            try:
                self._check(host, stream.get_extra_info("server_addr")[0])
            except BaseException:
                stream.close()
                raise
            return _TimedStream(stream)
        raise last

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Never: a bank is at an address."""
        del timeout, socket_options
        raise AddressRefusedError(path, "a socket of this machine", "is no bank's address")

    def _check(self, host: str, address: str) -> None:
        rule = refusal_of(address, self._reach)
        if rule is not None:
            raise AddressRefusedError(host, address, rule)

    def _in_time(self, host: str, port: int, timeout: float | None) -> list[str]:
        """Look the host up in a thread of its own: the system's look-up knows no deadline."""
        found: list[str] = []
        failed: list[Exception] = []

        def look_up() -> None:
            try:
                found.extend(self._resolve(host, port))
            except Exception as error:  # told to the caller below
                failed.append(error)

        thread = threading.Thread(target=look_up, name="bank-name", daemon=True)
        thread.start()
        thread.join(_left(timeout))
        if thread.is_alive():
            raise TimeoutError(f"{host} could not be looked up in time")
        if failed:
            raise failed[0]
        return list(found)


class _TimedStream(httpcore2.NetworkStream):
    """
    A stream whose steps end by the call's deadline, and which marks the call as sent.

    It is used for a next call only where the last answer ended exactly with the bytes that came: a
    byte more would be the beginning of somebody's answer, and be taken for the next payment's.
    """

    def __init__(self, below: httpcore2.NetworkStream) -> None:
        self._below = below
        self._head = b""
        self._received = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read within what is left of the call's time."""
        data = self._below.read(max_bytes, _left(timeout))
        self._received += len(data)
        if len(self._head) < _HEAD_BYTES_MAX:
            self._head += data
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write; from here on the call may have reached the bank."""
        left = _left(timeout)
        if self._received:
            self._head, self._received = b"", 0
        if _current.call is not None:
            _current.call.sent = True
        self._below.write(buffer, left)

    def close(self) -> None:
        """Close the stream."""
        self._below.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        """TLS over this stream; the handshake carries nothing of the call."""
        return _TimedStream(self._below.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        """What the stream below says; an idle stream with bytes left over is one that is done."""
        if info == "is_readable" and self._received and not self._is_whole():
            return True
        return self._below.get_extra_info(info)

    def _is_whole(self) -> bool:
        """Whether what came since the last call is one answer, by its length, and no byte more."""
        start = 0
        while (end := self._head.find(b"\r\n\r\n", start)) >= 0:
            head = self._head[start:end]
            if _INFORMATION.match(head) is None:
                lengths = _LENGTH.findall(head)
                return len(lengths) == 1 and self._received == end + 4 + int(lengths[0])
            start = end + 4
        return False


def _look_up(host: str, port: int) -> list[str]:
    """Addresses of *host* in the system's order, each once."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _reason(error: Exception) -> str:
    """A sentence without any text of the request: h11 quotes headers in its own."""
    if isinstance(error, (httpcore2.LocalProtocolError, UnicodeError, ValueError)):
        return "the request could not be written"
    text = str(error).strip()[:_REASON_CHARACTERS_MAX]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
