"""
`rkud fsck`: re-derive every invariant of a live or restored database, and name what differs.

One snapshot for everything. Each floor checks its own tables; here they are put in order, and the
engine's own checks are added. Nothing is repaired.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from api.checkpoints import log_keys_of, signer_for
from api.engine import reading
from api.errors import LogKeyMissingError
from api.migrations_runner import upgrade
from audit.checkpoints import check_not_behind
from audit.database import metadata
from audit.errors import AuditError, DatabaseBehindSignerError
from audit.findings import Finding
from audit.log_check import UNPROTECTED, check_log, check_private_values
from audit.signer import SignerState
from audit.tiles_shell import read_tree
from ledger.budget_check import check_budget
from ledger.documents.documents_check import check_documents
from ledger.idempotency_check import check_idempotency
from ledger.journals_check import check_balances, check_journals
from ledger.people_check import check_people
from reconciliation.reconciliation_check import check_reconciliation

__all__ = ["CHECKS", "UNPROTECTED", "Signed", "check_all", "signed_before"]

Check = Callable[[Connection, str], Iterator[Finding]]


def check_engine(conn: Connection, _government: str) -> Iterator[Finding]:
    """
    What the engine itself can tell: on SQLite broken pages and rows without their parents, which a
    connection with foreign keys off may leave; on PostgreSQL triggers that are missing or disabled.
    """
    if conn.dialect.name == "sqlite":
        yield from _compare_schema(conn)
        for (message,) in conn.execute(text("PRAGMA integrity_check")):
            if message != "ok":
                yield Finding("file_damaged", str(message))
        for row in conn.execute(text("PRAGMA foreign_key_check")):
            yield Finding(
                "parent_missing",
                f"row {row[1]} of {row[0]} points to a row of {row[2]} that is not there",
                str(row[0]),
                str(row[1]),
            )
        return
    present = {
        (row[0], row[1])
        for row in conn.execute(
            text(
                "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
                " WHERE NOT t.tgisinternal"
            )
        )
    }
    for table, trigger in sorted(_postgresql_triggers() - present):
        yield Finding("trigger_missing", f"trigger {trigger} on {table} is missing", table)
    disabled = conn.execute(
        text(
            "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
            " WHERE NOT t.tgisinternal AND t.tgenabled <> 'A' ORDER BY 1, 2"
        )
    )
    for table, trigger in disabled:
        yield Finding(
            "trigger_disabled", f"trigger {trigger} on {table} is not ENABLE ALWAYS", table
        )


def _compare_schema(conn: Connection) -> Iterator[Finding]:
    """Tables, indexes and triggers of a SQLite file against a fresh one, by name and text."""
    query = text("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/fresh.db"
        upgrade(url)
        fresh = create_engine(url, poolclass=NullPool)
        with fresh.connect() as other:
            wanted = {(row[0], row[1]): row for row in other.execute(query)}
    have = {(row[0], row[1]): row for row in conn.execute(query)}
    for key in sorted(wanted.keys() | have.keys()):
        kind, name = key
        if key not in have:
            yield Finding(f"{kind}_missing", f"{kind} {name} is missing", wanted[key][2], name)
        elif key not in wanted:
            if not name.startswith("sqlite_stat"):
                yield Finding(f"{kind}_unknown", f"{kind} {name} is not ours", have[key][2], name)
        elif wanted[key][3] != have[key][3]:
            yield Finding(f"{kind}_changed", f"{kind} {name} has another text", have[key][2], name)


#: Migrations that make frozen tables, tables of counters or rules.
_MIGRATIONS: Final = (
    "0001_books",
    "0002_statements",
    "0004_dispatch",
    "0005_deliveries",
    "0006_settling",
    "0007_reopening",
)


def _postgresql_triggers() -> set[tuple[str, str]]:
    """(table, trigger) pairs that the migrations make for tables that are frozen or keep their keys."""
    wanted: set[tuple[str, str]] = {
        ("log_leaf", "log_leaf_new"),
        ("journal_line", "journal_line_new"),
        ("journal", "journal_new"),
        ("private_value", "private_value_frozen"),
    }
    made = {name[:4]: import_module(f"api.migrations.versions.{name}") for name in _MIGRATIONS}
    for migration in made.values():
        wanted |= {(table, f"{table}_frozen") for table in getattr(migration, "FROZEN", ())}
    for table in (*made["0001"].COUNTERS, *made["0004"].COUNTERS):
        wanted |= {(table, f"{table}_kept"), (table, f"{table}_fixed")}
    for migration in (made["0004"], made["0006"], made["0007"]):
        wanted |= {(table, name) for name, table, _, _ in migration.RULES}
    return wanted


def check_governments(conn: Connection, _government: str) -> Iterator[Finding]:
    """No row of any table belongs to a government that has no book here."""
    for table in metadata.sorted_tables:
        column = "code" if table.name == "government" else "government"
        # A book has both, the edge of its log and its row: each is looked for by the other.
        book = (
            "government e WHERE e.code"
            if table.name == "log_edge"
            else "log_edge e WHERE e.government"
        )
        strangers = conn.execute(
            text(
                f"SELECT DISTINCT t.{column} FROM {table.name} t WHERE NOT EXISTS"
                f" (SELECT 1 FROM {book} = t.{column})"
            )
        )
        for (stranger,) in strangers:
            yield Finding(
                "government_unknown",
                f"{table.name} holds rows of {stranger}, which has no book here",
                table.name,
                str(stranger),
                column,
            )


@dataclass(frozen=True, slots=True)
class Signed:
    """What the log's signer remembers, its keys, and why that is not known, where it is not."""

    state: SignerState | None
    vkeys: Sequence[str] = ()
    why_not: str = ""


