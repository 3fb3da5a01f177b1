"""Bytes of a file to lines of text, saying what had to be assumed."""

import re
from dataclasses import dataclass

from bank_adapters.errors import (
    BinaryContentError,
    EmptyFileError,
    MarkupContentError,
    UndecodableTextError,
)
from bank_adapters.statements.statement import Warning_

ENCODINGS = ("utf-8", "cp1252", "latin-1")

# The longer mark first: UTF-32's begins with UTF-16's.
_BYTE_ORDER_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_MAGIC = (
    (b"PK\x03\x04", "a ZIP archive or XLSX workbook"),
    (b"%PDF", "a PDF document"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"\x1f\x8b", "a gzip archive"),
)
_MARKUP = (
    (
        re.compile(r"\s*(?:<!doctype html|<(?:html|head|table|meta|style|body)\b)", re.I),
        "a web page",
    ),
    (re.compile(r"\s*(?:<\?[^>]*>\s*)*<Workbook\b"), "an XML sheet of Excel 2003"),
)
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CONTROL_BYTES = bytes([*range(1, 9), 11, 12, *range(14, 32), 127])


@dataclass(frozen=True, slots=True)
class TextFile:
    """Lines without their ends. Only CR, LF and CRLF end a line (never U+2028 and the like)."""

    lines: list[str]
    encoding: str
    warnings: tuple[Warning_, ...]


def read_text(data: bytes, encodings: tuple[str, ...] = ENCODINGS) -> TextFile:
    """Decode *data* by its byte order mark, else by the first of *encodings* that fits.

    Raises EmptyFileError, BinaryContentError, MarkupContentError, UndecodableTextError.
    """
    if not data.strip():
        raise EmptyFileError
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            raise BinaryContentError(kind)
    text, encoding, warnings = _decoded(data, encodings)
    if "\x00" in text:
        line = len(_LINE_BREAK.findall(text, 0, text.index("\x00"))) + 1
        raise BinaryContentError("bytes with zeros among them", position=line)
    if not text.strip():
        raise EmptyFileError
    for markup, kind in _MARKUP:
        if markup.match(text):
            raise MarkupContentError(kind)
    # Every encoding here but UTF-16 and UTF-32 keeps ASCII as single bytes, and deleting bytes is
    # many times faster than searching text: most files end here.
    is_wide = encoding.startswith(("utf-16", "utf-32"))
    may_hold_control = is_wide or len(data.translate(None, _CONTROL_BYTES)) != len(data)
    if may_hold_control and (control := _CONTROL.search(text)):
        # SWIFT networks wrap messages in SOH/ETX, and DOS tools end files with SUB.
        line = len(_LINE_BREAK.findall(text, 0, control.start())) + 1
        text, count = _CONTROL.subn("", text)
        warnings.append(
            Warning_("control_characters", line, f"{count} control characters were left out")
        )
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return TextFile(text.split("\n"), encoding, tuple(warnings))


def _decoded(data: bytes, encodings: tuple[str, ...]) -> tuple[str, str, list[Warning_]]:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            try:
                return data.decode(encoding), encoding, []
            except UnicodeDecodeError:
                raise UndecodableTextError((encoding,)) from None
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == encodings[0]:
            return text, encoding, []
        message = f"not {encodings[0]}; read as {encoding}, names may show wrong letters"
        return text, encoding, [Warning_("encoding_assumed", None, message)]
    raise UndecodableTextError(encodings)
