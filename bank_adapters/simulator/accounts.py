"""The bank's own books: accounts that only move money between each other, and what waits.

One JSON file, written whole and renamed into place. Every booking takes from one account what it
gives to another, so all balances together are always zero.
"""

import json
import os
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import msgspec

from bank_adapters.simulator.advice import Instruction
from bank_adapters.simulator.errors import MalformedInputError
from ledger.money import Money, parse_sen, sen_text

#: The bank's own accounts: where money comes from and goes to beside the customers'.
VAULT = "vault"
CLEARING = "clearing"
FEES = "fees"
INTEREST = "interest"
SUSPENSE = "suspense"


class _Twin(msgspec.Struct, forbid_unknown_fields=True):
    """A debit made twice, to be taken back on the next day."""

    reference: str
    amount: str


class _State(msgspec.Struct, forbid_unknown_fields=True):
    """The file."""

    version: int
    bank: str
    account: str
    last_day: str
    statement_no: int
    booked: int
    balances: dict[str, str]
    lists: list[str]
    held: list[Instruction]
    twins: list[_Twin]


@dataclass(slots=True)
class Bank:
    """
    A bank with one RKUD account.

    bank, account: its code and the RKUD's number. lists: advice lists executed. held: instructions
    left undone. twins: (reference, sen) of debits made twice. booked: bookings ever, for references.
    """

    bank: str
    account: str
    last_day: str
    statement_no: int = 0
    booked: int = 0
    balances: dict[str, int] = field(default_factory=dict)
    lists: list[str] = field(default_factory=list)
    held: list[Instruction] = field(default_factory=list)
    twins: list[tuple[str, int]] = field(default_factory=list)

    @classmethod
    def opened(cls, bank: str, account: str, opening: Money, on: date) -> "Bank":
        """A bank whose RKUD account holds *opening* at the end of day *on*."""
        made = cls(bank, account, on.isoformat())
        made.move(VAULT, account, opening)
        return made

    @property
    def rkud(self) -> Money:
        """The balance of the RKUD account."""
        return Money(self.balances.get(self.account, 0))

    def move(self, source: str, target: str, amount: Money) -> str:
        """Book *amount* from one account to another; the bank's reference of the booking."""
        self.balances[source] = self.balances.get(source, 0) - amount.sen
        self.balances[target] = self.balances.get(target, 0) + amount.sen
        self.booked += 1
        return f"{self.bank}{self.booked:010d}"


def load_bank(path: Path) -> Bank:
    """Read a state. Raises MalformedInputError, FileNotFoundError."""
    try:
        state = msgspec.json.decode(path.read_bytes(), type=_State)
        balances = {name: parse_sen(text) for name, text in state.balances.items()}
        twins = [(twin.reference, parse_sen(twin.amount)) for twin in state.twins]
    except ValueError as error:  # msgspec's errors are ValueErrors too
        raise MalformedInputError(path.name, str(error)) from None
    if state.version != 1 or sum(balances.values()) != 0:
        raise MalformedInputError(path.name, "another version, or balances that are not zero-sum")
    return Bank(
        state.bank,
        state.account,
        state.last_day,
        state.statement_no,
        state.booked,
        balances,
        state.lists,
        state.held,
        twins,
    )


def save_bank(path: Path, bank: Bank) -> None:
    """Write the state beside *path* and rename it into place: a day is closed whole or not."""
    state = {
        "version": 1,
        "bank": bank.bank,
        "account": bank.account,
        "last_day": bank.last_day,
        "statement_no": bank.statement_no,
        "booked": bank.booked,
        "balances": {name: sen_text(sen) for name, sen in sorted(bank.balances.items())},
        "lists": bank.lists,
        "held": msgspec.to_builtins(bank.held),
        "twins": [{"reference": name, "amount": sen_text(sen)} for name, sen in bank.twins],
    }
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(state, file, indent=1)
        file.flush()
        os.fsync(handle)
    beside.replace(path)
