"""A signed list as a bank's files: the same bytes always, no payment split, and refusals by name."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, date, datetime
from io import StringIO
from typing import Any

import pytest

from bank_adapters.payments.banks import bank_list
from bank_adapters.payments.errors import (
    InvalidPaymentSettingsError,
    NoRailError,
    SeveralFilesError,
    UnknownFileFormatError,
    UnwritablePaymentError,
)
from bank_adapters.payments.file_settings import (
    FileSettings,
    file_settings_for,
    parse_file_settings,
)
from bank_adapters.payments.list_files import (
    ListFile,
    ListOrder,
    ListPart,
    SignedList,
    chosen_part,
    message_name,
    parts_of,
    sent_of,
    write_parts,
)
from bank_adapters.payments.pain001 import write_pain001
from bank_adapters.payments.rail_table import rail_table
from ledger.money import Money

ACCOUNT = "137:0010012345678"
#: A Friday afternoon in Jakarta: SKN has closed, RTGS has not.
SIGNED_AT = datetime(2026, 3, 6, 8, 0, tzinfo=UTC)
FRIDAY, MONDAY = date(2026, 3, 6), date(2026, 3, 9)
PAIN001 = """
[[file]]
account = "137:0010012345678"
[file.pain001]
version = "09"
unit = "list"
initiating_party = "BPKAD Provinsi Contoh"
charge_bearer = "DEBT"
agents = "bank_code"
[file.pain001.debtor]
name = "RKUD Provinsi Contoh"
account = "0010012345678"
bic = "PDJTIDJ1"
[file.pain001.rails.intrabank]
[file.pain001.rails.bifast]
[file.pain001.rails.skn]
[file.pain001.rails.rtgs]
"""
CSV = """
[[file]]
account = "137:0010012345678"
rails = ["intrabank", "bifast", "skn", "rtgs"]
[file.template]
name = "generic-csv"
"""
LAYOUT = """
name = "bank-contoh"
title = "Bank Contoh"
evidence = "the bank's letter"
unit = "sp2d"
kind = "delimited"
file_name = "{setting.company}-{message_id}.csv"
settings = ["company"]
[[detail]]
field = "beneficiary_account"
[[detail]]
field = "amount"
[[detail]]
field = "reference_remark"
max = 33
"""


def settings(text: str = PAIN001, **layouts: str) -> FileSettings:
    """The one entry of a files.toml; *layouts* are the files beside it."""
    (found,) = parse_file_settings(text, lambda name: layouts[name.removesuffix(".toml")])
    return found


def order(n: int, amount: str = "1000000.00", **changes: Any) -> ListOrder:
    """The n-th payment, each two of one SP2D."""
    values: dict[str, Any] = {
        "reference": f"P26-{n:08d}",
        "amount": Money.parse(amount),
        "beneficiary_bank": "014",
        "beneficiary_account": f"00{n:08d}",
        "beneficiary_name": "PT Contoh Karya",
        "sp2d": f"sp2d-2026-{n // 2:08d}",
        "sp2d_number": f"36.00/04.0/{n // 2:06d}/LS/1.02.0.00.0.00.01.0000/P.01/3/2026",
    }
    return ListOrder(**(values | changes))


def signed(*orders: ListOrder, **changes: Any) -> SignedList:
    """A list of these."""
    values: dict[str, Any] = {
        "number": "DP/36/000007/2026",
        "serial": 7,
        "bank_account": ACCOUNT,
        "transfer_on": FRIDAY,
        "signed_at": SIGNED_AT,
        "file_sha256": "0123456789abcdef" * 4,
        "orders": orders,
    }
    return SignedList(**(values | changes))


def weekdays(day: date) -> bool:
    """No holidays."""
    return day.weekday() < 5


def parts(listed: SignedList, by: FileSettings) -> tuple[ListPart, ...]:
    """The files of a list by the product's rails and banks."""
    return parts_of(listed, by, bank_list(), rail_table(), weekdays)


def write(listed: SignedList, by: FileSettings) -> tuple[ListFile, ...]:
    """Their bytes."""
    return write_parts(listed, parts(listed, by), by, bank_list())


