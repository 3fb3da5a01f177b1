"""Recovering a restored database: replay of what was lost, or a new shard of the log."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from api.engine import begin, make_engine, reading
from audit.checkpoint import open_checkpoint
from audit.checkpoints import check_not_behind, seal
from audit.database import log_leaf, private_value
from audit.directory import LogDirectory
from audit.errors import DatabaseBehindSignerError, FrozenLogError, RecoveryError
from audit.export import export
from audit.log_check import check_log
from audit.recovery import Shard, next_origin
from audit.signer import MonotonicSigner
from audit.verify import verify
from ledger.book_export import BookExport
from ledger.documents import disputes
from ledger.documents.bank_outcomes import ResendPayment
from ledger.persons_shell import AddPerson
from ledger.proposals import BothHands
from ledger.recovering import open_new_shard, recover_from_export
from tests.audit.logs import ORIGIN, VKEY, log_key, new_signer, post_journals, sealed
from tests.builders import (
    CASH,
    EXPENSE,
    GOVERNMENT,
    NOW,
    TODAY,
    answer,
    journal,
    kernel_findings,
    line,
    post,
    run,
    scalar,
)
from tests.databases import Database
from tests.ledger.documents.office import new_office

TABLES = (
    "log_edge",
    "log_leaf",
    "batch",
    "journal",
    "journal_line",
    "account_balance",
    "account_day",
)


def restore(backup: Path, path: Path) -> None:
    """Put a backup in a database's place; nothing has it open."""
    for name in (path, *path.parent.glob("rkud.db-*")):
        name.unlink()
    shutil.copyfile(backup, path)


def go_on(
    conn: Connection,
    old: MonotonicSigner,
    new: MonotonicSigner,
    successor: str,
    government: str = GOVERNMENT,
) -> Shard:
    """End the log and go on as the next shard."""
    return open_new_shard(
        conn,
        government,
        old=old,
        new=new,
        successor=successor,
        incident="Cadangan kemarin dipulihkan",
        by="admin-1",
        now=NOW,
        today=TODAY,
    )


class Disaster:
    """A book with a backup of yesterday, acts of today that were signed and exported, then restored."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.path = Path(database.url.removeprefix("sqlite:///"))
        self.folder = folder
        self.url = database.url
        self.signer = new_signer(folder / "keys")
        self.out = folder / "out"
        self.engine = make_engine(database.url)
        post_journals(self.engine, 1, 5)
        sealed(self.engine, self.signer)

    def happen(
        self, today: Callable[[Engine], None], *, disclosures: bool = True
    ) -> dict[str, Any]:
        """Back up, do today's acts, seal, export, restore the backup; what the tables held."""
        self.engine.dispose()
        shutil.copyfile(self.path, self.folder / "backup.db")
        self.engine = make_engine(self.url)
        today(self.engine)
        sealed(self.engine, self.signer)
        with reading(self.engine) as conn:
            export(
                conn,
                self.out,
                GOVERNMENT,
                vkeys=[VKEY],
                books=BookExport(),
                disclosures=disclosures,
            )
        held = contents(self.engine)
        self.engine.dispose()
        restore(self.folder / "backup.db", self.path)
        self.engine = make_engine(self.url)
        return held

    def recover(self, **options: Any) -> Any:
        """Replay from the export, in one transaction."""
        with begin(self.engine) as conn:
            return recover_from_export(
                conn,
                GOVERNMENT,
                LogDirectory(self.out),
                [log_key().verifier],
                self.signer.last(),
                **options,
            )

    def open_shard(self, new: MonotonicSigner, successor: str) -> Shard:
        """End the log and go on."""
        with begin(self.engine) as conn:
            return go_on(conn, self.signer, new, successor)


def contents(engine: Engine) -> dict[str, list[Any]]:
    """Every row that replaying must bring back."""
    with reading(engine) as conn:
        return {
            name: sorted(
                (tuple(row) for row in conn.execute(text(f"SELECT * FROM {name}"))), key=repr
            )
            for name in TABLES
        }


@pytest.fixture
def disaster(opened_sqlite: Database, tmp_path: Path) -> Disaster:
    """On SQLite, where a backup is a file; nothing of it is the engine's."""
    return Disaster(opened_sqlite, tmp_path)


