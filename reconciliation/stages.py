"""
The stages of a run as SQL, the same text on both engines, over the working set.

A stage reads its keys in the order of the index: one pass, no join, linear in what is open. Groups
of one key and one amount come out with how many items stand on either side; one and one is a pair,
everything else with two sides is ambiguous, and none of its items is decided by this stage or a
later one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

__all__ = [
    "EXACT_STAGES",
    "MANUAL",
    "PREFIX",
    "REVERSAL",
    "RULE_VERSION",
    "Group",
    "Pair",
    "Stage",
    "exact_pairs",
    "prefix_pairs",
    "reversal_pairs",
    "same_amounts",
]

#: Changes with every change of what a stage decides.
RULE_VERSION: Final = "2"


class Stage(NamedTuple):
    """A range of keys, decided together."""

    name: str
    low: str
    high: str


EXACT_STAGES: Final = (
    Stage("exact_payment", "pay:", "pay;"),
    Stage("exact_document", "sp2d:", "sts;"),
    Stage("exact_reference", "ref:", "ref;"),
)
PREFIX: Final = "prefix_document"
REVERSAL: Final = "reversal"
MANUAL: Final = "manual"

# A key that may be cut off counts as whole only where no open entry of the amount has a longer one.
_GROUPS: Final = text(
    """
SELECT g.key, g.amount_sen, g.n_bank, g.n_book, g.line, g.entry,
  CASE WHEN g.cut = 1 THEN (SELECT count(*) FROM (SELECT 1 FROM open_key k
    WHERE k.government = :government AND k.bank_account = :bank_account AND k.key > g.key AND k.key < g.key || '~'
      AND k.amount_sen = g.amount_sen AND k.side = 'book' LIMIT 1) x) ELSE 0 END AS longer
FROM (SELECT key, amount_sen,
    sum(CASE WHEN side = 'bank' THEN 1 ELSE 0 END) AS n_bank,
    sum(CASE WHEN side = 'book' THEN 1 ELSE 0 END) AS n_book,
    max(CASE WHEN side = 'bank' THEN item END) AS line,
    max(CASE WHEN side = 'book' THEN item END) AS entry,
    max(cut) AS cut
  FROM open_key WHERE government = :government AND bank_account = :bank_account AND key >= :low AND key < :high
  GROUP BY key, amount_sen) g
WHERE g.n_bank > 0 AND g.n_book > 0
ORDER BY g.line, g.key
"""
)
_AMBIGUOUS: Final = text(
    """
SELECT DISTINCT side, item FROM (SELECT side, item,
    sum(CASE WHEN side = 'bank' THEN 1 ELSE 0 END) OVER (PARTITION BY key, amount_sen) AS n_bank,
    sum(CASE WHEN side = 'book' THEN 1 ELSE 0 END) OVER (PARTITION BY key, amount_sen) AS n_book
  FROM open_key WHERE government = :government AND bank_account = :bank_account AND key >= :low AND key < :high) g
WHERE n_bank > 0 AND n_book > 0 AND n_bank + n_book > 2
"""
)
_PREFIX: Final = text(
    """
SELECT DISTINCT l.item AS line, e.item AS entry, l.key, l.amount_sen
FROM (SELECT key, amount_sen, max(item) AS item FROM open_key
    WHERE government = :government AND bank_account = :bank_account AND key >= 'sp2d:' AND key < 'sp2d;'
      AND side = 'bank' AND cut = 1
    GROUP BY key, amount_sen HAVING count(*) = 1) l
JOIN open_key e ON e.government = :government AND e.bank_account = :bank_account
  AND e.key > l.key AND e.key < l.key || '~' AND e.amount_sen = l.amount_sen AND e.side = 'book'
ORDER BY l.item, e.item
"""
)
_REVERSALS: Final = text(
    """
SELECT o.id AS original, r.id AS reversal, o.amount_sen, o.effective_on AS original_on, r.effective_on AS reversal_on, o.journal_id
FROM open_item i
JOIN book_entry r ON r.government = :government AND r.id = i.item AND r.reverses > 0
JOIN book_entry o ON o.government = :government AND o.id = r.reverses * 16384 + r.n
JOIN open_item p ON p.government = :government AND p.side = 'book' AND p.item = o.id
WHERE i.government = :government AND i.bank_account = :bank_account AND i.side = 'book' AND i.day <= :through
  AND p.day <= :through AND p.bank_account = :bank_account AND o.amount_sen = -r.amount_sen
