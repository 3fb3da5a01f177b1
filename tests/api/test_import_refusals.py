"""What `rkud journals import` says of bad lines, and of a file without any."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.api.commands import DAY, Book, journals
from tests.api.support import CASH, TAX


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """One book for all: nothing is posted but one journal, again and again the same."""
    made = Book(tmp_path_factory.mktemp("import") / "data")
    made.init()
    return made


def line(**changes: Any) -> str:
    """A journal of an import file."""
    lines = [{"account": CASH, "debit": "1.00"}, {"account": TAX, "credit": "1.00"}]
    sent = {"reference": "A", "effective_on": DAY, "kind": "receipt", "description": "x"}
    return json.dumps(sent | {"lines": lines} | changes)


LINES: list[tuple[str, str, str, str]] = [
    (
        "malformed",
        '{"reference": "A",',
        "malformed_json",
        ":2: malformed_json: not JSON at line 2, column 19:",
    ),
    ("byte order mark", "\ufeff{}", "malformed_json", "send UTF-8 without a byte order mark"),
    (
        "twice",
        line().replace('"kind"', '"kind": "z", "kind"'),
        "duplicate_key",
        ":2: duplicate_key: line 2: kind stands twice in its object",
    ),
    (
        "twice in a line",
        line().replace('"debit": "1.00"', '"debit": "1.00", "debit": "2.00"'),
        "duplicate_key",
        "lines[0].debit stands twice in its object",
    ),
    (
        "endless",
        line(reference="R" * 100_000),
        "invalid_field",
        "(100000 characters): invalid_field: reference: takes 1 to 128 characters",
    ),
    ("reserved", line(kind="opening"), "reserved_kind", "A: reserved_kind: kind opening belongs"),
]


@pytest.mark.parametrize(
    ("bad", "code", "said"), [row[1:] for row in LINES], ids=[row[0] for row in LINES]
)
def test_bad_line_is_named_by_file_line_and_rule(
    book: Book, tmp_path: Path, bad: str, code: str, said: str
) -> None:
    """In words for people, and in members for programs; neither is endless."""
    file = journals(tmp_path / "a.jsonl", ["GOOD"])
    file.write_text(f"{file.read_text()}{bad}\n")

    told = book.run("journals", "import", file, code=2).stderr
    refusal = book.json("journals", "import", file, code=2)["refusals"][0]

    assert f"{file}:2:" in told
    assert said in told
    assert len(told) < 2_000
    assert (str(file), 2, code) == (refusal["file"], refusal["line"], refusal["error"])
    assert len(json.dumps(refusal)) < 2_000


@pytest.mark.parametrize("text", ["", "\n \n\n"])
def test_file_without_journals_says_so(book: Book, tmp_path: Path, text: str) -> None:
    """Nothing was asked for and nothing refused: exit code 0, and a sentence."""
    file = tmp_path / "none.jsonl"
    file.write_text(text)

    assert f"no journals in {file}\n" == book.run("journals", "import", file).stdout
    assert 0 == book.json("journals", "import", file)["posted"]
