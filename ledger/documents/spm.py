"""
Shell: the order to pay (SPM). Register it, sign it, accept it (room is reserved), or turn it down.

Registering keeps the private texts and answers with the revision; that is what the budget user
signs. Accepting verifies the signature and reserves room on every budget line and its release. An
SPM of origin `sipd` was signed there: it is accepted on the evidence it names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from ledger import tables as t
from ledger.answers import Idempotency
from ledger.documents import store
from ledger.documents.bodies import SpmBody, check_accounts, check_spm
from ledger.documents.checks import BucketRoom, Facts, LineRoom, run_checks
from ledger.documents.content import (
    Claim,
    Content,
    Deduction,
    Payee,
    SpendingLine,
    line_totals,
    packed,
    totals_text,
)
from ledger.documents.errors import SpmOutOfDateError, SpmUsedError
from ledger.documents.moves import Move, find_move
from ledger.documents.numbers import document_id
from ledger.documents.store import CONTENT_INLINE_MAX, StoredDocument
from ledger.errors import InvalidFieldError
from ledger.journals import check_text
from ledger.money import parse_sen, sen_text
from ledger.session import Answer, Session, Wants
from ledger.settings import Settings

__all__ = [
    "AcceptSpm",
    "RefuseSpm",
    "RegisterSpm",
    "ReturnSpm",
    "SignSpm",
    "rooms_of",
    "spm_used_by",
]


@dataclass(frozen=True, slots=True)
class RegisterSpm:
    """
    Take in an SPM (roles budget_user of its SKPD, sp2d_maker): `registered`, nothing reserved yet.

    Answers the document's id, its revision, and what the budget user has to sign.
    """

    by: str
    body: SpmBody
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """The budget lines."""
        return Wants(budget_lines=[line.budget_line for line in self.body.lines])

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        body, settings = self.body, session.settings
        check_spm(body, entities=settings.entities)
        fiscal_year = int(body.dated_on[:4])
        serial = store.last_serial(session, fiscal_year, "spm") + 1
        document = document_id("spm", fiscal_year, serial)
        move = find_move("spm", "register", document=document, state="", origin=body.origin)
        role, grant = store.require_hand(session, self.by, move, skpd=body.skpd)
        if body.dated_on > session.today:
            raise SpmOutOfDateError(spm=body.number, dated_on=body.dated_on, today=session.today)
        check_accounts(body, settings.accounts_of(fiscal_year), fiscal_year=fiscal_year)
        for n, line in enumerate(body.lines):
            known = session.position.budget_line(line.budget_line, fiscal_year)
            if known.skpd != body.skpd:
                raise InvalidFieldError(
                    f"lines[{n}].budget_line", f"belongs to {known.skpd}", line.budget_line
                )
        store.free_external_number(session, body.number, "spm", fiscal_year)
        content = _content(session, body, document, fiscal_year)
        facts = Facts(
            act=move.act,
            act_as="registrar",
            by=self.by,
            grant=grant,
            today=session.today,
            document=document,
            content=content,
            settings=settings,
        )
        checks = run_checks(facts)
        data = packed(content)
        store.use_serials(session, fiscal_year, "spm", 1)
        stored = store.create_document(session, document, content, data)
        moved = store.record_move(
            session,
            stored,
            move,
            by=self.by,
            role=role,
            checks=checks,
            data=store.inline_or_hash("content", data, CONTENT_INLINE_MAX),
        )
        return store.move_answer(
            session,
            moved,
            revision=stored.revision,
            amount=sen_text(content.net_sen),
            line_totals=totals_text(line_totals(content.lines)),
            payees=[payee.digest() for payee in content.payees],
        )


@dataclass(frozen=True, slots=True)
class SignSpm:
    """The budget user signs a registered SPM (role budget_user of its SKPD; act `spm.sign`)."""

    by: str
    document: str
    envelope: bytes
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing that could be known before the document is read."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        stored = store.get_document(session.conn, session.government, self.document, "spm")
        _, moved = sign_spm(session, stored, self.by, self.envelope)
        return store.move_answer(session, moved, revision=stored.revision)


@dataclass(frozen=True, slots=True)
class AcceptSpm:
    """
    Accept a signed SPM and reserve its room (role sp2d_maker).

    With an *envelope* (and its *signer*) a registered SPM is signed and accepted in one go.
    """

    by: str
    document: str
    signer: str = ""
    envelope: bytes = b""
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing that could be known before the document is read."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        stored = store.get_document(session.conn, session.government, self.document, "spm")
        content = store.content_of(stored)
        signing = self._signing(session, stored, content)
        state = "signed" if signing else stored.state
        move = find_move("spm", "accept", document=stored.id, state=state, origin=stored.origin)
        role, grant = store.require_hand(session, self.by, move, skpd=stored.skpd)
        hands = store.find_hands(session.conn, session.government, stored.id)
        signers = [("SPM signer", hand.person) for hand in hands if hand.hand == "signer"]
        if signing:
            signers = [("SPM signer", self.signer)]
        totals = line_totals(content.lines)
        lines, buckets = rooms_of(session, totals, stored.fiscal_year)
        checks = run_checks(
            Facts(
                act=move.act,
                act_as="SPM acceptor",
                by=self.by,
                grant=grant,
                today=session.today,
                document=stored.id,
                content=content,
                settings=session.settings,
                hands=signers,
                lines=lines,
                buckets=buckets,
                envelope_sha256=signing[2].sha256 if signing else "",
            )
        )
        session.position.reserve(stored.fiscal_year, totals)
        if signing:
            sign_move, sign_role, signed = signing
            moved = store.record_move(
                session, stored, sign_move, by=self.signer, role=sign_role, signed=signed
            )
            stored = stored._replace(state=moved.state, state_n=moved.n)
        moved = store.record_move(session, stored, move, by=self.by, role=role, checks=checks)
        return store.move_answer(session, moved, revision=stored.revision)

    def _signing(
        self, session: Session, stored: StoredDocument, content: Content
    ) -> tuple[Move, str, store.Signed] | None:
        if not self.envelope:
            return None
        return _check_spm_signature(session, stored, content, self.signer, self.envelope)


@dataclass(frozen=True, slots=True)
class RefuseSpm:
    """
    Turn down an SPM that was not accepted (roles sp2d_verifier, deputy_treasurer), with reasons.

    Nothing was reserved, so nothing is freed. The letter of refusal quotes the document's number.
    """

    by: str
    document: str
    reasons: Sequence[str]
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        if not 1 <= len(self.reasons) <= 20:
            raise InvalidFieldError("reasons", "are 1 to 20", len(self.reasons))
        for n, reason in enumerate(self.reasons):
            check_text(f"reasons[{n}]", reason, least=1, most=500)
        stored = store.get_document(session.conn, session.government, self.document, "spm")
        move = find_move(
            "spm", "refuse", document=stored.id, state=stored.state, origin=stored.origin
        )
        role, _ = store.require_hand(session, self.by, move, skpd=stored.skpd)
        moved = store.record_move(
            session, stored, move, by=self.by, role=role, reason="; ".join(self.reasons)
        )
        return store.move_answer(session, moved)


@dataclass(frozen=True, slots=True)
class ReturnSpm:
    """Give an accepted, unused SPM back to its SKPD (role deputy_treasurer): its room is freed."""

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
        stored = store.get_document(session.conn, session.government, self.document, "spm")
        move = find_move(
            "spm", "return", document=stored.id, state=stored.state, origin=stored.origin
        )
        role, _ = store.require_hand(session, self.by, move, skpd=stored.skpd)
        if used := spm_used_by(session, stored.id):
            raise SpmUsedError(spm=stored.id, sp2d=used)
        totals = line_totals(store.content_of(stored).lines)
        session.position.load_lines(totals)
        session.position.reserve(stored.fiscal_year, {k: -sen for k, sen in totals.items()})
        moved = store.record_move(session, stored, move, by=self.by, role=role, reason=self.reason)
        return store.move_answer(session, moved)


def sign_spm(
    session: Session, stored: StoredDocument, officer: str, envelope: bytes
) -> tuple[str, store.Moved]:
    """Verify the budget user's signature and write the move."""
    content = store.content_of(stored)
    move, role, signed = _check_spm_signature(session, stored, content, officer, envelope)
    return role, store.record_move(session, stored, move, by=officer, role=role, signed=signed)


