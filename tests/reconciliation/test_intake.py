"""Statement files: what is admitted, what is known already, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import text

from reconciliation import read_import
from tests.reconciliation.books import ACCOUNT, OPENING_SEN, Book, out, sp2d

D11, D12, D13, D14 = (date(2026, 11, day) for day in (11, 12, 13, 14))


def test_statement_first_opens_the_chain(book: Book) -> None:
    """The first statement of an account is admitted as number 1 with all its lines."""
    answer = book.deliver([out(-500_00, "BIAYA"), out(700_00, "STS/RKUD/0001")])

    assert ("admitted", 2, False) == (
        answer["statements"][0]["status"],
        answer["new"],
        answer["replayed"],
    )
    assert [(1, OPENING_SEN, OPENING_SEN + 200_00)] == book.rows(
        "SELECT chain_n, previous_sen, closing_sen FROM statement"
    )
    assert [] == book.findings()


def test_file_imported_again_changes_nothing(book: Book) -> None:
    """The same bytes a second time are a replay: no row, no leaf."""
    book.deliver([out(-500_00, "BIAYA")])
    before = book.everything()

    answer = book.take(book.files[0])

    assert (True, 0) == (answer["replayed"], answer["new"])
    assert before == book.everything()


def test_day_known_from_one_format_is_confirmed_in_another(book: Book) -> None:
    """MT940 first, camt.053 after it: the same lines, and the next day is new."""
    lines = [out(-500_00, "BIAYA", bank_ref="B1"), out(700_00, "STS/RKUD/0001", ref="S1")]
    book.deliver(lines, on=D11)
    again = book.camt(lines, on=D11, opening_sen=OPENING_SEN)
    answer = book.take(again)

    assert ("camt", 0, 2) == (answer["format"], answer["new"], answer["statements"][0]["confirmed"])
    answer = book.take(book.camt([out(5_00, "JASA GIRO", on=D12)], on=D12))
    assert ("admitted", 1) == (answer["statements"][0]["status"], answer["new"])
    assert [("2026-11-12",)] == book.rows("SELECT covers_from FROM statement WHERE chain_n = 2")
    assert [] == book.findings()


def test_lines_equal_in_one_file_are_both_kept(book: Book) -> None:
    """Twins, equal in every field, are two lines of the day."""
    book.deliver([out(-1000_00, "BIAYA TRANSFER"), out(-1000_00, "BIAYA TRANSFER")])

    assert [(1, -1000_00), (2, -1000_00)] == book.rows(
        "SELECT occurrence, amount_sen FROM bank_line ORDER BY id"
    )


def test_delivery_overlapping_adds_only_what_is_new(book: Book) -> None:
    """A file over three days confirms the two known ones and adds the third, twins counted."""
    twins = [out(-1000_00, "BIAYA", on=D11), out(-1000_00, "BIAYA", on=D11)]
    book.deliver(twins, on=D11)
    book.deliver([out(-7_00, "X", on=D12)], on=D12)
    third = [out(-1000_00, "BIAYA", on=D13), out(5_00, "JASA GIRO", on=D13)]

    answer = book.take(
        book.statement([*twins, out(-7_00, "X", on=D12), *third], on=D13, opening_sen=OPENING_SEN)
    )

    assert (2, 3, "admitted") == (
        answer["new"],
        answer["statements"][0]["confirmed"],
        answer["statements"][0]["status"],
    )
    assert 5 == book.count("bank_line")
    assert [(1,), (2,), (3,)] == book.rows("SELECT line_id FROM bank_line_delivery ORDER BY 1")
    assert [] == book.findings()


def test_delivery_of_known_days_alone_confirms(book: Book) -> None:
    """A day delivered again in another file confirms its lines and leaves the chain alone."""
    book.deliver([out(-1_00, "A", on=D11)], on=D11)
    book.deliver([out(-2_00, "B", on=D12), out(-3_00, "C", on=D12)], on=D12)
    book.deliver([out(-4_00, "D", on=D13)], on=D13)
    # The lines of the day come in another order.
    again = book.statement(
        [out(-3_00, "C", on=D12), out(-2_00, "B", on=D12)],
        on=D12,
        opening_sen=OPENING_SEN - 1_00,
        since=D11,
    )

    answer = book.take(again)

    assert ("confirmed", 0, 2) == tuple(
        answer["statements"][0][name] for name in ("status", "new", "confirmed")
    )
    assert [(3,)] == book.rows("SELECT max(chain_n) FROM statement")
    assert [] == book.findings()


def test_day_of_net_zero_delivered_again_adds_nothing(book: Book) -> None:
    """A day that ends where it began is recognised although its opening equals the closing."""
    lines = [out(-9_00, "A"), out(9_00, "B")]
    book.deliver(lines)

    answer = book.take(
        book.statement([lines[1], lines[0]], opening_sen=OPENING_SEN, since=date(2026, 11, 10))
    )

    assert (0, "confirmed") == (answer["new"], answer["statements"][0]["status"])


def test_statement_continuing_the_day_is_admitted(book: Book) -> None:
    """A second statement of one day that opens where the first closed adds its lines."""
    book.deliver([out(-9_00, "A")])
    book.deliver([out(-9_00, "A")])

    assert [(1,), (2,)] == book.rows("SELECT occurrence FROM bank_line ORDER BY id")


def test_statement_without_lines_closes_its_day(book: Book) -> None:
    """Days on which nothing happened are part of the chain."""
    book.deliver([out(-9_00, "A")])
    book.deliver([], on=D12)
    book.deliver([out(-1_00, "B", on=D13)], on=D13)

    assert [(1, 1), (2, 0), (3, 1)] == book.rows(
        "SELECT chain_n, new_count FROM statement ORDER BY id"
    )


def test_account_with_leading_zeros_or_bank_code_is_the_same(book: Book) -> None:
    """The account's number may lack its zeros or carry the bank's code."""
    book.take(book.statement([], account="10012345678"))
    book.take(book.statement([], account="1370010012345678", on=D12))

    assert 2 == book.count("statement", "status = 'admitted'")


Make = Callable[[Book], bytes]


def _altered(book: Book, old: bytes, new: bytes) -> bytes:
    data = book.statement([out(-9_00, "A", on=D12)], on=D12)
    assert old in data
    return data.replace(old, new)


REFUSED: dict[str, tuple[str, Make]] = {
    "gap": (
        "chain_broken",
        lambda book: book.statement([], on=D12, opening_sen=book.balance_sen + 1),
    ),
    "does not add up": (
        "statement_does_not_add_up",
        lambda book: _altered(book, b":62F:C261112IDR", b":62F:C261112IDR1"),
    ),
    "another account": (
        "foreign_account",
        lambda book: book.statement([], on=D12, account="0010012345679"),
    ),
    "letters in the account": (
        "foreign_account",
        lambda book: book.statement([], on=D12, account="A0010012345678"),
    ),
    "dollars": (
        "foreign_currency",
        lambda book: book.statement([], on=D12, currency="USD"),
    ),
    "tomorrow": (
        "future_statement",
        lambda book: book.statement([], on=date(2026, 11, 22)),
    ),
    "line of tomorrow": (
        "future_statement",
        lambda book: book.statement([out(-9_00, "A", on=date(2026, 11, 22))], on=D12),
    ),
    "no closing": (
        "incomplete_statement",
        lambda book: book.statement([], on=D12).split(b":62F:")[0] + b"-\r\n",
    ),
    "known line left out": (
        "delivery_differs",
        lambda book: book.statement(
            [out(-2_00, "B"), out(-5_00, "C", on=D12)],
            on=D12,
            opening_sen=OPENING_SEN,
            since=date(2026, 11, 10),
        ),
    ),
    "older than the chain": (
        "chain_broken",
        lambda book: book.statement([], on=date(2026, 11, 1), opening_sen=1_00),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_statement_at_fault_is_refused_and_changes_nothing(book: Book, case: str) -> None:
    """Each fault has its name, with file, statement and rule, and leaves no trace."""
    book.deliver([out(-1_00, "A"), out(-2_00, "B")])
    code, make = REFUSED[case]
    before = book.everything()

    error = book.refused(make(book), name="koran.sta")

    assert (code, "koran.sta", 1, code) == (
        error.code,
        error.values["file"],
        error.values["statement"],
        error.values["rule"],
    )
    assert "koran.sta" in str(error)
    assert before == book.everything()


def test_chain_broken_names_both_figures(book: Book) -> None:
    """A gap says where the account stood and where the statement opens."""
    book.deliver([out(-1_00, "A")])

    error = book.refused(book.statement([], on=D12, opening_sen=book.balance_sen + 50))

    assert ("99999999999.50", "99999999999.00", "0.50") == tuple(
        error.values[name] for name in ("opening", "expected", "difference")
    )


def test_line_added_to_a_day_gone_past_is_refused(book: Book) -> None:
    """A reissued period with one more line in a closed day is not admitted silently."""
    book.deliver([out(-1_00, "A", on=D11)], on=D11)
    book.deliver([out(-2_00, "B", on=D12)], on=D12)
    lines = [out(-1_00, "A"), out(-3_00, "NEW"), out(-2_00, "B", on=D12)]

    error = book.refused(book.statement(lines, on=D12, opening_sen=OPENING_SEN))

    assert ("closed_day_changed", "2026-11-11", "-3.00") == (
        error.code,
        error.values["booked_on"],
        error.values["amount"],
    )


def test_quarantine_keeps_the_statement_aside(book: Book) -> None:
    """With quarantine the file is kept with its rule, no line of it is admitted, and it is noted."""
    book.deliver([out(-1_00, "A")])
    broken = book.statement([out(-9_00, "B", on=D12)], on=D12, opening_sen=book.balance_sen + 5)

    answer = book.take(broken, quarantine=True)
    again = book.take(broken, quarantine=True)

    assert ("quarantined", "chain_broken") == tuple(
        answer["statements"][0][name] for name in ("status", "rule")
    )
    assert True is again["replayed"]
    assert 1 == book.count("bank_line")
    assert 1 == book.count("statement", "status = 'quarantined'")
    assert [] == book.findings()


def test_quarantined_file_is_admitted_once_the_gap_is_filled(book: Book) -> None:
    """The missing statement makes the one kept aside fit."""
    book.deliver([out(-1_00, "A")])
    later = book.statement(
        [out(-3_00, "C", on=D13)], on=D13, opening_sen=book.balance_sen - 2_00, since=D12
    )
    book.take(later, quarantine=True)
    book.deliver([out(-2_00, "B", on=D12)], on=D12)

    answer = book.take(later)

    assert "admitted" == answer["statements"][0]["status"]
    assert 3 == book.count("bank_line")
    assert [] == book.findings()


def test_file_with_a_fault_in_its_second_statement_is_refused_whole(book: Book) -> None:
    """One statement at fault takes the whole file back."""
    first = book.statement([out(-1_00, "A")])
    second = book.statement([], on=D12, opening_sen=5)
    before = book.everything()

    error = book.refused(first + second)

    assert ("chain_broken", 2) == (error.code, error.values["statement"])
    assert before == book.everything()


def test_file_with_two_statements_in_order_is_admitted(book: Book) -> None:
    """The second statement of a file continues the first."""
    lines = [out(-1_00, "A")]
    first = book.statement(lines)
    second = book.statement([out(-2_00, "B", on=D12)], on=D12, opening_sen=OPENING_SEN - 1_00)

    answer = book.take(first + second)

    assert [1, 2] == [each["ordinal"] for each in answer["statements"]]
    assert [(1,), (2,)] == book.rows("SELECT chain_n FROM statement ORDER BY id")


def test_texts_of_a_line_are_private(book: Book) -> None:
    """Narratives stand only in the private table and in the file; keys and references are columns."""
    book.deliver([out(-1_00, f"SP2D {sp2d(7)} BUDI SANTOSO", bank_ref="BNK0001")])

    (row,) = book.rows("SELECT * FROM bank_line")
    assert not any("BUDI" in str(value) for value in row)
    leaves = b"".join(bytes(body) for (body,) in book.rows("SELECT body FROM log_leaf"))
    assert b"BUDI" not in leaves
    assert [("sp2d:000007/LS/1.02.0.00.0.00.01.0000/P.01/11/2026", "BNK0001")] == book.rows(
        "SELECT doc_key, bank_reference FROM bank_line"
    )
    assert 1 == book.count("private_value", "value LIKE '%BUDI%'")


def test_erased_narrative_still_lets_the_day_be_confirmed(book: Book) -> None:
    """After a narrative is erased the line is recognised by what is left, and the check stays clean."""
    lines = [out(-1_00, "A BUDI"), out(-1_00, "B SITI")]
    book.deliver(lines)
    with book.engine.connect() as conn:
        conn.execute(text("DELETE FROM private_value WHERE value LIKE '%BUDI'"))
        conn.commit()

    answer = book.take(book.statement(list(reversed(lines)), opening_sen=OPENING_SEN))

    assert (0, 2) == (answer["new"], answer["statements"][0]["confirmed"])
    assert [] == book.findings()


SHEET = """REKENING KORAN
Periode;11-11-2026 s/d 12-11-2026
Saldo Awal;100.000.000.000,00

