"""ISO 20022 camt.053 (statement), camt.052 (report) and camt.054 (advice), in every version.

The fields that `camt_xml` gathers become values here. Only booked entries move money; the direction
is what `CdtDbtInd` says, and `RvslInd` does not turn it again. An entry's amount is the entry's: the
transactions below it are details, kept as `sub_entries` where they add up to it (declared charges
included). Positions are ordinals: of the entry in the file, or of the statement.

`read_camt` gives whole statements; `stream_camt` hands on each line and forgets it, so that memory
does not grow with the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, time
from typing import Final, NamedTuple

from bank_adapters.errors import CurrencyMismatchError, UnreadableElementError
from bank_adapters.statements.amounts import DIGITS_MAX, decimals_of, units_text
from bank_adapters.statements.camt_xml import (
    CHUNK_BYTES,
    FORMAT,
    Entry,
    Fields,
    Head,
    read_parts,
)
from bank_adapters.statements.statement import (
    Balance,
    Kind,
    Statement,
    StatementLine,
    Status,
    Warning_,
    check_count,
    check_sum,
    new_tuple,
)

__all__ = ["FORMAT", "claims", "read_camt", "stream_camt"]

_KINDS: Final[dict[str, Kind]] = {
    "camt.053": "end_of_day",
    "camt.052": "intraday",
    "camt.054": "advice",
}
_STATUSES: Final[dict[str, Status]] = {
    "BOOK": "booked",
    "PDNG": "pending",
    "FUTR": "pending",
    "INFO": "info",
}
_SIGNS: Final = {"CRDT": 1, "DBIT": -1}
_TRUTH: Final = {"true": True, "1": True, "false": False, "0": False}
#: XML Schema's decimal without a sign: `1250.5`, `000149.87`, `.5`. No exponent, no grouping.
_DECIMAL: Final = re.compile(r"([0-9]*)(?:\.([0-9]*))?", re.ASCII)
_CENTS: Final = re.compile(r"[0-9]++\.[0-9][0-9]", re.ASCII)
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:Z|[+-][0-9]{2}:[0-9]{2})?", re.ASCII)
_DATE_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?",
    re.ASCII,
)
_WESTERN: Final = frozenset({"Z", "+00:00", "-00:00"})
_DAYS: Final = {name: (f"{name}/Dt", f"{name}/DtTm") for name in ("BookgDt", "ValDt", "Dt")}
_OTHER_REFERENCES: Final = ("Refs/InstrId", "Refs/PmtInfId")
_NOT_PROVIDED: Final = frozenset({"NOTPROVIDED", "NONREF", "NOT PROVIDED"})
#: A remark that fills its field goes on in the next one, in the middle of a word if need be.
_USTRD_CHARACTERS: Final = 140
_LOOKED_AT_BYTES: Final = 4096
_LOOKED_IN_CHARACTERS: Final = 10_000


def claims(data: bytes) -> bool:
    """Whether the bytes look like a message of ISO 20022. Proposes only."""
    start = data[:_LOOKED_AT_BYTES]
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        start = start.replace(b"\x00", b"")[2:]
    start = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith(b"<") and (b"iso:20022" in start or b"camt.05" in start)


def read_camt(data: bytes) -> tuple[list[Statement], list[Warning_]]:
    """All statements of the file, in its order, and the warnings about them.

    Raises subclasses of StatementFileError, with the entry or statement, where it would have to
    guess.
    """
    warnings: list[Warning_] = []
    statements: list[Statement] = []
    lines: list[StatementLine] = []
    pieces = (data[n : n + CHUNK_BYTES] for n in range(0, len(data), CHUNK_BYTES))
    for part in stream_camt(pieces, warnings):
        if isinstance(part, StatementLine):
            lines.append(part)
        else:
            statements.append(replace(part, lines=tuple(lines)))
            check_count(len(statements))
            lines = []
    return statements, warnings


def stream_camt(
    chunks: Iterable[bytes], warnings: list[Warning_]
) -> Iterator[StatementLine | Statement]:
    """The lines of each statement, then the statement itself without lines. Raises as `read_camt`."""
    reading: _Reading | None = None
    for part in read_parts(chunks):
        if isinstance(part, Entry):
            if reading is None:
                raise AssertionError("a head comes before its entries")
            yield reading.line(part)
        elif isinstance(part, Head):
            reading = _Reading(part, warnings)
        else:
            yield (reading or _Reading(part.head, warnings)).statement()
            reading = None


class _Detail(NamedTuple):
    """What a transaction says of itself."""

    units: int
    bank_reference: str | None
    reference: str | None
    counterparty: str | None
    narrative: str
    code: str | None


@dataclass(slots=True)
class _Reading:
    """One statement while its entries come in."""

    head: Head
    warnings: list[Warning_]
    account: str | None = field(init=False)
    currency: str | None = field(init=False)
    decimals: int = field(init=False)
    booked_units: int = 0
    #: number and sum of entries in, and of entries out, whatever their status
    totals: dict[int, list[int]] = field(default_factory=lambda: {1: [0, 0], -1: [0, 0]})
    _days: dict[str, tuple[date | None, time | None]] = field(default_factory=dict)
    _western: bool = False

    def __post_init__(self) -> None:
        fields = self.head.fields
        self.account = fields.get("Acct/Id/IBAN") or fields.get("Acct/Id/Othr/Id")
        self.currency = fields.get("Acct/Ccy")
        self.decimals = decimals_of(self.currency)
        for balance in self.head.balances:
            self._check_currency(balance.get("Amt@Ccy"), self.head.n)

    # --- an entry ------------------------------------------------------------------------------

    def line(self, entry: Entry) -> StatementLine:
        """One entry. Raises UnreadableElementError, CurrencyMismatchError."""
        n, fields, transactions, raw = entry
        if (currency := fields.get("Amt@Ccy")) != self.currency:
            self._check_currency(currency, n)
        units = self._signed(fields, "entry", n)
        status = self._status(fields, n)
        total = self.totals[_SIGNS[fields["CdtDbtInd"]]]
        total[0] += 1
        total[1] += abs(units)
        if status == "booked":
            self.booked_units += units
        reversal = "RvslInd" in fields and self._truth(fields, "RvslInd", n)
        booked_on, booked_time = self._day(fields, "BookgDt", n)
        value_on, _ = self._day(fields, "ValDt", n)
        entry_on = booked_on
        if booked_on is None and value_on is not None:
            booked_on = value_on
            self._warn("booking_date_missing", n, "no booking date; counted for its value date")
        code = _code(fields)
        details = [self._detail(each, entry, units, reversal, code) for each in transactions]
        bank_reference, reference = fields.get("AcctSvcrRef"), None
        counterparty, narrative = None, ""
        parts: Sequence[_Detail] = ()
        if len(details) == 1:
            own_units, own_reference, reference, counterparty, narrative, own_code = details[0]
            bank_reference = bank_reference or own_reference
            code = code or own_code
            if own_units != units:
                parts = self._parts(entry, units, details)
        elif details:
            parts = self._parts(entry, units, details)
        if reference is None and (
            batch := fields.get("NtryDtls/Btch/PmtInfId") or fields.get("NtryDtls/Btch/MsgId")
        ):
            reference = batch[0]
        if "AddtlNtryInf" in fields:
            narrative = _joined((narrative, fields["AddtlNtryInf"]))
        dates = (booked_on, value_on, entry_on)
        return new_tuple(
            StatementLine,
            (
                n,
                *dates,
                booked_time,
                units,
                None,  # balance_after_units
                reversal,
                status,
                None if bank_reference in _NOT_PROVIDED else bank_reference,
                reference,
                counterparty,
                narrative,
                code,
                tuple(_sub_entry(n, dates, reversal, status, each) for each in parts)
                if parts
                else (),
                raw,
            ),
        )

    def _detail(
        self, fields: Fields, entry: Entry, entry_units: int, reversal: bool, code: str | None
    ) -> _Detail:
        """A transaction below an entry; its amount is the entry's where it has none of its own."""
        n = entry.n
        direction = fields.get("CdtDbtInd") or entry.fields["CdtDbtInd"]
        sign = _SIGNS.get(direction)
        if sign is None:
            raise UnreadableElementError("entry", n, "TxDtls/CdtDbtInd", direction, _NO_DIRECTION)
        key = "Amt" if "Amt" in fields else "AmtDtls/TxAmt/Amt"
        text = fields.get(key)
        units = entry_units
        if text is not None and fields.get(f"{key}@Ccy", self.currency) == self.currency:
            units = sign * self._units(text, f"TxDtls/{key}", "entry", n)
        # A reversal names the parties of the payment that it reverses.
        is_out = (sign < 0) != reversal
        plain, nested = _CREDITOR if is_out else _DEBTOR
        reference = fields.get("Refs/EndToEndId")
        if reference is None or reference in _NOT_PROVIDED:
            given = (fields.get(key) for key in _OTHER_REFERENCES)
            reference = next((each for each in given if each and each not in _NOT_PROVIDED), None)
        return new_tuple(
            _Detail,
            (
                units,
                fields.get("Refs/AcctSvcrRef") or fields.get("Refs/TxId"),
                reference,
                fields.get(plain) or fields.get(nested),
                _remarks(fields),
                _code(fields) or code,
            ),
        )

    def _parts(self, entry: Entry, units: int, details: list[_Detail]) -> Sequence[_Detail]:
        """The transactions where they explain the entry, with declared charges as one of their own."""
        difference = units - sum(each.units for each in details)
        if not difference:
            return details
        if abs(difference) == self._charges(entry):
            return [*details, _Detail(difference, None, None, None, "charges", None)]
        message = (
            f"the entry's transactions miss its amount by {units_text(difference, self.decimals)}"
            " and are left out"
        )
        self._warn("details_do_not_add_up", entry.n, message)
        return ()

    def _charges(self, entry: Entry) -> int:
        """The charges that the entry declares, else those that its transactions declare."""
        for level in ([entry.fields], entry.transactions):
            for key in ("Chrgs/TtlChrgsAndTaxAmt", "Chrgs/Rcrd/Amt", "Chrgs/Amt"):
                texts = [text for fields in level for text in fields.get(key, ())]
                if texts:
                    return sum(self._units(text, key, "entry", entry.n) for text in texts)
        return 0

    # --- the statement --------------------------------------------------------------------------

    def statement(self) -> Statement:
        """What the statement says of itself; whether it adds up. Raises as `line`."""
        head, fields = self.head, self.head.fields
        page, is_first, is_last = self._pages()
        opening, closing = self._balances(is_first=is_first, is_last=is_last)
        for what, value in (
            ("account", self.account),
            ("currency", self.currency),
            ("opening", opening),
            ("closing", closing),
        ):
            if value is None and (what in {"account", "currency"} or head.message == "camt.053"):
                self._warn(f"{what}_missing", head.n, f"statement {head.n} has no {what}")
        adds_up = check_sum(opening, self.booked_units, closing, self.decimals, self.warnings)
        self._check_summary()
        texts = (fields.get(f"Addtl{each}Inf", "") for each in ("Stmt", "Rpt", "Ntfctn"))
        return Statement(
            bank=fields.get("Acct/Svcr/FinInstnId/BICFI") or fields.get("Acct/Svcr/FinInstnId/BIC"),
            account=self.account,
            currency=self.currency,
            decimals=self.decimals,
            statement_no=fields.get("ElctrncSeqNb") or fields.get("LglSeqNb") or fields.get("Id"),
            page=page,
            kind=_KINDS[head.message],
            opening=opening,
            closing=closing,
            adds_up=adds_up,
            lines=(),
            information=" ".join(text for text in texts if text),
            position=head.n,
        )

    def _pages(self) -> tuple[int | None, bool, bool]:
        """Page number, whether it is the first, whether it is the last."""
        fields, n = self.head.fields, self.head.n
        text = fields.get("Pgntn/PgNb")
        if text is None:
            return None, True, True
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise UnreadableElementError("statement", n, "PgNb", text, "not a page number")
        last = fields.get("Pgntn/LastPgInd", "true")
        if last not in _TRUTH:
            raise UnreadableElementError("statement", n, "LastPgInd", last, "not true or false")
        return int(text), int(text) <= 1, _TRUTH[last]

    def _balances(self, *, is_first: bool, is_last: bool) -> tuple[Balance | None, Balance | None]:
        """Opening (OPBD, else PRCD) and closing (CLBD); between pages and in reports, ITBD."""
        n = self.head.n
        found: dict[str, list[Balance]] = {}
        for fields in self.head.balances:
            code = fields.get("Tp/CdOrPrtry/Cd") or fields.get("Tp/CdOrPrtry/Prtry") or ""
            on, _ = self._day(fields, "Dt", n, element="statement")
            units = self._signed(fields, "statement", n)
            found.setdefault(code, []).append(Balance(units, on, n, code == "ITBD"))
        for code in ("OPBD", "PRCD", "CLBD"):
            if len({(each.units, each.on) for each in found.get(code, ())}) > 1:
                raise UnreadableElementError(
                    "statement", n, "Bal", code, "stands twice and differs"
                )
        between = found.get("ITBD", [])
        openings = found.get("OPBD") or found.get("PRCD") or []
        opening = openings[0] if openings else None
        closing = found["CLBD"][0] if "CLBD" in found else None
        if "OPBD" in found and "PRCD" in found:
            self._check_previous(found["PRCD"][0], found["OPBD"][0])
        if opening is None and between and (not is_first or closing is None):
            opening, *between = between
        if closing is None and between:
            closing = between[-1]
        if opening is not None and not is_first:
            opening = replace(opening, is_intermediate=True)
        if closing is not None and not is_last:
            closing = replace(closing, is_intermediate=True)
        return opening, closing

    def _check_previous(self, previous: Balance, opening: Balance) -> None:
        if previous.units != opening.units:
            before, now = (units_text(b.units, self.decimals) for b in (previous, opening))
            message = f"opens with {now}, but says that the statement before closed with {before}"
            self._warn("previous_differs", self.head.n, message)

    def _check_summary(self) -> None:
        """The bank's own counts and sums against what was read."""
        fields, n = self.head.fields, self.head.n
        for name, signs in (
            ("TtlNtries", (1, -1)),
            ("TtlCdtNtries", (1,)),
            ("TtlDbtNtries", (-1,)),
        ):
            read = [sum(self.totals[sign][k] for sign in signs) for k in (0, 1)]
            count = fields.get(f"TxsSummry/{name}/NbOfNtries")
            if count is not None and count.lstrip("0") != (str(read[0]) if read[0] else ""):
                self._warn(
                    "summary_differs", n, f"{name} says {count[:20]} entries, {read[0]} read"
                )
            total = fields.get(f"TxsSummry/{name}/Sum")
            if total is not None and self._units(total, f"{name}/Sum", "statement", n) != read[1]:
                text = units_text(read[1], self.decimals)
                self._warn(
                    "summary_differs", n, f"{name} says {total[:40]}, the entries give {text}"
                )

    # --- texts to values --------------------------------------------------------------------------

    def _check_currency(self, found: str | None, n: int) -> None:
        if found is None:
            return
        if self.currency is None:
            self.currency, self.decimals = found, decimals_of(found)
        elif found != self.currency:
            raise CurrencyMismatchError(self.currency, found, position=n)

    def _signed(self, fields: Fields, element: str, n: int) -> int:
        sign = _SIGNS.get(fields.get("CdtDbtInd", ""))
        if sign is None:
            direction = _need(fields, "CdtDbtInd", element, n)
            raise UnreadableElementError(element, n, "CdtDbtInd", direction, _NO_DIRECTION)
        text = fields.get("Amt") or _need(fields, "Amt", element, n)
        return sign * self._units(text, "Amt", element, n)

    def _units(self, text: str, name: str, element: str, n: int) -> int:
        if self.decimals == 2 and len(text) <= DIGITS_MAX and _CENTS.fullmatch(text):
            return int(text.replace(".", ""))  # nearly every amount; the same as below
        matched = _DECIMAL.fullmatch(text)
        if matched is None or text in {"", "."}:
            reason = "not a decimal number (digits, one point, no sign)"
            raise UnreadableElementError(element, n, name, text, reason)
        whole, fraction = matched[1], (matched[2] or "").rstrip("0")
        if len(fraction) > self.decimals:
            reason = f"{len(fraction)} decimals where at most {self.decimals} can be"
            raise UnreadableElementError(element, n, name, text, reason)
        if len(whole) > DIGITS_MAX:
            raise UnreadableElementError(element, n, name, text, f"more than {DIGITS_MAX} digits")
        return int((whole or "0") + fraction.ljust(self.decimals, "0"))

    def _status(self, fields: Fields, n: int) -> Status:
        text = fields.get("Sts") or fields.get("Sts/Cd") or fields.get("Sts/Prtry")
        if text is None:
            if self.head.message == "camt.053":
                # A statement reports what is booked (ISO 20022, BankToCustomerStatement, scope).
                self._warn("status_missing", n, "no status; a statement's entries are booked")
                return "booked"
            raise UnreadableElementError("entry", n, "Sts", "", "missing: booked or not?")
        status = _STATUSES.get(text)
        if status is None:
            known = ", ".join(_STATUSES)
            raise UnreadableElementError("entry", n, "Sts", text, f"not one of {known}")
        return status

    def _truth(self, fields: Fields, name: str, n: int) -> bool:
        text = fields.get(name)
        if text is None:
            return False
        if text not in _TRUTH:
            raise UnreadableElementError("entry", n, name, text, "not true or false")
        return _TRUTH[text]

    def _day(
        self, fields: Fields, name: str, n: int, *, element: str = "entry"
    ) -> tuple[date | None, time | None]:
        """The day as it is printed, in the bank's own zone, and the time where there is one."""
        day, moment = _DAYS[name]
        text = fields.get(day) or fields.get(moment)
        if text is None:
            return None, None
        known = self._days.get(text)
        if known is None:
            known = self._days[text] = self._read_day(text, name, element, n)
        return known

    def _read_day(
        self, text: str, name: str, element: str, n: int
    ) -> tuple[date | None, time | None]:
        matched = _DATE_TIME.fullmatch(text) or _DATE.fullmatch(text)
        if matched is None:
            raise UnreadableElementError(element, n, name, text, "not a date of ISO 8601")
        groups = matched.groups()
        if len(groups) > 3 and groups[6] in _WESTERN and not self._western:
            self._western = True
            message = f"{text} is in UTC; the day is taken as printed and may be the day before"
            self._warn("date_in_utc", n, message)
        try:
            day = date(int(groups[0]), int(groups[1]), int(groups[2]))
            hour = groups[3] if len(groups) > 3 else None
            clock = time(int(hour), int(groups[4]), int(groups[5])) if hour is not None else None
        except ValueError:
            self._warn("impossible_date", n, f"{text} is a day or a time that does not exist")
            return None, None
        return day, clock

    def _warn(self, code: str, position: int, message: str) -> None:
        self.warnings.append(Warning_(code, position, message))


