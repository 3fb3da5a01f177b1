"""What the served bank carries out, once, and what it refuses."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import time as clock_time

import pytest

from bank_adapters.simulator.snap_bodies import Order
from bank_adapters.simulator.transfer_rules import LIMITS, Account, Limits, refusal_of
from tests.bank_adapters.served_bank.caller import (
    ACCOUNT,
    SERVICES,
    Served,
    pay,
    status,
    transfer,
)


@pytest.mark.parametrize(
    ("service", "code", "amount"),
    [("17", "2001700", "1.00"), ("18", "2001800", "250000000.00")],
)
def test_transfer_is_executed_at_once(caller, bank, service, code, amount):
    """Done means done: the reply names reference, amount and accounts; the money has moved."""
    answer = pay(caller, f"DONE-{service}", service, amount=amount)

    assert (200, code) == (answer.http, answer.code)
    assert f"DONE-{service}" == answer.body["partnerReferenceNo"]
    assert {"value": amount, "currency": "IDR"} == answer.body["amount"]
    assert answer.body["referenceNo"]
    assert "00" == status(caller, f"DONE-{service}", service).body["latestTransactionStatus"]
    order = bank.report()["orders"][f"DONE-{service}"]
    assert ("done", 1, amount) == (order["status"], order["executions"], order["amount"])


def test_same_reference_is_never_executed_again(caller, bank):
    """The same order is a duplicate, also at another time; another one is inconsistent."""
    pay(caller, "ONCE")

    answers = [
        pay(caller, "ONCE"),
        pay(caller, "ONCE", transactionDate="2026-03-05T11:00:00+07:00"),
        pay(caller, "ONCE", amount="1500001.00"),
        pay(caller, "ONCE", beneficiaryAccountNo="2000000002"),
        pay(caller, "ONCE", "18"),
    ]

    assert ["4091701", "4091701", "4041718", "4041718", "4041818"] == [a.code for a in answers]
    assert 1 == bank.report()["orders"]["ONCE"]["executions"]


def test_same_reference_sent_at_once_by_many_is_executed_once(bank):
    """Sixteen calls race; one is done, fifteen are duplicates."""
    callers = [bank.caller() for _ in range(16)]
    for each in callers:
        each.ask_token()
    with ThreadPoolExecutor(16) as pool:
        codes = sorted(pool.map(lambda each: pay(each, "RACE").code, callers))

    assert ["2001700", *["4091701"] * 15] == codes
    assert 1 == bank.report()["orders"]["RACE"]["executions"]


@pytest.mark.parametrize(
    ("service", "members", "code"),
    [
        ("17", {"beneficiaryAccountNo": "999"}, "4041711"),
        ("17", {"beneficiaryAccountNo": ACCOUNT}, "4031715"),
        ("17", {"sourceAccountNo": "2000000001"}, "4031715"),
        ("17", {"amount": "1000000000000.00"}, "4031714"),
        ("17", {"amount": "0.00"}, "4041713"),
        ("18", {"amount": "250000000.01"}, "4031802"),
        ("18", {"beneficiaryBankCode": "999"}, "4041803"),
        ("18", {"amount": "50000000.01", "additionalInfo": {"transferType": "1"}}, "4031802"),
        ("22", {"amount": "100000000.00"}, "4042213"),
        ("23", {"amount": "1000000000.01"}, "4032302"),
    ],
)
def test_order_against_the_rules_is_refused_and_kept_as_failed(
    caller, bank, service, members, code
):
    """A refusal is final for its reference: nothing is executed, and an inquiry says failed."""
    reference = f"NO-{code}-{'-'.join(sorted(members))}"

    answer = pay(caller, reference, service, **members)

    assert (int(code[:3]), code) == (answer.http, answer.code)
    found = status(caller, reference, service).body
    assert ("06", code) == (found["latestTransactionStatus"], found["previousResponseCode"])
    assert 0 == bank.report()["orders"][reference]["executions"]


ORDER = Order("R", "23", "1", "1", "002", "2", "N", 100, "", "", "", "", "")
SOURCE = Account("137", "1", "RKUD", "active", "customer", 100)
PAYEE = Account("002", "2", "N", "active", "outside", 0)


@pytest.mark.parametrize(
    ("source", "payee", "at", "case"),
    [
        ("active", "active", "10:00", None),
        ("active", "active", "15:00", None),
        ("active", "active", "15:00:01", "cut_off"),
        ("active", "active", "06:29:59", "cut_off"),
        ("frozen", "active", "10:00", "do_not_honor"),
        ("active", "closed", "10:00", "inactive"),
        ("active", "dormant", "10:00", "dormant"),
    ],
)
def test_hours_and_accounts_decide_by_table(source, payee, at, case):
    """A rail has hours, an account a standing."""
    hours = {"23": (clock_time(6, 30), clock_time(15))}
    limits = Limits(LIMITS.bifast_max, LIMITS.online_max, LIMITS.skn_max, 0, hours)

    def standing(account, word):
        return Account(
            account.bank, account.number, account.name, word, account.kind, account.available_sen
        )

    found = refusal_of(
        ORDER,
        standing(SOURCE, source),
        standing(PAYEE, payee),
        limits,
        banks=frozenset({"002"}),
        at=clock_time.fromisoformat(at),
    )

    assert case == found


def test_order_after_hours_may_come_again_under_its_reference(directory):
    """A cut-off keeps nothing, so the reference is free for the next window."""
    path = directory / "bank.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "hours": {"17": ["00:00", "00:00"]}}))
    with Served(directory) as served:
        late = pay(served.caller(), "HOURS")
        unknown = status(served.caller(), "HOURS")
    path.write_text(json.dumps({**settings, "hours": {"17": ["00:00", "23:59:59"]}}))
    with Served(directory) as served:
        again = pay(served.caller(), "HOURS")

    assert ["4031706", "4043601", "2001700"] == [late.code, unknown.code, again.code]


def test_inquiries_know_whose_account_it_is(caller):
    """15 for accounts here, 16 for those at other banks, 404xx11 for nobody's."""
    inside = caller.call("/account-inquiry-internal", {"beneficiaryAccountNo": "2000000001"})
    outside = caller.call(
        "/account-inquiry-external",
        {"beneficiaryAccountNo": "3000000001", "beneficiaryBankCode": "002"},
    )
    nobody = caller.call("/account-inquiry-internal", {"beneficiaryAccountNo": "3000000001"})
    nowhere = caller.call(
        "/account-inquiry-external",
        {"beneficiaryAccountNo": "3000000001", "beneficiaryBankCode": "014"},
    )
    inner = caller.call("/account-inquiry-internal", {"beneficiaryAccountNo": "vault"})

    assert ("2001500", "CV Maju") == (inside.code, inside.body["beneficiaryAccountName"])
    assert ("2001600", "PT Jaya") == (outside.code, outside.body["beneficiaryAccountName"])
    assert ["4041511", "4041603", "4041511"] == [nobody.code, nowhere.code, inner.code]


