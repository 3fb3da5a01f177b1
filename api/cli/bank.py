"""`rkud statement parse|import|list|awaiting` and `rkud reconcile`."""

from __future__ import annotations

import csv
import io
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    statement_awaiting_lesson,
    statement_import_lesson,
    statement_list_lesson,
    statement_parse_lesson,
)
from api.cli.teaching import taught

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection, Engine

    from api.settings import Settings
    from reconciliation.queries import MatchRow

__all__ = ["ByOption", "account_of", "add_to", "csv_of", "taken"]

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


def account_of(engine: Engine, government: str, given: str) -> str:
    """The full id of an account of the book: given so, by its number alone, or the only one."""
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
    supersedes: Annotated[
        int,
        typer.Option(
            metavar="STATEMENT", help="Propose that the files take the place of this statement."
        ),
    ] = 0,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for --supersedes.")] = "",
    by: ByOption = "svc-reconcile",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take statements in. One that does not add up or breaks the chain is refused by name."""
    from api.operating import put  # noqa: PLC0415
    from reconciliation.intake import read_import  # noqa: PLC0415

    if bool(supersedes) != bool(reason):
        fail("invalid_request", "--supersedes and --reason belong together")
    answers = []
    with open_book_of(government) as (settings, engine, code):
        bank_account = account_of(engine, code, account)
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
                reissue=supersedes > 0,
            )
            answer = put(engine, settings, code, command)
            warnings = [each.to_json() for each in command.file.warnings]
            answers.append({"file": str(file), **answer, "warnings": warnings})
            if not as_json:
                typer.echo(f"{plain(file)}: {taken(answer)}")
                print_warnings(warnings)
        proposed = {}
        if supersedes:
            statements = [each["statement"] for each in _each_statement(answers)]
            proposed = _supersede(engine, settings, code, by, statements, supersedes, reason)
    if as_json:
        print_json({"files": answers, **proposed} if supersedes else answers)
    elif supersedes:
        typer.echo(f"proposal {proposed['proposal']}: another reconciler confirms it")


def _each_statement(answers: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for answer in answers:
        yield from answer["statements"]


def taken(answer: dict[str, Any]) -> str:
    """What came of a file, in a line."""
    statements = answer["statements"]
    told = f"{answer['new']} new lines, {len(statements)} statements"
    if answer["provisional"]:
        told += f", {answer['provisional']} provisional lines"
    if late := sum(len(each.get("back_dated", ())) for each in statements):
        told += f", {late} back-dated"
    return told + (", was taken in before" if answer["replayed"] else "")


def _supersede(
    engine: Engine,
    settings: Settings,
    government: str,
    by: str,
    statements: list[int],
    supersedes: int,
    reason: str,
) -> dict[str, Any]:
    from api.operating import put  # noqa: PLC0415
    from ledger.proposals import Propose  # noqa: PLC0415
    from reconciliation.reissues import SupersedeStatement  # noqa: PLC0415

    act = SupersedeStatement(tuple(statements), (supersedes,), reason)
    return dict(put(engine, settings, government, Propose(by, act)))


@_statement.command("list", cls=taught(statement_list_lesson))
def list_(
    account: AccountOption = "",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """List statements, reports and advices of an account, and what supersedes what."""
    from api.engine import reading  # noqa: PLC0415
    from api.routes.documents import with_money  # noqa: PLC0415
    from reconciliation.queries import list_deliveries, list_statements  # noqa: PLC0415

    with open_book_of(government) as (_settings, engine, code):
        bank_account = account_of(engine, code, account)
        with reading(engine) as conn:
            statements = _all(list_statements, conn, code, bank_account)
            deliveries = _all(list_deliveries, conn, code, bank_account)
    if as_json:
        print_json(
            {
                "statements": [with_money(row) for row in statements],
                "deliveries": [with_money(row) for row in deliveries],
            }
        )
        return
    for row in statements:
        told = f"statement {row['id']:>6} {row['closing_on']:<10} {row['status']:<11}"
        told += f" {row['new_count']} new, {row['confirmed_count']} confirmed {row['rule']}"
        told += f" supersedes {row['supersedes']}" if row["supersedes"] else ""
        told += f" superseded by {row['superseded_by']}" if row["superseded_by"] else ""
        typer.echo(plain(told.rstrip()))
    for row in deliveries:
        typer.echo(
            plain(
                f"delivery  {row['id']:>6} {row['kind']:<10} {row['new_count']} new,"
                f" {row['confirmed_count']} told of before, {row['booked_count']} booked already"
            )
        )


@_statement.command("awaiting", cls=taught(statement_awaiting_lesson))
def awaiting(
    account: AccountOption = "",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """List what reports told of and no end-of-day statement has confirmed."""
    from api.engine import reading  # noqa: PLC0415
    from api.routes.documents import with_money  # noqa: PLC0415
    from ledger.money import sen_text  # noqa: PLC0415
    from reconciliation.exceptional_lines import provisional_lines  # noqa: PLC0415

    with open_book_of(government) as (_settings, engine, code):
        bank_account = account_of(engine, code, account)
        with reading(engine) as conn:
            found = provisional_lines(
                conn, code, bank_account=bank_account, is_confirmed=False, limit=None
            )
    if as_json:
        print_json([with_money(each._asdict()) for each in found])
        return
    for each in found:
        typer.echo(
            plain(
                f"{each.id:>6} {each.booked_on} {sen_text(each.amount_sen):>20} {each.state}"
                f" {each.bank_reference or each.reference}"
                + (f" (line {each.line})" if each.line else "")
            )
        )


def _all(
    listed: Callable[..., list[dict[str, Any]]],
    conn: Connection,
    government: str,
    bank_account: str,
) -> list[dict[str, Any]]:
    """Every page of a list."""
    rows: list[dict[str, Any]] = []
    while page := listed(
        conn,
        government,
        bank_account=bank_account,
        after=rows[-1]["id"] if rows else 0,
        limit=1_000,
    ):
        rows += page
    return rows


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
        bank_account = account_of(engine, code, account)
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
