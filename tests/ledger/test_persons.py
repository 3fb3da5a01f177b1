"""Persons, grants, and the two halves of an act."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from api.engine import begin, reading
from ledger.errors import InvalidFieldError
from ledger.manual import AskManualJournal
from ledger.opening import ADMIN_1, ADMIN_2, FEEDER
from ledger.persons import check_person_form, exclusive_conflict
from ledger.persons_shell import AddPerson, EndGrant, GiveGrant
from ledger.policies import AddBankAccount, AddEntity, OpenFiscalYear, SetPolicy
from ledger.posting import Group
from ledger.proposals import (
    BothHands,
    Confirm,
    Propose,
    Withdraw,
    list_proposals,
    read_proposal,
)
from ledger.roles import EXCLUSIVE, ROLES
from ledger.session import open_session
from ledger.settings import FOREVER, Grant
from tests.builders import BANK, GOVERNMENT, NOW, SKPD, TODAY, answer, refusal, run, scalar
from tests.ledger.people import (
    appoint,
    both,
    contents,
    manual,
    one,
    people_findings,
    propose,
)

NIP = "198001012005011001"


def test_person_proposed_and_confirmed_stands(engine: Engine) -> None:
    """Two administrators make a person; both halves are leaves, the row follows from the second."""
    proposal = propose(engine, ADMIN_1, AddPerson("siti", "Siti Aminah", NIP))
    done = answer(one(engine, Confirm(ADMIN_2, proposal)))

    with reading(engine) as conn:
        row = conn.execute(text("SELECT * FROM person WHERE id = 'siti'")).one()
        kinds = [
            scalar(conn, "SELECT kind FROM log_leaf WHERE idx = :i", i=done["leaf_index"] - n)
            for n in (1, 0)
        ]
        stored = read_proposal(conn, GOVERNMENT, proposal)
    assert ("siti", "officer", 64, 64) == (row.id, row.kind, len(row.name_c), len(row.nip_c))
    assert ["proposal.made", "person.added"] == kinds
    assert ("confirmed", ADMIN_1, ADMIN_2) == (
        stored.outcome,
        stored.proposed_by,
        stored.decided_by,
    )
    assert [] == people_findings(engine)


def test_person_name_and_nip_stand_nowhere_but_private(engine: Engine) -> None:
    """Neither rows nor leaves nor answers hold the name or the NIP."""
    both(engine, AddPerson("siti", "Siti Aminah", NIP))
    found = contents(engine)
    private = found.pop("private_value")

    assert not any(word in repr(found) for word in ("Siti", NIP))
    assert "Siti" in repr(private) and NIP in repr(private)


def test_proposal_before_confirmation_has_no_effect(engine: Engine) -> None:
    """What was proposed is not done: the person may be granted nothing yet."""
    propose(engine, ADMIN_1, AddPerson("siti", "Siti"))
    refused = one(engine, Propose(ADMIN_1, GiveGrant("siti", "accountant", TODAY)))

    assert ("unknown_person", {"person": "siti"}) == refusal(refused)


def test_proposal_withdrawn_is_never_confirmed(engine: Engine) -> None:
    """Either administrator may end a proposal; afterwards it is decided."""
    proposal = propose(engine, ADMIN_1, AddPerson("siti", "Siti"))
    first, second = run(engine, Withdraw(ADMIN_2, proposal), Confirm(ADMIN_2, proposal))

    assert "person.add" == answer(first)["act"]
    assert (
        "proposal_ended",
        {"proposal": proposal, "outcome": "withdrawn", "decided_by": ADMIN_2},
    ) == refusal(second)
    assert [] == people_findings(engine)


def test_proposals_are_listed_in_order_of_the_log(engine: Engine) -> None:
    """Open ones, or of one act, page by the leaf of their first half."""
    ids = [propose(engine, ADMIN_1, AddPerson(f"p-{n}", "N")) for n in range(4)]
    answer(one(engine, Confirm(ADMIN_2, ids[1])))
    with reading(engine) as conn:
        still = list_proposals(conn, GOVERNMENT, is_open=True)
        page = list_proposals(conn, GOVERNMENT, after=still[0].leaf_index, limit=2)
        done = list_proposals(conn, GOVERNMENT, is_open=False, act="person.add")
        none = list_proposals(conn, GOVERNMENT, act="grant.give")
        elsewhere = list_proposals(conn, "36.72")

    assert [ids[0], ids[2], ids[3]] == [p.id for p in still]
    assert [ids[1], ids[2]] == [p.id for p in page]
    assert [ids[1]] == [p.id for p in done]
    assert [] == none == elsewhere


def test_both_hands_by_operator_is_marked_in_the_log(engine: Engine) -> None:
    """The leaf of the first half says that one command claimed both hands."""
    both(engine, AddEntity(SKPD, "Dinas Kesehatan"))
    propose(engine, ADMIN_1, AddEntity("1.03", "Dinas PU"))
    with reading(engine) as conn:
        bodies = [
            bytes(row.body)
            for row in conn.execute(
                text("SELECT body FROM log_leaf WHERE kind = 'proposal.made' ORDER BY idx")
            )
        ]

    assert [True, False] == [b'"by_operator":true' in body for body in bodies]


REFUSED: list[tuple[str, Any, str, dict[str, object]]] = [
    ("not an admin", Propose(FEEDER, AddPerson("x-1", "X")), "not_granted", {"role": "admin"}),
    ("unknown proposer", Propose("nobody", AddPerson("x-1", "X")), "unknown_person", {}),
    ("own approval", BothHands(ADMIN_1, ADMIN_1, AddPerson("x-1", "X")), "own_approval", {}),
    ("second hand not an admin", BothHands(ADMIN_1, FEEDER, AddPerson("x-1", "X")), "not_granted", {}),
    ("first hand not an admin", BothHands(FEEDER, ADMIN_1, AddPerson("x-1", "X")), "not_granted", {}),
    ("existing person", Propose(ADMIN_1, AddPerson(ADMIN_2, "X")), "person_exists", {}),
    ("capital in id", Propose(ADMIN_1, AddPerson("Budi", "X")), "invalid_field", {"field": "person"}),
    ("short id", Propose(ADMIN_1, AddPerson("b", "X")), "invalid_field", {"field": "person"}),
    ("newline in id", Propose(ADMIN_1, AddPerson("budi\n", "X")), "invalid_field", {"field": "person"}),
    ("no name", Propose(ADMIN_1, AddPerson("budi", "")), "invalid_field", {"field": "name"}),
    ("escape in name", Propose(ADMIN_1, AddPerson("budi", "\x1b[2J")), "invalid_field", {"field": "name"}),
    ("short NIP", Propose(ADMIN_1, AddPerson("budi", "B", "123")), "invalid_field", {"field": "nip"}),
    ("kind", Propose(ADMIN_1, AddPerson("budi", "B", "", "robot")), "invalid_field", {"field": "kind"}),
    ("NIP of a service", Propose(ADMIN_1, AddPerson("svc-x", "S", NIP, "service")), "invalid_field", {"field": "nip"}),
    ("grant to nobody", Propose(ADMIN_1, GiveGrant("nobody", "feed", TODAY)), "unknown_person", {}),
    ("no such role", Propose(ADMIN_1, GiveGrant("budi-1", "king", TODAY)), "invalid_field", {"field": "role"}),
    ("financial role for an admin", BothHands("admin-3", ADMIN_2, GiveGrant(ADMIN_1, "accountant", TODAY)), "exclusive_roles", {"held": "admin"}),
    ("writing role for an inspector", Propose(ADMIN_1, GiveGrant("inspektur", "feed", TODAY)), "exclusive_roles", {"held": "inspector", "role": "feed"}),
    ("inspection for a writer", Propose(ADMIN_1, GiveGrant("budi-1", "inspector", TODAY)), "exclusive_roles", {"held": "accountant"}),
    ("officer's role for a service", Propose(ADMIN_1, GiveGrant(FEEDER, "accountant", TODAY)), "service_role", {}),
    ("the same role again", Propose(ADMIN_1, GiveGrant("budi-1", "accountant", TODAY)), "grant_overlaps", {}),
    ("own grant", BothHands("admin-3", ADMIN_2, GiveGrant("admin-3", "inspector", TODAY)), "own_approval", {"second": "proposer"}),
    ("grant for oneself confirmed", BothHands(ADMIN_2, "admin-3", GiveGrant("admin-3", "inspector", TODAY)), "own_approval", {"second": "confirmer"}),
    ("unknown SKPD", Propose(ADMIN_1, GiveGrant("budi-1", "budget_user", TODAY, skpd="9.99")), "unknown_entity", {"entity": "9.99"}),
    ("ends before it begins", Propose(ADMIN_1, GiveGrant("budi-1", "feed", TODAY, "2026-01-01")), "invalid_field", {"field": "valid_to"}),
    ("no date", Propose(ADMIN_1, GiveGrant("budi-1", "feed", "kemarin")), "invalid_field", {"field": "valid_from"}),
    ("Plt without document", Propose(ADMIN_1, GiveGrant("budi-1", "feed", TODAY, "2026-12-31", mandate="plt")), "invalid_field", {"field": "mandate_document"}),
    ("Plh without end", Propose(ADMIN_1, GiveGrant("budi-1", "feed", TODAY, mandate="plh", mandate_document="SK 1")), "invalid_field", {"field": "valid_to"}),
    ("mandate", Propose(ADMIN_1, GiveGrant("budi-1", "feed", TODAY, mandate="interim")), "invalid_field", {"field": "mandate"}),
    ("unknown grant", Propose(ADMIN_1, EndGrant("g-0", TODAY)), "unknown_grant", {}),
    ("end in the past", Propose(ADMIN_1, EndGrant("init-svc-feed-feed", "2026-11-20")), "invalid_field", {"field": "ended_on"}),
    ("unknown proposal", Confirm(ADMIN_2, "p-0"), "unknown_proposal", {}),
    ("withdraw nothing", Withdraw(ADMIN_2, "p-0"), "unknown_proposal", {}),
    ("operator on money", BothHands(ADMIN_1, ADMIN_2, AskManualJournal(manual())), "not_for_operator", {"act": "journal.manual"}),
    ("second PPKD", Propose(ADMIN_1, AddEntity("PPKD2", "P", "PPKD")), "invalid_field", {"field": "kind"}),
    ("entity again", Propose(ADMIN_1, AddEntity("PPKD", "P")), "entity_exists", {}),
    ("entity code", Propose(ADMIN_1, AddEntity("1.02/3", "P")), "invalid_field", {"field": "code"}),
    ("bank account again", Propose(ADMIN_1, AddBankAccount(BANK, "R", "1.1.01.01.01.0001", TODAY)), "bank_account_exists", {}),
    ("bank account off cash", Propose(ADMIN_1, AddBankAccount("137:222222", "R", "5.1.02.01.01.0024", TODAY)), "invalid_field", {"field": "account"}),
    ("cash account not in the chart", Propose(ADMIN_1, AddBankAccount("137:222222", "R", "1.1.01.01.99.9999", TODAY)), "unknown_account", {}),
    ("year again", Propose(ADMIN_1, OpenFiscalYear(2026, "x")), "fiscal_year_exists", {}),
    ("chart not loaded", Propose(ADMIN_1, OpenFiscalYear(2030, "x")), "unknown_chart", {"chart_version": "x"}),
    ("year out of range", Propose(ADMIN_1, OpenFiscalYear(99999, "x")), "invalid_field", {"field": "year"}),
    ("no such policy", Propose(ADMIN_1, SetPolicy("mercy", "on", TODAY)), "invalid_field", {"field": "name"}),
    ("policy value", Propose(ADMIN_1, SetPolicy("recognition", "never", "2027-01-01")), "invalid_field", {"field": "value"}),
    ("number without a year", Propose(ADMIN_1, SetPolicy("sp2d_number", "SP2D/{serial}", "2027-01-01")), "invalid_field", {"field": "value"}),
    ("number of two serials", Propose(ADMIN_1, SetPolicy("sp2d_number", "{serial}/{serial}/{year}", "2027-01-01")), "invalid_field", {"field": "value"}),
    ("number of parts unknown", Propose(ADMIN_1, SetPolicy("sp2d_number", "{serial}/{dinas}/{year}", "2027-01-01")), "invalid_field", {"field": "value"}),
    ("kind that is not fed", Propose(ADMIN_1, SetPolicy("feed", "Manual", "2026-01-01")), "invalid_field", {"field": "value"}),
    ("no kind", Propose(ADMIN_1, SetPolicy("feed", "**", "2026-01-01")), "invalid_field", {"field": "value"}),
    ("policy in the past", Propose(ADMIN_1, SetPolicy("recognition", "on_cair", "2026-01-01")), "invalid_field", {"field": "valid_from"}),
    ("policy again", Propose(ADMIN_1, SetPolicy("feed", "*", "0001-01-01")), "policy_exists", {}),
]  # fmt: skip


def test_refusals_are_named_and_change_nothing(engine: Engine) -> None:
    """Each refusal has its name and values; not a byte of the books is another afterwards."""
    appoint(engine, "admin-3", "admin")
    appoint(engine, "budi-1", "accountant")
    appoint(engine, "inspektur", "inspector")
    before = contents(engine)
    got = []
    for name, command, _, _ in REFUSED:
        code, values = refusal(one(engine, command))
        got.append((name, code, values))

    assert [(name, code) for name, _, code, _ in REFUSED] == [(name, code) for name, code, _ in got]
    for (_, _, _, wanted), (name, _, values) in zip(REFUSED, got, strict=True):
        assert wanted.items() <= values.items(), (name, values)
    assert before == contents(engine)


def test_nip_of_another_person_is_refused_without_being_told(engine: Engine) -> None:
    """One natural person is one person here, at both halves; the refusal names the other's id."""
    first = propose(engine, ADMIN_1, AddPerson("siti", "Siti", NIP))
    second = propose(engine, ADMIN_1, AddPerson("siti-lagi", "Siti", NIP))
    answer(one(engine, Confirm(ADMIN_2, first)))
    late = refusal(one(engine, Confirm(ADMIN_2, second)))
    early = refusal(one(engine, Propose(ADMIN_1, AddPerson("siti-3", "Siti", NIP))))

    assert ("nip_taken", {"person": "siti-lagi", "taken_by": "siti"}) == late
    assert ("nip_taken", {"person": "siti-3", "taken_by": "siti"}) == early


