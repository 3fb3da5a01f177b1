"""Matching by exact key and amount, and what is left open."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import date

import pytest

from api.engine import reading
from ledger.answers import Idempotency
from ledger.commands import PostJournal, journal_answer
from ledger.journals import Draft, Line, parse_body
from ledger.opening import ADMIN_1, ADMIN_2
from ledger.session import Answer, Session, Wants
from ledger.settings import Settings
from reconciliation import Reconcile, cash_position, payments_seen, prove
from reconciliation.position import OpenLine
from tests.databases import Database
from tests.reconciliation.books import (
    ACCOUNT,
    CASH,
    EXPENSE,
    GOVERNMENT,
    OPENING_SEN,
    Book,
    book_of,
    out,
    sent_payments,
    sp2d,
)

D12 = date(2026, 11, 12)


def _reasons(run: Reconcile) -> list[tuple[str, int, str]]:
    outcome = run.outcome
    assert outcome is not None
    return [(item.side, item.amount_sen, item.reason) for item in outcome.proof.items]


def _difference(run: Reconcile) -> int:
    assert run.outcome is not None
    return run.outcome.proof.difference_sen


def _stages(run: Reconcile) -> dict[str, int]:
    assert run.outcome is not None
    return {name: count for name, count in run.outcome.stages.items() if count}


def test_key_and_amount_unique_on_both_sides_are_matched(book: Book) -> None:
    """A debit that names the SP2D of an entry with its amount is that entry; the proof is 0.00."""
    book.post("R-1", -500_00, document_no=sp2d(1))
    book.deliver([out(-500_00, f"SP2D {sp2d(1)} PT X", bank_ref="BNK1")])

    run = book.reconcile()

    assert {"exact_document": 1} == _stages(run)
    assert (0, []) == (_difference(run), _reasons(run))
    assert run.outcome is not None
    assert [
        ("1", "auto", "exact_document", "BNK1", "00001", "5", "", "", "-500.00"),
        ("1", "auto", "exact_document", "", "", "", "R-1", "2", "-500.00"),
    ] == [tuple(row) for row in run.outcome.matches]
    assert [] == book.findings()


def test_match_keeps_its_evidence(book: Book) -> None:
    """A decision stores stage, rule version, both days, key, amount, and how many others it had."""
    book.post("R-1", -500_00, document_no=sp2d(1), on="2026-11-10")
    book.post("R-2", -500_00, document_no=sp2d(2))
    book.deliver([out(-500_00, sp2d(1))])

    book.reconcile()

    assert [
        (
            "exact_document",
            "2",
            '{"amount":"-500.00","bank_on":"2026-11-11","book_on":"2026-11-10",'
            '"key":"sp2d:000001/LS/1.02.0.00.0.00.01.0000/P.01/11/2026"}',
            1,
        )
    ] == book.rows("SELECT stage, rule_version, evidence, runner_up FROM reconciliation_match")


@pytest.mark.parametrize(
    ("document_no", "batch_no", "reference", "narrative", "ref", "stage"),
    [
        (sp2d(9), "", "R-0009", f"X {sp2d(9)}", None, "exact_document"),
        ("STS/RKUD/0009", "", "R-0009", "SETOR STS/RKUD/0009 A", None, "exact_document"),
        ("", "GAJI-2026-11", "R-0009", "BATCH GAJI-2026-11 NOV", None, "exact_reference"),
        ("", "", "TX-2026-09", "A", "TX-2026-09", "exact_reference"),
        ("", "", "SP2D-2026-000009", "A", "SP2D-2026-000009", "exact_reference"),
        ("00009/SP2D-BKAD/XI/2026", "", "R-9", "00009/SP2D-BKAD/XI/2026PT", None, "exact_document"),
    ],
)
def test_reference_of_each_kind_is_found(
    book: Book,
    document_no: str,
    batch_no: str,
    reference: str,
    narrative: str,
    ref: str | None,
    stage: str,
) -> None:
    """Document, batch and journal reference each lead to the entry."""
    book.post(reference, -500_00, document_no=document_no, batch_no=batch_no)
    book.deliver([out(-500_00, narrative, ref=ref)])

    assert {stage: 1} == _stages(book.reconcile())


def test_run_again_adds_nothing(book: Book) -> None:
    """A second run over the same books finds nothing more to decide."""
    for n in range(5):
        book.post(f"R-{n}", -100_00 * (n + 1), document_no=sp2d(n))
    book.deliver([out(-100_00 * (n + 1), sp2d(n)) for n in range(4)])
    first = book.reconcile()

    second = book.reconcile()

    assert {"exact_document": 4} == _stages(first)
    assert {} == _stages(second)
    assert _reasons(first) == _reasons(second)
    assert 4 == book.count("reconciliation_match")


def test_amount_that_differs_is_an_exception_on_both_sides(book: Book) -> None:
    """The right number with another amount is never matched, and says so."""
    book.post("R-1", -500_00, document_no=sp2d(1))
    book.deliver([out(-499_99, sp2d(1))])

    run = book.reconcile()

    assert [("bank", -499_99, "amount_differs"), ("book", -500_00, "amount_differs")] == _reasons(
        run
    )
    assert 0 == _difference(run)


def test_direction_that_differs_is_not_a_match(book: Book) -> None:
    """Money out in the books and money in at the bank are two items."""
    book.post("R-1", -500_00, document_no=sp2d(1))
    book.deliver([out(500_00, f"RETUR {sp2d(1)}")])

    assert {} == _stages(book.reconcile())


def test_twins_at_the_bank_are_left_open(book: Book) -> None:
    """Two equal debits for one entry are not decided between."""
    book.post("R-1", -500_00, document_no=sp2d(1))
    book.deliver([out(-500_00, sp2d(1)), out(-500_00, sp2d(1))])

    run = book.reconcile()

    assert {} == _stages(run)
    assert {"ambiguous"} == {reason for _, _, reason in _reasons(run)}
    assert 0 == _difference(run)


def test_entries_of_one_document_and_amount_are_left_open(book: Book) -> None:
    """Two recipients of one SP2D with the same net cannot be told apart by its number."""
    book.post("R-1", -500_00, document_no=sp2d(1))
    book.post("R-2", -500_00, document_no=sp2d(1))
    book.deliver([out(-500_00, sp2d(1))])

    assert {} == _stages(book.reconcile())


def test_ambiguous_by_document_is_not_decided_by_a_weaker_key(book: Book) -> None:
    """What the stronger stage could not tell apart no later stage decides."""
    book.post("TX-2026-01", -500_00, document_no=sp2d(1))
    book.post("TX-2026-02", -500_00, document_no=sp2d(1))
    book.deliver([out(-500_00, sp2d(1), ref="TX-2026-01")])

    assert {} == _stages(book.reconcile())


def test_line_naming_another_document_is_not_matched_by_reference(book: Book) -> None:
    """An equal reference and amount do not outweigh two different SP2D numbers."""
    book.post("TX-2026-01", -500_00, document_no=sp2d(1))
    book.deliver([out(-500_00, sp2d(2), ref="TX-2026-01")])

    run = book.reconcile()

    assert {} == _stages(run)
    assert 0 == _difference(run)


def test_truncated_number_is_a_suggestion(book: Book) -> None:
    """A number that the bank cut off points to its entry and decides nothing."""
    book.post("R-1", -500_00, document_no=sp2d(1))
    book.deliver([out(-500_00, f"SP2D {sp2d(1)[:36]}", bank_ref="BNK1")])

    run = book.reconcile()

    assert run.outcome is not None
    assert ({}, 1) == (_stages(run), run.outcome.suggested)
    assert [("suggest", "BNK1", ""), ("suggest", "", "R-1")] == [
        (row.status, row.bank_reference, row.journal_reference) for row in run.outcome.matches
    ]
    assert [("bank", -500_00, "suggested"), ("book", -500_00, "suggested")] == _reasons(run)


def test_truncated_number_of_two_entries_suggests_none(book: Book) -> None:
    """Where two open entries begin alike with one amount, none is suggested."""
    book.post("R-1", -500_00, document_no=sp2d(1))
    book.post("R-2", -500_00, document_no=sp2d(1).replace("P.01", "P.02"))
    book.deliver([out(-500_00, f"SP2D {sp2d(1)[:30]}")])

    run = book.reconcile()

    assert run.outcome is not None
    assert 0 == run.outcome.suggested


def test_reference_cut_at_sixteen_is_not_taken_for_a_shorter_one(book: Book) -> None:
    """A full 16-character field may be the beginning of a longer reference of the same amount."""
    book.post("SP2D-2026-000012", -500_00)
    book.post("SP2D-2026-0000123", -500_00)
    book.deliver([out(-500_00, "A", ref="SP2D-2026-000012")])

    assert {} == _stages(book.reconcile())


def test_unknown_items_are_named_on_both_sides(book: Book) -> None:
    """Fee, interest, return, unknown credit and debit, outstanding and in transit: each its name."""
    book.post("R-1", -500_00, document_no=sp2d(1))
    book.post("R-2", 300_00, document_no="STS/RKUD/0002")
    book.deliver(
        [
            out(-5_00, "BIAYA ADM", code="NCHG"),
            out(9_00, "JASA GIRO", code="NINT"),
            out(70_00, "RETUR DANA"),
            out(80_00, "SETORAN"),
            out(-90_00, "TARIKAN"),
        ]
    )

    run = book.reconcile()

    assert {
        (-5_00, "bank_charge"),
        (9_00, "bank_interest"),
        (70_00, "returned_payment"),
        (80_00, "unknown_credit"),
        (-90_00, "unknown_debit"),
        (-500_00, "outstanding_payment"),
        (300_00, "deposit_in_transit"),
    } == {(amount, reason) for _, amount, reason in _reasons(run)}
    assert 0 == _difference(run)
    assert run.outcome is not None
    figures = {row.name: row.amount_sen for row in run.outcome.proof.rows()}
    assert (OPENING_SEN + 64_00, OPENING_SEN - 200_00) == (
        figures["bank_closing"],
        figures["book_balance"],
    )
    assert OPENING_SEN - 136_00 == figures["adjusted_bank"] == figures["adjusted_book"]


def test_reversed_entry_pairs_with_its_reversal(book: Book) -> None:
    """A journal and its reversal on the account cancel each other once the bank has reported."""
    journal = book.post("R-1", -500_00, document_no=sp2d(1))
    book.reverse(journal, "R-1X")
    book.deliver([out(-1_00, "A")])

    run = book.reconcile()

    assert {"reversal": 1} == _stages(run)
    assert [("bank", -1_00, "unknown_debit")] == _reasons(run)
    assert 0 == _difference(run)
    assert [] == book.findings()


def test_reversal_waits_for_the_bank_to_report_its_day(book: Book) -> None:
    """Before the bank has reported both days the original may still be executed."""
    book.deliver([])
    journal = book.post("R-1", -500_00, document_no=sp2d(1), on="2026-11-12")
    book.reverse(journal, "R-1X", on="2026-11-12")

    assert {} == _stages(book.reconcile("2026-11-12"))


def test_returned_payment_matches_original_and_reversal(book: Book) -> None:
    """A debit and its return name one SP2D; each matches the entry of its direction."""
    journal = book.post("R-1", -500_00, document_no=sp2d(1))
    book.reverse(journal, "R-1X")
    book.deliver([out(-500_00, sp2d(1)), out(500_00, f"RETUR {sp2d(1)}")])

    run = book.reconcile()

    assert ({"exact_document": 2}, []) == (_stages(run), _reasons(run))


def test_dry_run_keeps_nothing(book: Book) -> None:
    """A dry run answers what a run would, and leaves no row."""
    book.post("R-1", -500_00, document_no=sp2d(1))
    book.deliver([out(-500_00, sp2d(1), bank_ref="BNK1")])
    before = book.everything()

    run = book.reconcile(dry_run=True)

    assert {"exact_document": 1} == _stages(run)
    assert run.outcome is not None
    assert 2 == len(run.outcome.matches)
    assert before == book.everything()
    assert {"exact_document": 1} == _stages(book.reconcile())


def test_run_through_a_day_decides_nothing_after_it(book: Book) -> None:
    """Items dated after the day stay open, and the proof is the one of that day."""
    book.post("R-1", -500_00, document_no=sp2d(1), on="2026-11-11")
    book.post("R-2", -600_00, document_no=sp2d(2), on="2026-11-12")
    book.deliver([out(-500_00, sp2d(1))])
    book.deliver([out(-600_00, sp2d(2), on=D12)], on=D12)

    run = book.reconcile("2026-11-11")

    assert ({"exact_document": 1}, 0, []) == (_stages(run), _difference(run), _reasons(run))
    assert {"exact_document": 1} == _stages(book.reconcile())


def test_proof_of_a_past_day_shows_what_was_outstanding(book: Book) -> None:
    """An entry of the 11th that the bank paid on the 12th was outstanding on the 11th."""
    book.post("R-1", -500_00, document_no=sp2d(1), on="2026-11-11")
    book.deliver([])
    book.deliver([out(-500_00, sp2d(1), on=D12)], on=D12)
    book.reconcile()

    with reading(book.engine) as conn:
        past = prove(conn, GOVERNMENT, ACCOUNT, "2026-11-11")
        now = prove(conn, GOVERNMENT, ACCOUNT, "2026-11-12")

    assert [("book", -500_00, "matched_later", 1)] == [
        (item.side, item.amount_sen, item.reason, item.match) for item in past.items
    ]
    assert (0, 0, []) == (past.difference_sen, now.difference_sen, list(now.items))


def test_proof_as_known_then_does_not_know_later_acts(book: Book) -> None:
    """What was known after a batch leaves out matches, entries and lines of later ones."""
    book.post("R-1", -500_00, document_no=sp2d(1))
    book.deliver([out(-500_00, sp2d(1))])
    (then,) = book.rows("SELECT batch_seq FROM log_edge")[0]
    book.reconcile()
    book.post("R-2", -70_00)

    with reading(book.engine) as conn:
        past = prove(conn, GOVERNMENT, ACCOUNT, "2026-11-11", known_at=then)
        now = prove(conn, GOVERNMENT, ACCOUNT, "2026-11-11")

    # The line's entry was not yet taken in by a run: both halves were open.
    assert [("bank", -500_00), ("book", -500_00)] == _sides(past.items)
    assert [("book", -70_00)] == _sides(now.items)
    assert (0, 0) == (past.difference_sen, now.difference_sen)


def _sides(items: object) -> list[tuple[str, int]]:
    assert isinstance(items, list)
    return [(i.side, i.amount_sen) for i in items if isinstance(i, OpenLine)]


def test_entry_before_the_chain_is_covered_by_the_opening(book: Book) -> None:
    """Movements before the first reported day stand in the bank's opening and are no items."""
    book.post("R-0", -500_00, on="2026-11-02")
    book.balance_sen -= 500_00
    book.deliver([out(-1_00, "A")])

    run = book.reconcile()

    assert ([("bank", -1_00, "unknown_debit")], 0) == (_reasons(run), _difference(run))
    assert run.outcome is not None
    opening = run.outcome.proof.opening
    assert (2, OPENING_SEN - 500_00, 0) == (
        opening.entries,
        opening.book_sen,
        opening.difference_sen,
    )


