"""What a serving process holds: engine, clock, writers, tokens, the checkpoint job."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, select

from api.checkpoints import CheckpointJob
from api.clock import Clock, local_day, system_clock
from api.dispatch.banks import ConnectionFile
from api.dispatch.running import Running, make_worker
from api.dispatch.serving import ServedWorker, WorkerOptions
from api.engine import make_engine, reading
from api.errors import UnknownGovernmentError
from api.security import Tokens
from api.settings import Settings
from api.writer import Writer, Writers
from audit.database import log_edge
from ledger.settings import Settings as BookSettings
from ledger.settings_shell import settings_of

__all__ = ["Reader", "Runtime"]


@dataclass(frozen=True, slots=True)
class Reader:
    """One snapshot of a government's book to read from."""

    conn: Connection
    government: str
    settings: BookSettings
    today: str
    size: int
    batch_seq: int
    origin: str


@dataclass(slots=True)
class Runtime:
    """Made once a process; `close` ends what it started."""

    settings: Settings
    clock: Clock = system_clock
    engine: Engine = field(init=False)
    writers: Writers = field(init=False)
    tokens: Tokens = field(init=False)
    checkpoints: CheckpointJob = field(init=False)
    #: How banks are reached; for what they call us with.
    connections: ConnectionFile = field(init=False)
    #: The worker that runs in this process, where one was asked for.
    worker: ServedWorker | None = field(init=False, default=None)
    #: Requests that read at once; two connections of the pool are left to tokens and the like.
    read_slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        settings = self.settings
        self.read_slots = asyncio.Semaphore(max(settings.pool_size - 2, 1))
        self.engine = make_engine(settings.url(), pool_size=settings.pool_size)
        self.connections = ConnectionFile(settings.banks())
        self.tokens = Tokens(self.engine, self.clock, seconds=settings.token_cache_seconds)
        self.checkpoints = CheckpointJob(
            self.engine, settings.keys(), clock=self.clock, pause=settings.checkpoint_seconds
        )
        self.writers = Writers(self._writer)

    def _writer(self, government: str) -> Writer:
        return Writer(
            self.engine,
            government,
            clock=self.clock,
            batch_max=self.settings.batch_max,
            queue_max=self.settings.queue_max,
            committed=self.checkpoints.committed,
            refuses=self.checkpoints.refuses,
        )

    @contextlib.contextmanager
    def reader(self, government: str) -> Iterator[Reader]:
        """A snapshot with the government's settings. Raises UnknownGovernmentError."""
        with reading(self.engine) as conn:
            edge = conn.execute(
                select(
                    log_edge.c.size, log_edge.c.batch_seq, log_edge.c.config_rev, log_edge.c.origin
                ).where(log_edge.c.government == government)
            ).first()
            if edge is None:
                raise UnknownGovernmentError(government=government)
            settings = settings_of(conn, government, edge.config_rev)
            yield Reader(
                conn,
                government,
                settings,
                local_day(self.clock(), settings.zone),
                edge.size,
                edge.batch_seq,
                edge.origin,
            )

    def run_worker(self, options: WorkerOptions) -> None:
        """Start a worker in a thread of its own; `close` ends it."""

        def make() -> Running:
            return make_worker(
                self.engine,
                self.settings,
                options.government,
                person=options.person,
                width=options.width,
                clock=self.clock,
                checkpoints=self.checkpoints,
            )

        self.worker = ServedWorker(make, options.government)
        self.worker.start()

    def close(self) -> None:
        """
        Record what the worker has under way, write what waits, seal what was written, let go of the
        database.
        """
        if self.worker is not None:
            self.worker.stop()
        self.writers.stop()
        self.checkpoints.stop()
        self.engine.dispose()
