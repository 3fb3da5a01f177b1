"""
The worker: takes signed orders, calls the bank, records what came of it.

One thread reads and writes the books; a pool of threads talks to banks and touches nothing else.
Several workers may run, in any process, on any machine that reaches the database: what may be called
is decided under the book's lock (`CallPayments`), and each commit below says what the world looks
like to whoever comes after a death right there.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Protocol

import msgspec
from sqlalchemy import Engine

from api.clock import Clock, local_day
from api.committer import Committer, Outcome
from api.dispatch.timing import Timing, later
from api.engine import begin, reading
from api.logs import log
from audit.log import instant_text
from bank_adapters.errors import BankAdapterError
from bank_adapters.payments.bank import Bank
from bank_adapters.payments.names import same_holder
from bank_adapters.payments.order import BankAnswer, PaymentOrder, Rail
from bank_adapters.snap.errors import BankRefusedError
from ledger.answers import Idempotency
from ledger.documents import dispatch_store, queries
from ledger.documents.dispatch_store import Call, Due
from ledger.documents.dispatching import BATCH_MAX, AnswerPayments, CallPayments, PaymentAnswer
from ledger.documents.holding import HoldPayment
from ledger.money import Money
from ledger.posting import Accepted, Refused
from ledger.session import Command
from reconciliation.payments_on_statements import (
    covered_through,
    find_lines,
    newest_statement,
    returned_keys,
)

__all__ = ["Route", "Worker"]

#: A call that is answered at once waits at most this long for others to be recorded with it.
_GATHER_SECONDS: Final = 0.05
_STATEMENTS_SECONDS: Final = 2.0
#: Between a look for work that found none and the next one.
_IDLE_SECONDS: Final = 0.25
_NO_RAIL_SECONDS: Final = 3_600


class Route(Protocol):
    """Chooses a rail now: the rail, or the instant from which one is open."""

    def __call__(
        self, bank_account: str, beneficiary_bank: str, amount: Money, now: datetime
    ) -> Rail | datetime:
        """Raises BankAdapterError where none will ever do."""


@dataclass(frozen=True, slots=True)
class _Task:
    """One call under way: to pay (with its `call`), or a question."""

    due: Due
    order: PaymentOrder
    call: Call | None
    calls: int
    started: float


@dataclass(frozen=True, slots=True)
class _NameTask:
    """A holder being asked for, before anything is sent to the account."""

    due: Due
    holder: tuple[str, str, str]


@dataclass(slots=True)
class Worker:
    """
    A worker of one government.

    *person* holds the role dispatcher; *banks* are by bank account. `run` works until it is told to
    stop; `step` does what there is to do once.
    """

    engine: Engine
    government: str
    zone: str
    person: str
    banks: Mapping[str, Bank]
    route: Route
    clock: Clock
    timing: Timing = field(default_factory=Timing)
    width: int = 16
    committed: Callable[[str], None] = lambda _: None
    refuses: Callable[[str], Any] = lambda _: None
    name: str = field(default_factory=lambda: secrets.token_hex(6))
    _committer: Committer = field(init=False)
    _pool: ThreadPoolExecutor = field(init=False)
    _running: dict[Future[BankAnswer], _Task] = field(init=False, default_factory=dict)
    _asking: dict[Future[str | None], _NameTask] = field(init=False, default_factory=dict)
    #: Holders (bank, account, name) that a bank has confirmed to this worker.
    _holders: set[tuple[str, str, str]] = field(init=False, default_factory=set)
    #: Answers that came and could not be recorded yet, with the key they are recorded under.
    _unrecorded: list[tuple[str, Sequence[PaymentAnswer]]] = field(init=False, default_factory=list)
    _statements: dict[str, int] = field(init=False, default_factory=dict)
    _looked_at: float = field(init=False, default=float("-inf"))

    def __post_init__(self) -> None:
        self._committer = Committer(
            self.engine, self.government, clock=self.clock, refuses=self.refuses
        )
        self._pool = ThreadPoolExecutor(self.width, thread_name_prefix="bank")

    def run(self, stopping: threading.Event) -> None:
        """Work until *stopping* is set, then wait for the calls under way and record them."""
        while not stopping.is_set():
            try:
                busy = self.step()
            except Exception as error:  # the database may be away: it is looked for again
                log.error("worker.failed", government=self.government, error=type(error).__name__)
                busy = False
                stopping.wait(1.0)
            if not busy and not self.is_busy:
                stopping.wait(_IDLE_SECONDS)
        self.close()

    @property
    def is_busy(self) -> bool:
        """Whether calls are under way, or answers wait to be recorded."""
        return bool(self._running or self._unrecorded or self._asking)

    def close(self) -> None:
        """Let the calls under way end, and record them."""
        while self._running:
            self._collect(self.timing.call_most)
        self._record_again()
        self._pool.shutdown()

    def step(self) -> bool:
        """One round; whether there was anything to do."""
        now = self.clock()
        done = self._record_again()
        done += self._collect(_GATHER_SECONDS)
        done += self._hear_names(now)
        done += self._doubt_and_send(now)
        done += self._ask(now)
        if time.monotonic() - self._looked_at >= _STATEMENTS_SECONDS:
            self._looked_at = time.monotonic()
            done += self._read_statements()
        return done > 0

    # --- sending -------------------------------------------------------------------------------

    def _doubt_and_send(self, now: datetime) -> int:
        free = self.width - len(self._running) - len(self._asking)
        with reading(self.engine) as conn:
            sent = self._due(conn, now, ("sent",), BATCH_MAX)
            calls = dispatch_store.calls_of(conn, self.government, [each.payment for each in sent])
            again = [d for d in sent if _did_nothing(calls.get(d.payment, []))]
            fresh = self._due(conn, now, ("queued",), free) if free > 0 else []
        silent = [d for d in sent if d not in again and calls.get(d.payment)]
        if silent:
            # Whoever called died, or its answer never came. Nobody knows whether the bank has paid:
            # unknown, and from now on the bank is asked. A late answer of the caller still counts.
            self._record(
                [
                    PaymentAnswer(
                        each.payment, "silence", "unknown", next_seconds=self.timing.first_ask
                    )
                    for each in silent
                ]
            )
        wanted = [*again, *fresh][: max(free, 0)]
        return len(silent) + (self._send(wanted, now) if wanted else 0)

    def _send(self, wanted: Sequence[Due], now: datetime) -> int:
        with reading(self.engine) as conn:
            orders = self._orders(conn, wanted, now)
        by_payment = {each.payment: each for each in wanted}
        if not orders:
            return 0
        started = time.monotonic()
        command = CallPayments(
            self.person,
            [(order.reference, order.rail) for order in orders.values()],
            self.name,
            self.timing.lease,
            _key(),
        )
        # COMMIT of the calls. Die before it: nothing happened, the orders are queued. Die after it:
        # the orders are sent, nothing may have left; when the lease is over they become unknown,
        # the bank is asked, and nobody calls for them again.
        outcome = self._put(command)
        if not isinstance(outcome, Accepted):
            self._complain("worker.call_refused", outcome)
            return 0
        answer = msgspec.json.decode(outcome.answer)
        for each in answer["called"]:
            due = by_payment[each["payment"]]
            order = orders[due.payment]
            call = Call(
                each["call"], each["external_id"], order.rail, self.name, answer["due_at"], ()
            )
            task = _Task(due, order, call, each["call"], started)
            self._running[self._pool.submit(self._call_bank, task)] = task
        for each in answer["skipped"]:
            if each["reason"] == "paused":
                self._schedule({each["payment"]: later(now, 5)})
        return len(answer["called"])

    def _call_bank(self, task: _Task) -> BankAnswer:
        """In a thread of the pool: one call, whose every end is an answer."""
        if task.call is None:
            raise ValueError(task.due.payment)
        left = self.timing.lease - (time.monotonic() - task.started)
        if left <= self.timing.call_most:
            # Others will doubt this call before it could end: it is not made, and that is certain.
            return BankAnswer("retry", message="the call came up too late and was not made")
        try:
            return self.banks[task.due.bank_account].send(task.order, task.call.external_id)
        except BankAdapterError as error:
            return BankAnswer("retry", message=f"not sent: {error.code}")
        except Exception as error:
            log.error("worker.call_failed", government=self.government, error=type(error).__name__)
            return BankAnswer("unknown", message=type(error).__name__)

    def _orders(self, conn: Any, wanted: Sequence[Due], now: datetime) -> dict[str, PaymentOrder]:
        """What can leave now, by payment; what can't is put off with a word in the log."""
        texts = queries.private_texts(
            conn, self.government, [c for due in wanted for c in (due.name_c, due.account_c)]
        )
        orders: dict[str, PaymentOrder] = {}
        put_off: dict[str, str] = {}
        for due in wanted:
            name, account = texts.get(due.name_c), texts.get(due.account_c)
            if name is None or account is None:
                log.error("worker.text_erased", government=self.government, payment=due.payment)
                put_off[due.payment] = later(now, _NO_RAIL_SECONDS)
                continue
            amount = Money(due.amount_sen)
            try:
                rail = self.route(due.bank_account, due.bank_code, amount, now)
            except BankAdapterError as error:
                log.error(
                    "worker.no_rail",
                    government=self.government,
                    payment=due.payment,
                    code=error.code,
                )
                put_off[due.payment] = later(now, _NO_RAIL_SECONDS)
                continue
            if isinstance(rail, datetime):
                put_off[due.payment] = instant_text(rail)
                continue
            if not self._knows(due, name, account):
                continue
            orders[due.payment] = _order(due, rail, name, account)
        if put_off:
            self._schedule(put_off, count=True)
        return orders

    # --- names ---------------------------------------------------------------------------------

    def _knows(self, due: Due, name: str, account: str) -> bool:
        """Whether this payee may be paid; where nobody has asked for the holder yet, ask."""
        bank = self.banks[due.bank_account]
        holder = (due.bank_code, account, name)
        if not bank.checks_names or holder in self._holders or due.state != "queued":
            return True
        if all(task.due.payment != due.payment for task in self._asking.values()):
            future = self._pool.submit(self._ask_name, bank, due.bank_code, account)
            self._asking[future] = _NameTask(due, holder)
        return False

    def _ask_name(self, bank: Bank, bank_code: str, account: str) -> str | None:
        """In a thread of the pool: the holder, "" where the bank knows none, None without answer."""
        try:
            return bank.inquire_account(bank_code, account)
        except BankRefusedError:
            return ""
        except BankAdapterError:
            return None
        except Exception as error:
            log.error("worker.name_failed", government=self.government, error=type(error).__name__)
            return None

    def _hear_names(self, now: datetime) -> int:
        """What banks said of holders: paid next, held for a person, or asked again later."""
        heard = [future for future in self._asking if future.done()]
        for future in heard:
            task, said = self._asking.pop(future), future.result()
            if said is None:
                self._schedule(
                    {task.due.payment: later(now, self.timing.ask_in(task.due.tries))}, count=True
                )
            elif same_holder(task.holder[2], said):
                self._holders.add(task.holder)
            else:
                # COMMIT of the hold. Die before it: the holder is asked for again.
                reason = f"The bank names the holder {said!r}" if said else "No such account"
                outcome = self._put(
                    HoldPayment(self.person, task.due.payment, True, _printable(reason))
                )
                if not isinstance(outcome, Accepted):
                    self._complain("worker.hold_refused", outcome)
        return len(heard)

    # --- asking --------------------------------------------------------------------------------

    def _ask(self, now: datetime) -> int:
        free = self.width - len(self._running)
        if free <= 0:
            return 0
        with reading(self.engine) as conn:
            found = self._due(conn, now, ("accepted", "unknown"), free)
            calls = dispatch_store.calls_of(conn, self.government, [each.payment for each in found])
            texts = queries.private_texts(
                conn, self.government, [c for due in found for c in (due.name_c, due.account_c)]
            )
        asked = 0
        for due in found:
            known = calls.get(due.payment)
            if not known:  # doubted without ever being called for: a person settles it
                self._schedule({due.payment: later(now, self.timing.ask_most)})
                continue
            # COMMIT of the question. Die after it: nobody asks until its time is over, nothing else.
            with begin(self.engine) as conn:
                mine = dispatch_store.take_due(
                    conn,
                    self.government,
                    due.payment,
                    now=instant_text(now),
                    until=later(now, self.timing.lease),
                )
            if not mine:
                continue
            order = _order(
                due,
                known[-1].rail,  # type: ignore[arg-type]  # a rail when the call was made
                texts.get(due.name_c, ""),
                texts.get(due.account_c, ""),
            )
            task = _Task(due, order, None, len(known), time.monotonic())
            self._running[self._pool.submit(self._ask_bank, task, known[-1])] = task
            asked += 1
        return asked

    def _ask_bank(self, task: _Task, call: Call) -> BankAnswer:
        """In a thread of the pool: one question. Not being answered says nothing."""
        external_id = f"9{time.time_ns():019d}{secrets.randbelow(10**6):06d}"
        try:
            return self.banks[task.due.bank_account].status(
                task.order, call.external_id, external_id
            )
        except BankAdapterError as error:
            return BankAnswer("unknown", message=f"not asked: {error.code}")
        except Exception as error:
            log.error("worker.ask_failed", government=self.government, error=type(error).__name__)
            return BankAnswer("unknown", message=type(error).__name__)

    # --- what came back ------------------------------------------------------------------------

    def _collect(self, seconds: float) -> int:
        """Record the answers that have come, waiting a little for the first and for its company."""
        if not self._running:
            return 0
        done, _ = wait(self._running, timeout=seconds, return_when=FIRST_COMPLETED)
        if not done:
            return 0
        answers: list[PaymentAnswer] = []
        waits: dict[str, str] = {}
        for future in [each for each in self._running if each.done()]:
            task = self._running.pop(future)
            answer = future.result()
            if task.call is not None:
                answers.append(self._reply(task, answer))
            else:
                self._status(task, answer, answers, waits)
        if waits:
            self._schedule(waits)
        if answers:
            self._record(answers)
        return len(answers) + len(waits)

    def _reply(self, task: _Task, answer: BankAnswer) -> PaymentAnswer:
        if answer.meaning == "retry":
            pause = self.timing.retry_in(task.calls, answer.retry_after)
        else:
            pause = max(self.timing.first_ask, answer.retry_after)
        return _answer_of(task, "reply", answer, pause)

    def _status(
        self,
        task: _Task,
        answer: BankAnswer,
        answers: list[PaymentAnswer],
        waits: dict[str, str],
    ) -> None:
        """What a question brought: news to record, or only when to ask again."""
        pause = max(self.timing.ask_in(task.due.tries), answer.retry_after)
        if answer.meaning == "not_found":
            found = self._absent(task.due)
            if found is not None:
                answers.append(found)
                return
        if answer.meaning in ("done", "refused", "returned", "conflict") or (
            answer.meaning == "pending" and task.due.state == "unknown"
        ):
            answers.append(_answer_of(task, "status", answer, pause))
            return
        waits[task.due.payment] = later(self.clock(), pause)

    def _absent(self, due: Due) -> PaymentAnswer | None:
        """
        The bank doesn't know it, and its statements beyond the day it was sent don't show it: then,
        and only then, it was not paid.
        """
        with reading(self.engine) as conn:
            days = dispatch_store.sent_days(conn, self.government, [due.payment])
            if due.payment not in days:
                return None
            first, last = days[due.payment]
            through, sha256 = covered_through(conn, self.government, due.bank_account)
            if through <= local_day(datetime.fromisoformat(last), self.zone):
                return None
            lines = find_lines(
                conn, self.government, due.bank_account, {due.payment: (due.amount_sen, first)}
            )
        if due.payment in lines:
            return None
        return PaymentAnswer(due.payment, "statement", "refused", evidence_sha256=sha256)

    # --- statements ----------------------------------------------------------------------------

    def _read_statements(self) -> int:
        """Where a new statement has come in: what it says of orders that wait for the bank's word."""
        done = 0
        for bank_account in self.banks:
            with reading(self.engine) as conn:
                newest = newest_statement(conn, self.government, bank_account)
                if newest == self._statements.get(bank_account, 0):
                    continue
                waiting = dispatch_store.find_open(conn, self.government, bank_account)
                back = returned_keys(conn, self.government, bank_account)
                amounts = waiting | dispatch_store.amounts_of(conn, self.government, back)
                days = dispatch_store.sent_days(conn, self.government, list(amounts))
                lines = find_lines(
                    conn,
                    self.government,
                    bank_account,
                    {name: (sen, days[name][0]) for name, sen in amounts.items() if name in days},
                )
            answers = []
            for name, seen in lines.items():
                meaning = _meaning_of(seen.debits, seen.credits, name in waiting)
                if meaning:
                    answers.append(
                        PaymentAnswer(name, "statement", meaning, evidence_sha256=seen.file_sha256)
                    )
            for at in range(0, len(answers), BATCH_MAX):
                self._record(answers[at : at + BATCH_MAX])
            self._statements[bank_account] = newest
            done += len(answers)
        return done

    # --- the books -----------------------------------------------------------------------------

    def _due(self, conn: Any, now: datetime, states: Sequence[str], limit: int) -> list[Due]:
        return dispatch_store.find_due(
            conn,
            self.government,
            bank_accounts=self.banks,
            now=instant_text(now),
            today=local_day(now, self.zone),
            states=states,
            limit=limit,
        )

    def _schedule(self, at: dict[str, str], *, count: bool = False) -> None:
        with begin(self.engine) as conn:
            dispatch_store.schedule_all(conn, self.government, at, count=count)

    def _record(self, answers: Sequence[PaymentAnswer]) -> None:
        for at in range(0, len(answers), BATCH_MAX):
            self._unrecorded.append((secrets.token_hex(16), answers[at : at + BATCH_MAX]))
        self._record_again()

    def _record_again(self) -> int:
        """Put answers to the books; those that the database could not take are kept for the next time."""
        waiting, self._unrecorded = self._unrecorded, []
        done = 0
        for key, answers in waiting:
            # COMMIT of the answers. Die before it: the calls stand without answer, become unknown
            # when their lease is over, and the bank is asked. Die after it: they are settled.
            outcome = self._put(AnswerPayments(self.person, answers, idempotency=_key(key)))
            if isinstance(outcome, Accepted):
                done += len(answers)
            elif isinstance(outcome, Refused):
                self._complain("worker.answer_refused", outcome)
                if len(answers) > 1:  # one of them was refused: the others must not wait for it
                    self._unrecorded += [(secrets.token_hex(16), [each]) for each in answers]
            else:
                self._complain("worker.answer_kept", outcome)
                self._unrecorded.append((key, answers))
        return done

    def _put(self, command: Command) -> Outcome:
        outcome = self._committer.post([command])[0]
        if isinstance(outcome, Accepted):
            self.committed(self.government)
        return outcome

    def _complain(self, event: str, outcome: Outcome) -> None:
        error = getattr(outcome, "error", None)
        log.error(event, government=self.government, code=str(getattr(error, "code", "")))


