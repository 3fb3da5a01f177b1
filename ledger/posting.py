"""
`post_batch`, the only way anything is ever posted.

It locks the government's edge row (the one lock: one order of acts, no deadlocks), then reads what
the batch touches in later statements (so that it sees what the last holder committed), applies the
commands one after another in memory, each accepted or refused by itself, and writes all effects
set-based. The caller owns the transaction: nothing is true before the caller's COMMIT, and a crash
before it leaves no trace.

An HTTP request, an import of a million journals, a move of a document and a year-end job all come
through here.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from sqlalchemy import Connection, select

from audit import bulk
from audit.canonical import JsonInput, canonical_fast
from audit.database import private_value
from audit.log import Batch, commitment_of, open_batch
from ledger import tables as t
from ledger.errors import IdempotencyKeyReusedError, LedgerError, ReferenceReusedError
from ledger.journals import Draft, check_draft, line_form
from ledger.position import BalanceKey, Bucket, BudgetLine, Cash, Position
from ledger.settings import Settings
from ledger.settings_shell import forget, settings_of

__all__ = [
    "Accepted",
    "Answer",
    "Command",
    "Group",
    "Idempotency",
    "Posted",
    "Refused",
    "Session",
    "Wants",
    "open_session",
    "post_batch",
]

#: What an accepted act answers: JSON-able, without personal data; stored for its key byte for byte.
Answer = dict[str, JsonInput]

#: A batch that holds this many lines sends them ahead.
_LINES_SENT: Final = 1_000
#: Lines beyond this many bytes go into the leaf by hash; the export carries them beside it.
INLINE_LINES_MAX: Final = 48_000


@dataclass(frozen=True, slots=True)
class Idempotency:
    """
    A request's key (D12): unique per government, person and key.

    *fields* are the request's members with their bytes; only salted digests of them are stored.
    """

    key: str
    route: str
    fields: Sequence[tuple[str, bytes]]
    status: int = 201


@dataclass(frozen=True, slots=True)
class Wants:
    """What a command will look at, so that a batch can read it at once."""

    references: Sequence[str] = ()
    cash: Sequence[BalanceKey] = ()
    budget_lines: Sequence[str] = ()


class Command(Protocol):
    """One act asked for by one person."""

    @property
    def by(self) -> str:
        """The person."""

    @property
    def idempotency(self) -> Idempotency | None:
        """The key of the request, if it has one."""

    def wants(self, settings: Settings) -> Wants:
        """What should be read ahead. Never refuses: a malformed command wants nothing."""

    def apply(self, session: Session) -> Answer:
        """
        Decide, then write. Raises LedgerError to refuse, before anything was written.

        Checks come first, session effects (`post`, `reserve`) next, own rows last.
        """


@dataclass(frozen=True, slots=True)
class Group:
    """Commands that are accepted together or not at all. Never cut by a batch's size."""

    members: Sequence[Command]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The act stands (or stood already: `replayed`)."""

    answer: bytes
    status: int = 201
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The act was refused and changed nothing."""

    error: LedgerError


Result = Accepted | Refused


@dataclass(frozen=True, slots=True)
class Posted:
    """A journal in the books."""

    journal_id: int
    leaf_index: int
    batch_seq: int
    reference: str
    replayed: bool = False


class _Mark(NamedTuple):
    undo: tuple[bool, int] | None
    savepoint: str
    batch: tuple[int, int, int, int]
    journals: int
    lines: int
    answers: int


