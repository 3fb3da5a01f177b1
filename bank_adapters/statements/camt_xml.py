"""The XML of a camt message to plain fields, one entry at a time.

Expat calls us for each element; what a statement, a balance, an entry or a transaction says is
gathered in a dictionary by its path below that element (`Refs/EndToEndId`; an amount's currency
under `Amt@Ccy`). Namespaces and versions (camt.053.001.02 and later) do not matter here: elements
go by their local names. Nothing is kept once it was handed on, so memory does not grow with the
file. A DOCTYPE is refused before anything behind it is read: entities, inner or outer, are then
impossible.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, NoReturn
from xml.parsers import expat

from bank_adapters.errors import (
    DoctypeForbiddenError,
    MalformedXmlError,
    StatementFileError,
    StatementNotFoundError,
    UnreadableElementError,
    UnsupportedMessageError,
)
from bank_adapters.statements.camt_shapes import Shapes
from bank_adapters.xml_bytes import CHUNK_BYTES, DEPTH_MAX, check_declared, parser_input

__all__ = ["CHUNK_BYTES", "FORMAT", "End", "Entry", "Fields", "Head", "Part", "read_parts"]

FORMAT: Final = "camt"
#: Elements that differ in name or place; each is remembered. A message uses a few hundred.
_NAMES_MAX: Final = 10_000
_NAMESPACE: Final = re.compile(
    r"urn:(?:iso|swift):.*?((?:camt|pain|pacs|head|admi)\.[0-9]{3})\.[0-9]{3}(?:\.[0-9]{2})?"
)

#: Below the root: message and its statements, by the local names of all versions.
_MESSAGES: Final = {
    "BkToCstmrStmt": ("camt.053", "Stmt"),
    "BkToCstmrAcctRpt": ("camt.052", "Rpt"),
    "BkToCstmrDbtCdtNtfctn": ("camt.054", "Ntfctn"),
}
_PAGES: Final = frozenset({"StmtPgntn", "RptPgntn", "NtfctnPgntn"})

Fields = dict[str, Any]
"""Text by path; a list of texts for the paths of `_REPEATED`."""

_STATEMENT: Final = frozenset(
    {
        "Id",
        "ElctrncSeqNb",
        "LglSeqNb",
        "Acct/Id/IBAN",
        "Acct/Id/Othr/Id",
        "Acct/Ccy",
        "Acct/Svcr/FinInstnId/BICFI",
        "Acct/Svcr/FinInstnId/BIC",
        "Pgntn/PgNb",
        "Pgntn/LastPgInd",
        "TxsSummry/TtlNtries/NbOfNtries",
        "TxsSummry/TtlCdtNtries/NbOfNtries",
        "TxsSummry/TtlCdtNtries/Sum",
        "TxsSummry/TtlDbtNtries/NbOfNtries",
        "TxsSummry/TtlDbtNtries/Sum",
        "AddtlStmtInf",
        "AddtlRptInf",
        "AddtlNtfctnInf",
    }
)
_BALANCE: Final = frozenset(
    {"Tp/CdOrPrtry/Cd", "Tp/CdOrPrtry/Prtry", "Amt", "CdtDbtInd", "Dt/Dt", "Dt/DtTm"}
)
_BOTH: Final = frozenset(
    {
        "Amt",
        "CdtDbtInd",
        "BkTxCd/Domn/Cd",
        "BkTxCd/Domn/Fmly/Cd",
        "BkTxCd/Domn/Fmly/SubFmlyCd",
        "BkTxCd/Prtry/Cd",
        "Chrgs/TtlChrgsAndTaxAmt",
        "Chrgs/Amt",
        "Chrgs/Rcrd/Amt",
    }
)
_ENTRY: Final = _BOTH | {
    "RvslInd",
    "Sts",
    "Sts/Cd",
    "Sts/Prtry",
    "BookgDt/Dt",
    "BookgDt/DtTm",
    "ValDt/Dt",
    "ValDt/DtTm",
    "AcctSvcrRef",
    "AddtlNtryInf",
    "NtryDtls/Btch/MsgId",
    "NtryDtls/Btch/PmtInfId",
}
_TRANSACTION: Final = _BOTH | {
    "Refs/AcctSvcrRef",
    "Refs/PmtInfId",
    "Refs/InstrId",
    "Refs/EndToEndId",
    "Refs/TxId",
    "AmtDtls/TxAmt/Amt",
    "RltdPties/Dbtr/Nm",
    "RltdPties/Dbtr/Pty/Nm",
    "RltdPties/Cdtr/Nm",
    "RltdPties/Cdtr/Pty/Nm",
    "RmtInf/Ustrd",
    "RmtInf/Strd/CdtrRefInf/Ref",
    "RmtInf/Strd/AddtlRmtInf",
    "AddtlTxInf",
    "RtrInf/Rsn/Cd",
    "RtrInf/AddtlInf",
}
_REPEATED: Final = frozenset(
    {
        "RmtInf/Ustrd",
        "RmtInf/Strd/CdtrRefInf/Ref",
        "RmtInf/Strd/AddtlRmtInf",
        "RtrInf/AddtlInf",
        "Chrgs/TtlChrgsAndTaxAmt",
        "Chrgs/Amt",
        "Chrgs/Rcrd/Amt",
        "NtryDtls/Btch/MsgId",
        "NtryDtls/Btch/PmtInfId",
    }
)

_ENTRY_TAG: Final = re.compile(rb"<((?:[A-Za-z_][A-Za-z0-9_.-]*:)?Ntry)>")

_Context = Literal["", "statement", "balance", "entry", "transaction"]
_WANTED: Final[dict[_Context, frozenset[str]]] = {
    "": frozenset(),
    "statement": _STATEMENT,
    "balance": _BALANCE,
    "entry": _ENTRY,
    "transaction": _TRANSACTION,
}


@dataclass(frozen=True, slots=True)
class Head:
    """A statement's own fields and balances, known when its first entry begins or it ends.

    `n` is its place in the file (from 1); `message` is `camt.052`, `camt.053` or `camt.054`.
    """

    n: int
    message: str
    fields: Fields
    balances: list[Fields]


class Entry(NamedTuple):
    """An entry, its place among the file's entries (from 1), and its text as it stands."""

    n: int
    fields: Fields
    transactions: list[Fields]
    raw: str


