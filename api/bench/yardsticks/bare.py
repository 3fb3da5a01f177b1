"""
The bare client: nothing but the rows, set-based, a thousand journals a transaction.

One connection, prepared statements with one array a column, all statements of a transaction in one
round trip (libpq pipeline mode). It decides nothing: no period, no chart, no cash, no tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import Final

import psycopg

from api.bench.workload import ACCOUNTS
from api.bench.yardsticks.schema import HOT_ACCOUNT, SIGNATURE, audit_of

__all__ = ["BATCH", "Journal", "insert", "journals", "run"]

BATCH: Final = 1_000

_HEADERS: Final = (
    b"INSERT INTO header (id, reference, effective_on, description)"
    b" SELECT * FROM unnest(%s::bigint[], %s::text[], %s::date[], %s::text[])"
)
_ENTRIES: Final = (
    b"INSERT INTO entry (header_id, n, account_id, amount)"
    b" SELECT * FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::bigint[])"
)
_AUDITS: Final = (
    b"INSERT INTO audit (header_id, leaf, signature, payload)"
    b" SELECT * FROM unnest(%s::bigint[], %s::bytea[], %s::bytea[], %s::bytea[])"
)
_BALANCES: Final = (
    b"UPDATE account a SET balance = a.balance + u.moved"
    b" FROM unnest(%s::int[], %s::bigint[]) u(id, moved) WHERE a.id = u.id"
)

#: id, reference, body and four (account, amount).
Journal = tuple[int, str, bytes, tuple[tuple[int, int], ...]]


def journals(count: int, *, first_id: int = 1, seed: int = 4) -> Iterator[Journal]:
    """Journals of the shape `hot`, as values."""
    random = Random(seed)  # noqa: S311  # drawn to be the same again, not to be secret
    for number in range(first_id, first_id + count):
        gross, part = random.randrange(10_000, 9_999_999), random.randrange(100, 9_999)
        first, second, third = (1 + int(random.random() * ACCOUNTS) for _ in range(3))
        entries = (
            (first, gross),
            (second, part * 2),
            (third, -part),
            (HOT_ACCOUNT, -gross - part),
        )
        reference = f"B{number}"
        body = f'{{"reference":"{reference}","lines":{entries}}}'.encode()
        yield number, reference, body, entries


def run(url: str, made: list[Journal], *, day: str, batch: int = BATCH) -> None:
    """Insert *made* into the database at *url* (libpq form)."""
    with psycopg.connect(url) as conn:
        conn.prepare_threshold = 0
        source = iter(made)
        while part := list(islice(source, batch)):
            with conn.pipeline():
                insert(conn, part, day=day)
                conn.commit()


def insert(conn: psycopg.Connection[tuple[object, ...]], part: list[Journal], *, day: str) -> None:
    """Send the four statements of one transaction."""
    ids = [number for number, *_ in part]
    moved: dict[int, int] = {}
    for *_, entries in part:
        for account, sen in entries:
            moved[account] = moved.get(account, 0) + sen
    audits = [audit_of(body) for _, _, body, _ in part]
    flat = [entry for *_, entries in part for entry in entries]
    conn.execute(
        _HEADERS,
        (
            _literal(ids),
            _literal([reference for _, reference, *_ in part]),
            _literal([day] * len(part)),
            _literal([f"pembayaran {reference}" for _, reference, *_ in part]),
        ),
    )
    conn.execute(
        _ENTRIES,
        (
            _literal([number for number in ids for _ in range(4)]),
            _literal([1, 2, 3, 4] * len(part)),
            _literal([account for account, _ in flat]),
            _literal([sen for _, sen in flat]),
        ),
    )
    conn.execute(
        _AUDITS,
        (
            _literal(ids),
            _hex_literal([leaf for leaf, _ in audits]),
            _hex_literal([SIGNATURE] * len(part)),
            _hex_literal([payload for _, payload in audits]),
        ),
    )
    conn.execute(_BALANCES, (_literal(list(moved)), _literal(list(moved.values()))))


# Array literals cost a third of what psycopg's own adaptation of lists does.


def _literal(values: list[int] | list[str]) -> str:
    return '{"' + '","'.join(map(str, values)) + '"}'


def _hex_literal(values: list[bytes]) -> str:
    return '{"\\\\x' + '","\\\\x'.join([value.hex() for value in values]) + '"}'
