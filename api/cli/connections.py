"""`rkud bank check`: whether a bank can be reached as `banks.toml` says. Nothing is paid."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.common import GovernmentOption, JsonOption, open_book_of, plain, print_json
from api.cli.teaching import taught

__all__ = ["add_to"]

_LESSON = """\
Reads banks.toml in RKUD_BANKS_DIR (default: banks in RKUD_DATA_DIR), asks the
bank for a token and for the balance, and with --payee for the holder of an
account. Nothing is paid and nothing is written. Exit code 1 when the bank's
answer is not what it should be.

Example:
  rkud bank check --account 137:0012345678 --payee 014:2000000001"""


def add_to(group: typer.Typer) -> None:
    """Put the command into the group `bank`."""
    group.command("check", cls=taught(_LESSON))(check)


def check(
    account: Annotated[
        str, typer.Option(metavar="NO", help="BANKCODE:NO; default: every account that is served.")
    ] = "",
    payee: Annotated[
        str, typer.Option(metavar="BANK:NO", help="Ask for the holder of this account too.")
    ] = "",
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Ask a bank for a token, the balance and a holder's name."""
    from api.clock import local_day, system_clock  # noqa: PLC0415
    from api.dispatch.banks import clients_of, connections_of  # noqa: PLC0415
    from api.operating import book_of  # noqa: PLC0415
    from bank_adapters.errors import BankAdapterError  # noqa: PLC0415
    from ledger.documents.calls import channel_of  # noqa: PLC0415

    found: list[dict[str, str]] = []
    with open_book_of(government) as (settings, engine, code):
        book = book_of(engine, code)
        today = local_day(system_clock(), book.zone)
        clients = clients_of(book, connections_of(settings.banks()), system_clock, today)
        for bank_account, client in clients.items():
            if account not in ("", bank_account, bank_account.partition(":")[2]):
                continue
            row = {
                "bank_account": bank_account,
                "channel": channel_of(book.policies, bank_account, today),
                "balance": "",
                "holder": "",
                "error": "",
            }
            try:
                told = client.balance(bank_account.partition(":")[2])
                row["balance"] = str(told.available or told.amount or told.ledger or "")
                if payee:
                    bank_code, _, number = payee.partition(":")
                    row["holder"] = client.inquire_account(bank_code, number)
            except BankAdapterError as error:
                row["error"] = f"{error.code}: {error}"
            found.append(row)
    if as_json:
        print_json(found)
    for row in found if not as_json else ():
        typer.echo(f"{row['bank_account']}  leaves by {row['channel']}")
        for name in ("balance", "holder", "error"):
            if row[name]:
                typer.echo(plain(f"  {name:<8} {row[name]}"))
    if not found or any(row["error"] for row in found):
        raise typer.Exit(1)
