"""People, tokens, proposals, periods, the public log: each subject's routes, end to end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audit.keys import generate_officer_key, prove_possession
from audit.note import parse_note, parse_vkey, verify_note
from ledger.officer_keys import possession_challenge
from tests.api.support import (
    CASH,
    GOVERNMENT,
    TAX,
    TODAY,
    Served,
    issue_token,
    open_books,
    receipt,
    serving,
)
from tests.databases import Database

ORIGIN = f"rkud.example/{GOVERNMENT}"


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Iterator[Served]:
    """A book with two administrators' tokens, two accountants and an inspector."""
    from api.opening import make_keys  # noqa: PLC0415

    open_books(database)
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    make_keys(keys, GOVERNMENT, ORIGIN)
    token = issue_token(database, "admin-1")
    with serving(database, tmp_path, token) as running:
        yield running


def as_(database: Database, person: str) -> dict[str, str]:
    """The header of a person's token."""
    return {"Authorization": f"Bearer {issue_token(database, person)}"}


def appoint(office: Served, person: str, role: str) -> dict[str, str]:
    """A person with a role, by two administrators over HTTP; the header of the person's token."""
    second = as_(office.database, "admin-2")
    for path, body in (
        ("/persons", {"person": person, "name": f"Name of {person}"}),
        ("/grants", {"person": person, "role": role, "valid_from": "2026-01-01"}),
    ):
        proposed = office.post(path, body)
        assert 201 == proposed.status_code, proposed.text
        confirmed = office.post(
            f"/proposals/{proposed.json()['proposal']}:confirm", {}, headers=second
        )
        assert 201 == confirmed.status_code, confirmed.text
    return as_(office.database, person)


def test_person_is_appointed_by_two_administrators(office: Served) -> None:
    """Proposed by one, confirmed by another; never by the same; then the person acts."""
    proposed = office.post("/persons", {"person": "bud", "name": "Budi"}).json()
    path = f"/proposals/{proposed['proposal']}"

    own = office.post(f"{path}:confirm", {})
    shown = office.get(path).json()
    other = office.post(f"{path}:confirm", {}, headers=as_(office.database, "admin-2"))
    found = office.post("/persons:search", {"name": "bud"}).json()

    assert (403, "own_approval") == (own.status_code, own.json()["code"])
    assert {"name": "Budi"} == shown["texts"]
    assert 201 == other.status_code
    assert ["bud"] == [each["person"] for each in found["persons"]]


def test_token_is_given_once_opens_the_book_and_is_revoked_at_once(office: Served) -> None:
    """The repeated request has no token in it; a revoked one opens nothing."""
    appoint(office, "bud", "inspector")
    first = office.post("/tokens", {"person": "bud"}, key="t")
    again = office.post("/tokens", {"person": "bud"}, key="t")
    header = {"Authorization": f"Bearer {first.json()['token']}"}
    opened = office.get("/journals", headers=header)
    revoked = office.post(f"/tokens/{first.json()['token_id']}:revoke", {})
    closed = office.get("/journals", headers=header)

    assert "token" not in again.json()
    assert first.json()["token_id"] == again.json()["token_id"]
    assert [200, 201, 401] == [opened.status_code, revoked.status_code, closed.status_code]


def test_token_for_oneself_is_refused(office: Served) -> None:
    """An administrator issues tokens to others."""
    answer = office.post("/tokens", {"person": "admin-1"})

    assert (403, "own_approval") == (answer.status_code, answer.json()["code"])


def test_officer_key_is_enrolled_with_proof_that_it_is_held(office: Served) -> None:
    """A key with another's proof is refused; with its own it is enrolled."""
    appoint(office, "bud", "deputy_treasurer")
    private = generate_officer_key()
    public = private.public_key().public_bytes_raw().hex()
    proof = prove_possession(private, possession_challenge(ORIGIN, "bud")).hex()
    wrong = office.post(
        "/officer-keys", {"person": "bud", "public_key": public, "possession": "0" * 128}
    )
    right = office.post(
        "/officer-keys", {"person": "bud", "public_key": public, "possession": proof}
    )

    assert (422, "unacceptable_officer_key") == (wrong.status_code, wrong.json()["code"])
    assert 201 == right.status_code, right.text


