"""
Shell: the disbursement order (SP2D). Three hands, then a number, a journal or a commitment, and one
payment per payee; or a cancellation by two persons while nothing has left (`cancelling`).

Signing runs every check again in the same transaction. Under `on_issue` the journal in both books
is posted now; under `on_cair` the cash is committed now and each payee's part is journalled when
the bank has paid it (D9).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from audit.canonical import JsonInput
from ledger.answers import Idempotency
from ledger.documents import payment_store, store
from ledger.documents.approving import approve, facts_of
from ledger.documents.bodies import ClaimBody, check_claims
from ledger.documents.cancelling import check_unpaid, take_back
from ledger.documents.checks import run_checks
from ledger.documents.content import Claim, Content, packed
from ledger.documents.issuing import Issued, issue
from ledger.documents.moves import Move, find_move
from ledger.documents.numbers import (
    SP2D_NUMBER_POLICY,
    document_id,
    sp2d_number,
    sp2d_series,
)
from ledger.documents.store import CONTENT_INLINE_MAX, StoredDocument
from ledger.errors import (
    FutureEffectiveDateError,
    InvalidFieldError,
    UnknownBankAccountError,
)
from ledger.journals import check_day, check_text
from ledger.money import sen_text
from ledger.session import Answer, Session, Wants
from ledger.settings import Settings

__all__ = [
    "CancelSp2d",
    "DiscardSp2d",
    "DraftSp2d",
    "ImportSp2d",
    "LinkSp2d",
    "RequestCancelSp2d",
    "SignSp2d",
    "VerifySp2d",
    "WithdrawCancelSp2d",
]


@dataclass(frozen=True, slots=True)
class DraftSp2d:
    """Prepare the SP2D of an accepted SPM (role sp2d_maker). The bank account may be the only one."""

    by: str
    spm: str
    bank_account: str = ""
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing that could be known before the SPM is read."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        spm = store.get_document(session.conn, session.government, self.spm, "spm")
        document, move = _new_sp2d(session, spm, "draft")
        role, grant = store.require_hand(session, self.by, move)
        content = _sp2d_content(session, spm, self.bank_account)
        checks = run_checks(
            facts_of(session, move, self.by, "SP2D maker", grant, document, content, spm=spm)
        )
        stored, moved = _create(session, document, content, move, self.by, role, checks)
        return store.move_answer(
            session, moved, revision=stored.revision, amount=sen_text(stored.net_sen)
        )


@dataclass(frozen=True, slots=True)
class VerifySp2d:
    """The second hand (role sp2d_verifier), with its own signature (act `sp2d.verify`)."""

    by: str
    document: str
    envelope: bytes
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing that could be known before the document is read."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        approval = approve(
            session, self.by, self.document, self.envelope, "verify", "SP2D verifier"
        )
        moved = store.record_move(
            session,
            approval.stored,
            approval.move,
            by=self.by,
            role=approval.role,
            checks=approval.checks,
            signed=approval.signed,
        )
        return store.move_answer(session, moved, revision=approval.stored.revision)


@dataclass(frozen=True, slots=True)
class SignSp2d:
    """
    The Kuasa BUD's signature (role deputy_treasurer, act `sp2d.sign`): the SP2D is issued.

    In one transaction: checks again, a gapless number, journal or commitment, payments. Answers the
    number and the payments' references.
    """

    by: str
    document: str
    envelope: bytes
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing that could be known before the document is read."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        approval = approve(session, self.by, self.document, self.envelope, "sign", "SP2D signer")
        stored = approval.stored
        serial = store.last_serial(session, stored.fiscal_year, sp2d_series(stored.origin)) + 1
        number = sp2d_number(
            pattern=session.settings.policy(SP2D_NUMBER_POLICY, session.today),
            government=session.government,
            origin=stored.origin,
            serial=serial,
            payment_kind=stored.payment_kind,
            skpd=stored.skpd,
            issued_on=session.today,
        )
        issued = issue(
            session,
            stored,
            approval.content,
            by=self.by,
            maker=approval.maker,
            number=number,
            issued_on=session.today,
        )
        store.use_serials(session, stored.fiscal_year, sp2d_series(stored.origin), 1)
        moved = store.record_move(
            session,
            stored,
            approval.move,
            by=self.by,
            role=approval.role,
            checks=approval.checks,
            signed=approval.signed,
            journal_id=issued.journal_id,
            data=issued.leaf_data(),
            number=number,
            issued_on=session.today,
        )
        issued.write(session, stored, approval.content, moved.leaf_index, by=self.by)
        return store.move_answer(session, moved, number=number, **issued.answer())


@dataclass(frozen=True, slots=True)
class ImportSp2d:
    """
    Take over an SP2D that was signed in SIPD (role sp2d_maker), on an accepted SPM of that origin.

    *claims* are the hands as they claim, *evidence_sha256* the SIPD file's. It books what signing
    books; its money leaves only through an advice list that two other persons sign.
    """

    by: str
    spm: str
    number: str
    issued_on: str
    evidence_sha256: str
    claims: Sequence[ClaimBody]
    bank_account: str = ""
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing that could be known before the SPM is read."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        check_text("number", self.number, least=1, most=128)
        check_day("issued_on", self.issued_on)
        check_claims("sipd", self.evidence_sha256, self.claims)
        if self.issued_on > session.today:
            raise FutureEffectiveDateError(effective_on=self.issued_on, today=session.today)
        spm = store.get_document(session.conn, session.government, self.spm, "spm")
        document, move = _new_sp2d(session, spm, "import")
        role, grant = store.require_hand(session, self.by, move)
        if self.issued_on < spm.dated_on or int(self.issued_on[:4]) != spm.fiscal_year:
            raise InvalidFieldError("issued_on", f"is from {spm.dated_on} on", self.issued_on)
        store.free_external_number(session, self.number, "sp2d", spm.fiscal_year)
        content = _sp2d_content(
            session,
            spm,
            self.bank_account,
            number=self.number,
            evidence_sha256=self.evidence_sha256,
            claims=tuple(_claim(session, document, claim) for claim in self.claims),
        )
        checks = run_checks(
            facts_of(session, move, self.by, "SP2D importer", grant, document, content, spm=spm)
        )
        data = packed(content)
        draft_row = store.StoredDocument.of(document, content, data)
        issued = issue(
            session,
            draft_row,
            content,
            by=self.by,
            maker=self.by,
            number=self.number,
            issued_on=self.issued_on,
        )
        stored, moved = _create(
            session,
            document,
            content,
            move,
            self.by,
            role,
            checks,
            issued=issued,
            issued_on=self.issued_on,
        )
        issued.write(session, stored, content, moved.leaf_index, by=self.by)
        return store.move_answer(
            session, moved, revision=stored.revision, number=self.number, **issued.answer()
        )


@dataclass(frozen=True, slots=True)
class DiscardSp2d:
    """Drop an SP2D that was not signed; the SPM may get another (any hand of the treasury)."""

    by: str
    document: str
    reason: str
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        return _plain_move(session, self.by, self.document, "discard", self.reason)


@dataclass(frozen=True, slots=True)
class RequestCancelSp2d:
    """First half of cancelling a signed SP2D: its payments can't be listed from now on."""

    by: str
    document: str
    reason: str
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        return _plain_move(session, self.by, self.document, "request_cancel", self.reason)


