"""Payment files by template: what is written reads back, what doesn't fit is refused."""

from __future__ import annotations

import csv
from datetime import date
from io import StringIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bank_adapters.payments.banks import Bank, bank_list
from bank_adapters.payments.errors import (
    InvalidTemplateError,
    MixedDebitUnitError,
    RepeatedOrderError,
    UnknownTemplateError,
    UnwritablePaymentError,
)
from bank_adapters.payments.order import PaymentOrder
from bank_adapters.payments.template import all_templates, parse_template, template_named
from bank_adapters.payments.template_writer import FileFacts, WrittenFile, write_by_template
from ledger.money import Money
from tests.bank_adapters.payments.support import DAY, order, orders

FACTS = FileFacts("L26-7", date(2026, 3, 4), 12)

DELIMITED = """
name = "a-bank"
title = "A bank"
evidence = "a test"
unit = "list"
kind = "delimited"
encoding = "utf-8"
delimiter = ";"
line_end = "lf"
titles = true
text = "unicode"
formulas = "apostrophe"
file_name = "PAY{created_on:%d%m%y}-{sequence:03}_{setting.company}.txt"
settings = ["company"]
orders_max = 9

[amounts]
decimal_sign = ","
grouping = "."

[dates]
format = "%d/%m/%Y"

[[header]]
text = "H"

[[header]]
field = "setting.company"
max = 8

[[header]]
field = "transfer_on"

[[header]]
field = "total"

[[header]]
field = "count"
max = 2

[[detail]]
field = "beneficiary_account"
title = "account"
max = 20

[[detail]]
field = "beneficiary_name"
title = "name"
max = 41

[[detail]]
field = "amount"
title = "amount"

[[detail]]
field = "reference_remark"
title = "text"
max = 70

[[detail]]
field = "rail"
title = "rail"
values = { intrabank = "1", skn = "2", rtgs = "3", bifast = "4" }

[[footer]]
text = "T"

[[footer]]
field = "count"
"""

FIXED = """
name = "a-fixed-bank"
title = "A bank with fixed lengths"
evidence = "a test"
unit = "payment"
kind = "fixed"
encoding = "cp1252"
final_line_end = false
text = "unicode"
formulas = "allow"
file_name = "A.TXT"

[amounts]
decimal_sign = ""

[dates]
format = "%y%j"

[[header]]
text = "0"
width = 1

[[header]]
field = "count"
width = 5
align = "right"
pad = "0"

[[header]]
field = "total"
width = 20
align = "right"
pad = "0"

[[detail]]
text = "1"
width = 1

[[detail]]
field = "reference"
width = 30

[[detail]]
field = "beneficiary_account"
width = 16
align = "right"
pad = "0"

[[detail]]
field = "beneficiary_name"
width = 40

[[detail]]
field = "amount"
width = 18
align = "right"

[[detail]]
field = "transfer_on"
width = 5

[[detail]]
field = "remark"
width = 50
optional = true

[[detail]]
text = ""
width = 3
"""


def write(
    text: str, batch: list[PaymentOrder], facts: FileFacts | None = None, **banks: Any
) -> WrittenFile:
    """The file of *batch* by the template *text*."""
    template = parse_template(text)
    given_facts = facts or FileFacts(
        FACTS.message_id, FACTS.created_on, 12, dict.fromkeys(template.settings, "BANTEN")
    )
    return write_by_template(template, batch, banks or bank_list(), given_facts)


def unescaped(cell: str) -> str:
    """A cell of a file that escapes formulas with an apostrophe."""
    return cell[1:] if cell.startswith("'") else cell


def plain(amount: str) -> Money:
    """An amount written as 1.234.567,89."""
    return Money.parse(amount.replace(".", "").replace(",", "."))


