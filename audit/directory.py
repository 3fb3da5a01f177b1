"""
An export as files: read with bounds, never followed outside. Standard library only.

Whoever sent the files may have put anything there, so a path is read only when it is a plain file
below the directory, reached without a link, and not larger than its kind can be.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from audit.errors import ExportDirectoryError

__all__ = ["BUNDLE_MAX", "NOTE_MAX", "LogDirectory"]

NOTE_MAX: Final = 1_000_000
BUNDLE_MAX: Final = 256 * (2 + 65_535)
ATTACHMENT_MAX: Final = 1 << 30
_CHECKPOINT: Final = re.compile(r"checkpoint\.(0|[1-9][0-9]{0,18})")


class LogDirectory:
    """The files of one export."""

    def __init__(self, path: Path) -> None:
        """Raises ExportDirectoryError when there is no directory."""
        if not path.is_dir():
            raise ExportDirectoryError(str(path), "it is not a directory")
        self.path = path

    def read(self, name: str, most: int = BUNDLE_MAX) -> bytes:
        """
        The bytes of a file.

        Raises:
            FileNotFoundError: There is none.
            ValueError: A link, not a plain file, or above *most* bytes.
        """
        path = self.path / name
        try:
            handle = os.open(path, os.O_RDONLY | _NO_FOLLOW)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise (
                FileNotFoundError(name)
                if not os.path.lexists(path)
                else ValueError("it is not a plain file that can be read")
            ) from error
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("it is not a plain file")
            if status.st_size > most:
                raise ValueError(f"it has more than {most} bytes")
            return file.read(most)

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a file with their LF. FileNotFoundError."""
        with (self.path / name).open("rb") as file:
            yield from file

    def exists(self, name: str) -> bool:
        """Whether there is such a file or folder."""
        return os.path.lexists(self.path / name)

    def names(self) -> list[str]:
        """Everything in the directory itself, in order."""
        return sorted(path.name for path in self.path.iterdir())

    def folder_names(self, name: str) -> list[str]:
        """Everything in a folder of the directory; nothing when there is no such folder."""
        folder = self.path / name
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def checkpoints(self) -> list[tuple[int, str]]:
        """(size, name) of every `checkpoint.<size>`, by size."""
        found = ((_CHECKPOINT.fullmatch(name), name) for name in self.names())
        return sorted((int(match[1]), name) for match, name in found if match)

    def tiles(self) -> Iterator[str]:
        """The path of every file below `tile`, and of whatever else is there; folders are entered."""
        for folder, folders, files in os.walk(self.path / "tile"):
            folders.sort()
            below = Path(folder).relative_to(self.path).as_posix()
            links = [name for name in folders if (Path(folder) / name).is_symlink()]
            for name in sorted([*files, *links]):
                yield f"{below}/{name}"


_NO_FOLLOW: Final = (
    getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
)
