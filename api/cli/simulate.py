"""`rkud bank simulate`."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from api.cli import bank_balance, connections, pull
from api.cli.teaching import prose, table, taught

__all__ = ["add_to"]

_bank = typer.Typer(help="Connections to banks.", no_args_is_help=True)


def _lesson() -> str:
    """How to begin, what a script may name, and what else the bank can be asked to do."""
    from bank_adapters.simulator.faults import FAULT_MEANINGS  # noqa: PLC0415

    return "\n".join(
        [
            prose(
                "A tool for trying things out: it plays a bank, is none, and listens on 127.0.0.1"
                " alone. With --account it first makes the bank: keys of both parties, accounts,"
                " and credentials.json, which is what a bank would hand to its customer. Stop it"
                " with Ctrl-C; whatever it answered is kept, and it goes on where it stood."
            ),
            "",
            "Faults that a script may name, by [probability] or by [exact] reference:",
            table(FAULT_MEANINGS.items()),
            "",
            "A script:",
            "  seed = 7",
            "  [probability]",
            "  timeout_after = 0.05",
            "  [exact]",
            '  "SP2D26-000001" = ["broken_body", "status_hidden"]',
            "",
            prose(
                "While it is served: `python -m bank_adapters.simulator end-day` ends its day and"
                " writes its statements, `report` says what was really executed, `silence` makes"
                " it answer nobody for a while."
            ),
            "",
            "Example:",
            "  rkud bank simulate --directory sim --account 137:0012345678 \\",
            "       --balance 950000000000.00 --payee '002:3000000001:PT Jaya'",
            "  rkud bank simulate --directory sim --faults faults.toml",
        ]
    )


def add_to(app: typer.Typer) -> None:
    """Put the command into the tree."""
    connections.add_to(_bank)
    bank_balance.add_to(_bank)
    pull.add_to(_bank)
    app.add_typer(_bank, name="bank")


@_bank.callback()
def _group() -> None:
    """Connections to banks."""


@_bank.command("simulate", cls=taught(_lesson))
def simulate(
    directory: Annotated[Path, typer.Option(metavar="DIR", help="Where the bank is kept.")],
    account: Annotated[
        str, typer.Option(metavar="BANKCODE:NO", help="Make the bank first, with this RKUD.")
    ] = "",
    balance: Annotated[str, typer.Option(metavar="AMOUNT", help="What the RKUD holds.")] = "0",
    payee: Annotated[
        list[str] | None,
        typer.Option(metavar="BANK:NO:NAME", help="An account that can be paid; repeat."),
    ] = None,
    port: Annotated[int | None, typer.Option(metavar="P", help="0 for any; default: 8780.")] = None,
    callbacks_to: Annotated[
        str, typer.Option(metavar="URL", help="Where callbacks of RTGS and SKN go.")
    ] = "",
    faults: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Script of what goes wrong, in TOML.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="S", help="In place of the script's seed.")
    ] = None,
    latency_ms: Annotated[int, typer.Option(metavar="N", help="Wait before each answer.")] = 0,
    today: Annotated[
        datetime | None,
        typer.Option(metavar="DATE", formats=["%Y-%m-%d"], help="In place of the calendar's day."),
    ] = None,
) -> None:
    """Play a bank that speaks SNAP, with real signature checks, in the foreground."""
    from bank_adapters.simulator import commands, serving  # noqa: PLC0415

    day = today.date() if today else None
    if account:
        before = (day or serving.real_clock().date()) - timedelta(days=1)
        commands.prepare_from_text(directory, account, balance, before, payee or [])
    how = serving.Serving(port, callbacks_to, commands.read_faults(faults, seed), latency_ms, day)
    serving.serve_forever(directory, how)
