"""Lines of a SWIFT text to fields: which lines begin a field, and which only look like it.

Continuation lines of a `:86:` may begin with `:12:`, `:20:30 WIB` or a dash. Only the tags of
MT940/MT942 end a field, and those of the header only where a header can follow.
"""

import re
from collections.abc import Container
from typing import NamedTuple

# A lone "-" (or "-}") and a header block "{1:..." end a message; they are kept as fields.
END_OF_MESSAGE = "-"
HEADER_BLOCK = "{"

_TAG = re.compile(r":(20|21|25P?|28C?|13D?|34F|60[FM]|61|86|62[FM]|64|65|90[CD]|NS):")

# What the grammar lets follow a header tag. Inside the entries of an unfinished statement a line
# that begins with one of these tags is text, unless the tags behind it lead on to a statement.
_FOLLOWERS: dict[str, Container[str]] = {
    "20": ("21", "25", "25P", "28", "28C", "13", "13D"),
    "21": ("25", "25P", "28", "28C"),
    "25": ("28", "28C", "60F", "60M", "34F"),
    "25P": ("28", "28C", "60F", "60M", "34F"),
    "28": ("60F", "60M", "34F", "13D", "61"),
    "28C": ("60F", "60M", "34F", "13D", "61"),
    "13": ("34F", "61", "86"),
    "13D": ("34F", "61", "86"),
    "34F": ("34F", "13", "13D", "61"),
}
_MESSAGE_STARTS = ("20", "25", "25P", "28", "28C", "60F", "60M", HEADER_BLOCK, "")
_HEADER_FIELDS_MAX = 8
_AVAILABLE_BALANCE = re.compile(r":6[45]: ?[CD][0-9]{6}", re.IGNORECASE)
_ENTRY_TAGS = ("61", "86", "NS")


class Fields(NamedTuple):
    """The fields of a text, by number: field *n* has the tag `tags[n]` and the lines from
    `starts[n]` up to, not including, `starts[n + 1]` (0-based).

    Columns instead of an object for each field: a file has hundreds of thousands. Both end with
    a sentinel, tag `""` behind the last line.
    """

    tags: list[str]
    starts: list[int]

    def first_line(self, number: int, lines: list[str]) -> str | None:
        """What stands behind the tag; None when that is nothing."""
        return lines[self.starts[number]].split(":", 2)[2].strip() or None

    def text(self, number: int, lines: list[str]) -> str:
        """The whole field without its tag and without line breaks."""
        start, end = self.starts[number], self.starts[number + 1]
        return "".join([lines[start].split(":", 2)[2], *lines[start + 1 : end]])

    def has_more_lines(self, number: int, lines: list[str]) -> bool:
        """Whether anything but blanks follows the field's first line."""
        return not _only_blank(lines, self.starts[number] + 1, self.starts[number + 1])


def has_statement_tags(lines: list[str]) -> bool:
    """Whether the text holds the tags without which there is no MT940 to read."""
    seen: set[str] = set()
    for line in lines:
        if line[:1] == ":" and (matched := _TAG.match(line)):
            seen.add(matched[1][:2])
            if ("61" in seen or "60" in seen or "62" in seen) and len(seen) > 1:
                return True
    return False


def split_fields(lines: list[str]) -> tuple[Fields, list[int]]:
    """Split *lines* into fields, in order, and list where text stands outside any message.

    Text outside (preambles, notes between messages) begins at the given 0-based lines.
    """
    tags, indexes = _candidates(lines)
    fields = Fields([], [])
    is_open = False  # inside a statement whose closing balance has not come
    previous = END_OF_MESSAGE
    for number, tag in enumerate(tags):
        if tag == "61":
            is_open = True
        elif tag != "86":
            if is_open and previous in _ENTRY_TAGS and _is_text(lines, tags, indexes, number):
                continue
            if tag in {"60F", "60M"}:
                is_open = True
            elif tag in {"62F", "62M", END_OF_MESSAGE, HEADER_BLOCK, "20"}:
                is_open = False
        fields.tags.append(tag)
        fields.starts.append(indexes[number])
        previous = tag
    return fields, _text_outside(lines, fields)


def _is_text(lines: list[str], tags: list[str], indexes: list[int], number: int) -> bool:
    """Whether candidate *number*, met among the entries of an open statement, is only text."""
    tag = tags[number]
    if tag == END_OF_MESSAGE:
        between = (indexes[number] + 1, indexes[number + 1])
        return tags[number + 1] not in _MESSAGE_STARTS or not _only_blank(lines, *between)
    if tag in {"64", "65"}:
        return not _AVAILABLE_BALANCE.match(lines[indexes[number]])
    # No header is longer; a file of nothing but look-alikes must not be walked for each of them.
    for following in tags[number + 1 : number + _HEADER_FIELDS_MAX]:
        if tag not in _FOLLOWERS:
            return False
        if following not in _FOLLOWERS[tag]:
            return True
        tag = following
    return tag in _FOLLOWERS


def _candidates(lines: list[str]) -> tuple[list[str], list[int]]:
    """Tags and lines of all that looks like the start of a field, and the sentinel."""
    tags: list[str] = []
    indexes: list[int] = []
    match_tag = _TAG.match
    for index, line in enumerate(lines):
        first = line[:1]
        if first == ":":
            matched = match_tag(line)
            if matched is None:
                continue
            tags.append(matched[1])
        elif first == "-" and (line.rstrip() == "-" or line.startswith("-}")):
            tags.append(END_OF_MESSAGE)
        elif first == "{" and line[1:3] in {"1:", "2:", "3:", "4:"}:
            tags.append(HEADER_BLOCK)
        else:
            continue
        indexes.append(index)
    tags.append("")
    indexes.append(len(lines))
    return tags, indexes


def _text_outside(lines: list[str], fields: Fields) -> list[int]:
    spans = [(0, fields.starts[0])]
    spans += [
        (start + 1, fields.starts[number + 1])
        for number, (tag, start) in enumerate(zip(fields.tags, fields.starts, strict=True))
        if tag == END_OF_MESSAGE
    ]
    outside = []
    for start, end in spans:
        outside += [index for index in range(start, end) if lines[index].strip()][:1]
    return outside


def _only_blank(lines: list[str], start: int, end: int) -> bool:
    return not any(lines[index].strip() for index in range(start, end))
