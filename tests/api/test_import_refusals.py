"""What `rkud journals import` says of bad lines, and of a file without any."""

from __future__ import annotations

import errno
import io
import json
from pathlib import Path
from typing import Any

import pytest

from api.engine import make_engine
from api.importing import FileUnreadableError, Import
from api.settings import Settings
from tests.api.commands import DAY, Book, journals
from tests.api.support import CASH, GOVERNMENT, TAX


@pytest.fixture(scope="module")
def book(initialised: Path, tmp_path_factory: pytest.TempPathFactory) -> Book:
    """One book for all: nothing is posted but one journal, again and again the same."""
    return Book.copy(initialised, tmp_path_factory.mktemp("import") / "data")


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


class FailingPath(type(Path())):  # type: ignore[misc]  # which class it is depends on the system
    """A file on a disk that fails at its fifth line."""

    def open(self, *_: Any, **__: Any) -> Any:
        """The file, whose lines behind the fourth can't be read."""

        class Failing(io.BytesIO):
            read_lines = 0

            def readline(self, size: int | None = -1, /) -> bytes:
                self.read_lines += 1
                if self.read_lines > 4:
                    raise OSError(errno.EIO, "Input/output error")
                return super().readline(size)

        return Failing(Path(self).read_bytes())


def test_fault_in_reading_ahead_waits_for_its_turn(initialised: Path, tmp_path: Path) -> None:
    """Batches before it stand, each whole; the fault is the file's, not the batch's being written."""
    made = Book.copy(initialised, tmp_path / "data")
    file = journals(tmp_path / "a.jsonl", [f"F-{n}" for n in range(9)])
    settings = Settings(data_dir=made.home)
    engine = make_engine(settings.url())
    job = Import(engine, settings, GOVERNMENT, by="svc-feed", batch_size=2)
    moved: list[int] = []

    with pytest.raises(FileUnreadableError, match="Input/output error"):
        job.run(FailingPath(file), lambda _, posted: moved.append(posted))
    engine.dispose()

    assert [2, 4] == moved
    again = made.json("journals", "import", file)
    assert (5, 4) == (again["posted"], again["replayed"])
