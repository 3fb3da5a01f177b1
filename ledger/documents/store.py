"""
Shell: documents as rows. Read them, create them, move them; numbers, keys and private texts.

Everything runs inside `post_batch`, under the government's edge lock. A move is three writes that
belong together: the leaf (kept by the session until the flush), the `document_move` row, and the
document's state. If the process dies anywhere before the caller's COMMIT, none of them was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, LargeBinary, Table, literal, select, update

from audit import bulk
from audit.canonical import JsonInput, canonical_fast
from audit.database import private_value
from ledger import tables as t
from ledger.documents.content import (
    Content,
    line_totals,
    read_content,
    revision_of,
    totals_text,
)
from ledger.documents.errors import (
    EnvelopeRequiredError,
    ExternalNumberTakenError,
    NonceUsedError,
    SignatureRefusedError,
    TextErasedError,
    UnknownDocumentError,
)
from ledger.documents.moves import Move
from ledger.documents.signing import ToSign, envelope_keyid, verify_envelope
from ledger.errors import UnknownPersonError
from ledger.money import sen_text
from ledger.officer_keys import (
    OfficerKeyRevokedError,
    UnknownOfficerKeyError,
    officer_public_key,
)
from ledger.session import Answer, Session
from ledger.settings import Grant

__all__ = [
    "CHECKS_INLINE_MAX",
    "CONTENT_INLINE_MAX",
    "UNSIGNED",
    "Hand",
    "Moved",
    "Signed",
    "StoredDocument",
    "check_signature",
    "content_of",
    "content_rows",
    "create_document",
    "find_hands",
    "free_external_number",
    "get_document",
    "inline_or_hash",
    "insert_document",
    "last_serial",
    "move_answer",
    "private_texts",
    "record_move",
    "require_hand",
    "stored_texts",
    "to_sign",
    "use_serials",
]

#: Beyond this many bytes a leaf carries the hash; the export carries the bytes beside it.
CONTENT_INLINE_MAX: Final = 40_000
CHECKS_INLINE_MAX: Final = 8_000

_MOVE_COLUMNS: Final = tuple(t.document_move.c.keys())
_DOCUMENT_COLUMNS: Final = tuple(t.document.c.keys())
_ALL: Final = tuple(t.document.c)[1:]
_WITHOUT_CONTENT: Final = tuple(
    literal(b"", LargeBinary).label(c.name) if c.name == "content" else c for c in _ALL
)


class StoredDocument(NamedTuple):
    """A document's row, in the order of its columns after the government."""

    id: str
    kind: str
    number: str
    external_number: str
    origin: str
    fiscal_year: int
    skpd: str
    payment_kind: str
    bank_account: str
    parent_id: str
    dated_on: str
    gross_sen: int
    deduction_sen: int
    net_sen: int
    revision: str
    content: bytes
    issued_on: str
    state: str
    state_n: int

    @classmethod
    def of(cls, document: str, content: Content, data: bytes) -> StoredDocument:
        """The row of a new SPM or SP2D, before its first move."""
        return cls(
            id=document,
            kind=content.kind,
            number="",
            external_number=content.external_number,
            origin=content.origin,
            fiscal_year=content.fiscal_year,
            skpd=content.skpd,
            payment_kind=content.payment_kind,
            bank_account=content.bank_account,
            parent_id=content.parent,
            dated_on=content.dated_on,
            gross_sen=content.gross_sen,
            deduction_sen=content.deduction_sen,
            net_sen=content.net_sen,
            revision=revision_of(data),
            content=data,
            issued_on="",
            state="",
            state_n=0,
        )


class Hand(NamedTuple):
    """Who made which move of a document."""

    n: int
    move: str
    hand: str
    person: str
    journal_id: int | None


class Moved(NamedTuple):
    """A move in the books."""

    document: str
    state: str
    n: int
    leaf_index: int


@dataclass(frozen=True, slots=True)
class Signed:
    """An officer's verified envelope."""

    envelope: bytes
    nonce: str

    @property
    def sha256(self) -> str:
        """Of the envelope's bytes; empty where nobody signed."""
        return hashlib.sha256(self.envelope).hexdigest() if self.envelope else ""


UNSIGNED: Final = Signed(b"", "")


# --- reading ---------------------------------------------------------------------------------


def get_document(
    conn: Connection, government: str, document: str, kind: str, *, content: bool = True
) -> StoredDocument:
    """
    A document; without its *content* where that isn't looked at: a list of payees is megabytes.

    Raises:
        UnknownDocumentError
    """
    row = conn.execute(
        select(*(_ALL if content else _WITHOUT_CONTENT)).where(
            t.document.c.government == government,
            t.document.c.id == document,
            t.document.c.kind == kind,
        )
    ).first()
    if row is None:
        raise UnknownDocumentError(document=document[:80], kind=kind)
    stored = StoredDocument(*row)
    return stored._replace(content=bytes(stored.content))


