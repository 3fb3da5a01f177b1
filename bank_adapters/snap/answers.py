"""
What a bank's answer to a payment, or to a question about one, means for the money (notes 1.6).

Pure. A response code is HTTP status (3), service (2), case (2). HTTP status and case decide; a code
that names another service is told and changes nothing, because banks misprint it; a code whose first
three digits contradict the HTTP status decides nothing. Only what is in the tables below is done or
refused: everything else is unknown.
"""

from __future__ import annotations

import re
from typing import Final

from bank_adapters.errors import shown
from bank_adapters.payments.order import BankAnswer, Meaning, PaymentOrder
from bank_adapters.snap.replies import (
    MisfitError,
    Reply,
    code_of,
    message_of,
    read_amount,
    read_object,
    text_of,
)
from bank_adapters.snap.services import TRANSFERS

__all__ = ["answer_of_outcome", "meaning_of_status", "read_answer"]

_DONE: Final = (200, "00")
_IN_PROGRESS: Final = (202, "00")

#: (HTTP status, case) of a transfer that wasn't executed, or was before. Cases that are not here
#: (say 405xx01, which speaks of cancelling) are unknown.
_TRANSFER: Final[dict[tuple[int, str], Meaning]] = {
    (400, "00"): "retry",  # bad request
    (400, "01"): "retry",  # invalid format
    (400, "02"): "retry",  # missing field
    (401, "00"): "retry",  # unauthorized
    (401, "01"): "retry",  # invalid token
    (401, "03"): "retry",  # token not found
    (403, "00"): "refused",  # expired
    (403, "01"): "refused",  # feature not allowed
    (403, "02"): "refused",  # amount limit
    (403, "03"): "refused",  # suspected fraud
    (403, "04"): "refused",  # count limit
    (403, "05"): "refused",  # do not honor
    (403, "06"): "retry",  # cut-off; the next window
    (403, "09"): "refused",  # dormant account
    (403, "14"): "refused",  # insufficient funds
    (403, "15"): "refused",  # not permitted
    (403, "16"): "refused",  # suspended
    (403, "18"): "refused",  # inactive
    (403, "20"): "refused",  # merchant limit
    (403, "23"): "refused",  # account limit
    (404, "02"): "refused",  # invalid routing
    (404, "03"): "refused",  # bank not supported by switch
    (404, "11"): "refused",  # invalid account
    (404, "13"): "refused",  # invalid amount
    (404, "16"): "refused",  # partner not found
    (404, "18"): "conflict",  # same reference, other parameters: never paid again, a person looks
    (405, "00"): "refused",  # function not supported
    (409, "00"): "retry",  # X-EXTERNAL-ID used today
    (409, "01"): "duplicate",  # partnerReferenceNo executed before
    (429, "00"): "retry",  # too many requests
}

#: latestTransactionStatus of service 36 and of callbacks, and RTGS's and SKN's transactionStatus.
_STATUS: Final[dict[str, Meaning]] = {
    "00": "done",
    "01": "pending",
    "02": "pending",
    "03": "pending",
    "04": "returned",
    "05": "refused",
    "06": "refused",
    "07": "not_found",
}
_DIGITS: Final = re.compile(r"[0-9]{1,34}")
#: What is a fact about the money has to be about our order and our amount.
_FACTS: Final = frozenset({"done", "returned", "refused", "pending"})


def meaning_of_status(status: str) -> Meaning:
    """What `00`-`07` says of a transfer; anything else is unknown."""
    return _STATUS.get(status, "unknown")


def read_answer(
    service: str, http_status: int, body: bytes, order: PaymentOrder, *, retry_after: int = 0
) -> BankAnswer:
    """
    The answer to *order* by *service* (17, 18, 22, 23), or to the question about it (36).

    It never raises: what can't be read is unknown, with the reason as its message.
    """
    try:
        reply = read_object(body)
    except MisfitError as error:
        reason = f"HTTP {http_status}, unreadable: {error}"
        return BankAnswer("unknown", http_status, "", reason, "", body, retry_after)
    code = code_of(reply)
    notes = [message_of(reply)]
    meaning: Meaning = "unknown"
    bank_reference = ""
    if not code:
        notes.append(f"responseCode {shown(str(reply.get('responseCode')))} is no code")
    elif int(code[:3]) != http_status and not _says_in_progress(service, http_status, code):
        notes.append(f"code {code} contradicts HTTP {http_status}")
    else:
        if code[3:5] != service:
            notes.append(f"code {code} names service {code[3:5]}, called was {service}")
        reading = _read_transfer if service in TRANSFERS else _read_inquiry
        meaning, bank_reference, note = reading(code, reply, order, service)
        notes.append(note)
    message = "; ".join(note for note in notes if note)
    return BankAnswer(meaning, http_status, code, message, bank_reference, body, retry_after)


