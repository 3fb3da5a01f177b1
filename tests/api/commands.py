"""The operator's commands in processes of their own, for tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.api.support import BANK, CASH, GOVERNMENT, TAX

COMMAND = [sys.executable, "-c", "from api.cli import main; main()"]
DAY = "2026-01-05"


class Book:
    """A data directory and the commands on it."""

    def __init__(self, home: Path) -> None:
        self.home = home

    @classmethod
    def copy(cls, initialised: Path, home: Path) -> Book:
        """A book as `init` left another one."""
        return cls(Path(shutil.copytree(initialised, home)))

    def run(self, *arguments: str | Path, code: int = 0, home: Path | None = None) -> Any:
        """Run `rkud` and expect an exit code; the completed process."""
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            env={**os.environ, "RKUD_DATA_DIR": str(home or self.home)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert code == done.returncode, (arguments, done.stdout, done.stderr)
        return done

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        """The same with `--json`, its answer decoded."""
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def init(self) -> Any:
        """A book of government 36."""
        return self.json(
            "init",
            "--government",
            GOVERNMENT,
            "--name",
            "Provinsi Banten",
            "--bank-account",
            BANK,
            "--recognition",
            "on_cair",
            "--fiscal-year",
            "2026",
            "--feed",
            "*",
            "--opening-balance",
            "1000000.00",
            "--opening-on",
            "2026-01-01",
        )


def journals(path: Path, references: list[str], **changes: Any) -> Path:
    """A file of receipts."""
    lines = [
        json.dumps(
            {
                "reference": reference,
                "effective_on": DAY,
                "kind": "receipt",
                "description": "x",
                "lines": [{"account": CASH, "debit": "1.00"}, {"account": TAX, "credit": "1.00"}],
            }
            | changes
        )
        for reference in references
    ]
    path.write_text("\n".join(lines) + "\n")
    return path
