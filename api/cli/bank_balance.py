"""`rkud bank balance`: what the bank says an account holds, beside what the books say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.bank import account_of
from api.cli.common import GovernmentOption, JsonOption, open_book_of, plain, print_json
from api.cli.teaching import taught

if TYPE_CHECKING:
    from bank_adapters.snap.replies import AccountBalance
    from ledger.money import Money
    from reconciliation.standing import Standing

__all__ = ["add_to"]

_LESSON = """\
Asks the bank for the balance now (service 11) and compares what is booked there
with the book's balance. The difference is explained as far as it is money that
the books have let go and the bank has not paid yet. The newest statement, lines
told of since, and lines that no entry is matched with are shown beside it; what
is left is for rkud bank pull and rkud reconcile to find.

  agreed    nothing is left                                         exit code 0
  in_doubt  the bank is short by no more than what orders without
            a clear answer come to: it may have executed some       exit code 1
  differs   anything else                                           exit code 1

Example:
  rkud bank balance 137:0012345678"""


def add_to(group: typer.Typer) -> None:
    """Put the command into the group `bank`."""
    group.command("balance", cls=taught(_LESSON))(balance)


def balance(
    account: Annotated[str, typer.Argument(metavar="BANK:NO", help="Account of the book.")],
    government: GovernmentOption = "",
    as_json: JsonOption = False,
) -> None:
    """Ask the bank for an account's balance, and compare it with the books."""
    from api.pulling import ask_balance  # noqa: PLC0415

    with open_book_of(government) as (settings, engine, code):
        bank_account = account_of(engine, code, account)
        told, booked, standing = ask_balance(engine, settings, code, bank_account)
    document = _document(told, booked, standing)
    if as_json:
        print_json(document)
    else:
        _tell(document)
    if document["verdict"] != "agreed":
        raise typer.Exit(1)


def _document(told: AccountBalance, booked: Money, standing: Standing) -> dict[str, Any]:
    from ledger.money import sen_text  # noqa: PLC0415

    statement = standing.statement_sen
    return {
        "bank_account": standing.bank_account,
        "bank": {
            "status": told.status,
            "booked": str(booked),
            "held": None if told.hold is None else str(told.hold),
            "available": None if told.available is None else str(told.available),
        },
        "book": sen_text(standing.book_sen),
        "difference": sen_text(booked.sen - standing.book_sen),
        "under_way": [
            {"state": each.state, "payments": each.payments, "amount": sen_text(each.booked_sen)}
            for each in standing.under_way
        ],
        "left": sen_text(standing.left_sen(booked.sen)),
        "in_doubt": {"payments": standing.doubts, "amount": sen_text(standing.doubt_sen)},
        "statement": None
        if statement is None
        else {"closing": sen_text(statement), "closing_on": standing.closing_on},
        "told_since": {"lines": standing.told, "amount": sen_text(standing.told_sen)},
        "unmatched": {"lines": standing.open_lines, "amount": sen_text(standing.open_sen)},
        "verdict": standing.verdict(booked.sen),
    }


def _tell(document: dict[str, Any]) -> None:
    bank, statement = document["bank"], document["statement"]
    rows = [
        ("bank, booked", bank["booked"], bank["status"]),
        ("bank, held", bank["held"], ""),
        ("bank, available", bank["available"], ""),
        ("book", document["book"], ""),
        ("bank less book", document["difference"], ""),
    ]
    rows += [
        (f"  booked, {each['state']}", each["amount"], f"{each['payments']} payments")
        for each in document["under_way"]
    ]
    rows += [
        ("left", document["left"], ""),
        (
            "in doubt",
            document["in_doubt"]["amount"],
            f"{document['in_doubt']['payments']} payments",
        ),
    ]
    if statement is not None:
        rows.append(("newest statement", statement["closing"], statement["closing_on"]))
    for name, label in (("told_since", "told of since"), ("unmatched", "lines not matched")):
        rows.append((label, document[name]["amount"], f"{document[name]['lines']} lines"))
    typer.echo(document["bank_account"])
    for label, amount, note in rows:
        if amount is not None:
            typer.echo(plain(f"  {label:<22} {amount:>24}  {note}".rstrip()))
    typer.echo(document["verdict"])
