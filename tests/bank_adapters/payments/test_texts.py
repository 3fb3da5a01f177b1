"""Text on its way to a bank: carried, rewritten by the table, or refused with its character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank_adapters.payments.errors import UnwritablePaymentError
from bank_adapters.payments.texts import TextRule, identifier, outgoing_text
from tests.bank_adapters.payments.support import SWIFT_LETTERS


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("PT Contoh Karya", "PT Contoh Karya"),
        ("José Núñez", "Jose Nunez"),
        ("Jose\u0301", "Jose"),
        ("Søren Æbel & Łukasz", "Soren AEbel + Lukasz"),
        ("CV \u201cABC\u201d \u2013 Serang", "CV 'ABC' - Serang"),
        ("a_b@c;d!", "a-b(at)c,d."),
        ("\ufb01rma\u00a0satu", "firma satu"),
        ("[1] {2} \\3|4~5 `x' *y=z", "(1) (2) /3/4-5 'x' .y-z"),
    ],
)
def test_text_transliterated_is_written_by_the_table(text: str, written: str) -> None:
    """Accents fall off, and other letters become those of the table."""
    assert written == outgoing_text("name", text, "swift_transliterated", 140)


@pytest.mark.parametrize(
    ("rule", "text", "told"),
    [
        ("swift", "José", "name 'José' has 'é' .U.00E9."),
        ("swift", "A & B", "has '&'"),
        ("swift", "two\nlines", r"has '\\n'"),
        ("swift_transliterated", "株式会社", "has '株'"),
        ("swift_transliterated", "\u0301x", "U.0301"),
        ("swift_transliterated", "a<b", "has '<'"),
        ("swift_transliterated", "½ hari", "U.2044"),
        ("unicode", "a\tb", r"has '\\t'"),
        ("unicode", "left\u202eright", "U.202E"),
        ("unicode", "a\u2028b", "U.2028"),
        ("unicode", "\ud800", "U.D800"),
        ("swift", "", "is empty"),
        ("unicode", " a", "spaces around"),
        ("swift", "x" * 141, "has 141 characters; 140 fit"),
        ("swift_transliterated", "\u0152" * 71, "has 142 characters; 140 fit"),
    ],
)
def test_text_that_cannot_be_carried_is_refused_with_its_character(
    rule: TextRule, text: str, told: str
) -> None:
    """Field, character and code point, or the length as it would be written."""
    with pytest.raises(UnwritablePaymentError, match=told):
        outgoing_text("name", text, rule, 140)


@given(st.text(max_size=60), st.sampled_from(["swift", "swift_transliterated", "unicode"]))
def test_text_any_is_refused_or_written_whole(text: str, rule: TextRule) -> None:
    """Without transliteration it comes out as it went in; with it, of SWIFT's letters alone."""
    try:
        written = outgoing_text("name", text, rule, 60)
    except UnwritablePaymentError as refused:
        assert "name" == refused.field
        return

    if rule == "swift_transliterated":
        assert set(written) <= set(SWIFT_LETTERS + " ")
        assert written == outgoing_text("name", written, "swift", 60)
        assert sum(each.isalnum() and each.isascii() for each in text) <= len(written)
    else:
        assert text == written


@pytest.mark.parametrize("text", ["/A", "A/", "A//B", "é", "", "A B ", "A&B"])
def test_identifier_that_a_bank_may_rewrite_is_refused(text: str) -> None:
    """An id is never transliterated; slashes at its ends or together are no id."""
    with pytest.raises(UnwritablePaymentError):
        identifier("reference", text, 35)
