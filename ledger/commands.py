"""
Commands on journals: feed one, reverse one, open the book with a balance.

Manual journals are two-person acts and stand in `ledger.manual`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import msgspec
from sqlalchemy import select

from ledger import tables as t
from ledger.answers import Idempotency
from ledger.errors import (
    JournalAlreadyReversedError,
    JournalBelongsToDocumentError,
    LedgerError,
    UnknownJournalError,
)
from ledger.journals import (
    Draft,
    JournalBody,
    Line,
    check_text,
    complete_bank_accounts,
    draft_of,
)
from ledger.session import Answer, Posted, Session, Wants
from ledger.settings import Settings

__all__ = [
    "PostJournal",
    "ReversalNeedsTwoPersonsError",
    "ReverseJournal",
    "journal_answer",
    "read_draft",
    "refuse_second_reversal",
    "request_fields",
    "reversal_of",
]


class ReversalNeedsTwoPersonsError(LedgerError):
    """What was posted by hand, or is a fact of the bank, is undone by two accountants."""

    def __init__(self, *, journal_id: int, source: str) -> None:
        super().__init__(
            f"journal {journal_id} has source {source}: its reversal is drafted by one accountant"
            " and posted by another",
            journal_id=journal_id,
            source=source,
        )


def journal_answer(session: Session, posted: Posted) -> Answer:
    """What the caller learns of a posted journal."""
    return {
        "journal": posted.journal_id,
        "reference": posted.reference,
        "batch": posted.batch_seq,
        "leaf_index": posted.leaf_index,
        "recorded_at": session.batch.recorded_at if not posted.replayed else None,
        "replayed": posted.replayed,
    }


def request_fields(body: msgspec.Struct) -> list[tuple[str, bytes]]:
    """The members of a request with their bytes, for `Idempotency.fields`."""
    encode = msgspec.json.encode
    return [(name, encode(getattr(body, name))) for name in body.__struct_fields__]


@dataclass(slots=True)
class PostJournal:
    """A journal fed by another system (role `feed`, kinds by the government's list)."""

    one_effect: ClassVar[bool] = True

    by: str
    body: JournalBody
    idempotency: Idempotency | None = None
    _draft: Draft | None = field(default=None, repr=False)
    _refused: LedgerError | None = field(default=None, repr=False)

    def read(self) -> None:
        """Read the body, which needs no books: an import does it while the database is busy."""
        if self._draft is None and self._refused is None:
            try:
                self._draft = draft_of(self.body, by=self.by)
            except LedgerError as refusal:
                self._refused = refusal

    def wants(self, settings: Settings) -> Wants:
        """The reference, the cash and the budget lines."""
        self.read()
        if (draft := self._draft) is None:
            return Wants()
        complete_bank_accounts(draft, settings)
        version = settings.years.get(_year(draft.effective_on), "")
        return Wants(
            references=(draft.reference,),
            cash=[
                (version, line.entity, "FIN", line.account, line.bank_account, "", "")
                for line in draft.lines
                if line.bank_account
            ],
            budget_lines=[line.budget_line for line in draft.lines if line.budget_line],
        )

    def apply(self, session: Session) -> Answer:
        """Post it. Raises LedgerError."""
        session.settings.require(self.by, "feed", session.today)
        if self._draft is None:
            raise self._refused or RuntimeError("a command is applied after its wants were asked")
        return journal_answer(session, session.post(self._draft))


def _year(day: str) -> int:
    return int(day[:4]) if day[:4].isascii() and day[:4].isdigit() else 0


@dataclass(frozen=True, slots=True)
class ReverseJournal:
    """
    Undo a journal by its mirror image, dated in an open period and linked to it.

    For journals that were fed, by the role that feeds. One that belongs to a document is reversed by
    the document's own move; one that was posted by hand, or that the bank's facts made, by two
    accountants (`ledger.manual`).
    """

    by: str
    journal_id: int
    reference: str
    effective_on: str
    reason: str
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """The new reference."""
        return Wants(references=(self.reference,))

    def apply(self, session: Session) -> Answer:
        """Post the mirror image. Raises LedgerError."""
        check_text("reason", self.reason, least=1, most=1_000)
        original = read_draft(session, self.journal_id)
        if original.document_id:
            raise JournalBelongsToDocumentError(
                journal_id=self.journal_id, document=original.document_id
            )
        if original.source != "feed":
            raise ReversalNeedsTwoPersonsError(journal_id=self.journal_id, source=original.source)
        session.settings.require(self.by, "feed", session.today)
        reversal = reversal_of(
            original,
            self.journal_id,
            reference=self.reference,
            effective_on=self.effective_on,
            reason=self.reason,
            by=self.by,
        )
        if session.posted(self.reference) is None:
            refuse_second_reversal(session, self.journal_id)
        return journal_answer(session, session.post(reversal))


def reversal_of(
    original: Draft,
    journal_id: int,
    *,
    reference: str,
    effective_on: str,
    reason: str,
    by: str,
    maker: str = "",
) -> Draft:
    """
    The mirror image of a posted journal. Its source keeps the rules of the original's.

    *maker* drafted it where that was another than *by*, who posts it.
    """
    return replace(
        original,
        reference=reference,
        effective_on=effective_on,
        kind="reversal",
        description=reason,
        lines=[line._replace(amount_sen=-line.amount_sen) for line in original.lines],
        maker=maker or by,
        poster=by,
        reverses=journal_id,
        payee_name="",
        fiscal_year=0,
        period=0,
    )


def read_draft(session: Session, journal_id: int) -> Draft:
    """A posted journal as a draft, without its private texts. Raises UnknownJournalError."""
    j, line = t.journal.c, t.journal_line.c
    row = session.conn.execute(
        select(t.journal).where(j.government == session.government, j.id == journal_id)
    ).first()
    if row is None:
        raise UnknownJournalError(journal_id=journal_id)
    lines: Sequence[Line] = [
        Line(*found)
        for found in session.conn.execute(
            select(
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
            .where(line.government == session.government, line.journal_id == journal_id)
            .order_by(line.n)
        )
    ]
    return Draft(
        reference=row.reference,
        effective_on=row.effective_on,
        kind=row.kind,
        description="",
        lines=lines,
        maker=row.maker,
        poster=row.poster,
        source=row.source,
        document_no=row.document_no,
        batch_no=row.batch_no,
        document_id=row.document_id,
        reverses=row.reverses,
    )


def refuse_second_reversal(session: Session, journal_id: int) -> None:
    """Raises JournalAlreadyReversedError."""
    other = session.reversed_by(journal_id)
    if other is not None:
        raise JournalAlreadyReversedError(journal_id=journal_id, reversed_by=other)
