"""fsck of the stored tree nodes, and of a database against what its signer remembers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from api.engine import make_engine, reading
from api.fsck import Signed, check_all, check_signed
from audit.checkpoints import check_not_behind
from audit.findings import Finding
from audit.log_check import check_log
from audit.signer import MonotonicSigner, SignerState
from tests.audit.logs import new_signer, post_journals, raw_sqlite, sealed
from tests.builders import GOVERNMENT
from tests.databases import Database


@pytest.fixture
def signer(tmp_path: Path) -> MonotonicSigner:
    """The log's signer."""
    return new_signer(tmp_path / "keys")


@pytest.fixture
def engine(opened: Database, signer: MonotonicSigner) -> Iterator[Engine]:
    """A sealed log of 800 entries: three stored nodes of level 1."""
    made = make_engine(opened.url)
    post_journals(made, 1, 782)
    sealed(made, signer)
    yield made
    made.dispose()


def attack(database: Database, sql: str) -> None:
    """Run a statement as somebody who can switch off what refuses it."""
    if database.dialect == "sqlite":
        with raw_sqlite(database) as conn:
            conn.execute(sql)
        return
    owner = create_engine(database.owner_url)
    with owner.begin() as conn:
        conn.execute(text("ALTER TABLE log_node DISABLE TRIGGER USER"))
        conn.execute(text(sql))
    owner.dispose()


def findings(engine: Engine) -> list[Finding]:
    """What the check of the log finds."""
    with reading(engine) as conn:
        return list(check_log(conn, GOVERNMENT))


def test_fsck_of_a_sealed_log_finds_its_nodes_right(engine: Engine) -> None:
    """Nodes that each seal stored follow from the leaves, also those stored by later seals."""
    assert [] == findings(engine)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "UPDATE log_node SET hash = (SELECT leaf_hash FROM log_leaf WHERE idx = 3) WHERE idx = 1",
            ("log_node_changed", "rkud/36 1 1", "hash"),
        ),
        ("DELETE FROM log_node WHERE idx = 1", ("log_node_missing", "rkud/36 1 1", "")),
        ("UPDATE log_node SET idx = 7 WHERE idx = 2", ("log_node_unknown", "rkud/36 1 7", "")),
        (
            "UPDATE log_node SET origin = 'rkud/51' WHERE idx = 2",
            ("log_node_unknown", "rkud/51 1 2", ""),
        ),
    ],
)
def test_fsck_of_an_edited_node_names_it(
    opened: Database, engine: Engine, sql: str, expected: tuple[str, str, str]
) -> None:
    """Changed, removed or moved: table, key and column are named, and nothing else."""
    attack(opened, sql)
    found = findings(engine)

    assert [("log_node", *expected)] == [(f.table, f.code, f.key, f.column) for f in found]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE log_leaf SET body = CAST(replace(CAST(body AS TEXT), 'J-1', 'J-8') AS BLOB)",
        "UPDATE log_leaf SET leaf_hash = zeroblob(32)",
    ],
)
def test_fsck_of_an_edited_leaf_says_nothing_of_nodes(
    opened_sqlite: Database, tmp_path: Path, sql: str
) -> None:
    """One edit, of bytes or of the stored hash, is not reported as another one."""
    engine = make_engine(opened_sqlite.url)
    post_journals(engine, 1, 300)
    sealed(engine, new_signer(tmp_path / "signer"))
    with raw_sqlite(opened_sqlite) as conn:
        conn.execute(f"{sql} WHERE idx = 30")
    found = findings(engine)
    engine.dispose()

    assert "leaf_changed" in {f.code for f in found}
    assert "log_node" not in {f.table for f in found}


def test_fsck_of_a_log_without_a_leaf_says_nothing_of_nodes_behind_it(
    opened_sqlite: Database, tmp_path: Path
) -> None:
    """Where leaves are missing everything stands at another place: that is one finding, not many."""
    engine = make_engine(opened_sqlite.url)
    post_journals(engine, 1, 600)
    sealed(engine, new_signer(tmp_path / "signer"))
    with raw_sqlite(opened_sqlite) as conn:
        conn.execute("DELETE FROM log_leaf WHERE idx = 30")
    found = findings(engine)
    engine.dispose()

    assert "leaf_missing" in {f.code for f in found}
    assert "log_node" not in {f.table for f in found}


# --- the signer ---------------------------------------------------------------------------------


def ahead(state: SignerState, acts: int) -> SignerState:
    """A signer that has signed more than the database holds, as after a restored backup."""
    return SignerState(state.origin, state.size + acts, bytes(32), state.note, frozen=False)


def test_fsck_of_a_database_behind_its_signer_says_so_and_what_to_do(
    engine: Engine, signer: MonotonicSigner
) -> None:
    """Both sizes and the command, on both engines; the other checks run all the same."""
    state = ahead(signer.last(), 31)
    with reading(engine) as conn:
        found = [f for f in check_all(conn, GOVERNMENT, signed=Signed(state)) if "sign" in f.code]
    (behind,) = found

    assert ("database_behind_signer", "error", "log_edge", GOVERNMENT) == (
        behind.code,
        behind.severity,
        behind.table,
        behind.key,
    )
    assert "size 831 of the log of government 36 is signed, the database has 800 acts" in (
        behind.message
    )
    assert "rkud audit recover" in behind.message


def test_fsck_of_a_rewritten_database_of_the_signed_size_says_so(
    engine: Engine, signer: MonotonicSigner
) -> None:
    """As many acts, but not those that were signed."""
    with reading(engine) as conn:
        (found,) = check_signed(conn, GOVERNMENT, Signed(ahead(signer.last(), 0)))

    assert "database_behind_signer" == found.code
    assert "the leaves that were signed are not those in the database" in found.message


def test_fsck_of_a_database_that_continues_its_signer_finds_nothing(
    engine: Engine, signer: MonotonicSigner
) -> None:
    """Acts that nobody signed yet are no finding."""
    post_journals(engine, 2_000, 3)
    with reading(engine) as conn:
        check_not_behind(conn, GOVERNMENT, signer.last())
        found = list(check_signed(conn, GOVERNMENT, Signed(signer.last())))

    assert [] == found


def test_fsck_without_the_signers_state_notes_that_it_did_not_compare(engine: Engine) -> None:
    """A copy that is checked elsewhere: a note, not an error."""
    with reading(engine) as conn:
        (found,) = check_signed(conn, GOVERNMENT, Signed(None, (), "no key of it is here"))

    assert ("signer_not_here", "note") == (found.code, found.severity)
    assert "no key of it is here" in found.message
