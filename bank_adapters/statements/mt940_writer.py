"""Writes one MT940 customer statement, as a bank would, to the letter of the standard.

Two limits of the standard are left behind, as banks do: amounts have as many digits as they
need, and nothing else. Whatever a field cannot carry unchanged is refused.
"""

from collections.abc import Sequence
from datetime import date

from bank_adapters.errors import UnwritableStatementError
from bank_adapters.statements.outgoing import OutgoingEntry, check_currency, check_trimmed
from ledger.money import Money

_TEXT_LINE_MAX = 65  # :86: is 6*65x
_TEXT_LINES_MAX = 6
_REFERENCE_MAX = 16


def write_mt940(
    account: str,
    currency: str,
    statement_no: int,
    opening: Money,
    opening_on: date,
    closing_on: date,
    lines: Sequence[OutgoingEntry],
) -> bytes:
    """Write a statement with one page, CRLF, ASCII; the closing is opening + entries.

    Raises UnwritableStatementError naming the field and the value.
    """
    closing = opening + Money.total(line.amount for line in lines)
    check_currency(currency)
    if not 0 <= statement_no <= 99999:
        raise UnwritableStatementError("statement_no", str(statement_no), "has not 1-5 digits")
    written = [
        f":20:{closing_on:%y%m%d}{statement_no:05d}",
        f":25:{_plain('account', account, 35)}",
        f":28C:{statement_no:05d}/001",
        f":60F:{_balance(opening, opening_on, currency)}",
    ]
    for line in lines:
        written.append(_entry(line))
        written += _text_lines(line.narrative)
    written.append(f":62F:{_balance(closing, closing_on, currency)}")
    written.append("-")
    return ("\r\n".join(written) + "\r\n").encode("ascii")


def _balance(balance: Money, on: date, currency: str) -> str:
    mark = "D" if balance.sen < 0 else "C"
    return f"{mark}{_yymmdd('balance day', on)}{currency}{_amount(balance)}"


def _entry(line: OutgoingEntry) -> str:
    mark = "D" if line.amount.sen < 0 else "C"
    if line.reversal:
        mark = "RC" if mark == "D" else "RD"
    code = line.transaction_code
    if len(code) != 4 or code[0] not in "NFS" or not code.isascii() or not code.isalnum():
        raise UnwritableStatementError("transaction_code", code, "is not N, F or S and 3 letters")
    if code != code.upper():
        raise UnwritableStatementError("transaction_code", code, "has small letters")
    entry_on = f"{line.entry_on:%m%d}" if line.entry_on else ""
    reference = _reference("reference", line.reference) or "NONREF"
    bank_reference = _reference("bank_reference", line.bank_reference)
    behind = f"//{bank_reference}" if bank_reference else ""
    value_on = _yymmdd("value_on", line.value_on)
    return f":61:{value_on}{entry_on}{mark}{_amount(line.amount)}{code}{reference}{behind}"


def _amount(money: Money) -> str:
    return str(abs(money)).replace(".", ",")


def _yymmdd(name: str, day: date) -> str:
    if not 1980 <= day.year <= 2079:
        raise UnwritableStatementError(name, day.isoformat(), "is outside SWIFT's 1980-2079")
    return f"{day:%y%m%d}"


def _reference(name: str, reference: str | None) -> str:
    if reference is None:
        return ""
    if "//" in reference or reference.startswith("/") or reference.endswith("/"):
        raise UnwritableStatementError(name, reference, "has // in it or / at an end")
    if reference == "NONREF":
        raise UnwritableStatementError(name, reference, "means that there is none")
    return _plain(name, reference, _REFERENCE_MAX)


def _plain(name: str, text: str, characters_max: int) -> str:
    check_trimmed(name, text, characters_max)
    if not _is_printable_ascii(text):
        raise UnwritableStatementError(name, text, "is not printable ASCII on one line")
    return text


def _is_printable_ascii(text: str) -> bool:
    return all(" " <= character <= "~" for character in text)


def _text_lines(narrative: str) -> list[str]:
    """Cut the narrative into the lines of a `:86:`, at column 65 as banks do, inside words too.

    A line may not begin with `:` or `-`, nor be blank; the cut then moves to the left.
    """
    if not narrative:
        return []
    if narrative != narrative.strip() or not _is_printable_ascii(narrative):
        raise UnwritableStatementError(
            "narrative", narrative, "is not printable ASCII on one line without spaces around"
        )
    rest = narrative
    pieces: list[str] = []
    while len(rest) > _TEXT_LINE_MAX:
        cut = _TEXT_LINE_MAX
        while cut > 1 and rest[cut] in ":-":
            cut -= 1
        pieces.append(rest[:cut])
        rest = rest[cut:]
    pieces.append(rest)
    starts_well = all(piece[0] not in ":-" and piece.strip() for piece in pieces[1:])
    if not starts_well or len(pieces) > _TEXT_LINES_MAX:
        raise UnwritableStatementError(
            "narrative", narrative, f"does not fit {_TEXT_LINES_MAX} lines of {_TEXT_LINE_MAX}"
        )
    return [f":86:{pieces[0]}", *pieces[1:]]
