"""
Signed orders for a bench: officers with keys of their own, SP2D from registration to signature, and the
advice lists that release them, by the product's own acts.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from api import clock
from api.bench.books import GOVERNMENT, ORIGIN
from api.bench.workload import bank_accounts
from api.engine import begin, make_engine, reading
from audit import dsse
from audit.keys import generate_officer_key, officer_key_id, prove_possession
from audit.statement import Statement
from ledger.budget import BudgetRow, ReleaseRow
from ledger.budget_shell import LoadBudget
from ledger.documents import queries
from ledger.documents.advice_list import DraftAdviceList, SignAdviceList, VerifyAdviceList
from ledger.documents.bodies import PayeeBody, SpendingLineBody, SpmBody
from ledger.documents.sp2d import DraftSp2d, SignSp2d, VerifySp2d
from ledger.documents.spm import AcceptSpm, RegisterSpm
from ledger.money import sen_text
from ledger.officer_keys import EnrollOfficerKey, possession_challenge
from ledger.opening import ADMIN_1, ADMIN_2
from ledger.persons_shell import AddPerson, GiveGrant
from ledger.policies import SetPolicy
from ledger.posting import Refused, post_batch
from ledger.proposals import BothHands
from ledger.session import Command

__all__ = ["PAYEES", "Payee", "sign_orders"]

#: (bank, account, holder)
Payee = tuple[str, str, str]
PAYEES: Final[tuple[Payee, ...]] = tuple(
    (bank, f"{2_000_000_000 + n}", f"PT Penerima {n}")
    for n in range(200)
    for bank in ("137", "014", "002")
)

_SKPD: Final = "1.02.0.00.0.00.01.0000"
_SUB: Final = "1.02.01.2.01.0003"
_LINE: Final = "bench/dispatch"
_BUDGETED: Final = "5.1.02.01.01.0024"
_EXPENSE: Final = "8.1.02.01.01.0024"
_MUCH_SEN: Final = 10**14
#: Of a large SP2D; the others have one payee.
_PAYEES_OF_LARGE: Final = 500
_SMALL_PART: Final = 20
_ROLES: Final = {
    "bench-budget": ("budget_officer", ""),
    "bench-pa": ("budget_user", _SKPD),
    "bench-maker": ("sp2d_maker", ""),
    "bench-maker-2": ("sp2d_maker", ""),
    "bench-verifier": ("sp2d_verifier", ""),
    "bench-kuasa": ("deputy_treasurer", ""),
    "bench-worker": ("dispatcher", ""),
}


def sign_orders(app_url: str, orders: int) -> None:
    """Signed advice lists of so many payments in a book of `books.make_book`; one in twenty alone in its SP2D."""
    engine = make_engine(app_url)
    try:
        treasury = _Treasury(engine)
        treasury.open()
        small = orders // _SMALL_PART
        sizes = [1] * small
        left = orders - small
        while left:
            sizes.append(min(left, _PAYEES_OF_LARGE))
            left -= sizes[-1]
        treasury.release([name for size in sizes for name in treasury.issue(size)])
    finally:
        engine.dispose()


class _Treasury:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._today = clock.local_day(clock.system_clock(), "Asia/Jakarta")
        self._keys: dict[str, Ed25519PrivateKey] = {}
        self._chance = Random(1)  # noqa: S311  # a fixed draw
        self._count = 0

    def open(self) -> None:
        year = int(self._today[:4])
        budget, *others = _ROLES.items()
        self._appoint([budget])
        rows: list[BudgetRow | ReleaseRow] = [
            BudgetRow(_LINE, _SKPD, _SUB, _BUDGETED, "1.1.01", _MUCH_SEN, "Dinas Uji"),
            ReleaseRow(_SKPD, _SUB, "", _MUCH_SEN),
        ]
        self._do(LoadBudget(budget[0], year, "d" * 64, rows))
        self._appoint(others)
        channel = SetPolicy("channel", f"{bank_accounts(1)[0]} snap", self._today)
        self._do(BothHands(ADMIN_1, ADMIN_2, channel))

    def _appoint(self, people: Iterable[tuple[str, tuple[str, str]]]) -> None:
        """Persons with their role and a key."""
        acts: list[Any] = []
        for person, (role, skpd) in people:
            key = self._keys[person] = generate_officer_key()
            proof = prove_possession(key, possession_challenge(ORIGIN, person))
            acts += [
                AddPerson(person, person),
                GiveGrant(person, role, f"{self._today[:4]}-01-01", skpd=skpd),
                EnrollOfficerKey(person, key.public_key().public_bytes_raw().hex(), proof.hex()),
            ]
        self._do(*(BothHands(ADMIN_1, ADMIN_2, act) for act in acts))

    def issue(self, payees: int) -> list[str]:
        """The payments of a new signed SP2D."""
        self._count += 1
        chosen, total = [], 0
        for _ in range(payees):
            bank, account, name = self._chance.choice(PAYEES)
            sen = self._chance.randrange(10_000_00, 5_000_000_00)
            total += sen
            chosen.append(PayeeBody(name, bank, account, sen_text(sen), npwp="0" * 15))
        body = SpmBody(
            number=f"SPM/B/{self._count:06d}",
            dated_on=self._today,
            skpd=_SKPD,
            payment_kind="LS_GOODS",
            purpose="Belanja alat tulis kantor",
            lines=[SpendingLineBody(_LINE, _EXPENSE, sen_text(total))],
            deductions=[],
            payees=chosen,
        )
        spm = str(self._do(RegisterSpm("bench-maker", body))["document"])
        self._do(AcceptSpm("bench-maker", spm, "bench-pa", self._sign("bench-pa", spm, "spm.sign")))
        sp2d = str(self._do(DraftSp2d("bench-maker", spm))["document"])
        verified = self._sign("bench-verifier", sp2d, "sp2d.verify")
        self._do(VerifySp2d("bench-verifier", sp2d, verified))
        signed = self._sign("bench-kuasa", sp2d, "sp2d.sign")
        return [str(each) for each in self._do(SignSp2d("bench-kuasa", sp2d, signed))["payments"]]

    def release(self, payments: Sequence[str]) -> None:
        """Sign the lists that let them go."""
        for at in range(0, len(payments), 1_000):
            some = payments[at : at + 1_000]
            drafted = self._do(DraftAdviceList("bench-maker-2", "", payments=some))
            advice = str(drafted["document"])
            verified = self._sign("bench-verifier", advice, "advice_list.verify")
            self._do(VerifyAdviceList("bench-verifier", advice, verified))
            signed = self._sign("bench-kuasa", advice, "advice_list.sign")
            self._do(SignAdviceList("bench-kuasa", advice, signed))

    def _do(self, *commands: Command) -> Any:
        """The answer of the last of them."""
        now = clock.system_clock()
        with begin(self._engine) as conn:
            results = post_batch(conn, GOVERNMENT, commands, now=now, today=self._today)
        for result in results:
            if isinstance(result, Refused):
                raise result.error
        last = results[-1]
        return None if isinstance(last, Refused) else msgspec.json.decode(last.answer)

    def _sign(self, person: str, document: str, act: str) -> bytes:
        """The person's envelope on what the ledger asks to be signed."""
        with reading(self._engine) as conn:
            asked = queries.to_sign(conn, GOVERNMENT, document, act)
        key = self._keys[person]
        statement = Statement(
            origin=asked.origin,
            act=asked.act,
            object=asked.object,
            revision=asked.revision,
            line_totals=asked.line_totals,
            payees=asked.payees,
            amount=asked.amount,
            decision=asked.decision,
            role=asked.role,
            officer=person,
            key_id=officer_key_id(key.public_key().public_bytes_raw()),
            nonce=secrets.token_hex(16),
            claimed_at=clock.system_clock().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        )
        return dsse.sign(statement.to_payload(), key).to_bytes()
