"""`rkud worker`: send signed orders to the banks, until told to stop."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.common import (
    GovernmentOption,
    JsonOption,
    engine_of,
    government_of,
    load_settings,
    print_json,
)
from api.cli.teaching import taught

__all__ = ["PersonOption", "WidthOption", "add_to"]

PersonOption = Annotated[
    str,
    typer.Option("--as", metavar="PERSON", help="Who it acts for; default: the only dispatcher."),
]
WidthOption = Annotated[
    int, typer.Option(metavar="N", min=0, max=64, help="Calls at once; 0: as banks.toml says.")
]

_LESSON = """\
Orders leave that stand in a signed advice list of a bank account whose policy
"channel" says snap. Several workers may run at once, here or elsewhere. SIGTERM
and Ctrl-C let calls under way end; a worker that is killed loses nothing.
rkud serve --worker runs one within the server.

RKUD_BANKS_DIR (default: banks in RKUD_DATA_DIR) holds
  banks.toml      how each bank is reached, and with which keys (docs/banks.md)
  rails.toml      limits and hours of the rails, laid over the product's
  banks.csv       which banks are on BI-FAST, in place of the product's list
  holidays.txt    days on which banks rest, one date a line

Example:
  rkud worker --as svc-dispatch
  rkud worker --once"""


def add_to(app: typer.Typer) -> None:
    """Put the command into the tree."""
    app.command("worker", cls=taught(_LESSON))(worker)


def worker(
    person: PersonOption = "",
    width: WidthOption = 0,
    once: Annotated[bool, typer.Option("--once", help="Do what there is to do, then end.")] = False,
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Send signed orders to the banks, ask after them, record what the banks say."""
    import signal  # noqa: PLC0415
    import threading  # noqa: PLC0415

    from api.dispatch.running import make_worker  # noqa: PLC0415
    from api.engine import reading  # noqa: PLC0415
    from ledger.documents.dispatch_queries import list_state  # noqa: PLC0415

    settings = load_settings()
    engine = engine_of(settings)
    chosen = government_of(engine, settings, government)
    running = make_worker(engine, settings, chosen, person=person, width=width)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if once:
        while (busy := running.worker.step()) or running.worker.is_busy:
            if stopping.wait(0.0 if busy else 0.05):
                break
        stopping.set()
    elif not as_json:
        typer.echo(f"worker {running.worker.name} of {chosen}, as {running.worker.person}")
    running.run(stopping)
    with reading(engine) as conn:
        rows = list_state(conn, chosen)
    if as_json:
        print_json({"worker": running.worker.name, "open": [row._asdict() for row in rows]})
        return
    for row in rows:
        paused = "  (paused)" if row.paused else ""
        typer.echo(f"{row.bank_account:<24} {row.state:<9} {row.payments:>8}{paused}")
    if not rows:
        typer.echo("nothing is open")
