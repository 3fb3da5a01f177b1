"""The proof as a value: its arithmetic, its sections, its ages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciliation.position import Opening, OpenLine, Proof, age_bucket, age_days

_sen = st.integers(-(10**15), 10**15)


def _item(side: str, sen: int, days: int = 0) -> OpenLine:
    assert side in {"bank", "book"}
    return OpenLine(
        side="bank" if side == "bank" else "book",
        item=1,
        day="2026-11-11",
        amount_sen=sen,
        age_days=days,
        reason="unknown_debit",
        reference="",
        key="",
    )


def _proof(bank_sen: int, book_sen: int, items: list[OpenLine]) -> Proof:
    opening = Opening(bank_sen=0, book_sen=0, entries=0, covers_from="2026-11-01")
    return Proof(
        "137:1", "2026-11-11", None, 1, "1", "2026-11-11", bank_sen, book_sen, opening, items
    )


@given(_sen, st.lists(_sen), st.lists(_sen), st.lists(_sen), st.integers(-9, 9))
def test_difference_is_what_the_items_leave_unexplained(
    start: int, both: list[int], bank_only: list[int], book_only: list[int], error: int
) -> None:
    """Two accounts that share some movements differ by their own ones, and by any error, to the sen."""
    items = [_item("bank", sen) for sen in bank_only] + [_item("book", sen) for sen in book_only]
    bank = start + sum(both) + sum(bank_only) + error
    proof = _proof(bank, start + sum(both) + sum(book_only), items)

    assert error == proof.difference_sen
    assert (error == 0) is proof.is_proven


def test_sections_are_those_of_the_printed_reconciliation() -> None:
    """A begins with the bank, B with the books, C is the difference; each sum counts its items."""
    items = [_item("book", 30), _item("book", -50), _item("bank", 7), _item("bank", -2)]
    proof = _proof(100, 75, items)

    assert [
        ("A", "bank_closing", 100, 0),
        ("A", "deposits_in_transit", 30, 1),
        ("A", "outstanding_payments", -50, 1),
        ("A", "adjusted_bank", 80, 2),
        ("B", "book_balance", 75, 0),
        ("B", "bank_credits_not_booked", 7, 1),
        ("B", "bank_debits_not_booked", -2, 1),
        ("B", "adjusted_book", 80, 2),
        ("C", "difference", 0, 0),
    ] == [tuple(row) for row in proof.rows()]


@pytest.mark.parametrize(
    ("day", "days", "bucket"),
    [
        ("2026-11-11", 0, "0-1"),
        ("2026-11-10", 1, "0-1"),
        ("2026-11-09", 2, "2-5"),
        ("2026-11-06", 5, "2-5"),
        ("2026-11-05", 6, "6-30"),
        ("2026-10-12", 30, "6-30"),
        ("2026-10-11", 31, ">30"),
        ("2026-11-12", 0, "0-1"),
    ],
)
def test_age_counts_days_to_the_cut_off(day: str, days: int, bucket: str) -> None:
    """Buckets include their last day; an item dated after the cut-off has no age."""
    assert (days, bucket) == (age_days(day, "2026-11-11"), age_bucket(days))


def test_ages_sum_to_the_open_items() -> None:
    """Every item stands in one bucket of its side."""
    items = [_item("book", 30, 0), _item("book", -50, 40), _item("bank", 7, 3)]

    rows = {
        (row.section, row.name): (row.amount_sen, row.items) for row in _proof(0, 0, items).ages()
    }

    assert ((30, 1), (-50, 1), (7, 1), (0, 0)) == (
        rows["book", "0-1"],
        rows["book", ">30"],
        rows["bank", "2-5"],
        rows["bank", "0-1"],
    )