def a_day(engine: Engine) -> None:
    """Journals in several batches, one long, one reversal-free repeat of a reference's day."""
    post_journals(engine, 10, 40)
    lines = [line(EXPENSE, debit=f"{n}.00", fund_source=f"{n:060d}") for n in range(1, 701)]
    lines.append(line(CASH, credit=f"{sum(range(1, 701))}.00"))
    answer(run(engine, *post(journal("LONG", lines=lines, payee_name="Siti")))[0])
    post_journals(engine, 100, 3)


# --- replay --------------------------------------------------------------------------------------


def test_recover_from_an_export_brings_back_every_row_byte_for_byte(disaster: Disaster) -> None:
    """Leaves, batches, journals, lines and balances are what they were; the log goes on."""
    held = disaster.happen(a_day)
    with pytest.raises(DatabaseBehindSignerError):
        sealed(disaster.engine, disaster.signer)
    done = disaster.recover()
    again = contents(disaster.engine)
    with reading(disaster.engine) as conn:
        check_not_behind(conn, GOVERNMENT, disaster.signer.last())
        texts = scalar(conn, "SELECT count(*) FROM private_value WHERE value = 'Siti'")
    findings = kernel_findings(disaster.engine)
    post_journals(disaster.engine, 200, 1)
    after = sealed(disaster.engine, disaster.signer)

    assert held == again
    assert (44, 45, 1) == (done.acts, done.texts, texts)
    assert [] == findings
    assert done.size + 1 == after.size


def test_recover_where_nothing_is_behind_is_refused(disaster: Disaster) -> None:
    """A database that continues what was signed needs no recovery, and gets none."""
    disaster.happen(lambda engine: post_journals(engine, 10, 1))
    disaster.recover()
    before = contents(disaster.engine)
    with pytest.raises(RecoveryError, match="nothing is to be recovered"):
        disaster.recover()

    assert before == contents(disaster.engine)


def test_recover_of_acts_that_cannot_be_replayed_is_refused_by_kind(disaster: Disaster) -> None:
    """Persons, documents and the like are not made again from leaves; the kinds are named."""

    def today(engine: Engine) -> None:
        post_journals(engine, 10, 1)
        both = BothHands("admin-1", "admin-2", AddPerson("budi", "Budi"))
        answer(run(engine, both)[0])

    disaster.happen(today)
    before = contents(disaster.engine)
    with pytest.raises(RecoveryError) as refused:
        disaster.recover()

    assert ("person.added", "proposal.made") == refused.value.kinds
    assert before == contents(disaster.engine)


def test_recover_without_disclosures_is_refused_unless_texts_are_given_up(
    disaster: Disaster,
) -> None:
    """Whoever loses the texts of journals must say that they do."""
    held = disaster.happen(lambda engine: post_journals(engine, 10, 2), disclosures=False)
    with pytest.raises(RecoveryError, match="does not disclose"):
        disaster.recover()
    done = disaster.recover(without_texts=True)

    assert (2, 0) == (done.acts, done.texts)
    assert held == contents(disaster.engine)


@pytest.mark.parametrize("damage", ["older", "entry", "tile", "other"])
def test_recover_from_an_export_that_does_not_hold_is_refused(
    disaster: Disaster, tmp_path: Path, damage: str
) -> None:
    """An older export, a changed entry, a changed tile, a changed database: nothing is written."""
    disaster.happen(lambda engine: post_journals(engine, 10, 2))
    if damage == "older":
        shutil.copyfile(disaster.out / "checkpoint.23", disaster.out / "checkpoint")
    elif damage == "entry":
        path = disaster.out / "tile/entries/000.p/25"
        path.write_bytes(path.read_bytes().replace(b'"1000.00"', b'"1900.00"'))
    elif damage == "tile":
        path = disaster.out / "tile/0/000.p/25"
        tile = path.read_bytes()
        path.write_bytes(tile[:-1] + bytes([tile[-1] ^ 1]))
    else:
        post_journals(disaster.engine, 70, 1)
    before = contents(disaster.engine)
    with pytest.raises((RecoveryError, DatabaseBehindSignerError)):
        disaster.recover()

    assert before == contents(disaster.engine)


# --- a new shard ------------------------------------------------------------------------------------


