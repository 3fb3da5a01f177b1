"""
The served bank's end of a connection: HTTP/1.1 over a socket, byte by byte.

Why not a server from the shelf: a bank that fails does so at a byte, and no framework lets an
application stop within its headers. It understands what a client of SNAP sends: a request line,
headers, a body of stated length, and the next request on the same connection.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from bank_adapters.simulator.snap_checks import Call
from bank_adapters.simulator.snap_codes import Cut, Reply

__all__ = ["BODY_BYTES_MAX", "serve_connection"]

Handler = Callable[[Call], Awaitable[tuple[Reply, dict[str, str]]]]

BODY_BYTES_MAX: Final = 256 * 1024
_HEAD_BYTES_MAX: Final = 32 * 1024
_LINGER_NOT: Final = struct.pack("ii", 1, 0)


class _UnreadableError(Exception):
    """What came is not HTTP as this end reads it. status: the answer."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


async def serve_connection(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler
) -> None:
    """Answer requests until the client goes, or an answer says to break off."""
    # The client may be killed at any byte; that is its affair.
    with suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
        while await _serve_one(reader, writer, handler):
            pass
    with suppress(ConnectionError):
        writer.close()
        await writer.wait_closed()


async def _serve_one(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler
) -> bool:
    """One request; whether another may follow."""
    try:
        call = await _read(reader, writer)
    except _UnreadableError as error:
        writer.write(_head(error.status, 0, {}, close=True))
        await writer.drain()
        return False
    reply, headers = await handler(call)
    if reply.hold_seconds:
        await asyncio.sleep(reply.hold_seconds)
    body = reply.encoded()
    close = call.headers.get("connection", "").lower() == "close"
    head = _head(reply.http or 500, len(body), headers, close=close)
    if reply.cut is not None:
        await _break_off(writer, reply.cut, head, body)
        return False
    writer.write(head + body)
    await writer.drain()
    return not close


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Call:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise _UnreadableError(431) from None
    if len(head) > _HEAD_BYTES_MAX:
        raise _UnreadableError(431)
    lines = head.decode("latin-1").split("\r\n")[:-2]
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise _UnreadableError(400)
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        # A header that stands twice could be read in two ways.
        if not colon or not name or name != name.strip() or name.lower() in headers:
            raise _UnreadableError(400)
        headers[name.lower()] = value.strip()
    if "transfer-encoding" in headers:
        raise _UnreadableError(411)
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise _UnreadableError(400)
    if len(length) > 9 or int(length) > BODY_BYTES_MAX:
        raise _UnreadableError(413)
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await reader.readexactly(int(length))
    return Call(parts[0], parts[1], headers, body)


def _head(status: int, length: int, headers: dict[str, str], *, close: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Content-Type: application/json",
        f"Content-Length: {length}",
        *(f"{name}: {value}" for name, value in headers.items()),
        *(["Connection: close"] if close else []),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _break_off(writer: asyncio.StreamWriter, cut: Cut, head: bytes, body: bytes) -> None:
    match cut:
        case "reset":
            # Without lingering the kernel sends a reset: the client can't take it for an answer.
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            writer.transport.abort()
        case "headers":
            writer.write(head[: len(head) // 2])
            await writer.drain()
        case "body":
            writer.write(head + body[: max(1, len(body) // 2)])
            await writer.drain()
        case "silent":
            pass
