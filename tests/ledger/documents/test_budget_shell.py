"""Loading budgets: ceilings and releases follow the files, and never fall below what is in use."""

from __future__ import annotations

import pytest

from api.engine import begin
from ledger.budget import BudgetRow, ReleaseRow
from ledger.budget_shell import LoadBudget
from ledger.documents.spm import AcceptSpm, RegisterSpm
from tests.builders import SKPD
from tests.databases import Database
from tests.ledger.documents.office import LINE, LINE_2, SUB, Office

BUCKET = f"2026/skpd/{SKPD}/{SUB}"


def row(line: str, ceiling: int, **changes: str) -> BudgetRow:
    """The usual line with another ceiling."""
    accounts = {LINE: "5.1.02.01.01.0024", LINE_2: "5.1.02.01.01.0025"}
    values = {
        "skpd": SKPD,
        "sub_kegiatan": SUB,
        "account": accounts.get(line, "5.1.02.01.01.0026"),
        "fund_source": "1.1.01",
    } | changes
    return BudgetRow(line, ceiling_sen=ceiling, **values)


def test_budget_loaded_makes_skpd_lines_and_releases(on_issue: Office) -> None:
    """A new SKPD is a leaf of its own; a line without a release has a bucket of nothing."""
    other = "2.09.0.00.0.00.03.0000"
    answer = on_issue.load(
        BudgetRow("BL-9", other, SUB, "5.1.02.01.01.0024", "1.1.01", 500, "Dinas Baru")
    )

    assert (1, 1) == (answer["entries"], answer["new_lines"])
    assert (500, 0, 0) == on_issue.line("BL-9")
    assert (0, 0, 0) == on_issue.bucket(f"2026/skpd/{other}/{SUB}")
    assert "Dinas Baru" == on_issue.scalar(
        "SELECT name FROM entity WHERE government = :government AND code = :code", code=other
    )
    assert [] == on_issue.findings()


def test_budget_loaded_again_moves_figures_by_the_difference(on_issue: Office) -> None:
    """What a file names takes its figure, what it does not name stands."""
    on_issue.accept(amount="1000.00")
    on_issue.load(row(LINE, 1_000_00), ReleaseRow(SKPD, SUB, "", 1_000_00))
    on_issue.load(row(LINE, 5_000_00))

    assert (5_000_00, 1_000_00, 0) == on_issue.line(LINE)
    assert (1_000_000_00, 0, 0) == on_issue.line(LINE_2)
    assert (1_000_00, 1_000_00, 0) == on_issue.bucket()
    assert [] == on_issue.findings()


def test_budget_below_what_is_in_use_is_refused(on_issue: Office) -> None:
    """Room that is reserved or spent can't be taken away, to the sen."""
    on_issue.accept(amount="600.00")
    on_issue.issue(amount="400.00")
    load = LoadBudget("anggaran", 2026, "a" * 64, [row(LINE, 999_99)])
    code, values = on_issue.refused(load)
    assert ("ceiling_below_use", LINE, "1000.00", "999.99") == (
        code,
        values["budget_line"],
        values["used"],
        values["ceiling"],
    )
    code, values = on_issue.refused(
        LoadBudget("anggaran", 2026, "a" * 64, [ReleaseRow(SKPD, SUB, "", 999_99)])
    )
    assert ("release_below_use", BUCKET) == (code, values["bucket"])
    on_issue.load(row(LINE, 1_000_00), ReleaseRow(SKPD, SUB, "", 1_000_00))

    assert (1_000_00, 600_00, 400_00) == on_issue.line(LINE)


