"""
Layouts of banks' payment files as data: one TOML file a layout, so a new bank needs no code.

Keys (* must be there), checked whole when the file is read:

    name*, title*, evidence*    evidence says where the layout was seen
    unit*           payment | sp2d | list: what the bank debits in one line (`debit_units`)
    kind*           delimited | fixed
    bank            bank code, where the layout is one bank's
    encoding        ascii (default) | utf-8 | utf-8-sig | cp1252 | latin-1; fixed: one byte a character
    delimiter       one sign (delimited only; default ",")
    quote           minimal (default) | all | never; with never, text that needs quotes is refused
    line_end        crlf (default) | lf;   final_line_end: true (default) | false
    titles          true: first a line of the detail columns' titles
    text            swift (default) | swift_transliterated | unicode (see `texts`)
    formulas        refuse (default) | apostrophe | allow: text that a spreadsheet would run;
                    references and account numbers are refused even with apostrophe; allow is for
                    fixed files only
    file_name*      such as "PAY{created_on:%Y%m%d}-{sequence:03}.csv"
    settings        names of values that the operator gives (`setting.NAME` in a column)
    orders_max      how many orders one file takes
    [amounts]       decimals 2 (default) | 0;  decimal_sign "." (default) | "," | "" (implied);
                    grouping "" (default) | "." | ","
    [dates]         format (default "%Y-%m-%d"; of %Y %y %m %d %j and - / . and space)
    header, footer  lists of columns with fields of the file; detail*: of an order

A column has `field` or `text` (a constant, may be empty), and

    title           its name in the line of titles
    max             characters at most (delimited);   width* (fixed), align left | right, pad
    optional        true: may be empty; otherwise an empty value is refused
    values          what each value is written as: { skn = "LBU" }; any other value is refused
    format          of a date, instead of [dates]

What does not fit is refused, never cut.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final, Literal, cast, get_args

from bank_adapters.payments.debit_units import FILE_UNITS, FileUnit
from bank_adapters.payments.errors import InvalidTemplateError, UnknownTemplateError
from bank_adapters.payments.template_columns import (
    DATE_FORMAT,
    FILE_FIELDS,
    ORDER_FIELDS,
    Column,
    FieldKind,
    Kind,
    TemplateColumns,
    date_format,
)
from bank_adapters.payments.texts import TEXT_RULES, TextRule
from bank_adapters.payments.toml_table import Table, read_toml

__all__ = [
    "FORMULA_SIGNS",
    "NAME_PART",
    "Formulas",
    "Quote",
    "Template",
    "all_templates",
    "parse_template",
    "template_named",
]

Quote = Literal["minimal", "all", "never"]
Formulas = Literal["refuse", "apostrophe", "allow"]
#: A cell that begins so is run by spreadsheets; their wide forms too. Tab and CR are no text at all.
FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # fmt: skip
#: `{field}` or `{field:format}` in a file name.
NAME_PART: Final = re.compile(r"\{([a-z_.0-9]+)(?::([^{}]*))?\}")

_ENCODINGS: Final = ("ascii", "utf-8", "utf-8-sig", "cp1252", "latin-1")
_SINGLE_BYTE: Final = frozenset({"ascii", "cp1252", "latin-1"})
_KEYS: Final = frozenset(
    {"name", "title", "evidence", "unit", "kind", "bank", "encoding", "delimiter", "quote"}
    | {"line_end", "final_line_end", "titles", "text", "formulas", "file_name", "settings"}
    | {"orders_max", "amounts", "dates", "header", "detail", "footer"}
)
_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_SETTING: Final = re.compile(r"[a-z][a-z0-9_]*")
_FILE_NAME_TEXT: Final = re.compile(r"[A-Za-z0-9._-]*")
_NUMBER: Final = re.compile(r"0[1-9]")


@dataclass(frozen=True, slots=True)
class Template:
    """One layout, consistent in itself."""

    name: str
    title: str
    evidence: str
    bank: str
    unit: FileUnit
    kind: Kind
    encoding: str
    delimiter: str
    quote: Quote
    line_end: str
    final_line_end: bool
    titles: bool
    text: TextRule
    formulas: Formulas
    file_name: str
    settings: tuple[str, ...]
    orders_max: int | None
    decimals: int
    decimal_sign: str
    grouping: str
    header: tuple[Column, ...]
    detail: tuple[Column, ...]
    footer: tuple[Column, ...]


def parse_template(text: str) -> Template:
    """A template from TOML text, checked whole. Raises InvalidTemplateError: field and rule."""
    name = "(unread)"

    def refusal(field: str, rule: str) -> InvalidTemplateError:
        return InvalidTemplateError(name, field, rule)

    top = read_toml(text, refusal)
    name = top.text("name")
    top.only(_KEYS)
    kind = cast("Kind", top.one_of("kind", get_args(Kind)))
    settings = top.texts("settings")
    amounts, dates = top.table("amounts"), top.table("dates")
    amounts.only(frozenset({"decimals", "decimal_sign", "grouping"}))
    dates.only(frozenset({"format"}))
    decimals = amounts.whole("decimals", 0, 2)
    columns = TemplateColumns(kind, settings, date_format(dates, "%Y-%m-%d"))
    template = Template(
        name=name,
        title=top.text("title"),
        evidence=top.text("evidence"),
        bank=top.text("bank", ""),
        unit=cast("FileUnit", top.one_of("unit", FILE_UNITS)),
        kind=kind,
        encoding=top.one_of("encoding", _ENCODINGS, "ascii"),
        delimiter=top.text("delimiter", ",") if kind == "delimited" else "",
        quote=cast("Quote", top.one_of("quote", get_args(Quote), "minimal")),
        line_end={"crlf": "\r\n", "lf": "\n"}[top.one_of("line_end", ("crlf", "lf"), "crlf")],
        final_line_end=top.truth("final_line_end", default=True),
        titles=top.truth("titles", default=False),
        text=cast("TextRule", top.one_of("text", TEXT_RULES, "swift")),
        formulas=cast("Formulas", top.one_of("formulas", get_args(Formulas), "refuse")),
        file_name=top.text("file_name"),
        settings=settings,
        orders_max=top.whole("orders_max", 1, 1_000_000),
        decimals=2 if decimals is None else decimals,
        decimal_sign=amounts.one_of("decimal_sign", (".", ",", ""), "."),
        grouping=amounts.one_of("grouping", (".", ",", ""), ""),
        header=columns.read(top, "header", FILE_FIELDS),
        detail=columns.read(top, "detail", ORDER_FIELDS),
        footer=columns.read(top, "footer", FILE_FIELDS),
    )
    _check(top, template)
    _check_file_name(top, template)
    return template


def _check(top: Table, template: Template) -> None:
    """The rules that bind several fields."""
    delimiter, fields = template.delimiter, [each.field for each in template.detail]
    everything = (*template.header, *template.detail, *template.footer)
    constants = [each.text for each in everything if not each.field]
    constants += [text for each in everything for text in (each.values or {}).values()]
    constants += [each.title for each in template.detail]
    is_fixed = template.kind == "fixed"
    for key, broken, rule in (
        ("name", not _NAME.fullmatch(template.name), "must be of a-z, 0-9 and - between them"),
        ("bank", not re.fullmatch("[0-9]{3}|", template.bank), "must be three digits"),
        (
            "settings",
            not all(map(_SETTING.fullmatch, template.settings))
            or len(set(template.settings)) < len(template.settings),
            "must be different names of a-z, 0-9 and _",
        ),
        ("amounts.decimals", template.decimals == 1, "must be 0 or 2"),
        (
            "amounts.grouping",
            template.decimals > 0 and template.decimal_sign == template.grouping != "",
            "is the decimal sign",
        ),
        (
            "amounts.grouping",
            template.grouping != "" and template.decimal_sign == "" and template.decimals > 0,
            "can't be read back where the decimals are implied",
        ),
        ("detail", "amount" not in fields, "must have a column for amount"),
        ("detail", "beneficiary_account" not in fields, "must have a column for the account"),
        (
            "detail",
            not {"reference", "reference_remark"} & set(fields),
            "must carry the reference, by which the statement is matched",
        ),
        ("delimiter", is_fixed and top.has("delimiter"), "is not a key of fixed files"),
        ("quote", is_fixed and top.has("quote"), "is not a key of fixed files"),
        ("titles", is_fixed and template.titles, "is not for fixed files"),
        (
            "encoding",
            is_fixed and template.encoding not in _SINGLE_BYTE,
            "has characters of several bytes, so that a width would mean two things",
        ),
        (
            "delimiter",
            not is_fixed and (not _is_sign(delimiter) or delimiter in "\"'"),
            "must be one sign of ASCII or a tab; no letter, digit, space or quote",
        ),
        (
            "delimiter",
            not is_fixed
            and template.quote == "never"
            and delimiter in {template.decimal_sign, template.grouping},
            "stands in amounts, and nothing is quoted",
        ),
        (
            "formulas",
            not is_fixed and template.formulas == "allow",
            "allow is for fixed files; people open delimited ones as sheets",
        ),
        (
            "formulas",
            template.formulas != "allow" and any(map(_is_formula, constants)),
            "a constant begins as a formula does",
        ),
        ("text", not all(map(str.isprintable, constants)), "a constant has control characters"),
        (
            "quote",
            template.quote == "never"
            and any(delimiter in each or '"' in each for each in constants),
            "never, and a constant has the delimiter or a quote",
        ),
    ):
        if broken:
            raise top.refuse(key, rule)
    for text in constants:
        try:
            text.encode(template.encoding)
        except UnicodeEncodeError:
            raise top.refuse("encoding", f"can't write the constant {text!r}") from None


def _is_sign(delimiter: str) -> bool:
    if delimiter == "\t":
        return True
    return len(delimiter) == 1 and "!" <= delimiter <= "~" and not delimiter.isalnum()


def _is_formula(text: str) -> bool:
    return text.startswith(FORMULA_SIGNS)


def _check_file_name(top: Table, template: Template) -> None:
    pattern = template.file_name
    known: dict[str, FieldKind] = {
        **{each: kind for each, kind in FILE_FIELDS.items() if kind != "amount"},
        **dict.fromkeys((f"setting.{each}" for each in template.settings), "id"),
    }
    if not _FILE_NAME_TEXT.fullmatch(NAME_PART.sub("", pattern)) or pattern.startswith("."):
        raise top.refuse("file_name", "has signs beside A-Z a-z 0-9 . _ - and fields in braces")
    for matched in NAME_PART.finditer(pattern):
        field, style = matched[1], matched[2]
        if field not in known:
            raise top.refuse("file_name", f"{field!r} is not one of {', '.join(known)}")
        kind = known[field]
        good = {"date": DATE_FORMAT, "number": _NUMBER}.get(kind)
        if kind == "date" and style is None:
            raise top.refuse("file_name", f"{field} needs a format such as {{{field}:%Y%m%d}}")
        if style is not None and (good is None or not good.fullmatch(style)):
            raise top.refuse("file_name", f"{style!r} is no format of {field}")


@cache
def all_templates() -> tuple[Template, ...]:
    """The templates that ship with the product, by name."""
    folder = resources.files("bank_adapters.payments").joinpath("templates")
    texts = [each.read_text("utf-8") for each in folder.iterdir() if each.name.endswith(".toml")]
    return tuple(sorted(map(parse_template, texts), key=lambda template: template.name))


def template_named(name: str) -> Template:
    """The shipped template of that name. Raises UnknownTemplateError."""
    for template in all_templates():
        if template.name == name:
            return template
    raise UnknownTemplateError(name, tuple(template.name for template in all_templates()))
