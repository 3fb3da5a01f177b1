"""
Shell: the advice list (daftar penguji), the only way a payment leaves.

A draft fixes which payments go and the exact bytes the bank will get; a verifier and the Kuasa BUD
sign its revision with their own keys; signing moves the payments from held to queued. Payments of an
earlier attempt that was rejected or returned are booked (or committed) again at this signature.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from audit.dsse import parse_envelope
from ledger import tables as t
from ledger.answers import Idempotency
from ledger.documents import dispatch_store, payment_store, store
from ledger.documents.advice_file import (
    AdviceFile,
    advice_package,
    file_bytes,
    file_sha256,
    of_content,
)
from ledger.documents.advice_payments import (
    ROWS_MAX,
    held_payments,
    listable,
    pay_again,
    payment_makers,
    payments_of,
)
from ledger.documents.bodies import check_sha256
from ledger.documents.calls import FILE, channel_of
from ledger.documents.content import (
    AdviceContent,
    AdviceRow,
    packed,
    read_advice,
    revision_of,
)
from ledger.documents.errors import (
    DocumentMoveNotAllowedError,
    NotByFileError,
    NothingToPayError,
    PaymentNotHeldError,
    TextErasedError,
)
from ledger.documents.moves import Move, find_move
from ledger.documents.numbers import advice_number, document_id
from ledger.documents.signing import ToSign
from ledger.documents.store import CONTENT_INLINE_MAX, StoredDocument
from ledger.errors import InvalidFieldError, OwnApprovalError, UnknownBankAccountError
from ledger.journals import check_day, check_text
from ledger.money import sen_text
from ledger.session import Answer, Session, Wants
from ledger.settings import Settings

__all__ = [
    "DiscardAdviceList",
    "DraftAdviceList",
    "SendAdviceList",
    "SignAdviceList",
    "VerifyAdviceList",
    "advice_list_file",
    "advice_to_sign",
]


@dataclass(frozen=True, slots=True)
class DraftAdviceList:
    """
    Collect held payments of one bank account (roles sp2d_maker, sp2d_verifier).

    *payments* are references; none means all that wait, oldest first, up to 10,000. *transfer_on* is
    the day the bank should pay, today if empty.
    """

    by: str
    bank_account: str = ""
    payments: Sequence[str] = ()
    transfer_on: str = ""
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        transfer_on = self.transfer_on or session.today
        check_day("transfer_on", transfer_on)
        if transfer_on < session.today:
            raise InvalidFieldError("transfer_on", f"is {session.today} or later", transfer_on)
        bank_account = self.bank_account or session.settings.only_bank_account()
        if bank_account not in session.settings.bank_accounts:
            raise UnknownBankAccountError(bank_account=bank_account[:80])
        year = int(session.today[:4])
        serial = store.last_serial(session, year, "advice_list") + 1
        document = document_id("advice_list", year, serial)
        move = find_move("advice_list", "draft", document=document, state="", origin="own")
        role, _ = store.require_hand(session, self.by, move)
        rows = self._rows(session, bank_account)
        number = advice_number(session.government, year, serial)
        content = _content(session, document, number, bank_account, transfer_on, rows)
        data = packed(content)
        stored = _stored(document, content, data)
        store.use_serials(session, year, "advice_list", 1)
        store.insert_document(session, stored)
        moved = store.record_move(
            session,
            stored,
            move,
            by=self.by,
            role=role,
            data=store.inline_or_hash("content", data, CONTENT_INLINE_MAX),
            number=number,
        )
        return store.move_answer(
            session,
            moved,
            revision=stored.revision,
            number=number,
            amount=sen_text(stored.net_sen),
            payments=len(rows),
            file_sha256=content.file_sha256,
        )

    def _rows(self, session: Session, bank_account: str) -> list[AdviceRow]:
        asked = list(dict.fromkeys(self.payments))
        if len(asked) > ROWS_MAX:
            raise InvalidFieldError("payments", f"are at most {ROWS_MAX}", len(asked))
        if not asked:
            found = list(listable(session, bank_account))
            if not found:
                raise NothingToPayError(bank_account=bank_account)
            return found
        known = {row.payment: row for row in listable(session, bank_account, asked)}
        for reference in asked:
            if reference not in known:
                payment = payment_store.get(session.conn, session.government, reference)
                raise PaymentNotHeldError(
                    payment=reference,
                    state=payment.state,
                    reason="it is held, of a signed SP2D, and paid from the list's bank account",
                )
        return [known[reference] for reference in asked]


@dataclass(frozen=True, slots=True)
class VerifyAdviceList:
    """The first signing hand (role sp2d_verifier, act `advice_list.verify`)."""

    by: str
    document: str
    envelope: bytes
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        stored, content = _read(session, self.document)
        move, role, signed = _approve(
            session, stored, content, self.by, self.envelope, "verify", "list verifier"
        )
        held_payments(session, content)
        moved = store.record_move(session, stored, move, by=self.by, role=role, signed=signed)
        return store.move_answer(session, moved, revision=stored.revision)


@dataclass(frozen=True, slots=True)
class SignAdviceList:
    """The Kuasa BUD's signature (act `advice_list.sign`): every payment in it is queued."""

    by: str
    document: str
    envelope: bytes
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        stored, content = _read(session, self.document)
        move, role, signed = _approve(
            session, stored, content, self.by, self.envelope, "sign", "list signer"
        )
        payments = held_payments(session, content)
        journals = pay_again(session, stored, payments, by=self.by)
        moved = store.record_move(
            session,
            stored,
            move,
            by=self.by,
            role=role,
            signed=signed,
            data={"payments": len(payments)},
            issued_on=session.today,
        )
        payment_store.step_all(
            session,
            payments,
            "queued",
            by=self.by,
            leaf_index=moved.leaf_index,
            journals=journals,
            advice_list=stored.id,
        )
        channel = channel_of(session.settings.policies, stored.bank_account, session.today)
        dispatch_store.add_orders(
            session,
            payments,
            advice_list=stored.id,
            channel=channel,
            transfer_on=content.transfer_on,
            leaf_index=moved.leaf_index,
        )
        return store.move_answer(
            session,
            moved,
            number=stored.number,
            file_sha256=content.file_sha256,
            channel=channel,
        )


