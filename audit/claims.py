"""
Compare what the replay of the leaves gives with what the system claims (`books/balances.jsonl`).

Pure but for reading that file. Both ways: a balance that the leaves don't give is as wrong as one
that the system doesn't claim. A row that is zero may stand in either and be missing in the other.

The sums of days are as many as there are journals, so they are not parsed: the line that each should
be is written, in the order in which the system writes them, and compared as bytes. A line that is
another one is read, and what it stands for looked up.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from audit.canonical import parse_canonical
from audit.claims_expected import Balances, BudgetDays, Days, Expected, Key, balances_of
from audit.errors import NotCanonicalError
from audit.replay_sums import amount_text
from audit.verdict import Failure

if TYPE_CHECKING:
    from audit.replay import Replay

__all__ = ["compare_claims"]

_PATH: Final = "books/balances.jsonl"
_AMOUNT: Final = re.compile(r"(?!-0\.00)-?(?:0|[1-9][0-9]{0,18})\.[0-9]{2}")

_BALANCE: Final = ("chart_version", "entity", "book", "account", "bank_account", "counterpart", "fund_source")  # fmt: skip
_DAY: Final = ("entity", "book", "account", "bank_account", "counterpart", "fund_source", "fiscal_year", "period", "day")  # fmt: skip
#: kind of line -> members of its key, members that are amounts
_SHAPES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "balance": (_BALANCE, ("balance", "committed", "floor")),
    "day": (_DAY, ("debit", "credit")),
    "budget_line": (("fiscal_year", "id", "bucket_id"), ("ceiling", "reserved", "spent", "allowance")),
    "release": (("fiscal_year", "id"), ("released", "reserved", "spent", "allowance")),
    "budget_day": (("budget_line", "kind", "day"), ("spent",)),
}  # fmt: skip


def compare_claims(replay: Replay, size: int) -> None:
    """Recompute every balance and counter, compare, and say what was shown."""
    mine = _Mine(replay)
    verdict = replay.verdict
    verdict.figures |= {"balances": len(mine.balances)}
    whole = not replay.unread and replay.acts_are_whole
    if not replay.unread:
        cash = sorted((key[4], sen) for key, sen in mine.balances.items() if key[4])
        verdict.balances = [(bank, amount_text(sen)) for bank, sen in cash]
    if not replay.log.exists(_PATH):
        verdict.not_checked.append("what the system claims its balances are: the file is not here")
        return
    before = verdict.failure_count
    notes = _Notes(whole=whole)
    try:
        _read(replay, size, mine, notes)
    except (NotCanonicalError, ValueError, KeyError, TypeError, OSError) as error:
        _fail(replay, notes, "malformed_claim", str(error))
        verdict.not_checked.append("what the system claims from there on")
        return
    for kind, expected in mine.expected.items():
        for key, amounts in expected.rest():
            if any(amounts):
                _fail(replay, notes, "claim_missing", f"{_name(kind, key)}: the leaves give"
                      f" {_texts(amounts)}, the system claims nothing")  # fmt: skip
    verdict.figures |= {"days": mine.expected["day"].count}
    told = replay.acts.documents.payments.committed
    for bank in sorted({*told, *notes.committed}):
        want, have = told.get(bank, 0), notes.committed.get(bank, 0)
        if want != have:
            _fail(
                replay,
                notes,
                "claim_differs",
                f"cash of {bank} set aside for orders: the leaves give"
                f" {amount_text(want)}, the system claims {amount_text(have)}",
            )
    _say(replay, mine, notes, same=verdict.failure_count == before)


class _Mine:
    """What the leaves give, by the keys of the claims."""

    def __init__(self, replay: Replay) -> None:
        sums = replay.sums
        self.balances = balances_of(sums, replay.acts.years)
        self.spent: dict[str, int] = {}
        for (line, _), by_day in sums.spent.items():
            self.spent[line] = self.spent.get(line, 0) + sum(by_day.values())
        self.reserved = replay.acts.documents.reserved
        self.expected: dict[str, Expected] = {
            "balance": Balances(self.balances),
            "day": Days(sums),
            "budget_day": BudgetDays(sums),
        }


class _Notes:
    """What the claims hold beyond what the leaves were compared with."""

    def __init__(self, *, whole: bool) -> None:
        self.whole = whole  # whether the leaves give everything
        self.unexplained = 0
        self.committed: dict[str, int] = {}
        self.widened: list[str] = []
        self.lines = 0
        self.bucket_of: dict[str, str] = {}
        self.in_buckets: dict[str, list[int]] = {}


def _compare(
    claim: dict[str, Any],
    mine: _Mine,
    notes: _Notes,
    replay: Replay,
) -> None:
    kind = claim["t"]
    key_members, amount_members = _SHAPES[kind]
    if claim.keys() != {"t", *key_members, *amount_members}:
        raise ValueError("a member is missing or unknown")
    key: Key = tuple(claim[member] for member in key_members)
    amounts = tuple(_sen(claim[member]) for member in amount_members)
    if kind == "budget_line":
        notes.lines += 1
        line_id, ceiling, reserved, spent, allowance = key[1], *amounts
        documents = replay.acts.documents
        used = (mine.reserved.get(line_id, 0), mine.spent.pop(line_id, 0))
        bucket = notes.in_buckets.setdefault(key[2], [0, 0])
        bucket[0] += used[0]
        bucket[1] += used[1]
        if used != (reserved, spent):
            _differs(replay, notes, kind, key, used, (reserved, spent))
        if documents.budgets_whole:
            loaded = (documents.ceilings.get(line_id, 0), documents.buckets.get(line_id))
            if loaded != (ceiling, key[2]):
                _fail(
                    replay,
                    notes,
                    "claim_differs",
                    f"{_name(kind, key)}: the budget files give"
                    f" {amount_text(loaded[0])} of release {loaded[1]}",
                )
        if reserved + spent > ceiling + allowance:
            _fail(replay, notes, "over_ceiling", f"{_name(kind, key)}: over its ceiling")
        if allowance:
            notes.widened.append(f"budget line {line_id} by {amount_text(allowance)}")
        return
    if kind == "release":
        released, reserved, spent, allowance = amounts
        wanted_pair = tuple(notes.in_buckets.get(key[1], [0, 0]))
        if wanted_pair != (reserved, spent):
            _differs(replay, notes, kind, key, wanted_pair, (reserved, spent))
        documents = replay.acts.documents
        if documents.budgets_whole and documents.released.get(key[1], 0) != released:
            _differs(replay, notes, kind, key, (documents.released.get(key[1], 0),), (released,))
        if reserved + spent > released + allowance:
            _fail(replay, notes, "over_release", f"{_name(kind, key)}: over what was released")
        if allowance:
            notes.widened.append(f"release {key[1]} by {amount_text(allowance)}")
        return
    if kind == "balance":
        amounts, (committed, floor) = amounts[:1], amounts[1:]
        if key[4]:
            notes.committed[key[4]] = notes.committed.get(key[4], 0) + committed
        if floor:
            notes.widened.append(f"cash of {key[4]} down to {amount_text(floor)}")
    want = mine.expected[kind].take(key, len(amounts))
    if want != amounts:
        _differs(replay, notes, kind, key, want, amounts)


def _say(replay: Replay, mine: _Mine, notes: _Notes, *, same: bool) -> None:
    verdict, figures = replay.verdict, replay.verdict.figures
    same = same and notes.whole
    for line_id, sen in mine.spent.items():
        if sen:
            same = False
            _fail(
                replay,
                notes,
                "claim_missing",
                f"budget line {line_id}: the leaves spent {amount_text(sen)}",
            )
    if same:
        verdict.proven.append(
            f"{figures['balances']} balances and {figures['days']} sums of days, recomputed from the"
            " leaves alone, are what the system claims, to the sen"
        )
        if notes.lines:
            verdict.proven.append(
                f"ceilings, releases, reservations and spending of {notes.lines} budget lines follow"
                " from the budget files, documents and journals in the log"
            )
    if not notes.whole:
        differ = "differs" if notes.unexplained == 1 else "differ"
        more = (
            f" ({notes.unexplained} {differ} from what the rest gives)" if notes.unexplained else ""
        )
        verdict.not_checked.append(
            "what the system claims its balances and counters are: not all that they follow from could"
            f" be read{more}"
        )
    if notes.lines and not replay.acts.documents.budgets_whole:
        verdict.not_checked.append("ceilings and releases: a budget file's entries are not here")
    if notes.widened:
        verdict.not_checked.append(
            "limits widened by facts or by two persons, to be looked at: "
            + "; ".join(notes.widened)
        )


def _read(replay: Replay, size: int, mine: _Mine, notes: _Notes) -> None:
    """Every claim between the first line and the last, which says how many there are."""
    count, told, number = 0, -1, 0
    expected: Expected | None = None
    lines = replay.log.lines(_PATH)
    while True:
        # As many lines as are due together; when they are not those, each is looked at.
        due = expected.lines if expected is not None and expected.is_whole() else 0
        block = list(islice(lines, due or 1))
        if not block:
            break
        if expected is not None and due and b"".join(block) == expected.block:
            expected.step()
            number += due
            count += due
            continue
        for line in block:
            number += 1
            try:
                claim = _parse(line)
                kind = _place(claim, number, ended=told >= 0)
                if kind == "books":
                    _check_head(claim, replay, size)
                elif kind == "end":
                    told, expected = claim["claims"], None
                else:
                    _compare(claim, mine, notes, replay)
                    expected = mine.expected.get(kind)
                    count += 1
            except (NotCanonicalError, ValueError, KeyError, TypeError) as error:
                raise ValueError(f"line {number}: {error}") from error
    if told != count:
        raise ValueError(f"the file was cut: {told} claims are told, {count} are there")


def _place(claim: dict[str, Any], number: int, *, ended: bool) -> str:
    """The kind of a line, where it may stand."""
    kind: str = claim["t"]
    if ended or (kind == "books") != (number == 1):
        raise ValueError(f"a line of kind {kind!r} may not stand here")
    return kind


def _parse(line: bytes) -> dict[str, Any]:
    if not line.endswith(b"\n"):
        raise ValueError("the line does not end in LF")
    claim = parse_canonical(line[:-1])
    if not isinstance(claim, dict) or not isinstance(claim.get("t"), str):
        raise TypeError("not a claim")
    return claim


def _check_head(claim: dict[str, Any], replay: Replay, size: int) -> None:
    wanted = {
        "t": "books",
        "version": 1,
        "government": replay.government.decode(),
        "origin": replay.origin,
        "size": size,
    }
    if claim != wanted:
        raise ValueError("it belongs to another log, or to another size of it")


def _differs(
    replay: Replay,
    notes: _Notes,
    kind: str,
    key: Key,
    want: tuple[int, ...],
    have: tuple[int, ...],
) -> None:
    _fail(
        replay,
        notes,
        "claim_differs",
        f"{_name(kind, key)}: the leaves give {_texts(want)}, the system claims {_texts(have)}",
    )


def _fail(replay: Replay, notes: _Notes, code: str, message: str) -> None:
    """Something is wrong; but leaves that could not be read may be why the others give less."""
    if not notes.whole and code in ("claim_differs", "claim_missing"):
        notes.unexplained += 1
    else:
        replay.verdict.fail(Failure(code, message, path=_PATH))


def _name(kind: str, key: Key) -> str:
    return f"{kind.replace('_', ' ')} of {' '.join(str(part) for part in key if part != '')}"


def _sen(text: object) -> int:
    if not isinstance(text, str) or not _AMOUNT.fullmatch(text):
        raise ValueError("an amount has another shape")
    return int(text[:-3] + text[-2:])


def _texts(amounts: tuple[int, ...]) -> str:
    return " / ".join(map(amount_text, amounts))
