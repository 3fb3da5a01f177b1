"""
Set-based reads and writes with one face for both engines.

PostgreSQL takes one statement with `unnest` of array literals, SQLite an `executemany`: measured as
the cheapest way on each. Rows are tuples in the order of *columns*; values are int, str, bytes or
None. Every function runs inside the caller's transaction and never commits. In a `pipelined` block
writes can go to PostgreSQL one after another without waiting for its answers.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, Connection, LargeBinary, Table
from sqlalchemy.exc import DBAPIError

__all__ = [
    "Ask",
    "Row",
    "Value",
    "add_to_rows",
    "insert_rows",
    "is_postgresql",
    "pipelined",
    "read_all",
    "read_rows",
    "send_ahead",
    "set_rows",
    "settle",
    "upsert_rows",
    "write",
]

Value = int | str | bytes | None
Row = tuple[Value, ...]


class Ask(NamedTuple):
    """What to read: `(*key values, *column values)` of the rows whose key is in *keys*."""

    table: Table
    key: Sequence[str]
    columns: Sequence[str]
    keys: Sequence[Row]


_PIPE: Final = "rkud_pipe"
#: From this many rows on it is worth a look which columns are the same in all of them.
_MANY: Final = 16


def is_postgresql(conn: Connection) -> bool:
    """Whether *conn* talks to PostgreSQL (otherwise SQLite)."""
    return conn.dialect.name == "postgresql"


class _Pipe:
    """
    Statements that were sent and have not all been answered (libpq's pipeline mode).

    Closed at first; `open` and `settle` may follow each other often.
    """

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        # Any: psycopg's connection; SQLAlchemy does not name its type.
        self._driver: Any = conn.connection.driver_connection
        self._mode: Any = None
        self._counted: list[tuple[Any, str, int]] = []

    @property
    def is_open(self) -> bool:
        return self._mode is not None

    def open(self) -> None:
        if self._mode is None:
            self._mode = self._driver.pipeline()
            self._mode.__enter__()

    def send(
        self, sql: str, values: Sequence[Value], table: str = "", count: int | None = None
    ) -> Any:
        """Its cursor: after `settle` the answer can be fetched from it."""
        cursor = self._driver.cursor()
        with self._errors():
            cursor.execute(sql, values)
        if count is not None:
            self._counted.append((cursor, table, count))
        return cursor

    def settle(self) -> None:
        """Wait for all answers. Raises DBAPIError when one of them is an error."""
        mode, self._mode = self._mode, None
        if mode is not None:
            with self._errors():
                mode.__exit__(None, None, None)
        counted, self._counted = self._counted, []
        for cursor, table, count in counted:
            _check_count(table, count, cursor.rowcount)

    def abandon(self) -> None:
        """Leave the mode after an error, so that the connection can roll back."""
        mode, self._mode = self._mode, None
        if mode is not None:
            with contextlib.suppress(self._conn.dialect.loaded_dbapi.Error):
                mode.__exit__(None, None, None)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """The driver's errors as SQLAlchemy would raise them."""
        dialect = self._conn.dialect
        try:
            yield
        except dialect.loaded_dbapi.Error as error:
            lost = dialect.is_disconnect(error, self._driver, None)
            raise DBAPIError.instance(
                None,
                None,
                error,
                dialect.loaded_dbapi.Error,
                hide_parameters=True,
                connection_invalidated=lost,
                dialect=dialect,
            ) from error


@contextlib.contextmanager
def pipelined(conn: Connection) -> Iterator[None]:
    """
    Let `send_ahead` work in this block; at its end all that was sent has been answered.

    On PostgreSQL, writes behind `send_ahead` go out without waiting for answers (libpq's pipeline
    mode): they share a round trip, and the database works while we do. Before anything is read
    `settle` must be called; `read_rows` does so itself. An error shows there or at the block's end,
    as SQLAlchemy would raise it. On SQLite nothing is different.
    """
    if not is_postgresql(conn) or _PIPE in conn.info:  # a block within a block is part of it
        yield
        return
    pipe = conn.info[_PIPE] = _Pipe(conn)
    try:
        yield
        pipe.settle()
    finally:
        pipe.abandon()
        conn.info.pop(_PIPE, None)


def send_ahead(conn: Connection) -> None:
    """From here to the next `settle` do not wait for the answers of writes."""
    pipe: _Pipe | None = conn.info.get(_PIPE)
    if pipe is not None:
        pipe.open()


def settle(conn: Connection) -> None:
    """Wait for the answers of all writes that were sent ahead. Raises DBAPIError."""
    pipe: _Pipe | None = conn.info.get(_PIPE)
    if pipe is not None:
        pipe.settle()


def write(
    conn: Connection,
    sql: str,
    values: Sequence[Value],
    *,
    table: str = "",
    count: int | None = None,
) -> None:
    """Run one statement in the driver's own placeholders; *count* rows must be changed by it."""
    pipe: _Pipe | None = conn.info.get(_PIPE)
    if pipe is not None and pipe.is_open:
        pipe.send(sql, values, table, count)
        return
    result = conn.exec_driver_sql(sql, tuple(values))
    if count is not None:
        _check_count(table, count, result.rowcount)


def _check_count(table: str, expected: int, found: int) -> None:
    if found != expected:
        raise RuntimeError(f"{table}: {expected} rows to change, {found} found")


def insert_rows(
    conn: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]
) -> None:
    """Insert *rows*; a key that exists already is an error of the database."""
    if not rows:
        return
    names = tuple(columns)
    if is_postgresql(conn):
        write(conn, *_pg_inserting(table, names, rows))
    else:
        conn.exec_driver_sql(_lite_insert(table, names), list(rows))


