"""
Receipts and bank facts: money that came in, and what the bank took by itself.

Rows 19, 22, 23, 24 and 26 of the domain reference's section 5, in both books. They are facts (D8):
the bank did it already, so nothing is refused for cash, budget or release. The pure functions make
the lines; the commands post them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.answers import Idempotency
from ledger.commands import journal_answer
from ledger.documents.bodies import amount_of
from ledger.documents.journals import PPKD, RK_PPKD, RK_SKPD, SAL
from ledger.errors import InvalidFieldError, UnknownBankAccountError
from ledger.journals import Draft, Line, check_text
from ledger.money import parse_sen
from ledger.session import Answer, Session, Wants
from ledger.settings import Settings

__all__ = [
    "RECEIPT_KINDS",
    "BookBankFee",
    "BookReceipt",
    "ReceiptLine",
    "bank_fee_lines",
    "receipt_lines",
]

#: Penerimaan Belum Teridentifikasi: a credit whose reason is not known yet (row 26).
UNIDENTIFIED_ACCOUNT: Final = "2.1.07.98.01.0001"
#: Debits of the bank that it must give back or explain (row 24, not agreed).
BANK_CLAIM_ACCOUNT: Final = "1.1.09.99.01.0001"

#: kind -> (accounts of the financial book, accounts of the budget book) by their beginnings.
RECEIPT_KINDS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "tax": (("7.1.", "1.1.03."), ("4.1.",)),
    "transfer": (("7.2.", "1.1.07."), ("4.2.",)),
    "interest": (("7.1.04.05.", "7.1.04.07."), ("4.1.04.05.", "4.1.04.07.")),
    "unidentified": ((), ()),
}


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """A part of a receipt: what it is in the financial book and in the budget book."""

    lo_account: str
    lra_account: str
    amount: str
    fund_source: str = ""


@dataclass(frozen=True, slots=True)
class BookReceipt:
    """
    Book money that reached the RKUD (role receipts_officer).

    *kind*: tax (direct to the RKUD, through an SKPD), transfer (central, by the PPKD), interest
    (jasa giro), unidentified (one line, both accounts empty). *document_no* is the STS or advice,
    *bank_reference* how the statement names the credit. *reference* is unique for ever.
    """

    by: str
    reference: str
    kind: str
    effective_on: str
    lines: Sequence[ReceiptLine]
    skpd: str = ""
    bank_account: str = ""
    document_no: str = ""
    bank_reference: str = ""
    description: str = ""
    payer_name: str = ""
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """The reference."""
        return Wants(references=(self.reference,))

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        session.settings.require(self.by, "receipts_officer", session.today)
        bank_account = _bank_account(session, self.bank_account)
        check_text("bank_reference", self.bank_reference, most=64)
        check_receipt(self.kind, self.lines, self.skpd, session.settings)
        lines = receipt_lines(
            kind=self.kind,
            lines=self.lines,
            skpd=self.skpd,
            cash_account=session.settings.bank_accounts[bank_account],
            bank_account=bank_account,
            bank_reference=self.bank_reference,
        )
        return journal_answer(
            session,
            session.post(
                Draft(
                    reference=self.reference,
                    effective_on=self.effective_on,
                    kind=f"receipt.{self.kind}",
                    description=self.description or f"Receipt: {self.kind}",
                    lines=lines,
                    maker=self.by,
                    poster=self.by,
                    source="bank",
                    document_no=self.document_no,
                    payee_name=self.payer_name,
                    is_fact=True,
                )
            ),
        )


@dataclass(frozen=True, slots=True)
class BookBankFee:
    """
    Book what the bank took (role receipts_officer).

    With a *budget_line* of the PPKD and an *expense_account* the fee is agreed and budgeted; without
    both it is a claim on the bank until it is explained.
    """

    by: str
    reference: str
    effective_on: str
    amount: str
    bank_account: str = ""
    budget_line: str = ""
    expense_account: str = ""
    bank_reference: str = ""
    description: str = ""
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """The reference and the budget line."""
        lines = (self.budget_line,) if self.budget_line else ()
        return Wants(references=(self.reference,), budget_lines=lines)

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        session.settings.require(self.by, "receipts_officer", session.today)
        bank_account = _bank_account(session, self.bank_account)
        check_text("bank_reference", self.bank_reference, most=64)
        sen = amount_of("amount", self.amount)
        if bool(self.budget_line) != bool(self.expense_account):
            raise InvalidFieldError(
                "expense_account", "goes with a budget line", self.expense_account
            )
        lra_account = fund_source = ""
        if self.budget_line:
            known = session.position.budget_line(self.budget_line, _year(self.effective_on))
            lra_account, fund_source = known.account, known.fund_source
        lines = bank_fee_lines(
            sen=sen,
            cash_account=session.settings.bank_accounts[bank_account],
            bank_account=bank_account,
            bank_reference=self.bank_reference,
            expense_account=self.expense_account,
            lra_account=lra_account,
            budget_line=self.budget_line,
            fund_source=fund_source,
        )
        return journal_answer(
            session,
            session.post(
                Draft(
                    reference=self.reference,
                    effective_on=self.effective_on,
                    kind="bank.fee",
                    description=self.description or "Bank fee",
                    lines=lines,
                    maker=self.by,
                    poster=self.by,
                    source="bank",
                    is_fact=True,
                )
            ),
        )


def check_receipt(kind: str, lines: Sequence[ReceiptLine], skpd: str, settings: Settings) -> None:
    """The kind, its SKPD, and the accounts it may name. Raises InvalidFieldError."""
    if kind not in RECEIPT_KINDS:
        raise InvalidFieldError("kind", f"is one of {', '.join(RECEIPT_KINDS)}", kind[:40])
    if kind == "tax" and settings.entities.get(skpd) != "SKPD":
        raise InvalidFieldError("skpd", "is a known SKPD for kind tax", skpd[:80])
    if kind != "tax" and skpd:
        raise InvalidFieldError("skpd", "is given for kind tax only", skpd[:80])
    most = 1 if kind == "unidentified" else 1_000
    if not 1 <= len(lines) <= most:
        raise InvalidFieldError("lines", f"are 1 to {most}", len(lines))
    lo, lra = RECEIPT_KINDS[kind]
    for n, line in enumerate(lines):
        amount_of(f"lines[{n}].amount", line.amount)
        for name, account, begins in (
            ("lo_account", line.lo_account, lo),
            ("lra_account", line.lra_account, lra),
        ):
            if (not begins and account) or (begins and not account.startswith(begins)):
                rule = f"begins with {' or '.join(begins)}" if begins else "is empty"
                raise InvalidFieldError(f"lines[{n}].{name}", rule, account[:80])


def receipt_lines(
    *,
    kind: str,
    lines: Sequence[ReceiptLine],
    skpd: str,
    cash_account: str,
    bank_account: str,
    bank_reference: str,
) -> list[Line]:
    """Rows 19 (tax), 22 (transfer), 23 (interest) and 26 (unidentified): amounts in sen."""
    total = sum(parse_sen(line.amount) for line in lines)
    cash = Line(PPKD, "FIN", cash_account, total, bank_account, payment_reference=bank_reference)
    if kind == "unidentified":
        return [cash, Line(PPKD, "FIN", UNIDENTIFIED_ACCOUNT, -total)]
    made = [cash]
    owner = PPKD
    if kind == "tax":
        owner = skpd
        made.append(Line(PPKD, "FIN", RK_SKPD, -total, counterpart=skpd))
        made.append(Line(skpd, "FIN", RK_PPKD, total, counterpart=PPKD))
    made += [Line(owner, "FIN", line.lo_account, -parse_sen(line.amount)) for line in lines]
    made.append(Line(owner, "BUD", SAL, total))
    made += [
        Line(owner, "BUD", line.lra_account, -parse_sen(line.amount), fund_source=line.fund_source)
        for line in lines
    ]
    return made


def bank_fee_lines(
    *,
    sen: int,
    cash_account: str,
    bank_account: str,
    bank_reference: str,
    expense_account: str,
    lra_account: str,
    budget_line: str,
    fund_source: str,
) -> list[Line]:
    """Row 24: budgeted when there is a budget line, otherwise a claim on the bank."""
    cash = Line(PPKD, "FIN", cash_account, -sen, bank_account, payment_reference=bank_reference)
    if not budget_line:
        return [Line(PPKD, "FIN", BANK_CLAIM_ACCOUNT, sen), cash]
    return [
        Line(PPKD, "FIN", expense_account, sen),
        cash,
        Line(PPKD, "BUD", lra_account, sen, fund_source=fund_source, budget_line=budget_line),
        Line(PPKD, "BUD", SAL, -sen),
    ]


def _bank_account(session: Session, bank_account: str) -> str:
    bank_account = bank_account or session.settings.only_bank_account()
    if bank_account not in session.settings.bank_accounts:
        raise UnknownBankAccountError(bank_account=bank_account[:80])
    return bank_account


def _year(day: str) -> int:
    return int(day[:4]) if day[:4].isascii() and day[:4].isdigit() else 0
