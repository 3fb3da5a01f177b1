"""Gaps between the numbers of our own batches say that others write."""

import pytest

from api import others
from api.others import Others


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, moved by the test."""
    now = [100.0]
    monkeypatch.setattr(others.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([], False),
        ([7], False),  # what came before the first one was before us
        ([7, 8, 9], False),
        ([7, 8, 8, 9], False),  # one that came to nothing leaves its number to the next
        ([7, 9], True),
        ([7, 8, 20, 21], True),
    ],
)
def test_gap_between_own_batches_is_somebody_else(numbers: list[int], expected: bool) -> None:
    company = Others()
    for number in numbers:
        company.heard(number)
    assert company.are_writing is expected


def test_others_are_forgotten_when_they_stop(clock: list[float]) -> None:
    """What was noticed a while ago says nothing of now."""
    company = Others()
    company.heard(1)
    company.heard(3)
    clock[0] += 0.2
    assert company.are_writing
    clock[0] += 0.1
    assert not company.are_writing
