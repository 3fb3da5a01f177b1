"""Who is let in: signatures, headers, tokens, bodies, as a bank checks them."""

import json
import socket
import ssl
import tomllib
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from bank_adapters.simulator.errors import RequestRefusedError
from bank_adapters.simulator.snap_bodies import SERVICES as KNOWN
from bank_adapters.simulator.snap_bodies import order_of, read_body
from bank_adapters.simulator.snap_checks import Call, Customer, check_transaction
from bank_adapters.snap.signatures import sign_hmac, symmetric_text
from tests.bank_adapters.served_bank.caller import (
    ACCOUNT,
    WIB,
    Served,
    command,
    pay,
    prepare,
    transfer,
)

BALANCE = {"accountNo": ACCOUNT}
PATH = "/snap/v1.0/balance-inquiry"


def test_signed_call_is_answered(caller):
    """What the customer signed is served."""
    answer = caller.call("/balance-inquiry", BALANCE)

    assert (200, "2001100") == (answer.http, answer.code)
    assert ACCOUNT == answer.body["accountNo"]


def test_signature_known_from_the_notes_is_accepted():
    """The check agrees with a signature that was made elsewhere (bank notes 1.4, vector 4)."""
    customer = Customer("c", "rahasia-uji-123", "P", "95221", None)
    now = datetime(2026, 3, 5, 10, 15, 30, tzinfo=WIB)
    call = Call(
        "POST",
        PATH,
        {
            "content-type": "application/json",
            "authorization": "Bearer TOKEN.uji",
            "x-timestamp": "2026-03-05T10:15:30+07:00",
            "x-signature": "ENEI7gQYd8ZRJOE4Yc2VRVbYNSNa65RqErAZUdBq1Ehcn3zelbNfD1bGRtiHfMFNMsrot+o2"
            "BsUkpUoJW6sxWQ==",
            "x-partner-id": "P",
            "x-external-id": "1",
            "channel-id": "95221",
        },
        b'{"partnerReferenceNo":"RKUD260305000001","accountNo":"0010012345678"}',
    )
    tokens = {"TOKEN.uji": now.timestamp() + 1}

    assert "1" == check_transaction(call, customer, tokens, now)
    for changed in (
        Call("PUT", call.target, call.headers, call.body),
        Call("POST", "/snap/v1.0/bank-statement", call.headers, call.body),
        Call("POST", f"{PATH}?a=b", call.headers, call.body),
        Call("POST", PATH, call.headers, call.body.replace(b"0010", b"0011")),
        Call("POST", PATH, call.headers, call.body[:-1] + b',"a":1}'),
    ):
        with pytest.raises(RequestRefusedError) as refused:
            check_transaction(changed, customer, tokens, now)
        assert "unauthorized" == refused.value.case
    spaced = Call("POST", PATH, call.headers, call.body.replace(b",", b" ,\n"))
    assert "1" == check_transaction(spaced, customer, tokens, now)


def test_wrong_secret_is_refused(bank):
    """A signature by another secret is none."""
    caller = bank.caller(client_secret="another")

    assert "4011100" == caller.call("/balance-inquiry", BALANCE).code


def test_signed_body_that_is_changed_on_the_way_is_refused(caller):
    """The hash is taken over what arrived."""
    signed = json.dumps(transfer("BODY-1")).encode()
    path = "/snap/v1.0/transfer-intrabank"
    headers = caller.headers(path, signed)

    answer = caller.send(path, signed.replace(b"1500000.00", b"9500000.00"), headers)

    assert (401, "4011700") == (answer.http, answer.code)
    assert "2001700" == caller.send(path, signed, headers).code


def test_signature_for_another_path_is_refused(caller):
    """A signature opens one door."""
    body = json.dumps(BALANCE).encode()

    answer = caller.send("/snap/v1.0/bank-statement", body, caller.headers(PATH, body))

    assert "4011400" == answer.code


def test_signature_over_another_query_is_refused(caller):
    """The path is signed with its query."""
    body = json.dumps(BALANCE).encode()

    assert "4011100" == caller.send(f"{PATH}?x=1", body, caller.headers(PATH, body)).code
    assert "2001100" == caller.send(f"{PATH}?x=1", body, caller.headers(f"{PATH}?x=1", body)).code