def test_shard_goes_on_where_lost_acts_cannot_collide_and_both_verify(
    disaster: Disaster, tmp_path: Path
) -> None:
    """The old log is frozen for the new key; indexes and journal numbers jump past the lost ones."""
    disaster.happen(a_day)
    signed = disaster.signer.last().size
    with reading(disaster.engine) as conn:
        origin = next_origin(conn, GOVERNMENT)
    new = new_signer(tmp_path / "new", origin, seed=8)
    successor = log_key(origin, 8).verifier.vkey
    shard = disaster.open_shard(new, successor)
    frozen = open_checkpoint(
        disaster.signer.last().note or b"", [log_key().verifier], extensions=True
    ).checkpoint
    results = run(disaster.engine, *post(journal("AFTER")))
    posted = answer(results[0])
    done = sealed(disaster.engine, new)
    with reading(disaster.engine) as conn:
        findings = [f for f in check_log(conn, GOVERNMENT) if f.severity == "error"]
        export(
            conn,
            tmp_path / "shards",
            GOVERNMENT,
            vkeys=[VKEY, successor],
            books=BookExport(),
            disclosures=True,
        )
    verdict = verify(tmp_path / "shards", [VKEY, successor])
    only_new = verify(tmp_path / "shards", [successor])

    assert ("rkud/36/2", signed, 44) == (shard.origin, shard.base, shard.lost)
    assert (f"Log frozen -- continued by {successor}",) == frozen.extensions
    assert signed + 1 == posted["leaf_index"]
    assert 6 + 44 + 1 == posted["journal"]
    assert ("rkud/36/2", 2) == (done.origin, done.size)
    assert [] == findings
    assert [] == verdict.failures
    assert any("those entries were lost" in words for words in verdict.not_checked)
    assert [("137:0000000000", "999994000.00")] == verdict.balances
    assert [] == only_new.failures
    assert any("you brought no key" in words for words in only_new.not_checked)


def test_shard_whose_kept_past_was_changed_fails_although_it_is_signed_anew(
    disaster: Disaster, tmp_path: Path
) -> None:
    """What was kept is bound by the new shard's first leaf, and by the old checkpoints."""
    disaster.happen(a_day)
    new = new_signer(tmp_path / "new", f"{ORIGIN}/2", seed=8)
    successor = log_key(f"{ORIGIN}/2", 8).verifier.vkey
    disaster.open_shard(new, successor)
    sealed(disaster.engine, new)
    with reading(disaster.engine) as conn:
        export(conn, tmp_path / "shards", GOVERNMENT, vkeys=[VKEY, successor], books=BookExport())
    path = tmp_path / "shards/shards/1/tile/entries/000.p/23"
    path.write_bytes(path.read_bytes().replace(b'"1000.00"', b'"1900.00"', 1))
    verdict = verify(tmp_path / "shards", [VKEY, successor])

    assert ("entry_changed", 18, 2) == (
        verdict.failures[0].code,
        verdict.failures[0].leaf,
        verdict.failures[0].journal,
    )


def test_shard_is_refused_while_the_log_is_whole_and_for_a_used_signer(
    disaster: Disaster, tmp_path: Path
) -> None:
    """A shard is for lost acts; it begins with a signer that has signed nothing."""
    new = new_signer(tmp_path / "new", f"{ORIGIN}/2", seed=8)
    successor = log_key(f"{ORIGIN}/2", 8).verifier.vkey
    with pytest.raises(RecoveryError, match="nothing is to be recovered"):
        disaster.open_shard(new, successor)
    disaster.happen(a_day)
    new.sign(1, bytes(32), [])
    with pytest.raises(RecoveryError, match="has signed already"):
        disaster.open_shard(new, successor)

    assert not disaster.signer.last().frozen


def test_shard_that_died_before_its_commit_is_opened_by_the_same_call_again(
    disaster: Disaster, tmp_path: Path
) -> None:
    """The old log is frozen already; with another successor it refuses, with the same it goes on."""
    disaster.happen(a_day)
    new = new_signer(tmp_path / "new", f"{ORIGIN}/2", seed=8)
    successor = log_key(f"{ORIGIN}/2", 8).verifier.vkey

    class DiedError(Exception):
        """The process is killed before the commit."""

    with pytest.raises(DiedError), begin(disaster.engine) as conn:
        go_on(conn, disaster.signer, new, successor)
        raise DiedError
    with pytest.raises(FrozenLogError):
        disaster.open_shard(new, "somebody else")
    shard = disaster.open_shard(new, successor)
    done = sealed(disaster.engine, new)

    assert (shard.origin, 1) == (done.origin, done.size)


