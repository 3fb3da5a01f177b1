"""
Open a book: the government, its chart, its first persons, and an opening balance if there is one.

The first acts of a log. They are done by the installer in the name of two administrators, because
persons and grants change only by two hands from then on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from audit import bulk
from audit.canonical import canonical_fast
from audit.database import log_edge
from audit.log import Batch, open_batch, start_log
from ledger import tables as t
from ledger.chart import CHART_VERSION, load_chart
from ledger.errors import (
    FiscalYearNotOpenError,
    FutureEffectiveDateError,
    InvalidFieldError,
    LedgerError,
)
from ledger.journals import AMOUNT_MAX_SEN, Draft, Line, check_day, check_feed_kind, check_text
from ledger.money import sen_text
from ledger.session import open_session
from ledger.settings import FOREVER

__all__ = [
    "ADMIN_1",
    "ADMIN_2",
    "CASH_ACCOUNT",
    "EQUITY_ACCOUNT",
    "FEEDER",
    "RECONCILER",
    "BookExistsError",
    "NewBook",
    "chart_sha256",
    "check_new_book",
    "check_opening",
    "check_zone",
    "open_book",
]

ADMIN_1: Final = "admin-1"
ADMIN_2: Final = "admin-2"
FEEDER: Final = "svc-feed"
RECONCILER: Final = "svc-reconcile"

CASH_ACCOUNT: Final = "1.1.01.01.01.0001"
EQUITY_ACCOUNT: Final = "3.1.01.01.01.0001"

_GOVERNMENT = re.compile(r"[1-9][0-9](\.[0-9]{2})?")
_ORIGIN = re.compile(r"[a-z0-9][a-z0-9./-]{0,99}")
_BANK_ACCOUNT = re.compile(r"[0-9]{3}:[0-9]{6,20}")


class BookExistsError(LedgerError):
    """A book of this government is kept here already; nothing opens a second one over it."""

    def __init__(self, *, government: str) -> None:
        super().__init__(
            f"a book of government {government} is kept here already", government=government
        )


@dataclass(frozen=True, slots=True)
class NewBook:
    """
    What `rkud init` was told.

    bank_account: `BANKCODE:NO`. recognition: `on_issue` or `on_cair` (D9). feed: kinds of journals
    that other systems may feed, `*` for all. opening_balance_sen: cash at the end of *opening_on*.
    """

    government: str
    name: str
    bank_account: str
    bank_account_name: str
    recognition: str
    fiscal_years: Sequence[int]
    origin: str
    zone: str = "Asia/Jakarta"
    is_demo: bool = False
    feed: Sequence[str] = ()
    release_level: str = "sub_kegiatan"
    opening_balance_sen: int = 0
    opening_on: str = ""


def check_new_book(book: NewBook) -> None:
    """Raises InvalidFieldError."""
    for field, value, pattern, rule in (
        ("government", book.government, _GOVERNMENT, "is a region code such as 36 or 36.72"),
        ("origin", book.origin, _ORIGIN, "is lower-case letters, digits, points, dashes, slashes"),
        (
            "bank_account",
            book.bank_account,
            _BANK_ACCOUNT,
            "is BANKCODE:NO, three digits and 6 to 20 digits",
        ),
    ):
        if pattern.fullmatch(value) is None:
            raise InvalidFieldError(field, rule, value[:120])
    check_zone(book.zone)
    check_text("name", book.name, least=1, most=200)
    check_text("bank_account_name", book.bank_account_name, most=200)
    if book.recognition not in ("on_issue", "on_cair"):
        raise InvalidFieldError("recognition", "is on_issue or on_cair", book.recognition[:40])
    if book.release_level not in ("line", "sub_kegiatan", "skpd"):
        raise InvalidFieldError(
            "release_level", "is line, sub_kegiatan or skpd", book.release_level[:40]
        )
    if not book.fiscal_years or not all(1945 <= year <= 9998 for year in book.fiscal_years):
        raise InvalidFieldError("fiscal_years", "are 1945 to 9998", str(list(book.fiscal_years)))
    for kind in book.feed:
        check_feed_kind("feed", kind)
    if not 0 <= book.opening_balance_sen <= AMOUNT_MAX_SEN:
        raise InvalidFieldError(
            "opening_balance", "is 0.00 or more", sen_text(book.opening_balance_sen)
        )
    if bool(book.opening_balance_sen) != bool(book.opening_on):
        raise InvalidFieldError("opening_on", "goes with an opening balance", book.opening_on)
    if book.opening_on:
        check_day("opening_on", book.opening_on)


def check_opening(book: NewBook, today: str) -> None:
    """
    That the opening balance can be booked. Raises FutureEffectiveDateError, FiscalYearNotOpenError.
    """
    if not book.opening_on:
        return
    if book.opening_on > today:
        raise FutureEffectiveDateError(effective_on=book.opening_on, today=today)
    year = int(book.opening_on[:4])
    if year not in book.fiscal_years:
        raise FiscalYearNotOpenError(fiscal_year=year)


def check_zone(zone: str) -> None:
    """A time zone of the IANA database. Raises InvalidFieldError."""
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise InvalidFieldError("zone", "is a time zone such as Asia/Jakarta", zone[:80]) from None


def chart_sha256(rows: Sequence[Sequence[object]]) -> str:
    """Digest of a chart: its rows (code, names, level, side, statement, source, dates) in order of code."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(canonical_fast([str(value) for value in row]) + b"\n")
    return digest.hexdigest()


