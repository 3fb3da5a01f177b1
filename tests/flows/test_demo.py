"""`rkud demo`: the whole way in a directory of its own, and what it refuses."""

import datetime as d
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from api.data_dir import DATABASE
from api.demo.book import Places, business_days, clock_offset, hold
from api.demo.data import load_demo_data, withheld
from api.demo.day import check_to_sign
from api.demo.errors import (
    DemoMismatchError,
    DemoRunningError,
    NotADemoBookError,
    ServerStoppedError,
    TooLargeADemoError,
)
from api.demo.evening import Evening, findings_of
from api.demo.report import Report, rupiah
from api.demo.run import ORDERS_MAX, Options, run_demo
from api.demo.server import DemoServer, shifted_clock
from api.opening import make_book
from api.settings import Settings
from ledger.chart import load_chart
from ledger.money import parse_sen
from ledger.opening import NewBook

JAKARTA = d.timezone(d.timedelta(hours=7))


def run(data_dir, *arguments):
    """`rkud demo` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", "from api.cli import main; main()", "demo", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "RKUD_DATA_DIR": str(data_dir)},
        timeout=280,
        check=False,
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Two small days, run once: the directory and what was printed."""
    data_dir = tmp_path_factory.mktemp("demo") / "book"
    ended = run(data_dir, "--sp2d", "8", "--days", "2", "--seed", "5", "--exit")
    assert 0 == ended.returncode, ended.stdout + ended.stderr
    return data_dir, ended.stdout


@pytest.fixture
def a_book():
    """Opens a book that no demo made."""

    def make(data_dir):
        make_book(
            Settings(data_dir=data_dir),
            NewBook("36", "Banten", "137:0000000000", "RKUD", "on_issue", [2026], "rkud/36"),
        )

    return make


def test_demo_of_two_days_proves_each_day_to_the_sen(demo):
    """Bank and books come out even on both days, each fault has its line, nothing is WRONG."""
    _, printed = demo

    assert ["0,00", "0,00"] == re.findall(r"C  SELISIH \(difference\) +(\S+)", printed)
    for name, times in (
        ("Debit ganda", 2),
        ("Koreksi bank", 0),
        ("Kredit tak dikenal", 2),
        ("Jasa giro", 2),
        ("Biaya bank", 2),
        ("SP2D belum cair", 2),
        ("Tolakan bank", 2),
        ("Retur", 2),
    ):
        assert times == len(re.findall(rf"^  {name} +(?:P26|P[0-9]|137)", printed, re.M)), name
    assert 1 == printed.count("1 double debit corrected;")
    assert "WRONG" not in printed
    assert "nothing is wrong with what was checked" in printed


def test_demo_after_editing_a_copy_names_the_journal_twice(demo):
    """fsck and the offline verifier each name the journal that was edited."""
    _, printed = demo

    journal = re.search(r"edited +journal (\d+), line", printed)[1]
    assert re.search(rf"rkud fsck +line \d+ of journal {journal} ", printed)
    assert re.search(rf"verify +journal {journal}: ", printed)


def test_demo_output_fits_a_terminal(demo):
    """No line is wider than 80 columns."""
    _, printed = demo

    assert [] == [line for line in printed.splitlines() if len(line) > 80]


def test_demo_leaves_its_own_book_untouched_by_the_attack(demo):
    """The amount was edited in the copy alone."""
    data_dir, printed = demo
    journal, n = re.search(r"edited +journal (\d+), line (\d+)", printed).groups()
    amounts = []
    for path in (data_dir / DATABASE, Places(data_dir).tampered / DATABASE):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            query = "SELECT amount_sen FROM journal_line WHERE journal_id = ? AND n = ?"
            amounts.append(database.execute(query, (journal, n)).fetchone()[0])

    assert 1_000_000_000 == amounts[0] - amounts[1]


def test_demo_bank_never_saw_more_than_its_files(demo):
    """The bank's books name payees by the list alone, and add up to zero."""
    data_dir, _ = demo
    kept = (Places(data_dir).bank / "books.json").read_text()

    assert "budget_line" not in kept
    assert 2 == len(list(Places(data_dir).desk.glob("statement-*.sta")))


def test_demo_of_a_demo_book_starts_afresh_and_says_so(demo):
    """A marked book is removed, whatever came of it."""
    data_dir, _ = demo

    with hold(data_dir) as again:
        left = sorted(path.name for path in data_dir.iterdir())

    assert again
    assert ["demo.lock"] == left


def test_demo_in_the_directory_of_a_real_book_refuses_and_touches_nothing(tmp_path, a_book):
    """A book that is not marked is safe from the demo."""
    data_dir = tmp_path / "book"
    a_book(data_dir)
    before = (data_dir / DATABASE).read_bytes()

    ended = run(data_dir, "--exit")

    assert 2 == ended.returncode
    assert "not_a_demo_book" in ended.stderr
    assert str(data_dir) in ended.stderr
    assert before == (data_dir / DATABASE).read_bytes()


