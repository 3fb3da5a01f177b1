"""
Verify an export offline against bare hashing of the same entries, as CPU in the same round.

The log is a real one: journals imported into a book, sealed, exported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from api import clock
from api.bench import machine
from api.bench.books import GOVERNMENT, data_dir, make_book
from api.bench.cluster import Cluster
from api.bench.importing import import_file, write_file
from api.bench.report import Cell, Contender, Ratio, Report, rounds_of
from api.bench.servers import BenchRunError
from api.bench.yardsticks import hashing
from api.checkpoints import log_key_path, signer_for
from api.engine import begin, make_engine, reading
from audit.checkpoint import parse_checkpoint
from audit.checkpoints import seal
from audit.export import export
from audit.keys import load_log_key
from audit.note import parse_note
from audit.tiles import ENTRIES, decode_bundle, level_tiles
from audit.verify import verify
from ledger.book_export import BookExport

__all__ = ["AuditSizes", "run_audit"]

COLUMNS: Final = ("leaves/s", "CPU s", "us a leaf")


@dataclass(frozen=True, slots=True)
class AuditSizes:
    """How many journals are in the log, each with its leaf."""

    leaves: int = 100_000
    rounds: int = 3


def run_audit(cluster: Cluster, sizes: AuditSizes, say: Callable[[str], None]) -> Report:
    """The whole bench. Raises BenchRunError when a verification does not end well."""
    log_only = Contender("verify, log only")
    replayed = Contender("verify, with replay of the books")
    bare = Contender("bare hashing and tree, entries in memory")
    with data_dir() as folder:
        directory = folder / "export"
        size, vkey = _make_export(cluster, folder, directory, sizes.leaves, say)
        for number in range(1, sizes.rounds + 1):
            say(f"round {number} of {sizes.rounds}")
            bare.cells.append(_bare_cell(directory))
            log_only.cells.append(_cell(size, lambda: _is_verified(directory, vkey, books=False)))
            replayed.cells.append(_cell(size, lambda: _is_verified(directory, vkey, books=True)))
    return Report(
        title=f"Verify a log of {size:,} leaves offline",
        machine=machine.line(cluster.version),
        columns=COLUMNS,
        contenders=[log_only, replayed, bare],
        ratios=[
            Ratio("log only / bare, CPU", rounds_of(log_only, bare, "CPU s"), at_most=3.0),
            Ratio("with replay / bare, CPU", rounds_of(replayed, bare, "CPU s"), at_most=15.0),
        ],
    )


def _make_export(
    cluster: Cluster, folder: Path, directory: Path, leaves: int, say: Callable[[str], None]
) -> tuple[int, str]:
    """Size of the log and its key."""
    say(f"importing {leaves:,} journals")
    urls = cluster.create("verified")
    facts = make_book(
        urls.owner, urls.app, app_role=cluster.app_role, reader_role=cluster.reader_role
    )
    path = folder / "journals.jsonl"
    write_file(path, facts, "hot", leaves)
    import_file(urls.app, folder, path, leaves)
    path.unlink()
    say("sealing and exporting")
    engine = make_engine(urls.app)
    try:
        size, vkey = _seal_and_export(engine, folder, directory)
    finally:
        engine.dispose()
    cluster.drop("verified")
    return size, vkey


def _seal_and_export(engine: Engine, folder: Path, directory: Path) -> tuple[int, str]:
    keys = folder / "keys"
    with begin(engine) as conn:
        sealed = seal(conn, GOVERNMENT, signer_for(keys, GOVERNMENT), now=clock.system_clock())
    vkey = load_log_key(log_key_path(keys, GOVERNMENT)).verifier.vkey
    with reading(engine) as conn:
        export(conn, directory, GOVERNMENT, vkeys=[vkey], books=BookExport())
    return sealed.size, vkey


def _entries(directory: Path) -> tuple[list[bytes], bytes]:
    """All entries of the export and the signed root."""
    note = parse_note((directory / "checkpoint").read_bytes())
    checkpoint = parse_checkpoint(note.text)
    entries: list[bytes] = []
    for tile in level_tiles(ENTRIES, checkpoint.size):
        entries += decode_bundle((directory / tile.path).read_bytes(), tile.width)
    return entries, checkpoint.root


def _is_verified(directory: Path, vkey: str, *, books: bool) -> bool:
    return verify(directory, [vkey], books=books).exit_code == 0


def _bare_cell(directory: Path) -> Cell:
    entries, root = _entries(directory)
    return _cell(len(entries), lambda: hashing.root_of(entries) == root)


def _cell(size: int, check: Callable[[], bool]) -> Cell:
    before = machine.own_cpu_seconds()
    if not check():
        raise BenchRunError("the export of the bench does not verify")
    seconds = machine.own_cpu_seconds() - before
    return Cell({"leaves/s": size / seconds, "CPU s": seconds, "us a leaf": seconds / size * 1e6})
