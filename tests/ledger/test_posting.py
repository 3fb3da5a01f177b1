"""`post_batch`: what is accepted, what is refused by name, and what a refusal leaves behind: nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from api.engine import reading
from audit.log import BookMissingError
from ledger import queries
from ledger.commands import ReverseJournal
from ledger.opening import FEEDER
from ledger.persons_shell import AddPerson, GiveGrant
from ledger.posting import Accepted, Group, Refused
from ledger.proposals import BothHands
from tests.builders import (
    BANK,
    CASH,
    EXPENSE,
    NOW,
    PFK,
    RK_SKPD,
    SKPD,
    answer,
    counts,
    journal,
    kernel_findings,
    line,
    post,
    refusal,
    run,
    scalar,
)

Json = dict[str, Any]


def test_journal_posted_moves_balances_and_leaves_a_leaf(engine: Engine) -> None:
    """A posted journal is in the books, in the balances of its date, and in the log."""
    (result,) = run(engine, *post(journal()))

    said = answer(result)
    assert (2, "J-1", False) == (said["journal"], said["reference"], said["replayed"])
    with reading(engine) as conn:
        expense = queries.AccountKey(EXPENSE)
        assert 100_000 == queries.balance(conn, "36", expense)
        assert 0 == queries.balance(conn, "36", expense, on="2026-11-19")
        assert 100_000 == queries.balance(conn, "36", expense, on="2026-11-20")
        cash = queries.AccountKey(CASH, bank_account=BANK)
        assert 99_999_900_000 == queries.balance(conn, "36", cash)
        assert "journal.posted" == scalar(
            conn, "SELECT kind FROM log_leaf WHERE idx = :i", i=said["leaf_index"]
        )
    assert [] == kernel_findings(engine)


def _with_lines(*lines: Json) -> Json:
    return journal(lines=list(lines))


_CREDIT = line(CASH, credit="1000.00")
_DEBIT = line(EXPENSE, debit="1000.00")

REFUSALS: list[tuple[str, Json, str, Json]] = [
    (
        "one sen off",
        _with_lines(line(EXPENSE, debit="1000.01"), _CREDIT),
        "unbalanced_journal",
        {"entity": "PPKD", "book": "FIN", "difference": "0.01"},
    ),
    (
        "balanced only over both books",
        _with_lines(_DEBIT | {"book": "BUD"}, _CREDIT),
        "unbalanced_journal",
        {"entity": "PPKD", "book": "BUD", "difference": "1000.00"},
    ),
    (
        "unknown account",
        _with_lines(line("8.9.99.99.99.9999", debit="1000.00"), _CREDIT),
        "unknown_account",
        {"account": "8.9.99.99.99.9999", "fiscal_year": 2026},
    ),
    (
        "level 5 account",
        _with_lines(line("8.1.02.01.01", debit="1000.00"), _CREDIT),
        "account_not_postable",
        {"account": "8.1.02.01.01", "level": 5, "valid_from": "", "valid_to": ""},
    ),
    (
        "unknown entity",
        _with_lines(_DEBIT | {"entity": "9.99"}, _CREDIT),
        "unknown_entity",
        {"entity": "9.99"},
    ),
    (
        "bank account of another government",
        _with_lines(_DEBIT, _CREDIT | {"bank_account": "110:0011122233"}),
        "unknown_bank_account",
        {"bank_account": "110:0011122233"},
    ),
    (
        "bank account on an expense",
        _with_lines(_DEBIT | {"bank_account": BANK}, _CREDIT),
        "bank_account_required",
        {"account": EXPENSE, "bank_account": BANK},
    ),
    (
        "reciprocal account without counterpart",
        _with_lines(line(RK_SKPD, debit="1000.00"), _CREDIT),
        "counterpart_required",
        {"account": RK_SKPD, "counterpart": ""},
    ),
    (
        "unknown budget line",
        _with_lines(
            line("5.1.02.01.01.0024", debit="1.00", book="BUD", budget_line="B-0"),
            line("3.1.02.05.01.0001", credit="1.00", book="BUD"),
        ),
        "unknown_budget_line",
        {"budget_line": "B-0", "fiscal_year": 2026},
    ),
    (
        "future date",
        journal(effective_on="2026-11-22"),
        "future_effective_date",
        {"effective_on": "2026-11-22", "today": "2026-11-21"},
    ),
    (
        "year that is not open",
        journal(effective_on="2024-11-20"),
        "fiscal_year_not_open",
        {"fiscal_year": 2024},
    ),
    (
        "period of another month",
        journal(period=3),
        "period_mismatch",
        {"period": 3, "effective_on": "2026-11-20"},
    ),
    (
        "no such day",
        journal(effective_on="2026-02-30"),
        "invalid_field",
        {"field": "effective_on", "rule": "is a date written YYYY-MM-DD", "value": "2026-02-30"},
    ),
    (
        "over cash",
        _with_lines(line(EXPENSE, debit="1000000000.01"), line(CASH, credit="1000000000.01")),
        "over_cash",
        {"bank_account": BANK, "available": "1000000000.00", "asked": "1000000000.01"},
    ),
    (
        "grouped amount",
        _with_lines(line(EXPENSE, debit="1,000.00"), _CREDIT),
        "invalid_field",
        {
            "field": "lines[0].debit",
            "rule": "write digits, optionally a leading minus and a point with two decimals",
            "value": "1,000.00",
        },
    ),
    (
        "three decimals",
        _with_lines(line(EXPENSE, debit="1000.001"), _CREDIT),
        "invalid_field",
        {
            "field": "lines[0].debit",
            "rule": "write no decimals or exactly two",
            "value": "1000.001",
        },
    ),
    (
        "over 64 bits",
        _with_lines(line(EXPENSE, debit="92233720368547758.08"), _CREDIT),
        "invalid_field",
        {
            "field": "lines[0].debit",
            "rule": "it does not fit 64 bits of sen",
            "value": "92233720368547758.08",
        },
    ),
    (
        "over the largest amount",
        _with_lines(
            line(EXPENSE, debit="9000000000000000.01"), line(CASH, credit="9000000000000000.01")
        ),
        "too_large",
        {"field": "lines[0]", "limit": "9000000000000000.00", "value": "9000000000000000.01"},
    ),
    (
        "negative amount",
        _with_lines(line(EXPENSE, debit="-1.00"), _CREDIT),
        "invalid_field",
        {"field": "lines[0].debit", "rule": "must be over 0.00", "value": "-1.00"},
    ),
    (
        "both sides on one line",
        _with_lines(_DEBIT | {"credit": "1.00"}, _CREDIT),
        "invalid_field",
        {"field": "lines[0]", "rule": "give either debit or credit", "value": 0},
    ),
    (
        "one line",
        _with_lines(_DEBIT),
        "invalid_field",
        {"field": "lines", "rule": "are 2 to 10000", "value": 1},
    ),
    (
        "newline in the reference",
        journal("J\n1"),
        "invalid_field",
        {"field": "reference", "rule": "holds control characters", "value": "'J\\n1'"},
    ),
]


@pytest.mark.parametrize(
    ("sent", "code", "values"),
    [pytest.param(*case[1:], id=case[0]) for case in REFUSALS],
)
def test_journal_refused_names_the_rule_and_changes_nothing(
    engine: Engine, sent: Json, code: str, values: Json
) -> None:
    """Each refusal has its name and the offending values, and leaves no row behind."""
    before = counts(engine)

    (result,) = run(engine, *post(sent))

    assert (code, values) == refusal(result)
    assert before == counts(engine)
    assert [] == kernel_findings(engine)


def test_person_without_grant_is_refused(engine: Engine) -> None:
    """The feed needs the role; a token names a person, never a role."""
    (result,) = run(engine, *post(journal(), by="admin-1"))

    assert (
        "not_granted",
        {"person": "admin-1", "role": "feed", "on": "2026-11-21", "skpd": ""},
    ) == refusal(result)


def test_government_without_book_is_refused(engine: Engine) -> None:
    """Another government's code finds no book, whatever this database holds."""
    with pytest.raises(BookMissingError, match=r"'36\.72'"):
        run(engine, *post(journal()), government="36.72")


