"""
Replay the books from the leaves alone, and compare with what the system claims. Pure but for reading
the export's files; standard library only.

Written from the leaf format, not from the ledger's code: two programs that agree are worth more than
one that agrees with itself. Journals are most of a log, so one in the plain form that our ledger
writes (ASCII, no escapes) is read by a regular expression that admits only canonical bytes: a third
of the time of parsing JSON and writing it again. Everything else takes the long way; both end in the
same rules.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from hashlib import sha256
from typing import Any, Final

from audit.canonical import Json, canonical, parse_canonical
from audit.claims import compare_claims, line_fields
from audit.directory import ATTACHMENT_MAX, LogDirectory
from audit.disclosure import parse_disclosure_line, verify_disclosure
from audit.errors import AuditError, NotCanonicalError
from audit.events import KINDS
from audit.replay_acts import Acts
from audit.tiles import ENTRIES, TILE_WIDTH, Tile, decode_bundle
from audit.verdict import Failure, Verdict

__all__ = ["Replay"]

# Printable ASCII but quote and backslash: in JSON it stands for itself, in one way only.
_S = rb"[ !#-\[\]-~]*"
_HASH = rb"[0-9a-f]{64}"
_N = rb"[1-9][0-9]{0,14}"
_AMOUNT = rb"-?(?:0|[1-9][0-9]{0,16})\.[0-9]{2}"
_JOURNAL: Final = re.compile(
    rb'\{"act":"journal\.posted","at":"([0-9T:.-]{26}Z)","batch":(%(N)s),"by":"(%(S)s)","data":\{'
    rb'"batch_no":"%(S)s","description":"(|%(H)s)","document_id":"(%(S)s)","document_no":"%(S)s",'
    rb'"effective_on":"([0-9]{4}-[0-9]{2}-[0-9]{2})","fiscal_year":([1-9][0-9]{3}),"journal":(%(N)s),'
    rb'"kind":"(%(S)s)","line_count":(%(N)s),"lines":\[(\[[^]]*\](?:,\[[^]]*\])*)\],'
    rb'"maker":"(%(S)s)","payee_name":"(|%(H)s)","period":([1-9][0-9]?),"reference":"(%(S)s)",'
    rb'"reverses":(null|%(N)s),"source":"(%(S)s)"\},"government":"(%(S)s)","v":1\}'
    % {b"S": _S, b"N": _N, b"H": _HASH}
)
# A line: what stands before the amount, the amount, what stands after it.
_LINE: Final = re.compile(
    rb'\["(%(S)s","(?:FIN|BUD)","%(S)s"),"(%(A)s)"((?:,"%(S)s"){0,5})\](?:,|$)'
    % {b"S": _S, b"A": _AMOUNT}
)
_match_journal: Final = _JOURNAL.fullmatch
_find_lines: Final = _LINE.findall
_AMOUNT_TEXT: Final = re.compile(_AMOUNT.decode())
_AT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_LEAF_MEMBERS: Final = {"act", "at", "batch", "by", "data", "government", "v"}
_JOURNAL_MEMBERS: Final = {
    "batch_no", "description", "document_id", "document_no", "effective_on", "fiscal_year",
    "journal", "kind", "line_count", "maker", "payee_name", "period", "reference", "reverses",
    "source",
}  # fmt: skip
_SOURCES: Final = {"feed", "manual", "document", "bank"}

#: One kind of line on one day: debit, credit, group of entity and book, SKPD mirrored, budget line
_Sums = list[Any]


class Replay:
    """Feed it every leaf in order, then ask it to `finish`."""

    def __init__(self, log: LogDirectory, verdict: Verdict, origin: str) -> None:
        self.log = log
        self._shards: list[tuple[int, LogDirectory, int]] = []  # first leaf, files, size
        self.verdict = verdict
        self.origin = origin
        self.government = b""
        self.acts = Acts(origin, self._attachment, self._fail)
        self.journals = 0
        self.reversals = 0
        self.commitments = 0
        self.unread = 0
        self.unknown: dict[str, int] = {}
        #: (fiscal year, period, day) -> line without its amount -> sums
        self.days: dict[tuple[bytes, bytes, bytes], dict[bytes, _Sums]] = {}
        #: (budget line, kind of payment, day) -> spent
        self.budget_days: dict[tuple[str, str, str], int] = {}
        self._references: set[bytes] = set()
        self._leaf_of: list[int] = [-1]  # by journal number
        self._reversed: set[int] = set()
        self._at = b""
        self._batch = b""
        self._hands: set[tuple[bytes, bytes, bytes]] = set()
        self._opened: set[str] | None = None
        self._keep_commitments = log.exists("disclosures.jsonl")
        self._committed: set[bytes] = set()

    # --- leaves ------------------------------------------------------------------------------

    def begin_shard(self, base: int, log: LogDirectory, size: int, origin: str) -> None:
        """The leaves that follow are those of *log*, the first of them is leaf *base*."""
        self._shards.append((base, log, size))
        self.acts.begin_shard(base, origin)

    def feed(self, first: int, entries: Sequence[bytes]) -> None:
        """Entries from index *first* on."""
        index = first
        for entry in entries:
            match = _match_journal(entry)
            if match is None:
                self._leaf(index, entry)
            else:
                (
                    at, batch, by, description, document, day, year, number, kind, count, text,
                    maker, payee, period, reference, reverses, source, government,
                ) = match.groups()  # fmt: skip
                lines = _find_lines(text)
                size = 7 * len(lines) - 1
                for before, amount, after in lines:
                    size += len(before) + len(amount) + len(after)
                if size != len(text):  # something between the lines that is no line
                    self._leaf(index, entry)
                else:
                    if batch != self._batch or at != self._at:
                        self._envelope(index, at, batch)
                    self._journal(
                        index, by, description, document, day, year, int(number), kind, int(count),
                        lines, maker, payee, period, reference, reverses, source, government,
                    )  # fmt: skip
            index += 1

    def skip(self, count: int) -> None:
        """Entries that can't be read: the books can't be complete any more."""
        self.unread += count
        self._batch = self._at = b""

    def _leaf(self, index: int, entry: bytes) -> None:
        """A leaf that is no plain journal."""
        try:
            leaf = parse_canonical(entry)
        except NotCanonicalError as error:
            self._fail("not_canonical", str(error), index)
            self.unread += 1
            return
        if not isinstance(leaf, dict) or not leaf.keys() >= _LEAF_MEMBERS:
            self._fail("malformed_leaf", "it is not an act", index)
            self.unread += 1
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
            self.unread += 1
            return
        self._envelope(index, at.encode(), b"%d" % batch)
        self._same_government(index, government.encode())
        if KINDS.get(act) != version:
            name = f"{act} version {version}"
            self.unknown[name] = self.unknown.get(name, 0) + 1
            return
        if act == "journal.posted":
            self._slow_journal(index, by, data)
        else:
            self._commitments_in(data)
            try:
                if act == "book.recovered":
                    self._jump(index, data)
                self.acts.apply(index, act, by, at, data)
            except (KeyError, TypeError, ValueError, AuditError) as error:
                self._fail("malformed_leaf", f"{act}: its data has another shape ({error})", index)

    def _jump(self, index: int, data: dict[str, Json]) -> None:
        """After acts were lost, journals are numbered on from above whatever they may have been."""
        first, after = map(_int, _list(data["journals"]))
        if first != len(self._leaf_of) or not first <= after <= first + 10**9:
            self._fail("journal_number", f"journals jump from {first} to {after}", index)
            return
        self._leaf_of += [-1] * (after - first)

    def _envelope(self, index: int, at: bytes, batch: bytes) -> None:
        """Batches count up by one, and neither they nor their time ever go back."""
        number, last = int(batch), int(self._batch or batch)
        if number != last:
            self.acts.documents.batch_ended()
        if number not in (last, last + 1):
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
        self._hands.clear()

    def _same_government(self, index: int, government: bytes) -> None:
        if government != self.government:
            if self.government:
                self._fail("other_government", f"it names government {government!r}", index)
            else:
                self.government = government

    # --- journals ----------------------------------------------------------------------------

    def _slow_journal(self, index: int, by: str, data: dict[str, Json]) -> None:
        """A journal in any canonical form, brought to the pieces that the quick way finds."""
        try:
            lines = data["lines"] if "lines" in data else self._lines_by_hash(index, data)
            if (
                data.keys() - {"lines", "lines_sha256"} != _JOURNAL_MEMBERS
                or len(data.keys() & {"lines", "lines_sha256"}) != 1
            ):
                self._fail("malformed_journal", "a member is missing or unknown", index)
                return
            if lines is None:
                self._count_unread_journal(index, data)
                return
            found = [_pieces(line) for line in _list(lines)]
            texts = {
                name: _inner(_text(data[name]))
                for name in ("description", "document_id", "effective_on", "kind", "maker",
                             "payee_name", "reference", "source", "batch_no", "document_no")
            }  # fmt: skip
            numbers = {
                name: _int(data[name])
                for name in ("fiscal_year", "journal", "line_count", "period")
            }
            reverses = data["reverses"]
            if reverses is not None:
                reverses = _int(reverses)
        except (KeyError, TypeError, ValueError) as error:
            self._fail("malformed_journal", f"its data has another shape ({error})", index)
            self.unread += 1
            return
        self._journal(
            index,
            _inner(by),
            texts["description"],
            texts["document_id"],
            texts["effective_on"],
            b"%d" % numbers["fiscal_year"],
            numbers["journal"],
            texts["kind"],
            numbers["line_count"],
            found,
            texts["maker"],
            texts["payee_name"],
            b"%d" % numbers["period"],
            texts["reference"],
            b"null" if reverses is None else b"%d" % reverses,
            texts["source"],
            self.government,
        )

    def _journal(
        self,
        index: int,
        by: bytes,
        description: bytes,
        document: bytes,
        day: bytes,
        year: bytes,
        number: int,
        kind: bytes,
        count: int,
        lines: list[tuple[bytes, bytes, bytes]],
        maker: bytes,
        payee: bytes,
        period: bytes,
        reference: bytes,
        reverses: bytes,
        source: bytes,
        government: bytes,
    ) -> None:
        """The rules of one journal, and its sums."""
        if government != self.government:
            self._same_government(index, government)
        self.journals += 1
        if number != len(self._leaf_of):
            self._fail(
                "journal_number", f"journal {len(self._leaf_of)} should follow", index, number
            )
            self._leaf_of += [-1] * min(max(0, number - len(self._leaf_of)), 1_000_000)
        self._leaf_of.append(index)
        if reference in self._references:
            self._fail(
                "reference_twice",
                f"reference {reference.decode()!r} was used before",
                index,
                number,
            )
        self._references.add(reference)
        sums_of = self.days.get((year, period, day))
        if sums_of is None:
            sums_of = self._new_day(index, number, year, period, day)
        if self.acts.sealed and (year, period) in self.acts.sealed:
            self._fail(
                "period_sealed",
                f"period {period.decode()} of {year.decode()} was sealed before",
                index,
                number,
            )
        if len(lines) != count or count < 2:
            self._fail(
                "line_count", f"{count} lines are told, {len(lines)} are there", index, number
            )
        groups: dict[bytes, int] = {}
        mirrored: dict[str, int] | None = None
        for before, amount, after in lines:
            sen = int(amount[:-3] + amount[-2:])
            key = before + after
            sums = sums_of.get(key)
            if sums is None:
                sums = sums_of[key] = self._new_line(index, number, year, day, before, after)
            if sen > 0:
                sums[0] += sen
            elif sen < 0:
                sums[1] -= sen
            else:
                self._fail("zero_line", "a line of 0.00", index, number)
            group = sums[2]
            groups[group] = groups.get(group, 0) + sen
            if sums[3] is not None:
                skpd, budget_line = sums[3]
                if skpd:
                    mirrored = mirrored or {}
                    mirrored[skpd] = mirrored.get(skpd, 0) + sen
                if budget_line:
                    self._spend(document, kind, budget_line, day, sen, reverses != b"null")
        if any(groups.values()):
            self._unbalanced(index, number, groups)
        if mirrored is not None and any(mirrored.values()):
            for skpd, rest in mirrored.items():
                if rest:
                    self._fail(
                        "reciprocal_mismatch",
                        f"RK SKPD and RK PPKD of {skpd} differ by {_rupiah(rest)}",
                        index,
                        number,
                    )
        hands = (by, maker, source)
        if hands not in self._hands:
            self._hands.add(hands)
            self._check_hands(index, number, by, maker, source)
        if reverses != b"null":
            self._check_reversal(index, number, int(reverses), lines)
        if source == b"document" or document:
            self.acts.journal_of_document(index, number, document.decode(), source.decode())
        if description or payee:
            self.commitments += bool(description) + bool(payee)
            if self._keep_commitments:
                self._committed.update(bytes.fromhex(c.decode()) for c in (description, payee) if c)

    def _spend(
        self, document: bytes, kind: bytes, budget_line: str, day: bytes, sen: int, reversal: bool
    ) -> None:
        name = ""
        if document:
            name = self.acts.payment_kind(document.decode())
            self.acts.documents.spent(document.decode(), budget_line, sen, reversal=reversal)
        key = (budget_line, name or _plain(kind), day.decode())
        self.budget_days[key] = self.budget_days.get(key, 0) + sen

    def _new_day(
        self, index: int, number: int, year: bytes, period: bytes, day: bytes
    ) -> dict[bytes, _Sums]:
        """The first journal of a day in a period: whether there is such a day, year and period."""
        reason = ""
        try:
            on = date.fromisoformat(day.decode())
        except ValueError:
            reason = f"{_plain(day)!r} is no date"
        else:
            months = {on.month} | ({13, 14} if (on.month, on.day) == (12, 31) else set())
            if int(year) not in self.acts.years:
                reason = f"fiscal year {int(year)} is not open"
            elif on.year != int(year) or int(period) not in months:
                reason = f"{on} is not in period {int(period)} of {int(year)}"
        if reason:
            self._fail("wrong_period", reason, index, number)
        sums: dict[bytes, _Sums] = {}
        self.days[year, period, day] = sums
        return sums

    def _new_line(
        self, index: int, number: int, year: bytes, day: bytes, before: bytes, after: bytes
    ) -> _Sums:
        """The first line of its kind on a day: whether its account, entity and bank account exist."""
        fields = line_fields(before + after)
        entity, book, account, bank, counterpart, _, budget_line, _ = fields
        acts = self.acts
        problems = []
        if after.endswith(b',""'):
            problems.append("its form is not the canonical one")
        if book not in ("FIN", "BUD"):
            problems.append(f"there is no book {book!r}")
        if entity not in acts.entities:
            problems.append(f"there is no entity {entity!r}")
        if account.startswith("1.1.01.01.") != bool(bank) or (bank and book != "FIN"):
            problems.append("RKUD cash, and nothing else, stands on a bank account")
        if bank and bank not in acts.bank_accounts:
            problems.append(f"there is no bank account {bank!r}")
        if budget_line and book != "BUD":
            problems.append("a budget line outside the budget's book")
        problems += acts.account_problem(int(year), account, day.decode("ascii", "replace"))
        skpd = ""
        if account.startswith(("1.1.13.", "3.1.03.")):
            skpd = counterpart if account.startswith("1.1.13.") else entity
            if acts.entities.get(counterpart) != (
                "SKPD" if account.startswith("1.1.13.") else "PPKD"
            ):
                problems.append("a reciprocal account without its counterpart")
        for problem in problems:
            self._fail("wrong_line", f"line on {account}: {problem}", index, number)
        group = f"{entity} {book}".encode()
        return [0, 0, group, (skpd, budget_line) if skpd or budget_line else None]

    def _check_hands(self, index: int, number: int, by: bytes, maker: bytes, source: bytes) -> None:
        """Who posted, and whether two persons were needed."""
        source_text, person, first = _plain(source), _plain(by), _plain(maker)
        if source_text not in _SOURCES:
            self._fail("wrong_source", f"there is no source {source_text!r}", index, number)
        if source_text == "manual" and person == first:
            self._fail("same_person", f"{person} drafted and posted it", index, number)
        on = self.acts.local_day(self._at.decode())
        for each in {person, first}:
            if not self.acts.is_person(each):
                self._fail("unknown_person", f"{each!r} is nobody by then", index, number)
        if source_text == "feed" and not self.acts.holds(person, "feed", on):
            # A reversal is entered by whoever may reverse; feeding needs the grant.
            self._fail("not_granted", f"{person} held no grant to feed on {on}", index, number)

    def _check_reversal(
        self, index: int, number: int, original: int, lines: list[tuple[bytes, bytes, bytes]]
    ) -> None:
        """A reversal mirrors one earlier journal, and each journal is reversed once."""
        self.reversals += 1
        if not 0 < original < number:
            self._fail("wrong_reversal", f"it reverses journal {original}", index, number)
            return
        if original in self._reversed:
            self._fail("reversed_twice", f"journal {original} was reversed before", index, number)
        self._reversed.add(original)
        theirs = self._lines_of(original)
        if theirs is None:
            return
        if [(b, _negative(a), c) for b, a, c in theirs] != lines:
            self._fail(
                "wrong_reversal",
                f"its lines do not mirror those of journal {original}",
                index,
                number,
            )

    def _lines_of(self, number: int) -> list[tuple[bytes, bytes, bytes]] | None:
        """The lines of an earlier journal, read again from its bundle; None when they can't be."""
        index = self._leaf_of[number] if number < len(self._leaf_of) else -1
        if index < 0:
            return None
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

    def _count_unread_journal(self, index: int, data: dict[str, Json]) -> None:
        """Lines that did not come with the export: the sums are short of them."""
        self.journals += 1
        self._leaf_of.append(index)
        self._references.add(_inner(_text(data["reference"])))
        self.unread += 1

    def _unbalanced(self, index: int, number: int, groups: dict[bytes, int]) -> None:
        for group, rest in groups.items():
            if rest:
                self._fail(
                    "unbalanced_journal",
                    f"{group.decode()} is off by {_rupiah(rest)}",
                    index,
                    number,
                )

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
            self.commitments += 1
            if self._keep_commitments:
                self._committed.add(bytes.fromhex(value))

    # --- the end -------------------------------------------------------------------------------

    def finish(self, size: int) -> None:
        """Compare with the claims, read the disclosures, and say what was shown."""
        verdict = self.verdict
        before = verdict.failure_count
        verdict.figures |= {"journals": self.journals, "reversals": self.reversals}
        compare_claims(self, size)
        if self.unread:
            verdict.not_checked.append(
                f"{self.unread} entries could not be read: balances are short of them"
            )
        for name, count in sorted(self.unknown.items()):
            verdict.not_checked.append(
                f"{count} entries of a kind this verifier is too old for: {name}"
            )
        if verdict.failure_count == before == 0:
            verdict.proven.append(
                f"{self.journals} journals are numbered without a gap, each balances per entity and"
                f" book, and no reference occurs twice; {self.reversals} reversals mirror what they"
                " reverse"
            )
        self.acts.finish(verdict)
        self._disclosures()

    def _disclosures(self) -> None:
        verdict = self.verdict
        erased = self.acts.erased
        if not self._keep_commitments:
            if self.commitments:
                verdict.not_checked.append(
                    f"{self.commitments} private values (names, descriptions): none was disclosed;"
                    f" {len(erased)} of them were erased"
                )
            return
        opened: set[bytes] = set()
        stray = 0
        for number, line in enumerate(self.log.lines("disclosures.jsonl"), start=1):
            try:
                one = parse_disclosure_line(line, line=number)
                verify_disclosure(one, line=number)
            except AuditError as error:
                self._fail(error.code, str(error), path="disclosures.jsonl")
                continue
            key = bytes.fromhex(one.commitment)
            opened.add(key)
            stray += key not in self._committed
        known = len(self._committed)
        missing = self._committed - opened
        gone = {key for key in missing if key.hex() in erased}
        verdict.figures |= {"commitments": known, "disclosed": len(opened & self._committed)}
        verdict.proven.append(
            f"{len(opened & self._committed)} of {known} private values were disclosed, and each is"
            " what the log committed to"
        )
        if gone:
            verdict.not_checked.append(
                f"{len(gone)} private values were erased by decision (the log says when and by whom)"
            )
        if rest := sorted(key.hex() for key in missing - gone):
            shown = ", ".join(f"{text[:16]}..." for text in rest[:5])
            verdict.not_checked.append(
                f"{len(rest)} private values were not disclosed and not erased: {shown}"
            )
        if stray:
            verdict.not_checked.append(
                f"{stray} disclosures of values that no leaf here commits to"
            )

    def _fail(
        self,
        code: str,
        message: str,
        leaf: int | None = None,
        journal: int | None = None,
        path: str = "",
    ) -> None:
        self.verdict.fail(Failure(code, message, leaf, journal, path))


