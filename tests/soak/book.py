"""
A small book in which every column of every table holds a value: each act of the product done once.

    open -> people, keys, grants, ends -> budget -> orders under both policies -> facts of the bank
    -> statements, matches, an undo -> a seal -> a log that went on as a new shard

Everything is done through the product's own acts, by the persons whose they are.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, text

from api.engine import begin, make_engine, reading
from audit.checkpoints import seal
from audit.database import metadata
from audit.merkle import consistency_proof, tree_root
from audit.recovery import next_origin
from audit.signer import MonotonicSigner
from audit.tiles_shell import read_tree, tile_reader
from bank_adapters.statements import OutgoingEntry
from ledger.allowances import SetAllowance
from ledger.budget import BudgetRow, ReleaseRow
from ledger.chart import CHART_VERSION
from ledger.commands import ReverseJournal
from ledger.documents.bank_outcomes import RecordPayment, ResendPayment
from ledger.documents.bodies import ClaimBody
from ledger.documents.dispatch_store import take_due
from ledger.documents.dispatching import AnswerPayments, CallPayments, PaymentAnswer
from ledger.documents.holding import HoldPayment, PauseDispatch
from ledger.documents.receipts import BookBankFee, BookReceipt, ReceiptLine
from ledger.documents.rerouting import ReroutePayments
from ledger.documents.sp2d import CancelSp2d, ImportSp2d, LinkSp2d, RequestCancelSp2d
from ledger.documents.spm import AcceptSpm
from ledger.money import Money
from ledger.officer_keys import RevokeOfficerKey
from ledger.opening import ADMIN_1, ADMIN_2, FEEDER, RECONCILER, open_book
from ledger.periods import SealPeriod
from ledger.persons_shell import AddPerson, EndGrant, GiveGrant
from ledger.policies import AddBankAccount, AddEntity, OpenFiscalYear, SetPolicy
from ledger.posting import post_batch
from ledger.privacy import ErasePayee
from ledger.proposals import (
    Confirm,
    DraftManualJournal,
    PostManualJournal,
    Withdraw,
)
from ledger.recovering import open_new_shard
from ledger.tokens import IssueToken, RevokeToken, new_token, token_sha256
from reconciliation import Reconcile, read_import
from tests.audit.logs import log_key, new_signer, sealed
from tests.builders import (
    CASH,
    EXPENSE,
    GOVERNMENT,
    NOW,
    RK_PPKD,
    RK_SKPD,
    SKPD,
    TODAY,
    answer,
    journal,
    line,
    new_book,
    post,
    run,
)
from tests.ledger.documents.office import EVIDENCE, LINE, PEOPLE, SUB, Office
from tests.ledger.people import appoint, both, manual, new_key, one, propose
from tests.reconciliation.books import ACCOUNT, OPENING_SEN, SECOND, Book, out, sp2d

__all__ = ["ALWAYS_TRIVIAL", "build", "trivial_columns"]

#: A second bank account, without an opening in the books.
OTHER: Final = "014:0123456789"
_ORIGIN: Final = f"rkud/{GOVERNMENT}"
_LATER: Final = NOW + timedelta(minutes=1)

#: Columns that no act can fill, and why.
ALWAYS_TRIVIAL: Final[dict[str, str]] = {
    "account.valid_from": "the charts that are loaded carry no dates",
    "account.valid_to": "the charts that are loaded carry no dates",
    "government.leaf_index": "the opening of a book is leaf 0",
    "log_node.idx": "its first tile is tile 0",
}

_BCA: Final = """Informasi Rekening - Mutasi Rekening
No. rekening : 0123456789
Periode : 01/11/2026 - 11/11/2026
Kode Mata Uang : Rp

