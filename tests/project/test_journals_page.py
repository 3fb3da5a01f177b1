"""docs/journals.md is run as it stands, on a fresh book, and compared with the code's own tables."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from api.problems import status_of
from ledger.journals import DESCRIPTION_MAX, LINES_MAX, RESERVED_KINDS, JournalBody, LineBody
from tests.project.errors_page import classes

PAGE = (Path(__file__).parents[2] / "docs" / "journals.md").read_text()
#: What differs from one run to the next.
CHANGING = (
    (r"in /\S+", "in DIRECTORY"),
    (r"vkey \S+", "vkey VKEY"),
    (r"[0-9.]+ s, [0-9]+ journals/s", "S s, N journals/s"),
    (r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "INSTANT"),
    (r"p-[0-9a-f]{16}", "PROPOSAL"),
    (r'"correlation_id":"[0-9a-f]+"', '"correlation_id":"ID"'),
)


def blocks() -> list[tuple[str, str]]:
    """Each shell block with the output that the page shows for it, or nothing."""
    found = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    pairs: list[tuple[str, str]] = []
    for language, text in found:
        if language == "sh":
            pairs.append((text, ""))
        else:
            pairs[-1] = (pairs[-1][0], text)
    return pairs


def steady(text: str) -> str:
    """Text without what differs from run to run."""
    for pattern, name in CHANGING:
        text = re.sub(pattern, name, text)
    return text


def table_after(heading: str) -> list[list[str]]:
    """Cells of the first table below a heading, without its head."""
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0].splitlines()
        if line.startswith("| ")
    ]
    return rows[2:]


def named(cell: str) -> str:
    """The word between backquotes."""
    return cell.strip("`")


def test_commands_of_the_page_print_what_it_shows(tmp_path: Path) -> None:
    """Every block, in order, in one shell, on SQLite; each output is the page's."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed, and the page uses it")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    tools = tmp_path / "bin"
    tools.mkdir()
    program = tools / "rkud"
    program.write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "from api.cli import main; main()" "$@"\n'
    )
    program.chmod(0o755)
    place = tmp_path / "place"
    place.mkdir()
    script = "set -e\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n"
    for n, (commands, _) in enumerate(blocks()):
        script += f"echo '=== {n}'\n{commands.replace('8000', port)}"
    environment = {name: v for name, v in os.environ.items() if not name.startswith("RKUD_")}

    done = subprocess.run(
        ["bash", "-c", script],
        cwd=place,
        env={
            **environment,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert 0 == done.returncode, (done.stdout, done.stderr)
    printed = re.split(r"^=== \d+\n", done.stdout, flags=re.MULTILINE)[1:]
    assert [steady(shown) for _, shown in blocks()] == [steady(text) for text in printed]


@pytest.mark.parametrize(
    ("heading", "kind"), [("Members of a journal", JournalBody), ("Members of a line", LineBody)]
)
def test_tables_of_the_page_name_the_members_that_are_read(
    heading: str, kind: type[msgspec.Struct]
) -> None:
    """Each member has its row, those that are needed say so, and no row is left over."""
    fields = msgspec.structs.fields(kind)

    rows = {named(row[0]): row[1] for row in table_after(heading)}

    assert {each.name for each in fields} == set(rows)
    assert {each.name for each in fields if each.required} == {
        name for name, rule in rows.items() if rule.startswith("needed")
    }


def test_limits_and_kinds_of_the_page_are_those_of_the_code() -> None:
    """The numbers, and the kinds that are never fed."""
    rules = {named(row[0]): row[1] for row in table_after("Members of a journal")}

    assert f"2 to {LINES_MAX:,} lines" in rules["lines"]
    assert f"up to {DESCRIPTION_MAX:,} characters" in rules["description"]
    assert all(f"`{kind}`" in PAGE for kind in RESERVED_KINDS)


def test_codes_of_the_page_have_the_status_that_they_are_given_with() -> None:
    """A code is one of docs/errors.md, with its status."""
    known = {code: str(status_of(kind)) for code, kind in classes().items()}

    rows = [(named(code), status) for code, status, _ in table_after("Refusals")]

    assert rows == [(code, known.get(code)) for code, _ in rows]
    assert len(rows) > 10
