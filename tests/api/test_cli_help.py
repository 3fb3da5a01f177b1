"""Help that teaches: every command's --help, walked through."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from api.cli import lessons, teaching
from api.cli.root import app
from bank_adapters.statements.profile import all_profiles
from bank_adapters.statements.registry import FORMATS
from ledger.budget import COLUMNS, BudgetRow, ReleaseRow, parse_budget_csv
from ledger.journals import RESERVED_KINDS, parse_body
from ledger.policies import POLICIES, POLICY_MEANINGS
from ledger.roles import ROLES

#: Leaf commands whose help needs no example: options are all there is to know.
PLAIN = {
    "audit checkpoint",
    "bench",
    "db current",
    "db upgrade",
    "fsck",
    "officer list",
    "person list",
    "policy list",
    "profile list",
    "settings",
    "token list",
}


def commands() -> Iterator[tuple[str, Any]]:
    """Every command of the tree with its path, groups too."""

    def below(path: tuple[str, ...], command: Any) -> Iterator[tuple[str, Any]]:
        yield " ".join(path), command
        for name, each in sorted(getattr(command, "commands", {}).items()):
            yield from below((*path, name), each)

    return below((), get_command(app))


COMMANDS = dict(commands())
LEAVES = sorted(path for path, command in COMMANDS.items() if not hasattr(command, "commands"))


def help_of(path: str) -> str:
    """What `--help` prints into a pipe."""
    done = CliRunner().invoke(app, [*path.split(), "--help"], env={"COLUMNS": "80"})
    assert 0 == done.exit_code, (path, done.output)
    return done.output


@pytest.mark.parametrize("path", COMMANDS)
def test_help_of_every_command_fits_a_terminal(path: str) -> None:
    """No line is wider than 80 columns, and nothing was cut."""
    printed = help_of(path)

    assert [] == [line for line in printed.splitlines() if len(line) > teaching.WIDTH]
    assert "…" not in printed


@pytest.mark.parametrize("path", COMMANDS)
def test_help_of_every_command_says_what_each_option_is_for(path: str) -> None:
    """Options and arguments have a text, and the command a sentence."""
    command = COMMANDS[path]

    silent = [
        parameter.name
        for parameter in command.params
        if not getattr(parameter, "hidden", False) and not getattr(parameter, "help", None)
    ]

    assert [] == silent
    assert command.help


@pytest.mark.parametrize("path", LEAVES)
def test_help_of_every_leaf_ends_with_an_example(path: str) -> None:
    """An example names the command itself; those that need none are listed."""
    printed = help_of(path)

    _, _, example = printed.lower().partition("example")
    shows = f"rkud {path} " in example
    assert (path not in PLAIN) == shows


def test_list_of_plain_commands_names_only_commands() -> None:
    """A command that is gone leaves the list."""
    assert set() == PLAIN - set(LEAVES)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("grant give", list(ROLES)),
        ("policy set", [*POLICIES, *(value for values in POLICIES.values() for value in values)]),
        ("statement parse", [*FORMATS, *(profile.name for profile in all_profiles())]),
        ("statement import", [*FORMATS, *(profile.name for profile in all_profiles())]),
        ("budget load", list(COLUMNS)),
        ("journals import", sorted(RESERVED_KINDS)),
    ],
)
def test_help_lists_what_the_code_goes_by(path: str, names: list[str]) -> None:
    """Roles, policies, formats, layouts and columns are those of the tables."""
    taught = help_of(path).rpartition("╯")[2].replace(",", " ").split()

    assert [] == [name for name in names if name not in taught]


def test_every_policy_has_a_meaning() -> None:
    """The help says what each policy decides."""
    assert set(POLICIES) == set(POLICY_MEANINGS)


def test_example_of_a_journal_in_the_help_is_one() -> None:
    """It is read as it stands, put on one line."""
    text = lessons.journals_lesson()
    lines = text[text.index('  {"reference"') :].split("\n\n")[0].splitlines()

    body = parse_body("".join(line.strip() for line in lines).encode())

    assert ("receipt", 2) == (body.kind, len(body.lines))


def test_example_of_a_budget_in_the_help_is_one() -> None:
    """It is read as it stands: a line and a release."""
    text = lessons.budget_lesson()
    lines = text[text.index("  " + ",".join(COLUMNS)) :].split("\n\n")[0].splitlines()

    read = parse_budget_csv("\n".join(line.strip() for line in lines).encode())

    assert [BudgetRow, ReleaseRow] == [type(row) for row in read.rows]


def test_help_into_a_narrow_pipe_is_the_same_as_from_the_program() -> None:
    """The program itself prints the lesson too."""
    done = subprocess.run(
        [sys.executable, "-c", "from api.cli import main; main()", "policy", "set", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert lessons.policy_lesson() in done.stdout
