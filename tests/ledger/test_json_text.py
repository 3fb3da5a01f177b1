"""What is no JSON, and objects that name a member twice. Pure."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import DuplicateKeyError, InvalidFieldError, LedgerError, MalformedJsonError
from ledger.journals import parse_body
from ledger.json_text import read_json

LINES = '[{"account": "1", "debit": "1.00"}, {"account": "2", "credit": "1.00"}]'
HEAD = '"reference": "R", "effective_on": "2026-11-20", "kind": "uji", "description": "x"'


@pytest.mark.parametrize(
    ("data", "line", "column", "hint"),
    [
        (b"", 1, 1, ""),
        (b" \n ", 1, 1, ""),
        (b"nonsense", 1, 1, ""),
        (b"{", 1, 2, ""),
        (b"{\n", 1, 2, ""),
        (b'{"a": 1,\n "b": }', 2, 7, ""),
        ('{"é": "ü", x}'.encode(), 1, 12, ""),
        (b'{"a": 1} {', 1, 10, ""),
        (b'{"a": 01}', 1, 8, ""),
        (b'{"a": "\x01"}', 1, 8, ""),
        (b"[NaN]", 1, 2, ""),
        (b'{"a": "\\ud800"}', 1, 8, ""),
        (b"[" * 100_000, 1, 1, ""),
        (b'{"a": "caf\xe9"}', 1, 11, ""),
        (b"\xef\xbb\xbf{}", 1, 1, "without a byte order mark"),
        ('{"a": 1}'.encode("utf-16"), 1, 1, "UTF-16"),
        ('{"a": 1}'.encode("utf-16-le"), 1, 2, "UTF-16"),
        ('{"a": 1}'.encode("utf-16-be"), 1, 1, "UTF-16"),
        ('{"a": 1}'.encode("utf-32-be"), 1, 1, "UTF-32"),
        (b"\x1f\x8b\x08\x00", 1, 2, "gzip"),
        (b"PK\x03\x04\x14\x00", 1, 1, "XLSX"),
        (b"\x00\x01\x02", 1, 1, "binary"),
    ],
)
@pytest.mark.parametrize("read", [read_json, parse_body])
def test_text_that_is_no_json_is_refused_with_its_place(
    read: Any, data: bytes, line: int, column: int, hint: str
) -> None:
    """Line and column (in characters) of the first fault; what it seems to be instead is said."""
    with pytest.raises(MalformedJsonError) as refused:
        read(data)

    values = refused.value.values
    assert (line, column) == (values["line"], values["column"]), refused.value
    assert hint in str(values["hint"])
    assert bool(hint) is bool(values["hint"])
    assert f"line {line}, column {column}" in refused.value.message


def journal(lines: str = LINES, *, head: str = HEAD, tail: str = "") -> str:
    """A journal's text; *tail* are members after its lines."""
    return "{" + head + ', "lines": ' + lines + tail + "}"


@pytest.mark.parametrize(
    ("text", "key", "field"),
    [
        ('{"debit": "1.00", "debit": "2.00"}', "debit", "debit"),
        ('{"debit" : "1.00", "debit": "2.00"}', "debit", "debit"),
        ('{"debit"\n:"1.00","debit"\t:"1.00"}', "debit", "debit"),
        ('{"d\\u0065bit": "1.00", "debit": "2.00"}', "debit", "debit"),
        ('{"a": 1, "b": 2, "b": 3, "a": 4}', "b", "b"),
        ('{"a": [1, {"b": {}}, {"b": {"c": ":", "c": 1}}]}', "c", "a[2].b.c"),
        ('[{"a": ":"}, {"a": 1, "a": 1}]', "a", "[1].a"),
        # As many colons as members and colons in texts, one of them escaped.
        ('{"a": 1, "a": 2, "b": "\\u003a"}', "a", "a"),
        ('{"a": 1, "a": 2, "b": "\\u003A"}', "a", "a"),
        ('{"\\u003a": 1, "a": 1, "a": 1}', "a", "a"),
        ('{"a": {"x": 1, "x": 2}, "a": 1}', "a", "a"),
    ],
)
def test_object_that_names_a_member_twice_is_refused(text: str, key: str, field: str) -> None:
    """However it is written; the member and its place are named."""
    with pytest.raises(DuplicateKeyError) as refused:
        read_json(text.encode())

    assert {"key": key, "field": field} == refused.value.values


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (journal(tail=', "kind": "uji"'), "kind"),
        (journal(head=f'"lines": [], {HEAD}'), "lines"),
        (
            journal(LINES.replace('"2"', '"2", "credit": "9.00"')),
            "lines[1].credit",
        ),
        # One line has the optional member twice and the other not at all.
        (
            journal(LINES.replace('"1",', '"1", "entity": "", "entity": "",')),
            "lines[0].entity",
        ),
        (journal(head=HEAD.replace('"x"', '"\\u003a"'), tail=', "kind": "uji"'), "kind"),
        (journal(tail=', "payee_name": "", "payee_name": ""'), "payee_name"),
        (journal(tail=', "payee_name": "a:b", "payee_name": ""'), "payee_name"),
        (journal(head=HEAD.replace('"x"', '"a:b", "kind" : "z"')), "kind"),
    ],
)
def test_journal_that_names_a_member_twice_is_refused(text: str, field: str) -> None:
    """Neither of two amounts is taken."""
    with pytest.raises(DuplicateKeyError) as refused:
        parse_body(text.encode(), line=7)

    assert (field, 7) == (refused.value.values["field"], refused.value.values["line"])


