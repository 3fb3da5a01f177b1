"""
Seal a period: freeze its sums, and refuse every later posting to it.

Periods of a year are sealed in order, each when it is over. What was wrong is corrected by a journal
in an open period.
"""

from __future__ import annotations

import calendar
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from sqlalchemy import Connection, text

from audit.canonical import canonical_fast
from ledger.acts import insert_row
from ledger.answers import Idempotency
from ledger.errors import (
    FiscalYearNotOpenError,
    InvalidFieldError,
    LedgerError,
    PeriodSealedError,
)
from ledger.money import sen_text
from ledger.session import Answer, Session, Wants
from ledger.settings import Settings

__all__ = [
    "EarlierPeriodOpenError",
    "FrozenSums",
    "PeriodBusyError",
    "PeriodNotOverError",
    "SealPeriod",
    "check_sealable",
    "frozen_digest",
    "period_end",
]

PERIOD_LAST: Final = 14


class EarlierPeriodOpenError(LedgerError):
    """Periods are sealed in order."""

    def __init__(self, *, fiscal_year: int, period: int, open_period: int) -> None:
        super().__init__(
            f"period {period} of {fiscal_year} waits for period {open_period}, which is open",
            fiscal_year=fiscal_year,
            period=period,
            open_period=open_period,
        )


class PeriodNotOverError(LedgerError):
    """A period is sealed after its last day."""

    def __init__(self, *, fiscal_year: int, period: int, ends_on: str, today: str) -> None:
        super().__init__(
            f"period {period} of {fiscal_year} ends on {ends_on}; today is {today}",
            fiscal_year=fiscal_year,
            period=period,
            ends_on=ends_on,
            today=today,
        )


class PeriodBusyError(LedgerError):
    """Journals of the period are being posted in the same moment; the same request may be repeated."""

    def __init__(self, *, fiscal_year: int, period: int) -> None:
        super().__init__(
            f"journals of period {period} of {fiscal_year} are being posted; repeat the request",
            fiscal_year=fiscal_year,
            period=period,
        )


def period_end(fiscal_year: int, period: int) -> str:
    """The last day of a period. 13 (adjustments) and 14 (audited) belong to 31 December."""
    month = min(period, 12)
    return f"{fiscal_year:04d}-{month:02d}-{calendar.monthrange(fiscal_year, month)[1]:02d}"


def check_sealable(settings: Settings, fiscal_year: int, period: int, today: str) -> None:
    """
    Raises:
        InvalidFieldError, FiscalYearNotOpenError, PeriodSealedError, PeriodNotOverError,
        EarlierPeriodOpenError
    """
    if not 1 <= period <= PERIOD_LAST:
        raise InvalidFieldError("period", f"is 1 to {PERIOD_LAST}", period)
    if fiscal_year not in settings.years:
        raise FiscalYearNotOpenError(fiscal_year=fiscal_year)
    if (fiscal_year, period) in settings.sealed:
        raise PeriodSealedError(fiscal_year=fiscal_year, period=period)
    ends_on = period_end(fiscal_year, period)
    if today <= ends_on:
        raise PeriodNotOverError(
            fiscal_year=fiscal_year, period=period, ends_on=ends_on, today=today
        )
    for earlier in range(1, period):
        if (fiscal_year, earlier) not in settings.sealed:
            raise EarlierPeriodOpenError(
                fiscal_year=fiscal_year, period=period, open_period=earlier
            )


@dataclass(frozen=True, slots=True)
class FrozenSums:
    """What a seal says of its rows: how many, their digest, and both totals in sen."""

    rows: int
    sha256: str
    debit_sen: int
    credit_sen: int


_KEY: Final = "entity, book, account, bank_account, counterpart, fund_source"
# Day rows summed as they will be frozen. sum() of BIGINT is NUMERIC on PostgreSQL.
_SUMS: Final = f"""
SELECT {_KEY}, CAST(sum(debit_sen) AS BIGINT) AS debit_sen, CAST(sum(credit_sen) AS BIGINT) AS credit_sen
  FROM account_day WHERE government = :government AND fiscal_year = :year AND period = :period
  GROUP BY {_KEY}"""