#: Members of leaves other than journals that hold commitments.
_COMMITTED: Final = frozenset(
    {"account", "billing", "description", "name", "nip", "npwp", "payee_name", "purpose", "reason"}
)


def _pieces(line: Json) -> tuple[bytes, bytes, bytes]:
    """A parsed line as the regular expression would have cut its bytes."""
    texts = [_text(member) for member in _list(line)]
    if not 4 <= len(texts) <= 9 or not _AMOUNT_TEXT.fullmatch(texts[3]):
        raise ValueError("a line has another shape")
    before = b'","'.join(map(_inner, texts[:3])) + b'"'
    after = b"".join(b',"' + _inner(text) + b'"' for text in texts[4:])
    return before, texts[3].encode(), after


def _inner(text: str) -> bytes:
    """A text as canonical JSON writes it, without its quotes."""
    return canonical(text)[1:-1]


def _plain(inner: bytes) -> str:
    """The text that these bytes between quotes stand for."""
    value = parse_canonical(b'"' + inner + b'"') if b"\\" in inner else inner.decode()
    return value if isinstance(value, str) else ""


def _negative(amount: bytes) -> bytes:
    return amount[1:] if amount.startswith(b"-") else b"-" + amount


def _rupiah(sen: int) -> str:
    digits = f"{abs(sen):03d}"
    return f"{'-' if sen < 0 else ''}{digits[:-2]}.{digits[-2:]}"


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
