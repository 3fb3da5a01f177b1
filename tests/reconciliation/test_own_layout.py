"""A statement that a layout of the operator's own has read: kept with that layout, checked by it."""

from __future__ import annotations

import pytest

from bank_adapters.statements import Profile, parse_profile, profile_named
from reconciliation import check_reconciliation
from tests.databases import Database
from tests.reconciliation.books import GOVERNMENT, OPENING_SEN, Book, without_triggers

OWN = """
name = "bank-kota"
title = "A bank of our own"
bank = "137"
delimiter = ";"
[numbers]
decimal = ","
grouping = "."
[dates]
formats = ["%d.%m.%Y"]
[columns]
booked_on = ["Hari"]
narrative = ["Teks"]
amount = ["Rupiah"]
balance = ["Sisa"]
[sign]
rule = "signed"
"""


@pytest.fixture
def profile() -> Profile:
    """The layout."""
    return parse_profile(OWN)


def delivered() -> bytes:
    """Two rows from the opening of the book on."""
    sen = OPENING_SEN
    rows = []
    for day, text, units in (("11.11.2026", "SP2D A", -50_000), ("12.11.2026", "STS B", 70_000)):
        sen += units
        rows.append(f"{day};{text};{units // 100},00;{sen // 100},00\n")
    return ("Hari;Teks;Rupiah;Sisa\n" + "".join(rows)).encode()


def test_layout_of_ones_own_is_kept_whole_with_the_file(book: Book, profile: Profile) -> None:
    """Its text stands where a shipped layout has its name, in the log as well."""
    book.take(delivered(), profile=profile)

    assert [(OWN,)] == book.rows("SELECT profile FROM statement_file")
    assert [] == book.findings()


def test_layout_that_ships_is_kept_by_its_name(book: Book) -> None:
    """Given as a value or by name."""
    sen = OPENING_SEN + 100
    data = f"Tgl Trans,Uraian,Debet,Kredit,Saldo\n12/11/2026,X,,1.00,{sen // 100}.00\n".encode()
    book.take(data, profile=profile_named("bni-simple"))

    assert [("bni-simple",)] == book.rows("SELECT profile FROM statement_file")


def test_line_that_was_edited_is_named_by_the_kept_layout(
    book: Book, database: Database, profile: Profile
) -> None:
    """The check reads the bank's file again by the layout that stands beside it."""
    book.take(delivered(), profile=profile)
    with without_triggers(database, "bank_line") as conn:
        conn.exec_driver_sql("UPDATE bank_line SET amount_sen = 60000 WHERE amount_sen = 70000")
        found = [
            (each.table, each.column)
            for each in check_reconciliation(conn, GOVERNMENT)
            if each.severity == "error"
        ]

    assert ("bank_line", "amount_sen") in found
