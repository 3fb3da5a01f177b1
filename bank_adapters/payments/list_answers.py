"""
A status report on the file of an advice list, as outcomes that may be recorded, or refused as a whole.

Pure. `pain002` says what each level means; here a report that contradicts itself or what was sent is
turned away with what it says, so that nothing of it is recorded. A rejection for what the bank holds
already is no rejection of the payment: the file was handed over twice, and its first copy may be paid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bank_adapters.payments.errors import ContradictoryReportError
from bank_adapters.payments.pain001 import SentMessage
from bank_adapters.payments.pain002 import OrderAnswer, answers_of
from bank_adapters.payments.pain002_xml import StatusReport
from bank_adapters.statements.statement import Warning_
from ledger.documents.file_answers import ListOutcome, is_duplicate

__all__ = ["list_outcomes"]

#: What the bank repeats of a message that is not what was sent.
_FOREIGN: Final = frozenset(
    {"unknown_payment", "count_differs", "sum_differs", "reference_missing", "status_missing"}
)


def list_outcomes(
    report: StatusReport, sent: SentMessage
) -> tuple[list[ListOutcome], list[Warning_]]:
    """An outcome for each order that the report speaks of, and what is told beside them.

    Raises ForeignReportError, ContradictoryReportError.
    """
    answers, warnings = answers_of(report, sent)
    told = [each.message for each in warnings if each.code in _FOREIGN]
    torn = [each for each in answers if each.answer.meaning == "conflict"]
    told += [f"{each.reference}: {each.answer.code}" for each in torn]
    told += _told_twice(answers)
    if told:
        # The warnings say what the contradiction is, the answers only whose it is.
        everything = [*(each.message for each in warnings), *told]
        raise ContradictoryReportError(sent.message_id, list(dict.fromkeys(everything)))
    rejected_above = _reasons_above(report)
    outcomes = {each.reference: _outcome(each, rejected_above) for each in answers}
    return list(outcomes.values()), warnings


def _told_twice(answers: Sequence[OrderAnswer]) -> list[str]:
    """Orders of which one report says two things."""
    codes: dict[str, dict[str, str]] = {}
    for each in answers:
        codes.setdefault(each.reference, {})[each.answer.meaning] = each.answer.code
    return [
        f"{reference} is told as {' and as '.join(found.values())}"
        for reference, found in codes.items()
        if len(found) > 1
    ]


def _reasons_above(report: StatusReport) -> dict[str, tuple[str, ...]]:
    """Codes of the blocks that reject an order which they list; under "" those of a rejected group."""
    group = report.group
    found = {"": group.reasons if group.status == "RJCT" else ()}
    for payment in report.payments:
        if payment.said is not None and payment.said.status == "RJCT":
            for each in payment.transactions:
                reference = each.reference("OrgnlEndToEndId") or each.reference("OrgnlInstrId")
                found[reference] = payment.said.reasons
    return found


def _outcome(answer: OrderAnswer, rejected_above: Mapping[str, tuple[str, ...]]) -> ListOutcome:
    meaning = answer.answer.meaning
    above = (*rejected_above[""], *rejected_above.get(answer.reference, ()))
    # A message that is refused as a duplicate is one of all its orders, whatever stands below.
    if meaning == "refused" and is_duplicate((*answer.reasons, *above)):
        meaning = "duplicate"
    return ListOutcome(
        answer.reference, meaning, answer.answer.code, answer.reasons, answer.answer.message
    )
