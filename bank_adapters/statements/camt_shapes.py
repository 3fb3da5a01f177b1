"""Entries of a camt message that are built alike, read without a call for each element.

A bank's entries have the same elements in the same order, thousands of times. The first of a kind is
worked out from its tags, once: which texts are wanted, and under which path. The others are split at
their tags and the texts taken by place, many times faster than an event for each tag. Transactions of
a batch have shapes of their own, so that their number and their order make no new ones.

Only what can't mean anything else is read so: no comment, CDATA or processing instruction, no entity
but the five of XML, no attribute but a currency. Every byte still goes through expat, which alone says
what is well-formed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Final, Protocol

from bank_adapters.errors import MalformedXmlError

__all__ = ["Element", "Shapes"]

#: Shapes kept of one message, tags of one and their length: memory may not grow with a file of many
#: kinds of entries.
_SHAPES_MAX: Final = 1000
_TAGS_MAX: Final = 400
_CHARACTERS_MAX: Final = 20_000
#: Behind a prefix: tag, local name, quote, currency.
_START_TAG: Final = r'([A-Za-z][A-Za-z0-9]*))(?: Ccy=(["\'])([A-Z]{3})\3)?(?: */)?'
#: The ampersand last: `&amp;lt;` is the text `&lt;`.
_ENTITIES: Final = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))

_Fields = dict[str, Any]

#: Texts of a shape's pattern: a wanted one that stands for itself, none, and one that nobody wants.
_TEXT: Final = r"([^\s<>][^<>\r]*+)(?<!\s)"
_BLANK: Final = r"\s*+"
_ANY: Final = "[^<>]*+"
#: A pattern takes a few milliseconds to make, and each that does not fit some time to try.
_USES_TO_COMPILE: Final = 100
_PATTERNS_MAX: Final = 16
_PATTERNS_TRIED: Final = 4


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


class _Recipe:
    """The fields of an entry or a transaction: those a tag holds, and the places of texts by key."""

    __slots__ = ("fixed", "groups", "keys", "places", "repeated", "repeated_groups")

    def __init__(self) -> None:
        self.fixed: dict[str, str] = {}
        self.keys: list[str] = []
        self.places: list[int] = []
        self.repeated: list[tuple[int, str]] = []
        #: As `places` and `repeated`, by the groups of the shape's pattern; one at least, and twice.
        self.groups: list[int] = []
        self.repeated_groups: list[tuple[int, str]] = []

    def keep(self, element: Element, place: int) -> None:
        """Take the text of *element* from *place*."""
        if element.repeated:
            self.repeated.append((place, element.key))
        else:
            self.keys.append(element.key)
            self.places.append(place)

    def fields(self, texts: Iterator[str], pieces: Sequence[str]) -> _Fields:
        """Takes as many of *texts* as there are keys; repeated ones from *pieces*."""
        fields: _Fields = dict(zip(self.keys, texts, strict=False))
        if "" in fields.values():
            fields = {key: text for key, text in fields.items() if text}
        if self.fixed:
            fields.update(self.fixed)
        for place, key in self.repeated:
            if text := pieces[place].strip():
                if key in fields:
                    fields[key].append(text)
                else:
                    fields[key] = [text]
        return fields

    def matched(self, match: re.Match[str]) -> _Fields:
        """As `fields`, by the shape's pattern."""
        fields: _Fields = dict(zip(self.keys, match.group(*self.groups), strict=False))
        if self.fixed:
            fields.update(self.fixed)
        for number, key in self.repeated_groups:
            if key in fields:
                fields[key].append(match[number])
            else:
                fields[key] = [match[number]]
        return fields


