"""
Officers racing for the last rupiah of a budget line, over two server processes and an import.

    python -m tests.soak.race [--attempts 10000] [--room 5000]

A budget line has room for *room* payments of Rp 1.00. Sixteen connections, half to each server, make
*attempts* together, while an import puts more into the same line. Never more than the room is
spent, every refusal is named `over_ceiling`, and the counters are the sums of the lines.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from api.engine import begin, make_engine, reading
from api.fsck import check_all
from ledger.budget import parse_budget_jsonl
from ledger.budget_shell import LoadBudget
from ledger.persons_shell import AddPerson, GiveGrant
from ledger.posting import Accepted, post_batch
from ledger.proposals import BothHands
from ledger.session import Command
from tests.soak.server import BANK, GOVERNMENT, TODAY, Book, Client, Server, new_book

SKPD = "1.02.0.00.0.00.01.0000"
LINE = "B-1"
CONNECTIONS = 16
SUB_KEGIATAN = "1.02.02.1.01.0001"


def payment(reference: str) -> dict[str, Any]:
    """Rp 1.00 from the line, in both books."""
    return {
        "reference": reference,
        "effective_on": TODAY,
        "kind": "race",
        "description": "Uji lomba",
        "lines": [
            {"account": "1.1.13.01.01.0001", "counterpart": SKPD, "debit": "1.00"},
            {"account": "1.1.01.01.01.0001", "bank_account": BANK, "credit": "1.00"},
            {"entity": SKPD, "account": "8.1.02.01.01.0024", "debit": "1.00"},
            {"entity": SKPD, "account": "3.1.03.01.01.0001", "counterpart": "PPKD", "credit": "1.00"},
            {"entity": SKPD, "book": "BUD", "account": "5.1.02.01.01.0024", "budget_line": LINE, "debit": "1.00"},
            {"entity": SKPD, "book": "BUD", "account": "3.1.02.05.01.0001", "credit": "1.00"},
        ],
    }  # fmt: skip


def load_budget(book: Book, room: int) -> None:
    """One SKPD, one line with room for *room* rupiah, released in full."""
    year = int(TODAY[:4])
    rows = [
        {
            "type": "line", "budget_line": LINE, "skpd": SKPD, "skpd_name": "Dinas Uji",
            "sub_kegiatan": SUB_KEGIATAN, "account": "5.1.02.01.01.0024",
            "fund_source": "1.1.01", "ceiling": f"{room}.00",
        },
        {"type": "release", "skpd": SKPD, "sub_kegiatan": SUB_KEGIATAN, "amount": f"{room}.00"},
    ]  # fmt: skip
    file = parse_budget_jsonl("".join(json.dumps(row) + "\n" for row in rows).encode())
    officer = "budget-1"
    commands: list[Command] = [
        BothHands("admin-1", "admin-2", AddPerson(officer, "Petugas Anggaran")),
        BothHands("admin-1", "admin-2", GiveGrant(officer, "budget_officer", TODAY)),
        LoadBudget(officer, year, file.file_sha256, file.rows),
    ]
    engine = make_engine(book.url)
    for command in commands:
        with begin(engine) as conn:
            (result,) = post_batch(conn, GOVERNMENT, [command], now=datetime.now(UTC), today=TODAY)
        assert isinstance(result, Accepted), result
    engine.dispose()


def attempt(port: int, token: str, name: str, count: int, seen: Counter[str]) -> None:
    """Try *count* payments; count the outcomes by name."""
    client = Client(port, token)
    path = f"/v1/governments/{GOVERNMENT}/journals"
    for n in range(count):
        status, answer = client.post(path, payment(f"{name}-{n}"), key=f"{name}-{n}")
        seen["posted" if status == 201 else answer["type"].rsplit("/", 1)[-1]] += 1


def run(book: Book, *, attempts: int, room: int) -> int:
    """Race; 1 when something is wrong."""
    load_budget(book, room)
    token = book.token("svc-feed")
    servers = [Server(book), Server(book)]
    for server in servers:
        server.wait_ready()
    share = attempts // CONNECTIONS
    seen = [Counter[str]() for _ in range(CONNECTIONS)]
    threads = [
        threading.Thread(target=attempt, args=(servers[n % 2].port, token, f"c{n}", share, seen[n]))
        for n in range(CONNECTIONS)
    ]
    file = book.folder.parent / "import.jsonl"
    file.write_text("".join(json.dumps(payment(f"import-{n}")) + "\n" for n in range(1_000)))
    started = time.monotonic()
    for thread in threads:
        thread.start()
    imported = book.rkud("journals", "import", str(file), "--continue")
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - started
    for server in servers:
        server.stop()
    total = sum(seen, Counter())
    engine = make_engine(book.url)
    with reading(engine) as conn:
        spent, posted = conn.execute(
            text(
                "SELECT b.spent_sen, (SELECT count(*) FROM journal WHERE kind = 'race')"
                " FROM budget_line b WHERE b.id = :id"
            ),
            {"id": LINE},
        ).one()
        wrong = [f for f in check_all(conn, GOVERNMENT) if f.severity == "error"]
    engine.dispose()
    print(imported.stdout.strip().splitlines()[-1:])
    print(f"{attempts} attempts over HTTP in {seconds:.0f} s: {dict(total)}")
    print(
        f"journals {posted}, spent Rp {spent // 100}, room was Rp {room}; fsck: {len(wrong)} errors"
    )
    fine = (
        spent == room * 100
        and posted == room
        and not wrong
        and set(total) <= {"posted", "over_ceiling"}
    )
    return 0 if fine else 1


def main() -> int:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=10_000)
    parser.add_argument("--room", type=int, default=5_000)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        new_book("postgresql", Path(folder)) as book,
    ):
        return run(book, attempts=arguments.attempts, room=arguments.room)


if __name__ == "__main__":
    sys.exit(main())
