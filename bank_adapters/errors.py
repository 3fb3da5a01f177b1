"""What the bank adapters refuse, by name.

BankAdapterError
├── InvalidProfileError           a layout description contradicts itself
├── UnknownProfileError           no layout of that name
├── UnsupportedFormatError        no reader of that name, or options that do not go together
├── UnwritableStatementError      the MT940 writer was given what the format cannot carry
└── StatementFileError            a file that cannot be read without guessing
    ├── EmptyFileError, OversizedFileError, BinaryContentError, UndecodableTextError
    ├── TooManyStatementsError    more statements or pages than any bank's file holds
    ├── UnreadableSampleError     no table in it that a layout could be made of
    ├── MarkupContentError        a web page, or a sheet as XML, under a sheet's name
    ├── UnsafeArchiveError        a ZIP that can't be unpacked within limits
    ├── UnknownFormatError        no reader knows it
    ├── AmbiguousFormatError      several readers claim it
    ├── UnsupportedMessageError   a message other than a statement, a report or an advice
    ├── StatementNotFoundError    readable text without a statement of the named format
    ├── HeaderNotFoundError       no header row of the named layout
    ├── MalformedXmlError, DoctypeForbiddenError, UnreadableElementError
    ├── UnreadableEntryError, UnreadableBalanceError, UnreadableRowError
    ├── UnreadableAmountError, UnreadableDateError
    ├── DayMonthSwappedError      days that were, or may have been, read as months
    └── CurrencyMismatchError     one statement in two currencies

`position` is the 1-based line of the file, or None where the whole file is meant.
"""

import re

_SHOWN_CHARACTERS_MAX = 120


class BankAdapterError(Exception):
    """Base of all refusals of this folder."""

    code = "bank_adapter"
    position: int | None = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        name = cls.__name__.removesuffix("Error")
        cls.code = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()

    @property
    def message(self) -> str:
        """The sentence that says what is wrong with the values."""
        return str(self)


def shown(text: str) -> str:
    """Quote *text* for a message: escaped, and cut where it is long."""
    if len(text) > _SHOWN_CHARACTERS_MAX:
        return f"{text[:_SHOWN_CHARACTERS_MAX]!r}..."
    return repr(text)


class InvalidProfileError(BankAdapterError):
    """A layout description lacks something or contradicts itself."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"profile {name}: {reason}")
        self.name = name
        self.reason = reason


class UnknownProfileError(BankAdapterError):
    """No layout has that name."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no profile is named {shown(name)}; there are {', '.join(known)}")
        self.name = name
        self.known = known


class UnsupportedFormatError(BankAdapterError):
    """No reader has that name, or the options do not go together."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"format {shown(name)}: {reason}")
        self.name = name
        self.reason = reason


class UnwritableStatementError(BankAdapterError):
    """A value that an MT940 field cannot carry without changing it."""

    def __init__(self, field: str, value: str, reason: str) -> None:
        super().__init__(f"{field} {shown(value)} {reason}")
        self.field = field
        self.value = value
        self.reason = reason


class StatementFileError(BankAdapterError):
    """A file that cannot be read without guessing. `member` is its name within an archive."""

    member: str | None = None

    def __init__(self, message: str, *, position: int | None = None) -> None:
        super().__init__(message if position is None else f"line {position}: {message}")
        self.position = position

    def in_member(self, member: str) -> None:
        """Say in which file of an archive it was."""
        self.member = member
        self.args = (f"{shown(member)}: {self}",)


class EmptyFileError(StatementFileError):
    """The file has no bytes, or nothing but white space."""

    def __init__(self) -> None:
        super().__init__("the file is empty")


class OversizedFileError(StatementFileError):
    """The file is larger than this reader was told to take into memory."""

    def __init__(self, size_bytes: int, size_bytes_max: int) -> None:
        super().__init__(f"the file has {size_bytes} bytes; at most {size_bytes_max} are read")
        self.size_bytes = size_bytes
        self.size_bytes_max = size_bytes_max


class TooManyStatementsError(StatementFileError):
    """More statements, or pages of them, than any bank's file holds."""

    def __init__(self, count: int, maximum: int) -> None:
        super().__init__(f"{count} statements or pages in one file; at most {maximum} are read")
        self.count = count
        self.maximum = maximum


class UnsafeArchiveError(StatementFileError):
    """A ZIP archive that is damaged, encrypted, or too large once it is unpacked."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the archive is refused: {reason}")
        self.reason = reason


class BinaryContentError(StatementFileError):
    """The bytes are not text (an archive, a PDF, a sheet, noise)."""

    def __init__(self, kind: str, *, position: int | None = None) -> None:
        super().__init__(f"the file is not text but {kind}", position=position)
        self.kind = kind


class UnreadableSampleError(StatementFileError):
    """A sample file without a table that a layout could be made of."""

    def __init__(self, reason: str, *, position: int | None = None) -> None:
        super().__init__(f"no layout can be made of this sample: {reason}", position=position)
        self.reason = reason


class MarkupContentError(StatementFileError):
    """A web page or an XML sheet, which some banks call .xls; nothing here reads its tables."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"the file is {kind}; save it as XLSX, or ask the bank for CSV or XLSX")
        self.kind = kind


