"""Twin debits with their correction, and returns, are explained by their reference, never by amount."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciliation import Reconcile
from reconciliation.netting import NETTED, Net, NetItem, nets
from tests.databases import Database
from tests.reconciliation.books import Book, out, sent_payments, sp2d

X = 500_00
KEY = "pay:P26-00000001"
DAY = "2026-11-11"


# --- the decision ------------------------------------------------------------------------------------


def line(sen: int, n: int, day: str = DAY, *, is_open: bool = True, **changes: str) -> NetItem:
    """A bank line that names the payment."""
    return NetItem("bank", n, day, sen, KEY, "", is_open)._replace(**changes)


def entry(sen: int, n: int, day: str = DAY, **changes: str) -> NetItem:
    """An open book entry that names it."""
    return NetItem("book", n, day, sen, KEY, "", True)._replace(**changes)


@st.composite
def certain(draw: st.DrawFn) -> Net:
    """A payment that the bank took some times too often and gave back as often."""
    state = draw(st.sampled_from(["paid", "returned"]))
    extra = draw(st.integers(1, 4))
    days = [f"2026-11-{day:02d}" for day in sorted(draw(st.lists(st.integers(1, 20), min_size=9)))]
    debits = [line(-X, n, days[n]) for n in range(extra + (state == "paid"))]
    credits_ = [line(X, 10 + n, draw(st.sampled_from(days[n:]))) for n in range(extra)]
    credits_ = [each._replace(day=max(each.day, debits[n].day)) for n, each in enumerate(credits_)]
    entries = [entry(-X, 1)] + ([entry(X, 2)] if state == "returned" else [])
    return Net(KEY, state, X, [*debits, *credits_, *entries])


LAST = "2026-11-30"


@given(net=certain())
def test_net_of_certain_items_is_even_and_names_one_payment(net: Net) -> None:
    """What is matched comes out even, and all of it names the payment with its amount."""
    assert nets(net, LAST)
    taken = net.open_items()
    sums = Counter[str]()
    for each in taken:
        sums[each.side] += each.amount_sen

    assert sums["bank"] == sums["book"]
    assert {(KEY, X)} == {(each.pay_key, abs(each.amount_sen)) for each in taken}


@given(net=certain(), data=st.data())
def test_net_with_anything_else_about_it_is_left_to_people(net: Net, data: st.DataObject) -> None:
    """One line more or less, of another amount, payment, document or day, or another state: nothing."""
    items = list(net.items)
    at = data.draw(st.integers(0, len(items) - 1))
    other = data.draw(
        st.sampled_from(
            ["less", "twin", "amount", "several", "other", "documents", "late", "state", "early"]
        )
    )
    each = items[at]
    state = net.state
    if other == "less":
        del items[at]
    elif other == "twin":
        items.append(each._replace(item=99))
    elif other == "amount":
        items[at] = each._replace(amount_sen=each.amount_sen + 1)
    elif other == "several":
        items[at] = each._replace(pay_key="*")
    elif other == "other":
        items[at] = each._replace(pay_key="pay:P26-00000002")
    elif other == "documents":
        items[at] = each._replace(doc_key="sp2d:1")
        items[at - 1] = items[at - 1]._replace(doc_key="sp2d:2")
    elif other == "late":
        items[at] = each._replace(day="2026-12-01")
    elif other == "state":
        state = data.draw(
            st.sampled_from(
                ["queued", "sent", "accepted", "unknown", "rejected", "recalled", "cancelled"]
            )
        )
    else:
        back = next(n for n, i in enumerate(items) if i.side == "bank" and i.amount_sen > 0)
        items[back] = items[back]._replace(day="2026-10-31")

    assert not nets(Net(KEY, state, X, items), LAST)


@pytest.mark.parametrize(
    ("items", "state", "is_certain"),
    [
        # a twin of a line that was matched before, and its correction: the books have nothing open
        ([line(-X, 1, is_open=False), line(-X, 2), line(X, 3)], "paid", True),
        # the same pair where the payment's own line never came
        ([line(-X, 2), line(X, 3)], "paid", False),
        # nothing of it is open at the bank
        ([line(-X, 1, is_open=False)], "paid", False),
        # it came back, and the books say that it stands as paid
        ([line(-X, 1), line(X, 2), entry(-X, 1)], "paid", False),
        # it stands as returned, and the bank has it once more
        ([line(-X, 1), line(-X, 2), line(X, 3), entry(-X, 1), entry(X, 2)], "returned", False),
        # a twin that nobody corrected
        ([line(-X, 1), line(-X, 2), entry(-X, 1)], "paid", False),
    ],
)
def test_net_is_of_all_that_names_the_payment(
    items: list[NetItem], state: str, is_certain: bool
) -> None:
    """Lines that were matched before count; what the books hold open must come out even."""
    assert is_certain == nets(Net(KEY, state, X, items), LAST)


# --- runs ----------------------------------------------------------------------------------------------


class Story(NamedTuple):
    """A payment's state, its lines as (day of November, sign), its entries, and what stays open."""

    state: str
    lines: tuple[tuple[int, int], ...]
    entries: tuple[int, ...]
    netted: int
    open: tuple[str, ...] = ()


