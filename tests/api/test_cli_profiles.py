"""`rkud profile`, and layouts of the operator's own wherever a layout may be named."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from api.cli.bank import csv_of
from bank_adapters.statements import all_profiles, parse_profile
from reconciliation.queries import MatchRow
from tests.api.commands import Book
from tests.api.support import BANK, GOVERNMENT, Served, give_role
from tests.bank_adapters.helpers import FIXTURES
from tests.bank_adapters.workbooks import workbook

HEADER = "Hari Buku;Uraian;Debet;Kredit;Saldo\n"
SAMPLE = (
    "Tanggal;Uraian;Debet;Kredit;Saldo\n"
    "13/01/2026;STS A;;250.000,00;1.250.000,00\n"
    "14/01/2026;=SP2D B;100.000,50;;1.149.999,50\n"
)


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A statement that continues the book's opening."""
    path = tmp_path / "Mutasi Jan.csv"
    path.write_text(SAMPLE)
    return path


def test_new_profile_is_shown_and_nothing_is_written(book: Book, sample: Path) -> None:
    """Columns, what was understood, rows and the proof, within 80 columns."""
    done = book.run("profile", "new", sample)

    assert [] == [line for line in done.stdout.splitlines() if len(line) > 80]
    for part in (
        "  1  Tanggal  booking day",
        "  days: day first: no other order reads every row",
        "2026-01-14  -100000.50     1149999.50  =SP2D B",
        "proof: the chain of balances: 2 rows, each from the one before",
        "Nothing was written",
    ):
        assert part in done.stdout
    assert ["data", "Mutasi Jan.csv"] == sorted(
        (path.name for path in sample.parent.iterdir()), key=str.lower
    )


def test_new_profile_is_written_once_and_replaced_only_when_asked(book: Book, sample: Path) -> None:
    """The file is a layout under the given name, else under the sample's; 0600."""
    out = sample.parent / "own.toml"
    book.run("profile", "new", sample, "--bank", "137", "-o", out)
    first = parse_profile(out.read_text())
    taken = book.json("profile", "new", sample, "--name", "other", "-o", out, code=2)
    again = book.json("profile", "new", sample, "--name", "other", "-o", out, "--force")

    assert ("mutasi-jan", "137", "target_exists") == (first.name, first.bank, taken["error"])
    assert "other" == parse_profile(out.read_text()).name
    assert out.read_text() == again["profile"]
    assert 0o600 == out.stat().st_mode & 0o777


def test_new_profile_with_a_question_ends_with_1_and_reads_nothing(
    book: Book, tmp_path: Path
) -> None:
    """The draft says where to decide; used as it is, it is refused."""
    sample, out = tmp_path / "s.csv", tmp_path / "own.toml"
    sample.write_text(SAMPLE.replace("13/01", "01/02").replace("14/01", "02/02"))
    done = book.run("profile", "new", sample, "-o", out, code=1)
    used = book.json("statement", "parse", sample, "--profile", out, code=2)

    assert "TO DECIDE: 1" in done.stdout
    assert "# DECIDE: days such as '01/02/2026' can be read in 2 ways" in out.read_text()
    assert ("invalid_profile", True) == (used["error"], "DECIDE" in used["message"])


@pytest.mark.parametrize(
    ("content", "options", "code"),
    [
        (b"", [], "empty_file"),
        (b"halo", [], "unreadable_sample"),
        (b"<html><table>", [], "markup_content"),
        (b"%PDF-1", [], "binary_content"),
        (SAMPLE.encode(), ["--name", "A B"], "invalid_profile"),
        (SAMPLE.encode(), ["--name", "bank-jatim"], "invalid_profile"),
        (None, [], "file_unreadable"),
    ],
)
def test_new_profile_of_junk_is_refused_by_name_and_writes_nothing(
    book: Book, tmp_path: Path, content: bytes | None, options: list[str], code: str
) -> None:
    """Exit code 2, with the name of what is wrong."""
    sample, out = tmp_path / "s.xls", tmp_path / "own.toml"
    if content is not None:
        sample.write_bytes(content)
    refused = book.json("profile", "new", sample, "-o", out, *options, code=2)

    assert code == refused["error"]
    assert not out.exists()


