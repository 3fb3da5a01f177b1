"""A layout as TOML text, whole or with keys that a person has yet to decide."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, field

__all__ = ["Draft", "profile_toml"]


@dataclass(slots=True)
class Draft:
    """The keys of a layout as far as they are known; `open` has the question for each other one."""

    name: str
    bank: str = ""
    delimiter: str = ","
    currency: str = "IDR"
    formats: list[str] = field(default_factory=list)
    period_formats: list[str] = field(default_factory=list)
    format_choices: list[list[str]] = field(default_factory=list)
    decimal: str = ""
    grouping: str = ""
    columns: dict[str, list[str]] = field(default_factory=dict)
    rule: str = ""
    debit: list[str] = field(default_factory=list)
    credit: list[str] = field(default_factory=list)
    labels: dict[str, list[str]] = field(default_factory=dict)
    expects: list[str] = field(default_factory=list)
    open: dict[str, str] = field(default_factory=dict)


def profile_toml(draft: Draft) -> str:
    """The text of a profile; an open key is a comment with its choices."""
    lines = [
        f"name = {_text(draft.name)}",
        f"title = {_text(f'{draft.name}, account statement')}",
        'evidence = "proposed from a sample of the bank"',
        *([f"bank = {_text(draft.bank)}"] if draft.bank else []),
        f"delimiter = {_text(draft.delimiter)}",
        f"currency = {_text(draft.currency)}",
        'row_order = "by_balance"',
        *([f"expects = {_texts(draft.expects)}"] if draft.expects else []),
        "",
        "[numbers]",
    ]
    if "decimal" in draft.open:
        lines += [
            *_question(draft.open["decimal"]),
            '# decimal = ","    1.234 is 1234, and 1.234,56 may come',
            '# grouping = "."',
            '# decimal = "."    1,234 is 1234, and 1,234.56 may come',
            '# grouping = ","',
        ]
    else:
        lines += [f"decimal = {_text(draft.decimal)}", f"grouping = {_text(draft.grouping)}"]
    lines += ["", "[dates]"]
    if "formats" in draft.open:
        lines += _question(draft.open["formats"])
        choices = draft.format_choices or [["%d/%m/%Y"], ["%m/%d/%Y"], ["%d-%b-%Y"]]
        lines += [f"# formats = {_texts(choice)}" for choice in choices]
    elif draft.formats:
        lines.append(f"formats = {_texts(draft.formats)}")
    if draft.period_formats:
        lines.append(f"period_formats = {_texts(draft.period_formats)}")
    lines += ["", "[columns]"]
    lines += [f"{name} = {_texts(names)}" for name, names in draft.columns.items()]
    for name in ("booked_on", "narrative", "value_on", "flag"):
        if name in draft.open and name not in draft.columns:
            lines += [*_question(draft.open[name]), f'# {name} = ["..."]']
    for name in ("debit", "credit", "amount", "balance", "balance_before", "account", "currency"):
        if name in draft.open and name not in draft.columns:
            lines += [*_question(draft.open[name]), f'# {name} = ["..."]']
    lines += ["", "[sign]"]
    if draft.rule:
        lines.append(f"rule = {_text(draft.rule)}")
    else:
        lines += _question(draft.open.get("rule", "which column says it?"))
        lines.append('# rule = "two_columns", "flag", "suffix" or "signed"')
    if draft.debit:
        lines += [f"debit = {_texts(draft.debit)}", f"credit = {_texts(draft.credit)}"]
    if draft.labels:
        lines += ["", "[labels]"]
        lines += [f"{label} = {_texts(words)}" for label, words in draft.labels.items()]
    return "\n".join(lines) + "\n"


def _question(text: str) -> list[str]:
    return textwrap.wrap(
        " ".join(text.split()), 80, initial_indent="# DECIDE: ", subsequent_indent="#         "
    )


def _text(text: str) -> str:
    """A basic string; what JSON escapes, TOML escapes the same way."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _texts(texts: list[str]) -> str:
    return f"[{', '.join(map(_text, texts))}]"
