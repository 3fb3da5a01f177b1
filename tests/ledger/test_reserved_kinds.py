"""Kinds of journals that belong to other acts than a feed."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from api.engine import reading
from ledger.commands import ReverseJournal
from ledger.opening import FEEDER
from ledger.proposals import DraftManualJournal, PostManualJournal
from tests import builders as b
from tests.ledger.people import appoint, manual, one


@pytest.mark.parametrize("kind", ["manual", "reversal", "opening", "Opening", "REVERSAL"])
def test_feed_of_a_reserved_kind_is_refused_by_name(engine: Engine, kind: str) -> None:
    """Even where every kind may be fed."""
    before = b.counts(engine)

    for day in ("2026-11-20", b.TODAY):
        (result,) = b.run(engine, *b.post(b.journal("F-1", kind=kind, effective_on=day)))

        code, values = b.refusal(result)
        assert ("reserved_kind", kind) == (code, values["kind"])
        allowed = values["allowed"]
        assert isinstance(allowed, list)
        assert "*" in allowed
        assert kind not in allowed
    assert before == b.counts(engine)


@pytest.mark.parametrize("kind", ["receipt", "openings", "manual.entry", "sp2d.issue"])
def test_feed_of_another_kind_goes_on(engine: Engine, kind: str) -> None:
    """A kind that only looks like a reserved one is the feed's own."""
    (result,) = b.run(engine, *b.post(b.journal("F-1", kind=kind)))

    assert "F-1" == b.answer(result)["reference"]


def test_acts_that_own_the_kinds_go_on(engine: Engine) -> None:
    """The book is opened, a fed journal reversed, and a journal posted by hand as what it is."""
    for person in ("acc-1", "acc-2"):
        appoint(engine, person, "accountant")
    fed = b.answer(b.run(engine, *b.post(b.journal("F-1")))[0])["journal"]

    b.answer(one(engine, ReverseJournal(FEEDER, fed, "F-1/R", "2026-11-20", "keliru")))
    draft = b.answer(one(engine, DraftManualJournal("acc-1", manual(kind="manual"))))["proposal"]
    b.answer(one(engine, PostManualJournal("acc-2", draft)))

    with reading(engine) as conn:
        rows = conn.execute(text("SELECT kind, source FROM journal ORDER BY id")).all()
    assert [("opening", "bank"), ("uji", "feed"), ("reversal", "feed"), ("manual", "manual")] == [
        tuple(row) for row in rows
    ]
    assert [] == b.kernel_findings(engine)
