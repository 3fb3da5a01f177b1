"""Which lines of two deliveries are the same, and what a reissued statement means: the rules alone."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank_adapters.statements import Balance
from reconciliation.admission import Content, KnownLine
from reconciliation.errors import ReissueMisplacedError
from reconciliation.lasting import Place, back_dated, pair_off, reissued

_CONTENTS = st.lists(
    st.builds(
        Content,
        st.sampled_from(["2026-11-11", "2026-11-12"]),
        st.sampled_from([-1, 1]),
        st.sampled_from(["", "B1"]),
        st.sampled_from(["A", "B"]),
    ),
    max_size=8,
)


@given(_CONTENTS, _CONTENTS)
def test_lines_are_paired_as_often_as_both_sides_have_them(
    known: list[Content], told: list[Content]
) -> None:
    """Equal contents pair off by count, each line once, and nothing unequal does."""
    found = pair_off([KnownLine(n, content) for n, content in enumerate(known)], told)

    assert (Counter(known) & Counter(told)) == Counter(told[place] for place, _ in found)
    assert all(told[place] == known[line] for place, line in found)
    assert len(found) == len({place for place, _ in found}) == len({line for _, line in found})


def test_line_whose_text_was_erased_takes_what_is_left() -> None:
    """Lines that agree in everything go first."""
    told = [Content("2026-11-11", -1, "", text) for text in ("A", "B")]
    known = [KnownLine(1, Content("2026-11-11", -1, "", None)), KnownLine(2, told[0])]

    assert [(0, 2), (1, 1)] == pair_off(known, told)


@pytest.mark.parametrize(
    ("booked_on", "closed_on", "closes_on", "is_late"),
    [
        ("2026-11-11", "2026-11-11", "2026-11-12", True),
        ("2026-11-10", "2026-11-11", "2026-11-12", True),
        ("2026-11-12", "2026-11-11", "2026-11-12", False),
        ("2026-11-11", "2026-11-11", "2026-11-11", False),
        ("2026-11-11", "", "2026-11-11", False),
    ],
)
def test_line_is_back_dated_when_an_earlier_statement_closed_its_day(
    booked_on: str, closed_on: str, closes_on: str, is_late: bool
) -> None:
    """A second statement of a day, or the first of all, books nothing back."""
    line = Content(booked_on, -1, "", "A")

    assert ([0] if is_late else []) == back_dated(
        [line], [0], closed_on=closed_on, closes_on=closes_on
    )


def _place(chain_n: int, next_sen: int | None) -> Place:
    lines = [KnownLine(n, Content("2026-11-11", -n, "", "A")) for n in (1, 2)]
    return Place(7, chain_n, 100, "2026-11-11", lines, next_sen)


def _reissued(place: Place, opening: int, closing: int, day: int = 11) -> tuple[object, ...]:
    found = reissued(
        place,
        [Content("2026-11-11", -2, "", "A"), Content("2026-11-11", -9, "", "A")],
        opening=Balance(opening, date(2026, 11, 10)),
        closing=Balance(closing, date(2026, 11, day)),
    )
    return found.new, found.confirmed, found.gone


@pytest.mark.parametrize(
    ("place", "opening", "closing"), [(_place(2, None), 100, 89), (_place(2, 89), 100, 89)]
)
def test_reissue_says_what_is_new_what_recurs_and_what_is_gone(
    place: Place, opening: int, closing: int
) -> None:
    """At the end of a chain any closing fits; within it, the one that the next place opens with."""
    assert ((1,), ((0, 2),), (1,)) == _reissued(place, opening, closing)


def test_first_statement_of_a_chain_may_open_elsewhere() -> None:
    """Its opening is the bank's word alone."""
    assert ((1,), ((0, 2),), (1,)) == _reissued(_place(1, None), 500, 489)


@pytest.mark.parametrize(
    ("place", "opening", "closing", "day"),
    [
        (_place(2, None), 101, 90, 11),
        (_place(2, None), 100, 89, 12),
        (_place(2, 90), 100, 89, 11),
    ],
)
def test_reissue_that_does_not_fit_its_place_is_refused(
    place: Place, opening: int, closing: int, day: int
) -> None:
    """Another opening, another day, or another figure than the next place goes on from."""
    with pytest.raises(ReissueMisplacedError):
        _reissued(place, opening, closing, day)
