"""Pulls that come again and again beside a worker."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import date
from typing import cast

from api.dispatch.pulling import Puller
from api.pulling import Pulled
from bank_adapters.snap.errors import BankUnreachableError

D5, D6 = date(2026, 3, 5), date(2026, 3, 6)


@dataclass
class Asked:
    """A bank that answers as a test says, and how it was asked."""

    refusals: dict[int, Exception] = field(default_factory=dict)
    calls: list[tuple[str, date, date]] = field(default_factory=list)
    days: list[date] = field(default_factory=lambda: [D5])
    enough: threading.Event = field(default_factory=threading.Event)
    until: int = 5

    def today(self) -> date:
        """The next day as often as one is left."""
        return self.days.pop(0) if len(self.days) > 1 else self.days[0]

    def __call__(self, account: str, first: date, last: date) -> Pulled:
        """Answer, or refuse."""
        self.calls.append((account, first, last))
        if len(self.calls) >= self.until:
            self.enough.set()
        if error := self.refusals.get(len(self.calls)):
            raise error
        return cast("Pulled", Pulled("", 1, b"", None, {"statements": []}))  # type: ignore[arg-type]


def run(asked: Asked, **minutes: int) -> None:
    """Until it was asked often enough."""
    puller = Puller("36", minutes, asked, asked.today, minute=0.01)
    puller.start()
    assert asked.enough.wait(20)
    puller.stop()


def test_day_that_is_over_is_pulled_once_more() -> None:
    """The first pull is of today; the one after midnight begins with the day before."""
    asked = Asked(days=[D5, D5, D6, D6])
    run(asked, rkud=1)

    assert [(D5, D5), (D5, D5), (D5, D6), (D6, D6)] == [each[1:] for each in asked.calls[:4]]


def test_pull_that_fails_comes_again_and_its_day_is_not_forgotten() -> None:
    """Refused or a fault: the days since the last good pull are asked for."""
    unreachable = BankUnreachableError("bank.example", "no answer", sent=True)
    asked = Asked(refusals={2: unreachable, 3: RuntimeError("x")}, days=[D5, D6])
    run(asked, rkud=1)

    assert [(D5, D5), (D5, D6), (D5, D6), (D5, D6), (D6, D6)] == [
        each[1:] for each in asked.calls[:5]
    ]


def test_accounts_are_pulled_in_their_own_time() -> None:
    """Each at once, then the one with fewer minutes more often."""
    asked = Asked(until=8)
    run(asked, often=1, seldom=50)
    accounts = [each[0] for each in asked.calls[:8]]

    assert {"often", "seldom"} == set(accounts[:2])
    assert 1 == accounts.count("seldom")
