"""What banks do beyond the standards, and the test that each of it has.

`TABLE` lists them by format; the first test holds the table against the files and the tests it names.
The files are our own, in `fixtures/`; a deviation of a single line stands in its test.
"""

from __future__ import annotations

import importlib

import pytest

from bank_adapters import read_statement_file
from bank_adapters.errors import MarkupContentError
from tests.bank_adapters.helpers import FIXTURES, codes, fixture, mt940, read_fixture

HERE = "test_deviations"

#: Format, deviation, module and test, fixture (or none).
TABLE: tuple[tuple[str, str, str, str, str], ...] = (
    # --- MT940 and MT942
    *(
        ("mt940", *row)
        for row in (
            (
                *("entry date over the year's edge, both ways", "test_mt940"),
                "test_entry_date_over_the_years_edge_gets_the_year_it_was_booked_in",
                "mt940-year-edge.sta",
            ),
            (
                *("entry date of four blanks, or none", "test_mt940"),
                "test_entry_date_over_the_years_edge_gets_the_year_it_was_booked_in",
                "mt940-year-edge.sta",
            ),
            (
                *("30 February", "test_mt940"),
                "test_impossible_dates_are_null_with_a_warning_and_nothing_is_clamped",
                "mt940-impossible-dates.sta",
            ),
            (
                *("CR, DR, DK: a funds code; RC, RD: a reversal; small letters", "test_mt940"),
                "test_marks_of_every_kind_give_the_sign_and_the_reversal",
                "mt940-marks.sta",
            ),
            (
                *("`250,` and spaces around an amount", "test_mt940"),
                "test_marks_of_every_kind_give_the_sign_and_the_reversal",
                "mt940-marks.sta",
            ),
            (
                *("a point in an amount", "test_mt940"),
                "test_entry_that_has_no_single_meaning_refuses_the_file_with_its_line",
                "",
            ),
            (
                *("amounts of more than 15 characters", "test_mt940"),
                "test_amount_of_any_length_keeps_every_digit",
                "mt940-wide-amounts.sta",
            ),
            (
                *("a reference of more than 16 characters; no // or several", "test_mt940"),
                "test_references_are_divided_at_the_first_double_slash",
                "mt940-references.sta",
            ),
            (
                *("a UUID as reference", HERE),
                "test_text_around_a_statement_in_another_charset_is_read_and_noted",
                "mt940-preamble.sta",
            ),
            (
                *("supplementary details on the next line", "test_mt940"),
                "test_narrative_of_several_fields_and_supplementary_details_is_kept",
                "mt940-narratives.sta",
            ),
            (
                *("pages under one :20:", "test_mt940"),
                "test_pages_under_one_header_are_one_statement",
                "mt940-pages-one-header.sta",
            ),
            (
                *("a :20: on every page", "test_mt940"),
                "test_pages_of_two_accounts_interleaved_are_chained_by_account",
                "mt940-pages-interleaved.sta",
            ),
            (
                *("several accounts and days, with - or nothing between", "test_mt940"),
                "test_several_accounts_in_one_file_keep_their_own_entries",
                "mt940-several-accounts.sta",
            ),
            (
                *("a statement of balances alone", "test_mt940"),
                "test_several_accounts_in_one_file_keep_their_own_entries",
                "mt940-several-accounts.sta",
            ),
            (
                *("no :60: or :62:", "test_mt940"),
                "test_statement_with_a_part_missing_is_read_and_says_so",
                "",
            ),
            (
                *("a closing without currency, nullnull, 0000 and a stray line", "test_mt940"),
                "test_loose_headers_are_read_and_what_was_left_out_is_noted",
                "mt940-loose.sta",
            ),
            (
                *("a statement number of more than five digits", "test_mt940"),
                "test_loose_headers_are_read_and_what_was_left_out_is_noted",
                "mt940-loose.sta",
            ),
            (
                *(":86: of GVC subfields, cut within words and numbers", "test_mt940"),
                "test_narrative_cut_inside_a_number_is_whole_again",
                "mt940-narratives.sta",
            ),
            (
                *(":86: of slashes", "test_mt940"),
                "test_narrative_in_slash_form_names_the_counterparty",
                "mt940-narratives.sta",
            ),
            (
                *(":NS: lines", "test_mt940"),
                "test_narrative_of_several_fields_and_supplementary_details_is_kept",
                "mt940-narratives.sta",
            ),
            (
                *("lines of text that look like tags", "test_mt940"),
                "test_narrative_lines_that_look_like_tags_stay_text",
                "mt940-narratives.sta",
            ),
            (
                *("text in front of the first tag, control characters, cp850", HERE),
                "test_text_around_a_statement_in_another_charset_is_read_and_noted",
                "mt940-preamble.sta",
            ),
            (
                *("byte order marks, CR alone, cp1252", "test_registry"),
                "test_file_in_any_encoding_and_line_end_reads_the_same",
                "",
            ),
            (
                *("latin-1", "test_registry"),
                "test_file_in_bytes_outside_cp1252_is_read_as_latin_1_with_a_warning",
                "",
            ),
            (
                *("identical entries of one day", "test_mt940"),
                "test_identical_entries_are_two_entries",
                "mt940-twins.sta",
            ),
            (
                *("figures that do not add up", HERE),
                "test_text_around_a_statement_in_another_charset_is_read_and_noted",
                "mt940-preamble.sta",
            ),
            (
                *("blocks of the network around the text", "test_mt940"),
                "test_envelope_of_the_network_names_the_sending_bank",
                "mt940-envelope.sta",
            ),
        )
    ),
    # --- camt
    *(
        ("camt", *row)
        for row in (
            (
                *("PDNG, INFO and FUTR move nothing", HERE),
                "test_camt_with_every_pitfall_is_read_to_the_sen",
                "camt053-pitfalls.xml",
            ),
            (
                *("RvslInd does not turn the sign again", HERE),
                "test_camt_with_every_pitfall_is_read_to_the_sen",
                "camt053-pitfalls.xml",
            ),
            (
                *("transactions that miss the entry by its charges", HERE),
                "test_camt_with_every_pitfall_is_read_to_the_sen",
                "camt053-pitfalls.xml",
            ),
            (
                *("a batch without transactions", HERE),
                "test_camt_with_every_pitfall_is_read_to_the_sen",
                "camt053-pitfalls.xml",
            ),
            (
                *("transactions that do not explain the entry", "test_camt"),
                "test_batch_is_split_where_its_details_explain_it",
                "",
            ),
            (
                *("a bank reference shared, or empty; an entry reference that starts anew", HERE),
                "test_camt_with_every_pitfall_is_read_to_the_sen",
                "camt053-pitfalls.xml",
            ),
            (
                *("several accounts in one file", HERE),
                "test_camt_with_every_pitfall_is_read_to_the_sen",
                "camt053-pitfalls.xml",
            ),
            (
                *("parties and status of version 08, charges of a batch", HERE),
                "test_camt_batch_of_version_08_is_split_with_its_charges",
                "camt053-batch.xml",
            ),
            (
                *("camt.052 and .054 inform, and book nothing", HERE),
                "test_camt_report_is_of_the_day",
                "camt052-report.xml",
            ),
            (
                *("versions and messages of every kind", "test_camt"),
                "test_message_tells_the_kind_in_every_version",
                "",
            ),
            (
                *("a statement missing between two", "..reconciliation.test_intake"),
                "test_chain_broken_names_both_figures",
                "",
            ),
            (
                *("five decimals, leading zeros, a balance without a code", HERE),
                "test_camt_with_every_pitfall_is_read_to_the_sen",
                "camt053-pitfalls.xml",
            ),
            (
                *("exponents, NaN and signs", "test_camt"),
                "test_amount_that_is_no_plain_decimal_is_refused",
                "",
            ),
            (
                *("a ZIP of many files", "test_workbook"),
                "test_archive_is_read_in_the_order_of_its_names",
                "zip-two.zip",
            ),
            (
                *("entities of any sort", "test_camt"),
                "test_doctype_is_refused_before_anything_behind_it_is_read",
                "",
            ),
        )
    ),
    # --- CSV and sheets
    *(
        ("table", *row)
        for row in (
            (
                *("1.234,56 and 1,234.56, decided by the layout", "test_csv_profiles"),
                "test_amount_in_the_layouts_notation_is_read_to_the_sen",
                "",
            ),
            (
                *("a column of which 1.234 stays open", "test_proposing"),
                "test_amounts_of_a_column_are_read_in_one_way_or_asked",
                "",
            ),
            (
                *("newest row first", "test_csv_profiles"),
                "test_rows_newest_first_are_turned_by_the_chain_of_balances",
                "csv-generic-bpd-newest-first.csv",
            ),
            (
                *("Saldo Awal, TOTAL, Saldo Akhir around the entries", "test_csv_profiles"),
                "test_figure_that_disagrees_makes_the_statement_not_add_up",
                "csv-generic-bpd-newest-first.csv",
            ),
            (
                *("PEND rows; DB and CR behind the amount", "test_csv_profiles"),
                "test_bca_amounts_take_their_sign_from_the_word_and_pending_rows_move_nothing",
                "csv-bca-bisnis.csv",
            ),
            (
                *("a sheet's texts, numbers and days in one column", "test_workbook"),
                "test_row_is_the_same_however_its_cells_are_stored",
                "xlsx-bank-jatim.xlsx",
            ),
            (
                *("day and month swapped by a sheet", "test_day_checks"),
                "test_day_of_a_sheet_that_fits_only_the_other_way_round_refuses_the_file",
                "",
            ),
            (
                *("a double's error in a sheet's number", "test_workbook"),
                "test_cell_is_what_the_file_stores",
                "",
            ),
            (
                *("a leading apostrophe, hard blanks, Rp, IDR", "test_csv_profiles"),
                "test_amount_in_the_layouts_notation_is_read_to_the_sen",
                "",
            ),
            (
                *("a minus behind, parentheses", "test_csv_profiles"),
                "test_balance_below_zero_is_read_in_every_spelling",
                "",
            ),
            (
                *("a byte order mark, UTF-16, cp1252", "test_csv_profiles"),
                "test_columns_may_stand_in_any_order_and_encoding",
                "",
            ),
            (
                *("semicolons and tabs", "test_csv_profiles"),
                "test_profile_given_as_data_reads_a_layout_of_a_callers_own",
                "",
            ),
            (
                *("an .xls that is a web page", HERE),
                "test_sheet_that_is_a_web_page_is_refused_as_one",
                "sheet-web-page.xls",
            ),
            (
                *("the running balance as proof", "test_csv_profiles"),
                "test_chain_broken_once_is_reported_once",
                "",
            ),
            (
                *("no balance at all; two columns of one name", "test_csv_profiles"),
                "test_mandiri_without_balances_proves_nothing_and_says_so",
                "csv-mandiri-mcm.csv",
            ),
            (
                *("a transfer and its fee alike but for the amount", HERE),
                "test_transfer_and_its_fee_are_two_entries",
                "csv-bri-cms.csv",
            ),
        )
    ),
)