def upsert_rows(
    conn: Connection,
    table: Table,
    key: Sequence[str],
    add: Sequence[str],
    rows: Sequence[Row],
) -> None:
    """
    Add the counters *add* to the rows found by *key*, making the rows that do not exist yet.

    Each row is `(*key values, *amounts)`, and each key occurs at most once in *rows*.
    """
    if not rows:
        return
    keys, adds = tuple(key), tuple(add)
    columns = keys + adds
    if is_postgresql(conn):
        insert, values = _pg_inserting(table, columns, rows)
        write(conn, insert + _pg_on_conflict(table, keys, adds), values)
    else:
        conn.exec_driver_sql(_lite_upsert(table, keys, adds), list(rows))


def add_to_rows(
    conn: Connection,
    table: Table,
    key: Sequence[str],
    add: Sequence[str],
    rows: Sequence[Row],
) -> None:
    """Add the counters *add* to rows that must exist; each row is `(*key values, *amounts)`."""
    if not rows:
        return
    keys, adds = tuple(key), tuple(add)
    if is_postgresql(conn):
        arrays = _arrays(table, keys + adds, rows)
        write(conn, _pg_add(table, keys, adds), arrays, table=table.name, count=len(rows))
    else:
        shuffled = [row[len(keys) :] + row[: len(keys)] for row in rows]
        result = conn.exec_driver_sql(_lite_add(table, keys, adds), shuffled)
        _check_count(table.name, len(rows), result.rowcount)


def set_rows(
    conn: Connection,
    table: Table,
    key: Sequence[str],
    columns: Sequence[str],
    rows: Sequence[Row],
    *,
    exact: bool = True,
) -> None:
    """Set *columns* of the rows found by *key*, each row `(*key, *values)`; *exact*: all must exist."""
    if not rows:
        return
    keys, names = tuple(key), tuple(columns)
    if is_postgresql(conn):
        count = len(rows) if exact else None
        values = _arrays(table, keys + names, rows)
        write(conn, _pg_set(table, keys, names), values, table=table.name, count=count)
    else:
        shuffled = [row[len(keys) :] + row[: len(keys)] for row in rows]
        result = conn.exec_driver_sql(_lite_set(table, keys, names), shuffled)
        if exact:
            _check_count(table.name, len(rows), result.rowcount)


def read_rows(
    conn: Connection,
    table: Table,
    key: Sequence[str],
    columns: Sequence[str],
    keys: Sequence[Row],
) -> list[Row]:
    """
    Return `(*key values, *column values)` of the rows whose key is in *keys* (text or integers).

    The lateral form keeps PostgreSQL on the index even while the table is young and unanalysed.
    """
    return read_all(conn, [Ask(table, key, columns, keys)])[0]


