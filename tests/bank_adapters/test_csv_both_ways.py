"""What the CSV reader does for speed alone gives what the longer way gives."""

from __future__ import annotations

import csv
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bank_adapters.errors import BankAdapterError, StatementFileError
from bank_adapters.statements import csv_profiles, read_statement_file
from bank_adapters.statements.amounts import NumberReader, clean
from bank_adapters.statements.csv_profiles import csv_rows
from tests.bank_adapters.helpers import FIXTURES

TABLES = sorted(FIXTURES.glob("csv-*.csv"))
lines_of_text = st.lists(st.text(st.sampled_from("ab ;,\t'=é\u00a0\""), max_size=12), max_size=8)


@settings(max_examples=300, deadline=None)
@given(lines_of_text, st.sampled_from(";,\t "))
def test_rows_of_any_text_are_those_of_the_csv_module(lines, delimiter):
    """Cells, first lines and refusals, with quotes anywhere or nowhere."""
    reader = csv.reader([f"{line}\n" for line in lines], delimiter=delimiter, strict=True)
    expected: list[tuple[int, list[str], str]] = []
    refused = False
    start = 0
    try:
        for cells in reader:
            expected.append((start + 1, cells, "\n".join(lines[start : reader.line_num])))
            start = reader.line_num
    except csv.Error:
        refused = True

    found = []
    try:
        for row in csv_rows(lines, delimiter):
            found.append((row.position, row.cells, row.raw))
    except StatementFileError as refusal:
        assert refused
        assert start + 1 == refusal.position
        refused = False

    assert expected == found
    assert not refused


def test_row_with_a_cell_longer_than_the_csv_module_takes_is_refused():
    """A cell of 131,073 characters is refused, whether or not a quote stands in the file."""
    for lines in (["a;b", "c;" + "d" * 131_073], ['a;"b"', "c;" + "d" * 131_073]):
        with pytest.raises(StatementFileError, match="field larger than field limit") as refused:
            list(csv_rows(lines, ";"))
        assert 2 == refused.value.position


@st.composite
def amounts(draw):
    """A notation and an amount in it, with a character put in or none, or any text of an amount's."""
    decimal, grouping = draw(st.sampled_from([(".", ","), (",", "."), (",", ""), (",", " ")]))
    if draw(st.integers(0, 3)) == 0:
        return decimal, grouping, draw(st.text(st.sampled_from("0123456789.,- '()"), max_size=14))
    number = draw(st.integers(0, 10**9))
    text = f"{number:_}".replace("_", grouping) + f"{decimal}{number % 100:02d}"
    at = draw(st.integers(0, len(text)))
    return decimal, grouping, text[:at] + draw(st.sampled_from(["", "0", decimal, "-"])) + text[at:]


@settings(max_examples=600, deadline=None)
@given(amounts(), st.sampled_from([2, 3]))
def test_amount_of_any_spelling_is_read_alike_both_ways(drawn, decimals):
    """The short look at an amount gives what the long one gives, refusals too."""
    decimal, grouping, cell = drawn
    numbers = NumberReader(decimal=decimal, grouping=grouping)

    def outcome(read: object) -> object:
        try:
            return read(cell, decimals, position=1)  # type: ignore[operator]
        except StatementFileError as refused:
            return type(refused), str(refused)

    long = outcome(numbers.signed_units)
    expected = long[0] if isinstance(long, tuple) and isinstance(long[0], int) else long
    assert expected == outcome(numbers.units)


@settings(max_examples=500, deadline=None)
@given(st.text(st.sampled_from("ab9 '=\"\t\u00a0\u200bé²"), max_size=8))
def test_cell_is_cleaned_as_its_words_say(cell):
    """White space between words is one space, and a sheet's marks of text are gone."""
    text = " ".join(cell.split())
    if text.startswith('="') and text.endswith('"') and len(text) > 2:
        text = text[2:-1].strip()
    else:
        text = text[1:].lstrip() if text.startswith("'") else text

    assert text == clean(cell)


class _NothingKnown(dict):
    """Days that were never read before: each row is looked at from the start."""

    def __contains__(self, _key: object) -> bool:
        return False

    def get(self, _key, _default=None):
        return None


def _read(data: bytes, profile: str) -> object:
    try:
        return read_statement_file(data, profile=profile, account="1")
    except BankAdapterError as refused:
        return type(refused), str(refused)


@st.composite
def damaged_tables(draw):
    """A table of a bank with rows doubled, left out or moved, and cells exchanged for odd ones."""
    path = draw(st.sampled_from(TABLES))
    lines = path.read_bytes().split(b"\n")
    for _ in range(draw(st.integers(0, 5))):
        at, to = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        separator = draw(st.sampled_from([b";", b",", b"\t"]))
        cells = lines[at].split(separator)
        cell = draw(st.integers(0, len(cells) - 1))
        cells[cell] = draw(
            st.sampled_from(
                [cells[cell], b"", b"-", b"PEND", b"1.000,00", b"1,000.00", b" 7 ", b"x"]
            )
        )
        lines.insert(to, separator.join(cells))
    return path.stem, b"\n".join(lines)


@settings(max_examples=150, deadline=None)
@given(damaged_tables())
def test_table_of_any_layout_is_read_alike_both_ways(drawn):
    """The short look at a row gives what the long one gives, findings and refusals too."""
    name, data = drawn
    profile = name.removeprefix("csv-").removesuffix("-newest-first")
    short = _read(data, profile)
    start = csv_profiles._TableReader.__init__

    def forgetful(self, *given):
        start(self, *given)
        self._known_days = _NothingKnown()

    with (
        patch.object(csv_profiles, "_PLAIN_CHARACTERS_MAX", -1),
        patch.object(csv_profiles._TableReader, "__init__", forgetful),
        patch.object(NumberReader, "units", _long_units),
    ):
        long = _read(data, profile)

    assert long == short


def _long_units(self, cell, decimals, *, position):
    read = self.signed_units(cell, decimals, position=position)
    return None if read is None else read[0]
