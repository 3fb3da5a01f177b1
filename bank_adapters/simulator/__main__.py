"""
`python -m bank_adapters.simulator`: a bank in its own process.

`open` and `close-day` keep a bank in one file that executes advice lists; the commands of
`commands.py` keep one in a directory and serve SNAP.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import msgspec

from bank_adapters.errors import BankAdapterError
from bank_adapters.simulator.accounts import Bank, load_bank, save_bank
from bank_adapters.simulator.advice import read_advice_list
from bank_adapters.simulator.commands import COMMANDS, add_commands, run
from bank_adapters.simulator.day import FAULTS, BankDay, Deposit, run_day
from bank_adapters.simulator.errors import MalformedInputError
from bank_adapters.statements.mt940_writer import write_mt940
from ledger.money import InvalidAmountError, Money


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit 0 done, 2 refused; the answer is one JSON object on stdout."""
    asked = _parser().parse_args(arguments)
    try:
        answer = _answer(asked)
    except (BankAdapterError, InvalidAmountError, OSError) as error:
        code = getattr(error, "code", "os_error")
        sys.stdout.write(json.dumps({"error": code, "message": str(error)}) + "\n")
        return 2
    if answer is not None:
        sys.stdout.write(json.dumps(answer) + "\n")
    return 0


def _answer(asked: argparse.Namespace) -> dict[str, object] | None:
    if asked.command in COMMANDS:
        return run(asked)
    return _open(asked) if asked.command == "open" else _close_day(asked)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bank_adapters.simulator")
    commands = parser.add_subparsers(dest="command", required=True)
    opening = commands.add_parser("open", help="open the RKUD account")
    opening.add_argument("--account", required=True, metavar="BANKCODE:NO")
    opening.add_argument("--balance", required=True)
    opening.add_argument("--on", required=True, type=date.fromisoformat, metavar="DATE")
    closing = commands.add_parser("close-day", help="execute lists, book deposits, write statement")
    closing.add_argument("--day", required=True, type=date.fromisoformat, metavar="DATE")
    closing.add_argument("--advice-list", action="append", default=[], type=Path)
    closing.add_argument(
        "--officer-key", action="append", default=[], metavar="HEX", help="specimen: public key"
    )
    closing.add_argument("--deposits", type=Path, help="JSON list of what payers brought")
    closing.add_argument("--statement", required=True, type=Path, help="MT940 to write")
    closing.add_argument("--answers", required=True, type=Path, help="rejections to write")
    closing.add_argument("--seed", type=int, default=1)
    closing.add_argument("--faults", default=",".join(FAULTS), help="comma list; empty for none")
    for each in (opening, closing):
        each.add_argument("--state", required=True, type=Path, help="the bank's own books")
    add_commands(commands)
    return parser


def _open(asked: argparse.Namespace) -> dict[str, object]:
    bank_code, _, number = asked.account.partition(":")
    if asked.state.exists():
        raise MalformedInputError(asked.state.name, "an account is kept there already")
    bank = Bank.opened(bank_code, number, Money.parse(asked.balance), asked.on)
    save_bank(asked.state, bank)
    return {"account": asked.account, "balance": str(bank.rkud)}


def _close_day(asked: argparse.Namespace) -> dict[str, object]:
    faults = [name for name in asked.faults.split(",") if name]
    unknown = sorted(set(faults) - set(FAULTS))
    if unknown:
        raise MalformedInputError("--faults", f"unknown: {', '.join(unknown)}")
    bank = load_bank(asked.state)
    lists = [read_advice_list(path.read_bytes(), asked.officer_key) for path in asked.advice_list]
    day = run_day(bank, asked.day, lists, _deposits(asked.deposits), seed=asked.seed, faults=faults)
    statement = write_mt940(
        bank.account,
        "IDR",
        day.statement_no,
        day.opening,
        day.opening_on,
        day.day,
        day.entries,
    )
    answers = _answers(bank, day)
    asked.statement.write_bytes(statement)
    asked.answers.write_text(json.dumps(answers, indent=1) + "\n", encoding="utf-8")
    # Last: a bank that dies before this line has not closed the day, and writes the same again.
    save_bank(asked.state, bank)
    return {
        "day": day.day.isoformat(),
        "statement_no": day.statement_no,
        "entries": len(day.entries),
        "opening": str(day.opening),
        "closing": str(day.closing),
        "rejected": len(day.rejections),
    }


def _deposits(path: Path | None) -> list[Deposit]:
    if path is None:
        return []
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Deposit])
    except msgspec.MsgspecError as error:
        raise MalformedInputError(path.name, str(error)) from None


def _answers(bank: Bank, day: BankDay) -> dict[str, object]:
    """What the statement cannot say: an instruction that was not carried out leaves no line."""
    return {
        "bank": bank.bank,
        "account": bank.account,
        "day": day.day.isoformat(),
        "answers": [
            {"reference": each.reference, "outcome": "rejected", "reason": each.reason}
            for each in day.rejections
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
