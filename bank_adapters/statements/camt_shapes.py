"""Entries of a camt message that are built alike, read without a call for each element.

A bank's entries have the same elements in the same order, thousands of times. The first of a kind is
worked out from its tags, once: which texts are wanted, and under which path. The others are split at
their tags and the texts taken by place, many times faster than an event for each tag.

Only what can't mean anything else is read so: no entity, comment, CDATA or processing instruction,
no attribute but a currency. Every byte still goes through expat, which alone says what is well-formed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from bank_adapters.errors import MalformedXmlError

__all__ = ["Element", "Shape", "Shapes", "pieces_of"]

#: Shapes kept of one message, and tags of one: memory may not grow with a file of many batches.
_SHAPES_MAX: Final = 1000
_TAGS_MAX: Final = 400
_START_TAG: Final = re.compile(r'([A-Za-z][A-Za-z0-9]*)(?: Ccy=(["\'])([A-Z]{3})\2)?')


class Element(Protocol):
    """What `camt_xml` knows of an element's place."""

    @property
    def context(self) -> str: ...
    @property
    def opens(self) -> bool: ...
    @property
    def key(self) -> str: ...
    @property
    def repeated(self) -> bool: ...
    def __getitem__(self, name: str, /) -> Any: ...


@dataclass(slots=True)
class _Recipe:
    """The fields of an entry or a transaction: those a tag holds, and the places of texts by key."""

    fixed: dict[str, str] = field(default_factory=dict)
    single: list[tuple[int, str]] = field(default_factory=list)
    repeated: list[tuple[int, str]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    def fields(self, pieces: Sequence[str]) -> dict[str, Any]:
        fields: dict[str, Any] = self.fixed.copy() if self.fixed else {}
        for place, key in self.single:
            if text := pieces[place].strip():
                fields[key] = text
        for place, key in self.repeated:
            if text := pieces[place].strip():
                fields.setdefault(key, []).append(text)
        return fields


@dataclass(frozen=True, slots=True)
class Shape:
    """Where the texts of an entry stand."""

    entry: _Recipe
    transactions: tuple[_Recipe, ...]

    def read(self, pieces: Sequence[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Fields of the entry, and of each transaction."""
        return self.entry.fields(pieces), [each.fields(pieces) for each in self.transactions]


def pieces_of(raw: str) -> list[str] | None:
    """Texts and tags of an entry in turn, tags without their brackets; None: not by this way.

    A text may hold `>`; as many `<` as `>` says that none does, because `<` begins a tag always.
    """
    if "&" in raw or "\r" in raw or raw.count("<") != raw.count(">"):
        return None
    return raw.replace(">", "<").split("<")


class Shapes:
    """The shapes met in one message, below an entry named by *tag* (`Ntry`, `n:Ntry`)."""

    def __init__(self, entry: Element, name: str, tag: str) -> None:
        """*name* is the entry's as expat gives it: namespace, space, local name."""
        self.start = f"<{tag}>".encode()
        self.end = f"</{tag}>".encode()
        self._entry = entry
        self._namespace = name.rpartition(" ")[0]
        self._prefix = tag.rpartition(":")[0]
        self._known: dict[tuple[str, ...], Shape | None] = {}

    def shape(self, pieces: Sequence[str]) -> Shape | None:
        """Of an entry cut by `pieces_of`; None where its elements have to be looked at one by one."""
        tags = tuple(pieces[1::2])
        try:
            return self._known[tags]
        except KeyError:
            if len(self._known) >= _SHAPES_MAX or len(tags) > _TAGS_MAX:
                return None
            try:
                shape = self._work_out(tags)
            except MalformedXmlError:  # too deep
                shape = None
            self._known[tags] = shape
            return shape

    def _work_out(self, tags: Sequence[str]) -> Shape | None:
        entry = _Recipe()
        transactions: list[_Recipe] = []
        recipe = entry
        above: list[tuple[str, Element]] = [(tags[0], self._entry)]
        for number, tag in enumerate(tags[1:], start=1):
            if not above:
                return None
            if tag.startswith("/"):
                name, element = above.pop()
                if tag[1:] != name:
                    return None
                if element.opens and element.context == "transaction":
                    recipe = entry
                elif element.key and element.repeated:
                    recipe.repeated.append((number * 2, element.key))
                elif element.key:
                    recipe.single.append((number * 2, element.key))
                continue
            if above[-1][1].key and not above[-1][1].opens:
                return None  # an element within a wanted text: is there text beside it?
            local = self._local(tag)
            matched = None if local is None else _START_TAG.fullmatch(local)
            if matched is None:
                return None
            element = above[-1][1][self._named(matched[1])]
            above.append((tag.partition(" ")[0], element))
            if element.opens:
                recipe = _Recipe()
                transactions.append(recipe)
            elif element.key:
                if element.key in recipe.keys and not element.repeated:
                    return None  # stands twice
                recipe.keys.add(element.key)
                if matched[3]:
                    recipe.fixed[f"{element.key}@Ccy"] = matched[3]
        return None if above else Shape(entry, tuple(transactions))

    def _local(self, tag: str) -> str | None:
        if not self._prefix:
            return tag
        start = f"{self._prefix}:"
        return tag.removeprefix(start) if tag.startswith(start) else None

    def _named(self, local: str) -> str:
        return f"{self._namespace} {local}" if self._namespace else local