class _Shape:
    """Where the texts of an entry stand, or those of a transaction alone."""

    __slots__ = ("_fit", "_take", "blanks", "recipe", "tags", "transactions", "uses")

    def __init__(self, tags: Sequence[str]) -> None:
        self.tags = tags
        self.recipe = _Recipe()
        self.transactions: list[_Recipe] = []
        #: Texts in a wanted element that holds elements: with anything in them it is refused.
        self.blanks: list[int] = []
        self._take: Callable[[Sequence[str]], Sequence[str]] = tuple
        self._fit: Callable[[str], re.Match[str] | None] | None = None
        self.uses = 0

    def finish(self) -> None:
        """All places are known."""
        places = [place for each in (self.recipe, *self.transactions) for place in each.places]
        self._take = itemgetter(*places, 1, 1)  # by two at least it gives a tuple

    def read(self, pieces: Sequence[str]) -> tuple[_Fields, list[_Fields]] | None:
        """Fields of the entry and of each transaction; None where it is refused or looked at again."""
        for place in self.blanks:
            if (text := pieces[place]) and not text.isspace():
                return None
        texts = map(str.strip, self._take(pieces))
        fields = self.recipe.fields(texts, pieces)
        return fields, [each.fields(texts, pieces) for each in self.transactions]

    def compile(self) -> None:
        """Make a pattern of the tags, for texts that need no second look: the time of `read` halves."""
        recipes = (self.recipe, *self.transactions)
        wanted = {place for each in recipes for place in each.places}
        wanted |= {place for each in recipes for place, _ in each.repeated}
        numbers = {place: number for number, place in enumerate(sorted(wanted), start=1)}
        blanks = set(self.blanks)
        parts = []
        for place, tag in enumerate(self.tags, start=1):
            text = _TEXT if 2 * place in wanted else _BLANK if 2 * place in blanks else _ANY
            parts.append(f"<{re.escape(tag)}>{text}")
        parts[-1] = parts[-1].removesuffix(_ANY)
        for each in recipes:
            each.groups = [numbers[place] for place in each.places] or [0]
            each.groups += each.groups[:1]
            each.repeated_groups = [(numbers[place], key) for place, key in each.repeated]
        self._fit = re.compile("".join(parts)).fullmatch

    def match(self, raw: str) -> tuple[_Fields, list[_Fields]] | None:
        """As `read` of its pieces; None where the pattern does not fit."""
        if self._fit is None or (match := self._fit(raw)) is None:
            return None
        return self.recipe.matched(match), [each.matched(match) for each in self.transactions]


class _Open:
    """An element whose end tag is still to come."""

    __slots__ = ("element", "is_divided", "tag")

    def __init__(self, tag: str, element: Element) -> None:
        self.tag = tag
        self.element = element
        self.is_divided = False