def test_budget_that_does_not_fit_is_refused_by_name(on_issue: Office) -> None:
    """Another purpose, the same codes twice, unknown accounts, releases, years and persons."""
    usual = row(LINE, 1_000_000_00)
    cases = [
        ([row(LINE, 1, account="5.1.02.01.01.0026")], "budget_line_changed"),
        ([row(LINE, 1, skpd="9.99")], "budget_line_changed"),
        ([row(LINE, 1, sub_kegiatan="1.02.01.2.01.0004")], "budget_line_changed"),
        ([row("BL-8", 1, account="5.1.02.01.01.0024")], "invalid_field"),
        ([row("BL-8", 1), row("BL-9", 1)], "invalid_field"),
        ([row("BL-8", 1, account="5.9.99.99.99.9999")], "unknown_account"),
        ([ReleaseRow("9.99", SUB, "", 1)], "unknown_release"),
        ([ReleaseRow(SKPD, "", "", 1)], "invalid_field"),
    ]
    for rows, code in cases:
        assert code == on_issue.refused(LoadBudget("anggaran", 2026, "a" * 64, rows))[0]
    assert "not_granted" == on_issue.refused(LoadBudget("kuasa", 2026, "a" * 64, [usual]))[0]
    year = LoadBudget("anggaran", 2024, "a" * 64, [usual])
    assert "fiscal_year_not_open" == on_issue.refused(year)[0]
    year = LoadBudget("anggaran", 2025, "a" * 64, [usual])
    assert "budget_line_changed" == on_issue.refused(year)[0]


def test_budget_file_that_was_the_last_is_refused(on_issue: Office) -> None:
    """The same file twice in a row is a mistake; after another one it is a decision."""
    on_issue.load(row(LINE, 1_000_000_00), sha256="b" * 64)
    again = LoadBudget("anggaran", 2026, "b" * 64, [row(LINE, 1_000_000_00)])
    code, values = on_issue.refused(again)
    assert ("budget_file_loaded", 2) == (code, values["load"])
    on_issue.load(row(LINE, 2_000_000_00))
    on_issue.do(again)

    assert (1_000_000_00, 0, 0) == on_issue.line(LINE)
    assert [] == on_issue.findings()


def test_budget_loaded_and_used_in_one_batch_is_seen(on_issue: Office) -> None:
    """A command of the same batch draws on a line that came a moment ago."""
    spm = on_issue.register(on_issue.spm_body("500.00"))
    envelope = on_issue.sign("pa", spm, "spm.sign")
    results = on_issue.run(
        LoadBudget("anggaran", 2026, "c" * 64, [row(LINE, 400_00), row("BL-9", 900_00)]),
        AcceptSpm("maker", spm, "pa", envelope),
        LoadBudget("anggaran", 2026, "d" * 64, [row(LINE, 500_00)]),
        AcceptSpm("maker", spm, "pa", envelope),
    )

    assert [True, False, True, True] == [hasattr(result, "answer") for result in results]
    assert (500_00, 500_00, 0) == on_issue.line(LINE)
    assert [] == on_issue.findings()


@pytest.mark.parametrize("level", ["line", "skpd"])
def test_release_level_of_the_government_names_the_buckets(level: str, database: Database) -> None:
    """Lines share a release, or have one each, as the government decided."""
    from api.engine import make_engine  # noqa: PLC0415
    from ledger.opening import open_book  # noqa: PLC0415
    from tests.builders import NOW, TODAY, new_book  # noqa: PLC0415

    engine = make_engine(database.url)
    with begin(engine) as conn:
        open_book(conn, new_book(release_level=level), now=NOW, today=TODAY)
    office = Office(engine, "36")
    office.open_office("anggaran")
    releases = {
        "line": (ReleaseRow("", "", LINE, 300), ReleaseRow("", "", LINE_2, 200)),
        "skpd": (ReleaseRow(SKPD, "", "", 500),),
    }[level]
    office.load(row(LINE, 1_000), row(LINE_2, 1_000), *releases)
    buckets = {"line": f"2026/line/{LINE}", "skpd": f"2026/skpd/{SKPD}"}

    assert ({"line": 300, "skpd": 500}[level], 0, 0) == office.bucket(buckets[level])
    assert [] == office.findings()
    engine.dispose()


def test_spm_registered_in_the_batch_of_its_budget_is_accepted_by_line(on_issue: Office) -> None:
    """The line is known to the registration that follows its load."""
    body = on_issue.spm_body("500.00")
    body.lines[0].budget_line = "BL-9"
    results = on_issue.run(
        LoadBudget("anggaran", 2026, "c" * 64, [row("BL-9", 900_00)]),
        RegisterSpm("maker", body),
    )

    assert all(hasattr(result, "answer") for result in results)