def test_one_person_for_both_halves_is_refused(engine: Engine) -> None:
    """The proposer may not confirm, whatever the grants."""
    proposal = propose(engine, ADMIN_1, AddPerson("siti", "Siti"))

    assert (
        "own_approval",
        {"person": ADMIN_1, "first": "proposer", "second": "confirmer"},
    ) == refusal(one(engine, Confirm(ADMIN_1, proposal)))


def test_grant_ended_no_longer_counts_from_that_day(engine: Engine) -> None:
    """The first day without it is the day named; until then it counts."""
    (added,) = both(engine, AddPerson("siti", "Siti"))[:1]
    (given,) = both(engine, GiveGrant("siti", "admin", "2026-01-01"))
    both(engine, EndGrant(given["grant"], "2026-12-01"))
    may = one(engine, Propose("siti", AddPerson("x-1", "X")), today="2026-11-30")
    may_not = one(engine, Propose("siti", AddPerson("x-2", "X")), today="2026-12-01")
    again = one(engine, Propose(ADMIN_1, EndGrant(given["grant"], "2026-12-02")))

    assert "siti" == added["person"]
    assert "person.add" == answer(may)["act"]
    assert "not_granted" == refusal(may_not)[0]
    assert "grant_ended" == refusal(again)[0]
    assert [] == people_findings(engine)


