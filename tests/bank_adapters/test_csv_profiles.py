"""CSV exports by profile: rows, order, proofs, and everything that is refused."""

import datetime as d
from importlib import resources

import pytest

from bank_adapters import StatementFileError, errors, read_statement_file
from bank_adapters.statements import all_profiles, parse_profile, profile_named
from tests.bank_adapters.helpers import codes, fixture, read_fixture

HEAD = "No;Tanggal;Uraian;Debet;Kredit;Saldo\n"
FOOT = ";;TOTAL;{debit};{credit};\n"


def bpd(*rows, opening="100,00", debit=None, credit=None):
    """A generic-bpd file; totals are added when given."""
    text = f"Saldo Awal;{opening}\n" if opening else ""
    text += HEAD + "".join(f"{row}\n" for row in rows)
    if debit is not None:
        text += FOOT.format(debit=debit, credit=credit)
    return text.encode()


def read_bpd(*rows, **options):
    return read_statement_file(bpd(*rows, **options), profile="generic-bpd", account="1")


def test_rows_newest_first_are_turned_by_the_chain_of_balances():
    """All rows of one day, newest first: the running balance gives the order back."""
    file = read_fixture("csv-generic-bpd-newest-first.csv")
    (statement,) = file.statements

    assert [line.position for line in statement.lines] == [10, 8, 7]
    assert [line.narrative for line in statement.lines] == ["PERTAMA", "KEDUA; BERLANJUT", "KETIGA"]
    assert (
        *(statement.account, statement.opening.units, statement.closing.units),
        statement.adds_up,
    ) == ("0010012345678", 100000, 90500, True)
    assert d.date(2026, 3, 1) == statement.opening.on
    assert d.date(2026, 3, 31) == statement.closing.on
    assert codes(file) == []
    assert statement.lines[1].raw == '2;02-Mar-2026;"KEDUA;\nBERLANJUT";60,00;;900,00'


def test_bca_amounts_take_their_sign_from_the_word_and_pending_rows_move_nothing():
    """DB and CR behind the amount are the sign; PEND rows are lines without a booking day."""
    file = read_fixture("csv-bca-bisnis.csv")
    (statement,) = file.statements

    assert [(line.amount_units, line.status) for line in statement.lines] == [
        (100050, "booked"),
        (-50000, "booked"),
        (-2500, "pending"),
    ]
    assert statement.lines[2].booked_on is None
    assert (statement.bank, statement.account, statement.adds_up) == ("014", "0123456789", True)
    assert (statement.opening.units, statement.closing.units) == (1000000, 1050050)
    assert codes(file) == []