@dataclass(frozen=True, slots=True)
class End:
    """A statement is over; `head` has what stood behind its entries too."""

    head: Head


Part = Head | Entry | End


def read_parts(chunks: Iterable[bytes]) -> Iterator[Part]:
    """The statements of a message, each as its head, its entries and its end; no head without entries.

    *chunks* are the file's bytes in any pieces. Raises EmptyFileError, UndecodableTextError,
    MalformedXmlError, DoctypeForbiddenError, UnreadableElementError, UnsupportedMessageError,
    StatementNotFoundError.
    """
    is_wide, pieces = parser_input(chunks)
    gatherer = _gatherer("utf-8" if is_wide else None)
    for piece in pieces:
        yield from gatherer.feed(piece)
    yield from gatherer.feed(b"", is_last=True)
    if not gatherer.statements:
        raise gatherer.nothing_found()


def _gatherer(encoding: str | None) -> _Gatherer:
    """A gatherer with its parser; *encoding* None: the one that the message declares."""
    parser = expat.ParserCreate(encoding, " ")
    gatherer = _Gatherer(parser)
    parser.buffer_text = True
    gatherer.listen(to_elements=True)
    parser.StartDoctypeDeclHandler = gatherer.doctype
    if encoding is None:
        parser.XmlDeclHandler = gatherer.declared
    return gatherer