Tanggal;Uraian;Debet;Kredit;Saldo
11-11-2026;SP2D {number};500,00;;99.999.999.500,00
12-11-2026;JASA GIRO;;7,00;99.999.999.507,00
TOTAL;;500,00;7,00;
"""


def test_sheet_is_admitted_and_reconciled_like_a_message(book: Book) -> None:
    """A CSV file with running balances joins the chain; its opening is that of its first day."""
    book.post("R-1", -500_00, document_no=sp2d(1))
    answer = book.take(SHEET.format(number=sp2d(1)).encode(), profile="generic-bpd")
    run = book.reconcile()

    assert "admitted" == answer["statements"][0]["status"]
    assert [("2026-11-11", "2026-11-12")] == book.rows(
        "SELECT covers_from, closing_on FROM statement"
    )
    assert run.outcome is not None
    assert (0, [7_00]) == (
        run.outcome.proof.difference_sen,
        [item.amount_sen for item in run.outcome.proof.items],
    )
    (sha256,) = book.rows("SELECT sha256 FROM statement_file")[0]
    assert {sha256, ""} == {row.statement for row in run.outcome.matches}
    assert [] == book.findings()


def test_day_known_from_a_sheet_is_confirmed_by_a_message(book: Book) -> None:
    """Another format that tells the same references, amounts and texts adds nothing."""
    book.take(SHEET.format(number=sp2d(1)).encode(), profile="generic-bpd")

    answer = book.take(
        book.statement(
            [out(-500_00, f"SP2D {sp2d(1)}", on=D11), out(7_00, "JASA GIRO", on=D12)], on=D12
        )
    )

    assert ("confirmed", 0, 2) == tuple(
        answer["statements"][0][name] for name in ("status", "new", "confirmed")
    )


def test_import_without_the_role_is_refused(book: Book) -> None:
    """Only a reconciler loads statements."""
    error = book.refusal(read_import("svc-feed", ACCOUNT, book.statement([])))

    assert "not_granted" == error.code


def test_import_for_an_unknown_account_is_refused(book: Book) -> None:
    """The account must be one of this government's."""
    error = book.refusal(read_import("svc-reconcile", "137:999999", book.statement([])))

    assert "unknown_bank_account" == error.code
