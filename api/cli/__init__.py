"""
`rkud`, the operator's command. Every subcommand loads what it needs when it runs, not before.

Exit codes: 0 done, 1 a check found something, 2 refused or wrong use.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from sqlalchemy.exc import DatabaseError

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    # Whatever this process makes is its owner's alone.
    os.umask(0o077)
    from api.cli.root import app  # noqa: PLC0415

    try:
        app(prog_name="rkud")
    except BrokenPipeError:
        # Whoever read our output has gone; nothing is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        _refuse(error)


def _refuse(error: Exception) -> None:
    """A refusal of ours ends with 2 and its name; anything else is a fault and shows itself."""
    from sqlalchemy.exc import DatabaseError  # noqa: PLC0415

    from api.problems import is_named, problem  # noqa: PLC0415

    if isinstance(error, OSError) and error.filename:
        # A place that can't be read or written is the caller's to mend, not a fault of ours.
        where, why = str(error.filename), error.strerror or type(error).__name__
        _end("file_unreadable", f"{where}: {why}", {"path": where, "reason": why})
    if isinstance(error, DatabaseError):
        reason = _database_away(error)
        if reason is None:
            raise error
        _end("database_unavailable", f"the database can't be used: {reason}", {"reason": reason})
    if not is_named(error) and not isinstance(getattr(type(error), "code", None), str):
        raise error
    members = problem(error)
    code = str(getattr(type(error), "code", members["code"]))
    message = str(getattr(error, "message", error))
    reserved = ("type", "title", "status", "detail", "code")
    _end(code, message, {name: v for name, v in members.items() if name not in reserved})


def _end(code: str, message: str, values: dict[str, object]) -> NoReturn:
    from api.cli.common import plain, print_json  # noqa: PLC0415

    if "--json" in sys.argv:
        print_json({"error": code, "message": message, **values})
    else:
        sys.stderr.write(f"rkud: {code}: {plain(message)}\n")
    sys.exit(2)


def _database_away(error: DatabaseError) -> str | None:
    """Why the database as such can't be used, in its own words; None where that is not the matter."""
    import sqlite3  # noqa: PLC0415

    from sqlalchemy.exc import OperationalError, ProgrammingError  # noqa: PLC0415

    # Of SQLite's own class: the file is no database, or a damaged one.
    no_database = type(error.orig) is sqlite3.DatabaseError
    if not no_database and not isinstance(error, OperationalError | ProgrammingError):
        return None
    lines = str(error.orig).strip().splitlines()
    return lines[0] if lines else type(error.orig).__name__