class _Node(dict[str, "_Node"]):
    """An element's place in the tree of names: made once, however often it occurs."""

    __slots__ = (
        "context",
        "depth",
        "holds_statements",
        "key",
        "local",
        "message",
        "name",
        "opens",
        "parent",
        "path",
        "repeated",
        "root",
        "size",
    )

    def __init__(self, parent: _Node | None, name: str) -> None:
        super().__init__()
        self.parent = parent
        self.name = name
        self.local = name.rpartition(" ")[2]
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.root: _Node = self if parent is None else parent.root
        #: Of the root: how many the tree has.
        self.size = 0
        #: The message that this element is, or in which it stands.
        self.message = ""
        #: Whether it is the message itself: statements stand right below it and nowhere else.
        self.holds_statements = False
        #: What is gathered here: for an element that opens a context, the new one.
        self.context: _Context = ""
        self.opens = False
        self.path = ""
        #: `path` where the context wants its text, else "".
        self.key = ""
        self.repeated = False

    def __missing__(self, name: str) -> _Node:
        node = _Node(self, name)
        if node.depth > DEPTH_MAX:
            raise MalformedXmlError(f"more than {DEPTH_MAX} elements within each other")
        self.root.size += 1
        if self.root.size > _NAMES_MAX:
            raise MalformedXmlError(f"more than {_NAMES_MAX} different elements")
        if self.message:
            node.message = self.message
            node.opens, node.context = _opened(self, node.local)
            if not node.opens:
                node.context = self.context
                local = "Pgntn" if node.local in _PAGES else node.local
                node.path = local if self.opens else f"{self.path}/{local}"
                node.key = node.path if node.path in _WANTED[node.context] else ""
                node.repeated = node.key in _REPEATED
        elif self.local == "Document":
            message = _MESSAGES.get(node.local.removesuffix("V01"))
            node.message = message[0] if message else ""
            node.holds_statements = message is not None
        self[name] = node
        return node


def _opened(parent: _Node, local: str) -> tuple[bool, _Context]:
    if not parent.context:
        is_one = parent.holds_statements and (parent.message, local) in _MESSAGES.values()
        return is_one, "statement" if is_one else ""
    if parent.context == "statement" and parent.opens and local in {"Bal", "Ntry"}:
        return True, "balance" if local == "Bal" else "entry"
    if parent.context == "entry" and parent.path == "NtryDtls" and local == "TxDtls":
        return True, "transaction"
    return False, ""


