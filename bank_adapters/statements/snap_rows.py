"""
One page of SNAP's service 14, read strictly (bank notes 1.5). Pure.

`detailData` rows carry an amount, a direction and a time to the second; an id and a balance only
where the bank likes. BCA writes a row's balance as `endAmount` directly and pages without `hasMore`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Final, NamedTuple

import msgspec

from bank_adapters.errors import shown
from bank_adapters.snap.errors import UnreadableAnswerError
from bank_adapters.snap.replies import MisfitError, read_amount, read_object, text_of

__all__ = ["CORRECTION", "Figure", "Page", "Row", "Total", "read_page"]

#: Spelt so by the standard; a bank may learn to spell.
CORRECTION: Final = frozenset({"ERROR CORECTION", "ERROR CORRECTION"})

_WIB: Final = timezone(timedelta(hours=7))
_WHEN: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
)
_YEARS: Final = (1990, 2200)
_COUNT: Final = re.compile(r"[0-9]{1,9}")
_SIGNS: Final = {"CREDIT": 1, "DEBIT": -1}


class Row(NamedTuple):
    """One entry. `units` are signed sen; balances None where the bank gives none."""

    when: datetime
    units: int
    remark: str
    transaction_id: str
    status: str
    start_units: int | None
    end_units: int | None
    raw: str

    @property
    def key(self) -> tuple[object, ...]:
        """What a row is told apart by; true twins share it, so it is counted and never "seen"."""
        return (self.transaction_id, self.when, self.units, self.remark, self.end_units)


class Figure(NamedTuple):
    """A balance of the account at a time."""

    units: int
    when: datetime | None


class Total(NamedTuple):
    """What a page says of all its entries in one direction; None where it says nothing."""

    entries: int | None
    units: int | None


class Page(NamedTuple):
    """A page in the bank's order. account: as the bank repeats it, "" where it doesn't."""

    rows: tuple[Row, ...]
    opening: Figure | None
    closing: Figure | None
    totals: Mapping[int, Total]
    has_more: bool
    last_record: datetime | None
    account: str


class _Slices(msgspec.Struct):
    detailData: list[msgspec.Raw] | None = None  # noqa: N815  # the standard's spelling


def read_page(body: bytes, page: int) -> Page:
    """Page number *page* (from 1). Raises UnreadableAnswerError with page, field and reason."""
    field = ""
    try:
        reply = read_object(body)
        field = "balance"
        opening, closing = _balances(reply.get("balance"))
        totals: dict[int, Total] = {}
        for field, sign in (("totalCreditEntries", 1), ("totalDebitEntries", -1)):
            totals[sign] = _total(reply.get(field))
        field = "hasMore"
        has_more = _yes(text_of(reply, field))
        field = "lastRecordDateTime"
        last = text_of(reply, field)
        last_record = _when(last) if last else None
        field = "accountNo"
        account = text_of(reply, field)
        field = "detailData"
        rows: list[Row] = []
        for n, (each, raw) in enumerate(_listed(reply.get(field), body), 1):
            field = f"detailData {n}"
            rows.append(_row(each, bytes(raw).decode()))
    except MisfitError as error:
        raise UnreadableAnswerError("14", field, str(error), page=page) from None
    return Page(tuple(rows), opening, closing, totals, has_more, last_record, account)


def _yes(text: str) -> bool:
    """BCA's pages say nothing: there is no more."""
    if text not in {"Y", "N", ""}:
        raise MisfitError(f"is {shown(text)}, neither Y nor N")
    return text == "Y"


def _listed(listed: object, body: bytes) -> Iterator[tuple[object, msgspec.Raw]]:
    """Each row with the very bytes that it was read from."""
    if listed is None:
        return iter(())
    if not isinstance(listed, list):
        raise MisfitError("is no list")
    raws = msgspec.json.decode(body, type=_Slices).detailData or []
    return zip(listed, raws, strict=True)


def _row(each: object, raw: str) -> Row:
    if not isinstance(each, dict):
        raise MisfitError("is no object")
    kind = text_of(each, "type")
    sign = _SIGNS.get(kind)
    if sign is None:
        raise MisfitError(f"type {shown(kind)} is neither CREDIT nor DEBIT")
    amount = read_amount(each.get("amount"))
    if amount is None or amount.sen < 0:
        raise MisfitError("amount is missing" if amount is None else f"amount {amount} is negative")
    detail = each.get("detailBalance")
    if detail is not None and not isinstance(detail, dict):
        raise MisfitError("detailBalance is no object")
    inside = detail or {}
    return Row(
        when=_when(text_of(each, "transactionDate")),
        units=sign * amount.sen,
        remark=text_of(each, "remark"),
        transaction_id=text_of(each, "transactionId"),
        status=text_of(each, "transactionDetailStatus"),
        start_units=_balance_of(inside.get("startAmount", each.get("startAmount"))),
        end_units=_balance_of(inside.get("endAmount", each.get("endAmount"))),
        raw=raw,
    )


def _balance_of(value: object) -> int | None:
    """A row's balance: an amount, an object that holds one as `amount`, or a list of one such."""
    if isinstance(value, list):
        if len(value) > 1:
            raise MisfitError("a row has several balances")
        value = value[0] if value else None
    if isinstance(value, dict) and "amount" in value:
        value = value["amount"]
    amount = read_amount(value)
    return None if amount is None else amount.sen


def _balances(value: object) -> tuple[Figure | None, Figure | None]:
    if value is None or value == []:
        return None, None
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        raise MisfitError("is no list of one object")
    return _figure(value[0].get("startingBalance")), _figure(value[0].get("endingBalance"))


def _figure(value: object) -> Figure | None:
    amount = read_amount(value)
    if amount is None or not isinstance(value, dict):
        return None
    stamp = text_of(value, "dateTime")
    return Figure(amount.sen, _when(stamp) if stamp else None)


def _total(value: object) -> Total:
    if value is None:
        return Total(None, None)
    if not isinstance(value, dict):
        raise MisfitError("is no object")
    count = value.get("numberOfEntries")
    if isinstance(count, int) and not isinstance(count, bool):
        count = str(count)
    if count is not None and (not isinstance(count, str) or _COUNT.fullmatch(count) is None):
        raise MisfitError("numberOfEntries is no number")
    amount = read_amount(value.get("amount"))
    return Total(None if count is None else int(count), None if amount is None else amount.sen)


def _when(text: str) -> datetime:
    """A time as it is printed; the standard's zone-less form is Jakarta's (WIB)."""
    if _WHEN.fullmatch(text) is None:
        raise MisfitError(f"{shown(text)} is no date and time")
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise MisfitError(f"{shown(text)} is a day or a time that does not exist") from None
    if not _YEARS[0] <= when.year <= _YEARS[1]:
        raise MisfitError(f"{shown(text)} is in no year of this ledger")
    return when if when.tzinfo is not None else when.replace(tzinfo=_WIB)