def test_status_is_asked_by_any_of_three_names_and_the_right_service(caller):
    """Ours, the bank's, or the call's; with another service code the order isn't found."""
    done = pay(caller, "NAMES").body
    first = status(caller, "NAMES").body

    def ask(**members):
        return caller.call("/transfer/status", {"serviceCode": "17", **members})

    by_bank = ask(originalReferenceNo=done["referenceNo"])
    by_call = ask(originalExternalId=first["originalExternalId"])

    assert "NAMES" == by_bank.body["originalPartnerReferenceNo"]
    assert "NAMES" == by_call.body["originalPartnerReferenceNo"]
    assert "4043601" == status(caller, "NAMES", "18").code
    assert "4043601" == status(caller, "NEVER").code
    assert "4043601" == ask().code


def test_restart_and_kill_keep_everything_that_was_answered(directory):
    """Orders, external ids, tokens and what is left for later outlive the process."""
    script = "delay_ms = 3000"
    with Served(directory, script=script) as served:
        first = served.caller()
        pay(first, "KEPT")
        pay(first, "LATER", "22", amount="150000000.00")
        body = json.dumps({"accountNo": ACCOUNT}).encode()
        path = "/snap/v1.0/balance-inquiry"
        first.send(path, body, first.headers(path, body, external_id="4242"))
        served.kill()
        before = served.report()
    with Served(directory, script=script) as again:
        caller = again.caller(base_url=again.url.removesuffix("/snap/v1.0"))
        caller.token = first.token
        conflict = caller.send(path, body, caller.headers(path, body, external_id="4242"))
        duplicate = pay(caller, "KEPT")
        for _ in range(100):
            if status(caller, "LATER", "22").body["latestTransactionStatus"] == "00":
                break
            time.sleep(0.05)
        after = again.report()

    assert ("done", "pending") == tuple(before["orders"][n]["status"] for n in ("KEPT", "LATER"))
    assert "150000000.00" == before["balances"][f"137:{ACCOUNT}"]["held"]
    assert ["4091100", "4091701"] == [conflict.code, duplicate.code]
    assert ("done", 1) == tuple(after["orders"]["LATER"][n] for n in ("status", "executions"))
    assert (True, True) == (after["zero_sum"], after["balances_agree"])


