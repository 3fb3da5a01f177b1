"""Whatever was told before, and in whatever order: what stands in the end is what the bank booked."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from api.engine import make_engine, reading
from bank_adapters.statements import OutgoingEntry
from reconciliation.exceptional_lines import provisional_lines
from tests.databases import Database, chosen_engines
from tests.reconciliation.books import ACCOUNT, GOVERNMENT, Book, book_of, new_book, out, sp2d

FIRST = date(2026, 11, 10)
#: Few amounts and references, so that twins are common; some lines have a bank's reference.
_FORMS = st.sampled_from(
    [
        (-1_00, "BIAYA", None),
        (-1_00, "BIAYA", "B1"),
        (-2_00, sp2d(1), None),
        (-2_00, sp2d(2), "B2"),
        (7_00, "JASA GIRO", None),
    ]
)
_KINDS = st.sampled_from(["camt.052", "camt.054", "mt942"])

Form = tuple[int, str, str | None]


class Bank(RuleBasedStateMachine):
    """
    A bank whose days have twins. It tells of the day under way in reports that overlap as they like,
    closes it, repeats days, issues the last day anew and tells of days that are over.
    """

    book: Book

    def __init__(self) -> None:
        super().__init__()
        self.days: list[list[Form]] = []
        self.today: list[Form] = []
        #: The most that one report told of a form, by day.
        self.told: Counter[tuple[str, Form]] = Counter()
        self.number = 0
        self.last_id = 0
        self._stack = ExitStack()

    @initialize()
    def open(self) -> None:
        """A book of its own for each example."""
        self.book = self._stack.enter_context(self.new_book())

    def new_book(self) -> AbstractContextManager[Book]:
        """A context of a fresh book: the test that runs the machine gives it."""
        raise AssertionError("a machine runs with the books of its test")

    def teardown(self) -> None:
        """Close the book."""
        self._stack.close()

    # --- what the bank does -------------------------------------------------------------------

    @rule(lines=st.lists(_FORMS, min_size=1, max_size=3))
    def move(self, lines: list[Form]) -> None:
        """Money moves on the day under way."""
        self.today += lines

    @precondition(lambda self: self.today)
    @rule(data=st.data(), kind=_KINDS)
    def tell(self, data: st.DataObject, kind: str) -> None:
        """A pull of some of the day so far, in any order."""
        some = data.draw(st.permutations(self.today))
        count = data.draw(st.integers(1, len(some)))
        self._report(some[:count], len(self.days), kind)

    @precondition(lambda self: any(self.days))
    @rule(data=st.data(), kind=_KINDS)
    def tell_late(self, data: st.DataObject, kind: str) -> None:
        """A pull of a day that is closed."""
        n = data.draw(st.sampled_from([n for n, day in enumerate(self.days) if day]))
        self._report(data.draw(st.permutations(self.days[n])), n, kind)

    @rule(line=_FORMS, kind=_KINDS)
    def tell_what_will_not_be(self, line: Form, kind: str) -> None:
        """A line that the bank takes back before the evening, or never books."""
        self._report([*self.today, line], len(self.days), kind)

    @precondition(lambda self: len(self.days) < 6)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        """The end-of-day statement, its lines in any order."""
        lines = data.draw(st.permutations(self.today))
        answer = self.book.deliver(self._entries(lines, len(self.days)), on=self._on())
        self.last_id = answer["statements"][0]["statement"]
        self.days.append(list(lines))
        self.today = []

    @precondition(lambda self: self.days)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Days that are known, in one file again."""
        first = data.draw(st.integers(0, len(self.days) - 1))
        lines = [
            entry
            for n in range(first, len(self.days))
            for entry in self._entries(data.draw(st.permutations(self.days[n])), n)
        ]
        opening = self.book.balance_sen - sum(entry.amount.sen for entry in lines)
        self.number += 1
        self.book.number += 1
        answer = self.book.take(
            self.book.statement(
                lines,
                on=self._on(-1),
                opening_sen=opening,
                since=self._on(first - len(self.days) - 1),
            )
        )
        assert 0 == answer["new"]

    @precondition(lambda self: self.days)
    @rule(data=st.data(), more=st.lists(_FORMS, max_size=2))
    def issue_anew(self, data: st.DataObject, more: list[Form]) -> None:
        """The last day's statement with some of its lines and others, by two persons."""
        kept = data.draw(st.permutations(self.days[-1]))
        lines = [*more, *kept[: data.draw(st.integers(0, len(kept)))]]
        old = sum(form[0] for form in self.days[-1])
        opening = self.book.balance_sen - old
        entries = self._entries(lines, len(self.days) - 1)
        self.book.number += 1
        file = self.book.statement(
            entries, on=self._on(-1), opening_sen=opening, since=self._on(-2)
        )
        answer = self.book.supersede(file, self.last_id)
        recurring = (Counter(self.days[-1]) & Counter(lines)).total()
        assert recurring == answer["statements"][0]["confirmed"]
        self.last_id = answer["statements"][0]["statement"]
        self.days[-1] = list(lines)
        self.book.balance_sen = opening + sum(form[0] for form in lines)

    @rule()
    def reconcile(self) -> None:
        """A run in between, with an entry that some lines match."""
        if not self.days:
            return
        self.number += 1
        self.book.post(f"R-{self.number}", -2_00, document_no=sp2d(self.number % 2 + 1))
        self.book.reconcile()

    # --- what holds ---------------------------------------------------------------------------

    @invariant()
    def lines_that_stand_are_those_of_the_bank(self) -> None:
        """Each as often as the bank booked it, and the checks are clean."""
        if not hasattr(self, "book"):
            return
        rows = self.book.rows(
            "SELECT booked_on, amount_sen, bank_reference FROM bank_line l WHERE NOT EXISTS"
            " (SELECT 1 FROM bank_line_gone g WHERE g.line_id = l.id)"
        )
        booked = Counter(
            (self._day(n).isoformat(), sen, reference or "")
            for n, day in enumerate(self.days)
            for sen, _, reference in day
        )
        assert booked == Counter(rows)
        assert [] == self.book.findings()

    @invariant()
    def each_line_told_is_shown_once(self) -> None:
        """A day has as many provisional lines of a form as one report had at most; all have a state."""
        if not hasattr(self, "book"):
            return
        with reading(self.book.engine) as conn:
            found = provisional_lines(conn, GOVERNMENT, bank_account=ACCOUNT, limit=None)
        told = Counter((each.booked_on, each.amount_sen, each.bank_reference) for each in found)
        wanted: Counter[tuple[str, int, str]] = Counter()
        for (day, (sen, _, reference)), count in self.told.items():
            wanted[day, sen, reference or ""] += count
        assert wanted == told
        open_days = {self._day(len(self.days)).isoformat()}
        assert all(each.booked_on in open_days for each in found if each.state == "awaiting")
        booked = Counter(
            (self._day(n).isoformat(), *form) for n, day in enumerate(self.days) for form in day
        )
        confirmed = sum(
            min(count, booked[(day, *form)]) for (day, form), count in self.told.items()
        )
        assert confirmed == sum(each.state == "confirmed" for each in found)

    # --- helpers ------------------------------------------------------------------------------

    def _report(self, forms: Sequence[Form], n: int, kind: str) -> None:
        day = self._day(n)
        self.number += 1
        self.book.take(
            self.book.report(self._entries(forms, n), on=day, kind=kind, number=self.number)
        )
        for form, count in Counter(forms).items():
            self.told[day.isoformat(), form] = max(self.told[day.isoformat(), form], count)

    def _entries(self, forms: Sequence[Form], n: int) -> list[OutgoingEntry]:
        return [out(sen, text, on=self._day(n), bank_ref=ref) for sen, text, ref in forms]

    def _day(self, n: int) -> date:
        return FIRST + timedelta(days=n + 1)

    def _on(self, back: int = 0) -> date:
        return self._day(len(self.days) + back)


