"""What a check of the books found."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that is not as it must be.

    `code` is stable; `table`, `key` and `column` say where; `message` names both values where there
    are two. `severity` is `error`, or `note` for what is allowed and worth an inspector's look.
    """

    code: str
    message: str
    table: str = ""
    key: str = ""
    column: str = ""
    severity: str = "error"