# --- what is written reads back ---------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(
    orders(),
    st.sampled_from(["minimal", "all"]),
    st.sampled_from([";", ",", "|", "\\t", "~", "'"]).filter(lambda each: each != "'"),
    st.sampled_from(["lf", "crlf"]),
)
def test_delimited_file_parsed_by_the_rules_of_csv_is_the_orders(
    batch: list[PaymentOrder], quote: str, delimiter: str, line_end: str
) -> None:
    """Every value comes back, formulas behind an apostrophe, separators never outside quotes."""
    text = DELIMITED.replace('delimiter = ";"', f'delimiter = "{delimiter}"\nquote = "{quote}"')
    file = write(text.replace('"lf"', f'"{line_end}"'), batch)

    sign = "\t" if delimiter == "\\t" else delimiter
    rows = list(csv.reader(StringIO(file.data.decode(), newline=""), delimiter=sign, strict=True))
    head, titles, *details, foot = rows
    total = Money.total(each.amount for each in batch)
    rails = {"intrabank": "1", "skn": "2", "rtgs": "3", "bifast": "4"}
    assert ["H", "BANTEN", "05/03/2026"] == head[:3]
    assert (total, str(len(batch))) == (plain(head[3]), head[4])
    assert ["account", "name", "amount", "text", "rail"] == titles
    assert [
        (
            each.beneficiary_account,
            each.beneficiary_name,
            each.amount,
            f"{each.reference} {each.remark}".rstrip(),
            rails[each.rail],
        )
        for each in batch
    ] == [(row[0], unescaped(row[1]), plain(row[2]), row[3], row[4]) for row in details]
    assert ["T", str(len(batch))] == foot
    assert not [
        cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "＝", "＠"))
    ]
    assert (len(batch), total) == (file.count, file.total)
    assert file.data.endswith(b"\n" if line_end == "lf" else b"\r\n")
    assert "PAY040326-012_BANTEN.txt" == file.name


CP1252 = st.sampled_from("ABCabc 0123=+-@,;\"'&<éüß€")


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 10**15),
            st.text(CP1252, min_size=1, max_size=40).filter(lambda each: each == each.strip()),
            st.text(CP1252, max_size=50).filter(lambda each: each == each.strip()),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_fixed_file_cut_at_its_widths_is_the_orders(values: list[tuple[int, str, str]]) -> None:
    """Each line has the widths' sum in bytes, and each piece is the value with its padding."""
    batch = [
        order(n, amount=Money(sen), beneficiary_name=name, remark=remark)
        for n, (sen, name, remark) in enumerate(values, 1)
    ]

    lines = write(FIXED, batch).data.split(b"\r\n")

    head, *details = lines
    total = sum(sen for sen, _, _ in values)
    assert f"0{len(batch):05d}{total:020d}".encode() == head
    assert {1 + 30 + 16 + 40 + 18 + 5 + 50 + 3} == {len(line) for line in details}
    for each, line in zip(batch, details, strict=True):
        text = line.decode("cp1252")
        assert (f"1{each.reference:30}", each.beneficiary_account.rjust(16, "0")) == (
            text[:31],
            text[31:47],
        )
        assert (each.beneficiary_name, each.amount.sen, "26064", each.remark) == (
            text[47:87].rstrip(" "),
            int(text[87:105]),
            text[105:110],
            text[110:160].rstrip(" "),
        )


@settings(max_examples=60, deadline=None)
@given(orders(printable=False))
def test_mandiri_file_has_a_header_whose_count_and_sum_are_its_details(
    batch: list[PaymentOrder],
) -> None:
    """Header `P`, day, account, count, total; then the details in the order of its columns."""
    template = template_named("mandiri-mcm")
    try:
        file = write_by_template(template, batch, bank_list(), FACTS)
    except UnwritablePaymentError as refused:
        assert "begins as a formula does" == refused.reason
        assert refused.value[0] in "+-"
        return

    head, *details = csv.reader(StringIO(file.data.decode("ascii"), newline=""), strict=True)
    assert ["P", "20260305", "0010012345678"] == head[:3]
    assert [str(len(details)), str(sum(Money.parse(row[6]) for row in details))] == head[3:]
    services = {"intrabank": "IBU", "skn": "LBU", "rtgs": "RBU", "bifast": "BAU"}
    assert [
        [
            each.beneficiary_account,
            each.beneficiary_name,
            *("", "", "", "IDR"),
            str(each.amount),
            each.remark,
            each.reference,
            services[each.rail],
            each.beneficiary_bank,
            bank_list()[each.beneficiary_bank].name,
        ]
        for each in batch
    ] == details
    assert "L26-7.csv" == file.name


