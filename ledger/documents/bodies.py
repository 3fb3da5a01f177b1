"""
An SPM as it is sent: its form, and the rules that need nothing but the text itself.

Pure. Unknown members, floats and wrong types are refused with their place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from ledger.documents.content import PAYEES_MAX
from ledger.documents.errors import PaymentKindNotSupportedError
from ledger.errors import AccountNotPostableError, InvalidFieldError, UnknownAccountError
from ledger.journals import AMOUNT_MAX_SEN, check_day, check_text
from ledger.json_text import read_json_as
from ledger.money import InvalidAmountError, parse_sen, sen_text
from ledger.settings import Account

__all__ = [
    "PAYMENT_KINDS",
    "ClaimBody",
    "DeductionBody",
    "PayeeBody",
    "SpendingLineBody",
    "SpmBody",
    "amount_of",
    "check_accounts",
    "check_claims",
    "check_payee_form",
    "check_sha256",
    "check_spm",
    "parse_spm",
]

#: Kinds of payment whose rules are here (domain reference 3.2); the others are refused by name.
PAYMENT_KINDS: Final = ("LS_GOODS", "LS_SALARY", "LS_PPKD")
LINES_MAX: Final = 1_000
DEDUCTIONS_MAX: Final = 200

_SHA256 = re.compile(r"[0-9a-f]{64}")
_BANK_CODE = re.compile(r"[0-9]{3}")
_BANK_NUMBER = re.compile(r"[0-9]{6,20}")
_NPWP = re.compile(r"[0-9]{15,16}")
_BILLING = re.compile(r"[0-9]{15}")
_WORD = re.compile(r"[a-z][a-z0-9_]{0,63}")


class SpendingLineBody(msgspec.Struct, forbid_unknown_fields=True):
    """A line of the order."""

    budget_line: str
    expense_account: str
    amount: str


class DeductionBody(msgspec.Struct, forbid_unknown_fields=True):
    """A withholding. `billing_id` is the state's ID billing (15 digits), personal data."""

    account: str
    amount: str
    reduces_payment: bool = True
    billing_id: str = ""


class PayeeBody(msgspec.Struct, forbid_unknown_fields=True):
    """A recipient; everything but the amounts and the bank's code is personal data."""

    name: str
    bank_code: str
    account: str
    gross: str
    deduction: str = "0.00"
    npwp: str = ""


class ClaimBody(msgspec.Struct, forbid_unknown_fields=True):
    """A hand that signed in another system, as it claims."""

    role: str
    name: str
    nip: str = ""
    on: str = ""


class SpmBody(msgspec.Struct, forbid_unknown_fields=True):
    """
    An order to pay (SPM) as it is sent.

    `number` is the SKPD's own; `origin` is own, sipd (signed there: `claims` and `evidence_sha256`
    say by whom and where it is written) or continuity (own, while SIPD is down).
    """

    number: str
    dated_on: str
    skpd: str
    payment_kind: str
    purpose: str
    lines: list[SpendingLineBody]
    payees: list[PayeeBody]
    deductions: list[DeductionBody] = []
    origin: str = "own"
    evidence_sha256: str = ""
    claims: list[ClaimBody] = []


def parse_spm(data: bytes) -> SpmBody:
    """Read the JSON of an SPM. Raises MalformedJsonError, InvalidFieldError, DuplicateKeyError."""
    return read_json_as(SpmBody, data)


def check_spm(body: SpmBody, *, entities: Mapping[str, str]) -> None:
    """
    Whatever the text itself makes impossible, in the order of its members.

    Raises:
        InvalidFieldError, PaymentKindNotSupportedError
    """
    check_text("number", body.number, least=1, most=128)
    check_day("dated_on", body.dated_on)
    if body.payment_kind not in PAYMENT_KINDS:
        raise PaymentKindNotSupportedError(
            payment_kind=body.payment_kind[:40], supported=PAYMENT_KINDS
        )
    wanted = "PPKD" if body.payment_kind == "LS_PPKD" else "SKPD"
    if entities.get(body.skpd) != wanted:
        raise InvalidFieldError("skpd", f"is a known {wanted} for {body.payment_kind}", body.skpd)
    check_text("purpose", body.purpose, least=1, most=1_000)
    if body.origin not in ("own", "sipd", "continuity"):
        raise InvalidFieldError("origin", "is own, sipd or continuity", body.origin[:40])
    check_claims(body.origin, body.evidence_sha256, body.claims)
    for name, items, least, most in (
        ("lines", len(body.lines), 1, LINES_MAX),
        ("deductions", len(body.deductions), 0, DEDUCTIONS_MAX),
        ("payees", len(body.payees), 1, PAYEES_MAX),
    ):
        if not least <= items <= most:
            raise InvalidFieldError(name, f"are {least} to {most}", items)
    for n, line in enumerate(body.lines):
        check_text(f"lines[{n}].budget_line", line.budget_line, least=1, most=128)
        _check_expense(f"lines[{n}].expense_account", line.expense_account)
        amount_of(f"lines[{n}].amount", line.amount)
    for n, deduction in enumerate(body.deductions):
        if not deduction.account.startswith("2.1.01."):
            raise InvalidFieldError(
                f"deductions[{n}].account", "is withheld for others (2.1.01)", deduction.account
            )
        amount_of(f"deductions[{n}].amount", deduction.amount)
        if deduction.billing_id and _BILLING.fullmatch(deduction.billing_id) is None:
            raise InvalidFieldError(
                f"deductions[{n}].billing_id", "has 15 digits", deduction.billing_id[:40]
            )
    for n, payee in enumerate(body.payees):
        where = f"payees[{n}]"
        check_payee_form(where, payee.name, payee.bank_code, payee.account)
        if payee.npwp and _NPWP.fullmatch(payee.npwp) is None:
            raise InvalidFieldError(f"{where}.npwp", "has 15 or 16 digits", payee.npwp[:40])
        amount_of(f"{where}.gross", payee.gross)
        amount_of(f"{where}.deduction", payee.deduction, least=0)


