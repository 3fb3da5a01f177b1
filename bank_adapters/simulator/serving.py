"""
Runs a prepared bank in the foreground, on 127.0.0.1 alone, until it is told to stop.

Three tasks beside the connections: what was left for later, callbacks, and the writer's thread. A
kill at any instruction loses nothing that was answered (`store.py`).
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final

from bank_adapters.simulator import books
from bank_adapters.simulator.callbacks import Sender
from bank_adapters.simulator.desk import Desk
from bank_adapters.simulator.errors import MalformedInputError
from bank_adapters.simulator.execution import do_due
from bank_adapters.simulator.faults import NO_FAULTS, Script
from bank_adapters.simulator.http_wire import serve_connection
from bank_adapters.simulator.keyfiles import bank_private_key, customer_public_key, tls_context
from bank_adapters.simulator.preparing import (
    DATABASE,
    BankSettings,
    limits_of,
    load_settings,
    write_credentials,
)
from bank_adapters.simulator.snap_app import SnapApp
from bank_adapters.simulator.snap_checks import Customer
from bank_adapters.simulator.store import Writer, connect

__all__ = ["Serving", "desk_of", "serve", "serve_forever"]

_TICK_SECONDS: Final = 0.05
_HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Serving:
    """How a bank is served. port: 0 for any, None for the prepared one. synchronous: FULL, NORMAL."""

    port: int | None = None
    callbacks_to: str = ""
    script: Script = NO_FAULTS
    latency_ms: int = 0
    today: date | None = None
    synchronous: str = "FULL"


def real_clock() -> datetime:
    """Now, with its zone."""
    return datetime.now(books.WIB)


def desk_of(conn: sqlite3.Connection, settings: BankSettings, how: Serving) -> Desk:
    """What the bank goes by; the banks that can be reached are those of its known accounts."""
    rows = conn.execute("SELECT DISTINCT bank FROM account").fetchall()
    return Desk(
        bank_code=settings.bank_code,
        banks=frozenset(row["bank"] for row in rows),
        limits=limits_of(settings),
        script=how.script,
        today=how.today,
        callbacks=bool(how.callbacks_to),
        page_rows=settings.page_rows,
        transaction_ids=settings.transaction_ids,
    )


def serve_forever(directory: Path, how: Serving) -> None:
    """Serve until SIGINT or SIGTERM; says `{"ready": URL}` on stdout once it listens."""
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(directory, how, _say_ready))


def _say_ready(url: str) -> None:
    sys.stdout.write(json.dumps({"ready": url}) + "\n")
    sys.stdout.flush()


async def serve(
    directory: Path,
    how: Serving,
    ready: Callable[[str], None],
    clock: Callable[[], datetime] = real_clock,
) -> None:
    """Serve until cancelled or signalled. *ready* is called with the URL, once it listens."""
    settings = load_settings(directory)
    with _served_once(directory):
        await _serve(directory, settings, how, ready, clock)


@contextmanager
def _served_once(directory: Path) -> Iterator[None]:
    """Hold the directory's lock, which dies with the process: two banks can't be one."""
    with (directory / "serve.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MalformedInputError(str(directory), "it is being served already") from None
        yield


async def _serve(
    directory: Path,
    settings: BankSettings,
    how: Serving,
    ready: Callable[[str], None],
    clock: Callable[[], datetime],
) -> None:
    conn = connect(directory / DATABASE, how.synchronous)
    books.put(conn, "today", how.today.isoformat() if how.today else "")
    desk = desk_of(conn, settings, how)
    writer = Writer(conn)
    writer.start()
    app = SnapApp(
        writer=writer,
        reading=connect(directory / DATABASE),
        desk=desk,
        customer=Customer(
            settings.client_id,
            settings.client_secret,
            settings.partner_id,
            settings.channel_id,
            customer_public_key(directory),
            settings.signature_encoding,
            settings.transaction_signature,
            settings.timestamp_window_seconds,
        ),
        base_path=settings.base_path,
        clock=clock,
        started=clock().timestamp(),
        token_seconds=settings.token_seconds,
        latency_seconds=how.latency_ms / 1000,
    )
    await app.load_tokens()
    tasks = [asyncio.create_task(_do_later(writer, desk, clock))]
    if how.callbacks_to:
        sender = Sender(
            writer,
            how.callbacks_to,
            bank_private_key(directory),
            settings.partner_id,
            settings.channel_id,
            settings.signature_encoding,
            clock,
        )
        tasks.append(asyncio.create_task(sender.run()))
    try:
        await _listen(app, directory, settings, how, ready, tasks)
        for task in tasks:
            if task.done():  # they never end by themselves: what stopped one stops the bank
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        writer.stop()
        app.reading.close()


async def _listen(
    app: SnapApp,
    directory: Path,
    settings: BankSettings,
    how: Serving,
    ready: Callable[[str], None],
    watched: list[asyncio.Task[None]],
) -> None:
    """Serve until a signal, or until one of *watched* is over."""
    open_connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            open_connections.add(task)
            task.add_done_callback(open_connections.discard)
        # Cancelled when the bank stops: this is the task's own end, and nobody else waits for it.
        with suppress(asyncio.CancelledError):
            await serve_connection(reader, writer, app)

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        # Only a main thread may take signals; elsewhere whoever runs us cancels.
        with suppress(ValueError, RuntimeError):
            loop.add_signal_handler(each, stop.set)
    port = settings.port if how.port is None else how.port
    tls = tls_context(directory) if settings.tls else None
    server = await asyncio.start_server(connected, _HOST, port, ssl=tls)
    async with server:
        port = server.sockets[0].getsockname()[1]
        write_credentials(directory, settings, port)
        ready(f"{settings.scheme}://{_HOST}:{port}{settings.base_path}")
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({stopped, *watched}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        server.close()
        for task in open_connections:
            task.cancel()
        await asyncio.gather(*open_connections, return_exceptions=True)


async def _do_later(writer: Writer, desk: Desk, clock: Callable[[], datetime]) -> None:
    while True:
        done = 0
        # Another process may hold the database for long; what is due stays due.
        with suppress(sqlite3.OperationalError):
            done = await writer.run(lambda conn: do_due(conn, desk, clock()))
        if not done:
            await asyncio.sleep(_TICK_SECONDS)