def test_generic_file_written_is_this_text() -> None:
    """The exact bytes: quotes where they are needed, a formula behind an apostrophe."""
    batch = [
        order(1, amount=Money.parse("1250000000.00"), beneficiary_name='CV "A", Serang'),
        order(2, amount=Money.parse("0.05"), beneficiary_name="=1+1", remark="'quoted"),
        order(3, beneficiary_bank="999", rail="bifast", remark="", beneficiary_name="Andini é"),
    ]

    file = write_by_template(template_named("generic-csv"), batch, bank_list(), FACTS)

    assert (
        "no,reference,transfer_on,source_account,bank,bank_name,account,name,amount,currency,rail,"
        "remark\r\n"
        "1,SP2D26-000001,2026-03-05,0010012345678,014,Bank Central Asia,0000000001,"
        '"CV ""A"", Serang",1250000000.00,IDR,skn,SP2D 000123/LS\r\n'
        "2,SP2D26-000002,2026-03-05,0010012345678,014,Bank Central Asia,0000000002,'=1+1,0.05,IDR,"
        "skn,''quoted\r\n"
        "3,SP2D26-000003,2026-03-05,0010012345678,999,,0000000003,Andini é,125000000.03,IDR,bifast,"
        "\r\n"
        "TOTAL,3,1375000000.08\r\n"
    ) == file.data.decode()
    assert ("payments-L26-7.csv", 3, Money.parse("1375000000.08")) == (
        file.name,
        file.count,
        file.total,
    )


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "＝", "＋", "－", "＠"])
def test_text_that_a_sheet_would_run_is_escaped_or_refused(start: str) -> None:
    """By the template's word; an account number is never altered, so it is refused."""
    batch = [order(beneficiary_name=f"{start}HYPERLINK(1)")]

    escaped = write(DELIMITED, batch).data.decode()

    assert f";'{start}HYPERLINK(1);" in escaped
    with pytest.raises(UnwritablePaymentError, match="begins as a formula does"):
        write(DELIMITED.replace('"apostrophe"', '"refuse"'), batch)
    if start in "+-":
        with pytest.raises(UnwritablePaymentError, match=r"beneficiary_account .* as a formula"):
            write(DELIMITED, [order(beneficiary_account=f"{start}123")])


@pytest.mark.parametrize(
    ("amounts", "sen", "written"),
    [
        ('decimal_sign = "."', 125_000_000_01, "125000000.01"),
        ('decimal_sign = "."\ngrouping = ","', 125_000_000_01, "125,000,000.01"),
        ('decimal_sign = ","\ngrouping = "."', 1, "0,01"),
        ('decimal_sign = ""', 125_000_000_01, "12500000001"),
        ('decimal_sign = ""', 5, "005"),
        ("decimals = 0", 125_000_000_00, "125000000"),
        ('decimals = 0\ngrouping = "."', 125_000_000_00, "125.000.000"),
        ('decimal_sign = "."', 2**63 - 1, "92233720368547758.07"),
    ],
)
def test_amount_is_written_in_the_template_s_style(amounts: str, sen: int, written: str) -> None:
    """Every digit, with the signs that the bank wants."""
    text = DELIMITED.replace('decimal_sign = ","\ngrouping = "."', amounts)

    lines = write(text, [order(amount=Money(sen))]).data.decode().split("\n")

    assert written == lines[2].split(";")[2]
    assert written == lines[0].split(";")[3]


