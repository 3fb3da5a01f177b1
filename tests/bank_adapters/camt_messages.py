"""camt messages for tests, built from parts: each test states what it is about, and nothing else."""

from __future__ import annotations

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.{message}.001.{version}"
CONTAINERS = {
    "053": ("BkToCstmrStmt", "Stmt"),
    "052": ("BkToCstmrAcctRpt", "Rpt"),
    "054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
}
ACCOUNT = "<Acct><Id><Othr><Id>0010012345678</Id></Othr></Id><Ccy>IDR</Ccy></Acct>"


def balance(code: str, amount: str, day: str = "2026-02-09", *, mark: str = "CRDT") -> str:
    """One `Bal`."""
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy='IDR'>{amount}</Amt>"
        f"<CdtDbtInd>{mark}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def entry(
    amount: str = "1.00",
    mark: str = "CRDT",
    *,
    inner: str = "",
    status: str = "<Sts>BOOK</Sts>",
    dates: str = "<BookgDt><Dt>2026-02-09</Dt></BookgDt><ValDt><Dt>2026-02-09</Dt></ValDt>",
    currency: str = "IDR",
) -> str:
    """One `Ntry`; *inner* stands behind its dates."""
    return (
        f"<Ntry><Amt Ccy='{currency}'>{amount}</Amt><CdtDbtInd>{mark}</CdtDbtInd>"
        f"{status}{dates}{inner}</Ntry>"
    )


def details(*transactions: str) -> str:
    """`NtryDtls` around the insides of transactions."""
    inside = "".join(f"<TxDtls>{each}</TxDtls>" for each in transactions)
    return f"<NtryDtls>{inside}</NtryDtls>"


def statement(*parts: str, account: str = ACCOUNT, number: str = "7", message: str = "053") -> str:
    """One `Stmt`, `Rpt` or `Ntfctn` around balances and entries."""
    _, element = CONTAINERS[message]
    return (
        f"<{element}><Id>STMT-{number}</Id><ElctrncSeqNb>{number}</ElctrncSeqNb>{account}"
        f"{''.join(parts)}</{element}>"
    )


def whole(*entries: str, opening: str = "100.00", closing: str) -> str:
    """A statement with its two balances."""
    return statement(balance("OPBD", opening), balance("CLBD", closing), *entries)


def camt(
    *statements: str, message: str = "053", version: str = "08", prolog: str = "", root: str = ""
) -> bytes:
    """The message around statements. *prolog* stands before the root, *root* among its attributes."""
    container, _ = CONTAINERS[message]
    namespace = root or f"xmlns='{NAMESPACE.format(message=message, version=version)}'"
    head = "<GrpHdr><MsgId>M-1</MsgId><CreDtTm>2026-02-10T01:00:00+07:00</CreDtTm></GrpHdr>"
    return (
        f"<?xml version='1.0' encoding='UTF-8'?>{prolog}<Document {namespace}>"
        f"<{container}>{head}{''.join(statements)}</{container}></Document>"
    ).encode()
