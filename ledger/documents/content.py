"""
What a document says: canonical JSON over commitments, and its revision.

Personal texts (names, accounts, tax numbers, purposes) never stand in it, only their commitments
(D14); an officer who signs the revision has signed those too. The bytes are kept as they are, and
every row of the document's tables is a function of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from audit.canonical import canonical_fast
from ledger.money import parse_sen, sen_text

__all__ = [
    "PAYEES_MAX",
    "AdviceContent",
    "AdviceRow",
    "Claim",
    "Content",
    "Deduction",
    "Payee",
    "SpendingLine",
    "line_totals",
    "packed",
    "read_advice",
    "read_content",
    "revision_of",
    "totals_text",
]

#: A journal has at most 10,000 lines, one of them per payee.
PAYEES_MAX: Final = 5_000


class SpendingLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line: what budget it takes and where the books put it."""

    budget_line: str
    expense_account: str
    amount: str

    @property
    def amount_sen(self) -> int:
        """In sen."""
        return parse_sen(self.amount)


class Deduction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Withheld for somebody else (PFK); `reduces_payment` is false for information only."""

    account: str
    amount: str
    reduces_payment: bool
    billing: str

    @property
    def amount_sen(self) -> int:
        """In sen."""
        return parse_sen(self.amount)


class Payee(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A recipient. name, account and npwp are commitments (npwp may be empty)."""

    subject: str
    name: str
    bank_code: str
    account: str
    npwp: str
    gross: str
    deduction: str

    @property
    def gross_sen(self) -> int:
        """In sen."""
        return parse_sen(self.gross)

    @property
    def deduction_sen(self) -> int:
        """In sen."""
        return parse_sen(self.deduction)

    @property
    def net_sen(self) -> int:
        """What the bank is told to pay, in sen."""
        return self.gross_sen - self.deduction_sen

    def digest(self) -> str:
        """What an officer's statement names: a commitment to everything about this payee."""
        return hashlib.sha256(
            canonical_fast(
                [self.name, self.bank_code, self.account, self.npwp, self.gross, self.deduction]
            )
        ).hexdigest()


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A hand that signed elsewhere, as claimed. name and nip are commitments."""

    role: str
    name: str
    nip: str
    on: str


class Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Version 1 of an SPM or an SP2D. `parent` is the SPM of an SP2D, with its revision."""

    version: int
    kind: str
    origin: str
    fiscal_year: int
    skpd: str
    payment_kind: str
    bank_account: str
    dated_on: str
    external_number: str
    parent: str
    parent_revision: str
    purpose: str
    evidence_sha256: str
    claims: tuple[Claim, ...]
    lines: tuple[SpendingLine, ...]
    deductions: tuple[Deduction, ...]
    payees: tuple[Payee, ...]

    @property
    def gross_sen(self) -> int:
        """Sum of the lines: what the budget is charged."""
        return sum(line.amount_sen for line in self.lines)

    @property
    def deduction_sen(self) -> int:
        """Sum of the deductions that reduce the payment."""
        return sum(d.amount_sen for d in self.deductions if d.reduces_payment)

    @property
    def net_sen(self) -> int:
        """What leaves the RKUD."""
        return self.gross_sen - self.deduction_sen


class AdviceRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One payment in a list. name and account are commitments."""

    payment: str
    sp2d: str
    sp2d_number: str
    sp2d_date: str
    skpd: str
    name: str
    bank_code: str
    account: str
    gross: str
    deduction: str
    net: str

    @property
    def net_sen(self) -> int:
        """In sen."""
        return parse_sen(self.net)

    def digest(self) -> str:
        """What an officer's statement names."""
        return hashlib.sha256(
            canonical_fast([self.payment, self.name, self.bank_code, self.account, self.net])
        ).hexdigest()


class AdviceContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    Version 1 of an advice list.

    `file_sha256` is over the exact bytes for the bank. They show private texts, so they also hold
    a random salt (its commitment is `file_salt`): once that is erased the digest says nothing.
    """

    version: int
    kind: str
    fiscal_year: int
    number: str
    bank_account: str
    dated_on: str
    transfer_on: str
    file_salt: str
    file_sha256: str
    rows: tuple[AdviceRow, ...]

    @property
    def net_sen(self) -> int:
        """What the bank is told to pay in all, in sen."""
        return sum(row.net_sen for row in self.rows)


def packed(content: Content | AdviceContent) -> bytes:
    """The canonical bytes (RFC 8785)."""
    return canonical_fast(msgspec.to_builtins(content))


def revision_of(content: bytes) -> str:
    """SHA-256 of the bytes, 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


_decoder: Final = msgspec.json.Decoder(Content)
_advice_decoder: Final = msgspec.json.Decoder(AdviceContent)


def read_content(data: bytes) -> Content:
    """The content of an SPM or SP2D, as stored. Raises msgspec.DecodeError."""
    return _decoder.decode(data)


def read_advice(data: bytes) -> AdviceContent:
    """The content of an advice list, as stored. Raises msgspec.DecodeError."""
    return _advice_decoder.decode(data)


def line_totals(lines: Sequence[SpendingLine]) -> dict[str, int]:
    """Sen asked of each budget line, in order of first mention."""
    totals: dict[str, int] = {}
    for line in lines:
        totals[line.budget_line] = totals.get(line.budget_line, 0) + line.amount_sen
    return totals


def totals_text(totals: dict[str, int]) -> dict[str, str]:
    """The same as text, for statements and leaves."""
    return {name: sen_text(sen) for name, sen in totals.items()}
