"""
Take in a bank's file: the command `ImportStatement`.

Shell. The file is read before the command is queued (`read_import`), so that no lock is held while a
bank's file is parsed. An end-of-day statement is decided against the account's chain and writes its
lines; an intraday report or an advice is a delivery of provisional lines (`reconciliation.interim`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from audit.canonical import JsonInput
from bank_adapters.statements import Profile, Statement, StatementFile, read_statement_file
from ledger.answers import Idempotency
from ledger.errors import UnknownBankAccountError
from ledger.money import sen_text
from ledger.session import Answer, Session, Wants
from ledger.settings import Settings
from reconciliation import tables as t
from reconciliation.admission import admit, check_form, content_of, first_day
from reconciliation.errors import AwaitingDecisionError, NotKeptAsideError, StatementRefusedError
from reconciliation.interim import delivered_again, held_deliveries, take_delivery
from reconciliation.keys import LineKeys
from reconciliation.known import chain_end, known_tail
from reconciliation.lasting import back_dated
from reconciliation.recording import Placing, Source, booked, keys_of, write_statement

__all__ = ["ImportStatement", "read_import"]


@dataclass(slots=True)
class ImportStatement:
    """
    One file for one bank account (role `reconciler`). Made by `read_import`.

    A file that was taken in already changes nothing and is answered as a replay. With *quarantine* a
    statement that is refused is kept aside with its rule, and nothing of it reaches the account. With
    *reissue* every statement is kept aside, for two persons to decide whether it supersedes another
    (`reconciliation.reissues`).
    """

    by: str
    bank_account: str
    data: bytes = field(repr=False)
    file: StatementFile = field(repr=False)
    keys: Sequence[Sequence[LineKeys]] = field(repr=False)
    name: str = ""
    quarantine: bool = False
    reissue: bool = False
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing of the books."""
        return Wants()

    @property
    def source(self) -> Source:
        """The file and whose it is."""
        return Source(self.by, self.bank_account, self.data, self.file, self.name)

    def apply(self, session: Session) -> Answer:
        """
        Admit every statement of the file, or refuse the file.

        Raises:
            UnknownPersonError, NotGrantedError, UnknownBankAccountError, StatementRefusedError,
            NotKeptAsideError
        """
        session.settings.require(self.by, "reconciler", session.today)
        if self.bank_account not in session.settings.bank_accounts:
            raise UnknownBankAccountError(bank_account=self.bank_account[:80])
        sha256 = self.file.file_sha256
        held = _held(session, sha256, self.bank_account)
        held |= held_deliveries(session, sha256, self.bank_account)
        answers: list[dict[str, JsonInput]] = []
        # A refusal in the middle of a file takes back what stood before it.
        with session.conn.begin_nested():
            for ordinal, statement in enumerate(self.file.statements, start=1):
                known = held.get(ordinal)
                if known is None or known["status"] == "quarantined":
                    answers.append(_take(session, self, ordinal, statement, known))
                elif self.reissue:
                    raise NotKeptAsideError(statement=int(str(known.get("statement", 0))))
                else:
                    again = delivered_again(session, self.bank_account, statement)
                    answers.append({**known, **again, "replayed": True})
        fresh = [answer for answer in answers if "replayed" not in answer]
        return {
            "file_sha256": sha256,
            "format": self.file.format,
            "bank_account": self.bank_account,
            "statements": list(answers),
            "new": sum(int(str(a["new"])) for a in fresh if "statement" in a),
            "provisional": sum(int(str(a["new"])) for a in fresh if "delivery" in a),
            "replayed": not fresh,
        }


def read_import(
    by: str,
    bank_account: str,
    data: bytes,
    *,
    format: str | None = None,
    profile: str | Profile | None = None,
    name: str = "",
    quarantine: bool = False,
    reissue: bool = False,
    idempotency: Idempotency | None = None,
) -> ImportStatement:
    """
    Read a file for the account `BANKCODE:NO`, without a database.

    Raises BankAdapterError for a file that cannot be read without guessing.
    """
    file = read_statement_file(
        data,
        format=format,
        profile=profile,
        name=name or None,
        account=bank_account.partition(":")[2] or None,
    )
    keys = [[keys_of(line) for line in booked(each)] for each in file.statements]
    return ImportStatement(
        by, bank_account, data, file, keys, name, quarantine, reissue, idempotency
    )


