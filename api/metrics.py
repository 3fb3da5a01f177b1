"""What /metrics shows. Labels are governments and routes, never values from a request."""

from __future__ import annotations

import os
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

__all__ = ["CONTENT_TYPE_LATEST", "exposition"]

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REQUESTS: Final = Counter("rkud_http_requests", "Requests answered", ["route", "status"])
REQUEST_SECONDS: Final = Histogram(
    "rkud_http_request_seconds", "From request to answer", ["route"], buckets=_SECONDS
)
QUEUE_WAITING: Final = Gauge(
    "rkud_writer_waiting", "Acts that wait", ["government"], multiprocess_mode="livesum"
)
QUEUE_REFUSED: Final = Counter(
    "rkud_writer_queue_full", "Requests refused because the queue is full"
)
BATCH_ACTS: Final = Histogram(
    "rkud_writer_batch_acts",
    "Acts a transaction",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 1000, 10_000),
)
COMMIT_SECONDS: Final = Histogram(
    "rkud_writer_transaction_seconds", "A transaction, COMMIT included", buckets=_SECONDS
)
BATCHES_HALVED: Final = Counter("rkud_writer_batches_halved", "Batches that the database refused")
COMMITS_LOST: Final = Counter("rkud_writer_commits_lost", "COMMITs whose answer did not come")
CHECKPOINTS: Final = Counter("rkud_checkpoints", "Checkpoints signed", ["government"])
CHECKPOINT_FAILURES: Final = Counter(
    "rkud_checkpoint_failures", "Checkpoints that could not be signed", ["government", "error"]
)
CHECKPOINT_LAG: Final = Gauge(
    "rkud_checkpoint_lag_seconds",
    "Age of the oldest act that no checkpoint covers yet",
    ["government"],
    multiprocess_mode="livemax",
)
WORKER_UP: Final = Gauge(
    "rkud_worker_up", "Workers that run in the server", ["government"], multiprocess_mode="livesum"
)
WORKER_DEATHS: Final = Counter(
    "rkud_worker_deaths",
    "Workers of the server that died, and were started again",
    ["government", "error"],
)


def exposition() -> bytes:
    """All figures in the text format; of all worker processes where there are several."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library's
        return generate_latest(registry)
    return generate_latest(REGISTRY)
