"""
Persons and grants: form, and which grants may stand beside each other.

Pure: values and the government's `Settings` in, nothing or a named refusal out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from ledger.errors import (
    InvalidFieldError,
    LedgerError,
    UnknownEntityError,
    UnknownPersonError,
)
from ledger.journals import check_day, check_text
from ledger.roles import EXCLUSIVE, ROLES
from ledger.settings import FOREVER, Grant, Settings

__all__ = [
    "ADMINISTRATORS_LEAST",
    "SERVICE_ROLES",
    "ExclusiveRolesError",
    "GrantEndedError",
    "GrantOverlapsError",
    "LastAdministratorsError",
    "NewGrant",
    "NipTakenError",
    "PersonExistsError",
    "ServiceRoleError",
    "UnknownGrantError",
    "check_administrators_stay",
    "check_grant_fits",
    "check_grant_form",
    "check_person_form",
    "exclusive_conflict",
]

#: Below two administrators no act of administrators can ever be done again.
ADMINISTRATORS_LEAST: Final = 2
#: What a service may be granted: it feeds journals or runs the reconciliation, nothing else.
SERVICE_ROLES: Final = frozenset({"feed", "reconciler"})
MANDATES: Final = ("definitive", "plt", "plh")

_PERSON = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")
# Nomor Induk Pegawai: 18 digits (birth date, month of appointment, sex, serial number).
_NIP = re.compile(r"[0-9]{18}")


class PersonExistsError(LedgerError):
    """An id names one person for ever."""

    def __init__(self, *, person: str) -> None:
        super().__init__(f"person {person} exists already", person=person)


class NipTakenError(LedgerError):
    """One NIP is one natural person: a second id would give that person two hands (SOD-2)."""

    def __init__(self, *, person: str, taken_by: str) -> None:
        super().__init__(
            f"the NIP given for {person} is the NIP of {taken_by}",
            person=person,
            taken_by=taken_by,
        )


class ExclusiveRolesError(LedgerError):
    """An administrator holds no financial role, an inspector none that writes (SOD-8)."""

    def __init__(self, *, person: str, role: str, held: str, grant: str) -> None:
        super().__init__(
            f"{person} holds {held} by grant {grant}, which may not meet {role} in one person",
            person=person,
            role=role,
            held=held,
            grant=grant,
        )


class ServiceRoleError(LedgerError):
    """A service is no officer."""

    final = True

    def __init__(self, *, person: str, role: str) -> None:
        super().__init__(
            f"{person} is a service; it may be granted {', '.join(sorted(SERVICE_ROLES))},"
            f" not {role}",
            person=person,
            role=role,
        )


class GrantOverlapsError(LedgerError):
    """Two grants of one role at a time: ending one would leave the other."""

    def __init__(self, *, person: str, role: str, grant: str) -> None:
        super().__init__(
            f"{person} holds {role} in these days by grant {grant}",
            person=person,
            role=role,
            grant=grant,
        )


class UnknownGrantError(LedgerError):
    """No such grant."""

    def __init__(self, *, grant: str) -> None:
        super().__init__(f"grant {grant} does not exist", grant=grant)


class GrantEndedError(LedgerError):
    """A grant is ended once."""

    def __init__(self, *, grant: str, ended_on: str) -> None:
        super().__init__(f"grant {grant} was ended on {ended_on}", grant=grant, ended_on=ended_on)


class LastAdministratorsError(LedgerError):
    """Fewer than two administrators could confirm nothing any more."""

    def __init__(self, *, grant: str, on: str, left: int) -> None:
        super().__init__(
            f"without grant {grant} there would be {left} administrators on {on};"
            f" {ADMINISTRATORS_LEAST} must stay",
            grant=grant,
            on=on,
            left=left,
        )


class NewGrant(NamedTuple):
    """A grant that is asked for. *skpd* empty: for all; dates inclusive."""

    person: str
    role: str
    skpd: str
    mandate: str
    mandate_document: str
    valid_from: str
    valid_to: str


def check_person_form(*, person: str, kind: str, name: str, nip: str) -> None:
    """Raises InvalidFieldError."""
    if _PERSON.fullmatch(person) is None:
        raise InvalidFieldError(
            "person",
            "is 2 to 64 of a-z, 0-9, point, dash and underscore, beginning with a letter or digit",
            ascii(person)[:80],
        )
    if kind not in ("officer", "service"):
        raise InvalidFieldError("kind", "is officer or service", ascii(kind)[:40])
    check_text("name", name, least=1, most=200)
    # A wrong NIP is not repeated in the refusal: it is somebody's.
    if nip and _NIP.fullmatch(nip) is None:
        raise InvalidFieldError("nip", "is 18 digits, or empty", f"{len(nip)} characters")
    if nip and kind == "service":
        raise InvalidFieldError("nip", "is empty for a service", f"{len(nip)} characters")


def check_grant_form(grant: NewGrant) -> None:
    """
    Role, mandate and dates by themselves. An acting officer (Plt, Plh) acts only under a dated
    mandate that names its document (SOD-9). Raises InvalidFieldError.
    """
    if grant.role not in ROLES:
        raise InvalidFieldError("role", f"is one of {', '.join(ROLES)}", ascii(grant.role)[:80])
    if grant.mandate not in MANDATES:
        raise InvalidFieldError(
            "mandate", f"is one of {', '.join(MANDATES)}", ascii(grant.mandate)[:40]
        )
    check_text("skpd", grant.skpd, most=64)
    check_text("mandate_document", grant.mandate_document, most=128)
    check_day("valid_from", grant.valid_from)
    check_day("valid_to", grant.valid_to)
    if grant.valid_to < grant.valid_from:
        raise InvalidFieldError("valid_to", f"is not before {grant.valid_from}", grant.valid_to)
    if grant.mandate != "definitive":
        if not grant.mandate_document:
            raise InvalidFieldError("mandate_document", f"is needed for a {grant.mandate}", "")
        if grant.valid_to == FOREVER:
            raise InvalidFieldError(
                "valid_to", f"is the day on which a {grant.mandate} ends", grant.valid_to
            )


def check_grant_fits(grant: NewGrant, settings: Settings) -> None:
    """
    The grant beside what is known and held.

    Raises:
        UnknownPersonError, UnknownEntityError, ServiceRoleError, ExclusiveRolesError,
        GrantOverlapsError
    """
    kind = settings.persons.get(grant.person)
    if kind is None:
        raise UnknownPersonError(person=grant.person[:80])
    if grant.skpd and grant.skpd not in settings.entities:
        raise UnknownEntityError(entity=grant.skpd)
    if kind == "service" and grant.role not in SERVICE_ROLES:
        raise ServiceRoleError(person=grant.person, role=grant.role)
    held = settings.grants.get(grant.person, ())
    wanted = Grant("", grant.role, grant.skpd, grant.mandate, grant.valid_from, grant.valid_to)
    conflict = exclusive_conflict(wanted, held)
    if conflict is not None:
        raise ExclusiveRolesError(
            person=grant.person, role=grant.role, held=conflict.role, grant=conflict.id
        )
    for other in held:
        if (other.role, other.skpd) == (grant.role, grant.skpd) and _meet(wanted, other):
            raise GrantOverlapsError(person=grant.person, role=grant.role, grant=other.id)


def exclusive_conflict(wanted: Grant, held: Iterable[Grant]) -> Grant | None:
    """The first grant held in the same days whose role may not meet the wanted one."""
    for other in held:
        if _meet(wanted, other) and (
            other.role in EXCLUSIVE.get(wanted.role, frozenset())
            or wanted.role in EXCLUSIVE.get(other.role, frozenset())
        ):
            return other
    return None


def check_administrators_stay(
    grants: Mapping[str, Iterable[Grant]], *, ending: str, on: str
) -> None:
    """Raises LastAdministratorsError when ending grant *ending* on that day leaves too few."""
    left = {
        person
        for person, held in grants.items()
        for grant in held
        if grant.role == "admin" and grant.id != ending and grant.valid_from <= on <= grant.valid_to
    }
    if len(left) < ADMINISTRATORS_LEAST:
        raise LastAdministratorsError(grant=ending, on=on, left=len(left))


def _meet(one: Grant, other: Grant) -> bool:
    return one.valid_from <= other.valid_to and other.valid_from <= one.valid_to