@dataclass(frozen=True, slots=True)
class SendAdviceList:
    """
    Record that the signed file went to the bank (roles sp2d_maker, deputy_treasurer).

    *file_sha256* is what was handed over; it must be the file that was signed. Queued payments
    become sent.
    """

    by: str
    document: str
    file_sha256: str
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        check_sha256("file_sha256", self.file_sha256)
        stored, content = _read(session, self.document)
        move = _move(stored, "send")
        role, _ = store.require_hand(session, self.by, move)
        _check_by_file(session.conn, session.government, stored)
        if self.file_sha256 != content.file_sha256:
            raise InvalidFieldError("file_sha256", "is of the signed file", self.file_sha256)
        queued = [p for p in payments_of(session, content) if p.state == "queued"]
        moved = store.record_move(
            session,
            stored,
            move,
            by=self.by,
            role=role,
            data={"payments": len(queued)},
        )
        payment_store.step_all(
            session,
            queued,
            "sent",
            by=self.by,
            leaf_index=moved.leaf_index,
            evidence_sha256=self.file_sha256,
        )
        return store.move_answer(session, moved, sent=len(queued))


@dataclass(frozen=True, slots=True)
class DiscardAdviceList:
    """Drop a list that was not signed; its payments stay held, its number stays used."""

    by: str
    document: str
    reason: str
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        check_text("reason", self.reason, least=1, most=1_000)
        stored, _ = _read(session, self.document)
        move = _move(stored, "discard")
        role, _ = store.require_hand(session, self.by, move)
        moved = store.record_move(session, stored, move, by=self.by, role=role, reason=self.reason)
        return store.move_answer(session, moved)


# --- the file --------------------------------------------------------------------------------


def advice_list_file(conn: Connection, government: str, document: str) -> AdviceFile:
    """
    The exact bytes for the bank of a signed list, with both signatures.

    Raises:
        UnknownDocumentError, DocumentMoveNotAllowedError: No such list, or it is not signed.
        NotByFileError: Its orders leave by the bank's interface; handing over a file too would ask
            for them twice.
        TextErasedError: A payee's name or account was erased.
    """
    stored = store.get_document(conn, government, document, "advice_list")
    if stored.state not in ("signed", "sent"):
        raise DocumentMoveNotAllowedError(
            document=stored.id, move="render", state=stored.state, allowed=[]
        )
    _check_by_file(conn, government, stored)
    content = read_advice(stored.content)
    wanted = _commitments(content)
    texts = store.stored_texts(conn, government, wanted)
    for commitment in wanted:
        if commitment not in texts:
            raise TextErasedError(field="payee", commitment=commitment)
    file = of_content(content, government=government, texts=texts)
    m = t.document_move.c
    envelopes = [
        bytes(row[0])
        for row in conn.execute(
            select(m.envelope)
            .where(m.government == government, m.document_id == stored.id, m.hand != "")
            .order_by(m.n)
        )
    ]
    key = t.officer_key.c
    keys = {
        row[0]: bytes(row[1]).hex()
        for row in conn.execute(
            select(key.key_id, key.public_key).where(
                key.government == government,
                key.key_id.in_([parse_envelope(envelope).keyid for envelope in envelopes]),
            )
        )
    }
    package = advice_package(file, stored.content, envelopes, keys)
    return AdviceFile(stored.id, stored.number, file, package)


