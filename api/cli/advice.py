"""`rkud advice file` and `rkud advice answer`: lists that leave by a bank's file, and what it answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.common import (
    GovernmentOption,
    JsonOption,
    fail,
    new_file,
    open_book_of,
    plain,
    print_json,
    print_warnings,
    read_bytes,
)
from api.cli.teaching import prose, table, taught

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from api.payment_files import ListFiles, ReadAnswer
    from bank_adapters.payments.list_files import ListFile

__all__ = ["add_to"]

_advice = typer.Typer(help="Advice lists that leave by file.", no_args_is_help=True)

FormatOption = Annotated[
    str,
    typer.Option(
        "--format", metavar="NAME", help="A format of files.toml; default: the account's only one."
    ),
]


def add_to(app: typer.Typer) -> None:
    """Put the commands into the tree."""
    app.add_typer(_advice, name="advice")


def _file_lesson() -> str:
    from bank_adapters.payments.template import all_templates  # noqa: PLC0415

    return "\n".join(
        [
            prose(
                "Writes what files.toml in RKUD_BANKS_DIR (default: banks in RKUD_DATA_DIR) sets up"
                " for the list's bank account: pain001.03, pain001.09, or a layout. The same list"
                " gives the same bytes whenever it is written; compare the SHA-256 that is printed."
                " --output is a file, or a directory for all files of the list. See"
                " docs/bank-payments.md."
            ),
            "",
            "Layouts that ship:",
            table((each.name, each.title) for each in all_templates()),
            "",
            "Example:",
            "  rkud advice file DP/36/000001/2026 --by maker-1 -o list.xml",
        ]
    )


_ANSWER_LESSON = """\
Reads a status report (pain.002) on a file that rkud advice file wrote, found
by its MsgId, and records paid, accepted or rejected for each payment. ACTC,
ACCP, ACSP, PDNG are not paid; ACSC is. A report that contradicts itself, the
list, or what is recorded is refused by name, and nothing of it is recorded.
The same report again changes nothing.

Example:
  rkud advice answer report.xml --dry-run"""


@_advice.command("file", cls=taught(_file_lesson))
def file_(
    document: Annotated[
        str, typer.Argument(metavar="LIST", help="Its number (DP/...) or register number.")
    ],
    by: Annotated[str, typer.Option("--by", metavar="PERSON", help="Person who may see payees.")],
    file_format: FormatOption = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE|DIR", help="Where to write it.")
    ] = None,
    part: Annotated[
        int, typer.Option(metavar="N", min=0, help="Which file, where the list has several.")
    ] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written, with its SHA-256.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace another file there.")] = False,
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Write a signed advice list as the bank's file."""
    from api.engine import reading  # noqa: PLC0415
    from api.payment_files import list_files  # noqa: PLC0415
    from ledger.roles import READ_ROLES  # noqa: PLC0415

    if dry_run == (output is not None):
        fail("invalid_request", "give --output, or --dry-run")
    with open_book_of(government) as (settings, engine, code):
        _require(engine, code, by, READ_ROLES)
        with reading(engine) as conn:
            found = list_files(conn, code, document, settings.banks(), name=file_format)
    written: dict[int, str] = {}
    if output is not None and output.is_dir() and not part:
        for each in [found.file(n) for n in range(1, len(found.files) + 1)]:
            written[each.part.part] = _write(output / each.name, each, force=force)
    elif output is not None:
        chosen = found.file(part)
        written[chosen.part.part] = _write(output, chosen, force=force)
    told = found.to_json()
    for row in told["files"]:
        row["written"] = written.get(row["part"], "")
    if as_json:
        print_json(told)
        return
    _tell(found, told)


def _write(path: Path, file: ListFile, *, force: bool) -> str:
    """Where it stands now. The same bytes are left as they are."""
    if not (path.is_file() and path.read_bytes() == file.data):
        with new_file(path, force=force) as out:
            out.write(file.data)
    return str(path)