def content_of(stored: StoredDocument) -> Content:
    """What an SPM or SP2D says."""
    return read_content(stored.content)


def find_hands(conn: Connection, government: str, document: str) -> list[Hand]:
    """All moves of a document, in order."""
    m = t.document_move.c
    return [
        Hand(*row)
        for row in conn.execute(
            select(m.n, m.move, m.hand, m.person_id, m.journal_id)
            .where(m.government == government, m.document_id == document)
            .order_by(m.n)
        )
    ]


def private_texts(session: Session, commitments: Iterable[str]) -> dict[str, str]:
    """
    The texts behind commitments, also those of this very batch.

    Raises:
        TextErasedError: One of them was erased.
    """
    wanted = list(dict.fromkeys(commitments))
    texts = {str(row[1]): str(row[5]) for row in session.batch.pending_private()}
    missing = [commitment for commitment in wanted if commitment not in texts]
    texts.update(stored_texts(session.conn, session.government, missing))
    for commitment in wanted:
        if commitment not in texts:
            raise TextErasedError(field="private text", commitment=commitment)
    return texts


def stored_texts(conn: Connection, government: str, commitments: Sequence[str]) -> dict[str, str]:
    """The texts behind commitments, without those that were erased."""
    found = bulk.read_rows(
        conn,
        private_value,
        ("government", "commitment"),
        ("value",),
        [(government, commitment) for commitment in commitments],
    )
    return {str(row[1]): str(row[2]) for row in found}


# --- who ---------------------------------------------------------------------------------------


def require_hand(session: Session, by: str, move: Move, *, skpd: str = "") -> tuple[str, Grant]:
    """
    The role, and the grant of today, in which this person may make the move.

    Raises:
        UnknownPersonError, NotGrantedError
    """
    if by not in session.settings.persons:
        raise UnknownPersonError(person=by)
    for role in move.roles:
        held = session.settings.grant(by, role, session.today, skpd=skpd)
        if held is not None:
            return role, held
    session.settings.require(by, move.roles[0], session.today, skpd=skpd)
    raise AssertionError("require raises where grant found nothing")


def to_sign(
    *, origin: str, act: str, document: str, revision: str, role: str, content: Content
) -> ToSign:
    """What the officer's statement on an SPM or SP2D must say."""
    return ToSign(
        origin=origin,
        act=act,
        object=document,
        revision=revision,
        line_totals=totals_text(line_totals(content.lines)),
        payees=tuple(payee.digest() for payee in content.payees),
        amount=sen_text(content.net_sen),
        role=role,
    )


def check_signature(session: Session, envelope: bytes, *, officer: str, expected: ToSign) -> Signed:
    """
    Verify an envelope against the officer's enrolled, unended key.

    Raises:
        EnvelopeRequiredError, SignatureRefusedError, StatementMismatchError, NonceUsedError
    """
    if not envelope:
        raise EnvelopeRequiredError(act=expected.act)
    parsed = envelope_keyid(envelope, officer=officer)
    try:
        person, public_key = officer_public_key(session.conn, session.government, parsed.keyid)
    except (UnknownOfficerKeyError, OfficerKeyRevokedError) as refusal:
        raise SignatureRefusedError(reason=refusal.code, officer=officer) from None
    if person != officer:
        raise SignatureRefusedError(reason="another_officers_key", officer=officer)
    nonce = verify_envelope(parsed, public_key=public_key, officer=officer, expected=expected)
    m = t.document_move.c
    used = session.conn.execute(
        # Written out, so that PostgreSQL and SQLite both use the partial index.
        select(m.document_id).where(
            m.nonce == nonce, m.nonce != "", m.government == session.government
        )
    ).scalar()
    if used is not None:
        raise NonceUsedError(nonce=nonce, document=used)
    return Signed(envelope, nonce)


# --- numbers ---------------------------------------------------------------------------------


def last_serial(session: Session, fiscal_year: int, series: str) -> int:
    """The last number of a series; the edge lock keeps it still."""
    s = t.number_series.c
    return (
        session.conn.execute(
            select(s.last).where(
                s.government == session.government,
                s.fiscal_year == fiscal_year,
                s.series == series,
            )
        ).scalar()
        or 0
    )


def use_serials(session: Session, fiscal_year: int, series: str, count: int) -> None:
    """Use up *count* numbers. Only when nothing can be refused any more: there are no gaps."""
    bulk.upsert_rows(
        session.conn,
        t.number_series,
        ("government", "fiscal_year", "series"),
        ("last",),
        [(session.government, fiscal_year, series, count)],
    )


