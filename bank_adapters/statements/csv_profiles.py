"""Bank CSV files and sheets read by a profile: rows to statements.

A row is an entry, a check row (opening, closing, totals) or a refusal; none is skipped because it
could not be understood. Rows may stand newest first: the chain of running balances tells.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, time
from itertools import islice, repeat
from operator import add
from typing import NamedTuple

from bank_adapters.errors import (
    CurrencyMismatchError,
    HeaderNotFoundError,
    InvalidProfileError,
    StatementFileError,
    UnreadableAmountError,
    UnreadableDateError,
    UnreadableRowError,
)
from bank_adapters.statements.amounts import (
    DateReader,
    NumberReader,
    clean,
    decimals_of,
    read_clock,
)
from bank_adapters.statements.csv_checks import (
    CheckBalance,
    CheckRows,
    CheckTotals,
    statement_of_rows,
)
from bank_adapters.statements.profile import Profile, header_name
from bank_adapters.statements.statement import (
    Statement,
    StatementLine,
    Warning_,
    check_count,
    new_tuple,
)
from bank_adapters.statements.text import TextFile

FORMAT = "csv"

_PLAIN_CHARACTERS_MAX = 100_000  # the csv module refuses cells of more than 131,072
_HEADER_ROWS_MAX = 100  # preambles are a dozen lines; a proposal need not read a whole file
_NO_DAYS: frozenset[int] = frozenset()
_LABEL_SEPARATORS = " \t:;,=|"
_DIGITS = frozenset("0123456789")
_TEXTS = ("bank_reference", "reference", "counterparty", "transaction_code")


class Row(NamedTuple):
    """One record: `position` is its first line, `raw` its lines as they stand.

    `days` are the columns whose cell a sheet stores as a day, not as text.
    """

    position: int
    cells: list[str]
    raw: str
    days: frozenset[int] = frozenset()


class Source(NamedTuple):
    """A table that can be gone through more than once; `last` is the position of its end."""

    rows: Callable[[Profile], Iterator[Row]]
    last: int


def text_source(text: TextFile) -> Source:
    """The records of a CSV file."""
    return Source(lambda profile: csv_rows(text.lines, profile.delimiter), len(text.lines))


class Header(NamedTuple):
    """Where each field's column is. Only `narrative` may have several."""

    row: Row
    columns: dict[str, list[int]]


class _Places(NamedTuple):
    """Columns that a layout may have or not."""

    account: int | None
    booked_time: int | None
    value_on: int | None
    debit: int | None
    credit: int | None
    balance: int | None
    balance_before: int | None


@dataclass(slots=True)
class _Table:
    """What was read so far. Belongs to the reader while it loops over the rows."""

    lines: dict[str | None, list[StatementLine]] = field(default_factory=dict)
    openings: dict[str | None, dict[int, int]] = field(default_factory=dict)
    currencies: dict[str | None, str] = field(default_factory=dict)
    checks: CheckRows = field(default_factory=CheckRows)
    sheet_days: set[int] = field(default_factory=set)
    account_label: str | None = None


def find_header(source: Source, profile: Profile) -> Header:
    """The first row that carries every column of the layout.

    Raises HeaderNotFoundError; InvalidProfileError where a field's names match two columns.
    """
    needed = [name for name in profile.columns if name not in profile.optional_columns]
    missing: tuple[str, ...] = ()
    nearest: int | None = None
    fields: dict[str, list[str]] = {}
    for name, aliases in profile.columns.items():
        for alias in dict.fromkeys(aliases):
            fields.setdefault(alias, []).append(name)
    try:
        for number, row in enumerate(source.rows(profile)):
            if number >= _HEADER_ROWS_MAX:
                break
            columns = _columns(row, fields)
            if all(name in columns for name in needed) and _has_others(row, profile):
                for name, found in columns.items():
                    if len(found) > 1 and name != "narrative":
                        raise InvalidProfileError(
                            profile.name, f"{len(found)} columns of the file match {name}"
                        )
                return Header(row, columns)
            lacks = tuple(profile.columns[name][0] for name in needed if name not in columns)
            if len(lacks) * 2 <= len(needed) and (nearest is None or len(lacks) < len(missing)):
                lacks += tuple(sorted(profile.other_columns - set(map(header_name, row.cells))))
                missing, nearest = lacks, row.position
    except StatementFileError:
        pass  # rows that are no CSV at all: not this layout
    raise HeaderNotFoundError(
        profile.name,
        tuple(profile.columns[name][0] for name in needed),
        missing=missing,
        position=nearest,
    )