@pytest.mark.parametrize("name", ["notes.txt", "rkud.db", "keys"])
def test_demo_in_a_directory_with_anything_else_refuses(tmp_path, name):
    """Files of no demo, an unreadable database, keys that may be all that is left of a book."""
    data_dir = tmp_path / "book"
    data_dir.mkdir(mode=0o700)
    if name == "keys":
        (data_dir / name).mkdir(mode=0o700)
    else:
        (data_dir / name).write_text("something")
        (data_dir / name).chmod(0o600)

    with pytest.raises(NotADemoBookError), hold(data_dir):
        pass

    assert (data_dir / name).exists()


def test_demo_while_another_works_refuses(tmp_path):
    """One at a time in a directory."""
    data_dir = tmp_path / "book"

    with hold(data_dir), pytest.raises(DemoRunningError), hold(data_dir):
        pass


def test_demo_of_more_orders_than_the_budget_has_room_for_is_refused():
    """Said before anything is done."""
    with pytest.raises(TooLargeADemoError):
        run_demo(Options(sp2d=ORDERS_MAX, days=2), Report())


def test_demo_server_on_a_real_book_refuses(tmp_path, a_book):
    """A clock that is set by hand is for demo books alone."""
    data_dir = tmp_path / "book"
    a_book(data_dir)
    ended = subprocess.run(
        [sys.executable, "-m", "api.demo.server", "-86400", "0"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "RKUD_DATA_DIR": str(data_dir)},
        timeout=60,
        check=False,
    )

    assert 0 != ended.returncode
    assert "not a demo's" in ended.stderr


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-20T15:00", ["2026-11-19", "2026-11-20"]),  # Friday afternoon
        ("2026-11-20T08:30", ["2026-11-18", "2026-11-19"]),  # the office has opened just now
        ("2026-11-20T09:00", ["2026-11-19", "2026-11-20"]),
        ("2026-11-21T12:00", ["2026-11-19", "2026-11-20"]),  # Saturday
        ("2026-11-23T03:00", ["2026-11-19", "2026-11-20"]),  # before the office opens on Monday
        ("2026-11-23T18:00", ["2026-11-20", "2026-11-23"]),
    ],
)
def test_business_days_at_any_hour_lie_behind_the_clock(now, expected):
    """The last day has begun an hour ago at least, so nothing is dated after today."""
    instant = d.datetime.fromisoformat(now).replace(tzinfo=JAKARTA)

    days = business_days(instant, "Asia/Jakarta", 2)

    assert expected == [day.isoformat() for day in days]
    assert clock_offset(days[-1], instant, "Asia/Jakarta") <= d.timedelta(hours=-1)


def test_orders_with_one_seed_are_the_same_and_within_room():
    """Data is invented once: nothing of it depends on the run."""
    data = load_demo_data()
    rooms = [{row.id: row.released_sen for row in data.budget()} for _ in range(2)]

    one, other = (data.orders("2026-11-20", 3_000, seed=3, room=room) for room in rooms)

    assert one == other
    assert min(rooms[0].values()) >= 0
    assert [200] == [order.payees for order in one if order.payees > 1]
    assert 3_000 == len({order.body["number"] for order in one})


def test_orders_name_accounts_of_the_chart_and_add_up():
    """Lines, withholdings and payees of every order fit, to the sen; accounts are of level 6."""
    data = load_demo_data()
    chart = load_chart()
    room = {row.id: row.released_sen for row in data.budget()}
    lines = {row.id: row for row in data.budget()}

    for order in data.orders("2026-11-20", 200, seed=1, room=room):
        body = order.body
        deducted = sum(parse_sen(each["amount"]) for each in body["deductions"])
        assert order.gross_sen - deducted == order.net_sen
        assert order.gross_sen == sum(parse_sen(each["gross"]) for each in body["payees"])
        assert deducted == sum(parse_sen(each["deduction"]) for each in body["payees"])
        for line in body["lines"]:
            assert body["skpd"] == lines[line["budget_line"]].skpd
            assert 6 == chart[line["expense_account"]].level
            assert 6 == chart[lines[line["budget_line"]].account].level
    for receipt in data.receipts("2026-11-20", 20, seed=1):
        (line,) = receipt.body["lines"]
        assert 6 == chart[line["lo_account"]].level == chart[line["lra_account"]].level


