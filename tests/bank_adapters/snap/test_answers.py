"""The money rules: what each answer of a bank means, row by row, and that nothing else is known."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from bank_adapters.payments.order import BankAnswer
from bank_adapters.snap.answers import read_answer
from tests.bank_adapters.snap.bank import ORDER

AMOUNT = {"value": "1250000000.00", "currency": "IDR"}
DONE = {"partnerReferenceNo": ORDER.reference, "referenceNo": "B1", "amount": AMOUNT}
STATUS = {
    "originalPartnerReferenceNo": ORDER.reference,
    "originalReferenceNo": "B1",
    "amount": AMOUNT,
}
SERVICES = ("17", "18", "22", "23")

#: (HTTP status, case, meaning): every row of the notes' section 1.6, and codes outside it.
TRANSFER_ROWS = [
    (200, "00", "done"),
    (202, "00", "pending"),
    (400, "00", "retry"),
    (400, "01", "retry"),
    (400, "02", "retry"),
    (401, "00", "retry"),
    (401, "01", "retry"),
    (401, "02", "unknown"),
    (401, "03", "retry"),
    (401, "04", "unknown"),
    (403, "00", "refused"),
    (403, "01", "refused"),
    (403, "02", "refused"),
    (403, "03", "refused"),
    (403, "04", "refused"),
    (403, "05", "refused"),
    (403, "06", "retry"),
    (403, "07", "unknown"),
    (403, "09", "refused"),
    (403, "14", "refused"),
    (403, "15", "refused"),
    (403, "16", "refused"),
    (403, "18", "refused"),
    (403, "20", "refused"),
    (403, "23", "refused"),
    (404, "00", "unknown"),
    (404, "01", "unknown"),
    (404, "02", "refused"),
    (404, "03", "refused"),
    (404, "11", "refused"),
    (404, "13", "refused"),
    (404, "14", "unknown"),
    (404, "16", "refused"),
    (404, "18", "conflict"),
    (405, "00", "refused"),
    (405, "01", "unknown"),
    (409, "00", "retry"),
    (409, "01", "duplicate"),
    (429, "00", "retry"),
    (429, "01", "unknown"),
    (500, "00", "unknown"),
    (500, "01", "unknown"),
    (500, "02", "unknown"),
    (502, "00", "unknown"),
    (503, "00", "unknown"),
    (504, "00", "unknown"),
    (200, "01", "unknown"),
    (201, "00", "unknown"),
    (202, "01", "unknown"),
    (302, "00", "unknown"),
]


def read(
    service: str, http_status: int, body: object, *, retry_after: int = 0, **order: Any
) -> BankAnswer:
    """The meaning of a body, bytes or JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    made = replace(ORDER, **order)
    return read_answer(service, http_status, raw, made, retry_after=retry_after)


def reply(http_status: int, service: str, case: str, **more: object) -> dict[str, object]:
    """A reply of a code."""
    code = f"{http_status}{service}{case}"
    return {"responseCode": code, "responseMessage": "Said", **more}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(("http_status", "case", "meaning"), TRANSFER_ROWS)
def test_transfer_s_code_means_what_the_table_says(
    service: str, http_status: int, case: str, meaning: str
) -> None:
    """Every documented code of every transfer service, and the undocumented as unknown."""
    more = {**DONE, "transactionStatus": "00"} if http_status in {200, 202} else {}
    body = reply(http_status, service, case, **more)
    found = read(service, http_status, body)
    assert meaning == found.meaning
    assert (http_status, f"{http_status}{service}{case}") == (found.http_status, found.code)
    assert json.dumps(body).encode() == found.body
    assert "Said" in found.message


@pytest.mark.parametrize(("http_status", "case", "meaning"), TRANSFER_ROWS)
def test_foreign_service_digits_are_told_and_change_nothing(
    http_status: int, case: str, meaning: str
) -> None:
    """BCA's RTGS and SKN tables print 4041802 for invalid routing."""
    more = {**DONE, "transactionStatus": "00"} if http_status in {200, 202} else {}
    found = read("22", http_status, reply(http_status, "18", case, **more))
    assert meaning == found.meaning
    assert "names service 18, called was 22" in found.message


