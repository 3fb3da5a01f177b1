"""
Re-derive deliveries, provisional lines, and the places that reissued statements took.

Each row of a delivery and of a reissue is held against its leaf; the lines of a delivery, what it
confirmed and what is gone are covered by digests there, and are named by what the digest covers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Table, and_, select

from ledger.findings import Finding
from ledger.money import sen_text
from reconciliation import tables as t
from reconciliation.checking import acts_of, against_leaf, changed, compare, gone, rows_of
from reconciliation.exceptional_lines import STATES, back_dated_lines, provisional_lines
from reconciliation.recording import booked_sha256, deliveries_sha256, provisional_sha256
from reconciliation.reissues import gone_sha256

__all__ = ["check_deliveries", "check_reissues"]


def check_deliveries(conn: Connection, government: str) -> Iterator[Finding]:
    """Deliveries, their lines, and which booked lines confirm them."""
    acts = {
        act["data"]["id"]: (idx, act) for idx, act in acts_of(conn, government, "delivery.imported")
    }
    known = {row.id: row for row in rows_of(conn, t.delivery, government)}
    for delivery_id, row in known.items():
        found = acts.pop(delivery_id, None)
        yield from against_leaf("delivery", row, found, {"imported_by": "by"}, key=str(delivery_id))
    for delivery_id in acts:
        yield gone("delivery", str(delivery_id))
    for table, digest, column in (
        (t.provisional_line, provisional_sha256, "lines_sha256"),
        (t.provisional_line_delivery, deliveries_sha256, "deliveries_sha256"),
    ):
        wanted = {row.id: getattr(row, column) for row in known.values()}
        yield from _check_lines(conn, government, table, digest, wanted)
    yield from _check_booked(conn, government)
    yield from _notes(conn, government)


def _check_lines(
    conn: Connection, government: str, table: Table, digest: Any, wanted: Mapping[int, str]
) -> Iterator[Finding]:
    order = "id" if "id" in table.c else "position"
    rows = conn.execute(
        select(table)
        .where(table.c.government == government)
        .order_by(table.c.delivery_id, table.c[order])
    )
    have = {
        delivery: digest([tuple(row) for row in group])
        for delivery, group in groupby(rows, key=attrgetter("delivery_id"))
    }
    for delivery in sorted(have.keys() | wanted.keys()):
        if have.get(delivery, "") != wanted.get(delivery, ""):
            yield Finding(
                f"{table.name}_changed",
                f"the rows of delivery {delivery} in {table.name} are not those its leaf says",
                table.name,
                str(delivery),
            )
    for row in _of_other_batch(conn, government, table) if "batch_seq" in table.c else ():
        yield changed(table.name, str(row.id), "batch_seq", row.batch_seq, row.wanted)


def _of_other_batch(conn: Connection, government: str, table: Table) -> Iterator[Any]:
    delivery = t.delivery.c
    return iter(
        conn.execute(
            select(table.c.id, table.c.batch_seq, delivery.batch_seq.label("wanted"))
            .join(
                t.delivery,
                and_(delivery.government == table.c.government, delivery.id == table.c.delivery_id),
            )
            .where(table.c.government == government, table.c.batch_seq != delivery.batch_seq)
        ).all()
    )


def _check_booked(conn: Connection, government: str) -> Iterator[Finding]:
    """What each act confirmed is what its leaf says, and the two lines are of one day and amount."""
    said: dict[int, tuple[str, int]] = {}
    for kind in ("provisional.booked", "delivery.imported"):
        for idx, act in acts_of(conn, government, kind):
            if act["data"].get("booked_sha256"):
                said[idx] = (act["data"]["booked_sha256"], act.get("batch", 0))
    column, line, told = t.provisional_booked.c, t.bank_line.c, t.provisional_line.c
    rows = conn.execute(
        select(
            t.provisional_booked,
            line.bank_account,
            line.booked_on,
            line.amount_sen,
            told.bank_account.label("told_account"),
            told.booked_on.label("told_on"),
            told.amount_sen.label("told_sen"),
        )
        .outerjoin(
            t.bank_line, and_(line.government == column.government, line.id == column.line_id)
        )
        .outerjoin(
            t.provisional_line,
            and_(told.government == column.government, told.id == column.provisional_id),
        )
        .where(column.government == government)
        .order_by(column.leaf_index, column.provisional_id, column.line_id)
    ).all()
    for leaf, group in groupby(rows, key=attrgetter("leaf_index")):
        own = list(group)
        digest, batch = said.pop(leaf, ("", 0))
        if booked_sha256((row.provisional_id, row.line_id) for row in own) != digest:
            yield _booked_changed(leaf)
        for row in own:
            key = f"{row.provisional_id}/{row.line_id}"
            if batch and row.batch_seq != batch:
                yield changed("provisional_booked", key, "batch_seq", row.batch_seq, batch)
            if (row.bank_account, row.booked_on, row.amount_sen) != (
                row.told_account,
                row.told_on,
                row.told_sen,
            ):
                yield changed("provisional_booked", key, "line_id")
    for leaf in said:
        yield _booked_changed(leaf)


def _booked_changed(leaf: int) -> Finding:
    return Finding(
        "provisional_booked_changed",
        f"the provisional lines that leaf {leaf} confirmed are not those it says",
        "provisional_booked",
        str(leaf),
    )


def _notes(conn: Connection, government: str) -> Iterator[Finding]:
    """What a person should look at; nothing of it is wrong with the books."""
    for line in provisional_lines(conn, government, is_confirmed=False, limit=None):
        if line.state == "awaiting":
            continue
        other = f" (line {line.line})" if line.line else ""
        yield Finding(
            f"provisional_line_{line.state}",
            f"provisional line {line.id} of {line.bank_account}, {line.booked_on}"
            f" {sen_text(line.amount_sen)}, told of by delivery {line.delivery} at"
            f" {line.position}: {STATES[line.state]}{other}",
            "provisional_line",
            str(line.id),
            severity="note",
        )
    for late in back_dated_lines(conn, government):
        yield Finding(
            "back_dated_line",
            f"line {late.line} of {late.bank_account} over {sen_text(late.amount_sen)} is booked on"
            f" {late.booked_on}; statement {late.statement} brought it at {late.position} after"
            f" {late.closed_on} was closed",
            "bank_line",
            str(late.line),
            "booked_on",
            severity="note",
        )


# --- reissued statements -----------------------------------------------------------------------


def check_reissues(conn: Connection, government: str) -> Iterator[Finding]:
    """Who took whose place, by which two persons, and which lines are gone."""
    wanted: dict[int, tuple[int, Mapping[str, Any], int]] = {}
    for idx, act in acts_of(conn, government, "statement.superseded"):
        for n, each in enumerate(act["data"].get("reissued") or ()):
            wanted[each["statement"]] = (idx, act, n)
    lines = _gone_lines(conn, government)
    for row in rows_of(conn, t.reissue, government, order="statement_id"):
        key = str(row.statement_id)
        if row.statement_id not in wanted:
            yield Finding("reissue_without_leaf", f"reissue {key} is in no leaf", "reissue", key)
        else:
            yield from compare("reissue", row, _reissue_of(*wanted.pop(row.statement_id)), key)
        own = lines.pop(row.statement_id, [])
        if (len(own), gone_sha256([line.line_id for line in own])) != (
            row.gone_count,
            row.gone_sha256,
        ):
            yield _gone_changed(row.statement_id)
        for line in own:
            if line.batch_seq != row.batch_seq:
                yield changed(
                    "bank_line_gone", str(line.line_id), "batch_seq", line.batch_seq, row.batch_seq
                )
    for statement_id in wanted:
        yield gone("reissue", str(statement_id))
    for statement_id in lines:
        yield _gone_changed(statement_id)
    yield from _check_gone_unmatched(conn, government)


def _reissue_of(idx: int, act: Mapping[str, Any], n: int) -> dict[str, object]:
    data = act["data"]
    return {
        "supersedes": data["supersedes"][n],
        "kept_aside": data["statements"][n],
        "proposed_by": data["proposed_by"],
        "confirmed_by": act.get("by"),
        "reason_c": data["reason"],
        "gone_count": data["reissued"][n]["gone"],
        "gone_sha256": data["reissued"][n]["gone_sha256"],
        "batch_seq": act.get("batch"),
        "leaf_index": idx,
    }


def _gone_lines(conn: Connection, government: str) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for row in rows_of(conn, t.bank_line_gone, government, order="line_id"):
        found[row.statement_id].append(row)
    return found


def _gone_changed(statement_id: int) -> Finding:
    return Finding(
        "bank_line_gone_changed",
        f"the lines that statement {statement_id} no longer has are not those its leaf says",
        "bank_line_gone",
        str(statement_id),
    )


def _check_gone_unmatched(conn: Connection, government: str) -> Iterator[Finding]:
    lost, member, undo = t.bank_line_gone.c, t.match_member.c, t.match_undo.c
    rows = conn.execute(
        select(lost.line_id, member.match_id)
        .join(
            t.match_member,
            and_(
                member.government == lost.government,
                member.side == "bank",
                member.item == lost.line_id,
            ),
        )
        .outerjoin(
            t.match_undo,
            and_(undo.government == member.government, undo.match_id == member.match_id),
        )
        .where(lost.government == government, undo.match_id.is_(None))
        .order_by(lost.line_id)
    )
    for line_id, match_id in rows:
        yield Finding(
            "gone_line_matched",
            f"line {line_id} is not in the statement that stands, and match {match_id} has it",
            "bank_line_gone",
            str(line_id),
        )
