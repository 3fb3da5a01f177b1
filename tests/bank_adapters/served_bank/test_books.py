"""Whatever happens in whatever order, the bank's balances are zero-sum and its orders paid once."""

from datetime import date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bank_adapters.simulator import books
from bank_adapters.simulator.closing import end_days
from bank_adapters.simulator.desk import Desk
from bank_adapters.simulator.execution import do_due
from bank_adapters.simulator.faults import FAULT_MEANINGS, Fate, Script
from bank_adapters.simulator.orders import take_in
from bank_adapters.simulator.report import report
from bank_adapters.simulator.snap_bodies import SERVICES, order_of
from bank_adapters.simulator.store import connect
from ledger.money import sen_text
from tests.bank_adapters.served_bank.caller import ACCOUNT, WIB, transfer
from tests.bank_adapters.served_bank.caller import SERVICES as PATHS

OPENING = 1_000_000_000_00
START = datetime(2026, 3, 5, 8, tzinfo=WIB)

calls = st.tuples(
    st.just("call"),
    st.integers(0, 7),
    st.sampled_from(sorted(PATHS)),
    st.sampled_from(["1.00", "150000000.00", "240000000.00", "600000000.00"]),
)
steps = st.lists(
    st.one_of(calls, st.tuples(st.just("wait"), st.integers(0, 900)), st.just(("end",))),
    max_size=40,
)
fates = st.lists(
    st.builds(
        Fate,
        st.sampled_from(
            ["", *(n for n in FAULT_MEANINGS if n.startswith(("timeout", "prog", "brok", "rej")))]
        ),
        st.sets(st.sampled_from(["returned", "twin", "bank_error", "callback_duplicate"])).map(
            frozenset
        ),
    ),
    min_size=8,
    max_size=8,
)


def opened():
    conn = connect(":memory:")
    books.put(conn, "bank_code", "137")
    books.put(conn, "closed_day", "2026-03-04")
    for inner in books.INNER:
        books.add_account(conn, "137", inner, inner, "inner")
    books.add_account(conn, "137", ACCOUNT, "RKUD", "customer")
    books.add_account(conn, "137", "2000000001", "CV Maju", "payee")
    books.add_account(conn, "002", "3000000001", "PT Jaya", "outside")
    when = books.Moment(date(2026, 3, 4), datetime(2026, 3, 4, 23, tzinfo=WIB))
    books.book(conn, when, "vault", ACCOUNT, OPENING, reason="opening", remark="SALDO AWAL")
    conn.execute(
        "INSERT INTO statement VALUES (?, 0, '2026-03-04', '2026-03-04', 0, ?)", (ACCOUNT, OPENING)
    )
    return conn


def checked(conn):
    """The books as they must be after every step."""
    found = report(conn)
    assert found["zero_sum"]
    assert found["balances_agree"]
    lines = conn.execute("SELECT * FROM line WHERE account = ? ORDER BY id", (ACCOUNT,)).fetchall()
    running = 0
    for before, line in zip([None, *lines], lines, strict=False):
        running += line["sen"]
        assert running == line["after_sen"] >= 0
        assert before is None or before["at"] <= line["at"]
    row = conn.execute("SELECT * FROM account WHERE number = ?", (ACCOUNT,)).fetchone()
    assert running == row["balance_sen"] >= row["held_sen"]
    pending = conn.execute(
        "SELECT coalesce(sum(sen), 0) FROM transfer WHERE status = 'pending'"
    ).fetchone()[0]
    assert pending == row["held_sen"]
    for order in found["orders"].values():
        assert order["executions"] == (order["status"] in ("done", "returned"))
        assert order["returned"] == (order["status"] == "returned")
        assert order["corrected"] <= order["twins"] <= order["executions"]
    return found


@settings(max_examples=60, deadline=None)
@given(steps, fates)
def test_balances_are_zero_sum_under_any_sequence(sequence, given_fates):
    """Calls, repeats, waiting and ends of days in any order, with any faults."""
    exact = {f"R-{n}": fate for n, fate in enumerate(given_fates)}
    desk = Desk(
        "137",
        frozenset({"137", "002"}),
        script=Script(delay_ms=500, exact=exact),
        today=START.date(),
        callbacks=True,
    )
    conn = opened()
    now = START
    for number, step in enumerate(sequence):
        now += timedelta(milliseconds=1)
        match step:
            case ("call", n, service, amount):
                body = transfer(f"R-{n}", service, amount=amount)
                order = order_of(SERVICES[PATHS[service]], body, str(number))
                take_in(conn, desk, order, now)
            case ("wait", milliseconds):
                now += timedelta(milliseconds=milliseconds)
                do_due(conn, desk, now)
            case ("end",):
                end_days(conn, None, now, START.date())
        checked(conn)
    while do_due(conn, desk, now := now + timedelta(seconds=10)):
        pass
    end_days(conn, None, now, START.date())

    found = checked(conn)
    assert 0 == found["waiting"]
    assert all(order["status"] not in ("late", "pending") for order in found["orders"].values())
    assert all(order["corrected"] == order["twins"] for order in found["orders"].values())
    last = found["statements"][-1]["closing"]
    mistakes = conn.execute(
        "SELECT coalesce(sum(sen), 0) FROM booking WHERE reason = 'correction' AND day > ?",
        (found["statements"][-1]["day"],),
    ).fetchone()[0]
    balance = conn.execute(
        "SELECT balance_sen FROM account WHERE number = ?", (ACCOUNT,)
    ).fetchone()[0]
    assert sen_text(balance - mistakes) == last
    conn.close()