@pytest.mark.parametrize(
    ("changes", "meaning"),
    [
        ({}, "done"),
        ({"partnerReferenceNo": None}, "done"),
        ({"partnerReferenceNo": ""}, "done"),
        ({"amount": None}, "done"),
        ({"amount": {"value": "1250000000", "currency": "IDR"}}, "done"),
        ({"sourceAccount": "0010012345678"}, "done"),
        ({"sourceAccountNo": "0010012345678"}, "done"),
        ({"sourceAccount": "10012345678", "beneficiaryAccountNo": "***6655"}, "done"),
        ({"sourceAccount": "0010012345679"}, "conflict"),
        ({"sourceAccountNo": "0010012345679"}, "conflict"),
        ({"beneficiaryAccountNo": "0019988776656"}, "conflict"),
        ({"beneficiaryAccountNo": 19988776655}, "conflict"),
        ({"referenceNo": None}, "conflict"),
        ({"referenceNo": " "}, "conflict"),
        ({"referenceNo": 7}, "conflict"),
        ({"partnerReferenceNo": "SP2D26000123-2"}, "conflict"),
        ({"partnerReferenceNo": 5}, "conflict"),
        ({"amount": {"value": "1250000000.01", "currency": "IDR"}}, "conflict"),
        ({"amount": {"value": "125000000000", "currency": "IDR"}}, "conflict"),
        ({"amount": {"value": "1250000000.00", "currency": "USD"}}, "conflict"),
        ({"amount": {"value": "1,250,000,000.00", "currency": "IDR"}}, "conflict"),
        ({"amount": {"value": "1.25e9", "currency": "IDR"}}, "conflict"),
        ({"amount": {"value": 1250000000, "currency": "IDR"}}, "conflict"),
        ({"amount": {"value": "NaN", "currency": "IDR"}}, "conflict"),
        ({"amount": "1250000000.00"}, "conflict"),
        ({"responseMessage": "Request In Progress"}, "pending"),
    ],
)
@pytest.mark.parametrize("service", ["17", "18"])
def test_success_is_done_only_for_our_order_and_our_amount(
    service: str, changes: dict[str, object], meaning: str
) -> None:
    """A bank that answers success for another amount has not paid ours; a person looks."""
    body = {**reply(200, service, "00", **DONE), **changes}
    found = read(service, 200, body)
    assert meaning == found.meaning
    if meaning == "done":
        assert "B1" == found.bank_reference


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        ("00", "done"),
        ("01", "pending"),
        ("02", "pending"),
        ("03", "pending"),
        (None, "pending"),
        ("04", "returned"),
        ("05", "refused"),
        ("06", "refused"),
        ("07", "not_found"),
        ("08", "unknown"),
        (0, "unknown"),
    ],
)
@pytest.mark.parametrize("service", ["22", "23"])
def test_clearing_s_success_is_what_its_status_says(
    service: str, status: object, meaning: str
) -> None:
    """RTGS and SKN answer that they took it in; whether it was paid is transactionStatus."""
    body = reply(200, service, "00", **DONE, transactionStatus=status)
    assert meaning == read(service, 200, body).meaning


@pytest.mark.parametrize(
    ("http_status", "case", "status", "meaning"),
    [
        (200, "00", "00", "done"),
        (200, "00", "01", "pending"),
        (200, "00", "02", "pending"),
        (200, "00", "03", "pending"),
        (200, "00", "04", "returned"),
        (200, "00", "05", "refused"),
        (200, "00", "06", "refused"),
        (200, "00", "07", "not_found"),
        (200, "00", "08", "unknown"),
        (200, "00", "0", "unknown"),
        (200, "00", None, "unknown"),
        (200, "00", 6, "unknown"),
        (200, "01", "06", "unknown"),
        (202, "00", "06", "unknown"),
        (400, "01", None, "unknown"),
        (401, "00", "06", "unknown"),
        (401, "01", None, "unknown"),
        (403, "01", "06", "unknown"),
        (404, "01", None, "not_found"),
        (404, "00", None, "unknown"),
        (404, "18", None, "unknown"),
        (409, "00", None, "unknown"),
        (429, "00", None, "unknown"),
        (500, "00", "06", "unknown"),
        (504, "00", "00", "unknown"),
    ],
)
def test_status_inquiry_means_what_the_table_says(
    http_status: int, case: str, status: object, meaning: str
) -> None:
    """A question that was refused says nothing about the payment."""
    body = reply(http_status, "36", case, **STATUS, latestTransactionStatus=status)
    assert meaning == read("36", http_status, body).meaning


@pytest.mark.parametrize("status", ["00", "03", "04", "05", "06"])
@pytest.mark.parametrize(
    "changes",
    [
        {"originalPartnerReferenceNo": "SP2D26000123-2"},
        {"amount": {"value": "1.00", "currency": "IDR"}},
        {"amount": {"value": "1250000000.00", "currency": "SGD"}},
    ],
)
def test_status_of_another_order_or_amount_is_a_conflict(
    status: str, changes: dict[str, object]
) -> None:
    """Neither paid nor refused: a refusal of another order would let ours be paid twice."""
    body = {**reply(200, "36", "00", **STATUS, latestTransactionStatus=status), **changes}
    assert "conflict" == read("36", 200, body).meaning


def test_status_done_needs_the_bank_s_reference() -> None:
    """`originalReferenceNo`, or the `referenceNumber` that the standard has beside it."""
    bare = {**STATUS, "originalReferenceNo": None}
    done = reply(200, "36", "00", **bare, latestTransactionStatus="00")
    assert "conflict" == read("36", 200, done).meaning
    found = read("36", 200, {**done, "referenceNumber": "R9"})
    assert ("done", "R9") == (found.meaning, found.bank_reference)
    failed = reply(200, "36", "00", **bare, latestTransactionStatus="06")
    assert "refused" == read("36", 200, failed).meaning


