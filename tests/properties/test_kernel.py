"""Random batches against an oracle in plain Python, on both engines at once."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from api.engine import begin, make_engine, reading
from ledger.money import sen_text
from ledger.opening import FEEDER
from ledger.posting import Accepted, Group, Refused
from tests.builders import BANK, CASH, EXPENSE, PFK, journal, kernel_findings, line, post, run
from tests.databases import Database

_DAYS = ("2026-01-05", "2026-11-19", "2026-11-20", "2026-11-21")

_amount = st.one_of(st.integers(1, 5_000_000_000), st.integers(40_000_000_000, 120_000_000_000))


@st.composite
def _journals(draw: st.DrawFn) -> dict[str, Any]:
    """A payment or a receipt; now and then uneven, in the future, or under a used reference."""
    sen = draw(_amount)
    wrong = draw(st.sampled_from([0, 0, 0, 0, 1, -1]))
    pays = draw(st.booleans())
    account = draw(st.sampled_from([EXPENSE, PFK, "8.1.02.01.01.0025"]))
    debit, credit = sen_text(sen + wrong), sen_text(sen)
    lines = (
        [line(account, debit=debit), line(CASH, credit=credit)]
        if pays
        else [line(CASH, debit=debit), line(account, credit=credit)]
    )
    return journal(
        f"R-{draw(st.integers(0, 30))}",
        effective_on=draw(st.sampled_from([*_DAYS, "2026-11-22"])),
        lines=lines,
    )


_batches = st.lists(
    st.lists(
        st.one_of(_journals(), st.lists(_journals(), min_size=2, max_size=3)),
        min_size=1,
        max_size=6,
    ),
    min_size=1,
    max_size=5,
)


class Oracle:
    """What the books must say, kept the simplest way."""

    def __init__(self) -> None:
        self.posted: dict[str, dict[str, Any]] = {}
        self.cash = 100_000_000_000

    def offer(self, sent: dict[str, Any]) -> str:
        """The code of the refusal, `replayed` or `posted`."""
        # What is no journal by its form is refused for that, whatever its reference.
        if any(
            int(one[side].replace(".", "")) <= 0 for one in sent["lines"] for side in _sides(one)
        ):
            return "invalid_field"
        known = self.posted.get(sent["reference"])
        if known is not None:
            return "replayed" if known == sent else "reference_reused"
        if sent["effective_on"] > "2026-11-21":
            return "future_effective_date"
        moves = {"debit": 0, "credit": 0}
        cash = 0
        for one in sent["lines"]:
            side = "debit" if "debit" in one else "credit"
            sen = int(one[side].replace(".", ""))
            moves[side] += sen
            if one["account"] == CASH:
                cash += sen if side == "debit" else -sen
        if moves["debit"] != moves["credit"]:
            return "unbalanced_journal"
        if self.cash + cash < 0:
            return "over_cash"
        self.cash += cash
        self.posted[sent["reference"]] = sent
        return "posted"

    def offer_group(self, group: list[dict[str, Any]]) -> str:
        kept, cash = dict(self.posted), self.cash
        for sent in group:
            outcome = self.offer(sent)
            if outcome not in ("posted", "replayed"):
                self.posted, self.cash = kept, cash
                return outcome
        return "posted"


def _sides(one: dict[str, str]) -> list[str]:
    return [side for side in ("debit", "credit") if side in one]


def _outcome(result: Accepted | Refused) -> str:
    if isinstance(result, Refused):
        return result.error.code
    return (
        "replayed"
        if b'"replayed":true' in result.answer and b"[" not in result.answer
        else "posted"
    )


def test_random_batches_agree_with_the_oracle(opened: Database) -> None:
    """Whatever is sent in whatever grouping, both engines decide as the oracle does."""
    engine = make_engine(opened.url)
    run_number = iter(range(10_000))

    @settings(
        max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
    )
    @given(batches=_batches)
    def check(batches: list[list[Any]]) -> None:
        oracle = Oracle()
        prefix = next(run_number)
        _level_cash(engine, prefix)
        for batch in batches:
            renamed = [_renamed(item, prefix) for item in batch]
            commands = [
                Group(post(*item)) if isinstance(item, list) else post(item)[0] for item in renamed
            ]
            expected = [
                oracle.offer_group(item) if isinstance(item, list) else oracle.offer(item)
                for item in renamed
            ]

            results = run(engine, *commands)

            assert expected == [_outcome(result) for result in results]
        with reading(engine) as conn:
            stored = conn.execute(
                text("SELECT balance_sen FROM account_balance WHERE bank_account = :b"), {"b": BANK}
            ).scalar()
        assert oracle.cash == stored

    check()

    assert [] == kernel_findings(engine)
    engine.dispose()


def _renamed(item: Any, prefix: int) -> Any:
    """References of one example must not meet those of another in the same book."""
    if isinstance(item, list):
        return [_renamed(one, prefix) for one in item]
    return item | {"reference": f"{prefix}-{item['reference']}"}


def _level_cash(engine: Engine, prefix: int) -> None:
    """Bring the RKUD back to Rp 1,000,000,000.00, where the oracle starts."""
    with begin(engine) as conn:
        have = conn.execute(
            text("SELECT balance_sen FROM account_balance WHERE bank_account = :b"), {"b": BANK}
        ).scalar()
    rest = 100_000_000_000 - int(have or 0)
    if rest:
        side, other = ("debit", "credit") if rest > 0 else ("credit", "debit")
        lines = [
            line(CASH, **{side: sen_text(abs(rest))}),
            line(PFK, **{other: sen_text(abs(rest))}),
        ]
        (result,) = run(engine, *post(journal(f"LEVEL-{prefix}", lines=lines), by=FEEDER))
        assert isinstance(result, Accepted)
