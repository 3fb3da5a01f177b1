"""
What a journal is, and the rules it obeys by itself: form, balance, accounts, reciprocal lines, dates.

Pure: a `Draft` and the government's `Settings` in, a checked `Draft` or a named refusal out. Rules
that need balances or budget counters stand in `ledger.position`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

import msgspec

from ledger.errors import (
    AccountNotPostableError,
    BankAccountRequiredError,
    CounterpartRequiredError,
    FeedKindNotAllowedError,
    FutureEffectiveDateError,
    InvalidFieldError,
    ManualJournalOnReservedAccountError,
    PeriodMismatchError,
    ReciprocalMismatchError,
    ReservedKindError,
    TooLargeError,
    UnbalancedJournalError,
    UnknownAccountError,
    UnknownBankAccountError,
    UnknownEntityError,
)
from ledger.json_text import UNREADABLE, is_plain, look_closely, refusal_of
from ledger.money import SEN_MAX, InvalidAmountError, parse_sen, sen_text
from ledger.settings import Account, Settings

__all__ = [
    "RESERVED_KINDS",
    "Draft",
    "JournalBody",
    "Line",
    "LineBody",
    "check_draft",
    "check_feed_kind",
    "check_text",
    "complete_bank_accounts",
    "draft_of",
    "is_reciprocal",
    "is_rkud_cash",
    "line_form",
    "parse_body",
]

LINES_MAX: Final = 10_000
#: Sums over a nation's year stay far below 2**63 while a single amount stays below this (Rp 9 quadrillion).
AMOUNT_MAX_SEN: Final = 9 * 10**17
DESCRIPTION_MAX: Final = 1_000
#: What other acts post as: journals by hand, reversals of a journal, the opening of a book.
RESERVED_KINDS: Final = frozenset({"manual", "reversal", "opening"})
_FEED_KIND: Final = re.compile(r"\*|[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

# No control characters (C0, DEL, C1), no line or paragraph separators: text that is printed in a
# register or a terminal stays on its line.
_CLEAN = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]*")
_KIND = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Line(NamedTuple):
    """One leg. `amount_sen` is positive for a debit, negative for a credit; "" means none."""

    entity: str
    book: str
    account: str
    amount_sen: int
    bank_account: str = ""
    counterpart: str = ""
    fund_source: str = ""
    budget_line: str = ""
    #: How the bank will name this movement, where it is a payment of ours (cash lines only).
    payment_reference: str = ""


@dataclass(slots=True)
class Draft:
    """A journal to be posted. `fiscal_year` and `period` are filled in by `check_draft`."""

    reference: str
    effective_on: str
    kind: str
    description: str
    lines: Sequence[Line]
    maker: str
    poster: str
    source: str = "feed"
    document_no: str = ""
    batch_no: str = ""
    payee_name: str = ""
    document_id: str = ""
    reverses: int | None = None
    fiscal_year: int = 0
    period: int = 0
    #: The bank or the law did it already: never refused for cash, budget or release (D8).
    is_fact: bool = False


class LineBody(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A line as it is sent."""

    account: str
    entity: str = "PPKD"
    book: str = "FIN"
    bank_account: str = ""
    counterpart: str = ""
    fund_source: str = ""
    budget_line: str = ""
    debit: str | None = None
    credit: str | None = None


