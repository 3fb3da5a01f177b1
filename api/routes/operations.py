"""For operators and for readers of errors: health, readiness, metrics, pages of error codes."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse, PlainTextResponse, Response

from api import metrics
from api.deps import RuntimeDep
from api.engine import reading
from api.errors import NotFoundError
from api.problems import catalogue, responses

router = APIRouter(tags=["operations"])


@router.get("/healthz", summary="Whether the process runs")
async def healthz() -> dict[str, str]:
    """Says nothing of the database: a process that can't reach it should not be killed for it."""
    return {"status": "ok"}


@router.get("/readyz", summary="Whether it can serve")
def readyz(runtime: RuntimeDep) -> Response:
    """Database reachable, writers alive, checkpoints signed, the server's worker (if any) at work."""
    faults: dict[str, object] = {}
    try:
        with reading(runtime.engine) as conn:
            conn.execute(text("SELECT 1 FROM log_edge LIMIT 1"))
    except SQLAlchemyError as error:
        faults["database"] = type(error).__name__
    if not all(writer.is_alive for writer in runtime.writers.started()):
        faults["writers"] = "stopped"
    unsealed = runtime.checkpoints.trouble()
    if unsealed:
        faults["checkpoints"] = unsealed
    if runtime.worker is not None and (died := runtime.worker.trouble()):
        faults["worker"] = died
    # A log that can't be sealed, or a worker that is being started again, is shown, and does not
    # turn callers away: the acts are kept.
    ready = not faults.keys() - {"checkpoints", "worker"}
    return JSONResponse(
        {"status": "ready" if ready else "not ready", **faults}, 200 if ready else 503
    )


@router.get("/metrics", summary="Figures for Prometheus")
def get_metrics() -> Response:
    """In the text format."""
    return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE_LATEST)


@router.get(
    "/problems/{code}", responses=responses(NotFoundError), summary="What an error code means"
)
async def get_problem(code: str) -> Response:
    """The page that the `type` of a problem points to."""
    for known, status, meaning in catalogue():
        if known == code:
            return PlainTextResponse(f"{known} ({status})\n\n{meaning}\n")
    raise NotFoundError
