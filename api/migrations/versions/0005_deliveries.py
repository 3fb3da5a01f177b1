"""
Deliveries before the end of the day, and statements that were issued anew.

Column comments stand in `reconciliation/tables.py`. A place in an account's chain may now be taken
by a second statement, where a row of `reissue` (two persons) says which one it supersedes; the lines
that stand at that place must then come to the closing figure, and the next place must open with it.
"""

from __future__ import annotations

from alembic import context

from api.migrations.ddl import (
    append_only,
    create_table,
    execute,
    grant,
    is_postgresql,
    postgresql_function,
    sqlite_trigger,
    statement_trigger,
)

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE reissue (government {text} NOT NULL, statement_id {int} NOT NULL, supersedes {int} NOT NULL, kept_aside {int} NOT NULL,
  proposed_by {text} NOT NULL, confirmed_by {text} NOT NULL, reason_c {text} NOT NULL, gone_count {int} NOT NULL CHECK (gone_count >= 0),
  gone_sha256 {text} NOT NULL, batch_seq {int} NOT NULL, leaf_index {int} NOT NULL, PRIMARY KEY (government, statement_id),
  CHECK (proposed_by <> confirmed_by), CHECK (supersedes < statement_id AND kept_aside < statement_id),
  FOREIGN KEY (government, statement_id) REFERENCES statement (government, id) DEFERRABLE INITIALLY DEFERRED,
  FOREIGN KEY (government, supersedes) REFERENCES statement (government, id),
  FOREIGN KEY (government, kept_aside) REFERENCES statement (government, id)) {strict};
CREATE UNIQUE INDEX reissue_by_superseded ON reissue (supersedes, government);
CREATE UNIQUE INDEX reissue_by_kept_aside ON reissue (kept_aside, government);
CREATE TABLE bank_line_gone (government {text} NOT NULL, line_id {int} NOT NULL, statement_id {int} NOT NULL, batch_seq {int} NOT NULL,
  PRIMARY KEY (government, line_id), FOREIGN KEY (government, line_id) REFERENCES bank_line (government, id),
  FOREIGN KEY (government, statement_id) REFERENCES reissue (government, statement_id)) {strict};
CREATE INDEX bank_line_gone_by_statement ON bank_line_gone (statement_id, government);
CREATE TABLE delivery (government {text} NOT NULL, id {int} NOT NULL CHECK (id > 0), bank_account {text} NOT NULL, file_sha256 {text} NOT NULL,
  ordinal {int} NOT NULL CHECK (ordinal > 0), kind {text} NOT NULL CHECK (kind IN ('intraday', 'advice')), statement_no {text} NOT NULL, page {int},
  line_count {int} NOT NULL, new_count {int} NOT NULL, confirmed_count {int} NOT NULL, skipped_count {int} NOT NULL, booked_count {int} NOT NULL,
  lines_sha256 {text} NOT NULL, deliveries_sha256 {text} NOT NULL, booked_sha256 {text} NOT NULL,
  imported_by {text} NOT NULL, batch_seq {int} NOT NULL, leaf_index {int} NOT NULL, PRIMARY KEY (government, id),
  CHECK (line_count = new_count + confirmed_count + skipped_count),
  FOREIGN KEY (government, file_sha256) REFERENCES statement_file (government, sha256),
  FOREIGN KEY (government, bank_account) REFERENCES bank_account (government, id)) {strict};
CREATE UNIQUE INDEX delivery_by_file ON delivery (file_sha256, ordinal, bank_account, government);
CREATE INDEX delivery_by_account ON delivery (bank_account, id, government);
CREATE TABLE provisional_line (government {text} NOT NULL, id {int} NOT NULL CHECK (id > 0), bank_account {text} NOT NULL, delivery_id {int} NOT NULL,
  position {int} NOT NULL, booked_on {text} NOT NULL CHECK (length(booked_on) = 10), occurrence {int} NOT NULL CHECK (occurrence > 0), value_on {text} NOT NULL,
  entry_on {text} NOT NULL, booked_time {text} NOT NULL, amount_sen {int} NOT NULL, reversal {int} NOT NULL CHECK (reversal IN (0, 1)),
  bank_reference {text} NOT NULL, reference {text} NOT NULL, transaction_code {text} NOT NULL, narrative_c {text} NOT NULL, counterparty_c {text} NOT NULL,
  batch_seq {int} NOT NULL, PRIMARY KEY (government, id),
  FOREIGN KEY (government, delivery_id) REFERENCES delivery (government, id) DEFERRABLE INITIALLY DEFERRED) {strict};