def _columns(row: Row, fields: dict[str, list[str]]) -> dict[str, list[int]]:
    """Columns of the row by field; *fields* has the fields of each name that a column may have."""
    columns: dict[str, list[int]] = {}
    for index, cell in enumerate(row.cells):
        for field_name in fields.get(header_name(cell) or f"#{index + 1}", ()):
            columns.setdefault(field_name, []).append(index)
    return columns


def _has_others(row: Row, profile: Profile) -> bool:
    return profile.other_columns <= set(map(header_name, row.cells))


def read_table(
    source: Source, profile: Profile, *, account: str | None = None
) -> tuple[list[Statement], list[Warning_]]:
    """Read all accounts of the table; *account* is used where neither column nor label names one.

    Raises subclasses of StatementFileError, with the line, where it would have to guess.
    """
    header = find_header(source, profile)
    reader = _TableReader(profile, header)
    table = reader.read(source.rows(profile))
    warnings = reader.warnings
    fallback = table.account_label or account
    if not table.lines:  # a month without entries is still a statement
        table.lines[None] = []
    if len(table.lines) > 1 and table.checks.found:
        raise UnreadableRowError(
            header.row.raw,
            "a table of several accounts with balances or totals of one",
            position=header.row.position,
        )
    check_count(len(table.lines))
    statements = []
    for number, lines in table.lines.items():
        named = number or fallback
        if named is None:
            message = "neither a column nor a label names the account"
            warnings.append(Warning_("account_missing", header.row.position, message))
        currency = table.currencies.get(number, profile.currency)
        statements.append(
            statement_of_rows(
                lines,
                profile=profile,
                account=named,
                currency=currency,
                balances_before=table.openings.get(number, {}),
                checks=table.checks,
                sheet_days=table.sheet_days,
                position=header.row.position,
                warnings=warnings,
            )
        )
    for missing in sorted(profile.expects - table.checks.found):
        message = f"a complete file of this layout has a row for {missing}; this one has none"
        warnings.append(Warning_("footer_missing", source.last, message))
    return statements, warnings


def csv_rows(lines: list[str], delimiter: str) -> Iterator[Row]:
    """The records of CSV text. Raises UnreadableRowError for a quote that is wrong."""
    start = 0
    for line in lines:
        if '"' in line or len(line) > _PLAIN_CHARACTERS_MAX:
            break  # from here on by the csv module; the same, in twice the time
        cells = line.split(delimiter) if line else []
        start += 1
        yield new_tuple(Row, (start, cells, line, _NO_DAYS))
    begun = start
    reader = csv.reader(
        map(add, islice(lines, begun, None), repeat("\n")), delimiter=delimiter, strict=True
    )
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # Named by its first line: a quote that is never closed runs to the end of the file.
            raise UnreadableRowError(
                lines[start], f"not CSV ({error})", position=start + 1
            ) from None
        end = begun + reader.line_num
        raw = lines[start] if end - start == 1 else "\n".join(lines[start:end])
        yield new_tuple(Row, (start + 1, cells, raw, _NO_DAYS))
        start = end


