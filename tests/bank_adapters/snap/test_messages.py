"""Request bodies byte for byte, and what no message can carry."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank_adapters.payments.order import PaymentOrder
from bank_adapters.snap import messages
from bank_adapters.snap.errors import AccountNotServedError, UnsendableOrderError
from bank_adapters.snap.signatures import minify
from ledger.json_text import read_json
from ledger.money import Money
from tests.bank_adapters.snap.bank import ORDER, connect

SAID = connect().settings
HEAD = '{"partnerReferenceNo":"SP2D26000123-1","amount":{"value":"1250000000.00","currency":"IDR"},'
BODIES = [
    (
        {},
        {},
        "17",
        HEAD + '"beneficiaryAccountNo":"0019988776655","customerReference":"SP2D26000123-1",'
        '"remark":"SP2D26000123-1 SP2D 000123/LS semen","sourceAccountNo":"0010012345678",'
        '"transactionDate":"2026-03-05T00:00:00+07:00"}',
    ),
    (
        {"rail": "bifast", "beneficiary_bank": "014"},
        {"purpose_code": "99", "beneficiary_code": "bic", "bics": {"014": "CENAIDJA"}},
        "18",
        HEAD + '"beneficiaryAccountName":"CV Maju Bersama","beneficiaryAccountNo":"0019988776655",'
        '"beneficiaryBankCode":"CENAIDJA","customerReference":"SP2D26000123-1",'
        '"sourceAccountNo":"0010012345678","transactionDate":"2026-03-05T00:00:00+07:00",'
        '"additionalInfo":{"transferType":"2","purposeCode":"99"}}',
    ),
    (
        {"rail": "online", "beneficiary_bank": "014"},
        {"transfer_types": {}},
        "18",
        HEAD + '"beneficiaryAccountName":"CV Maju Bersama","beneficiaryAccountNo":"0019988776655",'
        '"beneficiaryBankCode":"014","customerReference":"SP2D26000123-1",'
        '"sourceAccountNo":"0010012345678","transactionDate":"2026-03-05T00:00:00+07:00"}',
    ),
    *(
        (
            {"rail": rail, "beneficiary_bank": "014", "remark": "Gaji \u00e9"},
            {"remark_characters": 36},
            service,
            HEAD
            + '"beneficiaryAccountName":"CV Maju Bersama","beneficiaryAccountNo":"0019988776655",'
            '"beneficiaryBankCode":"014","beneficiaryCustomerResidence":"1",'
            '"beneficiaryCustomerType":"2","customerReference":"SP2D26000123-1",'
            '"remark":"SP2D26000123-1 Gaji \u00e9","senderCustomerResidence":"1",'
            '"senderCustomerType":"3","sourceAccountNo":"0010012345678",'
            '"transactionDate":"2026-03-05T00:00:00+07:00"}',
        )
        for rail, service in (("rtgs", "22"), ("skn", "23"))
    ),
]


@pytest.mark.parametrize(("order", "settings", "service", "body"), BODIES)
def test_transfer_body_is_exactly_these_bytes(
    order: dict[str, Any], settings: dict[str, Any], service: str, body: str
) -> None:
    """What is signed is what is sent: minified UTF-8, members in one order."""
    found = messages.transfer_body(connect(**settings).settings, replace(ORDER, **order))
    assert (service, body.encode()) == found
    assert found[1] == minify(found[1])


def test_other_bodies_are_exactly_these_bytes() -> None:
    """Token, balance, statement, account and status."""
    said = connect().settings
    start, end = datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 3, 6, tzinfo=UTC)
    assert b'{"grantType":"client_credentials","additionalInfo":{}}' == messages.TOKEN_BODY
    assert b'{"accountNo":"0010012345678"}' == messages.balance_body(said, "0010012345678")
    assert (
        b'{"accountNo":"0010012345678","fromDateTime":"2026-03-05T00:00:00+00:00",'
        b'"toDateTime":"2026-03-06T00:00:00+00:00"}'
    ) == messages.statement_body(said, "0010012345678", start, end)
    assert (
        "15",
        b'{"beneficiaryAccountNo":"0019988776655","partnerReferenceNo":"CEK-1"}',
    ) == messages.account_inquiry_body(said, "137", "0019988776655", "CEK-1")
    assert (
        "16",
        b'{"beneficiaryBankCode":"014","beneficiaryAccountNo":"0019988776655"}',
    ) == messages.account_inquiry_body(said, "014", "0019988776655")


def test_status_body_names_the_external_id_only_where_the_bank_asks() -> None:
    """An order has one external id for each attempt; another attempt's would not be found."""
    head = b'{"originalPartnerReferenceNo":"SP2D26000123-1",'
    tail = (
        b'"serviceCode":"17","transactionDate":"2026-03-05T00:00:00+07:00",'
        b'"amount":{"value":"1250000000.00","currency":"IDR"}}'
    )
    plain, asks = connect().settings, connect(inquiry_external_id=True).settings
    assert head + tail == messages.status_body(plain, ORDER, sent_external_id="12")
    assert head + b'"originalExternalId":"12",' + tail == messages.status_body(
        asks, ORDER, sent_external_id="12"
    )
    assert head + b'"originalReferenceNo":"B1",' + tail == messages.status_body(
        asks, ORDER, bank_reference="B1"
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reference": "R" * 31}, "reference"),
        ({"reference": ""}, "reference"),
        ({"reference": "SP2D 26"}, "reference"),
        ({"reference": 'SP2D"26'}, "reference"),
        ({"amount": Money(0)}, "amount"),
        ({"amount": Money(-100)}, "amount"),
        ({"amount": Money(10**16)}, "amount"),
        ({"beneficiary_bank": "14"}, "beneficiary_bank"),
        ({"beneficiary_bank": "014"}, "beneficiary_bank"),
        ({"rail": "skn"}, "beneficiary_bank"),
        ({"beneficiary_account": "9" * 35}, "beneficiary_account"),
        ({"beneficiary_account": "001-998"}, "beneficiary_account"),
        ({"beneficiary_account": ""}, "beneficiary_account"),
        ({"beneficiary_name": "N" * 101}, "beneficiary_name"),
        ({"beneficiary_name": " N"}, "beneficiary_name"),
        ({"beneficiary_name": ""}, "beneficiary_name"),
        ({"beneficiary_name": "a\nb"}, "beneficiary_name"),
        ({"beneficiary_name": "a\u202eb"}, "beneficiary_name"),
        ({"remark": "r" * 51}, "remark"),
        ({"remark": "a\0b"}, "remark"),
    ],
)
def test_order_that_no_message_can_carry_is_refused_by_field(
    changes: dict[str, Any], field: str
) -> None:
    """Too long is refused by name, never cut."""
    with pytest.raises(UnsendableOrderError) as caught:
        messages.transfer_body(SAID, replace(ORDER, **changes))
    assert field == caught.value.field