def _check_spm_signature(
    session: Session, stored: StoredDocument, content: Content, officer: str, envelope: bytes
) -> tuple[Move, str, store.Signed]:
    move = find_move("spm", "sign", document=stored.id, state=stored.state, origin=stored.origin)
    role, _ = store.require_hand(session, officer, move, skpd=stored.skpd)
    signed = store.check_signature(
        session,
        envelope,
        officer=officer,
        expected=store.to_sign(
            origin=session.batch.origin,
            act=move.act,
            document=stored.id,
            revision=stored.revision,
            role=role,
            content=content,
        ),
    )
    return move, role, signed


def rooms_of(
    session: Session, totals: dict[str, int], fiscal_year: int
) -> tuple[list[LineRoom], list[BucketRoom]]:
    """Budget lines and releases as they stand, with what is asked. Raises UnknownBudgetLineError."""
    position = session.position
    position.load_lines(totals)
    lines: list[LineRoom] = []
    asked: dict[str, int] = {}
    first: dict[str, str] = {}
    for line_id, sen in totals.items():
        line = position.budget_line(line_id, fiscal_year)
        lines.append(
            LineRoom(
                line.id,
                line.bucket.id,
                line.ceiling,
                line.allowance,
                line.reserved,
                line.spent,
                sen,
            )
        )
        asked[line.bucket.id] = asked.get(line.bucket.id, 0) + sen
        first.setdefault(line.bucket.id, line.id)
    buckets = []
    for bucket_id, sen in asked.items():
        b = position.buckets[bucket_id]
        buckets.append(
            BucketRoom(b.id, first[bucket_id], b.released, b.allowance, b.reserved, b.spent, sen)
        )
    return lines, buckets


