"""Group commit under faults: poison, full queues, commits that fail or give no answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from api.committer import Committer
from api.engine import make_engine, reading
from api.errors import (
    DatabaseRefusedError,
    DatabaseUnavailableError,
    InternalError,
    OutcomeUnknownError,
    QueueFullError,
    StoppingError,
    UnknownGovernmentError,
)
from api.writer import Failed, Outcome, Writer
from audit.database import log_leaf
from ledger import tables as t
from ledger.answers import Idempotency
from ledger.commands import PostJournal, request_fields
from ledger.journals import JournalBody, LineBody
from ledger.posting import Accepted, Group
from ledger.session import Answer, Command, Session, Wants
from ledger.settings import Settings
from tests.api.support import CASH, GOVERNMENT, TAX, TODAY, fixed_clock, open_books
from tests.databases import Database


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    """An engine of the application's role on a fresh book."""
    open_books(database)
    made = make_engine(database.url)
    yield made
    made.dispose()


def journal(reference: str, amount: str = "1.00", *, key: str | None = None) -> PostJournal:
    """A fed receipt."""
    body = JournalBody(
        reference,
        TODAY,
        "receipt",
        "x",
        [LineBody(CASH, debit=amount), LineBody(TAX, credit=amount)],
    )
    asked = Idempotency(key, "journals", request_fields(body)) if key else None
    return PostJournal("svc-feed", body, asked)


@dataclass
class Poison:
    """A command that passes every check of the code and breaks a rule of the database."""

    by: str = "svc-feed"
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:
        return Wants()

    def apply(self, session: Session) -> Answer:
        session.conn.execute(
            t.bank_account.insert().values(
                government=GOVERNMENT,
                id="137:1",
                bank_code="137",
                number="2",
                name="",
                account=CASH,
                opened_on=TODAY,
                leaf_index=0,
            )
        )
        return {}


@dataclass
class Crash(Poison):
    """A command with a fault of its own."""

    def apply(self, session: Session) -> Answer:
        raise KeyError("a name that must not be seen: Budi")


def references(engine: Engine) -> list[str]:
    """References in the book, in order, without the opening."""
    with reading(engine) as conn:
        rows = conn.execute(t.journal.select().order_by(t.journal.c.id)).all()
    return [row.reference for row in rows][1:]


def leaves(engine: Engine) -> int:
    """Acts in the log that posted a journal."""
    with reading(engine) as conn:
        kinds = conn.execute(log_leaf.select().where(log_leaf.c.kind == "journal.posted")).all()
    return len(kinds) - 1


def committer(engine: Engine, **kwargs: Any) -> Committer:
    """One that never waits."""
    return Committer(engine, GOVERNMENT, clock=fixed_clock, pause=lambda _: None, **kwargs)


# --- poison -----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 100, 255])
@pytest.mark.parametrize("kind", [Poison, Crash])
def test_poison_in_a_batch_of_256_fails_alone(
    engine: Engine, kind: type[Poison], place: int
) -> None:
    """255 neighbours are posted in their order, each once; the poison is named and leaves nothing."""
    commands: list[Command] = [journal(f"R{n}") for n in range(256)]
    commands[place] = kind()

    outcomes = committer(engine).post(commands)

    failed = [n for n, outcome in enumerate(outcomes) if not isinstance(outcome, Accepted)]
    assert [place] == failed
    outcome = outcomes[place]
    assert isinstance(outcome, Failed)
    assert type(outcome.error) is (DatabaseRefusedError if kind is Poison else InternalError)
    assert [f"R{n}" for n in range(256) if n != place] == references(engine)
    assert 255 == leaves(engine)


def test_poison_in_a_linked_group_fails_the_group_alone(engine: Engine) -> None:
    """A group falls together; its neighbours stand."""
    commands: list[Command | Group] = [journal("A"), Group([journal("G"), Poison()]), journal("B")]

    outcomes = committer(engine).post(commands)

    assert ["Accepted", "Failed", "Accepted"] == [type(each).__name__ for each in outcomes]
    assert ["A", "B"] == references(engine)


