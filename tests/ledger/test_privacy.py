"""Erasing one subject: values go, books and log stay, and what is missing is listed."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from api.engine import begin, reading
from audit.canonical import parse_canonical
from ledger.disclosures_check import check_disclosures
from ledger.opening import ADMIN_1, ADMIN_2, FEEDER
from ledger.privacy import ErasePayee, erased_commitments
from ledger.proposals import Confirm, Propose
from tests.builders import GOVERNMENT, answer, journal, kernel_findings, post, refusal, run, scalar
from tests.ledger.people import appoint, both, contents, one, people_findings, propose

NAME = "Budi Santoso"


def _book(engine: Engine) -> None:
    """Two payments, one of them to Budi; both with keys."""
    run(
        engine,
        *post(
            journal("J-1", payee_name=NAME, description="Honor Budi"),
            journal("J-2", payee_name="CV Maju"),
            keys=["k-1", "k-2"],
        ),
    )


def test_erased_payee_is_gone_and_everything_else_stands(engine: Engine) -> None:
    """No value of the subject is left; other rows and all checks are as before."""
    _book(engine)
    before = contents(engine)
    (done,) = both(engine, ErasePayee("journal:J-1", "Permintaan yang bersangkutan"))
    after = contents(engine)

    assert 2 == done["erased"]
    assert NAME in repr(before) and NAME not in repr(after) and "CV Maju" in repr(after)
    for table in ("journal", "journal_line", "account_day", "idempotency", "person"):
        assert before[table] == after[table]
    assert [] == people_findings(engine) == kernel_findings(engine)
    notes = [f for f in people_findings(engine, notes=True) if f.code == "disclosure_erased"]
    assert 1 == len(notes) and notes[0].message.startswith("2 values")


def test_leaf_lists_commitments_and_not_the_subject(engine: Engine) -> None:
    """What can't be disclosed any more is named by commitment; the reason too is one."""
    _book(engine)
    (done,) = both(engine, ErasePayee("journal:J-1", "Permintaan Budi Santoso"))
    with reading(engine) as conn:
        body = bytes(
            conn.execute(
                text("SELECT body FROM log_leaf WHERE idx = :i"), {"i": done["leaf_index"]}
            ).scalar()
        )
        row = conn.execute(
            text("SELECT description_c, payee_name_c FROM journal WHERE reference = 'J-1'")
        ).one()
        erased = list(erased_commitments(conn, GOVERNMENT))
    data = parse_canonical(body)["data"]

    assert sorted(row) == data["commitments"] == erased
    assert (2, 64) == (data["count"], len(data["reason"]))
    assert b"J-1" not in body and b"Budi" not in body


def test_request_of_an_erased_journal_is_unlinkable(engine: Engine) -> None:
    """The salt of its digests went too: a repeat can't be compared, and is refused as reused."""
    _book(engine)
    both(engine, ErasePayee("journal:J-1", "Permintaan"))
    again, other = run(
        engine,
        *post(journal("J-1", payee_name=NAME, description="Honor Budi"), keys=["k-1"]),
        *post(journal("J-2", payee_name="CV Maju"), keys=["k-2"]),
    )
    with reading(engine) as conn:
        salts = scalar(
            conn,
            "SELECT count(*) FROM private_value v JOIN idempotency i ON i.request_c = v.commitment"
            " AND i.government = v.government WHERE i.key = 'k-1'",
        )

    assert 0 == salts
    assert (
        "idempotency_key_reused",
        {"key": "k-1", "differs": ["(the first request was erased)"]},
    ) == refusal(again)
    assert other.replayed  # type: ignore[union-attr]  # an accepted one


def test_reference_of_an_erased_journal_still_gives_the_journal(engine: Engine) -> None:
    """Sent again without a key, the same reference is the same journal by what is left of it."""
    _book(engine)
    both(engine, ErasePayee("journal:J-1", "Permintaan"))
    (again,) = run(engine, *post(journal("J-1", payee_name=NAME, description="Honor Budi")))

    assert answer(again)["replayed"]


