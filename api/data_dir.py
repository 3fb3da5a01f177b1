"""
The directory of a book: who may enter it, and what lies in it.

Mode 0700, files 0600, on a disk of this machine. Anything wider is refused, not repaired: it has
been readable. SQLite's locks are not to be trusted over a network, and neither is the signer's.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from api.errors import DataDirMissingError, UnsafeDataDirError
from api.settings import Settings

__all__ = ["DATABASE", "check_data_dir", "create_data_dir", "filesystem_of"]

DATABASE: Final = "rkud.db"

#: As /proc/self/mountinfo names them (proc(5)).
_NETWORK: Final = frozenset(
    [
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "smb3",
        "smbfs",
    ]
)
_NETWORK_FUSE: Final = re.compile(
    r"fuse\.(sshfs|s3fs|rclone|gcsfuse|glusterfs|ceph|davfs|goofys).*"
)
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


def create_data_dir(path: Path) -> None:
    """Make the directory (0700), or accept an empty or fitting one. Raises UnsafeDataDirError."""
    if not path.exists():
        path.mkdir(mode=0o700, parents=True)
        path.chmod(0o700)  # whatever the umask says
    check_directory(path)


def check_data_dir(settings: Settings) -> None:
    """
    Refuse a directory that is missing or unsafe, before anything in it is used.

    Raises:
        DataDirMissingError: Nothing there, or no database where SQLite is the engine.
        UnsafeDataDirError: Modes, owner or file system; the path is named.
    """
    directory = settings.data_dir
    if settings.is_sqlite() and settings.database_url is None:
        if not (directory / DATABASE).is_file():
            raise DataDirMissingError(path=str(directory.absolute()))
    elif not directory.is_dir():
        raise DataDirMissingError(path=str(directory.absolute()))
    for each in {directory, settings.keys()}:
        if each.exists():
            check_directory(each)


def check_directory(directory: Path) -> None:
    """The directory and all plain files below it. Raises UnsafeDataDirError."""
    _check_mode(directory, 0o700)
    kind = filesystem_of(directory)
    if kind in _NETWORK or _NETWORK_FUSE.fullmatch(kind):
        raise UnsafeDataDirError(
            path=str(directory.absolute()),
            reason=f"it is on {kind}, a network file system, where locks can't be trusted",
        )
    for folder, _, files in os.walk(directory):
        if Path(folder) != directory:
            _check_mode(Path(folder), 0o700)
        for name in files:
            _check_mode(Path(folder) / name, 0o600)


def _check_mode(path: Path, widest: int) -> None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return  # a write-ahead log comes and goes
    if stat.S_ISLNK(status.st_mode):
        raise UnsafeDataDirError(path=str(path.absolute()), reason="it is a link")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise UnsafeDataDirError(
            path=str(path.absolute()), reason=f"its mode is {mode:04o}, {widest:04o} is the widest"
        )
    if status.st_uid not in (os.geteuid(), 0):
        raise UnsafeDataDirError(path=str(path.absolute()), reason="it belongs to another user")


def filesystem_of(path: Path, mounts: str | None = None) -> str:
    """
    Kind of the file system that *path* stands on, e.g. `ext4`; empty where the system does not say.

    *mounts* is the text of /proc/self/mountinfo, given by tests.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/self/mountinfo").read_text(errors="replace")
        except OSError:
            return ""
    real = path.resolve()
    longest, kind = -1, ""
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        fields, types = left.split(), right.split()
        if len(fields) < 5 or not types:
            continue
        point = Path(_ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), fields[4]))
        # The last of equal mounts lies on top of the others.
        if (real == point or point in real.parents) and len(str(point)) >= longest:
            longest, kind = len(str(point)), types[0]
    return kind