def test_opening_that_differs_is_the_difference_and_no_item(book: Book) -> None:
    """Books and bank that begin apart stay apart to the sen, and nothing is listed for it."""
    book.balance_sen += 12_34
    book.deliver([out(-1_00, "A")])

    run = book.reconcile()

    assert (12_34, 1) == (_difference(run), len(_reasons(run)))


@dataclass(frozen=True, slots=True)
class _Titled:
    """A cash journal of another act that is called an opening."""

    source: str
    reverses: int | None = None
    by: str = ADMIN_1
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:
        return Wants(references=("T-1",))

    def apply(self, session: Session) -> Answer:
        lines = [
            Line("PPKD", "FIN", CASH, 70_00, ACCOUNT),
            Line("PPKD", "FIN", EXPENSE, -70_00),
        ]
        draft = Draft("T-1", "2026-11-11", "opening", "x", lines, ADMIN_1, ADMIN_2, self.source)
        draft.reverses, draft.is_fact = self.reverses, True
        return journal_answer(session, session.post(draft))


@pytest.mark.parametrize(
    "titled", [_Titled("document"), _Titled("bank", reverses=1), _Titled("feed", reverses=1)]
)
def test_journal_that_is_called_an_opening_is_an_item(book: Book, titled: _Titled) -> None:
    """Only the journal that opened the book is held against the bank's opening figure."""
    book.do(titled)
    book.deliver([])

    run = book.reconcile()

    assert ([("book", 70_00, "deposit_in_transit")], 0) == (_reasons(run), _difference(run))
    assert run.outcome is not None
    assert (1, 0) == (
        run.outcome.proof.opening.entries,
        run.outcome.proof.opening.difference_sen,
    )
    assert [] == book.findings()