Tanggal Transaksi,Keterangan,Cabang,Jumlah,Saldo
10/11/2026,TRSF E-BANKING CR,'0000,"1,000.50 CR","11,000.50"
11/11/2026,BIAYA ADM,'0000,500 DB,"10,500.50"
PEND,SWITCHING DB,'0000,"25.00 DB",
Saldo Awal : 10,000.00
Mutasi Debet : 500.00
Mutasi Kredit : 1,000.50
Saldo Akhir : 10,500.50
"""
_BRI: Final = (
    '"NOREK","TGL_TRAN","TGL_EFEKTIF","DESK_TRAN","SALDO_AWAL_MUTASI","MUTASI_DEBET",'
    '"MUTASI_KREDIT","SALDO_AKHIR_MUTASI","GLSIGN","KODE_TRAN"\n'
    '"0123456789","2026-11-12 09:10:11","2026-11-12 00:00:00","BIAYA SMS","10500.50","0.50",'
    '"0.00","10500.00","Db","ADM"\n'
    '"0123456789","2026-11-12 10:11:12","2026-11-12 00:00:00","SETORAN","10500.00","0.00",'
    '"7.00","10507.00","Cr","SET"\n'
)


def build(url: str, folder: Path) -> list[str]:
    """Make the book of GOVERNMENT in a migrated database; the keys of its log. Takes seconds."""
    engine = make_engine(url)
    book = new_book(bank_account=ACCOUNT, opening_balance_sen=OPENING_SEN, is_demo=True)
    with begin(engine) as conn:
        open_book(conn, book, now=NOW, today=TODAY)
    office = Office(engine, GOVERNMENT)
    signer = new_signer(folder / "first", _ORIGIN, seed=7)
    _people(engine, office)
    _fed(engine)
    sealed(engine, signer)
    _orders(office)
    _dispatched(office)
    _settings(engine)
    _limits(engine, office)
    _facts(office)
    _statements(engine)
    _ends(engine)
    new, vkeys = _new_shard(engine, signer, folder)
    office.accept(amount="1.00")  # signed over the origin that the log now has
    with begin(engine) as conn:
        seal(conn, GOVERNMENT, new, now=_LATER)
    engine.dispose()
    return vkeys


def trivial_columns(engine: Engine) -> list[str]:
    """Columns in which no row holds anything but NULL, zero or nothing; a table without rows: all."""
    found = []
    with reading(engine) as conn:
        for table in metadata.sorted_tables:
            for column in table.c:
                values = conn.execute(
                    text(f"SELECT DISTINCT {column.name} FROM {table.name}")
                ).scalars()
                if all(value in (None, "", 0, b"") for value in values):
                    found.append(f"{table.name}.{column.name}")
    return found


# --- people and settings -----------------------------------------------------------------------


def _people(engine: Engine, office: Office) -> None:
    office.open_office("anggaran")
    office.load_usual(ceiling=10_000_000_00, released=8_000_000_00)  # makes the SKPD
    office.open_office(*(person for person in PEOPLE if person != "anggaran"))
    appoint(engine, "acc-1", "accountant")
    appoint(engine, "acc-2", "accountant")
    appoint(engine, SECOND, "reconciler")
    both(
        engine,
        AddPerson("plt", "Ibu Plt", "198001012005012001"),
        GiveGrant(
            "plt",
            "sp2d_verifier",
            "2026-02-01",
            "2026-06-30",
            mandate="plt",
            mandate_document="SK/1/2026",
        ),
    )
    key = both(engine, new_key("acc-1"))[0]
    given = both(engine, GiveGrant("acc-1", "sp2d_maker", "2026-01-01"))[0]
    both(engine, EndGrant(given["grant"], TODAY), RevokeOfficerKey(key["key_id"], "acc-1"))
    issued = [
        answer(one(engine, IssueToken(ADMIN_1, person, token_sha256(new_token()))))
        for person in ("acc-1", "acc-2")
    ]
    answer(one(engine, RevokeToken(ADMIN_2, issued[1]["token_id"])))
    answer(one(engine, Withdraw(ADMIN_1, propose(engine, ADMIN_1, AddPerson("tidak", "X Y")))))


def _settings(engine: Engine) -> None:
    both(
        engine,
        AddEntity("2.07.0.00.0.00.01.0000", "Dinas Tenaga Kerja"),
        AddBankAccount(OTHER, "RKUD kedua", CASH, "2026-06-01"),
        OpenFiscalYear(2027, CHART_VERSION),
    )


def _fed(engine: Engine) -> None:
    """Journals of another system, with every dimension a line has; one repeated, one reversed."""
    full = journal(
        "F-1",
        effective_on="2026-01-15",
        document_no="DOK/1",
        batch_no="B-1",
        payee_name="CV Sumber Rejeki",
        lines=[
            line(RK_SKPD, debit="100.00", counterpart=SKPD),
            line(CASH, credit="100.00", bank_account=ACCOUNT),
            line(EXPENSE, debit="100.00", entity=SKPD, fund_source="1.1.01"),
            line(RK_PPKD, credit="100.00", entity=SKPD),
        ],
    )
    back = journal(
        "F-2",
        effective_on="2026-01-16",
        lines=[line(EXPENSE, debit="5.00"), line(CASH, credit="5.00", bank_account=ACCOUNT)],
    )
    key = ["kunci-1", "kunci-2"]
    _, second = (answer(r) for r in run(engine, *post(full, back, keys=key)))
    answer(one(engine, ReverseJournal(FEEDER, second["journal"], "F-3", "2026-01-17", "Salah")))
    # A clock that went back: the batch says so.
    late = journal("F-4", lines=back["lines"])
    answer(one(engine, post(late)[0], now=NOW - timedelta(minutes=5)))
    draft = answer(one(engine, DraftManualJournal("acc-1", manual())))["proposal"]
    answer(one(engine, PostManualJournal("acc-2", draft)))
    both(engine, ErasePayee("journal:F-1", "Permintaan yang bersangkutan"))
    # Enough leaves for a whole tile of hashes.
    many = (journal(f"N-{n}", lines=back["lines"]) for n in range(60))
    for result in run(engine, *post(*many)):
        answer(result)


def _limits(engine: Engine, office: Office) -> None:
    """Each limit passed once by two officers, and once by the bank's own acts."""
    bucket = f"2026/skpd/{SKPD}/{SUB}"
    for target, key in (("cash", OTHER), ("budget_line", LINE), ("release_bucket", bucket)):
        act = SetAllowance(target, key, 2026, "500.00", "Persetujuan")
        answer(one(engine, Confirm("kuasa", propose(engine, "anggaran", act))))
    office.load(
        BudgetRow("BL-FEE", "PPKD", SUB, "5.1.02.02.01.0003", "", 100_00),
        ReleaseRow("PPKD", SUB, "", 8_000_100_00),
    )


