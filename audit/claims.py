"""
Compare what the replay of the leaves gives with what the system claims (`books/balances.jsonl`).

Pure but for reading that file. Both ways: a balance that the leaves don't give is as wrong as one
that the system doesn't claim. A row that is zero may stand in either and be missing in the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from audit.canonical import parse_canonical
from audit.errors import NotCanonicalError
from audit.verdict import Failure

if TYPE_CHECKING:
    from audit.replay import Replay

__all__ = ["compare_claims", "line_fields"]

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

_Key = tuple[Any, ...]


def compare_claims(replay: Replay, size: int) -> None:
    """Recompute every balance and counter, compare, and say what was shown."""
    mine = _Mine(replay)
    verdict = replay.verdict
    verdict.figures |= {"balances": len(mine.balances), "days": len(mine.days)}
    cash = sorted((k[4], sen) for k, (sen,) in mine.balances.items() if k[4])
    verdict.balances = [(bank, _text(sen)) for bank, sen in cash]
    if not replay.log.exists(_PATH):
        verdict.not_checked.append("what the system claims its balances are: the file is not here")
        return
    before = verdict.failure_count
    notes = _Notes()
    expected: dict[str, dict[_Key, tuple[int, ...]]] = {
        "balance": mine.balances,
        "day": mine.days,
        "budget_day": mine.budget_days,
    }
    try:
        _read(replay, size, lambda claim: _compare(claim, expected, mine, notes, replay))
    except (NotCanonicalError, ValueError, KeyError, TypeError) as error:
        _fail(replay, "malformed_claim", str(error))
        return
    for kind, rest in expected.items():
        for key, amounts in rest.items():
            if any(amounts):
                _fail(replay, "claim_missing", f"{_name(kind, key)}: the leaves give"
                      f" {_texts(amounts)}, the system claims nothing")  # fmt: skip
    told = replay.acts.documents.committed
    for bank in sorted({*told, *notes.committed}):
        want, have = told.get(bank, 0), notes.committed.get(bank, 0)
        if want != have:
            _fail(
                replay,
                "claim_differs",
                f"cash of {bank} set aside for orders: the leaves give"
                f" {_text(want)}, the system claims {_text(have)}",
            )
    _say(replay, mine, notes, same=verdict.failure_count == before)


def line_fields(key: bytes) -> list[str]:
    """The eight texts of a line without its amount; "" for those left out."""
    return [*json.loads(b'["' + key + b"]"), "", "", "", "", ""][:8]


class _Mine:
    """What the leaves give, by the keys of the claims."""

    def __init__(self, replay: Replay) -> None:
        self.balances: dict[_Key, tuple[int, ...]] = {}
        self.days: dict[_Key, tuple[int, ...]] = {}
        self.spent: dict[str, int] = {}
        self.budget_days: dict[_Key, tuple[int, ...]] = {
            key: (sen,) for key, sen in replay.budget_days.items()
        }
        self.reserved = replay.acts.documents.reserved
        balances: dict[_Key, int] = {}
        fields_of: dict[bytes, list[str]] = {}
        for (year_text, period, day), sums_of in replay.days.items():
            year, on = int(year_text), day.decode("ascii", "replace")
            version = replay.acts.years.get(year, "")
            for line, sums in sums_of.items():
                fields = fields_of.get(line)
                if fields is None:
                    fields = fields_of[line] = line_fields(line)
                entity, book, account, bank, counterpart, fund, budget_line, _ = fields
                debit, credit = sums[0], sums[1]
                key: _Key = (entity, book, account, bank, counterpart, fund, year, int(period), on)
                old = self.days.get(key, (0, 0))
                self.days[key] = (old[0] + debit, old[1] + credit)
                if bank:  # cash stands per bank account, whatever else a line names
                    key = (version, entity, "FIN", account, bank, "", "")
                else:
                    key = (version, entity, book, account, "", counterpart, fund)
                balances[key] = balances.get(key, 0) + debit - credit
                if budget_line:
                    self.spent[budget_line] = self.spent.get(budget_line, 0) + debit - credit
        self.balances = {key: (sen,) for key, sen in balances.items()}


class _Notes:
    """What the claims hold beyond what the leaves were compared with."""

    def __init__(self) -> None:
        self.committed: dict[str, int] = {}
        self.widened: list[str] = []
        self.lines = 0
        self.bucket_of: dict[str, str] = {}
        self.in_buckets: dict[str, list[int]] = {}


def _compare(
    claim: dict[str, Any],
    expected: dict[str, dict[_Key, tuple[int, ...]]],
    mine: _Mine,
    notes: _Notes,
    replay: Replay,
) -> None:
    kind = claim["t"]
    key_members, amount_members = _SHAPES[kind]
    if claim.keys() != {"t", *key_members, *amount_members}:
        raise ValueError("a member is missing or unknown")
    key: _Key = tuple(claim[member] for member in key_members)
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
            _differs(replay, kind, key, used, (reserved, spent))
        if documents.budgets_whole:
            loaded = (documents.ceilings.get(line_id, 0), documents.buckets.get(line_id))
            if loaded != (ceiling, key[2]):
                _fail(
                    replay,
                    "claim_differs",
                    f"{_name(kind, key)}: the budget files give"
                    f" {_text(loaded[0])} of release {loaded[1]}",
                )
        if reserved + spent > ceiling + allowance:
            _fail(replay, "over_ceiling", f"{_name(kind, key)}: over its ceiling")
        if allowance:
            notes.widened.append(f"budget line {line_id} by {_text(allowance)}")
        return
    if kind == "release":
        released, reserved, spent, allowance = amounts
        wanted_pair = tuple(notes.in_buckets.get(key[1], [0, 0]))
        if wanted_pair != (reserved, spent):
            _differs(replay, kind, key, wanted_pair, (reserved, spent))
        documents = replay.acts.documents
        if documents.budgets_whole and documents.released.get(key[1], 0) != released:
            _differs(replay, kind, key, (documents.released.get(key[1], 0),), (released,))
        if reserved + spent > released + allowance:
            _fail(replay, "over_release", f"{_name(kind, key)}: over what was released")
        if allowance:
            notes.widened.append(f"release {key[1]} by {_text(allowance)}")
        return
    if kind == "balance":
        amounts, (committed, floor) = amounts[:1], amounts[1:]
        if key[4]:
            notes.committed[key[4]] = notes.committed.get(key[4], 0) + committed
        if floor:
            notes.widened.append(f"cash of {key[4]} down to {_text(floor)}")
    want = expected[kind].pop(key, tuple(0 for _ in amounts))
    if want != amounts:
        _differs(replay, kind, key, want, amounts)


def _say(replay: Replay, mine: _Mine, notes: _Notes, *, same: bool) -> None:
    verdict, figures = replay.verdict, replay.verdict.figures
    for line_id, sen in mine.spent.items():
        if sen:
            same = False
            _fail(replay, "claim_missing", f"budget line {line_id}: the leaves spent {_text(sen)}")
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
    if notes.lines and not replay.acts.documents.budgets_whole:
        verdict.not_checked.append("ceilings and releases: a budget file's entries are not here")
    if notes.widened:
        verdict.not_checked.append(
            "limits widened by facts or by two persons, to be looked at: "
            + "; ".join(notes.widened)
        )


def _read(replay: Replay, size: int, compare: Callable[[dict[str, Any]], None]) -> None:
    """Every claim between the first line and the last, which says how many there are."""
    count, told = 0, -1
    for number, line in enumerate(replay.log.lines(_PATH), start=1):
        try:
            claim = _parse(line)
            kind = _place(claim, number, ended=told >= 0)
            if kind == "books":
                _check_head(claim, replay, size)
            elif kind == "end":
                told = claim["claims"]
            else:
                compare(claim)
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
    replay: Replay, kind: str, key: _Key, want: tuple[int, ...], have: tuple[int, ...]
) -> None:
    _fail(
        replay,
        "claim_differs",
        f"{_name(kind, key)}: the leaves give {_texts(want)}, the system claims {_texts(have)}",
    )


def _fail(replay: Replay, code: str, message: str) -> None:
    replay.verdict.fail(Failure(code, message, path=_PATH))


def _name(kind: str, key: _Key) -> str:
    return f"{kind.replace('_', ' ')} of {' '.join(str(part) for part in key if part != '')}"


def _sen(text: object) -> int:
    if not isinstance(text, str) or not _AMOUNT.fullmatch(text):
        raise ValueError("an amount has another shape")
    return int(text[:-3] + text[-2:])


def _text(sen: int) -> str:
    digits = f"{abs(sen):03d}"
    return f"{'-' if sen < 0 else ''}{digits[:-2]}.{digits[-2:]}"


def _texts(amounts: tuple[int, ...]) -> str:
    return " / ".join(map(_text, amounts))