@pytest.mark.parametrize(
    ("module", "test", "file"),
    [pytest.param(*row[2:], id=f"{row[0]}: {row[1]}") for row in TABLE],
)
def test_deviation_has_its_test_and_its_file(module: str, test: str, file: str) -> None:
    """What the table names is there, and the fixture is read by a module of tests."""
    package = "tests.reconciliation." if module.startswith("..") else "tests.bank_adapters."
    found = importlib.import_module(package + module.rpartition(".")[2])

    assert callable(getattr(found, test))
    if file:
        assert (FIXTURES / file).is_file()


def test_fixtures_are_all_named_in_the_table_or_a_layout_of_a_bank() -> None:
    """No file lies about unread."""
    named = {row[4] for row in TABLE}

    assert (
        set()
        == {path.name for path in FIXTURES.iterdir() if not path.name.startswith("csv-")} - named
    )


def test_text_around_a_statement_in_another_charset_is_read_and_noted() -> None:
    """Each oddity is a warning with its line; a UUID stays whole; money missing is said."""
    file = read_fixture("mt940-preamble.sta")
    (statement,) = file.statements
    (line,) = statement.lines

    assert ["encoding_assumed", "control_characters", "text_outside", "does_not_add_up"] == codes(
        file
    )
    assert ("3f2504e0-4f89-41d3-9a0c-0305e82c3301", "FT1") == (line.reference, line.bank_reference)
    assert (100, 8, False) == (line.amount_units, line.position, statement.adds_up)