@dataclass(slots=True)
class Session:
    """An open batch as a command sees it."""

    _conn: Connection
    government: str
    today: str
    batch: Batch
    settings: Settings
    position: Position
    _references: dict[str, Posted] = field(default_factory=dict)
    _looked_up: set[str] = field(default_factory=set)
    _journals: list[bulk.Row] = field(default_factory=list)
    _lines: list[bulk.Row] = field(default_factory=list)
    _answers: list[bulk.Row] = field(default_factory=list)
    _salt: str = ""
    _salt_c: str = ""
    _lends: bool = False
    _savepoints: int = 0

    @property
    def conn(self) -> Connection:
        """The batch's connection, to read from and write to at once: nothing is under way on it."""
        bulk.settle(self._conn)
        return self._conn

    # --- journals ------------------------------------------------------------------------------

    def post(
        self,
        draft: Draft,
        *,
        subject: str = "",
        budget_kind: str = "",
        releases: dict[str, int] | None = None,
        uncommits: int = 0,
    ) -> Posted:
        """
        Post one journal with its leaf, or refuse it.

        *subject* names whose personal data the texts are (default: the reference). The same reference
        with the same content gives the first journal, marked `replayed`.

        Raises:
            LedgerError: Any of the refusals of `journals` and `position`, ReferenceReusedError.
        """
        if found := self.posted(draft.reference):
            self._check_same(draft, found)
            return Posted(
                found.journal_id, found.leaf_index, found.batch_seq, draft.reference, True
            )
        check_draft(draft, settings=self.settings, today=self.today)
        chart_version = self.settings.years[draft.fiscal_year]
        self.position.post(
            draft,
            chart_version,
            budget_kind=budget_kind,
            releases=releases,
            uncommits=uncommits,
        )
        return self._record(draft, subject or f"journal:{draft.reference}")

    def posted(self, reference: str) -> Posted | None:
        """The journal that holds this reference, in the books or earlier in this batch."""
        if reference not in self._looked_up:
            self.look_up([reference])
        return self._references.get(reference)

    def reversed_by(self, journal_id: int) -> int | None:
        """The journal that reverses this one, in the books or earlier in this batch."""
        for row in self._journals:
            if row[13] == journal_id:
                return int(row[1] or 0)
        return self.conn.execute(
            select(t.journal.c.id).where(
                t.journal.c.government == self.government, t.journal.c.reverses == journal_id
            )
        ).scalar()

    def look_up(self, references: Iterable[str]) -> None:
        """Read which of these references are taken."""
        fresh = [r for r in dict.fromkeys(references) if r not in self._looked_up]
        self._looked_up.update(fresh)
        found = bulk.read_rows(
            self.conn,
            t.journal,
            ("government", "reference"),
            ("id", "leaf_index", "batch_seq"),
            [(self.government, reference) for reference in fresh],
        )
        for _, reference, journal_id, leaf_index, batch_seq in found:
            self._references[str(reference)] = Posted(
                int(journal_id or 0), int(leaf_index or 0), int(batch_seq or 0), str(reference)
            )

    def _record(self, draft: Draft, subject: str) -> Posted:
        batch = self.batch
        batch.journal_count += 1
        journal_id = batch.journal_count
        description_c = self.private("description", draft.description, subject=subject)
        payee_name_c = (
            self.private("payee_name", draft.payee_name, subject=subject)
            if draft.payee_name
            else ""
        )
        data = journal_form(
            journal_id=journal_id,
            draft=draft,
            description_c=description_c,
            payee_name_c=payee_name_c,
        )
        leaf_index = batch.leaf("journal.posted", draft.poster, data)
        government, seq = self.government, batch.seq
        self._journals.append(
            (
                government,
                journal_id,
                seq,
                leaf_index,
                draft.reference,
                draft.kind,
                draft.source,
                draft.fiscal_year,
                draft.period,
                draft.effective_on,
                draft.document_id,
                draft.document_no,
                draft.batch_no,
                draft.reverses,
                draft.maker,
                draft.poster,
                description_c,
                payee_name_c,
                len(draft.lines),
            )
        )
        year, period, day = draft.fiscal_year, draft.period, draft.effective_on
        self._lines.extend(
            (government, journal_id, n, *line, year, period, day, seq)
            for n, line in enumerate(draft.lines, start=1)
        )
        posted = Posted(journal_id, leaf_index, seq, draft.reference)
        self._references[draft.reference] = posted
        return posted

    def _check_same(self, draft: Draft, found: Posted) -> None:
        """Compare a repeated reference with what was posted under it. Raises ReferenceReusedError."""
        stored = next((row for row in self._journals if row[1] == found.journal_id), None) or tuple(
            self.conn.execute(
                select(*(t.journal.c[name] for name in _JOURNAL_COLUMNS)).where(
                    t.journal.c.government == self.government,
                    t.journal.c.id == found.journal_id,
                )
            ).one()
        )
        lines = [row[3:12] for row in self._lines if row[1] == found.journal_id] or [
            tuple(row)
            for row in self.conn.execute(
                select(*(t.journal_line.c[name] for name in _LINE_COLUMNS[3:12]))
                .where(
                    t.journal_line.c.government == self.government,
                    t.journal_line.c.journal_id == found.journal_id,
                )
                .order_by(t.journal_line.c.n)
            )
        ]
        asked = {
            "kind": draft.kind,
            "effective_on": draft.effective_on,
            "document_no": draft.document_no,
            "batch_no": draft.batch_no,
            "reverses": draft.reverses,
        }
        names = dict(zip(_JOURNAL_COLUMNS, stored, strict=True))
        differs = [name for name, value in asked.items() if names[name] != value]
        if [tuple(line) for line in draft.lines] != lines:
            differs.append("lines")
        for name, value in (("description", draft.description), ("payee_name", draft.payee_name)):
            if not self._same_private(str(names[f"{name}_c"]), name, value):
                differs.append(name)
        if differs:
            raise ReferenceReusedError(
                reference=draft.reference, journal_id=found.journal_id, differs=differs
            )

    def _same_private(self, commitment: str, name: str, value: str) -> bool:
        if not commitment:
            return not value
        salt = self.salt_of(commitment)
        # Erased: what was said can't be compared any more; the rest of the journal decides.
        return salt is None or commitment_of(salt, name, value) == commitment

    # --- texts -----------------------------------------------------------------------------------

    def private(self, name: str, value: str, *, subject: str) -> str:
        """Keep a personal text; the commitment goes into rows and leaves."""
        if self._lends and not self._salt:
            self._salt = self.batch.salt()
            commitment = commitment_of(self._salt, name, value)
            self._salt_c = commitment
            self.batch.disclose(
                commitment, subject=subject, field_name=name, salt=self._salt, value=value
            )
            return commitment
        return self.batch.commit(name, value, subject=subject)

    # --- idempotency -------------------------------------------------------------------------------

    def begin_command(self, command: Command) -> None:
        """
        A journal's description lends its salt to the request's digests: one private value less.

        Other commands speak of several persons at once; their digests have a salt of their own,
        which every erasure takes away (`ledger.privacy`).
        """
        self._salt = self._salt_c = ""
        self._lends = getattr(command, "one_effect", False)

    def salt_of(self, commitment: str) -> str | None:
        """The salt of a private value; None when it was erased."""
        for row in self.batch.pending_private():
            if row[1] == commitment:
                return str(row[4])
        return self.conn.execute(
            select(private_value.c.salt).where(
                private_value.c.government == self.government,
                private_value.c.commitment == commitment,
            )
        ).scalar()

    def keep_answer(self, by: str, asked: Idempotency, answer: bytes, status: int) -> _StoredAnswer:
        """Keep what this key was answered (status 0: a final refusal)."""
        if not self._salt:
            self._lends = True
            self.private("request", secrets.token_hex(8), subject=f"request:{by}:{asked.key}")
        request = _digests(self._salt, asked.fields)
        self._answers.append(
            (
                self.government,
                by,
                asked.key,
                asked.route,
                self._salt_c,
                request,
                status,
                answer,
                self.batch.seq,
                self.batch.recorded_at,
            )
        )
        return _StoredAnswer(asked.route, self._salt_c, request, status, answer)

    # --- taking back ---------------------------------------------------------------------------------

    def mark(self, command: Command | None) -> _Mark:
        """A point to return to. A command of one effect needs no undo of counters."""
        undo, savepoint = None, ""
        if not getattr(command, "one_effect", False):
            undo = self.position.begin()
            # It may write rows of its own, and the database takes those back itself.
            self._savepoints += 1
            savepoint = f"act_{self._savepoints}"
            self.conn.exec_driver_sql(f"SAVEPOINT {savepoint}")
        return _Mark(
            undo,
            savepoint,
            self.batch.mark(),
            len(self._journals),
            len(self._lines),
            len(self._answers),
        )

    def rewind(self, mark: _Mark) -> None:
        """Forget everything since *mark*."""
        if mark.undo is not None:
            self.position.end(mark.undo, keep=False)
            self.conn.exec_driver_sql(f"ROLLBACK TO SAVEPOINT {mark.savepoint}")
            self.conn.exec_driver_sql(f"RELEASE SAVEPOINT {mark.savepoint}")
        self.batch.rewind(mark.batch)
        for row in self._journals[mark.journals :]:
            self._references.pop(str(row[4]), None)
        del self._journals[mark.journals :]
        del self._lines[mark.lines :]
        del self._answers[mark.answers :]

    def release(self, mark: _Mark) -> None:
        """Keep everything since *mark*."""
        if mark.undo is not None:
            self.position.end(mark.undo, keep=True)
            self.conn.exec_driver_sql(f"RELEASE SAVEPOINT {mark.savepoint}")

    def refresh(self) -> None:
        """Read the settings again after an act that changed them, or after it was taken back."""
        if self.batch.config_rev != self.settings.rev:
            self.settings = settings_of(self.conn, self.government, self.batch.config_rev)
            # Until the caller's COMMIT the new settings are only this transaction's.
            forget(self._conn, self.government)

    # --- the end -----------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write everything that was decided."""
        with bulk.pipelined(self._conn):
            bulk.send_ahead(self._conn)
            self.batch.close()
            self._send_journals()
            self._flush_position()
            bulk.insert_rows(self._conn, t.idempotency, _ANSWER_COLUMNS, self._answers)

    def send_some(self) -> None:
        """
        In a long batch, send the journals decided so far: the database writes while we go on.

        Between commands only, because what was sent can't be rewound. Nothing of it is true before
        the caller's COMMIT.
        """
        if len(self._lines) >= _LINES_SENT and bulk.is_postgresql(self._conn):
            bulk.send_ahead(self._conn)
            self.batch.send()
            self._send_journals()

    def _send_journals(self) -> None:
        # Behind their leaves, and lines before journals: the triggers refuse any other order.
        bulk.insert_rows(self._conn, t.journal_line, _LINE_COLUMNS, self._lines)
        bulk.insert_rows(self._conn, t.journal, _JOURNAL_COLUMNS, self._journals)
        self._lines.clear()
        self._journals.clear()

    def _flush_position(self) -> None:
        conn, government, position = self._conn, self.government, self.position
        fresh: list[bulk.Row] = []
        moved: list[bulk.Row] = []
        for key, cash in position.cash.items():
            change = (cash.moved_balance, cash.moved_committed, cash.moved_floor)
            if any(change):
                (moved if cash.stored else fresh).append((government, *key, *change))
        bulk.insert_rows(conn, t.account_balance, (*_BALANCE_KEY, *_CASH_COUNTERS), fresh)
        bulk.add_to_rows(conn, t.account_balance, _BALANCE_KEY, _CASH_COUNTERS, moved)
        bulk.upsert_rows(
            conn,
            t.account_balance,
            _BALANCE_KEY,
            ("balance_sen",),
            # In the order of the key: neighbours share a page of table and index.
            sorted((government, *key, sen) for key, sen in position.balances.items()),
        )
        bulk.upsert_rows(
            conn,
            t.account_day,
            _DAY_KEY,
            ("debit_sen", "credit_sen"),
            sorted((government, *key, *sums) for key, sums in position.days.items() if any(sums)),
        )
        self._flush_budget()

    def _flush_budget(self) -> None:
        conn, government, position = self._conn, self.government, self.position
        counters = ("reserved_sen", "spent_sen", "allowance_sen")
        for table, known in (
            (t.release_bucket, position.buckets.values()),
            (t.budget_line, [line for line in position.lines.values() if line is not None]),
        ):
            rows: list[bulk.Row] = [
                (government, c.id, c.moved_reserved, c.moved_spent, c.moved_allowance)
                for c in known
                if c.moved_reserved or c.moved_spent or c.moved_allowance
            ]
            bulk.add_to_rows(conn, table, ("government", "id"), counters, rows)
        bulk.upsert_rows(
            conn,
            t.budget_day,
            ("government", "budget_line", "kind", "day"),
            ("spent_sen",),
            [(government, *key, sen) for key, sen in position.budget_days.items()],
        )