# --- what doesn't fit is refused --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "changes", "field", "reason"),
    [
        (DELIMITED, {"beneficiary_account": "1" * 21}, "beneficiary_account", "21 characters"),
        (DELIMITED, {"beneficiary_name": "x" * 42}, "beneficiary_name", "42 characters as written"),
        (DELIMITED, {"beneficiary_name": "=" + "x" * 40}, "beneficiary_name", "42 characters"),
        (DELIMITED, {"beneficiary_name": ""}, "beneficiary_name", "is empty"),
        (DELIMITED, {"beneficiary_name": "a\tb"}, "beneficiary_name", "U+0009"),
        (DELIMITED, {"beneficiary_name": "\r=1"}, "beneficiary_name", "U+000D"),
        (DELIMITED, {"beneficiary_name": "a\nb"}, "beneficiary_name", "U+000A"),
        (DELIMITED, {"remark": "x" * 60}, "reference_remark", "74 characters"),
        (DELIMITED, {"rail": "online"}, "rail", "has a code for"),
        (DELIMITED, {"amount": Money(0)}, "amount", "not above zero"),
        (
            DELIMITED.replace("[amounts]", "[amounts]\ndecimals = 0"),
            {"amount": Money(150)},
            "amount",
            "has sen",
        ),
        (
            DELIMITED.replace('text = "unicode"', 'text = "swift"'),
            {"beneficiary_name": "José"},
            "beneficiary_name",
            "'é'",
        ),
        (
            DELIMITED.replace('"utf-8"', '"ascii"'),
            {"beneficiary_name": "José"},
            "beneficiary_name",
            "'é', which ascii does not carry",
        ),
        (
            DELIMITED.replace('kind = "delimited"', 'kind = "delimited"\nquote = "never"'),
            {"beneficiary_name": "a;b"},
            "beneficiary_name",
            "nothing is quoted",
        ),
        (
            DELIMITED.replace('kind = "delimited"', 'kind = "delimited"\nquote = "never"'),
            {"beneficiary_name": 'a"b'},
            "beneficiary_name",
            "nothing is quoted",
        ),
        (FIXED, {"beneficiary_account": "1" * 17}, "beneficiary_account", "17 characters"),
        (FIXED, {"reference": "x" * 31}, "reference", "31 characters"),
        (FIXED, {"beneficiary_name": "x "}, "beneficiary_name", "spaces around"),
        (FIXED, {"beneficiary_name": "株"}, "beneficiary_name", "cp1252 does not carry"),
        (FIXED, {"amount": Money(10**18)}, "amount", "19 characters"),
    ],
)
def test_value_that_its_column_cannot_carry_is_refused_with_order_and_field(
    text: str, changes: dict, field: str, reason: str
) -> None:
    """The order, the field, the value and the rule; never a cut, never a changed sign."""
    with pytest.raises(UnwritablePaymentError) as refused:
        write(text, [order(**changes)])

    assert field == refused.value.field
    assert reason in refused.value.reason
    assert changes.get("reference", "SP2D26-000001") == refused.value.reference


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"beneficiary_name": "x" * 41}, "beneficiary_name", "41 characters as written; 40 fit"),
        ({"beneficiary_account": "1" * 36}, "beneficiary_account", "36 characters"),
        ({"reference": "SP2D26-0000000000001"}, "reference", "20 characters as written; 19 fit"),
        ({"remark": "x" * 141}, "remark", "141 characters as written; 140 fit"),
        ({"source_account": "1" * 41}, "source_account", "41 characters as written; 40 fit"),
        ({"beneficiary_name": "株"}, "beneficiary_name", "swift_transliterated"),
        ({"beneficiary_name": "- X"}, "beneficiary_name", "as a formula"),
    ],
)
def test_mandiri_field_longer_than_its_layout_allows_is_refused(
    changes: dict, field: str, reason: str
) -> None:
    """Its lengths: account 35, name 40, remark 140, customer reference 19, debit account 40."""
    with pytest.raises(UnwritablePaymentError) as refused:
        write_by_template(template_named("mandiri-mcm"), [order(**changes)], bank_list(), FACTS)

    assert field == refused.value.field
    assert reason in refused.value.reason


def test_file_as_a_whole_is_refused_where_it_cannot_be_one() -> None:
    """No orders, too many, one twice, two days or accounts in one header, settings not given."""
    with pytest.raises(UnwritablePaymentError, match="orders '' are none"):
        write(DELIMITED, [])
    with pytest.raises(UnwritablePaymentError, match="more than the 9"):
        write(DELIMITED, [order(n) for n in range(1, 11)])
    with pytest.raises(RepeatedOrderError):
        write(DELIMITED, [order(), order()])
    with pytest.raises(MixedDebitUnitError, match="transfer_on"):
        write(DELIMITED, [order(1), order(2, transfer_on=date(2026, 3, 6))])
    with pytest.raises(MixedDebitUnitError, match="source_account"):
        write(DELIMITED, [order(1), order(2, source_account="0019")])
    with pytest.raises(MixedDebitUnitError, match="'L26-7' can't be one debit: transfer_on"):
        write(
            FIXED.replace('unit = "payment"', 'unit = "sp2d"'),
            [order(1), order(2, transfer_on=date(2026, 3, 6))],
        )
    for wrong in ({}, {"company": "A", "other": "B"}):
        with pytest.raises(UnwritablePaymentError, match=r"settings .* must be company"):
            write(DELIMITED, [order()], FileFacts("L", DAY, 1, wrong))
    assert 2 == write(FIXED, [order(1), order(2, transfer_on=date(2026, 3, 6))]).count


