"""
Read the books: balances now, on a date and as they were known; histories; trial balances; journals.

Shell, read only. Every function takes a `Connection` in whatever snapshot the caller opened. Lists
order by and page on (batch_seq, id) or on codes, never on clocks or random ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from ledger import tables as t
from ledger.errors import UnknownJournalError

__all__ = [
    "AccountKey",
    "BudgetRow",
    "HistoryLine",
    "JournalFilter",
    "JournalLineRow",
    "JournalRow",
    "TrialRow",
    "balance",
    "balance_as_known",
    "budget_lines",
    "get_journal",
    "history",
    "list_journals",
    "trial_balance",
]


@dataclass(frozen=True, slots=True)
class AccountKey:
    """Which account: None means every value of that dimension, empty means none of it."""

    account: str
    entity: str | None = None
    book: str = "FIN"
    bank_account: str | None = None
    counterpart: str | None = None
    fund_source: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """A line of an account with the balance after it, in sen; debits are positive."""

    journal_id: int
    n: int
    batch_seq: int
    effective_on: str
    reference: str
    kind: str
    document_no: str
    amount_sen: int
    balance_sen: int


@dataclass(frozen=True, slots=True)
class TrialRow:
    """Movement and balance of one account within a book and entity, in sen."""

    entity: str
    book: str
    account: str
    debit_sen: int
    credit_sen: int

    @property
    def balance_sen(self) -> int:
        """Debits less credits."""
        return self.debit_sen - self.credit_sen


@dataclass(frozen=True, slots=True)
class JournalLineRow:
    """A posted line."""

    n: int
    entity: str
    book: str
    account: str
    amount_sen: int
    bank_account: str
    counterpart: str
    fund_source: str
    budget_line: str
    payment_reference: str


@dataclass(frozen=True, slots=True)
class JournalRow:
    """A posted journal; texts are commitments."""

    id: int
    batch_seq: int
    leaf_index: int
    reference: str
    kind: str
    source: str
    fiscal_year: int
    period: int
    effective_on: str
    document_id: str
    document_no: str
    batch_no: str
    reverses: int | None
    reversed_by: int | None
    maker: str
    poster: str
    description_c: str
    payee_name_c: str
    recorded_at: str
    lines: tuple[JournalLineRow, ...] = ()


@dataclass(frozen=True, slots=True)
class JournalFilter:
    """What a list of journals may be narrowed by."""

    kind: str = ""
    reference: str = ""
    document_no: str = ""
    batch_no: str = ""
    effective_from: str = ""
    effective_to: str = ""
    fiscal_year: int = 0
    period: int = 0


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """A budget line with its counters and those of its release, in sen."""

    id: str
    fiscal_year: int
    skpd: str
    sub_kegiatan: str
    account: str
    fund_source: str
    ceiling_sen: int
    reserved_sen: int
    spent_sen: int
    allowance_sen: int
    bucket_id: str
    released_sen: int
    bucket_reserved_sen: int
    bucket_spent_sen: int
    bucket_allowance_sen: int

    @property
    def remaining_sen(self) -> int:
        """Sisa pagu."""
        return self.ceiling_sen + self.allowance_sen - self.reserved_sen - self.spent_sen


def balance(conn: Connection, government: str, key: AccountKey, *, on: str | None = None) -> int:
    """
    Balance in sen, debit positive: now, or at the close of the day *on*.

    Reads one row a dimension (now) or one a day (on a date), however long the history is.
    """
    if on is None:
        now = t.account_balance.c
        query = select(func.coalesce(func.sum(now.balance_sen), 0)).where(
            now.government == government, *_same_account(now, key)
        )
        if key.account.startswith("1.1.01.01.") and key.fund_source:
            return balance(conn, government, key, on="9999-12-31")
        return int(conn.execute(query).scalar_one())
    day = t.account_day.c
    query = select(func.coalesce(func.sum(day.debit_sen - day.credit_sen), 0)).where(
        day.government == government, day.day <= on, *_same_account(day, key)
    )
    return int(conn.execute(query).scalar_one())


def balance_as_known(
    conn: Connection, government: str, key: AccountKey, *, on: str, batch_seq: int
) -> int:
    """Balance in sen at the close of *on* as the books said after batch *batch_seq*. Reads lines."""
    line = t.journal_line.c
    query = select(func.coalesce(func.sum(line.amount_sen), 0)).where(
        line.government == government,
        line.effective_on <= on,
        line.batch_seq <= batch_seq,
        *_same_account(line, key),
    )
    return int(conn.execute(query).scalar_one())


def history(
    conn: Connection,
    government: str,
    key: AccountKey,
    *,
    start: str = "0001-01-01",
    end: str = "9999-12-31",
    after: tuple[str, int, int] | None = None,
    limit: int = 100,
) -> list[HistoryLine]:
    """
    Lines of an account by effective date with the running balance, *limit* of them.

    *after* is (effective_on, journal id, n) of the last line seen. The first balance is read from
    the day sums, so a page costs its own lines only.
    """
    line, journal = t.journal_line.c, t.journal.c
    place = (line.effective_on, line.journal_id, line.n)
    query = (
        select(
            *place,
            line.batch_seq,
            journal.reference,
            journal.kind,
            journal.document_no,
            line.amount_sen,
        )
        .join(
            t.journal,
            and_(journal.government == line.government, journal.id == line.journal_id),
        )
        .where(
            line.government == government,
            line.effective_on >= start,
            line.effective_on <= end,
            *_same_account(line, key),
        )
        .order_by(*place)
        .limit(limit)
    )
    if after is not None:
        query = query.where(_after(place, after))
    rows = conn.execute(query).all()
    if not rows:
        return []
    running = _balance_before(conn, government, key, rows[0][:3])
    lines = []
    for effective_on, journal_id, n, batch_seq, reference, kind, document_no, sen in rows:
        running += sen
        lines.append(
            HistoryLine(
                journal_id, n, batch_seq, effective_on, reference, kind, document_no, sen, running
            )
        )
    return lines


def _balance_before(
    conn: Connection, government: str, key: AccountKey, first: Sequence[object]
) -> int:
    effective_on, journal_id, n = first
    day, line = t.account_day.c, t.journal_line.c
    earlier = select(func.coalesce(func.sum(day.debit_sen - day.credit_sen), 0)).where(
        day.government == government, day.day < effective_on, *_same_account(day, key)
    )
    same_day = select(func.coalesce(func.sum(line.amount_sen), 0)).where(
        line.government == government,
        line.effective_on == effective_on,
        or_(
            line.journal_id < journal_id,
            and_(line.journal_id == journal_id, line.n < n),
        ),
        *_same_account(line, key),
    )
    return int(conn.execute(earlier).scalar_one()) + int(conn.execute(same_day).scalar_one())


def trial_balance(
    conn: Connection,
    government: str,
    *,
    start: str = "0001-01-01",
    on: str = "9999-12-31",
    book: str | None = None,
    entity: str | None = None,
) -> list[TrialRow]:
    """Movement from *start* to the close of *on* of every account, per entity and book."""
    day = t.account_day.c
    query = (
        select(day.entity, day.book, day.account, func.sum(day.debit_sen), func.sum(day.credit_sen))
        .where(day.government == government, day.day >= start, day.day <= on)
        .group_by(day.entity, day.book, day.account)
        .order_by(day.entity, day.book, day.account)
    )
    if book is not None:
        query = query.where(day.book == book)
    if entity is not None:
        query = query.where(day.entity == entity)
    return [
        TrialRow(code, of_book, account, int(debit), int(credit))
        for code, of_book, account, debit, credit in conn.execute(query)
    ]


def list_journals(
    conn: Connection,
    government: str,
    *,
    narrow: JournalFilter | None = None,
    after: tuple[int, int] | None = None,
    limit: int = 100,
) -> list[JournalRow]:
    """Journals in the order they were posted, without lines; *after* is (batch_seq, id)."""
    journal = t.journal.c
    query = _journals(government).order_by(journal.batch_seq, journal.id).limit(limit)
    if after is not None:
        # Ids grow with batches, so the id alone is the place; the batch is part of the cursor.
        query = query.where(journal.id > after[1])
    if narrow is not None:
        wanted = {
            journal.kind: narrow.kind,
            journal.reference: narrow.reference,
            journal.document_no: narrow.document_no,
            journal.batch_no: narrow.batch_no,
            journal.fiscal_year: narrow.fiscal_year,
            journal.period: narrow.period,
        }
        query = query.where(*(column == value for column, value in wanted.items() if value))
        if narrow.effective_from:
            query = query.where(journal.effective_on >= narrow.effective_from)
        if narrow.effective_to:
            query = query.where(journal.effective_on <= narrow.effective_to)
    return [JournalRow(*_values(row)) for row in conn.execute(query)]


def get_journal(conn: Connection, government: str, journal_id: int) -> JournalRow:
    """A journal with its lines. Raises UnknownJournalError."""
    row = conn.execute(_journals(government).where(t.journal.c.id == journal_id)).first()
    if row is None:
        raise UnknownJournalError(journal_id=journal_id)
    line = t.journal_line.c
    lines = conn.execute(
        select(
            line.n,
            line.entity,
            line.book,
            line.account,
            line.amount_sen,
            line.bank_account,
            line.counterpart,
            line.fund_source,
            line.budget_line,
            line.payment_reference,
        )
        .where(line.government == government, line.journal_id == journal_id)
        .order_by(line.n)
    )
    return replace(
        JournalRow(*_values(row)),
        lines=tuple(JournalLineRow(*_values(found)) for found in lines),
    )


def budget_lines(
    conn: Connection,
    government: str,
    *,
    fiscal_year: int,
    skpd: str = "",
    after: str = "",
    limit: int = 100,
) -> list[BudgetRow]:
    """Budget lines by id with their counters."""
    line, bucket = t.budget_line.c, t.release_bucket.c
    query = (
        select(
            line.id,
            line.fiscal_year,
            line.skpd,
            line.sub_kegiatan,
            line.account,
            line.fund_source,
            line.ceiling_sen,
            line.reserved_sen,
            line.spent_sen,
            line.allowance_sen,
            line.bucket_id,
            bucket.released_sen,
            bucket.reserved_sen,
            bucket.spent_sen,
            bucket.allowance_sen,
        )
        .join(
            t.release_bucket,
            and_(bucket.government == line.government, bucket.id == line.bucket_id),
        )
        .where(line.government == government, line.fiscal_year == fiscal_year, line.id > after)
        .order_by(line.id)
        .limit(limit)
    )
    if skpd:
        query = query.where(line.skpd == skpd)
    return [BudgetRow(*_values(row)) for row in conn.execute(query)]


def _journals(government: str) -> Select[Any]:
    journal, other = t.journal.c, t.journal.alias("other")
    batch = t.journal.metadata.tables["batch"]
    reversed_by = (
        select(other.c.id)
        .where(other.c.government == journal.government, other.c.reverses == journal.id)
        .scalar_subquery()
    )
    return (
        select(
            journal.id,
            journal.batch_seq,
            journal.leaf_index,
            journal.reference,
            journal.kind,
            journal.source,
            journal.fiscal_year,
            journal.period,
            journal.effective_on,
            journal.document_id,
            journal.document_no,
            journal.batch_no,
            journal.reverses,
            reversed_by,
            journal.maker,
            journal.poster,
            journal.description_c,
            journal.payee_name_c,
            batch.c.recorded_at,
        )
        .join(
            batch,
            and_(batch.c.government == journal.government, batch.c.seq == journal.batch_seq),
        )
        .where(journal.government == government)
    )


def _same_account(columns: object, key: AccountKey) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    wanted = {
        "account": key.account,
        "book": key.book,
        "entity": key.entity,
        "bank_account": key.bank_account,
        "counterpart": key.counterpart,
        "fund_source": key.fund_source,
    }
    for name, value in wanted.items():
        if value is not None:
            conditions.append(getattr(columns, name) == value)
    return conditions


def _after(place: Sequence[ColumnElement[object]], last: Sequence[object]) -> ColumnElement[bool]:
    """Rows behind *last* in the order of *place*, written out: SQLite and PostgreSQL plan it alike."""
    a, b, c = place
    x, y, z = last
    return or_(a > x, and_(a == x, or_(b > y, and_(b == y, c > z))))


def _values(row: Any) -> tuple[Any, ...]:
    """A row as the values of a dataclass, in the order of its fields."""
    return tuple(row)
