"""
What documents and the bank's answers book, in both books (domain reference, section 5).

Pure: values in, lines out. Rows 8 and 10 (LS through an SKPD), 14 (LS of the PPKD itself), 27 and
28 (retur and its reissue), and what a rejection takes back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ledger.documents.content import SpendingLine
from ledger.documents.withholdings import Part
from ledger.journals import Line

__all__ = [
    "PPKD",
    "RETUR_ACCOUNT",
    "RK_PPKD",
    "RK_SKPD",
    "SAL",
    "BudgetCode",
    "order_lines",
    "retur_lines",
]

PPKD: Final = "PPKD"
RK_SKPD: Final = "1.1.13.01.01.0001"
RK_PPKD: Final = "3.1.03.01.01.0001"
#: Estimasi Perubahan SAL, the other side of every entry in the budget book.
SAL: Final = "3.1.02.05.01.0001"
#: Utang Retur SP2D: what is owed to a payee whose transfer came back.
RETUR_ACCOUNT: Final = "2.1.07.99.01.0001"


class BudgetCode(NamedTuple):
    """What the budget book needs of a budget line."""

    account: str
    fund_source: str


def order_lines(
    *,
    skpd: str,
    lines: Sequence[SpendingLine],
    deduction_accounts: Sequence[str],
    part: Part,
    cash: Sequence[tuple[str, int]],
    cash_account: str,
    bank_account: str,
    budget: Mapping[str, BudgetCode],
) -> list[Line]:
    """
    An LS order, or one payee's part of it: gross G, net N, withheld W (all in sen).

    Through an SKPD: PPKD Dr RK SKPD G / Cr cash N, Cr PFK W; SKPD Dr expense G / Cr RK PPKD G; budget
    book of the SKPD Dr 5.x G / Cr SAL G. Of the PPKD itself: no RK, the expense stands in the PPKD.

    *deduction_accounts* are of those that reduce the payment, in order; *cash* is (payment reference,
    net sen) per payee.
    """
    owner = skpd
    gross = part.gross_sen
    through_skpd = skpd != PPKD
    made: list[Line] = []
    if through_skpd:
        made.append(Line(PPKD, "FIN", RK_SKPD, gross, counterpart=skpd))
    else:
        made.extend(_expense(PPKD, lines, part))
    made.extend(
        Line(PPKD, "FIN", cash_account, -net, bank_account, payment_reference=reference)
        for reference, net in cash
    )
    made.extend(
        Line(PPKD, "FIN", deduction_accounts[index], -sen) for index, sen in part.deductions
    )
    if through_skpd:
        made.extend(_expense(skpd, lines, part))
        made.append(Line(skpd, "FIN", RK_PPKD, -gross, counterpart=PPKD))
    for index, sen in part.lines:
        code = budget[lines[index].budget_line]
        made.append(
            Line(
                owner,
                "BUD",
                code.account,
                sen,
                fund_source=code.fund_source,
                budget_line=lines[index].budget_line,
            )
        )
    made.append(Line(owner, "BUD", SAL, -gross))
    return made


def _expense(entity: str, lines: Sequence[SpendingLine], part: Part) -> list[Line]:
    return [Line(entity, "FIN", lines[index].expense_account, sen) for index, sen in part.lines]


def retur_lines(
    sen: int, *, into_cash: bool, cash_account: str, bank_account: str, reference: str
) -> list[Line]:
    """
    Money that came back, or never left (Dr cash / Cr Utang Retur), or that is paid again.

    *reference* is how the bank names the movement on its statement.
    """
    signed = sen if into_cash else -sen
    return [
        Line(PPKD, "FIN", cash_account, signed, bank_account, payment_reference=reference),
        Line(PPKD, "FIN", RETUR_ACCOUNT, -signed),
    ]
