"""
Limits and hours of the rails as dated data: `rails.toml`, and an operator's file of the same form.

Pure. `windows_on` and `limits_on` answer for one rail on one day; `routing` asks them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Final, cast

from bank_adapters.payments.errors import InvalidPaymentSettingsError
from bank_adapters.payments.order import RAILS, Rail
from bank_adapters.payments.toml_table import Table, read_toml
from ledger.money import InvalidAmountError, Money

__all__ = ["NamedDay", "RailEntry", "RailTable", "Window", "parse_rail_table", "rail_table"]

_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW: Final = re.compile(
    r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)"
)
_DAY_MINUTES: Final = 24 * 60
_RAIL_KEYS: Final = frozenset(
    {"rail", "valid_from", "amount_min", "amount_max", "days", "windows", "source"}
)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Minutes from midnight, WIB: `opens` belongs to it, `closes` (at most 1440) does not."""

    opens: int
    closes: int


@dataclass(frozen=True, slots=True)
class RailEntry:
    """What holds for one rail from `valid_from` on.

    amount_max: None for no limit. weekdays: 0 is Monday; working_days_only narrows them by the
    calendar. source: where the figures come from.
    """

    rail: Rail
    valid_from: date
    amount_min: Money
    amount_max: Money | None
    weekdays: frozenset[int]
    working_days_only: bool
    windows: tuple[Window, ...]
    source: str


@dataclass(frozen=True, slots=True)
class NamedDay:
    """Windows of one rail on one date, whatever its weekday; none where it is closed."""

    rail: Rail
    on: date
    windows: tuple[Window, ...]
    source: str


@dataclass(frozen=True, slots=True)
class RailTable:
    """All entries. `order` is the order in which rails are tried."""

    order: tuple[Rail, ...]
    entries: tuple[RailEntry, ...]
    named_days: tuple[NamedDay, ...]

    def entry_on(self, rail: Rail, day: date) -> RailEntry | None:
        """What holds for *rail* on *day*, or None before its first entry."""
        held = [each for each in self.entries if each.rail == rail and each.valid_from <= day]
        return max(held, key=lambda each: each.valid_from, default=None)

    def windows_on(
        self, rail: Rail, day: date, is_working_day: Callable[[date], bool]
    ) -> tuple[Window, ...]:
        """The hours of *rail* on *day*; the calendar is asked only where the rail follows it."""
        entry = self.entry_on(rail, day)
        if entry is None:
            return ()
        for named in self.named_days:
            if (named.rail, named.on) == (rail, day):
                return named.windows
        if day.weekday() not in entry.weekdays:
            return ()
        if entry.working_days_only and not is_working_day(day):
            return ()
        return entry.windows

    def overridden_by(self, other: RailTable) -> RailTable:
        """This table with the operator's: rails and named days that *other* has are *other*'s."""
        rails = {each.rail for each in other.entries}
        named = {(each.rail, each.on) for each in other.named_days}
        return RailTable(
            other.order or self.order,
            (*(each for each in self.entries if each.rail not in rails), *other.entries),
            (
                *(each for each in self.named_days if (each.rail, each.on) not in named),
                *other.named_days,
            ),
        )


def parse_rail_table(text: str) -> RailTable:
    """A table from TOML. Raises InvalidPaymentSettingsError with the field and its rule."""
    top = read_toml(
        text, lambda field, rule: InvalidPaymentSettingsError("rail table", field, rule)
    )
    top.only(frozenset({"order", "rail", "named_day"}))
    order = top.texts("order")
    for each in order:
        if each not in RAILS:
            raise top.refuse("order", f"{each!r} is not one of {', '.join(RAILS)}")
    _unique(top, "order", order)
    entries = tuple(_entry(each) for each in top.tables("rail"))
    named_days = tuple(_named_day(each) for each in top.tables("named_day"))
    _unique(top, "rail", [f"{each.rail} from {each.valid_from}" for each in entries])
    _unique(top, "named_day", [f"{each.rail} on {each.on}" for each in named_days])
    return RailTable(cast("tuple[Rail, ...]", order), entries, named_days)


def _unique(top: Table, key: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise top.refuse(key, f"{name} stands twice")
        seen.add(name)


def _entry(table: Table) -> RailEntry:
    table.only(_RAIL_KEYS)
    least = _amount(table, "amount_min")
    most = _amount(table, "amount_max") if table.has("amount_max") else None
    if most is not None and most < least:
        raise table.refuse("amount_max", f"{most} is below amount_min {least}")
    weekdays, working_days_only = _days(table)
    windows = _windows(table)
    if not windows:
        raise table.refuse("windows", "must have at least one window; a named day can close a rail")
    return RailEntry(
        rail=cast("Rail", table.one_of("rail", RAILS)),
        valid_from=table.day("valid_from"),
        amount_min=least,
        amount_max=most,
        weekdays=weekdays,
        working_days_only=working_days_only,
        windows=windows,
        source=table.text("source"),
    )


def _named_day(table: Table) -> NamedDay:
    table.only(frozenset({"rail", "date", "windows", "source"}))
    if not table.has("windows"):
        raise table.refuse("windows", "is missing; an empty list closes the rail that day")
    return NamedDay(
        cast("Rail", table.one_of("rail", RAILS)),
        table.day("date"),
        _windows(table),
        table.text("source"),
    )


def _amount(table: Table, key: str) -> Money:
    try:
        amount = Money.parse(table.text(key))
    except InvalidAmountError as error:
        raise table.refuse(key, str(error)) from None
    if amount.sen < 1:
        raise table.refuse(key, f"{amount} is not above zero")
    return amount


def _days(table: Table) -> tuple[frozenset[int], bool]:
    """Weekdays, and whether the calendar narrows them."""
    for word in ("every", "working"):
        if table.is_text("days", word):
            return frozenset(range(7)), word == "working"
    names = table.texts("days")
    if not names or not set(names) <= set(_WEEKDAYS):
        raise table.refuse("days", f"must be every, working or a list of {', '.join(_WEEKDAYS)}")
    return frozenset(map(_WEEKDAYS.index, names)), False


def _windows(table: Table) -> tuple[Window, ...]:
    windows = tuple(_window(table, text) for text in table.texts("windows"))
    for earlier, later in pairwise(windows):
        if later.opens < earlier.closes:
            raise table.refuse("windows", "must follow each other without overlap")
    return windows


def _window(table: Table, text: str) -> Window:
    matched = _WINDOW.fullmatch(text)
    if matched is None:
        raise table.refuse("windows", f"{text!r} is not HH:MM-HH:MM (the day ends at 24:00)")
    hour, minute, to_hour, to_minute = matched.groups()
    opens = int(hour) * 60 + int(minute)
    closes = _DAY_MINUTES if to_hour is None else int(to_hour) * 60 + int(to_minute)
    if closes <= opens:
        raise table.refuse("windows", f"{text!r} closes before it opens")
    return Window(opens, closes)


@cache
def rail_table() -> RailTable:
    """The table that ships."""
    return parse_rail_table(
        resources.files("bank_adapters.payments").joinpath("rails.toml").read_text("utf-8")
    )
