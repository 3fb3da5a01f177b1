"""`rkud audit checkpoint|export|prove|verify|recover`: thin over the audit package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.common import GovernmentOption, JsonOption, open_book_of, plain, print_json
from api.cli.teaching import taught

if TYPE_CHECKING:
    from api.settings import Settings

__all__ = ["add_to"]

_app = typer.Typer(help="The signed log.", no_args_is_help=True)


_EXPORT = """\
Run again over an earlier export of the same log it brings that one up to date;
over anything else it is refused.

Example:
  rkud audit export export-2026-11"""

_PROVE = """\
Writes FILE with the proof and FILE.leaf with the entry; neither may exist.

Example:
  rkud audit prove 623 -o act.tlog-proof"""

_RECOVER = """\
Examples:
  rkud audit recover --from-export export-2026-11
  rkud audit recover --new-shard --incident "disk lost on 20 November"
"""


def add_to(app: typer.Typer) -> None:
    """Put the commands into the tree."""
    app.add_typer(_app, name="audit")


def _vkeys(settings: Settings, government: str) -> list[str]:
    """Public keys of the log, all that ever signed it and lie here."""
    from api.checkpoints import log_keys_of  # noqa: PLC0415

    return [key.verifier.vkey for key in log_keys_of(settings.keys(), government)]


@_app.command("checkpoint")
def checkpoint(government: GovernmentOption = "", as_json: JsonOption = False) -> None:
    """Sign what is committed, and publish it."""
    from api.checkpoints import seal_book  # noqa: PLC0415
    from api.clock import system_clock  # noqa: PLC0415

    with open_book_of(government) as (settings, engine, code):
        sealed = seal_book(engine, settings.keys(), code, now=system_clock())
    if as_json:
        print_json(
            {
                "origin": sealed.origin,
                "size": sealed.size,
                "root": sealed.root.hex(),
                "note": sealed.note.decode(),
                "fresh": sealed.fresh,
            }
        )
    else:
        typer.echo(sealed.note.decode(), nl=False)


@_app.command("export", cls=taught(_EXPORT))
def export(
    directory: Annotated[Path, typer.Argument(help="New, or an earlier export of this log.")],
    disclosures: Annotated[
        bool, typer.Option("--disclosures", help="With the private values, for an inspector.")
    ] = False,
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Write the log as C2SP tlog-tiles, with what is needed to recompute the books."""
    from api.checkpoints import signer_for  # noqa: PLC0415
    from api.clock import system_clock  # noqa: PLC0415
    from api.engine import begin, reading  # noqa: PLC0415
    from audit.checkpoints import seal  # noqa: PLC0415
    from audit.export import export as write  # noqa: PLC0415
    from audit.tiles_shell import read_tree  # noqa: PLC0415
    from ledger.book_export import BookExport  # noqa: PLC0415

    with open_book_of(government) as (settings, engine, code), reading(engine) as snapshot:
        tree = read_tree(snapshot, code)
        with begin(engine) as conn:
            # The claims are of the snapshot, so it is just its acts that are sealed.
            signer = signer_for(settings.keys(), code, tree.origin)
            sealed = seal(conn, code, signer, now=system_clock(), size=tree.size)
        done = write(
            snapshot,
            directory,
            code,
            vkeys=_vkeys(settings, code),
            books=BookExport(),
            sealed=sealed,
            disclosures=disclosures,
        )
    values = {
        "directory": str(done.directory),
        "origin": done.origin,
        "size": done.size,
        "root": done.root.hex(),
        "checkpoints": done.checkpoints,
        "attachments": done.attachments,
        "claims": done.claims,
        "disclosures": done.disclosures,
        "root_matches": done.root_matches,
    }
    if as_json:
        print_json(values)
    else:
        for name, value in values.items():
            typer.echo(f"{name}: {plain(value)}")
    if not done.root_matches:
        raise typer.Exit(1)


@_app.command("prove", cls=taught(_PROVE))
def prove(
    index: Annotated[int, typer.Argument(min=0, help="Number of the entry, from 0 (leaf_index).")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="New file: FILE.tlog-proof.")
    ],
    government: GovernmentOption = "",
) -> None:
    """Cut one entry and its proof out of the log (C2SP tlog-proof)."""
    from api.engine import reading  # noqa: PLC0415
    from audit.checkpoint import parse_checkpoint  # noqa: PLC0415
    from audit.checkpoints import latest  # noqa: PLC0415
    from audit.note import parse_note  # noqa: PLC0415
    from audit.proving import prove_entry  # noqa: PLC0415
    from audit.tiles_shell import NotPublishedError, read_tree, tile_reader  # noqa: PLC0415

    with open_book_of(government) as (_, engine, code), reading(engine) as conn:
        last = latest(conn, code)
        if last is None:
            raise NotPublishedError("checkpoint")
        size = parse_checkpoint(parse_note(last.note).text, extensions=True).size
        tiles = tile_reader(conn, read_tree(conn, code), size)
        paths = prove_entry(tiles, last.note, index).write(output)
    for path in paths:
        typer.echo(plain(path))


@_app.command(
    "verify",
    add_help_option=False,  # the tool explains itself
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def verify(context: typer.Context) -> None:
    """Verify an export offline: DIR --vkey VKEY. The same as `python -m audit verify`."""
    from audit.__main__ import main  # noqa: PLC0415

    raise typer.Exit(main(["verify", *context.args], prog="rkud audit"))


@_app.command("recover", cls=taught(_RECOVER))
def recover(
    from_export: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Replay the missing acts from an export of this log."),
    ] = None,
    without_texts: Annotated[
        bool, typer.Option("--without-texts", help="Although private texts are missing in it.")
    ] = False,
    new_shard: Annotated[
        bool, typer.Option("--new-shard", help="End the log here and go on as the next shard.")
    ] = False,
    incident: Annotated[
        str, typer.Option(metavar="TEXT", help="What happened, for the new shard's first leaf.")
    ] = "",
    by: Annotated[str, typer.Option("--by", metavar="PERSON", help="Administrator.")] = "admin-1",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """
    Bring a restored database back to what was signed, or go on openly without it.

    Stop the server first. Exactly one of --from-export and --new-shard is needed.
    """
    from api.recovering import go_on_as_shard, replay_export  # noqa: PLC0415

    if (from_export is None) == (not new_shard) or (new_shard and not incident):
        raise typer.BadParameter("give --from-export DIR, or --new-shard with --incident TEXT")
    with open_book_of(government) as (settings, engine, code):
        if from_export is not None:
            values = replay_export(engine, settings, code, from_export, without_texts=without_texts)
        else:
            values = go_on_as_shard(engine, settings, code, incident=incident, by=by)
    if as_json:
        print_json(values)
    else:
        for name, value in values.items():
            typer.echo(f"{name}: {plain(value)}")
