"""`rkud serve`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.common import GovernmentOption, engine_of, fail, government_of, load_settings
from api.cli.teaching import taught
from api.cli.worker import PersonOption, WidthOption

if TYPE_CHECKING:
    from api.dispatch.serving import WorkerOptions
    from api.settings import Settings

__all__ = ["add_to"]


_LESSON = """\
A host beyond this machine needs --tls-cert and --tls-key, or --behind-proxy.
The API describes itself at /openapi.json. SIGTERM lets requests under way end,
and calls of a bank. With --worker each process sends signed orders too, as rkud
worker does; a worker that dies is shown by /readyz and started again.

Example:
  rkud serve --port 8000
  rkud serve --worker --as svc-dispatch"""


def add_to(app: typer.Typer) -> None:
    """Put the command into the tree."""
    app.command("serve", cls=taught(_LESSON))(serve)


def serve(
    host: Annotated[str, typer.Option(metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="0 takes a free one.")
    ] = 8000,
    workers: Annotated[
        int,
        typer.Option(metavar="N", min=1, max=64, help="Processes; more than one on PostgreSQL."),
    ] = 1,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificate chain, PEM.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Private key, PEM.")] = None,
    behind_proxy: Annotated[
        str, typer.Option(metavar="CIDR", help="Network of the proxy that ends TLS.")
    ] = "",
    embedded: Annotated[
        bool, typer.Option("--embedded", help="Serve although the database role owns the tables.")
    ] = False,
    worker: Annotated[
        bool, typer.Option("--worker", help="Send signed orders to the banks too: see rkud worker.")
    ] = False,
    person: PersonOption = "",
    width: WidthOption = 0,
    government: GovernmentOption = "",
) -> None:
    """Serve the HTTP API. Refuses by name where serving would not be safe."""
    from api.serving import ServeOptions  # noqa: PLC0415
    from api.serving import serve as run  # noqa: PLC0415

    if not worker and (person or width or government):
        fail("invalid_request", "--as, --width and --government are of --worker")
    settings = load_settings()
    options = ServeOptions(host, port, workers, tls_cert, tls_key, behind_proxy, embedded)
    if worker:
        options = replace(options, worker=_worker(settings, person, width, government))
    run(settings, options)


def _worker(settings: Settings, person: str, width: int, government: str) -> WorkerOptions:
    from api.dispatch.serving import WorkerOptions  # noqa: PLC0415

    engine = engine_of(settings)
    try:
        return WorkerOptions(government_of(engine, settings, government), person, width)
    finally:
        engine.dispose()
