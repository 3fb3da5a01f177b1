"""
Edit every column of every posted table behind the ledger's back; each edit must be found and named.

    python -m tests.soak.edits [--engine postgresql] [--seed 1] [--table NAME] [--url URL --vkey VKEY]...

Without a URL a small book is made first (`tests.soak.book`), in which every column of every table holds
a value. The edits: each column gets an altered value and another row's value; then rows are deleted,
copied under another key, and exchange their values. Rows are chosen by seed.

For each edit the table's triggers are taken away, the edit is made, the triggers are put back, `fsck`
runs, and everything is rolled back. An edit that the engine itself refuses (a key, a CHECK) is made
again with CHECKs and foreign keys out of the way, as somebody with the file could. `fsck` must name
the row: a finding of its table, with its key. What a check can name by its group alone stands in
`GROUPS`, what nothing finds in `api.fsck.UNPROTECTED` and `ROWS_UNPROTECTED`, each with its reason. A
finding that names something else, an edit that is missed without a reason, and a column without any
row to edit are failures. The database is left as it was.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, Connection, Engine, LargeBinary, Table, inspect, text
from sqlalchemy.exc import DBAPIError

from api.engine import make_engine, rollback
from api.fsck import CHECKS, UNPROTECTED, check_all
from api.migrations_runner import upgrade
from api.private_postgres import PrivatePostgres
from audit.database import metadata
from audit.findings import Finding
from ledger import people_check
from tests.soak.book import ALWAYS_TRIVIAL, build, trivial_columns

Row = dict[str, Any]

#: Nodes of the tree are stored from 256 leaves on; tests/audit/test_nodes_check.py edits those.
LEFT_OUT: Final = {"log_node": "the book has too few leaves for one"}

#: How a check writes the key of a row, where it isn't the primary key without the government.
KEYS: Final[dict[str, Sequence[Sequence[str]]]] = {
    "account_balance": (
        (
            *("chart_version", "entity", "book", "account"),
            *("bank_account", "counterpart", "fund_source"),
        ),
        ("bank_account",),
    ),
    "account_day": (
        (
            *("entity", "book", "account", "bank_account", "counterpart", "fund_source"),
            *("fiscal_year", "period", "day"),
        ),
    ),
    "account_period": (
        (
            *("fiscal_year", "period", "entity", "book", "account"),
            *("bank_account", "counterpart", "fund_source"),
        ),
    ),
    "checkpoint": (("size",),),
    "government": (("code",),),
    "log_edge": (("government",),),
    "log_shard": (("n",),),
    "private_value": (("commitment",),),
}

#: Tables whose rows a digest in a leaf covers together: the columns that name the group, and why.
GROUPS: Final[dict[str, tuple[str, Sequence[str], str]]] = {
    "bank_line_delivery": ("", ("statement_id",), "one digest covers what a statement confirmed"),
    "bank_line_gone": ("", ("statement_id",), "one digest covers what a reissued statement lacks"),
    "budget_load_entry": ("", ("load_n",), "an entry that a later load replaced has no line left"),
    "provisional_booked": ("", ("leaf_index",), "one digest covers what an act confirmed"),
    "provisional_line": ("", ("delivery_id",), "one digest covers the lines of a delivery"),
    "provisional_line_delivery": (
        "",
        ("delivery_id",),
        "one digest covers what a delivery told of again",
    ),
    "reconciliation_match": ("run ", ("run_id",), "one digest covers the matches of a run"),
}

#: What a row edit may do unseen, by table and kind of edit, and why.
ROWS_UNPROTECTED: Final[dict[tuple[str, str], str]] = {
    (
        "checkpoint",
        "deleted",
    ): "signed after the acts it covers, it stands in no leaf; copies miss it",
    ("idempotency", "deleted"): "no leaf names a key; a repeat is then decided anew",
    ("idempotency", "inserted"): "no leaf names a key; the row repeats a true answer",
    ("idempotency", "swapped"): "no leaf names a key; each then gives the other's true answer",
    ("statement_file_content", "deleted"): "bytes name people and may be erased; fsck notes it",
}


# --- what is edited ----------------------------------------------------------------------------


class Key(NamedTuple):
    """Columns of a unique key; a *partial* one leaves rows without a value alone."""

    names: Sequence[str]
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit: what is done, in SQL, and the rows as they were and are."""

    kind: str
    table: Table
    column: str
    statements: Sequence[tuple[str, Row]]
    rows: Sequence[Row]
    shown: str
    #: What two rows exchanged.
    swapped: Sequence[str] = ()


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