_JOURNAL_COLUMNS: Final = tuple(t.journal.c.keys())
_LINE_COLUMNS: Final = tuple(t.journal_line.c.keys())
_ANSWER_COLUMNS: Final = tuple(t.idempotency.c.keys())
_BALANCE_KEY: Final = tuple(t.account_balance.c.keys()[:8])
_CASH_COUNTERS: Final = ("balance_sen", "committed_sen", "floor_sen")
_DAY_KEY: Final = tuple(t.account_day.c.keys()[:10])


def journal_form(
    *, journal_id: int, draft: Draft, description_c: str, payee_name_c: str
) -> dict[str, JsonInput]:
    """
    Version 1 of a journal in a leaf: everything its row and its lines say.

    Lines are `line_form`s; beyond 48,000 bytes their SHA-256 stands for them.
    """
    lines = [line_form(line) for line in draft.lines]
    data: dict[str, JsonInput] = {
        "journal": journal_id,
        "reference": draft.reference,
        "kind": draft.kind,
        "source": draft.source,
        "fiscal_year": draft.fiscal_year,
        "period": draft.period,
        "effective_on": draft.effective_on,
        "document_id": draft.document_id,
        "document_no": draft.document_no,
        "batch_no": draft.batch_no,
        "reverses": draft.reverses,
        "maker": draft.maker,
        "description": description_c,
        "payee_name": payee_name_c,
        "line_count": len(lines),
    }
    if len(lines) > 300 and len(packed := canonical_fast(lines)) > INLINE_LINES_MAX:
        data["lines_sha256"] = hashlib.sha256(packed).hexdigest()
    else:
        data["lines"] = lines
    return data