STORIES = {
    "twin corrected": Story("paid", ((11, -1), (11, -1), (12, 1)), (-1,), 4),
    "two twins corrected": Story("paid", ((11, -1),) * 3 + ((12, 1),) * 2, (-1,), 6),
    "twin of a returned one": Story("returned", ((11, -1), (11, -1), (12, 1), (12, 1)), (-1, 1), 6),
    "returned": Story("returned", ((11, -1), (12, 1)), (-1, 1), 0),
    "twin a day later": Story("paid", ((11, -1), (12, -1), (13, 1)), (-1,), 4),
    "rejected, paid after all": Story("paid", ((11, -1),), (-1, 1, -1), 4),
    "rejected, said to be paid": Story(
        "paid", (), (-1, 1, -1), 0, ("outstanding_payment",) * 2 + ("deposit_in_transit",)
    ),
    "twin uncorrected": Story("paid", ((11, -1), (11, -1)), (-1,), 0, ("ambiguous",) * 3),
    "given back first": Story(
        "paid", ((11, 1), (12, -1), (12, -1)), (-1,), 0, ("ambiguous",) * 3 + ("amount_differs",)
    ),
    "doubted": Story(
        "unknown", ((11, -1), (12, 1)), (), 0, ("payment_not_booked", "unknown_credit")
    ),
    "return not recorded": Story("paid", ((11, -1), (12, 1)), (-1,), 0, ("unknown_credit",)),
}


def _reasons(run: Reconcile) -> Counter[tuple[int, str]]:
    assert run.outcome is not None
    return Counter((abs(each.amount_sen), each.reason) for each in run.outcome.proof.items)


def test_run_explains_what_the_reference_proves_and_nothing_else(
    book: Book, database: Database
) -> None:
    """Each story has an amount of its own; what stays open has its reason; the proof is 0.00."""
    names = {name: f"P26-{n:08d}" for n, name in enumerate(STORIES, start=1)}
    sen = {name: 1_000_00 + n for n, name in enumerate(STORIES)}
    sent_payments(
        database,
        {names[name]: sen[name] for name in STORIES},
        {names[name]: story.state for name, story in STORIES.items()},
    )
    for name, story in STORIES.items():
        for n, sign in enumerate(story.entries):
            book.post(names[name] + ("", "R", "S")[n], sign * sen[name])
    # Of the amount of a twin, without its reference: never taken for it.
    book.post("R-1", -sen["twin uncorrected"], document_no=sp2d(1))
    for day in (11, 12, 13):
        book.deliver(
            [
                out(sign * sen[name], f"TRF {names[name]}", on=date(2026, 11, day))
                for name, story in STORIES.items()
                for on, sign in story.lines
                if on == day
            ]
            or [out(1_00, "X")],
            on=date(2026, 11, day),
        )
    run = book.reconcile()

    wanted = Counter((sen[name], why) for name, story in STORIES.items() for why in story.open)
    wanted[sen["twin uncorrected"], "outstanding_payment"] += 1
    assert wanted == _reasons(run)
    assert run.outcome is not None
    assert 0 == run.outcome.proof.difference_sen
    assert Counter(
        {sen[name]: story.netted for name, story in STORIES.items() if story.netted}
    ) == Counter(
        abs(row[0])
        for row in book.rows(
            "SELECT m.amount_sen FROM match_member m JOIN reconciliation_match r ON r.id = m.match_id"
            f" WHERE r.stage = '{NETTED}'"
        )
    )
    again = book.reconcile()
    assert again.outcome is not None
    assert 0 == sum(again.outcome.stages.values())
    assert [] == book.findings()


