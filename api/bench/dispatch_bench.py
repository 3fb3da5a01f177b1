"""
Orders through the bank's interface: one worker against the simulated bank over HTTP, alone and beside
the journals of an API; and the bare client, which keeps no books.

Each round starts on a copy of a book whose orders are signed, with a bank that knows nothing yet.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from typing import Final

from sqlalchemy import Engine

from api.bench import machine
from api.bench.banking import CALLS_AT_ONCE, Progress, progress, serving_bank, working
from api.bench.books import BookFacts, data_dir, make_book
from api.bench.cluster import Cluster
from api.bench.load import Plan
from api.bench.report import Cell, Contender, Ratio, Report, rounds_of
from api.bench.servers import BenchRunError, Process, put_load, serving_product
from api.bench.treasury import PAYEES, sign_orders
from api.bench.workload import bank_accounts
from api.dispatch.banks import connections_of
from api.engine import make_engine
from bank_adapters.payments.order import PaymentOrder
from bank_adapters.snap.client import SnapClient
from ledger.money import Money

__all__ = ["DispatchSizes", "run_dispatch"]

COLUMNS: Final = ("orders/s", "app ms", "bank ms", "db ms", "journals/s", "p50 ms", "p99 ms")
ORDERS_A_SECOND_MIN: Final = 200.0
P99_RISE_MAX: Final = 1.5
_TEMPLATE: Final = "dispatch_template"
_BOOK: Final = "dispatch"
_WAIT_SECONDS: Final = 200.0
#: Of the journals offered: an API that can't keep up measures its own queue.
_ABSORBED: Final = 0.95
_LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class DispatchSizes:
    """How many orders a round, and how long and how fast journals come beside them."""

    rounds: int = 3
    orders: int = 4_000
    seconds: float = 8.0
    warm_seconds: float = 2.0
    journals_a_second: float = 500.0
    connections: int = 64


def run_dispatch(cluster: Cluster, sizes: DispatchSizes, say: Callable[[str], None]) -> Report:
    """The whole bench; *say* hears what is being done. Raises BenchRunError."""
    return _DispatchBench(cluster, sizes, say).run()


class _DispatchBench:
    def __init__(self, cluster: Cluster, sizes: DispatchSizes, say: Callable[[str], None]) -> None:
        self._cluster = cluster
        self._sizes = sizes
        self._say = say
        self._numbers = itertools.count(1)
        #: Whether orders were still to be sent when the journals ended, in every round.
        self._lasted = True
        offered = f"{sizes.journals_a_second:.0f}/s"
        self._alone = Contender("rkud worker")
        self._bare = Contender(f"bare client, {CALLS_AT_ONCE} threads")
        self._quiet = Contender(f"rkud serve, {offered}")
        self._beside = Contender(f"rkud serve, {offered}, and a worker")

    def run(self) -> Report:
        self._say(f"opening the book and signing {self._sizes.orders:,} orders")
        urls = self._cluster.create(_TEMPLATE)
        facts = make_book(
            urls.owner,
            urls.app,
            budget="this year",
            app_role=self._cluster.app_role,
            reader_role=self._cluster.reader_role,
            is_demo=True,
        )
        sign_orders(urls.app, self._sizes.orders)
        for number in range(1, self._sizes.rounds + 1):
            self._say(f"round {number} of {self._sizes.rounds}")
            self._alone.cells.append(self._measure_alone())
            self._bare.cells.append(self._measure_bare())
            self._quiet.cells.append(self._measure_api(facts, paying=False))
            self._beside.cells.append(self._measure_api(facts, paying=True))
        return self._report()

    @contextmanager
    def _copy(self) -> Iterator[tuple[str, Path, Path]]:
        """(URL, data directory, folder for the rest) of a copy of the book."""
        with data_dir() as data, tempfile.TemporaryDirectory(prefix="rkud-bench-") as folder:
            url = self._cluster.create(_BOOK, _TEMPLATE).app
            yield url, data, Path(folder)
        self._cluster.drop(_BOOK)

    def _measure_alone(self) -> Cell:
        """From the time that a tenth of the orders is answered to the time that none is queued."""
        with (
            self._copy() as (url, data, folder),
            _looking(url) as look,
            serving_bank(folder, data) as bank,
            working(url, data, folder / "worker.log") as worker,
        ):
            first = _until(look, worker, lambda seen: seen.answered >= self._sizes.orders // 10)
            clocks = self._clocks(worker.pid, bank.pid)
            started = time.perf_counter()
            last = _until(look, worker, lambda seen: not seen.queued)
            seconds = time.perf_counter() - started
            spent = [
                b - a for a, b in zip(clocks, self._clocks(worker.pid, bank.pid), strict=False)
            ]
        done = last.answered - first.answered
        names = ("app ms", "bank ms", "db ms")
        each = {name: used / done * 1000 for name, used in zip(names, spent, strict=False)}
        return Cell({"orders/s": done / seconds, **each})

    def _measure_bare(self) -> Cell:
        """The same number of payments to the same bank, by the client that the worker uses."""
        with self._copy() as (_, data, folder), serving_bank(folder, data) as bank:
            (connection,) = connections_of(data / "banks")
            orders = [_order(n) for n in range(self._sizes.orders)]
            with (
                SnapClient(connection, lambda: datetime.now(UTC), lambda _: "") as client,
                ThreadPoolExecutor(CALLS_AT_ONCE) as pool,
            ):
                clocks = machine.own_cpu_seconds(), machine.cpu_seconds_of(bank.pid)
                started = time.perf_counter()
                answers = list(
                    pool.map(
                        lambda n: client.send(orders[n], f"{n:020d}").meaning, range(len(orders))
                    )
                )
                seconds = time.perf_counter() - started
            own = machine.own_cpu_seconds() - clocks[0]
            banks = machine.cpu_seconds_of(bank.pid) - clocks[1]
        if set(answers) != {"done"}:
            raise BenchRunError(f"the bank answered {sorted(set(answers))} to the bare client")
        count = len(orders)
        return Cell(
            {
                "orders/s": count / seconds,
                "app ms": own / count * 1000,
                "bank ms": banks / count * 1000,
            }
        )

    def _measure_api(self, facts: BookFacts, *, paying: bool) -> Cell:
        sizes = self._sizes
        with self._copy() as (url, data, folder), serving_product(url, data) as serving:
            plan = Plan(
                port=serving.port,
                path=serving.path,
                token=facts.token,
                shape="hot",
                prefix=f"D{next(self._numbers)}-",
                day=facts.today,
                connections=sizes.connections,
                warm_seconds=sizes.warm_seconds,
                seconds=sizes.seconds,
                requests_max=int(
                    sizes.journals_a_second * (sizes.warm_seconds + sizes.seconds) * 1.5
                ),
                rate=sizes.journals_a_second,
            )
            if not paying:
                cell = put_load(plan, serving, self._cluster)
                return Cell(
                    {name: cell.values[name] for name in ("journals/s", "p50 ms", "p99 ms")}
                )
            with (
                _looking(url) as look,
                serving_bank(folder, data),
                working(url, data, folder / "worker.log") as worker,
            ):
                before = _until(look, worker, lambda seen: seen.answered > 0)
                started = time.perf_counter()
                cell = put_load(plan, serving, self._cluster)
                after, seconds = look(), time.perf_counter() - started
        self._lasted = self._lasted and after.queued > 0
        values = {name: cell.values[name] for name in ("journals/s", "p50 ms", "p99 ms")}
        return Cell({"orders/s": (after.answered - before.answered) / seconds, **values})

    def _clocks(self, worker: int, bank: int) -> list[float]:
        database = self._cluster.cpu_seconds()
        clocks = [machine.cpu_seconds_of(worker), machine.cpu_seconds_of(bank)]
        return clocks if database is None else [*clocks, database]

    def _report(self) -> Report:
        offered = self._sizes.journals_a_second
        absorbed = median(self._quiet.column("journals/s")) >= _ABSORBED * offered
        report = Report(
            title=f"{self._sizes.orders:,} orders through a bank's interface",
            machine=machine.line(self._cluster.version),
            columns=COLUMNS,
            contenders=[self._alone, self._bare, self._quiet, self._beside],
        )
        report.ratios = [
            Ratio(
                "orders answered by one worker",
                self._alone.column("orders/s"),
                at_least=ORDERS_A_SECOND_MIN,
                unit="orders/s",
            ),
            Ratio(
                "p99 of the API while orders are sent / while none is",
                rounds_of(self._beside, self._quiet, "p99 ms"),
                at_most=P99_RISE_MAX,
                valid=absorbed and self._lasted,
            ),
            Ratio("rate / bare client", rounds_of(self._alone, self._bare, "orders/s")),
        ]
        report.notes.append(
            "the bank is simulated and shares the cores; it does not wait for its disk"
        )
        return report


@contextmanager
def _looking(url: str) -> Iterator[Callable[[], Progress]]:
    engine: Engine = make_engine(url, pool_size=1)
    try:
        yield lambda: progress(engine)
    finally:
        engine.dispose()


def _until(
    look: Callable[[], Progress], worker: Process, is_so: Callable[[Progress], bool]
) -> Progress:
    """What was seen when it was so. Raises BenchRunError."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while not is_so(seen := look()):
        worker.check()
        if time.monotonic() > deadline:
            raise BenchRunError(f"the worker does not go on: {seen}; {worker.said()}")
        time.sleep(_LOOK_SECONDS)
    return seen


def _order(n: int) -> PaymentOrder:
    bank, account, name = PAYEES[n % len(PAYEES)]
    return PaymentOrder(
        f"BARE{n:08d}",
        Money(10_000_00 + n),
        bank_accounts(1)[0].partition(":")[2],
        bank,
        account,
        name,
        "Belanja alat tulis kantor",
        "intrabank" if bank == "137" else "bifast",
        date.today(),  # noqa: DTZ011  # any day
    )