def test_thousand_transfers_over_few_connections_are_each_executed_once(directory):
    """Many callers share commits; every order is executed once and the books agree."""
    with Served(directory) as served:
        callers = [served.caller() for _ in range(8)]
        for each in callers:
            each.ask_token()

        def many(n):
            return [pay(callers[n], f"MANY-{n}-{k}", amount="1000.00").code for k in range(125)]

        with ThreadPoolExecutor(8) as pool:
            codes = [code for each in pool.map(many, range(8)) for code in each]
        report = served.report()

    assert {"2001700"} == set(codes)
    assert [1] * 1000 == [order["executions"] for order in report["orders"].values()]
    assert "999000000.00" == report["balances"][f"137:{ACCOUNT}"]["balance"]
    assert (True, True) == (report["zero_sum"], report["balances_agree"])


def test_body_fields_reach_the_order(caller):
    """An inquiry answers with what was ordered."""
    body = transfer("FIELDS", "18", amount="12345.67")
    caller.call(SERVICES["18"], body)

    found = status(caller, "FIELDS", "18").body

    assert body["amount"] == found["amount"]
    assert ("3000000001", "002", ACCOUNT, body["transactionDate"]) == (
        found["beneficiaryAccountNo"],
        found["beneficiaryBankCode"],
        found["sourceAccountNo"],
        found["transactionDate"],
    )


def test_bank_killed_under_load_has_executed_all_that_it_answered(directory):
    """Kill -9 while eight callers pay: what was answered is there, nothing is there twice."""
    answered = []
    with Served(directory) as served:
        callers = [served.caller() for _ in range(8)]
        for each in callers:
            each.ask_token()

        def many(n):
            for k in range(1000):
                answer = pay(callers[n], f"K-{n}-{k}", amount="1.00")
                if answer.http == 0:
                    return
                answered.append(answer.body["partnerReferenceNo"])

        with ThreadPoolExecutor(8) as pool:
            done = [pool.submit(many, n) for n in range(8)]
            while len(answered) < 200:
                time.sleep(0.01)
            served.kill()
        for each in done:
            each.result()
        report = served.report()

    executed = {name for name, order in report["orders"].items() if order["executions"]}
    assert set(answered) <= executed
    assert {1} == {order["executions"] for order in report["orders"].values()}
    # What was executed and not answered are the calls under way: one for each caller at most.
    assert len(executed) - len(answered) <= 8
    assert (True, True) == (report["zero_sum"], report["balances_agree"])
