"""One working day of the bank: instructions and deposits in, statement entries and answers out.

No files, no clock: the same bank, day, input and seed give the same entries. What goes wrong is
chosen by the seed, each fault once a day and never two on one payment.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Final

import msgspec

from bank_adapters.simulator.accounts import CLEARING, FEES, INTEREST, SUSPENSE, VAULT, Bank
from bank_adapters.simulator.advice import AdviceList, Instruction
from bank_adapters.simulator.errors import (
    AccountNotOursError,
    AdviceListRepeatedError,
    DayClosedError,
)
from bank_adapters.statements.outgoing import OutgoingEntry
from ledger.money import ZERO, Money

#: What may go wrong; those in the first row each take one payment of the day's lists.
PAYMENT_FAULTS: Final = ("rejection", "retur", "missing", "twin")
FAULTS: Final = (*PAYMENT_FAULTS, "fee", "interest", "unknown_credit")

_FEE: Final = Money.parse("27500.00")
_REJECTED: Final = "REKENING TUJUAN DITUTUP"
_RETURNED: Final = "NAMA TIDAK SESUAI"


class Deposit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Money that a payer brought: a slip's number (STS), who paid, how much, by which channel."""

    reference: str
    payer: str
    amount: str
    channel: str = "TELLER"


@dataclass(frozen=True, slots=True)
class Rejection:
    """An instruction that was not carried out, and why."""

    reference: str
    reason: str


@dataclass(frozen=True, slots=True)
class BankDay:
    """What the bank tells the treasury of one day."""

    day: date
    statement_no: int
    opening: Money
    opening_on: date
    closing: Money
    entries: tuple[OutgoingEntry, ...]
    rejections: tuple[Rejection, ...]


def run_day(
    bank: Bank,
    day: date,
    lists: Sequence[AdviceList],
    deposits: Sequence[Deposit],
    *,
    seed: int,
    faults: Collection[str] = FAULTS,
) -> BankDay:
    """
    Close *day*: changes *bank* and says what is on the statement.

    Raises:
        DayClosedError: Not after the last day.
        AdviceListRepeatedError, AccountNotOursError
    """
    if day.isoformat() <= bank.last_day:
        raise DayClosedError(day.isoformat(), bank.last_day)
    for each in lists:
        if each.number in bank.lists:
            raise AdviceListRepeatedError(each.number)
        if each.bank_account != f"{bank.bank}:{bank.account}":
            raise AccountNotOursError(each.bank_account, f"{bank.bank}:{bank.account}")
        bank.lists.append(each.number)
    # Not for secrets: a day must be repeatable.
    random = Random(f"{seed}/{day.isoformat()}")  # noqa: S311
    opening_on = date.fromisoformat(bank.last_day)
    opening = bank.rkud
    counter = _Counter(bank, day, [])
    _take_back_twins(counter)
    _receive(counter, deposits)
    rejections = _pay(counter, [i for each in lists for i in each.instructions], random, faults)
    _house(counter, random, faults)
    bank.last_day = day.isoformat()
    bank.statement_no += 1
    return BankDay(
        day,
        bank.statement_no,
        opening,
        opening_on,
        bank.rkud,
        tuple(counter.entries),
        tuple(rejections),
    )


@dataclass(slots=True)
class _Counter:
    """Books a movement of the RKUD account and writes its line on the statement."""

    bank: Bank
    day: date
    entries: list[OutgoingEntry]

    def book(
        self,
        other: str,
        amount: Money,
        narrative: str,
        *,
        code: str,
        reference: str | None = None,
        reversal: bool = False,
    ) -> None:
        """*amount* is signed: positive for money into the RKUD account."""
        if amount > ZERO:
            booking = self.bank.move(other, self.bank.account, amount)
        else:
            booking = self.bank.move(self.bank.account, other, -amount)
        self.entries.append(
            OutgoingEntry(
                value_on=self.day,
                entry_on=self.day,
                amount=amount,
                narrative=_printable(narrative),
                reference=reference,
                bank_reference=booking,
                transaction_code=code,
                reversal=reversal,
            )
        )

    def debit(self, paid: Instruction) -> None:
        """Pay an instruction: to an account here, or into clearing."""
        here = paid.bank_code == self.bank.bank
        target = f"{paid.bank_code}:{paid.account}" if here else CLEARING
        self.book(
            target,
            -paid.money,
            f"PENCAIRAN SP2D {paid.reference} {paid.name}",
            code="NTRF",
            reference=paid.reference,
        )


