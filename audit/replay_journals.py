"""
Replay journals: numbers, references, balance, lines, hands, reversals, and the sums they come to.

Pure. A journal arrives as the pieces that `audit.replay` cut out of its leaf, as bytes; both ways of
reading a leaf end here. What holds for most journals is checked inline, because it is done a million
times; whatever is out of the ordinary is worked out beside.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Sequence
from datetime import date
from itertools import accumulate, chain, groupby
from typing import Final, NamedTuple

from audit.canonical import parse_canonical
from audit.replay_acts import Acts
from audit.replay_sums import Day, Kind, Special, Sums, amount_text

__all__ = ["Head", "JournalPieces", "Journals", "Line", "Posted", "plain_text"]

Fail = Callable[..., None]
#: What stands before the amount, rupiah, sen, what stands after it, the payment reference.
Line = tuple[bytes, bytes, bytes, bytes, bytes]
LinesOf = Callable[[int], list[Line] | None]

#: Journals of one day that are worth being taken together.
_RUN_MIN: Final = 3
#: Numbers passed over that are kept in mind: a log may claim any number.
_JUMP_MAX: Final = 1_000_000

_SOURCES: Final = {"feed", "manual", "document", "bank"}


class Head(NamedTuple):
    """Who recorded a journal, and when: the same for many one after another."""

    at: bytes
    batch: bytes
    by: bytes


#: A journal's members as they stand between quotes in its leaf, in their order (see `Journals.add`).
JournalPieces = tuple[bytes, ...]


#: Index of the leaf, who recorded it, the journal's members, its lines.
Posted = tuple[int, Head, JournalPieces, list[Line]]


class Journals:
    """The journals so far, and their sums."""

    def __init__(self, acts: Acts, fail: Fail, lines_of: LinesOf, *, keep: bool) -> None:
        """*lines_of* reads the lines of an earlier leaf; *keep*: remember every commitment."""
        self.sums = Sums()
        self.count = 0
        self.reversals = 0
        self.commitments = 0
        self.committed: set[bytes] = set()
        #: Leaf of each journal by its number; -1 where it could not be read.
        self.leaf_of = array("q", [-1])
        #: Number of the journal that should follow.
        self.next = 1
        #: Unread entries since the last journal that was read: any of them may have been journals.
        self.gap = 0
        #: Unread entries that may have been something else than journals.
        self.acts_unread = 0
        self._acts = acts
        self._fail = fail
        self._lines_of = lines_of
        self._keep = keep
        self._days: dict[tuple[bytes, bytes, bytes], Day] = {}
        self._references: set[bytes] = set()
        self._reversed: set[int] = set()
        self._hands: set[tuple[Head, bytes, bytes]] = set()
        #: document, kind of journal, budget line, day, sen
        self._unnamed: list[tuple[str, str, str, str, int]] = []

    # --- one journal ------------------------------------------------------------------------------

    def add_all(self, posted: Sequence[Posted]) -> None:
        """Journals in their order."""
        for _, run in groupby(posted, _day_of):
            journals = list(run)
            if len(journals) < _RUN_MIN or not self._add_run(journals):
                for journal in journals:
                    self.add(journal)

    def add(self, journal: Posted) -> None:
        """The rules of one journal, and its sums."""
        index, head, pieces, lines = journal
        (
            _, description, document, date_, year, number_text, kind, count, _, maker, payee,
            period, reference, reverses, source, _,
        ) = pieces  # fmt: skip
        number = int(number_text)
        self._number(index, number)
        references = self._references
        known_before = len(references)
        references.add(reference)
        if len(references) == known_before:
            self._fail(
                "reference_twice",
                f"reference {plain_text(reference)!r} was used before",
                index,
                number,
            )
        day = self._days.get((year, period, date_))
        if day is None:
            day = self._new_day(index, number, year, period, date_)
        if day.sealed:
            self._fail(
                "period_sealed",
                f"period {day.period} of {day.year} was sealed before",
                index,
                number,
            )
        if len(lines) != int(count) or len(lines) < 2:
            self._fail(
                "line_count",
                f"{int(count)} lines are told, {len(lines)} are there",
                index,
                number,
            )
        kinds, debits, credits_ = day.kinds, day.debits, day.credits
        rest, last, mixed, specials = 0, -1, False, False
        for before, rupiah, hundredths, after, _ in lines:
            known = kinds.get(before + after)
            if known is None:
                known = self._new_kind(day, before + after)
            row, group, special = known
            sen = int(rupiah + hundredths)
            if sen > 0:
                debits[row] += sen
            elif sen < 0:
                credits_[row] -= sen
            else:
                self._fail("zero_line", "a line of 0.00", index, number)
            rest += sen
            if group != last:
                mixed, last = mixed or last >= 0, group
            if special is not None:
                specials = True
        if rest or mixed:
            self._check_balance(index, number, day, lines)
        if specials:
            self._look_closer(index, number, day, document, kind, lines, reverses != b"null")
        hands = (head, maker, source)
        if hands not in self._hands:
            self._hands.add(hands)
            self._check_hands(index, number, head, plain_text(maker), plain_text(source))
        if reverses != b"null":
            self._check_reversal(index, number, int(reverses), lines)
        if document or source == b"document":
            self._acts.journal_of_document(index, number, plain_text(document), plain_text(source))
        for commitment in (description, payee):
            if commitment:
                self.commitments += 1
                if self._keep:
                    self.committed.add(bytes.fromhex(commitment.decode()))

    def add_unread(self, index: int, number: int, reference: bytes) -> None:
        """A journal whose lines did not come with the export."""
        self._number(index, number)
        self._references.add(reference)

    def _add_run(self, run: list[Posted]) -> bool:
        """
        Journals of one day at once: False, and nothing is summed, when anything about one of them is
        out of the ordinary, or wrong; then each has to be looked at by itself.

        What `add` does journal by journal and line by line, put so that the interpreter goes over the
        lines only once. Nine in ten journals of a busy log are taken this way.
        """
        # fmt: off
        (
            _, descriptions, documents, dates, years, numbers, _, counts, _, makers, payees, periods,
            references, reverses, sources, _,
        ) = zip(*[each[2] for each in run], strict=True)
        # fmt: on
        day = self._days.get((years[0], periods[0], dates[0]))
        fresh = set(references)
        sizes = [len(each[3]) for each in run]
        first = self.next
        if (
            day is None
            or day.sealed
            or self.gap
            or any(documents)
            or set(reverses) != {b"null"}
            or b"document" in sources
            or len(fresh) != len(run)
            or not fresh.isdisjoint(self._references)
            or list(map(int, numbers)) != list(range(first, first + len(run)))
            or first != len(self.leaf_of)
            or list(map(int, counts)) != sizes
            or min(sizes) < 2
        ):
            return False
        lines = list(chain.from_iterable([each[3] for each in run]))
        keys = [line[0] + line[3] for line in lines]
        known = day.kinds.get(keys[0]) or self._new_kind(day, keys[0])
        rows_of = day.plain.get(known[1])
        if rows_of is None or known[2] is not None:
            return False
        for key in keys:
            if key not in day.kinds:
                self._new_kind(day, key)
        rows = [rows_of.get(key, -1) for key in keys]
        amounts = [int(line[1] + line[2]) for line in lines]
        totals = list(accumulate(amounts))
        if -1 in rows or 0 in amounts or any(totals[end - 1] for end in accumulate(sizes)):
            return False
        debits, credits_ = day.debits, day.credits
        for row, sen in zip(rows, amounts, strict=True):
            if sen > 0:
                debits[row] += sen
            else:
                credits_[row] -= sen
        self.count += len(run)
        self.next = first + len(run)
        self.leaf_of.extend([each[0] for each in run])
        self._references |= fresh
        hands = set(zip([each[1] for each in run], makers, sources, strict=True))
        if not hands <= self._hands:
            self._hands |= hands
            for index, head, pieces, _ in run:
                if (combination := (head, pieces[9], pieces[14])) in hands:
                    hands.remove(combination)
                    number, maker, source = int(pieces[5]), plain_text(pieces[9]), pieces[14]
                    self._check_hands(index, number, head, maker, plain_text(source))
        for commitments in (descriptions, payees):
            given = [each for each in commitments if each]
            self.commitments += len(given)
            if self._keep:
                self.committed.update(bytes.fromhex(each.decode()) for each in given)
        return True

    def finish(self) -> None:
        """All is read: spending of documents that came behind their journals gets its kind."""
        for owner, kind, budget_line, day, sen in self._unnamed:
            self.sums.spend(budget_line, self._acts.payment_kind(owner) or kind, day, sen)
        self._unnamed.clear()

    def people_changed(self) -> None:
        """An act may change who may post: hands are looked at again."""
        self._hands.clear()

    def jump(self, to: int) -> None:
        """The next journal is number *to*: those before it are not here."""
        self.next = to
        if (missing := to - len(self.leaf_of)) > 0:
            self.leaf_of.extend(array("q", [-1]) * min(missing, _JUMP_MAX))

    def _number(self, index: int, number: int) -> None:
        """The journal of this leaf is number *number*, and should be the next one."""
        self.count += 1
        if self.gap or number != self.next:
            self._renumber(index, number)
        self.next = number + 1
        if number == len(self.leaf_of):
            self.leaf_of.append(index)

    def _renumber(self, index: int, number: int) -> None:
        """Entries that can't be read may have been journals, as many as numbers are missing."""
        missing = number - self.next
        gap, self.gap = self.gap, 0
        if 0 <= missing <= gap:
            self.acts_unread += gap - missing
        else:
            self.acts_unread += gap
            self._fail("journal_number", f"journal {self.next} should follow", index, number)
        self.jump(number)

    # --- days and lines ---------------------------------------------------------------------------

    def _new_day(self, index: int, number: int, year: bytes, period: bytes, day: bytes) -> Day:
        """The first journal of a day in a period: whether there is such a day, year and period."""
        text, of_year, of_period = plain_text(day), int(year), int(period)
        if of_year not in self._acts.years:
            self._fail("wrong_period", f"fiscal year {of_year} is not open", index, number)
        try:
            on = date.fromisoformat(text)
        except ValueError:
            reason = f"{text!r} is no date"
        else:
            months = {on.month} | ({13, 14} if (on.month, on.day) == (12, 31) else set())
            right = on.isoformat() == text and on.year == of_year and of_period in months
            reason = "" if right else f"{text} is not in period {of_period} of {of_year}"
        if reason:
            self._fail("wrong_period", reason, index, number, certain=True)
        made = self.sums.new_day(of_year, of_period, text)
        made.sealed = (of_year, of_period) in self._acts.sealed
        self._days[year, period, day] = made
        return made

    def settings_changed(self) -> None:
        """Accounts, entities, bank accounts or years were added: lines are judged anew."""
        self.sums.forget_kinds()

    def _new_kind(self, day: Day, key: bytes) -> Kind:
        """Lines that were not seen in this year: whether account, entity and bank account exist."""
        fields = [*json.loads(b'["' + key + b"]"), "", "", "", "", ""][:8]
        entity, book, account, bank, counterpart, _, budget_line, _ = fields
        acts = self._acts
        problems = []
        if book not in ("FIN", "BUD"):
            problems.append(f"there is no book {book!r}")
        if account.startswith("1.1.01.01.") != bool(bank) or (bank and book != "FIN"):
            problems.append("RKUD cash, and nothing else, stands on a bank account")
        if budget_line and book != "BUD":
            problems.append("a budget line outside the budget's book")
        if entity not in acts.entities:
            problems.append(f"there is no entity {entity!r}")
        if bank and bank not in acts.bank_accounts:
            problems.append(f"there is no bank account {bank!r}")
        skpd = ""
        if account.startswith(("1.1.13.", "3.1.03.")):
            skpd = counterpart if account.startswith("1.1.13.") else entity
            if acts.entities.get(counterpart) != (
                "SKPD" if account.startswith("1.1.13.") else "PPKD"
            ):
                problems.append("a reciprocal account without its counterpart")
        problem, valid_from, valid_to = acts.account_in(day.year, account)
        if problem:
            problems.append(problem)
        special = Special(skpd, budget_line, tuple(problems), valid_from, valid_to)
        plain = special == ("", "", (), "", "")
        return self.sums.new_kind(day, key, fields, None if plain else special)

    def _look_closer(
        self,
        index: int,
        number: int,
        day: Day,
        document: bytes,
        kind: bytes,
        lines: list[Line],
        reversal: bool,
    ) -> None:
        """Lines of reciprocal accounts and budget lines, and those that are wrong on this day."""
        mirrored: dict[str, int] = {}
        spent_as = plain_text(kind)
        owner = plain_text(document)
        kind_of_owner = self._acts.payment_kind(owner) if owner else ""
        for before, rupiah, hundredths, after, _ in lines:
            special = day.kinds[before + after][2]
            if special is None:
                continue
            sen = int(rupiah + hundredths)
            skpd, budget_line, problems, valid_from, valid_to = special
            if day.date < valid_from or (valid_to and day.date > valid_to):
                problems = (*problems, f"it may not be posted to on {day.date}")
            for problem in problems:
                account = json.loads(b'["' + before + b"]")[2]
                self._fail("wrong_line", f"line on {account}: {problem}", index, number)
            if skpd:
                mirrored[skpd] = mirrored.get(skpd, 0) + sen
            if budget_line:
                if owner and not kind_of_owner:
                    # A document that another system issued follows its journal.
                    self._unnamed.append((owner, spent_as, budget_line, day.date, sen))
                else:
                    self.sums.spend(budget_line, kind_of_owner or spent_as, day.date, sen)
                if owner:
                    self._acts.documents.spent(owner, budget_line, sen, reversal=reversal)
        for skpd, rest in mirrored.items():
            if rest:
                self._fail(
                    "reciprocal_mismatch",
                    f"RK SKPD and RK PPKD of {skpd} differ by {amount_text(rest)}",
                    index,
                    number,
                )

    def _check_balance(self, index: int, number: int, day: Day, lines: list[Line]) -> None:
        """Each entity and book must balance by itself."""
        rests: dict[int, int] = {}
        for before, rupiah, hundredths, after, _ in lines:
            group = day.kinds[before + after][1]
            rests[group] = rests.get(group, 0) + int(rupiah + hundredths)
        for group, rest in rests.items():
            if rest:
                self._fail(
                    "unbalanced_journal",
                    f"{self.sums.groups[group]} is off by {amount_text(rest)}",
                    index,
                    number,
                )

    # --- hands and reversals ----------------------------------------------------------------------

    def _check_hands(self, index: int, number: int, head: Head, maker: str, source: str) -> None:
        """Who posted, and whether two persons were needed."""
        poster = plain_text(head.by)
        if source not in _SOURCES:
            self._fail("wrong_source", f"there is no source {source!r}", index, number)
        if source == "manual" and poster == maker:
            self._fail("same_person", f"{poster} drafted and posted it", index, number)
        on = self._acts.local_day(head.at.decode())
        for each in {poster, maker}:
            if not self._acts.is_person(each):
                self._fail("unknown_person", f"{each!r} is nobody by then", index, number)
        if source == "feed" and not self._acts.holds(poster, "feed", on):
            # A reversal is entered by whoever may reverse; feeding needs the grant.
            self._fail("not_granted", f"{poster} held no grant to feed on {on}", index, number)

    def _check_reversal(self, index: int, number: int, original: int, lines: list[Line]) -> None:
        """A reversal mirrors one earlier journal, and each journal is reversed once."""
        self.reversals += 1
        if not 0 < original < number:
            self._fail("wrong_reversal", f"it reverses journal {original}", index, number)
            return
        if original in self._reversed:
            self._fail("reversed_twice", f"journal {original} was reversed before", index, number)
        self._reversed.add(original)
        leaf = self.leaf_of[original] if original < len(self.leaf_of) else -1
        theirs = None if leaf < 0 else self._lines_of(leaf)
        if (
            theirs is not None
            and [(line[0], _negative(line[1]), *line[2:]) for line in theirs] != lines
        ):
            self._fail(
                "wrong_reversal",
                f"its lines do not mirror those of journal {original}",
                index,
                number,
            )


def _day_of(journal: Posted) -> bytes:
    pieces = journal[2]
    return pieces[3] + pieces[4] + pieces[11]  # date, year, period


def plain_text(inner: bytes) -> str:
    """The text that these bytes between quotes stand for."""
    value = parse_canonical(b'"' + inner + b'"') if b"\\" in inner else inner.decode()
    return value if isinstance(value, str) else ""


def _negative(amount: bytes) -> bytes:
    return amount[1:] if amount.startswith(b"-") else b"-" + amount
