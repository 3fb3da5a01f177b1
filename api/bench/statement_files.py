"""
Statement files for the parse bench: the same in every run, by the product's own writers.

The entries of a file are drawn once in blocks that move the balance by nothing, so that a file of any
length is its blocks in a row and still adds up. Payments by SP2D, receipts, and a return now and then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from bank_adapters.statements import OutgoingEntry, write_camt053, write_mt940
from ledger.money import Money

__all__ = ["BLOCK", "CURRENCY", "blocks", "write_camt_file", "write_csv_file", "write_mt940_file"]

#: Entries of a block: a day of a province.
BLOCK: Final = 400
CURRENCY: Final = "IDR"
_ACCOUNT: Final = "0010012345678"
_OPENING: Final = Money(2_150_000_000_000_00)
_FIRST_DAY: Final = date(2026, 1, 5)
_DAYS: Final = 250
_RETURNS: Final = 0.01


def blocks(entries: int, *, seed: int = 7) -> list[list[OutgoingEntry]]:
    """*entries*, a multiple of `BLOCK`, in blocks that each sum to zero."""
    random = Random(seed)  # noqa: S311  # drawn to be the same again, not to be secret
    count = entries // BLOCK
    return [_block(random, _FIRST_DAY + timedelta(days=n % _DAYS)) for n in range(count)]


def _block(random: Random, day: date) -> list[OutgoingEntry]:
    made = [_entry(random, day) for _ in range(BLOCK - 1)]
    rest = Money.total(each.amount for each in made)
    made.append(
        OutgoingEntry(
            value_on=day,
            entry_on=day,
            amount=-rest,
            narrative="PEMINDAHBUKUAN KAS DAERAH",
            transaction_code="NTRF",
        )
    )
    return made


def _entry(random: Random, day: date) -> OutgoingEntry:
    number = random.randrange(1_000_000)
    sen = random.randrange(10_000_00, 900_000_000_00)
    is_return = random.random() < _RETURNS
    is_in = is_return or random.random() < 0.4
    skpd = f"{random.randrange(1, 6)}.{random.randrange(1, 30):02d}.0.00.0.00.01.0000"
    what = f"SP2D 04.03/04.0/{number:06d}/LS/{skpd}/P.01/{day.month}/{day.year}"
    return OutgoingEntry(
        value_on=day,
        entry_on=day,
        amount=Money(sen if is_in else -sen),
        narrative=f"{'RETUR ' if is_return else ''}{what} PT SUMBER MAKMUR {number % 977:03d}",
        reference=f"SP2D{day:%y}{number:06d}",
        bank_reference=f"FT{random.randrange(10**12):012d}",
        transaction_code="NRTI" if is_return else "NTRF",
        reversal=is_return,
    )


def write_mt940_file(path: Path, made: Sequence[list[OutgoingEntry]]) -> None:
    """A statement a block, in one file."""
    with path.open("wb") as file:
        for number, block in enumerate(made, start=1):
            day = block[0].value_on
            before = day - timedelta(days=1)
            file.write(write_mt940(_ACCOUNT, CURRENCY, number, _OPENING, before, day, block))


def write_camt_file(path: Path, made: Sequence[list[OutgoingEntry]], *, times: int = 1) -> None:
    """One statement of all blocks, the whole of them *times* over."""
    head, body, tail = _camt_parts(made[0])
    with path.open("wb") as file:
        file.write(head)
        for _ in range(times):
            file.write(body)
            file.writelines(_camt_parts(block)[1] for block in made[1:])
        file.write(tail)


def _camt_parts(block: list[OutgoingEntry]) -> tuple[bytes, bytes, bytes]:
    """What stands before, of and behind the entries. Closing is opening, whatever the block."""
    last = _FIRST_DAY + timedelta(days=_DAYS)
    written = write_camt053(
        *(_ACCOUNT, CURRENCY, 1, _OPENING, _FIRST_DAY, last, block),
        created_at=datetime(last.year, last.month, last.day, tzinfo=UTC),
    )
    start, end = written.index(b"<Ntry>"), written.rindex(b"</Stmt>")
    return written[:start], written[start:end], written[end:]


def write_csv_file(path: Path, made: Sequence[list[OutgoingEntry]]) -> None:
    """A table of the layout `generic-bpd`: 1.234.567,89, two columns and the running balance."""
    with path.open("w", encoding="utf-8") as file:
        file.write(f"No. Rekening;{_ACCOUNT}\n")
        file.write("Tanggal;Uraian;Debet;Kredit;Saldo;No. Referensi\n")
        file.writelines(_csv_rows(made))


def _csv_rows(made: Sequence[list[OutgoingEntry]]) -> Iterator[str]:
    balance = _OPENING.sen
    debits = credits = 0
    for block in made:
        for each in block:
            sen = each.amount.sen
            balance += sen
            debits, credits = debits + max(-sen, 0), credits + max(sen, 0)
            debit, credit = (_printed(-sen), "") if sen < 0 else ("", _printed(sen))
            yield (
                f"{each.value_on:%d-%m-%Y};{each.narrative};{debit};{credit};{_printed(balance)};"
                f"{each.reference or ''}\n"
            )
    yield f";TOTAL;{_printed(debits)};{_printed(credits)};;\n"


def _printed(sen: int) -> str:
    whole, cents = divmod(sen, 100)
    return f"{whole:,}".replace(",", ".") + f",{cents:02d}"
