"""
What a bench found: cells by contender and round, ratios with their targets, and both printed forms.

Pure, but for the printing at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["Cell", "Contender", "Ratio", "Report", "as_json", "show", "spread"]

#: A ratio that a yardstick spoiled is neither met nor missed.
Verdict = Literal["met", "missed", "invalid", "untargeted"]
_MARKS: Final = {"met": "green", "missed": "red", "invalid": "yellow", "untargeted": "default"}


@dataclass(frozen=True, slots=True)
class Cell:
    """
    One contender in one round: values by column (`journals/s`, `app ms`, `db ms`, `p50 ms`...).

    A value that could not be taken, such as the CPU time of a database on another machine, is absent.
    """

    values: dict[str, float]


@dataclass(slots=True)
class Contender:
    """
    The product in one shape, or a yardstick: one cell a round.

    cpu_ms_max: Bound of a yardstick's `app ms` + `db ms`; above it the run is invalid.
    """

    name: str
    cpu_ms_max: float | None = None
    cells: list[Cell] = field(default_factory=list)

    def column(self, name: str) -> list[float]:
        """The values of a column, one a round; shorter where it could not be taken."""
        return [cell.values[name] for cell in self.cells if name in cell.values]

    def cpu_ms(self) -> list[float]:
        """CPU milliseconds an act, application and database together, one a round."""
        return [
            cell.values["app ms"] + cell.values["db ms"]
            for cell in self.cells
            if "app ms" in cell.values and "db ms" in cell.values
        ]

    @property
    def is_valid(self) -> bool:
        """Whether the yardstick stayed below its bound (true where there is none)."""
        if self.cpu_ms_max is None:
            return True
        taken = self.cpu_ms()
        return not taken or median(taken) <= self.cpu_ms_max


@dataclass(frozen=True, slots=True)
class Ratio:
    """
    A figure with its target: the ratio of every round, or a value of its own in *unit*.

    at_least, at_most: The target; neither where the figure is shown for itself.
    valid: False where a yardstick it rests on was invalid.
    """

    name: str
    rounds: Sequence[float]
    at_least: float | None = None
    at_most: float | None = None
    valid: bool = True
    unit: str = "x"

    @property
    def value(self) -> float:
        """Median of the rounds."""
        return median(self.rounds)

    @property
    def verdict(self) -> Verdict:
        """What the median says of the target."""
        if self.at_least is None and self.at_most is None:
            return "untargeted"
        if not self.valid:
            return "invalid"
        low = self.at_least is None or self.value >= self.at_least
        high = self.at_most is None or self.value <= self.at_most
        return "met" if low and high else "missed"

    def sentence(self) -> str:
        """`at least 8x: 9.3x (8.1-10.2) met`."""
        shown = f"{spread(self.rounds)} {self.unit}".replace(" x", "x")
        parts = []
        if self.at_least is not None:
            parts.append(f"at least {figure(self.at_least)}{_suffix(self.unit)}")
        if self.at_most is not None:
            parts.append(f"at most {figure(self.at_most)}{_suffix(self.unit)}")
        if not parts:
            return shown
        return f"target {' and '.join(parts)}: {shown} {self.verdict}"


@dataclass(slots=True)
class Report:
    """One bench: a table, its ratios, and what a reader must know of how it came about."""

    title: str
    machine: str
    columns: Sequence[str]
    contenders: list[Contender] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_met(self) -> bool:
        """Whether no target was missed (an invalid yardstick proves nothing either way)."""
        return all(ratio.verdict in ("met", "untargeted") for ratio in self.ratios)


def rounds_of(product: Contender, yardstick: Contender, column: str) -> list[float]:
    """The ratio of *column* in every round that has it on both sides."""
    pairs = zip(product.column(column), yardstick.column(column), strict=False)
    return [ours / theirs for ours, theirs in pairs if theirs]


def figure(value: float) -> str:
    """A number as a person would say it: four digits above a hundred, otherwise three significant."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}".removesuffix(".0")
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) >= 1 else f"{value:.3g}"


def spread(values: Sequence[float]) -> str:
    """`median (min-max)`, or the one value."""
    if not values:
        return "-"
    if len(values) == 1:
        return figure(values[0])
    return f"{figure(median(values))} ({figure(min(values))}-{figure(max(values))})"


def show(report: Report, console: Console) -> None:
    """Print the table, then a line for each ratio, the notes and the machine."""
    table = Table(title=report.title, title_justify="left")
    table.add_column("")
    for column in report.columns:
        table.add_column(column, justify="right")
    for contender in report.contenders:
        name = contender.name if contender.is_valid else f"{contender.name} (INVALID)"
        table.add_row(name, *(spread(contender.column(column)) for column in report.columns))
    console.print(table)
    for ratio in report.ratios:
        line = Text(f"  {ratio.name}: ")
        line.append(ratio.sentence(), style=_MARKS[ratio.verdict])
        console.print(line)
    for contender in report.contenders:
        if not contender.is_valid:
            console.print(
                f"  {contender.name} took {spread(contender.cpu_ms())} ms CPU an act, more than"
                f" {figure(contender.cpu_ms_max or 0)}: this run proves nothing against it"
            )
    for note in report.notes:
        console.print(Text(f"  {note}"))
    console.print(Text(f"  {report.machine}", style="dim"))


def as_json(report: Report) -> dict[str, object]:
    """The same with every round's values, for a program to read."""
    return {
        "title": report.title,
        "machine": report.machine,
        "contenders": [
            {
                "name": contender.name,
                "valid": contender.is_valid,
                "cpu_ms_max": contender.cpu_ms_max,
                "rounds": [cell.values for cell in contender.cells],
            }
            for contender in report.contenders
        ],
        "ratios": [
            {
                "name": ratio.name,
                "unit": ratio.unit,
                "median": ratio.value,
                "rounds": list(ratio.rounds),
                "at_least": ratio.at_least,
                "at_most": ratio.at_most,
                "verdict": ratio.verdict,
            }
            for ratio in report.ratios
        ],
        "notes": report.notes,
    }


def _suffix(unit: str) -> str:
    return unit if unit == "x" else f" {unit}"
