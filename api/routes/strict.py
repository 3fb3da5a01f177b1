"""The routes' way to read JSON: as the posting route reads it, not as the framework would."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from ledger.json_text import read_json

__all__ = ["StrictRoute"]


class _StrictRequest(Request):
    """A request whose JSON is UTF-8, names each member once and holds no NaN."""

    async def json(self) -> object:
        """Raises MalformedJsonError, DuplicateKeyError, InvalidFieldError."""
        if not hasattr(self, "_json"):
            self._json: object = read_json(await self.body())
        return self._json


class StrictRoute(APIRoute):
    """
    A route whose body the framework reads through `_StrictRequest`.

    Python's reader takes UTF-16 and NaN, and of two members of one name the last.
    """

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strict
