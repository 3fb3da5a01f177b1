"""
References in bank texts and book entries, in one canonical spelling each.

Pure. A key is `family:canonical`, upper-case ASCII without spaces:

    pay:P26-00000123                                            a payment of ours
    sp2d:000123/LS/1.02.0.00.0.00.01.0000/P.01/3/2026           number, kind, SKPD, stage, month, year
    sp2d:000123/SP2D-BKAD/III/2026                              a local form
    sts:000123/1.02.0.00.0.00.01.0000/3/2026, sts:RKUD/0003     a deposit slip
    ref:TRF-2026-000123                                         any other whole token of six or more
                                                                characters, three digits among them

Only equality of whole keys decides anything. A key that the bank may have cut off (a short or
truncated SP2D number, a 16-character reference of a :61:, the last word of a narrative) is marked as
cut: it counts as a whole only where no longer key begins with it, and otherwise as a prefix, which
is good for a suggestion and nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

__all__ = [
    "CUT_MARK",
    "FAMILIES",
    "SEVERAL",
    "EntryKeys",
    "LineKeys",
    "entry_keys",
    "line_keys",
    "split_keys",
]

FAMILIES: Final = ("pay", "sp2d", "sts", "ref")
#: Stands for "more than one" in `pay_key` and `doc_key`: such a line names no single document.
SEVERAL: Final = "*"
CUT_MARK: Final = "~"

#: Keys kept of one line. A narrative of a hundred tokens names nothing.
_KEYS_MAX: Final = 16
_TOKENS_MAX: Final = 100
#: SWIFT MT940 field 61 subfield 7 has 16 characters; banks cut what is longer.
_REFERENCE_CUT: Final = 16

# One pass over the text. Number forms of an SP2D and an STS are found inside longer words too,
# because banks join lines without a space; a payment's reference has a fixed length. Each form
# begins with a letter or a slash, so that digits cost nothing: a number before it is read backwards.
_FIND = re.compile(
    r"""
    P(?P<pay_year>[0-9]{2})-(?P<pay_no>[0-9]{8})(?![0-9])
  | /(?P<kind>LS|UP|GU|TU)/ (?P<skpd>[0-9]+(?:\.[0-9]+)*\.?)?
        (?:/(?P<stage>P\.?[0-9]*))?(?:/(?P<month>[0-9]{1,2}))?(?:/(?P<year>20[0-9]{2})?)?
  | /(?P<local>SP2D(?:[-.][A-Z]+)*)/(?P<local_month>[IVX]+|[0-9]{1,2})/(?P<local_year>20[0-9]{2})
  | /STS/(?P<sts_skpd>[0-9A-Z.-]+)/(?:(?P<sts_month>[IVX]+|[0-9]{1,2})/)?(?P<sts_year>20[0-9]{2})
  | STS/(?P<sts_place>[A-Z][A-Z0-9.-]*)/(?P<sts_serial>[0-9]{1,8})(?![0-9/])
  | SP2D[ -]?(?:[0-9]{2})?(?P<short>[0-9]{6})(?![0-9/])
    """,
    re.VERBOSE,
)
_NUMBER_BEFORE = re.compile(r"[0-9]{1,6}\Z")
_TOKEN = re.compile(r"[^\s,;()\[\]'\"]+")
_PLAIN = re.compile(r"(?=(?:[^0-9]*[0-9]){3})[A-Z0-9][A-Z0-9./_:#-]{4,62}[A-Z0-9]")
_NUMBER_WORD = re.compile(r"\b(?:NO|NOMOR|NMR)[.:]+\s*")
_RETURN = re.compile(r"\b(?:RETUR|REV|REVERSAL|KOREKSI|TOLAKAN|TOLAK|REJECT|RETURN)\b")

_CHARGE_CODES = frozenset({"NCHG", "FCHG", "NCOM", "CHRG", "COMM", "FEES"})
_INTEREST_CODES = frozenset({"NINT", "FINT", "INTR"})


class LineKeys(NamedTuple):
    """`keys` as the column holds them; `pay_key` and `doc_key` the one of their family, if one."""

    pay_key: str
    doc_key: str
    keys: str
    line_kind: str


class EntryKeys(NamedTuple):
    """The same of a book entry."""

    pay_key: str
    doc_key: str
    keys: str


def line_keys(
    *,
    reference: str,
    bank_reference: str,
    narrative: str,
    transaction_code: str,
    reversal: bool,
) -> LineKeys:
    """Keys of a bank line. Line breaks are out of *narrative* already."""
    text = narrative.upper()
    reference, bank_reference = reference.upper(), bank_reference.upper()
    words = text
    if "NO" in text:
        words = _NUMBER_WORD.sub(" ", text)
    found = _numbered(f"{reference} {words}")
    for token in (reference, bank_reference):
        if key := _token_key(token):
            found[key] = found.get(key, True) and len(token) == _REFERENCE_CUT
    tokens = _TOKEN.findall(words)
    for token in tokens[:_TOKENS_MAX]:
        if key := _token_key(token):
            found[key] = found.get(key, True) and token is tokens[-1]
    # A reference that was cut and stands whole in the narrative is that one.
    kept = {
        key: cut
        for key, cut in found.items()
        if not cut or not any(other != key and other.startswith(key) for other in found)
    }
    return LineKeys(
        _single(kept, ("pay:",)),
        _single(kept, ("sp2d:", "sts:")),
        _joined(kept.items()),
        _kind(text, transaction_code, reversal=reversal),
    )


def entry_keys(
    *, payment_reference: str, document_no: str, reference: str, batch_no: str
) -> EntryKeys:
    """Keys of a cash line: what the posted row says, no private text."""
    found: dict[str, bool] = {}
    for text in (payment_reference, document_no, batch_no, reference):
        upper = text.upper().strip()
        numbered = {key: False for key, cut in _numbered(upper).items() if not cut}
        if not numbered and (key := _token_key(upper)):
            numbered = {key: False}
        found |= numbered
    return EntryKeys(
        _single(found, ("pay:",)), _single(found, ("sp2d:", "sts:")), _joined(found.items())
    )


def split_keys(keys: str) -> list[tuple[str, int]]:
    """(key, 1 if it may be cut off) of each key of a column."""
    return [
        (key.removesuffix(CUT_MARK), int(key.endswith(CUT_MARK))) for key in keys.split(" ") if key
    ]


def _numbered(text: str) -> dict[str, bool]:
    """Numbers of known form -> whether they may be cut off. *text* is upper case."""
    found: dict[str, bool] = {}
    for matched in _FIND.finditer(text):
        part = matched.groupdict()
        if part["pay_no"]:
            found[f"pay:P{part['pay_year']}-{part['pay_no']}"] = False
            continue
        if part["sts_place"]:
            found[f"sts:{part['sts_place']}/{part['sts_serial']}"] = False
            continue
        if part["short"]:
            found.setdefault(f"sp2d:{part['short']}/", True)
            continue
        number = _NUMBER_BEFORE.search(text, max(0, matched.start() - 6), matched.start())
        if number is None:
            continue
        no = f"{number[0]:>06}"
        if part["kind"]:
            key, is_whole = _sp2d(no, part)
            found[key] = not is_whole
        elif part["local"]:
            local = f"{no}/{part['local']}/{part['local_month']}/{part['local_year']}"
            found[f"sp2d:{local}"] = False
        else:
            month = f"{part['sts_month']}/" if part["sts_month"] else ""
            found[f"sts:{no}/{part['sts_skpd']}/{month}{part['sts_year']}"] = False
    return found


def _sp2d(no: str, part: dict[str, str | None]) -> tuple[str, bool]:
    """As much of an SP2D number as is there, in order, and whether that is all of it."""
    key = f"sp2d:{no}/{part['kind']}/"
    for name in ("skpd", "stage", "month", "year"):
        value = part[name]
        if not value:
            return key.removesuffix("/") if name != "skpd" else key, False
        key += f"{int(value)}/" if name == "month" else f"{value}/"
    return key.removesuffix("/"), True


def _token_key(token: str) -> str:
    """`ref:` key of a word that looks like a reference, else empty."""
    plain = token.strip(".:/-_#")
    if _PLAIN.fullmatch(plain) is None:
        return ""
    if ("/" in plain or plain[0] == "P") and not all(_numbered(plain).values() or (True,)):
        return ""  # it holds a number of known form, whole
    return f"ref:{plain}"


def _single(found: dict[str, bool], families: tuple[str, ...]) -> str:
    whole = [key for key, cut in found.items() if not cut and key.startswith(families)]
    return SEVERAL if len(whole) > 1 else "".join(whole)


def _joined(found: Iterable[tuple[str, bool]]) -> str:
    return " ".join(
        sorted(f"{key}{CUT_MARK}" if cut else key for key, cut in list(found)[:_KEYS_MAX])
    )


def _kind(text: str, transaction_code: str, *, reversal: bool) -> str:
    """`charge`, `interest`, `return` or empty: for people to read, it decides nothing."""
    if transaction_code in _CHARGE_CODES:
        return "charge"
    if transaction_code in _INTEREST_CODES:
        return "interest"
    if reversal or _RETURN.search(text):
        return "return"
    return ""
