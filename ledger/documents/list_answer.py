"""
Shell: the bank's answer to the file of an advice list, or a slice of a long one.

Each payment's outcome is recorded by the act that records one (`RecordPayment`), on the digest of
the answer's file. An answer that contradicts what is recorded of any payment is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from ledger.answers import Idempotency
from ledger.documents.bank_outcomes import RecordPayment
from ledger.documents.calls import FILE
from ledger.documents.errors import AnswerContradictsError, PaymentNotListedError
from ledger.documents.file_answers import FILE_MEANINGS, ListOutcome, file_outcome
from ledger.documents.list_orders import OrderedList, ordered_list
from ledger.documents.payments import needs_two
from ledger.errors import InvalidFieldError
from ledger.session import Answer, Session, Wants
from ledger.settings import Settings

__all__ = ["SLICE_MAX", "AnswerAdviceList", "ToRecord", "answer_row", "to_record"]

#: Payments of one act: the books take nothing else while it is written.
SLICE_MAX: Final = 500
_SHOWN_MAX: Final = 5


class ToRecord(NamedTuple):
    """
    What an answer does to one payment; `outcome` is "" where it changes nothing.

    *settles* is what two reconcilers may settle it as, on this answer: a payment of which nobody knows
    takes two persons' word (`payments.needs_two`).
    """

    payment: str
    amount_sen: int
    state: str
    outcome: str
    said: ListOutcome
    settles: str = ""


def to_record(ordered: OrderedList, said: Sequence[ListOutcome]) -> list[ToRecord]:
    """
    What would be recorded, in the answer's order.

    Raises:
        PaymentNotListedError: It names a payment that is not in the list, or one twice.
        AnswerContradictsError: It denies what is recorded.
    """
    amounts = {row.payment: row.net_sen for row in ordered.content.rows}
    found: list[ToRecord] = []
    seen: set[str] = set()
    against: list[Mapping[str, str]] = []
    for each in said:
        if each.meaning not in FILE_MEANINGS:
            raise InvalidFieldError(
                "meaning", f"is one of {', '.join(FILE_MEANINGS)}", each.meaning[:40]
            )
        if each.payment not in amounts or each.payment in seen:
            raise PaymentNotListedError(payment=each.payment[:40], document=ordered.document)
        seen.add(each.payment)
        state = ordered.states[each.payment]
        outcome = file_outcome(state, each.meaning)
        if outcome is None:
            against.append({"payment": each.payment, "state": state, "status": each.status})
        row = ToRecord(each.payment, amounts[each.payment], state, outcome or "", each)
        if outcome and needs_two(state, outcome, FILE):
            row = row._replace(outcome="", settles=outcome)
        found.append(row)
    if against:
        raise AnswerContradictsError(
            document=ordered.document, number=len(against), payments=against[:_SHOWN_MAX]
        )
    return found


@dataclass(frozen=True, slots=True)
class AnswerAdviceList:
    """
    Record what the bank said of at most 500 payments of a list (role reconciler): all, or nothing.

    *on_day* is the bank's day, *file_sha256* the digest of the answer's file, *effective_on* the day
    it is booked, *on_day* if empty. What is recorded already is left as it stands.
    """

    by: str
    document: str
    said: Sequence[ListOutcome]
    on_day: str
    file_sha256: str
    effective_on: str = ""
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        session.settings.require(self.by, "reconciler", session.today)
        if len(self.said) > SLICE_MAX:
            raise InvalidFieldError("said", f"are at most {SLICE_MAX}", len(self.said))
        ordered = ordered_list(session.conn, session.government, self.document)
        rows = to_record(ordered, self.said)
        for row in rows:
            if row.outcome:
                RecordPayment(
                    self.by,
                    row.payment,
                    row.outcome,
                    self.on_day,
                    self.file_sha256,
                    _reason(row.said),
                    self.effective_on,
                ).apply(session)
        recorded = sum(bool(row.outcome) for row in rows)
        return {
            "document": ordered.document,
            "number": ordered.number,
            "file_sha256": self.file_sha256,
            "on_day": self.on_day,
            "payments": [answer_row(row) for row in rows],
            "recorded": recorded,
            # Nothing new is no act: alone in its transaction it uses no batch number up.
            "replayed": not recorded,
            "batch": session.batch.seq,
            "recorded_at": session.batch.recorded_at,
        }


def answer_row(row: ToRecord) -> dict[str, str | list[str]]:
    """What an answer shows of a payment: codes alone, for the bank's words may name people."""
    return {
        "payment": row.payment,
        "status": row.said.status,
        "reasons": list(row.said.reasons),
        "meaning": row.said.meaning,
        "from": row.state,
        "to": row.outcome,
        "settles": row.settles,
    }


def _reason(said: ListOutcome) -> str:
    """Kept as private text with the step."""
    text = " ".join(("pain.002", said.status, *said.reasons, said.text)).strip()
    return "".join(c if c.isprintable() else "?" for c in text)[:1_000]
