"""The part of a grown corpus that is worth keeping: `python -m tests.fuzz.keep TARGET FOLDER`.

Takes the fewest small files that reach every line-to-line step of the readers, and every refusal and
warning, that the whole corpus reaches; writes them to the archive beside this file.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from bank_adapters import BankAdapterError
from tests.fuzz import archives, targets

BYTES_MAX = 120_000
READERS = str(Path(targets.__file__).parents[2] / "bank_adapters")

Feature = tuple[object, ...]


def features(run: Callable[[bytes], object], data: bytes) -> set[Feature]:
    """Every step from line to line that reading *data* takes in the readers' own files, and how often.

    Often goes by powers of two, and ends at 16.
    """
    steps: Counter[Feature] = Counter()

    def local(frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            number = frame.f_lineno
            steps[frame.f_code.co_filename, last.get(id(frame), 0), number] += 1
            last[id(frame)] = number
        return local

    def start(frame: FrameType, _event: str, _argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(READERS):
            return None
        last.pop(id(frame), None)
        return local

    last: dict[int, int] = {}
    refusals: list[BankAdapterError] = []
    noted = targets._refused
    targets._refused = lambda refusal: bool(refusals.append(refusal))
    sys.settrace(start)
    try:
        run(data)
    finally:
        sys.settrace(None)
        targets._refused = noted
    found = {(*step, min(times.bit_length(), 5)) for step, times in steps.items()}
    return found | {("refused", refusal.code) for refusal in refusals}


def chosen(target: targets.Target, units: list[bytes]) -> list[bytes]:
    """The units to keep, shortest first, each for a step that no shorter one reached."""
    units = sorted(set(units), key=lambda unit: (len(unit), unit))
    reached = [(unit, features(target.run, unit)) for unit in units]
    seen: set[Feature] = set()
    kept = []
    for unit, found in reached:
        if not found <= seen:
            seen |= found
            kept.append((unit, found))
    # Backwards once more: what longer units reach as well need not be kept for itself.
    counts: dict[Feature, int] = {}
    for _, found in kept:
        for feature in found:
            counts[feature] = counts.get(feature, 0) + 1
    least = []
    for unit, found in kept:
        if all(counts[feature] > 1 for feature in found):
            for feature in found:
                counts[feature] -= 1
        else:
            least.append(unit)
    return least


def main() -> None:
    """Choose, and write the archive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=targets.TARGETS)
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    target = targets.TARGETS[asked.target]
    files = [path for path in sorted(asked.folder.iterdir()) if path.is_file()]
    units = chosen(target, [path.read_bytes() for path in files] + targets.all_seeds(target))
    path = archives.keep(target.name, units)
    size = path.stat().st_size
    print(f"{target.name}: {len(units)} of {len(files)} files kept in {size} bytes")
    if size > BYTES_MAX:
        raise SystemExit(f"more than {BYTES_MAX} bytes: too much for the repository")


if __name__ == "__main__":
    main()
