"""A layout proposed from a sample: what it understands, what it asks, and that it never guesses."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from bank_adapters import BankAdapterError, errors, read_statement_file
from bank_adapters.statements import all_profiles, parse_profile
from bank_adapters.statements.proposing import Proposal, propose
from bank_adapters.statements.sample_values import find_dates, find_numbers, find_period, is_day
from ledger.money import sen_text
from tests.bank_adapters.helpers import FIXTURES, fixture, mt940, sample
from tests.bank_adapters.workbooks import Typed, archive, workbook

CSV_FIXTURES = sorted(path.name for path in FIXTURES.glob("csv-*.csv"))
#: Of these the shipped layout knows what the sample alone does not say.
ASKING = {"csv-mandiri-mcm.csv": "can be read in 2 ways"}


def fields(proposal: Proposal) -> dict[str, str]:
    """Header to field, of the columns that are read."""
    return {each.header: each.field for each in proposal.columns if each.field}


# --- samples ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CSV_FIXTURES)
def test_sample_of_a_known_bank_is_understood_as_its_own_layout_reads_it(name: str) -> None:
    """Amounts, days, balances and status are those of the shipped layout, or there is a question."""
    data = fixture(name)
    shipped = read_statement_file(data)
    proposal = propose(data, "new-bank")
    if name in ASKING:
        assert any(ASKING[name] in question for question in proposal.questions)
        return

    assert () == proposal.questions
    assert proposal.file is not None
    assert [
        [
            (e.position, e.booked_on, e.amount_units, e.balance_after_units, e.status)
            for e in s.lines
        ]
        for s in shipped.statements
    ] == [
        [
            (e.position, e.booked_on, e.amount_units, e.balance_after_units, e.status)
            for e in s.lines
        ]
        for s in proposal.file.statements
    ]
    assert [(s.account, s.opening.units, s.closing.units) for s in shipped.statements] == [
        (s.account, s.opening.units, s.closing.units) for s in proposal.file.statements
    ]
    assert proposal.proof


@pytest.mark.parametrize(
    "name", ["bank-jatim-sample.xlsx", "bri-cms-sample.csv", "generic-bpd-sample.csv"]
)
def test_sample_shared_is_understood_and_proven(name: str) -> None:
    """Every row, with the chain of balances as the proof."""
    proposal = propose(sample(name), "new-bank")

    assert () == proposal.questions
    assert "the chain of balances: 8 rows, each from the one before" == proposal.proof


def test_sample_gives_a_text_that_is_a_layout() -> None:
    """What is written is what was read by, and reads the sample again."""
    data = fixture("csv-bca-personal.csv")
    proposal = propose(data, "new-bank", bank="014")
    profile = parse_profile(proposal.text)

    assert profile == proposal.profile
    assert ("new-bank", "014", "flag") == (profile.name, profile.bank, profile.sign_rule)
    assert {"flag": ("#5",), "pending": ("pend",)} == {
        "flag": profile.columns["flag"],
        "pending": profile.labels["pending"],
    }
    assert frozenset({"closing"}) == profile.expects
    assert True is read_statement_file(data, profile=profile).statements[0].adds_up


def test_sample_columns_that_nobody_knows_are_shown_as_not_read() -> None:
    """The table of columns is whole."""
    proposal = propose(fixture("csv-bri-statement.csv"), "new-bank")

    assert [(3, "Teller/User ID", "")] == [
        (e.place, e.header, e.field) for e in proposal.columns if not e.field
    ]


HEAD = "Tanggal;Uraian;Debet;Kredit;Saldo\n"


def asked(text: str) -> Proposal:
    """The proposal for a text that leaves something open."""
    proposal = propose(text.encode(), "new-bank")
    assert proposal.questions
    return proposal


@pytest.mark.parametrize(
    ("text", "question", "gap"),
    [
        (HEAD + "01/02/2026;A;;5,00;5,00\n", "can be read in 2 ways", "formats"),
        (HEAD + "13/02/2026;A;;1.234;1.234\n", "thousands, or decimals", "decimal"),
        (HEAD + "13/02/2026;A;;1.234;5,0,0\n", "not of one notation", "decimal"),
        (HEAD + "13/02/2026;A;;5.00;1.234,00\n", "not of one notation", "decimal"),
        (HEAD + "2026 13 Febtober;A;;5,00;5,00\n", "no row has a day", ""),
        (HEAD + "40/02/2026;A;;5,00;5,00\n", "in no spelling known", "formats"),
        (HEAD + "13/02/2026;A;;5,00;5,00\nBIAYA;B;1,00;;4,00\n", "no day and is no known", ""),
        ("Tanggal;Uraian;Jumlah;Saldo\n13/02/2026;A;5,00;5,00\n", "money out", "rule"),
        (
            "Tanggal;Uraian;Jumlah;D/K;Saldo\n13/02/2026;A;5,00;X;5,00\n",
            "which of them are debit",
            "rule",
        ),
        (
            "Tanggal;Tgl Posting;Uraian;Debet;Kredit;Saldo\n13/02/2026;13/02/2026;A;;5,00;5,00\n",
            "could each be the booked_on",
            "booked_on",
        ),
        ("Hari;Uraian;Debet;Kredit;Saldo\n13/02/2026;A;;5,00;5,00\n", "'Hari'", "booked_on"),
        ("Tanggal;Teks;Debet;Kredit;Saldo\n13/02/2026;A;;5,00;5,00\n", "'Teks'", "narrative"),
        (
            "Tanggal;Uraian;Saldo;No Rek;Debet\n13/02/2026;A;5,00;1;5,00\n",
            "no column of amounts",
            "",
        ),
    ],
)
def test_sample_that_says_two_things_is_a_question_and_no_layout(
    text: str, question: str, gap: str
) -> None:
    """The question names what is open, and the text with its gap is refused as a layout."""
    proposal = asked(text)

    assert question in " ".join(proposal.questions)
    assert (None, None) == (proposal.profile, proposal.file)
    if gap:
        assert "# DECIDE: " in proposal.text
        with pytest.raises(errors.InvalidProfileError):
            parse_profile(proposal.text)


def test_sample_whose_gap_a_person_has_filled_is_read() -> None:
    """One line decides; the proposal has written the choices."""
    text = HEAD + "01/02/2026;A;;5,00;5,00\n02/02/2026;B;;5,00;10,00\n"
    draft = asked(text).text
    decided = draft.replace('# formats = ["%d/%m/%Y"]', 'formats = ["%d/%m/%Y"]')
    (statement,) = read_statement_file(text.encode(), profile=parse_profile(decided)).statements

    assert [date(2026, 2, 1), date(2026, 2, 2)] == [line.booked_on for line in statement.lines]


def test_sample_whose_balances_contradict_the_columns_is_a_question() -> None:
    """Debit as money in: the chain does not hold, and nobody turns the sign in silence."""
    text = HEAD + "13/02/2026;A;5,00;;105,00\n14/02/2026;B;7,00;;112,00\n"

    assert "figures of the sample differ" in asked(text).questions[0]


def test_sample_that_its_own_reading_refuses_is_a_question() -> None:
    """Swapped days of a sheet, for one."""
    rows: list[list[Typed]] = [
        ["Tanggal", "Uraian", "Debet", "Kredit", "Saldo"],
        [date(2026, 12, 3), "A", None, 5, 5],
        ["13/03/2026", "B", None, 5, 10],
    ]
    proposal = propose(workbook(rows), "new-bank")

    assert "day and month are swapped" in proposal.questions[0]


def test_sample_rows_without_amounts_are_left_out_by_their_words() -> None:
    """And the words are shown; with an amount in it the row would be a question."""
    text = HEAD + "13/02/2026;A;;5,00;5,00\n\nDicetak oleh 17 pada 14/02/2026\nTotal;;0;5,00;\n"
    proposal = propose(text.encode(), "new-bank")

    assert () == proposal.questions
    assert 'ignored = ["Dicetak oleh"]' in proposal.text
    assert "'Dicetak oleh'" in str(proposal.understood)
    assert 'expects = ["totals"]' in proposal.text


def test_sample_in_dollars_says_so() -> None:
    """The currency of the file's head is the layout's."""
    text = "Mata Uang;USD\n" + HEAD + "13/02/2026;A;;5,00;5,00\n"
    proposal = propose(text.encode(), "new-bank")

    assert 'currency = "USD"' in proposal.text


def test_sample_title_is_no_account() -> None:
    """REKENING KORAN has no digits."""
    proposal = propose(fixture("csv-generic-bpd-newest-first.csv"), "new-bank")

    assert 'account = ["No. Rekening"]' in proposal.text


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", errors.EmptyFileError),
        (b"\xef\xbb\xbf \r\n", errors.EmptyFileError),
        (b"Tanggal;Uraian;Debet;Kredit;Saldo\n", errors.UnreadableSampleError),
        (b"halo\n", errors.UnreadableSampleError),
        (b"a;b;c\n1;2;3\n", errors.UnreadableSampleError),
        (b"%PDF-1.7", errors.BinaryContentError),
        (b"\xd0\xcf\x11\xe0", errors.BinaryContentError),
        (b"<html><table><tr><td>Tanggal</td></tr></table></html>", errors.MarkupContentError),
        (b"PK\x03\x04", errors.UnsafeArchiveError),
        (archive({"a.csv": "x"}), errors.UnreadableSampleError),
        (workbook([["a"], [1]]), errors.UnreadableSampleError),
        (mt940(":61:2602090209C1,00NTRFNONREF").encode(), errors.UnreadableSampleError),
        (fixture("camt053-batch.xml"), errors.UnreadableSampleError),
        (b"x" * (33 * 1024 * 1024), errors.OversizedFileError),
    ],
)
def test_sample_without_a_table_is_refused_by_name(
    data: bytes, error: type[BankAdapterError]
) -> None:
    """Empty, a header alone, prose, a PDF, a web page, formats that need no layout."""
    with pytest.raises(error):
        propose(data, "new-bank")


@pytest.mark.parametrize("name", ["", "A", "a b", "../a"])
def test_sample_proposed_under_no_name_is_refused(name: str) -> None:
    """Before anything is read."""
    with pytest.raises(errors.InvalidProfileError, match="small letters"):
        propose(b"", name)


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("cp1252"),
        lambda text: text.replace(";", "\t").encode(),
        lambda text: text.replace(" ", "\u00a0").encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
    ],
    ids=["bom", "utf-16", "cp1252", "tabs", "nbsp", "crlf"],
)
def test_sample_in_any_encoding_gives_the_same_rows(encode: Callable[[str], bytes]) -> None:
    """BOM, UTF-16, cp1252, tabs, hard blanks and line ends change no figure."""
    text = (
        "Tanggal;Uraian;Debet;Kredit;Saldo\n"
        "13/02/2026;CAFÉ;;Rp 1.005,00;Rp 1.005,00\n"
        "14/02/2026;B;(2.005,00);;1.000,00-\n"
    ).replace("(2.005,00)", "2.005,00")
    proposal = propose(encode(text), "new-bank")

    assert () == proposal.questions
    assert proposal.file is not None
    (statement,) = proposal.file.statements
    assert [(100500, 100500), (-200500, -100000)] == [
        (line.amount_units, line.balance_after_units) for line in statement.lines
    ]
    assert "CAFÉ" == statement.lines[0].narrative


# --- columns of values ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "period", "formats"),
    [
        (["13/02/2026", "01/02/2026"], "", ["%d/%m/%Y"]),
        (["02/13/2026", "02/01/2026"], "", ["%m/%d/%Y"]),
        (["2026-02-01"], "", ["%Y-%m-%d"]),
        (["20260201"], "", ["%Y%m%d"]),
        (["1 Februari 2026", "02-Mar-2026"], "", ["%d %b %Y", "%d-%b-%Y"]),
        (["03/02/26 08:10:47", "14/02/26"], "", ["%d/%m/%y %H:%M:%S", "%d/%m/%y"]),
        (["13/02/26", "14/02/26"], "", []),
        (["01/02/2026"], "01/02/2026 - 28/02/2026", ["%d/%m/%Y"]),
        (["02/01/2026"], "02/01/2026 - 02/28/2026", ["%m/%d/%Y"]),
        (["01/02/2026", "02/02/2026", "01/03/2026"], "", ["%d/%m/%Y"]),
        (["01/02/2026", "02/03/2026", "03/04/2026"], "", []),
        (["01/03/2026", "02/02/2026", "03/02/2026"], "", ["%m/%d/%Y"]),
        (["01/02/2026"], "", []),
        (["01/02/2026"], "1 Februari 2026 s/d 28 Februari 2026", ["%d/%m/%Y"]),
        (["30/02/2026"], "", []),
        (["01/02/1999"], "", []),
        (["13/02"], "", []),
    ],
)
def test_days_of_a_column_are_read_in_one_way_or_asked(
    texts: list[str], period: str, formats: list[str]
) -> None:
    """A part above twelve, the period, or the order of at least three days decides; else nothing."""
    found = find_dates(texts, period)

    assert formats == list(found.formats)
    assert bool(found.question) != bool(formats)


@pytest.mark.parametrize(
    ("texts", "notation"),
    [
        (["1.234,50", "5"], (",", ".")),
        (["1,234.50", "5"], (".", ",")),
        (["1.234.567"], (",", ".")),
        (["1 234,50"], (",", " ")),
        (["1'234.50"], (".", "'")),
        (["5.00"], (".", ",")),
        (["5000", "12"], (".", "")),
        ([], (".", "")),
        ([".50"], (".", ",")),
        (["Rp. 1.000,00 CR"], (",", ".")),
        (["1.234"], None),
        (["1,234", "12"], None),
        (["1.234", "1,234"], None),
        (["5.00", "5,00"], None),
        (["abc"], None),
    ],
)
def test_amounts_of_a_column_are_read_in_one_way_or_asked(
    texts: list[str], notation: tuple[str, str] | None
) -> None:
    """Two groups, both signs or two decimals decide; `1.234` alone stays open."""
    found = find_numbers(texts)
    if texts == ["abc"]:  # no digit, so it was never asked about; nothing says a notation
        assert (".", "") == (found.decimal, found.grouping)
        return

    assert notation == (None if found.question else (found.decimal, found.grouping))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("13/02/2026", True),
        ("'2026-02-13 08:00", True),
        ("13 Februari 2026", True),
        ("Feb 13, 2026", True),
        ("20260213", True),
        ("Saldo Awal", False),
        ("TOTAL 12", False),
        ("", False),
        ("1.234,00", False),
    ],
)
def test_text_looks_like_a_day_or_not(text: str, expected: bool) -> None:
    """Whatever its spelling."""
    assert expected == is_day(text)


def test_period_with_short_years_is_not_found_in_long_ones() -> None:
    """01/03/20 is no part of 01/03/2026."""
    assert () == find_period("01/03/2026 - 31/13/2026", ("%d/%m/%y",))
    assert ("%d/%m/%Y",) == find_period("01/03/2026 - 31/03/2026", ("%d/%m/%y",))


# --- any layout ------------------------------------------------------------------------------------

NAMES = {
    "day": ["Tanggal", "Tgl. Transaksi", "POSTING DATE", "Date"],
    "text": ["Uraian", "Keterangan", "Description"],
    "out": ["Debet", "MUTASI_DEBIT", "Withdrawal"],
    "in": ["Kredit", "Credit", "MUTASI_KREDIT"],
    "amount": ["Jumlah", "Nominal (Rp)", "Amount"],
    "flag": ["D/K", "Db/Cr", ""],
    "balance": ["Saldo", "Balance"],
    "other": ["Cabang", "Teller", "Terminal"],
}
SPELLINGS = ["%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y-%m-%d", "%d %b %Y", "%d/%m/%y", "%Y%m%d"]
MONTHS = ["Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des"]


@dataclass
class Drawn:
    """A table and the layout it is rendered in."""

    rows: list[tuple[date, str, int]]
    opening: int
    spelling: str
    decimal: str
    is_grouped: bool
    rule: str
    newest_first: bool
    delimiter: str
    has_balance: bool
    others: int
    places: list[int]
    names: dict[str, str] = field(default_factory=dict)

    def money(self, units: int) -> str:
        """In the drawn notation, by other code than the one under test."""
        whole, _, fraction = sen_text(abs(units)).partition(".")
        grouping = {",": ".", ".": ","}[self.decimal] if self.is_grouped else ""
        grouped = f"{int(whole):,}".replace(",", grouping)
        return f"{'-' if units < 0 else ''}{grouped}{self.decimal}{fraction}"

    def day(self, day: date) -> str:
        """In the drawn spelling, months in Indonesian."""
        return day.strftime(self.spelling.replace("%b", MONTHS[day.month - 1]))

    def records(self) -> list[list[str]]:
        """Header and rows, columns in the drawn order."""
        kinds = ["day", "text"]
        kinds += {"two_columns": ["out", "in"], "flag": ["amount", "flag"]}.get(
            self.rule, ["amount"]
        )
        kinds += ["balance"] * self.has_balance
        header = [self.names[kind] for kind in kinds] + NAMES["other"][: self.others]
        records, balance = [], self.opening
        for day, text, units in self.rows:
            balance += units
            absolute = self.money(abs(units))
            cells = {
                "day": self.day(day),
                "text": text,
                "out": absolute if units < 0 else "",
                "in": absolute if units > 0 else "",
                "amount": {
                    "flag": absolute,
                    "suffix": f"{absolute} {'DB' if units < 0 else 'CR'}",
                    "signed": self.money(units),
                }.get(self.rule, ""),
                "flag": "D" if units < 0 else "K",
                "balance": self.money(balance),
            }
            records.append([cells[kind] for kind in kinds] + ["001"] * self.others)
        if self.newest_first:
            records.reverse()
        order = sorted(range(len(header)), key=lambda n: (self.places[n % len(self.places)], n))
        return [[row[n] for n in order] for row in [header, *records]]

    def data(self) -> bytes:
        """As the bank would write it."""
        out = io.StringIO()
        writer = csv.writer(out, delimiter=self.delimiter, lineterminator="\r\n")
        writer.writerows(self.records())
        return out.getvalue().encode()


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    """Rows in the order of their days, as banks book them."""
    days = sorted(
        draw(st.lists(st.dates(date(2015, 1, 1), date(2035, 12, 31)), min_size=1, max_size=9))
        if draw(st.booleans())
        else [
            date(2026, draw(st.integers(1, 12)), day)
            for day in draw(st.lists(st.integers(1, 28), min_size=1, max_size=9))
        ]
    )
    amounts = st.integers(-(10**15), 10**15) | st.integers(-99_999_900, 99_999_900)
    rows = [
        (
            day,
            f"TEKS {n} {draw(st.sampled_from(['SP2D', 'STS', 'RETUR']))}",
            draw(amounts.filter(bool)),
        )
        for n, day in enumerate(days)
    ]
    return Drawn(
        rows=rows,
        opening=draw(st.integers(0, 10**15)),
        spelling=draw(st.sampled_from(SPELLINGS)),
        decimal=draw(st.sampled_from([".", ","])),
        is_grouped=draw(st.booleans()),
        rule=draw(st.sampled_from(["two_columns", "flag", "suffix", "signed"])),
        newest_first=draw(st.booleans()),
        delimiter=draw(st.sampled_from([",", ";", "\t", "|"])),
        has_balance=draw(st.booleans()),
        others=draw(st.integers(0, 3)),
        places=draw(st.lists(st.integers(0, 9), min_size=1, max_size=8)),
        names={kind: draw(st.sampled_from(names)) for kind, names in NAMES.items()},
    )


@settings(max_examples=300, deadline=None)
@given(drawn())
def test_table_in_any_layout_comes_back_row_by_row_or_is_asked_about(table: Drawn) -> None:
    """Day, text and amount of every row are those that were written, whatever the layout."""
    proposal = propose(table.data(), "new-bank")
    event("asked" if proposal.questions else "read")
    if proposal.questions:
        return

    assert proposal.file is not None
    (statement,) = proposal.file.statements
    read = [(line.booked_on, line.narrative, line.amount_units) for line in statement.lines]
    in_order = table.has_balance or len({day for day, _, _ in table.rows}) > 1
    if in_order:
        assert table.rows == read
    else:  # rows of one day without balances: nothing tells which was first, and it says so
        assert sorted(table.rows) == sorted(read)
    assert (True if table.has_balance else None) is statement.adds_up
    assert bool(proposal.proof) == table.has_balance


@settings(max_examples=60, deadline=None)
@given(drawn())
def test_table_that_says_enough_is_not_asked_about(table: Drawn) -> None:
    """A 13th of the month, an amount with both signs, and money both ways leave nothing open."""
    table.spelling = "%d/%m/%Y"
    table.is_grouped = True
    table.rows = [
        (date(2026, 1, 13), "A", 123_456_750),
        (date(2026, 1, 20), "B", -50),
        *((date(2026, 2, 1), text, units) for _, text, units in table.rows),
    ]
    table.has_balance = True

    assert () == propose(table.data(), "new-bank").questions


@settings(max_examples=80, deadline=None)
@given(drawn(), st.integers(0, 8), st.integers(1, 10**9))
def test_table_with_a_balance_that_is_wrong_is_never_proven(
    table: Drawn, place: int, error: int
) -> None:
    """A figure that does not follow from the others is a question, whichever row it is in."""
    table.has_balance = True
    rows = len(table.rows)
    assume(rows > 2)
    records = table.records()
    column = records[0].index(table.names["balance"])
    row = records[1 + place % rows]
    balances = {
        table.money(table.opening + sum(u for _, _, u in table.rows[: n + 1])): n
        for n in range(rows)
    }
    number = balances[row[column]]
    true = table.opening + sum(units for _, _, units in table.rows[: number + 1])
    row[column] = table.money(true + error)
    out = io.StringIO()
    csv.writer(out, delimiter=table.delimiter).writerows(records)
    proposal = propose(out.getvalue().encode(), "new-bank")

    assert proposal.questions
    assert not proposal.proof


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(CSV_FIXTURES), st.data())
def test_sample_damaged_anyhow_is_proposed_or_refused_by_name(
    name: str, data: st.DataObject
) -> None:
    """Never another error, and never a layout with a question open."""
    content = bytearray(fixture(name))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        end = min(len(content), at + data.draw(st.integers(0, 20)))
        content[at:end] = data.draw(
            st.sampled_from([b"", b";", b",", b"\n", b'"', b"9", b"\xff", b"D"])
        )
    try:
        proposal = propose(bytes(content), "new-bank")
    except BankAdapterError as refused:
        assert refused.message
        return
    assert (proposal.profile is None) <= bool(proposal.questions)


def test_names_of_all_shipped_layouts_are_known() -> None:
    """What a shipped layout reads, the proposal of its columns reads as something too."""
    for profile in all_profiles():
        header = [names[0] for names in profile.columns.values() if not names[0].startswith("#")]
        filler = ["13/02/2026"] * len(header)
        text = ";".join(header) + "\n" + ";".join(filler) + "\n"
        proposal = propose(text.encode(), "new-bank")
        assert set(header) >= set(fields(proposal)), profile.name
        assert len(fields(proposal)) >= len(header) - 1, profile.name


def test_amounts_of_a_sheet_without_texts_refuse_grouped_texts_later() -> None:
    """Numbers say nothing of a notation, so none with thousands is allowed."""
    rows: list[list[Typed]] = [
        ["Tanggal", "Uraian", "Debet", "Kredit", "Saldo"],
        [date(2026, 2, 13), "A", None, Decimal("5.50"), Decimal("5.50")],
    ]
    proposal = propose(workbook(rows), "new-bank")

    assert () == proposal.questions
    assert proposal.profile is not None
    assert (".", "", ("%Y-%m-%d",)) == (
        *(proposal.profile.decimal, proposal.profile.grouping),
        proposal.profile.date_formats,
    )
