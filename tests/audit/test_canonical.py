"""Canonical JSON: RFC 8785's own examples, an independent writer, and everything refused."""

from decimal import Decimal
from enum import IntEnum

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from audit.canonical import INTEGER_MAX, Json, canonical, canonical_fast, parse_canonical
from audit.errors import NotCanonicalError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers(-INTEGER_MAX, INTEGER_MAX) | TEXT


def values(keys: st.SearchStrategy[str]) -> st.SearchStrategy[Json]:
    """Any value of the subset whose keys are drawn from *keys*."""
    return st.recursive(
        SCALARS, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=30
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, b"{}"),
        ([], b"[]"),
        (None, b"null"),
        ([True, False, 0, -1], b"[true,false,0,-1]"),
        ({"b": 1, "a": {"d": [], "c": "x"}}, b'{"a":{"c":"x","d":[]},"b":1}'),
        (("a", 1), b'["a",1]'),
        ([INTEGER_MAX, -INTEGER_MAX], b"[9007199254740991,-9007199254740991]"),
        # RFC 8785 section 3.2.2.2: short escapes, lower-case \u00xx, nothing else escaped.
        (
            '\x00\b\t\n\x0b\f\r\x1f"\\/\x7f\u2028é€\U0001f600',
            rb'"\u0000\b\t\n\u000b\f\r\u001f\"\\/' + "\x7f\u2028é€\U0001f600".encode() + b'"',
        ),
        # A decomposed accent stays decomposed.
        ("e\u0301", b'"e\xcc\x81"'),
    ],
)
def test_canonical_of_an_example_is_its_known_bytes(value: Json, expected: bytes) -> None:
    """Each form has one spelling."""
    assert expected == canonical(value)
    assert expected == canonical_fast(value)


def test_canonical_keys_are_in_utf16_order() -> None:
    """RFC 8785 section 3.2.3's example: code units, so an emoji stands before U+FB33."""
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    expected = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]

    actual = parse_canonical(canonical(dict.fromkeys(keys, 0)))

    assert isinstance(actual, dict)
    assert expected == list(actual)


@given(values(TEXT))
def test_canonical_of_any_value_is_what_another_writer_gives(value: Json) -> None:
    """The rfc8785 package writes the same bytes, and reading them gives the value back."""
    data = canonical(value)

    assert rfc8785.dumps(value) == data
    assert value == parse_canonical(data)


@given(values(st.text(st.characters(max_codepoint=127))))
def test_canonical_fast_with_ascii_keys_is_canonical(value: Json) -> None:
    """What the leaf writers use gives the checked writer's bytes, as long as keys are ASCII."""
    assert canonical(value) == canonical_fast(value)


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        Decimal("1.00"),
        b"bytes",
        {1: "a"},
        {None: "a"},
        INTEGER_MAX + 1,
        -INTEGER_MAX - 1,
        {"a": [{"b": 0.5}]},
        {"a", "b"},
        "\ud800",
        {"\udfff": 1},
        {"é\udfff": 1},
        ["a\udc00b"],
        object(),
    ],
)
def test_canonical_of_a_value_outside_the_subset_is_refused(value: object) -> None:
    """Floats, Decimal, bytes, other keys, large integers and lone surrogates have no bytes."""
    with pytest.raises(NotCanonicalError):
        canonical(value)  # type: ignore[arg-type]  # on purpose


def test_canonical_fast_of_a_lone_surrogate_is_refused() -> None:
    """Even the unchecked writer cannot write what has no UTF-8."""
    with pytest.raises(NotCanonicalError):
        canonical_fast({"a": "\ud800"})


def test_canonical_of_an_enum_member_is_its_number() -> None:
    """A number with a name is written as the number."""
    level = IntEnum("level", {"SIX": 6})

    assert b"[6]" == canonical([level["SIX"]])


def test_nesting_beyond_64_is_refused_both_ways() -> None:
    """Deep nesting is neither written nor read, whatever the stack would bear."""
    deep: Json = []
    for _ in range(63):
        deep = [deep]

    assert b"[" * 64 + b"]" * 64 == canonical(deep)
    assert deep == parse_canonical(canonical(deep))
    for depth in (65, 500, 100_000):
        with pytest.raises(NotCanonicalError):
            parse_canonical(b"[" * depth + b"]" * depth)
    with pytest.raises(NotCanonicalError):
        canonical([deep])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a":1}\n', "after"),
        (b'{"a":1}{}', "after"),
        (b' {"a":1}', "not JSON"),
        (b'{"a": 1}', "white space"),
        (b'{"b":1,"a":2}', "order"),
        (b'{"a":1,"a":1}', "duplicate"),
        (b'{"a":1,"a":2}', "duplicate"),
        (b'{"x":{"a":1,"a":2}}', "duplicate"),
        (b'{"a":1,"\\u0061":1}', "duplicate"),
        (b"1.0", "not an integer"),
        (b"1e2", "not an integer"),
        (b"NaN", "not an integer"),
        (b"-Infinity", "not an integer"),
        (b"-0", "differ"),
        (b"01", "after"),
        (b"+1", "not JSON"),
        (b"9007199254740992", "2\\*\\*53"),
        (b"-9007199254740992", "2\\*\\*53"),
        (b"1" * 10_000, "2\\*\\*53"),
        (b'"\\u0041"', "differ"),
        (b'"\\/"', "differ"),
        (b'"\\u001F"', "differ"),
        (b'"\\u00e9"', "differ"),
        (b'"\\ud83d\\ude00"', "differ"),
        (b'"\\ud800"', "surrogate"),
        (b'"\x01"', "not JSON"),
        (b'"\xff"', "UTF-8"),
        (b'"\xed\xa0\x80"', "UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        ('{"\ufb33":1,"\U0001f600":1}'.encode(), "order"),
        (b"nul", "not JSON"),
        (b"'a'", "not JSON"),
    ],
)
def test_parse_of_another_spelling_is_refused(data: bytes, reason: str) -> None:
    """Whatever JCS would write otherwise is not read at all."""
    with pytest.raises(NotCanonicalError, match=reason):
        parse_canonical(data)


@given(values(TEXT), st.data())
def test_parse_of_changed_bytes_never_gives_the_same_value(
    value: Json, data: st.DataObject
) -> None:
    """One value has one form: other bytes are refused or mean something else."""
    original = canonical(value)
    at = data.draw(st.integers(0, len(original)))
    changed = original[:at] + data.draw(st.binary(min_size=1, max_size=2)) + original[at:]
    try:
        actual = parse_canonical(changed)
    except NotCanonicalError:
        return

    assert changed == canonical(actual)
    assert (value, type(value)) != (actual, type(actual)) or repr(value) != repr(actual)
