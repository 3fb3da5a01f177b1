"""
Payments that the bank booked more than once or gave back, explained by their reference.

A twin debit and its correction, or a debit and the return of it, name one payment of ours with its
amount; so do the entries of one that the bank rejected and paid after all. Which debit is the order and
which the error nobody can tell, and nobody needs to: the lines together are what the books say of the
payment. So they are matched as one group, where

- every line that names the payment, open or matched, is its amount and names no other payment;
- all of them together are what its state says: its amount for one that is paid, nothing for one that
  came back (returned); no day has seen more given back than taken;
- what is open of them is, to the sen, what is open of it in the books;
- no document that a member names differs from another's, and no person took two of them apart.

Amount alone never decides; a payment in any other state is left to people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select, text

from ledger import tables as lt
from reconciliation import tables as t
from reconciliation.keys import SEVERAL
from reconciliation.open_items import Side

__all__ = ["NETTED", "Net", "NetItem", "net_groups", "nets"]

#: Name of the stage.
NETTED: Final = "netted_payment"

_CHUNK: Final = 500
#: A group is one match; what is larger than a match by hand may be is left to people.
MEMBERS_MAX: Final = 400

# Payments whose open items come out even and that pairs of one and one don't explain.
_CANDIDATES: Final = text(
    """
SELECT key FROM (SELECT key, amount_sen,
    sum(CASE WHEN side = 'bank' THEN 1 ELSE 0 END) AS n_bank,
    sum(CASE WHEN side = 'book' THEN 1 ELSE 0 END) AS n_book
  FROM open_key WHERE government = :government AND bank_account = :bank_account AND key >= 'pay:' AND key < 'pay;'
  GROUP BY key, amount_sen) g
GROUP BY key
HAVING (sum(n_bank) > 1 OR sum(n_bank) = 1 AND sum(n_book) > 1) AND max(CASE WHEN n_bank = 1 AND n_book = 1 THEN 0 ELSE 1 END) = 1
  AND sum(n_bank * amount_sen) = sum(n_book * amount_sen)
ORDER BY key
"""
)


class NetItem(NamedTuple):
    """A bank line or a book entry that names a payment. Signed sen."""

    side: Side
    item: int
    day: str
    amount_sen: int
    pay_key: str
    doc_key: str
    is_open: bool


class Net(NamedTuple):
    """A payment and everything that names it; *amount_sen* is positive."""

    key: str
    state: str
    amount_sen: int
    items: Sequence[NetItem]

    def open_items(self) -> list[NetItem]:
        """What is to be matched, the bank's first."""
        found = [each for each in self.items if each.is_open]
        return sorted(found, key=lambda each: (each.side, each.day, each.item))


def nets(net: Net, through: str) -> bool:
    """Whether the open items are certainly the payment and what undid itself of it, by *through*."""
    due = {"paid": -net.amount_sen, "returned": 0}.get(net.state)
    lines = [each for each in net.items if each.side == "bank"]
    taken = net.open_items()
    if (
        due is None
        or sum(each.amount_sen for each in lines) != due
        or not any(each.side == "bank" for each in taken)
        or len(taken) > MEMBERS_MAX
        or any(abs(each.amount_sen) != net.amount_sen for each in net.items)
        or any(each.pay_key != net.key for each in net.items)
        or any(each.day > through for each in taken)
        or not _one_document(taken)
        or not _given_back_after(lines)
    ):
        return False
    bank = sum(each.amount_sen for each in taken if each.side == "bank")
    return bank == sum(each.amount_sen for each in taken if each.side == "book")


def net_groups(conn: Connection, government: str, bank_account: str, through: str) -> list[Net]:
    """Groups that may be matched, in order of payments."""
    where = {"government": government, "bank_account": bank_account}
    keys = list(conn.execute(_CANDIDATES, where).scalars())
    found: list[Net] = []
    for start in range(0, len(keys), _CHUNK):
        some = keys[start : start + _CHUNK]
        payments = _payments(conn, government, bank_account, some)
        items = _items(conn, government, bank_account, payments)
        found += [
            net
            for key, (state, sen, _) in payments.items()
            if nets(net := Net(key, state, sen, items.get(key, ())), through)
        ]
    return found


