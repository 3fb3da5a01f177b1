"""Callbacks 76 and 75: signed by the bank over the bytes it sends, and sent as the script says."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_public_key

from bank_adapters.snap.signatures import asymmetric_text, verify_rsa
from tests.bank_adapters.served_bank.caller import Served, pay

SCRIPT = """
delay_ms = 200
[exact]
"MISSING" = ["callback_missing"]
"LATE" = ["callback_late"]
"TWICE" = ["callback_duplicate"]
"REPLAYED" = ["callback_replayed"]
"FAILS" = ["progress_failure"]
"BACK" = ["returned"]
"""
BIG = "100000001.00"


@contextmanager
def receiver(statuses=()):
    """A customer's end: keeps what comes, answers *statuses* in their order, then 200."""
    came, left = [], list(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.append((time.monotonic(), self.path, dict(self.headers), body))
            self.send_response(left.pop(0) if left else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/bank/137", came
    finally:
        server.shutdown()
        server.server_close()


def of(came, reference):
    return [each for each in came if json.loads(each[3])["originalPartnerReferenceNo"] == reference]


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


def test_callbacks_come_signed_and_as_often_as_the_script_says(directory):
    """Each tells how an order stands now; who is told, when and how often is the script's."""
    with receiver() as (url, came), Served(directory, ("--callbacks-to", url), SCRIPT) as served:
        caller = served.caller()
        started = time.monotonic()
        for reference in ("PLAIN", "MISSING", "LATE", "TWICE", "REPLAYED", "FAILS", "BACK"):
            service = "23" if reference == "PLAIN" else "22"
            assert 202 == pay(caller, reference, service, amount=BIG).http
        pay(caller, "INTRABANK")
        until(lambda: len(of(came, "LATE")) == 1 and len(of(came, "BACK")) == 2)
        until(lambda: len(of(came, "TWICE")) == len(of(came, "REPLAYED")) == 2)
        report = served.report()
        key = load_pem_public_key(Path(caller.given["bank_public_key_file"]).read_bytes())

    counts = {name: len(of(came, name)) for name in ("PLAIN", "MISSING", "INTRABANK", "FAILS")}
    assert {"PLAIN": 1, "MISSING": 0, "INTRABANK": 0, "FAILS": 1} == counts
    for _, path, headers, body in came:
        text = asymmetric_text("POST", path, body, headers["X-TIMESTAMP"])
        assert verify_rsa(text, key, headers["X-SIGNATURE"])
        assert not verify_rsa(text + b" ", key, headers["X-SIGNATURE"])
        assert headers["X-EXTERNAL-ID"].isdigit() and len(headers["X-EXTERNAL-ID"]) <= 36
    assert {
        "/bank/137/v1.0/transfer-rtgs/notify",
        "/bank/137/v1.0/transfer-skn/notify",
    } == {path for _, path, _, _ in came}
    statuses = {
        name: [json.loads(body)["latestTransactionStatus"] for _, _, _, body in of(came, name)]
        for name in ("PLAIN", "FAILS", "BACK")
    }
    assert {"PLAIN": ["00"], "FAILS": ["06"], "BACK": ["00", "04"]} == statuses
    first, second = of(came, "TWICE")
    assert first[3] == second[3]
    assert first[2]["X-EXTERNAL-ID"] != second[2]["X-EXTERNAL-ID"]
    first, second = of(came, "REPLAYED")
    assert (first[2]["X-EXTERNAL-ID"], first[2]["X-SIGNATURE"], first[3]) == (
        second[2]["X-EXTERNAL-ID"],
        second[2]["X-SIGNATURE"],
        second[3],
    )
    # Settled after 0.2 s, told ten times that later.
    assert of(came, "LATE")[0][0] - started > 2.2
    assert of(came, "LATE")[0][0] > of(came, "FAILS")[0][0]
    assert {
        "callback_duplicate": 1,
        "callback_late": 1,
        "callback_missing": 1,
        "callback_replayed": 1,
        "progress_failure": 1,
        "returned": 1,
    } == report["faults"]


def test_callback_that_is_not_taken_comes_again_with_another_id(directory):
    """Two refusals, then 200: three tries, each signed anew, and no more."""
    with (
        receiver([500, 401]) as (url, came),
        Served(directory, ("--callbacks-to", url), "delay_ms = 0") as served,
    ):
        pay(served.caller(), "AGAIN", "22", amount=BIG)
        until(lambda: served.report()["callbacks"]["taken"] == 1)
        time.sleep(0.3)
        report = served.report()

    assert 3 == len(came)
    assert 3 == len({headers["X-EXTERNAL-ID"] for _, _, headers, _ in came})
    assert {"queued": 1, "tries": 3, "taken": 1, "waiting": 0} == report["callbacks"]


def test_callback_that_waits_outlives_the_bank_s_process(directory):
    """What was not told before a kill is told after the next start."""
    script = 'delay_ms = 150\n[exact]\n"KEPT" = ["callback_late"]'
    with receiver() as (url, came):
        with Served(directory, ("--callbacks-to", url), script) as served:
            pay(served.caller(), "KEPT", "22", amount=BIG)
            until(lambda: served.report()["callbacks"]["queued"] == 1)
            served.kill()
            before = len(came)
        with Served(directory, ("--callbacks-to", url), script):
            until(lambda: len(came) == 1)

    assert 0 == before
    assert "KEPT" == json.loads(came[0][3])["originalPartnerReferenceNo"]
