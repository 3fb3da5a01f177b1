"""
What an officer must have signed for a move to count.

Pure: the expected statement and the envelope in, the nonce out. Whose key it is, is read from the
enrolments by the shell; the envelope alone says nothing about that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from audit import dsse
from audit.curve import load_public_key
from audit.errors import AuditError
from audit.statement import Statement, parse_statement
from ledger.documents.errors import SignatureRefusedError, StatementMismatchError

__all__ = ["ToSign", "envelope_keyid", "verify_envelope"]


@dataclass(frozen=True, slots=True)
class ToSign:
    """The members of a statement that the ledger decides; the officer adds key, nonce and clock."""

    origin: str
    act: str
    object: str
    revision: str
    line_totals: Mapping[str, str]
    payees: tuple[str, ...]
    amount: str
    role: str
    decision: str = "approve"


def envelope_keyid(envelope: bytes, *, officer: str) -> dsse.Envelope:
    """Read an envelope; its key is still unproven. Raises SignatureRefusedError."""
    try:
        return dsse.parse_envelope(envelope)
    except AuditError as error:
        raise SignatureRefusedError(reason=error.code, officer=officer) from None


def verify_envelope(
    envelope: dsse.Envelope, *, public_key: bytes, officer: str, expected: ToSign
) -> str:
    """
    The nonce of a statement that *public_key* signed and that says exactly what is expected.

    Raises:
        SignatureRefusedError: Another key, a damaged signature, or no statement of ours.
        StatementMismatchError: A member says something else.
    """
    try:
        statement = parse_statement(dsse.verify(envelope, load_public_key(public_key)))
    except AuditError as error:
        raise SignatureRefusedError(reason=error.code, officer=officer) from None
    _compare(statement, expected, officer=officer, keyid=envelope.keyid)
    return statement.nonce


def _compare(statement: Statement, expected: ToSign, *, officer: str, keyid: str) -> None:
    for member, wanted, signed in (
        ("origin", expected.origin, statement.origin),
        ("act", expected.act, statement.act),
        ("object", expected.object, statement.object),
        ("revision", expected.revision, statement.revision),
        ("decision", expected.decision, statement.decision),
        ("role", expected.role, statement.role),
        ("officer", officer, statement.officer),
        ("key_id", keyid, statement.key_id),
        ("amount", expected.amount, statement.amount),
        ("line_totals", dict(expected.line_totals), dict(statement.line_totals)),
        ("payees", expected.payees, statement.payees),
    ):
        if wanted != signed:
            raise StatementMismatchError(
                member=member, expected=str(wanted)[:200], signed=str(signed)[:200]
            )