def _did_nothing(calls: Iterable[Call]) -> bool:
    """Whether the bank said of every call that it did nothing and that it may be sent again."""
    meanings = [call.meanings for call in calls]
    return bool(meanings) and all(each == ("retry",) for each in meanings)


def _meaning_of(debits: int, back: int, waits: bool) -> str:
    """What a payment's lines say of it; "" where a person has to read them."""
    if debits == 1 and back == 0 and waits:
        return "done"
    if debits == 1 and back == 1:
        return "returned"
    # Two debits and one credit: the bank has corrected a mistake of its own.
    if debits > 1 and debits - back == 1 and waits:
        return "done"
    return ""


def _order(due: Due, rail: Rail, name: str, account: str) -> PaymentOrder:
    """The order as the bank is asked for it: the same bytes each time, whenever that is."""
    return PaymentOrder(
        due.payment,
        Money(due.amount_sen),
        due.bank_account.partition(":")[2],
        due.bank_code,
        account,
        name,
        f"{due.payment} {due.number}"[:50],
        rail,
        date.fromisoformat(due.transfer_on),
    )


def _answer_of(task: _Task, source: str, answer: BankAnswer, pause: int) -> PaymentAnswer:
    return PaymentAnswer(
        task.due.payment,
        source,
        answer.meaning,
        answer.http_status,
        _printable(answer.code),
        _printable(answer.bank_reference),
        answer.body,
        next_seconds=min(pause, 7 * 86_400),
    )


def _printable(text: str) -> str:
    """What a bank writes, as far as it can stand in a row."""
    return "".join(c if c.isprintable() else "?" for c in text)[:128]


def _key(key: str = "") -> Idempotency:
    """A key of the worker's own: an act whose COMMIT gave no answer is then settled by it."""
    return Idempotency(key or secrets.token_hex(16), "dispatch", [])
