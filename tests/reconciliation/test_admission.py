"""Which lines of a delivery are new: the rule by itself, against a bank that knows."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bank_adapters.statements import Balance
from reconciliation.admission import (
    ChainEnd,
    Content,
    Known,
    KnownLine,
    admit,
    is_same_account,
)
from reconciliation.errors import StatementRefusedError

FIRST = date(2026, 3, 1)


@pytest.mark.parametrize(
    ("printed", "is_same"),
    [
        ("0010012345678", True),
        ("10012345678", True),
        ("137 0010012345678", True),
        ("1370010012345678", True),
        ("13710012345678", False),
        ("0010012345679", False),
        ("ID0010012345678", False),
        ("", False),
        (None, False),
    ],
)
def test_account_printed_is_compared_by_its_digits(printed: str | None, is_same: bool) -> None:
    """Zeros in front and the bank's code are tolerated, nothing else."""
    account = "137:0010012345678"

    assert is_same is is_same_account(printed, account, [account])


def test_account_that_could_be_two_is_none() -> None:
    """Where another account of the government is meant as well, the number is not enough."""
    accounts = ["137:00123456", "110:123456"]

    assert not is_same_account("123456", accounts[0], accounts)


Day = list[tuple[int, str]]
_lines = st.lists(st.tuples(st.sampled_from([-3, -2, -1, 1, 2]), st.sampled_from("AB")), max_size=4)
_months = st.lists(_lines, min_size=1, max_size=6)


def _contents(days: list[Day], since: int, until: int) -> list[Content]:
    return [
        Content((FIRST + timedelta(days=n)).isoformat(), sen, "", text)
        for n in range(since, until)
        for sen, text in days[n]
    ]


def _day(n: int) -> date:
    return FIRST + timedelta(days=n)


@settings(max_examples=300)
@given(_months, st.lists(st.tuples(st.integers(0, 5), st.integers(1, 6)), max_size=6), st.randoms())
@example([[(-3, "A")], [], [(-3, "A")]], [(0, 3), (1, 1)], Random(1))  # an empty day, again
def test_deliveries_of_any_days_give_each_line_once(
    days: list[Day], windows: list[tuple[int, int]], random: Random
) -> None:
    """
    However the days are cut into files, repeated, overlapped and shuffled within a day, the lines
    that stand in the end are the bank's, each as often as the bank has it.
    """
    known: list[KnownLine] = []
    starts: set[int] = set()
    end: ChainEnd | None = None
    reached = 0
    for asked, length in [*windows, (len(days), len(days)), (0, len(days))]:
        since = min(asked, reached, len(days) - 1)
        until = min(since + length, len(days))
        contents = _contents(days, since, until)
        shuffled = random.sample(contents, len(contents))
        shuffled.sort(key=lambda content: content.booked_on)
        opening = sum(c.amount_sen for c in _contents(days, 0, since))
        closing = opening + sum(c.amount_sen for c in contents)
        found = admit(
            shuffled,
            opening=Balance(opening, _day(since)),
            closing=Balance(closing, _day(until - 1)),
            end=end,
            known=Known(0, known, frozenset(starts)),
        )
        if found.new:
            starts.add(len(known))
        known += [KnownLine(len(known) + n, shuffled[i]) for n, i in enumerate(found.new, start=1)]
        if found.extends:
            end = ChainEnd((end.chain_n if end else 0) + 1, closing, _day(until - 1).isoformat())
        reached = max(reached, until)

    assert sorted(_contents(days, 0, len(days))) == sorted(line.content for line in known)


@given(_months, st.data())
def test_statement_that_opens_elsewhere_is_refused(days: list[Day], data: st.DataObject) -> None:
    """A later day with an opening that is not the last closing never gets in."""
    contents = _contents(days, 0, len(days))
    total = sum(c.amount_sen for c in contents)
    known = Known(0, [KnownLine(n, c) for n, c in enumerate(contents, start=1)], frozenset({0}))
    end = ChainEnd(1, total, _day(len(days) - 1).isoformat())
    wrong = total + data.draw(st.integers(1, 99))
    day = _day(len(days))

    with pytest.raises(StatementRefusedError):
        admit(
            [Content(day.isoformat(), 1_000, "", "X")],
            opening=Balance(wrong, day),
            closing=Balance(wrong + 1_000, day),
            end=end,
            known=Known(total, (), frozenset()) if data.draw(st.booleans()) else known,
        )