def test_intermediate_overdraft_is_refused_though_the_batch_nets_out(engine: Engine) -> None:
    """A payment that only a later receipt of the same batch would cover is refused."""
    pay = journal(
        "PAY", lines=[line(EXPENSE, debit="1500000000.00"), line(CASH, credit="1500000000.00")]
    )
    receive = journal(
        "GET", lines=[line(CASH, debit="900000000.00"), line(PFK, credit="900000000.00")]
    )

    first, second, third = run(engine, *post(pay, receive, pay | {"reference": "PAY-2"}))

    assert "over_cash" == refusal(first)[0]
    assert isinstance(second, Accepted)
    assert isinstance(third, Accepted)
    assert [] == kernel_findings(engine)


def test_poison_journal_in_a_batch_of_256_fails_alone(engine: Engine) -> None:
    """The neighbours of a refused command are posted."""
    sent = [journal(f"J-{n}") for n in range(256)]
    sent[100]["lines"][0]["debit"] = "999.99"

    results = run(engine, *post(*sent))

    assert [100] == [n for n, result in enumerate(results) if isinstance(result, Refused)]
    assert 256 == counts(engine, "journal")["journal"]  # the opening and 255
    assert [] == kernel_findings(engine)


def test_linked_group_stands_or_falls_together(engine: Engine) -> None:
    """One refusal in a group takes its members back, and what follows sees none of them."""
    group = Group(post(journal("A"), journal("B", effective_on="2026-12-01")))
    before = counts(engine)

    refused, after = run(engine, group, *post(journal("A")))

    assert "future_effective_date" == refusal(refused)[0]
    assert False is answer(after)["replayed"]
    assert before["journal"] + 1 == counts(engine)["journal"]
    (again,) = run(engine, Group(post(journal("C"), journal("D"))))
    assert ["C", "D"] == [one["reference"] for one in answer(again)]
    assert [] == kernel_findings(engine)


