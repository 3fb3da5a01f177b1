"""Fields of an MT940 or MT942 text to pages: one header, one opening, its entries, one closing.

A page of an MT942 (interim report) has no balances; its floor limit (`:34F:`) or totals (`:90D:`,
`:90C:`) tell it, where no header block does.
"""

import re
from dataclasses import dataclass, field

from bank_adapters.errors import UnsupportedMessageError
from bank_adapters.statements.mt940_fields import END_OF_MESSAGE, HEADER_BLOCK, Fields

# Who sent it: the header of an input message names the sender in block 1, of an output message
# in block 2 (1!n3!n time, date, then the sender's logical terminal).
_SENDER_IN = re.compile(r"\{1:[A-Z][0-9]{2}([A-Z0-9]{8})[^{]*+\{2:I[0-9]{3}")
_SENDER_OUT = re.compile(r"\{2:O[0-9]{3}[0-9]{10}([A-Z0-9]{8})")
_MESSAGE_TYPE = re.compile(r"\{2:[IO]([0-9]{3})")


@dataclass(slots=True)
class Page:
    """What belongs between one header and the next, as numbers of fields, not yet read.

    Changed by `group_pages` alone, while it loops.
    """

    start: int
    account: str | None = None
    sender: str | None = None
    number: int | None = None
    opening: int | None = None
    closing: int | None = None
    entries: list[int] = field(default_factory=list)
    information: list[int] = field(default_factory=list)
    is_report: bool = False
    floors: list[int] = field(default_factory=list)
    totals: list[int] = field(default_factory=list)
    reported_at: int | None = None

    @property
    def has_body(self) -> bool:
        has_balance = self.opening is not None or self.closing is not None
        return bool(self.entries) or has_balance or bool(self.totals)


def group_pages(lines: list[str], fields: Fields) -> list[Page]:
    """Group fields; a field that the current page has already begins the next page.

    The `:86:` fields right behind an entry belong to it and are not listed; any other is
    information about the page.
    """
    pages: list[Page] = []
    page: Page | None = None
    sender: str | None = None
    is_report = False
    is_behind_entry = False

    def turn(start: int, *, keep_account: bool = False, keep_number: bool = False) -> Page:
        new = Page(start, sender=sender, is_report=is_report)
        if page is not None and keep_account:
            new.account = page.account
            new.number = page.number if keep_number else None
        pages.append(new)
        return new

    for number, tag in enumerate(fields.tags):
        if tag == "86" and is_behind_entry:
            continue
        start = fields.starts[number]
        if tag == "61":
            if page is None:
                page = turn(start)
            elif page.closing is not None:
                page = turn(start, keep_account=True, keep_number=True)
            page.entries.append(number)
            is_behind_entry = True
            continue
        if tag == "NS" and is_behind_entry:
            continue  # a bank's own field; its lines stay in the entry's raw text
        is_behind_entry = False
        if tag in {"86", "NS"}:
            if page is None:
                page = turn(start)
            page.information.append(number)
        elif tag == HEADER_BLOCK:
            if message_type := _MESSAGE_TYPE.search(lines[start]):
                is_report = _is_report(message_type[1], start)
            if found := _SENDER_IN.search(lines[start]) or _SENDER_OUT.search(lines[start]):
                sender = found[1]
            page = None
        elif tag == END_OF_MESSAGE:
            page = None
            sender = None
            is_report = False
        elif tag == "20":
            page = turn(start)
        elif tag in {"25", "25P"}:
            if page is None or page.has_body or page.account is not None:
                page = turn(start)
            page.account = fields.first_line(number, lines)
            if tag == "25P":  # the BIC stands on the second line, here in front as in 25
                bic = "".join(lines[start + 1 : fields.starts[number + 1]]).strip()
                page.account = f"{bic}/{page.account}" if bic else page.account
        elif tag in {"28", "28C"}:
            if page is None or page.has_body or page.number is not None:
                page = turn(start, keep_account=True)
            page.number = number
        elif tag in {"60F", "60M"}:
            if page is None or page.has_body:
                page = turn(start, keep_account=True, keep_number=True)
            page.opening = number
        elif tag in {"62F", "62M"}:
            if page is None or page.closing is not None:
                page = turn(start, keep_account=True, keep_number=True)
            page.closing = number
        elif tag in {"34F", "90C", "90D"}:
            if page is None or (tag == "34F" and page.has_body):
                page = turn(start, keep_account=True)
            page.is_report = True
            (page.floors if tag == "34F" else page.totals).append(number)
        elif tag in {"13", "13D"} and page is not None:
            page.reported_at = number
        # :21:, :64: and :65: say nothing about the entries.
    return pages


def _is_report(message_type: str, start: int) -> bool:
    # 950 has the fields of 940 without :86:.
    if message_type not in {"940", "942", "950"}:
        raise UnsupportedMessageError(f"MT{message_type}", position=start + 1)
    return message_type == "942"
