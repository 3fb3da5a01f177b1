"""SWIFT MT940 (customer statement) and MT942 (interim report): text to statements.

Fields are grouped into pages (one balance to the next), and pages into statements: a page that
closes with `:62M:` goes on in the page of the same account that opens with `:60M:`. A report has no
balances; its own counts and sums (`:90D:`, `:90C:`) are held against its entries. What banks do beyond the standard is read as long as it has one meaning; arithmetic that fails is a finding
(`adds_up`), not a refusal.
"""

import re
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from bank_adapters.errors import (
    CurrencyMismatchError,
    StatementNotFoundError,
    UnreadableBalanceError,
)
from bank_adapters.statements.amounts import decimals_of, swift_date, swift_units, units_text
from bank_adapters.statements.mt940_entries import read_entries
from bank_adapters.statements.mt940_fields import Fields, has_statement_tags, split_fields
from bank_adapters.statements.mt940_pages import Page, group_pages
from bank_adapters.statements.statement import (
    Balance,
    Statement,
    StatementLine,
    Warning_,
    booked_units,
    check_count,
    check_sum,
)
from bank_adapters.statements.text import TextFile

FORMAT = "mt940"
REPORT_FORMAT = "mt942"

# 1!a6!n3!a15d; a closing without currency is seen and takes the opening's. Blanks are possessive: a
# line of nothing else would be split between the two in every way.
_BALANCE = re.compile(
    r":6[0245][FM]?: ?([CD])([0-9]{6}) *+([A-Z]{3})? *+([0-9]++(?:,[0-9]*+)?|,[0-9]++) *",
    re.IGNORECASE | re.ASCII,
)
# 5n3!a15d
_TOTAL = re.compile(r":90([CD]): ?([0-9]{1,9})([A-Z]{3})([0-9]+(?:,[0-9]*)?|,[0-9]+) *", re.ASCII)
# 3!a[1!a]15d
_FLOOR = re.compile(r":34F: ?([A-Z]{3})[CD]?([0-9]+(?:,[0-9]*)?|,[0-9]+) *", re.ASCII)
_REPORTED_AT = re.compile(r":13D?: ?([0-9]{6})", re.ASCII)
_STATEMENT_NO = re.compile(r"([0-9]+)(?:/([0-9]+))?", re.ASCII)
_BIC = "[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?"
_BANK_AND_ACCOUNT = re.compile(rf"({_BIC}|[0-9]{{8}})/(.+)")


@dataclass(slots=True)
class _Part:
    """One page, read."""

    bank: str | None
    account: str | None
    currency: str | None
    decimals: int
    statement_no: str | None
    page: int | None
    opening: Balance | None
    closing: Balance | None
    adds_up: bool | None
    lines: list[StatementLine]
    information: str
    position: int
    is_report: bool
    totals: list["_Total"]


class _Total(NamedTuple):
    """`:90D:` or `:90C:`: how many entries out or in, and their sum."""

    position: int
    sign: int
    entries: int
    units: int


def claims(text: TextFile) -> bool:
    """Whether the text looks like an MT940. Proposes only."""
    return has_statement_tags(text.lines)


def read_mt940(text: TextFile) -> tuple[list[Statement], list[Warning_]]:
    """Read all statements of the text, in file order, and the warnings about them.

    Raises subclasses of StatementFileError, with the line, where it would have to guess.
    """
    warnings: list[Warning_] = []
    fields, outside = split_fields(text.lines)
    for index in outside:
        message = "text outside of any statement was left out"
        warnings.append(Warning_("text_outside", index + 1, message))
    pages = group_pages(text.lines, fields)
    check_count(len(pages))
    parts = [_read_page(text.lines, fields, page, warnings) for page in pages]
    if not parts:
        raise StatementNotFoundError(FORMAT)
    return _join_pages(parts, warnings), warnings


def format_of(statements: list[Statement]) -> str:
    """`mt942` for a file of nothing but interim reports, else `mt940`."""
    return REPORT_FORMAT if all(each.kind == "intraday" for each in statements) else FORMAT