class Shapes:
    """The shapes met in one message, below an entry named by *tag* (`Ntry`, `n:Ntry`)."""

    def __init__(self, entry: Element, name: str, tag: str) -> None:
        """*name* is the entry's as expat gives it: namespace, space, local name."""
        self.start = f"<{tag}>".encode()
        self.end = f"</{tag}>".encode()
        self._entry = entry
        self._namespace = name.rpartition(" ")[0]
        self._prefix = tag.removesuffix("Ntry")
        self._details = f"{self._prefix}TxDtls"
        self._details_end = f"</{self._details}>"
        self._start_tag = re.compile(f"({re.escape(self._prefix)}{_START_TAG}")
        self._known: dict[tuple[str, ...], _Shape | None] = {}
        #: Shapes with a pattern, of entries and of transactions in batches; the last that fitted first.
        self._entries: list[_Shape] = []
        self._transactions: list[_Shape] = []

    def read(self, raw: str) -> tuple[_Fields, list[_Fields]] | None:
        """Fields of the entry whose text is *raw*, and of each transaction.

        None where its elements have to be looked at one by one.
        """
        read = _match(raw, self._entries)
        is_cut = read is None
        if read is None:
            is_batch = raw.count(self._details_end) > 1
            read = self._read_batch(raw) if is_batch else self._read(raw)
        if read is not None and ("&" in raw or (is_cut and "\r" in raw)):
            if "&#" in raw:
                return None
            for fields in (read[0], *read[1]):
                _resolve(fields)
        return read

    def _read(self, raw: str) -> tuple[_Fields, list[_Fields]] | None:
        pieces = raw.replace(">", "<").split("<")  # texts and tags in turn
        tags = tuple(pieces[1::2])
        # A text may hold `>`; as many `<` as `>` says that none does, because `<` begins a tag always.
        if len(tags) != raw.count("<") or len(pieces) != 2 * len(tags) + 1:
            return None
        shape = self._known[tags] if tags in self._known else self._learn(tags)
        if shape is None:
            return None
        shape.uses += 1
        if shape.uses == _USES_TO_COMPILE:
            patterns = self._transactions if tags[0] == self._details else self._entries
            if len(patterns) < _PATTERNS_MAX:
                shape.compile()
                patterns.insert(0, shape)
        return shape.read(pieces)

    def _read_batch(self, raw: str) -> tuple[_Fields, list[_Fields]] | None:
        """Each transaction alone, and the entry with an empty one for all that follow one another."""
        start, end, mark = f"<{self._details}>", self._details_end, f"<{self._details}/>"
        if mark in raw:
            return None
        outside: list[str] = []
        transactions: list[_Fields] = []
        at = 0
        while (first := raw.find(start, at)) >= 0:
            if not outside or raw[at:first].strip():
                outside.append(raw[at:first])
            at = raw.find(end, first) + len(end)
            if at < len(end):
                return None
            one = raw[first:at]
            read = _match(one, self._transactions) or self._read(one)
            if read is None:
                return None
            transactions.append(read[0])
        outside.append(raw[at:])
        whole = mark.join(outside)
        read = _match(whole, self._entries) or self._read(whole)
        if read is None or len(read[1]) != len(outside) - 1:
            return None  # what stands elsewhere is no transaction
        return read[0], transactions

    def _learn(self, tags: tuple[str, ...]) -> _Shape | None:
        """The shape of these tags. Kept, and a refusal too, as long as there is room."""
        if len(self._known) >= _SHAPES_MAX or len(tags) > _TAGS_MAX:
            return None
        if sum(map(len, tags)) > _CHARACTERS_MAX:
            return None
        try:
            shape = self._work_out(tags)
        except MalformedXmlError:  # too deep
            shape = None
        self._known[tags] = shape
        return shape

    def _work_out(self, tags: Sequence[str]) -> _Shape | None:
        shape = _Shape(tags)
        recipe = shape.recipe
        first = self._entry
        if tags[0] == self._details:
            first = first[self._named("NtryDtls")][self._named("TxDtls")]
        above = [_Open(tags[0], first)]
        for number, tag in enumerate(tags[1:], start=1):
            if not above:
                return None
            place = number * 2  # of the text before the tag
            parent = above[-1]
            if tag.startswith("/"):
                if tag[1:] != above.pop().tag:
                    return None
                if parent.is_divided:
                    shape.blanks.append(place)
                elif parent.element.key:
                    recipe.keep(parent.element, place)
                elif parent.element.opens:
                    recipe = shape.recipe
                continue
            if parent.element.key:
                parent.is_divided = True
                shape.blanks.append(place)
            is_empty = tag.endswith("/")
            matched = self._start_tag.fullmatch(tag)
            if matched is None:
                return None
            element = parent.element[self._named(matched[2])]
            if element.opens:
                made = _Recipe()
                shape.transactions.append(made)
                recipe = recipe if is_empty else made
            elif element.key:
                if element.key in recipe.keys:
                    return None  # stands twice
                if matched[4]:
                    recipe.fixed[f"{element.key}@Ccy"] = matched[4]
            if not is_empty:
                above.append(_Open(matched[1], element))
        if above:
            return None
        shape.finish()
        return shape

    def _named(self, local: str) -> str:
        return f"{self._namespace} {local}" if self._namespace else local


def _match(raw: str, patterns: list[_Shape]) -> tuple[_Fields, list[_Fields]] | None:
    for place, shape in enumerate(patterns[:_PATTERNS_TRIED]):
        if (read := shape.match(raw)) is not None:
            if place:
                patterns.insert(0, patterns.pop(place))
            return read
    return None


def _resolve(fields: _Fields) -> None:
    """Entities and line ends in the texts of *fields*, as the parser would hand them on."""
    for key, text in fields.items():
        if not isinstance(text, str):
            fields[key] = list(map(_resolved, text))
        elif "&" in text or "\r" in text:
            fields[key] = _resolved(text)


def _resolved(text: str) -> str:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "&" in text:
        for entity, character in _ENTITIES:
            text = text.replace(entity, character)
    return text
