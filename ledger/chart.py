"""
The chart of accounts (kode rekening) that the product carries, and the rules of its codes.

Six levels of digits, `1.1.2.2.2.4` (Permendagri 90/2019): akun, kelompok, jenis, objek, rincian
objek, sub rincian objek. Money is posted to level 6 only; the levels above are sums by prefix. A
code is text: leading zeros count, and `1.1.1` is no short form of `1.1.01`.

Each row names the decree it was read from. A few rows have none: accounts the law asks for but the
chart of 2020 has no code for (`product-extension`) and one code known from practice (`memory`).
They are marked, so that a government can map each to its own.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Final, Literal, cast, get_args

__all__ = [
    "CHART_VERSION",
    "POSTABLE_LEVEL",
    "ChartAccount",
    "InvalidChartError",
    "NormalSide",
    "StatementKind",
    "is_account_code",
    "load_chart",
    "parent_code",
    "read_chart",
]

NormalSide = Literal["D", "C"]
StatementKind = Literal["NERACA", "LRA", "LO"]

#: The newest decree among the rows that `load_chart` gives; the version a fiscal year is bound to.
CHART_VERSION: Final = "kepmendagri-050-3708-2020"
#: Sub rincian objek: the only level with postings (Permendagri 90/2019).
POSTABLE_LEVEL: Final = 6

_UNOFFICIAL_SOURCES: Final = frozenset({"product-extension", "memory"})
_COLUMNS: Final = ("code", "name_id", "name_en", "level", "normal_side", "statement", "source")
_CODE: Final = re.compile(
    r"[0-9](?:\.[0-9](?:\.[0-9]{2}(?:\.[0-9]{2}(?:\.[0-9]{2}(?:\.[0-9]{4})?)?)?)?)?"
)


class InvalidChartError(ValueError):
    """A chart file can't be read. `row` counts from 1, the header; `reason` says what is wrong."""

    code = "invalid_chart"

    def __init__(self, *, row: int, reason: str) -> None:
        super().__init__(f"chart of accounts, row {row}: {reason}")
        self.row = row
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ChartAccount:
    """
    One row of the chart.

    name_en: a label for readers without Indonesian, None where nobody has made one; never official.
    normal_side: the side that grows the account, D debit or C credit.
    statement: where it is reported: NERACA (balance sheet), LRA (budget realisation), LO
        (operations). The budget ledger's own equity accounts count as LRA.
    source: the decree, or what stands in for one.
    """

    code: str
    name_id: str
    name_en: str | None
    normal_side: NormalSide
    statement: StatementKind
    source: str

    @property
    def level(self) -> int:
        """1 (akun) to 6 (sub rincian objek)."""
        return self.code.count(".") + 1

    @property
    def is_postable(self) -> bool:
        """Whether a journal line may name this account."""
        return self.level == POSTABLE_LEVEL

    @property
    def official(self) -> bool:
        """Whether a decree has this code; the others are the product's and marked as such."""
        return self.source not in _UNOFFICIAL_SOURCES

    @property
    def parent_code(self) -> str | None:
        """Code one level up; None for an akun."""
        return parent_code(self.code)


def is_account_code(text: str) -> bool:
    """Whether *text* has the form of a code of any level; it need not exist in a chart."""
    return _CODE.fullmatch(text) is not None


def parent_code(code: str) -> str | None:
    """Code one level up; None for an akun (level 1)."""
    return code.rpartition(".")[0] or None


@cache
def load_chart() -> Mapping[str, ChartAccount]:
    """The product's chart by code, in order of code; read once, shared, and not to be changed."""
    file = resources.files("ledger") / "data" / "chart_of_accounts.csv"
    return read_chart(file.read_text(encoding="utf-8"))


def read_chart(text: str) -> Mapping[str, ChartAccount]:
    """
    Read a chart from CSV text with the columns of `ledger/data/chart_of_accounts.csv`.

    Raises:
        InvalidChartError: Other columns, a malformed or repeated code, rows out of order, a level
            that doesn't fit the code, an account without its parent, an unknown side or statement.
    """
    rows = csv.reader(text.splitlines(), strict=True)
    if tuple(next(rows, ())) != _COLUMNS:
        raise InvalidChartError(row=1, reason=f"columns are not {', '.join(_COLUMNS)}")
    accounts: dict[str, ChartAccount] = {}
    last = ""
    for number, row in enumerate(rows, start=2):
        account = _account(number, row)
        if account.code <= last:
            raise InvalidChartError(
                row=number, reason=f"{account.code} repeats or does not follow {last}"
            )
        # Codes are fixed in width, so a parent sorts before its children and is here already.
        if (parent := account.parent_code) is not None and parent not in accounts:
            raise InvalidChartError(row=number, reason=f"{account.code} has no parent {parent}")
        accounts[account.code] = account
        last = account.code
    if not accounts:
        raise InvalidChartError(row=1, reason="it holds no accounts")
    return MappingProxyType(accounts)


def _account(number: int, row: list[str]) -> ChartAccount:
    if len(row) != len(_COLUMNS):
        raise InvalidChartError(row=number, reason=f"{len(row)} columns, not {len(_COLUMNS)}")
    code, name_id, name_en, level, side, statement, source = row
    reason = None
    if not is_account_code(code):
        reason = f"{code!r} is not an account code"
    elif level != str(code.count(".") + 1):
        reason = f"{code} is not of level {level!r}"
    elif side not in get_args(NormalSide):
        reason = f"{code} has the normal side {side!r}"
    elif statement not in get_args(StatementKind):
        reason = f"{code} is in the statement {statement!r}"
    elif not name_id or not source:
        reason = f"{code} has no name or no source"
    if reason is not None:
        raise InvalidChartError(row=number, reason=reason)
    return ChartAccount(
        code=code,
        name_id=name_id,
        name_en=name_en or None,
        normal_side=cast(NormalSide, side),
        statement=cast(StatementKind, statement),
        source=source,
    )
