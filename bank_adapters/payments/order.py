"""
A payment as a bank is asked for it, and what the bank's word on it means for the money.

Pure. The meanings are few because the money rules are few (bank notes 1.6): what isn't plainly done
or plainly refused is not known, whatever its words were.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from ledger.money import Money

__all__ = ["MEANINGS", "RAILS", "BankAnswer", "Meaning", "PaymentOrder", "Rail"]

Rail = Literal["intrabank", "bifast", "online", "skn", "rtgs"]
RAILS: Final[tuple[Rail, ...]] = ("intrabank", "bifast", "online", "skn", "rtgs")

#: done: executed, for this reference and this amount. pending: taken in, not executed yet. refused:
#: not executed and never will be under this reference. returned: executed, and the money came back.
#: retry: nothing was executed, the same reference may be sent again. duplicate: the bank holds this
#: reference already, so it is asked, never sent again. not_found: the bank doesn't know the
#: reference, which soon after a call proves nothing. unknown: everything else. conflict: the bank
#: speaks of another amount or another order; a person decides.
Meaning = Literal[
    "done",
    "pending",
    "refused",
    "returned",
    "retry",
    "duplicate",
    "not_found",
    "unknown",
    "conflict",
]
MEANINGS: Final[tuple[Meaning, ...]] = (
    "done",
    "pending",
    "refused",
    "returned",
    "retry",
    "duplicate",
    "not_found",
    "unknown",
    "conflict",
)


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """
    One transfer. `reference` is ours, at most 30 characters, unique for ever: the bank's
    partnerReferenceNo, EndToEndId or customer reference.

    source_account: the RKUD's number without its bank code. beneficiary_bank: three digits.
    remark: what the payee reads, at most 50 characters.
    """

    reference: str
    amount: Money
    source_account: str
    beneficiary_bank: str
    beneficiary_account: str
    beneficiary_name: str
    remark: str
    rail: Rail
    transfer_on: date


@dataclass(frozen=True, slots=True)
class BankAnswer:
    """
    What came back from one call, and what it means.

    http_status: 0 where no answer came. code: the bank's own (SNAP: 7 digits), "" if none.
    bank_reference: the bank's reference of the transfer. body: the exact bytes received; evidence.
    retry_after: seconds to wait before anything is asked or sent again, 0 where the bank said none.
    """

    meaning: Meaning
    http_status: int = 0
    code: str = ""
    message: str = ""
    bank_reference: str = ""
    body: bytes = b""
    retry_after: int = 0
