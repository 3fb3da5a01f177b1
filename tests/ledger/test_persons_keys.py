"""Officers' keys: enrolled with proof, one person each, valid by their place in the log."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from api.engine import reading
from audit.keys import generate_officer_key, officer_key_id, prove_possession
from ledger.officer_keys import (
    EnrollOfficerKey,
    OfficerKeyRevokedError,
    RevokeOfficerKey,
    UnknownOfficerKeyError,
    officer_public_key,
    possession_challenge,
)
from ledger.opening import ADMIN_1, ADMIN_2, FEEDER
from ledger.proposals import BothHands, Confirm, Propose
from tests.builders import GOVERNMENT, answer, refusal
from tests.ledger.people import (
    ORIGIN,
    appoint,
    both,
    contents,
    new_key,
    one,
    people_findings,
    propose,
)


def test_key_enrolled_and_revoked_counts_between_its_leaves(engine: Engine) -> None:
    """A signature is by an officer if its leaf stands after the enrolment, before the revocation."""
    appoint(engine, "kuasa-bud", "deputy_treasurer")
    key = new_key("kuasa-bud")
    (enrolled,) = both(engine, key)
    (revoked,) = both(engine, RevokeOfficerKey(enrolled["key_id"], "kuasa-bud"))
    start, end, key_id = enrolled["leaf_index"], revoked["leaf_index"], enrolled["key_id"]
    with reading(engine) as conn:
        found = officer_public_key(conn, GOVERNMENT, key_id, at=end)
        assert ("kuasa-bud", bytes.fromhex(key.public_key)) == found
        assert found == officer_public_key(conn, GOVERNMENT, key_id, at=start + 1)
        for at in (start, start - 1):
            with pytest.raises(UnknownOfficerKeyError):
                officer_public_key(conn, GOVERNMENT, key_id, at=at)
        for at in (None, end + 1):
            with pytest.raises(OfficerKeyRevokedError):
                officer_public_key(conn, GOVERNMENT, key_id, at=at)
        with pytest.raises(UnknownOfficerKeyError):
            officer_public_key(conn, "36.72", key_id)

    assert officer_key_id(bytes.fromhex(key.public_key)) == key_id
    assert [] == people_findings(engine)


def test_officer_proposes_own_key_and_never_confirms_it(engine: Engine) -> None:
    """The officer may ask for it, an administrator confirms; an administrator's own key needs another."""
    appoint(engine, "kuasa-bud", "deputy_treasurer")
    proposal = propose(engine, "kuasa-bud", new_key("kuasa-bud"))
    own = one(engine, BothHands(ADMIN_1, ADMIN_2, new_key(ADMIN_2)))

    assert "kuasa-bud" == answer(one(engine, Confirm(ADMIN_1, proposal)))["person"]
    assert ("own_approval", "holder of the key") == (refusal(own)[0], refusal(own)[1]["first"])


def test_key_of_one_person_is_never_anothers(engine: Engine) -> None:
    """One key belongs to one person, and is enrolled once, even after it was revoked."""
    appoint(engine, "kuasa-bud", "deputy_treasurer")
    appoint(engine, "siti", "sp2d_maker")
    private = generate_officer_key()
    public = private.public_key().public_bytes_raw().hex()

    def key(person: str) -> EnrollOfficerKey:
        proof = prove_possession(private, possession_challenge(ORIGIN, person))
        return EnrollOfficerKey(person, public, proof.hex())

    (enrolled,) = both(engine, key("kuasa-bud"))
    other = refusal(one(engine, Propose(ADMIN_1, key("siti"))))
    both(engine, RevokeOfficerKey(enrolled["key_id"], "kuasa-bud"))
    again = refusal(one(engine, Propose(ADMIN_1, key("kuasa-bud"))))

    assert ("officer_key_enrolled", {"key_id": enrolled["key_id"], "person": "kuasa-bud"}) == other
    assert other == again


def test_unacceptable_keys_are_refused_and_change_nothing(engine: Engine) -> None:
    """Weak keys, proofs by another key, for another person or log, malformed hex: each by name."""
    appoint(engine, "kuasa-bud", "deputy_treasurer")
    good = new_key("kuasa-bud")
    low_order = "00" * 32  # a point of order 4: one signature fits every message
    not_canonical = "ed" + "ff" * 30 + "7f"  # y = p, a second spelling of y = 0
    cases = [
        ("unacceptable_officer_key", replace(good, public_key=low_order)),
        ("unacceptable_officer_key", replace(good, public_key=not_canonical)),
        ("unacceptable_officer_key", replace(good, possession=new_key("kuasa-bud").possession)),
        ("unacceptable_officer_key", replace(good, person="siti")),
        ("unacceptable_officer_key", new_key("kuasa-bud", origin="rkud/99")),
        ("invalid_field", replace(good, public_key=good.public_key.upper() + "")),
        ("invalid_field", replace(good, public_key=good.public_key[:-2])),
        ("invalid_field", replace(good, possession="")),
        ("invalid_field", replace(good, algorithm="p256")),
        ("unknown_person", new_key("nobody")),
        ("invalid_field", new_key(FEEDER)),
        ("unknown_officer_key", RevokeOfficerKey("ed25519:0000000000000000", "kuasa-bud")),
    ]
    before = contents(engine)
    got = [refusal(one(engine, Propose(ADMIN_1, act)))[0] for _, act in cases]

    assert [code for code, _ in cases] == got
    assert before == contents(engine)


def test_key_is_not_revoked_under_another_name(engine: Engine) -> None:
    """Nobody becomes the proposer of another's revocation by naming oneself."""
    appoint(engine, "kuasa-bud", "deputy_treasurer")
    appoint(engine, "siti", "sp2d_maker")
    (enrolled,) = both(engine, new_key("kuasa-bud"))
    as_self = one(engine, Propose("siti", RevokeOfficerKey(enrolled["key_id"], "siti")))
    as_other = one(engine, Propose("siti", RevokeOfficerKey(enrolled["key_id"], "kuasa-bud")))

    assert "unknown_officer_key" == refusal(as_self)[0]
    assert "not_granted" == refusal(as_other)[0]