@dataclass(frozen=True, slots=True)
class WithdrawCancelSp2d:
    """Take a request to cancel back; the SP2D stands as signed."""

    by: str
    document: str
    reason: str
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        return _plain_move(session, self.by, self.document, "withdraw_cancel", self.reason)


@dataclass(frozen=True, slots=True)
class CancelSp2d:
    """
    Cancel an SP2D of which nothing has left (role deputy_treasurer, another than who requested it).

    What that asks of every attempt at its payments stands in `cancelling`. The journal is reversed, or the commitment ended; room is freed; the number is kept for ever.
    """

    by: str
    document: str
    reason: str
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing that could be known before the document is read."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        check_text("reason", self.reason, least=1, most=1_000)
        stored = store.get_document(session.conn, session.government, self.document, "sp2d")
        move = find_move(
            "sp2d", "cancel", document=stored.id, state=stored.state, origin=stored.origin
        )
        role, grant = store.require_hand(session, self.by, move)
        hands = store.find_hands(session.conn, session.government, stored.id)
        content = store.content_of(stored)
        requested = [
            ("requester of the cancellation", hand.person)
            for hand in hands
            if hand.move == "request_cancel"
        ][-1:]
        checks = run_checks(
            facts_of(
                session, move, self.by, "canceller", grant, stored.id, content, hands=requested
            )
        )
        payments = payment_store.of_document(session.conn, session.government, stored.id)
        check_unpaid(session, stored, payments)
        journal_id = take_back(session, stored, content, hands, payments, by=self.by)
        moved = store.record_move(
            session,
            stored,
            move,
            by=self.by,
            role=role,
            checks=checks,
            reason=self.reason,
            journal_id=journal_id,
            data={"payments": {"cancelled": len(payments)}},
        )
        payment_store.step_all(
            session, payments, "cancelled", by=self.by, leaf_index=moved.leaf_index
        )
        return store.move_answer(session, moved, number=stored.number, journal=journal_id)


