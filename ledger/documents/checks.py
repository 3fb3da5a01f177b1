"""
The checks before money moves (domain reference 2.3), as a list of named rules.

Pure. Each rule looks at the facts that the shell read in this transaction and either answers with
the values it used or raises the refusal. The answers are kept with the move: an inspector sees not
only that a check ran but on which figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from audit.canonical import JsonInput
from ledger.documents.content import Content
from ledger.documents.errors import SpmNotAcceptedError, SpmOutOfDateError, SpmUsedError
from ledger.documents.withholdings import check_totals
from ledger.errors import OverCashError, OverCeilingError, OverReleaseError, OwnApprovalError
from ledger.money import sen_text
from ledger.settings import Grant, Settings

__all__ = ["RULES", "BucketRoom", "Facts", "LineRoom", "Rule", "run_checks"]


@dataclass(frozen=True, slots=True)
class LineRoom:
    """A budget line and what the document asks of it, in sen."""

    id: str
    bucket: str
    ceiling: int
    allowance: int
    reserved: int
    spent: int
    asked: int


@dataclass(frozen=True, slots=True)
class BucketRoom:
    """Released funds and what the document asks of them over all its lines, in sen."""

    id: str
    line: str
    released: int
    allowance: int
    reserved: int
    spent: int
    asked: int


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What the rules look at. *reserved_here*: the document's amounts are among the reserved already.

    hands: (what, person) of the hands so far, the SPM's signer first. `act_as` is this one's.
    """

    act: str
    act_as: str
    by: str
    grant: Grant | None
    today: str
    document: str
    content: Content
    settings: Settings
    hands: Sequence[tuple[str, str]] = ()
    lines: Sequence[LineRoom] = ()
    buckets: Sequence[BucketRoom] = ()
    reserved_here: bool = False
    cash_available: int = 0
    #: The SPM of an SP2D: (id, dated_on, state), and the SP2D that used it, if one did.
    spm: tuple[str, str, str] | None = None
    spm_used_by: str = ""
    envelope_sha256: str = ""


Values = dict[str, JsonInput]


@dataclass(frozen=True, slots=True)
class Rule:
    """A named rule, the acts it runs at, and whether it can block."""

    id: str
    says: str
    acts: frozenset[str]
    decide: Callable[[Facts], Values]
    blocks: bool = True


def _order_exists(facts: Facts) -> Values:
    """C01: an accepted SPM, used by nobody else."""
    if facts.spm is None:
        return {"spm": facts.document, "signed": facts.envelope_sha256}
    spm, _, state = facts.spm
    if state != "accepted":
        raise SpmNotAcceptedError(spm=spm, state=state)
    if facts.spm_used_by:
        raise SpmUsedError(spm=spm, sp2d=facts.spm_used_by)
    return {"spm": spm, "state": state}


def _ceiling(facts: Facts) -> Values:
    """C02: realisation, reservations and this stay within each line's ceiling."""
    shown: dict[str, JsonInput] = {}
    for line in facts.lines:
        room = line.ceiling + line.allowance - line.reserved - line.spent
        room += line.asked if facts.reserved_here else 0
        if line.asked > room:
            raise OverCeilingError(
                budget_line=line.id, remaining=sen_text(max(room, 0)), asked=sen_text(line.asked)
            )
        shown[line.id] = {
            "ceiling": sen_text(line.ceiling + line.allowance),
            "reserved": sen_text(line.reserved),
            "spent": sen_text(line.spent),
            "asked": sen_text(line.asked),
        }
    return {"lines": shown}


def _release(facts: Facts) -> Values:
    """C03: the same within the funds released (SPD)."""
    shown: dict[str, JsonInput] = {}
    for bucket in facts.buckets:
        room = bucket.released + bucket.allowance - bucket.reserved - bucket.spent
        room += bucket.asked if facts.reserved_here else 0
        if bucket.asked > room:
            raise OverReleaseError(
                budget_line=bucket.line,
                bucket=bucket.id,
                remaining=sen_text(max(room, 0)),
                asked=sen_text(bucket.asked),
            )
        shown[bucket.id] = {
            "released": sen_text(bucket.released + bucket.allowance),
            "reserved": sen_text(bucket.reserved),
            "spent": sen_text(bucket.spent),
            "asked": sen_text(bucket.asked),
        }
    return {"buckets": shown}


