"""
Shell: the acts of a worker between the books and a bank.

`CallPayments` says, before anything leaves, that the bank is about to be asked to pay;
`AnswerPayments` says afterwards what came of it. Both are committed by themselves: whoever dies
between the two leaves a call without an answer, and nobody calls again on such a call (`calls`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple

from audit import bulk
from audit.log import instant_text
from ledger.answers import Idempotency
from ledger.documents import dispatch_store, payment_store
from ledger.documents.bodies import check_sha256
from ledger.documents.calls import (
    FILE,
    MEANINGS,
    SOURCES,
    contradicts,
    may_call,
    steps_of,
)
from ledger.documents.dispatch_store import AnswerRow, Call, CallRow
from ledger.documents.errors import NoCallError
from ledger.documents.order_parts import Orders, read_orders
from ledger.documents.outcome_booking import OutcomeBooking, books_part
from ledger.documents.payment_store import StoredPayment
from ledger.errors import (
    FiscalYearNotOpenError,
    FutureEffectiveDateError,
    InvalidFieldError,
    PeriodSealedError,
)
from ledger.journals import check_day
from ledger.session import Answer, Session, Wants
from ledger.settings import Settings

__all__ = ["BATCH_MAX", "LEASE_SECONDS_MAX", "AnswerPayments", "CallPayments", "PaymentAnswer"]

BATCH_MAX: Final = 500
LEASE_SECONDS_MAX: Final = 3_600
_TEXT_MAX: Final = 128
#: Answers that may move money in the books, with the outcomes they lead through.
_BOOKED: Final = {
    "done": ("paid",),
    "refused": ("rejected",),
    "returned": ("paid", "returned"),
}
_MONEY: Final = ("paid", "rejected", "returned")
#: A longer answer is no answer to one order; its digest is kept, its text is not.
_ANSWER_BYTES_MAX: Final = 16_384


@dataclass(frozen=True, slots=True)
class CallPayments:
    """
    Take orders to call the bank for (role dispatcher): queued ones become sent.

    *orders* are (payment, rail). Those that may not be called now are told, not refused: another
    worker has them, they are held, or their bank account is paused. A call that has no answer after
    *lease_seconds* is in doubt.
    """

    by: str
    orders: Sequence[tuple[str, str]]
    worker: str
    lease_seconds: int
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        session.settings.require(self.by, "dispatcher", session.today)
        _check_size("orders", len(self.orders))
        _check_short("worker", self.worker, least=1)
        if not 1 <= self.lease_seconds <= LEASE_SECONDS_MAX:
            raise InvalidFieldError(
                "lease_seconds", f"is 1 to {LEASE_SECONDS_MAX}", self.lease_seconds
            )
        conn, government = session.conn, session.government
        rails = dict(self.orders)
        for rail in rails.values():
            _check_short("rail", rail, least=1)
        found = bulk.read_all(
            conn,
            [
                payment_store.ask_payments(government, rails),
                dispatch_store.ask_orders(government, rails),
                *dispatch_store.ask_calls(government, rails),
            ],
        )
        payments = payment_store.take_payments(found[0])
        orders = dispatch_store.take_orders(found[1])
        calls = dispatch_store.take_calls(*found[2:])
        paused = dispatch_store.paused_accounts(conn, government)
        batch = session.batch
        due_at = instant_text(
            datetime.fromisoformat(batch.recorded_at) + timedelta(seconds=self.lease_seconds)
        )
        rows: list[CallRow] = []
        first: list[StoredPayment] = []
        leaves: dict[str, int] = {}
        called: list[Answer] = []
        skipped: list[Answer] = []
        for reference, rail in rails.items():
            payment, order = payments.get(reference), orders.get(reference)
            before = calls.get(reference, [])
            why = _why_not(payment, order, before, paused, session.today)
            if why or payment is None:
                skipped.append({"payment": reference, "reason": why})
                continue
            n = len(before) + 1
            # One leaf a call: its index is a number that no other call has or will have.
            external_id = f"{session.today.replace('-', '')}{batch.next_index:012d}"
            leaf = batch.leaf(
                "payment.called",
                self.by,
                {
                    "payment": reference,
                    "call": n,
                    "external_id": external_id,
                    "rail": rail,
                    "worker": self.worker,
                    "due_at": due_at,
                    "n": payment.state_n + 1,
                    "from": payment.state,
                    "to": "sent" if n == 1 else "",
                    "on_day": session.today,
                    "evidence_sha256": "",
                    "reason": "",
                    "journal": None,
                },
            )
            leaves[reference] = leaf
            rows.append(CallRow(reference, n, external_id, rail, self.worker, due_at, leaf))
            if n == 1:
                first.append(payment)
            called.append({"payment": reference, "call": n, "external_id": external_id})
        dispatch_store.add_calls(session, rows)
        payment_store.step_all(session, first, "sent", by=self.by, leaf_index=leaves)
        dispatch_store.schedule_all(session.ahead, government, dict.fromkeys(leaves, due_at))
        return {
            "called": called,
            "skipped": skipped,
            "replayed": not called,  # an act only where the bank is to be called
            "due_at": due_at,
            "batch": batch.seq,
            "recorded_at": batch.recorded_at,
        }


def _why_not(
    payment: StoredPayment | None,
    order: dispatch_store.Order | None,
    calls: Sequence[Call],
    paused: dict[str, tuple[int, bool]],
    today: str,
) -> str:
    """Why the bank may not be called for a payment now; empty where it may."""
    if payment is None or order is None:
        return "unknown"
    if order.channel == FILE:
        return "leaves_by_file"
    if order.held:
        return "held"
    if paused.get(payment.bank_account, (0, False))[1]:
        return "paused"
    if order.transfer_on > today:
        return "later"
    if not may_call(payment.state, [call.meanings for call in calls]):
        return f"called_before_{payment.state}" if calls else f"is_{payment.state}"
    return ""


@dataclass(frozen=True, slots=True)
class PaymentAnswer:
    """
    What a bank said of one payment, or that it said nothing.

    *source* is reply, silence, status, callback or statement; *evidence_sha256* the digest of what
    says so where *body* doesn't (a statement's file). *on_day* is the bank's day, where it tells one;
    it is booked on that day while its period is open, otherwise today. *next_seconds* is when to look
    again.
    """

    payment: str
    source: str
    meaning: str
    http_status: int = 0
    code: str = ""
    bank_reference: str = ""
    body: bytes = b""
    evidence_sha256: str = ""
    on_day: str = ""
    next_seconds: int = 0


@dataclass(frozen=True, slots=True)
class AnswerPayments:
    """
    Record what came of calls (role dispatcher).

    An answer that says nothing new is let go: banks tell things twice. One that disagrees with what
    is settled is kept and changes nothing; a person finds it among what waits for people.
    """

    by: str
    answers: Sequence[PaymentAnswer]
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """The references under which outcomes may be booked."""
        return Wants(
            references=tuple(
                f"{each.payment}/{state}"
                for each in self.answers
                for state in _BOOKED.get(each.meaning, ())
            )
        )

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        session.settings.require(self.by, "dispatcher", session.today)
        _check_size("answers", len(self.answers))
        for each in self.answers:
            _check_answer(each, session.today)
        references = [each.payment for each in self.answers]
        conn, government = session.conn, session.government
        found = bulk.read_all(
            conn,
            [
                payment_store.ask_payments(government, references),
                *dispatch_store.ask_calls(government, references),
            ],
        )
        payments = payment_store.take_payments(found[0])
        calls = dispatch_store.take_calls(*found[1:])
        orders = _read_orders(session, self.answers, payments)
        recording = _Recording(session, self.by, payments, calls, orders)
        outcomes = [recording.record(each) for each in self.answers]
        recording.write()
        return {
            "recorded": outcomes,
            # Nothing new is no act: alone in its transaction it uses no batch number up.
            "replayed": not any(each["recorded"] for each in outcomes),
            "batch": session.batch.seq,
            "recorded_at": session.batch.recorded_at,
        }


def _read_orders(
    session: Session, answers: Sequence[PaymentAnswer], payments: dict[str, StoredPayment]
) -> Orders:
    """What recording needs of the orders, for all answers at once."""
    known = [payments[each.payment] for each in answers if each.payment in payments]
    paid = {each.payment for each in answers if "paid" in _BOOKED.get(each.meaning, ())}
    orders = read_orders(
        session, known, [each for each in known if each.id in paid and books_part(each)]
    )
    session.position.load_lines(
        {line.budget_line for part in orders.parts.values() for line in part.lines}
    )
    return orders


class _Step(NamedTuple):
    """A step that an answer leads to: the payment as it stood before."""

    payment: StoredPayment
    target: str
    leaf: int
    on_day: str
    evidence: str
    journal: int | None


class _Recording:
    """The answers of one act, in order; what is decided is written together at the end."""

    def __init__(
        self,
        session: Session,
        by: str,
        payments: dict[str, StoredPayment],
        calls: dict[str, list[Call]],
        orders: Orders,
    ) -> None:
        self._session = session
        self._by = by
        self._payments = payments
        self._calls = calls
        self._orders = orders
        self._rows: list[AnswerRow] = []
        #: In rounds: the first step of each payment, then the second ones.
        self._steps: list[list[_Step]] = []
        self._taken: dict[str, int] = {}
        self._next_at: dict[str, str] = {}

    def record(self, answer: PaymentAnswer) -> Answer:
        """Decide what one answer does. Raises NoCallError and what booking refuses."""
        calls = self._calls.get(answer.payment)
        if not calls:
            raise NoCallError(payment=answer.payment[:40])
        payment = self._payments[answer.payment]
        steps = steps_of(payment.state, answer.meaning)
        is_first = not calls[-1].meanings
        news = (
            bool(steps)
            or is_first
            or contradicts(
                payment.state, answer.meaning, [said for call in calls for said in call.meanings]
            )
        )
        if answer.meaning == "retry" and not is_first:
            # The call was answered otherwise before: "send it again" comes too late to be followed.
            news = False
        if news:
            answer_c = self._answer_c(answer)
            for target in steps[:-1]:  # paid, before it came back
                self._add(answer, "done", target, answer_c)
            self._add(answer, answer.meaning, steps[-1] if steps else "", answer_c)
        at = datetime.fromisoformat(self._session.batch.recorded_at)
        self._next_at[payment.id] = instant_text(at + timedelta(seconds=answer.next_seconds))
        return {
            "payment": payment.id,
            "state": self._payments[payment.id].state,
            "recorded": news,
        }

    def write(self) -> None:
        """Everything that was decided."""
        session = self._session
        dispatch_store.add_answers(session, self._rows)
        for steps in self._steps:
            for target, day in dict.fromkeys((step.target, step.on_day) for step in steps):
                some = {s.payment.id: s for s in steps if (s.target, s.on_day) == (target, day)}
                payment_store.step_all(
                    session,
                    [step.payment for step in some.values()],
                    target,
                    by=self._by,
                    leaf_index={name: step.leaf for name, step in some.items()},
                    on_day=day,
                    evidence_sha256={name: step.evidence for name, step in some.items()},
                    journals={n: s.journal for n, s in some.items() if s.journal is not None},
                )
        dispatch_store.schedule_all(session.ahead, session.government, self._next_at)

    def _add(self, answer: PaymentAnswer, meaning: str, target: str, answer_c: str) -> None:
        """One answer with its step, its journal and its leaf."""
        session, payment = self._session, self._payments[answer.payment]
        call = self._calls[payment.id][-1]
        n = 1 + sum(len(each.meanings) for each in self._calls[payment.id])
        evidence = answer.evidence_sha256 or (
            sha256(answer.body).hexdigest() if answer.body else ""
        )
        on_day = self._open_day(answer)
        journal = (
            OutcomeBooking(
                session,
                payment,
                self._orders.documents[payment.document_id],
                target,
                self._by,
                on_day,
                self._orders.parts.get(payment.id),
            ).book()
            if target in _MONEY
            else None
        )
        leaf = session.batch.leaf(
            "payment.answered",
            self._by,
            {
                "payment": payment.id,
                "answer": n,
                "call": call.n,
                "source": answer.source,
                "meaning": meaning,
                "http_status": answer.http_status,
                "code": answer.code,
                "bank_reference": answer.bank_reference,
                "answer_text": answer_c,
                "n": payment.state_n + 1,
                "from": payment.state,
                "to": target,
                "on_day": on_day,
                "evidence_sha256": evidence,
                "reason": "",
                "journal": journal,
            },
        )
        self._rows.append(
            AnswerRow(
                payment.id,
                n,
                call.n,
                answer.source,
                meaning,
                answer.http_status,
                answer.code,
                answer.bank_reference,
                answer_c,
                evidence,
                leaf,
            )
        )
        self._calls[payment.id][-1] = call._replace(meanings=(*call.meanings, meaning))
        if target:
            at = self._taken.get(payment.id, 0)
            self._taken[payment.id] = at + 1
            if at == len(self._steps):
                self._steps.append([])
            self._steps[at].append(_Step(payment, target, leaf, on_day, evidence, journal))
            self._payments[payment.id] = payment._replace(state=target, state_n=payment.state_n + 1)

    def _answer_c(self, answer: PaymentAnswer) -> str:
        """The text received is personal: it names people and accounts."""
        if not answer.body or len(answer.body) > _ANSWER_BYTES_MAX:
            return ""
        text = answer.body.decode("utf-8", "backslashreplace")
        return self._session.private(
            "bank_answer", text, subject=self._orders.subjects[answer.payment]
        )

    def _open_day(self, answer: PaymentAnswer) -> str:
        """The bank's day while its period is open, else today."""
        settings, day = self._session.settings, answer.on_day
        if not day:
            return self._session.today
        try:
            settings.check_open(int(day[:4]), int(day[5:7]))
        except (FiscalYearNotOpenError, PeriodSealedError):
            return self._session.today
        return day


