"""
A camt file read as a stream, in a process of its own: `python -m api.bench.draining FILE`.

Prints how many entries were read, and the MiB that the process held at most. What the system tells a
parent of its child (`ru_maxrss`) begins with the parent's own memory, so the child asks itself.
"""

from __future__ import annotations

import sys
from pathlib import Path

from api.bench import machine
from bank_adapters.statements.camt import stream_camt
from bank_adapters.statements.camt_xml import CHUNK_BYTES
from bank_adapters.statements.statement import StatementLine

__all__: list[str] = []


def _drain(path: Path) -> int:
    with path.open("rb") as file:
        chunks = iter(lambda: file.read(CHUNK_BYTES), b"")
        return sum(isinstance(part, StatementLine) for part in stream_camt(chunks, []))


if __name__ == "__main__":
    entries = _drain(Path(sys.argv[1]))
    sys.stdout.write(f"{entries} {machine.peak_mib():.1f}\n")
