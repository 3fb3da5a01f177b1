"""
The demo's directory and its book: only ever a new one, and only where no other book could be hurt.

    rkud-data/
      rkud.db, keys/          the book, as `rkud init` makes it, marked as a demo's
      demo/office/            officers' private keys and tokens: the server never reads them
      demo/desk/              what goes to the bank and comes back: advice lists, deposits, statements
      demo/bank/              the bank's own books
      demo/export/, tampered/ what the inspector gets, and the copy that an attacker edits
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from api.data_dir import DATABASE, check_directory, create_data_dir
from api.demo.data import ORIGIN, DemoData
from api.demo.errors import DemoDatabaseError, DemoRunningError, NotADemoBookError
from api.demo.server import shifted_clock
from api.engine import make_engine, reading
from api.opening import make_book
from api.settings import Settings
from ledger import tables as t
from ledger.opening import NewBook

__all__ = ["Places", "business_days", "clock_offset", "demo_settings", "hold", "open_demo_book"]

_LOCK: Final = "demo.lock"
#: All that a demo makes; whatever else lies in the directory is not a demo's.
_OURS: Final = frozenset({DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", "keys", "demo", _LOCK})
#: The office opens; a demo's clock starts here on each of its days.
OFFICE_HOURS: Final = time(8, 0)


@dataclass(frozen=True, slots=True)
class Places:
    """The directories of a demo."""

    data_dir: Path

    @property
    def desk(self) -> Path:
        """Files between the treasury and its bank."""
        return self.data_dir / "demo" / "desk"

    @property
    def office(self) -> Path:
        """Officers' keys and tokens."""
        return self.data_dir / "demo" / "office"

    @property
    def bank(self) -> Path:
        """The bank's own books."""
        return self.data_dir / "demo" / "bank"

    @property
    def export(self) -> Path:
        """What the inspector takes along."""
        return self.data_dir / "demo" / "export"

    @property
    def tampered(self) -> Path:
        """The copy that is edited behind the ledger's back."""
        return self.data_dir / "demo" / "tampered"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.data_dir / "demo" / "server.log"

    def make(self) -> None:
        """Make them, for this user alone."""
        for path in (self.desk, self.office, self.bank):
            path.mkdir(mode=0o700, parents=True)


def business_days(now: datetime, zone: str, count: int) -> list[date]:
    """
    The last *count* consecutive business days (Monday to Friday) that have begun by *now*.

    A day that began less than an hour ago is left for tomorrow: the demo's clock must stay behind
    the machine's.
    """
    local = (now - timedelta(hours=1)).astimezone(ZoneInfo(zone))
    day = local.date()
    if local.time() < OFFICE_HOURS:
        day -= timedelta(days=1)
    days: list[date] = []
    while len(days) < count:
        if day.weekday() < 5:
            days.append(day)
        day -= timedelta(days=1)
    return days[::-1]


def clock_offset(day: date, now: datetime, zone: str) -> timedelta:
    """How the machine's clock is moved so that it is now the opening hour of *day*."""
    return datetime.combine(day, OFFICE_HOURS, ZoneInfo(zone)) - now


def demo_settings() -> Settings:
    """Settings of the environment. Raises DemoDatabaseError."""
    settings = Settings()
    if settings.database_url is not None:
        raise DemoDatabaseError
    return settings


@contextmanager
def hold(data_dir: Path) -> Iterator[bool]:
    """
    Take the directory for this demo, empty; whether an earlier demo's book was removed.

    Raises:
        NotADemoBookError: It holds anything that no demo made.
        DemoRunningError, UnsafeDataDirError
    """
    if data_dir.exists():
        _refuse_foreign(data_dir)
    create_data_dir(data_dir)
    handle = os.open(data_dir / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoRunningError(path=str(data_dir.absolute())) from None
        yield _clear(data_dir)
    finally:
        os.close(handle)


def open_demo_book(
    settings: Settings, data: DemoData, *, days: list[date], opened_on: date
) -> None:
    """Open the book on the morning of the first day, with the balance of the evening before."""
    now = datetime.now(UTC)
    offset = clock_offset(days[0], now, data.zone)
    years = sorted({each.year for each in (*days, opened_on)})
    make_book(
        settings,
        NewBook(
            government=data.banten.province.code,
            name=data.province,
            bank_account=data.bank_account,
            bank_account_name=f"RKUD {data.province}, {data.bank_name}",
            recognition="on_issue",
            fiscal_years=years,
            origin=ORIGIN,
            zone=data.zone,
            is_demo=True,
            feed=("receipt",),
            opening_balance_sen=data.opening_sen,
            opening_on=opened_on.isoformat(),
        ),
        clock=shifted_clock(offset),
    )
    check_directory(settings.data_dir)


def _refuse_foreign(data_dir: Path) -> None:
    path = str(data_dir.absolute())
    names = {each.name for each in data_dir.iterdir()}
    if foreign := sorted(names - _OURS):
        raise NotADemoBookError(path=path, reason=f"holds {foreign[0]}, which no demo made")
    if DATABASE not in names:
        # Left by a demo that was interrupted; keys alone may be all that is left of a real book.
        if "keys" in names and "demo" not in names:
            raise NotADemoBookError(path=path, reason="holds keys without a demo's book")
        return
    engine = make_engine(f"sqlite:///{data_dir.absolute() / DATABASE}")
    try:
        with reading(engine) as conn:
            marks = list(conn.execute(select(t.government.c.is_demo)).scalars())
    except SQLAlchemyError:
        raise NotADemoBookError(path=path, reason=f"holds a {DATABASE} that isn't read") from None
    finally:
        engine.dispose()
    # A book that was interrupted before its first act has no government, and nothing to lose.
    if not all(marks):
        raise NotADemoBookError(path=path, reason="holds a book that is not a demo's")


def _clear(data_dir: Path) -> bool:
    found = (data_dir / DATABASE).exists()
    # `demo` last: until it is gone, the directory is known as a demo's.
    for name in sorted(_OURS - {_LOCK}, key=lambda each: each == "demo"):
        path = data_dir / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return found