def test_refusal_stops_an_import_at_its_line(engine: Engine) -> None:
    """What stands before the first refusal is posted, nothing behind it."""
    commands = [journal("A"), journal("B", "-1.00"), journal("C")]

    outcomes = committer(engine).post_until_refused(commands)

    assert ["Accepted", "Refused"] == [type(each).__name__ for each in outcomes]
    assert ["A"] == references(engine)


def test_poison_stops_an_import_at_its_line(engine: Engine) -> None:
    """The same for what only the database refuses."""
    commands: list[Command] = [journal("A"), journal("B"), Poison(), journal("C"), journal("D")]

    outcomes = committer(engine).post_until_refused(commands)

    assert ["Accepted", "Accepted", "Failed"] == [type(each).__name__ for each in outcomes]
    assert ["A", "B"] == references(engine)


# --- commits ------------------------------------------------------------------------------------


class Commits:
    """Breaks COMMIT of an engine, before or after it happened."""

    def __init__(self, engine: Engine, *, kept: bool, times: int, rest: int = 0) -> None:
        self.left = times
        self.kept = kept
        self.rest = rest
        self.seen = 0
        self.engine = engine

    def __call__(self, conn: Connection) -> None:
        self.seen += 1
        if self.left <= 0:
            return
        self.left -= 1
        driver = conn.connection.driver_connection
        assert driver is not None
        if self.kept:
            driver.execute("COMMIT")
        else:
            driver.execute("ROLLBACK")
        raise OperationalError("COMMIT", None, Exception("the connection was lost"))


@pytest.fixture
def break_commit(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Commits]:
    """Break the next COMMITs; an engine event on PostgreSQL, the statement on SQLite."""

    def install(*, kept: bool, times: int = 1) -> Commits:
        broken = Commits(engine, kept=kept, times=times)
        if engine.dialect.name == "postgresql":
            event.listen(engine, "commit", broken)
        else:

            def on_statement(conn: Connection, _c: Any, statement: str, *_: Any) -> None:
                if statement == "COMMIT":
                    broken(conn)

            event.listen(engine, "before_cursor_execute", on_statement)
        return broken

    return install


def test_commit_lost_after_it_happened_gives_the_stored_answer(
    engine: Engine, break_commit: Callable[..., Commits]
) -> None:
    """The act was kept and is answered as kept, once in the book, though COMMIT never answered."""
    broken = break_commit(kept=True)

    outcomes = committer(engine).post([journal("A", key="k1"), journal("B")])

    assert ["Accepted", "Accepted"] == [type(each).__name__ for each in outcomes]
    assert isinstance(outcomes[0], Accepted)
    assert (201, True) == (outcomes[0].status, outcomes[0].replayed)
    assert 2 == broken.seen
    assert ["A", "B"] == references(engine)
    assert 2 == leaves(engine)


def test_commit_lost_before_it_happened_is_done_again(
    engine: Engine, break_commit: Callable[..., Commits]
) -> None:
    """The act was not kept: it is decided once more, and kept once."""
    break_commit(kept=False)

    outcomes = committer(engine).post([journal("A", key="k1"), journal("B", "-1.00", key="k2")])

    assert ["Accepted", "Refused"] == [type(each).__name__ for each in outcomes]
    assert ["A"] == references(engine)


@pytest.mark.parametrize("kept", [True, False])
def test_commit_lost_for_good_is_answered_unknown(
    engine: Engine, break_commit: Callable[..., Commits], kept: bool
) -> None:
    """While the database does not answer, the answer is that nobody knows; never 201."""
    break_commit(kept=kept, times=100)

    outcomes = committer(engine).post([journal("A", key="k1")])

    assert isinstance(outcomes[0], Failed)
    assert isinstance(outcomes[0].error, OutcomeUnknownError)


