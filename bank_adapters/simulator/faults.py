"""
What goes wrong at the simulated bank, and for whom: a seeded script. Pure.

A fault is decided by the seed and the order's reference alone, so a run can be repeated whatever the
order in which calls arrive. A script in TOML, everything optional:

    seed = 7
    attempts = 1          # how many calls of one reference the fault of its answer meets
    delay_ms = 500        # until what happens later happens: completion, return, late callback
    status_asks = 3       # how many inquiries a hidden order is denied to
    hold_seconds = 30     # how long a silent bank keeps a connection
    silent_days = ["2026-03-05"]

    [probability]
    timeout_after = 0.05
    twin = 0.01

    [exact]
    "SP2D26-000001" = ["timeout_after", "status_hidden"]

    [[silence]]
    after_seconds = 60    # since the bank was started
    for_seconds = 30
    kind = "timeout"      # or "unavailable", a 503
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from hashlib import sha256
from itertools import chain
from typing import Any, Final, Literal

import msgspec

from bank_adapters.simulator.errors import MalformedInputError

__all__ = ["BEFORE", "FAULT_MEANINGS", "NO_FAULTS", "Fate", "Script", "Silence", "read_script"]

#: Faults by kind; of each kind at most one meets a reference by chance.
_KINDS: Final[dict[str, dict[str, str]]] = {
    "answer": {
        "timeout_before": "504, nothing was executed",
        "timeout_after": "executed, then 504",
        "timeout_late": "504; executed later, and not known to an inquiry until then",
        "internal_before": "500, nothing was executed",
        "internal_after": "executed, then 500",
        "too_many": "429, nothing was executed",
        "progress_success": "202; executed later",
        "progress_failure": "202; failed later",
        "broken_unread": "connection reset, nothing of the call was taken in",
        "broken_before": "connection closed without a byte, nothing was executed",
        "broken_after": "executed, connection closed before the first byte",
        "broken_headers": "executed, connection closed within the answer's headers",
        "broken_body": "executed, connection closed within the answer's body",
        "foreign_service": "the response code carries another service's digits",
        "other_amount": "executed as ordered, but the answer names another amount",
        "unreadable": "executed, the answer is HTML",
        "rejected": "refused: Do Not Honor",
    },
    "status": {"status_hidden": "the first inquiries don't find the order"},
    "callback": {
        "callback_missing": "no callback is sent",
        "callback_late": "the callback comes ten times later",
        "callback_duplicate": "the callback comes twice, each with its own external id",
        "callback_replayed": "the callback comes twice, byte for byte",
    },
    "after": {
        "returned": "executed, and the money comes back later",
        "twin": "debited twice; corrected on the next day",
        "bank_error": "beside it a debit that is the bank's mistake; corrected on the next day",
    },
    "paging": {"paging_repeats": "a page of the statement begins with rows of the last one"},
}
FAULT_MEANINGS: Final[dict[str, str]] = {
    name: meaning for kind in _KINDS.values() for name, meaning in kind.items()
}
#: With these nothing is executed in that call.
BEFORE: Final = frozenset(
    {"timeout_before", "internal_before", "too_many", "broken_unread", "broken_before"}
)


@dataclass(frozen=True, slots=True)
class Fate:
    """What meets one order. answer: one of the first kind, "" for none; others: of the other kinds."""

    answer: str = ""
    others: frozenset[str] = frozenset()


class Silence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A time in which the bank answers nobody, in seconds since its start."""

    after_seconds: float
    for_seconds: float
    kind: Literal["timeout", "unavailable"] = "timeout"