def test_exclusive_role_after_the_other_ended_is_given(engine: Engine) -> None:
    """Days decide: who was an administrator may be an accountant afterwards."""
    both(engine, AddPerson("siti", "Siti"))
    (given,) = both(engine, GiveGrant("siti", "admin", "2026-01-01"))
    both(engine, EndGrant(given["grant"], "2026-12-01"))
    early = one(engine, Propose(ADMIN_1, GiveGrant("siti", "accountant", "2026-11-30")))
    later = one(engine, Propose(ADMIN_1, GiveGrant("siti", "accountant", "2026-12-01")))

    assert "exclusive_roles" == refusal(early)[0]
    assert "grant.give" == answer(later)["act"]


def test_last_two_administrators_stay(engine: Engine) -> None:
    """Fewer than two could confirm nothing any more; with a third, one may go."""
    end = EndGrant("init-admin-1-admin", TODAY)
    refused = refusal(one(engine, Propose(ADMIN_2, end)))
    appoint(engine, "admin-3", "admin")
    both(engine, end)

    assert "last_administrators" == refused[0]
    assert 1 == refused[1]["left"]
    assert "not_granted" == refusal(one(engine, Propose(ADMIN_1, AddPerson("x-1", "X"))))[0]


def test_two_ends_in_one_batch_keep_two_administrators(engine: Engine) -> None:
    """The second of two confirmations sees what the first did."""
    appoint(engine, "admin-3", "admin")
    ends = [
        propose(engine, ADMIN_1, EndGrant(f"init-{person}-admin", TODAY))
        for person in (ADMIN_1, ADMIN_2)
    ]
    first, second = run(engine, *(Confirm("admin-3", end) for end in ends))

    assert "init-admin-1-admin" == answer(first)["grant"]
    assert "last_administrators" == refusal(second)[0]


