"""No reader of tables returns lines that disagree with the balances beside them, and says nothing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bank_adapters import BankAdapterError, Statement, read_statement_file
from tests.bank_adapters.helpers import FIXTURES, codes, fixture

NAMES = sorted(path.name for path in FIXTURES.glob("csv-*.csv"))
FINDINGS = {
    *("balance_chain_broken", "opening_differs", "closing_differs", "totals_differ"),
    "does_not_add_up",
}


def disagrees(statement: Statement) -> bool:
    """Whether balances and lines contradict, by sums of our own."""
    if statement.opening is None or statement.closing is None:
        return False
    running = statement.opening.units
    for line in statement.lines:
        if line.status != "booked":
            continue
        running += line.amount_units
        if line.balance_after_units not in {None, running}:
            return True
    return running != statement.closing.units


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(NAMES), st.data())
def test_digit_that_is_changed_anywhere_is_refused_or_said_where_balances_speak(
    name: str, data: st.DataObject
) -> None:
    """One to three digits of any file: what is returned without a finding adds up row by row."""
    content = bytearray(fixture(name))
    digits = [place for place, byte in enumerate(content) if chr(byte).isdigit()]
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.sampled_from(digits))] = ord(data.draw(st.sampled_from("0123456789")))
    try:
        file = read_statement_file(bytes(content))
    except BankAdapterError:
        return
    found = FINDINGS & set(codes(file))

    for statement in file.statements:
        assert disagrees(statement) <= bool(found)
        assert disagrees(statement) <= (statement.adds_up is False)
    assert bool(found) == any(statement.adds_up is False for statement in file.statements)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(NAMES), st.data())
def test_row_that_is_taken_out_is_missed_where_balances_speak(
    name: str, data: st.DataObject
) -> None:
    """A lost row between two others breaks the chain, whichever bank wrote it."""
    lines = fixture(name).split(b"\n")
    whole = read_statement_file(fixture(name))
    rows = [line for line in whole.statements[0].lines if line.status == "booked"]
    if len(whole.statements) > 1 or len(rows) < 3 or "\n" in rows[1].raw:
        return
    del lines[rows[1].position - 1]
    file = read_statement_file(b"\n".join(lines))

    assert FINDINGS & set(codes(file))
    assert False is file.statements[0].adds_up