def test_twin_after_its_payment_was_matched_is_explained_with_its_correction(
    book: Book, database: Database
) -> None:
    """The order was matched yesterday; what undid itself today needs nothing of the books."""
    sent_payments(database, {"P26-00000001": X}, {"P26-00000001": "paid"})
    book.post("P26-00000001", -X)
    book.deliver([out(-X, "TRF P26-00000001")])
    book.reconcile()
    on = date(2026, 11, 12)
    book.deliver([out(sen, "TRF P26-00000001", on=on) for sen in (-X, X)], on=on)
    run = book.reconcile()

    assert run.outcome is not None
    assert 1 == run.outcome.stages[NETTED]
    assert (Counter(), 0) == (_reasons(run), run.outcome.proof.difference_sen)
    assert [] == book.findings()


def test_group_that_two_persons_took_apart_is_not_made_again(
    book: Book, database: Database
) -> None:
    """What people undid stays with people."""
    sent_payments(database, {"P26-00000001": X}, {"P26-00000001": "paid"})
    book.post("P26-00000001", -X)
    book.deliver([out(sen, "TRF P26-00000001") for sen in (-X, -X, X)])
    book.reconcile()
    book.undo(1)
    run = book.reconcile()

    assert run.outcome is not None
    assert 0 == sum(run.outcome.stages.values())
    assert {"undone"} == {reason for _, reason in _reasons(run)}


@pytest.mark.parametrize("seed", [1, 2])
def test_any_days_of_twins_and_returns_leave_a_proof_of_zero(
    book: Book, database: Database, seed: int
) -> None:
    """Whatever comes in whatever order, matches are of one payment and even, and nothing is lost."""
    chance = random.Random(seed)
    names = [f"P26-{n:08d}" for n in range(1, 41)]
    states = {name: chance.choice(["paid", "paid", "returned", "sent"]) for name in names}
    sen = {name: chance.choice([X, 700_00]) for name in names}
    sent_payments(database, sen, states)
    for name, state in states.items():
        if state != "sent":
            book.post(name, -sen[name])
        if state == "returned":
            book.post(f"{name}R", sen[name])
    for day in (11, 12, 13):
        on = date(2026, 11, day)
        moved = chance.choices(names, k=50)
        lines = [
            out(chance.choice([-1, -1, 1]) * sen[name], f"TRF {name}", on=on) for name in moved
        ]
        book.deliver(lines, on=on)
        run = book.reconcile()
        assert run.outcome is not None
        assert 0 == run.outcome.proof.difference_sen

    keys = book.rows(
        "SELECT m.match_id, coalesce(l.pay_key, e.pay_key) FROM match_member m"
        " LEFT JOIN bank_line l ON m.side = 'bank' AND l.id = m.item"
        " LEFT JOIN book_entry e ON m.side = 'book' AND e.id = m.item"
    )
    assert len({match for match, _ in keys}) == len(set(keys))
    assert 0 < book.count("reconciliation_match", f"stage = '{NETTED}'")
    assert [] == book.findings()
