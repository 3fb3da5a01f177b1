"""A sample's table to a draft of its layout: which column is what, and how it is written.

What the table does not say is asked, never assumed: a question goes beside its key in the draft.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from bank_adapters.errors import shown
from bank_adapters.statements.amounts import clean
from bank_adapters.statements.csv_profiles import label_at
from bank_adapters.statements.profile import header_name
from bank_adapters.statements.profile_text import Draft
from bank_adapters.statements.sample_columns import (
    CREDIT_WORDS,
    DEBIT_WORDS,
    LABEL_WORDS,
    fields_in,
)
from bank_adapters.statements.sample_table import SampleRow, SampleTable, text_of
from bank_adapters.statements.sample_values import (
    find_dates,
    find_numbers,
    find_period,
    is_day,
    sign_word,
)

__all__ = ["Column", "Understanding"]

_MONEY: Final = ("debit", "credit", "amount", "balance", "balance_before")
_MOVES: Final = ("debit", "credit", "amount")
_ONE_OF: Final = ("booked_on", *_MONEY, "flag", "account", "currency")
_PENDING: Final = frozenset({"pend", "pending"})
_FIRST_WORDS: Final = re.compile(r"[^0-9:;,=|\t]*")
_ROWS_NAMED_MAX: Final = 5
_ACCOUNT_DIGITS_MIN: Final = 5
_CURRENCY_WORDS: Final = ("kode mata uang", "mata uang", "currency")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the sample and the field it is read as; "" where nothing is read from it."""

    place: int
    header: str
    field: str


