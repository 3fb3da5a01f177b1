"""
What is under the HTTP of `outbound`: addresses looked up once and checked, one deadline. A shell.

A call runs in one thread from beginning to end; its streams find its deadline there, and mark it as
sent with the first byte that they write.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import httpcore2

from bank_adapters.snap.addresses import Reach, refusal_of
from bank_adapters.snap.errors import AddressRefusedError

__all__ = ["CURRENT", "Call", "CheckedBackend", "Resolver", "TimedStream", "look_up"]

#: Addresses of a host and port.
Resolver = Callable[[str, int], list[str]]

_HEAD_BYTES_MAX: Final = 1 << 17
_INFORMATION: Final = re.compile(rb"HTTP/1\.[01] 1[0-9][0-9]")
_LENGTH: Final = re.compile(rb"(?im)^content-length:[ \t]*([0-9]{1,12})[ \t]*\r?$")


class Call:
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

    call: Call | None = None


#: Read by each step of a stream.
CURRENT: Final = _Current()


def _left(at_most: float | None) -> float | None:
    call = CURRENT.call
    return at_most if call is None else call.left(at_most)


class CheckedBackend(httpcore2.NetworkBackend):
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
            return TimedStream(stream)
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


class TimedStream(httpcore2.NetworkStream):
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
        if CURRENT.call is not None:
            CURRENT.call.sent = True
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
        return TimedStream(self._below.start_tls(ssl_context, server_hostname, _left(timeout)))

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


def look_up(host: str, port: int) -> list[str]:
    """Addresses of *host* in the system's order, each once."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))
