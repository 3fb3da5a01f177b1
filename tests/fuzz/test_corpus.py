"""The files that fuzzing found worth keeping, read again; and proof that its claims can fail."""

from __future__ import annotations

import time
from copy import deepcopy
from random import Random

import pytest

from bank_adapters import read_statement_file
from tests.bank_adapters.camt_messages import camt, entry, whole
from tests.fuzz import archives, claims, mutators, targets

SECONDS_MAX = 5
MT940 = (
    b":20:X\n:25:1\n:28C:1/1\n:60F:C260208IDR100,00\n:61:2602090209C5,00NTRFA\n"
    b":61:2602090209RC1,00NTRFB\n:62F:C260209IDR104,00\n-\n"
)
CAMT = camt(whole(entry("5.00"), entry("2.00", "DBIT"), closing="103.00"))
CSV = b"Tanggal;Uraian;Debet;Kredit;Saldo\n02-03-2026;A;;5,00;105,00\n03-03-2026;B;1,00;;104,00\n"


@pytest.mark.parametrize("name", targets.TARGETS)
def test_kept_file_is_read_as_claimed_or_refused_by_name(name: str) -> None:
    """No kept file breaks a claim, raises anything but a named refusal, or takes long."""
    target = targets.TARGETS[name]
    units = archives.kept(name)

    read = 0
    for unit in units + target.seeds():
        start = time.process_time()
        read += target.run(unit)
        assert time.process_time() - start < SECONDS_MAX

    assert read >= len(target.seeds())
    assert len(units) > 20


@pytest.mark.parametrize("name", targets.TARGETS)
def test_mutated_file_is_read_as_claimed_or_refused_by_name(name: str) -> None:
    """A few hundred changes of the kind that fuzzing makes, the same ones every time."""
    rng = Random(7)

    def change(part: bytes) -> bytes:
        at = rng.randrange(len(part) + 1)
        return part[:at] + rng.randbytes(rng.randrange(3)) + part[at + rng.randrange(3) :]

    target = targets.TARGETS[name]
    units = target.seeds()
    outcomes = set()
    for _ in range(150):
        unit = mutators.mutate(name, rng.choice(units), rng, change)
        outcomes.add(target.run(unit))
        units.append(unit)

    assert {True, False} == outcomes


def printed(data: bytes, **options):
    return read_statement_file(data, **options).to_json()


def _set(value, *path):
    def tamper(file):
        *way, last = path
        for step in way:
            file = file[step]
        file[last] = value

    return tamper


FIRST = ("statements", 0, "lines", 0)


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (_set("6.00", *FIRST, "amount"), "said to add up"),
        (_set("5", *FIRST, "amount"), "amount"),
        (_set("5.00", "statements", 0, "opening", "amount"), "said to add up"),
        (_set(None, "statements", 0, "closing"), "adds up without both balances"),
        (_set(False, "statements", 0, "adds_up"), "no warning says why"),
        (_set("pending", *FIRST, "status"), "said to add up"),
        (_set("paid", *FIRST, "status"), "status"),
        (_set(0, *FIRST, "position"), "position"),
        (_set("9 Feb", *FIRST, "booked_on"), "booked_on"),
        (_set("\ud800", *FIRST, "raw"), "surrogates"),
    ],
)
def test_tampered_result_breaks_a_claim(tamper, told: str) -> None:
    """What a reader must not return is seen, from the printed values alone."""
    file = printed(MT940)
    claims.check(file)
    tamper(file)

    with pytest.raises((claims.BrokenClaim, UnicodeEncodeError), match=told):
        claims.check(file)


def test_broken_chain_that_nobody_is_told_of_breaks_a_claim() -> None:
    """A running balance that does not follow from the one before needs a warning."""
    file = printed(CSV, profile="generic-bpd", account="1")
    claims.check(file)
    file["statements"][0]["lines"][0]["balance_after"] = "106.00"

    with pytest.raises(claims.BrokenClaim, match="chain broken"):
        claims.check(file)


@pytest.mark.parametrize("name", ["opening", "closing"])
@pytest.mark.parametrize(
    ("data", "check"), [(MT940, claims.check_mt940), (CAMT, claims.check_camt)]
)
def test_stated_balance_misread_breaks_a_claim(data: bytes, check, name: str) -> None:
    """Both balances are held against the figures that stand in the file."""
    file = printed(data)
    check(file, data)
    file["statements"][0][name]["amount"] = "100.01"

    with pytest.raises(claims.BrokenClaim, match="balance misread"):
        check(file, data)


@pytest.mark.parametrize("damage", ["lose", "misread", "mark"])
def test_entry_of_an_mt940_lost_or_misread_breaks_a_claim(damage: str) -> None:
    """Lines are held against the `:61:` fields of the file itself, amounts and signs included."""
    file = printed(MT940)
    claims.check_mt940(file, MT940)
    lines = file["statements"][0]["lines"]
    if damage == "lose":
        del lines[0]
    else:
        lines[1]["amount"] = "-1.01" if damage == "misread" else "1.00"

    with pytest.raises(claims.BrokenClaim, match=r"entries lost|amount misread"):
        claims.check_mt940(file, MT940)


@pytest.mark.parametrize("damage", ["lose", "misread", "status"])
def test_entry_of_a_camt_lost_or_misread_breaks_a_claim(damage: str) -> None:
    """Lines are held against the document's own tree."""
    given = CAMT.replace(b"BOOK", b"PDNG", 1) if damage == "status" else CAMT
    file = printed(given)
    claims.check_camt(file, given)
    lines = file["statements"][0]["lines"]
    if damage == "lose":
        del lines[0]
    elif damage == "misread":
        lines[1]["amount"] = "2.00"
    else:
        lines[0]["status"] = "booked"

    with pytest.raises(claims.BrokenClaim, match=r"entries lost|amount misread|pending"):
        claims.check_camt(file, given)


def test_row_of_a_table_lost_breaks_a_claim() -> None:
    """A row behind the first entry is an entry, a row of a known label, or a refusal."""
    file = printed(CSV, profile="generic-bpd", account="1")
    labels = frozenset({"saldo akhir"})
    claims.check_csv(file, CSV, labels=labels, marks=";")
    claims.check_csv(file, CSV + b"Saldo Akhir;;;;104,00\n", labels=labels, marks=";")
    short = deepcopy(file)
    del short["statements"][0]["lines"][1]

    with pytest.raises(claims.BrokenClaim, match="row lost"):
        claims.check_csv(short, CSV, labels=labels, marks=";")


def test_archive_as_text_is_the_archive() -> None:
    """What a fuzzer changes as text is packed to the members it came from."""
    (archive, *_) = [unit for unit in targets.TARGETS["zip"].seeds() if unit.startswith(b"PK")]
    text = archives.unpacked(archive)

    assert archives.members(text) == archives.members(archives.unpacked(archives.packed(text)))
    assert len(archives.members(text)) > 1
