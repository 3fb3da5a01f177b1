"""From a signed list through the simulated bank and back: the worker's command on real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from api.engine import make_engine, reading
from tests.soak import dispatch as soak
from tests.soak.server import Book


@pytest.fixture
def paying(tmp_path: Path) -> Iterator[tuple[Book, soak.Bank]]:
    """A demo book on SQLite, and a bank in its own process whose faults are certain."""
    os.umask(0o077)
    with soak.new_book(tmp_path, "sqlite", "on_cair") as book:
        script = tmp_path / "faults.toml"
        script.write_text('delay_ms = 50\n[exact]\n"P26-00000002" = ["timeout_after"]\n')
        bank = soak.Bank(tmp_path / "bank", script, "http://127.0.0.1:9", 0)
        soak.connect(
            bank, book, [("137", "2000000001", "PT Satu"), ("014", "2000000002", "PT Dua")]
        )
        try:
            yield book, bank
        finally:
            bank.stop()


def rkud(book: Book, *arguments: str) -> Any:
    """The JSON of a command; its status is the second value."""
    done = book.rkud(*arguments, "--json")
    return json.loads(done.stdout), done.returncode


def test_worker_pays_a_list_asks_after_the_lost_answer_and_holds_a_wrong_name(
    paying: tuple[Book, soak.Bank],
) -> None:
    """Paid once each by the bank's own count; the export of it verifies offline."""
    book, bank = paying
    checked, status = rkud(book, "bank", "check", "--payee", "014:2000000002")
    engine = make_engine(book.url)
    payees = [("137", "2000000001", "PT Satu"), ("014", "2000000002", "PT Dua")]
    office = soak.make_orders(engine, 3, payees, seed=1)
    wrong = office.issue(office.spm_body(dated_on=soak.local(datetime.now(UTC))))["payments"][0]
    office.list_payments(wrong)
    end = time.monotonic() + 60
    states: dict[str, int] = {}
    while time.monotonic() < end and states.get("paid", 0) < 3:
        rkud(book, "worker", "--once")
        states = dict(soak.states(engine))
    told = bank.tell("report")
    with reading(engine) as conn:
        held = conn.execute(text("SELECT payment_id FROM dispatch WHERE held = 1")).scalars().all()
    findings = [f for f in office.findings() if f.table != "token"]
    engine.dispose()
    sealed = book.rkud("audit", "checkpoint")
    out = book.folder.parent / "export"
    exported = book.rkud("audit", "export", str(out))
    vkey = (out / "vkey").read_text().strip()
    verified = subprocess.run(
        [sys.executable, "-m", "audit", "verify", str(out), "--vkey", vkey],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "PT Dua") == (status, checked[0]["holder"] if status == 0 else checked)
    assert {"paid": 3, "queued": 1} == states
    assert [1, 1, 1] == [order["executions"] for order in told["orders"].values()]
    assert [wrong] == held
    assert [] == findings
    assert [0, 0, 0] == [d.returncode for d in (sealed, exported, verified)], verified.stdout
