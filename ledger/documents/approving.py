"""
Shell: what a verifying or signing hand needs before it may move an SP2D: duties, the signature, and
the facts that the checks look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from audit.canonical import JsonInput
from ledger.documents import payment_store, store
from ledger.documents.checks import Facts, run_checks
from ledger.documents.content import Content, line_totals
from ledger.documents.moves import Move, find_move
from ledger.documents.spm import rooms_of, spm_used_by
from ledger.documents.store import StoredDocument
from ledger.errors import OwnApprovalError
from ledger.session import Session
from ledger.settings import Grant

__all__ = ["Approval", "approve", "facts_of"]


class Approval(NamedTuple):
    stored: StoredDocument
    content: Content
    move: Move
    role: str
    checks: list[dict[str, JsonInput]]
    signed: store.Signed
    maker: str


def approve(
    session: Session, by: str, document: str, envelope: bytes, name: str, act_as: str
) -> Approval:
    """Everything that a verifying or signing hand needs before it may move the document."""
    conn, government = session.conn, session.government
    stored = store.get_document(conn, government, document, "sp2d")
    move = find_move("sp2d", name, document=stored.id, state=stored.state, origin=stored.origin)
    role, grant = store.require_hand(session, by, move)
    content = store.content_of(stored)
    spm = store.get_document(conn, government, stored.parent_id, "spm")
    before = store.find_hands(conn, government, stored.id)
    hands = [
        ("SPM signer", hand.person)
        for hand in store.find_hands(conn, government, spm.id)
        if hand.hand == "signer"
    ]
    hands += [(f"SP2D {hand.hand}", hand.person) for hand in before if hand.hand]
    # Duties before signatures: who may not act at all learns that first.
    _refuse_own(by, hands, act_as)
    signed = store.check_signature(
        session,
        envelope,
        officer=by,
        expected=store.to_sign(
            origin=session.batch.origin,
            act=move.act,
            document=stored.id,
            revision=stored.revision,
            role=role,
            content=content,
        ),
    )
    checks = run_checks(
        facts_of(
            session,
            move,
            by,
            act_as,
            grant,
            stored.id,
            content,
            spm=spm,
            hands=hands,
            envelope_sha256=signed.sha256,
        )
    )
    maker = next(hand.person for hand in before if hand.hand == "maker")
    return Approval(stored, content, move, role, checks, signed, maker)


def _refuse_own(by: str, hands: Sequence[tuple[str, str]], act_as: str) -> None:
    for first, person in hands:
        if person == by:
            raise OwnApprovalError(person=person, first=first, second=act_as)


def facts_of(
    session: Session,
    move: Move,
    by: str,
    act_as: str,
    grant: Grant,
    document: str,
    content: Content,
    *,
    spm: StoredDocument | None = None,
    hands: Sequence[tuple[str, str]] = (),
    envelope_sha256: str = "",
) -> Facts:
    lines, buckets = rooms_of(session, line_totals(content.lines), content.fiscal_year)
    key = payment_store.cash_key(session, content.bank_account, content.fiscal_year)
    return Facts(
        act=move.act,
        act_as=act_as,
        by=by,
        grant=grant,
        today=session.today,
        document=document,
        content=content,
        settings=session.settings,
        hands=hands,
        lines=lines,
        buckets=buckets,
        reserved_here=True,
        cash_available=session.position.cash_of(key).available(),
        spm=(spm.id, spm.dated_on, spm.state) if spm else None,
        spm_used_by=spm_used_by(session, spm.id, but=document) if spm else "",
        envelope_sha256=envelope_sha256,
    )