# --- orders ------------------------------------------------------------------------------------


def _orders(office: Office) -> None:
    """Orders of all origins; paid, rejected, returned, resent, cancelled; then under `on_cair`."""
    first = office.issue(office.with_tax())["payments"][0]
    second = office.issue(office.spm_body("1000.00", among=2))["payments"]
    office.list_payments()
    office.outcome(first, "paid")
    office.outcome(second[0], "paid")
    office.outcome(second[0], "returned", reason="Rekening tutup")
    office.outcome(second[1], "rejected", reason="Nama tidak sesuai")
    office.do(
        ResendPayment(
            "maker-2", second[0], "Surat ralat", name="CV Jaya", bank_code="014", account="7654321"
        )
    )
    office.list_payments()
    body = office.spm_body(
        "2000.00",
        origin="sipd",
        evidence_sha256=EVIDENCE,
        claims=[ClaimBody("budget_user", "Ibu Sari", "1" * 18, "2026-11-19")],
    )
    spm = office.register(body)
    office.do(AcceptSpm("maker", spm))
    number = "36.00/04.0/000777/LS/1.02/M/11/2026"
    claims = [ClaimBody("deputy_treasurer", "Bapak Budi")]
    office.do(ImportSp2d("maker", spm, number, "2026-11-20", EVIDENCE, claims))
    kept = office.issue(office.spm_body("2000.00", origin="continuity"))
    office.do(LinkSp2d("maker", kept["document"], "36.00/04.0/000555/LS/1.02/M/11/2026"))
    gone = office.issue(amount="3000.00")["document"]
    office.do(RequestCancelSp2d("maker", gone, "Salah rekening"))
    office.do(CancelSp2d("kuasa", gone, "Setuju"))
    office.accept(amount="4000.00")
    both(office.engine, SetPolicy("recognition", "on_cair", TODAY))
    waiting = office.issue(amount="6000.00")["payments"][0]
    asked = office.issue(amount="7000.00")["payments"][0]
    office.list_payments(waiting)
    office.list_payments(asked)
    office.outcome(waiting, "paid")
    office.do(RecordPayment(RECONCILER, asked, "unknown", TODAY, EVIDENCE, "Tidak dijawab"))
    office.settle(asked, "accepted")


