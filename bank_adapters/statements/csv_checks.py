"""Rows of one account to a statement: their order, both balances, and every proof the file offers.

Proofs, all that are there: each row's running balance, opening + rows = closing, and the totals.
"""

from collections.abc import Set
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from bank_adapters.statements.amounts import decimals_of, units_text
from bank_adapters.statements.day_checks import check_days
from bank_adapters.statements.profile import Profile
from bank_adapters.statements.statement import (
    Balance,
    Statement,
    StatementLine,
    Warning_,
    booked_units,
)


class CheckBalance(NamedTuple):
    """A balance printed in a row of its own."""

    units: int
    position: int


class CheckTotals(NamedTuple):
    """The sums of both columns as the bank printed them; None for a blank."""

    debit_units: int | None
    credit_units: int | None
    position: int


@dataclass(slots=True)
class CheckRows:
    """Rows around the entries that say something about them all."""

    opening: CheckBalance | None = None
    closing: CheckBalance | None = None
    totals: CheckTotals | None = None
    period: tuple[date, date] | None = None

    @property
    def found(self) -> set[str]:
        """Labels of the check rows that the file had."""
        rows = {"opening": self.opening, "closing": self.closing, "totals": self.totals}
        return {label for label, row in rows.items() if row is not None}


def statement_of_rows(
    lines: list[StatementLine],
    *,
    profile: Profile,
    account: str | None,
    currency: str,
    balances_before: dict[int, int],
    checks: CheckRows,
    sheet_days: Set[int],
    position: int,
    warnings: list[Warning_],
) -> Statement:
    """Make one account's statement of its rows in file order; findings go to *warnings*.

    *balances_before* are the balances before a row, by the row's position, where the layout has
    such a column, *sheet_days* the positions of rows whose day a sheet stores. A balance's day
    is the printed period's, else that of the first or last entry.
    """
    decimals = decimals_of(currency)
    lines = _oldest_first(lines, profile, warnings)
    booked = [line for line in lines if line.status == "booked"]
    findings = _Findings(decimals, warnings)

    opening = _opening(booked, balances_before, checks, findings)
    _check_chain(booked, opening, balances_before, findings)
    closing = _closing(booked, checks, findings)
    if checks.totals:
        _check_totals(booked, checks.totals, findings)
    _check_period(booked, checks, findings)
    check_days(
        booked, profile=profile, sheet_days=sheet_days, period=checks.period, warnings=warnings
    )
    if opening is None or closing is None:
        message = "the layout prints no balances; nothing proves that all entries are here"
        warnings.append(Warning_("no_balance_proof", position, message))
        adds_up = False if findings.any_wrong else None
    else:
        findings.compare(
            "does_not_add_up",
            closing.position or position,
            "the closing",
            expected=opening.units + booked_units(booked),
            printed=closing.units,
        )
        adds_up = not findings.any_wrong
    return Statement(
        bank=profile.bank,
        account=account,
        currency=currency,
        decimals=decimals,
        statement_no=None,
        page=None,
        kind="end_of_day",
        opening=opening,
        closing=closing,
        adds_up=adds_up,
        lines=tuple(lines),
        position=position,
        opening_is_start=True,
    )


class _Findings:
    """Compares printed figures with the entries and remembers whether any was wrong."""

    def __init__(self, decimals: int, warnings: list[Warning_]) -> None:
        self.any_wrong = False
        self._decimals = decimals
        self.warnings = warnings

    def compare(
        self, code: str, position: int | None, what: str, *, expected: int, printed: int
    ) -> None:
        if expected == printed:
            return
        self.any_wrong = True
        message = (
            f"{what} is printed as {units_text(printed, self._decimals)}, the entries make it "
            f"{units_text(expected, self._decimals)}"
        )
        self.warnings.append(Warning_(code, position, message))


