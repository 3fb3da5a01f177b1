"""
The outermost ASGI application: what every request passes, whatever it asks for.

Gives each request a correlation id, bounds its body before it is read, answers faults by name,
counts and logs. The posting route is served here without the framework: at thousands of requests a
second its routing and models would be the larger half of the bill.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import Final

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import metrics
from api.errors import BodyMissingError, BodyTooLargeError, InvalidRequestError
from api.logs import log
from api.problems import MEDIA_TYPE, body_of, headers_of, is_named, status_of
from api.routes import feed
from api.runtime import Runtime

__all__ = ["Front"]

_CORRELATION: Final = re.compile(rb"[A-Za-z0-9-]{1,64}")
_FEED: Final = re.compile(r"/v1/governments/([1-9][0-9](?:\.[0-9]{2})?)/journals")
_FEED_ROUTE: Final = "/v1/governments/{government}/journals"
_QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics"})


class Front:
    """Wraps the FastAPI application."""

    def __init__(self, app: ASGIApp, runtime: Runtime) -> None:
        self._app = app
        self._runtime = runtime
        self._limit = runtime.settings.body_max_bytes
        self._access_log = runtime.settings.access_log
        self._counts: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = {}
        for name, value in scope["headers"]:
            headers[name] = value
        given = headers.get(b"x-correlation-id", b"")
        correlation_id = given.decode() if _CORRELATION.fullmatch(given) else secrets.token_hex(8)
        scope["correlation_id"] = correlation_id
        answer = _Answer(send, correlation_id.encode())
        route = ""
        try:
            self._check_length(headers.get(b"content-length"))
            matched = _FEED.fullmatch(scope["path"]) if scope["method"] == "POST" else None
            if matched is not None:
                route = _FEED_ROUTE
                status, extra, body = await feed.feed_journal(
                    self._runtime,
                    matched[1],
                    headers.get(b"authorization"),
                    headers.get(b"idempotency-key"),
                    await read_body(receive, self._limit),
                )
                await answer.whole(status, b"application/json", extra, body)
            else:
                _check_address(scope)
                await self._app(scope, _bounded(receive, self._limit), answer)
                route = route_of(scope)
        except Exception as error:  # the last place: whatever it is gets an answer
            route = route or route_of(scope)
            if not is_named(error):
                log.error(
                    "request.failed", correlation_id=correlation_id, error=type(error).__name__
                )
            if not answer.status:
                extra = [(k.lower().encode(), v.encode()) for k, v in headers_of(error).items()]
                await answer.whole(
                    status_of(type(error)),
                    MEDIA_TYPE.encode(),
                    extra,
                    body_of(error, correlation_id=correlation_id),
                )
        seconds = time.perf_counter() - started
        self._count(route, answer.status, seconds)
        if self._access_log and route not in _QUIET:
            log.info(
                "request.answered",
                method=scope["method"] if scope["method"].isalpha() else "?",
                route=route,
                status=answer.status,
                duration_ms=round(seconds * 1000, 2),
                correlation_id=correlation_id,
            )

    def _check_length(self, content_length: bytes | None) -> None:
        """Before a byte of the body is read. Raises BodyTooLargeError."""
        if content_length is not None and (
            not content_length.isdigit() or int(content_length[:20]) > self._limit
        ):
            raise BodyTooLargeError(limit=self._limit)

    def _count(self, route: str, status: int, seconds: float) -> None:
        known = self._counts.get((route, status))
        if known is None:
            known = (
                metrics.REQUESTS.labels(route, str(status)),
                metrics.REQUEST_SECONDS.labels(route),
            )
            self._counts[route, status] = known
        known[0].inc()
        known[1].observe(seconds)


class _Answer:
    """`send`, remembering the status and adding our headers."""

    __slots__ = ("_correlation_id", "_send", "status")

    def __init__(self, send: Send, correlation_id: bytes) -> None:
        self._send = send
        self._correlation_id = correlation_id
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self._ours()]
        await self._send(message)

    async def whole(
        self, status: int, media_type: bytes, extra: list[tuple[bytes, bytes]], body: bytes
    ) -> None:
        """A complete answer."""
        self.status = status
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", media_type),
                    (b"content-length", str(len(body)).encode()),
                    *extra,
                    *self._ours(),
                ],
            }
        )
        await self._send({"type": "http.response.body", "body": body})

    def _ours(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"x-correlation-id", self._correlation_id),
            (b"x-content-type-options", b"nosniff"),
        ]


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole body. Raises BodyTooLargeError, BodyMissingError (the caller hung up)."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > limit:
            raise BodyTooLargeError(limit=limit)
        return body
    parts: list[bytes] = []
    size = 0
    while True:
        if message["type"] != "http.request":
            raise BodyMissingError
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise BodyTooLargeError(limit=limit)
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()


def _bounded(receive: Receive, limit: int) -> Receive:
    """The same `receive`, that refuses to give more than *limit* bytes."""
    size = 0

    async def bounded() -> Message:
        nonlocal size
        message = await receive()
        if message["type"] == "http.request":
            size += len(message.get("body", b""))
            if size > limit:
                raise BodyTooLargeError(limit=limit)
        return message

    return bounded


def _check_address(scope: Scope) -> None:
    """PostgreSQL keeps no NUL, so nothing is named by one. Raises InvalidRequestError."""
    if "\0" in scope["path"]:
        raise InvalidRequestError(field="path", rule="holds no NUL character")
    if b"%00" in scope["query_string"]:
        named = next(each for each in scope["query_string"].split(b"&") if b"%00" in each)
        field = named.partition(b"=")[0].decode("ascii", "replace")[:80]
        raise InvalidRequestError(field=field, rule="holds no NUL character")


def route_of(scope: Scope) -> str:
    """The template of the route that was found; never the path, which may hold anything."""
    route = scope.get("route")
    return str(getattr(route, "path", "") or "(none)")