def test_profile_check_shows_figures_and_what_proves_them(book: Book, sample: Path) -> None:
    """Exit code 0 where they agree, 1 where they differ, 2 where the file is refused."""
    out = sample.parent / "own.toml"
    book.run("profile", "new", sample, "--name", "own", "-o", out)
    good = book.run("profile", "check", out, sample).stdout
    sample.write_text(SAMPLE.replace("1.149.999,50", "1.149.999,51"))
    wrong = book.run("profile", "check", out, sample, code=1).stdout
    sample.write_text(SAMPLE.replace("100.000,50", "100,000.50"))
    refused = book.run("profile", "check", out, sample, code=2).stderr

    assert f"  opening  {'1000000.00':>24}\n" in good
    assert f"  sum      {'149999.50':>24}\n" in good
    assert "proof: the chain of balances: 2 rows" in good
    assert "proof: none; the file's own figures differ" in wrong
    assert "warning balance_chain_broken at 3" in wrong
    assert refused.startswith("rkud: unreadable_amount: line 3: ")
    assert [] == [line for line in good.splitlines() if len(line) > 80]


def test_profile_check_without_balances_says_that_nothing_proves_it(book: Book) -> None:
    """And that no import takes such a file."""
    done = book.run("profile", "check", "mandiri-mcm", FIXTURES / "csv-mandiri-mcm.csv")

    assert "proof: none; the file prints no balances" in done.stdout
    assert "warning no_balance_proof" in done.stdout


def test_profile_list_shows_those_that_ship_and_ones_own(book: Book, sample: Path) -> None:
    """Name, bank, title and evidence; a broken one is named."""
    folder = book.home / "profiles"
    folder.mkdir(mode=0o700)
    book.run("profile", "new", sample, "--name", "bank-kota", "-o", folder / "bank-kota.toml")
    listed = book.json("profile", "list")
    printed = book.run("profile", "list").stdout
    (folder / "bank-kota.toml").rename(folder / "renamed.toml")
    broken = book.json("profile", "list", code=2)

    assert [*(profile.name for profile in all_profiles()), "bank-kota"] == [
        e["name"] for e in listed
    ]
    assert [True] == [each["own"] for each in listed if each["own"]]
    assert "bank-jatim (bank 114)\n  Bank Jatim, account statement" in printed
    assert [] == [line for line in printed.splitlines() if len(line) > 80]
    assert "both names must agree" in broken["message"]


