"""Balances now, on a date and as they were known; an account's history; the trial balance."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import Asker, Books, cursor_of, cursor_text
from api.problems import responses
from api.routes.journals import ASKING
from api.schemas import (
    BalanceOut,
    HistoryLineOut,
    HistoryOut,
    OptionalPlace,
    TrialBalanceOut,
    TrialRowOut,
)
from ledger import queries
from ledger.errors import InvalidFieldError
from ledger.journals import check_day
from ledger.money import sen_text

router = APIRouter(prefix="/v1/governments/{government}", tags=["balances"])

AccountQuery = Annotated[str, Query(min_length=1, max_length=40, examples=["1.1.01.01.01.0001"])]
Dimension = Annotated[str | None, Query(max_length=80)]
BookQuery = Annotated[str, Query(pattern="^(FIN|BUD)$")]
DayQuery = Annotated[str | None, Query(max_length=10, examples=["2026-03-05"])]


def _day(field: str, value: str | None) -> str | None:
    if value is not None:
        check_day(field, value)
    return value


@router.get(
    "/balances", responses=responses(*ASKING, InvalidFieldError), summary="Balance of an account"
)
def get_balance(
    books: Books,
    _caller: Asker,
    account: AccountQuery,
    entity: Dimension = None,
    book: BookQuery = "FIN",
    bank_account: Dimension = None,
    counterpart: Dimension = None,
    fund_source: Dimension = None,
    on: DayQuery = None,
    known_at_batch: OptionalPlace = None,
) -> BalanceOut:
    """
    Now; at the close of the day `on`; or that, as the books said after batch `known_at_batch`.

    A dimension that is left out means all its values, an empty one means none. Debits are positive.
    """
    key = queries.AccountKey(account, entity, book, bank_account, counterpart, fund_source)
    day = _day("on", on)
    if known_at_batch is not None:
        sen = queries.balance_as_known(
            books.conn, books.government, key, on=day or "9999-12-31", batch_seq=known_at_batch
        )
    else:
        sen = queries.balance(books.conn, books.government, key, on=day)
    return BalanceOut(
        account=account,
        entity=entity,
        book=book,
        bank_account=bank_account,
        counterpart=counterpart,
        fund_source=fund_source,
        on=on,
        known_at_batch=known_at_batch,
        batch=books.batch_seq,
        balance=sen_text(sen),
    )


@router.get(
    "/balances/history",
    responses=responses(*ASKING, InvalidFieldError),
    summary="Lines of an account with the running balance",
)
def get_history(
    books: Books,
    _caller: Asker,
    account: AccountQuery,
    entity: Dimension = None,
    book: BookQuery = "FIN",
    bank_account: Dimension = None,
    counterpart: Dimension = None,
    fund_source: Dimension = None,
    start: DayQuery = None,
    end: DayQuery = None,
    cursor: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> HistoryOut:
    """By effective date from `start` to `end`, a page at a time."""
    after = cursor_of(cursor, (str, int, int)) if cursor else None
    key = queries.AccountKey(account, entity, book, bank_account, counterpart, fund_source)
    lines = queries.history(
        books.conn,
        books.government,
        key,
        start=_day("start", start) or "0001-01-01",
        end=_day("end", end) or "9999-12-31",
        after=(after[0], after[1], after[2]) if after else None,
        limit=limit + 1,
    )
    shown = lines[:limit]
    last = shown[-1] if len(lines) > limit else None
    return HistoryOut(
        lines=[
            HistoryLineOut(
                journal=line.journal_id,
                n=line.n,
                batch=line.batch_seq,
                effective_on=line.effective_on,
                reference=line.reference,
                kind=line.kind,
                document_no=line.document_no,
                amount=sen_text(line.amount_sen),
                balance=sen_text(line.balance_sen),
            )
            for line in shown
        ],
        next=cursor_text((last.effective_on, last.journal_id, last.n)) if last else None,
    )


@router.get(
    "/trial-balance",
    responses=responses(*ASKING, InvalidFieldError),
    summary="Trial balance",
)
def get_trial_balance(
    books: Books,
    _caller: Asker,
    start: DayQuery = None,
    on: DayQuery = None,
    book: Annotated[str | None, Query(pattern="^(FIN|BUD)$")] = None,
    entity: Dimension = None,
) -> TrialBalanceOut:
    """Movement of every account from `start` to the close of `on`, per entity and book."""
    rows = queries.trial_balance(
        books.conn,
        books.government,
        start=_day("start", start) or "0001-01-01",
        on=_day("on", on) or "9999-12-31",
        book=book,
        entity=entity,
    )
    return TrialBalanceOut(
        start=start,
        on=on,
        batch=books.batch_seq,
        rows=[
            TrialRowOut(
                entity=row.entity,
                book=row.book,
                account=row.account,
                debit=sen_text(row.debit_sen),
                credit=sen_text(row.credit_sen),
                balance=sen_text(row.balance_sen),
            )
            for row in rows
        ],
    )
