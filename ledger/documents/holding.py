"""
Shell: what keeps an order from leaving, and lets it go again.

One order is held (`HoldPayment`), a whole bank account paused (`PauseDispatch`): both stop what has
not left, and neither stops asking the bank about what has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import update

from audit import bulk
from ledger import tables as t
from ledger.answers import Idempotency
from ledger.documents import dispatch_store, payment_store
from ledger.documents.errors import AlreadySoError, PaymentMoveNotAllowedError
from ledger.errors import NotGrantedError, UnknownBankAccountError
from ledger.journals import check_text
from ledger.session import Answer, Session, Wants
from ledger.settings import Settings

__all__ = ["HoldPayment", "PauseDispatch"]

#: Stopping is for whoever sees the trouble; going on is the Kuasa BUD's word.
_MAY_STOP: Final = ("deputy_treasurer", "sp2d_verifier", "reconciler", "dispatcher")
_MAY_GO_ON: Final = ("deputy_treasurer",)
_PAUSE: Final = tuple(t.dispatch_pause.c.keys())


@dataclass(frozen=True, slots=True)
class HoldPayment:
    """Keep one signed order back (*held*), or let it go (role deputy_treasurer)."""

    by: str
    payment_reference: str
    held: bool
    reason: str
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        _require_one(session, self.by, _MAY_STOP if self.held else _MAY_GO_ON)
        check_text("reason", self.reason, least=1, most=1_000)
        conn, government = session.conn, session.government
        payment = payment_store.get(conn, government, self.payment_reference)
        order = dispatch_store.orders_of(conn, government, [payment.id]).get(payment.id)
        if order is None or payment.state != "queued":
            raise PaymentMoveNotAllowedError(
                payment=payment.id,
                state=payment.state,
                outcome="held back" if self.held else "let go",
                allowed=[],
            )
        dispatch_store.check_not_by_file(conn, government, payment)
        if order.held == self.held:
            raise AlreadySoError(what=payment.id, state="held" if self.held else "not held")
        reason_c = session.private("reason", self.reason, subject=f"payment:{payment.id}")
        leaf = session.batch.leaf(
            "payment.held",
            self.by,
            {"payment": payment.id, "held": self.held, "reason": reason_c},
        )
        o = t.dispatch.c
        conn.execute(
            update(t.dispatch)
            .where(o.government == government, o.payment_id == payment.id)
            .values(held=int(self.held))
        )
        return {
            "payment": payment.id,
            "held": self.held,
            "leaf_index": leaf,
            "batch": session.batch.seq,
            "recorded_at": session.batch.recorded_at,
        }


@dataclass(frozen=True, slots=True)
class PauseDispatch:
    """Send nothing more through a bank account (*paused*), or go on (role deputy_treasurer)."""

    by: str
    bank_account: str
    paused: bool
    reason: str
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        _require_one(session, self.by, _MAY_STOP if self.paused else _MAY_GO_ON)
        check_text("reason", self.reason, least=1, most=1_000)
        if self.bank_account not in session.settings.bank_accounts:
            raise UnknownBankAccountError(bank_account=self.bank_account[:80])
        n, was = dispatch_store.paused_accounts(session.conn, session.government).get(
            self.bank_account, (0, False)
        )
        if was == self.paused:
            raise AlreadySoError(
                what=self.bank_account, state="paused" if self.paused else "not paused"
            )
        reason_c = session.private("reason", self.reason, subject=f"bank:{self.bank_account}")
        leaf = session.batch.leaf(
            "dispatch.paused",
            self.by,
            {
                "bank_account": self.bank_account,
                "n": n + 1,
                "paused": self.paused,
                "reason": reason_c,
            },
        )
        bulk.insert_rows(
            session.conn,
            t.dispatch_pause,
            _PAUSE,
            [
                (
                    session.government,
                    self.bank_account,
                    n + 1,
                    int(self.paused),
                    self.by,
                    reason_c,
                    leaf,
                )
            ],
        )
        return {
            "bank_account": self.bank_account,
            "paused": self.paused,
            "leaf_index": leaf,
            "batch": session.batch.seq,
            "recorded_at": session.batch.recorded_at,
        }


def _require_one(session: Session, person: str, roles: tuple[str, ...]) -> None:
    """Raises UnknownPersonError, NotGrantedError (naming the first of the roles)."""
    for role in roles:
        try:
            session.settings.require(person, role, session.today)
        except NotGrantedError:
            continue
        return
    session.settings.require(person, roles[0], session.today)
