"""
Whatever officers and bank do, in any order: nothing breaks a rule, and the log explains every row.

A day is a list of (move, choice): each tries its move on some document or payment. Most are refused;
none may fail otherwise, and afterwards every check is clean.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from api.engine import make_engine, reading
from api.migrations_runner import upgrade
from ledger.budget import BudgetRow, ReleaseRow
from ledger.budget_shell import LoadBudget
from ledger.documents.advice_list import (
    DiscardAdviceList,
    DraftAdviceList,
    SignAdviceList,
    VerifyAdviceList,
)
from ledger.documents.bank_outcomes import RecordPayment, ResendPayment
from ledger.documents.payments import OUTCOMES
from ledger.documents.receipts import BookBankFee
from ledger.documents.settling import SettlePayment
from ledger.documents.sp2d import (
    CancelSp2d,
    DiscardSp2d,
    DraftSp2d,
    RequestCancelSp2d,
    SignSp2d,
    VerifySp2d,
    WithdrawCancelSp2d,
)
from ledger.documents.spm import AcceptSpm, RefuseSpm, RegisterSpm, ReturnSpm
from ledger.opening import RECONCILER
from ledger.posting import Refused
from ledger.proposals import Confirm, Propose
from ledger.session import Command
from tests.builders import SKPD, TODAY
from tests.ledger.documents.office import (
    EVIDENCE,
    LINE,
    RECONCILER_2,
    SUB,
    Office,
    new_office,
)

HANDS = ("maker", "maker-2", "verifier", "kuasa", "kuasa-2", "pa")


class Day:
    """An office whose moves pick their object by a number."""

    def __init__(self, office: Office) -> None:
        self.office = office

    def ids(self, sql: str) -> list[str]:
        """Ids that a query of the government finds."""
        with reading(self.office.engine) as conn:
            return list(conn.execute(text(sql), {"g": self.office.government}).scalars())

    def document(self, kind: str, choice: int, *states: str) -> str:
        """Some document of a kind, mostly in one of *states*; one that isn't there if none is."""
        where = f"government = :g AND kind = '{kind}'"
        return self.some("document", where, choice, states) or f"{kind}-2026-00000099"

    def payment(self, choice: int, *states: str) -> str:
        """Some payment, mostly in one of *states*."""
        return self.some("payment", "government = :g", choice, states) or "P26-00000099"

    def some(self, table: str, where: str, choice: int, states: tuple[str, ...]) -> str:
        """Every fifth choice takes whatever there is, so that refusals are met too."""
        if states and choice % 5:
            listed = ", ".join(f"'{state}'" for state in states)
            where += f" AND state IN ({listed})"
        found = self.ids(f"SELECT id FROM {table} WHERE {where} ORDER BY id")
        return found[choice % len(found)] if found else ""

    def signed(self, person: str, document: str, act: str) -> bytes:
        """An envelope, or none where there is nothing to sign."""
        if document.endswith("99"):
            return b"{}"
        return self.office.sign(person, document, act)

    def try_move(self, move: str, choice: int) -> None:
        """Do it, or be refused by name; anything else is an error of its own."""
        self.office.run(*MOVES[move](self, choice))


def _register(day: Day, choice: int) -> list[Command]:
    amount = f"{choice % 60 + 1}000.0{choice % 10}"
    return [RegisterSpm("maker", day.office.spm_body(amount, among=choice % 3 + 1))]


def _accept(day: Day, choice: int) -> list[Command]:
    spm = day.document("spm", choice, "registered")
    return [AcceptSpm("maker", spm, "pa", day.signed("pa", spm, "spm.sign"))]


def _verify(day: Day, choice: int) -> list[Command]:
    sp2d = day.document("sp2d", choice, "drafted")
    hand = ("verifier", "verifier", "pa")[choice % 3]
    return [VerifySp2d(hand, sp2d, day.signed(hand, sp2d, "sp2d.verify"))]


