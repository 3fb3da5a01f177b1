"""The examples of docs/bank-payments.md are accepted by what they are examples of."""

from __future__ import annotations

import re
from pathlib import Path

from bank_adapters.payments.banks import bank_list
from bank_adapters.payments.file_settings import parse_file_settings
from bank_adapters.payments.pain001_settings import parse_pain001_settings
from bank_adapters.payments.rail_table import parse_rail_table
from bank_adapters.payments.template import parse_template

PAGE = Path(__file__).parents[3] / "docs" / "bank-payments.md"
READERS = {
    "files": lambda text: parse_file_settings(text, str),
    "pain001": parse_pain001_settings,
    "template": parse_template,
    "rails": parse_rail_table,
}


def test_examples_of_the_page_are_read_without_a_refusal() -> None:
    """Each block of TOML names its kind in its first line."""
    blocks = re.findall(r"```toml\n# (\w+)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)

    assert list(READERS) == [kind for kind, _ in blocks]
    for kind, text in blocks:
        assert READERS[kind](text)


def test_page_counts_the_banks_that_ship() -> None:
    """The number on the page is the list's."""
    assert f"lists {len(bank_list())} banks" in PAGE.read_text("utf-8")
