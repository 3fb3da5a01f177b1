"""Each fault does what its table says, as seen from the caller's end of the socket."""

import json
import shutil
import time

import pytest

from tests.bank_adapters.served_bank.caller import (
    ACCOUNT,
    SERVICES,
    Served,
    command,
    pay,
    status,
    transfer,
)

#: What the caller of an intrabank transfer sees, and what an inquiry says right after it.
ANSWERS = {
    "timeout_before": (504, "5041700", "4043601"),
    "timeout_after": (504, "5041700", "00"),
    "timeout_late": (504, "5041700", "4043601"),
    "internal_before": (500, "5001701", "4043601"),
    "internal_after": (500, "5001701", "00"),
    "too_many": (429, "4291700", "4043601"),
    "progress_success": (202, "2021700", "03"),
    "progress_failure": (202, "2021700", "03"),
    "foreign_service": (200, "2001800", "00"),
    "other_amount": (200, "2001700", "00"),
    "unreadable": (200, "", "00"),
    "rejected": (403, "4031705", "06"),
}
#: How often the order is executed in the end, when it is sent once, and its last state.
ENDS = {
    "timeout_before": None,
    "timeout_after": ("done", 1),
    "timeout_late": ("done", 1),
    "internal_before": None,
    "internal_after": ("done", 1),
    "too_many": None,
    "progress_success": ("done", 1),
    "progress_failure": ("failed", 0),
    "foreign_service": ("done", 1),
    "other_amount": ("done", 1),
    "unreadable": ("done", 1),
    "rejected": ("failed", 0),
    "broken_unread": None,
    "broken_before": None,
    "broken_after": ("done", 1),
    "broken_headers": ("done", 1),
    "broken_body": ("done", 1),
}


@pytest.fixture(scope="module")
def patient(prepared, tmp_path_factory):
    """A bank that does nothing later while a test looks."""
    copy = shutil.copytree(prepared, tmp_path_factory.mktemp("patient") / "bank")
    exact = {f"answer-{name}": [name] for name in ENDS}
    exact |= {f"again-timeout_late{rail}": ["timeout_late"] for rail in ("", "-rtgs")}
    lines = [f'"{reference}" = {json.dumps(faults)}' for reference, faults in exact.items()]
    with Served(copy, script="\n".join(["delay_ms = 600000", "[exact]", *lines])) as served:
        yield served


@pytest.fixture(scope="module")
def faulty(prepared, tmp_path_factory):
    """A bank where a reference's name says what meets it; its delays are long enough to look."""
    copy = shutil.copytree(prepared, tmp_path_factory.mktemp("faulty") / "bank")
    uses = ("once", "again", "raw")
    exact = {f"{use}-{name}": [name] for use in uses for name in ENDS}
    exact |= {
        "hidden": ["status_hidden"],
        "returned": ["returned"],
        "returned-outside": ["returned"],
    }
    lines = [f'"{reference}" = {json.dumps(faults)}' for reference, faults in exact.items()]
    script = "\n".join(["delay_ms = 1500", "[exact]", *lines])
    with Served(copy, script=script) as served:
        yield served


def settled(bank, reference):
    """The order's report, once nothing is left for later."""
    for _ in range(100):
        report = bank.report()
        if not report["waiting"]:
            return report["orders"].get(reference)
        time.sleep(0.1)
    raise AssertionError("something is waiting for ever")


def standing(answer):
    return answer.body.get("latestTransactionStatus", answer.code)


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_is_what_the_fault_says(patient, name):
    """HTTP status, response code, and what an inquiry says right afterwards."""
    caller = patient.caller()

    answer = pay(caller, f"answer-{name}")
    asked = status(caller, f"answer-{name}")

    assert ANSWERS[name] == (answer.http, answer.code, standing(asked))


def test_answer_that_names_another_amount_is_wrong_in_nothing_else(faulty):
    """The order was executed for the right amount, and its reference and accounts are right."""
    body = pay(faulty.caller(), "sibling").body
    other = pay(faulty.caller(), "raw-other_amount").body

    assert "1500001.00" == other["amount"]["value"] != body["amount"]["value"]
    assert set(body) == set(other)
    assert "raw-other_amount" == other["partnerReferenceNo"]
    order = faulty.report()["orders"]["raw-other_amount"]
    assert ("1500000.00", 1) == (order["amount"], order["executions"])


@pytest.mark.parametrize(
    ("name", "ended", "bytes_seen"),
    [
        ("broken_unread", "reset", "none"),
        ("broken_before", "closed", "none"),
        ("broken_after", "closed", "none"),
        ("broken_headers", "closed", "part of the headers"),
        ("broken_body", "closed", "part of the body"),
    ],
)
def test_connection_is_broken_at_its_byte(faulty, name, ended, bytes_seen):
    """The bytes that come, and whether the connection is closed or reset."""
    came, how = faulty.caller().raw_call(SERVICES["17"], transfer(f"raw-{name}"))

    head, blank, body = came.partition(b"\r\n\r\n")
    seen = "none" if not came else "part of the body" if blank else "part of the headers"
    assert (ended, bytes_seen) == (how, seen)
    if blank:
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        assert 0 < len(body) < length


@pytest.mark.parametrize("name", ENDS)
def test_order_sent_once_ends_as_the_fault_says(faulty, name):
    """Executed or not, once everything that was left for later is done."""
    pay(faulty.caller(), f"once-{name}")

    order = settled(faulty, f"once-{name}")

    assert ENDS[name] == (order and (order["status"], order["executions"]))


