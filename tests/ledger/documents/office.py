"""A treasury at work: officers with keys, a budget, and the moves of documents in one line each."""

from __future__ import annotations

import itertools
import secrets
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, text

from api.engine import begin, reading
from audit import dsse
from audit.keys import generate_officer_key, prove_possession
from audit.statement import Statement
from ledger.budget import BudgetRow, ReleaseRow
from ledger.budget_check import check_budget
from ledger.budget_shell import LoadBudget
from ledger.documents import queries
from ledger.documents.advice_list import DraftAdviceList, SignAdviceList, VerifyAdviceList
from ledger.documents.bank_outcomes import RecordPayment
from ledger.documents.bodies import DeductionBody, PayeeBody, SpendingLineBody, SpmBody
from ledger.documents.documents_check import check_documents
from ledger.documents.settling import SettlePayment
from ledger.documents.sp2d import DraftSp2d, SignSp2d, VerifySp2d
from ledger.documents.spm import AcceptSpm, RegisterSpm
from ledger.findings import Finding
from ledger.journals_check import check_balances, check_journals
from ledger.money import parse_sen, sen_text
from ledger.officer_keys import EnrollOfficerKey, possession_challenge
from ledger.opening import ADMIN_1, ADMIN_2, RECONCILER, open_book
from ledger.people_check import check_people
from ledger.persons_shell import AddPerson, GiveGrant
from ledger.posting import Accepted, Refused
from ledger.proposals import BothHands, Confirm, Propose
from ledger.session import Command
from tests.builders import NOW, SKPD, TODAY, answer, new_book, run

LINE: Final = "BL-1"
LINE_2: Final = "BL-2"
LINE_PPKD: Final = "BL-PPKD"
SUB: Final = "1.02.01.2.01.0003"
EXPENSE: Final = "8.1.02.01.01.0024"
EXPENSE_2: Final = "8.1.02.01.01.0025"
GRANT_EXPENSE: Final = "8.1.05.01.01.0001"
PPN: Final = "2.1.01.06.01.0001"
PPH: Final = "2.1.01.05.02.0001"
EVIDENCE: Final = "e" * 64
RECONCILER_2: Final = "rekonsiliasi"

#: recognition -> the government that keeps it
POLICIES: Final = {"on_issue": "36.71", "on_cair": "36.72"}

#: person -> (role, SKPD)
PEOPLE: Final = {
    "pa": ("budget_user", SKPD),
    "pa-ppkd": ("budget_user", "PPKD"),
    "maker": ("sp2d_maker", ""),
    "maker-2": ("sp2d_maker", ""),
    "verifier": ("sp2d_verifier", ""),
    "kuasa": ("deputy_treasurer", ""),
    "kuasa-2": ("deputy_treasurer", ""),
    "anggaran": ("budget_officer", ""),
    "penerimaan": ("receipts_officer", ""),
    "everybody": ("sp2d_maker", ""),
    "worker": ("dispatcher", ""),
    RECONCILER_2: ("reconciler", ""),
}

#: Everything that acts on documents may write.
TABLES: Final = (
    "log_edge",
    "log_leaf",
    "batch",
    "private_value",
    "idempotency",
    "entity",
    "journal",
    "journal_line",
    "account_balance",
    "account_day",
    "budget_line",
    "release_bucket",
    "budget_day",
    "budget_load",
    "budget_load_entry",
    "document",
    "document_line",
    "document_deduction",
    "payee",
    "document_move",
    "payment",
    "payment_move",
    "number_series",
    "dispatch",
    "dispatch_pause",
    "payment_call",
    "payment_answer",
    "payment_settlement",
    "proposal",
    "proposal_end",
)


