"""A sample file to a proposed layout: what was understood, what proves it, and what stays open.

Nothing is guessed: where the sample can be read in two ways, or a word is not known, the proposal
holds a question, and its text leaves the key out, so that it is no layout until a person has decided.
"""

from __future__ import annotations

from dataclasses import dataclass

from bank_adapters.errors import BankAdapterError
from bank_adapters.statements.profile import Profile, check_name, parse_profile
from bank_adapters.statements.profile_text import Draft, profile_toml
from bank_adapters.statements.registry import read_statement_file
from bank_adapters.statements.sample_layout import Column, Understanding
from bank_adapters.statements.sample_table import read_sample
from bank_adapters.statements.statement import StatementFile

__all__ = ["Column", "Proposal", "proof_of", "propose"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a sample says. `profile` and `file` are None while a question keeps it from being read.

    `text` is the TOML, with the open keys as comments; `proof` is a sentence, "" where none.
    """

    name: str
    where: str
    header_position: int
    columns: tuple[Column, ...]
    understood: tuple[str, ...]
    questions: tuple[str, ...]
    text: str
    profile: Profile | None
    file: StatementFile | None
    proof: str


def propose(data: bytes, name: str, *, bank: str = "") -> Proposal:
    """Propose the layout *name* from a sample.

    Raises UnreadableSampleError, InvalidProfileError for *name*, and what readers of files raise.
    """
    check_name(name)
    table = read_sample(data)
    work = Understanding(table, Draft(name=name, bank=bank, delimiter=table.delimiter))
    work.columns()
    work.labels()
    work.dates()
    work.numbers()
    work.signs()
    text = profile_toml(work.draft)
    questions = list(work.questions)
    profile: Profile | None = None
    file: StatementFile | None = None
    proof = ""
    if not questions:
        profile = parse_profile(text)
        try:
            file = read_statement_file(data, profile=profile)
        except BankAdapterError as refused:
            questions.append(f"read by all this, the sample is refused: {refused}")
        else:
            proof = proof_of(file)
            questions += _doubts(file)
    return Proposal(
        name=name,
        where=table.where,
        header_position=table.header.position,
        columns=tuple(work.shown_columns()),
        understood=tuple(work.understood),
        questions=tuple(questions),
        text=text,
        profile=profile,
        file=file,
        proof=proof,
    )


def proof_of(file: StatementFile) -> str:
    """What proves that a file was read rightly and whole, as a sentence; "" where nothing does."""
    proofs = []
    for statement in file.statements:
        if not statement.adds_up:
            return ""
        booked = [line for line in statement.lines if line.status == "booked"]
        with_balance = sum(line.balance_after_units is not None for line in booked)
        if booked and with_balance == len(booked):
            proofs.append(f"the chain of balances: {len(booked)} rows, each from the one before")
        else:
            proofs.append(f"opening + {len(booked)} rows = closing")
    return "; ".join(proofs)


def _doubts(file: StatementFile) -> list[str]:
    """Figures of the sample that contradict the reading."""
    if all(statement.adds_up is not False for statement in file.statements):
        return []
    found = [
        f"line {each.position}: {each.message}"
        for each in file.warnings
        if each.code.endswith(("_differ", "_differs", "_broken", "_add_up"))
    ]
    more = f", and {len(found) - 3} more" if len(found) > 3 else ""
    return [f"read by all this, figures of the sample differ: {'; '.join(found[:3])}{more}"]
