"""
Replay the documents that order money: their moves, hands, numbers and officers' signatures.

Standard library and `cryptography` only. An officer's signature counts when the key was enrolled for
that person by an earlier leaf and not revoked by one, and when the statement says what the document
says: this log, this document and revision, this role, amount, lines and payees, and a nonce used once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Final

from audit.canonical import canonical, parse_canonical
from audit.curve import load_public_key
from audit.dsse import parse_envelope, verify
from audit.errors import AuditError
from audit.statement import Statement, parse_statement
from audit.verdict import Verdict

__all__ = ["Documents", "OfficerKey"]

Fail = Callable[..., None]
Attachment = Callable[[int, str], bytes | None]
Holds = Callable[[str, str, str, str], bool]

#: Hands of which no two may be one person, over an SP2D and the SPM that it pays.
#: Serials of SP2Ds that were issued while SIPD was away begin behind this one.
_CONTINUITY_FROM: Final = 900_000
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
class _Payment:
    """One instruction to the bank, as the leaves leave it."""

    document: str
    amount: int
    bank_account: str
    on_cair: bool
    basis: str = "order"
    state: str = "held"
    listed: bool = False
    #: whether the bank has said something else since it was rejected, or paid
    contradicted: bool = False
    #: whether another attempt followed
    repeated: bool = False
    #: whether its order leaves through the bank's interface
    by_interface: bool = False
    #: meanings of the answers to each call of the bank
    calls: list[list[str]] = field(default_factory=list)


#: state of a payment -> the states that may follow: no path leads to being executed twice
_STEPS: Final[dict[str, tuple[str, ...]]] = {
    "held": ("queued", "recalled", "cancelled"),
    "queued": ("sent", "accepted", "paid", "rejected", "recalled", "unknown"),
    "sent": ("accepted", "paid", "rejected", "recalled", "unknown"),
    "accepted": ("paid", "rejected", "recalled", "unknown"),
    "unknown": ("accepted", "paid", "rejected", "recalled"),
    "paid": ("returned", "paid"),
    "recalled": ("cancelled",),
    "rejected": ("cancelled", "paid", "rejected"),
}

#: state of a payment -> what the bank may say of it so that a person has to look
_CONTRADICTIONS: Final = {
    "paid": ("refused", "conflict"),
    "rejected": ("done", "returned", "conflict"),
}


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
    payments: list[str] = field(default_factory=list)


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
    ) -> None:
        self.today = ""
        #: budget line -> sen that accepted orders hold, before what journals of theirs spent
        self.reserved: dict[str, int] = {}
        #: bank account -> sen set aside for orders that are signed and not yet booked
        self.committed: dict[str, int] = {}
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
        self._payments: dict[str, _Payment] = {}
        self._nonces: set[str] = set()
        self._numbers: dict[tuple[str, str], set[str]] = {}
        self._issued: dict[tuple[str, bool], int] = {}
        self._recovering = False
        #: (first day, bank account, how its orders leave), as set
        self.channels: list[tuple[str, str, str]] = []
        self._by_two = False
        self._settled_alone = 0
        self._loose: dict[int, tuple[str, int]] = {}  # journals that no move has claimed yet
        self._signatures = 0
        self._moves = 0

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
                payment = f"P{told['year'] % 100:02d}-{told['first'] + n:08d}"
                if payment in self._payments:
                    self._fail("number_twice", f"payment {payment} was made before", index)
                sen = _sen(payee["gross"]) - _sen(payee["deduction"])
                bank = content["bank_account"]
                self._payments[payment] = _Payment(name, sen, bank, document.on_cair)
                document.payments.append(payment)
                if document.on_cair:
                    self.committed[bank] = self.committed.get(bank, 0) + sen
        elif data["move"] == "cancel":
            self._take_booked_again(index, {name})
            for payment in document.payments:
                self._step(index, payment, "cancelled")
                made = self._payments[payment]
                if made.contradicted and self._by_two:
                    self._fail("wrong_move", f"{payment} was rejected, and contradicted", index)
                if document.on_cair and not made.repeated:
                    self.committed[made.bank_account] -= made.amount
            if document.on_cair:
                self._reserve(content, -1)

    def _list_moved(self, index: int, content: dict[str, Any], data: dict[str, Any]) -> None:
        """Signing a list queues its payments, sending it sends them."""
        rows = content["rows"]
        if data["move"] == "sign":
            self._take_booked_again(index, {row["sp2d"] for row in rows})
            for row in rows:
                self._step(index, row["payment"], "queued")
                payment = self._payments.get(row["payment"])
                if payment is None:
                    continue
                payment.listed = True
                payment.by_interface = self._is_by_interface(payment.bank_account, data["on_day"])
                if (payment.document, payment.amount) != (row["sp2d"], _sen(row["net"])):
                    self._fail("wrong_move", f"the list pays another {row['payment']}", index)
                if payment.on_cair and payment.basis == "retur":
                    bank = payment.bank_account
                    self.committed[bank] = self.committed.get(bank, 0) + payment.amount
        elif data["move"] == "send":
            # Those that the bank has not answered before the list was recorded as sent.
            known = [self._payments.get(row["payment"]) for row in rows]
            queued = [each for each in known if each is not None and each.state == "queued"]
            if len(queued) != data["payments"]:
                self._fail("wrong_move", f"{len(queued)} payments of the list wait", index)
            for each in queued:
                each.state = "sent"

    def _is_by_interface(self, bank_account: str, on: str) -> bool:
        chosen = [
            (valid_from, n, channel)
            for n, (valid_from, account, channel) in enumerate(self.channels)
            if account == bank_account and valid_from <= on
        ]
        return bool(chosen) and max(chosen)[2] != "file"

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
        self._recovering = True
        for year, series, count in data["numbers"]:
            if count < 0:
                self._fail("number_gap", f"series {series} of {year} goes back", index)
            if series in ("sp2d", "sp2d-continuity"):
                key = (str(year), series == "sp2d-continuity")
                self._issued[key] = self._issued.get(key, 0) + count

    def _reserve(self, content: dict[str, Any], sign: int) -> None:
        for line, sen in _totals(content).items() if sign else ():
            self.reserved[line] = self.reserved.get(line, 0) + sign * sen

    # --- payments and journals -------------------------------------------------------------------

    def payment_called(self, index: int, by: str, act: str, data: dict[str, Any]) -> None:
        """The bank is about to be asked to pay: never again for what it may have done before."""
        name = data["payment"]
        payment = self._payments.get(name)
        if payment is None:
            self._fail("wrong_move", f"there is no payment {name}", index)
            return
        calls = payment.calls
        is_first = not calls
        if data["call"] != len(calls) + 1 or (
            payment.state != ("queued" if is_first else "sent")
            or any(meanings != ["retry"] for meanings in calls)
        ):
            self._fail("paid_twice", f"the bank is called for {name} again", index)
        calls.append([])
        if data["to"]:
            self.payment_moved(index, by, act, data)

    def payment_answered(self, index: int, by: str, act: str, data: dict[str, Any]) -> None:
        """What came of a call, and the step that it leads to."""
        name = data["payment"]
        payment = self._payments.get(name)
        if payment is None or not payment.calls or data["call"] != len(payment.calls):
            self._fail("wrong_move", f"{name}: an answer to no call", index)
            return
        payment.calls[-1].append(data["meaning"])
        if data["meaning"] in _CONTRADICTIONS.get(payment.state, ()):
            payment.contradicted = True
        if data["to"]:
            self.payment_moved(index, by, act, data)

    def payment_recorded(self, index: int, by: str, data: dict[str, Any], version: int) -> None:
        """One person's act on a payment: version 2 and what follows it settles nothing by itself."""
        self._by_two = self._by_two or version > 1
        payment = self._payments.get(data["payment"])
        if payment is not None and "resends" not in data and data["to"] != "unknown":
            asked = payment.state in ("sent", "accepted", "paid") or (
                payment.state == "queued" and data["to"] != "recalled"
            )
            if payment.state == "unknown" or (asked and payment.by_interface):
                self._settled_alone += not self._by_two
                if self._by_two:
                    self._fail(
                        "settled_alone",
                        f"{data['payment']}, which may be with the bank, was settled by {by} alone",
                        index,
                    )
        self.payment_moved(index, by, "payment.moved", data)

    def payment_moved(self, index: int, _by: str, act: str, data: dict[str, Any]) -> None:
        """What the bank said of a payment, or a new attempt at it."""
        name, journal = data["payment"], data.get("journal")
        if isinstance(journal, int) and self._loose.pop(journal, None) is None:
            self._fail("wrong_journal", f"{name}: journal {journal} is not its own", index, journal)
        if "resends" in data:
            self._again(index, name, act == "payment.rerouted", data)
            return
        payment, target = self._payments.get(name), data["to"]
        before = payment.state if payment is not None else ""
        if payment is not None and (target == before or (before, target) == ("rejected", "paid")):
            self._check_reopened(index, name, payment, act, target)
        self._step(index, name, target, data["from"])
        if payment is None:
            return
        payment.contradicted = False
        is_retur = payment.basis == "retur"
        if not payment.on_cair or target == before or (is_retur and before == "rejected"):
            return
        if target == "paid" or (target == "rejected" and is_retur):
            bank = payment.bank_account
            self.committed[bank] = self.committed.get(bank, 0) - payment.amount

    def _check_reopened(
        self, index: int, name: str, payment: _Payment, act: str, target: str
    ) -> None:
        """What is settled stands, or was paid after a rejection, by two persons' word alone."""
        if act != "payment.settled":
            self._fail("settled_alone", f"{name} was {payment.state}, and is {target}", index)
        if target == payment.state and not payment.contradicted:
            self._fail("wrong_move", f"{name} was {payment.state} undisputed", index)
        if target != payment.state and payment.repeated:
            self._fail("paid_twice", f"{name} is paid, and another attempt was made", index)

    def _again(self, index: int, name: str, is_rerouted: bool, data: dict[str, Any]) -> None:
        """A new attempt at what failed, or, from another bank account, at what was recalled."""
        before = self._payments.get(data["resends"])
        failed = ("recalled",) if is_rerouted else ("rejected", "returned")
        if before is None or before.state not in failed or (before.contradicted and self._by_two):
            self._fail("paid_twice", f"{name} repeats {data['resends']}, which stands", index)
            return
        if name in self._payments:
            self._fail("number_twice", f"payment {name} was made before", index)
        again = self._payments[name] = replace(
            before,
            basis=data["basis"],
            state="held",
            calls=[],
            listed=False,
            by_interface=False,
            contradicted=False,
        )
        before.repeated = True
        if is_rerouted:
            again.bank_account = data["bank_account"]
            self._move_commitment(before, again)
        if again.document in self._documents:
            self._documents[again.document].payments.append(name)

    def _move_commitment(self, before: _Payment, again: _Payment) -> None:
        """What the old attempt had set aside is free; an order's own is set aside anew."""
        if not before.on_cair or (before.basis == "retur" and not before.listed):
            return
        self.committed[before.bank_account] -= before.amount
        if before.basis == "order":
            bank = again.bank_account
            self.committed[bank] = self.committed.get(bank, 0) + again.amount

    def _step(self, index: int, name: str, target: str, source: str | None = None) -> None:
        """One step of a payment: from where it stands, to a state that may follow."""
        payment = self._payments.get(name)
        if payment is None:
            self._fail("wrong_move", f"there is no payment {name}", index)
            return
        # What was lost may have moved it: after a recovery nobody knows, until the bank has said.
        follows = (*_STEPS.get(payment.state, ()), *(("unknown",) if self._recovering else ()))
        if target not in follows or source not in (None, payment.state):
            self._fail(
                "wrong_move", f"payment {name} is {payment.state}, not {source or target}", index
            )
        payment.state = target

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
        self._recovering = False

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
            "payments": len(self._payments),
        }
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
        if self._settled_alone:
            verdict.not_checked.append(
                f"{self._settled_alone} payments that may have been with the bank were settled by one"
                " person's word, before two were asked for"
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
