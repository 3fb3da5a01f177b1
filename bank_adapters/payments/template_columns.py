"""
The columns of a payment file's template: which fields there are, and the rules of one column.

Pure. `template` describes the whole language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

from bank_adapters.payments.toml_table import Table

__all__ = [
    "DATE_FORMAT",
    "FILE_FIELDS",
    "ORDER_FIELDS",
    "Column",
    "FieldKind",
    "Kind",
    "TemplateColumns",
    "date_format",
]

Kind = Literal["delimited", "fixed"]
Align = Literal["left", "right"]
#: text may be rewritten by the text rule; an id never is.
FieldKind = Literal["text", "id", "number", "amount", "date"]

FILE_FIELDS: Final[dict[str, FieldKind]] = {
    "count": "number",
    "total": "amount",
    "sequence": "number",
    "message_id": "id",
    "created_on": "date",
    "transfer_on": "date",
    "source_account": "id",
}
ORDER_FIELDS: Final[dict[str, FieldKind]] = {
    **FILE_FIELDS,
    "row": "number",
    "reference": "id",
    "amount": "amount",
    "beneficiary_bank": "id",
    "beneficiary_bank_name": "text",
    "beneficiary_bic": "id",
    "beneficiary_clearing_code": "id",
    "beneficiary_account": "id",
    "beneficiary_name": "text",
    "remark": "text",
    "reference_remark": "text",
    "rail": "id",
}
#: What strftime may be given: day, month and year in digits, and signs between them.
DATE_FORMAT: Final = re.compile(r"(?:%[Yymdj]|[-/. ])+")
_SIZE_MAX: Final = 1000
_COLUMN_KEYS: Final = frozenset(
    {"field", "text", "title", "max", "width", "align", "pad", "optional", "values", "format"}
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `field` is "" for the constant `text`; `width` is 0 where the file is delimited."""

    field: str
    kind: FieldKind
    text: str
    title: str
    size_max: int | None
    width: int
    align: Align
    pad: str
    optional: bool
    values: Mapping[str, str] | None
    date_format: str


def date_format(table: Table, default: str) -> str:
    """The `format` of a table, or the default."""
    found = table.text("format", default)
    day_known = "%j" in found or ("%d" in found and "%m" in found)
    year_known = "%Y" in found or "%y" in found
    if not DATE_FORMAT.fullmatch(found) or not day_known or not year_known:
        raise table.refuse("format", f"{found!r} must have year, month and day, and - / . or space")
    return found


@dataclass(frozen=True, slots=True)
class TemplateColumns:
    """Reads columns of a template: its kind, its settings' names, its format of dates."""

    kind: Kind
    settings: tuple[str, ...]
    date_format: str

    def read(self, top: Table, key: str, fields: Mapping[str, FieldKind]) -> tuple[Column, ...]:
        """The columns under *key*, each with one of *fields* or a constant."""
        return tuple(self._column(each, fields) for each in top.tables(key))

    def _column(self, table: Table, fields: Mapping[str, FieldKind]) -> Column:
        table.only(_COLUMN_KEYS)
        if table.has("field") == table.has("text"):
            raise table.refuse("field", "must be there, or else text; never both")
        field = ""
        kind: FieldKind = "text"
        if table.has("field"):
            field = table.text("field")
            known: dict[str, FieldKind] = {
                **fields,
                **dict.fromkeys((f"setting.{each}" for each in self.settings), "text"),
            }
            if field not in known:
                raise table.refuse("field", f"{field!r} is not one of {', '.join(known)}")
            kind = known[field]
        if table.has("format") and kind != "date":
            raise table.refuse("format", f"is for dates; {field or 'a constant'} is none")
        if table.has("values") and kind in {"number", "amount", "date"}:
            raise table.refuse("values", f"is for texts; {field} is a {kind}")
        if table.has("optional") and kind in {"number", "amount", "date"}:
            raise table.refuse("optional", f"is for texts; {field} is always there")
        column = Column(
            field=field,
            kind=kind,
            text=table.text("text", ""),
            title=table.text("title", ""),
            size_max=table.whole("max", 1, _SIZE_MAX),
            width=table.whole("width", 1, _SIZE_MAX) or 0,
            align=cast("Align", table.one_of("align", get_args(Align), "left")),
            pad=table.text("pad", " "),
            optional=table.truth("optional", default=not field),
            values=table.map_of_texts("values") if table.has("values") else None,
            date_format=date_format(table, self.date_format),
        )
        self._check(table, column)
        return column

    def _check(self, table: Table, column: Column) -> None:
        is_fixed = self.kind == "fixed"
        digits = column.kind in {"number", "amount"} or column.field.endswith("account")
        for key, broken, rule in (
            ("width", is_fixed and not column.width, "is missing"),
            ("width", not is_fixed and column.width > 0, "is not a key of delimited files"),
            ("max", is_fixed and column.size_max is not None, "is not a key of fixed files"),
            ("pad", column.pad not in {" ", "0"}, "must be a space or 0"),
            (
                "pad",
                column.pad == "0" and (not digits or column.align != "right"),
                "0 is for numbers, amounts and accounts, aligned right",
            ),
            (
                "pad",
                not is_fixed and (table.has("pad") or table.has("align")),
                "and align are not keys of delimited files",
            ),
            ("text", is_fixed and len(column.text) > column.width, "is wider than its column"),
            (
                "text",
                column.size_max is not None and len(column.text) > column.size_max,
                "is longer than its max",
            ),
        ):
            if broken:
                raise table.refuse(key, rule)