def read_all(conn: Connection, asks: Sequence[Ask]) -> list[list[Row]]:
    """The answers to several asks, in their order; PostgreSQL gives them in one round trip."""
    settle(conn)
    statements = [(*_reading(conn, ask), n) for n, ask in enumerate(asks) if ask.keys]
    answers: list[list[Row]] = [[] for _ in asks]
    if is_postgresql(conn) and len(statements) > 1:
        with pipelined(conn):
            send_ahead(conn)
            cursors = [(conn.info[_PIPE].send(sql, values), n) for sql, values, n in statements]
            settle(conn)
        for cursor, n in cursors:
            answers[n] = cursor.fetchall()
    else:
        for sql, values, n in statements:
            answers[n] = [tuple(row) for row in conn.exec_driver_sql(sql, values)]
    return answers


def _reading(conn: Connection, ask: Ask) -> tuple[str, tuple[str, ...]]:
    names, wanted = tuple(ask.key), tuple(ask.columns)
    if is_postgresql(conn):
        return _pg_read(ask.table, names, wanted), _arrays(ask.table, names, ask.keys)
    return _lite_read(ask.table, names, wanted), (json.dumps(ask.keys),)


# --- the statements, built once per table and column list -----------------------------------


def _pg_inserting(
    table: Table, columns: tuple[str, ...], rows: Sequence[Row]
) -> tuple[str, tuple[Value, ...]]:
    """
    The statement that inserts *rows*, and its values.

    A column that is the same in every row goes as one value, which spares both sides an array. Bytes
    go as one value with the place and length of each row's part: half the text of an array literal
    in hex, and nothing to decode.
    """
    kinds = _pg_types(table, columns)
    picked: list[Value] = []
    arrays: list[Value] = []
    alike: list[bool] = []
    many = len(rows) >= _MANY
    for kind, column in zip(kinds, zip(*rows, strict=True), strict=True):
        same = many and column[0] == column[-1] and column.count(column[0]) == len(column)
        alike.append(same)
        if same:
            picked.append(column[0])
        elif kind == "bytea":
            blob, places, lengths = _slices(column)
            picked.append(blob)
            arrays += (places, lengths)
        else:
            arrays.append(_ints(column) if kind == "bigint" else _texts(column))
    if not arrays:
        raise ValueError(f"{table.name}: rows that are all alike")
    return _pg_insert(table, columns, tuple(alike)), (*picked, *arrays)


@cache
def _pg_insert(table: Table, columns: tuple[str, ...], alike: tuple[bool, ...]) -> str:
    picked, casts, names = [], [], []
    for kind, name, same in zip(_pg_types(table, columns), columns, alike, strict=True):
        if same:
            picked.append(f"%s::{kind}")
        elif kind == "bytea":
            picked.append(f"substr(%s::bytea, u.{name}_at, u.{name}_n)")
            casts += ["%s::int[]", "%s::int[]"]
            names += [f"{name}_at", f"{name}_n"]
        else:
            picked.append(f"u.{name}")
            casts.append(f"%s::{kind}[]")
            names.append(name)
    return (
        f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT {', '.join(picked)}"
        f" FROM unnest({', '.join(casts)}) u({', '.join(names)})"
    )


@cache
def _pg_on_conflict(table: Table, key: tuple[str, ...], add: tuple[str, ...]) -> str:
    sums = ", ".join(f"{name} = {table.name}.{name} + excluded.{name}" for name in add)
    return f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {sums}"


@cache
def _pg_add(table: Table, key: tuple[str, ...], add: tuple[str, ...]) -> str:
    sums = ", ".join(f"{name} = t.{name} + u.{name}" for name in add)
    where = " AND ".join(f"t.{name} = u.{name}" for name in key)
    names = ", ".join(key + add)
    return f"UPDATE {table.name} t SET {sums} FROM {_unnest(table, key + add)} u({names}) WHERE {where}"


@cache
def _pg_set(table: Table, key: tuple[str, ...], columns: tuple[str, ...]) -> str:
    values = ", ".join(f"{name} = u.{name}" for name in columns)
    where = " AND ".join(f"t.{name} = u.{name}" for name in key)
    names = ", ".join(key + columns)
    unnested = _unnest(table, key + columns)
    return f"UPDATE {table.name} t SET {values} FROM {unnested} u({names}) WHERE {where}"


