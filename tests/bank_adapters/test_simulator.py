"""The simulated bank: what it executes, what it refuses, and that its statements tell the truth."""

import datetime as d
import json
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from audit.canonical import canonical, parse_canonical
from audit.dsse import sign
from audit.keys import generate_officer_key, officer_key_id
from audit.statement import Statement
from bank_adapters import read_statement_file
from bank_adapters.simulator import (
    FAULTS,
    Bank,
    Deposit,
    Instruction,
    load_bank,
    read_advice_list,
    run_day,
    save_bank,
)
from bank_adapters.simulator.advice import AdviceList
from bank_adapters.simulator.errors import (
    AccountNotOursError,
    AdviceListRefusedError,
    AdviceListRepeatedError,
    DayClosedError,
    MalformedInputError,
)
from bank_adapters.statements.mt940_writer import write_mt940
from ledger.documents.advice_file import advice_package, file_bytes, file_sha256
from ledger.documents.content import AdviceContent, AdviceRow, packed, revision_of
from ledger.money import Money, sen_text

DAY = d.date(2026, 11, 20)
BEFORE = d.date(2026, 11, 19)
ACCOUNT = "137:0000000000"
OFFICER = generate_officer_key()
OFFICER_HEX = OFFICER.public_key().public_bytes_raw().hex()
OPENING = Money.parse("950000000000.00")


def instructions(count, *, sen=1_000_000_00):
    return tuple(
        Instruction(
            f"P26-{n:08d}",
            f"CV Nomor {n}",
            "137" if n % 3 == 0 else "002",
            f"{1_000_000_000 + n}",
            sen_text(sen + n * 100),
        )
        for n in range(1, count + 1)
    )


def a_list(count=20, number="DP/36/000001/2026", **more):
    return AdviceList(number, ACCOUNT, DAY, "0" * 64, instructions(count, **more))


def a_bank(opening=OPENING):
    return Bank.opened("137", "0000000000", opening, BEFORE)


def package(*, key=OFFICER, rows=3, act="advice_list.sign", amount=None, decision="approve"):
    """A package in the ledger's own form, signed by *key*."""
    named = instructions(rows)
    content_rows = tuple(
        AdviceRow(
            each.reference,
            f"sp2d-2026-{n:08d}",
            f"36.00/04.0/{n:06d}/LS",
            DAY.isoformat(),
            "1.02",
            f"{n:064x}",
            each.bank_code,
            f"{n + 1000:064x}",
            each.amount,
            "0.00",
            each.amount,
        )
        for n, each in enumerate(named, start=1)
    )
    texts = {f"{n:064x}": each.name for n, each in enumerate(named, start=1)}
    texts |= {f"{n + 1000:064x}": each.account for n, each in enumerate(named, start=1)}
    file = file_bytes(
        government="36",
        number="DP/36/000001/2026",
        bank_account=ACCOUNT,
        dated_on=DAY.isoformat(),
        transfer_on=DAY.isoformat(),
        salt="ab" * 32,
        rows=content_rows,
        texts=texts,
    )
    content = AdviceContent(
        1,
        "advice_list",
        2026,
        "DP/36/000001/2026",
        ACCOUNT,
        DAY.isoformat(),
        DAY.isoformat(),
        "cd" * 32,
        file_sha256(file),
        content_rows,
    )
    data = packed(content)
    total = sen_text(sum(each.money.sen for each in named))
    statement = Statement(
        origin="demo.rkud.example/36",
        act=act,
        object="advice_list-2026-00000001",
        revision=revision_of(data),
        line_totals={},
        payees=(),
        amount=amount or total,
        decision=decision,
        role="deputy_treasurer",
        officer="kuasa-bud",
        key_id=officer_key_id(key.public_key().public_bytes_raw()),
        nonce="0123456789abcdef" * 2,
        claimed_at="2026-11-20T03:15:30.123456Z",
    )
    return advice_package(file, data, [sign(statement.to_payload(), key).to_bytes()], {})


def changed(data, change):
    parts = parse_canonical(data)
    change(parts)
    return canonical(parts)


def test_advice_list_signed_by_the_specimen_is_read_row_by_row():
    """The bank reads from the package exactly what the file says."""
    found = read_advice_list(package(), [OFFICER_HEX])

    assert "DP/36/000001/2026" == found.number
    assert ACCOUNT == found.bank_account
    assert instructions(3) == found.instructions


def _raise_amount(parts):
    parts["file"]["rows"][0]["net"] = "9999999999.00"


def _another_account(parts):
    parts["file"]["rows"][0]["payee_account"] = "6666666666"


def _another_list(parts):
    parts["content"]["number"] = "DP/36/000002/2026"


