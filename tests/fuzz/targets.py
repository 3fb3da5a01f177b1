"""The readers under fuzzing: what a fuzzer's bytes mean to each, and what must hold of the result."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass

from bank_adapters import BankAdapterError, read_statement_file
from bank_adapters.payments.pain001 import SentBlock, SentMessage
from bank_adapters.payments.pain002 import answers_of
from bank_adapters.payments.pain002_xml import read_pain002
from bank_adapters.statements.profile import all_profiles
from bank_adapters.statements.snap import read_snap_pages
from ledger.money import Money
from tests.fuzz import claims, seeds
from tests.fuzz.archives import MEMBER, kept, packed


@dataclass(frozen=True, slots=True)
class Target:
    """A reader. *run* takes a fuzzer's bytes and says whether they were read (else: refused by name)."""

    name: str
    run: Callable[[bytes], bool]
    seeds: Callable[[], list[bytes]]
    words: tuple[str, ...]


def _refused(refusal: BankAdapterError) -> bool:
    claims.claim(refusal.code != "bank_adapter" and refusal.message, "a refusal without a name")
    return False


# --- text and XML ---------------------------------------------------------------------------------


def run_mt940(data: bytes) -> bool:
    try:
        read = read_statement_file(data, format="mt940")
    except BankAdapterError as refusal:
        return _refused(refusal)
    printed = read.to_json()
    claims.check(printed)
    claims.check_mt940(printed, data)
    return True


def run_camt(data: bytes) -> bool:
    try:
        read = read_statement_file(data, format="camt")
    except BankAdapterError as refusal:
        return _refused(refusal)
    printed = read.to_json()
    claims.check(printed)
    claims.check_camt(printed, data)
    return True


_PROFILES = {each.name.encode(): each for each in all_profiles()}
_LABELS = {
    each.name: frozenset(word for words in each.labels.values() for word in words)
    for each in _PROFILES.values()
}


def split_csv(data: bytes) -> tuple[bytes, bytes]:
    """The first line names the layout; one that is not known means the generic one."""
    name, _, content = data.partition(b"\n")
    return name, content


def run_csv(data: bytes) -> bool:
    name, content = split_csv(data)
    used = _PROFILES.get(name, _PROFILES[b"generic-bpd"])
    try:
        read = read_statement_file(content, format="csv", profile=used)
    except BankAdapterError as refusal:
        return _refused(refusal)
    printed = read.to_json()
    claims.check(printed)
    claims.check_csv(printed, content, labels=_LABELS[used.name], marks=used.delimiter)
    return True


def run_detect(data: bytes) -> bool:
    """Any bytes, their format found out; no archive, which have targets of their own."""
    if data.startswith(b"PK"):
        return False
    try:
        read = read_statement_file(data)
    except BankAdapterError as refusal:
        return _refused(refusal)
    claims.check(read.to_json())
    return True


def run_snap(data: bytes) -> bool:
    """Bodies of service 14, one behind the other."""
    pages = data.split(seeds.PAGE)
    try:
        read = read_snap_pages(pages)
    except BankAdapterError as refusal:
        return _refused(refusal)
    printed = read.to_json()
    claims.check(printed)
    claims.check_snap(printed, pages)
    return True


SENT = SentMessage(
    "MSG-1",
    (
        SentBlock("PMT-A", {"R1": Money(100_00), "R2": Money(200_00)}),
        SentBlock("PMT-B", {"R3": Money(300_00)}),
    ),
)


def run_pain002(data: bytes) -> bool:
    try:
        report = read_pain002([data])
        answers_of(report, None)
        answers, _ = answers_of(report, SENT)
    except BankAdapterError as refusal:
        return _refused(refusal)
    said = [(each.reference, each.answer.meaning) for each in answers]
    claims.check_status_report(said, set(SENT.amounts), data)
    return True


_ASKED: dict[bytes, dict[str, str]] = {
    b"mt940": {"format": "mt940"},
    b"camt": {"format": "camt"},
    b"generic-bpd": {"profile": "generic-bpd"},
    b"xlsx": {"format": "xlsx"},
}


def run_archive(data: bytes) -> bool:
    """What stands before the first member says what is asked for; else it is found out."""
    try:
        whole = packed(data)
    except (ValueError, UnicodeError, zipfile.LargeZipFile):
        return False  # names that the library won't write: no archive, nothing to read
    asked = _ASKED.get(data.partition(MEMBER)[0], {})
    try:
        read = read_statement_file(whole, account="1", **asked)
    except BankAdapterError as refusal:
        return _refused(refusal)
    claims.check(read.to_json())
    return True


TARGETS = {
    each.name: each
    for each in (
        Target("mt940", run_mt940, seeds.mt940, seeds.MT940_WORDS),
        Target("camt", run_camt, seeds.camt, seeds.XML_WORDS + seeds.CAMT_WORDS),
        Target("csv", run_csv, seeds.csv, seeds.CSV_WORDS),
        Target("snap", run_snap, seeds.snap, seeds.SNAP_WORDS),
        Target("pain002", run_pain002, seeds.pain002, seeds.XML_WORDS + seeds.PAIN002_WORDS),
        Target(
            "detect",
            run_detect,
            seeds.detect,
            seeds.MT940_WORDS + seeds.CSV_WORDS + seeds.XML_WORDS,
        ),
        Target("xlsx", run_archive, seeds.xlsx, seeds.XML_WORDS + seeds.XLSX_WORDS),
        Target(
            "zip",
            run_archive,
            seeds.zip_,
            seeds.MT940_WORDS + seeds.CSV_WORDS + ("PK\x03\x04", "PK\x05\x06"),
        ),
    )
}


def all_seeds(target: Target) -> list[bytes]:
    """The tests' own files and the corpus that is kept."""
    return target.seeds() + kept(target.name)


def dictionary(target: Target) -> str:
    """The target's words as libFuzzer reads them."""
    return "".join(
        '"' + "".join(f"\\x{byte:02x}" for byte in word.encode()) + '"\n' for word in target.words
    )
