"""Archives as text that a fuzzer can change, and the corpora that are kept as archives."""

from __future__ import annotations

import hashlib
import io
import warnings
import zipfile
from pathlib import Path

KEPT = Path(__file__).parent / "corpus"
#: Begins a member of an archive in the text that `packed` makes an archive of.
MEMBER = b"\n=== "
_EPOCH = (1980, 1, 1, 0, 0, 0)


def kept(name: str) -> list[bytes]:
    """The corpus kept in the repository, an archive for each target; nothing where there is none yet."""
    if not (KEPT / f"{name}.zip").exists():
        return []
    with zipfile.ZipFile(KEPT / f"{name}.zip") as archive:
        return [archive.read(info) for info in archive.infolist()]


def keep(name: str, units: list[bytes]) -> Path:
    """Write the corpus of a target, the same bytes for the same units."""
    KEPT.mkdir(exist_ok=True)
    path = KEPT / f"{name}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for unit in sorted(set(units), key=lambda each: (len(each), each)):
            digest = hashlib.sha256(unit).hexdigest()[:12]
            info = zipfile.ZipInfo(digest, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, unit)
    return path


def unpacked(data: bytes) -> bytes:
    """An archive as text that a fuzzer can change: each member behind a line with its name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return b"".join(
            MEMBER + info.filename.encode() + b"\n" + archive.read(info)
            for info in archive.infolist()
        )


def members(data: bytes) -> list[tuple[bytes, bytes]]:
    parts = [part.partition(b"\n") for part in data.split(MEMBER)[1:]]
    return [(name, content) for name, _, content in parts]


def packed(data: bytes) -> bytes:
    """The archive of such a text. What begins as an archive is one already, however damaged."""
    if data.startswith(b"PK"):
        return data
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two members of one name are what a reader may meet
        for name, content in members(data):
            info = zipfile.ZipInfo(name.decode("latin-1"), _EPOCH)
            archive.writestr(info, packed(content) if content.startswith(MEMBER) else content)
    return out.getvalue()