def test_statement_is_parsed_and_imported_by_a_layout_of_ones_own(book: Book, sample: Path) -> None:
    """By the file's path, and by its name in the data directory; warnings are printed at import."""
    sample.write_text(SAMPLE.replace("Tanggal", "Hari Buku"))
    folder = book.home / "profiles"
    folder.mkdir(mode=0o700)
    own = folder / "bank-kota.toml"
    text = SAMPLE.replace("Tanggal", "Tgl")
    (sample.parent / "other.csv").write_text(text)
    book.run("profile", "new", sample.parent / "other.csv", "--name", "bank-kota", "-o", own)
    own.write_text(
        own.read_text().replace('["Tgl"]', '["Hari Buku"]') + '\n[labels]\nperiod = ["Periode"]\n'
    )
    sample.write_text("Periode;01/01/2026 - 13/01/2026\n" + sample.read_text())

    by_path = book.json("statement", "parse", sample, "--profile", own)
    by_name = book.json("statement", "parse", sample, "--profile", "bank-kota")
    imported = book.run(
        *("statement", "import", sample, "--account", BANK, "--profile", "bank-kota"),
        *("--quarantine",),
    )

    assert by_path == by_name
    assert ["250000.00", "-100000.50"] == [e["amount"] for e in by_path["statements"][0]["lines"]]
    assert "warning outside_period at 4: 1 entries are dated outside" in imported.stdout
    book.run("fsck")


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("nobody", "unknown_profile"),
        ("../keys/x", "unknown_profile"),
        ("nowhere.toml", "file_unreadable"),
        ("", "unknown_format"),
    ],
)
def test_statement_by_a_layout_that_is_not_there_is_refused(
    book: Book, tmp_path: Path, given: str, code: str
) -> None:
    """A name is looked up, never joined to a path."""
    sample = tmp_path / "s.csv"
    sample.write_text(HEADER + "13/01/2026;A;;5,00;5,00\n")

    assert code == book.json("statement", "parse", sample, "--profile", given, code=2)["error"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('name = "bank-jatim"', "a layout that ships has this name"),
        ("\xff", "not UTF-8"),
        ("name = ", "not TOML"),
    ],
)
def test_layout_of_ones_own_that_is_wrong_is_refused(
    book: Book, tmp_path: Path, text: str, why: str
) -> None:
    """By what is wrong with it."""
    own = tmp_path / "own.toml"
    shipped = next(each for each in all_profiles() if each.name == "bank-jatim")
    own.write_bytes(
        shipped.text.replace('name = "bank-jatim"', text, 1).encode("latin-1")
        + (b"# mine\n" if "jatim" in text else b"")
    )
    refused = book.run("profile", "check", own, FIXTURES / "csv-bsi.csv", code=2).stderr

    assert refused.startswith("rkud: invalid_profile: ")
    assert why in refused


def test_matches_that_a_sheet_would_compute_are_written_inert() -> None:
    """A bank's reference that begins with `=` stays text; a minus of an amount stays a number."""
    row = MatchRow("1", "matched", "exact", "=cmd|calc!A1", "1", "2", "+1-1", "@x", "-125.00")
    header, cells = csv.reader(csv_of([row]).decode().splitlines())

    assert list(MatchRow._fields) == header
    assert ["'=cmd|calc!A1", "1", "2", "'+1-1", "'@x", "-125.00"] == cells[3:]


def test_statement_over_http_may_name_a_layout_of_the_servers_own(
    api: Served, tmp_path: Path
) -> None:
    """A name, never a path; what is not there is refused."""
    folder = tmp_path / "profiles"
    folder.mkdir(mode=0o700)
    shipped = next(each for each in all_profiles() if each.name == "bni-simple")
    own = shipped.text.replace('"bni-simple"', '"bank-kota"').replace('"009"', '"137"')
    (folder / "bank-kota.toml").write_text(own.replace('"Uraian"', '"Berita"'))
    give_role(api.database, "svc-feed", "reconciler")
    data = b"Tgl Trans,Berita,Debet,Kredit,Saldo\n05/01/2026,X,,1.00,1000001.00\n"

    def send(profile: str, key: str) -> object:
        answer = api.client.post(
            f"/v1/governments/{GOVERNMENT}/statements",
            params={"profile": profile, "account": BANK},
            content=data,
            headers={"Idempotency-Key": key, "Content-Type": "application/octet-stream"},
        )
        return answer.status_code, answer.json().get("code")

    assert (422, "unknown_profile") == send("/profiles/bank-kota.toml", "a")
    assert (422, "unknown_profile") == send("../profiles/bank-kota", "b")
    assert (201, None) == send("bank-kota", "c")


def test_profile_of_a_sheet_is_proposed_too(book: Book, tmp_path: Path) -> None:
    """An XLSX without a name that is known: columns, days and numbers as the sheet has them."""
    sample = tmp_path / "s.xlsx"
    sample.write_bytes(
        workbook([["Tgl Buku", "Uraian", "Debet", "Kredit", "Saldo"], ["13/01/2026", "A", 0, 5, 5]])
    )
    shown = book.json("profile", "new", sample)

    assert ("sheet 1 ('S1')", 1, []) == (shown["where"], shown["header"], shown["questions"])
