"""The engines every database test runs on, and the value its fixture gives."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

ENGINES: Final = ("sqlite", "postgresql")
ENGINES_VARIABLE: Final = "RKUD_TEST_ENGINES"


@dataclass(frozen=True, slots=True)
class Database:
    """
    A fresh database at the newest revision.

    `url` is the application's role on PostgreSQL, `owner_url` the role that owns the tables,
    `reader_url` the role that only reads. On SQLite the three are one file.
    """

    dialect: str
    url: str = field(repr=False)
    owner_url: str = field(repr=False)
    reader_url: str = field(repr=False)


def chosen_engines(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """
    Both engines, or those that RKUD_TEST_ENGINES names, separated by commas.

    Raises:
        pytest.UsageError: It names none, or one that doesn't exist.
    """
    text = environ.get(ENGINES_VARIABLE)
    if text is None:
        return ENGINES
    chosen = tuple(name.strip() for name in text.split(",") if name.strip())
    if not chosen or not set(chosen) <= set(ENGINES):
        raise pytest.UsageError(f"{ENGINES_VARIABLE} is {text!r}, not some of {', '.join(ENGINES)}")
    return chosen


def narrowed_notice(environ: Mapping[str, str] = os.environ) -> str | None:
    """The sentence to print when a run leaves an engine out; None when it leaves out none."""
    left_out = [name for name in ENGINES if name not in chosen_engines(environ)]
    if not left_out:
        return None
    return f"NOT TESTED on {', '.join(left_out)}: {ENGINES_VARIABLE} leaves it out"


def sqlite_copy(template: Path, tmp_path: Path) -> Database:
    """A copy of a template file (0600) in a directory of its own (0700)."""
    folder = tmp_path / "book"
    folder.mkdir(mode=0o700)
    path = folder / "rkud.db"
    shutil.copyfile(template, path)
    path.chmod(0o600)
    url = f"sqlite:///{path}"
    return Database("sqlite", url=url, owner_url=url, reader_url=url)
