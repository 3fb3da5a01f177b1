"""Statements issued anew: two persons put them in the places of earlier ones, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from api.engine import begin, reading
from ledger.proposals import Confirm, Propose
from reconciliation import SupersedeStatement, prove
from tests.databases import Database
from tests.reconciliation.books import (
    ACCOUNT,
    GOVERNMENT,
    OPENING_SEN,
    SECOND,
    Book,
    out,
    sp2d,
    without_triggers,
)

D10, D11, D12, D13 = (date(2026, 11, day) for day in (10, 11, 12, 13))


def standing(book: Book) -> list[tuple[Any, ...]]:
    """(place, id, from, to) of the statements that stand."""
    return book.rows(
        "SELECT chain_n, id, previous_sen, closing_sen FROM statement s WHERE chain_n > 0 AND NOT"
        " EXISTS (SELECT 1 FROM reissue r WHERE r.supersedes = s.id) ORDER BY chain_n"
    )


def test_reissued_statement_keeps_what_recurs_and_opens_what_is_new(book: Book) -> None:
    """Lines that recur keep their matches, gone ones lose theirs by an act, new ones are open."""
    book.post("R-1", -500_00, document_no=sp2d(1))
    book.post("R-2", -300_00, document_no=sp2d(2))
    book.post("R-3", -301_00, document_no=sp2d(2).replace("000002", "000003"))
    lines = [out(-500_00, sp2d(1)), out(-300_00, sp2d(2))]
    book.deliver(lines)
    book.reconcile()
    reissue = [lines[0], out(-301_00, sp2d(3))]

    answer = book.supersede(book.statement(reissue, opening_sen=OPENING_SEN), 1)
    book.balance_sen -= 1_00
    run = book.reconcile()

    assert [(1, 3, OPENING_SEN, OPENING_SEN - 801_00)] == standing(book)
    assert [{"statement": 3, "supersedes": 1, "new": 1, "confirmed": 1, "gone": 1}] == answer[
        "statements"
    ]
    assert [2] == answer["undone"]
    assert [(1, 3)] == book.rows("SELECT line_id, statement_id FROM bank_line_delivery")
    assert [(2, 3)] == book.rows("SELECT line_id, statement_id FROM bank_line_gone")
    assert run.outcome is not None
    assert {"R-1", "R-3"} == {row.journal_reference for row in run.outcome.matches} - {""}
    assert (0, [-300_00]) == (
        run.outcome.proof.difference_sen,
        [item.amount_sen for item in run.outcome.proof.items],
    )
    assert [] == book.findings()


def test_chain_continues_from_the_reissued_statement(book: Book) -> None:
    """The next day opens with its closing; the old figure is refused; all days can be repeated."""
    book.deliver([out(-1_00, "A"), out(-2_00, "B")])
    fresh = [out(-1_00, "A"), out(-3_00, "C")]
    book.supersede(book.statement(fresh, opening_sen=OPENING_SEN), 1)

    old = book.refused(book.statement([], on=D12))
    book.balance_sen = OPENING_SEN - 4_00
    book.deliver([out(-9_00, "D", on=D12)], on=D12)
    both = book.statement(
        [*reversed(fresh), out(-9_00, "D", on=D12)], on=D12, opening_sen=OPENING_SEN
    )
    again = book.take(both)
    gone = book.refused(
        book.statement([out(-1_00, "A"), out(-2_00, "B")], opening_sen=OPENING_SEN, on=D11)
        + b"\r\n"
    )

    assert ("chain_broken", "99999999996.00") == (old.code, old.values["expected"])
    assert ("confirmed", 3) == tuple(again["statements"][0][n] for n in ("status", "confirmed"))
    assert "delivery_differs" == gone.code
    assert [] == book.findings()


def test_statement_in_the_middle_is_superseded_where_the_chain_goes_on(book: Book) -> None:
    """An earlier day takes a reissue that closes with the figure that the next day opened with."""
    book.deliver([out(-1_00, "A")], on=D11)
    book.deliver([out(-2_00, "B", on=D12)], on=D12)
    book.deliver([out(-3_00, "C", on=D13)], on=D13)
    reissue = [out(-1_50, "B1", on=D12), out(-50, "B2", on=D12)]

    book.supersede(book.statement(reissue, on=D12, opening_sen=OPENING_SEN - 1_00, since=D11), 2)

    assert [(1, 1), (2, 5), (3, 3)] == [row[:2] for row in standing(book)]
    assert [] == book.findings()
    with reading(book.engine) as conn:
        proof = prove(conn, GOVERNMENT, ACCOUNT, "2026-11-12")
    assert (5, [-1_00, -1_50, -50]) == (
        proof.statement,
        [item.amount_sen for item in proof.items],
    )


def test_days_reissued_together_take_their_places_at_once(book: Book) -> None:
    """Where a figure between days changes, the days are decided about in one act."""
    for n, day in enumerate((D11, D12, D13), start=1):
        book.deliver([out(-n * 1_00, f"L{n}", on=day)], on=day)
    second = book.statement(
        [out(-2_50, "L2", on=D12)], on=D12, opening_sen=OPENING_SEN - 1_00, since=D11
    )
    third = book.statement(
        [out(-2_50, "L3", on=D13)], on=D13, opening_sen=OPENING_SEN - 3_50, since=D12
    )
    alone = SupersedeStatement(tuple(book.keep_aside(second)), (2,), "ralat")

    error = book.refusal(Propose("svc-reconcile", alone))
    answer = book.supersede(second + third, 2)

    assert ("reissue_misplaced", "99999999996.50", "99999999997.00") == (
        error.code,
        error.values["found"],
        error.values["expected"],
    )
    assert [2, 3] == [each["supersedes"] for each in answer["statements"]]
    assert [OPENING_SEN - 1_00, OPENING_SEN - 3_50, OPENING_SEN - 6_00] == [
        row[3] for row in standing(book)
    ]
    assert [] == book.findings()


def test_reissue_of_a_reissue_is_another_one(book: Book) -> None:
    """A place may change hands again; a line that came and went may come again as a new one."""
    old, other = [out(-1_00, "A")], [out(-2_00, "B")]
    book.deliver(old)
    book.supersede(book.statement(other, opening_sen=OPENING_SEN), 1)
    book.supersede(book.statement(old, opening_sen=OPENING_SEN) + b"\r\n", 3)

    assert [(1, 5, OPENING_SEN, OPENING_SEN - 1_00)] == standing(book)
    assert [(1,), (2,)] == book.rows("SELECT line_id FROM bank_line_gone ORDER BY 1")
    assert [(3,)] == book.rows("SELECT item FROM open_item WHERE side = 'bank'")
    assert [] == book.findings()


def test_proof_as_it_was_known_before_stays(book: Book) -> None:
    """What was proven before the reissue can still be read as it was."""
    book.deliver([out(-1_00, "A"), out(-2_00, "B")])
    ((known_at,),) = book.rows("SELECT max(seq) FROM batch")
    with reading(book.engine) as conn:
        before = prove(conn, GOVERNMENT, ACCOUNT, "2026-11-11")

    book.supersede(book.statement([out(-5_00, "C")], opening_sen=OPENING_SEN), 1)

    with reading(book.engine) as conn:
        then = prove(conn, GOVERNMENT, ACCOUNT, "2026-11-11", known_at=known_at)
        now = prove(conn, GOVERNMENT, ACCOUNT, "2026-11-11")
    assert (before.statement, before.bank_sen, list(before.items)) == (
        then.statement,
        then.bank_sen,
        list(then.items),
    )
    assert (OPENING_SEN - 5_00, [-5_00]) == (now.bank_sen, [i.amount_sen for i in now.items])


def test_provisional_line_whose_booking_is_gone_is_an_exception_again(book: Book) -> None:
    """What a report told of and the reissued statement lacks is named."""
    book.take(book.report([out(-1_00, "A")], on=D11))
    book.deliver([out(-1_00, "A")])
    book.supersede(book.statement([out(-2_00, "A")], opening_sen=OPENING_SEN), 1)

    assert ("provisional_line_not_booked", "1") in book.notes()
    assert [] == book.findings()


def test_reissue_confirms_what_was_told_and_not_booked(book: Book) -> None:
    """A line that the first statement lacked and the reissued one has is confirmed by it."""
    book.take(book.report([out(-1_00, "A")], on=D11))
    book.deliver([out(-2_00, "B")])
    book.supersede(book.statement([out(-1_00, "A")], opening_sen=OPENING_SEN), 1)

    assert [(1, 2)] == book.rows("SELECT provisional_id, line_id FROM provisional_booked")
    assert [] == book.findings()
    assert [] == book.notes()


def test_first_statement_may_be_superseded_by_one_that_opens_elsewhere(book: Book) -> None:
    """Nothing stands before it: the bank's own word is its opening."""
    book.deliver([out(-1_00, "A")])
    book.supersede(book.statement([out(-1_00, "A")], opening_sen=OPENING_SEN + 9_00), 1)

    assert [(1, 3, OPENING_SEN + 9_00, OPENING_SEN + 8_00)] == standing(book)
    assert [] == book.findings()


