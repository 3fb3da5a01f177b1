"""Edits behind the ledger's back, on a book in which every act was done: each is found and named."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import Engine, text

from api.engine import make_engine, reading
from api.fsck import CHECKS, check_all
from api.private_postgres import PrivatePostgres
from audit.database import metadata
from audit.export import export
from audit.findings import Finding
from audit.verify import verify
from ledger.book_export import BookExport
from tests.builders import GOVERNMENT
from tests.databases import chosen_engines
from tests.soak.book import ALWAYS_TRIVIAL, OTHER, build, trivial_columns
from tests.soak.edits import Edit, apply, opened


class Rich(NamedTuple):
    """The owner's engine on the book, and the keys of its log."""

    engine: Engine
    vkeys: list[str]


@pytest.fixture(scope="module", params=chosen_engines())
def rich(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rich]:
    """The book, once for each engine: no test of this file commits anything."""
    folder = tmp_path_factory.mktemp("rich")
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("_sqlite_template")
        shutil.copyfile(template, folder / "rkud.db")
        app = owner = f"sqlite:///{folder / 'rkud.db'}"
    else:
        server: PrivatePostgres = request.getfixturevalue("postgres")
        request.getfixturevalue("_postgres_copies")  # migrates the template
        urls = server.create_database("rich", template="rkud_template")
        app, owner = urls.app, urls.owner
    vkeys = build(app, folder)
    engine = make_engine(owner)
    yield Rich(engine, vkeys)
    engine.dispose()


def test_book_of_every_act_fills_every_column_and_is_clean(rich: Rich) -> None:
    """Every column holds a value somewhere, and no check finds anything wrong."""
    with reading(rich.engine) as conn:
        found = [f for f in check_all(conn, GOVERNMENT, vkeys=rich.vkeys) if f.severity == "error"]

    assert [] == found
    assert sorted(ALWAYS_TRIVIAL) == sorted(trivial_columns(rich.engine))


def test_export_of_the_book_of_every_act_verifies_offline(rich: Rich, tmp_path: Path) -> None:
    """Continuity numbers, orders of another system, undone acts, a lost shard: all recomputed."""
    with reading(rich.engine) as conn:
        export(conn, tmp_path / "out", GOVERNMENT, vkeys=rich.vkeys, books=BookExport())

    verdict = verify(tmp_path / "out", rich.vkeys)

    assert [] == verdict.failures
    assert any("two-person acts" in line for line in verdict.proven)


CASH = "kepmendagri-050-3708-2020/PPKD/FIN/1.1.01.01.01.0001"
FED = "svc-feed/kunci-1"