def _dispatched(office: Office) -> None:
    """Orders that leave through the bank's interface: called for, answered, held, paused, rerouted."""
    both(office.engine, SetPolicy("channel", f"{ACCOUNT} snap", TODAY))
    made = office.issue(office.spm_body("5000.00", among=4))["payments"]
    office.list_payments(*made, bank_account=ACCOUNT)
    done, asked, held, moved = made
    office.do(CallPayments("worker", [(done, "bifast"), (asked, "skn")], "w1", 60))
    body = b'{"responseCode":"2001800"}'
    said = [
        PaymentAnswer(done, "reply", "done", 200, "2001800", "BR-1", body),
        PaymentAnswer(asked, "reply", "retry", 429, "4291800", "BR-2", body, next_seconds=60),
    ]
    office.do(AnswerPayments("worker", said))
    office.do(CallPayments("worker", [(asked, "rtgs")], "w2", 60))
    silent = PaymentAnswer(asked, "silence", "unknown", evidence_sha256=EVIDENCE, next_seconds=60)
    office.do(AnswerPayments("worker", [silent]))
    with begin(office.engine) as conn:
        take_due(conn, office.government, asked, now="2027", until="2026-11-21T09:00:00.000000Z")
    office.do(HoldPayment("verifier", held, True, "Rekening diragukan"))
    office.do(PauseDispatch("kuasa", ACCOUNT, True, "Bank tutup"))
    office.do(PauseDispatch("kuasa", ACCOUNT, False, "Bank buka"))
    office.do(ReroutePayments("maker", [moved], ACCOUNT, "Diulang"))


def _facts(office: Office) -> None:
    office.do(
        BookReceipt(
            "penerimaan",
            "STS/1",
            "tax",
            TODAY,
            [ReceiptLine("7.1.01.01.01.0001", "4.1.01.01.01.0001", "1500.00")],
            skpd=SKPD,
            bank_account=ACCOUNT,
            document_no="STS-1",
            bank_reference="STS000001",
        )
    )
    # More than the account and the line hold: floor and allowance are widened.
    office.do(BookBankFee("penerimaan", "FEE/1", TODAY, "900.00", bank_account=OTHER))
    office.do(
        BookBankFee(
            "penerimaan",
            "FEE/2",
            TODAY,
            "150.00",
            bank_account=ACCOUNT,
            budget_line="BL-FEE",
            expense_account="8.1.02.02.01.0003",
        )
    )


# --- the bank ----------------------------------------------------------------------------------


def _statements(engine: Engine) -> None:
    book = Book(engine)
    for n in range(1, 5):
        book.post(f"R-{n}", -n * 100_00, document_no=sp2d(n))
    book.post("R-5", -500_00, document_no=sp2d(5))
    book.post("R-6", -600_00)
    book.post("R-7", -600_00, document_no=sp2d(7))
    pairs: list[OutgoingEntry] = [
        out(-100_00, f"SP2D {sp2d(1)}", bank_ref="BNK0001", ref="REF1"),
        out(-200_00, f"SP2D {sp2d(2)}"),
        out(-300_00, "/EREF/P26-00000001/NAME/CV CONTOH JAYA/REMI/TAGIHAN"),
        out(-500_00, f"SP2D {sp2d(5)[:36]}", bank_ref="BNK5"),
        OutgoingEntry(
            date(2026, 11, 11),
            Money(9_00),
            "KOREKSI",
            transaction_code="NINT",
            entry_on=date(2026, 11, 11),
            reversal=True,
        ),
        out(-600_00, sp2d(7)),
    ]
    book.deliver(pairs)
    book.reconcile()
    book.undo(1)
    entry = book.rows("SELECT item FROM match_member WHERE match_id = 1 AND side = 'book'")[0][0]
    book.by_hand([1], [entry])
    second = [out(-7_00, "X", on=date(2026, 11, 12)), out(-8_00, "Y", on=date(2026, 11, 12))]
    book.deliver(second, on=date(2026, 11, 12))
    again = book.statement(
        [*reversed(second)], on=date(2026, 11, 12), opening_sen=book.balance_sen + 15_00
    )
    book.take(again)
    broken = book.statement([], on=date(2026, 11, 13), opening_sen=book.balance_sen + 5)
    book.take(broken, quarantine=True)
    book.reconcile()
    for data, profile in ((_BCA, "bca-bisnis"), (_BRI, "bri-cms")):
        book.do(read_import("svc-reconcile", OTHER, data.encode(), profile=profile))
    book.do(Reconcile("svc-reconcile", OTHER))
    _deliveries(book)


