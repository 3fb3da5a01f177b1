"""
Edit every column of every posted table behind the ledger's back; each edit must be found and named.

    python -m tests.soak.edits [--engine postgresql] [--seed 1] [--table NAME] [--url URL --vkey VKEY]

Without a URL the demo makes a small book first; for PostgreSQL its rows are copied as they are.

For each table and column a row is chosen by seed, the table's triggers are taken away, the value is
changed, the triggers are put back, `fsck` runs, and everything is rolled back. A column is protected
when `fsck` names its table; it is guarded when the engine itself refuses the edit (a key, a CHECK);
what is neither is printed with the reason that `api.fsck.UNPROTECTED` gives, and is a failure
without one. The database is left as it was.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from sqlalchemy import BigInteger, Connection, Engine, LargeBinary, Table, text
from sqlalchemy.exc import DBAPIError

from api.engine import make_engine
from api.fsck import CHECKS, UNPROTECTED, check_all
from api.migrations_runner import upgrade
from api.private_postgres import PrivatePostgres
from audit.database import metadata
from audit.keys import load_log_key

#: Not posted: a mirror of leaf hashes that nothing trusts.
LEFT_OUT = {"log_node"}


def changed(value: object, table: Table, column: str, chance: random.Random) -> object:
    """Another value of the same kind."""
    kind = table.c[column].type
    if isinstance(kind, BigInteger):
        return (int(value) if isinstance(value, int) else 0) + chance.choice([1, 7, 100])
    if isinstance(kind, LargeBinary):
        data = bytearray(bytes(value) if isinstance(value, bytes | memoryview) else b"")
        if not data:
            return b"x"
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        return bytes(data)
    old = str(value or "")
    if not old:
        return "x"
    at = chance.randrange(len(old))
    other = "7" if old[at] != "7" else "3"
    return old[:at] + other + old[at + 1 :]


def edit(conn: Connection, table: Table, column: str, chance: random.Random) -> str:
    """Change one value with the triggers away; what was done, or "" when there is no row."""
    names = list(table.c.keys())
    rows = conn.execute(text(f"SELECT * FROM {table.name}")).all()
    if not rows:
        return ""
    row = dict(zip(names, chance.choice(rows), strict=True))
    new = changed(row[column], table, column, chance)
    restore = _take_triggers(conn, table.name)
    where = " AND ".join(
        f"{name} IS NULL" if row[name] is None else f"{name} = :k_{name}" for name in names
    )
    values = {f"k_{name}": row[name] for name in names if row[name] is not None}
    result = conn.execute(
        text(f"UPDATE {table.name} SET {column} = :new WHERE {where}"), values | {"new": new}
    )
    assert result.rowcount == 1, (table.name, column, result.rowcount)
    for statement in restore:
        conn.exec_driver_sql(statement)
    return f"{row[column]!r:.60} -> {new!r:.60}"


def _take_triggers(conn: Connection, table: str) -> list[str]:
    """Drop or disable the table's triggers; the statements that put them back."""
    if conn.dialect.name == "sqlite":
        found = conn.execute(
            text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :t"),
            {"t": table},
        ).all()
        for name, _ in found:
            conn.exec_driver_sql(f"DROP TRIGGER {name}")
        return [sql for _, sql in found]
    found = conn.execute(
        text(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = CAST(:t AS regclass) AND NOT tgisinternal"
        ),
        {"t": table},
    ).all()
    for (name,) in found:
        conn.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
    return [f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}" for (name,) in found]


