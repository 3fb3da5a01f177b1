"""
What somebody with the file in hands could do, tried on a copy: no rule of the database helps then.

First one amount of a posted journal is changed; then, more cleverly, the log's own entry is made to
agree with it, hash and all. The triggers that would refuse are dropped before and put back after.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from ledger.money import sen_text

__all__ = ["Edit", "copy_database", "edit_amount", "edit_leaf"]

#: What the attacker adds to a payment: Rp 10,000,000.
_MORE_SEN: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Edit:
    """One changed line: the journal, its place, its leaf, the amount before and after (text)."""

    journal: int
    n: int
    leaf: int
    before: str
    after: str


def copy_database(database: Path, directory: Path) -> Path:
    """A consistent copy, for this user alone."""
    directory.mkdir(mode=0o700)
    copy = directory / database.name
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    source, target = sqlite3.connect(f"file:{database}?mode=ro", uri=True), sqlite3.connect(copy)
    try:
        source.backup(target)
    finally:
        source.close()
        target.close()
    return copy


def edit_amount(copy: Path, government: str, day: str) -> Edit:
    """Make one payment of the day larger, in the posted line alone."""
    with _connection(copy) as database:
        journal, leaf, n, amount = database.execute(
            "SELECT j.id, j.leaf_index, l.n, l.amount_sen FROM journal j JOIN journal_line l"
            " ON l.government = j.government AND l.journal_id = j.id"
            " WHERE j.government = ? AND j.kind = 'sp2d.issue' AND j.effective_on = ?"
            " AND l.payment_reference <> '' ORDER BY l.amount_sen LIMIT 1",
            (government, day),
        ).fetchone()
        _without_trigger(
            database,
            "journal_line_no_update",
            "UPDATE journal_line SET amount_sen = amount_sen - ?"
            " WHERE government = ? AND journal_id = ? AND n = ?",
            (_MORE_SEN, government, journal, n),
        )
    return Edit(journal, n, leaf, sen_text(amount), sen_text(amount - _MORE_SEN))


def edit_leaf(copy: Path, government: str, edit: Edit) -> None:
    """Make the log's entry say the same as the changed line."""
    with _connection(copy) as database:
        (body,) = database.execute(
            "SELECT body FROM log_leaf WHERE government = ? AND idx = ?", (government, edit.leaf)
        ).fetchone()
        changed = bytes(body).replace(edit.before.encode(), edit.after.encode())
        # RFC 6962: a leaf's hash is SHA-256 of a zero byte and the entry.
        values = (changed, sha256(b"\x00" + changed).digest(), government, edit.leaf)
        _without_trigger(
            database,
            "log_leaf_no_update",
            "UPDATE log_leaf SET body = ?, leaf_hash = ? WHERE government = ? AND idx = ?",
            values,
        )


class _connection:  # noqa: N801  # used as a function
    """A raw connection that commits and closes."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path)

    def __enter__(self) -> sqlite3.Connection:
        return self._database

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._database.commit()
        self._database.close()


def _without_trigger(
    database: sqlite3.Connection, trigger: str, statement: str, values: tuple[object, ...]
) -> None:
    (text,) = database.execute(
        "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = ?", (trigger,)
    ).fetchone()
    database.execute(f"DROP TRIGGER {trigger}")
    database.execute(statement, values)
    database.execute(text)
