"""What the demo prints: plain lines of at most 80 columns, every figure from an answer of the API."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, Final

from api.demo.evening import Evening, Finding
from ledger.money import Money, parse_sen

__all__ = ["Report", "rupiah"]

_WIDTH: Final = 80
_LABEL: Final = 15  # column where the text of a step begins
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

#: Why an item is open, in an officer's words: (name, what it is), short enough for one line.
STORIES: Final[dict[str, tuple[str, str]]] = {
    "outstanding_payment": ("SP2D belum cair", "outstanding: not executed"),
    "rejection": ("Tolakan bank", "rejected, booked back"),
    "returned_payment": ("Retur", "returned, not booked yet"),
    "twin": ("Debit ganda", "twin: the bank's error"),
    "correction": ("Koreksi bank", "the twin is taken back"),
    "bank_charge": ("Biaya bank", "fee, not booked yet"),
    "bank_interest": ("Jasa giro", "interest, not booked yet"),
    "unknown_credit": ("Kredit tak dikenal", "unknown credit"),
    "unknown_debit": ("Debit ganda", "twin: the bank's error"),
    "deposit_in_transit": ("Setoran di jalan", "deposit in transit"),
}
_ROWS: Final[dict[str, str]] = {
    "bank_closing": "A  Saldo rekening koran (bank statement)",
    "deposits_in_transit": "   + setoran dalam perjalanan (in transit)",
    "outstanding_payments": "   - SP2D belum cair (outstanding)",
    "adjusted_bank": "   = saldo bank disesuaikan",
    "book_balance": "B  Saldo buku (books)",
    "bank_credits_not_booked": "   + kredit bank belum dibukukan",
    "bank_debits_not_booked": "   - debit bank belum dibukukan",
    "adjusted_book": "   = saldo buku disesuaikan",
    "difference": "C  SELISIH (difference)",
}


def rupiah(amount: str | int) -> str:
    """`-33.492.480,00`: as Indonesian documents print it, without the Rp."""
    sen = amount if isinstance(amount, int) else parse_sen(amount)
    return Money(sen).format_id().replace("Rp", "")


class Report:
    """Writes to standard output; a progress bar on a terminal, nothing of it elsewhere."""

    def __init__(self, write: Callable[[str], object] = sys.stdout.write) -> None:
        self._write = write

    def line(self, text: str = "") -> None:
        """One line."""
        self._write(f"{text.rstrip()}\n")
        sys.stdout.flush()

    def title(self, text: str) -> None:
        """A heading, set off by a line."""
        self.line()
        self.line(text)

    def step(self, name: str, text: str) -> None:
        """What was done, and what came of it; wrapped under itself."""
        indent = " " * _LABEL
        for n, part in enumerate(textwrap.wrap(text, _WIDTH - _LABEL)):
            self.line(f"  {name:<{_LABEL - 2}}{part}" if n == 0 else f"{indent}{part}")

    def figure(self, label: str, amount: str | int, *, items: int = 0) -> None:
        """A label and an amount, right-aligned."""
        count = f"{items:>4}" if items else "    "
        self.line(f"  {label:<44}{count}{rupiah(amount):>28}")

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[Callable[[], None]]:
        """A function to call for each piece of work done."""
        if not sys.stderr.isatty():
            yield _nothing
            return
        from rich.console import Console  # noqa: PLC0415  # on a terminal only
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

        columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(label, total=total)
            yield lambda: bar.advance(task)

    def day(self, day: date) -> None:
        """The heading of a day."""
        self.title(f"{_DAYS[day.weekday()]} {day:%d-%m-%Y}")

    def cash_position(self, evening: Evening, day: date) -> None:
        """The daily cash position report (LPKH)."""
        said = evening.position
        opening, receipts, payments = (
            parse_sen(said[name]) for name in ("opening", "receipts", "payments")
        )
        self.title(f"LAPORAN POSISI KAS HARIAN (daily cash position)  {day:%d-%m-%Y}")
        self.figure("Posisi kas (H-1)", opening)
        self.figure("Penerimaan (receipts)", receipts)
        self.figure("Pengeluaran (payments)", -payments)
        self.figure("Posisi kas (H)", opening + receipts - payments)

    def reconciliation(self, evening: Evening) -> None:
        """Bank and books held against each other: sections A, B and C."""
        self.title("REKONSILIASI BANK (reconciliation)")
        for row in evening.proof["rows"]:
            if row["items"] or row["name"] not in _OPTIONAL:
                items = row["items"] if row["name"] in _OPTIONAL else 0
                self.figure(_ROWS[row["name"]], row["amount"], items=items)

    def open_items(self, findings: Sequence[Finding], evening: Evening) -> None:
        """Each story once, with the amount that bank and books differ by."""
        self.title("POS TERBUKA (open items), and what was recorded of the bank's word")
        for finding in findings:
            name, story = STORIES.get(finding.name, (finding.name, finding.items[0].reason))
            self._item(name, finding.reference, rupiah(finding.amount_sen), story)
        for payment in evening.returned:
            self._item("Retur", payment.reference, rupiah(payment.amount), "booked: owed again")

    def _item(self, name: str, reference: str, amount: str, story: str) -> None:
        self.line(f"  {name:<18} {reference:<13} {amount:>16}  {story}")

    def verdict(self, said: Mapping[str, Any]) -> None:
        """The inspector's verdict, as the tool says it."""
        for sentence in said["proven"]:
            wrapped = textwrap.wrap(str(sentence), _WIDTH - 6)
            for n, part in enumerate(wrapped):
                self.line(f"  {'-' if n == 0 else ' '} {part}")
        for failure in said["failures"][:3]:
            self.line(f"  WRONG: {failure['message']}"[:_WIDTH])


_OPTIONAL: Final = frozenset(
    {
        "deposits_in_transit",
        "outstanding_payments",
        "bank_credits_not_booked",
        "bank_debits_not_booked",
    }
)


def _nothing() -> None:
    """Outside a terminal."""
