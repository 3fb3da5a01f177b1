"""
Bank statements, the lines that last, and what was matched with the books.

Column comments stand in `reconciliation/tables.py`; here are the keys, the checks and the triggers.
Lines are inserted before their statement and members before their match, so that the row that
completes a group is checked against all of it, as a journal is against its lines.
"""

from __future__ import annotations

from alembic import context

from api.migrations.ddl import (
    append_only,
    create_table,
    grant,
    is_postgresql,
    postgresql_function,
    sqlite_trigger,
    statement_trigger,
)

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = """
CREATE TABLE statement_file (government {text} NOT NULL, sha256 {text} NOT NULL CHECK (length(sha256) = 64), size {int} NOT NULL CHECK (size > 0),
  format {text} NOT NULL, profile {text} NOT NULL, batch_seq {int} NOT NULL, leaf_index {int} NOT NULL, PRIMARY KEY (government, sha256)) {strict};
CREATE TABLE statement_file_content (government {text} NOT NULL, sha256 {text} NOT NULL, content {bytes} NOT NULL, PRIMARY KEY (government, sha256),
  FOREIGN KEY (government, sha256) REFERENCES statement_file (government, sha256)) {strict};
CREATE TABLE statement (government {text} NOT NULL, id {int} NOT NULL CHECK (id > 0), bank_account {text} NOT NULL, file_sha256 {text} NOT NULL,
  ordinal {int} NOT NULL CHECK (ordinal > 0), chain_n {int} NOT NULL CHECK (chain_n >= 0), status {text} NOT NULL CHECK (status IN ('admitted', 'confirmed', 'quarantined')),
  statement_no {text} NOT NULL, page {int}, kind {text} NOT NULL, currency {text} NOT NULL, covers_from {text} NOT NULL, opening_on {text} NOT NULL, opening_sen {int},
  closing_on {text} NOT NULL, closing_sen {int}, previous_sen {int}, line_count {int} NOT NULL, new_count {int} NOT NULL, confirmed_count {int} NOT NULL,
  skipped_count {int} NOT NULL, lines_sha256 {text} NOT NULL, deliveries_sha256 {text} NOT NULL, rule {text} NOT NULL, detail_c {text} NOT NULL,
  imported_by {text} NOT NULL, batch_seq {int} NOT NULL, leaf_index {int} NOT NULL, PRIMARY KEY (government, id),
  CHECK ((status = 'admitted') = (chain_n > 0)), CHECK (status = 'admitted' OR new_count = 0), CHECK ((status = 'quarantined') = (rule <> '')),
  CHECK (status <> 'admitted' OR (kind = 'end_of_day' AND currency = 'IDR' AND opening_sen IS NOT NULL AND closing_sen IS NOT NULL AND previous_sen IS NOT NULL
    AND length(covers_from) = 10 AND length(closing_on) = 10)),
  CHECK (status = 'quarantined' OR line_count = new_count + confirmed_count + skipped_count),
  FOREIGN KEY (government, file_sha256) REFERENCES statement_file (government, sha256),
  FOREIGN KEY (government, bank_account) REFERENCES bank_account (government, id)) {strict};
CREATE UNIQUE INDEX statement_by_chain ON statement (bank_account, chain_n, government) WHERE chain_n > 0;
CREATE UNIQUE INDEX statement_by_file ON statement (file_sha256, ordinal, bank_account, government) WHERE status <> 'quarantined';
CREATE TABLE bank_line (government {text} NOT NULL, id {int} NOT NULL CHECK (id > 0), bank_account {text} NOT NULL, statement_id {int} NOT NULL, position {int} NOT NULL,
  booked_on {text} NOT NULL CHECK (length(booked_on) = 10), occurrence {int} NOT NULL CHECK (occurrence > 0), value_on {text} NOT NULL, entry_on {text} NOT NULL, booked_time {text} NOT NULL,
  amount_sen {int} NOT NULL, balance_after_sen {int}, reversal {int} NOT NULL CHECK (reversal IN (0, 1)), bank_reference {text} NOT NULL, reference {text} NOT NULL,
  transaction_code {text} NOT NULL, narrative_c {text} NOT NULL, counterparty_c {text} NOT NULL, line_kind {text} NOT NULL, pay_key {text} NOT NULL, doc_key {text} NOT NULL,
  found_keys {text} NOT NULL, batch_seq {int} NOT NULL, PRIMARY KEY (government, id),
  FOREIGN KEY (government, statement_id) REFERENCES statement (government, id) DEFERRABLE INITIALLY DEFERRED) {strict};
CREATE UNIQUE INDEX bank_line_by_day ON bank_line (bank_account, booked_on, occurrence, government);
CREATE UNIQUE INDEX bank_line_by_statement ON bank_line (statement_id, position, government);
CREATE TABLE bank_line_delivery (government {text} NOT NULL, statement_id {int} NOT NULL, position {int} NOT NULL, line_id {int} NOT NULL,
  PRIMARY KEY (government, statement_id, position), FOREIGN KEY (government, line_id) REFERENCES bank_line (government, id),
  FOREIGN KEY (government, statement_id) REFERENCES statement (government, id) DEFERRABLE INITIALLY DEFERRED) {strict};
CREATE INDEX bank_line_delivery_by_line ON bank_line_delivery (line_id, government);
"""