def attempt(
    engine: Engine, government: str, table: Table, column: str, *, seed: int, vkeys: list[str]
) -> tuple[str, str]:
    """(outcome, detail) of one edit: protected, guarded, missed or empty."""
    chance = random.Random(f"{seed}/{table.name}/{column}")
    with engine.connect() as conn:
        if conn.dialect.name == "sqlite":
            conn.exec_driver_sql("BEGIN")
            conn.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        try:
            done = edit(conn, table, column, chance)
            if not done:
                return "empty", "no row"
            findings = [
                f for f in check_all(conn, government, vkeys=vkeys) if f.severity == "error"
            ]
        except DBAPIError as error:
            return "guarded", str(error.orig).splitlines()[0][:100]
        finally:
            if conn.dialect.name == "sqlite":
                conn.exec_driver_sql("ROLLBACK")
            conn.rollback()
    if not findings:
        return "missed", done
    named = [f for f in findings if f.table == table.name] or findings
    return "protected", f"{named[0].code}: {named[0].message[:110]}"


def run(url: str, government: str, *, seed: int, only: str, vkeys: list[str]) -> int:
    """Edit everything; 1 when an edit was missed without a reason."""
    engine = make_engine(url)
    # The engine's own checks compare the schema, which is the same before and after.
    CHECKS.pop("engine", None)
    with engine.connect() as conn:
        before = [f for f in check_all(conn, government) if f.severity == "error"]
        conn.rollback()
    if before:
        print(f"the book is not clean before any edit: {before[0]}")
        return 1
    outcomes: Counter[str] = Counter()
    missed = []
    for table in metadata.sorted_tables:
        if table.name in LEFT_OUT or (only and table.name != only):
            continue
        for column in [each.name for each in table.c]:
            outcome, detail = attempt(engine, government, table, column, seed=seed, vkeys=vkeys)
            name = f"{table.name}.{column}"
            if outcome == "missed" and name in UNPROTECTED:
                outcome, detail = "listed", UNPROTECTED[name]
            if outcome == "missed":
                missed.append(name)
            outcomes[outcome] += 1
            print(f"{outcome:<9} {name:<36} {detail}", flush=True)
    engine.dispose()
    print(dict(outcomes))
    if missed:
        print("missed without a reason: " + ", ".join(missed))
    return 1 if missed else 0


def demo_book(folder: Path) -> tuple[str, str]:
    """A small day of the demo: URL of its database, and the log's key."""
    data = folder / "data"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from api.cli import main; main()",
            "demo",
            "--sp2d",
            "12",
            "--exit",
        ],
        env=os.environ | {"RKUD_DATA_DIR": str(data)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
    key = load_log_key(next((data / "keys").glob("log-*.key")))
    return f"sqlite:///{data}/rkud.db", key.verifier.vkey


def copied(url: str, owner_url: str) -> str:
    """The same rows in a PostgreSQL database, put there by its owner with the triggers away."""
    upgrade(owner_url)
    source, target = make_engine(url), make_engine(owner_url)
    with source.connect() as old, target.begin() as new:
        new.exec_driver_sql("SET CONSTRAINTS ALL DEFERRED")
        waiting = list(metadata.sorted_tables)
        restore = [statement for t in waiting for statement in _take_triggers(new, t.name)]
        while waiting:
            # Parents first: a table whose parents are not there yet is tried again in the next round.
            later = []
            for table in waiting:
                rows = [row._asdict() for row in old.execute(table.select())]
                try:
                    with new.begin_nested():
                        if rows:
                            new.execute(table.insert(), rows)
                except DBAPIError:
                    later.append(table)
            if len(later) == len(waiting):
                raise SystemExit(f"can't copy {[t.name for t in later]}")
            waiting = later
        for statement in restore:
            new.exec_driver_sql(statement)
    source.dispose()
    target.dispose()
    return owner_url


def main() -> int:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--url", default="", help="the owner's URL on PostgreSQL")
    parser.add_argument("--government", default="36")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--table", default="")
    parser.add_argument("--vkey", default="", help="the log's key")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        url, vkey = given.url, given.vkey
        if not url:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url, vkey = demo_book(folder)
        if not given.url and given.engine == "postgresql":
            server = stack.enter_context(PrivatePostgres(durable=False))
            url = copied(url, server.create_database("edits").owner)
        vkeys = [vkey] if vkey else []
        return run(url, given.government, seed=given.seed, only=given.table, vkeys=vkeys)


if __name__ == "__main__":
    sys.exit(main())