@pytest.mark.parametrize("seconds", [-301, 301])
def test_time_outside_the_window_is_refused(caller, seconds):
    """Five minutes either way, and not a second more."""
    when = datetime.now(WIB) + timedelta(seconds=seconds + (1 if seconds > 0 else 0))
    body = json.dumps(BALANCE).encode()

    assert "4011100" == caller.send(PATH, body, caller.headers(PATH, body, when=when)).code
    assert "4017300" == caller.ask_token(when).code


def test_external_id_is_used_once_a_day(caller):
    """The second call of an id is a conflict, whatever it asks, and changes nothing."""
    body = json.dumps(BALANCE).encode()
    caller.send(PATH, body, caller.headers(PATH, body, external_id="777001"))
    order = json.dumps(transfer("CONFLICT-1")).encode()
    path = "/snap/v1.0/transfer-intrabank"

    again = caller.send(path, order, caller.headers(path, order, external_id="777001"))

    assert (409, "4091700") == (again.http, again.code)
    assert "2001700" == pay(caller, "CONFLICT-1").code


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("X-EXTERNAL-ID", "12ab", "4001101"),
        ("X-EXTERNAL-ID", "1" * 37, "4001101"),
        ("X-EXTERNAL-ID", "", "4001102"),
        ("X-PARTNER-ID", "P" * 37, "4001101"),
        ("X-PARTNER-ID", "somebody", "4011100"),
        ("X-PARTNER-ID", "", "4001102"),
        ("CHANNEL-ID", "123456", "4001101"),
        ("CHANNEL-ID", "", "4001102"),
        ("X-TIMESTAMP", "2026-03-05T10:15:30.000+07:00", "4001101"),
        ("X-TIMESTAMP", "2026-03-05T10:15:30Z", "4001101"),
        ("X-TIMESTAMP", "2026-13-05T10:15:30+07:00", "4001101"),
        ("X-TIMESTAMP", "0001-01-01T00:00:00+14:00", "4011100"),
        ("X-TIMESTAMP", "9999-12-31T23:59:59-14:00", "4011100"),
        ("X-TIMESTAMP", "", "4001102"),
        ("X-SIGNATURE", "", "4001102"),
        ("X-SIGNATURE", "!!", "4011100"),
        ("Authorization", "", "4001102"),
        ("Authorization", "Bearer unheard-of", "4011101"),
        ("Authorization", "Basic abc", "4011101"),
        ("Content-Type", "text/plain", "4001101"),
    ],
)
def test_header_that_is_missing_or_malformed_is_refused(caller, header, value, code):
    """Each header has its own rule and the refusal its own code."""
    answer = caller.call("/balance-inquiry", BALANCE, **{header: value})

    assert code == answer.code
    if code.startswith("400"):
        assert header in answer.body["responseMessage"]


def test_token_ends_after_fifteen_minutes():
    """A token lives until its time, and not at it."""
    customer = Customer("c", "s", "P", "95221", None)
    issued = datetime(2026, 3, 5, 10, 0, 0, tzinfo=WIB)
    tokens = {"T": issued.timestamp() + 900}

    def call_at(seconds):
        now = issued + timedelta(seconds=seconds)
        stamp = now.isoformat()
        text = symmetric_text("POST", PATH, "T", b"{}", stamp)
        headers = {
            "content-type": "application/json",
            "authorization": "Bearer T",
            "x-timestamp": stamp,
            "x-signature": sign_hmac(text, "s"),
            "x-partner-id": "P",
            "x-external-id": "1",
            "channel-id": "95221",
        }
        return check_transaction(Call("POST", PATH, headers, b"{}"), customer, tokens, now)

    assert "1" == call_at(899)
    with pytest.raises(RequestRefusedError) as refused:
        call_at(900)
    assert "invalid_token" == refused.value.case


