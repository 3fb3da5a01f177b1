"""The text of a `:86:` field in its three habits: free, German GVC subfields, slash keywords."""

import re

# `166?00TRANSFER?20...`: a three-digit code, then subfields of at most 27 characters.
_GVC = re.compile(r"[0-9]{3}\?[0-9]{2}")
_GVC_SUBFIELD = re.compile(r"\?([0-9]{2})")
_GVC_PURPOSE = {*(str(number) for number in range(20, 30)), "60", "61", "62", "63"}

# Code words that open a part of the slash form. The list is closed, because an Indonesian
# document number (`SP2D 00031/04.0/000031/LS/...`) is full of slashes as well.
_SLASH_WORDS = (
    *("ACCW", "ADDR", "BENM", "BIC", "CHGS", "CNTP", "CSID", "EREF", "EXCH", "IBAN", "IREF"),
    *("ISDT", "KREF", "MARF", "MREF", "NAME", "NRTX", "OCMT", "ORDP", "PREF", "PURP", "REMI"),
    *("RREF", "RTRN", "SVCL", "TRCD", "TRTP", "ULTB", "ULTC", "ULTD"),
)
_SLASH = re.compile(rf"/({'|'.join(_SLASH_WORDS)})/")


def read_narrative(text: str) -> tuple[str, str | None]:
    """Narrative for matching and the counterparty's name, from a `:86:` without line breaks.

    GVC: the purpose subfields joined (they cut words every 27 characters), or the posting text
    where there is no purpose. Slash form: the whole text, the name taken from `/NAME/`, or from
    the third part of `/CNTP/account/bank/name/`. Free text: as it is, no name.
    """
    if text[3:4] == "?" and _GVC.match(text):
        return _gvc(text)
    if text[:1] == "/" and _SLASH.match(text):
        return text.strip(), _slash_name(text)
    return text.strip(), None


def _gvc(text: str) -> tuple[str, str | None]:
    pieces = _GVC_SUBFIELD.split(text)
    subfields = list(zip(pieces[1::2], pieces[2::2], strict=True))
    purpose = "".join(value for number, value in subfields if number in _GVC_PURPOSE)
    if not purpose.strip():
        purpose = "".join(value for number, value in subfields if number == "00")
    name = "".join(value for number, value in subfields if number in {"32", "33"})
    return purpose.strip(), name.strip() or None


def _slash_name(text: str) -> str | None:
    pieces = _SLASH.split(text)
    parts = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    if name := parts.get("NAME", "").strip("/ "):
        return name
    counterparty = parts.get("CNTP", "").split("/")
    if len(counterparty) > 2 and counterparty[2].strip():
        return counterparty[2].strip()
    return None
