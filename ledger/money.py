"""Rupiah amounts as whole sen. The only place that knows a rupiah has two decimals.

An amount is an integer of sen from the border inwards. Text is read strictly, so that no digit
is ever guessed, dropped or rounded: `1250000` and `1250000.00` are amounts, while `1.250.000`,
`1e6`, `+5`, `5.0`, `007` and a float are refused. The range is a signed 64-bit integer of sen
(about Rp 92,233 trillion), the range of a BIGINT column.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

__all__ = [
    "SEN_MAX",
    "SEN_MIN",
    "ZERO",
    "InvalidAmountError",
    "Money",
    "parse_sen",
    "sen_text",
]

SEN_MAX = 2**63 - 1
SEN_MIN = -(2**63)

_SHOWN_CHARACTERS_MAX = 40

# JSON's own number grammar without fraction or with exactly two decimals: one spelling of the
# integer part, ASCII digits only. 17 integer digits are the most that 64 bits of sen can hold.
_AMOUNT = re.compile(r"-?(?:0|[1-9][0-9]{0,16})(?:\.[0-9]{2})?")
_amount_match = _AMOUNT.fullmatch


class InvalidAmountError(ValueError):
    """Not an amount in rupiah that can be kept to the sen. `value` is what was offered."""

    code = "invalid_amount"

    def __init__(self, value: object, reason: str) -> None:
        shown = repr(value)
        if len(shown) > _SHOWN_CHARACTERS_MAX:
            shown = f"{shown[:_SHOWN_CHARACTERS_MAX]}..."
        super().__init__(f"{shown} is not an amount: {reason}")
        self.value = value
        self.reason = reason


def parse_sen(text: str) -> int:
    """Read `"1250000"` or `"1250000.00"` (optional leading minus) into sen.

    Raises InvalidAmountError for every other spelling, for anything that is not text, and for
    amounts outside 64 bits of sen.
    """
    try:
        matched = _amount_match(text)
    except TypeError:
        raise InvalidAmountError(text, f"it is {type(text).__name__}, not text") from None
    if matched is None:
        raise InvalidAmountError(text, _why_not(text))
    sen = int(text[:-3] + text[-2:]) if text[-3:-2] == "." else int(text) * 100
    if not SEN_MIN <= sen <= SEN_MAX:
        raise InvalidAmountError(text, "it does not fit 64 bits of sen")
    return sen


def sen_text(sen: int) -> str:
    """Print sen as rupiah with two decimals, no grouping: `125` is `"1.25"`."""
    if sen >= 0:
        digits = f"{sen:03d}"
        return f"{digits[:-2]}.{digits[-2:]}"
    digits = f"{-sen:03d}"
    return f"-{digits[:-2]}.{digits[-2:]}"


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in rupiah, as whole sen (`Money(125)` is Rp 1.25). May be negative.

    Arithmetic that leaves 64 bits raises InvalidAmountError.
    """

    sen: int

    def __post_init__(self) -> None:
        # bool is an int to Python and never an amount to a person.
        if type(self.sen) is not int:
            raise InvalidAmountError(self.sen, f"sen is {type(self.sen).__name__}, not int")
        if not SEN_MIN <= self.sen <= SEN_MAX:
            raise InvalidAmountError(self.sen, "it does not fit 64 bits of sen")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `"1250000"` or `"1250000.00"`; see `parse_sen` for what is refused."""
        return cls(parse_sen(text))

    @classmethod
    def total(cls, amounts: Iterable["Money"]) -> Self:
        """Sum of *amounts*, zero when there are none. Only the result must fit 64 bits."""
        return cls(sum(amount.sen for amount in amounts))

    def __str__(self) -> str:
        return sen_text(self.sen)

    def format_id(self) -> str:
        """Print it as Indonesian documents do: `Rp1.234.567,89`, `-Rp0,50`."""
        sign = "-" if self.sen < 0 else ""
        rupiah, sen = divmod(abs(self.sen), 100)
        return f"{sign}Rp{rupiah:,}".replace(",", ".") + f",{sen:02d}"

    def __add__(self, other: "Money") -> "Money":
        if not isinstance(other, Money):
            return NotImplemented
        return Money(self.sen + other.sen)

    def __radd__(self, other: object) -> "Money":
        # The builtin sum() starts from the integer 0; no other number is an amount.
        if type(other) is int and other == 0:
            return self
        return NotImplemented

    def __sub__(self, other: "Money") -> "Money":
        if not isinstance(other, Money):
            return NotImplemented
        return Money(self.sen - other.sen)

    def __neg__(self) -> "Money":
        return Money(-self.sen)

    def __abs__(self) -> "Money":
        return Money(abs(self.sen))

    def __bool__(self) -> bool:
        return self.sen != 0


ZERO = Money(0)


def _why_not(text: str) -> str:
    """Name the first habit of writing numbers that *text* follows and this reader refuses."""
    if not text.isascii():
        return "only ASCII digits are read"
    if text != text.strip():
        return "it has white space around it"
    if re.fullmatch(r"-?[0-9]+\.(?:[0-9]?|[0-9]{3,})", text):
        return "write no decimals or exactly two"
    if re.fullmatch(r"-?0[0-9]+(?:\.[0-9]{2})?", text):
        return "it begins with a zero"
    if re.fullmatch(r"-?[0-9]{18,}(?:\.[0-9]{2})?", text):
        return "it does not fit 64 bits of sen"
    return "write digits, optionally a leading minus and a point with two decimals"