class JournalBody(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A journal as it is sent, over HTTP or as a line of an import file."""

    reference: str
    effective_on: str
    kind: str
    description: str
    lines: list[LineBody]
    document_no: str = ""
    batch_no: str = ""
    payee_name: str = ""
    period: int = 0


_decode: Final = msgspec.json.Decoder(JournalBody).decode
_decode_plain: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


def parse_body(data: bytes, *, line: int = 0) -> JournalBody:
    """
    Read one journal's JSON. Unknown members, floats and wrong types are refused with their place.
    *line* is its line in a file, 1-based.

    Raises:
        MalformedJsonError: It is not JSON.
        InvalidFieldError: It is not of this shape, or a text in it holds NUL.
        DuplicateKeyError: An object in it names a member twice.
    """
    try:
        body = _decode(data)
    except UNREADABLE as error:
        raise refusal_of(data, error, line=line) from None
    # Encoded again it has the members that differ from their defaults; as an object, those written.
    if not is_plain(data, _encode(body)) and not is_plain(data, _encode(_decode_plain(data))):
        look_closely(data, line=line)
    return body


def draft_of(body: JournalBody, *, by: str) -> Draft:
    """
    Turn a body into a draft: amounts to sen, bank accounts as they were written.

    RK PPKD stands against the PPKD, the only counterpart it can have. Needs no settings, so that it
    can be done ahead of the batch. Raises InvalidFieldError.
    """
    lines = []
    for n, line in enumerate(body.lines):
        if (line.debit is None) == (line.credit is None):
            raise InvalidFieldError(f"lines[{n}]", "give either debit or credit", n)
        side, text = ("debit", line.debit) if line.debit is not None else ("credit", line.credit)
        try:
            sen = parse_sen(text or "")
        except InvalidAmountError as error:
            raise InvalidFieldError(f"lines[{n}].{side}", error.reason, text or "") from None
        if sen <= 0:
            raise InvalidFieldError(f"lines[{n}].{side}", "must be over 0.00", text or "")
        counterpart = line.counterpart
        if not counterpart and line.account.startswith("3.1.03."):
            counterpart = "PPKD"
        lines.append(
            Line(
                line.entity,
                line.book,
                line.account,
                sen if side == "debit" else -sen,
                line.bank_account,
                counterpart,
                line.fund_source,
                line.budget_line,
            )
        )
    return Draft(
        reference=body.reference,
        effective_on=body.effective_on,
        kind=body.kind,
        description=body.description,
        lines=lines,
        maker=by,
        poster=by,
        document_no=body.document_no,
        batch_no=body.batch_no,
        payee_name=body.payee_name,
        period=body.period,
    )


def complete_bank_accounts(draft: Draft, settings: Settings) -> None:
    """
    Give lines on RKUD cash their bank account's full id.

    A line without one gets the only one there is; with several it is refused later.
    """
    known = settings.bank_accounts
    if any(is_rkud_cash(line.account) and line.bank_account not in known for line in draft.lines):
        draft.lines = [
            line._replace(bank_account=_full_bank_account(line.bank_account, settings))
            if is_rkud_cash(line.account)
            else line
            for line in draft.lines
        ]


def _full_bank_account(bank: str, settings: Settings) -> str:
    if not bank:
        return settings.only_bank_account()
    if bank in settings.bank_accounts or ":" in bank:
        return bank
    fitting = [known for known in settings.bank_accounts if known.endswith(f":{bank}")]
    return fitting[0] if len(fitting) == 1 else bank


def is_rkud_cash(account: str) -> bool:
    """Kas di Kas Daerah (1.1.01.01), the only accounts that bank accounts stand behind."""
    return account.startswith("1.1.01.01.")


def is_reciprocal(account: str) -> bool:
    """RK SKPD (1.1.13, kept by the PPKD) or RK PPKD (3.1.03, kept by an SKPD)."""
    return account.startswith(("1.1.13.", "3.1.03."))


def check_text(field: str, value: str, *, most: int, least: int = 0) -> None:
    """Refuse control characters, lone surrogates and lengths out of range. Raises InvalidFieldError."""
    if not least <= len(value) <= most:
        raise InvalidFieldError(field, f"takes {least} to {most} characters", value[:200])
    if _CLEAN.fullmatch(value) is None:
        raise InvalidFieldError(field, "holds control characters", ascii(value)[:200])


def check_day(field: str, value: str) -> date:
    """A calendar date written `YYYY-MM-DD`. Raises InvalidFieldError."""
    if _DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise InvalidFieldError(field, "is a date written YYYY-MM-DD", value[:40])


def check_draft(draft: Draft, *, settings: Settings, today: str) -> None:
    """
    Refuse whatever the journal itself makes impossible, in the order an officer would look.

    Fills in `fiscal_year` and `period`. Raises subclasses of LedgerError.
    """
    check_text("reference", draft.reference, least=1, most=128)
    if _KIND.fullmatch(draft.kind) is None:
        raise InvalidFieldError(
            "kind", "is 1 to 64 letters, digits, points, dashes", ascii(draft.kind)[:80]
        )
    check_text("description", draft.description, most=DESCRIPTION_MAX)
    check_text("document_no", draft.document_no, most=128)
    check_text("batch_no", draft.batch_no, most=64)
    check_text("payee_name", draft.payee_name, most=200)
    _check_dates(draft, settings, today)
    if not 2 <= len(draft.lines) <= LINES_MAX:
        raise InvalidFieldError("lines", f"are 2 to {LINES_MAX}", len(draft.lines))
    _check_lines(draft, settings)
    _check_source(draft, settings)


def _check_dates(draft: Draft, settings: Settings, today: str) -> None:
    day = check_day("effective_on", draft.effective_on)
    if draft.effective_on > today:
        raise FutureEffectiveDateError(effective_on=draft.effective_on, today=today)
    draft.fiscal_year = draft.fiscal_year or day.year
    period = draft.period or day.month
    year_end = (day.month, day.day) == (12, 31)
    if draft.fiscal_year != day.year or not (
        period == day.month or (period in (13, 14) and year_end)
    ):
        raise PeriodMismatchError(period=period, effective_on=draft.effective_on)
    draft.period = period
    settings.check_open(draft.fiscal_year, period)


def _check_lines(draft: Draft, settings: Settings) -> None:
    accounts = settings.accounts_of(draft.fiscal_year)
    sums: dict[tuple[str, str], int] = {}
    mirrored: dict[str, int] = {}
    for n, line in enumerate(draft.lines):
        entity, book, account, sen, bank, counterpart, fund_source, budget_line, _ = line
        _check_account(account, accounts, draft)
        if entity not in settings.entities:
            raise UnknownEntityError(entity=entity[:80])
        if book not in ("FIN", "BUD"):
            raise InvalidFieldError(f"lines[{n}].book", "is FIN or BUD", book[:80])
        if not -AMOUNT_MAX_SEN <= sen <= AMOUNT_MAX_SEN:
            raise TooLargeError(
                f"lines[{n}]", limit=sen_text(AMOUNT_MAX_SEN), value=sen_text(abs(sen))
            )
        if is_rkud_cash(account) != bool(bank):
            raise BankAccountRequiredError(account=account, bank_account=bank[:80])
        if bank and book != "FIN":
            raise InvalidFieldError(f"lines[{n}].book", "is FIN for RKUD cash", book)
        if bank and bank not in settings.bank_accounts:
            raise UnknownBankAccountError(bank_account=bank[:80])
        if counterpart or is_reciprocal(account):
            _check_counterpart(line, settings)
            owner = counterpart if account.startswith("1.1.13.") else entity
            mirrored[owner] = mirrored.get(owner, 0) + sen
        if budget_line and book != "BUD":
            raise InvalidFieldError(
                f"lines[{n}].budget_line", "stands only in book BUD", budget_line[:80]
            )
        if fund_source:
            check_text(f"lines[{n}].fund_source", fund_source, most=64)
        key = (entity, book)
        sums[key] = sums.get(key, 0) + sen
    for (entity, book), rest in sums.items():
        if rest:
            raise UnbalancedJournalError(entity=entity, book=book, difference=sen_text(rest))
    for skpd, rest in mirrored.items():
        if rest:
            raise ReciprocalMismatchError(skpd=skpd, difference=sen_text(rest))
    if sum(abs(line.amount_sen) for line in draft.lines) > SEN_MAX:
        raise TooLargeError("lines", limit=sen_text(SEN_MAX), value="their sum")


def _check_account(account: str, accounts: Mapping[str, Account], draft: Draft) -> None:
    known = accounts.get(account)
    if known is None:
        raise UnknownAccountError(account=account[:80], fiscal_year=draft.fiscal_year)
    if known.level != 6 or not (
        known.valid_from <= draft.effective_on
        and (not known.valid_to or draft.effective_on <= known.valid_to)
    ):
        raise AccountNotPostableError(
            account=account,
            level=known.level,
            valid_from=known.valid_from,
            valid_to=known.valid_to,
        )


def _check_counterpart(line: Line, settings: Settings) -> None:
    """RK SKPD stands in the PPKD against an SKPD; RK PPKD in an SKPD against the PPKD."""
    kind = settings.entities.get(line.counterpart)
    wanted = {"1.1.13.": ("PPKD", "SKPD"), "3.1.03.": ("SKPD", "PPKD")}.get(line.account[:7])
    if wanted is None or (settings.entities[line.entity], kind) != wanted:
        raise CounterpartRequiredError(account=line.account, counterpart=line.counterpart[:80])


def check_feed_kind(field: str, kind: str) -> None:
    """Whether *kind* can stand in the policy `feed`. Raises InvalidFieldError, naming *field*."""
    if _FEED_KIND.fullmatch(kind) is None:
        raise InvalidFieldError(field, "is a kind of journal, or *", ascii(kind)[:80])
    if kind.lower() in RESERVED_KINDS:
        rule = f"is a kind that is fed: {', '.join(sorted(RESERVED_KINDS))} belong to other acts"
        raise InvalidFieldError(field, rule, kind)


def _check_source(draft: Draft, settings: Settings) -> None:
    if draft.source == "feed" and draft.reverses is None:
        allowed = settings.policy_set("feed", draft.effective_on)
        if draft.kind.lower() in RESERVED_KINDS:
            fed = sorted(kind for kind in allowed if kind.lower() not in RESERVED_KINDS)
            raise ReservedKindError(kind=draft.kind, allowed=fed)
        if "*" not in allowed and draft.kind not in allowed:
            raise FeedKindNotAllowedError(kind=draft.kind, allowed=sorted(allowed))
    if draft.source == "manual":
        for line in draft.lines:
            if is_rkud_cash(line.account) or is_reciprocal(line.account) or line.budget_line:
                raise ManualJournalOnReservedAccountError(
                    account=line.account, budget_line=line.budget_line
                )


def line_form(line: Line) -> list[str]:
    """
    Version 1 of a line in a leaf, by position: entity, book, account, amount, bank account,
    counterpart, fund source, budget line, payment reference. Trailing empty members are left out.
    """
    form = [*line[:3], sen_text(line[3]), *line[4:]]
    while form[-1] == "":
        form.pop()
    return form
