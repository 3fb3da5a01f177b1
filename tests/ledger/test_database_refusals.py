"""The second home of the invariants: what the database refuses from raw SQL, on both engines."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from api.engine import begin, make_engine
from audit.database import metadata
from ledger.posting import post_batch
from tests.builders import (
    BANK,
    CASH,
    EXPENSE,
    NOW,
    TODAY,
    counts,
    journal,
    kernel_findings,
    post,
    run,
)
from tests.databases import Database

_LINE = (
    "INSERT INTO journal_line (government, journal_id, n, entity, book, account, amount_sen,"
    " bank_account, counterpart, fund_source, budget_line, payment_reference, fiscal_year, period,"
    " effective_on, batch_seq) VALUES ('36', {journal}, {n}, '{entity}', 'FIN', '{account}', {sen},"
    " '{bank}', '', '', '', '', 2026, 11, '2026-11-20', {batch})"
)
_JOURNAL = (
    "INSERT INTO journal (government, id, batch_seq, leaf_index, reference, kind, source,"
    " fiscal_year, period, effective_on, document_id, document_no, batch_no, reverses, maker, poster,"
    " description_c, payee_name_c, line_count) VALUES ('36', {id}, {batch}, {leaf}, 'RAW-{id}', 'raw',"
    " '{source}', 2026, 11, '2026-11-20', '', '', '', NULL, 'a', '{poster}', '', '', {count})"
)


def _line(
    n: int, sen: int, *, journal_id: int = 9, account: str = EXPENSE, entity: str = "PPKD"
) -> str:
    return _LINE.format(
        journal=journal_id,
        n=n,
        entity=entity,
        account=account,
        sen=sen,
        bank=BANK if account == CASH else "",
        batch=2,
    )


def _journal(*, count: int = 2, leaf: int = -1, source: str = "feed", poster: str = "b") -> str:
    return _JOURNAL.format(id=9, batch=2, leaf=leaf, source=source, poster=poster, count=count)


@pytest.fixture
def posted(engine: Engine) -> Engine:
    """A book with one journal (id 2) besides its opening."""
    run(engine, *post(journal()))
    return engine


def _last_leaf(conn: Connection) -> int:
    return int(
        conn.execute(text("SELECT max(idx) FROM log_leaf WHERE kind = 'journal.posted'")).scalar()
        or 0
    )


#: Lines that a journal may stand on (see the good one below).
GOOD = [_line(1, 5), _line(2, -5, account="8.1.02.01.01.0025")]
INSERTS: list[tuple[str, list[str]]] = [
    ("lines without a journal", [_line(1, 5), _line(2, -5)]),
    ("journal without lines", [_journal()]),
    ("unbalanced by one sen", [_line(1, 5), _line(2, -4), _journal()]),
    (
        "balanced only over two entities",
        [_line(1, 5), _line(2, -5, entity="SKPD-X"), _journal()],
    ),
    ("a line more than the journal says", [_line(1, 5), _line(2, -4), _line(3, -1), _journal()]),
    ("one line only", [_line(1, 5), _journal(count=1)]),
    ("a line of nothing", [_line(1, 0), _line(2, 0), _journal()]),
    ("an account of level 5", [_line(1, 5, account="8.1.02.01.01"), _line(2, -5), _journal()]),
    ("an unknown account", [_line(1, 5, account="9.9"), _line(2, -5), _journal()]),
    ("lines added to a posted journal", [_line(3, 5, journal_id=2), _line(4, -5, journal_id=2)]),
    ("a journal without its leaf", [_line(1, 5), _line(2, -5), _journal(leaf=999_999)]),
    (
        "a manual journal by one person",
        [_line(1, 5), _line(2, -5), _journal(source="manual", poster="a")],
    ),
    *(
        (f"a fed journal called {kind}", [*GOOD, _journal().replace("'raw'", f"'{kind}'")])
        for kind in ("manual", "opening", "reversal", "Opening")
    ),
]


@pytest.mark.parametrize("statements", [pytest.param(s, id=name) for name, s in INSERTS])
def test_raw_insert_is_refused(posted: Engine, statements: list[str]) -> None:
    """Raw SQL can't put into the books what the code would not."""
    before = counts(posted)

    with pytest.raises(DBAPIError), begin(posted) as conn:
        leaf = _last_leaf(conn)
        for statement in statements:
            conn.exec_driver_sql(statement.replace(" -1, 'RAW", f" {leaf}, 'RAW"))

    assert before == counts(posted)
    assert [] == kernel_findings(posted)


