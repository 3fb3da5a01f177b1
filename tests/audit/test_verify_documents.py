"""Offline verification of orders: hands, signatures, numbers, reservations, commitments, payments."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api.engine import make_engine, reading
from audit.canonical import canonical
from audit.export import export
from audit.merkle import leaf_hash
from audit.tiles import decode_bundle, entry_bundles
from audit.verdict import Verdict
from audit.verify import verify
from ledger.book_export import BookExport
from ledger.documents.bank_outcomes import ResendPayment
from ledger.documents.rerouting import ReroutePayments
from ledger.documents.sp2d import CancelSp2d, RequestCancelSp2d
from ledger.documents.spm import ReturnSpm
from tests.audit.logs import log_key, new_signer, sealed
from tests.audit.test_verify import Log
from tests.databases import Database
from tests.ledger.documents.office import Office, new_office

ISSUE_ORIGIN = "rkud/36.71"


def vkey(origin: str) -> str:
    """The log's key."""
    return log_key(origin).verifier.vkey


def work(office: Office) -> None:
    """A day: one order paid, one in three parts with a rejection and a retur, one cancelled, one open."""
    first = office.issue(office.with_tax())
    second = office.issue(office.spm_body("90000.00", among=3))
    office.list_payments()
    office.outcome(first["payments"][0], "paid")
    office.outcome(second["payments"][0], "paid")
    office.outcome(second["payments"][1], "rejected")
    office.outcome(second["payments"][2], "paid")
    office.outcome(second["payments"][2], "returned")
    office.do(ResendPayment("maker", second["payments"][1], "rekening diperbaiki"))
    office.do(ResendPayment("maker", second["payments"][2], "dikirim ulang"))
    office.list_payments()
    office.outcome("P26-00000005", "paid")
    office.outcome("P26-00000006", "unknown")
    office.settle("P26-00000006", "paid")
    third = office.issue(office.spm_body("5000.00"))
    office.do(RequestCancelSp2d("maker", third["document"], "salah rekening"))
    office.do(CancelSp2d("kuasa", third["document"], "salah rekening"))
    fourth = office.issue(office.spm_body("8000.00", among=2))
    bank = office.scalar("SELECT bank_account FROM payment WHERE government = :government")
    again = office.do(ReroutePayments("maker", fourth["payments"], bank, "bank tutup"))["rerouted"]
    office.list_payments(again[0]["payment"])
    office.outcome(again[0]["payment"], "sent")
    office.outcome(again[0]["payment"], "recalled")
    office.do(RequestCancelSp2d("maker", fourth["document"], "salah rekening"))
    office.do(CancelSp2d("kuasa", fourth["document"], "salah rekening"))
    fifth = office.issue(office.spm_body("6000.00"))["payments"][0]
    office.list_payments()
    office.outcome(fifth, "rejected")
    office.settle(fifth, "paid")
    office.outcome(fifth, "returned")
    sixth = office.do(ResendPayment("maker", fifth, "dikirim ulang"))["payment"]
    office.list_payments()
    office.outcome(sixth, "rejected")
    office.settle(sixth, "paid")
    office.verify(office.spm_body("7000.00"))
    office.do(ReturnSpm("kuasa", office.accept(office.spm_body("3000.00")), "ditarik"))


def exported(office: Office, folder: Path, *, disclosures: bool = False) -> Path:
    """Seal and export."""
    signer = new_signer(folder / "keys", office.origin)
    sealed(office.engine, signer, government=office.government)
    with reading(office.engine) as conn:
        export(
            conn,
            folder / "out",
            office.government,
            vkeys=[vkey(office.origin)],
            books=BookExport(),
            disclosures=disclosures,
        )
    return folder / "out"


@pytest.mark.parametrize("recognition", ["on_issue", "on_cair"])
def test_verify_of_a_day_of_orders_recomputes_every_counter(
    database: Database, tmp_path: Path, recognition: str
) -> None:
    """Reserved, spent, committed, ceilings, releases and cash follow from the leaves alone."""
    engine = make_engine(database.url)
    office = new_office(engine, recognition)
    work(office)
    directory = exported(office, tmp_path, disclosures=True)
    engine.dispose()
    verdict = verify(directory, [vkey(office.origin)])
    text = verdict.to_text()

    assert [] == verdict.failures
    assert "officers' signatures verify under keys enrolled in the log" in text
    assert "ceilings, releases, reservations and spending of 3 budget lines follow" in text
    assert verdict.figures["commitments"] == verdict.figures["disclosed"]
    assert 13 == verdict.figures["payments"]
    assert verdict.figures["officer_signatures"] >= 12


