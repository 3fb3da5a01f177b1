"""
Erase the personal data of one subject (a payee, a journal's texts), by two administrators (D14).

Values and salts go; commitments stay in rows and leaves, so that books, log and every hash stay as
they are and nobody can find the value by trying. The leaf lists the commitments that can no longer
be disclosed. Digests of requests that used the salt of an erased value become unlinkable with it.

What is agreed on is the list of commitments: the proposal does not say whose they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from sqlalchemy import Connection, delete, select

from audit.canonical import Json, canonical_fast, parse_canonical
from audit.database import log_leaf, private_value
from audit.errors import NotCanonicalError
from ledger import tables as t
from ledger.acts import ADMINISTRATORS, Act, Content, Done, Hands, act_leaf
from ledger.errors import LedgerError
from ledger.journals import check_text
from ledger.session import Session

__all__ = [
    "Erase",
    "ErasePayee",
    "SubjectChangedError",
    "SubjectInOfficeError",
    "UnknownSubjectError",
    "erased_commitments",
]

#: Commitments that fit a leaf; more go in by hash, and stand in the proposal's content.
INLINE_MAX: Final = 600


class UnknownSubjectError(LedgerError):
    """No personal data is kept under this subject."""

    def __init__(self, *, subject: str) -> None:
        super().__init__(f"no personal data is kept of subject {subject}", subject=subject)


class SubjectChangedError(LedgerError):
    """Values were added or erased since the erasure was proposed."""

    def __init__(self, *, proposed: int, kept: int) -> None:
        super().__init__(
            f"the erasure was proposed for {proposed} values, {kept} are kept now; propose anew",
            proposed=proposed,
            kept=kept,
        )


class SubjectInOfficeError(LedgerError):
    """Who acts for the government is named as long as that is so."""

    def __init__(self, *, person: str, grant: str) -> None:
        super().__init__(f"{person} holds grant {grant} still", person=person, grant=grant)


@dataclass(frozen=True, slots=True)
class ErasePayee:
    """Ask to erase everything personal kept of *subject*, for a *reason* (a text)."""

    act: ClassVar[str] = "payee.erase"
    first: ClassVar[frozenset[str]] = ADMINISTRATORS
    second: ClassVar[frozenset[str]] = ADMINISTRATORS
    of_operator: ClassVar[bool] = True

    subject: str
    reason: str

    def may_propose(self, person: str) -> bool:  # noqa: ARG002  # the protocol's
        """Administrators only."""
        return False

    def keep(self, session: Session, hands: Hands) -> Act:
        """The values as they stand now. Raises UnknownSubjectError, InvalidFieldError."""
        check_text("subject", self.subject, least=1, most=200)
        check_text("reason", self.reason, least=1, most=1_000)
        kept = _kept(session, self.subject)
        if not kept:
            raise UnknownSubjectError(subject=self.subject)
        # Under the erasure, not the subject: why something was erased outlives it.
        reason = session.private("reason", self.reason, subject=f"erasure:{hands.proposal}")
        return Erase(kept, reason)


@dataclass(frozen=True, slots=True)
class Erase(Act):
    """The erasure as it is proposed: which commitments, and the reason's."""

    act: ClassVar[str] = "payee.erase"

    commitments: list[str]
    reason: str

    def check(self, session: Session, hands: Hands) -> None:  # noqa: ARG002  # the base's
        """Raises SubjectChangedError, SubjectInOfficeError."""
        subject = self._subject(session)
        kept = _kept(session, subject)
        pending = [row for row in session.batch.pending_private() if row[2] == subject]
        if kept != self.commitments or pending:
            raise SubjectChangedError(proposed=len(self.commitments), kept=len(kept) + len(pending))
        kind, _, person = subject.partition(":")
        if kind == "person":
            for grant in session.settings.grants.get(person, ()):
                if grant.valid_to >= session.today:
                    raise SubjectInOfficeError(person=person, grant=grant.id)

    def perform(self, session: Session, hands: Hands) -> Done:
        """Leaf `payee.erased`; the rows of `private_value` go."""
        subject = self._subject(session)
        leaf = act_leaf(session, "payee.erased", self._short(), hands, count=len(self.commitments))
        session.conn.execute(
            delete(private_value).where(
                private_value.c.subject == subject,
                private_value.c.government == session.government,
            )
        )
        # Stored requests may speak of the same person among others: the salts of all of them go, so
        # that their digests can't be tried against guesses. A repeated key is then refused, not redone.
        session.conn.execute(
            delete(private_value).where(
                private_value.c.field == "request",
                private_value.c.government == session.government,
            )
        )
        return Done(leaf, {"erased": len(self.commitments)})

    def _short(self) -> Content:
        if len(self.commitments) <= INLINE_MAX:
            return self.content()
        packed = canonical_fast(self.commitments)
        return {"commitments_sha256": hashlib.sha256(packed).hexdigest(), "reason": self.reason}

    def _subject(self, session: Session) -> str:
        subject = session.conn.execute(
            select(private_value.c.subject).where(
                private_value.c.government == session.government,
                private_value.c.commitment == self.commitments[0],
            )
        ).scalar()
        if subject is None:
            raise SubjectChangedError(proposed=len(self.commitments), kept=0)
        return str(subject)


def erased_commitments(conn: Connection, government: str) -> Iterator[str]:
    """The commitments whose values were erased by an act, as the log says."""
    rows = conn.execute(
        select(log_leaf.c.body)
        .where(log_leaf.c.government == government, log_leaf.c.kind == "payee.erased")
        .order_by(log_leaf.c.idx)
    )
    for row in rows:
        try:
            act = parse_canonical(bytes(row.body))
        except NotCanonicalError:
            continue  # the check of the log names a leaf that can't be read
        data = act.get("data") if isinstance(act, dict) else None
        if isinstance(data, dict):
            listed = data.get("commitments")
            found: list[Json] = (
                listed
                if isinstance(listed, list)
                else _proposed(conn, government, data.get("proposal"))
            )
            yield from (commitment for commitment in found if isinstance(commitment, str))


def _proposed(conn: Connection, government: str, proposal: object) -> list[Json]:
    content = conn.execute(
        select(t.proposal.c.content).where(
            t.proposal.c.government == government, t.proposal.c.id == proposal
        )
    ).scalar()
    try:
        said = parse_canonical(bytes(content)) if content is not None else None
    except NotCanonicalError:
        said = None  # the check of proposals names it
    listed = said.get("commitments") if isinstance(said, dict) else None
    return listed if isinstance(listed, list) else []


def _kept(session: Session, subject: str) -> list[str]:
    column = private_value.c
    found = session.conn.execute(
        select(column.commitment)
        .where(column.subject == subject, column.government == session.government)
        .order_by(column.commitment)
    )
    return list(found.scalars())
