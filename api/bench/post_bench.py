"""
Journals in bulk: `journals import` against the bare client, on one hot account and on a thousand,
on SQLite, and what the length of a file and of a history cost.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

from sqlalchemy import Connection

from api.bench import machine
from api.bench.books import GOVERNMENT, BookFacts, data_dir, make_book
from api.bench.cluster import Cluster
from api.bench.importing import import_cell, import_file, peak_mib, write_file
from api.bench.report import Cell, Contender, Ratio, Report, figure, rounds_of
from api.bench.workload import SPREAD_BANKS, Shape, bank_accounts, plain_accounts
from api.bench.yardsticks import bare, schema
from api.engine import make_engine, reading
from ledger import queries
from ledger.opening import CASH_ACCOUNT

__all__ = ["PostSizes", "run_post"]

COLUMNS: Final = ("journals/s", "app ms", "db ms")
#: The bare client, application and database.
BARE_CPU_MS_MAX: Final = 0.15
_HISTORY_DAYS: Final = 250
_HISTORY_QUERIES: Final = 400
#: The long file of the memory check against the short one.
_LONGER: Final = 4


@dataclass(frozen=True, slots=True)
class PostSizes:
    """How much is posted. Lines are four a journal; *history_small* and *_large* count lines."""

    rounds: int = 3
    journals: int = 20_000
    banks: int = SPREAD_BANKS
    history_small: int = 10_000
    history_large: int = 200_000


def run_post(cluster: Cluster, sizes: PostSizes, say: Callable[[str], None]) -> Report:
    """The whole bench. Raises BenchRunError."""
    with tempfile.TemporaryDirectory(prefix="rkud-bench-") as folder:
        return _PostBench(cluster, sizes, say, Path(folder)).run()


class _PostBench:
    def __init__(
        self, cluster: Cluster, sizes: PostSizes, say: Callable[[str], None], folder: Path
    ) -> None:
        self._cluster = cluster
        self._sizes = sizes
        self._say = say
        self._folder = folder
        self._hot = Contender("rkud journals import, one cash account")
        self._spread = Contender(f"rkud journals import, {sizes.banks:,} cash accounts")
        self._ls16 = Contender("rkud journals import, LS of 16 lines")
        self._sqlite = Contender("rkud journals import, one cash account, SQLite")
        self._bare = Contender("bare client, 1,000 journals a transaction", BARE_CPU_MS_MAX)

    def run(self) -> Report:
        self._say("opening the book")
        urls = self._cluster.create("template")
        facts = make_book(
            urls.owner,
            urls.app,
            banks=self._sizes.banks,
            budget="last year",
            app_role=self._cluster.app_role,
            reader_role=self._cluster.reader_role,
        )
        count = self._sizes.journals
        made = list(bare.journals(count))
        for number in range(1, self._sizes.rounds + 1):
            self._say(f"round {number} of {self._sizes.rounds}")
            self._bare.cells.append(self._measure_bare(made, facts))
            self._hot.cells.append(self._measure(facts, "hot", count))
            self._spread.cells.append(self._measure(facts, "spread", count))
            self._ls16.cells.append(self._measure(facts, "ls16", max(count // 4, 1)))
            self._sqlite.cells.append(self._measure_sqlite(count))
        report = self._report()
        self._add_memory(report, facts)
        self._add_history(report, facts)
        return report

    # --- one cell ----------------------------------------------------------------------------------

    def _measure_bare(self, made: list[bare.Journal], facts: BookFacts) -> Cell:
        url = self._cluster.create("bare").owner.replace("+psycopg", "")
        schema.create(url)
        app, db, started = (
            machine.own_cpu_seconds(),
            self._cluster.cpu_seconds(),
            time.perf_counter(),
        )
        bare.run(url, made, day=facts.first_day)
        seconds = time.perf_counter() - started
        values = {
            "journals/s": len(made) / seconds,
            "app ms": (machine.own_cpu_seconds() - app) / len(made) * 1000,
        }
        if db is not None and (after := self._cluster.cpu_seconds()) is not None:
            values["db ms"] = (after - db) / len(made) * 1000
        schema.verify(url)
        self._cluster.drop("bare")
        return Cell(values)

    def _measure(self, facts: BookFacts, shape: Shape, count: int) -> Cell:
        path = self._file(facts, shape, count)
        app_url = self._cluster.create("book", "template").app
        with data_dir() as folder:
            cell = import_cell(app_url, folder, path, count, self._cluster)
        self._cluster.drop("book")
        return cell

    def _measure_sqlite(self, count: int) -> Cell:
        database = self._folder / "rkud.db"
        url = f"sqlite:///{database}"
        facts = make_book(url, url)
        with data_dir() as folder:
            cell = import_cell(url, folder, self._file(facts, "hot", count), count, None)
        for path in self._folder.glob("rkud.db*"):
            path.unlink()
        return cell

    def _file(self, facts: BookFacts, shape: Shape, count: int) -> Path:
        path = self._folder / f"{shape}-{count}.jsonl"
        if not path.exists():
            write_file(path, facts, shape, count, banks=self._sizes.banks)
        return path

    # --- what comes out --------------------------------------------------------------------------

    def _report(self) -> Report:
        hot, bare_client = self._hot, self._bare
        return Report(
            title=f"Journals in bulk, {self._sizes.journals:,} a round",
            machine=machine.line(self._cluster.version),
            columns=COLUMNS,
            contenders=[hot, self._spread, self._ls16, bare_client, self._sqlite],
            ratios=[
                Ratio(
                    "import rate / bare client",
                    rounds_of(hot, bare_client, "journals/s"),
                    at_least=0.4,
                    valid=bare_client.is_valid,
                ),
                Ratio(
                    "rate with cash spread / on one hot account",
                    rounds_of(self._spread, hot, "journals/s"),
                    at_most=1.1,
                ),
                Ratio(
                    "SQLite, journals imported a second",
                    self._sqlite.column("journals/s"),
                    at_least=3_000,
                    unit="journals/s",
                ),
            ],
        )

    def _add_memory(self, report: Report, facts: BookFacts) -> None:
        """Most memory of an import of a file and of one four times as long."""
        self._say("memory of the importer")
        short, long = self._sizes.journals, self._sizes.journals * _LONGER
        held = []
        for count in (short, long):
            app_url = self._cluster.create("book", "template").app
            with data_dir() as folder:
                held.append(peak_mib(app_url, folder, self._file(facts, "hot", count)))
            self._cluster.drop("book")
        report.ratios.append(
            Ratio(f"memory, {_LONGER}x the file / the file", [held[1] / held[0]], at_most=1.1)
        )
        report.notes.append(
            f"the importer held {figure(held[0])} MiB for {short:,} journals and"
            f" {figure(held[1])} MiB for {long:,}"
        )

    def _add_history(self, report: Report, facts: BookFacts) -> None:
        """Balance as of random dates in a short and in a long history of the same days."""
        small, large = self._sizes.history_small, self._sizes.history_large
        engines = [make_engine(self._with_history(facts, lines)) for lines in (small, large)]
        asked = _questions(facts)
        took: list[list[float]] = [[], []]
        try:
            # The first pass fills the caches; then in turns, so that both meet the same machine.
            for number in range(1 + self._sizes.rounds * 2):
                for passes, engine in zip(took, engines, strict=True):
                    with reading(engine) as conn:
                        milliseconds = median(_timed(conn, *each) for each in asked) * 1000
                    if number:
                        passes.append(milliseconds)
        finally:
            for engine, lines in zip(engines, (small, large), strict=True):
                engine.dispose()
                self._cluster.drop(f"history_{lines}")
        report.ratios.append(
            Ratio(
                f"balance as of a date, {large:,} lines / {small:,}",
                [after / before for before, after in zip(*took, strict=True)],
                at_most=1.5,
            )
        )
        report.notes.append(
            f"balance as of a date: {figure(median(took[0]))} ms in {small:,} lines and"
            f" {figure(median(took[1]))} ms in {large:,}; --full goes to ten million"
        )

    def _with_history(self, facts: BookFacts, lines: int) -> str:
        """URL of a book with so many lines spread over 250 days."""
        self._say(f"making a history of {lines:,} lines")
        count = max(lines // 4, 1)
        a_day = max(-(-count // _HISTORY_DAYS), 1)
        path = self._folder / f"history-{lines}.jsonl"
        write_file(path, facts, "hot", count, prefix="Y", journals_a_day=a_day)
        app_url = self._cluster.create(f"history_{lines}", "template").app
        with data_dir() as folder:
            import_file(app_url, folder, path, count)
        path.unlink()
        return app_url


def _questions(facts: BookFacts) -> list[tuple[queries.AccountKey, str]]:
    """Accounts and days, every other one the hot cash account."""
    random = Random(5)  # noqa: S311  # drawn to be the same again, not to be secret
    cash = queries.AccountKey(CASH_ACCOUNT, "PPKD", bank_account=bank_accounts(1)[0])
    asked = []
    for n in range(_HISTORY_QUERIES):
        plain = queries.AccountKey(random.choice(plain_accounts()), "PPKD")
        day = f"{facts.first_day[:4]}-{random.randrange(1, 9):02d}-{random.randrange(1, 29):02d}"
        asked.append((cash if n % 2 else plain, day))
    return asked


def _timed(conn: Connection, key: queries.AccountKey, day: str) -> float:
    started = time.perf_counter()
    queries.balance(conn, GOVERNMENT, key, on=day)
    return time.perf_counter() - started