def test_match_of_several_lines_is_undone_whole_when_one_is_gone(book: Book) -> None:
    """The lines that stay are open again."""
    book.post("R-1", -3_00)
    book.deliver([out(-1_00, "A"), out(-2_00, "B")])
    book.reconcile()
    ((entry,),) = book.rows("SELECT item FROM open_item WHERE side = 'book' AND amount_sen = -300")
    book.by_hand([1, 2], [entry])

    book.supersede(book.statement([out(-1_00, "A"), out(-4_00, "C")], opening_sen=OPENING_SEN), 1)

    assert [(1,), (3,)] == book.rows("SELECT item FROM open_item WHERE side = 'bank' ORDER BY item")
    assert [(entry,)] == book.rows(f"SELECT item FROM open_item WHERE item = {entry}")
    assert [] == book.findings()


# --- refusals -----------------------------------------------------------------------------------

Make = Callable[[Book], tuple[tuple[int, ...], tuple[int, ...]]]


def _aside(book: Book, lines: list[Any], **how: Any) -> tuple[int, ...]:
    values = {"on": D12, "opening_sen": OPENING_SEN - 1_00, "since": D11, **how}
    return tuple(book.keep_aside(book.statement(lines, **values)))


REFUSED: dict[str, tuple[str, Make]] = {
    "opens elsewhere": (
        "reissue_misplaced",
        lambda book: (_aside(book, [], opening_sen=5), (2,)),
    ),
    "closes another day": ("reissue_misplaced", lambda book: (_aside(book, [], on=D13), (2,))),
    "chain goes on from another figure": (
        "reissue_misplaced",
        lambda book: (_aside(book, [out(-7_00, "Z")], on=D11, opening_sen=OPENING_SEN), (1,)),
    ),
    "not kept aside": ("not_kept_aside", lambda _: ((1,), (2,))),
    "unknown": ("not_kept_aside", lambda _: ((99,), (2,))),
    "supersedes one kept aside": (
        "not_supersedable",
        lambda book: (_aside(book, []), _aside(book, [out(-1_00, "Q", on=D12)])),
    ),
    "supersedes nothing": ("not_supersedable", lambda book: (_aside(book, []), (99,))),
    "more statements than places": (
        "not_supersedable",
        lambda book: (
            (*_aside(book, []), *_aside(book, [], on=D13, opening_sen=OPENING_SEN - 1_00)),
            (2,),
        ),
    ),
    "no statement": ("invalid_field", lambda _: ((), (2,))),
    "two to supersede": ("invalid_field", lambda book: (_aside(book, []), (1, 2))),
}