MATCHES = """
CREATE TABLE book_entry (government {text} NOT NULL, id {int} NOT NULL, bank_account {text} NOT NULL, journal_id {int} NOT NULL, n {int} NOT NULL,
  effective_on {text} NOT NULL, amount_sen {int} NOT NULL, is_opening {int} NOT NULL CHECK (is_opening IN (0, 1)), reverses {int} NOT NULL, pay_key {text} NOT NULL,
  doc_key {text} NOT NULL, found_keys {text} NOT NULL, batch_seq {int} NOT NULL, PRIMARY KEY (government, id), CHECK (id = journal_id * 16384 + n),
  FOREIGN KEY (government, journal_id, n) REFERENCES journal_line (government, journal_id, n)) {strict};
CREATE INDEX book_entry_by_day ON book_entry (bank_account, effective_on, id, government);
CREATE INDEX book_entry_by_reversal ON book_entry (reverses, n, government) WHERE reverses > 0;
CREATE TABLE open_item (government {text} NOT NULL, side {text} NOT NULL CHECK (side IN ('bank', 'book')), item {int} NOT NULL, bank_account {text} NOT NULL,
  day {text} NOT NULL, amount_sen {int} NOT NULL, PRIMARY KEY (government, side, item)) {strict};
CREATE INDEX open_item_by_day ON open_item (bank_account, side, day, item, government);
CREATE TABLE open_key (government {text} NOT NULL, bank_account {text} NOT NULL, key {text} NOT NULL, amount_sen {int} NOT NULL,
  side {text} NOT NULL CHECK (side IN ('bank', 'book')), item {int} NOT NULL, cut {int} NOT NULL CHECK (cut IN (0, 1)),
  PRIMARY KEY (government, bank_account, key, amount_sen, side, item)) {strict};
CREATE INDEX open_key_by_item ON open_key (item, side, government);
CREATE TABLE reconciliation_run (government {text} NOT NULL, id {int} NOT NULL CHECK (id > 0), bank_account {text} NOT NULL, through {text} NOT NULL, rule_version {text} NOT NULL,
  statement_id {int} NOT NULL, journal_through {int} NOT NULL, entry_count {int} NOT NULL, entries_sha256 {text} NOT NULL, match_count {int} NOT NULL,
  matches_sha256 {text} NOT NULL, stage_counts {text} NOT NULL, suggested_count {int} NOT NULL, open_lines {int} NOT NULL, open_entries {int} NOT NULL,
  closing_sen {int} NOT NULL, book_sen {int} NOT NULL, difference_sen {int} NOT NULL, run_by {text} NOT NULL, batch_seq {int} NOT NULL, leaf_index {int} NOT NULL,
  PRIMARY KEY (government, id), FOREIGN KEY (government, statement_id) REFERENCES statement (government, id)) {strict};
CREATE INDEX reconciliation_run_by_account ON reconciliation_run (bank_account, id, government);
CREATE TABLE reconciliation_match (government {text} NOT NULL, id {int} NOT NULL CHECK (id > 0), bank_account {text} NOT NULL, run_id {int} NOT NULL,
  status {text} NOT NULL CHECK (status IN ('auto', 'manual')), stage {text} NOT NULL, rule_version {text} NOT NULL, evidence {text} NOT NULL, runner_up {int} NOT NULL,
  amount_sen {int} NOT NULL, member_count {int} NOT NULL CHECK (member_count > 1), batch_seq {int} NOT NULL, leaf_index {int} NOT NULL,
  PRIMARY KEY (government, id), CHECK ((status = 'manual') = (run_id = 0))) {strict};
CREATE INDEX reconciliation_match_by_run ON reconciliation_match (run_id, id, government);
CREATE INDEX reconciliation_match_by_account ON reconciliation_match (bank_account, id, government);
CREATE TABLE match_member (government {text} NOT NULL, match_id {int} NOT NULL, n {int} NOT NULL CHECK (n > 0), side {text} NOT NULL CHECK (side IN ('bank', 'book')),
  item {int} NOT NULL, round {int} NOT NULL CHECK (round >= 0), amount_sen {int} NOT NULL, PRIMARY KEY (government, match_id, n),
  FOREIGN KEY (government, match_id) REFERENCES reconciliation_match (government, id) DEFERRABLE INITIALLY DEFERRED) {strict};
CREATE UNIQUE INDEX match_member_once ON match_member (item, side, round, government);
CREATE TABLE match_undo (government {text} NOT NULL, match_id {int} NOT NULL, undone_by {text} NOT NULL, reason_c {text} NOT NULL, batch_seq {int} NOT NULL,
  leaf_index {int} NOT NULL, PRIMARY KEY (government, match_id), FOREIGN KEY (government, match_id) REFERENCES reconciliation_match (government, id)) {strict};
"""

