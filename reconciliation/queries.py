"""
Read statements, lines, runs and matches; the day's cash position; payments that the bank has made.

Shell, read only. Lists page on ids, which grow with the log; narratives are shown by the caller that
may read private values, here they are commitments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Table, and_, func, select, text

from audit import bulk
from ledger import tables as lt
from ledger.money import sen_text
from reconciliation import tables as t
from reconciliation.stages import PREFIX, Pair

__all__ = [
    "MATCHES_HEADER",
    "CashPosition",
    "LineFilter",
    "MatchRow",
    "PaymentSeen",
    "cash_position",
    "list_deliveries",
    "list_lines",
    "list_matches",
    "list_runs",
    "list_statements",
    "match_rows",
    "payments_seen",
    "statement_content",
    "suggestion_rows",
]

#: A page of a list: rows as mappings of the table's columns.
Listed = list[dict[str, Any]]

_BALANCE_STATES: Final = ("queued", "sent", "accepted", "unknown")


class MatchRow(NamedTuple):
    """A row of the matches file (the contract's columns): one member of a match or suggestion."""

    match_id: str
    status: str
    stage: str
    bank_reference: str
    statement: str
    position: str
    journal_reference: str
    journal_line: str
    amount: str


MATCHES_HEADER: Final = MatchRow._fields


@dataclass(frozen=True, slots=True)
class LineFilter:
    """What a list of bank lines may be narrowed by."""

    statement: int = 0
    booked_from: str = ""
    booked_to: str = ""
    is_open: bool | None = None
    bank_reference: str = ""


class PaymentSeen(NamedTuple):
    """
    A payment of ours that the bank has debited, not yet recorded as paid.

    evidence_sha256: the statement file that shows it. lines: how many open lines show it; more than
    one is a double debit, of which the first is told.
    """

    payment_reference: str
    line: int
    booked_on: str
    amount_sen: int
    evidence_sha256: str
    lines: int


@dataclass(frozen=True, slots=True)
class CashPosition:
    """
    Figures of the daily cash position report (LPKH) of one account, in sen.

    bank_sen is the bank's own closing on *bank_closing_on*, None when nothing was reported yet.
    """

    bank_account: str
    day: str
    opening_sen: int
    receipts_sen: int
    payments_sen: int
    bank_sen: int | None
    bank_closing_on: str

    @property
    def change_sen(self) -> int:
        """Perubahan posisi kas hari ini."""
        return self.receipts_sen - self.payments_sen

    @property
    def closing_sen(self) -> int:
        """Posisi kas (H)."""
        return self.opening_sen + self.change_sen


def list_statements(
    conn: Connection,
    government: str,
    *,
    bank_account: str = "",
    status: str = "",
    after: int = 0,
    limit: int = 100,
) -> Listed:
    """
    Statements in the order they were taken in, from the one after id *after*.

    With `supersedes` and `superseded_by`, ids of statements or 0.
    """
    column, later = t.statement.c, t.reissue.alias("later")
    own = t.reissue.c
    query = (
        select(
            t.statement,
            func.coalesce(own.supersedes, 0).label("supersedes"),
            func.coalesce(later.c.statement_id, 0).label("superseded_by"),
        )
        .select_from(t.statement)
        .outerjoin(
            t.reissue,
            and_(own.government == column.government, own.statement_id == column.id),
        )
        .outerjoin(
            later,
            and_(later.c.government == column.government, later.c.supersedes == column.id),
        )
        .where(column.government == government, column.id > after)
        .order_by(column.id)
        .limit(limit)
    )
    if bank_account:
        query = query.where(column.bank_account == bank_account)
    if status:
        query = query.where(column.status == status)
    return [dict(row._mapping) for row in conn.execute(query)]


def list_deliveries(
    conn: Connection,
    government: str,
    *,
    bank_account: str = "",
    after: int = 0,
    limit: int = 100,
) -> Listed:
    """Intraday reports and advices in the order they were taken in, from the one after id *after*."""
    return _of_account(conn, t.delivery, government, bank_account, after=after, limit=limit)


def _of_account(
    conn: Connection, table: Table, government: str, bank_account: str, *, after: int, limit: int
) -> Listed:
    """Rows of *table* by id, of one account or ("") of all, from the one after id *after*."""
    column = table.c
    query = (
        select(table)
        .where(column.government == government, column.id > after)
        .order_by(column.id)
        .limit(limit)
    )
    if bank_account:
        query = query.where(column.bank_account == bank_account)
    return [dict(row._mapping) for row in conn.execute(query)]


def statement_content(conn: Connection, government: str, sha256: str) -> bytes | None:
    """The raw bytes of a file; None when it is unknown or its bytes were erased."""
    column = t.statement_file_content.c
    found = conn.execute(
        select(column.content).where(column.government == government, column.sha256 == sha256)
    ).scalar()
    return None if found is None else bytes(found)


def list_lines(
    conn: Connection,
    government: str,
    *,
    bank_account: str = "",
    narrow: LineFilter | None = None,
    after: int = 0,
    limit: int = 100,
) -> Listed:
    """
    Bank lines by id with `is_open` (1 or 0), from the one after id *after*.

    With `gone_by`, the reissued statement that no longer has the line, or 0.
    """
    column, item, gone = t.bank_line.c, t.open_item.c, t.bank_line_gone.c
    query = (
        select(
            t.bank_line,
            (item.item.is_not(None)).label("is_open"),
            func.coalesce(gone.statement_id, 0).label("gone_by"),
        )
        .select_from(t.bank_line)
        .outerjoin(
            t.bank_line_gone,
            and_(gone.government == column.government, gone.line_id == column.id),
        )
        .outerjoin(
            t.open_item,
            and_(item.government == column.government, item.side == "bank", item.item == column.id),
        )
        .where(column.government == government, column.id > after)
        .order_by(column.id)
        .limit(limit)
    )
    if bank_account:
        query = query.where(column.bank_account == bank_account)
    if narrow is not None:
        if narrow.statement:
            query = query.where(column.statement_id == narrow.statement)
        if narrow.booked_from:
            query = query.where(column.booked_on >= narrow.booked_from)
        if narrow.booked_to:
            query = query.where(column.booked_on <= narrow.booked_to)
        if narrow.bank_reference:
            query = query.where(column.bank_reference == narrow.bank_reference)
        if narrow.is_open is not None:
            query = query.where(item.item.is_not(None) if narrow.is_open else item.item.is_(None))
    return [{**row._mapping, "is_open": int(row.is_open)} for row in conn.execute(query)]


def list_runs(
    conn: Connection,
    government: str,
    *,
    bank_account: str = "",
    after: int = 0,
    limit: int = 100,
) -> Listed:
    """Runs by id, from the one after id *after*."""
    return _of_account(
        conn, t.reconciliation_run, government, bank_account, after=after, limit=limit
    )


def list_matches(
    conn: Connection,
    government: str,
    *,
    bank_account: str = "",
    run: int | None = None,
    after: int = 0,
    limit: int = 100,
) -> Listed:
    """
    Matches by id with `members` (side, item, amount_sen) and `is_undone`, after id *after*.

    *run* 0 lists the matches by hand.
    """
    column, undo, member = t.reconciliation_match.c, t.match_undo.c, t.match_member.c
    query = (
        select(t.reconciliation_match, undo.match_id.is_not(None).label("is_undone"))
        .outerjoin(
            t.match_undo,
            and_(undo.government == column.government, undo.match_id == column.id),
        )
        .where(column.government == government, column.id > after)
        .order_by(column.id)
        .limit(limit)
    )
    if bank_account:
        query = query.where(column.bank_account == bank_account)
    if run is not None:
        query = query.where(column.run_id == run)
    listed: Listed = [
        {**row._mapping, "is_undone": int(row.is_undone), "members": []}
        for row in conn.execute(query)
    ]
    by_id = {row["id"]: row for row in listed}
    rows = conn.execute(
        select(member.match_id, member.side, member.item, member.amount_sen)
        .where(member.government == government, member.match_id.in_(list(by_id)))
        .order_by(member.match_id, member.n)
    )
    for match_id, side, item, amount_sen in rows:
        by_id[match_id]["members"].append({"side": side, "item": item, "amount_sen": amount_sen})
    return listed


# --- the matches file ----------------------------------------------------------------------------

_MEMBERS: Final = text(
    """
SELECT r.id, r.status, r.stage, m.side, m.amount_sen, l.bank_reference, l.booked_on, l.position, s.statement_no, s.file_sha256,
  j.reference, e.n, e.effective_on
FROM reconciliation_match r
  JOIN match_member m ON m.government = r.government AND m.match_id = r.id
  LEFT JOIN match_undo u ON u.government = r.government AND u.match_id = r.id
  LEFT JOIN bank_line l ON m.side = 'bank' AND l.government = m.government AND l.id = m.item
  LEFT JOIN statement s ON s.government = l.government AND s.id = l.statement_id
  LEFT JOIN book_entry e ON m.side = 'book' AND e.government = m.government AND e.id = m.item
  LEFT JOIN journal j ON j.government = e.government AND j.id = e.journal_id
WHERE r.government = :government AND r.bank_account = :bank_account AND u.match_id IS NULL
ORDER BY r.id, m.n
"""
)


def match_rows(
    conn: Connection, government: str, bank_account: str, *, through: str = "9999-12-31"
) -> Iterator[MatchRow]:
    """Members of all live matches of an account that are dated through a day."""
    rows = conn.execute(_MEMBERS, {"government": government, "bank_account": bank_account})
    for row in rows.all():
        if (row.booked_on or row.effective_on) > through:
            continue
        if row.side == "bank":
            yield _bank_row(str(row.id), row.status, row.stage, row)
        else:
            yield MatchRow(
                str(row.id),
                row.status,
                row.stage,
                "",
                "",
                "",
                row.reference,
                str(row.n),
                sen_text(row.amount_sen),
            )


def suggestion_rows(conn: Connection, government: str, pairs: Sequence[Pair]) -> Iterator[MatchRow]:
    """Members of suggestions. They are proposals from the working set, with ids of their own."""
    lines = _lines_of(conn, government, [pair.line for pair in pairs])
    entries = _entries_of(conn, government, [pair.entry for pair in pairs])
    for pair in pairs:
        name = f"s{pair.line}-{pair.entry}"
        yield _bank_row(name, "suggest", PREFIX, lines[pair.line])
        reference, n = entries[pair.entry]
        yield MatchRow(
            name, "suggest", PREFIX, "", "", "", reference, str(n), sen_text(pair.amount_sen)
        )


def _bank_row(name: str, status: str, stage: str, row: Any) -> MatchRow:
    return MatchRow(
        name,
        status,
        stage,
        row.bank_reference,
        row.statement_no or row.file_sha256,
        str(row.position),
        "",
        "",
        sen_text(row.amount_sen),
    )


def _lines_of(conn: Connection, government: str, ids: Sequence[int]) -> dict[int, Any]:
    line, statement = t.bank_line.c, t.statement.c
    found: dict[int, Any] = {}
    for some in _slices(ids):
        rows = conn.execute(
            select(
                line.id,
                line.bank_reference,
                line.position,
                line.amount_sen,
                statement.statement_no,
                statement.file_sha256,
            )
            .join(
                t.statement,
                and_(statement.government == line.government, statement.id == line.statement_id),
            )
            .where(line.government == government, line.id.in_(some))
        )
        found |= {row.id: row for row in rows}
    return found


def _entries_of(
    conn: Connection, government: str, ids: Sequence[int]
) -> dict[int, tuple[str, int]]:
    entry, journal = t.book_entry.c, lt.journal.c
    found: dict[int, tuple[str, int]] = {}
    for some in _slices(ids):
        rows = conn.execute(
            select(entry.id, journal.reference, entry.n)
            .join(
                lt.journal,
                and_(journal.government == entry.government, journal.id == entry.journal_id),
            )
            .where(entry.government == government, entry.id.in_(some))
        )
        found |= {row.id: (row.reference, row.n) for row in rows}
    return found


def _slices(ids: Iterable[int]) -> Iterator[list[int]]:
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), 500):
        yield wanted[start : start + 500]