def _run(new: Callable[[], AbstractContextManager[Book]], examples: int, steps: int) -> None:
    class Here(Bank):
        def new_book(self) -> AbstractContextManager[Book]:
            return new()

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_lines_are_the_banks_whatever_was_told_before(
    _sqlite_template: Path, tmp_path: Path
) -> None:
    """Reports in any order, late ones and false ones, repeats and reissues: the machine above."""
    numbers = itertools.count(1)
    opened = tmp_path / "opened.db"
    shutil.copyfile(_sqlite_template, opened)
    new_book(_sqlite(opened)).engine.dispose()
    with sqlite3.connect(opened) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.close()

    @contextmanager
    def new() -> Iterator[Book]:
        path = tmp_path / f"{next(numbers)}.db"
        shutil.copyfile(opened, path)
        engine = make_engine(f"sqlite:///{path}")
        try:
            yield Book(engine)
        finally:
            engine.dispose()
            path.unlink()

    _run(new, examples=25, steps=15)


def test_lines_are_the_banks_on_postgresql_too(request: pytest.FixtureRequest) -> None:
    """The same machine, in fewer examples."""
    if "postgresql" not in chosen_engines():
        pytest.skip("PostgreSQL is left out")
    copy: Callable[[], Database] = request.getfixturevalue("_postgres_copies")

    _run(lambda: book_of(copy()), examples=5, steps=12)


def _sqlite(path: Path) -> Database:
    url = f"sqlite:///{path}"
    return Database("sqlite", url=url, owner_url=url, reader_url=url)