# Append-only tables and all their unique keys.
FROZEN: dict[str, tuple[tuple[str, ...], ...]] = {
    "statement_file": (("government", "sha256"),),
    "statement": (("government", "id"),),
    "bank_line": (
        ("government", "id"),
        ("government", "bank_account", "booked_on", "occurrence"),
        ("government", "statement_id", "position"),
    ),
    "bank_line_delivery": (("government", "statement_id", "position"),),
    "book_entry": (("government", "id"),),
    "reconciliation_run": (("government", "id"),),
    "reconciliation_match": (("government", "id"),),
    "match_member": (
        ("government", "match_id", "n"),
        ("government", "side", "item", "round"),
    ),
    "match_undo": (("government", "match_id"),),
}

# Working sets, rebuilt from the tables above at any time.
WORKING = ("open_item", "open_key")


def upgrade() -> None:
    """Create everything, then the triggers, then the grants."""
    for block in (STATEMENTS, MATCHES):
        for statement in block.split(";\n"):
            if statement.strip():
                create_table(statement)
    if is_postgresql():
        _postgresql_rules()
    else:
        _sqlite_rules()
    for table, keys in FROZEN.items():
        append_only(table, *keys)
    append_only("statement_file_content", ("government", "sha256"), deletable=True)
    app = context.config.attributes.get("app_role")
    reader = context.config.attributes.get("reader_role")
    grant(app, "SELECT, INSERT", [*FROZEN, "statement_file_content"])
    grant(app, "DELETE", ["statement_file_content"])
    grant(app, "SELECT, INSERT, DELETE", WORKING)
    # The reader sees commitments and figures, never the bank's raw text.
    grant(reader, "SELECT", [*FROZEN, *WORKING])


