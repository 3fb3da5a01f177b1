"""
pain.001.001.03 and .09: a credit transfer initiation from orders, in the order of the schema.

Pure, and the same bytes for the same values. Numbers of transactions and control sums are counted
from the rows that are written. What a field can't carry is refused with field and value; text is
written by the setting's rule (`texts`), references and account numbers never otherwise than they are.

A payment block (`PmtInf`) is what the bank debits together: with unit `sp2d` or `list` one block a
debit, booked as a batch, whose PmtInfId is the debit's reference, as it comes back in the statement;
with `payment` one block for each day and rail, each transfer booked by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from xml.sax.saxutils import escape

from bank_adapters.payments.banks import Bank
from bank_adapters.payments.debit_units import debit_units
from bank_adapters.payments.errors import UnwritablePaymentError
from bank_adapters.payments.order import PaymentOrder
from bank_adapters.payments.pain001_settings import Code, Pain001Settings, RailCodes
from bank_adapters.payments.texts import NOT_PROVIDED, identifier, outgoing_text
from ledger.money import Money

__all__ = ["SentBlock", "SentMessage", "sent_message", "write_pain001"]

#: totalDigits 18 of ActiveOrHistoricCurrencyAndAmount and of DecimalNumber, decimals counted.
_SEN_MAX: Final = 10**18 - 1
_ID_MAX: Final = 35
_ACCOUNT_MAX: Final = 34
_NAME_MAX: Final = 140
_USTRD_MAX: Final = 140


@dataclass(frozen=True, slots=True)
class SentBlock:
    """One PmtInf as sent: its id, and the amount of each order by reference."""

    payment_id: str
    amounts: Mapping[str, Money]


@dataclass(frozen=True, slots=True)
class SentMessage:
    """What was sent under one MsgId; a pain.002 is read against it."""

    message_id: str
    blocks: tuple[SentBlock, ...]

    @property
    def amounts(self) -> dict[str, Money]:
        """The amount of every order of the message, by reference."""
        return {key: value for block in self.blocks for key, value in block.amounts.items()}


@dataclass(frozen=True, slots=True)
class _Block:
    payment_id: str
    is_batch: bool
    orders: tuple[PaymentOrder, ...]


def write_pain001(
    orders: Sequence[PaymentOrder],
    settings: Pain001Settings,
    banks: Mapping[str, Bank],
    *,
    message_id: str,
    payment_id: str,
    created_at: datetime,
    sp2d_of: Mapping[str, str] | None = None,
) -> tuple[bytes, SentMessage]:
    """The file in UTF-8, and what it says, for reading the bank's answer against.

    payment_id: PmtInfId where the unit is `list`; where it is `payment` and there are several blocks,
    it is followed by their number. sp2d_of: order reference to SP2D reference, for unit `sp2d`.
    created_at: aware. Raises UnwritablePaymentError, RepeatedOrderError, UngroupedOrderError,
    MixedDebitUnitError.
    """
    if created_at.tzinfo is None:
        raise UnwritablePaymentError("created_at", created_at.isoformat(), "has no zone")
    if not orders:
        raise UnwritablePaymentError("orders", "", "are none; a message has at least one")
    identifier("message_id", message_id, _ID_MAX)
    blocks = _blocks(orders, settings, payment_id, sp2d_of or {})
    writer = _Writer(settings, banks)
    written = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.{settings.version}">'
        "<CstmrCdtTrfInitn>",
        f"<GrpHdr><MsgId>{message_id}</MsgId>"
        f"<CreDtTm>{created_at.isoformat(timespec='seconds')}</CreDtTm>"
        f"{_sums(orders)}<InitgPty>{writer.initiating_party()}</InitgPty></GrpHdr>",
    ]
    for block in blocks:
        written += writer.block(block)
    written.append("</CstmrCdtTrfInitn></Document>\n")
    return "\n".join(written).encode(), _sent(message_id, blocks)


def sent_message(
    orders: Sequence[PaymentOrder],
    settings: Pain001Settings,
    *,
    message_id: str,
    payment_id: str,
    sp2d_of: Mapping[str, str] | None = None,
) -> SentMessage:
    """What `write_pain001` says of these orders; names and account numbers play no part in it."""
    return _sent(message_id, _blocks(orders, settings, payment_id, sp2d_of or {}))


def _sent(message_id: str, blocks: Sequence[_Block]) -> SentMessage:
    return SentMessage(
        message_id,
        tuple(
            SentBlock(block.payment_id, {order.reference: order.amount for order in block.orders})
            for block in blocks
        ),
    )


def _blocks(
    orders: Sequence[PaymentOrder],
    settings: Pain001Settings,
    payment_id: str,
    sp2d_of: Mapping[str, str],
) -> list[_Block]:
    units = debit_units(orders, settings.unit, list_reference=payment_id, sp2d_of=sp2d_of)
    if settings.unit != "payment":
        blocks = [_Block(unit.reference, True, unit.orders) for unit in units]
    else:
        groups: dict[tuple[str, ...], list[PaymentOrder]] = {}
        for order in orders:
            groups.setdefault((order.transfer_on.isoformat(), order.rail), []).append(order)
        names = (
            [payment_id]
            if len(groups) == 1
            else [f"{payment_id}-{n}" for n in range(1, len(groups) + 1)]
        )
        blocks = [
            _Block(name, False, tuple(group))
            for name, group in zip(names, groups.values(), strict=True)
        ]
    for block in blocks:
        identifier("payment_id", block.payment_id, _ID_MAX)
    return blocks


def _sums(orders: Sequence[PaymentOrder]) -> str:
    total = Money.total(order.amount for order in orders)
    if total.sen > _SEN_MAX:
        raise UnwritablePaymentError("CtrlSum", str(total), "has more than 18 digits")
    return f"<NbOfTxs>{len(orders)}</NbOfTxs><CtrlSum>{total}</CtrlSum>"


def _code(name: str, code: Code | None) -> str:
    if code is None:
        return ""
    tag = "Prtry" if code.is_proprietary else "Cd"
    return f"<{name}><{tag}>{code.text}</{tag}></{name}>"


def _payment_type(codes: RailCodes) -> str:
    inside = (
        _code("SvcLvl", codes.service_level)
        + _code("LclInstrm", codes.local_instrument)
        + _code("CtgyPurp", codes.category_purpose)
    )
    return f"<PmtTpInf>{inside}</PmtTpInf>" if inside else ""


@dataclass(frozen=True, slots=True)
class _Writer:
    settings: Pain001Settings
    banks: Mapping[str, Bank]

    def initiating_party(self) -> str:
        settings = self.settings
        number = ""
        if settings.initiating_id:
            number = f"<Id><OrgId><Othr><Id>{settings.initiating_id}</Id></Othr></OrgId></Id>"
        return f"<Nm>{escape(settings.initiating_party)}</Nm>{number}"

    def block(self, block: _Block) -> list[str]:
        settings = self.settings
        day = block.orders[0].transfer_on.isoformat()
        execution = day if settings.version == "03" else f"<Dt>{day}</Dt>"
        # PmtTpInf stands at the block where all its transfers share it, else at each of them; the
        # schema leaves the choice and banks take both.
        rails = {order.rail for order in block.orders}
        shared = len(rails) == 1
        codes = _payment_type(self._codes(block.orders[0])) if shared else ""
        return [
            f"<PmtInf><PmtInfId>{block.payment_id}</PmtInfId><PmtMtd>TRF</PmtMtd>"
            f"<BtchBookg>{'true' if block.is_batch else 'false'}</BtchBookg>"
            f"{_sums(block.orders)}{codes}<ReqdExctnDt>{execution}</ReqdExctnDt>"
            f"<Dbtr><Nm>{escape(settings.debtor_name)}</Nm></Dbtr>"
            f"<DbtrAcct><Id><Othr><Id>{settings.debtor_account}</Id></Othr></Id><Ccy>IDR</Ccy>"
            f"</DbtrAcct><DbtrAgt>"
            f"{self._agent(settings.debtor_bic, settings.debtor_member_id)}</DbtrAgt>"
            f"<ChrgBr>{settings.charge_bearer}</ChrgBr>",
            *(self._transfer(order, has_codes=not shared) for order in block.orders),
            "</PmtInf>",
        ]

    def _transfer(self, order: PaymentOrder, *, has_codes: bool) -> str:
        settings, reference = self.settings, order.reference
        end_to_end = identifier("reference", reference, _ID_MAX, reference=reference)
        if reference in NOT_PROVIDED:
            raise UnwritablePaymentError(
                "reference", reference, "means that there is none", reference=reference
            )
        if not 0 < order.amount.sen <= _SEN_MAX:
            raise UnwritablePaymentError(
                "amount",
                str(order.amount),
                "is not above zero and of 18 digits",
                reference=reference,
            )
        if order.source_account != settings.debtor_account:
            raise UnwritablePaymentError(
                "source_account",
                order.source_account,
                f"is not the account of these settings, {settings.debtor_account}",
                reference=reference,
            )
        codes = self._codes(order)
        name = outgoing_text(
            "beneficiary_name",
            order.beneficiary_name,
            settings.text,
            _NAME_MAX,
            reference=reference,
        )
        account = identifier(
            "beneficiary_account", order.beneficiary_account, _ACCOUNT_MAX, reference=reference
        )
        remark = ""
        if order.remark:
            text = outgoing_text(
                "remark", order.remark, settings.text, _USTRD_MAX, reference=reference
            )
            remark = f"<RmtInf><Ustrd>{escape(text)}</Ustrd></RmtInf>"
        return (
            f"<CdtTrfTxInf><PmtId><InstrId>{end_to_end}</InstrId>"
            f"<EndToEndId>{end_to_end}</EndToEndId></PmtId>"
            f"{_payment_type(codes) if has_codes else ''}"
            f'<Amt><InstdAmt Ccy="IDR">{order.amount}</InstdAmt></Amt>'
            f"<CdtrAgt>{self._creditor_agent(order)}</CdtrAgt>"
            f"<Cdtr><Nm>{escape(name)}</Nm></Cdtr>"
            f"<CdtrAcct><Id><Othr><Id>{account}</Id></Othr></Id></CdtrAcct>{remark}</CdtTrfTxInf>"
        )

    def _codes(self, order: PaymentOrder) -> RailCodes:
        codes = self.settings.rails.get(order.rail)
        if codes is None:
            raise UnwritablePaymentError(
                "rail", order.rail, "is not one of these settings", reference=order.reference
            )
        return codes

    def _creditor_agent(self, order: PaymentOrder) -> str:
        code, by = order.beneficiary_bank, self.settings.agents
        bank = self.banks.get(code)
        if bank is None:
            raise UnwritablePaymentError(
                "beneficiary_bank", code, "is not in the bank list", reference=order.reference
            )
        found = {"bic": bank.bic, "bank_code": bank.code, "clearing_code": bank.clearing_code}[by]
        if not found:
            raise UnwritablePaymentError(
                "beneficiary_bank", code, f"has no {by} in the bank list", reference=order.reference
            )
        return self._agent(found, "") if by == "bic" else self._agent("", found)

    def _agent(self, bic: str, member_id: str) -> str:
        # BIC was renamed BICFI in the versions from .04 on.
        tag = "BIC" if self.settings.version == "03" else "BICFI"
        name = f"<{tag}>{bic}</{tag}>" if bic else ""
        member = ""
        if member_id:
            system = _code("ClrSysId", self.settings.clearing_system)
            member = f"<ClrSysMmbId>{system}<MmbId>{member_id}</MmbId></ClrSysMmbId>"
        return f"<FinInstnId>{name}{member}</FinInstnId>"