# --- payments and position -------------------------------------------------------------------------

_SEEN: Final = text(
    """
SELECT k.key, k.amount_sen, min(k.item) AS line, count(*) AS lines FROM open_key k
WHERE k.government = :government AND k.bank_account = :bank_account AND k.key >= 'pay:' AND k.key < 'pay;'
  AND k.side = 'bank' AND k.amount_sen < 0
GROUP BY k.key, k.amount_sen ORDER BY min(k.item)
"""
)


def payments_seen(conn: Connection, government: str, bank_account: str) -> list[PaymentSeen]:
    """
    Payments that open bank lines name, with their amount, and that are not recorded as paid.

    For books that recognise a payment when the bank has made it (`on_cair`) these have no entry yet:
    the caller records each one, and the next run matches the entry that this makes.
    """
    rows = conn.execute(_SEEN, {"government": government, "bank_account": bank_account}).all()
    paid = bulk.read_rows(
        conn,
        lt.payment,
        ("government", "partner_reference"),
        ("bank_account", "amount_sen", "state"),
        [(government, row.key.removeprefix("pay:")) for row in rows],
    )
    waiting = {
        str(row[1]): int(str(row[3]))
        for row in paid
        if row[2] == bank_account and row[4] in _BALANCE_STATES
    }
    wanted = [r for r in rows if waiting.get(r.key.removeprefix("pay:")) == -r.amount_sen]
    booked = {
        row[1]: (str(row[2]), int(str(row[3])))
        for row in bulk.read_rows(
            conn,
            t.bank_line,
            ("government", "id"),
            ("booked_on", "statement_id"),
            [(government, row.line) for row in wanted],
        )
    }
    files = {
        row[1]: str(row[2])
        for row in bulk.read_rows(
            conn,
            t.statement,
            ("government", "id"),
            ("file_sha256",),
            [(government, statement) for statement in sorted({s for _, s in booked.values()})],
        )
    }
    return [
        PaymentSeen(
            row.key.removeprefix("pay:"),
            row.line,
            booked[row.line][0],
            -row.amount_sen,
            files[booked[row.line][1]],
            row.lines,
        )
        for row in wanted
    ]


