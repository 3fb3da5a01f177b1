"""
The open batch as a command sees it: what it may read, and everything it may do.

A session belongs to one transaction and one thread. It keeps in memory what was decided, takes back
what a refused command had begun, and writes all of it set-based at the end (`flush`); a long batch
sends its journals ahead between commands.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from sqlalchemy import Connection, select

from audit import bulk
from audit.canonical import JsonInput, canonical_fast
from audit.database import private_value
from audit.log import Batch, commitment_of, open_batch
from ledger import tables as t
from ledger.answers import Idempotency, StoredAnswer, digests
from ledger.errors import ReferenceReusedError
from ledger.journals import Draft, check_draft, line_form
from ledger.position import BalanceKey, Position
from ledger.position_shell import open_position, write_position
from ledger.settings import Settings
from ledger.settings_shell import forget, settings_of

__all__ = ["Answer", "Command", "Posted", "Session", "Wants", "open_session"]

#: What an accepted act answers: JSON-able, without personal data; stored for its key byte for byte.
Answer = dict[str, JsonInput]

#: A batch that holds this many lines sends them ahead.
_LINES_SENT: Final = 1_000
#: Lines beyond this many bytes go into the leaf by hash; the export carries them beside it.
INLINE_LINES_MAX: Final = 48_000


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

    @property
    def ahead(self) -> Connection:
        """
        The same for writing alone (`audit.bulk`), without waiting for what is under way; what the
        database refuses shows when `conn` is next asked for, at the latest at the batch's end.
        """
        bulk.send_ahead(self._conn)
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
        ask = self.ask_references(references)
        self.take_references(bulk.read_all(self.conn, [ask])[0])

    def ask_references(self, references: Iterable[str]) -> bulk.Ask:
        """What `take_references` is to be given."""
        fresh = [r for r in dict.fromkeys(references) if r not in self._looked_up]
        self._looked_up.update(fresh)
        return bulk.Ask(
            t.journal,
            ("government", "reference"),
            ("id", "leaf_index", "batch_seq"),
            [(self.government, reference) for reference in fresh],
        )

    def take_references(self, found: Iterable[bulk.Row]) -> None:
        """Remember which references are taken."""
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

    def keep_answer(self, by: str, asked: Idempotency, answer: bytes, status: int) -> StoredAnswer:
        """Keep what this key was answered (status 0: a final refusal)."""
        if not self._salt:
            self._lends = True
            self.private("request", secrets.token_hex(8), subject=f"request:{by}:{asked.key}")
        request = digests(self._salt, asked.fields)
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
        return StoredAnswer(asked.route, self._salt_c, request, status, answer)

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
            write_position(self._conn, self.government, self.position)
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


_JOURNAL_COLUMNS: Final = tuple(t.journal.c.keys())
_LINE_COLUMNS: Final = tuple(t.journal_line.c.keys())
_ANSWER_COLUMNS: Final = tuple(t.idempotency.c.keys())


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


def open_session(conn: Connection, government: str, *, now: datetime, today: str) -> Session:
    """
    Lock the edge and open a batch. `post_batch` does this; the opening of a book does too.

    Raises:
        BookMissingError: No book is kept for *government*.
    """
    batch = open_batch(conn, government, now=now)
    settings = settings_of(conn, government, batch.config_rev)
    return Session(conn, government, today, batch, settings, open_position(conn, government))