@dataclass(slots=True)
class Understanding:
    """Goes through the sample field by field; what it finds is in `draft`."""

    table: SampleTable
    draft: Draft
    understood: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    _place: dict[str, list[int]] = field(default_factory=dict)
    _entries: list[SampleRow] = field(default_factory=list)
    _period: str = ""

    def shown_columns(self) -> list[Column]:
        """Every column with what it is read as."""
        read_as = {place: name for name, places in self._place.items() for place in places}
        return [
            Column(place + 1, clean(text), read_as.get(place, ""))
            for place, text in enumerate(self.table.header.texts())
            if clean(text) or place in read_as
        ]

    # --- columns

    def columns(self) -> None:
        """Which column is which field."""
        headers = self.table.header.texts()
        found = fields_in(headers)
        for name, places in found.items():
            if len(places) > 1 and name in _ONE_OF:
                names = ", ".join(shown(clean(headers[place])) for place in places)
                self._ask(f"columns {names} could each be the {name}: which one is it?", name)
            elif name == "narrative":
                self._place[name] = places
            else:
                self._place[name] = places[:1]
        if self._place.keys() >= {"debit", "credit"} and "amount" in self._place:
            del self._place["amount"]  # the sum of both, or their name; two columns say it all
        self._find_entries()
        self._check_flag(headers)
        for name in ("booked_on", "narrative"):
            if name not in self._place and name not in self.draft.open:
                free = [clean(h) for n, h in enumerate(headers) if clean(h) and not self._reads(n)]
                choice = f" It may be one of {', '.join(map(shown, free))}." if free else ""
                self._ask(f"no column is known as the {name}.{choice}", name)
        for name, places in self._place.items():
            self.draft.columns[name] = list(
                dict.fromkeys(clean(headers[place]) or f"#{place + 1}" for place in places)
            )

    def _reads(self, place: int) -> bool:
        return any(place in places for places in self._place.values())

    def _cell(self, row: SampleRow, name: str) -> str | datetime:
        places = self._place.get(name)
        if not places or places[0] >= len(row.cells):
            return ""
        cell = row.cells[places[0]]
        return cell if isinstance(cell, datetime) else text_of(cell)

    def _find_entries(self) -> None:
        for row in self.table.rows:
            day = self._cell(row, "booked_on")
            is_dated = isinstance(day, datetime) or is_day(day)
            if is_dated and any(clean(str(self._cell(row, name))) for name in _MOVES):
                self._entries.append(row)

    def _check_flag(self, headers: list[str]) -> None:
        """A flag is a column of sign words; one without a name is found by them."""
        words = {*DEBIT_WORDS, *CREDIT_WORDS}

        def is_flag(place: int) -> bool:
            texts = [
                clean(text_of(row.cells[place])).upper()
                for row in self._entries
                if place < len(row.cells)
            ]
            return bool(texts) and all(text in words for text in texts)

        named = self._place.get("flag", [])
        generic = named and header_name(headers[named[0]]).startswith(("jenis", "tipe", "type"))
        if generic and not is_flag(named[0]):
            del self._place["flag"]
        if "amount" in self._place and "flag" not in self._place:
            free = [place for place in range(len(headers)) if not self._reads(place)]
            flags = [place for place in free if is_flag(place)]
            if len(flags) == 1:
                self._place["flag"] = flags
            elif flags:
                names = ", ".join(shown(headers[place]) for place in flags)
                self._ask(f"columns {names} could each say debit or credit", "flag")

    # --- rows around the entries

    def labels(self) -> None:
        """Rows above and below the entries: account, period, balances, totals, and the rest."""
        for row in self.table.above:
            self._label(row, ("account", "period", "opening", "closing"), is_above=True)
            self._currency(row)
        ignored: list[str] = []
        for row in self.table.rows:
            day = self._cell(row, "booked_on")
            text = "" if isinstance(day, datetime) else clean(day)
            has_amount = any(clean(str(self._cell(row, name))) for name in _MOVES)
            if isinstance(day, datetime) or is_day(text):
                if not has_amount:
                    self._label(row, ("opening", "closing"), is_above=False)
                continue
            if has_amount and text.casefold() in _PENDING:
                self.draft.labels["pending"] = [text]
                continue
            if self._label(row, tuple(LABEL_WORDS), is_above=False):
                continue
            first = next((t for each in row.texts() if (t := clean(each))), "")
            begin = clean(match[0]) if (match := _FIRST_WORDS.match(first)) else ""
            if has_amount or not begin:
                self._ask(f"row {row.position} has no day and is no known total: {shown(first)}")
            elif begin not in ignored:
                ignored.append(begin)
        if ignored:
            self.draft.labels["ignored"] = ignored
            named = ", ".join(map(shown, ignored[:_ROWS_NAMED_MAX]))
            self.understood.append(f"left out: rows without amounts that begin with {named}")
        for label, words in self.draft.labels.items():
            if label in {"opening", "closing", "totals", "account", "period"}:
                self.understood.append(f"{label}: the row {', '.join(map(shown, words))}")
        if "account" not in self._place and "account" not in self.draft.labels:
            self.understood.append("account: not in the file; it is the one given at the import")

    def _label(self, row: SampleRow, labels: tuple[str, ...], *, is_above: bool) -> bool:
        texts = [clean(text) for text in row.texts()]
        for label in labels:
            for word in LABEL_WORDS[label]:
                at = label_at(texts, word)
                if at is None:
                    continue
                behind = " ".join([texts[at][len(word) :], *texts[at + 1 :]])
                if label == "account" and len(re.findall(r"[0-9]", behind)) < _ACCOUNT_DIGITS_MIN:
                    continue  # "REKENING KORAN", a title
                written = texts[at][: len(word)]
                known = self.draft.labels.setdefault(label, [])
                if header_name(written) not in map(header_name, known):
                    known.append(written)
                if label == "period":
                    self._period = behind
                if label in {"closing", "totals"} and not is_above:
                    self.draft.expects = sorted({*self.draft.expects, label})
                return True
        return False

    def _currency(self, row: SampleRow) -> None:
        texts = [clean(text) for text in row.texts()]
        for word in _CURRENCY_WORDS:
            if (at := label_at(texts, word)) is None:
                continue
            behind = " ".join([texts[at][len(word) :], *texts[at + 1 :]])
            code = re.search(r"\b[A-Z]{3}\b", behind)
            if code and code[0] != self.draft.currency:
                self.draft.currency = code[0]
                self.understood.append(f"currency: {code[0]}")
            return

    # --- notations

    def dates(self) -> None:
        """How days are written, by the whole column."""
        if "booked_on" not in self._place:
            return
        if not self._entries:
            self._ask("no row has a day and an amount, so nothing shows how they are written")
            return
        cells = [self._cell(row, "booked_on") for row in self._entries]
        found = find_dates(cells, self._period)
        self.draft.formats = list(found.formats)
        self.draft.format_choices = [list(choice) for choice in found.choices]
        if found.question:
            self._ask(found.question, "formats")
            return
        self.understood.append(f"days: {found.reason}")
        value_days = [cell for row in self._entries if (cell := self._cell(row, "value_on"))]
        if value_days:
            self._value_days(value_days, found.formats)
        if self._period:
            spelling = find_period(self._period, found.formats)
            if not spelling:
                del self.draft.labels["period"]
                self.draft.labels.setdefault("ignored", []).append("Periode")
                self.understood.append(f"period: {shown(self._period)} is not understood")
            self.draft.period_formats = [each for each in spelling if each not in found.formats]

    def _value_days(self, cells: list[str | datetime], formats: tuple[str, ...]) -> None:
        texts = [cell for cell in cells if isinstance(cell, str)]
        known = find_dates(texts, "") if texts else None
        if known is None or set(known.formats) <= set(formats):
            return
        if known.choices:
            # The booking days have said which order this bank writes.
            chosen = next((each for each in known.choices if set(each) <= set(formats)), None)
            if chosen is None:
                self._ask("value days are written otherwise than booking days", "value_on")
            return
        self.draft.formats += [each for each in known.formats if each not in formats]

    def numbers(self) -> None:
        """Decimal and grouping sign, by all columns of money."""
        texts = [
            text_of(cell)
            for row in self.table.rows
            for name in _MONEY
            for place in self._place.get(name, [])[:1]
            if place < len(row.cells) and isinstance(cell := row.cells[place], str)
            if any(c.isdigit() for c in cell)
        ]
        found = find_numbers(texts)
        if found.question:
            self._ask(found.question, "decimal")
            return
        self.draft.decimal, self.draft.grouping = found.decimal, found.grouping
        self.understood.append(f"amounts: {found.reason}")

    # --- signs

    def signs(self) -> None:
        """What says which way the money went."""
        place = self._place
        words = self._words()
        if {"debit", "credit"} <= place.keys():
            self.draft.rule = "two_columns"
            self.understood.append("sign: two columns, money out and money in")
            return
        if "amount" not in place:
            self._ask("no column of amounts: neither one amount, nor debit and credit", "rule")
            return
        if "flag" in place:
            unknown = sorted(words - {*DEBIT_WORDS, *CREDIT_WORDS})
            if unknown:
                named = ", ".join(map(shown, unknown[:_ROWS_NAMED_MAX]))
                self._ask(f"{named}: which of them are debit, which credit?", "rule")
                return
            self.draft.rule = "flag"
        elif words:
            self.draft.rule = "suffix"
        elif any(_is_negative(str(self._cell(row, "amount"))) for row in self._entries):
            self.draft.rule = "signed"
            self.understood.append("sign: the amount's own, minus is money out")
            return
        else:
            self._ask("no minus, no word and no column says which amounts are money out", "rule")
            return
        self.understood.append(f"sign: by {', '.join(sorted(words))} (D: money out; C, K: in)")

    def _words(self) -> set[str]:
        """Words of the flag column, else behind amounts; both lists of words where there are any."""
        if "flag" in self._place:
            words = {clean(str(self._cell(row, "flag"))).upper() for row in self._entries}
        else:
            words = {
                sign_word(str(self._cell(row, name))).upper()
                for row in self._entries
                for name in ("amount",)
            } - {""}
        behind_balances = {
            sign_word(str(self._cell(row, name))) for row in self._entries for name in _MONEY
        } - {""}
        if words or behind_balances:
            self.draft.debit, self.draft.credit = list(DEBIT_WORDS), list(CREDIT_WORDS)
        return words

    def _ask(self, question: str, key: str = "") -> None:
        self.questions.append(question)
        if key:
            self.draft.open[key] = question


def _is_negative(text: str) -> bool:
    bare = clean(text)
    return ("-" in bare.strip() and any(c.isdigit() for c in bare)) or bare.startswith("(")
