"""
Replay the documents that order money: their moves, hands, numbers and officers' signatures.

Standard library and `cryptography` only. An officer's signature counts when the key was enrolled for
that person by an earlier leaf and not revoked by one, and when the statement says what the document
says: this log, this document and revision, this role, amount, lines and payees, and a nonce used once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from audit.canonical import canonical, parse_canonical
from audit.curve import load_public_key
from audit.dsse import parse_envelope, verify
from audit.errors import AuditError
from audit.replay_payments import Payments
from audit.statement import Statement, parse_statement
from audit.verdict import Verdict

__all__ = ["Documents", "OfficerKey"]

Fail = Callable[..., None]
Attachment = Callable[[int, str], bytes | None]
Holds = Callable[[str, str, str, str], bool]

#: Serials of SP2Ds that were issued while SIPD was away begin behind this one.
_CONTINUITY_FROM: Final = 900_000
#: Hands of which no two may be one person, over an SP2D and the SPM that it pays.
_HANDS: Final = ("signer", "maker", "verifier", "approver")
#: Moves of documents signed in this house that count only with the officer's own signature.
_SIGNED_MOVES: Final = {
    ("spm", "sign"),
    ("sp2d", "verify"),
    ("sp2d", "sign"),
    ("advice_list", "verify"),
    ("advice_list", "sign"),
}


@dataclass(slots=True)
class OfficerKey:
    """A key of an officer, and the leaves that enrolled and revoked it."""

    person: str
    public: bytes
    enrolled_at: int
    revoked_at: int | None = None


@dataclass(slots=True)
class _Document:
    kind: str
    revision: str
    state: str = ""
    moves: int = 0
    content: dict[str, Any] | None = None
    hands: dict[str, str] = field(default_factory=dict)
    origin: str = "own"
    on_cair: bool = False


class Documents:
    """Every document as its moves so far made it."""

    def __init__(
        self,
        origin: str,
        attachment: Attachment,
        fail: Fail,
        lost: Callable[[], None],
        keys: Mapping[str, OfficerKey],
        holds: Holds,
        proposed_at: Callable[[str], int | None],
    ) -> None:
        self.today = ""
        #: budget line -> sen that accepted orders hold, before what journals of theirs spent
        self.reserved: dict[str, int] = {}
        #: what budget files set: ceilings by line, released funds, the release of each line
        self.ceilings: dict[str, int] = {}
        self.released: dict[str, int] = {}
        self.buckets: dict[str, str] = {}
        self.budgets_whole = True
        self.origin = origin
        self._attachment = attachment
        self._fail = fail
        self._lost = lost
        self._keys = keys
        self._holds = holds
        self._documents: dict[str, _Document] = {}
        self._nonces: set[str] = set()
        self._numbers: dict[tuple[str, str], set[str]] = {}
        self._issued: dict[tuple[str, bool], int] = {}
        self._loose: dict[int, tuple[str, int]] = {}  # journals that no move has claimed yet
        self._signatures = 0
        self._moves = 0
        self.payments = Payments(fail, self._claim, proposed_at)

    # --- documents ----------------------------------------------------------------------------

    def moved(self, index: int, by: str, _act: str, data: dict[str, Any]) -> None:
        """One move of one document."""
        self._moves += 1
        name, kind, move = data["document"], data["kind"], data["move"]
        document = self._documents.get(name)
        if document is None:
            document = self._documents[name] = _Document(kind, data["revision"])
            document.content = self._content(index, data)
            if document.content is not None:
                document.origin = str(document.content.get("origin", "own"))
        document.moves += 1
        if (data["n"], data["from"], data["revision"], kind) != (
            document.moves,
            document.state,
            document.revision,
            document.kind,
        ):
            self._fail("wrong_move", f"{name}: {move} does not follow its last move", index)
        document.state, document.moves = data["to"], data["n"]
        self._check_hand(index, by, name, document, data)
        if (kind, move) in _SIGNED_MOVES:
            self._check_signature(index, by, name, document, data)
        if number := data.get("number"):
            self._number(index, name, document, str(number))
        journal = data.get("journal")
        if isinstance(journal, int):
            owner = self._loose.pop(journal, None)
            if owner is None or owner[0] != name:
                self._fail(
                    "wrong_journal", f"{name}: journal {journal} is not its own", index, journal
                )
        if document.content is None:
            return
        if kind == "spm":
            self._reserve(document.content, {"accept": 1, "return": -1}.get(move, 0))
        elif kind == "sp2d":
            self._sp2d_moved(index, name, document, data)
        elif kind == "advice_list":
            self._list_moved(index, document.content, data)

    def _sp2d_moved(self, index: int, name: str, document: _Document, data: dict[str, Any]) -> None:
        """What issuing and cancelling do to reservations, commitments and payments."""
        content: dict[str, Any] = document.content or {}
        if "recognition" in data:
            document.on_cair = data["recognition"] == "on_cair"
            told, payees = data["payments"], content["payees"]
            if told["count"] != len(payees):
                self._fail("wrong_move", f"{name}: {told['count']} payments are told", index)
            for n, payee in enumerate(payees):
                self.payments.ordered(
                    index,
                    f"P{told['year'] % 100:02d}-{told['first'] + n:08d}",
                    name,
                    _sen(payee["gross"]) - _sen(payee["deduction"]),
                    content["bank_account"],
                    on_cair=document.on_cair,
                )
        elif data["move"] == "cancel":
            self._take_booked_again(index, {name})
            self.payments.cancelled(index, name, on_cair=document.on_cair)
            if document.on_cair:
                self._reserve(content, -1)

    def _list_moved(self, index: int, content: dict[str, Any], data: dict[str, Any]) -> None:
        """Signing a list queues its payments, sending it sends them."""
        rows = content["rows"]
        if data["move"] == "sign":
            self._take_booked_again(index, {row["sp2d"] for row in rows})
            for row in rows:
                self.payments.listed(
                    index, row["payment"], row["sp2d"], _sen(row["net"]), data["on_day"]
                )
        elif data["move"] == "send":
            self.payments.sent(index, [row["payment"] for row in rows], data["payments"])

    def _content(self, index: int, data: dict[str, Any]) -> dict[str, Any] | None:
        """What the document says; it must hash to the revision."""
        wrong = f"{data['document']}: content of another hash"
        if "content" in data:
            content = data["content"]
            if sha256(canonical(content)).hexdigest() != data["revision"]:
                self._fail("wrong_revision", wrong, index, certain=True)
            return content if isinstance(content, dict) else None
        name = data.get("content_sha256")
        if name != data["revision"]:
            # Only a document's first move says what it holds.
            self._fail("wrong_revision", wrong, index, certain=name is not None)
            return None
        stored = self._attachment(index, data["revision"])
        if stored is None:
            self._lost()  # what it orders, and the payments that follow, are not known
            return None
        value = parse_canonical(stored)
        return value if isinstance(value, dict) else None

    def _check_hand(
        self, index: int, by: str, name: str, document: _Document, data: dict[str, Any]
    ) -> None:
        role, hand = data["role"], data["hand"]
        if not self._holds(by, role, data["on_day"], ""):
            self._fail(
                "not_granted", f"{name}: {by} did not hold {role} on {data['on_day']}", index
            )
        if data["on_day"] != self.today:
            self._fail("wrong_move", f"{name}: dated {data['on_day']} on {self.today}", index)
        if hand not in _HANDS:
            return
        others = dict(document.hands)
        parent = self._documents.get(str((document.content or {}).get("parent", "")))
        if parent is not None and "signer" in parent.hands:
            others["signer"] = parent.hands["signer"]
        for other, person in others.items():
            if person == by and other != hand:
                self._fail(
                    "same_person", f"{name}: {by} was both {other} and {hand} of the payment", index
                )
        document.hands[hand] = by

    def _check_signature(
        self, index: int, by: str, name: str, document: _Document, data: dict[str, Any]
    ) -> None:
        """The officer's own signature over this very document."""
        digest = data["envelope"]
        if not digest:
            self._fail("signature_missing", f"{name}: {data['move']} carries no signature", index)
            return
        envelope = self._attachment(index, digest)
        if envelope is None:
            return
        try:
            parsed = parse_envelope(envelope)
            key = self._keys.get(parsed.keyid)
            if key is None or key.person != by:
                self._fail(
                    "wrong_signature",
                    f"{name}: {parsed.keyid} is no key of {by}",
                    index,
                    certain=key is not None,
                )
                return
            if key.revoked_at is not None:
                self._fail(
                    "wrong_signature",
                    f"{name}: key {parsed.keyid} was revoked by leaf {key.revoked_at}",
                    index,
                    certain=True,
                )
            statement = parse_statement(verify(parsed, load_public_key(key.public)))
        except AuditError as error:
            self._fail("wrong_signature", f"{name}: {error}", index, certain=True)
            return
        self._signatures += 1
        if statement.nonce in self._nonces or statement.nonce != data["nonce"]:
            self._fail(
                "wrong_signature", f"{name}: the signature was used before", index, certain=True
            )
        self._nonces.add(statement.nonce)
        said = (
            statement.origin, statement.act, statement.object, statement.revision,
            statement.decision, statement.role, statement.officer, statement.key_id,
        )  # fmt: skip
        wanted = (
            self.origin, f"{data['kind']}.{data['move']}", name, document.revision,
            "approve", data["role"], by, parsed.keyid,
        )  # fmt: skip
        if said != wanted:
            self._fail(
                "wrong_signature",
                f"{name}: what was signed is not this move",
                index,
                certain=True,
            )
        if document.content is not None:
            self._check_amounts(index, name, document.content, statement)

    def _check_amounts(
        self, index: int, name: str, content: dict[str, Any], statement: Statement
    ) -> None:
        totals: dict[str, int] = {}
        if content["kind"] == "advice_list":
            for row in content["rows"]:
                totals[row["sp2d"]] = totals.get(row["sp2d"], 0) + _sen(row["net"])
            payees = tuple(
                _digest([row[m] for m in ("payment", "name", "bank_code", "account", "net")])
                for row in content["rows"]
            )
            amount = sum(totals.values())
        else:
            totals = _totals(content)
            payees = tuple(
                _digest(
                    [p[m] for m in ("name", "bank_code", "account", "npwp", "gross", "deduction")]
                )
                for p in content["payees"]
            )
            held = (d for d in content["deductions"] if d["reduces_payment"])
            amount = sum(totals.values()) - sum(_sen(d["amount"]) for d in held)
        if (
            {line: _sen(text) for line, text in statement.line_totals.items()} != totals
            or statement.payees != payees
            or _sen(statement.amount) != amount
        ):
            self._fail(
                "wrong_signature",
                f"{name}: amount, lines or payees signed are others",
                index,
                certain=True,
            )

    def _take_booked_again(self, index: int, owners: set[str]) -> None:
        """What is owed from earlier attempts is booked right before the list's own leaf."""
        for number in sorted(self._loose, reverse=True):
            owner, at = self._loose[number]
            index -= 1
            if at != index or owner not in owners:
                return
            del self._loose[number]

    def _number(self, index: int, name: str, document: _Document, number: str) -> None:
        """Numbers are unique; those that we give to SP2Ds have no gap, in a year and series."""
        year = str((document.content or {}).get("fiscal_year", ""))
        known = self._numbers.setdefault((document.kind, year), set())
        if number in known:
            self._fail("number_twice", f"{document.kind} number {number!r} was given before", index)
        known.add(number)
        if document.kind == "sp2d" and document.content is not None:
            is_continuity = document.origin == "continuity"
            series = (year, is_continuity)
            serial = self._issued[series] = self._issued.get(series, 0) + 1
            if f"{serial + is_continuity * _CONTINUITY_FROM:06d}" not in number:
                self._fail(
                    "number_gap",
                    f"{name} is SP2D {serial} of {year}, its number is {number}",
                    index,
                )

    def recovered(self, index: int, _by: str, _act: str, data: dict[str, Any]) -> None:
        """Acts were lost: numbers jump past whatever they may have used."""
        self.payments.recovered()
        for year, series, count in data["numbers"]:
            if count < 0:
                self._fail("number_gap", f"series {series} of {year} goes back", index)
            if series in ("sp2d", "sp2d-continuity"):
                key = (str(year), series == "sp2d-continuity")
                self._issued[key] = self._issued.get(key, 0) + count

    def _reserve(self, content: dict[str, Any], sign: int) -> None:
        for line, sen in _totals(content).items() if sign else ():
            self.reserved[line] = self.reserved.get(line, 0) + sign * sen

    # --- journals ------------------------------------------------------------------------------

    def _claim(self, number: int) -> bool:
        return self._loose.pop(number, None) is not None

    def payment_kind(self, document: str) -> str:
        """The kind of payment of a document; empty when it is not known."""
        known = self._documents.get(document)
        kind = known.content.get("payment_kind") if known and known.content else ""
        return kind if isinstance(kind, str) else ""

    def journal(self, index: int, number: int, document: str, source: str) -> None:
        """A journal of a document; a move in the same batch must claim it."""
        if source in ("document", "bank") and document:
            self._loose[number] = (document, index)

    def spent(self, document: str, line: str, sen: int, *, reversal: bool) -> None:
        """A document's journal turned reserved room into spending."""
        if document and not reversal:
            self.reserved[line] = self.reserved.get(line, 0) - sen

    def budget_loaded(self, index: int, _by: str, _act: str, data: dict[str, Any]) -> None:
        """A loaded budget or release file: its entries, named by hash, set ceilings and releases."""
        content = self._attachment(index, data["entries_sha256"])
        if content is None:
            self.budgets_whole = False
            return
        lines = content.split(b"\n")[:-1]
        if len(lines) != data["entries"]:
            self._fail("budget_differs", f"{len(lines)} entries, {data['entries']} are told", index)
        for line in lines:
            entry: Any = parse_canonical(line)
            target, name, text, amount = entry
            if target == "line":
                said: Any = parse_canonical(text.encode())
                self.ceilings[name] = _sen(amount)
                if self.buckets.setdefault(name, said["bucket"]) != said["bucket"]:
                    self._fail("budget_differs", f"line {name} changed its release", index)
            else:
                self.released[name] = _sen(amount)

    def batch_ended(self) -> None:
        """A journal and the move that claims it are one act: what is left over belongs to nobody."""
        for number, (document, index) in self._loose.items():
            self._fail(
                "wrong_journal",
                f"journal {number} names {document}, no move claims it",
                index,
                number,
            )
        self._loose.clear()
        self.payments.recovering = False

    # --- the end -----------------------------------------------------------------------------------

    def finish(self, verdict: Verdict, *, sound: bool) -> None:
        """Say what was shown of documents; proven is only what is *sound*."""
        self.batch_ended()
        if not self._moves:
            return
        verdict.figures |= {
            "documents": len(self._documents),
            "document_moves": self._moves,
            "officer_signatures": self._signatures,
        }
        self.payments.finish(verdict)
        foreign = sum(1 for each in self._documents.values() if each.origin == "sipd")
        if sound:
            verdict.proven.append(
                f"{len(self._documents)} documents made {self._moves} moves, each by a person who"
                " held the role by then; the hands of a payment are different persons"
            )
            verdict.proven.append(
                f"{self._signatures} officers' signatures verify under keys enrolled in the log, over"
                " the revision, amounts and payees of what they approved"
            )
        if foreign:
            verdict.not_checked.append(
                f"hands of {foreign} documents that were signed in another system: recorded as claimed"
            )


def _totals(content: Mapping[str, Any]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for line in content["lines"]:
        totals[line["budget_line"]] = totals.get(line["budget_line"], 0) + _sen(line["amount"])
    return totals


def _digest(values: list[str]) -> str:
    return sha256(canonical(values)).hexdigest()


def _sen(text: str) -> int:
    return int(text[:-3] + text[-2:])
