"""
Re-derive statements, lines and matches: every column from its leaf, from the bank's own bytes or from
the posted journals.

A digest in a leaf covers many rows at once; where one fails, the bank's file (as long as its bytes are
kept) tells which line and which column it is.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Table, and_, func, select, text

from audit.database import private_value
from bank_adapters.errors import BankAdapterError
from bank_adapters.statements import Statement, profile_of_record, read_statement_file
from ledger.findings import Finding
from ledger.money import sen_text
from reconciliation import tables as t
from reconciliation.checking import (
    STREAM,
    ActFound,
    acts_of,
    against_leaf,
    changed,
    compare,
    gone,
    rows_of,
)
from reconciliation.decisions import match_form, matches_sha256
from reconciliation.deliveries_check import check_deliveries, check_reissues
from reconciliation.entries import BookEntry, entries_sha256, pending_entries
from reconciliation.keys import line_keys
from reconciliation.open_items import OpenItem, Side, key_rows
from reconciliation.recording import deliveries_sha256, lines_sha256

__all__ = ["check_reconciliation"]


def check_reconciliation(conn: Connection, government: str) -> Iterator[Finding]:
    """Everything this folder keeps, in the caller's snapshot."""
    yield from _check_statements(conn, government)
    yield from check_reissues(conn, government)
    yield from _check_files(conn, government)
    yield from _check_lines(conn, government)
    yield from check_deliveries(conn, government)
    yield from _check_entries(conn, government)
    yield from _check_runs(conn, government)
    yield from _check_matches(conn, government)
    yield from _check_undone(conn, government)
    yield from _check_open(conn, government)


# --- statements ------------------------------------------------------------------------------------


def _check_statements(conn: Connection, government: str) -> Iterator[Finding]:
    acts = {
        act["data"]["id"]: (idx, act)
        for idx, act in acts_of(conn, government, "statement.imported")
    }
    stood: dict[str, dict[int, Any]] = defaultdict(dict)
    places = list(rows_of(conn, t.reissue, government, order="statement_id"))
    over = {each.statement_id: each.supersedes for each in places}
    decided = {each.kept_aside for each in places}
    for row in rows_of(conn, t.statement, government):
        yield from against_leaf(
            "statement", row, acts.pop(row.id, None), {"imported_by": "by"}, key=str(row.id)
        )
        if row.status == "quarantined" and row.id not in decided:
            yield Finding(
                "statement_quarantined",
                f"statement {row.id} ({row.bank_account}, number {row.statement_no or 'none'}) was"
                f" kept aside: {row.rule}",
                "statement",
                str(row.id),
                severity="note",
            )
        if row.status == "admitted":
            yield from _check_chain(conn, government, row, stood[row.bank_account], over)
    for statement_id in acts:
        yield gone("statement", str(statement_id))
    for chain in stood.values():
        yield from _check_places(chain)


def _check_chain(
    conn: Connection, government: str, row: Any, stood: dict[int, Any], over: Mapping[int, int]
) -> Iterator[Finding]:
    """Each admitted statement takes the next place, or that of one it supersedes, and comes to its closing."""
    line, again = t.bank_line.c, t.bank_line_delivery.c
    total = conn.execute(
        select(func.coalesce(func.sum(line.amount_sen), 0)).where(
            line.government == government, line.statement_id == row.id
        )
    ).scalar_one()
    is_placed = row.chain_n == len(stood) + 1
    if row.id in over:
        # Its own lines are the new ones; the others it has are those it delivered again.
        total += conn.execute(
            select(func.coalesce(func.sum(line.amount_sen), 0))
            .join(
                t.bank_line_delivery,
                and_(again.government == line.government, again.line_id == line.id),
            )
            .where(line.government == government, again.statement_id == row.id)
        ).scalar_one()
        old = stood.get(row.chain_n)
        is_placed = old is not None and old.id == over[row.id] and old.closing_on == row.closing_on
    if not is_placed:
        yield Finding(
            "statement_chain_broken",
            f"statement {row.id} is number {row.chain_n} of its chain; it is not the next one, nor"
            " does it supersede the one that stood there",
            "statement",
            str(row.id),
            "chain_n",
        )
    if row.previous_sen + int(total) != row.closing_sen:
        yield Finding(
            "statement_does_not_add_up",
            f"statement {row.id} begins at {sen_text(row.previous_sen)}, its lines are"
            f" {sen_text(int(total))}, it closes at {sen_text(row.closing_sen)}",
            "statement",
            str(row.id),
        )
    stood[row.chain_n] = row


