"""
Random books and a bank that knows the truth: no wrong match, no difference, nothing on a second run.

The bank writes what it did with the entries of the books: names their document whole, cut off or not
at all, twice, with another amount, days later or never, and adds movements of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

import pytest

from api.engine import reading
from bank_adapters.statements import OutgoingEntry
from reconciliation import Reconcile, prove
from reconciliation.position import Proof
from tests.databases import Database
from tests.reconciliation.books import ACCOUNT, GOVERNMENT, Book, book_of, out, sp2d

FIRST = date(2026, 11, 11)
DAYS = 5
SEEDS = (1, 2, 3)


@dataclass
class Truth:
    """What the bank knows: which line (by its own reference) is which journal."""

    #: Lines by the document that they name whole and their amount.
    named: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    amounts: dict[int, int] = field(default_factory=dict)

    def decidable(self) -> set[tuple[str, str]]:
        """(line, journal) where just one line names a document of ours whole, with its amount."""
        return {
            (lines[0], f"R-{number:05d}")
            for (number, sen), lines in self.named.items()
            if len(lines) == 1 and self.amounts.get(number) == sen
        }


def _play(book: Book, rng: Random, count: int) -> Truth:
    """Post *count* journals over the days, and deliver the bank's statements of these days."""
    truth = Truth()
    days: list[list[OutgoingEntry]] = [[] for _ in range(DAYS)]
    serial = 0

    def line(day: int, sen: int, text: str, named: int = 0) -> None:
        nonlocal serial
        serial += 1
        reference = f"BNK{serial:06d}"
        days[min(day, DAYS - 1)].append(
            out(sen, text, on=FIRST + timedelta(days=min(day, DAYS - 1)), bank_ref=reference)
        )
        if named:
            truth.named.setdefault((named, sen), []).append(reference)

    for n in range(count):
        day, number = rng.randrange(DAYS), n + 1
        # Few amounts, so that many entries are alike but for their document.
        sen = rng.choice([100_00, 250_00, 1_000_00, rng.randrange(1, 10**8)])
        sen = -sen if rng.random() < 0.8 else sen
        journal = f"R-{number:05d}"
        truth.amounts[number] = sen
        on = (FIRST + timedelta(days=day)).isoformat()
        book.post(journal, sen, document_no=sp2d(number), on=on)
        later = day + rng.choice([0, 0, 0, 1, 2])
        kind = rng.random()
        if later >= DAYS:
            continue
        if kind < 0.70:
            line(later, sen, f"SP2D {sp2d(number)} PT {n}", number)
        elif kind < 0.78:
            line(later, sen, f"SP2D {sp2d(number)[: rng.choice([24, 30, 36, 40])]}")
        elif kind < 0.82:
            line(later, sen + rng.choice([-1, 1]), f"SP2D {sp2d(number)}", number)
        elif kind < 0.86:
            for _ in range(2):
                line(later, sen, f"SP2D {sp2d(number)} GANDA", number)
        elif kind < 0.90:
            line(later, sen, "TANPA KETERANGAN")
        elif kind < 0.93:
            # A typing error that makes it another, existing document.
            other = rng.randrange(1, count + 1)
            line(later, sen, f"SP2D {sp2d(other)} SALAH KETIK", other)
    for _ in range(count // 10):
        line(rng.randrange(DAYS), rng.choice([-5_00, 7_00, 100_00]), "BIAYA")
    for n, lines in enumerate(days):
        rng.shuffle(lines)
        book.deliver(lines, on=FIRST + timedelta(days=n))
    return truth


def _pairs(run: Reconcile) -> list[tuple[str, str]]:
    """(bank reference, journal reference) of the automatic matches of the run's file."""
    assert run.outcome is not None
    found: dict[str, list[str]] = {}
    for row in run.outcome.matches:
        if row.status == "auto" and row.stage != "reversal":
            found.setdefault(row.match_id, []).append(row.bank_reference or row.journal_reference)
    return [(bank, journal) for bank, journal in found.values()]


def _proof(book: Book, through: date, known_at: int | None = None) -> Proof:
    with reading(book.engine) as conn:
        return prove(conn, GOVERNMENT, ACCOUNT, through.isoformat(), known_at=known_at)


@pytest.mark.parametrize("seed", SEEDS)
def test_books_against_a_bank_that_knows_are_matched_without_error(
    database: Database, seed: int
) -> None:
    """
    The automatic matches are those whose document the bank named whole and once, with its amount: no
    other, and none less. The proof is 0.00 on every day, a second run adds nothing, the check is clean.
    """
    with book_of(database) as book:
        truth = _play(book, Random(seed), 150)

        run = book.reconcile()
        again = book.reconcile()

        assert truth.decidable() == set(_pairs(run))
        assert run.outcome is not None
        assert again.outcome is not None
        assert 0 == sum(again.outcome.stages.values())
        assert run.outcome.matches == again.outcome.matches
        for day in range(DAYS):
            assert 0 == _proof(book, FIRST + timedelta(days=day)).difference_sen
        assert [] == book.findings()


@pytest.mark.parametrize("seed", SEEDS)
def test_proof_from_history_is_the_proof_from_the_working_set(
    database: Database, seed: int
) -> None:
    """The state of now, asked for as a state of knowledge, lists the same items."""
    with book_of(database) as book:
        _play(book, Random(seed), 60)
        book.reconcile((FIRST + timedelta(days=2)).isoformat())
        book.reconcile()
        ((now,),) = book.rows("SELECT batch_seq FROM log_edge")

        for day in range(DAYS):
            through = FIRST + timedelta(days=day)
            fast, slow = _proof(book, through), _proof(book, through, known_at=now)
            assert [(i.side, i.item, i.match) for i in fast.items] == [
                (i.side, i.item, i.match) for i in slow.items
            ]
            assert (fast.bank_sen, fast.book_sen, 0) == (
                slow.bank_sen,
                slow.book_sen,
                slow.difference_sen,
            )


def test_runs_day_by_day_decide_all_that_one_run_decides(database: Database) -> None:
    """With one run a day after each statement every match of a single run at the end is there."""
    with book_of(database) as book:
        truth = _play(book, Random(7), 120)
        for day in range(DAYS):
            daily = book.reconcile((FIRST + timedelta(days=day)).isoformat())
        pairs = _pairs(daily)

    assert truth.decidable() <= set(pairs)
    assert len({bank for bank, _ in pairs}) == len(pairs) == len({j for _, j in pairs})
