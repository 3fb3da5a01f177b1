"""Amounts in sen: what is read, what is refused, and how they print."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.money import SEN_MAX, SEN_MIN, ZERO, InvalidAmountError, Money, parse_sen, sen_text
from ledger.terbilang import terbilang

SEN = st.integers(min_value=SEN_MIN, max_value=SEN_MAX)


@pytest.mark.parametrize(
    ("text", "sen"),
    [
        ("0", 0),
        ("0.00", 0),
        ("-0.00", 0),
        ("0.01", 1),
        ("-0.01", -1),
        ("5", 500),
        ("1250000", 125_000_000),
        ("1250000.00", 125_000_000),
        ("-1250000.50", -125_000_050),
        ("92233720368547758.07", SEN_MAX),
        ("-92233720368547758.08", SEN_MIN),
    ],
)
def test_money_plain_text_is_read_to_the_sen(text, sen):
    """Whole rupiah and exactly two decimals are read, up to the ends of 64 bits."""
    assert Money(sen) == Money.parse(text)
    assert sen == parse_sen(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "-", ".", "-.50", ".50", "5.", "5.0", "5.000", "0.001", "--5", "+5", "5-"),
        *("1,250,000", "1.250.000", "1.250.000,00", "1 250", "1_000", "Rp5", "5 IDR"),
        *("1e6", "1E2", "0x10", "NaN", "Infinity", "-inf", "007", "00", "-01.00"),
        *(" 5", "5 ", "5\n", "\n5", "5\x00", "\t5", "5.00\n"),
        *("٥", "５", "1٫5", "1.5０", "−5", "1\u00a0000"),
        *("92233720368547758.08", "-92233720368547758.09", "92233720368547759"),
        *("100000000000000000", "9" * 5000, "9" * 5000 + ".00"),
    ],
)
def test_money_other_spelling_is_refused(text):
    """Any other spelling is refused by name, with the offered text as attribute."""
    with pytest.raises(InvalidAmountError) as refused:
        Money.parse(text)

    assert text == refused.value.value
    assert refused.value.code == "invalid_amount"
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("value", [1.5, 0.0, None, True, b"5", 5, ["5"], float("nan")])
def test_money_parse_of_what_is_not_text_is_refused(value):
    """A float, an int or bytes are not text and are refused without a conversion."""
    with pytest.raises(InvalidAmountError) as refused:
        parse_sen(value)

    assert type(value).__name__ in str(refused.value)


@pytest.mark.parametrize("value", [1.0, True, "5", None, SEN_MAX + 1, SEN_MIN - 1])
def test_money_made_of_anything_but_64_bit_sen_is_refused(value):
    """Money exists only over an int of sen within 64 bits."""
    with pytest.raises(InvalidAmountError):
        Money(value)


@given(SEN)
def test_money_printed_and_read_again_is_the_same(sen):
    """Printing and reading again gives the same sen for every amount."""
    assert sen == parse_sen(sen_text(sen))
    assert str(Money(sen)) == sen_text(sen)


@given(st.text(max_size=12))
def test_money_any_text_is_read_or_refused_by_name(text):
    """Whatever the text is, it is an amount that prints back equal in value, or a named refusal."""
    try:
        sen = parse_sen(text)
    except InvalidAmountError:
        return

    assert text in {sen_text(sen), sen_text(sen)[:-3], "-0", "-0.00"}


@given(st.integers(-(10**17), 10**17), st.integers(-(10**17), 10**17))
def test_money_arithmetic_is_that_of_its_sen(left, right):
    """Sum, difference, negation, size and order are those of the integers."""
    assert Money(left + right) == Money(left) + Money(right)
    assert Money(left - right) == Money(left) - Money(right)
    assert Money(-left) == -Money(left)
    assert Money(abs(left)) == abs(Money(left))
    assert (left < right, left >= right) == (
        Money(left) < Money(right),
        Money(left) >= Money(right),
    )


def test_money_sums_of_many_and_of_none_are_money():
    """Both sum() and total() add amounts; total of none is zero."""
    amounts = [Money(1), Money(-3), Money(7)]

    assert Money(5) == sum(amounts)
    assert Money(5) == Money.total(amounts)
    assert Money.total([]) == ZERO
    assert not ZERO
    assert Money(-1)


def test_money_mixed_with_numbers_is_a_type_error():
    """An amount is never added to a bare number."""
    for mix in (lambda: Money(1) + 1, lambda: 1 + Money(1), lambda: Money(1) - 0.5):
        with pytest.raises(TypeError):
            mix()


def test_money_leaving_64_bits_is_refused():
    """Arithmetic beyond 64 bits of sen is refused instead of wrapping or growing."""
    for leave in (lambda: Money(SEN_MAX) + Money(1), lambda: -Money(SEN_MIN)):
        with pytest.raises(InvalidAmountError):
            leave()


def test_money_is_frozen():
    """An amount never changes."""
    with pytest.raises(AttributeError):
        Money(1).sen = 2


@pytest.mark.parametrize(
    ("sen", "text"),
    [
        (123456789, "Rp1.234.567,89"),
        (0, "Rp0,00"),
        (-50, "-Rp0,50"),
        (100000, "Rp1.000,00"),
        (-123456700, "-Rp1.234.567,00"),
    ],
)
def test_money_in_a_document_prints_the_indonesian_way(sen, text):
    """Indonesian documents group by points and mark sen with a comma."""
    assert text == Money(sen).format_id()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0", "nol rupiah"),
        ("1", "satu rupiah"),
        ("11", "sebelas rupiah"),
        ("19", "sembilan belas rupiah"),
        ("20", "dua puluh rupiah"),
        ("100", "seratus rupiah"),
        ("111", "seratus sebelas rupiah"),
        ("1000", "seribu rupiah"),
        ("1999", "seribu sembilan ratus sembilan puluh sembilan rupiah"),
        ("2001", "dua ribu satu rupiah"),
        ("11000", "sebelas ribu rupiah"),
        ("101000", "seratus satu ribu rupiah"),
        ("1250000.50", "satu juta dua ratus lima puluh ribu rupiah lima puluh sen"),
        ("1000000000", "satu miliar rupiah"),
        ("1000000000000", "satu triliun rupiah"),
        ("92233720368547758.07", None),
        ("-0.05", "minus nol rupiah lima sen"),
    ],
)
def test_terbilang_amount_is_said_in_indonesian_words(text, words):
    """Words follow Indonesian usage: se- for one hundred and one thousand, belas, puluh, sen."""
    said = terbilang(Money.parse(text))

    if words is None:
        assert said.startswith("sembilan puluh dua kuadriliun dua ratus tiga puluh tiga triliun")
    else:
        assert words == said