def _cash(facts: Facts) -> Values:
    """C05: the RKUD holds the net, less what is signed and not yet paid."""
    asked = facts.content.net_sen
    if asked > facts.cash_available:
        raise OverCashError(
            bank_account=facts.content.bank_account,
            available=sen_text(max(facts.cash_available, 0)),
            asked=sen_text(asked),
        )
    return {
        "bank_account": facts.content.bank_account,
        "available": sen_text(facts.cash_available),
        "asked": sen_text(asked),
    }


def _arithmetic(facts: Facts) -> Values:
    """C06: lines, deductions and payees add up."""
    content = facts.content
    check_totals(content)
    return {
        "gross": sen_text(content.gross_sen),
        "deductions": sen_text(content.deduction_sen),
        "net": sen_text(content.net_sen),
        "payees": len(content.payees),
    }


def _billing(facts: Facts) -> Values:
    """C12: each tax withheld (2.1.01.05, 2.1.01.06) names its ID billing. Warns."""
    taxes = ("2.1.01.05.", "2.1.01.06.")
    missing = [
        d.account for d in facts.content.deductions if d.account.startswith(taxes) and not d.billing
    ]
    return {"without_billing": missing}


def _dates(facts: Facts) -> Values:
    """C13: today's period is open, the order is of this fiscal year and not after today."""
    today, content = facts.today, facts.content
    facts.settings.check_open(int(today[:4]), int(today[5:7]))
    spm, dated_on = facts.spm[:2] if facts.spm else (facts.document, content.dated_on)
    if dated_on > today or content.fiscal_year != int(today[:4]):
        raise SpmOutOfDateError(spm=spm, dated_on=dated_on, today=today)
    return {"today": today, "dated_on": dated_on, "fiscal_year": content.fiscal_year}


def _hands(facts: Facts) -> Values:
    """C14 (SOD-1, SOD-2, SOD-9): each hand another person, each in a grant of today."""
    for first, person in facts.hands:
        if person == facts.by:
            raise OwnApprovalError(person=person, first=first, second=facts.act_as)
    grant = facts.grant
    return {
        "hands": [[hand, person] for hand, person in facts.hands],
        "as": facts.act_as,
        "grant": grant.id if grant else "",
        "mandate": grant.mandate if grant else "",
    }


_REGISTER: Final = frozenset({"spm.register"})
_ACCEPT: Final = frozenset({"spm.accept"})
_DRAFT: Final = frozenset({"sp2d.draft"})
_APPROVALS: Final = frozenset({"sp2d.verify", "sp2d.sign", "sp2d.import"})
_LISTS: Final = frozenset({"advice_list.verify", "advice_list.sign"})
_SECOND: Final = frozenset({"spm.sign", "sp2d.cancel"})

#: In the order an officer would look; the first refusal is the answer.
RULES: Final[tuple[Rule, ...]] = (
    Rule("C14", "hands are different persons", _ACCEPT | _APPROVALS | _LISTS | _SECOND, _hands),
    Rule("C01", "an accepted, unused SPM", _ACCEPT | _DRAFT | _APPROVALS, _order_exists),
    Rule("C13", "open period, order of this year", _ACCEPT | _DRAFT | _APPROVALS, _dates),
    Rule("C06", "sums agree", _REGISTER | _ACCEPT | _DRAFT | _APPROVALS, _arithmetic),
    Rule("C02", "within the ceiling", _ACCEPT | _APPROVALS, _ceiling),
    Rule("C03", "within the release", _ACCEPT | _APPROVALS, _release),
    Rule("C05", "within the cash", _APPROVALS, _cash),
    Rule("C12", "taxes name their billing", _DRAFT | _APPROVALS, _billing, blocks=False),
)


def run_checks(facts: Facts) -> list[dict[str, JsonInput]]:
    """
    Run every rule of this act; `{"rule", "outcome", "values"}` each, in order.

    Raises:
        LedgerError: The refusal of the first rule that blocks.
    """
    results: list[dict[str, JsonInput]] = []
    for rule in RULES:
        if facts.act not in rule.acts:
            continue
        values = rule.decide(facts)
        outcome = "pass"
        if not rule.blocks and any(values.values()):
            outcome = "warn"
        results.append({"rule": rule.id, "outcome": outcome, "values": values})
    return results