_MORE_REMARKS: Final = frozenset(
    {
        "RmtInf/Strd/CdtrRefInf/Ref",
        "RmtInf/Strd/AddtlRmtInf",
        "RtrInf/Rsn/Cd",
        "RtrInf/AddtlInf",
        "AddtlTxInf",
    }
)
_DEBTOR, _CREDITOR = (
    (f"RltdPties/{party}/Nm", f"RltdPties/{party}/Pty/Nm") for party in ("Dbtr", "Cdtr")
)
_NO_DIRECTION: Final = "neither CRDT nor DBIT"


def _sub_entry(
    n: int,
    dates: tuple[date | None, date | None, date | None],
    reversal: bool,
    status: Status,
    detail: _Detail,
) -> StatementLine:
    units, bank_reference, reference, counterparty, narrative, code = detail
    return new_tuple(
        StatementLine,
        (
            n,
            *dates,
            None,  # booked_time
            units,
            None,  # balance_after_units
            reversal,
            status,
            bank_reference,
            reference,
            counterparty,
            narrative,
            code,
            (),
            "",
        ),
    )


def _need(fields: Fields, name: str, element: str, n: int) -> str:
    text = fields.get(name)
    if text is None:
        raise UnreadableElementError(element, n, name, "", "missing")
    return str(text)


