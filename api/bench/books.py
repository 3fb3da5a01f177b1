"""
Books to post into: a government with a thousand bank accounts, forty SKPD and ten thousand budget lines.

Opened once as a template and copied for every round, so that each begins with the same empty book.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from api import clock
from api.bench.workload import bank_accounts, budget_spots, skpd_codes
from api.engine import begin, make_engine
from api.migrations_runner import upgrade
from audit import bulk
from audit.log import Batch, instant_text, open_batch
from ledger import tables as t
from ledger.journals import Draft, Line
from ledger.opening import (
    ADMIN_1,
    ADMIN_2,
    CASH_ACCOUNT,
    EQUITY_ACCOUNT,
    FEEDER,
    NewBook,
    open_book,
)
from ledger.posting import open_session

__all__ = ["GOVERNMENT", "ORIGIN", "BookFacts", "make_book"]

GOVERNMENT: Final = "36"
ORIGIN: Final = "bench.example/rkud/36"
#: Rp 10 trillion in every bank account, Rp 1 trillion on every budget line: nothing runs dry.
_CASH_SEN: Final = 10**15
_CEILING_SEN: Final = 10**14


@dataclass(frozen=True, slots=True)
class BookFacts:
    """What a bench must know of its book: days to post on and a token that feeds it."""

    today: str
    first_day: str
    token: str


def make_book(
    owner_url: str,
    app_url: str,
    *,
    banks: int,
    app_role: str | None = None,
    reader_role: str | None = None,
) -> BookFacts:
    """Migrate the database and open the book in it. *first_day* is the first of last year."""
    upgrade(owner_url, app_role, reader_role)
    engine = make_engine(app_url)
    now = clock.system_clock()
    today = clock.local_day(now, "Asia/Jakarta")
    year = int(today[:4])
    ids = bank_accounts(banks)
    token = secrets.token_urlsafe(32)
    book = NewBook(
        government=GOVERNMENT,
        name="Banten",
        bank_account=ids[0],
        bank_account_name="RKUD",
        recognition="on_cair",
        fiscal_years=(year - 1, year),
        origin=ORIGIN,
        feed=("*",),
        opening_balance_sen=_CASH_SEN,
        opening_on=f"{year - 1}-01-01",
    )
    with begin(engine) as conn:
        open_book(conn, book, now=now, today=today)
        batch = open_batch(conn, GOVERNMENT, now=now)
        _add_entities(conn, batch)
        _add_banks(conn, batch, ids[1:], book.opening_on)
        _add_token(conn, batch, token)
        batch.config_changed()
        batch.close()
        if banks > 1:
            session = open_session(conn, GOVERNMENT, now=now, today=today)
            session.post(_opening(ids[1:], book.opening_on))
            session.flush()
        for fiscal_year in book.fiscal_years[:1]:
            _add_budget(conn, fiscal_year)
    engine.dispose()
    return BookFacts(today=today, first_day=f"{year - 1}-01-02", token=token)


def _add_entities(conn: Connection, batch: Batch) -> None:
    rows: list[bulk.Row] = []
    for code in skpd_codes():
        leaf = batch.leaf("entity.added", ADMIN_1, {"code": code, "kind": "SKPD", "name": code})
        rows.append((GOVERNMENT, code, "SKPD", code, leaf))
    bulk.insert_rows(conn, t.entity, tuple(t.entity.c.keys()), rows)


def _add_banks(conn: Connection, batch: Batch, ids: list[str], opened_on: str) -> None:
    rows: list[bulk.Row] = []
    for bank in ids:
        bank_code, number = bank.split(":")
        data = {"id": bank, "name": number, "account": CASH_ACCOUNT, "opened_on": opened_on}
        leaf = batch.leaf("bank_account.added", ADMIN_1, data)
        rows.append((GOVERNMENT, bank, bank_code, number, number, CASH_ACCOUNT, opened_on, leaf))
    bulk.insert_rows(conn, t.bank_account, tuple(t.bank_account.c.keys()), rows)


def _add_token(conn: Connection, batch: Batch, token: str) -> None:
    digest = hashlib.sha256(token.encode()).hexdigest()
    expires_at = instant_text(clock.system_clock() + timedelta(hours=8))
    leaf = batch.leaf("token.issued", ADMIN_1, {"person": FEEDER, "expires_at": expires_at})
    values = {
        "government": GOVERNMENT,
        "token_sha256": digest,
        "id": "bench",
        "person_id": FEEDER,
        "issued_by": ADMIN_1,
        "issued_at": batch.recorded_at,
        "expires_at": expires_at,
        "leaf_index": leaf,
    }
    bulk.insert_rows(conn, t.token, tuple(values), [tuple(values.values())])


def _opening(ids: list[str], day: str) -> Draft:
    lines = [Line("PPKD", "FIN", CASH_ACCOUNT, _CASH_SEN, bank) for bank in ids]
    # A single line stays below the greatest amount.
    lines += [Line("PPKD", "FIN", EQUITY_ACCOUNT, -_CASH_SEN) for _ in ids]
    return Draft(
        reference="OPENING/banks",
        effective_on=day,
        kind="opening",
        description="Opening balances",
        lines=lines,
        maker=ADMIN_1,
        poster=ADMIN_2,
        source="bank",
        is_fact=True,
    )


def _add_budget(conn: Connection, fiscal_year: int) -> None:
    """Counters only: what a loaded budget leaves behind for posting to look at."""
    buckets: list[bulk.Row] = []
    lines: list[bulk.Row] = []
    for spot in budget_spots():
        released = _CEILING_SEN * len(spot.lines)
        buckets.append((GOVERNMENT, spot.bucket, fiscal_year, "sub_kegiatan", released))
        for line, account in zip(spot.lines, spot.accounts, strict=True):
            lines.append(
                (
                    GOVERNMENT,
                    line,
                    fiscal_year,
                    spot.skpd,
                    spot.sub_kegiatan,
                    account,
                    "",
                    spot.bucket,
                    _CEILING_SEN,
                )
            )
    bulk.insert_rows(
        conn, t.release_bucket, ("government", "id", "fiscal_year", "level", "released_sen"), buckets
    )
    bulk.insert_rows(
        conn,
        t.budget_line,
        (
            "government",
            "id",
            "fiscal_year",
            "skpd",
            "sub_kegiatan",
            "account",
            "fund_source",
            "bucket_id",
            "ceiling_sen",
        ),
        lines,
    )
