"""Books, journals and readings for tests, so that a test says only what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Engine, text

from api.engine import begin, reading
from audit.findings import Finding
from audit.log_check import check_log, check_private_values
from ledger.answers import Idempotency
from ledger.commands import PostJournal, request_fields
from ledger.journals import parse_body
from ledger.journals_check import check_balances, check_journals
from ledger.opening import CASH_ACCOUNT, FEEDER, NewBook
from ledger.posting import Accepted, Group, Refused, post_batch
from ledger.session import Command

NOW: Final = datetime(2026, 11, 21, 3, 15, 30, 123456, tzinfo=UTC)
TODAY: Final = "2026-11-21"
GOVERNMENT: Final = "36"
BANK: Final = "137:0000000000"
CASH: Final = CASH_ACCOUNT
EXPENSE: Final = "8.1.02.01.01.0024"
BELANJA: Final = "5.1.02.01.01.0024"
SAL: Final = "3.1.02.05.01.0001"
PFK: Final = "2.1.01.05.02.0001"
RK_SKPD: Final = "1.1.13.01.01.0001"
RK_PPKD: Final = "3.1.03.01.01.0001"
SKPD: Final = "1.02.0.00.0.00.01.0000"


def new_book(**changes: Any) -> NewBook:
    """The book that the fixture `opened` holds: Rp 1,000,000,000.00 on 1 January 2026."""
    values: dict[str, Any] = {
        "government": GOVERNMENT,
        "name": "Provinsi Uji",
        "bank_account": BANK,
        "bank_account_name": "RKUD",
        "recognition": "on_issue",
        "fiscal_years": [2025, 2026],
        "origin": "rkud/36",
        "feed": ["*"],
        "opening_balance_sen": 100_000_000_000,
        "opening_on": "2026-01-01",
    }
    return NewBook(**(values | changes))


def line(account: str, debit: str = "", credit: str = "", **dimensions: str) -> dict[str, str]:
    """A line as it is sent."""
    side = {"debit": debit} if debit else {"credit": credit}
    return {"account": account, **side, **dimensions}


def journal(reference: str = "J-1", **changes: Any) -> dict[str, Any]:
    """A journal as it is sent: Rp 1,000.00 of expense paid from the RKUD."""
    return {
        "reference": reference,
        "effective_on": "2026-11-20",
        "kind": "uji",
        "description": "Belanja alat tulis",
        "lines": [line(EXPENSE, debit="1000.00"), line(CASH, credit="1000.00")],
    } | changes


def post(
    *journals: dict[str, Any], by: str = FEEDER, keys: Sequence[str] | None = None
) -> list[PostJournal]:
    """Commands that feed these journals, with these idempotency keys."""
    commands = []
    for n, sent in enumerate(journals):
        body = parse_body(msgspec.json.encode(sent))
        key = Idempotency(keys[n], "journals", request_fields(body)) if keys else None
        commands.append(PostJournal(by, body, key))
    return commands


def run(
    engine: Engine,
    *commands: Command | Group,
    now: datetime = NOW,
    today: str = TODAY,
    government: str = GOVERNMENT,
) -> list[Accepted | Refused]:
    """Apply commands in one committed transaction."""
    with begin(engine) as conn:
        return post_batch(conn, government, commands, now=now, today=today)


def answer(result: Accepted | Refused) -> Any:
    """The answer of an accepted act; the refusal is raised."""
    if isinstance(result, Refused):
        raise result.error
    return msgspec.json.decode(result.answer)


def refusal(result: Accepted | Refused) -> tuple[str, dict[str, object]]:
    """Code and values of a refused act."""
    assert isinstance(result, Refused), result
    return result.error.code, result.error.values


def counts(engine: Engine, *tables: str) -> dict[str, int]:
    """Rows of these tables (default: everything a posting writes)."""
    wanted = tables or (
        "journal",
        "journal_line",
        "log_leaf",
        "batch",
        "account_balance",
        "account_day",
        "private_value",
        "idempotency",
    )
    with reading(engine) as conn:
        return {name: scalar(conn, f"SELECT count(*) FROM {name}") for name in wanted}


def scalar(conn: Connection, sql: str, **values: object) -> Any:
    """One value."""
    return conn.execute(text(sql), values).scalar()


def kernel_findings(engine: Engine, government: str = GOVERNMENT) -> list[Finding]:
    """What the checks of log and journals find wrong."""
    checks = (check_log, check_private_values, check_journals, check_balances)
    with reading(engine) as conn:
        return [
            finding
            for check in checks
            for finding in check(conn, government)
            if finding.severity == "error"
        ]