@pytest.mark.parametrize("name", [name for name in ENDS if name != "timeout_late"])
def test_order_sent_again_is_executed_once_at_most(faulty, name):
    """The fault meets the first call; the second is carried out or a duplicate, never a second payment."""
    caller = faulty.caller()
    pay(caller, f"again-{name}")

    again = pay(caller, f"again-{name}")

    assert ("2001700" if ENDS[name] is None else "4091701") == again.code
    order = settled(faulty, f"again-{name}")
    failed = name in ("rejected", "progress_failure")
    assert (0 if failed else 1) == order["executions"]


@pytest.mark.parametrize("service", ["17", "22"])
def test_order_left_lying_is_executed_when_it_is_sent_again(patient, service):
    """A bank that forgot an order and is asked again pays it then; a third call is a duplicate."""
    caller = patient.caller()
    reference = {"17": "again-timeout_late", "22": "again-timeout_late-rtgs"}[service]
    codes = [pay(caller, reference, service, amount="100000001.00").code for _ in range(3)]

    assert [f"504{service}00", f"200{service}00", f"409{service}01"] == codes
    assert "00" == standing(status(caller, reference, service))
    assert 1 == patient.report()["orders"][reference]["executions"]


def test_broken_connection_takes_the_external_id_or_not(directory):
    """A call that was reset unread can be sent again byte for byte; one that was read can't."""
    script = '[exact]\n"unread" = ["broken_unread"]\n"before" = ["broken_before"]'
    codes = []
    with Served(directory, script=script) as served:
        caller = served.caller()
        for number, name in enumerate(("unread", "before")):
            body = json.dumps(transfer(name)).encode()
            path = "/snap/v1.0/transfer-intrabank"
            headers = caller.headers(path, body, external_id=f"900{number}")
            codes.append([caller.send(path, body, headers).code for _ in range(2)])

    assert [["", "2001700"], ["", "4091700"]] == codes


def test_hidden_order_is_denied_to_the_first_inquiries(faulty):
    """Three times not found, as code and as status by turns; then the truth."""
    caller = faulty.caller()
    pay(caller, "hidden")

    asked = [standing(status(caller, "hidden")) for _ in range(5)]

    assert ["4043601", "07", "4043601", "00", "00"] == asked


@pytest.mark.parametrize(("reference", "service"), [("returned", "17"), ("returned-outside", "18")])
def test_returned_transfer_comes_back_later(faulty, reference, service):
    """Done first; then a credit with RETUR on the statement, and status 04."""
    caller = faulty.caller()
    pay(caller, reference, service)
    before = standing(status(caller, reference, service))

    order = settled(faulty, reference)

    assert ("00", "04") == (before, standing(status(caller, reference, service)))
    assert ("returned", 1, 1) == tuple(order[n] for n in ("status", "executions", "returned"))


def test_fault_meets_as_many_calls_as_the_script_says(directory):
    """With attempts = 2 the third call is the first that is carried out; a restart forgets nothing."""
    script = 'attempts = 2\n[exact]\n"A" = ["timeout_before"]'
    codes = []
    for _ in range(3):
        with Served(directory, script=script) as served:
            codes.append(pay(served.caller(), "A").code)
            report = served.report()

    assert ["5041700", "5041700", "2001700"] == codes
    assert {"timeout_before": 2} == report["faults"]


def test_silent_bank_answers_nobody_until_its_time_is_over(directory):
    """By command, beside the bank that is served: 503 without SNAP, or nothing at all."""
    with Served(directory, script="hold_seconds = 0.2") as served:
        caller = served.caller()
        caller.ask_token()
        seen = []
        for kind, seconds in (("unavailable", 60), ("timeout", 60), ("timeout", 0)):
            command(
                *("silence", "--directory", directory, "--kind", kind, "--seconds", seconds),
            )
            answer = caller.call("/balance-inquiry", {"accountNo": ACCOUNT})
            seen.append((answer.http, answer.code))

    assert [(503, ""), (0, ""), (200, "2001100")] == seen


def test_silent_day_ends_with_the_bank_s_day(directory):
    """A day of silence is the bank's own day."""
    script = 'hold_seconds = 0.1\nsilent_days = ["2026-03-05"]'
    with Served(directory, script=script) as served:
        silent = served.caller().ask_token().http
        command("end-day", "--directory", directory, "--today", "2026-03-05")
        spoken = served.caller().ask_token().http

    assert (0, 200) == (silent, spoken)


def test_rerun_in_another_order_gives_the_same_faults(prepared, tmp_path):
    """What meets an order does not hang on when it arrives."""
    script = "seed = 9\ndelay_ms = 0\n[probability]\n" + "\n".join(
        f"{name} = 0.06" for name in sorted(ENDS) if name != "unreadable"
    )
    names = [f"R-{n}" for n in range(40)]
    reports = []
    for turn, order in enumerate((names, names[::-1])):
        copy = shutil.copytree(prepared, tmp_path / f"bank{turn}")
        with Served(copy, script=script) as served:
            caller = served.caller()
            for name in order:
                pay(caller, name)
            settled(served, names[0])
            reports.append(served.report())

    assert reports[0]["faults"] == reports[1]["faults"] != {}
    assert reports[0]["orders"] == reports[1]["orders"]