def test_token_is_given_to_the_client_alone(bank):
    """Another client id, or another's key, gets none."""
    stranger = bank.caller()
    stranger.key = lambda: generate_private_key(65537, 2048)

    assert "4017300" == stranger.ask_token().code
    assert "4017300" == bank.caller(client_id="x").ask_token().code
    answer = bank.caller().ask_token()
    assert ("2007300", "900") == (answer.code, answer.body["expiresIn"])


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "4001700"),
        (b"{", "4001700"),
        (b"[]", "4001700"),
        (b'{"a":1,"a":2}', "4001700"),
        (b"\xff\xfe{}", "4001700"),
        (b'{"remark":"\\ud800"}', "4001700"),
        (b"[" * 100_000, "4001700"),
        (b"{}", "4001702"),
    ],
)
def test_body_that_is_no_order_is_refused(caller, raw, code):
    """Signed rubbish is rubbish."""
    path = "/snap/v1.0/transfer-intrabank"

    assert code == caller.send(path, raw, caller.headers(path, raw)).code


def changed(**members):
    body = transfer("FIELDS-1", "22", amount="150000000.00") | members
    return {name: value for name, value in body.items() if value is not None}


@pytest.mark.parametrize(
    ("members", "case"),
    [
        ({"partnerReferenceNo": None}, "missing_field partnerReferenceNo"),
        ({"partnerReferenceNo": "x" * 65}, "invalid_format partnerReferenceNo"),
        ({"partnerReferenceNo": 7}, "invalid_format partnerReferenceNo"),
        ({"amount": {"value": "1500.0", "currency": "IDR"}}, "invalid_format amount"),
        ({"amount": {"value": "1500", "currency": "IDR"}}, "invalid_format amount"),
        ({"amount": {"value": "1,500.00", "currency": "IDR"}}, "invalid_format amount"),
        ({"amount": {"value": 1500.0, "currency": "IDR"}}, "invalid_format amount"),
        ({"amount": {"value": "-5.00", "currency": "IDR"}}, "invalid_format amount"),
        ({"amount": {"value": "5.00", "currency": "USD"}}, "invalid_format amount"),
        ({"amount": {"value": f"{10**16}.00", "currency": "IDR"}}, "invalid_format amount"),
        ({"amount": None}, "missing_field amount"),
        ({"transactionDate": "2026-02-30T10:00:00+07:00"}, "invalid_format transactionDate"),
        ({"transactionDate": "2026-02-20"}, "invalid_format transactionDate"),
        ({"transactionDate": "0001-01-01T00:00:00+14:00"}, "invalid_format transactionDate"),
        ({"transactionDate": "9999-12-31T23:59:59-14:00"}, "invalid_format transactionDate"),
        ({"remark": "x" * 51}, "invalid_format remark"),
        ({"customerReference": "x" * 31}, "invalid_format customerReference"),
        ({"beneficiaryAccountName": None}, "missing_field beneficiaryAccountName"),
        ({"beneficiaryCustomerType": None}, "missing_field beneficiaryCustomerType"),
        ({"additionalInfo": []}, "invalid_format additionalInfo"),
    ],
)
def test_field_that_is_missing_or_malformed_is_refused(members, case):
    """Length, form and presence are those of the standard's tables."""
    with pytest.raises(RequestRefusedError) as refused:
        read_body(KNOWN["/transfer-rtgs"], json.dumps(changed(**members)).encode())

    assert case == str(refused.value)


def test_longest_fields_are_taken():
    """A field may be as long as its table says; sixteen digits before the point are an amount."""
    longest = changed(
        partnerReferenceNo="x" * 64,
        remark="x" * 50,
        customerReference="x" * 30,
        amount={"value": f"{10**16 - 1}.99", "currency": "IDR"},
    )

    body = read_body(KNOWN["/transfer-rtgs"], json.dumps(longest).encode())

    assert 10**18 - 1 == order_of(KNOWN["/transfer-rtgs"], body, "1").sen


@pytest.mark.parametrize(
    ("extra", "case"),
    [
        ({"transferType": "2"}, "missing_field additionalInfo.purposeCode"),
        ({"transferType": "3"}, "invalid_format additionalInfo.transferType"),
    ],
)
def test_bifast_without_its_purpose_is_refused(extra, case):
    """BI-FAST wants to know what for."""
    body = transfer("X", "18", additionalInfo=extra)

    with pytest.raises(RequestRefusedError) as refused:
        order_of(KNOWN["/transfer-interbank"], body, "1")

    assert case == str(refused.value)


