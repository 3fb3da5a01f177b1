"""The worker: what it sends, asks and records, and what a death at any point leaves to the next one."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from api.committer import Failed
from api.dispatch.books import Books
from api.dispatch.timing import Timing
from api.dispatch.worker import Worker
from api.errors import DatabaseRefusedError, OutcomeUnknownError
from bank_adapters.errors import UnknownProfileError
from bank_adapters.payments.order import Rail
from bank_adapters.statements import OutgoingEntry, write_mt940
from ledger.documents.dispatching import BATCH_MAX, CallPayments, PaymentAnswer
from ledger.documents.holding import HoldPayment, PauseDispatch
from ledger.documents.journals import RETUR_ACCOUNT
from ledger.money import Money
from ledger.opening import ADMIN_1, ADMIN_2, RECONCILER
from ledger.policies import SetPolicy
from ledger.proposals import BothHands
from reconciliation import read_import
from tests.api.dispatch.ledger_bank import Died, LedgerBank
from tests.builders import BANK, NOW, TODAY
from tests.ledger.documents.office import Office

AMOUNT = 100_000_00
OPENING = 100_000_000_000
TIMING = Timing(lease=60, call_most=10, first_ask=5, ask_most=40, retry=2, retry_most=20)


@dataclass
class Clock:
    """The present, which stands until a test moves it."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def add(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def by_bifast(account: str, bank: str, amount: Money, now: datetime) -> Rail | datetime:
    """Every payment goes by BI-FAST."""
    return "bifast"


