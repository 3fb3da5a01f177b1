"""Pages of service 14: joined without a row lost or doubled, and proved by every figure they carry."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank_adapters.errors import StatementFileError
from bank_adapters.snap.client import SnapClient
from bank_adapters.snap.errors import (
    BankRefusedError,
    StatementPeriodError,
    UnreadableAnswerError,
    UnreadablePullError,
)
from bank_adapters.statements.amounts import units_text
from bank_adapters.statements.registry import read_statement_file
from bank_adapters.statements.snap import read_snap_pages
from bank_adapters.statements.snap_file import Pull, parse_pull, window_of, write_pull
from bank_adapters.statements.statement import Statement, StatementFile
from tests.bank_adapters.helpers import codes
from tests.bank_adapters.snap.bank import (
    Bank,
    Call,
    Clock,
    Numbers,
    Raw,
    answer,
    serving,
    simulated,
    success,
)

WIB = timezone(timedelta(hours=7))
DAY = datetime(2026, 3, 5, tzinfo=WIB)
OPENING = 100_000


@dataclass(frozen=True)
class Entry:
    """A row as a test says it: seconds of the day, signed sen, remark, id."""

    second: int
    units: int
    remark: str = "SP2D"
    transaction_id: str = ""


def idr(units: int, **more: Any) -> dict[str, Any]:
    """An amount of SNAP."""
    return {"value": units_text(units, 2), "currency": "IDR", **more}


def rows_of(entries: Sequence[Entry], *, balances: str = "standard") -> list[dict[str, Any]]:
    """Rows of detailData, oldest first; *balances*: standard, bca, none."""
    made, running = [], OPENING
    for each in entries:
        start, running = running, running + each.units
        row: dict[str, Any] = {
            "amount": idr(abs(each.units)),
            "transactionDate": (DAY + timedelta(seconds=each.second)).isoformat(),
            "remark": each.remark,
            "type": "CREDIT" if each.units > 0 else "DEBIT",
            "transactionDetailStatus": "SUCCESS",
        }
        if each.transaction_id:
            row["transactionId"] = each.transaction_id
        if balances == "standard":
            row["detailBalance"] = {
                "startAmount": [{"amount": idr(start)}],
                "endAmount": [{"amount": idr(running)}],
            }
        elif balances == "bca":
            row["endAmount"] = idr(running)
        made.append(row)
    return made


def page(rows: list[dict[str, Any]], *, opening: int | None = None, **more: Any) -> bytes:
    """One reply; with *opening* its balances, of these rows."""
    body: dict[str, Any] = success("14", detailData=rows)
    if opening is not None:
        signs = {"CREDIT": 1, "DEBIT": -1}
        moved = sum(signs[r["type"]] * int(r["amount"]["value"].replace(".", "")) for r in rows)
        at = {"dateTime": DAY.isoformat()}
        body["balance"] = [
            {
                "amount": idr(moved, **at),
                "startingBalance": idr(opening, **at),
                "endingBalance": idr(opening + moved, **at),
            }
        ]
    return json.dumps({**body, **more}).encode()


def read(*pages: bytes) -> tuple[StatementFile, Statement]:
    """The file and its one statement."""
    file = read_snap_pages(pages, account="0010012345678", bank="137")
    (statement,) = file.statements
    return file, statement


def units(statement: Statement) -> list[int]:
    """Amounts in order."""
    return [line.amount_units for line in statement.lines]


ENTRIES = [Entry(1, 500, "a"), Entry(2, -300, "b"), Entry(2, -300, "b"), Entry(9, 700, "c", "T9")]


def test_page_of_the_standard_is_read_whole() -> None:
    """Dates, amounts, balances, ids, the row's own bytes; intraday until the day's end says so."""
    credit = {"numberOfEntries": "2", "amount": idr(1200)}
    debit = {"numberOfEntries": 2, "amount": idr(600)}
    body = page(
        rows_of(ENTRIES),
        opening=OPENING,
        hasMore="N",
        totalCreditEntries=credit,
        totalDebitEntries=debit,
    )
    file, statement = read(body)
    assert [] == codes(file)
    assert ("snap", "intraday", "137", "0010012345678", True) == (
        file.format,
        statement.kind,
        statement.bank,
        statement.account,
        statement.adds_up,
    )
    assert [500, -300, -300, 700] == units(statement)
    assert [100_500, 100_200, 99_900, 100_600] == [
        line.balance_after_units for line in statement.lines
    ]
    last = statement.lines[-1]
    assert ("2026-03-05", "00:00:09", "T9", "c", "booked", 4) == (
        str(last.booked_on),
        str(last.booked_time),
        last.bank_reference,
        last.narrative,
        last.status,
        last.position,
    )
    assert rows_of(ENTRIES)[-1] == json.loads(last.raw)
    assert last.raw.encode() in body
    assert statement.opening is not None
    assert (OPENING, True) == (statement.opening.units, statement.opening_is_start)


def test_page_of_bca_is_read_newest_first() -> None:
    """`endAmount` of its own, no `hasMore`, no ids, the newest row first."""
    file, statement = read(page(rows_of(ENTRIES, balances="bca")[::-1], opening=OPENING))
    assert [] == codes(file)
    assert [500, -300, -300, 700] == units(statement)
    assert statement.adds_up
    assert [1, 2, 3, 4] == [line.position for line in statement.lines]


@pytest.mark.parametrize("newest_first", [False, True])
def test_rows_of_one_second_are_ordered_by_their_balances(newest_first: bool) -> None:
    """Banks that print days give every row the same time."""
    same = [Entry(0, each.units, each.remark) for each in ENTRIES]
    rows = rows_of(same)
    file, statement = read(page(rows[::-1] if newest_first else rows, opening=OPENING))
    assert [] == codes(file)
    assert [500, -300, -300, 700] == units(statement)


def test_correction_keeps_its_direction_and_is_marked() -> None:
    """CREDIT or DEBIT says where the money went, whatever is corrected."""
    rows = rows_of(ENTRIES)
    rows[0]["transactionDetailStatus"] = "ERROR CORECTION"
    rows[1]["transactionDetailStatus"] = "HELD"
    file, statement = read(page(rows, opening=OPENING))
    assert [(500, True, "ERROR CORECTION"), (-300, False, "HELD")] == [
        (line.amount_units, line.reversal, line.transaction_code) for line in statement.lines[:2]
    ]
    assert ["unknown_status"] == codes(file)


def test_statement_that_does_not_add_up_is_told() -> None:
    """A row that the bank left out, by the sum and by the chain."""
    rows = rows_of(ENTRIES)
    whole = page(rows, opening=OPENING)
    balance = json.loads(whole)["balance"]
    file, statement = read(page(rows[:1] + rows[2:], balance=balance))
    assert ["balance_chain_broken", "does_not_add_up"] == codes(file)
    assert statement.adds_up is False


def test_broken_balance_of_a_row_is_told_even_where_the_sum_is_right() -> None:
    """Two wrong balances in the middle change no closing."""
    rows = rows_of(ENTRIES)
    rows[1]["detailBalance"]["endAmount"] = [{"amount": idr(1)}]
    file, statement = read(page(rows, opening=OPENING))
    assert ["balance_chain_broken", "balance_chain_broken"] == codes(file)
    assert [2, 3] == [warning.position for warning in file.warnings]
    assert statement.adds_up is False


def test_page_without_balances_says_that_nothing_proves_it() -> None:
    """Read, and told."""
    file, statement = read(page(rows_of(ENTRIES, balances="none")))
    assert ["no_balance_proof"] == codes(file)
    assert statement.adds_up is None


def test_wrong_sums_of_a_page_are_told() -> None:
    """Count and amount, credits and debits; a page's own sums or the whole range's are right."""
    wrong = {"numberOfEntries": "3", "amount": idr(1200)}
    file, _ = read(page(rows_of(ENTRIES), opening=OPENING, totalCreditEntries=wrong))
    assert ["summary_differs"] == codes(file)
    half, rows = {"numberOfEntries": "1", "amount": idr(500)}, rows_of(ENTRIES)
    whole = {"numberOfEntries": "2", "amount": idr(1200)}
    for sums in (half, whole):
        file, _ = read(
            page(rows[:2], opening=OPENING, hasMore="Y", totalCreditEntries=sums),
            page(rows[1:], opening=OPENING + 500),
        )
        assert [] == codes(file)


def test_day_without_rows_is_a_statement() -> None:
    """Opening is closing."""
    for body in (page([], opening=OPENING), page([], opening=OPENING, detailData=None)):
        file, statement = read(body)
        assert ([], (), True) == (codes(file), statement.lines, statement.adds_up)


def change(**fields: Any) -> bytes:
    """A page whose first row is changed; None takes a field out."""
    rows = rows_of(ENTRIES)
    rows[0] = {n: v for n, v in {**rows[0], **fields}.items() if v is not None}
    return page(rows)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (change(amount=None), "detailData 1"),
        (change(amount={"value": "-5.00", "currency": "IDR"}), "detailData 1"),
        (change(amount={"value": "5,00", "currency": "IDR"}), "detailData 1"),
        (change(amount={"value": "1.000.00", "currency": "IDR"}), "detailData 1"),
        (change(amount={"value": "5.0", "currency": "IDR"}), "detailData 1"),
        (change(amount={"value": "1e3", "currency": "IDR"}), "detailData 1"),
        (change(amount={"value": 5, "currency": "IDR"}), "detailData 1"),
        (change(amount={"value": "5.00", "currency": "USD"}), "detailData 1"),
        (change(type=None), "detailData 1"),
        (change(type="credit"), "detailData 1"),
        (change(transactionDate=None), "detailData 1"),
        (change(transactionDate="05/03/2026"), "detailData 1"),
        (change(transactionDate="2026-02-30T00:00:00+07:00"), "detailData 1"),
        (change(transactionDate="9999-12-31T23:59:59+07:00"), "detailData 1"),
        (change(transactionDate="0001-01-01T00:00:00+07:00"), "detailData 1"),
        (change(remark=7), "detailData 1"),
        (change(detailBalance=[]), "detailData 1"),
        (change(detailBalance={"endAmount": [{}, {}]}), "detailData 1"),
        (page([], detailData={}), "detailData"),
        (page([], detailData=[1]), "detailData 1"),
        (page([], hasMore="yes"), "hasMore"),
        (page([], lastRecordDateTime="x"), "lastRecordDateTime"),
        (page([], balance={}), "balance"),
        (page([], balance=[{}, {}]), "balance"),
        (page([], totalDebitEntries={"numberOfEntries": "many"}), "totalDebitEntries"),
        (b"", ""),
        (b"{", ""),
        (b'{"detailData":[],"detailData":[]}', ""),
    ],
)
def test_page_that_cannot_be_read_without_guessing_is_refused(body: bytes, field: str) -> None:
    """With page, field and reason; the pages before it count for nothing."""
    good = page(rows_of(ENTRIES), opening=OPENING)
    with pytest.raises(UnreadableAnswerError) as caught:
        read_snap_pages([good, body])
    assert (2, field) == (caught.value.page, caught.value.field)
    assert isinstance(caught.value, StatementFileError)


def test_time_without_a_zone_is_jakarta_s() -> None:
    """The standard's table prints the form without one."""
    _, statement = read(change(transactionDate="2026-03-05T00:00:01"))
    assert ("2026-03-05", "00:00:01") == (
        str(statement.lines[0].booked_on),
        str(statement.lines[0].booked_time),
    )