def _code(fields: Fields) -> str | None:
    """`PMNT-ICDT-ESCT`, else the bank's own code."""
    if domain := fields.get("BkTxCd/Domn/Cd"):
        parts = [
            domain,
            fields.get("BkTxCd/Domn/Fmly/Cd"),
            fields.get("BkTxCd/Domn/Fmly/SubFmlyCd"),
        ]
        return "-".join(filter(None, parts))
    code = fields.get("BkTxCd/Prtry/Cd")
    return None if code is None else str(code)


def _remarks(fields: Fields) -> str:
    """All that a transaction says of itself."""
    texts = fields.get("RmtInf/Ustrd", ())
    remittance = texts[0] if len(texts) == 1 else _remittance(texts)
    if _MORE_REMARKS.isdisjoint(fields):
        return remittance
    return _joined(
        [
            remittance,
            *fields.get("RmtInf/Strd/CdtrRefInf/Ref", ()),
            *fields.get("RmtInf/Strd/AddtlRmtInf", ()),
            fields.get("RtrInf/Rsn/Cd", ""),
            *fields.get("RtrInf/AddtlInf", ()),
            fields.get("AddtlTxInf", ""),
        ]
    )


def _remittance(texts: Iterable[str]) -> str:
    """Remarks in a row: one that fills its field goes on in the next without a space."""
    joined = ""
    was_full = True
    for text in texts:
        joined += text if was_full else f" {text}"
        was_full = len(text) >= _USTRD_CHARACTERS
    return joined


def _joined(texts: Iterable[str]) -> str:
    """Remarks with a space between them, without those that another says already.

    Not looked for once there is more than any bank says: the time would grow with the square.
    """
    joined = ""
    for text in texts:
        if text and (len(joined) > _LOOKED_IN_CHARACTERS or text.strip() not in joined):
            joined += f" {text.strip()}"
    return joined.strip()