@pytest.mark.parametrize("day", ["2026-11-10", "2026-11-11"])
def test_feed_that_calls_itself_an_opening_is_refused(book: Book, day: str) -> None:
    """It could have hidden cash from both sides of the proof."""
    lines = [{"account": CASH, "debit": "70.00"}, {"account": EXPENSE, "credit": "70.00"}]
    body = {"reference": "R-1", "effective_on": day, "kind": "opening", "description": "x"}
    journal = parse_body(json.dumps(body | {"lines": lines}).encode())

    assert "reserved_kind" == book.refusal(PostJournal("svc-feed", journal)).code


def test_opening_of_the_book_inside_the_first_statement_is_no_item(database: Database) -> None:
    """The book's own opening is held against the bank's, also where the statement holds its day."""
    with book_of(database, opening_on="2026-11-11") as book:
        book.deliver([out(-1_00, "A")])

        run = book.reconcile()

    assert ([("bank", -1_00, "unknown_debit")], 0) == (_reasons(run), _difference(run))


def test_entry_outstanding_when_the_chain_began_is_matched(book: Book) -> None:
    """An SP2D issued before the first statement and paid after it is found by its number."""
    book.post("R-0", -500_00, document_no=sp2d(1), on="2026-11-02")
    book.deliver([])
    book.deliver([out(-500_00, sp2d(1), on=D12)], on=D12)
    book.reconcile()

    with reading(book.engine) as conn:
        past = prove(conn, GOVERNMENT, ACCOUNT, "2026-11-11")
        now = prove(conn, GOVERNMENT, ACCOUNT, "2026-11-12")

    assert (0, ["matched_later"]) == (past.difference_sen, [i.reason for i in past.items])
    assert (0, []) == (now.difference_sen, list(now.items))