def _check_places(stood: Mapping[int, Any]) -> Iterator[Finding]:
    """What stands now: each place opens with the figure that the one before closes with."""
    for number, row in sorted(stood.items()):
        before = stood.get(number - 1)
        closed = row.opening_sen if number == 1 or before is None else before.closing_sen
        if row.previous_sen != closed:
            yield Finding(
                "statement_chain_broken",
                f"statement {row.id} is number {number} from {sen_text(row.previous_sen)}; the"
                f" account stood at {sen_text(closed)} after number {number - 1}",
                "statement",
                str(row.id),
                "previous_sen",
            )


def _check_files(conn: Connection, government: str) -> Iterator[Finding]:
    first: dict[str, ActFound] = {}
    for kind in ("statement.imported", "delivery.imported"):
        for idx, act in acts_of(conn, government, kind):
            known = first.setdefault(act["data"]["file_sha256"], (idx, act))
            if idx < known[0]:
                first[act["data"]["file_sha256"]] = (idx, act)
    content = t.statement_file_content.c
    for row in rows_of(conn, t.statement_file, government, order="sha256"):
        idx, act = first.pop(row.sha256, (-1, {"data": {}}))
        want = {
            "size": act["data"].get("file_size"),
            "format": act["data"].get("format"),
            "profile": act["data"].get("profile"),
            "batch_seq": act.get("batch"),
            "leaf_index": idx,
        }
        yield from compare("statement_file", row, want, row.sha256)
        data = conn.execute(
            select(content.content).where(
                content.government == government, content.sha256 == row.sha256
            )
        ).scalar()
        if data is None:
            yield Finding(
                "statement_bytes_erased",
                f"the bytes of statement file {row.sha256} are no longer kept",
                "statement_file_content",
                row.sha256,
                severity="note",
            )
        elif hashlib.sha256(bytes(data)).hexdigest() != row.sha256:
            yield Finding(
                "statement_bytes_changed",
                f"the bytes kept as statement file {row.sha256} are other bytes",
                "statement_file_content",
                row.sha256,
                "content",
            )
    for sha256 in first:
        yield gone("statement_file", sha256)
    file = t.statement_file.c
    strays = conn.execute(
        select(content.sha256)
        .where(
            content.government == government,
            content.sha256.not_in(select(file.sha256).where(file.government == government)),
        )
        .order_by(content.sha256)
    )
    for (sha256,) in strays:
        yield Finding(
            "statement_bytes_stray",
            f"bytes are kept as {sha256}, which is no statement file",
            "statement_file_content",
            sha256,
            "sha256",
        )


def _check_lines(conn: Connection, government: str) -> Iterator[Finding]:
    known = {row.id: row for row in rows_of(conn, t.statement, government)}
    seen: set[int] = set()
    lines = conn.execute(
        select(t.bank_line)
        .where(t.bank_line.c.government == government)
        .order_by(t.bank_line.c.statement_id, t.bank_line.c.id),
        execution_options=STREAM,
    )
    for statement_id, group in groupby(lines, key=attrgetter("statement_id")):
        rows = list(group)
        seen.add(statement_id)
        statement = known.get(statement_id)
        if statement is None or lines_sha256(map(tuple, rows)) != statement.lines_sha256:
            yield from _named_lines(conn, government, statement_id, statement, rows)
    for statement_id, statement in known.items():
        if statement.lines_sha256 and statement_id not in seen:
            yield gone("bank_line", f"all of statement {statement_id}")
    yield from _check_deliveries(conn, government, known)


def _check_deliveries(
    conn: Connection, government: str, known: Mapping[int, Any]
) -> Iterator[Finding]:
    column = t.bank_line_delivery.c
    rows = conn.execute(
        select(t.bank_line_delivery)
        .where(column.government == government)
        .order_by(column.statement_id, column.position)
    )
    found = {
        statement_id: deliveries_sha256(map(tuple, group))
        for statement_id, group in groupby(rows, key=attrgetter("statement_id"))
    }
    wanted = {row.id: row.deliveries_sha256 for row in known.values() if row.deliveries_sha256}
    for statement_id in sorted(found.keys() | wanted.keys()):
        if found.get(statement_id) != wanted.get(statement_id):
            yield Finding(
                "bank_line_delivery_changed",
                f"what statement {statement_id} confirmed is not what its leaf says",
                "bank_line_delivery",
                str(statement_id),
            )


