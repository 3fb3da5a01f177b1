"""
Bring the books of a restored database back to what was signed, or end the log and go on (D11).

Replaying writes journals again from their leaves: the same leaves byte for byte, the same numbers,
balances by the same rules. Only journals that were fed can be replayed, because their leaf holds
all there is; other kinds of acts are refused by name, and the way on is a new shard.

In a new shard nothing that the lost acts may have used is used again: journal numbers and every
number series jump by as many as could have been lost. Payments that were under way, or could have
gone out since, become `unknown` until the bank has said what became of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select, update

from audit import bulk
from audit.canonical import JsonInput, parse_canonical
from audit.directory import ATTACHMENT_MAX, LogDirectory
from audit.disclosure import read_disclosures
from audit.errors import RecoveryError
from audit.log import Batch
from audit.note import Verifier
from audit.recovery import (
    Missing,
    MissingBatch,
    Shard,
    check_recovered,
    find_missing,
    open_shard,
)
from audit.signer import MonotonicSigner, SignerState
from ledger import tables as t
from ledger.documents.content import PAYEES_MAX
from ledger.documents.numbers import PAYMENT_SERIES
from ledger.documents.payment_store import CHUNK, chunks
from ledger.journals import Draft, Line, line_form
from ledger.money import parse_sen
from ledger.session import Session, open_session

__all__ = ["Recovered", "open_new_shard", "recover_from_export"]

_SERIES: Final = (
    "advice_list",
    PAYMENT_SERIES,
    "sp2d",
    "sp2d-continuity",
    "sp2d-register",
    "spm",
)
#: States in which a lost act may have sent the money, or the bank may have answered since.
_OPEN: Final = ("held", "queued", "sent", "accepted", "recalled")


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was replayed: acts, and how many private texts came back with them."""

    acts: int
    texts: int
    size: int


def recover_from_export(
    conn: Connection,
    government: str,
    directory: LogDirectory,
    keys: Sequence[Verifier],
    state: SignerState,
    *,
    without_texts: bool = False,
) -> Recovered:
    """
    Write the acts that the export has and the database lost, in the caller's transaction.

    Private texts come back from the export's disclosures. *without_texts* accepts that some don't:
    they are then gone, as if erased.

    Raises:
        RecoveryError: Nothing is behind; the export is too old or of another log; acts of kinds
            that can't be replayed (`kinds` names them); texts are missing.
    """
    missing = find_missing(conn, government, directory, keys, state)
    refused = _cannot_replay(missing)
    if refused:
        raise RecoveryError(
            f"acts that can't be replayed are missing: {', '.join(refused)};"
            " the log can go on as a new shard",
            kinds=refused,
        )
    texts = _texts(directory)
    found = 0
    for batch in missing.batches():
        found += _replay(conn, government, batch, directory, texts, without_texts=without_texts)
    check_recovered(conn, government, state)
    return Recovered(missing.count, found, missing.size)


def _cannot_replay(missing: Missing) -> tuple[str, ...]:
    kinds = {kind for kind in missing.kinds if kind != "journal.posted"}
    for batch in missing.batches():
        for kind, _, data, _ in batch.leaves:
            if kind == "journal.posted" and (data["source"] != "feed" or data["document_id"]):
                kinds.add(f"journal.posted ({data['source']})")
    return tuple(sorted(kinds))


def _texts(directory: LogDirectory) -> Mapping[str, tuple[str, str, str]]:
    """commitment -> field, salt, value, as far as the export discloses them."""
    if not directory.exists("disclosures.jsonl"):
        return {}
    found = read_disclosures(directory.lines("disclosures.jsonl"))
    return {one.commitment: (one.field, one.salt, str(one.value)) for one in found}


def _replay(
    conn: Connection,
    government: str,
    batch: MissingBatch,
    directory: LogDirectory,
    texts: Mapping[str, tuple[str, str, str]],
    *,
    without_texts: bool,
) -> int:
    at = datetime.fromisoformat(batch.at)
    session = open_session(conn, government, now=at, today=batch.at[:10])
    session.batch.clock_clamped = batch.clock_clamped
    if (session.batch.seq, session.batch.recorded_at) != (batch.seq, batch.at):
        raise RecoveryError(f"batch {batch.seq} does not follow the database's last")
    found = 0
    for _, by, data, body in batch.leaves:
        leaf_index = session.batch.adopt("journal.posted", body)
        draft = _draft(by, data, directory)
        _write(session, draft, data, leaf_index)
        for name in ("description", "payee_name"):
            commitment = data[name]
            if not commitment:
                continue
            if commitment in texts:
                field, salt, value = texts[commitment]
                subject = f"journal:{draft.reference}"
                session.batch.disclose(
                    commitment, subject=subject, field_name=field, salt=salt, value=value
                )
                found += 1
            elif not without_texts:
                raise RecoveryError(
                    f"the export does not disclose the {name} of journal {data['journal']}: export"
                    " with disclosures, or recover without texts"
                )
    session.flush()
    return found


def _draft(by: str, data: Mapping[str, Any], directory: LogDirectory) -> Draft:
    forms: Any = data.get("lines")
    if forms is None:
        name = str(data["lines_sha256"])
        forms = parse_canonical(directory.read(f"books/attachments/{name}", ATTACHMENT_MAX))
    return Draft(
        reference=data["reference"],
        effective_on=data["effective_on"],
        kind=data["kind"],
        description="",
        lines=[_line(form) for form in forms],
        maker=data["maker"],
        poster=by,
        source=data["source"],
        document_no=data["document_no"],
        batch_no=data["batch_no"],
        document_id=data["document_id"],
        reverses=data["reverses"],
        fiscal_year=data["fiscal_year"],
        period=data["period"],
    )