def test_old_signer_signs_nothing_after_its_shard_ended(disaster: Disaster, tmp_path: Path) -> None:
    """The frozen state stands in its own file, whatever database is put before it."""
    disaster.happen(a_day)
    new = new_signer(tmp_path / "new", f"{ORIGIN}/2", seed=8)
    disaster.open_shard(new, log_key(f"{ORIGIN}/2", 8).verifier.vkey)
    state = disaster.signer.last()
    with pytest.raises(FrozenLogError):
        disaster.signer.sign(state.size, state.root, [])


def test_recovery_works_on_postgresql_too(opened_postgres: Database, tmp_path: Path) -> None:
    """The statements of both ways run there; the loss is played by a signer that is ahead."""
    engine = make_engine(opened_postgres.url)
    signer = new_signer(tmp_path / "keys")
    size = sealed(engine, signer).size
    fork = make_engine(opened_postgres.url)
    post_journals(fork, 1, 2)
    # A signer that signed acts which this database never had.
    with reading(engine) as conn:
        leaves = conn.execute(log_leaf.select()).all()
        private = conn.execute(private_value.select()).all()
    ahead = new_signer(tmp_path / "ahead")
    ahead.sign(size + 10, bytes(32), [])
    new = new_signer(tmp_path / "new", f"{ORIGIN}/2", seed=8)
    successor = log_key(f"{ORIGIN}/2", 8).verifier.vkey
    with begin(engine) as conn:
        shard = go_on(conn, ahead, new, successor)
    post_journals(engine, 10, 1)
    with begin(engine) as conn:
        done = seal(conn, GOVERNMENT, new, now=NOW)
    with reading(engine) as conn:
        findings = [f for f in check_log(conn, GOVERNMENT) if f.severity == "error"]
    fork.dispose()
    engine.dispose()

    assert (size + 10, 8) == (shard.base, shard.lost)
    assert (2, size + 2, True) == (done.size, len(leaves), bool(private))
    assert [] == findings


@pytest.mark.parametrize("recognition", ["on_issue", "on_cair"])
def test_what_failed_before_acts_were_lost_is_made_again_after_two_have_looked(
    _sqlite_template: Path, tmp_path: Path, recognition: str
) -> None:
    """The lost acts may have settled it otherwise, or have paid it again."""
    path, backup = tmp_path / "rkud.db", tmp_path / "backup.db"
    shutil.copyfile(_sqlite_template, path)
    engine = make_engine(f"sqlite:///{path}")
    office = new_office(engine, recognition)
    payment = office.issue()["payments"][0]
    office.list_payments()
    office.outcome(payment, "rejected")
    signer = new_signer(tmp_path / "keys", office.origin)
    sealed(engine, signer, government=office.government)
    engine.dispose()
    shutil.copyfile(path, backup)
    office.settle(payment, "paid")
    sealed(engine, signer, government=office.government)
    engine.dispose()
    restore(backup, path)
    with reading(engine) as conn:
        origin = next_origin(conn, office.government)
    new = new_signer(tmp_path / "new", origin, seed=8)
    successor = log_key(origin, 8).verifier.vkey
    with begin(engine) as conn:
        go_on(conn, signer, new, successor, office.government)
    resend = ResendPayment("maker-2", payment, "Ralat")
    code, values = office.refused(resend)
    assert "rejected, settled before acts were lost" == values["state"], code
    with (
        pytest.raises(DBAPIError, match="payment_again_recovered"),
        pytest.MonkeyPatch.context() as m,
    ):
        m.setattr(disputes, "before_recovery", lambda *_: set())
        office.run(resend)
    office.settle(payment, "rejected")
    office.do(resend)

    assert [] == office.findings()
    sealed(engine, new, government=office.government)
    keys = [log_key(office.origin).verifier.vkey, successor]
    with reading(engine) as conn:
        export(conn, tmp_path / "out", office.government, vkeys=keys, books=BookExport())
    engine.dispose()
    assert [] == verify(tmp_path / "out", keys).failures