def _row_twice(parts):
    parts["file"]["rows"].append(parts["file"]["rows"][0])


@pytest.mark.parametrize(
    "data",
    [
        changed(package(), _raise_amount),
        changed(package(), _another_account),
        changed(package(), _another_list),
        changed(package(), _row_twice),
        changed(package(), lambda parts: parts["envelopes"].clear()),
        changed(package(), lambda parts: parts.pop("content")),
        package(key=generate_officer_key()),
        package(act="advice_list.verify"),
        package(amount="1.00"),
        package(decision="refuse"),
        package() + b"\n",
        b"{}",
        b"not json",
    ],
    ids=[
        "amount raised",
        "account replaced",
        "another list",
        "row twice",
        "no signature",
        "no content",
        "key of nobody known",
        "only verified",
        "another total signed",
        "refused by the officer",
        "not canonical",
        "empty object",
        "no JSON",
    ],
)
def test_advice_list_that_the_officer_did_not_sign_is_refused(data):
    """Whatever was changed behind the signature, the bank pays nothing."""
    with pytest.raises(AdviceListRefusedError):
        read_advice_list(data, [OFFICER_HEX])


def test_keys_inside_the_package_are_not_believed():
    """A package that brings its own key is refused: only the specimen counts."""
    stranger = generate_officer_key()
    public = stranger.public_key().public_bytes_raw()
    data = changed(
        package(key=stranger),
        lambda parts: parts["keys"].update({officer_key_id(public): public.hex()}),
    )

    with pytest.raises(AdviceListRefusedError):
        read_advice_list(data, [OFFICER_HEX])


def test_day_without_faults_pays_each_instruction_once():
    """Debits are the list, to the reference and the sen."""
    asked = a_list(50)

    day = run_day(a_bank(), DAY, [asked], [], seed=1, faults=())

    assert {(each.reference, -each.money) for each in asked.instructions} == {
        (entry.reference, entry.amount) for entry in day.entries
    }
    assert 50 == len(day.entries)
    assert () == day.rejections


@hypothesis_settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(4, 60), st.sets(st.sampled_from(FAULTS)))
def test_day_with_any_seed_has_each_fault_asked_for_exactly_once(seed, count, faults):
    """What differs from the list is one payment a fault, each another one."""
    asked = a_list(count)
    day = run_day(a_bank(), DAY, [asked], [], seed=seed, faults=faults)

    debits = Counter(e.reference for e in day.entries if e.amount.sen < 0 and e.reference)
    credits = [e.reference for e in day.entries if e.amount.sen > 0 and e.reference]
    rejected = {each.reference for each in day.rejections}
    never = {each.reference for each in asked.instructions} - set(debits) - rejected
    twins = {reference for reference, times in debits.items() if times == 2}
    codes = Counter(e.transaction_code for e in day.entries if not e.reference)

    assert ("rejection" in faults) == (len(rejected) == 1)
    assert ("missing" in faults) == (len(never) == 1)
    assert ("twin" in faults) == (len(twins) == 1)
    assert ("retur" in faults) == (len(credits) == 1)
    assert set(credits) <= set(debits) - twins
    assert max(debits.values()) <= 2
    assert ("fee" in faults, "interest" in faults, "unknown_credit" in faults) == (
        codes["NCHG"] == 1,
        codes["NINT"] == 1,
        codes["NMSC"] == 1,
    )


@hypothesis_settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 40))
def test_statement_of_any_day_adds_up_and_chains(seed, count):
    """Opening + entries = closing, in the file as read back; the next day opens where it closed."""
    bank = a_bank()
    closing = OPENING
    for n in range(3):
        day = run_day(
            bank,
            DAY + d.timedelta(days=n),
            [a_list(count, number=f"DP/36/{n:06d}/2026")],
            [Deposit("STS/RKUD/00001", "KAS SAMSAT", "12345678.00")],
            seed=seed,
        )
        data = write_mt940(
            bank.account, "IDR", day.statement_no, day.opening, day.opening_on, day.day, day.entries
        )
        (read,) = read_statement_file(data).statements

        assert closing.sen == read.opening.units
        assert day.closing.sen == read.closing.units
        assert read.adds_up
        assert len(day.entries) == len(read.lines)
        closing = day.closing
    assert 0 == sum(bank.balances.values())


def test_next_day_makes_good_what_the_day_before_left_undone():
    """The missing payment is paid and the second debit taken back, one business day later."""
    bank = a_bank()
    first = run_day(bank, DAY, [a_list()], [], seed=3)
    paid = {entry.reference for entry in first.entries if entry.amount.sen < 0}
    rejected = {each.reference for each in first.rejections}
    missing = {each.reference for each in a_list().instructions} - paid - rejected

    second = run_day(bank, DAY + d.timedelta(days=3), [], [], seed=3, faults=())

    assert missing == {e.reference for e in second.entries if e.amount.sen < 0}
    assert [True] == [e.reversal for e in second.entries if e.amount.sen > 0]


