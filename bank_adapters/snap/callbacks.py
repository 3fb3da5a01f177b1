"""
What a bank calls us with: results of bulk, SKN and RTGS transfers (services 21, 75, 76).

Pure. The signature is over the raw bytes that came, minified, before anything in them is read; it is
the bank's own key's, and there is no other proof of who calls. A call is taken within the window of
its own time stamp. Whether its X-EXTERNAL-ID was seen before is the caller's table: a repeat is
answered as the first was and changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bank_adapters.errors import shown
from bank_adapters.payments.order import BankAnswer, PaymentOrder
from bank_adapters.snap.answers import answer_of_outcome
from bank_adapters.snap.connection import Connection
from bank_adapters.snap.errors import CallbackRefusedError
from bank_adapters.snap.replies import (
    MisfitError,
    Reply,
    code_of,
    message_of,
    read_object,
    text_of,
)
from bank_adapters.snap.services import CALLBACKS
from bank_adapters.snap.signatures import asymmetric_text, verify_rsa

__all__ = ["Callback", "OrderOf", "read_callback", "reply_to_callback"]

OrderOf = Callable[[str], PaymentOrder | None]

_BODY_BYTES_MAX: Final = 1 << 20
_EXTERNAL_ID: Final = re.compile(r"[0-9]{1,36}")
_PATH: Final = re.compile(r"/[!-~]*")
_BULK: Final = {("200", "00"): "00", ("202", "00"): "03"}
_STAMP: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)


@dataclass(frozen=True, slots=True)
class Callback:
    """One order's result as the bank calls it. `reference` is ours; "" where the bank named none."""

    service: str
    external_id: str
    reference: str
    answer: BankAnswer


def read_callback(
    connection: Connection,
    service: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime,
    order_of: OrderOf,
) -> tuple[Callback, ...]:
    """
    The results in a call to *path* (as the bank called it, with its query). *headers* by their
    names in small letters; *order_of* gives the order of one of our references.

    One result for services 75 and 76; one for each order of a bulk (21). An order that isn't ours is
    a conflict. Raises CallbackRefusedError: not signed by this bank, outside the window, unreadable.
    """
    if service not in CALLBACKS:
        raise CallbackRefusedError(f"service {shown(service)} is no callback")
    if len(body) > _BODY_BYTES_MAX:
        raise CallbackRefusedError(f"it has {len(body)} bytes, at most {_BODY_BYTES_MAX} are read")
    key, said = connection.bank_public_key, connection.settings
    if key is None:
        raise CallbackRefusedError(f"the entry of {said.name} names no key of the bank")
    stamp = headers.get("x-timestamp", "")
    if _PATH.fullmatch(path) is None or not stamp.isascii():
        raise CallbackRefusedError("its path or its time stamp is not plain text")
    text = asymmetric_text("POST", path, body, stamp)
    if not verify_rsa(text, key, headers.get("x-signature", ""), said.signature_encoding):
        raise CallbackRefusedError(f"the signature is not that of {said.name}")
    _check_window(stamp, now, said.callback_window_seconds)
    partner = headers.get("x-partner-id", said.partner_id)
    if partner != said.partner_id:
        raise CallbackRefusedError(f"X-PARTNER-ID {shown(partner)} is not ours")
    external_id = headers.get("x-external-id", "")
    if _EXTERNAL_ID.fullmatch(external_id) is None:
        raise CallbackRefusedError(f"X-EXTERNAL-ID {shown(external_id)} is not 1-36 digits")
    try:
        reply = read_object(body)
        if service == "21":
            return _bulk(reply, external_id, body, order_of)
        return (_single(service, reply, external_id, body, order_of),)
    except MisfitError as error:
        raise CallbackRefusedError(str(error)) from None


def reply_to_callback(service: str) -> bytes:
    """What the bank is answered, once the results are kept, or were before."""
    return b'{"responseCode":"200%s00","responseMessage":"Successful"}' % service.encode()


def _check_window(stamp: str, now: datetime, seconds_max: int) -> None:
    try:
        when = datetime.fromisoformat(stamp) if _STAMP.fullmatch(stamp) else None
    except ValueError:
        when = None
    if when is None:
        raise CallbackRefusedError(f"X-TIMESTAMP {shown(stamp)} is no time with a zone")
    if abs((when - now).total_seconds()) > seconds_max:
        raise CallbackRefusedError(
            f"X-TIMESTAMP {stamp} is more than {seconds_max} s from our time"
        )


def _single(
    service: str, reply: Reply, external_id: str, body: bytes, order_of: OrderOf
) -> Callback:
    reference = text_of(reply, "originalPartnerReferenceNo")
    status = text_of(reply, "latestTransactionStatus")
    if not status:
        raise MisfitError("latestTransactionStatus is missing")
    answer = _answer(status, f"200{service}00", "", reply, body, reference, order_of)
    return Callback(service, external_id, reference, answer)


def _bulk(reply: Reply, external_id: str, body: bytes, order_of: OrderOf) -> tuple[Callback, ...]:
    """Each order of a bulk has a response code of its own: 200xx00 done, 202xx00 in progress."""
    listed = reply.get("bulkObject")
    if not isinstance(listed, list) or not listed:
        raise MisfitError("bulkObject lists nothing")
    made = []
    for n, each in enumerate(listed, 1):
        if not isinstance(each, dict):
            raise MisfitError(f"bulkObject {n} is no object")
        reference, code = text_of(each, "originalPartnerReferenceNo"), code_of(each)
        # Any other code is no word to rely on here: the order is asked about (service 36).
        status = _BULK.get((code[:3], code[5:]), "")
        answer = _answer(status, code, message_of(each), each, body, reference, order_of)
        made.append(Callback("21", external_id, reference, answer))
    return tuple(made)


def _answer(
    status: str,
    code: str,
    message: str,
    reply: Reply,
    body: bytes,
    reference: str,
    order_of: OrderOf,
) -> BankAnswer:
    order = order_of(reference) if reference else None
    meaning, bank_reference, note = answer_of_outcome(status, reply, order)
    if order is None:
        meaning = "conflict"
        note = f"{shown(reference)} is no order of ours" if reference else "it names no order"
    told = "; ".join(part for part in (message, note) if part)
    return BankAnswer(meaning, 200, code, told, bank_reference, body)