def _held(session: Session, sha256: str, bank_account: str) -> dict[int, dict[str, JsonInput]]:
    """What this file gave before, by ordinal. An admission outweighs a quarantine."""
    column = t.statement.c
    rows = session.conn.execute(
        select(t.statement)
        .where(
            column.government == session.government,
            column.file_sha256 == sha256,
            column.bank_account == bank_account,
        )
        .order_by(column.status.desc(), column.id)
    )
    return {row.ordinal: statement_answer(dict(row._mapping)) for row in rows}


def statement_answer(row: Mapping[str, Any]) -> dict[str, JsonInput]:
    """A statement as the import answers it."""
    return {
        "statement": row["id"],
        "ordinal": row["ordinal"],
        "statement_no": row["statement_no"],
        "kind": row["kind"],
        "status": row["status"],
        "rule": row["rule"],
        "opening": None if row["opening_sen"] is None else sen_text(row["opening_sen"]),
        "closing": None if row["closing_sen"] is None else sen_text(row["closing_sen"]),
        "closing_on": row["closing_on"],
        "new": row["new_count"],
        "confirmed": row["confirmed_count"],
        "skipped": row["skipped_count"],
        "leaf_index": row["leaf_index"],
    }


def _take(
    session: Session,
    command: ImportStatement,
    ordinal: int,
    statement: Statement,
    quarantined: dict[str, JsonInput] | None,
) -> dict[str, JsonInput]:
    """Admit one statement or delivery, or put it into quarantine, or refuse."""
    try:
        if command.reissue:
            _keep_for_decision(session, command, statement, quarantined)
        if statement.kind != "end_of_day":
            return take_delivery(session, command.source, ordinal, statement)
        return _admit(session, command, ordinal, statement)
    except StatementRefusedError as refusal:
        refusal.in_file(command.name, command.file.file_sha256, ordinal)
        is_kept = command.quarantine or isinstance(refusal, AwaitingDecisionError)
        if not is_kept:
            raise
        if quarantined is not None and (command.reissue or quarantined["rule"] == refusal.code):
            return {**quarantined, "replayed": True}
        placing = Placing("quarantined", refusal=refusal)
        row, _ = write_statement(session, command.source, ordinal, statement, placing, ())
        return statement_answer(row)


def _keep_for_decision(
    session: Session,
    command: ImportStatement,
    statement: Statement,
    quarantined: dict[str, JsonInput] | None,
) -> None:
    """Raises AwaitingDecisionError, or what is wrong with the statement by itself."""
    if quarantined is None:
        check_form(
            statement,
            bank_account=command.bank_account,
            others=session.settings.bank_accounts,
            today=session.today,
        )
    raise AwaitingDecisionError(position=statement.position)


def _admit(
    session: Session, command: ImportStatement, ordinal: int, statement: Statement
) -> dict[str, JsonInput]:
    """Raises StatementRefusedError."""
    bank_account = command.bank_account
    opening, closing = check_form(
        statement,
        bank_account=bank_account,
        others=session.settings.bank_accounts,
        today=session.today,
    )
    contents = [content_of(line) for line in booked(statement)]
    end = chain_end(session, bank_account)
    known = known_tail(session, bank_account, end, first_day(statement).isoformat(), opening.units)
    admission = admit(contents, opening=opening, closing=closing, end=end, known=known)
    placing = Placing("confirmed", new=admission.new, confirmed=admission.confirmed)
    if admission.extends:
        placing = Placing(
            "admitted",
            chain_n=end.chain_n + 1 if end else 1,
            previous_sen=end.closing_sen if end else opening.units,
            new=admission.new,
            confirmed=admission.confirmed,
        )
    row, provisional = write_statement(
        session, command.source, ordinal, statement, placing, command.keys[ordinal - 1]
    )
    lines = booked(statement)
    late = back_dated(
        contents,
        admission.new,
        closed_on=end.closing_on if end else "",
        closes_on=str(row["closing_on"]),
    )
    return {
        **statement_answer(row),
        "provisional_booked": provisional,
        "back_dated": [lines[place].position for place in late],
    }