def _check_answer(answer: PaymentAnswer, today: str) -> None:
    if answer.on_day:
        check_day("on_day", answer.on_day)
        if answer.on_day > today:
            raise FutureEffectiveDateError(effective_on=answer.on_day, today=today)
    if answer.source not in SOURCES:
        raise InvalidFieldError("source", f"is one of {', '.join(SOURCES)}", answer.source[:40])
    if answer.meaning not in MEANINGS:
        raise InvalidFieldError("meaning", f"is one of {', '.join(MEANINGS)}", answer.meaning[:40])
    if answer.evidence_sha256:
        check_sha256("evidence_sha256", answer.evidence_sha256)
    _check_short("code", answer.code)
    _check_short("bank_reference", answer.bank_reference)
    if not 0 <= answer.next_seconds <= 7 * 86_400:
        raise InvalidFieldError("next_seconds", "is 0 to 604800", answer.next_seconds)


def _check_short(name: str, value: str, *, least: int = 0) -> None:
    if not least <= len(value) <= _TEXT_MAX or not value.isprintable():
        raise InvalidFieldError(name, f"is {least} to {_TEXT_MAX} printable characters", value[:40])


def _check_size(name: str, size: int) -> None:
    if not 1 <= size <= BATCH_MAX:
        raise InvalidFieldError(name, f"are 1 to {BATCH_MAX}", size)
