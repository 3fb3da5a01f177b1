"""Allowances: two officers let an order pass a limit, by an amount and for a reason that are kept."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from api.engine import begin, reading
from audit.canonical import parse_canonical
from ledger.allowances import SetAllowance
from ledger.opening import ADMIN_1
from ledger.posting import Group
from ledger.proposals import Confirm, Propose
from tests.builders import (
    BANK,
    BELANJA,
    CASH,
    EXPENSE,
    SKPD,
    answer,
    journal,
    line,
    post,
    refusal,
    run,
    scalar,
)
from tests.ledger.people import appoint, contents, one, people_findings, propose

LINE, BUCKET = "b-1", "r-1"


@pytest.fixture(autouse=True)
def _budget(engine: Engine) -> None:
    appoint(engine, "anggaran", "budget_officer")
    appoint(engine, "kuasa-bud", "deputy_treasurer")
    with begin(engine) as conn:
        conn.execute(
            text(
                "INSERT INTO release_bucket (government, id, fiscal_year, level, released_sen)"
                " VALUES ('36', :b, 2026, 'sub_kegiatan', 10000)"
            ),
            {"b": BUCKET},
        )
        conn.execute(
            text(
                "INSERT INTO budget_line (government, id, fiscal_year, skpd, sub_kegiatan, account,"
                " fund_source, bucket_id, ceiling_sen, reserved_sen, spent_sen)"
                " VALUES ('36', :l, 2026, :s, '1.02.01', :a, '', :b, 20000, 5000, 7000)"
            ),
            {"l": LINE, "s": SKPD, "a": BELANJA, "b": BUCKET},
        )


def _set(engine: Engine, target: str, id: str, amount: str) -> dict[str, object]:
    proposal = propose(engine, "anggaran", SetAllowance(target, id, 2026, amount, "Alasan"))
    return dict(answer(one(engine, Confirm("kuasa-bud", proposal))))


def _allowances(engine: Engine) -> tuple[int, int, int]:
    with reading(engine) as conn:
        return (
            scalar(conn, "SELECT allowance_sen FROM budget_line"),
            scalar(conn, "SELECT allowance_sen FROM release_bucket"),
            scalar(conn, "SELECT floor_sen FROM account_balance WHERE bank_account <> ''"),
        )


def test_allowance_is_set_to_the_amount_and_back(engine: Engine) -> None:
    """The amount is the whole allowance; the leaf has the one before; zero ends it."""
    for target, id in (("budget_line", LINE), ("release_bucket", BUCKET), ("cash", BANK)):
        _set(engine, target, id, "123.45")
    assert (12_345, 12_345, -12_345) == _allowances(engine)
    changed = _set(engine, "cash", BANK, "100.00")
    for target, id in (("budget_line", LINE), ("release_bucket", BUCKET), ("cash", BANK)):
        done = _set(engine, target, id, "0.00")
    with reading(engine) as conn:
        body = conn.execute(
            text("SELECT body FROM log_leaf WHERE kind = 'allowance.set' ORDER BY idx DESC")
        ).scalar()
    data = parse_canonical(bytes(body))["data"]

    assert ("123.45", "100.00", "100.00") == (changed["before"], changed["amount"], done["before"])
    assert (0, 0, 0) == _allowances(engine)
    assert ("cash", BANK, "100.00", "0.00", "anggaran", "kuasa-bud") == tuple(
        data[name] for name in ("target", "id", "before", "amount", "proposed_by", "confirmed_by")
    )
    assert [] == people_findings(engine)


def test_order_passes_the_cash_floor_by_the_allowance_only(engine: Engine) -> None:
    """In the same batch already, to the sen; and no lower allowance while it is in use."""
    proposal = propose(engine, "anggaran", SetAllowance("cash", BANK, 2026, "5.00", "Alasan"))
    all_and = "1000000005.00"
    over = "0.01"
    result, paid, refused = run(
        engine,
        Confirm("kuasa-bud", proposal),
        *post(
            journal("J-1", lines=[line(EXPENSE, debit=all_and), line(CASH, credit=all_and)]),
            journal("J-2", lines=[line(EXPENSE, debit=over), line(CASH, credit=over)]),
        ),
    )
    less = one(engine, Propose("anggaran", SetAllowance("cash", BANK, 2026, "4.99", "Alasan")))

    assert "5.00" == answer(result)["amount"]
    assert "J-1" == answer(paid)["reference"]
    assert "over_cash" == refusal(refused)[0]
    assert (
        "allowance_too_low",
        {"target": "cash", "id": BANK, "least": "5.00", "asked": "4.99"},
    ) == refusal(less)


def test_group_refused_takes_its_allowance_back(engine: Engine) -> None:
    """A linked group that fails at a later member leaves the limits as they were."""
    proposal = propose(engine, "anggaran", SetAllowance("cash", BANK, 2026, "5.00", "Alasan"))
    spend = "1000000006.00"
    before = _allowances(engine)
    (over,) = post(journal("J-1", lines=[line(EXPENSE, debit=spend), line(CASH, credit=spend)]))
    small = "1000000001.00"
    (fits,) = post(journal("J-2", lines=[line(EXPENSE, debit=small), line(CASH, credit=small)]))
    (result, alone) = run(engine, Group([over, Confirm("kuasa-bud", proposal)]), fits)

    assert ["over_cash"] * 2 == [refusal(result)[0], refusal(alone)[0]]
    assert before == _allowances(engine)


def test_allowances_refused_change_nothing(engine: Engine) -> None:
    """Unknown targets, amounts of other form, persons without the role, too little: by name."""

    def ask(
        target: str, id: str, amount: str = "1.00", year: int = 2026, by: str = "anggaran"
    ) -> Propose:
        return Propose(by, SetAllowance(target, id, year, amount, "Alasan"))

    with begin(engine) as conn:
        conn.execute(
            text(
                "UPDATE release_bucket SET released_sen = 0, allowance_sen = 6000, reserved_sen = 6000"
            )
        )
    cases = [
        ("invalid_field", ask("ceiling", LINE)),
        ("invalid_field", ask("budget_line", "")),
        ("invalid_field", ask("budget_line", LINE, "-1.00")),
        ("invalid_field", ask("budget_line", LINE, "1.000")),
        ("invalid_field", ask("budget_line", LINE, "1e3")),
        ("unknown_budget_line", ask("budget_line", "b-9")),
        ("unknown_budget_line", ask("budget_line", LINE, year=2025)),
        ("unknown_bucket", ask("release_bucket", "r-9")),
        ("unknown_bucket", ask("release_bucket", BUCKET, year=2025)),
        ("unknown_bank_account", ask("cash", "137:9")),
        ("fiscal_year_not_open", ask("cash", BANK, year=2024)),
        ("not_granted", ask("cash", BANK, by=ADMIN_1)),
        ("allowance_too_low", ask("release_bucket", BUCKET, "59.99")),
    ]
    before = contents(engine)

    assert [code for code, _ in cases] == [refusal(one(engine, c))[0] for _, c in cases]
    assert before == contents(engine)
    assert (0, 6_000, 0) == _allowances(engine)


def test_allowance_is_confirmed_by_the_deputy_treasurer(engine: Engine) -> None:
    """A budget officer proposes and may not confirm, one's own or another's."""
    appoint(engine, "anggaran-2", "budget_officer")
    proposal = propose(engine, "anggaran", SetAllowance("cash", BANK, 2026, "5.00", "Alasan"))

    assert "own_approval" == refusal(one(engine, Confirm("anggaran", proposal)))[0]
    assert "not_granted" == refusal(one(engine, Confirm("anggaran-2", proposal)))[0]
