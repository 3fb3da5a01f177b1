"""The quick writer of leaves gives the same bytes as the checked one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.canonical import INTEGER_MAX, JsonInput, canonical, canonical_fast
from audit.errors import NotCanonicalError

_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-INTEGER_MAX, INTEGER_MAX) | _TEXT,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(st.characters(codec="ascii")), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(_VALUES)
def test_quick_bytes_of_any_leaf_value_are_the_checked_ones(value: JsonInput) -> None:
    """Escapes, order of keys and text beyond ASCII come out alike."""
    assert canonical(value) == canonical_fast(value)


def test_quick_bytes_of_every_control_character_are_the_checked_ones() -> None:
    """RFC 8785 section 3.2.2.2 names their escapes."""
    text = "".join(map(chr, range(0xA0))) + "\u2028\u2029\ufeff\uffff\U0001f600"

    assert canonical([text]) == canonical_fast([text])


def test_quick_bytes_of_a_lone_surrogate_are_refused() -> None:
    """It has no UTF-8, whoever writes it."""
    with pytest.raises(NotCanonicalError):
        canonical_fast(["\ud800"])
