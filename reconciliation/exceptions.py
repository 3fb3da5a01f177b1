"""
What is open on an account as of a day, each item with its age and a named reason, and the proof.

Shell, read only. "As of" is business time (the bank's lines up to the closing statement, the books'
up to the day) and, if asked, system time (what was known after a batch). A match counts as made only
if all its members lie inside; otherwise those inside are open items, which the later match will take.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, and_, func, select, text

from ledger import tables as lt
from ledger.queries import AccountKey, balance, balance_as_known
from reconciliation import tables as t
from reconciliation.entries import BookEntry, journal_watermark, pending_entries
from reconciliation.errors import NoStatementError
from reconciliation.keys import split_keys
from reconciliation.position import Opening, OpenLine, Proof, age_days
from reconciliation.stages import Ambiguous, prefix_pairs

__all__ = ["REASONS", "Cut", "cut_of", "last_closing_on", "prove"]

#: Why an item is open, in the order in which a reason is looked for.
REASONS: Final[dict[str, str]] = {
    "matched_later": "its other half is dated, or was found, after the cut-off",
    "undone": "a match of it was undone; it is not matched again but by hand",
    "amount_differs": "the other side has its document with another amount",
    "ambiguous": "several open items share its reference and amount",
    "payment_not_booked": "the bank has executed a payment that the books hold as not yet paid",
    "suggested": "a short or truncated number and the amount point to one open entry",
    "bank_charge": "a fee or charge of the bank that is not booked",
    "bank_interest": "interest that is not booked",
    "returned_payment": "a return or correction that is not booked",
    "unknown_credit": "money in, of unknown origin",
    "unknown_debit": "money out that no entry explains",
    "not_yet_reported": "dated after the last day that the bank has reported",
    "outstanding_payment": "paid out in the books, not yet at the bank",
    "deposit_in_transit": "received in the books, not yet at the bank",
}

_EVER: Final = 2**62

# Matches that are live as known, some of whose members lie outside the cut.
_STRADDLING: Final = text(
    """
SELECT m.match_id FROM statement s
  JOIN bank_line l ON l.government = :government AND l.statement_id = s.id
  JOIN match_member m ON m.government = :government AND m.side = 'bank' AND m.item = l.id
WHERE s.government = :government AND s.bank_account = :bank_account AND s.chain_n > :chain_n
UNION
SELECT m.match_id FROM book_entry e
  JOIN match_member m ON m.government = :government AND m.side = 'book' AND m.item = e.id
WHERE e.government = :government AND e.bank_account = :bank_account AND e.effective_on > :through
"""
)
_OPEN_NOW: Final = text(
    "SELECT side, item FROM open_item WHERE government = :government AND bank_account = :bank_account"
)
# The same from the whole history, for a state of knowledge in the past.
_MEMBERS: Final = text(
    """
SELECT m.match_id, m.side, m.item, CASE WHEN coalesce(s.chain_n <= :chain_n, e.effective_on <= :through) THEN 1 ELSE 0 END AS inside
FROM reconciliation_match r
  JOIN match_member m ON m.government = r.government AND m.match_id = r.id
  LEFT JOIN match_undo u ON u.government = r.government AND u.match_id = r.id AND u.batch_seq <= :known_at
  LEFT JOIN bank_line l ON m.side = 'bank' AND l.government = m.government AND l.id = m.item
  LEFT JOIN statement s ON s.government = l.government AND s.id = l.statement_id
  LEFT JOIN book_entry e ON m.side = 'book' AND e.government = m.government AND e.id = m.item