class Office:
    """One government's treasury on an engine."""

    def __init__(self, engine: Engine, government: str) -> None:
        self.engine = engine
        self.government = government
        self.origin = f"rkud/{government}"
        self.keys: dict[str, Ed25519PrivateKey] = {}
        self._numbers = itertools.count(1)

    # --- acts --------------------------------------------------------------------------------

    def run(
        self, *commands: Command, now: datetime = NOW, today: str = TODAY
    ) -> list[Accepted | Refused]:
        """Results of commands in one committed batch."""
        return run(self.engine, *commands, now=now, today=today, government=self.government)

    def do(self, command: Command, *, today: str = TODAY) -> Any:
        """The answer of one accepted command; a refusal is raised."""
        (result,) = self.run(command, today=today)
        return answer(result)

    def run_at(self, command: Command, now: datetime) -> Any:
        """The answer of one command at an instant, on its Jakarta day."""
        today = (now + timedelta(hours=7)).date().isoformat()
        return answer(self.run(command, now=now, today=today)[0])

    def pairs(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of this government (`:government` is bound)."""
        with reading(self.engine) as conn:
            return [tuple(r) for r in conn.execute(text(sql), {"government": self.government})]

    def refused(self, command: Command, *, today: str = TODAY) -> tuple[str, dict[str, object]]:
        """Code and values of one refused command, which must have changed nothing."""
        before = self.contents()
        (result,) = self.run(command, today=today)
        assert isinstance(result, Refused), result
        after = self.contents()
        assert before == after, {
            n: set(after[n]) ^ set(before[n]) for n in TABLES if after[n] != before[n]
        }
        return result.error.code, result.error.values

    # --- people --------------------------------------------------------------------------------

    def open_office(self, *people: str) -> None:
        """Appoint the people and enrol a key for each."""
        acts: list[Any] = []
        for person in people:
            role, skpd = PEOPLE[person]
            acts += [
                AddPerson(person, f"Nama {person}"),
                GiveGrant(person, role, "2026-01-01", skpd=skpd),
            ]
        for person in people:
            acts.append(self.new_key(person))
        for result in self.run(*(BothHands(ADMIN_1, ADMIN_2, act) for act in acts)):
            answer(result)

    def new_key(self, person: str) -> EnrollOfficerKey:
        """A fresh key of a person, which signs from now on."""
        private = generate_officer_key()
        self.keys[person] = private
        proof = prove_possession(private, possession_challenge(self.origin, person))
        return EnrollOfficerKey(person, private.public_key().public_bytes_raw().hex(), proof.hex())

    def sign(self, person: str, document: str, act: str, /, **changes: Any) -> bytes:
        """The person's envelope on what the ledger asks to be signed, with members changed."""
        with reading(self.engine) as conn:
            asked = queries.to_sign(conn, self.government, document, act)
        private = self.keys[person]
        members: dict[str, Any] = {
            "origin": asked.origin,
            "act": asked.act,
            "object": asked.object,
            "revision": asked.revision,
            "line_totals": asked.line_totals,
            "payees": asked.payees,
            "amount": asked.amount,
            "decision": asked.decision,
            "role": asked.role,
            "officer": person,
            "key_id": dsse.officer_key_id(private.public_key().public_bytes_raw()),
            "nonce": secrets.token_hex(16),
            "claimed_at": "2026-11-21T03:15:30.123456Z",
        }
        return dsse.sign(Statement(**(members | changes)).to_payload(), private).to_bytes()

    # --- documents -----------------------------------------------------------------------------

    def load(self, *rows: BudgetRow | ReleaseRow, sha256: str = "", today: str = TODAY) -> Any:
        """Load budget rows as a new file."""
        digest = sha256 or secrets.token_hex(32)
        return self.do(LoadBudget("anggaran", 2026, digest, rows), today=today)

    def load_usual(self, ceiling: int = 1_000_000_00, released: int = 800_000_00) -> Any:
        """Two lines of the SKPD under one release, one line of the PPKD."""
        return self.load(
            BudgetRow(LINE, SKPD, SUB, "5.1.02.01.01.0024", "1.1.01", ceiling, "Dinas Kesehatan"),
            BudgetRow(LINE_2, SKPD, SUB, "5.1.02.01.01.0025", "1.1.01", ceiling),
            BudgetRow(LINE_PPKD, "PPKD", SUB, "5.1.05.01.01.0001", "", ceiling),
            ReleaseRow(SKPD, SUB, "", released),
            ReleaseRow("PPKD", SUB, "", released),
        )

    def spm_body(self, amount: str = "100000.00", *, among: int = 1, **changes: Any) -> SpmBody:
        """An SPM of one line without deductions, shared among so many payees."""
        gross = parse_sen(amount)
        share = gross // among
        shares = [share] * (among - 1) + [gross - share * (among - 1)]
        values: dict[str, Any] = {
            "number": f"SPM/{next(self._numbers):06d}/{secrets.token_hex(4)}",
            "dated_on": "2026-11-20",
            "skpd": SKPD,
            "payment_kind": "LS_GOODS",
            "purpose": "Belanja alat tulis kantor",
            "lines": [SpendingLineBody(LINE, EXPENSE, amount)],
            "deductions": [],
            "payees": [
                PayeeBody(f"CV Maju {n}", "137", f"{1000000 + n}", sen_text(sen), npwp="0" * 15)
                for n, sen in enumerate(shares, start=1)
            ],
        }
        return SpmBody(**(values | changes))

    def with_tax(self, **changes: Any) -> SpmBody:
        """Two lines (70,000 and 30,000), PPN 9,909 and PPh 1,351 withheld, one payee."""
        values: dict[str, Any] = {
            "lines": [
                SpendingLineBody(LINE, EXPENSE, "70000.00"),
                SpendingLineBody(LINE_2, EXPENSE_2, "30000.00"),
            ],
            "deductions": [
                DeductionBody(PPN, "9909.00", billing_id="1" * 15),
                DeductionBody(PPH, "1351.00"),
                DeductionBody("2.1.01.05.03.0001", "500.00", reduces_payment=False),
            ],
            "payees": [PayeeBody("CV Maju", "137", "1000001", "100000.00", "11260.00", "0" * 15)],
        }
        return self.spm_body("100000.00", **(values | changes))

    def register(self, body: SpmBody | None = None, by: str = "maker", **changes: Any) -> str:
        """Id of a registered SPM."""
        return str(self.do(RegisterSpm(by, body or self.spm_body(**changes)))["document"])

    def accept(self, body: SpmBody | None = None, *, signer: str = "pa", **changes: Any) -> str:
        """Id of an accepted SPM."""
        spm = self.register(body, **changes)
        self.do(AcceptSpm("maker", spm, signer, self.sign(signer, spm, "spm.sign")))
        return spm

    def draft(self, body: SpmBody | None = None, *, signer: str = "pa", **changes: Any) -> str:
        """Id of a drafted SP2D."""
        spm = self.accept(body, signer=signer, **changes)
        return str(self.do(DraftSp2d("maker", spm))["document"])

    def verify(self, body: SpmBody | None = None, *, signer: str = "pa", **changes: Any) -> str:
        """Id of a verified SP2D."""
        sp2d = self.draft(body, signer=signer, **changes)
        self.do(VerifySp2d("verifier", sp2d, self.sign("verifier", sp2d, "sp2d.verify")))
        return sp2d

    def issue(self, body: SpmBody | None = None, *, signer: str = "pa", **changes: Any) -> Any:
        """Answer of a signed SP2D."""
        sp2d = self.verify(body, signer=signer, **changes)
        return self.do(SignSp2d("kuasa", sp2d, self.sign("kuasa", sp2d, "sp2d.sign")))

    def list_payments(
        self, *payments: str, verifier: str = "verifier", bank_account: str = ""
    ) -> str:
        """Id of a signed advice list."""
        made = self.do(DraftAdviceList("maker-2", bank_account, payments=payments))["document"]
        envelope = self.sign(verifier, made, "advice_list.verify")
        self.do(VerifyAdviceList(verifier, made, envelope))
        self.do(SignAdviceList("kuasa", made, self.sign("kuasa", made, "advice_list.sign")))
        return str(made)

    def outcome(self, payment: str, outcome: str, **changes: Any) -> Any:
        """Answer of a recorded outcome."""
        return self.do(RecordPayment(RECONCILER, payment, outcome, TODAY, EVIDENCE, **changes))

    def settle(self, payment: str, outcome: str, **changes: Any) -> Any:
        """Answer of the second of two reconcilers who settle a payment."""
        act = SettlePayment(payment, outcome, TODAY, EVIDENCE, "Surat bank", **changes)
        proposal = self.do(Propose(RECONCILER, act))["proposal"]
        return self.do(Confirm(RECONCILER_2, proposal))

    # --- readings --------------------------------------------------------------------------------

    def scalar(self, sql: str, **values: object) -> Any:
        """One value of this government (`:government` is bound)."""
        with reading(self.engine) as conn:
            return conn.execute(text(sql), {"government": self.government, **values}).scalar()

    def line(self, line: str = LINE) -> tuple[int, int, int]:
        """ceiling, reserved, spent of a budget line, in sen."""
        return self._counters("budget_line", "ceiling_sen", line)

    def bucket(self, bucket: str = f"2026/skpd/{SKPD}/{SUB}") -> tuple[int, int, int]:
        """released, reserved, spent of a release, in sen."""
        return self._counters("release_bucket", "released_sen", bucket)

    def _counters(self, table: str, limit: str, key: str) -> tuple[int, int, int]:
        with reading(self.engine) as conn:
            row = conn.execute(
                text(
                    f"SELECT {limit}, reserved_sen, spent_sen FROM {table}"
                    " WHERE government = :government AND id = :id"
                ),
                {"government": self.government, "id": key},
            ).one()
        return row[0], row[1], row[2]

    def cash(self) -> tuple[int, int]:
        """Balance and commitments of the RKUD, in sen."""
        with reading(self.engine) as conn:
            row = conn.execute(
                text(
                    "SELECT balance_sen, committed_sen FROM account_balance"
                    " WHERE government = :government AND bank_account <> ''"
                ),
                {"government": self.government},
            ).one()
        return row[0], row[1]

    def balance(self, account: str, *, entity: str = "PPKD", book: str = "FIN") -> int:
        """Balance of an account over its counterparts and fund sources, in sen, debit positive."""
        return int(
            self.scalar(
                "SELECT coalesce(sum(balance_sen), 0) FROM account_balance"
                " WHERE government = :government AND account = :account AND entity = :entity"
                " AND book = :book",
                account=account,
                entity=entity,
                book=book,
            )
        )

    def payments(self) -> list[tuple[str, str]]:
        """Reference and state of every payment, in order."""
        with reading(self.engine) as conn:
            return [
                (row[0], row[1])
                for row in conn.execute(
                    text(
                        "SELECT id, state FROM payment WHERE government = :government ORDER BY id"
                    ),
                    {"government": self.government},
                )
            ]

    def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row that an act on documents may touch."""
        with reading(self.engine) as conn:
            return {
                name: sorted(
                    (tuple(row) for row in conn.execute(text(f"SELECT * FROM {name}"))), key=repr
                )
                for name in TABLES
            }

    def findings(self) -> list[Finding]:
        """What the checks of books, people, budget and documents find wrong."""
        checks = (check_journals, check_balances, check_people, check_budget, check_documents)
        with reading(self.engine) as conn:
            return [
                finding
                for check in checks
                for finding in check(conn, self.government)
                if finding.severity == "error"
            ]


def new_office(engine: Engine, recognition: str, **changes: Any) -> Office:
    """A government of its own under a recognition policy, its people and its usual budget."""
    government = POLICIES[recognition]
    book = new_book(
        government=government, origin=f"rkud/{government}", recognition=recognition, **changes
    )
    with begin(engine) as conn:
        open_book(conn, book, now=NOW, today=TODAY)
    office = Office(engine, government)
    office.open_office("anggaran")
    office.load_usual()  # makes the SKPD that the budget user is appointed for
    office.open_office(*(person for person in PEOPLE if person != "anggaran"))
    return office
