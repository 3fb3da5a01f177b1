"""
Books to post into, opened by the product's own commands.

Made once as a template and copied for every round, so that each begins with the same empty book.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from sqlalchemy import Engine

from api import clock
from api.bench.workload import FUND_SOURCE, bank_accounts, budget_spots
from api.engine import begin, make_engine
from api.migrations_runner import upgrade
from api.opening import make_keys
from ledger.budget import BudgetRow, ReleaseRow
from ledger.budget_shell import LoadBudget
from ledger.journals import Draft, Line
from ledger.opening import (
    ADMIN_1,
    ADMIN_2,
    CASH_ACCOUNT,
    EQUITY_ACCOUNT,
    FEEDER,
    NewBook,
    open_book,
)
from ledger.persons_shell import AddPerson, GiveGrant
from ledger.policies import AddBankAccount
from ledger.posting import Refused, post_batch
from ledger.proposals import BothHands
from ledger.session import Command, open_session
from ledger.tokens import IssueToken, new_token, token_sha256

__all__ = ["GOVERNMENT", "ORIGIN", "BookFacts", "data_dir", "make_book"]

GOVERNMENT: Final = "36"
ORIGIN: Final = "bench.example/rkud/36"
_ZONE: Final = "Asia/Jakarta"
_BUDGET_OFFICER: Final = "budget-1"
#: Rp 10 trillion in every bank account, Rp 1 trillion on every budget line: nothing runs dry.
_CASH_SEN: Final = 10**15
_CEILING_SEN: Final = 10**14


@dataclass(frozen=True, slots=True)
class BookFacts:
    """What a bench must know of its book: days to post on and a token that feeds it."""

    today: str
    first_day: str
    token: str


def make_book(
    owner_url: str,
    app_url: str,
    *,
    banks: int = 1,
    budget: Literal["this year", "last year"] | None = None,
    app_role: str | None = None,
    reader_role: str | None = None,
    is_demo: bool = False,
) -> BookFacts:
    """
    Migrate the database and open a book in it, with cash in *banks* bank accounts.

    *is_demo*: a book that a simulated bank may serve. *budget*: the year with the ten thousand budget lines of `workload.budget_spots`, if any.
    *first_day* is the second of January of last year, the day after the opening balance.
    """
    upgrade(owner_url, app_role, reader_role)
    engine = make_engine(app_url)
    today = clock.local_day(clock.system_clock(), _ZONE)
    year = int(today[:4])
    ids = bank_accounts(banks)
    opened_on = f"{year - 1}-01-01"
    book = NewBook(
        government=GOVERNMENT,
        name="Banten",
        bank_account=ids[0],
        bank_account_name="RKUD",
        recognition="on_cair",
        fiscal_years=(year - 1, year),
        origin=ORIGIN,
        zone=_ZONE,
        feed=("*",),
        opening_balance_sen=_CASH_SEN,
        opening_on=opened_on,
        is_demo=is_demo,
    )
    with begin(engine) as conn:
        open_book(conn, book, now=clock.system_clock(), today=today)
    token = new_token()
    commands: list[Command] = [IssueToken(ADMIN_1, FEEDER, token_sha256(token))]
    commands += [
        BothHands(ADMIN_1, ADMIN_2, AddBankAccount(bank, "RKUD", CASH_ACCOUNT, opened_on))
        for bank in ids[1:]
    ]
    if budget is not None:
        person = AddPerson(_BUDGET_OFFICER, "Budget officer")
        grant = GiveGrant(_BUDGET_OFFICER, "budget_officer", opened_on)
        commands += [BothHands(ADMIN_1, ADMIN_2, person), BothHands(ADMIN_1, ADMIN_2, grant)]
        commands.append(_budget(year if budget == "this year" else year - 1))
    _do(engine, commands, today)
    if banks > 1:
        with begin(engine) as conn:
            session = open_session(conn, GOVERNMENT, now=clock.system_clock(), today=today)
            session.post(_opening(ids[1:], opened_on))
            session.flush()
    engine.dispose()
    return BookFacts(today=today, first_day=f"{year - 1}-01-02", token=token)


@contextlib.contextmanager
def data_dir() -> Iterator[Path]:
    """
    A data directory with a log key and a signer that has signed nothing: one for each copy of a
    book, because a signer remembers how long the log was.
    """
    with tempfile.TemporaryDirectory(prefix="rkud-bench-") as folder:
        keys = Path(folder) / "keys"
        keys.mkdir(mode=0o700)
        make_keys(keys, GOVERNMENT, ORIGIN)
        yield Path(folder)


def _do(engine: Engine, commands: Sequence[Command], today: str) -> None:
    with begin(engine) as conn:
        results = post_batch(conn, GOVERNMENT, commands, now=clock.system_clock(), today=today)
    for result in results:
        if isinstance(result, Refused):
            raise result.error


def _opening(ids: list[str], day: str) -> Draft:
    # As many lines on the other side: a single line stays below the greatest amount.
    lines = [Line("PPKD", "FIN", CASH_ACCOUNT, _CASH_SEN, bank) for bank in ids]
    lines += [Line("PPKD", "FIN", EQUITY_ACCOUNT, -_CASH_SEN) for _ in ids]
    return Draft(
        reference="OPENING/banks",
        effective_on=day,
        kind="opening",
        description="Opening balances",
        lines=lines,
        maker=ADMIN_1,
        poster=ADMIN_2,
        source="bank",
        is_fact=True,
    )


def _budget(fiscal_year: int) -> LoadBudget:
    rows: list[BudgetRow | ReleaseRow] = []
    for spot in budget_spots():
        rows += [
            BudgetRow(
                f"{fiscal_year}/{line}",
                spot.skpd,
                spot.sub_kegiatan,
                account,
                FUND_SOURCE,
                _CEILING_SEN,
            )
            for line, account in zip(spot.lines, spot.accounts, strict=True)
        ]
        released = _CEILING_SEN * len(spot.lines)
        rows.append(ReleaseRow(spot.skpd, spot.sub_kegiatan, "", released))
    return LoadBudget(_BUDGET_OFFICER, fiscal_year, f"{fiscal_year:064d}", rows)