def _one_document(items: Iterable[NetItem]) -> bool:
    named = {each.doc_key for each in items if each.doc_key}
    return len(named) <= 1 and SEVERAL not in named


def _given_back_after(lines: Iterable[NetItem]) -> bool:
    """No day has seen more money given back than was taken by then."""
    balance, by_day = 0, dict[str, int]()
    for line in lines:
        by_day[line.day] = by_day.get(line.day, 0) + line.amount_sen
    for day in sorted(by_day):
        balance += by_day[day]
        if balance > 0:
            return False
    return True


def _payments(
    conn: Connection, government: str, bank_account: str, keys: Sequence[str]
) -> dict[str, tuple[str, int, str]]:
    """State, amount and first day of the account's payments that these keys name."""
    p, m = lt.payment.c, lt.payment_move.c
    rows = conn.execute(
        select(p.partner_reference, p.state, p.amount_sen, func.min(m.on_day))
        .select_from(
            lt.payment.outerjoin(
                lt.payment_move, (m.government == p.government) & (m.payment_id == p.id)
            )
        )
        .where(
            p.government == government,
            p.bank_account == bank_account,
            p.partner_reference.in_([key.removeprefix("pay:") for key in keys]),
            p.state.in_(("paid", "returned")),
        )
        .group_by(p.partner_reference, p.state, p.amount_sen)
        .order_by(p.partner_reference)
    )
    return {f"pay:{row[0]}": (row[1], row[2], row[3] or "") for row in rows}


def _items(
    conn: Connection,
    government: str,
    bank_account: str,
    payments: Mapping[str, tuple[str, int, str]],
) -> dict[str, list[NetItem]]:
    """By payment: its lines, open and matched, and what is open of it in the books."""
    if not payments:
        return {}
    k, item = t.open_key.c, t.open_item.c
    found: dict[tuple[str, Side, int], NetItem] = {}
    for side, table, day in (
        ("bank", t.bank_line, t.bank_line.c.booked_on),
        ("book", t.book_entry, t.book_entry.c.effective_on),
    ):
        of: Side = "bank" if side == "bank" else "book"
        rows = conn.execute(
            select(k.key, table.c.id, day, table.c.amount_sen, table.c.pay_key, table.c.doc_key)
            .select_from(
                t.open_key.join(
                    table, (table.c.government == k.government) & (table.c.id == k.item)
                )
            )
            .where(
                k.government == government,
                k.bank_account == bank_account,
                k.side == side,
                k.key.in_(list(payments)),
            )
        )
        for key, number, on, sen, pay_key, doc_key in rows:
            found[key, of, number] = NetItem(of, number, on, sen, pay_key, doc_key, True)
    line = t.bank_line.c
    gone = t.bank_line_gone.c
    matched = conn.execute(
        select(line.id, line.booked_on, line.amount_sen, line.pay_key, line.doc_key).where(
            line.government == government,
            line.bank_account == bank_account,
            line.booked_on >= min(first for *_, first in payments.values()),
            line.pay_key.in_(list(payments)),
            ~select(gone.line_id)
            .where(gone.government == line.government, gone.line_id == line.id)
            .exists(),
            ~select(item.item)
            .where(item.government == line.government, item.side == "bank", item.item == line.id)
            .exists(),
        )
    )
    for number, on, sen, pay_key, doc_key in matched:
        found[pay_key, "bank", number] = NetItem("bank", number, on, sen, pay_key, doc_key, False)
    by_key: dict[str, list[NetItem]] = {}
    for (key, _, _), each in sorted(found.items()):
        by_key.setdefault(key, []).append(each)
    return by_key
