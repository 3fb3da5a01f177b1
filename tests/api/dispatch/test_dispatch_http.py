"""Dispatch over HTTP: held, paused, recalled, ordered anew; what waits for people; what banks call."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.testclient import TestClient

from api.app import create_app
from api.opening import make_keys
from api.runtime import Runtime
from bank_adapters.snap.signatures import asymmetric_text, sign_rsa, timestamp
from ledger.documents.dispatching import AnswerPayments, CallPayments, PaymentAnswer
from ledger.opening import ADMIN_1, ADMIN_2, RECONCILER
from ledger.policies import SetPolicy
from ledger.proposals import BothHands
from tests.api.support import issue_token, settings_for
from tests.builders import BANK, NOW, TODAY
from tests.databases import Database
from tests.ledger.documents.office import RECONCILER_2, Office

WIB = timezone(timedelta(hours=7))
_numbers = itertools.count(1)


@dataclass
class Desk:
    """A served treasury with a bank's entry and the bank's own key."""

    office: Office
    client: TestClient
    database: Database
    bank_key: rsa.RSAPrivateKey

    def as_(self, person: str) -> dict[str, str]:
        """The header of a person's token."""
        token = issue_token(self.database, person, self.office.government)
        return {"Authorization": f"Bearer {token}"}

    def post(self, person: str, path: str, body: dict[str, Any]) -> Any:
        """POST as a person."""
        headers = {"Idempotency-Key": f"d-{next(_numbers)}", **self.as_(person)}
        return self.client.post(
            f"/v1/governments/{self.office.government}{path}", json=body, headers=headers
        )

    def get(self, path: str) -> Any:
        """GET as the worker, who may read."""
        answer = self.client.get(
            f"/v1/governments/{self.office.government}{path}", headers=self.as_("worker")
        )
        assert 200 == answer.status_code, answer.text
        return answer.json()

    def orders(self, among: int = 1) -> list[str]:
        """Payments of a signed list that leaves by SNAP."""
        self.office.do(BothHands(ADMIN_1, ADMIN_2, SetPolicy("channel", f"{BANK} snap", TODAY)))
        made = self.office.issue(among=among)["payments"]
        self.office.list_payments(*made)
        return list(made)

    def called(self, payment: str) -> None:
        """The bank was asked to pay and took it in."""
        self.office.do(CallPayments("worker", [(payment, "skn")], "w", 60))
        said = PaymentAnswer(payment, "reply", "pending", 202, "2022300")
        self.office.do(AnswerPayments("worker", [said]))

    def calls_us(self, body: dict[str, Any], **changes: Any) -> Any:
        """The bank's result of an SKN transfer; *changes*: key, when, external_id, sent (the body)."""
        path = f"/v1/governments/{self.office.government}/banks/uji/v1.0/transfer-skn/notify"
        data = json.dumps(body, separators=(",", ":")).encode()
        when = changes.get("when", timestamp(NOW.astimezone(WIB)))
        text = asymmetric_text("POST", path, data, when)
        headers = {
            "X-TIMESTAMP": when,
            "X-SIGNATURE": sign_rsa(text, changes.get("key", self.bank_key)),
            "X-PARTNER-ID": "RKUD",
            "X-EXTERNAL-ID": changes.get("external_id", "1"),
            "Content-Type": "application/json",
        }
        return self.client.post(path, content=changes.get("sent", data), headers=headers)


@pytest.fixture
def desk(on_cair: Office, office_database: Database, tmp_path: Path) -> Iterator[Desk]:
    """A treasury behind HTTP that knows one bank."""
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    make_keys(keys, on_cair.government, on_cair.origin)
    banks = tmp_path / "banks"
    banks.mkdir(mode=0o700)
    bank_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    ours = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for name, data in (
        ("ours.pem", _private(ours)),
        ("secret", b"rahasia-uji-123"),
        ("bank.pem", _public(bank_key)),
        ("banks.toml", _ENTRY.encode()),
    ):
        path = banks / name
        path.write_bytes(data)
        path.chmod(0o600)
    settings = settings_for(office_database, tmp_path)
    runtime = Runtime(settings, lambda: NOW)
    app = create_app(settings, clock=lambda: NOW, runtime=runtime)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Desk(on_cair, client, office_database, bank_key)