def test_run_without_a_statement_is_refused(book: Book) -> None:
    """There is no proof without a figure of the bank."""
    assert "no_statement" == book.refusal(Reconcile("svc-reconcile", ACCOUNT)).code
    assert (
        "no_statement"
        == book.refusal(Reconcile("svc-reconcile", ACCOUNT, through="2026-01-01")).code
    )


def test_run_through_tomorrow_is_refused(book: Book) -> None:
    """A cut-off that has not come is no cut-off."""
    book.deliver([])
    refused = book.refusal(Reconcile("svc-reconcile", ACCOUNT, through="2026-11-22"))

    assert "future_effective_date" == refused.code


def test_journals_since_the_last_run_are_in_the_proof(book: Book) -> None:
    """The proof read between two runs knows the newest journals."""
    book.deliver([])
    book.reconcile()
    book.post("R-1", -500_00, document_no=sp2d(1))

    with reading(book.engine) as conn:
        proof = prove(conn, GOVERNMENT, ACCOUNT, "2026-11-11")

    assert ([("book", -500_00)], 0) == (_sides(proof.items), proof.difference_sen)


def test_payment_debited_and_not_recorded_is_seen(book: Book, database: Database) -> None:
    """A debit that names a payment of ours with its amount is told with its evidence."""
    sent_payments(database, {"P26-00000001": 500_00, "P26-00000002": 700_00})
    book.deliver([out(-500_00, "TRF P26-00000001"), out(-699_00, "TRF P26-00000002")])
    run = book.reconcile()

    with reading(book.engine) as conn:
        seen = payments_seen(conn, GOVERNMENT, ACCOUNT)

    (sha256,) = book.rows("SELECT sha256 FROM statement_file")[0]
    assert [("P26-00000001", 1, "2026-11-11", 500_00, sha256, 1)] == [tuple(each) for each in seen]
    assert [("bank", -699_00, "unknown_debit"), ("bank", -500_00, "payment_not_booked")] == sorted(
        _reasons(run)
    )