def test_mandiri_without_balances_proves_nothing_and_says_so():
    """Two accounts in one table become two statements; without balances adds_up is null."""
    file = read_fixture("csv-mandiri-mcm.csv")
    first, second = file.statements

    assert (
        first.account,
        [line.amount_units for line in first.lines],
    ) == ("1234567890123", [45368400, -10000025])
    assert (second.account, len(second.lines)) == ("9876543210987", 1)
    assert first.lines[0].narrative == "SETORAN PAJAK DAERAH"
    assert first.lines[0].reference == "REF1"
    assert (first.opening, first.closing, first.adds_up) == (None, None, None)
    assert codes(file) == ["no_balance_proof", "no_balance_proof"]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("1;02-03-2026;X;5,00;7,00;95,00", "unreadable_row"),
        ("1;02-03-2026;X;;;95,00", "unreadable_row"),
        ("1;02-03-2026;X;-5,00;;95,00", "unreadable_row"),
        ("1;02-03-2026;X;(5,00);;95,00", "unreadable_row"),
        ("1;02-03-2026;X;5,00;", "unreadable_row"),
        ("1;02-03-2026;X;Y;5,00;;95,00", "unreadable_row"),
        ("1;;X;5,00;;95,00", "unreadable_row"),
        ("1;02-03-2026;TOTAL;5,00;", "unreadable_row"),
        ("1;02-03-2026;TOTAL;;;95,00", "unreadable_row"),
        ("1;02-Xyz-2026;TOTAL;5,00;;95,00", "unreadable_date"),
        ("X", "unreadable_row"),
        ('1;02-03-2026;"X;5,00;;95,00', "unreadable_row"),
        ('1;02-03-2026;"X"Y;5,00;;95,00', "unreadable_row"),
        ("1;02-03-2026;X;5.00;;95,00", "unreadable_amount"),
        ("1;02-03-2026;X;1.00,00;;95,00", "unreadable_amount"),
        ("1;02-03-2026;X;5,000;;95,00", "unreadable_amount"),
        ("1;02-03-2026;X;1,234.00;;95,00", "unreadable_amount"),
        ("1;02-03-2026;X;1e3;;95,00", "unreadable_amount"),
        ("1;02-03-2026;X;+5,00;;95,00", "unreadable_amount"),
        ("1;02-03-2026;X;５,00;;95,00", "unreadable_amount"),
        ("1;02-03-2026;X;NaN;;95,00", "unreadable_amount"),
        ("1;02-03-2026;X;5,00;;9-5", "unreadable_amount"),
        ("1;03/02/26;X;5,00;;95,00", "unreadable_date"),
        ("1;2026-03-02;X;5,00;;95,00", "unreadable_date"),
        ("1;02-Xyz-2026;X;5,00;;95,00", "unreadable_date"),
        ("1;Besok;X;5,00;;95,00", "unreadable_date"),
    ],
)
def test_row_that_has_no_single_meaning_refuses_the_file_with_its_line(row, code):
    """A row is an entry, a known check row, or a refusal with its line."""
    with pytest.raises(StatementFileError) as refused:
        read_bpd("1;01-03-2026;BAIK;;0,00;100,00", row)

    assert code == refused.value.code
    assert refused.value.position == 4


@pytest.mark.parametrize(
    ("cell", "units"),
    [
        ("5,00", -500),
        ("5", -500),
        ("5,", -500),
        (",50", -50),
        ("1.234.567,8", -123456780),
        ("1234567,89", -123456789),
        ("Rp 1.000,00", -100000),
        ("Rp.1.000,00", -100000),
        ("IDR 1.000", -100000),
        ("'1.000,00", -100000),
        ("\u00a01.000,00\u202f", -100000),
        ('="1.000,00"', -100000),
        ("99.999.999.999.999.999,99", -9999999999999999999),
    ],
)
def test_amount_in_the_layouts_notation_is_read_to_the_sen(cell, units):
    """Currency words, sheet apostrophes and non-breaking spaces are taken off; digits are kept."""
    row = f"1;02-03-2026;X;{cell};;"
    if '"' in cell:  # quoted once more, as CSV demands
        row = '1;02-03-2026;X;"{}";;'.format(cell.replace('"', '""'))
    file = read_bpd(row, opening="")

    assert units == file.statements[0].lines[0].amount_units


@pytest.mark.parametrize(
    ("cell", "units"),
    [("-5,00", -500), ("5,00-", -500), ("(5,00)", -500), ("Rp -5,00", -500), ("-Rp5,00", -500)],
)
def test_balance_below_zero_is_read_in_every_spelling(cell, units):
    """Leading and trailing minus and parentheses are one and the same."""
    file = read_bpd(f"1;02-03-2026;X;105,00;;{cell}")

    assert units == file.statements[0].closing.units
    assert file.statements[0].adds_up is True