def post_batch(
    conn: Connection,
    government: str,
    commands: Sequence[Command | Group],
    *,
    now: datetime,
    today: str,
    meanwhile: Callable[[], None] = lambda: None,
) -> list[Result]:
    """
    Apply *commands* in order inside the caller's transaction; one result each, in the same order.

    A linked group has one result: Accepted with a JSON array of its members' answers, or the first
    refusal. *today* is the government's local date at *now*. *meanwhile* is called once when all is
    decided, while the database still writes; it must not touch the database.

    Raises:
        BookMissingError: No book is kept for *government*.
        sqlalchemy.exc.DBAPIError: The database refused what the code let pass, or went away.
    """
    session = open_session(conn, government, now=now, today=today)
    members = [m for c in commands for m in (c.members if isinstance(c, Group) else (c,))]
    _read_ahead(session, members)
    answers = _stored_answers(session, members)
    results: list[Result] = []
    with bulk.pipelined(conn):
        for command in commands:
            if isinstance(command, Group):
                results.append(_apply_group(session, command, answers))
            else:
                results.append(_apply(session, command, answers))
            session.send_some()
        session.flush()
        meanwhile()
    return results


def open_session(conn: Connection, government: str, *, now: datetime, today: str) -> Session:
    """Lock the edge and open a batch. `post_batch` does this; the opening of a book does too."""
    batch = open_batch(conn, government, now=now)
    settings = settings_of(conn, government, batch.config_rev)

    def load_cash(keys: Iterable[BalanceKey]) -> None:
        wanted = [key for key in dict.fromkeys(keys) if key not in position.cash]
        found = bulk.read_rows(
            conn,
            t.account_balance,
            _BALANCE_KEY,
            _CASH_COUNTERS,
            [(government, *key) for key in wanted],
        )
        for key in wanted:
            position.cash[key] = Cash()
        for row in found:
            balance, committed, floor = (int(value or 0) for value in row[8:])
            position.cash[row[1:8]] = Cash(balance, committed, floor, stored=True)  # type: ignore[index]  # seven texts

    def load_lines(ids: Iterable[str]) -> None:
        _load_budget(conn, government, position, ids)

    position = Position(load_cash, load_lines)
    return Session(conn, government, today, batch, settings, position)


