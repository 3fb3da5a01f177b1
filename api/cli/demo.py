"""`rkud demo`."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.teaching import taught

__all__ = ["add_to"]


_LESSON = """\
Example:
  RKUD_DATA_DIR=demo-data rkud demo --sp2d 20 --exit"""


def add_to(app: typer.Typer) -> None:
    """Put the command into the tree."""
    app.command("demo", cls=taught(_LESSON))(demo)


def demo(
    sp2d: Annotated[int, typer.Option(metavar="N", min=4, max=10_000, help="SP2Ds a day.")] = 1_000,
    days: Annotated[
        int, typer.Option(metavar="N", min=1, max=20, help="Business days, one after another.")
    ] = 1,
    seed: Annotated[int, typer.Option(metavar="S", help="Chooses what goes wrong, and where.")] = 1,
    ends: Annotated[bool, typer.Option("--exit", help="End when the job is done.")] = False,
) -> None:
    """
    A working day of Banten, from the budget to an inspector's verdict.

    Keeps its own book, marked as a demo's, in RKUD_DATA_DIR; it refuses any other book.

    Exit code 1 when something did not come out as it must.
    """
    from api.demo.report import Report  # noqa: PLC0415  # only when it runs
    from api.demo.run import Options, run_demo  # noqa: PLC0415

    code = run_demo(Options(sp2d, days, seed, stay=not ends), Report())
    if code:
        raise typer.Exit(code)
