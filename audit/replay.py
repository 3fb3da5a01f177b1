"""
Replay the books from the leaves alone, and compare with what the system claims. Pure but for reading
the export's files; standard library only.

Written from the leaf format, not from the ledger's code: two programs that agree are worth more than
one that agrees with itself. Journals are most of a log, so one in the plain form that our ledger
writes (ASCII, no escapes) is read by a regular expression that admits only canonical bytes: a third
of the time of parsing JSON and writing it again. Everything else takes the long way; both end in the
same rules (`audit.replay_journals`).

Entries that could not be read, or are not what was signed, are skipped. Whatever follows from entries
before it is from there on not judged but counted: an order without its maker's grant is no fraud when
the grant may have been in what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

from audit.canonical import Json, canonical, parse_canonical
from audit.claims import compare_claims
from audit.directory import ATTACHMENT_MAX, LogDirectory
from audit.errors import AuditError, NotCanonicalError
from audit.events import is_read
from audit.replay_acts import Acts
from audit.replay_disclosures import compare_disclosures
from audit.replay_journals import Head, Journals, Line, Posted, plain_text
from audit.replay_sums import Sums, amount_text
from audit.tiles import ENTRIES, TILE_WIDTH, Tile, decode_bundle
from audit.verdict import Failure, Verdict

__all__ = ["Replay"]

# The form in which our ledger writes a journal: canonical JSON whose texts stand for themselves. It is
# tried only on entries of printable ASCII without a backslash, in which quotes do nothing but delimit.
_PLAIN: Final = bytes(c for c in range(0x20, 0x7F) if c != 0x5C)
_HEX: Final = b"0123456789abcdef"
_S = rb'[^"]*'
_N = rb"[1-9][0-9]{0,14}"
_AMOUNT = rb"(-?(?:0|[1-9][0-9]{0,16}))\.([0-9]{2})"
_JOURNAL: Final = re.compile(
    rb'\{"act":"journal\.posted",("at":"%(S)s","batch":%(N)s,"by":"%(S)s"),"data":\{'
    rb'"batch_no":"%(S)s","description":"(%(S)s)","document_id":"(%(S)s)","document_no":"%(S)s",'
    rb'"effective_on":"(%(S)s)","fiscal_year":([1-9][0-9]{3}),"journal":(%(N)s),'
    rb'"kind":"(%(S)s)","line_count":(%(N)s),"lines":\[(\[.*\])\],'
    rb'"maker":"(%(S)s)","payee_name":"(%(S)s)","period":([1-9][0-9]?),"reference":"(%(S)s)",'
    rb'"reverses":(null|%(N)s),"source":"(%(S)s)"\},"government":"(%(S)s)","v":1\}'
    % {b"S": _S, b"N": _N}
)
_HEAD: Final = re.compile(
    rb'"at":"([0-9T:.-]{26}Z)","batch":(%(N)s),"by":"(%(S)s)"' % {b"S": _S, b"N": _N}
)
# A line: what stands before the amount, rupiah, sen, what stands after, the payment reference. Empty
# texts at the end are left out.
_LINE: Final = re.compile(
    rb'\["(%(S)s","(?:FIN|BUD)","%(S)s"),"%(A)s"((?:,"%(S)s"){0,4})((?:,"%(S)s")?)(?<!,"")\]'
    % {b"S": _S, b"A": _AMOUNT}
)
_match_journal: Final = _JOURNAL.fullmatch
_match_head: Final = _HEAD.fullmatch
_find_lines: Final = _LINE.findall
_AMOUNT_TEXT: Final = re.compile(_AMOUNT.decode())
_AT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_LEAF_MEMBERS: Final = {"act", "at", "batch", "by", "data", "government", "v"}
_JOURNAL_MEMBERS: Final = {
    "batch_no", "description", "document_id", "document_no", "effective_on", "fiscal_year",
    "journal", "kind", "line_count", "maker", "payee_name", "period", "reference", "reverses",
    "source",
}  # fmt: skip

#: Journals that are taken together: few enough for all their pieces to stay in the nearest cache.
_TOGETHER: Final = 32

#: Acts after which a line that was wrong may be right, or the other way round.
_SETTINGS: Final = {"chart.loaded", "entity.added", "bank_account.added", "fiscal_year.opened"}

#: What can't be said when an act before it may be among the entries that could not be read ...
_FOLLOWS_ACTS: Final = frozenset(
    {
        "not_granted", "number_gap", "paid_twice", "settled_alone", "unknown_grant",
        "unknown_person", "wrong_key", "wrong_line", "wrong_move", "wrong_period", "wrong_proposal", "wrong_revision",
        "wrong_signature",
    }
)  # fmt: skip
#: ... and when a journal may be.
_FOLLOWS_JOURNALS: Final = frozenset({"seal_differs", "wrong_journal"})


class Replay:
    """Feed it every leaf in order, then ask it to `finish`."""

    def __init__(self, log: LogDirectory, verdict: Verdict, origin: str) -> None:
        self.log = log
        self._shards: list[tuple[int, LogDirectory, int]] = []  # first leaf, files, size
        self.verdict = verdict
        self.origin = origin
        self.government = b""
        self._keep_commitments = log.exists("disclosures.jsonl")
        self.acts = Acts(origin, self._attachment, self._fail, self._lost_content)
        self.journals = Journals(self.acts, self._fail, self._lines_of, keep=self._keep_commitments)
        #: Entries, and lines of journals, that could not be read: sums are short of them.
        self.unread = 0
        self.unknown: dict[str, int] = {}
        self.seals = 0
        #: What was not judged because what it follows from could not be read: code -> how often
        self.unjudged: dict[str, int] = {}
        self._unjudged_first: list[str] = []
        self._failed = False
        self._lost_contents = 0
        self._at = b""
        self._batch = b""
        self._head = Head(b"", b"", b"")
        self._head_text = b""
        self._skipped = 0  # entries not read since the last one that was

    @property
    def sums(self) -> Sums:
        """Debits and credits by account and day."""
        return self.journals.sums

    @property
    def acts_are_whole(self) -> bool:
        """Whether everything said so far of people, settings and documents could be read."""
        journals = self.journals
        return not (journals.acts_unread or journals.gap or self._lost_contents or self.unknown)

    # --- leaves ------------------------------------------------------------------------------

    def begin_shard(self, base: int, log: LogDirectory, size: int, origin: str) -> None:
        """The leaves that follow are those of *log*, the first of them is leaf *base*."""
        self._shards.append((base, log, size))
        self.acts.begin_shard(base, origin)

    def feed(self, first: int, entries: Sequence[bytes | None]) -> None:
        """Entries from index *first* on; None for those that can't be relied on."""
        index = first - 1
        run: list[Posted] = []
        for entry in entries:
            index += 1
            journal = None if entry is None else self._plain_journal(index, entry)
            if journal is None:
                self.journals.add_all(run)
                run = []
                if entry is None:
                    self._skip()
                else:
                    self._leaf(index, entry)
            else:
                run.append(journal)
                if len(run) == _TOGETHER:
                    self.journals.add_all(run)
                    run = []
        self.journals.add_all(run)

    def _plain_journal(self, index: int, entry: bytes) -> Posted | None:
        """A journal in the form that our ledger writes; None when it is not in that form."""
        match = None if entry.translate(None, _PLAIN) else _match_journal(entry)
        if match is None:
            return None
        pieces = match.groups()
        head, description, text, payee = pieces[0], pieces[1], pieces[8], pieces[10]
        lines = _find_lines(text)
        count = len(lines)
        if (
            # No bracket stands inside a line and just a comma between two: these lines are all there is.
            text.count(b"[") != count
            or text.count(b"]") != count
            or text.count(b"],[") != count - 1
            or (description and (len(description) != 64 or description.translate(None, _HEX)))
            or (payee and (len(payee) != 64 or payee.translate(None, _HEX)))
        ):
            return None
        if head != self._head_text or self._skipped:
            found = _match_head(head)
            if found is None:
                return None
            self._new_head(index, *found.groups())
            self._head_text = head
        if pieces[15] != self.government:
            self._same_government(index, pieces[15])
        return index, self._head, pieces, lines

    def _skip(self) -> None:
        self.unread += 1
        self.journals.gap += 1
        self._skipped += 1

    def _new_head(self, index: int, at: bytes, batch: bytes, by: bytes) -> Head:
        self._envelope(index, at, batch)
        self._head = Head(at, batch, by)
        self._head_text = b""
        return self._head

    def _leaf(self, index: int, entry: bytes) -> None:
        """A leaf that is no plain journal."""
        try:
            leaf = parse_canonical(entry)
        except NotCanonicalError as error:
            self._fail("not_canonical", str(error), index)
            self._skip()
            return
        if not isinstance(leaf, dict) or not leaf.keys() >= _LEAF_MEMBERS:
            self._fail("malformed_leaf", "it is not an act", index)
            self._skip()
            return
        more = leaf.keys() - _LEAF_MEMBERS
        act, by, data, version = leaf["act"], leaf["by"], leaf["data"], leaf["v"]
        at, batch, government = leaf["at"], leaf["batch"], leaf["government"]
        if (
            not isinstance(act, str)
            or not isinstance(by, str)
            or not isinstance(data, dict)
            or not isinstance(at, str)
            or not _AT.fullmatch(at)
            or type(batch) is not int
            or batch < 1
            or not isinstance(government, str)
            or type(version) is not int
            or not (more <= {"clock_clamped"} and leaf.get("clock_clamped", True) is True)
        ):
            self._fail("malformed_leaf", "a member of the act has another shape", index)
            self._skip()
            return
        head = self._new_head(index, at.encode(), b"%d" % batch, _inner(by))
        self._same_government(index, government.encode())
        if not is_read(act, version):
            name = f"{act} version {version}"
            self.unknown[name] = self.unknown.get(name, 0) + 1
            if act == "journal.posted":
                self.unread += 1
                self.journals.gap += 1
            return
        if act == "journal.posted":
            self._slow_journal(index, head, data)
            return
        self._commitments_in(data)
        try:
            if act == "book.recovered":
                self._jump(index, data)
            self.acts.apply(index, act, by, at, data, version)
            self.journals.people_changed()
            if act in _SETTINGS:
                self.journals.settings_changed()
            elif act == "period.sealed":
                self._check_seal(index, data)
        except (KeyError, TypeError, ValueError, AuditError) as error:
            self._fail("malformed_leaf", f"{act}: its data has another shape ({error})", index)

    def _check_seal(self, index: int, data: dict[str, Any]) -> None:
        """What a seal froze must be what the journals before it come to."""
        year, period = data["fiscal_year"], data["period"]
        self.sums.seal(year, period)
        rows, digest, debit, credit = self.sums.of_period(year, period)
        for name, told, given in (
            ("rows", data["rows"], rows),
            ("debit", data["debit"], amount_text(debit)),
            ("credit", data["credit"], amount_text(credit)),
            ("sha256", data["sha256"], digest),
        ):
            if told != given:
                self._fail(
                    "seal_differs",
                    f"period {period} of {year} was sealed with {name} {told},"
                    f" the journals before it give {given}",
                    index,
                )
                return
        self.seals += 1

    def _jump(self, index: int, data: dict[str, Json]) -> None:
        """After acts were lost, journals are numbered on from above whatever they may have been."""
        first, after = map(_int, _list(data["journals"]))
        journals = self.journals
        due = journals.next
        if not due <= first <= due + journals.gap or not first <= after <= first + 10**9:
            self._fail("journal_number", f"journals jump from {first} to {after}", index)
            return
        journals.jump(after)

    def _envelope(self, index: int, at: bytes, batch: bytes) -> None:
        """Batches count up by one, and neither they nor their time ever go back."""
        number, last = int(batch), int(self._batch or batch)
        if number != last:
            self.acts.documents.batch_ended()
        if not last <= number <= last + 1 + self._skipped:
            self._fail("leaf_order", f"batch {number} follows batch {last}", index)
        elif number == last and self._at and at != self._at:
            self._fail("leaf_order", f"batch {number} has two times of recording", index)
        if at < self._at:
            self._fail(
                "leaf_order",
                f"recorded at {at.decode()}, after an act recorded at {self._at.decode()}",
                index,
            )
        if index == 0 and number != 1:
            self._fail("leaf_order", f"the first batch is {number}", index)
        self._at, self._batch = at, batch
        self._skipped = 0

    def _same_government(self, index: int, government: bytes) -> None:
        if government != self.government:
            if self.government:
                self._fail("other_government", f"it names government {government!r}", index)
            else:
                self.government = government

    # --- journals ----------------------------------------------------------------------------

    def _slow_journal(self, index: int, head: Head, data: dict[str, Json]) -> None:
        """A journal in any canonical form, brought to the pieces that the quick way finds."""
        try:
            if (
                data.keys() - {"lines", "lines_sha256"} != _JOURNAL_MEMBERS
                or len(data.keys() & {"lines", "lines_sha256"}) != 1
            ):
                self._fail("malformed_journal", "a member is missing or unknown", index)
                self._skip()
                return
            numbers = {
                name: b"%d" % _int(data[name])
                for name in ("fiscal_year", "journal", "line_count", "period")
            }
            texts = {
                name: _inner(_text(data[name]))
                for name in ("description", "document_id", "effective_on", "kind", "maker",
                             "payee_name", "reference", "source", "batch_no", "document_no")
            }  # fmt: skip
            reverses = data["reverses"]
            reversed_ = b"null" if reverses is None else b"%d" % _int(reverses)
            lines = data["lines"] if "lines" in data else self._lines_by_hash(index, data)
            found = None if lines is None else [_pieces(line) for line in _list(lines)]
        except (KeyError, TypeError, ValueError, NotCanonicalError) as error:
            self._fail("malformed_journal", f"its data has another shape ({error})", index)
            self._skip()
            return
        pieces = (
            b"",
            texts["description"],
            texts["document_id"],
            texts["effective_on"],
            numbers["fiscal_year"],
            numbers["journal"],
            texts["kind"],
            numbers["line_count"],
            b"",
            texts["maker"],
            texts["payee_name"],
            numbers["period"],
            texts["reference"],
            reversed_,
            texts["source"],
            self.government,
        )
        number = int(numbers["journal"])
        if found is None:
            self.unread += 1
            self.journals.add_unread(index, number, pieces[12])
            if texts["document_id"] or texts["source"] == b"document":
                self.acts.journal_of_document(
                    index, number, plain_text(texts["document_id"]), plain_text(texts["source"])
                )
            return
        if any(_ends_empty(line) for line in found):
            self._fail(
                "wrong_line",
                "a line's form is not the canonical one",
                index,
                number,
                certain=True,
            )
        self.journals.add((index, head, pieces, found))

    def _lines_of(self, index: int) -> list[Line] | None:
        """The lines of an earlier journal, read again from its bundle; None when they can't be."""
        base, log, size = next(s for s in reversed(self._shards) if s[0] <= index)
        bundle, at = divmod(index - base, TILE_WIDTH)
        width = min(TILE_WIDTH, size - bundle * TILE_WIDTH)
        try:
            tile = Tile(ENTRIES, bundle, width)
            leaf = parse_canonical(decode_bundle(log.read(tile.path), width)[at])
            data: Any = leaf["data"] if isinstance(leaf, dict) else {}
            lines = data["lines"] if "lines" in data else self._lines_by_hash(index, data)
            return None if lines is None else [_pieces(line) for line in _list(lines)]
        except (AuditError, OSError, ValueError, KeyError, TypeError):
            return None  # named where the bundle itself was read

    def _lines_by_hash(self, index: int, data: dict[str, Json]) -> Json:
        name = _text(data["lines_sha256"])
        content = self._attachment(index, name)
        return None if content is None else parse_canonical(content)

    # --- files beside the log ------------------------------------------------------------------

    def _attachment(self, index: int, name: str) -> bytes | None:
        """The content that a leaf names by hash; None (and a failure) when it isn't that."""
        path = f"books/attachments/{name}"
        if not re.fullmatch(r"[0-9a-f]{64}", name):
            self._fail("malformed_leaf", "a hash has another shape", index)
            return None
        try:
            content = self.log.read(path, ATTACHMENT_MAX)
        except (FileNotFoundError, ValueError):
            self._fail(
                "attachment_missing", "content that the leaf names is missing", index, path=path
            )
            return None
        if sha256(content).hexdigest() != name:
            self._fail(
                "attachment_changed",
                "the content is not what the leaf recorded: it was changed afterwards",
                index,
                path=path,
            )
            return None
        return content

    def _commitments_in(self, value: Json, name: str = "") -> None:
        """Count what a leaf commits to; members that are hashes of other things are named."""
        if isinstance(value, dict):
            for member, inner in value.items():
                self._commitments_in(inner, member)
        elif isinstance(value, list):
            for inner in value:
                self._commitments_in(inner, name)
        elif isinstance(value, str) and name in _COMMITTED and re.fullmatch(r"[0-9a-f]{64}", value):
            self.journals.commitments += 1
            if self._keep_commitments:
                self.journals.committed.add(bytes.fromhex(value))

    # --- the end -------------------------------------------------------------------------------

    def finish(self, size: int) -> None:
        """Compare with the claims, read the disclosures, and say what was shown."""
        verdict, journals = self.verdict, self.journals
        # Of what was replayed; a damaged file beside it takes nothing away.
        sound = not self._failed
        verdict.figures |= {"journals": journals.count, "reversals": journals.reversals}
        journals.finish()
        compare_claims(self, size)
        if self.unread:
            verdict.not_checked.append(
                f"what {_counted(self.unread, 'entry', 'entries')} booked: balances, numbers and"
                " references are those of the others"
            )
        if self.unjudged:
            verdict.not_checked.append(self._what_was_not_judged())
        for name, count in sorted(self.unknown.items()):
            verdict.not_checked.append(
                f"{count} entries of a kind this verifier is too old for: {name}"
            )
        if sound and self.unread:
            verdict.proven.append(
                f"each of {journals.count} journals that could be read balances per entity and book"
            )
        elif sound:
            verdict.proven.append(
                f"{journals.count} journals are numbered without a gap, each balances per entity and"
                f" book, and no reference occurs twice; {journals.reversals} reversals mirror what"
                " they reverse"
            )
        if sound and self.seals:
            verdict.proven.append(
                f"{_counted(self.seals, 'sealed period holds', 'sealed periods hold')} the sums of"
                " the journals before the seal, and no journal came after it"
            )
        self.acts.finish(verdict, sound=sound)
        compare_disclosures(
            self.log,
            verdict,
            self._fail,
            journals,
            erased=self.acts.erased,
            given=self._keep_commitments,
        )

    def _what_was_not_judged(self) -> str:
        total = sum(self.unjudged.values())
        shown = "; ".join(self._unjudged_first)
        more = "" if total <= len(self._unjudged_first) else "; ..."
        return (
            f"{_counted(total, 'thing', 'things')} that may follow from what could not be read:"
            f" {shown}{more}"
        )

    def _lost_content(self) -> None:
        """Content that says what an act did is missing: later acts may follow from it."""
        self._lost_contents += 1

    def _fail(
        self,
        code: str,
        message: str,
        leaf: int | None = None,
        journal: int | None = None,
        path: str = "",
        *,
        certain: bool = False,
    ) -> None:
        """Something is wrong; unless what it follows from may be in what could not be read."""
        follows = (code in _FOLLOWS_ACTS and not self.acts_are_whole) or (
            code in _FOLLOWS_JOURNALS and (self.unread or not self.acts_are_whole)
        )
        if certain or not follows:
            # Content that is missing says nothing against what was read.
            self._failed |= not code.startswith("attachment_")
            self.verdict.fail(Failure(code, message, leaf, journal, path))
            return
        self.unjudged[code] = self.unjudged.get(code, 0) + 1
        if len(self._unjudged_first) < _UNJUDGED_SHOWN:
            self._unjudged_first.append(f"leaf {leaf}, {code}: {message}")