def spm_used_by(session: Session, spm: str, *, but: str = "") -> str:
    """The SP2D that lives on this SPM, or was ever issued on it; empty when there is none."""
    d = t.document.c
    return (
        session.conn.execute(
            select(d.id)
            .where(
                d.parent_id == spm,
                d.parent_id != "",
                d.government == session.government,
                d.id != but,
                (d.state != "cancelled") | (d.issued_on != ""),
            )
            .order_by(d.id)
            .limit(1)
        ).scalar()
        or ""
    )


def _content(session: Session, body: SpmBody, document: str, fiscal_year: int) -> Content:
    """Keep the private texts and put their commitments in the content."""
    about = f"document:{document}"

    def private(name: str, value: str, subject: str = about) -> str:
        return session.private(name, value, subject=subject) if value else ""

    return Content(
        version=1,
        kind="spm",
        origin=body.origin,
        fiscal_year=fiscal_year,
        skpd=body.skpd,
        payment_kind=body.payment_kind,
        bank_account="",
        dated_on=body.dated_on,
        external_number=body.number,
        parent="",
        parent_revision="",
        purpose=private("purpose", body.purpose),
        evidence_sha256=body.evidence_sha256,
        claims=tuple(
            Claim(c.role, private("officer_name", c.name), private("nip", c.nip), c.on)
            for c in body.claims
        ),
        lines=tuple(
            SpendingLine(x.budget_line, x.expense_account, sen_text(parse_sen(x.amount)))
            for x in body.lines
        ),
        deductions=tuple(
            Deduction(
                d.account,
                sen_text(parse_sen(d.amount)),
                d.reduces_payment,
                private("billing_id", d.billing_id),
            )
            for d in body.deductions
        ),
        payees=tuple(
            Payee(
                subject := f"payee:{document}:{n}",
                private("payee_name", p.name, subject),
                p.bank_code,
                private("payee_account", p.account, subject),
                private("npwp", p.npwp, subject),
                sen_text(parse_sen(p.gross)),
                sen_text(parse_sen(p.deduction)),
            )
            for n, p in enumerate(body.payees, start=1)
        ),
    )
