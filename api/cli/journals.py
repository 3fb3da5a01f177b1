"""`rkud journals import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.common import GovernmentOption, JsonOption, open_book_of, plain, print_json
from api.cli.lessons import journals_lesson
from api.cli.teaching import taught

__all__ = ["add_to"]

_app = typer.Typer(help="Journals in bulk.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Put the commands into the tree."""
    app.add_typer(_app, name="journals")


@_app.command("import", cls=taught(journals_lesson))
def import_(
    file: Annotated[
        Path, typer.Argument(help="JSON lines; the same objects as POST .../journals.")
    ],
    government: GovernmentOption = "",
    go_on: Annotated[
        bool, typer.Option("--continue", help="Go on after a refused line, and list all of them.")
    ] = False,
    by: Annotated[
        str, typer.Option(metavar="PERSON", help="Person with the role feed.")
    ] = "svc-feed",
    batch: Annotated[
        int, typer.Option(metavar="N", min=1, max=10_000, help="Journals a transaction.")
    ] = 1000,
    as_json: JsonOption = False,
) -> None:
    """
    Post a file of journals. May be repeated: what was posted before is known by its reference.

    A line that is refused stops the import (exit code 2); the journals before it stay.
    """
    from api import collector  # noqa: PLC0415
    from api.importing import Import, show_progress  # noqa: PLC0415

    collector.relax()
    with open_book_of(government) as (settings, engine, code):
        job = Import(engine, settings, code, by=by, batch_size=batch, go_on=go_on)
        with show_progress(file, quiet=as_json) as moved:
            done = job.run(file, moved)
    refusals = done.refusals
    if as_json:
        print_json(
            {
                "file": str(file),
                "posted": done.posted,
                "replayed": done.replayed,
                "refused": done.refused,
                "refusals": [each.as_json() for each in refusals],
                "seconds": round(done.seconds, 3),
            }
        )
    elif done.is_empty:
        typer.echo(plain(f"no journals in {file}"))
    else:
        for each in refusals:
            typer.echo(plain(each.text()), err=True)
        rate = done.posted / done.seconds if done.seconds else 0
        typer.echo(
            f"{done.posted} posted, {done.replayed} were posted before, {done.refused} refused;"
            f" {done.seconds:.1f} s, {rate:.0f} journals/s"
        )
    if done.refused:
        raise typer.Exit(2)