def free_external_number(session: Session, number: str, kind: str, fiscal_year: int) -> None:
    """Raises ExternalNumberTakenError."""
    d = t.document.c
    taken = session.conn.execute(
        select(d.id).where(
            d.external_number == number,
            d.external_number != "",
            d.kind == kind,
            d.fiscal_year == fiscal_year,
            d.government == session.government,
        )
    ).scalar()
    if taken is not None:
        raise ExternalNumberTakenError(number=number, document=taken)


# --- writing -----------------------------------------------------------------------------------


def inline_or_hash(name: str, data: bytes, most: int) -> dict[str, JsonInput]:
    """A member of a leaf: what canonical *data* spells, or its SHA-256 when that is long."""
    if len(data) <= most:
        return {name: msgspec.json.decode(data) if data else None}
    return {f"{name}_sha256": hashlib.sha256(data).hexdigest()}


def create_document(
    session: Session, document: str, content: Content, data: bytes
) -> StoredDocument:
    """Insert an SPM or SP2D with its lines, deductions and payees; its first move must follow."""
    government = session.government
    stored = StoredDocument.of(document, content, data)
    insert_document(session, stored)
    for table, rows in content_rows(document, content).items():
        columns = tuple(table.c.keys())
        bulk.insert_rows(session.conn, table, columns, [(government, *row) for row in rows])
    return stored


def insert_document(session: Session, stored: StoredDocument) -> None:
    """Insert the document's own row."""
    bulk.insert_rows(session.conn, t.document, _DOCUMENT_COLUMNS, [(session.government, *stored)])


def content_rows(document: str, content: Content) -> dict[Table, list[bulk.Row]]:
    """The rows of `document_line`, `document_deduction`, `payee` (without government) by table."""
    return {
        t.document_line: [
            (document, n, line.budget_line, line.expense_account, line.amount_sen)
            for n, line in enumerate(content.lines, start=1)
        ],
        t.document_deduction: [
            (document, n, d.account, d.amount_sen, int(d.reduces_payment), d.billing)
            for n, d in enumerate(content.deductions, start=1)
        ],
        t.payee: [
            (
                document,
                n,
                p.subject,
                p.name,
                p.bank_code,
                p.account,
                p.npwp,
                p.gross_sen,
                p.deduction_sen,
                p.net_sen,
            )
            for n, p in enumerate(content.payees, start=1)
        ],
    }


def record_move(
    session: Session,
    document: StoredDocument,
    move: Move,
    *,
    by: str,
    role: str,
    checks: Sequence[JsonInput] = (),
    signed: Signed = UNSIGNED,
    reason: str = "",
    journal_id: int | None = None,
    data: Mapping[str, JsonInput] | None = None,
    number: str = "",
    external_number: str = "",
    issued_on: str = "",
) -> Moved:
    """
    Write a move: leaf, row, new state. Nothing may be refused any more.

    *data* are the leaf's members of this very move; *number*, *external_number* and *issued_on* are
    written to the document where given.
    """
    n = document.state_n + 1
    reason_c = (
        session.private("reason", reason, subject=f"document:{document.id}") if reason else ""
    )
    checked = canonical_fast(checks) if checks else b""
    leaf = session.batch.leaf(
        "document.moved",
        by,
        {
            "document": document.id,
            "kind": document.kind,
            "move": move.name,
            "n": n,
            "from": document.state,
            "to": move.target,
            "revision": document.revision,
            "role": role,
            "hand": move.hand,
            "on_day": session.today,
            "reason": reason_c,
            "envelope": signed.sha256,
            "nonce": signed.nonce,
            "journal": journal_id,
            "number": number,
            "external_number": external_number,
            "issued_on": issued_on,
            **inline_or_hash("checks", checked, CHECKS_INLINE_MAX),
            **(data or {}),
        },
    )
    bulk.insert_rows(
        session.conn,
        t.document_move,
        _MOVE_COLUMNS,
        [
            (
                session.government,
                document.id,
                n,
                move.name,
                document.state,
                move.target,
                by,
                role,
                move.hand,
                session.today,
                reason_c,
                checked,
                signed.envelope,
                signed.nonce,
                journal_id,
                leaf,
            )
        ],
    )
    changed: dict[str, str | int] = {"state": move.target, "state_n": n}
    for name, value in (
        ("number", number),
        ("external_number", external_number),
        ("issued_on", issued_on),
    ):
        if value:
            changed[name] = value
    session.conn.execute(
        update(t.document)
        .where(t.document.c.government == session.government, t.document.c.id == document.id)
        .values(changed)
    )
    return Moved(document.id, move.target, n, leaf)


def move_answer(session: Session, moved: Moved, **more: JsonInput) -> Answer:
    """What the caller learns of a move."""
    return {
        "document": moved.document,
        "state": moved.state,
        "n": moved.n,
        "leaf_index": moved.leaf_index,
        "recorded_at": session.batch.recorded_at,
        "batch": session.batch.seq,
        **more,
    }
