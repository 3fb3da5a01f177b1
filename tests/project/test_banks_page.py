"""docs/banks.md is run as it stands, on a fresh book, and compared with the code's own tables."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bank_adapters.statements.profile import FIELDS, LABELS, all_profiles

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "banks.md").read_text()


def blocks() -> list[tuple[str, str]]:
    """Each shell block with the output that the page shows for it."""
    found = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert ["sh", "text"] * (len(found) // 2) == [language for language, _ in found]
    texts = [text for _, text in found]
    return list(zip(texts[::2], texts[1::2], strict=True))


def test_commands_of_the_page_print_what_it_shows(tmp_path: Path) -> None:
    """Every block, in order, in one shell, on SQLite; errors too."""
    tools, place = tmp_path / "bin", tmp_path / "place"
    tools.mkdir()
    place.mkdir()
    for name, command in (
        ("rkud", f'{sys.executable} -c "from api.cli import main; main()"'),
        ("python3", sys.executable),
    ):
        (tools / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (tools / name).chmod(0o755)
    script = "set -e\nexec 2>&1\n"
    for number, (commands, _) in enumerate(blocks()):
        script += f"echo '=== {number}'\n{commands}"
    environment = {name: v for name, v in os.environ.items() if not name.startswith("RKUD_")}

    done = subprocess.run(
        ["bash", "-c", script],
        cwd=place,
        env={
            **environment,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert 0 == done.returncode, (done.stdout, done.stderr)
    printed = re.split(r"^=== \d+\n", done.stdout, flags=re.MULTILINE)[1:]
    assert [shown for _, shown in blocks()] == printed


@pytest.mark.parametrize("name", [*FIELDS, *LABELS])
def test_keys_of_a_layout_are_all_on_the_page(name: str) -> None:
    """Each field and each label has a row."""
    assert f"`{name}`" in PAGE.split("## Keys of a layout")[1]


def test_layouts_that_the_page_names_ship() -> None:
    """The one to begin with, where nothing public was found."""
    assert "`generic-bpd`" in PAGE
    assert "generic-bpd" in {profile.name for profile in all_profiles()}
    assert "For Bank Banten and Bank bjb nothing public was found" in PAGE
