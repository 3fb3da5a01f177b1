"""Writes one camt.053.001.08 statement, as a bank would, in the order of its schema.

It carries what `OutgoingEntry` has; whatever a field cannot carry unchanged is refused. Amounts have
as many digits as they need (the schema allows 18): a province's balance must fit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from bank_adapters.errors import UnwritableStatementError
from bank_adapters.statements.outgoing import OutgoingEntry, check_currency, check_trimmed
from ledger.money import Money

__all__ = ["write_camt053"]

_NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
#: The characters of XML 1.0 but line breaks and tabs, which readers may fold into spaces.
_TEXT: Final = re.compile("[\\u0020-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]*")
_USTRD_MAX: Final = 140
_REFERENCE_MAX: Final = 35
#: Money in and out as the standard's codes: issued and received credit transfers.
_CODES: Final = {"CRDT": "RCDT", "DBIT": "ICDT"}


def write_camt053(
    account: str,
    currency: str,
    statement_no: int,
    opening: Money,
    opening_on: date,
    closing_on: date,
    lines: Sequence[OutgoingEntry],
    *,
    created_at: datetime,
) -> bytes:
    """Write a statement of one page in UTF-8; the closing is opening + entries.

    Raises UnwritableStatementError naming the field and the value.
    """
    check_currency(currency)
    if not 0 <= statement_no < 10**18:
        raise UnwritableStatementError("statement_no", str(statement_no), "has not 1-18 digits")
    if created_at.tzinfo is None:
        raise UnwritableStatementError("created_at", created_at.isoformat(), "has no zone")
    closing = opening + Money.total(line.amount for line in lines)
    stamp = created_at.isoformat(timespec="seconds")
    name = f"{closing_on:%Y%m%d}-{statement_no}"
    written = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<Document xmlns="{_NAMESPACE}"><BkToCstmrStmt>',
        f"<GrpHdr><MsgId>{name}</MsgId><CreDtTm>{stamp}</CreDtTm></GrpHdr>",
        f"<Stmt><Id>{name}</Id><ElctrncSeqNb>{statement_no}</ElctrncSeqNb><CreDtTm>{stamp}</CreDtTm>",
        f"<Acct><Id><Othr><Id>{_text('account', account, 34)}</Id></Othr></Id>"
        f"<Ccy>{currency}</Ccy></Acct>",
        _balance("OPBD", opening, opening_on, currency),
        _balance("CLBD", closing, closing_on, currency),
        *(_entry(line, currency) for line in lines),
        "</Stmt></BkToCstmrStmt></Document>",
    ]
    return ("\n".join(written) + "\n").encode()


def _balance(code: str, balance: Money, on: date, currency: str) -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{_amount(balance, currency)}"
        f"<Dt><Dt>{on.isoformat()}</Dt></Dt></Bal>"
    )


def _amount(money: Money, currency: str) -> str:
    mark = "DBIT" if money.sen < 0 else "CRDT"
    return f"<Amt Ccy={quoteattr(currency)}>{abs(money)}</Amt><CdtDbtInd>{mark}</CdtDbtInd>"


def _entry(line: OutgoingEntry, currency: str) -> str:
    reversal = "<RvslInd>true</RvslInd>" if line.reversal else ""
    booked_on = line.entry_on or line.value_on
    bank_reference = ""
    if line.bank_reference is not None:
        found = _text("bank_reference", line.bank_reference, _REFERENCE_MAX)
        bank_reference = f"<AcctSvcrRef>{found}</AcctSvcrRef>"
    family = _CODES["DBIT" if line.amount.sen < 0 else "CRDT"]
    code = _text("transaction_code", line.transaction_code, 4)
    return (
        f"<Ntry>{_amount(line.amount, currency)}{reversal}<Sts><Cd>BOOK</Cd></Sts>"
        f"<BookgDt><Dt>{booked_on.isoformat()}</Dt></BookgDt>"
        f"<ValDt><Dt>{line.value_on.isoformat()}</Dt></ValDt>{bank_reference}"
        f"<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>{family}</Cd><SubFmlyCd>OTHR</SubFmlyCd></Fmly>"
        f"</Domn><Prtry><Cd>{code}</Cd></Prtry></BkTxCd>{_details(line)}</Ntry>"
    )


def _details(line: OutgoingEntry) -> str:
    references, remittance = "", ""
    if line.reference is not None:
        if line.reference in {"NOTPROVIDED", "NONREF", "NOT PROVIDED"}:
            raise UnwritableStatementError("reference", line.reference, "means that there is none")
        found = _text("reference", line.reference, _REFERENCE_MAX)
        references = f"<Refs><EndToEndId>{found}</EndToEndId></Refs>"
    if line.narrative:
        remittance = f"<RmtInf>{''.join(_remarks(line.narrative))}</RmtInf>"
    inside = references + remittance
    return f"<NtryDtls><TxDtls>{inside}</TxDtls></NtryDtls>" if inside else ""


def _remarks(narrative: str) -> list[str]:
    """Cut at 140 characters; a cut may not leave a space at either side, which readers drop."""
    _text("narrative", narrative, len(narrative))
    pieces = [narrative[n : n + _USTRD_MAX] for n in range(0, len(narrative), _USTRD_MAX)]
    if any(piece != piece.strip() for piece in pieces):
        raise UnwritableStatementError("narrative", narrative, "has a space where it must be cut")
    return [f"<Ustrd>{escape(piece)}</Ustrd>" for piece in pieces]


def _text(name: str, text: str, characters_max: int) -> str:
    check_trimmed(name, text, characters_max)
    if _TEXT.fullmatch(text) is None:
        raise UnwritableStatementError(name, text, "has characters that XML can't carry")
    return escape(text)
