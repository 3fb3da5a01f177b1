"""The simulated bank and a worker that pays through it, each in a process of its own, for a bench."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, func, select

from api.bench.books import GOVERNMENT
from api.bench.servers import RKUD, BenchRunError, Process, free_port, process
from api.bench.treasury import PAYEES
from api.bench.workload import bank_accounts
from api.engine import reading
from audit.keys import create_secret
from ledger import tables as t

__all__ = ["CALLS_AT_ONCE", "Progress", "progress", "serving_bank", "working"]

#: Calls that the bank's entry allows at once.
CALLS_AT_ONCE: Final = 48
_BALANCE: Final = "9000000000000.00"
_SIMULATOR: Final = (sys.executable, "-m", "bank_adapters.simulator")
_BANKS: Final = """\
[[bank]]
name = "bench"
bank_code = "137"
accounts = ["{source_account}"]
live = false
simulator = true
base_url = "http://127.0.0.1:{port}"
base_path = "{root}"
client_id = "{client_id}"
partner_id = "{partner_id}"
channel_id = "{channel_id}"
signature_encoding = "{signature_encoding}"
transaction_signature = "{transaction_signature}"
private_key_file = "{customer_private_key_file}"
client_secret_file = "secret"
bank_public_key_file = "{bank_public_key_file}"
purpose_code = "99"
calls_at_once = {calls}
"""
_RAILS: Final = """\
[[rail]]
rail = "skn"
valid_from = 2016-07-01
amount_min = "0.01"
amount_max = "1000000000.00"
days = "every"
windows = ["00:00-24:00"]
source = "a bench runs at any hour"
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """Orders by where they stand: not called for yet, called for, and answered by the bank."""

    queued: int
    sent: int
    answered: int


@contextlib.contextmanager
def serving_bank(folder: Path, data: Path) -> Iterator[Process]:
    """
    A new simulated bank without faults; *folder* holds its books, and the book
    whose data directory is *data* is told how to reach it.

    Raises BenchRunError.
    """
    port = free_port()
    payees = folder / "payees.csv"
    payees.write_text("".join(f"{bank},{number},{name}\n" for bank, number, name in PAYEES))
    home = folder / "bank"
    prepared = subprocess.run(  # noqa: S603  # our own program
        [
            *(*_SIMULATOR, "prepare", "--directory", str(home), "--port", str(port)),
            *("--account", bank_accounts(1)[0], "--balance", _BALANCE, "--payees", str(payees)),
            *("--on", (date.today() - timedelta(days=1)).isoformat()),  # noqa: DTZ011  # any day
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if prepared.returncode:
        raise BenchRunError(prepared.stdout + prepared.stderr)
    told = json.loads((home / "credentials.json").read_text())
    banks = data / "banks"
    banks.mkdir(mode=0o700)
    root = told["base_path"].removesuffix("/v1.0")
    entry = _BANKS.format(root=root, port=port, calls=CALLS_AT_ONCE, **told)
    create_secret(banks / "secret", told["client_secret"].encode())
    create_secret(banks / "banks.toml", entry.encode())
    create_secret(banks / "rails.toml", _RAILS.encode())
    command = [*_SIMULATOR, "serve", "--directory", str(home), "--port", str(port)]
    with process([*command, "--synchronous", "NORMAL"], {}, folder / "bank.log", port) as made:
        yield made


@contextlib.contextmanager
def working(app_url: str, data: Path, log: Path) -> Iterator[Process]:
    """`rkud worker` as an operator starts it."""
    environment = {"RKUD_DATA_DIR": str(data), "RKUD_DATABASE_URL": app_url}
    with process([*RKUD, "worker"], environment, log) as made:
        yield made


def progress(engine: Engine) -> Progress:
    """Where the orders stand."""
    p = t.payment.c
    with reading(engine) as conn:
        found = {
            str(row[0]): int(row[1])
            for row in conn.execute(
                select(p.state, func.count()).where(p.government == GOVERNMENT).group_by(p.state)
            )
        }
    queued, sent = found.pop("queued", 0), found.pop("sent", 0)
    return Progress(queued, sent, sum(found.values()))
