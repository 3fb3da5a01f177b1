"""What must hold for whatever a statement reader returns, figured out again by other means.

Works on the printed JSON alone and, where the format allows, on the file's own text: no function of
the readers is used, so that a mistake of theirs is not made twice.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

AMOUNT = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]{2,4}", re.ASCII)
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
CLOCK = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{6})?", re.ASCII)
KINDS = {"end_of_day", "intraday", "advice"}
STATUSES = {"booked", "pending", "info"}
# Date, entry date, mark with reversal, funds code, amount: the plain form of the standard.
ENTRY = re.compile(
    r":61:[0-9]{6}(?:[0-9]{4})?(R?)([CD])[A-Z]?([0-9]+),([0-9]{0,2})N[A-Z0-9]{3}", re.ASCII
)
BALANCE = re.compile(r":6[02]F:([CD])[0-9]{6}[A-Z]{3}([0-9]+),([0-9]{0,2})", re.ASCII)
LINE_END = re.compile(r"\r\n|\r|\n")
CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")
CAMT = {"BkToCstmrStmt": "Stmt", "BkToCstmrAcctRpt": "Rpt", "BkToCstmrDbtCdtNtfctn": "Ntfctn"}

Printed = Any


class BrokenClaim(AssertionError):  # noqa: N818 - it is what a fuzzer reports, no refusal
    """A reader returned what it must not."""


def claim(holds: object, what: str, *values: object) -> None:
    if not holds:
        raise BrokenClaim(f"{what}: {', '.join(map(repr, values))[:2000]}")


def check(printed: Printed) -> None:
    """The contract's shapes, and no disagreement with a stated balance that nobody is told of."""
    json.dumps(printed, ensure_ascii=False).encode()
    codes = [warning["code"] for warning in printed["warnings"]]
    for warning in printed["warnings"]:
        claim(warning["code"] and warning["message"], "a warning without words", warning)
    for statement in printed["statements"]:
        claim(statement["kind"] in KINDS, "kind", statement["kind"])
        for line in statement["lines"]:
            _check_line(line)
        _check_balances(statement, codes)


def _check_line(line: Printed) -> None:
    claim(line["status"] in STATUSES, "status", line)
    claim(isinstance(line["position"], int) and line["position"] >= 1, "position", line)
    claim(AMOUNT.fullmatch(line["amount"]), "amount", line)
    after = line["balance_after"]
    claim(after is None or AMOUNT.fullmatch(after), "balance_after", line)
    for name in ("booked_on", "value_on", "entry_on"):
        claim(line[name] is None or DAY.fullmatch(line[name]), name, line)
    claim(line["booked_time"] is None or CLOCK.fullmatch(line["booked_time"]), "time", line)
    for part in line["sub_entries"]:
        _check_line(part)
    if line["sub_entries"]:
        whole = sum(units(part["amount"]) for part in line["sub_entries"])
        claim(whole == units(line["amount"]), "sub-entries miss their entry", line)


def _check_balances(statement: Printed, codes: list[str]) -> None:
    opening, closing = statement["opening"], statement["closing"]
    adds_up = statement["adds_up"]
    claim(adds_up in {True, False, None}, "adds_up", adds_up)
    claim(adds_up is not False or codes, "does not add up, and no warning says why")
    if opening is None or closing is None:
        claim(adds_up is not True, "adds up without both balances", statement)
    else:
        booked = [line for line in statement["lines"] if line["status"] == "booked"]
        made = units(opening["amount"]) + sum(units(line["amount"]) for line in booked)
        if made != units(closing["amount"]):
            claim(adds_up is not True, "said to add up", made, statement)
            claim(codes, "does not add up, and nobody is told", made, statement)
    _check_chain(statement, codes)


def _check_chain(statement: Printed, codes: list[str]) -> None:
    """Each running balance follows from the one before."""
    running = None
    for line in statement["lines"]:
        if line["status"] != "booked":
            continue
        if running is not None:
            running += units(line["amount"])
        if line["balance_after"] is not None:
            after = units(line["balance_after"])
            if running is not None and running != after:
                claim(statement["adds_up"] is not True, "chain broken, adds up", statement)
                claim(codes, "chain broken, and nobody is told", statement)
            running = after


def units(text: str) -> int:
    return int(text.replace(".", ""))


# --- against the file's own text ------------------------------------------------------------------


