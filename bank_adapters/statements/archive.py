"""ZIP archives from banks, opened within limits.

Nothing is unpacked to disk, and nothing is read before the directory of the archive has said how
large it will be: a bomb is refused by its own declaration, and a member that is longer than declared
is cut off by its checksum.
"""

from __future__ import annotations

import io
import zipfile
from typing import Final

from bank_adapters.errors import UnsafeArchiveError

__all__ = ["read_members"]

MEMBERS_MAX: Final = 1_000
UNPACKED_BYTES_MAX: Final = 256 * 1024 * 1024
#: Text packs ten to thirty times; sheets of equal rows a hundred times.
RATIO_MAX: Final = 250
_RATIO_COUNTS_FROM_BYTES: Final = 1024 * 1024
_ENCRYPTED: Final = 0x1


def read_members(data: bytes) -> dict[str, bytes]:
    """The files of an archive by their names, in its order. Raises UnsafeArchiveError."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            _check(infos, len(data))
            return {info.filename: archive.read(info) for info in infos}
    except UnsafeArchiveError:
        raise
    except Exception as error:  # on damaged archives the library trips in many ways
        raise UnsafeArchiveError(f"it can't be unpacked ({type(error).__name__})") from None


def _check(infos: list[zipfile.ZipInfo], packed_bytes: int) -> None:
    if len(infos) > MEMBERS_MAX:
        raise UnsafeArchiveError(f"it holds {len(infos)} files; at most {MEMBERS_MAX} are read")
    total = sum(info.file_size for info in infos)
    if total > UNPACKED_BYTES_MAX:
        raise UnsafeArchiveError(
            f"it unpacks to {total} bytes; at most {UNPACKED_BYTES_MAX} are read"
        )
    if total > _RATIO_COUNTS_FROM_BYTES and total > packed_bytes * RATIO_MAX:
        raise UnsafeArchiveError(f"it unpacks to more than {RATIO_MAX} times its size")
    names = [info.filename for info in infos]
    if len(set(names)) < len(names):
        raise UnsafeArchiveError("two of its files have one name")
    if any(info.flag_bits & _ENCRYPTED for info in infos):
        raise UnsafeArchiveError("it is encrypted")
