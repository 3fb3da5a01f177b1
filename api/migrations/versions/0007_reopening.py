"""
A bank that contradicts itself: what was settled is confirmed, or paid after all, by two persons.

Both are steps of a payment like any other, on a row of `payment_settlement`, whatever way its order left.
What stands has been disputed since its last step; what is paid after all has no later attempt. Nobody
confirms what was proposed before the last news of a payment. What came back and is disputed is not made
again, as what was rejected is not (0006); nor is what failed before acts were lost, until two persons say
that it stands.
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
# `done` of what came back is a dispute only where the bank has denied it, too.
_DENIED = (
    "EXISTS (SELECT 1 FROM payment_answer b WHERE b.government = a.government AND b.payment_id = a.payment_id"
    " AND b.meaning IN ('refused', 'conflict'))"
)
_RETURNED_DISPUTED = f"a.meaning IN ('done', 'refused', 'conflict') AND {_DENIED}"
_DISPUTED = (
    "SELECT 1 FROM payment_answer a JOIN payment_move m ON m.government = a.government AND m.payment_id = a.payment_id"
    " WHERE a.government = NEW.government AND a.payment_id = NEW.payment_id AND m.n = NEW.n - 1 AND a.leaf_index > m.leaf_index"
    " AND ((NEW.state_to = 'paid' AND a.meaning IN ('refused', 'conflict'))"
    " OR (NEW.state_to = 'rejected' AND a.meaning IN ('done', 'returned', 'conflict'))"
    f" OR (NEW.state_to = 'returned' AND {_RETURNED_DISPUTED}))"
)
# Of the last move m of a payment: it is older than the shard of the log, so that lost acts may have followed.
_BEFORE_RECOVERY = "m.leaf_index < (SELECT max(s.base) FROM log_shard s WHERE s.government = m.government AND s.n > 1)"
_NEWS = " OR ".join(
    f"EXISTS (SELECT 1 FROM {table} x WHERE x.government = NEW.government AND x.payment_id = NEW.payment_id"
    " AND x.leaf_index > o.leaf_index)"
    for table in ("payment_move", "payment_answer", "payment_call")
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
        f"NEW.state_from = NEW.state_to AND (NOT EXISTS ({_BY_TWO}) OR NOT (EXISTS ({_DISPUTED})"
        " OR (NEW.state_to <> 'paid' AND EXISTS (SELECT 1 FROM payment_move m WHERE m.government = NEW.government"
        f" AND m.payment_id = NEW.payment_id AND m.n = NEW.n - 1 AND {_BEFORE_RECOVERY}))))",
    ),
    (
        "payment_move_paid_after_all",
        "payment_move",
        "a payment that failed is paid after all by two persons, while no other attempt was made",
        "NEW.state_from IN ('rejected', 'returned') AND NEW.state_to = 'paid'"
        f" AND (NOT EXISTS ({_BY_TWO}) OR EXISTS ({_MADE_AGAIN}))",
    ),
    (
        "payment_settlement_news",
        "payment_settlement",
        "nothing was heard of a payment since its settlement was proposed",
        "EXISTS (SELECT 1 FROM proposal o WHERE o.government = NEW.government AND o.id = NEW.proposal_id"
        f" AND ({_NEWS}))",
    ),
    (
        "payment_again_disputed",
        "payment",
        "another attempt follows a retur that the bank has not disputed",
        "NEW.attempt > 1 AND EXISTS (SELECT 1 FROM payment p JOIN payment_move m ON m.government = p.government"
        " AND m.payment_id = p.id AND m.n = p.state_n JOIN payment_answer a ON a.government = p.government"
        " AND a.payment_id = p.id AND a.leaf_index > m.leaf_index WHERE p.government = NEW.government"
        " AND p.document_id = NEW.document_id AND p.payee_n = NEW.payee_n AND p.attempt = NEW.attempt - 1"
        f" AND p.state = 'returned' AND {_RETURNED_DISPUTED})",
    ),
    (
        "payment_again_recovered",
        "payment",
        "another attempt follows one that failed since acts were last lost",
        "NEW.attempt > 1 AND EXISTS (SELECT 1 FROM payment p JOIN payment_move m ON m.government = p.government"
        " AND m.payment_id = p.id AND m.n = p.state_n WHERE p.government = NEW.government AND p.document_id = NEW.document_id"
        " AND p.payee_n = NEW.payee_n AND p.attempt = NEW.attempt - 1 AND p.state IN ('rejected', 'returned')"
        f" AND {_BEFORE_RECOVERY})",
    ),
    (
        "document_move_cancel_recovered",
        "document_move",
        "an SP2D is cancelled while what it rejected was rejected since acts were last lost",
        "NEW.move = 'cancel' AND EXISTS (SELECT 1 FROM payment p JOIN payment_move m ON m.government = p.government"
        " AND m.payment_id = p.id AND m.n = p.state_n WHERE p.government = NEW.government AND p.document_id = NEW.document_id"
        f" AND p.state = 'rejected' AND {_BEFORE_RECOVERY})",
    ),
)


def upgrade() -> None:
    """The rules of steps."""
    for name, table, text, condition in RULES:
        row_rule(name, table, "INSERT", text, condition)
