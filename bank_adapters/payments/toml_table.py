"""Typed access to one TOML table: every surprise is the refusal that the caller names."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

__all__ = ["Refusal", "Table", "read_toml"]

Refusal = Callable[[str, str], Exception]
"""Makes the error of a field and the rule that it breaks."""


def read_toml(text: str, refusal: Refusal) -> Table:
    """The whole file as a table. Raises what *refusal* makes."""
    try:
        return Table(tomllib.loads(text), refusal)
    except tomllib.TOMLDecodeError as error:
        raise refusal("(file)", f"not TOML: {error}") from None


class Table:
    """One table. `at` is where it stands: `rails.skn`, `detail[3]`, or nothing at the top."""

    def __init__(self, data: Mapping[str, Any], refusal: Refusal, at: str = "") -> None:
        self._data = data
        self._refusal = refusal
        self._at = at

    def refuse(self, key: str, rule: str) -> Exception:
        """The refusal for *key* of this table; the caller raises it."""
        return self._refusal(self._name(key), rule)

    def has(self, key: str) -> bool:
        """Whether the key stands in the table."""
        return key in self._data

    def names(self) -> tuple[str, ...]:
        """The keys in the order of the file."""
        return tuple(self._data)

    def is_text(self, key: str, text: str) -> bool:
        """Whether the key holds this very text."""
        return bool(self._data.get(key) == text)

    def only(self, known: frozenset[str]) -> None:
        """Refuse a key that is not one of these: a misspelt one would be without effect."""
        for key in self._data:
            if key not in known:
                raise self.refuse(key, "is not a key of this table")

    def text(self, key: str, default: str | None = None) -> str:
        """Text; without a *default* it must be there and not be empty."""
        value = self._data.get(key, default)
        if not isinstance(value, str) or (default is None and not value):
            raise self.refuse(key, "must be text" if key in self._data else "is missing")
        return value

    def one_of(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        """Text that is one of these."""
        value = self.text(key, default)
        if value not in allowed:
            raise self.refuse(key, f"is {value!r}, not one of {', '.join(allowed)}")
        return value

    def whole(self, key: str, at_least: int, at_most: int) -> int | None:
        """A whole number in this range, or None where the key is absent."""
        value = self._data.get(key)
        if value is None:
            return None
        if type(value) is not int or not at_least <= value <= at_most:
            raise self.refuse(key, f"must be a whole number from {at_least} to {at_most}")
        return value

    def truth(self, key: str, *, default: bool) -> bool:
        """`true` or `false`."""
        value = self._data.get(key, default)
        if not isinstance(value, bool):
            raise self.refuse(key, "must be true or false")
        return value

    def day(self, key: str) -> date:
        """A date of TOML, written without quotes."""
        value = self._data.get(key)
        if not isinstance(value, date) or isinstance(value, datetime):
            raise self.refuse(key, "must be a date such as 2026-12-31, without quotes")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty where the key is absent."""
        value = self._data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.refuse(key, "must be a list of texts")
        return tuple(value)

    def table(self, key: str) -> Table:
        """A table within this one; empty where the key is absent."""
        value = self._data.get(key, {})
        if not isinstance(value, dict):
            raise self.refuse(key, "must be a table")
        return Table(value, self._refusal, self._name(key))

    def tables(self, key: str) -> tuple[Table, ...]:
        """A list of tables; empty where the key is absent."""
        value = self._data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise self.refuse(key, "must be a list of tables")
        return tuple(
            Table(each, self._refusal, f"{self._name(key)}[{n}]") for n, each in enumerate(value, 1)
        )

    def map_of_texts(self, key: str) -> dict[str, str]:
        """A table of texts; empty where the key is absent."""
        inner = self.table(key)
        return {each: inner.text(each, "") for each in inner.names()}

    def _name(self, key: str) -> str:
        return f"{self._at}.{key}" if self._at else key
