"""
The payment files that an operator has set up, as data: `files.toml`, beside `banks.toml`.

Pure. One `[[file]]` for each format of a bank account, with `pain001` or `template`, not both:

    account*            the RKUD account that pays, BANKCODE:NO
    per_rail            true: a file for each rail (default false)
    rails               of a template: the rails that the bank takes by this file, for pain.001 they are
                        those of `pain001.rails`
    [file.pain001]      the keys of `pain001_settings`; its debtor is the account above
    [file.template]     name, a layout that ships, or file, a layout beside this file; and
                        settings, a table of the values that the layout asks for

A format is named as in `rkud advice file --format`: `pain001.03`, `pain001.09`, or the template's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from bank_adapters.payments.debit_units import FileUnit
from bank_adapters.payments.errors import (
    InvalidPaymentSettingsError,
    UnknownFileFormatError,
    UnknownTemplateError,
)
from bank_adapters.payments.order import RAILS, Rail
from bank_adapters.payments.pain001_settings import Pain001Settings, pain001_settings_in
from bank_adapters.payments.template import Template, parse_template, template_named
from bank_adapters.payments.toml_table import Table, read_toml

__all__ = ["FILES_FILE", "FileSettings", "file_settings_for", "parse_file_settings"]

FILES_FILE: Final = "files.toml"
_ACCOUNT: Final = re.compile(r"[0-9]{3}:[0-9A-Za-z-]{1,34}")
#: A name beside files.toml, nowhere else.
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,80}\.toml")


@dataclass(frozen=True, slots=True)
class FileSettings:
    """One format of one bank account: exactly one of `pain001` and `template` is there."""

    account: str
    format: str
    per_rail: bool
    rails: tuple[Rail, ...]
    pain001: Pain001Settings | None = None
    template: Template | None = None
    template_settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def unit(self) -> FileUnit:
        """What the bank debits in one line."""
        if self.pain001 is not None:
            return self.pain001.unit
        return self.template.unit if self.template is not None else "payment"


def parse_file_settings(text: str, layout_text: Callable[[str], str]) -> tuple[FileSettings, ...]:
    """All entries of `files.toml`; *layout_text* gives the text of a layout beside it.

    Raises InvalidPaymentSettingsError, InvalidTemplateError, and what *layout_text* raises.
    """
    top = read_toml(text, lambda key, rule: InvalidPaymentSettingsError(FILES_FILE, key, rule))
    top.only(frozenset({"file"}))
    found = tuple(_entry(each, layout_text) for each in top.tables("file"))
    names = [(each.account, each.format) for each in found]
    for name in names:
        if names.count(name) > 1:
            raise top.refuse("file", f"{name[1]} for {name[0]} stands twice")
    return found


def file_settings_for(
    entries: Sequence[FileSettings], bank_account: str, name: str
) -> FileSettings:
    """The entry of a format, the only one where *name* is "". Raises UnknownFileFormatError."""
    mine = [each for each in entries if each.account == bank_account]
    fitting = [each for each in mine if name in ("", each.format)]
    if len(fitting) != 1:
        raise UnknownFileFormatError(name, bank_account, [each.format for each in mine])
    return fitting[0]


def _entry(table: Table, layout_text: Callable[[str], str]) -> FileSettings:
    table.only(frozenset({"account", "per_rail", "rails", "pain001", "template"}))
    account = table.text("account")
    if not _ACCOUNT.fullmatch(account):
        raise table.refuse("account", f"{account!r} is not BANKCODE:NO")
    per_rail = table.truth("per_rail", default=False)
    if table.has("pain001") == table.has("template"):
        raise table.refuse(
            "pain001", "stands instead of template, and one of the two must be there"
        )
    if table.has("template"):
        return _by_template(table, account, per_rail, layout_text)
    if table.has("rails"):
        raise table.refuse("rails", "is for templates; those of pain.001 stand in pain001.rails")
    inner = table.table("pain001")
    pain001 = pain001_settings_in(inner)
    if pain001.debtor_account != account.partition(":")[2]:
        raise inner.table("debtor").refuse(
            "account", f"is {pain001.debtor_account}, and this file pays from {account}"
        )
    name = f"pain001.{pain001.version}"
    return FileSettings(account, name, per_rail, tuple(pain001.rails), pain001)


def _by_template(
    table: Table, account: str, per_rail: bool, layout_text: Callable[[str], str]
) -> FileSettings:
    inner = table.table("template")
    inner.only(frozenset({"name", "file", "settings"}))
    template = _template(inner, layout_text)
    values = inner.map_of_texts("settings")
    if set(values) != set(template.settings):
        asked = ", ".join(template.settings) or "none"
        raise inner.refuse("settings", f"must be those that the layout asks for: {asked}")
    if template.bank not in ("", account.partition(":")[0]):
        raise inner.refuse("name", f"is a layout of bank {template.bank}, not of {account}")
    rails = table.texts("rails")
    if not rails or len(set(rails)) < len(rails) or not set(rails) <= set(RAILS):
        raise table.refuse("rails", f"must be some of {', '.join(RAILS)}")
    for column in template.detail:
        if column.field == "rail" and column.values is not None:
            for rail in rails:
                if rail not in column.values:
                    raise table.refuse("rails", f"{rail} has no code in the layout")
    return FileSettings(
        account,
        template.name,
        per_rail,
        cast("tuple[Rail, ...]", rails),
        template=template,
        template_settings=values,
    )


def _template(table: Table, layout_text: Callable[[str], str]) -> Template:
    if table.has("name") == table.has("file"):
        raise table.refuse("name", "stands instead of file, and one of the two must be there")
    if table.has("file"):
        named = table.text("file")
        if not _FILE_NAME.fullmatch(named):
            raise table.refuse("file", f"{named!r} is no name of a .toml file beside this one")
        return parse_template(layout_text(named))
    try:
        return template_named(table.text("name"))
    except UnknownTemplateError as error:
        raise table.refuse("name", str(error)) from None
