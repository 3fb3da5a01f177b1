"""`rkud serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.common import load_settings
from api.cli.teaching import taught

__all__ = ["add_to"]


_LESSON = """\
A host beyond this machine needs --tls-cert and --tls-key, or --behind-proxy.
The API describes itself at /openapi.json. SIGTERM lets requests under way end.

Example:
  rkud serve --port 8000"""


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
) -> None:
    """Serve the HTTP API. Refuses by name where serving would not be safe."""
    from api.serving import ServeOptions  # noqa: PLC0415
    from api.serving import serve as run  # noqa: PLC0415

    run(
        load_settings(),
        ServeOptions(host, port, workers, tls_cert, tls_key, behind_proxy, embedded),
    )
