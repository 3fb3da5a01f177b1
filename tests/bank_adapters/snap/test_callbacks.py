"""Calls from a bank: only the bank's own, within the window, about our orders and amounts."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank_adapters.payments.order import PaymentOrder
from bank_adapters.snap.callbacks import Callback, read_callback, reply_to_callback
from bank_adapters.snap.connection import Connection
from bank_adapters.snap.errors import CallbackRefusedError
from bank_adapters.snap.signatures import asymmetric_text, sign_rsa
from tests.bank_adapters.snap.bank import NOW, ORDER, OURS, THEIRS, connect

PATH = "/v1/banks/137/snap/v1.0/transfer-rtgs/notify"
WHEN = "2026-03-05T10:15:30+07:00"
AMOUNT = {"value": "1250000000.00", "currency": "IDR"}
BODY: dict[str, Any] = {
    "originalPartnerReferenceNo": ORDER.reference,
    "originalReferenceNo": "B1",
    "originalExternalId": "10052019",
    "latestTransactionStatus": "00",
    "amount": AMOUNT,
    "beneficiaryAccountNo": "0019988776655",
}


CONNECTION = connect()


def ours(reference: str) -> PaymentOrder | None:
    """The one order that we know."""
    return ORDER if reference == ORDER.reference else None


def call(
    body: object = BODY,
    *,
    service: str = "76",
    key: Any = THEIRS,
    when: str = WHEN,
    signed_path: str = PATH,
    connection: Connection | None = None,
    seconds: float = 0,
    **headers: str,
) -> tuple[Callback, ...]:
    """A call as the bank makes it, with what is changed in it."""
    raw = body if isinstance(body, bytes) else json.dumps(body, indent=1).encode()
    signature = sign_rsa(asymmetric_text("POST", signed_path, raw, when), key)
    given = {"x-timestamp": when, "x-signature": signature, "x-external-id": "41807553358950"}
    given.update({name.replace("_", "-"): value for name, value in headers.items()})
    now = NOW + timedelta(seconds=seconds)
    found = connection or CONNECTION
    return read_callback(found, service, PATH, given, raw, now=now, order_of=ours)


@pytest.mark.parametrize("service", ["75", "76"])
@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        ("00", "done"),
        ("01", "pending"),
        ("02", "pending"),
        ("03", "pending"),
        ("04", "returned"),
        ("05", "refused"),
        ("06", "refused"),
        ("07", "not_found"),
        ("99", "unknown"),
    ],
)
def test_signed_result_means_what_its_status_says(service: str, status: str, meaning: str) -> None:
    """The same meanings as a status inquiry's."""
    (found,) = call({**BODY, "latestTransactionStatus": status}, service=service)
    assert (ORDER.reference, "41807553358950") == (found.reference, found.external_id)
    assert meaning == found.answer.meaning
    assert json.loads(found.answer.body)["latestTransactionStatus"] == status


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": {"value": "1.00", "currency": "IDR"}},
        {"amount": {"value": "1250000000.00", "currency": "USD"}},
        {"originalPartnerReferenceNo": "SP2D26000999-1"},
        {"originalPartnerReferenceNo": None},
        {"originalReferenceNo": None},
    ],
)
def test_result_of_another_order_or_amount_is_a_conflict(changes: dict[str, object]) -> None:
    """It is the bank's word, and not about what we asked for; a person looks."""
    (found,) = call({**BODY, **changes})
    assert "conflict" == found.answer.meaning


def test_bulk_result_is_one_for_each_order() -> None:
    """Service 21: each order has its code; only 200xx00 is done."""
    rows = [
        {
            "originalPartnerReferenceNo": ref,
            "responseCode": code,
            "originalReferenceNo": "B",
            "amount": AMOUNT,
        }
        for ref, code in (
            (ORDER.reference, "2001800"),
            (ORDER.reference, "2021800"),
            (ORDER.reference, "4031814"),
            ("OTHER", "2001800"),
        )
    ]
    found = call({"bulkId": "1", "bulkObject": rows}, service="21")
    assert ["done", "pending", "unknown", "conflict"] == [each.answer.meaning for each in found]
    for wrong in ({}, {"bulkObject": []}, {"bulkObject": [1]}, {"bulkObject": {}}):
        with pytest.raises(CallbackRefusedError):
            call(wrong, service="21")


