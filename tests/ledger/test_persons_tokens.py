"""Tokens: of one person in one government, for some hours, known by their hash alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Connection, Engine, LargeBinary, text

from api.engine import reading
from audit.database import metadata
from ledger.answers import Idempotency
from ledger.hands_check import HandMoved, TokenIssued, check_token_issuers, shared_issuers
from ledger.opening import ADMIN_1, ADMIN_2, FEEDER
from ledger.tokens import (
    IssueToken,
    RevokeToken,
    TokenNotValidError,
    find_person,
    new_token,
    token_sha256,
)
from tests.builders import GOVERNMENT, NOW, answer, refusal, run
from tests.databases import Database
from tests.ledger.people import appoint, contents, one, people_findings, unguarded


def _issue(engine: Engine, person: str, by: str = ADMIN_1, minutes: int = 480) -> tuple[str, str]:
    token = new_token()
    done = answer(one(engine, IssueToken(by, person, token_sha256(token), minutes)))
    return token, done["token_id"]


def test_token_names_its_person_until_it_expires(engine: Engine) -> None:
    """Eight hours, to the microsecond; then it is no longer valid."""
    token, _ = _issue(engine, ADMIN_2)
    with reading(engine) as conn:
        late = NOW + timedelta(hours=8)
        assert ADMIN_2 == find_person(conn, GOVERNMENT, token, NOW)
        assert ADMIN_2 == find_person(conn, GOVERNMENT, token, late - timedelta(microseconds=1))
        with pytest.raises(TokenNotValidError):
            find_person(conn, GOVERNMENT, token, late)


def test_token_opens_one_government_only(engine: Engine) -> None:
    """Another government's books do not know it."""
    token, _ = _issue(engine, ADMIN_2)
    with reading(engine) as conn, pytest.raises(TokenNotValidError):
        find_person(conn, "36.72", token, NOW)


def test_revoked_token_is_no_longer_valid(engine: Engine) -> None:
    """Its holder or an administrator ends it, once."""
    appoint(engine, "siti", "sp2d_maker")
    mine, mine_id = _issue(engine, "siti")
    other, other_id = _issue(engine, ADMIN_2)
    results = run(
        engine,
        RevokeToken("siti", mine_id),
        RevokeToken("siti", other_id),
        RevokeToken(ADMIN_1, mine_id),
        RevokeToken(ADMIN_1, "t-0"),
        RevokeToken("siti", "t-0"),
    )

    assert mine_id == answer(results[0])["token_id"]
    assert ["not_granted", "token_ended", "unknown_token", "not_granted"] == [
        refusal(r)[0] for r in results[1:]
    ]
    with reading(engine) as conn:
        assert ADMIN_2 == find_person(conn, GOVERNMENT, other, NOW)
        with pytest.raises(TokenNotValidError):
            find_person(conn, GOVERNMENT, mine, NOW)
    assert [] == people_findings(engine)


def test_token_itself_is_stored_nowhere(engine: Engine) -> None:
    """Not in rows, leaves or answers kept for repeats; leaves do not hold its stored hash either."""
    token = new_token()
    key = Idempotency("k-1", "tokens", [("person", b'"admin-2"')])
    command = IssueToken(ADMIN_1, ADMIN_2, token_sha256(token), idempotency=key)
    first, again = run(engine, command, command)
    found = contents(engine)

    assert first.answer == again.answer  # type: ignore[union-attr]  # both accepted
    assert token not in repr(found) and token[5:] not in repr(found)
    assert 1 == len(found["token"])
    del found["token"]
    assert token_sha256(token) not in repr(found)


def test_tokens_refused_change_nothing(engine: Engine) -> None:
    """For oneself, by who is no administrator, too long, malformed, twice: each by name."""
    sha256 = token_sha256(new_token())
    _, _ = _issue(engine, ADMIN_2)
    taken = new_token()
    answer(one(engine, IssueToken(ADMIN_1, ADMIN_2, token_sha256(taken))))
    cases = [
        ("own_approval", IssueToken(ADMIN_1, ADMIN_1, sha256)),
        ("not_granted", IssueToken(FEEDER, ADMIN_1, sha256)),
        ("unknown_person", IssueToken(ADMIN_1, "nobody", sha256)),
        ("invalid_field", IssueToken(ADMIN_1, ADMIN_2, sha256, 24 * 60 + 1)),
        ("invalid_field", IssueToken(ADMIN_1, ADMIN_2, sha256, 0)),
        ("invalid_field", IssueToken(ADMIN_1, ADMIN_2, sha256.upper())),
        ("invalid_field", IssueToken(ADMIN_1, ADMIN_2, token_sha256(taken))),
    ]
    before = contents(engine)

    assert [code for code, _ in cases] == [refusal(one(engine, c))[0] for _, c in cases]
    assert before == contents(engine)


