"""A small book with one bank account, and a bank that writes its statements: for tests of this folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Engine, LargeBinary, Table, text

from api.engine import begin, make_engine, reading
from bank_adapters.statements import OutgoingEntry, write_camt053, write_mt940
from ledger import tables as lt
from ledger.commands import PostJournal, ReverseJournal
from ledger.errors import LedgerError
from ledger.findings import Finding
from ledger.journals import parse_body
from ledger.money import Money
from ledger.opening import NewBook, open_book
from ledger.posting import Accepted, post_batch
from ledger.proposals import Confirm, Propose
from ledger.session import Command
from ledger.settings import FOREVER
from reconciliation import (
    MatchByHand,
    Reconcile,
    SupersedeStatement,
    UndoMatch,
    check_reconciliation,
    read_import,
)
from tests.databases import Database

GOVERNMENT = "36"
ACCOUNT = "137:0010012345678"
NUMBER = "0010012345678"
CASH = "1.1.01.01.01.0001"
EXPENSE = "8.1.02.01.01.0024"
TODAY = "2026-11-21"
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
OPENING_SEN = 10**13
SECOND = "svc-second"


def sp2d(number: int) -> str:
    """A full SP2D number."""
    return f"04.03/04.0/{number:06d}/LS/1.02.0.00.0.00.01.0000/P.01/11/2026"


def out(
    sen: int,
    narrative: str = "",
    *,
    on: date = date(2026, 11, 11),
    ref: str | None = None,
    bank_ref: str | None = None,
    code: str = "NTRF",
) -> OutgoingEntry:
    """A line of a statement; *sen* is signed."""
    return OutgoingEntry(
        on, Money(sen), narrative, reference=ref, bank_reference=bank_ref, transaction_code=code
    )


@dataclass
class Book:
    """An open book in a database, and the day's bank."""

    engine: Engine
    balance_sen: int = OPENING_SEN
    closed_on: date = date(2026, 11, 10)
    number: int = 0
    files: list[bytes] = field(default_factory=list)

    def do(self, *commands: Command) -> list[dict[str, Any]]:
        """Apply commands in one batch; a refusal is raised."""
        answers = []
        with begin(self.engine) as conn:
            for result in post_batch(conn, GOVERNMENT, commands, now=NOW, today=TODAY):
                if not isinstance(result, Accepted):
                    raise result.error
                answers.append(json.loads(result.answer))
        return answers

    def refusal(self, command: Command) -> LedgerError:
        """The error a command is refused with, the batch being committed around it."""
        with begin(self.engine) as conn:
            (result,) = post_batch(conn, GOVERNMENT, [command], now=NOW, today=TODAY)
        assert not isinstance(result, Accepted), result.answer
        return result.error

    def post(
        self,
        reference: str,
        sen: int,
        *,
        document_no: str = "",
        batch_no: str = "",
        on: str = "2026-11-11",
    ) -> int:
        """Feed a journal that moves *sen* (signed) on the bank account; its id."""
        (answer,) = self.do(_journal(reference, sen, document_no, batch_no, on))
        return int(answer["journal"])

    def post_many(self, journals: Sequence[tuple[str, int, str]], on: str = "2026-11-11") -> None:
        """Feed journals given as (reference, sen, document number)."""
        for start in range(0, len(journals), 2_000):
            some = journals[start : start + 2_000]
            self.do(*(_journal(reference, sen, no, "", on) for reference, sen, no in some))

    def reverse(self, journal: int, reference: str, on: str = "2026-11-11") -> int:
        """Reverse a fed journal."""
        (answer,) = self.do(ReverseJournal("svc-feed", journal, reference, on, "salah"))
        return int(answer["journal"])

    def statement(
        self,
        lines: Sequence[OutgoingEntry],
        *,
        on: date = date(2026, 11, 11),
        opening_sen: int | None = None,
        account: str = NUMBER,
        currency: str = "IDR",
        since: date | None = None,
    ) -> bytes:
        """The next statement of the bank; nothing of it is remembered."""
        return write_mt940(
            account,
            currency,
            self.number + 1,
            Money(self.balance_sen if opening_sen is None else opening_sen),
            since or self.closed_on,
            on,
            lines,
        )

    def camt(
        self,
        lines: Sequence[OutgoingEntry],
        *,
        on: date,
        opening_sen: int | None = None,
    ) -> bytes:
        """The same as camt.053."""
        opening = self.balance_sen if opening_sen is None else opening_sen
        return write_camt053(NUMBER, "IDR", 1, Money(opening), on, on, lines, created_at=NOW)

    def report(
        self,
        lines: Sequence[OutgoingEntry],
        *,
        on: date,
        kind: str = "camt.052",
        account: str = NUMBER,
        currency: str = "IDR",
        number: int = 1,
    ) -> bytes:
        """An intraday report (camt.052 or MT942) or an advice (camt.054) of the day so far."""
        if kind == "mt942":
            data = write_mt940(account, currency, number, Money(0), on, on, lines).decode()
            kept = [row for row in data.split("\r\n") if not row.startswith((":60F:", ":62F:"))]
            return "\r\n".join([*kept[:3], f":34F:{currency}0,", *kept[3:]]).encode()
        outer, inner = {
            "camt.052": ("BkToCstmrAcctRpt", "Rpt"),
            "camt.054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
        }[kind]
        text = write_camt053(account, currency, number, Money(0), on, on, lines, created_at=NOW)
        found = text.decode().replace("camt.053", kind).replace("BkToCstmrStmt", outer)
        found = found.replace("<Stmt>", f"<{inner}>").replace("</Stmt>", f"</{inner}>")
        return re.sub("<Bal>.*</Bal>\n", "", found).encode()

    def deliver(
        self, lines: Sequence[OutgoingEntry], *, on: date = date(2026, 11, 11)
    ) -> dict[str, Any]:
        """Write the next statement, import it, and remember where the account stands."""
        data = self.statement(lines, on=on)
        answer = self.take(data)
        self.files.append(data)
        self.number += 1
        self.balance_sen += sum(line.amount.sen for line in lines)
        self.closed_on = on
        return answer

    def take(self, data: bytes, **options: Any) -> dict[str, Any]:
        """Import a file."""
        (answer,) = self.do(read_import("svc-reconcile", ACCOUNT, data, **options))
        return answer

    def refused(self, data: bytes, **options: Any) -> LedgerError:
        """The error that a file is refused with."""
        return self.refusal(read_import("svc-reconcile", ACCOUNT, data, **options))

    def reconcile(self, through: str = "", **options: Any) -> Reconcile:
        """Run; the command with its outcome."""
        command = Reconcile("svc-reconcile", ACCOUNT, through=through, with_matches=True, **options)
        self.do(command)
        return command

    def by_hand(self, lines: Sequence[int], entries: Sequence[int]) -> dict[str, Any]:
        """Match by two persons."""
        act = MatchByHand(ACCOUNT, tuple(lines), tuple(entries), "sesuai bukti")
        (proposed,) = self.do(Propose("svc-reconcile", act))
        (answer,) = self.do(Confirm(SECOND, proposed["proposal"]))
        return answer

    def undo(self, match: int) -> dict[str, Any]:
        """Undo a match by two persons."""
        (proposed,) = self.do(Propose("svc-reconcile", UndoMatch(match, "salah pasang")))
        (answer,) = self.do(Confirm(SECOND, proposed["proposal"]))
        return answer

    def keep_aside(self, data: bytes) -> list[int]:
        """Keep the statements of a file aside as reissued ones; their ids."""
        answer = self.take(data, reissue=True)
        assert {"quarantined"} == {each["status"] for each in answer["statements"]}
        return [each["statement"] for each in answer["statements"]]

    def supersede(self, data: bytes, statement: int, reason: str = "ralat bank") -> dict[str, Any]:
        """Put the statements of a file in the places from *statement* on, by two persons."""
        act = SupersedeStatement(tuple(self.keep_aside(data)), (statement,), reason)
        (proposed,) = self.do(Propose("svc-reconcile", act))
        (answer,) = self.do(Confirm(SECOND, proposed["proposal"]))
        return answer

    def count(self, table: str, where: str = "1 = 1") -> int:
        """Rows of a table."""
        with reading(self.engine) as conn:
            return int(
                conn.execute(text(f"SELECT count(*) FROM {table} WHERE {where}")).scalar_one()
            )

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query gives."""
        with reading(self.engine) as conn:
            return [tuple(row) for row in conn.execute(text(sql))]

    def everything(self) -> dict[str, int]:
        """Row counts of all tables that an act on statements could touch."""
        tables = (
            *("statement_file", "statement_file_content", "statement", "bank_line"),
            *("bank_line_delivery", "book_entry", "open_item", "open_key", "match_member"),
            *("reconciliation_run", "reconciliation_match", "match_undo", "log_leaf"),
            *("delivery", "provisional_line", "provisional_line_delivery", "provisional_booked"),
            *("reissue", "bank_line_gone", "private_value", "proposal"),
        )
        return {table: self.count(table) for table in tables}

    def findings(self) -> list[Finding]:
        """What the check finds, notes left out."""
        return [finding for finding in self.looked() if finding.severity == "error"]

    def notes(self) -> list[tuple[str, str]]:
        """(code, key) of what the check notes beside findings."""
        return [(each.code, each.key) for each in self.looked() if each.severity == "note"]

    def looked(self) -> list[Finding]:
        """All that the check has to say."""
        with reading(self.engine) as conn:
            return list(check_reconciliation(conn, GOVERNMENT))


def _journal(reference: str, sen: int, document_no: str, batch_no: str, on: str) -> PostJournal:
    amount, back = ("debit", "credit") if sen > 0 else ("credit", "debit")
    body = {
        "reference": reference,
        "effective_on": on,
        "kind": "SP2D",
        "description": "Belanja",
        "document_no": document_no,
        "batch_no": batch_no,
        "lines": [
            {"account": EXPENSE, back: str(Money(abs(sen)))},
            {"account": CASH, amount: str(Money(abs(sen))), "bank_account": ACCOUNT},
        ],
    }
    return PostJournal("svc-feed", parse_body(json.dumps(body).encode()))


@contextmanager
def without_triggers(database: Database, *tables: str) -> Iterator[Connection]:
    """The owner's connection with the triggers of *tables* out of the way; they are put back."""
    engine = make_engine(database.owner_url)
    with begin(engine) as conn:
        dropped: list[str] = []
        for name in tables:
            if conn.dialect.name == "postgresql":
                conn.exec_driver_sql(f"ALTER TABLE {name} DISABLE TRIGGER USER")
                continue
            found = conn.exec_driver_sql(
                f"SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{name}'"
            ).all()
            for trigger, sql in found:
                conn.exec_driver_sql(f"DROP TRIGGER {trigger}")
                dropped.append(sql)
        yield conn
        for sql in dropped:
            conn.exec_driver_sql(sql)
        if conn.dialect.name == "postgresql":
            for name in tables:
                triggers = conn.exec_driver_sql(
                    "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid ="
                    f" '{name}'::regclass"
                ).all()
                for (trigger,) in triggers:
                    conn.exec_driver_sql(f"ALTER TABLE {name} ENABLE ALWAYS TRIGGER {trigger}")
    engine.dispose()


