"""Cells that no spreadsheet computes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.csv_cells import inert


@pytest.mark.parametrize(
    "text",
    [
        *('=HYPERLINK("x")', "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=", "-", "+"),
        *(" =1", "＝1", "＋1", "－1", "＠A", "-1,5", "+62 812", "-1.", "--1", "=-1"),
    ],
)
def test_text_that_a_sheet_would_compute_gets_an_apostrophe(text: str) -> None:
    """Signs, tab and line ends in front, wide ones too, and behind blanks."""
    assert f"'{text}" == inert(text)


@pytest.mark.parametrize(
    "text", ["", "0", "-125.00", "+5", "1250000.00", "SP2D 1=2", "a-b", "STS/1", "'x", "2026-01-01"]
)
def test_text_that_is_none_stays_as_it_is(text: str) -> None:
    """Numbers keep their minus."""
    assert text == inert(text)


@given(st.text())
def test_text_of_any_kind_begins_with_no_formula_or_is_a_number(text: str) -> None:
    """And what was added can be taken off."""
    cell = inert(text)

    assert text == cell.removeprefix("'") or text.startswith("'")
    if cell.lstrip(" ")[:1] in {"=", "+", "-", "@", "\t", "\r", "\n"}:
        float(cell)
