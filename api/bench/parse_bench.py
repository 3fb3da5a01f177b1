"""
Statement readers against other readers of the same files, as CPU in the same round.

The product reads every field, checks sums, chains and days, and hashes the file; nobody else does.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from api.bench import machine
from api.bench.report import Cell, Contender, Ratio, Report, rounds_of
from api.bench.servers import BenchRunError
from api.bench.statement_files import (
    BLOCK,
    CURRENCY,
    blocks,
    write_camt_file,
    write_csv_file,
    write_mt940_file,
)
from api.bench.yardsticks.readers import BANKSTATEMENTPARSER, CSV, LXML, MT940, Read, Reader
from bank_adapters.statements import OutgoingEntry, read_statement_file

__all__ = ["ParseSizes", "run_parse"]

_RATE: Final = "entries/CPU s"
COLUMNS: Final = (_RATE, "MB/CPU s", "CPU s")
_GROWTH: Final = 10


@dataclass(frozen=True, slots=True)
class ParseSizes:
    """Entries of each file, a multiple of 400; the memory of camt is measured at ten times as many."""

    entries: int = 100_000
    rounds: int = 3


@dataclass(frozen=True, slots=True)
class _Course:
    """A file, the product's reading of it, and the yardsticks with their targets."""

    name: str
    path: Path
    write: Callable[[Path, Sequence[list[OutgoingEntry]]], None]
    read: Callable[[Path], Read]
    yardsticks: Sequence[tuple[Reader, float]]


def run_parse(sizes: ParseSizes, say: Callable[[str], None]) -> Report:
    """The whole bench. Raises BenchRunError where readers differ."""
    if sizes.entries < BLOCK or sizes.entries % BLOCK:
        raise BenchRunError(f"{sizes.entries} entries are no multiple of {BLOCK}")
    report = Report(
        title=f"Read statement files of {sizes.entries:,} entries", machine="", columns=COLUMNS
    )
    with TemporaryDirectory(prefix="rkud-bench-") as name:
        folder = Path(name)
        for course in _courses(folder, sizes.entries, say):
            _run(course, sizes, report, say)
        peaks = _peaks(folder, sizes, say)
    report.ratios.append(
        Ratio(
            f"camt.053, peak of a stream of {sizes.entries * _GROWTH:,} / of {sizes.entries:,}",
            [peaks[1] / peaks[0]],
            at_most=1.2,
        )
    )
    report.notes.append(f"camt.053 as a stream held {peaks[0]:.0f} and {peaks[1]:.0f} MiB at most")
    report.machine = machine.line()
    return report


def _courses(folder: Path, entries: int, say: Callable[[str], None]) -> list[_Course]:
    say("writing files")
    made = blocks(entries)
    courses = [
        _Course(
            *("MT940", folder / "mt940.sta", write_mt940_file, _read),
            [(MT940, 3.0), (BANKSTATEMENTPARSER, 1.2)],
        ),
        _Course("camt.053", folder / "camt053.xml", write_camt_file, _read, [(LXML, 1.0)]),
        _Course("CSV", folder / "table.csv", write_csv_file, _read_table, [(CSV, 0.5)]),
    ]
    for course in courses:
        course.write(course.path, made)
    return courses


def _run(course: _Course, sizes: ParseSizes, report: Report, say: Callable[[str], None]) -> None:
    product = Contender(f"{course.name}: rkud")
    report.contenders.append(product)
    yardsticks: list[tuple[Reader, Contender, float]] = []
    for reader, target in course.yardsticks:
        if reader.is_installed:
            contender = Contender(f"{course.name}: {reader.name}")
            report.contenders.append(contender)
            yardsticks.append((reader, contender, target))
        else:
            report.notes.append(
                f"{course.name}: {reader.package} is not installed (make oracles); no ratio to it"
            )
    _warm_up(course, [reader for reader, _, _ in yardsticks])
    expected = (sizes.entries, Decimal(0))
    for number in range(1, sizes.rounds + 1):
        say(f"{course.name}, round {number} of {sizes.rounds}")
        product.cells.append(_cell(course.path, course.read, expected))
        for reader, contender, _ in yardsticks:
            contender.cells.append(_cell(course.path, reader.read, expected))
    report.ratios += [
        Ratio(
            f"{course.name}: rkud / {reader.name}",
            rounds_of(product, contender, _RATE),
            at_least=target,
        )
        for reader, contender, target in yardsticks
    ]


def _warm_up(course: _Course, yardsticks: Sequence[Reader]) -> None:
    """Imports, compiled patterns and the like, by a file of one block."""
    short = course.path.with_stem("short")
    course.write(short, blocks(BLOCK))
    for read in (course.read, *(reader.read for reader in yardsticks)):
        _cell(short, read, (BLOCK, Decimal(0)))


def _cell(path: Path, read: Callable[[Path], Read], expected: Read) -> Cell:
    gc.collect()  # what the one before has left behind is not for the next to clear away
    before = machine.own_cpu_seconds()
    found = read(path)
    seconds = machine.own_cpu_seconds() - before
    if found != expected:
        raise BenchRunError(f"{found[0]} entries of {found[1]} were read, not {expected[0]} of 0")
    megabytes = path.stat().st_size / 1e6
    return Cell({_RATE: found[0] / seconds, "MB/CPU s": megabytes / seconds, "CPU s": seconds})


def _read(path: Path) -> Read:
    return _all_of(path, None)


def _read_table(path: Path) -> Read:
    return _all_of(path, "generic-bpd")


def _all_of(path: Path, profile: str | None) -> Read:
    file = read_statement_file(path.read_bytes(), profile=profile)
    if file.warnings or not all(
        each.adds_up and each.currency == CURRENCY for each in file.statements
    ):
        raise BenchRunError(f"a file of the bench has a finding: {file.warnings[:3]}")
    count = sum(len(each.lines) for each in file.statements)
    units = sum(line.amount_units for each in file.statements for line in each.lines)
    return count, Decimal(units).scaleb(-2)


def _peaks(folder: Path, sizes: ParseSizes, say: Callable[[str], None]) -> tuple[float, float]:
    """MiB that a process of its own held at most: the file, and one of ten times its entries."""
    say("memory of a stream")
    path = folder / "camt053-long.xml"
    write_camt_file(path, blocks(sizes.entries), times=_GROWTH)
    try:
        return (
            _peak(folder / "camt053.xml", sizes.entries),
            _peak(path, sizes.entries * _GROWTH),
        )
    finally:
        path.unlink()


def _peak(path: Path, entries: int) -> float:
    done = subprocess.run(  # noqa: S603  # our own command
        [sys.executable, "-m", "api.bench.draining", str(path)],
        capture_output=True,
        check=False,
        text=True,
    )
    said = done.stdout.split()
    if done.returncode or said[:1] != [str(entries)]:
        raise BenchRunError(f"a stream of {entries} entries ended with {done.stderr[-1000:]!r}")
    return float(said[1])
