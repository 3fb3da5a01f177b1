"""
The bank's process, seen from the treasury: files go in, files come out, nothing else is shared.

It gets the signed list, the specimen of the Kuasa BUD's public key, and the file of what payers
brought. It runs without our settings, so that it could not find our database if it looked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from api.demo.errors import BankStoppedError
from audit.keys import create_secret
from ledger.money import sen_text

__all__ = ["BankAnswer", "BankProcess"]


@dataclass(frozen=True, slots=True)
class BankAnswer:
    """What came back at the end of a day: two files, and what the bank said while closing."""

    statement: Path
    answers: Path
    said: dict[str, Any]

    def rejections(self) -> list[dict[str, str]]:
        """Instructions that were not carried out: reference and reason."""
        found: list[dict[str, str]] = json.loads(self.answers.read_bytes())["answers"]
        return found


@dataclass(frozen=True, slots=True)
class BankProcess:
    """How the bank is called. *folder* is the bank's own, *desk* where files change hands."""

    folder: Path
    desk: Path
    seed: int

    def open(self, account: str, balance_sen: int, on: date) -> None:
        """The RKUD account as it stands on the evening before. Raises BankStoppedError."""
        self._call(
            "open",
            *("--account", account),
            *("--balance", sen_text(balance_sen)),
            *("--on", on.isoformat()),
        )

    def close_day(
        self, day: date, lists: Sequence[Path], key: str, deposits: Sequence[object]
    ) -> BankAnswer:
        """The bank works through the day and writes its statement. Raises BankStoppedError."""
        name = day.isoformat()
        brought = self.desk / f"deposits-{name}.json"
        create_secret(brought, msgspec.json.encode(deposits))
        statement = self.desk / f"statement-{name}.sta"
        answers = self.desk / f"answers-{name}.json"
        said = self._call(
            "close-day",
            *("--day", name),
            *(part for path in lists for part in ("--advice-list", str(path))),
            *("--officer-key", key),
            *("--deposits", str(brought)),
            *("--statement", str(statement)),
            *("--answers", str(answers)),
            *("--seed", str(self.seed)),
        )
        return BankAnswer(statement, answers, said)

    def _call(self, *arguments: str) -> dict[str, Any]:
        ended = subprocess.run(  # noqa: S603  # our own module, no shell
            [
                *(sys.executable, "-m", "bank_adapters.simulator"),
                *arguments,
                *("--state", str(self.folder / "books.json")),
            ],
            capture_output=True,
            check=False,
            env={k: v for k, v in os.environ.items() if not k.startswith("RKUD_")},
        )
        try:
            said: dict[str, Any] = json.loads(ended.stdout)
        except ValueError:
            said = {"message": ended.stderr.decode(errors="replace")[-300:]}
        if ended.returncode != 0:
            raise BankStoppedError(message=str(said.get("message", ended.returncode)))
        return said
