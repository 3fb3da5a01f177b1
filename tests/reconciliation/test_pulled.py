"""Pulls over SNAP: deliveries of whole days, which say what they no longer have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from bank_adapters.statements.snap_file import Pull, write_pull
from ledger.money import sen_text
from reconciliation.errors import BalancesDoNotFollowError, FutureStatementError
from reconciliation.exceptional_lines import provisional_lines
from tests.reconciliation.books import ACCOUNT, GOVERNMENT, NUMBER, OPENING_SEN, Book, out

D11, D12 = date(2026, 11, 11), date(2026, 11, 12)


@dataclass(frozen=True)
class Row:
    """An entry of the bank."""

    sen: int
    bank_ref: str
    remark: str = "SP2D"
    on: date = D11


def pull(rows: Sequence[Row], first: date = D11, last: date = D11, *, gap_sen: int = 0) -> bytes:
    """The file of one page; *gap_sen* is missing between the first row's balance and the others."""
    listed, balance = [], OPENING_SEN
    for n, row in enumerate(rows):
        balance += row.sen + (gap_sen if n == 1 else 0)
        listed.append(
            {
                "amount": {"value": sen_text(abs(row.sen)), "currency": "IDR"},
                "endAmount": {"value": sen_text(balance), "currency": "IDR"},
                "transactionDate": f"{row.on}T10:00:{n:02d}+07:00",
                "remark": row.remark,
                "transactionId": row.bank_ref,
                "type": "CREDIT" if row.sen > 0 else "DEBIT",
            }
        )
    page: dict[str, Any] = {"responseCode": "2001400", "hasMore": "N", "detailData": listed}
    return write_pull(Pull("137", NUMBER, first, last, [json.dumps(page).encode()]))


def taken(book: Book, data: bytes) -> dict[str, Any]:
    """What the import of a pull answers of its one delivery."""
    answer: dict[str, Any] = book.take(data)["statements"][0]
    return answer


def missing(answer: dict[str, Any]) -> list[tuple[str, str, int]]:
    """(kind, amount, position of what stands for it) of what a pull no longer has."""
    kinds = ("provisional", "line")
    return [
        (next(kind for kind in kinds if kind in each), each["amount"], each["became"])
        for each in answer["missing"]
    ]


A, B, C = Row(-1_00, "A"), Row(-2_00, "B"), Row(-3_00, "C", on=D12)


def test_pulls_of_windows_that_overlap_tell_of_each_line_once(book: Book) -> None:
    """The same window again, a longer one, a later one: every line is known, none is doubled."""
    answers = [
        taken(book, data)
        for data in (
            pull([A]),
            pull([A]),
            pull([A, B]),
            pull([A, B, C], D11, D12),
            pull([C], D12, D12),
        )
    ]

    # The second is the first to the byte: it changed nothing.
    assert [1, 1, 1, 1, 0] == [each["new"] for each in answers]
    assert [False, True, False, False, False] == ["replayed" in each for each in answers]
    assert [0, 0, 0, 0, 0] == [each["missing_count"] for each in answers]
    assert 3 == book.count("provisional_line")
    assert [] == book.findings()


def test_line_that_vanished_or_changed_is_told(book: Book) -> None:
    """With what came in its place; also by a pull that is an earlier one to the byte."""
    taken(book, pull([A]))
    taken(book, pull([A, B]))
    changed = taken(book, pull([Row(-1_50, "A"), Row(-2_00, "B9")]))
    again = taken(book, pull([A]))

    assert [("provisional", "-1.00", 1), ("provisional", "-2.00", 2)] == missing(changed)
    assert True is again["replayed"]
    assert [("-2.00", 0), ("-1.50", 0), ("-2.00", 0)] == [
        (amount, became) for _, amount, became in missing(again)
    ]
    # The day's statement decides: what it has is confirmed, the rest are exceptions by name.
    book.deliver([out(-1_50, "SP2D", bank_ref="A"), out(-2_00, "SP2D", bank_ref="B")])
    found = provisional_lines_of(book)
    assert [
        ("-1.00", "not_booked"),
        ("-2.00", "confirmed"),
        ("-1.50", "confirmed"),
        ("-2.00", "not_booked"),
    ] == found
    assert [] == book.findings()


def provisional_lines_of(book: Book) -> list[tuple[str, str]]:
    """(amount, state) of every provisional line."""
    with book.engine.connect() as conn:
        return [
            (sen_text(each.amount_sen), each.state)
            for each in provisional_lines(conn, GOVERNMENT, bank_account=ACCOUNT)
        ]


def test_line_of_the_statement_that_a_pull_lacks_is_told(book: Book) -> None:
    """The bank's interface and its statement are held against each other, both ways."""
    book.deliver([out(-1_00, "SP2D", bank_ref="A"), out(-2_00, "SP2D", bank_ref="B")])
    answer = taken(book, pull([A]))

    assert (1, 1) == (answer["new"], answer["provisional_booked"])
    assert [("line", "-2.00", 0)] == missing(answer)


def test_report_that_covers_no_days_says_nothing_of_what_it_lacks(book: Book) -> None:
    """An intraday message may hold what is new alone."""
    book.take(book.report([out(-1_00, "A")], on=D11))
    answer = book.take(book.report([out(-2_00, "B")], on=D11))["statements"][0]

    assert "missing" not in answer


def test_pull_whose_balances_do_not_follow_is_refused(book: Book) -> None:
    """A line that the bank left out shows in the balances beside its neighbours."""
    error = book.refused(pull([A, B], gap_sen=-7))
    late = book.refused(pull([Row(-1_00, "A", on=date(2026, 11, 22))], D11, date(2026, 11, 22)))

    assert isinstance(error, BalancesDoNotFollowError)
    assert isinstance(late, FutureStatementError)
    assert 0 == book.count("provisional_line")
