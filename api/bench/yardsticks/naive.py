"""
The naive app: FastAPI, SQLAlchemy's ORM, one transaction a request.

As such an app is written by somebody who knows the tools: a model for the body, one session and one
transaction a request in a worker thread, objects added, then the balances of the journal's accounts
read `FOR UPDATE` in order of their id and changed, commit, 201. Four threads with a database
connection each: with sixteen, half as much CPU again goes into handing on the interpreter's lock.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Final

from anyio import to_thread
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import BigInteger, ForeignKey, LargeBinary, bindparam, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from api.bench.yardsticks.schema import SIGNATURE, account_ids, audit_of

__all__ = ["app"]

_CONNECTIONS: Final = 4
_engine = create_engine(os.environ["RKUD_YARDSTICK_URL"], pool_size=_CONNECTIONS, max_overflow=0)


class Base(DeclarativeBase):
    """Base of the mapped classes."""


class Account(Base):
    """A balance."""

    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int] = mapped_column(BigInteger)


class Entry(Base):
    """A line of a journal."""

    __tablename__ = "entry"
    header_id: Mapped[int] = mapped_column(ForeignKey("header.id"), primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    amount: Mapped[int] = mapped_column(BigInteger)


class Audit(Base):
    """A journal's audit row."""

    __tablename__ = "audit"
    header_id: Mapped[int] = mapped_column(ForeignKey("header.id"), primary_key=True)
    leaf: Mapped[bytes] = mapped_column(LargeBinary)
    signature: Mapped[bytes] = mapped_column(LargeBinary)
    payload: Mapped[bytes] = mapped_column(LargeBinary)


class Header(Base):
    """A journal."""

    __tablename__ = "header"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    reference: Mapped[str]
    effective_on: Mapped[date]
    description: Mapped[str]
    entries: Mapped[list[Entry]] = relationship()
    audit: Mapped[Audit] = relationship()


#: Built once: building a statement costs as much as sending it.
_LOCKED: Final = (
    select(Account)
    .where(Account.id.in_(bindparam("ids", expanding=True)))
    .order_by(Account.id)
    .with_for_update(key_share=True)
)


class LineBody(BaseModel):
    """A line as it is sent."""

    account: str
    bank_account: str = ""
    debit: str | None = None
    credit: str | None = None


class JournalBody(BaseModel):
    """A journal as it is sent."""

    reference: str
    effective_on: date
    kind: str
    description: str
    lines: list[LineBody]

    def amounts(self) -> list[tuple[int, int]]:
        """(account, sen) of each line."""
        ids = account_ids()
        return [
            (ids[line.account], _sen(line.debit) if line.debit else -_sen(line.credit or "0"))
            for line in self.lines
        ]


def _sen(text: str) -> int:
    return int(text.replace(".", ""))


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    # As many worker threads as connections: more would only wait for one.
    to_thread.current_default_thread_limiter().total_tokens = _CONNECTIONS
    yield


app = FastAPI(lifespan=_lifespan)


@app.post("/journals", status_code=201)
def post(body: JournalBody) -> dict[str, int]:
    """Post one journal."""
    amounts = body.amounts()
    wanted = sorted({account for account, _ in amounts})
    leaf, payload = audit_of(body.model_dump_json().encode())
    header = Header(
        reference=body.reference,
        effective_on=body.effective_on,
        description=body.description,
        entries=[
            Entry(n=n, account_id=account, amount=sen)
            for n, (account, sen) in enumerate(amounts, start=1)
        ],
        audit=Audit(leaf=leaf, signature=SIGNATURE, payload=payload),
    )
    with Session(_engine, expire_on_commit=False) as session, session.begin():
        session.add(header)
        session.flush()
        # Last, so that the hot row is held no longer than it takes to commit; without touching
        # keys, which the entries' foreign keys have locked already.
        found = session.scalars(_LOCKED, {"ids": wanted})
        accounts = {account.id: account for account in found}
        for account, sen in amounts:
            accounts[account].balance += sen
    return {"journal": header.id}