CREATE UNIQUE INDEX provisional_line_by_day ON provisional_line (bank_account, booked_on, occurrence, government);
CREATE UNIQUE INDEX provisional_line_by_delivery ON provisional_line (delivery_id, position, government);
CREATE TABLE provisional_line_delivery (government {text} NOT NULL, delivery_id {int} NOT NULL, position {int} NOT NULL, line_id {int} NOT NULL,
  PRIMARY KEY (government, delivery_id, position), FOREIGN KEY (government, line_id) REFERENCES provisional_line (government, id),
  FOREIGN KEY (government, delivery_id) REFERENCES delivery (government, id) DEFERRABLE INITIALLY DEFERRED) {strict};
CREATE INDEX provisional_line_delivery_by_line ON provisional_line_delivery (line_id, government);
CREATE TABLE provisional_booked (government {text} NOT NULL, provisional_id {int} NOT NULL, line_id {int} NOT NULL, batch_seq {int} NOT NULL,
  leaf_index {int} NOT NULL, PRIMARY KEY (government, provisional_id, line_id),
  FOREIGN KEY (government, provisional_id) REFERENCES provisional_line (government, id),
  FOREIGN KEY (government, line_id) REFERENCES bank_line (government, id)) {strict};
CREATE UNIQUE INDEX provisional_booked_by_line ON provisional_booked (line_id, government);
"""

# Append-only tables and all their unique keys.
FROZEN: dict[str, tuple[tuple[str, ...], ...]] = {
    "reissue": (
        ("government", "statement_id"),
        ("government", "supersedes"),
        ("government", "kept_aside"),
    ),
    "bank_line_gone": (("government", "line_id"),),
    "delivery": (
        ("government", "id"),
        ("government", "file_sha256", "ordinal", "bank_account"),
    ),
    "provisional_line": (
        ("government", "id"),
        ("government", "bank_account", "booked_on", "occurrence"),
        ("government", "delivery_id", "position"),
    ),
    "provisional_line_delivery": (("government", "delivery_id", "position"),),
    "provisional_booked": (
        ("government", "provisional_id", "line_id"),
        ("government", "line_id"),
    ),
}

# Whether the statement of an alias was superseded.
_SUPERSEDED = (
    "EXISTS (SELECT 1 FROM reissue q WHERE q.government = {0}.government AND q.supersedes = {0}.id)"
)


def upgrade() -> None:
    """Create the tables, then the rules of places in the chain anew, then triggers and grants."""
    for statement in TABLES.split(";\n"):
        if statement.strip():
            create_table(statement)
    # A place of the chain may be taken again, by a reissue: the trigger knows which one.
    execute("DROP INDEX statement_by_chain")
    execute(
        "CREATE INDEX statement_by_chain ON statement (bank_account, chain_n, id, government) WHERE chain_n > 0"
    )
    if is_postgresql():
        _postgresql_rules()
    else:
        _sqlite_rules()
    for table, keys in FROZEN.items():
        append_only(table, *keys)
    grant(context.config.attributes.get("app_role"), "SELECT, INSERT", FROZEN)
    grant(context.config.attributes.get("reader_role"), "SELECT", FROZEN)


def _postgresql_rules() -> None:
    refused = "USING ERRCODE = 'integrity_constraint_violation'; END IF;"
    lock = "PERFORM 1 FROM log_edge e WHERE e.government IN (SELECT government FROM new_rows) ORDER BY e.government FOR UPDATE;"
    execute("DROP FUNCTION check_new_statements() CASCADE")
    postgresql_function(
        "check_new_statements",
        "bad bigint;",
        f"""
  {lock}
  SELECT t.id INTO bad FROM new_rows t LEFT JOIN reissue r ON r.government = t.government AND r.statement_id = t.id
    CROSS JOIN LATERAL (SELECT count(*) AS n, coalesce(sum(l.amount_sen), 0) AS sen,
      coalesce(bool_or(l.bank_account <> t.bank_account), false) AS foreign_line
      FROM bank_line l WHERE l.government = t.government AND l.statement_id = t.id) s
    WHERE s.n <> t.new_count OR s.foreign_line
      OR (r.statement_id IS NULL AND t.status = 'admitted' AND s.sen <> t.closing_sen - t.previous_sen) LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:statement_does_not_add_up statement %', bad {refused}
  SELECT t.id INTO bad FROM new_rows t WHERE t.chain_n > 0
      AND NOT EXISTS (SELECT FROM reissue r WHERE r.government = t.government AND r.statement_id = t.id)
      AND EXISTS (SELECT FROM statement o WHERE o.government = t.government AND o.bank_account = t.bank_account AND o.chain_n = t.chain_n AND o.id <> t.id) LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:append_only statement % has a place in the chain that is taken', bad {refused}
  SELECT t.id INTO bad FROM new_rows t WHERE (t.chain_n = 1 AND t.previous_sen <> t.opening_sen) OR (t.chain_n > 1 AND NOT EXISTS (
      SELECT FROM statement p WHERE p.government = t.government AND p.bank_account = t.bank_account AND p.chain_n = t.chain_n - 1
        AND p.closing_sen = t.previous_sen AND p.closing_on <= t.closing_on AND NOT {_SUPERSEDED.format("p")})) LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:statement_chain_broken statement %', bad {refused}
  IF NOT EXISTS (SELECT FROM new_rows t JOIN reissue r ON r.government = t.government AND r.statement_id = t.id) THEN RETURN NULL; END IF;
  SELECT t.id INTO bad FROM new_rows t JOIN reissue r ON r.government = t.government AND r.statement_id = t.id
    LEFT JOIN statement s ON s.government = r.government AND s.id = r.supersedes
    CROSS JOIN LATERAL (SELECT count(*) AS n, coalesce(sum(l.amount_sen), 0) AS sen
      FROM statement o JOIN bank_line l ON l.government = o.government AND l.statement_id = o.id
      WHERE o.government = t.government AND o.bank_account = t.bank_account AND o.chain_n = t.chain_n
        AND NOT EXISTS (SELECT FROM bank_line_gone g WHERE g.government = l.government AND g.line_id = l.id)) e
    CROSS JOIN LATERAL (SELECT count(*) AS n, coalesce(bool_or(o.bank_account <> t.bank_account OR o.chain_n <> t.chain_n), false) AS elsewhere
      FROM bank_line_gone g JOIN bank_line l ON l.government = g.government AND l.id = g.line_id
      JOIN statement o ON o.government = l.government AND o.id = l.statement_id
      WHERE g.government = t.government AND g.statement_id = t.id) x
    WHERE t.status <> 'admitted' OR s.bank_account IS DISTINCT FROM t.bank_account OR s.chain_n <> t.chain_n OR s.closing_on <> t.closing_on
      OR e.n <> t.new_count + t.confirmed_count OR e.sen <> t.closing_sen - t.previous_sen OR x.n <> r.gone_count OR x.elsewhere
      OR EXISTS (SELECT FROM statement f WHERE f.government = t.government AND f.bank_account = t.bank_account AND f.chain_n = t.chain_n + 1
        AND f.previous_sen <> t.closing_sen AND NOT {_SUPERSEDED.format("f")}) LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:reissue_differs statement % does not take the place it is given', bad {refused}""",
    )
    statement_trigger("statement_new", "statement", "check_new_statements", "new_rows")
    for table in ("reissue", "bank_line_gone"):
        live = ""
        if table == "bank_line_gone":
            live = f"""
  SELECT t.line_id INTO bad FROM new_rows t JOIN match_member m ON m.item = t.line_id AND m.side = 'bank' AND m.government = t.government
    WHERE NOT EXISTS (SELECT FROM match_undo u WHERE u.government = m.government AND u.match_id = m.match_id) LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:line_matched line % is in a live match', bad {refused}"""
        postgresql_function(
            f"check_new_{table}",
            "bad bigint;",
            f"""
  {lock}
  SELECT t.statement_id INTO bad FROM new_rows t JOIN statement s ON s.government = t.government AND s.id = t.statement_id LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:statement_complete statement % stands already', bad {refused}{live}""",
        )
        statement_trigger(f"{table}_new", table, f"check_new_{table}", "new_rows")
    postgresql_function(
        "check_members_not_gone",
        "bad bigint;",
        f"""
  IF NOT EXISTS (SELECT FROM bank_line_gone) THEN RETURN NULL; END IF;
  SELECT t.item INTO bad FROM new_rows t JOIN bank_line_gone g ON g.government = t.government AND g.line_id = t.item WHERE t.side = 'bank' LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:line_gone line % is not in the statement that stands', bad {refused}""",
    )
    statement_trigger("match_member_not_gone", "match_member", "check_members_not_gone", "new_rows")
    postgresql_function(
        "check_new_provisional_lines",
        "bad bigint;",
        f"""
  {lock}
  SELECT d.id INTO bad FROM (SELECT DISTINCT government, delivery_id FROM new_rows) t
    JOIN delivery d ON d.government = t.government AND d.id = t.delivery_id LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:delivery_complete delivery % takes no more lines', bad {refused}""",
    )
    statement_trigger(
        "provisional_line_new", "provisional_line", "check_new_provisional_lines", "new_rows"
    )
    postgresql_function(
        "check_new_deliveries",
        "bad bigint;",
        f"""
  {lock}
  SELECT t.id INTO bad FROM new_rows t CROSS JOIN LATERAL (SELECT count(*) AS n,
      coalesce(bool_or(l.bank_account <> t.bank_account), false) AS foreign_line
      FROM provisional_line l WHERE l.government = t.government AND l.delivery_id = t.id) s
    WHERE s.n <> t.new_count OR s.foreign_line LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:delivery_differs delivery %', bad {refused}""",
    )
    statement_trigger("delivery_new", "delivery", "check_new_deliveries", "new_rows")
    postgresql_function(
        "check_new_booked",
        "bad bigint;",
        f"""
  {lock}
  SELECT t.provisional_id INTO bad FROM new_rows t
    LEFT JOIN provisional_line p ON p.government = t.government AND p.id = t.provisional_id
    LEFT JOIN bank_line l ON l.government = t.government AND l.id = t.line_id
    WHERE (l.bank_account, l.booked_on, l.amount_sen) IS DISTINCT FROM (p.bank_account, p.booked_on, p.amount_sen)
      OR EXISTS (SELECT FROM bank_line_gone g WHERE g.government = t.government AND g.line_id = t.line_id)
      OR EXISTS (SELECT FROM provisional_booked b WHERE b.government = t.government AND b.provisional_id = t.provisional_id
        AND b.line_id <> t.line_id AND NOT EXISTS (SELECT FROM bank_line_gone g WHERE g.government = b.government AND g.line_id = b.line_id)) LIMIT 1;
  IF FOUND THEN RAISE EXCEPTION 'rkud:booked_differs provisional line % is booked otherwise', bad {refused}""",
    )
    statement_trigger(
        "provisional_booked_new", "provisional_booked", "check_new_booked", "new_rows"
    )


