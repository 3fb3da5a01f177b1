"""Amounts and dates as banks write them, read strictly.

Amounts become whole minor units (an int, any number of digits; for rupiah that is sen). Nothing
is rounded: more decimals than the currency has is a refusal, because `1,500` in a currency with
two decimals is more likely a grouped thousand than one and a half.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime, time
from functools import lru_cache

from bank_adapters.errors import (
    DayMonthSwappedError,
    InvalidProfileError,
    UnreadableAmountError,
    UnreadableDateError,
)

DIGITS_MAX = 1000  # far above any balance, far below what makes int() slow or refuse

# ISO 4217 currencies with more than two minor digits. Those with none (JPY, KRW) are printed by
# banks with and without ",00", so two digits hold both.
_DECIMALS = {
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}


def decimals_of(currency: str | None) -> int:
    """How many decimals amounts of *currency* are kept with: 2, or more where ISO 4217 says so."""
    return _DECIMALS.get(currency or "", 2)


def units_text(units: int, decimals: int) -> str:
    """Print minor units as plain text: `units_text(-125, 2)` is `"-1.25"`."""
    sign = "-" if units < 0 else ""
    digits = str(abs(units)).zfill(decimals + 1)
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def swift_units(text: str, decimals: int, *, position: int) -> int:
    """Read a SWIFT amount (`15d`: digits, one decimal comma, no sign) into minor units.

    The caller's grammar has made sure that *text* is ASCII digits with at most one comma.
    """
    if decimals == 2 and text[-3:-2] == "," and len(text) <= DIGITS_MAX:
        return int(text.replace(",", ""))  # nearly every amount; the same as below
    whole, _, fraction = text.partition(",")
    missing = decimals - len(fraction)
    if missing < 0:
        raise UnreadableAmountError(
            text, f"{len(fraction)} decimals where at most {decimals} can be", position=position
        )
    if len(whole) > DIGITS_MAX:
        raise UnreadableAmountError(text, f"more than {DIGITS_MAX} digits", position=position)
    return int(whole + fraction + "0" * missing)


def swift_date(text: str) -> date | None:
    """Read `YYMMDD`; None for a day that does not exist (30 February is seen in real files).

    Years 80-99 are 1980-1999, all others 2000-2079 (SWIFT's century rule).
    """
    year = int(text[:2])
    year += 1900 if year >= 80 else 2000
    try:
        return date(year, int(text[2:4]), int(text[4:6]))
    except ValueError:
        return None


class NumberReader:
    """Amounts of one table, in the notation its layout names. Never decided cell by cell."""

    def __init__(
        self,
        *,
        decimal: str,
        grouping: str,
        debit_words: Iterable[str] = (),
        credit_words: Iterable[str] = (),
    ) -> None:
        """*decimal* is `.` or `,`; *grouping* the other one, a space, or empty for none.

        The words (`DB`, `CR`) may follow a number and are its sign.
        """
        point = re.escape(decimal)
        whole = "[0-9]+"
        if grouping:
            whole = f"[0-9]{{1,3}}(?:{re.escape(grouping)}[0-9]{{3}})+|{whole}"
        self._number = re.compile(f"({whole}|(?={point}[0-9]))(?:{point}([0-9]*))?")
        # How nearly every cell is written; here and in `units` for speed alone.
        groups = f"{{1,3}}+(?:{re.escape(grouping)}[0-9]{{3}}){{0,99}}+" if grouping else "{1,99}+"
        self._cents = re.compile(f"[0-9]{groups}{point}[0-9][0-9]").fullmatch
        self._decimal = decimal
        self._grouping = grouping
        self._signs = {word.casefold(): -1 for word in debit_words}
        self._signs |= {word.casefold(): 1 for word in credit_words}

    def units(self, cell: str, decimals: int, *, position: int) -> int | None:
        """Minor units of *cell*; None when it is blank. Currency words and signs are understood."""
        if decimals == 2 and self._cents(cell):
            return int(cell.replace(self._decimal, "").replace(self._grouping, ""))
        if not cell:
            return None
        read = self.signed_units(cell, decimals, position=position)
        return None if read is None else read[0]

    def signed_units(self, cell: str, decimals: int, *, position: int) -> tuple[int, bool] | None:
        """As `units`, and whether a debit or credit word gave the sign."""
        sign, by_word = 1, False
        matched = self._number.fullmatch(cell)
        if matched is None:
            text = clean(cell)
            if text in {"", "-"}:  # a lone dash is how sheets print nothing
                return None
            sign, text, by_word = self._sign(text, cell, position=position)
            for prefix in ("rp.", "rp", "idr"):
                if text[: len(prefix)].casefold() == prefix:
                    text = text[len(prefix) :].lstrip()
                    break
            if text.startswith("-") and not by_word and sign > 0:
                sign, text = -1, text[1:].lstrip()  # "Rp -5.000": behind the currency
            matched = self._number.fullmatch(text)
        if matched is None:
            raise UnreadableAmountError(cell, "not a number of this layout", position=position)
        whole, fraction = matched[1], matched[2] or ""
        if self._grouping:
            whole = whole.replace(self._grouping, "")
        if len(fraction) > decimals:
            raise UnreadableAmountError(
                cell, f"{len(fraction)} decimals where at most {decimals} can be", position=position
            )
        if len(whole) > DIGITS_MAX:
            raise UnreadableAmountError(cell, f"more than {DIGITS_MAX} digits", position=position)
        return sign * int(whole + fraction.ljust(decimals, "0")), by_word

    def _sign(self, text: str, cell: str, *, position: int) -> tuple[int, str, bool]:
        """Take minus, trailing minus, parentheses or a debit/credit word off *text*."""
        sign, by_word = 1, False
        last_word = text.rpartition(" ")[2] if " " in text else text.lstrip("0123456789., ")
        if last_word and last_word.casefold() in self._signs:
            sign, by_word = self._signs[last_word.casefold()], True
            text = text[: -len(last_word)].rstrip()
        for first, last in (("-", ""), ("", "-"), ("(", ")")):
            if text.startswith(first) and text.endswith(last):
                if by_word:
                    raise UnreadableAmountError(cell, "two signs", position=position)
                # A second sign stays in the text, which then is no number.
                return -1, text[len(first) : len(text) - len(last)].strip(), by_word
        return sign, text, by_word


_MARKS = frozenset(" '=")


def clean(cell: str) -> str:
    """*cell* without surrounding and repeated white space and a sheet's marks of text.

    White space is Unicode's, non-breaking spaces included. The marks are a leading `'` and
    `="..."`, by which exports keep leading zeros.
    """
    if not cell or cell.isalnum():
        return cell
    # Printable text has no white space but the plain space.
    is_tidy = "  " not in cell and cell.isprintable()
    if is_tidy and cell[0] not in _MARKS and cell[-1] != " ":
        return cell
    text = cell.strip() if is_tidy else " ".join(cell.split())
    if text.startswith('="') and text.endswith('"') and len(text) > 2:
        return text[2:-1].strip()
    return text[1:].lstrip() if text.startswith("'") else text


# Indonesian and English, short and long, as bank exports mix them.
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan januari january",
            "feb peb februari pebruari february",
            "mar maret march",
            "apr april",
            "mei may",
            "jun juni june",
            "jul juli july",
            "agu ags agt agustus aug august",
            "sep sept september",
            "okt oktober oct october",
            "nov nop november nopember",
            "des desember dec december",
        ),
        start=1,
    )
    for name in names.split()
}
_DIRECTIVES = {
    "%d": "(?P<d>[0-9]{1,2})",
    "%m": "(?P<m>[0-9]{1,2})",
    "%b": "(?P<b>[A-Za-z]{3,9})",
    "%Y": "(?P<Y>[0-9]{4})",
    "%y": "(?P<y>[0-9]{2})",
    "%H": "(?P<H>[0-9]{1,2})",
    "%M": "(?P<M>[0-9]{2})",
    "%S": "(?P<S>[0-9]{2})",
}


class DateReader:
    """Dates of one table in the spellings its layout names.

    Spellings are written with strptime's `%d %m %b %Y %y %H %M %S`; `%b` is any Indonesian or
    English month name. Own code instead of strptime: that one follows the machine's locale and
    takes digits of any script.
    """

    def __init__(self, profile: str, formats: Iterable[str]) -> None:
        self._patterns = [re.compile(_pattern(profile, spelling)) for spelling in formats]
        self._seen: dict[str, tuple[date | None, time | None]] = {}

    def read(self, cell: str, *, position: int) -> tuple[date | None, time | None]:
        """Date and, where the spelling has one, time of day.

        The date is None for a day that does not exist. Raises UnreadableDateError for text in no
        known spelling, DayMonthSwappedError for a day that exists only the other way round.
        """
        seen = self._seen.get(cell)
        if seen is not None:
            return seen
        text = clean(cell)
        for pattern in self._patterns:
            if matched := pattern.fullmatch(text):
                read = _date_and_time(matched, position=position)
                self._seen[cell] = read
                return read
        raise UnreadableDateError(cell, position=position)

    def find_all(self, text: str, *, position: int) -> list[date]:
        """All dates inside *text*, in the first spelling that finds any."""
        for pattern in self._patterns:
            # No spelling ends within a number: 01/03/20 is not in 01/03/2026.
            whole = re.compile(f"(?<![0-9]){pattern.pattern}(?![0-9])")
            found = [
                _date_and_time(matched, position=position)[0] for matched in whole.finditer(text)
            ]
            if found:
                return [day for day in found if day is not None]
        return []


_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def day_text(moment: datetime, spelling: str) -> str:
    """*moment* as `DateReader` reads it back by *spelling*."""
    parts = {
        "%d": f"{moment.day:02d}",
        "%m": f"{moment.month:02d}",
        "%b": _MONTH_NAMES[moment.month - 1],
        "%Y": f"{moment.year:04d}",
        "%y": f"{moment.year % 100:02d}",
        "%H": f"{moment.hour:02d}",
        "%M": f"{moment.minute:02d}",
        "%S": f"{moment.second:02d}",
    }
    return re.sub(r"%.", lambda found: parts.get(found[0], found[0]), spelling)


_CLOCK = re.compile(r"([0-9]{1,2})([:.]?)([0-9]{2})(?:\2([0-9]{2}))?", re.ASCII)


def read_clock(cell: str, *, position: int) -> time | None:
    """A time of day: `08:10`, `08.10.47` or `081047`; None for a blank. Raises UnreadableDateError."""
    text = clean(cell)
    if not text:
        return None
    if matched := _CLOCK.fullmatch(text):
        try:
            return time(int(matched[1]), int(matched[3]), int(matched[4] or 0))
        except ValueError:
            pass
    raise UnreadableDateError(cell, position=position)


@lru_cache(maxsize=256)
def _pattern(profile: str, spelling: str) -> str:
    parts = []
    used = []
    for piece in re.split(r"(%.)", spelling):
        if piece.startswith("%"):
            if piece not in _DIRECTIVES or piece in used:
                raise InvalidProfileError(profile, f"date spelling {spelling!r} at {piece!r}")
            used.append(piece)
            parts.append(_DIRECTIVES[piece])
        else:
            parts.append(re.escape(piece))
    whole = set(used)
    if "%d" not in whole or not whole & {"%m", "%b"} or not whole & {"%Y", "%y"}:
        raise InvalidProfileError(
            profile, f"date spelling {spelling!r} must hold a day, a month and a year"
        )
    return "".join(parts)


def _date_and_time(matched: re.Match[str], *, position: int) -> tuple[date | None, time | None]:
    parts = matched.groupdict()
    year = int(parts["Y"]) if parts.get("Y") else 2000 + int(parts["y"])
    if parts.get("b"):
        month = _MONTHS.get(parts["b"].casefold())
        if month is None:
            raise UnreadableDateError(matched[0], position=position)
    else:
        month = int(parts["m"])
    try:
        day = date(year, month, int(parts["d"]))
    except ValueError:
        if month > 12 and int(parts["d"]) <= 12:
            raise DayMonthSwappedError(
                f"{matched[0]} is a day only if its month stands first", position=position
            ) from None
        return None, None
    if parts.get("H") is None:
        return day, None
    try:
        clock = time(int(parts["H"]), int(parts.get("M") or 0), int(parts.get("S") or 0))
    except ValueError:
        raise UnreadableDateError(matched[0], position=position) from None
    return day, clock
