"""
The served bank's commands: prepare, serve, end-day, silence, report.

    python -m bank_adapters.simulator prepare --directory bank --account 137:0012345678 \\
        --balance 950000000000.00 --payee-account 137:2000000001:"CV Maju" \\
        --payee-account 002:3000000001:"PT Jaya"
    python -m bank_adapters.simulator serve --directory bank --faults faults.toml
    python -m bank_adapters.simulator end-day --directory bank --out statements
    python -m bank_adapters.simulator report --directory bank

A development tool that ships: it plays a bank, on 127.0.0.1 alone, and is none.
"""

from __future__ import annotations

import argparse
import csv
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from bank_adapters.simulator import books
from bank_adapters.simulator.closing import end_days, write_statements
from bank_adapters.simulator.errors import MalformedInputError
from bank_adapters.simulator.faults import FAULT_MEANINGS, NO_FAULTS, Script, read_script
from bank_adapters.simulator.preparing import DATABASE, Payee, load_settings, prepare
from bank_adapters.simulator.report import report
from bank_adapters.simulator.serving import Serving, real_clock, serve_forever
from bank_adapters.simulator.store import connect
from ledger.money import Money

__all__ = ["COMMANDS", "add_commands", "open_bank", "prepare_from_text", "read_faults", "run"]

_STATUSES: Final[tuple[list[str], ...]] = ([], ["active"], ["closed"], ["dormant"], ["frozen"])
COMMANDS: Final = ("prepare", "serve", "end-day", "silence", "report")


def add_commands(commands: Any) -> None:
    """Put the commands' parsers into *commands*, what argparse's `add_subparsers` gave."""
    preparing = commands.add_parser("prepare", help="make a bank to serve: keys, accounts, books")
    preparing.add_argument("--account", required=True, metavar="BANKCODE:NO")
    preparing.add_argument("--balance", required=True, metavar="AMOUNT")
    preparing.add_argument("--on", type=date.fromisoformat, metavar="DATE", help="balance's day")
    preparing.add_argument("--name", default="RKUD", help="the account holder's name")
    preparing.add_argument(
        "--payee-account",
        action="append",
        default=[],
        metavar="BANK:NO:NAME[:STATUS]",
        help="known",
    )
    preparing.add_argument("--payees", type=Path, metavar="CSV", help="bank,no,name[,status] a row")
    preparing.add_argument("--port", type=int, default=8780)
    preparing.add_argument("--base-path", default="/snap/v1.0")
    preparing.add_argument("--signature-encoding", choices=("base64", "hex"), default="base64")
    preparing.add_argument(
        "--transaction-signature", choices=("symmetric", "asymmetric"), default="symmetric"
    )
    preparing.add_argument(
        "--tls", action="store_true", help="TLS 1.3, with a certificate of its own making"
    )
    preparing.add_argument("--page-rows", type=int, default=500, help="lines a statement page")
    serving = commands.add_parser(
        "serve",
        help="serve SNAP on 127.0.0.1",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="faults:\n" + "\n".join(f"  {n:20}{m}" for n, m in FAULT_MEANINGS.items()),
    )
    serving.add_argument("--port", type=int, help="0 for any; default: the prepared one")
    serving.add_argument("--callbacks-to", default="", metavar="URL", help="the customer's")
    serving.add_argument("--seed", type=int, help="instead of the script's")
    serving.add_argument("--faults", type=Path, metavar="SCRIPT.toml")
    serving.add_argument("--latency-ms", type=int, default=0)
    serving.add_argument("--synchronous", choices=("FULL", "NORMAL"), default="FULL")
    ending = commands.add_parser("end-day", help="end the bank's day, write its statements")
    ending.add_argument("--day", type=date.fromisoformat, metavar="DATE", help="through this day")
    ending.add_argument("--out", type=Path, metavar="DIR", help="default: statements in DIRECTORY")
    silence = commands.add_parser("silence", help="make a served bank answer nobody for a while")
    silence.add_argument("--kind", choices=("timeout", "unavailable"), default="timeout")
    silence.add_argument("--seconds", type=float, required=True, help="from now; 0 ends it")
    reporting = commands.add_parser("report", help="what was executed, as JSON")
    for each in (preparing, serving, ending, silence, reporting):
        each.add_argument("--directory", required=True, type=Path, metavar="DIR")
    for each in (serving, ending):
        each.add_argument(
            "--today", type=date.fromisoformat, metavar="DATE", help="not the clock's"
        )