def _named_lines(
    conn: Connection, government: str, statement_id: int, statement: Any, rows: Sequence[Any]
) -> Iterator[Finding]:
    """Which lines differ from the bank's file, as far as its bytes are kept."""
    named = False
    source = None if statement is None else _reread(conn, government, statement)
    if source is not None:
        by_position = {line.position: line for line in source.lines}
        texts = _texts(conn, government, rows)
        for row in rows:
            line = by_position.get(row.position)
            if line is None:
                named = True
                yield Finding(
                    "bank_line_not_in_file",
                    f"line {row.id} stands at no line of its file",
                    "bank_line",
                    str(row.id),
                    "position",
                )
                continue
            keys = line_keys(
                reference=line.reference or "",
                bank_reference=line.bank_reference or "",
                narrative=line.narrative,
                transaction_code=line.transaction_code or "",
                reversal=line.reversal,
            )
            want: dict[str, object] = {
                "bank_account": statement.bank_account,
                "batch_seq": statement.batch_seq,
                "booked_on": _day(line.booked_on),
                "value_on": _day(line.value_on),
                "entry_on": _day(line.entry_on),
                "booked_time": "" if line.booked_time is None else line.booked_time.isoformat(),
                "amount_sen": line.amount_units,
                "balance_after_sen": line.balance_after_units,
                "reversal": int(line.reversal),
                "bank_reference": line.bank_reference or "",
                "reference": line.reference or "",
                "transaction_code": line.transaction_code or "",
                "line_kind": keys.line_kind,
                "pay_key": keys.pay_key,
                "doc_key": keys.doc_key,
                "found_keys": keys.keys,
            }
            differing = list(compare("bank_line", row, want, str(row.id)))
            for column, value in (
                ("narrative_c", line.narrative),
                ("counterparty_c", line.counterparty or ""),
            ):
                commitment = getattr(row, column)
                if bool(commitment) != bool(value) or texts.get(commitment, value) != value:
                    differing.append(changed("bank_line", str(row.id), column))
            named = named or bool(differing)
            yield from differing
        places = list(_misplaced(conn, government, statement, rows, source))
        named = named or bool(places)
        yield from places
    elif statement is None:
        for row in rows:
            named = True
            yield Finding(
                "bank_line_without_statement",
                f"line {row.id} is of statement {statement_id}, which is not there",
                "bank_line",
                str(row.id),
                "statement_id",
            )
    if not named:
        first, last = rows[0].id, rows[-1].id
        yield Finding(
            "bank_line_changed",
            f"lines {first} to {last} are not those that statement {statement_id} brought",
            "bank_line",
            str(first) if first == last else f"{first}-{last}",
        )


def _misplaced(
    conn: Connection, government: str, statement: Any, rows: Sequence[Any], source: Statement
) -> Iterator[Finding]:
    """
    Lines that are missing, stand under another number, or count wrongly within their day.

    New lines are numbered one after another in order of their file: what most of them say of the
    first number is what it was.
    """
    d = t.bank_line_delivery.c
    again = set(
        conn.execute(
            select(d.position).where(d.government == government, d.statement_id == statement.id)
        ).scalars()
    )
    fresh = [
        line.position
        for line in source.lines
        if line.status == "booked" and line.position not in again
    ]
    rank = {position: place for place, position in enumerate(fresh)}
    votes = Counter(row.id - rank[row.position] for row in rows if row.position in rank)
    if not votes:
        return
    first = votes.most_common(1)[0][0]
    have = {row.position: row for row in rows}
    for position, place in rank.items():
        row = have.get(position)
        if row is None or row.id != first + place:
            yield Finding(
                "bank_line_missing" if row is None else "bank_line_changed",
                f"line {first + place} of statement {statement.id} "
                + ("is missing" if row is None else f"stands as line {row.id}"),
                "bank_line",
                str(first + place),
                "" if row is None else "id",
            )
    occurrence = func.row_number().over(
        partition_by=(t.bank_line.c.bank_account, t.bank_line.c.booked_on),
        order_by=t.bank_line.c.id,
    )
    counted = (
        select(t.bank_line.c.id, t.bank_line.c.statement_id, t.bank_line.c.occurrence)
        .add_columns(occurrence.label("want"))
        .where(
            t.bank_line.c.government == government,
            t.bank_line.c.bank_account == statement.bank_account,
            t.bank_line.c.booked_on.in_({row.booked_on for row in rows}),
        )
        .subquery()
    )
    for row in conn.execute(
        select(counted)
        .where(counted.c.statement_id == statement.id, counted.c.occurrence != counted.c.want)
        .order_by(counted.c.id)
    ):
        yield changed("bank_line", str(row.id), "occurrence", row.occurrence, row.want)


