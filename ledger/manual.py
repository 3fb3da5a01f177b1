"""
Journals by hand: drafted by one accountant, posted by another (D5).

A manual journal may not touch RKUD cash, reciprocal accounts or a budget line. The draft is checked
when it is made and again when it is posted: the period may have been sealed in between. A journal
that was posted by hand, or that the bank's facts made, is undone in the same two halves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final

from ledger.acts import Act, Done, Hands, TextErasedError, act_leaf, texts_of
from ledger.commands import journal_answer, read_draft, refuse_second_reversal, reversal_of
from ledger.errors import (
    InvalidFieldError,
    JournalBelongsToDocumentError,
    LedgerError,
)
from ledger.journals import (
    Draft,
    JournalBody,
    Line,
    check_draft,
    check_text,
    complete_bank_accounts,
    draft_of,
    line_form,
)
from ledger.money import InvalidAmountError, parse_sen
from ledger.session import Session

__all__ = [
    "ACCOUNTANTS",
    "AskManualJournal",
    "AskReversal",
    "ManualJournal",
    "ReferenceTakenError",
    "ReverseByTwo",
    "line_of_form",
]

ACCOUNTANTS: Final = frozenset({"accountant"})


class ReferenceTakenError(LedgerError):
    """A reference names one journal for ever."""

    def __init__(self, *, reference: str, journal_id: int) -> None:
        super().__init__(
            f"reference {reference} belongs to journal {journal_id}",
            reference=reference,
            journal_id=journal_id,
        )


@dataclass(frozen=True, slots=True)
class AskManualJournal:
    """Ask to post *body* by hand."""

    act: ClassVar[str] = "journal.manual"
    first: ClassVar[frozenset[str]] = ACCOUNTANTS
    second: ClassVar[frozenset[str]] = ACCOUNTANTS
    of_operator: ClassVar[bool] = False

    body: JournalBody

    def may_propose(self, person: str) -> bool:  # noqa: ARG002  # the protocol's
        """Accountants only."""
        return False

    def keep(self, session: Session, hands: Hands) -> Act:
        """The checked draft. Raises whatever posting it now would raise."""
        body = self.body
        draft = draft_of(body, by=hands.proposed_by)
        complete_bank_accounts(draft, session.settings)
        draft.source = "manual"
        check_draft(draft, settings=session.settings, today=session.today)
        subject = f"journal:{body.reference}"
        return ManualJournal(
            reference=draft.reference,
            effective_on=draft.effective_on,
            kind=draft.kind,
            period=draft.period,
            document_no=draft.document_no,
            batch_no=draft.batch_no,
            description=session.private("description", draft.description, subject=subject),
            payee_name=(
                session.private("payee_name", draft.payee_name, subject=subject)
                if draft.payee_name
                else ""
            ),
            lines=[line_form(line) for line in draft.lines],
        )


@dataclass(frozen=True, slots=True)
class ManualJournal(Act):
    """A drafted journal over commitments; lines as in a leaf (`journals.line_form`)."""

    act: ClassVar[str] = "journal.manual"
    first: ClassVar[frozenset[str]] = ACCOUNTANTS
    second: ClassVar[frozenset[str]] = ACCOUNTANTS
    of_operator: ClassVar[bool] = False

    reference: str
    effective_on: str
    kind: str
    period: int
    document_no: str
    batch_no: str
    description: str
    payee_name: str
    lines: list[list[str]] = field(default_factory=list)

    def check(self, session: Session, hands: Hands) -> None:  # noqa: ARG002  # the base's
        """Raises ReferenceTakenError."""
        _refuse_taken(session, self.reference)

    def perform(self, session: Session, hands: Hands) -> Done:
        """Leaves `journal.posted` and `proposal.confirmed`, the journal. Raises what posting does."""
        texts = texts_of(session, (self.description, self.payee_name))
        draft = Draft(
            reference=self.reference,
            effective_on=self.effective_on,
            kind=self.kind,
            description=_text(texts, "description", self.description),
            payee_name=_text(texts, "payee_name", self.payee_name) if self.payee_name else "",
            lines=[line_of_form(form) for form in self.lines],
            maker=hands.proposed_by,
            poster=hands.confirmed_by,
            source="manual",
            document_no=self.document_no,
            batch_no=self.batch_no,
            period=self.period,
        )
        return _post(session, draft, hands)


@dataclass(frozen=True, slots=True)
class AskReversal:
    """Ask to undo journal *journal* for a *reason* (a text), under a new reference."""

    act: ClassVar[str] = "journal.reverse"
    first: ClassVar[frozenset[str]] = ACCOUNTANTS
    second: ClassVar[frozenset[str]] = ACCOUNTANTS
    of_operator: ClassVar[bool] = False

    journal: int
    reference: str
    effective_on: str
    reason: str

    def may_propose(self, person: str) -> bool:  # noqa: ARG002  # the protocol's
        """Accountants only."""
        return False

    def keep(self, session: Session, hands: Hands) -> Act:  # noqa: ARG002  # the protocol's
        """Raises InvalidFieldError."""
        check_text("reason", self.reason, least=1, most=1_000)
        check_text("reference", self.reference, least=1, most=128)
        subject = f"journal:{self.reference}"
        reason = session.private("description", self.reason, subject=subject)
        return ReverseByTwo(self.journal, self.reference, self.effective_on, reason)


@dataclass(frozen=True, slots=True)
class ReverseByTwo(Act):
    """A drafted reversal; *reason* is a commitment and becomes the journal's description."""

    act: ClassVar[str] = "journal.reverse"
    first: ClassVar[frozenset[str]] = ACCOUNTANTS
    second: ClassVar[frozenset[str]] = ACCOUNTANTS
    of_operator: ClassVar[bool] = False

    journal: int
    reference: str
    effective_on: str
    reason: str

    def check(self, session: Session, hands: Hands) -> None:
        """
        Raises:
            UnknownJournalError, JournalBelongsToDocumentError, JournalAlreadyReversedError,
            ReferenceTakenError, and what the mirror image's own form is refused for
        """
        draft = self._draft(session, hands, "")
        refuse_second_reversal(session, self.journal)
        _refuse_taken(session, self.reference)
        check_draft(draft, settings=session.settings, today=session.today)

    def perform(self, session: Session, hands: Hands) -> Done:
        """Leaves `journal.posted` and `proposal.confirmed`, the journal. Raises what posting does."""
        texts = texts_of(session, (self.reason,))
        draft = self._draft(session, hands, _text(texts, "reason", self.reason))
        return _post(session, draft, hands)

    def _draft(self, session: Session, hands: Hands, reason: str) -> Draft:
        original = read_draft(session, self.journal)
        if original.document_id:
            raise JournalBelongsToDocumentError(
                journal_id=self.journal, document=original.document_id
            )
        return reversal_of(
            original,
            self.journal,
            reference=self.reference,
            effective_on=self.effective_on,
            reason=reason,
            by=hands.confirmed_by,
            maker=hands.proposed_by,
        )


def line_of_form(form: Sequence[str]) -> Line:
    """
    The line that `journals.line_form` wrote.

    Raises:
        InvalidFieldError: Not such a form.
    """
    if not 4 <= len(form) <= len(Line._fields):
        raise InvalidFieldError("lines", "are forms of lines", len(form))
    entity, book, account, amount, *rest = form
    try:
        return Line(entity, book, account, parse_sen(amount), *rest)
    except InvalidAmountError as error:
        raise InvalidFieldError("lines", error.reason, amount[:80]) from None


def _post(session: Session, draft: Draft, hands: Hands) -> Done:
    posted = session.post(replace(draft))
    leaf = act_leaf(
        session,
        "proposal.confirmed",
        {"journal": posted.journal_id, "journal_leaf": posted.leaf_index},
        hands,
    )
    return Done(leaf, journal_answer(session, posted))


def _refuse_taken(session: Session, reference: str) -> None:
    posted = session.posted(reference)
    if posted is not None:
        raise ReferenceTakenError(reference=reference, journal_id=posted.journal_id)


def _text(texts: dict[str, str], name: str, commitment: str) -> str:
    if commitment not in texts:
        raise TextErasedError(field=name)
    return texts[commitment]
