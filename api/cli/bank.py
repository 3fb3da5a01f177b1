"""`rkud statement parse|import` and `rkud reconcile`."""

from __future__ import annotations

import csv
import io
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.common import (
    GovernmentOption,
    JsonOption,
    chosen_profile,
    fail,
    new_file,
    open_book_of,
    plain,
    print_json,
    print_warnings,
    read_bytes,
)
from api.cli.lessons import (
    reconcile_lesson,
    statement_import_lesson,
    statement_parse_lesson,
)
from api.cli.teaching import taught

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine

    from reconciliation.queries import MatchRow

__all__ = ["add_to", "csv_of"]

_statement = typer.Typer(help="Bank statements.", no_args_is_help=True)

AccountOption = Annotated[
    str, typer.Option(metavar="NO", help="BANKCODE:NO, or NO where that is unambiguous.")
]
FormatOption = Annotated[
    str, typer.Option("--format", metavar="NAME", help="Listed below; default: found out.")
]
ProfileOption = Annotated[
    str, typer.Option(metavar="NAME|FILE", help="Layout of a bank's csv or xlsx; see below.")
]
ByOption = Annotated[
    str, typer.Option("--by", metavar="PERSON", help="Person with the role reconciler.")
]


def add_to(app: typer.Typer) -> None:
    """Put the commands into the tree."""
    app.add_typer(_statement, name="statement")
    app.command("reconcile", cls=taught(reconcile_lesson))(reconcile)


def _account(engine: Engine, government: str, given: str) -> str:
    from sqlalchemy import select  # noqa: PLC0415

    from api.engine import reading  # noqa: PLC0415
    from ledger import tables as t  # noqa: PLC0415

    with reading(engine) as conn:
        known = list(
            conn.execute(
                select(t.bank_account.c.id).where(t.bank_account.c.government == government)
            ).scalars()
        )
    if given in known:
        return given
    fitting = [each for each in known if not given or each.endswith(f":{given}")]
    if len(fitting) != 1:
        fail(
            "unknown_bank_account", f"{given or '(none)'}: the book has {', '.join(sorted(known))}"
        )
    return str(fitting[0])


@_statement.command("parse", cls=taught(statement_parse_lesson))
def parse(
    file: Annotated[Path, typer.Argument(help="The bank's file.")],
    file_format: FormatOption = "",
    profile: ProfileOption = "",
    as_json: JsonOption = False,
) -> None:
    """Read a statement without any book. A file that can't be read without guessing is refused."""
    from bank_adapters.errors import BankAdapterError  # noqa: PLC0415
    from bank_adapters.statements.registry import read_statement_file  # noqa: PLC0415

    try:
        read = read_statement_file(
            read_bytes(file),
            format=file_format or None,
            profile=chosen_profile(profile),
            name=file.name,
        )
    except BankAdapterError as error:
        if as_json:
            print_json({"error": error.code, "message": str(error), "position": error.position})
            raise typer.Exit(2) from None
        raise
    document = read.to_json()
    if as_json:
        print_json(document)
        return
    for statement in document["statements"]:
        opening, closing = statement["opening"], statement["closing"]
        typer.echo(
            plain(
                f"{statement['bank'] or ''}:{statement['account'] or ''} {statement['currency'] or ''}"
                f" no {statement['statement_no'] or '-'}"
                f" {opening['amount'] if opening else '?'} -> {closing['amount'] if closing else '?'}"
                f" {len(statement['lines'])} lines, adds up: {statement['adds_up']}"
            )
        )
    print_warnings(document["warnings"])


@_statement.command("import", cls=taught(statement_import_lesson))
def import_(
    files: Annotated[list[Path], typer.Argument(help="The bank's files, in their order.")],
    account: AccountOption = "",
    file_format: FormatOption = "",
    profile: ProfileOption = "",
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="Keep a refused statement aside, with its rule.")
    ] = False,
    by: ByOption = "svc-reconcile",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take statements in. One that does not add up or breaks the chain is refused by name."""
    from api.operating import put  # noqa: PLC0415
    from reconciliation.intake import read_import  # noqa: PLC0415

    answers = []
    with open_book_of(government) as (settings, engine, code):
        bank_account = _account(engine, code, account)
        layout = chosen_profile(profile)
        for file in files:
            command = read_import(
                by,
                bank_account,
                read_bytes(file),
                format=file_format or None,
                profile=layout,
                name=file.name,
                quarantine=quarantine,
            )
            answer = put(engine, settings, code, command)
            warnings = [each.to_json() for each in command.file.warnings]
            answers.append({"file": str(file), **answer, "warnings": warnings})
            if not as_json:
                typer.echo(
                    f"{plain(file)}: {answer['new']} new lines,"
                    f" {len(answer['statements'])} statements"
                    + (", was taken in before" if answer["replayed"] else "")
                )
                print_warnings(warnings)
    if as_json:
        print_json(answers)


def reconcile(
    account: AccountOption = "",
    through: Annotated[
        str, typer.Option(metavar="DATE", help="Default: the last reported day.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Decide everything, keep nothing.")
    ] = False,
    matches_csv: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Write the matches to a new file.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the file of --matches-csv if it is there.")
    ] = False,
    by: ByOption = "svc-reconcile",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Match a bank account with the books and prove it."""
    from api.operating import put  # noqa: PLC0415
    from ledger.money import sen_text  # noqa: PLC0415
    from reconciliation.runs import Reconcile  # noqa: PLC0415

    with open_book_of(government) as (settings, engine, code):
        bank_account = _account(engine, code, account)
        command = Reconcile(
            by, bank_account, through, dry_run, with_matches=matches_csv is not None
        )
        # Before the run: where nothing can be written, nothing is kept.
        with nullcontext() if matches_csv is None else new_file(matches_csv, force=force) as file:
            answer = put(engine, settings, code, command)
            outcome = command.outcome
            if outcome is None:
                raise RuntimeError("a run without an outcome")
            if file is not None:
                file.write(csv_of(outcome.matches))
    proof = outcome.proof
    if as_json:
        from api.routes.bank import proof_json  # noqa: PLC0415

        print_json({**answer, "proof": proof_json(proof)})
    else:
        for row in proof.rows():
            typer.echo(
                f"{row.section} {row.name:<26} {sen_text(row.amount_sen):>24}  {row.items or ''}"
            )
        for item in proof.items:
            typer.echo(
                plain(
                    f"  {item.side} {item.day} {sen_text(item.amount_sen):>20} {item.reason}"
                    f" {item.reference} {item.key}"
                )
            )
    if not proof.is_proven:
        raise typer.Exit(1)


def csv_of(matches: Sequence[MatchRow]) -> bytes:
    """The file of --matches-csv."""
    from ledger.csv_cells import inert  # noqa: PLC0415
    from reconciliation.queries import MATCHES_HEADER  # noqa: PLC0415

    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(MATCHES_HEADER)
    writer.writerows(map(inert, match) for match in matches)
    return text.getvalue().encode()
