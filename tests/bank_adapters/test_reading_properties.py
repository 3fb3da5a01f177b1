"""What holds for any bytes: a value or a named refusal, and never a lost entry."""

import csv
import datetime as d
import io
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bank_adapters import BankAdapterError, StatementFile, read_statement_file
from ledger.money import sen_text
from tests.bank_adapters.camt_messages import camt, statement
from tests.bank_adapters.helpers import FIXTURES

SEEDS = sorted(FIXTURES.iterdir())
PIECES = st.sampled_from(
    [
        *(b":", b"-", b"\r", b"\n", b",", b".", b";", b'"', b"\x00", b"\x1a", b"\xff", b"9" * 400),
        *(b":61:", b":86:", b":20:", b":28C:1/2\n", b":62F:", b":62M:", b":60M:", b"{1:", b"-}\n"),
        *(b"000000", b"NONREF", b"//", b"IDR", b"USD", b"RC", b"?20", b"/EREF/", b"Saldo Awal;"),
        *(b"<Ntry>", b"</Ntry>", b"<Amt>", b"</", b"&amp;", b"<!DOCTYPE a>", b"<![CDATA[", b"CRDT"),
    ]
)


@st.composite
def mutated_files(draw):
    path = draw(st.sampled_from(SEEDS))
    data = bytearray(path.read_bytes())
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 30)))
        data[start:end] = draw(PIECES | st.binary(max_size=4))
    return path.name, bytes(data)


@settings(max_examples=400, deadline=None)
@given(mutated_files())
def test_file_damaged_anyhow_is_read_or_refused_by_name(mutated):
    """Damage of any kind gives a StatementFile that prints, or a BankAdapterError."""
    name, data = mutated
    format_name = next((each for each in ("mt940", "camt") if name.startswith(each)), None)
    for options in ({}, {"format": format_name}):
        try:
            file = read_statement_file(data, **options)
        except BankAdapterError as refused:
            assert refused.message
            continue
        assert isinstance(file, StatementFile)
        assert len(data) >= len(file.statements)
        file.to_json()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["mt940", "camt", "csv", None]))
def test_bytes_of_any_kind_are_read_or_refused_by_name(data, format_name):
    """Arbitrary bytes never give anything but a value or a named refusal."""
    try:
        read_statement_file(data, format=format_name)
    except BankAdapterError as refused:
        assert refused.code != "bank_adapter"


ROWS = st.lists(
    st.tuples(
        st.dates(d.date(2020, 1, 1), d.date(2030, 12, 31)),
        st.text(
            st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")),
            min_size=1,
        ),
        st.integers(-(10**17), 10**17).filter(bool),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=120, deadline=None)
@given(ROWS, st.integers(-(10**17), 10**17), st.booleans())
def test_table_written_and_read_is_the_same(rows, opening, newest_first):
    """Any texts and amounts come back in the order of the balances, and add up."""
    rows = sorted(rows, key=lambda row: row[0])
    records, balance = [], opening
    for day, text, amount in rows:
        balance += amount
        money = [indonesian(abs(amount)), ""] if amount < 0 else ["", indonesian(amount)]
        records.append([day.strftime("%d-%m-%Y"), text, *money, indonesian(balance)])
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow(["Tanggal", "Uraian", "Debet", "Kredit", "Saldo"])
    writer.writerows(records[::-1] if newest_first else records)
    data = out.getvalue().encode()

    (statement,) = read_statement_file(data, profile="generic-bpd", account="1").statements

    assert statement.adds_up is True
    assert (opening, balance) == (statement.opening.units, statement.closing.units)
    expected = [(day, text.removeprefix("'"), amount) for day, text, amount in rows]
    assert expected == [
        (line.booked_on, line.narrative, line.amount_units) for line in statement.lines
    ]


def indonesian(sen: int) -> str:
    """`-1.234.567,89`, written by other code than the one under test."""
    text = sen_text(abs(sen)).replace(".", ",")
    whole, fraction = text.split(",")
    grouped = f"{int(whole):,}".replace(",", ".")
    return f"{'-' if sen < 0 else ''}{grouped},{fraction}"


HEAD = b":20:X\n:25:1\n:28C:1/1\n:60F:C260208IDR100,00\n"
COLUMNS = b"Tanggal;Uraian;Debet;Kredit;Saldo\n"
ENTRY = "<Amt Ccy='IDR'>1</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts>"
CUT = ":61:2602090209C1,00NTRFA\n:86:x\n"
#: What is said again and again, until the file is large.
REPEATING = {
    "blanks in a balance": ("mt940", lambda n: b":20:X\n:60F:C260208" + b" " * n + b"\n"),
    "headers in a line": ("mt940", lambda n: b"{1:F01AAAAAAAA" * (n // 6) + b"\n" + HEAD),
    "headers without end": ("mt940", lambda n: HEAD + b":25:1\n" * (n // 6)),
    "look-alikes": ("mt940", lambda n: HEAD + CUT.encode() + b":20:\n:21:\n:25:\n" * (n // 15)),
    "subfields": ("mt940", lambda n: HEAD + CUT.encode().replace(b"x", b"020?20?" * (n // 7))),
    "digits": ("mt940", lambda n: HEAD + b":61:2602090209C" + b"1" * n + b",00NTRFA\n"),
    "remarks": (
        "camt",
        lambda n: camt(
            statement(
                f"<Ntry>{ENTRY}<NtryDtls><TxDtls><RmtInf><Strd>"
                + "".join(f"<AddtlRmtInf>{k:x}</AddtlRmtInf>" for k in range(n // 2))
                + "</Strd></RmtInf></TxDtls></NtryDtls></Ntry>"
            )
        ),
    ),
    "batches without an end": (
        "camt",
        lambda n: camt(
            statement(
                f"<Ntry>{ENTRY}</Ntry><Ntry>{ENTRY}<NtryDtls></TxDtls></TxDtls>"
                f"{'<TxDtls>' * (n // 8)}</Ntry>"
            )
        ),
    ),
    "entries in comments": (
        "camt",
        lambda n: camt(
            statement(f"<Ntry>{ENTRY}</Ntry>", f"<!-- {'<Ntry></Ntry>' * (n // 26)} -->" * 2)
        ),
    ),
    "entries elsewhere": (
        "camt",
        lambda n: camt(
            statement(f"<Ntry>{ENTRY}</Ntry><Xtra>{'<Ntry></Ntry>' * (n // 13)}</Xtra>")
        ),
    ),
    "balances": ("camt", lambda n: camt(statement("<Bal/>" * (n // 6)))),
    "statements": ("camt", lambda n: camt("<Stmt/>" * (n // 7))),
    "cells": ("csv", lambda n: COLUMNS + b"01-03-2026;a;;1;1" + b";" * n),
    "quotes": ("csv", lambda n: COLUMNS + b'01-03-2026;"a\n";;1;1\n' * (n // 23)),
    "open quote": ("csv", lambda n: COLUMNS + b'01-03-2026;"' + b"a\n" * (n // 2)),
    "declarations": ("csv", lambda n: b"<?>" * (n // 3)),
}


@pytest.mark.parametrize("name", REPEATING)
def test_file_that_repeats_itself_takes_time_in_proportion(name):
    """Quadratic reading would take minutes here; the slowest of these takes a second."""
    format_name, make = REPEATING[name]
    data = make(120_000)
    start = time.process_time()
    try:
        read_statement_file(data, format=format_name, account="1")
    except BankAdapterError as refused:
        assert refused.code != "bank_adapter"

    assert time.process_time() - start < 5
