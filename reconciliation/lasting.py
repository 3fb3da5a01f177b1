"""
Which lines of one delivery are lines of another, and what a reissued statement changes.

Pure. A line is known again by its content; equal contents of a day are told apart by nothing but how
many there are (D17): the second of two twins is the second wherever they come from. So a report that
has two of them says two, one that has three adds a third, and none ever takes one away.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from bank_adapters.statements import Balance
from reconciliation.admission import Content, KnownLine
from reconciliation.errors import ReissueMisplacedError

__all__ = ["Place", "Reissued", "back_dated", "became", "pair_off", "reissued"]


def pair_off(known: Sequence[KnownLine], contents: Sequence[Content]) -> list[tuple[int, int]]:
    """
    (place in *contents*, id of the known line) for each line that both have, by order of place.

    Equal contents are taken in their order on either side. A known line whose text was erased takes
    what is left of its day, amount and bank's reference.
    """
    waiting: dict[Content, deque[int]] = defaultdict(deque)
    for place, content in enumerate(contents):
        waiting[content].append(place)
    found: list[tuple[int, int]] = []
    erased: list[KnownLine] = []
    for line in known:
        if line.content.text is None:
            erased.append(line)
        elif places := waiting.get(line.content):
            found.append((places.popleft(), line.id))
    if erased:
        loose: dict[tuple[str, int, str], deque[int]] = defaultdict(deque)
        for place in sorted(place for places in waiting.values() for place in places):
            loose[contents[place][:3]].append(place)
        for line in erased:
            if places := loose.get(line.content[:3]):
                found.append((places.popleft(), line.id))
    return sorted(found)


def became(
    missing: Sequence[KnownLine], new: Sequence[tuple[int, Content]]
) -> list[tuple[KnownLine, int]]:
    """
    For each line that a delivery no longer has, the position of the *new* line (position, content)
    that comes nearest, or 0: the bank's reference with another amount or day, else the day and
    amount with another reference or text. A new line stands for one of them.
    """
    left = list(new)
    found = []
    for line in missing:
        wanted = line.content
        near = [n for n in left if wanted.bank_reference and _same_reference(n[1], wanted)]
        near += [n for n in left if n[1][:2] == wanted[:2]]
        if near:
            left.remove(near[0])
        found.append((line, near[0][0] if near else 0))
    return found


def _same_reference(one: Content, other: Content) -> bool:
    return one.bank_reference == other.bank_reference


def back_dated(
    contents: Sequence[Content], new: Sequence[int], *, closed_on: str, closes_on: str
) -> list[int]:
    """
    Places of the new lines that are booked on a day that was delivered before.

    *closed_on* is the last day of the statement before ("" for none), *closes_on* of this one: a
    second statement of one day goes on with that day.
    """
    return [place for place in new if contents[place].booked_on <= closed_on < closes_on]


@dataclass(frozen=True, slots=True)
class Place:
    """
    A place in an account's chain: the statement that stands there and the *lines* that count.

    *next_sen* is what the next place opens with; None at the end of the chain, or where that
    statement is superseded too.
    """

    statement: int
    chain_n: int
    previous_sen: int
    closing_on: str
    lines: Sequence[KnownLine]
    next_sen: int | None


@dataclass(frozen=True, slots=True)
class Reissued:
    """Places of the delivered lines that are new, (place, line id) that recur, ids that are gone."""

    new: tuple[int, ...]
    confirmed: tuple[tuple[int, int], ...]
    gone: tuple[int, ...]


def reissued(
    place: Place, contents: Sequence[Content], *, opening: Balance, closing: Balance
) -> Reissued:
    """
    What it means that a statement takes *place*.

    It opens where that one did and closes the same day; where later statements stand, it closes with
    the figure that they continue. Raises ReissueMisplacedError.
    """
    closes_on = closing.on.isoformat() if closing.on else ""
    # Nothing stands before the first statement of a chain: its opening is the bank's word.
    if place.chain_n > 1 and opening.units != place.previous_sen:
        raise ReissueMisplacedError(
            statement=place.statement,
            what="opens",
            is_sen=opening.units,
            wanted_sen=place.previous_sen,
            position=opening.position,
        )
    if closes_on != place.closing_on:
        raise ReissueMisplacedError(
            statement=place.statement,
            what="closes",
            is_day=closes_on,
            wanted_day=place.closing_on,
            position=closing.position,
        )
    if place.next_sen is not None and closing.units != place.next_sen:
        raise ReissueMisplacedError(
            statement=place.statement,
            what="closes",
            is_sen=closing.units,
            wanted_sen=place.next_sen,
            position=closing.position,
        )
    confirmed = tuple(pair_off(place.lines, contents))
    taken = {index for index, _ in confirmed}
    kept = {line for _, line in confirmed}
    return Reissued(
        new=tuple(index for index in range(len(contents)) if index not in taken),
        confirmed=confirmed,
        gone=tuple(line.id for line in place.lines if line.id not in kept),
    )
