"""Budget files: what is read, and what is refused with line and field. Pure."""

from __future__ import annotations

import json

import pytest

from ledger.budget import (
    BudgetFileError,
    BudgetRow,
    Entry,
    ReleaseRow,
    bucket_of,
    entries_of,
    entries_sha256,
    parse_budget_csv,
    parse_budget_jsonl,
)
from ledger.errors import InvalidFieldError, LedgerError

LINE = {
    "type": "line",
    "budget_line": "BL-1",
    "skpd": "1.02.0.00.0.00.01.0000",
    "skpd_name": "Dinas Kesehatan",
    "sub_kegiatan": "1.02.01.2.01.0003",
    "account": "5.1.02.01.01.0024",
    "fund_source": "1.1.01",
    "ceiling": "1000.00",
}
RELEASE = {
    "type": "release",
    "skpd": "1.02.0.00.0.00.01.0000",
    "sub_kegiatan": "1.02.01.2.01.0003",
    "amount": "800.00",
}


def jsonl(*records: dict[str, object]) -> bytes:
    """A file of these records."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def test_budget_jsonl_and_csv_read_the_same_rows() -> None:
    """Both formats hold the same columns, in any order."""
    read = parse_budget_jsonl(jsonl(LINE, RELEASE))
    header = "amount,type,budget_line,skpd,skpd_name,sub_kegiatan,account,fund_source\r\n"
    line = "1000.00,line,BL-1,{skpd},Dinas Kesehatan,{sub_kegiatan},{account},1.1.01\r\n"
    release = "800.00,release,,{skpd},,{sub_kegiatan},,\r\n"
    csv = (header + (line + release).format(**LINE)).encode()

    expected = (
        BudgetRow(
            "BL-1",
            "1.02.0.00.0.00.01.0000",
            "1.02.01.2.01.0003",
            "5.1.02.01.01.0024",
            "1.1.01",
            100_000,
            "Dinas Kesehatan",
        ),
        ReleaseRow("1.02.0.00.0.00.01.0000", "1.02.01.2.01.0003", "", 80_000),
    )
    assert expected == read.rows == parse_budget_csv(csv).rows
    assert expected == parse_budget_csv(b"\xef\xbb\xbf" + csv).rows
    assert read.file_sha256 != parse_budget_csv(csv).file_sha256


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"type": "spending"}, "type"),
        ({"budget_line": ""}, "budget_line"),
        ({"budget_line": "BL 1"}, "budget_line"),
        ({"skpd": "dinas"}, "skpd"),
        ({"sub_kegiatan": ""}, "sub_kegiatan"),
        ({"account": "8.1.02.01.01.0024"}, "account"),
        ({"account": "6.1.01.01.01.0001"}, "account"),
        ({"account": "5.1.02.01"}, "account"),
        ({"account": "5.1.2.1.1.24"}, "account"),
        ({"ceiling": "1.000,00"}, "amount"),
        ({"ceiling": "1e3"}, "amount"),
        ({"ceiling": "-1.00"}, "amount"),
        ({"ceiling": ""}, "amount"),
        ({"ceiling": 1000}, "ceiling"),
        ({"amount": "1.00"}, "amount"),
        ({"skpd_name": "a\nb"}, "skpd_name"),
        ({"ceilling": "1.00"}, "ceilling"),
    ],
)
def test_budget_line_of_another_form_is_refused_with_its_place(
    changes: dict[str, object], field: str
) -> None:
    """The refusal names the line of the file and the field."""
    with pytest.raises(BudgetFileError) as refused:
        parse_budget_jsonl(jsonl(RELEASE, LINE | changes))

    assert (2, field) == (refused.value.values["line"], refused.value.values["field"])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"account": "5.1.02.01.01.0024"}, "account"),
        ({"fund_source": "1.1"}, "fund_source"),
        ({"skpd": "", "sub_kegiatan": ""}, "skpd"),
        ({"budget_line": "BL-1"}, "skpd"),
        ({"skpd": ""}, "skpd"),
    ],
)
def test_release_that_names_no_single_target_is_refused(
    changes: dict[str, object], field: str
) -> None:
    """A release is on a line, or on an SKPD with or without its sub kegiatan."""
    with pytest.raises(BudgetFileError) as refused:
        parse_budget_jsonl(jsonl(RELEASE | changes))

    assert (1, field) == (refused.value.values["line"], refused.value.values["field"])


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b"", "budget_file", 1),
        (b"\n\n", "budget_file", 1),
        (b"\n{", "malformed_json", 2),
        (b"[]", "budget_file", 1),
        (b"[" * 100_000, "malformed_json", 1),
        (b"\xff\xfe", "malformed_json", 1),
        (b'{"type":"line","type":"release"}', "duplicate_key", 1),
        (b'\n{"type":"line","amount":"1.00","amount":"2.00"}', "duplicate_key", 2),
    ],
)
def test_budget_jsonl_that_is_none_is_refused(data: bytes, code: str, line: int) -> None:
    """No rows, no JSON, no object, a member that stands twice."""
    with pytest.raises(LedgerError) as refused:
        parse_budget_jsonl(data)

    assert (code, line) == (refused.value.code, refused.value.values["line"])


@pytest.mark.parametrize(
    ("data", "line", "field"),
    [
        (b"\xff", 1, "file"),
        (b"type,type\nline,line\n", 1, "header"),
        (b"type,amount\nline\n", 2, "line"),
        (b'type,amount\n"line\n', 2, "line"),
        (b"type,amount\n", 1, "file"),
    ],
)
def test_budget_csv_that_is_none_is_refused(data: bytes, line: int, field: str) -> None:
    """Another encoding, a column twice, a short row, an open quote, no rows."""
    with pytest.raises(BudgetFileError) as refused:
        parse_budget_csv(data)

    assert (line, field) == (refused.value.values["line"], refused.value.values["field"])


def test_budget_row_that_stands_twice_is_refused() -> None:
    """One figure per line and release in a file; the refusal names both places."""
    with pytest.raises(BudgetFileError) as refused:
        parse_budget_jsonl(jsonl(LINE, RELEASE, LINE | {"ceiling": "5.00"}))

    assert (3, "stands in line 1 too") == (
        refused.value.values["line"],
        refused.value.values["rule"],
    )


@pytest.mark.parametrize(
    ("level", "names", "expected"),
    [
        ("line", ("", "", "BL-1"), "2026/line/BL-1"),
        ("sub_kegiatan", ("1.02", "1.02.01", ""), "2026/skpd/1.02/1.02.01"),
        ("skpd", ("1.02", "", ""), "2026/skpd/1.02"),
    ],
)
def test_release_is_named_as_the_policy_says(
    level: str, names: tuple[str, str, str], expected: str
) -> None:
    """One id per line, per sub kegiatan or per SKPD of a year."""
    skpd, sub, line = names

    assert expected == bucket_of(level, 2026, skpd=skpd, sub_kegiatan=sub, budget_line=line)


@pytest.mark.parametrize(
    ("level", "names"),
    [
        ("line", ("1.02", "1.02.01", "")),
        ("sub_kegiatan", ("1.02", "", "")),
        ("skpd", ("1.02", "1.02.01", "")),
        ("skpd", ("", "", "BL-1")),
    ],
)
def test_release_named_otherwise_than_the_policy_is_refused(
    level: str, names: tuple[str, str, str]
) -> None:
    """A release never falls on another level by accident."""
    skpd, sub, line = names
    with pytest.raises(InvalidFieldError):
        bucket_of(level, 2026, skpd=skpd, sub_kegiatan=sub, budget_line=line)


def test_entries_digest_is_pinned_and_needs_no_order_of_the_file() -> None:
    """The same figures give the same digest, whatever order the file has."""
    rows = [parse_budget_jsonl(jsonl(record)).rows[0] for record in (LINE, RELEASE)]
    entries = entries_of(rows, level="sub_kegiatan", fiscal_year=2026)
    turned = entries_of(rows[::-1], level="sub_kegiatan", fiscal_year=2026)

    assert entries == turned
    assert ["line", "release"] == [entry.target for entry in entries]
    assert entries_sha256(entries) != entries_sha256(
        [Entry("line", "BL-1", entries[0].content, 1), entries[1]]
    )
    assert b'["release","2026/skpd/1.02.0.00.0.00.01.0000/1.02.01.2.01.0003","","800.00"]' == (
        entries[1].form()
    )