def _reread(conn: Connection, government: str, statement: Any) -> Statement | None:
    content, file = t.statement_file_content.c, t.statement_file.c
    row = conn.execute(
        select(content.content, file.format, file.profile)
        .join(
            t.statement_file,
            (file.government == content.government) & (file.sha256 == content.sha256),
        )
        .where(content.government == government, content.sha256 == statement.file_sha256)
    ).first()
    if row is None or hashlib.sha256(bytes(row.content)).hexdigest() != statement.file_sha256:
        return None
    try:
        read = read_statement_file(
            bytes(row.content),
            format=row.format,
            profile=profile_of_record(row.profile) if row.profile else None,
            account=statement.bank_account.partition(":")[2],
        )
        found: Statement = read.statements[statement.ordinal - 1]
    except (BankAdapterError, IndexError):
        return None
    return found


def _texts(conn: Connection, government: str, rows: Sequence[Any]) -> dict[str, str]:
    wanted = [c for row in rows for c in (row.narrative_c, row.counterparty_c) if c]
    column = private_value.c
    found: dict[str, str] = {}
    for start in range(0, len(wanted), 500):
        some = conn.execute(
            select(column.commitment, column.value).where(
                column.government == government,
                column.commitment.in_(wanted[start : start + 500]),
            )
        )
        found |= {row.commitment: row.value for row in some}
    return found


# --- entries and runs ------------------------------------------------------------------------------


def _check_entries(conn: Connection, government: str) -> Iterator[Finding]:
    run, column = t.reconciliation_run.c, t.book_entry.c
    through = {
        row.bank_account: row.last
        for row in conn.execute(
            select(run.bank_account, func.max(run.journal_through).label("last"))
            .where(run.government == government)
            .group_by(run.bank_account)
        )
    }
    have = {
        row.id: BookEntry(*row)
        for row in conn.execute(
            select(*(column[name] for name in BookEntry._fields)).where(
                column.government == government
            )
        )
    }
    for account, last in sorted(through.items()):
        for want in pending_entries(conn, government, account, after=0, through=last):
            row = have.pop(want.id, None)
            if row is None:
                yield gone("book_entry", str(want.id))
            else:
                yield from compare("book_entry", row, want._asdict(), str(want.id))
    for entry_id in have:
        yield Finding(
            "book_entry_without_journal",
            f"book entry {entry_id} is of no journal that a run has looked at",
            "book_entry",
            str(entry_id),
        )


def _check_runs(conn: Connection, government: str) -> Iterator[Finding]:
    acts = {
        act["data"]["id"]: (idx, act)
        for idx, act in acts_of(conn, government, "reconciliation.run")
    }
    before: dict[str, int] = defaultdict(int)
    column = t.book_entry.c
    for row in rows_of(conn, t.reconciliation_run, government):
        yield from against_leaf(
            "reconciliation_run", row, acts.pop(row.id, None), {"run_by": "by"}, key=str(row.id)
        )
        rows = [
            BookEntry(*entry)
            for entry in conn.execute(
                select(*(column[name] for name in BookEntry._fields))
                .where(
                    column.government == government,
                    column.bank_account == row.bank_account,
                    column.journal_id > before[row.bank_account],
                    column.journal_id <= row.journal_through,
                )
                .order_by(column.id)
            )
        ]
        before[row.bank_account] = row.journal_through
        if (len(rows), entries_sha256(rows)) != (row.entry_count, row.entries_sha256):
            yield Finding(
                "run_entries_changed",
                f"the book entries of run {row.id} are not those it took in",
                "book_entry",
                f"run {row.id}",
            )
    for run_id in acts:
        yield gone("reconciliation_run", str(run_id))


# --- matches ---------------------------------------------------------------------------------------