@cache
def _pg_read(table: Table, key: tuple[str, ...], columns: tuple[str, ...]) -> str:
    where = " AND ".join(f"t.{name} = u.{name}" for name in key)
    shown = ", ".join([f"u.{name}" for name in key] + [f"s.{name}" for name in columns])
    inner = ", ".join(f"t.{name}" for name in columns) or "1"
    return (
        f"SELECT {shown} FROM {_unnest(table, key)} u({', '.join(key)}) CROSS JOIN LATERAL "
        f"(SELECT {inner} FROM {table.name} t WHERE {where} OFFSET 0) s"
    )


@cache
def _lite_insert(table: Table, columns: tuple[str, ...]) -> str:
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks})"


@cache
def _lite_upsert(table: Table, key: tuple[str, ...], add: tuple[str, ...]) -> str:
    sums = ", ".join(f"{name} = {name} + excluded.{name}" for name in add)
    return f"{_lite_insert(table, key + add)} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {sums}"


@cache
def _lite_add(table: Table, key: tuple[str, ...], add: tuple[str, ...]) -> str:
    sums = ", ".join(f"{name} = {name} + ?" for name in add)
    where = " AND ".join(f"{name} = ?" for name in key)
    return f"UPDATE {table.name} SET {sums} WHERE {where}"


@cache
def _lite_set(table: Table, key: tuple[str, ...], columns: tuple[str, ...]) -> str:
    values = ", ".join(f"{name} = ?" for name in columns)
    where = " AND ".join(f"{name} = ?" for name in key)
    return f"UPDATE {table.name} SET {values} WHERE {where}"


@cache
def _lite_read(table: Table, key: tuple[str, ...], columns: tuple[str, ...]) -> str:
    picks = ", ".join(f"json_extract(value, '$[{n}]') AS {name}" for n, name in enumerate(key))
    where = " AND ".join(f"t.{name} = u.{name}" for name in key)
    shown = ", ".join([f"u.{name}" for name in key] + [f"t.{name}" for name in columns])
    return (
        f"SELECT {shown} FROM (SELECT {picks} FROM json_each(?)) u "
        f"CROSS JOIN {table.name} t WHERE {where}"
    )


# --- PostgreSQL array literals --------------------------------------------------------------


@cache
def _pg_types(table: Table, columns: tuple[str, ...]) -> tuple[str, ...]:
    kinds = []
    for name in columns:
        kind = table.c[name].type
        is_int, is_bytes = isinstance(kind, BigInteger), isinstance(kind, LargeBinary)
        kinds.append("bigint" if is_int else "bytea" if is_bytes else "text")
    return tuple(kinds)


def _unnest(table: Table, columns: tuple[str, ...]) -> str:
    kinds = _pg_types(table, columns)
    if "bytea" in kinds:
        raise TypeError(f"{table.name}: keys and counters are text and integers")
    return f"unnest({', '.join(f'%s::{kind}[]' for kind in kinds)})"


def _arrays(table: Table, columns: tuple[str, ...], rows: Sequence[Row]) -> tuple[str, ...]:
    """One array literal a column: psycopg's own adaptation of lists costs three times the CPU."""
    return tuple(
        _ints(column) if kind == "bigint" else _texts(column)
        for kind, column in zip(_pg_types(table, columns), zip(*rows, strict=True), strict=True)
    )


def _ints(column: Sequence[Value]) -> str:
    if None in column:
        return "{" + ",".join("NULL" if v is None else str(v) for v in column) + "}"
    return "{" + ",".join(map(str, column)) + "}"


def _slices(column: Sequence[Value]) -> tuple[bytes, str, str]:
    """The values one behind the other, where each begins (from 1), and how long it is."""
    parts = [value if isinstance(value, bytes) else b"" for value in column]
    places = accumulate((len(part) for part in parts[:-1]), initial=1)
    lengths = [
        None if value is None else len(part) for value, part in zip(column, parts, strict=True)
    ]
    return b"".join(parts), _ints(list(places)), _ints(lengths)


def _texts(column: Sequence[Value]) -> str:
    if None not in column:
        joined = '","'.join(column)  # type: ignore[arg-type]  # a text column holds str or None
        if joined.count('"') == 2 * (len(column) - 1) and "\\" not in joined:
            return f'{{"{joined}"}}'
    return "{" + ",".join("NULL" if v is None else _quoted(str(v)) for v in column) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
