"""
What an act of two persons is: something one person proposes and another confirms.

An act is a frozen value. As it is asked for it may hold personal texts; `keep` puts these away and
gives the act over commitments, which is what the proposal stores, what both leaves say and what the
second person confirms. `check` decides against the books as they stand, at both halves; `perform`
writes the act's own leaf and rows. The commands that drive this stand in `ledger.proposals`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final, NamedTuple, Protocol, Self

import msgspec
from sqlalchemy import select

from audit import bulk
from audit.canonical import JsonInput
from audit.database import private_value
from ledger import tables as t
from ledger.errors import InvalidFieldError, LedgerError
from ledger.session import Answer, Session

__all__ = [
    "ADMINISTRATORS",
    "Act",
    "Ask",
    "Content",
    "Done",
    "Hands",
    "TextErasedError",
    "act_leaf",
    "insert_row",
    "must_match",
    "texts_of",
]

#: The members of a proposal: text, small integers, lists; texts of persons as commitments.
Content = dict[str, JsonInput]

ADMINISTRATORS: Final = frozenset({"admin"})


class TextErasedError(LedgerError):
    """A personal text that the act needs was erased since it was proposed."""

    def __init__(self, *, field: str) -> None:
        super().__init__(f"{field} was erased since it was proposed; propose anew", field=field)


class Hands(NamedTuple):
    """Who proposed and who confirms (empty while proposing)."""

    proposal: str
    proposed_by: str
    confirmed_by: str = ""


class Done(NamedTuple):
    """The index of an act's own leaf, and what its caller learns."""

    leaf_index: int
    answer: Answer


class Act(ABC):
    """
    Base of the acts, each a frozen dataclass whose fields are its content.

    act: its name in proposals. first, second: roles of which the proposing and the confirming
    person hold one. of_operator: the operator's commands may do both halves in the names of two
    administrators.
    """

    __slots__ = ()

    act: ClassVar[str] = ""
    first: ClassVar[frozenset[str]] = ADMINISTRATORS
    second: ClassVar[frozenset[str]] = ADMINISTRATORS
    of_operator: ClassVar[bool] = True

    @classmethod
    def of(cls, content: Mapping[str, JsonInput]) -> Self:
        """The act that a proposal's content describes. Raises msgspec.ValidationError."""
        return msgspec.convert(content, cls)

    def content(self) -> Content:
        """Its fields, as they are stored and hashed."""
        fields: Content = msgspec.to_builtins(self)
        return fields

    def may_propose(self, person: str) -> bool:  # noqa: ARG002  # for those that override it
        """Whether *person* may propose it without a role of `first`."""
        return False

    def keep(self, session: Session, hands: Hands) -> Act:  # noqa: ARG002  # as above
        """Check the form and put personal texts away. Raises InvalidFieldError."""
        return self

    @abstractmethod
    def check(self, session: Session, hands: Hands) -> None:
        """Refuse what the books as they stand make impossible. Raises LedgerError."""

    @abstractmethod
    def perform(self, session: Session, hands: Hands) -> Done:
        """Write leaf and rows. May raise LedgerError before its first row, never after."""


class Ask(Protocol):
    """What a caller asks for: an act, or a request that becomes one."""

    @property
    def act(self) -> str:
        """The act's name."""

    @property
    def first(self) -> frozenset[str]:
        """Roles that may propose."""

    @property
    def second(self) -> frozenset[str]:
        """Roles that may confirm."""

    @property
    def of_operator(self) -> bool:
        """Whether the operator may do both halves."""

    def may_propose(self, person: str) -> bool:
        """Whether *person* may propose it without a role."""

    def keep(self, session: Session, hands: Hands) -> Act:
        """The act over commitments."""


def act_leaf(
    session: Session, kind: str, content: Mapping[str, JsonInput], hands: Hands, **more: JsonInput
) -> int:
    """Append an act's own leaf, done by the second person: content, proposal and both hands."""
    data: Content = {
        **content,
        **more,
        "proposal": hands.proposal,
        "proposed_by": hands.proposed_by,
        "confirmed_by": hands.confirmed_by,
    }
    return session.batch.leaf(kind, hands.confirmed_by, data)


def insert_row(session: Session, table_name: str, /, **values: bulk.Value) -> None:
    """Insert one row of the government into a table of `ledger.tables`."""
    table = getattr(t, table_name)
    bulk.insert_rows(
        session.conn,
        table,
        ("government", *values),
        [(session.government, *values.values())],
    )


def texts_of(session: Session, commitments: Iterable[str]) -> dict[str, str]:
    """The personal texts behind these commitments, as far as they were not erased."""
    wanted = dict.fromkeys(c for c in commitments if c)
    texts = {
        str(row[1]): str(row[5]) for row in session.batch.pending_private() if row[1] in wanted
    }
    column = private_value.c
    missing = [c for c in wanted if c not in texts]
    if missing:
        rows = session.conn.execute(
            select(column.commitment, column.value).where(
                column.government == session.government, column.commitment.in_(missing)
            )
        )
        texts.update({row.commitment: row.value for row in rows})
    return texts


def must_match(field: str, value: str, pattern: Any, rule: str) -> None:
    """Raises InvalidFieldError when *value* is not wholly what the compiled *pattern* says."""
    if pattern.fullmatch(value) is None:
        raise InvalidFieldError(field, rule, ascii(value)[:120])
