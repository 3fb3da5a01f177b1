"""Which reader a file belongs to. A reader may propose itself; two proposals are a refusal."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from bank_adapters.errors import (
    AmbiguousFormatError,
    HeaderNotFoundError,
    OversizedFileError,
    StatementFileError,
    UnknownFormatError,
    UnsafeArchiveError,
    UnsupportedFormatError,
    shown,
)
from bank_adapters.statements import camt, csv_profiles, mt940, sheets, snap_file
from bank_adapters.statements.archive import UNPACKED_BYTES_MAX, read_members
from bank_adapters.statements.profile import Profile, all_profiles, is_shipped, profile_named
from bank_adapters.statements.statement import (
    Statement,
    StatementFile,
    Warning_,
    check_count,
)
from bank_adapters.statements.text import ENCODINGS, TextFile, read_text
from bank_adapters.statements.workbook import is_workbook

SIZE_BYTES_MAX = 256 * 1024 * 1024
ARCHIVE = "zip"
FORMATS = (
    *(mt940.FORMAT, mt940.REPORT_FORMAT, camt.FORMAT, csv_profiles.FORMAT, sheets.FORMAT),
    snap_file.FORMAT,
    ARCHIVE,
)
_ARCHIVE_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_SWIFT = frozenset({mt940.FORMAT, mt940.REPORT_FORMAT})
#: Formats of one layout, which take no profile.
_FIXED = _SWIFT | {camt.FORMAT, snap_file.FORMAT}


@dataclass(frozen=True, slots=True)
class _Reader:
    label: str
    format: str
    profile: Profile | None
    claims: Callable[[TextFile], bool]
    read: Callable[[TextFile], tuple[list[Statement], list[Warning_]]]


def read_statement_file(
    data: bytes,
    *,
    format: str | None = None,
    profile: str | Profile | None = None,
    name: str | None = None,
    account: str | None = None,
    size_bytes_max: int = SIZE_BYTES_MAX,
) -> StatementFile:
    """Read the bytes of one statement file into values.

    *format* is `mt940` or `mt942` (one reader takes both), `camt` (camt.052, .053 and .054), `csv`,
    `xlsx`, `snap` (pages pulled from a bank's interface), or `zip` (an archive of such files, read in the order of their names); *profile* a layout
    of `csv` and `xlsx` by name, or one the caller read with `parse_profile`. Without them the file
    is read if exactly one reader claims it. *account* is used where the layout carries none. *name*
    is only carried along.

    Raises BankAdapterError: StatementFileError for a file that cannot be read without guessing,
    UnsupportedFormatError and UnknownProfileError for wrong use.
    """
    _check_options(format, profile)
    if len(data) > size_bytes_max:
        raise OversizedFileError(len(data), size_bytes_max)
    asked = _Asked(None if format == ARCHIVE else format, profile, account)
    read = _read(data, format, asked, name)
    if isinstance(profile, Profile) and not is_shipped(profile):
        return replace(read, profile_text=profile.text)
    return read


def _read(data: bytes, format_name: str | None, asked: "_Asked", name: str | None) -> StatementFile:
    if data.startswith(_ARCHIVE_STARTS):
        members = read_members(data)
        if not is_workbook(members):
            return _read_archive(data, members, asked, name)
        if asked.format in {None, sheets.FORMAT}:
            return _read_sheets(data, members, asked, name)
    if format_name in {sheets.FORMAT, ARCHIVE}:
        raise UnsafeArchiveError("it is no ZIP archive")
    return _read_one(data, asked, name)


class _Asked(NamedTuple):
    """What the caller asked for."""

    format: str | None
    profile: str | Profile | None
    account: str | None


def _read_one(data: bytes, asked: _Asked, name: str | None) -> StatementFile:
    """A file that is no archive."""
    if asked.format == camt.FORMAT or (asked[:2] == (None, None) and camt.claims(data)):
        statements, warnings = camt.read_camt(data)
        return _file(data, camt.FORMAT, statements, warnings, name=name)
    if asked.format == snap_file.FORMAT or (asked[:2] == (None, None) and snap_file.claims(data)):
        statements, warnings = snap_file.read_pull(data)
        return _file(data, snap_file.FORMAT, statements, warnings, name=name)
    readers = _readers(*asked)
    is_named = asked.format in _SWIFT or asked.profile is not None
    reader, text = _choose(readers, data, is_named=is_named)
    statements, warnings = reader.read(text)
    return _file(
        data,
        mt940.format_of(statements) if reader.format == mt940.FORMAT else reader.format,
        statements,
        [*text.warnings, *warnings],
        name=name,
        profile=reader.profile.name if reader.profile else None,
    )


def _read_sheets(
    data: bytes, members: Mapping[str, bytes], asked: _Asked, name: str | None
) -> StatementFile:
    profiles = all_profiles() if asked.profile is None else (_profile(asked.profile),)
    statements, warnings, used = sheets.read_sheets(members, profiles, account=asked.account)
    return _file(data, sheets.FORMAT, statements, warnings, name=name, profile=used.name)


def _read_archive(
    data: bytes, members: Mapping[str, bytes], asked: _Asked, name: str | None
) -> StatementFile:
    """Every file of an archive; one that can't be read refuses them all."""
    statements: list[Statement] = []
    warnings: list[Warning_] = []
    profiles: set[str | None] = set()
    left = UNPACKED_BYTES_MAX
    for member in sorted(members):
        content = members[member]
        inner: Mapping[str, bytes] = {}
        if content.startswith(_ARCHIVE_STARTS):
            inner = read_members(content)
            left -= sum(map(len, inner.values()))
            if not is_workbook(inner):
                raise UnsafeArchiveError(f"{shown(member)} is an archive again")
            if left < 0:
                raise UnsafeArchiveError(f"its workbooks hold more than {UNPACKED_BYTES_MAX} bytes")
        try:
            read = _read_member(content, inner, asked, member)
        except StatementFileError as refused:
            refused.in_member(member)
            raise
        statements += read.statements
        check_count(len(statements))
        profiles.add(read.profile)
        warnings += [
            Warning_(each.code, each.position, f"{member}: {each.message}")
            for each in read.warnings
        ]
    if not members:
        raise UnsafeArchiveError("it holds no file")
    profile = profiles.pop() if len(profiles) == 1 else None
    return _file(data, ARCHIVE, statements, warnings, name=name, profile=profile)


def _read_member(
    content: bytes, inner: Mapping[str, bytes], asked: _Asked, name: str
) -> StatementFile:
    if inner:
        return _read_sheets(content, inner, asked, name)
    return _read_one(content, asked, name)


def _file(
    data: bytes,
    format_name: str,
    statements: list[Statement],
    warnings: list[Warning_],
    *,
    name: str | None,
    profile: str | None = None,
) -> StatementFile:
    return StatementFile(
        file_sha256=hashlib.sha256(data).hexdigest(),
        format=format_name,
        statements=tuple(statements),
        warnings=tuple(warnings),
        profile=profile,
        name=name,
    )


def _choose(readers: list[_Reader], data: bytes, *, is_named: bool) -> tuple[_Reader, TextFile]:
    if is_named:
        (reader,) = readers
        encodings = reader.profile.encodings if reader.profile else ENCODINGS
        return reader, read_text(data, encodings)
    text = read_text(data)
    candidates = [reader for reader in readers if reader.claims(text)]
    if not candidates:
        raise UnknownFormatError(tuple(reader.label for reader in readers))
    if len(candidates) > 1:
        raise AmbiguousFormatError(tuple(reader.label for reader in candidates))
    reader = candidates[0]
    if reader.profile and reader.profile.encodings != ENCODINGS:
        text = read_text(data, reader.profile.encodings)
    return reader, text


def _check_options(format_name: str | None, profile: str | Profile | None) -> None:
    if format_name is not None and format_name not in FORMATS:
        raise UnsupportedFormatError(format_name, f"there are {', '.join(FORMATS)}")
    if profile is not None:
        if format_name in _FIXED:
            raise UnsupportedFormatError(format_name, "it has one layout and takes no profile")
        _profile(profile)


def _profile(profile: str | Profile) -> Profile:
    return profile_named(profile) if isinstance(profile, str) else profile


def _readers(
    format_name: str | None, profile: str | Profile | None, account: str | None
) -> list[_Reader]:
    if profile is not None:
        return [_csv_reader(_profile(profile), account)]
    readers = []
    if format_name is None or format_name in _SWIFT:
        readers.append(_mt940_reader())
    if format_name in {None, csv_profiles.FORMAT}:
        readers += [_csv_reader(each, account) for each in all_profiles()]
    return readers


def _mt940_reader() -> _Reader:
    return _Reader(mt940.FORMAT, mt940.FORMAT, None, mt940.claims, mt940.read_mt940)


def _csv_reader(profile: Profile, account: str | None) -> _Reader:
    def claims(text: TextFile) -> bool:
        try:
            csv_profiles.find_header(csv_profiles.text_source(text), profile)
        except HeaderNotFoundError:
            return False
        return True

    def read(text: TextFile) -> tuple[list[Statement], list[Warning_]]:
        return csv_profiles.read_table(csv_profiles.text_source(text), profile, account=account)

    label = f"{csv_profiles.FORMAT} with profile {profile.name}"
    return _Reader(label, csv_profiles.FORMAT, profile, claims, read)