def _check_matches(conn: Connection, government: str) -> Iterator[Finding]:
    made = {
        act["data"]["match"]: (idx, act) for idx, act in acts_of(conn, government, "match.made")
    }
    runs = {row.id: row for row in rows_of(conn, t.reconciliation_run, government)}
    members: dict[int, list[Any]] = defaultdict(list)
    member = t.match_member.c
    for row in conn.execute(
        select(t.match_member)
        .where(member.government == government)
        .order_by(member.match_id, member.n)
    ):
        members[row.match_id].append(row)
    by_run: dict[int, list[Any]] = defaultdict(list)
    items = _amounts(conn, government)
    rounds = _undone_before(conn, government)
    due = 1
    for row in rows_of(conn, t.reconciliation_match, government):
        own = members.pop(row.id, [])
        while due < row.id and row.id - due < _GAP_MAX:
            yield gone("reconciliation_match", str(due))
            due += 1
        due = row.id + 1
        yield from _check_match(row, own, items, rounds)
        if row.run_id:
            by_run[row.run_id].append((row, own))
            continue
        idx, act = made.pop(row.id, (-1, {"data": {}}))
        if act["data"].get("form") != match_form(tuple(row), map(tuple, own)):
            yield Finding(
                "match_changed",
                f"match {row.id} by hand is not what leaf {idx} says",
                "reconciliation_match",
                str(row.id),
            )
        yield from compare(
            "reconciliation_match",
            row,
            {"batch_seq": act.get("batch"), "leaf_index": idx},
            str(row.id),
        )
    for match_id in made:
        yield gone("reconciliation_match", str(match_id))
    for match_id in members:
        yield Finding(
            "match_member_without_match",
            f"members of match {match_id} stand without it",
            "match_member",
            str(match_id),
        )
    for run_id in sorted(by_run.keys() | runs.keys()):
        yield from _check_run_matches(run_id, runs.get(run_id), by_run.get(run_id, []))


def _check_run_matches(
    run_id: int, run: Any, matches: Sequence[tuple[Any, Any]]
) -> Iterator[Finding]:
    digest = matches_sha256((tuple(row), [tuple(m) for m in own]) for row, own in matches)
    if run is None or (len(matches), digest) != (run.match_count, run.matches_sha256):
        yield Finding(
            "run_matches_changed",
            f"the matches of run {run_id} are not those that its leaf says",
            "reconciliation_match",
            f"run {run_id}",
        )
    for row, own in matches:
        if run is None:
            yield changed("reconciliation_match", str(row.id), "run_id")
            continue
        want: dict[str, object] = {
            "bank_account": run.bank_account,
            "rule_version": run.rule_version,
            "status": "auto",
            "member_count": len(own),
            "batch_seq": run.batch_seq,
            "leaf_index": run.leaf_index,
        }
        yield from compare("reconciliation_match", row, want, str(row.id))


def _check_match(
    row: Any,
    own: Sequence[Any],
    items: Mapping[tuple[str, int], tuple[int, str]],
    rounds: Mapping[tuple[str, int], Sequence[int]],
) -> Iterator[Finding]:
    """A match by itself: its members are its account's items, with their amounts, and come out even."""
    sums = {"bank": 0, "book": 0}
    for n in sorted({member.n for member in own} ^ set(range(1, row.member_count + 1)))[:_GAP_MAX]:
        yield Finding(
            "match_member_changed",
            f"member {n} of match {row.id} is missing, or one too many: it has {row.member_count}",
            "match_member",
            f"{row.id}/{n}",
            "n",
        )
    for member in own:
        undone = bisect_left(rounds.get((member.side, member.item), ()), row.id)
        if member.round != undone:
            yield changed("match_member", f"{row.id}/{member.n}", "round", member.round, undone)
        amount, account = items.get((member.side, member.item), (None, ""))
        sums[member.side] = sums.get(member.side, 0) + member.amount_sen
        if amount != member.amount_sen or account != row.bank_account:
            yield Finding(
                "match_member_changed",
                f"match {row.id} has {member.side} item {member.item} over"
                f" {sen_text(member.amount_sen)}, the item is"
                f" {'unknown' if amount is None else sen_text(amount)}",
                "match_member",
                f"{row.id}/{member.n}",
                "amount_sen",
            )
    if sums["bank"] != sums["book"] or sums["bank"] != row.amount_sen:
        yield Finding(
            "match_uneven",
            f"match {row.id} over {sen_text(row.amount_sen)} has {sen_text(sums['bank'])} of the bank"
            f" and {sen_text(sums['book'])} of the books",
            "reconciliation_match",
            str(row.id),
            "amount_sen",
        )


