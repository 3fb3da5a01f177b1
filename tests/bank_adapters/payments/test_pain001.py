"""pain.001 as it is written: the schema's order, the rows' sums, every value whole or refused."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bank_adapters.payments.banks import Bank, bank_list
from bank_adapters.payments.debit_units import FILE_UNITS
from bank_adapters.payments.errors import (
    InvalidPaymentSettingsError,
    MixedDebitUnitError,
    RepeatedOrderError,
    UngroupedOrderError,
    UnwritablePaymentError,
)
from bank_adapters.payments.order import PaymentOrder
from bank_adapters.payments.pain001 import SentMessage, write_pain001
from bank_adapters.payments.pain001_settings import parse_pain001_settings
from bank_adapters.payments.routing import WIB
from ledger.money import Money
from tests.bank_adapters.payments.support import order, orders

SCHEMAS = Path(
    os.environ.get("RKUD_XSD_DIR", Path(__file__).parents[4] / "shared" / "schemas" / "iso20022")
)
NOW = datetime(2026, 3, 5, 9, 30, tzinfo=WIB)
SETTINGS = """
version = "09"
unit = "payment"
initiating_party = "BPKAD Provinsi Banten"
initiating_id = "PEMPROV36"
charge_bearer = "DEBT"
text = "unicode"
agents = "bic"

[debtor]
name = "RKUD Provinsi Banten"
account = "0010012345678"
bic = "PDJTIDJ1"

[rails.intrabank]
[rails.bifast]
local_instrument = { proprietary = "BIFAST" }
[rails.skn]
service_level = { code = "NURG" }
local_instrument = { proprietary = "SKN" }
[rails.rtgs]
service_level = { code = "URGP" }
category_purpose = { code = "GOVT" }
"""


def text_of(version: str = "09", unit: str = "payment", **changes: str) -> str:
    """The settings with other values; `{}` stands for none."""
    text = SETTINGS.replace('version = "09"', f'version = "{version}"')
    text = text.replace('unit = "payment"', f'unit = "{unit}"')
    for key, value in changes.items():
        lines = [each for each in text.splitlines() if not each.startswith(f"{key} =")]
        text = "\n".join([f"{key} = {value}", *lines]) if value else "\n".join(lines)
    return text


def write(
    batch: list[PaymentOrder], text: str = SETTINGS, **changes: Any
) -> tuple[bytes, SentMessage]:
    """The message of *batch*; each two orders are one SP2D."""
    values: dict[str, Any] = {
        "message_id": "RKUD-260305-1",
        "payment_id": "DP-7",
        "created_at": NOW,
        "sp2d_of": {each.reference: f"SP2D-{n // 2}" for n, each in enumerate(batch)},
    }
    banks = changes.pop("banks", bank_list())
    return write_pain001(batch, parse_pain001_settings(text), banks, **(values | changes))


def local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def one(element: ET.Element, path: str) -> str:
    """The text at a path of local names."""
    found = element.find("/".join(f"{{*}}{each}" for each in path.split("/")))
    assert found is not None, path
    return found.text or ""


# --- the schema's order -----------------------------------------------------------------------------

#: Children in the order of the schema, mandatory ones with `!`; every version unless it says which.
SEQUENCES = {
    "Document": "CstmrCdtTrfInitn!",
    "CstmrCdtTrfInitn": "GrpHdr! PmtInf!",
    "GrpHdr": "MsgId! CreDtTm! Authstn NbOfTxs! CtrlSum InitgPty! FwdgAgt",
    "PmtInf": (
        "PmtInfId! PmtMtd! BtchBookg NbOfTxs CtrlSum PmtTpInf ReqdExctnDt! PoolgAdjstmntDt Dbtr! "
        "DbtrAcct! DbtrAgt! DbtrAgtAcct UltmtDbtr ChrgBr ChrgsAcct ChrgsAcctAgt CdtTrfTxInf!"
    ),
    "PmtTpInf": "InstrPrty SvcLvl LclInstrm CtgyPurp",
    "CdtTrfTxInf": (
        "PmtId! PmtTpInf Amt! XchgRateInf ChrgBr ChqInstr UltmtDbtr CdtrAgt CdtrAgtAcct Cdtr "
        "CdtrAcct UltmtCdtr InstrForCdtrAgt InstrForDbtrAgt Purp RgltryRptg Tax RltdRmtInf RmtInf"
    ),
    "PmtId": "InstrId EndToEndId!",
    "Amt": "InstdAmt!",
    "InitgPty": "Nm PstlAdr Id",
    "Dbtr": "Nm PstlAdr Id",
    "Cdtr": "Nm PstlAdr Id",
    "DbtrAcct": "Id! Tp Ccy Nm",
    "CdtrAcct": "Id! Tp Ccy Nm",
    "DbtrAgt": "FinInstnId! BrnchId",
    "CdtrAgt": "FinInstnId! BrnchId",
    "FinInstnId 03": "BIC ClrSysMmbId Nm",
    "FinInstnId 09": "BICFI ClrSysMmbId LEI Nm",
    "ClrSysMmbId": "ClrSysId MmbId!",
    "ReqdExctnDt 09": "Dt!",
    "RmtInf": "Ustrd Strd",
    "OrgId": "Othr",
    "SvcLvl": "Cd Prtry",
    "LclInstrm": "Cd Prtry",
    "CtgyPurp": "Cd Prtry",
    "ClrSysId": "Cd Prtry",
}
REPEATED = {"PmtInf", "CdtTrfTxInf"}
FREE = {"Id", "Othr"}


def broken_sequences(root: ET.Element, version: str) -> Iterator[str]:
    """Where an element's children are not those of the schema, in its order."""
    for element in root.iter():
        name, children = local(element), [local(each) for each in element]
        if not children or name in FREE:
            if not children and not (element.text or "").strip():
                yield f"{name} is empty"
            continue
        sequence = SEQUENCES.get(f"{name} {version}", SEQUENCES.get(name, "")).split()
        names = [each.rstrip("!") for each in sequence]
        if set(children) - set(names):
            yield f"{name} has {children}"
        elif children != sorted(children, key=names.index):
            yield f"{name} has another order: {children}"
        for each in sequence:
            count = children.count(each.rstrip("!"))
            if (each.endswith("!") and count == 0) or (
                count > 1 and each.rstrip("!") not in REPEATED
            ):
                yield f"{name} has {each} {count} times"


