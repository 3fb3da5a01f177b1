"""
The banks of a worker: clients by bank account, and the rail of a payment, from the operator's files.

Addresses and keys come from `banks.toml` alone (D22). Limits and hours are the product's dated table,
over which the operator may lay `rails.toml`; banks on BI-FAST are the product's list, or the operator's
`banks.csv`; days on which banks rest are `holidays.txt`, one date a line.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

from api.clock import Clock
from api.errors import ApiError
from bank_adapters.errors import BankAdapterError
from bank_adapters.payments.banks import Bank as ListedBank
from bank_adapters.payments.banks import bank_list, parse_banks
from bank_adapters.payments.order import Rail
from bank_adapters.payments.rail_table import RailTable, parse_rail_table, rail_table
from bank_adapters.payments.routing import Routed, WaitUntil, choose_rail
from bank_adapters.snap.banks_file import load_connections
from bank_adapters.snap.client import SnapClient
from bank_adapters.snap.connection import Connection, connection_for
from bank_adapters.snap.errors import AccountNotServedError
from ledger.documents.calls import FILE, channel_of
from ledger.money import Money
from ledger.settings import Settings as BookSettings

__all__ = [
    "BANKS_FILE",
    "BanksFileMissingError",
    "ConnectionFile",
    "NoChannelError",
    "Router",
    "UnreadableHolidaysError",
    "client_of",
    "clients_of",
    "connection_of",
    "connections_of",
]

BANKS_FILE = "banks.toml"


class BanksFileMissingError(ApiError):
    """There is no file that says how to reach a bank."""

    def __init__(self, *, path: str) -> None:
        super().__init__(f"{path} is not there: it says how each bank is reached", path=path)


class NoChannelError(ApiError):
    """No bank account of the book leaves its orders through an interface today."""

    def __init__(self, *, bank_accounts: Sequence[str]) -> None:
        super().__init__(
            f"no account of {', '.join(bank_accounts)} leaves by snap today: set the policy channel",
            bank_accounts=list(bank_accounts),
        )


class UnreadableHolidaysError(ApiError):
    """A line of `holidays.txt` is no date."""

    def __init__(self, *, path: str, line: int, value: str) -> None:
        super().__init__(
            f"{path}, line {line}: {value!r} is no date (YYYY-MM-DD)",
            path=path,
            line=line,
            value=value,
        )


class _NoTurnError(BankAdapterError):
    """A refused token is not followed by a second call on the same record."""


def connections_of(folder: Path) -> tuple[Connection, ...]:
    """The operator's connections. Raises BanksFileMissingError, InvalidConnectionError."""
    path = folder / BANKS_FILE
    if not path.exists():
        raise BanksFileMissingError(path=str(path))
    return load_connections(path)


class ConnectionFile:
    """The operator's connections, read again when their file has changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamp = 0
        self._connections: dict[str, Connection] = {}

    def named(self, name: str) -> Connection | None:
        """The connection of a name. Raises BanksFileMissingError, InvalidConnectionError."""
        path = self._folder / BANKS_FILE
        stamp = path.stat().st_mtime_ns if path.exists() else 0
        if stamp != self._stamp or not stamp:
            self._connections = {c.settings.name: c for c in connections_of(self._folder)}
            self._stamp = stamp
        return self._connections.get(name)


def connection_of(
    book: BookSettings, connections: Sequence[Connection], bank_account: str
) -> Connection:
    """
    The connection that serves an account of the book, whatever its orders leave by.

    Raises AccountNotServedError, SimulatorForLiveAccountError.
    """
    bank_code, _, account = bank_account.partition(":")
    return connection_for(connections, bank_code, account, live=not book.is_demo)


def client_of(connection: Connection, clock: Clock) -> SnapClient:
    """A client of a bank, to be closed by the caller."""
    return SnapClient(connection, clock, _external_id)


def clients_of(
    book: BookSettings, connections: Sequence[Connection], clock: Clock, today: str
) -> dict[str, SnapClient]:
    """
    A client for each bank account whose orders leave by its interface today, or have left by it.

    Raises NoChannelError, AccountNotServedError, SimulatorForLiveAccountError: a simulated bank is
    for demo books alone.
    """
    clients: dict[str, SnapClient] = {}
    shared: dict[str, SnapClient] = {}
    for bank_account in book.bank_accounts:
        is_used = channel_of(book.policies, bank_account, today) != FILE
        try:
            found = connection_of(book, connections, bank_account)
        except AccountNotServedError:
            if is_used:
                raise
            continue
        name = found.settings.name
        if name not in shared:
            shared[name] = client_of(found, clock)
        clients[bank_account] = shared[name]
    if not clients:
        raise NoChannelError(bank_accounts=sorted(book.bank_accounts))
    return clients


def _external_id(reference: str) -> str:
    """Of a question. A payment's come from the books, one for each call that they know of."""
    if reference:
        raise _NoTurnError(reference)
    return f"8{secrets.randbelow(10**24):024d}"


@dataclass(frozen=True, slots=True)
class Router:
    """Chooses rails. `rails` are what each bank account's connection offers."""

    table: RailTable
    banks: Mapping[str, ListedBank]
    holidays: frozenset[date]
    rails: Mapping[str, Sequence[Rail]]

    @classmethod
    def from_folder(cls, folder: Path, rails: Mapping[str, Sequence[Rail]]) -> Router:
        """From the operator's files beside `banks.toml`, where they stand."""
        table, banks = rail_table(), bank_list()
        if (own := folder / "rails.toml").exists():
            table = table.overridden_by(parse_rail_table(own.read_text(encoding="utf-8")))
        if (own := folder / "banks.csv").exists():
            banks = parse_banks(own.read_text(encoding="utf-8"))
        return cls(table, banks, _holidays(folder / "holidays.txt"), rails)

    def __call__(
        self, bank_account: str, beneficiary_bank: str, amount: Money, now: datetime
    ) -> Rail | datetime:
        """The rail now, or the instant from which one is open. Raises NoRailError."""
        payment = Routed(amount, bank_account.partition(":")[0], beneficiary_bank)
        offered = self.rails.get(bank_account, ())
        table = replace(self.table, order=tuple(r for r in self.table.order if r in offered))
        chosen = choose_rail(payment, self.banks, now, self.is_working_day, table)
        return chosen.opens_at if isinstance(chosen, WaitUntil) else chosen

    def is_working_day(self, day: date) -> bool:
        """Whether banks work: Monday to Friday, but for the operator's holidays."""
        return day.weekday() < 5 and day not in self.holidays


def _holidays(path: Path) -> frozenset[date]:
    if not path.exists():
        return frozenset()
    days = set()
    for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        value = line.partition("#")[0].strip()
        if not value:
            continue
        try:
            days.add(date.fromisoformat(value))
        except ValueError:
            raise UnreadableHolidaysError(path=str(path), line=n, value=value[:40]) from None
    return frozenset(days)
