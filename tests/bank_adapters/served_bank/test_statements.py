"""The bank's statements, as files and over service 14, tell the same truth as its books."""

import time
from collections import Counter
from datetime import date, datetime
from pathlib import Path

import pytest

from bank_adapters import read_statement_file
from bank_adapters.simulator import books
from bank_adapters.simulator.closing import end_days, write_statements
from bank_adapters.simulator.errors import DayClosedError
from bank_adapters.simulator.store import connect
from ledger.money import sen_text
from tests.bank_adapters.served_bank.caller import ACCOUNT, WIB, Served, command, pay

LONG = "SP2D26-" + "0123456789" * 3 + "0"
SCRIPT = """
delay_ms = 0
[exact]
"TWIN" = ["twin"]
"ERROR" = ["bank_error"]
"BACK" = ["returned"]
"""


def read(path):
    (statement,) = read_statement_file(Path(path).read_bytes(), name=Path(path).name).to_json()[
        "statements"
    ]
    return statement


def test_days_of_the_bank_are_told_in_every_format(directory):
    """Openings and closings chain, formats agree, and mistakes are taken back on the next day."""
    with Served(directory, script=SCRIPT) as served:
        caller = served.caller()
        for reference in ("TWIN", "ERROR", "BACK", LONG):
            pay(caller, reference)
        while served.report()["waiting"]:
            pass
        first = command("end-day", "--directory", directory)
        asked = {"accountNo": ACCOUNT, "fromDateTime": "2026-03-05T00:00:00+07:00"}
        asked["toDateTime"] = "2026-03-05T23:59:59+07:00"
        pulled = caller.call("/bank-statement", asked).body
        pay(caller, "NEXT")
        second = command("end-day", "--directory", directory, "--day", "2026-03-07")
        report = served.report()

    (one,), (empty_or_next, *rest) = first["statements"], second["statements"]
    assert (1, "2026-03-05", "1000000000.00") == (one["no"], one["day"], one["opening"])
    assert [2, 3] == [each["no"] for each in (empty_or_next, *rest)]
    assert ["2026-03-06", "2026-03-07"] == [each["day"] for each in (empty_or_next, *rest)]
    closing = one["opening"]
    for statement in (one, empty_or_next, *rest):
        assert closing == statement["opening"]
        closing = statement["closing"]
        mt940, camt = map(read, statement["files"])
        for read_back in (mt940, camt):
            assert True is read_back["adds_up"]
            assert statement["opening"] == read_back["opening"]["amount"]
            assert statement["closing"] == read_back["closing"]["amount"]
        assert [line["amount"] for line in mt940["lines"]] == [
            line["amount"] for line in camt["lines"]
        ]
    assert closing == report["balances"][f"137:{ACCOUNT}"]["balance"]

    mt940, camt = map(read, one["files"])
    counted = Counter(line["reference"] for line in camt["lines"])
    assert {"TWIN": 2, "ERROR": 1, None: 1, "BACK": 2, LONG[:35]: 1} == dict(counted)
    assert {line["bank_reference"] for line in mt940["lines"]} == {
        row["transactionId"] for row in pulled["detailData"]
    }
    assert LONG[:16] in [line["reference"] for line in mt940["lines"]]
    (long_line,) = (line for line in mt940["lines"] if LONG in line["narrative"])
    assert f"PB {LONG} {LONG} Belanja LS"[:130].rstrip() == long_line["narrative"]
    (returned,) = (line for line in mt940["lines"] if line["narrative"].startswith("RETUR"))
    assert "1500000.00" == returned["amount"]

    corrections = [line for line in read(empty_or_next["files"][0])["lines"] if line["reversal"]]
    wrong = [line for line in mt940["lines"] if line["reference"] in ("TWIN", None)][1:]
    mistaken = {line["amount"].removeprefix("-") for line in wrong}
    assert mistaken == {line["amount"] for line in corrections}
    assert all(line["narrative"].startswith("KOREKSI") for line in corrections)
    twin = report["orders"]["TWIN"]
    assert (1, 1, 1) == tuple(twin[name] for name in ("executions", "twins", "corrected"))
    assert (True, True) == (report["zero_sum"], report["balances_agree"])


