"""The check of settings and people: whatever is edited behind the ledger's back is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, inspect, text

from audit.canonical import canonical, parse_canonical
from ledger import people_check
from ledger.findings import Finding
from ledger.hands_check import check_grants
from ledger.people_check import REDERIVED, check_people
from tests.builders import GOVERNMENT, NOW, TODAY
from tests.databases import Database
from tests.ledger.people import everything, people_findings, unguarded

#: The tables of this subject. `account` is named by its chart, `account_period` by its seal.
CHECKED = (*REDERIVED, "account", "account_period")


@pytest.fixture
def filled(opened: Database, engine: Engine) -> Database:
    """A book in which every act of this subject was done."""
    everything(engine)
    engine.dispose()
    return opened


def _found(conn: Connection) -> list[Finding]:
    return [f for f in check_people(conn, GOVERNMENT) if f.severity == "error"]


def _in_savepoint(conn: Connection, act: Callable[[], None]) -> list[Finding]:
    """What the check finds after *act*, which is then taken back."""
    conn.exec_driver_sql("SAVEPOINT edit")
    act()
    found = _found(conn)
    conn.exec_driver_sql("ROLLBACK TO SAVEPOINT edit")
    return found


def _edited(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return bytes(value) + b"x"
    if isinstance(value, int):
        return value + 1
    return f"{value}0"


def _place(conn: Connection, table: str) -> str:
    return "ctid" if conn.dialect.name == "postgresql" else "rowid"


def test_book_of_every_act_is_clean(filled: Database, engine: Engine) -> None:
    """Nothing is found where nothing was edited, and every table holds a row of two hands."""
    assert [] == people_findings(engine)
    with unguarded(filled) as conn:
        assert all(conn.exec_driver_sql(f"SELECT count(*) FROM {t}").scalar() for t in CHECKED)


def test_every_column_edited_is_found_and_named(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each column of each table: the finding names table and column, and the row by its key."""
    missed, unnamed = [], []
    charts = people_check._check_charts
    with unguarded(filled) as conn:
        columns = {name: inspect(conn).get_columns(name) for name in CHECKED}
        for table in CHECKED:
            place = _place(conn, table)
            # Thousands of accounts, read for each edit, would take most of the time.
            is_chart = table in ("chart", "account")
            monkeypatch.setattr(
                people_check, "_check_charts", charts if is_chart else lambda *_: iter(())
            )
            for column in (str(c["name"]) for c in columns[table]):
                # The last row: made by two hands, where the first is the installer's.
                at, value = conn.execute(
                    text(f"SELECT {place}, {column} FROM {table} ORDER BY {place} DESC LIMIT 1")
                ).one()

                def edit(at: Any = at, value: Any = value, t: str = table, c: str = column) -> None:
                    conn.execute(
                        text(f"UPDATE {t} SET {c} = :v WHERE {_place(conn, t)} = :at"),
                        {"v": _edited(value), "at": at},
                    )

                found = [f for f in _in_savepoint(conn, edit) if f.table == table]
                if not found:
                    missed.append(f"{table}.{column}")
                elif column not in {f.column for f in found} and not _moved(table, column):
                    unnamed.append(f"{table}.{column}: {found[0].message}")

    assert [] == missed
    assert [] == unnamed


def _moved(table: str, column: str) -> bool:
    """Columns whose change takes the row away: it is named as missing there, and as stray here."""
    if table == "account":
        return column in ("government", "chart_version", "code")
    if table == "account_period":
        return column not in ("debit_sen", "credit_sen", "leaf_index")
    return column == ("code" if table == "government" else "government")


def test_every_row_deleted_is_found(filled: Database) -> None:
    """A leaf whose row is gone: named by the row's key."""
    with unguarded(filled) as conn:
        place = {table: _place(conn, table) for table in CHECKED}
        found = {
            table: {
                f.code
                for f in _in_savepoint(
                    conn,
                    lambda t=table: conn.execute(  # type: ignore[misc]  # bound now
                        text(
                            f"DELETE FROM {t} WHERE {place[t]} = (SELECT max({place[t]}) FROM {t})"
                        )
                    ),
                )
                if f.table == table
            }
            for table in CHECKED
        }

    assert dict.fromkeys(CHECKED, True) == {t: "row_missing" in codes for t, codes in found.items()}


def test_every_row_slipped_in_is_found(filled: Database) -> None:
    """A row that follows from no leaf: named by its key."""
    keys = {name: how.key[0] for name, how in REDERIVED.items()}
    keys |= {"account": "code", "account_period": "entity"}
    del keys["government"]  # another government's row is of another book
    found = {}
    with unguarded(filled) as conn:
        for table, key in keys.items():
            row = dict(conn.execute(text(f"SELECT * FROM {table} LIMIT 1")).one()._mapping)
            row[key] = row[key] + 50 if isinstance(row[key], int) else _edited(row[key])
            if table == "token":
                row["token_sha256"] = "0" * 64

            def slip(t: str = table, values: dict[str, Any] = row) -> None:
                marks = ", ".join(f":{c}" for c in values)
                conn.execute(
                    text(f"INSERT INTO {t} ({', '.join(values)}) VALUES ({marks})"), values
                )

            found[table] = {f.code for f in _in_savepoint(conn, slip) if f.table == table and f.key}

    assert dict.fromkeys(keys, True) == {t: "row_without_leaf" in c for t, c in found.items()}