def text_lines(data: bytes) -> list[str] | None:
    """The lines of plain UTF-8; None where the reader had to assume or leave out something."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if CONTROL.search(text) or text.startswith("\ufeff") else LINE_END.split(text)


def check_mt940(printed: Printed, data: bytes) -> None:
    """Every `:61:` of the file is a line, in order, with the amount that stands in it."""
    lines = text_lines(data)
    if lines is None:
        return
    entries = [n for n, line in enumerate(lines, 1) if line.startswith(":61:")]
    read = [line for statement in printed["statements"] for line in statement["lines"]]
    found = sorted(line["position"] for line in read)
    claim(found == entries, "entries lost or made up", found, entries)
    for line in read:
        text = lines[line["position"] - 1]
        if matched := ENTRY.match(text):
            reversal, mark, whole, fraction = matched.groups()
            sign = 1 if (mark == "C") != bool(reversal) else -1
            decimals = len(line["amount"].partition(".")[2])
            made = sign * int(whole + fraction.ljust(decimals, "0"))
            claim(made == units(line["amount"]), "amount misread", text, line["amount"])
            claim(line["status"] == "booked", "booked entry", text, line["status"])

    if len(printed["statements"]) == 1:
        for tag, name in ((":60", "opening"), (":62", "closing")):
            stated = [line for line in lines if line.startswith(tag)]
            _check_stated_mt940(printed["statements"][0][name], stated)


def _check_stated_mt940(made: Printed, stated: list[str]) -> None:
    """A balance of the one statement is the one that the file states, where it states just one."""
    claim(made is None or stated, "a balance that nobody states", made)
    if made is not None and len(stated) == 1 and (matched := BALANCE.fullmatch(stated[0])):
        mark, whole, fraction = matched.groups()
        decimals = len(made["amount"].partition(".")[2])
        expected = int(whole + fraction.ljust(decimals, "0")) * (1 if mark == "C" else -1)
        claim(expected == units(made["amount"]), "balance misread", stated, made)


def check_camt(printed: Printed, data: bytes) -> None:
    """Entries, amounts, signs and statuses again, from the whole document's tree."""
    try:
        root = ET.fromstring(data)  # noqa: S314 - the reader has just refused every DOCTYPE
    except ET.ParseError:
        # The tree's own parser allows no brace in a namespace.
        claim(b"}" in data, "not well-formed, and read", data)
        return
    given = list(_camt_statements(root))
    claim(len(given) == len(printed["statements"]), "statements lost", len(given))
    for statement, made in zip(given, printed["statements"], strict=True):
        entries = [each for each in statement if _local(each) == "Ntry"]
        claim(len(entries) == len(made["lines"]), "entries lost", len(entries))
        for entry, line in zip(entries, made["lines"], strict=True):
            expected = _amount(entry, len(line["amount"].partition(".")[2]))
            claim(expected == units(line["amount"]), "amount misread", expected, line)
            if _child(entry, "Sts") in {"PDNG", "INFO", "FUTR"}:
                claim(line["status"] != "booked", "pending entry counted", line)
        _check_stated_camt(statement, made)


def _check_stated_camt(statement: ET.Element, made: Printed) -> None:
    """Opening and closing are the balances of these codes, where each stands once."""
    for code, name in (("OPBD", "opening"), ("CLBD", "closing")):
        stated = [
            each
            for each in statement
            if _local(each) == "Bal" and code in {(text or "").strip() for text in each.itertext()}
        ]
        coded = [each for each in stated if _code(each) == code]
        if len(stated) == len(coded) == 1:
            printed = made[name]
            claim(printed is not None, "a stated balance lost", code)
            decimals = len(printed["amount"].partition(".")[2])
            expected = _amount(stated[0], decimals)
            claim(expected == units(printed["amount"]), "balance misread", code, printed)


def _code(balance: ET.Element) -> str:
    for kind in (each for each in balance if _local(each) == "Tp"):
        for choice in (each for each in kind if _local(each) == "CdOrPrtry"):
            return _child(choice, "Cd")
    return ""


def _amount(element: ET.Element, decimals: int) -> int:
    whole, _, fraction = _child(element, "Amt").partition(".")
    units_ = int((whole or "0") + fraction.rstrip("0").ljust(decimals, "0"))
    return units_ * {"CRDT": 1, "DBIT": -1}[_child(element, "CdtDbtInd")]


def _camt_statements(element: ET.Element) -> Iterator[ET.Element]:
    """Statements right below a message, right below a document that is in no message."""
    for child in element if _local(element) == "Document" else ():
        if wanted := CAMT.get(_local(child).removesuffix("V01")):
            yield from (each for each in child if _local(each) == wanted)
        else:
            yield from _camt_statements(child)
    if _local(element) != "Document":
        for child in element:
            yield from _camt_statements(child)


def _child(element: ET.Element, name: str) -> str:
    """The one text that counts: an element that stands twice is refused unless one is empty."""
    texts = [(each.text or "").strip() for each in element if _local(each) == name]
    return next(filter(None, texts), "")


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def check_csv(printed: Printed, data: bytes, *, labels: frozenset[str], marks: str) -> None:
    """No row between or behind the entries was dropped unless it is a row that a layout knows.

    *labels* are the words that begin such rows, *marks* what separates cells.
    """
    lines = text_lines(data)
    read = [line for statement in printed["statements"] for line in statement["lines"]]
    if lines is None or not read or b'"' in data:
        return
    positions = [line["position"] for line in read]
    claim(len(set(positions)) == len(positions), "a row read twice", positions)
    first = min(positions)
    headers = {line for line in lines[: first - 1] if line.strip()}
    for n, line in enumerate(lines, 1):
        if n <= first or n in positions or not line.strip(marks + " \t") or line in headers:
            continue
        known = " ".join(line.replace("'", " ").replace("\xa0", " ").split()).casefold()
        claim(not line.split() or any(word in known for word in labels), "row lost", n, line)


def check_snap(printed: Printed, pages: list[bytes]) -> None:
    """Pages overlap: no fewer rows than the longest page has, no more than all have together."""
    counts = [len(json.loads(page).get("detailData") or ()) for page in pages]
    lines = len(printed["statements"][0]["lines"])
    claim(max(counts, default=0) <= lines <= sum(counts), "rows lost or made up", lines, counts)


DONE = (b"ACSC", b"ACCC")
#: An entity, another encoding: what a file says may then be written otherwise.
PLAIN = re.compile(rb"[\x09\x0a\x0d\x20-\x25\x27-\x7e]*")


def check_status_report(answers: list[tuple[str, str]], sent: set[str], data: bytes) -> None:
    """Nothing is done that the file doesn't call done, and no order is answered that wasn't sent."""
    if PLAIN.fullmatch(data):
        done = any(word in data for word in DONE)
        claim(done or all(meaning != "done" for _, meaning in answers), "done", answers)
    for reference, meaning in answers:
        claim(
            reference in sent or meaning in {"conflict", "unknown"}, "not sent", reference, meaning
        )