def run(asked: argparse.Namespace) -> dict[str, object] | None:
    """Do what was asked; the answer as JSON's values, None after serving."""
    match asked.command:
        case "prepare":
            return _prepare(asked)
        case "serve":
            _serve(asked)
            return None
        case "end-day":
            return _end_day(asked)
        case "silence":
            return _silence(asked)
    with closing(open_bank(asked.directory)) as conn:
        return report(conn)


def open_bank(directory: Path) -> sqlite3.Connection:
    """The books of a prepared bank, served or not. Raises MalformedInputError."""
    load_settings(directory)
    return connect(directory / DATABASE)


def _prepare(asked: argparse.Namespace) -> dict[str, object]:
    on = asked.on or real_clock().date() - timedelta(days=1)
    payees = _payees(asked.payee_account)
    if asked.payees is not None:
        with asked.payees.open(newline="", encoding="utf-8") as file:
            payees += [_payee(asked.payees.name, row) for row in csv.reader(file) if row]
    options = {
        name: getattr(asked, name)
        for name in (
            "port",
            "base_path",
            "signature_encoding",
            "transaction_signature",
            "page_rows",
            "tls",
        )
    }
    balance = Money.parse(asked.balance)
    prepare(asked.directory, asked.account, balance, on, payees, name=asked.name, options=options)
    return {
        "account": asked.account,
        "balance": str(balance),
        "payees": len(payees),
        "credentials": str(asked.directory / "credentials.json"),
    }


def prepare_from_text(
    directory: Path, account: str, balance: str, on: date, payees: Sequence[str]
) -> None:
    """Make a bank; *payees*: `BANK:NO:NAME[:STATUS]`. Raises MalformedInputError."""
    prepare(directory, account, Money.parse(balance), on, _payees(payees))


def _payees(given: Sequence[str]) -> list[Payee]:
    return [_payee("payee account", each.split(":", 3)) for each in given]


def _payee(where: str, parts: list[str]) -> Payee:
    given = [part.strip() for part in parts]
    if len(given) not in (3, 4) or not all(given) or given[3:] not in _STATUSES:
        raise MalformedInputError(where, f"{':'.join(parts)!r} is not BANK:NO:NAME[:STATUS]")
    return Payee(*given)


def _serve(asked: argparse.Namespace) -> None:
    how = Serving(
        asked.port,
        asked.callbacks_to,
        read_faults(asked.faults, asked.seed),
        asked.latency_ms,
        asked.today,
        asked.synchronous,
    )
    serve_forever(asked.directory, how)


def read_faults(path: Path | None, seed: int | None) -> Script:
    """The script in *path*, if any, with *seed*, if any, in place of its own."""
    script = NO_FAULTS
    if path is not None:
        script = read_script(path.read_text(encoding="utf-8"), path.name)
    return script if seed is None else script.with_seed(seed)


def _end_day(asked: argparse.Namespace) -> dict[str, object]:
    now = real_clock()
    out = asked.out or asked.directory / "statements"
    with closing(open_bank(asked.directory)) as conn:
        # The day that the served bank goes by, where it doesn't go by the calendar.
        kept = books.get(conn, "today")
        today = asked.today or (date.fromisoformat(kept) if kept else None)
        ended = end_days(conn, asked.day, now, today)
        return {
            "statements": [
                {
                    "account": each.account,
                    "no": each.no,
                    "day": each.day.isoformat(),
                    "opening": str(each.opening),
                    "closing": str(each.closing),
                    "files": [str(path) for path in write_statements(conn, each, out, now)],
                }
                for each in ended
            ]
        }


def _silence(asked: argparse.Namespace) -> dict[str, object]:
    until = real_clock().timestamp() + asked.seconds
    with closing(open_bank(asked.directory)) as conn:
        books.put(conn, "silent_until", f"{until:.3f} {asked.kind}")
    return {"silent": asked.kind, "seconds": asked.seconds}