@pytest.mark.parametrize("cell", ["--5,00", "-(5,00)", "-5,00-", "(5,00", "Rp--5,00", "5,00 CR-"])
def test_balance_with_two_signs_is_refused(cell):
    """Two signs have no single meaning."""
    with pytest.raises(errors.UnreadableAmountError):
        read_bpd(f"1;02-03-2026;X;105,00;;{cell}")


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("02-03-2026", d.date(2026, 3, 2)),
        ("2/3/2026", d.date(2026, 3, 2)),
        ("02-Mar-2026", d.date(2026, 3, 2)),
        ("02-Maret-2026", d.date(2026, 3, 2)),
        ("02-Mei-2026", d.date(2026, 5, 2)),
        ("02-AGU-2026", d.date(2026, 8, 2)),
        ("02-Agustus-2026", d.date(2026, 8, 2)),
        ("'02-Des-2026", d.date(2026, 12, 2)),
    ],
)
def test_date_in_indonesian_or_english_is_read(cell, day):
    """Month names of both languages, short and long, are the same months."""
    file = read_bpd(f"1;{cell};X;5,00;;95,00")

    assert day == file.statements[0].lines[0].booked_on


def test_date_that_does_not_exist_is_null_with_a_warning():
    """30 February is read as no date, with its line; the amount counts."""
    file = read_bpd("1;30-02-2026;X;5,00;;95,00", debit="5,00", credit="0,00")

    assert file.statements[0].lines[0].booked_on is None
    assert [(each.code, each.position) for each in file.warnings] == [("impossible_date", 3)]
    assert file.statements[0].adds_up is True


@pytest.mark.parametrize(
    ("rows", "options", "warning"),
    [
        (["1;02-03-2026;X;5,00;;95,01"], {}, "balance_chain_broken"),
        (["1;02-03-2026;X;5,00;;95,00"], {"opening": "101,00"}, "opening_differs"),
        (["1;02-03-2026;X;5,00;;95,00"], {"debit": "6,00", "credit": "0"}, "totals_differ"),
        (
            ["1;02-03-2026;X;5,00;;95,00", "Saldo Akhir;;;;;96,00"],
            {"debit": "5,00", "credit": "0"},
            "closing_differs",
        ),
        (
            [
                "1;02-03-2026;X;5,00;;95,00",
                "2;03-03-2026;X;5,00;;91,00",
                "3;04-03-2026;X;5,00;;86,00",
            ],
            {"debit": "15,00", "credit": "0"},
            "balance_chain_broken",
        ),
    ],
)
def test_figure_that_disagrees_makes_the_statement_not_add_up(rows, options, warning):
    """Each printed figure is checked against the entries; one that differs is named."""
    file = read_bpd(*rows, **options)

    assert file.statements[0].adds_up is False
    assert warning in codes(file)


def test_chain_broken_once_is_reported_once():
    """After a wrong running balance the chain goes on from the printed figure."""
    file = read_bpd(
        "1;02-03-2026;X;5,00;;95,00",
        "2;03-03-2026;X;5,00;;91,00",
        "3;04-03-2026;X;5,00;;86,00",
        debit="15,00",
        credit="0",
    )

    broken = [each.position for each in file.warnings if each.code == "balance_chain_broken"]
    assert broken == [4]


def test_footer_that_a_complete_file_has_is_missed():
    """A file cut between two rows still adds up; the missing totals row gives it away."""
    file = read_bpd("1;02-03-2026;X;5,00;;95,00")

    assert codes(file) == ["footer_missing"]


def test_order_that_nothing_tells_keeps_the_file_and_says_so():
    """Rows of one day with a chain broken both ways stay as they are, with a warning."""
    file = read_bpd("1;02-03-2026;X;5,00;;50,00", "2;02-03-2026;Y;5,00;;70,00")

    assert [line.narrative for line in file.statements[0].lines] == ["X", "Y"]
    assert "order_undetermined" in codes(file)
    assert file.statements[0].adds_up is False


def test_table_without_entries_is_a_statement_that_closes_as_it_opened():
    """A month without movements has no lines and adds up."""
    file = read_bpd(debit="0", credit="0")
    (statement,) = file.statements

    assert statement.lines == ()
    assert (
        *(statement.opening.units, statement.closing.units),
        statement.adds_up,
    ) == (10000, 10000, True)