def _deliveries(book: Book) -> None:
    """A day told of in reports, closed, told of again, and issued anew."""
    day = date(2026, 11, 13)
    told = OutgoingEntry(
        day,
        Money(9_00),
        "/EREF/P26-00000001/NAME/CV CONTOH JAYA/REMI/TAGIHAN",
        reference="REF2",
        bank_reference="BNK9",
        entry_on=day,
        reversal=True,
    )
    fee, other = out(-3_00, "BIAYA", on=day), out(-4_00, "TIDAK JADI", on=day)
    report = book.report([told, fee, other], on=day, kind="mt942").decode()
    pending = ":61:261113ED5,00NTRFNONREF"
    book.take(report.replace("\r\n-\r\n", f"\r\n{pending}\r\n-\r\n").encode())
    timed = book.report([fee, fee], on=day).replace(
        b"<BookgDt><Dt>2026-11-13</Dt>", b"<BookgDt><DtTm>2026-11-13T09:10:11+07:00</DtTm>"
    )
    book.take(timed)
    answer = book.deliver([told, told, fee], on=day)
    book.take(book.report([told, told], on=day, kind="camt.054"))
    book.reconcile()
    opening = book.balance_sen - 2 * told.amount.sen - fee.amount.sen
    since = date(2026, 11, 12)
    reissue = book.statement([told, told], on=day, opening_sen=opening, since=since)
    book.supersede(reissue, answer["statements"][0]["statement"])


# --- ends --------------------------------------------------------------------------------------


def _ends(engine: Engine) -> None:
    answer(one(engine, SealPeriod("acc-1", 2026, 1)))


def _new_shard(
    engine: Engine, signer: MonotonicSigner, folder: Path
) -> tuple[MonotonicSigner, list[str]]:
    """Acts that were signed and lost again: the log goes on as a new shard, with another signer."""
    sealed(engine, signer, seconds=60)
    with engine.connect() as conn:
        if conn.dialect.name == "sqlite":
            conn.exec_driver_sql("BEGIN IMMEDIATE")
        lost = post(
            journal(
                "LOST",
                lines=[
                    line(EXPENSE, debit="1.00"),
                    line(CASH, credit="1.00", bank_account=ACCOUNT),
                ],
            )
        )
        post_batch(conn, GOVERNMENT, lost, now=_LATER, today=TODAY)
        tree = read_tree(conn, GOVERNMENT)
        read = tile_reader(conn, tree).subtree
        signed = signer.last().size
        signer.sign(
            tree.size, tree_root(tree.size, read), consistency_proof(signed, tree.size, read)
        )
        if conn.dialect.name == "sqlite":
            conn.exec_driver_sql("ROLLBACK")
        conn.rollback()
    with reading(engine) as conn:
        origin = next_origin(conn, GOVERNMENT)
    new = new_signer(folder / "second", origin, seed=8)
    successor = log_key(origin, 8).verifier.vkey
    with begin(engine) as conn:
        open_new_shard(
            conn,
            GOVERNMENT,
            old=signer,
            new=new,
            successor=successor,
            incident="Cadangan kemarin dipulihkan",
            by=ADMIN_1,
            now=_LATER,
            today=TODAY,
        )
    after = journal(
        "AFTER",
        lines=[line(EXPENSE, debit="1.00"), line(CASH, credit="1.00", bank_account=ACCOUNT)],
    )
    answer(one(engine, post(after)[0], now=_LATER))
    return new, [log_key().verifier.vkey, successor]
