"""
Numbers of documents and payments, and their forms.

Pure; the counters are rows (`number_series`) that the shell moves inside the transaction, so a
number that was not committed was never given: no gaps, no twins (design invariant 6).
"""

from __future__ import annotations

from typing import Final

from ledger.documents.errors import NumberFormatError

__all__ = [
    "PAYMENT_SERIES",
    "SP2D_NUMBER_PATTERN",
    "SP2D_NUMBER_POLICY",
    "advice_number",
    "document_id",
    "payment_reference",
    "returned_reference",
    "serial_text",
    "sp2d_number",
    "sp2d_series",
]

PAYMENT_SERIES: Final = "payment"
#: Name of the government's dated policy that replaces the pattern below.
SP2D_NUMBER_POLICY: Final = "sp2d_number"
#: Continuity counts from here: a reserved range beyond what a government issues in a year.
CONTINUITY_FROM: Final = 900_000
#: SIPD-like: region, document type, serial, kind, SKPD, month, year.
SP2D_NUMBER_PATTERN: Final = "{region}/04.0/{serial}/{kind}/{skpd}/P.01/{month}/{year}"


def sp2d_series(origin: str) -> str:
    """Own documents and those of continuity count apart; the latter are linked to SIPD later."""
    return "sp2d-continuity" if origin == "continuity" else "sp2d"


def serial_text(origin: str, serial: int) -> str:
    """Six digits; those from 900001 on are reserved for continuity, so that no key names two."""
    return f"{serial + (CONTINUITY_FROM if origin == 'continuity' else 0):06d}"


def document_id(kind: str, fiscal_year: int, serial: int) -> str:
    """Register number of a document in this house: `spm-2026-00000123`. Sorts by age in its year."""
    return f"{kind}-{fiscal_year}-{serial:08d}"


def sp2d_number(
    *,
    pattern: str,
    government: str,
    origin: str,
    serial: int,
    payment_kind: str,
    skpd: str,
    issued_on: str,
) -> str:
    """The number printed on an SP2D. An empty *pattern* is the usual one. Raises NumberFormatError."""
    pattern = pattern or SP2D_NUMBER_PATTERN
    if "{serial}" not in pattern:
        raise NumberFormatError(pattern=pattern[:80])
    year, month, _ = issued_on.split("-")
    region = government if "." in government else f"{government}.00"
    for name, value in (
        ("region", region),
        ("serial", serial_text(origin, serial)),
        ("kind", payment_kind.partition("_")[0]),
        ("skpd", skpd),
        ("month", str(int(month))),
        ("year", year),
    ):
        pattern = pattern.replace(f"{{{name}}}", value)
    return pattern


def advice_number(government: str, fiscal_year: int, serial: int) -> str:
    """Number of an advice list: `DP/36/000007/2026`."""
    return f"DP/{government}/{serial:06d}/{fiscal_year}"


def payment_reference(fiscal_year: int, serial: int) -> str:
    """Our reference at the bank: `P26-00000123`, short enough for a :61: of MT940 (16 characters)."""
    return f"P{fiscal_year % 100:02d}-{serial:08d}"


def returned_reference(reference: str) -> str:
    """What the credit of a returned payment is booked under."""
    return f"{reference}R"