def _load_budget(conn: Connection, government: str, position: Position, ids: Iterable[str]) -> None:
    wanted = [line_id for line_id in dict.fromkeys(ids) if line_id not in position.lines]
    found = bulk.read_rows(
        conn,
        t.budget_line,
        ("government", "id"),
        (
            "bucket_id",
            "skpd",
            "account",
            "fund_source",
            "fiscal_year",
            "ceiling_sen",
            "reserved_sen",
            "spent_sen",
            "allowance_sen",
        ),
        [(government, line_id) for line_id in wanted],
    )
    fresh = dict.fromkeys(str(row[2]) for row in found if str(row[2]) not in position.buckets)
    buckets = bulk.read_rows(
        conn,
        t.release_bucket,
        ("government", "id"),
        ("released_sen", "reserved_sen", "spent_sen", "allowance_sen"),
        [(government, bucket) for bucket in fresh],
    )
    for row in buckets:
        released, reserved, spent, allowance = (int(value or 0) for value in row[2:])
        position.buckets[str(row[1])] = Bucket(str(row[1]), released, reserved, spent, allowance)
    for line_id in wanted:
        position.lines[line_id] = None
    for row in found:
        _, line_id, bucket, skpd, account, fund_source = (str(value) for value in row[:6])
        year, ceiling, reserved, spent, allowance = (int(value or 0) for value in row[6:])
        position.lines[line_id] = BudgetLine(
            line_id,
            year,
            skpd,
            account,
            fund_source,
            position.buckets[bucket],
            ceiling,
            reserved,
            spent,
            allowance,
        )


