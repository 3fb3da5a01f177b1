"""
Replay documents and payments from their leaves: what every row must be, and what is still reserved.

It reads nothing itself: contents that a leaf names by hash come from the caller. It trusts nothing
that a row says; where a leaf does something that the tables of moves and steps don't allow, it says
so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from audit.canonical import canonical_fast
from ledger.allowances_check import Effect
from ledger.documents.calls import disputes
from ledger.documents.content import (
    AdviceContent,
    Content,
    line_totals,
    packed,
    read_advice,
    read_content,
    revision_of,
)
from ledger.documents.dispatch_replay import DispatchReplay
from ledger.documents.moves import MOVES, Move
from ledger.documents.numbers import (
    PAYMENT_SERIES,
    payment_reference,
    serial_text,
    sp2d_series,
)
from ledger.documents.payment_store import StoredPayment
from ledger.documents.payments import RESENDABLE, STEPS, needs_two, reopens
from ledger.documents.store import StoredDocument, content_rows
from ledger.documents.withholdings import part_of
from ledger.findings import Finding
from ledger.rederive import Leaf
from ledger.row_check import sha256_or_empty

__all__ = ["Replay", "ReplayedDocument"]

Key = tuple[Any, ...]
Rows = dict[Key, dict[str, Any]]


@dataclass(slots=True)
class ReplayedDocument:
    """A document as its leaves leave it."""

    stored: StoredDocument
    content: Content | AdviceContent | None
    recognition: str = ""
    hands: list[tuple[str, str, str]] = field(default_factory=list)  # (move, hand, person)
    payments: list[str] = field(default_factory=list)
    #: Of an issued SP2D, in sen: its lines, and what the payees before each one take of them.
    line_sen: list[int] = field(default_factory=list)
    taken_before: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Replay:
    """
    Everything derived so far. *read_bytes* gives the stored content of a document (or None),
    *reissued* the journals of reissues by payment.
    """

    government: str
    read_bytes: Callable[[str], bytes | None]
    reissued: Mapping[str, int]
    documents: dict[str, ReplayedDocument] = field(default_factory=dict)
    payments: dict[str, StoredPayment] = field(default_factory=dict)
    document_moves: Rows = field(default_factory=dict)
    payment_moves: Rows = field(default_factory=dict)
    series: dict[tuple[int, str], int] = field(default_factory=dict)
    reserved: dict[str, int] = field(default_factory=dict)
    committed: dict[tuple[str, int], int] = field(default_factory=dict)
    #: The same, move by move, in order of the log.
    effects: list[Effect] = field(default_factory=list)
    _at: tuple[int, int | None] = (0, None)
    dispatch: DispatchReplay = field(default_factory=DispatchReplay)
    #: When the book went on as a new shard of its log: the instant of that batch.
    recovered_at: str = ""
    #: Rows of `payment_settlement`; whether two persons are asked for by now (payment.moved 2).
    settlements: Rows = field(default_factory=dict)
    _by_two: bool = False
    #: Settled payments that the bank has said something else of since.
    _contradicted: set[str] = field(default_factory=set)
    #: The leaf of each proposal to settle, and the last leaf that spoke of each payment.
    _proposed: dict[str, int] = field(default_factory=dict)
    _heard: dict[str, int] = field(default_factory=dict)

    def take(self, leaf: Leaf) -> Iterator[Finding]:
        """Apply one leaf; findings are about the leaf itself."""
        self._at = (leaf.index, leaf.data.get("journal"))
        try:
            if leaf.kind == "book.recovered":
                self._recovered(leaf)
            elif leaf.kind == "document.moved":
                yield from self._document_moved(leaf)
            elif leaf.kind == "payment.held":
                self.dispatch.held(leaf)
            elif leaf.kind == "dispatch.paused":
                yield from self.dispatch.paused(leaf)
            elif leaf.kind == "policy.set":
                self.dispatch.policy_set(leaf)
            elif leaf.kind == "proposal.made":
                self._proposed[leaf.data["proposal"]] = leaf.index
            else:
                yield from self._payment_moved(leaf)
                self._heard[leaf.data["payment"]] = leaf.index
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            yield _of(leaf, "leaf_unreadable", f"can't be replayed ({type(error).__name__})")

    # --- documents -----------------------------------------------------------------------------

    def _document_moved(self, leaf: Leaf) -> Iterator[Finding]:
        data = leaf.data
        document = data["document"]
        if data["from"] == "":
            yield from self._create(leaf)
        replayed = self.documents[document]
        stored = replayed.stored
        move = _row_of_table(data["kind"], data["move"], stored.state, stored.origin)
        if (
            move is None
            or data["from"] != stored.state
            or data["n"] != stored.state_n + 1
            or (move.target, move.hand) != (data["to"], data["hand"])
            or data["role"] not in move.roles
        ):
            yield _of(leaf, "move_not_allowed", f"{document}: {data['move']} from {stored.state}")
        if data["revision"] != stored.revision:
            yield _of(leaf, "revision_changed", f"{document} is moved at another revision")
        if move is not None and move.signs and not (data["envelope"] and data["nonce"]):
            yield _of(leaf, "move_unsigned", f"{document}: {data['move']} without a signature")
        yield from self._check_hands(leaf, replayed)
        checks = data.get("checks")
        self.document_moves[document, data["n"]] = {
            "move": data["move"],
            "state_from": data["from"],
            "state_to": data["to"],
            "person_id": leaf.by,
            "role": data["role"],
            "hand": data["hand"],
            "on_day": data["on_day"],
            "reason_c": data["reason"],
            "checks": data.get("checks_sha256")
            or (sha256_or_empty(canonical_fast(checks)) if checks else ""),
            "envelope": data["envelope"],
            "nonce": data["nonce"],
            "journal_id": data["journal"],
            "leaf_index": leaf.index,
        }
        replayed.hands.append((data["move"], data["hand"], leaf.by))
        replayed.stored = stored._replace(
            state=data["to"],
            state_n=data["n"],
            number=data["number"] or stored.number,
            external_number=data["external_number"] or stored.external_number,
            issued_on=data["issued_on"] or stored.issued_on,
        )
        yield from self._effects(leaf, replayed)

    def _create(self, leaf: Leaf) -> Iterator[Finding]:
        data = leaf.data
        document, kind = data["document"], data["kind"]
        inline = data.get("content")
        stored_bytes = canonical_fast(inline) if inline is not None else None
        if stored_bytes is None:
            stored_bytes = self.read_bytes(document)
        content: Content | AdviceContent | None = None
        if stored_bytes is None or revision_of(stored_bytes) != data["revision"]:
            yield Finding(
                "content_changed",
                f"the content of {document} is not what leaf {leaf.index} names",
                "document",
                document,
                "content",
            )
            stored_bytes = b""
        elif kind == "advice_list":
            content = read_advice(stored_bytes)
        else:
            content = read_content(stored_bytes)
        if document in self.documents:
            yield _of(leaf, "leaf_repeated", f"{document} is made a second time")
        self.documents[document] = ReplayedDocument(
            _start(document, kind, data["revision"], content), content
        )
        year = int(document.split("-")[-2])
        series = {"spm": "spm", "sp2d": "sp2d-register", "advice_list": "advice_list"}[kind]
        yield from self._next(leaf, year, series, int(document.split("-")[-1]))

    def _effects(self, leaf: Leaf, replayed: ReplayedDocument) -> Iterator[Finding]:
        data, content = leaf.data, replayed.content
        name, kind = data["move"], data["kind"]
        if isinstance(content, Content):
            totals = line_totals(content.lines)
            year, bank = content.fiscal_year, content.bank_account
            if (kind, name) == ("spm", "accept"):
                self._reserve(totals, 1)
            elif (kind, name) == ("spm", "return"):
                self._reserve(totals, -1)
            elif (kind, name) in (("sp2d", "sign"), ("sp2d", "import")):
                yield from self._issued(leaf, replayed, content)
                if replayed.recognition == "on_issue":
                    self._reserve(totals, -1)
                else:
                    self._commit(bank, year, content.net_sen)
            elif (kind, name) == ("sp2d", "cancel"):
                if replayed.recognition == "on_cair":
                    self._reserve(totals, -1)
                    self._uncommit(replayed, year)
                for payment in replayed.payments:
                    yield from self._check_certain(leaf, payment)
                    yield from self._step(leaf, payment, "cancelled", on_day=data["on_day"])
        elif isinstance(content, AdviceContent):
            if name == "sign":
                for row in content.rows:
                    yield from self._listed(leaf, row.payment, data["document"])
                self.dispatch.listed(leaf, data["document"], content)
            elif name == "send":
                for row in content.rows:
                    if self.payments[row.payment].state == "queued":
                        yield from self._step(
                            leaf,
                            row.payment,
                            "sent",
                            on_day=data["on_day"],
                            evidence=content.file_sha256,
                        )

    def _issued(
        self, leaf: Leaf, replayed: ReplayedDocument, content: Content
    ) -> Iterator[Finding]:
        data, stored = leaf.data, replayed.stored
        replayed.recognition = data["recognition"]
        made = data["payments"]
        if data["move"] == "sign":
            series = sp2d_series(stored.origin)
            serial = self.series.get((stored.fiscal_year, series), 0) + 1
            self.series[stored.fiscal_year, series] = serial
            due = serial_text(stored.origin, serial)
            if due not in data["number"]:
                yield _of(leaf, "number_gap", f"{stored.id} has {data['number']}, {due} is due")
        if (data["journal"] is None) != (replayed.recognition == "on_cair"):
            yield _of(leaf, "journal_missing", f"{stored.id} was issued without its journal")
        if made["count"] != len(content.payees):
            yield _of(leaf, "payments_differ", f"{stored.id} pays {made['count']} payees")
        replayed.line_sen = [line.amount_sen for line in content.lines]
        gross = [payee.gross_sen for payee in content.payees]
        replayed.taken_before = list(accumulate(gross, initial=0))
        for n, payee in enumerate(content.payees, start=1):
            serial = made["first"] + n - 1
            yield from self._next(leaf, made["year"], PAYMENT_SERIES, serial)
            reference = payment_reference(made["year"], serial)
            self.payments[reference] = StoredPayment(
                id=reference,
                document_id=stored.id,
                payee_n=n,
                attempt=1,
                advice_list_id="",
                partner_reference=reference,
                bank_account=content.bank_account,
                name_c=payee.name,
                bank_code=payee.bank_code,
                account_c=payee.account,
                amount_sen=payee.net_sen,
                recognition=replayed.recognition,
                basis="order",
                state="",
                state_n=0,
            )
            replayed.payments.append(reference)
            yield from self._step(leaf, reference, "held", on_day=data["on_day"])

    def _check_hands(self, leaf: Leaf, replayed: ReplayedDocument) -> Iterator[Finding]:
        """Invariant 5, from the leaves alone."""
        data, stored = leaf.data, replayed.stored
        before = [(hand, person) for _, hand, person in replayed.hands if hand]
        if stored.parent_id in self.documents:
            parent = self.documents[stored.parent_id]
            before += [(hand, person) for _, hand, person in parent.hands if hand == "signer"]
        same = data["hand"] and any(person == leaf.by for _, person in before)
        if data["move"] == "cancel" and replayed.hands[-1][2] == leaf.by:
            same = True
        if same:
            yield Finding(
                "hands_same",
                f"{leaf.by} is two hands of {stored.id} (leaf {leaf.index})",
                "document_move",
                f"{stored.id}/{data['n']}",
                "person_id",
            )

    # --- payments ------------------------------------------------------------------------------

    def _payment_moved(self, leaf: Leaf) -> Iterator[Finding]:
        data = leaf.data
        if data["from"] == "":
            yield from self._resent(leaf)
        payment = self.payments[data["payment"]]
        if leaf.kind == "payment.called":
            yield from self.dispatch.called(leaf, payment.state)
        elif leaf.kind == "payment.answered":
            said = self.dispatch.said(payment.id)
            yield from self.dispatch.answered(leaf)
            if disputes(payment.state, data["meaning"], said):
                self._contradicted.add(payment.id)
        if data["to"] == "":  # an answer that changes nothing, or a further call
            return
        if data["n"] != payment.state_n + 1 or data["from"] != payment.state:
            yield _of(leaf, "step_not_allowed", f"{payment.id} stands at {payment.state}")
        yield from self._check_settled(leaf, payment)
        if payment.recognition == "on_cair" and data["to"] != payment.state:
            self._outcome(payment, data["to"])
        self._contradicted.discard(payment.id)
        yield from self._step(
            leaf,
            payment.id,
            data["to"],
            on_day=data["on_day"],
            evidence=data["evidence_sha256"],
            reason_c=data["reason"],
            journal_id=data["journal"],
        )

    def _check_certain(self, leaf: Leaf, payment: str) -> Iterator[Finding]:
        """What the bank has said both no and yes of is neither cancelled nor made again."""
        state = self.payments[payment].state
        if self._by_two and state in RESENDABLE and payment in self._contradicted:
            yield _of(leaf, "step_not_allowed", f"{payment} was {state}, and contradicted since")

    def _check_settled(self, leaf: Leaf, payment: StoredPayment) -> Iterator[Finding]:
        """A person's word on what may be with the bank is two persons' (D15)."""
        data = leaf.data
        if leaf.kind == "payment.settled":
            yield from self._check_reopened(leaf, payment)
            self.settlements[payment.id, data["n"]] = {
                "proposal_id": data["proposal"],
                "proposed_by": data["proposed_by"],
                "confirmed_by": data["confirmed_by"],
                "evidence_sha256": data["evidence_sha256"],
                "leaf_index": leaf.index,
            }
            return
        if reopens(payment.state, data["to"]):
            yield _of(leaf, "settled_alone", f"{payment.id}, {payment.state}, by {leaf.by} alone")
        if leaf.kind != "payment.moved":
            return
        self._by_two = self._by_two or leaf.version > 1
        order = self.dispatch.orders.get((payment.id,), {"channel": ""})
        is_recall = (payment.state, data["to"]) == ("queued", "recalled")
        if (
            self._by_two
            and not is_recall
            and needs_two(payment.state, data["to"], order["channel"])
        ):
            yield _of(leaf, "settled_alone", f"{payment.id} was settled by {leaf.by} alone")

    def _check_reopened(self, leaf: Leaf, payment: StoredPayment) -> Iterator[Finding]:
        """Two persons spoke of what they saw: nothing was heard since, and nothing made anew."""
        target = leaf.data["to"]
        if self._proposed.get(leaf.data["proposal"], leaf.index) < self._heard[payment.id]:
            yield _of(leaf, "step_not_allowed", f"{payment.id} had news after it was proposed")
        if target == payment.state:
            if payment.id not in self._contradicted:
                yield _of(leaf, "step_not_allowed", f"{payment.id} was {payment.state} undisputed")
        elif reopens(payment.state, target):
            made = (self.payments[each] for each in self.documents[payment.document_id].payments)
            if any(p.payee_n == payment.payee_n and p.attempt > payment.attempt for p in made):
                yield _of(leaf, "paid_twice", f"{payment.id} is paid, and was made again")

    def _recovered(self, leaf: Leaf) -> None:
        """
        Series jumped past what lost acts may have used. Payments that the book knows as open then
        become unknown, whatever the table of steps says (D11); so does one that was never sent.
        """
        for year, series, count in leaf.data["numbers"]:
            self.series[year, series] = self.series.get((year, series), 0) + count
        self.recovered_at = leaf.at
        # Lost acts may have made them again, or have settled them otherwise.
        failed = {p.id for p in self.payments.values() if p.state in RESENDABLE}
        self._contradicted |= failed

    def _resent(self, leaf: Leaf) -> Iterator[Finding]:
        data = leaf.data
        before = self.payments[data["resends"]]
        self._by_two = self._by_two or (leaf.kind == "payment.moved" and leaf.version > 1)
        yield from self._check_certain(leaf, before.id)
        if data["payment"] != payment_reference(data["year"], data["serial"]):
            yield _of(leaf, "number_gap", f"{data['payment']} is not serial {data['serial']}")
        yield from self._next(leaf, data["year"], PAYMENT_SERIES, data["serial"])
        self.payments[data["payment"]] = before._replace(
            id=data["payment"],
            partner_reference=data["payment"],
            attempt=data["attempt"],
            advice_list_id="",
            name_c=data["name"],
            bank_code=data["bank_code"],
            account_c=data["account"],
            basis=data["basis"],
            bank_account=data.get("bank_account", before.bank_account),
            state="",
            state_n=0,
        )
        self.documents[before.document_id].payments.append(data["payment"])
        if leaf.kind == "payment.rerouted" and before.recognition == "on_cair":
            self._rerouted(before, data["bank_account"])

    def _rerouted(self, before: StoredPayment, bank_account: str) -> None:
        """Under `on_cair` what the old attempt had committed goes, or moves to the new account."""
        if before.basis == "retur":
            if before.advice_list_id:
                self._commit(before.bank_account, self._year(before), -before.amount_sen)
            return
        content = self.documents[before.document_id].content
        if isinstance(content, Content):
            self._commit(before.bank_account, content.fiscal_year, -before.amount_sen)
            self._commit(bank_account, content.fiscal_year, before.amount_sen)

    def _outcome(self, payment: StoredPayment, target: str) -> None:
        """Under `on_cair`: the commitment ends, and the order's part is no longer reserved."""
        document = self.documents[payment.document_id]
        content = document.content
        if payment.state == "returned":
            return
        if payment.basis == "retur":
            # A rejection has ended it before; what is paid after all commits nothing again.
            if target in ("paid", "rejected") and payment.state != "rejected":
                self._commit(payment.bank_account, self._year(payment), -payment.amount_sen)
            return
        if target != "paid":
            return
        if not isinstance(content, Content):
            return
        self._commit(payment.bank_account, content.fiscal_year, -payment.amount_sen)
        part = part_of(
            document.line_sen,
            [],
            gross=(
                document.taken_before[payment.payee_n - 1],
                content.payees[payment.payee_n - 1].gross_sen,
            ),
            deducted=(0, 0),
        )
        for index, sen in part.lines:
            self._reserve({content.lines[index].budget_line: sen}, -1)

    def _listed(self, leaf: Leaf, reference: str, advice_list: str) -> Iterator[Finding]:
        payment = self.payments[reference]
        self.payments[reference] = payment._replace(advice_list_id=advice_list)
        if (payment.recognition, payment.basis) == ("on_cair", "retur"):
            self._commit(payment.bank_account, int(leaf.data["on_day"][:4]), payment.amount_sen)
        yield from self._step(
            leaf,
            reference,
            "queued",
            on_day=leaf.data["on_day"],
            journal_id=self.reissued.get(reference),
        )

    def _year(self, payment: StoredPayment) -> int:
        """When its list was signed: the year in whose chart a retur was committed."""
        return int(self.documents[payment.advice_list_id].stored.issued_on[:4])

    def _step(
        self,
        leaf: Leaf,
        reference: str,
        target: str,
        *,
        on_day: str,
        evidence: str = "",
        reason_c: str = "",
        journal_id: int | None = None,
    ) -> Iterator[Finding]:
        payment = self.payments[reference]
        self._heard[reference] = leaf.index
        doubted = target == "unknown" and leaf.at == self.recovered_at
        if target not in STEPS.get(payment.state, ()) and not doubted:
            yield _of(leaf, "step_not_allowed", f"{reference}: {payment.state} to {target}")
        n = payment.state_n + 1
        self.payment_moves[reference, n] = {
            "state_from": payment.state,
            "state_to": target,
            "person_id": leaf.by,
            "on_day": on_day,
            "evidence_sha256": evidence,
            "reason_c": reason_c,
            "journal_id": journal_id,
            "leaf_index": leaf.index,
        }
        self.payments[reference] = payment._replace(state=target, state_n=n)

    # --- sums ----------------------------------------------------------------------------------

    def _reserve(self, totals: Mapping[str, int], sign: int) -> None:
        for line, sen in totals.items():
            self.reserved[line] = self.reserved.get(line, 0) + sign * sen
            self.effects.append(Effect(*self._at, line, "", 0, sign * sen))

    def _commit(self, bank_account: str, year: int, sen: int) -> None:
        key = (bank_account, year)
        self.committed[key] = self.committed.get(key, 0) + sen
        self.effects.append(Effect(*self._at, "", bank_account, year, sen))

    def _uncommit(self, replayed: ReplayedDocument, year: int) -> None:
        """Cancelled under `on_cair`: the last attempt at each payee says where it was committed."""
        made = sorted((self.payments[each] for each in replayed.payments), key=lambda p: p.attempt)
        by_account: dict[str, int] = {}
        for payment in {payment.payee_n: payment for payment in made}.values():
            account = payment.bank_account
            by_account[account] = by_account.get(account, 0) + payment.amount_sen
        for bank_account, sen in by_account.items():
            self._commit(bank_account, year, -sen)

    def _next(self, leaf: Leaf, year: int, series: str, serial: int) -> Iterator[Finding]:
        due = self.series.get((year, series), 0) + 1
        self.series[year, series] = serial
        if serial != due:
            yield _of(
                leaf, "number_gap", f"series {series} of {year} goes from {due - 1} to {serial}"
            )

    # --- rows ----------------------------------------------------------------------------------

    def document_rows(self) -> Rows:
        """Rows of `document`; the content is compared by its hash."""
        rows: Rows = {}
        for document, replayed in self.documents.items():
            row = replayed.stored._asdict()
            del row["id"]
            row["content"] = replayed.stored.revision
            rows[document,] = row
        return rows

    def content_rows(self) -> Iterator[tuple[Any, Key, Mapping[str, Any]]]:
        """(table, key, row) of lines, deductions and payees."""
        for document, replayed in self.documents.items():
            if isinstance(replayed.content, Content):
                for table, rows in content_rows(document, replayed.content).items():
                    names = table.c.keys()[1:]
                    for row in rows:
                        yield table, (row[0], row[1]), dict(zip(names, row, strict=True))

    def payment_rows(self) -> Rows:
        """Rows of `payment`."""
        return {(p.id,): p._asdict() for p in self.payments.values()}


def _start(
    document: str, kind: str, revision: str, content: Content | AdviceContent | None
) -> StoredDocument:
    """The row of a document before its first move."""
    if isinstance(content, Content):
        return StoredDocument.of(document, content, packed(content))._replace(content=b"")
    net = content.net_sen if content is not None else 0
    return StoredDocument(
        id=document,
        kind=kind,
        number="",
        external_number="",
        origin="own",
        fiscal_year=content.fiscal_year if content is not None else 0,
        skpd="",
        payment_kind="",
        bank_account=content.bank_account if content is not None else "",
        parent_id="",
        dated_on=content.dated_on if content is not None else "",
        gross_sen=net,
        deduction_sen=0,
        net_sen=net,
        revision=revision,
        content=b"",
        issued_on="",
        state="",
        state_n=0,
    )


def _row_of_table(kind: str, name: str, state: str, origin: str) -> Move | None:
    for move in MOVES:
        named = (move.kind, move.name) == (kind, name)
        if named and state in move.sources and origin in move.origins:
            return move
    return None


def _of(leaf: Leaf, code: str, what: str) -> Finding:
    return Finding(code, f"leaf {leaf.index}: {what}", "log_leaf", str(leaf.index), "body")
