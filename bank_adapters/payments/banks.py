"""
The banks that payments go to: three-digit code, name, BIC, clearing code, and whether on BI-FAST.

The list that ships (`banks.csv`) was put together from public copies and is marked unverified row by
row; an operator's list, in the same form, comes from the bank that pays.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from io import StringIO
from typing import Final, Literal, cast

from bank_adapters.payments.errors import InvalidPaymentSettingsError

__all__ = ["BIC", "Bank", "OnBifast", "bank_list", "parse_banks"]

OnBifast = Literal["yes", "no", "unknown"]

_COLUMNS: Final = ("code", "name", "bic", "clearing_code", "bifast", "verified", "source")
_CODE: Final = re.compile(r"[0-9]{3}")
#: The stricter of the two patterns of pain.001.001.03 and .09, so that a BIC goes in either.
BIC: Final = re.compile(r"[A-Z]{6}[A-Z2-9][A-NP-Z0-9](?:[A-Z0-9]{3})?")
_CLEARING: Final = re.compile(r"[0-9]{7}")


@dataclass(frozen=True, slots=True)
class Bank:
    """One bank. `bic` and `clearing_code` (3 digits bank, 4 branch) are "" where not known."""

    code: str
    name: str
    bic: str = ""
    clearing_code: str = ""
    bifast: OnBifast = "unknown"
    verified: bool = False
    source: str = ""


def parse_banks(text: str) -> Mapping[str, Bank]:
    """A list in CSV, by code. Raises InvalidPaymentSettingsError with line and column."""
    rows = csv.reader(StringIO(text, newline=""), strict=True)
    banks: dict[str, Bank] = {}
    try:
        header = tuple(next(rows, ()))
        if header != _COLUMNS:
            raise _refuse(1, "header", f"must be {','.join(_COLUMNS)}")
        for row in rows:
            if row:
                bank = _bank(row, rows.line_num)
                if bank.code in banks:
                    raise _refuse(rows.line_num, "code", f"{bank.code} stands twice")
                banks[bank.code] = bank
    except csv.Error as error:
        raise _refuse(rows.line_num, "(row)", f"not CSV: {error}") from None
    return banks


def _bank(row: list[str], line: int) -> Bank:
    if len(row) != len(_COLUMNS):
        raise _refuse(line, "(row)", f"has {len(row)} columns, not {len(_COLUMNS)}")
    code, name, bic, clearing, bifast, verified, source = row
    for field, good, rule in (
        ("code", _CODE.fullmatch(code), "must be three digits"),
        ("name", name.strip() == name != "" and name.isprintable(), "must be printable text"),
        ("bic", not bic or BIC.fullmatch(bic), "must be a BIC of 8 or 11 characters"),
        ("clearing_code", not clearing or _CLEARING.fullmatch(clearing), "must be seven digits"),
        ("bifast", bifast in {"yes", "no", "unknown"}, "must be yes, no or unknown"),
        ("verified", verified in {"yes", "no"}, "must be yes or no"),
    ):
        if not good:
            raise _refuse(line, field, rule)
    return Bank(code, name, bic, clearing, cast("OnBifast", bifast), verified == "yes", source)


def _refuse(line: int, field: str, rule: str) -> InvalidPaymentSettingsError:
    return InvalidPaymentSettingsError("bank list", f"line {line}, {field}", rule)


@cache
def bank_list() -> Mapping[str, Bank]:
    """The list that ships, by code."""
    return parse_banks(
        resources.files("bank_adapters.payments").joinpath("banks.csv").read_text("utf-8")
    )
