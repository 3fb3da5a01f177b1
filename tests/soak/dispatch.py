"""
Pay through a bank that misbehaves, with workers killed at random: each order at most once, all known.

    python -m tests.soak.dispatch [--payments 20000] [--kills 300] [--faults 0.2] [--seed 1]
                                  [--workers 2] [--engine postgresql|sqlite] [--recognition on_cair|on_issue]

A demo book on a private database, the simulated bank in its own process with faults by seed, a server
that takes the bank's callbacks, and two workers that are killed with kill -9 again and again. In the
end the bank's statements come in, a last worker settles what is left, and the bank's own record of
what it executed is held against the books: no order executed twice, each executed one known as paid,
none unexplained, and book, bank and statement equal to the sen.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr
from sqlalchemy import Engine, text

from api.dispatch.running import make_worker
from api.dispatch.timing import Timing
from api.dispatch.worker import Worker
from api.engine import make_engine, reading
from api.fsck import check_all
from api.migrations_runner import upgrade
from api.opening import make_book
from api.private_postgres import PrivatePostgres
from api.settings import Settings
from ledger.budget import BudgetRow, ReleaseRow
from ledger.budget_shell import LoadBudget
from ledger.documents.bodies import PayeeBody, SpendingLineBody
from ledger.documents.dispatch_queries import list_attention
from ledger.money import parse_sen, sen_text
from ledger.opening import ADMIN_1, ADMIN_2, RECONCILER, NewBook
from ledger.policies import SetPolicy
from ledger.posting import Accepted, Refused
from ledger.proposals import BothHands
from ledger.session import Command
from reconciliation import Reconcile, read_import
from reconciliation.exceptions import prove
from tests.builders import SKPD, answer, run
from tests.ledger.documents.office import EXPENSE, LINE, SUB, Office
from tests.soak.server import Book, Server

GOVERNMENT = "36"
ACCOUNT = "0012345678"
BANK = f"137:{ACCOUNT}"
OPENING = "9000000000000.00"
PAYEES = 200
PER_SP2D = 1_000
WORKERS = 2
OPEN = ("queued", "sent", "accepted", "unknown")

_BANKS = """\
[[bank]]
name = "simulated"
bank_code = "137"
accounts = ["{source_account}"]
live = false
simulator = true
base_url = "{base_url}"
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
answer_seconds = 3.0
total_seconds = 5.0
first_inquiry_seconds = 1
calls_at_once = 12
"""
_RAILS = """\
[[rail]]
rail = "skn"
valid_from = 2016-07-01
amount_min = "0.01"
amount_max = "1000000000.00"
days = "every"
windows = ["00:00-24:00"]
source = "a soak runs at any hour"
"""
#: What goes wrong, as parts of the whole share of faults.
_SHARES = {
    "timeout_before": 1,
    "timeout_after": 2,
    "timeout_late": 1,
    "internal_before": 1,
    "internal_after": 1,
    "too_many": 2,
    "progress_success": 2,
    "progress_failure": 1,
    "broken_unread": 1,
    "broken_before": 1,
    "broken_after": 2,
    "broken_headers": 1,
    "broken_body": 1,
    "foreign_service": 1,
    "other_amount": 1,
    "unreadable": 1,
    "rejected": 2,
    "status_hidden": 2,
    "callback_missing": 2,
    "callback_late": 1,
    "callback_duplicate": 1,
    "callback_replayed": 1,
    "returned": 1,
    "twin": 1,
    "bank_error": 1,
}


class RealOffice(Office):
    """A treasury whose clock is the machine's."""

    def run(
        self, *commands: Command, now: datetime | None = None, today: str = ""
    ) -> list[Accepted | Refused]:
        """Results of commands in one committed batch."""
        at = datetime.now(UTC)
        return run(self.engine, *commands, now=at, today=local(at), government=self.government)