# --- forged with the log's own key ------------------------------------------------------------------


@pytest.fixture(scope="module")
def pristine(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of that day under `on_issue`."""
    folder = tmp_path_factory.mktemp("documents")
    path = folder / "rkud.db"
    shutil.copyfile(_sqlite_template, path)
    engine = make_engine(f"sqlite:///{path}")
    office = new_office(engine, "on_issue")
    work(office)
    directory = exported(office, folder)
    engine.dispose()
    return directory


@pytest.fixture
def log(pristine: Path, tmp_path: Path) -> Log:
    """A copy to forge."""
    directory = tmp_path / "out"
    shutil.copytree(pristine, directory)
    (path,) = [p for p in (directory / "tile/entries").rglob("*") if p.is_file()]
    return Log(directory, decode_bundle(path.read_bytes(), int(path.name)), ISSUE_ORIGIN)


def find(log: Log, act: str, **members: Any) -> int:
    """Index of the first leaf of this act with these members."""

    for index, entry in enumerate(log.entries):
        leaf = json.loads(entry)
        data = leaf["data"]
        if leaf["act"] == act and all(data.get(name) == value for name, value in members.items()):
            return index
    raise LookupError(act, members)


def move(kind: str, name: str, **changes: Any) -> Callable[[Log], None]:
    """Change the first move of this name."""
    return lambda log: log.change(find(log, "document.moved", kind=kind, move=name), **changes)


def _one_person(log: Log) -> None:
    log.change(find(log, "document.moved", kind="sp2d", move="verify"), _by="maker")


def _borrowed_signature(log: Log) -> None:
    """The envelope of the first SP2D under the second one's signing."""
    first = find(log, "document.moved", kind="sp2d", move="sign")

    data = json.loads(log.entries[first])["data"]
    other = find(log, "document.moved", kind="sp2d", move="sign", document="sp2d-2026-00000002")
    log.change(other, envelope=data["envelope"], nonce=data["nonce"])


def _revoked_key(log: Log) -> None:
    index = find(log, "officer_key.enrolled", person="kuasa")
    log.entries[index], log.entries[-1] = log.entries[-1], log.entries[index]


def _proposed_before_the_doubt(log: Log) -> None:
    """The proposal to settle a payment stands before the leaf that made it unknown."""
    settled = json.loads(log.entries[find(log, "payment.settled", payment="P26-00000006")])
    made = find(log, "proposal.made", proposal=settled["data"]["proposal"])
    doubted = find(log, "payment.moved", payment="P26-00000006", to="unknown")
    log.entries[made], log.entries[doubted] = log.entries[doubted], log.entries[made]


def _settled_alone(version: int, **members: str) -> Callable[[Log], None]:
    """What two reconcilers settled, as if one had recorded it under a version of that act."""

    def change(log: Log) -> None:
        index = find(log, "payment.settled", **members)
        leaf = json.loads(log.entries[index])
        for name in ("proposal", "proposed_by", "confirmed_by", "effective_on"):
            del leaf["data"][name]
        log.entries[index] = canonical(leaf | {"act": "payment.moved", "v": version})

    return change


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_settled_alone(2), "settled_alone"),
        (_settled_alone(1), "settled_alone"),
        (_proposed_before_the_doubt, "wrong_move"),
        (_settled_alone(1, **{"from": "rejected"}), "settled_alone"),
        (
            lambda log: log.change(
                find(log, "payment.settled", **{"from": "rejected"}), to="rejected"
            ),
            "wrong_move",
        ),
        (
            lambda log: log.change(
                find(log, "payment.settled", payment="P26-00000006"), payment="P26-00000003"
            ),
            "paid_twice",
        ),
        (
            lambda log: log.change(find(log, "payment.settled"), evidence_sha256="f" * 64),
            "wrong_proposal",
        ),
        (
            lambda log: log.change(find(log, "payment.settled"), _by="svc-reconcile"),
            "same_person",
        ),
        (_one_person, "same_person"),
        (_one_person, "wrong_signature"),
        (_borrowed_signature, "wrong_signature"),
        (_revoked_key, "wrong_signature"),
        (move("sp2d", "sign", envelope="", nonce=""), "signature_missing"),
        (move("sp2d", "sign", envelope="0" * 64), "attachment_missing"),
        (move("sp2d", "sign", nonce="0" * 32), "wrong_signature"),
        (move("sp2d", "sign", number="36.00/04.0/000009/LS/1/P.01/11/2026"), "number_gap"),
        (move("sp2d", "sign", revision="0" * 64), "wrong_move"),
        (move("sp2d", "sign", role="accountant"), "not_granted"),
        (move("sp2d", "sign", on_day="2026-11-20"), "wrong_move"),
        (move("sp2d", "sign", journal=None), "wrong_journal"),
        (move("sp2d", "verify", n=7), "wrong_move"),
        (move("spm", "register", revision="0" * 64), "wrong_revision"),
        (move("spm", "accept", **{"from": "registered"}), "wrong_move"),
        (
            lambda log: log.change(find(log, "payment.moved", to="returned"), to="paid"),
            "wrong_move",
        ),
        (lambda log: log.change(find(log, "payment.moved", to="paid"), payment="P1"), "wrong_move"),
        (lambda log: log.change(find(log, "budget.loaded"), entries=1), "budget_differs"),
        (
            lambda log: log.change(find(log, "grant.given", person="verifier"), role="accountant"),
            "not_granted",
        ),
        (
            lambda log: log.change(
                find(log, "person.added", person="kuasa"), confirmed_by="admin-1"
            ),
            "same_person",
        ),
        (
            lambda log: log.change(find(log, "grant.given", person="kuasa"), valid_to="2030-01-01"),
            "wrong_proposal",
        ),
        (
            lambda log: log.change(
                find(log, "officer_key.enrolled", person="kuasa"), possession="00" * 64
            ),
            "malformed_leaf",
        ),
    ],
)
def test_verify_of_a_forged_order_that_is_signed_all_the_same_fails_by_name(
    log: Log, change: Callable[[Log], None], code: str
) -> None:
    """The log's key signs anything; hands, officers' own keys and numbers still tell."""
    change(log)
    log.rewrite()
    verdict: Verdict = verify(log.directory, [vkey(log.origin)])
    named = [failure for failure in verdict.failures if failure.code == code]

    assert named, [failure.to_dict() for failure in verdict.failures]
    assert all(failure.leaf is not None for failure in named)