def test_cash_position_of_a_day_is_told_with_the_banks_figure(book: Book) -> None:
    """Yesterday's balance, in, out and today's, beside the bank's own closing."""
    book.post("R-1", -500_00, document_no=sp2d(1))
    book.post("R-2", 300_00)
    book.deliver([out(-500_00, sp2d(1))])

    with reading(book.engine) as conn:
        position = cash_position(conn, GOVERNMENT, ACCOUNT, "2026-11-11")

    assert (OPENING_SEN, 300_00, 500_00, OPENING_SEN - 200_00, OPENING_SEN - 500_00) == (
        position.opening_sen,
        position.receipts_sen,
        position.payments_sen,
        position.closing_sen,
        position.bank_sen,
    )


def test_ten_thousand_lines_are_reconciled_in_seconds(book: Book) -> None:
    """A day of 10,000 lines is taken in, matched and proven within the time of a coffee."""
    count = 10_000
    book.post_many([(f"R-{n}", -100 * (n + 1), sp2d(n)) for n in range(count)])
    data = book.statement([out(-100 * (n + 1), sp2d(n)) for n in range(count)])
    began = time.perf_counter()

    book.take(data)
    run = book.reconcile()

    # Far above what it takes on a quiet machine, far below anything that is not set-based.
    assert time.perf_counter() - began < 60
    assert ({"exact_document": count}, 0, []) == (_stages(run), _difference(run), _reasons(run))
    assert {} == _stages(book.reconcile())