def _sign(day: Day, choice: int) -> list[Command]:
    sp2d = day.document("sp2d", choice, "verified")
    return [SignSp2d("kuasa", sp2d, day.signed("kuasa", sp2d, "sp2d.sign"))]


def _issue(day: Day, choice: int) -> list[Command]:
    """A whole SP2D, so that days get far."""
    office = day.office
    (result,) = office.run(*_register(day, choice))
    if isinstance(result, Refused):
        return []
    spm = office.scalar(
        "SELECT max(id) FROM document WHERE government = :government AND kind = 'spm'"
    )
    office.run(AcceptSpm("maker", spm, "pa", office.sign("pa", spm, "spm.sign")))
    office.run(DraftSp2d("maker", spm))
    sp2d = day.document("sp2d", -1)
    office.run(VerifySp2d("verifier", sp2d, day.signed("verifier", sp2d, "sp2d.verify")))
    return [SignSp2d("kuasa", sp2d, day.signed("kuasa", sp2d, "sp2d.sign"))]


def _list(day: Day, choice: int) -> list[Command]:
    """A list, signed with whatever it took."""
    office = day.office
    wanted = [day.payment(choice, "held")] if choice % 3 == 0 else []
    office.run(DraftAdviceList("maker-2", payments=wanted))
    made = day.document("advice_list", -1)
    office.run(
        VerifyAdviceList("verifier", made, day.signed("verifier", made, "advice_list.verify"))
    )
    return [SignAdviceList("kuasa", made, day.signed("kuasa", made, "advice_list.sign"))]