def test_forged_calls_are_refused() -> None:
    """Another key, another path, another time, a changed byte, no signature."""
    raw = json.dumps(BODY).encode()
    stolen = sign_rsa(asymmetric_text("POST", PATH, raw, WHEN), THEIRS)
    for forged in (
        lambda: call(key=OURS),
        lambda: call(signed_path="/v1/banks/014/snap/v1.0/transfer-rtgs/notify"),
        lambda: call(x_timestamp="2026-03-05T10:15:31+07:00"),
        lambda: call(raw.replace(b'"00"', b'"06"'), x_signature=stolen),
        lambda: call(x_signature=""),
        lambda: call(x_signature="!!"),
        lambda: call(connection=connect(bank_public_key_file=None)),
    ):
        with pytest.raises(CallbackRefusedError):
            forged()


@pytest.mark.parametrize(
    ("seconds", "taken"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)]
)
def test_call_is_taken_within_the_window(seconds: int, taken: bool) -> None:
    """An old call that somebody kept is refused before any table of repeats is asked."""
    if taken:
        assert call(seconds=seconds)
    else:
        with pytest.raises(CallbackRefusedError, match="from our time"):
            call(seconds=seconds)


@pytest.mark.parametrize(
    "when", ["", "2026-03-05T10:15:30", "2026-03-05", "now", "2026-02-30T10:15:30+07:00"]
)
def test_call_without_a_time_and_zone_is_refused(when: str) -> None:
    """Signed by the bank, and still no window to put it in."""
    with pytest.raises(CallbackRefusedError):
        call(when=when)


@pytest.mark.parametrize("external_id", ["", "abc", "1" * 37, "-1", "１"])
def test_call_without_a_numeric_external_id_is_refused(external_id: str) -> None:
    """It is the key of the caller's table of repeats."""
    with pytest.raises(CallbackRefusedError, match="X-EXTERNAL-ID"):
        call(x_external_id=external_id)


def test_call_for_another_partner_is_refused() -> None:
    """The bank signs for all its partners with one key."""
    assert call(x_partner_id="36RKUD")
    with pytest.raises(CallbackRefusedError, match="X-PARTNER-ID"):
        call(x_partner_id="ANOTHER")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"latestTransactionStatus":"06","latestTransactionStatus":"00"}',
        b'{"originalPartnerReferenceNo":1,"latestTransactionStatus":"00"}',
        b'{"originalPartnerReferenceNo":"SP2D26000123-1"}',
        b" " * ((1 << 20) + 1),
    ],
)
def test_signed_call_that_cannot_be_read_is_refused(body: bytes) -> None:
    """A signature makes nothing readable."""
    with pytest.raises(CallbackRefusedError):
        call(body)


def test_service_that_is_no_callback_is_refused() -> None:
    """Only 21, 75 and 76 are called."""
    with pytest.raises(CallbackRefusedError, match="36"):
        call(service="36")


def test_reply_to_a_callback_names_its_service() -> None:
    """2007600 for service 76."""
    assert "2007600" == json.loads(reply_to_callback("76"))["responseCode"]


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_changed_byte_of_the_body_passes(at: int, change: int) -> None:
    """White space between tokens alone is not signed; whatever else is changed is refused."""
    raw = json.dumps(BODY).encode()
    signature = sign_rsa(asymmetric_text("POST", PATH, raw, WHEN), THEIRS)
    n = at % len(raw)
    changed = raw[:n] + bytes([raw[n] ^ change]) + raw[n + 1 :]
    space = b" \t\r\n"
    if raw[n] in space and changed[n] in space:
        return
    with pytest.raises(CallbackRefusedError):
        call(changed, x_signature=signature)
