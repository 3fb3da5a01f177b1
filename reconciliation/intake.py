"""
Take in a statement file: the command `ImportStatement`, and what it writes.

Shell. The file is read before the command is queued (`read_import`), so that no lock is held while a
bank's file is parsed. Applying it decides against the account's chain and writes set-based: lines,
then the statement that completes them, then the working set that reconciliation reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import func, select

from audit import bulk
from audit.canonical import JsonInput, canonical_fast
from audit.database import private_value
from bank_adapters.statements import (
    Profile,
    Statement,
    StatementFile,
    StatementLine,
    read_statement_file,
)
from ledger.answers import Idempotency
from ledger.errors import UnknownBankAccountError
from ledger.money import sen_text
from ledger.session import Answer, Session, Wants
from ledger.settings import Settings
from reconciliation import tables as t
from reconciliation.admission import (
    Admission,
    ChainEnd,
    Content,
    Known,
    KnownLine,
    admit,
    check_form,
    content_of,
    covers_from,
    first_day,
    text_of,
)
from reconciliation.errors import StatementRefusedError
from reconciliation.keys import LineKeys, line_keys
from reconciliation.open_items import OpenItem, add_open

__all__ = ["ImportStatement", "deliveries_sha256", "line_form", "lines_sha256", "read_import"]

_LINE_COLUMNS: Final = tuple(t.bank_line.c.keys())
_STATEMENT_COLUMNS: Final = tuple(t.statement.c.keys())
_AMOUNTS: Final = frozenset({"amount_sen", "balance_after_sen"})
#: Columns of a line that its statement's digest covers, and whether each is an amount.
_FORM: Final = tuple((name, name in _AMOUNTS) for name in _LINE_COLUMNS[1:])


@dataclass(slots=True)
class ImportStatement:
    """
    One file for one bank account (role `reconciler`). Made by `read_import`.

    A file that was taken in already changes nothing and is answered as a replay. With *quarantine* a
    statement that is refused is kept aside with its rule, and nothing of it reaches the account.
    """

    by: str
    bank_account: str
    data: bytes = field(repr=False)
    file: StatementFile = field(repr=False)
    keys: Sequence[Sequence[LineKeys]] = field(repr=False)
    name: str = ""
    quarantine: bool = False
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing of the books."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """
        Admit every statement of the file, or refuse the file.

        Raises:
            UnknownPersonError, NotGrantedError, UnknownBankAccountError, StatementRefusedError
        """
        session.settings.require(self.by, "reconciler", session.today)
        if self.bank_account not in session.settings.bank_accounts:
            raise UnknownBankAccountError(bank_account=self.bank_account[:80])
        held = _held(session, self.file.file_sha256, self.bank_account)
        answers: list[JsonInput] = []
        # A refusal in the middle of a file takes back what stood before it.
        with session.conn.begin_nested():
            for ordinal, statement in enumerate(self.file.statements, start=1):
                known = held.get(ordinal)
                if known is not None and known["status"] != "quarantined":
                    answers.append({**known, "replayed": True})
                else:
                    answers.append(_take(session, self, ordinal, statement, known))
        return {
            "file_sha256": self.file.file_sha256,
            "format": self.file.format,
            "bank_account": self.bank_account,
            "statements": answers,
            "new": sum(
                int(str(a["new"])) for a in answers if isinstance(a, dict) and "replayed" not in a
            ),
            "replayed": all(isinstance(a, dict) and "replayed" in a for a in answers),
        }


def read_import(
    by: str,
    bank_account: str,
    data: bytes,
    *,
    format: str | None = None,
    profile: str | Profile | None = None,
    name: str = "",
    quarantine: bool = False,
    idempotency: Idempotency | None = None,
) -> ImportStatement:
    """
    Read a file for the account `BANKCODE:NO`, without a database.

    Raises BankAdapterError for a file that cannot be read without guessing.
    """
    file = read_statement_file(
        data,
        format=format,
        profile=profile,
        name=name or None,
        account=bank_account.partition(":")[2] or None,
    )
    keys = [[_keys_of(line) for line in _booked(each)] for each in file.statements]
    return ImportStatement(by, bank_account, data, file, keys, name, quarantine, idempotency)


def line_form(row: Sequence[bulk.Value]) -> list[JsonInput]:
    """Version 1 of a row of `bank_line` (all columns but the government) in its statement's digest."""
    return [
        sen_text(value) if is_amount and isinstance(value, int) else value
        for (_, is_amount), value in zip(_FORM, row[1:], strict=True)
    ]