ORDER BY o.id
"""
)
_SAME_AMOUNTS: Final = text(
    """
SELECT amount_sen, count(*) AS n FROM open_item
WHERE government = :government AND bank_account = :bank_account AND side = 'book'
GROUP BY amount_sen HAVING count(*) > 1
"""
)


class Group(NamedTuple):
    """Open items that share a key and an amount."""

    key: str
    amount_sen: int
    n_bank: int
    n_book: int
    line: int
    entry: int
    longer: int


class Pair(NamedTuple):
    """A bank line and a book entry that may be one."""

    line: int
    entry: int
    key: str
    amount_sen: int


@dataclass(slots=True)
class Ambiguous:
    """Items that a stage could not tell apart; no later stage decides about them."""

    lines: set[int] = field(default_factory=set)
    entries: set[int] = field(default_factory=set)

    def holds(self, pair: Pair) -> bool:
        """Whether either member is among them."""
        return pair.line in self.lines or pair.entry in self.entries


def exact_pairs(
    conn: Connection, government: str, bank_account: str, stage: Stage, ambiguous: Ambiguous
) -> list[Pair]:
    """Pairs unique on both sides among everything open. Adds to *ambiguous* what is not."""
    where = {
        "government": government,
        "bank_account": bank_account,
        "low": stage.low,
        "high": stage.high,
    }
    groups = [Group(*row) for row in conn.execute(_GROUPS, where)]
    if any(group.n_bank + group.n_book > 2 for group in groups):
        for side, item in conn.execute(_AMBIGUOUS, where):
            (ambiguous.lines if side == "bank" else ambiguous.entries).add(item)
    pairs = [
        Pair(group.line, group.entry, group.key, group.amount_sen)
        for group in groups
        if group.n_bank == 1 and group.n_book == 1 and not group.longer
    ]
    return unique_pairs(pairs, ambiguous)


def unique_pairs(pairs: Iterable[Pair], ambiguous: Ambiguous) -> list[Pair]:
    """Those whose line and entry have no other partner. The others are ambiguous."""
    of_line: dict[int, Pair] = {}
    of_entry: dict[int, Pair] = {}
    for pair in pairs:
        first = of_line.setdefault(pair.line, pair)
        second = of_entry.setdefault(pair.entry, pair)
        if first.entry != pair.entry or second.line != pair.line:
            ambiguous.lines |= {pair.line, second.line}
            ambiguous.entries |= {pair.entry, first.entry}
    return [pair for pair in of_line.values() if not ambiguous.holds(pair)]


def prefix_pairs(
    conn: Connection, government: str, bank_account: str, ambiguous: Ambiguous
) -> list[Pair]:
    """Truncated or short SP2D numbers with an open entry of the amount, unique on both sides."""
    rows = conn.execute(_PREFIX, {"government": government, "bank_account": bank_account})
    own = Ambiguous(set(ambiguous.lines), set(ambiguous.entries))
    return unique_pairs((Pair(*row) for row in rows), own)


class Reversal(NamedTuple):
    """Two open entries that take each other back."""

    original: int
    reversal: int
    amount_sen: int
    original_on: str
    reversal_on: str
    journal_id: int


def reversal_pairs(
    conn: Connection, government: str, bank_account: str, through: str
) -> Sequence[Reversal]:
    """Open entries and their open reversals, both dated on or before *through*."""
    rows = conn.execute(
        _REVERSALS,
        {"government": government, "bank_account": bank_account, "through": through},
    )
    return [Reversal(*row) for row in rows]


def same_amounts(conn: Connection, government: str, bank_account: str) -> dict[int, int]:
    """How many open entries share an amount, where more than one does."""
    rows = conn.execute(_SAME_AMOUNTS, {"government": government, "bank_account": bank_account})
    return {row.amount_sen: row.n for row in rows}