class _Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file."""

    seed: int = 1
    attempts: int = 1
    delay_ms: int = 500
    status_asks: int = 3
    hold_seconds: float = 30.0
    silent_days: list[date] = []
    probability: dict[str, float] = {}
    exact: dict[str, list[str]] = {}
    silence: list[Silence] = []


@dataclass(frozen=True, slots=True)
class Script:
    """The script, checked. Defaults: a bank without faults."""

    seed: int = 1
    attempts: int = 1
    delay_ms: int = 500
    status_asks: int = 3
    hold_seconds: float = 30.0
    silent_days: frozenset[date] = frozenset()
    probability: Mapping[str, float] = field(default_factory=dict)
    exact: Mapping[str, Fate] = field(default_factory=dict)
    silence: Sequence[Silence] = ()

    def fate(self, reference: str) -> Fate:
        """What meets the order of *reference*: the exact entry, else chance."""
        named = self.exact.get(reference)
        if named is not None:
            return named
        drawn = [self._drawn(kind, reference) for kind in ("status", "callback", "after")]
        return Fate(self._drawn("answer", reference), frozenset(filter(None, drawn)))

    def repeats_page(self, account: str, since: str) -> bool:
        """Whether the page of *account*'s statement that begins at *since* repeats rows."""
        return self._drawn("paging", f"{account}/{since}") != ""

    def silent(self, day: date, seconds: float) -> str:
        """`timeout`, `unavailable`, or "": how the bank is silent on its *day*, *seconds* after start."""
        for each in self.silence:
            if each.after_seconds <= seconds < each.after_seconds + each.for_seconds:
                return each.kind
        return "timeout" if day in self.silent_days else ""

    def with_seed(self, seed: int) -> Script:
        """The same with another seed."""
        return replace(self, seed=seed)

    def _drawn(self, kind: str, subject: str) -> str:
        digest = sha256(f"{self.seed}/{kind}/{subject}".encode()).digest()
        point = int.from_bytes(digest[:8]) / 2**64
        for name in _KINDS[kind]:
            point -= self.probability.get(name, 0.0)
            if point < 0:
                return name
        return ""


NO_FAULTS: Final = Script()


def read_script(text: str, name: str = "faults") -> Script:
    """
    Read a script.

    Raises:
        MalformedInputError: No TOML, an unknown fault, or probabilities that are none.
    """
    try:
        file = msgspec.convert(tomllib.loads(text), _Script)
    except ValueError as error:  # TOML's and msgspec's errors are ValueErrors
        raise MalformedInputError(name, str(error)) from None
    for wrong, reason in _wrongs(file):
        if wrong:
            raise MalformedInputError(name, reason)
    members: dict[str, Any] = msgspec.structs.asdict(file)
    members["silent_days"] = frozenset(file.silent_days)
    members["exact"] = {reference: _fate(faults) for reference, faults in file.exact.items()}
    return Script(**members)


def _fate(faults: Sequence[str]) -> Fate:
    answers = [each for each in faults if each in _KINDS["answer"]]
    return Fate(answers[0] if answers else "", frozenset(faults) - set(answers))


def _wrongs(file: _Script) -> list[tuple[bool, str]]:
    named = set(chain(file.probability, *file.exact.values()))
    unknown = sorted(named - set(FAULT_MEANINGS))
    wrongs = [
        (bool(unknown), f"unknown faults: {', '.join(unknown)}"),
        (
            any(not 0 <= each <= 1 for each in file.probability.values()),
            "a probability is not between 0 and 1",
        ),
        (min(file.attempts, file.delay_ms, file.status_asks) < 0, "a number below 0"),
    ]
    for kind, faults in _KINDS.items():
        total = sum(file.probability.get(each, 0.0) for each in faults)
        wrongs.append((total > 1 + 1e-9, f"the probabilities of kind {kind} add up to {total}"))
    for reference, given in file.exact.items():
        if "paging_repeats" in given:
            wrongs.append((True, f"{reference}: paging_repeats belongs to no reference"))
        answers = [each for each in given if each in _KINDS["answer"]]
        wrongs.append(
            (len(answers) > 1, f"{reference}: {' and '.join(answers)} exclude each other")
        )
    return wrongs
