"""
Acts on a government's settings: policies, entities, bank accounts, fiscal years.

Each takes two administrators and is dated or final: nothing that was decided is ever taken out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from ledger.acts import Act, Done, Hands, act_leaf, insert_row, must_match
from ledger.documents.calls import CHANNEL_POLICY, CHANNELS
from ledger.documents.numbers import SP2D_NUMBER_PATTERN, SP2D_NUMBER_POLICY
from ledger.errors import (
    InvalidFieldError,
    LedgerError,
    UnknownAccountError,
    UnknownBankAccountError,
)
from ledger.journals import check_day, check_feed_kind, check_text, is_rkud_cash
from ledger.session import Session

__all__ = [
    "POLICIES",
    "POLICY_MEANINGS",
    "AddBankAccount",
    "AddEntity",
    "BankAccountExistsError",
    "EntityExistsError",
    "FiscalYearExistsError",
    "OpenFiscalYear",
    "PolicyExistsError",
    "SetPolicy",
    "UnknownChartError",
]

#: Policies and their values. `feed` is a list to which kinds of journals are added, `sp2d_number` a
#: pattern; both are open, and have a form instead of values.
POLICIES: Final[dict[str, tuple[str, ...]]] = {
    "recognition": ("on_issue", "on_cair"),
    "release_level": ("line", "sub_kegiatan", "skpd"),
    # Whether anyone may read the log's entries; without it they are for inspectors (D22).
    "publish_entries": ("yes", "no"),
    "feed": (),
    CHANNEL_POLICY: (),
    SP2D_NUMBER_POLICY: (),
}

#: What each decides, for whoever sets it.
POLICY_MEANINGS: Final[dict[str, str]] = {
    "recognition": "an SP2D becomes a journal when it is signed, or when the bank has paid it",
    "release_level": "what an SPD releases funds on: a budget line, a sub kegiatan, or an SKPD",
    "publish_entries": "whether anyone may read the log's entries, or inspectors alone",
    "feed": "which kinds of journals other systems may feed; * is all of them",
    CHANNEL_POLICY: "how orders leave a bank account: BANKCODE:NO file, or BANKCODE:NO snap",
    SP2D_NUMBER_POLICY: f"how the number of an SP2D is printed, until then {SP2D_NUMBER_PATTERN}",
}

_PART = r"(?:[A-Za-z0-9 ./_-]|\{(?:region|kind|skpd|month)\})*"
# Without the serial two SP2Ds of a year would get one number, without the year those of two years.
_NUMBER_PATTERN = re.compile(
    rf"(?=.{{1,120}}\Z){_PART}(?:\{{serial\}}{_PART}\{{year\}}|\{{year\}}{_PART}\{{serial\}}){_PART}"
)
_NUMBER_RULE: Final = (
    "holds {serial} and {year} once each, and else letters, digits, ./_- and"
    " {region}, {kind}, {skpd}, {month}"
)
_ENTITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_BANK_ACCOUNT = re.compile(r"[0-9]{3}:[0-9]{6,20}")
_CHANNEL = re.compile(rf"{_BANK_ACCOUNT.pattern} (?:{'|'.join(CHANNELS)})")


class PolicyExistsError(LedgerError):
    """The same value from the same day stands already."""

    def __init__(self, *, name: str, valid_from: str, value: str) -> None:
        super().__init__(
            f"policy {name} is {value} from {valid_from} already",
            name=name,
            valid_from=valid_from,
            value=value,
        )


class EntityExistsError(LedgerError):
    """A code names one entity for ever."""

    def __init__(self, *, entity: str) -> None:
        super().__init__(f"entity {entity} exists already", entity=entity)


class BankAccountExistsError(LedgerError):
    """A bank account is added once."""

    def __init__(self, *, bank_account: str) -> None:
        super().__init__(f"bank account {bank_account} exists already", bank_account=bank_account)


class FiscalYearExistsError(LedgerError):
    """A fiscal year is opened once."""

    def __init__(self, *, fiscal_year: int) -> None:
        super().__init__(f"fiscal year {fiscal_year} is open already", fiscal_year=fiscal_year)


class UnknownChartError(LedgerError):
    """No chart of this version is loaded."""

    def __init__(self, *, chart_version: str, loaded: list[str]) -> None:
        super().__init__(
            f"chart {chart_version} is not loaded; loaded: {', '.join(loaded)}",
            chart_version=chart_version,
            loaded=loaded,
        )


@dataclass(frozen=True, slots=True)
class SetPolicy(Act):
    """A policy from a day on. Only `feed` may reach back: it speaks of effective dates."""

    act: ClassVar[str] = "policy.set"

    name: str
    value: str
    valid_from: str

    def keep(self, session: Session, hands: Hands) -> Act:  # noqa: ARG002  # the base's
        """Raises InvalidFieldError."""
        values = POLICIES.get(self.name)
        if values is None:
            raise InvalidFieldError(
                "name", f"is one of {', '.join(POLICIES)}", ascii(self.name)[:80]
            )
        if values and self.value not in values:
            raise InvalidFieldError(
                "value", f"is one of {', '.join(values)}", ascii(self.value)[:80]
            )
        if self.name == "feed":
            check_feed_kind("value", self.value)
        elif self.name == CHANNEL_POLICY:
            must_match("value", self.value, _CHANNEL, f"is BANKCODE:NO and {' or '.join(CHANNELS)}")
        elif not values:
            must_match("value", self.value, _NUMBER_PATTERN, _NUMBER_RULE)
        check_day("valid_from", self.valid_from)
        return self

    def check(self, session: Session, hands: Hands) -> None:  # noqa: ARG002  # the base's
        """Raises PolicyExistsError, InvalidFieldError, UnknownBankAccountError."""
        if self.name == CHANNEL_POLICY:
            account = self.value.partition(" ")[0]
            if account not in session.settings.bank_accounts:
                raise UnknownBankAccountError(bank_account=account)
        if (self.name, self.valid_from, self.value) in session.settings.policies:
            raise PolicyExistsError(name=self.name, valid_from=self.valid_from, value=self.value)
        if self.name != "feed" and self.valid_from < session.today:
            raise InvalidFieldError(
                "valid_from", f"is not before today, {session.today}", self.valid_from
            )

    def perform(self, session: Session, hands: Hands) -> Done:
        """Leaf `policy.set`, row of `policy`."""
        leaf = act_leaf(session, "policy.set", self.content(), hands)
        insert_row(
            session,
            "policy",
            name=self.name,
            valid_from=self.valid_from,
            value=self.value,
            leaf_index=leaf,
        )
        session.batch.config_changed()
        return Done(leaf, {"policy": self.name, "value": self.value})


@dataclass(frozen=True, slots=True)
class AddEntity(Act):
    """An SKPD. There is one PPKD, and it was there when the book was opened."""

    act: ClassVar[str] = "entity.add"

    code: str
    name: str
    kind: str = "SKPD"

    def keep(self, session: Session, hands: Hands) -> Act:  # noqa: ARG002  # the base's
        """Raises InvalidFieldError."""
        must_match("code", self.code, _ENTITY, "is 1 to 64 letters, digits, points, dashes")
        check_text("name", self.name, least=1, most=200)
        if self.kind != "SKPD":
            raise InvalidFieldError("kind", "is SKPD", ascii(self.kind)[:40])
        return self

    def check(self, session: Session, hands: Hands) -> None:  # noqa: ARG002  # the base's
        """Raises EntityExistsError."""
        if self.code in session.settings.entities:
            raise EntityExistsError(entity=self.code)

    def perform(self, session: Session, hands: Hands) -> Done:
        """Leaf `entity.added`, row of `entity`."""
        leaf = act_leaf(session, "entity.added", self.content(), hands)
        insert_row(
            session, "entity", code=self.code, kind=self.kind, name=self.name, leaf_index=leaf
        )
        session.batch.config_changed()
        return Done(leaf, {"entity": self.code})


@dataclass(frozen=True, slots=True)
class AddBankAccount(Act):
    """Another RKUD account at a bank, booked on a cash account (1.1.01.01) of the chart."""

    act: ClassVar[str] = "bank_account.add"

    id: str
    name: str
    account: str
    opened_on: str

    def keep(self, session: Session, hands: Hands) -> Act:  # noqa: ARG002  # the base's
        """Raises InvalidFieldError."""
        must_match("id", self.id, _BANK_ACCOUNT, "is BANKCODE:NO, three digits and 6 to 20 digits")
        check_text("name", self.name, most=200)
        check_day("opened_on", self.opened_on)
        if not is_rkud_cash(self.account):
            raise InvalidFieldError("account", "is RKUD cash (1.1.01.01)", ascii(self.account)[:80])
        return self

    def check(self, session: Session, hands: Hands) -> None:  # noqa: ARG002  # the base's
        """Raises BankAccountExistsError, UnknownAccountError."""
        settings = session.settings
        if self.id in settings.bank_accounts:
            raise BankAccountExistsError(bank_account=self.id)
        for year, version in settings.years.items():
            known = settings.charts[version].get(self.account)
            if known is None or known.level != 6:
                raise UnknownAccountError(account=self.account[:80], fiscal_year=year)

    def perform(self, session: Session, hands: Hands) -> Done:
        """Leaf `bank_account.added`, row of `bank_account`."""
        leaf = act_leaf(session, "bank_account.added", self.content(), hands)
        bank_code, number = self.id.split(":")
        insert_row(
            session,
            "bank_account",
            id=self.id,
            bank_code=bank_code,
            number=number,
            name=self.name,
            account=self.account,
            opened_on=self.opened_on,
            leaf_index=leaf,
        )
        session.batch.config_changed()
        return Done(leaf, {"bank_account": self.id})


@dataclass(frozen=True, slots=True)
class OpenFiscalYear(Act):
    """A fiscal year on one version of the chart (D21)."""

    act: ClassVar[str] = "fiscal_year.open"

    year: int
    chart_version: str

    def keep(self, session: Session, hands: Hands) -> Act:  # noqa: ARG002  # the base's
        """Raises InvalidFieldError."""
        if not 1945 <= self.year <= 9998:
            raise InvalidFieldError("year", "is 1945 to 9998", self.year)
        return self

    def check(self, session: Session, hands: Hands) -> None:  # noqa: ARG002  # the base's
        """Raises FiscalYearExistsError, UnknownChartError."""
        if self.year in session.settings.years:
            raise FiscalYearExistsError(fiscal_year=self.year)
        if self.chart_version not in session.settings.charts:
            raise UnknownChartError(
                chart_version=self.chart_version[:80], loaded=sorted(session.settings.charts)
            )

    def perform(self, session: Session, hands: Hands) -> Done:
        """Leaf `fiscal_year.opened`, row of `fiscal_year`."""
        leaf = act_leaf(session, "fiscal_year.opened", self.content(), hands)
        insert_row(
            session,
            "fiscal_year",
            year=self.year,
            chart_version=self.chart_version,
            leaf_index=leaf,
        )
        session.batch.config_changed()
        return Done(leaf, {"fiscal_year": self.year})
