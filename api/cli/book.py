"""`rkud init`, `settings`, `db`, `fsck`, `backup`, `restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.common import (
    GovernmentOption,
    JsonOption,
    fail,
    load_settings,
    open_book_of,
    plain,
    print_json,
)
from api.cli.teaching import taught

__all__ = ["add_to"]

_db = typer.Typer(help="The database's schema.", no_args_is_help=True)


_INIT = """\
--recognition says when an SP2D becomes a journal:
  on_issue    when it is signed; what the bank has not paid yet is outstanding
  on_cair     when the bank has paid it; its cash is set aside at the signing

The opening balance is of a day in an opened fiscal year, today at the latest.
All or nothing: an init that fails leaves no book and no key behind.

Example:
  rkud init --government 36 --name "Provinsi Banten" \\
    --bank-account 137:0012345678 --recognition on_issue --feed receipt \\
    --opening-balance 950000000.00 --opening-on 2026-01-01"""

_BACKUP = """\
Example:
  rkud backup rkud-2026-11-20.backup"""

_RESTORE = """\
Move the old database away first. On PostgreSQL the database is empty, and
RKUD_OWNER_URL names its owner.

Example:
  rkud restore rkud-2026-11-20.backup"""


def add_to(app: typer.Typer) -> None:
    """Put the commands into the tree."""
    app.command("init", cls=taught(_INIT))(init)
    app.command("settings")(settings)
    app.add_typer(_db, name="db")
    app.command("fsck")(fsck)
    app.command("backup", cls=taught(_BACKUP))(backup)
    app.command("restore", cls=taught(_RESTORE))(restore)


def init(
    government: Annotated[
        str, typer.Option("--government", "-g", metavar="CODE", help="Region code: 36, 36.72.")
    ],
    name: Annotated[str, typer.Option(metavar="NAME", help="Name of the government.")],
    bank_account: Annotated[
        str,
        typer.Option(
            metavar="BANKCODE:NO",
            help="The RKUD: bank code and number; a bare number gets code 000.",
        ),
    ],
    recognition: Annotated[
        str,
        typer.Option(metavar="WHEN", help="on_issue or on_cair: when an SP2D becomes a journal."),
    ],
    fiscal_year: Annotated[
        list[int] | None,
        typer.Option(metavar="YEAR", help="To be opened; may be repeated; default: this year."),
    ] = None,
    opening_balance: Annotated[
        str, typer.Option(metavar="AMOUNT", help="Cash in the bank account: 950000000.00.")
    ] = "",
    opening_on: Annotated[
        str, typer.Option(metavar="DATE", help="At the end of which day: YYYY-MM-DD.")
    ] = "",
    feed: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="Kind of journal that other systems may feed; '*': all. May be repeated.",
        ),
    ] = None,
    bank_account_name: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the bank account.")
    ] = "RKUD",
    release_level: Annotated[
        str,
        typer.Option(metavar="LEVEL", help="That SPDs release at: line, sub_kegiatan or skpd."),
    ] = "sub_kegiatan",
    zone: Annotated[
        str, typer.Option(metavar="ZONE", help="Time zone of the government.")
    ] = "Asia/Jakarta",
    origin: Annotated[
        str, typer.Option(metavar="NAME", help="Of the public log; default: rkud/CODE.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """
    Make a book that is ready for posting.

    Keys are made beside the book, readable by this user alone.
    """
    from api.checkpoints import log_key_path  # noqa: PLC0415
    from api.clock import local_day, system_clock  # noqa: PLC0415
    from api.opening import make_book  # noqa: PLC0415
    from audit.keys import load_log_key  # noqa: PLC0415
    from ledger.money import parse_sen  # noqa: PLC0415
    from ledger.opening import NewBook, check_zone  # noqa: PLC0415

    values = load_settings()
    check_zone(zone)
    years = fiscal_year or [int(local_day(system_clock(), zone)[:4])]
    sealed = make_book(
        values,
        NewBook(
            government=government,
            name=name,
            # A bare number is of a bank whose code nobody gave: 000.
            bank_account=bank_account if ":" in bank_account else f"000:{bank_account}",
            bank_account_name=bank_account_name,
            recognition=recognition,
            fiscal_years=years,
            origin=origin or f"rkud/{government}",
            zone=zone,
            feed=feed or [],
            release_level=release_level,
            opening_balance_sen=parse_sen(opening_balance) if opening_balance else 0,
            opening_on=opening_on,
        ),
    )
    key = load_log_key(log_key_path(values.keys(), government))
    vkey = key.verifier.vkey
    if as_json:
        print_json(
            {
                "government": government,
                "data_dir": str(values.data_dir.absolute()),
                "origin": sealed.origin,
                "size": sealed.size,
                "vkey": vkey,
            }
        )
        return
    typer.echo(f"book of {plain(name)} ({government}) in {plain(values.data_dir.absolute())}")
    typer.echo(f"log {sealed.origin}, {sealed.size} entries sealed")
    typer.echo(f"vkey {vkey}")


def settings(as_json: JsonOption = False) -> None:
    """List all settings with their values and meaning. Secrets are masked."""
    from api.settings import listed  # noqa: PLC0415

    rows = listed(load_settings())
    if as_json:
        print_json([{"name": n, "value": v, "meaning": m} for n, v, m in rows])
        return
    for name, value, meaning in rows:
        typer.echo(f"{name}={plain(value)}\n    {meaning}")


@_db.command("upgrade")
def db_upgrade() -> None:
    """Bring the schema to this release; on PostgreSQL as the owner (RKUD_OWNER_URL)."""
    from api.data_dir import check_data_dir  # noqa: PLC0415
    from api.migrations_runner import current, upgrade  # noqa: PLC0415

    values = load_settings()
    if values.is_sqlite():
        check_data_dir(values)
        url = values.url()
    elif values.owner_url is None:
        fail("owner_url_required", "RKUD_OWNER_URL names the owner's role for db upgrade")
    else:
        url = values.owner_url.get_secret_value()
    before = current(url)
    upgrade(url)
    typer.echo(f"schema {before or '(none)'} -> {current(url)}")


@_db.command("current")
def db_current(as_json: JsonOption = False) -> None:
    """The schema that the database has, and the one this release needs; 1 when they differ."""
    from api.data_dir import check_data_dir  # noqa: PLC0415
    from api.migrations_runner import current, head  # noqa: PLC0415

    values = load_settings()
    if values.is_sqlite():
        check_data_dir(values)
    found, needed = current(values.url()), head()
    if as_json:
        print_json({"current": found, "needed": needed})
    else:
        typer.echo(f"schema {found or '(none)'}, this release needs {needed}")
    if found != needed:
        raise typer.Exit(1)


def fsck(government: GovernmentOption = "", as_json: JsonOption = False) -> None:
    """Check every invariant of the book. Exit code 1 when something was found."""
    from api.engine import reading  # noqa: PLC0415
    from api.fsck import check_all, signed_before  # noqa: PLC0415

    with open_book_of(government) as (settings, engine, code):
        signed = signed_before(engine, settings.keys(), code)
        with reading(engine) as conn:
            findings = list(check_all(conn, code, signed=signed))
    errors = [each for each in findings if each.severity == "error"]
    if as_json:
        print_json(
            {
                "government": code,
                "clean": not errors,
                "findings": [
                    {
                        "code": each.code,
                        "severity": each.severity,
                        "table": each.table,
                        "key": each.key,
                        "column": each.column,
                        "message": each.message,
                    }
                    for each in findings
                ],
            }
        )
    else:
        for each in findings:
            place = " ".join(part for part in (each.table, each.key, each.column) if part)
            typer.echo(f"{each.severity} {each.code} {plain(place)}: {plain(each.message)}")
        typer.echo(f"government {code}: {len(errors)} errors, {len(findings) - len(errors)} notes")
    if errors:
        raise typer.Exit(1)


def backup(
    target: Annotated[Path, typer.Argument(help="File to write; must not exist.")],
) -> None:
    """
    Copy the database to a new file, while the book is in use. Keys are never in it.

    Of SQLite the file is copied, of PostgreSQL pg_dump makes an archive.
    """
    from api.backups import back_up  # noqa: PLC0415
    from api.data_dir import check_data_dir  # noqa: PLC0415
    from api.serving import check_has_book  # noqa: PLC0415

    values = load_settings()
    check_data_dir(values)
    check_has_book(values)
    size = back_up(values, target)
    typer.echo(f"{plain(target)}: {size} bytes; keys and the signer's state are not in it")


def restore(
    source: Annotated[Path, typer.Argument(help="A file that rkud backup wrote.")],
) -> None:
    """
    Put a copy in the place of a missing database.

    Never touches keys nor the signer's state: what was signed after the copy stays signed.
    """
    from api.backups import restore_from  # noqa: PLC0415

    values = load_settings()
    restore_from(values, source)
    typer.echo(
        "restored. If acts were signed after this copy was made, writes stop until"
        " rkud audit recover"
    )
