"""
Re-derive the book's settings, its people and their two-person acts from the log.

Every column of these tables follows from a leaf. What the leaves themselves must not say (one person
in both hands, roles that exclude each other) is looked for too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Text, select

from audit.canonical import canonical
from audit.database import checkpoint, log_shard, metadata
from audit.events import KINDS
from ledger import tables as t
from ledger.chart import load_chart
from ledger.disclosures_check import check_disclosures
from ledger.findings import Finding
from ledger.hands_check import check_grants, check_proposals, check_token_issuers
from ledger.money import sen_text
from ledger.opening import chart_sha256
from ledger.periods import frozen_digest, sums_of_period
from ledger.rederive import Leaf, Rederived, Row, compare, read_leaves
from ledger.row_check import check_rows
from ledger.tokens import token_digest

__all__ = ["REDERIVED", "check_people"]


def _sha256(value: bytes) -> str:
    return hashlib.sha256(bytes(value)).hexdigest()


def _how(name: str, *key: str, seen: Mapping[str, Callable[[Any], Any]] | None = None) -> Rederived:
    columns = dict.fromkeys(metadata.tables[name].c.keys())
    if name == "government":
        return Rederived(name, key, tuple(columns), owner="code")
    del columns["government"]
    return Rederived(name, key, tuple(columns), seen or {})


#: The tables that follow from leaves row by row.
REDERIVED: Final[dict[str, Rederived]] = {
    how.table: how
    for how in (
        _how("government", "code"),
        _how("chart", "version"),
        _how("entity", "code"),
        _how("bank_account", "id"),
        _how("fiscal_year", "year"),
        _how("policy", "name", "valid_from", "value"),
        _how("period_seal", "fiscal_year", "period"),
        _how("person", "id"),
        _how("grant_given", "id"),
        _how("grant_end", "grant_id"),
        _how("officer_key", "key_id"),
        _how("officer_key_end", "key_id"),
        _how("token", "id", seen={"token_sha256": token_digest}),
        _how("token_end", "token_id"),
        _how("proposal", "id", seen={"content": _sha256}),
        _how("proposal_end", "proposal_id"),
    )
}


def check_people(conn: Connection, government: str) -> Iterator[Finding]:
    """Settings, charts, seals, people, proposals and disclosures of one government."""
    expected: dict[str, list[Row]] = {name: [] for name in REDERIVED}
    acts: list[Leaf] = []
    for leaf in read_leaves(conn, government, _KINDS):
        if isinstance(leaf, Finding):
            yield leaf
            continue
        try:
            rows = list(_rows_of(leaf, government))
        except (LookupError, TypeError, ValueError, AttributeError):
            yield Finding(
                "leaf_unreadable",
                f"leaf {leaf.index} ({leaf.kind}) lacks what its kind must say",
                "log_leaf",
                str(leaf.index),
                "body",
            )
            continue
        acts.append(leaf)
        for table, row in rows:
            expected[table].append({**row, "leaf_index": leaf.index})
    for name, how in REDERIVED.items():
        yield from compare(conn, government, how, expected[name])
    yield from _check_charts(conn, government, expected["chart"])
    yield from _check_seals(conn, government, acts)
    yield from check_grants(expected["person"], expected["grant_given"], expected["grant_end"])
    yield from check_proposals(conn, government, acts)
    yield from check_token_issuers(conn, government)
    yield from check_disclosures(conn, government, acts)
    yield from check_rows(conn, government, log_shard, ("n",), _shards(acts))
    yield from _check_frozen(conn, government, acts)


# --- rows that a leaf makes ------------------------------------------------------------------------

_Made = dict[str, Any]


def _hands(leaf: Leaf) -> _Made:
    # The installer's acts have no proposal: there the first administrator is who did it.
    return {
        "given_by": leaf.data.get("proposed_by", leaf.by),
        "confirmed_by": leaf.data["confirmed_by"],
    }


def _content_sha256(data: Mapping[str, Any]) -> str:
    if "content" in data:
        return _sha256(canonical(data["content"]))
    return str(data["content_sha256"])


def _same(*names: str) -> Callable[[Leaf], _Made]:
    return lambda leaf: {name: leaf.data[name] for name in names}


_MAKERS: Final[dict[str, tuple[str, Callable[[Leaf], _Made]]]] = {
    "book.opened": (
        "government",
        lambda leaf: {
            "name": leaf.data["name"],
            "zone": leaf.data["zone"],
            "is_demo": int(leaf.data["is_demo"]),
            "opened_at": leaf.at,
        },
    ),
    "chart.loaded": ("chart", _same("version", "sha256", "accounts")),
    "entity.added": ("entity", _same("code", "kind", "name")),
    "bank_account.added": (
        "bank_account",
        lambda leaf: {
            **_same("id", "name", "account", "opened_on")(leaf),
            "bank_code": leaf.data["id"].split(":")[0],
            "number": leaf.data["id"].split(":")[1],
        },
    ),
    "fiscal_year.opened": ("fiscal_year", _same("year", "chart_version")),
    "policy.set": ("policy", _same("name", "valid_from", "value")),
    "period.sealed": (
        "period_seal",
        lambda leaf: {
            **_same("fiscal_year", "period")(leaf),
            "sealed_at": leaf.at,
            "sealed_by": leaf.by,
        },
    ),
    "person.added": (
        "person",
        lambda leaf: {
            "id": leaf.data["person"],
            "kind": leaf.data["kind"],
            "name_c": leaf.data["name"],
            "nip_c": leaf.data["nip"],
            "added_at": leaf.at,
        },
    ),
    "grant.given": (
        "grant_given",
        lambda leaf: {
            **_same("role", "skpd", "mandate", "mandate_document", "valid_from", "valid_to")(leaf),
            **_hands(leaf),
            "id": leaf.data["grant"],
            "person_id": leaf.data["person"],
        },
    ),
    "grant.ended": (
        "grant_end",
        lambda leaf: {
            **_hands(leaf),
            "grant_id": leaf.data["grant"],
            "ended_on": leaf.data["ended_on"],
        },
    ),
    "officer_key.enrolled": (
        "officer_key",
        lambda leaf: {
            **_same("key_id", "algorithm")(leaf),
            **_hands(leaf),
            "person_id": leaf.data["person"],
            "public_key": bytes.fromhex(leaf.data["public_key"]),
            "possession": bytes.fromhex(leaf.data["possession"]),
        },
    ),
    "officer_key.revoked": (
        "officer_key_end",
        lambda leaf: {**_same("key_id")(leaf), **_hands(leaf)},
    ),
    "token.issued": (
        "token",
        lambda leaf: {
            "token_sha256": leaf.data["digest"],
            "id": leaf.data["token"],
            "person_id": leaf.data["person"],
            "issued_by": leaf.by,
            "issued_at": leaf.at,
            "expires_at": leaf.data["expires_at"],
        },
    ),
    "token.revoked": (
        "token_end",
        lambda leaf: {"token_id": leaf.data["token"], "ended_at": leaf.at, "ended_by": leaf.by},
    ),
    "proposal.made": (
        "proposal",
        lambda leaf: {
            "id": leaf.data["proposal"],
            "act": leaf.data["act"],
            "content": _content_sha256(leaf.data),
            "proposed_by": leaf.by,
            "proposed_at": leaf.at,
        },
    ),
}
#: Any leaf may end a proposal, but for those of single money acts, of which there are most.
_KINDS: Final = set(KINDS) - {"journal.posted", "document.moved", "payment.moved"}


def _rows_of(leaf: Leaf, government: str) -> Iterator[tuple[str, _Made]]:
    """(table, row) for each row that the leaf makes. Raises what a leaf of other form raises."""
    for table, row in _made_by(leaf, government):
        for column, value in row.items():
            wanted = _TYPES.get((table, column), str)
            if type(value) is not wanted:
                raise TypeError(f"{table}.{column} is {type(value).__name__}")
        yield table, row


#: Columns that hold no text (a hash that is compared in place of the value is text).
_TYPES: Final = {
    (name, column.name): int if isinstance(column.type, BigInteger) else bytes
    for name, how in REDERIVED.items()
    for column in metadata.tables[name].c
    if not isinstance(column.type, Text) and column.name not in how.seen
}


def _made_by(leaf: Leaf, government: str) -> Iterator[tuple[str, _Made]]:
    if leaf.kind in _MAKERS:
        table, make = _MAKERS[leaf.kind]
        row = make(leaf)
        yield table, ({**row, "code": government} if table == "government" else row)
    if leaf.kind != "proposal.made" and "proposal" in leaf.data:
        withdrawn = leaf.kind == "proposal.withdrawn"
        yield (
            "proposal_end",
            {
                "proposal_id": leaf.data["proposal"],
                "proposed_by": leaf.data["proposed_by"],
                "outcome": "withdrawn" if withdrawn else "confirmed",
                "decided_by": leaf.by,
                "decided_at": leaf.at,
            },
        )


def _shards(acts: list[Leaf]) -> dict[tuple[Any, ...], _Made]:
    """Every tree of the log: the one that the book was opened with, and those it went on as."""
    opened = [leaf for leaf in acts if leaf.kind == "book.opened"]
    first = str(opened[0].data.get("origin")) if opened else ""
    rows: dict[tuple[Any, ...], _Made] = {(1,): {"origin": first, "base": 0}}
    for n, leaf in enumerate((leaf for leaf in acts if leaf.kind == "book.recovered"), start=2):
        rows[n,] = {"origin": f"{first}/{n}", "base": leaf.data.get("base")}
    return rows


def _check_frozen(conn: Connection, government: str, acts: list[Leaf]) -> Iterator[Finding]:
    """The last checkpoint of a log that ended stands in the first leaf of the one it went on as."""
    c = checkpoint.c
    for leaf in acts:
        if leaf.kind != "book.recovered":
            continue
        origin, size = leaf.data.get("origin"), leaf.data.get("signed_size")
        note = conn.execute(
            select(c.note).where(c.government == government, c.origin == origin, c.size == size)
        ).scalar()
        # A database that was rewritten may have kept the note it had at that size: another
        # signature over the same origin, size and root.
        said = str(leaf.data.get("checkpoint"))
        if note is None or note.split("\n")[:3] != said.split("\n")[:3]:
            yield Finding(
                "checkpoint_changed",
                f"the last checkpoint of {origin}, at size {size}, is not the one in leaf"
                f" {leaf.index}",
                "checkpoint",
                str(size),
                "note",
            )


# --- charts ----------------------------------------------------------------------------------------

_ACCOUNT_COLUMNS: Final = tuple(t.account.c.keys()[2:])


def _check_charts(conn: Connection, government: str, charts: list[Row]) -> Iterator[Finding]:
    """The accounts of each chart hash to what its leaf says; no account is of another chart."""
    column = t.account.c
    loaded = [str(chart["version"]) for chart in charts]
    for version, code in conn.execute(
        select(column.chart_version, column.code)
        .where(column.government == government, column.chart_version.not_in(loaded))
        .order_by(column.chart_version, column.code)
    ):
        key = f"{version}/{code}"
        yield Finding("row_without_leaf", f"account {key} is of no loaded chart", "account", key)
    for chart in charts:
        version = str(chart["version"])
        # All at once: a chart is sixteen thousand rows, and one by one they cost several times more.
        stored = conn.execute(
            select(*(column[name] for name in _ACCOUNT_COLUMNS))
            .where(column.government == government, column.chart_version == version)
            .order_by(column.code)
        ).all()
        if chart_sha256(stored) != chart["sha256"]:
            yield from _altered_accounts(version, str(chart["sha256"]), stored)


def _altered_accounts(
    version: str, sha256: str, stored: Sequence[Sequence[Any]]
) -> Iterator[Finding]:
    ours = [
        (a.code, a.name_id, a.name_en or "", a.level, a.normal_side, a.statement, a.source, "", "")
        for a in sorted(load_chart().values(), key=lambda account: account.code)
    ]
    named = False
    if chart_sha256(ours) == sha256:
        have = {row[0]: row for row in stored}
        for row in ours:
            found = have.pop(row[0], None)
            key = f"{version}/{row[0]}"
            if found is None:
                named = True
                yield Finding("row_missing", f"account {key} is not there", "account", key)
                continue
            for column, said, is_now in zip(_ACCOUNT_COLUMNS, row, found, strict=True):
                if said != is_now:
                    named = True
                    yield Finding(
                        "row_changed",
                        f"account {key} has {column} {is_now!r}, the chart that was loaded says"
                        f" {said!r}",
                        "account",
                        key,
                        column,
                    )
        for code in have:
            named = True
            key = f"{version}/{code}"
            yield Finding("row_without_leaf", f"account {key} was never loaded", "account", key)
    if not named:
        yield Finding(
            "row_changed",
            f"the accounts of chart {version} do not hash to what its leaf says",
            "account",
            version,
        )


# --- seals -----------------------------------------------------------------------------------------


_SUM_KEY: Final = ("entity", "book", "account", "bank_account", "counterpart", "fund_source")


def _check_seals(conn: Connection, government: str, acts: list[Leaf]) -> Iterator[Finding]:
    """Frozen rows hash to what their seal's leaf says, name that leaf, and stand under a seal."""
    seals = {
        (leaf.data["fiscal_year"], leaf.data["period"]): leaf
        for leaf in acts
        if leaf.kind == "period.sealed"
    }
    column = t.account_period.c
    for year, period, index, *rest in conn.execute(
        select(
            column.fiscal_year,
            column.period,
            column.leaf_index,
            *(column[name] for name in _SUM_KEY),
        )
        .where(column.government == government)
        .order_by(column.fiscal_year, column.period),
        execution_options={"yield_per": 2_000},
    ):
        seal = seals.get((year, period))
        key = "/".join([str(year), str(period), *rest])
        if seal is None:
            yield Finding(
                "row_without_leaf",
                f"the sums of {key} are frozen without a seal",
                "account_period",
                key,
            )
        elif seal.index != index:
            yield Finding(
                "row_changed",
                f"the frozen sums of {key} name leaf {index}, the seal of period {period} of {year}"
                f" is leaf {seal.index}",
                "account_period",
                key,
                "leaf_index",
            )
    for (year, period), leaf in seals.items():
        sums = frozen_digest(conn, government, year, period, frozen=True)
        have = (sums.rows, sums.sha256, sen_text(sums.debit_sen), sen_text(sums.credit_sen))
        said = tuple(leaf.data.get(name) for name in ("rows", "sha256", "debit", "credit"))
        if have != said:
            yield from _altered_sums(conn, government, year, period, leaf.index)