def answer_of_outcome(
    status: str,
    reply: Reply,
    order: PaymentOrder | None,
    *,
    references: tuple[str, ...] = ("originalReferenceNo", "referenceNumber"),
    ours: str = "originalPartnerReferenceNo",
) -> tuple[Meaning, str, str]:
    """
    What a told status means, the bank's reference, and a note. A fact about another order, another
    amount or (where the money moved) without the bank's reference is a conflict.
    """
    meaning = meaning_of_status(status)
    if meaning not in _FACTS:
        note = ""
        if meaning == "unknown":
            note = (
                f"status {shown(status)} is none of 00-07" if status else "no status that decides"
            )
        return meaning, "", note
    try:
        found = next((text for name in references if (text := text_of(reply, name).strip())), "")
        wrong = "" if order is None else _contradiction(reply, order, ours)
    except MisfitError as error:
        return "conflict", "", str(error)
    if wrong:
        return "conflict", found, wrong
    if meaning == "done" and not found:
        return "conflict", "", f"{references[0]} is missing, which a success must have"
    return meaning, found, ""


def _says_in_progress(service: str, http_status: int, code: str) -> bool:
    """HTTP 200 around 202xx00: taken in, as it says."""
    return service in TRANSFERS and http_status == 200 and (code[:3], code[5:]) == ("202", "00")


def _read_transfer(
    code: str, reply: Reply, order: PaymentOrder, service: str
) -> tuple[Meaning, str, str]:
    case = (int(code[:3]), code[5:])
    if case != _DONE:
        if case == _IN_PROGRESS:
            return _accepted(reply, order)
        meaning = _TRANSFER.get(case, "unknown")
        if meaning == "unknown":
            return meaning, "", "a code that decides nothing"
        return _about_ours(meaning, reply, order)
    if message_of(reply).casefold().startswith("request in progress"):
        return _accepted(reply, order)
    status = "00"
    if service in {"22", "23"}:  # mandatory there: success only says that the bank took it in
        try:
            status = text_of(reply, "transactionStatus") or "03"
        except MisfitError as error:
            return "unknown", "", str(error)
    return answer_of_outcome(
        status, reply, order, references=("referenceNo",), ours="partnerReferenceNo"
    )


def _about_ours(meaning: Meaning, reply: Reply, order: PaymentOrder) -> tuple[Meaning, str, str]:
    """A refusal of another order says nothing of ours."""
    try:
        wrong = _contradiction(reply, order, "partnerReferenceNo")
    except MisfitError as error:
        wrong = str(error)
    return ("conflict", "", wrong) if wrong else (meaning, "", "")


def _accepted(reply: Reply, order: PaymentOrder) -> tuple[Meaning, str, str]:
    return answer_of_outcome(
        "03", reply, order, references=("referenceNo",), ours="partnerReferenceNo"
    )


def _read_inquiry(
    code: str, reply: Reply, order: PaymentOrder, service: str
) -> tuple[Meaning, str, str]:
    del service
    case = (int(code[:3]), code[5:])
    if case == (404, "01"):
        return "not_found", "", ""
    if case != _DONE:
        return "unknown", "", "the question was not answered"
    try:
        status = text_of(reply, "latestTransactionStatus")
    except MisfitError as error:
        return "unknown", "", str(error)
    return answer_of_outcome(status, reply, order)


def _contradiction(reply: Reply, order: PaymentOrder, ours: str) -> str:
    """Where the bank speaks of something else than *order*; "" where it doesn't."""
    reference = text_of(reply, ours)
    if reference and reference != order.reference:
        return f"{ours} is {shown(reference)}, ours is {order.reference}"
    amount = read_amount(reply.get("amount"))
    if amount is not None and amount != order.amount:
        return f"the amount is {amount}, ours is {order.amount}"
    for name, account in (
        ("sourceAccountNo", order.source_account),
        ("sourceAccount", order.source_account),  # as the standard's own sample reply spells it
        ("beneficiaryAccountNo", order.beneficiary_account),
    ):
        said = text_of(reply, name)
        # Banks write stars and other numbers' zeros; digits that differ are another account.
        if _DIGITS.fullmatch(said) and said.lstrip("0") != account.lstrip("0"):
            return f"{name} is {said}, ours is {account}"
    return ""