CASES = [
    (version, unit, agents)
    for version in ("03", "09")
    for unit in FILE_UNITS
    for agents in ("bic", "bank_code")
]


def case(version: str, unit: str, agents: str) -> bytes:
    """Every rail, amounts to the schema's most digits, text that XML escapes, an empty remark."""
    batch = [
        order(1, rail="skn", amount=Money(1)),
        order(
            2, rail="rtgs", amount=Money(10**18 - 10**14), beneficiary_name="A & B <C> \"D\" 'é'"
        ),
        order(3, rail="bifast", remark=""),
        order(4, rail="intrabank", beneficiary_bank="114"),
    ]
    changes = {"agents": f'"{agents}"', "clearing_system": '{ proprietary = "BI" }'}
    return write(batch, text_of(version, unit, **changes))[0]


@pytest.mark.parametrize(("version", "unit", "agents"), CASES)
def test_message_has_the_schema_s_elements_in_the_schema_s_order(
    version: str, unit: str, agents: str
) -> None:
    """Nothing is missing, repeated, empty or out of place."""
    root = ET.fromstring(case(version, unit, agents))  # noqa: S314 - our own bytes

    assert [] == list(broken_sequences(root, version))
    assert root.tag == f"{{urn:iso:std:iso:20022:tech:xsd:pain.001.001.{version}}}Document"


@pytest.mark.parametrize(("version", "unit", "agents"), CASES)
def test_message_is_valid_by_the_published_schema(version: str, unit: str, agents: str) -> None:
    """ISO's XSD, where it lies beside the project and lxml is installed, has no objection."""
    etree = pytest.importorskip("lxml.etree", reason="lxml is not installed")
    schema = SCHEMAS / f"pain.001.001.{version}.xsd"
    if not schema.is_file():
        pytest.skip(f"{schema.name} is not in $RKUD_XSD_DIR; ISO publishes it")
    checker = etree.XMLSchema(etree.parse(schema))

    checker.validate(etree.fromstring(case(version, unit, agents)))

    assert [] == [str(each) for each in checker.error_log]