@dataclass(slots=True)
class _Gatherer:
    """Expat's handlers. What is complete waits in `parts` to be taken."""

    parser: Any
    parts: list[Part] = field(default_factory=list)
    #: Bytes from `window_from` on; an entry's text is cut from them.
    window: bytes = b""
    window_from: int = 0
    encoding: str = "utf-8"
    statements: int = 0
    entries: int = 0
    _node: _Node = field(default_factory=lambda: _Node(None, ""))
    _text: str = ""
    #: Elements whose text is wanted, in which another element began.
    _divided: list[_Node] = field(default_factory=list)
    _fields: Fields = field(default_factory=dict)
    _head: Head | None = None
    _entry: Fields = field(default_factory=dict)
    _entry_from: int = -1
    _transactions: list[Fields] = field(default_factory=list)
    #: The statement whose head was handed on.
    _announced: int = 0
    #: Known from the first entry on.
    _shapes: Shapes | None = None
    #: Whether the first entry was written so that the others can be found by their tags.
    _is_plain: bool = True
    #: A place outside of comments, CDATA and instructions, behind which none was seen; -1: unknown.
    _clear_from: int = -1

    def feed(self, chunk: bytes, *, is_last: bool = False) -> list[Part]:
        """Raises MalformedXmlError, DoctypeForbiddenError, UnreadableElementError."""
        self.window += chunk
        try:
            at = self._shaped(chunk) if self._is_plain else 0
            self.parser.Parse(chunk[at:] if at else chunk, is_last)
        except expat.ExpatError as error:
            raise MalformedXmlError(expat.ErrorString(error.code), position=error.lineno) from None
        # Expat may not have looked at the last bytes yet: the start of a tag, cut by the chunk.
        looked_at = max(self.parser.CurrentByteIndex, self.window_from)
        kept = self._entry_from if self._entry_from >= 0 else looked_at
        if not self._is_clear(kept):
            self._clear_from = -1
        self.window = self.window[kept - self.window_from :]
        self.window_from = kept
        parts, self.parts = self.parts, []
        return parts

    def _shaped(self, chunk: bytes) -> int:
        """Read *chunk* as far as entries have a shape; where that ends."""
        chunk_from = self.window_from + len(self.window) - len(chunk)
        at = 0
        if self._shapes is None:
            first = _ENTRY_TAG.search(chunk)
            if first is None:
                return 0
            at = first.end()
            self.parser.Parse(chunk[:at], False)
        while (shapes := self._shapes) is not None:
            start = chunk.find(shapes.start, at)
            if start < 0:
                break
            self.parser.Parse(chunk[at:start], False)
            at = start
            if not self._is_clear(chunk_from + start):
                break  # a comment's `<Ntry>` is text
            if self._is_ready(chunk_from + start):
                at = self._run(shapes, chunk, start)
            if at == start:
                at += len(shapes.start)
                self.parser.Parse(chunk[start:at], False)
        return at

    def _is_clear(self, at: int) -> bool:
        """Whether no comment, CDATA or instruction can be open at *at*, the start of a tag or text."""
        if not 0 <= self._clear_from < at:
            return self._clear_from >= at
        first, last = self._clear_from - self.window_from, at - self.window_from
        if self.window.find(b"<!", first, last) >= 0 or self.window.find(b"<?", first, last) >= 0:
            return False
        self._clear_from = at
        return True

    def _is_ready(self, at: int) -> bool:
        """Whether an entry may begin at *at*, and expat has looked at all tags before it.

        Newer versions of expat put off small pieces behind a tag that was cut.
        """
        last_tag = self.window.rfind(b"<", 0, at - self.window_from)
        is_there = self.parser.CurrentByteIndex >= self.window_from + last_tag
        node = self._node
        return is_there and node.opens and node.context == "statement"

    def _run(self, shapes: Shapes, chunk: bytes, start: int) -> int:
        """Read entries that follow one another from *start* on; the end of the last."""
        head = self._head
        if head is None:
            raise AssertionError("an entry stands within a statement")
        read: list[Part] = []
        end = start
        following = start
        while chunk.startswith(shapes.start, following):
            last = chunk.find(shapes.end, following) + len(shapes.end)
            if last < len(shapes.end):
                break
            raw = chunk[following:last].decode(self.encoding, "replace")
            found = shapes.read(raw)
            if found is None:
                break
            self.entries += 1
            read.append(Entry(self.entries, *found, raw))
            end = last
            following = chunk.find(b"<", end)
        if read:
            self.listen(to_elements=False)
            self.parser.Parse(chunk[start:end], False)
            self.listen(to_elements=True)
            self._clear_from = self.window_from + len(self.window) - len(chunk) + end
            if self._announced != head.n:
                self._announced = head.n
                self.parts.append(head)
            self.parts += read
        return end

    def listen(self, *, to_elements: bool) -> None:
        parser = self.parser
        parser.StartElementHandler = self.start if to_elements else None
        parser.EndElementHandler = self.end if to_elements else None
        parser.CharacterDataHandler = self.data if to_elements else None

    def nothing_found(self) -> StatementFileError:
        """Why a whole message gave no statement."""
        names = [name for node in self._tree() for name in node]
        for name in names:
            if found := _NAMESPACE.match(name):
                message = found[1]
                if message not in {each for each, _ in _MESSAGES.values()}:
                    return UnsupportedMessageError(message, position=1)
        return StatementNotFoundError(FORMAT)

    def _tree(self) -> list[_Node]:
        root = self._node
        while root.parent is not None:
            root = root.parent
        return [root, *root.values()]

    # --- handlers ------------------------------------------------------------------------------

    def declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None:
            check_declared(encoding)
            self.encoding = encoding

    def doctype(self, *_: object) -> None:
        raise DoctypeForbiddenError(position=self.parser.CurrentLineNumber)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._node.key:
            self._divide(self._node)
        node = self._node = self._node[name]
        self._text = ""
        if node.opens:
            self._open(node)
        elif attributes and node.key and "Ccy" in attributes:
            self._fields[f"{node.key}@Ccy"] = attributes["Ccy"]

    def data(self, text: str) -> None:
        self._text += text

    def end(self, _name: str) -> None:
        node = self._node
        if node.parent is not None:
            self._node = node.parent
        if key := node.key:
            text = self._text.strip()
            if self._divided and self._divided[-1] is node:
                self._divided.pop()
                if text:
                    self._refuse_mixed(key, text)
            if text:
                self._keep(node, key, text)
        elif node.opens:
            self._close(node)
        self._text = ""

    # --- contexts ------------------------------------------------------------------------------

    def _keep(self, node: _Node, key: str, text: str) -> None:
        fields = self._fields
        if node.repeated:
            fields.setdefault(key, []).append(text)
        elif key in fields:
            element, n = self._place()
            raise UnreadableElementError(element, n, key, text, "stands twice")
        else:
            fields[key] = text

    def _divide(self, node: _Node) -> None:
        """An element begins in one whose text is wanted: `1<b/>000.00` is not 000.00."""
        if text := self._text.strip():
            self._refuse_mixed(node.key, text)
        if not self._divided or self._divided[-1] is not node:
            self._divided.append(node)

    def _refuse_mixed(self, key: str, text: str) -> NoReturn:
        element, n = self._place()
        raise UnreadableElementError(element, n, key, text, "text and elements side by side")

    def _place(self) -> tuple[str, int]:
        if self._entry_from >= 0:
            return "entry", self.entries
        return "statement", self.statements

    def _open(self, node: _Node) -> None:
        self._fields = {}
        if node.context == "statement":
            self.statements += 1
            self._head = Head(self.statements, node.message, self._fields, [])
        elif node.context == "entry":
            self.entries += 1
            self._entry = self._fields
            self._entry_from = self._clear_from = self.parser.CurrentByteIndex
            if self._is_plain and self._shapes is None:
                self._learn(node)
            self._transactions = []

    def _learn(self, node: _Node) -> None:
        """How entries begin in this file; from the next chunk on they may be read by their shapes."""
        begun = _ENTRY_TAG.match(self.window, self._entry_from - self.window_from)
        if begun is None:
            self._is_plain = False
        else:
            self._shapes = Shapes(node, node.name, begun[1].decode())

    def _close(self, node: _Node) -> None:
        head = self._head
        if head is None:
            raise AssertionError("a balance or an entry opens within a statement")
        if node.context == "transaction":
            self._transactions.append(self._fields)
            self._fields = self._entry
            return
        if node.context == "statement":
            self.parts.append(End(head))
            self._head, self._fields = None, {}
            return
        if node.context == "balance":
            head.balances.append(self._fields)
        else:
            if self._announced != head.n:
                self._announced = head.n
                self.parts.append(head)
            self.parts.append(Entry(self.entries, self._entry, self._transactions, self._raw()))
            self._entry_from = -1
        self._fields = head.fields

    def _raw(self) -> str:
        last = self.parser.CurrentByteIndex - self.window_from
        if self.window.startswith(b"</", last):  # expat stands behind a tag that is both, <Ntry/>
            last = self.window.index(b">", last) + 1
        self._clear_from = self.window_from + last
        return self.window[self._entry_from - self.window_from : last].decode(
            self.encoding, "replace"
        )
