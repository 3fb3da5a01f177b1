"""
The demo's budget, orders and receipts: invented from published figures, the same for the same seed.

Pure: no clock, no files but the two that ship. Amounts are sen; bodies are what the API reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from random import Random
from typing import Final

import msgspec

from ledger.money import parse_sen, sen_text

__all__ = [
    "ORIGIN",
    "BudgetRow",
    "DemoData",
    "Order",
    "Receipt",
    "Skpd",
    "load_demo_data",
    "withheld",
]

#: Name of the demo's log; no real log has it.
ORIGIN: Final = "demo.rkud.example/36"
#: Recipients of the one list among the SP2Ds of a day.
LIST_PAYEES: Final = 200
#: What has been released by the fourth quarter, of each line.
_RELEASED_PERCENT: Final = 90
_FUND_SOURCE: Final = "1.1"
_ROMAN: Final = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
_RUPIAH: Final = 100

Json = dict[str, object]


class _Rate(msgspec.Struct, frozen=True):
    account: str
    label: str
    percent: str

    def of(self, base_sen: int) -> int:
        """Rounded down to whole rupiah, as tax is."""
        hundredths = parse_sen(self.percent if "." not in self.percent else f"{self.percent}0")
        return base_sen * hundredths // 1_000_000 * _RUPIAH


class _Spending(msgspec.Struct, frozen=True):
    sub_kegiatan: str
    account: str
    expense: str
    purpose: str
    withhold: tuple[str, ...]
    share_permille: int


class _Income(msgspec.Struct, frozen=True):
    account: str
    income: str
    label: str
    channel: str


class _Firms(msgspec.Struct, frozen=True):
    forms: tuple[str, ...]
    first: tuple[str, ...]
    second: tuple[str, ...]
    third: tuple[str, ...]


class _Persons(msgspec.Struct, frozen=True):
    first: tuple[str, ...]
    last: tuple[str, ...]


class _Catalogue(msgspec.Struct, frozen=True):
    withholdings: dict[str, _Rate]
    spending: tuple[_Spending, ...]
    honorarium: str
    receipts: tuple[_Income, ...]
    receipts_skpd: str
    banks: tuple[str, ...]
    firms: _Firms
    persons: _Persons


class _SkpdRow(msgspec.Struct, frozen=True):
    skpd_code: str
    urusan_codes: tuple[str, ...]
    name_id: str
    abbreviation: str
    demo_budget_idr: str


class _CashReference(msgspec.Struct, frozen=True):
    rkud_balance_reported_2025_10_21: str


class _Budget(msgspec.Struct, frozen=True):
    cash_reference: _CashReference


class _Rkud(msgspec.Struct, frozen=True):
    demo_bank_name: str
    demo_bank_code: str
    demo_account_number: str


class _Province(msgspec.Struct, frozen=True):
    code: str
    name_id: str
    timezone: str


class _Banten(msgspec.Struct, frozen=True):
    province: _Province
    budget: _Budget
    rkud: _Rkud
    skpd: tuple[_SkpdRow, ...]


@dataclass(frozen=True, slots=True)
class Skpd:
    """A work unit. *officer* is the person id of its budget user (PA)."""

    code: str
    name: str
    abbreviation: str

    @property
    def officer(self) -> str:
        """Person id of the budget user."""
        return f"pa-{self.abbreviation.lower()}"


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """One line of the budget: its ceiling and what of it was released (SPD), in sen."""

    id: str
    skpd: str
    sub_kegiatan: str
    account: str
    fund_source: str
    ceiling_sen: int
    released_sen: int


@dataclass(frozen=True, slots=True)
class Order:
    """An SPM as its SKPD sends it, and what its budget user knows of it."""

    skpd: Skpd
    body: Json
    net_sen: int
    gross_sen: int
    line_totals: dict[str, str]
    payees: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt as it is booked, and as the payer brings it to the bank."""

    body: Json
    deposit: Json
    amount_sen: int


def withheld(gross_sen: int, names: Sequence[str]) -> dict[str, int]:
    """
    Withholdings by name, in sen. With PPN the price holds 11/100 of the base, else the base is all.
    """
    rates = load_demo_data().catalogue.withholdings
    base = gross_sen * 100 // 111 if "ppn" in names else gross_sen
    return {name: rates[name].of(base) for name in names}


