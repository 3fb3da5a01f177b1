"""
What an export of the log needs of the books: content that leaves name by hash, and the claims.

Implements `audit.export.Books`. Contents are given as the tables have them, under the hash that the
leaf names: where the two differ, the verifier says so. Claims are the balances and counters that the
system keeps; the verifier computes its own from the leaves and compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from sqlalchemy import Connection, Table, select

from audit.canonical import Json, JsonInput, canonical_fast
from ledger import tables as t
from ledger.budget import Entry
from ledger.journals import Line, line_form
from ledger.money import sen_text

__all__ = ["BookExport"]

_CHUNK: Final = 2_000

#: (name in `balances.jsonl`, table, key columns, amount columns)
_CLAIMS: Final[tuple[tuple[str, Table, tuple[str, ...], tuple[str, ...]], ...]] = (
    (
        "balance",
        t.account_balance,
        (
            "chart_version",
            "entity",
            "book",
            "account",
            "bank_account",
            "counterpart",
            "fund_source",
        ),
        ("balance", "committed", "floor"),
    ),
    (
        "day",
        t.account_day,
        (
            "entity",
            "book",
            "account",
            "bank_account",
            "counterpart",
            "fund_source",
            "fiscal_year",
            "period",
            "day",
        ),
        ("debit", "credit"),
    ),
    (
        "budget_line",
        t.budget_line,
        ("fiscal_year", "id", "bucket_id"),
        ("ceiling", "reserved", "spent", "allowance"),
    ),
    (
        "release",
        t.release_bucket,
        ("fiscal_year", "id"),
        ("released", "reserved", "spent", "allowance"),
    ),
    ("budget_day", t.budget_day, ("budget_line", "kind", "day"), ("spent",)),
)


class BookExport:
    """The books as an export gives them."""

    def has_attachments(self, kind: str, body: bytes) -> bool:
        """A journal names content only where its lines did not fit; the other kinds are few."""
        return kind in _CONTENTS and (kind != "journal.posted" or b'"lines_sha256"' in body)

    def attachments(
        self, conn: Connection, government: str, kind: str, data: Mapping[str, Json]
    ) -> Iterator[tuple[str, bytes]]:
        """(SHA-256 that the leaf names, content as stored)."""
        for member, read in _CONTENTS.get(kind, {}).items():
            name = data.get(member)
            if isinstance(name, str) and name:
                content = read(conn, government, data)
                if content is not None:
                    yield name, content

    def claims(self, conn: Connection, government: str) -> Iterator[dict[str, JsonInput]]:
        """One object a balance or counter, by table and key."""
        for name, table, key, amounts in _CLAIMS:
            columns = [table.c[c] for c in key] + [table.c[f"{c}_sen"] for c in amounts]
            rows = conn.execute(
                select(*columns)
                .where(table.c.government == government)
                .order_by(*columns[: len(key)]),
                execution_options={"yield_per": _CHUNK},
            )
            for row in rows:
                values = tuple(row)
                claim: dict[str, JsonInput] = {"t": name, **dict(zip(key, values, strict=False))}
                for amount, sen in zip(amounts, values[len(key) :], strict=True):
                    claim[amount] = sen_text(sen)
                yield claim


Content = Callable[[Connection, str, Mapping[str, Json]], bytes | None]


def _journal_lines(conn: Connection, government: str, data: Mapping[str, Json]) -> bytes | None:
    column = t.journal_line.c
    rows = conn.execute(
        select(
            column.entity,
            column.book,
            column.account,
            column.amount_sen,
            column.bank_account,
            column.counterpart,
            column.fund_source,
            column.budget_line,
            column.payment_reference,
        )
        .where(column.government == government, column.journal_id == data.get("journal"))
        .order_by(column.n)
    )
    return canonical_fast([line_form(Line(*row)) for row in rows])


def _chart_rows(conn: Connection, government: str, data: Mapping[str, Json]) -> bytes | None:
    column = t.account.c
    rows = conn.execute(
        select(
            column.code,
            column.name_id,
            column.name_en,
            column.level,
            column.normal_side,
            column.statement,
            column.source,
            column.valid_from,
            column.valid_to,
        )
        .where(column.government == government, column.chart_version == data.get("version"))
        .order_by(column.code)
    )
    return b"".join(canonical_fast([str(value) for value in row]) + b"\n" for row in rows)


def _document_content(conn: Connection, government: str, data: Mapping[str, Json]) -> bytes | None:
    content = conn.execute(
        select(t.document.c.content).where(
            t.document.c.government == government, t.document.c.id == data.get("document")
        )
    ).scalar()
    return None if content is None else bytes(content)


def _of_move(column: str) -> Content:
    def read(conn: Connection, government: str, data: Mapping[str, Json]) -> bytes | None:
        stored = conn.execute(
            select(t.document_move.c[column]).where(
                t.document_move.c.government == government,
                t.document_move.c.document_id == data.get("document"),
                t.document_move.c.n == data.get("n"),
            )
        ).scalar()
        return None if stored is None else bytes(stored)

    return read


def _proposed_content(conn: Connection, government: str, data: Mapping[str, Json]) -> bytes | None:
    content = conn.execute(
        select(t.proposal.c.content).where(
            t.proposal.c.government == government, t.proposal.c.id == data.get("proposal")
        )
    ).scalar()
    return None if content is None else bytes(content)


def _budget_entries(conn: Connection, government: str, data: Mapping[str, Json]) -> bytes | None:
    column = t.budget_load_entry.c
    rows = conn.execute(
        select(column.target, column.id, column.content, column.amount_sen)
        .where(column.government == government, column.load_n == data.get("load"))
        .order_by(column.target, column.id)
    )
    return b"".join(Entry(*row).form() + b"\n" for row in rows)


#: kind of leaf -> member that holds a SHA-256 -> how to read what it stands for
_CONTENTS: Final[dict[str, dict[str, Content]]] = {
    "journal.posted": {"lines_sha256": _journal_lines},
    "chart.loaded": {"sha256": _chart_rows},
    "proposal.made": {"content_sha256": _proposed_content},
    "budget.loaded": {"entries_sha256": _budget_entries},
    "document.moved": {
        "content_sha256": _document_content,
        "checks_sha256": _of_move("checks"),
        "envelope": _of_move("envelope"),
    },
}
