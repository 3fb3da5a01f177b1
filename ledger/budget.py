"""
The budget as it is loaded: lines with their ceilings (DPA), and funds released on them (SPD).

Pure. A file is JSON Lines or CSV, both with the same columns; it is read strictly, and refused with
the line and the field. The shell (`budget_shell`) compares it with what stands and writes.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from audit.canonical import canonical_fast
from ledger.errors import InvalidFieldError, LedgerError
from ledger.journals import AMOUNT_MAX_SEN, check_text
from ledger.json_text import read_json
from ledger.money import InvalidAmountError, parse_sen, sen_text

__all__ = [
    "BudgetFile",
    "BudgetFileError",
    "BudgetFileLoadedError",
    "BudgetLineChangedError",
    "BudgetRow",
    "CeilingBelowUseError",
    "Entry",
    "ReleaseBelowUseError",
    "ReleaseRow",
    "UnknownReleaseError",
    "bucket_of",
    "entries_of",
    "entries_sha256",
    "line_content",
    "parse_budget_csv",
    "parse_budget_jsonl",
]

ROWS_MAX: Final = 500_000
COLUMNS: Final = (
    "type",
    "budget_line",
    "skpd",
    "skpd_name",
    "sub_kegiatan",
    "account",
    "fund_source",
    "amount",
)
_ACCOUNT = re.compile(r"(5\.[0-9]|6\.2)(\.[0-9]{2}){3}\.[0-9]{4}")
_SKPD = re.compile(r"[0-9A-Z][0-9A-Z.]{0,63}")
_SUB = re.compile(r"[0-9X][0-9X.]{0,31}")
_FUND = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/-]{0,127}")


class BudgetFileError(LedgerError):
    """A budget file can't be read: where, and why."""

    final = True

    def __init__(self, *, line: int, field: str, rule: str, value: str = "") -> None:
        super().__init__(
            f"line {line}, {field}: {rule}", line=line, field=field, rule=rule, value=value[:80]
        )


class BudgetFileLoadedError(LedgerError):
    """The last load of the year was this very file."""

    def __init__(self, *, file_sha256: str, load: int) -> None:
        super().__init__(
            f"this file is load {load} already, the last of its year",
            file_sha256=file_sha256,
            load=load,
        )


class BudgetLineChangedError(LedgerError):
    """What a budget line is for never changes; another purpose is another line."""

    def __init__(self, *, budget_line: str, field: str, stored: str, given: str) -> None:
        super().__init__(
            f"budget line {budget_line} has {field} {stored}, the file says {given}",
            budget_line=budget_line,
            field=field,
            stored=stored,
            given=given,
        )


class CeilingBelowUseError(LedgerError):
    """A ceiling may not fall below what is reserved and spent."""

    def __init__(self, *, budget_line: str, used: str, ceiling: str) -> None:
        super().__init__(
            f"budget line {budget_line}: {used} is reserved or spent, the new ceiling is {ceiling}",
            budget_line=budget_line,
            used=used,
            ceiling=ceiling,
        )


class ReleaseBelowUseError(LedgerError):
    """Released funds may not fall below what is reserved and spent."""

    def __init__(self, *, bucket: str, used: str, released: str) -> None:
        super().__init__(
            f"release {bucket}: {used} is reserved or spent, the new release is {released}",
            bucket=bucket,
            used=used,
            released=released,
        )


class UnknownReleaseError(LedgerError):
    """Funds are released on budget lines that exist, in this file or before."""

    def __init__(self, *, bucket: str) -> None:
        super().__init__(f"no budget line draws on release {bucket}", bucket=bucket)


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """A budget line (DPA): `ceiling_sen` is the whole ceiling, not the change."""

    id: str
    skpd: str
    sub_kegiatan: str
    account: str
    fund_source: str
    ceiling_sen: int
    skpd_name: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """
    Funds released (SPD), all of the year so far. Which of the three names it, is the policy
    `release_level`: budget_line, skpd and sub_kegiatan, or skpd alone.
    """

    skpd: str
    sub_kegiatan: str
    budget_line: str
    amount_sen: int


