"""
Shell, read only: what statements say of payments of ours, for whoever waits for the bank's word.

A payment is found by the reference that the bank gives back; its lines are read whether they are
matched or still open, because a payment may be matched with the books before anybody has recorded
that the bank paid it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from ledger import tables as lt
from reconciliation import tables as t

__all__ = ["PaymentLines", "covered_through", "find_lines", "newest_statement", "returned_keys"]

_CHUNK = 500


class PaymentLines(NamedTuple):
    """
    The lines that name one payment, of its amount: how many out, how many back in, and where.

    `booked_on` and `file_sha256` are of the last of them.
    """

    debits: int
    credits: int
    other_amounts: int
    booked_on: str
    file_sha256: str


def newest_statement(conn: Connection, government: str, bank_account: str) -> int:
    """Id of the account's last admitted statement, 0 if there is none."""
    s = t.statement.c
    return int(
        conn.execute(
            select(func.coalesce(func.max(s.id), 0)).where(
                s.government == government, s.bank_account == bank_account, s.chain_n > 0
            )
        ).scalar_one()
    )


def covered_through(conn: Connection, government: str, bank_account: str) -> tuple[str, str]:
    """(last day that admitted end-of-day statements cover, digest of the last one's file)."""
    s = t.statement.c
    row = conn.execute(
        select(s.closing_on, s.file_sha256)
        .where(s.government == government, s.bank_account == bank_account, s.chain_n > 0)
        .order_by(s.chain_n.desc(), s.id.desc())
        .limit(1)
    ).first()
    return ("", "") if row is None else (str(row[0]), str(row[1]))


def find_lines(
    conn: Connection,
    government: str,
    bank_account: str,
    payments: Mapping[str, tuple[int, str]],
) -> dict[str, PaymentLines]:
    """
    Lines by payment; *payments* gives each one's amount in sen and the day it was first sent.

    A payment that no line names is missing.
    """
    line, s = t.bank_line.c, t.statement.c
    # A line that a reissued statement no longer has says nothing.
    gone = (
        select(t.bank_line_gone.c.line_id)
        .where(
            t.bank_line_gone.c.government == line.government,
            t.bank_line_gone.c.line_id == line.id,
        )
        .exists()
    )
    found: dict[str, PaymentLines] = {}
    references = sorted(payments)
    for at in range(0, len(references), _CHUNK):
        some = references[at : at + _CHUNK]
        since = min(payments[reference][1] for reference in some)
        for row in conn.execute(
            select(line.pay_key, line.amount_sen, line.booked_on, s.file_sha256)
            .select_from(
                t.bank_line.join(
                    t.statement, (s.government == line.government) & (s.id == line.statement_id)
                )
            )
            .where(
                line.government == government,
                line.bank_account == bank_account,
                line.booked_on >= since,
                line.pay_key.in_([f"pay:{reference}" for reference in some]),
                ~gone,
            )
            .order_by(line.booked_on, line.occurrence)
        ):
            reference = row[0].removeprefix("pay:")
            sen = payments[reference][0]
            before = found.get(reference, PaymentLines(0, 0, 0, "", ""))
            found[reference] = PaymentLines(
                before.debits + (row[1] == -sen),
                before.credits + (row[1] == sen),
                before.other_amounts + (abs(row[1]) != sen),
                row[2],
                row[3],
            )
    return found


def returned_keys(conn: Connection, government: str, bank_account: str) -> Sequence[str]:
    """References of payments that stand as paid and that an open line gives money back for."""
    k, p = t.open_key.c, lt.payment.c
    return list(
        conn.execute(
            select(p.id)
            .distinct()
            .select_from(
                t.open_key.join(
                    lt.payment,
                    (p.government == k.government) & (k.key == "pay:" + p.partner_reference),
                )
            )
            .where(
                k.government == government,
                k.bank_account == bank_account,
                k.side == "bank",
                k.amount_sen > 0,
                p.state == "paid",
            )
            .order_by(p.id)
        ).scalars()
    )
