"""
The next morning: what the bank did otherwise yesterday is booked, matched by hand, or paid again.

A fee and interest are booked, an unknown credit goes to suspense; a rejection cancels itself out. A
double debit waits for the bank's correction, which the next run explains with it. Payees whose money
came back are paid again to a corrected account.
"""

from __future__ import annotations

from typing import Any, Final

from api.demo.client import Api
from api.demo.evening import Evening, Finding, Item, findings_of
from api.demo.office import Office
from api.demo.report import Report
from ledger.money import parse_sen

__all__ = ["settle_yesterday"]

_REASONS: Final = {
    "rejection": "Tolakan bank: dibukukan keluar dan kembali",
}
_INTEREST: Final = {"lo_account": "7.1.04.05.01.0001", "lra_account": "4.1.04.05.01.0001"}


async def settle_yesterday(api: Api, office: Office, evening: Evening, report: Report) -> int:
    """Act on yesterday's findings; what is to be paid again today, in sen."""
    done: list[str] = []
    for finding in findings_of(evening):
        if finding.name in ("bank_charge", "bank_interest", "unknown_credit"):
            await _book(api, office, finding, finding.items[0])
            done.append(finding.name.replace("_", " "))
        elif finding.name in _REASONS:
            await _match(api, office, finding)
            done.append(finding.name)
    again = 0
    for payment in (*evening.rejected, *evening.returned):
        await _pay_again(api, office, payment.reference)
        again += parse_sen(payment.amount)
    report.step(
        "settled",
        f"yesterday's {', '.join(done)}; {len(evening.rejected) + len(evening.returned)} payments"
        " prepared again",
    )
    return again


async def _book(api: Api, office: Office, finding: Finding, item: Item) -> None:
    """Dated when the bank did it: the bank's reference makes the next run find it."""
    token = office.token("penerimaan")
    common: dict[str, Any] = {
        "reference": f"BANK/{item.reference}",
        "effective_on": item.day,
        "bank_reference": item.reference,
    }
    if finding.name == "bank_charge":
        await api.post(token, "/bank-fees", {**common, "amount": item.amount.removeprefix("-")})
        return
    kind = "interest" if finding.name == "bank_interest" else "unidentified"
    accounts = _INTEREST if kind == "interest" else {"lo_account": "", "lra_account": ""}
    lines = [{**accounts, "amount": item.amount}]
    await api.post(token, "/receipts", {**common, "kind": kind, "lines": lines})


async def _match(api: Api, office: Office, finding: Finding) -> None:
    """By hand, by two reconcilers: even to the sen, or it is refused."""
    lines = [each.id for each in finding.items if each.side == "bank"]
    entries = [each.id for each in finding.items if each.side == "book"]
    body = {"lines": lines, "entries": entries, "reason": _REASONS[finding.name]}
    proposed = await api.post(office.token("rekonsiliasi"), "/matches", body)
    path = f"/proposals/{proposed['proposal']}:confirm"
    await api.post(office.token("rekonsiliasi-2"), path)


async def _pay_again(api: Api, office: Office, reference: str) -> None:
    """The payee gave another account; the payment waits for today's list."""
    token = office.token("operator-sp2d")
    before = await api.get(token, f"/payments/{reference}")
    body = {
        "reason": "Rekening penerima diperbaiki",
        "name": before["texts"][before["name_c"]],
        "bank_code": before["bank_code"],
        "account": before["texts"][before["account_c"]][::-1],
    }
    await api.post(token, f"/payments/{reference}:resend", body)
