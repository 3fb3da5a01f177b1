"""MT940 as banks really write it: each deviation read to its one meaning, or refused."""

import datetime as d

import pytest

from bank_adapters import StatementFileError, read_statement_file
from tests.bank_adapters.helpers import codes, fixture, mt940, read_fixture


def the_lines(name):
    (statement,) = read_fixture(name).statements
    return {line.reference: line for line in statement.lines}


def test_marks_of_every_kind_give_the_sign_and_the_reversal():
    """R after C or D is a funds code; R before it turns the sign; case and spaces do not count."""
    file = read_fixture("mt940-marks.sta")
    read = {line.reference: (line.amount_units, line.reversal) for line in file.statements[0].lines}

    assert read == {
        "PLAIN-CREDIT": (1000, False),
        "PLAIN-DEBIT": (-100, False),
        "FUNDS-R-CREDIT": (2000, False),
        "FUNDS-R-DEBIT": (-200, False),
        "FUNDS-K-DEBIT": (-300, False),
        "FUNDS-D-CREDIT": (400, False),
        "CREDIT-TAKEN-BACK": (-10000, True),
        "DEBIT-TAKEN-BACK": (20000, True),
        "CREDIT-TAKEN-BACK-R": (-500, True),
        "LOWER-CASE": (600, True),
        "NO-DECIMALS": (-25000, False),
        "NO-WHOLE": (50, False),
        "ONE-DECIMAL": (750, False),
        "EXPECTED": (99900, False),
    }
    assert file.statements[0].adds_up is True
    assert codes(file) == []


def test_mark_of_an_expected_entry_is_pending_and_moves_no_money():
    """EC and ED are announced, not booked: a line of the file that the sum leaves out."""
    lines = the_lines("mt940-marks.sta")

    assert lines["EXPECTED"].status == "pending"
    assert lines["LOWER-CASE"].status == "booked"
    assert lines["LOWER-CASE"].transaction_code == "NMSC"


def test_amount_of_any_length_keeps_every_digit():
    """Amounts of 13, 14 and 38 digits are read and added to the last digit."""
    file = read_fixture("mt940-wide-amounts.sta")
    printed = file.to_json()["statements"][0]

    assert [line["amount"] for line in printed["lines"]] == [
        "-1234567890123.45",
        "99999999999999.99",
        "-12345678901234567890123456789012345678.91",
    ]
    assert printed["opening"]["amount"] == "12345678901234567890123456789012345678.91"
    assert printed["adds_up"] is True


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (":61:2602090209D1.000,00NTRFX", "point"),
        (":61:2602090209D1000.00NTRFX", "point"),
        (":61:2602090209D1,000,00NTRFX", "not an entry"),
        (":61:2602090209D1 000,00NTRFX", "not an entry"),
        (":61:2602090209D-5,00NTRFX", "not an entry"),
        (":61:2602090209D,NTRFX", "not an entry"),
        (":61:2602090209NTRFX", "not an entry"),
        (":61:2602090209X5,00NTRFX", "not an entry"),
        (":61:26020D5,00NTRFX", "not an entry"),
        (":61:", "not an entry"),
        (":61:26020902", "not an entry"),
        (":61:2602090209D12500", "ends before its type code"),
        (":61:2602090209D12500,0", "ends before its type code"),
        (":61:2602090209D12500,00NT", "ends before its type code"),
        (":61:2602090209D１２,00NTRFX", "not an entry"),
    ],
)
def test_entry_that_has_no_single_meaning_refuses_the_file_with_its_line(entry, reason):
    """A grouped, cut or garbled entry is never guessed at: the refusal names line and reason."""
    with pytest.raises(StatementFileError) as refused:
        read_statement_file(mt940(":61:2602090209D1,00NTRFGOOD", entry).encode(), format="mt940")

    assert refused.value.code == "unreadable_entry"
    assert refused.value.position == 6
    assert reason in refused.value.message
    assert entry == refused.value.text


@pytest.mark.parametrize("amount", ["1,000", "1,5000", "1,0000"])
def test_amount_with_more_decimals_than_the_currency_is_refused(amount):
    """`1,000` rupiah is one or a thousand: refused, even though the digits would fit."""
    with pytest.raises(StatementFileError) as refused:
        read_statement_file(mt940(f":61:2602090209D{amount}NTRFX").encode())

    assert (refused.value.code, refused.value.position) == ("unreadable_amount", 5)