@dataclass
class Desk:
    """A treasury, its bank, its clock, and as many workers as a test starts."""

    office: Office
    bank: LedgerBank = field(default_factory=LedgerBank)
    clock: Clock = field(default_factory=Clock)

    def worker(self, route: Any = by_bifast) -> Worker:
        """A new worker."""
        return Worker(
            self.office.engine,
            self.office.government,
            "Asia/Jakarta",
            "worker",
            {BANK: self.bank},
            route,
            self.clock,
            TIMING,
            width=4,
        )

    def orders(self, among: int = 1) -> list[str]:
        """Payments of a signed list that leaves through the bank's interface."""
        self.office.do(BothHands(ADMIN_1, ADMIN_2, SetPolicy("channel", f"{BANK} snap", TODAY)))
        self.office.issue(among=among)
        payments = [name for name, _ in self.office.payments()]
        self.office.list_payments(*payments)
        return payments

    def work(self, worker: Worker, rounds: int = 30) -> None:
        """Rounds until there is nothing to do."""
        for _ in range(rounds):
            worker._looked_at = float("-inf")  # every round reads statements
            if not worker.step() and not worker._running:
                return
        raise AssertionError("the worker finds no end")

    def work_on(self, worker: Worker, seconds: int = 200, step: int = 10) -> None:
        """The same while the clock goes on."""
        for _ in range(seconds // step):
            self.work(worker)
            self.clock.add(step)
        self.work(worker)

    def states(self) -> list[str]:
        """States of the payments, in order."""
        return [state for _, state in self.office.payments()]

    def calls(self) -> int:
        """Calls of the bank that stand in the books."""
        return int(
            self.office.scalar("SELECT count(*) FROM payment_call WHERE government = :government")
        )

    def statement(self, day: str, entries: list[OutgoingEntry], number: int = 1) -> None:
        """The bank's end-of-day statement, imported."""
        opening = Money(OPENING)
        data = write_mt940(
            BANK.partition(":")[2],
            "IDR",
            number,
            opening,
            date.fromisoformat("2026-11-20"),
            date.fromisoformat(day),
            entries,
        )
        command = read_import(RECONCILER, BANK, data, format="mt940", name="s.sta")
        self.office.run_at(command, self.clock.now)


@pytest.fixture
def desk(office: Office) -> Desk:
    """A treasury under each policy."""
    return Desk(office)


@pytest.fixture
def cair_desk(on_cair: Office) -> Desk:
    """A treasury that books when the bank has paid."""
    return Desk(on_cair)


def debit(reference: str, sen: int = AMOUNT, text: str = "TRANSFER") -> OutgoingEntry:
    """A line of the bank for a payment."""
    return OutgoingEntry(
        date.fromisoformat(TODAY), Money(-sen), reference=reference, narrative=f"{text} {reference}"
    )


def test_signed_orders_leave_once_and_are_paid(desk: Desk) -> None:
    """Each is called for once, under a number of its own, and recorded as the bank answered."""
    payments = desk.orders(among=6)
    worker = desk.worker()
    desk.work(worker)
    worker.close()
    assert dict.fromkeys(payments, 1) == dict(desk.bank.asked) == dict(desk.bank.paid)
    assert 6 == len(set(desk.bank.external_ids))
    assert ["paid"] * 6 == desk.states()
    assert (OPENING - AMOUNT, 0) == desk.office.cash()
    assert [] == desk.office.findings()


def test_lost_answer_is_asked_for_and_never_sent_again(desk: Desk) -> None:
    """Unknown, then the bank's word: paid."""
    (payment,) = desk.orders()
    desk.bank.faults[payment] = ["lost"]
    worker = desk.worker()
    desk.work(worker)
    assert ["unknown"] == desk.states()
    desk.work_on(worker)
    assert ["paid"] == desk.states()
    assert 1 == desk.bank.asked[payment]
    assert [] == desk.office.findings()


def test_busy_bank_is_asked_again_under_a_new_number(desk: Desk) -> None:
    """It did nothing and said so: the same reference, another external id, after a pause."""
    (payment,) = desk.orders()
    desk.bank.faults[payment] = ["busy", "busy"]
    worker = desk.worker()
    desk.work(worker)
    assert (["sent"], 1) == (desk.states(), desk.calls())
    desk.work_on(worker, seconds=60)
    assert (["paid"], 3) == (desk.states(), desk.calls())
    assert 3 == len(set(desk.bank.external_ids))
    assert [] == desk.office.findings()


def test_refused_order_is_rejected_and_not_repeated(cair_desk: Desk) -> None:
    """The order stands, its commitment too; sending again is a person's act."""
    (payment,) = cair_desk.orders()
    cair_desk.bank.faults[payment] = ["refused"]
    worker = cair_desk.worker()
    cair_desk.work_on(worker)
    assert ["rejected"] == cair_desk.states()
    assert (OPENING, AMOUNT) == cair_desk.office.cash()
    assert 1 == cair_desk.bank.asked[payment]


def test_accepted_order_is_asked_after_until_it_is_done(desk: Desk) -> None:
    """Taken in is not paid."""
    (payment,) = desk.orders()
    desk.bank.faults[payment] = ["pending"]
    worker = desk.worker()
    desk.work_on(worker, seconds=60)
    assert ["accepted"] == desk.states()
    desk.bank.settle()
    desk.work_on(worker, seconds=60)
    assert ["paid"] == desk.states()
    assert [] == desk.office.findings()


def test_answer_about_another_amount_books_nothing_until_the_bank_is_asked(desk: Desk) -> None:
    """A contradiction is kept as what it is; the status inquiry settles it."""
    (payment,) = desk.orders()
    desk.bank.faults[payment] = ["other_amount"]
    worker = desk.worker()
    desk.work(worker)
    assert ["unknown"] == desk.states()
    desk.work_on(worker, seconds=60)
    assert ["paid"] == desk.states()
    assert 1 == desk.office.scalar(
        "SELECT count(*) FROM payment_answer WHERE government = :government AND meaning = 'conflict'"
    )


def test_order_that_the_bank_does_not_know_waits_for_the_statement(cair_desk: Desk) -> None:
    """Not found is no proof; not found and on no statement beyond its day is."""
    (payment,) = cair_desk.orders()
    cair_desk.bank.faults[payment] = ["unheard"]
    worker = cair_desk.worker()
    cair_desk.work_on(worker)
    assert ["unknown"] == cair_desk.states()
    cair_desk.clock.add(2 * 86_400)
    cair_desk.work_on(worker)
    assert ["unknown"] == cair_desk.states()
    cair_desk.statement("2026-11-22", [])
    cair_desk.work_on(worker)
    assert ["rejected"] == cair_desk.states()
    assert 1 == cair_desk.bank.asked[payment]
    assert [] == cair_desk.office.findings()


def test_statement_settles_what_the_bank_never_answered(desk: Desk) -> None:
    """A debit with reference and amount is the bank's word, matched or not."""
    (payment,) = desk.orders()
    desk.bank.faults[payment] = ["lost"]
    worker = desk.worker()
    desk.work(worker)
    desk.statement(TODAY, [debit(payment)])
    desk.work(worker)
    assert ["paid"] == desk.states()
    assert [("statement", "done")] == desk.office.pairs(
        "SELECT source, meaning FROM payment_answer WHERE government = :government AND n = 2"
    )
    assert [] == desk.office.findings()


def test_outcome_that_a_statement_tells_is_booked_on_the_banks_day(cair_desk: Desk) -> None:
    """Not on the day that the statement came in."""
    (payment,) = cair_desk.orders()
    cair_desk.bank.faults[payment] = ["lost"]
    worker = cair_desk.worker()
    cair_desk.work(worker)
    cair_desk.clock.add(86_400)
    cair_desk.statement(TODAY, [debit(payment)])
    cair_desk.work(worker)
    assert ["paid"] == cair_desk.states()
    assert [(TODAY, TODAY)] == cair_desk.office.pairs(
        "SELECT m.on_day, j.effective_on FROM payment_move m JOIN journal j"
        " ON j.government = m.government AND j.id = m.journal_id"
        " WHERE m.government = :government AND m.state_to = 'paid'"
    )


def test_money_that_comes_back_on_the_statement_is_a_retur(cair_desk: Desk) -> None:
    """Out and in again: owed. Twice out and once in again: the bank's own mistake, paid."""
    one, two = cair_desk.orders(among=2)
    worker = cair_desk.worker()
    cair_desk.work(worker)
    half = AMOUNT // 2
    back = OutgoingEntry(
        date.fromisoformat(TODAY), Money(half), reference=one, narrative=f"RETUR {one}"
    )
    corrected = OutgoingEntry(
        date.fromisoformat(TODAY), Money(half), reference=two, narrative=f"KOREKSI {two}"
    )
    lines = [debit(one, half), debit(two, half), debit(two, half), back, corrected]
    cair_desk.statement(TODAY, lines)
    cair_desk.work(worker)
    assert ["returned", "paid"] == cair_desk.states()
    assert -half == cair_desk.office.balance(RETUR_ACCOUNT)
    assert [] == cair_desk.office.findings()


def test_held_orders_and_paused_accounts_stay(desk: Desk) -> None:
    """And leave as soon as they may."""
    one, two = desk.orders(among=2)
    desk.office.do(HoldPayment("verifier", one, True, "Ragu"))
    desk.office.do(PauseDispatch("kuasa", BANK, True, "Tutup"))
    worker = desk.worker()
    desk.work(worker)
    assert {} == dict(desk.bank.asked)
    desk.office.do(PauseDispatch("kuasa", BANK, False, "Buka"))
    desk.work(worker)
    assert {two: 1} == dict(desk.bank.asked)
    desk.office.do(HoldPayment("kuasa", one, False, "Jelas"))
    desk.work(worker)
    assert {one: 1, two: 1} == dict(desk.bank.asked)


def test_order_waits_for_its_rail_and_one_without_a_rail_for_people(cair_desk: Desk) -> None:
    """A window that opens later is waited for; no rail at all is put off and told."""
    (payment,) = cair_desk.orders()
    opens = NOW + timedelta(hours=2)

    def waits(account: str, bank: str, amount: Money, now: datetime) -> Rail | datetime:
        return opens if now < opens else "skn"

    worker = cair_desk.worker(waits)
    cair_desk.work(worker)
    assert ["queued"] == cair_desk.states()
    cair_desk.clock.now = opens
    cair_desk.work(worker)
    assert ["paid"] == cair_desk.states()
    assert "skn" == cair_desk.office.scalar(
        "SELECT rail FROM payment_call WHERE government = :government"
    )
    assert payment in cair_desk.bank.paid


def test_order_without_a_rail_does_not_hold_up_the_others(cair_desk: Desk) -> None:
    """Its refusal is its own."""
    one, two = cair_desk.orders(among=2)

    def never(account: str, bank: str, amount: Money, now: datetime) -> Rail | datetime:
        if next(turns) == 0:
            raise UnknownProfileError("tidak ada rel", [])
        return "bifast"

    turns = itertools.count()
    worker = cair_desk.worker(never)
    cair_desk.work(worker)
    assert {two: 1} == dict(cair_desk.bank.asked)
    assert ["queued", "paid"] == cair_desk.states()
    assert one not in cair_desk.bank.paid


def test_payee_is_paid_after_the_bank_has_named_the_holder(cair_desk: Desk) -> None:
    """The right name is paid, another is held for a person, silence is asked about again."""
    one, two, three, four = cair_desk.orders(among=4)
    cair_desk.bank.holders = {
        "1000001": "MAJU 1 CV",
        "1000002": "SESEORANG LAIN",
        "1000003": None,
        "1000004": "",
    }
    worker = cair_desk.worker()
    cair_desk.work_on(worker, seconds=30)
    assert {one: 1} == dict(cair_desk.bank.asked)
    assert [(one, 0), (two, 1), (three, 0), (four, 1)] == cair_desk.office.pairs(
        "SELECT payment_id, held FROM dispatch WHERE government = :government ORDER BY payment_id"
    )
    cair_desk.bank.holders["1000003"] = "CV MAJU 3"
    cair_desk.work_on(worker, seconds=60)
    assert {one: 1, three: 1} == dict(cair_desk.bank.asked)
    assert ["paid", "queued", "paid", "queued"] == cair_desk.states()
    assert [] == cair_desk.office.findings()


def test_two_workers_send_each_order_once(desk: Desk) -> None:
    """Whoever is second finds it taken."""
    payments = desk.orders(among=8)
    workers = [desk.worker(), desk.worker()]
    for _ in range(20):
        for each in workers:
            each.step()
    for each in workers:
        each.close()
    assert dict.fromkeys(payments, 1) == dict(desk.bank.asked)
    assert ["paid"] * 8 == desk.states()
    assert [] == desk.office.findings()


# --- death ---------------------------------------------------------------------------------------------


@contextmanager
def dying(monkeypatch: pytest.MonkeyPatch, where: str, after: bool) -> Iterator[None]:
    """The process dies at a commit of *where* (a command's name): just before, or just after it."""
    real: Callable[..., Any] = Books._post

    def post(self: Books, command: Any) -> Any:
        if type(command).__name__ != where:
            return real(self, command)
        if after:
            real(self, command)
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(Books, "_post", post)
        yield


@pytest.mark.parametrize("fault", ["", "lost", "unheard", "busy", "pending", "refused"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("where", ["CallPayments", "AnswerPayments"])
def test_death_at_a_commit_pays_nothing_twice_and_loses_nothing(
    cair_desk: Desk, monkeypatch: pytest.MonkeyPatch, where: str, after: bool, fault: str
) -> None:
    """The next worker finds every order where the dead one left it, and brings each to its end."""
    (payment,) = cair_desk.orders()
    cair_desk.bank.faults[payment] = [fault] if fault else []
    first = cair_desk.worker()
    with dying(monkeypatch, where, after), pytest.raises(Died):
        for _ in range(10):
            first.step()
    second = cair_desk.worker()
    cair_desk.work_on(second, seconds=300, step=50)
    cair_desk.bank.settle()
    cair_desk.work_on(second, seconds=300, step=50)
    if cair_desk.states() == ["unknown"]:  # never reached the bank, and nobody can know
        assert {} == dict(cair_desk.bank.paid)
        cair_desk.clock.add(86_400)
        cair_desk.statement("2026-11-22", [])
        cair_desk.work_on(second)
    paid = cair_desk.bank.paid[payment]
    assert paid <= 1
    assert ["paid" if paid else "rejected"] == cair_desk.states()
    assert (OPENING - paid * AMOUNT, (1 - paid) * AMOUNT) == cair_desk.office.cash()
    assert [] == cair_desk.office.findings()


def test_answers_that_could_not_be_recorded_are_kept_and_recorded_later(
    cair_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is away for a moment: what the bank said is not forgotten."""
    (payment,) = cair_desk.orders()
    worker = cair_desk.worker()
    real: Callable[..., Any] = Books._post
    away = itertools.count()

    def post(self: Books, command: Any) -> Any:
        if type(command).__name__ == "AnswerPayments" and next(away) < 2:
            return Failed(OutcomeUnknownError())
        return real(self, command)

    monkeypatch.setattr(Books, "_post", post)
    for _ in range(6):
        worker.step()
    assert ["paid"] == cair_desk.states()
    assert 1 == cair_desk.bank.asked[payment]


def test_worker_gives_way_while_others_write(
    cair_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker alone takes its time; beside others its acts are short and it rests after them."""
    monkeypatch.setattr("api.others._REMEMBERED_SECONDS", 60.0)
    payments = cair_desk.orders(among=3)
    rests: list[float] = []
    office = cair_desk.office
    books = Books(
        office.engine,
        office.government,
        "Asia/Jakarta",
        "worker",
        cair_desk.clock,
        committed=lambda _: None,
        refuses=lambda _: None,
        pause=rests.append,
    )
    for payment in payments[:2]:
        books.hold(payment, "to be looked at")
    assert (BATCH_MAX, []) == (books.act_most, rests)

    office.do(HoldPayment("kuasa", payments[0], False, "Jelas"))
    books.hold(payments[0], "to be looked at")
    assert 1 <= books.act_most < BATCH_MAX
    books.hold(payments[2], "to be looked at")
    assert 1 == len(rests) and 0 < rests[0] <= 0.5

    books.keep([PaymentAnswer(f"P{n}", "silence", "unknown") for n in range(40)])
    assert [16, 16, 8] == [len(answers) for _, answers in books._answers]


def test_worker_whose_answers_the_database_does_not_take_tries_again_with_pauses(
    cair_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database may take reads and refuse writes for long."""
    cair_desk.orders()
    worker = cair_desk.worker()
    worker.books.keep([PaymentAnswer("P26-00000001", "silence", "unknown")])
    puts: list[object] = []
    monkeypatch.setattr(
        Books, "_post", lambda _, command: puts.append(command) or Failed(OutcomeUnknownError())
    )
    stopping = threading.Event()
    threading.Timer(1.0, stopping.set).start()
    worker.run(stopping)

    assert 2 <= len(puts) <= 20
    assert worker.books.is_waiting


def test_doubt_is_kept_once_while_the_database_does_not_take_it(
    cair_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call of a worker that died is found silent in each round, and recorded once."""
    (payment,) = cair_desk.orders()
    cair_desk.office.do(CallPayments("worker", [(payment, "bifast")], "dead", TIMING.lease))
    cair_desk.clock.add(TIMING.lease + 1)
    worker = cair_desk.worker()
    with monkeypatch.context() as away:
        away.setattr(Books, "_post", lambda *_: Failed(OutcomeUnknownError()))
        for _ in range(5):
            worker.step()
    assert [payment] == [each.payment for _, answers in worker.books._answers for each in answers]
    worker.step()

    assert ["unknown"] == cair_desk.states()


def test_answer_that_the_database_refuses_does_not_hold_up_the_others(
    cair_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can never be recorded is let go, told in the log: the call is doubted, the bank asked."""
    one, two = cair_desk.orders(among=2)
    cair_desk.office.do(
        CallPayments("worker", [(one, "bifast"), (two, "bifast")], "w", TIMING.lease)
    )
    real: Callable[..., Any] = Books._post

    def post(self: Books, command: Any) -> Any:
        if any(each.payment == one for each in getattr(command, "answers", ())):
            return Failed(DatabaseRefusedError(rule="x"))
        return real(self, command)

    monkeypatch.setattr(Books, "_post", post)
    books = cair_desk.worker().books
    books.keep([PaymentAnswer(each, "reply", "done") for each in (one, two)])
    for _ in range(3):
        books.record()

    assert ["sent", "paid"] == cair_desk.states()
    assert not books.is_waiting


def test_recording_makes_room_for_calls_that_come_back(
    cair_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Much news at once is recorded in several rounds."""
    monkeypatch.setattr("api.dispatch.books._RECORD_SECONDS", -1.0)
    payments = cair_desk.orders(among=3)
    cair_desk.office.do(
        CallPayments("worker", [(each, "bifast") for each in payments], "w", TIMING.lease)
    )
    books = cair_desk.worker().books
    for each in payments:
        books.keep([PaymentAnswer(each, "reply", "done")])

    assert [1, 1, 1, 0] == [books.record() for _ in range(4)]
    assert ["paid"] * 3 == cair_desk.states()
