"""
Allowances: how far a ceiling, a release or the cash floor may be passed, by two persons (D8).

An order is refused at the limit. Where the law or the governor allows more (an obligation of the
government ahead of its budget change, an overdraft agreed with the bank), two officers say how much,
with the reason, and every allowance that isn't zero is listed by the check of the books. What the
bank did by itself widens these by its own journal, not here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final

from sqlalchemy import select

from ledger import tables as t
from ledger.acts import Act, Content, Done, Hands, act_leaf
from ledger.errors import (
    FiscalYearNotOpenError,
    InvalidFieldError,
    LedgerError,
    UnknownBankAccountError,
)
from ledger.journals import AMOUNT_MAX_SEN, check_text
from ledger.money import InvalidAmountError, parse_sen, sen_text
from ledger.position import BalanceKey, Bucket, BudgetLine, Cash, Position
from ledger.session import Session

__all__ = ["TARGETS", "AllowanceTooLowError", "SetAllowance", "UnknownBucketError"]

TARGETS: Final = ("budget_line", "release_bucket", "cash")


class AllowanceTooLowError(LedgerError):
    """What was taken already needs more."""

    def __init__(self, *, target: str, id: str, least: str, asked: str) -> None:
        super().__init__(
            f"{target} {id} uses an allowance of {least} already, {asked} is asked",
            target=target,
            id=id,
            least=least,
            asked=asked,
        )


class UnknownBucketError(LedgerError):
    """No budget line draws on such a release."""

    def __init__(self, *, bucket: str, fiscal_year: int) -> None:
        super().__init__(
            f"release {bucket} is not in the budget of {fiscal_year}",
            bucket=bucket,
            fiscal_year=fiscal_year,
        )


@dataclass(frozen=True, slots=True)
class SetAllowance(Act):
    """
    Set the allowance of a budget line or release, or how far cash may go below zero.

    target: `budget_line`, `release_bucket` or `cash`; id: of the line, the release, the bank account.
    amount: the whole allowance from now on, not a change; "0.00" ends it. reason: a text as asked
    for, a commitment once proposed.
    """

    act: ClassVar[str] = "allowance.set"
    first: ClassVar[frozenset[str]] = frozenset({"budget_officer", "deputy_treasurer"})
    second: ClassVar[frozenset[str]] = frozenset({"deputy_treasurer"})
    of_operator: ClassVar[bool] = False

    target: str
    id: str
    fiscal_year: int
    amount: str
    reason: str

    def keep(self, session: Session, hands: Hands) -> Act:
        """Raises InvalidFieldError."""
        if self.target not in TARGETS:
            raise InvalidFieldError(
                "target", f"is one of {', '.join(TARGETS)}", ascii(self.target)[:40]
            )
        check_text("id", self.id, least=1, most=200)
        check_text("reason", self.reason, least=1, most=1_000)
        try:
            sen = parse_sen(self.amount)
        except InvalidAmountError as error:
            raise InvalidFieldError("amount", error.reason, self.amount[:80]) from None
        if not 0 <= sen <= AMOUNT_MAX_SEN:
            raise InvalidFieldError("amount", "is 0.00 or more", self.amount[:80])
        reason = session.private("reason", self.reason, subject=f"allowance:{hands.proposal}")
        return replace(self, amount=sen_text(sen), reason=reason)

    def check(self, session: Session, hands: Hands) -> None:  # noqa: ARG002  # the base's
        """
        Raises:
            UnknownBudgetLineError, UnknownBucketError, UnknownBankAccountError,
            FiscalYearNotOpenError, AllowanceTooLowError
        """
        if self.target == "cash":
            cash = session.position.cash_of(self._cash_key(session))
            least = max(cash.committed - cash.balance, 0)
        else:
            counter = self._counter(session)
            limit = counter.ceiling if isinstance(counter, BudgetLine) else counter.released
            least = max(counter.reserved + counter.spent - limit, 0)
        if parse_sen(self.amount) < least:
            raise AllowanceTooLowError(
                target=self.target, id=self.id, least=sen_text(least), asked=self.amount
            )

    def perform(self, session: Session, hands: Hands) -> Done:
        """Leaf `allowance.set` with the allowance before; the counter moves."""
        sen, position = parse_sen(self.amount), session.position
        more: Content = {}
        if self.target == "cash":
            key = self._cash_key(session)
            cash = position.cash_of(key)
            before, more = -cash.floor, {"chart_version": key[0], "account": key[3]}
            _move_floor(position, cash, -sen - cash.floor)
        else:
            counter = self._counter(session)
            before = counter.allowance
            _move_allowance(position, counter, sen - before)
        leaf = act_leaf(
            session, "allowance.set", self.content(), hands, before=sen_text(before), **more
        )
        return Done(
            leaf,
            {
                "target": self.target,
                "id": self.id,
                "before": sen_text(before),
                "amount": self.amount,
            },
        )

    def _counter(self, session: Session) -> BudgetLine | Bucket:
        position = session.position
        if self.target == "budget_line":
            return position.budget_line(self.id, self.fiscal_year)
        if self.id not in position.buckets:
            # A release is loaded with a line that draws on it.
            line = t.budget_line.c
            drawing = session.conn.execute(
                select(line.id)
                .where(
                    line.government == session.government,
                    line.bucket_id == self.id,
                    line.fiscal_year == self.fiscal_year,
                )
                .order_by(line.id)
                .limit(1)
            ).scalar()
            if drawing is None:
                raise UnknownBucketError(bucket=self.id[:80], fiscal_year=self.fiscal_year)
            position.budget_line(drawing, self.fiscal_year)
        return position.buckets[self.id]

    def _cash_key(self, session: Session) -> BalanceKey:
        settings = session.settings
        account = settings.bank_accounts.get(self.id)
        if account is None:
            raise UnknownBankAccountError(bank_account=self.id[:80])
        version = settings.years.get(self.fiscal_year)
        if version is None:
            raise FiscalYearNotOpenError(fiscal_year=self.fiscal_year)
        # RKUD cash stands in the books of the PPKD.
        return (version, "PPKD", "FIN", account, self.id, "", "")


def _move_floor(position: Position, cash: Cash, moved: int) -> None:
    cash.floor += moved
    cash.moved_floor += moved

    def undo() -> None:
        cash.floor -= moved
        cash.moved_floor -= moved

    # A linked group may still be refused at a later member.
    position.remember(undo)


def _move_allowance(position: Position, counter: BudgetLine | Bucket, moved: int) -> None:
    counter.allowance += moved
    counter.moved_allowance += moved

    def undo() -> None:
        counter.allowance -= moved
        counter.moved_allowance -= moved

    # A linked group may still be refused at a later member.
    position.remember(undo)
