"""
Pages of SNAP's service 14 to one statement (bank notes 1.5). Pure: pages in, a statement out.

Paging goes by time, to the second, so pages overlap: the last second of a page is read again. Rows
are told apart by occurrence: of equal rows, as many are kept as the page with the most of them has.
As a row's time is part of what it is told apart by, and one of the pages has its second whole, true
twins stay. What can be proved is: opening + entries = closing, each row's balance, the page's sums.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from bank_adapters.errors import shown
from bank_adapters.snap.errors import UnreadableAnswerError
from bank_adapters.statements.amounts import units_text
from bank_adapters.statements.snap_rows import CORRECTION, Figure, Page, Row, read_page
from bank_adapters.statements.statement import (
    Balance,
    Statement,
    StatementFile,
    StatementLine,
    Warning_,
    check_sum,
)

__all__ = ["FORMAT", "Window", "join_pages", "next_window", "read_page", "read_snap_pages"]

FORMAT: Final = "snap"
Window = tuple[datetime, datetime]

_DECIMALS: Final = 2


def next_window(page: Page, window: Window, number: int, *, overlap_seconds: int) -> Window:
    """
    What to ask for after a page that says there is more: from (of pages that go back in time, to)
    its last record, and a little of what is known. Never from beyond the page's last row, whatever
    the bank says: what lies between would be lost, and a page could come again for ever. Raises
    UnreadableAnswerError where that would be the same page again.
    """
    start, end = window
    if not page.rows:
        reason = "says that there is more, and the page has no rows"
        raise UnreadableAnswerError("14", "hasMore", reason, page=number)
    last = page.rows[-1].when
    backwards = page.rows[0].when > last
    said = page.last_record or last
    for reached in (max(said, last) if backwards else min(said, last), last):
        for seconds in (overlap_seconds, 0):
            overlap = timedelta(seconds=seconds)
            if backwards and start <= reached + overlap < end:
                return start, reached + overlap
            if not backwards and start < reached - overlap <= end:
                return reached - overlap, end
    reason = f"{last.isoformat()} does not move on; more rows in one second than a page holds"
    raise UnreadableAnswerError("14", "lastRecordDateTime", reason, page=number)


def read_snap_pages(
    pages: Sequence[bytes], *, account: str | None = None, bank: str | None = None
) -> StatementFile:
    """
    The statement that *pages* (bodies in the order they were asked for) make together.

    `file_sha256` is that of the bodies one after the other. Raises UnreadableAnswerError.
    """
    statement, warnings = join_pages(
        [read_page(body, n) for n, body in enumerate(pages, 1)], account=account, bank=bank
    )
    digest = hashlib.sha256(b"".join(pages)).hexdigest()
    return StatementFile(digest, FORMAT, (statement,), tuple(warnings))


def join_pages(
    read: Sequence[Page],
    *,
    account: str | None,
    bank: str | None,
    is_asked: Callable[[Row], bool] = lambda _: True,
) -> tuple[Statement, list[Warning_]]:
    """
    The statement that pages in the order they were asked for make together.

    is_asked: whether a row is of the time that was asked for. One that is not was repeated by a later
    page too generously: it is left out, and told.
    """
    warnings: list[Warning_] = []
    rows, newest_first = _in_order(_joined(read, is_asked, warnings), warnings)
    ordered = list(reversed(read)) if newest_first else read
    lines = tuple(_line(n, row, warnings) for n, row in enumerate(rows, 1))
    opening = _balance(next((p.opening for p in ordered[:1]), None))
    closing = _balance(next((p.closing for p in ordered[-1:]), None))
    _check_balances(rows, opening, warnings)
    _check_totals(read, rows, warnings)
    total = sum(row.units for row in rows)
    adds_up = check_sum(opening, total, closing, _DECIMALS, warnings)
    if adds_up is None and not any(row.end_units is not None for row in rows):
        message = "the bank gives no balances; nothing proves that all entries are here"
        warnings.append(Warning_("no_balance_proof", None, message))
    if any(each.code == "balance_chain_broken" for each in warnings):
        adds_up = False
    statement = Statement(
        bank=bank,
        account=account,
        currency="IDR",
        decimals=_DECIMALS,
        statement_no=None,
        page=None,
        kind="intraday",
        opening=opening,
        closing=closing,
        adds_up=adds_up,
        lines=lines,
        opening_is_start=True,
    )
    return statement, warnings


def _joined(
    pages: Sequence[Page], is_asked: Callable[[Row], bool], warnings: list[Warning_]
) -> list[Row]:
    """All rows in the pages' order, each as often as the page that has it most often."""
    joined: list[Row] = []
    kept: Counter[tuple[object, ...]] = Counter()
    for number, page in enumerate(pages, 1):
        here: Counter[tuple[object, ...]] = Counter()
        rows = [row for row in page.rows if is_asked(row)]
        if others := len(page.rows) - len(rows):
            message = f"page {number} has {others} rows of days that were not asked for; left out"
            warnings.append(Warning_("outside_period", None, message))
        for row in rows:
            key = row.key
            here[key] += 1
            if here[key] > kept[key]:
                kept[key] += 1
                joined.append(row)
    return joined


