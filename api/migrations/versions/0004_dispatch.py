"""
The way to the bank: the outbox of signed orders, each call of the bank, each answer.

The rule that nothing is paid twice has its second home here: the bank is called again for a payment
only where every earlier call was answered with "nothing was done, send it again".
"""

from __future__ import annotations

import json

from alembic import context, op
from sqlalchemy import text

from api.migrations.ddl import (
    append_only,
    counters,
    create_table,
    grant,
    row_rule,
)

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE dispatch (government {text} NOT NULL, payment_id {text} NOT NULL, advice_list_id {text} NOT NULL, bank_account {text} NOT NULL, channel {text} NOT NULL CHECK (channel <> ''),
  transfer_on {text} NOT NULL, leaf_index {int} NOT NULL, held {int} NOT NULL CHECK (held IN (0, 1)), stage {text} NOT NULL CHECK (stage IN ('waiting', 'asked', 'closed')),
  tries {int} NOT NULL CHECK (tries >= 0), next_at {text} NOT NULL, PRIMARY KEY (government, payment_id),
  FOREIGN KEY (government, payment_id) REFERENCES payment (government, id)) {hot};
CREATE INDEX dispatch_by_due ON dispatch (stage, next_at, payment_id, government) WHERE stage <> 'closed';
CREATE TABLE dispatch_pause (government {text} NOT NULL, bank_account {text} NOT NULL, n {int} NOT NULL CHECK (n > 0), paused {int} NOT NULL CHECK (paused IN (0, 1)),
  person_id {text} NOT NULL, reason_c {text} NOT NULL, leaf_index {int} NOT NULL, PRIMARY KEY (government, bank_account, n),
  FOREIGN KEY (government, bank_account) REFERENCES bank_account (government, id)) {strict};
CREATE TABLE payment_call (government {text} NOT NULL, payment_id {text} NOT NULL, n {int} NOT NULL CHECK (n > 0), external_id {text} NOT NULL CHECK (external_id <> ''), rail {text} NOT NULL,
  worker {text} NOT NULL, due_at {text} NOT NULL, leaf_index {int} NOT NULL, PRIMARY KEY (government, payment_id, n),
  FOREIGN KEY (government, payment_id) REFERENCES dispatch (government, payment_id)) {strict};
CREATE UNIQUE INDEX payment_call_by_external_id ON payment_call (external_id, government);
CREATE TABLE payment_answer (government {text} NOT NULL, payment_id {text} NOT NULL, n {int} NOT NULL CHECK (n > 0), call_n {int} NOT NULL, source {text} NOT NULL CHECK (source IN ('reply', 'silence', 'status', 'callback', 'statement')),
  meaning {text} NOT NULL CHECK (meaning IN ('done', 'pending', 'refused', 'returned', 'retry', 'duplicate', 'not_found', 'unknown', 'conflict')), http_status {int} NOT NULL,
  code {text} NOT NULL, bank_reference {text} NOT NULL, answer_c {text} NOT NULL, evidence_sha256 {text} NOT NULL, leaf_index {int} NOT NULL, PRIMARY KEY (government, payment_id, n),
  FOREIGN KEY (government, payment_id, call_n) REFERENCES payment_call (government, payment_id, n)) {strict};