#: what is done -> (table edited, statement, code, table and key that are named)
EDITS: dict[str, tuple[str, str, str, str, str]] = {
    "cash floor lowered": (
        "account_balance",
        f"UPDATE account_balance SET floor_sen = floor_sen - 1 WHERE bank_account = '{OTHER}'",
        "floor_differs",
        "account_balance",
        f"{CASH}/{OTHER}//",
    ),
    "cash floor raised to nothing": (
        "account_balance",
        f"UPDATE account_balance SET floor_sen = 0 WHERE bank_account = '{OTHER}'",
        "floor_differs",
        "account_balance",
        f"{CASH}/{OTHER}//",
    ),
    "allowance of a line that a fact widened": (
        "budget_line",
        "UPDATE budget_line SET allowance_sen = allowance_sen + 1 WHERE id = 'BL-FEE'",
        "allowance_differs",
        "budget_line",
        "BL-FEE",
    ),
    "allowance of a line that has paid orders": (
        "budget_line",
        "UPDATE budget_line SET allowance_sen = allowance_sen + 1 WHERE id = 'BL-1'",
        "allowance_differs",
        "budget_line",
        "BL-1",
    ),
    "allowance of a release": (
        "release_bucket",
        "UPDATE release_bucket SET allowance_sen = 1 WHERE id = '2026/skpd/PPKD/1.02.01.2.01.0003'",
        "allowance_differs",
        "release_bucket",
        "2026/skpd/PPKD/1.02.01.2.01.0003",
    ),
    "commitment on an account that is no cash": (
        "account_balance",
        "UPDATE account_balance SET committed_sen = 5 WHERE account = '1.1.12.01.01.0001'",
        "committed_differs",
        "account_balance",
        "kepmendagri-050-3708-2020/PPKD/FIN/1.1.12.01.01.0001///",
    ),
    "line gone from the middle of a journal": (
        "journal_line",
        "DELETE FROM journal_line WHERE journal_id = 2 AND n = 2",
        "line_missing",
        "journal_line",
        "2/2",
    ),
    "line numbered anew": (
        "journal_line",
        "UPDATE journal_line SET n = 99 WHERE journal_id = 2 AND n = 4",
        "line_unknown",
        "journal_line",
        "2/99",
    ),
    "entry of a budget load": (
        "budget_load_entry",
        "UPDATE budget_load_entry SET amount_sen = amount_sen + 1 WHERE load_n = 1 AND id = 'BL-2'",
        "entry_changed",
        "budget_load_entry",
        "1/line/BL-2",
    ),
    "budget day gone": (
        "budget_day",
        "DELETE FROM budget_day WHERE budget_line = 'BL-FEE'",
        "budget_day_differs",
        "budget_day",
        "BL-FEE/bank.fee/2026-11-21",
    ),
    "account day gone": (
        "account_day",
        "DELETE FROM account_day WHERE day = '2026-01-01' AND bank_account <> ''",
        "day_differs",
        "account_day",
        "PPKD/FIN/1.1.01.01.01.0001/137:0010012345678///2026/1/2026-01-01",
    ),
    "frozen sums of another leaf": (
        "account_period",
        "UPDATE account_period SET leaf_index = 1 WHERE counterpart = 'PPKD'",
        "row_changed",
        "account_period",
        "2026/1/1.02.0.00.0.00.01.0000/FIN/3.1.03.01.01.0001//PPKD/",
    ),
    "first shard of another origin": (
        "log_shard",
        "UPDATE log_shard SET origin = 'rkud/37' WHERE n = 1",
        "row_changed",
        "log_shard",
        "1",
    ),
    "last checkpoint of the log that ended": (
        "checkpoint",
        "UPDATE checkpoint SET note = 'x' WHERE size = (SELECT max(size) FROM checkpoint)",
        "checkpoint_changed",
        "checkpoint",
        "",
    ),
    "bank line gone": (
        "bank_line",
        "DELETE FROM bank_line WHERE id = 3",
        "bank_line_missing",
        "bank_line",
        "3",
    ),
    "bank line under another number": (
        "bank_line",
        "UPDATE bank_line SET id = 77 WHERE id = 3",
        "bank_line_changed",
        "bank_line",
        "3",
    ),
    "bank line counted twice in its day": (
        "bank_line",
        "UPDATE bank_line SET occurrence = 9 WHERE id = 3",
        "bank_line_changed",
        "bank_line",
        "3",
    ),
    "match gone": (
        "reconciliation_match",
        "DELETE FROM reconciliation_match WHERE id = 2",
        "reconciliation_match_missing",
        "reconciliation_match",
        "2",
    ),
    "match of another rule": (
        "reconciliation_match",
        "UPDATE reconciliation_match SET rule_version = '9' WHERE id = 2",
        "reconciliation_match_changed",
        "reconciliation_match",
        "2",
    ),
    "member of another round": (
        "match_member",
        "UPDATE match_member SET round = 3 WHERE match_id = 5 AND n = 1",
        "match_member_changed",
        "match_member",
        "5/1",
    ),
    "member gone": (
        "match_member",
        "DELETE FROM match_member WHERE match_id = 2 AND n = 2",
        "match_member_changed",
        "match_member",
        "2/2",
    ),
    "open item gone": (
        "open_item",
        "DELETE FROM open_item WHERE side = 'bank' AND item = 7",
        "working_set_differs",
        "open_item",
        "bank/7",
    ),
    "kept answer of another person": (
        "idempotency",
        "UPDATE idempotency SET person_id = 'kuasa' WHERE key = 'kunci-1'",
        "answer_changed",
        "idempotency",
        "kuasa/kunci-1",
    ),
    "kept answer of another batch": (
        "idempotency",
        "UPDATE idempotency SET batch_seq = 1 WHERE key = 'kunci-1'",
        "answer_changed",
        "idempotency",
        FED,
    ),
    "kept answer of another status": (
        "idempotency",
        "UPDATE idempotency SET status = 0 WHERE key = 'kunci-1'",
        "answer_changed",
        "idempotency",
        FED,
    ),
    "kept answer of another journal": (
        "idempotency",
        "UPDATE idempotency SET request_c = (SELECT request_c FROM idempotency"
        " WHERE key = 'kunci-2') WHERE key = 'kunci-1'",
        "answer_changed",
        "idempotency",
        FED,
    ),
    "kept request of other digests": (
        "idempotency",
        "UPDATE idempotency SET request = '' WHERE key = 'kunci-2'",
        "answer_changed",
        "idempotency",
        "svc-feed/kunci-2",
    ),
    "log of a government without a book": (
        "log_edge",
        "INSERT INTO log_edge SELECT '99', origin, base, size, edge, batch_seq, journal_count,"
        " recorded_at, config_rev FROM log_edge",
        "government_unknown",
        "log_edge",
        "99",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edit_with_triggers_away_is_found_and_its_row_is_named(rich: Rich, edit: str) -> None:
    """The finding has the table and the key of the row that was edited."""
    table, statement, code, named, key = EDITS[edit]
    found = _after(rich, table, statement)

    assert (code, named, key) in {(f.code, f.table, f.key if key else "") for f in found}


def _after(rich: Rich, table: str, statement: str) -> list[Finding]:
    """What fsck finds wrong after the statement, which is then taken back."""
    edit = Edit("", metadata.tables[table], "", [(statement, {})], [], "")
    with opened(rich.engine, guarded=False) as conn:
        apply(conn, edit, guarded=False)
        return [
            finding
            for name, check in CHECKS.items()
            if name != "engine"
            for finding in check(conn, GOVERNMENT)
            if finding.severity == "error"
        ]


def test_lines_are_left_as_they_were(rich: Rich) -> None:
    """Edits are rolled back, and the triggers with them."""
    before = _triggers(rich)
    _after(rich, "journal_line", "DELETE FROM journal_line WHERE journal_id = 2 AND n = 2")

    assert before == _triggers(rich)
    with reading(rich.engine) as conn:
        assert (
            4
            == conn.execute(text("SELECT count(*) FROM journal_line WHERE journal_id = 2")).scalar()
        )


def _triggers(rich: Rich) -> list[tuple[str, str]]:
    with reading(rich.engine) as conn:
        query = (
            "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger' ORDER BY 1, 2"
            if conn.dialect.name == "sqlite"
            else "SELECT tgname, CAST(tgenabled AS text) FROM pg_trigger WHERE NOT tgisinternal"
            " ORDER BY 1, tgrelid"
        )
        return [(row[0], row[1]) for row in conn.execute(text(query))]