@pytest.mark.parametrize("together", [True, False], ids=["same batch", "later batch"])
def test_reference_repeated_with_same_content_replays(engine: Engine, together: bool) -> None:
    """The same reference and content is the first journal again, marked replayed."""
    if together:
        first, second = run(engine, *post(journal(), journal()))
    else:
        (first,), (second,) = run(engine, *post(journal())), run(engine, *post(journal()))

    assert answer(first)["journal"] == answer(second)["journal"]
    assert [False, True] == [answer(one)["replayed"] for one in (first, second)]
    assert 2 == counts(engine, "journal")["journal"]


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"kind": "lain"}, ["kind"]),
        ({"effective_on": "2026-11-19"}, ["effective_on"]),
        ({"description": "Belanja lain"}, ["description"]),
        ({"payee_name": "PT Lain"}, ["payee_name"]),
        ({"lines": [line(EXPENSE, debit="2.00"), line(CASH, credit="2.00")]}, ["lines"]),
    ],
)
@pytest.mark.parametrize("together", [True, False], ids=["same batch", "later batch"])
def test_reference_repeated_with_other_content_is_refused(
    engine: Engine, changes: Json, differs: list[str], together: bool
) -> None:
    """Another content under a known reference is refused, naming the fields."""
    sent = post(journal(), journal(**changes))
    if together:
        _, result = run(engine, *sent)
    else:
        run(engine, sent[0])
        (result,) = run(engine, sent[1])

    assert (
        "reference_reused",
        {"reference": "J-1", "journal_id": 2, "differs": differs},
    ) == refusal(result)


