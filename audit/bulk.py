"""
Set-based reads and writes with one face for both engines.

PostgreSQL takes one statement with `unnest` of array literals, SQLite an `executemany`: measured as
the cheapest way on each. Rows are tuples in the order of *columns*; values are int, str, bytes or
None. Every function runs inside the caller's transaction and never commits.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache

from sqlalchemy import BigInteger, Connection, LargeBinary, Table

__all__ = [
    "Row",
    "Value",
    "add_to_rows",
    "insert_rows",
    "is_postgresql",
    "read_rows",
    "upsert_rows",
]

Value = int | str | bytes | None
Row = tuple[Value, ...]


def is_postgresql(conn: Connection) -> bool:
    """Whether *conn* talks to PostgreSQL (otherwise SQLite)."""
    return conn.dialect.name == "postgresql"


def insert_rows(
    conn: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]
) -> None:
    """Insert *rows*; a key that exists already is an error of the database."""
    if not rows:
        return
    names = tuple(columns)
    if is_postgresql(conn):
        conn.exec_driver_sql(_pg_insert(table, names), _arrays(table, names, rows))
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
        conn.exec_driver_sql(_pg_upsert(table, keys, adds), _arrays(table, columns, rows))
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
        result = conn.exec_driver_sql(_pg_add(table, keys, adds), _arrays(table, keys + adds, rows))
    else:
        shuffled = [row[len(keys) :] + row[: len(keys)] for row in rows]
        result = conn.exec_driver_sql(_lite_add(table, keys, adds), shuffled)
    if result.rowcount != len(rows):
        raise RuntimeError(f"{table.name}: {len(rows)} rows to update, {result.rowcount} found")


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
    if not keys:
        return []
    names, wanted = tuple(key), tuple(columns)
    if is_postgresql(conn):
        found = conn.exec_driver_sql(_pg_read(table, names, wanted), _arrays(table, names, keys))
    else:
        found = conn.exec_driver_sql(_lite_read(table, names, wanted), (json.dumps(keys),))
    return [tuple(row) for row in found]


# --- the statements, built once per table and column list -----------------------------------


@cache
def _pg_insert(table: Table, columns: tuple[str, ...]) -> str:
    return (
        f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT * FROM {_unnest(table, columns)}"
    )


@cache
def _pg_upsert(table: Table, key: tuple[str, ...], add: tuple[str, ...]) -> str:
    sums = ", ".join(f"{name} = {table.name}.{name} + excluded.{name}" for name in add)
    return f"{_pg_insert(table, key + add)} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {sums}"


@cache
def _pg_add(table: Table, key: tuple[str, ...], add: tuple[str, ...]) -> str:
    sums = ", ".join(f"{name} = t.{name} + u.{name}" for name in add)
    where = " AND ".join(f"t.{name} = u.{name}" for name in key)
    names = ", ".join(key + add)
    return f"UPDATE {table.name} t SET {sums} FROM {_unnest(table, key + add)} u({names}) WHERE {where}"


@cache
def _pg_read(table: Table, key: tuple[str, ...], columns: tuple[str, ...]) -> str:
    where = " AND ".join(f"{name} = u.{name}" for name in key)
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
    casts = ", ".join(f"%s::{kind}[]" for kind in _pg_types(table, columns))
    return f"unnest({casts})"


def _arrays(table: Table, columns: tuple[str, ...], rows: Sequence[Row]) -> tuple[str, ...]:
    """One array literal a column. psycopg's own list adaptation costs three times the CPU."""
    kinds = _pg_types(table, columns)
    return tuple(
        _ints(column) if kind == "bigint" else _bytes(column) if kind == "bytea" else _texts(column)
        for kind, column in zip(kinds, zip(*rows, strict=True), strict=True)
    )


def _ints(column: Sequence[Value]) -> str:
    if None in column:
        return "{" + ",".join("NULL" if v is None else str(v) for v in column) + "}"
    return "{" + ",".join(map(str, column)) + "}"


def _bytes(column: Sequence[Value]) -> str:
    return (
        "{"
        + ",".join('"\\\\x' + v.hex() + '"' if isinstance(v, bytes) else "NULL" for v in column)
        + "}"
    )


def _texts(column: Sequence[Value]) -> str:
    if None not in column:
        joined = "\x1f".join(column)  # type: ignore[arg-type]  # a text column holds str or None
        if '"' not in joined and "\\" not in joined:
            return '{"' + '","'.join(column) + '"}'  # type: ignore[arg-type]  # as above
    return "{" + ",".join("NULL" if v is None else _quoted(str(v)) for v in column) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