_FROZEN: Final = f"""
SELECT {_KEY}, debit_sen, credit_sen
  FROM account_period WHERE government = :government AND fiscal_year = :year AND period = :period"""
_FREEZE: Final = f"""
INSERT INTO account_period (government, {_KEY}, fiscal_year, period, debit_sen, credit_sen, leaf_index)
SELECT :government, {_KEY}, :year, :period, debit_sen, credit_sen, :leaf FROM ({_SUMS}) s"""


def frozen_digest(
    conn: Connection, government: str, fiscal_year: int, period: int, *, frozen: bool
) -> FrozenSums:
    """
    The digest of a period's sums: SHA-256 over one canonical JSON array a row and LF, in order of key:
    entity, book, account, bank account, counterpart, fund source, debit, credit.

    *frozen*: of the rows of `account_period`; otherwise of the rows that sealing would freeze.
    """
    digest, rows, debit, credit = hashlib.sha256(), 0, 0, 0
    for row in sums_of_period(conn, government, fiscal_year, period, frozen=frozen):
        *key, debit_sen, credit_sen = row
        digest.update(canonical_fast([*key, sen_text(debit_sen), sen_text(credit_sen)]) + b"\n")
        rows += 1
        debit += debit_sen
        credit += credit_sen
    return FrozenSums(rows, digest.hexdigest(), debit, credit)


def sums_of_period(
    conn: Connection, government: str, fiscal_year: int, period: int, *, frozen: bool
) -> Iterator[tuple[Any, ...]]:
    """(entity, book, account, bank account, counterpart, fund source, debit, credit) by key."""
    values: Mapping[str, object] = {"government": government, "year": fiscal_year, "period": period}
    query = text(f"{_FROZEN if frozen else _SUMS} ORDER BY {_KEY}")
    for row in conn.execute(query, values, execution_options={"yield_per": 2_000}):
        yield tuple(row)


@dataclass(frozen=True, slots=True)
class SealPeriod:
    """Seal one period, by an accountant. Best put in a batch of its own (`alone`)."""

    alone: ClassVar[bool] = True

    by: str
    fiscal_year: int
    period: int
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """
        Leaf `period.sealed`, row of `period_seal`, rows of `account_period`.

        Raises:
            NotGrantedError, PeriodBusyError, and what `check_sealable` raises
        """
        session.settings.require(self.by, "accountant", session.today)
        year, period = self.fiscal_year, self.period
        check_sealable(session.settings, year, period, session.today)
        # Journals that this batch accepted already are not in `account_day` yet: their sums would
        # be missing from the seal, and the database would refuse them after it.
        if any(
            key[6:8] == (year, period) and any(sums) for key, sums in session.position.days.items()
        ):
            raise PeriodBusyError(fiscal_year=year, period=period)
        sums = frozen_digest(session.conn, session.government, year, period, frozen=False)
        leaf = session.batch.leaf(
            "period.sealed",
            self.by,
            {
                "fiscal_year": year,
                "period": period,
                "rows": sums.rows,
                "sha256": sums.sha256,
                "debit": sen_text(sums.debit_sen),
                "credit": sen_text(sums.credit_sen),
            },
        )
        insert_row(
            session,
            "period_seal",
            fiscal_year=year,
            period=period,
            sealed_at=session.batch.recorded_at,
            sealed_by=self.by,
            leaf_index=leaf,
        )
        session.conn.execute(
            text(_FREEZE),
            {"government": session.government, "year": year, "period": period, "leaf": leaf},
        )
        session.batch.config_changed()
        return {
            "fiscal_year": year,
            "period": period,
            "rows": sums.rows,
            "sha256": sums.sha256,
            "leaf_index": leaf,
        }
