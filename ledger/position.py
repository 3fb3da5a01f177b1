"""
Where the books stand while a batch is decided: cash, budget lines and released funds.

Pure. The shell loads what a batch touches; every act is applied in order, refused or accepted by
itself, and what was accepted is kept as net changes to be written once. An intermediate state is
held to the rules as strictly as the last one: a payment that only a later receipt would cover is
refused (D5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from ledger.errors import (
    InvalidFieldError,
    OverCashError,
    OverCeilingError,
    OverReleaseError,
    UnknownBudgetLineError,
)
from ledger.journals import Draft
from ledger.money import sen_text

__all__ = ["BalanceKey", "Bucket", "BudgetLine", "Cash", "DayKey", "Position"]

K = TypeVar("K")

#: chart version, entity, book, account, bank account, counterpart, fund source
BalanceKey = tuple[str, str, str, str, str, str, str]
#: entity, book, account, bank account, counterpart, fund source, fiscal year, period, day
DayKey = tuple[str, str, str, str, str, str, int, int, str]


@dataclass(slots=True)
class Cash:
    """One RKUD bank account: balance, what is signed but not yet journalled, and its floor."""

    balance: int = 0
    committed: int = 0
    floor: int = 0
    stored: bool = False
    moved_balance: int = 0
    moved_committed: int = 0
    moved_floor: int = 0

    def available(self) -> int:
        """What an order may still take."""
        return self.balance - self.committed - self.floor


@dataclass(slots=True)
class Bucket:
    """Released funds (SPD) that one or more budget lines draw on."""

    id: str
    released: int
    reserved: int
    spent: int
    allowance: int
    moved_reserved: int = 0
    moved_spent: int = 0
    moved_allowance: int = 0

    def room(self) -> int:
        """What may still be reserved."""
        return self.released + self.allowance - self.reserved - self.spent


@dataclass(slots=True)
class BudgetLine:
    """A line of the budget (DPA) with its counters."""

    id: str
    fiscal_year: int
    skpd: str
    account: str
    fund_source: str
    bucket: Bucket
    ceiling: int
    reserved: int
    spent: int
    allowance: int
    moved_reserved: int = 0
    moved_spent: int = 0
    moved_allowance: int = 0

    def room(self) -> int:
        """What may still be reserved."""
        return self.ceiling + self.allowance - self.reserved - self.spent


@dataclass(slots=True)
class Position:
    """
    Balances and counters that this batch touches.

    `load_cash` and `load_lines` are the shell's: called once for keys that were not loaded ahead.
    """

    load_cash: Callable[[Iterable[BalanceKey]], None]
    load_lines: Callable[[Iterable[str]], None]
    cash: dict[BalanceKey, Cash] = field(default_factory=dict)
    lines: dict[str, BudgetLine | None] = field(default_factory=dict)
    buckets: dict[str, Bucket] = field(default_factory=dict)
    balances: dict[BalanceKey, int] = field(default_factory=dict)
    days: dict[DayKey, list[int]] = field(default_factory=dict)
    budget_days: dict[tuple[str, str, str], int] = field(default_factory=dict)
    _undo: list[Callable[[], None]] | None = None

    # --- taking back -------------------------------------------------------------------------

    def begin(self) -> tuple[bool, int]:
        """From here on remember how to take changes back. May nest."""
        outermost = self._undo is None
        if self._undo is None:
            self._undo = []
        return outermost, len(self._undo)

    def end(self, mark: tuple[bool, int], *, keep: bool) -> None:
        """Keep the changes since *mark*, or take them back in reverse order."""
        outermost, start = mark
        undo = self._undo or []
        if not keep:
            while len(undo) > start:
                undo.pop()()
        if outermost:
            self._undo = None

    def remember(self, undo: Callable[[], None]) -> None:
        """How to take back a change that was made outside this class."""
        if self._undo is not None:
            self._undo.append(undo)

    # --- reading -----------------------------------------------------------------------------

    def budget_line(self, line_id: str, fiscal_year: int) -> BudgetLine:
        """Raises UnknownBudgetLineError."""
        if line_id not in self.lines:
            self.load_lines([line_id])
        line = self.lines.get(line_id)
        if line is None or line.fiscal_year != fiscal_year:
            raise UnknownBudgetLineError(budget_line=line_id[:80], fiscal_year=fiscal_year)
        return line

    def cash_of(self, key: BalanceKey) -> Cash:
        """The cash row; a bank account that never moved stands at zero."""
        if key not in self.cash:
            self.load_cash([key])
        return self.cash[key]

    # --- deciding and applying -----------------------------------------------------------------

    def post(
        self,
        draft: Draft,
        chart_version: str,
        *,
        budget_kind: str = "",
        releases: dict[str, int] | None = None,
        uncommits: int = 0,
    ) -> None:
        """
        Apply a checked journal, or refuse it and change nothing.

        *releases* are reservations (sen by budget line) that this journal turns into spending, and
        *uncommits* is the commitment on its cash that it turns into a payment; both are counted
        before the rules are. A fact (D8) is never refused: it widens floor and allowances instead.

        Raises:
            UnknownBudgetLineError, OverCeilingError, OverReleaseError, OverCashError
        """
        cash_moves: dict[BalanceKey, int] = {}
        spending: dict[str, int] = {}
        for line in draft.lines:
            if line.bank_account:
                key = _cash_key(chart_version, line.entity, line.account, line.bank_account)
                cash_moves[key] = cash_moves.get(key, 0) + line.amount_sen
            if line.budget_line:
                self._check_budget_line(draft, line.budget_line, line.entity, line.account)
                spending[line.budget_line] = spending.get(line.budget_line, 0) + line.amount_sen
        released = releases or {}
        self._check_budget(draft, spending, released)
        for key, moved in cash_moves.items():
            cash = self.cash_of(key)
            if moved < 0 and not draft.is_fact and cash.available() + uncommits + moved < 0:
                raise OverCashError(
                    bank_account=key[4],
                    available=sen_text(max(cash.available() + uncommits, 0)),
                    asked=sen_text(-moved),
                )
        # Nothing below refuses.
        for key, moved in cash_moves.items():
            self._move_cash(key, moved, -uncommits, fact=draft.is_fact)
        for line_id in {**spending, **released}:
            self._move_line(
                line_id,
                reserved=-released.get(line_id, 0),
                spent=spending.get(line_id, 0),
                fact=draft.is_fact,
            )
        self._count(draft, chart_version, budget_kind)

    def reserve(self, fiscal_year: int, amounts: dict[str, int]) -> None:
        """
        Reserve room on budget lines (SPM accepted); negative amounts free it again.

        Raises:
            UnknownBudgetLineError, OverCeilingError, OverReleaseError
        """
        in_buckets: dict[str, int] = {}
        for line_id, asked in amounts.items():
            line = self.budget_line(line_id, fiscal_year)
            _check_room(line, asked, in_buckets)
        for line_id, asked in amounts.items():
            self._move_line(line_id, reserved=asked, spent=0, fact=False)

    def commit_cash(self, key: BalanceKey, amount: int) -> None:
        """Set cash aside for a signed order (on_cair); negative frees it. Raises OverCashError."""
        cash = self.cash_of(key)
        if amount > cash.available():
            raise OverCashError(
                bank_account=key[4],
                available=sen_text(max(cash.available(), 0)),
                asked=sen_text(amount),
            )
        self._move_cash(key, 0, amount, fact=False)

    def _check_budget_line(self, draft: Draft, line_id: str, entity: str, account: str) -> None:
        known = self.budget_line(line_id, draft.fiscal_year)
        if known.account != account:
            raise InvalidFieldError(
                "budget_line", f"{line_id} is a line of account {known.account}", account
            )
        if known.skpd != entity:
            raise InvalidFieldError("budget_line", f"{line_id} belongs to {known.skpd}", entity)

    def _check_budget(
        self, draft: Draft, spending: dict[str, int], released: dict[str, int]
    ) -> None:
        if draft.is_fact:
            return
        in_buckets: dict[str, int] = {}
        for line_id, spent in spending.items():
            line = self.budget_line(line_id, draft.fiscal_year)
            _check_room(line, spent - released.get(line_id, 0), in_buckets)

    def _move_cash(self, key: BalanceKey, moved: int, committed: int, *, fact: bool) -> None:
        cash = self.cash_of(key)
        widened = min(cash.available() + moved - committed, 0) if fact else 0
        cash.balance += moved
        cash.committed += committed
        cash.floor += widened
        cash.moved_balance += moved
        cash.moved_committed += committed
        cash.moved_floor += widened
        if self._undo is not None:

            def undo() -> None:
                cash.balance -= moved
                cash.committed -= committed
                cash.floor -= widened
                cash.moved_balance -= moved
                cash.moved_committed -= committed
                cash.moved_floor -= widened

            self._undo.append(undo)

    def _move_line(self, line_id: str, *, reserved: int, spent: int, fact: bool) -> None:
        line = self.lines[line_id]
        if line is None:
            raise RuntimeError(f"budget line {line_id} was not checked")
        for counter in (line, line.bucket):
            widened = max(reserved + spent - counter.room(), 0) if fact else 0
            counter.reserved += reserved
            counter.spent += spent
            counter.allowance += widened
            counter.moved_reserved += reserved
            counter.moved_spent += spent
            counter.moved_allowance += widened
            if self._undo is not None:
                self._undo.append(_undo_counter(counter, reserved, spent, widened))

    def _count(self, draft: Draft, chart_version: str, budget_kind: str) -> None:
        year, period, day = draft.fiscal_year, draft.period, draft.effective_on
        undo = self._undo
        balances, days = self.balances, self.days
        for line in draft.lines:
            entity, book, account, sen, bank, counterpart, fund_source, budget_line, _ = line
            if not bank:
                key = (chart_version, entity, book, account, "", counterpart, fund_source)
                balances[key] = balances.get(key, 0) + sen
                if undo is not None:
                    undo.append(_undo_sum(balances, key, sen))
            day_key = (entity, book, account, bank, counterpart, fund_source, year, period, day)
            sums = days.get(day_key)
            if sums is None:
                sums = days[day_key] = [0, 0]
            debit, credit = (sen, 0) if sen > 0 else (0, -sen)
            sums[0] += debit
            sums[1] += credit
            if undo is not None:
                undo.append(_undo_day(sums, debit, credit))
            if budget_line:
                kind = budget_kind or draft.kind
                spent_key = (budget_line, kind, day)
                self.budget_days[spent_key] = self.budget_days.get(spent_key, 0) + sen
                if undo is not None:
                    undo.append(_undo_sum(self.budget_days, spent_key, sen))


def _cash_key(chart_version: str, entity: str, account: str, bank_account: str) -> BalanceKey:
    """Cash is held to its floor per bank account, whatever fund source a line names."""
    return (chart_version, entity, "FIN", account, bank_account, "", "")


def _check_room(line: BudgetLine, asked: int, in_buckets: dict[str, int]) -> None:
    if asked > line.room() and asked > 0:
        raise OverCeilingError(
            budget_line=line.id, remaining=sen_text(max(line.room(), 0)), asked=sen_text(asked)
        )
    total = in_buckets.get(line.bucket.id, 0) + asked
    if total > line.bucket.room() and asked > 0:
        raise OverReleaseError(
            budget_line=line.id,
            bucket=line.bucket.id,
            remaining=sen_text(max(line.bucket.room(), 0)),
            asked=sen_text(total),
        )
    in_buckets[line.bucket.id] = total


def _undo_counter(
    counter: BudgetLine | Bucket, reserved: int, spent: int, widened: int
) -> Callable[[], None]:
    def undo() -> None:
        counter.reserved -= reserved
        counter.spent -= spent
        counter.allowance -= widened
        counter.moved_reserved -= reserved
        counter.moved_spent -= spent
        counter.moved_allowance -= widened

    return undo


def _undo_sum(sums: dict[K, int], key: K, sen: int) -> Callable[[], None]:
    def undo() -> None:
        sums[key] -= sen

    return undo


def _undo_day(sums: list[int], debit: int, credit: int) -> Callable[[], None]:
    def undo() -> None:
        sums[0] -= debit
        sums[1] -= credit

    return undo