def _line(form: Sequence[str]) -> Line:
    members: list[Any] = [*form, *[""] * 5][:9]
    members[3] = parse_sen(form[3])
    return Line._make(members)


def _write(session: Session, draft: Draft, data: Mapping[str, Any], leaf_index: int) -> None:
    """The rows of one journal, as posting wrote them the first time."""
    batch = session.batch
    batch.journal_count += 1
    if batch.journal_count != data["journal"] or len(draft.lines) != data["line_count"]:
        raise RecoveryError(f"journal {data['journal']} does not follow the database's last")
    if "lines" in data and [line_form(line) for line in draft.lines] != data["lines"]:
        raise RecoveryError(f"journal {data['journal']}: its lines can't be read")
    session.position.post(draft, session.settings.years[draft.fiscal_year])
    row: dict[str, bulk.Value] = {
        "government": session.government,
        "id": batch.journal_count,
        "batch_seq": batch.seq,
        "leaf_index": leaf_index,
        "poster": draft.poster,
        "description_c": data["description"],
        "payee_name_c": data["payee_name"],
    }
    for name in t.journal.c.keys():  # noqa: SIM118  # a collection of columns, not a mapping
        row.setdefault(name, data.get(name))
    # Past `Session.post`, which would make a leaf and salts of its own.
    session._journals.append(tuple(row[name] for name in t.journal.c.keys()))  # noqa: SIM118
    session._lines.extend(
        (
            session.government,
            batch.journal_count,
            n,
            *line,
            draft.fiscal_year,
            draft.period,
            draft.effective_on,
            batch.seq,
        )
        for n, line in enumerate(draft.lines, start=1)
    )


# --- a new shard -------------------------------------------------------------------------------


def open_new_shard(
    conn: Connection,
    government: str,
    *,
    old: MonotonicSigner,
    new: MonotonicSigner,
    successor: str,
    incident: str,
    by: str,
    now: datetime,
    today: str,
) -> Shard:
    """
    End the log and go on as `<origin>/<n>`, in the caller's transaction. See `audit.recovery`.

    Raises:
        RecoveryError, WrongOriginError, SignerError
    """
    shard, batch = open_shard(
        conn,
        government,
        old=old,
        new=new,
        successor=successor,
        incident=incident,
        by=by,
        now=now,
        jump=_jump(conn, government),
    )
    reason_c = batch.commit("reason", incident, subject=f"recovery:{shard.origin}")
    _doubt_payments(conn, batch, by=by, today=today, reason_c=reason_c)
    batch.close()
    return shard


def _jump(conn: Connection, government: str) -> Callable[[Batch, int], dict[str, JsonInput]]:
    """Move every series of every open year past what the lost acts may have used."""

    def jump(_batch: Batch, lost: int) -> dict[str, JsonInput]:
        years = conn.execute(
            select(t.fiscal_year.c.year)
            .where(t.fiscal_year.c.government == government)
            .order_by(t.fiscal_year.c.year)
        ).scalars()
        rows: list[bulk.Row] = []
        # An act uses at most one number of a series; issuing an SP2D one payment for each payee.
        for year in years:
            for series in _SERIES:
                count = lost * PAYEES_MAX if series == PAYMENT_SERIES else lost
                rows.append((government, year, series, count))
        if lost:
            bulk.upsert_rows(
                conn, t.number_series, ("government", "fiscal_year", "series"), ("last",), rows
            )
        return {"numbers": [[row[1], row[2], row[3]] for row in rows if lost]}

    return jump


def _doubt_payments(conn: Connection, batch: Batch, *, by: str, today: str, reason_c: str) -> None:
    """Each open payment becomes `unknown`, by a leaf of its own: nobody may send it again on trust."""
    p = t.payment.c
    found = conn.execute(
        select(p.id, p.state, p.state_n)
        .where(p.government == batch.government, p.state.in_(_OPEN))
        .order_by(p.id)
    ).all()
    rows: list[bulk.Row] = []
    for payment, state, n in found:
        data: dict[str, JsonInput] = {
            "payment": payment,
            "n": n + 1,
            "from": state,
            "to": "unknown",
            "on_day": today,
            "evidence_sha256": "",
            "reason": reason_c,
            "journal": None,
        }
        leaf = batch.leaf("payment.moved", by, data)
        rows.append(
            (
                batch.government,
                payment,
                n + 1,
                state,
                "unknown",
                by,
                today,
                "",
                reason_c,
                None,
                leaf,
            )
        )
    bulk.insert_rows(conn, t.payment_move, tuple(t.payment_move.c.keys()), rows)
    if rows:
        conn.execute(
            update(t.payment)
            .where(p.government == batch.government, p.state.in_(_OPEN))
            .values(state="unknown", state_n=p.state_n + 1)
        )
        o = t.dispatch.c
        for some in chunks([str(row[1]) for row in rows], CHUNK):
            conn.execute(
                update(t.dispatch)
                .where(o.government == batch.government, o.payment_id.in_(some), o.stage != "asked")
                .values(stage="asked")
            )
