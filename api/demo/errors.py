"""
What the demo refuses, by name.

    DemoError
    ├── NotADemoBookError      the directory holds something that no demo made
    ├── DemoRunningError       another demo works in the directory
    ├── DemoDatabaseError      RKUD_DATABASE_URL is set; the demo keeps its book in the directory
    ├── TooLargeADemoError     more orders than the demo budget has room for
    ├── ServerStoppedError     the server ended before it was told to
    ├── ServerSilentError      no answer came
    ├── BankStoppedError       the bank's process refused or failed
    ├── ApiRefusedError        the API refused what the demo asked
    └── DemoMismatchError      an answer is not what the day's own papers say
"""

from __future__ import annotations

import re
from typing import ClassVar

__all__ = [
    "ApiRefusedError",
    "BankStoppedError",
    "DemoDatabaseError",
    "DemoError",
    "DemoMismatchError",
    "DemoRunningError",
    "NotADemoBookError",
    "ServerSilentError",
    "ServerStoppedError",
    "TooLargeADemoError",
]


_WORD = re.compile(r"(?<!^)(?=[A-Z])")


class DemoError(Exception):
    """Base of what the demo refuses. `code` is stable; no route gives it, only the command."""

    code: ClassVar[str] = "demo"

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls.code = _WORD.sub("_", cls.__name__.removesuffix("Error")).lower()

    def __init__(self, message: str, **values: object) -> None:
        super().__init__(message)
        self.message = message
        self.values: dict[str, object] = values


class NotADemoBookError(DemoError):
    """A demo never touches a book, or anything else, that a demo did not make."""

    def __init__(self, *, path: str, reason: str) -> None:
        super().__init__(
            f"{path} {reason}; set RKUD_DATA_DIR to an empty or new directory",
            path=path,
            reason=reason,
        )


class DemoRunningError(DemoError):
    """One demo at a time works in a directory."""

    def __init__(self, *, path: str) -> None:
        super().__init__(f"another demo works in {path}", path=path)


class DemoDatabaseError(DemoError):
    """The demo is of the embedded default."""

    def __init__(self) -> None:
        super().__init__("RKUD_DATABASE_URL is set; the demo keeps its own book in RKUD_DATA_DIR")


class TooLargeADemoError(DemoError):
    """The demo budget ends somewhere."""

    def __init__(self, *, asked: int, most: int) -> None:
        super().__init__(
            f"{asked} SP2Ds in all were asked for; the demo budget has room for {most}",
            asked=asked,
            most=most,
        )


class ServerStoppedError(DemoError):
    """The server's process ended; its log says why."""

    def __init__(self, *, log: str) -> None:
        super().__init__(f"the server ended; its log is {log}", log=log)


class ServerSilentError(DemoError):
    """The connection broke, or no answer came in time."""

    def __init__(self, *, url: str, reason: str) -> None:
        super().__init__(f"{url} does not answer: {reason}", url=url, reason=reason)


class BankStoppedError(DemoError):
    """The bank's process said no."""

    def __init__(self, *, message: str) -> None:
        super().__init__(f"the bank's process ended: {message}", said=message)


class ApiRefusedError(DemoError):
    """A request that the day needs was refused."""

    def __init__(self, *, method: str, path: str, http_status: int, problem: str) -> None:
        super().__init__(
            f"{method} {path}: {http_status} {problem}",
            method=method,
            path=path,
            http_status=http_status,
            problem=problem,
        )


class DemoMismatchError(DemoError):
    """The API says something else than the papers that the day was made of."""

    def __init__(self, *, what: str, expected: str, actual: str) -> None:
        super().__init__(
            f"{what}: {actual}, expected {expected}", what=what, expected=expected, actual=actual
        )
