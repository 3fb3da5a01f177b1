"""
The second home of the rules of documents and payments.

A state changes only by a move that starts where the row stands; the hands of a payment are different
persons, the SPM's signer among them; a cancellation is not done by who asked for it; a payment's
amount is its payee's net; numbers of a series never go back.
"""

from __future__ import annotations

from api.migrations.ddl import row_rule

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Rules as (name, table, what it says, condition under which the row is refused). NEW and OLD are the
# rows; the text is the same on both engines.
_INSERT_RULES: tuple[tuple[str, str, str, str], ...] = (
    (
        "document_starts",
        "document",
        "a document starts without a state",
        "NEW.state <> '' OR NEW.state_n <> 0",
    ),
    (
        "document_move_follows",
        "document_move",
        "a move starts where its document stands",
        "NOT EXISTS (SELECT 1 FROM document d WHERE d.government = NEW.government AND d.id = NEW.document_id"
        " AND d.state = NEW.state_from AND d.state_n = NEW.n - 1)",
    ),
    (
        "document_move_own_spm",
        "document_move",
        "the SPM signer is no hand of its SP2D",
        "NEW.hand IN ('maker', 'verifier', 'approver') AND EXISTS (SELECT 1 FROM document d"
        " JOIN document_move m ON m.government = d.government AND m.document_id = d.parent_id"
        " WHERE d.government = NEW.government AND d.id = NEW.document_id AND d.parent_id <> ''"
        " AND m.hand = 'signer' AND m.person_id = NEW.person_id)",
    ),
    (
        "document_move_own_cancel",
        "document_move",
        "another person cancels than who asked for it",
        "NEW.move = 'cancel' AND EXISTS (SELECT 1 FROM document_move m WHERE m.government = NEW.government"
        " AND m.document_id = NEW.document_id AND m.n = NEW.n - 1 AND m.person_id = NEW.person_id)",
    ),
    (
        "document_move_hand_twice",
        "document_move",
        "one person is one hand of a document",
        "NEW.hand <> '' AND EXISTS (SELECT 1 FROM document_move m WHERE m.government = NEW.government"
        " AND m.document_id = NEW.document_id AND m.hand <> '' AND m.person_id = NEW.person_id)",
    ),
    (
        "document_move_nonce_twice",
        "document_move",
        "a signed statement is used once",
        "NEW.nonce <> '' AND EXISTS (SELECT 1 FROM document_move m WHERE m.nonce = NEW.nonce AND m.nonce <> ''"
        " AND m.government = NEW.government)",
    ),
    (
        "payment_starts",
        "payment",
        "a payment starts without a state, for its payee's net",
        "NEW.state <> '' OR NEW.state_n <> 0 OR NEW.advice_list_id <> '' OR NOT EXISTS (SELECT 1 FROM payee y"
        " WHERE y.government = NEW.government AND y.document_id = NEW.document_id AND y.n = NEW.payee_n"
        " AND y.net_sen = NEW.amount_sen)",
    ),
    (
        "payment_move_follows",
        "payment_move",
        "a step starts where its payment stands",
        "NOT EXISTS (SELECT 1 FROM payment p WHERE p.government = NEW.government AND p.id = NEW.payment_id"
        " AND p.state = NEW.state_from AND p.state_n = NEW.n - 1)",
    ),
)
_UPDATE_RULES: tuple[tuple[str, str, str, str], ...] = (
    (
        "document_moves",
        "document",
        "a document's state comes of its last move",
        "NEW.state_n <> OLD.state_n + 1 OR NOT EXISTS (SELECT 1 FROM document_move m"
        " WHERE m.government = NEW.government AND m.document_id = NEW.id AND m.n = NEW.state_n AND m.state_to = NEW.state)",
    ),
    (
        "document_numbers",
        "document",
        "a number, once given, stays",
        "(OLD.number <> '' AND NEW.number <> OLD.number) OR (OLD.issued_on <> '' AND NEW.issued_on <> OLD.issued_on)"
        " OR (OLD.external_number <> '' AND NEW.external_number <> OLD.external_number)",
    ),
    (
        "payment_moves",
        "payment",
        "a payment's state comes of its last step",
        "NEW.state_n <> OLD.state_n + 1 OR NOT EXISTS (SELECT 1 FROM payment_move m"
        " WHERE m.government = NEW.government AND m.payment_id = NEW.id AND m.n = NEW.state_n AND m.state_to = NEW.state)"
        " OR (OLD.advice_list_id <> '' AND NEW.advice_list_id <> OLD.advice_list_id)",
    ),
    (
        "number_series_forward",
        "number_series",
        "numbers never go back",
        "NEW.last < OLD.last",
    ),
)


def upgrade() -> None:
    """A row trigger per rule, refusing before the row is written."""
    for verb, rules in (("INSERT", _INSERT_RULES), ("UPDATE", _UPDATE_RULES)):
        for name, table, text, condition in rules:
            row_rule(name, table, verb, text, condition)