def test_text_around_a_statement_changes_none_of_its_figures() -> None:
    """The same statement without its preamble gives the same line, at another place."""
    (with_text,) = read_fixture("mt940-preamble.sta").statements
    plain = mt940(
        *(":61:2602090209C1,00NTRF3f2504e0-4f89-41d3-9a0c-0305e82c3301//FT1", ":86:CAFE"),
        opening="C260208IDR10,00",
        closing="C260209IDR12,00",
    )
    (without,) = read_statement_file(plain.encode()).statements

    assert [each._replace(position=0, narrative="", raw="") for each in without.lines] == [
        each._replace(position=0, narrative="", raw="") for each in with_text.lines
    ]


def test_camt_with_every_pitfall_is_read_to_the_sen() -> None:
    """Two accounts, three entries that are not booked, a batch with charges, and two true twins."""
    file = read_fixture("camt053-pitfalls.xml")
    first, second = file.statements

    assert [] == codes(file)
    assert [("1111111111", "7", True), ("2222222222", "3", True)] == [
        (each.account, each.statement_no, each.adds_up) for each in file.statements
    ]
    assert [-14987, -168887] == [each and each.units for each in (first.opening, first.closing)]
    assert [
        (-152600, "booked", False, "B-1", [-100000, -50000, -2600]),
        (-1000, "booked", False, "B-1", []),
        (-1000, "booked", False, "B-1", []),
        (700, "booked", True, None, []),
        (300000, "pending", False, None, []),
        (400000, "info", False, None, []),
        (500000, "pending", False, None, []),
    ] == [
        (
            *(line.amount_units, line.status, line.reversal, line.bank_reference),
            [each.amount_units for each in line.sub_entries],
        )
        for line in first.lines
    ]
    assert [900] == [line.amount_units for line in second.lines]


