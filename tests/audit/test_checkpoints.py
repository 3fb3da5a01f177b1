"""Sealing a log: what is signed, what is published, and which databases are refused."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from api.engine import begin, make_engine, reading
from audit.checkpoint import open_checkpoint
from audit.checkpoints import Sealed, check_not_behind, latest, seal
from audit.database import checkpoint, log_leaf, log_node
from audit.errors import (
    DatabaseBehindSignerError,
    InvalidProofError,
    LogDamagedError,
    SmallerCheckpointError,
    WrongOriginError,
)
from audit.log import open_batch
from audit.merkle import inclusion_proof, leaf_hash, root_of, verify_inclusion
from audit.proof import verify_proof
from audit.proving_shell import prove_leaf
from audit.signer import MonotonicSigner
from audit.tiles import Tile, entry_bundles, hash_tiles
from audit.tiles_shell import NotPublishedError, read_tile, read_tree, serve, tile_reader
from tests.audit.logs import log_key, new_signer, post_journals, raw_sqlite, sealed
from tests.builders import GOVERNMENT, NOW
from tests.databases import Database


@pytest.fixture
def engine(opened: Database) -> Iterator[Engine]:
    """The opened book, on each engine."""
    engine = make_engine(opened.url)
    yield engine
    engine.dispose()


@pytest.fixture
def signer(tmp_path: Path) -> MonotonicSigner:
    """The log's signer, which has signed nothing."""
    return new_signer(tmp_path / "keys")


def bodies(engine: Engine) -> list[bytes]:
    """Every leaf."""
    with reading(engine) as conn:
        rows = conn.execute(select(log_leaf.c.body).order_by(log_leaf.c.idx))
        return [bytes(row.body) for row in rows]


def test_seal_after_acts_signs_the_root_over_all_committed_leaves(
    engine: Engine, signer: MonotonicSigner
) -> None:
    """Each checkpoint is the tree over exactly the leaves in the database, signed by the log's key."""
    published = []
    for round_ in range(4):
        post_journals(engine, round_ * 100, 3 + 90 * round_)
        done = sealed(engine, signer, seconds=round_)
        entries = bodies(engine)
        signed = open_checkpoint(done.note, [log_key().verifier]).checkpoint
        published.append(done)

        assert done.fresh
        assert len(entries) == done.size == signed.size
        assert root_of(map(leaf_hash, entries)) == done.root == signed.root
    with reading(engine) as conn:
        rows = conn.execute(select(checkpoint).order_by(checkpoint.c.size)).all()
        newest = latest(conn, GOVERNMENT)

    assert [(s.size, s.note.decode()) for s in published] == [(r.size, r.note) for r in rows]
    assert newest is not None
    assert published[-1].note == newest.note


def test_seal_without_a_new_act_gives_the_same_checkpoint_again(
    engine: Engine, signer: MonotonicSigner
) -> None:
    """Nothing new: the same bytes, nothing signed, one row."""
    first = sealed(engine, signer)
    again = sealed(engine, signer, seconds=60)
    with reading(engine) as conn:
        rows = conn.execute(select(checkpoint)).all()

    assert (first.note, first.signed_at, False) == (again.note, again.signed_at, again.fresh)
    assert 1 == len(rows)


def test_seal_that_died_after_signing_is_published_by_the_next_one(
    engine: Engine, signer: MonotonicSigner
) -> None:
    """A note that the signer remembers and nobody has is published first, the new tree after it."""

    class DiedError(Exception):
        """The process is killed between the signature and the commit."""

    with pytest.raises(DiedError), begin(engine) as conn:
        lost = seal(conn, GOVERNMENT, signer, now=NOW)
        raise DiedError
    with reading(engine) as conn:
        before = latest(conn, GOVERNMENT)
    post_journals(engine, 1, 5)
    newer = sealed(engine, signer)
    with reading(engine) as conn:
        rows = conn.execute(select(checkpoint).order_by(checkpoint.c.size)).all()

    assert before is None
    assert [lost.note.decode(), newer.note.decode()] == [row.note for row in rows]


def test_seal_of_a_named_size_covers_just_that_many(
    engine: Engine, signer: MonotonicSigner
) -> None:
    """An export seals the size of its own snapshot while acts go on; going back is refused."""
    size = len(bodies(engine))
    post_journals(engine, 1, 4)
    with begin(engine) as conn:
        done = seal(conn, GOVERNMENT, signer, now=NOW, size=size)
    rest = sealed(engine, signer)
    with pytest.raises(SmallerCheckpointError), begin(engine) as conn:
        seal(conn, GOVERNMENT, signer, now=NOW, size=size)

    assert (size, size + 4) == (done.size, rest.size)
    assert root_of(map(leaf_hash, bodies(engine)[:size])) == done.root


