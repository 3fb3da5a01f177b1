"""
The prototype: group commit behind FastAPI, without anything a product has to do.

A queue, one writer thread and one set-based transaction for what waits (at most 256). No token, no
idempotency, no period, no chart, no cash, no tree, no log.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Final

import psycopg
from fastapi import FastAPI
from pydantic import BaseModel

from api.bench.yardsticks import bare
from api.bench.yardsticks.schema import account_ids

__all__ = ["app"]

_BATCH: Final = 256
_Asked = tuple["JournalBody", asyncio.Future[int]]


class LineBody(BaseModel):
    """A line as it is sent."""

    account: str
    bank_account: str = ""
    debit: str | None = None
    credit: str | None = None


class JournalBody(BaseModel):
    """A journal as it is sent."""

    reference: str
    effective_on: date
    kind: str
    description: str
    lines: list[LineBody]

    def amounts(self) -> tuple[tuple[int, int], ...]:
        """(account, sen) of each line."""
        ids = account_ids()
        return tuple(
            (
                ids[line.account],
                int(line.debit.replace(".", ""))
                if line.debit
                else -int((line.credit or "0").replace(".", "")),
            )
            for line in self.lines
        )


class _Writer:
    """Takes what waits, writes it, answers after COMMIT."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.waiting: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._loop = loop
        self._next_id = 1
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.waiting.put(None)
        self._thread.join(10)

    def _run(self) -> None:
        with psycopg.connect(os.environ["RKUD_YARDSTICK_URL"]) as conn:
            conn.prepare_threshold = 0
            while batch := self._take():
                first = self._next_id
                self._next_id += len(batch)
                part = [
                    (first + n, body.reference, body.model_dump_json().encode(), body.amounts())
                    for n, (body, _) in enumerate(batch)
                ]
                with conn.pipeline():
                    bare.insert(conn, part, day=batch[0][0].effective_on.isoformat())
                    conn.commit()
                self._loop.call_soon_threadsafe(_answer, first, batch)

    def _take(self) -> list[_Asked]:
        first = self.waiting.get()
        if first is None:
            return []
        batch = [first]
        while len(batch) < _BATCH:
            try:
                asked = self.waiting.get_nowait()
            except queue.Empty:
                break
            if asked is None:
                self.waiting.put(None)
                break
            batch.append(asked)
        return batch


def _answer(first: int, batch: list[_Asked]) -> None:
    for n, (_, future) in enumerate(batch):
        if not future.done():
            future.set_result(first + n)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.writer = _Writer(asyncio.get_running_loop())
    yield
    app.state.writer.stop()


app = FastAPI(lifespan=_lifespan)


@app.post("/journals", status_code=201)
async def post(body: JournalBody) -> dict[str, int]:
    """Post one journal."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    app.state.writer.waiting.put((body, future))
    return {"journal": await future}
