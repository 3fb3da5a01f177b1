"""
MT940 files drawn by a seed, read by this product and by two other packages, and compared.

`python -m tests.bank_adapters.differential [FILES]` prints the counts. What was written is known, so
a difference is settled: the product has to give what was written, and where another reader does
not, one of `RULES` has to say why and, where it can, what that reader makes of it.

The rules cite SWIFT's field specifications of MT940 (Standards MT, category 9) and what the two
packages say of themselves: mt-940 5.1 (`Options`, patterns in `mt940.tags`), bankstatementparser 0.0.29
(`parsers/mt940.py`).
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

from bank_adapters import StatementFile, read_statement_file
from bank_adapters.errors import BankAdapterError
from bank_adapters.statements.amounts import units_text

PACKAGES = {"mt-940": "mt940", "bankstatementparser": "bankstatementparser"}

# --- what is written ------------------------------------------------------------------------------


@dataclass
class Entry:
    """One `:61:` and its `:86:`, and what each part means. `traits` name what is particular."""

    value: date | None
    value_text: str
    entry_text: str
    booked: date | None
    mark: str
    funds: str
    amount_text: str
    code: str
    reference: str
    bank_reference: str
    supplement: str
    text: list[str]
    meaning: str
    traits: set[str]

    @property
    def sen(self) -> int:
        whole, _, cents = self.amount_text.partition(",")
        sign = 1 if self.mark.upper() in {"C", "RD"} else -1
        return sign * int(whole + cents.ljust(2, "0"))

    @property
    def lines(self) -> list[str]:
        behind = f"//{self.bank_reference}" if self.bank_reference else ""
        first = (
            f":61:{self.value_text}{self.entry_text}{self.mark}{self.funds}{self.amount_text}"
            f"{self.code}{self.reference}{behind}"
        )
        written = [first, self.supplement] if self.supplement else [first]
        if self.text:
            written += [f":86:{self.text[0]}", *self.text[1:]]
        return written


@dataclass
class Statement:
    """What one account's statement says; balances None where the file leaves them out."""

    account: str
    opening: int | None
    closing: int | None
    entries: list[Entry]
    opened_on: date
    closed_on: date


@dataclass
class File:
    """The bytes, and what they mean."""

    seed: int
    data: bytes
    statements: list[Statement]
    traits: set[str] = field(default_factory=set)

    @property
    def entries(self) -> list[Entry]:
        return [entry for statement in self.statements for entry in statement.entries]


REFUSED_BY_US = {"point", "cut entry"}
FILE_TRAITS = (
    *("pages", "pages with a header each", "no opening", "closing without currency", "nullnull"),
    *("long number", "stray line", "point", "cut entry", "preamble", "mark of bytes", "cp1252"),
    *("no header", "CR alone", "envelope", "does not add up", "wide balance"),
)
ENTRY_TRAITS = (
    *("wide", "30 February", "blank date", "no date", "small mark", "long reference", "GVC"),
    *("tag in the text", "header tag in the text", "dash in the text", "long text"),
)
#: Two ways to lose or to win an entry in one file may hide each other.
_ALONE = {"no header", "mark of bytes", "point", "cp1252", "CR alone", "pages with a header each"}
_SHIFTING = {"wide", "header tag in the text", "long reference"}
_WORDS = (
    "PEMBAYARAN",
    "TERMIN",
    "II",
    "GAJI",
    "BKAD",
    "PT SUMBER",
    "CV MAKMUR",
    "SETORAN",
    "PAJAK",
)


