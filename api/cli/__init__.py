"""
`rkud`, the operator's command. Every subcommand loads what it needs when it runs, not before.

Exit codes: 0 done, 1 a check found something, 2 refused or wrong use.
"""

from __future__ import annotations

import os
import sys

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
    from api.cli.common import plain, print_json  # noqa: PLC0415
    from api.problems import is_named, problem  # noqa: PLC0415

    if isinstance(error, OSError) and error.filename:
        # A place that can't be read or written is the caller's to mend, not a fault of ours.
        where, why = plain(str(error.filename)), plain(error.strerror or type(error).__name__)
        sys.stderr.write(f"rkud: file_unreadable: {where}: {why}\n")
        sys.exit(2)
    if not is_named(error) and not hasattr(type(error), "code"):
        raise error
    members = problem(error)
    code = str(getattr(type(error), "code", members["code"]))
    message = str(getattr(error, "message", error))
    if "--json" in sys.argv:
        values = {
            name: value
            for name, value in members.items()
            if name not in ("type", "title", "status", "detail", "code")
        }
        print_json({"error": code, "message": message, **values})
    else:
        sys.stderr.write(f"rkud: {code}: {plain(message)}\n")
    sys.exit(2)
