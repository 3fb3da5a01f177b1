"""What fuzzing begins with, and the words of each format.

Seeds are the tests' own files and a few made here; none comes from a bank.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

from bank_adapters.statements.snap_file import Pull, write_pull
from tests.bank_adapters import camt_messages, workbooks
from tests.fuzz.archives import MEMBER, unpacked

FIXTURES = Path(__file__).parents[1] / "bank_adapters" / "fixtures"
#: Between the bodies of SNAP's service 14.
PAGE = b"\n---\n"


def _fixtures(start: str) -> list[tuple[str, bytes]]:
    return [(path.name, path.read_bytes()) for path in sorted(FIXTURES.glob(f"{start}*"))]


def mt940() -> list[bytes]:
    report = (
        ":20:R\n:25:0010012345678\n:28C:1/1\n:34F:IDR0,\n:13D:2602091200+0700\n"
        ":61:2602090209C1,00NTRFA//B\n:86:X\n:90D:0IDR0,\n:90C:1IDR1,00\n-\n"
    )
    return [data for _, data in _fixtures("mt940")] + [report.encode()]


def camt() -> list[bytes]:
    m = camt_messages
    charged = m.entry("90.00", inner=m.details("<Amt Ccy='IDR'>100.00</Amt>") + "<Chrgs/>")
    made = [
        m.camt(m.whole(m.entry("5.00"), m.entry("2.00", "DBIT"), closing="103.00")),
        m.camt(m.whole(charged, closing="190.00"), version="02"),
        *(m.camt(m.statement(m.entry(), message=each), message=each) for each in ("052", "054")),
    ]
    return [data for _, data in _fixtures("camt")] + made


def csv() -> list[bytes]:
    seeds = []
    for name, data in _fixtures("csv-"):
        named = name.removeprefix("csv-").removesuffix(".csv").removesuffix("-newest-first")
        seeds.append(named.encode() + b"\n" + data)
    return seeds


def detect() -> list[bytes]:
    day = date(2026, 3, 5)
    pulled = [
        write_pull(Pull("137", "0012345678", day, day, data.split(PAGE)))
        for data in snap()
        if b'"Y"' not in data.split(PAGE)[-1]
    ]
    found = [data for start in ("mt940-l", "camt", "csv") for _, data in _fixtures(start)]
    return found + pulled


TABLE = [
    ["Tanggal", "Uraian", "Debet", "Kredit", "Saldo"],
    ["01-03-2026", "Saldo Awal", None, None, 1000],
    ["02-03-2026", "SETORAN", None, 500, 1500],
    ["03-03-2026", "BIAYA", 100, None, 1400],
]


def xlsx() -> list[bytes]:
    styled = workbooks.members(
        workbooks.sheet(TABLE), strings=("<t>Tanggal</t>", "<r><t>Sal</t></r><r><t>do</t></r>")
    )
    made = [workbooks.workbook(TABLE), workbooks.archive(styled)]
    files = [data for _, data in _fixtures("xlsx")] + made
    return [b"xlsx" + unpacked(data) for data in files]


def zip_() -> list[bytes]:
    parts = {
        b"mt940": [data for _, data in _fixtures("mt940-l") + _fixtures("mt940-t")],
        b"camt": [data for _, data in _fixtures("camt")],
        b"generic-bpd": [data for _, data in _fixtures("csv-g")] * 2,
    }
    parts[b""] = [data for each in parts.values() for data in each[:1]]
    parts[b""] += [data for _, data in _fixtures("xlsx")]
    archives = [data for _, data in _fixtures("zip")]
    made = [
        head + b"".join(MEMBER + b"%d.dat\n" % n + part for n, part in enumerate(each))
        for head, each in parts.items()
    ]
    return archives + [unpacked(data) for data in archives] + made


def _snap_rows(first: int, units: list[int]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for n, each in enumerate(units, first):
        idr = {"value": f"{abs(each)}.00", "currency": "IDR"}
        end = {"value": f"{1000 + sum(units[: n - first + 1])}.00", "currency": "IDR"}
        rows.append(
            {
                "amount": idr,
                "transactionDate": f"2026-03-05T10:00:{n:02d}+07:00",
                "remark": f"SP2D {n}",
                "transactionId": f"T{n}",
                "type": "CREDIT" if each > 0 else "DEBIT",
                "transactionDetailStatus": "SUCCESS",
                "detailBalance": {"endAmount": [{"amount": end}]},
            }
        )
    return rows


def snap() -> list[bytes]:
    figure = {"value": "1000.00", "currency": "IDR", "dateTime": "2026-03-05T00:00:00+07:00"}
    whole = {"responseCode": "2001400", "responseMessage": "Successful"}
    balance = [{"startingBalance": figure, "endingBalance": figure | {"value": "1040.00"}}]
    total = {"numberOfEntries": "1", "amount": {"value": "50.00", "currency": "IDR"}}
    one = whole | {"balance": balance, "detailData": _snap_rows(1, [50, -10])}
    one |= {"totalCreditEntries": total}
    two = whole | {"hasMore": "Y", "lastRecordDateTime": "2026-03-05T10:00:02+07:00"}
    two |= {"detailData": _snap_rows(1, [50, -10])}
    three = whole | {"hasMore": "N", "detailData": _snap_rows(2, [-10, 7])}
    pages = [json.dumps(each).encode() for each in (one, two, three)]
    return [pages[0], PAGE.join(pages[1:]), PAGE.join(pages[:0:-1])]


def pain002() -> list[bytes]:
    def tx(reference: str, status: str) -> str:
        amount = "<OrgnlTxRef><Amt><InstdAmt Ccy='IDR'>100.00</InstdAmt></Amt></OrgnlTxRef>"
        return (
            f"<TxInfAndSts><OrgnlEndToEndId>{reference}</OrgnlEndToEndId><TxSts>{status}</TxSts>"
            f"<StsRsnInf><Rsn><Cd>AC04</Cd></Rsn></StsRsnInf>{amount}</TxInfAndSts>"
        )

    def whole(group: str, *transactions: str) -> bytes:
        return (
            "<Document xmlns='urn:iso:std:iso:20022:tech:xsd:pain.002.001.10'><CstmrPmtStsRpt>"
            "<GrpHdr><MsgId>B</MsgId></GrpHdr><OrgnlGrpInfAndSts><OrgnlMsgId>MSG-1</OrgnlMsgId>"
            f"<OrgnlNbOfTxs>3</OrgnlNbOfTxs><OrgnlCtrlSum>600</OrgnlCtrlSum>{group}"
            "</OrgnlGrpInfAndSts><OrgnlPmtInfAndSts><OrgnlPmtInfId>PMT-A</OrgnlPmtInfId>"
            f"<PmtInfSts>PART</PmtInfSts>{''.join(transactions)}</OrgnlPmtInfAndSts>"
            "</CstmrPmtStsRpt></Document>"
        ).encode()

    return [
        whole("<GrpSts>ACSC</GrpSts>", tx("R1", "ACSC")),
        whole("", tx("R1", "RJCT"), tx("R2", "ACSP")),
        whole("<GrpSts>RJCT</GrpSts>"),
    ]


XML_WORDS = (
    "<",
    "/>",
    "</",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?xml version='1.0'?>",
    "&amp;",
    "&#65;",
)
CAMT_WORDS = (
    *("Document", "BkToCstmrStmt", "BkToCstmrAcctRpt", "BkToCstmrDbtCdtNtfctn", "Stmt", "Rpt"),
    *("Ntfctn", "Ntry", "Bal", "NtryDtls", "TxDtls", "Btch", "Amt", "CdtDbtInd", "Sts", "Acct"),
    *("RvslInd", "BookgDt", "ValDt", "Dt", "DtTm", "Ccy", "Id", "Othr", "IBAN", "StmtPgntn"),
    *("PgNb", "LastPgInd", "TxsSummry", "TtlNtries", "NbOfNtries", "Sum", "TtlCdtNtries", "Refs"),
    *("TtlDbtNtries", "Chrgs", "Rcrd", "TtlChrgsAndTaxAmt", "AmtDtls", "TxAmt", "EndToEndId"),
    *("RmtInf", "Ustrd", "Strd", "CdtrRefInf", "Ref", "RtrInf", "AddtlInf", "RltdPties", "Cdtr"),
    *("CRDT", "DBIT", "BOOK", "PDNG", "INFO", "FUTR", "OPBD", "CLBD", "PRCD", "ITBD", "CLAV"),
    *(
        "IDR",
        "USD",
        "JPY",
        "KWD",
        "true",
        "false",
        "2026-02-30",
        "2026-02-09T10:00:00Z",
        "NOTPROVIDED",
    ),
)
MT940_WORDS = (
    *(":20:", ":21:", ":25:", ":25P:", ":28C:", ":28:", ":60F:", ":60M:", ":61:", ":62F:", ":62M:"),
    *(":64:", ":65:", ":86:", ":90D:", ":90C:", ":34F:", ":13D:", ":13:", ":NS:", "\n-\n", "-}"),
    *("{1:F01BANKIDJAXXXX0000000000}", "{2:I940BANKIDJAXXXXN}", "{2:I942", "{4:", "RC", "RD", "EC"),
    *(
        "ED",
        "NTRF",
        "NONREF",
        "//",
        "IDR",
        "JPY",
        "KWD",
        "?20",
        "/EREF/",
        "000000",
        "991231",
        "0229",
    ),
    *("C260208IDR", "D260209IDR", "1/1", "1/2", ",00", ",", "999999999999999"),
)
CSV_WORDS = (
    *(
        ";",
        ",",
        "|",
        "\t",
        '"',
        '""',
        "Saldo Awal",
        "Saldo Akhir",
        "Opening Balance",
        "Total",
        "PEND",
    ),
    *(
        "Closing Balance",
        "Ledger Balance",
        "Periode",
        "DB",
        "CR",
        "D",
        "K",
        "Rp",
        "IDR",
        "USD",
        "KWD",
    ),
    *(
        "01/03/2026",
        "31-02-2026",
        "13/25/2026",
        "02 Mar 2026",
        "1.000,00",
        "1,000.00",
        "(5,00)",
        "-",
    ),
    *("1.000", "0,00", "5,00-", '="001"', "'", "23:59:59", "Tanggal", "Uraian", "Debet", "Kredit"),
)
PAIN002_WORDS = (
    *("OrgnlGrpInfAndSts", "OrgnlPmtInfAndSts", "TxInfAndSts", "OrgnlMsgId", "GrpSts", "PmtInfSts"),
    *("TxSts", "OrgnlEndToEndId", "OrgnlInstrId", "OrgnlPmtInfId", "OrgnlNbOfTxs", "OrgnlCtrlSum"),
    *("ACSC", "ACCC", "ACSP", "RJCT", "PART", "PDNG", "R1", "R2", "R3", "PMT-A", "PMT-B", "MSG-1"),
    *("NOTPROVIDED", "100.00", "InstdAmt", "StsRsnInf", "AddtlInf", "pain.002.001.02"),
)
SNAP_WORDS = (
    *("detailData", "balance", "startAmount", "endAmount", "amount", "value", "currency", "type"),
    *(
        "CREDIT",
        "DEBIT",
        "hasMore",
        "Y",
        "N",
        "IDR",
        "USD",
        "ERROR CORECTION",
        "lastRecordDateTime",
    ),
    *(
        "2026-02-30T00:00:00+07:00",
        "2026-03-05T10:00:01",
        "null",
        "true",
        "{}",
        "[]",
        "1e400",
        "\n---\n",
    ),
)
XLSX_WORDS = (
    *(
        "<row r='1'>",
        "<c r='A1'",
        "t='s'",
        "t='inlineStr'",
        "t='str'",
        "t='e'",
        "s='1'",
        "<v>",
        "<is><t>",
    ),
    *(
        "1e308",
        "1E-5",
        "0.1",
        "-0",
        "46023.5",
        "2958466",
        "0.999999",
        "date1904='1'",
        "numFmtId='14'",
    ),
    *("xl/workbook.xml", "xl/sharedStrings.xml", "xl/styles.xml", "worksheets/s1.xml", "\n=== "),
)