@pytest.mark.parametrize("http_status", [400, 403, 404, 409])
def test_refusal_that_names_another_order_is_a_conflict(http_status: int) -> None:
    """Whatever it says of another order, it says nothing of ours."""
    case = "01" if http_status in {400, 409} else "14" if http_status == 403 else "11"
    body = reply(http_status, "17", case, partnerReferenceNo="SP2D26000999-1")
    assert "conflict" == read("17", http_status, body).meaning


@pytest.mark.parametrize(
    ("http_status", "code"),
    [
        (200, "4031714"),
        (200, "5001700"),
        (202, "2001700"),
        (403, "2001700"),
        (500, "4041711"),
        (404, "4031714"),
        (401, "2001700"),
    ],
)
def test_code_that_contradicts_http_decides_nothing(http_status: int, code: str) -> None:
    """Two words of one answer that differ are no word."""
    found = read("17", http_status, {"responseCode": code, **DONE})
    assert "unknown" == found.meaning
    assert "contradicts" in found.message


def test_http_200_around_in_progress_is_pending() -> None:
    """202xx00 says taken in, whatever status line a gateway put around it."""
    assert "pending" == read("17", 200, reply(202, "17", "00")).meaning
    assert "unknown" == read("36", 200, reply(202, "36", "00")).meaning


@pytest.mark.parametrize("service", ["17", "18", "22", "23", "36"])
@pytest.mark.parametrize("http_status", [200, 202, 302, 400, 403, 404, 500, 504])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad Gateway</html>",
        b"[]",
        b'"2001700"',
        b'{"responseCode":"2001700"',
        b"\xff\xfe",
        b"{}",
        b'{"responseCode":null}',
        b'{"responseCode":2001700}',
        b'{"responseCode":"200170"}',
        b'{"responseCode":"20017000"}',
        '{"responseCode":"２００1700"}'.encode(),
        b'{"responseCode":"4031714","responseCode":"2001700","referenceNo":"B1"}',
        b'{"responseCode":"2001700","referenceNo":"B1","amount":{"value":"1.00","value":"2.00"}}',
        b"[" * 100_000,
        b'{"a":1' + b"0" * 5000 + b"}",
    ],
)
def test_unreadable_answer_is_unknown(service: str, http_status: int, body: bytes) -> None:
    """Not JSON, cut, twins, no code: nobody knows, and the bytes are kept."""
    found = read(service, http_status, body)
    assert ("unknown", http_status, body) == (found.meaning, found.http_status, found.body)


@given(
    st.sampled_from(["17", "22", "36"]),
    st.binary(max_size=40) | st.text(max_size=40).map(str.encode),
)
def test_no_bytes_make_a_reader_fail(service: str, body: bytes) -> None:
    """Whatever comes, there is an answer, and noise is never more than unknown."""
    assert "unknown" == read(service, 200, body).meaning


def test_wait_that_the_bank_asks_for_is_kept() -> None:
    """429 with Retry-After."""
    assert 30 == read("17", 429, reply(429, "17", "00"), retry_after=30).retry_after


def test_bank_s_words_are_one_short_line() -> None:
    """A message that a person reads holds no line breaks or control characters of the bank's."""
    found = read(
        "17", 403, {**reply(403, "17", "14"), "responseMessage": "a\n\x1b[31mb " + "x" * 900}
    )
    assert found.message.isprintable()
    assert len(found.message) < 300


_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["00", "06"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)
_RIGHT: dict[str, Any] = {
    **DONE,
    **STATUS,
    "transactionStatus": "00",
    "latestTransactionStatus": "00",
}
_HTTP = st.sampled_from([200, 200, 200, 202, 403, 500])


@given(st.sampled_from(["17", "22", "36"]), _HTTP, _HTTP, st.data())
def test_whatever_is_done_has_a_reference_and_no_other_amount(
    service: str, http_status: int, said: int, data: st.DataObject
) -> None:
    """No shape of answer is read as paid but one: HTTP 200, 200xx00, a bank reference, our order."""
    changes = data.draw(st.dictionaries(st.sampled_from(sorted(_RIGHT)), _VALUES, max_size=2))
    body = {"responseCode": f"{said}{service}00", **_RIGHT, **changes}
    found = read(service, http_status, body)
    event(found.meaning)
    if found.meaning == "done":
        assert (200, 200) == (http_status, said)
        assert found.bank_reference
        assert body["amount"] in (None, AMOUNT)
        ours = "originalPartnerReferenceNo" if service == "36" else "partnerReferenceNo"
        assert body[ours] in (None, "", ORDER.reference)
