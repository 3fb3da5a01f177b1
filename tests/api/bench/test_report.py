"""What a bench says of its figures."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from api.bench.report import (
    Cell,
    Contender,
    Ratio,
    Report,
    as_json,
    figure,
    rounds_of,
    show,
    spread,
)


def _contender(name: str, *rates: float, cpu: float = 0.1, limit: float | None = None) -> Contender:
    cells = [Cell({"journals/s": rate, "app ms": cpu, "db ms": cpu}) for rate in rates]
    return Contender(name, limit, cells)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234.5, "1,234"),
        (93.04, "93"),
        (45.67, "45.7"),
        (9.314, "9.31"),
        (8.0, "8"),
        (0.0771, "0.0771"),
    ],
)
def test_figure_of_any_size_has_three_digits(value: float, text: str) -> None:
    """More would pretend to a precision that no run has."""
    assert text == figure(value)


def test_spread_of_rounds_gives_median_and_ends() -> None:
    """The median first, then the least and the most."""
    assert "3 (1-9)" == spread([9.0, 1.0, 3.0])


def test_ratio_of_two_contenders_is_taken_round_by_round() -> None:
    """Each round's own pair, not the ratio of two medians."""
    ours, theirs = _contender("ours", 100, 300, 200), _contender("theirs", 10, 100, 50)

    assert [10.0, 3.0, 4.0] == rounds_of(ours, theirs, "journals/s")


@pytest.mark.parametrize(
    ("rounds", "bounds", "valid", "verdict"),
    [
        ([9.0, 8.0, 7.0], (8.0, None), True, "met"),
        ([9.0, 7.9, 7.0], (8.0, None), True, "missed"),
        ([1.0], (None, 1.0), True, "met"),
        ([1.01], (None, 1.0), True, "missed"),
        ([9.0], (8.0, None), False, "invalid"),
        ([9.0], (None, None), True, "untargeted"),
    ],
)
def test_ratio_with_a_target_is_judged_by_its_median(
    rounds: list[float], bounds: tuple[float | None, float | None], valid: bool, verdict: str
) -> None:
    """A spoiled yardstick makes it neither met nor missed."""
    assert verdict == Ratio("rate", rounds, *bounds, valid=valid).verdict


def test_ratio_that_met_its_target_says_so_with_the_figures() -> None:
    """Target, median, ends and verdict in one line."""
    ratio = Ratio("rate", [9.3, 8.1, 10.2], at_least=8.0)

    assert "target at least 8x: 9.3 (8.1-10.2)x met" == ratio.sentence()


def test_yardstick_over_its_bound_is_invalid() -> None:
    """Application and database count together."""
    assert not _contender("slow", 10, cpu=0.2, limit=0.3).is_valid
    assert _contender("good", 10, cpu=0.1, limit=0.3).is_valid


def test_report_with_an_invalid_yardstick_is_not_met() -> None:
    """A run that proves nothing must not pass."""
    report = Report("t", "m", [], ratios=[Ratio("r", [9.0], at_least=8.0, valid=False)])

    assert not report.is_met


def test_shown_report_names_contenders_ratios_and_machine() -> None:
    """What a reader needs stands below the table."""
    slow = _contender("naive app", 10, cpu=4.0, limit=6.0)
    ratio = Ratio("rate / naive", [12.0], at_least=8.0, valid=slow.is_valid)
    report = Report("One journal a request", "2 cores", ["journals/s"], [slow], [ratio], ["a note"])
    output = io.StringIO()

    show(report, Console(file=output, width=120))

    for text in ("naive app (INVALID)", "12x invalid", "a note", "2 cores", "took 8 ms CPU"):
        assert text in output.getvalue()


def test_report_as_json_keeps_every_round() -> None:
    """A program may take its own medians."""
    report = Report("t", "m", ["journals/s"], [_contender("ours", 1, 2)], [Ratio("r", [1.0, 2.0])])

    found = as_json(report)

    assert [
        {
            "name": "ours",
            "valid": True,
            "cpu_ms_max": None,
            "rounds": [
                {"journals/s": 1, "app ms": 0.1, "db ms": 0.1},
                {"journals/s": 2, "app ms": 0.1, "db ms": 0.1},
            ],
        }
    ] == found["contenders"]
    assert [1.0, 2.0] == found["ratios"][0]["rounds"]  # type: ignore[index]  # a list