def sent_payments(
    database: Database, payments: dict[str, int], states: Mapping[str, str] | None = None
) -> None:
    """
    Payments sent to the bank (reference -> sen), as bare rows: their SP2D is not this subject.

    *states* are those of payments that are not just sent.
    """
    with without_triggers(database, "document", "payee", "payment") as conn:
        _bare_row(
            conn, lt.document, id="D1", kind="sp2d", origin="own", revision="0" * 64, number="1"
        )
        for n, (reference, sen) in enumerate(payments.items(), start=1):
            _bare_row(conn, lt.payee, document_id="D1", n=n, gross_sen=sen, net_sen=sen)
            _bare_row(
                conn,
                lt.payment,
                id=reference,
                document_id="D1",
                payee_n=n,
                attempt=1,
                partner_reference=reference,
                bank_account=ACCOUNT,
                amount_sen=sen,
                recognition="on_cair",
                basis="order",
                state=(states or {}).get(reference, "sent"),
                state_n=3,
            )


def _bare_row(conn: Connection, table: Table, **values: object) -> None:
    row: dict[str, object] = {c.name: 0 if isinstance(c.type, BigInteger) else "" for c in table.c}
    row |= {c.name: b"" for c in table.c if isinstance(c.type, LargeBinary)}
    conn.execute(table.insert().values({**row, "government": GOVERNMENT, **values}))