def test_settings_by_two_hands_take_effect(engine: Engine) -> None:
    """A policy, an entity, a bank account and a year are known to the next act."""
    both(
        engine,
        AddEntity(SKPD, "Dinas Kesehatan"),
        SetPolicy("recognition", "on_cair", "2027-01-01"),
        AddBankAccount("014:5555555", "RKUD kedua", "1.1.01.01.01.0001", "2026-06-01"),
        OpenFiscalYear(2027, "kepmendagri-050-3708-2020"),
        AddPerson("pa-kesehatan", "Kepala Dinas"),
        GiveGrant("pa-kesehatan", "budget_user", "2026-01-01", skpd=SKPD),
    )
    with begin(engine) as conn:
        settings = open_session(conn, GOVERNMENT, now=NOW, today=TODAY).settings

    assert "SKPD" == settings.entities[SKPD]
    assert ("on_issue", "on_cair") == (
        settings.policy("recognition", "2026-12-31"),
        settings.policy("recognition", "2027-01-01"),
    )
    assert "1.1.01.01.01.0001" == settings.bank_accounts["014:5555555"]
    assert 2027 in settings.years
    assert settings.grant("pa-kesehatan", "budget_user", TODAY, skpd=SKPD) is not None
    assert settings.grant("pa-kesehatan", "budget_user", TODAY, skpd="1.03") is None
    assert [] == people_findings(engine)


