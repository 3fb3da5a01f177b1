"""The journals of the benches are good ones, and the same in every run."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from api.bench.workload import Shape, bodies, budget_spots, plain_accounts
from api.bench.yardsticks import bare, hashing
from audit import leaf_hash, root_of
from ledger.journals import JournalBody, parse_body
from ledger.money import parse_sen


def _made(shape: Shape, count: int, **options: int) -> list[JournalBody]:
    source = bodies(shape, count, prefix="T", first_day="2025-12-31", **options)
    return [parse_body(body) for body in source]


@pytest.mark.parametrize(("shape", "lines"), [("hot", 4), ("spread", 4), ("ls16", 16)])
def test_journal_of_each_shape_balances_per_entity_and_book(shape: Shape, lines: int) -> None:
    """With the number of lines that the shape promises."""
    for body in _made(shape, 20):
        sums: dict[tuple[str, str], int] = {}
        for line in body.lines:
            sen = parse_sen(line.debit) if line.debit else -parse_sen(line.credit or "")
            sums[line.entity, line.book] = sums.get((line.entity, line.book), 0) + sen

        assert lines == len(body.lines)
        assert {0} == set(sums.values())


def test_journals_drawn_twice_are_the_same() -> None:
    """The seed alone decides."""
    first, second = (list(bodies("ls16", 5, prefix="T", first_day="2026-01-02")) for _ in range(2))

    assert first == second


def test_days_of_a_file_go_up_by_the_given_number_a_day() -> None:
    """An import file goes by date, over the end of a year too."""
    days = [body.effective_on for body in _made("hot", 5, journals_a_day=2)]

    assert ["2025-12-31"] * 2 + ["2026-01-01"] * 2 + ["2026-01-02"] == days


def test_cash_of_shape_spread_takes_every_bank_account_in_turn() -> None:
    """As many accounts as asked for, none twice before all were used."""
    banks = [line.bank_account for body in _made("spread", 6, banks=3) for line in body.lines[-1:]]

    assert banks[:3] == banks[3:]
    assert 3 == len(set(banks))


def test_ten_thousand_accounts_and_budget_lines_are_different_ones() -> None:
    """Otherwise hot rows of our own making would be measured."""
    lines = list(itertools.chain.from_iterable(spot.lines for spot in budget_spots()))

    assert 10_000 == len(set(plain_accounts()))
    assert 10_000 == len(set(lines))


def test_bare_client_journal_balances_and_names_the_hot_account() -> None:
    """The yardstick writes what the product writes: four lines, one of them cash."""
    for number, reference, _, entries in bare.journals(10):
        assert f"B{number}" == reference
        assert 0 == sum(sen for _, sen in entries)
        assert 1 == sum(account == 0 for account, _ in entries)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 1000])
def test_bare_hashing_of_any_count_gives_the_root_of_the_log(count: int) -> None:
    """The yardstick computes what the verifier computes."""
    entries = [msgspec.json.encode(n) for n in range(count)]
    leaves = [leaf_hash(entry) for entry in entries]

    assert root_of(leaves) == hashing.root_of(entries)