_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.just({"value": "1.00", "currency": "IDR"}),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["amount", "value", "type"]), inner, max_size=2)
    ),
    max_leaves=4,
)
_FIELDS = ("detailData", "balance", "hasMore", "lastRecordDateTime", "totalCreditEntries")


@given(st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=3), st.binary(max_size=30))
def test_page_is_read_or_refused_by_name(fields: dict[str, Any], noise: bytes) -> None:
    """No shape of a page makes a reader fail in another way."""
    for body in (json.dumps(fields).encode(), noise):
        try:
            read(body)
        except UnreadableAnswerError as error:
            assert error.reason


# --- paging -----------------------------------------------------------------------------------

#: Few seconds, amounts and remarks, so that twins are many.
_ENTRIES = st.lists(
    st.builds(
        Entry,
        st.integers(0, 6),
        st.sampled_from([100, -100, 250]),
        st.sampled_from(["a", "b"]),
        st.sampled_from(["", "", "T1"]),
    ),
    max_size=25,
).map(lambda found: sorted(found, key=lambda each: each.second))


@given(_ENTRIES, st.sampled_from(["standard", "bca", "none"]), st.booleans(), st.data())
def test_pages_cut_anywhere_in_time_give_back_every_row_once(
    entries: list[Entry], balances: str, newest_first: bool, data: st.DataObject
) -> None:
    """
    A page begins with the whole of a second that the page before has reached, and ends anywhere.

    True twins stay, with ids or without, with balances or without.
    """
    rows = rows_of(entries, balances=balances)
    listed = rows[::-1] if newest_first else rows
    times = [row["transactionDate"] for row in listed]
    pages, start, stop = [], 0, 0
    for left in range(5, -1, -1):
        stop = data.draw(st.integers(stop, len(listed))) if left else len(listed)
        pages.append(listed[start:stop])
        # On from the first row of any second up to the last one that was seen, even in part.
        reached = times[: max(stop, 1)]
        start = times.index(data.draw(st.sampled_from(reached))) if reached else 0
    _, statement = read(*(page(each) for each in pages))
    expected = [(each.units, each.remark, each.second) for each in entries]
    found = [
        (line.amount_units, line.narrative, line.booked_time.second if line.booked_time else -1)
        for line in statement.lines
    ]
    if balances == "none" and len({each.second for each in entries}) < 2:
        assert sorted(expected) == sorted(found)  # nothing says which way they go
    else:
        assert expected == found


