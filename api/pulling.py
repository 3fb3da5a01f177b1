"""
What a bank is asked of an account: its balance, and its statement, which is imported.

A pull asks for the pages, makes them one file and imports that file.

What goes wrong before the import (an answer that can't be read, paging that does not move, a bank that
refuses) imports nothing. The file is imported as any other: it is kept by its bytes, its lines are
provisional until the end-of-day statement confirms them, and a pull that repeats one adds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta, timezone
from typing import Any, Final

from sqlalchemy import Engine

from api.clock import Clock, system_clock
from api.dispatch.banks import client_of, connection_of, connections_of
from api.engine import reading
from api.operating import book_of, put, try_out
from api.settings import Settings
from bank_adapters.snap.connection import Connection
from bank_adapters.snap.errors import UnreadableAnswerError
from bank_adapters.snap.replies import AccountBalance
from bank_adapters.statements import StatementFile
from bank_adapters.statements.snap_file import FORMAT, Pull, window_of, write_pull
from ledger.money import Money
from reconciliation.intake import read_import
from reconciliation.standing import Standing, standing_of

__all__ = ["Pulled", "ask_balance", "bank_today", "pull"]

#: The clock that banks keep their days by.
_WIB: Final = timezone(timedelta(hours=7))


@dataclass(frozen=True, slots=True)
class Pulled:
    """A pull that was imported: its file, by which *name*, and what the import answered."""

    name: str
    pages: int
    data: bytes = field(repr=False)
    file: StatementFile = field(repr=False)
    answer: dict[str, Any]

    @property
    def missing(self) -> list[dict[str, Any]]:
        """Lines known before that the bank no longer has, or has otherwise: see the import."""
        return [line for each in self.answer["statements"] for line in each.get("missing", ())]


def bank_today(clock: Clock = system_clock) -> date:
    """The banks' day."""
    return clock().astimezone(_WIB).date()


def ask_balance(
    engine: Engine,
    settings: Settings,
    government: str,
    bank_account: str,
    *,
    clock: Clock = system_clock,
) -> tuple[AccountBalance, Money, Standing]:
    """
    What the bank says of an account (11), what of it is booked, and what the books say, read after it.

    Raises the errors of `banks.toml`, and what the bank refuses or leaves unreadable.
    """
    book = book_of(engine, government)
    connection = connection_of(book, connections_of(settings.banks()), bank_account)
    with client_of(connection, clock) as client:
        told = client.balance(bank_account.partition(":")[2])
    if told.booked is None:
        raise UnreadableAnswerError("11", "amount", "is missing, and so is availableBalance")
    with reading(engine) as conn:
        return told, told.booked, standing_of(conn, government, bank_account)


def pull(
    engine: Engine,
    settings: Settings,
    government: str,
    bank_account: str,
    first: date,
    last: date,
    *,
    by: str,
    dry_run: bool = False,
    clock: Clock = system_clock,
) -> Pulled:
    """
    The statement of *bank_account* (`BANKCODE:NO`) from one day through another, in the name of *by*.

    dry_run: ask and decide everything, keep nothing. Raises (nothing was imported): the errors of
    `banks.toml`, StatementPeriodError, what the bank refuses or leaves unreadable, and what the
    import refuses.
    """
    book = book_of(engine, government)
    connection = connection_of(book, connections_of(settings.banks()), bank_account)
    asked = _ask(connection, bank_account, first, last, clock)
    data = write_pull(asked)
    command = read_import(by, bank_account, data, format=FORMAT)
    command.name = _name(bank_account, first, last, command.file.file_sha256)
    if dry_run:
        answer = try_out(engine, government, book.zone, command, clock=clock)
    else:
        answer = put(engine, settings, government, command, clock=clock)
    return Pulled(command.name, len(asked.pages), data, command.file, answer)


def _ask(connection: Connection, bank_account: str, first: date, last: date, clock: Clock) -> Pull:
    said = connection.settings
    account = bank_account.partition(":")[2]
    days_back = said.statement_days_back
    window = window_of(first, last, today=bank_today(clock), days_back=days_back)
    with client_of(connection, clock) as client:
        pages = client.statement_pages(account, window)
    return Pull(said.bank_code, account, first, last, pages)


def _name(bank_account: str, first: date, last: date, sha256: str) -> str:
    """Of the file: whose, which days, and which bytes."""
    return f"snap-{bank_account.replace(':', '-')}-{first}-{last}-{sha256[:12]}.txt"
