"""Layouts of bank CSV files and sheets as data: one TOML file a layout, so a new bank needs no code.

Keys of a profile (all texts; * must be there):

    name*, title*, delimiter*   name is small letters, digits and hyphens; title says which bank's
                                export this is; delimiter is one character (of the layout's CSV
                                form; a sheet has cells)
    evidence                    where the layout was seen
    bank                        bank code for the statement; absent: the caller knows
    encodings                   tried in order (default UTF-8, then cp1252, then latin-1)
    currency                    where no column tells (default IDR)
    row_order                   oldest_first | newest_first | by_balance (default)
    [numbers] decimal*, grouping        "." or ","; grouping may be "" for none
    [dates]   formats*, period_formats  strptime spellings; the second for the period line
              swapped                   refuse (default) | warn: what happens to a sheet whose days
                                        say that day and month were swapped on their way
    [columns] booked_on*, narrative*, amount | (debit and credit), flag, value_on, balance,
              balance_before, account, currency, reference, bank_reference, counterparty,
              transaction_code, booked_time
                                        header names of each; `#5` is the fifth column where it has
                                        no name. Several columns that match `narrative` are joined,
                                        for all others that is a refusal
    optional_columns            fields that a file may lack (they do not identify the layout)
    other_columns               names that the header must have too, though nothing is read there
    [sign]    rule*             two_columns | suffix | flag | signed (minus is money out)
              debit, credit     the words that stand for money out and in
    [labels]  opening, closing, totals, account, period, ignored, pending
              rows (and lines above or below the table) by their first words; `pending` are words
              in the date column of entries that are not booked yet
    expects                     labels that a complete file has: `totals`, `closing`, `opening`
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Literal, cast, get_args

from bank_adapters.errors import InvalidProfileError, StatementFileError, UnknownProfileError
from bank_adapters.statements.amounts import DateReader, NumberReader, clean, day_text
from bank_adapters.statements.text import ENCODINGS

RowOrder = Literal["oldest_first", "newest_first", "by_balance"]
SignRule = Literal["two_columns", "suffix", "flag", "signed"]
Swapped = Literal["refuse", "warn"]

FIELDS = (
    *("booked_on", "value_on", "narrative", "amount", "debit", "credit", "flag", "balance"),
    *("balance_before", "account", "currency", "reference", "bank_reference", "counterparty"),
    *("transaction_code", "booked_time"),
)
LABELS = ("opening", "closing", "totals", "account", "period", "ignored", "pending")
_SIGN_COLUMNS: dict[SignRule, tuple[str, ...]] = {
    "two_columns": ("debit", "credit"),
    "suffix": ("amount",),
    "flag": ("amount", "flag"),
    "signed": ("amount",),
}
TEXT_CHARACTERS_MAX = 32 * 1024
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
_KEYS = {
    *("name", "title", "evidence", "bank", "encodings", "delimiter", "currency", "row_order"),
    *("numbers", "dates", "columns", "optional_columns", "other_columns", "sign", "labels"),
    "expects",
}


@dataclass(frozen=True, slots=True)
class Profile:
    """One layout. `columns` maps a field to header names, already normalised; `text` is its TOML."""

    name: str
    title: str
    evidence: str
    bank: str | None
    encodings: tuple[str, ...]
    delimiter: str
    currency: str
    row_order: RowOrder
    decimal: str
    grouping: str
    date_formats: tuple[str, ...]
    period_formats: tuple[str, ...]
    swapped: Swapped
    columns: Mapping[str, tuple[str, ...]]
    optional_columns: frozenset[str]
    other_columns: frozenset[str]
    sign_rule: SignRule
    debit_words: tuple[str, ...]
    credit_words: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    expects: frozenset[str]
    text: str

    def numbers(self) -> NumberReader:
        """Reader of this layout's amounts."""
        return NumberReader(
            decimal=self.decimal,
            grouping=self.grouping,
            debit_words=self.debit_words,
            credit_words=self.credit_words,
        )

    def dates(self) -> DateReader:
        """Reader of this layout's dates, with its own memory of those seen."""
        return DateReader(self.name, self.date_formats)


def header_name(cell: str) -> str:
    """A column name for comparison: case, spaces and a sheet's quirks do not count."""
    return clean(cell).casefold()


def check_name(name: str) -> None:
    """Refuse what is no name of a layout. Raises InvalidProfileError."""
    if _NAME.fullmatch(name) is None:
        raise InvalidProfileError(name, "a name is small letters, digits and hyphens, at most 64")


