"""A batch so long that its journals are sent while it is still being decided."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from ledger import session
from ledger.posting import Accepted, Refused
from tests.builders import CASH, EXPENSE, answer, counts, journal, kernel_findings, line, post, run


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_LINES_SENT", 4)


def test_long_batch_with_refusals_between_posts_the_good_ones(engine: Engine) -> None:
    """What was sent before a refusal stays, and the numbers have no gap."""
    uneven = [line(EXPENSE, debit="1.00"), line(CASH, credit="2.00")]
    sent = [journal(f"J-{n}", **({"lines": uneven} if n % 3 == 2 else {})) for n in range(20)]

    results = run(engine, *post(*sent))

    assert [n % 3 == 2 for n in range(20)] == [isinstance(each, Refused) for each in results]
    posted = [answer(each)["journal"] for each in results if isinstance(each, Accepted)]
    assert list(range(posted[0], posted[0] + 14)) == posted
    assert [] == kernel_findings(engine)


def test_long_batch_that_repeats_a_reference_gives_the_first_journal(engine: Engine) -> None:
    """Also when the first was sent already, and is read back from the database."""
    sent = [journal(f"J-{n}") for n in range(12)]

    first, *_, again = run(engine, *post(*sent, journal("J-0")))
    other = run(engine, *post(*sent[:8], journal("J-0", description="lain")))[-1]

    assert answer(first)["journal"] == answer(again)["journal"]
    assert answer(again)["replayed"] is True
    assert isinstance(other, Refused)
    assert "reference_reused" == other.error.code


def test_long_batch_that_the_database_refuses_leaves_no_trace(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error behind what was sent takes it back too."""
    before = counts(engine, "journal", "journal_line", "log_leaf", "private_value", "batch")

    def fail(*_: object) -> None:
        raise RuntimeError("the last write failed")

    monkeypatch.setattr(session, "write_position", fail)
    with pytest.raises(RuntimeError, match="last write"):
        run(engine, *post(*(journal(f"J-{n}") for n in range(12))))

    assert before == counts(engine, *before)