def test_raw_insert_of_a_good_journal_is_found_by_the_check(posted: Engine) -> None:
    """What looks like a journal to every constraint still has no leaf of its own."""
    with begin(posted) as conn:
        leaf = _last_leaf(conn)
        for statement in (
            _line(1, 5, journal_id=3),
            _line(2, -5, journal_id=3, account="8.1.02.01.01.0025"),
        ):
            conn.exec_driver_sql(statement)
        conn.exec_driver_sql(
            _JOURNAL.format(id=3, batch=2, leaf=leaf, source="feed", poster="b", count=2)
        )

    assert {"journal_without_leaf", "edge_changed", "balance_differs", "day_differs"} == {
        finding.code for finding in kernel_findings(posted)
    }


_FROZEN = [
    "batch",
    "log_leaf",
    "journal",
    "journal_line",
    "government",
    "chart",
    "account",
    "entity",
    "bank_account",
    "fiscal_year",
    "policy",
    "person",
    "grant_given",
]


@pytest.mark.parametrize("table", _FROZEN)
@pytest.mark.parametrize("verb", ["update", "update nothing", "delete", "replace", "truncate"])
def test_raw_change_of_posted_rows_is_refused(posted: Engine, table: str, verb: str) -> None:
    """UPDATE, DELETE, TRUNCATE and INSERT OR REPLACE are refused on every posted table."""
    dialect = posted.dialect.name
    if verb == "truncate" and dialect == "sqlite":
        verb = "delete"  # SQLite has no TRUNCATE; DELETE without WHERE is its form
    columns = ", ".join(each.name for each in metadata.tables[table].c)
    column = {"government": "name"}.get(table, "government")
    statement = {
        "update": f"UPDATE {table} SET {column} = {column}",
        "update nothing": f"UPDATE {table} SET {column} = 'x' WHERE 1 = 1",
        "delete": f"DELETE FROM {table}",
        "truncate": f"TRUNCATE {table} CASCADE",
        "replace": f"INSERT OR REPLACE INTO {table} SELECT * FROM {table} LIMIT 1"
        if dialect == "sqlite"
        else f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} LIMIT 1"
        " ON CONFLICT DO NOTHING",
    }[verb]
    before = counts(posted)

    if verb == "replace" and dialect == "postgresql":
        with begin(posted) as conn:
            assert 0 == conn.exec_driver_sql(statement).rowcount
    else:
        with pytest.raises(DBAPIError), begin(posted) as conn:
            conn.exec_driver_sql(statement)

    assert before == counts(posted)
    assert [] == kernel_findings(posted)


@pytest.mark.parametrize("table", ["journal", "journal_line", "log_leaf"])
def test_plain_sqlite_connection_can_not_replace_posted_rows(
    sqlite_opened: Engine, table: str
) -> None:
    """A connection without our pragmas is refused too: no OR REPLACE, no UPDATE, no DELETE."""
    run(sqlite_opened, *post(journal()))
    path = sqlite_opened.url.database or ""
    for statement in (
        f"INSERT OR REPLACE INTO {table} SELECT * FROM {table} LIMIT 1",
        f"UPDATE {table} SET government = government",
        f"DELETE FROM {table}",
    ):
        with (
            sqlite3.connect(path) as conn,
            pytest.raises(sqlite3.IntegrityError, match="append_only"),
        ):
            conn.execute(statement)

    assert [] == kernel_findings(sqlite_opened)


def test_lines_left_by_a_plain_sqlite_connection_are_found(sqlite_opened: Engine) -> None:
    """A raw connection has foreign keys off and can leave lines without a journal: the check finds them."""
    path = sqlite_opened.url.database or ""
    with sqlite3.connect(path) as conn:
        conn.execute(_line(1, 5))

    assert "line_without_journal" in {finding.code for finding in kernel_findings(sqlite_opened)}