@dataclass(frozen=True, slots=True)
class BudgetFile:
    """A file that was read: its digest and its rows."""

    file_sha256: str
    rows: tuple[BudgetRow | ReleaseRow, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One figure that a load sets, as it is kept: `content` says what a line is for."""

    target: str
    id: str
    content: str
    amount_sen: int

    def form(self) -> bytes:
        """Version 1 of an entry's canonical bytes."""
        return canonical_fast([self.target, self.id, self.content, sen_text(self.amount_sen)])


def parse_budget_jsonl(data: bytes) -> BudgetFile:
    """
    Read JSON Lines: one object a line, members as in COLUMNS, all text, absent ones empty.

    `ceiling` is another name for the amount of a line.

    Raises:
        MalformedJsonError, DuplicateKeyError: A line is no JSON, or names a member twice.
        BudgetFileError: Anything else.
    """

    def records() -> Iterator[tuple[int, Mapping[str, str]]]:
        for n, raw in enumerate(data.split(b"\n"), start=1):
            if not raw.strip():
                continue
            value = read_json(raw, line=n)
            if not isinstance(value, dict):
                raise BudgetFileError(line=n, field="line", rule="is one JSON object")
            for name, text in value.items():
                if not isinstance(text, str):
                    raise BudgetFileError(line=n, field=name[:40], rule="is text", value=repr(text))
            yield n, value

    return _file(data, records())


def parse_budget_csv(data: bytes) -> BudgetFile:
    """Read CSV: comma, a header of COLUMNS in any order, UTF-8. Raises BudgetFileError."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BudgetFileError(line=1, field="file", rule="is UTF-8") from None

    def records() -> Iterator[tuple[int, Mapping[str, str]]]:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        try:
            header = next(reader, [])
            if len(set(header)) != len(header):
                raise BudgetFileError(line=1, field="header", rule="names each column once")
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    raise BudgetFileError(
                        line=reader.line_num, field="line", rule=f"has {len(header)} columns"
                    )
                yield reader.line_num, dict(zip(header, row, strict=True))
        except csv.Error as error:
            raise BudgetFileError(
                line=reader.line_num, field="line", rule="is CSV", value=str(error)
            ) from None

    return _file(data, records())


def _file(data: bytes, records: Iterable[tuple[int, Mapping[str, str]]]) -> BudgetFile:
    rows: list[BudgetRow | ReleaseRow] = []
    seen: dict[tuple[str, ...], int] = {}
    for n, record in records:
        row = _row(n, record)
        key = (
            ("line", row.id)
            if isinstance(row, BudgetRow)
            else ("release", row.skpd, row.sub_kegiatan, row.budget_line)
        )
        if key in seen:
            raise BudgetFileError(line=n, field=key[0], rule=f"stands in line {seen[key]} too")
        seen[key] = n
        rows.append(row)
        if len(rows) > ROWS_MAX:
            raise BudgetFileError(line=n, field="file", rule=f"has at most {ROWS_MAX} rows")
    if not rows:
        raise BudgetFileError(line=1, field="file", rule="holds no rows")
    return BudgetFile(hashlib.sha256(data).hexdigest(), tuple(rows))


def _row(n: int, record: Mapping[str, str]) -> BudgetRow | ReleaseRow:
    kind = record.get("type", "")
    unknown = set(record) - {*COLUMNS, "ceiling"}
    if unknown:
        raise BudgetFileError(line=n, field=min(unknown)[:40], rule="is no known column")
    if kind not in ("line", "release"):
        raise BudgetFileError(line=n, field="type", rule="is line or release", value=kind)
    if record.get("amount") and record.get("ceiling"):
        raise BudgetFileError(line=n, field="amount", rule="is given once")
    amount = _amount(n, record.get("amount") or record.get("ceiling") or "")

    def take(field: str, pattern: re.Pattern[str], rule: str, *, needed: bool) -> str:
        value = record.get(field, "")
        if (value or needed) and pattern.fullmatch(value) is None:
            raise BudgetFileError(line=n, field=field, rule=rule, value=value)
        return value

    line = kind == "line"
    budget_line = take("budget_line", _ID, "is an id of letters, digits, . _ / -", needed=line)
    skpd = take("skpd", _SKPD, "is a code of digits, capitals, points", needed=line)
    sub = take("sub_kegiatan", _SUB, "is a code of digits and points", needed=line)
    account = take("account", _ACCOUNT, "is 5.x or 6.2 of level 6", needed=line)
    fund = take("fund_source", _FUND, "is a code", needed=False)
    name = record.get("skpd_name", "")
    try:
        check_text("skpd_name", name, most=200)
    except InvalidFieldError as error:
        raise BudgetFileError(line=n, field="skpd_name", rule=error.message) from None
    if line:
        return BudgetRow(budget_line, skpd, sub, account, fund, amount, name)
    for field, value in (("account", account), ("fund_source", fund), ("skpd_name", name)):
        if value:
            raise BudgetFileError(line=n, field=field, rule="stands on lines only", value=value)
    if bool(budget_line) == bool(skpd) or (sub and not skpd):
        raise BudgetFileError(
            line=n, field="skpd", rule="a release names a budget line, or an SKPD (and its sub)"
        )
    return ReleaseRow(skpd, sub, budget_line, amount)


def _amount(n: int, text: str) -> int:
    try:
        sen = parse_sen(text)
    except InvalidAmountError as error:
        raise BudgetFileError(line=n, field="amount", rule=error.reason, value=text) from None
    if not 0 <= sen <= AMOUNT_MAX_SEN:
        raise BudgetFileError(
            line=n, field="amount", rule=f"is 0.00 to {sen_text(AMOUNT_MAX_SEN)}", value=text
        )
    return sen


def bucket_of(
    level: str, fiscal_year: int, *, skpd: str, sub_kegiatan: str, budget_line: str
) -> str:
    """
    Id of the release that a line draws on, by the government's policy.

    Raises:
        InvalidFieldError: A release row does not name what the policy asks for.
    """
    if level == "line":
        if not budget_line:
            raise InvalidFieldError("budget_line", "names the release (policy: line)", skpd)
        return f"{fiscal_year}/line/{budget_line}"
    if not skpd or bool(sub_kegiatan) != (level == "sub_kegiatan"):
        raise InvalidFieldError(
            "skpd", f"with sub_kegiatan names the release (policy: {level})", skpd or budget_line
        )
    tail = f"/{sub_kegiatan}" if sub_kegiatan else ""
    return f"{fiscal_year}/skpd/{skpd}{tail}"


def line_content(row: BudgetRow, bucket: str) -> str:
    """What a line is for, as canonical text."""
    return canonical_fast(
        {
            "skpd": row.skpd,
            "sub_kegiatan": row.sub_kegiatan,
            "account": row.account,
            "fund_source": row.fund_source,
            "bucket": bucket,
        }
    ).decode()


def entries_of(
    rows: Sequence[BudgetRow | ReleaseRow], *, level: str, fiscal_year: int
) -> list[Entry]:
    """The figures that a file sets, by target and id. Raises InvalidFieldError."""
    made: list[Entry] = []
    for row in rows:
        if isinstance(row, BudgetRow):
            bucket = bucket_of(
                level,
                fiscal_year,
                skpd=row.skpd,
                sub_kegiatan=row.sub_kegiatan if level == "sub_kegiatan" else "",
                budget_line=row.id,
            )
            made.append(Entry("line", row.id, line_content(row, bucket), row.ceiling_sen))
        else:
            bucket = bucket_of(
                level,
                fiscal_year,
                skpd=row.skpd,
                sub_kegiatan=row.sub_kegiatan,
                budget_line=row.budget_line,
            )
            made.append(Entry("release", bucket, "", row.amount_sen))
    return sorted(made, key=lambda entry: (entry.target, entry.id))


def entries_sha256(entries: Iterable[Entry]) -> str:
    """Digest over entries in order of target and id, one canonical line each, ended by LF."""
    digest = hashlib.sha256()
    for entry in entries:
        digest.update(entry.form() + b"\n")
    return digest.hexdigest()