@pytest.mark.parametrize("case", REFUSED)
def test_reissue_at_fault_is_refused_and_changes_nothing(book: Book, case: str) -> None:
    """Each fault has its name when it is proposed."""
    book.deliver([out(-1_00, "A")], on=D11)
    book.deliver([out(-2_00, "B", on=D12)], on=D12)
    code, make = REFUSED[case]
    statements, supersedes = make(book)
    before = book.everything()

    error = book.refusal(
        Propose("svc-reconcile", SupersedeStatement(statements, supersedes, "ralat"))
    )

    assert code == error.code
    assert before == book.everything()


def test_intraday_report_supersedes_nothing(book: Book) -> None:
    """Only an end-of-day statement is kept aside as a reissued one."""
    book.deliver([out(-1_00, "A")])

    error = book.refused(book.report([out(-2_00, "B")], on=D11), reissue=True)

    assert "not_end_of_day" == error.code


def test_file_that_stands_is_not_kept_aside(book: Book) -> None:
    """What was admitted before is no reissue."""
    book.deliver([out(-1_00, "A")])

    assert "not_kept_aside" == book.refused(book.files[0], reissue=True).code


def test_file_kept_aside_again_changes_nothing(book: Book) -> None:
    """The same bytes a second time are a replay, whatever rule they were kept aside by."""
    book.deliver([out(-1_00, "A"), out(-2_00, "B")])
    data = book.statement([out(-2_00, "B"), out(-9_00, "C")], opening_sen=OPENING_SEN)
    book.take(data, quarantine=True)
    before = book.everything()

    answer = book.take(data, reissue=True)

    assert (True, "delivery_differs") == (answer["replayed"], answer["statements"][0]["rule"])
    assert before == book.everything()
    assert [3] == [each["statement"] for each in book.supersede(data, 1)["statements"]]