@pytest.mark.parametrize(
    "opening",
    [
        *("C260208IDR1.000,00", "C260208IDR", "260208IDR1,00", "X260208IDR1,00", "C2602IDR1,00"),
        *("C260208IDR1,00X", "C260208IDR1,00,00", "RC260208IDR1,00", "nullnull", " "),
    ],
)
def test_balance_that_has_no_single_meaning_refuses_the_file(opening):
    """An opening balance that cannot be read is never left out."""
    with pytest.raises(StatementFileError) as refused:
        read_statement_file(mt940(opening=opening).encode(), format="mt940")

    assert (refused.value.code, refused.value.position) == ("unreadable_balance", 4)


def test_amount_without_a_comma_is_read_whole_with_a_warning():
    """Digits without the comma are whole units; the missing comma is noted with its line."""
    file = read_statement_file(
        mt940(":61:2602090209D40NTRFX", closing="C260209IDR60").encode(), format="mt940"
    )

    assert file.statements[0].lines[0].amount_units == -4000
    assert [(warning.code, warning.position) for warning in file.warnings] == [
        ("amount_without_comma", 6),
        ("amount_without_comma", 5),
    ]


def test_entry_date_over_the_years_edge_gets_the_year_it_was_booked_in():
    """MMDD takes the year that lies between both balances, also for an old value date."""
    lines = the_lines("mt940-year-edge.sta")

    assert (d.date(2026, 1, 2), d.date(2025, 12, 31)) == (
        lines["BOOKED-LAST-YEAR"].value_on,
        lines["BOOKED-LAST-YEAR"].booked_on,
    )
    assert d.date(2026, 1, 2) == lines["BOOKED-THIS-YEAR"].entry_on
    assert d.date(2026, 1, 2) == lines["VALUE-MONTHS-AGO"].booked_on
    for reference in ("BLANK-ENTRY-DATE", "NO-ENTRY-DATE"):
        assert lines[reference].entry_on is None
        assert d.date(2026, 1, 1) == lines[reference].booked_on


@pytest.mark.parametrize(
    ("value", "entry", "opened", "closed", "booked"),
    [
        ("260105", "1231", "C251230", "", d.date(2025, 12, 31)),  # nearest to the value date
        ("251230", "0102", "", "C260102", d.date(2026, 1, 2)),
        ("260110", "0110", "C251231", "C261231", d.date(2026, 1, 10)),  # a year in one statement
        ("240228", "0229", "C240228", "C240229", d.date(2024, 2, 29)),
        ("260209", "0215", "C260208", "C260209", d.date(2026, 2, 15)),  # booked after the close
    ],
)
def test_entry_date_year_is_decided_by_balances_then_by_the_value_date(
    value, entry, opened, closed, booked
):
    """One candidate between the balances wins; else the year nearest to the value date."""
    text = mt940(
        f":61:{value}{entry}C1,00NTRFX",
        opening=opened and f"{opened}IDR0,00",
        closing=closed and f"{closed}IDR1,00",
    )

    assert booked == read_statement_file(text.encode()).statements[0].lines[0].booked_on


def test_impossible_dates_are_null_with_a_warning_and_nothing_is_clamped():
    """30 February is read as no date, noted with its line; amount and raw text are kept."""
    file = read_fixture("mt940-impossible-dates.sta")
    value, entry, only = file.statements[0].lines

    assert (None, d.date(2026, 3, 2)) == (value.value_on, value.booked_on)
    assert value.narrative == "SP2D 00001/LS"
    assert (d.date(2026, 3, 2), None, None) == (entry.value_on, entry.entry_on, entry.booked_on)
    assert (only.value_on, only.booked_on) == (None, None)
    assert [(warning.code, warning.position) for warning in file.warnings] == [
        ("impossible_date", 5),
        ("impossible_date", 7),
        ("impossible_date", 8),
    ]
    assert file.statements[0].adds_up is True
    assert value.raw.startswith(":61:2602300302C1,00")


