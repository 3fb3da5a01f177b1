"""
The HTTP application: routes, errors, OpenAPI. `create_app(settings)` is the whole of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.clock import Clock, system_clock
from api.dispatch.serving import WorkerOptions
from api.errors import (
    ApiError,
    BodyMissingError,
    InternalError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
)
from api.front import Front
from api.problems import EXAMPLES, is_named, problem_response, responses
from api.routes import documents, journals, routers
from api.runtime import Runtime
from api.schemas import Problem
from api.settings import Settings
from audit.errors import AuditError
from bank_adapters.errors import BankAdapterError
from ledger.errors import LedgerError
from ledger.money import InvalidAmountError

__all__ = ["create_app", "product_version"]

_FAMILIES: Final = (LedgerError, AuditError, ApiError, BankAdapterError, InvalidAmountError)


def product_version() -> str:
    """Version of the installed distribution."""
    try:
        return version("rkud-ledger")
    except PackageNotFoundError:
        return "0"


def create_app(
    settings: Settings,
    *,
    clock: Clock = system_clock,
    runtime: Runtime | None = None,
    worker: WorkerOptions | None = None,
) -> Front:
    """
    The ASGI application for *settings*; opens nothing before its first request.

    Tests give a clock, or a whole runtime. *worker*: run one beside the requests. The application
    closes the runtime when it ends.
    """
    running = runtime if runtime is not None else Runtime(settings, clock)
    return Front(_framework(running, worker), running)


def _framework(runtime: Runtime, worker: WorkerOptions | None) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # Readers queue for connections, not for threads that then queue for connections.
        anyio.to_thread.current_default_thread_limiter().total_tokens = (
            runtime.settings.pool_size + 2
        )
        if worker is not None:
            await anyio.to_thread.run_sync(runtime.run_worker, worker)
        yield
        # Requests under way were answered before this; what waits is written, then sealed.
        await anyio.to_thread.run_sync(runtime.close)

    app = FastAPI(
        title="RKUD ledger",
        summary="Treasury ledger of a regional government: posts, pays, reconciles and proves.",
        version=product_version(),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False},
        max_body_size=runtime.settings.body_max_bytes,
    )
    app.state.runtime = runtime
    for router in routers():
        app.include_router(router)
    for family in _FAMILIES:
        app.add_exception_handler(family, _named)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _fault)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's way to extend it
    return app


def _answer(request: Request, error: Exception) -> Response:
    return problem_response(error, correlation_id=request.scope.get("correlation_id", ""))


async def _named(request: Request, error: Exception) -> Response:
    return _answer(request, error)


async def _fault(request: Request, _error: Exception) -> Response:
    return _answer(request, InternalError())


async def _http(request: Request, error: Exception) -> Response:
    cause = error.__cause__
    if isinstance(cause, Exception) and is_named(cause):
        return _answer(request, cause)  # raised while the framework was reading the body
    status = error.status_code if isinstance(error, HTTPException) else 500
    kinds: dict[int, ApiError] = {
        400: BodyMissingError(),
        404: NotFoundError(),
        405: MethodNotAllowedError(),
    }
    return _answer(request, kinds.get(status, InternalError()))


async def _invalid(request: Request, error: Exception) -> Response:
    """Shape and rule of the first fault; the value stays with whoever sent it."""
    found = error.errors()[0] if isinstance(error, RequestValidationError) else {}
    place = [str(part) for part in found.get("loc", ("body",))]
    field = ".".join(place[1:] if len(place) > 1 and place[0] == "body" else place)
    return _answer(
        request, InvalidRequestError(field=field[:200], rule=str(found.get("msg", ""))[:300])
    )


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, summary=app.summary, routes=app.routes
        )
        components = schema.setdefault("components", {}).setdefault("schemas", {})
        components["Problem"] = Problem.model_json_schema(
            ref_template="#/components/schemas/{model}"
        )
        components.update(journals.COMPONENTS | documents.COMPONENTS)
        for unused in ("HTTPValidationError", "ValidationError"):
            components.pop(unused, None)
        schema["components"]["examples"] = EXAMPLES
        refused = responses(InvalidRequestError)[422]
        for operation in (op for path in schema["paths"].values() for op in path.values()):
            given = operation["responses"].get("422")
            if given is not None and "application/json" in given.get("content", {}):
                operation["responses"]["422"] = refused  # the framework's own shape is never sent
        app.openapi_schema = schema
    return app.openapi_schema