def lines_sha256(rows: Iterable[Sequence[bulk.Value]]) -> str:
    """Digest of rows of `bank_line` in order of id; "" when there are none."""
    return _digest(line_form(row) for row in rows)


def deliveries_sha256(rows: Iterable[Sequence[bulk.Value]]) -> str:
    """Digest of rows of `bank_line_delivery` in order of position; "" when there are none."""
    return _digest(list(row[2:]) for row in rows)


def _digest(forms: Iterable[JsonInput]) -> str:
    digest = hashlib.sha256()
    count = 0
    for count, form in enumerate(forms, start=1):  # noqa: B007  # the count is what is wanted
        digest.update(canonical_fast(form) + b"\n")
    return digest.hexdigest() if count else ""


def _booked(statement: Statement) -> list[StatementLine]:
    return [line for line in statement.lines if line.status == "booked"]


def _keys_of(line: StatementLine) -> LineKeys:
    return line_keys(
        reference=line.reference or "",
        bank_reference=line.bank_reference or "",
        narrative=line.narrative,
        transaction_code=line.transaction_code or "",
        reversal=line.reversal,
    )


def _held(session: Session, sha256: str, bank_account: str) -> dict[int, dict[str, JsonInput]]:
    """What this file gave before, by ordinal. An admission outweighs a quarantine."""
    column = t.statement.c
    rows = session.conn.execute(
        select(t.statement)
        .where(
            column.government == session.government,
            column.file_sha256 == sha256,
            column.bank_account == bank_account,
        )
        .order_by(column.status.desc(), column.id)
    )
    return {row.ordinal: _answer(dict(row._mapping)) for row in rows}


def _answer(row: Mapping[str, Any]) -> dict[str, JsonInput]:
    return {
        "statement": row["id"],
        "ordinal": row["ordinal"],
        "statement_no": row["statement_no"],
        "status": row["status"],
        "rule": row["rule"],
        "opening": None if row["opening_sen"] is None else sen_text(row["opening_sen"]),
        "closing": None if row["closing_sen"] is None else sen_text(row["closing_sen"]),
        "closing_on": row["closing_on"],
        "new": row["new_count"],
        "confirmed": row["confirmed_count"],
        "skipped": row["skipped_count"],
        "leaf_index": row["leaf_index"],
    }


def _take(
    session: Session,
    command: ImportStatement,
    ordinal: int,
    statement: Statement,
    quarantined: dict[str, JsonInput] | None,
) -> dict[str, JsonInput]:
    """Admit one statement, or put it into quarantine, or refuse."""
    bank_account = command.bank_account
    lines = _booked(statement)
    try:
        opening, closing = check_form(
            statement,
            bank_account=bank_account,
            others=session.settings.bank_accounts,
            today=session.today,
        )
        contents = [content_of(line) for line in lines]
        end = _chain_end(session, bank_account)
        known = _known(session, bank_account, end, first_day(statement).isoformat(), opening.units)
        admission = admit(contents, opening=opening, closing=closing, end=end, known=known)
    except StatementRefusedError as refusal:
        refusal.in_file(command.name, command.file.file_sha256, ordinal)
        if not command.quarantine:
            raise
        if quarantined is not None and quarantined["rule"] == refusal.code:
            return {**quarantined, "replayed": True}
        return _write(session, command, ordinal, statement, refusal=refusal)
    return _write(session, command, ordinal, statement, admission=admission, end=end)


def _chain_end(session: Session, bank_account: str) -> ChainEnd | None:
    column = t.statement.c
    row = session.conn.execute(
        select(column.chain_n, column.closing_sen, column.closing_on)
        .where(
            column.government == session.government,
            column.bank_account == bank_account,
            column.chain_n > 0,
        )
        .order_by(column.chain_n.desc())
        .limit(1)
    ).first()
    return None if row is None else ChainEnd(row.chain_n, row.closing_sen, row.closing_on)


