"""The client against a bank on real sockets: signed right, sent once, and unknown means unknown."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bank_adapters.payments.order import BankAnswer
from bank_adapters.snap.client import SnapClient
from bank_adapters.snap.connection import Connection
from bank_adapters.snap.errors import (
    AccountNotServedError,
    AddressRefusedError,
    BankRefusedError,
    BankUnreachableError,
    ClockSkewError,
    TokenRefusedError,
    UnreadableAnswerError,
    UnsendableOrderError,
)
from bank_adapters.snap.signatures import (
    asymmetric_text,
    symmetric_text,
    token_text,
    verify_hmac,
    verify_rsa,
)
from ledger.money import Money
from tests.bank_adapters.snap.bank import (
    NOW,
    ORDER,
    OURS,
    SECRET,
    TOKEN,
    Bank,
    Call,
    Clock,
    Numbers,
    Raw,
    answer,
    connect,
    serving,
    simulated,
    success,
)

AMOUNT = {"value": "1250000000.00", "currency": "IDR"}


def paid(call: Call) -> Raw:
    """Executes whatever it is asked to."""
    sent = call.json
    return answer(
        200,
        success(
            "17",
            partnerReferenceNo=sent["partnerReferenceNo"],
            referenceNo=f"B-{sent['partnerReferenceNo']}",
            amount=sent["amount"],
        ),
    )


def no(status: int, code: str, **more: Any) -> Raw:
    """A refusal."""
    return answer(status, {"responseCode": code, "responseMessage": "No"}, **more)


@contextmanager
def client(
    bank: Bank, *, clock: Clock | None = None, numbers: Numbers | None = None, **changes: Any
) -> Iterator[SnapClient]:
    """The client of a bank that is served while the block runs."""
    with serving(bank):
        connection = simulated(bank, **changes)
        with SnapClient(connection, clock or Clock(), numbers or Numbers()) as made:
            yield made


# --- what is sent -----------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["base64", "hex"])
def test_payment_carries_headers_and_a_signature_over_what_was_sent(encoding: Any) -> None:
    """The bank reproduces both signatures from the bytes that it received."""
    bank = Bank(reply=paid)
    with client(bank, signature_encoding=encoding, origin="rkud.example") as made:
        found = made.send(ORDER, "2026030500000001")
    assert ("done", f"B-{ORDER.reference}") == (found.meaning, found.bank_reference)
    token, call = bank.calls
    when = token.headers["x-timestamp"]
    text = token_text("RKUD-36", when)
    assert verify_rsa(text, OURS.public_key(), token.headers["x-signature"], encoding)
    assert ("RKUD-36", "application/json") == (
        token.headers["x-client-key"],
        token.headers["content-type"],
    )
    assert "/snap/v1.0/access-token/b2b" == token.path
    when = call.headers["x-timestamp"]
    assert "2026-03-05T10:15:30+07:00" == when
    text = symmetric_text("POST", call.path, "TOKEN.uji", call.body, when)
    assert verify_hmac(text, SECRET, call.headers["x-signature"], encoding)
    expected = {
        "authorization": "Bearer TOKEN.uji",
        "x-partner-id": "36RKUD",
        "x-external-id": "2026030500000001",
        "channel-id": "95221",
        "origin": "rkud.example",
        "content-type": "application/json",
    }
    assert expected == {name: call.headers[name] for name in expected}


def test_payment_of_an_asymmetric_bank_asks_for_no_token() -> None:
    """The second kind of signature has no token in it."""
    bank = Bank(reply=paid)
    changes = {"transaction_signature": "asymmetric", "client_secret_file": None}
    with client(bank, **changes) as made:
        assert "done" == made.send(ORDER, "1").meaning
    (call,) = bank.calls
    text = asymmetric_text("POST", call.path, call.body, call.headers["x-timestamp"])
    assert verify_rsa(text, OURS.public_key(), call.headers["x-signature"])
    assert "authorization" not in call.headers


def test_order_that_cannot_be_sent_reaches_no_bank() -> None:
    """Refused before a token is asked for."""
    bank = Bank(reply=paid)
    with client(bank) as made:
        for order, number, kind in (
            (replace(ORDER, amount=Money(0)), "1", UnsendableOrderError),
            (replace(ORDER, source_account="0010012345679"), "1", AccountNotServedError),
            (ORDER, "x", UnsendableOrderError),
        ):
            with pytest.raises(kind):
                made.send(order, number)
    assert [] == bank.calls


def test_same_order_is_the_same_bytes_each_time() -> None:
    """A second sending is no inconsistent request; only headers differ."""
    bank, clock = Bank(reply=paid), Clock()
    with client(bank, clock=clock, clock_skew_seconds=900) as made:
        made.send(ORDER, "1")
        clock.move(100)
        made.send(ORDER, "2")
    first, second = bank.to("17")
    assert first.body == second.body
    assert first.headers["x-timestamp"] != second.headers["x-timestamp"]


def test_status_is_asked_by_our_reference() -> None:
    """Service 36, with the service that the payment went by."""
    done = success("36", originalReferenceNo="B1", latestTransactionStatus="00", amount=AMOUNT)
    bank = Bank(reply=lambda _: answer(200, done))
    with client(bank) as made:
        found = made.status(ORDER, "1", "2", bank_reference="B1")
    assert ("done", "B1") == (found.meaning, found.bank_reference)
    (call,) = bank.to("36")
    assert ORDER.reference == call.json["originalPartnerReferenceNo"]
    assert ("17", "2") == (call.json["serviceCode"], call.headers["x-external-id"])
    assert "originalExternalId" not in call.json


# --- what comes back, or doesn't --------------------------------------------------------------

_FULL = paid(
    Call("", {}, json.dumps({"partnerReferenceNo": ORDER.reference, "amount": AMOUNT}).encode())
)[0]


@pytest.mark.parametrize("bare", [False, True], ids=["with a length", "until the end"])
def test_answer_broken_at_any_byte_is_unknown(bare: bool) -> None:
    """The money may have moved: whatever came of the answer, short of all, says nothing."""
    whole = _FULL
    if bare:
        head, _, rest = whole.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
        whole = b"\r\n".join(lines) + b"\r\n\r\n" + rest
    cuts = iter(range(len(whole)))
    bank = Bank(reply=lambda _: whole[: next(cuts)])
    with client(bank) as made:
        found = {made.send(ORDER, "1").meaning for _ in range(len(whole))}
        bank.reply = lambda _: whole
        assert "done" == made.send(ORDER, "1").meaning
    assert {"unknown"} == found
    assert len(whole) + 1 == len(bank.to("17"))


def test_connection_broken_at_any_byte_of_the_call_is_unknown() -> None:
    """However little of the payment the bank read: a byte of it was out."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sizes = [1, 16, 200, 500, 700]
        got: list[int] = []

        def cut() -> None:
            for size in sizes:
                found, _ = listener.accept()
                with found:
                    got.append(len(found.recv(size, socket.MSG_WAITALL)))

        threading.Thread(target=cut, daemon=True).start()
        changes = {"transaction_signature": "asymmetric", "client_secret_file": None}
        connection = connect(
            simulator=True, base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", **changes
        )
        with SnapClient(connection, Clock(), Numbers()) as made:
            answers = [made.send(ORDER, "1") for _ in sizes]
    assert sizes == got
    assert [("unknown", 0)] * len(sizes) == [(each.meaning, each.http_status) for each in answers]