def test_camt_batch_of_version_08_is_split_with_its_charges() -> None:
    """Both payments and the charges; the payee stands below Pty."""
    (statement,) = read_fixture("camt053-batch.xml").statements
    batch = statement.lines[1]

    assert statement.adds_up
    assert [-100, -200, -50] == [each.amount_units for each in batch.sub_entries]
    assert "CV Maju" == batch.sub_entries[0].counterparty


def test_camt_report_is_of_the_day() -> None:
    """A report is no statement, whatever it holds."""
    (report,) = read_fixture("camt052-report.xml").statements

    assert "intraday" == report.kind


def test_transfer_and_its_fee_are_two_entries() -> None:
    """Same second, sequence number and text: only the amounts differ, and the balances prove both."""
    (statement,) = read_fixture("csv-bri-cms.csv").statements
    transfer, fee = statement.lines[1:3]

    assert statement.adds_up
    assert (-25000000, -100000) == (transfer.amount_units, fee.amount_units)
    assert (transfer.booked_on, transfer.booked_time, transfer.narrative) == (
        *(fee.booked_on, fee.booked_time, fee.narrative),
    )


def test_sheet_that_is_a_web_page_is_refused_as_one() -> None:
    """A web page under the name of a workbook is told as what it is."""
    with pytest.raises(MarkupContentError, match="web page"):
        read_statement_file(fixture("sheet-web-page.xls"))
