"""The check finds every edit behind the ledger's back, column by column."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import BigInteger, LargeBinary, Table
from sqlalchemy.exc import DatabaseError

from reconciliation import check_reconciliation
from reconciliation import tables as t
from tests.databases import Database
from tests.reconciliation.books import GOVERNMENT, OPENING_SEN, Book, out, sp2d, without_triggers

TABLES = (
    t.statement_file,
    t.statement_file_content,
    t.statement,
    t.bank_line,
    t.bank_line_delivery,
    t.book_entry,
    t.open_item,
    t.open_key,
    t.reconciliation_run,
    t.reconciliation_match,
    t.match_member,
    t.match_undo,
    t.delivery,
    t.provisional_line,
    t.provisional_line_delivery,
    t.provisional_booked,
    t.reissue,
    t.bank_line_gone,
)
D11, D12 = date(2026, 11, 11), date(2026, 11, 12)


def _fill(book: Book) -> None:
    """Rows in every table: lines new and confirmed, matches made by run and hand, one undone."""
    book.post("R-1", -500_00, document_no=sp2d(1))
    book.post("R-2", -300_00)
    book.post("R-3", -400_00, document_no=sp2d(3))
    lines = [out(-500_00, f"{sp2d(1)} BUDI", bank_ref="BNK1"), out(-300_00, "B"), out(9_00, "C")]
    book.take(book.report([lines[2], out(-1_00, "TIDAK JADI")], on=D11))
    book.take(book.report(lines[1:], on=D11))
    book.deliver(lines)
    extra = [out(-400_00, sp2d(3), on=D12)]
    book.take(book.statement([*lines, *extra], on=D12, opening_sen=OPENING_SEN))
    book.take(book.statement([], on=D12, opening_sen=1), quarantine=True)
    book.reconcile()
    ((entry,),) = book.rows(
        "SELECT e.id FROM book_entry e JOIN journal j ON j.id = e.journal_id WHERE j.reference = 'R-2'"
    )
    book.by_hand([2], [entry])
    book.undo(1)
    book.supersede(
        book.statement(
            [out(-400_00, "X", on=D12)], on=D12, since=D11, opening_sen=OPENING_SEN - 791_00
        ),
        2,
    )
    assert [] == book.findings()
    for table in TABLES:
        assert book.count(table.name) > 0


@pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table.name))
def test_column_edited_raw_is_refused_or_found(
    book: Book, database: Database, table: Table
) -> None:
    """Whatever column of whatever row is changed, the database refuses it or the check names it."""
    _fill(book)
    missed: list[str] = []
    refused: list[str] = []
    with without_triggers(database, table.name) as conn:
        for column in table.c:
            change = f"{column.name} || 'x'"
            if isinstance(column.type, BigInteger):
                change = f"coalesce({column.name}, 0) + 1"
            elif isinstance(column.type, LargeBinary):
                change = "X'00'" if conn.dialect.name == "sqlite" else "'\\x00'"
            nested = conn.begin_nested()
            try:
                conn.exec_driver_sql(f"UPDATE {table.name} SET {column.name} = {change}")
                found = [
                    each
                    for each in check_reconciliation(conn, GOVERNMENT)
                    if each.severity == "error"
                ]
                if not found:
                    missed.append(column.name)
            except DatabaseError:
                refused.append(column.name)
            nested.rollback()

    assert [] == missed
    assert len(refused) < len(table.c)


@pytest.mark.parametrize(
    "column",
    ["amount_sen", "booked_on", "bank_reference", "narrative_c", "doc_key", "found_keys"],
)
def test_column_of_one_line_edited_is_named(book: Book, database: Database, column: str) -> None:
    """With the bank's bytes at hand, the check says which line and which column it is."""
    _fill(book)
    value = {"amount_sen": "-500_01", "booked_on": "'2026-11-10'"}.get(column, "'x'")
    if column == "narrative_c":
        value = "(SELECT narrative_c FROM bank_line WHERE id = 2)"
    with without_triggers(database, "bank_line") as conn:
        conn.exec_driver_sql(
            f"UPDATE bank_line SET {column} = {value.replace('_01', '01')} WHERE id = 1"
        )

    assert ("bank_line", "1", column) in {
        (each.table, each.key, each.column) for each in book.findings()
    }


#: What is noted of the book before any row is deleted.
STANDING = {"statement_quarantined", "provisional_line_not_booked"}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table.name))
def test_rows_deleted_raw_are_refused_or_found(
    book: Book, database: Database, table: Table
) -> None:
    """Rows that are gone are missed; erased bytes alone are only noted."""
    _fill(book)
    severities: set[str] = set()
    with without_triggers(database, table.name) as conn:
        nested = conn.begin_nested()
        try:
            conn.exec_driver_sql(f"DELETE FROM {table.name}")
            severities = {
                each.severity
                for each in check_reconciliation(conn, GOVERNMENT)
                if each.code not in STANDING
            }
        except DatabaseError:
            severities = {"error"}
        nested.rollback()

    wanted = "note" if table is t.statement_file_content else "error"
    assert wanted in severities
