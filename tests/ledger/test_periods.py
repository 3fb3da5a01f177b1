"""Seals: in order, when over, frozen with their sums, and closed to every later posting."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from api.engine import begin, reading
from audit.canonical import parse_canonical
from ledger.commands import ReverseJournal
from ledger.opening import ADMIN_1, FEEDER
from ledger.periods import SealPeriod, period_end
from tests.builders import (
    CASH,
    EXPENSE,
    GOVERNMENT,
    TODAY,
    answer,
    journal,
    kernel_findings,
    line,
    post,
    refusal,
    run,
)
from tests.ledger.people import appoint, contents, one, people_findings


@pytest.fixture(autouse=True)
def _accountant(engine: Engine) -> None:
    appoint(engine, "acc-1", "accountant")


def _seal(engine: Engine, *periods: int, year: int = 2026, **clock: Any) -> list[dict[str, Any]]:
    return [answer(one(engine, SealPeriod("acc-1", year, n), **clock)) for n in periods]


def test_sealed_period_holds_the_sums_of_its_days(engine: Engine) -> None:
    """Each key's debits and credits over the period, the same from days as frozen, hashed in the leaf."""
    run(
        engine,
        *post(
            journal("J-1", effective_on="2026-01-05"),
            journal("J-2", effective_on="2026-01-31"),
            journal("J-3", effective_on="2026-02-01"),
        ),
    )
    (sealed,) = _seal(engine, 1)
    with reading(engine) as conn:
        rows = conn.execute(
            text(
                "SELECT account, bank_account, debit_sen, credit_sen, leaf_index FROM account_period"
                " ORDER BY account"
            )
        ).all()
        data = parse_canonical(
            bytes(
                conn.execute(
                    text("SELECT body FROM log_leaf WHERE idx = :i"), {"i": sealed["leaf_index"]}
                ).scalar()
            )
        )["data"]

    leaf = sealed["leaf_index"]
    assert [
        (CASH, "137:0000000000", 100_000_000_000, 200_000, leaf),
        ("3.1.01.01.01.0001", "", 0, 100_000_000_000, leaf),
        (EXPENSE, "", 200_000, 0, leaf),
    ] == [tuple(row) for row in rows]
    assert {
        "fiscal_year": 2026,
        "period": 1,
        "rows": 3,
        "sha256": sealed["sha256"],
        "debit": "1000002000.00",
        "credit": "1000002000.00",
    } == data
    assert [] == people_findings(engine) == kernel_findings(engine)


def test_sums_are_hashed_in_order_of_bytes(engine: Engine) -> None:
    """The digest depends on the sums alone: key by bytes on both engines, amounts as text."""
    sources = ("b", "B", "a", "é", "10", "9", "_", "")
    run(
        engine,
        *post(
            *(
                journal(
                    f"J-{source}",
                    effective_on="2026-01-05",
                    lines=[
                        line(EXPENSE, debit="1.00", fund_source=source),
                        line(EXPENSE, credit="1.00", fund_source=source),
                    ],
                )
                for source in sources
            )
        ),
    )
    (sealed,) = _seal(engine, 1)
    opening = '["PPKD","FIN","1.1.01.01.01.0001","137:0000000000","","","1000000000.00","0.00"]'
    equity = '["PPKD","FIN","3.1.01.01.01.0001","","","","0.00","1000000000.00"]'
    rows = [
        opening,
        equity,
        *(
            f'["PPKD","FIN","{EXPENSE}","","","{source}","1.00","1.00"]'
            for source in ("", "10", "9", "B", "_", "a", "b", "é")
        ),
    ]
    expected = hashlib.sha256("".join(f"{row}\n" for row in rows).encode()).hexdigest()

    assert expected == sealed["sha256"]


def test_sealed_period_takes_no_posting(engine: Engine) -> None:
    """By the next command of the same batch, by a reversal, and past the code by the database."""
    (fed,) = run(engine, *post(journal("J-0", effective_on="2026-01-05")))
    late = post(
        journal("J-1", effective_on="2026-01-10"), journal("J-2", effective_on="2026-02-10")
    )
    sealed, refused, taken = run(engine, SealPeriod("acc-1", 2026, 1), *late)
    reversal = ReverseJournal(FEEDER, answer(fed)["journal"], "R-1", "2026-01-20", "Salah")

    assert 1 == answer(sealed)["period"]
    assert ("period_sealed", {"fiscal_year": 2026, "period": 1}) == refusal(refused)
    assert "J-2" == answer(taken)["reference"]
    assert "period_sealed" == refusal(one(engine, reversal))[0]
    with (
        pytest.raises(DBAPIError, match=r"period_sealed"),
        begin(engine) as conn,
    ):
        _post_raw(conn)


