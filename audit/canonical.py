"""
The only bytes that are ever hashed or signed: canonical JSON (RFC 8785, JCS), in a small subset.

Allowed: objects with text keys, arrays, text, integers up to 2**53-1 either way, booleans, null.
Refused: floats and Decimal (money is text), larger integers (readers that use doubles round them),
lone surrogates (no UTF-8 for them), duplicate keys, any byte that JCS would write otherwise.
Text is not normalised: a decomposed accent stays decomposed.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn, TypeAlias

from audit.errors import NotCanonicalError

# What parsing gives back; what writing takes is wider, so that dict[str, str] fits it.
Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool | None"
JsonInput: TypeAlias = "Mapping[str, JsonInput] | Sequence[JsonInput] | str | int | bool | None"

INTEGER_MAX = 2**53 - 1  # RFC 7493 section 2.2: beyond it doubles lose integers
_DEPTH_MAX = 64  # our documents are 4 deep; a bound keeps hostile nesting off the stack

# With ASCII keys code point order is UTF-16 order, and the escapes of the standard encoder are
# those of RFC 8785 section 3.2.2.2 (\b \t \n \f \r \" \\ and \u00xx in lower case).
_encode = json.JSONEncoder(
    sort_keys=True,
    separators=(",", ":"),
    ensure_ascii=False,
    allow_nan=False,
    check_circular=False,
).encode


def canonical(value: JsonInput) -> bytes:
    """
    The JCS bytes of *value*. Tuples are written as arrays.

    Raises:
        NotCanonicalError: The value holds something outside the subset.
    """
    if not _check(value, 0):
        value = _ordered(value)
        text = _encode_as_ordered(value)
    else:
        text = _encode(value)
    return _utf8(text)


try:
    # Six times as fast and the same bytes, which a test holds; the inspector's tool does without.
    import msgspec

    _quick = msgspec.json.Encoder(order="sorted").encode
except ImportError:

    def _quick(value: object, /) -> bytes:
        return _encode(value).encode()


def canonical_fast(value: JsonInput) -> bytes:
    """
    The same bytes as `canonical`, unchecked: the caller promises the subset and ASCII keys.

    For leaf writers, whose keys are literals and whose values are text, small integers, booleans
    and null by type. About 1 us for 600 bytes; with a broken promise the bytes are not JCS.

    Raises:
        NotCanonicalError: A lone surrogate, which has no UTF-8.
    """
    try:
        return _quick(value)
    except UnicodeEncodeError as error:
        raise NotCanonicalError("text holds a lone surrogate") from error


def parse_canonical(data: bytes) -> Json:
    """
    Read bytes that `canonical` wrote. JCS(parse(data)) == data is checked: one value, one form.

    Raises:
        NotCanonicalError: Not UTF-8, not JSON, a float, a large integer, or other bytes than JCS's.
    """
    try:
        text = data.decode()
        value, end = _decoder.raw_decode(text)
        if end != len(text):
            raise NotCanonicalError("bytes after the value")
        # A duplicate key, white space, another escape or order all come out as other bytes. Where
        # the data is ASCII, equality shows that every key is, so the quick writer is JCS; and few
        # brackets cannot nest deeply.
        quick = data.isascii() and data.count(b"{") + data.count(b"[") <= _DEPTH_MAX
        again = _quick(value) if quick else canonical(value)
    except UnicodeDecodeError as error:
        raise NotCanonicalError("not UTF-8") from error
    except UnicodeEncodeError as error:
        raise NotCanonicalError("text holds a lone surrogate") from error
    except json.JSONDecodeError as error:
        raise NotCanonicalError(f"not JSON at character {error.pos}") from error
    except RecursionError as error:
        raise NotCanonicalError("nested too deeply") from error
    if again != data:
        raise NotCanonicalError(_why_it_differs(text))
    return value  # type: ignore[no-any-return]  # the decoder's type is Any; its hooks keep the subset


def _check(value: object, depth: int) -> bool:
    """Refuse what is outside the subset; True when every key is ASCII."""
    if value is None or isinstance(value, (str, bool)):
        return True
    if isinstance(value, int):
        if not -INTEGER_MAX <= value <= INTEGER_MAX:
            raise NotCanonicalError("an integer beyond 2**53-1")
        return True
    if depth == _DEPTH_MAX:
        raise NotCanonicalError("nested too deeply")
    ascii_keys = True
    if isinstance(value, dict):
        for key, member in value.items():
            if not isinstance(key, str):
                raise NotCanonicalError(f"a key of type {type(key).__name__}")
            ascii_keys &= key.isascii()
            ascii_keys &= _check(member, depth + 1)
        return ascii_keys
    if isinstance(value, (list, tuple)):
        for member in value:
            ascii_keys &= _check(member, depth + 1)
        return ascii_keys
    raise NotCanonicalError(f"a value of type {type(value).__name__}")


_encode_as_ordered = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
).encode


def _ordered(value: JsonInput) -> JsonInput:
    """The same value with keys in UTF-16 code unit order (RFC 8785 section 3.2.3)."""
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value, key=_utf16)}
    if isinstance(value, (list, tuple)):
        return [_ordered(member) for member in value]
    return value


def _utf16(key: str) -> bytes:
    try:
        return key.encode("utf-16-be")  # big-endian: byte order is code unit order
    except UnicodeEncodeError as error:
        raise NotCanonicalError("a key holds a lone surrogate") from error


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise NotCanonicalError("text holds a lone surrogate") from error


def _integer(digits: str) -> int:
    # Length first: int() of a million digits is slow, and Python refuses it with another error.
    if len(digits) > 17 or not -INTEGER_MAX <= (number := int(digits)) <= INTEGER_MAX:
        raise NotCanonicalError("an integer beyond 2**53-1")
    return number


def _refuse_float(_: str) -> NoReturn:
    raise NotCanonicalError("a number that is not an integer")


_decoder = json.JSONDecoder(
    parse_int=_integer, parse_float=_refuse_float, parse_constant=_refuse_float
)


def _why_it_differs(text: str) -> str:
    """Only after a refusal: parse again to name the commonest reason."""
    duplicates: list[str] = []

    def note(pairs: list[tuple[str, object]]) -> dict[str, object]:
        keys = [key for key, _ in pairs]
        duplicates.extend(_repeated(keys))
        return dict(pairs)

    json.loads(text, object_pairs_hook=note)
    return "a duplicate key" if duplicates else "white space, key order or escapes differ from JCS"


def _repeated(keys: list[str]) -> Iterator[str]:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            yield key
        seen.add(key)