"""

# Append-only tables and all their unique keys.
FROZEN: dict[str, tuple[tuple[str, ...], ...]] = {
    "dispatch_pause": (("government", "bank_account", "n"),),
    "payment_call": (("government", "payment_id", "n"), ("government", "external_id")),
    "payment_answer": (("government", "payment_id", "n"),),
}
# Tables whose counters move: key, then the other columns that never change, then those that do.
COUNTERS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "dispatch": (
        ("government", "payment_id"),
        ("advice_list_id", "bank_account", "channel", "transfer_on", "leaf_index"),
        ("held", "stage", "tries", "next_at"),
    ),
}

# As in 0003: name, table, what it says, condition under which the row is refused.
RULES: tuple[tuple[str, str, str, str], ...] = (
    (
        "dispatch_signed",
        "dispatch",
        "an order leaves by a signed advice list, from its own bank account",
        "NOT EXISTS (SELECT 1 FROM document d JOIN payment p ON p.government = d.government AND p.advice_list_id = d.id"
        " WHERE d.government = NEW.government AND d.id = NEW.advice_list_id AND d.kind = 'advice_list' AND d.state = 'signed'"
        " AND p.id = NEW.payment_id AND p.state = 'queued' AND p.bank_account = NEW.bank_account)",
    ),
    (
        "payment_call_open",
        "payment_call",
        "the bank is called for a queued payment, or again for one it did nothing of",
        "NOT EXISTS (SELECT 1 FROM payment p JOIN dispatch d ON d.government = p.government AND d.payment_id = p.id"
        " WHERE p.government = NEW.government AND p.id = NEW.payment_id AND d.held = 0 AND d.channel <> 'file'"
        " AND p.state = CASE WHEN NEW.n = 1 THEN 'queued' ELSE 'sent' END)",
    ),
    (
        "payment_call_twice",
        "payment_call",
        "the bank is called again only where each call before was answered with retry",
        "NEW.n <> 1 + (SELECT count(*) FROM payment_call c WHERE c.government = NEW.government AND c.payment_id = NEW.payment_id)"
        " OR EXISTS (SELECT 1 FROM payment_call c WHERE c.government = NEW.government AND c.payment_id = NEW.payment_id"
        " AND (SELECT count(*) FROM payment_answer a WHERE a.government = c.government AND a.payment_id = c.payment_id"
        " AND a.call_n = c.n AND a.meaning = 'retry') <> 1)"
        " OR EXISTS (SELECT 1 FROM payment_answer a WHERE a.government = NEW.government AND a.payment_id = NEW.payment_id AND a.meaning <> 'retry')",
    ),
    (
        "payment_answer_follows",
        "payment_answer",
        "answers are counted, and retry is the first and only one of its call",
        "NEW.n <> 1 + (SELECT count(*) FROM payment_answer a WHERE a.government = NEW.government AND a.payment_id = NEW.payment_id)"
        " OR NEW.call_n <> (SELECT max(c.n) FROM payment_call c WHERE c.government = NEW.government AND c.payment_id = NEW.payment_id)"
        " OR (NEW.meaning = 'retry' AND EXISTS (SELECT 1 FROM payment_answer a WHERE a.government = NEW.government"
        " AND a.payment_id = NEW.payment_id AND a.call_n = NEW.call_n))",
    ),
)


def upgrade() -> None:
    """Tables, triggers, grants."""
    for statement in TABLES.split(";\n"):
        if statement.strip():
            create_table(statement)
    _fill_outbox()
    for table, keys in FROZEN.items():
        append_only(table, *keys)
    for table, (key, fixed, _) in COUNTERS.items():
        counters(table, key, fixed)
    for name, table, says, condition in RULES:
        row_rule(name, table, "INSERT", says, condition)
    app = context.config.attributes.get("app_role")
    reader = context.config.attributes.get("reader_role")
    grant(app, "SELECT, INSERT", [*FROZEN, *COUNTERS])
    for table, (_, _, moving) in COUNTERS.items():
        grant(app, f"UPDATE ({', '.join(moving)})", [table])
    grant(reader, "SELECT", [*FROZEN, *COUNTERS])


def _fill_outbox() -> None:
    """
    Lists that were signed before there was an outbox left by file, the only way there was.

    Runs before the triggers are there: these orders have gone on since.
    """
    conn = op.get_bind()
    lists = conn.execute(
        text(
            "SELECT d.government, d.id, d.content, m.leaf_index FROM document d JOIN document_move m"
            " ON m.government = d.government AND m.document_id = d.id"
            " WHERE d.kind = 'advice_list' AND m.move = 'sign' ORDER BY d.government, d.id"
        )
    ).all()
    for government, advice_list, content, leaf_index in lists:
        conn.execute(
            text(
                "INSERT INTO dispatch SELECT government, id, advice_list_id, bank_account, 'file',"
                " :transfer_on, :leaf_index, 0, CASE WHEN state = 'queued' THEN 'waiting'"
                " WHEN state IN ('sent', 'accepted', 'unknown') THEN 'asked' ELSE 'closed' END, 0, ''"
                " FROM payment WHERE government = :government AND advice_list_id = :advice_list"
            ),
            {
                "government": government,
                "advice_list": advice_list,
                "transfer_on": json.loads(bytes(content))["transfer_on"],
                "leaf_index": leaf_index,
            },
        )