@dataclass(frozen=True, slots=True)
class DemoData:
    """Both files, and what is made of them."""

    banten: _Banten
    catalogue: _Catalogue

    @property
    def bank_account(self) -> str:
        """The RKUD account, `BANKCODE:NO`."""
        return f"{self.banten.rkud.demo_bank_code}:{self.banten.rkud.demo_account_number}"

    @property
    def bank_name(self) -> str:
        """Its bank."""
        return self.banten.rkud.demo_bank_name

    @property
    def province(self) -> str:
        """`Provinsi Banten`."""
        return f"Provinsi {self.banten.province.name_id}"

    @property
    def zone(self) -> str:
        """IANA name."""
        return self.banten.province.timezone

    @property
    def opening_sen(self) -> int:
        """Cash on the evening before: the balance that the province reported in October 2025."""
        return parse_sen(self.banten.budget.cash_reference.rkud_balance_reported_2025_10_21)

    def skpds(self) -> list[Skpd]:
        """All work units."""
        return [Skpd(row.skpd_code, row.name_id, row.abbreviation) for row in self.banten.skpd]

    def budget(self) -> list[BudgetRow]:
        """The lines that the demo spends from, a share of each SKPD's published or invented total."""
        rows = []
        for unit in self.banten.skpd:
            total = parse_sen(unit.demo_budget_idr)
            for each in self.catalogue.spending:
                ceiling = total * each.share_permille // 1000 // _RUPIAH * _RUPIAH
                rows.append(
                    BudgetRow(
                        _line_of(unit, each),
                        unit.skpd_code,
                        _sub_kegiatan(unit, each),
                        each.account,
                        _FUND_SOURCE,
                        ceiling,
                        ceiling * _RELEASED_PERCENT // 100 // _RUPIAH * _RUPIAH,
                    )
                )
        return rows

    def orders(
        self, day: str, count: int, *, seed: int, room: dict[str, int], first_no: int = 1
    ) -> list[Order]:
        """
        The day's SPMs, one of them a list of honoraria; numbered on from *first_no*.

        *room* (budget line -> sen released and not yet asked for) shrinks by what they ask: a small
        unit stops ordering when its money is used up, and a larger one orders instead.
        """
        random = Random(f"orders/{seed}/{day}")  # noqa: S311  # invented data, not a secret
        units = list(self.banten.skpd)
        weights = [parse_sen(unit.demo_budget_idr) for unit in units]
        plain = [
            each for each in self.catalogue.spending if each.account != self.catalogue.honorarium
        ]
        orders = []
        for n in range(count):
            number = first_no + n
            if n == count // 2:
                made = self._list_order(random, day, number, units[0])
            else:
                unit = random.choices(units, weights)[0]
                made = self._order(random, day, number, unit, random.choice(plain), room)
            for line, amount in made.line_totals.items():
                room[line] -= parse_sen(amount)
            orders.append(made)
        return orders

    def receipts(self, day: str, count: int, *, seed: int, first_no: int = 1) -> Iterator[Receipt]:
        """The day's deposits (STS) of regional tax, booked as row 19 of the domain reference."""
        random = Random(f"receipts/{seed}/{day}")  # noqa: S311  # as above
        skpd = self.catalogue.receipts_skpd
        for number in range(first_no, first_no + count):
            income = random.choice(self.catalogue.receipts)
            sen = random.randrange(400_000, 900_000_000) * _RUPIAH
            amount, reference = sen_text(sen), f"STS/RKUD/{number:05d}"
            yield Receipt(
                {
                    "reference": reference,
                    "kind": "tax",
                    "effective_on": day,
                    "skpd": skpd,
                    "document_no": reference,
                    "description": f"Setoran {income.label}",
                    "lines": [
                        {
                            "amount": amount,
                            "lo_account": income.income,
                            "lra_account": income.account,
                        }
                    ],
                },
                {
                    "reference": reference,
                    "payer": f"KAS {income.channel}",
                    "amount": amount,
                    "channel": income.channel,
                },
                sen,
            )

    def _order(
        self,
        random: Random,
        day: str,
        number: int,
        unit: _SkpdRow,
        each: _Spending,
        room: dict[str, int],
    ) -> Order:
        """A firm's invoice: log-uniform between 2.5 and 160 million, in whole thousands."""
        gross = int(2_500_000 * 64 ** random.random()) // 1000 * 1000 * _RUPIAH
        if room[_line_of(unit, each)] < gross:
            places = [(u, s) for u in self.banten.skpd for s in self.catalogue.spending]
            unit, each = max(places, key=lambda place: room[_line_of(*place)])
        taken = withheld(gross, each.withhold)
        deduction = sum(taken.values())
        firms = self.catalogue.firms
        name = f"{random.choice(firms.forms)} {random.choice(firms.first)} {random.choice(firms.second)} {random.choice(firms.third)}"
        payee = self._payee(random, name, gross, deduction)
        return self._spm(random, day, number, unit, each, gross, taken, [payee])

    def _list_order(self, random: Random, day: str, number: int, unit: _SkpdRow) -> Order:
        """Honoraria of many persons in one SP2D."""
        each = next(s for s in self.catalogue.spending if s.account == self.catalogue.honorarium)
        persons = self.catalogue.persons
        payees, gross = [], 0
        taken = dict.fromkeys(each.withhold, 0)
        for _ in range(LIST_PAYEES):
            own_gross = random.randrange(1_500, 4_500) * 1000 * _RUPIAH
            own = withheld(own_gross, each.withhold)
            name = f"{random.choice(persons.first)} {random.choice(persons.last)}"
            payees.append(self._payee(random, name, own_gross, sum(own.values())))
            gross += own_gross
            for label, sen in own.items():
                taken[label] += sen
        return self._spm(random, day, number, unit, each, gross, taken, payees)

    def _payee(self, random: Random, name: str, gross: int, deduction: int) -> Json:
        return {
            "name": name,
            "bank_code": random.choice(self.catalogue.banks),
            "account": f"{random.randrange(10**9, 10**10)}",
            "gross": sen_text(gross),
            "deduction": sen_text(deduction),
            "npwp": f"{random.randrange(10**15, 10**16)}",
        }

    def _spm(
        self,
        random: Random,
        day: str,
        number: int,
        unit: _SkpdRow,
        each: _Spending,
        gross: int,
        taken: dict[str, int],
        payees: list[Json],
    ) -> Order:
        rates = self.catalogue.withholdings
        line = _line_of(unit, each)
        year, month, _ = day.split("-")
        body: Json = {
            "number": f"{number:05d}/SPM/{unit.abbreviation}/{_ROMAN[int(month) - 1]}/{year}",
            "dated_on": day,
            "skpd": unit.skpd_code,
            "payment_kind": "LS_GOODS",
            "purpose": f"{each.purpose} {unit.abbreviation}",
            "lines": [
                {"budget_line": line, "expense_account": each.expense, "amount": sen_text(gross)}
            ],
            "payees": payees,
            "deductions": [
                {
                    "account": rates[name].account,
                    "amount": sen_text(sen),
                    "billing_id": f"{random.randrange(10**14, 10**15)}",
                }
                for name, sen in taken.items()
            ],
        }
        return Order(
            Skpd(unit.skpd_code, unit.name_id, unit.abbreviation),
            body,
            gross - sum(taken.values()),
            gross,
            {line: sen_text(gross)},
            len(payees),
        )


def _sub_kegiatan(unit: _SkpdRow, each: _Spending) -> str:
    return f"{unit.urusan_codes[0]}.{each.sub_kegiatan}"


def _line_of(unit: _SkpdRow, each: _Spending) -> str:
    return f"{unit.skpd_code}/{_sub_kegiatan(unit, each)}/{each.account}"


@lru_cache(maxsize=1)
def load_demo_data() -> DemoData:
    """Read `ledger/data/banten.json` and the catalogue beside this file."""
    banten = files("ledger").joinpath("data", "banten.json").read_bytes()
    catalogue = files("api.demo").joinpath("catalogue.json").read_bytes()
    return DemoData(
        msgspec.json.decode(banten, type=_Banten),
        msgspec.json.decode(catalogue, type=_Catalogue),
    )
