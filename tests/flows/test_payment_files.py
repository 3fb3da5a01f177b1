"""The whole way of a list that leaves by file: written as pain.001, answered by pain.002, repeated."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from api.engine import make_engine, reading
from ledger.budget import BudgetRow, ReleaseRow
from ledger.budget_shell import LoadBudget
from ledger.documents.bodies import PayeeBody
from tests.bank_adapters.payments.test_pain001 import broken_sequences
from tests.builders import SKPD
from tests.ledger.documents.office import LINE, SUB
from tests.soak import dispatch as soak
from tests.soak.server import Book

FILES = f"""\
[[file]]
account = "{soak.BANK}"

[file.pain001]
version = "09"
unit = "list"
initiating_party = "BPKAD Provinsi Uji"
charge_bearer = "DEBT"
agents = "bank_code"

[file.pain001.debtor]
name = "RKUD Provinsi Uji"
account = "{soak.ACCOUNT}"
bic = "PDJTIDJ1"

[file.pain001.rails.intrabank]

[file.pain001.rails.bifast]
local_instrument = {{ proprietary = "BIFAST" }}
"""
PAYEES = (("137", "1000001", "CV Satu"), ("014", "2000002", "PT Dua"), ("014", "3000003", "Tiga"))


@pytest.fixture
def listed(tmp_path: Path) -> Iterator[tuple[Book, str, list[str]]]:
    """A book on SQLite with a signed list of three payments, and the bank's file set up."""
    os.umask(0o077)
    with soak.new_book(tmp_path, "sqlite", "on_cair") as book:
        folder = book.folder / "banks"
        folder.mkdir(mode=0o700)
        (folder / "files.toml").write_text(FILES)
        engine = make_engine(book.url)
        office = soak.RealOffice(engine, soak.GOVERNMENT)
        office.open_office("anggaran")
        today = soak.local(datetime.now(UTC))
        rows = [
            BudgetRow(LINE, SKPD, SUB, "5.1.02.01.01.0024", "1.1.01", 10**9, "Dinas Uji"),
            ReleaseRow(SKPD, SUB, "", 10**9),
        ]
        office.do(LoadBudget("anggaran", int(today[:4]), "a" * 64, rows))
        office.open_office("pa", "maker", "maker-2", "verifier", "kuasa")
        payees = [PayeeBody(name, bank, no, "100.00", npwp="0" * 15) for bank, no, name in PAYEES]
        made = office.issue(office.spm_body("300.00", payees=payees, dated_on=today))["payments"]
        document = office.list_payments(*made)
        engine.dispose()
        yield book, document, list(made)


def rkud(book: Book, *arguments: object, code: int = 0) -> Any:
    """The JSON of a command."""
    done = book.rkud(*map(str, arguments), "--json")
    assert code == done.returncode, done.stdout + done.stderr
    return json.loads(done.stdout)


def report(message: str, statuses: dict[str, str], path: Path) -> Path:
    """A pain.002 on some orders of a message; a status may have a reason behind it."""
    rows = ""
    for reference, said in statuses.items():
        status, _, reason = said.partition(" ")
        why = (
            f"<StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn><AddtlInf>tutup</AddtlInf></StsRsnInf>"
            if reason
            else ""
        )
        rows += (
            f"<TxInfAndSts><OrgnlEndToEndId>{reference}</OrgnlEndToEndId>"
            f"<TxSts>{status}</TxSts>{why}</TxInfAndSts>"
        )
    today = soak.local(datetime.now(UTC))
    path.write_text(
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>'
        f"<GrpHdr><MsgId>BANK-9</MsgId><CreDtTm>{today}T00:00:01</CreDtTm></GrpHdr>"
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>{message}</OrgnlMsgId>"
        "<OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId></OrgnlGrpInfAndSts>"
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{message.rpartition('-')[0]}</OrgnlPmtInfId>"
        f"{rows}</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"
    )
    return path


def states(book: Book) -> dict[str, str]:
    """State of every payment."""
    engine = make_engine(book.url)
    with reading(engine) as conn:
        found = {row[0]: row[1] for row in conn.execute(text("SELECT id, state FROM payment"))}
    engine.dispose()
    return found


def test_signed_list_is_written_as_pain001_answered_by_pain002_and_both_may_be_repeated(
    listed: tuple[Book, str, list[str]], tmp_path: Path
) -> None:
    """The same bytes each time, each payment as the bank said, and nothing new from the same answer."""
    book, document, (one, two, three) = listed
    out = tmp_path / "out.xml"
    told = rkud(book, "advice", "file", document, "--by", "maker", "--dry-run")
    first = rkud(book, "advice", "file", document, "--by", "maker", "-o", out)
    again = rkud(book, "advice", "file", told["number"], "--by", "kuasa", "-o", out)
    (file,) = told["files"]
    message = file["message_id"]
    assert "" == file["written"]
    assert {"intrabank": 1, "bifast": 2} == file["rails"]
    assert (3, "300.00", 1) == (file["count"], file["total"], len(file["debits"]))
    assert (first, [file["sha256"]]) == (again, [each["sha256"] for each in first["files"]])
    assert file["sha256"] == sha256(out.read_bytes()).hexdigest()
    root = ET.fromstring(out.read_bytes())  # noqa: S314 - our own bytes
    assert [] == list(broken_sequences(root, "09"))
    assert [one, two, three] == [e.text for e in root.iterfind(".//{*}EndToEndId")]
    assert message == root.findtext(".//{*}MsgId")

    taken = report(message, {one: "ACSC", two: "ACSP", three: "RJCT AC04"}, tmp_path / "1.xml")
    planned = rkud(book, "advice", "answer", taken, "--dry-run")
    assert dict.fromkeys([one, two, three], "queued") == states(book)
    answered = rkud(book, "advice", "answer", taken)
    expected = {one: "paid", two: "accepted", three: "rejected"}
    assert expected == {row["payment"]: row["to"] for row in answered["payments"]}
    assert planned["payments"] == answered["payments"]
    assert expected == states(book)
    repeated = rkud(book, "advice", "answer", taken)
    assert (0, True) == (repeated["recorded"], repeated["replayed"])

    other = report(message, {one: "RJCT AC01", two: "ACSC"}, tmp_path / "2.xml")
    refused = rkud(book, "advice", "answer", other, code=2)
    assert ("answer_contradicts", expected) == (refused["error"], states(book))
    late = rkud(book, "advice", "file", document, "--by", "maker", "-o", tmp_path / "x", code=2)
    assert "payment_answered" == late["error"]
    assert not (tmp_path / "x").exists()
    assert 0 == book.rkud("fsck").returncode