def test_commit_lost_is_not_tried_again_for_an_act_without_key_or_reference(
    engine: Engine, break_commit: Callable[..., Commits]
) -> None:
    """An act that could be done twice is answered unknown, and the others are settled."""
    break_commit(kept=True)

    @dataclass
    class Keyless(Poison):
        def apply(self, session: Session) -> Answer:
            return {"done": True}

    outcomes = committer(engine).post([journal("A"), Keyless()])

    assert isinstance(outcomes[0], Accepted)
    assert isinstance(outcomes[1], Failed)
    assert isinstance(outcomes[1].error, OutcomeUnknownError)


def test_database_away_before_commit_is_unavailable_and_nothing_is_done(engine: Engine) -> None:
    """Trouble before COMMIT is tried once more, then answered as nothing done."""
    tries = []

    def refuse(conn: Connection, _c: Any, statement: str, *_: Any) -> None:
        if "log_edge" in statement:
            tries.append(statement)
            raise OperationalError(statement, None, Exception("server closed the connection"))

    event.listen(engine, "before_cursor_execute", refuse)
    outcomes = committer(engine).post([journal("A"), journal("B")])
    event.remove(engine, "before_cursor_execute", refuse)

    assert 2 == len(tries)
    assert {DatabaseUnavailableError} == {
        type(each.error) for each in outcomes if isinstance(each, Failed)
    }
    assert [] == references(engine)


def test_database_away_once_is_tried_again(engine: Engine) -> None:
    """A connection that broke while it lay idle costs nobody an error."""
    left = [1]

    def refuse(conn: Connection, _c: Any, statement: str, *_: Any) -> None:
        if "log_edge" in statement and left:
            left.pop()
            raise OperationalError(statement, None, Exception("server closed the connection"))

    event.listen(engine, "before_cursor_execute", refuse)

    assert isinstance(committer(engine).post([journal("A")])[0], Accepted)


def test_deferred_rule_broken_at_commit_is_a_refusal_not_an_unknown(engine: Engine) -> None:
    """COMMIT that answers "no" has answered: lines without a journal fail alone."""

    @dataclass
    class Orphan(Poison):
        def apply(self, session: Session) -> Answer:
            session.conn.exec_driver_sql(
                "INSERT INTO journal_line (government, journal_id, n, entity, book, account,"
                " amount_sen, bank_account, counterpart, fund_source, budget_line,"
                " payment_reference, fiscal_year, period, effective_on, batch_seq) VALUES"
                f" ('36', 999, 1, 'PPKD', 'FIN', '{TAX}', 1, '', '', '', '', '', 2026, 11,"
                f" '{TODAY}', 1)"
            )
            return {}

    outcomes = committer(engine).post([journal("A"), Orphan(), journal("B")])

    assert ["Accepted", "Failed", "Accepted"] == [type(each).__name__ for each in outcomes]
    assert isinstance(outcomes[1], Failed)
    assert isinstance(outcomes[1].error, DatabaseRefusedError)
    assert ["A", "B"] == references(engine)


def test_government_without_a_book_is_named(engine: Engine) -> None:
    """No book, no writing."""
    outcomes = Committer(engine, "99", clock=fixed_clock).post([journal("A")])

    assert isinstance(outcomes[0], Failed)
    assert isinstance(outcomes[0].error, UnknownGovernmentError)


# --- the queue -----------------------------------------------------------------------------------


class Gate:
    """Lets a writer's transactions begin only when opened, and notes their sizes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = threading.Event()
        self.entered = threading.Event()
        self.sizes: list[int] = []
        inner = Committer.post

        def post(committer: Committer, commands: Any, **kwargs: Any) -> list[Outcome]:
            self.sizes.append(len(commands))
            self.entered.set()
            assert self.opened.wait(30)
            return inner(committer, commands, **kwargs)

        monkeypatch.setattr(Committer, "post", post)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Closed at first."""
    return Gate(monkeypatch)