def _in_order(rows: list[Row], warnings: list[Warning_]) -> tuple[list[Row], bool]:
    """The rows oldest first, and whether the bank gave them newest first."""
    times = [(a.when, b.when) for a, b in pairwise(rows)]
    forward, back = all(a <= b for a, b in times), all(a >= b for a, b in times)
    if forward and back and len(rows) > 1:
        return _by_balance(rows, warnings)
    if forward:
        return rows, False
    if back:
        return rows[::-1], True
    message = "the rows are neither oldest nor newest first; they are put in order by their time"
    warnings.append(Warning_("order_undetermined", None, message))
    return sorted(rows, key=lambda row: row.when), False


def _by_balance(rows: list[Row], warnings: list[Warning_]) -> tuple[list[Row], bool]:
    """Rows of one second: the order in which each balance follows from the one before."""
    if _chains(rows):
        return rows, False
    if _chains(rows[::-1]):
        return rows[::-1], True
    if any(row.end_units is not None for row in rows):
        message = "rows of one second, and their balances follow neither way"
        warnings.append(Warning_("order_undetermined", None, message))
    return rows, False


def _chains(rows: Sequence[Row]) -> bool:
    return all(
        a.end_units is not None and b.end_units == a.end_units + b.units for a, b in pairwise(rows)
    )


def _line(n: int, row: Row, warnings: list[Warning_]) -> StatementLine:
    correction = row.status in CORRECTION
    if row.status not in {"", "SUCCESS"} and not correction:
        message = f"row {n} has status {shown(row.status)}, which the standard doesn't know"
        warnings.append(Warning_("unknown_status", n, message))
    if not row.units:
        warnings.append(Warning_("zero_amount", n, f"row {n} moves nothing"))
    return StatementLine(
        position=n,
        booked_on=row.when.date(),
        value_on=None,
        entry_on=None,
        booked_time=row.when.timetz().replace(tzinfo=None),
        amount_units=row.units,
        balance_after_units=row.end_units,
        reversal=correction,
        status="booked",
        bank_reference=row.transaction_id or None,
        reference=None,
        counterparty=None,
        narrative=row.remark,
        transaction_code=None if row.status in {"", "SUCCESS"} else row.status,
        sub_entries=(),
        raw=row.raw,
    )


def _balance(figure: Figure | None) -> Balance | None:
    if figure is None:
        return None
    return Balance(figure.units, None if figure.when is None else figure.when.date())


def _check_balances(rows: Sequence[Row], opening: Balance | None, warnings: list[Warning_]) -> None:
    """Each row's balance against the one before it, and against its own start."""
    running = None if opening is None else opening.units
    for n, row in enumerate(rows, 1):
        for what, before, printed in (
            ("opens with", running, row.start_units),
            ("closes with", _plus(running, row.units), row.end_units),
            ("closes with", _plus(row.start_units, row.units), row.end_units),
        ):
            if before is not None and printed is not None and before != printed:
                found, made = units_text(printed, _DECIMALS), units_text(before, _DECIMALS)
                message = f"row {n} {what} {found}, the rows make it {made}"
                warnings.append(Warning_("balance_chain_broken", n, message))
                break
        running = row.end_units if row.end_units is not None else _plus(running, row.units)


def _plus(units: int | None, moved: int) -> int | None:
    return None if units is None else units + moved


def _check_totals(pages: Sequence[Page], rows: Sequence[Row], warnings: list[Warning_]) -> None:
    """A page's sums are of the page or of the whole range; they must be right for one of them."""
    whole = {sign: _sum(rows, sign) for sign in (1, -1)}
    for number, page in enumerate(pages, 1):
        for sign, name in ((1, "totalCreditEntries"), (-1, "totalDebitEntries")):
            said = page.totals[sign]
            if any(_agrees(said, made) for made in (whole[sign], _sum(page.rows, sign))):
                continue
            count, units = whole[sign]
            message = (
                f"{name} of page {number} says {said.entries} entries and "
                f"{'nothing' if said.units is None else units_text(said.units, _DECIMALS)}; "
                f"the rows are {count} and {units_text(units, _DECIMALS)}"
            )
            warnings.append(Warning_("summary_differs", None, message))


def _sum(rows: Sequence[Row], sign: int) -> tuple[int, int]:
    found = [abs(row.units) for row in rows if row.units * sign > 0]
    return len(found), sum(found)


def _agrees(said: tuple[int | None, int | None], made: tuple[int, int]) -> bool:
    return all(a is None or a == b for a, b in zip(said, made, strict=True))
