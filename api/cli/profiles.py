"""`rkud profile new|check|list`: layouts of bank statements as data."""

from __future__ import annotations

import re
import shlex
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.common import (
    JsonOption,
    chosen_profile,
    load_settings,
    new_file,
    plain,
    print_json,
    print_warnings,
    read_bytes,
)
from api.cli.lessons import profile_check_lesson, profile_new_lesson
from api.cli.teaching import WIDTH, table, taught

if TYPE_CHECKING:
    from bank_adapters.statements import Profile, StatementFile
    from bank_adapters.statements.proposing import Proposal

__all__ = ["add_to"]

_profile = typer.Typer(help="Layouts of bank statements.", no_args_is_help=True)

_ROWS_SHOWN = 5


def add_to(app: typer.Typer) -> None:
    """Put the commands into the tree."""
    app.add_typer(_profile, name="profile")


@_profile.command("new", cls=taught(profile_new_lesson))
def new(
    sample: Annotated[Path, typer.Argument(help="A statement of the bank, CSV or XLSX.")],
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the layout; default: the file's.")
    ] = "",
    bank: Annotated[
        str, typer.Option(metavar="CODE", help="Bank code of three digits, e.g. 114.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("-o", metavar="FILE", help="Write the layout to a new file.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the file of -o if it is there.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Propose a layout from a sample file, and show what was understood."""
    from api.profiles import refuse_shipped_name  # noqa: PLC0415
    from bank_adapters.statements.proposing import propose  # noqa: PLC0415

    name = name or (re.sub(r"[^a-z0-9]+", "-", sample.stem.lower()).strip("-")[:64] or "new")
    refuse_shipped_name(name)
    data = read_bytes(sample)
    proposal = propose(data, name, bank=bank)
    if out is not None:
        with new_file(out, force=force) as file:
            file.write(proposal.text.encode())
    if as_json:
        print_json(_as_json(proposal))
    else:
        _print(proposal, sample, _shipped_reader(data), out)
    if proposal.questions:
        raise typer.Exit(1)


@_profile.command("check", cls=taught(profile_check_lesson))
def check(
    profile: Annotated[str, typer.Argument(metavar="NAME|FILE", help="The layout.")],
    sample: Annotated[Path, typer.Argument(help="A statement of the bank.")],
) -> None:
    """Read a file by a layout and show what came out; exit code 1 when its figures differ."""
    from bank_adapters.statements.registry import read_statement_file  # noqa: PLC0415

    layout = chosen_profile(profile)
    file = read_statement_file(read_bytes(sample), profile=layout, name=sample.name)
    for each in file.to_json()["statements"]:
        opening, closing = each["opening"], each["closing"]
        account = each["account"] or "(not in the file)"
        _say(f"account {account}, {each['currency']}, {len(each['lines'])} rows")
        _say(f"  opening  {opening['amount'] if opening else '(none)':>24}")
        _say(f"  sum      {_sum(file, each['account']):>24}")
        _say(f"  closing  {closing['amount'] if closing else '(none)':>24}")
    _print_rows(file)
    typer.echo()
    _print_proof(file)
    print_warnings(file.to_json()["warnings"])
    if any(each.adds_up is False for each in file.statements):
        raise typer.Exit(1)


@_profile.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Layouts that ship and those in the data directory, with where each was seen."""
    from api.profiles import own_profiles  # noqa: PLC0415
    from bank_adapters.statements import all_profiles  # noqa: PLC0415

    own = own_profiles(load_settings().data_dir)
    if as_json:
        print_json([_listed(each, is_own=each in own) for each in (*all_profiles(), *own)])
        return
    for each in (*all_profiles(), *own):
        _say(f"{each.name}{f' (bank {each.bank})' if each.bank else ''}")
        _wrapped(each.title, "  ")
        _wrapped(f"evidence: {each.evidence or 'none given'}", "  ")


def _listed(profile: Profile, *, is_own: bool) -> dict[str, object]:
    return {
        "name": profile.name,
        "title": profile.title,
        "bank": profile.bank,
        "evidence": profile.evidence,
        "own": is_own,
    }


def _as_json(proposal: Proposal) -> dict[str, object]:
    return {
        "name": proposal.name,
        "where": proposal.where,
        "header": proposal.header_position,
        "columns": [
            {"column": each.place, "header": each.header, "field": each.field or None}
            for each in proposal.columns
        ],
        "understood": list(proposal.understood),
        "proof": proposal.proof or None,
        "questions": list(proposal.questions),
        "profile": proposal.text,
    }


def _print(proposal: Proposal, sample: Path, shipped: str, out: Path | None) -> None:
    from bank_adapters.statements.sample_columns import MEANINGS  # noqa: PLC0415

    _wrapped(f"{sample.name}: {proposal.where}, header in row {proposal.header_position}")
    if shipped:
        _wrapped(f"The layout {shipped}, which ships, reads this file already.")
    _heading("columns")
    rows = [
        (f"{each.place:>2}  {each.header or '(no name)'}", MEANINGS.get(each.field, "(not read)"))
        for each in proposal.columns
    ]
    typer.echo(plain_lines(table(rows)))
    _heading("understood")
    for text in proposal.understood:
        _wrapped(text, "  ")
    if proposal.file is not None:
        _print_rows(proposal.file)
        typer.echo()
        _print_proof(proposal.file)
        print_warnings(
            [
                each
                for each in proposal.file.to_json()["warnings"]
                if each["code"] not in {"account_missing", "no_balance_proof"}
            ]
        )
    if proposal.questions:
        _heading(f"to decide: {len(proposal.questions)}")
        for number, question in enumerate(proposal.questions, start=1):
            _wrapped(f"{number}. {question}", "  ", hanging="     ")
    typer.echo()
    if out is None:
        _wrapped("Nothing was written; -o FILE writes the layout.")
    else:
        _wrapped(f"Written to {out}. Try it on another statement of the bank:")
        _say(f"  rkud profile check {shlex.quote(str(out))} FILE")


def _print_rows(file: StatementFile) -> None:
    from bank_adapters.statements.amounts import units_text  # noqa: PLC0415

    rows = [(each.decimals, line) for each in file.statements for line in each.lines]
    if not rows:
        return
    _heading(f"first rows, oldest first ({min(len(rows), _ROWS_SHOWN)} of {len(rows)})")
    shown = [("line", "day", "amount", "balance after", "text")]
    for decimals, line in rows[:_ROWS_SHOWN]:
        balance = line.balance_after_units
        after = "" if balance is None else units_text(balance, decimals)
        amount = units_text(line.amount_units, decimals)
        day = str(line.booked_on or line.status)
        shown.append((str(line.position), day, amount, after, line.narrative))
    wide = [max(len(row[column]) for row in shown) for column in range(4)]
    for position, day, amount, after, text in shown:
        start = (
            f"  {position:>{wide[0]}}  {day:<{wide[1]}}  {amount:>{wide[2]}}  {after:>{wide[3]}}  "
        )
        _say(start + text[: max(WIDTH - len(start), 0)])


def _print_proof(file: StatementFile) -> None:
    from bank_adapters.statements.proposing import proof_of  # noqa: PLC0415

    proof = proof_of(file)
    if proof:
        _wrapped(f"proof: {proof}")
    elif any(each.adds_up is False for each in file.statements):
        _wrapped("proof: none; the file's own figures differ from this reading")
    else:
        _wrapped(
            "proof: none; the file prints no balances, so nothing says that every row is here and"
            " has its sign. rkud statement import takes no such file."
        )


def _sum(file: StatementFile, account: str | None) -> str:
    from bank_adapters.statements.amounts import units_text  # noqa: PLC0415
    from bank_adapters.statements.statement import booked_units  # noqa: PLC0415

    (one,) = [each for each in file.statements if each.account == account]
    return units_text(booked_units(one.lines), one.decimals)


def _shipped_reader(data: bytes) -> str:
    from bank_adapters.errors import BankAdapterError  # noqa: PLC0415
    from bank_adapters.statements.registry import read_statement_file  # noqa: PLC0415

    try:
        return read_statement_file(data).profile or ""
    except BankAdapterError:
        return ""


def plain_lines(text: str) -> str:
    """Several lines that can't drive a terminal."""
    return "\n".join(map(plain, text.split("\n")))


def _heading(text: str) -> None:
    typer.echo(f"\n{text.upper()}")


def _say(text: str) -> None:
    typer.echo(plain(text).rstrip())


def _wrapped(text: str, indent: str = "", *, hanging: str | None = None) -> None:
    for line in textwrap.wrap(
        plain(text),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  " if hanging is None else hanging,
        break_on_hyphens=False,
        break_long_words=False,
    ):
        typer.echo(line)
