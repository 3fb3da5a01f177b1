"""
Acts on persons and grants: add a person, give a grant, end one. Each takes two administrators.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from sqlalchemy import select

from audit.database import private_value
from ledger import tables as t
from ledger.acts import Act, Done, Hands, TextErasedError, act_leaf, insert_row, texts_of
from ledger.errors import InvalidFieldError, OwnApprovalError
from ledger.journals import check_day
from ledger.persons import (
    GrantEndedError,
    NewGrant,
    NipTakenError,
    PersonExistsError,
    UnknownGrantError,
    check_administrators_stay,
    check_grant_fits,
    check_grant_form,
    check_person_form,
)
from ledger.session import Session
from ledger.settings import FOREVER

__all__ = ["AddPerson", "EndGrant", "GiveGrant"]


@dataclass(frozen=True, slots=True)
class AddPerson(Act):
    """
    A new person. *name* and *nip* are texts as asked for, commitments once proposed.

    The id is public and stays in the log for ever: an office or a role name, not a person's name.
    """

    act: ClassVar[str] = "person.add"

    person: str
    name: str
    nip: str = ""
    kind: str = "officer"

    def keep(self, session: Session, hands: Hands) -> Act:  # noqa: ARG002  # the base's
        """Raises InvalidFieldError."""
        check_person_form(person=self.person, kind=self.kind, name=self.name, nip=self.nip)
        subject = f"person:{self.person}"
        return replace(
            self,
            name=session.private("person_name", self.name, subject=subject),
            nip=session.private("person_nip", self.nip, subject=subject) if self.nip else "",
        )

    def check(self, session: Session, hands: Hands) -> None:  # noqa: ARG002  # the base's
        """Raises PersonExistsError, NipTakenError, TextErasedError."""
        if self.person in session.settings.persons:
            raise PersonExistsError(person=self.person)
        texts = texts_of(session, (self.name, self.nip))
        for field in ("name", "nip"):
            commitment = getattr(self, field)
            if commitment and commitment not in texts:
                raise TextErasedError(field=field)
        if self.nip:
            person, value = t.person.c, private_value.c
            taken_by = session.conn.execute(
                select(person.id)
                .join(
                    private_value,
                    (value.government == person.government) & (value.commitment == person.nip_c),
                )
                .where(person.government == session.government, value.value == texts[self.nip])
                .limit(1)
            ).scalar()
            if taken_by is not None:
                raise NipTakenError(person=self.person, taken_by=taken_by)

    def perform(self, session: Session, hands: Hands) -> Done:
        """Leaf `person.added`, row of `person`."""
        leaf = act_leaf(session, "person.added", self.content(), hands)
        insert_row(
            session,
            "person",
            id=self.person,
            kind=self.kind,
            name_c=self.name,
            nip_c=self.nip,
            added_at=session.batch.recorded_at,
            leaf_index=leaf,
        )
        session.batch.config_changed()
        return Done(leaf, {"person": self.person})


@dataclass(frozen=True, slots=True)
class GiveGrant(Act):
    """
    A role from day to day (inclusive), for one SKPD or for all (empty). Its id is the proposal's.

    The person who is given a role acts in neither half. A date in the past is allowed, because
    decrees are: when the grant began to count, the order of the log says.
    """

    act: ClassVar[str] = "grant.give"

    person: str
    role: str
    valid_from: str
    valid_to: str = FOREVER
    skpd: str = ""
    mandate: str = "definitive"
    mandate_document: str = ""

    def keep(self, session: Session, hands: Hands) -> Act:  # noqa: ARG002  # the base's
        """Raises InvalidFieldError."""
        check_grant_form(self._grant())
        return self

    def check(self, session: Session, hands: Hands) -> None:
        """Raises OwnApprovalError and what `check_grant_fits` raises."""
        for person, half in ((hands.proposed_by, "proposer"), (hands.confirmed_by, "confirmer")):
            if person == self.person:
                raise OwnApprovalError(person=person, first="holder of the grant", second=half)
        check_grant_fits(self._grant(), session.settings)

    def perform(self, session: Session, hands: Hands) -> Done:
        """Leaf `grant.given`, row of `grant_given`."""
        leaf = act_leaf(session, "grant.given", self.content(), hands, grant=hands.proposal)
        insert_row(
            session,
            "grant_given",
            id=hands.proposal,
            person_id=self.person,
            role=self.role,
            skpd=self.skpd,
            mandate=self.mandate,
            mandate_document=self.mandate_document,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            given_by=hands.proposed_by,
            confirmed_by=hands.confirmed_by,
            leaf_index=leaf,
        )
        session.batch.config_changed()
        return Done(leaf, {"grant": hands.proposal, "person": self.person, "role": self.role})

    def _grant(self) -> NewGrant:
        return NewGrant(
            self.person,
            self.role,
            self.skpd,
            self.mandate,
            self.mandate_document,
            self.valid_from,
            self.valid_to,
        )


@dataclass(frozen=True, slots=True)
class EndGrant(Act):
    """End a grant: *ended_on* is the first day on which it no longer counts, today or later."""

    act: ClassVar[str] = "grant.end"

    grant: str
    ended_on: str

    def keep(self, session: Session, hands: Hands) -> Act:  # noqa: ARG002  # the base's
        """Raises InvalidFieldError."""
        check_day("ended_on", self.ended_on)
        return self

    def check(self, session: Session, hands: Hands) -> None:  # noqa: ARG002  # the base's
        """Raises UnknownGrantError, GrantEndedError, InvalidFieldError, LastAdministratorsError."""
        given, end = t.grant_given.c, t.grant_end.c
        row = session.conn.execute(
            select(given.role, given.valid_to, end.ended_on)
            .select_from(
                t.grant_given.outerjoin(
                    t.grant_end, (end.government == given.government) & (end.grant_id == given.id)
                )
            )
            .where(given.government == session.government, given.id == self.grant)
        ).first()
        if row is None:
            raise UnknownGrantError(grant=self.grant[:80])
        if row.ended_on is not None:
            raise GrantEndedError(grant=self.grant, ended_on=row.ended_on)
        # What was done under the grant until now stays done under a grant.
        if not session.today <= self.ended_on <= row.valid_to:
            raise InvalidFieldError(
                "ended_on", f"is {session.today} to {row.valid_to}", self.ended_on
            )
        if row.role == "admin":
            check_administrators_stay(session.settings.grants, ending=self.grant, on=self.ended_on)

    def perform(self, session: Session, hands: Hands) -> Done:
        """Leaf `grant.ended`, row of `grant_end`."""
        leaf = act_leaf(session, "grant.ended", self.content(), hands)
        insert_row(
            session,
            "grant_end",
            grant_id=self.grant,
            ended_on=self.ended_on,
            given_by=hands.proposed_by,
            confirmed_by=hands.confirmed_by,
            leaf_index=leaf,
        )
        session.batch.config_changed()
        return Done(leaf, {"grant": self.grant, "ended_on": self.ended_on})
