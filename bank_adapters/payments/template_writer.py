"""
A payment file by a template: header, an order a line, footer; counts and totals from the rows.

Pure, and the same bytes for the same values. A value that its column can't carry whole is refused
with the order, the field and the rule; nothing is cut, rounded or dropped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from bank_adapters.payments.banks import Bank
from bank_adapters.payments.debit_units import FileUnit, debit_units
from bank_adapters.payments.errors import (
    MixedDebitUnitError,
    UnwritablePaymentError,
)
from bank_adapters.payments.order import PaymentOrder
from bank_adapters.payments.template import FORMULA_SIGNS, NAME_PART, Template
from bank_adapters.payments.template_columns import Column
from bank_adapters.payments.texts import identifier, outgoing_text
from ledger.money import ZERO, Money

__all__ = ["FileFacts", "WrittenFile", "write_by_template"]

_LONG: Final = 10_000
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")

Value = str | int | date | Money


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a file says beside its orders. settings: exactly those that the template names."""

    message_id: str
    created_on: date
    sequence: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file as it is handed to the bank, and what it says in all."""

    name: str
    data: bytes
    count: int
    total: Money


def write_by_template(
    template: Template,
    orders: Sequence[PaymentOrder],
    banks: Mapping[str, Bank],
    facts: FileFacts,
) -> WrittenFile:
    """One file of all *orders*, in their order.

    Raises UnwritablePaymentError, RepeatedOrderError, and MixedDebitUnitError where the file is one
    debit, or its header has the account or day, and the orders have several.
    """
    if not orders:
        raise UnwritablePaymentError("orders", "", "are none; a file has at least one")
    if template.orders_max is not None and len(orders) > template.orders_max:
        raise UnwritablePaymentError(
            "orders", str(len(orders)), f"are more than the {template.orders_max} of one file"
        )
    if set(facts.settings) != set(template.settings):
        raise UnwritablePaymentError(
            "settings",
            ", ".join(facts.settings),
            f"must be {', '.join(template.settings) or 'none'}",
        )
    # A file of unit `sp2d` or `list` is one debit: one account, one day.
    unit: FileUnit = "payment" if template.unit == "payment" else "list"
    debit_units(orders, unit, list_reference=facts.message_id)
    for order in orders:
        _check_amount(template, order)
    file = _File(template, orders, banks, facts)
    data = file.data()
    return WrittenFile(file.name(), data, len(orders), file.total)


def _check_amount(template: Template, order: PaymentOrder) -> None:
    reason = ""
    if order.amount.sen <= 0:
        reason = "is not above zero"
    elif template.decimals == 0 and order.amount.sen % 100:
        reason = "has sen, and this file has whole rupiah"
    if reason:
        raise UnwritablePaymentError("amount", str(order.amount), reason, reference=order.reference)


@dataclass(slots=True)
class _File:
    template: Template
    orders: Sequence[PaymentOrder]
    banks: Mapping[str, Bank]
    facts: FileFacts
    total: Money = ZERO

    def __post_init__(self) -> None:
        self.total = Money.total(order.amount for order in self.orders)

    def data(self) -> bytes:
        template = self.template
        lines = []
        if template.header:
            lines.append(self._line(template.header, None, 0))
        if template.titles:
            lines.append(self._joined([each.title for each in template.detail]))
        for row, order in enumerate(self.orders, 1):
            lines.append(self._line(template.detail, order, row))
        if template.footer:
            lines.append(self._line(template.footer, None, 0))
        text = template.line_end.join(lines) + (
            template.line_end if template.final_line_end else ""
        )
        return text.encode(template.encoding)

    def name(self) -> str:
        def part(matched: re.Match[str]) -> str:
            value, style = self._of_file(matched[1]), matched[2]
            if isinstance(value, date):
                return value.strftime(style)
            return f"{value:{style or ''}}"

        name = NAME_PART.sub(part, self.template.file_name)
        if not _FILE_NAME.fullmatch(name):
            raise UnwritablePaymentError(
                "file_name", name, "is not 1 to 100 of A-Z a-z 0-9 . _ - without a point first"
            )
        return name

    # --- values ----------------------------------------------------------------------------------

    def _of_file(self, name: str) -> Value:
        facts = self.facts
        if name.startswith("setting."):
            return facts.settings[name.removeprefix("setting.")]
        if name in {"transfer_on", "source_account"}:
            return self._common(name)
        values: dict[str, Value] = {
            "count": len(self.orders),
            "total": self.total,
            "sequence": facts.sequence,
            "message_id": facts.message_id,
            "created_on": facts.created_on,
        }
        return values[name]

    def _common(self, name: str) -> Value:
        """What all orders share. Raises MixedDebitUnitError."""
        found: list[Value] = sorted({getattr(order, name) for order in self.orders})
        if len(found) > 1:
            raise MixedDebitUnitError(self.facts.message_id, name, [str(each) for each in found])
        return found[0]

    def _of_order(self, name: str, order: PaymentOrder, row: int) -> Value:
        bank = self.banks.get(order.beneficiary_bank)
        values: dict[str, Value] = {
            "row": row,
            "reference": order.reference,
            "amount": order.amount,
            "source_account": order.source_account,
            "transfer_on": order.transfer_on,
            "beneficiary_bank": order.beneficiary_bank,
            "beneficiary_bank_name": bank.name if bank else "",
            "beneficiary_bic": bank.bic if bank else "",
            "beneficiary_clearing_code": bank.clearing_code if bank else "",
            "beneficiary_account": order.beneficiary_account,
            "beneficiary_name": order.beneficiary_name,
            "remark": order.remark,
            "reference_remark": f"{order.reference} {order.remark}".rstrip(),
            "rail": order.rail,
        }
        found = values.get(name)
        return self._of_file(name) if found is None else found

    # --- cells -----------------------------------------------------------------------------------

    def _line(self, columns: Sequence[Column], order: PaymentOrder | None, row: int) -> str:
        reference = order.reference if order else ""
        cells = []
        for column in columns:
            if not column.field:
                cell = column.text
            else:
                value = (
                    self._of_file(column.field)
                    if order is None
                    else self._of_order(column.field, order, row)
                )
                cell = self._cell(column, value, reference)
            if column.width:
                space = column.width - len(cell)
                padding = column.pad * space
                cell = padding + cell if column.align == "right" else cell + padding
            cells.append(cell)
        return self._joined(cells, reference, columns)

    def _cell(self, column: Column, value: Value, reference: str) -> str:
        """The value as text: mapped, checked, and escaped where a sheet would run it."""

        def refuse(reason: str) -> UnwritablePaymentError:
            return UnwritablePaymentError(column.field, str(value), reason, reference=reference)

        template = self.template
        text = self._text(column, value, reference)
        if text and column.kind in {"text", "id"} and column.values is None:
            if column.kind == "id":
                identifier(column.field, text, _LONG, reference=reference)
            else:
                text = outgoing_text(column.field, text, template.text, _LONG, reference=reference)
        if not text and not column.optional:
            raise refuse("is empty, and the column is not optional")
        if template.formulas != "allow" and text.startswith(FORMULA_SIGNS):
            if template.formulas == "refuse" or column.kind == "id":
                raise refuse("begins as a formula does")
            text = "'" + text
        elif template.formulas == "apostrophe" and text.startswith("'"):
            # Else a text with an apostrophe of its own would read as an escaped one.
            text = "'" + text
        size_max = column.width or column.size_max
        if size_max is not None and len(text) > size_max:
            raise refuse(f"has {len(text)} characters as written; {size_max} fit")
        try:
            text.encode(template.encoding)
        except UnicodeEncodeError as error:
            odd = text[error.start]
            raise refuse(f"has {odd!r}, which {template.encoding} does not carry") from None
        return text

    def _text(self, column: Column, value: Value, reference: str) -> str:
        if isinstance(value, Money):
            return self._amount(value)
        if isinstance(value, date):
            return value.strftime(column.date_format)
        text = str(value)
        if column.values is not None:
            if text not in column.values:
                raise UnwritablePaymentError(
                    column.field,
                    text,
                    "is not one that this file has a code for",
                    reference=reference,
                )
            return column.values[text]
        return text

    def _amount(self, amount: Money) -> str:
        template = self.template
        rupiah, sen = divmod(amount.sen, 100)
        whole = f"{rupiah:,}".replace(",", template.grouping)
        return whole if template.decimals == 0 else f"{whole}{template.decimal_sign}{sen:02d}"

    def _joined(
        self, cells: Sequence[str], reference: str = "", columns: Sequence[Column] = ()
    ) -> str:
        template = self.template
        if template.kind == "fixed":
            return "".join(cells)
        written = []
        for n, cell in enumerate(cells):
            needs = template.delimiter in cell or '"' in cell
            if needs and template.quote == "never":
                name = columns[n].field if columns else "title"
                raise UnwritablePaymentError(
                    name,
                    cell,
                    "has the delimiter or a quote, and nothing is quoted",
                    reference=reference,
                )
            if needs or template.quote == "all":
                cell = '"' + cell.replace('"', '""') + '"'  # noqa: PLW2901
            written.append(cell)
        return template.delimiter.join(written)