def column_edits(
    table: Table, rows: Sequence[Row], column: str, keys: Sequence[Key], seed: int
) -> Iterator[Edit]:
    """An altered value in a row that holds one, and another row's value in any, where no key forbids."""
    chance = random.Random(f"{seed}/{table.name}/{column}")
    held = [row for row in rows if not is_trivial(row[column])]
    row = chance.choice(held or rows)
    for _ in range(50):
        new = changed(row[column], table, column, chance)
        if not _collides(rows, row, row | {column: new}, keys):
            break
        row = chance.choice(held or rows)
    yield _set(table, row, column, new, "altered")
    values = sorted({row[column] for row in rows}, key=repr)
    for _ in range(50 if len(values) > 1 else 0):
        row = chance.choice(rows)
        new = chance.choice([value for value in values if value != row[column]])
        if not _collides(rows, row, row | {column: new}, keys):
            yield _set(table, row, column, new, "borrowed")
            return


def _collides(rows: Sequence[Row], before: Row, after: Row, keys: Sequence[Key]) -> bool:
    """Whether another row has one of the keys that *after* would have."""
    return any(
        all(row[name] == after[name] is not None for name in key.names)
        and not (key.partial and any(is_trivial(after[name]) for name in key.names))
        for row in rows
        if row is not before
        for key in keys
    )


def is_trivial(value: object) -> bool:
    """Whether a value stands for none."""
    return value in (None, "", 0, b"")


def _set(table: Table, row: Row, column: str, new: object, kind: str) -> Edit:
    where, values = _where(row)
    return Edit(
        kind,
        table,
        column,
        [(f"UPDATE {table.name} SET {column} = :new WHERE {where}", values | {"new": new})],
        [row, row | {column: new}],
        f"{row[column]!r:.50} -> {new!r:.50}",
    )


def row_edits(table: Table, rows: Sequence[Row], keys: Sequence[Key], seed: int) -> Iterator[Edit]:
    """A row gone, a row that was never posted, two rows that exchanged one value, or all of them."""
    chance = random.Random(f"{seed}/{table.name}")
    row = chance.choice(rows)
    where, values = _where(row)
    yield Edit(
        "deleted", table, "", [(f"DELETE FROM {table.name} WHERE {where}", values)], [row], ""
    )
    made = _copied(chance.choice(rows), keys)
    names = ", ".join(made)
    marks = ", ".join(f":{name}" for name in made)
    insert = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"
    yield Edit("inserted", table, "", [(insert, made)], [made], "")
    fixed = {name for key in keys for name in key.names}
    free = [name for name in made if name not in fixed]
    for kind in ("one", "all") if len(rows) > 1 and free else ():
        for _ in range(50):
            one, other = chance.sample(list(rows), 2)
            some = free if kind == "all" else [chance.choice(free)]
            some = [name for name in some if one[name] != other[name]]
            if some:
                yield _swapped(table, one, other, some)
                break


def _copied(row: Row, keys: Sequence[Key]) -> Row:
    """A copy of a row whose every key is new in its last part."""
    made = dict(row)
    for key in keys:
        parts = [name for name in key.names if name != "government"] or list(key.names)
        if all(made[name] == row[name] for name in parts):
            held = [name for name in parts if row[name] is not None]
            for name in held[-1:]:
                made[name] = _never_used(row[name])
    return made


def _swapped(table: Table, one: Row, other: Row, names: Sequence[str]) -> Edit:
    statements = []
    for row, source in ((one, other), (other, one)):
        where, values = _where(row)
        sets = ", ".join(f"{name} = :s_{name}" for name in names)
        statements.append(
            (
                f"UPDATE {table.name} SET {sets} WHERE {where}",
                values | {f"s_{name}": source[name] for name in names},
            )
        )
    return Edit("swapped", table, "", statements, [one, other], ", ".join(names)[:60], names)


def _never_used(value: object) -> object:
    if isinstance(value, int):
        return value + 100_003
    if isinstance(value, bytes | memoryview):
        return bytes(value)[::-1]
    old = str(value or "")
    return f"{old[:-2]}zz" if len(old) > 2 else f"{old}zz"


