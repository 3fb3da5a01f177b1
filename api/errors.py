"""
What the process itself refuses, by name: who asks, how it is asked, and whether it can be served.

The rules of the books are refused by `ledger.errors`, those of the log by `audit.errors`. A message
here says what is wrong with the request or the process; `values` go back to the caller only.
"""

from __future__ import annotations

import re
from typing import ClassVar

__all__ = [
    "ApiError",
    "BodyMissingError",
    "BodyTooLargeError",
    "DataDirMissingError",
    "DatabaseRefusedError",
    "DatabaseUnavailableError",
    "IdempotencyKeyRequiredError",
    "InternalError",
    "InvalidIdempotencyKeyError",
    "InvalidRequestError",
    "InvalidTokenError",
    "LogKeyMissingError",
    "MethodNotAllowedError",
    "NotFoundError",
    "OutcomeUnknownError",
    "PrivateGrantRequiredError",
    "QueueFullError",
    "StoppingError",
    "TokenOfAnotherGovernmentError",
    "TokenRequiredError",
    "UnknownGovernmentError",
    "UnsafeDataDirError",
]

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


class ApiError(Exception):
    """Base of what the process refuses. `code` is stable; `retry_after` is seconds, or None."""

    code: ClassVar[str] = "api"
    retry_after: ClassVar[int | None] = None

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls.code = _WORD.sub("_", cls.__name__.removesuffix("Error")).lower()

    def __init__(self, message: str, **values: object) -> None:
        super().__init__(message)
        self.message = message
        self.values: dict[str, object] = values


# --- how it is asked -------------------------------------------------------------------------


class InvalidRequestError(ApiError):
    """The request has not the shape that the route asks for."""

    def __init__(self, *, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}", field=field, rule=rule)


class BodyTooLargeError(ApiError):
    """The body is longer than this server reads."""

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"a body has at most {limit} bytes", limit=limit)


class BodyMissingError(ApiError):
    """The route needs a JSON body and none was sent whole."""

    def __init__(self) -> None:
        super().__init__("the body ended before it was complete")


class IdempotencyKeyRequiredError(ApiError):
    """Every request that changes the books carries a key, so that it can be repeated safely."""

    def __init__(self) -> None:
        super().__init__("the header Idempotency-Key is required")


class InvalidIdempotencyKeyError(ApiError):
    """A key is 1 to 128 letters, digits, points, colons, dashes, underlines or slashes."""

    def __init__(self) -> None:
        super().__init__(
            "Idempotency-Key takes 1 to 128 of A-Z a-z 0-9 . : / _ -",
        )


class NotFoundError(ApiError):
    """There is nothing at this address."""

    def __init__(self) -> None:
        super().__init__("there is nothing at this address")


class MethodNotAllowedError(ApiError):
    """The address exists, but not for this method."""

    def __init__(self) -> None:
        super().__init__("this address does not take this method")


class UnknownGovernmentError(ApiError):
    """No book is kept for this government here."""

    def __init__(self, *, government: str) -> None:
        super().__init__(
            f"no book is kept for government {government[:20]} here", government=government[:20]
        )


# --- who asks --------------------------------------------------------------------------------


class TokenRequiredError(ApiError):
    """The route needs a bearer token."""

    def __init__(self) -> None:
        super().__init__("the header Authorization: Bearer TOKEN is required")


class InvalidTokenError(ApiError):
    """The token is not known, has expired or was revoked."""

    def __init__(self) -> None:
        super().__init__("the token is not known, has expired or was revoked")


class TokenOfAnotherGovernmentError(ApiError):
    """A token opens the book of the one government that it was issued in."""

    def __init__(self, *, government: str) -> None:
        super().__init__(
            f"the token was not issued in government {government}", government=government
        )


class PrivateGrantRequiredError(ApiError):
    """Reading this needs a grant that the person does not hold today."""

    def __init__(self, *, person: str, roles: list[str]) -> None:
        super().__init__(
            f"{person} holds none of the roles {', '.join(roles)} today", person=person, roles=roles
        )


# --- whether it can be served ----------------------------------------------------------------


class QueueFullError(ApiError):
    """More acts wait than this server promises to write soon; nothing of this one was done."""

    retry_after = 1

    def __init__(self, *, waiting: int) -> None:
        super().__init__(f"{waiting} acts are waiting to be written", waiting=waiting)


class StoppingError(ApiError):
    """The server is stopping and takes nothing new; nothing of this request was done."""

    retry_after = 5

    def __init__(self) -> None:
        super().__init__("the server is stopping")


class OutcomeUnknownError(ApiError):
    """The database did not say whether it kept the act. Repeat the request with the same key."""

    retry_after = 2

    def __init__(self) -> None:
        super().__init__(
            "whether the act was kept is not known yet; repeat the request with the same key"
        )


class DatabaseUnavailableError(ApiError):
    """The database can't be reached or is busy; nothing of this request was done."""

    retry_after = 2

    def __init__(self) -> None:
        super().__init__("the database is not available; nothing was done")


class DatabaseRefusedError(ApiError):
    """The database held a rule that the code had let pass; nothing of this request was done."""

    def __init__(self, *, rule: str) -> None:
        super().__init__(f"the database refused the act by its rule {rule}", rule=rule)


class InternalError(ApiError):
    """A fault of this program; nothing of this request was done."""

    def __init__(self) -> None:
        super().__init__("a fault of the program; nothing was done")


class LogKeyMissingError(ApiError):
    """The log's key does not lie in the key directory, so nothing can be signed here."""

    def __init__(self, *, government: str) -> None:
        super().__init__(
            f"there is no log key of government {government} in the key directory",
            government=government,
        )


class DataDirMissingError(ApiError):
    """No book is kept at this place; `rkud init` makes one."""

    def __init__(self, *, path: str) -> None:
        super().__init__(f"there is no book at {path}; rkud init makes one", path=path)


class UnsafeDataDirError(ApiError):
    """The data directory, or a file in it, is open to others or not on a disk of this machine."""

    def __init__(self, *, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}", path=path, reason=reason)
