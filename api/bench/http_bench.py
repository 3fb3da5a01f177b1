"""
One journal a request: the product against the naive app and the prototype.

Each round starts every contender afresh on an empty copy of its database, so growth of one does not
weigh on the other. With *full* the product is also measured on a book that holds a million journals
already; that book is filled by the import path, once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.bench import machine
from api.bench.books import BookFacts, data_dir, make_book
from api.bench.cluster import Cluster
from api.bench.importing import import_file, write_file
from api.bench.load import Plan
from api.bench.report import Cell, Contender, Ratio, Report, rounds_of
from api.bench.servers import put_load, serving_product, serving_yardstick
from api.bench.workload import Shape
from api.bench.yardsticks import schema

__all__ = ["HttpSizes", "run_http"]

COLUMNS: Final = ("journals/s", "p50 ms", "p99 ms", "app ms", "db ms")
#: Above this the naive app would be a poor one, and the ratio to it worth nothing.
NAIVE_CPU_MS_MAX: Final = 6.0
#: More than anything here answers in a second; requests beyond are never made.
_REQUESTS_A_SECOND_MAX: Final = 8_000
_NAIVE_A_SECOND_MAX: Final = 1_000

_TEMPLATE: Final = "book_template"
_FULL: Final = "book_full"


@dataclass(frozen=True, slots=True)
class HttpSizes:
    """How long and how wide. *full_journals* 0: no full book."""

    rounds: int = 3
    warm_seconds: float = 1.5
    seconds: float = 5.0
    connections: int = 128
    naive_connections: int = 32
    full_journals: int = 0


def run_http(cluster: Cluster, sizes: HttpSizes, say: Callable[[str], None]) -> Report:
    """The whole bench; *say* hears what is being done. Raises BenchRunError."""
    bench = _HttpBench(cluster, sizes, say)
    return bench.run()


class _HttpBench:
    def __init__(self, cluster: Cluster, sizes: HttpSizes, say: Callable[[str], None]) -> None:
        self._cluster = cluster
        self._sizes = sizes
        self._say = say
        self._numbers = itertools.count(1)
        wide, narrow = sizes.connections, sizes.naive_connections
        self._product = Contender(f"rkud serve, 4 lines, {wide} connections, empty book")
        self._naive = Contender(
            f"naive ORM app, 4 lines, {narrow} connections", cpu_ms_max=NAIVE_CPU_MS_MAX
        )
        self._prototype = Contender(f"prototype without checks, 4 lines, {wide} connections")
        self._ls16 = Contender(f"rkud serve, LS of 16 lines, {wide} connections, empty book")
        self._full = Contender(
            f"rkud serve, 4 lines, {wide} connections, {sizes.full_journals:,} journals before"
        )

    def run(self) -> Report:
        with data_dir() as full_folder:
            return self._run(full_folder)

    def _run(self, full_folder: Path) -> Report:
        self._say("opening the book")
        urls = self._cluster.create(_TEMPLATE)
        facts = make_book(
            urls.owner,
            urls.app,
            budget="this year",
            app_role=self._cluster.app_role,
            reader_role=self._cluster.reader_role,
        )
        full_url = ""
        if self._sizes.full_journals:
            self._say(f"importing {self._sizes.full_journals:,} journals into the full book")
            full_url = self._cluster.create(_FULL, _TEMPLATE).app
            self._fill(full_url, full_folder, facts)
        for number in range(1, self._sizes.rounds + 1):
            self._say(f"round {number} of {self._sizes.rounds}")
            self._product.cells.append(self._measure_product(facts, "hot"))
            self._naive.cells.append(self._measure_yardstick("naive", facts))
            self._prototype.cells.append(self._measure_yardstick("prototype", facts))
            self._ls16.cells.append(self._measure_product(facts, "ls16"))
            if full_url:
                self._full.cells.append(self._measure_on(full_url, full_folder, facts, "hot"))
        return self._report()

    def _fill(self, url: str, folder: Path, facts: BookFacts) -> None:
        count = self._sizes.full_journals
        path = folder / "journals.jsonl"
        write_file(path, facts, "hot", count)
        import_file(url, folder, path, count)
        path.unlink()

    def _measure_product(self, facts: BookFacts, shape: Shape) -> Cell:
        with data_dir() as folder:
            app_url = self._cluster.create("book", _TEMPLATE).app
            cell = self._measure_on(app_url, folder, facts, shape)
        self._cluster.drop("book")
        return cell

    def _measure_on(self, app_url: str, folder: Path, facts: BookFacts, shape: Shape) -> Cell:
        with serving_product(app_url, folder) as serving:
            plan = self._plan(facts, shape, serving.port, serving.path)
            return put_load(plan, serving, self._cluster)

    def _measure_yardstick(self, name: str, facts: BookFacts) -> Cell:
        urls = self._cluster.create(name)
        plain = urls.owner.replace("+psycopg", "")
        schema.create(plain)
        url = urls.owner if name == "naive" else plain
        with serving_yardstick(name, url) as serving:
            plan = self._plan(facts, "hot", serving.port, serving.path, is_naive=name == "naive")
            cell = put_load(plan, serving, self._cluster)
        schema.verify(plain)
        self._cluster.drop(name)
        return cell

    def _plan(
        self, facts: BookFacts, shape: Shape, port: int, path: str, *, is_naive: bool = False
    ) -> Plan:
        sizes = self._sizes
        rate = _NAIVE_A_SECOND_MAX if is_naive else _REQUESTS_A_SECOND_MAX
        return Plan(
            port=port,
            path=path,
            token=facts.token,
            shape=shape,
            prefix=f"H{next(self._numbers)}-",
            day=facts.today,
            connections=sizes.naive_connections if is_naive else sizes.connections,
            warm_seconds=sizes.warm_seconds,
            seconds=sizes.seconds,
            requests_max=int(rate * (sizes.warm_seconds + sizes.seconds)) + 1_000,
        )

    def _report(self) -> Report:
        product, naive, prototype = self._product, self._naive, self._prototype
        report = Report(
            title="One journal a request over HTTP",
            machine=machine.line(self._cluster.version),
            columns=COLUMNS,
            contenders=[product, naive, prototype, self._ls16],
        )
        shapes = [(product, "")]
        if self._full.cells:
            report.contenders.append(self._full)
            shapes.append((self._full, f", {self._sizes.full_journals:,} journals before"))
        for contender, label in shapes:
            report.ratios += [
                Ratio(
                    f"rate / naive{label}",
                    rounds_of(contender, naive, "journals/s"),
                    at_least=8.0,
                    valid=naive.is_valid,
                ),
                Ratio(f"p99 / p50{label}", _tail(contender), at_most=3.0),
                Ratio(f"rate / prototype{label}", rounds_of(contender, prototype, "journals/s")),
            ]
            if contender.cpu_ms():
                name = f"CPU a journal, app and database{label}"
                report.ratios.append(Ratio(name, contender.cpu_ms(), at_most=1.0, unit="ms"))
        if naive.cpu_ms():
            report.ratios.append(Ratio("naive, CPU a journal", naive.cpu_ms(), unit="ms"))
        if self._ls16.cpu_ms():
            name = "LS of 16 lines, CPU a journal"
            report.ratios.append(Ratio(name, self._ls16.cpu_ms(), unit="ms"))
        if not self._full.cells:
            report.notes.append("from an empty book; --full adds one with a million journals")
        if not product.cpu_ms():
            report.notes.append("the database's CPU time can't be seen from here")
        return report


def _tail(contender: Contender) -> list[float]:
    pairs = zip(contender.column("p99 ms"), contender.column("p50 ms"), strict=True)
    return [p99 / p50 for p99, p50 in pairs]
