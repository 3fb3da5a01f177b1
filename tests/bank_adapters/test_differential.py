"""MT940 by this product and by two other packages: every difference has a rule (`differential.py`)."""

from __future__ import annotations

import pytest

from tests.bank_adapters.differential import (
    ENTRY_TRAITS,
    FILE_TRAITS,
    PACKAGES,
    REFUSED_BY_US,
    RULES,
    Counts,
    Difference,
    compare,
    differences,
    draw,
    installed,
    read_by_us,
    written,
)

FILES = [draw(seed) for seed in range(600)]


def test_file_of_any_deviations_says_what_was_written() -> None:
    """Amounts, days, references, texts and balances of every file are those its writer meant."""
    for file in FILES:
        reading = read_by_us(file)
        if file.traits & REFUSED_BY_US:
            assert ("unreadable_entry", []) == (reading.refused, reading.rows)
        else:
            assert [] == list(differences(file, "rkud", reading)), file.seed
            assert written(file).balances == reading.balances


def test_files_drawn_hold_every_deviation() -> None:
    """A comparison over files without deviations would prove nothing."""
    drawn = set().union(*(file.traits for file in FILES))
    drawn |= {trait for file in FILES for entry in file.entries for trait in entry.traits}

    assert {*FILE_TRAITS, *ENTRY_TRAITS} == drawn


@pytest.fixture(scope="module", params=PACKAGES)
def package(request: pytest.FixtureRequest) -> str:
    """A package, where it is installed."""
    name: str = request.param
    if not installed(name):
        pytest.skip(f"{name} is not installed (make differential)")
    return name


@pytest.fixture(scope="module")
def counts(package: str) -> Counts:
    """All files, read by the package."""
    return compare(FILES, package)


def test_package_differs_only_where_a_rule_says_why(counts: Counts) -> None:
    """No difference is unexplained, and most files are read alike."""
    assert [] == counts.unexplained
    assert counts.files_alike > len(FILES) / 3
    assert counts.entries_alike > counts.entries / 2


def test_rule_for_a_package_is_needed(package: str, counts: Counts) -> None:
    """A rule that explains nothing is none."""
    named = {rule.name for rule in RULES if package in rule.packages}

    assert named == set(counts.by_rule)


def test_difference_without_a_rule_is_unexplained() -> None:
    """An amount that is wrong for no reason, and one that is not cut as the rule says."""
    file = next(file for file in FILES if any("wide" in each.traits for each in file.entries))
    entry = next(each for each in file.entries if "wide" in each.traits)
    amount = written(file).rows[file.entries.index(entry)].amount

    for traits in (frozenset(), frozenset({"wide"})):
        found = Difference("mt-940", "amount", traits, amount, amount + 1, entry)
        assert not any(rule.explains(found) for rule in RULES)