def check_payee_form(where: str, name: str, bank_code: str, account: str) -> None:
    """C08's form: who is paid, and where. Raises InvalidFieldError."""
    check_text(f"{where}.name", name, least=1, most=140)
    if not name.strip():
        raise InvalidFieldError(f"{where}.name", "is not blank", name)
    if _BANK_CODE.fullmatch(bank_code) is None:
        raise InvalidFieldError(f"{where}.bank_code", "has 3 digits", bank_code[:40])
    if _BANK_NUMBER.fullmatch(account) is None:
        raise InvalidFieldError(f"{where}.account", "has 6 to 20 digits", account[:40])


def check_accounts(body: SpmBody, accounts: Mapping[str, Account], *, fiscal_year: int) -> None:
    """Every account is postable in the year. Raises UnknownAccountError, AccountNotPostableError."""
    for code in [*(x.expense_account for x in body.lines), *(x.account for x in body.deductions)]:
        known = accounts.get(code)
        if known is None:
            raise UnknownAccountError(account=code[:80], fiscal_year=fiscal_year)
        if known.level != 6:
            raise AccountNotPostableError(
                account=code,
                level=known.level,
                valid_from=known.valid_from,
                valid_to=known.valid_to,
            )


def amount_of(field: str, text: str, *, least: int = 1) -> int:
    """An amount of at least *least* sen. Raises InvalidFieldError."""
    try:
        sen = parse_sen(text)
    except InvalidAmountError as error:
        raise InvalidFieldError(field, error.reason, text[:40]) from None
    if not least <= sen <= AMOUNT_MAX_SEN:
        raise InvalidFieldError(
            field, f"is {sen_text(least)} to {sen_text(AMOUNT_MAX_SEN)}", text[:40]
        )
    return sen


def check_sha256(field: str, value: str) -> None:
    """Raises InvalidFieldError."""
    if _SHA256.fullmatch(value) is None:
        raise InvalidFieldError(field, "is a SHA-256 in 64 lower-case hex digits", value[:80])


def _check_expense(field: str, account: str) -> None:
    """Expense, asset or a debt that is settled; never cash, reciprocals, withholdings or suspense."""
    closed = ("1.1.01.", "1.1.13.", "2.1.01.", "2.1.07.98.", "2.1.07.99.")
    if not account.startswith(("8.", "1.", "2.")) or account.startswith(closed):
        raise InvalidFieldError(field, "is an expense (8), an asset or a debt", account[:80])


def check_claims(origin: str, evidence_sha256: str, claims: Sequence[ClaimBody]) -> None:
    """Hands and evidence of another system stand where it signed, and only there."""
    if (origin == "sipd") != bool(evidence_sha256):
        raise InvalidFieldError("evidence_sha256", "goes with origin sipd", evidence_sha256[:80])
    if origin != "sipd":
        if claims:
            raise InvalidFieldError("claims", "go with origin sipd", len(claims))
        return
    check_sha256("evidence_sha256", evidence_sha256)
    if not 1 <= len(claims) <= 8:
        raise InvalidFieldError("claims", "are 1 to 8", len(claims))
    for n, claim in enumerate(claims):
        if _WORD.fullmatch(claim.role) is None:
            raise InvalidFieldError(f"claims[{n}].role", "is a word", ascii(claim.role)[:80])
        check_text(f"claims[{n}].name", claim.name, least=1, most=140)
        check_text(f"claims[{n}].nip", claim.nip, most=18)
        if claim.on:
            check_day(f"claims[{n}].on", claim.on)