def test_seal_by_two_processes_at_once_publishes_one_line_of_trees(
    engine: Engine, signer: MonotonicSigner
) -> None:
    """Sealing while others seal and post never forks and never fails."""
    done: list[Sealed] = []
    failed: list[BaseException] = []

    def work(first: int) -> None:
        try:
            for n in range(5):
                post_journals(engine, first + n, 1)
                done.append(sealed(engine, signer))
        except BaseException as error:  # reported below, in the test's own thread
            failed.append(error)

    threads = [threading.Thread(target=work, args=(1000 * t,)) for t in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    hashes = [leaf_hash(body) for body in bodies(engine)]

    assert [] == failed
    assert {(s.size, root_of(hashes[: s.size])) for s in done} == {(s.size, s.root) for s in done}


def test_seal_by_another_logs_signer_is_refused(engine: Engine, tmp_path: Path) -> None:
    """The key's name is the log's origin."""
    other = new_signer(tmp_path / "other", origin="rkud/51")
    with pytest.raises(WrongOriginError), begin(engine) as conn:
        seal(conn, GOVERNMENT, other, now=NOW)


def test_seal_inside_a_transaction_that_wrote_is_refused_on_postgresql(
    opened_postgres: Database, tmp_path: Path
) -> None:
    """What is not committed is not signed."""
    engine = make_engine(opened_postgres.url)
    with pytest.raises(RuntimeError, match="transaction of its own"), begin(engine) as conn:
        batch = open_batch(conn, GOVERNMENT, now=NOW)
        batch.leaf("log.read", "admin-1", {})
        batch.close()
        seal(conn, GOVERNMENT, new_signer(tmp_path), now=NOW)
    engine.dispose()


# --- a database that is behind ---------------------------------------------------------------


def test_seal_of_a_restored_backup_is_refused_by_name(
    opened_sqlite: Database, tmp_path: Path
) -> None:
    """Yesterday's file under today's signer: too short first, then another past of the same length."""
    engine = make_engine(opened_sqlite.url)
    signer = new_signer(tmp_path / "keys")
    path = Path(opened_sqlite.url.removeprefix("sqlite:///"))
    post_journals(engine, 1, 3)
    engine.dispose()
    backup = tmp_path / "backup.db"
    shutil.copyfile(path, backup)
    engine = make_engine(opened_sqlite.url)
    post_journals(engine, 10, 3)
    size = sealed(engine, signer).size
    engine.dispose()
    for name in (path, path.with_name("rkud.db-wal"), path.with_name("rkud.db-shm")):
        name.unlink(missing_ok=True)
    shutil.copyfile(backup, path)
    engine = make_engine(opened_sqlite.url)

    with pytest.raises(DatabaseBehindSignerError) as short:
        sealed(engine, signer)
    with pytest.raises(DatabaseBehindSignerError), reading(engine) as conn:
        check_not_behind(conn, GOVERNMENT, signer.last())
    post_journals(engine, 20, 3)
    with pytest.raises(DatabaseBehindSignerError) as same:
        sealed(engine, signer)
    post_journals(engine, 30, 3)
    with pytest.raises(DatabaseBehindSignerError) as longer:
        sealed(engine, signer)
    engine.dispose()

    assert "database_behind_signer" == short.value.code
    assert (size, size - 3) == (short.value.signed_size, short.value.database_size)
    assert (size, size) == (same.value.signed_size, same.value.database_size)
    assert size + 3 == longer.value.database_size
    assert "leaves that were signed" in longer.value.reason


def test_check_not_behind_accepts_unsealed_acts_and_a_signer_that_has_not_signed(
    engine: Engine, signer: MonotonicSigner
) -> None:
    """A server that starts after a crash has acts that nobody signed yet: that is not behind."""
    with reading(engine) as conn:
        check_not_behind(conn, GOVERNMENT, signer.last())
    sealed(engine, signer)
    post_journals(engine, 1, 300)
    with reading(engine) as conn:
        check_not_behind(conn, GOVERNMENT, signer.last())


@pytest.mark.parametrize(
    ("edit", "error"),
    [
        ("UPDATE log_leaf SET leaf_hash = zeroblob(32) WHERE idx = 2", DatabaseBehindSignerError),
        ("UPDATE log_leaf SET leaf_hash = zeroblob(32) WHERE idx > 20", LogDamagedError),
        ("UPDATE log_edge SET edge = zeroblob(length(edge))", LogDamagedError),
        ("DELETE FROM log_leaf WHERE idx = 3", LogDamagedError),
        ("UPDATE log_edge SET size = 2, edge = substr(edge, 1, 32)", DatabaseBehindSignerError),
    ],
)
def test_seal_of_an_edited_database_is_refused(
    opened_sqlite: Database, tmp_path: Path, edit: str, error: type[Exception]
) -> None:
    """Whatever part of the tree was edited behind the ledger's back, nothing more is signed."""
    engine = make_engine(opened_sqlite.url)
    signer = new_signer(tmp_path / "keys")
    first = sealed(engine, signer)
    post_journals(engine, 1, 10)
    engine.dispose()
    with raw_sqlite(opened_sqlite) as raw:
        raw.execute(edit)
    engine = make_engine(opened_sqlite.url)

    with pytest.raises(error):
        sealed(engine, signer)
    engine.dispose()

    assert first.size == signer.last().size


# --- tiles from the database --------------------------------------------------------------------


def test_tiles_of_the_database_are_those_of_the_leaves_before_and_after_sealing(
    engine: Engine, signer: MonotonicSigner
) -> None:
    """Every hash tile and bundle, whether its nodes are stored or computed; proofs verify."""
    post_journals(engine, 0, 700)
    entries = bodies(engine)
    wanted = {**dict(hash_tiles(map(leaf_hash, entries))), **dict(entry_bundles(entries))}
    for stored in (False, True):
        if stored:
            sealed(engine, signer)
        with reading(engine) as conn:
            tree = read_tree(conn, GOVERNMENT)
            nodes = conn.execute(select(log_node)).all()
            read = tile_reader(conn, tree)
            have = {tile: read_tile(conn, tree, tile) for tile in wanted}
            for index in (0, 255, 256, len(entries) - 1):
                proof = inclusion_proof(index, len(entries), read.subtree)
                root = tree.frontier.root()
                verify_inclusion(leaf_hash(entries[index]), index, tree.size, proof, root)

        assert (2 if stored else 0) == len(nodes)
        assert wanted == have


def test_serve_gives_what_the_last_checkpoint_covers_and_nothing_else(
    engine: Engine, signer: MonotonicSigner
) -> None:
    """Acts that are not sealed are not published, nor is any path that is not a tile's."""
    with reading(engine) as conn, pytest.raises(NotPublishedError):
        serve(conn, GOVERNMENT, "checkpoint")
    done = sealed(engine, signer)
    post_journals(engine, 1, 2)
    partial = Tile(0, 0, done.size)
    with reading(engine) as conn:
        note = serve(conn, GOVERNMENT, "checkpoint")
        tile = serve(conn, GOVERNMENT, partial.path)
        bundle = serve(conn, GOVERNMENT, Tile(-1, 0, done.size).path)
        for path in (
            Tile(0, 0, done.size + 1).path,
            "tile/0/000",
            "tile/1/000",
            "tile/0/0",
            "tile/../../etc/passwd",
            "checkpoint/",
            "",
        ):
            with pytest.raises(NotPublishedError):
                serve(conn, GOVERNMENT, path)

    assert (done.note, False, False) == (note.body, note.immutable, note.is_entries)
    assert (32 * done.size, True, False) == (len(tile.body), tile.immutable, tile.is_entries)
    assert bundle.is_entries


def test_prove_leaf_gives_a_proof_that_stands_alone_with_what_was_disclosed(
    engine: Engine, signer: MonotonicSigner, tmp_path: Path
) -> None:
    """The proof verifies against the key alone; private values come along only when asked for."""
    post_journals(engine, 0, 300)
    done = sealed(engine, signer)
    with reading(engine) as conn:
        proven = prove_leaf(conn, GOVERNMENT, 290, disclosures=True)
        plain = prove_leaf(conn, GOVERNMENT, 290)
        with pytest.raises(InvalidProofError):
            prove_leaf(conn, GOVERNMENT, done.size)
    signed = verify_proof(proven.proof, proven.entry, [log_key().verifier])
    paths = proven.write(tmp_path / "x.tlog-proof")

    assert done.size == signed.checkpoint.size
    assert bodies(engine)[290] == proven.entry
    assert ["Belanja alat tulis"] == [one.value for one in proven.disclosures]
    assert () == plain.disclosures
    assert ["x.tlog-proof", "x.tlog-proof.leaf", "x.tlog-proof.disclosures.jsonl"] == [
        path.name for path in paths
    ]