def _altered_sums(
    conn: Connection, government: str, year: int, period: int, index: int
) -> Iterator[Finding]:
    """Name the frozen rows that differ from the days they were summed from."""
    frozen = {
        row[:6]: row[6:] for row in sums_of_period(conn, government, year, period, frozen=True)
    }
    named = False
    for row in sums_of_period(conn, government, year, period, frozen=False):
        have = frozen.pop(row[:6], None)
        key = "/".join([str(year), str(period), *row[:6]])
        if have is None:
            named = True
            yield Finding(
                "row_missing",
                f"the frozen sums of {key} are not there",
                "account_period",
                key,
            )
            continue
        for column, said, is_now in zip(("debit_sen", "credit_sen"), row[6:], have, strict=True):
            if said != is_now:
                named = True
                yield Finding(
                    "row_changed",
                    f"account_period {key} has {column} {is_now}, its days say {said}",
                    "account_period",
                    key,
                    column,
                )
    for stray in frozen:
        named = True
        key = "/".join([str(year), str(period), *stray])
        yield Finding(
            "row_without_leaf", f"the frozen sums of {key} have no days", "account_period", key
        )
    if not named:
        yield Finding(
            "row_changed",
            f"the frozen sums of period {period} of {year} do not hash to what leaf {index} says",
            "account_period",
            f"{year}/{period}",
        )