def _where(row: Row) -> tuple[str, Row]:
    where = " AND ".join(
        f"{name} IS NULL" if value is None else f"{name} = :k_{name}" for name, value in row.items()
    )
    return where, {f"k_{name}": value for name, value in row.items() if value is not None}


# --- how it is done ----------------------------------------------------------------------------


#: What the digest of eight thousand accounts is taken from; half of the time of a check of a small book.
_CHART: Final = {"account", "chart", "log_leaf"}


@contextlib.contextmanager
def charts_left_out(table: str) -> Iterator[None]:
    """Leave the digest of the chart alone while a table is edited that it is not taken from."""
    kept = people_check._check_charts
    if table not in _CHART:
        people_check._check_charts = lambda *_: iter(())
    try:
        yield
    finally:
        people_check._check_charts = kept


@contextlib.contextmanager
def opened(engine: Engine, *, guarded: bool) -> Iterator[Connection]:
    """A transaction that is rolled back; on SQLite without foreign keys where not *guarded*."""
    with engine.connect() as conn:
        if conn.dialect.name == "sqlite":
            conn.exec_driver_sql(f"PRAGMA foreign_keys = {'ON' if guarded else 'OFF'}")
            conn.exec_driver_sql("BEGIN")
            conn.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        try:
            yield conn
        finally:
            rollback(conn)
            if conn.dialect.name == "sqlite":
                conn.exec_driver_sql("PRAGMA foreign_keys = ON")
                conn.exec_driver_sql("PRAGMA ignore_check_constraints = OFF")


def apply(conn: Connection, edit: Edit, *, guarded: bool) -> None:
    """Make the edit with triggers (and constraints) away, and put them back."""
    table = edit.table.name
    before = _triggers(conn, table)
    restore = _take_triggers(conn, table)
    if not guarded:
        restore = [*restore, *_take_constraints(conn, table)]
    for statement, values in edit.statements:
        result = conn.execute(text(statement), values)
        assert result.rowcount == 1, (table, edit.kind, result.rowcount)
    if conn.dialect.name == "postgresql":
        # What was put off is decided now: a table with checks to come can't be altered.
        conn.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
    for statement in restore:
        conn.exec_driver_sql(statement)
    assert before == _triggers(conn, table), table


def _triggers(conn: Connection, table: str) -> list[tuple[str, str]]:
    """Names and texts (on PostgreSQL: modes) of a table's triggers."""
    if conn.dialect.name == "sqlite":
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :t ORDER BY 1"
    else:
        query = (
            "SELECT tgname, CAST(tgenabled AS text) FROM pg_trigger"
            " WHERE tgrelid = CAST(:t AS regclass) AND NOT tgisinternal ORDER BY 1"
        )
    return [(row[0], row[1]) for row in conn.execute(text(query), {"t": table})]


def _take_triggers(conn: Connection, table: str) -> list[str]:
    """Drop or disable the table's triggers; the statements that put them back."""
    found = _triggers(conn, table)
    if conn.dialect.name == "sqlite":
        for name, _ in found:
            conn.exec_driver_sql(f"DROP TRIGGER {name}")
        return [sql for _, sql in found]
    for name, _ in found:
        conn.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
    return [f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}" for name, _ in found]


def _take_constraints(conn: Connection, table: str) -> list[str]:
    """The same with CHECKs and with foreign keys from and to the table."""
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        return ["PRAGMA ignore_check_constraints = OFF"]
    found = conn.execute(
        text(
            "SELECT CAST(CAST(conrelid AS regclass) AS text), conname, pg_get_constraintdef(oid)"
            " FROM pg_constraint WHERE contype IN ('f', 'c')"
            " AND CAST(:t AS regclass) IN (conrelid, confrelid)"
        ),
        {"t": table},
    ).all()
    for owner, name, _ in found:
        conn.exec_driver_sql(f'ALTER TABLE {owner} DROP CONSTRAINT "{name}"')
    return [
        f'ALTER TABLE {owner} ADD CONSTRAINT "{name}" {rule.replace("%", "%%")} NOT VALID'
        for owner, name, rule in found
    ]


# --- what came of it ---------------------------------------------------------------------------


@dataclass(slots=True)
class Outcome:
    """
    found: `fsck` named the row; group: its group; listed: with a reason; missed: nothing;
    astray: `fsck` named something else; kept: no way to make the edit, whatever is taken away.
    `refused` is the engine's own answer to the edit with its constraints in place.
    """

    result: str
    detail: str
    refused: str = ""
    others: int = 0