class UndecodableTextError(StatementFileError):
    """The bytes are not text in any of the encodings that the file or its layout names."""

    def __init__(self, encodings: tuple[str, ...]) -> None:
        super().__init__(f"the bytes are not text in {', '.join(encodings)}")
        self.encodings = encodings


class UnknownFormatError(StatementFileError):
    """No reader knows the file."""

    def __init__(self, asked: tuple[str, ...]) -> None:
        super().__init__(f"no reader knows this file (asked: {', '.join(asked)})")
        self.asked = asked


class AmbiguousFormatError(StatementFileError):
    """Several readers claim the file; the caller must say which is right."""

    def __init__(self, candidates: tuple[str, ...]) -> None:
        super().__init__(f"several readers claim this file: {', '.join(candidates)}; name one")
        self.candidates = candidates


class UnsupportedMessageError(StatementFileError):
    """A message that reports no entries of an account (an MT103, a pain.002)."""

    def __init__(self, message_type: str, *, position: int) -> None:
        super().__init__(f"this is {message_type}, not a statement", position=position)
        self.message_type = message_type


class StatementNotFoundError(StatementFileError):
    """The text holds no statement of the format it was said to be in."""

    def __init__(self, format_name: str) -> None:
        super().__init__(f"the text holds no {format_name} statement")
        self.format_name = format_name


class HeaderNotFoundError(StatementFileError):
    """No row carries the column names of the layout."""

    def __init__(
        self,
        profile: str,
        columns: tuple[str, ...],
        *,
        missing: tuple[str, ...] = (),
        position: int | None = None,
    ) -> None:
        """*missing* are the columns that the nearest row, at *position*, lacks."""
        nearest = f"; the nearest row lacks {', '.join(missing)}" if missing else ""
        super().__init__(
            f"no row has the columns of profile {profile}: {', '.join(columns)}{nearest}",
            position=position,
        )
        self.profile = profile
        self.columns = columns
        self.missing = missing


class MalformedXmlError(StatementFileError):
    """The XML is not well-formed: cut off, nested without end, or no XML at all."""

    def __init__(self, reason: str, *, position: int | None = None) -> None:
        super().__init__(f"the XML is not well-formed: {reason}", position=position)
        self.reason = reason


class DoctypeForbiddenError(StatementFileError):
    """The XML has a DOCTYPE, which no bank needs and which can hide entities."""

    def __init__(self, *, position: int) -> None:
        super().__init__("the XML has a DOCTYPE, which is refused unread", position=position)


class UnreadableElementError(StatementFileError):
    """An element of an XML message that lacks, stands twice, or holds what it must not.

    `position` counts what *element* names (`entry` or `statement`) through the file, from 1.
    """

    def __init__(self, element: str, position: int, name: str, text: str, reason: str) -> None:
        found = f" {shown(text)}" if text else ""
        super().__init__(f"{element} {position}: {name}{found}: {reason}")
        self.element = element
        self.position = position
        self.name = name
        self.text = text
        self.reason = reason


class UnreadableEntryError(StatementFileError):
    """A `:61:` field that does not follow its grammar, or was cut."""

    def __init__(self, text: str, reason: str, *, position: int) -> None:
        super().__init__(f"{reason}: {shown(text)}", position=position)
        self.text = text
        self.reason = reason


class UnreadableBalanceError(UnreadableEntryError):
    """A balance field that does not follow its grammar, or was cut."""


class UnreadableRowError(UnreadableEntryError):
    """A row of a sheet that is neither an entry nor a known header, footer or check row."""


class UnreadableAmountError(StatementFileError):
    """An amount that could be read in two ways, or in none."""

    def __init__(self, text: str, reason: str, *, position: int) -> None:
        super().__init__(f"amount {shown(text)}: {reason}", position=position)
        self.text = text
        self.reason = reason


class UnreadableDateError(StatementFileError):
    """A date in none of the spellings of the layout."""

    def __init__(self, text: str, *, position: int) -> None:
        super().__init__(f"{shown(text)} is not a date as this layout writes it", position=position)
        self.text = text


class DayMonthSwappedError(StatementFileError):
    """Day and month of a date stand the other way round than the layout or the other rows say."""

    def __init__(self, reason: str, *, position: int) -> None:
        super().__init__(f"day and month are swapped: {reason}", position=position)
        self.reason = reason


class CurrencyMismatchError(StatementFileError):
    """Balances of one statement name different currencies."""

    def __init__(self, first: str, second: str, *, position: int) -> None:
        super().__init__(f"one statement in {first} and in {second}", position=position)
        self.currencies = (first, second)