def test_rail_or_bank_code_that_the_bank_lacks_is_refused() -> None:
    """What an entry doesn't offer isn't sent, and no BIC is made up."""
    no_skn = connect(rails=["intrabank", "rtgs"]).settings
    bics = connect(beneficiary_code="bic", bics={"014": "CENAIDJA"}).settings
    for said, rail, bank, field in (
        (no_skn, "skn", "014", "rail"),
        (bics, "skn", "008", "beneficiary_bank"),
    ):
        order = replace(ORDER, rail=rail, beneficiary_bank=bank)
        with pytest.raises(UnsendableOrderError) as caught:
            messages.transfer_body(said, order)
        assert field == caught.value.field


def test_greatest_amount_is_the_entry_s() -> None:
    """BCA takes 13 digits; one sen more than they hold is refused."""
    said = connect(amount_digits_max=13).settings
    fits = replace(ORDER, amount=Money(10**15 - 1))
    _, body = messages.transfer_body(said, fits)
    assert b'"9999999999999.99"' in body
    with pytest.raises(UnsendableOrderError):
        messages.transfer_body(said, replace(ORDER, amount=Money(10**15)))


def test_account_that_the_connection_does_not_serve_is_refused() -> None:
    """An order never leaves through another bank's connection."""
    said = connect().settings
    at = datetime(2026, 3, 5, tzinfo=UTC)
    for ask in (
        lambda: messages.transfer_body(said, replace(ORDER, source_account="0010012345679")),
        lambda: messages.balance_body(said, "0010012345679"),
        lambda: messages.statement_body(said, "0010012345679", at, at),
    ):
        with pytest.raises(AccountNotServedError):
            ask()


@pytest.mark.parametrize("wrong", ["", "12a", "1" * 33, "１２", "1 "])
def test_external_id_that_is_not_digits_is_refused(wrong: str) -> None:
    """1-32 digits: the header takes 36, the status inquiry 32."""
    with pytest.raises(UnsendableOrderError):
        messages.check_external_id(wrong)
    assert "1" * 32 == messages.check_external_id("1" * 32)


@given(
    st.text(st.characters(categories=("L", "N", "P", "Zs")), max_size=50),
    st.integers(12, 50),
    st.text("ABC123-./", min_size=1, max_size=30).filter(lambda t: t[0] not in "-./"),
)
def test_remark_always_begins_with_the_whole_reference(
    words: str, room: int, reference: str
) -> None:
    """The statement line is matched by the reference; only the words behind it are cut."""
    order = replace(ORDER, remark=words.strip(), reference=reference)
    found = messages.remark_of(order, room)
    assert found.startswith(reference)
    assert len(found) <= max(room, len(reference))


_NAMES = st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=100)


@given(_NAMES, st.integers(1, 10**16 - 1), st.sampled_from(["intrabank", "bifast", "skn", "rtgs"]))
def test_transfer_body_says_what_the_order_says(name: str, sen: int, rail: Any) -> None:
    """Any name and amount comes back from the bytes as it went in, and twice the same bytes."""
    bank = "137" if rail == "intrabank" else "014"
    order: PaymentOrder = replace(
        ORDER, beneficiary_name=name, amount=Money(sen), rail=rail, beneficiary_bank=bank
    )
    _, body = messages.transfer_body(SAID, order)
    read: Any = read_json(body)
    assert {"value": str(Money(sen)), "currency": "IDR"} == read["amount"]
    assert rail == "intrabank" or name == read["beneficiaryAccountName"]
    assert (body, minify(body)) == (messages.transfer_body(SAID, order)[1], body)
    assert date(2026, 3, 5).isoformat() == read["transactionDate"][:10]
