"""
Bytes of an XML message as the parser may see them: which encodings, and no DOCTYPE.

Pure. UTF-16 is handed on as UTF-8, so that a piece cut from the bytes is text of one encoding.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from bank_adapters.errors import EmptyFileError, UndecodableTextError

__all__ = ["CHUNK_BYTES", "DEPTH_MAX", "check_declared", "parser_input"]

CHUNK_BYTES: Final = 1 << 20
#: Elements within each other; no ISO 20022 message comes near it.
DEPTH_MAX: Final = 64

_ENCODINGS: Final = ("utf-8", "utf-16", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252")
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff")


def parser_input(chunks: Iterable[bytes]) -> tuple[bool, Iterator[bytes]]:
    """Whether the message is UTF-16, and its bytes: then UTF-8, whatever it declares.

    *chunks* are the file's bytes in any pieces. Raises EmptyFileError; the pieces raise
    UndecodableTextError as they are taken.
    """
    pieces = iter(chunks)
    start = b""
    while len(start) < len(_WIDE[0]) and (piece := next(pieces, None)) is not None:
        start += piece
    if not start:
        raise EmptyFileError
    everything = chain([start], pieces)
    if start.startswith(_WIDE):
        return True, _utf8(everything)
    return False, everything


def check_declared(encoding: str) -> None:
    """Refuse an encoding that banks' XML has no reason to be in. Raises UndecodableTextError."""
    if encoding.lower() not in _ENCODINGS:
        raise UndecodableTextError(_ENCODINGS)


def _utf8(chunks: Iterable[bytes]) -> Iterator[bytes]:
    decode = getincrementaldecoder("utf-16")().decode
    try:
        for chunk in chunks:
            yield decode(chunk).encode()
        yield decode(b"", True).encode()
    except UnicodeDecodeError:
        raise UndecodableTextError(("utf-16",)) from None
