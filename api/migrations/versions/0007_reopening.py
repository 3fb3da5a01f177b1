"""
A bank that contradicts itself: what was settled is confirmed, or paid after a rejection, by two persons.

Both are steps of a payment like any other, on a row of `payment_settlement`, whatever way its order left.
What stands has been disputed since its last step; what is paid after all has no later attempt.
"""

from __future__ import annotations

from api.migrations.ddl import row_rule

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BY_TWO = (
    "SELECT 1 FROM payment_settlement x WHERE x.government = NEW.government AND x.payment_id = NEW.payment_id"
    " AND x.leaf_index = NEW.leaf_index AND x.n = NEW.n AND x.confirmed_by = NEW.person_id"
    " AND x.evidence_sha256 = NEW.evidence_sha256"
)
_DISPUTED = (
    "SELECT 1 FROM payment_answer a JOIN payment_move m ON m.government = a.government AND m.payment_id = a.payment_id"
    " WHERE a.government = NEW.government AND a.payment_id = NEW.payment_id AND m.n = NEW.n - 1 AND a.leaf_index > m.leaf_index"
    " AND ((NEW.state_to = 'paid' AND a.meaning IN ('refused', 'conflict'))"
    " OR (NEW.state_to = 'rejected' AND a.meaning IN ('done', 'returned', 'conflict')))"
)
_MADE_AGAIN = (
    "SELECT 1 FROM payment p JOIN payment q ON q.government = p.government AND q.document_id = p.document_id"
    " AND q.payee_n = p.payee_n AND q.attempt > p.attempt WHERE p.government = NEW.government AND p.id = NEW.payment_id"
)

# As in 0003: name, table, what it says, condition under which the row is refused.
RULES: tuple[tuple[str, str, str, str], ...] = (
    (
        "payment_move_stands",
        "payment_move",
        "a payment that the bank disputes stands as it is by two persons",
        f"NEW.state_from = NEW.state_to AND (NOT EXISTS ({_BY_TWO}) OR NOT EXISTS ({_DISPUTED}))",
    ),
    (
        "payment_move_paid_after_all",
        "payment_move",
        "a rejected payment is paid after all by two persons, while no other attempt was made",
        "NEW.state_from = 'rejected' AND NEW.state_to = 'paid'"
        f" AND (NOT EXISTS ({_BY_TWO}) OR EXISTS ({_MADE_AGAIN}))",
    ),
)


def upgrade() -> None:
    """The rules of steps."""
    for name, table, text, condition in RULES:
        row_rule(name, table, "INSERT", text, condition)