def advice_to_sign(
    content: AdviceContent, *, origin: str, act: str, document: str, revision: str, role: str
) -> ToSign:
    """What an officer's statement on a list must say: net by SP2D, a commitment to each row."""
    totals: dict[str, int] = {}
    for row in content.rows:
        totals[row.sp2d] = totals.get(row.sp2d, 0) + row.net_sen
    return ToSign(
        origin=origin,
        act=act,
        object=document,
        revision=revision,
        line_totals={sp2d: sen_text(sen) for sp2d, sen in totals.items()},
        payees=tuple(row.digest() for row in content.rows),
        amount=sen_text(sum(totals.values())),
        role=role,
    )


# --- the common parts ----------------------------------------------------------------------------


def _read(session: Session, document: str) -> tuple[StoredDocument, AdviceContent]:
    stored = store.get_document(session.conn, session.government, document, "advice_list")
    return stored, read_advice(stored.content)


def _move(stored: StoredDocument, name: str) -> Move:
    return find_move("advice_list", name, document=stored.id, state=stored.state, origin="own")


def _check_by_file(conn: Connection, government: str, stored: StoredDocument) -> None:
    """Raises NotByFileError. A list that was signed before there was an outbox leaves by file."""
    channel = dispatch_store.channel_of_list(conn, government, stored.id)
    if channel not in ("", FILE):
        raise NotByFileError(document=stored.id, bank_account=stored.bank_account, channel=channel)


def _approve(
    session: Session,
    stored: StoredDocument,
    content: AdviceContent,
    by: str,
    envelope: bytes,
    name: str,
    act_as: str,
) -> tuple[Move, str, store.Signed]:
    """Duties, then the signature."""
    move = _move(stored, name)
    role, _ = store.require_hand(session, by, move)
    hands = [
        (f"list {hand.hand or 'maker'}", hand.person)
        for hand in store.find_hands(session.conn, session.government, stored.id)
        if hand.hand or (hand.move == "draft" and name == "sign")
    ]
    hands += payment_makers(session, content)
    for first, person in hands:
        if person == by:
            raise OwnApprovalError(person=person, first=first, second=act_as)
    signed = store.check_signature(
        session,
        envelope,
        officer=by,
        expected=advice_to_sign(
            content,
            origin=session.batch.origin,
            act=move.act,
            document=stored.id,
            revision=stored.revision,
            role=role,
        ),
    )
    return move, role, signed


def _content(
    session: Session,
    document: str,
    number: str,
    bank_account: str,
    transfer_on: str,
    rows: Sequence[AdviceRow],
) -> AdviceContent:
    salt = secrets.token_hex(32)
    salt_c = session.private("file_salt", salt, subject=f"document:{document}")
    texts = store.private_texts(session, [c for row in rows for c in (row.name, row.account)])
    file = file_bytes(
        government=session.government,
        number=number,
        bank_account=bank_account,
        dated_on=session.today,
        transfer_on=transfer_on,
        salt=salt,
        rows=rows,
        texts=texts,
    )
    return AdviceContent(
        version=1,
        kind="advice_list",
        fiscal_year=int(session.today[:4]),
        number=number,
        bank_account=bank_account,
        dated_on=session.today,
        transfer_on=transfer_on,
        file_salt=salt_c,
        file_sha256=file_sha256(file),
        rows=tuple(rows),
    )


def _stored(document: str, content: AdviceContent, data: bytes) -> StoredDocument:
    return StoredDocument(
        id=document,
        kind="advice_list",
        number="",
        external_number="",
        origin="own",
        fiscal_year=content.fiscal_year,
        skpd="",
        payment_kind="",
        bank_account=content.bank_account,
        parent_id="",
        dated_on=content.dated_on,
        # A list orders transfers: what was withheld was booked with each SP2D.
        gross_sen=content.net_sen,
        deduction_sen=0,
        net_sen=content.net_sen,
        revision=revision_of(data),
        content=data,
        issued_on="",
        state="",
        state_n=0,
    )


def _commitments(content: AdviceContent) -> list[str]:
    return [content.file_salt, *(c for row in content.rows for c in (row.name, row.account))]