def parse_profile(text: str) -> Profile:
    """Read a profile from TOML text, checking it whole. Raises InvalidProfileError."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise InvalidProfileError("(unread)", f"longer than {TEXT_CHARACTERS_MAX} characters")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidProfileError("(unread)", f"not TOML: {error}") from None
    table = _Table(str(data.get("name", "(unnamed)")), data)
    table.only(_KEYS)
    numbers, dates = table.table("numbers"), table.table("dates")
    columns, sign, labels = table.table("columns"), table.table("sign"), table.table("labels")
    numbers.only({"decimal", "grouping"})
    dates.only({"formats", "period_formats", "swapped"})
    columns.only(set(FIELDS))
    sign.only({"rule", "debit", "credit"})
    labels.only(set(LABELS))
    profile = Profile(
        name=table.text("name"),
        title=table.text("title"),
        evidence=table.text("evidence", ""),
        bank=table.text("bank", "") or None,
        encodings=table.texts("encodings") or ENCODINGS,
        delimiter=table.text("delimiter"),
        currency=table.text("currency", "IDR"),
        row_order=cast("RowOrder", table.one_of("row_order", get_args(RowOrder), "by_balance")),
        decimal=numbers.one_of("decimal", (".", ",")),
        grouping=numbers.one_of("grouping", (".", ",", " ", "'", ""), ""),
        date_formats=dates.texts("formats"),
        period_formats=dates.texts("period_formats"),
        swapped=cast("Swapped", dates.one_of("swapped", get_args(Swapped), "refuse")),
        columns={
            each: tuple(header_name(alias) for alias in columns.texts(each))
            for each in FIELDS
            if columns.texts(each)
        },
        optional_columns=frozenset(table.texts("optional_columns")),
        other_columns=frozenset(map(header_name, table.texts("other_columns"))),
        sign_rule=cast("SignRule", sign.one_of("rule", get_args(SignRule))),
        debit_words=sign.texts("debit"),
        credit_words=sign.texts("credit"),
        labels={each: tuple(map(header_name, labels.texts(each))) for each in LABELS},
        expects=frozenset(table.texts("expects")),
        text=text,
    )
    _check(profile)
    return profile


def _check(profile: Profile) -> None:
    def refuse(reason: str) -> None:
        raise InvalidProfileError(profile.name, reason)

    check_name(profile.name)
    needed = {"booked_on", "narrative", *_SIGN_COLUMNS[profile.sign_rule]}
    if missing := sorted(needed - set(profile.columns)):
        refuse(f"sign rule {profile.sign_rule} needs columns {', '.join(missing)}")
    if wrong := sorted(needed & profile.optional_columns):
        refuse(f"columns {', '.join(wrong)} cannot be optional")
    if len(profile.delimiter) != 1:
        refuse(f"delimiter {profile.delimiter!r} is not one character")
    if profile.decimal == profile.grouping:
        refuse("decimal and grouping are the same sign")
    has_words = bool(profile.debit_words and profile.credit_words)
    if profile.sign_rule in {"suffix", "flag"} and not has_words:
        refuse(f"sign rule {profile.sign_rule} needs debit and credit words")
    if set(map(str.casefold, profile.debit_words)) & set(map(str.casefold, profile.credit_words)):
        refuse("a word stands for debit and for credit")
    if not profile.date_formats:
        refuse("no date formats")
    if not profile.expects <= {"opening", "closing", "totals"}:
        refuse("expects may name opening, closing and totals")
    for encoding in profile.encodings:
        try:
            b"ab".decode(encoding)
        except UnicodeError:
            continue  # an encoding, though not of these two bytes
        except LookupError:
            refuse(f"no text encoding {encoding!r}")
    DateReader(profile.name, profile.date_formats + profile.period_formats)
    for formats in (profile.date_formats, profile.period_formats):
        if clash := _clash(profile.name, formats):
            refuse(f"{clash[0]!r} and {clash[1]!r} read one text as two days")


#: Every part of it could be every other part, so any order of them reads it.
_PROBE = datetime(2003, 2, 1, 4, 5, 6)  # noqa: DTZ001  # a day on paper


def _clash(profile: str, formats: tuple[str, ...]) -> tuple[str, str] | None:
    """Two spellings that read one text as two days, or None."""
    for spelling in formats:
        text = day_text(_PROBE, spelling)
        for other in formats:
            try:
                day, _ = DateReader(profile, [other]).read(text, position=0)
            except StatementFileError:
                continue
            if day != _PROBE.date():
                return spelling, other
    return None


class _Table:
    """Typed access to one TOML table; every surprise is an InvalidProfileError."""

    def __init__(self, name: str, data: Mapping[str, object]) -> None:
        self._name = name
        self._data = data

    def only(self, keys: set[str]) -> None:
        if unknown := sorted(set(self._data) - keys):
            raise InvalidProfileError(self._name, f"unknown keys {', '.join(unknown)}")

    def table(self, key: str) -> "_Table":
        value = self._data.get(key, {})
        if not isinstance(value, dict):
            raise InvalidProfileError(self._name, f"{key} is not a table")
        return _Table(self._name, value)

    def text(self, key: str, default: str | None = None) -> str:
        value = self._data.get(key, default)
        if not isinstance(value, str):
            raise InvalidProfileError(self._name, f"{key} is missing or not text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise InvalidProfileError(self._name, f"{key} is not a list of texts")
        return tuple(value)

    def one_of(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        value = self.text(key, default)
        if value not in allowed:
            raise InvalidProfileError(self._name, f"{key} is {value!r}, not one of {allowed}")
        return value


@cache
def all_profiles() -> tuple[Profile, ...]:
    """The profiles that ship with the product, by name."""
    folder = resources.files("bank_adapters.statements").joinpath("profiles")
    texts = [each.read_text("utf-8") for each in folder.iterdir() if each.name.endswith(".toml")]
    return tuple(sorted(map(parse_profile, texts), key=lambda profile: profile.name))


def profile_named(name: str) -> Profile:
    """The shipped profile of that name. Raises UnknownProfileError."""
    for profile in all_profiles():
        if profile.name == name:
            return profile
    raise UnknownProfileError(name, tuple(profile.name for profile in all_profiles()))


def is_shipped(profile: Profile) -> bool:
    """Whether *profile* is one of the product's own, unchanged."""
    return any(each.text == profile.text for each in all_profiles())


def profile_of_record(record: str) -> Profile:
    """The layout that a record keeps: by its name, or by its whole text where it is no shipped one.

    Raises UnknownProfileError, InvalidProfileError.
    """
    return parse_profile(record) if "\n" in record else profile_named(record)
