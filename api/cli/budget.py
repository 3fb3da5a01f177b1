"""`rkud budget load`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.common import GovernmentOption, JsonOption, open_book_of
from api.cli.lessons import budget_lesson
from api.cli.people import show
from api.cli.teaching import taught

__all__ = ["add_to"]

_budget = typer.Typer(help="The budget.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Put the commands into the tree."""
    app.add_typer(_budget, name="budget")


@_budget.command("load", cls=taught(budget_lesson))
def budget_load(
    file: Annotated[Path, typer.Argument(help="CSV or JSON Lines (.jsonl).")],
    fiscal_year: Annotated[int, typer.Option(metavar="YEAR", help="Year of the budget.")],
    by: Annotated[
        str, typer.Option("--by", metavar="PERSON", help="Person with the role budget_officer.")
    ],
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Load ceilings (DPA) and releases (SPD)."""
    from api.importing import FileUnreadableError  # noqa: PLC0415
    from api.operating import put  # noqa: PLC0415
    from ledger.budget import parse_budget_csv, parse_budget_jsonl  # noqa: PLC0415
    from ledger.budget_shell import LoadBudget  # noqa: PLC0415

    try:
        data = file.read_bytes()
    except OSError as error:
        raise FileUnreadableError(path=str(file), reason=error.strerror or "unreadable") from None
    read = (parse_budget_jsonl if file.suffix == ".jsonl" else parse_budget_csv)(data)
    with open_book_of(government) as (settings, engine, code):
        command = LoadBudget(by, fiscal_year, read.file_sha256, read.rows)
        answer = put(engine, settings, code, command)
    show(answer, as_json)