_UNJUDGED_SHOWN: Final = 3

#: Members of leaves other than journals that hold commitments.
_COMMITTED: Final = frozenset(
    {"account", "billing", "description", "name", "nip", "npwp", "payee_name", "purpose", "reason"}
)


def _pieces(line: Json) -> Line:
    """A parsed line as the regular expression would have cut its bytes."""
    texts = [_text(member) for member in _list(line)]
    if not 4 <= len(texts) <= 9 or not _AMOUNT_TEXT.fullmatch(texts[3]):
        raise ValueError("a line has another shape")
    before = b'","'.join(map(_inner, texts[:3])) + b'"'
    rupiah, _, sen = texts[3].encode().partition(b".")
    after = [b',"' + _inner(text) + b'"' for text in texts[4:]]
    return before, rupiah, sen, b"".join(after[:4]), b"".join(after[4:])


def _ends_empty(line: Line) -> bool:
    return (line[3] + line[4]).endswith(b',""')


def _inner(text: str) -> bytes:
    """A text as canonical JSON writes it, without its quotes."""
    return canonical(text)[1:-1]


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise TypeError("a member is not text")
    return value


def _int(value: Json) -> int:
    if type(value) is not int or value < 0:
        raise TypeError("a member is not a count")
    return value


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise TypeError("a member is not a list")
    return value
