"""
What a verification found, in words for an inspector and as data for a program. Pure.

Three lists, and nothing may be in none of them: what was proven, what was not checked (and why), and
what is wrong. Only an empty third list is a pass.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import Final

from audit.canonical import JsonInput

__all__ = ["Failure", "Verdict"]

_LISTED: Final = 50  # failures of one kind that are kept; more are counted


@dataclass(frozen=True, slots=True)
class Failure:
    """
    One thing that is wrong. `code` is stable; leaf and journal are numbers where there are any.

    `path` is relative to the export's directory.
    """

    code: str
    message: str
    leaf: int | None = None
    journal: int | None = None
    path: str = ""

    def to_dict(self) -> dict[str, JsonInput]:
        """For `--json`."""
        return {
            "code": self.code,
            "message": self.message,
            "leaf": self.leaf,
            "journal": self.journal,
            "path": self.path,
        }


@dataclass(slots=True)
class Verdict:
    """The outcome for one log. `figures` are counts by name."""

    origin: str = ""
    size: int = 0
    root: str = ""
    proven: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    failure_count: int = 0
    counts: dict[str, int] = field(default_factory=dict)  # of all failures by code
    figures: dict[str, int] = field(default_factory=dict)
    balances: list[tuple[str, str]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.failure_count == 0

    @property
    def exit_code(self) -> int:
        """0, or 1 when something is wrong."""
        return 0 if self.ok else 1

    def fail(self, failure: Failure) -> None:
        """Note one thing that is wrong."""
        self.failure_count += 1
        count = self.counts[failure.code] = self.counts.get(failure.code, 0) + 1
        if count <= _LISTED:
            self.failures.append(failure)

    def to_dict(self) -> dict[str, JsonInput]:
        """For `--json`."""
        return {
            "ok": self.ok,
            "origin": self.origin,
            "size": self.size,
            "root": self.root,
            "proven": list(self.proven),
            "not_checked": list(self.not_checked),
            "failures": [failure.to_dict() for failure in self.failures],
            "failure_count": self.failure_count,
            "failures_by_code": dict(self.counts),
            "figures": dict(self.figures),
            "balances": [{"bank_account": name, "balance": sum_} for name, sum_ in self.balances],
        }

    def to_text(self, width: int = 0) -> str:
        """
        For a person; ends in LF. Text from the log is shown with its control signs escaped.

        With a *width* lines are broken between words to fit it, as far as words are short enough.
        """
        lines = [f"LOG {_shown(self.origin)}, {self.size} entries", f"  root {self.root}"]
        blocks = [
            ("PROVEN", self.proven),
            ("CASH BY THE LOG", [f"{name}: Rp {amount}" for name, amount in self.balances]),
            ("NOT CHECKED", self.not_checked),
            ("WRONG", [*map(_named, self.failures), *self._not_listed()]),
        ]
        for title, items in blocks:
            if items:
                lines += ["", title]
                for item in items:
                    lines += _wrapped(_shown(item), width)
        lines += ["", f"VERDICT: {self._sentence()}"]
        return "\n".join(lines) + "\n"

    def _not_listed(self) -> list[str]:
        return [
            f"... and {count - _LISTED} more of the kind {code}"
            for code, count in self.counts.items()
            if count > _LISTED
        ]

    def _sentence(self) -> str:
        if self.ok:
            return "nothing is wrong with what was checked"
        count = self.failure_count
        return f"NOT TO BE RELIED ON, {count} {'thing is' if count == 1 else 'things are'} wrong"


def _wrapped(item: str, width: int) -> list[str]:
    if not width:
        return [f"  - {item}"]
    return textwrap.wrap(
        item,
        max(width, 40),
        initial_indent="  - ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _named(failure: Failure) -> str:
    where = [f"leaf {failure.leaf}"] if failure.leaf is not None else []
    where += [f"journal {failure.journal}"] if failure.journal is not None else []
    where += [failure.path] if failure.path else []
    return f"{', '.join(where)}: {failure.message}" if where else failure.message


def _shown(text: str) -> str:
    """One line without control characters: what a log holds must not move a terminal's cursor."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
