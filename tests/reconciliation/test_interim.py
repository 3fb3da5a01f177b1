"""Intraday reports and advices: told of once, confirmed by the day's statement, or an exception."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from api.engine import begin, reading
from reconciliation.exceptional_lines import back_dated_lines, provisional_lines
from tests.reconciliation.books import (
    ACCOUNT,
    GOVERNMENT,
    OPENING_SEN,
    Book,
    out,
    sp2d,
)

D10, D11, D12, D13 = (date(2026, 11, day) for day in (10, 11, 12, 13))


def told(book: Book) -> list[tuple[int, str, int]]:
    """(amount in sen, state, bank line) of every provisional line."""
    with reading(book.engine) as conn:
        found = provisional_lines(conn, GOVERNMENT, bank_account=ACCOUNT)
    return [(each.amount_sen, each.state, each.line) for each in found]


@pytest.mark.parametrize("kind", ["camt.052", "camt.054", "mt942"])
def test_interim_report_tells_of_lines_that_no_proof_counts(book: Book, kind: str) -> None:
    """An intraday report or an advice gives provisional lines, and nothing for a run or a proof."""
    book.deliver([out(-1_00, "A")])
    book.post("R-1", -500_00, document_no=sp2d(1), on="2026-11-12")
    data = book.report([out(-500_00, sp2d(1), on=D12)], on=D12, kind=kind)

    answer = book.take(data)
    run = book.reconcile(through="2026-11-12")

    assert (0, 1, "provisional", "advice" if kind == "camt.054" else "intraday") == (
        answer["new"],
        answer["provisional"],
        answer["statements"][0]["status"],
        answer["statements"][0]["kind"],
    )
    assert [(-500_00, "awaiting", 0)] == told(book)
    assert 1 == book.count("bank_line")
    assert run.outcome is not None
    assert [] == list(run.outcome.matches)
    assert OPENING_SEN - 1_00 == run.outcome.proof.bank_sen
    assert [data] == [
        bytes(row[0])
        for row in book.rows(
            "SELECT c.content FROM statement_file_content c JOIN delivery d ON d.file_sha256 = c.sha256"
        )
    ]
    assert [] == book.findings()


def test_report_imported_again_changes_nothing(book: Book) -> None:
    """The same bytes a second time are a replay: no row, no leaf."""
    data = book.report([out(-1_00, "A")], on=D11)
    book.take(data)
    before = book.everything()

    answer = book.take(data)

    assert (True, 0) == (answer["replayed"], answer["provisional"])
    assert before == book.everything()


def test_reports_that_overlap_tell_of_each_line_once(book: Book) -> None:
    """A later pull repeats the earlier ones and adds only its surplus; true twins stay two."""
    first, twin = out(-1_00, "A"), out(-2_00, "BIAYA")
    book.take(book.report([twin], on=D11))
    answer = book.take(book.report([first, twin, twin], on=D11))
    book.take(book.report([twin, first], on=D11, number=9))

    assert (2, 1) == (answer["provisional"], answer["statements"][0]["confirmed"])
    assert [(-2_00, "awaiting", 0), (-1_00, "awaiting", 0), (-2_00, "awaiting", 0)] == told(book)
    assert [(1,), (2,), (3,)] == book.rows("SELECT occurrence FROM provisional_line ORDER BY id")
    assert 3 == book.count("provisional_line_delivery")
    assert [] == book.findings()


def test_end_of_day_statement_confirms_what_was_told(book: Book) -> None:
    """Its lines are linked to the provisional ones, twin for twin, whatever the format."""
    twin = out(-2_00, "BIAYA")
    book.take(book.report([out(-1_00, "A", bank_ref="B1"), twin], on=D11, kind="mt942"))
    answer = book.deliver([twin, out(-1_00, "A", bank_ref="B1"), twin])

    assert 2 == answer["statements"][0]["provisional_booked"]
    assert [(-1_00, "confirmed", 2), (-2_00, "confirmed", 1)] == told(book)
    assert 3 == book.count("bank_line")
    assert [] == book.findings()
    assert [] == book.notes()


def test_report_that_comes_late_is_confirmed_at_once(book: Book) -> None:
    """A pull of a day that is closed is linked to the lines that its statement brought."""
    twin = out(-2_00, "BIAYA")
    book.take(book.report([twin], on=D11))
    book.deliver([twin, twin])
    answer = book.take(book.report([twin, twin], on=D11))

    assert (1, 1, 1) == tuple(
        answer["statements"][0][name] for name in ("new", "confirmed", "provisional_booked")
    )
    assert [(-2_00, "confirmed", 1), (-2_00, "confirmed", 2)] == told(book)
    assert 2 == book.count("bank_line")
    assert [] == book.findings()


def test_advice_of_the_line_of_a_report_is_the_same_line(book: Book) -> None:
    """The kinds of deliveries share their lines."""
    line = out(-1_00, "A", bank_ref="B1")
    book.take(book.report([line], on=D11, kind="camt.054"))
    book.take(book.report([line], on=D11, kind="camt.052"))

    assert 1 == book.count("provisional_line")


EXCEPTIONS: dict[str, tuple[str, int, Any, Any]] = {
    "gone": ("not_booked", 0, out(-1_00, "A", bank_ref="B1"), out(-9_00, "Z", bank_ref="B9")),
    "another amount": (
        "amount_differs",
        1,
        out(-1_00, "A", bank_ref="B1"),
        out(-1_01, "A", bank_ref="B1"),
    ),
    "another amount under our reference": (
        "amount_differs",
        1,
        out(-1_00, "A", ref="R1"),
        out(-1_01, "A", ref="R1"),
    ),
    "another day": (
        "day_differs",
        1,
        out(-1_00, "A", bank_ref="B1"),
        out(-1_00, "A", bank_ref="B1", on=D12),
    ),
    "another text": ("text_differs", 1, out(-1_00, "A"), out(-1_00, "B")),
    "another reference": (
        "text_differs",
        1,
        out(-1_00, "A", bank_ref="B1"),
        out(-1_00, "A", bank_ref="B2"),
    ),
}


@pytest.mark.parametrize("case", EXCEPTIONS)
def test_line_told_that_the_statement_lacks_is_an_exception(book: Book, case: str) -> None:
    """It is named once its day is closed, with the line that contradicts it, and noted by the check."""
    state, line, said, is_booked = EXCEPTIONS[case]
    book.take(book.report([said], on=D11))
    book.deliver([is_booked], on=D12)

    assert [(said.amount.sen, state, line)] == told(book)
    assert [(f"provisional_line_{state}", "1")] == book.notes()
    assert [] == book.findings()


def test_line_told_that_a_later_statement_has_is_confirmed_after_all(book: Book) -> None:
    """The exception ends when the bank books the line on its day after all."""
    book.take(book.report([out(-1_00, "A")], on=D11))
    book.deliver([out(-5_00, "B")], on=D11)
    assert [(-1_00, "not_booked", 0)] == told(book)

    book.deliver([out(-1_00, "A", on=D11)], on=D12)

    assert [(-1_00, "confirmed", 2)] == told(book)
    assert [("back_dated_line", "2")] == book.notes()


Make = Callable[[Book], bytes]
REFUSED: dict[str, tuple[str, Make]] = {
    "another account": (
        "foreign_account",
        lambda book: book.report([out(-1_00, "A")], on=D11, account="0010012345679"),
    ),
    "dollars": (
        "foreign_currency",
        lambda book: book.report([out(-1_00, "A")], on=D11, currency="USD"),
    ),
    "tomorrow": (
        "future_statement",
        lambda book: book.report([out(-1_00, "A", on=date(2026, 11, 22))], on=D11),
    ),
    "more than a column holds": (
        "incomplete_statement",
        lambda book: book.report([out(-(10**18), "A")], on=D11, kind="mt942"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_report_at_fault_is_refused_and_changes_nothing(book: Book, case: str) -> None:
    """The same names as for statements, and no trace."""
    code, make = REFUSED[case]
    before = book.everything()

    error = book.refused(make(book), name="hari-ini.xml")

    assert (code, "hari-ini.xml") == (error.code, error.values["file"])
    assert before == book.everything()


def test_report_at_fault_is_quarantined_when_asked(book: Book) -> None:
    """It is kept aside by its rule like a statement, and tells of no line."""
    data = book.report([out(-1_00, "A")], on=D11, account="0010012345679")

    answer = book.take(data, quarantine=True)

    assert ("quarantined", "foreign_account", "intraday") == tuple(
        answer["statements"][0][name] for name in ("status", "rule", "kind")
    )
    assert 0 == book.count("provisional_line")
    assert [] == book.findings()


def test_report_of_an_erased_narrative_is_known_by_the_rest(book: Book) -> None:
    """After a text is erased the line is told of again, not twice, and its booking confirms it."""
    line = out(-1_00, "A BUDI")
    book.take(book.report([line], on=D11))
    with begin(book.engine) as conn:
        conn.execute(text("DELETE FROM private_value WHERE value LIKE '%BUDI'"))
    book.take(book.report([line], on=D11, number=2))
    book.deliver([line])

    assert [(-1_00, "confirmed", 1)] == told(book)
    assert 1 == book.count("provisional_line")


# --- back-dated lines ---------------------------------------------------------------------------


def test_line_booked_back_is_of_the_statement_that_brings_it(book: Book) -> None:
    """It is flagged with its position, and what was proven of the past stays."""
    book.deliver([out(-1_00, "A")], on=D11)
    proven = book.reconcile(through="2026-11-11").outcome
    answer = book.deliver([out(-2_00, "KOREKSI", on=D11), out(-3_00, "C", on=D12)], on=D12)

    again = book.reconcile(through="2026-11-11").outcome
    ((position,),) = book.rows("SELECT position FROM bank_line WHERE amount_sen = -200")
    assert [position] == answer["statements"][0]["back_dated"]
    assert proven is not None and again is not None
    assert (proven.proof.bank_sen, len(proven.proof.items)) == (
        again.proof.bank_sen,
        len(again.proof.items),
    )
    assert [("back_dated_line", "2")] == book.notes()
    with reading(book.engine) as conn:
        (late,) = back_dated_lines(conn, GOVERNMENT, bank_account=ACCOUNT)
    assert (2, position, "2026-11-11", "2026-11-11") == (
        late.line,
        late.position,
        late.booked_on,
        late.closed_on,
    )
    assert [] == book.findings()


def test_second_statement_of_a_day_is_not_back_dated(book: Book) -> None:
    """It goes on with a day that the first one had begun."""
    book.deliver([out(-1_00, "A")], on=D11)
    answer = book.deliver([out(-2_00, "B", on=D11)], on=D11)

    assert [] == answer["statements"][0]["back_dated"]
    assert [] == book.notes()


# --- the second home ----------------------------------------------------------------------------

RAW: dict[str, tuple[str, str]] = {
    "line of a finished delivery": (
        "INSERT INTO provisional_line SELECT government, 99, bank_account, delivery_id, 99, booked_on, 99,"
        " value_on, entry_on, booked_time, amount_sen, reversal, bank_reference, reference,"
        " transaction_code, narrative_c, counterparty_c, batch_seq FROM provisional_line WHERE id = 1",
        "delivery_complete",
    ),
    "delivery of other lines": (
        "INSERT INTO delivery SELECT government, 99, bank_account, file_sha256, 9, kind, statement_no, page,"
        " 3, 3, 0, 0, booked_count, lines_sha256, deliveries_sha256, booked_sha256, imported_by,"
        " batch_seq, leaf_index FROM delivery WHERE id = 1",
        "delivery_differs",
    ),
    "booked by a line of another amount": (
        "INSERT INTO provisional_booked VALUES ('36', 2, 2, 1, 1)",
        "booked_differs",
    ),
    "booked twice": (
        "INSERT INTO provisional_booked VALUES ('36', 1, 3, 1, 1)",
        "booked_differs",
    ),
    "line changed": ("UPDATE provisional_line SET amount_sen = 1", "append_only"),
    "delivery deleted": ("DELETE FROM provisional_line_delivery", "append_only"),
    "confirmation deleted": ("DELETE FROM provisional_booked", "append_only"),
}


@pytest.mark.parametrize("case", RAW)
def test_raw_sql_against_the_rules_is_refused(book: Book, case: str) -> None:
    """The database refuses what no act does."""
    book.take(book.report([out(-1_00, "A"), out(-7_00, "X")], on=D11))
    book.take(book.report([out(-1_00, "A")], on=D11, number=2))
    book.deliver([out(-1_00, "A"), out(-2_00, "B"), out(-1_00, "A")])
    statement, rule = RAW[case]

    with pytest.raises(DatabaseError) as refusal, begin(book.engine) as conn:
        conn.exec_driver_sql(statement)

    told_by = str(refusal.value)
    assert rule in told_by or (rule == "append_only" and "permission denied" in told_by)