@pytest.mark.parametrize(
    ("gross", "names", "expected"),
    [
        ("11100000.00", ("ppn", "pph22"), {"ppn": "1100000.00", "pph22": "150000.00"}),
        ("11100000.00", ("ppn", "pph23"), {"ppn": "1100000.00", "pph23": "200000.00"}),
        ("3333333.00", ("pph21_honorarium",), {"pph21_honorarium": "166666.00"}),
    ],
)
def test_withheld_by_name_rounds_down_to_rupiah(gross, names, expected):
    """11% of the base inside the price; 1.5%, 2% and 5% of the base."""
    taken = withheld(parse_sen(gross), names)

    assert {name: parse_sen(text) for name, text in expected.items()} == taken


@pytest.mark.parametrize("member", ["amount", "line_totals", "payees"])
def test_officer_shown_other_figures_than_the_papers_signs_nothing(member):
    """What a server shows is held against the order itself."""
    data = load_demo_data()
    room = {row.id: row.released_sen for row in data.budget()}
    (order, *_) = data.orders("2026-11-20", 4, seed=1, room=room)
    shown = {
        "amount": order.body["payees"][0]["gross"],
        "line_totals": order.line_totals,
        "payees": ["0" * 64],
    }
    shown["amount"] = f"{order.net_sen // 100}.00"
    check_to_sign(shown, order)
    shown[member] = {"amount": "1.00", "line_totals": {}, "payees": []}[member]

    with pytest.raises(DemoMismatchError):
        check_to_sign(shown, order)


def item(side, amount, reason, key, number=1):
    return {
        "side": side,
        "item": number,
        "day": "2026-11-20",
        "amount": amount,
        "reason": reason,
        "reference": "1370000000001",
        "key": key,
    }


@pytest.mark.parametrize(
    ("items", "name", "sen"),
    [
        (
            [
                item("bank", "-5.00", "ambiguous", "pay:P26-00000001"),
                item("bank", "-5.00", "ambiguous", "pay:P26-00000001", 2),
                item("book", "-5.00", "ambiguous", "pay:P26-00000001", 3),
            ],
            "twin",
            -500,
        ),
        (
            [
                item("bank", "-5.00", "ambiguous", "pay:P26-00000001"),
                item("bank", "5.00", "returned_payment", "pay:P26-00000001", 2),
            ],
            "correction",
            0,
        ),
        ([item("bank", "-7.00", "bank_charge", "")], "bank_charge", -700),
        ([item("book", "-9.00", "outstanding_payment", "pay:P26-2")], "outstanding_payment", -900),
    ],
    ids=["twin", "correction", "fee", "outstanding"],
)
def test_open_items_of_one_payment_are_told_as_one_story(items, name, sen):
    """Items with one reference belong together; lines without one stand alone."""
    evening = Evening({}, 0, [], [], {}, {"items": items}, {})

    (finding,) = findings_of(evening)

    assert (name, sen) == (finding.name, finding.amount_sen)


def test_rupiah_is_printed_as_documents_do():
    """Dots for thousands, a comma for sen."""
    assert "-33.492.480,05" == rupiah("-33492480.05")


def test_server_of_a_parent_that_was_killed_ends_too(tmp_path):
    """Nobody is left serving the book of a demo that is gone."""
    data_dir = tmp_path / "book"
    code = (
        "import os, sys, time; os.umask(0o077)\n"
        "from datetime import UTC, datetime, timedelta\n"
        "from pathlib import Path\n"
        "from api.demo.book import *\n"
        "from api.demo.data import load_demo_data\n"
        "from api.demo.server import DemoServer\n"
        "data, settings = load_demo_data(), demo_settings()\n"
        "with hold(settings.data_dir):\n"
        "    places = Places(settings.data_dir); places.make()\n"
        "    days = business_days(datetime.now(UTC), data.zone, 2)\n"
        "    open_demo_book(settings, data, days=days[1:], opened_on=days[0])\n"
        "    server = DemoServer(settings.data_dir, places.log, offset=timedelta(days=-1))\n"
        "    print(server.url, flush=True); time.sleep(200)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "RKUD_DATA_DIR": str(data_dir)},
    )
    url = parent.stdout.readline().strip()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()

    assert url.startswith("http://127.0.0.1:")
    deadline = time.monotonic() + 40
    while _answers(int(url.rpartition(":")[2])) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _answers(int(url.rpartition(":")[2]))


def _answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def test_shifted_clock_goes_on_with_the_machines():
    """The same seconds, another day."""
    before = d.datetime.now(d.UTC)
    shifted = shifted_clock(d.timedelta(days=-2))()

    assert d.timedelta(0) <= shifted + d.timedelta(days=2) - before < d.timedelta(seconds=5)


def test_server_that_can_not_start_is_told_with_its_log(tmp_path):
    """A directory without a book: the child says why in its log, the parent names the file."""
    log = tmp_path / "server.log"
    with pytest.raises(ServerStoppedError, match=re.escape(str(log))):
        DemoServer(tmp_path / "nothing", log, offset=d.timedelta())

    assert "DataDirMissingError" in Path(log).read_text()
