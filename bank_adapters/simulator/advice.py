"""The advice list as a bank takes it in: nothing is paid that the officer did not sign.

The package is canonical JSON `{"file", "content", "envelopes", "keys"}`. `file` is the order in the
clear; its digest stands in `content`, whose digest stands in the statement that the officer signed.
The keys inside the package prove nothing here: the bank compares with the specimen it was given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.canonical import Json, canonical, parse_canonical
from audit.curve import load_public_key
from audit.dsse import parse_envelope, verify
from audit.errors import AuditError
from audit.keys import officer_key_id
from audit.statement import Statement, parse_statement
from bank_adapters.simulator.errors import AdviceListRefusedError
from ledger.money import InvalidAmountError, Money

_SIGN = "advice_list.sign"


class Instruction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One payment: its reference, whom, where, how much."""

    reference: str
    name: str
    bank_code: str
    account: str
    amount: str

    @property
    def money(self) -> Money:
        """The amount."""
        return Money.parse(self.amount)


@dataclass(frozen=True, slots=True)
class AdviceList:
    """A list that the officer signed. bank_account: `BANKCODE:NO`. sha256: of the file."""

    number: str
    bank_account: str
    transfer_on: date
    sha256: str
    instructions: tuple[Instruction, ...]


class _Row(msgspec.Struct):
    payment_reference: str
    payee_name: str
    payee_bank_code: str
    payee_account: str
    net: str


class _File(msgspec.Struct):
    version: int
    advice_list: str
    bank_account: str
    transfer_on: str
    currency: str
    count: int
    total_net: str
    rows: list[_Row]


class _Content(msgspec.Struct):
    kind: str
    number: str
    file_sha256: str


class _Package(msgspec.Struct, forbid_unknown_fields=True):
    file: dict[str, object]
    content: dict[str, object]
    envelopes: list[dict[str, object]]
    keys: dict[str, str]


def read_advice_list(package: bytes, officer_keys: Sequence[str]) -> AdviceList:
    """
    Verify and read a package. *officer_keys*: raw Ed25519 public keys in hex, the specimens.

    Raises:
        AdviceListRefusedError: Unsigned, signed by another key, changed, or not adding up.
    """
    try:
        parts = msgspec.convert(parse_canonical(package), _Package)
        file = msgspec.convert(parts.file, _File)
        content = msgspec.convert(parts.content, _Content)
        specimens = _specimens(officer_keys)
        statement = _signed(parts.envelopes, specimens)
        instructions = tuple(_instruction(row) for row in file.rows)
        total = Money.total(each.money for each in instructions)
        transfer_on = date.fromisoformat(file.transfer_on)
    except (AuditError, InvalidAmountError, ValueError) as error:  # msgspec's are ValueErrors
        raise AdviceListRefusedError(str(error)) from None
    file_sha256 = _digest(parts.file)
    for wrong, reason in (
        (content.kind != "advice_list", "the signed document is no advice list"),
        (file_sha256 != content.file_sha256, "the file is not the one that was signed"),
        (_digest(parts.content) != statement.revision, "the content is not the one signed"),
        (content.number != file.advice_list, "content and file name two lists"),
        (file.version != 1 or file.currency != "IDR", "another version or currency"),
        (file.count != len(instructions), "the count is not the number of rows"),
        (str(total) != file.total_net, "the rows do not add up to the total"),
        (str(total) != statement.amount, "the officer signed another amount"),
        (statement.decision != "approve", "the officer did not approve"),
    ):
        if wrong:
            raise AdviceListRefusedError(reason)
    _check_rows(instructions)
    return AdviceList(file.advice_list, file.bank_account, transfer_on, file_sha256, instructions)


def _instruction(row: _Row) -> Instruction:
    return Instruction(
        row.payment_reference, row.payee_name, row.payee_bank_code, row.payee_account, row.net
    )


def _check_rows(instructions: Sequence[Instruction]) -> None:
    if len({each.reference for each in instructions}) != len(instructions):
        raise AdviceListRefusedError("two rows have one reference")
    for each in instructions:
        if each.money.sen <= 0:
            raise AdviceListRefusedError(f"{each.reference} has no amount over zero")


def _specimens(officer_keys: Sequence[str]) -> dict[str, Ed25519PublicKey]:
    raw = [bytes.fromhex(text) for text in officer_keys]
    return {officer_key_id(key): load_public_key(key) for key in raw}


def _signed(
    envelopes: Sequence[dict[str, object]], specimens: dict[str, Ed25519PublicKey]
) -> Statement:
    """The statement that releases the list, by a key of which the bank holds a specimen."""
    for each in envelopes:
        envelope = parse_envelope(_canonical(each))
        key = specimens.get(envelope.keyid)
        if key is None:
            continue
        statement = parse_statement(verify(envelope, key))
        if statement.act == _SIGN and statement.key_id == envelope.keyid:
            return statement
    raise AdviceListRefusedError("no signature by an officer whose specimen is here")


def _canonical(value: dict[str, object]) -> bytes:
    plain: Json = msgspec.to_builtins(value)
    return canonical(plain)


def _digest(value: dict[str, object]) -> str:
    return sha256(_canonical(value)).hexdigest()