def new_book(database: Database, **options: Any) -> Book:
    """Open a book with Rp 100 billion, and a second reconciler."""
    engine = make_engine(database.url)
    values: dict[str, Any] = {
        "government": GOVERNMENT,
        "name": "Banten",
        "bank_account": ACCOUNT,
        "bank_account_name": "RKUD",
        "recognition": "on_issue",
        "fiscal_years": [2026],
        "origin": "rkud/36",
        "feed": ["*"],
        "opening_balance_sen": OPENING_SEN,
        "opening_on": "2026-01-01",
    }
    with begin(engine) as conn:
        open_book(conn, NewBook(**{**values, **options}), now=NOW, today=TODAY)
        _add_reconciler(conn)
    return Book(engine)


def _add_reconciler(conn: Connection) -> None:
    """A second person with the role, by rows alone: who appoints whom is not this folder's subject."""
    conn.execute(
        text(
            "INSERT INTO person (government, id, kind, name_c, nip_c, added_at, leaf_index)"
            " VALUES (:g, :p, 'officer', '', '', '2026-01-01T00:00:00.000000Z', 0)"
        ),
        {"g": GOVERNMENT, "p": SECOND},
    )
    conn.execute(
        text(
            "INSERT INTO grant_given (government, id, person_id, role, skpd, mandate,"
            " mandate_document, valid_from, valid_to, given_by, confirmed_by, leaf_index) VALUES"
            " (:g, 'second', :p, 'reconciler', '', 'definitive', '', '2026-01-01', :ever, 'admin-1',"
            " 'admin-2', 0)"
        ),
        {"g": GOVERNMENT, "p": SECOND, "ever": FOREVER},
    )
    conn.execute(text("UPDATE log_edge SET config_rev = config_rev + 1"))


@contextmanager
def book_of(database: Database, **options: Any) -> Iterator[Book]:
    """A new book, its connections closed at the end."""
    book = new_book(database, **options)
    try:
        yield book
    finally:
        book.engine.dispose()