def attempt(engine: Engine, government: str, edit: Edit, vkeys: Sequence[str]) -> Outcome:
    """Make an edit, look, and take it back."""
    refused = ""
    for guarded in (True, False):
        with opened(engine, guarded=guarded) as conn:
            try:
                apply(conn, edit, guarded=guarded)
            except DBAPIError as error:
                refused = refused or str(error.orig).splitlines()[0][:90]
                if not guarded:
                    return Outcome("kept", refused, refused)
                continue
            found = [f for f in check_all(conn, government, vkeys=vkeys) if f.severity == "error"]
            return judge(edit, found, refused)
    raise AssertionError(edit)


def judge(edit: Edit, found: Sequence[Finding], refused: str) -> Outcome:
    """Whether one of the findings names what was edited."""
    if not found:
        return Outcome("missed", edit.shown, refused)
    keys = {key for row in edit.rows for key in _keys_of(edit.table, row)}
    if edit.table.name == "private_value" and edit.kind == "deleted":
        # It is named by the tables that lost what they committed to.
        here = list(found)
    else:
        here = [f for f in found if f.table == edit.table.name]
    before, names, _ = GROUPS.get(edit.table.name, ("", (), ""))
    group = {before + _joined(row, names) for row in edit.rows} if names else set()
    if edit.column.endswith("_c"):
        # A commitment without its value is named by itself.
        keys |= {str(row[edit.column]) for row in edit.rows}
    named = [f for f in here if f.key in keys]
    exact = [f for f in named if edit.column and f.column == edit.column]
    for result, some in (
        ("found", exact or named),
        ("group", [f for f in here if f.key in group]),
        ("astray", here or list(found)),
    ):
        if some:
            first = some[0]
            told = f"{first.code}: {first.message[:100]}"
            if result == "astray":
                told += f" [{first.table} {first.key[:60]}] for {sorted(keys)[:2]}"
            return Outcome(result, told, refused, len(found) - len(some))
    raise AssertionError(found)


def _keys_of(table: Table, row: Row) -> Iterator[str]:
    for names in KEYS.get(table.name, (PRIMARY[table.name],)):
        yield _joined(row, names)
    if table.name == "log_leaf":
        yield str(row["idx"] + 1)  # a leaf that is gone is missed before the next one
    # A row of a government that has no book is named by that government.
    if row.get("government") not in (None, "36"):
        yield str(row["government"])


def _joined(row: Row, names: Sequence[str]) -> str:
    return "/".join(str(row[name]) for name in names)


#: Table -> its primary key without the government; read from the database.
PRIMARY: dict[str, tuple[str, ...]] = {}


# --- the run -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Tally:
    """What was seen so far."""

    by_table: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    refused: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    reasons: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, edit: Edit, outcome: Outcome) -> None:
        """Count it, and print it."""
        table = edit.table.name
        name = f"{table}.{edit.column}" if edit.column else table
        if edit.column:
            reason = UNPROTECTED.get(name, "")
        else:
            reason = ROWS_UNPROTECTED.get((table, edit.kind), "")
            some = [UNPROTECTED.get(f"{table}.{column}", "") for column in edit.swapped]
            if some and all(some):
                reason = "; ".join(dict.fromkeys(some))
        if outcome.result == "missed" and reason:
            outcome = Outcome("listed", reason, outcome.refused)
            self.reasons[name if edit.column else f"{table} ({edit.kind})"] = reason
        self.by_table[table][outcome.result] += 1
        self.refused[table]["refused" if outcome.refused else ""] += 1
        if outcome.result in ("missed", "astray"):
            self.failures.append(f"{outcome.result}: {name} ({edit.kind}) {outcome.detail}")
        mark = " (refused first)" if outcome.refused and outcome.result != "kept" else ""
        also = f" (+{outcome.others})" if outcome.others else ""
        print(
            f"{outcome.result:<7}{name:<36}{edit.kind:<9}{outcome.detail[:150]}{also}{mark}",
            flush=True,
        )

    def summary(self) -> None:
        """One line a table, what is unprotected and why, then the failures."""
        columns = ("found", "group", "listed", "kept", "missed", "astray")
        print(f"\n{'table':<24}{'edits':>6}{'refused':>9}" + "".join(f"{c:>8}" for c in columns))
        total: Counter[str] = Counter()
        for table, counts in sorted(self.by_table.items()):
            row = Counter(counts)
            row["edits"], row["refused"] = counts.total(), self.refused[table]["refused"]
            total += row
            _print_row(table, row, columns)
        _print_row("all", total, columns)
        print(
            "\nrefused: the engine's own keys and CHECKs refuse it; made again without them.\n"
            "found: named by fsck, table and row. group: named with the rows that one digest covers.\n"
            "kept: a key refuses it whatever is taken away. listed: nothing finds it, because:"
        )
        for name, reason in sorted(self.reasons.items()):
            print(f"  {name:<34} {reason}")
        for table, (_, names, reason) in sorted(GROUPS.items()):
            print(f"  {table:<34} (in part) named by {', '.join(names)}: {reason}")
        for failure in self.failures:
            print(f"FAILED {failure}")