def test_pages_under_one_header_are_one_statement():
    """60F/62M, 60M/62M, 60M/62F under one :20: are one statement from first to last balance."""
    file = read_fixture("mt940-pages-one-header.sta")

    (statement,) = file.statements
    assert [line.reference for line in statement.lines] == ["PAGE-ONE", "PAGE-TWO", "PAGE-THREE"]
    assert (statement.statement_no, statement.page, statement.adds_up) == ("12", 1, True)
    assert (statement.opening.units, statement.closing.units) == (10000, 7500)
    assert codes(file) == []


def test_pages_of_two_accounts_interleaved_are_chained_by_account():
    """A page goes on in the next page of the same account, whatever stands between."""
    file = read_fixture("mt940-pages-interleaved.sta")

    assert [
        (each.account, each.closing.units, [line.reference for line in each.lines], each.adds_up)
        for each in file.statements
    ] == [
        ("1111111111", 7000, ["A-ONE", "A-TWO"], True),
        ("2222222222", 200, ["B-ONE"], True),
    ]
    assert codes(file) == []


def test_pages_that_do_not_chain_make_the_statement_not_add_up():
    """Two page breaks that are wrong by amounts which cancel out are still found."""
    text = fixture("mt940-pages-one-header.sta").decode()
    broken = text.replace(":60M:C260209IDR90,00", ":60M:C260209IDR91,00").replace(
        ":62M:C260209IDR70,00", ":62M:C260209IDR71,00"
    )

    file = read_statement_file(broken.encode())

    assert file.statements[0].adds_up is False
    assert [(warning.code, warning.position) for warning in file.warnings] == [
        ("page_chain_broken", 8),
        ("page_chain_broken", 12),
    ]


def test_pages_with_one_left_out_are_noted():
    """A file that lacks the first, a middle or the last page says which is missing."""
    lines = fixture("mt940-pages-one-header.sta").decode().splitlines(keepends=True)
    header, first, second, third = lines[:2], lines[2:6], lines[6:10], lines[10:]

    def read(*pieces):
        return read_statement_file("".join(line for piece in pieces for line in piece).encode())

    assert codes(read(header, second, third)) == ["earlier_page_missing"]
    assert codes(read(header, first, third)) == ["page_gap", "page_chain_broken"]
    assert codes(read(header, first, second)) == ["later_page_missing"]
    assert read(header, second, third).statements[0].page == 2


def test_several_accounts_in_one_file_keep_their_own_entries():
    """With `-`, a note or nothing between them, statements stay apart, whatever the currency."""
    file = read_fixture("mt940-several-accounts.sta")

    assert [
        (each.account, each.currency, each.statement_no, len(each.lines), each.adds_up)
        for each in file.statements
    ] == [
        ("1111111111", "IDR", "7", 1, True),
        ("2222222222", "USD", "3", 0, True),
        ("3333333333", "KWD", "4", 1, True),
        ("1111111111", "IDR", "8", 0, True),
    ]
    assert file.statements[1].opening.units == -100
    assert file.to_json()["statements"][2]["lines"][0]["amount"] == "2.125"
    assert [(each.code, each.position) for each in file.warnings] == [("text_outside", 18)]


def test_currency_that_changes_within_a_statement_is_refused():
    """Opening in rupiah and closing in dollars is one refusal, not a sum."""
    with pytest.raises(StatementFileError) as refused:
        read_statement_file(mt940(closing="C260209USD100,00").encode())

    assert (refused.value.code, refused.value.position) == ("currency_mismatch", 5)


def test_narrative_cut_inside_a_number_is_whole_again():
    """Line breaks go without a space, so an SP2D number cut at column 65 can be found."""
    lines = the_lines("mt940-narratives.sta")
    number = "SP2D 04.03/04.0/000123/LS/1.02.0.00.0.00.01.0000/P.01/3/2026"

    assert f"PEMBAYARAN BELANJA BARANG DAN JASA {number} PT CONTOH" == lines["CUT"].narrative
    assert lines["CUT"].raw.endswith("LS/1.02\n.0.00.0.00.01.0000/P.01/3/2026 PT CONTOH")
    assert (number, "PT CONTOH KARYA") == (lines["GVC"].narrative, lines["GVC"].counterparty)


