"""`rkud bank pull`: an account's statement, asked from the bank and imported."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.bank import ByOption, account_of, taken
from api.cli.common import (
    GovernmentOption,
    JsonOption,
    fail,
    new_file,
    open_book_of,
    plain,
    print_json,
    print_warnings,
)
from api.cli.teaching import taught

if TYPE_CHECKING:
    from api.pulling import Pulled

__all__ = ["add_to"]

_LESSON = """\
Asks the bank for whole days (service 14) as banks.toml says, and imports the
answer as a report during the day: provisional lines, which the end-of-day
statement confirms. Pulling days again, or days that overlap, is safe: a line
that is known is not doubled. What the bank no longer has, or has otherwise, is
told, with exit code 1; the line stays until the end-of-day statement decides.

Days are those of the banks' clock (WIB); without --from and --to, today. The
pages are kept as one file, byte for byte; --output writes it to a folder, and
rkud statement parse reads it. An answer that is refused imports nothing.

Example:
  rkud bank pull 137:0012345678
  rkud bank pull 137:0012345678 --from 2026-03-01 --to 2026-03-05 --dry-run"""


def add_to(group: typer.Typer) -> None:
    """Put the command into the group `bank`."""
    group.command("pull", cls=taught(_LESSON))(pull)


def pull(
    account: Annotated[str, typer.Argument(metavar="BANK:NO", help="Account of the book.")],
    first: Annotated[
        str, typer.Option("--from", metavar="DAY", help="First day, YYYY-MM-DD.")
    ] = "",
    last: Annotated[str, typer.Option("--to", metavar="DAY", help="Last day.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ask and decide everything, keep nothing.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the file of the pull there too.")
    ] = None,
    by: ByOption = "svc-reconcile",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Pull an account's statement from its bank, and import it."""
    from api.pulling import bank_today  # noqa: PLC0415
    from api.pulling import pull as ask  # noqa: PLC0415

    today = bank_today()
    since, through = _day(first, "--from", today), _day(last, "--to", today)
    with open_book_of(government) as (settings, engine, code):
        bank_account = account_of(engine, code, account)
        found = ask(engine, settings, code, bank_account, since, through, by=by, dry_run=dry_run)
    written = "" if output is None else _write(output, found)
    warnings = [each.to_json() for each in found.file.warnings]
    if as_json:
        told = {"from": since, "to": through, "pages": found.pages, "dry_run": dry_run}
        print_json({**told, **found.answer, "file": written, "warnings": warnings})
    else:
        lines = sum(len(each.lines) for each in found.file.statements)
        typer.echo(f"{bank_account} {since} to {through}: {found.pages} pages, {lines} lines")
        typer.echo(f"sha256 {found.file.file_sha256}" + plain(f"  {written}" if written else ""))
        print_warnings(warnings)
        _tell(found, dry_run=dry_run)
    if found.missing:
        raise typer.Exit(1)


def _tell(found: Pulled, *, dry_run: bool) -> None:
    for each in found.missing:
        what = "provisional line" if "provisional" in each else "line of a statement"
        number = each.get("provisional", each.get("line"))
        became = f"now line {each['became']} of the pull" if each["became"] else "gone"
        typer.echo(
            plain(
                f"{what} {number}: {each['booked_on']} {each['amount']} {each['bank_reference']}: {became}"
            )
        )
    (statement,) = found.answer["statements"]
    known = f", {statement['confirmed']} known" if "replayed" not in statement else ""
    typer.echo(f"{taken(found.answer)}{known}" + (" (not kept)" if dry_run else ""))


def _day(given: str, option: str, today: date) -> date:
    if not given:
        return today
    day = None
    with suppress(ValueError):
        day = date.fromisoformat(given)
    if day is None or day.isoformat() != given:
        fail("invalid_request", f"{option}: {given!r} is no day (YYYY-MM-DD)")
    return day


def _write(folder: Path, found: Pulled) -> str:
    """The file's path. One of that name holds these bytes already: its digest is in the name."""
    path = folder / found.name
    if not path.exists():
        with new_file(path) as file:
            file.write(found.data)
    return str(path)
