"""
Kill -9 under load, again and again: nothing acknowledged is lost, no two roots of one size are seen.

    python -m tests.soak.kill [--kills 200] [--engine postgresql|sqlite] [--seed 1]

Writers post journals over HTTP with idempotency keys; after a kill they repeat what was not answered
under the same key. A poller outside keeps every checkpoint it ever saw. After each kill: every
acknowledged act is in the books with its leaf, every checkpoint seen is a prefix of the log, and
`fsck` is clean. At the end the export is verified offline against the first checkpoint seen.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from api.engine import make_engine, reading
from api.fsck import check_all
from audit.checkpoint import open_checkpoint
from audit.merkle import Frontier
from audit.note import parse_vkey
from tests.soak.server import BANK, GOVERNMENT, TODAY, Book, Client, Server, new_book

WRITERS = 6


class Acts:
    """What was acknowledged: reference -> (journal, leaf index). Shared by the writers."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.known: dict[str, tuple[int, int]] = {}
        self.repeated = 0
        self.wrong: list[str] = []

    def acknowledge(self, reference: str, answer: dict[str, Any]) -> None:
        got = (answer["journal"], answer["leaf_index"])
        with self.lock:
            before = self.known.setdefault(reference, got)
            if before != got:
                self.wrong.append(f"{reference}: first {before}, then {got}")


class Checkpoints:
    """Every checkpoint that ever left the process."""

    def __init__(self, vkey: str) -> None:
        self._vkey = parse_vkey(vkey)
        self.roots: dict[int, bytes] = {}
        self.first: bytes = b""
        self.wrong: list[str] = []

    def see(self, note: bytes) -> None:
        seen = open_checkpoint(note, [self._vkey]).checkpoint  # type: ignore[list-item]  # an Ed25519 key
        root = self.roots.setdefault(seen.size, seen.root)
        if root != seen.root:
            self.wrong.append(f"two roots of size {seen.size}: {root.hex()} and {seen.root.hex()}")
        self.first = self.first or note


def journal(reference: str, number: int) -> dict[str, Any]:
    """A payment of a few rupiah."""
    return {
        "reference": reference,
        "effective_on": TODAY,
        "kind": "soak",
        "description": f"Uji {number}",
        "lines": [
            {"account": "8.1.02.01.01.0024", "debit": f"{1 + number % 97}.00"},
            {
                "account": "1.1.01.01.01.0001",
                "bank_account": BANK,
                "credit": f"{1 + number % 97}.00",
            },
        ],
    }


def write(port: int, token: str, name: str, acts: Acts, stop: threading.Event) -> None:
    """Post until told to stop; an act without an answer is repeated under its key."""
    client, number = Client(port, token), 0
    waiting: str | None = None
    path = f"/v1/governments/{GOVERNMENT}/journals"
    while not stop.is_set():
        if waiting is None:
            number += 1
            waiting = f"{name}-{number}"
        else:
            acts.repeated += 1
        try:
            status, answer = client.post(path, journal(waiting, number), key=waiting)
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            time.sleep(0.05)
            continue
        if status == 201:
            acts.acknowledge(waiting, answer)
            waiting = None
        elif status not in (503, 500):
            acts.wrong.append(f"{waiting}: {status} {answer}")
            waiting = None
        time.sleep(0.01)


def poll(port: int, checkpoints: Checkpoints, stop: threading.Event) -> None:
    """Keep every checkpoint the public path gives."""
    while not stop.is_set():
        try:
            status, note = Client(port, "", timeout=2).get(f"/log/{GOVERNMENT}/checkpoint")
            if status == 200:
                checkpoints.see(note)
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.02)


def check(engine: Engine, acts: Acts, checkpoints: Checkpoints) -> list[str]:
    """What is wrong with the book, in words."""
    problems = [*acts.wrong, *checkpoints.wrong]
    with reading(engine) as conn:
        kept = {
            row.reference: (row.id, row.leaf_index)
            for row in conn.execute(text("SELECT reference, id, leaf_index FROM journal"))
        }
        with acts.lock:
            known = dict(acts.known)
        problems += [
            f"{reference} was acknowledged as {got}, the books hold {kept.get(reference)}"
            for reference, got in known.items()
            if kept.get(reference) != got
        ]
        frontier = Frontier()
        sizes = set(checkpoints.roots)
        for (digest,) in conn.execute(text("SELECT leaf_hash FROM log_leaf ORDER BY idx")):
            frontier = frontier.extend([bytes(digest)])
            if frontier.size in sizes and frontier.root() != checkpoints.roots[frontier.size]:
                problems.append(
                    f"the checkpoint seen at size {frontier.size} is no prefix of the log"
                )
        problems += [
            f"a checkpoint of size {size} was seen" for size in sizes if size > frontier.size
        ]
        problems += [
            f"fsck: {finding.code}: {finding.message}"
            for finding in check_all(conn, GOVERNMENT)
            if finding.severity == "error"
        ]
    return problems


def run(book: Book, *, kills: int, seed: int) -> int:
    """Kill, restart, check; 1 when something was found."""
    chance = random.Random(seed)
    token, acts, checkpoints = book.token("svc-feed"), Acts(), Checkpoints(book.vkey)
    engine = make_engine(book.url)
    server = Server(book, log=book.folder.parent / "server.log")
    stop = threading.Event()
    threads = [
        threading.Thread(target=write, args=(server.port, token, f"w{n}", acts, stop), daemon=True)
        for n in range(WRITERS)
    ]
    threads.append(
        threading.Thread(target=poll, args=(server.port, checkpoints, stop), daemon=True)
    )
    server.wait_ready()
    for thread in threads:
        thread.start()
    started = time.monotonic()
    for kill in range(1, kills + 1):
        time.sleep(chance.uniform(0.1, 1.2))
        server.kill()
        if problems := check(engine, acts, checkpoints):
            print("\n".join([f"after kill {kill}:", *problems[:20]]))
            return 1
        server = Server(book, port=server.port, log=book.folder.parent / "server.log")
        server.wait_ready()
        if kill % 10 == 0:
            print(
                f"{kill} kills, {len(acts.known)} acts acknowledged, {acts.repeated} repeated,"
                f" {len(checkpoints.roots)} checkpoints seen, {time.monotonic() - started:.0f} s",
                flush=True,
            )
    time.sleep(2)
    stop.set()
    for thread in threads:
        thread.join(10)
    server.stop()
    problems = check(engine, acts, checkpoints)
    engine.dispose()
    return _verify(book, checkpoints, problems)


def _verify(book: Book, checkpoints: Checkpoints, problems: list[str]) -> int:
    target = book.folder.parent / "export"
    done = book.rkud("audit", "export", str(target))
    first = book.folder.parent / "first-checkpoint"
    first.write_bytes(checkpoints.first)
    verified = subprocess.run(
        [
            sys.executable, "-m", "audit", "verify", str(target), "--vkey", book.vkey,
            "--checkpoint", str(first),
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    print(verified.stdout + verified.stderr)
    if done.returncode or verified.returncode:
        problems.append(f"export {done.returncode}, verification {verified.returncode}")
    print(
        "\n".join(problems) or "nothing acknowledged was lost; every checkpoint seen is consistent"
    )
    return 1 if problems else 0


def main() -> int:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--engine", choices=["postgresql", "sqlite"], default="postgresql")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        new_book(arguments.engine, Path(folder)) as book,
    ):
        return run(book, kills=arguments.kills, seed=arguments.seed)


if __name__ == "__main__":
    sys.exit(main())
