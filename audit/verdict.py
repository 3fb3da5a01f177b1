"""
What a verification found, in words for an inspector and as data for a program. Pure.

Three lists, and nothing may be in none of them: what was proven, what was not checked (and why), and
what is wrong. Only an empty third list is a pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from audit.canonical import JsonInput

__all__ = ["Failure", "Verdict"]

_LISTED: Final = 200  # failures kept; the rest is counted


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
        if len(self.failures) < _LISTED:
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
            "figures": dict(self.figures),
            "balances": [{"bank_account": name, "balance": sum_} for name, sum_ in self.balances],
        }

    def to_text(self) -> str:
        """For a person; ends in LF. Text from the log is shown with its control signs escaped."""
        lines = [f"LOG {_shown(self.origin)}, {self.size} entries, root {self.root}"]
        lines += _block("PROVEN", self.proven)
        if self.balances:
            lines += _block(
                "CASH BY THE LOG", [f"{name}: Rp {amount}" for name, amount in self.balances]
            )
        lines += _block("NOT CHECKED", self.not_checked)
        if not self.ok:
            lines += _block("WRONG", [_named(failure) for failure in self.failures])
            if more := self.failure_count - len(self.failures):
                lines.append(f"  ... and {more} more")
        lines += ["", f"VERDICT: {self._sentence()}"]
        return "\n".join(lines) + "\n"

    def _sentence(self) -> str:
        if self.ok:
            return "nothing is wrong with what was checked"
        count = self.failure_count
        return f"NOT TO BE RELIED ON, {count} {'thing is' if count == 1 else 'things are'} wrong"


def _block(title: str, items: list[str]) -> list[str]:
    return ["", title, *(f"  - {_shown(item)}" for item in items)] if items else []


def _named(failure: Failure) -> str:
    where = [f"leaf {failure.leaf}"] if failure.leaf is not None else []
    where += [f"journal {failure.journal}"] if failure.journal is not None else []
    where += [failure.path] if failure.path else []
    return f"{', '.join(where)}: {failure.message}" if where else failure.message


def _shown(text: str) -> str:
    """One line without control characters: what a log holds must not move a terminal's cursor."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
