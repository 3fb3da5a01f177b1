"""Which reader a file belongs to. A reader may propose itself; two proposals are a refusal."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from bank_adapters.errors import (
    AmbiguousFormatError,
    HeaderNotFoundError,
    OversizedFileError,
    UnknownFormatError,
    UnsupportedFormatError,
)
from bank_adapters.statements import camt, csv_profiles, mt940
from bank_adapters.statements.profile import Profile, all_profiles, profile_named
from bank_adapters.statements.statement import Statement, StatementFile, Warning_
from bank_adapters.statements.text import ENCODINGS, TextFile, read_text

SIZE_BYTES_MAX = 256 * 1024 * 1024
FORMATS = (mt940.FORMAT, mt940.REPORT_FORMAT, camt.FORMAT, csv_profiles.FORMAT)
_SWIFT = frozenset({mt940.FORMAT, mt940.REPORT_FORMAT})


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

    *format* is `mt940` or `mt942` (one reader takes both), `camt` (camt.052, .053 and .054) or
    `csv`; *profile* a layout of `csv` by name, or one the caller read with `parse_profile`. Without
    them the file is read if exactly one reader claims it. *account* is used where the layout
    carries none. *name* is only carried along.

    Raises BankAdapterError: StatementFileError for a file that cannot be read without guessing,
    UnsupportedFormatError and UnknownProfileError for wrong use.
    """
    readers = _readers(format, profile, account)
    if len(data) > size_bytes_max:
        raise OversizedFileError(len(data), size_bytes_max)
    if format == camt.FORMAT or (format is None and profile is None and camt.claims(data)):
        statements, warnings = camt.read_camt(data)
        return _file(data, camt.FORMAT, statements, warnings, name=name)
    reader, text = _choose(readers, data, is_named=format in _SWIFT or profile is not None)
    statements, warnings = reader.read(text)
    return _file(
        data,
        mt940.format_of(statements) if reader.format == mt940.FORMAT else reader.format,
        statements,
        [*text.warnings, *warnings],
        name=name,
        profile=reader.profile.name if reader.profile else None,
    )


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


def _readers(
    format_name: str | None, profile: str | Profile | None, account: str | None
) -> list[_Reader]:
    if format_name is not None and format_name not in FORMATS:
        raise UnsupportedFormatError(format_name, f"there are {', '.join(FORMATS)}")
    if profile is not None:
        if format_name in {*_SWIFT, camt.FORMAT}:
            raise UnsupportedFormatError(format_name, "it has one layout and takes no profile")
        found = profile_named(profile) if isinstance(profile, str) else profile
        return [_csv_reader(found, account)]
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
            csv_profiles.find_header(text, profile)
        except HeaderNotFoundError:
            return False
        return True

    def read(text: TextFile) -> tuple[list[Statement], list[Warning_]]:
        return csv_profiles.read_csv(text, profile, account=account)

    label = f"{csv_profiles.FORMAT} with profile {profile.name}"
    return _Reader(label, csv_profiles.FORMAT, profile, claims, read)