def signed_before(engine: Engine, keys: Path, government: str) -> Signed:
    """
    Read the signer's memory. Call it before the snapshot that is checked is opened: what was signed
    by then was committed by then, so a database that has less is behind.
    """
    try:
        vkeys = [key.verifier.vkey for key in log_keys_of(keys, government)]
        with reading(engine) as conn:
            origin = read_tree(conn, government).origin
        return Signed(signer_for(keys, government, origin).last(), vkeys)
    except (AuditError, LogKeyMissingError, OSError) as error:
        return Signed(None, (), str(error) or type(error).__name__)


def check_signed(conn: Connection, government: str, signed: Signed) -> Iterator[Finding]:
    """The database continues what was signed: it was not restored from an older copy, nor cut."""
    if signed.state is None:
        yield Finding(
            "signer_not_here",
            f"whether the database is behind what was signed was not checked: {signed.why_not}",
            "log_edge",
            government,
            "size",
            "note",
        )
        return
    try:
        check_not_behind(conn, government, signed.state)
    except DatabaseBehindSignerError as error:
        yield Finding(
            error.code,
            f"{error}; nothing can be written before `rkud audit recover` has replayed them from an"
            " export (--from-export DIR) or gone on as a new shard (--new-shard)",
            "log_edge",
            government,
            "size",
        )
    except AuditError as error:
        yield Finding(error.code, str(error), "log_edge", government)


#: name -> check, in the order in which an inspector would read them
CHECKS: Final[dict[str, Check]] = {
    "engine": check_engine,
    "governments": check_governments,
    "log": check_log,
    "private values": check_private_values,
    "journals": check_journals,
    "balances": check_balances,
    "people": check_people,
    "budget": check_budget,
    "documents": check_documents,
    "kept answers": check_idempotency,
    "reconciliation": check_reconciliation,
}


def check_all(
    conn: Connection,
    government: str,
    *,
    progress: Callable[[str], None] | None = None,
    vkeys: Sequence[str] = (),
    signed: Signed | None = None,
) -> Iterator[Finding]:
    """
    All findings of all checks; *progress* is told each check's name before it starts.

    With the log's *vkeys* (or those in *signed*) the signatures of published checkpoints are
    verified too; with *signed* the database is held against what the signer remembers. A check that
    can't go on over what it reads says so and the next one begins: damage must not hide damage.
    """
    checks = dict(CHECKS)
    known = vkeys or (signed.vkeys if signed is not None else ())
    checks["log"] = lambda conn, government: check_log(conn, government, known)
    if signed is not None:
        checks = {
            "signer": lambda conn, government: check_signed(conn, government, signed)
        } | checks
    for name, check in checks.items():
        if progress is not None:
            progress(name)
        findings = check(conn, government)
        try:
            yield from findings
        except DBAPIError:
            raise
        except Exception as error:  # damaged rows can break a check in any way
            yield Finding(
                "check_stopped", f"the check of {name} could not go on: {type(error).__name__}", ""
            )