def test_file_is_dated_and_named_by_what_was_signed() -> None:
    """Nothing in it comes from the hour of writing; what it says of itself can be taken apart again."""
    listed = signed(order(1), order(2, beneficiary_bank="137"))

    (file,) = write(listed, settings())

    assert (file,) == write(listed, settings())
    assert "DP-36-000007-2026-01234567" == file.part.message_id
    assert f"{file.part.message_id}.xml" == file.name
    for text in (
        "<MsgId>DP-36-000007-2026-01234567</MsgId><CreDtTm>2026-03-06T15:00:00+07:00</CreDtTm>",
        "<PmtInfId>DP-36-000007-2026</PmtInfId>",
        "<ReqdExctnDt><Dt>2026-03-06</Dt></ReqdExctnDt>",
        "<Ustrd>36.00/04.0/000001/LS/1.02.0.00.0.00.01.0000/P.01/3/2026</Ustrd>",
    ):
        assert text in file.data.decode()
    name = message_name(file.part.message_id)
    assert name is not None
    assert name.is_of(listed)
    assert not name.is_of(signed(file_sha256="f" * 64))
    assert ("DP/36/000007/2026", 1) == (name.number, name.part)


def test_what_was_sent_is_known_without_names_and_accounts() -> None:
    """An answer can be read after the payees' texts were erased."""
    listed = signed(order(1), order(2))
    blind = signed(*(order(n, beneficiary_account="", beneficiary_name="") for n in (1, 2)))
    for unit in ("list", "sp2d", "payment"):
        by = settings(PAIN001.replace('unit = "list"', f'unit = "{unit}"'))
        (part,) = parts(listed, by)
        assert by.pain001 is not None
        _, sent = write_pain001(
            part.orders,
            by.pain001,
            bank_list(),
            message_id=part.message_id,
            payment_id=part.payment_id,
            created_at=SIGNED_AT,
            sp2d_of=part.sp2d_of,
        )
        assert sent == sent_of(parts(blind, by)[0], by)


def test_rails_that_open_on_another_day_are_a_file_of_their_own() -> None:
    """One debit has one day: SKN has closed, so that payment waits for Monday in a second file."""
    listed = signed(order(1), order(2, "500000000.00", beneficiary_bank="451"), order(3))
    skn = settings(PAIN001.replace("[file.pain001.rails.rtgs]\n", ""))
    by_payment = settings(PAIN001.replace('unit = "list"', 'unit = "payment"'))

    first, second = write(listed, skn)

    assert [("bifast", FRIDAY), ("bifast", FRIDAY)] == [
        (each.rail, each.transfer_on) for each in first.part.orders
    ]
    assert [("P26-00000002", "skn", MONDAY)] == [
        (each.reference, each.rail, each.transfer_on) for each in second.part.orders
    ]
    assert ["DP-36-000007-2026-01234567-1", "DP-36-000007-2026-01234567-2"] == [
        first.part.message_id,
        second.part.message_id,
    ]
    assert ["DP-36-000007-2026-2"] == [each.reference for each in second.part.debits]
    assert ["rtgs"] == [e.rail for e in parts(listed, settings())[0].orders if e.rail != "bifast"]
    assert 1 == len(parts(listed, by_payment))
    assert second.part == chosen_part(listed, [first.part, second.part], 2)
    for part in (0, 3):
        with pytest.raises(SeveralFilesError, match="parts 1 to 2"):
            chosen_part(listed, [first.part, second.part], part)


def test_rails_are_files_of_their_own_where_the_bank_wants_them_so() -> None:
    """`per_rail`: two rails on one day are two files, and every payment is in one of them."""
    listed = signed(order(1), order(2, beneficiary_bank="137"), order(3))

    found = parts(
        listed, settings(PAIN001.replace("[file.pain001]", "per_rail = true\n[file.pain001]"))
    )

    assert [["bifast", "bifast"], ["intrabank"]] == [
        [order.rail for order in part.orders] for part in found
    ]


def test_payment_that_no_rail_carries_is_named_with_its_bank_and_the_rule() -> None:
    """It isn't split, and nothing of the list is written."""
    listed = signed(order(1), order(2, "300000000.00"))
    by = settings(PAIN001.replace("[file.pain001.rails.skn]\n[file.pain001.rails.rtgs]\n", ""))

    with pytest.raises(NoRailError) as refused:
        parts(listed, by)

    assert str(refused.value) == (
        "order 'P26-00000002' to bank 014: no rail takes 300000000.00:"
        " intrabank: the payee's bank 014 is not 137; bifast: above its most, 250000000.00"
    )