# --- what it says -----------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(orders(), st.sampled_from(["03", "09"]), st.sampled_from(FILE_UNITS))
def test_message_parsed_has_every_order_with_its_values(
    batch: list[PaymentOrder], version: str, unit: str
) -> None:
    """Amount, account, name and remark come back whole; counts and sums are those of the rows."""
    data, sent = write(batch, text_of(version, unit))
    root = ET.fromstring(data)  # noqa: S314 - our own bytes
    blocks = root.findall(".//{*}PmtInf")
    found = {}
    for block in blocks:
        rows = block.findall("{*}CdtTrfTxInf")
        sums = [Money.parse(one(row, "Amt/InstdAmt")) for row in rows]
        assert (str(len(rows)), str(Money.total(sums))) == (
            one(block, "NbOfTxs"),
            one(block, "CtrlSum"),
        )
        for row in rows:
            reference = one(row, "PmtId/EndToEndId")
            assert reference not in found
            remark = row.find("{*}RmtInf")
            found[reference] = (
                one(row, "Amt/InstdAmt"),
                one(row, "CdtrAcct/Id/Othr/Id"),
                one(row, "Cdtr/Nm"),
                "" if remark is None else one(remark, "Ustrd"),
            )

    assert found == {
        each.reference: (
            str(each.amount),
            each.beneficiary_account,
            each.beneficiary_name,
            each.remark,
        )
        for each in batch
    }
    total = Money.total(each.amount for each in batch)
    header = root.find(".//{*}GrpHdr")
    assert header is not None
    assert (str(len(batch)), str(total)) == (one(header, "NbOfTxs"), one(header, "CtrlSum"))
    assert {each.reference: each.amount for each in batch} == sent.amounts
    assert [one(block, "PmtInfId") for block in blocks] == [each.payment_id for each in sent.blocks]
    assert (data, sent) == write(batch, text_of(version, unit))


def test_message_written_is_this_text() -> None:
    """The exact bytes of a list with two rails, text transliterated, as version 03 has them."""
    text = text_of("03", "list", text='"swift_transliterated"')
    batch = [
        order(1, amount=Money.parse("1250000000.00"), beneficiary_name="José & Søn", remark=""),
        order(2, rail="rtgs", amount=Money.parse("0.05")),
    ]

    data, sent = write(batch, text)

    assert (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.03"><CstmrCdtTrfInitn>\n'
        "<GrpHdr><MsgId>RKUD-260305-1</MsgId><CreDtTm>2026-03-05T09:30:00+07:00</CreDtTm>"
        "<NbOfTxs>2</NbOfTxs><CtrlSum>1250000000.05</CtrlSum><InitgPty>"
        "<Nm>BPKAD Provinsi Banten</Nm><Id><OrgId><Othr><Id>PEMPROV36</Id></Othr></OrgId></Id>"
        "</InitgPty></GrpHdr>\n"
        "<PmtInf><PmtInfId>DP-7</PmtInfId><PmtMtd>TRF</PmtMtd><BtchBookg>true</BtchBookg>"
        "<NbOfTxs>2</NbOfTxs><CtrlSum>1250000000.05</CtrlSum><ReqdExctnDt>2026-03-05</ReqdExctnDt>"
        "<Dbtr><Nm>RKUD Provinsi Banten</Nm></Dbtr><DbtrAcct><Id><Othr><Id>0010012345678</Id>"
        "</Othr></Id><Ccy>IDR</Ccy></DbtrAcct><DbtrAgt><FinInstnId><BIC>PDJTIDJ1</BIC>"
        "</FinInstnId></DbtrAgt><ChrgBr>DEBT</ChrgBr>\n"
        "<CdtTrfTxInf><PmtId><InstrId>SP2D26-000001</InstrId>"
        "<EndToEndId>SP2D26-000001</EndToEndId></PmtId><PmtTpInf><SvcLvl><Cd>NURG</Cd></SvcLvl>"
        "<LclInstrm><Prtry>SKN</Prtry></LclInstrm></PmtTpInf><Amt>"
        '<InstdAmt Ccy="IDR">1250000000.00</InstdAmt></Amt><CdtrAgt><FinInstnId><BIC>CENAIDJA</BIC>'
        "</FinInstnId></CdtrAgt><Cdtr><Nm>Jose + Son</Nm></Cdtr><CdtrAcct><Id><Othr>"
        "<Id>0000000001</Id></Othr></Id></CdtrAcct></CdtTrfTxInf>\n"
        "<CdtTrfTxInf><PmtId><InstrId>SP2D26-000002</InstrId>"
        "<EndToEndId>SP2D26-000002</EndToEndId></PmtId><PmtTpInf><SvcLvl><Cd>URGP</Cd></SvcLvl>"
        '<CtgyPurp><Cd>GOVT</Cd></CtgyPurp></PmtTpInf><Amt><InstdAmt Ccy="IDR">0.05</InstdAmt></Amt>'
        "<CdtrAgt><FinInstnId><BIC>CENAIDJA</BIC></FinInstnId></CdtrAgt><Cdtr>"
        "<Nm>PT Contoh Karya</Nm></Cdtr><CdtrAcct><Id><Othr><Id>0000000002</Id></Othr></Id>"
        "</CdtrAcct><RmtInf><Ustrd>SP2D 000123/LS</Ustrd></RmtInf></CdtTrfTxInf>\n"
        "</PmtInf>\n"
        "</CstmrCdtTrfInitn></Document>\n"
    ) == data.decode()
    assert ["DP-7"] == [each.payment_id for each in sent.blocks]


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("payment", [("DP-7-1", "false", 2), ("DP-7-2", "false", 1)]),
        ("sp2d", [("SP2D-0", "true", 2), ("SP2D-1", "true", 1)]),
        ("list", [("DP-7", "true", 3)]),
    ],
)
def test_blocks_are_what_the_bank_debits_together(
    unit: str, expected: list[tuple[str, str, int]]
) -> None:
    """A batch has the debit's reference as its id; single transfers share a block by day and rail."""
    batch = [order(1), order(2, rail="rtgs"), order(3)]

    root = ET.fromstring(write(batch, text_of(unit=unit))[0])  # noqa: S314 - our own bytes

    assert expected == [
        (one(each, "PmtInfId"), one(each, "BtchBookg"), len(each.findall("{*}CdtTrfTxInf")))
        for each in root.findall(".//{*}PmtInf")
    ]


