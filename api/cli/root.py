"""The tree of commands."""

from __future__ import annotations

import typer

from api.bench import command as bench
from api.cli import (
    advice,
    audit,
    bank,
    book,
    budget,
    demo,
    journals,
    keys,
    people,
    profiles,
    server,
    simulate,
    worker,
)

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
demo.add_to(app)
journals.add_to(app)
people.add_to(app)
keys.add_to(app)
budget.add_to(app)
bank.add_to(app)
advice.add_to(app)
worker.add_to(app)
simulate.add_to(app)
profiles.add_to(app)
audit.add_to(app)
bench.add_to(app)