def cash_position(conn: Connection, government: str, bank_account: str, day: str) -> CashPosition:
    """The day's cash of one account: yesterday's balance, in, out, and the bank's own figure."""
    days, statement = lt.account_day.c, t.statement.c
    account = conn.execute(
        select(lt.bank_account.c.account).where(
            lt.bank_account.c.government == government, lt.bank_account.c.id == bank_account
        )
    ).scalar_one()
    own = (
        days.government == government,
        days.account == account,
        days.bank_account == bank_account,
        days.book == "FIN",
    )
    opening = conn.execute(
        select(func.coalesce(func.sum(days.debit_sen - days.credit_sen), 0)).where(
            *own, days.day < day
        )
    ).scalar_one()
    debit, credit = conn.execute(
        select(
            func.coalesce(func.sum(days.debit_sen), 0), func.coalesce(func.sum(days.credit_sen), 0)
        ).where(*own, days.day == day)
    ).one()
    bank = conn.execute(
        select(statement.closing_sen, statement.closing_on)
        .where(
            statement.government == government,
            statement.bank_account == bank_account,
            statement.chain_n > 0,
            statement.closing_on <= day,
        )
        .order_by(statement.chain_n.desc(), statement.id.desc())
        .limit(1)
    ).first()
    return CashPosition(
        bank_account,
        day,
        int(opening),
        int(debit),
        int(credit),
        None if bank is None else bank.closing_sen,
        "" if bank is None else bank.closing_on,
    )
