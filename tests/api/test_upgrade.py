"""
A filled book of an earlier revision goes on under the newest one.

`book_0003.json.xz` holds the rows of a book as the release of revision 0003 kept it, in an order that
foreign keys allow: `tests.soak.book` of that release did each act of the product once, for the fictive
officers of the tests; one reconciler alone then settled a payment that nobody knew of, as one could.
The rows of the chart of accounts are left out, they are those that ship.
"""

from __future__ import annotations

import base64
import json
import lzma
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from sqlalchemy import Connection, Engine, make_url, text

from api.engine import make_engine, reading
from api.fsck import check_all
from api.migrations_runner import current, head, upgrade
from api.private_postgres import PrivatePostgres
from audit.export import export
from audit.verify import verify
from ledger.book_export import BookExport
from ledger.chart import CHART_VERSION, load_chart
from ledger.documents.bank_outcomes import RecordPayment, ResendPayment
from ledger.documents.dispatching import AnswerPayments, CallPayments, PaymentAnswer
from ledger.documents.settling import SettlePayment
from ledger.documents.sp2d import DraftSp2d, SignSp2d, VerifySp2d
from ledger.findings import Finding
from ledger.opening import ADMIN_1, ADMIN_2, RECONCILER
from ledger.policies import SetPolicy
from ledger.proposals import BothHands, Confirm, Propose
from tests.audit.logs import new_signer, sealed
from tests.builders import GOVERNMENT, TODAY
from tests.databases import Database, chosen_engines
from tests.ledger.documents.office import EVIDENCE, Office
from tests.reconciliation.books import ACCOUNT, SECOND, Book, out, without_triggers

_FILE: Final = Path(__file__).parent / "book_0003.json.xz"


class Upgraded(NamedTuple):
    """The application's engine on the book after the upgrade, and what came with its rows."""

    engine: Engine
    url: str
    vkeys: list[str]
    settled_by_one: str


def _value(value: Any) -> Any:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value


def _insert(conn: Connection, table: str, columns: Sequence[str], rows: Sequence[Any]) -> None:
    if not rows:
        return
    names = ", ".join(f":{column}" for column in columns)
    conn.execute(
        text(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({names})"),
        [dict(zip(columns, map(_value, row), strict=True)) for row in rows],
    )


def _chart_rows() -> list[tuple[Any, ...]]:
    return [
        (
            *(GOVERNMENT, CHART_VERSION, each.code, each.name_id, each.name_en or "", each.level),
            *(each.normal_side, each.statement, each.source, "", ""),
        )
        for each in load_chart().values()
    ]


def _fill(database: Database) -> dict[str, Any]:
    """The stored rows, as they are: what the release wrote, its triggers had let pass."""
    kept: dict[str, Any] = json.loads(lzma.decompress(_FILE.read_bytes()))
    names = [each["table"] for each in kept["tables"]]
    with without_triggers(database, *names) as conn:
        for each in kept["tables"]:
            rows = _chart_rows() if each["table"] == "account" else each["rows"]
            _insert(conn, each["table"], each["columns"], rows)
        if conn.dialect.name == "postgresql":
            conn.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
    return kept


@pytest.fixture(params=chosen_engines())
def upgraded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Upgraded]:
    """The book at revision 0003 on each engine, brought to the newest one."""
    server: PrivatePostgres | None = None
    if request.param == "sqlite":
        folder = tmp_path / "book"
        folder.mkdir(mode=0o700)
        url = f"sqlite:///{folder / 'rkud.db'}"
        database = Database("sqlite", url=url, owner_url=url, reader_url=url)
    else:
        server = request.getfixturevalue("postgres")
        made = server.create_database("upgraded")
        database = Database(
            "postgresql", url=made.app, owner_url=made.owner, reader_url=made.reader
        )
    upgrade(database.owner_url, revision="0003")
    kept = _fill(database)
    upgrade(database.owner_url)
    engine = make_engine(database.url)
    yield Upgraded(engine, database.owner_url, kept["vkeys"], kept["settled_by_one"])
    engine.dispose()
    if server is not None:
        server.drop_database(make_url(database.url).database or "")