@pytest.mark.parametrize("changes", [{}, {"leaf_index": 10**6}, {"proposed_by": ADMIN_2}])
def test_proposal_changed_behind_the_ledger_is_not_confirmed(
    engine: Engine, changes: dict[str, object]
) -> None:
    """The second half compares the stored proposal with its leaf; one without a leaf is none."""
    appoint(engine, "admin-3", "admin")
    proposal = propose(engine, ADMIN_1, AddEntity(SKPD, "Dinas Kesehatan"))
    with begin(engine) as conn:
        row = conn.execute(text("SELECT * FROM proposal WHERE id = :id"), {"id": proposal}).one()
        forged = bytes(row.content).replace(b"Kesehatan", b"Gelap")
        values = dict(row._mapping) | {"id": "p-forged", "content": forged} | changes
        conn.execute(
            text(f"INSERT INTO proposal VALUES ({', '.join(f':{c}' for c in row._mapping)})"),
            values,
        )
    leaf = values["leaf_index"]

    assert ("proposal_altered", {"proposal": "p-forged", "leaf_index": leaf}) == refusal(
        one(engine, Confirm("admin-3", "p-forged"))
    )
    assert [("row_without_leaf", "proposal", "p-forged")] == [
        (f.code, f.table, f.key) for f in people_findings(engine)
    ]