def _known(
    session: Session, bank_account: str, end: ChainEnd | None, since: str, opening_sen: int
) -> Known:
    """The tail of the chain from the statement that closed on *since* or later."""
    nothing = Known(end.closing_sen if end else 0, (), frozenset())
    if end is None or (since > end.closing_on and opening_sen == end.closing_sen):
        return nothing
    column = t.statement.c
    first = session.conn.execute(
        select(column.chain_n, column.previous_sen)
        .where(
            column.government == session.government,
            column.bank_account == bank_account,
            column.chain_n > 0,
            column.closing_on >= since,
        )
        .order_by(column.chain_n)
        .limit(1)
    ).first()
    if first is None:
        return nothing
    line = t.bank_line.c
    rows = session.conn.execute(
        select(
            line.id,
            line.statement_id,
            line.booked_on,
            line.amount_sen,
            line.bank_reference,
            line.reference,
            line.narrative_c,
            private_value.c.value,
        )
        .join(
            t.statement,
            (column.government == line.government) & (column.id == line.statement_id),
        )
        .outerjoin(
            private_value,
            (private_value.c.government == line.government)
            & (private_value.c.commitment == line.narrative_c),
        )
        .where(
            line.government == session.government,
            line.bank_account == bank_account,
            column.chain_n >= first.chain_n,
        )
        .order_by(line.id)
    ).all()
    pending = {row[1]: str(row[5]) for row in session.batch.pending_private()}
    lines: list[KnownLine] = []
    starts: set[int] = set()
    before = 0
    for row in rows:
        if row.statement_id != before:
            starts.add(len(lines))
            before = row.statement_id
        text: str | None = ""
        if not row.bank_reference:
            narrative = row.value if row.value is not None else pending.get(row.narrative_c)
            is_erased = bool(row.narrative_c) and narrative is None
            text = None if is_erased else text_of(row.reference, narrative or "")
        content = Content(row.booked_on, row.amount_sen, row.bank_reference, text)
        lines.append(KnownLine(row.id, content))
    return Known(first.previous_sen, lines, frozenset(starts))


def _write(
    session: Session,
    command: ImportStatement,
    ordinal: int,
    statement: Statement,
    *,
    admission: Admission | None = None,
    end: ChainEnd | None = None,
    refusal: StatementRefusedError | None = None,
) -> dict[str, JsonInput]:
    conn, government, file = session.conn, session.government, command.file
    statement_id = _next_id(session, t.statement)
    lines = _booked(statement)
    new_rows: list[bulk.Row] = []
    deliveries: list[bulk.Row] = []
    if admission is not None:
        new_rows = _line_rows(session, command, ordinal, statement_id, lines, admission.new)
        deliveries = [
            (government, statement_id, lines[place].position, line_id)
            for place, line_id in admission.confirmed
        ]
    opening, closing = statement.opening, statement.closing
    status = (
        "quarantined" if admission is None else "admitted" if admission.extends else "confirmed"
    )
    chain_n = 0 if status != "admitted" else 1 if end is None else end.chain_n + 1
    previous = end.closing_sen if end else opening.units if opening else None
    # What is refused may hold figures that no column takes.
    fits = refusal is None or (
        statement.currency == "IDR"
        and all(abs(b.units) < 2**62 for b in (opening, closing) if b is not None)
    )
    detail_c = ""
    if refusal is not None:
        detail_c = session.private(
            "detail", refusal.message, subject=f"statement:{file.file_sha256}"
        )
    covered = covers_from(statement).isoformat()
    row: dict[str, bulk.Value] = {
        "id": statement_id,
        "bank_account": command.bank_account,
        "file_sha256": file.file_sha256,
        "ordinal": ordinal,
        "chain_n": chain_n,
        "status": status,
        "statement_no": (statement.statement_no or "")[:64],
        "page": statement.page,
        "kind": statement.kind,
        "currency": statement.currency or "",
        "covers_from": covered,
        "opening_on": opening.on.isoformat() if opening and opening.on else "",
        "opening_sen": opening.units if opening and fits else None,
        "closing_on": closing.on.isoformat() if closing and closing.on else "",
        "closing_sen": closing.units if closing and fits else None,
        "previous_sen": previous if status == "admitted" else None,
        "line_count": len(statement.lines),
        "new_count": len(new_rows),
        "confirmed_count": len(deliveries),
        "skipped_count": len(statement.lines) - len(new_rows) - len(deliveries),
        "lines_sha256": lines_sha256(new_rows),
        "deliveries_sha256": deliveries_sha256(deliveries),
        "rule": refusal.code if refusal else "",
        "detail_c": detail_c,
    }
    leaf = session.batch.leaf(
        "statement.imported",
        command.by,
        {
            **{
                name: sen_text(value) if name.endswith("_sen") and isinstance(value, int) else value
                for name, value in row.items()
            },
            "file_size": len(command.data),
            "format": file.format,
            "profile": file.profile_text or file.profile or "",
        },
    )
    row |= {"imported_by": command.by, "batch_seq": session.batch.seq, "leaf_index": leaf}
    _keep_file(session, command, leaf)
    bulk.insert_rows(conn, t.bank_line, _LINE_COLUMNS, new_rows)
    bulk.insert_rows(conn, t.statement, ("government", *row), [(government, *row.values())])
    bulk.insert_rows(conn, t.bank_line_delivery, tuple(t.bank_line_delivery.c.keys()), deliveries)
    add_open(
        session,
        command.bank_account,
        "bank",
        [
            OpenItem(int(str(r[1])), str(r[5]), int(str(r[10])), str(r[21]))
            for r in new_rows
            if r[10] != 0
        ],
    )
    return _answer(row)