def test_leaf_rewritten_with_its_rows_is_found(filled: Database) -> None:
    """Who rewrites a leaf and its row alike still left the proposal: the act is not what was proposed."""

    def rewrite(conn: Connection) -> None:
        row = conn.execute(
            text("SELECT idx, body FROM log_leaf WHERE kind = 'entity.added' ORDER BY idx DESC")
        ).first()
        assert row is not None
        act = parse_canonical(bytes(row.body))
        assert isinstance(act, dict) and isinstance(act["data"], dict)
        act["data"]["name"] = "Dinas Lain"
        conn.execute(
            text("UPDATE log_leaf SET body = :b WHERE idx = :i"),
            {"b": canonical(act), "i": row.idx},
        )
        conn.execute(
            text("UPDATE entity SET name = 'Dinas Lain' WHERE leaf_index = :i"), {"i": row.idx}
        )

    with unguarded(filled) as conn:
        found = _in_savepoint(conn, lambda: rewrite(conn))

    assert [("act_differs_from_proposal", "proposal_end")] == [(f.code, f.table) for f in found]


def _change_leaf(kind: str, **changes: Any) -> Callable[[Connection], None]:
    def change(conn: Connection) -> None:
        row = conn.execute(
            text("SELECT idx, body FROM log_leaf WHERE kind = :k ORDER BY idx DESC"), {"k": kind}
        ).first()
        assert row is not None
        act = parse_canonical(bytes(row.body))
        assert isinstance(act, dict) and isinstance(act["data"], dict)
        for name, value in changes.items():
            target = act if name == "by" else act["data"]
            target[name] = value
        conn.execute(
            text("UPDATE log_leaf SET body = :b WHERE idx = :i"),
            {"b": canonical(act), "i": row.idx},
        )

    return change


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_change_leaf("grant.given", by="admin-1", confirmed_by="admin-1"), "hands_same"),
        (_change_leaf("grant.given", role="admin", person="acc-1"), "exclusive_roles"),
        (_change_leaf("grant.given", role="accountant", person="svc-feed"), "service_role"),
        (_change_leaf("officer_key.enrolled", possession="00" * 64), "possession_not_proven"),
        (_change_leaf("officer_key.enrolled", origin="rkud/99"), "possession_not_proven"),
        (_change_leaf("proposal.confirmed", journal_leaf=0), "act_differs_from_proposal"),
        (_change_leaf("proposal.confirmed", journal=1), "act_differs_from_proposal"),
        (_change_leaf("journal.posted", lines=[]), "act_differs_from_proposal"),
        (_change_leaf("journal.posted", maker="acc-2"), "act_differs_from_proposal"),
        (_change_leaf("allowance.set", amount="9.00"), "act_differs_from_proposal"),
        (_change_leaf("payee.erased", commitments=[]), "disclosure_missing"),
        (_change_leaf("proposal.withdrawn", proposed_by="admin-2"), "act_differs_from_proposal"),
        (_change_leaf("token.issued", digest="00" * 32), "row_changed"),
        (_change_leaf("token.issued", digest=7), "leaf_unreadable"),
        (_change_leaf("grant.ended", ended_on=None), "leaf_unreadable"),
        (_change_leaf("bank_account.added", id="137"), "leaf_unreadable"),
    ],
)
def test_act_that_two_hands_did_not_do_is_found(
    filled: Database, change: Callable[[Connection], None], code: str
) -> None:
    """What a leaf must never say is found in the leaf, whatever the rows say."""
    with unguarded(filled) as conn:
        found = _in_savepoint(conn, lambda: change(conn))

    assert code in {f.code for f in found}


def test_unreadable_leaf_is_named_and_stops_nothing(filled: Database) -> None:
    """Bytes that are no act: the leaf is named, and the row that followed from it."""
    with unguarded(filled) as conn:
        found = _in_savepoint(
            conn,
            lambda: conn.execute(  # type: ignore[arg-type, return-value]  # its result is not looked at
                text("UPDATE log_leaf SET body = :b WHERE kind = 'chart.loaded'"), {"b": b"{\xff"}
            ),
        )

    codes = {(f.code, f.table) for f in found}
    assert ("leaf_unreadable", "log_leaf") in codes
    assert ("row_without_leaf", "chart") in codes


def test_grants_by_days_may_follow_each_other() -> None:
    """Roles that exclude each other are no finding when one ended before the other began."""
    person = {"id": "siti", "kind": "officer"}
    grant = {
        "person_id": "siti",
        "skpd": "",
        "mandate": "definitive",
        "valid_to": "9999-12-31",
        "given_by": "a",
        "confirmed_by": "b",
    }
    first = grant | {"id": "1", "role": "admin", "valid_from": "2026-01-01"}
    second = grant | {"id": "2", "role": "accountant", "valid_from": TODAY}
    end = {"grant_id": "1", "ended_on": TODAY}

    assert [] == list(check_grants([person], [first, second], [end]))
    assert ["exclusive_roles"] == [f.code for f in check_grants([person], [first, second], [])]
    assert str(NOW.date()) == TODAY