def open_book(conn: Connection, book: NewBook, *, now: datetime, today: str) -> None:
    """
    Create the book with its first leaves, in the caller's transaction.

    Raises:
        BookExistsError: The government has a book in this database.
        InvalidFieldError: A value has not the form that its rule asks for.
    """
    check_new_book(book)
    code = book.government
    if conn.execute(select(log_edge.c.government).where(log_edge.c.government == code)).first():
        raise BookExistsError(government=code)
    start_log(conn, code, origin=book.origin, now=now)
    batch = open_batch(conn, code, now=now)
    leaf = batch.leaf(
        "book.opened",
        ADMIN_1,
        {
            "name": book.name,
            "zone": book.zone,
            "is_demo": book.is_demo,
            "origin": book.origin,
            "administrators": [ADMIN_1, ADMIN_2],
        },
    )
    _insert(
        conn, "government", (code, book.name, book.zone, int(book.is_demo), batch.recorded_at, leaf)
    )
    _load_chart(conn, batch)
    _settings(conn, batch, book)
    _first_persons(conn, batch, today)
    batch.config_changed()
    if not book.opening_balance_sen:
        batch.close()
        return
    batch.close()
    session = open_session(conn, code, now=now, today=today)
    session.post(_opening_journal(book))
    session.flush()


def _insert(conn: Connection, name: str, *rows: bulk.Row) -> None:
    table = getattr(t, name)
    bulk.insert_rows(conn, table, tuple(table.c.keys()), rows)


def _load_chart(conn: Connection, batch: Batch) -> None:
    government = batch.government
    accounts = sorted(load_chart().values(), key=lambda account: account.code)
    rows: list[bulk.Row] = [
        (
            account.code,
            account.name_id,
            account.name_en or "",
            account.level,
            account.normal_side,
            account.statement,
            account.source,
            "",
            "",
        )
        for account in accounts
    ]
    sha256 = chart_sha256(rows)
    leaf = batch.leaf(
        "chart.loaded",
        ADMIN_1,
        {"version": CHART_VERSION, "sha256": sha256, "accounts": len(rows)},
    )
    _insert(conn, "chart", (government, CHART_VERSION, sha256, len(rows), leaf))
    _insert(conn, "account", *((government, CHART_VERSION, *row) for row in rows))


def _settings(conn: Connection, batch: Batch, book: NewBook) -> None:
    code = book.government
    data = {"code": "PPKD", "kind": "PPKD", "name": "PPKD"}
    _insert(
        conn, "entity", (code, "PPKD", "PPKD", "PPKD", batch.leaf("entity.added", ADMIN_1, data))
    )
    bank_code, number = book.bank_account.split(":")
    opened_on = f"{min(book.fiscal_years)}-01-01"
    data = {
        "id": book.bank_account,
        "name": book.bank_account_name,
        "account": CASH_ACCOUNT,
        "opened_on": opened_on,
    }
    leaf = batch.leaf("bank_account.added", ADMIN_1, data)
    _insert(
        conn,
        "bank_account",
        (
            code,
            book.bank_account,
            bank_code,
            number,
            book.bank_account_name,
            CASH_ACCOUNT,
            opened_on,
            leaf,
        ),
    )
    for year in sorted(set(book.fiscal_years)):
        leaf = batch.leaf(
            "fiscal_year.opened", ADMIN_1, {"year": year, "chart_version": CHART_VERSION}
        )
        _insert(conn, "fiscal_year", (code, year, CHART_VERSION, leaf))
    policies = [("recognition", book.recognition), ("release_level", book.release_level)]
    policies += [("feed", kind) for kind in dict.fromkeys(book.feed)]
    for name, value in policies:
        leaf = batch.leaf(
            "policy.set", ADMIN_1, {"name": name, "valid_from": "0001-01-01", "value": value}
        )
        _insert(conn, "policy", (code, name, "0001-01-01", value, leaf))


def _first_persons(conn: Connection, batch: Batch, today: str) -> None:
    """
    Two administrators, and two services that the operator's commands act as.

    Administrators hold no financial role. A service may feed journals or run the reconciliation,
    and nothing else; both are ended like any grant when people take over.
    """
    government = batch.government
    for person, kind, name, role in (
        (ADMIN_1, "officer", "Administrator 1", "admin"),
        (ADMIN_2, "officer", "Administrator 2", "admin"),
        (FEEDER, "service", "Feed", "feed"),
        (RECONCILER, "service", "Reconciliation", "reconciler"),
    ):
        name_c = batch.commit("person_name", name, subject=f"person:{person}")
        leaf = batch.leaf(
            "person.added",
            ADMIN_1,
            {"person": person, "kind": kind, "name": name_c, "nip": "", "confirmed_by": ADMIN_2},
        )
        _insert(conn, "person", (government, person, kind, name_c, "", batch.recorded_at, leaf))
        grant = f"init-{person}-{role}"
        leaf = batch.leaf(
            "grant.given",
            ADMIN_1,
            {
                "grant": grant,
                "person": person,
                "role": role,
                "skpd": "",
                "mandate": "definitive",
                "mandate_document": "",
                "valid_from": today,
                "valid_to": FOREVER,
                "confirmed_by": ADMIN_2,
            },
        )
        _insert(
            conn,
            "grant_given",
            (
                government,
                grant,
                person,
                role,
                "",
                "definitive",
                "",
                today,
                FOREVER,
                ADMIN_1,
                ADMIN_2,
                leaf,
            ),
        )


def _opening_journal(book: NewBook) -> Draft:
    sen = book.opening_balance_sen
    return Draft(
        reference=f"OPENING/{book.bank_account}",
        effective_on=book.opening_on,
        kind="opening",
        description=f"Opening balance of {book.bank_account}",
        lines=[
            Line("PPKD", "FIN", CASH_ACCOUNT, sen, book.bank_account),
            Line("PPKD", "FIN", EQUITY_ACCOUNT, -sen),
        ],
        maker=ADMIN_1,
        poster=ADMIN_2,
        source="bank",
        is_fact=True,
    )
