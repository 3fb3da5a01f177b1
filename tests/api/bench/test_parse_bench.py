"""The bench of the statement readers, as small as it can be: that it runs, not how fast."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path

import pytest

from api.bench import parse_bench
from api.bench.parse_bench import ParseSizes, run_parse
from api.bench.servers import BenchRunError
from api.bench.statement_files import blocks, write_camt_file, write_csv_file, write_mt940_file
from api.bench.yardsticks import readers
from api.bench.yardsticks.readers import CSV, Reader
from bank_adapters.statements import read_statement_file


def _quiet(_: str) -> None:
    return


def test_parse_bench_of_a_block_measures_every_reader_that_is_there() -> None:
    """Three formats and their yardsticks; what is not installed is named, and has no ratio."""
    report = run_parse(ParseSizes(entries=400, rounds=2), _quiet)

    yardsticks = (readers.MT940, readers.BANKSTATEMENTPARSER, readers.LXML, CSV)
    missing = [each for each in yardsticks if not each.is_installed]
    assert 7 - len(missing) == len(report.contenders)
    assert {2} == {len(each.cells) for each in report.contenders}
    assert 5 - len(missing) == len(report.ratios)
    assert all(any(each.package in note for note in report.notes) for each in missing)
    assert 1.2 == report.ratios[-1].at_most


def test_parse_bench_without_a_package_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """By name, and goes on."""
    absent = dataclasses.replace(readers.LXML, package="some-reader", module="no_such_module")
    monkeypatch.setattr(parse_bench, "LXML", absent)

    report = run_parse(ParseSizes(entries=400, rounds=1), _quiet)

    assert any("some-reader is not installed" in note for note in report.notes)
    assert not any("lxml" in ratio.name for ratio in report.ratios)


def test_parse_bench_finds_out_a_reader_that_loses_an_entry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fast reader that is wrong is no yardstick."""
    hasty = Reader("hasty", "hasty", "csv", lambda _: (399, Decimal(0)))
    monkeypatch.setattr(parse_bench, "CSV", hasty)

    with pytest.raises(BenchRunError, match="399 entries"):
        run_parse(ParseSizes(entries=400, rounds=1), _quiet)


@pytest.mark.parametrize("entries", [0, 399, 500])
def test_parse_bench_of_no_whole_blocks_is_refused(entries: int) -> None:
    """Blocks are what makes a file add up."""
    with pytest.raises(BenchRunError, match="multiple of 400"):
        run_parse(ParseSizes(entries=entries), _quiet)


def test_file_of_the_bench_adds_up_at_any_length(tmp_path: Path) -> None:
    """The same entries in each format, and a camt as often as asked."""
    made = blocks(800)
    paths = [tmp_path / name for name in ("a.sta", "a.csv", "a.xml")]
    for write, path in zip((write_mt940_file, write_csv_file, write_camt_file), paths, strict=True):
        write(path, made)
    write_camt_file(paths[2], made, times=3)

    for path, count in zip(paths, (800, 800, 2400), strict=True):
        profile = "generic-bpd" if path.suffix == ".csv" else None
        file = read_statement_file(path.read_bytes(), profile=profile)
        lines = [line for statement in file.statements for line in statement.lines]

        assert ((), {True}) == (file.warnings, {each.adds_up for each in file.statements})
        assert count == len(lines)
        assert [e.amount.sen for block in made for e in block] == [
            line.amount_units for line in lines[:800]
        ]