def _tell(found: ListFiles, told: dict[str, Any]) -> None:
    typer.echo(
        f"{told['number']}  {told['bank_account']}  {told['format']}, one debit a {told['unit']}"
    )
    for row in told["files"]:
        rails = ", ".join(f"{count} {rail}" for rail, count in row["rails"].items())
        typer.echo(
            plain(f"file {row['part']} of {len(found.files)}  {row['name']}  {row['bytes']} bytes")
        )
        typer.echo(
            f"  {row['count']} payments, {row['total']}, {rails}; on {', '.join(row['transfer_on'])}"
        )
        if told["unit"] != "payment":
            for debit in row["debits"]:
                typer.echo(f"  debit {debit['reference']} {debit['amount']}")
        typer.echo(f"  sha256 {row['sha256']}")
        typer.echo(plain(f"  {row['written'] or 'not written'}"))


@_advice.command("answer", cls=taught(_ANSWER_LESSON))
def answer(
    file: Annotated[Path, typer.Argument(help="The bank's status report (pain.002).")],
    by: Annotated[
        str, typer.Option("--by", metavar="PERSON", help="Person with the role reconciler.")
    ] = "svc-reconcile",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be recorded, record nothing.")
    ] = False,
    file_format: FormatOption = "",
    on_day: Annotated[
        str, typer.Option(metavar="DATE", help="The bank's day; default: the report's.")
    ] = "",
    effective_on: Annotated[
        str, typer.Option(metavar="DATE", help="Day it is booked; default: the bank's day.")
    ] = "",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Record what the bank answered to a list's file."""
    from api.engine import reading  # noqa: PLC0415
    from api.operating import put  # noqa: PLC0415
    from api.payment_files import read_list_answer  # noqa: PLC0415

    data = read_bytes(file)
    with open_book_of(government) as (settings, engine, code):
        _require(engine, code, by, ("reconciler",))
        with reading(engine) as conn:
            read = read_list_answer(conn, code, data, settings.banks(), name=file_format)
        if dry_run:
            told = read.planned(on_day)
        else:
            commands = read.commands(by, on_day, effective_on)
            told = read.joined([put(engine, settings, code, each) for each in commands])
    if as_json:
        print_json(told)
        return
    _tell_answer(read, told)


def _tell_answer(read: ReadAnswer, told: dict[str, Any]) -> None:
    amounts = {row.payment: row.net for row in read.ordered.content.rows}
    words = {each.payment: each.text for each in read.said}
    typer.echo(plain(f"{told['number']}  {read.message_id}, answered on {told['on_day']}"))
    typer.echo(f"  sha256 {told['file_sha256']}")
    for row in told["payments"]:
        step = f"{row['from']} -> {row['to']}" if row["to"] else f"{row['from']}, nothing new"
        if row["settles"]:
            step = f"{row['from']}: two reconcilers settle it as {row['settles']} (:settle)"
        if row["meaning"] == "duplicate":
            step += ": the bank holds it already"
        why = " ".join((*row["reasons"], words[row["payment"]]))
        line = f"  {row['payment']:<14}{amounts[row['payment']]:>22}  {row['status']:<5} {step}"
        typer.echo(plain(f"{line}  {why}".rstrip()))
    print_warnings(read.warned())
    known = len(told["payments"]) - told["recorded"]
    done = "to record" if told["dry_run"] else "recorded"
    typer.echo(f"{told['recorded']} {done}, {known} nothing new")


def _require(engine: Engine, government: str, by: str, roles: tuple[str, ...]) -> None:
    """Raises PrivateGrantRequiredError unless the person holds one of *roles* today."""
    from api.clock import local_day, system_clock  # noqa: PLC0415
    from api.errors import PrivateGrantRequiredError  # noqa: PLC0415
    from api.operating import book_of  # noqa: PLC0415

    book = book_of(engine, government)
    today = local_day(system_clock(), book.zone)
    if not any(book.grant(by, role, today) for role in roles):
        raise PrivateGrantRequiredError(person=by, roles=list(roles))