def _read_ahead(session: Session, members: Sequence[Command]) -> None:
    references: list[str] = []
    cash: list[BalanceKey] = []
    lines: list[str] = []
    for member in members:
        wants = member.wants(session.settings)
        references.extend(wants.references)
        cash.extend(wants.cash)
        lines.extend(wants.budget_lines)
    session.look_up(references)
    session.position.load_cash(cash)
    if lines:
        session.position.load_lines(lines)


class _StoredAnswer(NamedTuple):
    """What a key was answered; status 0 stands for a final refusal."""

    route: str
    request_c: str
    request: str
    status: int
    answer: bytes


def _stored_answers(
    session: Session, members: Sequence[Command]
) -> dict[tuple[str, str], _StoredAnswer]:
    keys: list[bulk.Row] = [
        (session.government, m.by, m.idempotency.key) for m in members if m.idempotency
    ]
    found = bulk.read_rows(
        session.conn,
        t.idempotency,
        ("government", "person_id", "key"),
        ("route", "request_c", "request", "status", "answer"),
        keys,
    )
    return {
        (str(row[1]), str(row[2])): _StoredAnswer(
            str(row[3]),
            str(row[4]),
            str(row[5]),
            int(row[6] or 0),
            bytes(row[7]),  # type: ignore[arg-type]  # a bytes column
        )
        for row in found
    }


def _apply(
    session: Session, command: Command, answers: dict[tuple[str, str], _StoredAnswer]
) -> Result:
    asked = command.idempotency
    stored = answers.get((command.by, asked.key)) if asked is not None else None
    if asked is not None and stored is not None:
        try:
            _check_same_request(session, asked, stored)
        except IdempotencyKeyReusedError as reused:
            return Refused(reused)
        if stored.status:
            return Accepted(stored.answer, stored.status, replayed=True)
        # A final refusal: the same request is refused again, with its values, by deciding anew.
    mark = session.mark(command)
    session.begin_command(command)
    try:
        answer = canonical_fast(command.apply(session))
    except LedgerError as refusal:
        session.rewind(mark)
        if asked is not None and stored is None and refusal.final:
            session.begin_command(command)
            answers[command.by, asked.key] = session.keep_answer(command.by, asked, b"", 0)
        return Refused(refusal)
    session.release(mark)
    session.refresh()
    if asked is None:
        return Accepted(answer)
    if stored is None:
        answers[command.by, asked.key] = session.keep_answer(
            command.by, asked, answer, asked.status
        )
    return Accepted(answer, asked.status)


def _check_same_request(session: Session, asked: Idempotency, stored: _StoredAnswer) -> None:
    """Raises IdempotencyKeyReusedError, naming the fields that differ."""
    salt = session.salt_of(stored.request_c)
    now = _digests(salt, asked.fields) if salt is not None else ""
    if stored.route != asked.route:
        raise IdempotencyKeyReusedError(key=asked.key, differs=["route"])
    if now != stored.request:
        raise IdempotencyKeyReusedError(key=asked.key, differs=_differing(stored.request, now))


def _digests(salt: str, fields: Sequence[tuple[str, bytes]]) -> str:
    """`name:digest` of each field, 64 bits: enough to name a difference, useless without the salt."""
    prefix = salt.encode() + b"\x00"
    return ";".join(
        f"{name}:{hashlib.sha256(prefix + name.encode() + b'=' + value).hexdigest()[:16]}"
        for name, value in fields
    )


def _differing(before: str, now: str) -> list[str]:
    if not now:
        return ["(the first request was erased)"]
    first = dict(part.split(":") for part in before.split(";") if part)
    second = dict(part.split(":") for part in now.split(";") if part)
    return sorted(name for name in {**first, **second} if first.get(name) != second.get(name))


def _apply_group(
    session: Session, group: Group, answers: dict[tuple[str, str], _StoredAnswer]
) -> Result:
    mark = session.mark(None)
    known = dict(answers)
    outcomes: list[bytes] = []
    for member in group.members:
        result = _apply(session, member, answers)
        if isinstance(result, Refused):
            session.rewind(mark)
            session.refresh()
            answers.clear()
            answers.update(known)
            return result
        outcomes.append(result.answer)
    session.release(mark)
    return Accepted(b"[" + b",".join(outcomes) + b"]")
