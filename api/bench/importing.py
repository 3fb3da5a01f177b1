"""Import files for the benches: written once, posted by the product's own import, clocks around it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from api.bench import machine
from api.bench.books import GOVERNMENT, BookFacts
from api.bench.cluster import Cluster
from api.bench.report import Cell
from api.bench.servers import BenchRunError
from api.bench.workload import JOURNALS_A_DAY, SPREAD_BANKS, Shape, bodies
from api.engine import make_engine
from api.importing import Import
from api.settings import Settings
from ledger.opening import FEEDER

__all__ = ["import_cell", "import_file", "peak_mib", "write_file"]

_RKUD: Final = (sys.executable, "-c", "from api.cli import main; main()")


def write_file(
    path: Path,
    facts: BookFacts,
    shape: Shape,
    count: int,
    *,
    prefix: str = "I",
    journals_a_day: int = JOURNALS_A_DAY,
    banks: int = SPREAD_BANKS,
) -> None:
    """*count* journals as JSON lines."""
    source = bodies(
        shape,
        count,
        prefix=prefix,
        first_day=facts.first_day,
        journals_a_day=journals_a_day,
        banks=banks,
    )
    with path.open("wb") as file:
        file.writelines(body + b"\n" for body in source)


def import_file(url: str, folder: Path, path: Path, count: int) -> float:
    """
    Import the file into the book at *url*, whose keys lie in *folder*; seconds it took.

    Raises:
        BenchRunError: Not all of *count* journals were posted.
    """
    engine = make_engine(url)
    try:
        settings = Settings(data_dir=folder, database_url=url)
        done = Import(engine, settings, GOVERNMENT, by=FEEDER).run(path)
    finally:
        engine.dispose()
    if done.posted != count:
        first = done.refusals[0].text() if done.refusals else "no refusal"
        raise BenchRunError(f"{done.posted} of {count} journals were posted: {first}")
    return done.seconds


def import_cell(url: str, folder: Path, path: Path, count: int, cluster: Cluster | None) -> Cell:
    """The same as a cell: rate, and CPU of this process and of the database a journal."""
    app, db = machine.own_cpu_seconds(), cluster.cpu_seconds() if cluster else None
    seconds = import_file(url, folder, path, count)
    values = {
        "journals/s": count / seconds,
        "app ms": (machine.own_cpu_seconds() - app) / count * 1000,
    }
    if cluster is not None and db is not None and (after := cluster.cpu_seconds()) is not None:
        values["db ms"] = (after - db) / count * 1000
    return Cell(values)


def peak_mib(url: str, folder: Path, path: Path) -> float:
    """Most memory that `rkud journals import` held, as a process of its own. Raises BenchRunError."""
    environment = {"RKUD_DATA_DIR": str(folder), "RKUD_DATABASE_URL": url}
    process = subprocess.Popen(  # noqa: S603  # our own command
        [*_RKUD, "journals", "import", str(path), "--json"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchRunError(f"the import ended with {process.returncode}: {said[-1000:]!r}")
    return usage.ru_maxrss / 1024
