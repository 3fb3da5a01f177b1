"""The demo's side of HTTP: one connection pool, bearer tokens, a new idempotency key for each act."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final

import httpx2
import msgspec

from api.demo.errors import ApiRefusedError, ServerSilentError

__all__ = ["Api"]

CONNECTIONS: Final = 48
_SECONDS: Final = 60.0


class Api:
    """The API of one government. Answers are decoded JSON; refusals are raised."""

    def __init__(self, url: str, government: str) -> None:
        self.url = url
        self.acts = 0
        self._base = f"/v1/governments/{government}"
        self._run = secrets.token_hex(6)
        self._client = httpx2.AsyncClient(
            base_url=url,
            timeout=_SECONDS,
            limits=httpx2.Limits(
                max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS
            ),
            trust_env=False,  # loopback: no proxy may come between
        )

    async def __aenter__(self) -> Api:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def post(self, token: str, path: str, body: object = None) -> Any:
        """Do an act. Raises ApiRefusedError."""
        self.acts += 1
        headers = {
            "authorization": f"Bearer {token}",
            "idempotency-key": f"{self._run}-{self.acts}",
            "content-type": "application/json",
        }
        content = msgspec.json.encode(body) if body is not None else b""
        answer = await self._send("POST", self._base + path, content=content, headers=headers)
        return _read("POST", path, answer)

    async def post_file(
        self, token: str, path: str, data: bytes, *, params: Mapping[str, str]
    ) -> Any:
        """Hand over a file's bytes. Raises ApiRefusedError."""
        self.acts += 1
        headers = {
            "authorization": f"Bearer {token}",
            "idempotency-key": f"{self._run}-{self.acts}",
            "content-type": "application/octet-stream",
        }
        answer = await self._send(
            "POST", self._base + path, content=data, headers=headers, params=dict(params)
        )
        return _read("POST", path, answer)

    async def get(self, token: str, path: str, **params: str | int) -> Any:
        """Read. Raises ApiRefusedError."""
        answer = await self._send(
            "GET", self._base + path, headers={"authorization": f"Bearer {token}"}, params=params
        )
        return _read("GET", path, answer)

    async def get_bytes(self, token: str, path: str) -> bytes:
        """Read bytes as they are. Raises ApiRefusedError."""
        answer = await self._send(
            "GET", self._base + path, headers={"authorization": f"Bearer {token}"}
        )
        if answer.status_code >= 300:
            _read("GET", path, answer)
        return answer.content

    async def get_public(self, path: str) -> bytes:
        """Read what needs no token, from the root of the server. Raises ApiRefusedError."""
        answer = await self._send("GET", path)
        if answer.status_code >= 300:
            _read("GET", path, answer)
        return answer.content

    async def _send(self, method: str, path: str, **more: Any) -> httpx2.Response:
        try:
            return await self._client.request(method, path, **more)
        except httpx2.TransportError as error:
            raise ServerSilentError(url=self.url, reason=type(error).__name__) from error


def _read(method: str, path: str, answer: httpx2.Response) -> Any:
    if answer.status_code >= 300:
        problem = answer.text[:300]
        try:
            members = msgspec.json.decode(answer.content)
            problem = f"{members['code']}: {members['detail']}"
        except (msgspec.DecodeError, KeyError, TypeError):
            pass
        raise ApiRefusedError(
            method=method, path=path, http_status=answer.status_code, problem=problem
        )
    return msgspec.json.decode(answer.content)