def draw(seed: int) -> File:
    """One file."""
    random = Random(seed)
    traits = {random.choice(FILE_TRAITS)} if random.random() < 0.4 else set()
    # Few a file: a reader that refuses it for one says nothing about the others.
    traits |= set(random.sample(ENTRY_TRAITS, random.choice((0, 1, 1, 2))))
    if traits & _ALONE:
        traits -= _SHIFTING
    statements = [_statement(random, number, traits) for number in range(random.randint(1, 3))]
    lines: list[str] = []
    if "preamble" in traits:
        lines += ["Rekening koran", "dicetak 2026-03-01", ""]
    if "envelope" in traits:
        lines += ["{1:F01BANKIDJAXXXX0000000000}{2:I940BANKIDJAXXXXN}{4:"]
    for number, statement in enumerate(statements):
        lines += _lines(random, number + 1, statement, traits, is_first=number == 0)
        if "envelope" in traits:
            lines.append("-}")
            if number + 1 < len(statements):
                lines += ["{1:F01BANKIDJAXXXX0000000000}{2:I940BANKIDJAXXXXN}{4:"]
        elif random.random() < 0.5:
            lines.append("-")
    text = ("\r" if "CR alone" in traits else random.choice(("\r\n", "\n"))).join([*lines, ""])
    data = text.encode("cp1252" if "cp1252" in traits else "utf-8")
    if "mark of bytes" in traits:
        data = b"\xef\xbb\xbf" + data
    return File(seed, data, statements, traits & set(FILE_TRAITS))


def _statement(random: Random, number: int, traits: set[str]) -> Statement:
    closed_on = random.choice((date(2026, 1, 5), date(2026, 2, 28), date(2025, 12, 31)))
    opened_on = closed_on - timedelta(days=random.randint(1, 9))
    entries = [_entry(random, opened_on, closed_on, traits) for _ in range(random.randint(0, 7))]
    if entries and random.random() < 0.3:
        entries.append(entries[-1])  # the same payment twice on one day is two payments
    if "cp1252" in traits:
        for entry in entries[:1]:
            entry.text, entry.meaning = ["CAFÉ ÉLITE"], "CAFÉ ÉLITE"
            entry.traits.add("cp1252")
    wide = 10**16 + 7 if "wide balance" in traits else 10**14
    opening = random.choice((0, 150, -2_500, 99_999_999_999_999, wide))
    closing = opening + sum(entry.sen for entry in entries)
    if "does not add up" in traits:
        closing += 1
    return Statement(
        f"00100123456{number}",
        None if "no opening" in traits else opening,
        closing,
        entries,
        opened_on,
        closed_on,
    )


def _entry(random: Random, opened_on: date, closed_on: date, allowed: set[str]) -> Entry:
    traits: set[str] = set()

    def has(trait: str, share: float) -> bool:
        if trait in allowed and random.random() < share:
            traits.add(trait)
        return trait in traits

    booked = opened_on + timedelta(days=random.randint(1, (closed_on - opened_on).days))
    value: date | None = booked - timedelta(days=random.choice((0, 0, 1, 3, -1)))
    value_text = f"{value:%y%m%d}"
    if has("30 February", 0.3):
        value, value_text = None, f"{booked:%y}0230"
    entry_text = f"{booked:%m%d}"
    shown: date | None = booked
    if has("no date", 0.3) or has("blank date", 0.3):
        entry_text, shown = "    " if "blank date" in traits else "", value
    mark = random.choice(("C", "D", "D", "RC", "RD"))
    if has("small mark", 0.3):
        mark = mark.lower()
    digits = random.choice((3, 7, 10, 12, 12))
    if has("wide", 0.3):
        digits = random.choice((13, 14, 16))
    amount = str(random.randrange(10 ** (digits - 1), 10**digits))
    cents = f",{random.randrange(100):02d}"
    amount += cents if "wide" in traits else random.choice((",00", ",5", ",05", ",", "", cents))
    reference = random.choice(("NONREF", f"SP2D26{random.randrange(10**6):06d}"))
    if has("long reference", 0.3):
        reference = "ID" + "".join(str(random.randrange(10)) for _ in range(random.randint(15, 30)))
    bank_reference = random.choice(("", f"FT{random.randrange(10**9):09d}", "FT1//9"))
    supplement = random.choice(("", "", "", "/OCMT/IDR1,"))
    text, meaning = _text(random, allowed, traits)
    return Entry(
        *(value, value_text, entry_text, shown, mark, random.choice(("", "", "R")), amount),
        *("NTRF", reference, bank_reference, supplement, text, meaning, traits),
    )


