"""
What a status report means for the orders of one message that was sent.

Pure. A status stands at the transaction, at its payment block or at the group; the innermost that
says something of the transaction counts, and what an outer level says of all is handed to every order
that isn't listed (a rejected group lists none). Only ACSC and ACCC are done; ACTC, ACCP, ACSP, ACWC,
PDNG and RCVD are not yet; PART says nothing of one transaction; whatever else is unknown.

Where the bank contradicts itself or what was sent (another amount, count, sum or block, a reference
that is not of this message, a level that rejects what another executes), the meaning is `conflict`:
a person decides. A later report may say otherwise of the same order (ACSP, then RJCT): each report is
an answer of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from bank_adapters.errors import shown
from bank_adapters.payments.errors import ForeignReportError
from bank_adapters.payments.order import BankAnswer, Meaning
from bank_adapters.payments.pain001 import SentMessage
from bank_adapters.payments.pain002_xml import Level, PaymentSaid, Said, StatusReport
from bank_adapters.statements.statement import Warning_
from ledger.money import Money

__all__ = ["OrderAnswer", "answers_of"]

_MEANINGS: Final[dict[str, Meaning]] = {
    "ACSC": "done",
    "ACCC": "done",
    "ACTC": "pending",
    "ACCP": "pending",
    "ACSP": "pending",
    "ACWC": "pending",
    "PDNG": "pending",
    "RCVD": "pending",
    "RJCT": "refused",
}
_PART: Final = "PART"
#: XML Schema's decimal without sign or exponent.
_DECIMAL: Final = re.compile(r"([0-9]{1,18})(?:\.([0-9]{0,17}))?", re.ASCII)
_SHOWN_REFERENCES: Final = 5


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """The bank's word on one order: what it means, the reason codes, and where it stands."""

    reference: str
    answer: BankAnswer
    reasons: tuple[str, ...]
    level: Level
    position: int


def answers_of(
    report: StatusReport, sent: SentMessage | None
) -> tuple[list[OrderAnswer], list[Warning_]]:
    """An answer for each order that the report speaks of, in the report's order, and warnings.

    sent: the message that the report answers; None where it isn't known: then only listed
    transactions have answers, their amounts unchecked. Raises ForeignReportError where the report
    answers another message.
    """
    if sent is not None and report.original_message_id != sent.message_id:
        raise ForeignReportError(report.original_message_id, sent.message_id)
    return _Reading(report, sent).answers()