def _take_back_twins(counter: _Counter) -> None:
    for reference, sen in counter.bank.twins:
        counter.book(
            SUSPENSE,
            Money(sen),
            f"KOREKSI DEBIT GANDA {reference}",
            code="NMSC",
            reference=reference,
            reversal=True,
        )
    counter.bank.twins.clear()


def _receive(counter: _Counter, deposits: Sequence[Deposit]) -> None:
    for deposit in deposits:
        counter.book(
            VAULT,
            Money.parse(deposit.amount),
            f"SETORAN {deposit.reference} {deposit.channel} {deposit.payer}",
            code="NTRF",
            reference=deposit.reference,
        )


def _pay(
    counter: _Counter, asked: list[Instruction], random: Random, faults: Collection[str]
) -> list[Rejection]:
    bank = counter.bank
    late, bank.held = bank.held, []
    for each in late:
        counter.debit(each)
    fated = _fates(asked, random, faults, own=bank.bank)
    rejections = []
    returning = []
    for each in asked:
        fate = fated.get(each.reference)
        if fate == "rejection":
            rejections.append(Rejection(each.reference, _REJECTED))
        elif fate == "missing":
            bank.held.append(each)
        elif each.money > bank.rkud:
            rejections.append(Rejection(each.reference, "SALDO TIDAK CUKUP"))
        else:
            counter.debit(each)
            if fate == "twin" and each.money <= bank.rkud:
                counter.debit(each)
                bank.twins.append((each.reference, each.money.sen))
            elif fate == "retur":
                returning.append(each)
    for each in returning:
        counter.book(
            CLEARING,
            each.money,
            f"RETUR {each.reference} {_RETURNED}",
            code="NRTI",
            reference=each.reference,
        )
    return rejections


def _fates(
    asked: Sequence[Instruction], random: Random, faults: Collection[str], *, own: str
) -> dict[str, str]:
    """At most one payment for each fault; a retur comes back from another bank where one is paid."""
    left = list(asked)
    fated: dict[str, str] = {}
    for fault in PAYMENT_FAULTS:
        if fault not in faults or not left:
            continue
        # Another bank sends back; what is paid to an account here is booked at once.
        elsewhere = [each for each in left if each.bank_code != own] if fault == "retur" else []
        chosen = random.choice(elsewhere or left)
        fated[chosen.reference] = fault
        left.remove(chosen)
    return fated


def _house(counter: _Counter, random: Random, faults: Collection[str]) -> None:
    """What the bank books by itself, and a credit without a name."""
    if "unknown_credit" in faults:
        amount = Money(random.randrange(250, 9_000) * 1_000_00)
        counter.book(VAULT, amount, "SETORAN TUNAI TANPA KETERANGAN", code="NMSC")
    if "interest" in faults:
        amount = Money(random.randrange(1_000_000_00, 90_000_000_00))
        counter.book(INTEREST, amount, f"JASA GIRO {counter.day:%m/%Y}", code="NINT")
    if "fee" in faults:
        counter.book(FEES, -_FEE, "BIAYA ADMINISTRASI REKENING", code="NCHG")


def _printable(text: str) -> str:
    """What a statement can carry: printable ASCII, cut as banks cut."""
    plain = "".join(each if " " <= each <= "~" else "?" for each in text)
    return " ".join(plain.split())[:120].rstrip()