def test_day_is_ended_once_and_in_its_turn(directory):
    """A day that is over stays over; nothing is written for it again."""
    now = datetime(2026, 3, 5, 12, tzinfo=WIB)
    conn = connect(directory / "bank.db")
    end_days(conn, date(2026, 3, 5), now)

    with pytest.raises(DayClosedError):
        end_days(conn, date(2026, 3, 5), now)

    assert "2026-03-05" == books.get(conn, "closed_day")
    conn.close()


def test_statement_can_be_written_again_byte_for_byte(directory, tmp_path):
    """The files come from the books, so a lost one is made anew."""
    now = datetime(2026, 3, 5, 12, tzinfo=WIB)
    with Served(directory) as served:
        pay(served.caller(), "AGAIN")
    conn = connect(directory / "bank.db")
    (ended,) = end_days(conn, date(2026, 3, 5), now)

    written = [write_statements(conn, ended, tmp_path / name, now) for name in ("a", "b")]

    assert [path.read_bytes() for path in written[0]] == [path.read_bytes() for path in written[1]]
    assert {".sta", ".xml"} == {path.suffix for path in written[0]}
    conn.close()


def pull(caller, **more):
    """All pages, as a client asks for them."""
    pages, since = [], "2026-03-05T00:00:00+07:00"
    while True:
        asked = {"accountNo": ACCOUNT, "fromDateTime": since, **more}
        page = caller.call("/bank-statement", asked).body
        pages.append(page)
        if page["hasMore"] == "N":
            return pages
        assert since < page["lastRecordDateTime"]
        since = page["lastRecordDateTime"]


def check(page):
    """Every page adds up, and its rows chain."""
    rows = page["detailData"]
    balance = page["balance"][0]
    running = balance["startingBalance"]["value"]
    for row in rows:
        assert running == row["detailBalance"]["startAmount"][0]["amount"]["value"]
        running = row["detailBalance"]["endAmount"][0]["amount"]["value"]
    assert running == balance["endingBalance"]["value"]
    for name, kind in (("totalCreditEntries", "CREDIT"), ("totalDebitEntries", "DEBIT")):
        assert str(sum(row["type"] == kind for row in rows)) == page[name]["numberOfEntries"]


@pytest.mark.parametrize("repeats", [False, True])
def test_pages_hold_every_line_and_repeat_what_overlaps(directory, repeats):
    """Five rows a page at least; told apart by their ids, the pages hold each line once."""
    script = f"[probability]\npaging_repeats = {float(repeats)}"
    with Served(directory, script=script) as served:
        caller = served.caller()
        for n in range(14):
            pay(caller, f"PAGE-{n}", amount=f"{n + 1}.00")
            if n % 4 == 3:
                time.sleep(1.05)
        pages = pull(caller)
        report = served.report()

    for page in pages:
        check(page)
    rows = [row for page in pages for row in page["detailData"]]
    once = {row["transactionId"]: row["amount"]["value"] for row in rows}
    assert 1 < len(pages)
    assert [sen_text((n + 1) * 100) for n in range(14)] == list(once.values())
    assert len(rows) > 14
    assert repeats == ("paging_repeats" in report["faults"])


def test_statement_of_an_hour_without_lines_is_empty_and_adds_up(caller):
    """No lines: starting and ending balance are what stood before."""
    pay(caller, "QUIET")
    asked = {"accountNo": ACCOUNT, "fromDateTime": "2026-03-01T00:00:00+07:00"}

    before = caller.call("/bank-statement", {**asked, "toDateTime": "2026-03-02T00:00:00+07:00"})
    opening = caller.call("/bank-statement", {**asked, "toDateTime": "2026-03-05T00:00:00+07:00"})
    other = caller.call("/bank-statement", {"accountNo": "2000000001"})

    assert ("2001400", [], "N") == (before.code, before.body["detailData"], before.body["hasMore"])
    assert "0.00" == before.body["balance"][0]["endingBalance"]["value"]
    assert "1000000000.00" == opening.body["balance"][0]["endingBalance"]["value"]
    assert "4041411" == other.code
