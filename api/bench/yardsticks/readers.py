"""
Other readers of the same files: two packages, and the least that anybody would write.

The packages are optional (`make oracles`); each function gives the number of entries and the sum of
their amounts, so that a reader which loses one is found out.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Final

__all__ = ["BANKSTATEMENTPARSER", "CSV", "LXML", "MT940", "Reader"]

Read = tuple[int, Decimal]


@dataclass(frozen=True, slots=True)
class Reader:
    """A yardstick; `module` is what must be there to import, `package` its name on an index."""

    name: str
    package: str
    module: str
    read: Callable[[Path], Read]

    @property
    def is_installed(self) -> bool:
        """Whether it can be run here."""
        return find_spec(self.module) is not None


def _mt940(path: Path) -> Read:
    """Statement by statement, with the options that read reversals and long texts right."""
    import mt940  # noqa: PLC0415  # optional

    options = mt940.Options(reversal_sign=True, unbounded_details=True)
    statements = mt940.parse_statements(path.read_bytes(), options=options)
    amounts = [entry.data["amount"].amount for statement in statements for entry in statement]
    return len(amounts), sum(amounts, Decimal(0))


def _bankstatementparser(path: Path) -> Read:
    from bankstatementparser.parsers import Mt940Parser  # noqa: PLC0415  # optional

    table = Mt940Parser(path).parse()
    return len(table), sum(table["amount"], Decimal(0))


def _lxml(path: Path) -> Read:
    """Five fields of each entry, elements dropped behind it, nothing checked and nothing kept."""
    from lxml import etree  # noqa: PLC0415  # optional

    count, total = 0, Decimal(0)
    for _, entry in etree.iterparse(path, tag="{*}Ntry"):
        space = entry.tag.rpartition("}")[0] + "}"
        amount = Decimal(entry.findtext(f"{space}Amt"))
        is_in = entry.findtext(f"{space}CdtDbtInd") == "CRDT"
        entry.findtext(f"{space}BookgDt/{space}Dt")
        entry.findtext(f"{space}AcctSvcrRef")
        entry.findtext(f"{space}NtryDtls/{space}TxDtls/{space}Refs/{space}EndToEndId")
        count += 1
        total += amount if is_in else -amount
        entry.clear()
        while entry.getprevious() is not None:
            del entry.getparent()[0]
    return count, total


def _csv(path: Path) -> Read:
    """Rows by column names, amounts and balance as Decimal, kept as tuples; nothing checked."""
    kept = []
    with path.open(encoding="utf-8", newline="") as file:
        next(file)
        for row in csv.DictReader(file, delimiter=";"):
            if not row["Tanggal"]:
                continue
            amount = _decimal(row["Kredit"]) if row["Kredit"] else -_decimal(row["Debet"])
            balance = _decimal(row["Saldo"])
            kept.append((row["Tanggal"], row["Uraian"], amount, balance, row["No. Referensi"]))
    return len(kept), sum((amount for _, _, amount, _, _ in kept), Decimal(0))


def _decimal(text: str) -> Decimal:
    return Decimal(text.replace(".", "").replace(",", "."))


MT940: Final = Reader("mt-940", "mt-940", "mt940", _mt940)
BANKSTATEMENTPARSER: Final = Reader(
    *("bankstatementparser", "bankstatementparser", "bankstatementparser", _bankstatementparser)
)
LXML: Final = Reader("bare lxml.iterparse, five fields", "lxml", "lxml", _lxml)
CSV: Final = Reader("bare csv and Decimal", "csv", "csv", _csv)
