"""Matches by two persons, undo, and what the database refuses by itself."""

from __future__ import annotations

import json
from datetime import date

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from api.engine import begin
from ledger.proposals import Confirm, Propose
from reconciliation import MatchByHand, Reconcile, UndoMatch
from tests.reconciliation.books import ACCOUNT, SECOND, Book, out, sp2d

D12 = date(2026, 11, 12)


def _entries(book: Book) -> list[int]:
    return [
        item for (item,) in book.rows("SELECT id FROM book_entry WHERE is_opening = 0 ORDER BY id")
    ]


def _two_and_one(book: Book) -> None:
    """Two entries that the bank pays with one line."""
    book.post("R-1", -300_00)
    book.post("R-2", -200_00)
    book.deliver([out(-500_00, "GAJI"), out(-7_00, "X")])
    book.reconcile()


def test_one_line_for_two_entries_is_matched_by_two_persons(book: Book) -> None:
    """What no rule decides two reconcilers may, if it comes out even; the leaf names both."""
    _two_and_one(book)

    answer = book.by_hand([1], _entries(book))

    assert ("-500.00", 3, "svc-reconcile") == (
        answer["amount"],
        answer["members"],
        answer["proposed_by"],
    )
    assert [("manual", "manual", 0, 3)] == book.rows(
        "SELECT status, stage, run_id, member_count FROM reconciliation_match"
    )
    run = book.reconcile()
    assert run.outcome is not None
    assert [("bank", -7_00)] == [(i.side, i.amount_sen) for i in run.outcome.proof.items]
    assert 0 == run.outcome.proof.difference_sen
    assert {"manual"} == {row.status for row in run.outcome.matches}
    assert [] == book.findings()


def test_one_person_alone_matches_nothing(book: Book) -> None:
    """Who proposed a match does not confirm it."""
    _two_and_one(book)
    act = MatchByHand(ACCOUNT, (1,), tuple(_entries(book)), "x")
    (proposed,) = book.do(Propose("svc-reconcile", act))

    assert "own_approval" == book.refusal(Confirm("svc-reconcile", str(proposed["proposal"]))).code
    assert 0 == book.count("reconciliation_match")


@pytest.mark.parametrize(
    ("lines", "entries", "code"),
    [
        ([1], 1, "uneven_match"),
        ([1, 2], 2, "uneven_match"),
        ([1, 99], 2, "unknown_item"),
        ([1], 0, "invalid_field"),
        ([1, 1], 2, "invalid_field"),
    ],
)
def test_match_by_hand_at_fault_is_refused(
    book: Book, lines: list[int], entries: int, code: str
) -> None:
    """Uneven sides, unknown or repeated items, a single one: each its refusal."""
    _two_and_one(book)
    act = MatchByHand(ACCOUNT, tuple(lines), tuple(_entries(book)[:entries]), "x")

    assert code == book.refusal(Propose("svc-reconcile", act)).code


def test_item_in_a_match_is_not_matched_again(book: Book) -> None:
    """The second proposal of an item is refused with the match it is in."""
    _two_and_one(book)
    book.by_hand([1], _entries(book))

    error = book.refusal(
        Propose("svc-reconcile", MatchByHand(ACCOUNT, (1,), tuple(_entries(book)), "x"))
    )

    assert ("item_not_open", 1) == (error.code, error.values["match"])


def test_undo_opens_the_items_and_no_run_repeats_it(book: Book) -> None:
    """A match taken apart stays apart for the machine, and persons may make it again."""
    book.post("R-1", -500_00, document_no=sp2d(1))
    book.deliver([out(-500_00, sp2d(1))])
    book.reconcile()

    book.undo(1)
    run = book.reconcile()

    assert run.outcome is not None
    assert {"undone"} == {item.reason for item in run.outcome.proof.items}
    assert (2, 0) == (len(run.outcome.proof.items), run.outcome.proof.difference_sen)
    assert [] == run.outcome.matches
    book.by_hand([1], _entries(book))
    assert [(0, 1), (0, 1), (1, 2), (1, 2)] == book.rows(
        "SELECT round, match_id FROM match_member ORDER BY match_id, n"
    )
    assert [] == book.findings()