def _text(random: Random, allowed: set[str], traits: set[str]) -> tuple[list[str], str]:
    """The lines of a `:86:`, and what they say without spaces."""
    words = " ".join(random.choice(_WORDS) for _ in range(random.randint(1, 5)))
    odd = {
        "tag in the text": [words, ":12:00 WIB", "LANJUT"],
        "header tag in the text": [words, ":20:30 WIB", "LANJUT"],
        "dash in the text": [words, "- POTONGAN", "LANJUT"],
        "long text": ["X" * 65] * 10,
    }
    for trait, lines in odd.items():
        if trait in allowed and random.random() < 0.3:
            traits.add(trait)
            return lines, "".join(lines)
    if "GVC" in allowed and random.random() < 0.3:
        traits.add("GVC")
        return [f"166?00TRANSFER?20{words[:27]}?21AKHIR?32PT A"], f"{words[:27]}AKHIR"
    form = random.random()
    if form < 0.1:
        return [], ""
    if form < 0.3:
        text = f"/EREF/SP2D-1/REMI/{words}/NAME/PT A/"
        return [text], text
    number = random.randrange(10**6)
    cut = f"{words} SP2D 04.03/04.0/{number:06d}/LS/1.02.0.00.0.00.01.0000/P.01/3/2026"
    return [cut[n : n + 65] for n in range(0, len(cut), 65)], cut