def _oldest_first(
    lines: list[StatementLine], profile: Profile, warnings: list[Warning_]
) -> list[StatementLine]:
    if profile.row_order == "newest_first":
        return lines[::-1]
    if profile.row_order == "oldest_first" or len(lines) < 2:
        return lines
    downwards, upwards = _links(lines)
    if downwards != upwards:
        return lines if downwards > upwards else lines[::-1]
    days = [line.booked_on for line in lines if line.booked_on is not None]
    if days and days[0] != days[-1]:
        return lines if days[0] < days[-1] else lines[::-1]
    if not downwards:
        message = "neither balances nor dates tell which row is the oldest; kept as in the file"
        warnings.append(Warning_("order_undetermined", lines[0].position, message))
    return lines


def _links(lines: list[StatementLine]) -> tuple[int, int]:
    """How many neighbours follow from one another by their running balances, down and up the file."""
    downwards = upwards = 0
    last: int | None = None
    last_amount = 0
    for line in lines:
        balance, amount = line.balance_after_units, line.amount_units
        if balance is None or line.status != "booked":
            continue
        if last is not None:
            downwards += last + amount == balance
            upwards += balance + last_amount == last
        last, last_amount = balance, amount
    return downwards, upwards


def _opening(
    booked: list[StatementLine],
    balances_before: dict[int, int],
    checks: CheckRows,
    findings: _Findings,
) -> Balance | None:
    first = booked[0] if booked else None
    on = checks.period[0] if checks.period else (first.booked_on if first else None)
    before: int | None = None
    if first is not None:
        before = balances_before.get(first.position)
        if before is None and first.balance_after_units is not None:
            before = first.balance_after_units - first.amount_units
    if checks.opening:
        if before is not None:
            findings.compare(
                "opening_differs",
                checks.opening.position,
                "the opening",
                expected=before,
                printed=checks.opening.units,
            )
        return Balance(checks.opening.units, on, checks.opening.position)
    return None if before is None else Balance(before, on)


def _closing(booked: list[StatementLine], checks: CheckRows, findings: _Findings) -> Balance | None:
    last = booked[-1] if booked else None
    on = checks.period[1] if checks.period else (last.booked_on if last else None)
    if checks.closing:
        if last is not None and last.balance_after_units is not None:
            findings.compare(
                "closing_differs",
                checks.closing.position,
                "the closing",
                expected=last.balance_after_units,
                printed=checks.closing.units,
            )
        return Balance(checks.closing.units, on, checks.closing.position)
    if last is not None and last.balance_after_units is not None:
        return Balance(last.balance_after_units, on, last.position)
    if last is None and checks.opening:  # a table without entries closes as it opened
        return Balance(checks.opening.units, on, checks.opening.position)
    return None


def _check_chain(
    booked: list[StatementLine],
    opening: Balance | None,
    balances_before: dict[int, int],
    findings: _Findings,
) -> None:
    running = opening.units if opening else None
    for line in booked:
        before = balances_before.get(line.position) if balances_before else None
        if before is not None:
            if running is not None:
                findings.compare(
                    "balance_chain_broken",
                    line.position,
                    "the balance before this row",
                    expected=running,
                    printed=before,
                )
            running = before
        if running is not None:
            running += line.amount_units
        if line.balance_after_units is not None:
            if running is not None and running != line.balance_after_units:
                findings.compare(
                    "balance_chain_broken",
                    line.position,
                    "the balance after this row",
                    expected=running,
                    printed=line.balance_after_units,
                )
            running = line.balance_after_units


def _check_totals(booked: list[StatementLine], totals: CheckTotals, findings: _Findings) -> None:
    debit = -sum(line.amount_units for line in booked if line.amount_units < 0)
    credit = sum(line.amount_units for line in booked if line.amount_units > 0)
    for what, expected, printed in (
        ("the debit total", debit, totals.debit_units),
        ("the credit total", credit, totals.credit_units),
    ):
        if printed is not None:
            findings.compare(
                "totals_differ", totals.position, what, expected=expected, printed=printed
            )


def _check_period(booked: list[StatementLine], checks: CheckRows, findings: _Findings) -> None:
    """Entries outside the printed period: day and month may have been swapped by a sheet."""
    if checks.period is None:
        return
    first, last = checks.period
    outside = [line for line in booked if line.booked_on and not first <= line.booked_on <= last]
    if outside:
        message = f"{len(outside)} entries are dated outside {first} to {last}"
        findings.warnings.append(Warning_("outside_period", outside[0].position, message))
