"""What an inspector gets and sees: a sealed log, an export, and a verdict made in another process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.checkpoints import log_key_path
from api.engine import make_engine, reading
from audit.export import Exported, export
from audit.keys import load_log_key
from ledger.book_export import BookExport

__all__ = ["Verdict", "export_book", "fsck", "verify_offline", "vkey_of"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `python -m audit verify` said: its exit code, and its JSON."""

    exit_code: int
    said: dict[str, Any]


def vkey_of(keys: Path, government: str) -> str:
    """The log's public key, as the inspector got it before."""
    return load_log_key(log_key_path(keys, government)).verifier.vkey


def export_book(database: Path, directory: Path, government: str, vkey: str) -> Exported:
    """Write the log and the books' claims to a new directory."""
    shutil.rmtree(directory, ignore_errors=True)
    engine = make_engine(f"sqlite:///{database.absolute()}")
    try:
        with reading(engine) as conn:
            return export(conn, directory, government, vkeys=[vkey], books=BookExport())
    finally:
        engine.dispose()


def verify_offline(directory: Path, vkey: str) -> Verdict:
    """In a process that knows no database and no settings."""
    ended = subprocess.run(  # noqa: S603  # our own module, no shell
        [sys.executable, "-m", "audit", "verify", str(directory), "--vkey", vkey, "--json"],
        capture_output=True,
        check=False,
        env={k: v for k, v in os.environ.items() if not k.startswith("RKUD_")},
    )
    return Verdict(ended.returncode, _json(ended))


def fsck(data_dir: Path, government: str) -> Verdict:
    """`rkud fsck` on a directory, in a process of its own."""
    ended = subprocess.run(  # noqa: S603  # our own module, no shell
        [
            *(sys.executable, "-c", "from api.cli import main; main()"),
            *("fsck", "--government", government, "--json"),
        ],
        capture_output=True,
        check=False,
        env={**os.environ, "RKUD_DATA_DIR": str(data_dir.absolute())},
    )
    return Verdict(ended.returncode, _json(ended))


def _json(ended: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads(ended.stdout)
    except ValueError:
        said = {"error": ended.stderr.decode(errors="replace")[-300:]}
    return said