def test_operator_issues_an_administrators_first_token(engine: Engine) -> None:
    """With the operator's flag an administrator's own name may stand as issuer, and the leaf says so."""
    token = new_token()
    answer(one(engine, IssueToken(ADMIN_1, ADMIN_1, token_sha256(token), operator=True)))
    with reading(engine) as conn:
        body = bytes(
            conn.execute(text("SELECT body FROM log_leaf WHERE kind = 'token.issued'")).scalar()
        )
        assert ADMIN_1 == find_person(conn, GOVERNMENT, token, NOW)

    assert b'"by_operator":true' in body


@given(st.text(max_size=60))
def test_token_hash_takes_any_text(text_sent: str) -> None:
    """Whatever a caller sends has a hash, lone surrogates too, and another text another one."""
    assert 64 == len(token_sha256(text_sent))
    assert token_sha256(text_sent) != token_sha256(text_sent + "x")


def test_new_tokens_have_the_form_that_is_looked_up() -> None:
    """`rkud_` and 43 characters of base64url: 32 bytes."""
    tokens = {new_token() for _ in range(50)}

    assert 50 == len(tokens)
    assert all(48 == len(token) and token.startswith("rkud_") for token in tokens)


DAY = "2026-11-21T"
HANDS = [
    HandMoved("spm-1", "maker", 10, f"{DAY}03:00:00.000000Z"),
    HandMoved("spm-1", "verifier", 11, f"{DAY}03:01:00.000000Z"),
    HandMoved("spm-2", "maker", 12, f"{DAY}03:02:00.000000Z"),
    HandMoved("spm-2", "verifier", 13, f"{DAY}03:03:00.000000Z"),
]
NOON = f"{DAY}12:00:00.000000Z"


@pytest.mark.parametrize(
    ("tokens", "shared"),
    [
        pytest.param({}, {}, id="no tokens"),
        pytest.param(
            {"maker": [TokenIssued(1, "a", NOON)], "verifier": [TokenIssued(2, "b", NOON)]},
            {},
            id="two issuers",
        ),
        pytest.param(
            {"maker": [TokenIssued(1, "a", NOON)], "verifier": [TokenIssued(2, "a", NOON)]},
            {"a": (2, "spm-1")},
            id="one issuer of both",
        ),
        pytest.param(
            {"maker": [TokenIssued(1, "verifier", NOON)]},
            {"verifier": (2, "spm-1")},
            id="one hand issued the other's",
        ),
        pytest.param(
            {
                "maker": [TokenIssued(1, "a", NOON)],
                "verifier": [
                    TokenIssued(2, "a", f"{DAY}03:00:30.000000Z"),
                    TokenIssued(3, "b", NOON),
                ],
            },
            {},
            id="expired before",
        ),
        pytest.param(
            {"maker": [TokenIssued(1, "a", NOON)], "verifier": [TokenIssued(12, "a", NOON)]},
            {"a": (1, "spm-2")},
            id="issued between",
        ),
        pytest.param(
            {
                "maker": [TokenIssued(1, "a", NOON)],
                "verifier": [
                    TokenIssued(2, "a", f"{DAY}11:00:00.000000Z"),
                    TokenIssued(3, "b", f"{DAY}02:00:00.000000Z"),
                ],
            },
            {"a": (2, "spm-1")},
            id="valid below an expired one",
        ),
    ],
)
def test_one_issuer_of_two_hands_is_named(
    tokens: dict[str, list[TokenIssued]], shared: dict[str, tuple[int, str]]
) -> None:
    """Whoever issued two hands' tokens could have been both, where these were valid at the act."""
    assert shared == shared_issuers(tokens, HANDS)


def test_one_issuer_of_two_hands_is_noted(opened: Database, engine: Engine) -> None:
    """The check reads hands and tokens from the books; it is a note, no error."""
    for person in ("siti", "budi"):
        appoint(engine, person, "sp2d_maker")
        _issue(engine, person)
    appoint(engine, "after", "inspector")
    with unguarded(opened) as conn:
        last = conn.execute(text("SELECT max(idx) FROM log_leaf")).scalar()
        _insert(conn, "document", {"id": "sp2d-1", "kind": "sp2d", "parent_id": "spm-1"})
        for n, (hand, person) in enumerate((("maker", "siti"), ("approver", "budi")), start=1):
            # One leaf for both will do: only its place and its batch are looked at.
            move = {"document_id": "sp2d-1", "n": n, "hand": hand, "person_id": person}
            _insert(conn, "document_move", move | {"leaf_index": last})
        notes = [f for f in check_token_issuers(conn, GOVERNMENT) if f.code == "one_issuer"]

    assert [("note", "token", ADMIN_1)] == [(f.severity, f.table, f.key) for f in notes]
    assert "1 payments" in notes[0].message and notes[0].message.endswith("spm-1")


def _insert(conn: Connection, table: str, values: dict[str, object]) -> None:
    row: dict[str, object] = {
        column.name: b""
        if isinstance(column.type, LargeBinary)
        else 0
        if isinstance(column.type, BigInteger)
        else ""
        for column in metadata.tables[table].c
    }
    row |= {"government": GOVERNMENT, **values}
    marks = ", ".join(f":{name}" for name in row)
    conn.execute(text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})"), row)