def test_rows_with_a_date_and_a_label_but_no_amount_are_check_rows():
    """`01-03-2026;Saldo Awal;;;100,00` is an opening, not an entry."""
    file = read_bpd("0;01-03-2026;Saldo Awal;;;100,00", "1;02-03-2026;X;5,00;;95,00", opening="")

    assert len(file.statements[0].lines) == 1
    assert file.statements[0].opening.units == 10000


def test_entry_whose_text_is_a_label_stays_an_entry():
    """A dated row with an amount is an entry even when its text is TOTAL."""
    file = read_bpd("1;02-03-2026;TOTAL;5,00;;95,00", debit="5,00", credit="0")

    assert [line.narrative for line in file.statements[0].lines] == ["TOTAL"]
    assert file.statements[0].adds_up is True


def test_entries_outside_the_printed_period_are_noted():
    """A text whose day and month would fit the other way round is suspect; it stays as it is."""
    data = b"Periode;01-03-2026 s/d 31-03-2026\n" + bpd("1;03-02-2026;X;5,00;;95,00")
    file = read_statement_file(data, profile="generic-bpd", account="1")

    assert d.date(2026, 2, 3) == file.statements[0].lines[0].booked_on
    assert ["outside_period", "day_month_suspect"] == codes(file)[:2]


def test_header_printed_on_every_page_is_skipped():
    """The same header row again is no entry."""
    file = read_bpd("1;02-03-2026;X;5,00;;95,00", HEAD.strip(), "2;03-03-2026;Y;5,00;;90,00")

    assert [line.narrative for line in file.statements[0].lines] == ["X", "Y"]


def test_header_with_two_columns_for_one_field_is_refused():
    """`Debet` and `Debit` side by side leave open which is meant."""
    data = b"No;Tanggal;Uraian;Debet;Debit;Kredit;Saldo\n1;02-03-2026;X;5,00;;;95,00\n"

    with pytest.raises(errors.InvalidProfileError):
        read_statement_file(data, profile="generic-bpd")


def test_bri_flag_that_contradicts_the_column_is_refused():
    """GLSIGN says credit where the amount stands under debit: nobody guesses which is right."""
    header = (
        '"ID","NOREK","TGL_TRAN","TGL_EFEKTIF","JAM_TRAN","SEQ","DESK_TRAN","SALDO_AWAL_MUTASI",'
        '"MUTASI_DEBET","MUTASI_KREDIT","SALDO_AKHIR_MUTASI","GLSIGN","TRUSER","KODE_TRAN",'
        '"KODE_TRAN_TELLER","TRREMK","TLBDS1","TLBDS2","REMARK_CUSTOM"\n'
    )
    row = (
        '"0","01","2026-03-01 10:11:12","2026-03-01 10:11:12","101112","0","X","100.00","5.00",'
        '"0.00","95.00","{}","8","4","6","A","","","B"\n'
    )

    (statement,) = read_statement_file((header + row.format("Db")).encode()).statements
    assert (
        *(statement.lines[0].narrative, statement.lines[0].transaction_code),
        statement.adds_up,
    ) == ("X A B", "4", True)
    for flag in ("Cr", "??"):
        with pytest.raises(errors.UnreadableRowError):
            read_statement_file((header + row.format(flag)).encode())


FLAGGED = """
name = "flagged"
title = "A layout with a flag column"
delimiter = "\\t"
currency = "IDR"
row_order = "newest_first"
[numbers]
decimal = "."
[dates]
formats = ["%d/%m/%y %H:%M"]
[columns]
account = ["Rek"]
booked_on = ["Tgl"]
narrative = ["Ket"]
amount = ["Mutasi"]
flag = ["D/K"]
currency = ["Ccy"]
[sign]
rule = "flag"
debit = ["D"]
credit = ["K"]
"""