def test_entries_of_orders_are_those_that_the_log_signed(log: Log) -> None:
    """The forging helper writes a log that verifies when nothing was changed."""
    log.rewrite()

    assert verify(log.directory, [vkey(log.origin)]).ok
    assert len({leaf_hash(entry) for entry in log.entries}) == len(log.entries)
    assert 1 == len(list(entry_bundles(log.entries)))


# --- damage -----------------------------------------------------------------------------------------


def test_verify_of_one_changed_entry_accuses_no_order_that_follows_from_it(log: Log) -> None:
    """Whatever act is unreadable, a grant, a key, an order or a payment: just it is named."""
    (path,) = [p for p in (log.directory / "tile/entries").rglob("*") if p.is_file()]
    data = path.read_bytes()
    position = 0
    for index, entry in enumerate(log.entries):
        at = position + 2 + len(entry) // 2
        position += 2 + len(entry)
        if index % 3:
            continue
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        verdict = verify(log.directory, [vkey(log.origin)])

        assert [("entry_changed", index)] == [(f.code, f.leaf) for f in verdict.failures], entry


def test_verify_without_one_attachment_accuses_no_order_that_follows_from_it(log: Log) -> None:
    """Content that did not come along is named once, by its leaf; what it says is not known."""
    for path in sorted((log.directory / "books/attachments").iterdir()):
        content = path.read_bytes()
        path.unlink()
        verdict = verify(log.directory, [vkey(log.origin)])
        path.write_bytes(content)

        assert verdict.failures
        assert {("attachment_missing", f"books/attachments/{path.name}")} == {
            (f.code, f.path) for f in verdict.failures
        }
