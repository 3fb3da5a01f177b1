"""
Callbacks of the served bank: services 76 (RTGS) and 75 (SKN), signed with the bank's RSA key.

A callback is a row, written in the transaction of what it tells; a sender posts what is due, signs
each try anew over the bytes it sends, and tries again where it isn't answered with 200.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx2
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from bank_adapters.simulator import books
from bank_adapters.snap.signatures import Encoding, asymmetric_text, sign_rsa, timestamp
from ledger.money import sen_text

if TYPE_CHECKING:
    from bank_adapters.simulator.desk import Desk
    from bank_adapters.simulator.store import Writer

__all__ = ["STATUS_CODES", "Sender", "announce"]

#: latestTransactionStatus and its words, by the state of a transfer.
STATUS_CODES: Final = {
    "done": ("00", "success"),
    "pending": ("03", "pending"),
    "returned": ("04", "refunded"),
    "failed": ("06", "failed"),
}
_PATHS: Final = {"22": "/v1.0/transfer-rtgs/notify", "23": "/v1.0/transfer-skn/notify"}
_TRIES_MAX: Final = 5
_AT_ONCE_MAX: Final = 16
#: A late callback comes this many times later than everything else.
_LATE: Final = 10


def announce(conn: sqlite3.Connection, desk: Desk, reference: str, now: datetime) -> None:
    """Queue the callback on where the order of *reference* stands, as the script lets it go out."""
    row = conn.execute("SELECT * FROM transfer WHERE reference = ?", (reference,)).fetchone()
    path = _PATHS.get(row["service"])
    if path is None or not desk.callbacks:
        return
    others = desk.script.fate(reference).others
    for name in ("callback_missing", "callback_late", "callback_duplicate", "callback_replayed"):
        if name in others:
            books.count_fault(conn, reference, name)
    if "callback_missing" in others:
        return
    delay = desk.script.delay_ms / 1000
    due_at = now.timestamp() + (delay * _LATE if "callback_late" in others else 0)
    body = json.dumps(_body(row), ensure_ascii=False, separators=(",", ":")).encode()
    first = _queue(conn, reference, path, body, due_at, None)
    if "callback_duplicate" in others:
        _queue(conn, reference, path, body, due_at + delay, None)
    if "callback_replayed" in others:
        _queue(conn, reference, path, body, due_at + delay, first)


def _queue(
    conn: sqlite3.Connection,
    reference: str,
    path: str,
    body: bytes,
    due_at: float,
    copy_of: int | None,
) -> int:
    cursor = conn.execute(
        "INSERT INTO callback (reference, path, body, due_at, copy_of) VALUES (?, ?, ?, ?, ?)",
        (reference, path, body, due_at, copy_of),
    )
    return int(cursor.lastrowid or 0)


def _body(row: sqlite3.Row) -> dict[str, Any]:
    status, words = STATUS_CODES[row["status"]]
    return {
        "originalPartnerReferenceNo": row["reference"],
        "originalReferenceNo": row["reference_no"],
        "latestTransactionStatus": status,
        "transactionStatusDesc": words,
        "amount": {"value": sen_text(row["sen"]), "currency": "IDR"},
        "beneficiaryAccountName": row["name"],
        "beneficiaryAccountNo": row["account"],
        "beneficiaryBankCode": row["bank"],
        "sourceAccountNo": row["source"],
        "transactionDate": row["transaction_date"],
    }


@dataclass(slots=True)
class Sender:
    """Posts the callbacks that are due to *url*, the customer's, in front of the service's path."""

    writer: Writer
    url: str
    key: RSAPrivateKey
    partner_id: str
    channel_id: str
    encoding: Encoding
    clock: Callable[[], datetime]

    async def run(self) -> None:
        """Until cancelled."""
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
            while True:
                due: list[sqlite3.Row] = []
                # Another process may hold the database for long; what is due stays due.
                with suppress(sqlite3.OperationalError):
                    due = await self.writer.run(self._due)
                    await asyncio.gather(*(self._send(client, row) for row in due))
                if not due:
                    await asyncio.sleep(0.05)

    def _due(self, conn: sqlite3.Connection) -> list[sqlite3.Row]:
        return conn.execute(
            "SELECT id, path, body, tries, copy_of, (SELECT headers FROM callback AS first"
            " WHERE first.id = callback.copy_of) AS copied"
            " FROM callback WHERE answered IS NULL AND due_at <= ?"
            " AND (copy_of IS NULL OR copied IS NOT NULL) ORDER BY due_at, id LIMIT ?",
            (self.clock().timestamp(), _AT_ONCE_MAX),
        ).fetchall()

    async def _send(self, client: httpx2.AsyncClient, row: sqlite3.Row) -> None:
        url = self.url.rstrip("/") + row["path"]
        if row["copy_of"] is None:
            headers = self._headers(urlsplit(url).path, row)
        else:
            headers = json.loads(row["copied"])
        try:
            answered = (await client.post(url, content=row["body"], headers=headers)).status_code
        except httpx2.HTTPError:
            answered = 0
        now = self.clock()

        def note(conn: sqlite3.Connection) -> None:
            over = answered == 200 or row["tries"] + 1 >= _TRIES_MAX
            conn.execute(
                "UPDATE callback SET tries = tries + 1, headers = ?, answered = ?, due_at = ?"
                " WHERE id = ?",
                (
                    json.dumps(headers),
                    answered if over else None,
                    now.timestamp() + 2.0 ** row["tries"],
                    row["id"],
                ),
            )

        await self.writer.run(note)

    def _headers(self, path: str, row: sqlite3.Row) -> dict[str, str]:
        now = self.clock()
        stamp = timestamp(now)
        text = asymmetric_text("POST", path, row["body"], stamp)
        return {
            "Content-Type": "application/json",
            "X-TIMESTAMP": stamp,
            "X-SIGNATURE": sign_rsa(text, self.key, self.encoding),
            "X-PARTNER-ID": self.partner_id,
            # New for each try: the clock's milliseconds, the callback's number, the try's.
            "X-EXTERNAL-ID": f"{int(now.timestamp() * 1000)}{row['id']:09d}{row['tries']}",
            "CHANNEL-ID": self.channel_id,
        }
