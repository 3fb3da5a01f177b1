"""
Statements pulled again and again beside a worker (`pull_minutes` of `banks.toml`).

A pull asks for the day so far, and for the day of the last pull as well once it is over. One that fails
is logged and comes again in its time: nothing waits for it, and the end-of-day statement is the proof.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

from sqlalchemy import Engine

from api.clock import Clock
from api.errors import ApiError
from api.logs import log
from api.pulling import Pulled, bank_today, pull
from api.settings import Settings
from audit.errors import AuditError
from bank_adapters.errors import BankAdapterError
from ledger.errors import LedgerError
from ledger.opening import RECONCILER

__all__ = ["Puller", "make_puller"]

#: Asks for the statement of an account from one day through another, and imports it.
Ask = Callable[[str, date, date], Pulled]

#: How long the end waits for a pull under way. What is cut off has imported nothing.
_END_SECONDS: Final = 60.0


class Puller:
    """
    Pulls in a thread of its own. *minutes* are by bank account; *today* is the banks' day; a minute
    has *minute* seconds.
    """

    def __init__(
        self,
        government: str,
        minutes: Mapping[str, int],
        ask: Ask,
        today: Callable[[], date],
        *,
        minute: float = 60.0,
    ) -> None:
        self._government = government
        self._every = {account: each * minute for account, each in minutes.items()}
        self._ask = ask
        self._today = today
        self._pulled: dict[str, date] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulls", daemon=True)

    def start(self) -> None:
        """Begin with a pull of each account."""
        self._thread.start()

    def stop(self) -> None:
        """Let the pull under way end."""
        self._ending.set()
        self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        due = dict.fromkeys(self._every, time.monotonic())
        while due and not self._ending.is_set():
            account = min(due, key=due.__getitem__)
            if self._ending.wait(max(due[account] - time.monotonic(), 0)):
                return
            self._pull(account)
            due[account] = time.monotonic() + self._every[account]

    def _pull(self, account: str) -> None:
        today = self._today()
        try:
            found = self._ask(account, self._pulled.get(account, today), today)
        except (ApiError, AuditError, BankAdapterError, LedgerError) as refusal:
            log.error("pull.refused", government=self._government, code=refusal.code)
            return
        except Exception as error:  # the database may be away: it is asked again in its time
            log.error("pull.failed", government=self._government, error=type(error).__name__)
            return
        self._pulled[account] = today
        if found.missing:
            log.warning("pull.lines_missing", government=self._government, count=len(found.missing))


def make_puller(
    engine: Engine,
    settings: Settings,
    government: str,
    minutes: Mapping[str, int],
    clock: Clock,
) -> Puller | None:
    """For the accounts with minutes above 0, in the name of the reconciling service; None for none."""
    chosen = {account: each for account, each in minutes.items() if each}

    def ask(account: str, first: date, last: date) -> Pulled:
        return pull(engine, settings, government, account, first, last, by=RECONCILER, clock=clock)

    return Puller(government, chosen, ask, lambda: bank_today(clock)) if chosen else None
