"""`rkud bank simulate` serves the bank that it made, and goes on with it."""

import json
import subprocess
import sys
from pathlib import Path

from tests.bank_adapters.served_bank.caller import ACCOUNT, Caller, pay

PROGRAM = (sys.executable, "-c", "from api.cli import main; main()", "bank", "simulate")


def simulate(directory: Path, *more: str) -> subprocess.Popen[str]:
    """Start it on a free port; the line that says where has been read."""
    process = subprocess.Popen(
        [*PROGRAM, "--directory", str(directory), "--port", "0", *more],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "ready" in json.loads(process.stdout.readline())
    return process


def stopped(process: subprocess.Popen[str]) -> int:
    process.terminate()
    code = process.wait(10)
    assert process.stdout is not None
    process.stdout.close()
    return code


def test_simulated_bank_is_made_served_and_goes_on(tmp_path: Path) -> None:
    """Made once with --account; started again without it, it knows what it paid."""
    directory = tmp_path / "bank"
    made = ("--account", f"137:{ACCOUNT}", "--balance", "5000000.00")
    codes = []
    for more in ((*made, "--payee", "137:2000000001:CV Maju"), ()):
        process = simulate(directory, *more)
        given = json.loads((directory / "credentials.json").read_text())
        codes.append(pay(Caller(given), "SP2D26-1").code)
        codes.append(str(stopped(process)))

    again = subprocess.run(
        [*PROGRAM, "--directory", str(directory), *made],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ["2001700", "0", "4091701", "0"] == codes
    assert (2, True) == (again.returncode, "malformed_input" in again.stderr)