def test_narrative_in_slash_form_names_the_counterparty():
    """Code words between slashes name the counterparty; the text stays whole for matching."""
    lines = the_lines("mt940-narratives.sta")

    assert lines["SLASH"].counterparty == "CV CONTOH JAYA"
    assert lines["SLASH"].narrative.endswith("/REMI/SP2D 000123/LS")
    assert lines["CNTP"].counterparty == "PT CONTOH"


def test_narrative_lines_that_look_like_tags_stay_text():
    """`:12:`, `:20:30 WIB`, `:64:` and a lone dash inside a text end nothing."""
    lines = the_lines("mt940-narratives.sta")

    assert lines["LOOKALIKES"].narrative == "KODE:12:34 RINCIAN:20:30 WIB:25:TEKS:64:TEKS-AKHIR"


def test_narrative_of_several_fields_and_supplementary_details_is_kept():
    """Separate :86: fields are joined by a space; details behind :61: follow; :NS: stays raw."""
    lines = the_lines("mt940-narratives.sta")

    assert lines["SEVERAL"].narrative == "PERTAMA KEDUA"
    assert lines["SUPPLEMENT"].narrative == "TEKS SUPPLEMENTARY DETAILS"
    assert lines["SUPPLEMENT"].raw.endswith(":NS:01KHUSUS BANK")
    assert lines["BARE"].narrative == ""


def test_narrative_behind_the_closing_is_information_about_the_statement():
    """A :86: after the closing balance belongs to no entry."""
    (statement,) = read_fixture("mt940-narratives.sta").statements

    assert statement.information == "SALDO SUDAH TERMASUK BUNGA"
    assert statement.adds_up is True


def test_references_are_divided_at_the_first_double_slash():
    """NONREF is no reference; references longer than 16 characters stay whole."""
    (statement,) = read_fixture("mt940-references.sta").statements

    assert [(line.reference, line.bank_reference) for line in statement.lines] == [
        ("SP2D000031", "BNK1"),
        (None, "BNK2"),
        (None, None),
        ("NL08DEUT0319809633-LONGER-THAN-SIXTEEN", "A//B"),
        ("SPACED", "BNK5"),
        (None, "ONLY-BANK"),
    ]
    assert statement.lines[5].transaction_code == "N033"


def test_identical_entries_are_two_entries():
    """Two equal fees on one day are both read."""
    (statement,) = read_fixture("mt940-twins.sta").statements

    first, second = statement.lines
    assert first._replace(position=second.position) == second
    assert statement.adds_up is True


def test_loose_headers_are_read_and_what_was_left_out_is_noted():
    """Stray lines, a closing without currency, odd numbers and day 000000 all have one meaning."""
    file = read_fixture("mt940-loose.sta")
    old, long, odd = file.statements

    assert (
        *(old.account, old.currency, old.statement_no),
        old.adds_up,
    ) == ("0010012345678", "IDR", "0000", True)
    assert (long.statement_no, long.page, long.opening.on) == ("202602090001", 12, None)
    assert (odd.statement_no, odd.page) == ("JAN-2026", None)
    assert [(each.code, each.position) for each in file.warnings] == [
        ("text_outside", 4),
        ("amount_without_comma", 14),
        ("impossible_date", 14),
        ("odd_statement_no", 19),
    ]


def test_envelope_of_the_network_names_the_sending_bank():
    """Header blocks are taken off; the sender is in block 2 of an output, block 1 of an input."""
    file = read_fixture("mt940-envelope.sta")

    assert [(each.bank, each.adds_up) for each in file.statements] == [
        ("BANKIDJA", True),
        ("BANKIDJB", True),
    ]
    assert file.statements[0].lines[0].narrative == "TEKS"