@pytest.mark.parametrize("company", ["../../etc", "a b", "x" * 101, "a/b"])
def test_file_name_that_is_no_plain_name_is_refused(company: str) -> None:
    """A value in the name can't lead to another folder."""
    with pytest.raises(UnwritablePaymentError):
        write(
            DELIMITED.replace("max = 8", "optional = true"),
            [order()],
            FileFacts("L", DAY, 1, {"company": company}),
        )


def test_bank_columns_come_from_the_bank_list() -> None:
    """Name, BIC and clearing code of the payee's bank; empty ones only where they may be."""
    text = DELIMITED.replace('field = "rail"', 'field = "beneficiary_clearing_code"')
    text = text.replace('values = { intrabank = "1", skn = "2", rtgs = "3", bifast = "4" }', "")
    banks = {"b": Bank("014", "BCA", "CENAIDJA", "0140397")}

    file = write_by_template(
        parse_template(text),
        [order()],
        {"014": banks["b"]},
        FileFacts("L", DAY, 1, {"company": "A"}),
    )

    assert b";0140397\n" in file.data
    with pytest.raises(UnwritablePaymentError, match="beneficiary_clearing_code '' is empty"):
        write(text, [order()])


# --- a template is checked when it is read ----------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "old", "new", "field", "rule"),
    [
        (DELIMITED, 'name = "a-bank"', "", "name", "is missing"),
        (DELIMITED, '"a-bank"', '"A bank"', "name", "a-z"),
        (DELIMITED, 'evidence = "a test"', "", "evidence", "is missing"),
        (DELIMITED, 'unit = "list"', 'unit = "batch"', "unit", "not one of payment"),
        (DELIMITED, '"delimited"', '"csv"', "kind", "not one of delimited"),
        (DELIMITED, "titles", "title_line", "title_line", "is not a key"),
        (DELIMITED, "titles = true", 'titles = "yes"', "titles", "true or false"),
        (DELIMITED, '";"', '";;"', "delimiter", "one sign"),
        (DELIMITED, '";"', '"a"', "delimiter", "one sign"),
        (DELIMITED, '";"', "'\"'", "delimiter", "one sign"),
        (DELIMITED, '";"', '","\nquote = "never"', "delimiter", "stands in amounts"),
        (DELIMITED, '"utf-8"', '"utf-16"', "encoding", "not one of ascii"),
        (DELIMITED, 'text = "T"', 'text = "é"', "encoding", ""),
        (DELIMITED, 'text = "T"', 'text = "=T"', "formulas", "a constant begins"),
        (DELIMITED, '"account"', '"@account"', "formulas", "a constant begins"),
        (DELIMITED, 'skn = "2"', 'skn = "-2"', "formulas", "a constant begins"),
        (DELIMITED, 'text = "T"', 'text = "T\\n"', "text", "control characters"),
        (DELIMITED, 'text = "T"', 'text = "T;"', "quote", "never, and a constant"),
        (DELIMITED, '"apostrophe"', '"allow"', "formulas", "allow is for fixed"),
        (DELIMITED, 'grouping = "."', 'grouping = ","', "amounts.grouping", "decimal sign"),
        (DELIMITED, 'decimal_sign = ","', 'decimal_sign = ""', "amounts.grouping", "implied"),
        (DELIMITED, "[amounts]", "[amounts]\ndecimals = 1", "amounts.decimals", "0 or 2"),
        (DELIMITED, '"%d/%m/%Y"', '"%d/%m"', "dates.format", "year, month and day"),
        (DELIMITED, '"%d/%m/%Y"', '"%d %B %Y"', "dates.format", "year, month and day"),
        (DELIMITED, "orders_max = 9", "orders_max = 0", "orders_max", "from 1 to"),
        (DELIMITED, '["company"]', '["Company"]', "header[2].field", "not one of"),
        (DELIMITED, '["company"]', '["company", "company"]', "settings", "different names"),
        (DELIMITED, '"setting.company"', '"reference"', "header[2].field", "not one of"),
        (DELIMITED, 'field = "count"', 'field = "row"', "header[5].field", "not one of"),
        (DELIMITED, 'text = "T"', 'text = "T"\nfield = "count"', "footer[1].field", "never both"),
        (DELIMITED, 'text = "T"', "", "footer[1].field", "or else text"),
        (DELIMITED, 'text = "T"', 'text = "TT"\nmax = 1', "footer[1].text", "longer than"),
        (DELIMITED, 'text = "T"', 'text = "T"\nwidth = 1', "footer[1].width", "delimited"),
        (DELIMITED, 'text = "T"', 'text = "T"\npad = "0"', "footer[1].pad", "0 is for"),
        (DELIMITED, 'text = "T"', 'text = "T"\nalign = "left"', "footer[1].pad", "align"),
        (DELIMITED, 'text = "T"', 'text = "T"\nformat = "%Y"', "footer[1].format", "is for dates"),
        (
            *(DELIMITED, 'field = "amount"', 'field = "amount"\nvalues = { a = "b" }'),
            *("detail[3].values", "is for texts"),
        ),
        (
            *(DELIMITED, 'field = "amount"', 'field = "amount"\noptional = true'),
            *("detail[3].optional", "always there"),
        ),
        (DELIMITED, 'field = "amount"', 'field = "row"', "detail", "column for amount"),
        (
            *(DELIMITED, 'field = "beneficiary_account"', 'field = "beneficiary_bank"'),
            *("detail", "column for the account"),
        ),
        (DELIMITED, '"reference_remark"', '"remark"', "detail", "carry the reference"),
        (DELIMITED, "PAY{", "../PAY{", "file_name", "has signs beside"),
        (DELIMITED, "PAY{", ".PAY{", "file_name", "has signs beside"),
        (DELIMITED, "{sequence:03}", "{total}", "file_name", "'total' is not one of"),
        (DELIMITED, "{sequence:03}", "{reference}", "file_name", "'reference' is not one of"),
        (DELIMITED, "{sequence:03}", "{sequence:x}", "file_name", "is no format of sequence"),
        (DELIMITED, "{created_on:%d%m%y}", "{created_on}", "file_name", "needs a format"),
        (DELIMITED, "%d%m%y}-", "%H}-", "file_name", "is no format of created_on"),
        (FIXED, '"cp1252"', '"utf-8"', "encoding", "several bytes"),
        (FIXED, 'kind = "fixed"', 'kind = "fixed"\ndelimiter = ","', "delimiter", "fixed files"),
        (FIXED, 'kind = "fixed"', 'kind = "fixed"\nquote = "all"', "quote", "fixed files"),
        (FIXED, 'kind = "fixed"', 'kind = "fixed"\ntitles = true', "titles", "fixed files"),
        (FIXED, "width = 18", "", "detail[5].width", "is missing"),
        (FIXED, "width = 18", "width = 18\nmax = 3", "detail[5].max", "fixed files"),
        (FIXED, "width = 40", 'width = 40\npad = "0"', "detail[4].pad", "0 is for"),
        (FIXED, "width = 18", 'width = 18\npad = "*"', "detail[5].pad", "a space or 0"),
        (
            *(FIXED, 'width = 16\nalign = "right"', "width = 16"),
            *("detail[3].pad", "aligned right"),
        ),
        (FIXED, 'text = ""\nwidth = 3', 'text = "four"\nwidth = 3', "detail[8].text", "wider"),
    ],
)
def test_template_that_breaks_a_rule_is_refused_with_field_and_rule(
    text: str, old: str, new: str, field: str, rule: str
) -> None:
    """A layout is checked whole when it is read, before any order meets it."""
    assert old in text
    changed = text.replace(old, new, 1)
    if field == "encoding" and not rule:
        changed = changed.replace('"utf-8"', '"ascii"')
    if field == "quote" and rule.startswith("never"):
        changed = changed.replace("orders_max = 9", 'orders_max = 9\nquote = "never"')

    with pytest.raises(InvalidTemplateError) as refused:
        parse_template(changed)

    assert field == refused.value.field
    assert rule in refused.value.rule


def test_template_that_is_no_toml_is_refused() -> None:
    """The text itself is the field."""
    with pytest.raises(InvalidTemplateError, match="not TOML"):
        parse_template("name = ")


def test_templates_that_ship_are_named_as_their_files_and_say_where_they_are_from() -> None:
    """Both load, and an unknown name is refused with those that are known."""
    assert ["generic-csv", "mandiri-mcm"] == [each.name for each in all_templates()]
    assert all(each.evidence for each in all_templates())
    with pytest.raises(UnknownTemplateError, match="generic-csv, mandiri-mcm"):
        template_named("bca")