def test_manual_journal_is_drafted_by_one_and_posted_by_another(office: Served) -> None:
    """RKUD cash is closed to it; the drafter can't post it."""
    first = appoint(office, "akuntan-1", "accountant")
    second = appoint(office, "akuntan-2", "accountant")
    lines = [
        {"account": "8.1.02.01.01.0024", "debit": "5.00"},
        {"account": "2.1.01.05.01.0001", "credit": "5.00"},
    ]
    on_cash = office.post("/manual-journals", receipt("M0", "5.00"), headers=first)
    drafted = office.post("/manual-journals", receipt("M1", lines=lines), headers=first)
    path = f"/manual-journals/{drafted.json()['proposal']}:post"
    own = office.post(path, {}, headers=first)
    posted = office.post(path, {}, headers=second)

    assert (422, "manual_journal_on_reserved_account") == (
        on_cash.status_code,
        on_cash.json()["code"],
    )
    assert 201 == drafted.status_code, drafted.text
    assert (403, "own_approval") == (own.status_code, own.json()["code"])
    assert 201 == posted.status_code, posted.text


def test_sealed_period_takes_no_journal(office: Served) -> None:
    """Sealing is in order; afterwards a posting to the period is refused."""
    accountant = appoint(office, "akuntan-1", "accountant")
    feed = as_(office.database, "svc-feed")
    skipped = office.post("/periods:seal", {"fiscal_year": 2025, "period": 2}, headers=accountant)
    sealed = office.post("/periods:seal", {"fiscal_year": 2025, "period": 1}, headers=accountant)
    late = office.post("/journals", receipt(effective_on="2025-01-31"), headers=feed)

    assert (409, "earlier_period_open") == (skipped.status_code, skipped.json()["code"])
    assert 201 == sealed.status_code, sealed.text
    assert (409, "period_sealed") == (late.status_code, late.json()["code"])


def test_public_log_gives_checkpoint_and_hash_tiles_and_keeps_entries(office: Served) -> None:
    """Anybody reads checkpoint and tiles; entry bundles need an inspector."""
    inspector = appoint(office, "inspektorat", "inspector")
    sealed = office.post("/audit/checkpoint", {}).json()
    size = sealed["size"]
    office.client.headers.pop("Authorization")
    base = f"/log/{GOVERNMENT}"

    note = office.client.get(f"{base}/checkpoint")
    hashes = office.client.get(f"{base}/tile/0/000.p/{size}")
    closed = office.client.get(f"{base}/tile/entries/000.p/{size}")
    entries = office.client.get(f"{base}/tile/entries/000.p/{size}", headers=inspector)
    key = office.runtime.settings.keys() / f"log-{GOVERNMENT}.key"
    from audit.keys import load_log_key  # noqa: PLC0415

    verify_note(parse_note(note.content), [parse_vkey(load_log_key(key).verifier.vkey)])
    first = int.from_bytes(entries.content[:2])
    body = entries.content[2 : 2 + first]
    assert f"{ORIGIN}\n{size}\n" == "".join(note.text.splitlines(keepends=True)[:2])
    assert 32 * size == len(hashes.content)
    assert (401, "token_required") == (closed.status_code, closed.json()["code"])
    assert hashlib.sha256(b"\x00" + body).digest() == hashes.content[:32]
    assert "immutable" in hashes.headers["cache-control"]
    assert "no-cache" == note.headers["cache-control"]


@pytest.mark.parametrize("path", ["tile/0/001", "tile/9/000", "tile/x", "tile/0/../../x", "tile/"])
def test_public_log_answers_404_for_what_is_not_published(office: Served, path: str) -> None:
    """Whatever the reason, there is nothing there."""
    office.post("/audit/checkpoint", {})

    assert 404 == office.client.get(f"/log/{GOVERNMENT}/{path}").status_code
    assert 404 == office.client.get(f"/log/99/{path}").status_code


def test_proof_of_a_leaf_is_a_c2sp_file(office: Served) -> None:
    """Under the last published checkpoint."""
    office.post("/audit/checkpoint", {})

    proof = office.get("/audit/leaves/0/proof")

    assert proof.text.startswith("c2sp.org/tlog-proof@v1\n")
    assert 404 == office.get("/audit/leaves/99999/proof").status_code


