"""
Officers' signing keys: enrolled and revoked as acts; the private half never comes here (D13).

A key is enrolled once for ever and belongs to one person. Whoever asks for it shows that somebody
holds the private half, by signing a challenge that names log and person. The challenge needs no
number used once: an answer leads to the same key of the same person, which cannot be enrolled twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from sqlalchemy import Connection, select

from audit.errors import AuditError
from audit.keys import officer_key_id, verify_possession
from ledger import tables as t
from ledger.acts import Act, Done, Hands, act_leaf, insert_row
from ledger.errors import InvalidFieldError, LedgerError, OwnApprovalError, UnknownPersonError
from ledger.session import Session

__all__ = [
    "ALGORITHM",
    "EnrollOfficerKey",
    "OfficerKeyEnrolledError",
    "OfficerKeyRevokedError",
    "RevokeOfficerKey",
    "UnacceptableOfficerKeyError",
    "UnknownOfficerKeyError",
    "officer_public_key",
    "possession_challenge",
]

ALGORITHM: Final = "ed25519"


class UnacceptableOfficerKeyError(LedgerError):
    """A key under which anybody could sign, or that nobody showed to hold."""

    final = True

    def __init__(self, *, person: str, reason: str) -> None:
        super().__init__(
            f"the key offered for {person} is not accepted: {reason}", person=person, reason=reason
        )


class OfficerKeyEnrolledError(LedgerError):
    """One key belongs to one person, and is enrolled once."""

    def __init__(self, *, key_id: str, person: str) -> None:
        super().__init__(
            f"key {key_id} was enrolled for {person} already", key_id=key_id, person=person
        )


class UnknownOfficerKeyError(LedgerError):
    """No such key was enrolled (or not yet at that place of the log)."""

    def __init__(self, *, key_id: str) -> None:
        super().__init__(f"officer key {key_id} is not enrolled", key_id=key_id)


class OfficerKeyRevokedError(LedgerError):
    """The key was revoked."""

    def __init__(self, *, key_id: str, leaf_index: int) -> None:
        super().__init__(
            f"officer key {key_id} was revoked by leaf {leaf_index}",
            key_id=key_id,
            leaf_index=leaf_index,
        )


def possession_challenge(origin: str, person: str) -> bytes:
    """What the holder of a key signs (`audit.keys.prove_possession`) to have it enrolled."""
    return f"rkud officer key enrolment\n{origin}\n{person}\n".encode()


def officer_public_key(
    conn: Connection, government: str, key_id: str, *, at: int | None = None
) -> tuple[str, bytes]:
    """
    The person and the raw public key behind *key_id*.

    Valid for a leaf of index *at* when enrolled before it and not revoked before it; without *at*,
    valid now. One indexed read.

    Raises:
        UnknownOfficerKeyError, OfficerKeyRevokedError
    """
    key, end = t.officer_key.c, t.officer_key_end.c
    row = conn.execute(
        select(key.person_id, key.public_key, key.leaf_index, end.leaf_index.label("ended"))
        .select_from(
            t.officer_key.outerjoin(
                t.officer_key_end, (end.government == key.government) & (end.key_id == key.key_id)
            )
        )
        .where(key.government == government, key.key_id == key_id)
    ).first()
    if row is None or (at is not None and row.leaf_index >= at):
        raise UnknownOfficerKeyError(key_id=key_id[:80])
    if row.ended is not None and (at is None or row.ended < at):
        raise OfficerKeyRevokedError(key_id=key_id, leaf_index=row.ended)
    return row.person_id, bytes(row.public_key)


@dataclass(frozen=True, slots=True)
class EnrollOfficerKey(Act):
    """
    A key of an officer; *public_key* and *possession* (the signature) are hex.

    The officer may propose the own key; an administrator confirms it, never the officer.
    """

    act: ClassVar[str] = "officer_key.enroll"

    person: str
    public_key: str
    possession: str
    origin: str = ""
    key_id: str = ""
    algorithm: str = ALGORITHM

    def may_propose(self, person: str) -> bool:
        """The officer may."""
        return person == self.person

    def keep(self, session: Session, hands: Hands) -> Act:  # noqa: ARG002  # the base's
        """Fills in key id and log. Raises InvalidFieldError, UnacceptableOfficerKeyError."""
        if self.algorithm != ALGORITHM:
            raise InvalidFieldError("algorithm", f"is {ALGORITHM}", ascii(self.algorithm)[:40])
        public = _unhex("public_key", self.public_key, 32)
        proof = _unhex("possession", self.possession, 64)
        origin = session.batch.origin
        try:
            verify_possession(public, possession_challenge(origin, self.person), proof)
        except AuditError as error:
            raise UnacceptableOfficerKeyError(person=self.person[:80], reason=str(error)) from error
        return EnrollOfficerKey(
            self.person, self.public_key, self.possession, origin, officer_key_id(public)
        )

    def check(self, session: Session, hands: Hands) -> None:
        """Raises OwnApprovalError, UnknownPersonError, InvalidFieldError, OfficerKeyEnrolledError."""
        if hands.confirmed_by == self.person:
            raise OwnApprovalError(
                person=self.person, first="holder of the key", second="confirmer"
            )
        kind = session.settings.persons.get(self.person)
        if kind is None:
            raise UnknownPersonError(person=self.person[:80])
        if kind != "officer":
            raise InvalidFieldError("person", "is an officer: a service signs nothing", self.person)
        holder = session.conn.execute(
            select(t.officer_key.c.person_id).where(
                t.officer_key.c.government == session.government,
                t.officer_key.c.key_id == self.key_id,
            )
        ).scalar()
        if holder is not None:
            raise OfficerKeyEnrolledError(key_id=self.key_id, person=holder)

    def perform(self, session: Session, hands: Hands) -> Done:
        """Leaf `officer_key.enrolled`, row of `officer_key`."""
        leaf = act_leaf(session, "officer_key.enrolled", self.content(), hands)
        insert_row(
            session,
            "officer_key",
            key_id=self.key_id,
            person_id=self.person,
            algorithm=self.algorithm,
            public_key=bytes.fromhex(self.public_key),
            possession=bytes.fromhex(self.possession),
            given_by=hands.proposed_by,
            confirmed_by=hands.confirmed_by,
            leaf_index=leaf,
        )
        return Done(leaf, {"key_id": self.key_id, "person": self.person})


@dataclass(frozen=True, slots=True)
class RevokeOfficerKey(Act):
    """Revoke a key: nothing that is logged after this counts as signed by it."""

    act: ClassVar[str] = "officer_key.revoke"

    key_id: str
    person: str

    def may_propose(self, person: str) -> bool:
        """The officer whose key it is may."""
        return person == self.person

    def check(self, session: Session, hands: Hands) -> None:  # noqa: ARG002  # the base's
        """Raises UnknownOfficerKeyError (also for another's key), OfficerKeyRevokedError."""
        holder, _ = officer_public_key(session.conn, session.government, self.key_id)
        if holder != self.person:
            raise UnknownOfficerKeyError(key_id=self.key_id[:80])

    def perform(self, session: Session, hands: Hands) -> Done:
        """Leaf `officer_key.revoked`, row of `officer_key_end`."""
        leaf = act_leaf(session, "officer_key.revoked", self.content(), hands)
        insert_row(
            session,
            "officer_key_end",
            key_id=self.key_id,
            given_by=hands.proposed_by,
            confirmed_by=hands.confirmed_by,
            leaf_index=leaf,
        )
        return Done(leaf, {"key_id": self.key_id})


def _unhex(field: str, value: str, size: int) -> bytes:
    try:
        data = bytes.fromhex(value) if len(value) == 2 * size else b""
    except ValueError:
        data = b""
    # fromhex drops white space and takes capitals: one key, one spelling.
    if len(data) != size or data.hex() != value:
        raise InvalidFieldError(field, f"is {2 * size} lower-case hex digits", ascii(value)[:160])
    return data
