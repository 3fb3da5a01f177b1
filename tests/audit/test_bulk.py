"""Set-based reads and writes do the same on both engines, and say so when they can't."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    Table,
    Text,
    select,
)
from sqlalchemy.exc import DBAPIError

from api.engine import begin, make_engine
from audit import bulk
from tests.databases import Database

_THING = Table(
    "thing",
    MetaData(),
    Column("name", Text, primary_key=True),
    Column("amount", BigInteger),
    Column("body", LargeBinary),
    Column("other", LargeBinary),
)
_COLUMNS = ("name", "amount", "body", "other")
_ROWS: list[bulk.Row] = [
    ("plain", 1, b"abc", b""),
    ('quote " and \\ backslash', -2, b"\x00\xff\n", None),
    ("baris\nbaru, ünïcode, {curly}", None, None, b"x" * 5_000),
    ("NULL", 2**62, b"", b"'"),
]


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    """An engine with the table of these tests, which the application's role can't make."""
    owner = make_engine(database.owner_url)
    with begin(owner) as conn:
        _THING.create(conn)
        if database.dialect == "postgresql":
            conn.exec_driver_sql("GRANT SELECT, INSERT, UPDATE ON thing TO rkud_app")
    owner.dispose()
    engine = make_engine(database.url)
    yield engine
    engine.dispose()


def _stored(conn: Connection) -> list[bulk.Row]:
    return [tuple(row) for row in conn.execute(select(_THING).order_by(_THING.c.name))]


def test_inserted_rows_come_back_byte_for_byte(engine: Engine) -> None:
    """Quotes, line ends, NULL beside "NULL", empty beside missing bytes."""
    with begin(engine) as conn:
        bulk.insert_rows(conn, _THING, _COLUMNS, _ROWS)

        assert sorted(_ROWS, key=lambda row: str(row[0])) == _stored(conn)


@pytest.mark.parametrize(
    ("amount", "body", "other"),
    [(7, b"same", None), (None, b"", b"\x00'"), (-1, None, b"x" * 300)],
)
def test_columns_that_are_alike_in_many_rows_come_back_in_each(
    engine: Engine, amount: int | None, body: bytes | None, other: bytes | None
) -> None:
    """Numbers, bytes and NULL; the key still differs."""
    rows: list[bulk.Row] = [(f"row {n:03d}", amount, body, other) for n in range(40)]
    with begin(engine) as conn:
        bulk.insert_rows(conn, _THING, _COLUMNS, rows)
        bulk.upsert_rows(
            conn, _THING, ("name",), ("amount",), [(f"row {n:03d}", 2) for n in range(20, 60)]
        )

        stored = _stored(conn)

    fresh: list[bulk.Row] = [(f"row {n:03d}", 2, None, None) for n in range(40, 60)]
    moved = None if amount is None else amount + 2
    changed = [(name, moved, body, other) for name, *_ in rows[20:]]
    assert [*rows[:20], *changed, *fresh] == stored


def test_rows_read_by_key_carry_the_key_and_leave_out_what_is_missing(engine: Engine) -> None:
    """A key that has no row is simply absent."""
    with begin(engine) as conn:
        bulk.insert_rows(conn, _THING, _COLUMNS, _ROWS)

        found = bulk.read_rows(conn, _THING, ("name",), ("amount",), [("plain",), ("nobody",)])

    assert [("plain", 1)] == found


def test_upserted_counters_are_added_to_rows_old_and_new(engine: Engine) -> None:
    """A row that is not there begins at the amount."""
    with begin(engine) as conn:
        bulk.insert_rows(conn, _THING, _COLUMNS, [("a", 1, b"", b"")])
        bulk.upsert_rows(conn, _THING, ("name",), ("amount",), [("a", 5), ("b", 7)])

        assert [("a", 6, b"", b""), ("b", 7, None, None)] == _stored(conn)


@pytest.mark.parametrize("ahead", [False, True])
def test_adding_to_a_row_that_is_missing_is_a_fault(engine: Engine, ahead: bool) -> None:
    """Sent ahead or not: a counter that moved nowhere would be lost."""
    with (
        pytest.raises(RuntimeError, match="2 rows to change, 1 found"),
        begin(engine) as conn,
        bulk.pipelined(conn),
    ):
        bulk.insert_rows(conn, _THING, _COLUMNS, [("a", 1, b"", b"")])
        if ahead:
            bulk.send_ahead(conn)
        bulk.add_to_rows(conn, _THING, ("name",), ("amount",), [("a", 5), ("b", 7)])


def test_rows_sent_ahead_are_there_for_the_next_read(engine: Engine) -> None:
    """`read_rows` settles first, and more can be sent after it."""
    with begin(engine) as conn:
        with bulk.pipelined(conn):
            bulk.send_ahead(conn)
            bulk.insert_rows(conn, _THING, _COLUMNS, [("a", 1, b"", b"")])
            found = bulk.read_rows(conn, _THING, ("name",), ("amount",), [("a",)])
            bulk.send_ahead(conn)
            bulk.upsert_rows(conn, _THING, ("name",), ("amount",), [("a", 5)])

        assert [("a", 1)] == found
        assert [("a", 6, b"", b"")] == _stored(conn)


def test_refused_row_sent_ahead_raises_at_the_end_and_leaves_nothing(engine: Engine) -> None:
    """The error is SQLAlchemy's, the connection rolls back and can be used again."""
    with pytest.raises(DBAPIError), begin(engine) as conn, bulk.pipelined(conn):
        bulk.send_ahead(conn)
        bulk.insert_rows(conn, _THING, _COLUMNS, [("a", 1, b"", b"")])
        bulk.insert_rows(conn, _THING, _COLUMNS, [("a", 2, b"", b"")])
        bulk.insert_rows(conn, _THING, _COLUMNS, [("b", 3, b"", b"")])

    with begin(engine) as conn:
        assert [] == _stored(conn)


def test_refusal_of_ours_while_rows_are_under_way_rolls_all_back(engine: Engine) -> None:
    """An exception in the block leaves the mode, so that the transaction can end."""
    with pytest.raises(KeyError), begin(engine) as conn, bulk.pipelined(conn):
        bulk.send_ahead(conn)
        bulk.insert_rows(conn, _THING, _COLUMNS, [("a", 1, b"", b"")])
        raise KeyError("ours")

    with begin(engine) as conn:
        assert [] == _stored(conn)


def test_bytes_as_a_key_are_refused(postgres_database: Database) -> None:
    """Keys are text and integers; the arrays for them are made so."""
    engine = make_engine(postgres_database.url)
    with begin(engine) as conn, pytest.raises(TypeError, match="text and integers"):
        bulk.read_rows(conn, _THING, ("body",), ("amount",), [(b"a",)])
    engine.dispose()
