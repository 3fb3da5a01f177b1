"""
Text on its way to a bank: which characters a file may carry, and what happens to others.

Nothing is dropped or cut in silence. A character that the setting does not allow is refused with its
field, or (`swift_transliterated`) written as the letters below; what has none is refused too. Codes
and account numbers are never rewritten: another spelling would be another account.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, Literal

from bank_adapters.payments.errors import UnwritablePaymentError

__all__ = ["NOT_PROVIDED", "TEXT_RULES", "TextRule", "identifier", "outgoing_text"]

#: What banks write for a reference that there isn't.
NOT_PROVIDED: Final = frozenset({"NOTPROVIDED", "NONREF", "NOT PROVIDED"})

#: swift: the character set X of SWIFT FIN, which every bank takes. swift_transliterated: the same,
#: other letters rewritten by `_WRITTEN_AS`. unicode: whatever is printable, for banks that take it.
TextRule = Literal["swift", "swift_transliterated", "unicode"]
TEXT_RULES: Final[tuple[TextRule, ...]] = ("swift", "swift_transliterated", "unicode")

_SWIFT: Final = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-?:().,'+ "
)
#: Beside accents, which fall off their letter (NFKD): `é` is written `e`.
_WRITTEN_AS: Final = str.maketrans(
    '&_;"!*=`[]{}\\|~\u2018\u2019\u201c\u201d\u2010\u2011\u2012\u2013\u2014ØøıÐðŁłĐđ',
    "+-,'..-'()()//-''''-----OoiDdLlDd",
) | str.maketrans(
    {"@": "(at)", "Æ": "AE", "æ": "ae", "Œ": "OE", "œ": "oe", "ß": "ss", "Þ": "Th", "þ": "th"}
)
#: ISO 20022 guides of banks: an id neither begins nor ends with a slash, nor holds two together.
_SLASHES: Final = re.compile(r"^/|/$|//")


def outgoing_text(
    field: str, text: str, rule: TextRule, characters_max: int, *, reference: str = ""
) -> str:
    """*text* as it may be written. Raises UnwritablePaymentError naming field and character."""

    def refuse(reason: str) -> UnwritablePaymentError:
        return UnwritablePaymentError(field, text, reason, reference=reference)

    if rule == "unicode":
        written = text
        odd = next((each for each in text if not each.isprintable()), "")
    else:
        written = _transliterated(text) if rule == "swift_transliterated" else text
        odd = next((each for each in written if each not in _SWIFT), "")
    if odd:
        raise refuse(f"has {odd!r} (U+{ord(odd):04X}), which the text rule {rule} does not carry")
    if not written or written != written.strip():
        raise refuse("is empty or has spaces around it")
    if len(written) > characters_max:
        raise refuse(f"has {len(written)} characters; {characters_max} fit")
    return written


def identifier(field: str, text: str, characters_max: int, *, reference: str = "") -> str:
    """A reference, code or account number, unchanged. Raises UnwritablePaymentError."""
    outgoing_text(field, text, "swift", characters_max, reference=reference)
    if _SLASHES.search(text):
        raise UnwritablePaymentError(
            field, text, "begins or ends with a slash, or has two together", reference=reference
        )
    return text


def _transliterated(text: str) -> str:
    written: list[str] = []
    for each in unicodedata.normalize("NFKD", text):
        # Off a letter only; a letter that isn't Latin is refused afterwards, and its marks with it.
        is_accent = unicodedata.combining(each) and written and written[-1][-1:].isalpha()
        if not is_accent:
            written.append(each.translate(_WRITTEN_AS))
    return "".join(written)