def _outcome(day: Day, choice: int) -> list[Command]:
    outcome = OUTCOMES[choice % len(OUTCOMES)]
    open_states = ("queued", "sent", "accepted", "unknown")
    payment = day.payment(choice // 7, *(("paid",) if outcome == "returned" else open_states))
    return [RecordPayment(RECONCILER, payment, outcome, TODAY, EVIDENCE)]


def _settle(day: Day, choice: int) -> list[Command]:
    """Proposed for what is doubted; what is proposed is confirmed, mostly by another."""
    open_proposals = day.ids(
        "SELECT p.id FROM proposal p WHERE p.government = :g AND p.act = 'payment.settled'"
        " AND p.id NOT IN (SELECT proposal_id FROM proposal_end WHERE government = :g) ORDER BY p.id"
    )
    if open_proposals:
        return [Confirm((RECONCILER_2, RECONCILER)[choice % 7 == 0], open_proposals[0])]
    payment = day.payment(choice // 7, "unknown", "unknown")
    outcome = ("paid", "rejected", "recalled", "accepted")[choice % 4]
    return [Propose(RECONCILER, SettlePayment(payment, outcome, TODAY, EVIDENCE, "Surat"))]


def _paid(day: Day, choice: int) -> list[Command]:
    return [
        RecordPayment(
            RECONCILER, day.payment(choice + n, "queued", "sent"), "paid", TODAY, EVIDENCE
        )
        for n in range(3)
    ]


def _no(day: Day, choice: int) -> list[Command]:
    """The bank turns one down, or gives one back."""
    state, outcome = (("queued", "rejected"), ("paid", "returned"))[choice % 2]
    return [RecordPayment(RECONCILER, day.payment(choice, state), outcome, TODAY, EVIDENCE)]


def _cancel(day: Day, choice: int) -> list[Command]:
    """Ask for it, now and then in the same batch as it is done."""
    waiting = day.document("sp2d", choice, "cancel_requested")
    if choice % 2:
        return [CancelSp2d(_hand(choice), waiting, "Setuju")]
    held = day.document("sp2d", choice, "signed")
    return [RequestCancelSp2d("maker", held, "Salah"), CancelSp2d("kuasa", held, "Setuju")]


def _load(day: Day, choice: int) -> list[Command]:
    ceiling = (choice % 12) * 100_000_00
    rows = [
        BudgetRow(LINE, SKPD, SUB, "5.1.02.01.01.0024", "1.1.01", ceiling),
        ReleaseRow(SKPD, SUB, "", ceiling),
    ]
    return [LoadBudget("anggaran", 2026, f"{choice:064x}", rows)]


def _fee(day: Day, choice: int) -> list[Command]:
    return [BookBankFee("penerimaan", f"FEE/{choice}", TODAY, f"{choice + 1}.00")]


def _hand(choice: int) -> str:
    return HANDS[choice % len(HANDS)]


MOVES: dict[str, Callable[[Day, int], list[Command]]] = {
    "register": _register,
    "accept": _accept,
    "refuse": lambda day, n: [RefuseSpm(_hand(n), day.document("spm", n), ["Kurang"])],
    "return": lambda day, n: [ReturnSpm("kuasa", day.document("spm", n, "accepted"), "Ralat")],
    "draft": lambda day, n: [DraftSp2d("maker", day.document("spm", n, "accepted"))],
    "verify": _verify,
    "sign": _sign,
    "issue": _issue,
    "issue again": _issue,
    "discard": lambda day, n: [DiscardSp2d("maker", day.document("sp2d", n, "drafted"), "Salah")],
    "request": lambda day, n: [RequestCancelSp2d(_hand(n), day.document("sp2d", n, "signed"), "x")],
    "withdraw": lambda day, n: [
        WithdrawCancelSp2d("maker", day.document("sp2d", n, "cancel_requested"), "Tidak")
    ],
    "cancel": _cancel,
    "list": _list,
    "list again": _list,
    "drop list": lambda day, n: [DiscardAdviceList("maker", day.document("advice_list", n), "x")],
    "outcome": _outcome,
    "outcome again": _outcome,
    "paid": _paid,
    "no": _no,
    "no again": _no,
    "resend": lambda day, n: [
        ResendPayment("maker-2", day.payment(n, "rejected", "returned"), "Ralat")
    ],
    "settle": _settle,
    "settle again": _settle,
    "load": _load,
    "fee": _fee,
}

days = st.lists(
    st.tuples(st.sampled_from(sorted(MOVES)), st.integers(0, 10_000)), min_size=8, max_size=40
)


@pytest.fixture(scope="module", params=("on_issue", "on_cair"))
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Office]:
    """An office in a SQLite file, to be copied for each day."""
    path = tmp_path_factory.mktemp(request.param) / "rkud.db"
    upgrade(f"sqlite:///{path}")
    engine = make_engine(f"sqlite:///{path}")
    office = new_office(engine, request.param)
    engine.dispose()
    with sqlite3.connect(path) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.close()
    return path, office


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(day=days)
def test_any_day_leaves_books_that_the_log_explains(
    opened: tuple[Path, Office], tmp_path: Path, day: list[tuple[str, int]]
) -> None:
    """After any sequence of moves the checks of books, budget and documents are clean."""
    path, template = opened
    copy = tmp_path / "day.db"
    for leftover in tmp_path.glob("day.db*"):
        leftover.unlink()
    shutil.copyfile(path, copy)
    engine = make_engine(f"sqlite:///{copy}")
    office = Office(engine, template.government)
    office.keys = template.keys
    for move, choice in day:
        Day(office).try_move(move, choice)
    findings = office.findings()
    engine.dispose()

    assert [] == findings


@pytest.mark.parametrize("seed", [1, 2])
def test_long_day_leaves_books_that_the_log_explains(office: Office, seed: int) -> None:
    """The same on both engines, with a longer day from a seed."""
    chance = random.Random(seed)
    day = Day(office)
    names = sorted(MOVES)
    for _ in range(60):
        day.try_move(chance.choice(names), chance.randrange(10_000))

    assert [] == office.findings()
    assert 0 < len(office.payments())
