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

    def answers(self) -> tuple[list[OrderAnswer], list[Warning_]]:
        group = self.report.group
        if self.sent is not None:
            group_differs = self._differs(group, self.sent.amounts)
        else:
            group_differs = False
            if group.status or any(each.said and each.said.status for each in self.report.payments):
                self._warn("not_fanned_out", group, "the original message isn't known here")
        self._note(group)
        listed: list[OrderAnswer] = []
        fanned: list[OrderAnswer] = []
        answered: dict[str, set[str]] = {}
        for payment in self.report.payments:
            block = self._block(payment)
            if payment.said is not None:
                self._note(payment.said)
            found = [self._listed(each, payment.said, block) for each in payment.transactions]
            here = [each for each in found if each is not None]
            listed += here
            for each in here:
                answered.setdefault(each.reference, set()).add(each.answer.meaning)
            if block is not None and payment.said is not None:
                differs = self._differs(payment.said, block)
                rest = [key for key in block if key not in answered]
                fanned += self._fan_out(payment.said, rest, here, differs=differs)
        done = {key for key, said in answered.items() if {"done", "refused"} <= said}
        for key in sorted(done):
            self._warn("said_twice", group, f"{shown(key)} is both executed and rejected")
        listed = [_as(each, "conflict") if each.reference in done else each for each in listed]
        if self.sent is not None:
            known = {each.reference for each in (*listed, *fanned)}
            rest = [key for key in self.sent.amounts if key not in known]
            fanned += self._fan_out(group, rest, [*listed, *fanned], differs=group_differs)
            known |= {each.reference for each in fanned}
            self._tell_silent([key for key in self.sent.amounts if key not in known])
        return listed + fanned, self.warnings

    # --- one transaction -------------------------------------------------------------------------

    def _listed(
        self, said: Said, payment: Said | None, block: Mapping[str, Money] | None
    ) -> OrderAnswer | None:
        reference = self._reference(said)
        if not reference:
            self._warn("reference_missing", said, "names no order")
            return None
        outer = [each for each in (payment, self.report.group) if each is not None]
        said_at = next((each for each in (said, *outer) if each.status not in {"", _PART}), said)
        if said.status == _PART:
            said_at = said
        if not said_at.status:
            self._warn("status_missing", said, f"says nothing of {shown(reference)}")
            return None
        meaning = self._meaning(said_at)
        above = outer[outer.index(said_at) + 1 :] if said_at in outer else outer
        for each in above:
            if {_MEANINGS.get(each.status), meaning} == {"done", "refused"} or (
                each.status == "RJCT" and meaning != "refused"
            ):
                self._warn(
                    "levels_disagree", said, f"{said_at.status}, but the {each.level} {each.status}"
                )
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
        amounts = self.sent.amounts
        sent = amounts.get(reference)
        if sent is None:
            self._warn("unknown_reference", said, f"{shown(reference)} is not of this message")
            return True
        found = False
        instruction = said.reference("OrgnlInstrId")
        if instruction not in {"", reference} and instruction in amounts:
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
        for block in self.sent.blocks:
            if block.payment_id == name:
                return block.amounts
        self._warn("unknown_payment", payment.said, f"{shown(name)} is not of this message")
        return None

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
