"""The readers under fuzzing: what a fuzzer's bytes mean to each, and what must hold of the result."""

from __future__ import annotations

import hashlib
import io
import json
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bank_adapters import BankAdapterError, read_statement_file
from bank_adapters.payments.pain001 import SentBlock, SentMessage
from bank_adapters.payments.pain002 import answers_of
from bank_adapters.payments.pain002_xml import read_pain002
from bank_adapters.statements.profile import all_profiles
from bank_adapters.statements.snap import read_snap_pages
from ledger.money import Money
from tests.bank_adapters import camt_messages, workbooks
from tests.fuzz import claims

FIXTURES = Path(__file__).parents[1] / "bank_adapters" / "fixtures"
KEPT = Path(__file__).parent / "corpus"
#: Begins a member of an archive in the text that `packed` makes an archive of.
MEMBER = b"\n=== "
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Target:
    """A reader. *run* takes a fuzzer's bytes and says whether they were read (else: refused by name)."""

    name: str
    run: Callable[[bytes], bool]
    seeds: Callable[[], list[bytes]]
    words: tuple[str, ...]


def kept(name: str) -> list[bytes]:
    """The corpus kept in the repository, an archive for each target."""
    with zipfile.ZipFile(KEPT / f"{name}.zip") as archive:
        return [archive.read(info) for info in archive.infolist()]


def keep(name: str, units: list[bytes]) -> Path:
    """Write the corpus of a target, the same bytes for the same units."""
    KEPT.mkdir(exist_ok=True)
    path = KEPT / f"{name}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for unit in sorted(set(units), key=lambda each: (len(each), each)):
            digest = hashlib.sha256(unit).hexdigest()[:12]
            info = zipfile.ZipInfo(digest, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, unit)
    return path


def _refused(refusal: BankAdapterError) -> bool:
    claims.claim(refusal.code != "bank_adapter" and refusal.message, "a refusal without a name")
    return False


# --- text and XML ---------------------------------------------------------------------------------


def run_mt940(data: bytes) -> bool:
    try:
        read = read_statement_file(data, format="mt940")
    except BankAdapterError as refusal:
        return _refused(refusal)
    printed = read.to_json()
    claims.check(printed)
    claims.check_mt940(printed, data)
    return True


def run_camt(data: bytes) -> bool:
    try:
        read = read_statement_file(data, format="camt")
    except BankAdapterError as refusal:
        return _refused(refusal)
    printed = read.to_json()
    claims.check(printed)
    claims.check_camt(printed, data)
    return True


_PROFILES = {each.name.encode(): each for each in all_profiles()}
_LABELS = {
    each.name: frozenset(word for words in each.labels.values() for word in words)
    for each in _PROFILES.values()
}


def split_csv(data: bytes) -> tuple[bytes, bytes]:
    """The first line names the layout; one that is not known means the generic one."""
    name, _, content = data.partition(b"\n")
    return name, content


def run_csv(data: bytes) -> bool:
    name, content = split_csv(data)
    used = _PROFILES.get(name, _PROFILES[b"generic-bpd"])
    try:
        read = read_statement_file(content, format="csv", profile=used)
    except BankAdapterError as refusal:
        return _refused(refusal)
    printed = read.to_json()
    claims.check(printed)
    claims.check_csv(printed, content, labels=_LABELS[used.name], marks=used.delimiter)
    return True


def run_detect(data: bytes) -> bool:
    """Any bytes, their format found out; no archive, which have targets of their own."""
    if data.startswith(b"PK"):
        return False
    try:
        read = read_statement_file(data)
    except BankAdapterError as refusal:
        return _refused(refusal)
    claims.check(read.to_json())
    return True


PAGE = b"\n---\n"


def run_snap(data: bytes) -> bool:
    """Bodies of service 14, one behind the other."""
    pages = data.split(PAGE)
    try:
        read = read_snap_pages(pages)
    except BankAdapterError as refusal:
        return _refused(refusal)
    printed = read.to_json()
    claims.check(printed)
    claims.check_snap(printed, pages)
    return True


SENT = SentMessage(
    "MSG-1",
    (
        SentBlock("PMT-A", {"R1": Money(100_00), "R2": Money(200_00)}),
        SentBlock("PMT-B", {"R3": Money(300_00)}),
    ),
)


def run_pain002(data: bytes) -> bool:
    try:
        report = read_pain002([data])
        answers_of(report, None)
        answers, _ = answers_of(report, SENT)
    except BankAdapterError as refusal:
        return _refused(refusal)
    said = [(each.reference, each.answer.meaning) for each in answers]
    claims.check_status_report(said, set(SENT.amounts), data)
    return True


# --- archives -------------------------------------------------------------------------------------


