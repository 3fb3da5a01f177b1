"""Numbers and base64 in one spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.strict import COUNT_MAX, decode_base64, encode_base64, parse_decimal


@given(st.integers(0, COUNT_MAX))
def test_decimal_written_is_read_back(value: int) -> None:
    """Every count has one spelling, which is read."""
    assert value == parse_decimal(str(value))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        "01",
        "+1",
        "-1",
        "-0",
        " 1",
        "1 ",
        "1\n",
        "1\r",
        "1_0",
        "1.0",
        "1e3",
        "0x1",
        "١",
        "１",
        "²",
        str(COUNT_MAX + 1),
        "9" * 20,
        "1" * 10_000,
    ],
)
def test_decimal_in_another_spelling_is_refused(text: str) -> None:
    """Signs, spaces, underscores, leading zeros and other scripts' digits are not numbers here."""
    with pytest.raises(ValueError, match="decimal"):
        parse_decimal(text)


@given(st.binary())
def test_base64_written_is_read_back(data: bytes) -> None:
    """All bytes have one spelling, which is read."""
    assert data == decode_base64(encode_base64(data))


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AA",
        "AAA",
        "AA=",
        "AA===",
        "AB==",
        "AAB=",
        "AA==AA==",
        "AA== ",
        " AA==",
        "A\nA==",
        "A-_=",
        "AÄ==",
        "=",
        "AA==\n",
    ],
)
def test_base64_in_another_spelling_is_refused(text: str) -> None:
    """Missing padding, loose bits, foreign characters and line ends are not base64 here."""
    with pytest.raises(ValueError, match="base64"):
        decode_base64(text)