def _print_row(name: str, row: Counter[str], columns: Sequence[str]) -> None:
    cells = "".join(f"{row[c] or '':>8}" for c in columns)
    print(f"{name:<24}{row['edits']:>6}{row['refused'] or '':>9}{cells}")


def run(
    url: str, government: str, *, seed: int, only: str, vkeys: Sequence[str], whole: bool
) -> int:
    """Edit everything; 1 when something was missed, or named as something else, or never there."""
    engine = make_engine(url)
    began = time.monotonic()
    # The engine's own checks compare the schema, which is the same before and after.
    CHECKS.pop("engine", None)
    with opened(engine, guarded=True) as conn:
        before = [f for f in check_all(conn, government, vkeys=vkeys) if f.severity == "error"]
    if before:
        print(f"the book is not clean before any edit: {before[0]}")
        return 1
    tally = Tally()
    if whole:
        allowed = ALWAYS_TRIVIAL.keys()
        empty = [n for n in trivial_columns(engine) if n not in allowed]
        tally.failures += [f"empty: no row of {name} holds a value" for name in empty]
    for table in metadata.sorted_tables:
        if table.name in LEFT_OUT or (only and table.name != only):
            continue
        with charts_left_out(table.name):
            edit_table(engine, table, government, tally, seed=seed, vkeys=vkeys)
    engine.dispose()
    tally.summary()
    for name, reason in LEFT_OUT.items():
        print(f"left out: {name}, {reason}")
    print(f"{engine.dialect.name}, seed {seed}: {time.monotonic() - began:.0f} s")
    return 1 if tally.failures else 0


def edit_table(
    engine: Engine,
    table: Table,
    government: str,
    tally: Tally,
    *,
    seed: int,
    vkeys: Sequence[str],
) -> None:
    """All edits of one table."""
    with engine.connect() as conn:
        rows = [dict(row._mapping) for row in conn.execute(table.select())]
        look = inspect(conn)
        primary = look.get_pk_constraint(table.name)["constrained_columns"]
        keys = [Key(primary)]
        for one in look.get_indexes(table.name):
            partial = any(name.endswith("_where") for name in one.get("dialect_options", {}))
            if one["unique"]:
                keys.append(Key([str(name) for name in one["column_names"]], partial))
        keys += [Key(one["column_names"]) for one in look.get_unique_constraints(table.name)]
    for row in rows:
        row.update({k: bytes(v) for k, v in row.items() if isinstance(v, memoryview)})
    PRIMARY[table.name] = tuple(n for n in primary if n != "government") or tuple(primary)
    if not rows:
        tally.failures.append(f"empty: {table.name} has no row")
        return
    for column in table.c:
        for edit in column_edits(table, rows, column.name, keys, seed):
            tally.add(edit, attempt(engine, government, edit, vkeys))
    for edit in row_edits(table, rows, keys, seed):
        tally.add(edit, attempt(engine, government, edit, vkeys))


def main() -> int:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--url", default="", help="the owner's URL on PostgreSQL")
    parser.add_argument("--government", default="36")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--table", default="")
    parser.add_argument("--vkey", action="append", default=[], help="a key of the log")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        url, vkeys = given.url, given.vkey
        if not url:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            app = url = f"sqlite:///{folder}/rkud.db"
            if given.engine == "postgresql":
                server = stack.enter_context(PrivatePostgres(durable=False))
                made = server.create_database("edits")
                url, app = made.owner, made.app
            upgrade(url)
            vkeys = build(app, folder)
        return run(
            url,
            given.government,
            seed=given.seed,
            only=given.table,
            vkeys=vkeys,
            whole=not given.url,
        )


if __name__ == "__main__":
    sys.exit(main())
