"""
Re-derive every limit that was widened: cash floors, and the allowances of budget lines and releases (D8).

A limit is what the last `allowance.set` said, widened since by what the bank did on its own: a fact is
never refused, it moves the limit by what is missing. So the counters are followed through the log in
its order: loads of the budget, reservations and commitments of documents, and every journal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, select, text

from ledger import tables as t
from ledger.findings import Finding
from ledger.money import parse_sen
from ledger.rederive import Leaf, read_leaves

__all__ = ["Effect", "check_allowances"]

_STREAM: Final = {"yield_per": 2_000}


class Effect(NamedTuple):
    """
    What a document's or payment's leaf sets aside, in sen: on a budget line, or on a bank account in
    the chart of a fiscal year. With a *journal* it is part of that journal.
    """

    leaf: int
    journal: int | None
    line: str
    bank_account: str
    fiscal_year: int
    sen: int


#: chart version, bank account
_Cash = tuple[str, str]


@dataclass(slots=True)
class _Counter:
    """A limit, what is taken of it, and how far it is widened: of cash, a line or a release."""

    limit: int = 0
    taken: int = 0
    allowance: int = 0

    def take(self, sen: int, *, fact: bool) -> None:
        """A fact that finds no room widens the limit."""
        if fact:
            room = self.limit + self.allowance - self.taken
            self.allowance += max(sen - room, 0)
        self.taken += sen


@dataclass(slots=True)
class _Limits:
    """Every limit as the log leaves it."""

    years: Mapping[int, str]
    cash: defaultdict[_Cash, _Counter] = field(default_factory=lambda: defaultdict(_Counter))
    lines: defaultdict[str, _Counter] = field(default_factory=lambda: defaultdict(_Counter))
    buckets: defaultdict[str, _Counter] = field(default_factory=lambda: defaultdict(_Counter))
    bucket_of: dict[str, str] = field(default_factory=dict)

    def move_line(self, line: str, sen: int, *, fact: bool = False) -> None:
        """Take room of a line and of the release it draws on."""
        self.lines[line].take(sen, fact=fact)
        bucket = self.bucket_of.get(line)
        if bucket is not None:
            self.buckets[bucket].take(sen, fact=fact)

    def apply(self, effect: Effect) -> None:
        """A reservation or commitment without a journal."""
        if effect.line:
            self.move_line(effect.line, effect.sen)
        else:
            self.cash[self.cash_key(effect)].take(effect.sen, fact=False)

    def cash_key(self, effect: Effect) -> _Cash:
        """The cash that a commitment is on."""
        return self.years.get(effect.fiscal_year, ""), effect.bank_account


def check_allowances(
    conn: Connection, government: str, effects: Iterable[Effect]
) -> Iterator[Finding]:
    """Floors and allowances against the log. *effects* come from the replay of the documents."""
    limits = _Limits(_years(conn, government))
    with_journal: dict[int, list[Effect]] = defaultdict(list)
    waiting: list[tuple[int, Effect | Leaf]] = []
    for effect in effects:
        if effect.journal is None:
            waiting.append((effect.leaf, effect))
        else:
            with_journal[effect.journal].append(effect)
    for leaf in read_leaves(conn, government, ("allowance.set", "budget.loaded")):
        if isinstance(leaf, Finding):
            yield leaf
        else:
            waiting.append((leaf.index, leaf))
    waiting.sort(key=lambda item: item[0], reverse=True)
    for journal in _journals(conn, government):
        while waiting and waiting[-1][0] < journal[0].leaf_index:
            _apply(conn, government, limits, waiting.pop()[1])
        _post(limits, journal, with_journal.pop(journal[0].journal_id, []))
    while waiting:
        _apply(conn, government, limits, waiting.pop()[1])
    yield from _compare(conn, government, limits)


def _years(conn: Connection, government: str) -> dict[int, str]:
    y = t.fiscal_year.c
    rows = conn.execute(select(y.year, y.chart_version).where(y.government == government))
    return {row.year: row.chart_version for row in rows}


_MONEY: Final = """
SELECT j.leaf_index, l.journal_id, j.source, l.fiscal_year, l.bank_account, l.budget_line, l.amount_sen
FROM journal_line l JOIN journal j ON j.government = l.government AND j.id = l.journal_id
WHERE l.government = :government AND (l.bank_account <> '' OR l.budget_line <> '')
ORDER BY l.journal_id, l.n"""


def _journals(conn: Connection, government: str) -> Iterator[list[Any]]:
    """The lines of each journal that move cash or a budget line, in order of the log."""
    rows = conn.execute(text(_MONEY), {"government": government}, execution_options=_STREAM)
    for _, lines in groupby(rows, key=attrgetter("journal_id")):
        yield list(lines)


def _post(limits: _Limits, lines: list[Any], effects: list[Effect]) -> None:
    """Apply a journal as posting did: what it turns into spending counts before the limits do."""
    fact = lines[0].source == "bank"
    cash: dict[_Cash, int] = {}
    spending: dict[str, int] = {}
    for line in lines:
        if line.bank_account:
            key = (limits.years.get(line.fiscal_year, ""), line.bank_account)
            cash[key] = cash.get(key, 0) - line.amount_sen
        if line.budget_line:
            spending[line.budget_line] = spending.get(line.budget_line, 0) + line.amount_sen
    for effect in effects:
        if effect.line:
            spending[effect.line] = spending.get(effect.line, 0) + effect.sen
        else:
            key = limits.cash_key(effect)
            cash[key] = cash.get(key, 0) + effect.sen
    for key, sen in cash.items():
        limits.cash[key].take(sen, fact=fact)
    for name, sen in spending.items():
        limits.move_line(name, sen, fact=fact)


def _apply(conn: Connection, government: str, limits: _Limits, what: Effect | Leaf) -> None:
    if isinstance(what, Effect):
        limits.apply(what)
    elif what.kind == "budget.loaded":
        _load(conn, government, limits, what)
    else:
        data = what.data
        sen, target = parse_sen(data["amount"]), data["target"]
        if target == "cash":
            limits.cash[data["chart_version"], data["id"]].allowance = sen
        else:
            of = limits.lines if target == "budget_line" else limits.buckets
            of[data["id"]].allowance = sen


def _load(conn: Connection, government: str, limits: _Limits, leaf: Leaf) -> None:
    """Ceilings and releases of a load; `budget_check` compares its entries with its leaf."""
    e = t.budget_load_entry.c
    for row in conn.execute(
        select(e.target, e.id, e.content, e.amount_sen)
        .where(e.government == government, e.load_n == leaf.data["load"])
        .order_by(e.target)
    ):
        if row.target == "line":
            limits.lines[row.id].limit = row.amount_sen
            try:
                limits.bucket_of[row.id] = str(msgspec.json.decode(row.content)["bucket"])
            except (msgspec.DecodeError, KeyError, TypeError):
                continue  # named by `budget_check`
        else:
            limits.buckets[row.id].limit = row.amount_sen


def _compare(conn: Connection, government: str, limits: _Limits) -> Iterator[Finding]:
    b = t.account_balance.c
    for row in conn.execute(
        select(
            *(b[name] for name in b.keys()[1:8]),
            b.floor_sen,
        )
        .where(b.government == government)
        .order_by(b.bank_account)
    ):
        known = limits.cash.get((row.chart_version, row.bank_account)) if row.bank_account else None
        due = -known.allowance if known is not None else 0
        if row.floor_sen != due:
            yield Finding(
                "floor_differs",
                f"the floor of {row.bank_account or row.account} is {row.floor_sen} sen, the log"
                f" leads to {due}",
                "account_balance",
                "/".join(row[:7]),
                "floor_sen",
            )
    for table, of in ((t.budget_line, limits.lines), (t.release_bucket, limits.buckets)):
        for name, have in conn.execute(
            select(table.c.id, table.c.allowance_sen)
            .where(table.c.government == government)
            .order_by(table.c.id)
        ):
            counter = of.get(name)
            want = counter.allowance if counter is not None else 0
            if have != want:
                yield Finding(
                    "allowance_differs",
                    f"{table.name} {name} carries an allowance of {have} sen, the log leads to"
                    f" {want}",
                    table.name,
                    name,
                    "allowance_sen",
                )