def local(at: datetime) -> str:
    """The Jakarta day of an instant."""
    return (at + timedelta(hours=7)).date().isoformat()


class Bank:
    """The simulated bank in its own process, and what it knows."""

    def __init__(self, folder: Path, faults: Path, callbacks_to: str, port: int) -> None:
        self.folder = folder
        self._faults = faults
        self._callbacks_to = callbacks_to
        self._port = port
        self.process: subprocess.Popen[bytes] | None = None

    def prepare(self, payees: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
        """Make it; its credentials."""
        file = self.folder.parent / "payees.csv"
        file.write_text("".join(f"{bank},{number},{name}\n" for bank, number, name in payees))
        yesterday = (date.fromisoformat(local(datetime.now(UTC))) - timedelta(days=1)).isoformat()
        self.tell(
            "prepare", "--account", BANK, "--balance", OPENING, "--on", yesterday,
            "--payees", str(file), "--port", str(self._port),
        )  # fmt: skip
        credentials: dict[str, Any] = json.loads((self.folder / "credentials.json").read_text())
        return credentials

    def serve(self) -> None:
        """Start it."""
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "bank_adapters.simulator", "serve"),
                *("--directory", str(self.folder), "--faults", str(self._faults)),
                *("--callbacks-to", self._callbacks_to, "--synchronous", "NORMAL"),
                *("--port", str(self._port)),
            ],
            stdout=subprocess.PIPE,
            stderr=(self.folder.parent / "bank.log").open("ab"),
        )

    def ready(self) -> str:
        """Where it serves, once it does."""
        if self.process is None or self.process.stdout is None:
            raise SystemExit("the bank was not started")
        line = self.process.stdout.readline()
        return "http://" + urlsplit(json.loads(line)["ready"]).netloc

    def tell(self, command: str, *arguments: str) -> dict[str, Any]:
        """One of its commands."""
        done = subprocess.run(
            [
                *(sys.executable, "-m", "bank_adapters.simulator", command),
                *("--directory", str(self.folder), *arguments),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)


class Workers:
    """Workers in process groups of their own."""

    def __init__(self, book: Book, log: Path, number: int) -> None:
        self._book = book
        self._log = log.open("ab")
        self._processes = [self._start() for _ in range(number)]
        self.kills = 0

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", "from api.cli import main; main()", "worker"],
            env=self._book.environment,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def kill_one(self, chance: random.Random) -> None:
        """Kill -9, and start another in its place."""
        n = chance.randrange(len(self._processes))
        os.killpg(self._processes[n].pid, signal.SIGKILL)
        self._processes[n].wait()
        self._processes[n] = self._start()
        self.kills += 1

    def stop(self) -> None:
        """End them politely."""
        for each in self._processes:
            each.terminate()
        for each in self._processes:
            each.wait(60)


# --- the book ------------------------------------------------------------------------------------------


@contextmanager
def new_book(folder: Path, engine: str, recognition: str) -> Iterator[Book]:
    """A demo book on a private database."""
    data = folder / "data"
    environment = os.environ | {"RKUD_DATA_DIR": str(data), "RKUD_ACCESS_LOG": "false"}
    environment.pop("RKUD_DATABASE_URL", None)
    with ExitStack() as stack:
        url = f"sqlite:///{data}/rkud.db"
        settings = Settings(data_dir=data)
        if engine == "postgresql":
            server = stack.enter_context(PrivatePostgres(durable=True, max_connections=80))
            urls = server.create_database("dispatch")
            url = urls.app
            environment |= {"RKUD_DATABASE_URL": urls.app}
            upgrade(urls.owner)
            settings = Settings(data_dir=data, database_url=SecretStr(urls.app))
        today = local(datetime.now(UTC))
        year = int(today[:4])
        make_book(
            settings,
            NewBook(
                government=GOVERNMENT,
                name="Provinsi Uji",
                bank_account=BANK,
                bank_account_name="RKUD",
                recognition=recognition,
                fiscal_years=[year],
                origin=f"rkud/{GOVERNMENT}",
                feed=[],
                opening_balance_sen=parse_sen(OPENING),
                opening_on=f"{year}-01-01",
                is_demo=True,
            ),
        )
        yield Book(environment, url, data)


def connect(bank: Bank, book: Book, payees: Sequence[tuple[str, str, str]]) -> None:
    """Make the bank, tell the book how to reach it, and start it."""
    credentials = bank.prepare(payees)
    banks = book.folder / "banks"
    banks.mkdir(mode=0o700)
    (banks / "secret").write_text(credentials["client_secret"])
    root = credentials["base_path"].removesuffix("/v1.0")
    bank.serve()
    credentials["base_url"] = bank.ready()
    (banks / "banks.toml").write_text(_BANKS.format(root=root, **credentials))
    (banks / "rails.toml").write_text(_RAILS)


def make_orders(
    engine: Engine, payments: int, payees: Sequence[tuple[str, str, str]], seed: int
) -> RealOffice:
    """Signed lists of so many payments that leave through the bank's interface."""
    chance = random.Random(seed)
    office = RealOffice(engine, GOVERNMENT)
    office.open_office("anggaran")
    year = int(local(datetime.now(UTC))[:4])
    much = 8_000_000_000_000_00
    rows = [
        BudgetRow(LINE, SKPD, SUB, "5.1.02.01.01.0024", "1.1.01", much, "Dinas Uji"),
        ReleaseRow(SKPD, SUB, "", much),
    ]
    office.do(LoadBudget("anggaran", year, "a" * 64, rows))
    office.open_office("pa", "maker", "maker-2", "verifier", "kuasa", "worker")
    today = local(datetime.now(UTC))
    office.do(BothHands(ADMIN_1, ADMIN_2, SetPolicy("channel", f"{BANK} snap", today)))
    left = payments
    while left:
        count = min(left, PER_SP2D)
        chosen = []
        for _ in range(count):
            bank, number, name = chance.choice(payees)
            large = bank != "137" and chance.random() < 0.05
            sen = (
                chance.randrange(25_000_000_100, 60_000_000_000)
                if large
                else chance.randrange(100, 500_000_000)
            )
            chosen.append(PayeeBody(name, bank, number, sen_text(sen), npwp="0" * 15))
        total = sum(parse_sen(each.gross) for each in chosen)
        body = office.spm_body(
            dated_on=today, payees=chosen, lines=[SpendingLineBody(LINE, EXPENSE, sen_text(total))]
        )
        made = office.issue(body)["payments"]
        office.list_payments(*made)
        left -= count
        print(f"\r{payments - left} orders signed", end="", flush=True)
    print()
    return office


# --- the run -------------------------------------------------------------------------------------------


def states(engine: Engine) -> Counter[str]:
    """Payments by state."""
    with reading(engine) as conn:
        return Counter(
            dict(
                tuple(row)
                for row in conn.execute(text("SELECT state, count(*) FROM payment GROUP BY state"))
            )
        )


def pay(engine: Engine, workers: Workers, payments: int, kills: int, chance: random.Random) -> None:
    """Kill workers while they pay, spread over the whole run; then let them come to rest."""
    started = killed_at = time.monotonic()
    sending: list[tuple[float, int]] = []
    quiet_since, before = started, Counter[str]()
    while True:
        time.sleep(0.2)
        now = states(engine)
        open_ = sum(now[each] for each in OPEN)
        moved = payments - now["queued"]
        if 0 < moved and now["queued"]:
            sending.append((time.monotonic(), moved))
        due = workers.kills < kills and (
            workers.kills < kills * moved / payments or time.monotonic() - killed_at > 8.0
        )
        if due and time.monotonic() - killed_at > 0.3 + chance.random():
            workers.kill_one(chance)
            killed_at = time.monotonic()
        if now != before:
            quiet_since, before = time.monotonic(), now
        print(
            f"\r{time.monotonic() - started:5.0f} s  kills {workers.kills:3}  "
            + "  ".join(f"{name} {number}" for name, number in sorted(now.items())) + "   ",
            end="",
            flush=True,
        )  # fmt: skip
        rested = time.monotonic() - quiet_since
        if workers.kills >= kills and (not open_ or rested > 45):
            break
        if time.monotonic() - started > 3_600:
            raise SystemExit("no end within an hour")
    print()
    if len(sending) > 1 and sending[-1][0] > sending[0][0]:
        (first, some), (last, most) = sending[0], sending[-1]
        print(f"{(most - some) / (last - first):.0f} orders a second were sent")


def settle(engine: Engine, settings: Settings, bank: Bank) -> list[str]:
    """The bank's statements of today and tomorrow, and a worker two days on; the imported files."""
    ahead = timedelta(days=2)

    def clock() -> datetime:
        return datetime.now(UTC) + ahead

    today = date.fromisoformat(local(datetime.now(UTC)))
    for day in (today, today + timedelta(days=1)):
        bank.tell(
            "end-day", "--day", day.isoformat(), "--today", (day + timedelta(days=1)).isoformat()
        )
    taken = []
    for path in sorted((bank.folder / "statements").glob("*")):
        if path.suffix not in (".sta", ".mt940", ".940"):
            continue
        command = read_import(RECONCILER, BANK, path.read_bytes(), format="mt940", name=path.name)
        answer(run(engine, command, now=clock(), today=local(clock()), government=GOVERNMENT)[0])
        taken.append(path.name)
    made = make_worker(engine, settings, GOVERNMENT)
    made.checkpoints.stop()
    later = Worker(
        engine,
        GOVERNMENT,
        "Asia/Jakarta",
        "worker",
        made.worker.banks,
        made.worker.route,
        clock,
        Timing(lease=20, call_most=10, first_ask=1, ask_most=5, retry=1, retry_most=5),
        12,
    )
    end = time.monotonic() + 300
    while time.monotonic() < end:
        later.step()
        if not sum(states(engine)[each] for each in OPEN) and not later.is_busy:
            break
    later.close()
    command = Reconcile(RECONCILER, BANK, (today + timedelta(days=1)).isoformat())
    answer(run(engine, command, now=clock(), today=local(clock()), government=GOVERNMENT)[0])
    return taken


def judge(engine: Engine, bank: Bank, payments: int) -> list[str]:
    """What is wrong."""
    told = bank.tell("report")
    orders = told["orders"]
    with reading(engine) as conn:
        rows = {
            row[0]: (row[1], row[2])
            for row in conn.execute(text("SELECT id, state, amount_sen FROM payment"))
        }
        cash = conn.execute(
            text("SELECT balance_sen, committed_sen FROM account_balance WHERE bank_account = :b"),
            {"b": BANK},
        ).one()
        findings = [f for f in check_all(conn, GOVERNMENT) if f.severity == "error"]
        waiting = list_attention(conn, GOVERNMENT, limit=500)
        odd = {
            each: [
                tuple(row)
                for row in conn.execute(
                    text(
                        "SELECT source, meaning, code FROM payment_answer WHERE payment_id = :p"
                        " ORDER BY n"
                    ),
                    {"p": each.payment},
                )
            ]
            for each in waiting
        }
        proof = prove(conn, GOVERNMENT, BANK, local(datetime.now(UTC) + timedelta(days=1)))
    wrong = [
        f"{name} was executed {o['executions']} times"
        for name, o in orders.items()
        if o["executions"] > 1
    ]
    for name, (state, sen) in rows.items():
        order = orders.get(name, {"executions": 0, "returned": 0, "amount": sen_text(sen)})
        expected = "rejected"
        if order["executions"]:
            expected = "returned" if order["returned"] else "paid"
        if state != expected or (order["executions"] and order["amount"] != sen_text(sen)):
            wrong.append(f"{name} is {state}, the bank says {expected}: {order}")
    wrong += [f"{name} is no order of the book" for name in orders if name not in rows]
    wrong += [str(each) for each in findings]
    closing = told["statements"][-1]["closing"]
    balance = told["balances"][BANK]["balance"]
    print(
        f"orders {len(rows)} of {payments}, at the bank {len(orders)}; states {dict(states(engine))}"
    )
    print(f"faults given: {told['faults']}")
    print(f"callbacks: {told['callbacks']}")
    print(f"book {sen_text(cash[0])}  committed {sen_text(cash[1])}")
    print(f"bank {balance}  statement {closing}  zero sum {told['zero_sum']}")
    reasons = Counter((item.side, item.reason) for item in proof.items)
    print(f"proof: difference {sen_text(proof.difference_sen)}; open items {dict(reasons)}")
    print(f"waiting for people: {Counter(each.reason for each in waiting)}")
    for each, answers in list(odd.items())[:10]:
        print(f"  {each.payment} {each.state} {each.reason}: {answers}")
    if not (sen_text(cash[0]) == balance == closing):
        wrong.append(f"book {sen_text(cash[0])}, bank {balance}, statement {closing}")
    if not proof.is_proven:
        wrong.append(f"the proof leaves {sen_text(proof.difference_sen)} unexplained")
    if len(rows) != payments or not told["zero_sum"] or not told["balances_agree"]:
        wrong.append("orders are missing, or the bank's own books are uneven")
    return wrong


def main() -> int:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payments", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--faults", type=float, default=0.2)
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--recognition", choices=("on_cair", "on_issue"), default="on_cair")
    parser.add_argument("--keep", type=Path, help="directory to work in, kept")
    asked = parser.parse_args()
    os.umask(0o077)  # what lies in a data directory is its owner's alone
    chance = random.Random(asked.seed)
    payees = [
        (bank, f"{2_000_000_000 + n}", f"PT Penerima {n}")
        for n in range(PAYEES)
        for bank in ("137", "014", "002")
    ]
    with ExitStack() as stack:
        folder = asked.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(exist_ok=True)
        book = stack.enter_context(new_book(folder, asked.engine, asked.recognition))
        engine = make_engine(book.url)
        script = folder / "faults.toml"
        whole = sum(_SHARES.values())
        script.write_text(
            f"seed = {asked.seed}\ndelay_ms = 400\nhold_seconds = 4\n[probability]\n"
            + "".join(f"{n} = {asked.faults * part / whole:.5f}\n" for n, part in _SHARES.items())
        )
        server = Server(book, log=folder / "server.log")
        stack.callback(server.stop)
        callbacks = f"http://127.0.0.1:{server.port}/v1/governments/{GOVERNMENT}/banks/simulated"
        bank = Bank(folder / "bank", script, callbacks, server.port + 1)
        connect(bank, book, payees)
        stack.callback(bank.stop)
        server.wait_ready()
        make_orders(engine, asked.payments, payees, asked.seed)
        started = time.monotonic()
        workers = Workers(book, folder / "workers.log", asked.workers)
        try:
            pay(engine, workers, asked.payments, asked.kills, chance)
        finally:
            workers.stop()
        print(
            f"{time.monotonic() - started:.0f} s of paying, {workers.kills} kills; left: {dict(states(engine))}"
        )
        settings = Settings(data_dir=book.folder, database_url=SecretStr(book.url))
        print(f"statements: {settle(engine, settings, bank)}")
        wrong = judge(engine, bank, asked.payments)
        engine.dispose()
    for each in wrong[:40]:
        print(each)
    print(
        f"{len(wrong)} things are wrong"
        if wrong
        else "each order was executed at most once and is known"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
