"""A bank for the tests: real sockets on this machine, answers by a function, breaks where it is told."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from itertools import count
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from bank_adapters.payments.order import PaymentOrder
from bank_adapters.snap.connection import Connection, read_connections
from bank_adapters.snap.services import PATHS
from ledger.money import Money

NOW = datetime(2026, 3, 5, 3, 15, 30, tzinfo=UTC)
SECRET = "rahasia-uji-123"
OURS = rsa.generate_private_key(public_exponent=65537, key_size=2048)
THEIRS = rsa.generate_private_key(public_exponent=65537, key_size=2048)

ORDER = PaymentOrder(
    reference="SP2D26000123-1",
    amount=Money(125_000_000_000),
    source_account="0010012345678",
    beneficiary_bank="137",
    beneficiary_account="0019988776655",
    beneficiary_name="CV Maju Bersama",
    remark="SP2D 000123/LS semen",
    rail="intrabank",
    transfer_on=date(2026, 3, 5),
)


@cache
def pem(which: str) -> bytes:
    """Our private key, or the bank's public one."""
    if which == "ours":
        return OURS.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return THEIRS.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def entry(**changes: Any) -> dict[str, Any]:
    """A `[[bank]]` with *changes*; None takes a field out."""
    made: dict[str, Any] = {
        "name": "Bank Uji",
        "bank_code": "137",
        "accounts": ["0010012345678"],
        "live": False,
        "base_url": "https://bank.example",
        "base_path": "/snap",
        "client_id": "RKUD-36",
        "partner_id": "36RKUD",
        "channel_id": "95221",
        "private_key_file": "ours.pem",
        "client_secret_file": "secret.txt",
        "bank_public_key_file": "theirs.pem",
    }
    made.update(changes)
    return {name: value for name, value in made.items() if value is not None}


def toml(*entries: dict[str, Any]) -> str:
    """The entries as a file's text."""
    lines: list[str] = []
    for each in entries:
        tables = {name: value for name, value in each.items() if isinstance(value, dict)}
        lines.append("[[bank]]")
        lines += [f"{n} = {json.dumps(v)}" for n, v in each.items() if n not in tables]
        for name, table in tables.items():
            lines.append(f"[bank.{name}]")
            lines += [f"{n} = {json.dumps(v)}" for n, v in table.items()]
    return "\n".join(lines) + "\n"


def connect(*, ca: bytes = b"", **changes: Any) -> Connection:
    """The connection of one entry, keys from memory; *ca*: the authorities of `ca.pem`."""
    files = {
        "ours.pem": pem("ours"),
        "theirs.pem": pem("theirs"),
        "secret.txt": SECRET.encode(),
        "ca.pem": ca,
    }

    def read_file(name: str, secret: bool) -> bytes:
        return files[name]

    return read_connections(toml(entry(**changes)), file="banks.toml", read_file=read_file)[0]


@dataclass
class Call:
    """What the bank received."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body read."""
        return json.loads(self.body)


#: What an answer function gives: the bytes to write, and whether to break the connection then.
Raw = tuple[bytes, bool]


def answer(
    status: int, body: object, *, when: datetime | None = NOW, close: bool = False, **headers: str
) -> Raw:
    """An HTTP answer; *body* as JSON unless it is bytes. *when*: its Date."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(raw)}"]
    if when is not None:
        lines.append(f"Date: {format_datetime(when, usegmt=True)}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw, close


def success(service: str, **more: object) -> dict[str, object]:
    """A reply that says done."""
    return {"responseCode": f"200{service}00", "responseMessage": "Successful", **more}


TOKEN = {
    "responseCode": "2007300",
    "responseMessage": "Successful",
    "accessToken": "TOKEN.uji",
    "tokenType": "Bearer",
    "expiresIn": "900",
}


@dataclass
class Bank:
    """Answers every path but the token's by `reply`; keeps what it received."""

    reply: Callable[[Call], Raw | bytes | None] = lambda _: answer(200, {})
    token: Callable[[Call], Raw | bytes | None] = lambda _: answer(200, TOKEN)
    calls: list[Call] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def to(self, service: str) -> list[Call]:
        """Calls of one service."""
        return [each for each in self.calls if each.path.endswith(PATHS[service])]


@contextmanager
def serving(
    bank: Bank, *, wrap: Callable[[socket.socket], socket.socket] | None = None
) -> Iterator[Bank]:
    """Serve *bank* while the block runs; *wrap* puts TLS around a connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    bank.port = listener.getsockname()[1]
    open_now: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                found, _ = listener.accept()
            except OSError:
                return
            open_now.append(found)
            threading.Thread(target=talk, args=(found,), daemon=True).start()

    def talk(found: socket.socket) -> None:
        with suppress(OSError):
            stream = wrap(found) if wrap else found
            bank.connections += 1
            with stream, stream.makefile("rb") as reader:
                while (call := _read(reader)) is not None:
                    bank.calls.append(call)
                    is_token = call.path.endswith(PATHS["73"])
                    said = (bank.token if is_token else bank.reply)(call)
                    if said is None:
                        return
                    raw, close = said if isinstance(said, tuple) else (said, True)
                    stream.sendall(raw)
                    if close:
                        return

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield bank
    finally:
        listener.shutdown(socket.SHUT_RDWR)  # closing alone leaves a waiting accept be
        listener.close()
        for each in open_now:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _read(reader: Any) -> Call | None:
    first = reader.readline().decode()
    if not first:
        return None
    headers = {}
    while line := reader.readline().decode().strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Call(first.split()[1], headers, reader.read(int(headers.get("content-length", "0"))))


def simulated(bank: Bank, **changes: Any) -> Connection:
    """The connection to *bank*: a simulator's, in clear text to this machine."""
    return connect(simulator=True, base_url=bank.url, **changes)


class Numbers:
    """External ids one after the other; keeps what they were asked for."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self.asked: list[str] = []

    def __call__(self, reference: str) -> str:
        """The next."""
        self.asked.append(reference)
        return f"20260305{next(self._numbers):08d}"


class Clock:
    """A clock that stands where it is put."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def move(self, seconds: float) -> None:
        """Put it on."""
        self.now += timedelta(seconds=seconds)
