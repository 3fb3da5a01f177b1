"""
Files for a bank of a signed list, and the bank's answers to them, with the operator's settings.

Settings are `files.toml` in the folder of `banks.toml`, with rails, banks and holidays beside it as the
worker reads them. Files are made again each time they are asked for and never stored: they show names
and accounts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from api.dispatch.banks import Router, UnreadableHolidaysError
from api.errors import ApiError
from bank_adapters.payments.errors import (
    InvalidPaymentSettingsError,
    PaymentError,
    UnknownMessageError,
)
from bank_adapters.payments.file_settings import (
    FILES_FILE,
    FileSettings,
    file_settings_for,
    parse_file_settings,
)
from bank_adapters.payments.list_answers import list_outcomes
from bank_adapters.payments.list_files import (
    ListFile,
    ListOrder,
    ListPart,
    SignedList,
    chosen_part,
    message_name,
    parts_of,
    sent_of,
    write_parts,
)
from bank_adapters.payments.pain001 import SentMessage
from bank_adapters.payments.pain002_xml import StatusReport, read_pain002
from bank_adapters.snap.banks_file import read_operators_file
from bank_adapters.statements.statement import Warning_, WarningJSON
from ledger.answers import Idempotency
from ledger.documents.errors import UnknownDocumentError
from ledger.documents.file_answers import ListOutcome
from ledger.documents.list_answer import SLICE_MAX, AnswerAdviceList, answer_row, to_record
from ledger.documents.list_orders import (
    OrderedList,
    check_unanswered,
    list_id,
    ordered_list,
    payee_texts,
)
from ledger.documents.numbers import document_id
from ledger.errors import InvalidFieldError
from ledger.money import Money

__all__ = [
    "FILE_ERRORS",
    "FilesMissingError",
    "ListFiles",
    "ReadAnswer",
    "list_files",
    "read_list_answer",
]


class FilesMissingError(ApiError):
    """There is no file that says which payment files a bank takes."""

    def __init__(self, *, path: str) -> None:
        super().__init__(
            f"{path} is not there: it says which payment files a bank takes", path=path
        )


#: What the operator's settings, or a list that they can't carry, are refused for.
FILE_ERRORS: Final[tuple[type[Exception], ...]] = (
    FilesMissingError,
    UnreadableHolidaysError,
    *PaymentError.__subclasses__(),
)


@dataclass(frozen=True, slots=True)
class ListFiles:
    """The files of a list in one format."""

    ordered: OrderedList
    settings: FileSettings
    files: tuple[ListFile, ...]

    def file(self, part: int) -> ListFile:
        """One of them, to be handed over. Raises SeveralFilesError, PaymentAnsweredError."""
        listed = _signed(self.ordered, {})
        chosen = chosen_part(listed, [each.part for each in self.files], part)
        check_unanswered(self.ordered, [order.reference for order in chosen.orders])
        return self.files[chosen.part - 1]

    def to_json(self) -> dict[str, Any]:
        """What would be written, without a name or an account of a payee."""
        return {
            "document": self.ordered.document,
            "number": self.ordered.number,
            "bank_account": self.ordered.content.bank_account,
            "format": self.settings.format,
            "unit": self.settings.unit,
            "list_sha256": self.ordered.content.file_sha256,
            "files": [_file_json(each) for each in self.files],
        }


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """A status report against the list that it answers; *on_day* is the bank's day, "" if it tells none."""

    ordered: OrderedList
    message_id: str
    report_id: str
    file_sha256: str
    on_day: str
    said: tuple[ListOutcome, ...]
    warnings: tuple[Warning_, ...]

    def commands(
        self, by: str, on_day: str, effective_on: str, key: str = ""
    ) -> list[AnswerAdviceList]:
        """
        The acts that record it, each under a key of its own where there is one.

        The whole report is checked before: raises what `to_record` refuses, and InvalidFieldError
        where no day is told or given.
        """
        to_record(self.ordered, self.said)
        slices = [
            self.said[at : at + SLICE_MAX] for at in range(0, max(len(self.said), 1), SLICE_MAX)
        ]
        return [
            AnswerAdviceList(
                by,
                self.ordered.document,
                some,
                self._day(on_day),
                self.file_sha256,
                effective_on,
                self._key(key, n, on_day, effective_on),
            )
            for n, some in enumerate(slices)
        ]

    def joined(self, answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The answers to those acts as one."""
        first = answers[0]
        return {
            **{name: first[name] for name in ("document", "number", "file_sha256", "on_day")},
            "payments": [row for each in answers for row in each["payments"]],
            "recorded": sum(each["recorded"] for each in answers),
            "replayed": all(each["replayed"] for each in answers),
            "dry_run": False,
            "warnings": self.warned(),
        }

    def planned(self, on_day: str) -> dict[str, Any]:
        """What that act would answer now. Raises what it refuses of the list and its states."""
        rows = to_record(self.ordered, self.said)
        return {
            "document": self.ordered.document,
            "number": self.ordered.number,
            "file_sha256": self.file_sha256,
            "on_day": self._day(on_day),
            "payments": [answer_row(row) for row in rows],
            "recorded": sum(bool(row.outcome) for row in rows),
            "replayed": False,
            "dry_run": True,
            "warnings": self.warned(),
        }

    def warned(self) -> list[WarningJSON]:
        """What is told beside the outcomes."""
        return [each.to_json() for each in self.warnings]

    def _key(self, key: str, n: int, on_day: str, effective_on: str) -> Idempotency | None:
        if not key:
            return None
        fields = [
            ("file", self.file_sha256.encode()),
            ("on_day", on_day.encode()),
            ("effective_on", effective_on.encode()),
        ]
        own = key if n == 0 else f"{sha256(key.encode()).hexdigest()}/{n}"
        return Idempotency(own, "advice-lists:answer", fields, 201)

    def _day(self, given: str) -> str:
        if not (given or self.on_day):
            raise InvalidFieldError("on_day", "is the bank's day; the report tells none", "")
        return given or self.on_day


def list_files(
    conn: Connection, government: str, document: str, folder: Path, *, name: str
) -> ListFiles:
    """
    All files of a signed list in the format *name*, the account's only one for "".

    Raises LedgerError, BankAdapterError, FilesMissingError, UnreadableHolidaysError.
    """
    ordered = ordered_list(conn, government, list_id(conn, government, document))
    settings = file_settings_for(_entries(folder), ordered.content.bank_account, name)
    listed = _signed(ordered, payee_texts(conn, government, ordered.content))
    router = Router.from_folder(folder, {})
    parts = _parts(listed, settings, router)
    return ListFiles(ordered, settings, write_parts(listed, parts, settings, router.banks))


def read_list_answer(
    conn: Connection, government: str, data: bytes, folder: Path, *, name: str = ""
) -> ReadAnswer:
    """
    A pain.002 file, held against what was sent under the message that it names. *name*: the format
    of that message, where the report does not tell.

    Raises LedgerError, BankAdapterError, FilesMissingError, UnreadableHolidaysError.
    """
    report = read_pain002([data])
    ordered, sent = _answered(conn, government, report, folder, name)
    said, warnings = list_outcomes(report, sent)
    return ReadAnswer(
        ordered,
        sent.message_id,
        report.message_id,
        sha256(data).hexdigest(),
        _day(report),
        tuple(said),
        tuple(warnings),
    )


# --- the list ------------------------------------------------------------------------------------


def _entries(folder: Path) -> tuple[FileSettings, ...]:
    """The operator's entries; what others could write is refused: it says what leaves."""
    path = folder / FILES_FILE
    if not path.exists():
        raise FilesMissingError(path=str(path))

    def text_of(named: str) -> str:
        try:
            return read_operators_file(folder / named).decode()
        except UnicodeDecodeError:
            raise InvalidPaymentSettingsError(named, "(file)", "is not text in UTF-8") from None
        except ValueError as error:
            raise InvalidPaymentSettingsError(named, "(file)", str(error)) from None

    return parse_file_settings(text_of(FILES_FILE), text_of)


def _signed(ordered: OrderedList, texts: dict[str, str]) -> SignedList:
    """The list for the writers. Without *texts* names and accounts are "", which is for reading."""
    content = ordered.content
    return SignedList(
        ordered.number,
        int(ordered.document.rpartition("-")[2]),
        content.bank_account,
        date.fromisoformat(content.transfer_on),
        ordered.signed_at,
        content.file_sha256,
        tuple(
            ListOrder(
                row.payment,
                Money(row.net_sen),
                row.bank_code,
                texts.get(row.account, ""),
                texts.get(row.name, ""),
                row.sp2d,
                row.sp2d_number,
            )
            for row in content.rows
        ),
    )


def _parts(listed: SignedList, settings: FileSettings, router: Router) -> tuple[ListPart, ...]:
    return parts_of(listed, settings, router.banks, router.table, router.is_working_day)


def _file_json(file: ListFile) -> dict[str, Any]:
    part = file.part
    return {
        "part": part.part,
        "name": file.name,
        "message_id": part.message_id,
        "sha256": file.sha256,
        "bytes": len(file.data),
        "count": len(part.orders),
        "total": str(file.total),
        "rails": dict(Counter(order.rail for order in part.orders)),
        "transfer_on": sorted({order.transfer_on.isoformat() for order in part.orders}),
        "debits": [
            {
                "reference": debit.reference,
                "amount": str(debit.amount),
                "transfer_on": debit.transfer_on.isoformat(),
            }
            for debit in part.debits
        ],
    }


# --- the answer ------------------------------------------------------------------------------------


def _answered(
    conn: Connection, government: str, report: StatusReport, folder: Path, name: str
) -> tuple[OrderedList, SentMessage]:
    """The list and the message that a report answers."""
    message_id = report.original_message_id
    named = message_name(message_id)
    if named is None:
        raise UnknownMessageError(message_id, "that is no id of a file of an advice list")
    _, code, serial, year = named.number.split("/")
    try:
        ordered = ordered_list(conn, government, document_id("advice_list", int(year), int(serial)))
    except UnknownDocumentError:
        raise UnknownMessageError(message_id, f"there is no list {named.number}") from None
    listed = _signed(ordered, {})
    if code != government or not named.is_of(listed):
        raise UnknownMessageError(message_id, "no list of this book was signed as that")
    entries = _entries(folder)
    settings = file_settings_for(
        entries, listed.bank_account, name or _format_named(report, entries, listed.bank_account)
    )
    parts = _parts(listed, settings, Router.from_folder(folder, {}))
    for part in parts:
        if part.message_id == message_id:
            return ordered, sent_of(part, settings)
    raise UnknownMessageError(
        message_id, f"by the settings of now the list has {len(parts)} files, and none is this one"
    )


def _format_named(report: StatusReport, entries: Sequence[FileSettings], bank_account: str) -> str:
    """The format that the report says it answers, where the account has it: pain.001.001.09."""
    told = report.group.fields.get("OrgnlMsgNmId", "")
    for each in entries:
        if each.account == bank_account and told.endswith(f"001.{each.format.rpartition('.')[2]}"):
            return each.format
    return ""


def _day(report: StatusReport) -> str:
    """The day in the report's CreDtTm, as the bank gave it."""
    try:
        return date.fromisoformat(report.created_at[:10]).isoformat()
    except ValueError:
        return ""
