"""Shapes of requests and answers, as the OpenAPI document shows them."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

Amount = Annotated[
    str,
    Field(
        pattern=r"^-?(0|[1-9][0-9]{0,16})(\.[0-9]{2})?$",
        description='Rupiah as text with two decimals; "1250000.00"',
        examples=["1250000.00"],
    ),
]
#: What both databases keep in a column of integers.
INT_MAX: Final = 2**63 - 1
Id = Annotated[int, Path(ge=0, le=INT_MAX)]
Place = Annotated[int, Query(ge=0, le=INT_MAX)]
OptionalPlace = Annotated[int | None, Query(ge=0, le=INT_MAX)]
Int = Annotated[int, Field(ge=-INT_MAX, le=INT_MAX)]
Day = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        description="A date",
        examples=["2026-03-05"],
    ),
]


class Request(BaseModel):
    """Base of what callers send: no unknown members, no silent conversions."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class Answer(BaseModel):
    """Base of what callers get."""

    model_config = ConfigDict(frozen=True)


class Problem(BaseModel):
    """An error (RFC 9457). The offending values are further members, named by the code's page."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="`/problems/<code>`, a page that this server gives")
    title: str = Field(description="What the code means")
    status: int
    detail: str = Field(description="What is wrong with the values of this request")
    code: str = Field(description="Stable name of the error")
    correlation_id: str | None = Field(None, description="Names the request in the server's log")


class LineOut(Answer):
    """A line of a posted journal: `debit` or `credit`."""

    n: int
    entity: str
    book: str
    account: str
    debit: str | None = None
    credit: str | None = None
    bank_account: str = ""
    counterpart: str = ""
    fund_source: str = ""
    budget_line: str = ""
    payment_reference: str = ""


class JournalOut(Answer):
    """A posted journal. `description` and `payee_name` are null for whoever may not see them."""

    journal: int
    reference: str
    kind: str
    source: str
    fiscal_year: int
    period: int
    effective_on: str
    recorded_at: str
    document_id: str
    document_no: str
    batch_no: str
    reverses: int | None
    reversed_by: int | None
    maker: str
    poster: str
    batch: int
    leaf_index: int
    description: str | None = None
    payee_name: str | None = None
    lines: list[LineOut] | None = None


class JournalList(Answer):
    """A page of journals in the order they were posted."""

    journals: list[JournalOut]
    next: str | None = Field(description="Cursor of the next page; null at the end")


class JournalPosted(Answer):
    """A journal in the books. `replayed`: its reference was posted before with the same content."""

    journal: int
    reference: str
    batch: int
    leaf_index: int
    recorded_at: str | None
    replayed: bool


class BatchMember(Answer):
    """What became of one journal of a list."""

    status: int
    answer: JournalPosted | None = None
    problem: Problem | None = None


class BatchOut(Answer):
    """What became of each journal of a list, in its order."""

    results: list[BatchMember]


class BalanceOut(Answer):
    """A balance, debits positive."""

    account: str
    entity: str | None
    book: str
    bank_account: str | None
    counterpart: str | None
    fund_source: str | None
    on: str | None
    known_at_batch: int | None
    batch: int = Field(description="Last batch that the answer has seen")
    balance: str


class HistoryLineOut(Answer):
    """A line with the balance after it."""

    journal: int
    n: int
    batch: int
    effective_on: str
    reference: str
    kind: str
    document_no: str
    amount: str
    balance: str


class HistoryOut(Answer):
    """A page of an account's lines by effective date."""

    lines: list[HistoryLineOut]
    next: str | None


class TrialRowOut(Answer):
    """Movement and balance of one account in an entity and book."""

    entity: str
    book: str
    account: str
    debit: str
    credit: str
    balance: str


class TrialBalanceOut(Answer):
    """All accounts; debits equal credits in each entity and book."""

    start: str | None
    on: str | None
    batch: int
    rows: list[TrialRowOut]