def test_database_refuses_one_person_for_both_hands(engine: Engine) -> None:
    """Where the code is walked past, CHECKs stand: proposal_end, grants, grant ends, keys."""
    proposal = propose(engine, ADMIN_1, AddPerson("siti", "Siti"))
    end = (
        "INSERT INTO proposal_end (government, proposal_id, proposed_by, outcome, decided_by,"
        " decided_at, leaf_index) VALUES ('36', :p, :first, :outcome, :second, 'x', 0)"
    )
    grant = (
        "INSERT INTO grant_given VALUES ('36', :p, 'admin-1', 'feed', '', 'definitive', '',"
        " '2026-01-01', '2026-12-31', :first, :second, 0)"
    )
    key = "INSERT INTO officer_key VALUES ('36', :p, 'admin-1', 'ed25519', :key, :key, :first, :second, 0)"
    ended = "INSERT INTO grant_end VALUES ('36', 'init-svc-feed-feed', :p, :first, :second, 0)"
    same = {"p": proposal, "first": ADMIN_1, "second": ADMIN_1, "outcome": "confirmed", "key": b"k"}
    for sql in (end, grant, key, ended):
        with pytest.raises(DBAPIError), begin(engine) as conn:
            conn.execute(text(sql), same)
    # Nor does naming another proposer help: the foreign key knows who it was.
    with pytest.raises(DBAPIError), begin(engine) as conn:
        conn.execute(text(end), same | {"first": ADMIN_2})
    # With two persons the same rows pass: it was the hands that were refused.
    for sql in (end, grant, key, ended):
        with pytest.raises(ZeroDivisionError), begin(engine) as conn:
            conn.execute(text(sql), same | {"second": ADMIN_2})
            raise ZeroDivisionError


def test_group_of_two_acts_stands_together(engine: Engine) -> None:
    """A linked group of both hands is one result."""
    (result,) = run(
        engine,
        Group(
            [
                BothHands(ADMIN_1, ADMIN_2, AddEntity("1.02", "A")),
                BothHands(ADMIN_1, ADMIN_2, AddEntity("1.03", "B")),
            ]
        ),
    )

    assert ["1.02", "1.03"] == [done["entity"] for done in answer(result)]


@given(st.text(max_size=70))
def test_person_id_of_other_form_is_refused(person: str) -> None:
    """Whatever passes is lower-case ASCII without white space, 2 to 64 characters."""
    try:
        check_person_form(person=person, kind="officer", name="N", nip="")
    except InvalidFieldError:
        return

    assert 2 <= len(person) <= 64
    assert person.isascii() and person == person.lower() and not any(c.isspace() for c in person)


@given(st.sampled_from(sorted(ROLES)), st.sampled_from(sorted(ROLES)), st.booleans())
def test_exclusive_roles_exclude_both_ways(one_role: str, other: str, apart: bool) -> None:
    """The rule does not depend on which came first, and only counts in common days."""
    first = Grant("a", one_role, "", "definitive", "2026-01-01", "2026-06-30")
    second = Grant("b", other, "", "definitive", "2026-07-01" if apart else "2026-06-30", FOREVER)
    excluded = other in EXCLUSIVE.get(one_role, ()) or one_role in EXCLUSIVE.get(other, ())

    assert (excluded and not apart) == (exclusive_conflict(first, [second]) is not None)
    assert (excluded and not apart) == (exclusive_conflict(second, [first]) is not None)
