"""
The lines of `books/balances.jsonl` as the leaves say they should be, in the system's order. Pure.

The order is no part of what is verified: what stands elsewhere is looked up by its key.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from audit.canonical import canonical
from audit.replay_sums import Sums, amount_text

__all__ = ["Balances", "BudgetDays", "Days", "Expected", "Key", "balances_of"]

Key = tuple[Any, ...]


class Expected(ABC):
    """
    The claims of one kind that the leaves give, a block of lines at a time.

    `block` holds the `lines` lines due next, with their LF; it is empty when no more are due.
    """

    def __init__(self, blocks: Iterator[tuple[int, str, Any]]) -> None:
        """*blocks* in order of key: lines, text, and whatever tells keys and amounts of its lines."""
        self.count = 0
        self._blocks = blocks
        self._passed: dict[Key, tuple[int, ...]] = {}
        self.lines = 0
        self.block = b""
        self._about: Any = None
        self._at = 0  # lines of the block that were passed one by one
        self.step()

    @abstractmethod
    def _claim(self, about: Any, at: int) -> tuple[Key, tuple[int, ...]]:
        """Key and amounts of a line of a block."""

    def step(self) -> None:
        """The block that was due is there: the next one is due."""
        self.lines, text, self._about = next(self._blocks, (0, "", None))
        self.block = text.encode()
        self.count += self.lines
        self._at = 0

    def take(self, key: Key, amounts: int) -> tuple[int, ...]:
        """The amounts that the leaves give for *key*, once; zeros when they give none (any more)."""
        if key in self._passed:
            return self._passed.pop(key)
        while self.block:
            mine, sums = self._claim(self._about, self._at)
            if mine > key:
                break
            self._pass_line()
            if mine == key:
                return sums
            self._passed[mine] = sums
        return (0,) * amounts

    def is_whole(self) -> bool:
        """Whether no line of the block was passed."""
        return self._at == 0

    def rest(self) -> Iterator[tuple[Key, tuple[int, ...]]]:
        """What nobody took."""
        yield from self._passed.items()
        while self.block:
            yield self._claim(self._about, self._at)
            self._pass_line()

    def _pass_line(self) -> None:
        self._at += 1
        if self._at == self.lines:
            self.step()


class Days(Expected):
    """Debits and credits of each row on each day."""

    def __init__(self, sums: Sums) -> None:
        self._keys, self._days = sums.keys, sums.days
        super().__init__(_day_lines(sums))

    def _claim(self, about: tuple[int, list[int]], at: int) -> tuple[Key, tuple[int, ...]]:
        row, (n, debit, credit) = about[0], about[1][3 * at : 3 * at + 3]
        day = self._days[n]
        return (*self._keys[row], day.year, day.period, day.date), (debit, credit)


class BudgetDays(Expected):
    """What was spent of each budget line by each kind of payment on each date."""

    def __init__(self, sums: Sums) -> None:
        super().__init__(_budget_lines(sums))

    def _claim(self, about: list[tuple[Key, int]], at: int) -> tuple[Key, tuple[int, ...]]:
        key, sen = about[at]
        return key, (sen,)


class Balances(Expected):
    """Balances, as lines without anything set aside and without a floor below zero."""

    def __init__(self, balances: Mapping[Key, int]) -> None:
        super().__init__(_balance_lines(balances))

    def _claim(self, about: list[tuple[Key, int]], at: int) -> tuple[Key, tuple[int, ...]]:
        key, sen = about[at]
        return key, (sen,)


def balances_of(sums: Sums, years: Mapping[int, str]) -> dict[Key, int]:
    """
    Balances by chart version, entity, book, account, bank account, counterpart and fund source.

    Cash stands per bank account, whatever else a line names.
    """
    by_row: dict[str, dict[int, int]] = {}
    for day in sums.days:
        rests = by_row.setdefault(years.get(day.year, ""), {})
        for row, sen in day.debits.items():
            rests[row] = rests.get(row, 0) + sen
        for row, sen in day.credits.items():
            rests[row] = rests.get(row, 0) - sen
    balances: dict[Key, int] = {}
    for version, rests in by_row.items():
        for row, sen in rests.items():
            entity, book, account, bank, counterpart, fund = sums.keys[row]
            key: Key = (version, entity, book, account, "", counterpart, fund)
            if bank:
                key = (version, entity, "FIN", account, bank, "", "")
            balances[key] = balances.get(key, 0) + sen
    return balances


def _day_lines(sums: Sums) -> Iterator[tuple[int, str, tuple[int, list[int]]]]:
    """A block a row."""
    dates = [f'","day":{_quoted(day.date)},"debit":"' for day in sums.days]
    periods = [(day.year, day.period) for day in sums.days]
    moved = sums.by_row()
    for row in sums.in_order():
        entity, book, account, bank, counterpart, fund = map(_quoted, sums.keys[row])
        head = (
            f'{{"account":{account},"bank_account":{bank},"book":{book},"counterpart":{counterpart},'
            '"credit":"'
        )
        lines, sides, of_period, tail = [], moved[row], (0, 0), ""
        for n, debit, credit in zip(*[iter(sides)] * 3, strict=True):
            if periods[n] != of_period:
                of_period = periods[n]
                tail = (
                    f'","entity":{entity},"fiscal_year":{of_period[0]},"fund_source":{fund},'
                    f'"period":{of_period[1]},"t":"day"}}\n'
                )
            received = f"{debit // 100}.{debit % 100:02d}" if debit else "0.00"
            given = f"{credit // 100}.{credit % 100:02d}" if credit else "0.00"
            lines.append(f"{head}{given}{dates[n]}{received}{tail}")
        moved[row] = []
        if lines:
            yield len(lines), "".join(lines), (row, sides)


def _budget_lines(sums: Sums) -> Iterator[tuple[int, str, list[tuple[Key, int]]]]:
    """A block a budget line and kind of payment."""
    for (line, kind), days in sorted(sums.spent.items()):
        head, middle = (
            f'{{"budget_line":{_quoted(line)},"day":',
            f',"kind":{_quoted(kind)},"spent":"',
        )
        claims: list[tuple[Key, int]] = [((line, kind, day), days[day]) for day in sorted(days)]
        lines = [
            f'{head}{_quoted(day)}{middle}{amount_text(sen)}","t":"budget_day"}}\n'
            for (_, _, day), sen in claims
        ]
        yield len(lines), "".join(lines), claims


def _balance_lines(
    balances: Mapping[Key, int],
) -> Iterator[tuple[int, str, list[tuple[Key, int]]]]:
    """A block a balance: cash differs from its line by what is set aside."""
    for key in sorted(balances):
        version, entity, book, account, bank, counterpart, fund = map(_quoted, key)
        text = (
            f'{{"account":{account},"balance":"{amount_text(balances[key])}","bank_account":{bank},'
            f'"book":{book},"chart_version":{version},"committed":"0.00","counterpart":{counterpart},'
            f'"entity":{entity},"floor":"0.00","fund_source":{fund},"t":"balance"}}\n'
        )
        yield 1, text, [(key, balances[key])]


def _quoted(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return canonical(text).decode()
