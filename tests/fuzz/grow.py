"""Time and memory of the readers on files that repeat themselves: `python -m tests.fuzz.grow TARGET`.

A fuzzer's files are short, and what is quadratic does not show. So a part of each kept file is repeated
until the file is large, read, and read again at twice the size: reading must take about twice the time.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from random import Random

from tests.fuzz import targets

SMALL, LARGE = 50_000, 100_000
SECONDS_MAX = 2.0
#: Twice the size: four times the time is a square.
RATIO_MAX = 3.2
_TELLS_FROM_SECONDS = 0.15


def repeated(data: bytes, start: int, end: int, size: int) -> bytes:
    """*data* with the part from *start* to *end* as often as *size* asks for."""
    times = max(1, (size - len(data)) // (end - start))
    return data[:start] + data[start:end] * times + data[end:]


def slow(target: targets.Target, data: bytes, rng: Random) -> str | None:
    """A sentence on the file that takes too long, or more than in proportion; else None."""
    start = rng.randrange(len(data))
    end = min(len(data), start + rng.choice((1, 2, 5, 20, 80, 300)))
    small, large = (repeated(data, start, end, size) for size in (SMALL, LARGE))
    took = _seconds(target, large)
    if took > SECONDS_MAX:
        return f"{took:.2f} s for {len(large)} bytes ({data[start:end]!r} repeated)"
    if took > _TELLS_FROM_SECONDS:
        # The least of several, taken in turn: the machine may be busy with something else.
        pairs = [(_seconds(target, small), _seconds(target, large)) for _ in range(5)]
        half, took = (min(times) for times in zip(*pairs, strict=True))
        if took > RATIO_MAX * half:
            return f"{half:.3f} s, then {took:.3f} s ({data[start:end]!r} repeated)"
    return None


def _seconds(target: targets.Target, data: bytes) -> float:
    start = time.perf_counter()
    target.run(data)
    return time.perf_counter() - start


def main() -> None:
    """Tell every slow file; exit 1 if there was one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=targets.TARGETS)
    parser.add_argument("--times", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder for the files that were slow")
    asked = parser.parse_args()
    target = targets.TARGETS[asked.target]
    rng = Random(asked.seed)
    units = [unit for unit in targets.all_seeds(target) if unit]
    found = 0
    for n in range(asked.times):
        unit = rng.choice(units)
        if told := slow(target, unit, rng):
            found += 1
            print(f"{n}: {told}", flush=True)
            if asked.out:
                (asked.out / f"slow-{target.name}-{n}").write_bytes(unit)
    print(f"{target.name}: {asked.times} files, {found} slow")
    raise SystemExit(1 if found else 0)


if __name__ == "__main__":
    main()