@pytest.mark.parametrize(
    "description", ["a: b", '\\":', '\\" :', "\\\\", '{\\"a\\": 1, \\"a\\": 2}', ":::"]
)
def test_journal_whose_texts_look_like_members_is_read(description: str) -> None:
    """Colons, quotes and braces inside a text are no members."""
    text = journal(head=HEAD.replace('"x"', f'"{description}"'))

    assert json.loads(f'"{description}"') == parse_body(text.encode()).description


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"a": [1, {"b": "x\\u0000"}]}', "a[1].b"),
        ('"\\u0000"', "body"),
        ('{"a": {"\\u0000": 1}}', "a"),
        ('{"a": "\\\\u0000"}', ""),
        ('{"a": "\\\\\\u0000"}', "a"),
    ],
)
def test_text_with_a_nul_is_refused_where_it_is_one(text: str, field: str) -> None:
    """No database keeps it. A backslash before the letters makes them letters."""
    try:
        read_json(text.encode())
    except InvalidFieldError as refused:
        assert field == refused.values["field"]
    else:
        assert "" == field


def test_place_in_a_file_counts_from_its_line() -> None:
    """A line of an import file is named by its number in the file."""
    with pytest.raises(MalformedJsonError) as refused:
        parse_body(b'{"reference": }\n', line=12)

    assert (12, 15) == (refused.value.values["line"], refused.value.values["column"])


_keys = st.sampled_from(["a", "b", "debit", ":", '":', "é", ""])
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(':" \\\n{}a', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=12,
)
_space = st.sampled_from(["", " ", "\n", "\t ", "\r\n"])


def _written(value: object, draw: Any, twins: list[str]) -> str:
    """*value* as JSON with white space anywhere, some members twice; those are added to *twins*."""
    if isinstance(value, dict):
        pairs = list(value.items())
        if pairs and draw(st.integers(0, 5)) == 0:
            pairs.append(draw(st.sampled_from(pairs)))
            twins.append(pairs[-1][0])
        parts = [
            f"{draw(_space)}{json.dumps(name, ensure_ascii=draw(st.booleans()))}{draw(_space)}:{draw(_space)}"
            f"{_written(each, draw, twins)}{draw(_space)}"
            for name, each in pairs
        ]
        return "{" + ",".join(parts) + "}"
    if isinstance(value, list):
        return (
            "["
            + ",".join(draw(_space) + _written(each, draw, twins) + draw(_space) for each in value)
            + "]"
        )
    return json.dumps(value)


@given(_values, st.data())
def test_any_text_is_read_unless_a_member_stands_twice(value: object, data: st.DataObject) -> None:
    """The quick count refuses what the slow look refuses, and nothing else."""
    twins: list[str] = []
    text = _written(value, data.draw, twins).encode()

    try:
        read = read_json(text)
    except DuplicateKeyError as refused:
        assert refused.values["key"] in twins
    else:
        assert [] == twins
        assert value == read


@pytest.mark.parametrize("text", ["1e999", "[1e999]"])
def test_number_beyond_reading_is_refused(text: str) -> None:
    """It is JSON, and no number that anything here takes."""
    with pytest.raises(InvalidFieldError):
        read_json(text.encode())


@pytest.mark.parametrize(
    "values",
    [
        {"value": "x" * 100_000},
        {"value": ["x" * 100_000]},
        {"value": 10**4_000},
        {"first": "x" * 100_000, "second": "x" * 50_000},
    ],
)
def test_long_offending_value_is_cut(values: dict[str, Any]) -> None:
    """A refusal says how a value begins and how long it is, in its message and in its values."""
    error = LedgerError(f"refused: {values}", **values)

    assert len(error.message) < 2_100
    assert len(msgspec.json.encode(error.values)) < 600


def test_cut_value_says_its_length() -> None:
    """The cut stands in the message where the value stood."""
    error = LedgerError(f"value {'x' * 1_000} is wrong", value="x" * 1_000)

    cut = "x" * 200 + "… (1000 characters)"
    assert (cut, f"value {cut} is wrong") == (error.values["value"], error.message)
