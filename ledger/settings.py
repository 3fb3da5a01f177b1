"""
What a government has decided and whom it has appointed, as one frozen snapshot.

Pure values; `ledger.settings_shell` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from ledger.errors import (
    FiscalYearNotOpenError,
    NotGrantedError,
    PeriodSealedError,
    UnknownPersonError,
)

__all__ = ["FOREVER", "Account", "Grant", "Settings"]

#: A date that closes no range.
FOREVER: Final = "9999-12-31"


class Account(NamedTuple):
    """What posting must know of an account."""

    level: int
    normal_side: str
    valid_from: str
    valid_to: str


class Grant(NamedTuple):
    """A role held from day to day (inclusive), for one SKPD or for all (empty)."""

    id: str
    role: str
    skpd: str
    mandate: str
    valid_from: str
    valid_to: str


@dataclass(frozen=True, slots=True)
class Settings:
    """One government's settings at one revision."""

    government: str
    name: str
    zone: str
    is_demo: bool
    rev: int
    years: Mapping[int, str]
    sealed: frozenset[tuple[int, int]]
    entities: Mapping[str, str]
    bank_accounts: Mapping[str, str]
    policies: tuple[tuple[str, str, str], ...]
    charts: Mapping[str, Mapping[str, Account]]
    persons: Mapping[str, str]
    grants: Mapping[str, tuple[Grant, ...]]

    def accounts_of(self, fiscal_year: int) -> Mapping[str, Account]:
        """The chart in force in *fiscal_year*. Raises FiscalYearNotOpenError."""
        version = self.years.get(fiscal_year)
        if version is None:
            raise FiscalYearNotOpenError(fiscal_year=fiscal_year)
        return self.charts[version]

    def check_open(self, fiscal_year: int, period: int) -> None:
        """Raises FiscalYearNotOpenError, PeriodSealedError."""
        if fiscal_year not in self.years:
            raise FiscalYearNotOpenError(fiscal_year=fiscal_year)
        if (fiscal_year, period) in self.sealed:
            raise PeriodSealedError(fiscal_year=fiscal_year, period=period)

    def policy(self, name: str, on: str) -> str:
        """The value in force on a day; empty when none was set."""
        value = ""
        for policy, valid_from, setting in self.policies:  # ordered by valid_from
            if policy == name and valid_from <= on:
                value = setting
        return value

    def policy_set(self, name: str, on: str) -> frozenset[str]:
        """All values in force on a day, of a policy that is a list."""
        return frozenset(v for n, valid_from, v in self.policies if n == name and valid_from <= on)

    def grant(self, person: str, role: str, on: str, *, skpd: str = "") -> Grant | None:
        """The person's grant of *role* on a day that covers *skpd* (empty: any SKPD asked), if any."""
        for held in self.grants.get(person, ()):
            if (
                held.role == role
                and held.valid_from <= on <= held.valid_to
                and (held.skpd in ("", skpd) or skpd == "")
            ):
                return held
        return None

    def require(self, person: str, role: str, on: str, *, skpd: str = "") -> Grant:
        """The same, or a refusal. Raises UnknownPersonError, NotGrantedError."""
        if person not in self.persons:
            raise UnknownPersonError(person=person)
        held = self.grant(person, role, on, skpd=skpd)
        if held is None:
            raise NotGrantedError(person=person, role=role, on=on, skpd=skpd)
        return held

    def only_bank_account(self) -> str:
        """The bank account when there is just one, otherwise empty."""
        return next(iter(self.bank_accounts)) if len(self.bank_accounts) == 1 else ""
