"""
What requests were answered, kept under their idempotency keys (D12).

A request's members are kept as salted digests of 64 bits: enough to name a member that differs,
useless without the salt, which an erasure takes away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from audit import bulk
from ledger import tables as t

__all__ = [
    "AnswerKey",
    "Idempotency",
    "StoredAnswer",
    "ask_answers",
    "differing",
    "digests",
    "take_answers",
]

#: person, key
AnswerKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Idempotency:
    """
    A request's key (D12): unique per government, person and key.

    *fields* are the request's members with their bytes; only salted digests of them are stored.
    """

    key: str
    route: str
    fields: Sequence[tuple[str, bytes]]
    status: int = 201


class StoredAnswer(NamedTuple):
    """What a key was answered; status 0 stands for a final refusal."""

    route: str
    request_c: str
    request: str
    status: int
    answer: bytes


def ask_answers(government: str, keys: Iterable[AnswerKey]) -> bulk.Ask:
    """What `take_answers` is to be given."""
    return bulk.Ask(
        t.idempotency,
        ("government", "person_id", "key"),
        ("route", "request_c", "request", "status", "answer"),
        [(government, *key) for key in keys],
    )


def take_answers(found: Iterable[bulk.Row]) -> dict[AnswerKey, StoredAnswer]:
    """The stored answers by person and key."""
    return {
        (str(person), str(key)): StoredAnswer(
            str(route),
            str(request_c),
            str(request),
            int(status or 0),
            bytes(answer),  # type: ignore[arg-type]  # a bytes column
        )
        for _, person, key, route, request_c, request, status, answer in found
    }


def digests(salt: str, fields: Sequence[tuple[str, bytes]]) -> str:
    """`name:digest` of each field, 64 bits: enough to name a difference, useless without the salt."""
    prefix = salt.encode() + b"\x00"
    return ";".join(
        f"{name}:{hashlib.sha256(prefix + name.encode() + b'=' + value).hexdigest()[:16]}"
        for name, value in fields
    )


def differing(before: str, now: str) -> list[str]:
    if not now:
        return ["(the first request was erased)"]
    first = dict(part.split(":") for part in before.split(";") if part)
    second = dict(part.split(":") for part in now.split(";") if part)
    return sorted(name for name in {**first, **second} if first.get(name) != second.get(name))