def _errors(book: Upgraded) -> list[Finding]:
    with reading(book.engine) as conn:
        found = check_all(conn, GOVERNMENT, vkeys=book.vkeys)
        return [each for each in found if each.severity == "error"]


def test_book_of_revision_0003_goes_on_under_the_newest(upgraded: Upgraded, tmp_path: Path) -> None:
    """Nothing is found wrong, what was open can be settled, and an order is signed, sent and paid."""
    assert head() == current(upgraded.url)
    assert [] == _errors(upgraded)
    office = Office(upgraded.engine, GOVERNMENT)
    office.origin = str(
        office.scalar("SELECT max(origin) FROM log_shard WHERE government = :government")
    )
    _keys(office)
    office.open_office("worker")

    # What was in doubt under the old release ends by two persons; what one settled then stands.
    states = dict(office.payments())
    doubted = [payment for payment, state in states.items() if state == "unknown"]
    assert ("rejected", True) == (states[upgraded.settled_by_one], bool(doubted))
    alone = RecordPayment(RECONCILER, doubted[0], "rejected", TODAY, EVIDENCE)
    assert "settling_needs_two_persons" == office.refused(alone)[0]
    act = SettlePayment(doubted[0], "rejected", TODAY, EVIDENCE, "Surat bank")
    proposal = office.do(Propose(RECONCILER, act))["proposal"]
    office.do(Confirm(SECOND, proposal))
    again = office.do(ResendPayment("maker-2", doubted[0], "Ralat"))["payment"]

    # New orders leave through the bank's interface, and its statement shows them.
    office.do(BothHands(ADMIN_1, ADMIN_2, SetPolicy("channel", f"{ACCOUNT} snap", TODAY)))
    new = _issue(office)
    office.list_payments(new, again, bank_account=ACCOUNT)
    office.do(CallPayments("worker", [(new, "bifast"), (again, "bifast")], "w1", 60))
    said = [PaymentAnswer(each, "reply", "done", 200, "2001800", "BR-1") for each in (new, again)]
    office.do(AnswerPayments("worker", said))
    assert {"paid"} == {state for each, state in office.payments() if each in (new, again)}
    book = Book(upgraded.engine)
    closing = office.scalar(
        "SELECT closing_sen FROM statement WHERE government = :government"
        f" AND bank_account = '{ACCOUNT}' ORDER BY chain_n DESC LIMIT 1"
    )
    book.balance_sen, book.number = int(closing), 90
    book.closed_on = on = date(2026, 11, 21)
    book.deliver([out(-250_000, f"TRF {new}", on=on)], on=on)
    # That book opened Rp 100 apart from its bank: no more is unexplained now than was then.
    difference = book.rows("SELECT difference_sen FROM reconciliation_run WHERE id = 2")[0][0]
    run = book.reconcile()
    assert run.outcome is not None
    assert (1, difference) == (
        run.outcome.stages["exact_payment"],
        run.outcome.proof.difference_sen,
    )
    assert [] == _errors(upgraded)

    # The inspector reads both versions of the log, and says what one person had settled.
    signer = new_signer(tmp_path / "second", office.origin, seed=8)
    sealed(upgraded.engine, signer, seconds=90)
    directory = tmp_path / "out"
    with reading(upgraded.engine) as conn:
        export(conn, directory, GOVERNMENT, vkeys=upgraded.vkeys, books=BookExport())
    verdict = verify(directory, upgraded.vkeys)
    assert [] == verdict.failures
    assert "1 payments that may have been with the bank were settled by one" in verdict.to_text()


def _keys(office: Office) -> None:
    """New keys for officers whose old ones are not kept with the rows."""
    for person in ("pa", "verifier", "kuasa"):
        office.do(BothHands(ADMIN_1, ADMIN_2, office.new_key(person)))


def _issue(office: Office) -> str:
    """The payment of a new SP2D over Rp 2,500, from one of the two bank accounts."""
    spm = office.accept(amount="2500.00")
    sp2d = str(office.do(DraftSp2d("maker", spm, ACCOUNT))["document"])
    office.do(VerifySp2d("verifier", sp2d, office.sign("verifier", sp2d, "sp2d.verify")))
    issued = office.do(SignSp2d("kuasa", sp2d, office.sign("kuasa", sp2d, "sp2d.sign")))
    return str(issued["payments"][0])
