"""People for tests: officers with grants, and a book in which every act of two persons was done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, text

from api.engine import make_engine, reading
from audit.keys import generate_officer_key, prove_possession
from ledger.acts import Ask
from ledger.allowances import SetAllowance
from ledger.findings import Finding
from ledger.journals import parse_body
from ledger.officer_keys import EnrollOfficerKey, RevokeOfficerKey, possession_challenge
from ledger.opening import ADMIN_1, ADMIN_2
from ledger.people_check import check_people
from ledger.periods import SealPeriod
from ledger.persons_shell import AddPerson, EndGrant, GiveGrant
from ledger.policies import AddBankAccount, AddEntity, OpenFiscalYear, SetPolicy
from ledger.posting import Accepted, Refused
from ledger.privacy import ErasePayee
from ledger.proposals import (
    BothHands,
    Confirm,
    DraftManualJournal,
    PostManualJournal,
    Propose,
    Withdraw,
)
from ledger.tokens import IssueToken, RevokeToken, new_token, token_sha256
from tests.builders import BANK, CASH, GOVERNMENT, SKPD, TODAY, answer, journal, line, run
from tests.databases import Database

#: Two accounts that a manual journal may touch.
SUPPLIES = "1.1.12.01.01.0001"
SUPPLIES_EXPENSE = "5.1.02.01.01.0024"
ORIGIN = "rkud/36"


def both(engine: Engine, *acts: Ask, by: str = ADMIN_1, second: str = ADMIN_2) -> list[Any]:
    """Acts done by two administrators; their answers."""
    return [answer(r) for r in run(engine, *(BothHands(by, second, act) for act in acts))]


def appoint(engine: Engine, person: str, *roles: str, **changes: str) -> None:
    """A person with grants of these roles since 1 January 2026."""
    both(
        engine,
        AddPerson(person, f"Nama {person}"),
        *(GiveGrant(person, role, "2026-01-01", **changes) for role in roles),
    )


def propose(engine: Engine, by: str, act: Ask) -> str:
    """The id of a proposal."""
    (result,) = run(engine, Propose(by, act))
    return str(answer(result)["proposal"])


def one(engine: Engine, command: Any, **clock: Any) -> Accepted | Refused:
    """The result of one command in a batch of its own."""
    (result,) = run(engine, command, **clock)
    return result


def manual(reference: str = "M-1", **changes: Any) -> Any:
    """A manual journal: supplies used up, Rp 250.00."""
    lines = [line(SUPPLIES_EXPENSE, debit="250.00"), line(SUPPLIES, credit="250.00")]
    sent = journal(reference, kind="penyesuaian", description="Pemakaian persediaan", lines=lines)
    return parse_body(msgspec.json.encode(sent | changes))


def new_key(person: str, origin: str = ORIGIN) -> EnrollOfficerKey:
    """A fresh key with its proof of possession."""
    private = generate_officer_key()
    proof = prove_possession(private, possession_challenge(origin, person))
    return EnrollOfficerKey(person, private.public_key().public_bytes_raw().hex(), proof.hex())


def everything(engine: Engine) -> None:
    """Do each act once, so that every table of settings and people holds a row made by two hands."""
    appoint(engine, "acc-1", "accountant")
    appoint(engine, "acc-2", "accountant")
    appoint(engine, "kuasa-bud", "deputy_treasurer")
    appoint(engine, "anggaran", "budget_officer")
    key_1, key_2 = new_key("kuasa-bud"), new_key("acc-1")
    enrolled = both(engine, key_1, key_2)
    given = both(engine, GiveGrant("acc-1", "sp2d_maker", "2026-01-01"))
    both(
        engine,
        EndGrant(given[0]["grant"], TODAY),
        RevokeOfficerKey(enrolled[1]["key_id"], "acc-1"),
        SetPolicy("recognition", "on_cair", "2027-01-01"),
        AddEntity(SKPD, "Dinas Kesehatan"),
        AddBankAccount("137:1111111111", "RKUD kedua", CASH, "2026-06-01"),
        OpenFiscalYear(2027, "kepmendagri-050-3708-2020"),
    )
    issued = [
        answer(one(engine, IssueToken(ADMIN_1, person, token_sha256(new_token()))))
        for person in ("acc-1", "acc-2")
    ]
    answer(one(engine, RevokeToken(ADMIN_2, issued[1]["token_id"])))
    answer(one(engine, Withdraw(ADMIN_1, propose(engine, ADMIN_1, AddPerson("tidak-jadi", "X Y")))))
    draft = answer(one(engine, DraftManualJournal("acc-1", manual())))["proposal"]
    answer(one(engine, PostManualJournal("acc-2", draft)))
    floor = SetAllowance("cash", BANK, 2026, "500.00", "Fasilitas bank")
    answer(one(engine, Confirm("kuasa-bud", propose(engine, "anggaran", floor))))
    both(engine, ErasePayee("journal:M-1", "Permintaan yang bersangkutan"))
    answer(one(engine, SealPeriod("acc-1", 2026, 1)))


def people_findings(engine: Engine, *, notes: bool = False) -> list[Finding]:
    """What the check finds wrong (or also worth a look)."""
    with reading(engine) as conn:
        return [f for f in check_people(conn, GOVERNMENT) if notes or f.severity == "error"]


#: Everything that an act of this subject may write.
TABLES = (
    "log_leaf",
    "batch",
    "private_value",
    "idempotency",
    "government",
    "entity",
    "bank_account",
    "fiscal_year",
    "policy",
    "period_seal",
    "person",
    "grant_given",
    "grant_end",
    "officer_key",
    "officer_key_end",
    "token",
    "token_end",
    "proposal",
    "proposal_end",
    "journal",
    "journal_line",
    "account_balance",
    "account_day",
    "account_period",
)


def contents(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of TABLES, and the edge of the log: to show that nothing changed."""
    with reading(engine) as conn:
        return {
            name: sorted(
                (tuple(row) for row in conn.execute(text(f"SELECT * FROM {name}"))), key=repr
            )
            for name in (*TABLES, "log_edge")
        }


@contextmanager
def unguarded(database: Database) -> Iterator[Connection]:
    """
    A connection of somebody who owns the database and took its guards away: no triggers, foreign
    keys or checks. Everything is rolled back at the end.
    """
    engine = make_engine(database.owner_url)
    with engine.connect() as conn:
        if database.dialect == "sqlite":
            conn.exec_driver_sql("PRAGMA foreign_keys = OFF")
            conn.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
            conn.exec_driver_sql("BEGIN IMMEDIATE")
            query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            for name in conn.exec_driver_sql(query).scalars().all():
                conn.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            query = (
                "SELECT conrelid::regclass::text, conname FROM pg_constraint"
                " WHERE contype IN ('f', 'c') AND connamespace = current_schema()::regnamespace"
            )
            for table, name in conn.exec_driver_sql(query).all():
                conn.exec_driver_sql(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
            for table in conn.exec_driver_sql(
                "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
            ).scalars():
                conn.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        try:
            yield conn
        finally:
            conn.exec_driver_sql("ROLLBACK")
    engine.dispose()
