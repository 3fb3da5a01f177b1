"""
The evening: the bank's statement comes in, what it says is recorded, the books are held against it.

Nothing of what went wrong at the bank is known here but from its statement and its answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from api.demo.bank import BankAnswer
from api.demo.client import Api
from api.demo.office import Office
from ledger.money import parse_sen

__all__ = ["Evening", "Finding", "Item", "Recorded", "findings_of", "take_in"]

_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Item:
    """An open item as the API lists it. Amounts are text, positive for money into the account."""

    side: str
    id: int
    day: str
    amount: str
    reason: str
    reference: str
    key: str

    @classmethod
    def of(cls, row: dict[str, Any]) -> Item:
        """From a row of `/open-items`."""
        return cls(
            row["side"],
            row["item"],
            row["day"],
            row["amount"],
            row["reason"],
            row["reference"],
            row["key"],
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """Open items that are one story: what happened, and the payment or line that it happened to."""

    name: str
    reference: str
    items: tuple[Item, ...]

    @property
    def amount_sen(self) -> int:
        """Of a rejection the payment; else what the bank has over the books, or they over it."""
        if self.name == "rejection" or len(self.items) == 1:
            return parse_sen(self.items[0].amount)
        bank = sum(parse_sen(each.amount) for each in self.items if each.side == "bank")
        return bank - sum(parse_sen(each.amount) for each in self.items if each.side == "book")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A payment that the bank did not keep: its reference and amount."""

    reference: str
    amount: str


@dataclass(slots=True)
class Evening:
    """What the day's end brought: answers of the API, as they are."""

    statement: dict[str, Any]
    paid: int
    rejected: list[Recorded]
    returned: list[Recorded]
    run: dict[str, Any]
    proof: dict[str, Any]
    position: dict[str, Any]


async def take_in(
    api: Api, office: Office, bank: BankAnswer, day: str, tick: Callable[[], None]
) -> Evening:
    """
    Import, record, reconcile, prove. Raises ApiRefusedError.

    Paid is what the statement shows with reference and amount; rejected is what the bank's answers
    say; returned is a credit of a return that names a payment of ours.
    """
    token = office.token("rekonsiliasi")
    data = bank.statement.read_bytes()
    taken = await api.post_file(token, "/statements", data, params={"name": bank.statement.name})
    seen = (await api.get(token, "/payments-seen"))["payments"]
    paid = [
        (each["payment_reference"], each["booked_on"], each["evidence_sha256"]) for each in seen
    ]
    await _record(api, token, "paid", paid, tick)
    answered = sha256(bank.answers.read_bytes()).hexdigest()
    rejected = [each["reference"] for each in bank.rejections()]
    await _record(api, token, "rejected", [(each, day, answered) for each in rejected], tick)
    returned = [
        (row["pay_key"].removeprefix("pay:"), row["booked_on"], taken["file_sha256"])
        async for row in _open_lines(api, token)
        if row["line_kind"] == "return" and row["pay_key"].startswith("pay:") and _is_retur(row)
    ]
    await _record(api, token, "returned", returned, tick)
    run = await api.post(token, "/reconciliations", {"through": day})
    return Evening(
        statement=taken,
        paid=len(paid),
        rejected=[await _recorded(api, token, each) for each in rejected],
        returned=[await _recorded(api, token, each) for each, *_ in returned],
        run=run,
        proof=await api.get(token, "/open-items", through=day),
        position=await api.get(token, "/cash-position", day=day),
    )


def findings_of(evening: Evening) -> list[Finding]:
    """
    The open items, those of one payment or slip together, each story by its name.

    An officer's reading of what the API lists: two debits of the bank for one payment of ours are a
    double debit; a payment with its own taking back beside it was rejected.
    """
    groups: dict[tuple[str, str], list[Item]] = {}
    for row in evening.proof["items"]:
        item = Item.of(row)
        groups.setdefault((item.key, "" if item.key else f"{item.side}{item.id}"), []).append(item)
    return [
        Finding(_named(items, evening), _reference(items), tuple(items))
        for items in groups.values()
    ]


def _named(group: Sequence[Item], evening: Evening) -> str:
    debits = [each for each in group if each.side == "bank" and each.amount.startswith("-")]
    booked = [each for each in group if each.side == "book"]
    if len(debits) > len([each for each in booked if each.amount.startswith("-")]) and booked:
        return "twin"
    rejected = {each.reference for each in evening.rejected}
    if len(booked) == 2 and not debits and group[0].key.removeprefix("pay:") in rejected:
        return "rejection"
    if debits and len(debits) * 2 == len(group) and not booked:
        return "correction"
    return group[0].reason


def _reference(items: list[Item]) -> str:
    return items[0].key.partition(":")[2] or items[0].reference


def _is_retur(row: dict[str, Any]) -> bool:
    """Money back from another bank; the bank's own corrections carry the reversal mark."""
    return not row["reversal"] and not str(row["amount"]).startswith("-")


async def _recorded(api: Api, token: str, reference: str) -> Recorded:
    return Recorded(reference, (await api.get(token, f"/payments/{reference}"))["amount"])


async def _record(
    api: Api,
    token: str,
    outcome: str,
    facts: Iterable[tuple[str, str, str]],
    tick: Callable[[], None],
) -> None:
    limit = asyncio.Semaphore(40)

    async def one(reference: str, on_day: str, evidence: str) -> None:
        async with limit:
            body = {"outcome": outcome, "on_day": on_day, "evidence_sha256": evidence}
            await api.post(token, f"/payments/{reference}:record", body)
        tick()

    await asyncio.gather(*(one(*fact) for fact in facts))


async def _open_lines(api: Api, token: str) -> Any:
    after: int | None = 0
    while after is not None:
        page = await api.get(token, "/bank-lines", open="true", after=after, limit=_PAGE)
        for row in page["rows"]:
            yield row
        after = page["next"]