def test_same_day_twice_from_the_same_state_is_the_same():
    """A bank that dies before it has kept its books writes the same statement again."""
    one, other = (run_day(a_bank(), DAY, [a_list()], [], seed=9) for _ in range(2))

    assert one == other


def test_empty_account_pays_nothing_and_says_so():
    """Without money an instruction is rejected; the account never goes below zero."""
    bank = a_bank(Money.parse("2500000.00"))

    day = run_day(bank, DAY, [a_list(5)], [], seed=1, faults=())

    assert 2 == len(day.entries)
    assert {"SALDO TIDAK CUKUP"} == {each.reason for each in day.rejections}
    assert bank.rkud.sen >= 0


def test_list_executed_before_is_refused():
    """The same list a second time pays nobody."""
    bank = a_bank()
    run_day(bank, DAY, [a_list()], [], seed=1)

    with pytest.raises(AdviceListRepeatedError):
        run_day(bank, DAY + d.timedelta(days=1), [a_list()], [], seed=1)


def test_day_closed_before_is_refused():
    """Days go forward."""
    bank = a_bank()
    run_day(bank, DAY, [], [], seed=1)

    with pytest.raises(DayClosedError):
        run_day(bank, DAY, [], [], seed=1)


def test_list_of_another_account_is_refused():
    """The bank debits only the account that the list names."""
    bank = Bank.opened("137", "9999999999", OPENING, BEFORE)

    with pytest.raises(AccountNotOursError):
        run_day(bank, DAY, [a_list()], [], seed=1)


def test_state_survives_its_file(tmp_path):
    """What is kept is what is read, also what waits for tomorrow."""
    bank = a_bank()
    run_day(bank, DAY, [a_list()], [], seed=5)
    path = tmp_path / "bank.json"

    save_bank(path, bank)

    assert bank == load_bank(path)
    assert 0o600 == path.stat().st_mode & 0o777
    assert bank.held
    assert bank.twins


def test_state_with_money_from_nowhere_is_refused(tmp_path):
    """Balances that do not sum to zero were edited."""
    path = tmp_path / "bank.json"
    save_bank(path, a_bank())
    state = json.loads(path.read_text())
    state["balances"]["0000000000"] = "1.00"
    path.write_text(json.dumps(state))

    with pytest.raises(MalformedInputError):
        load_bank(path)


def simulator(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "bank_adapters.simulator", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )


def test_process_given_only_files_writes_statement_and_answers(tmp_path, pytestconfig):
    """The bank's process needs the list, a key, deposits and its own books, and no more."""
    root = pytestconfig.rootpath
    state = tmp_path / "bank.json"
    (tmp_path / "list.json").write_bytes(package(rows=8))
    (tmp_path / "deposits.json").write_text(
        json.dumps([{"reference": "STS/RKUD/00001", "payer": "KAS", "amount": "5000000.00"}])
    )
    opened = simulator(
        "open", "--state", state, "--account", ACCOUNT, "--balance", "900000000.00",
        "--on", BEFORE, cwd=root,
    )  # fmt: skip
    close = (
        "close-day", "--state", state, "--day", DAY, "--advice-list", tmp_path / "list.json",
        "--deposits", tmp_path / "deposits.json", "--statement", tmp_path / "day.sta",
        "--answers", tmp_path / "answers.json", "--seed", 4,
    )  # fmt: skip

    refused = simulator(*close, "--officer-key", "00" * 32, cwd=root)
    closed = simulator(*close, "--officer-key", OFFICER_HEX, cwd=root)

    assert 0 == opened.returncode
    assert (2, "advice_list_refused") == (refused.returncode, json.loads(refused.stdout)["error"])
    assert 0 == closed.returncode, closed.stdout + closed.stderr
    answer = json.loads(closed.stdout)
    (read,) = read_statement_file((tmp_path / "day.sta").read_bytes()).statements
    assert Money.parse(answer["closing"]).sen == read.closing.units
    assert 1 == len(json.loads((tmp_path / "answers.json").read_text())["answers"])


def test_process_knows_no_database(pytestconfig):
    """Nothing of the bank's process can reach the treasury's database."""
    code = (
        "import bank_adapters.simulator.__main__, sys;"
        "sys.exit(any(m.split('.')[0] in ('sqlalchemy', 'api', 'psycopg') for m in sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=pytestconfig.rootpath, check=False)

    assert 0 == ended.returncode
