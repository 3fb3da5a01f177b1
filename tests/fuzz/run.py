"""Coverage-guided fuzzing of one reader: `python -m tests.fuzz.run TARGET --runs N --corpus DIR`.

Needs atheris (`make fuzz` brings it). What reaches new code grows in the corpus folder. A file that broke
a claim, hung or used too much memory is left beside it, as `TARGET-crash-...`, `-timeout-` or `-oom-`.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["bank_adapters"]):
    from tests.fuzz import mutators, targets

SECONDS_MAX = 5
MEGABYTES_MAX = 512


def main() -> None:
    """Fuzz until the runs are done; libFuzzer ends the process itself."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=targets.TARGETS)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=0, help="end after this time at the latest")
    parser.add_argument(
        "--corpus", type=Path, help="folder that grows (default: fuzz-corpus/TARGET)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the random choices; 0: by the clock"
    )
    parser.add_argument("--size", type=int, default=4096, help="longest input in bytes")
    asked = parser.parse_args()
    target = targets.TARGETS[asked.target]
    corpus = asked.corpus or Path("fuzz-corpus") / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    for n, seed in enumerate(targets.all_seeds(target)):
        (corpus / f"seed-{n:05d}").write_bytes(seed)
    words = corpus.parent / f"{target.name}.dict"
    words.write_text(targets.dictionary(target))

    slowest = 0.05  # seconds; only what is slower than anything before is told

    def one(data: bytes) -> None:
        nonlocal slowest
        start = time.perf_counter()
        target.run(data)
        took = time.perf_counter() - start
        if took > slowest:
            slowest = took
            print(f"slowest: {took:.3f} s for {len(data)} bytes", file=sys.stderr, flush=True)

    def mutate(data: bytes, size_max: int, seed: int) -> bytes:
        def change(part: bytes) -> bytes:
            return atheris.Mutate(part, max(size_max - len(data) + len(part), len(part) + 1))

        return mutators.mutate(target.name, data, Random(seed), change)[:size_max]

    options = [
        f"-runs={asked.runs}",
        f"-max_total_time={asked.seconds}",
        f"-seed={asked.seed}",
        f"-max_len={asked.size}",
        f"-dict={words}",
        f"-timeout={SECONDS_MAX}",
        f"-rss_limit_mb={MEGABYTES_MAX}",
        f"-artifact_prefix={corpus.parent / target.name}-",
        "-print_final_stats=1",
        "-len_control=0",
    ]
    gc.freeze()
    atheris.Setup([sys.argv[0], *options, str(corpus)], one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
