"""The fault script: what it says, of whom, and what it may not say."""

from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank_adapters.simulator.errors import MalformedInputError
from bank_adapters.simulator.faults import FAULT_MEANINGS, Fate, read_script

references = st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1, max_size=30)


@given(st.lists(references, unique=True), st.randoms())
def test_fate_is_the_same_whatever_the_order_of_asking(asked, random):
    """A reference's fate hangs on seed and reference alone."""
    text = "seed = 3\n[probability]\ntimeout_after = 0.5\ntwin = 0.5"
    shuffled = random.sample(asked, len(asked))
    first, second = read_script(text), read_script(text)

    fates = {each: first.fate(each) for each in asked}

    assert fates == {each: second.fate(each) for each in shuffled}


def test_fate_of_another_seed_is_another():
    """Two seeds do not hit the same references."""
    script = read_script("[probability]\ntimeout_after = 0.5")
    other = script.with_seed(2)
    names = [f"P-{n}" for n in range(64)]

    assert [script.fate(n) for n in names] != [other.fate(n) for n in names]


def test_probabilities_are_kept_over_many_references():
    """Shares come out as the script says, each fault of a kind for itself."""
    script = read_script("[probability]\ntimeout_after = 0.1\nbroken_body = 0.2\nreturned = 0.3")
    fates = [script.fate(f"P-{n}") for n in range(20_000)]

    answers = Counter(fate.answer for fate in fates)
    returned = sum("returned" in fate.others for fate in fates)

    # Four standard deviations of a binomial share are at most 0.013 of the 20,000.
    for expected, found in (
        (0.1, answers["timeout_after"]),
        (0.2, answers["broken_body"]),
        (0.7, answers[""]),
        (0.3, returned),
    ):
        assert abs(expected - found / 20_000) < 0.015


def test_exact_reference_has_what_it_is_given_and_nothing_by_chance():
    """An exact entry takes the place of chance."""
    script = read_script(
        '[probability]\ntwin = 1.0\n[exact]\n"P-1" = ["broken_body", "status_hidden"]\n"P-2" = []'
    )

    assert Fate("broken_body", frozenset({"status_hidden"})) == script.fate("P-1")
    assert Fate() == script.fate("P-2")
    assert Fate("", frozenset({"twin"})) == script.fate("P-3")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[probability]\ntimeout = 0.1", "unknown faults: timeout"),
        ('[exact]\n"P" = ["twice"]', "unknown faults: twice"),
        ("[probability]\ntwin = 1.5", "not between 0 and 1"),
        ("[probability]\ntwin = -0.5", "not between 0 and 1"),
        ("[probability]\ntimeout_after = 0.6\nbroken_body = 0.6", "kind answer add up to 1.2"),
        ('[exact]\n"P" = ["timeout_after", "broken_body"]', "exclude each other"),
        ('[exact]\n"P" = ["paging_repeats"]', "belongs to no reference"),
        ("attempts = -1", "below 0"),
        ("surprise = 1", "surprise"),
        ("seed =", "seed"),
        ('[[silence]]\nafter_seconds = 1\nfor_seconds = 1\nkind = "rude"', "rude"),
    ],
)
def test_script_that_says_what_cannot_be_is_refused(text, reason):
    """A script is refused whole, naming file and reason."""
    with pytest.raises(MalformedInputError) as refused:
        read_script(text, "faults.toml")

    assert "faults.toml" in str(refused.value)
    assert reason in str(refused.value) or reason == "seed"


def test_every_fault_can_be_named():
    """The table of meanings is what a script may name."""
    for name in FAULT_MEANINGS:
        script = read_script(f"[probability]\n{name} = 1.0")
        fate = script.fate("P")

        assert name == "paging_repeats" or name in {fate.answer, *fate.others}


def test_silence_lasts_as_long_as_the_script_says():
    """A silence has a beginning and an end; a silent day is a whole day."""
    script = read_script(
        'silent_days = ["2026-03-06"]\n'
        '[[silence]]\nafter_seconds = 10\nfor_seconds = 5\nkind = "unavailable"'
    )
    day, silent_day = date(2026, 3, 5), date(2026, 3, 6)

    assert ["", "unavailable", "unavailable", ""] == [
        script.silent(day, seconds) for seconds in (9.9, 10, 14.9, 15)
    ]
    assert "timeout" == script.silent(silent_day, 0)
