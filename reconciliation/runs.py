"""
One run of the reconciliation of one account: the command `Reconcile`.

Shell. A run takes in the journals since the last one, decides stage by stage, writes its matches,
and states the proof. A second run over the same books adds nothing: within a stage no decision makes
another one possible, and what a stage could not tell apart no later stage decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final

from sqlalchemy import func, select

from audit import bulk
from audit.canonical import canonical_fast
from ledger.answers import Idempotency
from ledger.errors import FutureEffectiveDateError, UnknownBankAccountError
from ledger.journals import check_day
from ledger.money import sen_text
from ledger.session import Answer, Session, Wants
from ledger.settings import Settings
from reconciliation import tables as t
from reconciliation.decisions import (
    Decision,
    Undone,
    matches_sha256,
    read_undone,
    write_decisions,
)
from reconciliation.entries import Filled, fill_entries
from reconciliation.exceptions import cut_of, last_closing_on, prove
from reconciliation.keys import SEVERAL
from reconciliation.netting import NETTED, net_groups
from reconciliation.position import Proof
from reconciliation.queries import MatchRow, match_rows, suggestion_rows
from reconciliation.stages import (
    EXACT_STAGES,
    REVERSAL,
    RULE_VERSION,
    Ambiguous,
    Pair,
    exact_pairs,
    prefix_pairs,
    reversal_pairs,
    same_amounts,
)

__all__ = ["Outcome", "Reconcile"]

_RUN: Final = tuple(t.reconciliation_run.c.keys())
_DETAILS: Final = ("day", "pay_key", "doc_key")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run found: the proof, its stages with their counts, and the rows of the matches file."""

    run: int
    proof: Proof
    stages: dict[str, int]
    suggested: int
    matches: Sequence[MatchRow]