def _postgresql_rules() -> None:
    refused = "USING ERRCODE = 'integrity_constraint_violation'; END IF;"
    lock = "PERFORM 1 FROM log_edge e WHERE e.government IN (SELECT government FROM {rows}) ORDER BY e.government FOR UPDATE;"
    postgresql_function(
        "check_new_bank_lines",
        "bad bigint;",
        f"""
  {lock.format(rows="new_rows")}
  SELECT s.id INTO bad FROM (SELECT DISTINCT government, statement_id FROM new_rows) t
    JOIN statement s ON s.government = t.government AND s.id = t.statement_id LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:statement_complete statement % takes no more lines', bad {refused}""",
    )
    statement_trigger("bank_line_new", "bank_line", "check_new_bank_lines", "new_rows")
    postgresql_function(
        "check_new_statements",
        "bad bigint;",
        f"""
  {lock.format(rows="new_rows")}
  SELECT t.id INTO bad FROM new_rows t CROSS JOIN LATERAL (SELECT count(*) AS n, coalesce(sum(l.amount_sen), 0) AS sen,
      coalesce(bool_or(l.bank_account <> t.bank_account), false) AS foreign_line
      FROM bank_line l WHERE l.government = t.government AND l.statement_id = t.id) s
    WHERE s.n <> t.new_count OR s.foreign_line OR (t.status = 'admitted' AND s.sen <> t.closing_sen - t.previous_sen) LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:statement_does_not_add_up statement %', bad {refused}
  SELECT t.id INTO bad FROM new_rows t WHERE (t.chain_n = 1 AND t.previous_sen <> t.opening_sen) OR (t.chain_n > 1 AND NOT EXISTS (
      SELECT FROM statement p WHERE p.government = t.government AND p.bank_account = t.bank_account AND p.chain_n = t.chain_n - 1
        AND p.closing_sen = t.previous_sen AND p.closing_on <= t.closing_on)) LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:statement_chain_broken statement %', bad {refused}""",
    )
    statement_trigger("statement_new", "statement", "check_new_statements", "new_rows")
    postgresql_function(
        "check_new_members",
        "bad bigint;",
        f"""
  {lock.format(rows="new_rows")}
  SELECT m.id INTO bad FROM (SELECT DISTINCT government, match_id FROM new_rows) t
    JOIN reconciliation_match m ON m.government = t.government AND m.id = t.match_id LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:match_complete match % takes no more members', bad {refused}
  SELECT t.item INTO bad FROM new_rows t
    LEFT JOIN bank_line l ON t.side = 'bank' AND l.government = t.government AND l.id = t.item
    LEFT JOIN book_entry e ON t.side = 'book' AND e.government = t.government AND e.id = t.item
    WHERE coalesce(l.amount_sen, e.amount_sen) IS DISTINCT FROM t.amount_sen LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:match_amount item % is unknown or has another amount', bad {refused}
  SELECT t.item INTO bad FROM new_rows t WHERE t.round > 0 AND NOT EXISTS (SELECT FROM match_member p
      JOIN match_undo u ON u.government = p.government AND u.match_id = p.match_id
      WHERE p.government = t.government AND p.side = t.side AND p.item = t.item AND p.round = t.round - 1) LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:matched_twice item % is in a live match', bad {refused}""",
    )
    statement_trigger("match_member_new", "match_member", "check_new_members", "new_rows")
    postgresql_function(
        "check_new_matches",
        "bad bigint;",
        f"""
  {lock.format(rows="new_rows")}
  SELECT t.id INTO bad FROM new_rows t CROSS JOIN LATERAL (
      SELECT count(*) AS n, coalesce(sum(m.amount_sen) FILTER (WHERE m.side = 'bank'), 0) AS bank, coalesce(sum(m.amount_sen) FILTER (WHERE m.side = 'book'), 0) AS book,
        bool_or(coalesce(l.bank_account, e.bank_account) <> t.bank_account) AS foreign_item
      FROM match_member m LEFT JOIN bank_line l ON m.side = 'bank' AND l.government = m.government AND l.id = m.item
        LEFT JOIN book_entry e ON m.side = 'book' AND e.government = m.government AND e.id = m.item
      WHERE m.government = t.government AND m.match_id = t.id) s
    WHERE s.n <> t.member_count OR s.bank <> s.book OR s.bank <> t.amount_sen OR s.foreign_item LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:match_uneven match % does not come out even', bad {refused}""",
    )
    statement_trigger("match_new", "reconciliation_match", "check_new_matches", "new_rows")