def test_erasure_of_many_values_goes_into_its_leaf_by_hash(engine: Engine) -> None:
    """More commitments than a leaf holds stand in the proposal, bound by hash."""
    with begin(engine) as conn:
        from datetime import UTC, datetime  # noqa: PLC0415

        from audit.log import open_batch  # noqa: PLC0415

        batch = open_batch(conn, GOVERNMENT, now=datetime(2026, 11, 21, tzinfo=UTC))
        for n in range(900):
            batch.commit("payee_name", f"Penerima {n}", subject="payee:bansos")
        batch.close()
    (done,) = both(engine, ErasePayee("payee:bansos", "Permintaan"))
    with reading(engine) as conn:
        body = bytes(
            conn.execute(
                text("SELECT body FROM log_leaf WHERE idx = :i"), {"i": done["leaf_index"]}
            ).scalar()
        )
        erased = list(erased_commitments(conn, GOVERNMENT))

    assert b"commitments_sha256" in body
    assert (900, 900) == (done["erased"], len(set(erased)))
    assert [] == people_findings(engine)


def test_erasures_refused_change_nothing(engine: Engine) -> None:
    """Nobody's data, no administrator, a person in office, no reason: by name."""
    _book(engine)
    appoint(engine, "siti", "accountant")
    cases = [
        ("unknown_subject", Propose(ADMIN_1, ErasePayee("payee:none", "Permintaan"))),
        ("not_granted", Propose(FEEDER, ErasePayee("journal:J-1", "Permintaan"))),
        ("subject_in_office", Propose(ADMIN_1, ErasePayee("person:siti", "Permintaan"))),
        ("invalid_field", Propose(ADMIN_1, ErasePayee("journal:J-1", ""))),
        ("invalid_field", Propose(ADMIN_1, ErasePayee("", "Permintaan"))),
    ]
    before = contents(engine)

    assert [code for code, _ in cases] == [refusal(one(engine, c))[0] for _, c in cases]
    assert before == contents(engine)


def test_subject_changed_since_it_was_proposed_is_not_erased(engine: Engine) -> None:
    """Erased by another proposal, or grown, the list that two persons agree on is another."""
    _book(engine)
    first, second = (
        propose(engine, ADMIN_1, ErasePayee("journal:J-1", "Permintaan")) for _ in range(2)
    )
    answer(one(engine, Confirm(ADMIN_2, first)))

    assert ("subject_changed", {"proposed": 2, "kept": 0}) == refusal(
        one(engine, Confirm(ADMIN_2, second))
    )


def test_values_deleted_without_an_act_are_found(engine: Engine) -> None:
    """The database lets rows of private values go; the check knows which act did it, or none."""
    _book(engine)
    propose(engine, ADMIN_1, ErasePayee("journal:J-2", "Alasan"))
    with begin(engine) as conn:
        conn.execute(text("DELETE FROM private_value WHERE subject = 'journal:J-1'"))
        conn.execute(text("DELETE FROM private_value WHERE subject LIKE 'erasure:%'"))
    with reading(engine) as conn:
        found = list(check_disclosures(conn, GOVERNMENT, []))

    # The first private value of a request lends its salt: the answer kept for the key names it too.
    assert {
        ("journal", "description_c"),
        ("journal", "payee_name_c"),
        ("idempotency", "request_c"),
    } == {(f.table, f.column) for f in found}
    assert {"disclosure_missing"} == {f.code for f in found}
    assert ("proposal", "content") in {(f.table, f.column) for f in people_findings(engine)}


@pytest.mark.parametrize("subject", ["journal:J-2", "person:svc-reconcile"])
def test_erasing_one_leaves_the_others(engine: Engine, subject: str) -> None:
    """Only rows of that very subject go (a service out of office, another journal)."""
    _book(engine)
    if subject.startswith("person:"):
        from ledger.persons_shell import EndGrant  # noqa: PLC0415

        both(engine, EndGrant("init-svc-reconcile-reconciler", "2026-11-21"))
    before = {row[1] for row in contents(engine)["private_value"] if row[2] != subject}
    both(engine, ErasePayee(subject, "Permintaan"))
    after = {row[1] for row in contents(engine)["private_value"]}

    assert before <= after and 1 == len(after - before)
    assert [] == people_findings(engine)