#: A gap in numbers is named number by number up to here.
_GAP_MAX = 1_000


def _undone_before(conn: Connection, government: str) -> dict[tuple[str, int], list[int]]:
    """By item, the matches that were undone, in order: each began another round for it."""
    member, undo = t.match_member.c, t.match_undo.c
    found: dict[tuple[str, int], list[int]] = defaultdict(list)
    for row in conn.execute(
        select(member.side, member.item, member.match_id)
        .join(
            t.match_undo,
            (undo.government == member.government) & (undo.match_id == member.match_id),
        )
        .where(member.government == government)
        .order_by(member.match_id)
    ):
        found[row.side, row.item].append(row.match_id)
    return found


def _amounts(conn: Connection, government: str) -> dict[tuple[str, int], tuple[int, str]]:
    found: dict[tuple[str, int], tuple[int, str]] = {}
    for side, table in (("bank", t.bank_line), ("book", t.book_entry)):
        rows = conn.execute(
            select(table.c.id, table.c.amount_sen, table.c.bank_account).where(
                table.c.government == government
            )
        )
        found |= {(side, row.id): (row.amount_sen, row.bank_account) for row in rows}
    return found


def _check_undone(conn: Connection, government: str) -> Iterator[Finding]:
    acts = {
        act["data"]["match"]: (idx, act)
        for kind in ("match.undone", "match.superseded")
        for idx, act in acts_of(conn, government, kind)
    }
    for row in rows_of(conn, t.match_undo, government, order="match_id"):
        idx, act = acts.pop(row.match_id, (-1, {"data": {}}))
        want = {
            "undone_by": act.get("by"),
            "reason_c": act["data"].get("reason"),
            "batch_seq": act.get("batch"),
            "leaf_index": idx,
        }
        yield from compare("match_undo", row, want, str(row.match_id))
    for match_id in acts:
        yield gone("match_undo", str(match_id))


# --- the working set -------------------------------------------------------------------------------

_LIVE = text(
    """
SELECT m.side, m.item, count(*) AS n FROM match_member m
  LEFT JOIN match_undo u ON u.government = m.government AND u.match_id = m.match_id
WHERE m.government = :government AND u.match_id IS NULL GROUP BY m.side, m.item
"""
)


def _check_open(conn: Connection, government: str) -> Iterator[Finding]:
    live = Counter(
        {(row.side, row.item): row.n for row in conn.execute(_LIVE, {"government": government})}
    )
    for (side, item), count in live.items():
        if count > 1:
            yield Finding(
                "matched_twice",
                f"{side} item {item} is in {count} live matches",
                "match_member",
                f"{side} {item}",
            )
    lost = set(
        conn.execute(
            select(t.bank_line_gone.c.line_id).where(t.bank_line_gone.c.government == government)
        ).scalars()
    )
    items: set[tuple[Any, ...]] = set()
    keys: set[tuple[Any, ...]] = set()
    sides: tuple[tuple[Side, Table, str], ...] = (
        ("bank", t.bank_line, "booked_on"),
        ("book", t.book_entry, "effective_on"),
    )
    for side, table, day in sides:
        column = table.c
        rows = conn.execute(
            select(
                column.id, column[day], column.amount_sen, column.found_keys, column.bank_account
            ).where(column.government == government, column.amount_sen != 0)
        )
        for row in rows:
            if (side, row.id) in live or (side == "bank" and row.id in lost):
                continue
            item = OpenItem(*row[:4])
            items.add((government, side, item.item, row.bank_account, item.day, item.amount_sen))
            keys.update(key_rows(government, row.bank_account, side, [item]))
    for table, wanted, named in (
        (t.open_item, items, ("side", "item")),
        (t.open_key, keys, ("bank_account", "key", "amount_sen", "side", "item")),
    ):
        places = [table.c.keys().index(name) for name in named]
        have = {
            tuple(row)
            for row in conn.execute(select(table).where(table.c.government == government))
        }
        for each in sorted(have ^ wanted, key=str):
            what = "is missing" if each in wanted else "should not be there"
            yield Finding(
                "working_set_differs",
                f"{table.name} {each[1:]} {what}",
                table.name,
                "/".join(str(each[place]) for place in places),
            )


def _day(day: Any) -> str:
    return "" if day is None else str(day.isoformat())