def _read_page(lines: list[str], fields: Fields, page: Page, warnings: list[Warning_]) -> _Part:
    start = page.start + 1
    opening_text = _match_balance(lines, fields, page.opening)
    closing_text = _match_balance(lines, fields, page.closing)
    opening_currency = opening_text.currency if opening_text else None
    closing_currency = closing_text.currency if closing_text else None
    if closing_text and opening_currency and closing_currency not in {None, opening_currency}:
        raise CurrencyMismatchError(
            opening_currency, str(closing_currency), position=closing_text.position
        )
    currency = opening_currency or closing_currency or _reported_currency(lines, fields, page)
    decimals = decimals_of(currency)
    opening = _read_balance(opening_text, decimals, warnings)
    closing = _read_balance(closing_text, decimals, warnings)
    read = read_entries(
        lines,
        fields,
        page.entries,
        decimals=decimals,
        opened_on=opening.on if opening else None,
        closed_on=closing.on if closing else _reported_on(lines, fields, page),
        warnings=warnings,
    )
    bank, account = _bank_and_account(page, currency)
    statement_no, page_no = _numbers(lines, fields, page, warnings)
    for what, value in (
        ("account", account),
        ("currency", currency),
        ("opening", opening),
        ("closing", closing),
    ):
        if value is None and not (page.is_report and what in {"opening", "closing"}):
            message = f"the statement that begins here has no {what}"
            warnings.append(Warning_(f"{what}_missing", start, message))
    return _Part(
        bank,
        account,
        currency,
        decimals,
        statement_no,
        page_no,
        opening,
        closing,
        check_sum(opening, booked_units(read), closing, decimals, warnings),
        read,
        " ".join(fields.text(number, lines).strip() for number in page.information),
        start,
        page.is_report,
        _totals(lines, fields, page, currency, decimals),
    )


def _reported_currency(lines: list[str], fields: Fields, page: Page) -> str | None:
    """The currency of a report, from its totals or its floor limit."""
    for number in (*page.totals, *page.floors):
        line = lines[fields.starts[number]]
        if matched := _TOTAL.fullmatch(line):
            return matched[3]
        if matched := _FLOOR.fullmatch(line):
            return matched[1]
    return None


def _reported_on(lines: list[str], fields: Fields, page: Page) -> date | None:
    if page.reported_at is None:
        return None
    matched = _REPORTED_AT.match(lines[fields.starts[page.reported_at]])
    return swift_date(matched[1]) if matched else None


def _totals(
    lines: list[str], fields: Fields, page: Page, currency: str | None, decimals: int
) -> list[_Total]:
    totals = []
    for number in page.totals:
        start = fields.starts[number]
        matched = _TOTAL.fullmatch(lines[start])
        if matched is None:
            reason = "not a total (count, currency, amount with decimal comma)"
            raise UnreadableBalanceError(lines[start], reason, position=start + 1)
        mark, count, its_currency, amount = matched.groups()
        if currency is not None and its_currency != currency:
            raise CurrencyMismatchError(currency, its_currency, position=start + 1)
        units = swift_units(amount, decimals, position=start + 1)
        totals.append(_Total(start + 1, 1 if mark == "C" else -1, int(count), units))
    return totals


class _BalanceText(NamedTuple):
    """A balance field by its parts, amount not yet read because that needs the currency."""

    position: int
    is_debit: bool
    day: str
    currency: str | None
    amount: str
    is_intermediate: bool
    has_more_lines: bool


def _match_balance(lines: list[str], fields: Fields, number: int | None) -> _BalanceText | None:
    if number is None:
        return None
    start = fields.starts[number]
    line = lines[start]
    matched = _BALANCE.fullmatch(line)
    if matched is None:
        reason = "not a balance (mark, date, currency, amount with decimal comma)"
        if "." in line:
            reason = "a point in the amount may group thousands or mark decimals"
        raise UnreadableBalanceError(line, reason, position=start + 1)
    mark, day, currency, amount = matched.groups()
    return _BalanceText(
        start + 1,
        mark in "Dd",
        day,
        currency.upper() if currency else None,
        amount,
        fields.tags[number].endswith("M"),
        fields.has_more_lines(number, lines),
    )


def _read_balance(
    text: _BalanceText | None, decimals: int, warnings: list[Warning_]
) -> Balance | None:
    if text is None:
        return None
    position = text.position
    if "," not in text.amount:
        message = f"amount {text.amount} has no decimal comma; read as whole units"
        warnings.append(Warning_("amount_without_comma", position, message))
    units = swift_units(text.amount, decimals, position=position)
    on = swift_date(text.day)
    if on is None:
        message = f"{text.day} is a day that does not exist"
        warnings.append(Warning_("impossible_date", position, message))
    if text.has_more_lines:
        message = "text behind the balance was left out"
        warnings.append(Warning_("text_outside", position + 1, message))
    return Balance(
        -units if text.is_debit else units,
        on,
        position,
        is_intermediate=text.is_intermediate,
    )


def _bank_and_account(page: Page, currency: str | None) -> tuple[str | None, str | None]:
    """Take bank and currency off `BIC/account`, `bank code/account` and `accountIDR`."""
    if page.account is None:
        return page.sender, None
    bank, account = page.sender, page.account
    if matched := _BANK_AND_ACCOUNT.fullmatch(account):
        bank, account = matched[1], matched[2].strip()
    if currency and account.endswith(currency) and account[: -len(currency)].strip(" /"):
        account = account[: -len(currency)].rstrip(" /")
    return bank, account