def test_bank_that_cannot_be_reached_is_sent_to_again() -> None:
    """No byte went out: nothing was executed."""
    bank = Bank(reply=paid)
    with serving(bank):
        made = SnapClient(simulated(bank), Clock(), Numbers())
        assert "done" == made.send(ORDER, "1").meaning
    # The token is in hand; nobody listens any more.
    with made:
        found = made.send(ORDER, "2")
        assert ("retry", 0, "") == (found.meaning, found.http_status, found.code)
        assert "nothing was sent" in found.message
        assert "unknown" == made.status(ORDER, "1", "2").meaning
        with pytest.raises(BankUnreachableError):
            made.balance("0010012345678")
    with SnapClient(simulated(bank), Clock(), Numbers()) as fresh, pytest.raises(TokenRefusedError):
        fresh.send(ORDER, "1")


def test_slow_answer_is_unknown_and_a_late_one_is_not_mixed_up() -> None:
    """After a deadline the connection is given up: its answer never meets the next payment."""
    other = replace(ORDER, reference="SP2D26000124-1")

    def reply(call: Call) -> Raw:
        if call.json["partnerReferenceNo"] == ORDER.reference:
            time.sleep(0.5)
        return paid(call)

    bank = Bank(reply=reply)
    seconds = {"answer_seconds": 0.2, "connect_seconds": 0.2, "total_seconds": 0.3}
    with client(bank, **seconds) as made:
        late, next_one = made.send(ORDER, "1"), made.send(other, "2")
        time.sleep(0.4)
        third = made.send(replace(ORDER, reference="SP2D26000125-1"), "3")
    assert ["unknown", "done", "done"] == [each.meaning for each in (late, next_one, third)]
    assert ["B-SP2D26000124-1", "B-SP2D26000125-1"] == [
        next_one.bank_reference,
        third.bank_reference,
    ]