_ENTRY = f"""\
[[bank]]
name = "uji"
bank_code = "{BANK[:3]}"
accounts = ["{BANK[4:]}"]
live = true
base_url = "https://bank.example"
client_id = "C"
partner_id = "RKUD"
channel_id = "12345"
private_key_file = "ours.pem"
client_secret_file = "secret"
bank_public_key_file = "bank.pem"
"""


def _private(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _public(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def result_of(payment: str, status: str = "00", amount: str = "100000.00") -> dict[str, Any]:
    """What a bank says of an SKN transfer."""
    return {
        "originalPartnerReferenceNo": payment,
        "originalReferenceNo": "BANK-1",
        "latestTransactionStatus": status,
        "transactionStatusDesc": "success",
        "amount": {"value": amount, "currency": "IDR"},
    }


def test_order_is_held_released_recalled_and_ordered_anew(desk: Desk) -> None:
    """Each by the role that may, each an act with its leaf."""
    (payment,) = desk.orders()
    reason = {"reason": "Rekening diragukan"}
    refused = desk.post("maker", f"/payments/{payment}:hold", reason)
    held = desk.post("verifier", f"/payments/{payment}:hold", reason)
    again = desk.post("verifier", f"/payments/{payment}:hold", reason)
    let_go = desk.post("verifier", f"/payments/{payment}:release", reason)
    released = desk.post("kuasa", f"/payments/{payment}:release", reason)
    recalled = desk.post("kuasa", f"/payments/{payment}:recall", reason)
    body = {"payments": [payment], "bank_account": BANK, **reason}
    rerouted = desk.post("maker", "/payments:reroute", body)

    assert (403, "not_granted") == (refused.status_code, refused.json()["code"])
    assert (201, True) == (held.status_code, held.json()["held"])
    assert (409, "already_so") == (again.status_code, again.json()["code"])
    assert (403, "not_granted") == (let_go.status_code, let_go.json()["code"])
    assert [201, 201, 201] == [a.status_code for a in (released, recalled, rerouted)]
    assert payment == rerouted.json()["rerouted"][0]["instead_of"]
    assert [] == [f for f in desk.office.findings() if f.table != "token"]


def test_account_is_paused_and_its_state_is_shown(desk: Desk) -> None:
    """By account and state; resumed by the Kuasa BUD alone."""
    desk.orders(among=2)
    paused = desk.post("worker", f"/dispatch/{BANK}:pause", {"reason": "Bank diam"})
    shown = desk.get("/dispatch")["accounts"]
    by_worker = desk.post("worker", f"/dispatch/{BANK}:resume", {"reason": "Bank bicara"})
    resumed = desk.post("kuasa", f"/dispatch/{BANK}:resume", {"reason": "Bank bicara"})

    assert 201 == paused.status_code
    assert [{"bank_account": BANK, "paused": True, "state": "queued", "payments": 2}] == shown
    assert [403, 201] == [by_worker.status_code, resumed.status_code]


def test_payment_shows_its_calls_and_answers(desk: Desk) -> None:
    """What the bank was asked, under which number, and what it said."""
    (payment,) = desk.orders()
    desk.called(payment)
    shown = desk.get(f"/payments/{payment}")

    assert ["skn"] == [each["rail"] for each in shown["calls"]]
    assert [("reply", "pending", "2022300")] == [
        (each["source"], each["meaning"], each["code"]) for each in shown["answers"]
    ]


def test_contradiction_and_silence_wait_for_people(desk: Desk) -> None:
    """Each with its reason; what is settled does not wait."""
    one, two, three = desk.orders(among=3)
    for payment in (one, two, three):
        desk.called(payment)
    said = [
        PaymentAnswer(one, "status", "done"),
        PaymentAnswer(one, "callback", "refused"),
        PaymentAnswer(two, "status", "done"),
        PaymentAnswer(three, "status", "conflict"),
    ]
    desk.office.do(AnswerPayments("worker", said))
    waiting = desk.get("/payments/attention")["payments"]

    assert [(one, "contradiction"), (three, "conflict")] == [
        (w["payment"], w["reason"]) for w in waiting
    ]
    assert "paid" == waiting[0]["state"]


def test_conflict_is_settled_over_http_by_two_reconcilers_and_waits_no_more(desk: Desk) -> None:
    """One alone is refused; the second confirms what the first proposed on the bank's letter."""
    (payment,) = desk.orders()
    desk.called(payment)
    desk.office.do(AnswerPayments("worker", [PaymentAnswer(payment, "status", "conflict")]))
    body = {"outcome": "rejected", "on_day": TODAY, "evidence_sha256": "e" * 64, "reason": "Surat"}
    alone = desk.post(RECONCILER, f"/payments/{payment}:record", body)
    proposed = desk.post(RECONCILER, f"/payments/{payment}:settle", body)
    path = f"/proposals/{proposed.json()['proposal']}:confirm"
    itself = desk.post(RECONCILER, path, {})
    settled = desk.post(RECONCILER_2, path, {})

    assert (409, "settling_needs_two_persons") == (alone.status_code, alone.json()["code"])
    assert (201, "own_approval") == (proposed.status_code, itself.json()["code"])
    assert (201, "rejected") == (settled.status_code, settled.json()["state"]), settled.text
    assert [] == desk.get("/payments/attention")["payments"]
    assert [] == [f for f in desk.office.findings() if f.table != "token"]


def test_banks_result_is_taken_once_and_only_from_the_bank(desk: Desk) -> None:
    """A repeat gets the first answer; another body under its number, key or time is refused."""
    (payment,) = desk.orders()
    desk.called(payment)
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    late = timestamp((NOW + timedelta(hours=1)).astimezone(WIB))
    body = result_of(payment)
    forged = desk.calls_us(body, key=stranger)
    stale = desk.calls_us(body, when=late)
    changed = desk.calls_us(body, sent=json.dumps(result_of(payment, "06")).encode())
    taken = desk.calls_us(body)
    repeated = desk.calls_us(body)
    reused = desk.calls_us(result_of(payment, "06"))

    assert ["callback_refused"] * 3 == [a.json()["code"] for a in (forged, stale, changed)]
    assert 200 == taken.status_code, taken.text
    assert {"responseCode": "2007500", "responseMessage": "Successful"} == taken.json()
    assert taken.content == repeated.content
    assert (409, "idempotency_key_reused") == (reused.status_code, reused.json()["code"])
    assert [(payment, "paid")] == desk.office.payments()
    assert [] == [f for f in desk.office.findings() if f.table != "token"]


def test_banks_result_about_another_amount_books_nothing(desk: Desk) -> None:
    """It is kept, and waits for a person."""
    (payment,) = desk.orders()
    desk.called(payment)
    answer = desk.calls_us(result_of(payment, amount="100000.01"))

    assert 200 == answer.status_code, answer.text
    assert [(payment, "accepted")] == desk.office.payments()
    waiting = desk.get("/payments/attention")["payments"]
    assert [(payment, "conflict")] == [(w["payment"], w["reason"]) for w in waiting]
    assert 1 == desk.office.scalar(
        "SELECT count(*) FROM payment_answer WHERE government = :government"
        " AND source = 'callback' AND meaning = 'conflict'"
    )


def test_banks_result_of_an_order_never_sent_is_refused(desk: Desk) -> None:
    """Queued, unknown, or of no order at all: nothing is recorded."""
    (payment,) = desk.orders()
    unsent = desk.calls_us(result_of(payment))
    unknown = desk.calls_us(result_of("P26-99999999"), external_id="2")

    assert ["no_call", "no_call"] == [unsent.json()["code"], unknown.json()["code"]]
    assert [(payment, "queued")] == desk.office.payments()