def _lines(
    random: Random, number: int, statement: Statement, traits: set[str], *, is_first: bool
) -> list[str]:
    header = [] if "no header" in traits and is_first else [f":20:R{number}"]
    header.append(f":25:{statement.account}")
    shown = "1234567" if "long number" in traits else f"{number:05d}"
    entries = statement.entries
    paged = bool(traits & {"pages", "pages with a header each"}) and len(entries) > 1
    parts = [entries[: len(entries) // 2], entries[len(entries) // 2 :]] if paged else [entries]
    lines: list[str] = []
    carried = statement.opening
    for page, part in enumerate(parts, start=1):
        if page == 1 or "pages with a header each" in traits:
            lines += header
        lines.append(f":28C:{shown}/{page}")
        if "stray line" in traits:
            lines.append("BARIS LEPAS")
        if carried is not None:
            tag = "60F" if page == 1 else "60M"
            lines.append(f":{tag}:{_balance(carried, statement.opened_on)}")
        lines += [line for entry in part for line in entry.lines]
        if page == 1 and traits & REFUSED_BY_US and is_first:
            day = f"{statement.closed_on:%y%m%d}"
            lines.append(f":61:{day}{'D1.000,00NTRFX' if 'point' in traits else 'D'}")
        is_last = page == len(parts)
        if is_last:
            carried = statement.closing
        elif carried is not None:
            carried += sum(entry.sen for entry in part)
        tag = "62F" if is_last else "62M"
        if carried is not None:
            closing = _balance(carried, statement.closed_on)
            if "closing without currency" in traits:
                closing = closing.replace("IDR", "")
            lines.append(f":{tag}:{closing}")
    if "nullnull" in traits:
        lines.append(":65:nullnull")
    return lines


def _balance(sen: int, on: date) -> str:
    printed = units_text(abs(sen), 2).replace(".", ",")
    return f"{'D' if sen < 0 else 'C'}{on:%y%m%d}IDR{printed}"


# --- what is read ---------------------------------------------------------------------------------


@dataclass
class Row:
    """An entry as a reader gives it; texts without white space; None for what it does not give."""

    amount: Decimal
    value: date | None
    booked: date | None
    reference: str | None
    text: str


@dataclass
class Reading:
    """What a reader gives for a file: entries in order, balances by statement, or a refusal."""

    rows: list[Row] = field(default_factory=list)
    balances: list[tuple[Decimal | None, Decimal | None]] = field(default_factory=list)
    refused: str = ""


def _squeezed(*texts: str | None) -> str:
    return "".join("".join(text.split()) for text in texts if text)


def read_by_us(file: File) -> Reading:
    """This product."""
    try:
        read: StatementFile = read_statement_file(file.data, format="mt940")
    except BankAdapterError as refused:
        return Reading(refused=refused.code)
    rows = [
        Row(
            Decimal(line.amount_units).scaleb(-2),
            line.value_on,
            line.booked_on,
            _reference(line.reference, line.bank_reference),
            _squeezed(line.narrative),
        )
        for statement in read.statements
        for line in statement.lines
    ]
    balances = [
        tuple(None if each is None else Decimal(each.units).scaleb(-2) for each in pair)
        for pair in ((s.opening, s.closing) for s in read.statements)
    ]
    return Reading(rows, balances)  # type: ignore[arg-type]  # pairs by construction


def _reference(own: str | None, bank: str | None) -> str:
    return _squeezed(None if own == "NONREF" else own, "//", bank)


def read_by_mt940(file: File) -> Reading:
    """mt-940, with the options that read reversals and long texts right."""
    import mt940  # noqa: PLC0415  # optional

    logging.getLogger("mt940").setLevel(logging.CRITICAL)
    options = mt940.Options(reversal_sign=True, unbounded_details=True)
    try:
        read = mt940.parse_statements(file.data, options=options)
    except Exception as error:  # whatever it raises is its refusal
        return Reading(refused=type(error).__name__)
    reading = Reading()
    for statement in read:
        for entry in statement:
            data = entry.data
            if "amount" not in data:
                continue  # a text in front of the first entry
            reading.rows.append(
                Row(
                    data["amount"].amount,
                    _plain(data["date"]),
                    _plain(data.get("entry_date") or data["date"]),
                    _reference(data.get("customer_reference"), data.get("bank_reference")),
                    _squeezed(
                        data.get("transaction_details") or data.get("purpose"),
                        data.get("extra_details"),
                    ),
                )
            )
        opening = statement.data.get("final_opening_balance")
        closing = statement.data.get("final_closing_balance")
        reading.balances.append(
            (opening and opening.amount.amount, closing and closing.amount.amount)
        )
    return reading


def _plain(day: date) -> date:
    return date(day.year, day.month, day.day)


def read_by_bankstatementparser(file: File) -> Reading:
    """bankstatementparser, which takes files by path."""
    from bankstatementparser.parsers import Mt940Parser  # noqa: PLC0415  # optional

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "statement.sta"
        path.write_bytes(file.data)
        try:
            parser = Mt940Parser(path)
            table: list[dict[str, Any]] = parser.parse().to_dict("records")
            summaries = parser.get_summaries()
        except Exception as error:  # as above
            return Reading(refused=type(error).__name__)
    rows = [
        Row(
            row["amount"],
            date.fromisoformat(row["date"]),
            None,
            _squeezed(row["transaction_id"]),
            _squeezed(row["description"]),
        )
        for row in table
    ]
    return Reading(rows, [(s["opening_balance"], s["closing_balance"]) for s in summaries])


READERS: dict[str, Callable[[File], Reading]] = {
    "mt-940": read_by_mt940,
    "bankstatementparser": read_by_bankstatementparser,
}


# --- what differs, and why ------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """One point at which a package does not say what was written."""

    package: str
    what: str  # refused, entries, amount, value, booked, reference, text, statements, opening, closing
    traits: frozenset[str]
    written: object
    read: object
    entry: Entry | None = None
    text: str = ""


@dataclass(frozen=True)
class Rule:
    """Why *packages* may differ in *what*, where a trait was written; `makes` is what they then give."""

    name: str
    source: str
    packages: tuple[str, ...]
    what: tuple[str, ...]
    traits: frozenset[str]
    makes: Callable[[Difference], object] | None = None

    def explains(self, found: Difference) -> bool:
        return (
            found.package in self.packages
            and found.what in self.what
            and bool(self.traits & found.traits)
            and (self.makes is None or self.makes(found) == found.read)
        )


def _printed(found: Difference) -> str:
    return f"{abs(_decimal(found)):.2f}".replace(".", ",")


def _signed(found: Difference, text: str) -> Decimal:
    units = Decimal(text.replace(",", ".") or 0)
    return -units if _decimal(found) < 0 else units


def _cut_amount(found: Difference) -> object:
    return _signed(found, _of(found).amount_text[:15])


def _headers(found: Difference) -> object:
    """How many lines begin with `:20:`, whatever they are."""
    return sum(line.startswith(":20:") for line in found.text.splitlines())


def _last_of_february(found: Difference) -> object:
    return date(2000 + int(_of(found).value_text[:2]), 2, 28)


def _text_to_the_tag(found: Difference) -> object:
    supplement = _of(found).supplement if found.package in MT940 else ""
    return _squeezed(_of(found).text[0], supplement)


def _text_and_rest_of_reference(found: Difference) -> object:
    entry = _of(found)
    behind = f"//{entry.bank_reference}" if entry.bank_reference else ""
    is_cut = "header tag in the text" in entry.traits
    return _squeezed(entry.text[0] if is_cut else entry.meaning, entry.reference[16:], behind)


def _in_cp852(found: Difference) -> object:
    entry = _of(found)
    return _squeezed(entry.meaning.encode("cp1252").decode("cp852"), entry.supplement)


def _of(found: Difference) -> Entry:
    assert found.entry is not None
    return found.entry


def _decimal(found: Difference) -> Decimal:
    assert isinstance(found.written, Decimal)
    return found.written


def _number(found: Difference) -> int:
    return _number_of(found.written)


def _number_of(value: object) -> int:
    assert isinstance(value, int)
    return value


MT940, BSP = ("mt-940",), ("bankstatementparser",)


def _rule(
    name: str,
    source: str,
    packages: tuple[str, ...],
    what: str,
    traits: str,
    makes: Callable[[Difference], object] | None = None,
) -> Rule:
    return Rule(
        name, source, packages, tuple(what.split(", ")), frozenset(traits.split(", ")), makes
    )


RULES: tuple[Rule, ...] = (
    _rule(
        "an amount of more than 15 characters is cut",
        "field 61: 15d; a province's amounts go past it. mt940.tags.Statement: [\\d,]{1,15}",
        *(MT940, "amount", "wide", _cut_amount),
    ),
    _rule(
        "what is cut off an amount is read as reference and text",
        "field 61: 15d, as the cut amount; the type code is not where the pattern looks for it",
        *(MT940, "reference, text", "wide"),
    ),
    _rule(
        "an entry whose type code was not found is overwritten by the next",
        "field 61: 15d, as the cut amount; mt940.models.Transactions._process_statement_tag",
        *(MT940, "entries, refused", "wide"),
    ),
    _rule(
        "a balance of more than 16 characters is cut",
        "field 60a: 15d. mt940.tags.BalanceBase: [0-9,]{0,16}",
        *(MT940, "opening, closing", "wide, wide balance"),
        lambda found: _signed(found, _printed(found)[:16]),
    ),
    _rule(
        "a day that does not exist becomes the last of its month",
        "field 61, subfield 1: a valid date; kept unread here. mt940.processors.date_fixup_pre_processor",
        *(MT940, "value, booked", "30 February", _last_of_february),
    ),
    _rule(
        "a small d or rc is money in",
        "field 61, subfield 3: the marks, whatever their case. mt940.Options.case_insensitive_marks",
        *(MT940, "amount", "small mark", lambda found: abs(_decimal(found))),
    ),
    _rule(
        "a reference of more than 16 characters is cut, and the bank's with it",
        "field 61, subfield 7: 16x; banks write more (mt940 issue 117)",
        *(MT940, "reference", "long reference", lambda found: f"{_of(found).reference[:16]}//"),
    ),
    _rule(
        "what is cut off a reference is read as text",
        "field 61, subfield 7: 16x; supplementary details begin where mt940's pattern ends",
        *(MT940, "text", "long reference", _text_and_rest_of_reference),
    ),
    _rule(
        "a long reference with supplementary details refuses the file",
        "field 61, subfields 7 and 9: mt940's pattern has no line break behind what it cut off",
        *(MT940, "refused", "long reference"),
    ),
    _rule(
        "a line of text that begins with :20: opens a statement",
        "field 86: 6*65x is free text; only where a header may stand is :20: one."
        " mt940.parse_statements splits at every :20:",
        *(MT940, "statements", "header tag in the text", _headers),
    ),
    _rule(
        "text behind a line that begins with :20: is lost",
        "field 86: free text. mt940.parse_statements splits at every :20:",
        *(MT940, "text", "header tag in the text", _text_to_the_tag),
    ),
    _rule(
        "pages with a header each are statements",
        "field 28C: sequence number; 60M and 62M carry over. mt940 pull request 127",
        *(MT940, "statements", "pages with a header each", _headers),
    ),
    _rule(
        "bytes that are no UTF-8 are read as cp852",
        "no standard: SWIFT's x is ASCII, and what banks add is a guess of every reader."
        " mt940.parser._decode",
        *(MT940, "text", "cp1252", _in_cp852),
    ),
    _rule(
        "a closing without currency loses its first three digits",
        "field 62a: 1!a6!n3!a15d; the currency is the opening's. mt940.tags.BalanceBase: .{3}",
        *(MT940, "closing", "closing without currency"),
        lambda found: _signed(found, _printed(found)[3:19]),
    ),
    _rule(
        "a field that says nothing of the entries refuses the file",
        "fields 28C (5n) and 65: kept as written and warned of here. mt940.tags.Tag.parse raises",
        *(MT940, "refused", "nullnull, stray line, long number"),
    ),
    _rule(
        "what stands before the first :20: is dropped",
        "field 20 is mandatory, and left out by banks. mt940.parse_statements",
        *(MT940, "entries, statements", "no header, mark of bytes"),
    ),
    _rule(
        "carriage returns alone end no line",
        "text of a message: CRLF. mt940.models.Transactions.parse splits at LF",
        *(MT940, "entries, statements, opening, closing", "CR alone"),
    ),
    _rule(
        "a point in an amount ends it: 1.000,00 is 1",
        "field 61: a decimal comma and no point; refused here, because it could be 1000",
        *((*MT940, *BSP), "entries", "point", lambda found: _number(found) + 1),
    ),
    _rule(
        "a day that does not exist refuses the file",
        "field 61, subfield 1: a valid date; kept unread here. datetime.strptime raises",
        *(BSP, "refused", "30 February"),
    ),
    _rule(
        "blanks for an entry date, and small marks, refuse the file",
        "field 61, subfields 2 and 3, as banks write them (ASN). bankstatementparser.parsers.mt940",
        *(BSP, "refused", "blank date, small mark"),
    ),
    _rule(
        "a closing without currency refuses the file",
        "field 62a: 1!a6!n3!a15d; the currency is the opening's. Mt940Parser._parse_balance_line",
        *(BSP, "refused", "closing without currency"),
    ),
    _rule(
        "pages below one header refuse the file as conflicting balances",
        "field 28C: sequence number; 60M and 62M carry over. Mt940Parser._parse_balance_line",
        *(BSP, "refused", "pages"),
    ),
    _rule(
        "bytes that are no UTF-8 refuse the file",
        "no standard: SWIFT's x is ASCII; read as cp1252 here, with a warning",
        *(BSP, "refused", "cp1252"),
    ),
    _rule(
        "a line of text that looks like a tag, or begins with a dash, ends the text",
        "field 86: 6*65x is free text. Mt940Parser._append_narrative_line",
        *(BSP, "text", "tag in the text, header tag in the text, dash in the text"),
        _text_to_the_tag,
    ),
    _rule(
        "every :20: is a statement, of text and of pages too",
        "field 86 is free text, field 28C counts pages. Mt940Parser._check_new_scope",
        *(BSP, "statements", "header tag in the text, pages with a header each"),
        lambda found: _number_of(_headers(found)) + ("no header" in found.traits),
    ),
)


def written(file: File) -> Reading:
    """What the file says, by who wrote it."""
    rows = [
        Row(
            Decimal(entry.sen).scaleb(-2),
            entry.value,
            entry.booked,
            _reference(entry.reference, entry.bank_reference),
            _squeezed(entry.meaning, entry.supplement),
        )
        for entry in file.entries
    ]
    balances = [
        (
            None if each.opening is None else Decimal(each.opening).scaleb(-2),
            None if each.closing is None else Decimal(each.closing).scaleb(-2),
        )
        for each in file.statements
    ]
    return Reading(rows, balances)


def differences(file: File, package: str, reading: Reading) -> Iterator[Difference]:
    """All points in which *reading* is not what was written."""
    meant = written(file)
    traits = frozenset(file.traits.union(*(entry.traits for entry in file.entries)))
    text = file.data.decode("latin-1")
    if reading.refused:
        yield Difference(package, "refused", traits, "", reading.refused, text=text)
        return
    if len(meant.rows) != len(reading.rows):
        yield Difference(package, "entries", traits, len(meant.rows), len(reading.rows), text=text)
    else:
        for entry, mine, theirs in zip(file.entries, meant.rows, reading.rows, strict=True):
            for what in ("amount", "value", "booked", "reference", "text"):
                before, after = _pair(package, what, entry, mine, theirs)
                if before != after:
                    found = frozenset(entry.traits | file.traits)
                    yield Difference(package, what, found, before, after, entry, text)
    if len(meant.balances) != len(reading.balances):
        yield Difference(
            package, "statements", traits, len(meant.balances), len(reading.balances), text=text
        )
        return
    for mine_pair, their_pair in zip(meant.balances, reading.balances, strict=True):
        for what, before, after in zip(("opening", "closing"), mine_pair, their_pair, strict=True):
            if before != after:
                yield Difference(package, what, traits, before, after, text=text)


def _pair(package: str, what: str, entry: Entry, mine: Row, theirs: Row) -> tuple[object, object]:
    if package == "bankstatementparser":
        if what == "booked":
            return None, None  # gives the value date only
        if what == "reference":
            behind = f"//{entry.bank_reference}" if entry.bank_reference else ""
            return f"{entry.code}{entry.reference}{behind}", theirs.reference
        if what == "text":
            return _squeezed("".join(entry.text)), theirs.text
    return getattr(mine, what), getattr(theirs, what)


@dataclass
class Counts:
    """What a package agreed with, and the differences by rule; `unexplained` is to be empty."""

    files: int = 0
    files_alike: int = 0
    entries: int = 0
    entries_alike: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)
    unexplained: list[tuple[int, Difference]] = field(default_factory=list)


def compare(files: Iterable[File], package: str) -> Counts:
    """Read *files* with *package* and explain every difference."""
    counts = Counts()
    for file in files:
        reading = READERS[package](file)
        counts.files += 1
        counts.entries += len(file.entries)
        both_refuse = bool(reading.refused) and bool(file.traits & REFUSED_BY_US)
        found = [] if both_refuse else list(differences(file, package, reading))
        if not found:
            counts.files_alike += 1
        if not reading.refused and len(reading.rows) == len(file.entries):
            wrong = {id(each.entry) for each in found if each.entry is not None}
            counts.entries_alike += sum(id(entry) not in wrong for entry in file.entries)
        for each in found:
            rule = next((rule for rule in RULES if rule.explains(each)), None)
            if rule is None:
                counts.unexplained.append((file.seed, each))
            else:
                counts.by_rule[rule.name] += 1
    return counts


def installed(package: str) -> bool:
    """Whether *package* can be asked here."""
    return find_spec(PACKAGES[package]) is not None


def main(files: int) -> int:
    """Print the counts of both packages; 1 where something is unexplained."""
    drawn = [draw(seed) for seed in range(files)]
    status = 0
    for package in PACKAGES:
        if not installed(package):
            print(f"{package} is not installed")
            continue
        counts = compare(drawn, package)
        print(
            f"{package}: {counts.files} files, {counts.files_alike} alike; {counts.entries} entries,"
            f" {counts.entries_alike} alike in every field"
        )
        sources = {rule.name: rule.source for rule in RULES}
        for name, count in counts.by_rule.most_common():
            print(f"  {count:6}  {name}\n          ({sources[name]})")
        for seed, each in counts.unexplained[:20]:
            print(f"  UNEXPLAINED in file {seed}: {each}")
        status |= bool(counts.unexplained)
    return status


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000))