def test_key_repeated_gives_the_stored_answer_byte_for_byte(engine: Engine) -> None:
    """The same key and body is answered from the store; nothing is posted."""
    (first,) = run(engine, *post(journal(), keys=["k1"]))
    before = counts(engine)
    (second,) = run(engine, *post(journal(), keys=["k1"]), now=NOW + timedelta(hours=1))

    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert (first.answer, True) == (second.answer, second.replayed)
    assert before == counts(engine)


@pytest.mark.parametrize("together", [True, False], ids=["same batch", "later batch"])
def test_key_repeated_with_other_body_is_refused(engine: Engine, together: bool) -> None:
    """Another body under a used key is refused, naming the fields that differ."""
    sent = post(journal(), journal("J-2", description="Lain"), keys=["k1", "k1"])
    if together:
        _, result = run(engine, *sent)
    else:
        run(engine, sent[0])
        (result,) = run(engine, sent[1])

    assert (
        "idempotency_key_reused",
        {"key": "k1", "differs": ["description", "reference"]},
    ) == refusal(result)


def test_refusal_that_state_can_change_is_decided_anew(engine: Engine) -> None:
    """Over cash today, paid tomorrow: the same key may be used again."""
    big = journal(
        "BIG", lines=[line(EXPENSE, debit="1000000001.00"), line(CASH, credit="1000000001.00")]
    )
    (first,) = run(engine, *post(big, keys=["k"]))
    run(engine, *post(journal("IN", lines=[line(CASH, debit="5.00"), line(PFK, credit="5.00")])))
    (second,) = run(engine, *post(big, keys=["k"]))

    assert "over_cash" == refusal(first)[0]
    assert isinstance(second, Accepted)


def test_final_refusal_holds_its_key(engine: Engine) -> None:
    """An unbalanced journal can never be posted under its key, and no other body takes the key."""
    bad = journal(lines=[line(EXPENSE, debit="1.00"), line(CASH, credit="2.00")])
    (first,) = run(engine, *post(bad, keys=["k"]))
    (second,) = run(engine, *post(bad, keys=["k"]))
    (third,) = run(engine, *post(journal(), keys=["k"]))

    assert refusal(first) == refusal(second)
    assert ("idempotency_key_reused", {"key": "k", "differs": ["lines"]}) == refusal(third)


def test_reversal_mirrors_and_links(engine: Engine) -> None:
    """A reversal is a journal of its own date, linked, once; balances are back."""
    run(engine, *post(journal()))
    reverse = ReverseJournal(FEEDER, 2, "REV-1", "2026-11-21", "Salah rekening")
    first, again, second = run(
        engine,
        reverse,
        reverse,
        ReverseJournal(FEEDER, 2, "REV-2", "2026-11-21", "Sekali lagi"),
    )

    assert [False, True] == [answer(first)["replayed"], answer(again)["replayed"]]
    assert "journal_already_reversed" == refusal(second)[0]
    with reading(engine) as conn:
        assert 0 == queries.balance(conn, "36", queries.AccountKey(EXPENSE))
        assert 3 == queries.get_journal(conn, "36", 2).reversed_by
        assert [100_000, 0] == [
            row.balance_sen for row in queries.history(conn, "36", queries.AccountKey(EXPENSE))
        ]
    assert [] == kernel_findings(engine)


def test_clock_behind_the_last_act_is_clamped_and_marked(engine: Engine) -> None:
    """A clock that runs back stops nothing: the act takes the last instant and is marked."""
    run(engine, *post(journal("A")))
    run(engine, *post(journal("B")), now=NOW - timedelta(days=3))

    with reading(engine) as conn:
        rows = conn.exec_driver_sql(
            "SELECT recorded_at, clock_clamped FROM batch ORDER BY seq DESC"
        ).fetchmany(2)
    assert [("2026-11-21T03:15:30.123456Z", 1), ("2026-11-21T03:15:30.123456Z", 0)] == [
        tuple(row) for row in rows
    ]
    assert [] == kernel_findings(engine)


