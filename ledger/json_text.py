"""
JSON as it is sent to us: what is none, and objects that name a member twice.

Pure. RFC 8259 lets a reader keep either of two members of one name, so a text that has them may be
read as two different amounts; it is refused. The fast way counts and never looks; the slow way, on
suspicion only, finds the member and its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final, TypeVar

import msgspec

from ledger.errors import DuplicateKeyError, InvalidFieldError, MalformedJsonError

__all__ = [
    "UNREADABLE",
    "is_plain",
    "look_closely",
    "read_json",
    "read_json_as",
    "refusal_of",
]

T = TypeVar("T")

_SPACE: Final = b" \t\r\n"
#: What a reader of JSON raises for a text that is none, or that has not the shape it reads.
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode
#: NUL and the colon, escaped.
_ODD: Final = re.compile(rb"\\u00(?:00|3[aA])")
_FIELD: Final = re.compile(r"^(.*) - at `\$\.?(.*)`$")
_BYTE: Final = re.compile(r"^(?:JSON is malformed: )?(.*) \(byte ([0-9]+)\)$")
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_UTF8_MARK: Final = b"\xef\xbb\xbf"
#: How the files begin that are sent by mistake.
_BINARY: Final = ((b"\x1f\x8b", "gzip"), (b"PK\x03\x04", "ZIP or XLSX"), (b"%PDF", "PDF"))


def read_json(data: bytes, *, line: int = 0) -> object:
    """
    The value of a JSON text in UTF-8. *line* is its line in a file, 1-based.

    Raises:
        MalformedJsonError: It is none.
        DuplicateKeyError: An object names a member twice.
        InvalidFieldError: A number is beyond what can be read, or a text holds NUL.
    """
    try:
        value: object = _decode(data)
        encoded = _encode(value)
    except UNREADABLE as error:
        raise refusal_of(data, error, line=line) from None
    if not is_plain(data, encoded):
        look_closely(data, line=line)
    return value


def read_json_as(kind: type[T], data: bytes) -> T:
    """
    The value of a JSON text as a *kind*: a structure, where unknown members and wrong types are
    refused with their place. Raises what `read_json` does.
    """
    value = read_json(data)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _misshapen(error) from None


def refusal_of(
    data: bytes, error: Exception, *, line: int = 0
) -> MalformedJsonError | InvalidFieldError:
    """Why *data* could not be read, of an error in UNREADABLE; *line* is its line in a file."""
    if isinstance(error, msgspec.ValidationError):
        # A reader of a shape stops at the first thing that does not fit, before it has seen all.
        try:
            _decode(data)
        except msgspec.ValidationError:
            return _misshapen(error)
        except UNREADABLE as other:
            error = other
        else:
            return _misshapen(error)
    return _malformed(data, error, line or 1)


def _misshapen(error: msgspec.ValidationError) -> InvalidFieldError:
    found = _FIELD.match(str(error))
    rule, field = (found[1], found[2]) if found else (str(error), "")
    return InvalidFieldError(field or "body", rule, "")


def is_plain(data: bytes, encoded: bytes) -> bool:
    """
    Whether *data* surely writes no more members than its value has, *encoded* again, and no NUL.

    Each member has a colon, and so have the colons in texts; of two twins only one is left to be
    encoded. Only an escaped colon could make up for that.
    """
    return data.count(b":") == encoded.count(b":") and not (b"\\" in data and _ODD.search(data))


def look_closely(data: bytes, *, line: int = 0) -> None:
    """
    Look through a text that is JSON, at the cost of reading it anew.

    Raises:
        DuplicateKeyError: An object names a member twice; the member and its place.
        InvalidFieldError: A text holds U+0000, which no database of ours keeps.
    """
    try:
        value = json.loads(
            data.decode(), object_pairs_hook=_or_twin, parse_int=str, parse_float=str
        )
        found, nul = _find(value, ""), _find_nul(value, "")
    except RecursionError as error:
        raise _malformed(data, error, line or 1) from None
    if found is not None:
        raise DuplicateKeyError(key=found[0], field=found[1], line=line)
    if nul is not None:
        raise InvalidFieldError(nul or "body", "holds a NUL character", "")


def _find_nul(value: object, place: str) -> str | None:
    if isinstance(value, str):
        return place if "\0" in value else None
    if isinstance(value, dict) and any("\0" in name for name in value):
        return place
    inner = (_find_nul(each, at) for at, each in _inside(value, place))
    return next((found for found in inner if found is not None), None)


def _inside(value: object, place: str) -> Iterator[tuple[str, object]]:
    """What stands in an object or a list, with its place."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield f"{place}.{name}" if place else name, each
    elif isinstance(value, list):
        for n, each in enumerate(value):
            yield f"{place}[{n}]", each


class _Twin:
    """Stands for an object that names *key* twice."""

    __slots__ = ("key",)

    def __init__(self, key: str) -> None:
        self.key = key


def _or_twin(pairs: list[tuple[str, object]]) -> dict[str, object] | _Twin:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    # The dictionary keeps first occurrences in order: the first pair that is out of step is a twin.
    first = iter(made)
    return _Twin(next(name for name, _ in pairs if name != next(first, None)))


def _find(value: object, place: str) -> tuple[str, str] | None:
    """The first twin: its key and where it stands."""
    if isinstance(value, _Twin):
        return value.key, f"{place}.{value.key}" if place else value.key
    inner = (_find(each, at) for at, each in _inside(value, place))
    return next((found for found in inner if found is not None), None)


def _malformed(data: bytes, error: Exception, first_line: int) -> MalformedJsonError:
    """Where and why a text is no JSON. *error* is what its reader said."""
    data = data.rstrip()
    reason, offset = _fault(data, error)
    before = data[:offset]
    start = before.rfind(b"\n") + 1
    return MalformedJsonError(
        reason,
        line=first_line + before.count(b"\n"),
        column=len(before[start:].decode("utf-8", "replace")) + 1,
        hint=_hint(data),
    )


def _fault(data: bytes, error: Exception) -> tuple[str, int]:
    if not data.strip():
        return "there is no text", 0
    if data.startswith(_UTF8_MARK):
        return "it begins with a byte order mark", 0
    try:
        text = data.decode()
    except UnicodeDecodeError as wrong:
        return f"byte 0x{data[wrong.start]:02x} is not UTF-8", wrong.start
    try:
        # The position is of the other reader: msgspec's is off by one for some faults.
        json.loads(text, parse_int=str, parse_float=str)
    except json.JSONDecodeError as wrong:
        return wrong.msg[:1].lower() + wrong.msg[1:], len(text[: wrong.pos].encode())
    except RecursionError:
        return "it is nested too deeply", 0
    # NaN, Infinity and half a surrogate pair, which that reader lets pass.
    if (said := _BYTE.match(str(error))) is not None:
        return said[1], int(said[2])
    if (half := _SURROGATE.search(data)) is not None:
        return "half a surrogate pair", half.start()
    return "it is nested too deeply", 0


def _hint(data: bytes) -> str:
    if data.startswith(_UTF8_MARK):
        return "send UTF-8 without a byte order mark"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or (
        0 in data[:2] and data[:4].strip(b"\0")[:1] in (b"{", b"[")
    ):
        return "this is UTF-16 or UTF-32; send UTF-8"
    for head, name in _BINARY:
        if data.startswith(head):
            return f"this is a {name} file; send the text itself"
    if data[:1] not in (b"{", b"[") and any(
        byte < 32 and byte not in _SPACE for byte in data[:512]
    ):
        return "this is binary; send text in UTF-8"
    return ""