class _TableReader:
    """Reads rows one by one; `warnings` grows as it goes."""

    def __init__(self, profile: Profile, header: Header) -> None:
        self.warnings: list[Warning_] = []
        self._profile = profile
        self._header = header
        self._width = len(header.row.cells)
        self._column = {name: found[0] for name, found in header.columns.items()}
        self._numbers: NumberReader = profile.numbers()
        self._dates: DateReader = profile.dates()
        self._period_dates = DateReader(
            profile.name, profile.period_formats or profile.date_formats
        )
        self._flags = dict.fromkeys(map(str.casefold, profile.debit_words), -1)
        self._flags |= dict.fromkeys(map(str.casefold, profile.credit_words), 1)
        self._decimals = decimals_of(profile.currency)
        self._date_column = self._column["booked_on"]
        self._amount_columns = [
            self._column[name] for name in ("debit", "credit", "amount") if name in self._column
        ]
        self._narrative_columns = header.columns["narrative"]
        self._texts = tuple(map(self._column.get, _TEXTS))
        self._has_currency = "currency" in self._column
        self._is_by_column = profile.sign_rule == "two_columns" and "flag" not in self._column
        self._places = _Places(*map(self._column.get, _Places._fields))
        #: Cells that were read as a day that exists. Most rows repeat one, and need no second look.
        self._known_days: dict[str, tuple[date, time | None]] = {}
        self._labels = [
            (label, word)
            for label, words in profile.labels.items()
            for word in words
            if label != "pending"
        ]

    def read(self, rows: Iterator[Row]) -> _Table:
        table = _Table()
        header_position = self._header.row.position
        width, date_column, known_days = self._width, self._date_column, self._known_days
        first, last = self._amount_columns[0], self._amount_columns[-1]
        for row in rows:
            cells = row.cells
            # An entry at first sight, of which `_row` would find nothing else.
            if (
                len(cells) == width
                and cells[date_column] in known_days
                and (cells[first] or cells[last])[:1] in _DIGITS
            ):
                self._entry(row, table, is_pending=False)
                continue
            if not any(map(str.strip, row.cells)):
                continue
            if row.position < header_position:
                self._label(row, table)  # titles that no label knows say nothing about entries
            elif row.position > header_position:
                if row.cells == self._header.row.cells:
                    continue  # printed again at the top of each page
                self._row(row, table)
        return table

    def _row(self, row: Row, table: _Table) -> None:
        is_wide = len(row.cells) >= self._width
        cell = row.cells[self._date_column] if len(row.cells) > self._date_column else ""
        is_pending = clean(cell).casefold() in self._profile.labels["pending"]
        if is_wide and not is_pending and clean(cell):
            try:
                self._dates.read(cell, position=row.position)
            except UnreadableDateError:
                if self._label(row, table):
                    return
                raise
        elif not is_pending:
            if self._label(row, table):
                return
            reason = f"{len(row.cells)} cells where the header has {self._width}"
            if is_wide:
                reason = "no date, and not a row that this layout knows"
            raise UnreadableRowError(row.raw, reason, position=row.position)
        if any(map(str.strip, row.cells[self._width :])) or len(row.cells) < self._width:
            reason = f"{len(row.cells)} cells where the header has {self._width}"
            raise UnreadableRowError(row.raw, reason, position=row.position)
        if self._is_blank(row) and self._label(row, table, is_dated=True):
            return  # "01-03-2026;Saldo Awal;;;750.000.000,00"
        self._entry(row, table, is_pending=is_pending)

    def _is_blank(self, row: Row) -> bool:
        """Whether no amount stands in the row."""
        return not any(clean(row.cells[column]) for column in self._amount_columns)

    def _label(self, row: Row, table: _Table, *, is_dated: bool = False) -> bool:
        """Read a row outside the entries; whether it is one that the layout knows.

        An entry's text may be a label's word, so behind a filled date cell only a balance counts,
        and only where the caller has seen that the row is dated and has no amount.
        """
        is_table = row.position > self._header.row.position
        cell = row.cells[self._date_column] if len(row.cells) > self._date_column else ""
        names = [header_name(each) for each in row.cells]
        for label, word in self._labels:
            at = _label_among(names, word)
            if at is None:
                continue
            if is_dated and label not in {"opening", "closing"}:
                continue
            if is_table and not is_dated and at > self._date_column and clean(cell):
                continue
            behind = [clean(row.cells[at])[len(word) :], *row.cells[at + 1 :]]
            value = self._profile.delimiter.join(behind).strip(_LABEL_SEPARATORS)
            if label == "account":
                table.account_label = clean(value) or None
            elif label == "period":
                days = self._period_dates.find_all(value, position=row.position)
                if len(days) == 2:
                    table.checks.period = (days[0], days[1])
            elif label == "totals":
                debit, credit = self._cell(row, "debit"), self._cell(row, "credit")
                if debit is not None or credit is not None:
                    table.checks.totals = CheckTotals(debit, credit, row.position)
            elif label in {"opening", "closing"}:
                units = self._cell(row, "balance") if len(row.cells) == self._width else None
                if units is None:
                    units = self._numbers.units(value, self._decimals, position=row.position)
                # Printed on each page: the first opening and the last closing are the table's.
                if units is not None and label == "opening":
                    table.checks.opening = table.checks.opening or CheckBalance(units, row.position)
                elif units is not None:
                    table.checks.closing = CheckBalance(units, row.position)
            return True
        return False

    def _cell(self, row: Row, name: str) -> int | None:
        column = self._column.get(name)
        if column is None or column >= len(row.cells):
            return None
        return self._numbers.units(row.cells[column], self._decimals, position=row.position)

    def _day(self, row: Row, column: int) -> tuple[date | None, time | None]:
        cell = row.cells[column]
        if not clean(cell):
            return None, None
        day, clock = self._dates.read(cell, position=row.position)
        if day is None:
            message = f"{clean(cell)} is a day that does not exist"
            self.warnings.append(Warning_("impossible_date", row.position, message))
        elif clean(cell).casefold() not in self._profile.labels["pending"]:
            self._known_days[cell] = day, clock
        return day, clock

    def _take_currency(self, row: Row, account: str | None, table: _Table) -> None:
        currency = (self._text(row, "currency") or self._profile.currency).upper()
        known = table.currencies.setdefault(account, currency)
        if known != currency:
            raise CurrencyMismatchError(known, currency, position=row.position)
        self._decimals = decimals_of(currency)

    def _signed_amount(self, row: Row) -> int:
        """The row's amount by the layout's sign rule, negative for money out of the account."""
        rule = self._profile.sign_rule
        position = row.position
        if rule == "two_columns":
            debit, credit = self._cell(row, "debit"), self._cell(row, "credit")
            if debit is None and credit is None:
                raise UnreadableRowError(row.raw, "no amount", position=position)
            if debit and credit:
                raise UnreadableRowError(row.raw, "debit and credit at once", position=position)
            if (debit or 0) < 0 or (credit or 0) < 0:
                raise UnreadableRowError(row.raw, "an amount below zero", position=position)
            units = (credit or 0) - (debit or 0)
            flag = self._text(row, "flag")
            if flag and units and self._flag(flag, row) * units < 0:
                raise UnreadableRowError(
                    row.raw, f"column and flag {flag!r} differ", position=position
                )
            return units
        cell = row.cells[self._column["amount"]]
        read = self._numbers.signed_units(cell, self._decimals, position=position)
        if read is None:
            raise UnreadableRowError(row.raw, "no amount", position=position)
        units, is_signed_by_word = read
        if rule == "signed":
            return units
        if rule == "suffix":
            if not is_signed_by_word:
                raise UnreadableAmountError(cell, "no debit or credit word", position=position)
            return units
        if units < 0:
            raise UnreadableRowError(row.raw, "an amount below zero", position=position)
        return units * self._flag(self._text(row, "flag") or "", row)

    def _flag(self, word: str, row: Row) -> int:
        sign = self._flags.get(word.casefold())
        if sign is None:
            raise UnreadableRowError(
                row.raw, f"{word!r} is neither debit nor credit", position=row.position
            )
        return sign

    def _text(self, row: Row, name: str) -> str | None:
        column = self._column.get(name)
        return None if column is None else clean(row.cells[column]) or None

    def _entry(self, row: Row, table: _Table, *, is_pending: bool) -> None:
        """The hot path: places of columns and readers are at hand, and no value is read twice."""
        position, cells, raw, days = row
        account_at, clock_at, value_at, debit_at, credit_at, balance_at, before_at = self._places
        bank_at, reference_at, counterparty_at, code_at = self._texts
        account = None if account_at is None else clean(cells[account_at]) or None
        if self._has_currency or account not in table.currencies:
            self._take_currency(row, account, table)
        booked_on = booked_time = value_on = None
        if not is_pending:
            known = self._known_days.get(cells[self._date_column])
            booked_on, booked_time = known or self._day(row, self._date_column)
            if days and self._date_column in days:
                table.sheet_days.add(position)
            if clock_at is not None and booked_time is None and clean(cells[clock_at]):
                booked_time = read_clock(cells[clock_at], position=position)
        if value_at is not None:
            known = self._known_days.get(cells[value_at])
            value_on, _ = known or self._day(row, value_at)
        read_units, decimals = self._numbers.units, self._decimals
        units: int | None = None
        debit = ""
        if self._is_by_column and debit_at is not None and credit_at is not None:
            debit, credit = cells[debit_at], cells[credit_at]
            if not debit or not credit:  # as in nearly every row
                units = read_units(debit or credit, decimals, position=position)
        if units is None or units < 0:
            units = self._signed_amount(row)
        elif debit:
            units = -units
        if units == 0:
            self.warnings.append(Warning_("zero_amount", position, "an entry over nothing"))
        balance = None
        if before_at is not None:
            before = read_units(cells[before_at], decimals, position=position)
            if before is not None:
                table.openings.setdefault(account, {})[position] = before
        if balance_at is not None:
            balance = read_units(cells[balance_at], decimals, position=position)
        bank_reference = reference = counterparty = code = None
        if bank_at is not None:
            bank_reference = clean(cells[bank_at]) or None
        if reference_at is not None:
            reference = clean(cells[reference_at]) or None
        if counterparty_at is not None:
            counterparty = clean(cells[counterparty_at]) or None
        if code_at is not None:
            code = clean(cells[code_at]) or None
        narrative = clean(cells[self._narrative_columns[0]])
        if len(self._narrative_columns) > 1:
            texts = [narrative, *(clean(cells[n]) for n in self._narrative_columns[1:])]
            narrative = " ".join(filter(None, texts))
        lines = table.lines.get(account)
        if lines is None:
            lines = table.lines[account] = []
        lines.append(
            new_tuple(
                StatementLine,
                (
                    position,
                    booked_on,
                    value_on,
                    booked_on,  # entry_on
                    booked_time,
                    units,
                    balance,
                    False,  # reversal
                    "pending" if is_pending else "booked",
                    bank_reference,
                    reference,
                    counterparty,
                    narrative,
                    code,
                    (),
                    raw,
                ),
            )
        )


def label_at(cells: list[str], word: str) -> int | None:
    """Index of the cell that is *word* (normalised), or of the first filled cell where it begins with it."""
    return _label_among([header_name(cell) for cell in cells], word)


def _label_among(names: list[str], word: str) -> int | None:
    """`label_at` where the cells are normalised already, once for many words."""
    is_first = True
    for index, name in enumerate(names):
        if not name:
            continue
        if name == word:
            return index
        if is_first and name.startswith(word) and name[len(word)] in _LABEL_SEPARATORS:
            return index
        is_first = False
    return None