def test_unknown_service_and_other_methods_are_refused(caller):
    """Only what the bank offers, and only by POST."""
    assert 404 == caller.call("/transfer-nowhere", {}).http
    connection = caller.connection()
    connection.request("GET", PATH)
    answer = connection.getresponse()

    assert (405, "4051100") == (answer.status, json.loads(answer.read())["responseCode"])
    connection.close()


def test_other_kinds_of_signature_are_spoken_where_the_bank_was_prepared_so(tmp_path):
    """Hex, and RSA without a token, are settings of a bank."""
    directory = tmp_path / "bank"
    prepare(directory, "--signature-encoding", "hex", "--transaction-signature", "asymmetric")
    with Served(directory) as served:
        caller = served.caller()

        assert "2001700" == pay(caller, "RSA-1").code
        assert (
            "4011700"
            == served.caller(signature_encoding="base64")
            .call("/transfer-intrabank", transfer("RSA-2"))
            .code
        )


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\r\n\r\n", b"400"),
        (b"GET /\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\nX-SIGNATURE: a\r\nx-signature: b\r\n\r\n", b"400"),
        (b"A" * 70_000 + b"\r\n\r\n", b"431"),
        (b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc", b""),
    ],
)
def test_bytes_that_are_no_request_are_refused_and_hurt_nobody(bank, sent, status):
    """Neither length nor header can be read in two ways; the next caller is served."""
    port = int(bank.url.split(":")[2].split("/")[0])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        came = sock.recv(65536)

    assert status == came[9:12]
    assert "2001100" == bank.caller().call("/balance-inquiry", BALANCE).code


def test_bank_prepared_for_tls_speaks_tls_1_3_alone(tmp_path):
    """A connection under its own certificate is served, an older TLS or none at all is not."""
    directory = tmp_path / "bank"
    prepare(directory, "--tls")
    script = '[exact]\n"CUT" = ["broken_body"]\n"RST" = ["broken_unread"]'
    with Served(directory, script=script) as served:
        caller = served.caller()
        assert "2001700" == pay(caller, "TLS").code
        assert [0, 0] == [pay(caller, name).http for name in ("CUT", "RST")]
        plain = served.caller(base_url=caller.given["base_url"].replace("https", "http"))
        old = ssl.create_default_context(cafile=caller.given["tls_certificate_file"])
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        port = int(caller.given["base_url"].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as sock, pytest.raises(ssl.SSLError):
            old.wrap_socket(sock, server_hostname="127.0.0.1")

        assert 0 == plain.ask_token().http
        assert {"TLS": 1, "CUT": 1} == {
            name: order["executions"] for name, order in served.report()["orders"].items()
        }


def test_entry_of_the_file_of_banks_says_what_the_credentials_say(bank):
    """`banks.toml` names the served port, and keys that lie beside it."""
    (entry,) = tomllib.loads((bank.directory / "banks.toml").read_text())["bank"]
    given = bank.caller().given

    same = ("base_url", "base_path", "client_id", "partner_id", "channel_id", "bank_code")
    assert {name: given[name] for name in same} == {name: entry[name] for name in same}
    assert (False, True, "") == (entry["live"], entry["simulator"], entry["version"])
    secret = bank.directory / entry["client_secret_file"]
    assert (given["client_secret"], 0o600) == (secret.read_text(), secret.stat().st_mode & 0o777)
    for name in ("private_key_file", "bank_public_key_file"):
        assert (bank.directory / entry[name]).is_file()


def test_prepared_directory_is_the_owner_s_alone(prepared):
    """Keys and secrets are readable by their owner only."""
    modes = {path.name: path.stat().st_mode & 0o777 for path in prepared.iterdir()}

    assert 0o700 == prepared.stat().st_mode & 0o777
    assert {0o600} == {
        mode for name, mode in modes.items() if name.endswith((".pem", ".json", ".db"))
    }


def test_what_cannot_be_prepared_or_served_is_refused(directory, tmp_path):
    """A directory in use, an account that is none, a directory without a bank."""
    taken = prepare(directory)
    wrong = command(
        *("prepare", "--directory", tmp_path / "x", "--account", "137", "--balance", "1")
    )
    nothing = command("report", "--directory", tmp_path)
    with Served(directory):
        twice = command("serve", "--directory", directory, "--port", 0)

    assert ["malformed_input"] * 4 == [each["error"] for each in (taken, wrong, nothing, twice)]
    assert "served already" in twice["message"]
