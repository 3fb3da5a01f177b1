"""Reports, statements and their supersession over HTTP, each hand with a token of its own."""

from __future__ import annotations

import itertools
import re
from datetime import date
from pathlib import Path
from typing import Any

from bank_adapters.statements import OutgoingEntry, write_camt053, write_mt940
from ledger.money import Money
from tests.api.support import (
    BANK,
    GOVERNMENT,
    NOW,
    Served,
    give_role,
    issue_token,
    open_books,
    serving,
)
from tests.databases import Database

NUMBER = BANK.partition(":")[2]
D19, D20 = date(2026, 11, 19), date(2026, 11, 20)
_keys = itertools.count(1)


def _statement(*sen: int, opening: int = 100_000_000, on: date = D20) -> bytes:
    lines = [OutgoingEntry(on, Money(each), f"BARIS {abs(each)}") for each in sen]
    return write_mt940(NUMBER, "IDR", 1, Money(opening), D19, on, lines)


def _report(*sen: int) -> bytes:
    lines = [OutgoingEntry(D20, Money(each), f"BARIS {abs(each)}") for each in sen]
    text = write_camt053(NUMBER, "IDR", 1, Money(0), D20, D20, lines, created_at=NOW).decode()
    text = text.replace("camt.053", "camt.052").replace("BkToCstmrStmt", "BkToCstmrAcctRpt")
    text = text.replace("<Stmt>", "<Rpt>").replace("</Stmt>", "</Rpt>")
    return re.sub("<Bal>.*</Bal>\n", "", text).encode()


class Bank:
    """A served book with two reconcilers."""

    def __init__(self, served: Served, second: str) -> None:
        self.served = served
        self.second = {"Authorization": f"Bearer {second}"}

    def send(self, data: bytes, query: str = "") -> Any:
        """A file to the statements' route."""
        return self.served.client.post(
            f"/v1/governments/{GOVERNMENT}/statements{query}",
            content=data,
            headers={
                "Idempotency-Key": f"bank-{next(_keys)}",
                "Content-Type": "application/octet-stream",
            },
        )


def _bank(database: Database, tmp_path: Path) -> Any:
    from api.opening import make_keys  # noqa: PLC0415

    open_books(database)
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    make_keys(keys, GOVERNMENT, f"rkud.example/{GOVERNMENT}")
    give_role(database, "svc-feed", "reconciler")
    return serving(database, tmp_path, issue_token(database, "svc-reconcile"))


def test_report_is_shown_as_awaiting_and_then_as_confirmed(
    database: Database, tmp_path: Path
) -> None:
    """Deliveries and provisional lines are listed with their state; the statement confirms them."""
    with _bank(database, tmp_path) as served:
        bank = Bank(served, issue_token(database, "svc-feed"))
        told = bank.send(_report(-100, -200))
        waiting = served.get("/provisional-lines?confirmed=false").json()["rows"]
        bank.send(_statement(-100, -300))
        rows = served.get("/provisional-lines").json()["rows"]
        deliveries = served.get("/deliveries").json()["rows"]

    assert (201, 2) == (told.status_code, told.json()["provisional"])
    assert ["awaiting", "awaiting"] == [row["state"] for row in waiting]
    assert [("-1.00", "confirmed", 1), ("-2.00", "not_booked", 0)] == [
        (row["amount"], row["state"], row["line"]) for row in rows
    ]
    assert [("intraday", 2)] == [(row["kind"], row["new_count"]) for row in deliveries]


def test_reissued_statement_is_proposed_by_one_and_confirmed_by_another(
    database: Database, tmp_path: Path
) -> None:
    """Kept aside, proposed, decided; the lists say what supersedes what and which line is gone."""
    with _bank(database, tmp_path) as served:
        bank = Bank(served, issue_token(database, "svc-feed"))
        bank.send(_statement(-100, -200))
        aside = bank.send(_statement(-100, -300), "?reissue=true").json()["statements"][0]
        body = {"statements": [aside["statement"]], "reason": "Ralat bank"}
        proposed = served.post("/statements/1:supersede", body)
        path = f"/proposals/{proposed.json()['proposal']}:confirm"
        own = served.post(path, {})
        done = served.post(path, {}, headers=bank.second)
        again = served.post("/statements/1:supersede", body)
        statements = served.get("/statements").json()["rows"]
        lines = served.get("/bank-lines").json()["rows"]

    assert ("quarantined", "awaiting_decision") == (aside["status"], aside["rule"])
    assert (201, 403, 201) == (proposed.status_code, own.status_code, done.status_code)
    assert [{"statement": 3, "supersedes": 1, "new": 1, "confirmed": 1, "gone": 1}] == (
        done.json()["statements"]
    )
    assert (409, "not_supersedable") == (again.status_code, again.json()["code"])
    assert [(1, 0, 3), (2, 0, 0), (3, 1, 0)] == [
        (row["id"], row["supersedes"], row["superseded_by"]) for row in statements
    ]
    assert [("-1.00", 0), ("-2.00", 3), ("-3.00", 0)] == [
        (row["amount"], row["gone_by"]) for row in lines
    ]


def test_line_booked_back_is_listed(database: Database, tmp_path: Path) -> None:
    """With the statement that brought it, its position and the day that was closed."""
    with _bank(database, tmp_path) as served:
        bank = Bank(served, issue_token(database, "svc-feed"))
        bank.send(_statement(-100, on=D19))
        late = [OutgoingEntry(D19, Money(-50), "KOREKSI")]
        data = write_mt940(NUMBER, "IDR", 2, Money(99_999_900), D19, D20, late)
        answer = bank.send(data).json()
        (row,) = served.get("/back-dated-lines").json()["rows"]

    assert [row["position"]] == answer["statements"][0]["back_dated"]
    assert (2, 2, "2026-11-19", "2026-11-19", "-0.50") == (
        row["line"],
        row["statement"],
        row["booked_on"],
        row["closed_on"],
        row["amount"],
    )
