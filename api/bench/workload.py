"""
The journals that are posted: bodies as another system would send them, the same for every contender.

- `hot`: 4 lines, three of them on accounts drawn at random from ten thousand, one on the one RKUD
  cash account.
- `spread`: the same with the cash over many bank accounts, a thousand unless told otherwise.
- `ls16`: an LS payment of goods in both books, 16 lines: RK SKPD, cash and two withholdings in the
  PPKD; five expenses and RK PPKD in the SKPD; five budget lines and SAL in its budget book.

Pure. The drawing is seeded: two runs post the same journals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from random import Random
from typing import Final, Literal

from ledger.chart import POSTABLE_LEVEL, load_chart
from ledger.journals import is_reciprocal, is_rkud_cash
from ledger.money import sen_text
from ledger.opening import CASH_ACCOUNT

__all__ = [
    "ACCOUNTS",
    "BUDGET_LINES_A_PAYMENT",
    "FUND_SOURCE",
    "JOURNALS_A_DAY",
    "SHAPES",
    "SPREAD_BANKS",
    "BudgetSpot",
    "Shape",
    "bank_accounts",
    "bodies",
    "budget_spots",
    "plain_accounts",
    "skpd_codes",
]

Shape = Literal["hot", "spread", "ls16"]
SHAPES: Final[tuple[Shape, ...]] = ("hot", "spread", "ls16")

ACCOUNTS: Final = 10_000
SPREAD_BANKS: Final = 1_000
BUDGET_LINES_A_PAYMENT: Final = 5
FUND_SOURCE: Final = "1.1.01"
#: A year of a large province's payments spread over its days: an import file goes by date.
JOURNALS_A_DAY: Final = 4_000

_SKPDS: Final = 40
_SUB_KEGIATAN_A_SKPD: Final = 50
_RK_SKPD: Final = "1.1.13.01.01.0001"
_RK_PPKD: Final = "3.1.03.01.01.0001"
_SAL: Final = "3.1.02.05.01.0001"
_PPH_22: Final = "2.1.01.05.02.0001"
_PPN: Final = "2.1.01.06.01.0001"


@dataclass(frozen=True, slots=True)
class BudgetSpot:
    """A sub kegiatan of an SKPD, with the accounts and ids of its budget lines (after the year)."""

    skpd: str
    sub_kegiatan: str
    accounts: tuple[str, ...]
    lines: tuple[str, ...]


@cache
def plain_accounts() -> tuple[str, ...]:
    """Ten thousand postable accounts that are neither RKUD cash nor reciprocal."""
    codes = sorted(
        code
        for code, account in load_chart().items()
        if account.level == POSTABLE_LEVEL and not is_rkud_cash(code) and not is_reciprocal(code)
    )
    random = Random(1)  # noqa: S311  # drawn to be the same again, not to be secret
    return tuple(random.sample(codes, ACCOUNTS))


def bank_accounts(count: int) -> list[str]:
    """Ids of *count* bank accounts: `137:1000000000` and those behind it."""
    return [f"137:{1_000_000_000 + n}" for n in range(count)]


def skpd_codes() -> list[str]:
    """Entities that pay."""
    return [f"{n // 10 + 1}.{n % 10 + 1:02d}" for n in range(_SKPDS)]


@cache
def budget_spots() -> tuple[BudgetSpot, ...]:
    """Two thousand sub kegiatan with five budget lines each: ten thousand lines."""
    goods = sorted(
        code
        for code, account in load_chart().items()
        if account.level == POSTABLE_LEVEL
        and code.startswith("5.1.02.")
        and f"8{code[1:]}" in load_chart()
    )
    random = Random(2)  # noqa: S311  # as above
    spots = []
    for skpd in skpd_codes():
        for n in range(_SUB_KEGIATAN_A_SKPD):
            sub_kegiatan = f"{skpd}.01.2.{n + 1:02d}"
            accounts = tuple(random.sample(goods, BUDGET_LINES_A_PAYMENT))
            lines = tuple(f"{sub_kegiatan}/{account}" for account in accounts)
            spots.append(BudgetSpot(skpd, sub_kegiatan, accounts, lines))
    return tuple(spots)


def bodies(
    shape: Shape,
    count: int,
    *,
    prefix: str,
    first_day: str,
    journals_a_day: int = JOURNALS_A_DAY,
    banks: int = SPREAD_BANKS,
    seed: int = 3,
) -> Iterator[bytes]:
    """
    *count* JSON bodies of `POST .../journals` without line ends.

    References are *prefix* and a number. Days go up from *first_day*, *journals_a_day* each; 0 stays
    there.
    """
    random = Random(seed)  # noqa: S311  # as above
    start = date.fromisoformat(first_day)
    day = first_day
    ids = bank_accounts(banks)
    for n in range(count):
        if journals_a_day and n % journals_a_day == 0:
            day = (start + timedelta(days=n // journals_a_day)).isoformat()
        if shape == "ls16":
            text = _ls16(random, f"{prefix}{n}", day)
        else:
            bank = ids[0] if shape == "hot" else ids[n % banks]
            text = _four_lines(random, f"{prefix}{n}", day, bank)
        yield text.encode()


def _four_lines(random: Random, reference: str, day: str, bank: str) -> str:
    pick = plain_accounts()
    gross, part = random.randrange(10_000, 9_999_999), random.randrange(100, 9_999)
    first, second, third = (pick[int(random.random() * ACCOUNTS)] for _ in range(3))
    return (
        f'{{"reference":"{reference}","effective_on":"{day}","kind":"SP2D",'
        f'"description":"Belanja barang dan jasa, pembayaran {reference}","lines":['
        f'{{"account":"{first}","debit":"{sen_text(gross)}"}},'
        f'{{"account":"{second}","debit":"{sen_text(part * 2)}"}},'
        f'{{"account":"{third}","credit":"{sen_text(part)}"}},'
        f'{{"account":"{CASH_ACCOUNT}","bank_account":"{bank}",'
        f'"credit":"{sen_text(gross + part)}"}}]}}'
    )


def _ls16(random: Random, reference: str, day: str) -> str:
    spots = budget_spots()
    spot = spots[int(random.random() * len(spots))]
    amounts = [random.randrange(1_000, 999_999) for _ in spot.accounts]
    gross = sum(amounts)
    vat, income_tax = gross * 11 // 111, gross * 15 // 1110
    skpd = f'"entity":"{spot.skpd}",'
    lines = [
        f'{{"account":"{_RK_SKPD}","counterpart":"{spot.skpd}","debit":"{sen_text(gross)}"}}',
        f'{{"account":"{CASH_ACCOUNT}","credit":"{sen_text(gross - vat - income_tax)}",'
        f'"bank_account":"{bank_accounts(1)[0]}"}}',
        f'{{"account":"{_PPN}","credit":"{sen_text(vat)}"}}',
        f'{{"account":"{_PPH_22}","credit":"{sen_text(income_tax)}"}}',
    ]
    lines += [
        f'{{{skpd}"account":"8{account[1:]}","debit":"{sen_text(sen)}"}}'
        for account, sen in zip(spot.accounts, amounts, strict=True)
    ]
    lines.append(f'{{{skpd}"account":"{_RK_PPKD}","credit":"{sen_text(gross)}"}}')
    budget = f'{skpd}"book":"BUD",'
    lines += [
        f'{{{budget}"account":"{account}","budget_line":"{day[:4]}/{line}","debit":"{sen_text(sen)}"}}'
        for account, line, sen in zip(spot.accounts, spot.lines, amounts, strict=True)
    ]
    lines.append(f'{{{budget}"account":"{_SAL}","credit":"{sen_text(gross)}"}}')
    return (
        f'{{"reference":"{reference}","effective_on":"{day}","kind":"LS",'
        f'"description":"Pengadaan barang dan jasa menurut kontrak {reference}",'
        f'"document_no":"{reference}","payee_name":"PT Penyedia {reference}",'
        f'"lines":[{",".join(lines)}]}}'
    )
