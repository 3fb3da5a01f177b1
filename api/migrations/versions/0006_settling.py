"""
A person's word on a payment that may be with the bank takes two persons.

A step out of `unknown`, or of an order that left by the bank's interface, stands on one of three: an
answer of the bank (`payment_answer`), the call itself (`payment_call`), or a row of
`payment_settlement`, which names two reconcilers and the evidence. To doubt a payment takes nothing.
Steps that were taken before this revision stay as they are. Another attempt, and a cancellation, ask
that what went before is certainly unpaid: recalled, or rejected and not contradicted by the bank since.
"""

from __future__ import annotations

from alembic import context

from api.migrations.ddl import append_only, create_table, grant, row_rule

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE payment_settlement (government {text} NOT NULL, payment_id {text} NOT NULL, n {int} NOT NULL CHECK (n > 0), proposal_id {text} NOT NULL, proposed_by {text} NOT NULL,
  confirmed_by {text} NOT NULL, evidence_sha256 {text} NOT NULL CHECK (length(evidence_sha256) = 64), leaf_index {int} NOT NULL, PRIMARY KEY (government, payment_id, n),
  UNIQUE (proposal_id, government), CHECK (proposed_by <> confirmed_by),
  FOREIGN KEY (government, payment_id) REFERENCES payment (government, id),
  FOREIGN KEY (proposal_id, government, proposed_by) REFERENCES proposal (id, government, proposed_by)) {strict};
"""

# Append-only tables and all their unique keys.
FROZEN: dict[str, tuple[tuple[str, ...], ...]] = {
    "payment_settlement": (("government", "payment_id", "n"), ("government", "proposal_id")),
}

_OF_THIS_STEP = (
    "FROM {0} x WHERE x.government = NEW.government AND x.payment_id = NEW.payment_id"
    " AND x.leaf_index = NEW.leaf_index"
)

# Of a payment p that the bank rejected: it has said something else since.
_CONTRADICTED = (
    "(p.state = 'rejected' AND EXISTS (SELECT 1 FROM payment_answer a JOIN payment_move m"
    " ON m.government = a.government AND m.payment_id = a.payment_id AND m.n = p.state_n"
    " WHERE a.government = p.government AND a.payment_id = p.id AND a.leaf_index > m.leaf_index"
    " AND a.meaning IN ('done', 'returned', 'conflict')))"
)

# As in 0003: name, table, what it says, condition under which the row is refused.
RULES: tuple[tuple[str, str, str, str], ...] = (
    (
        "payment_settlement_proposed",
        "payment_settlement",
        "a settlement was proposed as one, and is of the next step",
        "NOT EXISTS (SELECT 1 FROM proposal o WHERE o.government = NEW.government AND o.id = NEW.proposal_id AND o.act = 'payment.settled')"
        " OR NOT EXISTS (SELECT 1 FROM payment p WHERE p.government = NEW.government AND p.id = NEW.payment_id AND p.state_n = NEW.n - 1)",
    ),
    (
        "payment_move_settled",
        "payment_move",
        "what nobody knows, or left by the bank's interface, is settled by the bank's word or by two persons",
        "NEW.state_from IN ('queued', 'sent', 'accepted', 'unknown', 'paid') AND NEW.state_to <> 'unknown'"
        " AND NOT (NEW.state_from = 'queued' AND NEW.state_to = 'recalled')"
        " AND (NEW.state_from = 'unknown' OR EXISTS (SELECT 1 FROM dispatch d WHERE d.government = NEW.government"
        " AND d.payment_id = NEW.payment_id AND d.channel <> 'file'))"
        f" AND NOT EXISTS (SELECT 1 {_OF_THIS_STEP.format('payment_answer')})"
        f" AND NOT (NEW.state_from = 'queued' AND NEW.state_to = 'sent' AND EXISTS (SELECT 1 {_OF_THIS_STEP.format('payment_call')}))"
        f" AND NOT EXISTS (SELECT 1 {_OF_THIS_STEP.format('payment_settlement')} AND x.n = NEW.n"
        " AND x.confirmed_by = NEW.person_id AND x.evidence_sha256 = NEW.evidence_sha256)",
    ),
    (
        "payment_again",
        "payment",
        "another attempt follows one that is certainly unpaid, or came back",
        "NEW.attempt > 1 AND NOT EXISTS (SELECT 1 FROM payment p WHERE p.government = NEW.government AND p.document_id = NEW.document_id"
        " AND p.payee_n = NEW.payee_n AND p.attempt = NEW.attempt - 1 AND p.state IN ('rejected', 'returned', 'recalled')"
        f" AND NOT {_CONTRADICTED})",
    ),
    (
        "document_move_cancel_unpaid",
        "document_move",
        "an SP2D is cancelled while nothing of it has left",
        "NEW.move = 'cancel' AND EXISTS (SELECT 1 FROM payment p WHERE p.government = NEW.government AND p.document_id = NEW.document_id"
        f" AND (p.state NOT IN ('held', 'recalled', 'rejected') OR {_CONTRADICTED}))",
    ),
)


def upgrade() -> None:
    """The table, its triggers, the rule of steps, grants."""
    for statement in TABLES.split(";\n"):
        if statement.strip():
            create_table(statement)
    for table, keys in FROZEN.items():
        append_only(table, *keys)
    for name, table, text, condition in RULES:
        row_rule(name, table, "INSERT", text, condition)
    grant(context.config.attributes.get("app_role"), "SELECT, INSERT", FROZEN)
    grant(context.config.attributes.get("reader_role"), "SELECT", FROZEN)
