"""
What every migration needs to write one DDL text for both engines.

Tokens in the text: `{text}`, `{int}`, `{bytes}` are the three column types, `{strict}` ends a
SQLite table, `{hot}` keeps room on PostgreSQL pages for rows that are updated often.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alembic import op

__all__ = [
    "append_only",
    "counters",
    "create_table",
    "execute",
    "grant",
    "is_postgresql",
    "postgresql_function",
    "row_rule",
    "sqlite_trigger",
    "statement_trigger",
]

_TOKENS = {
    "postgresql": {
        "text": 'TEXT COLLATE "C"',
        "int": "BIGINT",
        "bytes": "BYTEA",
        "strict": "",
        "hot": "WITH (fillfactor = 70)",
    },
    "sqlite": {
        "text": "TEXT",
        "int": "INTEGER",
        "bytes": "BLOB",
        "strict": "STRICT",
        "hot": "STRICT",
    },
}

# The planner must stay on the indexes while tables are young (their cached plans live long).
_PLANNER = (
    "SET search_path FROM CURRENT SET enable_seqscan = off SET enable_hashjoin = off"
    " SET enable_mergejoin = off SET enable_bitmapscan = off"
)


def is_postgresql() -> bool:
    """Whether this migration runs on PostgreSQL (otherwise SQLite)."""
    return op.get_bind().dialect.name == "postgresql"


def execute(sql: str) -> None:
    """Run one statement as it stands, without bind parameters."""
    # psycopg reads % as the start of a placeholder.
    op.get_bind().exec_driver_sql(sql.replace("%", "%%") if is_postgresql() else sql)


def create_table(sql: str) -> None:
    """Create a table from text with tokens."""
    tokens = _TOKENS[op.get_bind().dialect.name]
    for token, value in tokens.items():
        sql = sql.replace("{" + token + "}", value)
    execute(sql)


def append_only(table: str, *keys: Sequence[str], deletable: bool = False) -> None:
    """
    Refuse every change of what stands in *table*.

    *keys* are all its unique keys: SQLite's INSERT OR REPLACE deletes without firing DELETE triggers
    unless a pragma is on, so an existing key is refused before the insert too. With *deletable* rows
    may be erased, though never rewritten (private data only).
    """
    verbs = ("UPDATE",) if deletable else ("UPDATE", "DELETE")
    if is_postgresql():
        what = " OR ".join(verbs) + " OR TRUNCATE"
        execute(
            f"CREATE TRIGGER {table}_frozen BEFORE {what} ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_frozen")
        return
    for verb in verbs:
        sqlite_trigger(
            f"{table}_no_{verb.lower()}",
            f"BEFORE {verb} ON {table}",
            f"SELECT RAISE(ABORT, 'rkud:append_only {table} refuses {verb}');",
        )
    for n, key in enumerate(keys):
        where = " AND ".join(f"o.{column} = NEW.{column}" for column in key)
        sqlite_trigger(
            f"{table}_no_replace_{n}",
            f"BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} o WHERE {where})",
            f"SELECT RAISE(ABORT, 'rkud:append_only {table} has this key already');",
        )


def counters(table: str, key: Sequence[str], fixed: Sequence[str]) -> None:
    """A table whose counters move: rows stay, and the columns *key* and *fixed* never change."""
    if is_postgresql():
        execute(
            f"CREATE TRIGGER {table}_kept BEFORE DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_kept")
        execute(
            f"CREATE TRIGGER {table}_fixed BEFORE UPDATE OF {', '.join([*key, *fixed])} ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_fixed")
        return
    sqlite_trigger(
        f"{table}_no_delete",
        f"BEFORE DELETE ON {table}",
        f"SELECT RAISE(ABORT, 'rkud:append_only {table} refuses DELETE');",
    )
    sqlite_trigger(
        f"{table}_fixed",
        f"BEFORE UPDATE OF {', '.join([*key, *fixed])} ON {table}",
        f"SELECT RAISE(ABORT, 'rkud:append_only {table} keeps its keys');",
    )


def sqlite_trigger(name: str, when: str, body: str) -> None:
    """Create a SQLite trigger."""
    execute(f"CREATE TRIGGER {name} {when} BEGIN {body} END")


def postgresql_function(name: str, declare: str, body: str) -> None:
    """Create a PostgreSQL trigger function that keeps to the indexes."""
    execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql {_PLANNER} AS $body$\n"
        f"DECLARE {declare}\nBEGIN\n{body}\nRETURN NULL;\nEND $body$"
    )


def row_rule(name: str, table: str, verb: str, says: str, condition: str) -> None:
    """Refuse a row of *table* where *condition* (over NEW and OLD, one text for both engines) holds."""
    says = says.replace("'", "''")
    if not is_postgresql():
        sqlite_trigger(
            name,
            f"BEFORE {verb} ON {table}",
            f"SELECT RAISE(ABORT, 'rkud:{name} {says}') WHERE {condition};",
        )
        return
    # The planner must stay on the indexes while the tables are young.
    execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT"
        " SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $body$\n"
        f"BEGIN\nIF {condition} THEN RAISE EXCEPTION 'rkud:{name} {says}'"
        " USING ERRCODE = 'integrity_constraint_violation'; END IF;\nRETURN NEW;\nEND $body$"
    )
    execute(
        f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
    )
    execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")


def statement_trigger(name: str, table: str, function: str, new_rows: str) -> None:
    """An AFTER INSERT trigger that sees all new rows of the statement as *new_rows*."""
    execute(
        f"CREATE TRIGGER {name} AFTER INSERT ON {table} REFERENCING NEW TABLE AS {new_rows}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
    )
    execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")


def grant(app_role: str | None, privileges: str, tables: Iterable[str]) -> None:
    """Grant *privileges* on *tables* to the application's role (PostgreSQL only)."""
    if app_role is not None and is_postgresql():
        execute(f'GRANT {privileges} ON {", ".join(tables)} TO "{app_role}"')