def test_acts_are_sealed_within_a_second(office: Served) -> None:
    """The public checkpoint grows by itself."""
    import time  # noqa: PLC0415

    feed = as_(office.database, "svc-feed")
    posted = office.post("/journals", receipt(), headers=feed).json()
    deadline = time.monotonic() + 5
    size = 0
    while size <= posted["leaf_index"] and time.monotonic() < deadline:
        note = office.client.get(f"/log/{GOVERNMENT}/checkpoint")
        size = int(note.text.split("\n")[1]) if note.status_code == 200 else 0
        time.sleep(0.05)

    assert size > posted["leaf_index"]


def test_budget_load_and_an_spm_go_through(office: Served) -> None:
    """A loaded line takes an SPM; one that asks for more than the ceiling is refused with values."""
    skpd = "1.02.0.00.0.00.01.0000"
    proposed = office.post("/entities", {"code": skpd, "name": "Dinas Kesehatan"}).json()
    office.post(
        f"/proposals/{proposed['proposal']}:confirm", {}, headers=as_(office.database, "admin-2")
    )
    officer = appoint(office, "anggaran", "budget_officer")
    maker = appoint(office, "operator", "sp2d_maker")
    loaded = office.client.post(
        f"/v1/governments/{GOVERNMENT}/budget-loads?fiscal_year=2026&format=jsonl",
        content=_budget(skpd),
        headers={**officer, "Idempotency-Key": "b"},
    )
    assert 201 == loaded.status_code, loaded.text
    lines = office.get("/budget-lines?fiscal_year=2026", headers=maker).json()["budget_lines"]
    spm = office.post("/spms", _spm(skpd, "700.00"), headers=maker)
    assert 201 == spm.status_code, spm.text
    read = office.get(f"/documents/{spm.json()['document']}", headers=maker)
    stale = office.post(
        f"/spms/{spm.json()['document']}:accept",
        {},
        headers={**maker, "If-Match": '"9-0000000000000000"'},
    )

    assert [("B-1", "1000.00", "1000.00")] == [
        (line["id"], line["ceiling"], line["remaining"]) for line in lines
    ]
    assert ("spm", "registered", "700.00") == tuple(
        read.json()[name] for name in ("kind", "state", "gross")
    )
    assert "CV Maju" in read.json()["texts"].values()
    assert (412, "revision_changed") == (stale.status_code, stale.json()["code"])
    assert read.headers["etag"] == stale.json()["etag"]


def _budget(skpd: str) -> bytes:
    import json  # noqa: PLC0415

    rows = [
        {
            "type": "line",
            "budget_line": "B-1",
            "skpd": skpd,
            "sub_kegiatan": "1.02.01.1.06.02",
            "account": "5.1.02.01.01.0024",
            "amount": "1000.00",
        },
        {
            "type": "release",
            "skpd": skpd,
            "sub_kegiatan": "1.02.01.1.06.02",
            "amount": "1000.00",
        },
    ]
    return b"\n".join(json.dumps(row).encode() for row in rows)


def _spm(skpd: str, amount: str) -> dict[str, Any]:
    return {
        "number": "SPM-1",
        "dated_on": TODAY,
        "skpd": skpd,
        "payment_kind": "LS_GOODS",
        "purpose": "ATK",
        "lines": [{"budget_line": "B-1", "expense_account": "8.1.02.01.01.0024", "amount": amount}],
        "payees": [
            {"name": "CV Maju", "bank_code": "137", "account": "1234567890", "gross": amount}
        ],
    }


def test_cash_is_found_by_its_history(office: Served) -> None:
    """Reads need a token of any person."""
    lines = office.get(f"/balances/history?account={CASH}").json()["lines"]

    assert ["1000000.00"] == [line["balance"] for line in lines]
    assert [] == office.get(f"/balances/history?account={TAX}").json()["lines"]


def test_role_is_needed_for_names(office: Served, database: Database) -> None:
    """A feed may not search persons by name."""
    answer = office.post("/persons:search", {"name": "a"}, headers=as_(database, "svc-feed"))

    assert (403, "private_grant_required") == (answer.status_code, answer.json()["code"])