def test_one_person_is_not_both_hands(book: Book) -> None:
    """The proposer does not decide."""
    book.deliver([out(-1_00, "A")])
    aside = tuple(book.keep_aside(book.statement([out(-2_00, "B")], opening_sen=OPENING_SEN)))
    (proposed,) = book.do(Propose("svc-reconcile", SupersedeStatement(aside, (1,), "ralat")))

    assert "own_approval" == book.refusal(Confirm("svc-reconcile", proposed["proposal"])).code
    assert [(1, 1)] == [row[:2] for row in standing(book)]


def test_decision_overtaken_by_another_is_refused(book: Book) -> None:
    """The second half decides against the chain as it stands by then."""
    book.deliver([out(-1_00, "A")])
    first = tuple(book.keep_aside(book.statement([out(-2_00, "B")], opening_sen=OPENING_SEN)))
    (proposed,) = book.do(Propose("svc-reconcile", SupersedeStatement(first, (1,), "ralat")))
    book.supersede(book.statement([out(-3_00, "C")], opening_sen=OPENING_SEN), 1)

    assert "not_supersedable" == book.refusal(Confirm(SECOND, proposed["proposal"])).code


def test_reissue_whose_bytes_were_erased_is_refused(book: Book) -> None:
    """What two persons decide about is the bank's own file."""
    book.deliver([out(-1_00, "A")])
    aside = tuple(book.keep_aside(book.statement([out(-2_00, "B")], opening_sen=OPENING_SEN)))
    (proposed,) = book.do(Propose("svc-reconcile", SupersedeStatement(aside, (1,), "ralat")))
    with begin(book.engine) as conn:
        conn.execute(text("DELETE FROM statement_file_content"))

    assert "statement_bytes_erased" == book.refusal(Confirm(SECOND, proposed["proposal"])).code


LEAVES = {
    "delivery.imported": (
        "bank_account booked_count booked_sha256 confirmed_count deliveries_sha256 file_sha256"
        " file_size format id kind line_count lines_sha256 new_count ordinal page profile"
        " skipped_count statement_no"
    ),
    "provisional.booked": "booked_count booked_sha256 statement",
    "statement.superseded": (
        "confirmed_by proposal proposed_by reason reissued statements supersedes"
    ),
    "match.superseded": "confirmed_by match proposed_by reason supersedes",
}


def test_leaf_of_each_kind_has_its_members_of_version_1(book: Book) -> None:
    """A leaf is a wire format: its members change only with its version."""
    book.post("R-1", -1_00, document_no=sp2d(1))
    book.take(book.report([out(-1_00, sp2d(1))], on=D11))
    book.deliver([out(-1_00, sp2d(1))])
    book.reconcile()
    book.supersede(book.statement([out(-2_00, "B")], opening_sen=OPENING_SEN), 1)

    found = {}
    for kind, body in book.rows("SELECT kind, body FROM log_leaf"):
        if kind in LEAVES:
            act = json.loads(bytes(body))
            found[kind] = (act["v"], " ".join(sorted(act["data"])))

    assert {kind: (1, members) for kind, members in LEAVES.items()} == found
    assert [] == book.findings()