def test_text_that_the_bank_s_characters_do_not_hold_is_named() -> None:
    """The order, the field and the sign."""
    with pytest.raises(UnwritablePaymentError, match=r"P26-00000001.*beneficiary_name.*U\+00E9"):
        write(signed(order(1, beneficiary_name="José")), settings())


def test_cells_that_a_spreadsheet_would_run_are_made_inert() -> None:
    """A payee's name that begins as a formula gets an apostrophe in the CSV."""
    evil = '=HYPERLINK("http://x","y")'
    (file,) = write(signed(order(1, beneficiary_name=evil)), settings(CSV))

    rows = list(csv.DictReader(StringIO(file.data.decode())))
    assert f"'{evil}" == rows[0]["name"]
    # The printed number has no room in this column; the register number has.
    assert "sp2d-2026-00000000" == rows[0]["remark"]


def test_operator_s_layout_of_unit_sp2d_is_a_file_for_each_sp2d() -> None:
    """A debit that recurs under the same SP2D in another list has another reference."""
    text = (
        CSV.replace('name = "generic-csv"', 'file = "own.toml"')
        + '[file.template.settings]\ncompany = "PEMPROV"\n'
    )
    by = settings(text, own=LAYOUT)

    files = write(signed(order(1), order(2), order(3)), by)

    assert [
        ("PEMPROV-DP-36-000007-2026-01234567-1.csv", 1, "sp2d-2026-00000000-000007-1"),
        ("PEMPROV-DP-36-000007-2026-01234567-2.csv", 2, "sp2d-2026-00000001-000007-2"),
    ] == [(each.name, len(each.part.orders), each.part.debits[0].reference) for each in files]
    assert files[0].data.decode().endswith("1000000.00,P26-00000001 sp2d-2026-00000000\r\n")
    twins = settings(text, own=LAYOUT.replace("-{message_id}", ""))
    with pytest.raises(UnwritablePaymentError, match="several files of the list"):
        write(signed(order(1), order(2)), twins)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "DP-36-000007-2026",
        "DP-36-000007-2026-0123456G",
        "DP-36-7-2026-01234567",
        "DP/36/000007",
    ],
)
def test_message_that_is_none_of_ours_has_no_name(message: str) -> None:
    """Whatever a bank writes there."""
    assert message_name(message) is None


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda t: t.replace("137:0010012345678", "0010012345678"), "is not BANKCODE:NO"),
        (lambda t: t.replace('"0010012345678"', '"0010012345679"'), "this file pays from"),
        (lambda t: t + t, "stands twice"),
        (lambda t: t.replace("[file.pain001]", 'rails = ["skn"]\n[file.pain001]'), "for templates"),
        (lambda t: t.replace("[file.pain001.debtor]", "[file.pain001.creditor]"), "not a key"),
        (lambda t: t + "[file.template]\nname = 'generic-csv'\n", "stands instead of template"),
        (lambda _: CSV.replace("generic-csv", "none"), "no template is named"),
        (lambda _: CSV.replace("generic-csv", "mandiri-mcm"), "a layout of bank 008"),
        (lambda _: CSV.replace('name = "generic-csv"', 'file = "../a.toml"'), "beside this one"),
        (lambda _: CSV.replace('"skn", ', '"skn", "skn", '), "must be some of"),
        (lambda _: CSV + "[file.template.settings]\na = 'b'\n", "asks for: none"),
        (lambda _: CSV.replace("137:", "008:").replace("generic-csv", "mandiri-mcm"), ""),
    ],
)
def test_settings_that_contradict_themselves_are_refused(
    change: Callable[[str], str], rule: str
) -> None:
    """By the field and its rule; the last one is good."""
    if not rule:
        assert "mandiri-mcm" == settings(change(PAIN001)).format
        return
    with pytest.raises(InvalidPaymentSettingsError, match=rule):
        settings(change(PAIN001))


def test_format_is_chosen_by_account_and_name() -> None:
    """The only one where none is named; several want a name."""
    entries = parse_file_settings(PAIN001 + CSV, str)
    assert "generic-csv" == file_settings_for(entries, ACCOUNT, "generic-csv").format
    assert "pain001.09" == file_settings_for(entries[:1], ACCOUNT, "").format
    for name, account in (("", ACCOUNT), ("pain001.03", ACCOUNT), ("", "008:1")):
        with pytest.raises(UnknownFileFormatError, match=account):
            file_settings_for(entries, account, name)