def test_item_of_an_undone_match_is_matched_with_another(book: Book) -> None:
    """Undoing a wrong pair frees both for their right ones."""
    book.post("TX-2026-01", -500_00)
    book.deliver([out(-500_00, "A", ref="TX-2026-01")])
    book.reconcile()
    book.undo(1)
    book.deliver([out(-500_00, "B", on=D12)], on=D12)
    (entry,) = _entries(book)
    book.by_hand([2], [entry])

    run = book.reconcile()

    assert run.outcome is not None
    assert [("bank", 1)] == [(i.side, i.item) for i in run.outcome.proof.items]
    assert [] == book.findings()


def test_undo_twice_and_of_nothing_is_refused(book: Book) -> None:
    """A match is undone once, and only if it is there."""
    book.post("R-1", -500_00, document_no=sp2d(1))
    book.deliver([out(-500_00, sp2d(1))])
    book.reconcile()
    book.undo(1)

    for match, code in ((1, "match_already_undone"), (9, "unknown_match")):
        assert code == book.refusal(Propose("svc-reconcile", UndoMatch(match, "x"))).code


MEMBER = (
    "INSERT INTO match_member (government, match_id, n, side, item, round, amount_sen) VALUES"
    " ('36', {match}, {n}, '{side}', {item}, {round}, {sen})"
)
MATCH = (
    "INSERT INTO reconciliation_match VALUES ('36', {match}, '"
    + ACCOUNT
    + "', 1, 'auto', 'x', '1',"
    " '{{}}', 0, {sen}, 2, 9, 9)"
)


def _raw(book: Book, *statements: str) -> None:
    with begin(book.engine) as conn:
        for statement in statements:
            conn.execute(text(statement.replace(":", r"\:")))


def _pairs(book: Book) -> int:
    """Line 1 matched with its entry, line 2 and another entry open; the open entry's id."""
    book.post("R-1", -500_00, document_no=sp2d(1))
    book.post("R-2", -500_00)
    book.deliver([out(-500_00, sp2d(1)), out(-500_00, "B")])
    book.reconcile()
    return _entries(book)[1]


@pytest.mark.parametrize(
    ("line", "line_round", "bank_sen", "book_sen", "match_sen"),
    [
        pytest.param(1, 0, -500_00, -500_00, -500_00, id="line used twice"),
        pytest.param(1, 1, -500_00, -500_00, -500_00, id="line used twice in a later round"),
        pytest.param(2, 5, -500_00, -500_00, -500_00, id="round out of nowhere"),
        pytest.param(2, 0, -499_00, -500_00, -500_00, id="amount not the line's"),
        pytest.param(2, 0, -500_00, -500_00, -400_00, id="amount not the match's"),
        pytest.param(77, 0, -500_00, -500_00, -500_00, id="line unknown"),
    ],
)
def test_raw_match_at_fault_is_refused_by_the_database(
    book: Book, line: int, line_round: int, bank_sen: int, book_sen: int, match_sen: int
) -> None:
    """Past all code, an item is still in one live match at most, and sums are equal to the sen."""
    entry = _pairs(book)

    with pytest.raises(DatabaseError):
        _raw(
            book,
            MEMBER.format(match=5, n=1, side="bank", item=line, round=line_round, sen=bank_sen),
            MEMBER.format(match=5, n=2, side="book", item=entry, round=0, sen=book_sen),
            MATCH.format(match=5, sen=match_sen),
        )
    assert 1 == book.count("reconciliation_match")


def test_raw_match_that_is_right_is_taken(book: Book) -> None:
    """The same statements without a fault pass, so the refusals above are of the faults."""
    entry = _pairs(book)

    _raw(
        book,
        MEMBER.format(match=5, n=1, side="bank", item=2, round=0, sen=-500_00),
        MEMBER.format(match=5, n=2, side="book", item=entry, round=0, sen=-500_00),
        MATCH.format(match=5, sen=-500_00),
    )

    assert 2 == book.count("reconciliation_match")


