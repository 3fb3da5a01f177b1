"""The tree of commands."""

from __future__ import annotations

import typer

from api.cli import book, journals, server

__all__ = ["app"]

app = typer.Typer(
    name="rkud",
    help="Treasury ledger of a regional government.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
book.add_to(app)
server.add_to(app)
journals.add_to(app)