@pytest.mark.parametrize(
    ("account", "bank", "number"),
    [
        ("0010012345678", None, "0010012345678"),
        ("PDJBIDJA/0010012345678", "PDJBIDJA", "0010012345678"),
        ("PDJBIDJAXXX/001-001 2345", "PDJBIDJAXXX", "001-001 2345"),
        ("20752041/0291593375EUR", "20752041", "0291593375EUR"),
        ("20752041/0291593375IDR", "20752041", "0291593375"),
        ("0010012345678 IDR", None, "0010012345678"),
        ("IDR", None, "IDR"),
    ],
)
def test_account_loses_bank_code_and_currency_and_nothing_else(account, bank, number):
    """`bank/account` and a trailing currency are taken apart; other forms stay as written."""
    text = mt940().replace(":25:0010012345678", f":25:{account}")
    (statement,) = read_statement_file(text.encode()).statements

    assert (bank, number) == (statement.bank, statement.account)


@pytest.mark.parametrize(
    ("text", "adds_up", "warnings"),
    [
        (mt940(closing=""), None, ["closing_missing"]),
        (mt940(opening=""), None, ["opening_missing"]),
        (mt940(":61:2602090209C1,00NTRFX", opening="", closing=""), None, None),
        (mt940(closing="C260209IDR100,01"), False, ["does_not_add_up"]),
        (mt940().replace(":25:0010012345678\r\n", ""), True, ["account_missing"]),
        (mt940().replace(":20:TEST\r\n", ""), True, []),
        (":61:2602090209C1,00NTRFX\n:86:TEKS\n", None, None),
    ],
)
def test_statement_with_a_part_missing_is_read_and_says_so(text, adds_up, warnings):
    """Nothing is made up for a missing balance or account: null, and a warning each."""
    if warnings is None:
        warnings = ["currency_missing", "opening_missing", "closing_missing"]
        if ":25:" not in text:
            warnings.insert(0, "account_missing")
    file = read_statement_file(text.encode(), format="mt940")

    assert adds_up is file.statements[0].adds_up
    assert warnings == codes(file)


def test_file_cut_at_any_byte_never_reads_as_complete():
    """Cut anywhere before its last digit, a statement is refused or does not add up to true."""
    data = (
        mt940(
            ":61:2602090209D1250000,00NTRFSP2D000031//BNK1",
            ":86:SP2D 000031/LS",
            ":61:2602090209C50000,00NTRFNONREF//BNK2",
            opening="C260208IDR5000000,00",
            closing="C260209IDR3800000,01",
        )
        .replace(",01\r\n-\r\n", ",00")
        .encode()
    )
    whole = read_statement_file(data)
    assert whole.statements[0].adds_up is True

    for length in range(len(data) - 3):  # `3800000` without its decimals is the same figure
        try:
            file = read_statement_file(data[:length], format="mt940")
        except StatementFileError:
            continue
        assert all(each.adds_up is not True for each in file.statements), data[:length]
        assert codes(file) != []


def test_statement_cut_before_the_next_one_begins_keeps_both_apart():
    """A lost closing does not pull the next statement's header into the last narrative."""
    first = mt940(":61:2602090209C1,00NTRFA", ":86:TEKS", closing="")
    file = read_statement_file((first + mt940(":61:2602090209C1,00NTRFB")).encode())

    assert ["TEKS", ""] == [each.lines[0].narrative for each in file.statements]
    assert [None, False] == [each.adds_up for each in file.statements]
    assert ["closing_missing", "does_not_add_up"] == codes(file)


def test_text_of_nothing_but_look_alikes_is_read_in_linear_time():
    """A hundred thousand header tags inside one narrative cost no more than their lines."""
    text = mt940(":61:2602090209C1,00NTRFA", ":86:X", *[":13D:", ":34F:"] * 50_000)

    (statement,) = read_statement_file(text.encode(), format="mt940").statements

    assert 50_000 == statement.lines[0].narrative.count(":13D:")


@pytest.mark.parametrize("message_type", ["103", "199", "900", "941"])
def test_other_message_is_refused_by_its_type(message_type):
    """Block 2 says that it is no statement and no interim report."""
    block = f"{{1:F01BANKIDJAAXXX}}{{2:I{message_type}BANKIDJAXXXXN}}{{4:"
    text = f"{block}\n:20:X\n:25:1\n:61:260209C1,NTRFX\n-}}"
    with pytest.raises(StatementFileError) as refused:
        read_statement_file(text.encode(), format="mt940")

    assert ("unsupported_message", 1) == (refused.value.code, refused.value.position)
    assert f"MT{message_type}" == refused.value.message_type