def test_queue_gathers_while_a_transaction_runs_and_answers_in_order(
    engine: Engine, gate: Gate
) -> None:
    """The first act goes alone, what came meanwhile goes together, at most 256 at a time."""

    async def run() -> list[Outcome]:
        writer = Writer(engine, GOVERNMENT, clock=fixed_clock)
        first = writer.submit([journal("R0")])
        await asyncio.to_thread(gate.entered.wait)
        rest = writer.submit([journal(f"R{n}") for n in range(1, 301)])
        gate.opened.set()
        outcomes = await asyncio.gather(*first, *rest)
        await asyncio.to_thread(writer.stop)
        return list(outcomes)

    outcomes = asyncio.run(run())

    assert [1, 256, 44] == gate.sizes
    assert all(isinstance(each, Accepted) for each in outcomes)
    assert [f"R{n}" for n in range(301)] == references(engine)


def test_answer_waits_for_no_batch_that_does_not_get_on_its_way(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is held back for the next batch is told though that one is stuck."""
    stuck, inner = threading.Event(), Committer.post
    sizes: list[int] = []

    def post(committer: Committer, commands: Any, **kwargs: Any) -> list[Outcome]:
        sizes.append(len(commands))
        assert len(sizes) < 2 or stuck.wait(30)
        return inner(committer, commands, **kwargs)

    monkeypatch.setattr(Committer, "post", post)

    async def run() -> tuple[bool, Outcome, Outcome]:
        writer = Writer(engine, GOVERNMENT, clock=fixed_clock, batch_max=1)
        first, second = writer.submit([journal("R0"), journal("R1")])
        outcome = await asyncio.wait_for(first, 20)
        second_was_done = second.done()
        stuck.set()
        answers = second_was_done, outcome, await second
        await asyncio.to_thread(writer.stop)
        return answers

    second_was_done, *outcomes = asyncio.run(run())

    assert not second_was_done
    assert [1, 1] == sizes
    assert all(isinstance(each, Accepted) for each in outcomes)


def test_answer_is_not_held_for_the_next_batch_while_others_write(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next batch may wait long for theirs."""
    held: list[int] = []
    monkeypatch.setattr(Writer, "_answer_soon", lambda writer: held.append(len(writer._held)))
    monkeypatch.setattr("api.others._REMEMBERED_SECONDS", 60.0)
    alone = Committer(engine, GOVERNMENT, clock=fixed_clock)
    inner = Committer.post

    def post(committer: Committer, commands: Any, **kwargs: Any) -> list[Outcome]:
        if committer is not alone and kwargs.get("lost") is None and between:
            (other,) = inner(alone, [journal(between.pop())])
            assert isinstance(other, Accepted)
        return inner(committer, commands, **kwargs)

    monkeypatch.setattr(Committer, "post", post)

    async def run(names: list[str]) -> None:
        writer = Writer(engine, GOVERNMENT, clock=fixed_clock, batch_max=1)
        await asyncio.gather(*writer.submit([journal(name) for name in names]))
        await asyncio.to_thread(writer.stop)

    between: list[str] = []
    asyncio.run(run(["A0", "A1", "A2"]))
    assert 2 == len(held)  # each but the last was held for the one behind it
    held.clear()
    between = ["X2", "X1", "X0"]
    asyncio.run(run(["B0", "B1", "B2", "B3"]))
    # The first gap is seen with the second batch.
    assert 1 == len(held)


def test_queue_full_refuses_at_once_and_nothing_half(engine: Engine, gate: Gate) -> None:
    """Beyond its bound the queue takes nothing; what it took is written."""

    async def run() -> None:
        writer = Writer(engine, GOVERNMENT, clock=fixed_clock, queue_max=3)
        futures = writer.submit([journal("R0")])
        await asyncio.to_thread(gate.entered.wait)
        futures += writer.submit([journal(f"R{n}") for n in range(1, 4)])
        with pytest.raises(QueueFullError):
            writer.submit([journal("LOST-1"), journal("LOST-2")])
        gate.opened.set()
        await asyncio.gather(*futures)
        await asyncio.to_thread(writer.stop)

    asyncio.run(run())

    assert ["R0", "R1", "R2", "R3"] == references(engine)


def test_writer_told_to_stop_writes_what_waits_and_takes_nothing_new(
    engine: Engine, gate: Gate
) -> None:
    """A stop loses no act that was taken."""

    async def run() -> list[Outcome]:
        writer = Writer(engine, GOVERNMENT, clock=fixed_clock)
        futures = writer.submit([journal("R0")])
        await asyncio.to_thread(gate.entered.wait)
        futures += writer.submit([journal("R1"), journal("R2")])
        stopping = asyncio.create_task(asyncio.to_thread(writer.stop))
        await asyncio.sleep(0.05)
        with pytest.raises(StoppingError):
            writer.submit([journal("LATE")])
        gate.opened.set()
        outcomes = await asyncio.gather(*futures)
        await stopping
        return list(outcomes)

    outcomes = asyncio.run(run())

    assert all(isinstance(each, Accepted) for each in outcomes)
    assert ["R0", "R1", "R2"] == references(engine)


def test_group_longer_than_a_batch_is_a_batch_of_its_own(engine: Engine, gate: Gate) -> None:
    """A linked group is never cut, and nothing rides with one that fills a batch."""

    async def run() -> None:
        writer = Writer(engine, GOVERNMENT, clock=fixed_clock, batch_max=4)
        futures = writer.submit([journal("R0")])
        await asyncio.to_thread(gate.entered.wait)
        group = Group([journal(f"G{n}") for n in range(6)])
        futures += writer.submit([journal("R1"), group, journal("R2")])
        gate.opened.set()
        await asyncio.gather(*futures)
        await asyncio.to_thread(writer.stop)

    asyncio.run(run())

    assert [1, 1, 1, 1] == gate.sizes
    assert ["R0", "R1", *(f"G{n}" for n in range(6)), "R2"] == references(engine)


def test_act_that_wants_to_be_alone_is_a_batch_of_its_own(engine: Engine, gate: Gate) -> None:
    """Sealing a period shares its transaction with nobody."""

    class Alone(PostJournal):
        alone = True

    async def run() -> None:
        writer = Writer(engine, GOVERNMENT, clock=fixed_clock)
        futures = writer.submit([journal("R0")])
        await asyncio.to_thread(gate.entered.wait)
        lonely = Alone("svc-feed", journal("ALONE").body)
        futures += writer.submit([journal("R1"), journal("R2"), lonely, journal("R3")])
        gate.opened.set()
        await asyncio.gather(*futures)
        await asyncio.to_thread(writer.stop)

    asyncio.run(run())

    assert [1, 2, 1, 1] == gate.sizes


def test_caller_who_hung_up_does_not_disturb_the_others(engine: Engine, gate: Gate) -> None:
    """A cancelled wait is nobody else's trouble; the act stands."""

    async def run() -> None:
        writer = Writer(engine, GOVERNMENT, clock=fixed_clock)
        futures = writer.submit([journal("R0"), journal("R1")])
        futures[0].cancel()
        gate.opened.set()
        assert isinstance(await futures[1], Accepted)
        await asyncio.to_thread(writer.stop)

    asyncio.run(run())

    assert ["R0", "R1"] == references(engine)


def test_refusal_of_the_log_stops_all_writing(engine: Engine) -> None:
    """While the database is behind what was signed, nothing is written."""
    refusal = StoppingError()

    outcomes = committer(engine, refuses=lambda _: refusal).post([journal("A")])

    assert [Failed(refusal)] == outcomes
    assert [] == references(engine)
