"""Whether the days of a table are what the bank wrote: a sheet may have swapped day and month.

A spreadsheet that opens `03/02/2026` under the wrong locale stores 2 March for 3 February, and keeps
`13/02/2026` as text. Nothing in the cell tells. The printed period and the neighbouring rows may: a
day that lies outside of them as it stands, and inside the other way round, can't be trusted.

Such a day of a sheet is a refusal, unless the layout says `swapped = "warn"`; a text in the layout's
own spelling is a warning, because a bank does book back-dated corrections. Nothing is ever turned.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import date
from functools import lru_cache
from typing import Final

from bank_adapters.errors import DayMonthSwappedError
from bank_adapters.statements.profile import Profile
from bank_adapters.statements.statement import StatementLine, Warning_

__all__ = ["check_days", "turned"]

SUSPECT: Final = "day_month_suspect"
#: With a neighbour on one side only, a day this near to it is believable.
_NEAR_DAYS: Final = 31
_SAME_DAY_MONTHS: Final = 3


@lru_cache(maxsize=1024)  # a file has few days and many rows
def turned(day: date) -> date | None:
    """*day* with day and month swapped; None where that is no other day."""
    if day.day > 12 or day.day == day.month:
        return None
    return date(day.year, day.day, day.month)


def check_days(
    lines: Sequence[StatementLine],
    *,
    profile: Profile,
    sheet_days: Set[int],
    period: tuple[date, date] | None,
    warnings: list[Warning_],
) -> None:
    """Look at booked *lines*, oldest first; *sheet_days* are positions whose day is a sheet's.

    Raises DayMonthSwappedError.
    """
    runs = _runs(lines)
    days = [day for day, _ in runs]
    suspects = [
        (position, day, why)
        for (day, positions), before, after in zip(
            runs, _fixed_before(days), _fixed_before(days[::-1])[::-1], strict=True
        )
        if (why := _contradiction(day, before, after, period))
        for position in positions
    ]
    stored = [each for each in suspects if each[0] in sheet_days]
    if stored and profile.swapped == "refuse":
        position, day, why = stored[0]
        more = f", and {len(stored) - 1} more rows" if len(stored) > 1 else ""
        raise DayMonthSwappedError(
            f"the sheet stores {day} {why}{more}; ask the bank for days as text, or write swapped ="
            f' "warn" under [dates] of the profile where they are right',
            position=position,
        )
    warnings += [
        Warning_(SUSPECT, position, f"{day} {why}: day and month may be swapped")
        for position, day, why in suspects
    ]
    if not suspects and period is None:
        _check_pattern(runs, sheet_days, warnings)
    _check_value_days(lines, warnings)


def _runs(lines: Sequence[StatementLine]) -> list[tuple[date, list[int]]]:
    """Days with the positions of their rows; rows of one day in a row have the same neighbours."""
    runs: list[tuple[date, list[int]]] = []
    last: date | None = None
    positions: list[int] = []
    for line in lines:
        day = line.booked_on
        if day is not last and day is not None and day != last:
            last, positions = day, []
            runs.append((day, positions))
        if day is not None:
            positions.append(line.position)
    return runs


def _fixed_before(days: list[date]) -> list[date | None]:
    """For each day the nearest one before it that has one reading only."""
    fixed: list[date | None] = []
    last: date | None = None
    for day in days:
        fixed.append(last)
        if turned(day) is None:
            last = day
    return fixed


def _contradiction(
    day: date, before: date | None, after: date | None, period: tuple[date, date] | None
) -> str:
    """Why *day* can't stand as it is while it could the other way round, or nothing."""
    other = turned(day)
    if other is None:
        return ""
    if period is not None and not period[0] <= day <= period[1]:
        if period[0] <= other <= period[1]:
            return f"outside the period {period[0]} to {period[1]}, and {other} lies inside"
        return ""
    if before and after:
        if before <= after and not before <= day <= after and before <= other <= after:
            return f"between rows of {before} and {after}, where {other} fits"
    elif before and day < before <= other and (other - before).days <= _NEAR_DAYS:
        return f"after a row of {before}, where {other} fits"
    elif after and day > after >= other and (after - other).days <= _NEAR_DAYS:
        return f"before a row of {after}, where {other} fits"
    return ""


def _check_pattern(
    runs: list[tuple[date, list[int]]], sheet_days: Set[int], warnings: list[Warning_]
) -> None:
    """A sheet of the 3rd of each month and no other day looks like one month, swapped."""
    days = {day for day, _ in runs}
    if (
        all(position in sheet_days for _, positions in runs for position in positions)
        and len({day.month for day in days}) >= _SAME_DAY_MONTHS
        and len({day.day for day in days}) == 1
        and all(turned(day) or day.day == day.month for day in days)
    ):
        message = (
            "every row is of the same day of another month: day and month may be swapped, and"
            " neither a period nor a text says"
        )
        warnings.append(Warning_(SUSPECT, runs[0][1][0], message))


def _check_value_days(lines: Sequence[StatementLine], warnings: list[Warning_]) -> None:
    """A value day far from the booking day that is near it the other way round."""
    for line in lines:
        if line.booked_on is None or line.value_on is None:
            continue
        other = turned(line.value_on)
        if (
            other is not None
            and abs((line.value_on - line.booked_on).days) > _NEAR_DAYS
            and abs((other - line.booked_on).days) <= 7
        ):
            message = (
                f"value day {line.value_on} of a row booked on {line.booked_on}: day and month"
                " may be swapped"
            )
            warnings.append(Warning_(SUSPECT, line.position, message))
