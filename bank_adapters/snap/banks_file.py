"""
`banks.toml` from the disk, with the keys that it names. A shell: files and their modes, no more.

Keys come from files only, named relative to the folder of `banks.toml`. A secret that others can
read is refused, not repaired: it has been readable. What others could write is refused as well: it
says where money goes.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from audit.errors import UnsafeKeyFileError
from audit.keys import read_secret
from bank_adapters.snap.connection import Connection, read_connections
from bank_adapters.snap.errors import InvalidConnectionError

__all__ = ["load_connections", "read_operators_file"]

_BYTES_MAX: Final = 1_000_000


def load_connections(path: Path) -> tuple[Connection, ...]:
    """The connections of a file of banks. Raises InvalidConnectionError."""
    try:
        text = read_operators_file(path).decode()
    except UnicodeDecodeError:
        raise InvalidConnectionError(path.name, "", "", "is not text in UTF-8") from None
    except ValueError as error:
        raise InvalidConnectionError(path.name, "", "", str(error)) from None

    def read_file(named: str, secret: bool) -> bytes:
        where = path.parent / named
        if not secret:
            return read_operators_file(where)
        try:
            return read_secret(where)
        except FileNotFoundError:
            raise ValueError(f"{named} is not there") from None
        except UnsafeKeyFileError as error:
            raise ValueError(f"{named}: {error.reason}") from None

    return read_connections(text, file=path.name, read_file=read_file)


def read_operators_file(path: Path) -> bytes:
    """A file that anybody may read and only its owner write; ValueError with the reason."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise ValueError(f"{path.name} can't be opened: {error.strerror}") from None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        mode = stat.S_IMODE(status.st_mode)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{path.name} is not a plain file")
        if mode & 0o022 or status.st_uid not in (os.geteuid(), 0):
            raise ValueError(f"{path.name} (mode {mode:04o}) can be written by others")
        if status.st_size > _BYTES_MAX:
            raise ValueError(f"{path.name} is too large")
        return file.read()