@dataclass(frozen=True, slots=True)
class LinkSp2d:
    """Give an SP2D of the continuity series the number that SIPD gave it later (role sp2d_maker)."""

    by: str
    document: str
    external_number: str
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        check_text("external_number", self.external_number, least=1, most=128)
        stored = store.get_document(session.conn, session.government, self.document, "sp2d")
        move = find_move(
            "sp2d", "link", document=stored.id, state=stored.state, origin=stored.origin
        )
        role, _ = store.require_hand(session, self.by, move)
        if stored.external_number:
            raise InvalidFieldError("external_number", "is set already", stored.external_number)
        store.free_external_number(session, self.external_number, "sp2d", stored.fiscal_year)
        moved = store.record_move(
            session, stored, move, by=self.by, role=role, external_number=self.external_number
        )
        return store.move_answer(session, moved, number=stored.number)


# --- the common parts --------------------------------------------------------------------------


def _new_sp2d(session: Session, spm: StoredDocument, name: str) -> tuple[str, Move]:
    serial = store.last_serial(session, spm.fiscal_year, "sp2d-register") + 1
    document = document_id("sp2d", spm.fiscal_year, serial)
    return document, find_move("sp2d", name, document=document, state="", origin=spm.origin)


def _sp2d_content(
    session: Session,
    spm: StoredDocument,
    bank_account: str,
    *,
    number: str = "",
    evidence_sha256: str = "",
    claims: tuple[Claim, ...] = (),
) -> Content:
    """The SPM's content as an SP2D: the same lines, deductions, payees and commitments."""
    bank_account = bank_account or session.settings.only_bank_account()
    if bank_account not in session.settings.bank_accounts:
        raise UnknownBankAccountError(bank_account=bank_account[:80])
    said = store.content_of(spm)
    return Content(
        version=1,
        kind="sp2d",
        origin=said.origin,
        fiscal_year=said.fiscal_year,
        skpd=said.skpd,
        payment_kind=said.payment_kind,
        bank_account=bank_account,
        dated_on=session.today,
        external_number=number,
        parent=spm.id,
        parent_revision=spm.revision,
        purpose=said.purpose,
        evidence_sha256=evidence_sha256,
        claims=claims,
        lines=said.lines,
        deductions=said.deductions,
        payees=said.payees,
    )


def _claim(session: Session, document: str, claim: ClaimBody) -> Claim:
    about = f"document:{document}"
    return Claim(
        claim.role,
        session.private("officer_name", claim.name, subject=about),
        session.private("nip", claim.nip, subject=about) if claim.nip else "",
        claim.on,
    )


def _create(
    session: Session,
    document: str,
    content: Content,
    move: Move,
    by: str,
    role: str,
    checks: Sequence[JsonInput],
    *,
    issued: Issued | None = None,
    issued_on: str = "",
) -> tuple[StoredDocument, store.Moved]:
    data = packed(content)
    store.use_serials(session, content.fiscal_year, "sp2d-register", 1)
    stored = store.create_document(session, document, content, data)
    moved = store.record_move(
        session,
        stored,
        move,
        by=by,
        role=role,
        checks=checks,
        journal_id=issued.journal_id if issued else None,
        data={
            **store.inline_or_hash("content", data, CONTENT_INLINE_MAX),
            **(issued.leaf_data() if issued else {}),
        },
        issued_on=issued_on,
    )
    return stored, moved


def _plain_move(session: Session, by: str, document: str, name: str, reason: str) -> Answer:
    """A move with a reason and no effect on money."""
    check_text("reason", reason, least=1, most=1_000)
    stored = store.get_document(session.conn, session.government, document, "sp2d")
    move = find_move("sp2d", name, document=stored.id, state=stored.state, origin=stored.origin)
    role, _ = store.require_hand(session, by, move)
    moved = store.record_move(session, stored, move, by=by, role=role, reason=reason)
    return store.move_answer(session, moved)


# --- issuing -------------------------------------------------------------------------------------
