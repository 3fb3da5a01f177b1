"""
The load: a process of its own that keeps N connections busy, one journal a request.

It shares the machine with what it measures, so it does as little as it can: requests are made
before the first is sent, connections stay open, an answer is looked at for its status and length.
There is no pipelining: a connection sends its next request when it has the answer to its last, or,
where the plan names a rate, when the next one is due; its latency then counts from that instant.

    python -m api.bench.load < plan.json

Reads a `Plan` from standard input; says `start` and `end` on standard output at the ends of the
measured span, so that whoever started it can read CPU clocks, then one line with a `Measured`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Final, cast

import msgspec
import uvloop

from api.bench.workload import Shape, bodies

__all__ = ["Measured", "Plan", "requests_of"]

_HEADERS_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
#: The span begins when every connection can have had an answer, or after this long.
_WARM_SECONDS_MAX: Final = 30.0


class Plan(msgspec.Struct, forbid_unknown_fields=True):
    """What to send where. Seconds before the measured span warm both sides up."""

    port: int
    path: str
    token: str
    shape: Shape
    prefix: str
    day: str
    connections: int
    warm_seconds: float
    seconds: float
    #: Made ahead; when they are used up the span ends early.
    requests_max: int
    #: Requests a second that are offered, answered or not; 0: as many as are answered.
    rate: float = 0.0


class Measured(msgspec.Struct, forbid_unknown_fields=True):
    """What the span gave. Latencies in milliseconds; *wrong* answers had another status than 201."""

    answered: int
    seconds: float
    p50_ms: float
    p99_ms: float
    wrong: int
    first_wrong: str


def requests_of(plan: Plan) -> list[bytes]:
    """The requests, headers and all, each with its own idempotency key."""
    made = []
    head = (
        f"POST {plan.path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {plan.token}\r\n"
        "content-type: application/json\r\n"
    ).encode()
    source = bodies(
        plan.shape, plan.requests_max, prefix=plan.prefix, first_day=plan.day, journals_a_day=0
    )
    for n, body in enumerate(source):
        own = f"idempotency-key: {plan.prefix}{n}\r\ncontent-length: {len(body)}\r\n\r\n"
        made.append(head + own.encode() + body)
    return made


class _Run:
    """The span's clock and what its connections share."""

    def __init__(self, requests: list[bytes], rate: float) -> None:
        self.requests = iter(requests)
        self._pause = 1 / rate if rate else 0.0
        self._next = time.perf_counter()
        self.latencies: list[float] = []
        self.measuring = False
        self.answered = 0
        self.wrong = 0
        self.first_wrong = ""
        self.ended = asyncio.get_running_loop().create_future()

    def due(self) -> float:
        """The instant of the next request."""
        if not self._pause:
            return time.perf_counter()
        self._next += self._pause
        return self._next

    def end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


class _Connection(asyncio.Protocol):
    """One request under way at a time."""

    __slots__ = ("_buffer", "_run", "_sent_at", "_transport")

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._buffer = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no asyncio.Transport by type, only by what they do.
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # the base's
        self._run.end()

    def _send(self) -> None:
        request = next(self._run.requests, None)
        if request is None or self._run.ended.done():
            self._run.end()
            return
        self._sent_at = self._run.due()
        early = self._sent_at - time.perf_counter()
        if early > 0:
            asyncio.get_running_loop().call_later(early, self._write, request)
        else:
            self._write(request)

    def _write(self, request: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data if self._buffer else data
        end = data.find(_HEADERS_END)
        if end < 0:
            self._buffer = data
            return
        at = data.lower().find(_LENGTH, 0, end)
        length = int(data[at + len(_LENGTH) : data.find(b"\r\n", at)]) if at >= 0 else 0
        if len(data) < end + len(_HEADERS_END) + length:
            self._buffer = data
            return
        self._buffer = b""
        run = self._run
        run.answered += 1
        if not data.startswith(b"HTTP/1.1 201"):
            run.wrong += 1
            run.first_wrong = run.first_wrong or data[:600].decode(errors="replace")
        if run.measuring:
            run.latencies.append(time.perf_counter() - self._sent_at)
        self._send()


async def _measure(plan: Plan) -> Measured:
    run = _Run(requests_of(plan), plan.rate)
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(lambda: _Connection(run), "127.0.0.1", plan.port)
        for _ in range(plan.connections)
    ]
    await asyncio.wait([run.ended], timeout=plan.warm_seconds)
    deadline = time.monotonic() + _WARM_SECONDS_MAX
    while run.answered < plan.connections and time.monotonic() < deadline and not run.ended.done():
        await asyncio.sleep(0.02)
    run.measuring = True
    started = time.perf_counter()
    _say("start")
    await asyncio.wait([run.ended], timeout=plan.seconds)
    run.measuring = False
    seconds = time.perf_counter() - started
    _say("end")
    run.end()
    for transport, _ in opened:
        transport.close()
    taken = sorted(run.latencies)
    return Measured(
        answered=len(taken),
        seconds=seconds,
        p50_ms=_at(taken, 0.50) * 1000,
        p99_ms=_at(taken, 0.99) * 1000,
        wrong=run.wrong,
        first_wrong=run.first_wrong,
    )


def _at(taken: list[float], part: float) -> float:
    return taken[min(int(len(taken) * part), len(taken) - 1)] if taken else 0.0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Carry out the plan on standard input."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    measured = uvloop.run(_measure(plan))
    _say(msgspec.json.encode(measured).decode())


if __name__ == "__main__":
    main()
