"""`rkud serve --worker`: a signed list is paid by the server alone, which ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from api.cli.root import app
from api.dispatch.banks import BanksFileMissingError
from api.engine import make_engine, reading
from tests.soak import dispatch as soak
from tests.soak.server import Client


def test_server_with_a_worker_pays_a_list_and_ends_cleanly(tmp_path: Path) -> None:
    """Paid once each, the statement pulled; at SIGTERM every act is recorded and sealed, then the process ends."""
    os.umask(0o077)
    with soak.new_book(tmp_path, "sqlite", "on_cair") as book:
        script = tmp_path / "faults.toml"
        script.write_text("")
        bank = soak.Bank(tmp_path / "bank", script, "http://127.0.0.1:9", 0)
        payees = [("137", "2000000001", "CV Maju")]
        soak.connect(bank, book, payees)
        with (book.folder / "banks" / "banks.toml").open("a") as banks:
            banks.write("pull_minutes = 1\n")
        engine = make_engine(book.url)
        log = tmp_path / "server.log"
        try:
            soak.make_orders(engine, 3, payees, seed=1)
            with log.open("wb") as written:
                server = subprocess.Popen(
                    [
                        *(sys.executable, "-c", "from api.cli import main; main()"),
                        *("serve", "--port", "0", "--worker"),
                    ],
                    env=book.environment,
                    stdout=subprocess.PIPE,
                    stderr=written,
                    text=True,
                )
            assert server.stdout is not None
            port = int(server.stdout.readline().rpartition(":")[2])
            end = time.monotonic() + 60
            while time.monotonic() < end and soak.states(engine).get("paid", 0) < 3:
                time.sleep(0.1)
            ready = json.loads(Client(port, "").get("/readyz")[1])
            figures = Client(port, "").get("/metrics")[1].decode()
            server.send_signal(signal.SIGTERM)
            status = server.wait(60)
            server.stdout.close()
            told = bank.tell("report")
            with reading(engine) as conn:
                size = conn.execute(text("SELECT size FROM log_edge")).scalar_one()
                sealed = conn.execute(text("SELECT max(size) FROM checkpoint")).scalar_one()
                pulls = conn.execute(text("SELECT count(*) FROM delivery")).scalar_one()
        finally:
            bank.stop()
            states = dict(soak.states(engine))
            engine.dispose()

    events = [str(json.loads(line).get("event")) for line in log.read_text().splitlines()]
    # The server has ended what it does before the signal takes its usual way.
    assert ({"paid": 3}, -signal.SIGTERM) == (states, status)
    assert [1, 1, 1] == [order["executions"] for order in told["orders"].values()]
    assert {"status": "ready"} == ready
    assert 'rkud_worker_up{government="36"} 1.0' in figures
    worker = [each.removeprefix("worker.") for each in events if each.startswith("worker.")]
    assert ["started", "ended"] == worker
    assert (size, True) == (sealed, pulls > 0)
    assert not [each for each in events if each.startswith("pull.")]


def test_server_is_not_started_with_a_worker_that_lacks_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said before it listens: no file says how a bank is reached, or nobody asked for a worker."""
    os.umask(0o077)
    with soak.new_book(tmp_path, "sqlite", "on_cair") as book:
        monkeypatch.setenv("RKUD_DATA_DIR", str(book.folder))
        refused = CliRunner().invoke(app, ["serve", "--port", "0", "--worker"])
        alone = CliRunner().invoke(app, ["serve", "--port", "0", "--as", "svc-dispatch"])

    assert isinstance(refused.exception, BanksFileMissingError)
    assert (2, True) == (alone.exit_code, "invalid_request" in alone.stderr)