WHERE r.government = :government AND r.bank_account = :bank_account AND r.batch_seq <= :known_at AND u.match_id IS NULL
"""
)


class Cut(NamedTuple):
    """The last admitted statement that closes on or before a day."""

    through: str
    known_at: int | None
    statement: int
    statement_no: str
    chain_n: int
    closing_on: str
    closing_sen: int


@dataclass(slots=True)
class _Context:
    """What reasons are found with."""

    later: dict[tuple[str, int], int] = field(default_factory=dict)
    undone: set[tuple[str, int]] = field(default_factory=set)
    two_sided: dict[str, set[int]] = field(default_factory=dict)
    shared: set[tuple[str, int]] = field(default_factory=set)
    payments: Mapping[str, int] = field(default_factory=dict)
    suggested: set[tuple[str, int]] = field(default_factory=set)


def last_closing_on(conn: Connection, government: str, bank_account: str) -> str:
    """The last day that the bank has reported; "" when no statement was admitted."""
    statement = t.statement.c
    return str(
        conn.execute(
            select(func.coalesce(func.max(statement.closing_on), "")).where(
                statement.government == government,
                statement.bank_account == bank_account,
                statement.chain_n > 0,
            )
        ).scalar_one()
    )


def cut_of(
    conn: Connection,
    government: str,
    bank_account: str,
    through: str,
    *,
    known_at: int | None = None,
) -> Cut:
    """Raises NoStatementError."""
    statement = t.statement.c
    row = conn.execute(
        select(
            statement.id,
            statement.statement_no,
            statement.chain_n,
            statement.closing_on,
            statement.closing_sen,
        )
        .where(
            statement.government == government,
            statement.bank_account == bank_account,
            statement.chain_n > 0,
            statement.closing_on <= through,
            statement.batch_seq <= (_EVER if known_at is None else known_at),
        )
        # What supersedes a statement has its place and the greater id.
        .order_by(statement.chain_n.desc(), statement.id.desc())
        .limit(1)
    ).first()
    if row is None:
        raise NoStatementError(bank_account=bank_account, through=through)
    return Cut(through, known_at, *row)


def prove(
    conn: Connection,
    government: str,
    bank_account: str,
    through: str,
    *,
    known_at: int | None = None,
    looked_through: int | None = None,
) -> Proof:
    """
    The proof of one account as of the close of *through*, as known after batch *known_at* or now.

    *looked_through* is the last journal whose entries were taken in (default: what the runs say).

    Costs what is open and what lies after the cut; a state of knowledge in the past costs the
    history. Raises NoStatementError.
    """
    cut = cut_of(conn, government, bank_account, through, known_at=known_at)
    open_now, later = _open_sets(conn, government, bank_account, cut)
    lines = _bank_lines(conn, government, cut, open_now["bank"])
    if looked_through is None:
        looked_through = journal_watermark(conn, government, bank_account)
    entries = _book_entries(
        conn, government, bank_account, cut, open_now["book"], after=looked_through
    )
    opening, entries = _opening(conn, government, bank_account, cut, entries, later)
    context = _context(conn, government, bank_account, cut, lines, entries, later)
    references = _journal_references(conn, government, entries)
    items = [_of_line(row, cut, context) for row in lines]
    items += [_of_entry(entry, cut, context, references) for entry in entries]
    return Proof(
        bank_account=bank_account,
        through=through,
        known_at=known_at,
        statement=cut.statement,
        statement_no=cut.statement_no,
        closing_on=cut.closing_on,
        bank_sen=cut.closing_sen,
        book_sen=_book_balance(conn, government, bank_account, cut),
        opening=opening,
        items=sorted(items, key=lambda i: (i.side, i.day, i.item)),
    )


# --- the open sets -------------------------------------------------------------------------------


def _open_sets(
    conn: Connection, government: str, bank_account: str, cut: Cut
) -> tuple[dict[str, list[int]], dict[tuple[str, int], int]]:
    """Items open as of the cut (some may lie outside it), and the later match of those that have one."""
    where = {
        "government": government,
        "bank_account": bank_account,
        "chain_n": cut.chain_n,
        "through": cut.through,
    }
    if cut.known_at is not None:
        return _open_as_known(conn, where, cut.known_at)
    found: dict[str, list[int]] = {"bank": [], "book": []}
    for side, item in conn.execute(_OPEN_NOW, where):
        found[side].append(item)
    later: dict[tuple[str, int], int] = {}
    straddling = [row.match_id for row in conn.execute(_STRADDLING, where)]
    for side, item, match in _live_members(conn, government, straddling):
        later[side, item] = match
        found[side].append(item)
    return found, later


def _live_members(
    conn: Connection, government: str, matches: Iterable[int]
) -> Iterable[tuple[str, int, int]]:
    member, undo = t.match_member.c, t.match_undo.c
    wanted = sorted(set(matches))
    for start in range(0, len(wanted), 500):
        yield from (
            (row.side, row.item, row.match_id)
            for row in conn.execute(
                select(member.side, member.item, member.match_id)
                .outerjoin(
                    t.match_undo,
                    and_(undo.government == member.government, undo.match_id == member.match_id),
                )
                .where(
                    member.government == government,
                    member.match_id.in_(wanted[start : start + 500]),
                    undo.match_id.is_(None),
                )
            )
        )


def _open_as_known(
    conn: Connection, where: dict[str, Any], known_at: int
) -> tuple[dict[str, list[int]], dict[tuple[str, int], int]]:
    members: dict[int, list[tuple[str, int, int]]] = {}
    for match, side, item, inside in conn.execute(_MEMBERS, {**where, "known_at": known_at}):
        members.setdefault(match, []).append((side, item, inside))
    closed: set[tuple[str, int]] = set()
    later: dict[tuple[str, int], int] = {}
    for match, own in members.items():
        for side, item, _ in own:
            if all(inside for *_, inside in own):
                closed.add((side, item))
            else:
                later[side, item] = match
    gone = t.bank_line_gone.c
    closed |= {
        ("bank", line)
        for line in conn.execute(
            select(gone.line_id).where(
                gone.government == where["government"], gone.batch_seq <= known_at
            )
        ).scalars()
    }
    found: dict[str, list[int]] = {}
    for side, table in (("bank", t.bank_line), ("book", t.book_entry)):
        rows = conn.execute(
            select(table.c.id).where(
                table.c.government == where["government"],
                table.c.bank_account == where["bank_account"],
                table.c.batch_seq <= known_at,
                table.c.amount_sen != 0,
            )
        )
        found[side] = [row.id for row in rows if (side, row.id) not in closed]
    return found, later


def _bank_lines(conn: Connection, government: str, cut: Cut, ids: Iterable[int]) -> list[Any]:
    """The open lines inside the cut, with the number of their statement."""
    line, statement = t.bank_line.c, t.statement.c
    wanted = sorted(set(ids))
    rows: list[Any] = []
    for start in range(0, len(wanted), 500):
        rows += conn.execute(
            select(
                line.id,
                line.booked_on,
                line.amount_sen,
                line.bank_reference,
                line.line_kind,
                line.pay_key,
                line.doc_key,
                line.found_keys,
                line.position,
                statement.statement_no,
            )
            .join(
                t.statement,
                and_(statement.government == line.government, statement.id == line.statement_id),
            )
            .where(
                line.government == government,
                line.id.in_(wanted[start : start + 500]),
                statement.chain_n <= cut.chain_n,
            )
            .order_by(line.id)
        ).all()
    return rows


def _book_entries(
    conn: Connection,
    government: str,
    bank_account: str,
    cut: Cut,
    ids: Iterable[int],
    *,
    after: int,
) -> list[BookEntry]:
    """The open entries inside the cut, those of journals that no run has looked at included."""
    known_at = _EVER if cut.known_at is None else cut.known_at
    entry = t.book_entry.c
    wanted = sorted(set(ids))
    entries: list[BookEntry] = []
    for start in range(0, len(wanted), 500):
        rows = conn.execute(
            select(*(entry[name] for name in BookEntry._fields)).where(
                entry.government == government, entry.id.in_(wanted[start : start + 500])
            )
        )
        entries += [BookEntry(*row) for row in rows]
    entries += pending_entries(conn, government, bank_account, after=after)
    return [e for e in entries if e.effective_on <= cut.through and e.batch_seq <= known_at]


def _opening(
    conn: Connection,
    government: str,
    bank_account: str,
    cut: Cut,
    entries: list[BookEntry],
    later: Mapping[tuple[str, int], int],
) -> tuple[Opening, list[BookEntry]]:
    """
    Entries that the bank's first opening figure covers are not items; they are held against it.

    Those are the ones dated before the first reported day, and the book's own opening journal where
    it falls into the first statement. One that a line of the chain takes later was outstanding when
    the chain began, and stays an item.
    """
    statement = t.statement.c
    first = conn.execute(
        select(statement.opening_sen, statement.covers_from, statement.closing_on)
        .where(
            statement.government == government,
            statement.bank_account == bank_account,
            statement.chain_n == 1,
            statement.batch_seq <= (_EVER if cut.known_at is None else cut.known_at),
        )
        .order_by(statement.id.desc())
        .limit(1)
    ).one()
    own = _own_openings(
        conn,
        government,
        {e.journal_id for e in entries if e.is_opening and e.effective_on <= first.closing_on},
    )
    before = [
        e
        for e in entries
        if ("book", e.id) not in later
        and (e.effective_on < first.covers_from or e.journal_id in own)
    ]
    covered = {e.id for e in before}
    opening = Opening(
        bank_sen=first.opening_sen,
        book_sen=sum(e.amount_sen for e in before),
        entries=len(before),
        covers_from=first.covers_from,
    )
    return opening, [e for e in entries if e.id not in covered]


def _own_openings(conn: Connection, government: str, named: set[int]) -> set[int]:
    """Of journals *named* an opening, those that opened the book: the kind alone is only a word."""
    if not named:
        return set()
    journal = lt.journal.c
    rows = conn.execute(
        select(journal.id).where(
            journal.government == government,
            journal.id.in_(sorted(named)),
            journal.source == "bank",
            journal.document_id == "",
            journal.reverses.is_(None),
        )
    )
    return {row.id for row in rows}


def _book_balance(conn: Connection, government: str, bank_account: str, cut: Cut) -> int:
    account = conn.execute(
        select(lt.bank_account.c.account).where(
            lt.bank_account.c.government == government, lt.bank_account.c.id == bank_account
        )
    ).scalar_one()
    key = AccountKey(account=account, bank_account=bank_account)
    if cut.known_at is None:
        return balance(conn, government, key, on=cut.through)
    return balance_as_known(conn, government, key, on=cut.through, batch_seq=cut.known_at)


# --- reasons -------------------------------------------------------------------------------------


def _context(
    conn: Connection,
    government: str,
    bank_account: str,
    cut: Cut,
    lines: list[Any],
    entries: list[BookEntry],
    later: dict[tuple[str, int], int],
) -> _Context:
    context = _Context(later=later)
    groups: dict[tuple[str, int], dict[str, int]] = {}
    for side, rows in (("bank", lines), ("book", entries)):
        for row in rows:
            for key, cut_off in split_keys(row.found_keys):
                if not cut_off:
                    count = groups.setdefault((key, row.amount_sen), {"bank": 0, "book": 0})
                    count[side] += 1
    amounts: dict[str, dict[str, set[int]]] = {}
    for (key, amount), count in groups.items():
        if count["bank"] and count["book"] and sum(count.values()) > 2:
            context.shared.add((key, amount))
        for side in ("bank", "book"):
            if count[side]:
                amounts.setdefault(key, {"bank": set(), "book": set()})[side].add(amount)
    context.two_sided = {
        key: sides["bank"] ^ sides["book"]
        for key, sides in amounts.items()
        if sides["bank"] and sides["book"] and not key.startswith("ref:")
    }
    member, undo = t.match_member.c, t.match_undo.c
    context.undone = {
        (row.side, row.item)
        for row in conn.execute(
            select(member.side, member.item)
            .join(
                t.match_undo,
                and_(undo.government == member.government, undo.match_id == member.match_id),
            )
            .where(member.government == government)
        )
    }
    context.payments = _unpaid(conn, government, bank_account, lines)
    if cut.known_at is None:
        for pair in prefix_pairs(conn, government, bank_account, Ambiguous()):
            context.suggested |= {("bank", pair.line), ("book", pair.entry)}
    return context


def _unpaid(
    conn: Connection, government: str, bank_account: str, lines: list[Any]
) -> dict[str, int]:
    """Amounts in sen of payments of ours that the lines name and the books do not hold as paid."""
    payment = lt.payment.c
    references = sorted({row.pay_key.removeprefix("pay:") for row in lines if row.pay_key[1:]})
    found: dict[str, int] = {}
    for start in range(0, len(references), 500):
        rows = conn.execute(
            select(payment.partner_reference, payment.amount_sen).where(
                payment.government == government,
                payment.partner_reference.in_(references[start : start + 500]),
                payment.bank_account == bank_account,
                payment.state.in_(("queued", "sent", "accepted", "unknown")),
            )
        )
        found |= {f"pay:{row.partner_reference}": row.amount_sen for row in rows}
    return found


def _shared_reason(side: str, item: int, amount: int, keys: str, context: _Context) -> str:
    if (side, item) in context.later:
        return "matched_later"
    if (side, item) in context.undone:
        return "undone"
    whole = [key for key, cut_off in split_keys(keys) if not cut_off]
    if any((key, amount) in context.shared for key in whole):
        return "ambiguous"
    if any(amount in context.two_sided.get(key, ()) for key in whole):
        return "amount_differs"
    return ""


def _of_line(row: Any, cut: Cut, context: _Context) -> OpenLine:
    reason = _shared_reason("bank", row.id, row.amount_sen, row.found_keys, context)
    if not reason and context.payments.get(row.pay_key) == -row.amount_sen:
        reason = "payment_not_booked"
    if not reason and ("bank", row.id) in context.suggested:
        reason = "suggested"
    if not reason:
        reason = {
            "charge": "bank_charge",
            "interest": "bank_interest",
            "return": "returned_payment",
        }.get(row.line_kind) or ("unknown_credit" if row.amount_sen > 0 else "unknown_debit")
    return OpenLine(
        side="bank",
        item=row.id,
        day=row.booked_on,
        amount_sen=row.amount_sen,
        age_days=age_days(row.booked_on, cut.through),
        reason=reason,
        reference=row.bank_reference,
        key=_shown_key(row.pay_key, row.doc_key),
        statement=row.statement_no,
        position=row.position,
        match=context.later.get(("bank", row.id), 0),
    )


def _of_entry(
    entry: BookEntry, cut: Cut, context: _Context, references: Mapping[int, str]
) -> OpenLine:
    reason = _shared_reason("book", entry.id, entry.amount_sen, entry.found_keys, context)
    if not reason and ("book", entry.id) in context.suggested:
        reason = "suggested"
    if not reason:
        if entry.effective_on > cut.closing_on:
            reason = "not_yet_reported"
        else:
            reason = "outstanding_payment" if entry.amount_sen < 0 else "deposit_in_transit"
    return OpenLine(
        side="book",
        item=entry.id,
        day=entry.effective_on,
        amount_sen=entry.amount_sen,
        age_days=age_days(entry.effective_on, cut.through),
        reason=reason,
        reference=references.get(entry.journal_id, ""),
        key=_shown_key(entry.pay_key, entry.doc_key),
        journal_id=entry.journal_id,
        n=entry.n,
        match=context.later.get(("book", entry.id), 0),
    )


def _shown_key(pay_key: str, doc_key: str) -> str:
    return next((key for key in (pay_key, doc_key) if len(key) > 1), "")


def _journal_references(
    conn: Connection, government: str, entries: Iterable[BookEntry]
) -> dict[int, str]:
    journal = lt.journal.c
    wanted = sorted({entry.journal_id for entry in entries})
    found: dict[int, str] = {}
    for start in range(0, len(wanted), 500):
        rows = conn.execute(
            select(journal.id, journal.reference).where(
                journal.government == government, journal.id.in_(wanted[start : start + 500])
            )
        )
        found |= {row.id: row.reference for row in rows}
    return found