@pytest.fixture
def sqlite_opened(opened_sqlite: Database) -> Iterator[Engine]:
    """The book on SQLite only: what is attacked here exists there alone."""
    engine = make_engine(opened_sqlite.url)
    yield engine
    engine.dispose()


def test_counters_keep_their_rows_and_keys(posted: Engine) -> None:
    """Balances may move; their rows may not vanish nor change their account."""
    for statement in (
        "DELETE FROM account_balance",
        "UPDATE account_balance SET account = '8.1.02.01.01.0025'",
        "DELETE FROM account_day",
        "UPDATE account_day SET day = '2026-01-01'",
        "DELETE FROM log_edge",
    ):
        with pytest.raises(DBAPIError), begin(posted) as conn:
            conn.exec_driver_sql(statement)

    assert [] == kernel_findings(posted)


def test_cash_row_below_its_floor_is_refused(posted: Engine) -> None:
    """The CHECK on cash holds against raw SQL."""
    with pytest.raises(DBAPIError), begin(posted) as conn:
        conn.exec_driver_sql(
            f"UPDATE account_balance SET balance_sen = -1 WHERE bank_account = '{BANK}'"
        )


@pytest.fixture
def owner(opened_postgres: Database) -> Iterator[tuple[Database, Engine]]:
    """The owner's engine on PostgreSQL."""
    engine = create_engine(opened_postgres.owner_url)
    yield opened_postgres, engine
    engine.dispose()


def test_application_role_owns_nothing(owner: tuple[Database, Engine]) -> None:
    """The application's role can neither drop a trigger nor disable it, nor change a frozen column."""
    engine = make_engine(owner[0].url)
    for statement in (
        "ALTER TABLE journal DISABLE TRIGGER ALL",
        "DROP TRIGGER journal_frozen ON journal",
        "DROP TABLE journal",
        "SET session_replication_role = replica",
        "UPDATE budget_line SET account = account",
        "CREATE TABLE public.mine (x int)",
    ):
        with pytest.raises(DBAPIError), begin(engine) as conn:
            conn.exec_driver_sql(statement)
    engine.dispose()


def test_reader_role_reads_books_and_no_private_values(owner: tuple[Database, Engine]) -> None:
    """The third role reads journals, never private values, tokens or answers, and writes nothing."""
    engine = create_engine(owner[0].reader_url)
    with engine.connect() as conn:
        assert 1 == conn.execute(text("SELECT count(*) FROM journal")).scalar()
    for statement in (
        "SELECT * FROM private_value",
        "SELECT * FROM token",
        "SELECT * FROM idempotency",
        "INSERT INTO batch SELECT * FROM batch",
    ):
        with pytest.raises(DBAPIError), engine.begin() as conn:
            conn.execute(text(statement))
    engine.dispose()


def test_lines_slipped_under_an_uncommitted_journal_wait_and_are_refused(
    owner: tuple[Database, Engine],
) -> None:
    """
    A second session's lines for a journal that the first has not committed yet wait for the edge lock,
    and are refused when the journal is there.
    """
    opened, _ = owner
    first, second = make_engine(opened.url), make_engine(opened.url)
    outcome: list[str] = []

    def slip() -> None:
        try:
            with begin(second) as conn:
                conn.exec_driver_sql(_line(3, 7, journal_id=2))
                conn.exec_driver_sql(_line(4, -7, journal_id=2))
            outcome.append("accepted")
        except DBAPIError as error:
            outcome.append("refused" if "journal_complete" in str(error.orig) else str(error.orig))

    thread = threading.Thread(target=slip)
    with begin(first) as conn:
        post_batch(conn, "36", post(journal()), now=NOW, today=TODAY)
        thread.start()
        thread.join(timeout=0.5)
        assert thread.is_alive()
        assert [] == outcome
    thread.join(timeout=20)

    assert ["refused"] == outcome
    assert [] == kernel_findings(first)
    first.dispose()
    second.dispose()