# --- the second home ----------------------------------------------------------------------------

_COPY = (
    "INSERT INTO statement SELECT government, {id}, bank_account, file_sha256, {ordinal}, {chain}, 'admitted',"
    " statement_no, page, kind, currency, covers_from, opening_on, opening_sen, closing_on, {closing},"
    " previous_sen, line_count, 0, 0, line_count, '', '', '', '', imported_by, batch_seq, leaf_index"
    " FROM statement WHERE id = 2"
)
_REISSUE = (
    "INSERT INTO reissue VALUES ('36', {id}, {over}, {aside}, '{by}', '{second}', 'x', 0, '', 1, 1)"
)

RAW: dict[str, tuple[tuple[str, ...], str]] = {
    "second statement at a place": (
        (_COPY.format(id=99, ordinal=9, chain=2, closing="previous_sen"),),
        "append_only",
    ),
    "statement without the lines of its place": (
        (
            _REISSUE.format(id=99, over=2, aside=5, by="a", second="b"),
            _COPY.format(id=99, ordinal=9, chain=2, closing="closing_sen"),
        ),
        "reissue_differs",
    ),
    "one person": (
        (_REISSUE.format(id=99, over=2, aside=5, by="a", second="a"),),
        "check",
    ),
    "place given away twice": (
        (_REISSUE.format(id=99, over=1, aside=5, by="a", second="b"),),
        "append_only|unique",
    ),
    "for a statement that stands": (
        (_REISSUE.format(id=4, over=2, aside=5, by="a", second="b"),),
        "statement_complete|append_only|unique|check",
    ),
    "line of a finished reissue": (
        ("INSERT INTO bank_line_gone VALUES ('36', 2, 4, 1)",),
        "statement_complete",
    ),
    "line in a live match": (
        (
            _REISSUE.format(id=99, over=2, aside=5, by="a", second="b"),
            "INSERT INTO bank_line_gone VALUES ('36', 2, 99, 1)",
        ),
        "line_matched",
    ),
    "gone line matched": (
        ("INSERT INTO match_member VALUES ('36', 99, 1, 'bank', 1, 0, -100)",),
        "line_gone",
    ),
    "row changed": (("UPDATE reissue SET reason_c = 'y'",), "append_only"),
    "row deleted": (("DELETE FROM bank_line_gone",), "append_only"),
}


@pytest.mark.parametrize("case", RAW)
def test_raw_sql_against_the_rules_is_refused(book: Book, case: str) -> None:
    """The database refuses what no act does."""
    book.post("R-1", -2_00, document_no=sp2d(1))
    book.deliver([out(-1_00, "A")], on=D11)
    book.deliver([out(-2_00, sp2d(1), on=D12)], on=D12)
    book.reconcile()
    book.supersede(book.statement([out(-1_00, "A2")], opening_sen=OPENING_SEN), 1)
    book.keep_aside(book.statement([], on=D12, opening_sen=OPENING_SEN - 1_00, since=D11))
    statements, rule = RAW[case]

    with pytest.raises(DatabaseError) as refusal, begin(book.engine) as conn:
        for each in statements:
            conn.exec_driver_sql(each)

    said = str(refusal.value).lower()
    allowed = [*rule.split("|"), *(["permission denied"] if "append_only" in rule else [])]
    assert any(word in said for word in allowed), said


def test_place_exchanged_raw_is_found(book: Book, database: Database) -> None:
    """With the triggers away, a chain that no act made is named."""
    book.deliver([out(-1_00, "A")])
    book.supersede(book.statement([out(-2_00, "B")], opening_sen=OPENING_SEN), 1)
    with without_triggers(database, "reissue", "bank_line_gone") as conn:
        conn.exec_driver_sql("DELETE FROM bank_line_gone")
        conn.exec_driver_sql("DELETE FROM reissue")

    codes = {finding.code for finding in book.findings()}
    assert {"reissue_missing", "statement_chain_broken"} <= codes