def _sqlite_rules() -> None:
    execute("DROP TRIGGER statement_new")
    no_reissue = "NOT EXISTS (SELECT 1 FROM reissue r WHERE r.government = NEW.government AND r.statement_id = NEW.id)"
    sqlite_trigger(
        "statement_new",
        "BEFORE INSERT ON statement",
        f"""
  SELECT RAISE(ABORT, 'rkud:statement_does_not_add_up') WHERE EXISTS (SELECT 1 FROM (SELECT count(*) AS n, coalesce(sum(l.amount_sen), 0) AS sen,
      coalesce(max(l.bank_account <> NEW.bank_account), 0) AS foreign_line FROM bank_line l WHERE l.government = NEW.government AND l.statement_id = NEW.id) s
    WHERE s.n <> NEW.new_count OR s.foreign_line OR (NEW.status = 'admitted' AND s.sen <> NEW.closing_sen - NEW.previous_sen AND {no_reissue}));
  SELECT RAISE(ABORT, 'rkud:statement_chain_broken') WHERE (NEW.chain_n = 1 AND NEW.previous_sen <> NEW.opening_sen) OR (NEW.chain_n > 1 AND NOT EXISTS (
      SELECT 1 FROM statement p WHERE p.government = NEW.government AND p.bank_account = NEW.bank_account AND p.chain_n = NEW.chain_n - 1
        AND p.closing_sen = NEW.previous_sen AND p.closing_on <= NEW.closing_on AND NOT {_SUPERSEDED.format("p")}));
  SELECT RAISE(ABORT, 'rkud:append_only statement has this place in the chain already') WHERE NEW.chain_n > 0 AND {no_reissue} AND EXISTS (
      SELECT 1 FROM statement o WHERE o.government = NEW.government AND o.bank_account = NEW.bank_account AND o.chain_n = NEW.chain_n);
  SELECT RAISE(ABORT, 'rkud:append_only statement of this file stands already') WHERE NEW.status <> 'quarantined' AND EXISTS (
      SELECT 1 FROM statement o WHERE o.government = NEW.government AND o.file_sha256 = NEW.file_sha256 AND o.ordinal = NEW.ordinal
        AND o.bank_account = NEW.bank_account AND o.status <> 'quarantined');
  SELECT RAISE(ABORT, 'rkud:reissue_differs the statement does not take the place it is given') WHERE EXISTS (
    SELECT 1 FROM reissue r LEFT JOIN statement s ON s.government = r.government AND s.id = r.supersedes
    WHERE r.government = NEW.government AND r.statement_id = NEW.id AND (
      NEW.status <> 'admitted' OR s.bank_account IS NOT NEW.bank_account OR s.chain_n <> NEW.chain_n OR s.closing_on <> NEW.closing_on
      OR (NEW.new_count + NEW.confirmed_count, NEW.closing_sen - NEW.previous_sen) <> (SELECT count(*), coalesce(sum(l.amount_sen), 0)
        FROM bank_line l WHERE l.government = NEW.government AND l.statement_id IN (SELECT NEW.id UNION ALL SELECT o.id FROM statement o
            WHERE o.government = NEW.government AND o.bank_account = NEW.bank_account AND o.chain_n = NEW.chain_n AND o.chain_n > 0)
          AND NOT EXISTS (SELECT 1 FROM bank_line_gone g WHERE g.government = l.government AND g.line_id = l.id))
      OR (r.gone_count, 0) <> (SELECT count(*), coalesce(max(o.bank_account <> NEW.bank_account OR o.chain_n <> NEW.chain_n), 0)
        FROM bank_line_gone g JOIN bank_line l ON l.government = g.government AND l.id = g.line_id
        JOIN statement o ON o.government = l.government AND o.id = l.statement_id
        WHERE g.government = NEW.government AND g.statement_id = NEW.id)
      OR EXISTS (SELECT 1 FROM statement f WHERE f.government = NEW.government AND f.bank_account = NEW.bank_account AND f.chain_n = NEW.chain_n + 1
        AND f.previous_sen <> NEW.closing_sen AND NOT {_SUPERSEDED.format("f")})));""",
    )
    stands = "EXISTS (SELECT 1 FROM statement s WHERE s.government = NEW.government AND s.id = NEW.statement_id)"
    sqlite_trigger(
        "reissue_new",
        f"BEFORE INSERT ON reissue WHEN {stands}",
        "SELECT RAISE(ABORT, 'rkud:statement_complete the statement stands already');",
    )
    sqlite_trigger(
        "bank_line_gone_new",
        "BEFORE INSERT ON bank_line_gone",
        f"""
  SELECT RAISE(ABORT, 'rkud:statement_complete the statement stands already') WHERE {stands};
  SELECT RAISE(ABORT, 'rkud:line_matched the line is in a live match') WHERE EXISTS (SELECT 1 FROM match_member m
    WHERE m.item = NEW.line_id AND m.side = 'bank' AND m.government = NEW.government
      AND NOT EXISTS (SELECT 1 FROM match_undo u WHERE u.government = m.government AND u.match_id = m.match_id));""",
    )
    sqlite_trigger(
        "match_member_not_gone",
        "BEFORE INSERT ON match_member WHEN NEW.side = 'bank'"
        " AND EXISTS (SELECT 1 FROM bank_line_gone g WHERE g.government = NEW.government AND g.line_id = NEW.item)",
        "SELECT RAISE(ABORT, 'rkud:line_gone the line is not in the statement that stands');",
    )
    sqlite_trigger(
        "provisional_line_new",
        "BEFORE INSERT ON provisional_line WHEN EXISTS (SELECT 1 FROM delivery d WHERE d.government = NEW.government AND d.id = NEW.delivery_id)",
        "SELECT RAISE(ABORT, 'rkud:delivery_complete the delivery takes no more lines');",
    )
    sqlite_trigger(
        "delivery_new",
        "BEFORE INSERT ON delivery",
        """
  SELECT RAISE(ABORT, 'rkud:delivery_differs') WHERE (NEW.new_count, 0) <> (SELECT count(*), coalesce(max(l.bank_account <> NEW.bank_account), 0)
    FROM provisional_line l WHERE l.government = NEW.government AND l.delivery_id = NEW.id);""",
    )
    sqlite_trigger(
        "provisional_booked_new",
        "BEFORE INSERT ON provisional_booked",
        """
  SELECT RAISE(ABORT, 'rkud:booked_differs the provisional line is booked otherwise') WHERE NOT EXISTS (SELECT 1 FROM provisional_line p
      JOIN bank_line l ON l.government = p.government AND l.bank_account = p.bank_account AND l.booked_on = p.booked_on AND l.amount_sen = p.amount_sen
      WHERE p.government = NEW.government AND p.id = NEW.provisional_id AND l.id = NEW.line_id)
    OR EXISTS (SELECT 1 FROM bank_line_gone g WHERE g.government = NEW.government AND g.line_id = NEW.line_id)
    OR EXISTS (SELECT 1 FROM provisional_booked b WHERE b.government = NEW.government AND b.provisional_id = NEW.provisional_id
      AND NOT EXISTS (SELECT 1 FROM bank_line_gone g WHERE g.government = b.government AND g.line_id = b.line_id));""",
    )