def _post_raw(conn: Any) -> None:
    """A balanced journal into January, written past the code."""
    from ledger import tables as t  # noqa: PLC0415  # columns by name

    last = conn.execute(text("SELECT idx FROM log_leaf WHERE kind = 'journal.posted'")).scalar()
    lines = {
        "government": GOVERNMENT,
        "journal_id": 99,
        "entity": "PPKD",
        "book": "FIN",
        "account": EXPENSE,
        "fiscal_year": 2026,
        "period": 1,
        "effective_on": "2026-01-10",
        "batch_seq": 1,
    }
    for n, sen in ((1, 5), (2, -5)):
        row = dict.fromkeys(t.journal_line.c.keys(), "") | lines | {"n": n, "amount_sen": sen}
        conn.execute(t.journal_line.insert(), row)
    head = {
        "government": GOVERNMENT,
        "id": 99,
        "batch_seq": 1,
        "leaf_index": last,
        "reference": "RAW",
        "source": "feed",
        "fiscal_year": 2026,
        "period": 1,
        "effective_on": "2026-01-10",
        "reverses": None,
        "line_count": 2,
    }
    conn.execute(t.journal.insert(), dict.fromkeys(t.journal.c.keys(), "") | head)


def test_year_is_sealed_in_order_to_the_audited_period(engine: Engine) -> None:
    """1 to 12 by month, then 13 and 14, which are over with the year."""
    sealed = _seal(engine, *range(1, 15), year=2025)

    assert list(range(1, 15)) == [done["period"] for done in sealed]
    assert "period_sealed" == refusal(one(engine, SealPeriod("acc-1", 2025, 14)))[0]
    assert [] == people_findings(engine)


def test_seals_refused_change_nothing(engine: Engine) -> None:
    """Out of order, not over, future, sealed, no such period or year, no accountant: by name."""
    _seal(engine, 1)
    cases = [
        ("earlier_period_open", {"open_period": 2}, SealPeriod("acc-1", 2026, 3), {}),
        ("period_not_over", {"ends_on": "2026-11-30"}, SealPeriod("acc-1", 2026, 11), {}),
        ("period_not_over", {}, SealPeriod("acc-1", 2026, 2), {"today": "2026-02-28"}),
        ("period_not_over", {"ends_on": "2026-12-31"}, SealPeriod("acc-1", 2026, 13), {}),
        ("period_sealed", {}, SealPeriod("acc-1", 2026, 1), {}),
        ("fiscal_year_not_open", {}, SealPeriod("acc-1", 2024, 1), {}),
        ("invalid_field", {}, SealPeriod("acc-1", 2026, 0), {}),
        ("invalid_field", {}, SealPeriod("acc-1", 2026, 15), {}),
        ("not_granted", {"role": "accountant"}, SealPeriod(ADMIN_1, 2026, 2), {}),
        ("not_granted", {}, SealPeriod(FEEDER, 2026, 2), {}),
    ]
    before = contents(engine)
    got = [refusal(one(engine, command, **clock)) for _, _, command, clock in cases]

    assert [code for code, *_ in cases] == [code for code, _ in got]
    assert all(
        wanted.items() <= values.items()
        for (_, wanted, _, _), (_, values) in zip(cases, got, strict=True)
    )
    assert before == contents(engine)


def test_seal_beside_journals_of_its_period_is_refused(engine: Engine) -> None:
    """Their sums are not in the books yet; nothing fails but the seal, which may be repeated."""
    posted, sealed, other = run(
        engine,
        *post(journal("J-1", effective_on="2026-01-10")),
        SealPeriod("acc-1", 2026, 1),
        *post(journal("J-2", effective_on="2026-01-11")),
    )

    assert ["J-1", "J-2"] == [answer(posted)["reference"], answer(other)["reference"]]
    assert ("period_busy", {"fiscal_year": 2026, "period": 1}) == refusal(sealed)
    assert 1 == _seal(engine, 1)[0]["period"]
    assert [] == people_findings(engine) == kernel_findings(engine)


def test_seal_beside_a_refused_journal_of_its_period_stands(engine: Engine) -> None:
    """What was taken back leaves no trace that could stop a seal."""
    bad = journal(
        "J-1",
        effective_on="2026-01-10",
        lines=[line(EXPENSE, debit="9999999999.00"), line(CASH, credit="9999999999.00")],
    )
    refused, sealed = run(engine, *post(bad), SealPeriod("acc-1", 2026, 1))

    assert "over_cash" == refusal(refused)[0]
    assert 1 == answer(sealed)["period"]


def test_seal_waits_for_the_day_after_the_last(engine: Engine) -> None:
    """On the last day something may still be booked."""
    _seal(engine, *range(1, 11))

    assert "period_not_over" == refusal(one(engine, SealPeriod("acc-1", 2026, 11), today=TODAY))[0]
    assert 11 == _seal(engine, 11, today="2026-12-01")[0]["period"]


@given(st.integers(1945, 9998), st.integers(1, 14))
def test_period_ends_on_a_last_day_of_its_year(year: int, period: int) -> None:
    """The day after is the first of a month; adjustments and audit end with the year."""
    end = period_end(year, period)

    assert f"{year:04d}-{min(period, 12):02d}" == end[:7]
    assert int(end[8:]) in (28, 29, 30, 31)
    assert period <= 12 or end.endswith("-12-31")