@pytest.mark.parametrize("packets", [1, 2])
def test_answer_that_nobody_asked_for_is_not_the_next_payment_s(packets: int) -> None:
    """A bank that answers twice has answered the first payment twice, and the second not at all."""
    stray = answer(200, success("17", referenceNo="STRAY"))[0]

    def reply(call: Call) -> Raw:
        return paid(call)[0] + stray * packets, False

    bank = Bank(reply=reply)
    with client(bank) as made:
        found = [made.send(replace(ORDER, reference=f"SP2D{n}"), "1") for n in range(4)]
    assert [f"B-SP2D{n}" for n in range(4)] == [each.bank_reference for each in found]


@pytest.mark.parametrize("head", ["", "HTTP/1.1 102 Processing\r\n\r\n"])
def test_connection_is_used_again_after_a_whole_answer(head: str) -> None:
    """Also where a word of patience came before it; in chunks, it is not."""
    bank = Bank(reply=lambda call: (head.encode() + paid(call)[0], False))
    with client(bank) as made:
        assert ["done"] * 3 == [made.send(ORDER, "1").meaning for _ in range(3)]
    assert 1 == bank.connections

    def chunks(call: Call) -> Raw:
        body = paid(call)[0].partition(b"\r\n\r\n")[2]
        size = f"{len(body):x}".encode()
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        return head + size + b"\r\n" + body + b"\r\n0\r\n\r\n", False

    bank = Bank(reply=chunks)
    with client(bank) as made:
        assert ["done"] * 3 == [made.send(ORDER, "1").meaning for _ in range(3)]
    assert 3 == bank.connections


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "Mon, 01 Jan 0001 00:00:00 +1400",
        "Fri, 31 Dec 9999 23:59:59 -1400",
        "Thu, 05 Mar 2026 03:15:30 -0000",
        "Thu, 05 Mar 99999 03:15:30 GMT",
        "\xff\xfe",
    ],
)
def test_no_date_of_an_answer_hides_the_answer(date: str) -> None:
    """Whatever the head says, what was answered is told."""

    def reply(call: Call) -> Raw:
        raw = paid(call)[0].split(b"\r\n")
        raw[2] = b"Date: " + date.encode("latin-1") + b"\r\nRetry-After: " + date.encode("latin-1")
        return b"\r\n".join(raw), False

    with client(Bank(reply=reply)) as made:
        assert "done" == made.send(ORDER, "1").meaning


@pytest.mark.parametrize(
    ("reply", "meaning"),
    [
        (answer(302, b"", Location="https://other.example/"), "unknown"),
        (answer(200, b"x" * (1 << 19)), "unknown"),
        (answer(504, b"<html>"), "unknown"),
        (no(504, "5041700"), "unknown"),
        (answer(202, success("17")), "unknown"),
        (no(202, "2021700"), "pending"),
        (no(403, "4031714"), "refused"),
        (no(409, "4091701"), "duplicate"),
        (no(404, "4041718"), "conflict"),
    ],
)
def test_payment_is_sent_once_whatever_is_answered(reply: Raw, meaning: str) -> None:
    """One call for one sending: nothing but a refused token is tried again."""
    bank = Bank(reply=lambda _: reply)
    with client(bank) as made:
        assert meaning == made.send(ORDER, "1").meaning
    assert (1, 1) == (len(bank.to("73")), len(bank.to("17")))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30),
        ("0", 0),
        ("999999", 86400),
        ("-5", 0),
        ("soon", 0),
        ("9" * 400, 0),
        ("Thu, 05 Mar 2026 03:16:30 GMT", 60),
        ("Thu, 05 Mar 2026 03:00:00 GMT", 0),
    ],
)
def test_wait_that_the_bank_asks_for_is_told(header: str, seconds: int) -> None:
    """Retry-After in both its forms; nonsense is none."""
    bank = Bank(reply=lambda _: no(429, "4291700", Retry_After=header))
    with client(bank) as made:
        found = made.send(ORDER, "1")
    assert ("retry", seconds) == (found.meaning, found.retry_after)