def unpacked(data: bytes) -> bytes:
    """An archive as text that a fuzzer can change: each member behind a line with its name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return b"".join(
            MEMBER + info.filename.encode() + b"\n" + archive.read(info)
            for info in archive.infolist()
        )


def members(data: bytes) -> list[tuple[bytes, bytes]]:
    parts = [part.partition(b"\n") for part in data.split(MEMBER)[1:]]
    return [(name, content) for name, _, content in parts]


def packed(data: bytes) -> bytes:
    """The archive of such a text. What begins as an archive is one already, however damaged."""
    if data.startswith(b"PK"):
        return data
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two members of one name are what a reader may meet
        for name, content in members(data):
            info = zipfile.ZipInfo(name.decode("latin-1"), _EPOCH)
            archive.writestr(info, packed(content) if content.startswith(MEMBER) else content)
    return out.getvalue()


_ASKED: dict[bytes, dict[str, str]] = {
    b"mt940": {"format": "mt940"},
    b"camt": {"format": "camt"},
    b"generic-bpd": {"profile": "generic-bpd"},
    b"xlsx": {"format": "xlsx"},
}


def run_archive(data: bytes) -> bool:
    """What stands before the first member says what is asked for; else it is found out."""
    try:
        whole = packed(data)
    except (ValueError, UnicodeError, zipfile.LargeZipFile):
        return False  # names that the library won't write: no archive, nothing to read
    asked = _ASKED.get(data.partition(MEMBER)[0], {})
    try:
        read = read_statement_file(whole, account="1", **asked)
    except BankAdapterError as refusal:
        return _refused(refusal)
    claims.check(read.to_json())
    return True


# --- seeds ----------------------------------------------------------------------------------------


def _fixtures(start: str) -> list[tuple[str, bytes]]:
    return [(path.name, path.read_bytes()) for path in sorted(FIXTURES.glob(f"{start}*"))]


def _mt940_seeds() -> list[bytes]:
    report = (
        ":20:R\n:25:0010012345678\n:28C:1/1\n:34F:IDR0,\n:13D:2602091200+0700\n"
        ":61:2602090209C1,00NTRFA//B\n:86:X\n:90D:0IDR0,\n:90C:1IDR1,00\n-\n"
    )
    return [data for _, data in _fixtures("mt940")] + [report.encode()]


def _camt_seeds() -> list[bytes]:
    m = camt_messages
    charged = m.entry("90.00", inner=m.details("<Amt Ccy='IDR'>100.00</Amt>") + "<Chrgs/>")
    made = [
        m.camt(m.whole(m.entry("5.00"), m.entry("2.00", "DBIT"), closing="103.00")),
        m.camt(m.whole(charged, closing="190.00"), version="02"),
        *(m.camt(m.statement(m.entry(), message=each), message=each) for each in ("052", "054")),
    ]
    return [data for _, data in _fixtures("camt")] + made


def _csv_seeds() -> list[bytes]:
    seeds = []
    for name, data in _fixtures("csv-"):
        named = name.removeprefix("csv-").removesuffix(".csv").removesuffix("-newest-first")
        seeds.append(named.encode() + b"\n" + data)
    return seeds


def _detect_seeds() -> list[bytes]:
    return [data for start in ("mt940-l", "camt", "csv") for _, data in _fixtures(start)]


TABLE = [
    ["Tanggal", "Uraian", "Debet", "Kredit", "Saldo"],
    ["01-03-2026", "Saldo Awal", None, None, 1000],
    ["02-03-2026", "SETORAN", None, 500, 1500],
    ["03-03-2026", "BIAYA", 100, None, 1400],
]


def _xlsx_seeds() -> list[bytes]:
    styled = workbooks.members(
        workbooks.sheet(TABLE), strings=("<t>Tanggal</t>", "<r><t>Sal</t></r><r><t>do</t></r>")
    )
    made = [workbooks.workbook(TABLE), workbooks.archive(styled)]
    files = [data for _, data in _fixtures("xlsx")] + made
    return [b"xlsx" + unpacked(data) for data in files]


def _zip_seeds() -> list[bytes]:
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


def _snap_seeds() -> list[bytes]:
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


def _pain002_seeds() -> list[bytes]:
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


_XML = (
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
_CAMT = (
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
_MT940 = (
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
_CSV = (
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
_PAIN002 = (
    *("OrgnlGrpInfAndSts", "OrgnlPmtInfAndSts", "TxInfAndSts", "OrgnlMsgId", "GrpSts", "PmtInfSts"),
    *("TxSts", "OrgnlEndToEndId", "OrgnlInstrId", "OrgnlPmtInfId", "OrgnlNbOfTxs", "OrgnlCtrlSum"),
    *("ACSC", "ACCC", "ACSP", "RJCT", "PART", "PDNG", "R1", "R2", "R3", "PMT-A", "PMT-B", "MSG-1"),
    *("NOTPROVIDED", "100.00", "InstdAmt", "StsRsnInf", "AddtlInf", "pain.002.001.02"),
)
_SNAP = (
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
_XLSX = (
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

TARGETS = {
    each.name: each
    for each in (
        Target("mt940", run_mt940, _mt940_seeds, _MT940),
        Target("camt", run_camt, _camt_seeds, _XML + _CAMT),
        Target("csv", run_csv, _csv_seeds, _CSV),
        Target("snap", run_snap, _snap_seeds, _SNAP),
        Target("pain002", run_pain002, _pain002_seeds, _XML + _PAIN002),
        Target("detect", run_detect, _detect_seeds, _MT940 + _CSV + _XML),
        Target("xlsx", run_archive, _xlsx_seeds, _XML + _XLSX),
        Target("zip", run_archive, _zip_seeds, _MT940 + _CSV + ("PK\x03\x04", "PK\x05\x06")),
    )
}


def all_seeds(target: Target) -> list[bytes]:
    """The tests' own files and the corpus that is kept."""
    path = KEPT / f"{target.name}.zip"
    return target.seeds() + (kept(target.name) if path.exists() else [])


def dictionary(target: Target) -> str:
    """The target's words as libFuzzer reads them."""
    return "".join(
        '"' + "".join(f"\\x{byte:02x}" for byte in word.encode()) + '"\n' for word in target.words
    )