@given(
    st.lists(st.sampled_from([100, -100, 250]), max_size=20),
    st.lists(st.integers(0, 20), max_size=6),
    st.integers(0, 5),
)
def test_pages_cut_anywhere_at_all_give_back_rows_with_ids(
    amounts: list[int], cuts: list[int], overlap: int
) -> None:
    """Where every row has an id, no rule about seconds is needed."""
    entries = [Entry(n // 4, amount, "a", f"T{n}") for n, amount in enumerate(amounts)]
    rows = rows_of(entries, balances="none")
    stops = sorted({min(cut, len(rows)) for cut in cuts} | {len(rows)})
    starts = [0, *(max(0, stop - overlap) for stop in stops[:-1])]
    _, statement = read(*(page(rows[a:b]) for a, b in zip(starts, stops, strict=True)))
    assert amounts == units(statement)


class Pager:
    """A bank that pages by time, as the standard says, *size* rows a page."""

    def __init__(self, entries: list[Entry], size: int, *, newest_first: bool = False) -> None:
        self.rows = rows_of(entries)
        self.size = size
        self.newest_first = newest_first

    def __call__(self, call: Call) -> Raw:
        """The page that was asked for."""
        asked = call.json
        start, end = (datetime.fromisoformat(asked[n]) for n in ("fromDateTime", "toDateTime"))
        found = [
            row
            for row in self.rows
            if start <= datetime.fromisoformat(row["transactionDate"]) <= end
        ]
        listed = found[::-1] if self.newest_first else found
        shown = listed[: self.size]
        more: dict[str, Any] = {"hasMore": "Y" if len(listed) > self.size else "N"}
        if shown:
            more["lastRecordDateTime"] = shown[-1]["transactionDate"]
        return answer(200, page(shown, **more))


def fetch(bank: Bank, *, overlap_seconds: int = 1) -> StatementFile:
    """The statement of the test's day."""
    window = window_of(DAY.date(), DAY.date(), today=DAY.date())
    with serving(bank), SnapClient(simulated(bank), Clock(), Numbers()) as client:
        pages = client.statement_pages("0010012345678", window, overlap_seconds=overlap_seconds)
    return read_statement_file(pulled(pages))


def pulled(pages: Sequence[bytes], **changes: Any) -> bytes:
    """The file of a pull of the test's day."""
    pull = Pull("137", "0010012345678", DAY.date(), DAY.date(), pages)
    return write_pull(replace(pull, **changes))


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("size", [5, 7, 40])
def test_statement_is_fetched_page_by_page(size: int, newest_first: bool) -> None:
    """Twins over the edge of a page, three rows a second, both directions."""
    entries = [Entry(n // 3, -100 if n % 4 else 250, "a") for n in range(40)]
    bank = Bank(reply=Pager(entries, size, newest_first=newest_first))
    file = fetch(bank)
    assert [each.units for each in entries] == units(file.statements[0])
    assert len(bank.to("14")) > 40 // size - 1
    assert len({call.headers["x-external-id"] for call in bank.to("14")}) == len(bank.to("14"))


def test_page_that_holds_less_than_its_overlap_is_asked_for_without() -> None:
    """An overlap that would ask for the same page again is left out."""
    entries = [Entry(n // 2, 100, "a") for n in range(12)]
    assert [100] * 12 == units(
        fetch(Bank(reply=Pager(entries, 4)), overlap_seconds=30).statements[0]
    )


def test_paging_that_does_not_move_is_refused() -> None:
    """More rows in one second than a page holds: said, not looped over and not cut off."""
    bank = Bank(reply=Pager([Entry(5, 100, "a")] * 4, 3))
    with pytest.raises(UnreadableAnswerError, match="does not move on"):
        fetch(bank)
    assert len(bank.to("14")) <= 3


def test_page_that_says_more_and_gives_nothing_is_refused() -> None:
    """There is nowhere to go on from."""
    bank = Bank(reply=lambda _: answer(200, page([], hasMore="Y")))
    with pytest.raises(UnreadableAnswerError, match="no rows"):
        fetch(bank)


@pytest.mark.parametrize("said", [None, "2026-03-05T23:00:00+07:00"])
def test_page_that_comes_again_for_ever_is_refused(said: str | None) -> None:
    """A bank that looks at no times: neither its rows nor a time it says to go on from are believed."""
    more = {"hasMore": "Y"} | ({} if said is None else {"lastRecordDateTime": said})
    bank = Bank(reply=lambda _: answer(200, page(rows_of(ENTRIES), **more)))
    with pytest.raises(UnreadableAnswerError, match="does not move on"):
        fetch(bank)
    assert len(bank.to("14")) <= 3


def test_time_to_go_on_from_beyond_the_last_row_loses_no_row() -> None:
    """What the bank says of its last record is believed only up to the last row that it gave."""
    entries = [Entry(n, 100, "a") for n in range(12)]
    pager = Pager(entries, 4)

    def reply(call: Call) -> Raw:
        _head, _, body = pager(call)[0].partition(b"\r\n\r\n")
        found = json.loads(body)
        found["lastRecordDateTime"] = (DAY + timedelta(seconds=10)).isoformat()
        return answer(200, found)

    assert [100] * 12 == units(fetch(Bank(reply=reply)).statements[0])


@pytest.mark.parametrize(
    ("status", "body", "refusal"),
    [
        (503, b"<html>", BankRefusedError),
        (504, {"responseCode": "5041400", "responseMessage": "Timeout"}, BankRefusedError),
        (400, {"responseCode": "4001401", "responseMessage": "fromDateTime"}, BankRefusedError),
        (202, {"responseCode": "2021400", "responseMessage": "In Progress"}, BankRefusedError),
        (200, b"<html>", UnreadableAnswerError),
    ],
)
def test_bank_that_does_not_answer_the_question_is_refused(
    status: int, body: object, refusal: type[Exception]
) -> None:
    """A fault of the bank, days that it does not give, a promise, a page that is none."""
    with pytest.raises(refusal):
        fetch(Bank(reply=lambda _: answer(status, body)))


# --- the file of a pull ------------------------------------------------------------------------


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4))
def test_pull_is_written_and_taken_apart_byte_for_byte(pages: list[bytes]) -> None:
    """Whatever the bank sent, line feeds and our own words included."""
    data = pulled(pages)
    assert tuple(pages) == parse_pull(data).pages
    assert data == write_pull(parse_pull(data))


PAGES = [
    page(rows_of(ENTRIES)[:3], opening=OPENING, hasMore="Y", accountNo="0010012345678"),
    page(rows_of(ENTRIES)[1:], opening=OPENING + 500, hasMore="N"),
]


def test_pull_is_found_out_and_read_as_its_pages() -> None:
    """By its first line; one statement that covers the days that were asked."""
    data = pulled(PAGES)
    found = read_statement_file(data)
    assert found == read_statement_file(data, format="snap")
    (statement,) = found.statements
    assert ("snap", (DAY.date(), DAY.date()), True) == (
        found.format,
        statement.covers,
        statement.adds_up,
    )
    assert [500, -300, -300, 700] == units(statement)
    assert read(*PAGES)[1].lines == statement.lines


@given(st.data())
def test_pull_that_was_damaged_is_refused_or_read_as_it_stands(data: st.DataObject) -> None:
    """Cut anywhere it is refused; a byte changed anywhere fails by name or not at all."""
    whole = pulled(PAGES)
    at = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(StatementFileError):
        read_statement_file(whole[:at], format="snap")
    changed = whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :]
    try:
        read_statement_file(changed, format="snap")
    except StatementFileError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("changes", "old", "new", "line"),
    [
        ({}, b"version 1", b"version 2", 1),
        ({}, b"bank 137", b"bank 1370", 2),
        ({}, b"days 2026-03-05 2026-03-05", b"days 2026-02-30 2026-03-05", 4),
        ({"last": date(2026, 3, 4)}, b"", b"", 4),
        ({}, b"page 1 ", b"page 2 ", 5),
        ({}, b"page 1 ", b"page 1 1", 5),
        ({}, b"end 2\n", b"end 3\n", 9),
        ({}, b"end 2\n", b"end 2\n\n", 9),
    ],
)
def test_pull_that_is_not_as_it_was_written_is_refused_by_line(
    changes: dict[str, Any], old: bytes, new: bytes, line: int
) -> None:
    """Head, number, length or end."""
    with pytest.raises(UnreadablePullError) as caught:
        read_statement_file(pulled(PAGES, **changes).replace(old, new, 1), format="snap")
    assert line == caught.value.position


@pytest.mark.parametrize(
    ("pages", "changes", "field"),
    [
        (PAGES[:1], {}, "hasMore"),
        ([PAGES[1], PAGES[1]], {}, "hasMore"),
        ([PAGES[0].replace(b'"0010012345678"', b'"9910012345678"'), PAGES[1]], {}, "accountNo"),
        (PAGES, {"first": date(2026, 3, 6), "last": date(2026, 3, 6)}, "detailData 1"),
    ],
)
def test_pages_that_are_not_the_answer_to_what_was_asked_are_refused(
    pages: list[bytes], changes: dict[str, Any], field: str
) -> None:
    """A page that lacks, one behind the end, another account, a day that was not asked for."""
    with pytest.raises(UnreadableAnswerError) as caught:
        read_statement_file(pulled(pages, **changes))
    assert field == caught.value.field


def test_row_of_another_day_that_a_later_page_repeats_is_left_out_and_told() -> None:
    """Banks that repeat rows go back behind the days that were asked for."""
    early = {**rows_of(ENTRIES)[0], "transactionDate": "2026-03-04T23:59:59+07:00"}
    again = page([early, *rows_of(ENTRIES)[1:]], opening=OPENING, hasMore="N")
    file = read_statement_file(pulled([PAGES[0], again]))
    assert [500, -300, -300, 700] == units(file.statements[0])
    assert ["outside_period"] == codes(file)
    assert file.statements[0].adds_up


def test_days_that_no_bank_can_be_asked_for_are_refused() -> None:
    """The wrong way round, not come yet, or longer ago than the bank tells of."""
    today = date(2026, 3, 5)
    ask = [(6, 5, 0), (5, 6, 0), (3, 5, 1)]
    for first, last, back in ask:
        with pytest.raises(StatementPeriodError):
            window_of(date(2026, 3, first), date(2026, 3, last), today=today, days_back=back)
    start, end = window_of(date(2026, 3, 4), today, today=today, days_back=1)
    assert ("2026-03-04T00:00:00+07:00", "2026-03-05T23:59:59+07:00") == (
        start.isoformat(),
        end.isoformat(),
    )