# --- tokens -----------------------------------------------------------------------------------


def test_refused_token_is_renewed_once_and_the_payment_sent_again() -> None:
    """A second attempt has an external id of its own, asked for by the order's reference."""
    replies = iter([no(401, "4011701"), None])
    numbers = Numbers()
    tokens = iter(["ONE", "TWO"])
    bank = Bank(token=lambda _: answer(200, {**TOKEN, "accessToken": next(tokens)}))
    bank.reply = lambda call: next(replies) or paid(call)
    with client(bank, numbers=numbers) as made:
        assert "done" == made.send(ORDER, "9").meaning
    assert ["Bearer ONE", "Bearer TWO"] == [c.headers["authorization"] for c in bank.to("17")]
    assert ["9", "2026030500000001"] == [c.headers["x-external-id"] for c in bank.to("17")]
    assert [ORDER.reference] == numbers.asked


@pytest.mark.parametrize(
    ("reply", "calls", "meaning"),
    [
        (no(401, "4011700"), 2, "retry"),
        (no(401, "4011701"), 2, "retry"),
        (no(401, "4011703"), 2, "retry"),
        (no(401, "4011702"), 1, "unknown"),
        (answer(401, b"<html>"), 1, "unknown"),
        (no(401, "2001700"), 1, "unknown"),
    ],
)
def test_payment_goes_out_twice_at_most(reply: Raw, calls: int, meaning: str) -> None:
    """And only where SNAP's own code says that nothing was done."""
    bank = Bank(reply=lambda _: reply)
    with client(bank) as made:
        assert meaning == made.send(ORDER, "1").meaning
    assert calls == len(bank.to("17"))


def test_answer_lost_on_the_second_attempt_is_unknown() -> None:
    """The first was refused; of the second nobody knows."""
    replies: Iterator[Raw | bytes] = iter([no(401, "4011701"), b""])
    bank = Bank(reply=lambda _: next(replies))
    with client(bank) as made:
        assert "unknown" == made.send(ORDER, "1").meaning


def test_refusal_stands_where_no_new_token_is_given() -> None:
    """Nothing was done by the first attempt, and the caller may send again."""
    tokens = iter([answer(200, TOKEN), no(401, "4017300")])
    bank = Bank(token=lambda _: next(tokens), reply=lambda _: no(401, "4011701"))
    with client(bank) as made:
        assert "retry" == made.send(ORDER, "1").meaning
    assert 1 == len(bank.to("17"))


def test_refusal_stands_where_the_new_token_shows_another_clock() -> None:
    """The second attempt moves money too."""
    tokens = iter([answer(200, TOKEN), answer(200, TOKEN, when=NOW + timedelta(hours=1))])
    bank = Bank(token=lambda _: next(tokens), reply=lambda _: no(401, "4011701"))
    with client(bank) as made:
        assert "retry" == made.send(ORDER, "1").meaning
    assert 1 == len(bank.to("17"))


def test_token_is_shared_by_threads_and_asked_for_once() -> None:
    """Forty payments at once: one token, every answer its own payment's, few connections."""
    bank = Bank(reply=paid)
    orders = [replace(ORDER, reference=f"SP2D26{n:06d}") for n in range(40)]
    with client(bank) as made, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda order: made.send(order, "1"), orders))
    assert [f"B-{order.reference}" for order in orders] == [each.bank_reference for each in found]
    assert {"done"} == {each.meaning for each in found}
    assert (1, 40) == (len(bank.to("73")), len(bank.to("17")))
    assert bank.connections <= 9


def test_token_is_renewed_before_it_ends() -> None:
    """At half its life where that is short: no payment meets an ended token by plan."""
    bank = Bank(reply=paid, token=lambda _: answer(200, {**TOKEN, "expiresIn": 1}))
    with client(bank) as made:
        made.send(ORDER, "1")
        made.send(ORDER, "2")
        time.sleep(0.6)
        made.send(ORDER, "3")
    assert 2 == len(bank.to("73"))


