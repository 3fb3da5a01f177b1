"""Every refusal has a name of its own, a meaning and a row in docs/errors.md."""

from __future__ import annotations

from pathlib import Path

from tests.project.errors_page import classes, page

ROOT = Path(__file__).parents[2]


def test_errors_page_is_in_step_with_the_classes() -> None:
    """docs/errors.md is what the classes say (`make docs` writes it)."""
    assert page() == (ROOT / "docs" / "errors.md").read_text()


def test_codes_are_snake_case_and_classes_end_in_error() -> None:
    """A code reads as its class: `OverCeilingError` is `over_ceiling`."""
    odd = [
        (code, kind.__name__)
        for code, kind in classes().items()
        if not kind.__name__.endswith("Error")
        or code.replace("_", "") != kind.__name__.removesuffix("Error").lower()
    ]

    assert [] == odd
