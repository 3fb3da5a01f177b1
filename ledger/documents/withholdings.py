"""
The arithmetic of an order (C06), and how it falls apart into its payees.

Pure. Gross is the sum of the lines, withholdings that reduce the payment come off it, net is what
the payees get; every sum is compared with what the payees say, to the sen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.documents.content import Content
from ledger.documents.errors import TotalsMismatchError
from ledger.money import sen_text

__all__ = ["Part", "check_totals", "part_of", "whole"]


@dataclass(frozen=True, slots=True)
class Part:
    """
    A share of an order: (index of line, sen) and (index of reducing deduction, sen), sen over 0.

    The parts of all payees together are the whole, line by line and deduction by deduction.
    """

    lines: tuple[tuple[int, int], ...]
    deductions: tuple[tuple[int, int], ...]

    @property
    def gross_sen(self) -> int:
        """Sum of its lines."""
        return sum(sen for _, sen in self.lines)

    @property
    def net_sen(self) -> int:
        """Its lines less its deductions."""
        return self.gross_sen - sum(sen for _, sen in self.deductions)


def check_totals(content: Content) -> None:
    """
    C06 in order: deductions fit the gross, payees add up to gross, deductions and net, nobody gets
    nothing.

    Raises:
        TotalsMismatchError: Two sums differ, or a net is not over zero.
    """
    gross, deducted = content.gross_sen, content.deduction_sen
    if deducted > gross:
        raise TotalsMismatchError(
            what="deductions over gross", expected=sen_text(gross), actual=sen_text(deducted)
        )
    for what, expected, actual in (
        ("gross of the payees", gross, sum(p.gross_sen for p in content.payees)),
        ("deductions of the payees", deducted, sum(p.deduction_sen for p in content.payees)),
    ):
        if expected != actual:
            raise TotalsMismatchError(
                what=what, expected=sen_text(expected), actual=sen_text(actual)
            )
    for n, payee in enumerate(content.payees, start=1):
        if payee.net_sen <= 0:
            raise TotalsMismatchError(
                what=f"net of payee {n}", expected="over 0.00", actual=sen_text(payee.net_sen)
            )


def whole(lines: Sequence[int], deductions: Sequence[int]) -> Part:
    """Everything: amounts by line and by reducing deduction, in sen."""
    return Part(tuple(enumerate(lines)), tuple(enumerate(deductions)))


def part_of(
    lines: Sequence[int],
    deductions: Sequence[int],
    *,
    gross: tuple[int, int],
    deducted: tuple[int, int],
) -> Part:
    """
    A payee's share by the waterfall: payees take from the lines in order, one after another.

    *gross* and *deducted* are (what payees before took, what this one takes) in sen; the same
    payee's share is the same whenever, and in whatever order, the bank pays.
    """
    return Part(_slice(lines, *gross), _slice(deductions, *deducted))


def _slice(amounts: Sequence[int], start: int, size: int) -> tuple[tuple[int, int], ...]:
    """The pieces of *amounts*, laid end to end, that fall into [start, start + size)."""
    pieces: list[tuple[int, int]] = []
    begins = 0
    for index, amount in enumerate(amounts):
        taken = min(begins + amount, start + size) - max(begins, start)
        if taken > 0:
            pieces.append((index, taken))
        begins += amount
    return tuple(pieces)