@pytest.mark.parametrize(
    "token",
    [
        no(401, "4017300"),
        no(500, "5007300"),
        answer(302, b""),
        answer(200, b"<html>"),
        answer(200, {**TOKEN, "accessToken": None}),
        answer(200, {**TOKEN, "accessToken": ""}),
        answer(200, {**TOKEN, "accessToken": "a b"}),
        answer(200, {**TOKEN, "accessToken": "rahasia\r\nX-Evil: 1"}),
        answer(200, {**TOKEN, "accessToken": "x" * 4097}),
        answer(200, {**TOKEN, "expiresIn": "soon"}),
        answer(200, {**TOKEN, "expiresIn": -1}),
        answer(200, {**TOKEN, "expiresIn": True}),
        answer(200, b'{"accessToken":"A","accessToken":"B","expiresIn":"900"}'),
        (b"", True),
    ],
)
def test_no_payment_goes_out_without_a_token(token: Raw) -> None:
    """A refusal by name, without the token's text in it."""
    bank = Bank(reply=paid, token=lambda _: token)
    with client(bank) as made, pytest.raises(TokenRefusedError) as caught:
        made.send(ORDER, "1")
    assert [] == bank.to("17")
    assert "rahasia" not in str(caught.value)


# --- clocks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "refused"), [(0, False), (60, False), (-60, False), (62, True), (-62, True)]
)
def test_clock_that_is_far_off_is_told_before_money_moves(seconds: int, refused: bool) -> None:
    """The token's answer shows the bank's clock; a payment would be refused, or worse, believed."""
    bank = Bank(reply=paid)
    bank.token = lambda _: answer(200, TOKEN, when=NOW + timedelta(seconds=seconds))
    with client(bank) as made:
        if not refused:
            assert "done" == made.send(ORDER, "1").meaning
            return
        with pytest.raises(ClockSkewError) as caught:
            made.send(ORDER, "1")
        assert abs(caught.value.seconds - seconds) <= 1
        assert [] == bank.to("17")
        bank.token = lambda _: answer(200, TOKEN)
        assert "done" == made.send(ORDER, "1").meaning


def test_clock_is_read_from_the_time_stamp_where_there_is_no_date() -> None:
    """X-TIMESTAMP of the answer; neither of them says nothing."""
    stamp = "2026-03-05T11:15:30+07:00"
    bank = Bank(reply=paid, token=lambda _: answer(200, TOKEN, when=None, X_TIMESTAMP=stamp))
    with client(bank) as made, pytest.raises(ClockSkewError, match=r"\+3600"):
        made.send(ORDER, "1")
    for headers in ({}, {"X_TIMESTAMP": "now"}, {"X_TIMESTAMP": "2026-03-05T11:15:30"}):
        bank = Bank(reply=paid, token=lambda _, h=headers: answer(200, TOKEN, when=None, **h))
        with client(bank) as made:
            assert "done" == made.send(ORDER, "1").meaning


def test_clock_of_a_bank_without_tokens_is_seen_by_questions() -> None:
    """A payment is refused until a question shows that the clocks agree again."""
    later = NOW + timedelta(hours=1)
    bank = Bank(reply=lambda _: answer(404, {"responseCode": "4043601"}, when=later))
    changes = {"transaction_signature": "asymmetric", "client_secret_file": None}
    with client(bank, **changes) as made:
        assert "not_found" == made.status(ORDER, "1", "2").meaning
        with pytest.raises(ClockSkewError):
            made.send(ORDER, "3")
        bank.reply = lambda _: answer(404, {"responseCode": "4043601"})
        made.status(ORDER, "1", "4")
        bank.reply = paid
        assert "done" == made.send(ORDER, "5").meaning
    assert 1 == len(bank.to("17"))


# --- questions --------------------------------------------------------------------------------


def test_name_of_an_account_is_the_bank_s_word() -> None:
    """Service 15 at the same bank, 16 elsewhere; another account's name is no answer."""
    said = {"beneficiaryAccountName": "CV Maju", "beneficiaryAccountNo": "0019988776655"}
    bank = Bank(reply=lambda call: answer(200, success("15", **said)))
    with client(bank) as made:
        assert "CV Maju" == made.inquire_account("137", "0019988776655")
        assert "CV Maju" == made.inquire_account("014", "0019988776655", reference="CEK-1")
        with pytest.raises(UnreadableAnswerError, match="beneficiaryAccountNo"):
            made.inquire_account("137", "0019988776656")
        bank.reply = lambda _: no(404, "4041511")
        with pytest.raises(BankRefusedError) as caught:
            made.inquire_account("137", "0019988776655")
    assert (404, "4041511") == (caught.value.http_status, caught.value.answer_code)
    assert (3, 1) == (len(bank.to("15")), len(bank.to("16")))
    assert {"014"} == {call.json["beneficiaryBankCode"] for call in bank.to("16")}