def test_history_pages_carry_the_running_balance(engine: Engine) -> None:
    """Pages of an account's history join without a gap, ordered by effective date."""
    days = ["2026-11-20", "2026-11-18", "2026-11-20", "2026-11-19", "2026-01-05"]
    run(engine, *post(*(journal(f"J-{n}", effective_on=day) for n, day in enumerate(days))))

    with reading(engine) as conn:
        key = queries.AccountKey(EXPENSE)
        whole = queries.history(conn, "36", key)
        pages = queries.history(conn, "36", key, limit=2)
        while len(pages) < len(whole):
            last = pages[-1]
            pages += queries.history(
                conn, "36", key, limit=2, after=(last.effective_on, last.journal_id, last.n)
            )

    assert whole == pages
    assert sorted(days) == [row.effective_on for row in whole]
    assert [100_000 * n for n in range(1, 6)] == [row.balance_sen for row in whole]


def test_balance_as_known_ignores_later_batches(engine: Engine) -> None:
    """What was known after a batch does not change when the past is booked later."""
    (first,) = run(engine, *post(journal("A")))
    run(engine, *post(journal("B", effective_on="2026-11-01")))

    with reading(engine) as conn:
        key = queries.AccountKey(EXPENSE)
        known = queries.balance_as_known(
            conn, "36", key, on="2026-11-20", batch_seq=answer(first)["batch"]
        )
        assert (100_000, 200_000) == (known, queries.balance(conn, "36", key, on="2026-11-20"))


def test_trial_balance_sums_to_zero_per_entity_and_book(engine: Engine) -> None:
    """Debits and credits of a trial balance are equal."""
    run(engine, *post(journal("A"), journal("B")))

    with reading(engine) as conn:
        rows = queries.trial_balance(conn, "36", on="2026-11-21")

    assert 0 == sum(row.balance_sen for row in rows)
    assert (200_000, 0) == next(
        (row.debit_sen, row.credit_sen) for row in rows if row.account == EXPENSE
    )


def test_skpd_constant_is_not_an_entity_yet(engine: Engine) -> None:
    """Entities come with the budget; an SKPD that nobody added is refused."""
    (result,) = run(engine, *post(_with_lines(_DEBIT | {"entity": SKPD}, _CREDIT)))

    assert ("unknown_entity", {"entity": SKPD}) == refusal(result)


def test_reference_repeated_without_description_replays(engine: Engine) -> None:
    """An empty description is content like any other."""
    sent = journal(description="")
    (first,) = run(engine, *post(sent))
    (second,) = run(engine, *post(sent))

    assert [False, True] == [answer(one)["replayed"] for one in (first, second)]


def test_group_refused_takes_back_rows_its_members_wrote(engine: Engine) -> None:
    """A member that wrote rows of its own, then a refused one: no row, no leaf, no new setting."""
    add = BothHands("admin-1", "admin-2", AddPerson("kasir-1", "Nama"))
    before = counts(engine, "person", "proposal", "log_leaf", "private_value")

    (refused,) = run(engine, Group([add, *post(journal(effective_on="2026-12-01"))]))
    (after,) = run(engine, add)

    assert "future_effective_date" == refusal(refused)[0]
    assert isinstance(after, Accepted)
    assert before["person"] + 1 == counts(engine, "person")["person"]
    assert [] == kernel_findings(engine)


def test_group_sees_what_its_members_changed(engine: Engine) -> None:
    """A grant given by one member counts for the next."""
    group = Group(
        [
            BothHands("admin-1", "admin-2", AddPerson("feed-2", "Nama", kind="service")),
            BothHands("admin-1", "admin-2", GiveGrant("feed-2", "feed", "2026-11-21")),
            *post(journal(), by="feed-2"),
        ]
    )

    (result,) = run(engine, group)

    assert "J-1" == answer(result)[2]["reference"]