def test_block_of_one_rail_has_its_codes_once_and_of_several_at_each_transfer() -> None:
    """The type stands at one level or the other, never at both."""
    same = write([order(1), order(2)], text_of(unit="list"))[0]
    mixed = write([order(1), order(2, rail="bifast")], text_of(unit="list"))[0]

    assert 1 == same.count(b"<PmtTpInf>")
    assert same.index(b"<PmtTpInf>") < same.index(b"<CdtTrfTxInf>")
    assert 2 == mixed.count(b"<PmtTpInf>")
    assert mixed.index(b"<PmtTpInf>") > mixed.index(b"<CdtTrfTxInf>")


def test_payee_s_bank_is_named_as_the_settings_say() -> None:
    """By BIC, by its three digits, or by its clearing code of seven."""
    banks = {"014": Bank("014", "BCA", "CENAIDJA", "0140397")}
    by = {
        name: write([order()], text_of(agents=f'"{name}"'), banks=banks)[0]
        for name in ("bic", "bank_code", "clearing_code")
    }

    assert b"<CdtrAgt><FinInstnId><BICFI>CENAIDJA</BICFI></FinInstnId>" in by["bic"]
    assert b"<ClrSysMmbId><MmbId>014</MmbId></ClrSysMmbId>" in by["bank_code"]
    assert b"<ClrSysMmbId><MmbId>0140397</MmbId></ClrSysMmbId>" in by["clearing_code"]


# --- refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"amount": Money(0)}, "amount", "not above zero"),
        ({"amount": Money(-1)}, "amount", "not above zero"),
        ({"reference": "x" * 36}, "reference", "36 characters; 35 fit"),
        ({"reference": "/SP2D"}, "reference", "slash"),
        ({"reference": "SP2D é"}, "reference", "'é'"),
        ({"reference": ""}, "reference", "is empty"),
        ({"reference": "NOTPROVIDED"}, "reference", "means that there is none"),
        ({"beneficiary_name": "x" * 141}, "beneficiary_name", "141 characters; 140 fit"),
        ({"beneficiary_name": "a\x00b"}, "beneficiary_name", "U+0000"),
        ({"beneficiary_name": "a\ud800b"}, "beneficiary_name", "U+D800"),
        ({"beneficiary_name": ""}, "beneficiary_name", "is empty"),
        ({"beneficiary_account": "1" * 35}, "beneficiary_account", "35 characters; 34 fit"),
        ({"beneficiary_account": "00 12é"}, "beneficiary_account", "'é'"),
        ({"remark": "x" * 141}, "remark", "141 characters; 140 fit"),
        ({"remark": "two\nlines"}, "remark", "U+000A"),
        ({"source_account": "999"}, "source_account", "not the account of these settings"),
        ({"rail": "online"}, "rail", "not one of these settings"),
        ({"beneficiary_bank": "999"}, "beneficiary_bank", "not in the bank list"),
        ({"beneficiary_bank": "137"}, "beneficiary_bank", "has no bic"),
    ],
)
def test_order_that_the_message_cannot_carry_is_refused_with_order_and_field(
    changes: dict, field: str, reason: str
) -> None:
    """The message names the order, the field, the value and the rule; nothing is written."""
    with pytest.raises(UnwritablePaymentError) as refused:
        write([order(1), order(2, **changes)])

    assert (field, changes.get("reference", "SP2D26-000002")) == (
        refused.value.field,
        refused.value.reference,
    )
    assert reason in refused.value.reason


