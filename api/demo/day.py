"""
The working day: SPMs become SP2Ds under three more hands, receipts are booked, the list is signed.

Many orders are under way at once, as in an office; the server puts whatever waits into one
transaction. Each SP2D passes six acts of five persons, three of them signed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from api.demo.client import Api
from api.demo.data import Order, Receipt
from api.demo.errors import DemoMismatchError
from api.demo.office import Office, Officer
from audit.keys import create_secret
from ledger.money import parse_sen, sen_text

__all__ = ["Issued", "SignedList", "book_receipts", "issue_orders", "sign_advice_list"]

#: Orders under way at once; more would only wait in the server's queue.
_AT_ONCE: Final = 40


@dataclass(slots=True)
class Issued:
    """What the day has put out so far. Amounts in sen."""

    orders: int = 0
    gross_sen: int = 0
    net_sen: int = 0
    payments: list[str] = field(default_factory=list)

    @property
    def withheld_sen(self) -> int:
        """What was withheld for the state."""
        return self.gross_sen - self.net_sen


@dataclass(frozen=True, slots=True)
class SignedList:
    """The advice list as it goes to the bank."""

    document: str
    number: str
    payments: int
    amount_sen: int
    file_sha256: str
    path: Path


async def issue_orders(
    api: Api, office: Office, orders: Sequence[Order], tick: Callable[[], None]
) -> Issued:
    """All of a day's orders to signed SP2Ds. Raises ApiRefusedError, DemoMismatchError."""
    issued = Issued()

    async def one(order: Order) -> None:
        answer = await _issue(api, office, order)
        issued.orders += 1
        issued.gross_sen += order.gross_sen
        issued.net_sen += order.net_sen
        issued.payments += answer["payments"]
        tick()

    await _some_at_once([one(order) for order in orders])
    return issued


async def _issue(api: Api, office: Office, order: Order) -> Any:
    """SKPD: register and sign the SPM. Treasury: accept, draft, verify, sign."""
    budget_user = office[order.skpd.officer]
    maker, verifier, treasurer = office["operator-sp2d"], office["verifikator"], office["kuasa-bud"]

    async def signed(act: str, document: str, revision: str, person: Officer, role: str) -> Any:
        kind, move = act.split(".")  # spm.sign is POST /spms/{document}:sign
        to_sign = {
            "origin": office.origin,
            "act": act,
            "object": document,
            "revision": revision,
            "line_totals": order.line_totals,
            "payees": registered["payees"],
            "amount": sen_text(order.net_sen),
            "role": role,
            "decision": "approve",
        }
        body = {"envelope": person.envelope(to_sign, office.clock)}
        return await api.post(person.token, f"/{kind}s/{document}:{move}", body)

    registered = await api.post(budget_user.token, "/spms", order.body)
    check_to_sign(registered, order)
    spm, revision = registered["document"], registered["revision"]
    await signed("spm.sign", spm, revision, budget_user, "budget_user")
    await api.post(maker.token, f"/spms/{spm}:accept", {})
    drafted = await api.post(maker.token, "/sp2ds", {"spm": spm})
    sp2d, revision = drafted["document"], drafted["revision"]
    await signed("sp2d.verify", sp2d, revision, verifier, "sp2d_verifier")
    return await signed("sp2d.sign", sp2d, revision, treasurer, "deputy_treasurer")


def check_to_sign(answer: Mapping[str, Any], order: Order) -> None:
    """
    An officer signs what the own papers say, not what a server shows. Raises DemoMismatchError.
    """
    for what, expected, actual in (
        ("amount to sign", sen_text(order.net_sen), answer["amount"]),
        ("lines to sign", order.line_totals, answer["line_totals"]),
        ("payees to sign", order.payees, len(answer["payees"])),
    ):
        if expected != actual:
            raise DemoMismatchError(what=what, expected=str(expected), actual=str(actual))


async def book_receipts(
    api: Api, office: Office, receipts: Sequence[Receipt], tick: Callable[[], None]
) -> int:
    """The day's deposits; their sum in sen."""
    token = office.token("penerimaan")

    async def one(receipt: Receipt) -> None:
        await api.post(token, "/receipts", receipt.body)
        tick()

    await _some_at_once([one(receipt) for receipt in receipts])
    return sum(receipt.amount_sen for receipt in receipts)


async def sign_advice_list(api: Api, office: Office, desk: Path, expected_sen: int) -> SignedList:
    """
    Every payment that waits, in one list, signed by two officers and written to a file.

    Raises:
        DemoMismatchError: The list is not worth what was issued.
    """
    maker, verifier, treasurer = office["operator-sp2d"], office["verifikator"], office["kuasa-bud"]
    drafted = await api.post(maker.token, "/advice-lists", {})
    document = drafted["document"]
    if parse_sen(drafted["amount"]) != expected_sen:
        raise DemoMismatchError(
            what="advice list", expected=sen_text(expected_sen), actual=drafted["amount"]
        )
    for officer, move in ((verifier, "verify"), (treasurer, "sign")):
        to_sign = await api.get(
            officer.token, f"/documents/{document}/to-sign", act=f"advice_list.{move}"
        )
        if to_sign["amount"] != drafted["amount"]:
            raise DemoMismatchError(
                what="list to sign", expected=drafted["amount"], actual=to_sign["amount"]
            )
        body = {"envelope": officer.envelope(to_sign, office.clock)}
        signed = await api.post(officer.token, f"/advice-lists/{document}:{move}", body)
    package = await api.get_bytes(maker.token, f"/advice-lists/{document}/package")
    path = desk / f"{document}.json"
    create_secret(path, package)
    await api.post(
        treasurer.token,
        f"/advice-lists/{document}:send",
        {"file_sha256": signed["file_sha256"]},
    )
    return SignedList(
        document,
        signed["number"],
        drafted["payments"],
        expected_sen,
        sha256(package).hexdigest(),
        path,
    )


async def _some_at_once(works: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run all, a bounded number at a time; the first failure ends the rest."""
    waiting = list(reversed(works))

    async def worker() -> None:
        while waiting:
            await waiting.pop()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(_AT_ONCE, len(works))):
                group.create_task(worker())
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    finally:
        for unstarted in waiting:
            unstarted.close()