def test_profile_given_as_data_reads_a_layout_of_a_callers_own():
    """A bank's layout is data: a flag column, tabs, no grouping, its own dates, currencies."""
    profile = parse_profile(FLAGGED)
    data = (
        b"Rek\tTgl\tKet\tMutasi\tD/K\tCcy\n"
        b"1\t03/03/26 10:15\tB\t2000.50\tK\tusd\n"
        b"1\t02/03/26 09:00\tA\t1000\tD\tUSD\n"
    )
    (statement,) = read_statement_file(data, profile=profile).statements

    assert [("A", -100000, d.time(9)), ("B", 200050, d.time(10, 15))] == [
        (line.narrative, line.amount_units, line.booked_time) for line in statement.lines
    ]
    assert statement.currency == "USD"
    with pytest.raises(errors.CurrencyMismatchError):
        read_statement_file(data.replace(b"usd", b"IDR"), profile=profile)
    with pytest.raises(errors.UnreadableRowError):
        read_statement_file(data.replace(b"\tK\t", b"\tX\t"), profile=profile)
    with pytest.raises(errors.UnreadableRowError):
        read_statement_file(data.replace(b"2000.50", b"-5.00"), profile=profile)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "flagged"', 'name = "flagged'),
        ('title = "A layout with a flag column"', ""),
        ('delimiter = "\\t"', 'delimiter = ";;"'),
        ('decimal = "."', 'decimal = ";"'),
        ('decimal = "."', 'decimal = "."\ngrouping = "."'),
        ('formats = ["%d/%m/%y %H:%M"]', "formats = []"),
        ('formats = ["%d/%m/%y %H:%M"]', 'formats = ["%d/%m"]'),
        ('formats = ["%d/%m/%y %H:%M"]', 'formats = ["%d/%m/%j"]'),
        ('formats = ["%d/%m/%y %H:%M"]', 'formats = "%d/%m/%y"'),
        ('flag = ["D/K"]', ""),
        ('flag = ["D/K"]', 'flag = ["D/K"]\nunknown = ["X"]'),
        ('rule = "flag"', 'rule = "two_columns"'),
        ('rule = "flag"', 'rule = "guess"'),
        ('credit = ["K"]', 'credit = ["d"]'),
        ('credit = ["K"]', ""),
        ('currency = "IDR"', 'currency = "IDR"\nencodings = ["klingon"]'),
        ('currency = "IDR"', 'currency = "IDR"\nexpects = ["pending"]'),
        ('currency = "IDR"', 'currency = "IDR"\noptional_columns = ["amount"]'),
        ('currency = "IDR"', 'currency = "IDR"\ncolour = "red"'),
        ('currency = "IDR"', "currency = 5"),
    ],
)
def test_profile_that_contradicts_itself_is_refused(old, new):
    """Every key is checked when the profile is read, not when a file is."""
    assert old in FLAGGED
    with pytest.raises(errors.InvalidProfileError):
        parse_profile(FLAGGED.replace(old, new, 1))


def test_profiles_that_ship_are_named_as_their_files():
    """The shipped profiles all read, each under its own name."""
    names = [profile.name for profile in all_profiles()]

    folder = resources.files("bank_adapters.statements").joinpath("profiles")
    files = sorted(each.name.removesuffix(".toml") for each in folder.iterdir())

    assert files == names
    assert len(names) == 15
    assert profile_named("bri-cms").bank == "002"


def test_columns_may_stand_in_any_order_and_encoding():
    """Headers are found by name; a BOM, UTF-16 or cp1252 changes nothing."""
    text = "Saldo;Kredit;Debet;Uraian;Tanggal\n95,00;;5,00;CAFÉ;02-03-2026\n"
    for data in (text.encode("utf-8-sig"), text.encode("utf-16"), text.encode("cp1252")):
        file = read_statement_file(data, profile="generic-bpd", account="1")
        assert file.statements[0].lines[0].narrative == "CAFÉ"
        assert file.statements[0].adds_up is True


def test_file_of_another_layout_is_not_taken_by_force():
    """A named profile whose columns are not there refuses the file."""
    with pytest.raises(errors.HeaderNotFoundError):
        read_statement_file(fixture("csv-mandiri-mcm.csv"), profile="bca-bisnis")
