"""
Copy a book's database, and put a copy in the place of a missing one.

Never a key and never the signer's state: a copy that fell into other hands signs nothing, and a
restored database can't bring back an older memory of what was signed (D11).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Final

from sqlalchemy import make_url

from api.data_dir import DATABASE, create_data_dir
from api.errors import ApiError
from api.importing import FileUnreadableError
from api.settings import Settings

__all__ = [
    "DumpFailedError",
    "NotABackupError",
    "PgDumpMissingError",
    "TargetExistsError",
    "back_up",
    "restore_from",
]

#: How files begin: SQLite's database (sqlite.org/fileformat.html), and pg_dump's custom archive.
_SQLITE: Final = b"SQLite format 3\x00"
_ARCHIVE: Final = b"PGDMP"


class TargetExistsError(ApiError):
    """Something stands there already; nothing is written over unasked."""

    def __init__(self, *, path: str) -> None:
        super().__init__(f"{path} exists already", path=path)


class PgDumpMissingError(ApiError):
    """A PostgreSQL book is copied by PostgreSQL's own tool, which is not installed here."""

    def __init__(self, *, tool: str) -> None:
        super().__init__(f"{tool} is not on PATH; install PostgreSQL's client programs", tool=tool)


class NotABackupError(ApiError):
    """The file is no copy of a book that `rkud backup` wrote, or one of the other engine."""

    def __init__(self, *, path: str, reason: str) -> None:
        super().__init__(
            f"{path} is not a copy that rkud backup wrote: {reason}", path=path, reason=reason
        )


class DumpFailedError(ApiError):
    """The copy could not be made or put back."""

    def __init__(self, *, tool: str, reason: str) -> None:
        super().__init__(f"{tool} failed: {reason}", tool=tool, reason=reason)


def back_up(settings: Settings, target: Path) -> int:
    """Write a consistent copy to a new file (0600); its size in bytes. Raises ApiError."""
    if target.exists():
        raise TargetExistsError(path=str(target))
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        if settings.is_sqlite():
            _copy_sqlite(_sqlite_path(settings), target)
        else:
            _run_tool("pg_dump", settings.url(), ["--format=custom", f"--file={target}"])
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return target.stat().st_size


def restore_from(settings: Settings, source: Path) -> None:
    """
    Put a copy where no database is. Raises ApiError; then nothing was made.

    On SQLite the file must be missing: whoever restores moves the old one away first. On PostgreSQL
    the database must be empty, and the owner's URL is used, whole schema and triggers included.
    """
    _check_kind(source, sqlite=settings.is_sqlite())
    if not settings.is_sqlite():
        create_data_dir(settings.data_dir)
        url = settings.owner_url.get_secret_value() if settings.owner_url else settings.url()
        _run_tool("pg_restore", url, ["--exit-on-error", "--single-transaction", str(source)])
        return
    target = _sqlite_path(settings)
    for each in (target, *(target.with_name(target.name + end) for end in ("-wal", "-shm"))):
        if each.exists():
            raise TargetExistsError(path=str(each))
    _check_copy(source)
    create_data_dir(settings.data_dir)
    temporary = target.with_name(target.name + ".restoring")
    temporary.unlink(missing_ok=True)
    with source.open("rb") as read:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as write:
            shutil.copyfileobj(read, write)
            write.flush()
            os.fsync(handle)
    # Die here: a whole file under another name, no database; the restore is run again.
    temporary.replace(target)


def _check_kind(source: Path, *, sqlite: bool) -> None:
    """What a file is, by how it begins. Raises FileUnreadableError, NotABackupError."""
    try:
        with source.open("rb") as file:
            head = file.read(len(_SQLITE))
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise FileUnreadableError(path=str(source), reason=reason) from None
    here, other = (_SQLITE, _ARCHIVE) if sqlite else (_ARCHIVE, _SQLITE)
    if head.startswith(here):
        return
    engines = ("SQLite", "PostgreSQL") if sqlite else ("PostgreSQL", "SQLite")
    reason = f"it holds no {engines[0]} database"
    if head.startswith(other):
        reason = f"it is of {engines[1]}, and this book is kept in {engines[0]}"
    raise NotABackupError(path=str(source), reason=reason)


def _sqlite_path(settings: Settings) -> Path:
    database = make_url(settings.url()).database
    return Path(database) if database else settings.data_dir / DATABASE


def _copy_sqlite(source: Path, target: Path) -> None:
    """SQLite's online backup: pages as of one moment, while writers go on."""
    read = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)
    write = sqlite3.connect(target)
    try:
        read.backup(write)
        # A plain file without a write-ahead log beside it.
        write.execute("PRAGMA journal_mode=DELETE")
        if write.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise DumpFailedError(tool="backup", reason="the copy is damaged")
    finally:
        write.close()
        read.close()


def _check_copy(source: Path) -> None:
    try:
        conn = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            found = conn.execute("PRAGMA integrity_check").fetchone()
            book = conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'log_edge'").fetchone()
        finally:
            conn.close()
    except sqlite3.Error as error:
        raise NotABackupError(path=str(source), reason=str(error)) from None
    if found != ("ok",):
        raise NotABackupError(path=str(source), reason="the database in it is damaged")
    if book is None:
        raise NotABackupError(path=str(source), reason="the database in it holds no book")


def _run_tool(tool: str, url: str, arguments: list[str]) -> None:
    path = shutil.which(tool)
    if path is None:
        raise PgDumpMissingError(tool=tool)
    parts = make_url(url)
    environment = {**os.environ}
    named = {
        "PGHOST": parts.host or parts.query.get("host"),
        "PGPORT": str(parts.port) if parts.port else parts.query.get("port"),
        "PGUSER": parts.username,
        "PGPASSWORD": parts.password,
        "PGDATABASE": parts.database,
    }
    # By the environment: a command line can be read by every user of the machine.
    environment.update({name: value for name, value in named.items() if isinstance(value, str)})
    where = ["--dbname", parts.database or ""] if tool == "pg_restore" else []
    done = subprocess.run(  # noqa: S603  # the tool that was found, our own arguments
        [path, *where, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise DumpFailedError(tool=tool, reason=done.stderr.strip()[-300:])