@pytest.mark.parametrize(
    "statement",
    [
        MEMBER.format(match=1, n=3, side="bank", item=2, round=0, sen=-500_00),
        MEMBER.format(match=5, n=1, side="bank", item=2, round=0, sen=-500_00),
        "UPDATE bank_line SET amount_sen = 1",
        "DELETE FROM bank_line",
        "UPDATE statement SET closing_sen = 1",
        "UPDATE match_member SET item = 2",
        "DELETE FROM reconciliation_match",
        "DELETE FROM statement_file",
        "UPDATE statement_file_content SET content = content",
        "INSERT INTO match_undo SELECT '36', 9, 'x', 'y', 1, 1",
        "INSERT INTO bank_line SELECT government, 99, bank_account, statement_id, 999, booked_on, 99,"
        " value_on, entry_on, booked_time, amount_sen, balance_after_sen, reversal, bank_reference,"
        " reference, transaction_code, narrative_c, counterparty_c, line_kind, pay_key, doc_key,"
        " found_keys, batch_seq FROM bank_line WHERE id = 1",
    ],
)
def test_raw_change_of_what_stands_is_refused_by_the_database(book: Book, statement: str) -> None:
    """Statements, lines and matches are append-only, and complete ones take nothing more."""
    _pairs(book)

    with pytest.raises(DatabaseError):
        _raw(book, statement)


def test_reconciler_alone_may_run(book: Book) -> None:
    """The run needs the role."""
    book.deliver([])

    assert "not_granted" == book.refusal(Reconcile("svc-feed", ACCOUNT)).code
    assert "not_granted" != book.do(Reconcile(SECOND, ACCOUNT))[0].get("code")


LEAVES = {
    "statement.imported": (
        "bank_account chain_n closing_on closing_sen confirmed_count covers_from currency"
        " deliveries_sha256 detail_c file_sha256 file_size format id kind line_count lines_sha256"
        " new_count opening_on opening_sen ordinal page previous_sen profile rule skipped_count"
        " statement_no status"
    ),
    "reconciliation.run": (
        "bank_account book_sen closing_sen difference_sen entries_sha256 entry_count id"
        " journal_through match_count matches_sha256 open_entries open_lines rule_version"
        " stage_counts statement_id suggested_count through"
    ),
    "match.made": (
        "bank_account confirmed_by entries form lines match proposal proposed_by reason"
    ),
    "match.undone": "confirmed_by match proposal proposed_by reason",
}


def test_leaf_of_each_kind_has_its_members_of_version_1(book: Book) -> None:
    """A leaf is a wire format: its members change only with its version."""
    _two_and_one(book)
    book.by_hand([1], _entries(book))
    book.undo(1)

    found = {}
    for kind, body in book.rows("SELECT kind, body FROM log_leaf"):
        if kind in LEAVES:
            act = json.loads(bytes(body))
            found[kind] = (act["v"], " ".join(sorted(act["data"])))

    assert {kind: (1, members) for kind, members in LEAVES.items()} == found


def test_form_of_a_match_in_its_leaf_is_pinned(book: Book) -> None:
    """Version 1: the row, then (n, side, item, round, amount) of each member."""
    _two_and_one(book)
    first, second = _entries(book)
    book.by_hand([1], [first, second])

    ((body,),) = book.rows("SELECT body FROM log_leaf WHERE kind = 'match.made'")
    data = json.loads(bytes(body))["data"]

    assert [
        *(1, ACCOUNT, 0, "manual", "manual", "2", f'{{"reason":"{data["reason"]}"}}'),
        *(0, "-500.00", 3),
        [
            [1, "bank", 1, 0, "-500.00"],
            [2, "book", first, 0, "-300.00"],
            [3, "book", second, 0, "-200.00"],
        ],
    ] == data["form"]
