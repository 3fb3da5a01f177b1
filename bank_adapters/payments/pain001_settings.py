"""
What a bank asks of a pain.001 file, as data: an operator's TOML file, checked whole when it is read.

    version*            "03" | "09": pain.001.001.03 or .09
    unit*               payment | sp2d | list: what the bank debits in one line (`debit_units`)
    initiating_party*   name, at most 140 characters
    initiating_id       the customer number at the bank, where it asks for one
    charge_bearer*      DEBT | CRED | SHAR | SLEV
    text                swift | swift_transliterated | unicode (default swift; see `texts`)
    agents*             bic | bank_code | clearing_code: how the payee's bank is named
    clearing_system     code table of bank_code and clearing_code: { code = "..." } or
                        { proprietary = "..." }
    [debtor]            name*, account*, and bic or member_id (both may be there)
    [rails.RAIL]        for each rail that the bank takes by file; may be empty:
                        service_level, local_instrument, category_purpose, each as clearing_system
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

from bank_adapters.payments.banks import BIC
from bank_adapters.payments.debit_units import FILE_UNITS, FileUnit
from bank_adapters.payments.errors import InvalidPaymentSettingsError, UnwritablePaymentError
from bank_adapters.payments.order import RAILS, Rail
from bank_adapters.payments.texts import TEXT_RULES, TextRule, identifier, outgoing_text
from bank_adapters.payments.toml_table import Table, read_toml

__all__ = [
    "AgentBy",
    "Code",
    "Pain001Settings",
    "RailCodes",
    "Version",
    "pain001_settings_in",
    "parse_pain001_settings",
]

Version = Literal["03", "09"]
AgentBy = Literal["bic", "bank_code", "clearing_code"]

_KEYS: Final = frozenset(
    {"version", "unit", "initiating_party", "initiating_id", "charge_bearer", "text", "agents"}
    | {"clearing_system", "debtor", "rails"}
)
_PROPRIETARY_MAX: Final = 35
#: Longest code of each external code list (maxLength of its type in the schema).
_CODE_MAX: Final = {
    "clearing_system": 5,
    "service_level": 4,
    "local_instrument": 35,
    "category_purpose": 4,
}


@dataclass(frozen=True, slots=True)
class Code:
    """A code of ISO's external list (`Cd`), or the bank's own (`Prtry`)."""

    text: str
    is_proprietary: bool = False


@dataclass(frozen=True, slots=True)
class RailCodes:
    """How one rail is asked for: SvcLvl, LclInstrm and CtgyPurp, each as the bank wants it."""

    service_level: Code | None = None
    local_instrument: Code | None = None
    category_purpose: Code | None = None


@dataclass(frozen=True, slots=True)
class Pain001Settings:
    """Settings of one bank for one debit account. `rails` are those that it takes by file."""

    version: Version
    unit: FileUnit
    initiating_party: str
    initiating_id: str
    charge_bearer: str
    text: TextRule
    agents: AgentBy
    clearing_system: Code | None
    debtor_name: str
    debtor_account: str
    debtor_bic: str
    debtor_member_id: str
    rails: Mapping[Rail, RailCodes]


def parse_pain001_settings(text: str) -> Pain001Settings:
    """Settings from TOML. Raises InvalidPaymentSettingsError with the field and its rule."""
    return pain001_settings_in(
        read_toml(text, lambda field, rule: InvalidPaymentSettingsError("pain.001", field, rule))
    )


def pain001_settings_in(top: Table) -> Pain001Settings:
    """The same from a table of a larger file. Raises what the table refuses with."""
    top.only(_KEYS)
    text_rule = cast("TextRule", top.one_of("text", TEXT_RULES, "swift"))
    debtor, rails = top.table("debtor"), top.table("rails")
    debtor.only(frozenset({"name", "account", "bic", "member_id"}))
    rails.only(frozenset(RAILS))
    if not rails.names():
        raise top.refuse("rails", "must name at least one rail")
    if not debtor.text("bic", "") and not debtor.text("member_id", ""):
        raise debtor.refuse("bic", "is missing, and so is member_id; the schema asks for the agent")
    return Pain001Settings(
        version=cast("Version", top.one_of("version", get_args(Version))),
        unit=cast("FileUnit", top.one_of("unit", FILE_UNITS)),
        initiating_party=_text(top, "initiating_party", text_rule, 140),
        initiating_id=_identifier(top, "initiating_id", 35) if top.has("initiating_id") else "",
        charge_bearer=top.one_of("charge_bearer", ("DEBT", "CRED", "SHAR", "SLEV")),
        text=text_rule,
        agents=cast("AgentBy", top.one_of("agents", get_args(AgentBy))),
        clearing_system=_code(top, "clearing_system"),
        debtor_name=_text(debtor, "name", text_rule, 140),
        debtor_account=_identifier(debtor, "account", 34),
        debtor_bic=_bic(debtor),
        debtor_member_id=_identifier(debtor, "member_id", 35) if debtor.has("member_id") else "",
        rails={cast("Rail", rail): _rail_codes(rails.table(rail)) for rail in rails.names()},
    )


def _rail_codes(table: Table) -> RailCodes:
    table.only(frozenset({"service_level", "local_instrument", "category_purpose"}))
    return RailCodes(
        _code(table, "service_level"),
        _code(table, "local_instrument"),
        _code(table, "category_purpose"),
    )


def _code(table: Table, key: str) -> Code | None:
    if not table.has(key):
        return None
    inner = table.table(key)
    inner.only(frozenset({"code", "proprietary"}))
    if len(inner.names()) != 1:
        raise table.refuse(key, "must have code or proprietary, and not both")
    if inner.has("proprietary"):
        return Code(_identifier(inner, "proprietary", _PROPRIETARY_MAX), is_proprietary=True)
    return Code(_identifier(inner, "code", _CODE_MAX[key]))


def _bic(debtor: Table) -> str:
    bic = debtor.text("bic", "")
    if bic and not BIC.fullmatch(bic):
        raise debtor.refuse("bic", f"{bic!r} is not a BIC of 8 or 11 characters")
    return bic


def _text(table: Table, key: str, rule: TextRule, characters_max: int) -> str:
    try:
        return outgoing_text(key, table.text(key), rule, characters_max)
    except UnwritablePaymentError as error:
        raise table.refuse(key, error.reason) from None


def _identifier(table: Table, key: str, characters_max: int) -> str:
    try:
        return identifier(key, table.text(key), characters_max)
    except UnwritablePaymentError as error:
        raise table.refuse(key, error.reason) from None