@dataclass(slots=True)
class Reconcile:
    """
    Reconcile one account (role `reconciler`) with everything dated through a day.

    through: default is the last day that the bank has reported. dry_run: decide everything, keep
    nothing. with_matches: read the rows of the matches file into `outcome`, which holds what is too
    long for an answer.
    """

    by: str
    bank_account: str
    through: str = ""
    dry_run: bool = False
    with_matches: bool = False
    idempotency: Idempotency | None = None
    outcome: Outcome | None = field(default=None, repr=False)

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing of the books."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """
        Raises:
            UnknownPersonError, NotGrantedError, UnknownBankAccountError, InvalidFieldError,
            FutureEffectiveDateError, NoStatementError
        """
        session.settings.require(self.by, "reconciler", session.today)
        if self.bank_account not in session.settings.bank_accounts:
            raise UnknownBankAccountError(bank_account=self.bank_account[:80])
        through = self.through or last_closing_on(
            session.conn, session.government, self.bank_account
        )
        if through:
            check_day("through", through)
        if through > session.today:
            raise FutureEffectiveDateError(effective_on=through, today=session.today)
        cut = cut_of(session.conn, session.government, self.bank_account, through)
        with session.conn.begin_nested() as savepoint:
            run = _Run(session, self, through, cut.statement, cut.closing_on)
            answer = run.go()
            if self.dry_run:
                savepoint.rollback()
        self.outcome = run.outcome
        return answer


class _Run:
    """The steps of one run. Lives for one command."""

    def __init__(
        self, session: Session, command: Reconcile, through: str, statement: int, reported: str
    ) -> None:
        self.session, self.command = session, command
        self.through, self.statement, self.reported = through, statement, reported
        self.account = command.bank_account
        self.outcome: Outcome | None = None

    def go(self) -> Answer:
        """Take in, decide, write, prove."""
        session, conn, government = self.session, self.session.conn, self.session.government
        filled = fill_entries(session, self.account)
        run_id = self._next_id()
        leaf_index = session.batch.next_index
        undone = read_undone(session, self.account)
        amounts = same_amounts(conn, government, self.account)
        ambiguous = Ambiguous()
        counts: dict[str, int] = {}
        written: list[tuple[bulk.Row, list[bulk.Row]]] = []

        def write(stage: str, decisions: Sequence[Decision]) -> None:
            counts[stage] = len(decisions)
            written.extend(
                write_decisions(
                    session,
                    self.account,
                    decisions,
                    run_id=run_id,
                    rule_version=RULE_VERSION,
                    leaf_index=leaf_index,
                    undone=undone,
                )
            )

        # First, because it knows what the exact stages can only call ambiguous.
        write(NETTED, self._netted(undone))
        for stage in EXACT_STAGES:
            pairs = exact_pairs(conn, government, self.account, stage, ambiguous)
            write(stage.name, self._decisions(stage.name, pairs, undone, amounts))
        write(REVERSAL, self._reversals(ambiguous, undone))
        suggested = prefix_pairs(conn, government, self.account, ambiguous)
        proof = prove(
            conn,
            government,
            self.account,
            self.through,
            looked_through=filled.journal_through,
        )
        self._keep_outcome(run_id, proof, counts, suggested)
        row = self._row(run_id, filled, written, counts, len(suggested), proof)
        if not self.command.dry_run:
            self._record(row, leaf_index)
        return self._answer(row, counts, proof)

    def _next_id(self) -> int:
        run = t.reconciliation_run.c
        last = self.session.conn.execute(
            select(func.max(run.id)).where(run.government == self.session.government)
        ).scalar()
        return int(last or 0) + 1

    def _decisions(
        self, stage: str, pairs: Sequence[Pair], undone: Undone, amounts: dict[int, int]
    ) -> list[Decision]:
        """Pairs that may be decided: dated inside, not taken apart before, nothing against them."""
        lines = self._details(t.bank_line, "booked_on", [pair.line for pair in pairs])
        entries = self._details(t.book_entry, "effective_on", [pair.entry for pair in pairs])
        decisions = []
        for pair in pairs:
            line, entry = lines[pair.line], entries[pair.entry]
            if (
                max(line[0], entry[0]) > self.through
                or undone.holds(("bank", pair.line), ("book", pair.entry))
                or _differ(line[1], entry[1])
                or _differ(line[2], entry[2])
            ):
                continue
            decisions.append(
                Decision(
                    stage=stage,
                    status="auto",
                    members=(
                        ("bank", pair.line, pair.amount_sen),
                        ("book", pair.entry, pair.amount_sen),
                    ),
                    evidence={
                        "amount": sen_text(pair.amount_sen),
                        "bank_on": line[0],
                        "book_on": entry[0],
                        "key": pair.key,
                    },
                    runner_up=amounts.get(pair.amount_sen, 1) - 1,
                )
            )
        return decisions

    def _details(
        self, table: object, day: str, ids: Iterable[int]
    ) -> dict[int, tuple[str, str, str]]:
        found = bulk.read_rows(
            self.session.conn,
            table,  # type: ignore[arg-type]  # one of our two tables
            ("government", "id"),
            (day, *_DETAILS[1:]),
            [(self.session.government, item) for item in ids],
        )
        return {int(str(row[1])): (str(row[2]), str(row[3]), str(row[4])) for row in found}

    def _reversals(self, ambiguous: Ambiguous, undone: Undone) -> list[Decision]:
        """
        Entries that were taken back in the books, once the bank has reported both days.

        Before that the bank may still execute the original, and its line would find it gone.
        """
        pairs = reversal_pairs(
            self.session.conn,
            self.session.government,
            self.account,
            min(self.through, self.reported),
        )
        return [
            Decision(
                stage=REVERSAL,
                status="auto",
                members=(
                    ("book", pair.original, pair.amount_sen),
                    ("book", pair.reversal, -pair.amount_sen),
                ),
                evidence={
                    "amount": sen_text(pair.amount_sen),
                    "book_on": pair.original_on,
                    "reversed_on": pair.reversal_on,
                    "reverses": pair.journal_id,
                },
                runner_up=0,
            )
            for pair in pairs
            if pair.original not in ambiguous.entries
            and pair.reversal not in ambiguous.entries
            and not undone.holds(("book", pair.original), ("book", pair.reversal))
        ]

    def _netted(self, undone: Undone) -> list[Decision]:
        """Payments that the bank booked more than once or gave back, each with all that names it."""
        groups = net_groups(
            self.session.conn,
            self.session.government,
            self.account,
            min(self.through, self.reported),
        )
        decisions = []
        for group in groups:
            taken = group.open_items()
            if any(
                undone.holds((a.side, a.item), (b.side, b.item)) for a, b in combinations(taken, 2)
            ):
                continue
            days = [each.day for each in taken if each.side == "bank"]
            decisions.append(
                Decision(
                    stage=NETTED,
                    status="auto",
                    members=tuple((each.side, each.item, each.amount_sen) for each in taken),
                    evidence={
                        "amount": sen_text(group.amount_sen),
                        "bank_from": min(days),
                        "bank_on": max(days),
                        "key": group.key,
                        "state": group.state,
                    },
                    runner_up=0,
                )
            )
        return decisions

    def _keep_outcome(
        self, run_id: int, proof: Proof, counts: dict[str, int], suggested: Sequence[Pair]
    ) -> None:
        matches: list[MatchRow] = []
        if self.command.with_matches:
            conn, government = self.session.conn, self.session.government
            matches = list(match_rows(conn, government, self.account, through=self.through))
            matches += suggestion_rows(conn, government, suggested)
        self.outcome = Outcome(run_id, proof, dict(counts), len(suggested), matches)

    def _row(
        self,
        run_id: int,
        filled: Filled,
        written: Sequence[tuple[bulk.Row, list[bulk.Row]]],
        counts: dict[str, int],
        suggested: int,
        proof: Proof,
    ) -> dict[str, bulk.Value]:
        return {
            "id": run_id,
            "bank_account": self.account,
            "through": self.through,
            "rule_version": RULE_VERSION,
            "statement_id": self.statement,
            "journal_through": filled.journal_through,
            "entry_count": filled.entries,
            "entries_sha256": filled.sha256,
            "match_count": len(written),
            "matches_sha256": matches_sha256(written),
            "stage_counts": canonical_fast(counts).decode(),
            "suggested_count": suggested,
            "open_lines": len(proof.of_side("bank")),
            "open_entries": len(proof.of_side("book")),
            "closing_sen": proof.bank_sen,
            "book_sen": proof.book_sen,
            "difference_sen": proof.difference_sen,
        }

    def _record(self, row: dict[str, bulk.Value], leaf_index: int) -> None:
        session, by = self.session, self.command.by
        data = {
            name: sen_text(value) if name.endswith("_sen") and isinstance(value, int) else value
            for name, value in row.items()
        }
        index = session.batch.leaf("reconciliation.run", by, data)
        if index != leaf_index:
            raise RuntimeError("a leaf came between a run and its matches")
        values = {**row, "run_by": by, "batch_seq": session.batch.seq, "leaf_index": index}
        bulk.insert_rows(
            session.conn, t.reconciliation_run, _RUN, [(session.government, *values.values())]
        )

    def _answer(self, row: dict[str, bulk.Value], counts: dict[str, int], proof: Proof) -> Answer:
        return {
            "run": 0 if self.command.dry_run else int(str(row["id"])),
            "dry_run": self.command.dry_run,
            "bank_account": self.account,
            "through": self.through,
            "rule_version": RULE_VERSION,
            "entries": int(str(row["entry_count"])),
            "matched": int(str(row["match_count"])),
            "stages": dict(counts),
            "suggested": int(str(row["suggested_count"])),
            "open_lines": int(str(row["open_lines"])),
            "open_entries": int(str(row["open_entries"])),
            "closing_on": proof.closing_on,
            "bank_closing": sen_text(proof.bank_sen),
            "book_balance": sen_text(proof.book_sen),
            "adjusted_bank": sen_text(proof.adjusted_bank_sen),
            "adjusted_book": sen_text(proof.adjusted_book_sen),
            "difference": sen_text(proof.difference_sen),
        }


def _differ(first: str, second: str) -> bool:
    """Whether two items name different documents. Several on one side name no single one."""
    if SEVERAL in (first, second):
        return bool(first and second)
    return bool(first and second and first != second)
