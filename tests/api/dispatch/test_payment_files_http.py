"""Lists that leave by file, over HTTP: who may have the file, and what the bank's answer does."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.opening import make_keys
from api.runtime import Runtime
from ledger.opening import ADMIN_1, ADMIN_2, RECONCILER
from ledger.policies import SetPolicy
from ledger.proposals import BothHands
from tests.api.support import issue_token, settings_for
from tests.bank_adapters.payments.test_pain002 import pmt, report, tx
from tests.builders import BANK, NOW, TODAY
from tests.databases import Database
from tests.ledger.documents.office import Office

FILES = f"""\
[[file]]
account = "{BANK}"
rails = ["intrabank", "bifast"]
[file.template]
name = "generic-csv"

[[file]]
account = "{BANK}"
per_rail = true
[file.pain001]
version = "03"
unit = "payment"
initiating_party = "BPKAD"
charge_bearer = "DEBT"
agents = "bank_code"
[file.pain001.debtor]
name = "RKUD"
account = "{BANK[4:]}"
bic = "PDJTIDJ1"
[file.pain001.rails.intrabank]
"""
_numbers = itertools.count(1)


@dataclass
class Desk:
    """A served treasury with a signed list of two payments that leaves by file."""

    office: Office
    client: TestClient
    database: Database
    folder: Path
    document: str
    payments: list[str]

    def _headers(self, person: str) -> dict[str, str]:
        token = issue_token(self.database, person, self.office.government)
        return {"Authorization": f"Bearer {token}"}

    def get(self, path: str, person: str = "maker") -> Any:
        """GET as a person."""
        url = f"/v1/governments/{self.office.government}{path}"
        return self.client.get(url, headers=self._headers(person))

    def answer(self, text: str, query: str = "", person: str = RECONCILER, key: str = "") -> Any:
        """A pain.002 on a pain.001.001.03 as a person."""
        text = text.replace("pain.001.001.09", "pain.001.001.03")
        return self.client.post(
            f"/v1/governments/{self.office.government}/advice-lists:answer{query}",
            content=text.encode(),
            headers={
                **self._headers(person),
                "Idempotency-Key": key or f"f-{next(_numbers)}",
                "Content-Type": "application/octet-stream",
            },
        )

    def states(self) -> list[str]:
        """Of the payments, in order."""
        return [state for _, state in self.office.payments()]


@pytest.fixture
def desk(on_cair: Office, office_database: Database, tmp_path: Path) -> Iterator[Desk]:
    """A treasury behind HTTP whose bank takes files."""
    keys, folder = tmp_path / "keys", tmp_path / "banks"
    for each in (keys, folder):
        each.mkdir(mode=0o700)
    make_keys(keys, on_cair.government, on_cair.origin)
    files = folder / "files.toml"
    files.write_text(FILES)
    files.chmod(0o600)
    payments = list(on_cair.issue(among=2)["payments"])
    document = on_cair.list_payments(*payments)
    settings = settings_for(office_database, tmp_path)
    runtime = Runtime(settings, lambda: NOW)
    app = create_app(settings, clock=lambda: NOW, runtime=runtime)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Desk(on_cair, client, office_database, folder, document, payments)


def test_file_is_given_to_who_may_see_payees_with_the_digest_that_was_told(desk: Desk) -> None:
    """The same bytes each time; without a format it is the signed list, as ever."""
    path = f"/advice-lists/{desk.document}"
    told = desk.get(f"{path}/files?format=generic-csv").json()
    first = desk.get(f"{path}/file?format=generic-csv")
    again = desk.get(f"{path}/file?format=generic-csv&part=1", "kuasa")
    denied = [desk.get(f"{path}/{what}", "worker") for what in ("files", "file?format=pain001.03")]

    (file,) = told["files"]
    assert (file["sha256"], first.content) == (sha256(again.content).hexdigest(), again.content)
    assert f'"{file["sha256"]}"' == first.headers["ETag"]
    assert file["name"] in first.headers["Content-Disposition"]
    assert ("no-store", 2, "100000.00") == (
        first.headers["Cache-Control"],
        file["count"],
        file["total"],
    )
    assert b"CV Maju 1" in first.content
    assert "CV Maju" not in str(told)
    assert told["list_sha256"] == sha256(desk.get(f"{path}/file").content).hexdigest()
    assert ["private_grant_required"] * 2 == [each.json()["code"] for each in denied]


def test_file_that_can_not_be_written_is_refused_by_name(desk: Desk) -> None:
    """No format, no such part, settings that others may write, another channel, no settings."""
    path = f"/advice-lists/{desk.document}"

    def code(query: str) -> str:
        return str(desk.get(f"{path}/{query}").json()["code"])

    assert "unknown_file_format" == code("files")
    assert "several_files" == code("file?format=pain001.03&part=2")
    (desk.folder / "files.toml").chmod(0o622)
    assert "invalid_payment_settings" == code("files?format=pain001.03")
    (desk.folder / "files.toml").unlink()
    assert "files_missing" == code("files?format=pain001.03")
    office = desk.office
    office.do(BothHands(ADMIN_1, ADMIN_2, SetPolicy("channel", f"{BANK} snap", TODAY)))
    by_snap = office.list_payments(*office.issue()["payments"])
    refused = desk.get(f"/advice-lists/{by_snap}/file?format=pain001.03")
    assert (409, "not_by_file") == (refused.status_code, refused.json()["code"])


def test_answer_is_planned_recorded_once_and_a_contradiction_refused(desk: Desk) -> None:
    """By the reconciler alone; the key gives the first answer again, another file is nothing new."""
    one, two = desk.payments
    query = f"/advice-lists/{desk.document}/files?format=pain001.03"
    (file,) = desk.get(query).json()["files"]
    message = file["message_id"]
    block = message.rpartition("-")[0]
    text = report(
        pmt(block, "", tx(one, "ACSC", amount="50000.00"), tx(two, "ACSP")), message=message
    )
    day = f"?on_day={TODAY}"

    planned = desk.answer(text, f"{day}&dry_run=true")
    assert (201, 2, ["queued"] * 2) == (
        planned.status_code,
        planned.json()["recorded"],
        desk.states(),
    )
    assert "private_grant_required" == desk.answer(text, person="maker").json()["code"]
    first = desk.answer(text, day, key="k-1")
    repeated = desk.answer(text, day, key="k-1")
    assert (first.status_code, first.content) == (201, repeated.content)
    assert [(one, "paid"), (two, "accepted")] == [
        (row["payment"], row["to"]) for row in first.json()["payments"]
    ]
    assert ["paid", "accepted"] == desk.states()
    assert (0, True) == tuple(desk.answer(text, day).json()[n] for n in ("recorded", "replayed"))

    assert (
        "unknown_file_format"
        == desk.answer(text.replace("pain.001.001.09", "pain.001.001.10"), day).json()["code"]
    )
    for other, code in (
        (text.replace("50000.00", "50000.01"), "contradictory_report"),
        (text.replace(">ACSC<", ">RJCT<"), "answer_contradicts"),
        (text.replace(message, "DP-36.72-000001-2026-ffffffff"), "unknown_message"),
        (text.replace(message, "MSG-1"), "unknown_message"),
        ("<Document/>", "status_report_not_found"),
    ):
        assert code == desk.answer(other, day).json()["code"]
    assert (
        "future_effective_date"
        == desk.answer(text.replace("ACSP", "ACSC"), "?on_day=2026-11-30").json()["code"]
    )
    assert ["paid", "accepted"] == desk.states()
    settled = desk.get(f"/advice-lists/{desk.document}/file?format=pain001.03")
    assert (409, "payment_answered") == (settled.status_code, settled.json()["code"])
    assert [] == [each for each in desk.office.findings() if each.table != "token"]


def test_long_answer_is_recorded_in_slices_under_one_key(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each slice is an act; one answer says all of it, and again under the same key."""
    monkeypatch.setattr("api.payment_files.SLICE_MAX", 1)
    query = f"/advice-lists/{desk.document}/files?format=pain001.03"
    (file,) = desk.get(query).json()["files"]
    text = report(group="ACSC", message=file["message_id"])
    batches = desk.office.scalar("SELECT count(*) FROM batch WHERE government = :government")

    first = desk.answer(text, f"?on_day={TODAY}", key="k" * 128)
    repeated = desk.answer(text, f"?on_day={TODAY}", key="k" * 128)

    assert (2, first.content) == (first.json()["recorded"], repeated.content)
    assert ["paid", "paid"] == desk.states()
    assert batches + 2 == desk.office.scalar(
        "SELECT count(*) FROM batch WHERE government = :government"
    )
