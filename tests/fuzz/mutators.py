"""Changes that keep a file's structure, so that most of what is tried gets past the first check.

Each mutator is given *change*, the fuzzer's own mutation of bytes, and uses it for the parts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

from bank_adapters.statements.profile import all_profiles
from tests.fuzz.archives import MEMBER, members
from tests.fuzz.seeds import PAGE
from tests.fuzz.targets import TARGETS, split_csv

Change = Callable[[bytes], bytes]

_NUMBER = re.compile(rb"[0-9]+")
_START_TAG = re.compile(rb"<([A-Za-z:]+)[^<>]*>")
_TEXT = re.compile(rb">([^<>]*)<|=['\"]([^<>'\"]*)['\"]")
_NUMBERS = (b"0", b"1", b"2", b"00", b"99", b"100", b"999999999", b"1" + b"0" * 20, b"0" * 5)


def mutate(target: str, data: bytes, rng: Random, change: Change) -> bytes:
    """One change of a fuzzer's bytes for *target*."""
    if target == "snap":
        return _pages(data, rng, change, _WORDS[target])
    if target in {"camt", "pain002"}:
        return _xml(data, rng, change, _WORDS[target])
    if target == "csv":
        return _csv(data, rng, change, _WORDS[target])
    if target == "detect" and data.lstrip().startswith(b"<"):
        return _xml(data, rng, change, _WORDS[target])
    if target in {"xlsx", "zip"}:
        return _archive(data, rng, change, _WORDS[target])
    return _lines(data, rng, change, _WORDS[target])


_LAYOUTS = [each.name.encode() for each in all_profiles()]
_WORDS = {name: [word.encode() for word in each.words] for name, each in TARGETS.items()}


def _number(data: bytes, rng: Random) -> bytes:
    """Another number in the place of one."""
    found = list(_NUMBER.finditer(data))
    if not found:
        return data
    at = rng.choice(found)
    text = at[0]
    kind = rng.randrange(4)
    if kind == 0:
        new = rng.choice(_NUMBERS)
    elif kind == 1:
        new = rng.choice(found)[0]
    elif kind == 2:
        new = str(max(0, int(text[:30]) + rng.choice((-1, 1)))).encode().zfill(len(text))
    else:
        n = rng.randrange(len(text))
        new = text[:n] + b"%d" % rng.randrange(10) + text[n + 1 :]
    return data[: at.start()] + new + data[at.end() :]


def _lines(data: bytes, rng: Random, change: Change, words: list[bytes]) -> bytes:
    """Lines doubled, dropped, moved, joined and changed one at a time."""
    kind = rng.randrange(12)
    if kind < 4:
        return change(data)
    if kind < 7:
        return _number(data, rng)
    lines = data.split(b"\n")
    n, m = rng.randrange(len(lines)), rng.randrange(len(lines))
    if kind == 7:
        lines.insert(m, lines[n])
    elif kind == 8:
        del lines[n]
    elif kind == 9:
        lines[n], lines[m] = lines[m], lines[n]
    elif kind == 10:
        lines[n] = change(lines[n])
    else:
        at = rng.randrange(len(lines[n]) + 1)
        lines[n] = lines[n][:at] + rng.choice(words) + lines[n][at:]
    return b"\n".join(lines)


def _xml(data: bytes, rng: Random, change: Change, words: list[bytes]) -> bytes:
    """Texts and attributes changed; elements doubled, dropped and moved whole."""
    kind = rng.randrange(12)
    if kind < 2:
        return change(data)
    if kind < 5:
        return _number(data, rng)
    if kind < 8:
        found = list(_TEXT.finditer(data))
        if not found:
            return change(data)
        at = rng.choice(found)
        start, end = at.span(1) if at[1] is not None else at.span(2)
        new = rng.choice(words) if kind == 7 else change(data[start:end])
        if kind != 7:
            new = new.translate(None, b"<>&'\"\x00")
        return data[:start] + new + data[end:]
    tags = list(_START_TAG.finditer(data))
    if not tags:
        return change(data)
    start, end = _element(data, rng.choice(tags))
    element = data[start:end]
    if kind == 8:
        return data[:end] + element + data[end:]
    if kind == 9:
        return data[:start] + data[end:]
    place = rng.choice(tags)
    at = place.start() if rng.randrange(2) else place.end()
    if kind == 10:
        return data[:at] + element + data[at:]
    name = rng.choice(words)
    if not name.isalpha():
        return change(data)
    return data[:at] + b"<" + name + b">" + element + b"</" + name + b">" + data[at:]


