"""
Recover a database that is behind what was signed (D11): the transactions around `ledger.recovering`.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from api.checkpoints import log_keys_of, make_signer, seal_book, signer_for
from api.clock import Clock, local_day, system_clock
from api.engine import begin, reading
from api.settings import Settings
from audit.directory import LogDirectory
from audit.recovery import next_origin
from audit.tiles_shell import read_shards, read_tree
from ledger import tables as t
from ledger.recovering import open_new_shard, recover_from_export

__all__ = ["go_on_as_shard", "replay_export"]


def replay_export(
    engine: Engine,
    settings: Settings,
    government: str,
    directory: Path,
    *,
    without_texts: bool = False,
) -> dict[str, object]:
    """
    Write the acts that the export has and the database lost; what was replayed.

    Raises:
        RecoveryError, AuditError: Nothing was written.
    """
    keys = log_keys_of(settings.keys(), government)
    with begin(engine) as conn:
        origin = read_tree(conn, government).origin
        state = signer_for(settings.keys(), government, origin).last()
        done = recover_from_export(
            conn,
            government,
            LogDirectory(directory),
            [key.verifier for key in keys if key.name == origin],
            state,
            without_texts=without_texts,
        )
        # Die before COMMIT: the database is as it was restored; the same command begins again.
    return {"acts": done.acts, "texts": done.texts, "size": done.size}


def go_on_as_shard(
    engine: Engine,
    settings: Settings,
    government: str,
    *,
    incident: str,
    by: str,
    clock: Clock = system_clock,
) -> dict[str, object]:
    """
    Freeze the log that was signed and go on as a new shard with a key of its own.

    Raises:
        RecoveryError, AuditError: Nothing was written; a frozen log stays frozen, the same call
            goes on from there.
    """
    keys = settings.keys()
    now = clock()
    with reading(engine) as conn:
        origin = next_origin(conn, government)
        shard = len(read_shards(conn, government)) + 1
        last = read_tree(conn, government).origin
        zone = (
            conn.execute(t.government.select().where(t.government.c.code == government)).one().zone
        )
    new = make_signer(keys, government, origin, shard)
    successor = log_keys_of(keys, government)[shard - 1].verifier.vkey
    with begin(engine) as conn:
        opened = open_new_shard(
            conn,
            government,
            old=signer_for(keys, government, last),
            new=new,
            successor=successor,
            incident=incident,
            by=by,
            now=now,
            today=local_day(now, zone),
        )
    sealed = seal_book(engine, keys, government, now=clock())
    return {
        "origin": opened.origin,
        "base": opened.base,
        "lost": opened.lost,
        "leaf_index": opened.leaf_index,
        "size": sealed.size,
        "vkey": successor,
    }
