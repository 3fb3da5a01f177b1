"""
What the leaves say of settings, people and their hands: the part of the replay that journals and
documents are held against. Standard library and `cryptography` only.

Facts are dated by their place in the log, never by a clock: whoever acts at leaf n must have been
appointed by a leaf before n.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any, Final, NamedTuple

from audit.canonical import Json, canonical, parse_canonical
from audit.keys import officer_key_id, verify_possession
from audit.replay_documents import Documents, OfficerKey
from audit.verdict import Verdict

__all__ = ["Acts"]

Fail = Callable[..., None]
Attachment = Callable[[int, str], bytes | None]

# Indonesia has three zones without summer time; an inspector's machine may have no zone database.
_ZONES: Final = {"Asia/Jakarta": 7, "Asia/Pontianak": 7, "Asia/Makassar": 8, "Asia/Jayapura": 9}

#: The leaf that each proposed act ends in.
_DONE_BY: Final = {
    "person.add": "person.added",
    "grant.give": "grant.given",
    "grant.end": "grant.ended",
    "officer_key.enroll": "officer_key.enrolled",
    "officer_key.revoke": "officer_key.revoked",
    "policy.set": "policy.set",
    "entity.add": "entity.added",
    "bank_account.add": "bank_account.added",
    "fiscal_year.open": "fiscal_year.opened",
    "journal.manual": "proposal.confirmed",
    "journal.reverse": "proposal.confirmed",
    "payee.erase": "payee.erased",
    "allowance.set": "allowance.set",
    "payment.settled": "payment.settled",
    "match.made": "match.made",
    "match.undone": "match.undone",
    "statement.superseded": "statement.superseded",
}


class _Grant(NamedTuple):
    role: str
    skpd: str
    valid_from: str
    valid_to: str


@dataclass(slots=True)
class _Proposal:
    act: str
    by: str
    content: Json
    index: int
    ended: bool = False


class Acts:
    """Settings, people and documents as the leaves before the present one made them."""

    def __init__(
        self, origin: str, attachment: Attachment, fail: Fail, lost: Callable[[], None]
    ) -> None:
        self.years: dict[int, str] = {}
        self._charts_missing: list[str] = []
        self.sealed: set[tuple[int, int]] = set()
        self.entities: dict[str, str] = {}
        self.bank_accounts: dict[str, str] = {}
        self.policies: list[tuple[str, str, str]] = []
        self.erased: set[str] = set()
        self.allowances = 0
        self.two_hands = 0
        self._origin = origin
        self._base = 0
        self._attachment = attachment
        self._fail = fail
        self._zone = timedelta(hours=7)
        self._zone_known = True
        self._charts: dict[str, dict[str, tuple[int, str, str]]] = {}
        self._persons: dict[str, str] = {}
        self._grants: dict[str, dict[str, _Grant]] = {}
        self._keys: dict[str, OfficerKey] = {}
        self._proposals: dict[str, _Proposal] = {}
        self.documents = Documents(
            origin, attachment, fail, lost, self._keys, self.holds, self._proposed_at
        )
        self._apply: dict[str, Callable[[int, str, str, dict[str, Any]], None]] = {
            "book.opened": self._book_opened,
            "book.recovered": self.documents.recovered,
            "chart.loaded": self._chart_loaded,
            "entity.added": self._entity_added,
            "bank_account.added": self._bank_account_added,
            "fiscal_year.opened": self._year_opened,
            "policy.set": self._policy_set,
            "period.sealed": self._period_sealed,
            "allowance.set": self._allowance_set,
            "person.added": self._person_added,
            "grant.given": self._grant_given,
            "grant.ended": self._grant_ended,
            "officer_key.enrolled": self._key_enrolled,
            "officer_key.revoked": self._key_revoked,
            "proposal.made": self._proposal_made,
            "payee.erased": self._payee_erased,
            "document.moved": self.documents.moved,
            "payment.settled": self.documents.payments.moved,
            "payment.rerouted": self.documents.payments.moved,
            "payment.called": self.documents.payments.called,
            "payment.answered": self.documents.payments.answered,
            "budget.loaded": self.documents.budget_loaded,
        }

    def begin_shard(self, base: int, origin: str) -> None:
        """The log goes on as *origin*; what is signed from here on names that."""
        self._base, self._origin = base, origin
        self.documents.origin = origin

    def apply(
        self, index: int, act: str, by: str, at: str, data: dict[str, Json], version: int = 1
    ) -> None:
        """One leaf. KeyError, TypeError, ValueError or AuditError: its data has another shape."""
        if act != "book.opened" and not self.is_person(by):
            self._fail("unknown_person", f"{act} by {by!r}, who is nobody by then", index)
        if "proposal" in data and act != "proposal.made":
            self._check_proposal(index, act, by, data)
        elif "confirmed_by" in data and data["confirmed_by"] == data.get("proposed_by", by):
            self._fail("same_person", f"{act}: {by} was both hands", index)
        self.documents.today = self.local_day(at)
        if (act == "book.recovered") != (self._base > 0 and index == self._base):
            self._fail("leaf_order", "a shard begins by saying what was recovered", index)
        if act == "payment.moved":
            self.documents.payments.recorded(index, by, data, version)
        handler = self._apply.get(act)
        if handler is not None:
            handler(index, by, act, data)

    # --- what others ask ----------------------------------------------------------------------

    def is_person(self, person: str) -> bool:
        """Whether *person* was added before."""
        return person in self._persons

    def holds(self, person: str, role: str, on: str, skpd: str = "") -> bool:
        """Whether *person* holds *role* on that day, for *skpd* where one is named."""
        return any(
            grant.role == role
            and grant.valid_from <= on <= grant.valid_to
            and (not skpd or grant.skpd in ("", skpd))
            for grant in self._grants.get(person, {}).values()
        )

    def local_day(self, at: str) -> str:
        """The government's date at an instant."""
        instant = datetime.fromisoformat(at.removesuffix("Z")).replace(tzinfo=timezone.utc)  # noqa: UP017  # reads best beside timedelta
        return (instant + self._zone).date().isoformat()

    def account_in(self, year: int, account: str) -> tuple[str, str, str]:
        """
        Why no line of *year* may stand on *account* ("" when one may, or when no chart came along);
        from when and until when one may, where that is not the whole year.
        """
        version = self.years.get(year)
        chart = self._charts.get(version) if version is not None else None
        if not chart:
            return "", "", ""
        known = chart.get(account)
        if known is None:
            return "it is not in the chart of accounts", "", ""
        level, valid_from, valid_to = known
        if level != 6:
            return "it may not be posted to", "", ""
        first, last = f"{year:04d}-01-01", f"{year:04d}-12-31"
        return (
            "",
            valid_from if valid_from > first else "",
            "" if not valid_to or valid_to >= last else valid_to,
        )

    def payment_kind(self, document: str) -> str:
        """The kind of payment that a document orders; empty when it is not known."""
        return self.documents.payment_kind(document)

    def journal_of_document(self, index: int, number: int, document: str, source: str) -> None:
        """A journal says which document it belongs to; the document's move must say the same."""
        self.documents.journal(index, number, document, source)

    # --- book and settings ----------------------------------------------------------------------

    def _book_opened(self, index: int, by: str, _act: str, data: dict[str, Any]) -> None:
        if index != 0:
            self._fail("leaf_order", "a book is opened by the first leaf only", index)
        if data["origin"] != self._origin:
            self._fail("other_log", f"the book was opened as log {data['origin']!r}", index)
        zone = data["zone"]
        self._zone_known = zone in _ZONES
        self._zone = timedelta(hours=_ZONES.get(zone, 7))
        for person in {by, *data["administrators"]}:
            self._persons[person] = "officer"

    def _chart_loaded(self, index: int, _by: str, _act: str, data: dict[str, Any]) -> None:
        content = self._attachment(index, data["sha256"])
        chart: dict[str, tuple[int, str, str]] = {}
        self._charts[data["version"]] = chart
        if content is None:
            self._charts_missing.append(data["version"])
            return
        for line in content.split(b"\n")[:-1]:
            row = parse_canonical(line)
            if not isinstance(row, list) or len(row) != 9:
                raise ValueError("a row of the chart has another shape")
            code, level, valid_from, valid_to = (str(row[n]) for n in (0, 3, 7, 8))
            chart[code] = (int(level), valid_from, valid_to)
        if len(chart) != data["accounts"]:
            self._fail("chart_differs", f"it has {len(chart)} accounts", index)

    def _entity_added(self, _index: int, _by: str, _act: str, data: dict[str, Any]) -> None:
        self.entities[data["code"]] = data["kind"]

    def _bank_account_added(self, _index: int, _by: str, _act: str, data: dict[str, Any]) -> None:
        self.bank_accounts[data["id"]] = data["account"]

    def _year_opened(self, _index: int, _by: str, _act: str, data: dict[str, Any]) -> None:
        self.years[int(data["year"])] = str(data["chart_version"])

    def _policy_set(self, _index: int, _by: str, _act: str, data: dict[str, Any]) -> None:
        self.policies.append((data["name"], data["valid_from"], data["value"]))
        if data["name"] == "channel":
            account, _, channel = str(data["value"]).partition(" ")
            self.documents.payments.channels.append((data["valid_from"], account, channel))

    def _period_sealed(self, index: int, _by: str, _act: str, data: dict[str, Any]) -> None:
        period = (int(data["fiscal_year"]), int(data["period"]))
        if period in self.sealed:
            self._fail("period_sealed", f"period {data['period']} was sealed before", index)
        self.sealed.add(period)

    def _allowance_set(self, _index: int, _by: str, _act: str, _data: dict[str, Any]) -> None:
        self.allowances += 1

    # --- people ---------------------------------------------------------------------------------

    def _person_added(self, _index: int, _by: str, _act: str, data: dict[str, Any]) -> None:
        self._persons[data["person"]] = data["kind"]

    def _grant_given(self, index: int, _by: str, _act: str, data: dict[str, Any]) -> None:
        if data["person"] not in self._persons:
            self._fail("unknown_person", f"a grant to {data['person']!r}, who is nobody", index)
        held = self._grants.setdefault(data["person"], {})
        held[data["grant"]] = _Grant(
            data["role"], data["skpd"], data["valid_from"], data["valid_to"]
        )

    def _grant_ended(self, index: int, _by: str, _act: str, data: dict[str, Any]) -> None:
        for held in self._grants.values():
            grant = held.get(data["grant"])
            if grant is not None:
                last = date.fromisoformat(data["ended_on"]) - timedelta(days=1)
                held[data["grant"]] = grant._replace(valid_to=min(grant.valid_to, last.isoformat()))
                return
        self._fail("unknown_grant", f"grant {data['grant']!r} was never given", index)

    def _key_enrolled(self, index: int, _by: str, _act: str, data: dict[str, Any]) -> None:
        public = bytes.fromhex(data["public_key"])
        person, key_id = data["person"], data["key_id"]
        challenge = f"rkud officer key enrolment\n{data['origin']}\n{person}\n".encode()
        # Raises when the key is weak or nobody showed to hold it.
        verify_possession(public, challenge, bytes.fromhex(data["possession"]))
        if key_id != officer_key_id(public) or key_id in self._keys:
            self._fail("wrong_key", f"key {key_id!r} is misnamed or enrolled before", index)
        if data.get("confirmed_by") == person:
            self._fail("same_person", f"{person} confirmed the own key", index)
        self._keys[key_id] = OfficerKey(person, public, index)

    def _key_revoked(self, index: int, _by: str, _act: str, data: dict[str, Any]) -> None:
        key = self._keys.get(data["key_id"])
        if key is None or key.revoked_at is not None:
            self._fail("wrong_key", f"key {data['key_id']!r} is not enrolled", index)
        else:
            key.revoked_at = index

    # --- two hands ------------------------------------------------------------------------------

    def _proposal_made(self, index: int, by: str, _act: str, data: dict[str, Any]) -> None:
        content = data.get("content")
        if content is None and isinstance(name := data.get("content_sha256"), str):
            stored = self._attachment(index, name)
            content = None if stored is None else parse_canonical(stored)
        if data["proposal"] in self._proposals:
            self._fail("wrong_proposal", "a proposal of this name was made before", index)
        self._proposals[data["proposal"]] = _Proposal(data["act"], by, content, index)

    def _proposed_at(self, proposal: str) -> int | None:
        made = self._proposals.get(proposal)
        return made.index if made is not None else None

    def _check_proposal(self, index: int, act: str, by: str, data: Mapping[str, Any]) -> None:
        """What is done is what another person proposed before, and it is done once."""
        made = self._proposals.get(data["proposal"])
        if made is None or made.ended or made.by != data.get("proposed_by"):
            self._fail("wrong_proposal", f"{act}: nothing of the kind is proposed", index)
            return
        made.ended = True
        if act == "proposal.withdrawn":
            return
        self.two_hands += 1
        if by == made.by or by != data.get("confirmed_by"):
            self._fail("same_person", f"{act}: {by} may not confirm what {made.by} proposed", index)
        if _DONE_BY.get(made.act) != act:
            self._fail("wrong_proposal", f"{act} was done, {made.act} was proposed", index)
            return
        if not isinstance(made.content, dict) or act == "proposal.confirmed":
            return
        for name, value in made.content.items():
            if name == "commitments" and "commitments_sha256" in data:
                differs = sha256(canonical(value)).hexdigest() != data["commitments_sha256"]
            else:
                differs = data.get(name) != value
            if differs:
                self._fail("wrong_proposal", f"{act}: {name} is not what was proposed", index)

    def _payee_erased(self, _index: int, _by: str, _act: str, data: dict[str, Any]) -> None:
        listed = data.get("commitments")
        if listed is None:
            made = self._proposals.get(data["proposal"])
            if made is None or made.content is None:
                return  # which values is said by a proposal that is not here
            listed = made.content.get("commitments") if isinstance(made.content, dict) else None
        if not isinstance(listed, list):
            raise TypeError("which values were erased is missing")
        self.erased.update(str(text) for text in listed)

    # --- the end ----------------------------------------------------------------------------------

    def finish(self, verdict: Verdict, *, sound: bool) -> None:
        """Say what was shown of people and documents; proven is only what is *sound*."""
        for version in self._charts_missing:
            verdict.not_checked.append(
                f"whether lines stand on accounts of chart {version}: its rows are not here"
            )
        verdict.figures |= {"persons": len(self._persons), "officer_keys": len(self._keys)}
        if self.two_hands and sound:
            verdict.proven.append(f"{self.two_hands} two-person acts were done by two persons")
        if self.allowances:
            verdict.not_checked.append(
                f"{self.allowances} allowances were set by two persons: look at the reasons"
            )
        if not self._zone_known:
            verdict.not_checked.append(
                "grants by local date: the government's zone is not an Indonesian one"
            )
        self.documents.finish(verdict, sound=sound)