def _element(data: bytes, tag: re.Match[bytes]) -> tuple[int, int]:
    """Where the element of a start tag begins and, taken roughly, ends."""
    if tag[0].endswith(b"/>"):
        return tag.span()
    closing = b"</" + tag[1] + b">"
    end = data.find(closing, tag.end())
    return (tag.start(), end + len(closing)) if end >= 0 else tag.span()


def _csv(data: bytes, rng: Random, change: Change, words: list[bytes]) -> bytes:
    """The table under its layout's name, which stays but for one time in fifty."""
    name, content = split_csv(data)
    kind = rng.randrange(100)
    if kind < 2:
        return rng.choice(_LAYOUTS) + b"\n" + content
    if kind < 70 or not content:
        return name + b"\n" + _lines(content, rng, change, words)
    lines = content.split(b"\n")
    n = rng.randrange(len(lines))
    mark = max(b";,|\t", key=lines[n].count)
    cells = lines[n].split(bytes([mark]))
    k = rng.randrange(len(cells))
    if kind < 80:
        cells[k] = rng.choice(words)
    elif kind < 85:
        cells[k] = change(cells[k])
    elif kind < 90:
        cells[k] = b""
    elif kind < 95:
        cells[k] = rng.choice(cells)
    elif kind < 97:
        cells.insert(k, b"")
    else:
        del cells[k]
    lines[n] = bytes([mark]).join(cells)
    return name + b"\n" + b"\n".join(lines)


_ODD = (
    None,
    True,
    0,
    -1,
    10**400,
    "",
    "0.00",
    "1",
    "-1.00",
    "1E5",
    [],
    {},
    [None],
    "2026-03-05T10:00:01",
)


def _pages(data: bytes, rng: Random, change: Change, words: list[bytes]) -> bytes:
    """JSON bodies changed as text, or as the tree that they are."""
    pages = data.split(PAGE)
    n = rng.randrange(len(pages))
    kind = rng.randrange(10)
    if kind == 0:
        pages.insert(n, rng.choice(pages))
    elif kind == 1 and len(pages) > 1:
        del pages[n]
    elif kind < 5:
        pages[n] = _lines(pages[n], rng, change, words)
    else:
        try:
            tree = json.loads(pages[n])
        except (ValueError, RecursionError):
            return change(data)
        _change_tree(tree, rng, words)
        pages[n] = json.dumps(tree).encode()
    return PAGE.join(pages)


def _change_tree(tree: Any, rng: Random, words: list[bytes]) -> None:
    """One value of the tree replaced, dropped, doubled or moved, in place."""
    places: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict | list):
            keys = list(node) if isinstance(node, dict) else range(len(node))
            places += [(node, key) for key in keys]
            waiting += [node[key] for key in keys]
    if not places:
        return
    node, key = rng.choice(places)
    kind = rng.randrange(5)
    other, other_key = rng.choice(places)
    if kind == 0:
        node[key] = rng.choice(_ODD)
    elif kind == 1:
        node[key] = deepcopy(other[other_key])
    elif kind == 2:
        del node[key]
    elif kind == 3 and isinstance(node, list):
        node.insert(key, deepcopy(node[key]))
    elif isinstance(node[key], str):
        text = rng.choice((rng.choice(words).decode(), node[key] + "0", node[key][:-1]))
        node[key] = _number(text.encode(), rng).decode()


def _archive(data: bytes, rng: Random, change: Change, words: list[bytes]) -> bytes:
    """One member changed in its own way; members doubled, dropped, renamed."""
    parts = members(data)
    kind = rng.randrange(20)
    if data.startswith(b"PK") or not parts or kind == 0:
        return change(data)
    n = rng.randrange(len(parts))
    name, content = parts[n]
    if kind == 1:
        parts.insert(n, (rng.choice(parts)[0] + b"2", content))
    elif kind == 2:
        del parts[n]
    elif kind == 3:
        parts[n] = (rng.choice((change(name), rng.choice(parts)[0])), content)
    elif content.lstrip().startswith(b"<"):
        parts[n] = (name, _xml(content, rng, change, words))
    else:
        parts[n] = (name, _lines(content, rng, change, words))
    head = data.partition(MEMBER)[0]
    return head + b"".join(MEMBER + name + b"\n" + content for name, content in parts)
