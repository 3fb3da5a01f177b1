"""
Read a government's settings, once a revision.

The snapshot is read again only when `log_edge.config_rev` has moved. Whoever holds the edge lock
holds the current revision, so a decision never rests on a grant that was ended or a period that was
sealed a moment ago, and posting does not read these tables for every journal.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from datetime import date, timedelta

from sqlalchemy import Connection, Engine, select

from ledger import tables as t
from ledger.settings import Account, Grant, Settings

__all__ = ["forget", "settings_of"]

_snapshots: weakref.WeakKeyDictionary[Engine, dict[str, Settings]] = weakref.WeakKeyDictionary()
# Charts by content: governments that use the same decree share one mapping.
_charts: dict[tuple[str, str], Mapping[str, Account]] = {}


def settings_of(conn: Connection, government: str, rev: int) -> Settings:
    """The settings at revision *rev*, which the caller read from the edge row in this transaction."""
    kept = _snapshots.setdefault(conn.engine, {})
    snapshot = kept.get(government)
    if snapshot is None or snapshot.rev != rev:
        snapshot = _load(conn, government, rev)
        kept[government] = snapshot
    return snapshot


def _load(conn: Connection, government: str, rev: int) -> Settings:
    name, zone, is_demo = conn.execute(
        select(t.government.c.name, t.government.c.zone, t.government.c.is_demo).where(
            t.government.c.code == government
        )
    ).one()
    years = conn.execute(
        select(t.fiscal_year.c.year, t.fiscal_year.c.chart_version).where(
            t.fiscal_year.c.government == government
        )
    )
    sealed = conn.execute(
        select(t.period_seal.c.fiscal_year, t.period_seal.c.period).where(
            t.period_seal.c.government == government
        )
    )
    entities = conn.execute(
        select(t.entity.c.code, t.entity.c.kind).where(t.entity.c.government == government)
    )
    banks = conn.execute(
        select(t.bank_account.c.id, t.bank_account.c.account)
        .where(t.bank_account.c.government == government)
        .order_by(t.bank_account.c.id)
    )
    policies = conn.execute(
        select(t.policy.c.name, t.policy.c.valid_from, t.policy.c.value)
        .where(t.policy.c.government == government)
        .order_by(t.policy.c.valid_from, t.policy.c.leaf_index)
    )
    charts = conn.execute(
        select(t.chart.c.version, t.chart.c.sha256).where(t.chart.c.government == government)
    )
    persons = conn.execute(
        select(t.person.c.id, t.person.c.kind).where(t.person.c.government == government)
    )
    return Settings(
        government=government,
        name=name,
        zone=zone,
        is_demo=bool(is_demo),
        rev=rev,
        years={row.year: row.chart_version for row in years},
        sealed=frozenset((row.fiscal_year, row.period) for row in sealed),
        entities={row.code: row.kind for row in entities},
        bank_accounts={row.id: row.account for row in banks},
        policies=tuple((row.name, row.valid_from, row.value) for row in policies),
        charts={row.version: _chart(conn, government, row.version, row.sha256) for row in charts},
        persons={row.id: row.kind for row in persons},
        grants=_grants(conn, government),
    )


def _chart(conn: Connection, government: str, version: str, sha256: str) -> Mapping[str, Account]:
    known = _charts.get((version, sha256))
    if known is None:
        found = conn.execute(
            select(
                t.account.c.code,
                t.account.c.level,
                t.account.c.normal_side,
                t.account.c.valid_from,
                t.account.c.valid_to,
            ).where(t.account.c.government == government, t.account.c.chart_version == version)
        )
        known = {row[0]: Account(*row[1:]) for row in found}
        _charts[version, sha256] = known
    return known


def _grants(conn: Connection, government: str) -> Mapping[str, tuple[Grant, ...]]:
    """Grants by person; one that was ended is valid until the day before its end."""
    given, ended = t.grant_given.c, t.grant_end.c
    found = conn.execute(
        select(
            given.person_id,
            given.id,
            given.role,
            given.skpd,
            given.mandate,
            given.valid_from,
            given.valid_to,
            ended.ended_on,
        )
        .select_from(
            t.grant_given.outerjoin(
                t.grant_end,
                (ended.government == given.government) & (ended.grant_id == given.id),
            )
        )
        .where(given.government == government)
        .order_by(given.leaf_index)
    )
    by_person: dict[str, tuple[Grant, ...]] = {}
    for person_id, *grant, ended_on in found:
        held = Grant(*grant)
        if ended_on is not None and ended_on <= held.valid_to:
            if ended_on <= held.valid_from:
                continue
            held = held._replace(valid_to=_day_before(ended_on))
        by_person[person_id] = (*by_person.get(person_id, ()), held)
    return by_person


def _day_before(day: str) -> str:
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def forget(conn: Connection, government: str) -> None:
    """Drop the snapshot: the transaction that it was read in may not have become durable."""
    _snapshots.get(conn.engine, {}).pop(government, None)
