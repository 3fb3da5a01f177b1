"""
The served bank: from a call to its reply. Checks first, then one piece of work for the writer.

It is a development tool that ships: it speaks SNAP as a bank does, and is none.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from bank_adapters.simulator import books, snap_services
from bank_adapters.simulator.desk import Desk
from bank_adapters.simulator.errors import RequestRefusedError
from bank_adapters.simulator.orders import take_in, use_external_id
from bank_adapters.simulator.snap_bodies import SERVICES, TRANSFERS, Service, order_of, read_body
from bank_adapters.simulator.snap_checks import (
    Call,
    Customer,
    check_token_request,
    check_transaction,
)
from bank_adapters.simulator.snap_codes import Reply, refused
from bank_adapters.simulator.store import Writer
from bank_adapters.snap.signatures import timestamp

__all__ = ["SnapApp"]

_GATEWAY: Final = b"<html><body>503 Service Unavailable</body></html>"


@dataclass(slots=True)
class SnapApp:
    """
    One bank for one customer.

    reading: a second connection, for what is asked before every call.
    clock: the real time. started: POSIX, for silences counted from the start. tokens: until when
    each lives, as the database has it.
    """

    writer: Writer
    reading: sqlite3.Connection
    desk: Desk
    customer: Customer
    base_path: str
    clock: Callable[[], datetime]
    started: float
    token_seconds: int = 900
    latency_seconds: float = 0.0
    tokens: dict[str, float] = field(default_factory=dict)

    async def load_tokens(self) -> None:
        """What was issued before a restart."""
        rows = await self.writer.run(lambda conn: conn.execute("SELECT * FROM token").fetchall())
        self.tokens = {row["token"]: row["until"] for row in rows}

    async def __call__(self, call: Call) -> tuple[Reply, dict[str, str]]:
        """The reply to *call*, and the headers that go with it."""
        if self.latency_seconds:
            await asyncio.sleep(self.latency_seconds)
        reply = self._silence() or await self._answer(call)
        return reply, {"X-TIMESTAMP": timestamp(self.clock().astimezone(books.WIB))}

    def _silence(self) -> Reply | None:
        """The answer of a bank that answers nobody; None while it does answer."""
        now = self.clock()
        until, _, kind = books.get(self.reading, "silent_until").partition(" ")
        if not until or now.timestamp() >= float(until):
            day = self.desk.today or now.astimezone(books.WIB).date()
            kind = self.desk.script.silent(
                books.business_day(self.reading, day), now.timestamp() - self.started
            )
        if kind == "unavailable":
            return Reply(503, raw=_GATEWAY)
        if kind == "timeout":
            return Reply(0, cut="silent", hold_seconds=self.desk.script.hold_seconds)
        return None

    async def _answer(self, call: Call) -> Reply:
        path = call.target.partition("?")[0]
        service = SERVICES.get(path.removeprefix(self.base_path))
        if service is None or not path.startswith(self.base_path):
            return refused("00", "transaction_not_found", "no such service")
        if call.method != "POST":
            return refused(service.code, "not_supported")
        try:
            return await self._serve(service, call)
        except RequestRefusedError as error:
            return refused(service.code, error.case, error.detail)
        except sqlite3.Error as error:
            # The caller learns what a bank tells; whoever runs the bank, what it was.
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            return refused(service.code, "internal")

    async def _serve(self, service: Service, call: Call) -> Reply:
        now = self.clock()
        if service.code == "73":
            check_token_request(call, self.customer, now)
            return await self._issue_token(read_body(service, call.body), now)
        external_id = check_transaction(call, self.customer, self.tokens, now)
        body = read_body(service, call.body)
        if service.code in TRANSFERS:
            order = order_of(service, body, external_id)
            return await self.writer.run(lambda conn: take_in(conn, self.desk, order, self.clock()))
        return await self.writer.run(lambda conn: self._look(conn, service, body, external_id))

    async def _issue_token(self, body: dict[str, Any], now: datetime) -> Reply:
        reply = await self.writer.run(
            lambda conn: snap_services.issue_token(conn, body, now, self.token_seconds)
        )
        if reply.http == 200:
            self.tokens[reply.body["accessToken"]] = now.timestamp() + self.token_seconds
        return reply

    def _look(
        self, conn: sqlite3.Connection, service: Service, body: dict[str, Any], external_id: str
    ) -> Reply:
        if not use_external_id(conn, external_id, self.clock()):
            return refused(service.code, "conflict")
        match service.code:
            case "11":
                return snap_services.balance_inquiry(conn, self.desk, body)
            case "14":
                return snap_services.bank_statement(conn, self.desk, body)
            case "36":
                return snap_services.status_inquiry(conn, self.desk, body)
            case code:
                return snap_services.account_inquiry(conn, self.desk, code, body)
