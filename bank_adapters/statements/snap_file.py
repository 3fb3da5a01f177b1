"""
The pages of one pull over SNAP as one file: what was asked, then each answer byte for byte. Pure.

    RKUD SNAP 14 version 1
    bank 137
    account 0012345678
    days 2026-03-05 2026-03-06
    page 1 2345
    (2345 bytes of an answer, and a line feed)
    page 2 1718
    (1718 bytes, and a line feed)
    end 2

Lines end with a line feed alone. It says nothing that was not asked or answered, so the same answers
to the same question make the same file. The days are whole days of the banks' clock (WIB).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, timezone
from typing import Final, NamedTuple

from bank_adapters.errors import shown
from bank_adapters.snap.errors import (
    StatementPeriodError,
    UnreadableAnswerError,
    UnreadablePullError,
)
from bank_adapters.statements.snap import FORMAT, Window, join_pages
from bank_adapters.statements.snap_rows import Page, read_page
from bank_adapters.statements.statement import Statement, Warning_

__all__ = ["FORMAT", "Pull", "claims", "parse_pull", "read_pull", "window_of", "write_pull"]

_MAGIC: Final = b"RKUD SNAP 14 version 1\n"
_HEAD: Final = re.compile(
    rb"bank ([0-9]{3})\naccount ([0-9]{4,16})\n"
    rb"days ([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{4}-[0-9]{2}-[0-9]{2})\n"
)
_PAGE: Final = re.compile(rb"page ([1-9][0-9]{0,5}) ([1-9][0-9]{0,9})\n")
_WIB: Final = timezone(timedelta(hours=7))


@dataclass(frozen=True, slots=True)
class Pull:
    """What a bank was asked for, and its answers in the order of the questions."""

    bank: str
    account: str
    first: date
    last: date
    pages: Sequence[bytes]


class _Head(NamedTuple):
    bank: str
    account: str
    first: date
    last: date
    length: int


def window_of(first: date, last: date, *, today: date, days_back: int = 0) -> Window:
    """
    From the first second of one day to the last second of another, in Jakarta.

    days_back: how many days before *today* the bank still tells of; 0: no limit is known. Raises
    StatementPeriodError.
    """
    if last < first:
        raise StatementPeriodError(first, last, "the last day is before the first")
    if last > today:
        raise StatementPeriodError(first, last, f"{last} has not come; today is {today}")
    if days_back and first < today - timedelta(days=days_back):
        since = today - timedelta(days=days_back)
        raise StatementPeriodError(first, last, f"the bank tells of days since {since}")
    return (
        datetime.combine(first, time(), _WIB),
        datetime.combine(last, time(23, 59, 59), _WIB),
    )


def write_pull(pull: Pull) -> bytes:
    """The bytes of the file."""
    parts = [
        _MAGIC,
        f"bank {pull.bank}\naccount {pull.account}\n".encode(),
        f"days {pull.first.isoformat()} {pull.last.isoformat()}\n".encode(),
    ]
    for number, page in enumerate(pull.pages, 1):
        parts += [f"page {number} {len(page)}\n".encode(), page, b"\n"]
    parts.append(f"end {len(pull.pages)}\n".encode())
    return b"".join(parts)


def claims(data: bytes) -> bool:
    """Whether the bytes say that they are such a file."""
    return data.startswith(_MAGIC)


def parse_pull(data: bytes) -> Pull:
    """The file taken apart again. Raises UnreadablePullError with the line."""
    head = _head(data)
    pages: list[bytes] = []
    at = head.length
    while found := _PAGE.match(data, at):
        start = found.end()
        at = start + int(found[2])
        if int(found[1]) != len(pages) + 1:
            raise _refused(data, found.start(), f"is not the head of page {len(pages) + 1}")
        if data[at : at + 1] != b"\n":
            raise _refused(data, found.start(), "names a length that its page does not have")
        pages.append(data[start:at])
        at += 1
    if not pages or data[at:] != f"end {len(pages)}\n".encode():
        raise _refused(data, at, f"is neither page {len(pages) + 1} nor the end of the file")
    return Pull(head.bank, head.account, head.first, head.last, tuple(pages))


def read_pull(data: bytes) -> tuple[list[Statement], list[Warning_]]:
    """
    The statement of such a file. Raises UnreadablePullError, UnreadableAnswerError.

    All pages must be there and of this account. The first holds nothing but what was asked for; what
    others repeat of other days is left out, and told.
    """
    pull = parse_pull(data)
    pages = [read_page(body, number) for number, body in enumerate(pull.pages, 1)]
    for number, page in enumerate(pages, 1):
        _check_page(pull, page, number)
    statement, warnings = join_pages(
        pages,
        account=pull.account,
        bank=pull.bank,
        is_asked=lambda row: pull.first <= row.when.astimezone(_WIB).date() <= pull.last,
    )
    return [replace(statement, covers=(pull.first, pull.last))], warnings


def _head(data: bytes) -> _Head:
    if not claims(data):
        raise UnreadablePullError("does not begin a pulled statement", position=1)
    found = _HEAD.match(data, len(_MAGIC))
    if found is None:
        raise UnreadablePullError("is not bank, account and days, a line each", position=2)
    try:
        first, last = (date.fromisoformat(found[n].decode()) for n in (3, 4))
    except ValueError:
        raise UnreadablePullError("names a day that does not exist", position=4) from None
    if last < first:
        raise UnreadablePullError("names a last day before the first", position=4)
    return _Head(found[1].decode(), found[2].decode(), first, last, found.end())


def _check_page(pull: Pull, page: Page, number: int) -> None:
    if page.account and page.account != pull.account:
        reason = f"is {shown(page.account)}, asked was {pull.account}"
        raise UnreadableAnswerError("14", "accountNo", reason, page=number)
    if page.has_more != (number < len(pull.pages)):
        said = "says that there is more" if page.has_more else "ends the statement"
        reason = f"{said}, and the file has {len(pull.pages)} pages"
        raise UnreadableAnswerError("14", "hasMore", reason, page=number)
    for place, row in enumerate(page.rows if number == 1 else (), 1):
        if not pull.first <= row.when.astimezone(_WIB).date() <= pull.last:
            reason = f"{row.when.isoformat()} is not of {pull.first} to {pull.last}, the days asked"
            raise UnreadableAnswerError("14", f"detailData {place}", reason, page=number)


def _refused(data: bytes, at: int, reason: str) -> UnreadablePullError:
    return UnreadablePullError(reason, position=data.count(b"\n", 0, at) + 1)
