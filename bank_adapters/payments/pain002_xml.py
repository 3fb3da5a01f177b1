"""
pain.002 (customer payment status report) to values, as it stands; `pain002` says what it means.

Pure. Every version is read by local names; a DOCTYPE is refused before anything behind it is read,
and a report is at most 64 MiB. Positions count groups, payments and transactions, each from 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from xml.parsers import expat

from bank_adapters.errors import (
    DoctypeForbiddenError,
    MalformedXmlError,
    OversizedFileError,
    UnreadableElementError,
)
from bank_adapters.payments.errors import StatusReportNotFoundError
from bank_adapters.payments.texts import NOT_PROVIDED
from bank_adapters.xml_bytes import CHUNK_BYTES, DEPTH_MAX, check_declared, parser_input

__all__ = ["SIZE_BYTES_MAX", "Level", "PaymentSaid", "Said", "StatusReport", "read_pain002"]

SIZE_BYTES_MAX: Final = 64 << 20

Level = Literal["group", "payment", "transaction"]

#: The second is the root of the versions before 001.03, which have transactions right below it.
_REPORTS: Final = ("CstmrPmtStsRpt", "pain.002.001.02")
_OPENS: Final[dict[str, Level]] = {
    "OrgnlGrpInfAndSts": "group",
    "OrgnlPmtInfAndSts": "payment",
    "TxInfAndSts": "transaction",
}
_COMMON: Final = frozenset({"StsRsnInf/Rsn/Cd", "StsRsnInf/Rsn/Prtry", "StsRsnInf/AddtlInf"})
_WANTED: Final[dict[Level, frozenset[str]]] = {
    "group": _COMMON | {"OrgnlMsgId", "OrgnlMsgNmId", "OrgnlNbOfTxs", "OrgnlCtrlSum", "GrpSts"},
    "payment": _COMMON | {"OrgnlPmtInfId", "OrgnlNbOfTxs", "OrgnlCtrlSum", "PmtInfSts"},
    "transaction": _COMMON
    | {"OrgnlInstrId", "OrgnlEndToEndId", "TxSts", "AcctSvcrRef", "OrgnlTxRef/Amt/InstdAmt"},
}
_STATUS: Final[dict[Level, str]] = {
    "group": "GrpSts",
    "payment": "PmtInfSts",
    "transaction": "TxSts",
}


@dataclass(frozen=True, slots=True)
class Said:
    """What one level of the report says. `status` is "" where it says none.

    fields: single texts by path (`OrgnlTxRef/Amt/InstdAmt`, its currency under `...@Ccy`). reasons:
    codes. message: the bank's words. raw: the bytes of the element (as UTF-8 where the file is UTF-16).
    """

    level: Level
    position: int
    status: str
    fields: Mapping[str, str]
    reasons: tuple[str, ...]
    message: str
    raw: bytes

    def reference(self, name: str) -> str:
        """An id that the bank repeats, "" where it says that there is none."""
        found = self.fields.get(name, "")
        return "" if found in NOT_PROVIDED else found


@dataclass(frozen=True, slots=True)
class PaymentSaid:
    """A payment block and its transactions; `said` is None for transactions below no block."""

    said: Said | None
    transactions: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class StatusReport:
    """One report. `group` is what it says of the whole original message.

    message_id, created_at: its own id, and its CreDtTm as it stands; "" where it has none.
    """

    message_id: str
    created_at: str
    group: Said
    payments: tuple[PaymentSaid, ...]

    @property
    def original_message_id(self) -> str:
        """The MsgId that the report answers, "" where it names none."""
        return self.group.reference("OrgnlMsgId")


def read_pain002(chunks: Iterable[bytes]) -> StatusReport:
    """The report of a file, given in any pieces.

    Raises EmptyFileError, OversizedFileError, UndecodableTextError, MalformedXmlError,
    DoctypeForbiddenError, UnreadableElementError, StatusReportNotFoundError.
    """
    is_wide, pieces = parser_input(chunks)
    reader = _Reader(expat.ParserCreate("utf-8" if is_wide else None, " "))
    parser = reader.parser
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    parser.StartDoctypeDeclHandler = reader.doctype
    if not is_wide:
        parser.XmlDeclHandler = reader.declared
    try:
        for piece in pieces:
            for at in range(0, len(piece), CHUNK_BYTES):
                chunk = piece[at : at + CHUNK_BYTES]
                reader.seen += chunk
                if len(reader.seen) > SIZE_BYTES_MAX:
                    raise OversizedFileError(len(reader.seen), SIZE_BYTES_MAX)
                parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise MalformedXmlError(expat.ErrorString(error.code), position=error.lineno) from None
    return reader.report()


@dataclass(slots=True)
class _Open:
    """A level while its elements come in."""

    level: Level
    depth: int
    starts_at: int
    fields: dict[str, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    message: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Reader:
    """Expat's handlers, and the report so far."""

    parser: Any
    seen: bytearray = field(default_factory=bytearray)
    _path: list[str] = field(default_factory=list)
    _report_depth: int = 0
    _open: list[_Open] = field(default_factory=list)
    _text: str = ""
    #: Depths of the open elements whose text is wanted and in which another element began.
    _divided: set[int] = field(default_factory=set)
    _message_id: str = ""
    _created_at: str = ""
    _first: str = ""
    _counts: dict[Level, int] = field(default_factory=lambda: dict.fromkeys(_STATUS, 0))
    _group: Said | None = None
    _payments: list[PaymentSaid] = field(default_factory=list)
    _transactions: list[Said] = field(default_factory=list)

    def report(self) -> StatusReport:
        """What was read. Raises StatusReportNotFoundError, UnreadableElementError."""
        if self._report_depth == 0:
            raise StatusReportNotFoundError(self._first)
        if self._group is None:
            raise UnreadableElementError("report", 1, "OrgnlGrpInfAndSts", "", "is missing")
        return StatusReport(self._message_id, self._created_at, self._group, tuple(self._payments))

    def declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None:
            check_declared(encoding)

    def doctype(self, *_: object) -> None:
        raise DoctypeForbiddenError(position=self.parser.CurrentLineNumber)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        path = self._path
        if self._open and (key := self._key()):
            self._refuse_mixed(key, self._text.strip())
            self._divided.add(len(path))
        path.append(local)
        depth = len(path)
        self._text = ""
        if depth > DEPTH_MAX:
            raise MalformedXmlError(f"more than {DEPTH_MAX} elements within each other")
        if not self._first or (depth == 2 and self._first == "Document"):
            self._first = local
        if self._report_depth == 0:
            if local in _REPORTS:
                self._report_depth = depth
            return
        level = _OPENS.get(local)
        if level is not None and depth == self._within(level):
            self._counts[level] += 1
            self._open.append(_Open(level, depth, self.parser.CurrentByteIndex))
        elif "Ccy" in attributes and self._open and (key := self._key()):
            self._open[-1].fields[f"{key}@Ccy"] = attributes["Ccy"]

    def data(self, text: str) -> None:
        self._text += text

    def end(self, _name: str) -> None:
        path, text = self._path, self._text.strip()
        depth = len(path)
        if self._open and self._open[-1].depth == depth:
            self._close(self._open.pop())
        elif self._open:
            if text and (key := self._key()):
                if depth in self._divided:
                    self._refuse_mixed(key, text)
                self._keep(self._open[-1], key, text)
        elif self._report_depth and path[self._report_depth :] == ["GrpHdr", "MsgId"]:
            self._message_id = text
        elif self._report_depth and path[self._report_depth :] == ["GrpHdr", "CreDtTm"]:
            self._created_at = text
        self._text = ""
        self._divided.discard(depth)
        path.pop()

    def _within(self, level: Level) -> int:
        """The depth at which a level may open: nothing deeper (supplementary data) is one."""
        inner = self._open[-1] if self._open else None
        if inner is None:
            return self._report_depth + 1
        return inner.depth + 1 if (inner.level, level) == ("payment", "transaction") else 0

    def _key(self) -> str:
        opened = self._open[-1]
        key = "/".join(self._path[opened.depth :])
        return key if key in _WANTED[opened.level] else ""

    def _refuse_mixed(self, key: str, text: str) -> None:
        """Text beside an element is cut text: `RJ<b/>CT` is no status. None is fine."""
        if text:
            level = self._open[-1].level
            reason = "text and elements side by side"
            raise UnreadableElementError(level, self._counts[level], key, text, reason)

    def _keep(self, opened: _Open, key: str, text: str) -> None:
        if key == "StsRsnInf/AddtlInf":
            opened.message.append(text)
        elif key in _COMMON:
            opened.reasons.append(text)
        elif key in opened.fields:
            n = self._counts[opened.level]
            raise UnreadableElementError(opened.level, n, key, text, "stands twice")
        else:
            opened.fields[key] = text

    def _close(self, opened: _Open) -> None:
        level = opened.level
        # Expat stands at the closing tag; an empty element has none, and ends at the first mark.
        ends_at = self.seen.index(b">", self.parser.CurrentByteIndex) + 1
        said = Said(
            level,
            self._counts[level],
            opened.fields.get(_STATUS[level], ""),
            opened.fields,
            tuple(opened.reasons),
            " ".join(opened.message),
            bytes(self.seen[opened.starts_at : ends_at]),
        )
        if level == "group":
            if self._group is not None:
                raise UnreadableElementError("group", 2, "OrgnlGrpInfAndSts", "", "stands twice")
            self._group = said
        elif level == "payment":
            self._payments.append(PaymentSaid(said, tuple(self._transactions)))
            self._transactions = []
        elif self._open:
            self._transactions.append(said)
        else:
            self._payments.append(PaymentSaid(None, (said,)))