@dataclass(slots=True)
class _Reading:
    report: StatusReport
    sent: SentMessage | None
    warnings: list[Warning_] = field(default_factory=list)
    #: Every order that was sent; empty where the message isn't known.
    amounts: Mapping[str, Money] = field(init=False)
    #: The blocks that were sent, by PmtInfId.
    _blocks: dict[str, Mapping[str, Money]] = field(default_factory=dict)
    #: A block may stand twice in a report; what either says of all binds the transactions of both.
    _twins: dict[str, list[Said]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.amounts = self.sent.amounts if self.sent is not None else {}
        if self.sent is not None:
            self._blocks = {each.payment_id: each.amounts for each in self.sent.blocks}
        for each in self._payment_levels():
            self._twins.setdefault(each.reference("OrgnlPmtInfId"), []).append(each)

    def answers(self) -> tuple[list[OrderAnswer], list[Warning_]]:
        group = self.report.group
        self._note(group)
        blocks: list[tuple[Said, Mapping[str, Money]]] = []
        listed: list[OrderAnswer] = []
        for payment in self.report.payments:
            block = self._block(payment)
            if payment.said is not None:
                self._note(payment.said)
            found = [self._listed(each, payment.said, block) for each in payment.transactions]
            listed += [each for each in found if each is not None]
            if payment.said is not None and block is not None:
                blocks.append((payment.said, block))
        # Only when every transaction was seen: a block may stand twice, and list the rest later.
        known: dict[str, list[OrderAnswer]] = {}
        for each in listed:
            known.setdefault(each.reference, []).append(each)
        fanned: list[OrderAnswer] = []
        for said, block in blocks:
            differs = self._differs(said, block)
            here = [each for key in block for each in known.get(key, ())]
            rest = [key for key in block if key not in known]
            fanned += self._fan_out(said, rest, here, differs=differs)
        if self.sent is not None:
            differs = self._differs(group, self.amounts)
            spoken = {each.reference for each in (*listed, *fanned)}
            rest = [key for key in self.amounts if key not in spoken]
            fanned += self._fan_out(group, rest, [*listed, *fanned], differs=differs)
            spoken |= {each.reference for each in fanned}
            self._tell_silent([key for key in self.amounts if key not in spoken])
        elif group.status or any(said.status for said in self._payment_levels()):
            self._warn("not_fanned_out", group, "the original message isn't known here")
        return self._agreed(listed + fanned), self.warnings

    def _payment_levels(self) -> list[Said]:
        return [each.said for each in self.report.payments if each.said is not None]

    def _agreed(self, answers: list[OrderAnswer]) -> list[OrderAnswer]:
        """*answers*; an order that one report rejects and does not reject is a conflict."""
        meanings: dict[str, set[str]] = {}
        for each in answers:
            meanings.setdefault(each.reference, set()).add(each.answer.meaning)
        torn = {key for key, found in meanings.items() if "refused" in found and len(found) > 1}
        for key in sorted(torn):
            told = f"{shown(key)} is rejected, and then again is not"
            self._warn("said_twice", self.report.group, told)
        return [_as(each, "conflict") if each.reference in torn else each for each in answers]

    # --- one transaction -------------------------------------------------------------------------

    def _listed(
        self, said: Said, payment: Said | None, block: Mapping[str, Money] | None
    ) -> OrderAnswer | None:
        reference = self._reference(said)
        if not reference:
            self._warn("reference_missing", said, "names no order")
            return None
        levels = [each for each in (said, payment, self.report.group) if each is not None]
        speaking = [each for each in levels if each.status not in {"", _PART} or each is said]
        if not said.status:
            speaking = speaking[1:]
        if not speaking:
            self._warn("status_missing", said, f"says nothing of {shown(reference)}")
            return None
        said_at, *above = speaking
        if payment is not None:
            name = payment.reference("OrgnlPmtInfId")
            above += [each for each in self._twins.get(name, []) if each is not payment]
        meaning = self._meaning(said_at)
        for each in above:
            if {_MEANINGS.get(each.status), meaning} == {"done", "refused"} or (
                each.status == "RJCT" and meaning != "refused"
            ):
                told = f"{said_at.status}, but the {each.level} {each.status}"
                self._warn("levels_disagree", said, told)
                meaning = "conflict"
        if self._contradicts(said, reference, block):
            meaning = "conflict"
        return _answer(reference, said, said_at, meaning)

    def _reference(self, said: Said) -> str:
        end_to_end = said.reference("OrgnlEndToEndId")
        return end_to_end or said.reference("OrgnlInstrId")

    def _contradicts(self, said: Said, reference: str, block: Mapping[str, Money] | None) -> bool:
        """Whether the bank speaks of another order, or of another amount. Warns of each."""
        if self.sent is None:
            return False
        sent = self.amounts.get(reference)
        if sent is None:
            self._warn("unknown_reference", said, f"{shown(reference)} is not of this message")
            return True
        found = False
        instruction = said.reference("OrgnlInstrId")
        if instruction not in {"", reference} and instruction in self.amounts:
            self._warn("two_orders", said, f"names {shown(reference)} and {shown(instruction)}")
            found = True
        if block is not None and reference not in block:
            self._warn("other_payment", said, f"{shown(reference)} was sent in another block")
            found = True
        text = said.fields.get("OrgnlTxRef/Amt/InstdAmt")
        if text is not None:
            currency = said.fields.get("OrgnlTxRef/Amt/InstdAmt@Ccy", "")
            if currency != "IDR" or _sen(text) != sent.sen:
                told = f"{shown(currency)} {shown(text)}; {sent} was sent"
                self._warn("amount_differs", said, told)
                found = True
        return found

    # --- a level for all below it ----------------------------------------------------------------

    def _block(self, payment: PaymentSaid) -> Mapping[str, Money] | None:
        """The block that was sent under the id; None where it can't be told."""
        if self.sent is None or payment.said is None:
            return None
        name = payment.said.reference("OrgnlPmtInfId")
        block = self._blocks.get(name)
        if block is None:
            self._warn("unknown_payment", payment.said, f"{shown(name)} is not of this message")
        return block

    def _fan_out(
        self, said: Said, references: Sequence[str], listed: Iterable[OrderAnswer], *, differs: bool
    ) -> list[OrderAnswer]:
        """*said* for the orders that no inner level spoke of."""
        if said.status in {"", _PART} or not references:
            return []
        meaning: Meaning = _MEANINGS.get(said.status, "unknown")
        group = self.report.group
        if said is not group and group.status == "RJCT" and meaning != "refused":
            self._warn("levels_disagree", said, f"{said.status}, but the group {group.status}")
            meaning = "conflict"
        others = {each.answer.meaning for each in listed}
        # `all done` beside one that is not, or `all rejected` beside one that is taken: not of all.
        if meaning in {"done", "refused"} and (differs or others - {meaning}):
            if not differs:
                self._warn("levels_disagree", said, f"{said.status}, but a transaction otherwise")
            meaning = "conflict"
        return [_answer(reference, said, said, meaning) for reference in references]

    def _differs(self, said: Said, amounts: Mapping[str, Money]) -> bool:
        """Whether count or sum that the bank repeats are others than were sent. Warns of each."""
        count, total = said.fields.get("OrgnlNbOfTxs"), said.fields.get("OrgnlCtrlSum")
        found = False
        if count is not None and (not count.isascii() or count.lstrip("0") != str(len(amounts))):
            self._warn("count_differs", said, f"{shown(count)}; {len(amounts)} were sent")
            found = True
        expected = Money.total(amounts.values())
        if total is not None and _sen(total) != expected.sen:
            self._warn("sum_differs", said, f"{shown(total)}; {expected} was sent")
            found = True
        return found

    # --- warnings --------------------------------------------------------------------------------

    def _meaning(self, said: Said) -> Meaning:
        if said.level == "transaction" and said.status not in _MEANINGS:
            self._note(said)
        return _MEANINGS.get(said.status, "unknown")

    def _note(self, said: Said) -> None:
        """Warn of a status that is none of the standard's, or not of this level."""
        if said.status == _PART and said.level == "transaction":
            self._warn("unknown_status", said, "PART is no status of one transaction")
        elif said.status not in _MEANINGS and said.status not in {"", _PART}:
            self._warn("unknown_status", said, f"status {shown(said.status)}")

    def _tell_silent(self, references: Sequence[str]) -> None:
        if references:
            some = ", ".join(map(shown, references[:_SHOWN_REFERENCES]))
            more = ", ..." if len(references) > _SHOWN_REFERENCES else ""
            told = f"says nothing of {len(references)} orders: {some}{more}"
            self._warn("not_answered", self.report.group, told)

    def _warn(self, code: str, said: Said, message: str) -> None:
        self.warnings.append(
            Warning_(code, said.position, f"{said.level} {said.position}: {message}")
        )


def _answer(reference: str, said: Said, said_at: Said, meaning: Meaning) -> OrderAnswer:
    """*said* is where the order stands, *said_at* the level that has the status."""
    reasons = said.reasons or said_at.reasons
    answer = BankAnswer(
        meaning=meaning,
        code=said_at.status,
        message=said.message or said_at.message,
        bank_reference=said.fields.get("AcctSvcrRef", ""),
        body=said.raw,
    )
    return OrderAnswer(reference, answer, reasons, said.level, said.position)


def _as(each: OrderAnswer, meaning: Meaning) -> OrderAnswer:
    return replace(each, answer=replace(each.answer, meaning=meaning))


def _sen(text: str) -> int | None:
    """Sen of a decimal, or None where it is none, or finer than a sen."""
    matched = _DECIMAL.fullmatch(text)
    if matched is None:
        return None
    decimals = (matched[2] or "").rstrip("0")
    return None if len(decimals) > 2 else int(matched[1] + decimals.ljust(2, "0"))
