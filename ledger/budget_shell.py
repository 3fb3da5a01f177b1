"""
Shell: load a budget or release file into the counters.

A load sets ceilings and releases to the file's figures; what the file doesn't name stands. The
leaf holds the digest of all entries, the entries are rows, and fsck derives every ceiling and
release from them. Room that is already reserved or spent can't be taken away.

The new figures are written at once, while reservations of earlier commands in the same batch wait
in memory for the flush: if a ceiling falls in the same transaction in which room was freed for it,
the row's CHECK refuses and the writer repeats the command by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import func, select

from audit import bulk
from ledger import tables as t
from ledger.answers import Idempotency
from ledger.budget import (
    BudgetFileLoadedError,
    BudgetLineChangedError,
    BudgetRow,
    CeilingBelowUseError,
    Entry,
    ReleaseBelowUseError,
    ReleaseRow,
    UnknownReleaseError,
    entries_of,
    entries_sha256,
)
from ledger.errors import (
    AccountNotPostableError,
    InvalidFieldError,
    UnknownAccountError,
    UnknownEntityError,
)
from ledger.money import sen_text
from ledger.position import Bucket, BudgetLine
from ledger.session import Answer, Session, Wants
from ledger.settings import Settings

__all__ = ["LoadBudget"]

_ENTRY_COLUMNS = tuple(t.budget_load_entry.c.keys())


class _LineContent(msgspec.Struct, forbid_unknown_fields=True):
    skpd: str
    sub_kegiatan: str
    account: str
    fund_source: str
    bucket: str


@dataclass(frozen=True, slots=True)
class LoadBudget:
    """
    Load a budget file's rows (role budget_officer).

    *file_sha256* and *rows* come from `parse_budget_jsonl` or `parse_budget_csv`.
    """

    by: str
    fiscal_year: int
    file_sha256: str
    rows: Sequence[BudgetRow | ReleaseRow]
    idempotency: Idempotency | None = None

    def wants(self, settings: Settings) -> Wants:  # noqa: ARG002  # the protocol's
        """Nothing: the lines are read with what decides over them."""
        return Wants()

    def apply(self, session: Session) -> Answer:
        """Raises LedgerError."""
        settings = session.settings
        settings.require(self.by, "budget_officer", session.today)
        self._check_accounts(session)
        n = self._next_load(session)
        level = settings.policy("release_level", session.today)
        entries = entries_of(self.rows, level=level, fiscal_year=self.fiscal_year)
        contents = {
            entry.id: msgspec.json.decode(entry.content, type=_LineContent)
            for entry in entries
            if entry.target == "line"
        }
        stored = _stored_lines(session, list(contents))
        fresh = {line: said for line, said in contents.items() if line not in stored}
        self._check_lines(session, entries, contents, stored)
        buckets = self._check_releases(session, entries, fresh)
        # Nothing below refuses.
        self._add_entities(session)
        digest = entries_sha256(entries)
        leaf = session.batch.leaf(
            "budget.loaded",
            self.by,
            {
                "load": n,
                "fiscal_year": self.fiscal_year,
                "file_sha256": self.file_sha256,
                "entries": len(entries),
                "entries_sha256": digest,
                "release_level": level,
            },
        )
        self._write(session, n, entries, digest, leaf)
        self._write_buckets(session, level, entries, buckets)
        self._write_lines(session, entries, fresh)
        return {
            "load": n,
            "fiscal_year": self.fiscal_year,
            "entries": len(entries),
            "new_lines": len(fresh),
            "entries_sha256": digest,
            "leaf_index": leaf,
            "batch": session.batch.seq,
            "recorded_at": session.batch.recorded_at,
        }

    # --- checks ------------------------------------------------------------------------------

    def _check_accounts(self, session: Session) -> None:
        accounts = session.settings.accounts_of(self.fiscal_year)
        entities = session.settings.entities
        for row in self.rows:
            if not isinstance(row, BudgetRow):
                continue
            known = accounts.get(row.account)
            if known is None:
                raise UnknownAccountError(account=row.account, fiscal_year=self.fiscal_year)
            if known.level != 6:
                raise AccountNotPostableError(
                    account=row.account,
                    level=known.level,
                    valid_from=known.valid_from,
                    valid_to=known.valid_to,
                )
            if entities.get(row.skpd, "SKPD") != ("PPKD" if row.skpd == "PPKD" else "SKPD"):
                raise UnknownEntityError(entity=row.skpd)

    def _next_load(self, session: Session) -> int:
        load = t.budget_load.c
        last = session.conn.execute(
            select(load.n, load.file_sha256)
            .where(load.government == session.government, load.fiscal_year == self.fiscal_year)
            .order_by(load.n.desc())
            .limit(1)
        ).first()
        if last is not None and last[1] == self.file_sha256:
            raise BudgetFileLoadedError(file_sha256=self.file_sha256, load=last[0])
        highest = session.conn.execute(
            select(func.max(load.n)).where(load.government == session.government)
        ).scalar()
        return (highest or 0) + 1

    def _check_lines(
        self,
        session: Session,
        entries: Sequence[Entry],
        contents: Mapping[str, _LineContent],
        stored: Mapping[str, tuple[int, _LineContent]],
    ) -> None:
        """What a line is for stays; its ceiling covers what is in use."""
        session.position.load_lines(list(stored))
        for entry in entries:
            if entry.target != "line" or entry.id not in stored:
                continue
            year, known = stored[entry.id]
            if year != self.fiscal_year:
                raise BudgetLineChangedError(
                    budget_line=entry.id,
                    field="fiscal_year",
                    stored=str(year),
                    given=str(self.fiscal_year),
                )
            said = contents[entry.id]
            for name in said.__struct_fields__:
                if getattr(known, name) != getattr(said, name):
                    raise BudgetLineChangedError(
                        budget_line=entry.id,
                        field=name,
                        stored=getattr(known, name),
                        given=getattr(said, name),
                    )
            line = session.position.budget_line(entry.id, self.fiscal_year)
            used = line.reserved + line.spent - line.allowance
            if entry.amount_sen < used:
                raise CeilingBelowUseError(
                    budget_line=entry.id,
                    used=sen_text(used),
                    ceiling=sen_text(entry.amount_sen),
                )
        self._check_codes(session, contents, stored)

    def _check_codes(
        self,
        session: Session,
        contents: Mapping[str, _LineContent],
        stored: Mapping[str, tuple[int, _LineContent]],
    ) -> None:
        """One line per SKPD, sub kegiatan, account and fund source of a year."""
        key = ("fiscal_year", "skpd", "sub_kegiatan", "account", "fund_source", "government")
        codes: dict[tuple[str, str, str, str], str] = {}
        for line_id, said in contents.items():
            code = (said.skpd, said.sub_kegiatan, said.account, said.fund_source)
            other = codes.setdefault(code, line_id)
            if other != line_id:
                raise InvalidFieldError("budget_line", f"has the codes of {other}", line_id)
        found = bulk.read_rows(
            session.conn,
            t.budget_line,
            key,
            ("id",),
            [
                (self.fiscal_year, *code, session.government)
                for code, line_id in codes.items()
                if line_id not in stored
            ],
        )
        for row in found:
            code = (str(row[1]), str(row[2]), str(row[3]), str(row[4]))
            raise InvalidFieldError("budget_line", f"has the codes of {row[6]!s}", codes[code])

    def _check_releases(
        self, session: Session, entries: Sequence[Entry], fresh: Mapping[str, _LineContent]
    ) -> dict[str, Bucket | None]:
        """Buckets of the file as they stand (None: new), each big enough for what is in use."""
        wanted = {entry.id: entry.amount_sen for entry in entries if entry.target == "release"}
        drawn = {said.bucket for said in fresh.values()}
        buckets = _stored_buckets(session, [*wanted, *drawn])
        for bucket_id, released in wanted.items():
            bucket = buckets.get(bucket_id)
            if bucket is None:
                if bucket_id not in drawn:
                    raise UnknownReleaseError(bucket=bucket_id)
                continue
            used = bucket.reserved + bucket.spent - bucket.allowance
            if released < used:
                raise ReleaseBelowUseError(
                    bucket=bucket_id, used=sen_text(used), released=sen_text(released)
                )
        return {
            bucket_id: buckets.get(bucket_id) for bucket_id in {**wanted, **dict.fromkeys(drawn)}
        }

    # --- writing -------------------------------------------------------------------------------

    def _add_entities(self, session: Session) -> None:
        fresh: dict[str, str] = {}
        for row in self.rows:
            if isinstance(row, BudgetRow) and row.skpd not in session.settings.entities:
                fresh[row.skpd] = fresh.get(row.skpd) or row.skpd_name
        for code, name in fresh.items():
            data = {"code": code, "kind": "SKPD", "name": name or code}
            leaf = session.batch.leaf("entity.added", self.by, data)
            bulk.insert_rows(
                session.conn,
                t.entity,
                tuple(t.entity.c.keys()),
                [(session.government, code, "SKPD", name or code, leaf)],
            )
        if fresh:
            session.batch.config_changed()

    def _write(
        self, session: Session, n: int, entries: Sequence[Entry], digest: str, leaf: int
    ) -> None:
        government = session.government
        bulk.insert_rows(
            session.conn,
            t.budget_load,
            tuple(t.budget_load.c.keys()),
            [
                (
                    government,
                    n,
                    self.fiscal_year,
                    self.file_sha256,
                    len(entries),
                    digest,
                    self.by,
                    session.batch.recorded_at,
                    leaf,
                )
            ],
        )
        for start in range(0, len(entries), 5_000):
            bulk.insert_rows(
                session.conn,
                t.budget_load_entry,
                _ENTRY_COLUMNS,
                [
                    (government, n, entry.target, entry.id, entry.content, entry.amount_sen)
                    for entry in entries[start : start + 5_000]
                ],
            )

    def _write_buckets(
        self,
        session: Session,
        level: str,
        entries: Sequence[Entry],
        buckets: Mapping[str, Bucket | None],
    ) -> None:
        wanted = {entry.id: entry.amount_sen for entry in entries if entry.target == "release"}
        new: list[bulk.Row] = []
        changed: list[bulk.Row] = []
        for bucket_id, bucket in buckets.items():
            released = wanted.get(bucket_id, bucket.released if bucket else 0)
            if bucket is None:
                new.append(
                    (session.government, bucket_id, self.fiscal_year, level, released, 0, 0, 0)
                )
                session.position.buckets[bucket_id] = Bucket(bucket_id, released, 0, 0, 0)
            elif released != bucket.released:
                changed.append((session.government, bucket_id, released - bucket.released))
                bucket.released = released
        columns = tuple(t.release_bucket.c.keys())
        bulk.insert_rows(session.conn, t.release_bucket, columns, new)
        bulk.add_to_rows(
            session.conn, t.release_bucket, ("government", "id"), ("released_sen",), changed
        )

    def _write_lines(
        self, session: Session, entries: Sequence[Entry], fresh: Mapping[str, _LineContent]
    ) -> None:
        position, government = session.position, session.government
        new: list[bulk.Row] = []
        changed: list[bulk.Row] = []
        for entry in entries:
            if entry.target != "line":
                continue
            said = fresh.get(entry.id)
            if said is None:
                line = position.budget_line(entry.id, self.fiscal_year)
                if entry.amount_sen != line.ceiling:
                    changed.append((government, entry.id, entry.amount_sen - line.ceiling))
                    line.ceiling = entry.amount_sen
                continue
            new.append(
                (
                    government,
                    entry.id,
                    self.fiscal_year,
                    said.skpd,
                    said.sub_kegiatan,
                    said.account,
                    said.fund_source,
                    said.bucket,
                    entry.amount_sen,
                    0,
                    0,
                    0,
                )
            )
            # Later commands of this batch see the line as if it had always stood there.
            position.lines[entry.id] = BudgetLine(
                entry.id,
                self.fiscal_year,
                said.skpd,
                said.account,
                said.fund_source,
                position.buckets[said.bucket],
                entry.amount_sen,
                0,
                0,
                0,
            )
        bulk.insert_rows(session.conn, t.budget_line, tuple(t.budget_line.c.keys()), new)
        bulk.add_to_rows(
            session.conn, t.budget_line, ("government", "id"), ("ceiling_sen",), changed
        )


def _stored_lines(session: Session, line_ids: Sequence[str]) -> dict[str, tuple[int, _LineContent]]:
    """Lines that stand already: fiscal year and what they are for."""
    found = bulk.read_rows(
        session.conn,
        t.budget_line,
        ("government", "id"),
        ("fiscal_year", "skpd", "sub_kegiatan", "account", "fund_source", "bucket_id"),
        [(session.government, line_id) for line_id in line_ids],
    )
    return {
        str(row[1]): (int(row[2] or 0), _LineContent(*(str(value) for value in row[3:])))
        for row in found
    }


def _stored_buckets(session: Session, bucket_ids: Sequence[str]) -> dict[str, Bucket]:
    """Buckets that stand already, as this batch sees them."""
    known = session.position.buckets
    missing = [b for b in dict.fromkeys(bucket_ids) if b not in known]
    for row in bulk.read_rows(
        session.conn,
        t.release_bucket,
        ("government", "id"),
        ("released_sen", "reserved_sen", "spent_sen", "allowance_sen"),
        [(session.government, bucket_id) for bucket_id in missing],
    ):
        released, reserved, spent, allowance = (int(value or 0) for value in row[2:])
        known[str(row[1])] = Bucket(str(row[1]), released, reserved, spent, allowance)
    return {b: known[b] for b in bucket_ids if b in known}
