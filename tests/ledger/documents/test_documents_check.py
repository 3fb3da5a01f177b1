"""Edits behind the ledger's back: each column is found or refused, and so is each broken rule."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from sqlalchemy import Connection, Engine, LargeBinary, Table, create_engine, text
from sqlalchemy.exc import DBAPIError

from api.engine import begin
from ledger import tables as t
from ledger.budget_check import check_budget
from ledger.documents.bank_outcomes import ResendPayment
from ledger.documents.documents_check import check_documents
from ledger.documents.sp2d import CancelSp2d, RequestCancelSp2d
from ledger.findings import Finding
from ledger.journals_check import check_balances
from tests.databases import Database
from tests.ledger.documents.office import Office

TABLES: Final = (
    t.budget_load,
    t.budget_load_entry,
    t.budget_line,
    t.release_bucket,
    t.document,
    t.document_line,
    t.document_deduction,
    t.payee,
    t.document_move,
    t.payment,
    t.payment_move,
    t.payment_settlement,
    t.number_series,
)
#: Columns that the log doesn't hold to a value, with the reason.
UNPROTECTED: Final = {
    ("budget_line", "allowance_sen"): "listed as a note whatever it is",
    ("release_bucket", "allowance_sen"): "listed as a note whatever it is",
}


@pytest.fixture
def busy(office: Office) -> Office:
    """A treasury where every kind of row exists."""
    office.issue(office.with_tax())
    second = office.issue(amount="2000.00")["payments"][0]
    office.list_payments()
    office.outcome(second, "paid", reason="Sesuai")
    office.outcome(second, "returned", reason="Rekening tutup")
    office.do(ResendPayment("maker-2", second, "Ralat"))
    doubted = office.issue(amount="4000.00")["payments"][0]
    office.list_payments(doubted)
    office.outcome(doubted, "unknown")
    office.settle(doubted, "paid")
    cancelled = office.issue(amount="3000.00")["document"]
    office.do(RequestCancelSp2d("maker", cancelled, "Salah"))
    office.do(CancelSp2d("kuasa", cancelled, "Setuju"))
    return office


def check(conn: Connection, government: str) -> list[Finding]:
    """Errors of the checks that own these tables."""
    return [
        finding
        for part in (check_budget, check_documents, check_balances)
        for finding in part(conn, government)
        if finding.severity == "error"
    ]


@pytest.fixture
def owner(office_database: Database) -> Iterator[Engine]:
    """Somebody with full rights on the database."""
    engine = create_engine(office_database.owner_url)
    yield engine
    engine.dispose()


@contextmanager
def without_triggers(owner: Engine, table: str) -> Iterator[Connection]:
    """A transaction of the owner, in which *table* has no triggers; rolled back at the end."""
    with owner.connect() as conn:
        if conn.dialect.name == "sqlite":
            names = list(
                conn.exec_driver_sql(
                    f"SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{table}'"
                ).scalars()
            )
            for name in names:
                conn.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            conn.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield conn
        conn.rollback()


def edit_of(table: Table, column: str) -> str:
    """SQL for another value of the column."""
    kind = table.c[column].type
    if isinstance(kind, LargeBinary):
        return "CAST('x' AS BLOB)"
    return f"coalesce({column}, 0) + 1" if str(kind) == "BIGINT" else f"{column} || 'x'"


def test_each_column_edited_by_the_owner_is_found_or_refused(busy: Office, owner: Engine) -> None:
    """Whoever lifts the triggers changes nothing unseen: the log says what every column was."""
    for table in TABLES:
        for column in table.c:
            if (table.name, column.name) not in UNPROTECTED:
                found = tables_found_after(busy, owner, table, column.name)

                assert table.name in found, column


def tables_found_after(office: Office, owner: Engine, table: Table, column: str) -> set[str]:
    """Tables that the checks name after one value of the column was edited."""
    names = ("id", "document_id", "payment_id", "load_n", "series", "n")
    key = [name for name in names if name in table.c]
    order = ", ".join(key)
    with without_triggers(owner, table.name) as conn:
        edit = edit_of(table, column)
        if conn.dialect.name == "postgresql" and "BLOB" in edit:
            edit = r"'\x78'::bytea"
        row = conn.execute(
            text(
                f"SELECT {order} FROM {table.name} WHERE government = :g ORDER BY {order} LIMIT 1"
            ),
            {"g": office.government},
        ).one()
        where = " AND ".join(f"{name} = :{name}" for name in key)
        try:
            conn.execute(
                text(
                    f"UPDATE {table.name} SET {column} = {edit} WHERE government = :g AND {where}"
                ),
                {"g": office.government, **row._mapping},
            )
        except DBAPIError:
            return {table.name}  # a key or a check refused it
        return {finding.table for finding in check(conn, office.government)}


def test_rows_taken_out_by_the_owner_are_found_or_refused(busy: Office, owner: Engine) -> None:
    """Missing rows are named, too."""
    for table in TABLES:
        with without_triggers(owner, table.name) as conn:
            try:
                conn.execute(
                    text(f"DELETE FROM {table.name} WHERE government = :g"),
                    {"g": busy.government},
                )
            except DBAPIError:
                continue
            assert table.name in {finding.table for finding in check(conn, busy.government)}


def test_rows_stay_clean_until_edited(busy: Office) -> None:
    """The checks find nothing in what the commands wrote."""
    assert [] == busy.findings()


def test_personal_text_taken_out_is_missed(busy: Office) -> None:
    """A purpose that no act erased is named when it is gone."""
    with begin(busy.engine) as conn:
        conn.execute(
            text("DELETE FROM private_value WHERE government = :g AND field = 'purpose'"),
            {"g": busy.government},
        )

    assert {"disclosure_missing"} == {finding.code for finding in busy.findings()}


#: What a raw session of the application might try -> SQL. `:g` is the government.
ATTACKS: Final = {
    "rewrite a document": "UPDATE document SET net_sen = net_sen + 1 WHERE government = :g",
    "move without a move": "UPDATE document SET state = 'paid' WHERE government = :g",
    "skip a step": "UPDATE document SET state_n = state_n + 1 WHERE government = :g",
    "renumber": "UPDATE document SET number = 'X' WHERE government = :g AND number <> ''",
    "delete a document": "DELETE FROM document WHERE government = :g",
    "rewrite a payee": "UPDATE payee SET account_c = 'x' WHERE government = :g",
    "delete a move": "DELETE FROM document_move WHERE government = :g",
    "pay without a step": "UPDATE payment SET state = 'paid' WHERE government = :g",
    "change an amount": "UPDATE payment SET amount_sen = 1 WHERE government = :g",
    "change a destination": "UPDATE payment SET account_c = 'x' WHERE government = :g",
    "leave a list": (
        "UPDATE payment SET advice_list_id = '' WHERE government = :g AND advice_list_id <> ''"
    ),
    "count backwards": "UPDATE number_series SET last = last - 1 WHERE government = :g",
    "second hand": (
        "INSERT INTO document_move SELECT government, document_id, n + 1, 'verify', state_to,"
        " 'verified', person_id, 'sp2d_verifier', 'verifier', on_day, '', checks, envelope, '', NULL,"
        " leaf_index FROM document_move WHERE government = :g AND move = 'draft' AND hand = 'maker'"
    ),
    "step from elsewhere": (
        "INSERT INTO payment_move SELECT government, payment_id, n + 1, 'held', 'paid', person_id,"
        " on_day, '', '', NULL, leaf_index FROM payment_move WHERE government = :g"
        " AND state_to = 'queued'"
    ),
    "payment of another amount": (
        "INSERT INTO payment SELECT government, 'P26-9', document_id, payee_n, 9, '', 'P26-9',"
        " bank_account, name_c, bank_code, account_c, amount_sen + 1, recognition, basis, '', 0"
        " FROM payment WHERE government = :g AND attempt = 1"
    ),
    "document with a state": (
        "INSERT INTO document SELECT government, id || 'x', kind, '', '', origin, fiscal_year, skpd,"
        " payment_kind, bank_account, '', dated_on, gross_sen, deduction_sen, net_sen, revision,"
        " content, '', 'signed', 1 FROM document WHERE government = :g AND kind = 'sp2d'"
    ),
}


def test_raw_statements_of_the_application_are_refused(busy: Office) -> None:
    """The database holds the rules of documents by itself."""
    before = busy.contents()
    for attack, sql in ATTACKS.items():
        refused = ""
        try:
            with begin(busy.engine) as conn:
                conn.execute(text(sql), {"g": busy.government})
        except DBAPIError as error:
            refused = str(error.orig)

        assert "rkud:" in refused or "permission denied" in refused, (attack, refused)
    assert before == busy.contents()