@pytest.mark.parametrize(
    ("batch", "changes", "field"),
    [
        ([], {}, "orders"),
        ([order()], {"message_id": "x" * 36}, "message_id"),
        ([order()], {"message_id": "é"}, "message_id"),
        ([order()], {"payment_id": "a//b"}, "payment_id"),
        ([order(1), order(2, rail="rtgs")], {"payment_id": "x" * 34}, "payment_id"),
        ([order()], {"created_at": datetime(2026, 3, 5)}, "created_at"),  # noqa: DTZ001
        ([order(1, amount=Money(10**18))], {}, "CtrlSum"),
        ([order(n, amount=Money(10**18 - 1)) for n in (1, 2)], {}, "CtrlSum"),
    ],
)
def test_message_that_cannot_be_is_refused_with_its_field(
    batch: list[PaymentOrder], changes: dict, field: str
) -> None:
    """No orders, ids that don't fit, a time without zone, a sum of more than 18 digits."""
    with pytest.raises(UnwritablePaymentError) as refused:
        write(batch, **changes)

    assert field == refused.value.field


def test_message_of_orders_that_are_no_debit_is_refused_as_the_grouping_does() -> None:
    """Repeated references, orders without SP2D and lists over two days never reach the writer."""
    with pytest.raises(RepeatedOrderError):
        write([order(), order()])
    with pytest.raises(UngroupedOrderError):
        write([order()], text_of(unit="sp2d"), sp2d_of={})
    with pytest.raises(MixedDebitUnitError):
        write([order(1), order(2, transfer_on=date(2026, 3, 6))], text_of(unit="list"))


@pytest.mark.parametrize(
    ("old", "new", "field", "rule"),
    [
        ('version = "09"', 'version = "04"', "version", "not one of 03, 09"),
        ('unit = "payment"', "", "unit", "is missing"),
        ('unit = "payment"', "unit = 5", "unit", "must be text"),
        ('unit = "payment"', 'units = "payment"', "units", "is not a key"),
        ('initiating_party = "BPKAD Provinsi Banten"', "", "initiating_party", "is missing"),
        ('"PEMPROV36"', '"/X"', "initiating_id", "slash"),
        ('"DEBT"', '"OUR"', "charge_bearer", "not one of DEBT"),
        ('"unicode"', '"latin"', "text", "not one of swift"),
        ('"unicode"', '"swift"', "initiating_party", ""),
        ('agents = "bic"', 'agents = "iban"', "agents", "not one of bic"),
        ('bic = "PDJTIDJ1"', "", "debtor.bic", "and so is member_id"),
        ('bic = "PDJTIDJ1"', 'bic = "pdjtidj1"', "debtor.bic", "not a BIC"),
        ('bic = "PDJTIDJ1"', 'iban = "X"', "debtor.iban", "is not a key"),
        ('"0010012345678"', '"é"', "debtor.account", "'é'"),
        ("[rails.skn]", "[rails.llg]", "rails.llg", "is not a key"),
        ('{ code = "NURG" }', '{ code = "URGENT" }', "rails.skn.service_level.code", "4 fit"),
        ('{ code = "NURG" }', "{}", "rails.skn.service_level", "code or proprietary"),
        ('{ code = "NURG" }', '"NURG"', "rails.skn.service_level", "must be a table"),
        (
            '{ code = "NURG" }',
            '{ code = "NURG", proprietary = "X" }',
            "rails.skn.service_level",
            "not both",
        ),
    ],
)
def test_settings_that_break_a_rule_are_refused_with_field_and_rule(
    old: str, new: str, field: str, rule: str
) -> None:
    """What no message could be written with is refused before there is one."""
    text = SETTINGS.replace(old, new)
    if (old, new) == ('"unicode"', '"swift"'):
        text = text.replace("BPKAD Provinsi", "BPKAD & Provinsi")
    assert old in SETTINGS

    with pytest.raises(InvalidPaymentSettingsError) as refused:
        parse_pain001_settings(text)

    assert field == refused.value.field
    assert rule in refused.value.rule


def test_settings_without_a_rail_are_refused() -> None:
    """A bank that takes no rail by file takes no file."""
    with pytest.raises(InvalidPaymentSettingsError, match="rails"):
        parse_pain001_settings(SETTINGS[: SETTINGS.index("[rails.intrabank]")])


def test_message_of_another_zone_keeps_it() -> None:
    """The time of creation is written with its own offset."""
    data = write([order()], created_at=datetime(2026, 3, 5, 2, 30, tzinfo=UTC))[0]

    assert b"<CreDtTm>2026-03-05T02:30:00+00:00</CreDtTm>" in data