def _line_rows(
    session: Session,
    command: ImportStatement,
    ordinal: int,
    statement_id: int,
    lines: Sequence[StatementLine],
    new: Sequence[int],
) -> list[bulk.Row]:
    """Rows of `bank_line` for the new lines, with their private texts put away."""
    if not new:
        return []
    government, bank_account, seq = session.government, command.bank_account, session.batch.seq
    next_id = _next_id(session, t.bank_line)
    occurrences = _occurrences(session, bank_account, lines, new)
    rows: list[bulk.Row] = []
    for line_id, place in enumerate(new, start=next_id):
        line, keys = lines[place], command.keys[ordinal - 1][place]
        day = _day(line.booked_on)
        occurrences[day] = occurrences.get(day, 0) + 1
        subject = f"bank_line:{bank_account}:{line_id}"
        rows.append(
            (
                government,
                line_id,
                bank_account,
                statement_id,
                line.position,
                day,
                occurrences[day],
                _day(line.value_on),
                _day(line.entry_on),
                "" if line.booked_time is None else line.booked_time.isoformat(),
                line.amount_units,
                line.balance_after_units,
                int(line.reversal),
                line.bank_reference or "",
                line.reference or "",
                line.transaction_code or "",
                session.private("narrative", line.narrative, subject=subject)
                if line.narrative
                else "",
                session.private("counterparty", line.counterparty, subject=subject)
                if line.counterparty
                else "",
                keys.line_kind,
                keys.pay_key,
                keys.doc_key,
                keys.keys,
                seq,
            )
        )
    return rows


def _occurrences(
    session: Session, bank_account: str, lines: Sequence[StatementLine], new: Sequence[int]
) -> dict[str, int]:
    """How many lines each day has already, from the first new one on."""
    column = t.bank_line.c
    since = min(_day(lines[place].booked_on) for place in new)
    rows = session.conn.execute(
        select(column.booked_on, func.max(column.occurrence))
        .where(
            column.government == session.government,
            column.bank_account == bank_account,
            column.booked_on >= since,
        )
        .group_by(column.booked_on)
    )
    return {day: int(last) for day, last in rows}


def _keep_file(session: Session, command: ImportStatement, leaf: int) -> None:
    """The raw bytes, once. Erased bytes come back only by an import that adds something."""
    conn, government, sha256 = session.conn, session.government, command.file.file_sha256
    file = t.statement_file.c
    if conn.execute(
        select(file.sha256).where(file.government == government, file.sha256 == sha256)
    ).first():
        return
    bulk.insert_rows(
        conn,
        t.statement_file,
        tuple(t.statement_file.c.keys()),
        [
            (
                government,
                sha256,
                len(command.data),
                command.file.format,
                command.file.profile_text or command.file.profile or "",
                session.batch.seq,
                leaf,
            )
        ],
    )
    bulk.insert_rows(
        conn,
        t.statement_file_content,
        tuple(t.statement_file_content.c.keys()),
        [(government, sha256, command.data)],
    )


def _next_id(session: Session, table: object) -> int:
    column = table.c  # type: ignore[attr-defined]  # one of our tables
    last = session.conn.execute(
        select(column.id)
        .where(column.government == session.government)
        .order_by(column.id.desc())
        .limit(1)
    ).scalar()
    return int(last or 0) + 1


def _day(day: object) -> str:
    return "" if day is None else day.isoformat()  # type: ignore[attr-defined]  # a date