def _info(**more: Any) -> dict[str, Any]:
    return {
        "balanceType": "Cash",
        "amount": {"value": "12345678901234.56", "currency": "IDR"},
        "availableBalance": {"value": "10000000", "currency": "IDR"},
        "status": "0001",
        **more,
    }


def test_balance_is_read_to_the_sen() -> None:
    """Twelve trillion and 56 sen; a missing `.00` is none lost; what isn't said is None."""
    said = success("11", accountNo="0010012345678", name="RKUD", accountInfos=[_info()])
    bank = Bank(reply=lambda _: answer(200, said))
    with client(bank) as made:
        found = made.balance("0010012345678", external_id="7")
    assert (Money(1_234_567_890_123_456), Money(1_000_000_000)) == (found.amount, found.available)
    assert (None, None, "active", "RKUD") == (found.hold, found.ledger, found.status, found.name)
    assert "7" == bank.to("11")[0].headers["x-external-id"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"accountNo": "0010012345679"}, "accountNo"),
        ({"accountInfos": []}, "accountInfos"),
        ({"accountInfos": [_info(), _info()]}, "accountInfos"),
        ({"accountInfos": [_info(amount={"value": "1.000,00", "currency": "IDR"})]}, "amount"),
        ({"accountInfos": [_info(amount={"value": "1e6", "currency": "IDR"})]}, "amount"),
        ({"accountInfos": [_info(amount={"value": 1.5, "currency": "IDR"})]}, "amount"),
        ({"accountInfos": [_info(amount={"value": "1.00", "currency": "USD"})]}, "amount"),
        ({"accountInfos": [_info(holdAmount="1.00")]}, "holdAmount"),
    ],
)
def test_balance_that_cannot_be_read_is_refused_by_field(
    changes: dict[str, Any], field: str
) -> None:
    """No amount is guessed, and no other account's is taken."""
    said = {**success("11", accountNo="0010012345678", accountInfos=[_info()]), **changes}
    bank = Bank(reply=lambda _: answer(200, said))
    with client(bank) as made, pytest.raises(UnreadableAnswerError) as caught:
        made.balance("0010012345678")
    assert field == caught.value.field


# --- secrets ----------------------------------------------------------------------------------


def test_secrets_reach_no_log_no_repr_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """Every library at its most talkative: no secret, token or signature in what it says."""
    caplog.set_level(logging.DEBUG)
    told: list[object] = []
    bank = Bank(reply=paid)
    with client(bank) as made:
        told += [made, vars(made), made.send(ORDER, "1")]
        for reply in (no(401, "4011701"), b"", b"HTTP/1.1 200", answer(200, b"x" * (1 << 19))):
            bank.reply = lambda _, r=reply: r
            told.append(made.send(ORDER, "2"))
        bank.token = lambda _: no(401, "4017300")
        bank.reply = lambda _: no(401, "4011101")
        for ask in (made.balance, lambda a: made.inquire_account("137", a)):
            with pytest.raises((BankRefusedError, TokenRefusedError)) as caught:
                ask("0010012345678")
            told.append(caught.value)
    signatures = {call.headers["x-signature"] for call in bank.calls}
    text = caplog.text + "".join(f"{each!r} {each}" for each in told)
    assert "httpcore2" in caplog.text
    assert [] == [each for each in (SECRET, "TOKEN.uji", *signatures) if each in text]


def test_address_that_is_refused_is_raised_and_nothing_sent() -> None:
    """A payment's own refusals are answers; a way out that isn't the bank's is an error."""
    connection: Connection = connect(base_url="https://127.0.0.1:1")
    with SnapClient(connection, Clock(), Numbers()) as made, pytest.raises(AddressRefusedError):
        made.send(ORDER, "1")


def test_transport_may_be_given() -> None:
    """Tests and rehearsals go another way, with the same bytes."""

    class Given:
        def __init__(self) -> None:
            self.paths: list[str] = []

        def post(self, path: str, headers: Any, body: bytes, *, bytes_max: int) -> Any:
            self.paths.append(path)
            raise BankUnreachableError("bank", "no", sent=True)

        def close(self) -> None:
            self.paths.append("closed")

    given = Given()
    changes = {"transaction_signature": "asymmetric", "client_secret_file": None}
    with SnapClient(connect(**changes), Clock(), Numbers(), given) as made:
        found: BankAnswer = made.send(ORDER, "1")
    assert "unknown" == found.meaning
    assert ["/snap/v1.0/transfer-intrabank", "closed"] == given.paths