def _numbers(
    lines: list[str], fields: Fields, page: Page, warnings: list[Warning_]
) -> tuple[str | None, int | None]:
    """Statement number as the bank wrote it (leading zeros and all) and the page."""
    if page.number is None:
        return None, None
    position = fields.starts[page.number] + 1
    text = fields.first_line(page.number, lines)
    if fields.has_more_lines(page.number, lines):
        message = "text behind the statement number was left out"
        warnings.append(Warning_("text_outside", position + 1, message))
    matched = _STATEMENT_NO.fullmatch(text or "")
    if matched is None or len(matched[2] or "") > 9:
        message = "the statement number is not digits, optionally with a page"
        warnings.append(Warning_("odd_statement_no", position, message))
        return text, None
    return matched[1], int(matched[2]) if matched[2] else None


def _join_pages(parts: list[_Part], warnings: list[Warning_]) -> list[Statement]:
    """Chain pages `:62M:` to `:60M:` per account and statement number, in file order."""
    groups: list[list[_Part]] = []
    unfinished: dict[tuple[str | None, str | None], list[_Part]] = {}
    for part in parts:
        key = (part.account, part.statement_no)
        group = unfinished.pop(key, None)
        if part.is_report:
            if group is None or part.page is None or part.page != (group[-1].page or 0) + 1:
                group = []
                groups.append(group)
            group.append(part)
            if not part.totals:
                unfinished[key] = group
            continue
        if part.opening is None or not part.opening.is_intermediate or group is None:
            if part.opening is not None and part.opening.is_intermediate:
                message = "the page before this one is not in the file"
                warnings.append(Warning_("earlier_page_missing", part.position, message))
            group = []
            groups.append(group)
        group.append(part)
        if part.closing is not None and part.closing.is_intermediate:
            unfinished[key] = group
    return [_statement(group, warnings) for group in groups]


def _statement(group: list[_Part], warnings: list[Warning_]) -> Statement:
    first, last = group[0], group[-1]
    sums = [part.adds_up for part in group]
    if not first.is_report:
        sums += [_follows(earlier, later, warnings) for earlier, later in pairwise(group)]
    if last.closing is not None and last.closing.is_intermediate:
        message = "the page after this one is not in the file"
        warnings.append(Warning_("later_page_missing", last.closing.position, message))
    adds_up = None if None in sums else all(sums)
    for total in last.totals:
        _check_total(total, group, warnings)
    return Statement(
        bank=first.bank,
        account=first.account,
        currency=first.currency,
        decimals=first.decimals,
        statement_no=first.statement_no,
        page=first.page,
        kind="intraday" if first.is_report else "end_of_day",
        opening=first.opening,
        closing=last.closing,
        adds_up=False if False in sums else adds_up,
        lines=tuple(line for part in group for line in part.lines),
        information=" ".join(part.information for part in group if part.information),
        position=first.position,
    )


def _check_total(total: _Total, group: list[_Part], warnings: list[Warning_]) -> None:
    """The bank's count and sum, which may or may not speak of expected entries as well."""
    lines = [line for part in group for line in part.lines if line.amount_units * total.sign > 0]
    booked = [line for line in lines if line.status == "booked"]
    given = (total.entries, total.units)
    if all(given != (len(c), abs(sum(x.amount_units for x in c))) for c in (booked, lines)):
        decimals = group[0].decimals
        read = units_text(abs(booked_units(booked)), decimals)
        message = (
            f"the report counts {total.entries} entries of {units_text(total.units, decimals)}"
            f" {'in' if total.sign > 0 else 'out'}; {len(booked)} of {read} were read"
        )
        warnings.append(Warning_("summary_differs", total.position, message))


def _follows(earlier: _Part, later: _Part, warnings: list[Warning_]) -> bool:
    """Whether *later* opens with the figure that *earlier* closed with."""
    if earlier.currency and later.currency and earlier.currency != later.currency:
        raise CurrencyMismatchError(earlier.currency, later.currency, position=later.position)
    if None not in {earlier.page, later.page} and later.page != (earlier.page or 0) + 1:
        message = f"page {later.page} follows page {earlier.page}"
        warnings.append(Warning_("page_gap", later.position, message))
    if earlier.closing is None or later.opening is None:
        return False  # never: only a page with a closing is carried on, by one with an opening
    if earlier.closing.units != later.opening.units:
        message = (
            f"this page opens with {units_text(later.opening.units, later.decimals)}, the one "
            f"before closed with {units_text(earlier.closing.units, earlier.decimals)}"
        )
        warnings.append(Warning_("page_chain_broken", later.opening.position, message))
        return False
    return True
