"""
Help that teaches: what stands below a command's options, written when somebody asks for it.

Lists come from the tables that the code itself goes by, so they are loaded only then.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from typer.core import TyperCommand

__all__ = ["WIDTH", "Taught", "prose", "table", "taught"]

#: Columns that every line of help keeps to.
WIDTH = 80


class Taught(TyperCommand):
    """A command with a lesson: text that is printed as it was written, below the options."""

    lesson: ClassVar[Callable[[], str]]

    # The two types are Typer's own copy of Click's, which it doesn't export.
    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Options first, then the lesson."""
        super().format_help(ctx, formatter)
        formatter.write(type(self).lesson().rstrip("\n") + "\n")


def taught(lesson: str | Callable[[], str]) -> type[Taught]:
    """The class of a command whose help ends with *lesson*, a text or what makes one."""
    written = lesson if callable(lesson) else lambda: lesson
    return type("TaughtCommand", (Taught,), {"lesson": staticmethod(written)})


def prose(text: str) -> str:
    """A paragraph in lines that fit."""
    return textwrap.fill(" ".join(text.split()), WIDTH)


def table(rows: Iterable[tuple[str, str]]) -> str:
    """Names and what they mean, side by side; the second column is wrapped."""
    pairs = list(rows)
    indent = " " * (max((len(name) for name, _ in pairs), default=0) + 4)
    return "\n".join(
        textwrap.fill(
            meaning,
            WIDTH,
            initial_indent=f"  {name}".ljust(len(indent)),
            subsequent_indent=indent,
            break_on_hyphens=False,
        )
        for name, meaning in pairs
    )
