"""
The sums of the books as the leaves give them: debits and credits of each account on each day.

Pure. Most of what a replay does happens here, once a line, so what a line says apart from its amount
is looked up as bytes and worked out only once (`Kind`); what is kept for a sum is one number. A log of
a million journals on ten thousand accounts has two million sums of days.
"""

from __future__ import annotations

from collections import defaultdict
from hashlib import sha256
from typing import NamedTuple

from audit.canonical import canonical

__all__ = ["Day", "Kind", "RowKey", "Special", "Sums", "amount_text"]

#: entity, book, account, bank account, counterpart, fund source
RowKey = tuple[str, str, str, str, str, str]


class Special(NamedTuple):
    """What has to be looked at for every line of a kind, not only for the first."""

    skpd: str  # mirrored between RK SKPD and RK PPKD
    budget_line: str
    problems: tuple[str, ...]  # what is wrong with each line of this kind on any day
    valid_from: str  # of the account, where that is not the whole year
    valid_to: str


#: Lines that differ in amount only: the row they are summed in, the group that must balance, and
#: what is special about them. A plain tuple: it is taken apart once a line.
Kind = tuple[int, int, Special | None]


class Day:
    """A date in a period of a fiscal year: its sums by row, and the kinds of lines of that year."""

    __slots__ = (
        "credits",
        "date",
        "debits",
        "kinds",
        "number",
        "period",
        "plain",
        "sealed",
        "year",
    )

    def __init__(self, number: int, year: int, period: int, date: str) -> None:
        self.number = number
        self.year = year
        self.period = period
        self.date = date
        self.sealed = False
        self.kinds: dict[bytes, Kind] = {}
        #: Group -> kinds of lines with nothing special -> row
        self.plain: dict[int, dict[bytes, int]] = {}
        # Row -> sen. By day first: journals mostly come in order of date, and the rows of one day
        # stay in the processor's cache.
        self.debits: defaultdict[int, int] = defaultdict(int)
        self.credits: defaultdict[int, int] = defaultdict(int)


class Sums:
    """Every sum so far."""

    def __init__(self) -> None:
        self.days: list[Day] = []
        self.groups: list[str] = []
        #: What each row stands for.
        self.keys: list[RowKey] = []
        #: (budget line, kind of payment) -> date -> spent
        self.spent: dict[tuple[str, str], dict[str, int]] = {}
        self._rows: dict[RowKey, int] = {}
        self._kinds: dict[int, tuple[dict[bytes, Kind], dict[int, dict[bytes, int]]]] = {}
        self._group_of: dict[tuple[str, str], int] = {}

    # --- while the leaves pass by -----------------------------------------------------------------

    def new_day(self, year: int, period: int, date: str) -> Day:
        """A day that no journal stood on before."""
        day = Day(len(self.days), year, period, date)
        day.kinds, day.plain = self._kinds.setdefault(year, ({}, {}))
        self.days.append(day)
        return day

    def new_kind(self, day: Day, key: bytes, fields: list[str], special: Special | None) -> Kind:
        """The kind of lines with these eight texts, remembered for the year under its bytes."""
        entity, book, account, bank, counterpart, fund, _, _ = fields
        stands_for = (entity, book, account, bank, counterpart, fund)
        row = self._rows.get(stands_for)
        if row is None:
            row = self._rows[stands_for] = len(self.keys)
            self.keys.append(stands_for)
        group = self._group_of.get((entity, book))
        if group is None:
            group = self._group_of[entity, book] = len(self.groups)
            self.groups.append(f"{entity} {book}")
        kind = day.kinds[key] = row, group, special
        if special is None:
            day.plain.setdefault(group, {})[key] = row
        return kind

    def forget_kinds(self) -> None:
        """Settings changed: what is right in a line has to be worked out again. Sums stay."""
        for kinds, plain in self._kinds.values():
            kinds.clear()
            plain.clear()

    def seal(self, year: int, period: int) -> None:
        """No journal may stand on these days any more."""
        for day in self.days:
            if (day.year, day.period) == (year, period):
                day.sealed = True

    def spend(self, budget_line: str, kind: str, date: str, sen: int) -> None:
        """A line of the budget's book."""
        days = self.spent.setdefault((budget_line, kind), {})
        days[date] = days.get(date, 0) + sen

    # --- what they came to ------------------------------------------------------------------------

    def in_order(self) -> list[int]:
        """The rows in order of key."""
        return sorted(range(len(self.keys)), key=self.keys.__getitem__)

    def by_row(self) -> list[list[int]]:
        """For each row: number of the day, debits, credits of each day on which something moved."""
        found: list[list[int]] = [[] for _ in self.keys]
        for day in sorted(self.days, key=lambda day: (day.year, day.period, day.date)):
            number, debits, credits_ = day.number, day.debits, day.credits
            for row, debit in debits.items():
                found[row] += number, debit, credits_.get(row, 0)
            for row in credits_.keys() - debits.keys():
                found[row] += number, 0, credits_[row]
        return found

    def of_period(self, year: int, period: int) -> tuple[int, str, int, int]:
        """
        What a seal of the period says: rows, their digest, debits and credits in sen.

        The digest is SHA-256 over one canonical JSON array a row and LF, in order of key: entity,
        book, account, bank account, counterpart, fund source, debit, credit.
        """
        debits: dict[int, int] = {}
        credits_: dict[int, int] = {}
        for day in self.days:
            if (day.year, day.period) == (year, period):
                for sums, side in ((debits, day.debits), (credits_, day.credits)):
                    for row, sen in side.items():
                        sums[row] = sums.get(row, 0) + sen
        digest = sha256()
        rows = sorted(debits.keys() | credits_.keys(), key=self.keys.__getitem__)
        for row in rows:
            amounts = amount_text(debits.get(row, 0)), amount_text(credits_.get(row, 0))
            digest.update(canonical([*self.keys[row], *amounts]) + b"\n")
        return len(rows), digest.hexdigest(), sum(debits.values()), sum(credits_.values())


def amount_text(sen: int) -> str:
    """Sen as rupiah with two decimals: -5 is `-0.05`."""
    if sen < 0:
        return "-" + amount_text(-sen)
    return f"{sen // 100}.{sen % 100:02d}"