def _sqlite_rules() -> None:
    sqlite_trigger(
        "bank_line_new",
        "BEFORE INSERT ON bank_line WHEN EXISTS (SELECT 1 FROM statement s WHERE s.government = NEW.government AND s.id = NEW.statement_id)",
        "SELECT RAISE(ABORT, 'rkud:statement_complete the statement takes no more lines');",
    )
    sqlite_trigger(
        "statement_new",
        "BEFORE INSERT ON statement",
        """
  SELECT RAISE(ABORT, 'rkud:statement_does_not_add_up') WHERE EXISTS (SELECT 1 FROM (SELECT count(*) AS n, coalesce(sum(l.amount_sen), 0) AS sen,
      coalesce(max(l.bank_account <> NEW.bank_account), 0) AS foreign_line FROM bank_line l WHERE l.government = NEW.government AND l.statement_id = NEW.id) s
    WHERE s.n <> NEW.new_count OR s.foreign_line OR (NEW.status = 'admitted' AND s.sen <> NEW.closing_sen - NEW.previous_sen));
  SELECT RAISE(ABORT, 'rkud:statement_chain_broken') WHERE (NEW.chain_n = 1 AND NEW.previous_sen <> NEW.opening_sen) OR (NEW.chain_n > 1 AND NOT EXISTS (
      SELECT 1 FROM statement p WHERE p.government = NEW.government AND p.bank_account = NEW.bank_account AND p.chain_n = NEW.chain_n - 1
        AND p.closing_sen = NEW.previous_sen AND p.closing_on <= NEW.closing_on));
  SELECT RAISE(ABORT, 'rkud:append_only statement has this place in the chain already') WHERE NEW.chain_n > 0 AND EXISTS (
      SELECT 1 FROM statement o WHERE o.government = NEW.government AND o.bank_account = NEW.bank_account AND o.chain_n = NEW.chain_n);
  SELECT RAISE(ABORT, 'rkud:append_only statement of this file stands already') WHERE NEW.status <> 'quarantined' AND EXISTS (
      SELECT 1 FROM statement o WHERE o.government = NEW.government AND o.file_sha256 = NEW.file_sha256 AND o.ordinal = NEW.ordinal
        AND o.bank_account = NEW.bank_account AND o.status <> 'quarantined');""",
    )
    sqlite_trigger(
        "match_member_new",
        "BEFORE INSERT ON match_member",
        """
  SELECT RAISE(ABORT, 'rkud:match_complete the match takes no more members')
    WHERE EXISTS (SELECT 1 FROM reconciliation_match m WHERE m.government = NEW.government AND m.id = NEW.match_id);
  SELECT RAISE(ABORT, 'rkud:match_amount the item is unknown or has another amount') WHERE NEW.amount_sen IS NOT CASE NEW.side
    WHEN 'bank' THEN (SELECT l.amount_sen FROM bank_line l WHERE l.government = NEW.government AND l.id = NEW.item)
    ELSE (SELECT e.amount_sen FROM book_entry e WHERE e.government = NEW.government AND e.id = NEW.item) END;
  SELECT RAISE(ABORT, 'rkud:matched_twice the item is in a live match') WHERE NEW.round > 0 AND NOT EXISTS (SELECT 1 FROM match_member p
      JOIN match_undo u ON u.government = p.government AND u.match_id = p.match_id
      WHERE p.government = NEW.government AND p.side = NEW.side AND p.item = NEW.item AND p.round = NEW.round - 1);""",
    )
    sqlite_trigger(
        "match_new",
        "BEFORE INSERT ON reconciliation_match",
        """
  SELECT RAISE(ABORT, 'rkud:match_uneven the match does not come out even') WHERE EXISTS (SELECT 1 FROM (
      SELECT count(*) AS n, coalesce(sum(CASE WHEN m.side = 'bank' THEN m.amount_sen END), 0) AS bank,
        coalesce(sum(CASE WHEN m.side = 'book' THEN m.amount_sen END), 0) AS book,
        coalesce(max(coalesce(l.bank_account, e.bank_account) <> NEW.bank_account), 0) AS foreign_item
      FROM match_member m LEFT JOIN bank_line l ON m.side = 'bank' AND l.government = m.government AND l.id = m.item
        LEFT JOIN book_entry e ON m.side = 'book' AND e.government = m.government AND e.id = m.item
      WHERE m.government = NEW.government AND m.match_id = NEW.id) s
    WHERE s.n <> NEW.member_count OR s.bank <> s.book OR s.bank <> NEW.amount_sen OR s.foreign_item);""",
    )
