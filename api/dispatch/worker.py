"""
The worker: takes signed orders, calls the bank, records what came of it.

One thread reads and writes the books; a pool of threads talks to banks and touches nothing else.
Several workers may run, in any process, on any machine that reaches the database: what may be called
is decided under the book's lock (`CallPayments`), and each COMMIT (`books`) says what the world looks
like to whoever comes after a death right there.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Engine

from api.clock import Clock
from api.dispatch.books import Books
from api.dispatch.statement_word import StatementWord
from api.dispatch.telling import Task, answer_of, is_news, order_of, printable
from api.dispatch.timing import Timing, later
from api.engine import reading
from api.logs import log
from audit.log import instant_text
from bank_adapters.errors import BankAdapterError
from bank_adapters.payments.bank import Bank
from bank_adapters.payments.names import same_holder
from bank_adapters.payments.order import BankAnswer, PaymentOrder, Rail
from bank_adapters.snap.errors import BankRefusedError
from ledger.documents import dispatch_store
from ledger.documents.calls import may_call
from ledger.documents.dispatch_store import Call, Due
from ledger.documents.dispatching import BATCH_MAX, PaymentAnswer
from ledger.money import Money

__all__ = ["Route", "Worker"]

#: Answers wait this long for others to be recorded with them, while half of the calls are out.
_GATHER_SECONDS: Final = 0.05
_STATEMENTS_SECONDS: Final = 2.0
#: Between a look for work that found none and the next one.
_IDLE_SECONDS: Final = 0.25
_PAUSED_SECONDS: Final = 5
_NO_RAIL_SECONDS: Final = 3_600


class Route(Protocol):
    """Chooses a rail now: the rail, or the instant from which one is open."""

    def __call__(
        self, bank_account: str, beneficiary_bank: str, amount: Money, now: datetime
    ) -> Rail | datetime:
        """Raises BankAdapterError where none will ever do."""


@dataclass(frozen=True, slots=True)
class _NameTask:
    """A holder being asked for, before anything is sent to the account."""

    due: Due
    holder: tuple[str, str, str]


@dataclass(slots=True)
class Worker:
    """
    A worker of one government.

    *person* holds the role dispatcher; *banks* are by bank account; *width* is how many calls are
    out at once. `run` works until it is told to stop; `step` does what there is to do once.
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
    books: Books = field(init=False)
    _statements: StatementWord = field(init=False)
    _pool: ThreadPoolExecutor = field(init=False)
    _running: dict[Future[BankAnswer], Task] = field(init=False, default_factory=dict)
    _asking: dict[Future[str | None], _NameTask] = field(init=False, default_factory=dict)
    #: Holders (bank, account, name) that a bank has confirmed to this worker.
    _holders: set[tuple[str, str, str]] = field(init=False, default_factory=set)
    _looked_at: float = field(init=False, default=float("-inf"))

    def __post_init__(self) -> None:
        self.books = Books(
            self.engine,
            self.government,
            self.zone,
            self.person,
            self.clock,
            committed=self.committed,
            refuses=self.refuses,
        )
        self._statements = StatementWord(self.engine, self.government, self.zone)
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
            # Answers that the database does not take wait as well.
            if not busy and not self._running and not self._asking:
                stopping.wait(_IDLE_SECONDS)
        self.close()

    @property
    def is_busy(self) -> bool:
        """Whether calls are under way, or answers wait to be recorded."""
        return bool(self._running or self._asking or self.books.is_waiting)

    def close(self) -> None:
        """Let the calls under way end, and record them."""
        self._pool.shutdown(cancel_futures=False)
        self._collect(0.0)
        while self.books.record():  # until nothing is left, or the database takes nothing
            pass

    def step(self) -> bool:
        """One round; whether there was anything to do."""
        now = self.clock()
        done = self._collect(_GATHER_SECONDS)
        done += self._hear_names(now)
        if time.monotonic() - self._looked_at >= _STATEMENTS_SECONDS:
            self._looked_at = time.monotonic()
            news = self._statements.news(self.banks, now)
            self.books.keep(news)
            done += len(news)
        return done + self._work(now) > 0

    @property
    def _free(self) -> int:
        return self.width - len(self._running) - len(self._asking)

    # --- sending and asking --------------------------------------------------------------------

    def _work(self, now: datetime) -> int:
        """Record what is known, doubt what stayed without answer, send and ask what is due."""
        free = max(self._free, 0)
        asked = sum(not task.pays for task in self._running.values())
        with reading(self.engine) as conn:
            # Questions have a quarter of the width, whatever waits to be sent, and all that is left.
            due = self._due(conn, now, ("accepted", "unknown"), free)
            sent = self._due(conn, now, ("sent",), BATCH_MAX)
            calls = dispatch_store.calls_of(
                conn, self.government, [each.payment for each in (*due, *sent)]
            )
            again = [each for each in sent if _may_repeat(each, calls)]
            room = free - min(len(due), max(self.width // 4 - asked, 1), free)
            room = min(room, self.books.act_most)
            fresh = self._due(conn, now, ("queued",), room)
            orders, put_off = self._orders(conn, [*again, *fresh][:room], now)
            asks = due[: free - len(orders)]
            texts = self.books.payees(conn, asks)
        # Whoever called died, or its answer never came. Nobody knows whether the bank has paid:
        # unknown, and from now on the bank is asked. A late answer of the caller still counts.
        repeated = {each.payment for each in again}
        known = repeated | self.books.waiting
        silent = [each for each in sent if each.payment not in known and each.payment in calls]
        pause = self.timing.first_ask
        self.books.keep(
            [PaymentAnswer(d.payment, "silence", "unknown", next_seconds=pause) for d in silent]
        )
        # Without a call of the books: moved by a person's word, and settled by one.
        strange = [each.payment for each in (*asks, *sent) if each.payment not in calls]
        put_off |= dict.fromkeys(strange, later(now, self.timing.ask_most))
        self.books.schedule(put_off, count=True)
        done = self.books.record() + self._send(orders, now)
        return done + self._ask([each for each in asks if each.payment in calls], calls, texts, now)

    def _due(self, conn: Connection, now: datetime, states: Sequence[str], most: int) -> list[Due]:
        return self.books.due(conn, self.banks, now, states, most) if most else []

    def _send(self, orders: Mapping[str, tuple[Due, PaymentOrder]], now: datetime) -> int:
        """Call the bank for *orders*, by payment."""
        if not orders:
            return 0
        started = time.monotonic()
        rails = [(order.reference, order.rail) for _, order in orders.values()]
        told = self.books.call(rails, self.name, self.timing.lease)
        for each in told["called"]:
            due, order = orders[each["payment"]]
            made = Call(each["call"], each["external_id"], order.rail, ())
            task = Task(due, order, made, pays=True, started=started)
            self._running[self._pool.submit(self._call_bank, task)] = task
        paused = [each["payment"] for each in told["skipped"] if each["reason"] == "paused"]
        self.books.schedule(dict.fromkeys(paused, later(now, _PAUSED_SECONDS)))
        return len(told["called"])

    def _ask(
        self,
        asks: Sequence[Due],
        calls: Mapping[str, Sequence[Call]],
        texts: Mapping[str, str],
        now: datetime,
    ) -> int:
        """Ask the bank what became of orders that no other worker asks about now."""
        if not asks:
            return 0
        mine = self.books.take([each.payment for each in asks], now, self.timing.lease)
        for due in asks:
            if due.payment not in mine:
                continue
            call = calls[due.payment][-1]
            order = order_of(
                due,
                call.rail,  # type: ignore[arg-type]  # a rail when the call was made
                texts.get(due.name_c, ""),
                texts.get(due.account_c, ""),
            )
            task = Task(due, order, call, pays=False, started=time.monotonic())
            self._running[self._pool.submit(self._ask_bank, task)] = task
        return len(mine)

    def _call_bank(self, task: Task) -> BankAnswer:
        """In a thread of the pool: one call, whose every end is an answer."""
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

    def _ask_bank(self, task: Task) -> BankAnswer:
        """In a thread of the pool: one question. Not being answered says nothing."""
        external_id = f"9{time.time_ns():019d}{secrets.randbelow(10**6):06d}"
        try:
            return self.banks[task.due.bank_account].status(
                task.order, task.call.external_id, external_id
            )
        except BankAdapterError as error:
            return BankAnswer("unknown", message=f"not asked: {error.code}")
        except Exception as error:
            log.error("worker.ask_failed", government=self.government, error=type(error).__name__)
            return BankAnswer("unknown", message=type(error).__name__)

    def _orders(
        self, conn: Connection, wanted: Sequence[Due], now: datetime
    ) -> tuple[dict[str, tuple[Due, PaymentOrder]], dict[str, str]]:
        """What can leave now, by payment; and until when the others are put off, told in the log."""
        texts = self.books.payees(conn, wanted)
        orders: dict[str, tuple[Due, PaymentOrder]] = {}
        put_off: dict[str, str] = {}
        for due in wanted:
            name, account = texts.get(due.name_c), texts.get(due.account_c)
            if name is None or account is None:
                log.error("worker.text_erased", government=self.government, payment=due.payment)
                put_off[due.payment] = later(now, _NO_RAIL_SECONDS)
                continue
            try:
                rail = self.route(due.bank_account, due.bank_code, Money(due.amount_sen), now)
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
            elif self._knows(due, name, account):
                orders[due.payment] = (due, order_of(due, rail, name, account))
        return orders, put_off

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
                pause = self.timing.ask_in(task.due.tries)
                self.books.schedule({task.due.payment: later(now, pause)}, count=True)
            elif same_holder(task.holder[2], said):
                self._holders.add(task.holder)
            else:
                reason = f"The bank names the holder {said!r}" if said else "No such account"
                self.books.hold(task.due.payment, printable(reason))
        return len(heard)

    # --- what came back ------------------------------------------------------------------------

    def _collect(self, seconds: float) -> int:
        """Keep the answers that have come, waiting a little until half of what is out is back."""
        ends = time.monotonic() + seconds
        under_way: set[Future[Any]] = {*self._running, *self._asking}
        out = under_way
        while len(out) > len(under_way) // 2 and (left := ends - time.monotonic()) > 0:
            out = wait(out, timeout=left, return_when=FIRST_COMPLETED).not_done
        answers: list[PaymentAnswer] = []
        waits: dict[str, str] = {}
        for future in [each for each in self._running if each.done()]:
            task = self._running.pop(future)
            answer = future.result()
            if task.pays:
                answers.append(answer_of(task, answer, self._pause_after(task, answer)))
            elif (told := self._status(task, answer)) is not None:
                answers.append(told)
            else:
                pause = self._ask_in(task, answer)
                waits[task.due.payment] = later(self.clock(), pause)
        self.books.schedule(waits)
        self.books.keep(answers)
        return len(answers) + len(waits)

    def _pause_after(self, task: Task, answer: BankAnswer) -> int:
        if answer.meaning == "retry":
            return self.timing.retry_in(task.call.n, answer.retry_after)
        return max(self.timing.first_ask, answer.retry_after)

    def _ask_in(self, task: Task, answer: BankAnswer) -> int:
        return max(self.timing.ask_in(task.due.tries), answer.retry_after)

    def _status(self, task: Task, answer: BankAnswer) -> PaymentAnswer | None:
        """What a question brought; None: only when to ask again."""
        if answer.meaning == "not_found":
            return self._statements.absence(task.due)
        if is_news(task.due.state, answer.meaning):
            return answer_of(task, answer, self._ask_in(task, answer))
        return None


def _may_repeat(due: Due, calls: Mapping[str, Sequence[Call]]) -> bool:
    """Whether the bank said of every call that it did nothing and that it may be sent again."""
    made = calls.get(due.payment, ())
    return bool(made) and may_call(due.state, [call.meanings for call in made])
